//! Witness in whole scenes: faults are detected and isolated, healthy runs have no alarm.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{folder, summary};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Results of a run of each seed, two runs at a time.
fn each<T: Send>(seeds: std::ops::Range<u64>, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let work = || {
        let mut all = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return all;
            }
            all.push(run(seed));
        }
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut all = work();
        all.extend(other.join().unwrap());
        all
    })
}

/// Runs the patrol with a fault from 20 s to 28 s; returns the detection delay (s) of each seed with this isolated cause
/// and without an earlier alarm.
fn flagged(fault: &str, cause: &str) -> Vec<f64> {
    let set = format!("faults=[({fault}, at_s: 20)]");
    let delays = each(1..21, |seed| {
        let s = summary(&[
            "robot",
            "--seed",
            &seed.to_string(),
            "--duration",
            "28s",
            "--set",
            &set,
        ]);
        let first = &s["agents"][0]["kernel"]["witness"]["alarms"][0];
        let delay_s = first["from_s"].as_f64()? - 20.0;
        let right = first["cause"].as_str()?.starts_with(cause) && delay_s >= 0.0;
        right.then_some(delay_s)
    });
    delays.into_iter().flatten().collect()
}

fn slowest(delays_s: &[f64]) -> f64 {
    delays_s.iter().copied().fold(0.0, f64::max)
}

#[test]
fn a_scaled_encoder_is_detected_and_isolated() {
    let delays_s = flagged(
        r#"sensor: "rover/encoders/0", kind: Scale(1.08)"#,
        "encoders/0",
    );
    assert!(delays_s.len() >= 19, "{delays_s:?}");
    assert!(slowest(&delays_s) < 0.5, "{delays_s:?}");
}

#[test]
fn a_frozen_gyroscope_is_detected_and_isolated() {
    let delays_s = flagged(r#"sensor: "rover/gyro", kind: Freeze"#, "imu/gyro");
    assert!(delays_s.len() >= 19, "{delays_s:?}");
    assert!(slowest(&delays_s) < 2.0, "{delays_s:?}");
}

/// It deviates from wheels and commands in six channels; its repeated value isolates it.
#[test]
fn a_stuck_sensor_is_isolated() {
    let whole = flagged(r#"sensor: "rover/imu", kind: Freeze"#, "imu/");
    assert!(whole.len() >= 19, "{whole:?}");
    let fault = r#"sensor: "rover/imu/accelerometer", kind: Freeze"#;
    let accelerometer = flagged(fault, "imu/accelerometer");
    assert!(accelerometer.len() >= 19, "{accelerometer:?}");
}

#[test]
fn slip_is_isolated_to_the_wheels_not_to_the_accelerometer_that_measures_its_transient() {
    // In most of these 20 runs the robot goes straight, where only the transient shows the slip.
    let slips = flagged(r#"sensor: "rover/drive", kind: Slip(0.04)"#, "encoders/");
    assert!(slips.len() >= 19, "{slips:?}");
    let off = r#"sensor: "rover/imu/accelerometer_x", kind: Bias(0.5)"#;
    let biased = flagged(off, "imu/accelerometer_x");
    assert!(biased.len() >= 19, "{biased:?}");
}

/// Robot at rest without commands: a frozen gyroscope is detected by its missing noise.
#[test]
fn a_frozen_gyroscope_is_detected_at_rest() {
    let dir = folder(&[(
        "rest.ron",
        "(version: 1, duration_s: 16, faults: [(sensor: \"rover/gyro\", kind: Freeze, at_s: 12)], agents: [(
            name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [
                (name: \"imu\", kind: Imu(gyro: (white_sd: 0.0077, turn_on_bias_sd: 0.0087),
                    accelerometer: (white_sd: 0.054, turn_on_bias_sd: 0.098)), rate_hz: 1000),
                (name: \"encoders\", kind: Encoders(noise: (resolution: 8.2e-5)), rate_hz: 100),
            ])])",
    )]);
    let scene = dir.path().join("rest.ron");
    let delays = each(1..11, |seed| {
        let s = summary(&[scene.to_str()?, "--seed", &seed.to_string()]);
        let first = &s["agents"][0]["kernel"]["witness"]["alarms"][0];
        let delay_s = first["from_s"].as_f64()? - 12.0;
        let right = first["cause"].as_str()?.starts_with("imu/gyro") && delay_s >= 0.0;
        right.then_some(delay_s)
    });
    let delays_s: Vec<f64> = delays.into_iter().flatten().collect();
    assert!(delays_s.len() >= 9, "{delays_s:?}");
}

/// `cargo xtask soak` covers thousands of seconds.
#[test]
fn healthy_runs_raise_no_alarm() {
    let alarms = each(1..9, |seed| {
        let scene = if seed % 4 == 0 { "vehicle" } else { "robot" };
        let s = summary(&[scene, "--seed", &(600 + seed).to_string()]);
        let kernel = &s["agents"][0]["kernel"];
        assert_eq!(kernel["dissipated"], false);
        assert!(kernel["cause"].is_null());
        let surprise = kernel["surprise"].as_f64().unwrap();
        let coherence = kernel["coherence"].as_f64().unwrap();
        assert!((coherence - 1.0 / (1.0 + surprise)).abs() < 1e-12);
        for k in ["k1", "k2", "k3"] {
            assert!(kernel[k].as_f64().unwrap() >= 0.0);
        }
        kernel["witness"]["alarms"].clone()
    });
    assert!(
        alarms.iter().all(|a| *a == Value::Array(Vec::new())),
        "{alarms:?}"
    );
}

#[test]
fn the_alarm_clears_after_a_fault_ends() {
    let faults = r#"faults=[(sensor: "rover/encoders/1", kind: Scale(1.08), at_s: 20, for_s: 2)]"#;
    let s = summary(&["robot", "--duration", "30s", "--set", faults]);
    let alarms = s["agents"][0]["kernel"]["witness"]["alarms"]
        .as_array()
        .unwrap();
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["cause"], "encoders/1");
    let until_s = alarms[0]["until_s"].as_f64().unwrap();
    // The longest window is the Master's: 30 samples of 20 ms.
    assert!((22.0..26.0).contains(&until_s), "{until_s}");
}
