//! The level of a stationary channel: an offset of a thermometer is an alarm for as long as it lasts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{folder, run};
use std::fs;
use std::path::Path;

/// A temperature that wanders by 1 K within 5 s, 25 times a second.
const SCENE: &str = r#"(
    version: 1,
    name: "workshop",
    duration_s: 40,
    agents: [(
        name: "rover",
        model: "rover.urdf",
        drive: Auto,
        sensors: [
            (name: "encoders", kind: Encoders(noise: (resolution: 0.002)), rate_hz: 100),
            (name: "imu", kind: Imu(gyro: (white_sd: 0.002), accelerometer: (white_sd: 0.02)), rate_hz: 100),
            (name: "thermometer", kind: Temperature(at_origin_deg_c: 20, noise: (
                white_sd: 0.01, correlated_sd: 1, correlation_time_s: 5,
            )), rate_hz: 25),
        ],
        controller: Patrol(waypoints_m: [(4.0, 0.0), (4.0, 3.0), (0.0, 0.0)], speed_m_s: 0.5),
    )],
)"#;

/// Time under alarm (s), from 25 s on, in which the thermometer is named.
fn alarmed_s(here: &Path, profile: &str) -> f64 {
    // Eight deviations, from 25 to 35 s.
    let faults = "faults=[(sensor: \"rover/thermometer\", kind: Bias(8), at_s: 25, for_s: 10)]";
    let args = ["run", "scene.ron", "--set", faults, "--quiet", "--rerun"];
    let more = ["off", "--summary", "run.json", "--profile", profile];
    let ran = run(here, &[&args[..], &more[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = fs::read_to_string(here.join("run.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let witness = &summary["agents"][0]["kernel"]["witness"];
    let mut sum_s = 0.0;
    for alarm in witness["alarms"].as_array().unwrap() {
        let from_s = alarm["from_s"].as_f64().unwrap();
        assert!(from_s >= 25.0, "{witness}");
        assert_eq!(alarm["cause"], "thermometer/temperature", "{witness}");
        sum_s += alarm["until_s"].as_f64().unwrap_or(40.0) - from_s;
    }
    sum_s
}

#[test]
fn an_offset_of_a_stationary_sensor_is_an_alarm_for_as_long_as_it_lasts() {
    let here = folder(&[("scene.ron", SCENE)]);
    let here = here.path();
    let ran = run(here, &["calibrate", "scene.ron", "--runs", "16"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let thresholds = fs::read_to_string(here.join("thresholds.ron")).unwrap();
    assert!(thresholds.contains(", level: "), "{thresholds}");
    // The same thresholds of the innovations, without that of the level.
    let (kept, _) = thresholds.split_once(", level: ").unwrap();
    fs::write(here.join("without.ron"), format!("{kept})))])")).unwrap();
    let with_s = alarmed_s(here, "thresholds.ron");
    let without_s = alarmed_s(here, "without.ron");
    assert!((9.5..12.0).contains(&with_s), "{with_s} s");
    assert!(
        without_s < 5.0,
        "{without_s} s: the innovations alone suffice"
    );
}
