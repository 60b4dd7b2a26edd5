//! The scene of a rover that slips on ice: its witness notices there, not before, and not without ice.

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

/// What the sheet covers: least and most of x and of y (m), as the scene has it.
const ICE_M: [[f64; 2]; 2] = [[4.0, 11.0], [9.0, 15.0]];

/// What it came to: the alarms, and how far off its estimate was at the end (m).
fn run(seed: u64, more: &[&str]) -> (Value, f64) {
    let scene = root().join("scenes/slip_on_ice.ron");
    let seed = seed.to_string();
    let s = summary(&[&[scene.to_str().unwrap(), "--seed", &seed], more].concat());
    assert_eq!(s["agents"][0]["goals_reached"], 16, "seed {seed}");
    let rover = &s["agents"][0];
    let error_m = rover["filter"]["error_m"].as_f64().unwrap();
    (rover["kernel"]["witness"]["alarms"].clone(), error_m)
}

/// From when until when (s) the antenna was truly over the ice: its first time there.
fn on_ice(recording: &Path) -> [f64; 2] {
    let mut journal = Journal::open(recording).unwrap();
    let mut on: Option<[f64; 2]> = None;
    while let Some(item) = journal.read().unwrap() {
        let Item::Tick(tick) = item else { continue };
        for message in tick.messages {
            if &*message.topic != "/rover/gnss/truth" {
                continue;
            }
            let said: Value = serde_json::from_slice(&message.bytes).unwrap();
            let now_s = tick.now_ns as f64 / 1e9;
            let at_m = |k: usize| said["value"][["east", "north"][k]].as_f64().unwrap();
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
    panic!("it was never on the ice, or never left it: {on:?}");
}

#[test]
fn it_is_alarmed_on_the_ice_and_not_before_and_knows_soon_where_it_is_again() {
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
        // Its receiver is off by 0.3 m as a rule, which it learns only as far as wheels lead it.
        assert!(error_m < 0.6, "seed {seed}: {error_m}");
    }
}

#[test]
fn without_ice_there_is_no_alarm() {
    for seed in 1..4 {
        let (alarms, _) = run(seed, &["--set", "world.obstacles.ice.friction=0.9"]);
        assert_eq!(alarms, Value::Array(Vec::new()), "seed {seed}");
    }
}
