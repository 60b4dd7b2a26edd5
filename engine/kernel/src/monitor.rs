//! [`Monitor`]: fault detection and isolation for stamped sensor values, with default settings.
//!
//! ```text
//! (t, values) --> dt, missing samples --> SelfModel --> Verdict: dissipated? surprise, cause
//!
//! dt_k = t_k - t_{k-1};   NaN is missing;   coherence = 1/(1 + surprise), dissipated from surprise > 1 on
//!
//! sample    0 .. 399      400 ..
//!           warm-up       verdicts
//! ```

use crate::{ConfigError, SelfModel, SelfModelConfig, Trainer, Verdict, WarmUpError};

/// Detects faults in real-valued channels: stamped values in, a [`Verdict`] out; `N` channels at most.
///
/// The first 400 samples are taken as healthy and learned from. For inputs, another length of warm-up,
/// `f32` or thresholds from a calibration use [`Trainer`]; for channels of different rates,
/// [`Bins`](crate::Bins) before it.
///
/// ```
/// use becomingone_kernel::Monitor;
///
/// # let mut noise = 1_u32;
/// # let mut scatter = || {
/// #     noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
/// #     f64::from(noise >> 8) / f64::from(1 << 24) - 0.5
/// # };
/// # let log = (0..1000).map(|k| {
/// #     let speed = scatter();
/// #     let other = if k < 800 { speed + 0.1 * scatter() } else { 0.3 };
/// #     (0.02 * f64::from(k), [speed, other])
/// # });
/// # let mut found = None;
/// let mut monitor = Monitor::<2>::new(2)?;
/// for (t_s, values) in log {
///     if let Some(verdict) = monitor.push(t_s, &values).filter(|verdict| verdict.dissipated) {
/// #       found.get_or_insert((t_s, verdict.cause));
///         // Channel `verdict.cause` is isolated as faulty.
///     }
/// }
/// # assert!(found.is_some_and(|(t_s, cause)| (16.0..17.0).contains(&t_s) && cause.is_some()));
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor<const N: usize> {
    trainer: Trainer<f64, N, 0>,
    /// The stamp of the last sample (s).
    last_s: Option<f64>,
    /// The first sample: its time step is not known, and taken to be that of the second.
    first: Option<[Option<f64>; N]>,
}

impl<const N: usize> Monitor<N> {
    /// A monitor of the first `channels` values.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Channels`] unless 1 <= `channels` <= `N`.
    pub fn new(channels: usize) -> Result<Self, ConfigError> {
        let config = SelfModelConfig {
            outputs: channels,
            ..SelfModelConfig::default()
        };
        Ok(Self {
            trainer: Trainer::new(config)?,
            last_s: None,
            first: None,
        })
    }

    /// Processes the values at the time `t_s`, in seconds of any clock, and returns the verdict;
    /// none during warm-up.
    ///
    /// One value per channel, in its own unit; NaN is a missing sample, and so are channels beyond the end. A
    /// stamp that is not after the last one, or not finite, is dropped and counted, and the last verdict
    /// is returned again. So samples of a clock that was set back are dropped until it has caught up, or until
    /// [`rebaseline`](Self::rebaseline).
    pub fn push(&mut self, t_s: f64, values: &[f64]) -> Option<Verdict<f64, N>> {
        let mut outputs = [None; N];
        for (output, value) in outputs.iter_mut().zip(values) {
            *output = Some(*value).filter(|value| !value.is_nan());
        }
        let Some(last_s) = self.last_s else {
            if t_s.is_finite() {
                (self.last_s, self.first) = (Some(t_s), Some(outputs));
                return None;
            }
            // Dropped and counted there.
            return self.trainer.push(&outputs, &[], t_s);
        };
        let dt_s = t_s - last_s;
        if dt_s > 0.0 && dt_s.is_finite() {
            self.last_s = Some(t_s);
            if let Some(first) = self.first.take() {
                self.trainer.push(&first, &[], dt_s);
            }
        }
        self.trainer.push(&outputs, &[], dt_s)
    }

    /// The self-model: thresholds, counters, constant channels.
    pub fn model(&self) -> &SelfModel<f64, N, 0> {
        self.trainer.model()
    }

    /// Why the last warm-up failed: see [`Trainer::warm_up_error`].
    pub fn warm_up_error(&self) -> Option<WarmUpError> {
        self.trainer.warm_up_error()
    }

    /// Discards the model and learns a new one from the next samples, whose stamps may start anywhere.
    pub fn rebaseline(&mut self) {
        self.trainer.rebaseline();
        (self.last_s, self.first) = (None, None);
    }
}
