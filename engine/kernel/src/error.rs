//! [`ConfigError`]: the first invalid field of a configuration.
//!
//! ```text
//! config --> new() --> Ok: every number is in its range, and pushes cannot fail
//!               |
//!               +----> Err: the first invalid field, its value, and its bounds
//! ```

/// Error of an invalid configuration. Values are shown as `f64`, whichever float the kernel runs on.
///
/// ```
/// use becomingone_kernel::Monitor;
///
/// let refused = Monitor::<4>::new(5).map_err(|error| error.to_string());
/// assert_eq!(refused.err().as_deref(), Some("5 channels: must be 1 to 4"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No channel, or more than the capacity `N`.
    #[error("{channels} channels: must be 1 to {capacity}")]
    Channels {
        /// Requested channels.
        channels: usize,
        /// The capacity `N`.
        capacity: usize,
    },
    /// A detector's model that nothing can have learned.
    #[error("model: lengths must fit, and numbers be finite")]
    Model,
    /// `L` is 0: a resonance without lags has no value.
    #[error("no lags: at least one is needed")]
    NoLags,
    /// A lag that the ring cannot reach.
    #[error("lag of {lag} samples: must be less than the ring of {ring}")]
    Lag {
        /// The lag in samples.
        lag: usize,
        /// The ring's length `RING` in samples.
        ring: usize,
    },
    /// The window is zero, negative, infinite or NaN.
    #[error("window of {window_s} s: must be positive and finite")]
    Window {
        /// The window `T_w` in seconds.
        window_s: f64,
    },
    /// The cycle frequency is infinite or NaN.
    #[error("cycle frequency of {nu_rad_s} rad/s: must be finite")]
    CycleFrequency {
        /// The cycle frequency nu in rad/s.
        nu_rad_s: f64,
    },
    /// The longest allowed gap is zero, negative or NaN (infinity means: any gap is allowed).
    #[error("longest gap of {max_gap_s} s: must be positive")]
    MaxGap {
        /// The longest allowed gap in seconds.
        max_gap_s: f64,
    },
    /// A channel's weight is negative, infinite or NaN.
    #[error("weight {weight} of channel {channel}: must be finite and not negative")]
    Weight {
        /// The channel's index.
        channel: usize,
        /// Its weight, dimensionless.
        weight: f64,
    },
    /// The weights of the active channels have no usable sum: all are zero, or it overflows.
    #[error("the channels' weights sum to {sum}: must be positive and finite")]
    WeightSum {
        /// The sum over the active channels.
        sum: f64,
    },
    /// A bin, or the base block of a pyramid, of a length that is zero, negative, infinite or NaN.
    #[error("base bins of {base_s} s: must be positive and finite")]
    Base {
        /// The length `D_0` in seconds.
        base_s: f64,
    },
    /// A hold time of 0.
    #[error("readings that hold for 0 ns: must be at least 1")]
    Hold,
    /// The ratio c of windows to lags is zero, negative, infinite or NaN.
    #[error("windows of {window_lags} longest lags: must be positive and finite")]
    WindowLags {
        /// The ratio c.
        window_lags: f64,
    },
    /// A band of lags that is empty, or not of positive finite numbers.
    #[error("lags from {tau_base_s} s to {tau_max_s} s: must be positive, finite and in order")]
    Band {
        /// The shortest in seconds.
        tau_base_s: f64,
        /// The longest in seconds.
        tau_max_s: f64,
    },
    /// The mean or the standard deviation of a real channel is unusable.
    #[error("mean {mean}, standard deviation {sd}: both must be finite, the second not negative")]
    Standard {
        /// The mean, in the channel's unit.
        mean: f64,
        /// The standard deviation, in the channel's unit.
        sd: f64,
    },
    /// Theta is negative, infinite or NaN.
    #[error("theta of {theta}: must be finite and not negative")]
    Theta {
        /// The largest delta that counts as aligned.
        theta: f64,
    },
    /// `I_c` lies outside (0, 1]: `|T|^2` would always or never reach it.
    #[error("collapse threshold of {collapse}: must be above 0 and at most 1")]
    Collapse {
        /// The threshold `I_c` of `|T_sync|^2`.
        collapse: f64,
    },
    /// h lies outside (0, 1].
    #[error("release ratio of {release}: must be above 0 and at most 1")]
    Release {
        /// The ratio h of the release threshold to `I_c`.
        release: f64,
    },
    /// A dwell of 0 ticks.
    #[error("dwell of 0 ticks: must be at least 1")]
    Dwell,
    /// `l0` is negative, infinite or NaN.
    #[error("fading of {fading_per_s} a second: must be finite and not negative")]
    Fading {
        /// The rate `l0` in 1/s.
        fading_per_s: f64,
    },
    /// beta lies outside [0, 1): at 1, nothing coherent would ever fade.
    #[error("protection of {protection}: must be at least 0 and below 1")]
    Protection {
        /// The share beta of fading that full coherence prevents.
        protection: f64,
    },
    /// `a_r` lies outside [0, 1].
    #[error("recall of {recall}: must be 0 to 1")]
    Recall {
        /// The share `a_r` of (1 - strength) that a recall restores.
        recall: f64,
    },
    /// `s_min` lies outside [0, 1): at 1, everything would be forgotten at once.
    #[error("forgetting below {forget_below}: must be at least 0 and below 1")]
    ForgetBelow {
        /// The strength `s_min`.
        forget_below: f64,
    },
    /// More inputs than the capacity `U`.
    #[error("{inputs} inputs: must be at most {capacity}")]
    Inputs {
        /// Requested inputs.
        inputs: usize,
        /// The capacity `U`.
        capacity: usize,
    },
    /// Too few samples to fit a model.
    #[error("warm-up of {samples} samples: must be at least {least}")]
    WarmUp {
        /// Requested samples.
        samples: u32,
        /// The minimum.
        least: u32,
    },
    /// A threshold is zero, negative, infinite or NaN.
    #[error("threshold {name} of {threshold}: must be positive and finite")]
    Threshold {
        /// `k1`, `k2` or `k3`.
        name: &'static str,
        /// Its value.
        threshold: f64,
    },
    /// Another number of a self-model is out of its range.
    #[error("{name} of {value}: out of range")]
    SelfModel {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// Octaves of age without a length or without items.
    #[error("{items} items an octave from {shortest_s} s: both must be positive, and finite")]
    AgeOctaves {
        /// Half of the first octave in seconds.
        shortest_s: f64,
        /// Items an octave.
        items: usize,
    },
    /// A memory without capacity.
    #[error("a memory of 0 items: at least one is needed")]
    NoCapacity,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::ConfigError;
    use std::string::ToString;

    #[test]
    fn a_message_names_the_value_and_the_bound() {
        let error = ConfigError::Lag { lag: 8, ring: 8 };
        assert_eq!(
            error.to_string(),
            "lag of 8 samples: must be less than the ring of 8"
        );
    }
}
