//! Normalised innovation squared (NIS) of a filter, tested against chi².

use super::config::{NisConfig, gain, samples};
use super::statistics::Detection;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_components::localisation::SENSED;
use becomingone_kernel::Alarm;

/// The NIS of a filter, averaged over four windows, each against the quantile of chi² of as many degrees of freedom
/// that is exceeded once in 1e5 samples (Bar-Shalom, Li, Kirubarajan: Estimation with Applications to Tracking and
/// Navigation, 2001, 5.4.2; quantiles by Wilson and Hilferty, 1931).
#[derive(Clone, Debug, PartialEq)]
pub struct Nis {
    config: NisConfig,
    gains: [f64; 4],
    suspect_gain: f64,
    dwell: [u32; 2],
    /// Averages of NIS and of degrees of freedom, for each window.
    windows: [[f64; 2]; 4],
    /// Average of the square of each number, for the suspect.
    squares: [f64; SENSED],
    /// The largest ratio of a window now; 1 is its limit.
    pub ratio: f64,
    /// Threshold of the ratio; none before it is estimated.
    pub threshold: Option<f64>,
    largest: f64,
    alarm: Alarm<f64>,
}

impl Nis {
    /// A test before the first innovation, for this kernel rate. Without a threshold, it estimates one in warm-up.
    pub fn new(config: &NisConfig, rate_hz: f64, threshold: Option<f64>) -> Self {
        let ticks = |k: usize| samples(config.dwell_s[k], rate_hz, config.dwell_samples[k]);
        let dwell = [ticks(0), ticks(1)];
        Self {
            config: *config,
            gains: config.windows_s.map(|window_s| gain(window_s, rate_hz)),
            suspect_gain: gain(config.suspect_s, rate_hz),
            dwell,
            windows: [[1.0, 1.0]; 4],
            squares: [0.0; SENSED],
            ratio: 0.0,
            threshold,
            largest: 0.0,
            alarm: Alarm::new(config.release, dwell[0], dwell[1]),
        }
    }

    /// Clears the innovations, and keeps the threshold.
    pub fn forget(&mut self) {
        self.windows = [[1.0, 1.0]; 4];
        self.squares = [0.0; SENSED];
        self.ratio = 0.0;
        self.alarm = Alarm::new(self.config.release, self.dwell[0], self.dwell[1]);
    }

    /// Processes a tick's innovations. `learning`: progress of the warm-up, 0 to below 1, none after it.
    pub fn push(
        &mut self,
        white: &[Option<f64>; SENSED],
        learning: Option<f64>,
    ) -> Option<Detection> {
        let degrees = white.iter().flatten().count() as f64;
        let nis: f64 = white.iter().flatten().map(|w| w * w).sum();
        self.ratio = 0.0;
        for (sums, gain) in self.windows.iter_mut().zip(self.gains) {
            sums[0] += gain * (nis - sums[0]);
            sums[1] += gain * (degrees - sums[1]);
            let nu = sums[1] * (2.0 - gain) / gain;
            if nu >= 1.0 {
                let s = 2.0 / 9.0 / nu;
                let root = 1.0 - s + self.config.quantile * s.sqrt();
                self.ratio = self.ratio.max(sums[0] / sums[1] / (root * root * root));
            }
        }
        for (square, w) in self.squares.iter_mut().zip(white) {
            *square += self.suspect_gain * (w.map_or(*square, |w| w * w) - *square);
        }
        if let Some(done) = learning {
            // Its initial value has decayed by half time.
            if done > 0.5 {
                self.largest = self.largest.max(self.ratio);
            }
            return None;
        }
        let threshold = *self
            .threshold
            .get_or_insert_with(|| (self.config.margin * self.largest).max(1.0));
        let surprise = self.ratio / threshold;
        let largest = |best: usize, k: usize| {
            if self.squares[k] > self.squares[best] {
                k
            } else {
                best
            }
        };
        Some(Detection {
            surprise,
            dissipated: self.alarm.update(surprise),
            cause: Some(MAX_CHANNELS + (1..SENSED).fold(0, largest)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::seed::{Rng, RunSeed};

    fn nis(rate_hz: f64) -> Nis {
        Nis::new(&NisConfig::default(), rate_hz, Some(1.0))
    }

    /// Innovations of this deviation: of motion at each tick, of GNSS at each tenth.
    fn white(rng: &mut Rng, tick: u32, deviation: f64) -> [Option<f64>; SENSED] {
        std::array::from_fn(|k| {
            let w = deviation * rng.normal();
            (k < 5 || tick.is_multiple_of(10)).then_some(w)
        })
    }

    #[test]
    fn white_innovations_of_deviation_one_raise_no_alarm() {
        let mut rng = Rng::for_name(RunSeed(3), "nis");
        let mut nis = nis(50.0);
        let (mut alarms, mut over) = (0, 0);
        for tick in 0..50_000 {
            let found = nis.push(&white(&mut rng, tick, 1.0), None).unwrap();
            alarms += u32::from(found.dissipated);
            over += u32::from(found.surprise > 1.0);
        }
        // Each window's limit is exceeded once in 1e5 samples: 2 expected of four, and they cluster.
        assert_eq!(alarms, 0);
        assert!(over < 20, "{over}");
    }

    #[test]
    fn innovations_twice_as_large_raise_an_alarm_after_the_same_time_at_any_rate() {
        for rate_hz in [50.0, 200.0] {
            let mut rng = Rng::for_name(RunSeed(4), "nis");
            let mut nis = nis(rate_hz);
            for tick in 0..1000 {
                nis.push(&white(&mut rng, tick, 1.0), None);
            }
            let found = (1000..2000).find(|&tick| {
                let w = white(&mut rng, tick, 2.0);
                nis.push(&w, None).unwrap().dissipated
            });
            let after_s = f64::from(found.unwrap() - 1000) / rate_hz;
            assert!((0.04..0.6).contains(&after_s), "{rate_hz} Hz: {after_s}");
        }
    }

    #[test]
    fn the_suspect_is_the_number_that_is_farthest_off() {
        let mut rng = Rng::for_name(RunSeed(5), "nis");
        let mut nis = nis(50.0);
        let mut found = None;
        for tick in 0..100 {
            let mut w = white(&mut rng, tick, 1.0);
            w[2] = Some(6.0);
            found = nis.push(&w, None);
        }
        let found = found.unwrap();
        assert!(found.dissipated && found.surprise > 1.0);
        assert_eq!(found.cause, Some(MAX_CHANNELS + 2));
    }

    #[test]
    fn the_threshold_is_learned_in_the_second_half_of_warm_up_and_kept() {
        let mut nis = Nis::new(&NisConfig::default(), 50.0, None);
        let constant = [Some(3.0); SENSED];
        for done in [0.2, 0.4, 0.6, 0.8] {
            assert!(nis.push(&constant, Some(done)).is_none());
        }
        let largest = nis.ratio;
        assert!(nis.push(&[Some(1.0); SENSED], None).is_some());
        assert!((nis.threshold.unwrap() - 1.5 * largest).abs() < 1e-12);
        let before = nis.threshold;
        nis.forget();
        assert_eq!((nis.threshold, nis.ratio), (before, 0.0));
    }
}
