//! Short acceleration transients: the onset of wheel slip, separated from a persistent accelerometer fault.
//!
//! Wheels that begin to slip or to grip change the speed at once: 4 % of 1 m/s within 40 ms. The accelerometer
//! measures this, a gyroscope across the vertical measures the pitch of the body, and a moment later wheels and
//! accelerometer agree again. A faulty accelerometer keeps deviating. A deviation that is short and over therefore
//! indicates the contact between machine and ground: the wheels.

use super::config::{TransientConfig, gain};

/// Detects short acceleration transients. Takes one number per kernel tick: the square of the accelerometer's
/// deviation from its prediction, of its axes the largest, 1 in the mean while healthy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransientDetector {
    config: TransientConfig,
    recent_gain: f64,
    memory_gain: f64,
    /// Most ticks of a transient.
    most_ticks: f64,
    /// Mean square over [`TransientConfig::recent_s`].
    recent: f64,
    /// Mean square over [`TransientConfig::memory_s`].
    mean: f64,
    /// Whether the last sample was part of a transient.
    loud: bool,
    /// Number of such samples, with decay over that memory.
    ticks: f64,
    /// Number of onsets, with decay over that memory.
    onsets: f64,
}

impl TransientDetector {
    /// A detector before the first sample, for this kernel rate.
    pub fn new(config: &TransientConfig, rate_hz: f64) -> Self {
        Self {
            config: *config,
            recent_gain: gain(config.recent_s, rate_hz),
            memory_gain: gain(config.memory_s, rate_hz),
            most_ticks: config.longest_s * rate_hz,
            recent: 0.0,
            mean: 0.0,
            loud: false,
            ticks: 0.0,
            onsets: 0.0,
        }
    }

    /// Clears the state.
    pub fn forget(&mut self) {
        (self.recent, self.mean, self.loud) = (0.0, 0.0, false);
        (self.ticks, self.onsets) = (0.0, 0.0);
    }

    /// Processes the square of a kernel tick.
    pub fn push(&mut self, square: f64) {
        let c = &self.config;
        let was_calm = !self.loud && self.recent < c.calm;
        self.recent += self.recent_gain * (square.min(c.onset) - self.recent);
        self.mean += self.memory_gain * (square.min(c.loudest) - self.mean);
        self.ticks -= self.memory_gain * self.ticks;
        self.onsets -= self.memory_gain * self.onsets;
        self.loud = square >= c.onset;
        if self.loud {
            self.ticks += 1.0;
            if was_calm {
                self.onsets += 1.0;
            }
        }
    }

    /// Whether there was a recent transient that is over.
    pub fn is_over(&self) -> bool {
        let c = &self.config;
        let calm = !self.loud && self.recent < c.calm && self.recent < c.share * self.mean;
        calm && self.ticks <= self.most_ticks && self.onsets <= c.most_onsets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a transient is over after each of these squares.
    fn over(squares: impl IntoIterator<Item = f64>) -> Vec<bool> {
        let mut transient = TransientDetector::new(&TransientConfig::default(), 50.0);
        let push = |square| {
            transient.push(square);
            transient.is_over()
        };
        squares.into_iter().map(push).collect()
    }

    #[test]
    fn a_short_deviation_is_a_transient_and_a_lasting_one_is_not() {
        let calm = [1.0; 100];
        assert!(!over(calm).contains(&true));
        // Two ticks: soon over, and forgotten at last.
        let two = over([900.0, 400.0].into_iter().chain([1.0; 300]));
        assert_eq!(two[..3], [false; 3]);
        assert_eq!(two[10..100], [true; 90]);
        assert_eq!(two[200..], [false; 102]);
        // Lasting deviations, large or small.
        assert!(!over([900.0; 300]).contains(&true));
        assert!(!over([4.0; 300]).contains(&true));
        // Half a second of it is more than a transient.
        let long = over([900.0; 25].into_iter().chain(calm));
        assert!(!long[..50].contains(&true));
        // A large sample is not over while it lasts, however large the one before was; nor is that one remembered for
        // longer.
        let again = over(
            [1e8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1e8]
                .into_iter()
                .chain([1.0; 300]),
        );
        assert!(again[6] && !again[7] && again[14]);
        assert!(!again[208..].contains(&true));
        // Spikes without end are a fault.
        for every in [6, 15] {
            let spikes = over((0..600).map(|k| if k % every == 0 { 900.0 } else { 1.0 }));
            assert!(!spikes[100..].contains(&true), "{every}");
        }
    }

    #[test]
    fn a_transient_is_judged_by_its_time_at_any_rate() {
        // 0.1 s is a transient, 0.4 s is not.
        for rate_hz in [25.0, 50.0, 200.0] {
            for (lasts_s, expected) in [(0.1, true), (0.4, false)] {
                let mut transient = TransientDetector::new(&TransientConfig::default(), rate_hz);
                for (time_s, square) in [(lasts_s, 400.0), (0.3, 1.0)] {
                    for _ in 0..(time_s * rate_hz) as u32 {
                        transient.push(square);
                    }
                }
                assert_eq!(transient.is_over(), expected, "{rate_hz} Hz, {lasts_s} s");
            }
        }
    }
}
