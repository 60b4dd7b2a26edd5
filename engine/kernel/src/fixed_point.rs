//! W = G\[W\] as an iteration: [`StateWitness`] and [`ParameterWitness`], two maps that contract.
//!
//! ```text
//! state        s <- (1 - a) s + a x,  a = 1 - e^{-dt/T_reg}          s* = x
//! parameters   W <- G[W] = W - mu ((Rxx + g I) W - Rxy)               W* = (Rxx + g I)^-1 Rxy
//!
//! |G[V] - G[W]| <= q |V - W|,   |W - W*| <= |G[W] - W| / (1 - q),   W* drifting by delta a step: <= q delta/(1 - q)
//! ```
//!
//! ```text
//! residual |G[W] - W|
//!  |*
//!  |  *               each step brings W nearer by q at least, so the residual bounds the distance:
//!  |     *            a step's length, and q of it, and q^2 of it, ..: r (1 + q + q^2 + ..) = r/(1 - q)
//!  |         *
//!  |               *
//!  +--------------------*--------------*---> W*
//! ```
//!
//! The first forgets its past by `e^{-dt/T_reg}` a step. The second is a contraction for
//! `0 < mu < 2/(e_max + g)`, with e the eigenvalues of Rxx; its unique fixed point (Banach) is ridge
//! regression. The best step, `mu = 2/(e_max + e_min + 2 g)`, gives `q = (kappa - 1)/(kappa + 1)`,
//! `kappa = (e_max + g)/(e_min + g)`.
//!
//! [`SelfModel`](crate::SelfModel) takes neither: it solves for W* once and keeps it, because a witness
//! that keeps adapting absorbs the fault that it should detect. These are for other uses: a plant
//! that is known to drift, a check of how far any W is from its fixed point without solving for it.

use crate::{ConfigError, Real};

/// State estimate that relaxes towards its input.
///
/// ```
/// use becomingone_kernel::StateWitness;
///
/// let mut witness = StateWitness::<f64, 1>::new(2.0)?;
/// for _ in 0..100 {
///     witness.push(&[3.0], 0.5);
/// }
/// assert!((witness.state()[0] - 3.0).abs() < 1e-9);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StateWitness<R, const N: usize> {
    time_s: R,
    state: [R; N],
}

impl<R: Real, const N: usize> StateWitness<R, N> {
    /// A zero state with the time constant `time_s` in seconds.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Window`] unless the time is positive and finite.
    pub fn new(time_s: R) -> Result<Self, ConfigError> {
        let usable = time_s > R::zero() && time_s.is_finite();
        if !usable {
            return Err(ConfigError::Window {
                window_s: time_s.into(),
            });
        }
        Ok(Self {
            time_s,
            state: [R::zero(); N],
        })
    }

    /// One step of `dt_s` seconds towards x. Values that are not finite are skipped; a step that is not
    /// positive and finite has no effect.
    pub fn push(&mut self, x: &[R; N], dt_s: R) {
        let usable = dt_s > R::zero() && dt_s.is_finite();
        if !usable {
            return;
        }
        let (kept, gain) = R::decay(dt_s / self.time_s);
        for (state, &x) in self.state.iter_mut().zip(x) {
            let next = kept * *state + gain * x;
            if next.is_finite() {
                *state = next;
            }
        }
    }

    /// s, in the unit of the input.
    pub fn state(&self) -> &[R; N] {
        &self.state
    }
}

/// Parameters that converge to the ridge regression of given moments.
///
/// ```
/// use becomingone_kernel::ParameterWitness;
///
/// // Rxx has eigenvalues 1 and 4; W* = (Rxx + g I)^-1 Rxy.
/// let (rxx, rxy) = ([[4.0, 0.0], [0.0, 1.0]], [9.0, 3.0]);
/// let mut witness = ParameterWitness::<f64, 2>::new(0.5, 1.0, 4.0)?;
/// let mut residual = f64::MAX;
/// while witness.distance(residual) > 1e-9 {
///     residual = witness.push(&rxx, &rxy);
/// }
/// assert!((witness.weights()[0] - 9.0 / 4.5).abs() < 1e-9);
/// assert!((witness.weights()[1] - 3.0 / 1.5).abs() < 1e-9);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterWitness<R, const D: usize> {
    ridge: R,
    step: R,
    factor: R,
    weights: [R; D],
}

impl<R: Real, const D: usize> ParameterWitness<R, D> {
    /// Weights of zero, with the best step for moments whose eigenvalues lie between `least` and `most`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SelfModel`] unless 0 <= least <= most, 0 < ridge, and all are finite, half of their sum and the
    /// step that is one over it included.
    pub fn new(ridge: R, least: R, most: R) -> Result<Self, ConfigError> {
        let zero = R::zero();
        for (name, value, usable) in [
            ("ridge weight", ridge, ridge > zero),
            ("least eigenvalue", least, least >= zero),
            ("largest eigenvalue", most, most >= least),
        ] {
            if !(usable && value.is_finite()) {
                return Err(ConfigError::SelfModel {
                    name,
                    value: value.into(),
                });
            }
        }
        let half = R::of(0.5);
        let middle = half * most + half * least + ridge;
        let step = R::one() / middle;
        if !(step.is_finite() && middle.is_finite()) {
            return Err(ConfigError::SelfModel {
                name: "middle eigenvalue",
                value: middle.into(),
            });
        }
        Ok(Self {
            ridge,
            step,
            // (kappa - 1)/(kappa + 1), without a kappa that may be infinite.
            factor: (half * most - half * least) / middle,
            weights: [zero; D],
        })
    }

    /// Steps W <- G\[W\]. Returns the residual |G\[W\] - W| before the step.
    pub fn push(&mut self, rxx: &[[R; D]; D], rxy: &[R; D]) -> R {
        let mut next = self.weights;
        let mut square = R::zero();
        for ((next, row), &xy) in next.iter_mut().zip(rxx).zip(rxy) {
            let mut gradient = self.ridge * *next - xy;
            for (&xx, &w) in row.iter().zip(&self.weights) {
                gradient += xx * w;
            }
            let move_by = self.step * gradient;
            *next -= move_by;
            square += move_by * move_by;
        }
        if next.iter().all(|w| w.is_finite()) {
            self.weights = next;
        }
        square.sqrt()
    }

    /// W.
    pub fn weights(&self) -> &[R; D] {
        &self.weights
    }

    /// Contraction factor q of a step.
    pub fn factor(&self) -> R {
        self.factor
    }

    /// Upper bound of |W - W*| after a step with this residual: q residual/(1 - q).
    pub fn distance(&self, residual: R) -> R {
        self.factor * residual / (R::one() - self.factor)
    }
}
