//! Simulated time: exact integer nanoseconds from the run's start.

use bevy_ecs::prelude::*;

/// Nanoseconds in a second.
pub const NS_PER_S: u64 = 1_000_000_000;

/// Clock of the run. It advances by exactly [`SimTime::tick_ns`] per tick; pauses are up to the runner.
#[derive(Resource, Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimTime {
    /// Ticks done.
    pub tick: u64,
    /// Now, from the run's start (ns).
    pub now_ns: u64,
    /// Length of a tick (ns).
    pub tick_ns: u64,
}

impl SimTime {
    /// Time at the start of a run with ticks of this length (ns).
    pub const fn new(tick_ns: u64) -> Self {
        Self {
            tick: 0,
            now_ns: 0,
            tick_ns,
        }
    }

    /// Length of a tick (s).
    pub fn tick_s(&self) -> f64 {
        self.tick_ns as f64 / NS_PER_S as f64
    }

    /// Now, from the run's start (s).
    pub fn now_s(&self) -> f64 {
        self.now_ns as f64 / NS_PER_S as f64
    }

    /// Ends the present tick.
    pub fn advance(&mut self) {
        self.tick += 1;
        self.now_ns += self.tick_ns;
    }
}

/// Whether simulated time follows wall time, so that no tick may wait for a disk.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paced(pub bool);

/// Rate of a periodic task. Due times are exact: the k-th is the first tick at or after `k / rate`.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    rate_hz: f64,
    count: u64,
    next_ns: u64,
}

impl Rate {
    /// First due at time zero. `rate_hz` is positive and at most one a tick; scenes are checked for that.
    pub fn new(rate_hz: f64) -> Self {
        Self {
            rate_hz,
            count: 0,
            next_ns: 0,
        }
    }

    /// Times a second.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Period (s).
    pub fn period_s(&self) -> f64 {
        1.0 / self.rate_hz
    }

    /// Skips due times before now.
    pub fn skip_to(&mut self, now_ns: u64) {
        if self.next_ns < now_ns {
            let period_ns = NS_PER_S as f64 / self.rate_hz;
            self.count = (now_ns as f64 / period_ns).ceil() as u64;
            self.next_ns = (self.count as f64 * period_ns).round() as u64;
        }
    }

    /// Whether it is due now; if so, the next due time is set.
    pub fn due(&mut self, now_ns: u64) -> bool {
        if now_ns < self.next_ns {
            return false;
        }
        self.count += 1;
        // Each due time is computed from the start, so that rounding does not accumulate.
        self.next_ns = (self.count as f64 * (NS_PER_S as f64 / self.rate_hz)).round() as u64;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rate_hz: f64, tick_ns: u64, ticks: u64) -> u64 {
        let mut rate = Rate::new(rate_hz);
        (0..ticks).filter(|k| rate.due(k * tick_ns)).count() as u64
    }

    #[test]
    fn rates_hold_over_a_long_run() {
        assert_eq!(count(10.0, 1_000_000, 100_000), 1_000);
        assert_eq!(count(1000.0, 1_000_000, 100_000), 100_000);
        assert_eq!(count(30.0, 1_000_000, 100_000), 3_000);
        assert_eq!(count(1.0 / 3600.0, NS_PER_S, 36_000), 10);
    }
}
