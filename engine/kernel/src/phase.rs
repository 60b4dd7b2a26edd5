//! From readings to phase velocity: encoders make phi, [`PhaseVelocity`] makes phi'.
//!
//! ```text
//! phi'_k = d_k = (phi_k - phi_{k-1})/dt
//!
//!        Im
//!         |    * phi_k           a rotor turns by the same angle each step: d has constant length
//!         |   / ^                and turns with it, so the angle of d now to d then is constant: |T| = 1
//!         |  /   \ d dt
//!         | /     \              for noise the angle of d is random: T is near 0
//!         |/ - - - * phi_{k-1}
//!         +------------ Re
//! ```
//!
//! | reading | phi | by |
//! |---|---|---|
//! | complex | itself | nothing to do |
//! | angle theta | e^{i theta} | [`encode_angle`] |
//! | real scalar x | (x - mean)/sd, so its phase is 0 or pi | [`Standard::encode`] |
//!
//! Encoders do not validate: a broken reading stays broken (NaN or infinite) until the first check,
//! [`PhaseVelocity::push`] or [`Resonance::push`](crate::Resonance::push), which counts it and treats it as
//! missing. So each broken reading is counted once.

use num_complex::Complex;

use crate::{ConfigError, Real};

/// Largest |phi| that [`PhaseVelocity`] takes: a million standard deviations are a broken
/// sensor, not a movement.
pub const MAX_PHI: f64 = 1.0e6;

/// The angle `theta_rad` (radians, any number of turns) as e^{i theta}.
///
/// ```
/// use becomingone_kernel::encode_angle;
///
/// let quarter = encode_angle(core::f64::consts::FRAC_PI_2);
/// assert!(quarter.re.abs() < 1e-15 && quarter.im == 1.0);
/// ```
pub fn encode_angle<R: Real>(theta_rad: R) -> Complex<R> {
    R::turn(theta_rad)
}

/// The scale of one real channel: its mean and standard deviation while healthy.
///
/// ```
/// use becomingone_kernel::Standard;
///
/// // A thermometer at 20 C, give or take half a degree: 21 C is two deviations off.
/// let scale = Standard::new(20.0, 0.5)?;
/// assert_eq!(scale.encode(21.0).re, 2.0);
/// // A constant channel has a deviation of 1 in its own unit.
/// assert!(Standard::new(20.0, 0.0)?.is_constant());
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standard<R> {
    mean: R,
    sd: R,
    constant: bool,
}

impl<R: Real> Standard<R> {
    /// A scale from `mean` and `sd`, both in the channel's unit.
    ///
    /// A channel whose `sd` is no more than the rounding of its mean is constant. It gets an sd of 1 and
    /// [`is_constant`](Self::is_constant) is true.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Standard`] if either is NaN or infinite, or `sd` is negative.
    pub fn new(mean: R, sd: R) -> Result<Self, ConfigError> {
        let usable = mean.is_finite() && sd.is_finite() && sd >= R::zero();
        if !usable {
            return Err(ConfigError::Standard {
                mean: mean.into(),
                sd: sd.into(),
            });
        }
        // Eight roundings: the largest error of a mean and a squared deviation of equal readings.
        let constant = sd <= R::of(8.0) * R::epsilon() * mean.abs();
        Ok(Self {
            mean,
            sd: if constant { R::one() } else { sd },
            constant,
        })
    }

    /// (x - mean)/sd, dimensionless, as a real number.
    pub fn encode(&self, x: R) -> Complex<R> {
        Complex::new((x - self.mean) / self.sd, R::zero())
    }

    /// The mean, in the channel's unit.
    pub fn mean(&self) -> R {
        self.mean
    }

    /// The standard deviation in the channel's unit; 1 for a constant channel.
    pub fn sd(&self) -> R {
        self.sd
    }

    /// Whether the channel was constant while its scale was measured.
    pub fn is_constant(&self) -> bool {
        self.constant
    }
}

/// First differences: `d_k = (phi_k - phi_{k-1}) / dt`, per channel, in 1/s.
///
/// A missing sample leaves two differences missing, its own and the next. So does a broken one: NaN, infinite,
/// or above [`MAX_PHI`].
///
/// `N` is the capacity in channels; work is done for the active ones only.
///
/// ```
/// use becomingone_kernel::{Complex, PhaseVelocity};
///
/// let phi = [1.0, 1.5, 1.0].map(|x| Some(Complex::new(x, 0.0)));
/// let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
/// assert_eq!(velocity.push(&phi[..1], 0.5), [None]);
/// assert_eq!(velocity.push(&phi[1..2], 0.5), [Some(Complex::new(1.0, 0.0))]);
/// assert_eq!(velocity.push(&phi[2..], 0.25), [Some(Complex::new(-2.0, 0.0))]);
/// # Ok::<(), becomingone_kernel::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct PhaseVelocity<R, const N: usize> {
    channels: usize,
    previous: [Option<Complex<R>>; N],
    velocity: [Option<Complex<R>>; N],
    non_finite: u64,
    dropped: u64,
}

impl<R: Real, const N: usize> PhaseVelocity<R, N> {
    /// A feeder of `channels` channels before its first sample.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Channels`] unless 1 <= `channels` <= `N`.
    pub fn new(channels: usize) -> Result<Self, ConfigError> {
        if channels == 0 || channels > N {
            return Err(ConfigError::Channels {
                channels,
                capacity: N,
            });
        }
        Ok(Self {
            channels,
            previous: [None; N],
            velocity: [None; N],
            non_finite: 0,
            dropped: 0,
        })
    }

    /// Processes one sample of every channel and returns the difference to the one before it, in 1/s.
    ///
    /// `phi` holds one entry per channel: `None` is missing. Channels beyond its end are missing;
    /// entries beyond [`channels`](Self::channels) are not read. `dt_s` is the time since the
    /// last accepted push, in seconds; on the first push it is not used, but must be valid.
    ///
    /// A step so short that the square of a difference is above [`Real::MAX_POWER`] leaves that difference
    /// missing, and counts it as broken.
    ///
    /// With `dt_s` zero, negative, infinite or NaN the push is dropped and counted: all
    /// differences are missing, and the next one reaches back to the last accepted push.
    pub fn push(&mut self, phi: &[Option<Complex<R>>], dt_s: R) -> &[Option<Complex<R>>] {
        let usable = dt_s > R::zero() && dt_s.is_finite();
        if !usable {
            self.dropped += 1;
            self.velocity = [None; N];
            return self.velocity.get(..self.channels).unwrap_or_default();
        }
        let limit = R::of(MAX_PHI);
        let channels = self
            .previous
            .iter_mut()
            .zip(&mut self.velocity)
            .take(self.channels);
        for (n, (previous, velocity)) in channels.enumerate() {
            let now = phi.get(n).copied().flatten();
            // The comparison is false for NaN.
            let whole = now.filter(|z| z.norm_sqr() <= limit * limit);
            if now.is_some() && whole.is_none() {
                self.non_finite += 1;
            }
            let difference = whole
                .zip(*previous)
                .map(|(now, before)| (now - before).unscale(dt_s));
            *velocity = difference.filter(|d| d.norm_sqr() <= R::MAX_POWER);
            if difference.is_some() && velocity.is_none() {
                self.non_finite += 1;
            }
            *previous = whole;
        }
        self.velocity.get(..self.channels).unwrap_or_default()
    }

    /// Active channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples that were present but NaN, infinite or above [`MAX_PHI`], and differences too large to square.
    pub fn non_finite(&self) -> u64 {
        self.non_finite
    }

    /// Pushes whose `dt_s` was not a positive finite number.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Resets to the state after [`new`](Self::new), counters included.
    pub fn reset(&mut self) {
        self.previous = [None; N];
        self.velocity = [None; N];
        self.non_finite = 0;
        self.dropped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(x: f64) -> Option<Complex<f64>> {
        Some(Complex::new(x, 0.0))
    }

    #[test]
    fn a_standard_score_has_the_unit_of_the_deviation() -> Result<(), ConfigError> {
        let standard = Standard::new(20.0, 0.5)?;
        assert_eq!(standard.encode(21.0), Complex::new(2.0, 0.0));
        assert!(!standard.is_constant());
        Ok(())
    }

    #[test]
    fn a_constant_channel_gets_a_deviation_of_one() -> Result<(), ConfigError> {
        for sd in [0.0, 2.0e-13] {
            let standard = Standard::new(1000.1, sd)?;
            assert!(standard.is_constant());
            assert_eq!(standard.sd(), 1.0);
            assert_eq!(standard.encode(1000.1), Complex::new(0.0, 0.0));
        }
        Ok(())
    }

    #[test]
    fn an_unusable_scale_is_refused() {
        for (mean, sd) in [
            (f64::NAN, 1.0),
            (0.0, -1.0),
            (0.0, f64::INFINITY),
            (0.0, f64::NAN),
        ] {
            assert!(Standard::new(mean, sd).is_err());
        }
    }

    #[test]
    fn the_difference_is_per_second() -> Result<(), ConfigError> {
        let mut feeder = PhaseVelocity::<f64, 4>::new(2)?;
        assert_eq!(feeder.push(&[real(1.0), real(2.0)], 0.5), [None, None]);
        assert_eq!(
            feeder.push(&[real(2.0), real(1.5)], 0.5),
            [real(2.0), real(-1.0)]
        );
        Ok(())
    }

    #[test]
    fn a_missing_sample_leaves_two_differences_missing() -> Result<(), ConfigError> {
        let mut feeder = PhaseVelocity::<f64, 1>::new(1)?;
        let phi = [real(0.0), real(1.0), None, real(3.0), real(4.0)];
        let d = phi.map(|z| feeder.push(&[z], 1.0).first().copied().flatten());
        assert_eq!(d, [None, real(1.0), None, None, real(1.0)]);
        Ok(())
    }

    #[test]
    fn a_broken_sample_is_missing_and_counted() -> Result<(), ConfigError> {
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.1e6, -1e300] {
            let mut feeder = PhaseVelocity::<f64, 1>::new(1)?;
            for x in [0.0, broken, 2.0] {
                assert_eq!(feeder.push(&[real(x)], 1.0), [None]);
            }
            assert_eq!(feeder.push(&[real(3.0)], 1.0), [real(1.0)]);
            assert_eq!(feeder.non_finite(), 1);
        }
        Ok(())
    }

    #[test]
    fn an_invalid_time_step_changes_only_the_counter() -> Result<(), ConfigError> {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut feeder = PhaseVelocity::<f64, 1>::new(1)?;
            feeder.push(&[real(1.0)], 1.0);
            assert_eq!(feeder.push(&[real(50.0)], bad), [None]);
            assert_eq!(feeder.push(&[real(3.0)], 1.0), [real(2.0)]);
            assert_eq!(feeder.dropped(), 1);
        }
        Ok(())
    }

    #[test]
    fn slices_shorter_and_longer_than_the_channels_are_accepted() -> Result<(), ConfigError> {
        let mut feeder = PhaseVelocity::<f64, 4>::new(2)?;
        feeder.push(&[real(0.0), real(0.0), real(0.0)], 1.0);
        assert_eq!(feeder.push(&[real(1.0)], 1.0), [real(1.0), None]);
        assert!(PhaseVelocity::<f64, 4>::new(5).is_err());
        assert!(PhaseVelocity::<f64, 4>::new(0).is_err());
        Ok(())
    }

    #[test]
    fn a_difference_too_large_to_square_is_missing_and_counted() -> Result<(), ConfigError> {
        let mut feeder = PhaseVelocity::<f32, 1>::new(1)?;
        feeder.push(&[Some(Complex::new(0.0, 0.0))], 1.0);
        // 1e5 over 1e-40 s is infinite in f32.
        assert_eq!(feeder.push(&[Some(Complex::new(1e5, 0.0))], 1e-40), [None]);
        assert_eq!(feeder.non_finite(), 1);
        // The sample itself is valid: the next difference starts from it.
        let one = Complex::new(1.0, 0.0);
        assert_eq!(feeder.push(&[Some(one.scale(1e5 + 1.0))], 1.0), [Some(one)]);
        Ok(())
    }
}
