//! Faults of sensors: readings are bent as the scene says, the truth beside them is not, and mistakes have places.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

use becomingone::components::event::Happening;
use becomingone::components::fault::Faults;
use becomingone::components::sensor::{Measurement, Stamped};
use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone::scene;
use becomingone_tests::{engine, folder};
use std::time::Duration;

/// Everything that a sensor of a kind said, beside its truth.
#[derive(Resource)]
struct Log<T: Measurement>(Vec<(Stamped<T>, T)>);

#[derive(Resource, Default)]
struct Events(Vec<(u64, String)>);

fn log<T: Measurement>(mut log: ResMut<Log<T>>, sensors: Query<(&Reading<T>, &Truth<T>)>) {
    for (reading, truth) in &sensors {
        log.0
            .extend(reading.batch().map(|said| (said.clone(), truth.0.clone())));
    }
}

fn events(mut log: ResMut<Events>, mut happenings: MessageReader<Happening>) {
    log.0
        .extend(happenings.read().map(|h| (h.now_ns, h.what.to_string())));
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
fn a_frozen_gyroscope_repeats_itself_and_the_accelerometer_beside_it_does_not() {
    let (log, events, mut engine) =
        run::<Imu>(r#"(sensor: "rover/gyro", kind: Freeze, at_s: 1, for_s: 0.5)"#);
    let frozen = |s: &Stamped<Imu>| (1_000_000_000..1_500_000_000).contains(&s.source_ns);
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
            // The truth goes on.
            assert_ne!(truth.angular_velocity_rad_s, first.angular_velocity_rad_s);
        }
    }
    assert!(other > 40, "{other}");
    let said: Vec<&str> = events
        .iter()
        .map(|(_, what)| what.as_str())
        .filter(|what| what.starts_with("fault"))
        .collect();
    assert_eq!(
        said,
        [
            "fault begins: imu/gyro frozen",
            "fault ends: imu/gyro frozen"
        ]
    );
    let faults: Vec<Faults> = engine
        .world_mut()
        .query::<&Faults>()
        .iter(engine.world())
        .cloned()
        .collect();
    assert!(faults.len() == 1 && !faults[0].all[0].active);
    // What a fault has come to is forgotten by a reset.
    let before = engine.summary().state_hash;
    engine.reset().unwrap();
    let again = engine.run_for(Duration::from_secs(3)).unwrap();
    assert_eq!(again.state_hash, before);
}

#[test]
fn a_scaled_encoder_gains_more_from_where_it_stands() {
    let (log, ..) = run::<Encoders>(
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
            let said = b.value.angles_rad[wheel] - a.value.angles_rad[wheel];
            let turned = is.angles_rad[wheel] - was.angles_rad[wheel];
            assert!((said - factor * turned).abs() < 1e-9, "{} ns", b.source_ns);
        }
    }
    // It had turned by then, or there would have been nothing to see.
    assert!(log.last().unwrap().1.angles_rad[0] > 5.0);
}

#[test]
fn a_fault_of_nothing_is_told_with_its_place() {
    let sensors = r#"sensors: [
        (name: "imu", kind: Imu(), rate_hz: 100), (name: "spare", kind: Imu(), rate_hz: 100),
        (name: "encoders", kind: Encoders(), rate_hz: 100),
        (name: "lidar", kind: Lidar(rays: 8, range_max_m: 5), rate_hz: 10),
        (name: "gnss", kind: Gnss(), rate_hz: 10),
    ]"#;
    for (fault, says) in [
        (
            r#"sensor: "rovr/imu", kind: Freeze"#,
            &["`rovr/imu`", "did you mean `rover`"][..],
        ),
        (
            r#"sensor: "rover", kind: Freeze"#,
            &["`rover`", "imu, spare, encoders"],
        ),
        (
            r#"sensor: "rover/imo", kind: Freeze"#,
            &["`rover/imo`", "did you mean `imu`"],
        ),
        (
            r#"sensor: "rover/gyro", kind: Freeze"#,
            &["one of rover/imu/gyro, rover/spare/gyro"],
        ),
        (
            r#"sensor: "rover/imu/gyro_w", kind: Freeze"#,
            &["a part of `imu`", "did you mean `gyro"],
        ),
        (
            r#"sensor: "rover/0", kind: Freeze"#,
            &["a sensor of `rover`"],
        ),
        (
            r#"sensor: "rover/encoders/x", kind: Freeze"#,
            &["the place of a number in the row"],
        ),
        (
            r#"sensor: "rover/encoders/2", kind: Freeze"#,
            &["one of its 2, from 0 to 1"],
        ),
        (
            r#"sensor: "rover/lidar/8", kind: Freeze"#,
            &["one of its 8, from 0 to 7"],
        ),
        (
            r#"sensor: "rover/encoders", kind: Scale(NaN)"#,
            &["found NaN; expected a factor"],
        ),
        (r#"sensor: "rover/encoders", kind: Scale"#, &["expected"]),
        (
            r#"sensor: "rover/encoders", kind: Freez"#,
            &["did you mean `Freeze`"],
        ),
        (
            r#"sensor: "rover/encoders", kind: Freeze, at_s: -1"#,
            &["faults[0].at_s: found -1"],
        ),
        (
            r#"sensor: "rover/encoders", kind: Freeze, for_s: 0"#,
            &["faults[0].for_s"],
        ),
        (
            r#"sensor: "rover/encoders", kind: Freeze, form_s: 1"#,
            &["did you mean `for_s`"],
        ),
        (
            r#"sensor: "rover/gnss", kind: Scale(1.1)"#,
            &["no zero", "`gnss/velocity`"],
        ),
    ] {
        let text = format!(
            "(version: 1, world: (origin: (latitude_deg: 47, longitude_deg: 8, height_m: 0)),\n agents: [
            (name: \"rover\", model: \"rover.urdf\", drive: Auto, {sensors})],\nfaults: [\n({fault})])"
        );
        let line = text[..text.find(fault).unwrap()].matches('\n').count() + 1;
        let dir = folder(&[("bad.ron", &text)]);
        let error = scene::load(&dir.path().join("bad.ron"), None)
            .unwrap_err()
            .to_string();
        for fragment in [&format!("bad.ron:{line}:")[..]].iter().chain(says) {
            assert!(error.contains(fragment), "{fault}\n{error}");
        }
    }
}
