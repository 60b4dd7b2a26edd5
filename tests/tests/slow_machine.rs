//! A Master of minutes to hours, in whole runs, against the closed form of a tone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone_tests::{engine, folder, run, summary};
use serde_json::Value;
use std::f64::consts::TAU;
use std::time::Duration;

fn kernel<'a>(summary: &'a Value, agent: &str) -> &'a Value {
    let agents = summary["agents"].as_array().unwrap();
    &agents.iter().find(|a| a["name"] == agent).unwrap()["kernel"]
}

fn t(kernel: &Value, key: &str) -> [f64; 2] {
    [0, 1].map(|k| kernel[key][k].as_f64().unwrap())
}

#[test]
fn a_cycle_of_twenty_minutes_locks_and_an_accelerating_one_diverges() {
    let summary = summary(&["slow_machine"]);
    let steady = kernel(&summary, "steady");
    // All lags are on the pyramid's grid, where a tone has T = e^(i 2 pi f tau): 1 s for the Emissary, 240 s
    // for the Master.
    for (key, lag_s) in [("t_emissary", 1.0), ("t_master", 240.0)] {
        let [re, im] = t(steady, key);
        let angle = TAU * lag_s / 1200.0;
        let off = (re - angle.cos()).hypot(im - angle.sin());
        assert!(off < 1e-6, "{key}: {re} {im}, off by {off}");
    }
    assert!(steady["order"].as_f64().unwrap() > 1.0 - 1e-6);
    assert_eq!([&steady["aligned"], &steady["collapsed"]], [true, true]);

    // Within the Emissary's 2 minutes the frequency is constant, over the Master's hours it is not.
    let quickens = kernel(&summary, "quickens");
    assert!(quickens["order"].as_f64().unwrap() > 0.99);
    assert_eq!(quickens["aligned"], false);

    // For noise, T is random: 1/sqrt(N_eff) of the 15th lag of blocks, at a window of 600 s.
    let noise = kernel(&summary, "noise");
    let [re, im] = t(noise, "t_master");
    assert!(re.hypot(im) < 0.3, "{re} {im}");
    assert_eq!(noise["collapsed"], false);
}

/// A tone in a kernel with lags on the grid, or between its points.
fn tone(
    master: &str,
    time_scale: f64,
    hours: f64,
) -> becomingone::components::coherence::Coherence {
    let scene = format!(
        "(version: 1, tick_ns: 1000000000, time_scale: {time_scale:?}, world: (ground: None), agents: [(
            name: \"k\", coherence: Kernel(rate_hz: 1, emissary_window_s: 120, master: {master}, channels: [
                (name: \"a\", signal: Tone(frequency_hz: 0.001)),
                (name: \"b\", signal: Tone(frequency_hz: 0.001)),
            ]))])"
    );
    let mut engine = engine(&[("k.ron", &scene)]);
    let time = Duration::from_secs_f64(hours * 3600.0 * time_scale);
    engine.run_for(time).unwrap();
    becomingone_tests::get(&engine, "k")
}

#[test]
fn the_master_has_a_value_once_its_longest_lag_has_one() {
    let master = "Pyramid(from_s: 60, to_s: 3600)";
    assert_eq!(tone(master, 1.0, 0.5).order_master, 0.0);
    // The first block is not full; its share fades with the window of its level, a multiple of the longest lag.
    assert!(tone(master, 1.0, 3.0).order_master > 1.0 - 1e-4);
    assert!(tone(master, 1.0, 24.0).order_master > 1.0 - 1e-9);
}

#[test]
fn t_of_a_tone_between_grid_lags_is_within_the_interpolation_bound() {
    // 100 s is 12.5 blocks of 8 s.
    let output = tone("Pyramid(from_s: 100, to_s: 100)", 1.0, 3.0);
    let angle = TAU * 0.1;
    let [re, im] = output.t_master;
    let off = (re - angle.cos()).hypot(im - angle.sin());
    let bound = (TAU * 8.0 * 0.001).powi(2) / 8.0;
    assert!(off <= bound * 1.001 && off > 0.0, "{off} {bound}");
}

#[test]
fn lags_scale_with_the_scene() {
    let master = "Pyramid(from_s: 60, to_s: 3600)";
    let (second, minute) = (tone(master, 1.0, 3.0), tone(master, 64.0, 3.0));
    assert_eq!(second.t_master, minute.t_master);
    assert_eq!(second.order_master, minute.order_master);
}

#[test]
fn lags_beyond_any_pyramid_are_refused_with_their_place() {
    for (master, message) in [
        ("Pyramid(from_s: 0.5)", "master.from_s"),
        ("Pyramid(from_s: 60, to_s: 30)", "master.to_s"),
        ("Pyramid(to_s: 1e9)", "master.to_s"),
        ("Pyramid(until_s: 1)", "until_s"),
        ("Pyramids()", "Pyramid"),
    ] {
        let scene = format!(
            "(version: 1, tick_ns: 1000000000, agents: [(
                name: \"k\", coherence: Kernel(rate_hz: 1, master: {master}, channels: [
                    (name: \"a\", signal: Tone(frequency_hz: 0.001))]))])"
        );
        let here = folder(&[("k.ron", &scene)]);
        let ran = run(here.path(), &["check", "k.ron"]);
        assert_eq!(ran.code, Some(2), "{master}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{master}: {}", ran.stderr);
        assert!(ran.stderr.contains("k.ron:2:"), "{master}: {}", ran.stderr);
    }
}
