//! [`Signature`]: dimensionless features of an event, and the distance of two of them.
//!
//! Three parts, each a squared distance from 0 to 1, with T at the L lags of both transducers
//! and the unit phases z of the n channels that both signatures have:
//!
//! ```text
//! now      mean over lags of |E_a - E_b|^2 / 4        the Emissary's T: the rhythm of this moment
//! past     mean over lags of |M_a - M_b|^2 / 4        the Master's T: the background
//! pattern  1 - |sum conj(z_a) z_b|^2 / n^2            phase offsets within the common rhythm
//!
//! D^2 = (2 now + past + w pattern) / (2 + 1 + w),     w = the lesser of the Emissaries' orders
//! ```
//!
//! ```text
//! a   phases  /  |  \     T_E  -> -> ->     T_M  -> -> ->       D = 0: the same, at any moment of the period
//! b   phases  \  -  |     T_E  -> -> ->     T_M  -> -> ->       only the pattern differs: another gait
//! c   phases  /  |  \     T_E  <- <- <-     T_M  -> -> ->       now differs: the rhythm reversed
//! ```
//!
//! T carries the angle by which the rhythm turns in a lag, so that two speeds differ, and two directions. Two
//! tones that are f apart, with both windows full of them, have `D^2 = mean over lags of sin^2(pi f tau)`,
//! weighted 3 to w with the pattern, which is 0 for a single channel. The pattern is invariant under a rotation
//! common to all channels (Fubini-Study), as the moment within a period carries no information; and phases are
//! a pattern only while a rhythm persists, hence w. Lags count samples and T has no unit: the same event at
//! another time scale has the same signature.

use num_complex::Complex;

use crate::stored::{Eye, Pen};
use crate::{Pair, Real, Role, Stored, Transducer};

/// Features of an event: phases of up to `N` channels, and T at `L` lags, fast and slow.
///
/// ```
/// use becomingone_kernel::{DEFAULT_LAGS, Role, Signature, Transducer, encode_angle};
///
/// /// Two legs that are `apart` in phase, after two seconds of walking.
/// fn gait(apart: f64) -> Result<Signature<f64, 2, 3>, becomingone_kernel::ConfigError> {
///     let mut emissary = Transducer::<f64, 2, 3, 5>::new(Role::Emissary, 2, DEFAULT_LAGS)?;
///     let mut master = Transducer::<f64, 2, 3, 5>::new(Role::Master, 2, DEFAULT_LAGS)?;
///     let mut legs = [None; 2];
///     for k in 0..100 {
///         let theta = 0.2 * f64::from(k);
///         legs = [Some(encode_angle(theta)), Some(encode_angle(theta + apart))];
///         emissary.push(&legs, 0.02);
///         master.push(&legs, 0.02);
///     }
///     Ok(Signature::of(&legs, &emissary, &master))
/// }
/// let (walk, bound) = (gait(core::f64::consts::PI)?, gait(0.0)?);
/// assert!(walk.distance(&gait(core::f64::consts::PI)?) < 1e-6);
/// // Legs in opposite phase against legs in phase: the pattern is as far as it can be, 1 of 4 parts.
/// assert!((walk.distance(&bound) - 0.5).abs() < 1e-6);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signature<R, const N: usize, const L: usize> {
    phases: [Option<Complex<R>>; N],
    emissary: Option<[Complex<R>; L]>,
    master: Option<[Complex<R>; L]>,
}

impl<R: Real, const N: usize, const L: usize> Signature<R, N, L> {
    /// The current signature. A phase that is zero or not finite is missing.
    pub fn of<const RING: usize>(
        phi: &[Option<Complex<R>>],
        emissary: &Transducer<R, N, L, RING>,
        master: &Transducer<R, N, L, RING>,
    ) -> Self {
        let [emissary, master] = [emissary, master].map(|t| t.resonance().all_t());
        Self::of_t(phi, emissary, master)
    }

    /// The same from a [`Pair`].
    pub fn of_pair<const RING: usize>(
        phi: &[Option<Complex<R>>],
        pair: &Pair<R, N, L, RING>,
    ) -> Self {
        Self::of_t(phi, pair.all_t(Role::Emissary), pair.all_t(Role::Master))
    }

    /// The same from stored T of both at every lag.
    pub fn of_t(
        phi: &[Option<Complex<R>>],
        emissary: Option<[Complex<R>; L]>,
        master: Option<[Complex<R>; L]>,
    ) -> Self {
        let mut phases = [None; N];
        for (phase, z) in phases.iter_mut().zip(phi) {
            *phase = z.and_then(unit);
        }
        Self {
            phases,
            emissary,
            master,
        }
    }

    /// Mean of the Emissary's `|T|^2` over the lags; none unless every lag had a value.
    pub fn order(&self) -> Option<R> {
        self.emissary.as_ref().map(order)
    }

    /// `| |T_M| - |T_E| |`, as [`Synchrony`](crate::Synchrony) has it; none unless both had a
    /// value.
    pub fn delta(&self) -> Option<R> {
        let [e, m] = [self.emissary?, self.master?].map(|t| order(&t).sqrt());
        Some((m - e).abs())
    }

    /// Distance of two signatures: 0 for equal ones, at most 1, symmetric.
    ///
    /// A part that only one of them has counts as 1, one that neither has is left out; without any part the
    /// distance is 1. It is not a metric: w depends on the pair.
    pub fn distance(&self, other: &Self) -> R {
        let (one, two) = (R::one(), R::one() + R::one());
        let mut sum = R::zero();
        let mut weights = R::zero();
        for (weight, a, b) in [
            (two, &self.emissary, &other.emissary),
            (one, &self.master, &other.master),
        ] {
            let part = match (a, b) {
                (Some(a), Some(b)) => apart(a, b),
                (None, None) => continue,
                _ => one,
            };
            sum += weight * part;
            weights += weight;
        }
        if let (Some(a), Some(b)) = (self.order(), other.order())
            && let Some(part) = self.pattern(other)
        {
            let weight = a.min(b);
            sum += weight * part;
            weights += weight;
        }
        if weights > R::zero() {
            (sum / weights).sqrt().min(one)
        } else {
            one
        }
    }

    /// `1 - |<z_a, z_b>|^2` over the channels that both have; none for fewer than two.
    fn pattern(&self, other: &Self) -> Option<R> {
        let mut overlap = Complex::new(R::zero(), R::zero());
        let mut channels = R::zero();
        for pair in self.phases.iter().zip(&other.phases) {
            if let (Some(a), Some(b)) = pair {
                overlap += a.conj() * *b;
                channels += R::one();
            }
        }
        (channels > R::one()).then(|| {
            let overlap = overlap.norm_sqr() / (channels * channels);
            (R::one() - overlap).max(R::zero())
        })
    }
}

/// A flag and a complex number for each phase; a flag and L complex numbers for each transducer.
impl<R: Real, const N: usize, const L: usize> Stored for Signature<R, N, L> {
    fn size(&self) -> usize {
        N * (1 + 16) + 2 * (1 + L * 16)
    }

    fn write(&self, into: &mut [u8]) {
        let mut pen = Pen(into);
        let nothing = Complex::new(R::zero(), R::zero());
        for phase in &self.phases {
            pen.put([u8::from(phase.is_some())]);
            pen.complex(phase.unwrap_or(nothing));
        }
        for all in [&self.emissary, &self.master] {
            pen.put([u8::from(all.is_some())]);
            for t in all.unwrap_or([nothing; L]) {
                pen.complex(t);
            }
        }
    }

    fn read(from: &[u8]) -> Option<Self> {
        let mut eye = Eye(from);
        let zero = Complex::new(R::zero(), R::zero());
        let mut phases = [None; N];
        for phase in &mut phases {
            let there = mark(&mut eye)?;
            let z: Complex<R> = eye.complex()?;
            // As `unit` returns them.
            let usable = (z.norm_sqr() - R::one()).abs() < R::of(0.01);
            *phase = match (there, usable) {
                (true, true) => Some(z),
                (true, false) => return None,
                (false, _) => None,
            };
        }
        let mut transducers = [None; 2];
        for all in &mut transducers {
            let there = mark(&mut eye)?;
            let mut read = [zero; L];
            for t in &mut read {
                *t = eye
                    .complex()
                    .filter(|t: &Complex<R>| t.norm_sqr() <= R::one())?;
            }
            *all = there.then_some(read);
        }
        let [emissary, master] = transducers;
        eye.0.is_empty().then_some(Self {
            phases,
            emissary,
            master,
        })
    }
}

fn mark(eye: &mut Eye<'_>) -> Option<bool> {
    match eye.get()? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// z/|z|.
fn unit<R: Real>(z: Complex<R>) -> Option<Complex<R>> {
    let length = R::modulus(z);
    let usable = length > R::zero() && length.is_finite();
    // For a subnormal z the quotient loses precision, and may overflow.
    let unit = Complex::new(z.re / length, z.im / length);
    (usable && (unit.norm_sqr() - R::one()).abs() < R::of(0.01)).then_some(unit)
}

fn mean<R: Real, const L: usize>(terms: impl Iterator<Item = R>) -> R {
    terms.fold(R::zero(), |sum, x| sum + x) / R::of(L as f64)
}

fn order<R: Real, const L: usize>(t: &[Complex<R>; L]) -> R {
    mean::<R, L>(t.iter().map(Complex::norm_sqr)).min(R::one())
}

/// The squared distance of two T, 0 to 1.
fn apart<R: Real, const L: usize>(a: &[Complex<R>; L], b: &[Complex<R>; L]) -> R {
    mean::<R, L>(
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).norm_sqr() / R::of(4.0)),
    )
}
