//! [`SelfModel`]: the one-step predictor of a machine and the statistics of its residual: raw samples in, a
//! [`Verdict`] out.
//!
//! ```text
//! outputs --> standardise --> predict --> r = innovation --> K1, K2, K3 --> mean over thresholds
//! inputs  ---------------------^               |                                |
//!                                              +--> isolation           alarm, coherence
//! ```
//!
//! A [`Trainer`] fits it during warm-up. It can compute in another number type than its values have:
//!
//! ```text
//! y' = (y - origin) rounded to f32,   |y' - (y - origin)| <= 2^-24 |y - origin|
//!
//! y in f64 --> (-) --> f32 --> all the rest in f32
//!               ^
//!               | each channel's first value, in f64
//! ```
//!
//! Memory traffic dominates the cost of thousands of self-models, and `f32` halves it. Warm-up needs `f64`, whose sums
//! run over many rows. Afterwards each number is used for one sample, and `f32` has digits enough once
//! a channel's level is subtracted: of an air pressure of 101325 Pa known to 1 Pa, five digits carry no information.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

mod trainer;

pub use trainer::{MIN_WARM_UP, Trainer, WarmUpError};

use crate::lanes::{Sparse, larger, largest, smaller};
use crate::real::to;
use crate::surprise::{Alarm, Statistics, Surprise};
use crate::witness::{History, MEAN_OF, Origins, Stacked, Witness};
use crate::{ConfigError, MAX_PHI, Real, Thresholds};

/// Default clamp of levels without inputs, in deviations.
const REACH: f64 = 5.0;

/// Configuration of a [`Trainer`] and its [`SelfModel`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SelfModelConfig<R> {
    /// Active outputs, 1 to `N`: predicted channels, any of which may be isolated as faulty.
    pub outputs: usize,
    /// Active inputs, 0 to `U`: regressors such as commands, never predicted.
    pub inputs: usize,
    /// Number of healthy samples to learn from, at least [`MIN_WARM_UP`].
    pub warm_up_samples: u32,
    /// Known thresholds, as from a calibration; otherwise they come from warm-up.
    pub thresholds: Option<Thresholds<R>>,
    /// Thresholds from warm-up are this times the largest value in its last quarter, and no less
    /// than [`Thresholds::null`] times a fixed factor: see the source of [`Trainer`].
    pub threshold_factor: R,
    /// An alarm ends once surprise is below this, in (0, 1].
    pub release: R,
    /// Consecutive samples above the thresholds before the alarm starts, at least 1.
    pub dwell_ticks: u32,
    /// Consecutive samples below `release` before the alarm ends, at least 1.
    pub release_ticks: u32,
    /// Longest step, in mean steps of warm-up, that is not a gap.
    pub max_gap_steps: R,
    /// Clamp of a level as a regressor of other channels, in deviations from its mean; the farthest value
    /// of the warm-up where that is more. Infinity: no clamp. None: 5 without inputs, infinity with inputs.
    ///
    /// Without inputs nothing explains why a level leaves the range seen in warm-up, and extrapolating its influence on
    /// other channels is a guess. Where commands are known, as of a robot, the laws of motion hold beyond that range.
    pub reach: Option<R>,
    /// Ridge weight g against sums over rows, in units of the channels' deviations.
    pub ridge: R,
    /// Share of each innovation that is added to the predictor's offset while surprise is below 0.5. 0: nothing is
    /// adapted after warm-up.
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
    /// Clamp in deviations. A million are never reached: such a value is broken.
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

/// Statistics, alarm and isolation of one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict<R, const N: usize> {
    /// Residual autocorrelation, 0 to 1; none until its windows have enough samples.
    pub k1: Option<R>,
    /// Mean shift of the residual (MEWMA), about 1 while healthy; 0 before the first sample.
    pub k2: R,
    /// Energy of the residual (windowed NIS), about 1 while healthy; held while all channels are missing.
    pub k3: R,
    /// The mean of K1, K2, K3, each over its threshold, at least 0; above 1 it raises the alarm.
    pub surprise: R,
    /// 1/(1 + surprise): 1 = no residual, 0.5 = at the thresholds.
    pub coherence: R,
    /// The alarm: surprise above 1, with dwell and hysteresis.
    pub dissipated: bool,
    /// Mean over the lags of Re T of the innovations, short window, -1 to 1.
    pub t_emissary: Option<R>,
    /// The same, long window.
    pub t_master: Option<R>,
    /// `| |T_M| - |T_E| |`, 0 to 1.
    pub delta: Option<R>,
    /// Fault isolation: each channel's share of the surprise, with sum 1; all 0 if no channel stands out.
    pub blame: [R; N],
    /// The isolated channel: the one with the largest share.
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

/// A trained self-model of one agent or instrument: predicts each sample, and evaluates the residual. `N`
/// outputs and `U` inputs at most.
///
/// It computes in `R` and takes values in `V`: [`Trainer::trained`] gives it in either. In `f32` for values in `f64` its
/// statistics agree with those in `f64` to about 1e-4, so that an alarm may start or end a sample earlier or later.
///
/// ```
/// use becomingone_kernel::{SelfModel, SelfModelConfig, Trainer, Verdict};
///
/// enum Monitored {
///     WarmUp(Box<Trainer<f64, 16, 12>>),
///     Trained(SelfModel<f32, 16, 12, f64>),
/// }
///
/// impl Monitored {
///     fn push(&mut self, outputs: &[Option<f64>], dt_s: f64) -> Option<Verdict<f32, 16>> {
///         match self {
///             Self::Trained(model) => model.push(outputs, &[], dt_s),
///             Self::WarmUp(trainer) => {
///                 trainer.push(outputs, &[], dt_s);
///                 *self = Self::Trained(trainer.trained()?);
///                 None
///             }
///         }
///     }
/// }
///
/// let pressure_pa = |k: u32| [Some(101_325.0 + 0.1 * f64::from(k * k % 7))];
/// let mut trainer = Trainer::new(SelfModelConfig::default())?;
/// let mut monitored = Monitored::WarmUp(Box::new(trainer.clone()));
/// for k in 1..=800 {
///     let exact = trainer.push(&pressure_pa(k), &[], 0.02);
///     let nearly = monitored.push(&pressure_pa(k), 0.02);
///     if let (Some(exact), Some(nearly)) = (exact, nearly) {
///         assert!((exact.k2 - f64::from(nearly.k2)).abs() < 1e-3);
///     }
/// }
/// assert!(matches!(monitored, Monitored::Trained(_)));
/// assert!(size_of::<Trainer<f64, 16, 12>>() > 13 * size_of::<SelfModel<f32, 16, 12, f64>>());
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
// Here and in its parts, fields are in the order in which a push reads them: for thousands of self-models, more
// than a cache holds, this saves a quarter of the time.
#[repr(C)]
pub struct SelfModel<R, const N: usize, const U: usize, V = R> {
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
    /// Ticks for which each channel is excluded, after it was missing for longer than that.
    settling: [u32; N],
    history: History<R, N, U, V>,
    /// The provisional one in the last quarter of warm-up, then the final one.
    watch: Option<Watch<R, N, U>>,
}

/// One accepted tick.
struct Tick<R, const N: usize, const U: usize> {
    /// Present values, about the origins.
    y: Sparse<R, N>,
    /// Values that are evaluated, or learned from.
    targets: Sparse<R, N>,
    z: Stacked<R, N, U>,
    gap: bool,
    fresh: bool,
}

/// Number of ticks, and of samples that were not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Accepted ticks.
    pub ticks: u64,
    /// Values that were NaN, infinite, or a million deviations off.
    pub broken: u64,
    /// Ticks dropped because of their time step.
    pub dropped: u64,
    /// Steps longer than the longest gap.
    pub gaps: u64,
    /// Explicit new baselines.
    pub rebaselines: u64,
}

/// Mean, about the origin, deviation, and the largest valid distance from the mean, by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Scale<R, const N: usize> {
    mean: [R; N],
    sd: [R; N],
    most: [R; N],
}

impl<R: Real, const N: usize> Scale<R, N> {
    /// No scale yet: any value is valid.
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

    /// Present values of the first `active` channels about their origins, without broken ones, and how many were broken.
    /// The first value of a channel is its origin.
    #[inline]
    fn sift<V: Real>(
        &self,
        values: &[Option<V>],
        active: usize,
        origins: &mut Origins<R, N, V>,
    ) -> (Sparse<R, N>, R) {
        // Squares of warm-up samples are summed up.
        let limit = R::MAX_POWER.sqrt() * R::of(1e-3);
        let mut came = [V::zero(); N];
        let mut whole = Sparse::none();
        for (n, value) in values.iter().enumerate().take(active.min(N)) {
            if let Some(value) = value {
                (came[n], whole.present[n]) = (*value, R::one());
            }
        }
        let number = whole.count();
        let mut first = false;
        for n in 0..N {
            let x: R = to(came[n] - origins.value[n]);
            // Both comparisons are false for NaN.
            let fits = (x.abs() <= limit) & ((x - self.mean[n]).abs() <= self.most[n]);
            let present = if fits { whole.present[n] } else { R::zero() };
            whole.value[n] = if fits { x * present } else { R::zero() };
            whole.present[n] = present;
            first |= present > origins.present[n];
        }
        if first {
            for n in 0..N {
                if whole.has(n) && origins.present[n] == R::zero() {
                    (origins.value[n], origins.present[n]) = (came[n], R::one());
                    whole.value[n] = R::zero();
                }
            }
        }
        (whole, number - whole.count())
    }
}

/// A predictor with the scale of its channels and its statistics.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
struct Watch<R, const N: usize, const U: usize> {
    outputs: Scale<R, N>,
    inputs: Scale<R, U>,
    /// Clamps of levels as regressors of other channels.
    lowest: [R; N],
    highest: [R; N],
    constant: [bool; N],
    /// 1 for outputs with samples in warm-up.
    live: [R; N],
    witness: Witness<R, N, U>,
    surprise: Surprise<R, N>,
}

impl<R: Real, const N: usize, const U: usize> Watch<R, N, U> {
    /// The prediction, with levels clamped.
    #[inline]
    fn predict(&self, config: &SelfModelConfig<R>, z: &Stacked<R, N, U>) -> [R; N] {
        let mut within = z.last;
        for n in 0..N {
            within[n] = smaller(larger(within[n], self.lowest[n]), self.highest[n]);
        }
        self.witness
            .predict(config.outputs, config.inputs, &within, z)
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
}

impl<R: Real, const N: usize, const U: usize, V: Real> SelfModel<R, N, U, V> {
    fn empty(config: SelfModelConfig<R>, counters: Counters) -> Self {
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
            counters,
        }
    }

    /// The same model computing in another number type.
    fn cast<S: Real>(&self) -> SelfModel<S, N, U, V> {
        SelfModel {
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
        }
    }

    /// Processes one tick and returns its verdict: see [`Trainer::push`]. None if it is not trained, and before the
    /// first tick after [`forget`](Self::forget).
    pub fn push(
        &mut self,
        outputs: &[Option<V>],
        inputs: &[Option<V>],
        dt_s: V,
    ) -> Option<Verdict<R, N>> {
        if let Some(tick) = self.take(outputs, inputs, dt_s) {
            self.go_on(&tick);
        }
        self.verdict
    }

    /// The tick as it is processed; none if its time step is invalid.
    #[inline(always)]
    fn take(
        &mut self,
        outputs: &[Option<V>],
        inputs: &[Option<V>],
        dt_s: V,
    ) -> Option<Tick<R, N, U>> {
        let dt_s: R = to(dt_s);
        let usable = dt_s > R::zero() && dt_s.is_finite();
        if !usable {
            self.counters.dropped += 1;
            return None;
        }
        self.counters.ticks += 1;
        let gap = self.take_step(dt_s);
        let (y, u) = self.whole(outputs, inputs);
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
        let predicted = self.judge(&tick.targets, &tick.z, tick.gap);
        if tick.y.count() < R::of(self.config.outputs as f64) {
            // As in warm-up, the last value is held over a short absence; after a longer one it is not used.
            for n in 0..self.config.outputs {
                if !tick.y.has(n)
                    && self.history.age(n) >= self.longest_age[n]
                    && let Some(x) = self.expected(n, predicted[n])
                {
                    expected.set(n, x);
                }
            }
        }
        self.history.keep(&tick.y, &expected);
    }

    /// Whether any channel was missing at the last tick, or is still excluded.
    #[inline]
    fn is_settling(&self) -> bool {
        let waits = self.settling.iter().fold(0, |all, &wait| all | wait);
        waits != 0 || !self.history.is_current()
    }

    /// Whether a channel can be evaluated at this tick: after a longer absence than any in warm-up, its first
    /// samples only refill the predictor.
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
        } else if !self.trained && (sum + dt_s).is_finite() {
            // Steps whose sum is out of range say nothing of the mean.
            self.steps = (sum + dt_s, count + R::one());
        }
        gap
    }

    /// Present values about their origins, without broken ones.
    #[inline]
    fn whole(
        &mut self,
        outputs: &[Option<V>],
        inputs: &[Option<V>],
    ) -> (Sparse<R, N>, Sparse<R, U>) {
        let SelfModelConfig {
            outputs: of_outputs,
            inputs: of_inputs,
            ..
        } = self.config;
        let (y_origins, u_origins) = self.history.origins_mut();
        let ((y, y_broken), (u, u_broken)) = match &self.watch {
            Some(watch) if self.trained => (
                watch.outputs.sift(outputs, of_outputs, y_origins),
                watch.inputs.sift(inputs, of_inputs, u_origins),
            ),
            _ => (
                Scale::unknown().sift(outputs, of_outputs, y_origins),
                Scale::unknown().sift(inputs, of_inputs, u_origins),
            ),
        };
        self.counters.broken += (y_broken + u_broken).to_u64().unwrap_or(0);
        (y, u)
    }

    /// The prediction, the innovations in deviations, and their statistics.
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
        let predicted = watch.predict(&self.config, z);
        for n in 0..N {
            let off = (targets.value[n] - predicted[n]) / watch.outputs.sd[n];
            let usable =
                (targets.present[n] * watch.live[n] > zero) & (off.abs() <= R::of(1e3 * MAX_PHI));
            r.value[n] = if usable { off } else { zero };
            r.present[n] = if usable { R::one() } else { zero };
        }
        let statistics = watch.surprise.push(&r, gap);
        (predicted, r, statistics)
    }

    /// Substitute for a missing value, about its origin; none for channels that cannot be predicted.
    fn expected(&self, channel: usize, predicted: R) -> Option<R> {
        let watch = self.watch.as_ref()?;
        let live = watch.live[channel] > R::zero();
        if !live || self.history.is_one_way(channel) {
            return None;
        }
        let (mean, sd) = (watch.outputs.mean[channel], watch.outputs.sd[channel]);
        let most = sd * R::of(REACH);
        // The mean for a channel that was at times missing in warm-up: its model was fitted from
        // one of its own samples to the next.
        let x = if self.longest_age[channel] == 0 {
            predicted
        } else {
            mean
        };
        // Clamped, since predictions from predictions may diverge.
        Some(x.max(mean - most).min(mean + most))
    }

    /// Sets the verdict and returns the prediction.
    #[inline]
    fn judge(&mut self, targets: &Sparse<R, N>, z: &Stacked<R, N, U>, gap: bool) -> [R; N] {
        let Some(thresholds) = self.thresholds else {
            return [R::zero(); N];
        };
        let (predicted, r, statistics) = self.watch_over(targets, z, gap);
        let k1 = statistics.k1.unwrap_or(R::zero());
        let surprise = thresholds.surprise(k1, statistics.k2, statistics.k3);
        let dissipated = self.alarm.update(surprise);
        let blame = match &self.watch {
            Some(watch) => watch.surprise.blame(&statistics, &thresholds),
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
            k1: statistics.k1,
            k2: statistics.k2,
            k3: statistics.k3,
            surprise,
            coherence: R::one() / (R::one() + surprise),
            dissipated,
            t_emissary: statistics.t_emissary,
            t_master: statistics.t_master,
            delta: statistics
                .t_emissary
                .zip(statistics.t_master)
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
        predicted
    }

    /// Whether warm-up is complete; always true for a model from [`Trainer::trained`].
    pub fn is_trained(&self) -> bool {
        self.trained
    }

    /// Outputs that were constant during warm-up: they have a deviation of 1 in their own unit, and are expected to
    /// stay constant. None before the end of warm-up.
    pub fn constant_channels(&self) -> impl Iterator<Item = usize> + '_ {
        self.outputs_where(|watch, n| watch.constant[n])
    }

    /// Outputs without a sample during warm-up: they are ignored.
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

    /// Whether a present sample of an output is evaluated. After a longer absence than any in warm-up its first
    /// samples only refill the predictor; a channel with frequent drop-outs may never be evaluated.
    pub fn judges(&self, output: usize) -> bool {
        self.trained && self.settling.get(output) == Some(&0)
    }

    /// An output's part of the energy K3: its mean over 10 samples, 1 while healthy. 0 for ignored outputs, and
    /// before the end of warm-up.
    pub fn energy(&self, output: usize) -> R {
        let watch = self.watch.as_ref().filter(|_| self.trained);
        watch.map_or(R::zero(), |watch| watch.surprise.energy(output))
    }

    /// The thresholds in use; none before the end of warm-up.
    pub fn thresholds(&self) -> Option<Thresholds<R>> {
        self.thresholds
    }

    /// Sets the thresholds, as from a calibration: see [`SelfModelConfig::thresholds`]. A
    /// [`rebaselined`](Self::rebaselined) trainer keeps them.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Threshold`] if one is not a positive, finite number.
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

    /// Number of ticks, broken values, dropped ticks, gaps and baselines, warm-up included.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The configuration.
    pub fn config(&self) -> &SelfModelConfig<R> {
        &self.config
    }

    /// Clears the alarm and the statistics, and keeps the fitted model: surprise starts as after warm-up, and
    /// there is no verdict before the next tick.
    ///
    /// Use it when past samples are known to be faulty and the fault is removed: a large innovation persists in
    /// the statistics, the square of `a` deviations for `20 ln a` ticks.
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

    /// A trainer with the same configuration and counters that learns a new model: see [`Trainer::rebaseline`].
    pub fn rebaselined(&self) -> Trainer<V, N, U> {
        Trainer::empty(
            self.config.cast(),
            Counters {
                rebaselines: self.counters.rebaselines + 1,
                ..self.counters
            },
        )
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
    fn a_slow_channel_is_predicted_as_well_as_a_fast_one() -> Result<(), ConfigError> {
        for every in [1, 3, 10] {
            let mut rng = Pcg64::seed_from_u64(1);
            let mut noise = || -> f64 { StandardNormal.sample(&mut rng) };
            let mut trainer = Trainer::<f64, 2, 0>::new(SelfModelConfig {
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
                    && trainer.model().trained
                    && let Some(watch) = &trainer.model().watch
                {
                    let z = trainer.model().history.clone().regressors(&Sparse::none());
                    let predicted = watch.predict(&trainer.model().config, &z)[1];
                    let off =
                        (x - trainer.model().history.origin(1) - predicted) / watch.outputs.sd[1];
                    sum += off * off;
                    count += 1.0;
                }
                trainer.push(&[Some(v + 0.05 * noise()), slow], &[], 0.02);
            }
            let Some(watch) = &trainer.model().watch else {
                continue;
            };
            // One step of v is 0.1, measured to within 0.05; times 5, plus 0.5.
            let best = (5.0 * 0.1_f64).powi(2) + 0.5_f64.powi(2);
            let worst = best + (5.0 * 0.05_f64).powi(2);
            let found = sum / count;
            let scale = watch.outputs.sd[1] * watch.outputs.sd[1];
            let expected = watch.surprise.variance(1);
            assert!(
                found * scale > 0.95 * best && found * scale < 1.05 * worst,
                "{every}"
            );
            assert!(
                (expected / found - 1.0).abs() < 0.1,
                "{every}: {expected} {found}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_trained_model_continues_bit_by_bit_as_its_trainer() -> Result<(), ConfigError> {
        let mut rng = Pcg64::seed_from_u64(2);
        let mut trainer = Trainer::<f64, 4, 2>::new(SelfModelConfig {
            outputs: 3,
            inputs: 1,
            offset_rate: 1e-3,
            ..SelfModelConfig::default()
        })?;
        let mut trained = None;
        for k in 0..4000_u32 {
            let mut noise = || -> f64 { StandardNormal.sample(&mut rng) };
            // The second output is slow, the third constant; some are missing, at times for long, or broken.
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
            let verdict = trainer.push(&outputs, &inputs, dt_s);
            if let Some(trained) = &mut trained {
                let trained: &mut SelfModel<f64, 4, 2> = trained;
                assert_eq!(trained.push(&outputs, &inputs, dt_s), verdict, "{k}");
                assert_eq!(trained.verdict(), trainer.model().verdict());
                assert_eq!(trained.counters(), trainer.model().counters());
                if k == 2000 {
                    let thresholds = Thresholds::null(3);
                    let set = trainer.model_mut().map(|m| m.set_thresholds(thresholds));
                    assert_eq!(set, Some(Ok(())));
                    assert_eq!(trained.set_thresholds(thresholds), Ok(()));
                    assert_eq!(trained.set_thresholds(Thresholds::zero()).ok(), None);
                }
                assert_eq!(trained.thresholds(), trainer.model().thresholds());
            } else {
                trained = trainer.trained();
                assert_eq!(trained.is_some(), verdict.is_some() || trainer.is_trained());
            }
        }
        let Some(trained) = trained else {
            return Ok(());
        };
        let counters = trained.counters();
        assert!(counters.broken > 0 && counters.gaps > 0 && counters.dropped > 0);
        assert!(
            trained
                .constant_channels()
                .eq(trainer.model().constant_channels())
        );
        assert!(trained.constant_channels().eq([2]));
        assert!(
            trained
                .absent_channels()
                .eq(trainer.model().absent_channels())
        );
        let anew = trained.rebaselined();
        trainer.rebaseline();
        assert!(anew == trainer && anew.model().config() == trained.config());
        Ok(())
    }

    #[test]
    fn forget_clears_the_statistics_and_keeps_the_model() -> Result<(), ConfigError> {
        let mut rng = Pcg64::seed_from_u64(3);
        let mut trainer = Trainer::<f64, 2, 0>::new(SelfModelConfig {
            outputs: 2,
            ..SelfModelConfig::default()
        })?;
        let mut tick = |off: f64| -> [Option<f64>; 2] {
            [off, 0.0].map(|off| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                Some(off + noise)
            })
        };
        while !trainer.is_trained() {
            trainer.push(&tick(0.0), &[], 0.02);
        }
        let Some(mut trained) = trainer.trained::<f64>() else {
            return Ok(());
        };
        for _ in 0..10 {
            trained.push(&tick(1e4), &[], 0.02);
        }
        let mut goes_on = trained.clone();
        trained.forget();
        assert_eq!(trained.verdict(), None);
        // Its regressors still contain the fault for as many ticks as their means are long.
        for _ in 0..20 {
            trained.push(&tick(0.0), &[], 0.02);
            goes_on.push(&tick(0.0), &[], 0.02);
        }
        trained.forget();
        for k in 0..100 {
            let healthy = tick(0.0);
            let verdict = trained.push(&healthy, &[], 0.02);
            assert!(
                verdict.is_some_and(|v| v.surprise < 1.0 && !v.dissipated),
                "{k}: {verdict:?}"
            );
            let verdict = goes_on.push(&healthy, &[], 0.02);
            assert!(
                k > 20 || verdict.is_some_and(|v| v.dissipated),
                "{k}: {verdict:?}"
            );
        }
        // A new fault is detected as before.
        for _ in 0..10 {
            trained.push(&tick(1e4), &[], 0.02);
        }
        assert!(trained.verdict().is_some_and(|v| v.dissipated));
        Ok(())
    }

    #[test]
    fn a_model_cast_to_f32_agrees_with_f64() -> Result<(), ConfigError> {
        let mut rng = Pcg64::seed_from_u64(2);
        let mut trainer = Trainer::<f64, 8, 2>::new(SelfModelConfig {
            outputs: 5,
            inputs: 1,
            ..SelfModelConfig::default()
        })?;
        let mut single = None;
        let (mut level, mut verdict, mut alarms) = (0.0, 0, 0);
        for k in 0..8000_u32 {
            let mut noise = || -> f64 { StandardNormal.sample(&mut rng) };
            level += -0.05 * level + 0.1 * noise();
            // Far from 0 in their units, one a near copy, one slow, one constant; some are missing, at times for
            // long, or broken; one gets an offset in the end.
            let away = k % 300 > 250 && k > 400;
            let off = if k > 6000 { 0.1 } else { 0.0 };
            let outputs = [
                (k % 17 != 5 && !away).then_some(101_325.0 + level),
                Some(3e-6 * (level + 0.003 * noise() + off)),
                (k % 3 == 0).then(|| -2e5 + level + noise()),
                Some(if k % 400 == 399 { f64::NAN } else { 7.0 }),
                Some(if k % 977 == 976 { 1e300 } else { noise() }),
            ];
            let inputs = [(k % 5 != 0).then(noise)];
            let dt_s = match k % 500 {
                400 => 1.0,
                401 => -1.0,
                _ => 0.02,
            };
            let exact = trainer.push(&outputs, &inputs, dt_s);
            let Some(nearly) = &mut single else {
                single = trainer.trained::<f32>();
                continue;
            };
            let nearly: Option<Verdict<f32, 8>> = nearly.push(&outputs, &inputs, dt_s);
            let (Some(exact), Some(nearly)) = (exact, nearly) else {
                continue;
            };
            verdict += 1;
            alarms += u32::from(exact.dissipated);
            let near = |a: f64, b: f32| (a - f64::from(b)).abs() <= 1e-3 * (1.0 + a.abs());
            assert!(
                near(exact.k1.unwrap_or(0.0), nearly.k1.unwrap_or(0.0)),
                "{k}"
            );
            assert!(near(exact.k2, nearly.k2), "{k}: {exact:?} {nearly:?}");
            assert!(near(exact.k3, nearly.k3), "{k}: {exact:?} {nearly:?}");
            assert!(near(exact.surprise, nearly.surprise), "{k}");
            if exact.surprise > 1.5 {
                assert_eq!(exact.cause, nearly.cause, "{k}: {exact:?} {nearly:?}");
            }
        }
        assert!(verdict > 7000 && alarms > 100, "{verdict} {alarms}");
        let counters = single.as_ref().map(SelfModel::counters);
        assert_eq!(counters, Some(trainer.model().counters()));
        Ok(())
    }

    #[test]
    fn state_sizes_agree_with_the_documentation() {
        let sizes = [
            size_of::<Trainer<f32, 4, 0>>(),
            size_of::<Trainer<f64, 8, 0>>(),
            size_of::<Trainer<f64, 16, 0>>(),
            size_of::<Trainer<f64, 16, 8>>(),
            size_of::<Trainer<f64, 16, 12>>(),
            size_of::<SelfModel<f32, 4, 0>>(),
            size_of::<SelfModel<f64, 8, 0>>(),
            size_of::<SelfModel<f64, 16, 0>>(),
            size_of::<SelfModel<f64, 16, 8>>(),
            size_of::<SelfModel<f64, 16, 12>>(),
        ];
        assert_eq!(
            sizes.map(|bytes| bytes.div_ceil(1000)),
            [4, 19, 66, 108, 133, 2, 6, 14, 17, 18]
        );
    }
}
