//! Constants of detection and isolation.
//!
//! Times are in seconds and are converted by the kernel rate of each agent, so that detection is the same at any
//! rate. All were tuned at 50 Hz. Evidence that counts samples, as a dwell or a value that repeats, also needs a
//! least number of samples: below 50 Hz these last longer.

use bevy_ecs::prelude::*;

/// Constants of detection and isolation. Agents take a copy when a scene is built.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq)]
pub struct DiagnosisConfig {
    /// Of [`StuckDetector`](super::stuck::StuckDetector).
    pub stuck: StuckConfig,
    /// Of [`TransientDetector`](super::transient::TransientDetector).
    pub transient: TransientConfig,
    /// Of [`Nis`](super::nis::Nis).
    pub nis: NisConfig,
    /// Of the [decision table](super::isolation).
    pub isolation: IsolationConfig,
}

/// When a channel counts as stuck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StuckConfig {
    /// Time without any change after which a channel counts as stuck, at the earliest (s); at the latest twice as long. A
    /// measured value carries noise and does not repeat for 10 samples.
    pub window_s: f64,
    /// Fewest samples of this time.
    pub min_samples: u32,
    /// Largest change that counts as none, as a share of the value: more than what rounding moves the mean of equal
    /// numbers by.
    pub tolerance: f64,
}

impl Default for StuckConfig {
    fn default() -> Self {
        Self {
            window_s: 0.2,
            min_samples: 10,
            tolerance: 1e-12,
        }
    }
}

/// When an acceleration counts as a transient. Squares are those of deviations from what was expected, 1 in the mean while
/// healthy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransientConfig {
    /// Time over which the present deviation is averaged (s): three samples at 50 Hz.
    pub recent_s: f64,
    /// Time constant of the memory of a transient (s): about that of the statistics that raise the alarm.
    pub memory_s: f64,
    /// Longest transient (s). The onset of a slip of 8 % takes 0.08 to 0.12 s (`warehouse_robot`).
    pub longest_s: f64,
    /// Square from which a sample is part of a transient; as well the most that one counts for in the present deviation:
    /// five deviations.
    pub onset: f64,
    /// Square below which the present deviation is over: three deviations.
    pub calm: f64,
    /// Largest share of the remembered mean that the present deviation may have once the transient is over. A small
    /// constant offset never falls below it.
    pub share: f64,
    /// Cap of one sample in the remembered mean: thirty deviations. However large it was, a transient is forgotten
    /// after 4 s.
    pub loudest: f64,
    /// Most onsets that are remembered at once. A slip is two transients, its begin and its end; more than one each
    /// 0.32 s for long are a fault.
    pub most_onsets: f64,
}

impl Default for TransientConfig {
    fn default() -> Self {
        Self {
            recent_s: 0.06,
            memory_s: 1.0,
            longest_s: 0.2,
            onset: 25.0,
            calm: 9.0,
            share: 1.0 / 3.0,
            loudest: 900.0,
            most_onsets: 2.5,
        }
    }
}

/// The test of the filter's normalised innovation squared (NIS) against chi².
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NisConfig {
    /// Windows of the averages (s): a jump is found by the shortest, a drift by the longest.
    pub windows_s: [f64; 4],
    /// Window over which the squares of single numbers are averaged, of which the largest is the suspect (s).
    pub suspect_s: f64,
    /// Standard normal quantile of p = 1e-5, one side: once in 1e5 samples, a healthy filter exceeds the limit.
    pub quantile: f64,
    /// The threshold is this many times the largest ratio of the warm-up, and at least 1, where the scene gives none.
    pub margin: f64,
    /// An alarm is raised after this time over the threshold (s), and cleared after that one below [`release`](Self::release).
    pub dwell_s: [f64; 2],
    /// Fewest samples of both.
    pub dwell_samples: [u32; 2],
    /// Share of the threshold below which an alarm may be cleared, as for the kernel's own alarm.
    pub release: f64,
}

impl Default for NisConfig {
    fn default() -> Self {
        Self {
            windows_s: [0.02, 0.1, 0.5, 2.0],
            suspect_s: 0.1,
            quantile: 4.264_890_793_922_825,
            margin: 1.5,
            dwell_s: [0.06, 0.1],
            dwell_samples: [3, 5],
            release: 0.8,
        }
    }
}

/// Isolation by a bank of filters. Excess is NIS less its baseline, per kernel tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IsolationConfig {
    /// Window over which the excess is averaged (s).
    pub window_s: f64,
    /// Time over which the baseline is learned (s). Learning pauses while a fault could be the cause.
    pub baseline_s: f64,
    /// Cap of one squared, whitened innovation: five deviations. An outlier is little evidence of a lasting fault.
    pub square_cap: f64,
    /// Excess from which a fault has to be explained: the worst of the filters without one sensor did worse than the best
    /// by this much at every tick, or by 75 units of NIS over the window at 50 Hz. Healthy, 4 ticks in 100 come to this
    /// (`gnss_spoof`).
    pub clear: f64,
    /// Less than this at every tick, 30 units of NIS over the window at 50 Hz, and two faults explain as much; more, and the
    /// likelihoods are as e^15 to 1.
    pub equal: f64,
    /// Excess of the filter without wheels from which the machine skids. In 45 healthy runs of `gnss_spoof`,
    /// `vehicle_track` and `slip_on_ice` without ice, the most was 3.4.
    pub skid: f64,
    /// Distance of the filters from which the estimate is taken over from the one without the faulty sensor. In 900 healthy
    /// seconds of `gnss_spoof`, the most was 2.6.
    pub takeover: f64,
    /// Least surprise of the readings' predictor that isolates a sensor where the filters cannot: half of what raises
    /// an alarm.
    pub min_surprise: f64,
}

impl Default for IsolationConfig {
    fn default() -> Self {
        Self {
            window_s: 1.0,
            baseline_s: 20.0,
            square_cap: 25.0,
            clear: 1.5,
            equal: 0.6,
            skid: 4.0,
            takeover: 5.0,
            min_surprise: 0.5,
        }
    }
}

/// Gain of an exponential mean over a time at a rate: 1 - e^(-1/n) of n samples.
pub fn gain(window_s: f64, rate_hz: f64) -> f64 {
    -libm::expm1(-1.0 / (window_s * rate_hz))
}

/// Samples in a time at a rate, but no fewer than these.
pub fn samples(time_s: f64, rate_hz: f64, least: u32) -> u32 {
    ((time_s * rate_hz).round().min(f64::from(u32::MAX)) as u32).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_50_hz_times_are_the_numbers_of_samples_that_they_were_tuned_as() {
        let c = DiagnosisConfig::default();
        assert_eq!(samples(c.stuck.window_s, 50.0, c.stuck.min_samples), 10);
        assert_eq!(c.nis.windows_s.map(|s| s * 50.0), [1.0, 5.0, 25.0, 100.0]);
        assert_eq!(c.nis.dwell_s.map(|s| samples(s, 50.0, 1)), [3, 5]);
        assert_eq!(samples(c.isolation.baseline_s, 50.0, 1), 1000);
        assert_eq!(c.isolation.window_s * 50.0, 50.0);
        let t = c.transient;
        let times = [t.recent_s, t.memory_s, t.longest_s];
        assert_eq!(times.map(|s| s * 50.0), [3.0, 50.0, 10.0]);
    }

    #[test]
    fn an_exponential_mean_forgets_the_same_share_in_the_same_time_at_any_rate() {
        for rate_hz in [20.0, 50.0, 400.0] {
            let kept = libm::pow(1.0 - gain(0.5, rate_hz), rate_hz);
            assert!((kept - libm::exp(-2.0)).abs() < 1e-12, "{rate_hz}: {kept}");
        }
        assert_eq!(samples(0.2, 1000.0, 10), 200);
        assert_eq!(samples(0.2, 1.0, 10), 10);
    }
}
