//! Closed forms and invariances beside those of `oracles.rs`: independence of T and verdicts from units, the
//! decay of windows to the last digit, the tolerance of a cycle frequency, and the defaults of the definition.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;

use becomingone_kernel::{
    Complex, DEFAULT_LAGS, EMISSARY_BAND_S, EMISSARY_WINDOW_S, MASTER_BAND_S, MASTER_WINDOW_S,
    MAX_PHI, MIN_N_EFF, PhaseVelocity, Real, Resonance, ResonanceConfig, SelfModelConfig,
    SynchronyConfig, Trainer, Verdict, encode_angle,
};
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;

struct Noise(Pcg64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    fn uniform(&mut self) -> f64 {
        StandardUniform.sample(&mut self.0)
    }
}

// ------------------------------------------------------------------- defaults

#[test]
fn defaults_are_those_of_the_definition() {
    assert_eq!(DEFAULT_LAGS, [1, 2, 4]);
    assert_eq!((EMISSARY_WINDOW_S, MASTER_WINDOW_S), (1.0, 60.0));
    assert_eq!(EMISSARY_BAND_S, [0.01, 1.0]);
    assert_eq!(MASTER_BAND_S, [60.0, 3600.0]);
    assert_eq!((MIN_N_EFF, MAX_PHI), (8.0, 1e6));
    let synchrony = SynchronyConfig::<f64>::default();
    assert_eq!((synchrony.theta, synchrony.collapse), (0.1, 0.8));
    assert_eq!((synchrony.release, synchrony.dwell_ticks), (0.9, 3));
    let model = SelfModelConfig::<f64>::default();
    assert_eq!((model.warm_up_samples, model.dwell_ticks), (400, 3));
    assert_eq!((model.ridge, model.offset_rate), (1.0, 0.0));
    assert_eq!(model.thresholds, None);
}

// ------------------------------------------------------------------- invariances of T

/// T at every lag for the input `gain` d.
fn t_of<R: Real>(gain: Complex<f64>) -> Result<[Complex<R>; 3], Box<dyn Error>> {
    let mut resonance =
        Resonance::<R, 2, 3, 5>::new(ResonanceConfig::new(2, R::of(20.0), DEFAULT_LAGS))?;
    let mut noise = Noise::new(1);
    for k in 0..200_u32 {
        let d = [0.0, 1.0].map(|phase| {
            let z = encode_angle(0.7 * f64::from(k) + phase)
                + Complex::new(noise.normal(), noise.normal()) * 0.5;
            // Rounded before the gain, so that a gain of a power of two is exact.
            let z = Complex::new(R::of(z.re), R::of(z.im))
                * Complex::new(R::of(gain.re), R::of(gain.im));
            (noise.uniform() > 0.2).then_some(z)
        });
        resonance.push(&d, R::one());
    }
    let t = [0, 1, 2].map(|lag| resonance.t(lag));
    Ok([
        t[0].ok_or("none")?,
        t[1].ok_or("none")?,
        t[2].ok_or("none")?,
    ])
}

#[test]
fn t_does_not_depend_on_unit_or_common_phase() -> Checked {
    let one = Complex::new(1.0, 0.0);
    let (wide, narrow) = (t_of::<f64>(one)?, t_of::<f32>(one)?);
    for octave in [-40, -3, 5, 40] {
        let gain = one * 2.0_f64.powi(octave);
        assert_eq!(t_of::<f64>(gain)?, wide, "2^{octave}");
        assert_eq!(t_of::<f32>(gain)?, narrow, "2^{octave}");
    }
    for gain in [
        Complex::new(0.0, 1.0),
        Complex::new(-3.3e7, 1.1e5),
        Complex::new(2e-90, 7e-91),
    ] {
        for (t, expected) in t_of::<f64>(gain)?.iter().zip(wide) {
            assert!((t - expected).norm() < 1e-13, "{gain}: {t} {expected}");
        }
    }
    Ok(())
}

#[test]
fn predicting_the_last_sample_again_is_the_plain_velocity_times_dt() -> Checked {
    // r_k = phi_k - G phi_{k-1}, with G = 1. The step is a power of two, so that dividing by it rounds nothing.
    let dt_s = 1.0 / 64.0;
    let config = ResonanceConfig::<f64, 2, 3>::new(2, 0.5, DEFAULT_LAGS);
    let mut plain = Resonance::<f64, 2, 3, 5>::new(config.clone())?;
    let mut covariant = Resonance::<f64, 2, 3, 5>::new(config)?;
    let mut velocity = PhaseVelocity::<f64, 2>::new(2)?;
    let (mut noise, mut before) = (Noise::new(2), [None; 2]);
    for k in 0..300_u32 {
        let phi = [0.0, 2.0].map(|phase| {
            let z = encode_angle(0.3 * f64::from(k) + phase) + Complex::new(noise.normal(), 0.0);
            (noise.uniform() > 0.1).then_some(z)
        });
        let d = velocity.push(&phi, dt_s);
        let mut r: [Option<Complex<f64>>; 2] = [None; 2];
        for n in 0..2 {
            r[n] = phi[n]
                .zip(before[n])
                .map(|(now, predicted): (Complex<f64>, Complex<f64>)| now - predicted);
            assert_eq!(d[n].map(|d| d * dt_s), r[n], "{k}");
        }
        plain.push(d, dt_s);
        covariant.push(&r, dt_s);
        for lag in 0..3 {
            assert_eq!(plain.t(lag), covariant.t(lag), "{k}");
        }
        before = phi;
    }
    assert!(plain.order().is_some());
    Ok(())
}

/// Verdicts of three sensors, each with its own unit and zero; one freezes.
fn verdicts_in<R: Real>(
    units: [f64; 3],
    zeros: [f64; 3],
) -> Result<Vec<Verdict<R, 3>>, Box<dyn Error>> {
    let mut model = Trainer::<R, 3, 1>::new(SelfModelConfig {
        outputs: 3,
        inputs: 1,
        ..SelfModelConfig::default()
    })?;
    let (mut noise, mut state, mut verdicts) = (Noise::new(3), 0.0, Vec::new());
    for k in 0..900 {
        let u = if k / 30 % 2 == 0 { 1.0 } else { -1.0 };
        state += 0.2 * (u - state) + 0.1 * noise.normal();
        let mut x = [state, 0.5 * state, -state].map(|x| x + 0.1 * noise.normal());
        if k >= 700 {
            x[1] = 0.25;
        }
        let mut outputs = [None; 3];
        for n in 0..3 {
            let missing = k % 17 == 3 * n;
            // Rounded before the unit.
            let rounded: f64 = R::of(x[n]).into();
            outputs[n] = (!missing).then(|| R::of(rounded * units[n] + zeros[n]));
        }
        verdicts.extend(model.push(&outputs, &[Some(R::of(u))], R::one()));
    }
    Ok(verdicts)
}

#[test]
fn verdicts_do_not_depend_on_units_or_zeros() -> Checked {
    let units = [1024.0, 1.0, 2.0_f64.powi(-30)];
    let (wide, narrow) = (
        verdicts_in::<f64>([1.0; 3], [0.0; 3])?,
        verdicts_in::<f32>([1.0; 3], [0.0; 3])?,
    );
    assert!(wide.iter().any(|v| v.dissipated && v.cause == Some(1)));
    // Powers of two, to the last bit; any unit and any zero, to rounding.
    assert_eq!(verdicts_in::<f64>(units, [0.0; 3])?, wide);
    assert_eq!(verdicts_in::<f32>(units, [0.0; 3])?, narrow);
    let other = verdicts_in::<f64>([9.81, 1e-6, -3600.0], [273.15, 1.0, 1e5])?;
    for (k, (a, b)) in other.iter().zip(&wide).enumerate() {
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * b.abs().max(1.0);
        assert!(
            close(a.surprise, b.surprise) && close(a.k2, b.k2) && close(a.k3, b.k3),
            "{k}: {a:?} {b:?}"
        );
        assert!(
            a.blame.iter().zip(b.blame).all(|(&a, b)| close(a, b)),
            "{k}"
        );
        assert_eq!((a.cause, a.dissipated), (b.cause, b.dissipated), "{k}");
    }
    Ok(())
}

// ------------------------------------------------------------------- i. decay

#[test]
fn a_window_decays_exponentially_to_the_last_digit() -> Checked {
    // d of modulus 1 turns by a for K samples, then by b. With all pairs of modulus 1 the powers are equal, and
    // T = (e^{-t/T_w} (1 - e^{-t_0/T_w}) e^{ia} + (1 - e^{-t/T_w}) e^{ib})/(1 - e^{-(t_0 + t)/T_w}).
    let (a, b, window_s, dt_s) = (0.4, -1.1, 1.5, 0.02);
    let mut resonance = Resonance::<f64, 1, 1, 2>::new(ResonanceConfig::new(1, window_s, [1]))?;
    let mut d = Complex::new(1.0, 0.0);
    resonance.push(&[Some(d)], dt_s);
    let before = 120;
    for _ in 0..before {
        d *= Complex::cis(a);
        resonance.push(&[Some(d)], dt_s);
    }
    let kept = |samples: u32| (-dt_s * f64::from(samples) / window_s).exp();
    for after in 1..=1000 {
        d *= Complex::cis(b);
        resonance.push(&[Some(d)], dt_s);
        let old = Complex::cis(a) * kept(after) * (1.0 - kept(before));
        let new = Complex::cis(b) * (1.0 - kept(after));
        let law = (old + new) / (1.0 - kept(before + after));
        let t = resonance.t(0).ok_or("no value")?;
        assert!((t - law).norm() < 1e-12, "{after}: {t} {law}");
    }
    Ok(())
}

/// Windows without samples after which T has no value any more.
fn silence<R: Real>() -> Result<f64, Box<dyn Error>> {
    let mut resonance = Resonance::<R, 1, 1, 2>::new(ResonanceConfig::new(1, R::one(), [1]))?;
    for k in 0..2000_u32 {
        resonance.push(&[Some(R::turn(R::of(0.5 * f64::from(k))))], R::of(0.01));
    }
    let before = resonance.t(0).ok_or("no value")?;
    for k in 1.. {
        resonance.push(&[None], R::of(0.01));
        let Some(t) = resonance.t(0) else {
            return Ok(0.01 * f64::from(k));
        };
        assert!((t - before).norm() < R::of(1e-4), "{k}");
    }
    Err("never".into())
}

#[test]
fn t_keeps_its_value_without_samples_until_its_weights_underflow() -> Checked {
    // The squares of the weights, (1 - lam)/(1 + lam) lam^{2n}, are the first to underflow.
    let law = |least: f64| ((0.005_f64.tanh() / least).ln()) / 2.0;
    let (wide, narrow) = (silence::<f64>()?, silence::<f32>()?);
    assert!((wide - law(f64::MIN_POSITIVE)).abs() < 0.05, "{wide}");
    assert!(
        (narrow - law(f64::from(f32::MIN_POSITIVE))).abs() < 0.05,
        "{narrow}"
    );
    assert!(wide > 350.0 && narrow > 40.0);
    Ok(())
}

// ------------------------------------------------------------------- g. error of the cycle frequency

#[test]
fn a_cycle_frequency_error_of_one_over_the_window_leaves_seven_tenths_of_t() -> Checked {
    // x = (1 + m cos(a t)) n at lag 0 and nu = a + off: m/(1 + m^2/2) of g, times the gain of the window for a
    // term that turns by `off`: 1/sqrt(1 + off^2 T_w^2). So a shaft rate known to within 1/T_w suffices.
    const N: usize = 8;
    let (dt_s, window_s, a, m) = (0.02, 10.0, 11.0, 0.8);
    for off in [0.0, 0.5, 1.0, -2.0, 5.0] {
        let off = off / window_s;
        let mut config = ResonanceConfig::<f64, N, 1>::new(N, window_s, [0]);
        config.nu_rad_s = a + off;
        let mut resonance = Resonance::<f64, N, 1, 1>::new(config)?;
        let mut noise = Noise::new(4);
        let (mut sum, mut count) = (Complex::new(0.0, 0.0), 0.0);
        for k in 1..=200_000_u32 {
            let t_s = dt_s * f64::from(k);
            let loud = 1.0 + m * (a * t_s).cos();
            let x = [(); N].map(|()| Some(Complex::new(loud * noise.normal(), 0.0)));
            resonance.push(&x, dt_s);
            if k > 5000 && k % 50 == 0 {
                sum += resonance.t(0).ok_or("no value")? * Complex::cis(-off * t_s);
                count += 1.0;
            }
        }
        let gain = -(-dt_s / window_s).exp_m1();
        let passed = Complex::new(gain, 0.0)
            / (Complex::new(1.0, 0.0) - Complex::cis(-off * dt_s) * (1.0 - gain));
        let law = passed * (m / (1.0 + m * m / 2.0));
        let t = sum / count;
        // About 400 windows of 8 N_eff = 8000 pairs; fourth moments of noise put three times as much into S.
        assert!((t - law).norm() < 0.005, "{off}: {t} {law}");
        let textbook = m / (1.0 + m * m / 2.0) / (1.0 + (off * window_s).powi(2)).sqrt();
        assert!((law.norm() - textbook).abs() < 1e-3);
    }
    Ok(())
}
