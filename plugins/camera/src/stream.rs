//! MJPEG over HTTP.

#![expect(
    clippy::disallowed_methods,
    reason = "an I/O thread bounds its waits by the wall clock"
)]

use crate::mailbox::Mailbox;
use crate::request::Request;
use crate::sinks::Sinks;
use becomingone_systems::links::web::Server;
use becomingone_systems::links::{Context, Driver, DriverError, SourceSite};
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Longest wait before the driver checks whether it is cancelled.
const POLL_PERIOD: Duration = Duration::from_millis(50);

/// A stream of pictures. A thread of its own receives it, so that decoding holds the camera up no more than a stalled
/// camera the end of a run.
pub(crate) struct Stream {
    server: Server,
    site: SourceSite,
    timeout: Duration,
    sinks: Sinks,
}

impl Stream {
    /// Checks that its token and certificates are there.
    ///
    /// # Errors
    ///
    /// A file or variable that is missing.
    pub(crate) fn new(
        server: Server,
        site: SourceSite,
        timeout: Duration,
        sinks: Sinks,
    ) -> Result<Self, String> {
        Request::new(&server, timeout, &site)?;
        Ok(Self {
            server,
            site,
            timeout,
            sinks,
        })
    }

    /// Takes pictures until the stream ends or none comes in time.
    fn take(&mut self, mailbox: &Mailbox, context: &Context) -> Result<(), DriverError> {
        let mut last = Instant::now();
        while !context.cancelled() {
            let parcel = mailbox.take(POLL_PERIOD);
            for (refusal, count) in parcel.refused.values() {
                (0..*count).for_each(|_| self.sinks.refuse(refusal));
            }
            self.sinks.lose(parcel.lost);
            if let Some(raw) = parcel.newest {
                match self.sinks.take(raw) {
                    Ok(()) => {
                        last = Instant::now();
                        context.up();
                    }
                    Err(refusal) => self.sinks.refuse(&refusal),
                }
            }
            if let Some(reason) = parcel.ended {
                return Err(DriverError(reason));
            }
            if last.elapsed() > self.timeout {
                let timeout = self.timeout.as_secs_f64();
                return Err(DriverError(format!("no picture within {timeout} s")));
            }
        }
        Ok(())
    }
}

/// Ends the stream with its thread, also where that ends by an error of its own.
struct EndsStream(Arc<Mailbox>);

impl Drop for EndsStream {
    fn drop(&mut self) {
        self.0
            .end_if_open("the request failed by an error of the driver itself");
    }
}

impl Driver for Stream {
    fn serve(&mut self, context: &Context) -> Result<(), DriverError> {
        let Some(clock) = self.sinks.clock() else {
            return Ok(());
        };
        self.sinks.begin_session();
        let mailbox = Arc::new(Mailbox::default());
        let request = Request::new(&self.server, self.timeout, &self.site).map_err(DriverError)?;
        let receiver = Builder::new().name("camera".to_owned()).spawn({
            let (request, mailbox) = (request.clone(), mailbox.clone());
            move || {
                let end = EndsStream(mailbox);
                let reason = request.receive(&clock, &end.0);
                end.0.end(reason);
            }
        });
        receiver.map_err(|error| DriverError(format!("cannot start a thread: {error}")))?;
        let done = self.take(&mailbox, context);
        // Ends the thread: what it waits for is shut down, and what it connects to later is refused.
        request.agent.shutdown();
        self.sinks.report();
        done
    }
}
