//! How ticks kept their pace.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// Longest time that is distinguished from longer ones.
const LONGEST: Duration = Duration::from_secs(60);
/// Significant digits of times.
const DIGITS: u8 = 2;

/// How the ticks of a paced run kept their time, by the wall clock.
///
/// ```
/// use becomingone::{CoherenceEngine, Pace};
/// use std::time::Duration;
///
/// let mut engine = CoherenceEngine::new();
/// let summary = engine.set_pace(Pace::RealTime).run_for(Duration::from_millis(50))?;
/// let timing = summary.timing.expect("paced runs are timed");
/// assert!(timing.late_us.p50 <= timing.late_us.max);
/// // Nobody waits for a run that is as fast as possible.
/// let summary = engine.set_pace(Pace::Fast).run_for(Duration::from_millis(50))?;
/// assert!(summary.timing.is_none());
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TimingSummary {
    /// From the time at which a tick was due to its begin (us).
    pub late_us: Quantiles,
    /// From the begin of a tick to its end (us).
    pub tick_us: Quantiles,
    /// Ticks that began later than one tick.
    pub overruns: u64,
    /// Wall time that was given up, as the run was more than 0.2 s late (s).
    pub given_up_s: f64,
}

/// Half, 99 of 100 and all of some times are not above these, by two significant digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Quantiles {
    fn of(times: &Histogram<u32>) -> Self {
        let us = |ns: u64| ns as f64 * 1e-3;
        Self {
            p50: us(times.value_at_quantile(0.5)),
            p99: us(times.value_at_quantile(0.99)),
            max: us(times.max()),
        }
    }
}

/// Times of a run so far: constant memory, without allocation in a tick.
pub(crate) struct Timing {
    /// Nanoseconds.
    late: Option<Histogram<u32>>,
    tick: Option<Histogram<u32>>,
    overruns: u64,
    given_up: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let times = || Histogram::new_with_bounds(1, ns(LONGEST), DIGITS).ok();
        Self {
            late: times(),
            tick: times(),
            overruns: 0,
            given_up: Duration::ZERO,
        }
    }
}

impl Timing {
    /// A tick of this length begins, so late.
    pub(crate) fn begun(&mut self, late: Duration, tick: Duration, is_given_up: bool) {
        if let Some(times) = &mut self.late {
            times.saturating_record(ns(late));
        }
        self.overruns += u64::from(late > tick);
        if is_given_up {
            self.given_up += late;
        }
    }

    pub(crate) fn took(&mut self, time: Duration) {
        if let Some(times) = &mut self.tick {
            times.saturating_record(ns(time));
        }
    }

    /// None before the first tick.
    pub(crate) fn summary(&self) -> Option<TimingSummary> {
        let (late, tick) = self.late.as_ref().zip(self.tick.as_ref())?;
        (!tick.is_empty()).then(|| TimingSummary {
            late_us: Quantiles::of(late),
            tick_us: Quantiles::of(tick),
            overruns: self.overruns,
            given_up_s: self.given_up.as_secs_f64(),
        })
    }
}

fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_ticks_are_counted_and_their_times_kept() {
        let mut timing = Timing::default();
        assert_eq!(timing.summary(), None);
        let tick = Duration::from_millis(1);
        for k in 0..100 {
            let late = Duration::from_micros(if k == 99 { 5000 } else { 10 });
            timing.begun(late, tick, false);
            timing.took(Duration::from_micros(100));
        }
        timing.begun(Duration::from_millis(300), tick, true);
        timing.took(Duration::from_secs(100));
        let summary = timing.summary().unwrap();
        assert_eq!(summary.overruns, 2);
        assert_eq!(summary.given_up_s, 0.3);
        let near = |found: f64, us: f64| (found / us - 1.0).abs() < 0.01;
        assert!(near(summary.late_us.p50, 10.0), "{summary:?}");
        assert!(near(summary.late_us.p99, 5000.0), "{summary:?}");
        assert!(near(summary.late_us.max, 300_000.0), "{summary:?}");
        assert!(near(summary.tick_us.p50, 100.0), "{summary:?}");
        assert!(near(summary.tick_us.max, 6e7), "{summary:?}");
    }
}
