//! Threads of drivers: start, back-off, restart, until the run is over.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads stamp captures by the wall clock"
)]

use super::back_off::BackOff;
use super::context::Context;
use super::driver::{Driver, DriverError};
use super::queue::PortState;
use becomingone_components::link::LinkState;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// First back-off after a failure.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// Longest back-off.
const LAST_BACK_OFF: Duration = Duration::from_secs(5);
/// Least time of a connection that counts as success.
const WORKED: Duration = Duration::from_secs(1);
/// Longest wait for a driver at the end of a run.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// A running driver. Dropping it cancels the driver and waits for it, at most 2 s.
pub struct Running {
    port: String,
    context: Context,
    thread: Option<JoinHandle<()>>,
    /// Disconnected once the thread has ended; a receiver is shared between threads in a lock only.
    ended: Mutex<Receiver<()>>,
}

impl Running {
    /// Starts a driver that has no link: of an output, which readings and commands do not pass.
    ///
    /// # Errors
    ///
    /// No thread could be started.
    pub fn alone(port: String, driver: Box<dyn Driver>) -> std::io::Result<Self> {
        Self::start(port, driver, PortState::default())
    }

    pub(super) fn start(
        port: String,
        driver: Box<dyn Driver>,
        state: PortState,
    ) -> std::io::Result<Self> {
        let context = Context::new(state);
        let its = context.clone();
        let (end, ended) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(port.chars().take(15).collect())
            .spawn({
                let port = port.clone();
                move || {
                    let _end: Sender<()> = end;
                    serve(&port, driver, &its);
                }
            })?;
        Ok(Self {
            port,
            context,
            thread: Some(thread),
            ended: Mutex::new(ended),
        })
    }
}

/// Serves until the run is over. A repeated failure is logged once, until it works again.
fn serve(port: &str, mut driver: Box<dyn Driver>, context: &Context) {
    let mut back_off = BackOff::new(FIRST_BACK_OFF, LAST_BACK_OFF);
    let mut logged: Option<DriverError> = None;
    while !context.cancelled() {
        context.state.set(LinkState::Connecting);
        let begun = Instant::now();
        let done = driver.serve(context);
        // A brief connection is no success: a datagram can be sent without a receiver.
        let was_up = context.state.get() == LinkState::Up && begun.elapsed() >= WORKED;
        let Err(error) = done else {
            if context.cancelled() {
                return;
            }
            continue;
        };
        context.state.set(LinkState::Down);
        if was_up {
            back_off.reset();
        }
        if was_up || logged.as_ref().is_none_or(|t| t.0 != error.0) {
            log::warn!("{port}: {error}; trying again");
            logged = Some(error);
        }
        if context.wait(back_off.next()) {
            return;
        }
    }
}

impl Running {
    /// Cancels the driver.
    pub(super) fn cancel(&self) {
        self.context.cancel();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel();
        let Some(thread) = self.thread.take() else {
            return;
        };
        // Nothing is sent: the thread drops its end, also in a panic, which the panic hook has reported.
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(SHUTDOWN_TIMEOUT) == Err(RecvTimeoutError::Timeout) {
            log::warn!(
                "{}: the driver did not stop in time; its thread is abandoned",
                self.port
            );
        } else {
            let _ = thread.join();
        }
    }
}
