//! How simulated time follows wall time. Nothing else in a run reads the wall clock.

#![expect(clippy::disallowed_methods, reason = "this is the pace")]

use crate::engine::Shared;
use std::time::{Duration, Instant};

/// How simulated time follows wall time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the machine can.
    Fast,
    /// One simulated second a second.
    RealTime,
    /// This many simulated seconds a second, from 0.001 to 1 000 000; what is outside is moved inside.
    Rate(f64),
}

/// Simulated time may lag by this much before the lost time is given up (it is never made up in a burst).
const LAG: Duration = Duration::from_millis(200);

/// Waits so that simulated time follows wall time.
pub(crate) struct Pacer {
    pace: Pace,
    /// Wall time and simulated time (ns) at which both agree.
    agreed: Option<(Instant, u64)>,
}

impl Pacer {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, agreed: None }
    }

    /// From here on, time passed before counts no more.
    pub(crate) fn restart(&mut self) {
        self.agreed = None;
    }

    /// Waits for the tick that begins at this simulated time. `false` where something changed and
    /// the wait is not over.
    pub(crate) fn wait(&mut self, now_ns: u64, shared: &Shared) -> bool {
        let rate = match self.pace {
            Pace::Fast => return true,
            Pace::RealTime => 1.0,
            Pace::Rate(rate) if rate.is_nan() => 1.0,
            Pace::Rate(rate) => rate.clamp(1e-3, 1e6),
        };
        let now = Instant::now();
        let &mut (wall, sim_ns) = self.agreed.get_or_insert((now, now_ns));
        let due = wall + Duration::from_secs_f64(crate::engine::seconds(now_ns - sim_ns) / rate);
        if now >= due {
            if now - due > LAG {
                self.agreed = Some((now, now_ns));
            }
            return true;
        }
        shared.sleep(due - now);
        Instant::now() >= due
    }
}
