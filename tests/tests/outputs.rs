//! Output files: names of any bytes, several runs in one folder, and whatever stops a write.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::{LONG, Ran, binary, finish, folder, root, run, say, signal, until};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A name in Latin-1, which is no UTF-8: an accented word and the rest.
fn latin_1(rest: &str) -> OsString {
    let mut name = OsStr::from_bytes(b"\xe9t\xe9").to_owned();
    name.push(rest);
    name
}

fn command(here: &Path) -> Command {
    let mut command = Command::new(binary());
    command
        .current_dir(here)
        .stdin(Stdio::null())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY");
    command
}

fn ran(here: &Path, args: &[OsString]) -> Ran {
    finish(command(here).args(args), LONG)
}

/// Arguments, in which `%` stands for a name that is no UTF-8.
fn args(words: &str) -> Vec<OsString> {
    words
        .split(' ')
        .map(|word| match word.split_once('%') {
            None => word.into(),
            Some((before, after)) => {
                let mut all = OsString::from(before);
                all.push(latin_1(after));
                all
            }
        })
        .collect()
}

/// A table of two channels with noise.
fn table(rows: usize) -> String {
    let mut noise = 1_u64;
    let mut next = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (noise >> 40) as f64 / (1 << 24) as f64
    };
    let row = |k| format!("{:.1},{:.4},{:.4}\n", k as f64 * 0.1, next(), next());
    "t,a,b\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

#[test]
fn names_of_files_may_have_any_bytes() {
    let here = folder(&[]);
    let at = |name: &str| here.path().join(latin_1(name));
    let rover = fs::read(root().join("assets/rover.urdf")).unwrap();
    fs::create_dir(at("")).unwrap();
    fs::write(at(".urdf"), &rover).unwrap();
    fs::write(at("").join("rover.urdf"), &rover).unwrap();
    fs::write(at("").join("log.csv"), "t,x\n0,1\n0.1,2\n0.2,1\n0.3,2\n").unwrap();
    let scene = r#"(version: 1, duration_s: 0.2, agents: [(name: "r", model: "rover.urdf", drive: Auto,
        sensors: [(name: "enc", kind: Encoders(), rate_hz: 100), (name: "m", kind: Values(fields: [(name: "x", unit: "1")]),
        rate_hz: 10, source: Replay(file: "log.csv"))], controller: Patrol(waypoints_m: [(2, 0)], speed_m_s: 0.5))])"#;
    fs::write(at("").join(latin_1(".ron")), scene).unwrap();
    fs::write(at(".ron"), "(seed: 4)").unwrap();
    fs::write(at(".csv"), table(900)).unwrap();
    let in_folder = |words: &str| {
        let mut all = args(words);
        all.insert(1, PathBuf::from(latin_1("")).join(latin_1(".ron")).into());
        all
    };
    for all in [
        args("run robot --duration 100ms --quiet --rerun save=%.rrd"),
        in_folder("run --rerun off --quiet --record %.mcap --summary %.json --memory %.memory"),
        in_folder("check --resolved"),
        args("replay %.mcap --verify --summary %2.json --rerun save=%2.rrd"),
        args("info %.mcap"),
        args("analyze %.csv --out %2.csv --rerun save=%3.rrd"),
        args("analyze %.csv --quiet"),
        args("inspect %.urdf"),
        args("run %.urdf --duration 100ms --rerun off --quiet --record %2.mcap"),
        args("replay %2.mcap --verify --quiet"),
        args("run robot --model %.urdf --duration 100ms --rerun off --quiet --record %3.mcap"),
        args("replay %3.mcap --verify --quiet"),
        args("run robot --set agents.rover.model=%.urdf --duration 100ms --rerun off --quiet"),
        args("run robot --profile %.ron --config %.ron --duration 100ms --rerun off --quiet"),
        args("calibrate robot --profile %.ron --runs 1 --out %4.ron"),
        args("score robot --faults gyro --runs 1 --healthy 1s --json %3.json"),
    ] {
        let done = ran(here.path(), &all);
        assert_eq!(done.code, Some(0), "{all:?}: {}", done.stderr);
    }
    for written in [
        ".rrd", ".mcap", ".json", ".memory", "2.json", "2.rrd", "2.csv", "3.rrd", "4.ron", "3.json",
    ] {
        let size = fs::metadata(at(written))
            .map(|m| m.len())
            .unwrap_or_default();
        assert!(size > 20, "{written}: {size} bytes");
    }
    // The default recording of a table is named after it.
    assert!(fs::metadata(at(".rrd")).unwrap().len() > 1000);
    let lost = ran(here.path(), &args("run %9"));
    assert_eq!(lost.code, Some(2));
    assert!(
        lost.stderr.contains("\u{fffd}t\u{fffd}9"),
        "{}",
        lost.stderr
    );
}

#[test]
fn a_scene_without_a_name_takes_that_of_its_file_whatever_it_is() {
    let text = fs::read_to_string(root().join("scenes/bare_kernel.ron")).unwrap();
    let text = text.replacen("name: \"bare_kernel\",", "", 1);
    let here = folder(&[("my scene (1).ron", &text), ("..ron", &text)]);
    for name in ["my scene (1).ron", "..ron"] {
        let done = run(
            here.path(),
            &["run", name, "--duration", "10ms", "--rerun", "off"],
        );
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
}

/// A run in real time, until it is stopped.
fn begin(here: &Path, words: &str) -> Child {
    let mut command = command(here);
    command.args(args(words)).args(["--real-time", "--quiet"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(mut child: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    (child.wait().unwrap().code(), text)
}

fn grows(path: &Path) {
    until(LONG, "the recording", || {
        fs::metadata(path).is_ok_and(|m| m.len() > 100)
    });
}

#[test]
fn a_second_default_recording_gets_a_number_and_a_second_explicit_one_is_refused() {
    let here = folder(&[]);
    let at = |name: &str| here.path().join(name);
    let first = begin(here.path(), "run robot --duration 60s");
    grows(&at("warehouse_robot.rrd"));
    let (code, text) = end(begin(here.path(), "run robot --duration 100ms"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("warehouse_robot-2.rrd"), "{text}");
    grows(&at("warehouse_robot-2.rrd"));
    let (code, text) = end(begin(
        here.path(),
        "run robot --duration 100ms --rerun save=warehouse_robot.rrd",
    ));
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("warehouse_robot.rrd") && text.contains("written by another run"),
        "{text}"
    );
    // The lock ends with its process, however that ends.
    signal("KILL", first.id());
    end(first);
    let (code, text) = end(begin(here.path(), "run robot --duration 100ms"));
    assert_eq!((code, text.as_str()), (Some(0), ""));

    let first = begin(
        here.path(),
        "run robot --duration 60s --rerun off --record o.mcap",
    );
    grows(&at("o.mcap"));
    let (code, text) = end(begin(
        here.path(),
        "run robot --duration 100ms --rerun off --record o.mcap",
    ));
    assert_eq!(code, Some(2), "{text}");
    assert!(
        text.contains("o.mcap") && text.contains("written by another run"),
        "{text}"
    );
    signal("INT", first.id());
    assert_eq!(end(first).0, Some(130));
    let read = run(here.path(), &["info", "o.mcap", "--json"]);
    assert!(read.stdout.contains("\"closed\": true"), "{}", read.stdout);
}

#[test]
fn two_analyses_at_once_leave_the_scores_of_one_of_them() {
    let here = folder(&[("quick.csv", &table(700))]);
    let text = table(30_000);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut slow = command(here.path())
        .args(["analyze", "-", "--rerun", "off", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = slow.stdin.take().unwrap();
    to.write_all(lines[..20_000].concat().as_bytes()).unwrap();
    until(LONG, "the slow analysis", || {
        fs::read_dir(here.path()).unwrap().count() > 1
    });
    let quick = run(
        here.path(),
        &["analyze", "quick.csv", "--rerun", "off", "--quiet"],
    );
    assert_eq!(quick.code, Some(0), "{}", quick.stderr);
    let rows = || {
        fs::read_to_string(here.path().join("scores.csv"))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(rows(), 701);
    to.write_all(lines[20_000..].concat().as_bytes()).unwrap();
    drop(to);
    assert!(slow.wait().unwrap().success());
    assert_eq!(rows(), 30_001);
    // No temporary file stays.
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2);
}

#[test]
fn an_interrupted_analysis_leaves_no_temporary_file() {
    let here = folder(&[("scores.csv", "earlier")]);
    let mut slow = command(here.path())
        .args(["analyze", "-", "--rerun", "off", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = slow.stdin.take().unwrap();
    to.write_all(table(20_000).as_bytes()).unwrap();
    until(LONG, "the analysis", || {
        fs::read_dir(here.path()).unwrap().count() > 1
    });
    signal("INT", slow.id());
    assert_eq!(slow.wait().unwrap().code(), Some(130));
    let left: Vec<_> = fs::read_dir(here.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, ["scores.csv"]);
}

/// Runs under a limit of the size of files (KiB).
fn limited(here: &Path, kib: u32, words: &str) -> Ran {
    let mut command = Command::new("bash");
    command
        .current_dir(here)
        .stdin(Stdio::null())
        .env_remove("DISPLAY")
        .args(["-c", &format!("ulimit -f {kib}; exec \"$0\" {words}")])
        .arg(binary());
    finish(&mut command, LONG)
}

#[test]
fn a_size_limit_of_files_ends_a_write_as_a_full_disk_does() {
    let here = folder(&[("a.csv", &table(3000)), ("scores.csv", "earlier")]);
    for (words, name) in [
        (
            "run robot --duration 5s --quiet --rerun off --record o.mcap",
            "o.mcap",
        ),
        (
            "run robot --duration 5s --quiet --rerun save=o.rrd",
            "o.rrd",
        ),
        ("run robot --duration 5s --quiet", "warehouse_robot.rrd"),
        ("analyze a.csv --rerun off", "scores.csv"),
        ("analyze a.csv --out - --rerun save=a.rrd", "a.rrd"),
    ] {
        let done = limited(here.path(), 40, words);
        assert_eq!(done.code, Some(1), "{words}: {}", done.stderr);
        assert!(done.stderr.contains(name), "{words}: {}", done.stderr);
    }
    let done = limited(
        here.path(),
        1,
        "run robot --duration 100ms --quiet --rerun off --summary s.json",
    );
    assert_eq!(done.code, Some(1), "{}", done.stderr);
    assert!(done.stderr.contains("s.json") && !here.path().join("s.json").exists());
    let info = run(here.path(), &["info", "o.mcap"]);
    assert_eq!(info.code, Some(0), "{}", info.stderr);
    let earlier = fs::read_to_string(here.path().join("scores.csv")).unwrap();
    assert_eq!(earlier, "earlier");
}

#[test]
fn a_recording_whose_folder_is_deleted_fails_the_run() {
    for words in ["--rerun off --record in/o.mcap", "--rerun save=in/o.rrd"] {
        let here = folder(&[]);
        let inner = here.path().join("in");
        fs::create_dir(&inner).unwrap();
        let child = begin(here.path(), &format!("run robot --duration 2s {words}"));
        let file = inner.join(words.rsplit('/').next().unwrap());
        grows(&file);
        fs::remove_dir_all(&inner).unwrap();
        let (code, text) = end(child);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("deleted or replaced"), "{text}");
    }
}

#[test]
fn outputs_to_pipes_and_devices_are_written_directly() {
    let here = folder(&[]);
    let base = "run robot --duration 100ms --rerun off --quiet";
    let done = ran(here.path(), &args(&format!("{base} --summary /dev/stdout")));
    assert!(
        done.stdout.contains("\"goals_given_up\": 0"),
        "{}",
        done.stdout
    );
    for more in ["--summary /dev/null", "--record /dev/null"] {
        let done = ran(here.path(), &args(&format!("{base} {more}")));
        assert_eq!(done.code, Some(0), "{more}: {}", done.stderr);
    }
    // To a file, what is printed and the summary share their position.
    let out = fs::File::create(here.path().join("out.txt")).unwrap();
    let status = command(here.path())
        .args(args(
            "run robot --duration 100ms --rerun off --summary /dev/stdout",
        ))
        .stdout(out)
        .status()
        .unwrap();
    assert!(status.success());
    let text = fs::read_to_string(here.path().join("out.txt")).unwrap();
    assert!(
        text.contains("rover:") && text.contains("\"ticks\": 100") && text.contains("100 ticks"),
        "{text}"
    );
    let pipe = here.path().join("pipe");
    if !Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .is_ok_and(|s| s.success())
    {
        return say("skipped: a named pipe, as there is no mkfifo");
    }
    let reader = std::thread::spawn(move || fs::read_to_string(pipe).unwrap());
    let done = ran(here.path(), &args(&format!("{base} --summary pipe")));
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(reader.join().unwrap().contains("\"ticks\": 100"));
}
