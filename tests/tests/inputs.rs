//! Inputs and outputs that a program adds by name, without a scene file.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::bridge::NotWritten;
use becomingone::components::link::{Link, LinkState};
use becomingone::inputs::{
    BluetoothBridge, CameraInput, MicrophoneInput, ProcessBridge, SensorInput, SerialBridge,
    TextInput, values,
};
use becomingone::prelude::*;
use becomingone_tests::{get, until};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn last(engine: &CoherenceEngine, name: &str) -> Option<f64> {
    let reading = get::<Reading<ValueRow>>(engine, name);
    reading.latest().map(|sample| sample.value.numbers[0])
}

#[test]
fn lines_that_the_program_writes_are_readings_before_and_after_a_reset() {
    let mut engine = CoherenceEngine::new();
    let (tank, pump) = (
        TextInput::new("tank", &[("level", "m")]),
        TextInput::new("pump", &[("current", "A")]),
    );
    let writers = [tank.writer(), pump.writer()];
    engine.add_input(tank).unwrap().add_input(pump).unwrap();
    // One that is refused leaves the first as it is.
    let second = TextInput::new("tank", &[("level", "m")]);
    assert!(engine.add_input(second).is_err());
    for level in [1.5, 2.5] {
        writers[0].write(format!("{{\"level\": {level}}}")).unwrap();
        writers[1].write("{\"current\": null}").unwrap();
        writers[1].write("{\"current\": 0.25}").unwrap();
        until(LIMIT, "the lines", || {
            engine.step().unwrap();
            last(&engine, "kernel/tank") == Some(level)
                && last(&engine, "kernel/pump") == Some(0.25)
        });
        engine.reset().unwrap();
    }
    assert!(writers[0].write("what").is_ok());
    until(LIMIT, "the mistake", || {
        engine.step().unwrap();
        get::<Link>(&engine, "kernel/tank").counts.garbage == 1
    });
    drop(engine);
    assert_eq!(writers[0].write("{}"), Err(NotWritten::Over));
}

#[test]
fn a_writer_never_waits_for_an_engine_that_does_not_read() {
    let input = TextInput::new("tank", &[("level", "m")]);
    let tank = input.writer();
    let written = (0..2000).map(|_| tank.write("{\"level\": 1}"));
    assert_eq!(written.filter(Result::is_ok).count(), 1024);
    assert_eq!(tank.write("{\"level\": 1}"), Err(NotWritten::Full));
}

#[test]
fn a_program_feeds_a_sensor_and_takes_the_commands_of_a_drive() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("commands");
    let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron").unwrap();
    let script = format!(
        "while read -r line; do echo \"$line\" >> {}; echo '{{\"x\": 7}}'; done",
        file.display()
    );
    let program = ProcessBridge::new(&["sh", "-c", &script]);
    engine
        .add_input(program.reads("echo", values(&[("x", "1")]), 100.0))
        .unwrap()
        .add_output(program.drives("rover"))
        .unwrap()
        .set_armed(true);
    engine.start().unwrap();
    until(LIMIT, "the answer to a command", || {
        engine.step().unwrap();
        last(&engine, "rover/echo") == Some(7.0)
    });
    drop(engine);
    let commands = std::fs::read_to_string(&file).unwrap();
    assert!(commands.contains("rover/drive"), "{commands}");
}

#[test]
fn what_a_scene_may_not_have_is_refused_and_the_engine_stays_as_it_was() {
    let mut engine = CoherenceEngine::new();
    let port = SerialBridge::new("/dev/no-such-port").with("baud: 9600, protocol: Nmea");
    let refused = |found: Result<&mut CoherenceEngine, EngineError>, word: &str| {
        let error = found.err().unwrap();
        assert!(error.is_bad_input(), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    };
    refused(
        engine.add_input(SensorInput::new("imu", Imu::default(), 100.0)),
        "a `model` to carry them",
    );
    refused(
        engine.add_input(port.reads("gnss", Gnss::default(), 0.0)),
        "rate_hz",
    );
    refused(
        engine.add_output(port.drives("rover")),
        "expected one of `kernel`",
    );
    refused(
        engine.add_output(port.drives("kernel")),
        "an agent without a drive",
    );
    engine.step().unwrap();
    refused(engine.add_input(CameraInput::folder(".")), "has started");
    // Drivers of features that are not built in say so at the start.
    let mut engine = CoherenceEngine::new();
    let watch = BluetoothBridge::new("AA:BB:CC:DD:EE:FF").with("characteristic: Battery");
    let charge = watch.reads("charge", values(&[("level", "%")]), 1.0);
    engine.add_input(charge).unwrap();
    match engine.start() {
        Ok(()) => assert_ne!(get::<Link>(&engine, "kernel/charge").state, LinkState::Up),
        Err(error) => assert!(error.to_string().contains("feature `bluetooth`"), "{error}"),
    }
    let mut engine = CoherenceEngine::new();
    engine.add_input(MicrophoneInput::named("no such")).unwrap();
    if let Err(error) = engine.start() {
        assert!(error.to_string().contains("feature `audio`"), "{error}");
    }
}
