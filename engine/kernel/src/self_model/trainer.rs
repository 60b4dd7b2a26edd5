//! [`Trainer`]: learns a [`SelfModel`] from healthy samples, in one pass.
//!
//! ```text
//! samples --> sums of products --> ridge regression --> B, b, R, Cov(EW r) --> SelfModel
//!                    |                                                            |
//!                    +--> after 3/4: provisional model, run on the last quarter --+--> thresholds
//! ```
//!
//! # Warm-up
//!
//! The first `warm_up_samples` samples are taken as healthy, and no verdict is given. Sums of products
//! give the predictor; sums of products of exponential means, which follow each other by the same B, give
//! Cov(EW r). After three quarters a provisional predictor is fitted and run on the last quarter, which was
//! not used to fit it: the largest K1, K2, K3 found there are what a fitted model of this plant must tolerate.
//! (One is fitted after a half, too, to measure the innovations of channels with missing samples, whose
//! sums do not give them.) Then the final predictor is fitted to all samples.
//!
//! # Thresholds, where none are given
//!
//! ```text
//! threshold = max( PLANT * null law, threshold_factor * largest value in the last quarter )
//! PLANT     = 7, 7, 1.6 for K1, K2, K3;   at most 0.5 for K1, 30 times the null law for K2 and K3
//! ```
//!
//! The null law alone holds for an exact model. A model fitted to a few hundred samples of a machine is not exact:
//! on the recordings of a water circuit (SKAB, valve1, the even-numbered files) healthy minutes after warm-up are
//! at 2 to 5 times the null law of K2, because temperatures leave the range seen in warm-up. PLANT was chosen
//! there (balanced accuracy changes by less than 1 % between 6 and 8). Calibrate the thresholds of a safety-relevant
//! plant on more data: a few hundred samples cannot support a false-alarm rate of 1e-5.
//!
//! After warm-up B is frozen: a predictor that keeps adapting absorbs the fault that it should
//! detect. A permanent change is accepted by an explicit [`rebaseline`](Trainer::rebaseline).

use super::{Counters, Scale, SelfModel, SelfModelConfig, Tick, Verdict, Watch};
use crate::lanes::Sparse;
use crate::surprise::{Health, SHIFT, Surprise};
use crate::witness::{Active, History, Moments, Stacked, Sums, Units, Witness};
use crate::{ConfigError, Real, Thresholds};

/// Minimum number of warm-up samples: K1 has its first values in the last quarter of them.
pub const MIN_WARM_UP: u32 = 64;

/// Least thresholds from warm-up, as multiples of the null law of K1, K2, K3: see the module.
const PLANT: [f64; 3] = [7.0, 7.0, 1.6];

/// Upper bound of thresholds from warm-up: a predictor fitted to three quarters in which nothing moved fails in
/// the last, and would give thresholds that no fault reaches. Half of the power coherent is enough for any
/// plant.
const MOST_K1: f64 = 0.5;

/// The same for K2 and K3, as a multiple of the null law.
const MOST: f64 = 30.0;

/// Error of a failed warm-up. The next one has begun.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WarmUpError {
    /// No channel had two samples.
    #[error("no channel had two samples during warm-up")]
    Nothing,
    /// The regression has no solution.
    #[error("the regression is singular at regressor {regressor}")]
    Regression {
        /// The regressor: last samples, short means, inputs, their means.
        regressor: usize,
    },
    /// The innovations have no usable covariance.
    #[error("the innovations of channel {channel} have no usable covariance")]
    Covariance {
        /// The output channel.
        channel: usize,
    },
}

/// Fits a [`SelfModel`] during warm-up, then runs it: `N` outputs and `U` inputs at most.
///
/// | `N`, `U` | float | trainer, in kB | [`SelfModel`], in kB |
/// |---|---|---|---|
/// | 4, 0 | `f32` | 4 | 2 |
/// | 8, 0 | `f64` | 19 | 6 |
/// | 16, 0 | `f64` | 66 | 14 |
/// | 16, 8 | `f64` | 108 | 17 |
/// | 16, 12 | `f64` | 133 | 18 |
///
/// Most of its state is sums of the warm-up. Without an allocator keep it: after warm-up its [`push`](Self::push) runs
/// the model. With one, replace it by the model that [`trained`](Self::trained) returns.
///
/// All samples of one kernel tick are pushed together. Windows count ticks, so the tick should be
/// periodic; a channel without a new sample at a tick is missing at that tick, and its old sample is never repeated. A
/// channel that is missing at most ticks is monitored by K2 alone as long as its faults are moderate: pairs at lags of
/// 1, 2 and 4 ticks never occur, and its energy is one among all the others'. Give such channels a model and a rate of
/// their own.
///
/// ```
/// use becomingone_kernel::{SelfModelConfig, Trainer};
///
/// let config = SelfModelConfig { outputs: 2, ..SelfModelConfig::default() };
/// let mut trainer = Trainer::<f64, 2, 0>::new(config)?;
/// let mut noise = 1_u32;
/// let mut scatter = || {
///     noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///     f64::from(noise >> 8) / f64::from(1 << 24) - 0.5
/// };
/// for k in 0..1000 {
///     // The second sensor is stuck from sample 800 on.
///     let speed = scatter();
///     let other = if k < 800 { speed + 0.1 * scatter() } else { 0.3 };
///     let verdict = trainer.push(&[Some(speed), Some(other)], &[], 0.02);
///     assert_eq!(verdict.is_some(), k >= 400);
///     if let Some(verdict) = verdict {
///         assert!(!verdict.dissipated || k >= 800);
///         assert!(verdict.dissipated || k < 850);
///     }
/// }
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Trainer<R, const N: usize, const U: usize> {
    model: SelfModel<R, N, U>,
    sums: WarmUp<R, N, U>,
    error: Option<WarmUpError>,
}

impl<R: Real, const N: usize, const U: usize> Trainer<R, N, U> {
    /// A trainer before its first sample.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] naming the first field out of range; see [`SelfModelConfig`].
    pub fn new(config: SelfModelConfig<R>) -> Result<Self, ConfigError> {
        let config = config.validated::<N, U>()?;
        Ok(Self::empty(config, Counters::default()))
    }

    /// A trainer before its first sample, with these counters.
    pub(super) fn empty(config: SelfModelConfig<R>, counters: Counters) -> Self {
        Self {
            model: SelfModel::empty(config, counters),
            sums: WarmUp::new(),
            error: None,
        }
    }

    /// Processes one tick. Returns none during warm-up, then the model's verdict.
    ///
    /// One entry per channel, in the channel's own unit. `None` is a missing sample, and so are channels beyond
    /// the end of the slice. NaN, infinity and values a million deviations off are counted as broken and
    /// treated as missing. A missing input holds its last value. `dt_s` is the time since the last accepted
    /// tick in seconds; a tick whose `dt_s` is zero, negative, infinite or NaN is dropped, and the last verdict
    /// is returned again.
    pub fn push(
        &mut self,
        outputs: &[Option<R>],
        inputs: &[Option<R>],
        dt_s: R,
    ) -> Option<Verdict<R, N>> {
        if self.model.trained {
            return self.model.push(outputs, inputs, dt_s);
        }
        if let Some(tick) = self.model.take(outputs, inputs, dt_s) {
            self.learn(&tick);
            self.model.history.keep(&tick.y, &Sparse::none());
        }
        self.model.verdict
    }

    /// The current model: after warm-up the one that [`push`](Self::push) runs, before it one without
    /// thresholds and verdict, but with its counters and configuration.
    pub fn model(&self) -> &SelfModel<R, N, U> {
        &self.model
    }

    /// The trained model, to change its thresholds or clear its alarm; none before the end of warm-up.
    pub fn model_mut(&mut self) -> Option<&mut SelfModel<R, N, U>> {
        self.model.trained.then_some(&mut self.model)
    }

    /// The trained model by itself, computing in `S`; none before the end of warm-up. The trainer can be dropped then.
    ///
    /// In the trainer's own number type the model continues bit by bit as [`push`](Self::push) would.
    pub fn trained<S: Real>(&self) -> Option<SelfModel<S, N, U, R>> {
        self.model.trained.then(|| self.model.cast())
    }

    /// Whether warm-up is complete.
    pub fn is_trained(&self) -> bool {
        self.model.trained
    }

    /// Why the last warm-up failed; none while the first one runs, or once one succeeded.
    pub fn warm_up_error(&self) -> Option<WarmUpError> {
        self.error
    }

    /// Discards the model and learns a new one from the next samples: for an operator or a supervisor who
    /// accepts a permanent change. There is no verdict meanwhile.
    pub fn rebaseline(&mut self) {
        *self = self.model.rebaselined();
    }

    /// Resets to the state after [`new`](Self::new), counters included.
    pub fn reset(&mut self) {
        *self = Self::empty(self.model.config, Counters::default());
    }

    fn learn(&mut self, tick: &Tick<R, N, U>) {
        let Tick { y, targets, z, .. } = tick;
        if !tick.fresh {
            let active = Active {
                outputs: self.model.config.outputs,
                inputs: self.model.config.inputs,
            };
            let mut returned = [false; N];
            for (n, returned) in returned.iter_mut().enumerate().take(active.outputs) {
                *returned = targets.has(n) && self.model.history.age(n) > 0;
            }
            self.sums
                .add(&y.options(), &targets.options(), z, &returned, active);
        }
        if self.model.watch.is_some() {
            let (_, r, statistics) = self.model.watch_over(targets, z, tick.gap);
            let largest = &mut self.sums.largest;
            largest.k1 = largest.k1.max(statistics.k1.unwrap_or(R::zero()));
            largest.k2 = largest.k2.max(statistics.k2);
            largest.k3 = largest.k3.max(statistics.k3);
            if let Some(watch) = &self.model.watch {
                for n in 0..N {
                    if let Some(r) = r.get(n) {
                        let own = r * watch.outputs.sd[n];
                        if own * own <= R::MAX_POWER * R::of(1e-6) {
                            self.sums.measured[n].0 += own * own;
                            self.sums.measured[n].1 += R::one();
                        }
                    }
                }
            }
        }
        self.sums.ticks += 1;
        let all = self.model.config.warm_up_samples;
        if self.sums.ticks == all / 2 || self.sums.ticks == all - all / 4 {
            // On failure, all samples together may still be enough.
            self.sums.largest = Thresholds::zero();
            self.model.watch =
                Watch::learn(&self.model.config, &self.model.history, &self.sums).ok();
        }
        if self.sums.ticks >= all {
            self.finish();
        }
    }

    fn finish(&mut self) {
        match Watch::learn(&self.model.config, &self.model.history, &self.sums) {
            Ok(watch) => {
                let null = Thresholds::null(watch.surprise.freedom());
                let measured = self
                    .sums
                    .largest
                    .times([self.model.config.threshold_factor; 3]);
                let least = null.times(PLANT.map(R::of));
                let most = null.times([MOST; 3].map(R::of));
                let found = Thresholds {
                    k1: measured.k1.max(least.k1).min(R::of(MOST_K1)),
                    k2: measured.k2.max(least.k2).min(most.k2),
                    k3: measured.k3.max(least.k3).min(most.k3),
                };
                self.model.thresholds = self.model.config.thresholds.or(Some(found));
                self.model.watch = Some(watch);
                self.model.trained = true;
                self.error = None;
            }
            Err(error) => {
                *self = Self::empty(self.model.config, self.model.counters);
                self.error = Some(error);
            }
        }
    }
}

/// Sums of the warm-up.
#[derive(Clone, Debug, PartialEq)]
struct WarmUp<R, const N: usize, const U: usize> {
    ticks: u32,
    moments: Moments<R, N, U>,
    /// The rows in which a channel returned.
    returns: Sums<R, N, U>,
    /// EW of the changes of outputs and of regressors, and their sums of products.
    smooth: [R; N],
    smooth_z: Stacked<R, N, U>,
    smooth_moments: Moments<R, N, U>,
    largest: Thresholds<R>,
    /// Sum and number of the provisional predictor's squared innovations, in the channels' own units.
    measured: [(R, R); N],
}

impl<R: Real, const N: usize, const U: usize> WarmUp<R, N, U> {
    fn new() -> Self {
        let zero = R::zero();
        Self {
            ticks: 0,
            moments: Moments::new(),
            returns: Sums::new(),
            smooth: [zero; N],
            smooth_z: Stacked::of(zero),
            smooth_moments: Moments::new(),
            largest: Thresholds::zero(),
            measured: [(zero, zero); N],
        }
    }

    /// Adds a row: the targets and their regressors.
    fn add(
        &mut self,
        y: &[Option<R>; N],
        targets: &[Option<R>; N],
        z: &Stacked<R, N, U>,
        returned: &[bool; N],
        active: Active,
    ) {
        let gain = R::decay(R::of(1.0 / SHIFT)).1;
        let mut added = *targets;
        for n in 0..active.outputs {
            if let Some(added) = &mut added[n] {
                *added -= z.last[n];
            }
            // A missing sample counts as a repeated one here, so that all sums have the same rows.
            let value = y[n].map_or(R::zero(), |y| y - z.last[n]);
            self.smooth[n] += gain * (value - self.smooth[n]);
        }
        self.moments.add(&added, z, returned, R::one(), active);
        if returned.contains(&true) {
            self.returns.add(z, R::one(), active);
        }
        self.smooth_z.follow(z, gain, active);
        // Both began at 0, which is the first sample and need not be the mean: the share of b in a window grows
        // as it fills, as 1 - e^{-k/20} after k rows.
        let full = R::decay(self.moments.count() / R::of(SHIFT)).1;
        let smooth = self.smooth.map(Some);
        self.smooth_moments
            .add(&smooth, &self.smooth_z, &[false; N], full, active);
    }
}

impl<R: Real, const N: usize, const U: usize> Watch<R, N, U> {
    fn learn(
        config: &SelfModelConfig<R>,
        history: &History<R, N, U>,
        sums: &WarmUp<R, N, U>,
    ) -> Result<Self, WarmUpError> {
        let moments = &sums.moments;
        let mut live = [false; N];
        let mut moving = [false; N];
        let mut constant = [false; N];
        let mut outputs = Scale::unknown();
        let mut inputs = Scale::unknown();
        let (mut lowest, mut highest) = ([R::zero(); N], [R::zero(); N]);
        for n in 0..config.outputs {
            live[n] = moments.count_of(n) >= R::of(2.0);
            let (mean, variance) = moments.mean_and_variance(n);
            let sd = usable_deviation(history.origin(n), mean, variance);
            moving[n] = live[n] && sd.is_some();
            constant[n] = live[n] && sd.is_none();
            let sd = sd.unwrap_or(R::one());
            if live[n] {
                outputs.set(n, mean, sd);
            }
            let (low, high) = history.range(n);
            let most = sd * config.reach();
            lowest[n] = low.min(mean - most);
            highest[n] = high.max(mean + most);
        }
        if live.iter().all(|&live| !live) {
            return Err(WarmUpError::Nothing);
        }
        for j in 0..config.inputs {
            let (mean, variance) = moments.input_mean_and_variance(j);
            let sd = usable_deviation(history.input_origin(j), mean, variance);
            inputs.set(j, mean, sd.unwrap_or(R::one()));
        }
        let mut units = Units {
            sd: outputs.sd,
            inverse: Stacked::of(R::zero()),
        };
        for i in 0..Stacked::<R, N, U>::SIZE {
            units.inverse[i] = moments.inverse(i);
        }
        for n in 0..N {
            if history.is_one_way(n) {
                units.inverse.last[n] = R::zero();
            }
        }
        let witness = Witness::fit(
            config.outputs,
            &moving,
            moments,
            &sums.returns,
            &units,
            config.ridge,
        )
        .map_err(|regressor| WarmUpError::Regression { regressor })?;
        let mut covariance = moments.innovations(config.outputs, &witness, &units, &sums.returns);
        let shifts =
            sums.smooth_moments
                .innovations(config.outputs, &witness, &units, &sums.returns);
        let mut whole = [false; N];
        for n in 0..config.outputs {
            let (sum, count) = sums.measured[n];
            whole[n] = moments.count_of(n) >= moments.count();
            if !whole[n] && count > R::zero() {
                let sd = outputs.sd[n];
                covariance[n][n] = covariance[n][n].max(sum / count / sd / sd);
            }
        }
        let failed = |channel| WarmUpError::Covariance { channel };
        let health = Health::new(config.outputs, live, moving, whole, covariance, &shifts)
            .map_err(failed)?;
        let surprise = Surprise::new(health);
        Ok(Self {
            witness,
            surprise,
            outputs,
            inputs,
            lowest,
            highest,
            constant,
            live: live.map(|live| if live { R::one() } else { R::zero() }),
        })
    }
}

/// The deviation; none if it is only the rounding of a constant value.
fn usable_deviation<R: Real>(origin: R, mean: R, variance: R) -> Option<R> {
    let sd = variance.sqrt();
    let rounding = R::of(8.0) * R::epsilon() * (origin + mean).abs();
    (sd > rounding && variance > R::min_positive_value()).then_some(sd)
}
