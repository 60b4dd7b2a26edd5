//! Scene `slip_on_ice`: an alarm on the ice, none before it, and none without ice.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::record::journal::{Item, Journal};
use becomingone_tests::{folder, root, summary};
use serde_json::Value;
use std::path::Path;

/// Ice sheet of the scene: ranges of x and y (m).
const ICE_M: [[f64; 2]; 2] = [[4.0, 11.0], [9.0, 15.0]];

/// Runs the scene; returns the alarms and the final error of the estimate (m).
fn run(seed: u64, more: &[&str]) -> (Value, f64) {
    let scene = root().join("scenes/slip_on_ice.ron");
    let seed = seed.to_string();
    let s = summary(&[&[scene.to_str().unwrap(), "--seed", &seed], more].concat());
    // The filter judges; it may be off by more than the tolerance.
    let goals = |key: &str| s["agents"][0][key].as_u64().unwrap();
    assert_eq!(
        goals("goals_reached") + goals("goals_off"),
        16,
        "seed {seed}"
    );
    let rover = &s["agents"][0];
    let error_m = rover["filter"]["error_m"].as_f64().unwrap();
    (rover["kernel"]["witness"]["alarms"].clone(), error_m)
}

/// First interval (s) in which the antenna was truly over the ice.
fn on_ice(recording: &Path) -> [f64; 2] {
    let mut journal = Journal::open(recording).unwrap();
    let mut on: Option<[f64; 2]> = None;
    while let Some(item) = journal.read().unwrap() {
        let Item::Tick(tick) = item else { continue };
        for message in tick.messages {
            if &*message.topic != "/rover/gnss/truth" {
                continue;
            }
            let message: Value = serde_json::from_slice(&message.bytes).unwrap();
            let now_s = tick.now_ns as f64 / 1e9;
            let at_m = |k: usize| message["value"][["east", "north"][k]].as_f64().unwrap();
            let over = (0..2).all(|k| (ICE_M[k][0]..ICE_M[k][1]).contains(&at_m(k)));
            match (&mut on, over) {
                (None, true) => on = Some([now_s, f64::INFINITY]),
                (Some([_, until_s]), false) => {
                    *until_s = now_s;
                    return [on.unwrap()[0], now_s];
                }
                _ => {}
            }
        }
    }
    panic!("found no interval on the ice: {on:?}");
}

#[test]
fn alarm_is_raised_on_the_ice_only_and_the_estimate_recovers() {
    for seed in 1..4 {
        let here = folder(&[]);
        let recording = here.path().join("run.mcap");
        let (alarms, error_m) = run(seed, &["--record", recording.to_str().unwrap()]);
        let first_s = alarms[0]["from_s"].as_f64().unwrap();
        let [from_s, until_s] = on_ice(&recording);
        assert!(
            (from_s..until_s).contains(&first_s),
            "seed {seed}: alarm at {first_s} s, on the ice from {from_s} to {until_s} s"
        );
        assert_eq!(alarms.as_array().map(Vec::len), Some(1), "{alarms}");
        let ended_s = alarms[0]["until_s"].as_f64().unwrap();
        assert!(ended_s < until_s + 12.0, "seed {seed}: {ended_s} {until_s}");
        // The GNSS offset has a standard deviation of 0.3 m and is observable only relative to the wheels.
        assert!(error_m < 0.6, "seed {seed}: {error_m}");
    }
}

#[test]
fn no_alarm_without_ice() {
    for seed in 1..4 {
        let (alarms, _) = run(seed, &["--set", "world.obstacles.ice.friction=0.9"]);
        assert_eq!(alarms, Value::Array(Vec::new()), "seed {seed}");
    }
}
