//! Recordings to files.

#![allow(clippy::unwrap_used)]

mod common;

use becomingone_rerun::{RerunError, RerunPlugin, Sink, finish};
use becomingone_systems::{hash::StateHash, spawn};
use common::{app, run};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(20);

fn to_file(path: &std::path::Path) -> RerunPlugin {
    RerunPlugin::new(Sink::File(path.to_owned()), "room").unwrap()
}

#[test]
fn file_contains_the_whole_run() {
    // Kept for inspection: target/tmp/room.rrd.
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("room.rrd");
    let mut app = app(1, Some(to_file(&path)));
    run(&mut app, 60_000);
    let report = finish(app.world_mut(), LIMIT).unwrap();
    assert_eq!((report.dropped, report.lost), (0, None));
    // Caps of 30, 20 and 50 Hz share some ticks; lidar scans and events add ticks.
    assert!(
        (60 * 50..60 * 110).contains(&report.sent),
        "{}",
        report.sent
    );
    assert_eq!(
        finish(app.world_mut(), LIMIT),
        None,
        "a second finish returns None"
    );
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..4], b"RRF2", "{:?}", &bytes[..16]);
    assert!(bytes.len() > 100_000, "{}", bytes.len());
    // The run continues after the end of its recording.
    run(&mut app, 100);
    spawn::build_scene(app.world_mut()).unwrap();
    run(&mut app, 100);
    assert_eq!(std::fs::read(&path).unwrap().len(), bytes.len());
}

#[test]
fn recording_does_not_change_the_state_hash() {
    let folder = tempfile::tempdir().unwrap();
    let mut with = app(2, Some(to_file(&folder.path().join("run.rrd"))));
    let mut without = app(2, None);
    run(&mut with, 3000);
    run(&mut without, 3000);
    let hash = |app: &bevy_app::App| app.world().resource::<StateHash>().0;
    assert_eq!(hash(&with), hash(&without));
}

#[test]
fn reset_starts_a_second_recording_in_the_same_file() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("reset.rrd");
    let mut app = app(3, Some(to_file(&path)));
    run(&mut app, 4000);
    spawn::build_scene(app.world_mut()).unwrap();
    run(&mut app, 9000);
    let report = finish(app.world_mut(), LIMIT).unwrap();
    assert_eq!((report.dropped, report.lost), (0, None));
}

#[test]
fn file_that_cannot_be_created_is_an_error_before_the_run() {
    let path = std::path::Path::new("/nowhere/at/all/run.rrd");
    let error = RerunPlugin::new(Sink::File(path.to_owned()), "room")
        .err()
        .unwrap();
    assert!(matches!(&error, RerunError::File { path: p, .. } if p == path));
    let message = error.to_string();
    assert!(
        message.contains("/nowhere/at/all/run.rrd") && message.contains("No such file"),
        "{message}"
    );
}

/// `/dev/full` of Linux is a disk that is always full.
#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_an_error_before_the_run() {
    let sink = Sink::File("/dev/full".into());
    let error = RerunPlugin::new(sink, "room").err().unwrap().to_string();
    assert!(
        error.contains("/dev/full") && error.contains("No space left"),
        "{error}"
    );
}
