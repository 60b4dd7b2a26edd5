//! Threads of drivers: start, back-off, restart, until the run is over.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads stamp captures by the wall clock"
)]

use super::queue::PortState;
use super::{Driver, DriverError};
use becomingone_components::link::LinkState;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// First back-off after a failure; it doubles.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// Longest back-off.
const LAST_BACK_OFF: Duration = Duration::from_secs(5);
/// Least time of a connection that counts as success.
const WORKED: Duration = Duration::from_secs(1);
/// Longest wait for a driver at the end of a run.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The run's clock, for threads: the last tick, and the time since then, at most a tick.
#[derive(Clone, Default)]
pub struct RunClock(Arc<Mutex<Option<Anchor>>>);

#[derive(Clone, Copy)]
struct Anchor {
    now_ns: u64,
    tick_ns: u64,
    at: Instant,
}

impl RunClock {
    /// Begins a tick. Called by the runner, which reads the wall clock.
    pub fn tick(&self, now_ns: u64, tick_ns: u64, at: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Anchor {
            now_ns,
            tick_ns,
            at,
        });
    }

    /// Now (ns from the run's start).
    pub fn now_ns(&self) -> u64 {
        let anchor = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        anchor.map_or(0, |anchor| {
            let since_ns = Instant::now()
                .saturating_duration_since(anchor.at)
                .as_nanos();
            let since_ns = u64::try_from(since_ns).unwrap_or(u64::MAX);
            anchor.now_ns + since_ns.min(anchor.tick_ns)
        })
    }
}

#[derive(Default)]
struct End {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

/// Run context of a driver.
#[derive(Clone)]
pub struct Context {
    end: Arc<End>,
    state: PortState,
}

impl Context {
    /// Whether the run is over: the driver returns.
    pub fn cancelled(&self) -> bool {
        *self
            .end
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports that the other side is connected.
    pub fn up(&self) {
        self.state.set(LinkState::Up);
    }

    /// Waits for this time, or until the run is over; returns whether it is.
    fn wait(&self, time: Duration) -> bool {
        let cancelled = self
            .end
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .end
            .changed
            .wait_timeout_while(cancelled, time, |cancelled| !*cancelled);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A running driver. Dropping it cancels the driver and waits for it.
pub(super) struct Running {
    port: String,
    context: Context,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(
        port: String,
        driver: Box<dyn Driver>,
        state: PortState,
    ) -> std::io::Result<Self> {
        let context = Context {
            end: Arc::default(),
            state,
        };
        let its = context.clone();
        let thread = std::thread::Builder::new()
            .name(port.chars().take(15).collect())
            .spawn({
                let port = port.clone();
                move || serve(&port, driver, &its)
            })?;
        Ok(Self {
            port,
            context,
            thread: Some(thread),
        })
    }
}

/// Serves until the run is over. A repeated failure is logged once, until it works again.
fn serve(port: &str, mut driver: Box<dyn Driver>, context: &Context) {
    let mut back_off = FIRST_BACK_OFF;
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
            back_off = FIRST_BACK_OFF;
        }
        if was_up || logged.as_ref().is_none_or(|t| t.0 != error.0) {
            log::warn!("{port}: {error}; trying again");
            logged = Some(error);
        }
        if context.wait(back_off) {
            return;
        }
        back_off = (back_off * 2).min(LAST_BACK_OFF);
    }
}

impl Running {
    /// Cancels the driver.
    pub(super) fn cancel(&self) {
        let End { cancelled, changed } = &*self.context.end;
        *cancelled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel();
        let Some(thread) = self.thread.take() else {
            return;
        };
        let until = Instant::now() + SHUTDOWN_TIMEOUT;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() {
            // A panic was reported by the panic hook.
            let _ = thread.join();
        } else {
            log::warn!(
                "{}: the driver did not stop in time; its thread is abandoned",
                self.port
            );
        }
    }
}
