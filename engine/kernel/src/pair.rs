//! [`Pair`]: Emissary and Master over one ring.
//!
//! ```text
//!                                  +--> x lam_E + --> S, P0, P1 of the Emissary --> T_E
//!  d --> ring --> pairs of d_k with |
//!                 d_{k-1}, d_{k-2},  +--> x lam_M + --> S, P0, P1 of the Master   --> T_M
//!                 d_{k-4}
//! ```
//!
//! Both have the same input at the same lags, so the pairs are the same: samples are kept and products computed
//! once, and each window adds them to its own sums. A pair gives the readings of two
//! [`Transducer`](crate::Transducer)s with the same configuration but for the window, to the last bit, at
//! little more than the cost of one.

use num_complex::Complex;

use crate::resonance::{Lagged, Windows, order};
use crate::{
    ConfigError, EMISSARY_WINDOW_S, MASTER_WINDOW_S, PushOutcome, Reading, Real, ResonanceConfig,
    Role,
};

/// An Emissary and a Master that share their input.
///
/// ```
/// use becomingone_kernel::{Complex, DEFAULT_LAGS, Pair, Synchrony, SynchronyConfig};
///
/// // A tone that turns a quarter each sample.
/// let mut pair = Pair::<f64, 1, 3, 5>::new(1, DEFAULT_LAGS)?;
/// let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
/// let mut d = Complex::new(1.0, 0.0);
/// for _ in 0..50 {
///     pair.push(&[Some(d)], 0.02);
///     let [emissary, master] = pair.readings();
///     synchrony.update(emissary, master);
///     d *= Complex::i();
/// }
/// assert!(synchrony.collapsed());
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<R, const N: usize, const L: usize, const RING: usize> {
    lagged: Lagged<R, N, L, RING>,
    /// The Emissary's, then the Master's.
    windows: Windows<R, L, 2>,
}

impl<R: Real, const N: usize, const L: usize, const RING: usize> Pair<R, N, L, RING> {
    /// The default windows of both roles, nu = 0 and equal weights. The longest gap is the Emissary's window.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] for the channels or the lags.
    pub fn new(channels: usize, lags: [usize; L]) -> Result<Self, ConfigError> {
        let config = ResonanceConfig::new(channels, R::of(EMISSARY_WINDOW_S), lags);
        Self::with_config(config, R::of(MASTER_WINDOW_S))
    }

    /// Any configuration: `config` is the Emissary's, and the Master's but for its window, `master_window_s` in
    /// seconds.
    ///
    /// # Errors
    ///
    /// As [`Resonance::new`](crate::Resonance::new), for either window.
    pub fn with_config(
        config: ResonanceConfig<R, N, L>,
        master_window_s: R,
    ) -> Result<Self, ConfigError> {
        let window_usable = master_window_s > R::zero() && master_window_s.is_finite();
        if !window_usable {
            return Err(ConfigError::Window {
                window_s: master_window_s.into(),
            });
        }
        let lagged = Lagged::new(config)?;
        Ok(Self {
            windows: Windows::new([lagged.config().window_s, master_window_s]),
            lagged,
        })
    }

    /// Processes one sample of every channel: see [`Resonance::push`](crate::Resonance::push).
    pub fn push(&mut self, d: &[Option<Complex<R>>], dt_s: R) -> PushOutcome {
        let (outcome, pairs) = self.lagged.push(d, dt_s);
        if let Some(pairs) = pairs {
            self.windows.add(&pairs, dt_s);
        }
        outcome
    }

    /// The readings of Emissary and Master; `None` for one without a value at every lag.
    #[inline]
    pub fn readings(&self) -> [Option<Reading<R>>; 2] {
        self.windows.all_t().map(|all| {
            let all = all?;
            Some(Reading {
                order: order(&all),
                t: *all.first()?,
            })
        })
    }

    /// Order and first T of one role; `None` unless every lag has a value.
    pub fn reading(&self, role: Role) -> Option<Reading<R>> {
        self.readings()[place(role)]
    }

    /// T of one role at every lag; `None` unless all have a value.
    pub fn all_t(&self, role: Role) -> Option<[Complex<R>; L]> {
        self.windows.all_t()[place(role)]
    }

    /// T of one role at the lag with this index: see [`Resonance::t`](crate::Resonance::t).
    pub fn t(&self, role: Role, lag_index: usize) -> Option<Complex<R>> {
        self.windows.at(place(role), lag_index)?.t()
    }

    /// Effective samples of one role at the lag with this index: see
    /// [`Resonance::n_eff`](crate::Resonance::n_eff).
    pub fn n_eff(&self, role: Role, lag_index: usize) -> Option<R> {
        let sums = self.windows.at(place(role), lag_index)?;
        Some(sums.n_eff())
    }

    /// The window of one role in seconds.
    pub fn window_s(&self, role: Role) -> R {
        self.windows.window_s(place(role))
    }

    /// Active channels.
    pub fn channels(&self) -> usize {
        self.lagged.config().channels
    }

    /// The configuration, with the Emissary's window; its weights scaled to sum 1 over the active channels, and 0 beyond.
    pub fn config(&self) -> &ResonanceConfig<R, N, L> {
        self.lagged.config()
    }

    /// Values that were present but NaN, infinite or too large to square.
    pub fn non_finite(&self) -> u64 {
        self.lagged.non_finite()
    }

    /// Pushes dropped because of their time step.
    pub fn dropped(&self) -> u64 {
        self.lagged.dropped()
    }

    /// Gaps longer than `max_gap_s`.
    pub fn gaps(&self) -> u64 {
        self.lagged.gaps()
    }

    /// Resets to the state of a new one.
    pub fn reset(&mut self) {
        self.lagged.reset();
        self.windows.reset();
    }
}

/// Index of a role's window.
fn place(role: Role) -> usize {
    match role {
        Role::Emissary => 0,
        Role::Master => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DEFAULT_LAGS, Signature, Transducer};

    /// White noise of three channels, some of it missing or broken, at steps of which some are gaps or unusable.
    fn inputs() -> impl Iterator<Item = ([Option<Complex<f64>>; 3], f64)> {
        let mut state = 1_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        (0..3000).map(move |_| {
            let d = [(); 3].map(|()| {
                let z = Complex::new(next() - 0.5, next() - 0.5);
                let kind = next();
                if kind < 0.1 {
                    None
                } else if kind < 0.12 {
                    Some(z / 0.0)
                } else {
                    Some(z)
                }
            });
            let kind = next();
            let dt_s = if kind < 0.01 {
                2.0
            } else if kind < 0.02 {
                -1.0
            } else if kind < 0.1 {
                0.03
            } else {
                0.02
            };
            (d, dt_s)
        })
    }

    #[test]
    fn a_pair_agrees_with_two_transducers() -> Result<(), ConfigError> {
        for nu_rad_s in [0.0, 3.0] {
            let config = |window_s| ResonanceConfig {
                nu_rad_s,
                max_gap_s: 1.0,
                weights: [1.0, 2.0, 0.5],
                ..ResonanceConfig::new(3, window_s, DEFAULT_LAGS)
            };
            let mut pair = Pair::<f64, 3, 3, 5>::with_config(config(1.0), 60.0)?;
            let new = pair.clone();
            let transducer =
                |role: Role| Transducer::<f64, 3, 3, 5>::with_config(role, config(role.window_s()));
            let (mut e, mut m) = (transducer(Role::Emissary)?, transducer(Role::Master)?);
            for (d, dt_s) in inputs() {
                let outcome = pair.push(&d, dt_s);
                assert_eq!([e.push(&d, dt_s), m.push(&d, dt_s)], [outcome; 2]);
                assert_eq!(pair.readings(), [e.reading(), m.reading()]);
                for lag in 0..4 {
                    for own in [&e, &m] {
                        assert_eq!(pair.t(own.role(), lag), own.resonance().t(lag));
                        assert_eq!(pair.n_eff(own.role(), lag), own.resonance().n_eff(lag));
                    }
                }
                assert_eq!(Signature::of_pair(&d, &pair), Signature::of(&d, &e, &m));
            }
            let own = e.resonance();
            assert_eq!(
                (pair.non_finite(), pair.dropped(), pair.gaps()),
                (own.non_finite(), own.dropped(), own.gaps())
            );
            assert!(pair.gaps() > 0 && pair.dropped() > 0 && pair.non_finite() > 0);
            assert!(pair.readings().iter().all(Option::is_some));
            assert_eq!(pair.config(), own.config());
            assert_eq!(Role::Master.window_s(), pair.window_s(Role::Master));
            pair.reset();
            assert_eq!(pair, new);
        }
        Ok(())
    }

    #[test]
    fn both_windows_are_checked() {
        let config = |window_s| ResonanceConfig::<f64, 1, 1>::new(1, window_s, [1]);
        let pair = |e, m| Pair::<f64, 1, 1, 2>::with_config(config(e), m).err();
        assert_eq!(pair(1.0, 60.0), None);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            for (e, m) in [(bad, 60.0), (1.0, bad)] {
                assert!(matches!(pair(e, m), Some(ConfigError::Window { .. })));
            }
        }
    }
}
