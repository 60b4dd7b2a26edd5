//! Sensors of the machine itself and of the air: joints, forces, battery, pressure, temperature, sound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and checks against formulas"
)]

use becomingone::CoherenceEngine;
use becomingone::components::sensor::Measurement;
use becomingone::prelude::*;
use becomingone_tests::{engine, folder, get};
use std::time::Duration;

/// Standard gravity (ISO 80000-3), m/s².
const G: f64 = 9.80665;

/// A fixed stand, and on one joint of this type a rod: 2 kg, its centre 0.3 m along x.
fn stand(joint: &str, upright: &str) -> String {
    format!(
        r#"<robot name="stand">
  <link name="world"/>
  <link name="base"><inertial><mass value="5"/><inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="foot" type="fixed"><parent link="world"/><child link="base"/><origin xyz="0 0 1" rpy="{upright}"/></joint>
  <link name="rod"><inertial><origin xyz="0.3 0 0"/><mass value="2"/><inertia ixx="1e-4" iyy="2e-3" izz="2e-3" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="axle" type="{joint}"><parent link="base"/><child link="rod"/><axis xyz="{axis}"/><limit lower="-3.1" upper="3.1" effort="1000" velocity="100"/></joint>
</robot>"#,
        axis = if joint == "prismatic" {
            "0 0 1"
        } else {
            "0 1 0"
        },
    )
}

fn scene(robot: &str, drive: &str, sensors: &str) -> CoherenceEngine {
    let scene = format!(
        "(version: 1, agents: [(name: \"a\", model: \"a.urdf\", drive: {drive}, coherence: off, sensors: [{sensors}])])"
    );
    engine(&[("a.ron", &scene), ("a.urdf", robot)])
}

fn run(engine: &mut CoherenceEngine, seconds: f64) {
    engine.run_for(Duration::from_secs_f64(seconds)).unwrap();
}

fn numbers<T: Measurement>(engine: &CoherenceEngine, name: &str) -> Vec<f64> {
    let reading = get::<Reading<T>>(engine, name);
    let mut numbers = Vec::new();
    reading
        .latest()
        .unwrap()
        .value
        .visit(&mut |x| numbers.push(x));
    numbers
}

#[track_caller]
fn close(found: &[f64], expected: &[f64], by: f64) {
    let is_close = |(x, y): (&f64, &f64)| (x - y).abs() <= by;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_close),
        "{found:?}, expected {expected:?}"
    );
}

#[test]
fn a_servo_that_holds_a_rod_gives_the_torque_of_its_weight() {
    let sensors = "(name: \"joints\", rate_hz: 100, kind: JointStates(joints: [\"axle\"])),
        (name: \"wrist\", rate_hz: 100, link: \"rod\", kind: ForceTorque())";
    let mut engine = scene(
        &stand("revolute", "0 0 0"),
        "Joints(stiffness: 2000, damping: 50)",
        sensors,
    );
    run(&mut engine, 4.0);
    // About y, positive turns the rod down.
    let torque = -2.0 * G * 0.3;
    let [position, velocity, effort] = numbers::<ValueRow>(&engine, "a/joints")[..] else {
        panic!()
    };
    // The servo's spring gives way, downwards.
    assert!((1e-4..0.02).contains(&position), "{position}");
    close(&[velocity, effort], &[0.0, torque], 0.02);
    let tilted = position.sin() * 2.0 * G;
    let expected = [-tilted, 0.0, 2.0 * G, 0.0, torque, 0.0];
    close(&numbers::<Wrench>(&engine, "a/wrist"), &expected, 0.02);
}

#[test]
fn a_lift_holds_its_load_with_the_force_of_its_weight() {
    let sensors = "(name: \"joints\", rate_hz: 100, kind: JointStates(slides: [\"axle\"]))";
    let mut engine = scene(
        &stand("prismatic", "0 0 0"),
        "Joints(stiffness: 20000, damping: 500)",
        sensors,
    );
    run(&mut engine, 4.0);
    let [position, velocity, effort] = numbers::<ValueRow>(&engine, "a/joints")[..] else {
        panic!()
    };
    assert!((-0.01..-1e-4).contains(&position), "{position}");
    close(&[velocity, effort], &[0.0, 2.0 * G], 0.02);
}

/// A pendulum that is let go level pulls with three times its weight at the bottom, whatever its length: for a
/// compound one with k² = I / (m L²), with 1 + 2 / (1 + k²) times.
#[test]
fn a_pendulum_pulls_as_energy_and_momentum_say() {
    let sensors = "(name: \"joints\", rate_hz: 1000, kind: JointStates(joints: [\"axle\"])),
        (name: \"wrist\", rate_hz: 1000, link: \"rod\", kind: ForceTorque())";
    let mut engine = scene(&stand("revolute", "0 0 0"), "Off", sensors);
    let quarter = std::f64::consts::FRAC_PI_2;
    engine.start().unwrap();
    while numbers_or_none(&engine, "a/joints").is_none_or(|n| n[0] < quarter) {
        engine.step().unwrap();
    }
    let pull = 1.0 + 2.0 / (1.0 + 2e-3 / (2.0 * 0.3 * 0.3));
    let force = numbers::<Wrench>(&engine, "a/wrist");
    // The rod's x points down, and its parent pulls it up.
    close(&force[..1], &[-pull * 2.0 * G], 0.5);
    // A free joint takes no torque about its axle.
    close(&force[4..5], &[0.0], 0.05);
}

fn numbers_or_none(engine: &CoherenceEngine, name: &str) -> Option<Vec<f64>> {
    let reading = get::<Reading<ValueRow>>(engine, name);
    reading.latest().map(|latest| latest.value.numbers.clone())
}

/// A brick on a plate that is tilted by 15°, held by friction: the plate's joint carries both.
#[test]
fn what_lies_on_a_plate_weighs_on_its_joint() {
    let plate = r#"<robot name="scale">
  <link name="world"/>
  <link name="base"><inertial><mass value="5"/><inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="foot" type="fixed"><parent link="world"/><child link="base"/><origin xyz="0 0 0.5" rpy="0 0.2618 0"/></joint>
  <link name="plate"><inertial><mass value="3"/><inertia ixx="0.05" iyy="0.05" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><geometry><box size="0.6 0.6 0.04"/></geometry></collision></link>
  <joint name="spring" type="prismatic"><parent link="base"/><child link="plate"/><axis xyz="0 0 1"/><limit lower="-1" upper="1" effort="1000" velocity="10"/></joint>
</robot>"#;
    let brick = r#"<robot name="brick"><link name="brick"><inertial><mass value="2"/><inertia ixx="0.004" iyy="0.004" izz="0.006" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><geometry><box size="0.14 0.14 0.06"/></geometry></collision></link></robot>"#;
    let scene = "(version: 1, agents: [
        (name: \"scale\", model: \"scale.urdf\", drive: Joints(stiffness: 20000, damping: 600), coherence: off, sensors: [
            (name: \"load\", rate_hz: 100, link: \"plate\", kind: ForceTorque()),
        ]),
        (name: \"brick\", model: \"brick.urdf\", coherence: off, position_m: (0.1, 0, 0.6)),
    ])";
    let mut engine = engine(&[
        ("a.ron", scene),
        ("scale.urdf", plate),
        ("brick.urdf", brick),
    ]);
    run(&mut engine, 5.0);
    let [x, y, z, _, torque_y, _] = numbers::<Wrench>(&engine, "scale/load")[..] else {
        panic!()
    };
    let (sin, cos) = 0.2618f64.sin_cos();
    let weight = 5.0 * G;
    close(&[x, y, z], &[-weight * sin, 0.0, weight * cos], 0.5);
    // The brick's weight acts below its place: torque about the plate's middle, from where it lies.
    let place = get::<becomingone::components::body::TruePose>(&engine, "brick").0;
    let [bx, bz] = [place.translation_m.x, place.translation_m.z].map(f64::from);
    assert!(bx.abs() < 0.3 && bz > 0.4, "the brick slid off: {place:?}");
    close(&[torque_y], &[-2.0 * G * bx], 0.3);
}

#[test]
fn a_battery_gives_the_power_of_its_load_and_loses_its_charge() {
    let sensors = "(name: \"battery\", rate_hz: 50, kind: Battery(
        capacity_a_h: 0.1, full_v: 12, empty_v: 10, resistance_ohm: 0.2, idle_w: 20, efficiency: 0.5))";
    let scene = format!(
        "(version: 1, agents: [(name: \"a\", model: \"rover.urdf\", drive: Auto, coherence: off, sensors: [{sensors}])])"
    );
    let mut resting = engine(&[("a.ron", &scene)]);
    run(&mut resting, 10.0);
    let [voltage, current, charge] = numbers::<BatteryState>(&resting, "a/battery")[..] else {
        panic!()
    };
    // A rover at rest has no mechanical power: 20 W, near 1.7 A for 10 s out of 0.1 A h.
    close(&[voltage * current], &[20.0], 0.05);
    let open = 10.0 + 2.0 * charge;
    close(&[voltage], &[open - 0.2 * current], 2e-3);
    close(&[charge], &[1.0 - 1.73 * 10.0 / 360.0], 1e-3);
}

/// A lift that raises 2 kg at a constant speed takes m g v, at half the power of the battery.
#[test]
fn a_battery_pays_for_what_a_motor_lifts() {
    let scene = "(version: 1, agents: [(name: \"a\", model: \"a.urdf\", coherence: off,
        drive: Joints(stiffness: 20000, damping: 2000),
        controller: Joints(motions: [(joint: \"axle\", amplitude: 0.5, frequency_hz: 0.1)]),
        sensors: [
            (name: \"joints\", rate_hz: 100, kind: JointStates(slides: [\"axle\"])),
            (name: \"battery\", rate_hz: 100, kind: Battery(resistance_ohm: 0.001, idle_w: 5, efficiency: 0.5)),
        ])])";
    let mut engine = engine(&[("a.ron", scene), ("a.urdf", &stand("prismatic", "0 0 0"))]);
    // At a whole period the motion is in its middle, on the way up.
    run(&mut engine, 20.0);
    let speed = 0.5 * std::f64::consts::TAU * 0.1;
    let [_, velocity, effort] = numbers::<ValueRow>(&engine, "a/joints")[..] else {
        panic!()
    };
    // The servo lags a little behind its target, so that the load is not quite without acceleration.
    close(&[velocity, effort], &[speed, 2.0 * G], 0.3);
    let [voltage, current, _] = numbers::<BatteryState>(&engine, "a/battery")[..] else {
        panic!()
    };
    let expected = 5.0 + velocity * effort / 0.5;
    close(&[voltage * current], &[expected], 0.2);
}

#[test]
fn pressure_and_temperature_are_those_of_the_standard_atmosphere() {
    let scene =
        "(version: 1, world: (origin: (latitude_deg: 47, longitude_deg: 8, height_m: 1000)),
        agents: [(name: \"a\", model: \"rover.urdf\", drive: Auto, coherence: off, sensors: [
            (name: \"air\", rate_hz: 10, kind: Barometer()),
            (name: \"high\", rate_hz: 10, kind: Barometer(), position_m: (0, 0, 10)),
            (name: \"part\", rate_hz: 10, kind: Barometer(preset: Bmp390)),
            (name: \"warm\", rate_hz: 10, kind: Temperature()),
            (name: \"room\", rate_hz: 10, kind: Temperature(preset: Sht31, at_origin_deg_c: 21)),
        ])])";
    let mut engine = engine(&[("a.ron", scene)]);
    run(&mut engine, 2.0);
    let pressure = |name: &str| numbers::<Pressure>(&engine, name)[0];
    // ISO 2533: 89876 Pa at 1000 m, and 11.1 Pa less for each metre (density 1.1117 kg/m³).
    close(&[pressure("a/air")], &[89_876.0], 5.0);
    close(
        &[pressure("a/air") - pressure("a/high")],
        &[1.1117 * G * 10.0],
        0.2,
    );
    let part = pressure("a/part");
    close(&[part / 0.016 - (part / 0.016).round()], &[0.0], 1e-6);
    close(&[part], &[89_876.0], 200.0);
    let warm = numbers::<AirTemperature>(&engine, "a/warm");
    close(&warm, &[8.5], 0.01);
    let room = numbers::<AirTemperature>(&engine, "a/room");
    close(&room, &[21.0], 0.8);
}

#[test]
fn a_microphone_hears_the_nearest_tone() {
    let scene = "(version: 1, agents: [(name: \"a\", model: \"rover.urdf\", drive: Auto, coherence: off, sensors: [
        (name: \"ear\", rate_hz: 50, kind: Microphone(preset: Ics43434, tones: [
            (frequency_hz: 440, level_db: 80, position_m: (10, 0, 0)),
            (frequency_hz: 3000, level_db: 80, position_m: (40, 0, 0)),
        ])),
    ])])";
    let mut engine = engine(&[("a.ron", scene)]);
    run(&mut engine, 1.0);
    let sound = numbers::<Sound>(&engine, "a/ear");
    // 80 dB SPL at 1 m, 60 at 10 m: 34 below the 94 dB at which the sheet has -26 dB.
    close(&sound[..2], &[-60.0, 440.0], 0.3);
    // 500 Hz, 4 kHz: four times as far, 12 dB less.
    close(&[sound[3 + 3], sound[3 + 6]], &[-60.0, -72.0], 0.4);
}

#[test]
fn a_data_sheet_gives_what_a_scene_leaves_out() {
    let scene = "(version: 1, agents: [(name: \"a\", model: \"rover.urdf\", drive: Auto, coherence: off, sensors: [
        (name: \"sonar\", rate_hz: 10, kind: Range(preset: HcSr04, range_max_m: 2)),
    ])])";
    let engine = engine(&[("a.ron", scene)]);
    let loaded = engine
        .world()
        .resource::<becomingone::components::scene::LoadedScene>();
    let kind = &loaded.scene.agents[0].sensors[0].kind;
    let sonar = kind.get::<RangeFinder>().unwrap();
    let sheet = [sonar.range_min_m, sonar.range_max_m, sonar.noise.resolution];
    close(&sheet, &[0.02, 2.0, 0.003], 0.0);
    close(&[sonar.fov_rad], &[15.0f64.to_radians()], 1e-12);
}

#[test]
fn names_that_a_model_lacks_are_refused_with_those_that_it_has() {
    for (sensor, words) in [
        (
            "JointStates(joints: [\"axel\"])",
            [
                "found `axel`",
                "a joint of `stand` that turns about one axis: axle",
            ],
        ),
        (
            "JointStates(slides: [\"axle\"])",
            [
                "found `axle`, which is revolute",
                "that is prismatic: it has none",
            ],
        ),
        ("JointStates()", ["found none", "`becomingone inspect`"]),
        (
            "ForceTorque()",
            ["which no joint carries", "`link` of the sensor"],
        ),
        ("Range()", ["missing field `range_max_m`", "HcSr04"]),
        ("Barometer(preset: Bmp380)", ["Bmp380", "Bmp390"]),
        ("Battery(charge: 2)", ["found 2", "a share from 0 to 1"]),
    ] {
        let scene = format!(
            "(version: 1, agents: [(name: \"a\", model: \"a.urdf\", coherence: off, sensors: [(name: \"s\", rate_hz: 10, kind: {sensor})])])"
        );
        let folder = folder(&[("a.ron", &scene), ("a.urdf", &stand("revolute", "0 0 0"))]);
        let Err(error) = CoherenceEngine::from_scene(folder.path().join("a.ron")) else {
            panic!("{sensor} is accepted");
        };
        let error = error.to_string();
        assert!(words.iter().all(|w| error.contains(w)), "{sensor}: {error}");
        assert!(error.contains("a.ron:1:"), "{error}");
    }
}
