//! [`Witness`]: W = G\[W\], a self-model that foresees the next sample of every channel from the
//! samples before it, and [`Moments`], from which it is learned in one pass.
//!
//! ```text
//! z_k  = [ x_{k-1} ; mean of x_{k-5} .. x_{k-1} ; u_k ; mean of u_{k-4} .. u_k ]
//! x^_k = b + B z_k                         what is foreseen
//! r_k  = (x_k - x^_k) / sd                 the innovation: what was not foreseen
//! ```
//!
//! x are the outputs; u the inputs, such as commands, which help to foresee and are never foreseen.
//! Over K samples, in units of each channel's standard deviation, with the means taken out:
//!
//! ```text
//! B    = Cov(x, z) (Cov(z, z) + (g/K) I)^-1       ridge regression of weight g = 1
//! b    = mean x - B mean z
//! R    = Cov(r) = Cov(x, x) - B Cov(z, x) - Cov(x, z) B^T + B Cov(z, z) B^T
//! ```
//!
//! All of it follows from sums of products, so no sample is kept. The sums are taken about each
//! channel's first value, which lies within sqrt(K) standard deviations of the mean: what
//! cancels in them is at most a factor K of rounding.
//!
//! # What is missing
//!
//! A regressor that is missing keeps its last value, and a mean is of what came. A target that
//! is missing has no part in its own sums, so that a slow channel is learned from its own samples. Its
//! innovation is then not that of sums over all rows: the self-model measures it, where it can.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

use core::ops::{Index, IndexMut};

use crate::Real;
use crate::linear;

/// Samples in the short mean.
pub(crate) const MEAN_OF: usize = 5;

/// One value for each regressor: of the last sample, of the short mean, of the inputs and of their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stacked<T, const N: usize, const U: usize> {
    pub(crate) last: [T; N],
    pub(crate) mean: [T; N],
    pub(crate) input: [T; U],
    pub(crate) input_mean: [T; U],
}

impl<T: Copy, const N: usize, const U: usize> Stacked<T, N, U> {
    /// How many there are.
    pub(crate) const SIZE: usize = 2 * (N + U);

    pub(crate) const fn of(value: T) -> Self {
        Self {
            last: [value; N],
            mean: [value; N],
            input: [value; U],
            input_mean: [value; U],
        }
    }
}

impl<T, const N: usize, const U: usize> Index<usize> for Stacked<T, N, U> {
    type Output = T;

    fn index(&self, i: usize) -> &T {
        if i < N {
            &self.last[i]
        } else if i < 2 * N {
            &self.mean[i - N]
        } else if i < 2 * N + U {
            &self.input[i - 2 * N]
        } else {
            &self.input_mean[i - 2 * N - U]
        }
    }
}

impl<T, const N: usize, const U: usize> IndexMut<usize> for Stacked<T, N, U> {
    fn index_mut(&mut self, i: usize) -> &mut T {
        if i < N {
            &mut self.last[i]
        } else if i < 2 * N {
            &mut self.mean[i - N]
        } else if i < 2 * N + U {
            &mut self.input[i - 2 * N]
        } else {
            &mut self.input_mean[i - 2 * N - U]
        }
    }
}

impl<R: Real, const N: usize, const U: usize> Stacked<R, N, U> {
    /// Moves towards another by a share of the difference.
    pub(crate) fn follow(&mut self, other: &Self, gain: R) {
        for i in 0..Self::SIZE {
            let own = self[i];
            self[i] = own + gain * (other[i] - own);
        }
    }

    /// self += other * by.
    fn add(&mut self, other: &Self, by: R) {
        let parts = [
            (&mut self.last[..], &other.last[..]),
            (&mut self.mean, &other.mean),
            (&mut self.input, &other.input),
            (&mut self.input_mean, &other.input_mean),
        ];
        for (sums, values) in parts {
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += by * value;
            }
        }
    }

    fn dot(&self, other: &Self) -> R {
        let part = |a: &[R], b: &[R]| a.iter().zip(b).fold(R::zero(), |sum, (&a, &b)| sum + a * b);
        part(&self.last, &other.last)
            + part(&self.mean, &other.mean)
            + part(&self.input, &other.input)
            + part(&self.input_mean, &other.input_mean)
    }
}

/// The last samples, about each channel's first value, as regressors.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct History<R, const N: usize, const U: usize> {
    /// None until the channel's first value.
    origin: [Option<R>; N],
    input_origin: [Option<R>; U],
    last: [R; N],
    kept: [bool; N],
    /// Ticks since the last value; 0 where there was one at the last tick.
    age: [u32; N],
    ring: [[Option<R>; N]; MEAN_OF],
    input_ring: [[R; U]; MEAN_OF],
    head: usize,
    /// Ticks in the rings, at most all.
    filled: usize,
}

impl<R: Real, const N: usize, const U: usize> History<R, N, U> {
    pub(crate) fn new() -> Self {
        Self {
            origin: [None; N],
            input_origin: [None; U],
            last: [R::zero(); N],
            kept: [false; N],
            age: [0; N],
            ring: [[None; N]; MEAN_OF],
            input_ring: [[R::zero(); U]; MEAN_OF],
            head: 0,
            filled: 0,
        }
    }

    /// Takes values about their origins; the first value of a channel is its origin.
    pub(crate) fn about_origin(&mut self, values: &mut [Option<R>; N]) {
        for (value, origin) in values.iter_mut().zip(&mut self.origin) {
            if let Some(x) = value {
                *x -= *origin.get_or_insert(*x);
            }
        }
    }

    /// The regressors of the tick that has these inputs. A missing input keeps its last value.
    pub(crate) fn regressors(&mut self, inputs: &[Option<R>; U]) -> Stacked<R, N, U> {
        let before = self.input_ring[(self.head + MEAN_OF - 1) % MEAN_OF];
        let now = &mut self.input_ring[self.head];
        for (j, now) in now.iter_mut().enumerate() {
            *now = match inputs[j] {
                Some(x) => x - *self.input_origin[j].get_or_insert(x),
                None => before[j],
            };
        }
        let mut z = Stacked::of(R::zero());
        z.last = self.last;
        z.input = *now;
        for n in 0..N {
            let (mut sum, mut count) = (R::zero(), R::zero());
            for sample in &self.ring {
                if let Some(x) = sample[n] {
                    sum += x;
                    count += R::one();
                }
            }
            z.mean[n] = if count > R::zero() {
                sum / count
            } else {
                self.last[n]
            };
        }
        // The present inputs are in the ring already, in the place of those that leave it.
        let count = R::of((self.filled + 1).min(MEAN_OF) as f64);
        for j in 0..U {
            let mut sum = R::zero();
            for back in 0..(self.filled + 1).min(MEAN_OF) {
                sum += self.input_ring[(self.head + MEAN_OF - back) % MEAN_OF][j];
            }
            z.input_mean[j] = sum / count;
        }
        z
    }

    /// Keeps the outputs of this tick, about their origins, for the next.
    pub(crate) fn keep(&mut self, outputs: &[Option<R>; N]) {
        self.ring[self.head] = *outputs;
        for (n, output) in outputs.iter().enumerate() {
            match output {
                Some(x) => {
                    self.last[n] = *x;
                    self.kept[n] = true;
                    self.age[n] = 0;
                }
                None => self.age[n] = self.age[n].saturating_add(1),
            }
        }
        self.head = (self.head + 1) % MEAN_OF;
        self.filled = (self.filled + 1).min(MEAN_OF);
    }

    /// Ticks without a value of this channel since its last.
    pub(crate) fn age(&self, channel: usize) -> u32 {
        self.age[channel]
    }

    /// Whether the channel had a value at an earlier tick.
    pub(crate) fn seen_before(&self, channel: usize) -> bool {
        self.kept[channel]
    }

    /// The input's first value.
    pub(crate) fn input_origin(&self, input: usize) -> R {
        self.input_origin[input].unwrap_or(R::zero())
    }

    /// The channel's first value.
    pub(crate) fn origin(&self, channel: usize) -> R {
        self.origin[channel].unwrap_or(R::zero())
    }

    /// Whether there is a tick to foresee from.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// After a gap: no short mean spans it. Last values and origins stay.
    pub(crate) fn forget_ring(&mut self) {
        self.ring = [[None; N]; MEAN_OF];
        self.filled = 0;
    }
}

/// Sums of one target over the rows in which it was present.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Target<R, const N: usize, const U: usize> {
    count: R,
    y: R,
    z: Stacked<R, N, U>,
    yz: Stacked<R, N, U>,
}

/// Sums of products of targets y and regressors z over the rows so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments<R, const N: usize, const U: usize> {
    count: R,
    z: Stacked<R, N, U>,
    /// Lower triangle.
    zz: Stacked<Stacked<R, N, U>, N, U>,
    targets: [Target<R, N, U>; N],
    /// Lower triangle; of rows in which both are present, and how many these are.
    yy: [[(R, R); N]; N],
}

impl<R: Real, const N: usize, const U: usize> Moments<R, N, U> {
    pub(crate) fn new() -> Self {
        let zero = R::zero();
        let z = Stacked::of(zero);
        Self {
            count: zero,
            z,
            zz: Stacked::of(z),
            targets: [Target {
                count: zero,
                y: zero,
                z,
                yz: z,
            }; N],
            yy: [[(zero, zero); N]; N],
        }
    }

    pub(crate) fn add(&mut self, y: &[Option<R>; N], z: &Stacked<R, N, U>) {
        let one = R::one();
        self.count += one;
        self.z.add(z, one);
        for i in 0..Stacked::<R, N, U>::SIZE {
            if z[i] != R::zero() {
                self.zz[i].add(z, z[i]);
            }
        }
        for (n, value) in y.iter().enumerate() {
            let Some(value) = *value else { continue };
            let target = &mut self.targets[n];
            target.count += one;
            target.y += value;
            target.z.add(z, one);
            target.yz.add(z, value);
            for (m, other) in y.iter().enumerate().take(n + 1) {
                if let Some(other) = *other {
                    let (sum, count) = &mut self.yy[n][m];
                    *sum += value * other;
                    *count += one;
                }
            }
        }
    }

    /// Rows so far.
    pub(crate) fn count(&self) -> R {
        self.count
    }

    /// Rows in which this channel was present.
    pub(crate) fn count_of(&self, channel: usize) -> R {
        self.targets[channel].count
    }

    /// Mean, about the origin, and variance of a target; zero of one that never came.
    pub(crate) fn mean_and_variance(&self, channel: usize) -> (R, R) {
        let count = self.targets[channel].count.max(R::one());
        let mean = self.targets[channel].y / count;
        let variance = self.yy[channel][channel].0 / count - mean * mean;
        (mean, variance.max(R::zero()))
    }

    /// Mean, about the origin, and variance of an input.
    pub(crate) fn input_mean_and_variance(&self, input: usize) -> (R, R) {
        let count = self.count.max(R::one());
        let mean = self.z.input[input] / count;
        let variance = self.zz.input[input].input[input] / count - mean * mean;
        (mean, variance.max(R::zero()))
    }

    /// Cov(z, z) in units of `sd`, both triangles.
    fn regressors(&self, sd: &Stacked<R, N, U>) -> Stacked<Stacked<R, N, U>, N, U> {
        let count = self.count.max(R::one());
        let mut c = self.zz;
        for i in 0..Stacked::<R, N, U>::SIZE {
            for j in 0..=i {
                let covariance = self.zz[i][j] / count - self.z[i] / count * (self.z[j] / count);
                c[i][j] = covariance / sd[i] / sd[j];
                c[j][i] = c[i][j];
            }
        }
        c
    }

    /// Cov(y, z) of one target in units of `sd`.
    fn cross(&self, channel: usize, sd: &Stacked<R, N, U>) -> Stacked<R, N, U> {
        let target = &self.targets[channel];
        let count = target.count.max(R::one());
        let mut c = target.yz;
        for i in 0..Stacked::<R, N, U>::SIZE {
            let covariance = target.yz[i] / count - target.y / count * (target.z[i] / count);
            // The last sample's scale is the channel's own.
            c[i] = covariance / sd[channel] / sd[i];
        }
        c
    }

    /// Cov(r) of a witness over these rows, in units of `sd`, lower triangle. Not positive definite by
    /// itself where rows are missing, or channels are copies of each other.
    pub(crate) fn innovations(
        &self,
        channels: usize,
        witness: &Witness<R, N, U>,
        sd: &Stacked<R, N, U>,
    ) -> [[R; N]; N] {
        let zz = self.regressors(sd);
        let mut covariance = [[R::zero(); N]; N];
        for n in 0..channels {
            let own = witness.standard(n, sd);
            let mut through = Stacked::of(R::zero());
            for i in 0..Stacked::<R, N, U>::SIZE {
                through[i] = zz[i].dot(&own);
            }
            let cross = self.cross(n, sd);
            let (mean_n, _) = self.mean_and_variance(n);
            for m in 0..=n {
                let other = witness.standard(m, sd);
                let (mean_m, _) = self.mean_and_variance(m);
                let (sum, count) = self.yy[n][m];
                let yy = (sum / count.max(R::one()) - mean_n * mean_m) / sd[n] / sd[m];
                let explained = own.dot(&self.cross(m, sd)) + other.dot(&cross);
                covariance[n][m] = yy - explained + other.dot(&through);
            }
        }
        covariance
    }
}

/// The self-model: what follows from what was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Witness<R, const N: usize, const U: usize> {
    /// B and b in the channels' own units, about their origins.
    weights: [Stacked<R, N, U>; N],
    offset: [R; N],
}

impl<R: Real, const N: usize, const U: usize> Witness<R, N, U> {
    /// A witness that foresees every channel's origin.
    pub(crate) fn blank() -> Self {
        Self {
            weights: [Stacked::of(R::zero()); N],
            offset: [R::zero(); N],
        }
    }

    /// Ridge regression of the first `channels` targets, with weight `ridge` against sums over rows.
    /// `sd` are the units. `Err` holds the regressor at which the solution failed.
    pub(crate) fn fit(
        channels: usize,
        moments: &Moments<R, N, U>,
        sd: &Stacked<R, N, U>,
        ridge: R,
    ) -> Result<Self, usize> {
        let size = Stacked::<R, N, U>::SIZE;
        let mut witness = Self::blank();
        let mut solved_for = R::zero();
        let mut l = Stacked::of(Stacked::of(R::zero()));
        for n in 0..channels {
            let target = &moments.targets[n];
            if target.count <= R::zero() {
                continue;
            }
            // Channels that are always present share one factor.
            if target.count != solved_for {
                l = moments.regressors(sd);
                for i in 0..size {
                    l[i][i] += ridge / target.count;
                }
                linear::factor(size, &mut l)?;
                solved_for = target.count;
            }
            let mut b = moments.cross(n, sd);
            linear::solve(size, &l, &mut b);
            let mut offset = target.y;
            for i in 0..size {
                b[i] *= sd[n] / sd[i];
                offset -= b[i] * target.z[i];
            }
            witness.weights[n] = b;
            witness.offset[n] = offset / target.count;
        }
        Ok(witness)
    }

    /// One target's weights in units of `sd`.
    fn standard(&self, channel: usize, sd: &Stacked<R, N, U>) -> Stacked<R, N, U> {
        let mut b = self.weights[channel];
        for i in 0..Stacked::<R, N, U>::SIZE {
            b[i] *= sd[i] / sd[channel];
        }
        b
    }

    /// What is foreseen of a channel, about its origin.
    pub(crate) fn foresee(&self, channel: usize, z: &Stacked<R, N, U>) -> R {
        self.offset[channel] + self.weights[channel].dot(z)
    }

    /// Moves what is foreseen of a channel, for good.
    pub(crate) fn shift(&mut self, channel: usize, by: R) {
        self.offset[channel] += by;
    }
}
