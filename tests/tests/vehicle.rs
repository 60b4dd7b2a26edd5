//! Cars: `run vehicle` stays on its track, car dynamics match closed forms, invalid files are errors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its closed forms need no equal bits"
)]

use becomingone::CoherenceEngine;
use becomingone::components::body::{LinkPoses, TruePose, TrueTwist};
use becomingone::components::track::Laps;
use becomingone::components::vehicle::VehicleState;
use becomingone::prelude::*;
use becomingone_tests::{engine, folder, get, root, run, summary};
use glam::Vec3;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const G: f64 = 9.80665;
/// Parameters of the car's file: mass, wheelbase, spring stiffness, tyre.
const MASS_KG: f64 = 1225.9;
const WHEELBASE_M: f64 = 2.39268;
const STIFFNESS_N_M: f64 = 21898.3;
const TYRE: f64 = 1.0489;

fn car() -> String {
    fs::read_to_string(root().join("assets/compact_car.yaml")).unwrap()
}

/// Car without resistance: only engine and brake forces act.
fn frictionless() -> String {
    let text = car();
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(match line.split(':').next() {
            Some("rolling_resistance") => "rolling_resistance: 0".to_owned(),
            Some("drag_area_m2") => "drag_area_m2: 0".to_owned(),
            _ => line.to_owned(),
        });
    }
    lines.join("\n")
}

/// Car alone on the plane, commanded through its actuator.
fn alone(world: &str, yaml: &str) -> CoherenceEngine {
    let scene = format!(
        "(version: 1, world: ({world}), agents: [(name: \"car\", model: \"car.yaml\",
          sensors: [(name: \"wheels\", kind: Encoders(), rate_hz: 1000)])])"
    );
    engine(&[("scene.ron", &scene), ("car.yaml", yaml)])
}

fn command(engine: &mut CoherenceEngine, speed_m_s: f64, steering_rad: f64) {
    engine.start().unwrap();
    let world = engine.world_mut();
    let mut commands = world.query::<&mut ActuatorTarget<Ackermann>>();
    let target = Ackermann {
        speed_m_s,
        steering_rad,
    };
    assert_eq!(commands.iter(world).count(), 1);
    commands.iter_mut(world).for_each(|mut c| c.0 = target);
}

fn run_for(engine: &mut CoherenceEngine, seconds: f64) {
    engine.run_for(Duration::from_secs_f64(seconds)).unwrap();
}

fn speed(engine: &CoherenceEngine) -> f64 {
    f64::from(get::<TrueTwist>(engine, "car").linear_m_s.length())
}

#[test]
fn seeds_1_to_20_lap_the_track_and_never_leave_it() {
    let next = AtomicU64::new(1);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > 20 {
                return failed;
            }
            let s = summary(&["vehicle", "--seed", &seed.to_string()]);
            let agent = &s["agents"][0];
            let fine = agent["laps"] == 2
                && agent["goals_reached"] == 2
                && agent["off_track"] == 0
                && agent["collisions"] == 0;
            // A lap of 504 m takes at least 25 s at up to 20 m/s, and less than a minute.
            let best = agent["best_lap_s"].as_f64().unwrap_or_default();
            if !(fine && best > 25.0 && best < 60.0) {
                failed.push(format!("seed {seed}: {agent}"));
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

#[test]
fn the_state_hash_is_the_same_after_a_reset_and_on_two_threads() {
    let mut engine = CoherenceEngine::from_scene(root().join("scenes/vehicle_track.ron")).unwrap();
    let ten = Duration::from_secs(10);
    let fresh = engine.run_for(ten).unwrap().state_hash;
    engine.reset().unwrap();
    assert_eq!(engine.run_for(ten).unwrap().state_hash, fresh);
    for threads in ["1", "2"] {
        let s = summary(&["vehicle", "--duration", "10s", "--threads", threads]);
        assert_eq!(s["state_hash"], fresh.as_str(), "{threads} threads");
    }
    let other = summary(&["vehicle", "--duration", "10s", "--seed", "2"]);
    assert_ne!(other["state_hash"], fresh.as_str());
}

#[test]
fn the_filter_is_consistent_and_keeps_the_car_in_its_lane() {
    for seed in ["1", "2", "3"] {
        let s = summary(&["vehicle", "--seed", seed]);
        let car = &s["agents"][0];
        let of = |name: &str| car["filter"][name].as_f64().unwrap();
        // About 21 000 degrees of freedom; random walks model curves, so the filter is conservative.
        let nis = of("mean_nis");
        assert!((0.7..1.1).contains(&nis), "seed {seed}: {nis}");
        // The start is known; the lane extends 4 m to either side. The estimate is up to a tick old: 0.4 m at 20 m/s.
        assert!(of("error_m") < 0.8, "seed {seed}: {}", of("error_m"));
        let widest_m = car["widest_m"].as_f64().unwrap();
        assert!(widest_m < 1.3, "seed {seed}: {widest_m}");
        assert_eq!(car["off_track"], 0, "seed {seed}");
    }
}

#[test]
fn wheel_odometry_starts_with_the_first_encoder_reading() {
    let fault = r#"faults=[(sensor: "car/wheels", kind: DropOut(1.0), at_s: 0, for_s: 15)]"#;
    let car = summary(&["vehicle", "--set", fault])["agents"][0].take();
    assert_eq!(car["off_track"], 0, "{car}");
    let error_m = car["filter"]["error_m"].as_f64().unwrap();
    assert!(error_m < 0.8, "{error_m}");
}

#[test]
fn frozen_encoders_are_isolated_and_do_not_bias_the_filter() {
    // Permanently stuck: a wheel scale of -1 would explain it.
    let fault = r#"sensor: "car/wheels", kind: Freeze, at_s: 42"#;
    let car = ungoverned("1", fault);
    assert!(car["filter"]["error_m"].as_f64().unwrap() < 0.8, "{car}");
    let alarm = &car["kernel"]["witness"]["alarms"][0];
    let cause = alarm["cause"].as_str().unwrap();
    assert!(
        cause.starts_with("wheels/") && alarm["until_s"].is_null(),
        "{alarm}"
    );
}

#[test]
fn a_gnss_receiver_frozen_for_3_s_is_isolated_and_used_again() {
    // Four sub-filters have large innovations, although the car does not skid.
    let fault = r#"sensor: "car/gnss", kind: Freeze, at_s: 42, for_s: 3"#;
    for seed in ["1", "5"] {
        let car = ungoverned(seed, fault);
        assert!(car["filter"]["error_m"].as_f64().unwrap() < 1.0, "{car}");
        let cause = car["kernel"]["witness"]["alarms"][0]["cause"].as_str();
        assert!(cause.is_some_and(|c| c.starts_with("gnss/")), "{cause:?}");
    }
}

/// Three laps with this fault and without exclusion.
fn ungoverned(seed: &str, fault: &str) -> serde_json::Value {
    three_laps(seed, fault, &[])
}

/// Three laps with this fault and these arguments; checks that the car stays on the track.
fn three_laps(seed: &str, fault: &str, more: &[&str]) -> serde_json::Value {
    let fault = format!("faults=[({fault})]");
    let laps = "agents.car.controller.laps=3";
    let all = ["vehicle", "--seed", seed, "--set", laps, "--set", &fault];
    let car = summary(&[all.as_slice(), more].concat())["agents"][0].take();
    assert_eq!(
        (&car["laps"], &car["off_track"]),
        (&3.into(), &0.into()),
        "{car}"
    );
    car
}

#[test]
fn encoders_frozen_for_2_s_are_isolated_and_their_lost_distance_is_not_counted() {
    // 40 m of wheel distance are lost.
    for seed in ["1", "2"] {
        let car = ungoverned(
            seed,
            r#"sensor: "car/wheels", kind: Freeze, at_s: 42, for_s: 2"#,
        );
        let error_m = car["filter"]["error_m"].as_f64().unwrap();
        assert!(error_m < 0.8, "{error_m}");
        let alarms = car["kernel"]["witness"]["alarms"].as_array().unwrap();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        let cause = alarms[0]["cause"].as_str().unwrap();
        assert!(cause.starts_with("wheels/"), "{cause}");
        assert!(alarms[0]["until_s"].as_f64().is_some_and(|s| s < 70.0));
    }
}

#[test]
fn a_latched_stop_ends_the_run_with_the_position_known() {
    let more = [
        "--set",
        "agents.car.governor=()",
        "--set",
        r#"faults=[(sensor: "car/wheels", kind: Freeze, at_s: 42)]"#,
    ];
    // No duration; the second lap is never completed.
    let summary = summary(&[&["vehicle"], more.as_slice()].concat());
    let car = &summary["agents"][0];
    assert_eq!(car["governor"]["stopped"], true, "{car}");
    assert_eq!(
        (&car["laps"], &car["off_track"]),
        (&1.into(), &0.into()),
        "{car}"
    );
    assert!(
        summary["sim_s"].as_f64().is_some_and(|s| s < 70.0),
        "{summary}"
    );
    let error_m = car["filter"]["error_m"].as_f64().unwrap();
    assert!(error_m < 0.8, "{error_m}");
}

/// Three laps of seed 2 with this fault from 42 s on, with a governor that may exclude a sensor.
fn governed(fault: &str) -> serde_json::Value {
    let governor = ["--set", "agents.car.governor=()"];
    three_laps("2", &format!("{fault}, at_s: 42"), &governor)
}

#[test]
fn the_car_laps_on_with_the_faulty_sensor_excluded() {
    for (fault, sensor) in [
        (r#"sensor: "car/imu/gyro", kind: Freeze"#, "imu"),
        (r#"sensor: "car/imu/accelerometer", kind: Bias(2)"#, "imu"),
        (r#"sensor: "car/gnss/east", kind: Drift(0.1)"#, "gnss"),
    ] {
        let car = governed(fault);
        let left_out = &car["governor"]["left_out"];
        assert_eq!(left_out, &serde_json::json!([sensor]), "{car}");
        let from_s = car["kernel"]["witness"]["alarms"][0]["from_s"].as_f64();
        assert!(from_s.is_some_and(|s| s > 42.0), "{car}");
        // The drift is 7 m at the end.
        let error_m = car["filter"]["error_m"].as_f64().unwrap();
        assert!(error_m < 1.0, "{error_m}");
    }
}

#[test]
fn odometry_alone_holds_for_a_lap() {
    let text = fs::read_to_string(root().join("scenes/vehicle_track.ron")).unwrap();
    let text = text
        .replace("localisation: Filter", "localisation: Odometry")
        .replace("laps: 2", "laps: 1");
    let mut engine = engine(&[("scene.ron", &text)]);
    let s = engine.run().unwrap();
    let track = s.agents[0].track.unwrap();
    assert_eq!((track.laps, track.off_track), (1, 0), "{track:?}");
}

#[test]
fn a_car_at_rest_does_not_move() {
    let mut engine = alone("", &car());
    command(&mut engine, 0.0, 0.0);
    run_for(&mut engine, 10.0);
    let early = get::<TruePose>(&engine, "car").0;
    run_for(&mut engine, 50.0);
    let pose = get::<TruePose>(&engine, "car").0;
    // Its file gives the static wheel positions.
    assert!(pose.translation_m.length() < 1e-3, "{}", pose.translation_m);
    assert!(pose.rotation.to_axis_angle().1.abs() < 1e-3);
    let crept = pose.translation_m.distance(early.translation_m);
    assert!(crept < 1e-4, "{crept}");
}

#[test]
fn springs_compress_by_load_over_stiffness() {
    // 10 % more gravity compresses the springs by 10 % of the static load.
    let mut engine = alone("gravity_m_s2: (0, 0, -10.787315)", &car());
    command(&mut engine, 0.0, 0.0);
    run_for(&mut engine, 20.0);
    let pose = get::<TruePose>(&engine, "car").0;
    let ahead = 1.50876 / WHEELBASE_M;
    for (x, share) in [(WHEELBASE_M, ahead), (0.0, 1.0 - ahead)] {
        let load = 0.1 * MASS_KG * G * share / 2.0;
        let sunk = -f64::from(pose.point(Vec3::X * x as f32).z);
        let expected = load / STIFFNESS_N_M;
        // Rapier applies suspension forces before the gravity of a step: its dampers act on one tick of fall and carry
        // c g dt.
        let seen = 1459.4 * 1.1 * G * 1e-3 / STIFFNESS_N_M;
        let off = (sunk - expected).abs();
        assert!(off < 0.01 * expected + seen, "{sunk} {expected}");
    }
}

#[test]
fn acceleration_is_force_over_mass_then_power_over_speed() {
    let mut engine = alone("", &frictionless());
    command(&mut engine, 100.0, 0.0);
    run_for(&mut engine, 2.0);
    let expected = 4500.0 / MASS_KG * 2.0;
    assert!(
        (speed(&engine) / expected - 1.0).abs() < 0.01,
        "{}",
        speed(&engine)
    );
    // Beyond P/F all power becomes kinetic energy.
    run_for(&mut engine, 5.0);
    let before = speed(&engine);
    assert!(before > 59e3 / 4500.0);
    run_for(&mut engine, 5.0);
    let energy = MASS_KG / 2.0 * (speed(&engine).powi(2) - before * before);
    assert!((energy / (59e3 * 5.0) - 1.0).abs() < 0.01, "{energy}");
}

#[test]
fn braking_distance_grows_with_the_square_of_speed() {
    // Below wheel lock.
    let text = frictionless().replace("brake_force_n: 11000", "brake_force_n: 6000");
    let mut engine = alone("", &text);
    command(&mut engine, 20.0, 0.0);
    run_for(&mut engine, 15.0);
    assert!((speed(&engine) - 20.0).abs() < 0.05, "{}", speed(&engine));
    let from = get::<TruePose>(&engine, "car").0.translation_m;
    command(&mut engine, 0.0, 0.0);
    run_for(&mut engine, 10.0);
    let way = f64::from(
        get::<TruePose>(&engine, "car")
            .0
            .translation_m
            .distance(from),
    );
    // Full braking down to a / k, where the speed controller leaves saturation and the rest decays: v² / 2a, plus
    // (a / k)² / 2a.
    let a = 6000.0 / MASS_KG;
    let expected = 400.0 / (2.0 * a) + a / 50.0;
    assert!((way / expected - 1.0).abs() < 0.03, "{way} {expected}");
    let rolls = get::<TrueTwist>(&engine, "car").linear_m_s.x;
    assert!(rolls.abs() < 1e-3, "{rolls}");
    assert_eq!(get::<VehicleState>(&engine, "car/drive").brake_n, 6000.0);
}

#[test]
fn a_slow_circle_is_that_of_the_bicycle_model() {
    for steering in [0.1f64, -0.3, 0.5] {
        let mut engine = alone("", &car());
        command(&mut engine, 2.0, steering);
        run_for(&mut engine, 6.0);
        // The root is the centre of the rear axle.
        let twist = get::<TrueTwist>(&engine, "car");
        let radius = speed(&engine) / f64::from(twist.angular_rad_s.z);
        let expected = WHEELBASE_M / steering.tan();
        assert!(
            (radius / expected - 1.0).abs() < 0.01,
            "{radius} {expected}"
        );
    }
}

#[test]
fn lateral_acceleration_is_bounded_by_tyre_friction() {
    let mut engine = alone("ground: (friction: 0.5)", &car());
    command(&mut engine, 15.0, 0.0);
    run_for(&mut engine, 10.0);
    // The bicycle model would need 19 m/s²; road and tyre provide 0.77 g on average.
    command(&mut engine, 15.0, 0.2);
    run_for(&mut engine, 1.5);
    let limit = (TYRE + 0.5) / 2.0 * G;
    let mut most = 0.0f64;
    let mut mean = 0.0;
    for _ in 0..100 {
        let before = get::<TrueTwist>(&engine, "car").linear_m_s;
        run_for(&mut engine, 0.01);
        let after = get::<TrueTwist>(&engine, "car").linear_m_s;
        let a = f64::from((after - before).truncate().length()) / 0.01;
        most = most.max(a);
        mean += a / 100.0;
    }
    assert!(mean > 0.5 * limit && mean < 1.1 * limit, "{mean} {limit}");
    assert!(most < 1.5 * limit, "{most} {limit}");
}

#[test]
fn wheel_angles_follow_the_distance_travelled() {
    let mut engine = alone("", &car());
    command(&mut engine, 10.0, 0.0);
    run_for(&mut engine, 10.0);
    let reading = get::<Reading<EncoderAngles>>(&engine, "car/wheels");
    let way = f64::from(get::<TruePose>(&engine, "car").0.translation_m.x);
    for angle in &reading.latest().unwrap().value.angles_rad {
        // The pose is one tick newer than the reading: 1 cm.
        assert!((angle * 0.2826 / way - 1.0).abs() < 2e-3, "{angle} {way}");
    }
    // The visual wheels touch the road.
    let links = get::<LinkPoses>(&engine, "car").0;
    assert_eq!(links.len(), 5);
    for link in &links[1..] {
        assert!((link.translation_m.z - 0.2826).abs() < 5e-3);
    }
}

#[test]
fn leaving_the_track_is_counted_and_reported() {
    let scene = "(version: 1, duration_s: 8, world: (track: (centre_line_m: [(0, 0), (60, 0)], width_m: 6, closed: false)),
      agents: [(name: \"car\", model: \"compact_car.yaml\", position_m: (5, 0, 0))])";
    let mut engine = engine(&[("scene.ron", scene)]);
    command(&mut engine, 5.0, 0.3);
    run_for(&mut engine, 4.0);
    let laps = get::<Laps>(&engine, "car");
    assert!(
        laps.off && laps.off_track == 1 && laps.widest_m > 3.0,
        "{laps:?}"
    );
    let folder = folder(&[("scene.ron", scene)]);
    let ran = run(folder.path(), &["run", "scene.ron", "--rerun", "off"]);
    assert!(ran.stdout.contains("off track"), "{}", ran.stdout);
}

#[test]
fn an_open_track_is_driven_to_its_end() {
    let scene = "(version: 1, world: (track: (centre_line_m: [(0, 0), (60, 0), (100, 40)], width_m: 6, closed: false)),
      agents: [(name: \"car\", model: \"compact_car.yaml\", position_m: (5, 0, 0),
        controller: Track(speed_m_s: 12, localisation: Truth))])";
    let mut engine = engine(&[("scene.ron", scene)]);
    let s = engine.run().unwrap();
    let track = s.agents[0].track.unwrap();
    assert_eq!((track.laps, track.off_track), (1, 0));
    let [x, y, _] = s.agents[0].position;
    assert!((x - 100.0).hypot(y - 40.0) < 5.0, "{x} {y}");
    assert!(s.sim_s < 25.0);
}

#[test]
fn deep_and_huge_vehicle_files_are_refused_in_time() {
    let here = folder(&[]);
    fs::write(here.path().join("deep.yaml"), "[".repeat(100_000)).unwrap();
    let huge = fs::File::create(here.path().join("huge.yaml")).unwrap();
    huge.set_len(3 << 30).unwrap();
    for name in ["deep.yaml", "huge.yaml"] {
        let args = [
            "run", "vehicle", "--model", name, "--quiet", "--rerun", "off",
        ];
        let ran = run(here.path(), &args);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(name), "{name}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{name}: {}", ran.stderr);
        assert!(ran.wall < Duration::from_secs(5), "{name}: {:?}", ran.wall);
    }
}
