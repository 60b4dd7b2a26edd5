//! [`Band`]: a transducer from `tau_base` to `tau_max`, octave by octave, fed by a [`Pyramid`].
//!
//! ```text
//! taus     tau_base, 2 tau_base, 4 tau_base, ..   up to tau_max
//! order    mean over the taus of |T_tau|^2
//!
//!                  1 us    1 ms    10 ms      1 s     60 s      1 h
//! Pyramid          |-------|-------|----------|-------|---------|----->   tau
//! Emissary                         [==========]
//! Master                                              [=========]
//! ```
//!
//! One pyramid serves both: its windows are as long as its lags, so the band of short lags is the fast one. A
//! pair of [`Transducer`](crate::Transducer)s has the same lags and two windows; two bands have different lags.
//! At different lags even a perfect tone has different phases, and a mean of the two complex T carries no
//! information. So the reading of a band has sqrt(order) as its T, in phase 0: `T_sync` is then the mean of the
//! two moduli, and collapse is lock at both time scales. A rhythm that reverses is detected not in phase, as by
//! two transducers at one lag, but in the order of the Emissary during the reversal.

use num_complex::Complex;

use crate::{ConfigError, Pyramid, Reading, Real, Role};

/// Shortest and longest lag of the Emissary in seconds.
pub const EMISSARY_BAND_S: [f64; 2] = [0.01, 1.0];

/// Shortest and longest lag of the Master in seconds.
pub const MASTER_BAND_S: [f64; 2] = [60.0, 3600.0];

/// Emissary or Master over a band of lags.
///
/// ```
/// use becomingone_kernel::{
///     Band, Pyramid, PyramidConfig, Role, Synchrony, SynchronyConfig, encode_angle,
/// };
///
/// // A day's rhythm, sampled each minute; its bands are minutes and hours.
/// let mut pyramid = Pyramid::<f64, 1, 8, 10>::new(PyramidConfig::new(1, 60.0))?;
/// let emissary = Band::new(Role::Emissary, 300.0, 3600.0)?;
/// let master = Band::new(Role::Master, 2.0 * 3600.0, 12.0 * 3600.0)?;
/// let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
/// let mut collapsed = false;
/// for minute in 0..30 * 1440 {
///     let days = f64::from(minute) / 1440.0;
///     pyramid.push(&[Some(encode_angle(core::f64::consts::TAU * days))]);
///     let report = synchrony.update(emissary.reading(&pyramid), master.reading(&pyramid));
///     collapsed = report.collapsed;
/// }
/// assert!(collapsed);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band<R> {
    role: Role,
    tau_base_s: R,
    tau_max_s: R,
}

impl<R: Real> Band<R> {
    /// The lags `tau_base_s` 2^i up to `tau_max_s`, both in seconds.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Band`] unless 0 < `tau_base_s` <= `tau_max_s`, both finite.
    pub fn new(role: Role, tau_base_s: R, tau_max_s: R) -> Result<Self, ConfigError> {
        let usable = tau_base_s > R::zero() && tau_base_s <= tau_max_s && tau_max_s.is_finite();
        if !usable {
            return Err(ConfigError::Band {
                tau_base_s: tau_base_s.into(),
                tau_max_s: tau_max_s.into(),
            });
        }
        Ok(Self {
            role,
            tau_base_s,
            tau_max_s,
        })
    }

    /// The role's default band: [`EMISSARY_BAND_S`] or [`MASTER_BAND_S`].
    pub fn of(role: Role) -> Self {
        let [tau_base_s, tau_max_s] = match role {
            Role::Emissary => EMISSARY_BAND_S,
            Role::Master => MASTER_BAND_S,
        };
        Self {
            role,
            tau_base_s: R::of(tau_base_s),
            tau_max_s: R::of(tau_max_s),
        }
    }

    /// The lags in seconds, shortest first.
    pub fn taus_s(&self) -> impl Iterator<Item = R> + use<R> {
        let tau_max_s = self.tau_max_s;
        let octaves = core::iter::successors(Some(self.tau_base_s), |tau| Some(*tau + *tau));
        octaves.take_while(move |&tau| tau <= tau_max_s)
    }

    /// Order over the lags, with its root as T; `None` unless every lag has a value, and so always
    /// where the band reaches beyond the pyramid.
    pub fn reading<const N: usize, const M: usize, const LEVELS: usize>(
        &self,
        pyramid: &Pyramid<R, N, M, LEVELS>,
    ) -> Option<Reading<R>> {
        let (mut sum, mut taus) = (R::zero(), R::zero());
        for tau_s in self.taus_s() {
            sum += pyramid.t(tau_s)?.norm_sqr();
            taus += R::one();
        }
        let order = (sum / taus).min(R::one());
        Some(Reading {
            order,
            t: Complex::new(order.sqrt(), R::zero()),
        })
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The shortest lag in seconds.
    pub fn tau_base_s(&self) -> R {
        self.tau_base_s
    }

    /// Upper bound of the lags in seconds.
    pub fn tau_max_s(&self) -> R {
        self.tau_max_s
    }
}
