//! Fault injection: readings change as configured, the truth does not, and invalid faults are errors with their place.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

use becomingone::components::body::TrueTwist;
use becomingone::components::event::AgentEvent;
use becomingone::components::fault::Faults;
use becomingone::components::geodesy::{Geodetic, TangentPlane};
use becomingone::components::sensor::{Measurement, SensorStats, Stamped};
use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone_tests::{engine, folder, get};
use std::time::Duration;

/// Readings of a sensor kind with their truth.
#[derive(Resource)]
struct Log<T: Measurement>(Vec<(Stamped<T>, T)>);

#[derive(Resource, Default)]
struct Events(Vec<(u64, String)>);

fn log<T: Measurement>(mut log: ResMut<Log<T>>, sensors: Query<(&Reading<T>, &Truth<T>)>) {
    for (reading, truth) in &sensors {
        log.0.extend(
            reading
                .batch()
                .map(|sample| (sample.clone(), truth.0.clone())),
        );
    }
}

fn events(mut log: ResMut<Events>, mut events: MessageReader<AgentEvent>) {
    log.0
        .extend(events.read().map(|h| (h.now_ns, h.kind.to_string())));
}

fn run<T: Measurement>(
    faults: &str,
) -> (Vec<(Stamped<T>, T)>, Vec<(u64, String)>, CoherenceEngine) {
    let scene = format!(
        "(version: 1, duration_s: 3, faults: [{faults}], agents: [
            (name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [
                (name: \"imu\", kind: Imu(gyro: (white_sd: 0.01)), rate_hz: 100),
                (name: \"encoders\", kind: Encoders(), rate_hz: 100),
            ], controller: Patrol(waypoints_m: [(9, 3)], speed_m_s: 1)),
        ])"
    );
    let mut engine = engine(&[("rover.ron", &scene)]);
    engine.add_plugin(|app: &mut App| {
        app.insert_resource(Log::<T>(Vec::new()))
            .init_resource::<Events>()
            .add_systems(Tick, (log::<T>, events).in_set(TickSystems::Publish));
    });
    engine.run_for(Duration::from_secs(3)).unwrap();
    let log = engine.world().resource::<Log<T>>().0.clone();
    let events = engine.world().resource::<Events>().0.clone();
    (log, events, engine)
}

#[test]
fn frozen_gyroscope_repeats_its_value_but_the_accelerometer_does_not() {
    let (log, events, mut engine) =
        run::<ImuSample>(r#"(sensor: "rover/gyro", kind: Freeze, at_s: 1, for_s: 0.5)"#);
    let frozen = |s: &Stamped<ImuSample>| (1_000_000_000..1_500_000_000).contains(&s.source_ns);
    let first = log.iter().find(|(s, _)| frozen(s)).unwrap().0.value;
    let mut other = 0;
    for pair in log.windows(2) {
        let [(a, _), (b, truth)] = pair else {
            unreachable!()
        };
        let same = a.value.angular_velocity_rad_s == b.value.angular_velocity_rad_s;
        assert_eq!(same, frozen(a) && frozen(b), "{} ns", b.source_ns);
        if frozen(b) {
            assert_eq!(b.value.angular_velocity_rad_s, first.angular_velocity_rad_s);
            other += u32::from(a.value.specific_force_m_s2 != b.value.specific_force_m_s2);
            // The truth continues to change.
            assert_ne!(truth.angular_velocity_rad_s, first.angular_velocity_rad_s);
        }
    }
    assert!(other > 40, "{other}");
    let texts: Vec<&str> = events
        .iter()
        .map(|(_, what)| what.as_str())
        .filter(|what| what.starts_with("fault"))
        .collect();
    assert_eq!(
        texts,
        [
            "fault begins: imu/gyro frozen",
            "fault ends: imu/gyro frozen"
        ]
    );
    let world = engine.world();
    let mut faults = world.try_query::<&Faults>().unwrap();
    let active: Vec<bool> = faults.iter(world).map(|f| f.all[0].active).collect();
    assert_eq!(active, [false]);
    // A reset clears the state of a fault.
    let before = engine.summary().state_hash;
    engine.reset().unwrap();
    let again = engine.run_for(Duration::from_secs(3)).unwrap();
    assert_eq!(again.state_hash, before);
}

#[test]
fn a_scaled_encoder_scales_increments_from_the_start_of_the_fault() {
    let (log, ..) = run::<EncoderAngles>(
        r#"(sensor: "rover/encoders/0", kind: Scale(1.08), at_s: 1, for_s: 1),
           (sensor: "rover/encoders/1", kind: Freeze, at_s: 2.5)"#,
    );
    for pair in log.windows(2) {
        let [(a, was), (b, is)] = pair else {
            unreachable!()
        };
        for (wheel, from_ns, until_ns, factor) in [
            (0, 1_000_000_000, 2_000_000_000, 1.08),
            (1, 2_500_000_000, u64::MAX, 0.0),
        ] {
            let factor = if (from_ns..until_ns).contains(&b.source_ns) {
                factor
            } else {
                1.0
            };
            let measured = b.value.angles_rad[wheel] - a.value.angles_rad[wheel];
            let turned = is.angles_rad[wheel] - was.angles_rad[wheel];
            assert!(
                (measured - factor * turned).abs() < 1e-9,
                "{} ns",
                b.source_ns
            );
        }
    }
    // The wheel has turned by then, so that the test is meaningful.
    assert!(log.last().unwrap().1.angles_rad[0] > 5.0);
}

/// Readings of a noise-free sensor of this kind with their truth.
fn clean<T: Measurement>(fault: &str) -> (Vec<(Stamped<T>, T)>, CoherenceEngine) {
    let scene = format!(
        "(version: 1, duration_s: 3, faults: [{fault}],
          world: (origin: (latitude_deg: 47, longitude_deg: 8, height_m: 400),
            obstacles: [Box(name: \"wall\", position_m: (6, 0, 0), size_m: (0.2, 40, 1))]),
          agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [
            (name: \"imu\", kind: Imu(), rate_hz: 100),
            (name: \"encoders\", kind: Encoders(), rate_hz: 100),
            (name: \"gnss\", kind: Gnss(), rate_hz: 10),
            (name: \"lidar\", kind: Lidar(rays: 90, range_max_m: 12), rate_hz: 10, position_m: (0, 0, 0.3)),
          ], controller: Patrol(waypoints_m: [(5, 3)], speed_m_s: 1)),
        ])"
    );
    let mut engine = engine(&[("rover.ron", &scene)]);
    engine.add_plugin(|app: &mut App| {
        app.insert_resource(Log::<T>(Vec::new()))
            .add_systems(Tick, log::<T>.in_set(TickSystems::Publish));
    });
    engine.run_for(Duration::from_secs(3)).unwrap();
    let log = engine.world().resource::<Log<T>>().0.clone();
    assert!(log.len() > 20);
    (log, engine)
}

/// Whether a stamp is within the fault interval, 1 s to 2 s.
fn on(ns: u64) -> bool {
    (1_000_000_000..2_000_000_000).contains(&ns)
}

#[test]
fn a_biased_accelerometer_adds_its_bias() {
    let (log, _) = clean::<ImuSample>(
        r#"(sensor: "rover/accelerometer_x", kind: Bias(0.5), at_s: 1, for_s: 1)"#,
    );
    for (sample, truth) in log {
        let off = sample.value.specific_force_m_s2 - truth.specific_force_m_s2;
        let expected = if on(sample.source_ns) { 0.5 } else { 0.0 };
        assert!((off.x - expected).abs() < 1e-5 && off.y == 0.0 && off.z == 0.0);
        assert_eq!(
            sample.value.angular_velocity_rad_s,
            truth.angular_velocity_rad_s
        );
    }
}

#[test]
fn gnss_position_drift_changes_latitude_and_longitude_but_not_conversely() {
    let plane = TangentPlane::new(Geodetic {
        latitude_deg: 47.0,
        longitude_deg: 8.0,
        height_m: 400.0,
    });
    let (log, _) =
        clean::<GnssFix>(r#"(sensor: "rover/gnss/east", kind: Drift(0.1), at_s: 1, for_s: 1)"#);
    for (sample, truth) in log {
        let since_s = sample.source_ns as f64 / 1e9 - 1.0;
        let pulled_m = if on(sample.source_ns) {
            0.1 * since_s
        } else {
            0.0
        };
        let [east, north, up] = sample.value.position_m;
        assert!((east - truth.position_m[0] - pulled_m).abs() < 1e-9);
        assert_eq!([north, up], [truth.position_m[1], truth.position_m[2]]);
        let place = plane.position_m(sample.value.place);
        assert!(
            place
                .iter()
                .zip([east, north, up])
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
        assert_eq!(sample.value.velocity_m_s, truth.velocity_m_s);
    }
    let (log, _) = clean::<GnssFix>(
        r#"(sensor: "rover/gnss/latitude", kind: Bias(0.001), at_s: 1, for_s: 1)"#,
    );
    for (sample, truth) in log {
        let off = sample.value.place.latitude_deg - truth.place.latitude_deg;
        let expected = if on(sample.source_ns) { 0.001 } else { 0.0 };
        assert!((off - expected).abs() < 1e-12);
        assert_eq!(sample.value.position_m, truth.position_m);
    }
}

#[test]
fn a_delayed_gyroscope_reads_earlier_truth() {
    let (log, _) =
        clean::<ImuSample>(r#"(sensor: "rover/gyro", kind: Delay(0.06), at_s: 1, for_s: 1)"#);
    for (k, (sample, now)) in log.iter().enumerate() {
        let then = if on(sample.source_ns) {
            log[k - 6].1
        } else {
            *now
        };
        assert_eq!(
            sample.value.angular_velocity_rad_s,
            then.angular_velocity_rad_s
        );
        assert_eq!(sample.value.specific_force_m_s2, now.specific_force_m_s2);
    }
}

#[test]
fn encoders_keep_counting_through_a_drop_out() {
    let fault = r#"(sensor: "rover/encoders", kind: DropOut(0.5), at_s: 1, for_s: 1)"#;
    let (log, engine) = clean::<EncoderAngles>(fault);
    for (k, (sample, truth)) in log.iter().enumerate() {
        assert_eq!(sample.value, *truth);
        assert_eq!(sample.sequence, k as u64);
    }
    let during = log.iter().filter(|(s, _)| on(s.source_ns)).count();
    // Of a hundred readings; within four standard errors.
    assert!((30..=70).contains(&during), "{during}");
    let stats: SensorStats = get(&engine, "rover/encoders");
    assert_eq!(stats.readings, log.len() as u64);
    assert_eq!(stats.dropped, 100 - during as u64);
    let (again, _) = clean::<EncoderAngles>(fault);
    assert_eq!(again, log);
}

#[test]
fn the_blocked_share_of_lidar_rays_reads_the_maximum_range() {
    let (log, _) = clean::<Scan>(r#"(sensor: "rover/lidar", kind: Block(0.5), at_s: 1, for_s: 1)"#);
    for (sample, truth) in log {
        let blocked = if on(sample.source_ns) { 45 } else { 0 };
        assert!(sample.value.ranges_m[..blocked].iter().all(|&m| m == 12.0));
        assert_eq!(sample.value.ranges_m[blocked..], truth.ranges_m[blocked..]);
        // Both halves had hits.
        assert!(truth.ranges_m[..45].iter().any(|&m| m < 12.0));
    }
}

/// Robot or car driving straight: its distance and true wheel angles at two times (s).
fn straight(fault: &str, agent: &str, times_s: [f64; 2]) -> [(f64, Vec<f64>); 2] {
    let scene = format!(
        "(version: 1, seed: 4, faults: [{fault}], agents: [(name: \"rover\", {agent}, sensors: [
            (name: \"encoders\", kind: Encoders(), rate_hz: 1000)])])"
    );
    let mut engine = engine(&[("straight.ron", &scene)]);
    engine.start().unwrap();
    let mut at_s = 0.0;
    times_s.map(|time_s| {
        let world = engine.world_mut();
        for mut target in world.query::<&mut ActuatorTarget<Twist2>>().iter_mut(world) {
            target.0.linear_m_s = 0.8;
        }
        for mut target in world
            .query::<&mut ActuatorTarget<Ackermann>>()
            .iter_mut(world)
        {
            target.0.speed_m_s = 5.0;
        }
        engine
            .run_for(Duration::from_secs_f64(time_s - at_s))
            .unwrap();
        at_s = time_s;
        let pose: TruePose = get(&engine, "rover");
        assert!(pose.0.translation_m.y.abs() < 0.05);
        let angles: Truth<EncoderAngles> = get(&engine, "rover/encoders");
        (f64::from(pose.0.translation_m.x), angles.0.angles_rad)
    })
}

const ROVER: &str = "model: \"rover.urdf\", drive: Auto";

/// Wheel radii of the rover and of the car (m).
const WHEEL_M: f64 = 0.09765;

#[test]
fn slipping_wheels_cover_less_distance_by_the_slip_ratio() {
    for (kind, share) in [
        ("Scale(1)", 0.0),
        ("Slip(0.04)", 0.04),
        ("Slip(0.08)", 0.08),
        ("Slip(0.5)", 0.5),
    ] {
        let part = if share == 0.0 { "encoders" } else { "drive" };
        let fault = format!("(sensor: \"rover/{part}\", kind: {kind})");
        let [(from_m, from), (to_m, to)] = straight(&fault, ROVER, [2.0, 8.0]);
        for (from_rad, to_rad) in from.iter().zip(&to) {
            let rolled_m = (to_rad - from_rad) * WHEEL_M;
            let ratio = (to_m - from_m) / rolled_m;
            assert!((ratio - (1.0 - share)).abs() < 0.003, "{kind}: {ratio}");
        }
    }
}

#[test]
fn a_slip_fault_ends_after_its_duration() {
    // Ends before the measurement.
    let fault = r#"(sensor: "rover/drive", kind: Slip(0.5), for_s: 1)"#;
    let [(from_m, from), (to_m, to)] = straight(fault, ROVER, [2.0, 6.0]);
    let ratio = (to_m - from_m) / ((to[0] - from[0]) * WHEEL_M);
    assert!((ratio - 1.0).abs() < 0.003, "{ratio}");
}

#[test]
fn slip_of_a_car_affects_its_driven_wheels_only() {
    let car = "model: \"compact_car.yaml\"";
    let fault = r#"(sensor: "rover/drive", kind: Slip(0.04))"#;
    let clean = straight("", car, [4.0, 8.0]);
    let slips = straight(fault, car, [4.0, 8.0]);
    let turned = |s: &[(f64, Vec<f64>); 2], k: usize| s[1].1[k] - s[0].1[k];
    let ratios: Vec<f64> = (0..4)
        .map(|k| turned(&clean, k) / turned(&slips, k))
        .collect();
    let driven = ratios.iter().filter(|r| (*r - 0.96).abs() < 1e-6).count();
    let free = ratios.iter().filter(|r| (*r - 1.0).abs() < 1e-6).count();
    assert_eq!((driven, free), (2, 2), "{ratios:?}");
    assert_eq!(clean[1].0, slips[1].0);
}

#[test]
fn weak_motors_accelerate_by_their_remaining_torque() {
    // 4 N m each, on 9 kg plus the wheel inertia: 2 I / r² with 0.00381 kg m², cylinders about their axes.
    let mass_kg = 9.0 + 2.0 * 0.00381 / (WHEEL_M * WHEEL_M);
    for share in [0.05, 0.025] {
        let fault = format!("(sensor: \"rover/drive\", kind: Torque({share}))");
        let expected = 2.0 * 4.0 * share / WHEEL_M / mass_kg;
        // Far from the target speed the motors are saturated.
        let [(a, _), (b, _)] = straight(&fault, ROVER, [0.5, 1.0]);
        // From rest: x(1 s) - x(0.5 s) = a (1 - 0.25) / 2, minus the drag of the caster.
        let is = (b - a) / 0.375;
        assert!(
            is > 0.85 * expected && is < 1.01 * expected,
            "{is} of {expected} m/s2"
        );
    }
    let fault = r#"(sensor: "rover/drive", kind: Torque(0.05), for_s: 1)"#;
    let [(from_m, _), (to_m, _)] = straight(fault, ROVER, [4.0, 6.0]);
    assert!(((to_m - from_m) / 2.0 - 0.8).abs() < 0.01);
}

#[test]
fn a_weak_engine_accelerates_a_car_by_its_remaining_force() {
    // 4500 N on 1225.9 kg, minus the rolling resistance of 0.013 (compact_car.yaml); air drag is less than 5 N.
    let car = "model: \"compact_car.yaml\"";
    for share in [0.5, 0.25] {
        let fault = format!("(sensor: \"rover/drive\", kind: Torque({share}))");
        let expected = 4500.0 * share / 1225.9 - 0.013 * 9.81;
        let [(a, _), (b, _)] = straight(&fault, car, [1.0, 2.0]);
        // From rest: x(2 s) - x(1 s) = a (4 - 1) / 2.
        let is = (b - a) / 1.5;
        assert!((is / expected - 1.0).abs() < 0.03, "{is} of {expected}");
    }
}

/// Box of 0.4 m x 0.4 m x 0.1 m.
const SLED: &str = "<robot name=\"sled\"><link name=\"base\">
    <collision><geometry><box size=\"0.4 0.4 0.1\"/></geometry></collision>
    <inertial><mass value=\"2\"/><inertia ixx=\"0.028\" ixy=\"0\" ixz=\"0\" iyy=\"0.028\" iyz=\"0\" izz=\"0.053\"/></inertial>
</link></robot>";

/// Speeds of a sled at 0.5 s and 1.5 s after its start on a slope of 5 m in 20 m.
fn slid(friction: &str) -> [f64; 2] {
    let scene = format!(
        "(version: 1, world: (obstacles: [
            Ramp(name: \"slope\", position_m: (0, 0, 0), size_m: (20, 4, 5){friction})]),
          agents: [(name: \"sled\", model: \"sled.urdf\", position_m: (5, 0, 3.86))])"
    );
    let mut engine = engine(&[("slope.ron", &scene), ("sled.urdf", SLED)]);
    [0.5, 1.0].map(|more_s| {
        engine.run_for(Duration::from_secs_f64(more_s)).unwrap();
        let twist: TrueTwist = get(&engine, "sled");
        f64::from(twist.linear_m_s.length())
    })
}

#[test]
fn a_sled_slides_down_a_slope_by_its_friction_coefficient() {
    let (sin, cos) = (5.0 / 425f64.sqrt(), 20.0 / 425f64.sqrt());
    for friction in [0.03, 0.1, 0.2] {
        let [from, to] = slid(&format!(", friction: {friction}"));
        let expected = 9.81 * (sin - friction * cos);
        let is = to - from;
        assert!((is / expected - 1.0).abs() < 0.03, "{is} of {expected}");
    }
    // Friction above the slope of 0.25, and by default the ground's 0.9: it does not slide.
    for friction in [", friction: 0.4", ""] {
        let [_, to] = slid(friction);
        assert!(to < 0.01, "{to}");
    }
}

#[test]
fn a_run_with_each_kind_of_fault_is_reproducible() {
    for fault in [
        r#"sensor: "rover/accelerometer_x", kind: Bias(0.5)"#,
        r#"sensor: "rover/gnss/east", kind: Drift(0.1)"#,
        r#"sensor: "rover/gyro", kind: Delay(0.06)"#,
        r#"sensor: "rover/encoders", kind: DropOut(0.5)"#,
        r#"sensor: "rover/lidar", kind: Block(0.5)"#,
        r#"sensor: "rover/drive", kind: Slip(0.08)"#,
        r#"sensor: "rover/drive/0", kind: Torque(0.5)"#,
    ] {
        let text = format!(
            "(version: 1, duration_s: 2, faults: [({fault}, at_s: 0.5, for_s: 1)],
              world: (origin: (latitude_deg: 47, longitude_deg: 8, height_m: 400),
                obstacles: [Box(name: \"wall\", position_m: (6, 0, 0), size_m: (0.2, 40, 1))]),
              agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [
                (name: \"imu\", kind: Imu(gyro: (white_sd: 0.01)), rate_hz: 100),
                (name: \"encoders\", kind: Encoders(), rate_hz: 100),
                (name: \"gnss\", kind: Gnss(), rate_hz: 10),
                (name: \"lidar\", kind: Lidar(rays: 90, range_max_m: 12), rate_hz: 10, position_m: (0, 0, 0.3)),
              ], controller: Patrol(waypoints_m: [(5, 3)], speed_m_s: 1)),
            ])"
        );
        let here = folder(&[("s.ron", &text)]);
        let binary = |args: &[&str]| {
            let ran = becomingone_tests::run(here.path(), args);
            assert_eq!(ran.code, Some(0), "{fault}: {}", ran.stderr);
            ran.stdout
        };
        binary(&["run", "s.ron", "--rerun", "off", "--record", "a.mcap"]);
        let output = binary(&["replay", "a.mcap", "--verify"]);
        assert!(output.contains("verified: 2000 ticks"), "{fault}: {output}");
    }
}
