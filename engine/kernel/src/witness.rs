//! [`Witness`]: W = G\[W\], a linear one-step predictor (VARX) of every channel from the
//! samples before, and [`Moments`], the sums from which it is fitted in one pass.
//!
//! ```text
//! z_k  = [ x_{k-1} ; x_{k-1} - mean of x_{k-5} .. x_{k-1} ; u_k ; u_k - mean of u_{k-4} .. u_k ]
//! x^_k = x_{k-1} + b + B z_k               the prediction
//! r_k  = (x_k - x^_k) / sd                 the innovation
//! ```
//!
//! ```text
//! x_{k-5} .. x_{k-1}    five samples of every output    --+
//!               |                                         +--> B --> x^_k          x_k
//! u_{k-4} ..    |  u_k  inputs, the present one too     --+           |             |
//!               +-- the last one, carried on ----------------(+)------+----> (-) ---+
//!                                                                             |
//!                                                                             r_k
//! ```
//!
//! x are the outputs; u the inputs, such as commands, which improve the prediction and are never predicted.
//! Over K samples, in units of the standard deviations of each output and each regressor, with the means
//! taken out and with y = `x_k - x_{k-1}`:
//!
//! ```text
//! B    = (Cov(y, z) + (g/K) B0) (Cov(z, z) + (g/K) I)^-1     ridge regression of weight g = 1
//! b    = mean y - B mean z
//! R    = Cov(r) = Cov(y, y) - B Cov(z, y) - Cov(y, z) B^T + B Cov(z, z) B^T
//! ```
//!
//! B0 is -1 on an output's own level: without evidence a channel returns to its mean. So two sensors
//! that were copies of each other are expected to stay copies. Level and gain (level less short mean) are separate
//! regressors because for a slow channel they are nearly the same number, and the ridge would blur them.
//!
//! An output that only ever rose, or only ever fell, as a counter does, never returns to earlier values: its level is
//! not used as a regressor, and the prediction continues from its last value.
//!
//! All of it follows from sums of products, so no sample is kept. The sums are taken about each
//! channel's first value, which lies within sqrt(K) standard deviations of the mean: what
//! cancels in them is at most a factor K of rounding.
//!
//! # Outside the warm-up range
//!
//! The influence of one channel's level on another was fitted in the range of the warm-up. Where no inputs explain why a
//! level leaves it (a machine that warms up, a battery that discharges), its influence on other channels is clamped at
//! 5 standard deviations from the mean, or at the farthest value where that is more. Its own prediction is not clamped.
//! On the recordings of a water circuit (SKAB, valve1, even-numbered files) this raised the mean AUC of K1, K2, K3 from
//! .914, .920, .904 to .940, .953, .918. A robot's turn that is faster than any before it follows the same laws of motion:
//! with inputs there is no clamp.
//!
//! # Missing samples
//!
//! A missing regressor holds its last value, and a mean is of present samples. A missing target
//! is left out of its own sums, so that a slow channel is fitted to its own samples; its Cov(z, z) is
//! that of the rows in which some channel returned, as the age of held values matters. Where rates differ
//! by more than that, or samples are missing at random, Cov(r) is not that of the rows: the trainer measures it.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

use core::ops::{Index, IndexMut};

use crate::Real;
use crate::lanes::{Sparse, add_product, add_scaled, larger, smaller};
use crate::linear;
use crate::real::to;

/// Samples in the short mean.
pub(crate) const MEAN_OF: usize = 5;

/// Numbers of active outputs and inputs, within the capacities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Active {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

/// One value for each regressor: level and gain on the short mean of the outputs, then of the inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Stacked<T, const N: usize, const U: usize> {
    pub(crate) last: [T; N],
    pub(crate) gain: [T; N],
    pub(crate) input: [T; U],
    pub(crate) input_gain: [T; U],
}

impl<T: Copy, const N: usize, const U: usize> Stacked<T, N, U> {
    /// Number of regressors.
    pub(crate) const SIZE: usize = 2 * (N + U);

    pub(crate) const fn of(value: T) -> Self {
        Self {
            last: [value; N],
            gain: [value; N],
            input: [value; U],
            input_gain: [value; U],
        }
    }
}

impl<T, const N: usize, const U: usize> Stacked<T, N, U> {
    fn map<V>(self, mut f: impl FnMut(T) -> V) -> Stacked<V, N, U> {
        Stacked {
            last: self.last.map(&mut f),
            gain: self.gain.map(&mut f),
            input: self.input.map(&mut f),
            input_gain: self.input_gain.map(&mut f),
        }
    }
}

impl<T, const N: usize, const U: usize> Index<usize> for Stacked<T, N, U> {
    type Output = T;

    fn index(&self, i: usize) -> &T {
        if i < N {
            &self.last[i]
        } else if i < 2 * N {
            &self.gain[i - N]
        } else if i < 2 * N + U {
            &self.input[i - 2 * N]
        } else {
            &self.input_gain[i - 2 * N - U]
        }
    }
}

impl<T, const N: usize, const U: usize> IndexMut<usize> for Stacked<T, N, U> {
    fn index_mut(&mut self, i: usize) -> &mut T {
        if i < N {
            &mut self.last[i]
        } else if i < 2 * N {
            &mut self.gain[i - N]
        } else if i < 2 * N + U {
            &mut self.input[i - 2 * N]
        } else {
            &mut self.input_gain[i - 2 * N - U]
        }
    }
}

impl<R: Real, const N: usize, const U: usize> Stacked<R, N, U> {
    /// Moves towards another by a share of the difference.
    pub(crate) fn follow(&mut self, other: &Self, gain: R, active: Active) {
        let Active { outputs, inputs } = active;
        let move_on = |own: &mut [R], other: &[R]| {
            for (own, &other) in own.iter_mut().zip(other) {
                *own += gain * (other - *own);
            }
        };
        move_on(&mut self.last[..outputs], &other.last);
        move_on(&mut self.gain[..outputs], &other.gain);
        move_on(&mut self.input[..inputs], &other.input);
        move_on(&mut self.input_gain[..inputs], &other.input_gain);
    }

    /// self += other * by.
    #[inline(always)]
    fn add(&mut self, other: &Self, by: R, active: Active) {
        let Active { outputs, inputs } = active;
        add_scaled(&mut self.last, &other.last, by, outputs);
        add_scaled(&mut self.gain, &other.gain, by, outputs);
        add_scaled(&mut self.input, &other.input, by, inputs);
        add_scaled(&mut self.input_gain, &other.input_gain, by, inputs);
    }

    fn dot(&self, other: &Self) -> R {
        let part = |a: &[R], b: &[R]| a.iter().zip(b).fold(R::zero(), |sum, (&a, &b)| sum + a * b);
        part(&self.last, &other.last)
            + part(&self.gain, &other.gain)
            + part(&self.input, &other.input)
            + part(&self.input_gain, &other.input_gain)
    }
}

/// First values of channels, in the number type of the values, and 1 where there was one.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Origins<R, const N: usize, V> {
    pub(crate) value: [V; N],
    pub(crate) present: [R; N],
}

impl<R: Real, const N: usize, V: Real> Origins<R, N, V> {
    fn none() -> Self {
        Self {
            value: [V::zero(); N],
            present: [R::zero(); N],
        }
    }

    /// In another number type, of the same values.
    fn cast<S: Real>(&self) -> Origins<S, N, V> {
        Origins {
            value: self.value,
            present: self.present.map(to),
        }
    }
}

/// The last samples, about each channel's first value, as regressors.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct History<R, const N: usize, const U: usize, V = R> {
    origins: Origins<R, N, V>,
    input_origins: Origins<R, U, V>,
    last: [R; N],
    kept: [bool; N],
    rose: [bool; N],
    fell: [bool; N],
    /// The lowest and the highest value.
    low: [R; N],
    high: [R; N],
    /// Ticks since the last value; 0 where there was one at the last tick.
    age: [u32; N],
    /// Values of the last ticks.
    ring: [Sparse<R, N>; MEAN_OF],
    /// How many of each channel's are in the ring.
    count: [R; N],
    input_ring: [[R; U]; MEAN_OF],
    head: usize,
    /// Ticks in the rings, at most all.
    filled: usize,
    /// Active outputs and inputs.
    outputs: usize,
    inputs: usize,
}

impl<R: Real, const N: usize, const U: usize, V: Real> History<R, N, U, V> {
    pub(crate) fn new(outputs: usize, inputs: usize) -> Self {
        Self {
            origins: Origins::none(),
            input_origins: Origins::none(),
            last: [R::zero(); N],
            kept: [false; N],
            rose: [false; N],
            fell: [false; N],
            low: [R::zero(); N],
            high: [R::zero(); N],
            age: [0; N],
            ring: [Sparse::none(); MEAN_OF],
            count: [R::zero(); N],
            input_ring: [[R::zero(); U]; MEAN_OF],
            head: 0,
            filled: 0,
            outputs,
            inputs,
        }
    }

    /// The regressors of the tick that has these inputs. A missing input keeps its last value.
    #[inline]
    pub(crate) fn regressors(&mut self, inputs: &Sparse<R, U>) -> Stacked<R, N, U> {
        let zero = R::zero();
        let before = self.input_ring[back(self.head, 1)];
        let now = &mut self.input_ring[self.head];
        for j in 0..U {
            now[j] = if inputs.has(j) {
                inputs.value[j]
            } else {
                before[j]
            };
        }
        let mut z = Stacked::of(zero);
        z.last = self.last;
        z.input = *now;
        let mut sum = [zero; N];
        for row in &self.ring {
            for n in 0..N {
                sum[n] += row.value[n];
            }
        }
        for n in 0..N {
            let gain = self.last[n] - sum[n] / self.count[n];
            z.gain[n] = if self.count[n] > zero { gain } else { zero };
        }
        // The present inputs are in the ring already, in the place of those that leave it.
        let ticks = (self.filled + 1).min(MEAN_OF);
        let mut sum = [zero; U];
        for ago in 0..ticks {
            let row = &self.input_ring[back(self.head, ago)];
            for j in 0..U {
                sum[j] += row[j];
            }
        }
        let count = R::of(ticks as f64);
        for j in 0..U {
            z.input_gain[j] = z.input[j] - sum[j] / count;
        }
        z
    }

    /// Stores the outputs of this tick, about their origins; for missing ones their prediction, if any.
    #[inline]
    pub(crate) fn keep(&mut self, outputs: &Sparse<R, N>, expected: &Sparse<R, N>) {
        let zero = R::zero();
        for n in 0..N {
            // Before the first value, which is the origin, the last is 0, and so is the first.
            let (x, here) = (outputs.value[n], outputs.has(n));
            self.rose[n] |= here & (x > self.last[n]);
            self.fell[n] |= here & (x < self.last[n]);
            // A missing value is 0, the origin, and so within the range.
            self.low[n] = smaller(x, self.low[n]);
            self.high[n] = larger(x, self.high[n]);
        }
        for n in 0..N {
            let here = outputs.has(n);
            self.kept[n] |= here;
            self.age[n] = if here {
                0
            } else {
                self.age[n].saturating_add(1)
            };
        }
        let row = &mut self.ring[self.head];
        for n in 0..N {
            let present = larger(outputs.present[n], expected.present[n]);
            // One of the two is 0.
            let value = outputs.value[n] + expected.value[n];
            self.count[n] += present - row.present[n];
            (row.value[n], row.present[n]) = (value, present);
            self.last[n] = if present > zero { value } else { self.last[n] };
        }
        self.head = if self.head + 1 < MEAN_OF {
            self.head + 1
        } else {
            0
        };
        self.filled = (self.filled + 1).min(MEAN_OF);
    }

    /// Whether every channel had a value at the last tick.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        let ages = self.age.iter().take(self.outputs);
        ages.fold(0, |all, &age| all | age) == 0
    }

    /// Ticks without a value of this channel since its last.
    pub(crate) fn age(&self, channel: usize) -> u32 {
        self.age[channel]
    }

    /// Whether the channel had a value at an earlier tick.
    pub(crate) fn seen_before(&self, channel: usize) -> bool {
        self.kept[channel]
    }

    /// Whether the channel only rose, or only fell.
    pub(crate) fn is_one_way(&self, channel: usize) -> bool {
        self.rose[channel] != self.fell[channel]
    }

    /// The channel's lowest and highest value, about its origin.
    pub(crate) fn range(&self, channel: usize) -> (R, R) {
        (self.low[channel], self.high[channel])
    }

    /// The input's first value.
    pub(crate) fn input_origin(&self, input: usize) -> V {
        self.input_origins.value[input]
    }

    /// The channel's first value.
    pub(crate) fn origin(&self, channel: usize) -> V {
        self.origins.value[channel]
    }

    /// First values of outputs and of inputs, to add those that are still missing.
    #[inline]
    pub(crate) fn origins_mut(&mut self) -> (&mut Origins<R, N, V>, &mut Origins<R, U, V>) {
        (&mut self.origins, &mut self.input_origins)
    }

    /// Whether there are enough ticks to predict from.
    pub(crate) fn is_full(&self) -> bool {
        self.filled == MEAN_OF
    }

    /// The same samples in another number type.
    pub(crate) fn cast<S: Real>(&self) -> History<S, N, U, V> {
        History {
            origins: self.origins.cast(),
            input_origins: self.input_origins.cast(),
            last: self.last.map(to),
            kept: self.kept,
            rose: self.rose,
            fell: self.fell,
            low: self.low.map(to),
            high: self.high.map(to),
            age: self.age,
            ring: self.ring.map(|row| row.cast()),
            count: self.count.map(to),
            input_ring: self.input_ring.map(|row| row.map(to)),
            head: self.head,
            filled: self.filled,
            outputs: self.outputs,
            inputs: self.inputs,
        }
    }

    /// After a gap: no short mean spans it. Last values and origins stay.
    pub(crate) fn forget_ring(&mut self) {
        self.ring = [Sparse::none(); MEAN_OF];
        self.count = [R::zero(); N];
        self.filled = 0;
    }
}

/// Index of the head of `ago` ticks before.
#[inline]
fn back(head: usize, ago: usize) -> usize {
    let place = head + MEAN_OF - ago;
    if place < MEAN_OF {
        place
    } else {
        place - MEAN_OF
    }
}

/// The units in which moments are compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Units<R, const N: usize, const U: usize> {
    /// Each output's deviation.
    pub(crate) sd: [R; N],
    /// One over each regressor's deviation; 0 for an unused one.
    pub(crate) inverse: Stacked<R, N, U>,
}

/// Sums of regressors z and of their products, over rows.
///
/// Where rows are windows that are still filling, the filled share c of each replaces its 1, and means are
/// those of a row at c = 1: c z over c c.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sums<R, const N: usize, const U: usize> {
    count: R,
    z: Stacked<R, N, U>,
    zz: Stacked<Stacked<R, N, U>, N, U>,
}

impl<R: Real, const N: usize, const U: usize> Sums<R, N, U> {
    pub(crate) fn new() -> Self {
        let z = Stacked::of(R::zero());
        Self {
            count: R::zero(),
            z,
            zz: Stacked::of(z),
        }
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, z: &Stacked<R, N, U>, full: R, active: Active) {
        self.count += full * full;
        self.z.add(z, full, active);
        for n in 0..active.outputs {
            self.zz.last[n].add(z, z.last[n], active);
            self.zz.gain[n].add(z, z.gain[n], active);
        }
        for j in 0..active.inputs {
            self.zz.input[j].add(z, z.input[j], active);
            self.zz.input_gain[j].add(z, z.input_gain[j], active);
        }
    }

    fn mean_and_variance(&self, regressor: usize) -> (R, R) {
        let count = self.count.max(R::one());
        let mean = self.z[regressor] / count;
        let square = self.zz[regressor][regressor] / count;
        (mean, (square - mean * mean).max(R::zero()))
    }

    /// Cov(z, z).
    fn covariance(&self, units: &Units<R, N, U>) -> Stacked<Stacked<R, N, U>, N, U> {
        let count = self.count.max(R::one());
        let mut c = self.zz;
        for i in 0..Stacked::<R, N, U>::SIZE {
            for j in 0..=i {
                let covariance = self.zz[i][j] / count - self.z[i] / count * (self.z[j] / count);
                c[i][j] = covariance * units.inverse[i] * units.inverse[j];
                c[j][i] = c[i][j];
            }
        }
        c
    }
}

/// Sums of one target over the rows in which it was present.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Target<R, const N: usize, const U: usize> {
    count: R,
    y: R,
    z: Stacked<R, N, U>,
    yz: Stacked<R, N, U>,
    /// Rows before which it was missing.
    returns: R,
}

/// Sums of products of targets y and regressors z over the rows so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moments<R, const N: usize, const U: usize> {
    rows: Sums<R, N, U>,
    targets: [Target<R, N, U>; N],
    /// Lower triangle; of rows in which both are present, and how many these are.
    yy: [[(R, R); N]; N],
}

impl<R: Real, const N: usize, const U: usize> Moments<R, N, U> {
    pub(crate) fn new() -> Self {
        let zero = R::zero();
        let z = Stacked::of(zero);
        Self {
            rows: Sums::new(),
            targets: [Target {
                count: zero,
                y: zero,
                z,
                yz: z,
                returns: zero,
            }; N],
            yy: [[(zero, zero); N]; N],
        }
    }

    /// Adds a row. `returned` are the targets that were missing in the row before; `full` is 1, or the filled
    /// share of a row that is a window.
    pub(crate) fn add(
        &mut self,
        y: &[Option<R>; N],
        z: &Stacked<R, N, U>,
        returned: &[bool; N],
        full: R,
        active: Active,
    ) {
        let all = Active {
            outputs: N,
            inputs: U,
        };
        if active == all {
            // The lengths of all loops are known.
            self.add_active(y, z, returned, full, all);
        } else {
            self.add_active(y, z, returned, full, active);
        }
    }

    #[inline(always)]
    fn add_active(
        &mut self,
        y: &[Option<R>; N],
        z: &Stacked<R, N, U>,
        returned: &[bool; N],
        full: R,
        active: Active,
    ) {
        self.rows.add(z, full, active);
        for (n, value) in y.iter().enumerate().take(active.outputs) {
            let Some(value) = *value else { continue };
            let target = &mut self.targets[n];
            target.count += full * full;
            target.y += full * value;
            target.z.add(z, full, active);
            target.yz.add(z, value, active);
            if returned[n] {
                target.returns += R::one();
            }
            for (m, other) in y.iter().enumerate().take(n + 1) {
                if let Some(other) = *other {
                    let (sum, count) = &mut self.yy[n][m];
                    *sum += value * other;
                    *count += full * full;
                }
            }
        }
    }

    /// Rows so far.
    pub(crate) fn count(&self) -> R {
        self.rows.count
    }

    /// Rows in which this channel was present.
    pub(crate) fn count_of(&self, channel: usize) -> R {
        self.targets[channel].count
    }

    /// Whether the channel was missing before most of its samples.
    fn is_slow(&self, channel: usize) -> bool {
        let target = &self.targets[channel];
        target.returns + target.returns > target.count
    }

    /// Mean of a target.
    fn mean(&self, channel: usize) -> R {
        let target = &self.targets[channel];
        target.y / target.count.max(R::one())
    }

    /// Mean, about the origin, and variance of an output.
    pub(crate) fn mean_and_variance(&self, channel: usize) -> (R, R) {
        self.rows.mean_and_variance(channel)
    }

    /// Mean, about the origin, and variance of an input.
    pub(crate) fn input_mean_and_variance(&self, input: usize) -> (R, R) {
        self.rows.mean_and_variance(2 * N + input)
    }

    /// One over the deviation of a regressor; 0 of one that did not move.
    pub(crate) fn inverse(&self, regressor: usize) -> R {
        let (mean, variance) = self.rows.mean_and_variance(regressor);
        let square = variance + mean * mean;
        let moved =
            variance > R::of(64.0) * R::epsilon() * square && variance > R::min_positive_value();
        if moved {
            R::one() / variance.sqrt()
        } else {
            R::zero()
        }
    }

    /// Cov(y, z) of one target.
    fn cross(&self, channel: usize, units: &Units<R, N, U>) -> Stacked<R, N, U> {
        let target = &self.targets[channel];
        let count = target.count.max(R::one());
        let mut c = target.yz;
        for i in 0..Stacked::<R, N, U>::SIZE {
            let covariance = target.yz[i] / count - target.y / count * (target.z[i] / count);
            c[i] = covariance / units.sd[channel] * units.inverse[i];
        }
        c
    }

    /// Cov(r) of a witness over these rows, lower triangle. Not positive definite by
    /// itself where rows are missing, or channels are copies of each other.
    pub(crate) fn innovations(
        &self,
        channels: usize,
        witness: &Witness<R, N, U>,
        units: &Units<R, N, U>,
        returns: &Sums<R, N, U>,
    ) -> [[R; N]; N] {
        let always = self.rows.covariance(units);
        let slow = returns.covariance(units);
        let mut covariance = [[R::zero(); N]; N];
        for n in 0..channels {
            let own = witness.standard(n, units);
            let zz = if self.is_slow(n) { &slow } else { &always };
            let mut through = Stacked::of(R::zero());
            for i in 0..Stacked::<R, N, U>::SIZE {
                through[i] = zz[i].dot(&own);
            }
            let cross = self.cross(n, units);
            let mean_n = self.mean(n);
            for m in 0..=n {
                let other = witness.standard(m, units);
                let (sum, count) = self.yy[n][m];
                let yy =
                    (sum / count.max(R::one()) - mean_n * self.mean(m)) / units.sd[n] / units.sd[m];
                let explained = own.dot(&self.cross(m, units)) + other.dot(&cross);
                covariance[n][m] = yy - explained + other.dot(&through);
            }
        }
        covariance
    }
}

/// Linear one-step predictor (VARX).
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Witness<R, const N: usize, const U: usize> {
    /// B and b in the channels' own units, about their origins. B by regressors: each has a row of its weights
    /// of every output.
    weights: Stacked<[R; N], N, U>,
    offset: [R; N],
}

impl<R: Real, const N: usize, const U: usize> Witness<R, N, U> {
    /// A predictor that gives every channel's origin.
    pub(crate) fn blank() -> Self {
        Self {
            weights: Stacked::of([R::zero(); N]),
            offset: [R::zero(); N],
        }
    }

    /// Ridge regression of the first `channels` targets, with weight `ridge` against sums over rows. A target
    /// that is not `moving` is predicted at its origin; `returns` are the rows in which a channel returned.
    /// `Err` holds the regressor at which the solution failed.
    pub(crate) fn fit(
        channels: usize,
        moving: &[bool; N],
        moments: &Moments<R, N, U>,
        returns: &Sums<R, N, U>,
        units: &Units<R, N, U>,
        ridge: R,
    ) -> Result<Self, usize> {
        let size = Stacked::<R, N, U>::SIZE;
        let mut witness = Self::blank();
        let mut solved_for = (R::zero(), false);
        let mut l = Stacked::of(Stacked::of(R::zero()));
        for n in 0..channels {
            let target = &moments.targets[n];
            if !moving[n] || target.count <= R::zero() {
                continue;
            }
            // Channels that are always present share one factor.
            let slow = moments.is_slow(n);
            if (target.count, slow) != solved_for {
                let rows = if slow { returns } else { &moments.rows };
                l = rows.covariance(units);
                for i in 0..size {
                    l[i][i] += ridge / target.count;
                }
                linear::factor(size, &mut l)?;
                solved_for = (target.count, slow);
            }
            let mut b = moments.cross(n, units);
            if units.inverse.last[n] > R::zero() {
                // Prior: -1 on its own level.
                let unit = R::one() / (units.inverse.last[n] * units.sd[n]);
                b.last[n] -= ridge / target.count * unit;
            }
            linear::solve(size, &l, &mut b);
            let mut offset = target.y;
            for i in 0..size {
                b[i] *= units.sd[n] * units.inverse[i];
                offset -= b[i] * target.z[i];
            }
            b.last[n] += R::one();
            for i in 0..size {
                witness.weights[i][n] = b[i];
            }
            witness.offset[n] = offset / target.count;
        }
        Ok(witness)
    }

    /// One target's weights of the change since the last sample.
    fn standard(&self, channel: usize, units: &Units<R, N, U>) -> Stacked<R, N, U> {
        let mut b = Stacked::of(R::zero());
        for i in 0..Stacked::<R, N, U>::SIZE {
            b[i] = self.weights[i][channel];
        }
        b.last[channel] -= R::one();
        for i in 0..Stacked::<R, N, U>::SIZE {
            b[i] = if units.inverse[i] > R::zero() {
                b[i] / units.inverse[i] / units.sd[channel]
            } else {
                R::zero()
            };
        }
        b
    }

    /// Prediction of the first `outputs` channels, about their origins, from the clamped levels `within`, their
    /// gains, the first `inputs` inputs and their gains; and from each channel's own unclamped level.
    pub(crate) fn predict(
        &self,
        outputs: usize,
        inputs: usize,
        within: &[R; N],
        z: &Stacked<R, N, U>,
    ) -> [R; N] {
        let mut predicted = self.offset;
        let weights = &self.weights;
        add_product(&weights.last, within, outputs, outputs, &mut predicted);
        add_product(&weights.gain, &z.gain, outputs, outputs, &mut predicted);
        add_product(&weights.input, &z.input, inputs, outputs, &mut predicted);
        add_product(
            &weights.input_gain,
            &z.input_gain,
            inputs,
            outputs,
            &mut predicted,
        );
        let mut beyond = false;
        for n in 0..N {
            beyond |= within[n] != z.last[n];
        }
        if beyond {
            for n in 0..outputs {
                predicted[n] += weights.last[n][n] * (z.last[n] - within[n]);
            }
        }
        predicted
    }

    /// In another float.
    pub(crate) fn cast<S: Real>(&self) -> Witness<S, N, U> {
        Witness {
            weights: self.weights.map(|row| row.map(to)),
            offset: self.offset.map(to),
        }
    }

    /// Shifts the prediction of a channel permanently.
    pub(crate) fn shift(&mut self, channel: usize, by: R) {
        self.offset[channel] += by;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// Two outputs and one input over time, from a small generator of numbers.
    fn samples() -> Vec<([f64; 2], f64)> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24) - 0.5
        };
        let (mut x, mut y) = (0.0, 3.0);
        (0..120)
            .map(|_| {
                let u = next();
                x = 0.7 * x + u + 0.2 * next();
                y = 0.9 * y + 0.3 * x + 0.1 * next();
                ([x, 50.0 * y], u)
            })
            .collect()
    }

    /// Values of which none is missing.
    fn all<const K: usize>(value: [f64; K]) -> Sparse<f64, K> {
        Sparse {
            value,
            present: [1.0; K],
        }
    }

    type Row = ([f64; 2], [f64; 6]);

    /// Targets and regressors, as the module defines them, straight from the samples.
    fn rows(samples: &[([f64; 2], f64)]) -> Vec<Row> {
        (MEAN_OF..samples.len())
            .map(|k| {
                let last = samples[k - 1].0;
                let mut z = [0.0; 6];
                for n in 0..2 {
                    let mean = samples[k - 5..k].iter().map(|s| s.0[n]).sum::<f64>() / 5.0;
                    (z[n], z[2 + n]) = (last[n], last[n] - mean);
                }
                let mean = samples[k - 4..=k].iter().map(|s| s.1).sum::<f64>() / 5.0;
                (z[4], z[5]) = (samples[k].1, samples[k].1 - mean);
                let now = samples[k].0;
                ([now[0] - last[0], now[1] - last[1]], z)
            })
            .collect()
    }

    fn mean<const D: usize>(rows: impl Iterator<Item = [f64; D]> + Clone) -> [f64; D] {
        let count = rows.clone().count() as f64;
        let mut mean = [0.0; D];
        for row in rows {
            for (mean, x) in mean.iter_mut().zip(row) {
                *mean += x / count;
            }
        }
        mean
    }

    /// Ridge regression by plain elimination, from the rows themselves.
    fn directly(rows: &[Row], target: usize) -> [f64; 6] {
        let count = rows.len() as f64;
        let zm = mean(rows.iter().map(|r| r.1));
        let ym = mean(rows.iter().map(|r| r.0));
        let sd: Vec<f64> = (0..6)
            .map(|i| (rows.iter().map(|r| (r.1[i] - zm[i]).powi(2)).sum::<f64>() / count).sqrt())
            .collect();
        let z = |r: &Row, i: usize| (r.1[i] - zm[i]) / sd[i];
        let mut a = [[0.0; 7]; 6];
        for i in 0..6 {
            for j in 0..6 {
                a[i][j] = rows.iter().map(|r| z(r, i) * z(r, j)).sum();
            }
            a[i][i] += 1.0;
            a[i][6] = rows
                .iter()
                .map(|r| z(r, i) * (r.0[target] - ym[target]))
                .sum();
            if i == target {
                a[i][6] -= sd[i];
            }
        }
        for i in 0..6 {
            for k in 0..6 {
                if k != i {
                    let by = a[k][i] / a[i][i];
                    for j in 0..7 {
                        a[k][j] -= by * a[i][j];
                    }
                }
            }
        }
        let mut b = [0.0; 6];
        for i in 0..6 {
            b[i] = a[i][6] / a[i][i] / sd[i];
        }
        b
    }

    #[test]
    fn one_pass_gives_the_ridge_regression_and_its_residuals() {
        let samples = samples();
        let mut history = History::<f64, 2, 1>::new(2, 1);
        let mut moments = Moments::<f64, 2, 1>::new();
        let (first_y, first_u) = samples[0];
        for (outputs, input) in &samples {
            let y = all([0, 1].map(|n| outputs[n] - first_y[n]));
            let z = history.regressors(&all([input - first_u]));
            if history.is_full() {
                moments.add(
                    &[0, 1].map(|n| y.get(n).map(|y| y - z.last[n])),
                    &z,
                    &[false; 2],
                    1.0,
                    Active {
                        outputs: 2,
                        inputs: 1,
                    },
                );
            }
            history.keep(&y, &Sparse::none());
        }
        let mut units = Units {
            sd: [0, 1].map(|n| moments.mean_and_variance(n).1.sqrt()),
            inverse: Stacked::of(0.0),
        };
        for i in 0..6 {
            units.inverse[i] = moments.inverse(i);
        }
        let witness = Witness::fit(2, &[true; 2], &moments, &Sums::new(), &units, 1.0);
        assert!(witness.is_ok());
        let Ok(witness) = witness else { return };
        let rows = rows(&samples);
        let mut residuals = Vec::new();
        for target in 0..2 {
            let expected = directly(&rows, target);
            for i in 0..6 {
                let own = if i == target { 1.0 } else { 0.0 };
                let found = witness.weights[i][target] - own;
                assert!(
                    (found - expected[i]).abs() < 1e-9 * expected[target].abs().max(1.0),
                    "{target} {i}: {found} {expected:?}"
                );
            }
            let of: Vec<f64> = rows
                .iter()
                .map(|r| {
                    let fit: f64 = r.1.iter().zip(expected).map(|(z, b)| z * b).sum();
                    (r.0[target] - fit) / units.sd[target]
                })
                .collect();
            let mean = of.iter().sum::<f64>() / of.len() as f64;
            residuals.push(of.iter().map(|r| r - mean).collect::<Vec<_>>());
        }
        let covariance = moments.innovations(2, &witness, &units, &Sums::new());
        for n in 0..2 {
            for m in 0..=n {
                let products = residuals[n].iter().zip(&residuals[m]);
                let direct = products.map(|(a, b)| a * b).sum::<f64>() / rows.len() as f64;
                assert!((covariance[n][m] - direct).abs() < 1e-10, "{n} {m}");
            }
        }
    }

    #[test]
    fn a_missing_input_keeps_its_last_value() {
        let mut history = History::<f64, 1, 1>::new(1, 1);
        for input in [all([0.0]), all([2.0]), Sparse::none(), Sparse::none()] {
            history.regressors(&input);
            history.keep(&all([0.0]), &Sparse::none());
        }
        let z = history.regressors(&Sparse::none());
        // The last five: 0, 2, 2, 2, 2.
        assert_eq!(z.input, [2.0]);
        assert!((z.input_gain[0] - (2.0 - 8.0 / 5.0)).abs() < 1e-15);
    }
}
