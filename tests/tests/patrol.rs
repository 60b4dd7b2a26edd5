//! Main job: `run robot` reaches all goals without a collision, also with third-party robots.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and may take std's hypot"
)]

use becomingone_tests::{folder, peer_robot, run, summary};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Runs the patrol with seeds 1 to `seeds`, two at a time. The time limit of [`summary`] covers a stuck robot.
fn patrol(seeds: u64, more: &[&str]) {
    let next = AtomicU64::new(1);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return failed;
            }
            let text = seed.to_string();
            let s = summary(&[&["robot", "--seed", &text], more].concat());
            let agent = &s["agents"][0];
            if agent["goals_reached"] != 9 || agent["collisions"] != 0 {
                failed.push(format!(
                    "seed {seed}: {} goals, {} collisions in {} s",
                    agent["goals_reached"], agent["collisions"], s["sim_s"]
                ));
            }
        }
    };
    let failed = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut failed = work();
        failed.extend(other.join().unwrap());
        failed
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Seeds of each robot of others: four, and as many as the variable says under `cargo xtask soak`.
fn foreign_seeds() -> u64 {
    let set = std::env::var("BECOMINGONE_PATROL_SEEDS");
    set.map_or(4, |text| text.parse().unwrap())
}

#[test]
fn the_rover_reaches_its_goals_without_a_collision() {
    patrol(20, &[]);
}

#[test]
fn husky_reaches_the_goals_without_a_collision() {
    if let Some(file) = peer_robot("pybullet_data/husky/husky.urdf") {
        patrol(foreign_seeds(), &["--model", &file]);
    }
}

#[test]
fn r2d2_reaches_the_goals_without_a_collision() {
    if let Some(file) = peer_robot("pybullet_data/r2d2.urdf") {
        patrol(foreign_seeds(), &["--model", &file]);
    }
}

#[test]
fn a_car_with_steered_wheels_reaches_the_goals_without_a_collision() {
    if let Some(file) = peer_robot("pybullet_data/racecar/racecar.urdf") {
        patrol(foreign_seeds(), &["--model", &file]);
    }
}

#[test]
fn rover_climbs_the_ramp_by_odometry() {
    let s = summary(&["ramp_climb"]);
    let agent = &s["agents"][0];
    assert_eq!(
        (&agent["goals_reached"], &agent["collisions"]),
        (&1.into(), &0.into())
    );
}

/// A rover among obstacles that patrols these waypoints, with more keys of the patrol.
fn scene(obstacles: &str, waypoints: &str, more: &str) -> String {
    format!(
        r#"(version: 1, tick_ns: 2000000, world: (obstacles: [{obstacles}]), agents: [(name: "r", model: "rover.urdf", drive: Auto,
  sensors: [(name: "imu", kind: Imu(), rate_hz: 100), (name: "enc", kind: Encoders(), rate_hz: 100),
    (name: "lidar", kind: Lidar(rays: 180, range_max_m: 8), rate_hz: 10, position_m: (0.06, 0, 0.26))],
  controller: Patrol(waypoints_m: [{waypoints}], speed_m_s: 0.5{more}))])"#
    )
}

const BOX: &str = r#"Box(name: "b", position_m: (2, 0, 0), size_m: (0.8, 0.8, 1))"#;

/// Four walls about (2, 0).
const ROOM: &str = r#"Box(name: "w1", position_m: (1.2, 0, 0), size_m: (0.1, 2, 1)), Box(name: "w2", position_m: (2.8, 0, 0), size_m: (0.1, 2, 1)),
  Box(name: "w3", position_m: (2, 0.95, 0), size_m: (1.6, 0.1, 1)), Box(name: "w4", position_m: (2, -0.95, 0), size_m: (1.6, 0.1, 1))"#;

#[test]
fn a_goal_without_progress_is_given_up_and_the_next_one_is_driven_to() {
    for obstacles in [BOX, ROOM] {
        let here = folder(&[(
            "s.ron",
            &scene(obstacles, "(2, 0), (0, -1.5)", ", give_up_s: 20, laps: 2"),
        )]);
        let ran = run(
            here.path(),
            &[
                "run",
                "s.ron",
                "--rerun",
                "off",
                "--summary",
                "s.json",
                "--record",
                "s.mcap",
            ],
        );
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("r: goal 1 at (2, 0) given up"),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("error: goals given up: 2, reached: 2"),
            "{}",
            ran.stderr
        );
        assert!(ran.stdout.contains("2 given up"), "{}", ran.stdout);
        let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
        let s: serde_json::Value = serde_json::from_str(&text).unwrap();
        let agent = &s["agents"][0];
        let counts =
            ["goals_reached", "goals_off", "goals_given_up"].map(|key| agent[key].as_u64());
        assert_eq!(counts, [Some(2), Some(0), Some(2)], "{agent}");
        assert!(s["sim_s"].as_f64().unwrap() < 150.0, "{}", s["sim_s"]);
        // Near the last goal, which counts as reached within 0.4 m.
        let at = |k: usize| agent["position"][k].as_f64().unwrap();
        assert!(at(0).hypot(at(1) + 1.5) < 0.45, "{agent}");
        let ran = run(here.path(), &["replay", "s.mcap", "--verify"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn check_tells_goals_and_starts_that_cannot_be() {
    let tiny = ", tolerance_m: 0.05";
    let start = |at: &str, obstacles: &str| {
        scene(obstacles, "(0, 1)", "")
            .replace("drive: Auto", &format!("drive: Auto, position_m: {at}"))
    };
    for (text, expected) in [
        (
            scene(BOX, "(2, 0)", ""),
            "found the waypoint (2, 0) inside the obstacle `b`",
        ),
        (
            scene(BOX, "(4, 0), (2.3, 0.3)", ""),
            "found the waypoint (2.3, 0.3) inside",
        ),
        (
            scene(BOX, "(1.55, 0)", tiny),
            "0.05 m from the obstacle `b`: it cannot be reached",
        ),
        (
            scene(ROOM, "(2, 0)", ""),
            "cannot be reached from the start (0, 0)",
        ),
        (
            start("(2, 0, 0)", ROOM),
            "cannot be reached from the start (2, 0)",
        ),
        (
            start("(2, 0.3, 0)", BOX),
            "found a start at (2, 0.3) inside the obstacle `b`",
        ),
        (
            start("(1.5, 0, 0)", BOX),
            "found a start at (1.5, 0) 0.10 m from the obstacle `b`",
        ),
        (
            start("(0, 0, -1)", BOX),
            "found a start 1 m below the ground",
        ),
    ] {
        let here = folder(&[("s.ron", &text)]);
        let ran = run(here.path(), &["check", "s.ron"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let told = ran.stderr.contains(expected) && ran.stderr.contains("s.ron:");
        assert!(told, "{expected}: {}", ran.stderr);
    }
}

#[test]
fn two_robots_at_one_start_are_told() {
    let one = scene("", "(2, 0)", "");
    let (_, agent) = one.split_once("agents: [").unwrap();
    let agent = agent.strip_suffix("])").unwrap();
    let other = agent.replace("\"r\"", "\"s\"");
    for (position, is_told) in [
        ("(0.1, 0, 0)", true),
        ("(0.1, 0, 2)", false),
        ("(0, 2, 0)", false),
    ] {
        let other = other.replace(
            "drive: Auto",
            &format!("drive: Auto, position_m: {position}"),
        );
        let text = one.replace(agent, &format!("{agent}, {other}"));
        let here = folder(&[("s.ron", &text)]);
        let ran = run(here.path(), &["check", "s.ron"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(
            ran.stderr.contains("inside the agent `r`"),
            is_told,
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn what_a_robot_can_reach_is_not_warned_of() {
    let low = BOX.replace("0.8, 1)", "0.8, 0.02)");
    let high = BOX.replace("(2, 0, 0)", "(2, 0, 1.5)");
    let flat = BOX.replace("0.8, 1)", "0.8, 0.3), drivable: true");
    let door = ROOM.replace("size_m: (0.1, 2, 1)", "size_m: (0.1, 0.6, 1)");
    for text in [
        scene(BOX, "(1.4, 0), (2, 0.9), (0, 0), (-100, 100)", ""),
        scene(&low, "(2, 0)", ""),
        scene(&high, "(2, 0)", ""),
        scene(&flat, "(2, 0)", ""),
        scene(&door, "(2, 0)", ""),
        scene("", "(2, 0)", ""),
    ] {
        let here = folder(&[("s.ron", &text)]);
        let ran = run(here.path(), &["check", "s.ron"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{text}");
    }
    let names = run(folder(&[]).path(), &["list", "scenes"]).stdout;
    for name in names
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let ran = run(folder(&[]).path(), &["check", name]);
        let told = ran.stderr.contains("waypoint") || ran.stderr.contains("a start");
        assert!(!told, "{name}: {}", ran.stderr);
    }
}

#[test]
fn time_until_a_goal_is_given_up_is_checked() {
    for wrong in ["0", "-1", "NaN", "inf", "1e10"] {
        let here = folder(&[(
            "s.ron",
            &scene("", "(2, 0)", &format!(", give_up_s: {wrong}")),
        )]);
        let ran = run(here.path(), &["check", "s.ron"]);
        assert_eq!(ran.code, Some(2), "{wrong}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("give_up_s") && ran.stderr.contains("s.ron:4:"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_goal_reached_by_drifted_odometry_only_is_said_so() {
    // Wheels that turn in vain: odometry counts them, the robot stays behind.
    let slips = scene("", "(3, 0)", "").replacen(
        "(version: 1,",
        "(version: 1, duration_s: 30, faults: [(sensor: \"r/drive\", kind: Slip(0.3), at_s: 0)],",
        1,
    );
    let mut engine = becomingone_tests::engine(&[("s.ron", &slips)]);
    let summary = engine.run().unwrap();
    let agent = &summary.agents[0];
    let away = (agent.position[0] - 3.0).hypot(agent.position[1]);
    assert!(away > 0.45, "{away}");
    assert_eq!((agent.goals_reached, agent.goals_off), (0, 1), "{away}");
    assert!(
        summary
            .to_string()
            .contains("1 goal more reached by the estimated pose only")
    );
    engine.reset().unwrap();
    let agent = &engine.summary().agents[0];
    assert_eq!(
        (agent.goals_reached, agent.goals_off, agent.goals_given_up),
        (0, 0, 0)
    );
}
