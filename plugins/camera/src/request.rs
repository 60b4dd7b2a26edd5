//! The request of a stream, to addresses that the scene admits.

use crate::mailbox::Mailbox;
use crate::multipart::{Event, Multipart, boundary};
use crate::sinks::Raw;
use becomingone_systems::links::web::{Server, describe};
use becomingone_systems::links::{SensorEnd, SourceSite};
use std::io::{ErrorKind, Read as _};
use std::time::Duration;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Uri};
use ureq::{Agent, Error};

/// Most bytes that are read at once.
const PIECE: usize = 1 << 16;

/// What a stream is requested with.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) agent: Agent,
    uri: Uri,
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

impl Request {
    /// Reads token and certificates.
    ///
    /// # Errors
    ///
    /// A file or variable that is missing.
    pub(crate) fn new(
        server: &Server,
        timeout: Duration,
        site: &SourceSite,
    ) -> Result<Self, String> {
        let agent = server.agent(site, |config| {
            config
                .timeout_resolve(Some(timeout))
                .timeout_connect(Some(timeout))
                .timeout_recv_response(Some(timeout))
                // A stream has no end, but its next bytes do not let wait for them.
                .timeout_per_read(Some(timeout))
        })?;
        Ok(Self {
            agent,
            uri: server.uri.clone(),
            authorization: server.authorization(site)?,
            timeout,
        })
    }

    /// Receives a stream into the mailbox until it ends; returns why.
    pub(crate) fn receive(&self, clock: &SensorEnd, mailbox: &Mailbox) -> String {
        match self.pass(clock, mailbox) {
            Ok(()) => "the server ended the stream".to_owned(),
            Err(reason) => reason,
        }
    }

    fn pass(&self, clock: &SensorEnd, mailbox: &Mailbox) -> Result<(), String> {
        let mut request = self.agent.get(&self.uri);
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let mut answer = request
            .call()
            .map_err(|error| describe(error, self.timeout))?;
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
                Err(error) => return Err(describe(Error::from(error), self.timeout)),
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
}
