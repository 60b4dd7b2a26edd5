//! [`Detector`]: anomalies of a machine whose healthy rows are stored.
//!
//! ```text
//! baseline --> five folds, each judged by the laws of the others --> thresholds q, reference, onset
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
mod fit;
mod learn;
mod quantile;
mod square;
mod stream;
mod whitening;

pub use alarm::Health;

use crate::self_model::MIN_WARM_UP;
use crate::{DEFAULT_LAGS, Pair, Role};
use alarm::{AlarmState, Slow, log_severity};
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;
use fit::Rows;
use learn::{Model, severity};
use stream::Stream;

/// Windows of Emissary and Master over the innovations (rows).
const WINDOWS: [f64; 2] = [10.0, 30.0];
/// Largest value that is not broken: squares of it can be summed.
const MAX_VALUE: f64 = 1e150;
/// A step longer than this many mean ones of the baseline is a gap.
const GAP: f64 = 10.0;
/// Rows of the mean step, and its bounds in steps of the baseline, outside of which the rate is another one.
const STEPS: f64 = 20.0;
const RATE: (f64, f64) = (0.7, 1.4);
/// Share of a channel's span by which a value may leave it.
const MARGIN: f64 = 0.5;

/// What a [`Detector`] says of a row. Arrays go by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding<const N: usize> {
    /// State of the machine.
    pub health: Health,
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
    warm_up: usize,
    /// Rows of the baseline, with their steps (s).
    baseline: Vec<Option<f64>>,
    steps_s: Vec<f64>,
    judge: Option<Judge<N>>,
    finding: Option<Finding<N>>,
    counters: DetectorCounters,
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
    /// Steps of more than ten mean ones: the machine is judged anew from there.
    pub gaps: u64,
}

#[derive(Clone, Debug)]
struct Judge<const N: usize> {
    model: Model,
    /// Channels that are judged.
    judged: Vec<usize>,
    /// Channels of two states (0 and 1), and the only value that each had, if it had one.
    switches: Vec<(usize, Option<f64>)>,
    absent: Vec<usize>,
    /// Longest time for which each judged channel was missing in the baseline (rows).
    longest: Vec<u32>,
    mean_step_s: f64,
    step_s: f64,
    stream: Stream,
    slow: Slow,
    alarm: AlarmState,
    pair: Pair<f64, N, 3, 5>,
    row: Vec<Option<f64>>,
}

impl<const N: usize> Detector<N> {
    /// Learns from `warm_up` rows.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`](crate::ConfigError) for no channel or more than `N`, or for fewer than
    /// [`MIN_WARM_UP`] rows.
    pub fn new(channels: usize, warm_up: u32) -> Result<Self, crate::ConfigError> {
        if channels == 0 || channels > N {
            return Err(crate::ConfigError::Channels {
                channels,
                capacity: N,
            });
        }
        if warm_up < MIN_WARM_UP {
            return Err(crate::ConfigError::WarmUp {
                samples: warm_up,
                least: MIN_WARM_UP,
            });
        }
        Ok(Self {
            channels,
            warm_up: warm_up as usize,
            baseline: Vec::new(),
            steps_s: Vec::new(),
            judge: None,
            finding: None,
            counters: DetectorCounters::default(),
        })
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
        self.baseline.extend(channels);
        self.steps_s.push(dt_s);
        if self.steps_s.len() == self.warm_up {
            self.judge = Judge::learn(self.channels, &self.baseline, &self.steps_s);
            // Where nothing can be learned, the next rows are tried.
            (self.baseline, self.steps_s) = (Vec::new(), Vec::new());
        }
        None
    }

    /// Whether it has learned.
    pub fn is_trained(&self) -> bool {
        self.judge.is_some()
    }

    /// The finding of the last row.
    pub fn finding(&self) -> Option<&Finding<N>> {
        self.finding.as_ref()
    }

    /// Counts so far.
    pub fn counters(&self) -> DetectorCounters {
        self.counters
    }

    /// Number of rows to learn from.
    pub fn warm_up(&self) -> usize {
        self.warm_up
    }

    /// Thresholds of level, activity, innovation and shift: the largest values of the baseline, each row judged by laws
    /// that it did not form.
    pub fn thresholds(&self) -> Option<[f64; 4]> {
        self.judge.as_ref().map(|judge| judge.model.thresholds)
    }

    /// Rows of the baseline that are most unlike the others, and by what factor: alarms cannot be trusted. None if they are
    /// alike.
    pub fn unlike(&self) -> Option<(Range<usize>, f64)> {
        self.judge
            .as_ref()
            .and_then(|judge| judge.model.unlike.clone())
    }

    /// Channels that were constant in the baseline.
    pub fn constant_channels(&self) -> Vec<usize> {
        let judge = self.judge.as_ref();
        judge.map_or(Vec::new(), |judge| {
            let law = &judge.model.law;
            let channels = judge.judged.iter().enumerate();
            channels
                .filter(|(j, _)| !law.moving[*j])
                .map(|(_, n)| *n)
                .collect()
        })
    }

    /// Channels without a value in the baseline: they are not judged.
    pub fn absent_channels(&self) -> &[usize] {
        self.judge.as_ref().map_or(&[], |judge| &judge.absent)
    }

    /// Channels of 0 and 1 alone, such as commands and states: they are not judged, but a value that they never had is
    /// [`Health::Outside`].
    pub fn switches(&self) -> impl Iterator<Item = usize> + '_ {
        let judge = self.judge.iter();
        judge.flat_map(|judge| judge.switches.iter().map(|(n, _)| *n))
    }

    /// Whether a channel's values are judged: present in the baseline, and not missing for longer than there.
    pub fn judges(&self, channel: usize) -> bool {
        self.judge.as_ref().is_some_and(|judge| {
            if judge.switches.iter().any(|(n, _)| *n == channel) {
                return true;
            }
            let place = judge.judged.iter().position(|n| *n == channel);
            place.is_some_and(|j| !judge.stream.is_excluded(j, &judge.longest))
        })
    }
}

impl<const N: usize> Judge<N> {
    /// Learns from the rows of a baseline; none if no channel has two values.
    fn learn(channels: usize, baseline: &[Option<f64>], steps_s: &[f64]) -> Option<Self> {
        let of = |n: usize| baseline.iter().skip(n).step_by(channels);
        let values = |n: usize| of(n).copied().flatten();
        let (present, absent): (Vec<usize>, Vec<usize>) =
            (0..channels).partition(|n| values(*n).count() > 1);
        let is_switch = |n: &usize| values(*n).all(|x| x == 0.0 || x == 1.0);
        let (mut switches, mut judged): (Vec<usize>, Vec<usize>) =
            present.iter().partition(|n| is_switch(n));
        if judged.is_empty() {
            // Switches alone are judged.
            judged = core::mem::take(&mut switches);
        }
        let n = judged.len();
        if n == 0 {
            return None;
        }
        let len = steps_s.len();
        let mut rows = Rows {
            n,
            x: vec![0.0; len * n],
        };
        let mut longest = vec![0_u32; n];
        for (j, channel) in judged.iter().enumerate() {
            // A missing value holds the last one; before the first one, it is the first.
            let mut held = values(*channel).next().unwrap_or_default();
            let (mut age, mut seen) = (0, false);
            for (k, x) in of(*channel).enumerate() {
                match x {
                    Some(x) => {
                        (held, age, seen) = (*x, 0, true);
                    }
                    None => age += u32::from(seen),
                }
                longest[j] = longest[j].max(age);
                rows.x[k * n + j] = held;
            }
        }
        let model = Model::learn(&rows);
        let only = |n: usize| {
            let first = values(n).next();
            first.filter(|first| values(n).all(|x| x == *first))
        };
        let switches = switches.into_iter().map(|n| (n, only(n))).collect();
        let mean_step_s = steps_s.iter().sum::<f64>() / len as f64;
        let config = crate::ResonanceConfig::new(n, WINDOWS[0], DEFAULT_LAGS);
        let mut judge = Self {
            stream: Stream::new(n),
            slow: Slow::default(),
            alarm: AlarmState::learn(model.reference, &[]),
            pair: Pair::with_config(config, WINDOWS[1]).ok()?,
            row: vec![None; n],
            mean_step_s,
            step_s: mean_step_s,
            model,
            judged,
            switches,
            absent,
            longest,
        };
        // The statistics at the first row after the baseline are those of a machine that has run over it.
        let judged = baseline.chunks_exact(channels).map(|row| {
            let (_, l, slow) = judge.measure(row);
            (l, slow)
        });
        let judged: Vec<(f64, f64)> = judged.collect();
        judge.alarm = AlarmState::learn(judge.model.reference, &judged);
        Some(judge)
    }

    fn is_gap(&self, dt_s: f64) -> bool {
        dt_s > GAP * self.mean_step_s
    }

    /// Statistics of a row, and the logarithm of F with its slow mean.
    fn measure(&mut self, row: &[Option<f64>]) -> ([f64; 4], f64, f64) {
        for (to, n) in self.row.iter_mut().zip(&self.judged) {
            *to = row.get(*n).copied().flatten();
        }
        let statistics = self.stream.push(&self.model.law, &self.row, &self.longest);
        let mut white = [None; N];
        for (to, x) in white.iter_mut().zip(&self.stream.innovations) {
            *to = Some(crate::Complex::new(*x, 0.0));
        }
        self.pair.push(&white[..self.judged.len()], 1.0);
        let l = log_severity(severity(&statistics, &self.model.thresholds));
        (statistics, l, self.slow.push(l))
    }

    fn push(&mut self, row: &[Option<f64>; N], dt_s: f64) -> Finding<N> {
        if self.is_gap(dt_s) {
            self.stream.restart();
        } else {
            self.step_s += fit::gain(STEPS) * (dt_s - self.step_s);
        }
        let (statistics, l, slow) = self.measure(row);
        let (score, mut health) = self.alarm.push(l, slow);
        if health == Health::Healthy && self.is_outside(row) {
            health = Health::Outside;
        }
        let q = self.model.thresholds;
        let mut blame = [0.0; N];
        for (j, n) in self.judged.iter().enumerate() {
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
        let surprise = libm::exp(score - self.alarm.onset);
        let mean_re = |role: Role| {
            let all = self.pair.all_t(role)?;
            Some(all.iter().map(|t| t.re).sum::<f64>() / all.len() as f64)
        };
        Finding {
            health,
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

    /// Whether values are beyond those of the baseline, the rate is another one, or no channel is judged.
    fn is_outside(&self, row: &[Option<f64>; N]) -> bool {
        let ends = self.judged.iter().zip(&self.model.ends);
        let beyond = |(n, (low, high)): (&usize, &(f64, f64))| {
            let margin = MARGIN * (high - low);
            row[*n].is_some_and(|x| x < low - margin || x > high + margin)
        };
        let new = |(n, only): &(usize, Option<f64>)| {
            let other = |x: f64| only.map_or(x != 0.0 && x != 1.0, |only| x != only);
            row[*n].is_some_and(other)
        };
        let rate = self.step_s / self.mean_step_s;
        let excluded = |j: usize| self.stream.is_excluded(j, &self.longest);
        ends.into_iter().any(beyond)
            || self.switches.iter().any(new)
            || !(RATE.0..RATE.1).contains(&rate)
            || (0..self.judged.len()).all(excluded)
    }
}
