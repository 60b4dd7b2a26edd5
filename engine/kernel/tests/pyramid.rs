//! The octave pyramid against its definition, closed forms, and bounds for any input.
//!
//! Each tone has a channel of its own: channels add up without cross terms, so a sum over channels is a
//! spectrum of known T without any leak of the window.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;
use std::f64::consts::{PI, TAU};

use becomingone_kernel::{
    Band, Complex, ConfigError, Covered, Feeder, Pyramid, PyramidConfig, Real, Role, Synchrony,
    SynchronyConfig, encode_angle,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;

/// Proptest keeps a failing seed in `pyramid.regressions`, beside this file.
fn kept() -> ProptestConfig {
    let file = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        failure_persistence: Some(Box::new(file)),
        ..ProptestConfig::default()
    }
}

struct Noise(Pcg64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    fn complex(&mut self) -> Complex<f64> {
        let mut scalar = || -> f64 { StandardNormal.sample(&mut self.0) };
        Complex::new(scalar(), scalar()) / 2.0_f64.sqrt()
    }

    fn uniform(&mut self) -> f64 {
        StandardUniform.sample(&mut self.0)
    }
}

/// H of a level for frequencies in cycles a base sample.
fn h(f: f64, level: usize) -> f64 {
    let blocks = 2.0_f64.powi(level as i32);
    (PI * f * blocks).sin() / (blocks * (PI * f).sin())
}

/// All lags on the grid.
fn grid<const M: usize, const LEVELS: usize>() -> impl Iterator<Item = (usize, usize)> {
    (0..LEVELS).flat_map(|level| {
        let first = if level == 0 { 0 } else { M };
        (first..=2 * M).map(move |lag| (level, lag))
    })
}

// ------------------------------------------------------------------- the schedule

#[test]
fn no_tick_processes_more_than_two_levels() -> Checked {
    const M: usize = 8;
    const LEVELS: usize = 15;
    let mut pyramid = Pyramid::<f32, 1, M, LEVELS>::new(PyramidConfig::new(1, 1.0))?;
    let ticks = 1_u64 << 17;
    let mut times = [0_u64; LEVELS];
    let (mut products, mut worst) = (0, 0);
    for n in 0..ticks {
        // The type allows one level above the base; this is the number of lags processed.
        let level = pyramid.push(&[None]);
        let work = 2 * M + 1 + if level.is_some() { M + 1 } else { 0 };
        products += work;
        worst = worst.max(work);
        times[0] += 1;
        if let Some(level) = level {
            times[level] += 1;
            // k = 2^{j-1} mod 2^j, counted from 2.
            assert_eq!((n + 2) % (1 << level), 1 << (level - 1));
        }
    }
    for (level, times) in times.into_iter().enumerate() {
        // Each level at its own rate, within the one block by which its schedule is shifted.
        assert!(times.abs_diff(ticks >> level) <= 1, "{level}: {times}");
    }
    // 17 + 9 (1 - 2^-14): 26 lags a channel and sample, amortised and at worst.
    let mean = products as f64 / ticks as f64;
    let law = 17.0 + 9.0 * (1.0 - 2.0_f64.powi(1 - LEVELS as i32));
    assert!((mean - law).abs() < 1e-3, "{mean} {law}");
    assert_eq!(worst, 26);
    Ok(())
}

#[test]
fn no_tick_of_thirty_levels_makes_three_times_the_mean_of_lag_products() -> Checked {
    const M: usize = 8;
    const LEVELS: usize = 30;
    let mut pyramid = Pyramid::<f64, 1, M, LEVELS>::new(PyramidConfig::new(1, 1.0))?;
    let mut noise = Noise::new(1);
    // Noise at every tick changes T at each processed lag, or its weights where it has no T yet, and at no
    // other.
    let seen = |pyramid: &Pyramid<f64, 1, M, LEVELS>, (level, lag)| {
        let t = pyramid.t_at(level, lag);
        let bits = t.map(|t| (t.re.to_bits(), t.im.to_bits()));
        (bits, pyramid.n_eff(level, lag).map(f64::to_bits))
    };
    let mut before: Vec<_> = grid::<M, LEVELS>()
        .skip(1)
        .map(|at| seen(&pyramid, at))
        .collect();
    let ticks = 1_u32 << 15;
    let (mut all, mut worst) = (0, 0);
    for _ in 0..ticks {
        pyramid.push(&[Some(noise.complex())]);
        // At lag 0, T is always 1: it is counted without a check.
        let mut work = 1;
        for (before, at) in before.iter_mut().zip(grid::<M, LEVELS>().skip(1)) {
            let now = seen(&pyramid, at);
            work += u32::from(now != *before);
            *before = now;
        }
        (all, worst) = (all + work, worst.max(work));
    }
    let mean = f64::from(all) / f64::from(ticks);
    // 17 lags of the base and 9 of one level more; levels without two blocks do less.
    assert_eq!(worst, 26);
    assert!(mean > 25.5 && mean <= 26.0, "{mean}");
    assert!(f64::from(worst) < 3.0 * mean);
    Ok(())
}

// ------------------------------------------------------------------- the definition

/// Value and coverage of each block of a level, from the samples as the definition has them.
fn blocks(
    samples: &[[(Complex<f64>, f64); 2]],
    level: usize,
    feeder: Feeder,
    base_s: f64,
) -> Vec<[(Complex<f64>, f64); 2]> {
    let size = 1_i64 << level;
    let count = (samples.len() as i64 + 1 - if level == 0 { 1 } else { size / 2 }) / size;
    let of = |i: i64, n: usize| {
        usize::try_from(i)
            .ok()
            .and_then(|i| samples.get(i))
            .map_or(Default::default(), |s| s[n])
    };
    let parts = |b: i64, n: usize| -> Vec<(f64, Complex<f64>, f64)> {
        match feeder {
            Feeder::Levels => (b * size..(b + 1) * size)
                .map(|i| (1.0, of(i, n).0, of(i, n).1))
                .collect(),
            // Steps from sample to sample, weighted by a triangle: where nothing is missing, the
            // difference of the block's mean to the mean before.
            Feeder::Haar => ((b - 1) * size + 1..(b + 1) * size)
                .map(|i| {
                    let (now, before) = (of(i, n), of(i - 1, n));
                    let c = (size - (i - b * size).abs()) as f64;
                    (c, (now.0 - before.0) / base_s, now.1 * before.1)
                })
                .collect(),
        }
    };
    (0..count)
        .map(|b| {
            [0, 1].map(|n| {
                let parts = parts(b, n);
                let whole = (size * if feeder == Feeder::Haar { size } else { 1 }) as f64;
                let weight: f64 = parts.iter().map(|(c, _, w)| c * w).sum();
                let value: Complex<f64> = parts.iter().map(|(c, x, w)| x * c * w).sum();
                if weight > 0.0 {
                    (value / weight, weight / whole)
                } else {
                    Default::default()
                }
            })
        })
        .collect()
}

/// T at a lag by the defining sums, and `N_eff`.
fn written(blocks: &[[(Complex<f64>, f64); 2]], lag: usize, step: f64) -> (Complex<f64>, f64) {
    let mut s = Complex::new(0.0, 0.0);
    let (mut p0, mut p1, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
    for b in lag..blocks.len() {
        let fade = (-step * (blocks.len() - 1 - b) as f64).exp();
        let mut pair = 0.0;
        for (n, weight) in [0.25, 0.75].into_iter().enumerate() {
            let ((u, a), (v, b)) = (blocks[b][n], blocks[b - lag][n]);
            let w = weight * a * b;
            s += v.conj() * u * w * fade;
            p0 += u.norm_sqr() * w * fade;
            p1 += v.norm_sqr() * w * fade;
            pair += w;
        }
        sum += pair * fade;
        squares += (pair * fade).powi(2);
    }
    (s / (p0 * p1).sqrt(), sum * sum / squares)
}

#[test]
fn every_level_follows_its_definition() -> Checked {
    const M: usize = 3;
    const LEVELS: usize = 6;
    let base_s = 0.25;
    for (feeder, missing) in [
        (Feeder::Levels, 0.0),
        (Feeder::Levels, 0.3),
        (Feeder::Haar, 0.0),
        (Feeder::Haar, 0.3),
    ] {
        let mut config = PyramidConfig::<f64, 2>::new(2, base_s);
        (config.feeder, config.weights) = (feeder, [1.0, 3.0]);
        let mut pyramid = Pyramid::<f64, 2, M, LEVELS>::new(config)?;
        let mut noise = Noise::new(1);
        let (mut samples, mut drift) = (Vec::new(), Complex::new(0.0, 0.0));
        for k in 0..1000 {
            drift += noise.complex();
            let sample = [(); 2].map(|()| {
                let weight = match noise.uniform() {
                    x if x < missing => 0.0,
                    x if x < 2.0 * missing => noise.uniform(),
                    _ => 1.0,
                };
                (
                    drift + noise.complex() * 3.0,
                    if weight > 1e-5 { weight } else { 0.0 },
                )
            });
            pyramid.push_covered(&sample.map(|(value, weight)| Covered { value, weight }));
            samples.push(sample);
            // At odd moments, and at those of the highest levels.
            if k < 900 && k % 97 != 0 {
                continue;
            }
            for (level, lag) in grid::<M, LEVELS>() {
                // Every block is there, 2^{j-1} - 1 ticks after its end.
                let all = blocks(&samples, level, feeder, base_s);
                let step = 1.0 / (2.0 * 2.0 * M as f64);
                let (t, n_eff) = written(&all, lag, step);
                let measured = pyramid.n_eff(level, lag).ok_or("no lag")?;
                assert!(
                    n_eff.is_nan() || (measured - n_eff).abs() < 1e-9,
                    "{k} {level} {lag}: {measured} {n_eff}"
                );
                if let Some(measured) = pyramid.t_at(level, lag) {
                    assert!(
                        (measured - t).norm() < 1e-11,
                        "{feeder:?} {k} {level} {lag}: {measured} {t}"
                    );
                } else {
                    assert!(n_eff.is_nan() || n_eff < 8.0);
                }
            }
        }
        // Where nothing is missing, Haar's triangle is the difference of means over D_j.
        if missing == 0.0 && feeder == Feeder::Haar {
            for level in 0..LEVELS {
                let means = blocks(&samples, level, Feeder::Levels, base_s);
                let differences = blocks(&samples, level, feeder, base_s);
                let block_s = base_s * 2.0_f64.powi(level as i32);
                for b in 1..means.len() {
                    let law = (means[b][0].0 - means[b - 1][0].0) / block_s;
                    assert!((differences[b][0].0 - law).norm() < 1e-10);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn windows_hold_their_number_of_blocks() -> Checked {
    let mut config = PyramidConfig::<f64, 1>::new(1, 0.5);
    (config.window_lags, config.window_s) = (1.5, 100.0);
    let mut pyramid = Pyramid::<f64, 1, 4, 7>::new(config)?;
    for k in 0..300_000_u32 {
        pyramid.push(&[Some(encode_angle(0.3 * f64::from(k)))]);
    }
    for level in 0..7 {
        let block_s = 0.5 * f64::from(1 << level);
        let window_s = (1.5 * 8.0 * block_s).max(100.0);
        assert_eq!(pyramid.window_s(level), window_s);
        let lam = (-block_s / window_s).exp();
        let n_eff = pyramid.n_eff(level, 5).ok_or("no lag")?;
        assert!(
            (n_eff * (1.0 - lam) / (1.0 + lam) - 1.0).abs() < 1e-9,
            "{level}: {n_eff}"
        );
    }
    assert_eq!(pyramid.tau_max_s(), 8.0 * 32.0);
    Ok(())
}

// ------------------------------------------------------------------- tones and spectra

#[test]
fn a_tone_is_exact_at_every_level_and_lag() -> Checked {
    const M: usize = 8;
    const LEVELS: usize = 10;
    for feeder in [Feeder::Levels, Feeder::Haar] {
        for turns in [97_i64, 3_225, 32_363, -81_265, 130_811] {
            // In 2^18 samples, so that each phase is exact but for the encoder's rounding.
            let around = 1_i64 << 18;
            let f = turns as f64 / around as f64;
            let mut config = PyramidConfig::<f64, 1>::new(1, 0.001);
            (config.feeder, config.window_lags) = (feeder, 0.5);
            let mut wide = Pyramid::<f64, 1, M, LEVELS>::new(config)?;
            let mut config = PyramidConfig::<f32, 1>::new(1, 0.001);
            (config.feeder, config.window_lags) = (feeder, 0.5);
            let mut narrow = Pyramid::<f32, 1, M, LEVELS>::new(config)?;
            // The first Haar block is half filled: its effect is gone after 40 windows of 8 blocks.
            for k in 0..around {
                let z = encode_angle(TAU * ((turns * k) % around) as f64 / around as f64);
                wide.push(&[Some(z)]);
                narrow.push(&[Some(Complex::new(z.re as f32, z.im as f32))]);
            }
            for (level, lag) in grid::<M, LEVELS>() {
                let phase = (turns * (lag << level) as i64) % around;
                let law = Complex::cis(TAU * phase as f64 / around as f64);
                // Rounding of the samples against the level's gain for the tone.
                let passed = match feeder {
                    Feeder::Levels => h(f, level).abs(),
                    Feeder::Haar => 2.0 * h(f, level).powi(2) * (PI * f).sin().abs(),
                };
                let t = wide.t_at(level, lag).ok_or("no value")?;
                let off = (t - law).norm();
                assert!(
                    off < 64.0 * f64::EPSILON / passed,
                    "{feeder:?} {f} {level} {lag}: {off:e}"
                );
                let t = narrow.t_at(level, lag).ok_or("no value")?;
                let off = (Complex::new(f64::from(t.re), f64::from(t.im)) - law).norm();
                assert!(
                    off < 64.0 * f64::from(f32::EPSILON) / passed,
                    "{feeder:?} {f} {level} {lag}, f32: {off:e}"
                );
                // On the grid, t finds the same value, at the finest level that has it.
                if level == 0 || lag > M {
                    let tau_s = 0.001 * (lag << level) as f64;
                    assert_eq!(wide.t(tau_s), wide.t_at(level, lag));
                }
            }
        }
    }
    Ok(())
}

/// Frequencies in cycles a base sample, and their powers: one channel each.
type Spectrum = [(f64, f64); 4];

const SPECTRA: [Spectrum; 4] = [
    [(0.001, 1.0), (0.002, 1.0), (0.003, 1.0), (0.004, 1.0)],
    [(-0.002, 3.0), (0.0005, 1.0), (0.0071, 0.2), (-0.013, 0.1)],
    [(0.0001, 10.0), (0.031, 0.05), (0.06, 0.02), (0.11, 0.01)],
    [(0.01, 1.0), (-0.01, 1.0), (0.02, 0.5), (-0.02, 0.5)],
];

/// T of a spectrum at a lag in base samples, with weights of the frequencies.
fn law(spectrum: &Spectrum, tau: f64, weight: impl Fn(f64) -> f64) -> Complex<f64> {
    let (mut t, mut power) = (Complex::new(0.0, 0.0), 0.0);
    for &(f, p) in spectrum {
        t += Complex::cis(TAU * f * tau) * p * weight(f);
        power += p * weight(f);
    }
    t / power
}

/// <f^2> of a spectrum.
fn band_squared(spectrum: &Spectrum, weight: impl Fn(f64) -> f64) -> f64 {
    let power: f64 = spectrum.iter().map(|&(f, p)| p * weight(f)).sum();
    spectrum
        .iter()
        .map(|&(f, p)| p * f * f * weight(f))
        .sum::<f64>()
        / power
}

#[test]
fn errors_of_blocks_and_interpolation_are_within_their_bounds() -> Checked {
    const M: usize = 4;
    const LEVELS: usize = 9;
    for spectrum in SPECTRA {
        for (feeder, passes, factor) in
            [(Feeder::Levels, 2, 2.0 / 3.0), (Feeder::Haar, 4, 4.0 / 3.0)]
        {
            let mut config = PyramidConfig::<f64, 4>::new(4, 1.0);
            (config.feeder, config.window_lags) = (feeder, 1.0);
            config.weights = spectrum.map(|(_, p)| p);
            let mut pyramid = Pyramid::<f64, 4, M, LEVELS>::new(config)?;
            for k in 0..100_000_u32 {
                pyramid.push(&spectrum.map(|(f, _)| Some(encode_angle(TAU * f * f64::from(k)))));
            }
            // The bounds are about the spectrum at the base, that of the differences for Haar.
            let base = |f: f64| match feeder {
                Feeder::Levels => 1.0,
                Feeder::Haar => (PI * f).sin().powi(2),
            };
            let b2 = band_squared(&spectrum, base);
            for (level, lag) in grid::<M, LEVELS>() {
                let block = f64::from(1 << level);
                let on_grid = block * lag as f64;
                let seen = |f: f64| base(f) * h(f, level).powi(passes);
                let t = pyramid.t_at(level, lag).ok_or("no value")?;
                let off = (t - law(&spectrum, on_grid, seen)).norm();
                assert!(off < 1e-8, "{feeder:?} {level} {lag}: {off:e}");
                let averaging = factor * (PI * block).powi(2) * b2;
                let off = (t - law(&spectrum, on_grid, base)).norm();
                assert!(
                    off < averaging + 1e-8,
                    "{feeder:?} {level} {lag}: {off} {averaging}"
                );
                if lag == 2 * M || (level > 0 && lag == M) {
                    continue;
                }
                let interpolation = (TAU * block).powi(2) * b2 / 8.0;
                for share in [0.25, 0.5, 0.77] {
                    let tau = block * (lag as f64 + share);
                    let t = pyramid.t(tau).ok_or("no value")?;
                    let off = (t - law(&spectrum, tau, base)).norm();
                    assert!(
                        off < averaging + interpolation + 1e-8,
                        "{feeder:?} {level} {lag}: {off} {averaging} {interpolation}"
                    );
                    assert!(t.norm() <= 1.0);
                }
            }
        }
    }
    Ok(())
}

#[test]
fn interpolation_of_a_tone_lies_on_a_chord() -> Checked {
    // Half way between two lags, T of a tone is e^{i 2 pi f tau} cos(pi f D_j).
    let f = 0.0123;
    let mut pyramid = Pyramid::<f64, 1, 4, 5>::new(PyramidConfig::new(1, 1.0))?;
    for k in 0..60_000_u32 {
        pyramid.push(&[Some(encode_angle(TAU * f * f64::from(k)))]);
    }
    for level in 0..5 {
        let block = f64::from(1 << level);
        let tau = 6.5 * block;
        let chord = Complex::cis(TAU * f * tau) * (PI * f * block).cos();
        assert!(
            (pyramid.t(tau).ok_or("no value")? - chord).norm() < 1e-9,
            "{level}"
        );
    }
    Ok(())
}

#[test]
fn an_invalid_lag_has_no_value() -> Checked {
    let mut pyramid = Pyramid::<f64, 1, 4, 5>::new(PyramidConfig::new(1, 0.1))?;
    for k in 0..20_000_u32 {
        pyramid.push(&[Some(encode_angle(0.001 * f64::from(k)))]);
    }
    for tau_s in [-0.1, f64::NAN, f64::INFINITY, 12.81, 1e300] {
        assert_eq!(pyramid.t(tau_s), None, "{tau_s}");
    }
    assert!(pyramid.t(0.0).is_some_and(|t| (t - 1.0).norm() < 1e-12));
    assert!(pyramid.t(12.8).is_some());
    assert_eq!(pyramid.t_at(1, 3), None);
    assert_eq!(pyramid.t_at(0, 9), None);
    assert_eq!(pyramid.t_at(5, 5), None);
    Ok(())
}

// ------------------------------------------------------------------- AR(1)

#[test]
fn blocks_of_ar1_have_the_covariance_of_its_sums() -> Checked {
    const M: usize = 2;
    const LEVELS: usize = 6;
    let a = 0.9_f64;
    let mut config = PyramidConfig::<f64, 8>::new(8, 1.0);
    (config.feeder, config.window_lags) = (Feeder::Levels, 500.0);
    let mut pyramid = Pyramid::<f64, 8, M, LEVELS>::new(config)?;
    let (mut noise, mut x) = (Noise::new(4), [Complex::new(0.0, 0.0); 8]);
    for _ in 0..400_000 {
        x = x.map(|x| x * a + noise.complex());
        pyramid.push(&x.map(Some));
    }
    for (level, lag) in grid::<M, LEVELS>() {
        let size = 1_i64 << level;
        let covariance = |lag: i64| -> f64 {
            (1 - size..size)
                .map(|i| (size - i.abs()) as f64 * a.powi((i + lag * size).abs() as i32))
                .sum()
        };
        let r = |lag: i64| covariance(lag) / covariance(0);
        let n = pyramid.n_eff(level, lag).ok_or("no lag")? * 8.0;
        // Bartlett for complex Gauss, at most: twice the sum of squares, for S and for the powers.
        let error = (2.0 * (-60..=60).map(|k| r(k).powi(2)).sum::<f64>() / n).sqrt();
        let t = pyramid.t_at(level, lag).ok_or("no value")?;
        assert!(
            (t - r(lag as i64)).norm() < 5.0 * error,
            "{level} {lag}: {t} {}",
            r(lag as i64)
        );
    }
    Ok(())
}

// ------------------------------------------------------------------- time scale

const SCALE_M: usize = 4;
const SCALE_LEVELS: usize = 8;

/// T at every lag of the grid and between, of a tone in noise with missing samples, with base bins of `base_s`.
fn at_scale<R: Real>(base_s: f64, feeder: Feeder) -> Result<Vec<Option<Complex<R>>>, ConfigError> {
    let mut config = PyramidConfig::<R, 2>::new(2, R::of(base_s));
    (config.feeder, config.window_s) = (feeder, R::of(50.0 * base_s));
    let mut pyramid = Pyramid::<R, 2, SCALE_M, SCALE_LEVELS>::new(config)?;
    let mut noise = Noise::new(6);
    for k in 0..20_000_u32 {
        let sample = [0.3, 1.7].map(|phase| {
            let z = noise.complex() + encode_angle(0.004 * f64::from(k) + phase);
            let weight = if noise.uniform() < 0.2 {
                noise.uniform()
            } else {
                1.0
            };
            Covered {
                value: Complex::new(R::of(z.re), R::of(z.im)),
                weight: R::of(weight),
            }
        });
        pyramid.push_covered(&sample);
        if k == 9000 {
            pyramid.pass(700);
        }
    }
    let on_grid = grid::<SCALE_M, SCALE_LEVELS>().map(|(level, lag)| pyramid.t_at(level, lag));
    let between = [0.5, 3.3, 11.7, 300.0, 1000.0].map(|lags| pyramid.t(R::of(lags * base_s)));
    Ok(on_grid.chain(between).collect())
}

#[test]
fn time_scaled_by_a_power_of_two_gives_the_same_bits() -> Checked {
    for feeder in [Feeder::Levels, Feeder::Haar] {
        let (wide, narrow) = (at_scale::<f64>(1.0, feeder)?, at_scale::<f32>(1.0, feeder)?);
        assert!(wide.iter().chain(&wide).all(Option::is_some));
        for exponent in [-20, -10, -1, 1, 6, 12] {
            let base_s = 2.0_f64.powi(exponent);
            assert_eq!(at_scale::<f64>(base_s, feeder)?, wide, "2^{exponent}");
            assert_eq!(at_scale::<f32>(base_s, feeder)?, narrow, "2^{exponent}");
        }
    }
    Ok(())
}

#[test]
fn time_from_a_microsecond_to_an_hour_gives_the_same_t() -> Checked {
    for feeder in [Feeder::Levels, Feeder::Haar] {
        let expected = at_scale::<f64>(1.0, feeder)?;
        for base_s in [1e-6, 1e-3, 60.0, 3600.0] {
            for (t, expected) in at_scale::<f64>(base_s, feeder)?.into_iter().zip(&expected) {
                let (t, expected) = (t.ok_or("no value")?, expected.ok_or("no value")?);
                assert!((t - expected).norm() < 1e-12, "{base_s} s: {t} {expected}");
            }
            for (t, expected) in at_scale::<f32>(base_s, feeder)?.into_iter().zip(&expected) {
                let (t, expected) = (t.ok_or("no value")?, expected.ok_or("no value")?);
                let t = Complex::new(f64::from(t.re), f64::from(t.im));
                assert!(
                    (t - expected).norm() < 1e-4,
                    "{base_s} s, f32: {t} {expected}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn thirty_levels_reach_from_a_microsecond_to_two_hours() -> Checked {
    let pyramid = Pyramid::<f32, 8, 8, 30>::new(PyramidConfig::new(8, 1e-6))?;
    assert!(pyramid.tau_max_s() > 2.3 * 3600.0);
    Ok(())
}

#[test]
fn the_state_size_is_the_sum_of_its_parts() {
    // 2m + 1 blocks of value and coverage, m + 1 lags of six sums, and step, lam and gain a level.
    let level = 17 * 8 * 3 + 9 * 6 + 3;
    let parts = (30 * level + 8 * 6 + 8 * 3) * size_of::<f32>();
    let state = size_of::<Pyramid<f32, 8, 8, 30>>();
    // Heads, padding and the configuration.
    assert!(
        state >= parts && state <= parts + 30 * 16 + 128,
        "{state} {parts}"
    );
    assert!(state < 57_000, "{state}");
    assert!(size_of::<Pyramid<f32, 1, 4, 12>>() < 4_500);
}

// ------------------------------------------------------------------- bands

#[test]
fn a_slow_tone_is_locked_from_milliseconds_to_an_hour() -> Checked {
    // 1 s a sample is too slow: the Emissary's 10 ms are the base, and an hour is 16 levels up.
    const LEVELS: usize = 17;
    let mut pyramid = Pyramid::<f64, 1, 4, LEVELS>::new(PyramidConfig::new(1, 0.01))?;
    let (emissary, master) = (Band::of(Role::Emissary), Band::of(Role::Master));
    let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
    assert_eq!(emissary.taus_s().count(), 7);
    assert_eq!(
        master.taus_s().collect::<Vec<f64>>(),
        [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0]
    );
    // A turn in a day, which no block of the pyramid averages out: five hours of it.
    let f = 1.0 / 86_400.0;
    let mut report = None;
    for k in 0..1_800_000_u32 {
        pyramid.push(&[Some(encode_angle(TAU * f * 0.01 * f64::from(k)))]);
        if k % 1000 == 0 {
            report = Some(synchrony.update(emissary.reading(&pyramid), master.reading(&pyramid)));
            // The Emissary has its value within seconds; the Master needs 8 effective blocks of 480
            // s lags.
            assert!(k < 2000 || emissary.reading(&pyramid).is_some());
        }
    }
    let report = report.ok_or("none")?;
    assert!(report.collapsed && report.aligned, "{report:?}");
    // Exact but for interpolation of lags up to 1920 s on blocks of 327.68 s: (2 pi f D)^2/8 each.
    for band in [&emissary, &master] {
        let order = band.reading(&pyramid).ok_or("none")?.order;
        assert!(
            order <= 1.0 && order > 1.0 - (TAU * f * 327.68).powi(2) / 4.0 - 1e-9,
            "{order}"
        );
    }
    Ok(())
}

#[test]
fn a_rhythm_that_lasts_seconds_but_not_minutes_makes_the_bands_diverge() -> Checked {
    // Complex AR(1) with a coherence time of 100 samples, at lags from 1 to 8 and from 128 to 1024.
    let a = (-1.0_f64 / 100.0).exp();
    let mut config = PyramidConfig::<f64, 8>::new(8, 1.0);
    (config.feeder, config.window_lags) = (Feeder::Levels, 8.0);
    let mut pyramid = Pyramid::<f64, 8, 8, 10>::new(config)?;
    let emissary = Band::new(Role::Emissary, 1.0, 8.0)?;
    let master = Band::new(Role::Master, 128.0, 1024.0)?;
    let (mut noise, mut x) = (Noise::new(9), [Complex::new(0.0, 0.0); 8]);
    let mut orders = Vec::new();
    let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
    for k in 0..600_000 {
        x = x.map(|x| x * a + noise.complex());
        pyramid.push(&x.map(Some));
        if k % 10_000 == 9_999 && k > 100_000 {
            let (e, m) = (emissary.reading(&pyramid), master.reading(&pyramid));
            let report = synchrony.update(e, m);
            assert!(report.apart && !report.collapsed, "{report:?}");
            orders.push([e.ok_or("none")?.order, m.ok_or("none")?.order]);
        }
    }
    // |T|^2 = a^{2 tau} for the Emissary, whose blocks are samples.
    let law = [1.0, 2.0, 4.0, 8.0]
        .map(|tau| a.powf(2.0 * tau))
        .iter()
        .sum::<f64>()
        / 4.0;
    let mean = |band: usize| orders.iter().map(|o| o[band]).sum::<f64>() / orders.len() as f64;
    // 8 channels and windows of 128 samples of coherence time 100: 1 - T scatters by its own
    // size/3.
    assert!(
        (mean(0) - law).abs() < (1.0 - law) / 3.0,
        "{} {law}",
        mean(0)
    );
    // a^{256} = 0.077 at the first lag, little after it, and noise of 1/(N_eff N) on each.
    assert!(mean(1) < 0.077 / 4.0 + 0.03, "{}", mean(1));
    Ok(())
}

#[test]
fn a_band_is_checked_and_needs_its_pyramid() -> Checked {
    for (base, max) in [
        (0.0, 1.0),
        (-1.0, 1.0),
        (2.0, 1.0),
        (1.0, f64::INFINITY),
        (f64::NAN, 1.0),
    ] {
        assert!(matches!(
            Band::new(Role::Master, base, max),
            Err(ConfigError::Band { .. })
        ));
    }
    let mut pyramid = Pyramid::<f64, 1, 2, 3>::new(PyramidConfig::new(1, 1.0))?;
    for k in 0..2000_u32 {
        pyramid.push(&[Some(encode_angle(0.01 * f64::from(k)))]);
    }
    assert!(
        Band::new(Role::Emissary, 1.0, 16.0)?
            .reading(&pyramid)
            .is_some()
    );
    assert!(
        Band::new(Role::Emissary, 1.0, 32.0)?
            .reading(&pyramid)
            .is_none()
    );
    Ok(())
}

// ------------------------------------------------------------------- time without samples

#[test]
fn passed_time_equals_missing_samples() -> Checked {
    // Except for the blocks that had begun: T is that of the tone, at the right time, at once.
    let tone = |k: u64| Some(encode_angle(0.0071 * k as f64));
    for gap in [1, 7, 100, 4099, 60_000] {
        let mut passed = Pyramid::<f64, 1, 4, 8>::new(PyramidConfig::new(1, 1.0))?;
        for k in 0..20_000 {
            passed.push(&[tone(k)]);
        }
        let mut pushed = passed.clone();
        passed.pass(gap);
        for _ in 0..gap {
            pushed.push(&[None]);
        }
        for k in 0..20_000 {
            let (one, other) = (
                passed.push(&[tone(20_000 + gap + k)]),
                pushed.push(&[tone(20_000 + gap + k)]),
            );
            assert_eq!(one, other);
            if k % 1000 != 3 {
                continue;
            }
            for (level, lag) in grid::<4, 8>() {
                let [a, b] = [&passed, &pushed].map(|p| p.t_at(level, lag));
                let law = Complex::cis(0.0071 * (lag << level) as f64);
                // Blocks with a missing part have an error, by their small weight.
                if let Some(a) = a {
                    assert!((a - law).norm() < 0.25, "{gap} {level} {lag}: {a} {law}");
                }
                assert_eq!(a.is_some(), b.is_some(), "{gap} {k} {level} {lag}");
            }
        }
        for (level, lag) in grid::<4, 8>() {
            let [a, b] = [&passed, &pushed].map(|p| p.t_at(level, lag));
            // Half a block at 8 windows' distance or less.
            let (a, b) = (a.ok_or("no value")?, b.ok_or("no value")?);
            assert!((a - b).norm() < 1e-2, "{gap} {level} {lag}: {a} {b}");
        }
    }
    Ok(())
}

// ------------------------------------------------------------------- bounds

fn bounded<R: Real, const N: usize, const M: usize, const LEVELS: usize>(
    pyramid: &Pyramid<R, N, M, LEVELS>,
) -> bool {
    let one = R::one();
    grid::<M, LEVELS>().all(|(level, lag)| {
        pyramid
            .t_at(level, lag)
            .is_none_or(|t| t.norm() <= one && t.norm_sqr() <= one)
            && pyramid
                .n_eff(level, lag)
                .is_some_and(|n| n >= R::zero() && n.is_finite())
    })
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn t_is_bounded_under_heavy_tails_and_any_coverage(
        seed: u64, haar: bool, window_lags in 3.0..10.0_f64,
        weights in prop::array::uniform3(0.01..10.0_f64),
    ) {
        let mut noise = Noise::new(seed);
        let feeder = if haar { Feeder::Haar } else { Feeder::Levels };
        let mut config = PyramidConfig::<f64, 3>::new(3, 0.01);
        (config.feeder, config.window_lags, config.weights) = (feeder, window_lags, weights);
        let mut wide = Pyramid::<f64, 3, 4, 6>::new(config)?;
        let mut config = PyramidConfig::<f32, 3>::new(3, 0.01);
        (config.feeder, config.window_lags) = (feeder, window_lags as f32);
        config.weights = weights.map(|w| w as f32);
        let mut narrow = Pyramid::<f32, 3, 4, 6>::new(config)?;
        let mut seen = 0;
        for k in 0..2000 {
            let d = [(); 3].map(|()| {
                let value = noise.complex() / noise.complex().re;
                let weight = (2.0 * noise.uniform() - 0.6).max(0.0);
                Covered { value, weight }
            });
            wide.push_covered(&d);
            narrow.push_covered(&d.map(|Covered { value, weight }| Covered {
                value: Complex::new(value.re as f32, value.im as f32),
                weight: weight as f32,
            }));
            if k % 50 == 0 {
                prop_assert!(bounded(&wide) && bounded(&narrow));
                seen += usize::from(wide.t_at(0, 1).is_some());
            }
        }
        prop_assert!(seen > 0);
    }

    #[test]
    fn any_bits_leave_no_nan(
        haar: bool, base in any::<u64>(),
        samples in prop::collection::vec((any::<[u64; 3]>(), 0..3_u8), 0..200),
    ) {
        let feeder = if haar { Feeder::Haar } else { Feeder::Levels };
        let base_s = Some(f64::from_bits(base).abs()).filter(|&x| x > 0.0 && x < 1e290).unwrap_or(1.0);
        let mut config = PyramidConfig::<f64, 1>::new(1, base_s);
        config.feeder = feeder;
        let mut wide = Pyramid::<f64, 1, 2, 5>::new(config)?;
        let mut config = PyramidConfig::<f32, 1>::new(1, 0.5);
        config.feeder = feeder;
        let mut narrow = Pyramid::<f32, 1, 2, 5>::new(config)?;
        for (bits, kind) in samples {
            let [re, im, weight] = bits.map(f64::from_bits);
            let value = Complex::new(re, im);
            let [a, b, c] = bits.map(|bits| f32::from_bits(bits as u32));
            match kind {
                0 => {
                    wide.push(&[Some(value)]);
                    narrow.push(&[Some(Complex::new(a, b))]);
                }
                1 => {
                    wide.push_covered(&[Covered { value, weight }]);
                    narrow.push_covered(&[Covered { value: Complex::new(a, b), weight: c }]);
                }
                _ => {
                    wide.pass(bits[0]);
                    narrow.pass(bits[0] >> 40);
                }
            }
            prop_assert!(bounded(&wide) && bounded(&narrow));
        }
        // Earlier samples do not prevent later ones from being used.
        for k in 0..1000 {
            wide.push(&[Some(encode_angle(0.3 * f64::from(k)))]);
        }
        prop_assert!(bounded(&wide));
    }
}

#[test]
fn each_field_is_checked() {
    let good = PyramidConfig::<f64, 2>::new(2, 0.01);
    let refused = |change: &dyn Fn(&mut PyramidConfig<f64, 2>)| {
        let mut config = good.clone();
        change(&mut config);
        Pyramid::<f64, 2, 4, 6>::new(config).err()
    };
    assert_eq!(refused(&|_| ()), None);
    assert!(matches!(
        refused(&|c| c.channels = 3),
        Some(ConfigError::Channels { .. })
    ));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(
            refused(&|c| c.base_s = bad),
            Some(ConfigError::Base { .. })
        ));
        assert!(matches!(
            refused(&|c| c.window_lags = bad),
            Some(ConfigError::WindowLags { .. })
        ));
        assert!(
            bad == 0.0
                || matches!(
                    refused(&|c| c.window_s = bad),
                    Some(ConfigError::Window { .. })
                )
        );
    }
    assert!(matches!(
        refused(&|c| c.base_s = f64::MAX),
        Some(ConfigError::Window { .. })
    ));
    assert!(matches!(
        refused(&|c| c.weights = [0.0; 2]),
        Some(ConfigError::WeightSum { .. })
    ));
    assert!(matches!(
        refused(&|c| c.weights = [1.0, -1.0]),
        Some(ConfigError::Weight { channel: 1, .. })
    ));
}
