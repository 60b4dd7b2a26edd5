//! BLEND over a long run: the bound on the number of items, the invariants of merging, and serialisation.

#![allow(
    clippy::disallowed_methods,
    reason = "a test compares with std, and its bounds are wider than last bits"
)]

use std::collections::BTreeMap;
use std::error::Error;

use becomingone_kernel::{
    AgeOctaves, Blend, BlendConfig, ConfigError, DEFAULT_LAGS, Real, Role, Signature, StoreError,
    Stored, Transducer, encode_angle,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand_distr::{Distribution, Exp1, StandardUniform};
use rand_pcg::Pcg64;
use rand_pcg::rand_core::SeedableRng;

type Checked = Result<(), Box<dyn Error>>;

/// Proptest keeps a failing seed in `consolidation.regressions`, beside this file.
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

// ------------------------------------------------------------------- the bound

/// A run of random arrivals, consolidated before each. Items count arrivals, so a lost one would be missing in
/// the sum.
fn life<R: Real>(items: usize, arrivals: u64, seed: u64) -> Checked {
    const CAP: usize = 100;
    let (shortest_s, rate_hz) = (1.0, 0.5);
    let octaves = AgeOctaves::new(shortest_s, items)?;
    let mut blend = Blend::<R, u64, CAP>::new(config(0.0, 0.0))?;
    let mut random = Pcg64::seed_from_u64(seed);
    let (mut age_max_s, mut most) = (0.0_f64, 0);
    for k in 0..arrivals {
        blend.consolidate(&octaves, |a, b| a + b);
        let mut each = BTreeMap::new();
        for held in blend.iter() {
            let age_s = blend.age_s(held.slot).ok_or("no age")?;
            *each
                .entry((age_s / shortest_s).max(1.0).log2().floor() as u32)
                .or_insert(0) += 1;
        }
        assert!(each.values().all(|&n| n <= items), "{k}: {each:?}");
        // b (floor(log2(age_max/D)) + 1), and never b log2 of it, which is less.
        let bound = items * ((age_max_s / shortest_s).max(1.0).log2().floor() as usize + 1);
        assert!(blend.count() <= bound, "{k}: {} {bound}", blend.count());
        assert_eq!(octaves.bound(age_max_s), bound);
        most = most.max(blend.count());
        let strength: f64 = StandardUniform.sample(&mut random);
        blend
            .remember(1, R::of(strength.max(1e-3)))
            .ok_or("not remembered")?;
        let wait_s: f64 = Distribution::<f64>::sample(&Exp1, &mut random) / rate_hz;
        let wait_s = R::of(wait_s);
        blend.advance(wait_s, None);
        age_max_s += Into::<f64>::into(wait_s);
        // No arrival is lost: each is in some item.
        assert_eq!(blend.iter().map(|held| held.item).sum::<u64>(), k + 1);
    }
    // The bound is tight: a history of this length has that many octaves.
    assert!(most * 2 > octaves.bound(age_max_s), "{most}");
    Ok(())
}

#[test]
fn a_long_run_has_a_bounded_number_of_items() -> Checked {
    life::<f64>(1, 10_000, 1)?;
    life::<f64>(4, 30_000, 2)?;
    life::<f32>(3, 10_000, 3)
}

#[test]
fn octaves_are_whole_logarithms() -> Checked {
    let octaves = AgeOctaves::new(0.5, 3)?;
    for (age_s, octave) in [
        (0.0, 0),
        (0.4, 0),
        (0.999, 0),
        (1.0, 1),
        (1.999, 1),
        (2.0, 2),
        (512.0, 10),
        (f64::INFINITY, 1023),
        (-1.0, 0),
        (f64::NAN, 1023),
    ] {
        assert_eq!(octaves.octave_of(age_s), octave, "{age_s}");
    }
    for (shortest_s, items) in [
        (0.0, 1),
        (-1.0, 1),
        (f64::NAN, 1),
        (f64::INFINITY, 1),
        (1.0, 0),
    ] {
        assert!(matches!(
            AgeOctaves::new(shortest_s, items),
            Err(ConfigError::AgeOctaves { .. })
        ));
    }
    Ok(())
}

// ------------------------------------------------------------------- invariants of merging

#[test]
fn the_two_weakest_merge_into_the_stronger_of_them() -> Checked {
    let mut blend = Blend::<f64, u32, 8>::new(config(0.1, 0.05))?;
    for (item, strength) in [(10, 0.9), (20, 0.3), (30, 0.5), (40, 0.4)] {
        blend.remember(item, strength).ok_or("none")?;
        blend.advance(0.01, None);
    }
    let faded = (-0.1_f64 * 0.01).exp();
    let octaves = AgeOctaves::new(1.0, 3)?;
    // 0.3, the older, and 0.4, the stronger: it keeps place and serial number, at the older's age.
    let [two, four] = [0.3 * faded.powi(3), 0.4 * faded];
    assert_eq!(
        blend.consolidate(&octaves, |strong, weak| strong * 100 + weak),
        1
    );
    assert_eq!(blend.count(), 3);
    assert!(blend.get(1).is_none());
    let merged = blend.get(3).ok_or("gone")?;
    assert_eq!((merged.serial, *merged.item), (3, 4020));
    assert!((merged.strength - (1.0 - (1.0 - two) * (1.0 - four))).abs() < 1e-12);
    assert!((blend.age_s(3).ok_or("gone")? - 0.03).abs() < 1e-12);
    // The free place is used again.
    assert_eq!(blend.remember(50, 0.5), Some(1));
    Ok(())
}

#[test]
fn merging_keeps_the_product_of_missing_strengths() -> Checked {
    let mut random = Pcg64::seed_from_u64(5);
    let mut blend = Blend::<f64, (), 64>::new(config(1e-4, 0.0))?;
    for _ in 0..60 {
        let strength: f64 = StandardUniform.sample(&mut random);
        blend.remember((), 0.05 + 0.5 * strength).ok_or("none")?;
        blend.advance(3.0 * strength, Some(strength));
    }
    let missing = |blend: &Blend<f64, (), 64>| -> f64 {
        blend.iter().map(|held| (1.0 - held.strength).ln()).sum()
    };
    let before = missing(&blend);
    for items in [20, 9, 3] {
        let octaves = AgeOctaves::new(0.1, items)?;
        assert!(blend.consolidate(&octaves, |(), ()| ()) > 0);
        assert!((missing(&blend) / before - 1.0).abs() < 1e-9, "{items}");
        assert_eq!(blend.consolidate(&octaves, |(), ()| ()), 0);
    }
    Ok(())
}

// ------------------------------------------------------------------- serialisation

type Sign = Signature<f64, 2, 3>;

fn signature(angle: f64, ticks: u32) -> Result<Sign, ConfigError> {
    let mut emissary = Transducer::<f64, 2, 3, 5>::new(Role::Emissary, 2, DEFAULT_LAGS)?;
    let mut master = Transducer::<f64, 2, 3, 5>::new(Role::Master, 2, DEFAULT_LAGS)?;
    let mut phi = [None; 2];
    for k in 0..ticks {
        phi = [Some(encode_angle(angle * f64::from(k))), None];
        emissary.push(&phi, 0.02);
        master.push(&phi, 0.02);
    }
    Ok(Signature::of(&phi, &emissary, &master))
}

#[test]
fn a_restored_memory_is_identical_and_continues_identically() -> Checked {
    let config = config::<f64>(0.02, 0.05);
    let mut blend = Blend::<f64, Sign, 6>::new(config)?;
    for k in 0..40_u32 {
        // With and without phases and T.
        blend.remember(signature(0.1 * f64::from(k), 30 * (k % 3))?, 1.0);
        blend.advance(0.37, Some(f64::from(k) / 40.0));
        blend.recall((k % 5) as usize);
    }
    blend.advance(-1.0, None);
    let mut bytes = vec![0xaa; blend.stored_size() + 3];
    let saved = blend.save(&mut bytes)?;
    assert_eq!(saved.len(), blend.stored_size());
    let mut back = Blend::load(config, saved)?;
    assert_eq!(back, blend);
    for memory in [&mut blend, &mut back] {
        memory.advance(3.3, Some(0.2));
        memory.consolidate(&AgeOctaves::new(0.5, 2)?, |a, _| *a);
        memory.recall(4);
    }
    assert_eq!(back, blend);
    // The same in f32, of another kind of item.
    let config = self::config::<f32>(0.02, 0.05);
    let mut small = Blend::<f32, u32, 4>::new(config)?;
    for k in 0..9 {
        small.remember(k, 0.7);
        small.advance(0.3, None);
    }
    let mut bytes = [0; 300];
    assert_eq!(
        Blend::<f32, u32, 4>::load(config, small.save(&mut bytes)?)?,
        small
    );
    Ok(())
}

#[test]
fn a_memory_is_restored_after_any_tick() -> Checked {
    // Once Lambda has reached 1 it is reset to 0, and its rounding error is subtracted from the next steps. In
    // f32 that is up to 6e-8, more than these steps: Lambda must not fall below 0, where a memory is invalid.
    let config = BlendConfig {
        forget_below: 0.0,
        ..config::<f32>(0.07, 0.0)
    };
    let (mut blend, mut least) = (Blend::<f32, u64, 2>::new(config)?, f32::MAX);
    let mut bytes = [0; 256];
    for k in 0..2000_u64 {
        blend.advance(0.37, None);
        for _ in 0..4 {
            blend.advance(1e-7, None);
            blend.remember(k, 1.0);
            least = least.min(blend.faded());
            assert_eq!(Blend::load(config, blend.save(&mut bytes)?)?, blend, "{k}");
        }
    }
    assert_eq!(least, 0.0);
    Ok(())
}

#[test]
fn bytes_that_are_no_memory_are_refused_by_cause() -> Checked {
    let config = config::<f64>(0.02, 0.05);
    type Numbers<const CAP: usize> = Blend<f64, u64, CAP>;
    let mut blend = Numbers::<4>::new(config)?;
    for k in 0..4 {
        blend.remember(k, 1.0);
    }
    let mut room = [0; 500];
    let size = blend.stored_size();
    assert_eq!(
        blend.save(&mut [0; 20]).err(),
        Some(StoreError::Room {
            needed: size,
            found: 20
        })
    );
    let saved = blend.save(&mut room)?.to_vec();
    let refused = |bytes: &[u8]| Numbers::<4>::load(config, bytes).err();
    assert_eq!(refused(b""), Some(StoreError::Length { found: 0 }));
    assert_eq!(
        refused(b"PNG\0 and more"),
        Some(StoreError::Kind { found: *b"PNG\0" })
    );
    assert_eq!(refused(&saved[..size - 1]), Some(StoreError::Checksum));
    let mut later = saved.clone();
    later[4] = 2;
    assert_eq!(refused(&later), Some(StoreError::Version { found: 2 }));
    assert_eq!(
        Numbers::<2>::load(config, &saved).err(),
        Some(StoreError::Slot {
            slot: 2,
            capacity: 2
        })
    );
    assert_eq!(
        Blend::<f32, u64, 4>::load(self::config(0.02, 0.05), &saved).err(),
        Some(StoreError::Float {
            found: 8,
            needed: 4
        })
    );
    assert_eq!(
        Blend::<f64, u32, 4>::load(config, &saved).err(),
        Some(StoreError::Item { index: 0 })
    );
    let bad = BlendConfig {
        recall: 2.0,
        ..config
    };
    assert!(matches!(
        Numbers::<4>::load(bad, &saved).err(),
        Some(StoreError::Config(_))
    ));
    Ok(())
}

/// The checksum as its authors define it, recomputed after bytes were changed.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len().saturating_sub(8);
    let mut sum = 14_695_981_039_346_656_037_u64;
    for byte in &bytes[..body] {
        sum ^= u64::from(*byte);
        sum = sum.wrapping_mul(1_099_511_628_211);
    }
    bytes.truncate(body);
    bytes.extend(sum.to_le_bytes());
    bytes
}

fn some_memory(seed: u64) -> Result<(Blend<f64, u64, 8>, Vec<u8>), Box<dyn Error>> {
    let mut blend = Blend::new(config(0.1, 0.05))?;
    for k in 0..seed % 12 {
        blend.remember(k, 0.9);
        blend.advance(0.5, None);
    }
    let mut bytes = vec![0; blend.stored_size()];
    blend.save(&mut bytes)?;
    Ok((blend, bytes))
}

proptest! {
    #![proptest_config(kept())]

    #[test]
    fn one_changed_byte_is_always_detected(seed: u64, at: prop::sample::Index, by in 1..=255_u8) {
        let (_, mut bytes) = some_memory(seed).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        prop_assert!(Blend::<f64, u64, 8>::load(config(0.1, 0.05), &bytes).is_err());
    }

    #[test]
    fn forged_bytes_give_an_error_or_a_memory_in_bounds(
        seed: u64,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (_, mut bytes) = some_memory(seed).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            // Behind the header, whose errors would hide all others.
            bytes[at.max(8)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        if let Ok(mut blend) = Blend::<f64, u64, 8>::load(config(0.1, 0.05), &sealed(bytes)) {
            for _ in 0..3 {
                for held in blend.iter() {
                    prop_assert!(held.strength > 0.0 && held.strength <= 1.0);
                    prop_assert!(blend.age_s(held.slot).is_some_and(|age| age >= 0.0));
                }
                prop_assert!((0.0..=1.0).contains(&blend.faded()));
                blend.advance(1.0, Some(0.5));
                blend.remember(7, 0.8);
                blend.recall(0);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_signature_in_bounds_or_none(bytes in prop::collection::vec(any::<u8>(), 0..140), good: bool) {
        let size = signature(0.1, 0)?.size();
        let mut bytes = bytes;
        if good {
            bytes.resize(size, 0);
            for at in [0, 17, 34, 34 + 49] {
                bytes[at] &= 1;
            }
        }
        if let Some(signature) = Sign::read(&bytes) {
            prop_assert!(signature.order().is_none_or(|order| (0.0..=1.0).contains(&order)));
            prop_assert!((0.0..=1.0).contains(&signature.distance(&signature)));
        }
    }
}
