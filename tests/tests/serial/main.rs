//! The serial driver in scenes: a receiver's place, a recording, mistakes, and the samples of the plugin.
//! `plugins/serial/tests` has unplugging, floods and commands.
//!
//! - `origins`: simulation, replay and ports give the same readings.
//! - `recording`: a recording is replayed where the device is not.
//! - `silence`: time-outs of sensors.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod origins;
mod recording;
mod silence;

use becomingone::CoherenceEngine;
use becomingone::components::link::{Link, LinkState};
use becomingone::components::sensor::{GnssFix, ValueRow};
use becomingone::prelude::*;
use becomingone_tests::{folder, get, root, run, until};
use serialport::{SerialPort as _, TTYPort};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

/// The device side of a pseudo-terminal, and the path of ours.
struct Device {
    wire: TTYPort,
    path: PathBuf,
}

impl Device {
    fn new() -> Self {
        let (mut wire, ours) = TTYPort::pair().unwrap();
        wire.set_timeout(LIMIT).unwrap();
        let path = ours.name().unwrap().into();
        Self { wire, path }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).unwrap();
    }
}

/// CRC-16/MODBUS by its definition (Modbus over serial line V1.02, 6.2.2), lowest byte first.
fn modbus(bytes: &[u8]) -> [u8; 2] {
    let sum = bytes.iter().fold(0xFFFF_u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xA001 } else { 0 }
        })
    });
    sum.to_le_bytes()
}

/// A sensor `box/s` of this kind, on a port.
fn scene(kind: &str, port: &Path, driver: &str) -> String {
    let rover = root().join("assets/rover.urdf");
    format!(
        "(version: 1, duration_s: 1000.0,
          world: (origin: (latitude_deg: 47.3769, longitude_deg: 8.5417, height_m: 408.0)),
          agents: [(name: \"box\", model: {rover:?}, drive: Auto, coherence: off, sensors: [(
            name: \"s\", kind: {kind}, rate_hz: 100.0,
            source: Driver(\"serial\", (port: {port:?}, baud: 9600, {driver})),
            silence: (after_s: 1000.0))])])"
    )
}

const METER: &str = "Values(fields: [(name: \"x\", unit: \"1\")])";

fn engine(text: &str) -> CoherenceEngine {
    let folder = folder(&[("s.ron", text)]);
    let mut engine =
        CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap_or_else(|e| panic!("{e}"));
    engine.start().unwrap_or_else(|e| panic!("{e}"));
    engine
}

fn link(engine: &CoherenceEngine) -> Link {
    get::<Link>(engine, "box/s")
}

fn ticks_until(engine: &mut CoherenceEngine, what: &str, reached: impl Fn(&Link) -> bool) {
    until(LIMIT, what, || {
        engine.step().unwrap();
        std::thread::sleep(Duration::from_micros(200));
        reached(&link(engine))
    });
}

/// A sentence with its checksum (NMEA 0183: the exclusive or of all between `$` and `*`).
fn sentence(body: &str) -> Vec<u8> {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n").into_bytes()
}

#[test]
fn a_gnss_receiver_is_placed_in_the_metres_of_the_scene() {
    let mut device = Device::new();
    let mut engine = engine(&scene("Gnss()", &device.path, "protocol: Nmea"));
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
    // 1000 m east, 1000 m south and 3 m up of the origin, by PROJ (see `geodesy`): 47.367905238953, 8.554938508903,
    // 411.156733 m; 6 digits of minutes are 2 mm. 10 knots to the west.
    device.send(&sentence(
        "GNGGA,120000.00,4722.074314,N,00833.296311,E,1,09,1.0,363.657,M,47.5,M,,",
    ));
    device.send(&sentence(
        "GNRMC,120000.00,A,4722.074314,N,00833.296311,E,10.0,270.0,291126,,,A",
    ));
    ticks_until(&mut engine, "a fix", |l| l.received == 1);
    let fix = get::<Reading<GnssFix>>(&engine, "box/s")
        .latest()
        .unwrap()
        .value;
    for (found, expected) in fix.position_m.iter().zip([1000.0, -1000.0, 3.0]) {
        assert!((found - expected).abs() < 5e-3, "{fix:?}");
    }
    assert!((f64::from(fix.velocity_m_s.x) + 10.0 * 1852.0 / 3600.0).abs() < 1e-5);
    assert!(fix.velocity_m_s.y.abs() < 1e-5);
    assert!((fix.place.latitude_deg - 47.367905238953).abs() < 2e-8);
}

#[derive(Resource, Default)]
struct Rows(Vec<Vec<f64>>);

fn collect(mut rows: ResMut<Rows>, sensors: Query<&Reading<ValueRow>>) {
    for reading in &sensors {
        rows.0
            .extend(reading.batch().map(|s| s.value.numbers.clone()));
    }
}

#[test]
fn a_port_fed_with_a_recording_gives_the_readings_of_its_replay() {
    let mut log = "stamp_s,x,y\n".to_owned();
    for k in 0..100 {
        let t = f64::from(k) * 0.02;
        log += &format!("{t},{},{:?}\n", k * k, (t * 7.3 - 3.0) / 11.0);
    }
    let mut device = Device::new();
    let kind = "Values(fields: [(name: \"x\", unit: \"1\"), (name: \"y\", unit: \"1\")])";
    // The recording is sent faster than in real time: a tick may take more than the default queue holds.
    let serial = scene(kind, &device.path, "protocol: Csv()").replace(
        "silence: (after_s: 1000.0)",
        "silence: (after_s: 1000.0), queue: Lossless(100)",
    );
    let port = &device.path;
    let driver = format!("Driver(\"serial\", (port: {port:?}, baud: 9600, protocol: Csv()))");
    let replay = serial.replace(&driver, "Replay(file: \"log.csv\", time: \"stamp_s\")");
    assert_ne!(serial, replay);
    let folder = folder(&[
        ("serial.ron", &serial),
        ("replay.ron", &replay),
        ("log.csv", &log),
    ]);
    let begin = |file: &str| {
        let mut engine = CoherenceEngine::from_scene(folder.path().join(file)).unwrap();
        engine.world_mut().init_resource::<Rows>();
        engine.add_plugin(|app: &mut App| {
            app.add_systems(Tick, collect.in_set(TickSystems::Publish));
        });
        engine.start().unwrap_or_else(|e| panic!("{e}"));
        engine
    };
    let mut replayed = begin("replay.ron");
    until(LIMIT, "the replay's end", || {
        replayed.step().unwrap();
        replayed.world().resource::<Rows>().0.len() == 100
    });
    let mut fed = begin("serial.ron");
    ticks_until(&mut fed, "up", |l| l.state == LinkState::Up);
    // The end of a line that began before the port was opened; then the recording, in pieces of a few bytes.
    device.send(b"\n");
    for (piece, n) in log.as_bytes().chunks(7).zip(0..) {
        device.send(piece);
        if n % 10 == 0 {
            fed.step().unwrap();
        }
    }
    ticks_until(&mut fed, "all", |l| l.received == 100);
    let rows = |engine: &CoherenceEngine| engine.world().resource::<Rows>().0.clone();
    assert_eq!(rows(&fed), rows(&replayed));
}

/// A rover with a drive, and a gauge on the same port. Frames of commands: mark, kind, `safe`, two speeds.
fn motor_scene(port: &Path) -> String {
    let rover = root().join("assets/rover.urdf");
    let framing = "frame: Start(bytes: [0xAA, 0x55], length: U8), check: \"CRC-16/MODBUS\"";
    format!(
        "(version: 1, duration_s: 1000.0, agents: [(name: \"rover\", model: {rover:?}, drive: Auto, coherence: off,
            drive_source: Driver(\"serial\", (port: {port:?}, baud: 115200, track_m: 0.5, protocol: Framed({framing}, fields: [
                (value: 1, type: U8), (name: \"safe\", type: U8), (name: \"left\", type: I16, scale: 0.001), (name: \"right\", type: I16, scale: 0.001)]))),
            sensors: [
                (name: \"lidar\", kind: Lidar(rays: 8, range_max_m: 5.0), rate_hz: 10.0, position_m: (0, 0, 0.3)),
                (name: \"gauge\", kind: Range(range_max_m: 4.0), rate_hz: 50.0, position_m: (0, 0, 0.3), silence: (after_s: 0.1),
                 source: Driver(\"serial\", (port: {port:?}, baud: 115200, pick: \"d\", protocol: Framed({framing}, fields: [
                    (value: 2, type: U8), (name: \"d\", type: U16, scale: 0.001)])))),
            ],
            controller: Patrol(waypoints_m: [(5.0, 0.0)], speed_m_s: 0.5),
        )])"
    )
}

/// A reading of that gauge (m).
fn gauge_frame(range_m: f64) -> Vec<u8> {
    let [low, high] = ((range_m * 1000.0) as u16).to_le_bytes();
    let body = [3, 2, low, high];
    [&[0xAA, 0x55], &body[..], &modbus(&body)].concat()
}

#[test]
fn mistakes_in_a_scene_are_refused_with_their_place_and_what_to_write() {
    let port = Path::new("/dev/ttyUSB9");
    let gnss = |driver: &str| scene("Gnss()", port, driver);
    let meter = |driver: &str| scene(METER, port, driver);
    for (text, words) in [
        (
            gnss("protocol: Nmea").replace("baud: 9600, ", ""),
            "found no `baud`",
        ),
        (gnss("protocol: Nme"), "Nme"),
        (
            meter("protocol: Nmea"),
            "found the number `x`, which NMEA 0183 does not have",
        ),
        (
            meter("protocol: Ubx, pick: {\"y\": \"pdop\"}"),
            "found `y` in `pick`; expected one of `x`",
        ),
        (
            meter("protocol: Ubx, pick: \"pdob\""),
            "did you mean `pdop`?",
        ),
        (
            meter("protocol: Framed(frame: Cobs, fields: [(name: \"x\", type: U8, scale: 0)])"),
            "no scale of 0",
        ),
        (
            meter("protocol: Framed(frame: Start(bytes: []), fields: [(name: \"x\", type: U8)])"),
            "expected 1 to 16, such as `bytes: [0xAA, 0x55]`",
        ),
        (
            motor_scene(port).replace("CRC-16/MODBUS", "CRC-16/MODBAS"),
            "did you mean `CRC-16/MODBUS`?",
        ),
        (
            gnss("protocol: Nmea").replace("/dev/ttyUSB9", "tcp://there"),
            "\"tcp://host:port\"",
        ),
        (
            motor_scene(port).replace("\"left\"", "\"leftt\""),
            "did you mean `left`?",
        ),
        (
            motor_scene(port).replace("track_m: 0.5, ", ""),
            "expected it as in `track_m: 0.3`",
        ),
        (
            motor_scene(port).replacen("baud: 115200", "baud: 9600", 1),
            "found two settings for /dev/ttyUSB9",
        ),
    ] {
        let folder = folder(&[("s.ron", &text)]);
        let arguments = [
            "run",
            "s.ron",
            "--rerun",
            "off",
            "--quiet",
            "--duration",
            "0.1s",
        ];
        let ran = run(folder.path(), &arguments);
        assert_eq!(ran.code, Some(2), "{text}\n{}", ran.stderr);
        assert!(ran.stderr.contains(words), "no {words} in {}", ran.stderr);
        assert!(ran.stderr.contains("s.ron:"), "{}", ran.stderr);
    }
}

#[test]
fn the_scene_of_the_plugin_runs_without_hardware() {
    let folder = folder(&[]);
    let scene = root().join("plugins/serial/scenes/serial_rover.ron");
    let scene = scene.to_str().unwrap();
    let ran = run(
        folder.path(),
        &[
            "run",
            scene,
            "--rerun",
            "off",
            "--duration",
            "3s",
            "--summary",
            "s.json",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary = std::fs::read(folder.path().join("s.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    let sensor = &summary["agents"][0]["sensors"][0];
    assert!(sensor["readings"].as_u64().unwrap() >= 5, "{sensor}");
}

#[test]
fn the_sources_of_the_readme_are_a_scene() {
    let readme = std::fs::read_to_string(root().join("plugins/serial/README.md")).unwrap();
    let (_, rest) = readme.split_once("```ron\n").unwrap();
    let (sources, _) = rest.split_once("```").unwrap();
    let rover = root().join("assets/rover.urdf");
    let mut engine = engine(&format!(
        "(version: 1, duration_s: 1.0, world: (origin: (latitude_deg: 47.0, longitude_deg: 8.0)),
          agents: [(name: \"rover\", model: {rover:?}, drive: Auto, coherence: off, {sources})])"
    ));
    engine.step().unwrap();
}
