//! Sensor noise model.

use crate::check::Checks;
use crate::seed::Rng;
use serde::{Deserialize, Serialize};

/// Deviation of a sensor from the truth, for each of its numbers alike, in the unit of the number.
///
/// At rest, the Allan deviation over τ seconds (IEEE Std 952-1997, annex C) is the root of the sum of these squares:
///
/// | of | Allan deviation | slope |
/// |---|---|---|
/// | `white_sd` | `white_sd / sqrt(rate_hz τ)` | -1/2 |
/// | `drift_sd` | `drift_sd sqrt(τ / 3)` | +1/2 |
/// | `correlated_sd` | a hump of `0.62 correlated_sd` at `τ = 1.89 correlation_time_s` | +1/2, then -1/2 |
/// | `turn_on_bias_sd` | nothing | |
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Deviation of the white noise of one reading. A data sheet's density D gives `D * sqrt(rate_hz)`.
    pub white_sd: f64,
    /// Deviation of the constant offset of a run.
    pub turn_on_bias_sd: f64,
    /// Deviation that the offset's random walk gains in one second.
    pub drift_sd: f64,
    /// Deviation of a correlated error: a first-order Gauss-Markov process. A gyroscope's bias instability B is about
    /// `0.62 correlated_sd`; for a satellite receiver it is the larger part of its error.
    pub correlated_sd: f64,
    /// Time in which the correlation of that error decays to 1/e (s).
    pub correlation_time_s: f64,
    /// Smallest step of the output; 0 for none.
    pub resolution: f64,
}

impl Noise {
    /// Scales all its deviations; the correlation time and the resolution stay.
    pub fn scale(&mut self, factor: f64) {
        let sds = [
            &mut self.white_sd,
            &mut self.turn_on_bias_sd,
            &mut self.drift_sd,
            &mut self.correlated_sd,
        ];
        for sd in sds {
            *sd *= factor;
        }
    }

    /// Reports values that are out of range; `path` is that of the noise within the checked value.
    pub fn check(&self, path: &str, checks: &mut Checks<'_>) {
        checks.not_negative(&format!("{path}.white_sd"), self.white_sd);
        checks.not_negative(&format!("{path}.turn_on_bias_sd"), self.turn_on_bias_sd);
        checks.not_negative(&format!("{path}.drift_sd"), self.drift_sd);
        checks.not_negative(&format!("{path}.correlated_sd"), self.correlated_sd);
        let time = format!("{path}.correlation_time_s");
        if self.correlated_sd > 0.0 {
            let expected = "seconds from 1e-9 to 1e9: the memory of correlated_sd";
            checks.within(&time, self.correlation_time_s, 1e-9, 1e9, expected);
        } else {
            checks.not_negative(&time, self.correlation_time_s);
        }
        checks.not_negative(&format!("{path}.resolution"), self.resolution);
    }
}

/// The state of one number's [`Noise`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bias {
    /// Offset: turn-on bias and random walk.
    offset: f64,
    /// Correlated error.
    correlated: f64,
}

impl Bias {
    /// Draws the errors at the start of a run.
    pub fn turn_on(noise: &Noise, rng: &mut Rng) -> Self {
        Self {
            offset: draw(noise.turn_on_bias_sd, rng),
            // The process is stationary from the start.
            correlated: draw(noise.correlated_sd, rng),
        }
    }

    /// Advances the errors by this time (s).
    pub fn walk(&mut self, period_s: f64, noise: &Noise, rng: &mut Rng) {
        self.offset += draw(noise.drift_sd * period_s.sqrt(), rng);
        if noise.correlated_sd > 0.0 {
            // Exact for any period: the decayed error, and new noise that keeps the deviation.
            let periods = period_s / noise.correlation_time_s;
            let new = (-libm::expm1(-2.0 * periods)).sqrt();
            self.correlated =
                self.correlated * libm::exp(-periods) + draw(noise.correlated_sd * new, rng);
        }
    }

    /// Reading of the sensor at the true value `x`.
    pub fn read(&self, x: f64, noise: &Noise, rng: &mut Rng) -> f64 {
        let y = x + self.offset + self.correlated + draw(noise.white_sd, rng);
        if noise.resolution > 0.0 {
            (y / noise.resolution).round() * noise.resolution
        } else {
            y
        }
    }

    /// Reading of the sensor at the true value `x`, `period_s` after its last one.
    pub fn apply(&mut self, x: f64, period_s: f64, noise: &Noise, rng: &mut Rng) -> f64 {
        self.walk(period_s, noise, rng);
        self.read(x, noise, rng)
    }
}

/// A deviation of zero draws nothing.
fn draw(sd: f64, rng: &mut Rng) -> f64 {
    if sd > 0.0 { sd * rng.normal() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::RunSeed;

    #[test]
    fn noise_has_the_stated_deviation() {
        let noise = Noise {
            white_sd: 0.5,
            turn_on_bias_sd: 2.0,
            ..Noise::default()
        };
        let runs = 400;
        let (mut offsets, mut white) = (0.0, 0.0);
        for seed in 0..runs {
            let mut rng = Rng::for_name(RunSeed(seed), "a/b");
            let mut bias = Bias::turn_on(&noise, &mut rng);
            offsets += bias.offset * bias.offset;
            let mean = bias.offset;
            for _ in 0..100 {
                let e = bias.apply(0.0, 0.01, &noise, &mut rng) - mean;
                white += e * e;
            }
        }
        let n = runs as f64;
        // Five standard errors of a variance: 5 sqrt(2/n).
        assert!((offsets / n / 4.0 - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((white / (n * 100.0) / 0.25 - 1.0).abs() < 5.0 * (2.0 / (n * 100.0)).sqrt());
    }

    #[test]
    fn drift_grows_with_the_root_of_time() {
        let noise = Noise {
            drift_sd: 0.1,
            ..Noise::default()
        };
        let runs = 2000;
        let mut sum = 0.0;
        for seed in 0..runs {
            let mut rng = Rng::for_name(RunSeed(seed), "drift");
            let mut bias = Bias::default();
            for _ in 0..400 {
                bias.apply(0.0, 0.01, &noise, &mut rng);
            }
            sum += bias.offset * bias.offset;
        }
        // After 4 s the deviation is 0.1 sqrt(4).
        let n = runs as f64;
        assert!((sum / n / 0.04 - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
    }

    #[test]
    fn a_correlated_error_keeps_its_deviation_and_forgets_itself() {
        let noise = Noise {
            correlated_sd: 2.0,
            correlation_time_s: 5.0,
            ..Noise::default()
        };
        // A step of a data sheet's rate, and one longer than the correlation time: the same distribution.
        for (period_s, steps) in [(0.1, 50), (5.0, 1), (60.0, 1)] {
            let runs = 4000;
            let (mut before, mut after, mut both) = (0.0, 0.0, 0.0);
            for seed in 0..runs {
                let mut rng = Rng::for_name(RunSeed(seed), "markov");
                let mut bias = Bias::turn_on(&noise, &mut rng);
                let first = bias.correlated;
                for _ in 0..steps {
                    bias.apply(0.0, period_s, &noise, &mut rng);
                }
                before += first * first;
                after += bias.correlated * bias.correlated;
                both += first * bias.correlated;
            }
            let n = runs as f64;
            let bound = 5.0 * (2.0 / n).sqrt();
            assert!((before / n / 4.0 - 1.0).abs() < bound);
            assert!((after / n / 4.0 - 1.0).abs() < bound);
            let expected = libm::exp(-period_s * f64::from(steps) / 5.0);
            assert!((both / n / 4.0 - expected).abs() < bound, "{period_s} s");
        }
    }

    #[test]
    fn resolution_rounds() {
        let noise = Noise {
            resolution: 0.25,
            ..Noise::default()
        };
        let mut rng = Rng::for_name(RunSeed(0), "q");
        assert_eq!(Bias::default().apply(0.36, 1.0, &noise, &mut rng), 0.25);
    }
}
