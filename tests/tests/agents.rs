//! Agents and clients of others, as their users start them: `nanobot-ai` and `openclaw` start `becomingone mcp` from their
//! files, and `openapi-python-client` generates a client from the description of a server.
//!
//! The latter is 650 MB: its test runs where `BECOMINGONE_OPENCLAW` names its program, which `cargo xtask soak` installs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::served::{OWNER, Served, VIEWER, python};
use becomingone_tests::{binary, finish, root, say};
use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

/// Exit code of a script whose peer is not installed.
const NOT_INSTALLED: i32 = 3;
/// Longest run of a script; each bounds its own programs.
const SCRIPT: Duration = Duration::from_secs(300);

/// A script of `tests/peers` ends with `ok`; returns what it printed, none where its peer is not installed, which is said.
fn script(name: &str, arguments: &[&OsStr]) -> Option<String> {
    let mut command = Command::new(python()?);
    command
        .arg(root().join("tests/peers").join(name))
        .args(arguments);
    let ran = finish(&mut command, SCRIPT);
    if ran.code == Some(NOT_INSTALLED) {
        say(ran.stdout.trim());
        return None;
    }
    assert!(
        ran.code == Some(0) && ran.stdout.ends_with("ok\n"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    Some(ran.stdout)
}

/// What an agent of others printed: the status came back, and nothing moved.
fn read_and_refused(printed: &str) {
    for expected in [
        "status: scene warehouse_robot, tick ",
        "drive: 403 Forbidden: found no header `Lease`",
        "lease: 403 Forbidden: found a client that cannot ask a person",
    ] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
}

#[test]
fn nanobot_reads_the_status_of_a_run_and_is_refused_motion() {
    if let Some(printed) = script("nanobot_status.py", &[binary().as_os_str()]) {
        read_and_refused(&printed);
    }
}

#[test]
fn openclaw_finds_the_status_of_a_run_by_its_search_and_is_refused_motion() {
    if let Some(printed) = script("openclaw_status.py", &[binary().as_os_str()]) {
        read_and_refused(&printed);
    }
}

#[test]
fn a_generated_client_does_what_the_description_says() {
    let run = Served::new(&[]);
    let arguments = [run.host.as_str(), OWNER, VIEWER].map(OsStr::new);
    script("generated_client.py", &arguments);
}

#[test]
fn a_client_of_a_server_of_several_runs_is_generated_without_a_warning() {
    let hub = Served::start(&["serve", "scenes", "--port=0"]);
    script("generated_client.py", &[OsStr::new(&hub.host)]);
}
