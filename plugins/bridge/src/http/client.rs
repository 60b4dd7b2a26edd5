//! Requests on a thread of their own: a server that stalls holds nothing else up.

use becomingone_systems::links::SourceSite;
use becomingone_systems::links::web::{Server, describe};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;
use ureq::Agent;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Uri};

/// Largest body (bytes).
pub(crate) const MAX_BODY: u64 = 1 << 20;

/// A request.
#[derive(Debug)]
pub(crate) enum Job {
    Get,
    /// JSON.
    Post(Vec<u8>),
}

/// Requests to one address, one at a time.
pub(crate) struct Client {
    jobs: SyncSender<Job>,
    answers: Receiver<Result<Vec<u8>, String>>,
    /// A request without an answer yet.
    is_busy: bool,
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
        let (jobs, waiting) = sync_channel::<Job>(1);
        let (answer, answers) = sync_channel(1);
        let requests = Requests {
            agent: server.agent(site, |config| config.timeout_global(Some(timeout)))?,
            uri: server.uri.clone(),
            authorization: server.authorization(site)?,
            timeout,
        };
        let begun = Builder::new().name("http".to_owned()).spawn(move || {
            for job in waiting {
                if answer.send(requests.run(&job)).is_err() {
                    return;
                }
            }
        });
        begun.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self {
            jobs,
            answers,
            is_busy: false,
        })
    }

    /// Begins a request, after the answer to one that was given up; returns whether it has begun.
    pub(crate) fn begin(&mut self, job: Job, goes_on: impl Fn() -> bool) -> bool {
        while self.is_busy {
            if !goes_on() {
                return false;
            }
            self.answer(Duration::from_millis(20));
        }
        self.is_busy = self.jobs.try_send(job).is_ok();
        self.is_busy
    }

    /// Waits for the answer.
    pub(crate) fn answer(&mut self, within: Duration) -> Option<Result<Vec<u8>, String>> {
        match self.answers.recv_timeout(within) {
            Ok(answer) => {
                self.is_busy = false;
                Some(answer)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                self.is_busy = false;
                Some(Err("the thread of requests has ended".to_owned()))
            }
        }
    }
}

/// What each request has in common.
struct Requests {
    agent: Agent,
    uri: Uri,
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

impl Requests {
    fn run(&self, job: &Job) -> Result<Vec<u8>, String> {
        let answer = match job {
            Job::Get => {
                let mut request = self.agent.get(&self.uri);
                if let Some(value) = &self.authorization {
                    request = request.header(AUTHORIZATION, value);
                }
                request.call()
            }
            Job::Post(body) => {
                let mut request = self.agent.post(&self.uri);
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
