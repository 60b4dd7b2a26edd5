//! The request of a stream, to addresses that the scene admits.

use crate::mailbox::Mailbox;
use crate::multipart::{Event, Multipart, boundary};
use crate::sinks::Raw;
use becomingone_systems::links::SensorEnd;
use becomingone_systems::links::policy::Policy;
use std::io::{ErrorKind, Read as _};
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// Most redirects that are followed.
const MAX_REDIRECTS: u32 = 3;
/// Most bytes that are read at once.
const PIECE: usize = 1 << 16;

/// An agent of one stream.
pub(crate) fn agent(policy: Policy, timeout: Duration) -> Agent {
    let config = Agent::config_builder()
        .timeout_resolve(Some(timeout))
        .timeout_connect(Some(timeout))
        .timeout_recv_response(Some(timeout))
        // A stream has no end, but its next bytes do not let wait for them.
        .timeout_per_read(Some(timeout))
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

/// Receives a stream into the mailbox until it ends; returns why.
pub(crate) fn receive(
    agent: &Agent,
    url: &str,
    timeout: Duration,
    clock: &SensorEnd,
    mailbox: &Mailbox,
) -> String {
    match pass(agent, url, timeout, clock, mailbox) {
        Ok(()) => "the server ended the stream".to_owned(),
        Err(reason) => reason,
    }
}

fn pass(
    agent: &Agent,
    url: &str,
    timeout: Duration,
    clock: &SensorEnd,
    mailbox: &Mailbox,
) -> Result<(), String> {
    let answer = agent.get(url).call();
    let mut answer = answer.map_err(|error| describe(error, timeout))?;
    if !answer.status().is_success() {
        return Err(format!("found status {}; expected 200", answer.status()));
    }
    let kind = answer.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut parser = Multipart::new(&boundary(kind)?);
    let mut body = answer.body_mut().as_reader();
    let mut piece = vec![0; PIECE];
    let (mut begun_ns, mut is_over) = (0, false);
    while !is_over {
        let count = match body.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(describe(Error::from(error), timeout)),
            Ok(0) => return Ok(()),
            Ok(count) => count,
        };
        // Arrival time: before parsing, which takes time.
        let now_ns = clock.now_ns();
        parser.push(&piece[..count], |event| match event {
            Event::Begin => begun_ns = now_ns,
            Event::Picture { bytes, stamp_ns } => mailbox.put(Raw {
                bytes,
                arrival_ns: begun_ns,
                stamp_ns,
            }),
            Event::Refused(refusal) => mailbox.refuse(refusal),
            Event::End => is_over = true,
        });
    }
    Ok(())
}

fn describe(error: Error, timeout: Duration) -> String {
    match error {
        Error::Other(refused) => refused.to_string(),
        Error::Timeout(_) => format!("no answer within {} s", timeout.as_secs_f64()),
        Error::TooManyRedirects => {
            format!("found more than {MAX_REDIRECTS} redirects; expected an answer")
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
