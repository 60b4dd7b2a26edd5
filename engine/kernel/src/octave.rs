//! One level of a [`Pyramid`](crate::Pyramid): its last 2m + 1 blocks, and the sums of its lags.
//!
//! ```text
//! T_tau = S/(sqrt(P0) sqrt(P1)) at tau = l D_j, S <- lam S + (1 - lam) w_0 w_l conj(d_l) d_0
//!
//! newest      near run, m blocks     far run, m blocks
//! block 0 --> [ 1 | 2 | .. | m ] --> [ m+1 | .. | 2m ] --> gone
//!    |          |   |        |          |         |
//!    +-- times each, into the sums of lag ..      and with itself, at lag 0 of the lowest level
//! ```
//!
//! Blocks are kept newest first, in runs of m for each channel, and sums in runs of m lags: block l of a run
//! goes to lag l of the sums, so the innermost loop runs over lags, without a branch and without a sum across
//! them. Compilers vectorise such loops.

use num_complex::Complex;

use crate::Real;
use crate::resonance::Sums;

/// One block of all channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Block<R, const N: usize> {
    pub(crate) re: [R; N],
    pub(crate) im: [R; N],
    /// Coverage, 0 to 1.
    pub(crate) weight: [R; N],
}

impl<R: Real, const N: usize> Block<R, N> {
    pub(crate) fn missing() -> Self {
        let zero = [R::zero(); N];
        Self {
            re: zero,
            im: zero,
            weight: zero,
        }
    }

    /// sum of c w value / sum of c w, coverage sum of c w / sum of c.
    pub(crate) fn mean<const K: usize>(parts: [(R, Self); K]) -> Self {
        let mut mean = Self::missing();
        let whole = parts.iter().fold(R::zero(), |sum, part| sum + part.0);
        for n in 0..N {
            let (mut re, mut im, mut weight) = (R::zero(), R::zero(), R::zero());
            for (c, part) in &parts {
                let w = *c * part.weight[n];
                re += w * part.re[n];
                im += w * part.im[n];
                weight += w;
            }
            if weight > R::zero() {
                mean.re[n] = re / weight;
                mean.im[n] = im / weight;
                mean.weight[n] = weight / whole;
            }
        }
        mean
    }
}

/// M successive blocks of one channel, newest first.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run<R, const M: usize> {
    re: [R; M],
    im: [R; M],
    weight: [R; M],
}

impl<R: Real, const M: usize> Run<R, M> {
    fn missing() -> Self {
        let zero = [R::zero(); M];
        Self {
            re: zero,
            im: zero,
            weight: zero,
        }
    }

    /// Inserts a block at the front and returns the one that leaves at the end.
    fn shift(&mut self, (re, im, weight): (R, R, R)) -> (R, R, R) {
        // As a whole new array: values stored by vectors can then be loaded by vectors at once.
        let through = |run: &mut [R; M], new: R| {
            let before = *run;
            *run = core::array::from_fn(|l| if l == 0 { new } else { before[l - 1] });
            before[M - 1]
        };
        (
            through(&mut self.re, re),
            through(&mut self.im, im),
            through(&mut self.weight, weight),
        )
    }
}

/// The sums of M successive lags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lags<R, const M: usize> {
    re: [R; M],
    im: [R; M],
    p0: [R; M],
    p1: [R; M],
    weight: [R; M],
    weight_sq: [R; M],
}

impl<R: Real, const M: usize> Lags<R, M> {
    pub(crate) fn empty() -> Self {
        let zero = [R::zero(); M];
        Self {
            re: zero,
            im: zero,
            p0: zero,
            p1: zero,
            weight: zero,
            weight_sq: zero,
        }
    }

    /// The sums of one lag.
    pub(crate) fn at(&self, lag: usize) -> Option<Sums<R>> {
        Some(Sums {
            s: Complex::new(*self.re.get(lag)?, *self.im.get(lag)?),
            p0: *self.p0.get(lag)?,
            p1: *self.p1.get(lag)?,
            weight: *self.weight.get(lag)?,
            weight_sq: *self.weight_sq.get(lag)?,
        })
    }

    /// Fades the sums by `lam`.
    fn fade(&mut self, lam: R) {
        let runs = [&mut self.re, &mut self.im, &mut self.p0, &mut self.p1];
        for run in runs.into_iter().chain([&mut self.weight]) {
            *run = run.map(|sum| lam * sum);
        }
        self.weight_sq = self.weight_sq.map(|sum| lam * lam * sum);
    }

    /// One block's time later, with the pairs of that block and the runs.
    fn add<const N: usize>(&mut self, now: &Newest<R, N>, runs: &[Run<R, M>; N]) {
        let mut pair = Self::empty();
        for (n, run) in runs.iter().enumerate() {
            let (re, im, power, own) = (now.re[n], now.im[n], now.power[n], now.weight[n]);
            if own <= R::zero() {
                continue;
            }
            for l in 0..M {
                let w = own * run.weight[l];
                let (old_re, old_im) = (run.re[l], run.im[l]);
                // conj(old) now
                pair.re[l] += w * (old_re * re + old_im * im);
                pair.im[l] += w * (old_re * im - old_im * re);
                pair.p0[l] += w * power;
                pair.p1[l] += w * (old_re * old_re + old_im * old_im);
                pair.weight[l] += w;
            }
        }
        let (lam, gain) = (now.lam, now.gain);
        for l in 0..M {
            let weight = gain * pair.weight[l];
            self.re[l] = lam * self.re[l] + gain * pair.re[l];
            self.im[l] = lam * self.im[l] + gain * pair.im[l];
            self.p0[l] = lam * self.p0[l] + gain * pair.p0[l];
            self.p1[l] = lam * self.p1[l] + gain * pair.p1[l];
            self.weight[l] = lam * self.weight[l] + weight;
            self.weight_sq[l] = lam * lam * self.weight_sq[l] + weight * weight;
        }
    }
}

/// The newest block with its channels' weights applied: the common factor of the pairs of all lags.
struct Newest<R, const N: usize> {
    re: [R; N],
    im: [R; N],
    power: [R; N],
    weight: [R; N],
    lam: R,
    gain: R,
}

/// One level.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Octave<R, const N: usize, const M: usize> {
    /// Blocks 0 to m - 1 before now, m to 2m - 1, and 2m.
    near: [Run<R, M>; N],
    far: [Run<R, M>; N],
    oldest: [Run<R, 1>; N],
    /// Lags m to 2m - 1, and 2m.
    lags: Lags<R, M>,
    longest: Lags<R, 1>,
    /// `D_j / T_w(j)`, and its decay.
    step: R,
    lam: R,
    gain: R,
}

impl<R: Real, const N: usize, const M: usize> Octave<R, N, M> {
    pub(crate) fn new(step: R) -> Self {
        let (lam, gain) = R::decay(step);
        Self {
            near: [Run::missing(); N],
            far: [Run::missing(); N],
            oldest: [Run::missing(); N],
            lags: Lags::empty(),
            longest: Lags::empty(),
            step,
            lam,
            gain,
        }
    }

    /// The block `back` before the newest, 0 to 2m.
    pub(crate) fn at(&self, back: usize) -> Block<R, N> {
        let mut block = Block::missing();
        for n in 0..N {
            let oldest = &self.oldest[n];
            let found = match back / M {
                0 => part(&self.near[n], back),
                1 => part(&self.far[n], back - M),
                _ => part(oldest, 0),
            };
            (block.re[n], block.im[n], block.weight[n]) = found;
        }
        block
    }

    /// Makes this the newest block.
    fn shift(&mut self, block: &Block<R, N>) {
        for n in 0..N {
            let mut moving = (block.re[n], block.im[n], block.weight[n]);
            moving = self.near[n].shift(moving);
            moving = self.far[n].shift(moving);
            self.oldest[n].shift(moving);
        }
    }

    /// Processes a new block: adds its pairs at the lags m to 2m, and at 0 to m - 1 to `short`, if any.
    pub(crate) fn push(
        &mut self,
        block: &Block<R, N>,
        weights: &[R; N],
        short: Option<&mut Lags<R, M>>,
    ) {
        self.shift(block);
        let (mut power, mut weight) = (block.weight, block.weight);
        for n in 0..N {
            power[n] = block.re[n] * block.re[n] + block.im[n] * block.im[n];
            weight[n] *= weights[n];
        }
        let now = Newest {
            re: block.re,
            im: block.im,
            power,
            weight,
            lam: self.lam,
            gain: self.gain,
        };
        self.lags.add(&now, &self.far);
        self.longest.add(&now, &self.oldest);
        if let Some(short) = short {
            short.add(&now, &self.near);
        }
    }

    /// Passes time without values: `blocks` missing ones.
    pub(crate) fn pass(&mut self, blocks: u64, short: Option<&mut Lags<R, M>>) {
        if blocks > 2 * M as u64 {
            self.near = [Run::missing(); N];
            self.far = [Run::missing(); N];
            self.oldest = [Run::missing(); N];
        } else {
            for _ in 0..blocks {
                self.shift(&Block::missing());
            }
        }
        let lam = R::remaining(self.step * R::of(blocks as f64));
        self.lags.fade(lam);
        self.longest.fade(lam);
        if let Some(short) = short {
            short.fade(lam);
        }
    }

    /// The sums at a lag from m to 2m.
    pub(crate) fn sums(&self, lag: usize) -> Option<Sums<R>> {
        let beyond = lag.checked_sub(M)?;
        self.lags.at(beyond).or_else(|| self.longest.at(beyond - M))
    }
}

fn part<R: Copy, const K: usize>(run: &Run<R, K>, back: usize) -> (R, R, R) {
    (run.re[back], run.im[back], run.weight[back])
}
