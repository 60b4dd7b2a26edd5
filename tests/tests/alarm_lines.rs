//! `run` prints an alarm while it lasts, not at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with the wall clock"
)]

use becomingone_tests::{binary, folder, run};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

const DURATION_S: f64 = 26.0;
/// A wheel-speed encoder is wrong for a second, soon after warm-up.
const ARGS: [&str; 9] = [
    "run",
    "robot",
    "--duration=26s",
    r#"--set=faults=[(sensor: "rover/encoders/0", kind: Scale(1.3), at_s: 19, for_s: 1)]"#,
    "--rerun",
    "off",
    "--summary",
    "s.json",
    "--real-time",
];

fn alarm(here: &Path) -> Value {
    let summary = std::fs::read_to_string(here.join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&summary).unwrap();
    let alarms = &summary["agents"][0]["kernel"]["witness"]["alarms"];
    assert_eq!(alarms.as_array().map(Vec::len), Some(1), "{alarms}");
    alarms[0].clone()
}

#[test]
fn an_alarm_is_read_from_a_pipe_while_the_run_goes_on() {
    let here = folder(&[]);
    let mut child = Command::new(binary())
        .args(ARGS)
        .current_dir(here.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let err = BufReader::new(child.stderr.take().unwrap());
    // The overview is printed just before the first tick, the summary just after the last one.
    let out = thread::spawn(move || {
        let mut times = out.lines().map(|line| (line.unwrap(), Instant::now()));
        let overview = times.find(|(line, _)| line.starts_with("sources:"));
        let summary = times.find(|(line, _)| line.starts_with("warehouse_robot"));
        times.for_each(drop);
        (overview.unwrap().1, summary.unwrap().1)
    });
    let mut lines = Vec::new();
    for line in err.lines() {
        lines.push((line.unwrap(), Instant::now()));
    }
    assert!(child.wait().unwrap().success());
    let (begun, ended) = out.join().unwrap();

    let alarm = alarm(here.path());
    for (word, key, text) in [
        ("alarm: ", "from_s", " s, rover: encoders/0, surprise "),
        ("over: ", "until_s", " s, rover"),
    ] {
        let (line, at) = lines.iter().find(|(l, _)| l.starts_with(word)).unwrap();
        let (time, rest) = line[word.len()..].split_once(text).expect(line);
        let at_s = alarm[key].as_f64().unwrap();
        assert!((time.parse::<f64>().unwrap() - at_s).abs() <= 0.005 + 1e-9);
        if word == "alarm: " {
            assert!(rest.parse::<f64>().unwrap() > 1.0, "{line}");
        }
        let after_begin = at.duration_since(begun).as_secs_f64() - at_s;
        let before_end = ended.duration_since(*at).as_secs_f64() - (DURATION_S - at_s);
        assert!(after_begin.abs() < 0.3, "{line}: {after_begin} s late");
        assert!(
            before_end.abs() < 0.3,
            "{line}: {before_end} s from the end"
        );
    }
}

#[test]
fn a_quiet_run_has_alarms_in_its_summary_alone() {
    let here = folder(&[]);
    let [ref args @ .., _] = ARGS;
    let ran = run(here.path(), &[&args[..], &["--quiet"]].concat());
    assert_eq!(alarm(here.path())["cause"], "encoders/0");
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}
