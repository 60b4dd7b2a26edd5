//! The kernel against closed forms: tones, chirps, noise with a known spectrum, and bounds for any input.
//!
//! Every tolerance is rounding, a leak computed from the window, or five standard errors of the law under test.
//! Seeds are fixed. A "leak" is the gain of an exponential window for a term that turns by some angle each
//! sample: (1-lam)/|1 - lam e^{i angle}|.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;
use std::f64::consts::{PI, TAU};

use becomingone_kernel::{
    Complex, DEFAULT_LAGS, PhaseVelocity, Real, Resonance, ResonanceConfig, Role, Synchrony,
    SynchronyConfig, Transducer, encode_angle,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;

/// Proptest keeps a failing seed in `oracles.regressions`, beside this file.
fn kept() -> ProptestConfig {
    let file = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        failure_persistence: Some(Box::new(file)),
        ..ProptestConfig::default()
    }
}

/// Kernel rate 50 Hz.
const DT_S: f64 = 0.02;

/// 1 - e^{-dt/T_w}: the share of one sample in its window.
fn share(dt_s: f64, window_s: f64) -> f64 {
    -(-dt_s / window_s).exp_m1()
}

/// Gain of the window for a term that turns by `angle` a sample.
fn leak(dt_s: f64, window_s: f64, angle: f64) -> f64 {
    let gain = share(dt_s, window_s);
    gain / (Complex::new(1.0, 0.0) - Complex::cis(angle) * (1.0 - gain)).norm()
}

/// (1 + lam)/(1 - lam).
fn steady_n_eff(dt_s: f64, window_s: f64) -> f64 {
    let gain = share(dt_s, window_s);
    (2.0 - gain) / gain
}

/// Seeded noise of unit variance.
struct Noise(Pcg64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    fn scalar(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    fn cauchy(&mut self) -> f64 {
        self.scalar() / self.scalar()
    }

    fn uniform(&mut self) -> f64 {
        StandardUniform.sample(&mut self.0)
    }

    fn real(&mut self) -> Option<Complex<f64>> {
        Some(Complex::new(self.scalar(), 0.0))
    }

    fn complex(&mut self) -> Option<Complex<f64>> {
        Some(Complex::new(self.scalar(), self.scalar()) / 2.0_f64.sqrt())
    }
}

/// Mean of a sample, and the standard error of that mean.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, (square / count).sqrt())
}

// ------------------------------------------------------------------- a. one tone

#[test]
fn a_tone_has_its_own_phase_at_every_lag() -> Checked {
    let lags = [0, 1, 2, 4, 7];
    for hz in [0.37, 5.0, -5.0, 12.5, 24.0] {
        let config = ResonanceConfig::<f64, 2, 5>::new(2, 1.0, lags);
        let mut levels = Resonance::<f64, 2, 5, 8>::new(config.clone())?;
        let mut rates = Resonance::<f64, 2, 5, 8>::new(config)?;
        let mut velocity = PhaseVelocity::<f64, 2>::new(2)?;
        for k in 0..200_u32 {
            let z = encode_angle(TAU * hz * DT_S * f64::from(k));
            let phi = [Some(z), Some(z * Complex::new(-0.3, 2.0))];
            levels.push(&phi, DT_S);
            rates.push(velocity.push(&phi, DT_S), DT_S);
        }
        for (index, lag) in lags.into_iter().enumerate() {
            let expected = Complex::cis(TAU * hz * DT_S * lag as f64);
            for (feeder, resonance) in [("levels", &levels), ("velocity", &rates)] {
                let t = resonance.t(index).ok_or("no value")?;
                assert!(
                    (t - expected).norm() < 1e-11,
                    "{hz} Hz, lag {lag}, {feeder}: {t}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn t_of_a_tone_at_another_cycle_frequency_is_a_lorentzian() -> Checked {
    let window_s = 2.0;
    for nu_rad_s in [0.1, -0.5, 1.0, 4.0] {
        let mut config = ResonanceConfig::<f64, 1, 1>::new(1, window_s, [3]);
        config.nu_rad_s = nu_rad_s;
        let mut resonance = Resonance::<f64, 1, 1, 4>::new(config)?;
        let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
        for k in 0..6000_u32 {
            let z = encode_angle(TAU * 5.0 * DT_S * f64::from(k));
            resonance.push(velocity.push(&[Some(z)], DT_S), DT_S);
        }
        let measured = resonance.t(0).ok_or("no value")?.norm();
        // In samples exactly; in continuous time but for (dt/T_w)^2 and (nu dt)^2.
        let discrete = leak(DT_S, window_s, nu_rad_s * DT_S);
        let continuous = 1.0 / (1.0 + (nu_rad_s * window_s).powi(2)).sqrt();
        let order = (DT_S / window_s).powi(2) + (nu_rad_s * DT_S).powi(2);
        assert!((measured - discrete).abs() < 1e-11, "{measured} {discrete}");
        assert!(
            (measured / continuous - 1.0).abs() < order,
            "{measured} {continuous}"
        );
    }
    Ok(())
}

// ------------------------------------------------------------------- b. two tones

#[test]
fn two_tones_are_weighted_by_their_powers_after_the_difference() -> Checked {
    let (window_s, lags) = (200.0, [1, 2, 4]);
    let (hz, amplitude) = ([2.0, 7.3], [1.0, 0.6]);
    let mut config = ResonanceConfig::<f64, 1, 3>::new(1, window_s, lags);
    config.max_gap_s = 1.0;
    let mut levels = Resonance::<f64, 1, 3, 5>::new(config.clone())?;
    let mut rates = Resonance::<f64, 1, 3, 5>::new(config)?;
    let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
    for k in 0..200_000_u32 {
        let tone = |i: usize| encode_angle(TAU * hz[i] * DT_S * f64::from(k)) * amplitude[i];
        let phi = [Some(tone(0) + tone(1))];
        levels.push(&phi, DT_S);
        rates.push(velocity.push(&phi, DT_S), DT_S);
    }
    // |H_d| = |1 - e^{-i 2 pi f dt}|/dt = 2 |sin(pi f dt)|/dt for the difference, 1 for levels.
    let difference = |f: f64| 2.0 * (PI * f * DT_S).sin().abs() / DT_S;
    let passed = leak(DT_S, window_s, TAU * (hz[1] - hz[0]) * DT_S);
    for (name, resonance, gain) in [
        ("levels", &levels, [1.0, 1.0]),
        ("velocity", &rates, [difference(hz[0]), difference(hz[1])]),
    ] {
        let p = [
            (amplitude[0] * gain[0]).powi(2),
            (amplitude[1] * gain[1]).powi(2),
        ];
        // Two cross terms of sqrt(p1 p2) in S, and as many in the powers.
        let tolerance = 4.0 * passed * (p[0] * p[1]).sqrt() / (p[0] + p[1]) + 1e-9;
        for (index, lag) in lags.into_iter().enumerate() {
            let turn = |f: f64| Complex::cis(TAU * f * DT_S * lag as f64);
            let expected = (turn(hz[0]) * p[0] + turn(hz[1]) * p[1]) / (p[0] + p[1]);
            let t = resonance.t(index).ok_or("no value")?;
            assert!(
                (t - expected).norm() < tolerance,
                "{name}, lag {lag}: {t} {expected}"
            );
        }
    }
    Ok(())
}

// ------------------------------------------------------------------- c. white noise

/// T at lag `LAG` of `N` channels, read every three windows (where the next one is correlated
/// with it by e^{-3}, its square by e^{-6}).
fn noise_readings<const N: usize, const LAG: usize>(
    window_s: f64,
    readings: usize,
    mut sample: impl FnMut() -> [Option<Complex<f64>>; N],
) -> Result<Vec<Complex<f64>>, Box<dyn Error>> {
    let mut config = ResonanceConfig::<f64, N, 1>::new(N, window_s, [LAG]);
    config.max_gap_s = f64::INFINITY;
    let mut resonance = Resonance::<f64, N, 1, 8>::new(config)?;
    let every = (3.0 * window_s) as usize;
    // Twenty windows until the initial zero has left the sums.
    for _ in 0..20 * every / 3 {
        resonance.push(&sample(), 1.0);
    }
    let mut all = Vec::with_capacity(readings);
    for _ in 0..readings {
        for _ in 0..every {
            resonance.push(&sample(), 1.0);
        }
        all.push(resonance.t(0).ok_or("no value")?);
    }
    let n_eff = resonance.n_eff(0).unwrap_or_default();
    assert!((n_eff / steady_n_eff(1.0, window_s) - 1.0).abs() < 1e-6);
    Ok(all)
}

const NOISE_WINDOW: f64 = 50.0;
const READINGS: usize = 8000;

#[test]
fn real_white_noise_has_variance_one_over_n_eff_n() -> Checked {
    let mut noise = Noise::new(1);
    let t = noise_readings::<4, 2>(NOISE_WINDOW, READINGS, || [(); 4].map(|()| noise.real()))?;
    let law = 1.0 / (steady_n_eff(1.0, NOISE_WINDOW) * 4.0);
    let squares: Vec<f64> = t.iter().map(|t| t.norm_sqr()).collect();
    let (measured, error) = mean_and_error(&squares);
    // The law is the first order in 1/(N_eff N) = law.
    let ratio = measured / law;
    assert!(
        (measured - law).abs() < 5.0 * error + 2.0 * law * law,
        "{ratio} of the law"
    );
    assert!(t.iter().all(|t| t.im == 0.0));
    let (mean, error) = mean_and_error(&t.iter().map(|t| t.re).collect::<Vec<_>>());
    assert!(mean.abs() < 5.0 * error);
    Ok(())
}

#[test]
fn complex_white_noise_has_an_exponential_tail() -> Checked {
    let mut noise = Noise::new(2);
    let t = noise_readings::<4, 2>(NOISE_WINDOW, READINGS, || [(); 4].map(|()| noise.complex()))?;
    let freedom = steady_n_eff(1.0, NOISE_WINDOW) * 4.0;
    let squares: Vec<f64> = t.iter().map(|t| t.norm_sqr()).collect();
    let (measured, error) = mean_and_error(&squares);
    let ratio = measured * freedom;
    assert!(
        (ratio - 1.0).abs() < 5.0 * error * freedom + 2.0 / freedom,
        "{ratio} of the law"
    );
    for tail in [0.5, 0.1, 0.02] {
        let level = -f64::ln(tail) / freedom;
        let above = squares.iter().filter(|&&s| s >= level).count() as f64 / READINGS as f64;
        let error = (tail * (1.0 - tail) / READINGS as f64).sqrt();
        assert!((above - tail).abs() < 5.0 * error, "{tail}: {above}");
    }
    Ok(())
}

#[test]
fn a_first_difference_of_white_noise_scatters_one_and_a_half_times_as_much() -> Checked {
    let mut noise = Noise::new(3);
    let mut velocity = PhaseVelocity::<f64, 4>::new(4)?;
    let t = noise_readings::<4, 3>(NOISE_WINDOW, READINGS, || {
        let phi = [(); 4].map(|()| noise.real());
        let mut d = [None; 4];
        d.copy_from_slice(velocity.push(&phi, 1.0));
        d
    })?;
    // Autocorrelation 1, -1/2, 0: sum of squares 1.5 in a long window, 1 + lam/2 in this one.
    let lam = (-1.0 / NOISE_WINDOW).exp();
    let law = (1.0 + lam / 2.0) / (steady_n_eff(1.0, NOISE_WINDOW) * 4.0);
    let squares: Vec<f64> = t.iter().map(|t| t.norm_sqr()).collect();
    let (measured, error) = mean_and_error(&squares);
    let factor = (1.0 + lam / 2.0) * measured / law;
    assert!(
        (measured - law).abs() < 5.0 * error + 4.0 * law * law,
        "factor {factor}"
    );
    Ok(())
}

// ------------------------------------------------------------------- e. a chirp

/// T of the chirp e^{i pi kappa t^2}, as levels.
fn chirp_levels(kappa: f64, lag: usize, window_s: f64, nu: f64) -> Result<f64, Box<dyn Error>> {
    let mut config = ResonanceConfig::<f64, 1, 1>::new(1, window_s, [lag]);
    config.nu_rad_s = nu;
    let mut resonance = Resonance::<f64, 1, 1, 8>::new(config)?;
    for k in 0..4000_u32 {
        let t_s = DT_S * f64::from(k);
        resonance.push(&[Some(encode_angle(PI * kappa * t_s * t_s))], DT_S);
    }
    Ok(resonance.t(0).ok_or("no value")?.norm())
}

#[test]
fn t_of_a_chirp_falls_with_rate_lag_and_window_and_is_refocused_by_nu() -> Checked {
    let window_s = 2.0;
    for (kappa, lag) in [(0.2, 4), (1.0, 4), (-1.0, 4), (3.0, 7), (0.5, 1)] {
        let nu = TAU * kappa * lag as f64 * DT_S;
        let spread = chirp_levels(kappa, lag, window_s, 0.0)?;
        let discrete = leak(DT_S, window_s, nu * DT_S);
        let continuous = 1.0 / (1.0 + (nu * window_s).powi(2)).sqrt();
        let order = (DT_S / window_s).powi(2) + (nu * DT_S).powi(2);
        assert!(
            (spread - discrete).abs() < 1e-8,
            "{kappa}, {lag}: {spread} {discrete}"
        );
        assert!(
            (spread / continuous - 1.0).abs() < order,
            "{spread} {continuous}"
        );
        let focused = chirp_levels(kappa, lag, window_s, -nu)?;
        assert!((focused - 1.0).abs() < 1e-8, "{kappa}, {lag}: {focused}");
    }
    Ok(())
}

#[test]
fn a_chirp_after_the_difference_obeys_the_law_while_its_band_is_narrow() -> Checked {
    // The difference has gain 2 sin(pi f dt) at f, so later samples weigh more: over one window the power
    // changes by `slope` = 2 kappa T_w pi dt cot(pi f dt), and |T| by less than that.
    let (dt_s, window_s, kappa, lag, base_hz) = (0.001, 2.0, 1.0, 80, 100.0);
    let mut config = ResonanceConfig::<f64, 1, 1>::new(1, window_s, [lag]);
    let nu = TAU * kappa * lag as f64 * dt_s;
    let mut spread = Resonance::<f64, 1, 1, 96>::new(config.clone())?;
    config.nu_rad_s = -nu;
    let mut focused = Resonance::<f64, 1, 1, 96>::new(config)?;
    let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
    let seconds = 40.0;
    for k in 0..(seconds / dt_s) as u32 {
        let t_s = dt_s * f64::from(k);
        let phi = [Some(encode_angle(
            TAU * base_hz * t_s + PI * kappa * t_s * t_s,
        ))];
        let d = velocity.push(&phi, dt_s);
        spread.push(d, dt_s);
        focused.push(d, dt_s);
    }
    let hz = base_hz + kappa * seconds;
    let slope = 2.0 * kappa * window_s * PI * dt_s / (PI * hz * dt_s).tan();
    let law = 1.0 / (1.0 + (nu * window_s).powi(2)).sqrt();
    let measured = spread.t(0).ok_or("no value")?.norm();
    assert!(
        (measured / law - 1.0).abs() < slope,
        "{measured}, law {law}, slope {slope}"
    );
    // Refocused, only the change of amplitude within one lag is left, squared.
    let within_lag = slope * lag as f64 * dt_s / window_s;
    let measured = focused.t(0).ok_or("no value")?.norm();
    assert!(
        (measured - 1.0).abs() < within_lag.powi(2) + 1e-8,
        "{measured}"
    );
    Ok(())
}

// ------------------------------------------------------------------- f. AR(1)

/// Bartlett's variance of an estimated autocorrelation at `lag`, over `n` samples of a real
/// Gaussian process with autocorrelation `r`.
fn bartlett(r: impl Fn(i64) -> f64, lag: i64, n: f64) -> f64 {
    let term = |k: i64| {
        r(k).powi(2) + r(k + lag) * r(k - lag) - 4.0 * r(lag) * r(k) * r(k - lag)
            + 2.0 * (r(lag) * r(k)).powi(2)
    };
    (-200..=200).map(term).sum::<f64>() / n
}

#[test]
fn ar1_levels_fall_as_powers_and_increments_are_negative() -> Checked {
    let (a, window, lags) = (0.6_f64, 20_000.0, [1, 2, 3, 5]);
    let mut config = ResonanceConfig::<f64, 1, 4>::new(1, window, lags);
    config.max_gap_s = f64::INFINITY;
    let mut levels = Resonance::<f64, 1, 4, 6>::new(config.clone())?;
    let mut increments = Resonance::<f64, 1, 4, 6>::new(config)?;
    let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
    let (mut noise, mut x) = (Noise::new(4), 0.0);
    for _ in 0..300_000 {
        x = a * x + noise.scalar();
        let phi = [Some(Complex::new(x, 0.0))];
        levels.push(&phi, 1.0);
        increments.push(velocity.push(&phi, 1.0), 1.0);
    }
    let level = |l: i64| a.powi(l.abs() as i32);
    let increment = |l: i64| {
        if l == 0 {
            1.0
        } else {
            -(1.0 - a) * level(l.abs() - 1) / 2.0
        }
    };
    let n_eff = steady_n_eff(1.0, window);
    for (index, lag) in lags.into_iter().enumerate() {
        let lag = lag as i64;
        for (name, resonance, law, variance) in [
            ("levels", &levels, level(lag), bartlett(level, lag, n_eff)),
            (
                "increments",
                &increments,
                increment(lag),
                bartlett(increment, lag, n_eff),
            ),
        ] {
            let t = resonance.t(index).ok_or("no value")?;
            let error = variance.sqrt();
            assert!(
                (t.re - law).abs() < 5.0 * error && t.im.abs() < 1e-12,
                "{name}, {lag}: {t}"
            );
        }
    }
    Ok(())
}

// ------------------------------------------------------------------- g. cyclic noise

#[test]
fn modulated_noise_has_t_at_its_cycle_and_twice_its_cycle_only() -> Checked {
    let (window, m, cycle) = (20_000.0, 0.7_f64, 0.31);
    let power = 1.0 + m * m / 2.0;
    // Var S <= E n^4 E(1 + m cos)^4/N_eff, and the power scatters by as much at most.
    let fourth = 3.0 * (1.0 + 3.0 * m * m + 3.0 * m.powi(4) / 8.0);
    let error = (2.0 * fourth / steady_n_eff(1.0, window)).sqrt() / power;
    for (nu, law) in [
        (cycle, m / power),
        (-cycle, m / power),
        (2.0 * cycle, m * m / 4.0 / power),
        (3.0 * cycle, 0.0),
        (0.5 * cycle, 0.0),
        (1.37 * cycle, 0.0),
    ] {
        let mut config = ResonanceConfig::<f64, 1, 1>::new(1, window, [0]);
        config.nu_rad_s = nu;
        config.max_gap_s = f64::INFINITY;
        let mut resonance = Resonance::<f64, 1, 1, 1>::new(config)?;
        let mut noise = Noise::new(5);
        // The carrier starts at phase 0 before the first sample, as the modulation does here.
        for k in 1..=300_000_u32 {
            let x = (1.0 + m * (cycle * f64::from(k)).cos()) * noise.scalar();
            resonance.push(&[Some(Complex::new(x, 0.0))], 1.0);
        }
        let t = resonance.t(0).ok_or("no value")?;
        assert!((t - law).norm() < 5.0 * error, "nu {nu}: {t}, law {law}");
    }
    Ok(())
}

// ------------------------------------------------------------------- order

#[test]
fn the_mean_of_complex_t_would_cancel_a_tone_and_order_does_not() -> Checked {
    let config = ResonanceConfig::<f64, 1, 3>::new(1, 1.0, DEFAULT_LAGS);
    let mut resonance = Resonance::<f64, 1, 3, 5>::new(config)?;
    for k in 0..100_u32 {
        resonance.push(&[Some(encode_angle(TAU * 5.0 * DT_S * f64::from(k)))], DT_S);
    }
    let t = [resonance.t(0), resonance.t(1), resonance.t(2)].map(Option::unwrap_or_default);
    let mean = (t[0] + t[1] + t[2]) / 3.0;
    assert!((mean.norm() - 0.72).abs() < 0.005, "{mean}");
    assert!((resonance.order().ok_or("no value")? - 1.0).abs() < 1e-12);
    Ok(())
}

#[test]
fn a_real_tone_has_the_mean_squared_cosine_as_its_order() -> Checked {
    let window_s = 200.0;
    for hz in [1.1, 3.0, 6.25, 9.0] {
        let mut config = ResonanceConfig::<f64, 1, 3>::new(1, window_s, DEFAULT_LAGS);
        config.max_gap_s = 1.0;
        let mut resonance = Resonance::<f64, 1, 3, 5>::new(config)?;
        for k in 0..100_000_u32 {
            let x = (TAU * hz * DT_S * f64::from(k)).cos();
            resonance.push(&[Some(Complex::new(x, 0.0))], DT_S);
        }
        // The ripple at twice the frequency, in S and in the powers.
        let passed = leak(DT_S, window_s, 2.0 * TAU * hz * DT_S);
        let mut law = 0.0;
        for (index, lag) in DEFAULT_LAGS.into_iter().enumerate() {
            let cosine = (TAU * hz * DT_S * lag as f64).cos();
            let t = resonance.t(index).ok_or("no value")?;
            assert!(
                (t.re - cosine).abs() < 2.5 * passed && t.im == 0.0,
                "{hz}, {lag}: {t}"
            );
            law += cosine * cosine / 3.0;
        }
        let order = resonance.order().ok_or("no value")?;
        assert!((order - law).abs() < 5.0 * passed, "{hz}: {order} {law}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn every_complex_tone_has_order_one(
        hz in -24.9..24.9_f64, gain in 1e-6..1e6_f64, phase in 0.0..TAU,
        lags in prop::array::uniform3(0..8_usize),
    ) {
        prop_assume!(hz.abs() > 0.01);
        let tone = |k: u32| encode_angle(TAU * hz * DT_S * f64::from(k) + phase) * gain;
        let mut wide = Resonance::<f64, 1, 3, 8>::new(ResonanceConfig::new(1, 1.0, lags))?;
        let mut narrow = Resonance::<f32, 1, 3, 8>::new(ResonanceConfig::new(1, 1.0, lags))?;
        let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
        for k in 0..100 {
            let d = velocity.push(&[Some(tone(k))], DT_S);
            wide.push(d, DT_S);
            let rounded = d.first().copied().flatten().map(|d| Complex::new(d.re as f32, d.im as f32));
            narrow.push(&[rounded], DT_S as f32);
        }
        // The difference of a slow tone loses 1/(2 pi f dt) of its digits.
        prop_assert!((wide.order().unwrap_or_default() - 1.0).abs() < 1e-9);
        prop_assert!((narrow.order().unwrap_or_default() - 1.0).abs() < 1e-4);
    }
}

// ------------------------------------------------------------------- the definition

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn irregular_and_missing_samples_follow_the_defining_sum(
        seed: u64, window_s in 1.0..50.0_f64, nu_rad_s in -1.0..1.0_f64,
        weights in prop::array::uniform2(0.01..10.0_f64),
    ) {
        let mut config = ResonanceConfig::<f64, 2, 2>::new(2, window_s, [0, 3]);
        (config.nu_rad_s, config.weights) = (nu_rad_s, weights);
        config.max_gap_s = f64::INFINITY;
        let mut resonance = Resonance::<f64, 2, 2, 4>::new(config)?;
        let mut noise = Noise::new(seed);
        let (mut now_s, mut samples) = (0.0, Vec::new());
        for k in 0..60 {
            // Alternately equal steps and jittered ones.
            let dt_s = if k % 20 < 10 { 0.5 } else { 0.1 + noise.uniform() };
            now_s += dt_s;
            let d = [(); 2].map(|()| noise.complex().filter(|z| z.re < 0.4));
            resonance.push(&d, dt_s);
            samples.push((now_s, dt_s, d));
        }
        for (index, lag) in [0, 3].into_iter().enumerate() {
            let mut s = Complex::new(0.0, 0.0);
            let (mut p0, mut p1, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
            for k in lag..samples.len() {
                let (at_s, dt_s, now) = samples[k];
                let share = share(dt_s, window_s) * (-(now_s - at_s) / window_s).exp();
                let mut paired = false;
                for n in 0..2 {
                    if let (Some(u), Some(v)) = (now[n], samples[k - lag].2[n]) {
                        s += v.conj() * u * Complex::cis(nu_rad_s * at_s) * share * weights[n];
                        p0 += u.norm_sqr() * share * weights[n];
                        p1 += v.norm_sqr() * share * weights[n];
                        paired = true;
                    }
                }
                if paired {
                    sum += share;
                    squares += share * share;
                }
            }
            let n_eff = resonance.n_eff(index).unwrap_or_default();
            prop_assert!((n_eff - sum * sum / squares).abs() < 1e-9 * n_eff);
            prop_assume!((n_eff - 8.0).abs() > 1e-6);
            prop_assert_eq!(resonance.t(index).is_some(), n_eff > 8.0);
            if let Some(t) = resonance.t(index) {
                prop_assert!((t - s / (p0 * p1).sqrt()).norm() < 1e-11);
            }
        }
    }
}

// ------------------------------------------------------------------- time scale

/// T at both lags after 400 jittered, gappy samples, with time in units of `unit_s`.
fn at_scale<R: Real>(unit_s: f64) -> Result<[Complex<R>; 2], Box<dyn Error>> {
    let mut config = ResonanceConfig::<R, 2, 2>::new(2, R::of(30.0 * unit_s), [1, 5]);
    config.nu_rad_s = R::of(0.125 / unit_s);
    config.max_gap_s = R::of(8.0 * unit_s);
    let mut resonance = Resonance::<R, 2, 2, 6>::new(config)?;
    let mut velocity = PhaseVelocity::<R, 2>::new(2)?;
    let mut noise = Noise::new(6);
    for k in 0..400_u32 {
        let sample = |noise: &mut Noise| {
            let (re, im) = (noise.scalar(), noise.scalar());
            (re < 1.2).then(|| {
                encode_angle(R::of(0.4 * f64::from(k))) + Complex::new(R::of(re), R::of(im))
            })
        };
        let phi = [sample(&mut noise), sample(&mut noise)];
        let steps = if k % 90 == 89 {
            9.0
        } else {
            1.0 + 0.25 * f64::from(k % 3)
        };
        let dt_s = R::of(steps * unit_s);
        resonance.push(velocity.push(&phi, dt_s), dt_s);
    }
    assert_eq!(resonance.gaps(), 4);
    let t = [resonance.t(0), resonance.t(1)];
    Ok([t[0].ok_or("no value")?, t[1].ok_or("no value")?])
}

#[test]
fn time_scaled_by_a_power_of_two_gives_the_same_bits() -> Checked {
    let (wide, narrow) = (at_scale::<f64>(1.0)?, at_scale::<f32>(1.0)?);
    for exponent in [-20, -10, -1, 1, 6, 12] {
        let unit_s = 2.0_f64.powi(exponent);
        assert_eq!(at_scale::<f64>(unit_s)?, wide, "2^{exponent}");
        assert_eq!(at_scale::<f32>(unit_s)?, narrow, "2^{exponent}");
    }
    Ok(())
}

#[test]
fn time_from_a_microsecond_to_an_hour_gives_the_same_t() -> Checked {
    let expected = at_scale::<f64>(1.0)?;
    for unit_s in [1e-6, 1e-3, 60.0, 3600.0] {
        for (t, expected) in at_scale::<f64>(unit_s)?.into_iter().zip(expected) {
            assert!((t - expected).norm() < 1e-12, "{unit_s} s: {t} {expected}");
        }
        // f32 only where its own rounding allows.
        for (t, expected) in at_scale::<f32>(unit_s)?.into_iter().zip(expected) {
            let t = Complex::new(f64::from(t.re), f64::from(t.im));
            assert!(
                (t - expected).norm() < 1e-4,
                "{unit_s} s, f32: {t} {expected}"
            );
        }
    }
    Ok(())
}

// ------------------------------------------------------------------- j. bounds

/// Every output of the resonance is finite and within its range.
fn bounded<R: Real, const N: usize, const L: usize, const RING: usize>(
    resonance: &Resonance<R, N, L, RING>,
) -> bool {
    let (zero, one) = (R::zero(), R::one());
    let within = |x: R, low: R| x >= low && x <= one;
    let of_lag = |lag: usize| {
        let t = resonance.t(lag);
        t.is_none_or(|t| t.norm() <= one && t.norm_sqr() <= one)
            && resonance
                .n_eff(lag)
                .is_some_and(|n| n >= zero && n.is_finite())
    };
    (0..L).all(of_lag)
        && resonance.order().is_none_or(|order| within(order, zero))
        && resonance.mean_re().is_none_or(|mean| within(mean, -one))
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn t_is_bounded_under_heavy_tails_and_missing_samples(
        seed: u64, window in 1.0..200.0_f64, nu in -3.0..3.0_f64,
        weights in prop::array::uniform3(0.01..10.0_f64),
    ) {
        let mut noise = Noise::new(seed);
        let mut config = ResonanceConfig::<f64, 3, 3>::new(3, window, DEFAULT_LAGS);
        config.nu_rad_s = nu;
        config.weights = weights;
        let mut wide = Resonance::<f64, 3, 3, 5>::new(config)?;
        let mut config = ResonanceConfig::<f32, 3, 3>::new(3, window as f32, DEFAULT_LAGS);
        config.nu_rad_s = nu as f32;
        config.weights = weights.map(|w| w as f32);
        let mut narrow = Resonance::<f32, 3, 3, 5>::new(config)?;
        let mut seen = 0;
        for _ in 0..300 {
            // Cauchy, the quotient of two normals: neither mean nor variance.
            let d = [(); 3].map(|()| {
                let z = Complex::new(noise.cauchy(), noise.cauchy());
                (noise.uniform() >= 0.3).then_some(z)
            });
            wide.push(&d, 1.0);
            narrow.push(&d.map(|d| d.map(|z| Complex::new(z.re as f32, z.im as f32))), 1.0);
            prop_assert!(bounded(&wide) && bounded(&narrow));
            seen += usize::from(wide.order().is_some());
        }
        // Cauchy samples stay far below the largest power: no sample was dropped.
        prop_assert_eq!(wide.non_finite(), 0);
        prop_assert!(window < 10.0 || seen > 200);
    }

    #[test]
    fn any_bits_of_f64_leave_no_nan(
        window_bits: u64, nu_bits: u64, gap_bits: u64,
        samples in prop::collection::vec(
            (any::<bool>(), any::<[u64; 4]>(), prop_oneof![Just(0.02_f64.to_bits()), any::<u64>()]),
            0..120,
        ),
    ) {
        let mut config = ResonanceConfig::<f64, 2, 3>::new(2, 1.0, DEFAULT_LAGS);
        for (field, bits) in [
            (&mut config.window_s, window_bits),
            (&mut config.nu_rad_s, nu_bits),
            (&mut config.max_gap_s, gap_bits),
        ] {
            let value = f64::from_bits(bits).abs();
            if value > 0.0 && value.is_finite() {
                *field = value;
            }
        }
        let mut resonance = Resonance::<f64, 2, 3, 5>::new(config)?;
        let mut velocity = PhaseVelocity::<f64, 2>::new(2)?;
        let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
        let mut plain = Transducer::<f64, 2, 3, 5>::new(Role::Emissary, 2, DEFAULT_LAGS)?;
        for (raw, bits, dt_bits) in samples {
            let [a, b, c, d] = bits.map(f64::from_bits);
            let phi = [Some(Complex::new(a, b)), Some(Complex::new(c, d))];
            let dt_s = f64::from_bits(dt_bits);
            let fed = velocity.push(&phi, dt_s);
            resonance.push(if raw { &phi } else { fed }, dt_s);
            plain.push(if raw { &phi } else { fed }, 0.02);
            prop_assert!(bounded(&resonance) && bounded(plain.resonance()));
            let report = synchrony.update(plain.reading(), plain.reading());
            prop_assert!(report.delta.is_none_or(|delta| delta == 0.0));
            prop_assert!(report.t_sync.is_none_or(|t| t.norm() <= 1.0));
        }
    }

    #[test]
    fn any_bits_of_f32_leave_no_nan(
        samples in prop::collection::vec(
            (any::<bool>(), any::<[u32; 4]>(), prop_oneof![Just(0.02_f32.to_bits()), any::<u32>()]),
            0..120,
        ),
    ) {
        let mut config = ResonanceConfig::<f32, 2, 3>::new(2, 1.0, DEFAULT_LAGS);
        config.nu_rad_s = 3.0;
        let mut resonance = Resonance::<f32, 2, 3, 5>::new(config)?;
        let mut velocity = PhaseVelocity::<f32, 2>::new(2)?;
        for (raw, bits, dt_bits) in samples {
            let [a, b, c, d] = bits.map(f32::from_bits);
            let phi = [Some(Complex::new(a, b)), Some(Complex::new(c, d))];
            let dt_s = f32::from_bits(dt_bits);
            let fed = velocity.push(&phi, dt_s);
            resonance.push(if raw { &phi } else { fed }, dt_s);
            prop_assert!(bounded(&resonance));
        }
    }

    #[test]
    fn delta_and_t_sync_are_at_most_one(seed: u64, turn in -1.0..1.0_f64, loudness in 0.0..3.0_f64) {
        let mut noise = Noise::new(seed);
        let mut emissary = Transducer::<f64, 1, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?;
        let mut master = Transducer::<f64, 1, 3, 5>::new(Role::Master, 1, DEFAULT_LAGS)?;
        let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
        for k in 0..400_u32 {
            // A tone in noise that reverses half way.
            let angle = turn * f64::from(if k < 200 { k } else { 400 - k });
            let d = [noise.complex().map(|n| n * loudness + encode_angle(angle))];
            emissary.push(&d, DT_S);
            master.push(&d, DT_S);
            let report = synchrony.update(emissary.reading(), master.reading());
            prop_assert_eq!(report.delta.is_some(), report.t_sync.is_some());
            prop_assert!(report.delta.is_none_or(|delta| (0.0..=1.0).contains(&delta)));
            prop_assert!(report.t_sync.is_none_or(|t| t.norm() <= 1.0));
            prop_assert!(!(report.aligned && report.apart));
        }
    }
}

// ------------------------------------------------------------------- synchrony of a signal

#[test]
fn a_reversed_rhythm_is_detected_as_disagreement_in_phase() -> Checked {
    let mut emissary = Transducer::<f64, 1, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?;
    let mut master = Transducer::<f64, 1, 3, 5>::new(Role::Master, 1, DEFAULT_LAGS)?;
    let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
    let mut d = Complex::new(1.0, 0.0);
    let mut tick = |hz: f64| {
        d *= Complex::cis(TAU * hz * DT_S);
        emissary.push(&[Some(d)], DT_S);
        master.push(&[Some(d)], DT_S);
        synchrony.update(emissary.reading(), master.reading())
    };
    // 12.5 Hz turns by a quarter a sample, so at the first lag T = i, and -i after the reversal.
    let mut report = tick(12.5);
    for _ in 0..15_000 {
        report = tick(12.5);
    }
    assert!(report.collapsed && report.aligned);
    for _ in 0..150 {
        report = tick(-12.5);
    }
    // Three seconds on, Emissary has -0.90 i and Master still 0.90 i.
    assert!(report.t_sync.ok_or("no value")?.norm() < 0.01, "{report:?}");
    assert!(report.aligned && !report.collapsed, "{report:?}");
    Ok(())
}
