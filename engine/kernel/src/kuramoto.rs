//! [`Kuramoto`]: coupled oscillators that phase-lock above a critical coupling.
//!
//! ```text
//! theta_i' = omega_i + (K/N) sum_j sin(theta_j - theta_i) = omega_i + K r sin(psi - theta_i)
//! r e^{i psi} = (1/N) sum_j e^{i theta_j}        the mean field, r the order parameter, 0 to 1
//!
//! r                                    frequencies of a Lorentzian of half width g:
//! 1 |                 . - - -            K_c = 2g
//!   |          .                         r   = sqrt(1 - K_c/K) above
//!   |      .                             E r^2 = 1/(N (1 - K/K_c)) below, of random phases
//! 0 |_____.____________________ K
//!        K_c
//! ```
//!
//! Frequencies of a bounded law lock all at once: uniform within g, r jumps from 0 to pi/4 at `K_c` = 4g/pi
//! ([`uniform_order`]).
//!
//! Oscillators are coupled by the mean field alone: its cost is one pass over N, not N^2 pairs, and a node of a
//! mesh needs only the field that it receives ([`turned`]).
//!
//! # The step
//!
//! In a constant field, one oscillator obeys Adler's equation, which has a closed solution: with
//! z = e^{i (theta - psi)} and A = K r it is `z' = i omega z + (A/2)(1 - z^2)`, so z moves by a Moebius map of the unit
//! circle,
//!
//! ```text
//! z(t) = (p z + q)/(conj(q) z + conj(p)),    p = C + i (omega/2) S,  q = (A/2) S
//! C = cosh(l t), S = sinh(l t)/l, l^2 = (A^2 - omega^2)/4          cos, sin where l^2 < 0
//! ```
//!
//! A step advances the field half a step by this map, and then makes the whole step in that field (an
//! exponential midpoint): second order in dt where the field changes, and exact, at any dt, where it is
//! constant. It is constant in the locked state, so in the limit of many oscillators the locked r has no error
//! from the step. A Runge-Kutta step does not offer that: a Lorentzian has a few oscillators that turn by many
//! radians a step, which a polynomial step treats as slow. (Related: Watanabe and Strogatz 1994; Ott
//! and Antonsen 2008.)
//!
//! A field that turns at a steady Omega is constant in a frame that turns with it, so a step is made in such a
//! frame where the caller gives one. A wrong Omega costs accuracy of order (difference times dt)^2, no more.

use num_complex::Complex;

use crate::Real;

/// The mean field r e^{i psi} of phases e^{i theta}: r is the order parameter, psi the common
/// phase.
///
/// Phases need not have length 1; those that are zero or not finite are left out. None where none
/// is left.
///
/// ```
/// use becomingone_kernel::{encode_angle, mean_field};
///
/// let field = mean_field(&[encode_angle(0.0_f64), encode_angle(1.0)]).unwrap_or_default();
/// assert!((field.norm() - 0.5_f64.cos()).abs() < 1e-15);
/// assert!((field.arg() - 0.5).abs() < 1e-15);
/// ```
pub fn mean_field<R: Real>(phases: &[Complex<R>]) -> Option<Complex<R>> {
    mean(phases.iter().filter_map(|&z| unit(z)))
}

fn mean<R: Real>(phases: impl Iterator<Item = Complex<R>>) -> Option<Complex<R>> {
    let zero = R::zero();
    let (mut sum, mut count) = (Complex::new(zero, zero), zero);
    for z in phases {
        sum += z;
        count += R::one();
    }
    (count > zero).then(|| sum.unscale(count))
}

/// z/|z|.
fn unit<R: Real>(z: Complex<R>) -> Option<Complex<R>> {
    let length = z.norm_sqr().sqrt();
    // Where the square underflows, a quotient has no precision. False for NaN.
    let usable = length > R::min_positive_value().sqrt() && length.is_finite();
    usable.then(|| z.unscale(length))
}

/// Advances a phase e^{i theta} by `dt_s` in a constant field: exact.
///
/// `pull` is K times the received mean field, in rad/s. None for a phase that is zero or not
/// finite, and where a number is not finite.
///
/// ```
/// use becomingone_kernel::{Complex, encode_angle, turned};
///
/// // Stronger than its own frequency, a pull holds an oscillator at sin(theta) = omega/A.
/// let held = turned(encode_angle(2.0), 1.0, Complex::new(2.0, 0.0), 60.0).unwrap_or_default();
/// assert!((held - encode_angle(core::f64::consts::FRAC_PI_6)).norm() < 1e-12);
/// ```
pub fn turned<R: Real>(
    phase: Complex<R>,
    omega_rad_s: R,
    pull: Complex<R>,
    dt_s: R,
) -> Option<Complex<R>> {
    let (zero, one, two) = (R::zero(), R::one(), R::one() + R::one());
    let phase = unit(phase)?;
    // Scaled by dt, so that the result has the same bits at any time scale.
    let (w, a) = (omega_rad_s * dt_s / two, pull.scale(dt_s / two));
    let strength = a.norm_sqr();
    let square = strength - w * w;
    let usable = square.is_finite() && w.is_finite();
    if !usable {
        return None;
    }
    // C and S without a common factor: p, q count only as a ratio, and cosh overflows.
    let l = square.abs().sqrt();
    let (c, s) = if l < R::epsilon() {
        (one, one)
    } else if square > zero {
        let (past, gone) = R::decay(l + l);
        ((one + past) / two, gone / (l + l))
    } else {
        let turn = R::turn(l);
        (turn.re, turn.im / l)
    };
    let p = Complex::new(c, w * s);
    // With the pull itself in the place of A, and without turning to psi and back.
    let q = a.scale(s);
    unit((p * phase + q) / (q.conj() * phase + p.conj()))
}

/// Mean-field coupling of all oscillators; the caller keeps phases and frequencies.
///
/// ```
/// use becomingone_kernel::{Kuramoto, encode_angle};
///
/// // Two rotors, 0.2 rad/s apart, lock at a distance of asin(0.2/K).
/// let fleet = Kuramoto { coupling_rad_s: 0.4, frame_rad_s: 1.1 };
/// let mut phases = [encode_angle(0.0), encode_angle(2.0)];
/// for _ in 0..10_000 {
///     fleet.step(&mut phases, &[1.0, 1.2], 0.02);
/// }
/// let apart = (phases[1] * phases[0].conj()).arg();
/// assert!((apart - 0.5_f64.asin()).abs() < 1e-9);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kuramoto<R> {
    /// K in rad/s.
    pub coupling_rad_s: R,
    /// Expected rate of the mean field, rad/s: the mean frequency of the locked oscillators, or 0 if unknown.
    pub frame_rad_s: R,
}

impl<R: Real> Kuramoto<R> {
    /// Rate of an oscillator at `phase` in this field, rad/s: `omega + K r sin(psi - theta)`, as a command for
    /// a body that integrates it, such as a robot. The phase has length 1.
    pub fn rate_rad_s(&self, phase: Complex<R>, omega_rad_s: R, field: Complex<R>) -> R {
        omega_rad_s + self.coupling_rad_s * (field * phase.conj()).im
    }

    /// Advances all oscillators by `dt_s`; returns the mean field in the middle of the step.
    ///
    /// Oscillators without a frequency stay where they are and do not count. So do phases that are
    /// zero or not finite, and frequencies that are not finite. None, and nothing moves, where no
    /// oscillator is left, or where K or `dt_s` is not finite or `dt_s` not positive.
    pub fn step(
        &self,
        phases: &mut [Complex<R>],
        omegas_rad_s: &[R],
        dt_s: R,
    ) -> Option<Complex<R>> {
        let (k, frame) = (self.coupling_rad_s, self.frame_rad_s);
        let turn = R::turn(frame * dt_s);
        let usable = dt_s > R::zero() && dt_s.is_finite() && k.is_finite();
        let usable = usable && turn.norm_sqr().is_finite();
        if !usable {
            return None;
        }
        let whole = |(z, omega): (&Complex<R>, &R)| unit(*z).filter(|_| omega.is_finite());
        let now = mean(phases.iter().zip(omegas_rad_s).filter_map(whole))?.scale(k);
        let half_s = dt_s / (R::one() + R::one());
        let ahead = phases.iter().zip(omegas_rad_s);
        let ahead = ahead.filter_map(|(&z, &omega)| turned(z, omega - frame, now, half_s));
        let middle = mean(ahead)?;
        let pull = middle.scale(k);
        for (z, &omega) in phases.iter_mut().zip(omegas_rad_s) {
            if let Some(moved) = turned(*z, omega - frame, pull, dt_s) {
                *z = moved * turn;
            }
        }
        Some(middle * R::turn(frame * half_s))
    }
}

/// Frequency i of n, of a Lorentzian about 0 of half width `width_rad_s`, at the middle of its n-th
/// part: drawn frequencies scatter r by 1/sqrt(n), these do not.
///
/// `g tan(pi ((i + 1/2)/n - 1/2))`, rad/s.
pub fn lorentzian_quantile<R: Real>(i: usize, n: usize, width_rad_s: R) -> R {
    // (i + 1/2)/n - 1/2 without cancellation, so that i and n - 1 - i are opposite to the last bit.
    let from_middle = (2.0 * i as f64 + 1.0 - n as f64) / (2.0 * n.max(1) as f64);
    width_rad_s * R::of(libm::tan(core::f64::consts::PI * from_middle))
}

/// Frequency i of n, of the uniform law from -g to g, at the middle of its n-th part: `g (2 i + 1 - n)/n`, rad/s.
pub fn uniform_quantile<R: Real>(i: usize, n: usize, half_width_rad_s: R) -> R {
    let from_middle = 2.0 * i as f64 + 1.0 - n as f64;
    half_width_rad_s * R::of(from_middle / n.max(1) as f64)
}

/// Critical coupling of the uniform law from -g to g: `2/(pi p(0)) = 4 g/pi`, rad/s.
pub fn uniform_critical<R: Real>(half_width_rad_s: R) -> R {
    half_width_rad_s.abs() * R::of(4.0) / R::PI()
}

/// r at which frequencies of the uniform law from -g to g are locked; 0 below `K_c = 4 g/pi`, and where a number is
/// not finite.
///
/// All are locked, each at `sin(theta - psi) = omega/(K r)`, so with a = g/(K r)
///
/// ```text
/// r = int sqrt(1 - (omega/(K r))^2) d omega/(2 g) = (sqrt(1 - a^2) + asin(a)/a)/2
/// ```
///
/// and, with a = sin(v/2), `v + sin v = 4 g/K` and `r = (g/K)/sin(v/2)`: one equation, whose left side grows
/// from 0 to pi (Pazo, Phys. Rev. E 72, 046211, 2005).
///
/// ```
/// use becomingone_kernel::{uniform_critical, uniform_order};
///
/// let least = uniform_critical(0.1_f64);
/// assert!((uniform_order(least, 0.1) - core::f64::consts::FRAC_PI_4).abs() < 1e-6);
/// assert_eq!(uniform_order(0.99 * least, 0.1), 0.0);
/// ```
pub fn uniform_order<R: Real>(coupling_rad_s: R, half_width_rad_s: R) -> R {
    let g = half_width_rad_s.abs();
    // False for NaN.
    let locks = coupling_rad_s > R::zero() && coupling_rad_s >= uniform_critical(g);
    if !(locks && coupling_rad_s.is_finite()) {
        return R::zero();
    }
    let share = g / coupling_rad_s;
    if share == R::zero() {
        // All of one frequency are in one phase.
        return R::one();
    }
    let half = R::of(0.5);
    // u = v/2, by halving: Newton's step fails at K_c, where the left side is flat.
    let (mut low, mut high) = (R::zero(), R::FRAC_PI_2());
    loop {
        let u = (low + high) * half;
        if u <= low || u >= high {
            break;
        }
        let turn = R::turn(u);
        if u + turn.im * turn.re < share + share {
            low = u;
        } else {
            high = u;
        }
    }
    (share / R::turn(high).im).min(R::one())
}
