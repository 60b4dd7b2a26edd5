//! Surprise: three statistics of what the witness did not foresee, and the vote of two in three.
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
//! surprise = the second largest of K1, K2, K3, each over its threshold;    coherence = 1/(1 + surprise)
//! ```
//!
//! Healthy innovations are white: T is near 0 and K2, K3 are near 1, with the laws of
//! [`Thresholds::null`]. K1 is bounded and blind to size; K2 sees small steady shifts; K3 sees
//! anything that is large. None of them alone is trusted.
//!
//! The inner product is taken by whitening: with R = G G^T and w = G^-1 r,
//! `<u, v>_Omega` = `w_v . w_u`, so a [`Resonance`] with equal weights serves.
//!
//! # What is missing
//!
//! K1 and K3 take a missing part as expected from what is present, `r_m = R_mo R_oo^-1 r_o`, which is
//! `-Omega_mm^-1 Omega_mo r_o`. Then r^T Omega r = `r_o^T R_oo^-1 r_o`, exactly (Schur), with `N_k`
//! degrees of freedom. K2 leaves a missing channel's mean as it is, so a slow channel is averaged
//! over 20 samples of its own.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays go by one channel index"
)]

use num_complex::Complex;

use crate::linear;
use crate::{ConfigError, DEFAULT_LAGS, Real, Resonance, ResonanceConfig};

/// Windows in samples.
const EMISSARY: f64 = 10.0;
const MASTER: f64 = 30.0;
const SHIFT: f64 = 20.0;
const ENERGY: f64 = 10.0;

/// The standard normal quantile of p = 1e-5, one side.
const Z_P: f64 = 4.264_890_793_922_825;

/// Share of C that is measured; the rest is the law of white innovations.
const MEASURED: f64 = 0.3;

/// What K1, K2 and K3 have to stand over to be a vote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds<R> {
    /// Of the coherent part, 0 to 1.
    pub k1: R,
    /// Of the shift, in units of its healthy mean.
    pub k2: R,
    /// Of the energy, in units of its healthy mean.
    pub k3: R,
}

impl<R: Real> Thresholds<R> {
    /// What white Gaussian innovations of `channels` channels exceed once in 1e5 samples: the floor.
    ///
    /// ```text
    /// K1   1.5 z_p^2 Var T,   Var T = (v_E + v_M + 2 c)/(4 * 3 lags * N), v = (1 - lam)/(1 + lam),
    ///      c = (1 - lam_E)(1 - lam_M)/(1 - lam_E lam_M); 1.5 is for the tail, heavier than Gauss
    /// K2   chi^2_N / N
    /// K3   chi^2_nu / nu, nu = N (2 - a)/a, a = 1 - e^{-1/10}
    /// ```
    ///
    /// Quantiles of chi^2 by Wilson and Hilferty, 1931. These hold where the self-model is exact; that of
    /// a plant is not, and its thresholds are measured.
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

    /// Nothing at all.
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

/// What healthy innovations look like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Health<R, const N: usize> {
    /// R, both triangles, in standard deviations of the channels.
    covariance: [[R; N]; N],
    /// Its Cholesky factor G.
    factor: [[R; N]; N],
    /// The Cholesky factor of C.
    shift_factor: [[R; N]; N],
    channels: usize,
    /// Channels that take part.
    live: [bool; N],
    /// Those of them that moved while healthy: degrees of freedom.
    moving: [bool; N],
}

impl<R: Real, const N: usize> Health<R, N> {
    /// R from what was measured of it (lower triangle), with its floor, and C from R and the measured
    /// Cov(e). A channel that is not in `moving` has variance 1 and no part in others.
    ///
    /// Sums over rows with missing samples may give no covariance of anything. What channels share, those first
    /// that were not always there (not `whole`), is then halved until it is one.
    ///
    /// `Err` holds the channel at which even that failed.
    pub(crate) fn new(
        channels: usize,
        live: [bool; N],
        moving: [bool; N],
        whole: [bool; N],
        mut measured: [[R; N]; N],
        shifts: &[[R; N]; N],
    ) -> Result<Self, usize> {
        // 1e-3 standard deviations; what rounding leaves of a variance, where that is more.
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
        let mut factor = measured;
        let mut tries = 0;
        while let Err(pivot) = linear::factor(channels, &mut factor) {
            // First what rests on some rows only. What shares a millionth of its variance is independent.
            let all = tries >= 20;
            if tries == 40 {
                return Err(pivot);
            }
            tries += 1;
            for n in 0..channels {
                for m in 0..n {
                    if all || !(whole[n] && whole[m]) {
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
        // C from what was measured; where rounding makes that no covariance, from the law of white noise.
        let mut shift_factor = shift_covariance(&measured, |n, m| {
            (moving[n] && moving[m]).then_some(shifts[n][m])
        });
        if linear::factor(channels, &mut shift_factor).is_err() {
            shift_factor = shift_covariance(&measured, |_, _| None);
            linear::factor(channels, &mut shift_factor)?;
        }
        Ok(Self {
            covariance: measured,
            factor,
            shift_factor,
            channels,
            live,
            moving,
        })
    }

    /// Channels that moved while healthy, at least 1.
    pub(crate) fn freedom(&self) -> usize {
        self.moving.iter().filter(|&&moving| moving).count().max(1)
    }

    /// Fills what is missing of r with what is expected of it.
    fn impute(&self, r: &mut [R; N], present: &[bool; N]) {
        let mut seen = [0; N];
        let mut count = 0;
        for n in 0..self.channels {
            if present[n] {
                seen[count] = n;
                count += 1;
            }
        }
        let mut factor = [[R::zero(); N]; N];
        let mut x = [R::zero(); N];
        for i in 0..count {
            x[i] = r[seen[i]];
            for j in 0..=i {
                factor[i][j] = self.covariance[seen[i]][seen[j]];
            }
        }
        // A principal part of a positive definite matrix is one: its pivots are at least as large.
        let solved = linear::factor(count, &mut factor).is_ok();
        if solved {
            linear::solve(count, &factor, &mut x);
        }
        for n in 0..self.channels {
            if !present[n] {
                r[n] = R::zero();
                for i in 0..count {
                    if solved {
                        r[n] += self.covariance[n][seen[i]] * x[i];
                    }
                }
            }
        }
    }
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
pub(crate) struct Statistics<R> {
    pub(crate) k1: Option<R>,
    pub(crate) k2: R,
    pub(crate) k3: R,
    pub(crate) t_emissary: Option<R>,
    pub(crate) t_master: Option<R>,
}

/// The filters behind K1, K2 and K3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Surprise<R, const N: usize> {
    health: Health<R, N>,
    emissary: Resonance<R, N, 3, 5>,
    master: Resonance<R, N, 3, 5>,
    /// e.
    shift: [R; N],
    /// EW of `r_n (Omega r)_n`: its sum is EW of r^T Omega r.
    energy: [R; N],
    /// EW of `N_k`.
    freedom: R,
}

/// 1 - e^{-1/window}.
fn gain<R: Real>(window: f64) -> R {
    R::decay(R::of(1.0 / window)).1
}

impl<R: Real, const N: usize> Surprise<R, N> {
    /// Filters that have seen nothing: K2 starts at 0, K3 at 1, K1 without a value.
    pub(crate) fn new(health: Health<R, N>) -> Result<Self, ConfigError> {
        let resonance = |window: f64| {
            let mut config = ResonanceConfig::new(health.channels, R::of(window), DEFAULT_LAGS);
            // Every sample is one step; a gap is told as two.
            config.max_gap_s = R::of(1.5);
            Resonance::new(config)
        };
        let mut energy = [R::zero(); N];
        for (energy, moving) in energy.iter_mut().zip(health.moving) {
            *energy = if moving { R::one() } else { R::zero() };
        }
        Ok(Self {
            emissary: resonance(EMISSARY)?,
            master: resonance(MASTER)?,
            shift: [R::zero(); N],
            energy,
            freedom: R::of(health.freedom() as f64),
            health,
        })
    }

    /// Channels that moved while healthy, at least 1.
    pub(crate) fn freedom(&self) -> usize {
        self.health.freedom()
    }

    /// R of one channel with itself.
    #[cfg(test)]
    pub(crate) fn variance(&self, channel: usize) -> R {
        self.health.covariance[channel][channel]
    }

    /// Takes one innovation. `after_gap`: no lag spans what came before.
    pub(crate) fn push(&mut self, r: &[Option<R>; N], after_gap: bool) -> Statistics<R> {
        let mut whole = [R::zero(); N];
        let mut present = [false; N];
        let (mut freedom, mut some, mut missing) = (R::zero(), false, false);
        for n in 0..self.health.channels {
            // A channel that takes no part is as expected, which is 0.
            present[n] = !self.health.live[n];
            if let Some(x) = r[n]
                && self.health.live[n]
            {
                whole[n] = x;
                present[n] = true;
                some = true;
                if self.health.moving[n] {
                    freedom += R::one();
                }
                self.shift[n] += gain::<R>(SHIFT) * (x - self.shift[n]);
            }
            missing |= !present[n];
        }
        let step = if after_gap { R::of(2.0) } else { R::one() };
        if some {
            if missing {
                self.health.impute(&mut whole, &present);
            }
            let mut w = whole;
            linear::whiten(self.health.channels, &self.health.factor, &mut w);
            let d = w.map(|w| Some(Complex::new(w, R::zero())));
            self.emissary.push(&d, step);
            self.master.push(&d, step);
            linear::unwhiten(self.health.channels, &self.health.factor, &mut w);
            let a = gain::<R>(ENERGY);
            for n in 0..self.health.channels {
                self.energy[n] += a * (whole[n] * w[n] - self.energy[n]);
            }
            self.freedom += a * (freedom - self.freedom);
        } else {
            self.emissary.push(&[], step);
            self.master.push(&[], step);
        }
        self.statistics()
    }

    fn statistics(&self) -> Statistics<R> {
        let zero = R::zero();
        let t_emissary = self.emissary.mean_re();
        let t_master = self.master.mean_re();
        let k1 = t_emissary.zip(t_master).map(|(e, m)| {
            let t = ((e + m) / R::of(2.0)).max(zero);
            t * t
        });
        let mut e = self.shift;
        linear::whiten(self.health.channels, &self.health.shift_factor, &mut e);
        let squares = e.iter().fold(zero, |sum, &x| sum + x * x);
        let energy = self.energy.iter().fold(zero, |sum, &x| sum + x);
        Statistics {
            k1,
            k2: squares / R::of(self.health.freedom() as f64),
            k3: (energy / self.freedom).max(zero),
            t_emissary,
            t_master,
        }
    }

    /// Each channel's share of K2 and K3, both in units of their thresholds: 0 to 1, with sum 1, or all
    /// 0 where nothing stands out. A channel that lowers a sum has no share.
    pub(crate) fn blame(&self, thresholds: &Thresholds<R>) -> [R; N] {
        let zero = R::zero();
        let mut c = self.shift;
        linear::solve(self.health.channels, &self.health.shift_factor, &mut c);
        let n_live = R::of(self.health.freedom() as f64);
        let mut blame = [zero; N];
        let mut sum = zero;
        for n in 0..self.health.channels {
            let shift = (self.shift[n] * c[n]).max(zero) / n_live / thresholds.k2;
            let energy = self.energy[n].max(zero) / self.freedom / thresholds.k3;
            blame[n] = shift + energy;
            sum += blame[n];
        }
        if sum > zero && sum.is_finite() {
            blame.map(|share| share / sum)
        } else {
            [zero; N]
        }
    }
}

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
    /// One that is off. `release` in (0, 1], ticks at least 1.
    pub fn new(release: R, dwell_ticks: u32, release_ticks: u32) -> Self {
        Self {
            release,
            dwell_ticks,
            release_ticks,
            on: false,
            run: 0,
        }
    }

    /// Takes one tick's surprise and says whether there is alarm.
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
        let omega = inverse(health.covariance, 4);
        let (u, v) = ([0.3, -1.2, 0.7, 2.0], [1.1, 0.4, -0.9, 0.2]);
        let (mut white_u, mut white_v) = (u, v);
        linear::whiten(4, &health.factor, &mut white_u);
        linear::whiten(4, &health.factor, &mut white_v);
        let dot: f64 = white_u.iter().zip(&white_v).map(|(a, b)| a * b).sum();
        assert!((dot - form(&u, &omega, &v)).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn what_is_missing_is_imputed_as_schur_has_it() -> Result<(), usize> {
        let health = health()?;
        let omega = inverse(health.covariance, 4);
        // The first two are present, the others missing.
        let mut r = [0.8, -1.5, 0.0, 0.0];
        health.impute(&mut r, &[true, true, false, false]);
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
        let oo = inverse(health.covariance, 2);
        assert!((form(&r, &omega, &r) - form(&r[..2], &oo, &r[..2])).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn with_channels_missing_the_energy_is_theirs_that_came() -> Result<(), ConfigError> {
        let Ok(health) = health() else {
            return Err(ConfigError::NoLags);
        };
        let oo = inverse(health.covariance, 2);
        let mut surprise = Surprise::new(health)?;
        let r = [Some(0.8), Some(-1.5), None, None];
        let mut said = surprise.push(&r, false);
        for _ in 0..400 {
            said = surprise.push(&r, false);
        }
        let expected = form(&[0.8, -1.5], &oo, &[0.8, -1.5]) / 2.0;
        assert!((said.k3 - expected).abs() < 1e-9, "{said:?} {expected}");
        let blame = surprise.blame(&Thresholds::null(4));
        assert!((blame.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(blame[1] > blame[0] && blame[2] < 1e-9 && blame[3] < 1e-9);
        Ok(())
    }

    #[test]
    fn what_is_no_covariance_is_made_one() {
        let all = [true; 3];
        // Three channels, each the opposite of both others: impossible.
        let r = [[1.0, -0.9, -0.9], [-0.9, 1.0, -0.9], [-0.9, -0.9, 1.0]];
        assert!(Health::<f64, 3>::new(3, all, all, all, r, &r).is_ok());
        // Copies of each other, and nothing at all.
        assert!(Health::<f64, 3>::new(3, all, all, all, [[1.0; 3]; 3], &[[1.0; 3]; 3]).is_ok());
        assert!(Health::<f32, 3>::new(3, all, all, all, [[1.0; 3]; 3], &[[1.0; 3]; 3]).is_ok());
        assert!(Health::<f64, 3>::new(3, all, all, all, [[0.0; 3]; 3], &[[0.0; 3]; 3]).is_ok());
        let broken = [[f64::NAN; 3]; 3];
        assert!(Health::<f64, 3>::new(3, all, all, all, r, &broken).is_ok());
        assert!(Health::<f64, 3>::new(3, all, all, all, [[f64::INFINITY; 3]; 3], &r).is_err());
    }

    #[test]
    fn the_alarm_waits_and_holds() {
        let mut alarm = Alarm::new(0.8, 3, 2);
        let said = [1.1, 1.1, 0.9, 1.1, 1.1, 1.1, 0.9, 0.7, 0.9, 0.7, 0.7, 0.9];
        let said = said.map(|s| alarm.update(s));
        let expected = [
            false, false, false, false, false, true, true, true, true, true, false, false,
        ];
        assert_eq!(said, expected);
    }
}
