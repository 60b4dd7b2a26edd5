//! Sensor models, compared with physics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and checks against formulas"
)]

use becomingone::components::body::{Travel, TruePose, TrueTwist};
use becomingone::components::drive::{Drive, Odometry};
use becomingone::components::sensor::{Measurement, SensorStats, Stamped};
use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone::systems::control::ControlSystems;
use becomingone_tests::{engine, get};
use std::collections::BTreeMap;
use std::time::Duration;

/// Standard gravity (ISO 80000-3), m/s².
const G: f64 = 9.80665;

/// Readings of a kind with their truth, by sensor name.
#[derive(Resource)]
struct Log<T: Measurement>(BTreeMap<String, Vec<(Stamped<T>, T)>>);

fn log<T: Measurement>(mut log: ResMut<Log<T>>, sensors: Query<(&Name, &Reading<T>, &Truth<T>)>) {
    for (name, reading, truth) in &sensors {
        let entries = log.0.entry(name.to_string()).or_default();
        entries.extend(
            reading
                .batch()
                .map(|sample| (sample.clone(), truth.0.clone())),
        );
    }
}

fn record<T: Measurement>(engine: &mut CoherenceEngine) {
    engine.add_plugin(|app: &mut App| {
        app.insert_resource(Log::<T>(BTreeMap::new()))
            .add_systems(Tick, log::<T>.in_set(TickSystems::Publish));
    });
}

fn logged<T: Measurement>(engine: &CoherenceEngine, name: &str) -> Vec<(Stamped<T>, T)> {
    engine.world().resource::<Log<T>>().0[name].clone()
}

/// Rover at the origin with these sensors and obstacles.
fn rover(sensors: &str, obstacles: &str) -> CoherenceEngine {
    let scene = format!(
        "(version: 1, world: (obstacles: [{obstacles}]), agents: [
            (name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [{sensors}]),
        ])"
    );
    engine(&[("rover.ron", &scene)])
}

#[derive(Resource, Clone, Copy)]
struct Wanted(Twist2);

fn obey(wanted: Res<Wanted>, mut commands: Query<&mut ActuatorTarget<Twist2>>) {
    for mut command in &mut commands {
        command.0 = wanted.0;
    }
}

fn drive(engine: &mut CoherenceEngine, linear_m_s: f64, angular_rad_s: f64) {
    let wanted = Wanted(Twist2 {
        linear_m_s,
        angular_rad_s,
    });
    engine.add_plugin(move |app: &mut App| {
        app.insert_resource(wanted)
            .add_systems(Tick, obey.in_set(TickSystems::Decide).after(ControlSystems));
    });
}

fn run(engine: &mut CoherenceEngine, seconds: f64) {
    engine.run_for(Duration::from_secs_f64(seconds)).unwrap();
}

fn mean(xs: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for x in xs {
        sum += x;
        n += 1.0;
    }
    sum / n
}

fn six(imu: &ImuSample) -> [f64; 6] {
    let mut numbers = Vec::new();
    imu.visit(&mut |x| numbers.push(x));
    numbers.try_into().unwrap()
}

#[test]
fn imu_at_rest_measures_gravity_and_no_rotation() {
    let mut engine = rover(
        "(name: \"imu\", kind: Imu(), rate_hz: 100, link: \"imu_link\"),
         (name: \"side\", kind: Imu(), rate_hz: 100, rotation: (0.70710678, 0, 0, 0.70710678))",
        "",
    );
    record::<ImuSample>(&mut engine);
    run(&mut engine, 4.0);
    // Skip two seconds of settling.
    let settled = |name| logged::<ImuSample>(&engine, name).split_off(200);
    for (measured, truth) in settled("rover/imu") {
        assert_eq!(measured.value, truth);
        let [rates @ .., x, y, z] = six(&truth);
        assert!(
            x.abs() < 0.02 && y.abs() < 0.02 && (z - G).abs() < 0.02,
            "{truth:?}"
        );
        assert!(rates.iter().all(|r| r.abs() < 0.002), "{truth:?}");
    }
    // Rotated by 90 degrees about x: y points up.
    for (_, truth) in settled("rover/side") {
        let [.., x, y, z] = six(&truth);
        assert!(
            x.abs() < 0.02 && (y - G).abs() < 0.02 && z.abs() < 0.02,
            "{truth:?}"
        );
    }
}

/// Cube of 1 kg and 0.2 m.
const CUBE: &str = "<robot name=\"cube\"><link name=\"cube\">
    <inertial><mass value=\"1\"/>
    <inertia ixx=\"0.00667\" ixy=\"0\" ixz=\"0\" iyy=\"0.00667\" iyz=\"0\" izz=\"0.00667\"/></inertial>
    <collision><geometry><box size=\"0.2 0.2 0.2\"/></geometry></collision>
</link></robot>";

const FALLING: &str =
    "(version: 1, agents: [(name: \"cube\", model: \"cube.urdf\", position_m: (0, 0, 2),
    sensors: [(name: \"imu\", kind: Imu(), rate_hz: 1000)])])";

#[test]
fn imu_in_free_fall_measures_zero() {
    let mut engine = engine(&[("falling.ron", FALLING), ("cube.urdf", CUBE)]);
    record::<ImuSample>(&mut engine);
    run(&mut engine, 0.6);
    let log = logged::<ImuSample>(&engine, "cube/imu");
    assert_eq!(log.len(), 600);
    for (sample, _) in &log {
        assert!(
            six(&sample.value).iter().all(|x| x.abs() < 0.01),
            "{sample:?}"
        );
    }
}

#[test]
fn dropped_cube_lands_after_the_free_fall_time() {
    let mut engine = engine(&[("falling.ron", FALLING), ("cube.urdf", CUBE)]);
    // Robots start 2 mm above the ground.
    let height_m: f64 = 2.0 + 0.002;
    let expected_s = (2.0 * height_m / G).sqrt();
    let mut speed = 0.0;
    let landed_s = loop {
        engine.step().unwrap();
        let down = -get::<TrueTwist>(&engine, "cube").linear_m_s.z;
        if down < speed {
            break engine.time().now_s();
        }
        speed = down;
        assert!(engine.time().now_s() < 1.0, "it has not landed");
    };
    assert!(
        (landed_s - expected_s).abs() < 0.002,
        "{landed_s} s against {expected_s} s"
    );
    assert!(
        (f64::from(speed) - G * expected_s).abs() < 2.0 * G * 0.001,
        "{speed} m/s"
    );
}

#[test]
fn long_fall_keeps_its_acceleration() {
    // With ticks of 1/512 s and 8 m/s² the increment of a substep is a power of two, exact in f32.
    let bottomless = FALLING
        .replacen(
            "version: 1",
            "version: 1, tick_ns: 1953125, world: (ground: None, gravity_m_s2: (0, 0, -8))",
            1,
        )
        .replace("rate_hz: 1000", "rate_hz: 100");
    let mut engine = engine(&[("falling.ron", &bottomless), ("cube.urdf", CUBE)]);
    run(&mut engine, 60.0);
    let speed = -f64::from(get::<TrueTwist>(&engine, "cube").linear_m_s.z);
    // No drag: g t.
    assert!(
        (speed / (8.0 * 60.0) - 1.0).abs() < 0.001,
        "{speed} m/s after a minute"
    );
}

#[test]
fn odometry_agrees_with_the_true_path_straight_ahead() {
    let mut engine = rover("(name: \"encoders\", kind: Encoders(), rate_hz: 100)", "");
    drive(&mut engine, 0.5, 0.0);
    record::<EncoderAngles>(&mut engine);
    run(&mut engine, 6.0);
    let truth = get::<TruePose>(&engine, "rover").0.translation_m;
    let odometry: Odometry = get(&engine, "rover");
    let travelled = f64::from(truth.x);
    assert!(travelled > 2.5, "{travelled}");
    let error = (odometry.x_m - travelled).hypot(odometry.y_m - f64::from(truth.y));
    assert!(
        error < 0.02 * travelled,
        "{error} m off after {travelled} m"
    );
    // A wheel of radius r that rolls d turns by d / r.
    let wheels = get::<Drive>(&engine, "rover/drive").wheels;
    let (last, _) = logged::<EncoderAngles>(&engine, "rover/encoders")
        .pop()
        .unwrap();
    for (wheel, angle) in wheels.iter().zip(last.value.angles_rad) {
        let rolled = angle * wheel.radius_m;
        assert!(
            (rolled - travelled).abs() < 0.02 * travelled,
            "{rolled} against {travelled}"
        );
    }
}

#[test]
fn imu_on_a_circle_measures_yaw_rate_and_centripetal_acceleration() {
    let mut engine = rover("(name: \"imu\", kind: Imu(), rate_hz: 1000)", "");
    drive(&mut engine, 0.6, 0.6);
    record::<ImuSample>(&mut engine);
    run(&mut engine, 2.0);
    let yaw = |engine: &CoherenceEngine| {
        let forward = get::<TruePose>(engine, "rover").0.rotation * glam::Vec3::X;
        f64::from(forward.y).atan2(f64::from(forward.x))
    };
    let (yaw_before, path_before) = (yaw(&engine), get::<Travel>(&engine, "rover").distance_m);
    run(&mut engine, 2.0);
    let turned = (yaw(&engine) - yaw_before).rem_euclid(std::f64::consts::TAU);
    let travelled = get::<Travel>(&engine, "rover").distance_m - path_before;
    let log = logged::<ImuSample>(&engine, "rover/imu").split_off(2000);
    let of = |axis: usize| mean(log.iter().map(|(measured, _)| six(&measured.value)[axis]));
    // The integral of the gyroscope is the yaw angle.
    assert!(
        (of(2) * 2.0 - turned).abs() < 0.01 * turned,
        "{} against {turned}",
        of(2) * 2.0
    );
    // Centripetal, to the left: v ω.
    let inwards = travelled / 2.0 * turned / 2.0;
    assert!(
        (of(4) - inwards).abs() < 0.03 * inwards,
        "{} against {inwards}",
        of(4)
    );
}

#[test]
fn lidar_measures_the_distance_to_a_wall() {
    // The wall's face is the plane x = 5.
    let mut engine = rover(
        "(name: \"lidar\", kind: Lidar(rays: 360, range_max_m: 12), rate_hz: 10, link: \"lidar_link\"),
         (name: \"moved\", kind: Lidar(rays: 1, fov_rad: 0.1, range_max_m: 12), rate_hz: 10,
          position_m: (0.5, 0.2, 0.3))",
        "Box(name: \"wall\", position_m: (5.5, 0, 0), size_m: (1, 20, 2))",
    );
    record::<Scan>(&mut engine);
    run(&mut engine, 2.0);
    let x_m = f64::from(get::<TruePose>(&engine, "rover").0.translation_m.x);
    let (last, _) = logged::<Scan>(&engine, "rover/lidar").pop().unwrap();
    let scan = last.value;
    assert_eq!(scan.ranges_m.len(), 360);
    // The lidar is mounted 0.06 m in front of the axle.
    let ahead_m = 5.0 - x_m - 0.06;
    for (k, &range) in scan.ranges_m.iter().enumerate() {
        let angle = f64::from(scan.angle_min_rad) + k as f64 * f64::from(scan.angle_step_rad);
        let expected = ahead_m / angle.cos();
        if angle.abs() < 1.0 {
            assert!(
                (f64::from(range) - expected).abs() < 0.002,
                "{angle} rad: {range} against {expected}"
            );
        } else if angle.abs() > 2.0 {
            assert_eq!(range, 12.0, "no obstacle behind");
        }
    }
    let (moved, _) = logged::<Scan>(&engine, "rover/moved").pop().unwrap();
    // A single ray starts at the edge of its field of view.
    let expected = (5.0 - x_m - 0.5) / f64::from(moved.value.angle_min_rad).cos();
    assert!(
        (f64::from(moved.value.ranges_m[0]) - expected).abs() < 0.002,
        "{moved:?}"
    );
}

#[test]
fn bumper_measures_contact_with_a_wall() {
    let mut engine = rover(
        "(name: \"bumper\", kind: Contact(), rate_hz: 100)",
        "Box(name: \"wall\", position_m: (1.5, 0, 0), size_m: (1, 4, 1))",
    );
    drive(&mut engine, 0.5, 0.0);
    record::<ContactForce>(&mut engine);
    run(&mut engine, 5.0);
    let log = logged::<ContactForce>(&engine, "rover/bumper");
    let first = log
        .iter()
        .position(|(sample, _)| sample.value.touching)
        .expect("a touch");
    // The front is 0.17 m ahead of the axle: 0.83 m to go, at 0.5 m/s after an acceleration of 1/3 s.
    let expected_s = 0.83 / 0.5 + 0.5 / 1.5 / 2.0;
    let touched_s = log[first].0.source_ns as f64 * 1e-9;
    assert!(
        (touched_s - expected_s).abs() < 0.1,
        "{touched_s} s against {expected_s} s"
    );
    assert!(
        log[..first]
            .iter()
            .all(|(sample, _)| sample.value.force_n == 0.0)
    );
    let held = mean(
        log[log.len() - 100..]
            .iter()
            .map(|(sample, _)| f64::from(sample.value.force_n)),
    );
    // Positive force, at most that of two motors of 4 N m on wheels of 0.09765 m.
    assert!(held > 1.0 && held < 1.1 * 2.0 * 4.0 / 0.09765, "{held} N");
    let summary = engine.summary();
    assert!(summary.agents[0].collisions >= 1);
    assert!(
        (summary.agents[0].position[0] - 0.83).abs() < 0.01,
        "{:?}",
        summary.agents[0].position
    );
}

#[test]
fn white_noise_has_the_stated_deviation() {
    let (gyro_sd, accelerometer_sd) = (0.01, 0.05);
    let mut engine = rover(
        "(name: \"imu\", kind: Imu(gyro: (white_sd: 0.01), accelerometer: (white_sd: 0.05)), rate_hz: 1000)",
        "",
    );
    record::<ImuSample>(&mut engine);
    run(&mut engine, 4.0);
    let log = logged::<ImuSample>(&engine, "rover/imu");
    for (axes, sd) in [(0..3, gyro_sd), (3..6, accelerometer_sd)] {
        let errors: Vec<f64> = axes
            .flat_map(|axis| {
                log.iter()
                    .map(move |(sample, truth)| six(&sample.value)[axis] - six(truth)[axis])
            })
            .collect();
        let n = errors.len() as f64;
        let variance = mean(errors.iter().map(|e| e * e));
        // Five standard errors of a mean and of a variance.
        assert!(mean(errors.iter().copied()).abs() < 5.0 * sd / n.sqrt());
        assert!(
            (variance / (sd * sd) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
            "{} against {sd}",
            variance.sqrt()
        );
        // White noise: consecutive samples are independent.
        let product = mean(errors.windows(2).map(|w| w[0] * w[1]));
        assert!((product / (sd * sd)).abs() < 5.0 / n.sqrt());
    }
}

#[test]
fn turn_on_bias_is_constant_in_a_run_and_depends_on_the_seed() {
    let offset_sd = 0.1;
    let mut engine = rover(
        "(name: \"imu\", kind: Imu(accelerometer: (turn_on_bias_sd: 0.1)), rate_hz: 1000)",
        "",
    );
    record::<ImuSample>(&mut engine);
    let offsets: Vec<f64> = (0..200)
        .flat_map(|seed| {
            engine.set_seed(seed).reset().unwrap();
            engine
                .world_mut()
                .resource_mut::<Log<ImuSample>>()
                .0
                .clear();
            run(&mut engine, 0.005);
            let log = logged::<ImuSample>(&engine, "rover/imu");
            let of = |(measured, truth): &(Stamped<ImuSample>, ImuSample)| {
                let (measured, truth) = (six(&measured.value), six(truth));
                [3, 4, 5].map(|axis| measured[axis] - truth[axis])
            };
            let first = of(&log[0]);
            for later in &log {
                for (a, b) in first.iter().zip(of(later)) {
                    assert!((a - b).abs() < 1e-5, "the offset moved");
                }
            }
            first
        })
        .collect();
    let n = offsets.len() as f64;
    let variance = mean(offsets.iter().map(|b| b * b));
    assert!(
        (variance / (offset_sd * offset_sd) - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
        "{}",
        variance.sqrt()
    );
    let mut sorted = offsets.clone();
    sorted.sort_by(f64::total_cmp);
    assert!(
        sorted.windows(2).all(|w| w[1] - w[0] > 1e-9),
        "two offsets are the same"
    );
}

#[test]
fn noise_of_a_sensor_does_not_depend_on_other_sensors_or_agents() {
    const IMU: &str = "(name: \"imu\", kind: Imu(gyro: (white_sd: 0.01), accelerometer: (white_sd: 0.05)), rate_hz: 100)";
    let noise = |sensors: &str, agents: &str| -> Vec<[f64; 6]> {
        let scene = format!(
            "(version: 1, seed: 4, agents: [{agents}
                (name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [{sensors}])])"
        );
        let mut engine = engine(&[("noise.ron", &scene)]);
        record::<ImuSample>(&mut engine);
        run(&mut engine, 0.5);
        let of = |(measured, truth): (Stamped<ImuSample>, ImuSample)| {
            let (measured, truth) = (six(&measured.value), six(&truth));
            std::array::from_fn(|k| measured[k] - truth[k])
        };
        logged::<ImuSample>(&engine, "rover/imu")
            .into_iter()
            .map(of)
            .collect()
    };
    let alone = noise(IMU, "");
    let another = "(name: \"another\", kind: Imu(gyro: (white_sd: 1)), rate_hz: 250)";
    assert_eq!(alone, noise(&format!("{another}, {IMU}"), ""));
    let neighbour = format!(
        "(name: \"ahead\", model: \"rover.urdf\", position_m: (5, 5, 0), drive: Auto, sensors: [{IMU}]),"
    );
    for (a, b) in alone.iter().zip(noise(IMU, &neighbour)) {
        for (a, b) in a.iter().zip(b) {
            // Same noise, up to the rounding of its sum with a truth that may differ in its last bits.
            assert!((a - b).abs() < 4e-6, "{a} against {b}");
        }
    }
}

/// Rover in Zürich with these sensors.
fn rover_on_earth(sensors: &str) -> CoherenceEngine {
    let scene = format!(
        "(version: 1, world: (origin: (latitude_deg: 47.3769, longitude_deg: 8.5417, height_m: 408)), agents: [
            (name: \"rover\", model: \"rover.urdf\", position_m: (20, -30, 0), drive: Auto, sensors: [{sensors}]),
        ])"
    );
    engine(&[("earth.ron", &scene)])
}

#[test]
fn gnss_measures_the_position_of_its_antenna() {
    let lever_m = glam::Vec3::new(0.3, 0.2, 0.5);
    let mut engine =
        rover_on_earth("(name: \"gnss\", kind: Gnss(), rate_hz: 10, position_m: (0.3, 0.2, 0.5))");
    drive(&mut engine, 0.5, 0.8);
    record::<GnssFix>(&mut engine);
    run(&mut engine, 3.0);
    // Readings are taken before the step of their tick.
    let pose = get::<TruePose>(&engine, "rover").0;
    engine.step().unwrap();
    let log = logged::<GnssFix>(&engine, "rover/gnss");
    let (last, truth) = log.last().unwrap();
    assert_eq!(last.source_ns, 3_000_000_000);
    assert_eq!(last.value, *truth, "it has no noise");
    let antenna = pose.point(lever_m);
    let position_m = last.value.position_m.map(|x| x as f32);
    assert_eq!(position_m, antenna.to_array());
    // The antenna is 0.36 m from the axis of rotation.
    for pair in log[15..].windows(2) {
        let [(a, _), (b, _)] = pair else {
            unreachable!()
        };
        for axis in 0..3 {
            let moved = (b.value.position_m[axis] - a.value.position_m[axis]) / 0.1;
            let both = a.value.velocity_m_s[axis] + b.value.velocity_m_s[axis];
            let difference = moved - f64::from(both) / 2.0;
            assert!(difference.abs() < 0.01, "{moved} m/s, {a:?} {b:?}");
        }
    }
    // Radii of curvature of WGS84 at 47.3769 degrees and 408 m (Torge, Geodesy, 2001, eq. 4.13 and 4.14).
    let (a, e2) = (6_378_137.0, 0.006_694_379_990_14);
    let (sin, cos) = 47.3769_f64.to_radians().sin_cos();
    let w = 1.0 - e2 * sin * sin;
    let (meridian, normal) = (a * (1.0 - e2) / w.powf(1.5) + 408.0, a / w.sqrt() + 408.0);
    let [east, north, up] = last.value.position_m;
    let place = last.value.place;
    let north_m = (place.latitude_deg - 47.3769).to_radians() * meridian;
    let east_m = (place.longitude_deg - 8.5417).to_radians() * normal * cos;
    // Convergence of meridians: 0.1 mm at 30 m.
    assert!((north_m - north).abs() < 2e-4, "{north_m} {north}");
    assert!((east_m - east).abs() < 2e-4, "{east_m} {east}");
    let below = (east * east + north * north) / (2.0 * a);
    assert!(
        (place.height_m - 408.0 - up - below).abs() < 1e-3,
        "{place:?}"
    );
}

#[test]
fn range_sensor_measures_the_nearest_object_in_its_cone() {
    // The wall's face is the plane x = 5; the other wall is turned by half a radian about (0, -6).
    let mut engine = rover(
        "(name: \"ray\", kind: Range(range_max_m: 8), rate_hz: 10, position_m: (0.3, 0, 0.3)),
         (name: \"cone\", kind: Range(range_max_m: 8, fov_rad: 0.5), rate_hz: 10, position_m: (0.3, 0, 0.3)),
         (name: \"short\", kind: Range(range_max_m: 3), rate_hz: 10, position_m: (0.3, 0, 0.3)),
         (name: \"near\", kind: Range(range_min_m: 6, range_max_m: 8), rate_hz: 10, position_m: (0.3, 0, 0.3)),
         (name: \"aslant\", kind: Range(range_max_m: 20, fov_rad: 0.5), rate_hz: 10, position_m: (0, 0, 5),
          rotation: (0, 0, -0.70710678, 0.70710678))",
        "Box(name: \"wall\", position_m: (5.5, 0, 0), size_m: (1, 8, 2)),
         Box(name: \"slant\", position_m: (0, -6, 0), size_m: (20, 1, 20), yaw_rad: 0.5)",
    );
    record::<Distance>(&mut engine);
    run(&mut engine, 2.0);
    let at = get::<TruePose>(&engine, "rover").0.translation_m;
    let (x, y, z) = (f64::from(at.x), f64::from(at.y), f64::from(at.z));
    let last = |name: &str| {
        let (measured, _) = logged::<Distance>(&engine, name).pop().unwrap();
        f64::from(measured.value.range_m)
    };
    let ahead_m = 5.0 - x - 0.3;
    assert!((last("rover/ray") - ahead_m).abs() < 0.01);
    // The lower edge of the cone hits the ground first.
    let below_m = (z + 0.3) / 0.25_f64.sin();
    assert!(
        (last("rover/cone") / below_m - 1.0).abs() < 0.02,
        "{below_m}"
    );
    assert_eq!(last("rover/short"), 3.0, "no obstacle in range");
    assert_eq!(last("rover/near"), 6.0, "below its minimum range");
    // To the right: a plane at an angle of 0.5 to the axis is nearest at the edge of the cone, at 0.25.
    let (sin, cos) = 0.5_f64.sin_cos();
    let perpendicular_m = cos * (y + 6.0) - sin * x - 0.5;
    let nearest_m = perpendicular_m / 0.25_f64.cos();
    assert!(
        (last("rover/aslant") / nearest_m - 1.0).abs() < 0.005,
        "{nearest_m}"
    );
}

#[test]
fn magnetometer_measures_heading() {
    let scene = "(version: 1, world: (magnetic_field_t: (0, 2e-5, -4e-5)), agents: [
        (name: \"rover\", model: \"rover.urdf\", yaw_rad: 0.7, drive: Auto, sensors: [
            (name: \"plain\", kind: Magnetometer(), rate_hz: 10),
            (name: \"side\", kind: Magnetometer(), rate_hz: 10, rotation: (0.70710678, 0, 0, 0.70710678)),
            (name: \"iron\", kind: Magnetometer(hard_iron_t: (1e-6, 2e-6, 3e-6),
                soft_iron: ((1, 0.1, 0), (0.2, 1, 0), (0, 0, 0.9))), rate_hz: 10),
        ])])";
    let mut engine = engine(&[("compass.ron", scene)]);
    record::<MagneticField>(&mut engine);
    run(&mut engine, 2.0);
    let last = |name: &str| {
        let (sample, truth) = logged::<MagneticField>(&engine, name).pop().unwrap();
        (sample.value.field_t.to_array(), truth.field_t.to_array())
    };
    let close = |a: [f32; 3], b: [f64; 3]| {
        let near = a
            .iter()
            .zip(b)
            .all(|(a, b)| (f64::from(*a) - b).abs() < 2e-7);
        assert!(near, "{a:?} against {b:?}");
    };
    // x points 0.7 rad north of east, y 0.7 rad west of north.
    let (sin, cos) = 0.7_f64.sin_cos();
    let [x, y, z] = [2e-5 * sin, 2e-5 * cos, -4e-5];
    close(last("rover/plain").0, [x, y, z]);
    // Rotated by 90 degrees about x: y points up, z points along -y.
    close(last("rover/side").0, [x, z, -y]);
    let (sample, truth) = last("rover/iron");
    close(truth, [x, y, z]);
    close(
        sample,
        [x + 0.1 * y + 1e-6, 0.2 * x + y + 2e-6, 0.9 * z + 3e-6],
    );
}

#[test]
fn default_magnetic_field_is_that_of_greenwich() {
    let mut engine = rover("(name: \"compass\", kind: Magnetometer(), rate_hz: 10)", "");
    record::<MagneticField>(&mut engine);
    run(&mut engine, 1.0);
    let (sample, _) = logged::<MagneticField>(&engine, "rover/compass")
        .pop()
        .unwrap();
    // World Magnetic Model 2025: 49063 nT, inclined by 66.513 degrees, declined by 0.950.
    let field_t = sample.value.field_t;
    assert!(
        (f64::from(field_t.length()) / 49_063e-9 - 1.0).abs() < 1e-4,
        "{field_t}"
    );
    let down = f64::from(-field_t.z / field_t.length()).asin().to_degrees();
    assert!((down - 66.513).abs() < 0.2, "{down}");
    // The rover faces east: north is to its left.
    let declined = f64::from(field_t.x)
        .atan2(f64::from(field_t.y))
        .to_degrees();
    assert!((declined - 0.95).abs() < 0.3, "{declined}");
}

#[test]
fn reset_repeats_the_noise_of_every_sensor() {
    const NOISE: &str = "(white_sd: 0.1, turn_on_bias_sd: 0.2, drift_sd: 0.3, correlated_sd: 0.4, correlation_time_s: 5, resolution: 1e-9)";
    let scene = format!(
        "(version: 1, world: (origin: (latitude_deg: -33.9, longitude_deg: 151.2), magnetic_field_t: (5e-6, 24e-6, 51e-6)),
          agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto, sensors: [
            (name: \"gnss\", kind: Gnss(horizontal: {NOISE}, vertical: {NOISE}, velocity: {NOISE}), rate_hz: 10),
            (name: \"range\", kind: Range(range_max_m: 50, fov_rad: 0.5, noise: {NOISE}), rate_hz: 50),
            (name: \"compass\", kind: Magnetometer(noise: {NOISE}), rate_hz: 100),
          ])])"
    );
    let mut engine = engine(&[("reset.ron", &scene)]);
    let two = Duration::from_secs(2);
    let fresh = engine.run_for(two).unwrap();
    assert_eq!(fresh.agents[0].sensors[0].readings, 20);
    let gnss = get::<Reading<GnssFix>>(&engine, "rover/gnss")
        .latest()
        .cloned();
    engine.reset().unwrap();
    assert_eq!(engine.run_for(two).unwrap().state_hash, fresh.state_hash);
    assert_eq!(
        gnss,
        get::<Reading<GnssFix>>(&engine, "rover/gnss")
            .latest()
            .cloned()
    );
    engine.set_seed(9).reset().unwrap();
    assert_ne!(engine.run_for(two).unwrap().state_hash, fresh.state_hash);
}

#[test]
fn readings_are_rate_times_duration() {
    let rates = [1, 3, 7, 30, 100, 125, 333, 999, 1000];
    let sensors: String = rates
        .iter()
        .map(|r| format!("(name: \"at_{r}\", kind: Imu(), rate_hz: {r}),"))
        .collect();
    let mut engine = rover(&sensors, "");
    run(&mut engine, 5.0);
    for rate in rates {
        let stats: SensorStats = get(&engine, &format!("rover/at_{rate}"));
        assert_eq!(stats.readings, rate * 5, "{rate} Hz");
    }
}
