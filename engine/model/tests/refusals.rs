//! Tests that bad robot files are rejected with the expected message and place, without a panic.
//!
//! `fixtures/urdf` and `fixtures/mjcf` hold bad files, each with its message beside it: `x.urdf` and `x.expected`.
//! Files that they include are in `parts`. After a change of messages, rewrite all `expected` files, and review the
//! diff of git:
//!
//! ```sh
//! BECOMINGONE_BLESS=1 cargo test --release -p becomingone-model --test refusals
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use becomingone_model::{Disk, load_robot, parse_robot};
use std::env;
use std::fs;
use std::path::Path;

/// Valid file, parts of which are replaced.
const GOOD: &str = include_str!("fixtures/good.urdf");

fn error(text: &str) -> String {
    let error = parse_robot(text, Path::new("bot.urdf"), &Disk).unwrap_err();
    let place = error
        .place()
        .unwrap_or_else(|| panic!("{error} has no place"));
    assert!(
        error
            .to_string()
            .starts_with(&format!("bot.urdf:{}:{}: ", place.line, place.column))
    );
    error.to_string()
}

/// Loads all bad files of a folder, and lists each with an unexpected message.
fn compare(folder: &str, extension: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let here = format!("{}/", folder.display());
    let bless = env::var_os("BECOMINGONE_BLESS").is_some();
    let entries = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no .{extension} in {here}");
    let mut wrong = Vec::new();
    for file in files {
        let found = match load_robot(&file, &Disk) {
            Ok(_) => "not refused\n".to_owned(),
            Err(error) => format!("{error}\n").replace(&here, ""),
        };
        let beside = file.with_extension("expected");
        if bless {
            fs::write(beside, found).unwrap();
        } else {
            let expected = fs::read_to_string(beside).unwrap_or_default();
            if found != expected {
                let file = file.display();
                wrong.push(format!("{file}:\n    - {expected}    + {found}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} messages are not as expected (BECOMINGONE_BLESS=1 accepts new ones):\n{}",
        wrong.len(),
        wrong.join("")
    );
}

#[test]
fn bad_urdf_files_are_refused_with_the_expected_message() {
    compare("urdf", "urdf");
}

#[test]
fn bad_mjcf_files_are_refused_with_the_expected_message() {
    compare("mjcf", "xml");
}

#[test]
fn the_good_file_is_read_without_warnings() {
    let model = parse_robot(GOOD, Path::new("bot.urdf"), &Disk).unwrap();
    assert!(model.warnings.is_empty(), "{:?}", model.warnings);
}

#[test]
fn every_number_that_is_not_finite_or_not_a_number_is_refused_at_its_place() {
    for number in [
        "nan", "NaN", "inf", "-inf", "1e400", "-1e400", "1e39", "abc", "1 2", "", "1.2.3", "0x10",
        "1,5",
    ] {
        for (from, attribute) in [
            ("mass value=\"2\"", "value"),
            ("ixx=\"1\" iyy=\"1\" izz=\"1\" ixy", "ixx"),
            ("cylinder radius=\"1\"", "radius"),
            ("length=\"2\"", "length"),
            ("sphere radius=\"3\"", "radius"),
            ("effort=\"5\"", "effort"),
            ("velocity=\"6\"", "velocity"),
            ("damping=\"7\"", "damping"),
            ("friction=\"8\"", "friction"),
            ("multiplier=\"9\"", "multiplier"),
            ("lower=\"-1\" upper=\"1\" effort", "lower"),
        ] {
            let start = from.find(&format!("{attribute}=")).unwrap() + attribute.len() + 2;
            let end = start + from[start..].find('"').unwrap();
            let to = [&from[..start], number, &from[end..]].concat();
            assert_eq!(GOOD.matches(from).count(), 1, "{from}");
            // A bound beyond single precision is none.
            if number == "1e39" && ["effort", "velocity"].contains(&attribute) {
                assert!(
                    parse_robot(&GOOD.replace(from, &to), Path::new("bot.urdf"), &Disk).is_ok()
                );
                continue;
            }
            let message = error(&GOOD.replace(from, &to));
            let at = GOOD.find(from).unwrap() + start;
            let line = GOOD[..at].matches('\n').count() + 1;
            let column = at - GOOD[..at].rfind('\n').unwrap();
            // A range is judged as a whole.
            let whole = number == "1e39" && attribute == "lower";
            assert!(
                whole || message.starts_with(&format!("bot.urdf:{line}:{column}: ")),
                "{to}: {message}"
            );
            assert!(
                whole || message.contains("expected a") || message.contains("expected one"),
                "{message}"
            );
        }
    }
}

#[test]
fn ten_thousand_links_and_one_are_refused() {
    let many: String = (0..10_001)
        .map(|i| format!("<link name=\"l{i}\"/>\n"))
        .collect();
    let message = error(&format!("<robot name=\"r\">\n{many}</robot>"));
    assert!(
        message.starts_with("bot.urdf:10002:1: 10001 links"),
        "{message}"
    );
}

#[test]
fn xml_nested_without_end_is_refused() {
    assert!(error(&"<a>".repeat(200_000)).contains("truncated"));
    let nested = format!(
        "<robot>{}{}</robot>",
        "<link>".repeat(200_000),
        "</link>".repeat(200_000)
    );
    assert!(error(&nested).contains("nested deeper"));
    assert!(error(&"<".repeat(200_000)).contains("broken XML"));
    assert!(error(&"[".repeat(200_000)).contains("broken XML"));
}

#[test]
fn a_file_cut_anywhere_is_refused_at_a_place_within_it() {
    let whole = GOOD.trim_end().len();
    for length in (0..whole).filter(|&l| GOOD.is_char_boundary(l)) {
        let message = error(&GOOD[..length]);
        let line: usize = message.split(':').nth(1).unwrap().parse().unwrap();
        assert!(
            line <= GOOD[..length].matches('\n').count() + 1,
            "{message}"
        );
    }
}

#[test]
fn a_folder_and_a_missing_file_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = load_robot(folder.path(), &Disk).unwrap_err().to_string();
    assert!(error.contains("folder"), "{error}");
    let error = load_robot(&folder.path().join("no.urdf"), &Disk)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no.urdf: "), "{error}");
}
