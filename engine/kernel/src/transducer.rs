//! [`Transducer`]: one resonance as Emissary or Master, and its output, [`Reading`].
//!
//! ```text
//! T_E = T_tau over T_w = 1 s          T_M = T_tau over T_w = 60 s          order = mean over lags of |T|^2
//!
//! input      AAAAAAAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB
//! Emissary   aaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb    the present
//! Master     aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbb    the past
//!                                  |<--- they disagree ---->|
//! ```
//!
//! Emissary and Master have the same input. The Emissary is fast and shallow; the Master is slow
//! and deep. They are the same estimator with a short and a long memory (multi-scale
//! exponential averages).

use num_complex::Complex;

use crate::resonance::order;
use crate::{ConfigError, PushOutcome, Real, Resonance, ResonanceConfig};

/// Default window of the Emissary in seconds: 50 samples at 50 Hz, about 100 effective ones.
pub const EMISSARY_WINDOW_S: f64 = 1.0;

/// Default window of the Master in seconds: 60 times the Emissary's, so that the two disagree for
/// about a minute after a change.
pub const MASTER_WINDOW_S: f64 = 60.0;

/// Default lags in samples: two octaves from the shortest.
pub const DEFAULT_LAGS: [usize; 3] = [1, 2, 4];

/// Role of a transducer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Short window.
    Emissary,
    /// Long window.
    Master,
}

impl Role {
    /// The role's default window in seconds.
    pub fn window_s(self) -> f64 {
        match self {
            Self::Emissary => EMISSARY_WINDOW_S,
            Self::Master => MASTER_WINDOW_S,
        }
    }
}

/// Output of a transducer, input of [`Synchrony`](crate::Synchrony).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading<R> {
    /// Mean of `|T_tau|^2` over the lags, 0 to 1.
    pub order: R,
    /// T at the first lag: complex, because equal magnitudes may have opposite phase.
    pub t: Complex<R>,
}

/// A [`Resonance`] as Emissary or Master.
///
/// ```
/// use becomingone_kernel::{Complex, DEFAULT_LAGS, Role, Transducer};
///
/// // A tone that turns a quarter each sample.
/// let mut emissary = Transducer::<f64, 1, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?;
/// let mut d = Complex::new(1.0, 0.0);
/// for _ in 0..50 {
///     emissary.push(&[Some(d)], 0.02);
///     d *= Complex::i();
/// }
/// let reading = emissary.reading();
/// assert!(reading.is_some_and(|r| (r.order - 1.0).abs() < 1e-12));
/// assert!(reading.is_some_and(|r| (r.t - Complex::i()).norm() < 1e-12));
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Transducer<R, const N: usize, const L: usize, const RING: usize> {
    role: Role,
    resonance: Resonance<R, N, L, RING>,
}

impl<R: Real, const N: usize, const L: usize, const RING: usize> Transducer<R, N, L, RING> {
    /// A transducer with the role's default window, nu = 0 and equal weights.
    ///
    /// Both roles allow the same longest gap, the Emissary's window: a gap is a property of the
    /// input, and both then drop the same pairs.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for the channels or the lags.
    pub fn new(role: Role, channels: usize, lags: [usize; L]) -> Result<Self, ConfigError> {
        let mut config = ResonanceConfig::new(channels, R::of(role.window_s()), lags);
        config.max_gap_s = R::of(EMISSARY_WINDOW_S);
        Self::with_config(role, config)
    }

    /// A transducer with any configuration.
    ///
    /// # Errors
    ///
    /// As [`Resonance::new`].
    pub fn with_config(role: Role, config: ResonanceConfig<R, N, L>) -> Result<Self, ConfigError> {
        Ok(Self {
            role,
            resonance: Resonance::new(config)?,
        })
    }

    /// Processes one sample of every channel: see [`Resonance::push`].
    pub fn push(&mut self, d: &[Option<Complex<R>>], dt_s: R) -> PushOutcome {
        self.resonance.push(d, dt_s)
    }

    /// Order and first T; `None` unless every lag has a value.
    pub fn reading(&self) -> Option<Reading<R>> {
        let all = self.resonance.all_t()?;
        Some(Reading {
            order: order(&all),
            t: *all.first()?,
        })
    }

    /// The role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The resonance: T at every lag, `N_eff`, counters.
    pub fn resonance(&self) -> &Resonance<R, N, L, RING> {
        &self.resonance
    }

    /// Resets to the state of a new one: see [`Resonance::reset`].
    pub fn reset(&mut self) {
        self.resonance.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emissary_forgets_before_the_master() -> Result<(), ConfigError> {
        let mut emissary = Transducer::<f64, 1, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?;
        let mut master = Transducer::<f64, 1, 3, 5>::new(Role::Master, 1, DEFAULT_LAGS)?;
        let mut d = Complex::new(1.0, 0.0);
        // A minute of one tone, then three seconds of its mirror image.
        for k in 0..3150_u32 {
            emissary.push(&[Some(d)], 0.02);
            master.push(&[Some(d)], 0.02);
            d *= f64::turn(if k < 3000 { 0.1 } else { -0.1 });
        }
        let sine =
            |t: &Transducer<f64, 1, 3, 5>| t.reading().map_or(0.0, |r| r.t.im / f64::turn(0.1).im);
        // Im T/sin(0.1) = (old - new)/(old + new), with the new's share 1 - e^{-3/T_w} and the
        // old's e^{-3/T_w} (1 - e^{-60/T_w}): -0.90 and +0.85.
        assert!((sine(&emissary) + 0.90).abs() < 0.01);
        assert!((sine(&master) - 0.85).abs() < 0.01);
        Ok(())
    }

    #[test]
    fn a_reading_is_the_order_and_the_first_t() -> Result<(), ConfigError> {
        let mut master = Transducer::<f32, 2, 3, 5>::new(Role::Master, 2, DEFAULT_LAGS)?;
        assert_eq!(master.role(), Role::Master);
        assert_eq!(master.resonance().config().window_s, 60.0);
        for k in 0..30_u8 {
            assert_eq!(
                master.reading().is_some(),
                master.resonance().n_eff(2) >= Some(8.0)
            );
            master.push(&[Some(f32::turn(0.7 * f32::from(k))); 2], 0.02);
        }
        let reading = master.reading();
        assert_eq!(reading.map(|r| r.order), master.resonance().order());
        assert_eq!(reading.map(|r| r.t), master.resonance().t(0));
        master.reset();
        assert_eq!(master.reading(), None);
        Ok(())
    }
}
