//! Requests on a thread of their own: a server that stalls holds nothing else up.

use becomingone_systems::links::SourceSite;
use becomingone_systems::links::web::{Server, describe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::Builder;
use std::time::Duration;
use ureq::Agent;
use ureq::http::HeaderValue;
use ureq::http::header::AUTHORIZATION;

/// Largest body (bytes).
pub(crate) const MAX_BODY: u64 = 1 << 20;

/// The thread of requests is gone.
const ENDED: &str = "the request failed by an error of the driver itself";

/// A request.
#[derive(Debug)]
pub(crate) enum Job {
    Get,
    /// JSON.
    Post(Vec<u8>),
}

/// Requests to one address, one at a time.
pub(crate) struct Client {
    requests: Arc<Requests>,
    lane: Lane,
    /// A request without an answer yet.
    is_busy: bool,
}

/// The thread of requests.
struct Lane {
    jobs: SyncSender<Job>,
    answers: Receiver<Result<Vec<u8>, String>>,
}

impl Lane {
    fn start(requests: Arc<Requests>) -> Result<Self, String> {
        let (jobs, waiting) = sync_channel::<Job>(1);
        let (answer, answers) = sync_channel(1);
        let begun = Builder::new().name("http".to_owned()).spawn(move || {
            for job in waiting {
                if answer.send(requests.run(&job)).is_err() {
                    return;
                }
            }
        });
        begun.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { jobs, answers })
    }
}

impl Client {
    /// Reads token and certificates, and starts its thread, which ends with the client.
    ///
    /// # Errors
    ///
    /// A file or variable that is missing; no thread could be started.
    pub(crate) fn start(
        server: &Server,
        timeout: Duration,
        site: &SourceSite,
    ) -> Result<Self, String> {
        let requests = Arc::new(Requests::new(server, timeout, site)?);
        Ok(Self {
            lane: Lane::start(requests.clone())?,
            requests,
            is_busy: false,
        })
    }

    /// Gives up a request that has no answer yet, and begins anew with a connection and a thread of its own.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start).
    pub(crate) fn renew(&mut self) -> Result<(), String> {
        let Requests {
            server,
            timeout,
            site,
            ..
        } = &*self.requests;
        let new = Self::start(server, *timeout, site)?;
        let old = std::mem::replace(self, new);
        // What it waits for is shut down, and what it connects to later is refused.
        old.requests.agent.clone().shutdown();
        Ok(())
    }

    /// Whether a request has no answer yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }

    /// Begins a request, after the answer to one that was given up; returns whether it has begun before `goes_on` ended. A
    /// thread that has ended by an error of its own is started again.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub(crate) fn begin(
        &mut self,
        mut job: Job,
        goes_on: impl Fn() -> bool,
    ) -> Result<bool, String> {
        while self.is_busy {
            if !goes_on() {
                return Ok(false);
            }
            self.answer(Duration::from_millis(20));
        }
        for _ in 0..2 {
            job = match self.lane.jobs.try_send(job) {
                Ok(()) => {
                    self.is_busy = true;
                    return Ok(true);
                }
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job,
            };
            self.renew()?;
        }
        Err(ENDED.to_owned())
    }

    /// Waits for the answer.
    pub(crate) fn answer(&mut self, within: Duration) -> Option<Result<Vec<u8>, String>> {
        match self.lane.answers.recv_timeout(within) {
            Ok(answer) => {
                self.is_busy = false;
                Some(answer)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.is_busy = false;
                Some(Err(ENDED.to_owned()))
            }
        }
    }
}

/// What each request has in common.
struct Requests {
    agent: Agent,
    authorization: Option<HeaderValue>,
    server: Server,
    site: SourceSite,
    timeout: Duration,
}

impl Requests {
    fn new(server: &Server, timeout: Duration, site: &SourceSite) -> Result<Self, String> {
        Ok(Self {
            agent: server.agent(site, |config| config.timeout_global(Some(timeout)))?,
            authorization: server.authorization(site)?,
            server: server.clone(),
            site: site.clone(),
            timeout,
        })
    }

    fn run(&self, job: &Job) -> Result<Vec<u8>, String> {
        let answer = match job {
            Job::Get => {
                let mut request = self.agent.get(&self.server.uri);
                if let Some(value) = &self.authorization {
                    request = request.header(AUTHORIZATION, value);
                }
                request.call()
            }
            Job::Post(body) => {
                let mut request = self.agent.post(&self.server.uri);
                if let Some(value) = &self.authorization {
                    request = request.header(AUTHORIZATION, value);
                }
                request
                    .config()
                    // A redirected request loses its body.
                    .max_redirects(0)
                    .build()
                    .content_type("application/json")
                    .send(body.as_slice())
            }
        };
        let mut answer = answer.map_err(|error| describe(error, self.timeout))?;
        if !answer.status().is_success() {
            return Err(format!("found status {}; expected 200", answer.status()));
        }
        let body = answer.body_mut().with_config().limit(MAX_BODY);
        body.read_to_vec()
            .map_err(|error| describe(error, self.timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_systems::links::web::HTTP;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    #[test]
    fn a_thread_that_has_ended_is_no_end_of_the_run_and_is_started_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = tcp.read(&mut request);
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        });
        let server = Server::new(&url, HTTP, &[], None, None).unwrap();
        let site = SourceSite::default();
        let mut client = Client::start(&server, Duration::from_secs(5), &site).unwrap();
        // As after a panic: both of its ends are gone.
        client.lane = Lane {
            jobs: sync_channel(1).0,
            answers: sync_channel(1).1,
        };
        assert_eq!(client.begin(Job::Get, || true), Ok(true));
        let answer = client.answer(Duration::from_secs(10));
        assert_eq!(answer, Some(Ok(b"{}".to_vec())));
    }
}
