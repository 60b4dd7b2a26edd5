//! BLEND against closed forms: decay under a varying coherence, recall at a constant rate, the steady-state
//! number of items; and the signature's distances of tones.
//!
//! Tolerances are rounding, the error of the midpoint rule, or five standard errors.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use becomingone_kernel::{
    Blend, BlendConfig, Complex, DEFAULT_LAGS, Near, Real, ResonanceConfig, Role, Signature,
    Transducer, encode_angle,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand_distr::{Distribution, Exp1, StandardUniform};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;
use std::error::Error;
use std::f64::consts::{PI, TAU};

type Checked = Result<(), Box<dyn Error>>;

/// Proptest keeps a failing seed in `blend.regressions`, beside this file.
fn kept() -> ProptestConfig {
    let file = FileFailurePersistence::WithSource("regressions");
    ProptestConfig {
        failure_persistence: Some(Box::new(file)),
        ..ProptestConfig::default()
    }
}

fn config<R: Real>(fading_per_s: f64, forget_below: f64) -> BlendConfig<R> {
    BlendConfig {
        fading_per_s: R::of(fading_per_s),
        protection: R::of(0.9),
        recall: R::of(0.3),
        forget_below: R::of(forget_below),
    }
}

fn strength<const CAP: usize>(blend: &Blend<f64, (), CAP>, slot: usize) -> Option<f64> {
    blend.get(slot).map(|held| held.strength)
}

// ------------------------------------------------------------------- decay without recall

#[test]
fn without_recall_strength_is_the_exponential_of_the_integral() -> Checked {
    let (l0, beta, s0) = (0.02, 0.9, 0.8);
    for dt_s in [0.02, 0.5] {
        let mut blend = Blend::<f64, (), 2>::new(config(l0, 0.0))?;
        let slot = blend.remember((), s0).ok_or("not remembered")?;
        // c = (1 + sin w t)/2, sampled in the middle of each step.
        let w = 0.7;
        let steps = (600.0 / dt_s) as u32;
        for k in 0..steps {
            let middle_s = (f64::from(k) + 0.5) * dt_s;
            blend.advance(dt_s, Some((1.0 + (w * middle_s).sin()) / 2.0));
        }
        let t_s = f64::from(steps) * dt_s;
        let integral = t_s - beta / 2.0 * (t_s + (1.0 - (w * t_s).cos()) / w);
        let law = s0 * (-l0 * integral).exp();
        // Midpoint rule: (dt^2/24) t max|c''| of each unit of beta l0, c'' <= w^2/2.
        let rule = l0 * beta * dt_s * dt_s / 24.0 * t_s * w * w / 2.0;
        let measured = strength(&blend, slot).ok_or("forgotten")?;
        assert!(
            (measured / law - 1.0).abs() < rule + 1e-12,
            "{measured} {law}"
        );
    }
    Ok(())
}

#[test]
fn items_decay_by_the_coherence_of_their_own_lifetime() -> Checked {
    // Coherence 1 for 100 s, then 0 for 10 s, four times; one item at each change.
    let (l0, beta) = (0.01, 0.9);
    let mut blend = Blend::<f64, (), 16>::new(config(l0, 0.0))?;
    let spans = [(100.0, 1.0), (10.0, 0.0)].repeat(4);
    for &(seconds, c) in &spans {
        blend.remember((), 1.0).ok_or("not remembered")?;
        for _ in 0..1000 {
            blend.advance(seconds / 1000.0, Some(c));
        }
    }
    for (slot, _) in spans.iter().enumerate() {
        let lived = spans.iter().skip(slot);
        let integral: f64 = lived.map(|(s, c)| l0 * (1.0 - beta * c) * s).sum();
        let law = (-integral).exp();
        let measured = strength(&blend, slot).ok_or("forgotten")?;
        assert!((measured / law - 1.0).abs() < 1e-12, "{measured} {law}");
    }
    Ok(())
}

#[test]
fn strength_keeps_its_precision_over_years_and_over_microseconds() -> Checked {
    // Ten years in days, half decayed in a year; and a minute in microseconds, half decayed in 20 s.
    let year_s = 365.25 * 86_400.0;
    for (l0, dt_s, ticks) in [
        (2.0_f64.ln() / year_s, 86_400.0, 3652_u32),
        (2.0_f64.ln() / 20.0, 1.0e-6, 60_000_000),
    ] {
        let mut doubles = Blend::<f64, (), 1>::new(config(l0, 0.0))?;
        let mut singles = Blend::<f32, (), 1>::new(config(l0, 0.0))?;
        doubles.remember((), 1.0).ok_or("not remembered")?;
        singles.remember((), 1.0).ok_or("not remembered")?;
        let (dt_single, c_single) = (<f32 as Real>::of(dt_s), Some(0.5_f32));
        for _ in 0..ticks {
            doubles.advance(dt_s, Some(0.5));
            singles.advance(dt_single, c_single);
        }
        let faded = l0 * 0.55 * dt_s * f64::from(ticks);
        let measured = strength(&doubles, 0).ok_or("forgotten")?;
        // A rounding of l0 dt, and one or two of each e-fold.
        let off = measured / (-faded).exp() - 1.0;
        assert!(off.abs() < 1e-13, "{dt_s} s: {off:e}");
        let single = singles.get(0).ok_or("forgotten")?.strength;
        let off = f64::from(single) / (-faded).exp() - 1.0;
        assert!(off.abs() < 1e-6, "{dt_s} s: {off:e} in f32");
    }
    Ok(())
}

#[test]
fn strength_does_not_depend_on_the_time_scale() -> Checked {
    // Scaled by powers of two, to the last bit.
    let life = |dt_s: f64| -> Result<u64, Box<dyn Error>> {
        let mut blend = Blend::<f64, (), 1>::new(config(0.003 / dt_s, 0.0))?;
        blend.remember((), 1.0).ok_or("not remembered")?;
        for k in 0..5000_u32 {
            blend.advance(dt_s, Some(f64::from(k % 100) / 100.0));
            if k % 700 == 0 {
                blend.recall(0);
            }
        }
        Ok(strength(&blend, 0).ok_or("forgotten")?.to_bits())
    };
    let second = life(1.0)?;
    for octave in [-20, -10, 12, 17] {
        assert_eq!(life(2.0_f64.powi(octave))?, second, "2^{octave} s");
    }
    Ok(())
}

// ------------------------------------------------------------------- recall at a constant rate

#[test]
fn recall_at_a_constant_rate_reaches_the_fixed_point() -> Checked {
    let (l0, beta, a_r) = (0.01, 0.9, 0.3);
    for (period_s, c) in [(10.0, 0.0), (60.0, 0.4), (300.0, 1.0), (500.0, 0.2)] {
        let mut blend = Blend::<f64, (), 1>::new(config(l0, 0.0))?;
        blend.remember((), 1.0).ok_or("not remembered")?;
        let q = (-l0 * (1.0 - beta * c) * period_s).exp();
        let law = a_r / (1.0 - (1.0 - a_r) * q);
        let mut after = 1.0;
        for n in 1..=80 {
            for _ in 0..100 {
                blend.advance(period_s / 100.0, Some(c));
            }
            let before = strength(&blend, 0).ok_or("forgotten")?;
            assert!((before / (q * after) - 1.0).abs() < 1e-12);
            after = blend.recall(0).ok_or("forgotten")?;
            // The map s <- a_r + (1 - a_r) q s contracts by (1 - a_r) q.
            let left = (1.0 - law) * ((1.0 - a_r) * q).powi(n);
            assert!((after - law - left).abs() < 1e-12, "{n}: {after} {law}");
        }
        assert!((after - law).abs() < 1e-9, "{after} {law}");
    }
    Ok(())
}

#[test]
fn recall_cannot_restore_a_forgotten_item() -> Checked {
    // The fixed point holds only where q s* >= s_min: here q s* = 0.16 and s_min = 0.2.
    let (l0, a_r, s_min, period_s) = (0.01, 0.3, 0.2, 80.0);
    let q = f64::exp(-l0 * period_s);
    assert!(q * a_r / (1.0 - (1.0 - a_r) * q) < s_min);
    let mut blend = Blend::<f64, (), 1>::new(config(l0, s_min))?;
    blend.remember((), 1.0).ok_or("not remembered")?;
    let recalls = (0..20)
        .take_while(|_| {
            blend.advance(period_s, None);
            blend.recall(0).is_some()
        })
        .count();
    assert!((1..20).contains(&recalls), "{recalls}");
    assert_eq!(blend.count(), 0);
    Ok(())
}

// ------------------------------------------------------------------- the steady-state number

#[test]
fn regular_arrivals_are_held_for_their_lifetime() -> Checked {
    let (l0, beta, s_min) = (0.01, 0.9, 0.05);
    for (rate_hz, c, s0) in [(0.1, 0.0, 1.0), (0.25, 0.5, 0.6), (0.02, 1.0, 1.0)] {
        let mut blend = Blend::<f64, (), 128>::new(config(l0, s_min))?;
        let held = rate_hz * f64::ln(s0 / s_min) / (l0 * (1.0 - beta * c));
        for _ in 0..1000 {
            blend.remember((), s0).ok_or("not remembered")?;
            blend.advance(1.0 / rate_hz, Some(c));
        }
        // Between two arrivals the number is one of the two integers next to the mean.
        let count = blend.count() as f64;
        assert!(
            count >= held.floor() && count <= held.ceil(),
            "{count} {held}"
        );
    }
    Ok(())
}

#[test]
fn random_arrivals_are_held_in_the_number_of_littles_law() -> Checked {
    let (l0, beta, s_min, c, rate_hz) = (0.01, 0.9, 0.05, 0.5, 0.05);
    let lifetime_s = f64::ln(1.0 / s_min) / (l0 * (1.0 - beta * c));
    let law = rate_hz * lifetime_s;
    let mut random = Pcg64::seed_from_u64(11);
    let mut blend = Blend::<f64, (), 256>::new(config(l0, s_min))?;
    let mut counts = Vec::new();
    let (mut now_s, mut read_s) = (0.0, 2.0 * lifetime_s);
    while counts.len() < 2000 {
        let wait_s: f64 = Distribution::<f64>::sample(&Exp1, &mut random) / rate_hz;
        let next_s = now_s + wait_s;
        // Read once a lifetime: no item lives through two readings, so they are independent.
        while read_s <= next_s {
            blend.advance(read_s - now_s, Some(c));
            now_s = read_s;
            counts.push(blend.count() as f64);
            read_s += lifetime_s;
        }
        blend.advance(next_s - now_s, Some(c));
        now_s = next_s;
        blend.remember((), 1.0).ok_or("not remembered")?;
    }
    // Poisson: mean and variance are both the law.
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / n;
    assert!((mean - law).abs() < 5.0 * (law / n).sqrt(), "{mean} {law}");
    let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n;
    let error = law * (2.0 / n + 1.0 / (law * n)).sqrt();
    assert!((variance - law).abs() < 5.0 * error, "{variance} {law}");
    Ok(())
}

#[test]
fn at_capacity_the_latest_items_are_held() -> Checked {
    // Capacity for a quarter of the items that would be held.
    let mut blend = Blend::<f64, u32, 16>::new(config(0.01, 0.05))?;
    for k in 0..500 {
        blend.remember(k, 1.0).ok_or("not remembered")?;
        blend.advance(5.0, None);
    }
    let mut held: Vec<u32> = blend.iter().map(|h| *h.item).collect();
    held.sort_unstable();
    assert_eq!(held, (484..500).collect::<Vec<_>>());
    Ok(())
}

// ------------------------------------------------------------------- signatures

const DT_S: f64 = 0.02;

type Sign = Signature<f64, 2, 3>;

/// The signature after both windows are full of tones: one a channel, each at its phase.
fn tones(hz: f64, phases: &[f64], dt_s: f64) -> Result<Sign, Box<dyn Error>> {
    let transducer = |role, window: f64| {
        let config = ResonanceConfig::new(phases.len(), window * dt_s, DEFAULT_LAGS);
        Transducer::<f64, 2, 3, 5>::with_config(role, config)
    };
    let mut emissary = transducer(Role::Emissary, 50.0)?;
    let mut master = transducer(Role::Master, 3000.0)?;
    let mut phi = [None; 2];
    for k in 0..400_u32 {
        for (phi, phase) in phi.iter_mut().zip(phases) {
            *phi = Some(encode_angle(TAU * hz * DT_S * f64::from(k) + phase));
        }
        emissary.push(&phi, dt_s);
        master.push(&phi, dt_s);
    }
    Ok(Signature::of(&phi, &emissary, &master))
}

#[test]
fn distance_of_tones_is_the_law_of_their_frequencies() -> Checked {
    for (a, b) in [(1.0, 1.0), (1.0, 1.5), (3.0, 2.0), (2.0, -2.0), (0.5, 12.5)] {
        let squares = DEFAULT_LAGS.map(|l| (PI * (a - b) * DT_S * l as f64).sin().powi(2));
        let law = (squares.iter().sum::<f64>() / 3.0).sqrt();
        let (one, other) = (tones(a, &[0.3], DT_S)?, tones(b, &[1.1], DT_S)?);
        let measured = one.distance(&other);
        assert!((measured - law).abs() < 1e-7, "{a} {b}: {measured} {law}");
        assert_eq!(measured, other.distance(&one));
        assert!(one.order().is_some_and(|order| (order - 1.0).abs() < 1e-12));
        assert!(one.delta().is_some_and(|delta| delta < 1e-12));
    }
    Ok(())
}

#[test]
fn distance_of_gaits_depends_on_phase_offsets_only() -> Checked {
    for (a, b) in [(0.0, 0.0), (0.0, PI), (0.4, 2.0)] {
        // Two legs: <z_a, z_b> = (1 + e^{i (b - a)})/2, and the rhythm is the same.
        let law = ((b - a) / 2.0_f64).sin().abs() / 2.0;
        let one = tones(2.0, &[0.7, 0.7 + a], DT_S)?;
        let other = tones(2.0, &[-1.9, -1.9 + b], DT_S)?;
        let measured = one.distance(&other);
        assert!((measured - law).abs() < 1e-7, "{a} {b}: {measured} {law}");
    }
    Ok(())
}

#[test]
fn a_signature_does_not_depend_on_the_time_scale() -> Checked {
    let second = tones(3.0, &[0.1, 2.0], 1.0)?;
    for octave in [-20, -6, 12] {
        // The same turns a sample, at another time between samples.
        assert_eq!(tones(3.0, &[0.1, 2.0], 2.0_f64.powi(octave))?, second);
    }
    Ok(())
}

#[test]
fn a_part_that_only_one_signature_has_counts_as_distance_1() -> Checked {
    let silent = || -> Result<Sign, Box<dyn Error>> {
        let e = Transducer::<f64, 2, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?;
        let m = Transducer::<f64, 2, 3, 5>::new(Role::Master, 1, DEFAULT_LAGS)?;
        Ok(Signature::of(&[None], &e, &m))
    };
    let (nothing, tone) = (silent()?, tones(2.0, &[0.0], DT_S)?);
    assert_eq!(nothing.distance(&tone), 1.0);
    // Without a common part there is no similarity.
    assert_eq!(nothing.distance(&silent()?), 1.0);
    assert_eq!((nothing.order(), nothing.delta()), (None, None));
    Ok(())
}

#[test]
fn signatures_of_noise_are_at_the_distance_of_their_scatter() -> Checked {
    // T of white noise scatters by |T|^2 = 1/N_eff, so two of them are some sqrt(1/(2 N_eff)) apart.
    let mut random = Pcg64::seed_from_u64(5);
    let mut noise = || {
        let turns: f64 = StandardUniform.sample(&mut random);
        Some(encode_angle(TAU * turns))
    };
    let mut resonances = [
        Transducer::<f64, 1, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?,
        Transducer::<f64, 1, 3, 5>::new(Role::Master, 1, DEFAULT_LAGS)?,
    ];
    let mut signatures = Vec::new();
    for k in 0..60_000_u32 {
        let phi = [noise()];
        for transducer in &mut resonances {
            transducer.push(&phi, DT_S);
        }
        if k % 300 == 299 && k > 30_000 {
            let [e, m] = &resonances;
            signatures.push(Signature::of(&phi, e, m));
        }
    }
    let squares: Vec<f64> = signatures
        .chunks_exact(2)
        .filter_map(|pair| Some(pair.first()?.distance(pair.get(1)?).powi(2)))
        .collect();
    let mean = squares.iter().sum::<f64>() / squares.len() as f64;
    let n_eff = resonances[0].resonance().n_eff(0).ok_or("no value")?;
    // D^2 = (2 now + past)/3, now = |E_a - E_b|^2/4 = 2/(4 N_eff); the Master hardly changes.
    let law = 2.0 / 3.0 / (2.0 * n_eff);
    assert!((mean / law - 1.0).abs() < 0.25, "{mean} {law}");
    Ok(())
}

// ------------------------------------------------------------------- any input

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn any_bits_leave_every_strength_in_bounds(
        fields in any::<[u64; 4]>(),
        steps in prop::collection::vec((0..3_u8, any::<u64>(), any::<u64>()), 0..200),
    ) {
        let mut settings = config(0.1, 0.05);
        let [l0, beta, a_r, s_min] = fields.map(|bits| f64::from_bits(bits).abs());
        // Invalid configurations are refused, by a test beside the code; here the others are tried.
        for (field, value, top) in [
            (&mut settings.fading_per_s, l0, f64::MAX),
            (&mut settings.protection, beta, 0.999),
            (&mut settings.recall, a_r, 1.0),
            (&mut settings.forget_below, s_min, 0.999),
        ] {
            if value <= top {
                *field = value;
            }
        }
        let mut blend = Blend::<f64, u64, 8>::new(settings)?;
        for (kind, a, b) in steps {
            let before: Vec<_> = blend.iter().map(|h| (h.slot, h.serial, h.strength)).collect();
            match kind {
                0 => {
                    blend.advance(f64::from_bits(a), Some(f64::from_bits(b)));
                    for (slot, serial, strength) in before {
                        let held = blend.get(slot).filter(|h| h.serial == serial);
                        // Strength never increases with time, except for the last digit at a reset of Lambda.
                        prop_assert!(held.is_none_or(|h| h.strength <= strength * (1.0 + 4.0 * f64::EPSILON)));
                    }
                }
                1 => {
                    blend.remember(a, f64::from_bits(b));
                }
                _ => {
                    let slot = (a % 9) as usize;
                    let was = blend.get(slot).map(|h| h.strength);
                    let is = blend.recall(slot);
                    prop_assert_eq!(was.is_some(), is.is_some());
                    prop_assert!(is >= was);
                }
            }
            for held in blend.iter() {
                prop_assert!(held.strength > 0.0 && held.strength <= 1.0);
                prop_assert!(held.strength >= settings.forget_below);
            }
        }
    }

    #[test]
    fn nearest_equals_sorting_all_items(
        items in prop::collection::vec(-100..100_i32, 0..40),
        at in -100..100_i32,
        room in 0..20_usize,
    ) {
        let mut blend = Blend::<f64, i32, 32>::new(config(0.1, 0.05))?;
        for item in items {
            blend.remember(item, 1.0);
        }
        let distance = |item: &i32| f64::from((item - at).abs());
        let mut into = vec![Near::default(); room];
        let near = blend.nearest(distance, &mut into);
        let mut all: Vec<_> = blend.iter().map(|h| (distance(h.item), h.serial)).collect();
        all.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        all.truncate(room);
        prop_assert_eq!(near.iter().map(|n| (n.distance, n.serial)).collect::<Vec<_>>(), all);
    }

    #[test]
    fn any_bits_have_a_distance_from_0_to_1(
        runs in any::<[[[u64; 5]; 12]; 2]>(),
        tones in any::<[bool; 2]>(),
    ) {
        let mut signatures = Vec::new();
        for (run, tone) in runs.into_iter().zip(tones) {
            let mut e = Transducer::<f64, 2, 3, 5>::new(Role::Emissary, 2, DEFAULT_LAGS)?;
            let mut m = Transducer::<f64, 2, 3, 5>::new(Role::Master, 2, DEFAULT_LAGS)?;
            for k in 0..if tone { 40_u32 } else { 0 } {
                let z = Some(encode_angle(f64::from(k)));
                e.push(&[z, z], DT_S);
                m.push(&[z, z], DT_S);
            }
            let mut phi = [None; 2];
            for bits in run {
                let [a, b, c, d, dt_s] = bits.map(f64::from_bits);
                phi = [Some(Complex::new(a, b)), Some(Complex::new(c, d))];
                e.push(&phi, dt_s);
                m.push(&phi, DT_S);
            }
            signatures.push(Signature::of(&phi, &e, &m));
        }
        if let [a, b] = signatures.as_slice() {
            let distance = a.distance(b);
            prop_assert!((0.0..=1.0).contains(&distance), "{}", distance);
            prop_assert_eq!(distance, b.distance(a));
            let own = a.distance(a);
            // Rounding of a unit phase, under a root.
            prop_assert!(own < 1e-7 || a.order().is_none(), "{}", own);
        }
    }
}
