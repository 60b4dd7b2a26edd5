//! What the whole-program tests share: the built binary and its runs, scenes of their own, bounded waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::CoherenceEngine;
use becomingone::ecs::prelude::{Component, Name};
use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest that a run of the binary may take, where a test sets no bound of its own.
pub const LONG: Duration = Duration::from_secs(120);

/// The top folder of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The program under test: `BECOMINGONE_BIN`, else the one beside this test's executable, else built here.
///
/// `cargo xtask test` builds the whole workspace before it tests, so the one beside is fresh there;
/// asking cargo each time would cost every test process of nextest a third of a second.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = env::var_os("BECOMINGONE_BIN") {
            return std::path::absolute(path).unwrap();
        }
        let test = env::current_exe().unwrap();
        let beside = test
            .ancestors()
            .nth(2)
            .unwrap()
            .join(format!("becomingone{}", env::consts::EXE_SUFFIX));
        if !beside.is_file() {
            let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            build.args([
                "build",
                "--release",
                "-p",
                "becomingone-cli",
                "--bin",
                "becomingone",
            ]);
            let status = build.current_dir(root()).status().unwrap();
            assert!(
                status.success() && beside.is_file(),
                "no {}",
                beside.display()
            );
        }
        beside
    })
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said was wrong.
    pub stderr: String,
    /// Wall time.
    pub wall: Duration,
}

/// Runs the binary in a folder.
pub fn run(folder: &Path, args: &[&str]) -> Ran {
    finish(Command::new(binary()).current_dir(folder).args(args), LONG)
}

/// Runs a command to its end, and kills it where that takes longer than a limit.
pub fn finish(command: &mut Command, limit: Duration) -> Ran {
    let begun = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(child.wait_with_output()));
    let Ok(output) = told.recv_timeout(limit) else {
        signal("KILL", pid);
        panic!("{command:?} took longer than {limit:?}");
    };
    let output = output.unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        wall: begun.elapsed(),
    }
}

/// Sends a signal to a process of ours.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "cannot send {name} to {pid}");
}

/// `run` with these arguments, quietly and without Rerun; its summary.
pub fn summary(args: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec!["run"];
    all.extend(args);
    all.extend(["--quiet", "--summary", "summary.json"]);
    if !args.contains(&"--rerun") {
        all.extend(["--rerun", "off"]);
    }
    let ran = run(folder.path(), &all);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    let text = std::fs::read_to_string(folder.path().join("summary.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A folder with these files in it.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// The engine of a scene of these files; the first one is the scene.
pub fn engine(files: &[(&str, &str)]) -> CoherenceEngine {
    let folder = folder(files);
    CoherenceEngine::from_scene(folder.path().join(files[0].0)).unwrap_or_else(|e| panic!("{e}"))
}

/// A component of the entity with this name.
pub fn get<T: Component + Clone>(engine: &CoherenceEngine, name: &str) -> T {
    let world = engine.world();
    let mut named = world.try_query::<(&Name, &T)>().unwrap();
    let found = named.iter(world).find(|(n, _)| n.as_str() == name);
    found
        .unwrap_or_else(|| panic!("no {name} with that"))
        .1
        .clone()
}

/// Waits for a state, at most this long.
pub fn until(limit: Duration, what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        thread::yield_now();
    }
}

/// Prints a line past the test harness, which keeps back what passing tests print.
pub fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

/// A robot of other people's, below the folder `BECOMINGONE_ROBOTS`. None, and a line that says so,
/// where there is no such file: `cargo xtask test` downloads them; they are not ours to copy.
pub fn peer_robot(path: &str) -> Option<String> {
    let Some(folder) = env::var_os("BECOMINGONE_ROBOTS") else {
        say(&format!(
            "skipped: {path}, as BECOMINGONE_ROBOTS is not set"
        ));
        return None;
    };
    let file = Path::new(&folder).join(path);
    if !file.is_file() {
        say(&format!(
            "skipped: {path}, as BECOMINGONE_ROBOTS does not hold it"
        ));
        return None;
    }
    Some(file.to_str().unwrap().to_owned())
}
