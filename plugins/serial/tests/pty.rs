//! The driver over pseudo-terminals and TCP: unplugging, floods, bursts, and commands of a motor.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod rig;

use becomingone_components::link::{LinkState, Queue};
use becomingone_rig::until;
use rig::{Device, Rig, modbus, open};
use serialport::{SerialPort as _, TTYPort};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn line(sequence: u64) -> String {
    format!("{{\"sequence\": {sequence}, \"x\": {sequence}}}\n")
}

#[test]
fn readings_go_on_after_each_of_ten_unpluggings_and_none_is_lost() {
    let mut device = Device::new();
    let mut rig = open(
        &[&device.source("protocol: JsonLines")],
        Queue::default(),
        false,
    );
    let mut sent = 0;
    for _ in 0..10 {
        rig.until_state("s", LinkState::Up);
        // A connection of a second is a success, after which the back-off begins anew.
        let opened = Instant::now();
        while opened.elapsed() < Duration::from_millis(1100) {
            device.send(line(sent).as_bytes());
            sent += 1;
            std::thread::sleep(Duration::from_millis(5));
            rig.tick();
        }
        rig.until_link("s", "all of them", |l| l.received == sent);
        device.unplug();
        rig.until_state("s", LinkState::Down);
        device.plug();
    }
    let counts = rig.link("s").counts;
    assert_eq!((counts.dropped, counts.gaps, counts.garbage), (0, 0, 0));
    let expected: Vec<f64> = (0..sent).map(|k| k as f64).collect();
    assert_eq!(rig.numbers("s"), expected);
}

#[test]
fn a_flood_is_dropped_by_the_policy_and_counted_exactly() {
    let mut device = Device::new();
    let source = device.source("protocol: JsonLines");
    let mut rig = open(&[&source], Queue::DropOldest(16), false);
    rig.until_state("s", LinkState::Up);
    // A hundred lines and an invalid one, three hundred times, against thirty ticks of at most 16 readings each.
    let (mut sent, mut wrong) = (0, 0);
    for n in 0..300 {
        for _ in 0..100 {
            device.send(line(sent).as_bytes());
            sent += 1;
        }
        device.send(b"\xff\xfe noise {\"x\": \n");
        wrong += 1;
        if n % 10 == 0 {
            rig.tick();
        }
    }
    rig.until_link("s", "all counted", |l| {
        l.received + l.counts.dropped == sent && l.counts.garbage == wrong
    });
    let seen = rig.link("s");
    assert!(seen.counts.dropped > 25_000, "{seen:?}");
    assert_eq!((seen.counts.gaps, seen.counts.restarts), (0, 0), "{seen:?}");
}

#[test]
fn a_lossless_queue_gets_all_of_a_burst_that_it_can_hold() {
    let mut device = Device::new();
    let source = device.source("protocol: KeyValue");
    let mut rig = open(&[&source], Queue::Lossless(5000), false);
    rig.until_state("s", LinkState::Up);
    // The rest of a line whose begin was sent before the port was opened.
    device.send(b"3\n");
    for k in 0..4000 {
        device.send(format!("x={k}\n").as_bytes());
    }
    rig.until_link("s", "all", |l| l.received == 4000);
    let counts = rig.link("s").counts;
    assert_eq!((counts.dropped, counts.garbage), (0, 1));
}

#[test]
fn a_serial_server_of_the_network_is_a_port_and_is_opened_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!(
        "(port: \"tcp://{}\", protocol: Csv(columns: [\"t\", \"x\"]))",
        listener.local_addr().unwrap()
    );
    let mut rig = open(&[&source], Queue::default(), false);
    for connection in 1..=3 {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"rest of a line\n0.5,1.5\n").unwrap();
        rig.until_link("s", "a row", |l| l.received == connection);
    }
    assert_eq!(rig.numbers("s"), [1.5; 3]);
}

/// Frames: two start bytes, the length, a kind, the fields, CRC-16/MODBUS.
fn framed(fields: &str) -> String {
    format!(
        "protocol: Framed(frame: Start(bytes: [0xAA, 0x55], length: U8), check: \"CRC-16/MODBUS\", fields: [{fields}])"
    )
}

fn gauge(device: &Device) -> String {
    device.source(&framed(
        "(value: 2, type: U8), (name: \"x\", type: U16, scale: 0.001)",
    ))
}

fn motors(device: &Device) -> String {
    let fields = framed(
        "(value: 1, type: U8), (name: \"safe\", type: U8), (name: \"left\", type: I16, scale: 0.001), (name: \"right\", type: I16, scale: 0.001)",
    );
    device.source(&format!("track_m: 0.5, {fields}"))
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

/// The newest command that waits, and none to come.
fn newest_command(wire: &mut TTYPort) -> Option<(u8, i16, i16)> {
    let mut newest = None;
    while wire.bytes_to_read().unwrap() >= 11 {
        newest = next_command(wire);
    }
    newest
}

#[test]
fn a_motor_gets_the_safe_command_at_a_time_out_when_it_is_back_and_at_the_end() {
    let mut device = Device::new();
    let mut rig = open(&[&gauge(&device), &motors(&device)], Queue::default(), true);
    rig.until_state("s", LinkState::Up);
    let body = [3, 2, 0xC4, 0x09];
    device.send(&[&[0xAA, 0x55], &body[..], &modbus(&body)].concat());
    rig.until_link("s", "a reading", |l| l.received == 1);
    assert_eq!(rig.numbers("s"), [2.5]);
    let safe = Some((1, 0, 0));
    let drive = |rig: &mut Rig, device: &mut Device| {
        until("it drives", || {
            rig.command(0.5, 0.4);
            rig.tick();
            // 0.5 m/s less and plus 0.4 rad/s by half of 0.5 m.
            newest_command(device.wire()) == Some((0, 400, 600))
        });
    };
    drive(&mut rig, &mut device);
    // The controller writes no command: after 0.5 s of simulated time.
    until("the safe command", || {
        rig.tick();
        newest_command(device.wire()) == safe
    });
    drive(&mut rig, &mut device);
    // The engine gives no command: the driver sends the safe one by itself.
    let begun = Instant::now();
    until("the safe command", || {
        std::thread::sleep(Duration::from_millis(1));
        newest_command(device.wire()) == safe
    });
    assert!(begun.elapsed() >= Duration::from_millis(400));
    // Unplugged while it drives, and plugged in again: the first command is the safe one.
    drive(&mut rig, &mut device);
    device.unplug();
    rig.until_state("s", LinkState::Down);
    device.plug();
    until("a command", || {
        std::thread::sleep(Duration::from_millis(1));
        device.wire().bytes_to_read().is_ok_and(|n| n >= 11)
    });
    assert_eq!(next_command(device.wire()), safe);
    drive(&mut rig, &mut device);
    rig.rest();
    until("the last command", || newest_command(device.wire()) == safe);
}

#[test]
fn a_motor_that_is_not_armed_gets_no_byte() {
    let mut device = Device::new();
    let mut rig = open(
        &[&gauge(&device), &motors(&device)],
        Queue::default(),
        false,
    );
    rig.until_state("s", LinkState::Up);
    for _ in 0..1000 {
        rig.command(0.5, 0.0);
        rig.tick();
    }
    drop(rig);
    assert_eq!(device.wire().bytes_to_read().unwrap_or(0), 0);
}
