//! Overlays: profiles, configs and `--set` values override a scene. Refused ones are in
//! `fixtures/bad_input/overlays`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::components::scene::{AgentSpec, CoherenceSpec, ObstacleSpec, SceneSpec, Signal};
use becomingone::prelude::{Imu, Lidar, Patrol};
use becomingone::scene::{Overlays, load, load_with, to_ron};
use becomingone_tests::{binary, finish, folder, root, run, summary};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Two agents, two obstacles: each overridden place has a line of its own.
const SCENE: &str = include_str!("../fixtures/bad_input/overlays/scene.ron");

/// The scene, overridden by these files and values.
fn laid(files: &[(&str, &str)], profiles: &[&str], configs: &[&str], sets: &[&str]) -> SceneSpec {
    let mut all = vec![("scene.ron", SCENE)];
    all.extend(files);
    let here = folder(&all);
    let paths = |names: &[&str]| names.iter().map(|n| here.path().join(n)).collect();
    let overlays = Overlays {
        profiles: paths(profiles),
        configs: paths(configs),
        sets: sets.iter().map(|s| (*s).to_owned()).collect(),
    };
    load_with(&here.path().join("scene.ron"), None, &overlays)
        .unwrap_or_else(|e| panic!("{e}"))
        .scene
}

fn set(sets: &[&str]) -> SceneSpec {
    laid(&[], &[], &[], sets)
}

fn speed(scene: &SceneSpec) -> f64 {
    patrol(&scene.agents[0]).speed_m_s
}

fn patrol(agent: &AgentSpec) -> &Patrol {
    agent.controller.as_ref().unwrap().get().unwrap()
}

#[test]
fn an_overlay_in_ron_or_yaml_overrides_single_fields_and_list_entries_by_name() {
    let ron = "(
      world: (ground: None, obstacles: [(name: \"crate\", size_m: (2, 2, 2))]),
      agents: [
        (name: \"clock.1\", coherence: Kernel(rate_hz: 20)),
        (
          name: \"rover\",
          yaw_rad: 0.5,
          sensors: [
            (name: \"lidar\", rate_hz: 5, kind: Lidar(rays: 16)),
            (name: \"bumper\", kind: Contact(), rate_hz: 50),
          ],
          controller: Patrol(speed_m_s: 0.5, waypoints_m: [(3, 3)]),
        ),
      ],
    )";
    let yaml = "
# The same.
world:
  ground: null
  obstacles:
    - name: crate
      size_m: [2, 2, 2]
agents:
  - name: clock.1
    coherence: {Kernel: {rate_hz: 20}}
  - name: rover
    yaw_rad: 0.5
    sensors:
      - {name: lidar, rate_hz: 5, kind: {Lidar: {rays: 16}}}
      - name: bumper
        kind: Contact
        rate_hz: &rate 5.0e1
    controller:
      Patrol:
        speed_m_s: 0.5
        waypoints_m: [[3, 3]]
";
    let files = [("my.ron", ron), ("my.yaml", yaml)];
    let scene = laid(&files, &[], &["my.ron"], &[]);
    assert_eq!(scene, laid(&files, &[], &["my.yaml"], &[]));

    // Overridden values, and values left unchanged.
    assert_eq!(scene.world.ground, None);
    let [
        ObstacleSpec::Box { size_m: wall, .. },
        ObstacleSpec::Box {
            size_m, position_m, ..
        },
    ] = scene.world.obstacles.as_slice()
    else {
        panic!("{scene:?}");
    };
    assert_eq!(
        (*wall, *size_m, *position_m),
        ([1.0, 4.0, 1.0], [2.0; 3], [9.0, 0.0, 0.0])
    );
    let rover = &scene.agents[0];
    assert_eq!((rover.name.as_str(), rover.yaw_rad), ("rover", 0.5));
    let names: Vec<_> = rover
        .sensors
        .iter()
        .map(|s| (s.name.as_str(), s.rate_hz))
        .collect();
    assert_eq!(names, [("imu", 100.0), ("lidar", 5.0), ("bumper", 50.0)]);
    assert!(
        matches!(
            rover.sensors[1].kind.get(),
            Some(Lidar {
                rays: 16,
                range_max_m: 5.0,
                ..
            })
        ),
        "{rover:?}"
    );
    let Patrol {
        waypoints_m,
        clearance_m,
        ..
    } = patrol(rover);
    assert_eq!(
        (waypoints_m.as_slice(), *clearance_m),
        ([[3.0, 3.0]].as_slice(), 0.3)
    );
    let CoherenceSpec::Kernel {
        rate_hz, channels, ..
    } = &scene.agents[1].coherence
    else {
        panic!("{scene:?}");
    };
    assert_eq!((*rate_hz, channels.len()), (20.0, 1));
}

#[test]
fn profiles_are_applied_before_configs_before_set_values_and_the_last_wins() {
    let files = [
        (
            "a.ron",
            "(seed: 10, agents: [(name: \"rover\", controller: Patrol(speed_m_s: 0.1))])",
        ),
        (
            "b.yaml",
            "seed: 20\nagents: [{name: rover, controller: {speed_m_s: 0.2}}]\n",
        ),
        ("c.yml", "seed: 30\n"),
    ];
    let of = |profiles: &[&str], configs: &[&str], sets: &[&str]| {
        let scene = laid(&files, profiles, configs, sets);
        (scene.seed, speed(&scene))
    };
    assert_eq!(of(&["a.ron"], &[], &[]), (10, 0.1));
    assert_eq!(of(&["a.ron"], &["b.yaml"], &[]), (20, 0.2));
    // Profiles come first, independent of the order on the command line.
    assert_eq!(of(&["b.yaml"], &["a.ron"], &[]), (10, 0.1));
    assert_eq!(of(&["a.ron", "c.yml"], &[], &[]), (30, 0.1));
    assert_eq!(of(&["c.yml", "a.ron"], &[], &[]), (10, 0.1));
    assert_eq!(
        of(&["a.ron"], &["b.yaml", "c.yml"], &["seed=40"]),
        (40, 0.2)
    );
    assert_eq!(of(&[], &[], &["seed=40", "seed=41"]), (41, 1.0));
}

#[test]
fn set_overrides_one_value_of_any_type_by_its_path() {
    assert_eq!(speed(&set(&["agents.rover.controller.speed_m_s=0.8"])), 0.8);
    assert_eq!(
        speed(&set(&["agents[0].controller.Patrol.speed_m_s=2"])),
        2.0
    );
    assert_eq!(
        set(&["agents.rover.sensors.imu.rate_hz=200"]).agents[0].sensors[0].rate_hz,
        200.0
    );
    assert_eq!(
        set(&["agents.rover.position_m=[1, 2, 0]"]).agents[0].position_m,
        [1.0, 2.0, 0.0]
    );
    assert_eq!(
        set(&["agents.rover.position_m=(1, 2, 0)"]).agents[0].position_m,
        [1.0, 2.0, 0.0]
    );
    let scene = set(&["agents.rover.controller.waypoints_m[1]=(7, 8)"]);
    let waypoints_m = &patrol(&scene.agents[0]).waypoints_m;
    assert_eq!(waypoints_m.as_slice(), [[1.0, 0.0], [7.0, 8.0]]);
}

#[test]
fn set_takes_text_without_quotes_and_adds_or_removes_optional_values() {
    for name in ["name=tour", "name=\"tour\"", "name= tour "] {
        assert_eq!(set(&[name]).name, "tour", "{name}");
    }
    assert_eq!(set(&["name=7"]).name, "7");
    assert_eq!(set(&["duration_s=2.5"]).duration_s, Some(2.5));
    assert_eq!(
        set(&["duration_s=Some(2)", "duration_s=None"]).duration_s,
        None
    );
    assert_eq!(
        set(&["world.ground.friction=0.4"])
            .world
            .ground
            .unwrap()
            .friction,
        0.4
    );
    assert_eq!(set(&["world.ground=None"]).world.ground, None);
    assert_eq!(
        set(&["world.ground=None", "world.ground.friction=0.4"])
            .world
            .ground
            .unwrap()
            .friction,
        0.4
    );
    assert_eq!(set(&["world.obstacles=[]"]).world.obstacles.len(), 0);
    let CoherenceSpec::Kernel { channels, .. } =
        &set(&["agents.\"clock.1\".coherence.channels.a.signal=Tone(frequency_hz: 2)"]).agents[1]
            .coherence
    else {
        panic!("no kernel");
    };
    assert_eq!(channels[0].signal, Signal::Tone { frequency_hz: 2.0 });
    let off = set(&["agents.rover.coherence=Off"]);
    assert_eq!(off.agents[0].coherence, CoherenceSpec::Off);
    // Another kind replaces the whole value.
    let ramp =
        "(world: (obstacles: [Ramp(name: \"wall\", position_m: (1, 1, 0), size_m: (1, 1, 1))]))";
    let scene = laid(&[("ramp.ron", ramp)], &[], &["ramp.ron"], &[]);
    assert!(matches!(
        &scene.world.obstacles[0],
        ObstacleSpec::Ramp {
            position_m: [1.0, 1.0, 0.0],
            ..
        }
    ));
    assert_eq!(scene.world.obstacles.len(), 2);
}

#[test]
fn yaml_scalars_take_the_type_of_their_scene_key() {
    // Words that other YAML readers take for a boolean, a number or null.
    for name in ["no", "yes", "on", "1e3", "0x10", "1_000", "12", "NaN"] {
        let yaml = format!(
            "agents: [{{name: rover, sensors: [{{name: {name}, kind: Contact, rate_hz: 1e2}}]}}]"
        );
        let scene = laid(&[("y.yaml", &yaml)], &[], &["y.yaml"], &[]);
        let sensor = &scene.agents[0].sensors[2];
        assert_eq!((sensor.name.as_str(), sensor.rate_hz), (name, 100.0));
    }
    let anchors = "agents:\n- name: rover\n  sensors:\n  - name: imu\n    kind: {Imu: {gyro: &n {white_sd: 0.5}, accelerometer: *n}}\n";
    let scene = laid(&[("y.yaml", anchors)], &[], &["y.yaml"], &[]);
    let Imu {
        gyro,
        accelerometer,
    } = scene.agents[0].sensors[0].kind.get().unwrap();
    assert_eq!((gyro.white_sd, accelerometer.white_sd), (0.5, 0.5));
}

/// Stderr of `check` on the scene with these files and arguments, which it must refuse within a
/// gigabyte.
fn refused(files: &[(&str, &str)], args: &[&str]) -> String {
    let mut all = vec![("scene.ron", SCENE)];
    all.extend(files);
    let here = folder(&all);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -v 1000000; exec \"$0\" check scene.ron \"$@\"",
        ])
        .arg(binary())
        .args(args)
        .current_dir(here.path());
    let ran = finish(&mut command, Duration::from_secs(20));
    assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(ran.stderr.len() < 10_000, "{} bytes", ran.stderr.len());
    ran.stderr
}

#[test]
fn deep_wide_and_large_yaml_is_refused() {
    let deep = "[".repeat(100_000);
    assert!(refused(&[("d.yaml", &deep)], &["--config", "d.yaml"]).contains("d.yaml:1:"));
    let deep: String = (0..1000)
        .map(|k| format!("{}a:\n", " ".repeat(k)))
        .collect();
    assert!(refused(&[("d.yaml", &deep)], &["--config", "d.yaml"]).contains("d.yaml:"));
    let wide = format!("a: [{}]", "1,".repeat(1_000_000));
    assert!(
        refused(&[("w.yaml", &wide)], &["--config", "w.yaml"]).contains("more than 500000 values")
    );
    let large = format!("a: \"{}\"", "x".repeat(5 << 20));
    assert!(refused(&[("l.yaml", &large)], &["--config", "l.yaml"]).contains("bytes"));
}

/// Built-in scenes and those of this file.
fn scenes() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("scenes")).unwrap();
    let mut scenes: Vec<_> = files.map(|f| f.unwrap().path()).collect();
    scenes.retain(|p| p.extension().is_some_and(|e| e == "ron"));
    scenes.sort();
    assert!(!scenes.is_empty());
    scenes
}

#[test]
fn check_resolved_prints_a_scene_with_the_same_hash() {
    for scene in scenes() {
        let path = scene.to_str().unwrap();
        let here = folder(&[]);
        let ran = run(here.path(), &["check", "--resolved", path]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{path}");
        let again = here.path().join("again.ron");
        fs::write(&again, &ran.stdout).unwrap();
        let (first, second) = (load(&scene, None).unwrap(), load(&again, None).unwrap());
        assert_eq!(to_ron(&first.scene), to_ron(&second.scene), "{path}");
        let of = |what: &str| {
            let s = summary(&[what, "--duration", "20ms"]);
            (s["scene_hash"].clone(), s["state_hash"].clone())
        };
        assert_eq!(of(path), of(again.to_str().unwrap()), "{path}");
    }
}

#[test]
fn check_resolved_prints_defaults_and_overrides_and_absolute_paths() {
    let here = folder(&[
        ("scene.ron", SCENE),
        (
            "my.yaml",
            "agents: [{name: rover, model: sub/my.urdf, sensors: [{name: imu, link: null}]}]",
        ),
    ]);
    fs::create_dir(here.path().join("sub")).unwrap();
    fs::copy(
        root().join("assets/rover.urdf"),
        here.path().join("sub/my.urdf"),
    )
    .unwrap();
    let ran = run(
        here.path(),
        &[
            "check",
            "--resolved",
            "scene.ron",
            "--config",
            "my.yaml",
            "--set",
            "tick_ns=2000000",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for line in [
        "tick_ns: 2000000,",
        "friction: 0.9,",
        "lookahead_m: 1.0,",
        "coherence: Auto,",
        "link: None,",
    ] {
        assert!(ran.stdout.contains(line), "no {line} in {}", ran.stdout);
    }
    let elsewhere = folder(&[("again.ron", &ran.stdout)]);
    let again = run(elsewhere.path(), &["check", "again.ron"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    // Exactly one scene is printed.
    let two = run(
        here.path(),
        &["check", "--resolved", "scene.ron", "scene.ron"],
    );
    assert_eq!((two.code, two.stdout.as_str()), (Some(2), ""));
    // A robot alone gives an editable scene.
    let urdf = root().join("assets/rover.urdf");
    let urdf = urdf.to_str().unwrap();
    let ran = run(elsewhere.path(), &["check", "--resolved", urdf]);
    fs::write(elsewhere.path().join("mine.ron"), &ran.stdout).unwrap();
    assert_eq!(
        run(elsewhere.path(), &["check", "mine.ron", "--set", "seed=2"]).code,
        Some(0)
    );
}

#[test]
fn the_scene_hash_depends_on_the_merged_scene_only() {
    let here = folder(&[("scene.ron", SCENE), ("seed.yaml", "seed: 4")]);
    let scene = here.path().join("scene.ron");
    let scene = scene.to_str().unwrap();
    let yaml = here.path().join("seed.yaml");
    let of = |more: &[&str]| {
        let mut args = vec![scene, "--duration", "20ms"];
        args.extend(more);
        let s = summary(&args);
        (s["scene_hash"].clone(), s["state_hash"].clone())
    };
    let (plain, laid) = (of(&[]), of(&["--config", yaml.to_str().unwrap()]));
    assert_ne!(plain.0, laid.0);
    assert_ne!(plain.1, laid.1);
    for same in [["--set", "seed=4"], ["--seed", "4"]] {
        assert_eq!(of(&same), laid, "{same:?}");
    }
    assert_eq!(of(&["--set", "seed=3"]), plain);
    // A colour has no effect on the simulation, but is part of the hash.
    assert_ne!(
        of(&["--set", "world.obstacles.wall.rgb=(1, 0, 0)"]).0,
        plain.0
    );
}

#[test]
fn a_large_scene_with_an_overlay_is_read_in_bounded_time_and_memory() {
    let waypoints = "(1,2),".repeat(2_000_000);
    let text = SCENE.replace("(1, 0), (2, 0)", &waypoints);
    let message = refused(
        &[("scene.ron", &text)],
        &["--set", "agents.rover.yaw_rad=1"],
    );
    assert!(
        message.contains("waypoints_m: found 2000000 entries"),
        "{message}"
    );
}

fn read_yaml(path: &Path, text: &[u8]) -> Result<(), String> {
    fs::write(path, text).unwrap();
    let overlays = Overlays {
        configs: vec![path.to_path_buf()],
        ..Overlays::default()
    };
    let scene = path.with_file_name("scene.ron");
    load_with(&scene, None, &overlays)
        .map(drop)
        .map_err(|e| e.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any YAML file is either read or refused by its name.
    #[test]
    fn random_yaml_is_read_or_refused_with_its_file_name(
        text in "((agents|name|rover|seed|drive|sensors|~|1e3|é|[&*]a|[-?:,{}\\[\\]|>!#'\"%\t]| |\n){0,24})",
    ) {
        let here = folder(&[("scene.ron", SCENE)]);
        if let Err(error) = read_yaml(&here.path().join("any.yaml"), text.as_bytes()) {
            prop_assert!(error.contains("any.yaml:"), "{}: {}", text, error);
        }
    }

    /// Any `--set` argument is either applied or refused by its text.
    #[test]
    fn random_set_arguments_are_applied_or_refused_by_name(
        text in "((agents|rover|seed|sensors|imu|kind|Imu|gyro|0|\\.|\\[|\\]|=|\"|\\(|\\)|:|,|é| ){0,16})",
    ) {
        let here = folder(&[("scene.ron", SCENE)]);
        let overlays = Overlays { sets: vec![text.clone()], ..Overlays::default() };
        if let Err(error) = load_with(&here.path().join("scene.ron"), None, &overlays) {
            let error = error.to_string();
            prop_assert!(error.contains("--set 1 `") || error.contains("scene.ron:"), "{}: {}", text, error);
        }
    }
}

#[test]
fn renamed_keys_are_read_with_a_warning_and_overlaid_by_their_present_names() {
    let scene = "(version: 1, agents: [(
    name: \"rover\", model: \"rover.urdf\", drive: Auto,
    sensors: [(name: \"imu\", kind: Imu(), rate_hz: 100)],
    coherence: Kernel(witness: (senses: [\"imu\"], places: (k1: 0.1, k2: 9, k3: 2))),
)])";
    let here = folder(&[("old.ron", scene)]);
    let set = "agents.rover.coherence.witness.channels=[\"imu/gyro\"]";
    let ran = run(
        here.path(),
        &["check", "old.ron", "--resolved", "--set", set],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let warnings = "warning: old.ron:4:33: found `senses`; expected `channels`, its present name
warning: old.ron:4:50: found `places`; expected `innovations_gnss`, its present name
";
    assert_eq!(ran.stderr, warnings);
    assert!(
        ran.stdout
            .contains("channels: [\n                        \"imu/gyro\",\n"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("senses"), "{}", ran.stdout);
    // In any layer, and only within a self-model.
    let set = "agents.rover.coherence.witness.surroundings.k1=3";
    let ran = run(here.path(), &["check", "robot", "--set", set]);
    let warning = format!(
        "warning: --set 1 `{set}`: found `surroundings`; expected `lidar`, its present name\n"
    );
    assert_eq!((ran.code, ran.stderr), (Some(0), warning));
    let set = "agents.tone.coherence.senses=[]";
    let ran = run(here.path(), &["check", "bare_kernel", "--set", set]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let both = "(agents: [(name: \"rover\", coherence: (witness: (senses: [], channels: [])))])";
    std::fs::write(here.path().join("both.ron"), both).unwrap();
    let ran = run(here.path(), &["check", "robot", "--profile", "both.ron"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    // Not given twice.
    let both = scene.replace("senses:", "channels: [], senses:");
    std::fs::write(here.path().join("old.ron"), both).unwrap();
    let ran = run(here.path(), &["check", "old.ron"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("found `channels` a second time"),
        "{}",
        ran.stderr
    );
}
