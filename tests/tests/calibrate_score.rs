//! `calibrate` and `score` on the built binary: thresholds that fit back onto their scene, and what
//! cannot be done told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{folder, run};
use std::path::Path;

/// A rover that patrols a yard without end, and learns for 30 s.
const YARD: &str = "(version: 1, name: \"yard\", seed: 1, agents: [(
    name: \"rover\", model: \"rover.urdf\", drive: Auto,
    sensors: [
        (name: \"imu\", kind: Imu(
            gyro: (white_sd: 0.0077, turn_on_bias_sd: 0.0087, drift_sd: 1.0e-5, resolution: 6.66e-5),
            accelerometer: (white_sd: 0.054, turn_on_bias_sd: 0.098, drift_sd: 1.0e-4, resolution: 8.97e-4),
        ), rate_hz: 1000, position_m: (0, 0, 0.12)),
        (name: \"encoders\", kind: Encoders(noise: (white_sd: 1.0e-4, resolution: 8.2e-5)), rate_hz: 100),
    ],
    controller: Patrol(
        waypoints_m: [(4, 0), (4, 3), (2, 3), (2, 6), (-2, 4), (0, 0)],
        laps: None, speed_m_s: 1.0, lookahead_m: 0.8, localisation: Truth,
    ),
    coherence: Kernel(witness: (warm_up_s: 30)),
)])";

fn done(here: &Path, args: &[&str]) -> String {
    let ran = run(here, args);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn thresholds_of_healthy_runs_are_a_profile_of_their_scene() {
    let here = folder(&[("yard.ron", YARD)]);
    let args = ["calibrate", "yard.ron", "--runs", "2", "--duration", "40s"];
    let said = done(here.path(), &[&args[..], &["--out", "th.ron"]].concat());
    assert!(said.contains("written to th.ron"), "{said}");
    let text = std::fs::read_to_string(here.path().join("th.ron")).unwrap();
    // Two runs of 40 s, of which 30 s are warm-up: 3 / (20 s / 3600 s) by the rule of three, 2.996 to be exact.
    assert!(text.contains("rover: 2 healthy runs"), "{text}");
    assert!(text.contains("fewer than 53"), "{text}");
    assert!(text.contains("thresholds: (k1: "), "{text}");
    done(here.path(), &["check", "yard.ron", "--profile", "th.ron"]);
    // The same runs say the same.
    done(here.path(), &[&args[..], &["--out", "again.ron"]].concat());
    let again = std::fs::read_to_string(here.path().join("again.ron")).unwrap();
    assert_eq!(text, again);
}

#[test]
fn what_cannot_be_calibrated_or_scored_is_told() {
    let bare = "(version: 1, duration_s: 5, agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto)])";
    let here = folder(&[("yard.ron", YARD), ("bare.ron", bare)]);
    for (args, code, says) in [
        (
            &["score", "yard.ron", "--faults", "gremlin"][..],
            2,
            &["--faults: found `gremlin`", "gyro frozen"][..],
        ),
        (
            &["score", "bare.ron"],
            2,
            &["found no agent with sensors and a witness"],
        ),
        (&["score", "none.ron"], 2, &["none.ron"]),
        (&["score", "yard.ron", "--runs", "0"], 2, &["--runs"]),
        (
            &["calibrate", "bare.ron", "--runs", "1", "--out", "th.ron"],
            2,
            &["found no agent whose witness was trained"],
        ),
        (
            &["calibrate", "yard.ron", "--false-alarms-per-hour", "0"],
            2,
            &["0.001 to 1000"],
        ),
        (
            &[
                "calibrate",
                "yard.ron",
                "--runs",
                "1",
                "--duration",
                "40s",
                "--out",
                "no/folder/th.ron",
            ],
            1,
            &["no/folder/th.ron"],
        ),
    ] {
        let ran = run(here.path(), args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.stderr);
        for fragment in says {
            assert!(ran.stderr.contains(fragment), "{args:?}: {}", ran.stderr);
        }
    }
    assert!(!here.path().join("th.ron").exists());
}
