//! [`Fit`]: fits a [`Law`] to rows of a baseline.

use super::law::{Activity, CLIP, Law, MEAN_OF, SHIFT, gain};
use super::rows::Rows;
use super::square::Square;
use super::whitening::{inverse, whitening};
use crate::linear;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Ridge of the whitening of level, activity and innovation, and of the shift, in units of variance 1.
const RIDGE: f64 = 0.1;
const SHIFT_RIDGE: f64 = 0.01;
/// Clamp of a level as a regressor of other channels, and of inputs, in deviations.
const CLAMP: f64 = 5.0;
/// Ridge of the predictor, and of levels on inputs, against sums over rows.
const PREDICTOR_RIDGE: f64 = 1.0;
/// Share of the measured covariance of the shift; the rest is the law of white innovations.
const MEASURED: f64 = 0.3;
/// Rows until the window of the activity is full.
const SETTLED: usize = 30;

/// Kinds of predictors of a channel.
const KINDS: usize = 3;
/// From all channels and inputs, from itself, from itself and the inputs.
const FROM_ALL: usize = 0;
const FROM_ITSELF: usize = 1;
const WITH_INPUTS: usize = 2;

/// What is decided for each channel out of sample.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    kind: Vec<usize>,
    level_on_inputs: Vec<bool>,
}

impl Choice {
    /// The predictors and the levels with the smaller squares in rows that did not form them.
    pub(super) fn of(squares: &[Squares]) -> Self {
        let n = squares.first().map_or(0, |s| s.level.len());
        let sum = |of: &dyn Fn(&Squares) -> f64| squares.iter().map(of).sum::<f64>();
        let kind = (0..n).map(|j| {
            let of_kind: [f64; KINDS] = core::array::from_fn(|k| sum(&|s| s.innovation[k][j]));
            // Of equal ones, the simplest.
            let simplest = [FROM_ITSELF, WITH_INPUTS, FROM_ALL];
            let least = |best: usize, k: usize| if of_kind[k] < of_kind[best] { k } else { best };
            simplest.into_iter().fold(FROM_ITSELF, least)
        });
        let kind = kind.collect();
        let level_on_inputs = (0..n).map(|j| sum(&|s| s.level_on_inputs[j]) < sum(&|s| s.level[j]));
        let level_on_inputs = level_on_inputs.collect();
        Self {
            kind,
            level_on_inputs,
        }
    }
}

/// Sums of squares over rows that were held out, by channel: innovations of each kind of predictor, levels, and levels less
/// what the inputs explain.
#[derive(Clone, Debug)]
pub(super) struct Squares {
    innovation: [Vec<f64>; KINDS],
    level: Vec<f64>,
    level_on_inputs: Vec<f64>,
}

/// A law, and what it is fitted to.
pub(super) struct Fit<'a> {
    law: Law,
    rows: &'a Rows,
    held_out: Range<usize>,
    /// Coefficients of each kind of predictor.
    from: [Vec<f64>; KINDS],
    on_inputs: Vec<f64>,
}

impl<'a> Fit<'a> {
    /// Fits scales and predictors to all rows but those that are held out. The [`Choice`] between predictors, and the laws that
    /// depend on it, follow in [`choose`](Self::choose).
    pub(super) fn new(rows: &'a Rows, held_out: Range<usize>) -> Self {
        let (n, m) = (rows.n, rows.m);
        let mut law = Law::new(n, m);
        let training = (0..rows.len()).filter(|k| !held_out.contains(k));
        let (mean, sd) = moments(n + m, training.map(|k| rows.row(k)));
        for (j, (mean, sd)) in mean.iter().zip(&sd).enumerate() {
            law.moving[j] = *sd > 1e-12 * mean.abs();
            law.sd[j] = if law.moving[j] { *sd } else { 1.0 };
        }
        law.mean = mean;
        let coefficients = || vec![0.0; n * law.regressors()];
        let mut fit = Self {
            from: core::array::from_fn(|_| coefficients()),
            on_inputs: vec![0.0; n * m],
            law,
            rows,
            held_out,
        };
        let z = fit.scaled();
        fit.regress(&z);
        fit.regress_levels(&z);
        fit
    }

    fn training(&self) -> impl Iterator<Item = usize> + Clone + use<'_> {
        (0..self.rows.len()).filter(|k| !self.held_out.contains(k))
    }

    /// All rows in deviations: channels, then inputs.
    fn scaled(&self) -> Vec<f64> {
        let width = self.rows.n + self.rows.m;
        let mut z = vec![0.0; self.rows.x.len()];
        for (z, x) in z
            .chunks_exact_mut(width)
            .zip(self.rows.x.chunks_exact(width))
        {
            for (j, x) in x.iter().enumerate() {
                z[j] = self.law.scale(j, *x);
            }
        }
        z
    }

    /// Regressors of a row. Before the first row of a stretch stand copies of it.
    fn regressors(&self, z: &[f64], k: usize, to: &mut [f64]) {
        let (n, m) = (self.rows.n, self.rows.m);
        let start = self.rows.start(k);
        let past: [&[f64]; MEAN_OF + 1] = core::array::from_fn(|back| {
            let k = k.saturating_sub(back).max(start);
            &z[k * (n + m)..(k + 1) * (n + m)]
        });
        let mean = |j: usize, from: usize| {
            past[from..from + MEAN_OF]
                .iter()
                .map(|row| row[j])
                .sum::<f64>()
                / MEAN_OF as f64
        };
        for j in 0..n {
            to[j] = past[1][j];
            to[n + j] = past[1][j] - mean(j, 1);
        }
        for i in 0..m {
            to[2 * n + i] = past[0][n + i];
            to[2 * n + m + i] = past[0][n + i] - mean(n + i, 0);
        }
    }

    /// Fits each kind of predictor.
    fn regress(&mut self, z: &[f64]) {
        let (n, m) = (self.rows.n, self.rows.m);
        let (wide, width) = (self.law.regressors(), n + m);
        let mut p = vec![0.0; wide];
        let mut sums = Moments::new(wide);
        let mut increment_mean = vec![0.0; n];
        let (mut lowest, mut highest) = (vec![-CLAMP; n + m], vec![CLAMP; n + m]);
        for k in self.training() {
            self.regressors(z, k, &mut p);
            for j in 0..n {
                increment_mean[j] += z[k * width + j] - p[j];
            }
            sums.push(&p);
            for (i, x) in p[..n].iter().chain(&p[2 * n..2 * n + m]).enumerate() {
                lowest[i] = f64::min(lowest[i], *x);
                highest[i] = f64::max(highest[i], *x);
            }
        }
        for mean in &mut increment_mean {
            *mean /= sums.count.max(1.0);
        }
        let means = sums.mean();
        for k in self.training() {
            self.regressors(z, k, &mut p);
            sums.push_deviation(&p, &means);
        }
        let sds: Vec<f64> = sums
            .sd()
            .into_iter()
            .map(|s| if s > 1e-9 { s } else { 1.0 })
            .collect();
        // Sums of products of the regressors in deviations, and of them with the increments.
        let mut g = Square::zero(wide);
        let mut h = vec![0.0; wide * n];
        for k in self.training() {
            self.regressors(z, k, &mut p);
            for j in 0..n {
                let y = z[k * width + j] - p[j] - increment_mean[j];
                let of = &mut h[j * wide..(j + 1) * wide];
                for (((to, x), mean), sd) in of.iter_mut().zip(&p).zip(&means).zip(&sds) {
                    *to += (x - mean) / sd * y;
                }
            }
            for ((x, mean), sd) in p.iter_mut().zip(&means).zip(&sds) {
                *x = (*x - mean) / sd;
            }
            for i in 0..wide {
                let x = p[i];
                for (to, y) in g[i].iter_mut().zip(&p).take(i + 1) {
                    *to += x * y;
                }
            }
        }
        for i in 0..wide {
            g[i][i] += PREDICTOR_RIDGE;
            for j in 0..i {
                g[j][i] = g[i][j];
            }
        }
        let mut factored = g.clone();
        // The ridge makes it positive definite.
        let is_factored = linear::factor(wide, &mut factored).is_ok();
        for j in 0..n {
            let of = j * wide..(j + 1) * wide;
            // Without evidence a channel returns to its mean.
            h[j * wide + j] -= PREDICTOR_RIDGE * sds[j];
            let h = &h[of.clone()];
            let from_itself = solved(&g, h, &[j, n + j]);
            let with_inputs: Vec<usize> = [j, n + j].into_iter().chain(2 * n..wide).collect();
            let with_inputs = if m > 0 {
                solved(&g, h, &with_inputs)
            } else {
                from_itself.clone()
            };
            let from_all = if is_factored {
                let mut b = h.to_vec();
                linear::solve(wide, &factored, &mut b[..]);
                b
            } else {
                from_itself.clone()
            };
            for (to, b) in self
                .from
                .iter_mut()
                .zip([from_all, from_itself, with_inputs])
            {
                for ((to, b), sd) in to[of.clone()].iter_mut().zip(&b).zip(&sds) {
                    *to = b / sd;
                }
            }
        }
        (self.law.lowest, self.law.highest) = (lowest, highest);
        self.law.regressor_mean = means;
        self.law.increment_mean = increment_mean;
    }

    /// Fits the levels to the inputs: least squares with a ridge.
    fn regress_levels(&mut self, z: &[f64]) {
        let (n, m) = (self.rows.n, self.rows.m);
        let (mut g, mut h) = (Square::zero(m), vec![0.0; n * m]);
        for k in self.training() {
            let (levels, inputs) = z[k * (n + m)..(k + 1) * (n + m)].split_at(n);
            for i in 0..m {
                for (to, v) in g[i].iter_mut().zip(inputs) {
                    *to += inputs[i] * v;
                }
                for (j, z) in levels.iter().enumerate() {
                    h[j * m + i] += inputs[i] * z;
                }
            }
        }
        for i in 0..m {
            g[i][i] += PREDICTOR_RIDGE;
        }
        if linear::factor(m, &mut g).is_ok() {
            for of in h.chunks_exact_mut(m.max(1)) {
                linear::solve(m, &g, of);
            }
            self.on_inputs = h;
        }
    }

    /// Sums of squares of the rows that were held out.
    pub(super) fn held_out_squares(&mut self) -> Squares {
        let (n, m) = (self.rows.n, self.rows.m);
        let z = self.scaled();
        let squares_of = |each: &mut dyn FnMut(usize, &mut [f64])| {
            let (mut squares, mut r) = (vec![0.0; n], vec![0.0; n]);
            for k in self.held_out.clone() {
                each(k, &mut r);
                for (sum, r) in squares.iter_mut().zip(&r) {
                    *sum += r * r;
                }
            }
            squares
        };
        let mut law = self.law.clone();
        let level = squares_of(&mut |k, to| to.copy_from_slice(&z[k * (n + m)..][..n]));
        law.on_inputs.clone_from(&self.on_inputs);
        let level_on_inputs = if m > 0 {
            squares_of(&mut |k, to| law.levels(&z[k * (n + m)..][..n + m], to))
        } else {
            level.clone()
        };
        let mut p = vec![0.0; law.regressors()];
        let innovation = core::array::from_fn(|kind| {
            self.set_predictor(&mut law, &vec![kind; n]);
            squares_of(&mut |k, to| {
                self.regressors(&z, k, &mut p);
                law.innovations(&mut p, &z[k * (n + m)..][..n], to);
            })
        });
        Squares {
            innovation,
            level,
            level_on_inputs,
        }
    }

    fn set_predictor(&self, law: &mut Law, kind: &[usize]) {
        let wide = law.regressors();
        for (j, kind) in kind.iter().enumerate() {
            let part = j * wide..(j + 1) * wide;
            law.predictor[part.clone()].copy_from_slice(&self.from[*kind][part]);
            law.alone[j] = *kind != FROM_ALL;
        }
    }

    /// Sets what is chosen for each channel, then learns the laws of levels, activities and innovations.
    pub(super) fn choose(self, choice: &Choice) -> Law {
        let (n, m) = (self.rows.n, self.rows.m);
        let (width, len) = (n + m, self.rows.len());
        let mut law = self.law.clone();
        self.set_predictor(&mut law, &choice.kind);
        for (j, is_chosen) in choice.level_on_inputs.iter().enumerate() {
            if *is_chosen {
                let of = j * m..(j + 1) * m;
                law.on_inputs[of.clone()].copy_from_slice(&self.on_inputs[of]);
            }
        }
        let z = self.scaled();
        let mut r = vec![0.0; len * n];
        for (to, z) in r.chunks_exact_mut(n).zip(z.chunks_exact(width)) {
            law.levels(z, to);
        }
        let training = |r: &[f64]| {
            let rows = self.training().map(|k| &r[k * n..(k + 1) * n]);
            Square::covariance(n, rows)
        };
        let c = training(&r);
        law.of_level = whitening(&c, RIDGE);
        law.on_others = on_others(&c);
        self.learn_activity(&mut law, &z);
        let mut p = vec![0.0; law.regressors()];
        for (k, to) in r.chunks_exact_mut(n).enumerate() {
            self.regressors(&z, k, &mut p);
            law.innovations(&mut p, &z[k * width..][..n], to);
        }
        let (_, sds) = moments(n, self.training().map(|k| &r[k * n..(k + 1) * n]));
        law.innovation_sd = sds.iter().map(|s| s.max(1e-3)).collect();
        for row in r.chunks_exact_mut(n) {
            for (r, sd) in row.iter_mut().zip(&law.innovation_sd) {
                *r = (*r / sd).clamp(-CLIP, CLIP);
            }
        }
        let of_rows = training(&r);
        law.of_innovation = whitening(&of_rows, RIDGE);
        // The shift: exponential means of the innovations.
        let a = gain(SHIFT);
        for stretch in self.rows.stretches() {
            let mut e = vec![0.0; n];
            for k in stretch {
                for (e, r) in e.iter_mut().zip(&mut r[k * n..(k + 1) * n]) {
                    *e += a * (*r - *e);
                    *r = *e;
                }
            }
        }
        let mut c = training(&r);
        for i in 0..n {
            for j in 0..n {
                c[i][j] = MEASURED * c[i][j] + (1.0 - MEASURED) * a / (2.0 - a) * of_rows[i][j];
            }
        }
        law.shift_sd = (0..n).map(|i| libm::sqrt(c[i][i]).max(1e-3)).collect();
        for i in 0..n {
            for j in 0..n {
                c[i][j] /= law.shift_sd[i] * law.shift_sd[j];
            }
        }
        law.of_shift = whitening(&c, SHIFT_RIDGE);
        law
    }

    /// Learns how much each channel moves.
    fn learn_activity(&self, law: &mut Law, z: &[f64]) {
        let (n, width) = (law.n, law.n + law.m);
        let mut settled = Vec::new();
        for stretch in self.rows.stretches() {
            let first = &z[stretch.start * width..];
            let mut activities: Vec<Activity> = first
                .iter()
                .take(n)
                .map(|z| Activity::new(*z, 0.0))
                .collect();
            for k in stretch.clone() {
                let is_settled = k >= stretch.start + SETTLED && !self.held_out.contains(&k);
                for (activity, z) in activities.iter_mut().zip(&z[k * width..]) {
                    let moved = activity.push(*z);
                    if is_settled {
                        settled.push(moved);
                    }
                }
            }
        }
        let (mean, sd) = moments(n, settled.chunks_exact(n));
        let least = |(s, moving): (&f64, &bool)| match (*s > 1e-3, *moving) {
            (true, _) => *s,
            (false, true) => 1e-3,
            (false, false) => 1.0,
        };
        law.activity_sd = sd.iter().zip(&law.moving).map(least).collect();
        law.activity_mean = mean;
        for row in settled.chunks_exact_mut(n) {
            for (j, x) in row.iter_mut().enumerate() {
                *x = law.activity(j, *x);
            }
        }
        law.of_activity = whitening(&Square::covariance(n, settled.chunks_exact(n)), RIDGE);
    }
}

/// Coefficients of each channel's level on those of the others: `-P_ij / P_ii` with `P = (C + ridge I)^-1`, the mean of a
/// Gaussian given the others.
fn on_others(c: &Square) -> Square {
    let mut p = inverse(c, RIDGE);
    for i in 0..c.size() {
        let own = p[i][i];
        for (j, x) in p[i].iter_mut().enumerate() {
            *x = if i == j { 0.0 } else { -*x / own };
        }
    }
    p
}

/// Solution of the equations of some unknowns, the others 0.
fn solved(g: &Square, h: &[f64], unknowns: &[usize]) -> Vec<f64> {
    let size = unknowns.len();
    let mut part = Square::zero(size);
    let mut b: Vec<f64> = unknowns.iter().map(|i| h[*i]).collect();
    for (k, i) in unknowns.iter().enumerate() {
        for (to, j) in part[k].iter_mut().zip(unknowns) {
            *to = g[*i][*j];
        }
    }
    let mut all = vec![0.0; h.len()];
    if linear::factor(size, &mut part).is_ok() {
        linear::solve(size, &part, &mut b[..]);
        for (i, b) in unknowns.iter().zip(b) {
            all[*i] = b;
        }
    }
    all
}

/// Sums of columns, then of their squared deviations.
struct Moments {
    count: f64,
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Moments {
    fn new(n: usize) -> Self {
        Self {
            count: 0.0,
            sum: vec![0.0; n],
            square: vec![0.0; n],
        }
    }

    fn push(&mut self, row: &[f64]) {
        self.count += 1.0;
        for (sum, x) in self.sum.iter_mut().zip(row) {
            *sum += x;
        }
    }

    fn mean(&self) -> Vec<f64> {
        let count = self.count.max(1.0);
        self.sum.iter().map(|sum| sum / count).collect()
    }

    fn push_deviation(&mut self, row: &[f64], mean: &[f64]) {
        for ((s, m), x) in self.square.iter_mut().zip(mean).zip(row) {
            *s += (x - m) * (x - m);
        }
    }

    /// Deviations, over the number.
    fn sd(&self) -> Vec<f64> {
        let count = self.count.max(1.0);
        self.square.iter().map(|s| libm::sqrt(s / count)).collect()
    }
}

/// Mean and deviation (over the number) of each column.
fn moments<'a>(n: usize, rows: impl Iterator<Item = &'a [f64]> + Clone) -> (Vec<f64>, Vec<f64>) {
    let mut moments = Moments::new(n);
    for row in rows.clone() {
        moments.push(row);
    }
    let mean = moments.mean();
    for row in rows {
        moments.push_deviation(row, &mean);
    }
    let sd = moments.sd();
    (mean, sd)
}
