//! Time-scale invariance: the same dimensionless input, with time in units of a microsecond, a millisecond, a
//! second, a minute and an hour, gives the same outputs; to the last bit where the unit is a power of two.
//!
//! Each subject below maps a unit of time to dimensionless numbers. Its times are multiplied by the unit, its
//! rates divided by it. `oracles.rs`, `pyramid.rs`, `blend.rs` and `kuramoto.rs` test the same of the
//! resonance, the pyramid, one memory and a fleet, each in its own way.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::error::Error;

use becomingone_kernel::{
    AgeOctaves, Band, Binned, Bins, Blend, BlendConfig, Complex, DEFAULT_LAGS, Feeder, Kuramoto,
    Monitor, PhaseVelocity, Pyramid, PyramidConfig, Real, ResonanceConfig, Role, SelfModelConfig,
    Signature, Synchrony, SynchronyConfig, SynchronyReport, Trainer, Transducer, Verdict,
    encode_angle, lorentzian_quantile, uniform_critical, uniform_order,
};
#[cfg(feature = "extras")]
use becomingone_kernel::{Mutual, Reflection, StateWitness};
use rand_distr::{Distribution, StandardNormal};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;
type Numbers = Result<Vec<f64>, Box<dyn Error>>;

/// The scales of the definition, in seconds.
const UNITS_S: [f64; 5] = [1e-6, 1e-3, 1.0, 60.0, 3600.0];

/// Powers of two near these.
const OCTAVES: [i32; 6] = [-20, -10, -1, 1, 6, 12];

struct Noise(Pcg64);

impl Noise {
    fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }
}

/// A missing value is a number of its own.
fn or_none<R: Real>(x: Option<R>) -> f64 {
    x.map_or(-77.0, Into::into)
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

/// The subject at all scales: `off` is the tolerance where the unit is no power of two.
fn has_no_scale(subject: impl Fn(f64) -> Numbers, off: f64) -> Checked {
    let second = subject(1.0)?;
    assert!(second.len() > 3 && second.iter().any(|&x| x != -77.0 && x != 0.0));
    for octave in OCTAVES {
        let scaled = subject(2.0_f64.powi(octave))?;
        assert_eq!(bits(&scaled), bits(&second), "2^{octave} s");
    }
    for unit_s in UNITS_S {
        let scaled = subject(unit_s)?;
        assert_eq!(scaled.len(), second.len());
        for (k, (a, b)) in scaled.iter().zip(&second).enumerate() {
            assert!((a - b).abs() <= off, "{unit_s} s, {k}: {a} {b}");
        }
    }
    Ok(())
}

/// A rhythm in noise that reverses, with missing samples, jitter and pauses: phi of two channels, and the step.
fn rhythm(noise: &mut Noise, k: u32) -> ([Option<Complex<f64>>; 2], f64) {
    let angle = 0.4 * f64::from(if k < 900 { k } else { 1800 - k.min(1800) });
    let phi = [0.0, 1.9].map(|phase| {
        let (re, im) = (noise.normal(), noise.normal());
        let z = encode_angle(angle + phase) + Complex::new(re, im) * 0.03;
        (re < 1.8).then_some(z)
    });
    let steps = match k {
        _ if k % 300 == 299 => 9.0,
        _ => 1.0 + 0.25 * f64::from(k % 3),
    };
    (phi, steps)
}

fn narrowed<R: Real>(z: Option<Complex<f64>>) -> Option<Complex<R>> {
    z.map(|z| Complex::new(R::of(z.re), R::of(z.im)))
}

fn report_numbers<R: Real>(report: &SynchronyReport<R>) -> [f64; 6] {
    [
        or_none(report.delta),
        or_none(report.t_sync.map(|t| t.re)),
        or_none(report.t_sync.map(|t| t.im)),
        flag(report.aligned),
        flag(report.apart),
        flag(report.collapsed),
    ]
}

fn verdict_numbers<R: Real, const N: usize>(verdict: Option<&Verdict<R, N>>) -> Vec<f64> {
    let Some(v) = verdict else {
        return vec![-77.0];
    };
    let mut all = vec![
        or_none(v.k1),
        v.k2.into(),
        v.k3.into(),
        v.surprise.into(),
        v.coherence.into(),
        flag(v.dissipated),
        or_none(v.t_emissary),
        or_none(v.t_master),
        or_none(v.delta),
        v.cause.map_or(-1.0, |cause| cause as f64),
    ];
    all.extend(v.blame.map(Into::<f64>::into));
    all
}

// ------------------------------------------------------------------- order

#[test]
fn a_phase_velocity_scales_with_the_inverse_of_time() -> Checked {
    let subject = |unit_s: f64| {
        let mut velocity = PhaseVelocity::<f64, 2>::new(2)?;
        let mut noise = Noise::new(1);
        let mut all = Vec::new();
        for k in 0..600 {
            let (phi, steps) = rhythm(&mut noise, k);
            for d in velocity.push(&phi, steps * unit_s) {
                all.push(or_none(d.map(|d| d.re * unit_s)));
                all.push(or_none(d.map(|d| d.im * unit_s)));
            }
        }
        Ok(all)
    };
    has_no_scale(subject, 1e-14)
}

/// Emissary, Master and synchrony of the rhythm, and signatures of two of its moments, at every tick.
fn order<R: Real>(unit_s: f64) -> Numbers {
    let transducer = |role, window: f64| {
        let mut config = ResonanceConfig::<R, 2, 3>::new(2, R::of(window * unit_s), DEFAULT_LAGS);
        config.max_gap_s = R::of(5.0 * unit_s);
        config.nu_rad_s = R::of(0.001 / unit_s);
        Transducer::<R, 2, 3, 5>::with_config(role, config)
    };
    let mut emissary = transducer(Role::Emissary, 30.0)?;
    let mut master = transducer(Role::Master, 400.0)?;
    let mut velocity = PhaseVelocity::<R, 2>::new(2)?;
    let mut synchrony = Synchrony::new(SynchronyConfig {
        collapse: R::of(0.5),
        ..SynchronyConfig::default()
    })?;
    let mut noise = Noise::new(2);
    let (mut all, mut signatures) = (Vec::new(), Vec::new());
    let (mut collapses, mut partings) = (0, 0);
    for k in 0..1500 {
        let (phi, steps) = rhythm(&mut noise, k);
        let phi = phi.map(narrowed::<R>);
        let dt_s = R::of(steps * unit_s);
        let d = velocity.push(&phi, dt_s);
        emissary.push(d, dt_s);
        master.push(d, dt_s);
        for transducer in [&emissary, &master] {
            let reading = transducer.reading();
            all.push(or_none(reading.map(|r| r.order)));
            all.push(or_none(reading.map(|r| r.t.im)));
        }
        let report = synchrony.update(emissary.reading(), master.reading());
        all.extend(report_numbers(&report));
        collapses += u32::from(report.collapsed);
        partings += u32::from(report.apart);
        if k % 100 == 50 {
            signatures.push(Signature::of(&phi, &emissary, &master));
        }
    }
    // The rhythm is detected: it locks, and is lost.
    assert!(collapses > 100 && partings > 0, "{collapses} {partings}");
    for (i, a) in signatures.iter().enumerate() {
        for b in &signatures[..i] {
            all.push(a.distance(b).into());
        }
    }
    Ok(all)
}

#[test]
fn transducers_synchrony_and_signatures_do_not_depend_on_the_time_scale() -> Checked {
    has_no_scale(order::<f64>, 1e-11)?;
    has_no_scale(order::<f32>, 2e-3)
}

/// Irregular readings through bins and a pyramid, to two bands and their synchrony.
///
/// Stamps are whole nanoseconds, so the units are as well.
fn bands(unit_ns: u64, unit_s: f64) -> Numbers {
    let mut bins = Bins::<f64, 2>::new(2, 8 * unit_ns, 20 * unit_ns)?;
    let base_s = 8.0 * unit_s;
    let mut config = PyramidConfig::new(2, base_s);
    config.feeder = Feeder::Levels;
    let mut pyramid = Pyramid::<f64, 2, 4, 7>::new(config)?;
    let emissary = Band::new(Role::Emissary, 2.0 * base_s, 8.0 * base_s)?;
    let master = Band::new(Role::Master, 16.0 * base_s, 200.0 * base_s)?;
    let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
    let mut noise = Noise::new(3);
    let (mut all, mut t_ns) = (Vec::new(), 0);
    for k in 0..30_000_u64 {
        // Every 1 to 7 units, and a pause of 300 at times.
        t_ns += unit_ns * (1 + k * k % 7) + if k % 5000 == 4999 { 300 * unit_ns } else { 0 };
        let angle = 0.002 * (t_ns / unit_ns) as f64;
        let phi = [0.0, 2.0].map(|phase| {
            let (re, im) = (noise.normal(), noise.normal());
            (re < 1.5).then(|| encode_angle(angle + phase) + Complex::new(re, im) * 0.1)
        });
        bins.push(t_ns, &phi, |bin| match bin {
            Binned::Bin(cells) => {
                pyramid.push_covered(cells);
            }
            Binned::Gap { bins } => pyramid.pass(bins),
        });
        if k % 50 == 49 {
            let readings = [&emissary, &master].map(|band| band.reading(&pyramid));
            all.extend(readings.map(|reading| or_none(reading.map(|r| r.order))));
            all.extend(report_numbers(&synchrony.update(readings[0], readings[1])));
        }
    }
    assert!(synchrony.collapsed());
    Ok(all)
}

#[test]
fn bins_and_bands_do_not_depend_on_the_time_scale() -> Checked {
    let nanoseconds = 1e9;
    // Powers of two of nanoseconds, about 1 us, 1 ms, 1 s, a minute and an hour.
    let base = |power: u32| bands(1 << power, 2.0_f64.powi(power as i32 - 30));
    let expected = base(10)?;
    for power in [20, 30, 36, 42] {
        assert_eq!(bits(&base(power)?), bits(&expected), "2^{power} ns");
    }
    for unit_s in UNITS_S {
        let scaled = bands((unit_s * nanoseconds).round() as u64, unit_s)?;
        for (k, (a, b)) in scaled.iter().zip(&expected).enumerate() {
            assert!((a - b).abs() < 1e-11, "{unit_s} s, {k}: {a} {b}");
        }
    }
    Ok(())
}

#[test]
fn a_fleet_does_not_depend_on_the_time_scale() -> Checked {
    let subject = |unit_s: f64| {
        let omegas: Vec<f64> = (0..60)
            .map(|i| lorentzian_quantile(i, 60, 0.5 / unit_s) + 0.3 / unit_s)
            .collect();
        let mut noise = Noise::new(4);
        let mut phases: Vec<_> = omegas
            .iter()
            .map(|_| encode_angle(noise.normal()))
            .collect();
        let fleet = Kuramoto {
            coupling_rad_s: 2.0 / unit_s,
            frame_rad_s: 0.3 / unit_s,
        };
        let mut all = Vec::new();
        for _ in 0..400 {
            let field = fleet
                .step(&mut phases, &omegas, 0.05 * unit_s)
                .ok_or("none")?;
            all.extend([field.re, field.im]);
        }
        all.push(fleet.rate_rad_s(phases[0], omegas[0], phases[1]) * unit_s);
        all.push(uniform_critical(0.7 / unit_s) * unit_s);
        all.push(uniform_order(1.3 / unit_s, 0.7 / unit_s));
        Ok(all)
    };
    has_no_scale(subject, 1e-11)
}

// ------------------------------------------------------------------- surprise

/// Three sensors of one plant and its command; one of them freezes. With steps that jitter, and pauses.
fn plant(noise: &mut Noise, state: &mut [f64; 2], k: u32) -> ([Option<f64>; 3], f64, f64) {
    let command = if (k / 40).is_multiple_of(2) {
        1.0
    } else {
        -1.0
    };
    state[0] += 0.2 * (command - state[0]) + 0.05 * noise.normal();
    state[1] += 0.1 * state[0] - 0.05 * state[1];
    let mut outputs = [state[0], 3.0 * state[0], state[1]].map(|x| Some(x + 0.03 * noise.normal()));
    if (600..700).contains(&k) {
        outputs[1] = Some(0.7);
    }
    if k % 13 == 5 {
        outputs[2] = None;
    }
    let steps = if k % 250 == 249 {
        40.0
    } else {
        1.0 + 0.25 * f64::from(k % 3)
    };
    (outputs, command, steps)
}

fn verdicts<R: Real>(unit_s: f64) -> Numbers {
    let config = SelfModelConfig {
        outputs: 3,
        inputs: 1,
        ..SelfModelConfig::<R>::default()
    };
    let mut trainer = Trainer::<R, 3, 1>::new(config)?;
    let (mut noise, mut state) = (Noise::new(5), [0.0; 2]);
    let (mut all, mut alarms) = (Vec::new(), 0);
    for k in 0..1000 {
        let (outputs, command, steps) = plant(&mut noise, &mut state, k);
        let outputs = outputs.map(|x| x.map(R::of));
        let verdict = trainer.push(&outputs, &[Some(R::of(command))], R::of(steps * unit_s));
        alarms += u32::from(verdict.is_some_and(|v| v.dissipated));
        all.extend(verdict_numbers(verdict.as_ref()));
    }
    assert!(alarms > 30 && trainer.model().counters().gaps == 4);
    let thresholds = trainer.model().thresholds().ok_or("not trained")?;
    all.extend([thresholds.k1, thresholds.k2, thresholds.k3].map(Into::<f64>::into));
    Ok(all)
}

#[test]
fn verdicts_do_not_depend_on_the_time_scale() -> Checked {
    // A self-model counts ticks: its verdicts are the same to the last bit at any scale.
    has_no_scale(verdicts::<f64>, 0.0)?;
    has_no_scale(verdicts::<f32>, 0.0)
}

#[test]
fn a_monitor_does_not_depend_on_the_time_scale() -> Checked {
    let subject = |unit_s: f64| {
        let mut monitor = Monitor::<3>::new(3)?;
        let (mut noise, mut state, mut t) = (Noise::new(6), [0.0; 2], 1000.0);
        let mut all = Vec::new();
        for k in 0..1000 {
            let (outputs, _, steps) = plant(&mut noise, &mut state, k);
            t += steps;
            let values = outputs.map(|x| x.unwrap_or(f64::NAN));
            all.extend(verdict_numbers(monitor.push(t * unit_s, &values).as_ref()));
        }
        all.push(monitor.model().counters().gaps as f64);
        Ok(all)
    };
    has_no_scale(subject, 0.0)
}

#[cfg(feature = "extras")]
#[test]
fn modes_of_witnessing_do_not_depend_on_the_time_scale() -> Checked {
    let subject = |unit_s: f64| {
        let config = SelfModelConfig {
            warm_up_samples: 200,
            ..SelfModelConfig::default()
        };
        let mut mutual = Mutual::<f64, 1, 2>::new(config)?;
        let mut reflection = Reflection::<f64, 2>::new(config)?;
        let (mut noise, mut state) = (Noise::new(7), [0.0; 2]);
        let mut all = Vec::new();
        for k in 0..1100 {
            let ([a, b, c], _, steps) = plant(&mut noise, &mut state, k);
            let dt_s = steps * unit_s;
            let of_both = mutual.push(&[a], &[b, c], dt_s);
            all.push(or_none(of_both.coherence));
            all.extend(verdict_numbers(of_both.of_second.as_ref()));
            for deeper in reflection.push(of_both.of_first.as_ref(), dt_s) {
                all.extend(verdict_numbers(deeper.as_ref()));
            }
        }
        Ok(all)
    };
    has_no_scale(subject, 0.0)
}

#[cfg(feature = "extras")]
#[test]
fn a_state_witness_does_not_depend_on_the_time_scale() -> Checked {
    let subject = |unit_s: f64| {
        let mut witness = StateWitness::<f64, 2>::new(7.0 * unit_s)?;
        let mut noise = Noise::new(8);
        let mut all = Vec::new();
        for k in 0..300 {
            let x = [noise.normal(), noise.normal() + 5.0];
            witness.push(&x, (0.5 + 0.25 * f64::from(k % 4)) * unit_s);
            all.extend(witness.state());
        }
        Ok(all)
    };
    has_no_scale(subject, 1e-13)
}

// ------------------------------------------------------------------- memory

#[test]
fn a_long_memory_does_not_depend_on_the_time_scale() -> Checked {
    let subject = |unit_s: f64| {
        let config = BlendConfig {
            fading_per_s: 0.003 / unit_s,
            protection: 0.9,
            recall: 0.4,
            forget_below: 0.05,
        };
        let mut blend = Blend::<f64, u32, 24>::new(config)?;
        let octaves = AgeOctaves::new(4.0 * unit_s, 3)?;
        let (mut all, mut merges) = (Vec::new(), 0);
        for k in 0..4000_u32 {
            if k % 5 == 0 {
                merges += blend.consolidate(&octaves, |a, b| a + b);
                blend.remember(1, 0.3 + f64::from(k % 7) / 10.0);
            }
            if k % 31 == 0 {
                blend.recall((k % 24) as usize);
            }
            blend.advance(0.8125 * unit_s, Some(f64::from(k % 100) / 100.0));
        }
        for held in blend.iter() {
            all.extend([held.slot as f64, held.serial as f64, held.strength]);
            all.push(f64::from(*held.item));
            all.push(or_none(blend.age_s(held.slot)) / unit_s);
        }
        assert!(merges > 100, "{merges}");
        all.push(merges as f64);
        all.push(blend.remembered() as f64);
        Ok(all)
    };
    has_no_scale(subject, 1e-9)
}
