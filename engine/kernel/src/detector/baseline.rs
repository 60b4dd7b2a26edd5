//! [`Baseline`]: healthy rows that are kept until they are learned from.

use super::outliers::{Outlier, outlier};
use super::rows::Rows;
use alloc::vec;
use alloc::vec::Vec;

/// A step longer than this many usual ones is a gap.
pub(super) const GAP: f64 = 10.0;
/// Share of the steps, the shortest ones, whose mean is the usual one.
const USUAL: f64 = 0.95;

/// Healthy rows as they came, in stretches.
#[derive(Clone, Debug, Default)]
pub(super) struct Baseline {
    channels: usize,
    values: Vec<Option<f64>>,
    steps_s: Vec<f64>,
    /// First row of each stretch.
    starts: Vec<usize>,
}

/// Rows that can be learned from.
pub(super) struct Prepared {
    pub(super) channels: usize,
    pub(super) rows: Rows,
    pub(super) judged: Vec<usize>,
    pub(super) inputs: Vec<usize>,
    pub(super) switches: Vec<(usize, Option<f64>)>,
    pub(super) absent: Vec<usize>,
    /// Longest time for which each judged channel and input was missing (rows).
    pub(super) longest: Vec<u32>,
    pub(super) outliers: Vec<Outlier>,
    /// First rows of the stretches that were declared; those of `rows` begin after gaps as well.
    pub(super) declared: Vec<usize>,
    pub(super) mean_step_s: f64,
    pub(super) hours: f64,
}

impl Baseline {
    pub(super) fn new(channels: usize) -> Self {
        Self {
            channels,
            ..Self::default()
        }
    }

    /// The next row begins a stretch.
    pub(super) fn begin_stretch(&mut self) {
        if self.starts.last() != Some(&self.len()) {
            self.starts.push(self.len());
        }
    }

    pub(super) fn push(&mut self, row: impl Iterator<Item = Option<f64>>, dt_s: f64) {
        if self.starts.is_empty() {
            self.begin_stretch();
        }
        self.values.extend(row);
        self.steps_s.push(dt_s);
    }

    pub(super) fn len(&self) -> usize {
        self.steps_s.len()
    }

    /// Values of a row as they came.
    pub(super) fn row(&self, k: usize) -> &[Option<f64>] {
        &self.values[k * self.channels..(k + 1) * self.channels]
    }

    /// First rows of all stretches, and the time of all rows (s): a gap begins a stretch, and is no time.
    fn stretches(&self) -> (Vec<usize>, f64) {
        let mut steps = self.steps_s.clone();
        steps.sort_unstable_by(f64::total_cmp);
        let usual = &steps[..((USUAL * steps.len() as f64) as usize).max(1)];
        let usual_s = usual.iter().sum::<f64>() / usual.len() as f64;
        let (mut starts, mut seconds) = (Vec::new(), 0.0);
        for (k, step_s) in self.steps_s.iter().enumerate() {
            let is_gap = *step_s > GAP * usual_s;
            if is_gap || self.starts.binary_search(&k).is_ok() {
                starts.push(k);
            }
            seconds += if is_gap { usual_s } else { *step_s };
        }
        (starts, seconds)
    }

    /// None if no channel beside the inputs has two values.
    pub(super) fn prepare(&self, inputs: &[usize]) -> Option<Prepared> {
        let of = |n: usize| self.values.iter().skip(n).step_by(self.channels);
        let values = |n: usize| of(n).copied().flatten();
        let (present, absent): (Vec<usize>, Vec<usize>) =
            (0..self.channels).partition(|n| values(*n).count() > 1);
        let (inputs, others): (Vec<usize>, Vec<usize>) =
            present.into_iter().partition(|n| inputs.contains(n));
        let is_switch = |n: &usize| values(*n).all(|x| x == 0.0 || x == 1.0);
        let (mut switches, mut judged): (Vec<usize>, Vec<usize>) =
            others.into_iter().partition(is_switch);
        if judged.is_empty() {
            // Switches alone are judged.
            judged = core::mem::take(&mut switches);
        }
        if judged.is_empty() {
            return None;
        }
        let only = |n: usize| {
            let first = values(n).next();
            first.filter(|first| values(n).all(|x| x == *first))
        };
        let (n, m, len) = (judged.len(), inputs.len(), self.len());
        let (starts, seconds) = self.stretches();
        let mut rows = Rows {
            n,
            m,
            x: vec![0.0; len * (n + m)],
            starts,
        };
        let mut longest = vec![0_u32; n + m];
        let mut outliers = Vec::new();
        for (j, channel) in judged.iter().chain(&inputs).enumerate() {
            // A missing value holds the last one; before the first one of a stretch, it is the first.
            let (mut held, mut age, mut seen) = (0.0, 0, false);
            outliers.extend(outlier(*channel, of(*channel).copied()));
            for (k, x) in of(*channel).enumerate() {
                if rows.starts.binary_search(&k).is_ok() {
                    let next = of(*channel).skip(k).copied().flatten().next();
                    (held, age, seen) = (next.unwrap_or(held), 0, false);
                }
                match x {
                    Some(x) => {
                        (held, age, seen) = (*x, 0, true);
                    }
                    None => age += u32::from(seen),
                }
                longest[j] = longest[j].max(age);
                rows.x[k * (n + m) + j] = held;
            }
        }
        Some(Prepared {
            channels: self.channels,
            rows,
            judged,
            inputs,
            switches: switches.into_iter().map(|n| (n, only(n))).collect(),
            absent,
            longest,
            outliers,
            declared: self.starts.iter().copied().filter(|k| *k < len).collect(),
            mean_step_s: seconds / len as f64,
            hours: seconds / 3600.0,
        })
    }
}

impl Prepared {
    /// Ends of the values of each channel and input.
    pub(super) fn ends(&self) -> Vec<(f64, f64)> {
        let of = |j: usize| {
            let values = (0..self.rows.len()).map(|k| self.rows.row(k)[j]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            })
        };
        (0..self.rows.n + self.rows.m).map(of).collect()
    }
}
