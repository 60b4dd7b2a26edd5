//! Foxglove's live protocol of `run --serve`, against Python's `websockets` and the reader of the format's authors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::served::{OPERATOR, Served, python, scene};
use becomingone_tests::{Ran, finish, folder, root, run, say};
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// A client of this case, with a run.
fn shown(run: &Served, python: &OsString, case: &str, argument: &str) -> Ran {
    let mut command = client(python, run.folder.path(), case, &run.host);
    finish(command.arg(argument), LIMIT)
}

/// The same, with the process of the run; it ends well.
fn expect(run: &Served, case: &str) {
    let Some(python) = python() else { return };
    let ran = shown(run, &python, case, &run.child.id().to_string());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    say(ran.stdout.trim());
}

fn client(python: &OsString, folder: &Path, case: &str, host: &str) -> Command {
    let mut command = Command::new(python);
    command
        .arg(root().join("tests/peers/foxglove.py"))
        .args([case, host])
        .current_dir(folder);
    command
}

#[test]
fn topics_schemas_and_messages_are_those_of_a_recording() {
    let Some(python) = python() else { return };
    let mut run = Served::new(&["--record", "run.mcap", "--duration", "8s"]);
    let ran = shown(&run, &python, "recorded", "5");
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
    expect(&run, "compared");
    // What was shown is what is replayed.
    let ran = becomingone_tests::run(run.folder.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_run_of_several_is_shown_too() {
    let hub = Served::start(&["serve", "scenes", "--port=0"]);
    let (status, run) = hub.ask(OPERATOR, "POST", "/v1/runs", "", "{\"scene\": \"s.ron\"}");
    assert_eq!(status, 201, "{run}");
    expect(&hub, "steers");
    // It ends the run.
    expect(&hub, "access");
}

#[test]
fn a_recording_is_played_by_its_playback_control() {
    let run = Served::new(&["--record", "run.mcap", "--rate", "8"]);
    run.until("8 s", |rover| rover["time_s"].as_f64().unwrap() > 8.0);
    let (code, text, folder) = run.end();
    assert_eq!(code, Some(0), "{text}");
    let recording = folder.path().join("run.mcap");
    let recording = recording.to_str().unwrap();
    expect(&Served::start(&["replay", recording, "--serve=0"]), "plays");
}

#[test]
fn who_has_a_token_or_a_code_gets_in_once_and_by_one_port() {
    expect(&Served::new(&[]), "access");
}

#[test]
fn slow_and_many_clients_delay_no_tick() {
    expect(&Served::new(&[]), "crowd");
}

#[test]
fn a_twist_needs_a_lease_and_a_stop_needs_none() {
    expect(&Served::new(&[]), "steers");
}

#[test]
fn operators_set_pause_and_pace_and_a_reset_advertises_anew() {
    expect(&Served::new(&[]), "run_and_reset");
}

#[test]
fn a_run_that_is_watched_is_the_same() {
    let Some(python) = python() else { return };
    let hash = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("s.json")).unwrap();
        let summary: Value = serde_json::from_str(&text).unwrap();
        summary["state_hash"].as_str().unwrap().to_owned()
    };
    let alone = folder(&[("s.ron", &scene())]);
    let arguments = ["--duration", "4s", "--summary", "s.json"];
    let ran = run(
        alone.path(),
        &[&["run", "s.ron", "--rerun", "off"], &arguments[..]].concat(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut run = Served::new(&arguments);
    let ran = shown(&run, &python, "watches", "");
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let messages: u64 = ran.stdout.trim().parse().unwrap();
    assert!(messages > 1000, "{messages}");
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
    assert_eq!(hash(run.folder.path()), hash(alone.path()));
}
