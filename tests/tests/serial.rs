//! The serial driver over pseudo-terminals and TCP: readings, unplugging, floods, commands, and mistakes in scenes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::CoherenceEngine;
use becomingone::components::link::{Link, LinkState};
use becomingone::components::sensor::{GnssFix, ValueRow};
use becomingone::prelude::*;
use becomingone_tests::{folder, get, root, run, until};
use serialport::{SerialPort as _, TTYPort};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// The device side of a pseudo-terminal, which is plugged in at a path that stays.
struct Device {
    folder: TempDir,
    plugged: Option<TTYPort>,
}

impl Device {
    fn new() -> Self {
        let mut device = Self {
            folder: tempfile::tempdir().unwrap(),
            plugged: None,
        };
        device.plug();
        device
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    fn plug(&mut self) {
        let (ours, theirs) = TTYPort::pair().unwrap();
        let name = theirs.name().unwrap();
        std::os::unix::fs::symlink(name, self.path()).unwrap();
        self.plugged = Some(ours);
    }

    fn unplug(&mut self) {
        std::fs::remove_file(self.path()).unwrap();
        self.plugged = None;
    }

    fn wire(&mut self) -> &mut TTYPort {
        let wire = self.plugged.as_mut().unwrap();
        wire.set_timeout(LIMIT).unwrap();
        wire
    }

    fn send(&mut self, bytes: &[u8]) {
        self.wire().write_all(bytes).unwrap();
    }
}

/// A sensor `box/s` of this kind, on a port.
fn scene(kind: &str, port: &Path, driver: &str, more: &str) -> String {
    format!(
        "(version: 1, duration_s: 1000.0,
          world: (ground: None, origin: (latitude_deg: 47.3769, longitude_deg: 8.5417, height_m: 408.0)),
          agents: [(name: \"box\", coherence: off, sensors: [(
            name: \"s\", kind: {kind}, rate_hz: 100.0, {more}
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
    let mut engine = engine(&scene("Gnss()", &device.path(), "protocol: Nmea", ""));
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

#[test]
fn readings_go_on_after_each_of_ten_unpluggings_and_none_is_lost() {
    let mut device = Device::new();
    let mut engine = engine(&scene(METER, &device.path(), "protocol: JsonLines", ""));
    let mut sent = 0;
    for _ in 0..10 {
        ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
        for _ in 0..20 {
            device.send(format!("{{\"sequence\": {sent}, \"x\": {sent}}}\n").as_bytes());
            sent += 1;
        }
        ticks_until(&mut engine, "all of them", |l| l.received == sent);
        device.unplug();
        ticks_until(&mut engine, "down", |l| l.state == LinkState::Down);
        device.plug();
    }
    let counts = link(&engine).counts;
    assert_eq!((counts.dropped, counts.gaps, counts.garbage), (0, 0, 0));
}

#[test]
fn a_flood_is_dropped_by_the_policy_and_counted_exactly() {
    let mut device = Device::new();
    let text = scene(
        METER,
        &device.path(),
        "protocol: JsonLines",
        "queue: DropOldest(16),",
    );
    let mut engine = engine(&text);
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
    // Ten times as many as the sensor's rate and the queue take, with noise, half lines and wrong ones between.
    let (mut sent, mut wrong) = (0u64, 0u64);
    for tick in 0..300 {
        for _ in 0..100 {
            device.send(format!("{{\"sequence\": {sent}, \"x\": {sent}}}\n").as_bytes());
            sent += 1;
        }
        device.send(&b"\xff\xfe noise {\"x\": \n"[..]);
        wrong += 1;
        if tick % 10 == 0 {
            engine.step().unwrap();
        }
    }
    ticks_until(&mut engine, "all counted", |l| {
        l.received + l.counts.dropped == sent && l.counts.garbage == wrong
    });
    let seen = link(&engine);
    assert!(seen.counts.dropped > 0, "{seen:?}");
    assert_eq!((seen.counts.gaps, seen.counts.restarts), (0, 0), "{seen:?}");
}

#[test]
fn a_lossless_queue_gets_all_of_a_burst_that_it_can_hold() {
    let mut device = Device::new();
    let text = scene(
        METER,
        &device.path(),
        "protocol: KeyValue",
        "queue: Lossless(5000),",
    );
    let mut engine = engine(&text);
    ticks_until(&mut engine, "up", |l| l.state == LinkState::Up);
    // The rest of a line whose begin was sent before the port was opened.
    device.send(b"3\n");
    for k in 0..4000 {
        device.send(format!("x={k}\n").as_bytes());
    }
    ticks_until(&mut engine, "all", |l| l.received == 4000);
    assert_eq!(link(&engine).counts.dropped, 0);
    assert_eq!(link(&engine).counts.garbage, 1);
}

#[test]
fn a_serial_server_of_the_network_is_a_port_and_is_opened_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let text = scene(
        METER,
        Path::new(&address),
        "protocol: Csv(columns: [\"t\", \"x\"])",
        "",
    );
    let mut engine = engine(&text.replace("baud: 9600, ", ""));
    for connection in 1..=3 {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"rest of a line\n0.5,1.5\n").unwrap();
        ticks_until(&mut engine, "a row", |l| l.received == connection);
        let row = get::<Reading<ValueRow>>(&engine, "box/s")
            .latest()
            .unwrap()
            .value
            .clone();
        assert_eq!(row.numbers, [1.5]);
    }
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

/// CRC-16/MODBUS by its definition (Modbus over serial line V1.02, 6.2.2), lowest byte first.
fn modbus(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0xFFFFu16;
    for byte in bytes {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xA001
            } else {
                sum >> 1
            };
        }
    }
    sum.to_le_bytes()
}

/// `safe`, and speeds of both sides (mm/s), of the next command.
fn next_command(wire: &mut TTYPort) -> Option<(u8, i16, i16)> {
    let mut frame = [0; 11];
    wire.read_exact(&mut frame).ok()?;
    assert_eq!(frame[..4], [0xAA, 0x55, 6, 1], "{frame:?}");
    assert_eq!(frame[9..], modbus(&frame[2..9]), "{frame:?}");
    let speed = |at: usize| i16::from_le_bytes([frame[at], frame[at + 1]]);
    Some((frame[4], speed(5), speed(7)))
}

fn gauge_frame(mm: u16) -> Vec<u8> {
    let [low, high] = mm.to_le_bytes();
    let body = [3, 2, low, high];
    [&[0xAA, 0x55], &body[..], &modbus(&body)].concat()
}

#[test]
fn a_motor_gets_the_safe_command_at_a_time_out_when_it_is_back_and_at_the_end() {
    let mut device = Device::new();
    let folder = folder(&[("s.ron", &motor_scene(&device.path()))]);
    let mut engine = CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap();
    engine.set_armed(true);
    engine.start().unwrap();
    let gauge = |engine: &CoherenceEngine| get::<Link>(engine, "rover/gauge");
    until(LIMIT, "up", || {
        engine.step().unwrap();
        gauge(&engine).state == LinkState::Up
    });
    let stream = |engine: &mut CoherenceEngine, device: &mut Device, ticks: u32| {
        for k in 0..ticks {
            if k % 10 == 0 {
                device.send(&gauge_frame(2500));
                std::thread::sleep(Duration::from_millis(2));
            }
            engine.step().unwrap();
        }
    };
    until(LIMIT, "it drives", || {
        stream(&mut engine, &mut device, 20);
        let (safe, left, right) = next_command(device.wire()).unwrap();
        safe == 0 && left > 400 && (left - right).abs() < 50
    });
    let distance = get::<Reading<Distance>>(&engine, "rover/gauge");
    assert_eq!(distance.latest().unwrap().value.range_m, 2.5);
    // The gauge falls silent: after 0.1 s of simulated time.
    until(LIMIT, "the safe command", || {
        (0..20).for_each(|_| engine.step().unwrap());
        next_command(device.wire()).unwrap() == (1, 0, 0)
    });
    until(LIMIT, "it drives again", || {
        stream(&mut engine, &mut device, 20);
        next_command(device.wire()).unwrap().0 == 0
    });
    // The engine gives no command: the driver sends the safe one by itself.
    let begun = Instant::now();
    while next_command(device.wire()).unwrap() != (1, 0, 0) {}
    assert!(begun.elapsed() < Duration::from_secs(2));
    // Unplugged while it drives, and plugged in again: the first command is the safe one.
    until(LIMIT, "it drives again", || {
        stream(&mut engine, &mut device, 20);
        next_command(device.wire()).unwrap().0 == 0
    });
    device.unplug();
    until(LIMIT, "down", || {
        engine.step().unwrap();
        gauge(&engine).state == LinkState::Down
    });
    device.plug();
    until(LIMIT, "up again", || {
        std::thread::sleep(Duration::from_millis(1));
        device.wire().set_timeout(Duration::from_millis(1)).unwrap();
        device.plugged.as_ref().unwrap().bytes_to_read().unwrap() >= 11
    });
    assert_eq!(next_command(device.wire()), Some((1, 0, 0)));
    until(LIMIT, "it drives again", || {
        stream(&mut engine, &mut device, 20);
        next_command(device.wire()).unwrap().0 == 0
    });
    drop(engine);
    device
        .wire()
        .set_timeout(Duration::from_millis(300))
        .unwrap();
    let wire = device.plugged.as_mut().unwrap();
    let mut last = None;
    while let Some(command) = next_command(wire) {
        last = Some(command);
    }
    assert_eq!(last, Some((1, 0, 0)));
}

#[test]
fn a_motor_that_is_not_armed_gets_no_byte() {
    let mut device = Device::new();
    let mut engine = engine(&motor_scene(&device.path()));
    let gauge = |engine: &CoherenceEngine| get::<Link>(engine, "rover/gauge");
    until(LIMIT, "up", || {
        engine.step().unwrap();
        gauge(&engine).state == LinkState::Up
    });
    (0..1000).for_each(|_| engine.step().unwrap());
    drop(engine);
    assert_eq!(device.wire().bytes_to_read().unwrap_or(0), 0);
}

#[test]
fn mistakes_in_a_scene_are_refused_with_their_place_and_what_to_write() {
    let port = Path::new("/dev/ttyUSB9");
    let gnss = |driver: &str| scene("Gnss()", port, driver, "");
    let meter = |driver: &str| scene(METER, port, driver, "");
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
            "0.1",
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
            "3",
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
