//! Pacing of simulated time by wall time. No other part of a run reads the wall clock.

#![expect(clippy::disallowed_methods, reason = "this is the pace")]

use crate::timing::Timing;
use becomingone_components::time::NS_PER_S;
use std::time::{Duration, Instant};

/// Pace of simulated time relative to wall time.
///
/// ```
/// use becomingone::{CoherenceEngine, Pace};
/// use std::time::Duration;
///
/// let mut engine = CoherenceEngine::new(); // in real time, where nothing else is set
/// engine.set_pace(Pace::Fast);
/// assert_eq!(engine.run_for(Duration::from_secs(10))?.sim_s, 10.0);
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as possible.
    Fast,
    /// Real time.
    RealTime,
    /// This multiple of real time, clamped to 0.001 to 1 000 000.
    Rate(f64),
}

/// Maximum lag; lost time beyond it is dropped and never made up in a burst.
const LAG: Duration = Duration::from_millis(200);

/// Delays ticks to keep the pace.
pub(crate) struct Pacer {
    pace: Pace,
    /// Reference: wall time and simulated time (ns).
    agreed: Option<(Instant, u64)>,
    /// How its ticks kept the pace; none as fast as possible.
    pub(crate) timing: Option<Timing>,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            pace,
            agreed: None,
            timing: (pace != Pace::Fast).then(Timing::default),
        }
    }

    /// Forgets the reference: time passed before does not count.
    pub(crate) fn restart(&mut self) {
        self.agreed = None;
    }

    /// Forgets the ticks before, too.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.pace);
    }

    /// Waits for the tick of this length that begins at this simulated time. `false` where `sleep` ended early, as
    /// something changed, and the wait is not over.
    pub(crate) fn wait(&mut self, now_ns: u64, tick_ns: u64, sleep: impl FnOnce(Duration)) -> bool {
        let rate = match self.pace {
            Pace::Fast => return true,
            Pace::RealTime => 1.0,
            Pace::Rate(rate) if rate.is_nan() => 1.0,
            Pace::Rate(rate) => rate.clamp(1e-3, 1e6),
        };
        let now = Instant::now();
        let &mut (wall, sim_ns) = self.agreed.get_or_insert((now, now_ns));
        let due = wall + Duration::from_secs_f64(seconds(now_ns - sim_ns) / rate);
        let now = if now < due {
            sleep(due - now);
            Instant::now()
        } else {
            now
        };
        if now < due {
            return false;
        }
        let late = now - due;
        if late > LAG {
            self.agreed = Some((now, now_ns));
        }
        if let Some(timing) = &mut self.timing {
            let tick = Duration::from_secs_f64(seconds(tick_ns) / rate);
            timing.begun(late, tick, late > LAG);
        }
        true
    }

    /// Notes how long a tick took.
    pub(crate) fn took(&mut self, time: Duration) {
        if let Some(timing) = &mut self.timing {
            timing.took(time);
        }
    }
}

/// Seconds of simulated time.
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / NS_PER_S as f64
}
