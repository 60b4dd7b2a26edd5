//! Contract of the command line: files, streams, exit codes, pace, Ctrl-C.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::{LONG, binary, folder, root, run, signal, summary};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Kernel without a body: hundreds of times faster than real time, even on a busy machine.
const KERNEL: &str = "(version: 1, agents: [(name: \"k\", coherence: Kernel(channels: [
    (name: \"clock\", signal: Tone(frequency_hz: 1.0)),
]))])";

fn rover() -> String {
    root()
        .join("assets/rover.urdf")
        .to_str()
        .unwrap()
        .to_owned()
}

/// Files in `scenes/`, with their names without the extension.
fn scenes() -> Vec<(String, String)> {
    let files = std::fs::read_dir(root().join("scenes")).unwrap();
    let mut scenes: Vec<_> = files
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "ron"))
        .map(|p| {
            let stem = p.file_stem().unwrap().to_str().unwrap().to_owned();
            (stem, p.to_str().unwrap().to_owned())
        })
        .collect();
    scenes.sort();
    assert!(!scenes.is_empty());
    scenes
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn assert_keys(value: &Value, expected: &[&str]) {
    assert_eq!(keys(value), expected.iter().copied().collect());
}

fn assert_numbers(value: &Value, count: usize) {
    let items = value.as_array().unwrap();
    assert_eq!(items.len(), count);
    assert!(items.iter().all(Value::is_f64), "{value}");
}

#[test]
fn summary_has_exactly_the_promised_keys() {
    let s = summary(&["robot", "--duration", "2s"]);
    assert_keys(
        &s,
        &[
            "scene",
            "scene_hash",
            "seed",
            "ticks",
            "sim_s",
            "wall_s",
            "rtf",
            "state_hash",
            "agents",
        ],
    );
    assert_eq!(s["scene"], "warehouse_robot");
    assert_eq!(s["seed"], 1);
    assert_eq!(s["ticks"], 2000);
    assert_eq!(s["sim_s"], 2.0);
    let (wall_s, rtf) = (s["wall_s"].as_f64().unwrap(), s["rtf"].as_f64().unwrap());
    assert!(wall_s > 0.0 && (rtf * wall_s - 2.0).abs() < 1e-6);
    let hash = s["state_hash"].as_str().unwrap();
    assert!(
        hash.len() == 16 && hash.bytes().all(|b| b"0123456789abcdef".contains(&b)),
        "{hash}"
    );

    let agents = s["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 1);
    let agent = &agents[0];
    assert_keys(
        agent,
        &[
            "name",
            "distance_m",
            "max_speed_m_s",
            "position",
            "orientation",
            "goals_reached",
            "goals_off",
            "goals_given_up",
            "collisions",
            "kernel",
            "sensors",
        ],
    );
    assert_eq!(agent["name"], "rover");
    assert!(agent["distance_m"].is_f64() && agent["max_speed_m_s"].is_f64());
    assert_numbers(&agent["position"], 3);
    assert_numbers(&agent["orientation"], 4);
    assert!(agent["goals_reached"].is_u64() && agent["collisions"].is_u64());

    let kernel = &agent["kernel"];
    assert_keys(
        kernel,
        &[
            "order",
            "coherence",
            "t_emissary",
            "t_master",
            "aligned",
            "collapsed",
            "surprise",
            "k1",
            "k2",
            "k3",
            "dissipated",
            "cause",
            "witness",
            "blend",
        ],
    );
    // Half a second is too short for the warm-up.
    for not_yet in ["surprise", "k1", "k2", "k3", "dissipated", "cause"] {
        assert!(kernel[not_yet].is_null(), "{not_yet}");
    }
    assert!(kernel["order"].is_f64());
    assert!(kernel["coherence"].is_null() || kernel["coherence"].is_f64());
    assert_numbers(&kernel["t_emissary"], 2);
    assert_numbers(&kernel["t_master"], 2);
    assert!(kernel["aligned"].is_boolean() && kernel["collapsed"].is_boolean());

    let sensors = agent["sensors"].as_array().unwrap();
    let counted = |s: &Value| {
        (
            s["name"].as_str().unwrap().to_owned(),
            s["readings"].as_u64().unwrap(),
        )
    };
    for sensor in sensors {
        assert_keys(
            sensor,
            &["name", "readings", "dropped", "stale", "non_finite"],
        );
        assert_eq!(
            (&sensor["dropped"], &sensor["stale"], &sensor["non_finite"]),
            (&0.into(), &0.into(), &0.into())
        );
    }
    let expected = [
        ("imu", 2000),
        ("encoders", 200),
        ("lidar", 20),
        ("bumper", 200),
    ];
    let expected = expected.map(|(name, n)| (name.to_owned(), n));
    assert_eq!(sensors.iter().map(counted).collect::<Vec<_>>(), expected);
}

#[test]
fn quiet_prints_nothing() {
    let here = folder(&[]);
    let ran = run(
        here.path(),
        &[
            "run",
            "robot",
            "--duration",
            "1s",
            "--quiet",
            "--rerun",
            "off",
        ],
    );
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
    assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 0);
}

#[test]
fn printed_summary_matches_the_summary_file() {
    let here = folder(&[]);
    let ran = run(
        here.path(),
        &[
            "run",
            "robot",
            "--duration",
            "1s",
            "--rerun",
            "off",
            "--summary",
            "s.json",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let s: Value = serde_json::from_str(&text).unwrap();
    for word in [
        "warehouse_robot",
        s["state_hash"].as_str().unwrap(),
        "rover/imu",
        "1000 ticks",
    ] {
        assert!(ran.stdout.contains(word), "no {word} in {}", ran.stdout);
    }
}

#[test]
fn every_scene_runs_and_passes_check_by_name_and_by_path() {
    for (name, path) in scenes() {
        for what in [&name, &path] {
            let s = summary(&[what, "--duration", "3s"]);
            assert_eq!(s["sim_s"], 3.0, "{what}");
            let here = folder(&[]);
            let ran = run(here.path(), &["check", what]);
            assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
            assert_eq!(ran.stderr, "", "{what}");
        }
    }
}

#[test]
fn scene_and_error_message_of_the_readme_are_valid() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let block = |after: &str| {
        let rest = readme.split_once(after).unwrap().1;
        rest.split_once("```").unwrap().0.to_owned()
    };
    let scene = block("```ron\n");
    let here = folder(&[("patrol.ron", &scene)]);
    let ran = run(
        here.path(),
        &[
            "run",
            "patrol.ron",
            "--rerun",
            "off",
            "--quiet",
            "--summary",
            "s.json",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let s: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(s["agents"][0]["goals_reached"], 2);
    assert_eq!(s["agents"][0]["collisions"], 0);

    let mistaken = scene.replace("speed_m_s", "sped_m_s");
    let here = folder(&[("patrol.ron", &mistaken)]);
    let ran = run(here.path(), &["check", "patrol.ron"]);
    assert_eq!(ran.code, Some(2));
    let expected = block("nearest word:\n\n```\n").trim().replace('\n', " ");
    assert_eq!(ran.stderr.trim(), expected);
}

#[test]
fn built_in_scenes_are_listed_with_their_descriptions() {
    let here = folder(&[]);
    let ran = run(here.path(), &["list", "scenes"]);
    assert_eq!(ran.code, Some(0));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let scenes = scenes();
    assert_eq!(lines.len(), scenes.len());
    for (line, (name, path)) in lines.iter().zip(scenes) {
        let text = std::fs::read_to_string(path).unwrap();
        let about = text.lines().next().unwrap().trim_start_matches('/').trim();
        assert!(line.starts_with(&name) && line.ends_with(about), "{line}");
    }
}

#[test]
fn check_reports_each_file_and_fails_if_one_is_invalid() {
    let here = folder(&[
        ("good.ron", KERNEL),
        ("bad.ron", "(version: 1, agents: [])"),
    ]);
    let ran = run(here.path(), &["check", "good.ron", "robot", &rover()]);
    assert_eq!(
        (ran.code, ran.stdout.lines().count()),
        (Some(0), 3),
        "{}",
        ran.stderr
    );
    let ran = run(
        here.path(),
        &["check", "bad.ron", "good.ron", "missing.ron", "robot"],
    );
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stdout.lines().count(), 2, "{}", ran.stdout);
    assert!(
        ran.stderr.contains("bad.ron:1:") && ran.stderr.contains("missing.ron"),
        "{}",
        ran.stderr
    );
}

#[test]
fn robot_description_alone_runs_on_a_plane() {
    let s = summary(&[&rover()]);
    assert_eq!((&s["scene"], &s["sim_s"]), (&"rover".into(), &5.0.into()));
    let agent = &s["agents"][0];
    // base_footprint is where the wheels touch the floor.
    assert!(
        agent["position"][2].as_f64().unwrap().abs() < 0.005,
        "{agent}"
    );
    assert_eq!(agent["sensors"][0]["readings"], 500);
}

#[test]
fn mistyped_scene_gets_the_nearest_name() {
    let here = folder(&[]);
    let ran = run(here.path(), &["run", "warehouse_robt", "--rerun", "off"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("did you mean `warehouse_robot`?"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("ramp_climb"), "{}", ran.stderr);
}

#[test]
fn mistyped_robot_gets_the_short_name() {
    let here = folder(&[]);
    let ran = run(here.path(), &["run", "robto", "--rerun", "off"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("did you mean `robot`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn bad_arguments_are_bad_input() {
    let here = folder(&[("k.ron", KERNEL)]);
    for args in [
        ["--duration", "0s"],
        ["--duration", "soon"],
        ["--rate", "0"],
        ["--rate", "NaN"],
        ["--threads", "0"],
        ["--seed", "-1"],
        ["--rerun", "maybe"],
        ["--real-time", "--fast"],
        ["--model", "missing.urdf"],
        ["--summary", "no/such/folder/s.json"],
        ["--summary", "."],
    ] {
        let ran = run(here.path(), &["run", "robot", args[0], args[1]]);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(
            ran.stdout.is_empty() && !ran.stderr.contains("panicked"),
            "{args:?}: {}",
            ran.stderr
        );
    }
    for args in [
        [].as_slice(),
        &["run"],
        &["check"],
        &["fly"],
        &["list", "stars"],
    ] {
        assert_eq!(run(here.path(), args).code, Some(2), "{args:?}");
    }
    assert_eq!(run(here.path(), &["--help"]).code, Some(0));
    assert_eq!(run(here.path(), &["--version"]).code, Some(0));
}

#[test]
fn seed_option_is_used_and_reported() {
    assert_eq!(
        summary(&["robot", "--duration", "1s", "--seed", "7"])["seed"],
        7
    );
    let largest = u64::MAX.to_string();
    assert_eq!(
        summary(&["robot", "--duration", "10ms", "--seed", &largest])["seed"],
        u64::MAX
    );
}

#[test]
fn rate_paces_a_run() {
    let here = folder(&[("k.ron", KERNEL)]);
    let scene = here.path().join("k.ron");
    // 10 s at 20 times real time take 0.5 s.
    let s = summary(&[scene.to_str().unwrap(), "--duration", "10s", "--rate", "20"]);
    let wall_s = s["wall_s"].as_f64().unwrap();
    assert!((0.49..5.0).contains(&wall_s), "{wall_s}");
}

#[test]
fn real_time_takes_real_time() {
    let here = folder(&[("k.ron", KERNEL)]);
    let scene = here.path().join("k.ron");
    let s = summary(&[scene.to_str().unwrap(), "--duration", "1s", "--real-time"]);
    let wall_s = s["wall_s"].as_f64().unwrap();
    assert!((0.9..5.0).contains(&wall_s), "{wall_s}");
    let fast = summary(&[scene.to_str().unwrap(), "--duration", "1s"]);
    assert_eq!(
        s["state_hash"], fast["state_hash"],
        "the pace is no part of the result"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_run_and_keeps_its_summary() {
    let here = folder(&[]);
    let mut child = Command::new(binary())
        .current_dir(here.path())
        .args([
            "run",
            "robot",
            "--real-time",
            "--duration",
            "60s",
            "--rerun",
            "off",
            "--summary",
            "s.json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The robot is printed after the Ctrl-C handler is installed.
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("rover: "));
    let asked = Instant::now();
    signal("INT", child.id());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let status = child.wait().unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(status.code(), Some(130));
    assert!(
        rest.iter().any(|l| l.contains("warehouse_robot")),
        "{rest:?}"
    );
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let s: Value = serde_json::from_str(&text).unwrap();
    assert!(s["sim_s"].as_f64().unwrap() < 60.0);
}

#[cfg(unix)]
#[test]
fn closed_stdout_causes_no_panic() {
    let here = folder(&[]);
    for args in [
        ["list", "scenes"].as_slice(),
        &["check", "robot"],
        &["run", "robot", "--duration", "100ms", "--rerun", "off"],
    ] {
        // Close the reading end before the program starts.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(binary());
        let child = command
            .current_dir(here.path())
            .args(args)
            .stdout(writer)
            .stderr(Stdio::piped());
        let output = child.spawn().unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_fails_the_run_with_a_message() {
    let here = folder(&[]);
    let ran = run(
        here.path(),
        &[
            "run",
            "robot",
            "--duration",
            "100ms",
            "--rerun",
            "off",
            "--quiet",
            "--summary",
            "/dev/full",
        ],
    );
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.starts_with("error: ") && ran.stderr.contains("/dev/full"),
        "{}",
        ran.stderr
    );
    // The run completes without its recording, and fails.
    let args = ["run", "robot", "--duration", "100ms", "--rerun", "off"];
    for more in [&[][..], &["--quiet"]] {
        let all = [&args[..], &["--record", "/dev/full"], more].concat();
        let ran = run(here.path(), &all);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let message = "error: the recording /dev/full is incomplete: No space left";
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        assert_eq!(ran.stdout.contains("100 ticks"), more.is_empty());
    }
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = Command::new(binary())
        .args(["list", "scenes"])
        .stdout(full)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_ne!(output.status.code(), Some(0));
}

#[test]
fn profile_names_the_systems_of_a_tick() {
    let here = folder(&[]);
    let ran = becomingone_tests::finish(
        Command::new(binary()).current_dir(here.path()).args([
            "run",
            "robot",
            "--duration",
            "1s",
            "--rerun",
            "off",
            "--profile-ticks",
        ]),
        LONG,
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for system in [
        "physics::step",
        "sample<sensing::imu::Imu>",
        "pursuit::plan",
    ] {
        assert!(ran.stdout.contains(system), "no {system} in {}", ran.stdout);
    }
}

#[test]
fn scene_name_is_not_used_as_a_path() {
    let here = folder(&[]);
    let inner = here.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    for name in ["../up", "/no/such/folder/up"] {
        let scene = KERNEL.replacen("version: 1", &format!("version: 1, name: \"{name}\""), 1);
        std::fs::write(inner.join("k.ron"), scene).unwrap();
        // Without a viewer, the recording goes to a file that is named after the scene.
        let mut command = Command::new(binary());
        command
            .current_dir(&inner)
            .args(["run", "k.ron", "--duration", "100ms", "--quiet"])
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        let ran = becomingone_tests::finish(&mut command, LONG);
        assert_eq!(
            std::fs::read_dir(here.path()).unwrap().count(),
            1,
            "a file beside the folder"
        );
        let refused = ran.code == Some(2) && ran.stderr.contains("k.ron:1:");
        assert!(ran.code == Some(0) || refused, "{name}: {}", ran.stderr);
    }
}

#[test]
fn summary_does_not_overwrite_files_of_the_run() {
    let scene = std::fs::read_to_string(root().join("scenes/bare_kernel.ron")).unwrap();
    let here = folder(&[("a.ron", &scene)]);
    for args in [
        ["run", "a.ron", "--summary", "./a.ron", "--rerun", "off"],
        ["run", "a.ron", "--summary", "o", "--rerun", "save=o"],
    ] {
        let ran = run(here.path(), &args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains("a file of its own"), "{}", ran.stderr);
    }
    let kept = std::fs::read_to_string(here.path().join("a.ron")).unwrap();
    assert_eq!(kept, scene);
}
