//! [`SelfModel`]: the witness and its surprise together: raw samples in, a [`Verdict`] out.
//!
//! ```text
//! outputs --> standardise --> foresee --> r = what was not foreseen --> K1, K2, K3 --> vote of two
//! inputs  ---------------------^               |                                        |
//!                                              +--> blame                     flag, coherence
//! ```
//!
//! # Warm-up, in one pass
//!
//! The first `warm_up_samples` samples are taken as healthy, and no verdict is given. Sums of products
//! give the witness; sums of products of exponential means, which follow each other by the same B, give
//! Cov(EW r). After three quarters a provisional witness is learned, and watches the last quarter, which it
//! never saw: the largest K1, K2, K3 that it finds there say what an honest self-model of this plant has to
//! expect. (One is learned after a half, too, to measure the innovations of channels that are missing at times, whose
//! sums do not tell.) Then the final witness is learned from all.
//!
//! # Thresholds, where none are given
//!
//! ```text
//! threshold = max( PLANT * null law, threshold_factor * largest value in the last quarter )
//! PLANT     = 7, 7, 1.6 for K1, K2, K3;   at most 0.5 for K1, 30 times the null law for K2 and K3
//! ```
//!
//! The null law alone is for a self-model that is exact. What a few hundred samples teach of a machine is not:
//! on the recordings of a water circuit (SKAB, valve1, the even-numbered files) healthy minutes after warm-up stand
//! at 2 to 5 times the null law of K2, because temperatures leave the range that was learned. PLANT was chosen
//! there (balanced accuracy changes by less than 1 % between 6 and 8). Thresholds of a plant that matters are to be
//! calibrated on more of it: a few hundred samples cannot speak of one false alarm in 1e5.
//!
//! After warm-up B is frozen: a witness that goes on learning absorbs the fault that it should
//! find. A permanent change is taken in by an explicit [`rebaseline`](SelfModel::rebaseline).

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

use crate::lanes::{Sparse, larger, largest, smaller};
use crate::real::to;
use crate::surprise::{Alarm, Health, SHIFT, Statistics, Surprise};
use crate::witness::{Active, History, MEAN_OF, Moments, Stacked, Sums, Units, Witness};
use crate::{ConfigError, MAX_PHI, Real, Thresholds};

/// Fewest samples to learn from: in the last quarter of them K1 has its first values.
pub const MIN_WARM_UP: u32 = 64;

/// Least thresholds from warm-up, as multiples of the null law of K1, K2, K3: see the module.
const PLANT: [f64; 3] = [7.0, 7.0, 1.6];

/// Reach of a self-model without inputs, in deviations.
const REACH: f64 = 5.0;

/// Largest thresholds from warm-up: a witness that saw nothing move in three quarters of it is at a loss in the
/// last, and would call for thresholds that nothing reaches. Half of the power coherent is enough for any plant.
const MOST_K1: f64 = 0.5;

/// The same for K2 and K3, as a multiple of the null law.
const MOST: f64 = 30.0;

/// What a [`SelfModel`] is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfModelConfig<R> {
    /// Active outputs, 1 to `N`: what is foreseen, and may be to blame.
    pub outputs: usize,
    /// Active inputs, 0 to `U`: what helps to foresee, such as commands.
    pub inputs: usize,
    /// Samples to learn from, healthy ones, at least [`MIN_WARM_UP`].
    pub warm_up_samples: u32,
    /// Thresholds that are known, as from a calibration; else they come from warm-up.
    pub thresholds: Option<Thresholds<R>>,
    /// Thresholds from warm-up are this times the largest value in its last quarter, and no less
    /// than [`Thresholds::null`] times a factor of its own: see the module.
    pub threshold_factor: R,
    /// An alarm ends once surprise is below this, in (0, 1].
    pub release: R,
    /// Samples running over the thresholds before the alarm, at least 1.
    pub dwell_ticks: u32,
    /// Samples running below `release` before the alarm ends, at least 1.
    pub release_ticks: u32,
    /// Longest step, in mean steps of warm-up, over which a sample says something of the next.
    pub max_gap_steps: R,
    /// How far from its mean a level is followed in foreseeing other channels, in deviations, or to the farthest value
    /// of the warm-up where that is more. Infinity: as far as it goes. None: 5 where there are no inputs, infinity where
    /// there are.
    ///
    /// Without inputs nobody says why a level leaves the range that was learned, and what it then says of
    /// others is a guess. Where commands are known, as of a robot, the laws of motion hold beyond that range.
    pub reach: Option<R>,
    /// Ridge weight g against sums over rows, in units of the channels' deviations.
    pub ridge: R,
    /// Share of each innovation by which a witness' offset follows it while there is no surprise to speak
    /// of (below 0.5). 0: nothing is learned after warm-up.
    pub offset_rate: R,
}

impl<R: Real> Default for SelfModelConfig<R> {
    fn default() -> Self {
        Self {
            outputs: 1,
            inputs: 0,
            warm_up_samples: 400,
            thresholds: None,
            threshold_factor: R::of(2.0),
            release: R::of(0.8),
            dwell_ticks: 3,
            release_ticks: 5,
            max_gap_steps: R::of(10.0),
            reach: None,
            ridge: R::one(),
            offset_rate: R::zero(),
        }
    }
}

impl<R: Real> SelfModelConfig<R> {
    /// Deviations to which levels are followed. A million of them never come: what is farther off is broken.
    fn reach(&self) -> R {
        let most = R::of(2.0 * MAX_PHI);
        let auto = if self.inputs == 0 { R::of(REACH) } else { most };
        self.reach.unwrap_or(auto).min(most)
    }

    fn cast<S: Real>(self) -> SelfModelConfig<S> {
        SelfModelConfig {
            outputs: self.outputs,
            inputs: self.inputs,
            warm_up_samples: self.warm_up_samples,
            thresholds: self.thresholds.map(Thresholds::cast),
            threshold_factor: to(self.threshold_factor),
            release: to(self.release),
            dwell_ticks: self.dwell_ticks,
            release_ticks: self.release_ticks,
            max_gap_steps: to(self.max_gap_steps),
            reach: self.reach.map(to),
            ridge: to(self.ridge),
            offset_rate: to(self.offset_rate),
        }
    }

    fn validated<const N: usize, const U: usize>(self) -> Result<Self, ConfigError> {
        let (zero, one) = (R::zero(), R::one());
        if self.outputs == 0 || self.outputs > N {
            return Err(ConfigError::Channels {
                channels: self.outputs,
                capacity: N,
            });
        }
        if self.inputs > U {
            return Err(ConfigError::Inputs {
                inputs: self.inputs,
                capacity: U,
            });
        }
        if self.warm_up_samples < MIN_WARM_UP {
            return Err(ConfigError::WarmUp {
                samples: self.warm_up_samples,
                least: MIN_WARM_UP,
            });
        }
        if let Some(thresholds) = self.thresholds {
            thresholds.validated()?;
        }
        let release_usable = self.release > zero && self.release <= one;
        if !release_usable {
            return Err(ConfigError::Release {
                release: self.release.into(),
            });
        }
        if self.dwell_ticks == 0 || self.release_ticks == 0 {
            return Err(ConfigError::Dwell);
        }
        if let Some(reach) = self.reach
            && (reach.is_nan() || reach < zero)
        {
            return Err(ConfigError::SelfModel {
                name: "reach in deviations",
                value: reach.into(),
            });
        }
        for (name, value, least) in [
            ("threshold factor", self.threshold_factor, zero),
            ("longest gap in steps", self.max_gap_steps, one),
            ("ridge weight", self.ridge, zero),
            ("offset rate", self.offset_rate, zero),
        ] {
            let strict = name == "ridge weight";
            let usable = value.is_finite() && value >= least && !(strict && value == zero);
            if !usable {
                return Err(ConfigError::SelfModel {
                    name,
                    value: value.into(),
                });
            }
        }
        Ok(self)
    }
}

/// Why a warm-up could not be learned from. The next one has begun.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WarmUpError {
    /// No channel had two samples.
    #[error("no channel came during warm-up")]
    Nothing,
    /// The regression has no solution.
    #[error("the regression cannot be solved at regressor {regressor}")]
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

/// What one sample says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict<R, const N: usize> {
    /// The coherent part of what was not foreseen, 0 to 1; none until its windows have samples enough.
    pub k1: Option<R>,
    /// Its shift, about 1 while healthy; 0 before the first sample.
    pub k2: R,
    /// Its energy, about 1 while healthy; held while all channels are missing.
    pub k3: R,
    /// The second largest of K1, K2, K3 over their thresholds, at least 0; above 1 is a vote of two.
    pub surprise: R,
    /// 1/(1 + surprise): 1 = as foreseen, 0.5 = at the thresholds.
    pub coherence: R,
    /// The alarm: surprise above 1, with dwell and hysteresis.
    pub dissipated: bool,
    /// Mean over the lags of Re T of the innovations, short window, -1 to 1.
    pub t_emissary: Option<R>,
    /// The same, long window.
    pub t_master: Option<R>,
    /// `| |T_M| - |T_E| |`, 0 to 1.
    pub delta: Option<R>,
    /// Each channel's share of the surprise, with sum 1; all 0 where nothing stands out.
    pub blame: [R; N],
    /// The channel with the largest share.
    pub cause: Option<usize>,
}

impl<R: Real, const N: usize> Verdict<R, N> {
    pub(crate) fn cast<S: Real>(&self) -> Verdict<S, N> {
        Verdict {
            k1: self.k1.map(to),
            k2: to(self.k2),
            k3: to(self.k3),
            surprise: to(self.surprise),
            coherence: to(self.coherence),
            dissipated: self.dissipated,
            t_emissary: self.t_emissary.map(to),
            t_master: self.t_master.map(to),
            delta: self.delta.map(to),
            blame: self.blame.map(to),
            cause: self.cause,
        }
    }
}

/// The witness of one agent or instrument: `N` outputs and `U` inputs at most.
///
/// | `N`, `U` | float | state in kB | [`Trained`], in kB |
/// |---|---|---|---|
/// | 4, 0 | `f32` | 4 | 2 |
/// | 8, 0 | `f64` | 19 | 6 |
/// | 16, 0 | `f64` | 66 | 14 |
/// | 16, 8 | `f64` | 108 | 17 |
/// | 16, 12 | `f64` | 133 | 18 |
///
/// Most of the state is sums of the warm-up. Whoever can allocate keeps [`trained`](Self::trained) and drops the rest.
///
/// All samples of one kernel tick are pushed together. Windows count ticks, so the tick should be a
/// steady one; a channel that has nothing new at a tick is missing then, and never repeated. One that is missing
/// at most ticks is judged by K2 alone as long as its faults are moderate: pairs at lags of 1, 2 and 4 ticks
/// never come, and its energy is one among all the others'. Give such channels a self-model and a rate of their own.
///
/// ```
/// use becomingone_kernel::{SelfModel, SelfModelConfig};
///
/// let config = SelfModelConfig { outputs: 2, ..SelfModelConfig::default() };
/// let mut model = SelfModel::<f64, 2, 0>::new(config)?;
/// let mut noise = 1_u32;
/// let mut scatter = || {
///     noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
///     f64::from(noise >> 8) / f64::from(1 << 24) - 0.5
/// };
/// for k in 0..1000 {
///     // The second sensor freezes.
///     let speed = scatter();
///     let other = if k < 800 { speed + 0.1 * scatter() } else { 0.3 };
///     let verdict = model.push(&[Some(speed), Some(other)], &[], 0.02);
///     assert_eq!(verdict.is_some(), k >= 400);
///     if let Some(verdict) = verdict {
///         assert!(!verdict.dissipated || k >= 800);
///         assert!(verdict.dissipated || k < 850);
///     }
/// }
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SelfModel<R, const N: usize, const U: usize> {
    core: Trained<R, N, U>,
    learning: Learning<R, N, U>,
    error: Option<WarmUpError>,
}

/// A self-model after its warm-up, without the sums that it was learned from: for fleets. It goes on as the
/// [`SelfModel`] would that it was [taken from](SelfModel::trained), to the last bit: whoever can allocate puts it in
/// that one's place. What is asked of either has the same name in both; to learn anew, it makes a new
/// [`SelfModel`](Self::rebaselined).
///
/// ```
/// use becomingone_kernel::{SelfModel, SelfModelConfig, Trained, Verdict};
///
/// enum Witness {
///     WarmingUp(Box<SelfModel<f64, 16, 12>>),
///     Trained(Box<Trained<f64, 16, 12>>),
/// }
///
/// impl Witness {
///     fn push(&mut self, outputs: &[Option<f64>], dt_s: f64) -> Option<Verdict<f64, 16>> {
///         let (verdict, trained) = match self {
///             Self::Trained(model) => return model.push(outputs, &[], dt_s),
///             Self::WarmingUp(model) => (model.push(outputs, &[], dt_s), model.trained()),
///         };
///         if let Some(trained) = trained {
///             *self = Self::Trained(Box::new(trained));
///         }
///         verdict
///     }
///
///     fn rebaseline(&mut self) {
///         match self {
///             Self::WarmingUp(model) => model.rebaseline(),
///             Self::Trained(model) => *self = Self::WarmingUp(Box::new(model.rebaselined())),
///         }
///     }
/// }
///
/// let mut witness = Witness::WarmingUp(Box::new(SelfModel::new(SelfModelConfig::default())?));
/// for k in 1..=400_u32 {
///     witness.push(&[Some(f64::from(k * k % 7))], 0.02);
/// }
/// assert!(matches!(witness, Witness::Trained(_)));
/// assert!(size_of::<SelfModel<f64, 16, 12>>() > 6 * size_of::<Trained<f64, 16, 12>>());
/// witness.rebaseline();
/// assert!(witness.push(&[Some(3.0)], 0.02).is_none());
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
// Here, and in all that it is made of, fields lie in the order in which a push reads them: of thousands of self-models,
// which no cache holds, one costs a quarter less so.
#[repr(C)]
pub struct Trained<R, const N: usize, const U: usize> {
    config: SelfModelConfig<R>,
    counters: Counters,
    /// Sum and number of the steps that were no gaps.
    steps: (R, R),
    trained: bool,
    thresholds: Option<Thresholds<R>>,
    alarm: Alarm<R>,
    verdict: Option<Verdict<R, N>>,
    /// Longest wait for a sample of each channel in warm-up, in ticks.
    longest_age: [u32; N],
    /// Ticks for which each channel is not judged, after it was away for longer than that.
    settling: [u32; N],
    history: History<R, N, U>,
    /// The provisional one in the last quarter of warm-up, then the final one.
    watch: Option<Watch<R, N, U>>,
}

/// One tick as it was taken.
struct Tick<R, const N: usize, const U: usize> {
    /// What came, about the origins.
    y: Sparse<R, N>,
    /// Those of it that are judged, or learned from.
    targets: Sparse<R, N>,
    z: Stacked<R, N, U>,
    gap: bool,
    fresh: bool,
}

/// What did not enter, and how often it was begun anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Ticks that were taken.
    pub ticks: u64,
    /// Values that were NaN, infinite, or a million deviations off.
    pub broken: u64,
    /// Ticks that were not taken, because of their time step.
    pub dropped: u64,
    /// Steps longer than the longest gap.
    pub gaps: u64,
    /// Explicit new baselines.
    pub rebaselines: u64,
}

/// Sums of the warm-up.
#[derive(Clone, Debug, PartialEq)]
struct Learning<R, const N: usize, const U: usize> {
    ticks: u32,
    moments: Moments<R, N, U>,
    /// The rows in which a channel came back.
    returns: Sums<R, N, U>,
    /// EW of what outputs add and of regressors, and their sums of products.
    smooth: [R; N],
    smooth_z: Stacked<R, N, U>,
    smooth_moments: Moments<R, N, U>,
    largest: Thresholds<R>,
    /// Sum and number of the provisional witness' squared innovations, in the channels' own units.
    measured: [(R, R); N],
}

impl<R: Real, const N: usize, const U: usize> Learning<R, N, U> {
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

    /// Adds a row: the targets, and the regressors from which they may be foreseen.
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
        // Both began at 0, which is the first sample and need not be the mean: what b adds to a sample it adds to the
        // window as this fills, 1 - e^{-k/20} after k rows.
        let full = R::decay(self.moments.count() / R::of(SHIFT)).1;
        let smooth = self.smooth.map(Some);
        self.smooth_moments
            .add(&smooth, &self.smooth_z, &[false; N], full, active);
    }
}

/// Mean, about the origin, and deviation of channels, and how far from the mean is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Scale<R, const N: usize> {
    mean: [R; N],
    sd: [R; N],
    most: [R; N],
}

impl<R: Real, const N: usize> Scale<R, N> {
    /// Anything goes.
    fn unknown() -> Self {
        Self {
            mean: [R::zero(); N],
            sd: [R::one(); N],
            most: [R::infinity(); N],
        }
    }

    fn cast<S: Real>(&self) -> Scale<S, N> {
        Scale {
            mean: self.mean.map(to),
            sd: self.sd.map(to),
            most: self.most.map(to),
        }
    }

    fn set(&mut self, channel: usize, mean: R, sd: R) {
        (self.mean[channel], self.sd[channel]) = (mean, sd);
        self.most[channel] = R::of(MAX_PHI) * sd;
    }

    /// What came of the first `active` channels without what is broken, and how much that is.
    #[inline]
    fn sift(&self, values: &[Option<R>], active: usize, origin: &[R; N]) -> (Sparse<R, N>, R) {
        // Squares of what is learned from are summed up.
        let limit = R::MAX_POWER.sqrt() * R::of(1e-3);
        let mut came = Sparse::none();
        for (n, value) in values.iter().enumerate().take(active.min(N)) {
            if let Some(value) = value {
                came.set(n, *value);
            }
        }
        let mut whole = came;
        for n in 0..N {
            let x = came.value[n];
            // Both comparisons are false for NaN.
            let fits = (x.abs() <= limit) & ((x - origin[n] - self.mean[n]).abs() <= self.most[n]);
            whole.value[n] = if fits { x } else { R::zero() };
            whole.present[n] = if fits { came.present[n] } else { R::zero() };
        }
        (whole, came.count() - whole.count())
    }
}

/// A witness with the scale of its channels and its surprise.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
struct Watch<R, const N: usize, const U: usize> {
    outputs: Scale<R, N>,
    inputs: Scale<R, U>,
    /// Levels from which other channels are foreseen: the lowest and the highest.
    lowest: [R; N],
    highest: [R; N],
    constant: [bool; N],
    /// 1 for outputs that came.
    live: [R; N],
    witness: Witness<R, N, U>,
    surprise: Surprise<R, N>,
}

impl<R: Real, const N: usize, const U: usize> Watch<R, N, U> {
    /// What is foreseen, with levels kept within reach.
    #[inline]
    fn foresee(&self, config: &SelfModelConfig<R>, z: &Stacked<R, N, U>) -> [R; N] {
        let mut within = z.last;
        for n in 0..N {
            within[n] = smaller(larger(within[n], self.lowest[n]), self.highest[n]);
        }
        self.witness
            .foresee(config.outputs, config.inputs, &within, z)
    }

    fn cast<S: Real>(&self) -> Watch<S, N, U> {
        Watch {
            witness: self.witness.cast(),
            surprise: self.surprise.cast(),
            outputs: self.outputs.cast(),
            inputs: self.inputs.cast(),
            lowest: self.lowest.map(to),
            highest: self.highest.map(to),
            constant: self.constant,
            live: self.live.map(to),
        }
    }

    fn learn(
        config: &SelfModelConfig<R>,
        history: &History<R, N, U>,
        learning: &Learning<R, N, U>,
    ) -> Result<Self, WarmUpError> {
        let moments = &learning.moments;
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
            &learning.returns,
            &units,
            config.ridge,
        )
        .map_err(|regressor| WarmUpError::Regression { regressor })?;
        let mut covariance =
            moments.innovations(config.outputs, &witness, &units, &learning.returns);
        let shifts = learning.smooth_moments.innovations(
            config.outputs,
            &witness,
            &units,
            &learning.returns,
        );
        let mut whole = [false; N];
        for n in 0..config.outputs {
            let (sum, count) = learning.measured[n];
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

/// The deviation, unless it is what rounding leaves of a constant value.
fn usable_deviation<R: Real>(origin: R, mean: R, variance: R) -> Option<R> {
    let sd = variance.sqrt();
    let rounding = R::of(8.0) * R::epsilon() * (origin + mean).abs();
    (sd > rounding && variance > R::min_positive_value()).then_some(sd)
}

impl<R: Real, const N: usize, const U: usize> SelfModel<R, N, U> {
    /// A self-model that has seen nothing.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] that names the first field out of its range; see [`SelfModelConfig`].
    pub fn new(config: SelfModelConfig<R>) -> Result<Self, ConfigError> {
        let config = config.validated::<N, U>()?;
        Ok(Self::empty(config))
    }

    fn empty(config: SelfModelConfig<R>) -> Self {
        Self {
            core: Trained::empty(config),
            learning: Learning::new(),
            error: None,
        }
    }

    /// Takes one tick and says what it means; nothing while it warms up.
    ///
    /// One entry a channel, in the channel's own unit: `None` is missing, and so are channels beyond the
    /// end of the slice. NaN, infinity and what is a million deviations off are counted and taken as
    /// missing. A missing input keeps its last value. `dt_s` is the time since the last tick that
    /// was taken, in seconds; one that is zero, negative, infinite or NaN drops the tick, and the
    /// last verdict is given again.
    pub fn push(
        &mut self,
        outputs: &[Option<R>],
        inputs: &[Option<R>],
        dt_s: R,
    ) -> Option<Verdict<R, N>> {
        let Some(tick) = self.core.take(outputs, inputs, dt_s) else {
            return self.core.verdict;
        };
        if self.core.trained {
            self.core.go_on(&tick);
        } else {
            self.learn(&tick);
            self.core.history.keep(&tick.y, &Sparse::none());
        }
        self.core.verdict
    }

    /// The trained part by itself, as it is now; none before the end of warm-up. The rest may be dropped.
    pub fn trained(&self) -> Option<Trained<R, N, U>> {
        self.core.trained.then(|| self.core.clone())
    }

    fn learn(&mut self, tick: &Tick<R, N, U>) {
        let Tick { y, targets, z, .. } = tick;
        if !tick.fresh {
            let active = Active {
                outputs: self.core.config.outputs,
                inputs: self.core.config.inputs,
            };
            let mut returned = [false; N];
            for (n, returned) in returned.iter_mut().enumerate().take(active.outputs) {
                *returned = targets.has(n) && self.core.history.age(n) > 0;
            }
            self.learning
                .add(&y.options(), &targets.options(), z, &returned, active);
        }
        if self.core.watch.is_some() {
            let (_, r, said) = self.core.watch_over(targets, z, tick.gap);
            let largest = &mut self.learning.largest;
            largest.k1 = largest.k1.max(said.k1.unwrap_or(R::zero()));
            largest.k2 = largest.k2.max(said.k2);
            largest.k3 = largest.k3.max(said.k3);
            if let Some(watch) = &self.core.watch {
                for n in 0..N {
                    if let Some(r) = r.get(n) {
                        let own = r * watch.outputs.sd[n];
                        if own * own <= R::MAX_POWER * R::of(1e-6) {
                            self.learning.measured[n].0 += own * own;
                            self.learning.measured[n].1 += R::one();
                        }
                    }
                }
            }
        }
        self.learning.ticks += 1;
        let all = self.core.config.warm_up_samples;
        if self.learning.ticks == all / 2 || self.learning.ticks == all - all / 4 {
            // Where this is not enough to learn from, the whole may be.
            self.learning.largest = Thresholds::zero();
            self.core.watch =
                Watch::learn(&self.core.config, &self.core.history, &self.learning).ok();
        }
        if self.learning.ticks >= all {
            self.finish();
        }
    }

    fn finish(&mut self) {
        match Watch::learn(&self.core.config, &self.core.history, &self.learning) {
            Ok(watch) => {
                let null = Thresholds::null(watch.surprise.freedom());
                let measured = self
                    .learning
                    .largest
                    .times([self.core.config.threshold_factor; 3]);
                let least = null.times(PLANT.map(R::of));
                let most = null.times([MOST; 3].map(R::of));
                let found = Thresholds {
                    k1: measured.k1.max(least.k1).min(R::of(MOST_K1)),
                    k2: measured.k2.max(least.k2).min(most.k2),
                    k3: measured.k3.max(least.k3).min(most.k3),
                };
                self.core.thresholds = self.core.config.thresholds.or(Some(found));
                self.core.watch = Some(watch);
                self.core.trained = true;
                self.error = None;
            }
            Err(error) => {
                let counters = self.core.counters;
                *self = Self::empty(self.core.config);
                self.core.counters = counters;
                self.error = Some(error);
            }
        }
    }

    /// Whether warm-up is over.
    pub fn is_trained(&self) -> bool {
        self.core.trained
    }

    /// Why the last warm-up came to nothing; none while the first one runs, or once one succeeded.
    pub fn warm_up_error(&self) -> Option<WarmUpError> {
        self.error
    }

    /// Outputs that did not move during warm-up: they have a deviation of 1 in their own unit, and
    /// are taken to be steady. None before the end of warm-up.
    pub fn constant_channels(&self) -> impl Iterator<Item = usize> + '_ {
        self.core.constant_channels()
    }

    /// Outputs that did not come during warm-up: they take no part.
    pub fn absent_channels(&self) -> impl Iterator<Item = usize> + '_ {
        self.core.absent_channels()
    }

    /// Whether an output that comes now is judged: after a longer absence than in warm-up, its first samples are ones to
    /// foresee from, and one that comes back again and again never gets beyond that.
    pub fn judges(&self, output: usize) -> bool {
        self.core.judges(output)
    }

    /// The thresholds in use; none before the end of warm-up.
    pub fn thresholds(&self) -> Option<Thresholds<R>> {
        self.core.thresholds()
    }

    /// Sets the thresholds, as from a calibration: see [`SelfModelConfig::thresholds`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Threshold`] of one that is not a positive, finite number.
    pub fn set_thresholds(&mut self, thresholds: Thresholds<R>) -> Result<(), ConfigError> {
        self.core.set_thresholds(thresholds)
    }

    /// The last verdict.
    pub fn verdict(&self) -> Option<&Verdict<R, N>> {
        self.core.verdict()
    }

    /// What was foreseen wrongly, dropped, and begun anew.
    pub fn counters(&self) -> Counters {
        self.core.counters()
    }

    /// The configuration.
    pub fn config(&self) -> &SelfModelConfig<R> {
        self.core.config()
    }

    /// Forgets what is healthy and learns it anew from the next samples: for a person or a
    /// supervisor who says that a change is there to stay. There is no verdict meanwhile.
    pub fn rebaseline(&mut self) {
        *self = self.core.rebaselined();
    }

    /// Back to the state after [`new`](Self::new), counters included.
    pub fn reset(&mut self) {
        *self = Self::empty(self.core.config);
    }
}

impl<R: Real, const N: usize, const U: usize> Trained<R, N, U> {
    fn empty(config: SelfModelConfig<R>) -> Self {
        Self {
            config,
            history: History::new(config.outputs, config.inputs),
            longest_age: [0; N],
            settling: [0; N],
            steps: (R::zero(), R::zero()),
            watch: None,
            trained: false,
            thresholds: None,
            alarm: Self::calm(&config),
            verdict: None,
            counters: Counters::default(),
        }
    }

    /// In another float, and about the channels' origins: those of outputs, and of inputs.
    pub(crate) fn cast<S: Real>(&self) -> (Trained<S, N, U>, [R; N], [R; U]) {
        let (origins, input_origins) = self.history.origins();
        let cast = Trained {
            config: self.config.cast(),
            history: self.history.cast(),
            longest_age: self.longest_age,
            settling: self.settling,
            steps: (to(self.steps.0), to(self.steps.1)),
            watch: self.watch.as_ref().map(Watch::cast),
            trained: self.trained,
            thresholds: self.thresholds.map(Thresholds::cast),
            alarm: self.alarm.cast(),
            verdict: self.verdict.as_ref().map(Verdict::cast),
            counters: self.counters,
        };
        (cast, *origins, *input_origins)
    }

    /// Takes one tick and says what it means: see [`SelfModel::push`].
    pub fn push(
        &mut self,
        outputs: &[Option<R>],
        inputs: &[Option<R>],
        dt_s: R,
    ) -> Option<Verdict<R, N>> {
        if let Some(tick) = self.take(outputs, inputs, dt_s) {
            self.go_on(&tick);
        }
        self.verdict
    }

    /// The tick as it is worked with; none where its time step is unusable.
    #[inline(always)]
    fn take(
        &mut self,
        outputs: &[Option<R>],
        inputs: &[Option<R>],
        dt_s: R,
    ) -> Option<Tick<R, N, U>> {
        let usable = dt_s > R::zero() && dt_s.is_finite();
        if !usable {
            self.counters.dropped += 1;
            return None;
        }
        self.counters.ticks += 1;
        let gap = self.take_step(dt_s);
        let (y, u) = self.whole(outputs, inputs);
        let y = self.history.about_origin(&y);
        let z = self.history.regressors(&u);
        let fresh = gap || !self.history.is_full();
        let mut targets = y;
        if !self.trained || self.is_settling() {
            for n in 0..self.config.outputs {
                let judged = if self.trained {
                    self.is_settled(n, y.has(n))
                } else {
                    self.history.seen_before(n)
                };
                if !judged {
                    (targets.value[n], targets.present[n]) = (R::zero(), R::zero());
                } else if !fresh && !self.trained && targets.has(n) {
                    self.longest_age[n] = self.longest_age[n].max(self.history.age(n));
                }
            }
        }
        if fresh {
            targets = Sparse::none();
        }
        Some(Tick {
            y,
            targets,
            z,
            gap,
            fresh,
        })
    }

    /// A tick after warm-up.
    #[inline]
    fn go_on(&mut self, tick: &Tick<R, N, U>) {
        let mut expected = Sparse::none();
        let foreseen = self.judge(&tick.targets, &tick.z, tick.gap);
        if tick.y.count() < R::of(self.config.outputs as f64) {
            // As warm-up had it, a short absence leaves the last value; after a longer one it says nothing.
            for n in 0..self.config.outputs {
                if !tick.y.has(n)
                    && self.history.age(n) >= self.longest_age[n]
                    && let Some(x) = self.expected(n, foreseen[n])
                {
                    expected.set(n, x);
                }
            }
        }
        self.history.keep(&tick.y, &expected);
    }

    /// Whether any channel was away at the last tick, or is not judged since it was.
    #[inline]
    fn is_settling(&self) -> bool {
        let waits = self.settling.iter().fold(0, |all, &wait| all | wait);
        waits != 0 || !self.history.is_current()
    }

    /// Whether a channel can be judged at this tick: once it was away for longer than in warm-up, its
    /// first samples are ones to foresee from.
    fn is_settled(&mut self, channel: usize, present: bool) -> bool {
        let settling = &mut self.settling[channel];
        *settling = settling.saturating_sub(1);
        if present && self.history.age(channel) > self.longest_age[channel] {
            *settling = MEAN_OF as u32;
        }
        *settling == 0
    }

    /// Whether this step is a gap.
    fn take_step(&mut self, dt_s: R) -> bool {
        let (sum, count) = self.steps;
        let settled = count >= R::of(8.0);
        let gap = settled && dt_s > self.config.max_gap_steps * sum / count;
        if gap {
            self.counters.gaps += 1;
            self.history.forget_ring();
        } else if !self.trained {
            self.steps = (sum + dt_s, count + R::one());
        }
        gap
    }

    /// What came, without what is broken.
    #[inline]
    fn whole(
        &mut self,
        outputs: &[Option<R>],
        inputs: &[Option<R>],
    ) -> (Sparse<R, N>, Sparse<R, U>) {
        let SelfModelConfig {
            outputs: of_outputs,
            inputs: of_inputs,
            ..
        } = self.config;
        let (y_origin, u_origin) = self.history.origins();
        let ((y, y_broken), (u, u_broken)) = match &self.watch {
            Some(watch) if self.trained => (
                watch.outputs.sift(outputs, of_outputs, y_origin),
                watch.inputs.sift(inputs, of_inputs, u_origin),
            ),
            _ => (
                Scale::unknown().sift(outputs, of_outputs, y_origin),
                Scale::unknown().sift(inputs, of_inputs, u_origin),
            ),
        };
        self.counters.broken += (y_broken + u_broken).to_u64().unwrap_or(0);
        (y, u)
    }

    /// What was foreseen, the innovations, in deviations, and what the statistics make of them.
    fn watch_over(
        &mut self,
        targets: &Sparse<R, N>,
        z: &Stacked<R, N, U>,
        gap: bool,
    ) -> ([R; N], Sparse<R, N>, Statistics<R, N>) {
        let zero = R::zero();
        let mut r = Sparse::none();
        let Some(watch) = &mut self.watch else {
            return ([R::zero(); N], r, Statistics::none());
        };
        let foreseen = watch.foresee(&self.config, z);
        for n in 0..N {
            let off = (targets.value[n] - foreseen[n]) / watch.outputs.sd[n];
            let usable =
                (targets.present[n] * watch.live[n] > zero) & (off.abs() <= R::of(1e3 * MAX_PHI));
            r.value[n] = if usable { off } else { zero };
            r.present[n] = if usable { R::one() } else { zero };
        }
        let said = watch.surprise.push(&r, gap);
        (foreseen, r, said)
    }

    /// What can be expected of a channel, about its origin, from what was foreseen; none where nothing can be said.
    fn expected(&self, channel: usize, foreseen: R) -> Option<R> {
        let watch = self.watch.as_ref()?;
        let live = watch.live[channel] > R::zero();
        if !live || self.history.is_one_way(channel) {
            return None;
        }
        let (mean, sd) = (watch.outputs.mean[channel], watch.outputs.sd[channel]);
        let most = sd * R::of(REACH);
        // Nothing but the mean can be expected of a channel that comes at times only: what was
        // learned of it is how far it moves from one sample of its own to the next.
        let x = if self.longest_age[channel] == 0 {
            foreseen
        } else {
            mean
        };
        // Foreseen from what was foreseen of it, it might end anywhere.
        Some(x.max(mean - most).min(mean + most))
    }

    /// Sets the verdict. Gives what was foreseen.
    #[inline]
    fn judge(&mut self, targets: &Sparse<R, N>, z: &Stacked<R, N, U>, gap: bool) -> [R; N] {
        let Some(thresholds) = self.thresholds else {
            return [R::zero(); N];
        };
        let (foreseen, r, said) = self.watch_over(targets, z, gap);
        let [a, b, c] = [
            said.k1.unwrap_or(R::zero()) / thresholds.k1,
            said.k2 / thresholds.k2,
            said.k3 / thresholds.k3,
        ];
        // The second largest.
        let surprise = larger(smaller(a, b), smaller(larger(a, b), c));
        let dissipated = self.alarm.update(surprise);
        let blame = match &self.watch {
            Some(watch) => watch.surprise.blame(&said, &thresholds),
            None => [R::zero(); N],
        };
        // The first of the largest shares.
        let most = largest(&blame);
        let mut first = N;
        for n in (0..N).rev() {
            first = if blame[n] == most { n } else { first };
        }
        let cause = (most > R::zero()).then_some(first);
        self.verdict = Some(Verdict {
            k1: said.k1,
            k2: said.k2,
            k3: said.k3,
            surprise,
            coherence: R::one() / (R::one() + surprise),
            dissipated,
            t_emissary: said.t_emissary,
            t_master: said.t_master,
            delta: said
                .t_emissary
                .zip(said.t_master)
                .map(|(e, m)| (m.abs() - e.abs()).abs()),
            blame,
            cause,
        });
        let rate = self.config.offset_rate;
        if rate > R::zero()
            && surprise < R::of(0.5)
            && !dissipated
            && let Some(watch) = &mut self.watch
        {
            for n in 0..N {
                if let Some(r) = r.get(n) {
                    watch.witness.shift(n, rate * r * watch.outputs.sd[n]);
                }
            }
        }
        foreseen
    }

    /// Outputs that did not move during warm-up: see [`SelfModel::constant_channels`].
    pub fn constant_channels(&self) -> impl Iterator<Item = usize> + '_ {
        self.outputs_where(|watch, n| watch.constant[n])
    }

    /// Outputs that did not come during warm-up: they take no part.
    pub fn absent_channels(&self) -> impl Iterator<Item = usize> + '_ {
        self.outputs_where(|watch, n| watch.live[n] == R::zero())
    }

    fn outputs_where(
        &self,
        of: impl Fn(&Watch<R, N, U>, usize) -> bool,
    ) -> impl Iterator<Item = usize> {
        let watch = self.watch.as_ref().filter(|_| self.trained);
        (0..self.config.outputs).filter(move |&n| watch.is_some_and(|watch| of(watch, n)))
    }

    /// Whether an output that comes now is judged: see [`SelfModel::judges`].
    pub fn judges(&self, output: usize) -> bool {
        self.trained && self.settling.get(output) == Some(&0)
    }

    /// An output's part of the energy that K3 is: its mean over 10 samples, 1 while healthy. 0 of what takes no part, and
    /// before the end of warm-up.
    pub fn energy(&self, output: usize) -> R {
        let watch = self.watch.as_ref().filter(|_| self.trained);
        watch.map_or(R::zero(), |watch| watch.surprise.energy(output))
    }

    /// The thresholds in use.
    pub fn thresholds(&self) -> Option<Thresholds<R>> {
        self.thresholds
    }

    /// Sets the thresholds: see [`SelfModel::set_thresholds`]. They are kept when it learns anew.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Threshold`] of one that is not a positive, finite number.
    pub fn set_thresholds(&mut self, thresholds: Thresholds<R>) -> Result<(), ConfigError> {
        self.config.thresholds = Some(thresholds.validated()?);
        if self.trained {
            self.thresholds = self.config.thresholds;
        }
        Ok(())
    }

    /// The last verdict; none before the first tick after warm-up.
    pub fn verdict(&self) -> Option<&Verdict<R, N>> {
        self.verdict.as_ref()
    }

    /// What was foreseen wrongly, dropped, and begun anew, warm-up included.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The configuration.
    pub fn config(&self) -> &SelfModelConfig<R> {
        &self.config
    }

    /// Forgets what surprised it, and nothing of what it learned: surprise begins as after warm-up, no alarm is on, and
    /// there is no verdict before the next tick.
    ///
    /// For when it is known that what came until now was broken, and that it no longer comes: a large surprise is
    /// remembered long, the square of `a` deviations for `20 ln a` ticks.
    pub fn forget(&mut self) {
        if let Some(watch) = &mut self.watch {
            watch.surprise.forget();
        }
        self.alarm = Self::calm(&self.config);
        self.verdict = None;
    }

    fn calm(config: &SelfModelConfig<R>) -> Alarm<R> {
        Alarm::new(config.release, config.dwell_ticks, config.release_ticks)
    }

    /// A self-model that learns anew, with the same configuration, and goes on with the counters: see
    /// [`SelfModel::rebaseline`].
    pub fn rebaselined(&self) -> SelfModel<R, N, U> {
        let mut anew = SelfModel::empty(self.config);
        anew.core.counters = self.counters;
        anew.core.counters.rebaselines += 1;
        anew
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::mem::size_of;
    use rand_distr::{Distribution, StandardNormal};
    use rand_pcg::Pcg64;
    use rand_pcg::rand_core::SeedableRng;

    #[test]
    fn a_slow_channel_is_foreseen_as_well_as_a_fast_one() -> Result<(), ConfigError> {
        for every in [1, 3, 10] {
            let mut rng = Pcg64::seed_from_u64(1);
            let mut noise = || -> f64 { StandardNormal.sample(&mut rng) };
            let mut model = SelfModel::<f64, 2, 0>::new(SelfModelConfig {
                outputs: 2,
                warm_up_samples: 4000,
                ..SelfModelConfig::default()
            })?;
            let mut v = 0.0;
            let (mut sum, mut count) = (0.0, 0.0);
            for k in 0..24_000 {
                v += -0.02 * v + 0.1 * noise();
                let slow = (k % every == 0).then(|| 5.0 * v + 0.5 * noise());
                if let Some(x) = slow
                    && model.core.trained
                    && let Some(watch) = &model.core.watch
                {
                    let z = model.core.history.clone().regressors(&Sparse::none());
                    let foreseen = watch.foresee(&model.core.config, &z)[1];
                    let off = (x - model.core.history.origin(1) - foreseen) / watch.outputs.sd[1];
                    sum += off * off;
                    count += 1.0;
                }
                model.push(&[Some(v + 0.05 * noise()), slow], &[], 0.02);
            }
            let Some(watch) = &model.core.watch else {
                continue;
            };
            // From v as it was, v is off by 0.1, and said to within 0.05; times 5, with 0.5 besides.
            let best = (5.0 * 0.1_f64).powi(2) + 0.5_f64.powi(2);
            let worst = best + (5.0 * 0.05_f64).powi(2);
            let found = sum / count;
            let scale = watch.outputs.sd[1] * watch.outputs.sd[1];
            let said = watch.surprise.variance(1);
            assert!(
                found * scale > 0.95 * best && found * scale < 1.05 * worst,
                "{every}"
            );
            assert!((said / found - 1.0).abs() < 0.1, "{every}: {said} {found}");
        }
        Ok(())
    }

    #[test]
    fn trained_goes_on_as_the_self_model_does() -> Result<(), ConfigError> {
        let mut rng = Pcg64::seed_from_u64(2);
        let mut model = SelfModel::<f64, 4, 2>::new(SelfModelConfig {
            outputs: 3,
            inputs: 1,
            offset_rate: 1e-3,
            ..SelfModelConfig::default()
        })?;
        let mut trained = None;
        for k in 0..4000_u32 {
            let mut noise = || -> f64 { StandardNormal.sample(&mut rng) };
            // The second output is slow, the third does not move; some are missing, for long at times, or broken.
            let away = k % 300 > 250 && k > 400;
            let outputs = [
                (k % 17 != 5 && !away).then(&mut noise),
                (k % 3 == 0).then(|| 20.0 + noise()),
                Some(if k % 400 == 399 { f64::NAN } else { 7.0 }),
            ];
            let inputs = [(k % 5 != 0).then(noise)];
            let dt_s = match k % 500 {
                400 => 1.0,
                401 => -1.0,
                _ => 0.02,
            };
            let said = model.push(&outputs, &inputs, dt_s);
            if let Some(trained) = &mut trained {
                let trained: &mut Trained<f64, 4, 2> = trained;
                assert_eq!(trained.push(&outputs, &inputs, dt_s), said, "{k}");
                assert_eq!(trained.verdict(), model.verdict());
                assert_eq!(trained.counters(), model.counters());
                if k == 2000 {
                    let thresholds = Thresholds::null(3);
                    assert_eq!(model.set_thresholds(thresholds), Ok(()));
                    assert_eq!(trained.set_thresholds(thresholds), Ok(()));
                    assert_eq!(trained.set_thresholds(Thresholds::zero()).ok(), None);
                }
                assert_eq!(trained.thresholds(), model.thresholds());
            } else {
                trained = model.trained();
                assert_eq!(trained.is_some(), said.is_some() || model.is_trained());
            }
        }
        let Some(trained) = trained else {
            return Ok(());
        };
        let counters = trained.counters();
        assert!(counters.broken > 0 && counters.gaps > 0 && counters.dropped > 0);
        assert!(trained.constant_channels().eq(model.constant_channels()));
        assert!(trained.constant_channels().eq([2]));
        assert!(trained.absent_channels().eq(model.absent_channels()));
        let anew = trained.rebaselined();
        model.rebaseline();
        assert!(anew == model && anew.config() == trained.config());
        Ok(())
    }

    #[test]
    fn what_surprised_it_is_forgotten_and_what_it_learned_is_not() -> Result<(), ConfigError> {
        let mut rng = Pcg64::seed_from_u64(3);
        let mut model = SelfModel::<f64, 2, 0>::new(SelfModelConfig {
            outputs: 2,
            ..SelfModelConfig::default()
        })?;
        let mut tick = |off: f64| -> [Option<f64>; 2] {
            [off, 0.0].map(|off| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                Some(off + noise)
            })
        };
        while !model.is_trained() {
            model.push(&tick(0.0), &[], 0.02);
        }
        let Some(mut trained) = model.trained() else {
            return Ok(());
        };
        for _ in 0..10 {
            trained.push(&tick(1e4), &[], 0.02);
        }
        let mut goes_on = trained.clone();
        trained.forget();
        assert_eq!(trained.verdict(), None);
        // What it holds of the channels' past is still of the fault, for as many ticks as it looks back.
        for _ in 0..20 {
            trained.push(&tick(0.0), &[], 0.02);
            goes_on.push(&tick(0.0), &[], 0.02);
        }
        trained.forget();
        for k in 0..100 {
            let healthy = tick(0.0);
            let said = trained.push(&healthy, &[], 0.02);
            assert!(
                said.is_some_and(|v| v.surprise < 1.0 && !v.dissipated),
                "{k}: {said:?}"
            );
            let said = goes_on.push(&healthy, &[], 0.02);
            assert!(
                k > 20 || said.is_some_and(|v| v.dissipated),
                "{k}: {said:?}"
            );
        }
        // A fault is found as ever.
        for _ in 0..10 {
            trained.push(&tick(1e4), &[], 0.02);
        }
        assert!(trained.verdict().is_some_and(|v| v.dissipated));
        Ok(())
    }

    #[test]
    fn a_state_is_as_large_as_its_documentation_says() {
        let sizes = [
            size_of::<SelfModel<f32, 4, 0>>(),
            size_of::<SelfModel<f64, 8, 0>>(),
            size_of::<SelfModel<f64, 16, 0>>(),
            size_of::<SelfModel<f64, 16, 8>>(),
            size_of::<SelfModel<f64, 16, 12>>(),
            size_of::<Trained<f32, 4, 0>>(),
            size_of::<Trained<f64, 8, 0>>(),
            size_of::<Trained<f64, 16, 0>>(),
            size_of::<Trained<f64, 16, 8>>(),
            size_of::<Trained<f64, 16, 12>>(),
        ];
        assert_eq!(
            sizes.map(|bytes| bytes.div_ceil(1000)),
            [4, 19, 66, 108, 133, 2, 6, 14, 17, 18]
        );
    }
}
