//! `becomingone doctor`: its lines, and its exit status, on machines that lack something.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{binary, finish, folder};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Findings of a machine on whose path there are only these programs, as shell scripts.
fn findings(programs: &[(&str, &str)]) -> (Vec<Value>, Option<i32>) {
    let path = folder(programs);
    for (name, _) in programs {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path.path().join(name), mode).unwrap();
    }
    let mut command = Command::new(binary());
    let ran = finish(
        command.args(["doctor", "--json"]).env("PATH", path.path()),
        LIMIT,
    );
    let lines = ran.stdout.lines();
    let all =
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")));
    (all.collect(), ran.code)
}

fn finding<'a>(all: &'a [Value], name: &str) -> &'a Value {
    let found = all.iter().find(|f| f["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {all:?}"))
}

#[test]
fn a_machine_without_optional_parts_is_well_and_each_says_what_to_type() {
    let (all, code) = findings(&[]);
    let is_missing = |f: &&Value| f["is_ok"] == false;
    assert_eq!(code, Some(0), "{all:?}");
    for finding in all.iter().filter(is_missing) {
        assert_eq!(finding["is_needed"], false, "{finding}");
        for key in ["found", "why", "fix"] {
            assert!(
                finding[key].as_str().is_some_and(|t| !t.is_empty()),
                "{finding}"
            );
        }
    }
    let program = finding(&all, "becomingone");
    for driver in ["file", "http", "process", "serial", "udp"] {
        assert!(
            program["found"].as_str().unwrap().contains(driver),
            "{program}"
        );
    }
    assert_eq!(finding(&all, "Rerun viewer")["is_ok"], false);
    assert!(
        finding(&all, "Rerun viewer")["fix"]
            .as_str()
            .unwrap()
            .contains("rerun-sdk==0.36")
    );
    finding(&all, "serial ports");
    finding(&all, "real-time priority");
    finding(&all, "locked memory");
    for feature in ["feature audio", "feature bluetooth"] {
        let found = finding(&all, feature)["found"].as_str().unwrap();
        assert!(found.contains(".so"), "{found}");
    }
}

#[test]
fn programs_of_the_path_are_recognised_by_their_answer() {
    let (all, code) = findings(&[
        (
            "rerun",
            "#!/bin/sh\necho 'rerun-cli 0.36.3 [rustc 1.95.0]'\n",
        ),
        ("mosquitto", "#!/bin/sh\n"),
    ]);
    assert_eq!(code, Some(0));
    for name in ["Rerun viewer", "mosquitto"] {
        assert_eq!(finding(&all, name)["is_ok"], true, "{name}: {all:?}");
    }
    let (all, _) = findings(&[("rerun", "#!/bin/sh\necho 'rerun-cli 0.35.0'\n")]);
    let viewer = finding(&all, "Rerun viewer")["found"].as_str().unwrap();
    assert!(viewer.contains("0.35.0; expected 0.36"), "{viewer}");
}

#[test]
fn its_lines_are_for_people() {
    let mut command = Command::new(binary());
    let ran = finish(command.arg("doctor"), LIMIT);
    let mut states = ran
        .stdout
        .lines()
        .filter(|line| !line.starts_with("         "));
    let last = states.next_back().unwrap();
    assert!(
        last.contains(" missing, ") && last.ends_with(" optional"),
        "{last}"
    );
    for line in states {
        let state = line.split(' ').next().unwrap();
        assert!(["ok", "missing", "optional"].contains(&state), "{line}");
    }
}
