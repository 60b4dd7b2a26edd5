//! Stuck-at sensors: a value that repeats exactly although measurements carry noise.

use super::config::{StuckConfig, samples};
use becomingone_components::coherence::MAX_CHANNELS;

/// Detects channels that repeat exactly, unlike in warm-up.
#[derive(Clone, Debug, PartialEq)]
pub struct StuckDetector {
    /// The sample at the tick before; NaN where there was none.
    last: [f64; MAX_CHANNELS],
    /// Channels without change in the present window so far, and in all of the one before, as bits.
    unchanged: [u32; 2],
    /// Ticks of the present window so far.
    ticks: u32,
    /// Ticks of a window.
    window: u32,
    /// See [`StuckConfig::tolerance`].
    tolerance: f64,
    /// Channels that were constant in warm-up, as those of machines at rest and counters are, as bits.
    at_rest: u32,
}

impl StuckDetector {
    /// A detector before the first sample, for this kernel rate.
    pub fn new(config: &StuckConfig, rate_hz: f64) -> Self {
        Self {
            last: [f64::NAN; MAX_CHANNELS],
            unchanged: [0; 2],
            ticks: 0,
            window: samples(config.window_s, rate_hz, config.min_samples),
            tolerance: config.tolerance,
            at_rest: 0,
        }
    }

    /// Processes the samples of a kernel tick.
    pub fn push(&mut self, samples: &[Option<f64>; MAX_CHANNELS], learning: bool) {
        for (k, (last, sample)) in self.last.iter_mut().zip(samples).enumerate() {
            let now = sample.unwrap_or(f64::NAN);
            // False where one of them is NaN.
            let repeats = (now - *last).abs() <= self.tolerance * now.abs();
            if !repeats {
                self.unchanged[0] &= !(1 << k);
            }
            *last = now;
        }
        self.ticks += 1;
        // Half the detection time of a fault, since a rest may begin at any tick.
        if learning && self.ticks == self.window / 2 {
            self.at_rest |= self.unchanged[0];
        }
        if self.ticks == self.window {
            self.ticks = 0;
            self.unchanged = [u32::MAX, self.unchanged[0]];
        }
    }

    /// Channels that are stuck now, as bits.
    pub fn channels(&self) -> u32 {
        self.unchanged[0] & self.unchanged[1] & !self.at_rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_repeats_exactly_is_stuck_unless_it_rested_in_warm_up() {
        for (rate_hz, window) in [(50.0, 10), (5.0, 10), (100.0, 20)] {
            let mut stuck = StuckDetector::new(&StuckConfig::default(), rate_hz);
            let mut tick = |learning: bool, own: [Option<f64>; 3]| {
                let mut samples = [None; MAX_CHANNELS];
                samples[..3].copy_from_slice(&own);
                stuck.push(&samples, learning);
                stuck.channels()
            };
            // The second is constant at times in warm-up; the third comes every fifth tick only.
            let at = |k: u32, x: f64| k.is_multiple_of(5).then_some(x);
            for k in 0..6 * window {
                let x = f64::from(k);
                let rest = if k < 3 * window { 7.0 } else { x };
                assert_eq!(tick(true, [Some(x), Some(rest), at(k, 3.0)]), 0, "{k}");
            }
            // Rounding is no change.
            let found: Vec<u32> = (0..4 * window)
                .map(|k| {
                    let first = if k % 2 == 0 { 0.1 + 0.2 } else { 0.3 };
                    tick(false, [Some(first), Some(7.0), at(k, 3.0)])
                })
                .collect();
            let window = window as usize;
            assert!(found[..window].iter().all(|&f| f == 0), "{rate_hz}");
            assert!(found[2 * window..].iter().all(|&f| f == 1), "{rate_hz}");
            // It changes.
            assert_eq!(tick(false, [Some(0.31), Some(7.0), None]), 0);
        }
    }
}
