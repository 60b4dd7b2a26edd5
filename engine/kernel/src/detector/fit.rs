//! [`Law`]: what is learned from rows of a baseline; [`Fit`]: its fit to some of them.

use super::square::Square;
use super::whitening::whitening;
use crate::linear;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Windows in rows: activity, shift.
const ACTIVITY: f64 = 10.0;
pub(super) const SHIFT: f64 = 20.0;
/// Ridge of the whitening of level, activity and innovation, and of the shift, in units of variance 1.
const RIDGE: f64 = 0.1;
const SHIFT_RIDGE: f64 = 0.01;
/// Most deviations of a scaled value, an activity, an innovation.
pub(super) const CLIP: f64 = 30.0;
/// A channel that was constant and is not where it was, in place of deviations.
const CHANGED: f64 = 10.0;
/// Clamp of a level as a regressor of other channels, in deviations.
const CLAMP: f64 = 5.0;
/// Ridge of the predictor, against sums over rows.
const PREDICTOR_RIDGE: f64 = 1.0;
/// Rows of the short mean.
pub(super) const MEAN_OF: usize = 5;
/// Share of the measured covariance of the shift; the rest is the law of white innovations.
const MEASURED: f64 = 0.3;
/// Rows until the window of the activity is full.
const SETTLED: usize = 30;

/// Share of a new value in an exponential mean over so many rows.
pub(super) fn gain(rows: f64) -> f64 {
    1.0 - libm::exp(-1.0 / rows)
}

/// Rows of a baseline.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) n: usize,
    /// Row by row, without missing values.
    pub(super) x: Vec<f64>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.x.len() / self.n.max(1)
    }

    pub(super) fn row(&self, k: usize) -> &[f64] {
        &self.x[k * self.n..(k + 1) * self.n]
    }
}

/// Laws of a healthy machine: scales, predictor, whitenings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Law {
    pub(super) n: usize,
    mean: Vec<f64>,
    sd: Vec<f64>,
    pub(super) moving: Vec<bool>,
    pub(super) of_level: Square,
    pub(super) activity_mean: Vec<f64>,
    pub(super) activity_sd: Vec<f64>,
    pub(super) of_activity: Square,
    lowest: Vec<f64>,
    highest: Vec<f64>,
    /// Coefficients of each channel's increment on the regressors less their means: all levels, then all levels less their
    /// short means. Those on others are 0 where a channel is predicted from itself.
    predictor: Vec<f64>,
    alone: Vec<bool>,
    regressor_mean: Vec<f64>,
    increment_mean: Vec<f64>,
    pub(super) innovation_sd: Vec<f64>,
    pub(super) of_innovation: Square,
    pub(super) shift_sd: Vec<f64>,
    pub(super) of_shift: Square,
}

impl Law {
    /// A value in deviations.
    pub(super) fn scale(&self, channel: usize, x: f64) -> f64 {
        let (mean, off) = (self.mean[channel], x - self.mean[channel]);
        if self.moving[channel] {
            (off / self.sd[channel]).clamp(-CLIP, CLIP)
        } else if off.abs() > 1e-9 * mean.abs() {
            CHANGED.copysign(off)
        } else {
            0.0
        }
    }

    /// Innovations of a row, in deviations of its channels: the errors of the predictions. The levels of others are clamped, a
    /// channel's own is not.
    pub(super) fn innovations(&self, last: &[f64], above: &[f64], z: &[f64], to: &mut [f64]) {
        let n = self.n;
        for j in 0..n {
            let b = &self.predictor[2 * n * j..2 * n * (j + 1)];
            let (means, gains) = self.regressor_mean.split_at(n);
            let mut predicted = self.increment_mean[j]
                + b[j] * (last[j] - means[j])
                + b[n + j] * (above[j] - gains[j]);
            if !self.alone[j] {
                for i in (0..n).filter(|i| *i != j) {
                    let held = last[i].max(self.lowest[i]).min(self.highest[i]);
                    predicted += b[i] * (held - means[i]) + b[n + i] * (above[i] - gains[i]);
                }
            }
            to[j] = z[j] - last[j] - predicted;
        }
    }
}

/// A law, and what it is fitted to.
pub(super) struct Fit {
    pub(super) law: Law,
    /// Scaled values, activities, and regressors of all rows.
    z: Vec<f64>,
    regressors: Vec<f64>,
    held_out: Range<usize>,
    from_all: Vec<f64>,
    from_itself: Vec<f64>,
}

impl Fit {
    /// Fits to all rows but those that are held out. The choice of the predictor, and the laws of its innovations, follow in
    /// [`choose`](Self::choose).
    pub(super) fn new(rows: &Rows, held_out: Range<usize>) -> Self {
        let n = rows.n;
        let training = |k: &usize| !held_out.contains(k);
        let (mean, sd) = moments(n, (0..rows.len()).filter(training).map(|k| rows.row(k)));
        let moving: Vec<bool> = mean
            .iter()
            .zip(&sd)
            .map(|(m, s)| *s > 1e-12 * m.abs())
            .collect();
        let sd = sd
            .iter()
            .zip(&moving)
            .map(|(s, m)| if *m { *s } else { 1.0 });
        let mut law = Law {
            n,
            sd: sd.collect(),
            mean,
            moving,
            of_level: Square::zero(n),
            activity_mean: vec![0.0; n],
            activity_sd: vec![1.0; n],
            of_activity: Square::zero(n),
            lowest: vec![0.0; n],
            highest: vec![0.0; n],
            predictor: vec![0.0; 2 * n * n],
            alone: vec![true; n],
            regressor_mean: vec![0.0; 2 * n],
            increment_mean: vec![0.0; n],
            innovation_sd: vec![1.0; n],
            of_innovation: Square::zero(n),
            shift_sd: vec![1.0; n],
            of_shift: Square::zero(n),
        };
        let mut z = vec![0.0; rows.x.len()];
        for k in 0..rows.len() {
            for (j, x) in rows.row(k).iter().enumerate() {
                z[k * n + j] = law.scale(j, *x);
            }
        }
        let of = |k: usize| &z[k * n..(k + 1) * n];
        law.of_level = whitening(
            &Square::covariance(n, (0..rows.len()).filter(training).map(of)),
            RIDGE,
        );
        law.learn_activity(&z, &held_out);
        let regressors = regressors(n, &z);
        let mut fit = Self {
            from_all: vec![0.0; 2 * n * n],
            from_itself: vec![0.0; 2 * n * n],
            law,
            z,
            regressors,
            held_out,
        };
        fit.regress();
        fit
    }

    fn rows(&self) -> usize {
        self.z.len() / self.law.n
    }

    fn training(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.rows()).filter(|k| !self.held_out.contains(k))
    }

    /// Fits both predictors: each channel from all, and from itself.
    fn regress(&mut self) {
        let n = self.law.n;
        let wide = 2 * n;
        let of = |k: usize| &self.regressors[k * wide..(k + 1) * wide];
        let (means, sds) = moments(wide, self.training().map(of));
        let sds: Vec<f64> = sds
            .iter()
            .map(|s| if *s > 1e-9 { *s } else { 1.0 })
            .collect();
        let mut increment_mean = vec![0.0; n];
        let (mut lowest, mut highest) = (vec![-CLAMP; n], vec![CLAMP; n]);
        let mut count = 0.0;
        for k in self.training() {
            count += 1.0;
            for j in 0..n {
                increment_mean[j] += self.z[k * n + j] - of(k)[j];
            }
            for j in 0..n {
                lowest[j] = f64::min(lowest[j], of(k)[j]);
                highest[j] = f64::max(highest[j], of(k)[j]);
            }
        }
        for m in &mut increment_mean {
            *m /= f64::max(count, 1.0);
        }
        // Sums of products of the regressors in deviations, and of them with the increments.
        let mut g = Square::zero(wide);
        let mut h = vec![0.0; wide * n];
        let mut p = vec![0.0; wide];
        for k in self.training() {
            for (i, p) in p.iter_mut().enumerate() {
                *p = (of(k)[i] - means[i]) / sds[i];
            }
            for i in 0..wide {
                for (to, x) in g[i].iter_mut().zip(&p).take(i + 1) {
                    *to += p[i] * x;
                }
            }
            for j in 0..n {
                let y = self.z[k * n + j] - of(k)[j] - increment_mean[j];
                for (i, x) in p.iter().enumerate() {
                    h[j * wide + i] += x * y;
                }
            }
        }
        for i in 0..wide {
            g[i][i] += PREDICTOR_RIDGE;
            for j in 0..i {
                g[j][i] = g[i][j];
            }
        }
        for j in 0..n {
            // Without evidence a channel returns to its mean.
            h[j * wide + j] -= PREDICTOR_RIDGE * sds[j];
            let (a, b, c) = (g[j][j], g[j][n + j], g[n + j][n + j]);
            let (x, y) = (h[j * wide + j], h[j * wide + n + j]);
            let determinant = a * c - b * b;
            self.from_itself[j * wide + j] = (c * x - b * y) / determinant / sds[j];
            self.from_itself[j * wide + n + j] = (a * y - b * x) / determinant / sds[n + j];
        }
        // The ridge makes it positive definite.
        if linear::factor(wide, &mut g).is_ok() {
            for j in 0..n {
                let mut b = h[j * wide..(j + 1) * wide].to_vec();
                linear::whiten(wide, &g, &mut b[..]);
                linear::unwhiten(wide, &g, &mut b[..]);
                for i in 0..wide {
                    self.from_all[j * wide + i] = b[i] / sds[i];
                }
            }
        } else {
            self.from_all.clone_from(&self.from_itself);
        }
        (self.law.lowest, self.law.highest) = (lowest, highest);
        self.law.regressor_mean = means;
        self.law.increment_mean = increment_mean;
    }

    /// Sums of the squared innovations of the rows that were held out, for each channel: from all, from itself.
    pub(super) fn held_out_squares(&mut self) -> [Vec<f64>; 2] {
        [false, true].map(|alone| {
            let n = self.law.n;
            self.set_predictor(&vec![alone; n]);
            let mut squares = vec![0.0; n];
            let mut r = vec![0.0; n];
            for k in self.held_out.clone() {
                self.innovations_of(k, &mut r);
                for (sum, r) in squares.iter_mut().zip(&r) {
                    *sum += r * r;
                }
            }
            squares
        })
    }

    fn set_predictor(&mut self, alone: &[bool]) {
        let wide = 2 * self.law.n;
        for (j, alone) in alone.iter().enumerate() {
            let from = if *alone {
                &self.from_itself
            } else {
                &self.from_all
            };
            let part = j * wide..(j + 1) * wide;
            self.law.predictor[part.clone()].copy_from_slice(&from[part]);
        }
        self.law.alone.copy_from_slice(alone);
    }

    fn innovations_of(&self, k: usize, to: &mut [f64]) {
        let n = self.law.n;
        let (last, above) = self.regressors[k * 2 * n..(k + 1) * 2 * n].split_at(n);
        self.law
            .innovations(last, above, &self.z[k * n..(k + 1) * n], to);
    }

    /// Sets the predictor of each channel, then learns the laws of the innovations.
    pub(super) fn choose(mut self, alone: &[bool]) -> Law {
        let n = self.law.n;
        self.set_predictor(alone);
        let mut r = vec![0.0; self.z.len()];
        for k in 0..self.rows() {
            self.innovations_of(k, &mut r[k * n..(k + 1) * n]);
        }
        let (_, sds) = moments(n, self.training().map(|k| &r[k * n..(k + 1) * n]));
        self.law.innovation_sd = sds.iter().map(|s| s.max(1e-3)).collect();
        for row in r.chunks_exact_mut(n) {
            for (r, sd) in row.iter_mut().zip(&self.law.innovation_sd) {
                *r = (*r / sd).clamp(-CLIP, CLIP);
            }
        }
        let of_rows = Square::covariance(n, self.training().map(|k| &r[k * n..(k + 1) * n]));
        self.law.of_innovation = whitening(&of_rows, RIDGE);
        // The shift: exponential means of the innovations.
        let a = gain(SHIFT);
        let mut e = vec![0.0; n];
        for k in 0..self.rows() {
            for (e, r) in e.iter_mut().zip(&mut r[k * n..(k + 1) * n]) {
                *e += a * (*r - *e);
                *r = *e;
            }
        }
        let mut c = Square::covariance(n, self.training().map(|k| &r[k * n..(k + 1) * n]));
        for i in 0..n {
            for j in 0..n {
                c[i][j] = MEASURED * c[i][j] + (1.0 - MEASURED) * a / (2.0 - a) * of_rows[i][j];
            }
        }
        self.law.shift_sd = (0..n).map(|i| libm::sqrt(c[i][i]).max(1e-3)).collect();
        for i in 0..n {
            for j in 0..n {
                c[i][j] /= self.law.shift_sd[i] * self.law.shift_sd[j];
            }
        }
        self.law.of_shift = whitening(&c, SHIFT_RIDGE);
        self.law
    }
}

impl Law {
    /// Learns how much each channel moves.
    fn learn_activity(&mut self, z: &[f64], held_out: &Range<usize>) {
        let n = self.n;
        let len = z.len() / n;
        let mut activity = vec![0.0; z.len()];
        let mut m = z[..n].to_vec();
        let mut v: Vec<f64> = m.iter().map(|z| z * z).collect();
        for k in 0..len {
            let row = &z[k * n..(k + 1) * n];
            for j in 0..n {
                activity[k * n + j] = moved(&mut m[j], &mut v[j], row[j]);
            }
        }
        let settled: Vec<usize> = (SETTLED..len).filter(|k| !held_out.contains(k)).collect();
        let of = |k: &usize| &activity[k * n..(k + 1) * n];
        let (mean, sd) = moments(n, settled.iter().map(of));
        let least = |(s, moving): (&f64, &bool)| match (*s > 1e-3, *moving) {
            (true, _) => *s,
            (false, true) => 1e-3,
            (false, false) => 1.0,
        };
        self.activity_sd = sd.iter().zip(&self.moving).map(least).collect();
        self.activity_mean = mean;
        let mut t = vec![0.0; settled.len() * n];
        for (t, k) in t.chunks_exact_mut(n).zip(&settled) {
            for j in 0..n {
                t[j] = self.activity(j, of(k)[j]);
            }
        }
        self.of_activity = whitening(&Square::covariance(n, t.chunks_exact(n)), RIDGE);
    }

    /// An activity in deviations from the usual one.
    pub(super) fn activity(&self, channel: usize, activity: f64) -> f64 {
        let off = activity - self.activity_mean[channel];
        (off / self.activity_sd[channel]).clamp(-CLIP, CLIP)
    }
}

/// Activity of a channel: the deviation over its last 10 rows or so, by exponential means of it and of its square.
pub(super) fn moved(mean: &mut f64, square: &mut f64, z: f64) -> f64 {
    let a = gain(ACTIVITY);
    *mean += a * (z - *mean);
    *square += a * (z * z - *square);
    libm::sqrt((*square - *mean * *mean).max(0.0))
}

/// Mean and deviation (over the number) of each column.
fn moments<'a>(n: usize, rows: impl Iterator<Item = &'a [f64]> + Clone) -> (Vec<f64>, Vec<f64>) {
    let mut count = 0.0_f64;
    let (mut mean, mut square) = (vec![0.0; n], vec![0.0; n]);
    for row in rows.clone() {
        count += 1.0;
        for (m, x) in mean.iter_mut().zip(row) {
            *m += x;
        }
    }
    for m in &mut mean {
        *m /= count.max(1.0);
    }
    for row in rows {
        for ((s, m), x) in square.iter_mut().zip(&mean).zip(row) {
            *s += (x - m) * (x - m);
        }
    }
    let sd = square.iter().map(|s| libm::sqrt(s / count.max(1.0)));
    let sd = sd.collect();
    (mean, sd)
}

/// Regressors of each row: the last levels, and these less their means over the last five rows. Before the first row stand
/// copies of it.
fn regressors(n: usize, z: &[f64]) -> Vec<f64> {
    let mut all = vec![0.0; 2 * z.len()];
    for k in 0..z.len() / n {
        let at = |back: usize| k.saturating_sub(back);
        for j in 0..n {
            let last = z[at(1) * n + j];
            let mean = (1..=MEAN_OF).map(|back| z[at(back) * n + j]).sum::<f64>() / MEAN_OF as f64;
            all[k * 2 * n + j] = last;
            all[k * 2 * n + n + j] = last - mean;
        }
    }
    all
}
