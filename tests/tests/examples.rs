//! The library's examples, run as by a user.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{LONG, Ran, finish, root};
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Folder of the built examples, beside this test's executable; a missing one is built here.
///
/// `cargo xtask test` builds the whole workspace before the tests, so that they are up to date.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test = env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap().join("examples");
        let is_there = |name: &String| executable(&folder, name).is_file();
        if !sources().iter().all(is_there) {
            let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            build.args(["build", "--release", "-p", "becomingone", "--examples"]);
            assert!(build.current_dir(root()).status().unwrap().success());
        }
        folder
    })
}

fn executable(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// Names of the examples that are one file.
fn sources() -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join("engine/core/examples")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let rust = paths.filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// Runs an example to its end, in an empty folder: it needs no file.
fn example(name: &str) -> Ran {
    let empty = tempfile::tempdir().unwrap();
    let ran = finish(
        Command::new(executable(folder(), name)).current_dir(empty.path()),
        LONG,
    );
    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    ran
}

/// Cells of the row with this first word, in the table with this first header.
fn row(text: &str, head: &str, name: &str) -> Vec<String> {
    let begins = |line: &&str, word: &str| line.split_whitespace().next() == Some(word);
    let mut lines = text.lines();
    lines.find(|line| begins(line, head)).unwrap();
    let line = lines.find(|line| begins(line, name)).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_example_has_a_test() {
    let tested = [
        "batch",
        "built_scene",
        "hardware_in_the_loop",
        "hello",
        "monitor",
        "my_controller",
    ];
    assert_eq!(sources(), tested.map(str::to_owned).into());
}

#[test]
fn worlds_of_a_batch_have_the_bits_that_each_has_alone() {
    let text = example("batch").stdout;
    assert!(text.contains("alone: true"), "{text}");
    assert!(text.contains("64 worlds, 2 threads"), "{text}");
}

#[cfg(unix)]
#[test]
fn hardware_in_the_loop_answers_its_readings() {
    let text = example("hardware_in_the_loop").stdout;
    let last = text.lines().last().unwrap();
    let numbers = last.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u64> = numbers.filter_map(|n| n.parse().ok()).collect();
    let [ticks, _, readings, answered] = numbers[..] else {
        panic!("{text}");
    };
    // On a busy machine, later readings replace earlier ones.
    assert!(
        ticks == 3000 && readings > 1000 && answered > readings / 10,
        "{text}"
    );
    for row in ["tick begins late", "tick takes", "reading to command"] {
        assert!(text.contains(row), "{text}");
    }
}

#[test]
fn a_hundred_clients_watch_and_one_drives() {
    // Of the server's crate: built with the workspace.
    let program = executable(folder(), "hundred_clients");
    let ran = finish(Command::new(program).args(["2", "100"]), LONG);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let count = |row: &str| {
        let line = ran.stdout.lines().find(|line| line.starts_with(row));
        let rest = line.unwrap_or_else(|| panic!("{}", ran.stdout))[row.len()..].trim();
        rest.split_whitespace()
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    assert!(
        count("end of a tick to a client's view") > 1000,
        "{}",
        ran.stdout
    );
    assert!(
        count("request to the actuator's command") > 10,
        "{}",
        ran.stdout
    );
}

#[test]
fn my_controller_drives_for_a_minute_without_a_collision() {
    let text = example("my_controller").stdout;
    assert!(text.contains("60000 ticks  60.000 s simulated"), "{text}");
    let rover = row(&text, "agent", "rover");
    let distance_m: f64 = rover[1].parse().unwrap();
    assert!(distance_m > 10.0, "{text}");
    assert_eq!(rover.last().unwrap(), "0", "{text}");
}

#[test]
fn built_scene_isolates_the_gyroscope_and_prints_the_truth() {
    let text = example("built_scene").stdout;
    let kernel = row(&text, "kernel", "rover");
    // One alarm and its cause.
    assert_eq!(kernel[4..6], ["1", "imu/gyro_z"], "{text}");
    let line = text.lines().find(|line| line.starts_with("yaw rate:"));
    let numbers: Vec<f64> = line
        .unwrap()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // The fault's offset, and noise of 0.008.
    assert!((numbers[0] - numbers[1] - 0.3).abs() < 0.05, "{text}");
}

#[test]
fn monitor_isolates_the_biased_thermometer() {
    let text = example("monitor").stdout;
    let first = text.lines().next().unwrap();
    let (at_s, rest) = first.split_once(" s: ").unwrap();
    let at_s: u32 = at_s.parse().unwrap();
    assert!((1000..1030).contains(&at_s), "{text}");
    assert_eq!(rest, "alarm on, channel 1", "{text}");
}

/// It runs without an end.
#[cfg(unix)]
#[test]
fn hello_runs_until_it_is_terminated() {
    use becomingone_tests::{signal, until};
    use std::os::unix::process::ExitStatusExt as _;
    use std::time::Duration;

    let mut child = Command::new(executable(folder(), "hello")).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    // SIGINT is ignored by background jobs of a shell.
    signal("TERM", child.id());
    let mut status = None;
    until(LONG, "its end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert_eq!(status.unwrap().signal(), Some(15));
}

/// The altimeter of `own_kinds` in the guide equals its source.
#[test]
fn the_guides_sensor_is_the_examples_sensor() {
    // Layout and trailing commas depend on rustfmt.
    let bare = |text: &str| -> String {
        let kept = text.chars().filter(|c| !c.is_whitespace() && *c != ',');
        kept.collect()
    };
    let read = |path: &str| std::fs::read_to_string(root().join("engine/core").join(path)).unwrap();
    let page = read("src/guide/add_a_sensor.rs");
    let page: String = page
        .lines()
        .map(|line| line.strip_prefix("//! ").unwrap_or(""))
        .collect();
    let example = read("examples/own_kinds/src/altimeter.rs");
    assert!(bare(&page).contains(&bare(&example)));
}
