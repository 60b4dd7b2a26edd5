//! Level of stationary channels: whether they still are where they were while the agent was healthy.
//!
//! ```text
//! z_n = (x_n - mean_n)/sd_n of warm-up        level = mean over the channels of EW_10(z_n^2)
//! ```
//!
//! A one-step predictor follows a slow channel, and with it an offset that stays: it is surprised by the step alone. The
//! level keeps it, for as long as it lasts. Only channels of
//! [`STATIONARY`](becomingone_components::sensor::Measurement::STATIONARY) measurements have one.
//!
//! While healthy, its mean is 1 and it scatters as chi² over its degrees of freedom, if warm-up saw all that the channel does.
//! Of a slow channel it does not: over 30 times ten minutes, the level of an AR(1) with a time constant of 2 s reached
//! 28 to 36, of 20 s 86 to 130, of 200 s 160 to 870, after a warm-up of 20 s. So there is no threshold from warm-up: without
//! one of `becomingone calibrate` the level raises no alarm.

use super::statistics::Detection;
use becomingone_components::coherence::MAX_CHANNELS;
use becomingone_kernel::Alarm;

/// 1 - e^(-1/10): the level is a mean over ten samples.
const GAIN: f64 = 0.095_162_581_964_040_43;

/// Most deviations of one sample: the alarm of any number is over 140 samples after it.
const MOST: f64 = 1e3;

/// A stationary channel.
#[derive(Clone, Debug, PartialEq)]
struct Channel {
    output: usize,
    /// Samples of warm-up, their mean, and the sum of their squared deviations (Welford, Technometrics 4(3), 1962).
    count: f64,
    mean: f64,
    squares: f64,
    /// EW of z².
    part: f64,
}

impl Channel {
    fn learn(&mut self, x: f64) {
        self.count += 1.0;
        let off = x - self.mean;
        self.mean += off / self.count;
        self.squares += off * (x - self.mean);
    }

    /// The deviation; none of a constant, whose changes the self-model judges in its own unit.
    fn sd(&self) -> Option<f64> {
        let sd = (self.squares / self.count.max(1.0)).sqrt();
        (sd > 1e-12 * self.mean.abs() && sd > f64::MIN_POSITIVE.sqrt()).then_some(sd)
    }
}

/// Detector of the level of an agent's stationary channels.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelMonitor {
    channels: Vec<Channel>,
    threshold: Option<f64>,
    alarm: Alarm<f64>,
    /// The level; none in warm-up, and where all channels are constant.
    pub level: Option<f64>,
}

impl LevelMonitor {
    /// A detector of these outputs before the first sample; none without outputs.
    pub fn new(outputs: &[usize], threshold: Option<f64>) -> Option<Self> {
        let channel = |&output: &usize| Channel {
            output,
            count: 0.0,
            mean: 0.0,
            squares: 0.0,
            part: 1.0,
        };
        (!outputs.is_empty()).then(|| Self {
            channels: outputs.iter().map(channel).collect(),
            threshold,
            alarm: Alarm::new(0.8, 3, 5),
            level: None,
        })
    }

    /// Processes a kernel tick. Without a threshold there is a level and no detection.
    pub fn push(
        &mut self,
        samples: &[Option<f64>; MAX_CHANNELS],
        learning: bool,
    ) -> Option<Detection> {
        let (mut sum, mut count) = (0.0, 0.0);
        let mut most: Option<(f64, usize)> = None;
        for channel in &mut self.channels {
            let sample = samples.get(channel.output).copied().flatten();
            let sample = sample.filter(|x| x.is_finite());
            if learning {
                sample.into_iter().for_each(|x| channel.learn(x));
                continue;
            }
            let Some(sd) = channel.sd() else { continue };
            if let Some(x) = sample {
                let z = ((x - channel.mean) / sd).clamp(-MOST, MOST);
                channel.part += GAIN * (z * z - channel.part);
            }
            sum += channel.part;
            count += 1.0;
            if most.is_none_or(|(part, _)| channel.part > part) {
                most = Some((channel.part, channel.output));
            }
        }
        let (_, cause) = most?;
        let level = sum / count;
        self.level = Some(level);
        let surprise = level / self.threshold?;
        Some(Detection {
            surprise,
            dissipated: self.alarm.update(surprise),
            cause: Some(cause),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::seed::{Rng, RunSeed};

    /// A monitor of outputs 0, 2 and 3, of which the last is constant, after a warm-up of 1000 samples of an AR(1) of 0.9
    /// and variance 1 about 20.
    fn monitored(
        threshold: Option<f64>,
        ticks: usize,
        fault: impl Fn(usize, f64) -> Option<f64>,
    ) -> Vec<(Option<f64>, Option<Detection>)> {
        let mut monitor = LevelMonitor::new(&[0, 2, 3], threshold).unwrap();
        let mut rng = Rng::for_name(RunSeed(1), "level");
        let mut state = [0.0; 2];
        let mut all = Vec::new();
        for k in 0..1000 + ticks {
            for state in &mut state {
                *state = 0.9 * *state + (1.0 - 0.81_f64).sqrt() * rng.normal();
            }
            let mut samples = [None; MAX_CHANNELS];
            samples[0] = Some(20.0 + state[0]);
            // Output 1 is a speed: it is not judged.
            samples[1] = Some(1e3 * k as f64);
            samples[2] = Some(20.0 + state[1]);
            samples[3] = Some(7.0);
            if k >= 1000 {
                samples[2] = fault(k - 1000, 20.0 + state[1]);
            }
            let found = monitor.push(&samples, k < 1000);
            if k >= 1000 {
                all.push((monitor.level, found));
            }
        }
        all
    }

    #[test]
    fn a_healthy_level_has_mean_one() {
        let all = monitored(Some(20.0), 20_000, |_, x| Some(x));
        let mean = all.iter().map(|(level, _)| level.unwrap()).sum::<f64>() / 2e4;
        // Warm-up holds 50 independent values: the variance is known to 20 %, five standard errors of two are 0.7.
        assert!((mean - 1.0).abs() < 0.7, "{mean}");
        assert!(all.iter().all(|(_, found)| !found.unwrap().dissipated));
    }

    #[test]
    fn an_offset_is_seen_for_as_long_as_it_lasts_and_named() {
        // Of 8 deviations: its part is (8² + 1), half of that the level of two channels.
        let all = monitored(Some(20.0), 3000, |k, x| {
            let present = k % 7 != 0;
            present.then_some(if k < 2000 { x + 8.0 } else { x })
        });
        for (k, (_, found)) in all.iter().enumerate() {
            let found = found.unwrap();
            if (30..2000).contains(&k) {
                assert!(found.dissipated && found.cause == Some(2), "{k}: {found:?}");
            }
            assert!(k < 2060 || !found.dissipated, "{k}");
        }
    }

    #[test]
    fn without_a_threshold_there_is_a_level_and_no_alarm() {
        let all = monitored(None, 100, |_, _| Some(1e300));
        assert!(all.iter().all(|(_, found)| found.is_none()));
        let level = all.last().unwrap().0.unwrap();
        assert!(level > 1e5 && level <= MOST * MOST, "{level}");
        assert!(LevelMonitor::new(&[], Some(1.0)).is_none());
    }
}
