//! An actuator of a port: commands to bytes, and the safe command where none comes.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads bound their waits by the wall clock"
)]

use crate::command::{Encoder, safe_after};
use crate::open_port::POLL_PERIOD;
use crate::receiver::lost;
use becomingone_systems::links::{ActuatorEnd, Context, DriverError, Outgoing};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time without a command after which the driver sends the safe one.
const NO_COMMAND: Duration = Duration::from_millis(500);

/// An actuator of a port.
pub(crate) struct Drive {
    pub(crate) end: ActuatorEnd,
    pub(crate) encoder: Encoder,
    /// The last command that was sent.
    pub(crate) last: Option<Outgoing>,
}

impl Drive {
    pub(crate) fn serve(
        &mut self,
        writer: &Mutex<Box<dyn Write + Send>>,
        context: &Context,
        failed: &AtomicBool,
    ) -> Result<(), DriverError> {
        let served = self.send_all(writer, context, failed);
        if served.is_err() {
            failed.store(true, Ordering::Release);
        }
        served
    }

    fn send_all(
        &mut self,
        writer: &Mutex<Box<dyn Write + Send>>,
        context: &Context,
        failed: &AtomicBool,
    ) -> Result<(), DriverError> {
        // The device may have been moved, or have started anew, while it was gone.
        self.send_safe(writer)?;
        let (mut sent, mut second) = (Instant::now(), Instant::now());
        while !context.cancelled() {
            if failed.load(Ordering::Acquire) {
                return Ok(());
            }
            if let Some(command) = self.end.next(POLL_PERIOD) {
                self.send(writer, command)?;
                sent = Instant::now();
            } else if sent.elapsed() >= NO_COMMAND && self.is_moving() {
                log::warn!(
                    "{}: no command for {} ms; the safe command is sent",
                    self.end.name(),
                    NO_COMMAND.as_millis()
                );
                self.send_safe(writer)?;
            }
            if self.last.is_some() && second.elapsed() >= Duration::from_secs(1) {
                second = Instant::now();
                if let Some(bytes) = self.encoder.each_second() {
                    write(writer, &bytes)?;
                }
            }
        }
        // The final command may have been queued meanwhile.
        if let Some(command) = self.end.next(Duration::ZERO) {
            self.send(writer, command)?;
        }
        if self.is_moving() {
            self.send_safe(writer)?;
        }
        Ok(())
    }

    fn is_moving(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.safe)
    }

    /// Sends the safe command, if there was a command.
    fn send_safe(&mut self, writer: &Mutex<Box<dyn Write + Send>>) -> Result<(), DriverError> {
        match self.last.as_ref().map(safe_after) {
            Some(command) => self.send(writer, command),
            None => Ok(()),
        }
    }

    fn send(
        &mut self,
        writer: &Mutex<Box<dyn Write + Send>>,
        command: Outgoing,
    ) -> Result<(), DriverError> {
        let bytes = self.encoder.encode(&command).map_err(DriverError)?;
        write(writer, &bytes)?;
        self.end.sent(command.sequence);
        self.last = Some(command);
        Ok(())
    }
}

/// Writes one frame, which no other actuator of the port interrupts.
fn write(writer: &Mutex<Box<dyn Write + Send>>, bytes: &[u8]) -> Result<(), DriverError> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let written = writer.write_all(bytes);
    written.map_err(|error| DriverError(format!("a command was not sent: {}", lost(&error))))
}
