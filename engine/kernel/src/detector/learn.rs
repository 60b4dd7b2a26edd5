//! [`Model`]: laws and thresholds from a healthy baseline, each row of which is judged by laws that it did not form.

use super::alarm::log_severity;
use super::fit::{Fit, Law, Rows};
use super::quantile::quantile;
use super::stream::Stream;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Parts of the baseline that are judged by the others.
const FOLDS: usize = 5;
/// Least thresholds of level, activity, innovation, shift.
const LEAST: [f64; 4] = [2.0, 2.0, 1.5, 6.0];
/// Least F at the start of the reference.
const LEAST_START: f64 = 0.5;
/// Mean of the medians of the statistics of a fold from which on it is unlike the others.
const UNLIKE: f64 = 4.0;

/// What is learned from a baseline.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) law: Law,
    /// Thresholds of level, activity, innovation, shift.
    pub(super) thresholds: [f64; 4],
    /// Logarithm of F from which the reference starts.
    pub(super) reference: f64,
    /// Rows of the fold that is most unlike the others, and by what factor, if that is a lot.
    pub(super) unlike: Option<(Range<usize>, f64)>,
    /// Ends of the values of each channel.
    pub(super) ends: Vec<(f64, f64)>,
}

impl Model {
    pub(super) fn learn(rows: &Rows) -> Self {
        let (n, len) = (rows.n, rows.len());
        let folds: Vec<Range<usize>> = (0..FOLDS)
            .map(|k| k * len / FOLDS..(k + 1) * len / FOLDS)
            .collect();
        let mut fits: Vec<Fit> = folds
            .iter()
            .map(|fold| Fit::new(rows, fold.clone()))
            .collect();
        // Other channels predict one only where they do so out of sample.
        let mut squares = [vec![0.0; n], vec![0.0; n]];
        for fit in &mut fits {
            for (sums, of_fold) in squares.iter_mut().zip(fit.held_out_squares()) {
                for (sum, x) in sums.iter_mut().zip(of_fold) {
                    *sum += x;
                }
            }
        }
        let alone: Vec<bool> = squares[0]
            .iter()
            .zip(&squares[1])
            .map(|(all, own)| all >= own)
            .collect();
        let mut held = vec![[0.0; 4]; len];
        for (fit, fold) in fits.into_iter().zip(&folds) {
            let law = fit.choose(&alone);
            let judged = judge(&law, rows);
            held[fold.clone()].copy_from_slice(&judged[fold.clone()]);
        }
        let mut thresholds = LEAST;
        for row in &held {
            for (q, x) in thresholds.iter_mut().zip(row) {
                *q = q.max(*x);
            }
        }
        let logs = held
            .iter()
            .map(|row| log_severity(severity(row, &thresholds)));
        let reference = quantile(logs.collect(), 0.5).max(libm::log(LEAST_START));
        let unlike = folds
            .into_iter()
            .map(|fold| {
                let of =
                    |s: usize| quantile(held[fold.clone()].iter().map(|row| row[s]).collect(), 0.5);
                let factor = (0..4).map(of).sum::<f64>() / 4.0;
                (fold, factor)
            })
            .filter(|(_, factor)| *factor > UNLIKE)
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let ends = (0..n).map(|j| {
            let values = (0..len).map(|k| rows.row(k)[j]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            })
        });
        Self {
            law: Fit::new(rows, 0..0).choose(&alone),
            thresholds,
            reference,
            unlike,
            ends: ends.collect(),
        }
    }
}

/// Statistics of all rows by a law.
fn judge(law: &Law, rows: &Rows) -> Vec<[f64; 4]> {
    let mut stream = Stream::new(rows.n);
    let longest = vec![u32::MAX; rows.n];
    let mut row = vec![None; rows.n];
    (0..rows.len())
        .map(|k| {
            for (to, x) in row.iter_mut().zip(rows.row(k)) {
                *to = Some(*x);
            }
            stream.push(law, &row, &longest)
        })
        .collect()
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
