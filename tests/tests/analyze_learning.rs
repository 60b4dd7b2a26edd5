//! `becomingone analyze`: healthy files, inputs, stored models, a wanted rate of false alarms, intervals as JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a score has to be out within a time"
)]

use becomingone_tests::{Ran, binary, folder, run};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Pump whose valve is set every 5 s: `flow` follows the valve, `heat` is of its own; `name` and `t` come in any order. From
/// row `broken` on, the flow is 30 % less.
fn pump(seed: u64, rows: usize, broken: usize) -> String {
    let mut state = seed * 2 + 1;
    let mut scatter = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let mut text = "t,valve,flow,heat\n".to_owned();
    let (mut valve, mut flow, mut heat) = (0.5, 0.5, 20.0);
    for k in 0..rows {
        if k % 50 == 0 {
            valve = 0.5 + scatter();
        }
        let aim = if k < broken { valve } else { 0.7 * valve };
        flow += 0.2 * (aim - flow);
        heat = 20.0 + 0.9 * (heat - 20.0) + scatter();
        let t = k as f64 * 0.1;
        writeln!(text, "{t:.1},{valve},{},{heat}", flow + 0.01 * scatter()).unwrap();
    }
    text
}

fn ok(folder: &Path, args: &[&str]) -> Ran {
    let all = [&["analyze"], args, &["--rerun", "off"]].concat();
    let ran = run(folder, &all);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    ran
}

fn refused(folder: &Path, args: &[&str]) -> String {
    let all = [&["analyze"], args, &["--rerun", "off"]].concat();
    let ran = run(folder, &all);
    assert_eq!(ran.code, Some(2), "{args:?}: {}{}", ran.stdout, ran.stderr);
    ran.stderr
}

/// Columns of scores by name.
fn column(folder: &Path, file: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let at = header.iter().position(|h| *h == name).unwrap();
    lines
        .map(|l| l.split(',').nth(at).unwrap().to_owned())
        .collect()
}

fn flagged(folder: &Path, file: &str) -> Vec<usize> {
    let flags = column(folder, file, "flag");
    (0..flags.len()).filter(|k| flags[*k] == "1").collect()
}

#[test]
fn healthy_files_are_learned_from_and_all_rows_judged() {
    let names = ["a.csv", "b.csv", "c.csv"];
    let mut files: Vec<(&str, String)> = (1..)
        .zip(names)
        .map(|(n, f)| (f, pump(n, 1500, usize::MAX)))
        .collect();
    files.push(("log.csv", pump(9, 1500, 700)));
    let files: Vec<(&str, &str)> = files.iter().map(|(n, t)| (*n, t.as_str())).collect();
    let folder = folder(&files);
    let here = folder.path();
    let ran = ok(
        here,
        &[
            &[
                "log.csv",
                "--inputs",
                "valve",
                "--json",
                "i.json",
                "--healthy",
            ],
            &names[..],
        ]
        .concat(),
    );
    assert!(
        ran.stdout
            .contains("learned from the rows of a.csv, b.csv, c.csv"),
        "{}",
        ran.stdout
    );
    // 450 s; 2.996 alarms at most with 95 %.
    assert!(
        ran.stdout
            .contains("false alarms: 0 in 7.5 min of healthy rows"),
        "{}",
        ran.stdout
    );
    let rows = flagged(here, "scores.csv");
    assert!(
        rows.iter().all(|k| *k >= 700) && rows.len() > 400,
        "{} rows",
        rows.len()
    );
    assert!(
        !column(here, "scores.csv", "state")
            .iter()
            .any(|s| s == "learning")
    );
    for k in [0, 800, 1499] {
        let shares = ["share_valve", "share_flow", "share_heat"]
            .map(|name| column(here, "scores.csv", name)[k].parse::<f64>().unwrap());
        assert!(
            (shares.iter().sum::<f64>() - 1.0).abs() < 2e-4 && shares[0] == 0.0,
            "{shares:?}"
        );
    }
    let found: Value =
        serde_json::from_str(&std::fs::read_to_string(here.join("i.json")).unwrap()).unwrap();
    let first = &found["intervals"][0];
    assert_eq!(first["channel"], "flow");
    assert_eq!(first["first"]["row"], rows[0]);
    assert!(first["severity"].as_f64().unwrap() > 1.0);
    // Where the alarm is worst, the flow is less than expected, by more than the band.
    let number = |key: &str| first[key].as_f64().unwrap();
    assert!(number("expected") - number("measured") > 0.02, "{first}");
    assert!(number("band") > 0.0, "{first}");
    let total: f64 = first["shares"]
        .as_object()
        .unwrap()
        .values()
        .map(|x| x.as_f64().unwrap())
        .sum();
    assert!((total - 1.0).abs() < 1e-9, "{first}");
    assert!(found["thresholds"]["level"].as_f64().unwrap() >= 2.0);
    assert_eq!(found["flagged_rows"], rows.len());
}

#[test]
fn rows_of_the_same_file_are_healthy_stretches() {
    let text = pump(3, 3000, 2000);
    let folder = folder(&[("log.csv", &text)]);
    let here = folder.path();
    ok(
        here,
        &[
            "log.csv",
            "--inputs",
            "valve",
            "--healthy",
            "log.csv:0-799",
            "log.csv:1000-1900",
        ],
    );
    let rows = flagged(here, "scores.csv");
    assert!(
        rows.iter().all(|k| *k > 1900) && rows.contains(&2020),
        "{} rows",
        rows.len()
    );
    let why = refused(here, &["log.csv", "--healthy", "log.csv:100-120"]);
    assert!(
        why.contains("--healthy log.csv:100-120: found 21 rows; expected at least 64"),
        "{why}"
    );
}

#[test]
fn stored_model_scores_as_what_was_learned() {
    let (healthy, log) = (pump(4, 2000, usize::MAX), pump(5, 900, 500));
    // The same channels in another order, and one more.
    let mut other = String::new();
    for line in log.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let more = if cells[0] == "t" { "more" } else { "7.5" };
        writeln!(
            other,
            "{},{},{more},{},{}",
            cells[3], cells[2], cells[0], cells[1]
        )
        .unwrap();
    }
    let folder = folder(&[
        ("good.csv", &healthy),
        ("log.csv", &log),
        ("other.csv", &other),
    ]);
    let here = folder.path();
    ok(
        here,
        &[
            "log.csv",
            "--healthy",
            "good.csv",
            "--inputs",
            "valve",
            "--save",
            "m.json",
            "--out",
            "a.csv",
        ],
    );
    let ran = ok(here, &["other.csv", "--load", "m.json", "--out", "b.csv"]);
    assert!(
        ran.stdout.contains("learned from m.json; thresholds"),
        "{}",
        ran.stdout
    );
    let text = |name: &str| std::fs::read_to_string(here.join(name)).unwrap();
    assert_eq!(text("a.csv"), text("b.csv"));
    assert!(flagged(here, "b.csv").len() > 100);
}

#[test]
fn stored_model_judges_a_live_stream_from_its_first_rows_on() {
    let (healthy, log) = (pump(4, 2000, usize::MAX), pump(5, 60, 0));
    let folder = folder(&[("good.csv", &healthy)]);
    let here = folder.path();
    ok(
        here,
        &["good.csv", "--baseline", "1500", "--save", "m.json"],
    );
    let mut child = Command::new(binary())
        .current_dir(here)
        .args(["analyze", "-", "--load", "m.json", "--out", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let mut from = BufReader::new(child.stdout.take().unwrap());
    let mut lines = log.lines();
    // The header, and three rows by which the time is recognised.
    for line in lines.by_ref().take(4) {
        writeln!(to, "{line}").unwrap();
    }
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    for k in 0..56 {
        line.clear();
        let sent = Instant::now();
        from.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{k},")), "{line}");
        assert!(sent.elapsed() < Duration::from_secs(2), "{line}");
        writeln!(to, "{}", lines.next().unwrap()).unwrap();
    }
    drop(to);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_wanted_rate_that_the_rows_do_not_support_is_said() {
    let folder = folder(&[("log.csv", &pump(6, 3000, usize::MAX))]);
    let args = ["log.csv", "--baseline", "2400", "--false-alarms-per-hour"];
    let ran = ok(folder.path(), &[&args[..], &["0.1"]].concat());
    assert!(
        ran.stderr
            .contains("--false-alarms-per-hour 0.1: 4.0 min of healthy rows do not support it"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("expected 30.0 h of healthy rows"),
        "{}",
        ran.stderr
    );
    let ran = ok(folder.path(), &[&args[..], &["60"]].concat());
    assert!(!ran.stderr.contains("--false-alarms"), "{}", ran.stderr);
    assert!(ran.stdout.contains("false alarms: "), "{}", ran.stdout);
}

#[test]
fn files_and_names_that_do_not_fit_are_named() {
    let good = pump(7, 900, usize::MAX);
    let folder = folder(&[
        ("log.csv", &good),
        ("few.csv", &good.replace("flow", "flux")),
        (
            "short.csv",
            &good
                .lines()
                .take(20)
                .fold(String::new(), |t, l| t + l + "\n"),
        ),
        ("text.json", "{\"format\": \"something\", \"version\": 1}"),
    ]);
    let here = folder.path();
    let why = refused(here, &["log.csv", "--healthy", "few.csv"]);
    assert!(
        why.contains("log.csv") && why.contains("`flux`") && why.contains("flow"),
        "{why}"
    );
    let why = refused(here, &["log.csv", "--healthy", "short.csv"]);
    assert!(why.contains("--healthy short.csv: found 19 rows"), "{why}");
    let why = refused(here, &["log.csv", "--healthy", "none.csv"]);
    assert!(why.contains("none.csv"), "{why}");
    let why = refused(here, &["log.csv", "--inputs", "vale"]);
    assert!(
        why.contains("--inputs: found `vale`") && why.contains("`valve`"),
        "{why}"
    );
    let why = refused(here, &["log.csv", "--inputs", "valve,flow,heat"]);
    assert!(why.contains("one at least that is judged"), "{why}");
    let why = refused(here, &["log.csv", "--load", "text.json"]);
    assert!(
        why.contains("found the format `something`; expected a file of --save"),
        "{why}"
    );
    let why = refused(here, &["log.csv", "--load", "log.csv"]);
    assert!(why.contains("--load log.csv: found"), "{why}");
    let why = refused(here, &["log.csv", "--load", "m.json", "--baseline", "300"]);
    assert!(why.contains("--baseline"), "{why}");
    for args in [
        ["log.csv", "--save", "log.csv"],
        ["log.csv", "--json", "log.csv"],
        ["log.csv", "--save", "scores.csv"],
        ["log.csv", "--json", "scores.csv"],
    ] {
        let why = refused(here, &args);
        assert!(why.contains("expected a file of its own"), "{why}");
    }
    assert_eq!(std::fs::read_to_string(here.join("log.csv")).unwrap(), good);
    // A model that is cut, or of other numbers.
    ok(here, &["log.csv", "--save", "m.json"]);
    let model = std::fs::read_to_string(here.join("m.json")).unwrap();
    for (name, broken) in [
        ("cut", model[..model.len() / 2].to_owned()),
        (
            "newer",
            model.replacen("\"version\": 1", "\"version\": 2", 1),
        ),
        (
            "longer",
            model.replacen("\"channels\": 3", "\"channels\": 4", 1),
        ),
        (
            "zero",
            model.replacen(
                "\"thresholds\": [",
                "\"thresholds\": [0, 0, 0, 0], \"was\": [",
                1,
            ),
        ),
    ] {
        assert_ne!(broken, model, "{name}");
        std::fs::write(here.join("broken.json"), broken).unwrap();
        let why = refused(here, &["log.csv", "--load", "broken.json"]);
        assert!(why.contains("--load broken.json: found"), "{name}: {why}");
    }
}

/// A table with some cells of a column changed.
fn with_cells(text: &str, column: usize, rows: std::ops::Range<usize>, cell: &str) -> String {
    let mut changed = String::new();
    for (k, line) in text.lines().enumerate() {
        let mut cells: Vec<&str> = line.split(',').collect();
        // The header is line 0.
        if k > 0 && rows.contains(&(k - 1)) {
            cells[column] = cell;
        }
        writeln!(changed, "{}", cells.join(",")).unwrap();
    }
    changed
}

#[test]
fn defects_of_healthy_files_are_reported_by_file() {
    let good = pump(7, 1000, usize::MAX);
    let folder = folder(&[
        ("log.csv", &pump(8, 600, usize::MAX)),
        ("good.csv", &good),
        ("text.csv", &with_cells(&good, 2, 300..400, "Bad Input")),
        ("codes.csv", &with_cells(&good, 2, 300..305, "-9999")),
        ("empty.csv", &with_cells(&good, 3, 0..1000, "")),
        (
            "slow.csv",
            &good
                .lines()
                .enumerate()
                .filter(|(k, _)| k % 4 == 0)
                .fold(String::new(), |t, (_, l)| t + l + "\n"),
        ),
    ]);
    let here = folder.path();
    let ran = ok(here, &["log.csv", "--healthy", "good.csv", "text.csv"]);
    assert!(
        ran.stderr
            .contains("text.csv: 100 cells of channels that contain text"),
        "{}",
        ran.stderr
    );
    let ran = ok(here, &["log.csv", "--healthy", "good.csv", "codes.csv"]);
    assert!(
        ran.stderr
            .contains("`flow` is -9999 in row 300 of codes.csv (the first of 5 such values)"),
        "{}",
        ran.stderr
    );
    let why = refused(here, &["log.csv", "--healthy", "good.csv", "empty.csv"]);
    assert!(
        why.contains("--healthy empty.csv") && why.contains("`heat`"),
        "{why}"
    );
    let why = refused(here, &["log.csv", "--healthy", "good.csv", "slow.csv"]);
    assert!(
        why.contains(
            "slow.csv: found a row every 400 ms; expected one every 100 ms, as in good.csv"
        ),
        "{why}"
    );
    for twice in [
        ["good.csv", "good.csv"],
        ["good.csv:0-500", "good.csv:400-900"],
    ] {
        let why = refused(here, &[&["log.csv", "--healthy"], &twice[..]].concat());
        assert!(why.contains("again; expected other ones"), "{why}");
    }
    let ran = ok(
        here,
        &[
            "log.csv",
            "--healthy",
            "good.csv:0-399",
            "good.csv:400-900",
            "--ignore",
            "heat",
        ],
    );
    assert!(
        ran.stdout.contains("2 channels: valve, flow"),
        "{}",
        ran.stdout
    );
}

#[test]
fn measured_value_of_a_short_fault_is_outside_its_band() {
    let log = pump(9, 1200, usize::MAX);
    let folder = folder(&[("log.csv", &with_cells(&log, 3, 900..910, "29"))]);
    let here = folder.path();
    ok(
        here,
        &[
            "log.csv",
            "--inputs",
            "valve",
            "--baseline",
            "800",
            "--json",
            "i.json",
        ],
    );
    let text = std::fs::read_to_string(here.join("i.json")).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap();
    let first = &found["intervals"][0];
    assert_eq!(
        (&first["channel"], &first["measured"]),
        (&"heat".into(), &29.0.into()),
        "{first}"
    );
    let number = |key: &str| first[key].as_f64().unwrap();
    assert!(
        number("measured") - number("expected") > number("band"),
        "{first}"
    );
    assert!((900.0..910.0).contains(&number("measured_row")), "{first}");
}

#[test]
fn channels_that_are_missing_under_a_model_are_named_and_blame_no_other() {
    let (good, log) = (pump(4, 2000, usize::MAX), pump(5, 800, usize::MAX));
    let folder = folder(&[
        ("good.csv", &good),
        ("no_input.csv", &with_cells(&log, 1, 0..800, "")),
        ("no_heat.csv", &with_cells(&log, 3, 0..800, "")),
    ]);
    let here = folder.path();
    ok(
        here,
        &[
            "good.csv",
            "--inputs",
            "valve",
            "--baseline",
            "1500",
            "--save",
            "m.json",
        ],
    );
    let ran = ok(
        here,
        &["no_input.csv", "--load", "m.json", "--json", "i.json"],
    );
    assert_eq!(flagged(here, "scores.csv"), [0; 0]);
    assert!(
        ran.stdout
            .contains("rows are `outside` what was learned: input `valve` missing"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr.contains("`valve` has no value"),
        "{}",
        ran.stderr
    );
    let found: Value =
        serde_json::from_str(&std::fs::read_to_string(here.join("i.json")).unwrap()).unwrap();
    assert_eq!(found["inputs"][0], "valve");
    let ran = ok(here, &["no_heat.csv", "--load", "m.json"]);
    assert_eq!(flagged(here, "scores.csv"), [0; 0]);
    assert!(
        ran.stderr.contains("`heat` has no value: it is not judged"),
        "{}",
        ran.stderr
    );
}
