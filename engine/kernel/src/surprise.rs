//! Surprise: three detection statistics of the innovations, and their mean.
//!
//! With r the innovation, R its covariance while healthy, Omega = R^-1, and N channels of which `N_k`
//! are present at sample k:
//!
//! ```text
//! K1  coherent   max(T, 0)^2, T = (T_E + T_M)/2, T_E and T_M the mean over the lags 1, 2, 4 of
//!                Re T_tau of r under <u, v>_Omega, windows of 10 and 30 samples
//! K2  shift      e^T C^-1 e / N, e = EW_20(r),                      a MEWMA
//!                C = 0.3 Cov(e) + 0.7 R a/(2 - a), a = 1 - e^{-1/20}
//! K3  energy     EW_10(r^T Omega r) / EW_10(N_k), held while N_k = 0     a windowed NIS
//!
//! surprise = (K1/q1 + K2/q2 + K3/q3)/3, each over its threshold;    coherence = 1/(1 + surprise)
//! ```
//!
//! ```text
//! of one sensor in four           r looks like        K1      K2      K3     null law: .066, 7.1, 1.8
//! healthy                         . : ' . , : .      .002     1.1    1.0
//! half a deviation off            ' ' : ' ' : '      .12     22      1.5     steady: K2 detects it first
//! four samples late               , . ' ' . , ,      .05      3.0    2.4     slow waves
//! noise as large as the signal    | . '|: , |'       .002     2.5    2.4     white and loud: K3 alone
//! frozen                          ' ' ' , , , ,      .40     77      4.1     the whole expected signal
//! ```
//!
//! These are means over `each_fault_has_its_statistics` in `tests/witness.rs`: four sensors of an AR(1) of 0.9 and
//! variance 1, each with noise of 0.3 of its own, the noisy one with 0.8 on top.
//!
//! Healthy innovations are white: T is near 0 and K2, K3 are near 1, with the laws of [`Thresholds::null`]. K1
//! is bounded and independent of size; K2 detects small steady shifts; K3 detects anything large. Surprise is above 1
//! where the three are at their thresholds, and where one alone is at three times its own: there is no vote, in
//! which a loud fault that two of them cannot see would lose. The parts of a channel in K2 and K3 are its share.
//!
//! The inner product is computed by whitening: with R = G G^T and w = G^-1 r, `<u, v>_Omega` = `w_v . w_u`: the
//! products of a [`Resonance`](crate::Resonance) with equal weights. G^-1 is computed once, at the end of
//! warm-up, and so are the factors of both windows: a sample is a step.
//!
//! # Missing samples
//!
//! K1 and K3 impute a missing part from the present one, `r_m = R_mo R_oo^-1 r_o`, which is
//! `-Omega_mm^-1 Omega_mo r_o`. Then r^T Omega r = `r_o^T R_oo^-1 r_o`, exactly (Schur), with `N_k` degrees of freedom. K2
//! leaves a missing channel's mean unchanged, so a slow channel is averaged over 20 samples of its own.
//!
//! Covariances with a channel that had missing samples in warm-up are sums over other rows than its variance, and R may be
//! nearly singular by them alone. They are halved until they leave each channel 0.3 of the variance that it has without
//! them: K3 of a car in a healthy run was 223 in the mean before, and 1.07 since.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

use crate::lanes::{Sparse, add_lower_product, dot, larger, smaller, sum};
use crate::linear;
use crate::real::to;
use crate::resonance::MIN_N_EFF;
use crate::{ConfigError, DEFAULT_LAGS, Real};

/// Windows in samples.
const EMISSARY: f64 = 10.0;
const MASTER: f64 = 30.0;
pub(crate) const SHIFT: f64 = 20.0;
const ENERGY: f64 = 10.0;

/// The standard normal quantile of p = 1e-5, one side.
const Z_P: f64 = 4.264_890_793_922_825;

/// Share of C that is measured; the rest is the law of white innovations.
const MEASURED: f64 = 0.3;

/// Least share of a channel's variance that channels with missing samples leave unexplained.
const UNEXPLAINED: f64 = 0.3;

/// Thresholds of K1, K2 and K3: [surprise](Self::surprise) is 1 where all three are at theirs.
///
/// ```
/// use becomingone_kernel::Thresholds;
///
/// // With more channels, healthy means are closer to 1, and T to 0.
/// let (few, many) = (Thresholds::<f64>::null(2), Thresholds::<f64>::null(16));
/// assert!(many.k1 < few.k1 && many.k2 < few.k2 && many.k3 < few.k3);
/// // chi^2 of 16 degrees of freedom exceeds 52.2 once in 1e5.
/// assert!((16.0 * many.k2 / 52.2 - 1.0).abs() < 0.02);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds<R> {
    /// Threshold of K1. It exceeds 1, which K1 cannot, only on a plant whose K1 says little.
    pub k1: R,
    /// Threshold of K2, in units of its healthy mean.
    pub k2: R,
    /// Threshold of K3, in units of its healthy mean.
    pub k3: R,
}

impl<R: Real> Thresholds<R> {
    /// Thresholds that white Gaussian innovations of `channels` channels exceed once in 1e5 samples: the lower
    /// bound.
    ///
    /// ```text
    /// K1   1.5 z_p^2 Var T,   Var T = (v_E + v_M + 2 c)/(4 * 3 lags * N), v = (1 - lam)/(1 + lam),
    ///      c = (1 - lam_E)(1 - lam_M)/(1 - lam_E lam_M); 1.5 is for the tail, heavier than Gauss
    /// K2   chi^2_N / N
    /// K3   chi^2_nu / nu, nu = N (2 - a)/a, a = 1 - e^{-1/10}
    /// ```
    ///
    /// Quantiles of chi^2 by Wilson and Hilferty, 1931. They hold for an exact self-model; that of a plant is
    /// not, and its thresholds are measured.
    pub fn null(channels: usize) -> Self {
        let n = R::of(channels.max(1) as f64);
        let [lam_e, lam_m] = [EMISSARY, MASTER].map(|w| R::remaining(R::of(1.0 / w)));
        let one = R::one();
        let v = |lam: R| (one - lam) / (one + lam);
        let c = (one - lam_e) * (one - lam_m) / (one - lam_e * lam_m);
        let lags = R::of(DEFAULT_LAGS.len() as f64);
        let variance = (v(lam_e) + v(lam_m) + c + c) / (R::of(4.0) * lags * n);
        let chi = |nu: R| {
            let s = R::of(2.0 / 9.0) / nu;
            let root = one - s + R::of(Z_P) * s.sqrt();
            root * root * root
        };
        let a = one - R::remaining(R::of(1.0 / ENERGY));
        Self {
            k1: R::of(1.5 * Z_P * Z_P) * variance,
            k2: chi(n),
            k3: chi(n * (R::of(2.0) - a) / a),
        }
    }

    /// Mean of the three, each over its threshold.
    #[inline]
    pub fn surprise(&self, k1: R, k2: R, k3: R) -> R {
        (k1 / self.k1 + k2 / self.k2 + k3 / self.k3) * R::of(1.0 / 3.0)
    }

    /// Positive, finite numbers.
    pub(crate) fn validated(self) -> Result<Self, ConfigError> {
        for (name, threshold) in [("k1", self.k1), ("k2", self.k2), ("k3", self.k3)] {
            let usable = threshold > R::zero() && threshold.is_finite();
            if !usable {
                return Err(ConfigError::Threshold {
                    name,
                    threshold: threshold.into(),
                });
            }
        }
        Ok(self)
    }

    /// In another float.
    pub(crate) fn cast<S: Real>(self) -> Thresholds<S> {
        Thresholds {
            k1: to(self.k1),
            k2: to(self.k2),
            k3: to(self.k3),
        }
    }

    /// All 0.
    pub(crate) fn zero() -> Self {
        Self {
            k1: R::zero(),
            k2: R::zero(),
            k3: R::zero(),
        }
    }

    /// Each times its factor.
    pub(crate) fn times(self, factors: [R; 3]) -> Self {
        Self {
            k1: self.k1 * factors[0],
            k2: self.k2 * factors[1],
            k3: self.k3 * factors[2],
        }
    }
}

/// Law of healthy innovations.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Health<R, const N: usize> {
    channels: usize,
    /// 1 for active channels.
    live: [R; N],
    /// Number of active channels.
    lives: R,
    /// 1 for active channels that moved while healthy.
    moving: [R; N],
    /// Their number, at least 1: degrees of freedom.
    freedom: usize,
    /// G^-1 by columns, of R = G G^T in standard deviations of the channels.
    whitening: [[R; N]; N],
    /// The same of C.
    shift_whitening: [[R; N]; N],
}

impl<R: Real, const N: usize> Health<R, N> {
    /// R from its measured lower triangle, with a floor, and C from R and the measured Cov(e). A channel that
    /// is not in `moving` has variance 1 and no covariance with others.
    ///
    /// Sums over rows with missing samples may not give a covariance, or a nearly singular one, with which K3 is a
    /// multiple of 1 while healthy: they are over different rows, and known to a tenth after a few hundred. Off-diagonal
    /// entries are halved, first those of channels with missing samples (not `whole`), until each pivot is positive,
    /// and at least [`UNEXPLAINED`] of what it is without the entries of channels with missing samples.
    ///
    /// `Err` holds the channel at which that failed.
    pub(crate) fn new(
        channels: usize,
        live: [bool; N],
        moving: [bool; N],
        whole: [bool; N],
        mut measured: [[R; N]; N],
        shifts: &[[R; N]; N],
    ) -> Result<Self, usize> {
        // 1e-3 standard deviations, or the rounding of a variance where that is more.
        let floor = R::of(1e-6).max(R::of(256.0) * R::epsilon());
        for n in 0..channels {
            for m in 0..n {
                if !(moving[n] && moving[m]) {
                    measured[n][m] = R::zero();
                }
            }
            measured[n][n] = if moving[n] {
                measured[n][n].max(R::zero()) + floor
            } else {
                R::one()
            };
        }
        for n in 0..channels {
            for m in 0..n {
                let most = (measured[n][n] * measured[m][m]).sqrt();
                measured[n][m] = measured[n][m].max(-most).min(most);
            }
        }
        let partial = |n: usize, m: usize| !(whole[n] && whole[m]);
        let mut apart = measured;
        for n in 0..channels {
            for m in (0..n).filter(|&m| partial(n, m)) {
                apart[n][m] = R::zero();
            }
        }
        // Where even these give no covariance, no pivot is known to compare with.
        if linear::factor(channels, &mut apart).is_err() {
            apart = [[R::zero(); N]; N];
        }
        let least = R::of(UNEXPLAINED).sqrt();
        let mut factor = measured;
        let mut tries = 0;
        while let Some(pivot) = match linear::factor(channels, &mut factor) {
            Ok(()) => (0..channels).find(|&n| factor[n][n] < least * apart[n][n]),
            Err(pivot) => Some(pivot),
        } {
            // First the entries of channels with missing samples; after 20 halvings they are a millionth.
            let all = tries >= 20;
            if tries == 40 {
                return Err(pivot);
            }
            tries += 1;
            for n in 0..channels {
                for m in 0..n {
                    if all || partial(n, m) {
                        measured[n][m] *= R::of(0.5);
                    }
                }
            }
            factor = measured;
        }
        for n in 0..channels {
            for m in 0..n {
                measured[m][n] = measured[n][m];
            }
        }
        // C from the measured Cov(e); where rounding makes that no covariance, from the law of white noise.
        let mut shift_factor = shift_covariance(&measured, |n, m| {
            (moving[n] && moving[m]).then_some(shifts[n][m])
        });
        if linear::factor(channels, &mut shift_factor).is_err() {
            shift_factor = shift_covariance(&measured, |_, _| None);
            linear::factor(channels, &mut shift_factor)?;
        }
        let as_numbers = |of: [bool; N]| of.map(|of| if of { R::one() } else { R::zero() });
        let live = as_numbers(live);
        Ok(Self {
            whitening: inverse_columns(channels, &factor),
            shift_whitening: inverse_columns(channels, &shift_factor),
            channels,
            lives: sum(&live),
            live,
            freedom: moving.iter().filter(|&&moving| moving).count().max(1),
            moving: as_numbers(moving),
        })
    }

    /// Channels that moved while healthy, at least 1.
    pub(crate) fn freedom(&self) -> usize {
        self.freedom
    }

    fn cast<S: Real>(&self) -> Health<S, N> {
        Health {
            whitening: self.whitening.map(|column| column.map(to)),
            shift_whitening: self.shift_whitening.map(|column| column.map(to)),
            channels: self.channels,
            live: self.live.map(to),
            lives: to(self.lives),
            moving: self.moving.map(to),
            freedom: self.freedom,
        }
    }

    /// R, from its inverse.
    #[cfg(test)]
    fn covariance(&self) -> [[R; N]; N] {
        let mut factor = inverse(self.channels, &self.whitening);
        let mut covariance = [[R::zero(); N]; N];
        if linear::factor(self.channels, &mut factor).is_ok() {
            for (n, row) in covariance.iter_mut().enumerate().take(self.channels) {
                row[n] = R::one();
                linear::solve(self.channels, &factor, row);
            }
        }
        covariance
    }

    /// Imputes the missing part of r.
    fn impute(&self, r: &mut [R; N], present: &[R; N]) {
        let mut gone = [0; N];
        let mut count = 0;
        for n in 0..self.channels {
            // An inactive channel is imputed as expected, by 0.
            if self.live[n] > present[n] {
                (gone[count], r[n]) = (n, R::zero());
                count += 1;
            }
        }
        let white = whitened(self.channels, &self.whitening, r);
        let mut factor = [[R::zero(); N]; N];
        let mut x = [R::zero(); N];
        for i in 0..count {
            let column = &self.whitening[gone[i]];
            x[i] = -dot(column, &white, self.channels);
            for j in 0..=i {
                factor[i][j] = dot(column, &self.whitening[gone[j]], self.channels);
            }
        }
        // A principal submatrix of a positive definite matrix is positive definite. Where rounding breaks that,
        // 0 is imputed.
        if linear::factor(count, &mut factor).is_ok() {
            linear::solve(count, &factor, &mut x);
            for i in 0..count {
                r[gone[i]] = x[i];
            }
        }
    }
}

/// L^-1 by columns.
fn inverse_columns<R: Real, const N: usize>(size: usize, l: &[[R; N]; N]) -> [[R; N]; N] {
    let mut columns = [[R::zero(); N]; N];
    for (j, column) in columns.iter_mut().enumerate().take(size) {
        column[j] = R::one();
        linear::whiten(size, l, column);
    }
    columns
}

/// A^-1 from the columns of L^-1, where A = L L^T.
#[cfg(test)]
fn inverse<R: Real, const N: usize>(size: usize, columns: &[[R; N]; N]) -> [[R; N]; N] {
    let mut inverse = [[R::zero(); N]; N];
    for n in 0..size {
        for m in 0..=n {
            inverse[n][m] = dot(&columns[n], &columns[m], size);
            inverse[m][n] = inverse[n][m];
        }
    }
    inverse
}

/// L^-1 x, from the columns of L^-1.
#[inline]
fn whitened<R: Real, const N: usize>(size: usize, columns: &[[R; N]; N], x: &[R; N]) -> [R; N] {
    let mut white = [R::zero(); N];
    add_lower_product(columns, x, size, &mut white);
    white
}

/// `x_n (A^-1 x)_n`: the parts of x^T A^-1 x, from the columns of L^-1 and `white` = L^-1 x.
///
/// A^-1 itself is not kept: it is as large, and where channels are nearly copies of each other its entries are
/// the squares of these, and so is the rounding of the sum.
#[inline]
fn parts<R: Real, const N: usize>(
    size: usize,
    columns: &[[R; N]; N],
    white: &[R; N],
    x: &[R; N],
) -> [R; N] {
    let mut parts = [R::zero(); N];
    for n in 0..N {
        parts[n] = dot(&columns[n], white, size) * x[n];
    }
    parts
}

/// C = 0.3 Cov(e) + 0.7 R a/(2 - a), where Cov(e) was measured; else R a/(2 - a).
fn shift_covariance<R: Real, const N: usize>(
    covariance: &[[R; N]; N],
    measured: impl Fn(usize, usize) -> Option<R>,
) -> [[R; N]; N] {
    let a = gain::<R>(SHIFT);
    let mut c = *covariance;
    for (n, row) in c.iter_mut().enumerate() {
        for (m, c) in row.iter_mut().enumerate() {
            let white = *c * a / (R::of(2.0) - a);
            let own = measured(n, m).unwrap_or(white);
            *c = R::of(MEASURED) * own + R::of(1.0 - MEASURED) * white;
        }
    }
    c
}

/// K1, K2 and K3 after one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Statistics<R, const N: usize> {
    pub(crate) k1: Option<R>,
    pub(crate) k2: R,
    pub(crate) k3: R,
    pub(crate) t_emissary: Option<R>,
    pub(crate) t_master: Option<R>,
    /// `e_n (C^-1 e)_n`: the parts of K2.
    shift: [R; N],
}

impl<R: Real, const N: usize> Statistics<R, N> {
    /// Before the first sample.
    pub(crate) fn none() -> Self {
        Self {
            k1: None,
            k2: R::zero(),
            k3: R::one(),
            t_emissary: None,
            t_master: None,
            shift: [R::zero(); N],
        }
    }
}

/// Lags of K1, and one place that stays empty.
const PLACES: usize = 4;

/// The last samples that K1's lags reach, the present one included.
const RING: usize = 5;

/// Weights of one step of an exponential window: of the past, of the new sample, and the squares of both.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Fade<R> {
    lam: R,
    gain: R,
    lam_sq: R,
    gain_sq: R,
}

impl<R: Real> Fade<R> {
    fn over(steps: f64, window: f64) -> Self {
        let (lam, gain) = R::decay(R::of(steps / window));
        Self {
            lam,
            gain,
            lam_sq: lam * lam,
            gain_sq: gain * gain,
        }
    }

    fn cast<S: Real>(self) -> Fade<S> {
        Fade {
            lam: to(self.lam),
            gain: to(self.gain),
            lam_sq: to(self.lam_sq),
            gain_sq: to(self.gain_sq),
        }
    }
}

/// Two windows' sums at every lag: S, P0, P1, and of the weights of pairs and of their squares.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
struct Windows<R> {
    step: [Fade<R>; 2],
    /// Over a gap, which counts as two steps.
    gap: [Fade<R>; 2],
    s: [[R; PLACES]; 2],
    p0: [[R; PLACES]; 2],
    p1: [[R; PLACES]; 2],
    weight: [[R; PLACES]; 2],
    weight_sq: [[R; PLACES]; 2],
}

/// The products of one sample with those at the lags behind it: parts of S, P0, P1, and 1 where there is a pair.
struct Pairs<R> {
    s: [R; PLACES],
    p0: [R; PLACES],
    p1: [R; PLACES],
    paired: [R; PLACES],
}

impl<R: Real> Windows<R> {
    fn new(windows: [f64; 2]) -> Self {
        let zeros = [[R::zero(); PLACES]; 2];
        Self {
            step: windows.map(|window| Fade::over(1.0, window)),
            gap: windows.map(|window| Fade::over(2.0, window)),
            s: zeros,
            p0: zeros,
            p1: zeros,
            weight: zeros,
            weight_sq: zeros,
        }
    }

    fn cast<S: Real>(&self) -> Windows<S> {
        let sums = |of: [[R; PLACES]; 2]| of.map(|window| window.map(to));
        Windows {
            step: self.step.map(Fade::cast),
            gap: self.gap.map(Fade::cast),
            s: sums(self.s),
            p0: sums(self.p0),
            p1: sums(self.p1),
            weight: sums(self.weight),
            weight_sq: sums(self.weight_sq),
        }
    }

    #[inline]
    fn push(&mut self, pairs: &Pairs<R>, after_gap: bool) {
        let fades = if after_gap { &self.gap } else { &self.step };
        for (w, fade) in fades.iter().enumerate() {
            let Fade {
                lam,
                gain,
                lam_sq,
                gain_sq,
            } = *fade;
            for i in 0..PLACES {
                self.s[w][i] = lam * self.s[w][i] + gain * pairs.s[i];
                self.p0[w][i] = lam * self.p0[w][i] + gain * pairs.p0[i];
                self.p1[w][i] = lam * self.p1[w][i] + gain * pairs.p1[i];
                self.weight[w][i] = lam * self.weight[w][i] + gain * pairs.paired[i];
                self.weight_sq[w][i] = lam_sq * self.weight_sq[w][i] + gain_sq * pairs.paired[i];
            }
        }
    }

    /// The mean of T over the lags, of each window; none unless every lag has a value.
    #[inline]
    fn means(&self) -> [Option<R>; 2] {
        let (zero, one) = (R::zero(), R::one());
        let mut means = [None; 2];
        for (w, mean) in means.iter_mut().enumerate() {
            let (p0, p1) = (&self.p0[w], &self.p1[w]);
            let (weight, weight_sq) = (&self.weight[w], &self.weight_sq[w]);
            let (mut t, mut enough) = ([zero; PLACES], [zero; PLACES]);
            for i in 0..PLACES {
                // Two roots, not the root of the product: that would overflow. Rounding above 1 is removed.
                let quotient = self.s[w][i] / (p0[i].sqrt() * p1[i].sqrt());
                t[i] = smaller(larger(quotient, -one), one);
                let usable = (weight_sq[i] >= R::min_positive_value())
                    & (weight[i] * weight[i] >= R::of(MIN_N_EFF) * weight_sq[i])
                    & (p0[i] >= R::MIN_POWER)
                    & (p1[i] >= R::MIN_POWER);
                enough[i] = if usable { one } else { zero };
            }
            let lags = R::of(DEFAULT_LAGS.len() as f64);
            let (mut sum, mut values) = (zero, zero);
            for i in 0..DEFAULT_LAGS.len() {
                sum += t[i];
                values += enough[i];
            }
            *mean = (values == lags).then(|| sum / lags);
        }
        means
    }
}

/// K1's T: the resonance of white innovations at the default lags, in two windows over one ring.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
struct Coherent<R, const N: usize> {
    ring: [[R; N]; RING],
    /// Mean square over the channels.
    power: [R; RING],
    present: [bool; RING],
    head: usize,
    /// The Emissary's, then the Master's.
    windows: Windows<R>,
}

impl<R: Real, const N: usize> Coherent<R, N> {
    fn new() -> Self {
        Self {
            ring: [[R::zero(); N]; RING],
            power: [R::zero(); RING],
            present: [false; RING],
            head: 0,
            windows: Windows::new([EMISSARY, MASTER]),
        }
    }

    fn cast<S: Real>(&self) -> Coherent<S, N> {
        Coherent {
            ring: self.ring.map(|row| row.map(to)),
            power: self.power.map(to),
            present: self.present,
            head: self.head,
            windows: self.windows.cast(),
        }
    }

    /// Processes a sample of `channels` white channels, or a missing one.
    fn push(&mut self, sample: Option<&[R; N]>, channels: usize, after_gap: bool) {
        if after_gap {
            self.present = [false; RING];
        }
        self.head = if self.head + 1 < RING {
            self.head + 1
        } else {
            0
        };
        let share = R::one() / R::of(channels as f64);
        let power = sample.map(|w| (w, dot(w, w, channels) * share));
        // False for NaN, too.
        let usable = power.filter(|(_, power)| *power <= R::MAX_POWER);
        self.present[self.head] = usable.is_some();
        let zeros = [R::zero(); PLACES];
        let mut pairs = Pairs {
            s: zeros,
            p0: zeros,
            p1: zeros,
            paired: zeros,
        };
        if let Some((w, power)) = usable {
            self.power[self.head] = power;
            self.ring[self.head] = *w;
            for (i, lag) in DEFAULT_LAGS.into_iter().enumerate() {
                let old = self.head + RING - lag;
                let old = if old < RING { old } else { old - RING };
                if self.present[old] {
                    pairs.s[i] = dot(w, &self.ring[old], channels) * share;
                    pairs.p0[i] = power;
                    pairs.p1[i] = self.power[old];
                    pairs.paired[i] = R::one();
                }
            }
        }
        self.windows.push(&pairs, after_gap);
    }
}

/// The filters behind K1, K2 and K3.
#[derive(Clone, Debug, PartialEq)]
#[repr(C)]
pub(crate) struct Surprise<R, const N: usize> {
    /// e.
    shift: [R; N],
    /// EW of `r_n (Omega r)_n`: its sum is EW of r^T Omega r.
    energy: [R; N],
    /// EW of `N_k`.
    freedom: R,
    shift_gain: R,
    energy_gain: R,
    health: Health<R, N>,
    coherent: Coherent<R, N>,
}

/// 1 - e^{-1/window}.
fn gain<R: Real>(window: f64) -> R {
    R::decay(R::of(1.0 / window)).1
}

impl<R: Real, const N: usize> Surprise<R, N> {
    /// Filters before the first sample: K2 starts at 0, K3 at 1, K1 without a value.
    pub(crate) fn new(health: Health<R, N>) -> Self {
        Self {
            coherent: Coherent::new(),
            shift: [R::zero(); N],
            energy: health.moving,
            freedom: R::of(health.freedom() as f64),
            shift_gain: gain(SHIFT),
            energy_gain: gain(ENERGY),
            health,
        }
    }

    /// Resets the filters and keeps the law of healthy innovations.
    pub(crate) fn forget(&mut self) {
        self.coherent = Coherent::new();
        self.shift = [R::zero(); N];
        self.energy = self.health.moving;
        self.freedom = R::of(self.freedom() as f64);
    }

    /// Channels that moved while healthy, at least 1.
    pub(crate) fn freedom(&self) -> usize {
        self.health.freedom()
    }

    /// In another float.
    pub(crate) fn cast<S: Real>(&self) -> Surprise<S, N> {
        Surprise {
            health: self.health.cast(),
            coherent: self.coherent.cast(),
            shift: self.shift.map(to),
            energy: self.energy.map(to),
            freedom: to(self.freedom),
            shift_gain: to(self.shift_gain),
            energy_gain: to(self.energy_gain),
        }
    }

    /// R of one channel with itself.
    #[cfg(test)]
    pub(crate) fn variance(&self, channel: usize) -> R {
        self.health.covariance()[channel][channel]
    }

    /// Processes one innovation. `after_gap`: no lag spans the gap before it.
    #[inline]
    pub(crate) fn push(&mut self, r: &Sparse<R, N>, after_gap: bool) -> Statistics<R, N> {
        let (zero, channels) = (R::zero(), self.health.channels);
        let (mut whole, mut present, mut moved) = (r.value, r.present, r.present);
        for n in 0..N {
            present[n] *= self.health.live[n];
            whole[n] *= present[n];
            moved[n] *= self.health.moving[n];
            self.shift[n] += present[n] * self.shift_gain * (whole[n] - self.shift[n]);
        }
        let count = sum(&present);
        if count > zero {
            if count < self.health.lives {
                self.health.impute(&mut whole, &present);
            }
            let white = whitened(channels, &self.health.whitening, &whole);
            self.coherent.push(Some(&white), channels, after_gap);
            let a = self.energy_gain;
            let energy = parts(channels, &self.health.whitening, &white, &whole);
            for n in 0..N {
                self.energy[n] += a * (energy[n] - self.energy[n]);
            }
            self.freedom += a * (sum(&moved) - self.freedom);
        } else {
            self.coherent.push(None, channels, after_gap);
        }
        self.statistics()
    }

    /// EW of `r_n (Omega r)_n`: a channel's part of K3, 1 in the mean while healthy.
    pub(crate) fn energy(&self, channel: usize) -> R {
        self.energy.get(channel).copied().unwrap_or(R::zero())
    }

    #[inline]
    fn statistics(&self) -> Statistics<R, N> {
        let zero = R::zero();
        let channels = self.health.channels;
        let [t_emissary, t_master] = self.coherent.windows.means();
        let k1 = t_emissary.zip(t_master).map(|(e, m)| {
            let t = ((e + m) / R::of(2.0)).max(zero);
            t * t
        });
        let white = whitened(channels, &self.health.shift_whitening, &self.shift);
        Statistics {
            k1,
            k2: dot(&white, &white, channels) / R::of(self.health.freedom() as f64),
            k3: larger(sum(&self.energy) / self.freedom, zero),
            t_emissary,
            t_master,
            shift: parts(channels, &self.health.shift_whitening, &white, &self.shift),
        }
    }

    /// Each channel's share of K2 and K3, both in units of their thresholds: 0 to 1, with sum 1, or all 0 where
    /// no channel stands out. A channel that lowers a sum has no share.
    #[inline]
    pub(crate) fn blame(&self, now: &Statistics<R, N>, thresholds: &Thresholds<R>) -> [R; N] {
        let (zero, one) = (R::zero(), R::one());
        let per_shift = one / (R::of(self.health.freedom() as f64) * thresholds.k2);
        let per_energy = one / (self.freedom * thresholds.k3);
        let mut blame = [zero; N];
        for n in 0..N {
            let shift = larger(now.shift[n], zero) * per_shift;
            let energy = larger(self.energy[n], zero) * per_energy;
            blame[n] = shift + energy;
        }
        let all = sum(&blame);
        if all > zero && all.is_finite() {
            for share in &mut blame {
                *share /= all;
            }
            blame
        } else {
            [zero; N]
        }
    }
}

/// ```
/// use becomingone_kernel::Alarm;
///
/// // Two ticks to begin, two ticks below 0.8 to end.
/// let mut alarm = Alarm::<f64>::new(0.8, 2, 2);
/// let alarms = [1.5, 0.9, 1.5, 1.5, 0.9, 0.7, 0.9, 0.7, 0.7].map(|surprise| alarm.update(surprise));
/// assert_eq!(alarms, [false, false, false, true, true, true, true, true, false]);
/// ```
///
/// Hysteresis and dwell of an alarm: it begins after `dwell_ticks` running over 1, and ends after `release_ticks` running
/// below `release`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alarm<R> {
    pub(crate) release: R,
    pub(crate) dwell_ticks: u32,
    pub(crate) release_ticks: u32,
    on: bool,
    run: u32,
}

impl<R: Real> Alarm<R> {
    /// An inactive alarm. `release` in (0, 1], ticks at least 1.
    pub fn new(release: R, dwell_ticks: u32, release_ticks: u32) -> Self {
        Self {
            release,
            dwell_ticks,
            release_ticks,
            on: false,
            run: 0,
        }
    }

    pub(crate) fn cast<S: Real>(self) -> Alarm<S> {
        Alarm {
            release: to(self.release),
            dwell_ticks: self.dwell_ticks,
            release_ticks: self.release_ticks,
            on: self.on,
            run: self.run,
        }
    }

    /// Processes one tick's surprise and returns whether the alarm is on.
    pub fn update(&mut self, surprise: R) -> bool {
        let (beyond, ticks) = if self.on {
            (surprise < self.release, self.release_ticks)
        } else {
            (surprise > R::one(), self.dwell_ticks)
        };
        self.run = if beyond { self.run + 1 } else { 0 };
        if self.run >= ticks {
            self.on = !self.on;
            self.run = 0;
        }
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of rank 4 and more: a covariance.
    const R: [[f64; 4]; 4] = [
        [2.0, 0.5, -0.3, 0.9],
        [0.5, 1.0, 0.4, 0.1],
        [-0.3, 0.4, 1.5, -0.6],
        [0.9, 0.1, -0.6, 1.2],
    ];

    fn health() -> Result<Health<f64, 4>, usize> {
        let all = [true; 4];
        Health::new(4, all, all, all, R, &R)
    }

    /// R^-1 of the first `size` rows, by Gauss and Jordan.
    fn inverse(mut a: [[f64; 4]; 4], size: usize) -> [[f64; 4]; 4] {
        let mut b = [[0.0; 4]; 4];
        for i in 0..size {
            b[i][i] = 1.0;
        }
        for i in 0..size {
            let pivot = a[i][i];
            for j in 0..size {
                a[i][j] /= pivot;
                b[i][j] /= pivot;
            }
            for k in 0..size {
                let by = a[k][i];
                for j in 0..size {
                    if k != i {
                        a[k][j] -= by * a[i][j];
                        b[k][j] -= by * b[i][j];
                    }
                }
            }
        }
        b
    }

    fn form(u: &[f64], m: &[[f64; 4]; 4], v: &[f64]) -> f64 {
        let rows = u.iter().zip(m);
        rows.map(|(u, row)| u * row.iter().zip(v).map(|(m, v)| m * v).sum::<f64>())
            .sum()
    }

    #[test]
    fn whitened_products_are_products_under_omega() -> Result<(), usize> {
        let health = health()?;
        let omega = inverse(health.covariance(), 4);
        let (u, v) = ([0.3, -1.2, 0.7, 2.0], [1.1, 0.4, -0.9, 0.2]);
        let [white_u, white_v] = [u, v].map(|x| whitened(4, &health.whitening, &x));
        let dot: f64 = white_u.iter().zip(&white_v).map(|(a, b)| a * b).sum();
        assert!((dot - form(&u, &omega, &v)).abs() < 1e-12);
        for (n, part) in parts(4, &health.whitening, &white_u, &u)
            .into_iter()
            .enumerate()
        {
            let expected: f64 = omega[n].iter().zip(&u).map(|(o, x)| o * x).sum();
            assert!((part - u[n] * expected).abs() < 1e-12);
        }
        Ok(())
    }

    #[test]
    fn missing_innovations_are_imputed_by_the_schur_complement() -> Result<(), usize> {
        let health = health()?;
        let omega = inverse(health.covariance(), 4);
        // The first two are present, the others missing.
        let mut r = [0.8, -1.5, 0.0, 0.0];
        health.impute(&mut r, &[1.0, 1.0, 0.0, 0.0]);
        // -Omega_mm^-1 Omega_mo r_o, with m = 2, 3.
        let mut mm = [[0.0; 4]; 4];
        let mut rest = [0.0; 2];
        for i in 0..2 {
            for j in 0..2 {
                mm[i][j] = omega[i + 2][j + 2];
                rest[i] -= omega[i + 2][j] * r[j];
            }
        }
        let mm = inverse(mm, 2);
        for i in 0..2 {
            let expected = mm[i][0] * rest[0] + mm[i][1] * rest[1];
            assert!((r[i + 2] - expected).abs() < 1e-12, "{i}");
        }
        // r^T Omega r = r_o^T R_oo^-1 r_o.
        let oo = inverse(health.covariance(), 2);
        assert!((form(&r, &omega, &r) - form(&r[..2], &oo, &r[..2])).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn with_channels_missing_the_energy_is_of_the_present_ones() -> Result<(), usize> {
        let health = health()?;
        let oo = inverse(health.covariance(), 2);
        let mut surprise = Surprise::new(health);
        let r = Sparse {
            value: [0.8, -1.5, 0.0, 0.0],
            present: [1.0, 1.0, 0.0, 0.0],
        };
        let mut found = surprise.push(&r, false);
        for _ in 0..400 {
            found = surprise.push(&r, false);
        }
        let expected = form(&[0.8, -1.5], &oo, &[0.8, -1.5]) / 2.0;
        assert!((found.k3 - expected).abs() < 1e-9, "{found:?} {expected}");
        let blame = surprise.blame(&found, &Thresholds::null(4));
        assert!((blame.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(blame[1] > blame[0] && blame[2] < 1e-9 && blame[3] < 1e-9);
        Ok(())
    }

    #[test]
    fn an_invalid_covariance_is_replaced_by_one() {
        let all = [true; 3];
        // Three channels with impossible correlations: each opposite to both others.
        let r = [[1.0, -0.9, -0.9], [-0.9, 1.0, -0.9], [-0.9, -0.9, 1.0]];
        assert!(Health::<f64, 3>::new(3, all, all, all, r, &r).is_ok());
        // Copies of each other, and zeros.
        assert!(Health::<f64, 3>::new(3, all, all, all, [[1.0; 3]; 3], &[[1.0; 3]; 3]).is_ok());
        assert!(Health::<f32, 3>::new(3, all, all, all, [[1.0; 3]; 3], &[[1.0; 3]; 3]).is_ok());
        assert!(Health::<f64, 3>::new(3, all, all, all, [[0.0; 3]; 3], &[[0.0; 3]; 3]).is_ok());
        let broken = [[f64::NAN; 3]; 3];
        assert!(Health::<f64, 3>::new(3, all, all, all, r, &broken).is_ok());
        assert!(Health::<f64, 3>::new(3, all, all, all, [[f64::INFINITY; 3]; 3], &r).is_err());
    }

    #[test]
    fn the_alarm_has_dwell_and_hysteresis() {
        let mut alarm = Alarm::new(0.8, 3, 2);
        let surprises = [1.1, 1.1, 0.9, 1.1, 1.1, 1.1, 0.9, 0.7, 0.9, 0.7, 0.7, 0.9];
        let active = surprises.map(|s| alarm.update(s));
        let expected = [
            false, false, false, false, false, true, true, true, true, true, false, false,
        ];
        assert_eq!(active, expected);
    }
}
