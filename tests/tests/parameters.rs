//! Numbers of controllers and faults of sensors that requests change in a run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::components::actuator::ActuatorTarget;
use becomingone::components::control::Localisation;
use becomingone::components::fleet::Orbit;
use becomingone::components::request::{Request, RequestKind};
use becomingone::prelude::*;
use becomingone::systems::control::parameters::parameters;
use becomingone::systems::vehicle::profile::SpeedProfile;
use becomingone_tests::seen::{Seen, replayed, watched};
use std::time::Duration;

fn engine(scene: Scene) -> CoherenceEngine {
    watched(CoherenceEngine::from(scene))
}

fn rover() -> Scene {
    let agent = Agent::robot("rover.urdf")
        .name("rover")
        .drive(Drive::Auto)
        .sensor("encoders", Encoders::default(), 100.0)
        .sensor("imu", Imu::default(), 100.0)
        .controller(Patrol::new([[20.0, 0.0], [0.0, 0.0]], 0.5));
    Scene::builder().agent(agent).build().unwrap()
}

fn seconds(engine: &mut CoherenceEngine, s: f64) {
    engine.run_for(Duration::from_secs_f64(s)).unwrap();
}

fn push(engine: &CoherenceEngine, agent: &str, what: RequestKind) {
    assert!(engine.request_queue().push(Request {
        sender: "test".to_owned(),
        agent: agent.to_owned(),
        what,
        expires_ns: engine.time().now_ns + 500_000_000,
    }));
}

fn set(parameter: &str, value: f64) -> RequestKind {
    RequestKind::Set {
        parameter: parameter.to_owned(),
        value,
    }
}

fn fault(target: &str, kind: &str, for_s: Option<f64>) -> RequestKind {
    RequestKind::Fault {
        target: target.to_owned(),
        kind: kind.to_owned(),
        for_s,
    }
}

/// Texts of the events so far, without times.
fn texts(engine: &CoherenceEngine) -> Vec<String> {
    let events = engine.world().resource::<Seen>().events.iter();
    events.map(|event| event.kind.to_string()).collect()
}

/// The last refusal.
fn refusal(engine: &mut CoherenceEngine, agent: &str, what: RequestKind) -> String {
    push(engine, agent, what);
    engine.step().unwrap();
    texts(engine).pop().unwrap()
}

fn twist(engine: &CoherenceEngine) -> Twist2 {
    let rover = engine.agent("rover").unwrap().entity;
    let driven = engine.world().get::<DrivenBy>(rover).unwrap().0;
    engine
        .world()
        .get::<ActuatorTarget<Twist2>>(driven)
        .unwrap()
        .0
}

/// Yaw rate of the last reading (rad/s).
fn gyro_z(engine: &CoherenceEngine) -> f64 {
    let reading = engine.reading::<Imu>("rover/imu").unwrap();
    f64::from(reading.latest().unwrap().value.angular_velocity_rad_s.z)
}

#[test]
fn a_number_of_a_controller_is_set_while_it_drives_and_a_reset_forgets_it() {
    let mut engine = engine(rover());
    seconds(&mut engine, 3.0);
    assert!((twist(&engine).linear_m_s - 0.5).abs() < 0.01);
    push(&engine, "rover", set("controller.speed_m_s", 0.2));
    seconds(&mut engine, 2.0);
    assert!((twist(&engine).linear_m_s - 0.2).abs() < 0.01);
    let rover = engine.agent("rover").unwrap().entity;
    let all = parameters(engine.world(), rover);
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], ("controller.speed_m_s".to_owned(), 0.2));
    let done = "request of test done: set controller.speed_m_s to 0.2";
    assert!(texts(&engine).iter().any(|text| text == done));
    // It replaces no request in force, and is taken while a stop is latched.
    push(&engine, "rover", RequestKind::Move { distance_m: 1.0 });
    push(&engine, "rover", set("controller.clearance_m", 0.3));
    engine.step().unwrap();
    assert!(engine.agent("rover").unwrap().request.is_some());
    push(&engine, "rover", RequestKind::Stop);
    push(&engine, "rover", set("controller.clearance_m", 0.4));
    engine.step().unwrap();
    let all = parameters(engine.world(), rover);
    assert_eq!(all[2], ("controller.clearance_m".to_owned(), 0.4));
    assert_eq!(
        replayed(self::engine(self::rover()), &engine),
        engine.summary().state_hash
    );
    engine.reset().unwrap();
    let rover = engine.agent("rover").unwrap().entity;
    assert_eq!(parameters(engine.world(), rover)[0].1, 0.5);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let mut engine = engine(rover());
    engine.start().unwrap();
    for (what, expected) in [
        (
            set("controller.sped_m_s", 1.0),
            "parameter: found `controller.sped_m_s`; expected one of controller.speed_m_s, controller.lookahead_m, controller.clearance_m; did you mean `controller.speed_m_s`?",
        ),
        (
            set("controller.speed_m_s", -1.0),
            "parameter: found controller.speed_m_s -1; expected m/s from 0.001 to 100",
        ),
        (
            set("controller.speed_m_s", f64::NAN),
            "found a number that is not finite; expected finite numbers",
        ),
        (
            set("governor.max_speed_m_s", 9.0),
            "parameter: found `governor.max_speed_m_s`; expected one of",
        ),
    ] {
        let found = refusal(&mut engine, "rover", what);
        let expected = format!("request of test refused: {expected}");
        assert!(found.starts_with(&expected), "{found}\n{expected}");
    }
    let rover = engine.agent("rover").unwrap().entity;
    assert_eq!(parameters(engine.world(), rover)[0].1, 0.5);
}

#[test]
fn orbits_and_laps_take_their_numbers_and_joints_have_none() {
    let orbiter = Agent::robot("rover.urdf")
        .name("rover")
        .drive(Drive::Auto)
        .sensor("encoders", Encoders::default(), 100.0)
        .controller(OrbitSpec {
            centre_m: [0.0, 0.0],
            radius_m: 2.0,
            rate_hz: Some(0.02),
            localisation: Localisation::Odometry,
        });
    let mut engine = engine(Scene::builder().agent(orbiter).build().unwrap());
    engine.start().unwrap();
    push(&engine, "rover", set("controller.rate_hz", 0.01));
    push(&engine, "rover", set("controller.radius_m", 3.0));
    engine.step().unwrap();
    let rover = engine.agent("rover").unwrap().entity;
    let orbit = engine.world().get::<Orbit>(rover).unwrap();
    assert_eq!(orbit.radius_m, 3.0);
    assert!((orbit.omega_rad_s - 0.01 * std::f64::consts::TAU).abs() < 1e-12);

    let mut engine =
        watched(CoherenceEngine::from_scene("built-in/scenes/vehicle_track.ron").unwrap());
    seconds(&mut engine, 1.0);
    let car = "car".to_owned();
    let entity = engine.agent(&car).unwrap().entity;
    let fastest = |engine: &CoherenceEngine| {
        let profile = engine.world().get::<SpeedProfile>(entity).unwrap();
        profile.0.iter().copied().fold(0.0, f64::max)
    };
    let before = fastest(&engine);
    push(&engine, &car, set("controller.speed_m_s", 3.0));
    engine.step().unwrap();
    assert!(before > 3.5 && fastest(&engine) <= 3.0);

    let mut engine = watched(CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron").unwrap());
    engine.start().unwrap();
    let arm = "arm".to_owned();
    let found = refusal(&mut engine, &arm, set("controller.ease_s", 2.0));
    assert!(found.contains("which this one has not"), "{found}");
}

#[test]
fn a_fault_begins_on_request_and_ends_by_itself_or_on_request() {
    let mut engine = engine(rover());
    seconds(&mut engine, 1.0);
    let before = gyro_z(&engine);
    push(
        &engine,
        "rover",
        fault("imu/gyro_z", "Bias(2.5)", Some(0.5)),
    );
    seconds(&mut engine, 0.25);
    assert!((gyro_z(&engine) - before - 2.5).abs() < 0.5);
    seconds(&mut engine, 0.5);
    assert!((gyro_z(&engine) - before).abs() < 0.5);
    push(&engine, "rover", fault("gyro_z", "Scale(-1.5)", None));
    push(&engine, "rover", fault("drive/0", "Torque(0.5)", None));
    seconds(&mut engine, 0.25);
    push(&engine, "rover", RequestKind::EndFaults);
    seconds(&mut engine, 0.25);
    let texts = texts(&engine);
    let faults: Vec<&str> = texts
        .iter()
        .filter_map(|text| text.strip_prefix("fault "))
        .collect();
    assert_eq!(
        faults,
        [
            "begins: imu/gyro_z off by 2.5",
            "ends: imu/gyro_z off by 2.5",
            "begins: imu/gyro_z scaled by -1.5",
            "begins: drive/0 with a share of 0.5 of its torque",
            "ends: imu/gyro_z scaled by -1.5",
            "ends: drive/0 with a share of 0.5 of its torque",
        ]
    );
    assert_eq!(
        replayed(self::engine(rover()), &engine),
        engine.summary().state_hash
    );
    // Those of the run before a reset are gone.
    engine.reset().unwrap();
    seconds(&mut engine, 1.0);
    assert!((gyro_z(&engine) - before).abs() < 0.5);
}

#[test]
fn faults_that_do_not_fit_are_refused() {
    let mut engine = engine(rover());
    engine.start().unwrap();
    for (what, expected) in [
        (
            fault("imu/gyro_q", "Bias(0.1)", None),
            "target: found `rover/imu/gyro_q`; expected a part of `imu`",
        ),
        (
            fault("imu", "Biased(0.1)", None),
            "fault: found `Biased(0.1)`; expected one of",
        ),
        (
            fault("imu/gyro_z", "Bias", None),
            "fault: found `Bias`; expected constant offset",
        ),
        (
            fault("imu/gyro_z", "Bias(1e9)", None),
            "fault: found 1000000000; expected a number within 1e6",
        ),
        (
            fault("imu/gyro_z", "Bias(", None),
            "fault: found `Bias(`; expected a kind of fault",
        ),
        (
            fault("encoders/0", "Bias(0.1)", None),
            "fault: found `Bias` of an incremental counter",
        ),
        (
            fault("drive/9", "Torque(0.5)", None),
            "target: found `rover/drive/9`; expected one of its 2, from 0 to 1",
        ),
        (
            fault("imu/gyro_z", "Bias(0.1)", Some(0.0)),
            "for_s: found 0.0; expected seconds from a tick",
        ),
        (
            fault("imu/gyro_z", "Bias(0.1)", Some(f64::INFINITY)),
            "found a number that is not finite",
        ),
    ] {
        let found = refusal(&mut engine, "rover", what);
        let expected = format!("request of test refused: {expected}");
        assert!(found.starts_with(&expected), "{found}\n{expected}");
    }
    let early = refusal(&mut engine, "rover", fault("imu", "Freeze", Some(1e-12)));
    assert!(early.contains("expected seconds from a tick"), "{early}");
    let escaped = fault("imu", "Freeze /*\u{1b}[2J\n*/", None).to_string();
    assert_eq!(escaped, "fault Freeze /*\\u{1b}[2J\\n*/ of imu");
    for _ in 0..32 {
        push(&engine, "rover", fault("imu/gyro_z", "Bias(0.1)", None));
    }
    engine.step().unwrap();
    let found = refusal(&mut engine, "rover", fault("imu", "Freeze", None));
    assert!(found.contains("expected at most 32 in a run"), "{found}");
}

#[test]
fn a_sensor_that_is_not_simulated_has_no_faults() {
    let table = "t_s,level\n0,1\n1,2\n";
    let scene = "(version: 1, duration_s: 10, agents: [(name: \"tank\", sensors: [
        (name: \"level\", rate_hz: 1, kind: Values(fields: [(name: \"level\", unit: \"m\")]),
         source: Replay(file: \"t.csv\")),
        (name: \"far\", rate_hz: 1, kind: Values(fields: [(name: \"level\", unit: \"m\")]),
         source: Driver(\"file\", (path: \"l.jsonl\", follow: true)))])])";
    let folder = becomingone_tests::folder(&[("s.ron", scene), ("t.csv", table), ("l.jsonl", "")]);
    let engine = CoherenceEngine::from_scene(folder.path().join("s.ron"));
    let mut engine = watched(engine.unwrap());
    engine.start().unwrap();
    for sensor in ["level", "far"] {
        let found = refusal(&mut engine, "tank", fault(sensor, "Freeze", None));
        assert!(found.contains("which is not simulated"), "{found}");
    }
}
