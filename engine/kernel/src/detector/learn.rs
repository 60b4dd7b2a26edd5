//! [`Model`]: laws and thresholds from a healthy baseline, each row of which is judged by laws that it did not form.

use super::alarm::{Logs, Onset, log_severity};
use super::baseline::Baseline;
use super::fit::{Choice, Fit};
use super::law::Law;
use super::learning::{FalseAlarms, Learning};
use super::outliers::Outlier;
use super::quantile::quantile;
use super::rows::{Rows, stretches_of};
use super::stream::Stream;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Parts of the baseline that are judged by the others; with as many stretches as this or more, stretches are the parts.
const FOLDS: usize = 5;
const STRETCHES: usize = 3;
/// Stretches are parts unless one is shorter than their mean by more than this factor.
const SHORT: usize = 4;
/// Least thresholds of level, activity, innovation, shift.
const LEAST: [f64; 4] = [2.0, 2.0, 1.5, 6.0];
/// Least F at the start of the reference.
const LEAST_START: f64 = 0.5;
/// Mean of the medians of the statistics of a fold from which on it is unlike the others.
const UNLIKE: f64 = 4.0;
/// A million years.
#[cfg(feature = "serde")]
const MOST_HOURS: f64 = 1e10;
/// Deviations in the band of what is expected.
const BAND: f64 = 3.0;

/// What a [`Detector`](super::Detector) has learned from a baseline.
///
/// With the feature `serde` it can be stored; read back, [`Detector::with_model`](super::Detector::with_model) checks it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Model {
    pub(super) channels: usize,
    /// Channels that are judged, and those that are inputs.
    pub(super) judged: Vec<usize>,
    pub(super) inputs: Vec<usize>,
    /// Channels of two states (0 and 1), and the only value that each had, if it had one.
    pub(super) switches: Vec<(usize, Option<f64>)>,
    pub(super) absent: Vec<usize>,
    /// Longest time for which each judged channel, then each input, was missing in the baseline (rows).
    pub(super) longest: Vec<u32>,
    pub(super) outliers: Vec<Outlier>,
    /// Ends of the values of each judged channel, then of each input.
    pub(super) ends: Vec<(f64, f64)>,
    pub(super) mean_step_s: f64,
    pub(super) rows: usize,
    pub(super) law: Law,
    /// Thresholds of level, activity, innovation, shift.
    pub(super) thresholds: [f64; 4],
    /// Deviation of each judged channel from what is expected beside the others, in deviations, out of sample.
    pub(super) off_others: Vec<f64>,
    pub(super) onset: Onset,
    pub(super) false_alarms: FalseAlarms,
    /// Rows of the fold that is most unlike the others, and by what factor, if that is a lot.
    pub(super) unlike: Option<(Range<usize>, f64)>,
}

impl Model {
    /// Number of channels of a row.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Channels that are inputs.
    pub fn inputs(&self) -> &[usize] {
        &self.inputs
    }

    /// None if no channel beside the inputs has two values.
    pub(super) fn learn(baseline: &Baseline, learning: &Learning) -> Option<Self> {
        let prepared = baseline.prepare(&learning.inputs)?;
        let rows = &prepared.rows;
        let len = rows.len();
        let stretches = rows.stretches();
        let declared = stretches_of(&prepared.declared, len);
        let shortest = declared.iter().map(Range::len).min().unwrap_or_default();
        let are_judged_by_others =
            declared.len() >= STRETCHES && shortest * declared.len() * SHORT >= len;
        let folds: Vec<Range<usize>> = if are_judged_by_others {
            declared.clone()
        } else {
            (0..FOLDS)
                .map(|k| k * len / FOLDS..(k + 1) * len / FOLDS)
                .collect()
        };
        // Other channels and inputs predict one only where they do so out of sample.
        let squares: Vec<_> = folds
            .iter()
            .map(|fold| Fit::new(rows, fold.clone()).held_out_squares())
            .collect();
        let choice = Choice::of(&squares);
        let mut held = vec![[0.0; 4]; len];
        let mut off_others = vec![0.0; rows.n];
        // Each part by the law of the others.
        let longest = vec![u32::MAX; rows.n];
        let judge_by_others =
            |part: &Range<usize>, each: &mut dyn FnMut(usize, [f64; 4], &Stream, &Law)| {
                let law = Fit::new(rows, part.clone()).choose(&choice);
                judge(
                    &law,
                    rows,
                    &longest,
                    |k, j| Some(rows.row(k)[j]),
                    |k, statistics, stream| {
                        if part.contains(&k) {
                            each(k, statistics, stream, &law);
                        }
                    },
                );
            };
        for fold in &folds {
            judge_by_others(fold, &mut |k, statistics, stream, law| {
                held[k] = statistics;
                for (j, sum) in off_others.iter_mut().enumerate() {
                    let off = law.scale(j, rows.row(k)[j]) - stream.expected(law, j);
                    // In deviations of the whole.
                    *sum += off * off / len as f64;
                }
            });
        }
        let mut thresholds = LEAST;
        for row in &held {
            for (q, x) in thresholds.iter_mut().zip(row) {
                *q = q.max(*x);
            }
        }
        let of_held = held
            .iter()
            .map(|row| log_severity(severity(row, &thresholds)));
        let reference = quantile(of_held.collect(), 0.5).max(libm::log(LEAST_START));
        let law = Fit::new(rows, 0..0).choose(&choice);
        let of_stretches = |all: &[[f64; 4]]| -> Vec<Logs> {
            let of = |stretch: &Range<usize>| {
                let rows = all[stretch.clone()].iter();
                rows.map(|row| log_severity(severity(row, &thresholds)))
                    .collect()
            };
            stretches.iter().map(of).collect()
        };
        let logs = if !are_judged_by_others {
            // Folds of one run may contradict each other in what changes only once: the model's own rows.
            let mut own = vec![[0.0; 4]; len];
            let of: Vec<usize> = prepared
                .judged
                .iter()
                .chain(&prepared.inputs)
                .copied()
                .collect();
            let as_it_came = |k: usize, j: usize| baseline.row(k)[of[j]];
            judge(
                &law,
                rows,
                &prepared.longest,
                as_it_came,
                |k, statistics, _| {
                    own[k] = statistics;
                },
            );
            of_stretches(&own)
        } else {
            of_stretches(&held)
        };
        let hours = prepared.hours;
        let mut onset = Onset::learn(reference, &logs).more_sensitive(learning.sensitivity);
        let mut false_alarms = FalseAlarms { alarms: 0, hours };
        if let Some(rate) = learning.false_alarms_per_hour
            && false_alarms.supports(rate)
        {
            onset = onset.with_alarms(&logs, rate * hours);
        }
        false_alarms.alarms = onset.alarms(&logs);
        let of_folds = folds
            .into_iter()
            .map(|fold| (fold.clone(), middle(&held[fold])));
        // Of two stretches, each by the other, in case that folds do not show it.
        let unlike = most_unlike(of_folds).or_else(|| {
            let two = declared.iter().filter(|_| declared.len() == 2);
            most_unlike(two.map(|stretch| {
                let mut of = Vec::new();
                judge_by_others(stretch, &mut |_, statistics, _, _| of.push(statistics));
                (stretch.clone(), middle(&of))
            }))
        });
        Some(Self {
            channels: prepared.channels,
            ends: prepared.ends(),
            rows: len,
            mean_step_s: prepared.mean_step_s,
            judged: prepared.judged,
            inputs: prepared.inputs,
            switches: prepared.switches,
            absent: prepared.absent,
            longest: prepared.longest,
            outliers: prepared.outliers,
            law,
            thresholds,
            off_others: off_others.into_iter().map(libm::sqrt).collect(),
            onset,
            false_alarms,
            unlike,
        })
    }

    /// What a judged channel should be beside the others, and the half width of its band.
    pub(super) fn expected(&self, stream: &Stream, channel: usize) -> (f64, f64) {
        let (mean, sd) = (self.law.mean[channel], self.law.sd[channel]);
        let band = BAND * sd * self.off_others[channel];
        (mean + sd * stream.expected(&self.law, channel), band)
    }

    /// Whether it is one that can be learned: lengths fit, numbers are finite.
    #[cfg(feature = "serde")]
    pub(super) fn is_whole(&self) -> bool {
        let (n, m) = (self.judged.len(), self.inputs.len());
        let switches = self.switches.iter().map(|(n, _)| n);
        let mut all: Vec<usize> = switches
            .chain(&self.judged)
            .chain(&self.inputs)
            .chain(&self.absent)
            .copied()
            .collect();
        all.sort_unstable();
        let numbers = self.thresholds.iter().chain(&self.off_others);
        self.law.n == n
            && self.law.m == m
            && self.law.is_whole()
            && self.onset.is_whole()
            && all.iter().copied().eq(0..self.channels)
            && self.longest.len() == n + m
            && self.false_alarms.hours > 0.0
            && self.false_alarms.hours < MOST_HOURS
            && self.unlike.as_ref().is_none_or(|(rows, factor)| {
                rows.start < rows.end && rows.end <= self.rows && factor.is_finite()
            })
            && self
                .outliers
                .iter()
                .all(|o| o.channel < self.channels && o.row < self.rows)
            && self.ends.len() == n + m
            && self.ends.iter().all(|(a, b)| a <= b && (b - a).is_finite())
            && self.off_others.len() == n
            && numbers.into_iter().all(|x| x.is_finite() && *x >= 0.0)
            && self
                .thresholds
                .iter()
                .zip(LEAST)
                .all(|(q, least)| *q >= least)
            && self.mean_step_s > 0.0
            && self.mean_step_s.is_finite()
    }
}

/// Statistics of all rows by a law, each stretch from the start.
fn judge(
    law: &Law,
    rows: &Rows,
    longest: &[u32],
    value: impl Fn(usize, usize) -> Option<f64>,
    mut each: impl FnMut(usize, [f64; 4], &Stream),
) {
    let mut row = vec![None; rows.n + rows.m];
    for stretch in rows.stretches() {
        let mut stream = Stream::new(rows.n, rows.m);
        for k in stretch {
            for (j, to) in row.iter_mut().enumerate() {
                *to = value(k, j);
            }
            let statistics = stream.push(law, &row, longest);
            each(k, statistics, &stream);
        }
    }
}

/// Mean over the statistics of their medians.
fn middle(rows: &[[f64; 4]]) -> f64 {
    let of = |s: usize| quantile(rows.iter().map(|row| row[s]).collect(), 0.5);
    (0..4).map(of).sum::<f64>() / 4.0
}

/// The part that is most unlike the others, if one is.
fn most_unlike(parts: impl Iterator<Item = (Range<usize>, f64)>) -> Option<(Range<usize>, f64)> {
    parts
        .filter(|(_, factor)| *factor > UNLIKE)
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// F: mean of the statistics over their thresholds.
pub(super) fn severity(statistics: &[f64; 4], thresholds: &[f64; 4]) -> f64 {
    statistics
        .iter()
        .zip(thresholds)
        .map(|(x, q)| x / q)
        .sum::<f64>()
        / 4.0
}
