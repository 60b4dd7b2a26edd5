//! Foxglove's live protocol of `run --serve`, against Python's `websockets` and the reader of the format's authors.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{Ran, binary, finish, folder, root, run, say, tool};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(120);

/// A rover that patrols, with sensors that are drawn.
fn scene() -> String {
    format!(
        "(version: 1, duration_s: 600.0,
          agents: [(name: \"rover\", model: {:?}, drive: Auto,
            sensors: [
                (name: \"encoders\", kind: Encoders(), rate_hz: 100.0),
                (name: \"imu\", kind: Imu(), rate_hz: 100.0),
                (name: \"lidar\", kind: Lidar(rays: 36, range_max_m: 8.0), rate_hz: 10.0, position_m: (0, 0, 0.3)),
            ],
            controller: Patrol(waypoints_m: [(6, 0), (6, 6), (0, 6), (0, 0)], laps: 50, speed_m_s: 0.4))])",
        root().join("assets/rover.urdf")
    )
}

/// A run that serves.
struct Served {
    child: Child,
    /// `127.0.0.1:8420`.
    host: String,
    folder: TempDir,
}

impl Served {
    fn new(arguments: &[&str]) -> Self {
        let tokens = ["owner", "operator", "viewer"];
        let tokens = tokens.map(|role| format!("{role} {role}-0123456789abcdef\n"));
        let folder = folder(&[("s.ron", &scene()), ("tokens", &tokens.concat())]);
        tool(folder.path(), "chmod 600 tokens && mkdir -m 700 runtime");
        let serve = ["run", "s.ron", "--serve=0", "--token-file", "tokens"];
        let mut child = Command::new(binary())
            .args([&serve[..], &["--rerun", "off"], arguments].concat())
            .current_dir(folder.path())
            .env("XDG_RUNTIME_DIR", folder.path().join("runtime"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let page = lines.find_map(|line| Some(line.unwrap().strip_prefix("page: ")?.to_owned()));
        let Some(page) = page else {
            let mut text = String::new();
            let mut stderr = child.stderr.take().unwrap();
            stderr.read_to_string(&mut text).unwrap();
            panic!("{text}");
        };
        // What it prints is read, so that it never waits for it.
        std::thread::spawn(move || lines.for_each(drop));
        let host = page.split('/').nth(2).unwrap().to_owned();
        Self {
            child,
            host,
            folder,
        }
    }

    /// A client of this case.
    fn client(&self, python: &OsString, case: &str, argument: &str) -> Ran {
        let mut command = client(python, self.folder.path(), case, &self.host);
        finish(command.arg(argument), LIMIT)
    }

    /// The same, with the process of the run.
    fn expect(&self, case: &str) {
        let Some(python) = python() else { return };
        let ran = self.client(&python, case, &self.child.id().to_string());
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        say(ran.stdout.trim());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(python: &OsString, folder: &Path, case: &str, host: &str) -> Command {
    let mut command = Command::new(python);
    command
        .arg(root().join("tests/peers/foxglove.py"))
        .args([case, host])
        .current_dir(folder);
    command
}

/// Python with the peers; none where it is not set, which is said.
fn python() -> Option<OsString> {
    let python = std::env::var_os("BECOMINGONE_PYTHON");
    if python.is_none() {
        say("skipped: BECOMINGONE_PYTHON is not set");
    }
    python
}

#[test]
fn topics_schemas_and_messages_are_those_of_a_recording() {
    let Some(python) = python() else { return };
    let mut run = Served::new(&["--record", "run.mcap", "--duration", "8s"]);
    let ran = run.client(&python, "recorded", "5");
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
    run.expect("compared");
    // What was shown is what is replayed.
    let ran = becomingone_tests::run(run.folder.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn who_has_a_token_or_a_code_gets_in_once_and_by_one_port() {
    Served::new(&[]).expect("access");
}

#[test]
fn slow_and_many_clients_delay_no_tick() {
    Served::new(&[]).expect("crowd");
}

#[test]
fn a_twist_needs_a_lease_and_a_stop_needs_none() {
    Served::new(&[]).expect("steers");
}

#[test]
fn operators_set_pause_and_pace_and_a_reset_advertises_anew() {
    Served::new(&[]).expect("run_and_reset");
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
    let ran = run.client(&python, "watches", "");
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    let messages: u64 = ran.stdout.trim().parse().unwrap();
    assert!(messages > 1000, "{messages}");
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
    assert_eq!(hash(run.folder.path()), hash(alone.path()));
}
