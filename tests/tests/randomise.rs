//! Domain randomisation: what a seed draws.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use becomingone::prelude::*;
use becomingone::scene::{Overlays, SceneLoader};
use becomingone::{EngineBuilder, Plugins};
use std::path::Path;

fn engine(seed: u64, randomise: &str) -> CoherenceEngine {
    let sets = match randomise {
        "" => Vec::new(),
        text => vec![format!("randomise=({text})")],
    };
    let overlays = Overlays {
        sets,
        ..Overlays::default()
    };
    let kinds = Plugins::new().kinds();
    let loader = SceneLoader::new(&kinds).overlays(&overlays);
    let mut loaded = loader.named(Path::new("robot")).unwrap();
    loaded.scene.seed = seed;
    let mut engine = EngineBuilder::with(Plugins::new()).loaded(loaded);
    engine.start().unwrap();
    engine
}

fn refused(randomise: &str) -> String {
    let overlays = Overlays {
        sets: vec![format!("randomise=({randomise})")],
        ..Overlays::default()
    };
    let kinds = Plugins::new().kinds();
    let loader = SceneLoader::new(&kinds).overlays(&overlays);
    let error = loader.named(Path::new("robot")).map(drop);
    error.unwrap_err().to_string()
}

fn hash(engine: &mut CoherenceEngine) -> String {
    for _ in 0..500 {
        engine.step().unwrap();
    }
    engine.summary().state_hash
}

const ALL: &str = "mass: (0.7, 1.4), friction: (0.6, 1.1), noise: (0.5, 2.0), position_m: 0.2, yaw_rad: 0.3, \
    faults: [(sensor: \"rover/imu\", kind: Freeze(), at_s: 0.1)], fault_share: 0.5, fault_spread_s: 0.2";

#[test]
fn a_seed_draws_the_same_again_and_another_one_does_not() {
    let first = hash(&mut engine(3, ALL));
    assert_eq!(hash(&mut engine(3, ALL)), first);
    assert_ne!(hash(&mut engine(4, ALL)), first);
    let mut other = engine(4, ALL);
    hash(&mut other);
    other.set_seed(3).reset().unwrap();
    assert_eq!(hash(&mut other), first);
    // Factors of one, and no shift, are the scene as it is; its hash has the text of the scene in it.
    let end = |randomise| {
        let mut engine = engine(3, randomise);
        hash(&mut engine);
        engine.agent("rover").unwrap().pose.unwrap()
    };
    assert_eq!(
        end("mass: (1, 1), friction: (1, 1), noise: (1, 1)"),
        end("")
    );
}

#[test]
fn starts_are_within_their_bounds_and_spread() {
    let xs: Vec<f32> = (0..40)
        .map(|seed| {
            let engine = engine(seed, "position_m: 0.2");
            engine.agent("rover").unwrap().pose.unwrap().translation_m.x
        })
        .collect();
    let middle = engine(0, "")
        .agent("rover")
        .unwrap()
        .pose
        .unwrap()
        .translation_m
        .x;
    assert!(
        xs.iter().all(|x| (x - middle).abs() <= 0.2 + 1e-5),
        "{xs:?}"
    );
    let far = xs.iter().filter(|x| (*x - middle).abs() > 0.1).count();
    assert!((8..=32).contains(&far), "{far} of 40");
}

#[test]
fn noise_of_zero_is_the_truth_and_mass_is_carried() {
    let mut quiet = engine(5, "noise: (0, 0)");
    hash(&mut quiet);
    let reading = quiet.reading::<Imu>("rover/imu").unwrap().latest().unwrap();
    let truth = quiet.truth::<Imu>("rover/imu").unwrap();
    // The resolution stays.
    let off = reading.value.specific_force_m_s2 - truth.specific_force_m_s2;
    assert!(off.length() < 0.02, "{off}");
    let moved = |mass: &str| {
        let mut engine = engine(5, mass);
        for _ in 0..100 {
            let push = Twist2 {
                linear_m_s: 1.0,
                angular_rad_s: 0.0,
            };
            engine.command("rover", push).unwrap();
            engine.step().unwrap();
        }
        engine
            .agent("rover")
            .unwrap()
            .twist
            .unwrap()
            .linear_m_s
            .length()
    };
    assert!(
        moved("mass: (5, 5)") < 0.95 * moved(""),
        "a heavy rover starts more slowly"
    );
}

#[test]
fn a_share_of_the_runs_has_a_fault() {
    let frozen = (0..40).filter(|seed| {
        let mut engine = engine(
            *seed,
            "faults: [(sensor: \"rover/imu\", kind: Freeze())], fault_share: 0.5",
        );
        let mut last = Vec::new();
        for _ in 0..20 {
            engine.step().unwrap();
            let imu = engine
                .reading::<Imu>("rover/imu")
                .unwrap()
                .latest()
                .unwrap();
            last.push(imu.value.specific_force_m_s2);
        }
        last[15] == last[19]
    });
    // 40 tosses: 9 to 31 but once in 3000.
    let frozen = frozen.count();
    assert!((9..=31).contains(&frozen), "{frozen} of 40");
}

#[test]
fn wrong_ranges_are_refused_with_their_names() {
    for (text, expected) in [
        (
            "mass: (0, 1)",
            "randomise.mass: found 0; expected factors from 0.01 to 100",
        ),
        (
            "mass: (2, 1)",
            "randomise.mass: found (2, 1); expected the smaller factor first",
        ),
        ("noise: (-1, 1)", "randomise.noise: found -1"),
        ("position_m: -1", "randomise.position_m"),
        ("fault_share: 0.5", "one of which those runs have"),
        ("masses: (1, 1)", "did you mean `mass`?"),
        (
            "faults: [(sensor: \"rover/imo\", kind: Freeze())], fault_share: 1",
            "rover/imo",
        ),
        (
            "faults: [(sensor: \"rover/imu\", kind: Freez())], fault_share: 1",
            "did you mean `Freeze`?",
        ),
    ] {
        let error = refused(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}
