//! The run's clock, for I/O threads.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads stamp captures by the wall clock"
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

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
