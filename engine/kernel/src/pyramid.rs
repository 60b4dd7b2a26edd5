//! [`Pyramid`]: `T_tau` at any lag from microseconds to hours, in bounded memory.
//!
//! Level j has blocks of `D_j = 2^j D_0`. Its input is the means of the signal over these blocks, or the
//! differences of successive means (the octave wavelet of Haar), of which it keeps the last 2m + 1:
//!
//! ```text
//! X_b      = mean of phi over block b of D_j
//! d_b      = X_b  (Feeder::Levels),   or   (X_b - X_{b-1}) / D_j  (Feeder::Haar)
//! T_tau    = Resonance of d at the lags tau = l D_j, over the window T_w(j)
//! T_w(j)   = max(T_w, c 2m D_j)
//!
//! level  lags l             tau in units of D_0, m = 4
//!   0    0..2m   |.|.|.|.|.|.|.|.|
//!   1    m..2m           |...|...|...|...|
//!   2    m..2m                           |.......|.......|.......|.......|
//!   j    m..2m                    each level doubles tau, and the step between its lags
//! ```
//!
//! Between two lags of a level, T is interpolated, not the signal: a mean of two numbers of
//! modulus at most 1 has a modulus of at most 1.
//!
//! # The schedule
//!
//! Level j is processed at ticks `k = 2^{j-1} mod 2^j`, like the marks of a ruler:
//!
//! ```text
//! tick     3 4 5 6 7 8 9 . 1 . 3 . 5 . 7 .      every tick: level 0
//! level 1  #   #   #   #   #   #   #   #        and one more level at most,
//! level 2        #       #       #       #      that of the lowest bit of k
//! level 3    #               #
//! ```
//!
//! Its newest block is then computed from the newest blocks of the level below, with the weights 1 1 for means
//! and 1 2 1 for differences, since `X_{2b+1} + X_{2b} - X_{2b-1} - X_{2b-2}` is
//! `d_{2b+1} + 2 d_{2b} + d_{2b-1}`. Counted from k = 2 at the first sample, these are the right ones: all levels have a block border
//! before the first sample. A block of level j is processed `2^{j-1} - 1` ticks after its end, so T is late by
//! less than half a block. The work is 2m + 1 lags each tick and m + 1 more, for each channel, at the worst
//! tick as in the mean.
//!
//! # Effect of the blocks
//!
//! With S(f) the power spectrum of the input, `H_j = sin(pi f D_j)/(2^j sin(pi f D_0))`, and
//! `B^2` the mean of `f^2` over S:
//!
//! ```text
//! T at a lag   = int S |H_j|^2 e^{i 2 pi f tau} / int S |H_j|^2    |H_j|^4 for differences
//! off by         <= (2/3) (pi D_j B)^2                             (4/3) for differences
//! interpolation  <= (1/8) (2 pi D_j B)^2                           on top of that
//! ```
//!
//! (S of differences is that of the base differences.) For: `1 - |H_j|^2 <= (pi f D_j)^2/3 = u`,
//! and with q/Q the weights over their mean, `E|q/Q - 1| = 2 E(1 - q/Q)^+ <= 2 E(1 - q) <= 2 E u`,
//! as Q <= 1.
//!
//! A single tone has the same T at every level, as it has one weight only: exact at lags on the grid. But its
//! power there is `|H_j|^2`. Where f `D_j` is large, slower content and noise dominate it; where it is a whole
//! number, only rounding remains. Long lags measure slow change.
//!
//! # Missing samples
//!
//! Every block has a coverage, 0 to 1: the mean of those of its parts, whose values it weights by their
//! coverage. A pair of blocks is weighted by the product of its two coverages in S, P0 and P1 alike, so that
//! `|T| <= 1` holds (Cauchy-Schwarz).

use num_complex::Complex;

use crate::octave::{Block, Lags, Octave};
use crate::resonance::{Sums, normalise};
use crate::{ConfigError, Real};

/// Maximum number of levels: from 1 us, the longest lag is then months.
pub const MAX_LEVELS: usize = 40;

/// Coverage below which a value counts as missing. Products of coverages must stay normal numbers.
const MIN_COVER: f64 = 1.0 / (1 << 20) as f64;

/// A value and its coverage of the bin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Covered<R> {
    /// The mean over the covered part.
    pub value: Complex<R>,
    /// The covered part, 0 (missing) to 1.
    pub weight: R,
}

impl<R: Real> From<Option<Complex<R>>> for Covered<R> {
    fn from(z: Option<Complex<R>>) -> Self {
        let zero = R::zero();
        z.map_or(
            Self {
                value: Complex::new(zero, zero),
                weight: zero,
            },
            |value| Self {
                value,
                weight: R::one(),
            },
        )
    }
}

/// Input of the levels of a [`Pyramid`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeder {
    /// Block means: for an input that is a velocity already, or an innovation.
    Levels,
    /// Differences of successive block means over `D_j`, in 1/s: the phase velocity of each octave.
    Haar,
}

/// Configuration of a [`Pyramid`].
#[derive(Clone, Debug, PartialEq)]
pub struct PyramidConfig<R, const N: usize> {
    /// Active channels, 1 to `N`.
    pub channels: usize,
    /// `D_0`, the time from one push to the next, in seconds.
    pub base_s: R,
    /// Input of each level.
    pub feeder: Feeder,
    /// c: each level's window is this many of its longest lags, at least. `N_eff` is then about
    /// 4 m c, and must reach [`MIN_N_EFF`](crate::MIN_N_EFF).
    pub window_lags: R,
    /// `T_w`, the shortest window in seconds; 0 leaves all to `window_lags`. In `f32`, at most some
    /// 10^5 `base_s`: see [`Real`].
    pub window_s: R,
    /// The weights of the channels, as in [`ResonanceConfig`](crate::ResonanceConfig).
    pub weights: [R; N],
}

impl<R: Real, const N: usize> PyramidConfig<R, N> {
    /// Haar, equally weighted channels, windows of two of each level's longest lags.
    pub fn new(channels: usize, base_s: R) -> Self {
        Self {
            channels,
            base_s,
            feeder: Feeder::Haar,
            window_lags: R::of(2.0),
            window_s: R::zero(),
            weights: [R::one(); N],
        }
    }

    /// Checks every field; the weights come back with sum 1, and 0 beyond the active channels.
    fn validated(mut self) -> Result<Self, ConfigError> {
        let zero = R::zero();
        if self.channels == 0 || self.channels > N {
            return Err(ConfigError::Channels {
                channels: self.channels,
                capacity: N,
            });
        }
        let base_usable = self.base_s > zero && self.base_s.is_finite();
        if !base_usable {
            return Err(ConfigError::Base {
                base_s: self.base_s.into(),
            });
        }
        let factor_usable = self.window_lags > zero && self.window_lags.is_finite();
        if !factor_usable {
            return Err(ConfigError::WindowLags {
                window_lags: self.window_lags.into(),
            });
        }
        let window_usable = self.window_s >= zero && self.window_s.is_finite();
        if !window_usable {
            return Err(ConfigError::Window {
                window_s: self.window_s.into(),
            });
        }
        normalise(&mut self.weights[..self.channels])?;
        self.weights
            .iter_mut()
            .skip(self.channels)
            .for_each(|weight| *weight = zero);
        Ok(self)
    }
}

/// `T_tau` at any lag up to `2m D_j` of the highest level, of up to `N` channels: m is `M`.
///
/// Work is done for the channels that are present; memory is that of the capacity. In `f32`, with
/// `N` = 8 and m = 8, 30 levels reach from 1 us to 2.3 h in 56 kB.
///
/// ```
/// use becomingone_kernel::{Complex, Pyramid, PyramidConfig, encode_angle};
///
/// // A wheel that turns once in 0.8 s, sampled each millisecond.
/// let config = PyramidConfig::<f64, 1>::new(1, 0.001);
/// let mut pyramid = Pyramid::<f64, 1, 8, 12>::new(config)?;
/// for k in 0..60_000 {
///     let turns = 0.001 * f64::from(k) / 0.8;
///     pyramid.push(&[Some(encode_angle(core::f64::consts::TAU * turns))]);
/// }
/// // A quarter turn ago, and a turn ago.
/// let quarter = pyramid.t(0.2).unwrap_or_default();
/// assert!((quarter - Complex::i()).norm() < 0.01);
/// let whole = pyramid.t(0.8).unwrap_or_default();
/// assert!((whole - 1.0).norm() < 0.04);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pyramid<R, const N: usize, const M: usize, const LEVELS: usize> {
    config: PyramidConfig<R, N>,
    levels: [Octave<R, N, M>; LEVELS],
    /// Sums of level 0 at the lags 0 to m - 1.
    near: Lags<R, M>,
    /// The sample before, for the differences of level 0.
    previous: Block<R, N>,
    /// k: 1 before the first sample.
    tick: u64,
    non_finite: u64,
}

impl<R: Real, const N: usize, const M: usize, const LEVELS: usize> Pyramid<R, N, M, LEVELS> {
    /// A pyramid before its first sample. The weights of the active channels are scaled to sum 1.
    ///
    /// `M` must be at least 1 and `LEVELS` 1 to [`MAX_LEVELS`]: others do not compile.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] naming the first field out of range; see [`PyramidConfig`].
    pub fn new(config: PyramidConfig<R, N>) -> Result<Self, ConfigError> {
        const {
            assert!(M >= 1 && LEVELS >= 1 && LEVELS <= MAX_LEVELS);
        }
        let config = config.validated()?;
        // If the window is negligible against a block, the ratio overflows, and 0 times it is NaN.
        let shortest = config.block_of(0) / config.window_of(0, M);
        if !shortest.is_finite() {
            return Err(ConfigError::WindowLags {
                window_lags: config.window_lags.into(),
            });
        }
        let longest = config.window_of(LEVELS - 1, M);
        if !longest.is_finite() {
            return Err(ConfigError::Window {
                window_s: longest.into(),
            });
        }
        Ok(Self::empty(config))
    }

    fn empty(config: PyramidConfig<R, N>) -> Self {
        let level = |j| Octave::new(config.block_of(j) / config.window_of(j, M));
        Self {
            levels: core::array::from_fn(level),
            near: Lags::empty(),
            previous: Block::missing(),
            tick: 1,
            non_finite: 0,
            config,
        }
    }

    /// Processes one sample of every channel, `base_s` after the one before, and returns which level
    /// above the base has a new block.
    ///
    /// `phi` holds one entry per channel: `None` is missing. Channels beyond its end are missing;
    /// entries beyond [`channels`](Self::channels) are not read. NaN, infinity, and values whose
    /// square, or that of their difference, is above [`Real::MAX_POWER`] are counted and taken as
    /// missing.
    pub fn push(&mut self, phi: &[Option<Complex<R>>]) -> Option<usize> {
        self.take(|n| phi.get(n).copied().flatten().into())
    }

    /// As [`push`](Self::push), of means that cover a part of their bin each, as
    /// [`Bins`](crate::Bins) give them. A coverage above 1 counts as 1; one below a millionth, or
    /// NaN, is missing.
    pub fn push_covered(&mut self, phi: &[Covered<R>]) -> Option<usize> {
        self.take(|n| phi.get(n).copied().unwrap_or_else(|| None.into()))
    }

    fn take(&mut self, sample: impl Fn(usize) -> Covered<R>) -> Option<usize> {
        let mut block = Block::missing();
        for n in 0..self.config.channels {
            let Covered { value, weight } = sample(n);
            // Both comparisons are false for NaN.
            let present = weight >= R::of(MIN_COVER);
            if present && value.norm_sqr() <= R::MAX_POWER {
                block.re[n] = value.re;
                block.im[n] = value.im;
                block.weight[n] = weight.min(R::one());
            } else if present {
                self.non_finite += 1;
            }
        }
        if self.config.feeder == Feeder::Haar {
            block = self.difference(block);
        }
        // After 2^64 ticks, the schedule starts again.
        self.tick = self.tick.wrapping_add(1);
        self.levels[0].push(&block, &self.config.weights, Some(&mut self.near));
        let above = 1 + self.tick.trailing_zeros() as usize;
        (above < LEVELS).then(|| {
            self.raise(above);
            above
        })
    }

    /// The difference to the sample before, over `D_0`.
    fn difference(&mut self, now: Block<R, N>) -> Block<R, N> {
        let before = core::mem::replace(&mut self.previous, now);
        let mut d = Block::missing();
        for n in 0..self.config.channels {
            let weight = now.weight[n] * before.weight[n];
            if weight <= R::zero() {
                continue;
            }
            let re = (now.re[n] - before.re[n]) / self.config.base_s;
            let im = (now.im[n] - before.im[n]) / self.config.base_s;
            if re * re + im * im <= R::MAX_POWER {
                (d.re[n], d.im[n], d.weight[n]) = (re, im, weight);
            } else {
                self.non_finite += 1;
            }
        }
        d
    }

    /// Computes the newest block of a level from those below.
    fn raise(&mut self, level: usize) {
        let (below, above) = self.levels.split_at_mut(level);
        if let (Some(below), Some(above)) = (below.last(), above.first_mut()) {
            let one = R::one();
            let block = match self.config.feeder {
                Feeder::Levels => Block::mean([(one, below.at(0)), (one, below.at(1))]),
                Feeder::Haar => Block::mean([
                    (one, below.at(0)),
                    (one + one, below.at(1)),
                    (one, below.at(2)),
                ]),
            };
            above.push(&block, &self.config.weights, None);
        }
    }

    /// Passes time without samples: `bins` of `base_s`, at a constant cost.
    ///
    /// Equal to pushing as many missing samples, except for the blocks that had begun before a gap of more than
    /// 2m bins: these are missing whole. Times stay exact.
    pub fn pass(&mut self, bins: u64) {
        if bins <= 2 * M as u64 {
            for _ in 0..bins {
                self.take(|_| None.into());
            }
            return;
        }
        self.previous = Block::missing();
        let (from, to) = (self.tick, self.tick.saturating_add(bins));
        for (j, level) in self.levels.iter_mut().enumerate() {
            let blocks = if j == 0 {
                bins
            } else {
                marks(to, j) - marks(from, j)
            };
            level.pass(blocks, Some(&mut self.near).filter(|_| j == 0));
        }
        self.tick = to;
    }

    /// T at the lag `tau_s` in seconds: complex, |T| <= 1, dimensionless. Interpolated between the
    /// lags of the finest level that reaches it.
    ///
    /// `None` for a lag that is negative, NaN or above [`tau_max_s`](Self::tau_max_s), while there
    /// are fewer than [`MIN_N_EFF`](crate::MIN_N_EFF) effective blocks, and while a power is under
    /// [`Real::MIN_POWER`].
    pub fn t(&self, tau_s: R) -> Option<Complex<R>> {
        let (level, lag) = self.place(tau_s)?;
        let below = lag.floor();
        let share = lag - below;
        let below = below.to_usize()?;
        let t = self.t_at(level, below)?;
        if share == R::zero() {
            return Some(t);
        }
        let beyond = self.t_at(level, below + 1)?;
        Some(t.scale(R::one() - share) + beyond.scale(share))
    }

    /// The finest level that reaches a lag, and the lag in its blocks.
    fn place(&self, tau_s: R) -> Option<(usize, R)> {
        let mut lag = tau_s / self.config.base_s;
        let usable = lag >= R::zero() && lag.is_finite();
        if !usable {
            return None;
        }
        // Lags that are whole but for rounding, such as 0.3 s of 0.1 s, are whole.
        let whole = lag.round();
        if (lag - whole).abs() <= R::of(4.0) * R::epsilon() * whole {
            lag = whole;
        }
        let longest = R::of(2.0 * M as f64);
        let mut level = 0;
        while lag > longest {
            lag /= R::of(2.0);
            level += 1;
        }
        (level < LEVELS).then_some((level, lag))
    }

    fn sums(&self, level: usize, lag: usize) -> Option<Sums<R>> {
        let short = self.near.at(lag).filter(|_| level == 0);
        short.or_else(|| self.levels.get(level)?.sums(lag))
    }

    /// T at a lag on the grid: `lag` blocks of `level`, 0 to 2m at level 0 and m to 2m above.
    pub fn t_at(&self, level: usize, lag: usize) -> Option<Complex<R>> {
        self.sums(level, lag)?.t()
    }

    /// Effective blocks at a lag on the grid: (sum w)^2 / sum w^2 over weights that are the
    /// exponential window's times the pair's coverage. Tends to (1+lam)/(1-lam), about 4 m c.
    pub fn n_eff(&self, level: usize, lag: usize) -> Option<R> {
        self.sums(level, lag).map(|sums| sums.n_eff())
    }

    /// The longest lag in seconds: `2m D_j` of the highest level.
    pub fn tau_max_s(&self) -> R {
        self.config.block_of(LEVELS - 1) * R::of(2.0 * M as f64)
    }

    /// The window `T_w(j)` of a level in seconds.
    pub fn window_s(&self, level: usize) -> R {
        self.config.window_of(level, M)
    }

    /// Active channels.
    pub fn channels(&self) -> usize {
        self.config.channels
    }

    /// The configuration, its weights scaled to sum 1.
    pub fn config(&self) -> &PyramidConfig<R, N> {
        &self.config
    }

    /// Values that were present but NaN, infinite or too large to square.
    pub fn non_finite(&self) -> u64 {
        self.non_finite
    }

    /// Resets to the state after [`new`](Self::new).
    pub fn reset(&mut self) {
        *self = Self::empty(self.config.clone());
    }
}

impl<R: Real, const N: usize> PyramidConfig<R, N> {
    /// `D_j`.
    fn block_of(&self, level: usize) -> R {
        self.base_s * R::of(2.0).powi(level.min(MAX_LEVELS) as i32)
    }

    /// `T_w(j)`.
    fn window_of(&self, level: usize, m: usize) -> R {
        let longest_lag = R::of(2.0 * m as f64) * self.block_of(level);
        (self.window_lags * longest_lag).max(self.window_s)
    }
}

/// Number of ticks up to k that are `2^{j-1}` mod 2^j.
fn marks(k: u64, level: usize) -> u64 {
    let half = 1 << (level - 1);
    k.saturating_add(half) >> level
}
