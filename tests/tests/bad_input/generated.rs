//! Generated bad input: huge, nested without end, truncated, or changed at random.

use crate::{bounded, misbehaviour};
use becomingone::{CoherenceEngine, scene};
use becomingone_tests::{folder, root};
use proptest::prelude::*;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

/// A scene of a rover.
const SCENE: &str = include_str!("../../fixtures/bad_input/scenes/no_mistake/scene.ron");
/// A cart with an arm.
const URDF: &str = include_str!("../../fixtures/bad_input/robots/no_mistake/robot.urdf");

/// `check` and `run` refuse a file in a folder with a message that contains this.
fn refuse(folder: &Path, file: &str, expected: &str) {
    for args in [
        ["check", file].as_slice(),
        &[
            "run",
            file,
            "--rerun",
            "off",
            "--duration",
            "10ms",
            "--quiet",
        ],
    ] {
        let ran = bounded(folder, args, 1_000_000);
        assert_eq!(misbehaviour(&ran), None, "{args:?}");
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(expected),
            "{args:?}: no {expected:?} in {}",
            ran.stderr
        );
    }
}

#[test]
fn files_nested_without_end_are_refused_with_their_place() {
    let brackets = "(".repeat(200_000);
    let lists = format!("(version: 1, agents: {}", "[".repeat(200_000));
    let angles = "<".repeat(200_000);
    let open = "<a>".repeat(200_000);
    let nested = format!("<robot name=\"r\">{open}");
    let closed = format!("{nested}{}</robot>", "</a>".repeat(200_000));
    for (file, text) in [
        ("brackets.ron", brackets),
        ("lists.ron", lists),
        ("angles.urdf", angles),
        ("nested.urdf", nested),
        ("closed.urdf", closed),
    ] {
        refuse(folder(&[(file, &text)]).path(), file, &format!("{file}:1:"));
    }
}

#[test]
fn files_above_64_mib_are_refused_by_their_size() {
    for file in ["huge.ron", "huge.urdf"] {
        let here = folder(&[]);
        let sparse = File::create(here.path().join(file)).unwrap();
        sparse.set_len(65 << 20).unwrap();
        refuse(here.path(), file, "bytes");
        refuse(here.path(), file, file);
    }
}

#[test]
fn of_a_hundred_thousand_errors_the_first_are_listed_and_the_rest_counted() {
    let waypoints = "(1e9, 2.0), ".repeat(100_000);
    let here = folder(&[("far.ron", &SCENE.replace("(1, 0)", &waypoints))]);
    let ran = bounded(here.path(), &["check", "far.ron"], 1_000_000);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("and 99980 more"), "{}", ran.stderr);
}

#[test]
fn a_hundred_thousand_waypoints_are_read_and_one_more_is_refused() {
    let waypoints = "(1.0, 2.0), ".repeat(100_000);
    let text = SCENE.replace("(1, 0)", &waypoints);
    let one_more = text.replacen("(1.0, 2.0)", "(1.0, 2.0), (1.0, 2.0)", 1);
    let here = folder(&[("long.ron", &text), ("too_long.ron", &one_more)]);
    let ran = bounded(here.path(), &["check", "long.ron"], 1_000_000);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = bounded(here.path(), &["check", "too_long.ron"], 1_000_000);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("waypoints_m: found 100001 entries"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_scene_just_below_32_mib_is_refused_in_bounded_time_and_memory() {
    // Far more entries than a scene may have.
    let waypoints = "(1,2),".repeat(5_000_000);
    let here = folder(&[("large.ron", &SCENE.replace("(1, 0)", &waypoints))]);
    let ran = bounded(here.path(), &["check", "large.ron"], 4_000_000);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("waypoints_m: found 5000000 entries"),
        "{}",
        ran.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_device_without_an_end_is_refused() {
    let ran = bounded(folder(&[]).path(), &["check", "/dev/zero"], 1_000_000);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn a_scene_or_robot_cut_anywhere_is_refused_with_its_file_name() {
    let here = folder(&[]);
    for (source, file) in [
        ("scenes/warehouse_robot.ron", "cut.ron"),
        ("assets/rover.urdf", "cut.urdf"),
    ] {
        let whole = fs::read(root().join(source)).unwrap();
        let path = here.path().join(file);
        // Every byte would take long: the step shares no factor with common line lengths.
        for cut in (0..whole.trim_ascii_end().len()).step_by(7) {
            fs::write(&path, &whole[..cut]).unwrap();
            let read = match file {
                "cut.ron" => scene::load(&path, None).map(drop),
                _ => scene::dropped(&path).map(drop),
            };
            let error = read.expect_err("a part of a file is refused").to_string();
            assert!(error.contains(file), "{error}");
        }
    }
}

/// Places of numbers in the scene.
fn numbers() -> Vec<(usize, usize)> {
    let bytes = SCENE.as_bytes();
    let digit = |k: usize| {
        bytes
            .get(k)
            .is_some_and(|b| b.is_ascii_digit() || *b == b'.')
    };
    let mut places = Vec::new();
    let mut k = 0;
    while k < bytes.len() {
        if digit(k)
            && bytes[k] != b'.'
            && !bytes[k - 1].is_ascii_alphanumeric()
            && bytes[k - 1] != b'_'
        {
            let end = (k..).find(|&e| !digit(e)).unwrap();
            places.push((k, end));
            k = end;
        }
        k += 1;
    }
    places
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// With any numbers, a scene is refused, or it runs.
    #[test]
    fn a_scene_with_any_two_numbers_changed_is_refused_or_runs(
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
        values in prop::array::uniform2(prop_oneof![
            Just("0".to_owned()), Just("-1".to_owned()), Just("NaN".to_owned()), Just("inf".to_owned()),
            (-12i32..12).prop_map(|e| format!("1e{e}")),
            (-9i32..6).prop_map(|e| format!("-1e{e}")),
            any::<i64>().prop_map(|x| x.to_string()),
            (0u32..100_000).prop_map(|x| x.to_string()),
        ]),
    ) {
        let places = numbers();
        let mut at = [*first.get(&places), *second.get(&places)];
        at.sort_unstable();
        let mut text = SCENE.to_owned();
        // From the end, so that earlier places do not move.
        text.replace_range(at[1].0..at[1].1, &values[1]);
        if at[0] != at[1] {
            text.replace_range(at[0].0..at[0].1, &values[0]);
        }
        let here = folder(&[("any.ron", &text)]);
        match CoherenceEngine::from_scene(here.path().join("any.ron")) {
            Err(error) => {
                let error = error.to_string();
                prop_assert!(error.contains("any.ron:"), "{}", error);
            }
            Ok(mut engine) => {
                for _ in 0..20 {
                    prop_assert!(engine.step().is_ok(), "{}", text);
                }
                let summary = engine.summary();
                prop_assert!(summary.agents[0].position.iter().all(|x| x.is_finite()), "{}", text);
                prop_assert!(summary.agents[0].sensors.iter().all(|s| s.non_finite == 0), "{}", text);
            }
        }
    }

    /// With any bytes, a description is refused with its name, or it is read.
    #[test]
    fn a_description_with_any_bytes_changed_is_refused_or_read(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..8),
        gone in 0usize..8,
    ) {
        let mut text = URDF.as_bytes().to_vec();
        let at = at.index(text.len());
        let end = (at + gone).min(text.len());
        text.splice(at..end, bytes);
        let here = folder(&[]);
        let path = here.path().join("any.urdf");
        fs::write(&path, text).unwrap();
        match scene::dropped(&path) {
            Err(error) => prop_assert!(error.to_string().contains("any.urdf"), "{}", error),
            Ok(loaded) => {
                let mut engine = CoherenceEngine::from_loaded(loaded);
                prop_assert!(engine.run_for(Duration::from_millis(5)).is_ok());
            }
        }
    }
}
