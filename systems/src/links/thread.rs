//! The threads that drivers run on: start, back off, start again, until the run is over.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads stamp what they capture by the wall clock"
)]

use super::queue::PortState;
use super::{Driver, DriverError};
use becomingone_components::link::LinkState;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// From a failure to the next try, at first; it doubles.
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
/// The longest.
const LAST_BACK_OFF: Duration = Duration::from_secs(5);
/// Who was up for so long did work.
const WORKED: Duration = Duration::from_secs(1);
/// How long the end of a run waits for a driver to see that it is over.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The run's clock as threads see it: where the last tick was, and how long ago that is, at most a tick.
#[derive(Clone, Default)]
pub struct RunClock(Arc<Mutex<Option<Anchor>>>);

#[derive(Clone, Copy)]
struct Anchor {
    now_ns: u64,
    tick_ns: u64,
    at: Instant,
}

impl RunClock {
    /// A tick begins. The runner says so, which is the one that reads the wall clock.
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

/// What a driver knows of the run it works for.
#[derive(Clone)]
pub struct Context {
    end: Arc<End>,
    state: PortState,
}

impl Context {
    /// Whether the run is over: leave.
    pub fn cancelled(&self) -> bool {
        *self
            .end
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The other side is reached.
    pub fn up(&self) {
        self.state.set(LinkState::Up);
    }

    /// Waits so long, or until the run is over; says whether it is.
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

/// A driver that runs. It is told to leave when this is gone, and waited for.
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

/// Serves until the run is over. A failure is told once, until it works again.
fn serve(port: &str, mut driver: Box<dyn Driver>, context: &Context) {
    let mut back_off = FIRST_BACK_OFF;
    let mut told: Option<DriverError> = None;
    while !context.cancelled() {
        context.state.set(LinkState::Connecting);
        let begun = Instant::now();
        let done = driver.serve(context);
        // What was up for a moment only did not work: a datagram may leave for where nobody listens.
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
        if was_up || told.as_ref().is_none_or(|t| t.0 != error.0) {
            log::warn!("{port}: {error}; trying again");
            told = Some(error);
        }
        if context.wait(back_off) {
            return;
        }
        back_off = (back_off * 2).min(LAST_BACK_OFF);
    }
}

impl Running {
    /// Tells it to leave.
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
            // A panic of it was told where it happened.
            let _ = thread.join();
        } else {
            log::warn!(
                "{}: the driver does not leave; going on without it",
                self.port
            );
        }
    }
}
