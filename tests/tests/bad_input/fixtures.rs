//! Bad input files with the expected message beside them.
//!
//! A case is a folder, `tests/fixtures/bad_input/<subject>/<case>/`:
//!
//! - the input files, as a person would write them. Files that several cases of a subject share are in the
//!   subject's folder;
//! - `args`: the arguments of one run a line, separated by spaces; `#` begins a comment line. Without this
//!   file, the input is checked and run as by [`input_runs`];
//! - `expected`: the exit code, and stderr. Where the runs of a case differ, each has its own.
//!
//! To accept reworded messages, write all `expected` files anew, and review the diff of git:
//!
//! ```sh
//! BECOMINGONE_BLESS=1 cargo test --release -p becomingone-tests --test bad_input fixtures
//! ```

use crate::{bounded, misbehaviour};
use becomingone_tests::root;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The input of a case without `args`: the first of these that exists.
const INPUTS: [&str; 3] = ["scene.ron", "robot.urdf", "vehicle.yaml"];

/// Address space of a run (KiB).
const MEMORY_KIB: u32 = 1_000_000;

/// One test per subject, and one that fails for a subject without a test.
macro_rules! subjects {
    ($($test:ident: $subject:literal,)*) => {
        $(
            #[test]
            fn $test() {
                compare($subject);
            }
        )*

        #[test]
        fn every_subject_has_a_test() {
            assert_eq!(folders(&bad_input()), [$($subject),*].map(|s| bad_input().join(s)));
        }
    };
}

subjects! {
    bad_faults_are_refused_with_the_expected_message: "faults",
    bad_fleets_are_refused_with_the_expected_message: "fleets",
    bad_governors_are_refused_with_the_expected_message: "governors",
    bad_models_are_refused_or_repaired_with_the_expected_message: "models",
    bad_overlays_are_refused_with_the_expected_message: "overlays",
    bad_robots_are_refused_or_repaired_with_the_expected_message: "robots",
    bad_scenes_are_refused_with_the_expected_message: "scenes",
    bad_self_models_are_refused_with_the_expected_message: "self_models",
    bad_servos_are_refused_with_the_expected_message: "servos",
    bad_sources_are_refused_with_the_expected_message: "sources",
    bad_time_scales_are_refused_with_the_expected_message: "time_scales",
    bad_tracks_are_refused_with_the_expected_message: "tracks",
    bad_vehicles_are_refused_with_the_expected_message: "vehicles",
}

fn bad_input() -> PathBuf {
    root().join("tests/fixtures/bad_input")
}

/// The folders in a folder, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Runs all cases of a subject, and lists each one with an unexpected outcome.
fn compare(subject: &str) {
    let bless = env::var_os("BECOMINGONE_BLESS").is_some();
    let cases = folders(&bad_input().join(subject));
    assert!(!cases.is_empty(), "{subject} has no cases");
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.file_name().unwrap().display();
        let file = case.join("expected");
        match outcome(case) {
            Err(misbehaviour) => wrong.push(format!("{subject}/{name}: {misbehaviour}")),
            Ok(found) if bless => fs::write(file, found).unwrap(),
            Ok(found) => {
                let expected = fs::read_to_string(file).unwrap_or_default();
                if found != expected {
                    let difference = difference(&expected, &found);
                    wrong.push(format!("{subject}/{name}:\n{difference}"));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases are not as expected (BECOMINGONE_BLESS=1 accepts new messages):\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// The new content of `expected`.
///
/// # Errors
///
/// A [`misbehaviour`], which is never accepted as expected.
fn outcome(case: &Path) -> Result<String, String> {
    let runs = match fs::read_to_string(case.join("args")) {
        Ok(args) => {
            let runs = args.lines().filter(|line| !line.starts_with('#'));
            runs.map(str::to_owned).collect()
        }
        Err(_) => input_runs(case),
    };
    let here = format!("{}/", case.display());
    let mut outcomes = Vec::new();
    for run in &runs {
        let args: Vec<_> = run.split_whitespace().collect();
        let ran = bounded(case, &args, MEMORY_KIB);
        if let Some(misbehaviour) = misbehaviour(&ran) {
            return Err(format!("{run}: {misbehaviour}"));
        }
        let stderr = ran.stderr.replace(&here, "[FOLDER]/");
        outcomes.push(format!("exit {}\n{stderr}", ran.code.unwrap()));
    }
    let first = outcomes.first().ok_or("no run in args")?;
    if outcomes.iter().all(|outcome| outcome == first) {
        return Ok(first.clone());
    }
    let labelled = runs.iter().zip(&outcomes);
    Ok(labelled
        .map(|(r, o)| format!("$ becomingone {r}\n{o}"))
        .collect())
}

/// The runs of a case without `args`.
fn input_runs(case: &Path) -> Vec<String> {
    let input = INPUTS.iter().find(|name| case.join(name).is_file());
    let input = input.unwrap_or_else(|| panic!("{} has neither input nor args", case.display()));
    vec![
        format!("check {input}"),
        format!("run {input} --rerun off --duration 10ms --quiet"),
    ]
}

/// The lines that differ, between those that are equal at the beginning and at the end.
fn difference(expected: &str, found: &str) -> String {
    let (mut old, mut new): (Vec<_>, Vec<_>) =
        (expected.split('\n').collect(), found.split('\n').collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    old.drain(..same);
    new.drain(..same);
    while !old.is_empty() && old.last() == new.last() {
        old.pop();
        new.pop();
    }
    let old = old.iter().map(|line| format!("    - {line}\n"));
    let new = new.iter().map(|line| format!("    + {line}\n"));
    old.chain(new).collect()
}
