//! `calibrate` and `score` of the built binary: threshold profiles, detection and isolation of faults, error messages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds a wait by the wall clock"
)]

use becomingone::components::scene::CoherenceSpec;
use becomingone::scene;
use becomingone_tests::{folder, root, run};
use serde_json::Value;
use std::path::Path;
#[cfg(unix)]
use {
    becomingone_tests::{binary, signal},
    std::io::{BufRead as _, BufReader},
    std::process::{Command, Stdio},
    std::time::{Duration, Instant},
};

/// Rover on an endless patrol of a yard, with a warm-up of 30 s.
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

/// Upper bound on the false-alarm rate per hour, as printed by a calibration.
fn bound(text: &str) -> f64 {
    let (_, after) = text.split_once("fewer than ").unwrap();
    let (number, _) = after.split_once(" false alarms an hour").unwrap();
    number.parse().unwrap()
}

#[test]
fn calibrated_thresholds_are_a_profile_of_their_scene() {
    let here = folder(&[("yard.ron", YARD)]);
    let args = ["calibrate", "yard.ron", "--runs", "2", "--duration", "40s"];
    let output = done(here.path(), &[&args[..], &["--out", "th.ron"]].concat());
    assert!(output.contains("written to th.ron"), "{output}");
    let text = std::fs::read_to_string(here.path().join("th.ron")).unwrap();
    assert!(text.contains("rover: 2 healthy runs"), "{text}");
    assert!(text.contains("thresholds: (k1: "), "{text}");
    // Two runs of 40 s with a warm-up of 30 s: rule of three (2.996 exactly).
    let expected = 2.996 / (20.0 / 3600.0);
    assert!((bound(&text) / expected - 1.0).abs() < 0.01, "{text}");
    assert!(text.contains("too few runs"), "{text}");
    done(here.path(), &["check", "yard.ron", "--profile", "th.ron"]);
    // A repeated calibration gives the same result.
    done(here.path(), &[&args[..], &["--out", "again.ron"]].concat());
    let again = std::fs::read_to_string(here.path().join("again.ron")).unwrap();
    assert_eq!(text, again);
}

#[test]
fn thresholds_may_lie_below_as_many_runs_as_are_allowed() {
    let here = folder(&[("yard.ron", YARD)]);
    let calibrate = |alarms: &str| {
        let args = ["calibrate", "yard.ron", "--runs", "3", "--duration", "40s"];
        let more = ["--out", "th.ron", "--alarms", alarms];
        let output = done(here.path(), &[&args[..], &more].concat());
        assert!(output.contains("written to th.ron"), "{output}");
        std::fs::read_to_string(here.path().join("th.ron")).unwrap()
    };
    let seed_that_set_it = |text: &str| {
        let (_, after) = text.split_once("// thresholds: ").unwrap();
        after.split_once(" set it").unwrap().0.to_owned()
    };
    let k3 = |text: &str| -> f64 {
        let (_, after) = text.split_once("k3: ").unwrap();
        after.split_once(')').unwrap().0.parse().unwrap()
    };
    let [none, one] = ["0", "1"].map(calibrate);
    assert!(none.contains(", no alarm in any."), "{none}");
    assert!(one.contains(", an alarm in one."), "{one}");
    // The run that set the threshold is over it now, and another one sets it.
    let first = seed_that_set_it(&none);
    let over = format!("// alarm: {first} exceeds thresholds by a factor of ");
    assert!(one.contains(&over), "{none}{one}");
    assert_ne!(first, seed_that_set_it(&one), "{one}");
    assert!(k3(&one) < k3(&none), "{none}{one}");
    // One alarm of a Poisson law: 4.744.
    for (text, most) in [(&none, 2.996), (&one, 4.744)] {
        let expected = most / (30.0 / 3600.0);
        assert!((bound(text) / expected - 1.0).abs() < 0.01, "{text}");
    }
    done(here.path(), &["check", "yard.ron", "--profile", "th.ron"]);
}

#[test]
fn detectors_share_one_bound_and_identical_robots_one_calibration() {
    let second =
        "    (name: \"other\", model: \"rover.urdf\", position_m: (20, 0, 0), drive: Auto,";
    let (head, rover) = YARD.split_once("agents: [(").unwrap();
    let rover = rover.strip_suffix("])").unwrap();
    let other = rover
        .replace(
            "name: \"rover\", model: \"rover.urdf\", drive: Auto,",
            second.trim_start_matches("    ("),
        )
        .replace("(4, 0), (4, 3), (2, 3)", "(24, 0), (24, 3), (22, 3)");
    let two = format!("{head}agents: [({rover}, ({other}])");
    let here = folder(&[("two.ron", &two)]);
    let filter = [
        "--set",
        "agents.rover.filter=()",
        "--set",
        "agents.other.filter=()",
    ];
    let args = [
        "calibrate",
        "two.ron",
        "--runs",
        "1",
        "--duration",
        "40s",
        "--out",
        "th.ron",
    ];
    done(here.path(), &[&args[..], &filter].concat());
    let text = std::fs::read_to_string(here.path().join("th.ron")).unwrap();
    assert!(
        text.contains("rover and 1 identical: 1 healthy runs"),
        "{text}"
    );
    assert!(text.contains("3 detectors, together"), "{text}");
    // Three detectors (readings, innovations, innovation energy): chi²(0.95; 6)/2 = 6.296, in 10 s of two robots each.
    let expected = 6.296 / (20.0 / 3600.0);
    assert!((bound(&text) / expected - 1.0).abs() < 0.01, "{text}");
    let of = |name: &str| {
        let line = text.lines().find(|l| l.contains(name)).unwrap();
        line.split_once("coherence").unwrap().1.to_owned()
    };
    assert_eq!(of("name: \"rover\""), of("name: \"other\""));
    for key in ["thresholds: (k1", "innovations_motion: (k1", "nis: "] {
        assert!(of("name: \"rover\"").contains(key), "{text}");
    }
    done(
        here.path(),
        &[&["check", "two.ron", "--profile", "th.ron"][..], &filter].concat(),
    );
}

#[test]
fn frozen_gyroscope_is_scored_as_detected_and_isolated() {
    let here = folder(&[("yard.ron", YARD)]);
    let args = [
        "score",
        "yard.ron",
        "--faults",
        "gyro frozen",
        "--runs",
        "2",
    ];
    let more = ["--healthy", "60s", "--json", "s.json"];
    let output = done(here.path(), &[&args[..], &more].concat());
    assert!(output.contains("gyro frozen"), "{output}");
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let score: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(score["agent"], "rover");
    let faults = score["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{text}");
    let of_readings = &faults[0]["ways"][0];
    assert_eq!(score["ways"][0], "kernel on readings");
    assert_eq!(of_readings["found"], 2, "{text}");
    assert_eq!(of_readings["blamed"], 2, "{text}");
    for (cause, _) in of_readings["causes"].as_object().unwrap() {
        assert!(cause.starts_with("imu/gyro"), "{text}");
    }
    let delay_s = of_readings["delay_s"][0].as_f64().unwrap();
    assert!((0.0..30.0).contains(&delay_s), "{text}");
    let healthy_s = score["healthy_s"].as_f64().unwrap();
    assert!((60.0..62.0).contains(&healthy_s), "{healthy_s}");
}

#[test]
fn faults_of_missing_sensors_are_listed() {
    let here = folder(&[("yard.ron", YARD)]);
    let args = ["score", "yard.ron", "--faults", "gnss", "--runs", "1"];
    let listing = done(here.path(), &[&args[..], &["--healthy", "1s"]].concat());
    assert!(
        listing.contains("not applicable to rover: GNSS pulled 0.1 m/s"),
        "{listing}"
    );
}

#[test]
fn another_model_ignores_the_calibration_of_the_scenes_model() {
    let file = root().join("scenes/gnss_spoof.ron");
    let calibrated = |model: Option<&Path>| {
        let loaded = scene::load(&file, model).unwrap();
        let rover = &loaded.scene.agents[0];
        let CoherenceSpec::Kernel { witness, .. } = &rover.coherence else {
            panic!("{:?}", rover.coherence);
        };
        (witness.thresholds.is_some(), rover.governor.is_some())
    };
    assert_eq!(calibrated(None), (true, true));
    let other = root().join("assets/rover.urdf");
    assert_eq!(calibrated(Some(&other)), (false, false));
}

#[test]
fn scenes_that_cannot_be_calibrated_or_scored_are_errors() {
    let bare = "(version: 1, duration_s: 5, agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto)])";
    let here = folder(&[("yard.ron", YARD), ("bare.ron", bare)]);
    let hard = here.path().join("hard.ron");
    std::fs::hard_link(here.path().join("yard.ron"), hard).unwrap();
    for (args, code, fragments) in [
        (
            &["score", "yard.ron", "--faults", "gremlin"][..],
            2,
            &["--faults: found `gremlin`", "gyro frozen"][..],
        ),
        (
            &["score", "bare.ron"],
            2,
            &["found no agent with sensors and a self-model"],
        ),
        (&["score", "none.ron"], 2, &["none.ron"]),
        (&["score", "yard.ron", "--runs", "0"], 2, &["--runs"]),
        (
            &["calibrate", "bare.ron", "--runs", "1", "--out", "th.ron"],
            2,
            &["found no agent whose self-model was trained"],
        ),
        (
            &["calibrate", "yard.ron", "--false-alarms-per-hour", "0"],
            2,
            &["0.001 to 1000"],
        ),
        (
            &["calibrate", "yard.ron", "--runs", "2", "--alarms", "2"],
            2,
            &["--alarms 2: found 2 runs; expected more runs than alarms"],
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
        (
            &["calibrate", "yard.ron", "--out", "hard.ron"],
            2,
            &["--out hard.ron: found yard.ron"],
        ),
        (
            &["score", "yard.ron", "--json", "./yard.ron"],
            2,
            &["--json ./yard.ron: found yard.ron"],
        ),
    ] {
        let ran = run(here.path(), args);
        assert_eq!(ran.code, Some(code), "{args:?}: {}", ran.stderr);
        for fragment in fragments {
            assert!(ran.stderr.contains(fragment), "{args:?}: {}", ran.stderr);
        }
    }
    assert!(!here.path().join("th.ron").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn full_disk_names_its_file_and_still_prints_the_result() {
    let here = folder(&[("yard.ron", YARD)]);
    let calibrate = ["calibrate", "yard.ron", "--runs", "1", "--duration", "40s"];
    let score = [
        "score",
        "yard.ron",
        "--faults",
        "gyro frozen",
        "--runs",
        "1",
    ];
    for (args, more, shows) in [
        (calibrate, &["--out", "/dev/full"][..], "thresholds: (k1: "),
        (
            score,
            &["--healthy", "1s", "--json", "/dev/full"],
            "| gyro frozen",
        ),
    ] {
        let ran = run(here.path(), &[&args[..], more].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let expected = "error: /dev/full: No space left";
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(ran.stdout.contains(shows), "{}", ran.stdout);
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_soon_and_reports_the_progress() {
    let here = folder(&[("yard.ron", YARD)]);
    // Requested hours: 3 divided by the rate.
    let calibrate = ["calibrate", "yard.ron", "--duration", "35s"];
    let score = ["score", "yard.ron", "--faults", "gyro", "--runs", "4"];
    for (args, begins, least, all) in [
        (
            [&calibrate[..], &["--false-alarms-per-hour", "0.001"]].concat(),
            "rover: 8 runs",
            8,
            // 2.996 divided by the rate, in runs of 4.96 s between the first and the last kernel tick after warm-up.
            2_170_000..2_180_000,
        ),
        (
            [&calibrate[..], &["--runs", "4000000"]].concat(),
            "rover: 8 runs",
            8,
            4_000_000..4_000_001,
        ),
        (
            [&score[..], &["--healthy", "1000000s", "--json", "s.json"]].concat(),
            "gyro frozen: done",
            4,
            // Three gyroscope faults, and healthy runs of 180 s.
            5568..5569,
        ),
    ] {
        let mut child = Command::new(binary())
            .current_dir(here.path())
            .args(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.starts_with(begins), "{first}");
        let asked = Instant::now();
        signal("INT", child.id());
        let last = lines.map(Result::unwrap).last().unwrap();
        let output = child.wait_with_output().unwrap();
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(output.status.code(), Some(130), "{last}");
        assert!(output.stdout.is_empty());
        let counted = last.strip_prefix("stopped: ").unwrap();
        let counted = counted
            .strip_suffix(" runs finished, nothing written")
            .unwrap();
        let (finished, of) = counted.split_once(" of ").unwrap();
        let finished: usize = finished.parse().unwrap();
        let of: usize = of.trim_start_matches("about ").parse().unwrap();
        assert!(all.contains(&of), "{last}");
        assert!((least..of).contains(&finished), "{last}");
    }
    // No file but the scene exists.
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 1);
}
