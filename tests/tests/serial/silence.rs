//! Time-outs of sensors on ports: each reaction, and the safe command of an actuator.

use super::{Device, LIMIT, METER, engine, gauge_frame, link, motor_scene, scene, ticks_until};
use becomingone::CoherenceEngine;
use becomingone::components::link::{Link, LinkState};
use becomingone::components::sensor::{Distance, SensorStats, ValueRow};
use becomingone::prelude::*;
use becomingone_tests::{folder, get, until};
use serialport::SerialPort as _;
use std::io::Read as _;
use std::time::Duration;

/// An instrument `box/s` that has one reading, 2.5, and then no more.
fn silent(device: &mut Device, then: &str) -> CoherenceEngine {
    let text = scene(METER, &device.path, "protocol: JsonLines");
    let silence = format!("silence: (after_s: 0.05, then: {then})");
    let text = text.replace("silence: (after_s: 1000.0)", &silence);
    assert!(text.contains(&silence));
    let mut engine = engine(&text);
    reading(&mut engine, device, "2.5");
    engine
}

/// Sends readings until the engine has a new one. Until then, the time-out may pass: simulated time is faster.
fn reading(engine: &mut CoherenceEngine, device: &mut Device, x: &str) {
    let before = link(engine).received;
    ticks_until(engine, "up", |l| l.state == LinkState::Up);
    device.send(format!("{{\"x\": {x}}}\n").as_bytes());
    ticks_until(engine, "a reading", |l| {
        l.received == before + 1 && !l.stale
    });
}

fn latest(engine: &CoherenceEngine) -> f64 {
    let reading = get::<Reading<ValueRow>>(engine, "box/s");
    reading.latest().unwrap().value.numbers[0]
}

fn stats(engine: &CoherenceEngine) -> SensorStats {
    get::<SensorStats>(engine, "box/s")
}

/// Steps past the time-out.
fn wait(engine: &mut CoherenceEngine) {
    (0..100).for_each(|_| engine.step().unwrap());
    assert!(link(engine).stale);
}

#[test]
fn hold_keeps_the_last_reading_and_marks_it_as_stale() {
    let mut device = Device::new();
    let mut engine = silent(&mut device, "Hold");
    let before = stats(&engine);
    wait(&mut engine);
    assert_eq!(latest(&engine), 2.5);
    let after = stats(&engine);
    assert_eq!(after.readings, before.readings);
    assert_eq!(after.stale, before.stale + 1);
    reading(&mut engine, &mut device, "3.5");
    assert_eq!(latest(&engine), 3.5);
}

#[test]
fn zero_gives_one_reading_of_zeros() {
    let mut device = Device::new();
    let mut engine = silent(&mut device, "Zero");
    wait(&mut engine);
    assert_eq!(latest(&engine), 0.0);
    let once = get::<Reading<ValueRow>>(&engine, "box/s")
        .latest()
        .unwrap()
        .sequence;
    (0..200).for_each(|_| engine.step().unwrap());
    let later = get::<Reading<ValueRow>>(&engine, "box/s")
        .latest()
        .unwrap()
        .sequence;
    assert_eq!(later, once);
    reading(&mut engine, &mut device, "3.5");
    assert_eq!(latest(&engine), 3.5);
}

/// The time-out is longer here: the run must not end before the first reading.
#[test]
fn fail_ends_the_run_with_an_error_that_names_the_sensor() {
    let mut device = Device::new();
    let text = scene(METER, &device.path, "protocol: JsonLines").replace(
        "silence: (after_s: 1000.0)",
        "silence: (after_s: 20.0, then: Fail)",
    );
    let mut engine = engine(&text);
    reading(&mut engine, &mut device, "2.5");
    let error = (0..200_000).find_map(|_| engine.step().err()).unwrap();
    let text = error.to_string();
    assert!(text.contains("box/s: no reading for 20.0"), "{text}");
    assert!(!error.is_bad_input());
}

#[test]
fn the_simulated_sensor_takes_over_until_the_device_is_back() {
    let mut device = Device::new();
    // Nothing is in front of it: the simulated reading is the largest.
    let text = scene(
        "Range(range_max_m: 4.0), position_m: (0, 0, 0.3)",
        &device.path,
        "pick: \"/x\", protocol: JsonLines",
    )
    .replace("after_s: 1000.0", "after_s: 0.05, then: FallBackToSim");
    let mut engine = engine(&text);
    let range = |engine: &CoherenceEngine| {
        let reading = get::<Reading<Distance>>(engine, "box/s");
        f64::from(reading.latest().unwrap().value.range_m)
    };
    for real in [2.5, 1.5] {
        reading(&mut engine, &mut device, &real.to_string());
        assert_eq!(range(&engine), real);
        wait(&mut engine);
        assert_eq!(range(&engine), 4.0);
        // At 100 Hz, and none of them is the device's.
        let (before, received) = (stats(&engine).readings, link(&engine).received);
        (0..200).for_each(|_| engine.step().unwrap());
        assert_eq!(stats(&engine).readings, before + 20);
        assert_eq!(link(&engine).received, received);
    }
}

/// `safe`, and speeds of both sides (mm/s), of the newest command that waits.
fn newest_command(device: &mut Device) -> Option<(u8, i16, i16)> {
    let mut newest = None;
    while device.wire.bytes_to_read().unwrap() >= 11 {
        let mut frame = [0; 11];
        device.wire.read_exact(&mut frame).unwrap();
        assert_eq!(frame[..4], [0xAA, 0x55, 6, 1], "{frame:?}");
        assert_eq!(frame[9..], super::modbus(&frame[2..9]), "{frame:?}");
        let speed = |at: usize| i16::from_le_bytes([frame[at], frame[at + 1]]);
        newest = Some((frame[4], speed(5), speed(7)));
    }
    newest
}

#[test]
fn motors_get_the_safe_command_while_a_sensor_of_the_machine_is_stale() {
    // Also with simulated readings: they do not show what is in front of the machine.
    for then in ["Hold", "Zero", "FallBackToSim"] {
        let mut device = Device::new();
        let text = motor_scene(&device.path)
            .replace("after_s: 0.1", &format!("after_s: 0.1, then: {then}"));
        let folder = folder(&[("s.ron", &text)]);
        let mut engine = CoherenceEngine::from_scene(folder.path().join("s.ron")).unwrap();
        engine.set_armed(true);
        engine.start().unwrap();
        let gauge = |engine: &CoherenceEngine| get::<Link>(engine, "rover/gauge");
        until(LIMIT, "up", || {
            engine.step().unwrap();
            gauge(&engine).state == LinkState::Up
        });
        for (what, is_stale) in [
            ("it drives", false),
            ("the safe command", true),
            ("it drives again", false),
        ] {
            until(LIMIT, &format!("{then}: {what}"), || {
                if !is_stale {
                    device.send(&gauge_frame(2.5));
                }
                std::thread::sleep(Duration::from_millis(2));
                (0..10).for_each(|_| engine.step().unwrap());
                let command = newest_command(&mut device);
                let is_expected = command.is_some_and(|(safe, left, right)| match is_stale {
                    true => (safe, left, right) == (1, 0, 0),
                    false => safe == 0 && left > 300 && right > 300,
                });
                is_expected && gauge(&engine).stale == is_stale
            });
        }
    }
}
