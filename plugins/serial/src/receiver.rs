//! Sensors of a port: bytes to readings.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads bound their waits by the wall clock"
)]

use crate::deframer::Deframer;
use crate::protocol::{Message, Protocol, Verdict};
use crate::report::Report;
use crate::sink::{self, Sink};
use becomingone_systems::links::{Context, DriverError, Observed};
use std::io::{self, ErrorKind, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Most bytes that are read at once.
const READ_BYTES: usize = 1 << 14;
/// Pause after which the rest of a frame does not come.
const IDLE: Duration = Duration::from_secs(2);
/// Time after which a port without use is reported.
const UNUSED: Duration = Duration::from_secs(3);

/// Sensors of a port.
pub(crate) struct Receiver {
    pub(crate) stream: Deframer<Box<dyn Protocol>>,
    pub(crate) sinks: Vec<Sink>,
    pub(crate) report: Report,
}

impl Receiver {
    pub(crate) fn serve(
        &mut self,
        reader: &mut (dyn Read + Send),
        context: &Context,
        failed: &AtomicBool,
    ) -> Result<(), DriverError> {
        let mut buffer = vec![0; READ_BYTES];
        let opened = Instant::now();
        let mut active = opened;
        while !context.cancelled() && !failed.load(Ordering::Acquire) {
            let bytes = match reader.read(&mut buffer) {
                Ok(0) => {
                    return Err(DriverError(
                        "the other side closed the connection".to_owned(),
                    ));
                }
                Ok(read) => &buffer[..read],
                Err(error) if is_pause(&error) => &[],
                Err(error) => return Err(DriverError(lost(&error))),
            };
            if bytes.is_empty() {
                if active.elapsed() >= IDLE && self.stream.waiting() > 0 {
                    self.use_bytes(None);
                }
            } else {
                active = Instant::now();
                self.use_bytes(Some(bytes));
            }
            if opened.elapsed() >= UNUSED {
                self.report.unused(self.stream.counters(), &self.sinks);
            }
        }
        Ok(())
    }

    /// Bytes, or none after a pause.
    fn use_bytes(&mut self, bytes: Option<&[u8]>) {
        let Self {
            stream,
            sinks,
            report,
        } = self;
        // Arrival time: before decoding, which takes time.
        let now_ns = sinks.first().map_or(0, |sink| sink.end.now_ns());
        let observed = sinks.first().map(|sink| sink.end.clone());
        let observed = observed.filter(|end| end.is_observed());
        if let (Some(end), Some(bytes)) = (&observed, bytes) {
            end.observe(now_ns, Observed::Stream(bytes));
        }
        let mut each = |messages: &mut Vec<Message>, verdict: &Verdict| match verdict {
            Verdict::Valid => {
                for message in messages.iter() {
                    report.see(message);
                    if let Some(end) = &observed {
                        sink::show(message, end, now_ns);
                    }
                    sinks
                        .iter_mut()
                        .for_each(|sink| sink.offer(message, now_ns));
                }
            }
            verdict => {
                report.refused(verdict);
                // No sensor can be named, so it is counted for all of the port.
                sinks.iter().for_each(|sink| sink.end.garbage());
            }
        };
        match bytes {
            Some(bytes) => stream.feed(bytes, &mut each),
            None => stream.idle(&mut each),
        }
    }

    /// The port closed: half a frame is lost.
    pub(crate) fn interrupted(&mut self) {
        let sinks = &self.sinks;
        let mut each = |_: &mut Vec<Message>, _: &Verdict| {
            sinks.iter().for_each(|sink| sink.end.garbage());
        };
        self.stream.interrupted(&mut each);
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
    )
}

/// Why a port failed.
pub(crate) fn lost(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::NotFound => {
            "the device is gone: unplugged, or switched off".to_owned()
        }
        _ => error.to_string(),
    }
}
