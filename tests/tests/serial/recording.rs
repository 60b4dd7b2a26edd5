//! A recording of a run with hardware, on a machine without it.

use super::{gauge_frame, motor_scene};
use becomingone_tests::{binary, finish, folder, root, run, until};
use serde_json::Value;
use serialport::{SerialPort as _, TTYPort};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// A rover whose gauge and motors are on a port; the device is unplugged in the middle of the run.
#[test]
fn a_recording_of_a_run_with_hardware_verifies_where_neither_device_nor_scene_is() {
    let (mut wire, ours) = TTYPort::pair().unwrap();
    wire.set_timeout(LIMIT).unwrap();
    let here = folder(&[]);
    let port = here.path().join("port");
    symlink(ours.name().unwrap(), &port).unwrap();
    drop(ours);
    let rover = root().join("assets/rover.urdf");
    std::fs::copy(&rover, here.path().join("rover.urdf")).unwrap();
    let scene = motor_scene(&port).replace(&format!("{rover:?}"), "\"rover.urdf\"");
    assert!(scene.contains("model: \"rover.urdf\""));
    std::fs::write(here.path().join("scene.ron"), scene).unwrap();

    let file = here.path().join("run.mcap");
    let recorded = std::thread::scope(|scope| {
        let device = scope.spawn(|| {
            let begun = || std::fs::metadata(&file).is_ok_and(|m| m.len() > 0);
            until(LIMIT, "a recording", begun);
            let mut commands = 0;
            for k in 0..100 {
                wire.write_all(&gauge_frame(2.0 + 0.01 * f64::from(k)))
                    .unwrap();
                let waiting = wire.bytes_to_read().unwrap() as usize;
                let mut bytes = vec![0; waiting];
                wire.read_exact(&mut bytes).unwrap();
                commands += bytes.iter().filter(|byte| **byte == 0xAA).count();
                std::thread::sleep(Duration::from_millis(10));
            }
            std::fs::remove_file(&port).unwrap();
            drop(wire);
            commands
        });
        let ran = run(
            here.path(),
            &[
                "run",
                "scene.ron",
                "--record",
                "run.mcap",
                "--rerun",
                "off",
                "--arm",
                "--duration",
                "3s",
            ],
        );
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(device.join().unwrap() > 10, "no commands");
        ran
    });
    assert!(
        recorded.stdout.contains("recorded run.mcap"),
        "{}",
        recorded.stdout
    );

    let there = folder(&[]);
    std::fs::rename(&file, there.path().join("moved.mcap")).unwrap();
    drop(here);
    assert!(!port.exists());
    let clean = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.env_clear().current_dir(&there).args(arguments);
        let ran = finish(&mut command, LIMIT);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran
    };
    let info = clean(&["info", "moved.mcap", "--json"]).stdout;
    let info: Value = serde_json::from_str(&info).unwrap();
    let topics = info["topics"].as_array().unwrap();
    let gauge = topics.iter().find(|topic| topic["topic"] == "/rover/gauge");
    assert!(gauge.unwrap()["count"].as_u64().unwrap() > 50, "{info}");
    let ran = clean(&["replay", "moved.mcap", "--verify"]);
    assert!(
        ran.stdout.contains("verified: 3000 ticks"),
        "{}",
        ran.stdout
    );
}
