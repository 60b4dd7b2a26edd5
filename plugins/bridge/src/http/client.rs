//! Requests on a thread of their own: a server that stalls holds nothing else up.

use crate::policy::Policy;
use crate::server::Server;
use becomingone_systems::links::SourceSite;
use becomingone_systems::links::tls;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
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
    /// Reads token and certificates, and starts its thread, which ends with the client.
    ///
    /// # Errors
    ///
    /// A file or variable that is missing; no thread could be started.
    pub(crate) fn start(server: &Server, site: &SourceSite) -> Result<Self, String> {
        let (jobs, waiting) = sync_channel::<Job>(1);
        let (answer, answers) = sync_channel(1);
        let requests = Requests {
            agent: agent(server, site)?,
            uri: server.uri.clone(),
            authorization: server.authorization(site)?,
            timeout: server.timeout,
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

fn agent(server: &Server, site: &SourceSite) -> Result<Agent, String> {
    let mut config = Agent::config_builder()
        .timeout_global(Some(server.timeout))
        .max_redirects(MAX_REDIRECTS)
        .max_redirects_will_error(true)
        .http_status_as_error(false)
        // A proxy would resolve names itself, past the check of addresses.
        .proxy(None);
    if server.is_secure() {
        let issuers = server.certificates.issuers(site)?;
        let issuers: Vec<_> = issuers
            .iter()
            .map(|issuer| Certificate::from_der(issuer).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(tls::provider())
            .root_certs(RootCerts::new_with_certs(&issuers));
        config = config.tls_config(tls.build());
    }
    let resolver = PolicyResolver {
        policy: server.policy.clone(),
        system: DefaultResolver::default(),
    };
    Ok(Agent::with_parts(
        config.build(),
        DefaultConnector::default(),
        resolver,
    ))
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
        Error::Rustls(error) => tls::describe(&error, "the server"),
        Error::Io(error) => tls_reason(&error).unwrap_or_else(|| error.to_string()),
        other => other.to_string(),
    }
}

/// Why TLS broke the connection, if it did.
pub(crate) fn tls_reason(error: &std::io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(tls::describe(error, "the server"))
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
