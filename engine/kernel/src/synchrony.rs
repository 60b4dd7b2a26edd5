//! [`Synchrony`]: agreement of Emissary and Master, and phase lock of their common rhythm.
//!
//! With `|T|^2` the mean over the lags of `|T_tau|^2`, and the complex T that of the first lag:
//!
//! ```text
//! delta   = | |T_M| - |T_E| |       0 to 1
//! T_sync  = (T_M + T_E) / 2         |T_sync| <= 1
//!
//! delta:    0 ---- aligned ---- theta ---- neither ---- 2 theta ---- apart ---- 1
//!
//! collapse  once |T_sync|^2 >= I_c       on `dwell_ticks` updates running
//! release   once |T_sync|^2 <  h I_c     on `dwell_ticks` updates running
//! ```
//!
//! It is a consistency test of two filters with the same input. Equal magnitudes in opposite phase have
//! delta = 0, yet `T_sync` = 0: `aligned` alone does not mean agreement.

use num_complex::Complex;

use crate::{ConfigError, Reading, Real};

/// The thresholds of [`Synchrony`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SynchronyConfig<R> {
    /// Largest delta that counts as aligned; above twice this, the two are apart.
    pub theta: R,
    /// `I_c`, the `|T_sync|^2` from which the rhythm is locked, in (0, 1].
    pub collapse: R,
    /// h, the ratio of the release threshold to `collapse`, in (0, 1]. At 1 there is no
    /// hysteresis.
    pub release: R,
    /// Updates running that must agree before `collapsed` changes, at least 1, at both edges.
    pub dwell_ticks: u32,
}

impl<R: Real> Default for SynchronyConfig<R> {
    /// theta 0.1, `I_c` 0.8, h 0.9, 3 ticks.
    fn default() -> Self {
        Self {
            theta: R::of(0.1),
            collapse: R::of(0.8),
            release: R::of(0.9),
            dwell_ticks: 3,
        }
    }
}

/// Result of one update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SynchronyReport<R> {
    /// `| |T_M| - |T_E| |`, 0 to 1; `None` unless both have a value.
    pub delta: Option<R>,
    /// delta <= theta. False without a delta.
    pub aligned: bool,
    /// delta > 2 theta. False without a delta.
    pub apart: bool,
    /// `(T_M + T_E)/2` at the first lag; `None` unless both have a value.
    pub t_sync: Option<Complex<R>>,
    /// Whether the rhythm is locked. Held while there is no `T_sync`.
    pub collapsed: bool,
}

/// Agreement of two transducers, with the state of hysteresis and dwell.
///
/// ```
/// use becomingone_kernel::{Complex, Reading, Synchrony, SynchronyConfig};
///
/// let one = Complex::new(1.0, 0.0);
/// let [forward, back] = [one, -one].map(|t| Some(Reading { order: 1.0, t }));
/// let mut synchrony = Synchrony::<f64>::new(SynchronyConfig::default())?;
/// // Locked at the third update.
/// let locked = [(); 3].map(|()| synchrony.update(forward, forward).collapsed);
/// assert_eq!(locked, [false, false, true]);
/// // In opposite phase they are aligned, but no longer locked.
/// let report = synchrony.update(forward, back);
/// assert!(report.aligned && report.t_sync == Some(Complex::new(0.0, 0.0)));
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Synchrony<R> {
    config: SynchronyConfig<R>,
    collapsed: bool,
    /// Updates running beyond the edge that would change `collapsed`.
    run: u32,
}

impl<R: Real> Synchrony<R> {
    /// A synchrony that is not collapsed.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] naming the first field out of range; see [`SynchronyConfig`].
    pub fn new(config: SynchronyConfig<R>) -> Result<Self, ConfigError> {
        let (zero, one) = (R::zero(), R::one());
        let SynchronyConfig {
            theta,
            collapse,
            release,
            dwell_ticks,
        } = config;
        let theta_usable = theta >= zero && theta.is_finite();
        if !theta_usable {
            return Err(ConfigError::Theta {
                theta: theta.into(),
            });
        }
        let collapse_usable = collapse > zero && collapse <= one;
        if !collapse_usable {
            return Err(ConfigError::Collapse {
                collapse: collapse.into(),
            });
        }
        let release_usable = release > zero && release <= one;
        if !release_usable {
            return Err(ConfigError::Release {
                release: release.into(),
            });
        }
        if dwell_ticks == 0 {
            return Err(ConfigError::Dwell);
        }
        Ok(Self {
            config,
            collapsed: false,
            run: 0,
        })
    }

    /// Compares the two readings of one tick.
    ///
    /// If either has no value (or one that is not finite), there is neither agreement nor disagreement: not
    /// aligned, not apart. `collapsed` is held, since missing values are no evidence that a rhythm ended, and
    /// the dwell starts again.
    pub fn update(
        &mut self,
        emissary: Option<Reading<R>>,
        master: Option<Reading<R>>,
    ) -> SynchronyReport<R> {
        let (Some(emissary), Some(master)) = (usable(emissary), usable(master)) else {
            self.run = 0;
            return SynchronyReport {
                delta: None,
                aligned: false,
                apart: false,
                t_sync: None,
                collapsed: self.collapsed,
            };
        };
        let theta = self.config.theta;
        let delta = (master.order.sqrt() - emissary.order.sqrt()).abs();
        let t_sync = (master.t + emissary.t).unscale(R::of(2.0));
        self.dwell(t_sync.norm_sqr());
        SynchronyReport {
            delta: Some(delta),
            aligned: delta <= theta,
            apart: delta > theta + theta,
            t_sync: Some(t_sync),
            collapsed: self.collapsed,
        }
    }

    /// Counts updates running beyond the edge, and changes state at the dwell.
    fn dwell(&mut self, power: R) {
        let beyond = if self.collapsed {
            power < self.config.release * self.config.collapse
        } else {
            power >= self.config.collapse
        };
        self.run = if beyond { self.run + 1 } else { 0 };
        if self.run >= self.config.dwell_ticks {
            self.collapsed = !self.collapsed;
            self.run = 0;
        }
    }

    /// Whether the rhythm is locked.
    pub fn collapsed(&self) -> bool {
        self.collapsed
    }

    /// The thresholds.
    pub fn config(&self) -> &SynchronyConfig<R> {
        &self.config
    }

    /// Resets to not collapsed, without dwell.
    pub fn reset(&mut self) {
        self.collapsed = false;
        self.run = 0;
    }
}

/// A reading of finite numbers whose order has a root.
fn usable<R: Real>(reading: Option<Reading<R>>) -> Option<Reading<R>> {
    reading.filter(|r| r.order >= R::zero() && r.order.is_finite() && r.t.norm_sqr().is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading whose |T| is `re` at every lag, in phase 0 or pi.
    fn reading(re: f64) -> Option<Reading<f64>> {
        Some(Reading {
            order: re * re,
            t: Complex::new(re, 0.0),
        })
    }

    fn synchrony() -> Result<Synchrony<f64>, ConfigError> {
        Synchrony::new(SynchronyConfig::default())
    }

    #[test]
    fn delta_is_classified_as_aligned_neither_or_apart() -> Result<(), ConfigError> {
        // A power of two, so that the edges are exact.
        let config = SynchronyConfig {
            theta: 0.125,
            ..SynchronyConfig::default()
        };
        let mut synchrony = Synchrony::new(config)?;
        for (emissary, aligned, apart) in [
            (0.75, true, false),
            (0.625, true, false),
            (0.875, true, false),
            (0.61, false, false),
            (0.5, false, false),
            (1.0, false, false),
            (0.49, false, true),
        ] {
            let report = synchrony.update(reading(emissary), reading(0.75));
            assert_eq!(
                (report.aligned, report.apart),
                (aligned, apart),
                "{emissary}"
            );
            assert_eq!(report.delta, Some((0.75 - emissary).abs()));
        }
        Ok(())
    }

    #[test]
    fn opposite_phases_are_aligned_but_never_collapse() -> Result<(), ConfigError> {
        let mut synchrony = synchrony()?;
        for _ in 0..10 {
            let report = synchrony.update(reading(1.0), reading(-1.0));
            assert_eq!((report.delta, report.aligned), (Some(0.0), true));
            assert_eq!(report.t_sync, Some(Complex::new(0.0, 0.0)));
            assert!(!report.collapsed);
        }
        Ok(())
    }

    #[test]
    fn delta_is_of_all_lags_and_t_sync_of_the_first() -> Result<(), ConfigError> {
        let mut synchrony = synchrony()?;
        let emissary = Reading {
            order: 0.25,
            t: Complex::new(0.0, 1.0),
        };
        let master = Reading {
            order: 0.81,
            t: Complex::new(1.0, 0.0),
        };
        let report = synchrony.update(Some(emissary), Some(master));
        assert!((report.delta.unwrap_or_default() - 0.4).abs() < 1e-15);
        assert_eq!(report.t_sync, Some(Complex::new(0.5, 0.5)));
        Ok(())
    }

    /// `collapsed` after each `T_sync` = sqrt(power) of `powers`.
    fn collapse<const K: usize>(powers: [f64; K]) -> Result<[bool; K], ConfigError> {
        let mut synchrony = synchrony()?;
        Ok(powers.map(|p| {
            synchrony
                .update(reading(p.sqrt()), reading(p.sqrt()))
                .collapsed
        }))
    }

    #[test]
    fn collapse_and_release_wait_for_the_dwell() -> Result<(), ConfigError> {
        // I_c = 0.8 and h I_c = 0.72: an interruption starts the count again, at both edges.
        let powers = [
            0.81, 0.81, 0.79, 0.81, 0.81, 0.81, 0.71, 0.71, 0.73, 0.71, 0.71, 0.71, 0.79,
        ];
        let expected = [
            false, false, false, false, false, true, true, true, true, true, true, false, false,
        ];
        assert_eq!(collapse(powers)?, expected);
        Ok(())
    }

    #[test]
    fn collapsed_is_held_between_the_thresholds() -> Result<(), ConfigError> {
        assert_eq!(collapse([0.75; 9])?, [false; 9]);
        let mut powers = [0.75; 9];
        powers[..3].fill(0.9);
        assert_eq!(collapse(powers)?[2..], [true; 7]);
        Ok(())
    }

    #[test]
    fn the_collapse_edge_is_included_and_the_release_edge_is_not() -> Result<(), ConfigError> {
        // Exact binary numbers: |T|^2 = 1/4 = I_c; h I_c = 1/16, |T| = 1/4.
        let config = SynchronyConfig {
            theta: 0.1,
            collapse: 0.25,
            release: 0.25,
            dwell_ticks: 1,
        };
        let mut synchrony = Synchrony::new(config)?;
        assert!(synchrony.update(reading(0.5), reading(0.5)).collapsed);
        assert!(synchrony.update(reading(0.25), reading(0.25)).collapsed);
        assert!(!synchrony.update(reading(0.249), reading(0.249)).collapsed);
        assert!(!synchrony.update(reading(0.499), reading(0.499)).collapsed);
        Ok(())
    }

    #[test]
    fn without_a_value_collapse_is_held_and_the_dwell_starts_again() -> Result<(), ConfigError> {
        let broken = Some(Reading {
            order: f64::NAN,
            t: Complex::new(1.0, 0.0),
        });
        for nothing in [None, broken] {
            let mut synchrony = synchrony()?;
            let mut update = |e, m| synchrony.update(e, m);
            update(reading(1.0), reading(1.0));
            update(reading(1.0), reading(1.0));
            let report = update(nothing, reading(1.0));
            assert_eq!((report.delta, report.t_sync), (None, None));
            assert!(!report.aligned && !report.apart && !report.collapsed);
            assert!(!update(reading(1.0), reading(1.0)).collapsed);
            assert!(!update(reading(1.0), reading(1.0)).collapsed);
            assert!(update(reading(1.0), reading(1.0)).collapsed);
            assert!(update(reading(1.0), nothing).collapsed);
            assert!(update(reading(0.0), reading(0.0)).collapsed);
            assert!(update(reading(0.0), reading(0.0)).collapsed);
            assert!(!update(reading(0.0), reading(0.0)).collapsed);
        }
        Ok(())
    }

    #[test]
    fn each_threshold_is_checked() {
        let good = SynchronyConfig::<f64>::default();
        for config in [
            SynchronyConfig {
                theta: -0.1,
                ..good
            },
            SynchronyConfig {
                theta: f64::NAN,
                ..good
            },
            SynchronyConfig {
                collapse: 0.0,
                ..good
            },
            SynchronyConfig {
                collapse: 1.1,
                ..good
            },
            SynchronyConfig {
                release: 0.0,
                ..good
            },
            SynchronyConfig {
                release: f64::NAN,
                ..good
            },
            SynchronyConfig {
                dwell_ticks: 0,
                ..good
            },
        ] {
            assert!(Synchrony::new(config).is_err(), "{config:?}");
        }
    }
}
