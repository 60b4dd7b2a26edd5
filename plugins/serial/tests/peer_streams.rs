//! Streams of pynmeagps, pyubx2 and pymavlink, with garbage, half messages and wrong checksums between the good ones:
//! every good message is read, its numbers are right, and all counts are exact, however the bytes are split.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod peers;

use becomingone_serial::protocol::{Message, Protocol, Verdict, mavlink, nmea, ubx};
use becomingone_serial::{Counters, Deframer};
use peers::stream;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// All messages, in pieces of these lengths in turn.
fn read(protocol: impl Protocol, stream: &[u8], pieces: &[usize]) -> (Vec<Message>, Counters, u64) {
    let mut deframer = Deframer::new(protocol);
    let mut messages = Vec::new();
    let mut refused = 0;
    let mut each = |new: &mut Vec<Message>, verdict: &Verdict| {
        refused += u64::from(*verdict != Verdict::Valid);
        assert!(!matches!(verdict, Verdict::Unreadable(_)), "{verdict:?}");
        messages.append(new);
    };
    let mut rest = stream;
    for piece in pieces.iter().cycle() {
        let (now, behind) = rest.split_at(rest.len().min(*piece));
        deframer.feed(now, &mut each);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    deframer.idle(&mut each);
    deframer.interrupted(&mut each);
    let counters = deframer.counters();
    (messages, counters, refused)
}

fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: found {found}, expected {expected}"
    );
}

/// Compares numbers of all messages of a name with the readings, one to one.
fn compare(messages: &[Message], name: &str, truth: &Value, numbers: &[(&str, f64)]) {
    let found: Vec<&Message> = messages.iter().filter(|m| m.name == name).collect();
    let readings = truth["readings"].as_array().unwrap();
    assert_eq!(found.len(), readings.len(), "{name}");
    for (message, reading) in found.iter().zip(readings) {
        for (key, tolerance) in numbers {
            let expected = reading[key].as_f64().unwrap();
            close(message.get(key).unwrap(), expected, *tolerance, key);
        }
    }
}

/// Counts, and that no splitting changes anything. Returns the messages.
fn check<P: Protocol>(
    protocol: impl Fn() -> P,
    stream: &[u8],
    truth: &Value,
    bad_checksums: u64,
) -> Vec<Message> {
    let whole = read(protocol(), stream, &[stream.len()]);
    let (messages, counters, _) = &whole;
    let of = |key: &str| truth[key].as_u64().unwrap();
    assert_eq!(counters.frames, of("frames"), "{counters}");
    assert_eq!(counters.bytes, of("bytes"));
    assert_eq!(counters.garbage_bytes, of("bytes") - of("frame_bytes"));
    assert_eq!(counters.frame_bytes, of("frame_bytes"));
    assert_eq!(counters.bad_checksums, bad_checksums);
    assert_eq!((counters.unreadable, counters.missing), (0, 0));
    for pieces in [vec![1], vec![7], vec![3, 1, 64, 1000, 2], vec![4096]] {
        let split = read(protocol(), stream, &pieces);
        assert_eq!(split.1, *counters, "{pieces:?}");
        assert_eq!(split.2, whole.2, "{pieces:?}");
        assert!(split.0 == *messages, "{pieces:?}");
    }
    whole.0
}

#[test]
fn every_good_sentence_of_a_damaged_nmea_stream_is_read() {
    let Some((stream, truth)) = stream("nmea", 1000, 1) else {
        return;
    };
    let wrong = truth["wrong"].as_u64().unwrap();
    let messages = check(nmea::Nmea::default, &stream, &truth, wrong);
    // 1e-5 minutes of arc in the sentence; f32 in the parser.
    let place = [("latitude", 1e-7), ("longitude", 1e-7), ("height", 1e-4)];
    let speed = [("velocity_east", 1e-5), ("velocity_north", 1e-5)];
    compare(&messages, "fix", &truth, &[&place[..], &speed[..]].concat());
    compare(&messages, "GGA", &truth, &place);
    compare(&messages, "HDT", &truth, &[("heading", 1e-4)]);
    compare(&messages, "ZDA", &truth, &[("unix_s", 1e-6)]);
    for (message, k) in messages.iter().filter(|m| m.name == "ZDA").zip(0..) {
        let expected_ns = truth["readings"][k]["unix_s"].as_f64().unwrap() * 1e9;
        close(message.stamp_ns.unwrap() as f64, expected_ns, 1e3, "stamp");
    }
    let gsa = messages.iter().find(|m| m.name == "GSA").unwrap();
    let numbers = ["fix_mode", "pdop", "hdop", "vdop"].map(|key| gsa.get(key).unwrap());
    for (found, expected) in numbers.iter().zip([3.0, 1.5, 0.8, 1.2]) {
        close(*found, expected, 1e-6, "GSA");
    }
}

#[test]
fn every_good_message_of_a_damaged_ubx_stream_is_read() {
    let Some((stream, truth)) = stream("ubx", 2000, 2) else {
        return;
    };
    let bad = truth["wrong"].as_u64().unwrap() + truth["half"].as_u64().unwrap();
    let messages = check(ubx::Ubx::default, &stream, &truth, bad);
    let numbers = [
        ("latitude", 1e-7),
        ("longitude", 1e-7),
        ("height", 1e-3),
        ("velocity_east", 1e-3),
        ("velocity_north", 1e-3),
        ("velocity_up", 1e-9),
    ];
    compare(&messages, "NAV-PVT", &truth, &numbers);
    let numbers = [
        ("satellites_visible", 0.0),
        ("satellites_used", 0.0),
        ("cno_mean", 1e-9),
    ];
    compare(&messages, "NAV-SAT", &truth, &numbers);
    for (message, k) in messages.iter().filter(|m| m.name == "NAV-PVT").zip(0..) {
        let expected_ns = truth["readings"][k]["unix_s"].as_f64().unwrap() * 1e9;
        close(message.stamp_ns.unwrap() as f64, expected_ns, 1e3, "stamp");
    }
}

#[test]
fn every_good_message_of_a_damaged_mavlink_stream_is_read() {
    let Some((stream, truth)) = stream("mavlink", 1000, 3) else {
        return;
    };
    let bad = truth["wrong"].as_u64().unwrap() + truth["half"].as_u64().unwrap();
    let messages = check(mavlink::Mavlink::default, &stream, &truth, bad);
    let numbers = [
        ("latitude", 1e-7),
        ("longitude", 1e-7),
        ("height", 1e-3),
        ("velocity_east", 6e-3),
        ("velocity_north", 6e-3),
    ];
    compare(&messages, "GPS_RAW_INT", &truth, &numbers);
    let axes = ["x", "y", "z"];
    let numbers = axes.map(|axis| (format!("angular_velocity_{axis}"), 1e-12));
    let forces = axes.map(|axis| (format!("specific_force_{axis}"), 1e-9));
    let numbers: Vec<(&str, f64)> = numbers
        .iter()
        .chain(&forces)
        .map(|(name, tolerance)| (name.as_str(), *tolerance))
        .collect();
    compare(&messages, "RAW_IMU", &truth, &numbers);
    compare(
        &messages,
        "ATTITUDE",
        &truth,
        &[("roll", 1e-6), ("pitch", 1e-6), ("yaw", 1e-6)],
    );
    let armed = messages.iter().find(|m| m.name == "HEARTBEAT").unwrap();
    assert_eq!(armed.get("armed"), Some(1.0));
}

#[test]
fn messages_that_do_not_arrive_are_counted_by_the_numbers_of_mavlink() {
    let mut pilot = mavlink::Pilot::default();
    let sent: Vec<Vec<u8>> = (0..300).map(|_| pilot.heartbeat()).collect();
    let arrived: Vec<u8> = (0..300)
        .filter(|k| ![5, 6, 200].contains(k))
        .flat_map(|k: usize| sent[k].clone())
        .collect();
    let (_, counters, _) = read(mavlink::Mavlink::default(), &arrived, &[arrived.len()]);
    assert_eq!((counters.missing, counters.frames), (3, 297));
}

#[test]
fn an_autopilot_reads_the_commands_as_they_are_meant() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        eprintln!("skipped: commands to an autopilot, as BECOMINGONE_PYTHON is not set");
        return;
    };
    let mut pilot = mavlink::Pilot::default();
    let bytes = [pilot.heartbeat(), pilot.twist(5_000_000, 0.5, 0.25)].concat();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/commands.py");
    let mut child = Command::new(python)
        .arg("-B")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let ran = child.wait_with_output().unwrap();
    let lines = String::from_utf8(ran.stdout).unwrap();
    let messages: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [heartbeat, target] = messages.as_slice() else {
        panic!("{lines}");
    };
    assert_eq!(heartbeat["mavpackettype"], "HEARTBEAT");
    // MAV_TYPE_GCS.
    assert_eq!(
        (&heartbeat["type"], &heartbeat["system"]),
        (&6.into(), &255.into())
    );
    assert_eq!(target["mavpackettype"], "SET_POSITION_TARGET_LOCAL_NED");
    // ArduPilot's "velocity and yaw rate", in MAV_FRAME_BODY_NED; it turns to the right.
    assert_eq!(target["type_mask"], 1479);
    assert_eq!(target["coordinate_frame"], 8);
    assert_eq!(target["target_system"], 1);
    assert_eq!(target["time_boot_ms"], 5);
    assert_eq!(
        (&target["vx"], &target["yaw_rate"]),
        (&0.5.into(), &(-0.25).into())
    );
}
