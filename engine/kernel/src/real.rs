//! [`Real`]: the two float types of the kernel, with their constants.
//!
//! ```text
//! sum <- lam sum + (1 - lam) x,   lam = e^{-dt/T_w}
//!
//! 1 - lam     1e-1   1e-2   1e-3   1e-4   1e-5   1e-6   1e-7    ..    1e-15   1e-16
//! f32         |------ exact to its rounding ------|- coarse -|  stalls: x no longer moves the sum
//! f64         |----------------------------------------------------------------------|  stalls
//! ```

use core::fmt::Debug;

use num_complex::Complex;
use num_traits::{Float, FloatConst, NumAssign};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A float of the kernel: `f32` or `f64`, and no other type.
///
/// `f32` halves the memory. Its exponential averages stall when a window holds more than some
/// 10^6 samples, because one sample's share is then near the rounding of the sum; take `f64`
/// for windows beyond 10^5 samples.
///
/// ```
/// use becomingone_kernel::{Real, Resonance, ResonanceConfig};
///
/// /// The same code for both floats: T of a tone at one lag.
/// fn t<R: Real>(angle: f64) -> Option<f64> {
///     let config = ResonanceConfig::<R, 1, 1>::new(1, R::one(), [1]);
///     let mut resonance = Resonance::<R, 1, 1, 2>::new(config).ok()?;
///     for k in 0..100 {
///         resonance.push(&[Some(R::turn(R::of(angle * f64::from(k))))], R::of(0.02));
///     }
///     Some(resonance.t(0)?.im.into())
/// }
/// assert!(t::<f64>(0.5).is_some_and(|t| (t - 0.5_f64.sin()).abs() < 1e-12));
/// assert!(t::<f32>(0.5).is_some_and(|t| (t - 0.5_f64.sin()).abs() < 1e-5));
/// ```
pub trait Real:
    Float
    + FloatConst
    + NumAssign
    + Default
    + Debug
    + Into<f64>
    + Send
    + Sync
    + 'static
    + sealed::Sealed
{
    /// Mean power below which T has no value: far below any signal, far above the smallest
    /// normal number, where quotients lose their digits.
    const MIN_POWER: Self;

    /// Largest |d|^2 that may enter a sum: products of two such values, and sums of those,
    /// stay finite.
    const MAX_POWER: Self;

    /// The nearest value to `x`.
    fn of(x: f64) -> Self;

    /// (e^-x, 1 - e^-x) for x >= 0: the weight of the past, and that of the new sample.
    ///
    /// The second is not computed as one minus the first, which has no precision for small x.
    fn decay(x: Self) -> (Self, Self);

    /// e^-x for x >= 0: the weight of the past.
    fn remaining(x: Self) -> Self;

    /// e^{i angle}, `angle` in radians. NaN for an infinite angle.
    fn turn(angle_rad: Self) -> Complex<Self>;

    /// |z| without overflow.
    fn modulus(z: Complex<Self>) -> Self;
}

/// The nearest value in another float.
pub(crate) fn to<R: Real, S: Real>(x: R) -> S {
    S::of(x.into())
}

// `Float`'s own functions come from std wherever another crate enables that, and std's bits depend on the
// machine. These are always libm's.

impl Real for f32 {
    const MIN_POWER: Self = 1.0e-30;
    const MAX_POWER: Self = 1.0e36;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is the purpose"
    )]
    #[inline]
    fn of(x: f64) -> Self {
        x as Self
    }

    #[inline]
    fn decay(x: Self) -> (Self, Self) {
        (Self::remaining(x), -libm::expm1f(-x))
    }

    #[inline]
    fn remaining(x: Self) -> Self {
        libm::expf(-x)
    }

    #[inline]
    fn turn(angle_rad: Self) -> Complex<Self> {
        let (sin, cos) = libm::sincosf(angle_rad);
        Complex::new(cos, sin)
    }

    #[inline]
    fn modulus(z: Complex<Self>) -> Self {
        libm::hypotf(z.re, z.im)
    }
}

impl Real for f64 {
    const MIN_POWER: Self = 1.0e-200;
    const MAX_POWER: Self = 1.0e300;

    #[inline]
    fn of(x: f64) -> Self {
        x
    }

    #[inline]
    fn decay(x: Self) -> (Self, Self) {
        (Self::remaining(x), -libm::expm1(-x))
    }

    #[inline]
    fn remaining(x: Self) -> Self {
        libm::exp(-x)
    }

    #[inline]
    fn turn(angle_rad: Self) -> Complex<Self> {
        let (sin, cos) = libm::sincos(angle_rad);
        Complex::new(cos, sin)
    }

    #[inline]
    fn modulus(z: Complex<Self>) -> Self {
        libm::hypot(z.re, z.im)
    }
}

#[cfg(test)]
mod tests {
    use super::Real;

    #[test]
    fn decay_keeps_its_digits_for_short_steps() {
        // 1 us in a window of an hour: 1 - e^-x = x - x^2/2 + ...
        let x = 1.0e-6 / 3600.0;
        let (past, new) = <f64 as Real>::decay(x);
        assert!(past < 1.0);
        assert!((new / (x - x * x / 2.0) - 1.0).abs() < 1e-15);
        let (_, new) = <f32 as Real>::decay(1.0e-9);
        assert!((new / 1.0e-9 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn full_decay_leaves_only_the_new_sample() {
        assert_eq!(<f64 as Real>::decay(f64::INFINITY), (0.0, 1.0));
        assert_eq!(<f32 as Real>::decay(0.0), (1.0, 0.0));
    }
}
