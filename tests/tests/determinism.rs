//! Determinism: the same scene and seed give the same bits, independent of threads, recording and front end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::CoherenceEngine;
use becomingone_tests::{folder, root, run, say, summary};
use std::path::PathBuf;
use std::time::Duration;

fn hash(args: &[&str]) -> String {
    summary(args)["state_hash"].as_str().unwrap().to_owned()
}

fn scene(name: &str) -> PathBuf {
    root().join("scenes").join(name).with_extension("ron")
}

/// Two robots that meet: several physics islands for the threads.
const TWO: &str = "(version: 1, agents: [
    (name: \"a\", model: \"rover.urdf\", position_m: (0, 0, 0), drive: Auto,
     sensors: [(name: \"lidar\", kind: Lidar(rays: 90, range_max_m: 8, noise: (white_sd: 0.01)), rate_hz: 10)],
     controller: Patrol(waypoints_m: [(6, 0)], speed_m_s: 1, localisation: Truth)),
    (name: \"b\", model: \"rover.urdf\", position_m: (6, 0.2, 0), yaw_rad: 3, drive: Auto,
     sensors: [(name: \"encoders\", kind: Encoders(noise: (white_sd: 0.001)), rate_hz: 100)],
     controller: Patrol(waypoints_m: [(0, 0)], speed_m_s: 1)),
])";

#[test]
fn two_runs_have_the_same_hash() {
    let args = ["robot", "--duration", "20s"];
    assert_eq!(hash(&args), hash(&args));
}

#[test]
fn threads_do_not_change_the_hash() {
    let here = folder(&[("two.ron", TWO)]);
    let two = here.path().join("two.ron").to_str().unwrap().to_owned();
    for what in ["robot", "ramp_climb", &two] {
        let one = hash(&[what, "--duration", "10s", "--threads", "1"]);
        assert_eq!(
            one,
            hash(&[what, "--duration", "10s", "--threads", "2"]),
            "{what}"
        );
    }
}

#[test]
fn recording_does_not_change_the_hash() {
    let here = folder(&[]);
    let args = [
        "run",
        "robot",
        "--duration",
        "5s",
        "--quiet",
        "--rerun",
        "save=run.rrd",
        "--summary",
        "s.json",
    ];
    let ran = run(here.path(), &args);
    if ran.stderr.contains("built without Rerun") {
        say("skipped: recording_does_not_change_the_hash, as the binary was built without Rerun");
        return;
    }
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(here.path().join("run.rrd").metadata().unwrap().len() > 0);
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let s: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(s["state_hash"], hash(&["robot", "--duration", "5s"]));
}

#[test]
fn another_seed_changes_the_hash() {
    let with = |seed| hash(&["robot", "--duration", "1s", "--seed", seed]);
    assert_eq!(with("1"), with("1"));
    assert_ne!(with("1"), with("2"));
}

#[test]
fn reset_run_repeats_a_fresh_run() {
    for name in ["warehouse_robot", "ramp_climb"] {
        let mut engine = CoherenceEngine::from_scene(scene(name)).unwrap();
        let fresh = engine.run_for(Duration::from_secs(5)).unwrap();
        engine.reset().unwrap();
        assert_eq!(engine.time().now_ns, 0);
        let again = engine.run_for(Duration::from_secs(5)).unwrap();
        let plain = |mut s: becomingone::Summary| {
            (s.wall_s, s.rtf) = (0.0, 0.0);
            s
        };
        assert_eq!(plain(fresh), plain(again), "{name}");
    }
}

#[test]
fn new_seed_applies_after_a_reset() {
    let seconds = Duration::from_secs(1);
    let mut engine = CoherenceEngine::from_scene(scene("warehouse_robot")).unwrap();
    let first = engine.run_for(seconds).unwrap().state_hash;
    engine.set_seed(9).reset().unwrap();
    let second = engine.run_for(seconds).unwrap();
    assert_eq!(second.seed, 9);
    let mut fresh = CoherenceEngine::from_scene(scene("warehouse_robot")).unwrap();
    let fresh = fresh.set_seed(9).run_for(seconds).unwrap().state_hash;
    assert_eq!(second.state_hash, fresh);
    assert_ne!(second.state_hash, first);
}

#[test]
fn stepping_and_running_have_the_same_hash() {
    let mut stepped = CoherenceEngine::from_scene(scene("warehouse_robot")).unwrap();
    for _ in 0..3000 {
        stepped.step().unwrap();
    }
    let mut run = CoherenceEngine::from_scene(scene("warehouse_robot")).unwrap();
    let run = run.run_for(Duration::from_secs(3)).unwrap();
    assert_eq!(run.ticks, 3000);
    assert_eq!(stepped.summary().state_hash, run.state_hash);
}

#[test]
fn library_and_command_line_have_the_same_hash() {
    let mut engine = CoherenceEngine::from_scene(scene("warehouse_robot")).unwrap();
    let library = engine.run_for(Duration::from_secs(2)).unwrap().state_hash;
    assert_eq!(library, hash(&["robot", "--duration", "2s"]));
}
