//! [`Detector`]: anomalies of a machine whose healthy rows are stored.
//!
//! ```text
//! baseline --> five folds or its stretches, each judged by the laws of the others --> thresholds q, reference, onset
//!
//!            scale      +-- level L        where the machine is            window 10
//! row -----------> z ---+-- activity A     how much each channel moves     window 40
//!                  |    +-- innovation I   error of a prediction            window 10
//!                  v    +-- shift E        its mean over 20 rows           window 10
//!              predictor
//!
//! F = mean of L/q_L, A/q_A, I/q_I, E/q_E       alarm: ln F above a reference that follows the calm
//! ```
//!
//! Each statistic is a mean over the channels of squared whitened values, about 1 while healthy, and each splits into
//! the channels exactly: the largest part isolates one. A one-step predictor follows a fault that lasts, so innovations alone
//! lose it; the level keeps it. There is no vote: one statistic at four times its threshold is enough.
//!
//! With Gaussian values each squared whitened value has the law chi^2 of 1 degree and mean 1. Level, activity and shift are
//! correlated over rows, so there is no closed law of their means, and thresholds are measured: on rows of the baseline
//! that did not form the laws by which they are judged.
//!
//! [`Trainer`](crate::Trainer) needs no allocation and no stored rows, and has no thresholds out of sample.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

mod alarm;
mod baseline;
mod fit;
mod law;
mod learn;
mod learning;
mod outliers;
mod quantile;
mod rows;
mod square;
mod stream;
mod whitening;

pub use alarm::Health;
pub use learn::Model;
pub use learning::{FalseAlarms, Learning};
pub use outliers::Outlier;

use crate::self_model::MIN_WARM_UP;
use crate::{DEFAULT_LAGS, Pair, Role};
use alarm::{AlarmState, log_severity};
use alloc::vec;
use alloc::vec::Vec;
use baseline::{Baseline, GAP};
use core::ops::Range;
use learn::severity;
use stream::Stream;

/// Windows of Emissary and Master over the innovations (rows).
const WINDOWS: [f64; 2] = [10.0, 30.0];
/// Largest value that is not broken: squares of it can be summed.
const MAX_VALUE: f64 = 1e150;
/// Rows of the mean step, and its bounds in steps of the baseline, outside of which the rate is another one.
const STEPS: f64 = 20.0;
const RATE: (f64, f64) = (0.7, 1.4);
/// A gap of more usual steps than this ends an alarm.
const LONG_GAP: f64 = 100.0;
/// Gaps one after the other from which on the rate is another one.
const GAPS: u32 = 3;
/// Share of a channel's span by which a value may leave it; share of the value where it has no span.
const MARGIN: f64 = 0.5;
const CONSTANT_MARGIN: f64 = 0.01;
/// Rows for which an input may be unknown: its last value is held.
const HELD: u32 = 5;
/// After longer, a machine may take as long to be as it should, and this at most.
const MOST_SETTLING: u32 = 400;

/// What a [`Detector`] says of a row. Arrays go by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding<const N: usize> {
    /// State of the machine.
    pub health: Health,
    /// Why it is [`Health::Outside`], if it is.
    pub outside: Option<Outside>,
    /// `e^(score - onset)`, at least 0: above 1, an alarm begins after 3 rows.
    pub surprise: f64,
    /// 1/(1 + surprise): 0.5 = at the onset.
    pub coherence: f64,
    /// F: mean of the four statistics over their thresholds; 1 = as the worst healthy row.
    pub severity: f64,
    /// Level, activity, innovation and shift, each over its threshold.
    pub ratios: [f64; 4],
    /// Energy of the innovations, mean over the channels, about 1 while healthy (the statistic I).
    pub energy: f64,
    /// Mean shift of the innovations, about 1 while healthy (the statistic E).
    pub shift: f64,
    /// Mean over the lags 1, 2, 4 of Re T of the whitened innovations, short and long window, -1 to 1.
    pub t_emissary: Option<f64>,
    /// The same, long window.
    pub t_master: Option<f64>,
    /// Each channel's share of F, with sum 1.
    pub blame: [f64; N],
    /// The channel with the largest share.
    pub cause: Option<usize>,
}

impl<const N: usize> Finding<N> {
    /// Coherence of the innovations, 0 to 1: `max((T_E + T_M)/2, 0)^2`.
    pub fn k1(&self) -> Option<f64> {
        let t = self
            .t_emissary
            .zip(self.t_master)
            .map(|(e, m)| 0.5 * (e + m))?;
        Some(t.max(0.0) * t.max(0.0))
    }

    /// `| |T_M| - |T_E| |`, 0 to 1.
    pub fn delta(&self) -> Option<f64> {
        let both = self.t_emissary.zip(self.t_master);
        both.map(|(e, m)| (m.abs() - e.abs()).abs())
    }

    /// Whether this is an alarm.
    pub fn is_fault(&self) -> bool {
        self.health == Health::Fault
    }
}

/// Learns from the first rows, then judges each row.
///
/// ```
/// use becomingone_kernel::Detector;
///
/// // Three sensors of one level; from row 700 on, the second one is off by half a span.
/// let row = |k: u32| {
///     let saw = |n: u32| f64::from(k * n % 101) / 101.0;
///     let off = if k < 700 { 0.0 } else { 1.0 };
///     [
///         Some(saw(7) + 0.1 * saw(37)),
///         Some(2.0 * saw(7) + 0.1 * saw(53) + off),
///         Some(1.0 - saw(7) + 0.1 * saw(71)),
///     ]
/// };
/// let mut detector = Detector::<4>::new(3, 400)?;
/// let mut first = None;
/// for k in 0..800 {
///     let finding = detector.push(&row(k), 0.1);
///     if let Some(fault) = finding.filter(|f| f.is_fault()) {
///         first = first.or(Some((k, fault.cause)));
///     }
/// }
/// let (k, cause) = first.ok_or("no alarm")?;
/// assert!((700..720).contains(&k) && cause == Some(1));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Detector<const N: usize> {
    channels: usize,
    warm_up: Option<usize>,
    learning: Learning,
    baseline: Baseline,
    judge: Option<Judge<N>>,
    finding: Option<Finding<N>>,
    counters: DetectorCounters,
}

/// Why a machine is outside what was learned. Numbers are those of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outside {
    /// An input is beyond its values in the baseline.
    Input(usize),
    /// An input is missing for longer than in the baseline.
    NoInput(usize),
    /// The inputs are back, and the machine is given as long to follow.
    Settling,
    /// A channel is beyond its values in the baseline.
    Channel(usize),
    /// A switch has a value that it never had.
    Switch(usize),
    /// Rows come at another rate.
    Rate,
    /// No channel is judged.
    Silence,
}

/// What a channel should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Its value in the row, in its unit; none if it is missing.
    pub measured: Option<f64>,
    /// Its mean given the other channels and the inputs of the row, in its unit.
    pub value: f64,
    /// Three deviations of it from that, in rows of the baseline that did not form it.
    pub band: f64,
}

/// Rows and values that were not used as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DetectorCounters {
    /// Rows that were used.
    pub rows: u64,
    /// Values that are not finite, or too large to be squared: missing.
    pub broken: u64,
    /// Rows without a positive step: not used.
    pub dropped: u64,
    /// Steps of more than ten mean ones: nothing is predicted across them, and one of more than a hundred ends an alarm.
    pub gaps: u64,
}

#[derive(Clone, Debug)]
struct Judge<const N: usize> {
    model: Model,
    step_s: f64,
    stream: Stream,
    alarm: AlarmState,
    pair: Pair<f64, N, 3, 5>,
    /// Judged channels, then inputs.
    row: Vec<Option<f64>>,
    /// Rows for which each input is missing.
    input_age: Vec<u32>,
    /// Rows for which an input is unknown, and rows for which the machine settles after that.
    unknown: u32,
    settling: u32,
    /// Gaps one after the other.
    gaps: u32,
}

impl<const N: usize> Detector<N> {
    /// Learns from `warm_up` rows.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`](crate::ConfigError) for no channel or more than `N`, or for fewer than
    /// [`MIN_WARM_UP`] rows.
    pub fn new(channels: usize, warm_up: u32) -> Result<Self, crate::ConfigError> {
        if warm_up < MIN_WARM_UP {
            return Err(crate::ConfigError::WarmUp {
                samples: warm_up,
                least: MIN_WARM_UP,
            });
        }
        let mut detector = Self::learning(channels)?;
        detector.warm_up = Some(warm_up as usize);
        Ok(detector)
    }

    /// Learns from all rows up to [`learn`](Self::learn).
    ///
    /// # Errors
    ///
    /// A [`ConfigError`](crate::ConfigError) for no channel or more than `N`.
    pub fn learning(channels: usize) -> Result<Self, crate::ConfigError> {
        if channels == 0 || channels > N {
            return Err(crate::ConfigError::Channels {
                channels,
                capacity: N,
            });
        }
        Ok(Self {
            channels,
            warm_up: None,
            learning: Learning::default(),
            baseline: Baseline::new(channels),
            judge: None,
            finding: None,
            counters: DetectorCounters::default(),
        })
    }

    /// Has learned already.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`](crate::ConfigError) for a model of more than `N` channels, or one that cannot be learned: with lengths that do
    /// not fit, or numbers that are not finite.
    #[cfg(feature = "serde")]
    pub fn with_model(model: Model) -> Result<Self, crate::ConfigError> {
        let mut detector = Self::learning(model.channels)?;
        if !model.is_whole() {
            return Err(crate::ConfigError::Model);
        }
        detector.judge = Judge::new(model);
        Ok(detector)
    }

    /// Sets how it learns; before the first row.
    #[must_use]
    pub fn with(mut self, learning: Learning) -> Self {
        self.learning = learning;
        self
    }

    /// The next row does not follow the one before: it begins a stretch of the baseline. Three and more stretches of
    /// similar length are judged each by the laws of the others.
    pub fn begin_stretch(&mut self) {
        self.baseline.begin_stretch();
    }

    /// Learns from the rows so far, and judges those that follow; whether it could: a channel beside the inputs needs two
    /// values.
    pub fn learn(&mut self) -> bool {
        if self.judge.is_none() && self.baseline.len() > 0 {
            self.judge = Model::learn(&self.baseline, &self.learning).and_then(Judge::new);
            self.baseline = Baseline::new(self.channels);
        }
        self.judge.is_some()
    }

    /// Takes a row, `dt_s` after the one before; what it says of it, once it has learned. A row without a positive step is
    /// not used, and has the finding of the row before.
    pub fn push(&mut self, row: &[Option<f64>], dt_s: f64) -> Option<Finding<N>> {
        if !(dt_s > 0.0 && dt_s.is_finite()) {
            self.counters.dropped += 1;
            return self.finding;
        }
        self.counters.rows += 1;
        let broken = &mut self.counters.broken;
        let channels = (0..self.channels).map(|j| {
            let x = row.get(j).copied().flatten()?;
            let fits = x.abs() <= MAX_VALUE;
            *broken += u64::from(!fits);
            fits.then_some(x)
        });
        if let Some(judge) = &mut self.judge {
            let mut values = [None; N];
            for (to, x) in values.iter_mut().zip(channels) {
                *to = x;
            }
            self.counters.gaps += u64::from(judge.is_gap(dt_s));
            self.finding = Some(judge.push(&values, dt_s));
            return self.finding;
        }
        self.baseline.push(channels, dt_s);
        if Some(self.baseline.len()) == self.warm_up {
            // Where nothing can be learned, the next rows are tried.
            let baseline = core::mem::replace(&mut self.baseline, Baseline::new(self.channels));
            self.judge = Model::learn(&baseline, &self.learning).and_then(Judge::new);
            if let Some(judge) = &mut self.judge {
                // The statistics at the next row are those of a machine that has run over the baseline.
                for k in 0..baseline.len() {
                    let (_, l) = judge.measure(baseline.row(k));
                    judge.alarm.pass(l);
                }
            }
        }
        None
    }

    /// Whether it has learned.
    pub fn is_trained(&self) -> bool {
        self.judge.is_some()
    }

    /// What it has learned.
    pub fn model(&self) -> Option<&Model> {
        self.judge.as_ref().map(|judge| &judge.model)
    }

    /// The finding of the last row.
    pub fn finding(&self) -> Option<&Finding<N>> {
        self.finding.as_ref()
    }

    /// What a channel should be in the last row; none for one that is not judged.
    pub fn expected(&self, channel: usize) -> Option<Expected> {
        let judge = self.judge.as_ref()?;
        let j = judge.model.judged.iter().position(|n| *n == channel)?;
        let (value, band) = judge.model.expected(&judge.stream, j);
        Some(Expected {
            measured: judge.row[j],
            value,
            band,
        })
    }

    /// Counts so far.
    pub fn counters(&self) -> DetectorCounters {
        self.counters
    }

    /// Number of rows that it learns or has learned from, where that is known.
    pub fn warm_up(&self) -> Option<usize> {
        self.model().map(|model| model.rows).or(self.warm_up)
    }

    /// Thresholds of level, activity, innovation and shift: the largest values of the baseline, each row judged by laws
    /// that it did not form.
    pub fn thresholds(&self) -> Option<[f64; 4]> {
        self.model().map(|model| model.thresholds)
    }

    /// Alarms in the baseline; by laws that it did not form, where it has three stretches.
    pub fn false_alarms(&self) -> Option<FalseAlarms> {
        self.model().map(|model| model.false_alarms)
    }

    /// Rows of the baseline that are most unlike the others, and by what factor: alarms cannot be trusted. None if they are
    /// alike.
    pub fn unlike(&self) -> Option<(Range<usize>, f64)> {
        self.model().and_then(|model| model.unlike.clone())
    }

    /// Channels that were constant in the baseline.
    pub fn constant_channels(&self) -> Vec<usize> {
        self.model().map_or(Vec::new(), |model| {
            let channels = model.judged.iter().zip(&model.law.moving);
            channels
                .filter(|(_, moving)| !**moving)
                .map(|(n, _)| *n)
                .collect()
        })
    }

    /// Inputs that were constant in the baseline: any other value is [`Health::Outside`].
    pub fn constant_inputs(&self) -> Vec<usize> {
        self.model().map_or(Vec::new(), |model| {
            let ends = &model.ends[model.judged.len()..];
            let inputs = model.inputs.iter().zip(ends);
            inputs
                .filter(|(_, (a, b))| a == b)
                .map(|(n, _)| *n)
                .collect()
        })
    }

    /// Channels of the baseline with values that are far from the others.
    pub fn outliers(&self) -> &[Outlier] {
        self.model().map_or(&[], |model| &model.outliers)
    }

    /// Channels without a value in the baseline: they are not judged.
    pub fn absent_channels(&self) -> &[usize] {
        self.model().map_or(&[], |model| &model.absent)
    }

    /// Channels of 0 and 1 alone, such as commands and states: they are not judged, but a value that they never had is
    /// [`Health::Outside`].
    pub fn switches(&self) -> impl Iterator<Item = usize> + '_ {
        self.model()
            .into_iter()
            .flat_map(|model| model.switches.iter().map(|(n, _)| *n))
    }

    /// Whether a channel's values are judged: present in the baseline, and not missing for longer than there.
    pub fn judges(&self, channel: usize) -> bool {
        self.judge.as_ref().is_some_and(|judge| {
            let model = &judge.model;
            if model.switches.iter().any(|(n, _)| *n == channel) || model.inputs.contains(&channel)
            {
                return true;
            }
            let place = model.judged.iter().position(|n| *n == channel);
            place.is_some_and(|j| !judge.stream.is_excluded(j, &model.longest))
        })
    }
}

impl<const N: usize> Judge<N> {
    /// A machine that is healthy and at rest; none if it has no channel.
    fn new(model: Model) -> Option<Self> {
        let (n, m) = (model.judged.len(), model.inputs.len());
        let config = crate::ResonanceConfig::new(n, WINDOWS[0], DEFAULT_LAGS);
        Some(Self {
            stream: Stream::new(n, m),
            alarm: AlarmState::new(model.onset),
            pair: Pair::with_config(config, WINDOWS[1]).ok()?,
            row: vec![None; n + m],
            step_s: model.mean_step_s,
            input_age: vec![0; m],
            unknown: 0,
            settling: 0,
            gaps: 0,
            model,
        })
    }

    fn is_gap(&self, dt_s: f64) -> bool {
        dt_s > GAP * self.model.mean_step_s
    }

    /// Statistics of a row, and the logarithm of F.
    fn measure(&mut self, row: &[Option<f64>]) -> ([f64; 4], f64) {
        let model = &self.model;
        let n = model.judged.len();
        let channels = model.judged.iter().chain(&model.inputs);
        for (j, (to, channel)) in self.row.iter_mut().zip(channels).enumerate() {
            let x = row.get(*channel).copied().flatten();
            // An input beyond the baseline holds its last value: what it does is unknown.
            *to = x.filter(|x| j < n || !is_beyond(*x, &model.ends[j]));
        }
        let statistics = self.stream.push(&model.law, &self.row, &model.longest);
        let mut white = [None; N];
        for (to, x) in white.iter_mut().zip(&self.stream.innovations) {
            *to = Some(crate::Complex::new(*x, 0.0));
        }
        self.pair.push(&white[..n], 1.0);
        let l = log_severity(severity(&statistics, &model.thresholds));
        (statistics, l)
    }

    fn push(&mut self, row: &[Option<f64>; N], dt_s: f64) -> Finding<N> {
        if self.is_gap(dt_s) {
            self.stream.restart();
            self.gaps += 1;
            if dt_s > LONG_GAP * self.model.mean_step_s {
                self.stream.begin_anew();
                self.alarm.begin_anew();
            }
        } else {
            self.step_s += law::gain(STEPS) * (dt_s - self.step_s);
            self.gaps = 0;
        }
        let mut outside = self.unknown_input(row);
        if outside.is_some() {
            self.unknown = self.unknown.saturating_add(1);
        } else {
            if self.unknown > HELD {
                // What it did meanwhile is neither healthy nor faulty.
                self.stream.begin_anew();
                self.alarm.begin_anew();
                self.settling = self.unknown.min(MOST_SETTLING);
            }
            self.unknown = 0;
        }
        if self.unknown == 0 && self.settling > 0 {
            self.settling -= 1;
            outside = Some(Outside::Settling);
        }
        let (statistics, l) = self.measure(row);
        // For a few rows, an alarm lasts and none begins; for longer, there is none.
        let is_short = self.unknown <= HELD && self.settling == 0;
        let (score, mut health) = if outside.is_none() || is_short && self.alarm.is_on() {
            self.alarm.push(l)
        } else {
            if !is_short {
                self.alarm.end();
            }
            (self.alarm.pass(l), Health::Outside)
        };
        if health == Health::Healthy {
            outside = outside.or_else(|| self.is_outside(row));
        }
        if health != Health::Fault && outside.is_some() {
            health = Health::Outside;
        }
        let outside = outside.filter(|_| health == Health::Outside);
        let q = self.model.thresholds;
        let mut blame = [0.0; N];
        for (j, n) in self.model.judged.iter().enumerate() {
            blame[*n] = self.stream.part(j, &q);
        }
        let sum: f64 = blame.iter().sum();
        let mut cause = None;
        for n in (0..N).rev() {
            blame[n] /= sum.max(f64::MIN_POSITIVE);
            if blame[n] > 0.0 && cause.is_none_or(|c: usize| blame[n] >= blame[c]) {
                cause = Some(n);
            }
        }
        let surprise = libm::exp(score - self.model.onset.slow);
        let mean_re = |role: Role| {
            let all = self.pair.all_t(role)?;
            Some(all.iter().map(|t| t.re).sum::<f64>() / all.len() as f64)
        };
        Finding {
            health,
            outside,
            surprise,
            coherence: 1.0 / (1.0 + surprise),
            severity: severity(&statistics, &q),
            ratios: core::array::from_fn(|s| statistics[s] / q[s]),
            energy: statistics[2],
            shift: statistics[3],
            t_emissary: mean_re(Role::Emissary),
            t_master: mean_re(Role::Master),
            blame,
            cause,
        }
    }

    /// Whether an input is beyond its values in the baseline, or missing for longer than there.
    fn unknown_input(&mut self, row: &[Option<f64>; N]) -> Option<Outside> {
        let model = &self.model;
        let n = model.judged.len();
        let mut unknown = None;
        for (i, channel) in model.inputs.iter().enumerate() {
            let age = &mut self.input_age[i];
            *age = if row[*channel].is_some() {
                0
            } else {
                age.saturating_add(1)
            };
            let is_beyond = row[*channel].is_some_and(|x| is_beyond(x, &model.ends[n + i]));
            if is_beyond {
                unknown = Some(Outside::Input(*channel));
            } else if *age > model.longest[n + i].max(HELD) {
                unknown = unknown.or(Some(Outside::NoInput(*channel)));
            }
        }
        unknown
    }

    /// Whether values of channels are beyond those of the baseline, the rate is another one, or no channel is judged.
    fn is_outside(&self, row: &[Option<f64>; N]) -> Option<Outside> {
        let model = &self.model;
        let mut ends = model.judged.iter().zip(&model.ends);
        let new = |(n, only): &&(usize, Option<f64>)| {
            let other = |x: f64| only.map_or(x != 0.0 && x != 1.0, |only| x != only);
            row[*n].is_some_and(other)
        };
        let rate = self.step_s / model.mean_step_s;
        let excluded = |j: usize| self.stream.is_excluded(j, &model.longest);
        let beyond = ends.find(|(n, ends)| row[**n].is_some_and(|x| is_beyond(x, ends)));
        if let Some((n, _)) = beyond {
            Some(Outside::Channel(*n))
        } else if let Some((n, _)) = model.switches.iter().find(new) {
            Some(Outside::Switch(*n))
        } else if !(RATE.0..RATE.1).contains(&rate) || self.gaps >= GAPS {
            Some(Outside::Rate)
        } else {
            (0..model.judged.len())
                .all(excluded)
                .then_some(Outside::Silence)
        }
    }
}

/// Whether a value is far from those between two ends.
fn is_beyond(x: f64, (low, high): &(f64, f64)) -> bool {
    let margin = if low == high {
        CONSTANT_MARGIN * low.abs()
    } else {
        MARGIN * (high - low)
    };
    x < low - margin || x > high + margin
}
