//! `becomingone new`: the crates that it writes are built and tested, as a user does it.
//!
//! They share the target folder of this workspace, its profile and its lock, and what `cargo xtask test` has built for
//! the example `own_kinds`: alone, on a fresh folder, these tests build the engine for another workspace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{Ran, binary, finish, folder, root, run};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longest build of both: on a fresh target folder, the engine is built for them.
const BUILD: Duration = Duration::from_secs(900);

/// As the example `own_kinds`: what was built for it is used.
const SHARED: &str = "becomingone/camera";

/// Target folder of this workspace.
fn target() -> PathBuf {
    binary().ancestors().nth(2).unwrap().to_path_buf()
}

/// An empty folder that is the same in every run: the crates in it are built in the same place again.
fn workshop(name: &str) -> PathBuf {
    let folder = target().join("new_crates").join(name);
    // It may not exist.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn cargo(folder: &Path, arguments: &[&str]) -> Ran {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    // Of this package, from the cargo that runs the test: `ring` is built again where they change, and all above it.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    // Settings stand before what a program is given.
    let (first, rest) = arguments.split_first().unwrap();
    command
        .arg(first)
        .arg("--config")
        .arg(root().join("tests/outside.toml"))
        .args(rest)
        .env("CARGO_TARGET_DIR", target());
    let ran = finish(command.current_dir(folder), BUILD);
    assert_eq!(
        ran.code,
        Some(0),
        "{arguments:?}\n{}{}",
        ran.stdout,
        ran.stderr
    );
    ran
}

/// Tests that passed, in all of a crate's tests.
fn passed(ran: &Ran) -> u32 {
    let results = ran.stdout.lines();
    let results = results.filter_map(|line| line.strip_prefix("test result: ok. "));
    let numbers = results.map(|rest| rest.split(' ').next().unwrap().parse::<u32>().unwrap());
    numbers.sum()
}

fn new(here: &Path, kind: &str, name: &str) {
    let engine = root().to_str().unwrap();
    let ran = run(here, &["new", kind, name, "--becomingone", engine]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stdout.contains("cargo test --release"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_new_plugin_is_tested_and_its_program_knows_its_driver() {
    let here = workshop("plugin");
    new(&here, "plugin", "tank-gauge");
    let folder = here.join("tank-gauge");
    let tested = cargo(
        &folder,
        &["test", "--release", "--offline", "--features", SHARED],
    );
    assert_eq!(passed(&tested), 4, "{}", tested.stdout);
    assert!(!tested.stderr.contains("warning"), "{}", tested.stderr);
    cargo(
        &folder,
        &["build", "--release", "--offline", "--features", SHARED],
    );
    let program = binary().with_file_name(format!("tank-gauge{}", std::env::consts::EXE_SUFFIX));
    let program = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        finish(
            command.args(arguments).current_dir(&folder),
            Duration::from_secs(60),
        )
    };
    let listed = program(&["list", "drivers"]);
    assert!(listed.stdout.contains("tank_gauge"), "{}", listed.stdout);
    let checked = program(&["check", "scene.ron"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    // No device is there.
    let probed = program(&["probe", "tank_gauge:127.0.0.1:9", "--duration", "0.3s"]);
    assert_eq!(probed.code, Some(1), "{}", probed.stderr);
    assert!(
        probed.stderr.contains("tank_gauge 127.0.0.1:9: "),
        "{}",
        probed.stderr
    );
}

#[test]
fn a_new_robot_is_tested_and_runs() {
    let here = workshop("robot");
    new(&here, "robot", "red_rover");
    let folder = here.join("red_rover");
    let tested = cargo(
        &folder,
        &["test", "--release", "--offline", "--features", SHARED],
    );
    assert_eq!(passed(&tested), 1, "{}", tested.stdout);
    assert!(!tested.stderr.contains("warning"), "{}", tested.stderr);
    let arguments = ["run", "--release", "--offline", "--features", SHARED];
    let ran = cargo(
        &folder,
        &[&arguments[..], &["--", "check", "scene.ron"]].concat(),
    );
    assert!(ran.stdout.contains("ok, 1 agent"), "{}", ran.stdout);
}

#[test]
fn a_name_that_is_none_and_a_folder_that_exists_are_refused() {
    let here = folder(&[("a_file", "")]);
    fs::create_dir(here.path().join("here_already")).unwrap();
    for (arguments, words) in [
        (["plugin", "My Lidar"], "did you mean `my_lidar`?"),
        (["plugin", "../lidar"], "did you mean `lidar`?"),
        (["robot", "fn"], "such as `my_fn`"),
        (
            ["robot", "becomingone"],
            "taken by Rust, cargo or the engine",
        ),
        (["plugin", "udp"], "which is a driver already"),
        (["plugin", "here_already"], "nothing is overwritten"),
        (["robot", "a_file"], "nothing is overwritten"),
    ] {
        let ran = run(here.path(), &[&["new"], &arguments[..]].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "no {words} in {}", ran.stderr);
    }
    let ran = run(
        here.path(),
        &["new", "robot", "rover", "--becomingone", "here_already"],
    );
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("found no engine in"), "{}", ran.stderr);
    assert!(!here.path().join("rover").exists());
}
