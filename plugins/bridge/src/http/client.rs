//! Requests on a thread of their own: a server that stalls holds nothing else up.

use super::policy::Policy;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// Largest body (bytes).
pub(crate) const MAX_BODY: u64 = 1 << 20;
/// Most redirects that are followed.
const MAX_REDIRECTS: u32 = 3;

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
    /// Starts its thread, which ends with the client.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub(crate) fn start(url: String, policy: Policy, timeout: Duration) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(1);
        let (answer, answers) = sync_channel(1);
        Builder::new().name("http".to_owned()).spawn(move || {
            let agent = agent(policy, timeout);
            for job in waiting {
                if answer.send(run(&agent, &url, &job, timeout)).is_err() {
                    return;
                }
            }
        })?;
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

fn agent(policy: Policy, timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(MAX_REDIRECTS)
        .max_redirects_will_error(true)
        .http_status_as_error(false)
        // A proxy would resolve names itself, past the check of addresses.
        .proxy(None)
        .build();
    let resolver = PolicyResolver {
        policy,
        system: DefaultResolver::default(),
    };
    Agent::with_parts(config, DefaultConnector::default(), resolver)
}

fn run(agent: &Agent, url: &str, job: &Job, timeout: Duration) -> Result<Vec<u8>, String> {
    let answer = match job {
        Job::Get => agent.get(url).call(),
        Job::Post(body) => agent
            .post(url)
            .config()
            // A redirected request loses its body.
            .max_redirects(0)
            .build()
            .content_type("application/json")
            .send(body.as_slice()),
    };
    let mut answer = answer.map_err(|error| describe(error, timeout))?;
    if !answer.status().is_success() {
        return Err(format!("found status {}; expected 200", answer.status()));
    }
    let body = answer.body_mut().with_config().limit(MAX_BODY);
    body.read_to_vec().map_err(|error| describe(error, timeout))
}

fn describe(error: Error, timeout: Duration) -> String {
    match error {
        Error::Other(refused) => refused.to_string(),
        Error::Timeout(_) => format!("no answer within {} s", timeout.as_secs_f64()),
        Error::BodyExceedsLimit(_) => {
            format!("found an answer of more than {MAX_BODY} bytes; expected at most these")
        }
        Error::TooManyRedirects => {
            format!(
                "found more than {MAX_REDIRECTS} redirects, or one of a command; expected an answer"
            )
        }
        other => other.to_string(),
    }
}

/// Checks every address, also that of a redirect, right before it is connected to.
#[derive(Debug)]
struct PolicyResolver {
    policy: Policy,
    system: DefaultResolver,
}

/// A refusal as an error of the resolver.
#[derive(Debug)]
struct Refused(String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Resolver for PolicyResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = self.system.resolve(uri, config, timeout)?;
        for address in addresses.iter() {
            let admitted = self.policy.admit(uri, address.ip());
            admitted.map_err(|reason| Error::Other(Box::new(Refused(reason))))?;
        }
        Ok(addresses)
    }
}
