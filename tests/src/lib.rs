//! Shared code of the whole-program tests: the built binary and its runs, test scenes, bounded waits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

pub mod mosquitto;
pub mod seen;
pub mod served;

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

/// Default time limit of a run of the binary.
pub const LONG: Duration = Duration::from_secs(120);

/// Root folder of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Program under test: `BECOMINGONE_BIN`, or the one beside this test's executable, or else built now.
///
/// `cargo xtask test` builds the whole workspace before the tests, so the one beside is up to date; calling cargo would
/// cost each test process of nextest a third of a second.
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

/// Result of a run of the binary.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; `None` if ended by a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall time.
    pub wall: Duration,
}

/// Runs the binary in a folder.
pub fn run(folder: &Path, args: &[&str]) -> Ran {
    finish(Command::new(binary()).current_dir(folder).args(args), LONG)
}

/// Runs a command to its end; kills it after a time limit.
pub fn finish(command: &mut Command, limit: Duration) -> Ran {
    let begun = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(limit) else {
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

/// Sends a signal to a child process.
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status();
    assert!(sent.unwrap().success(), "cannot send {name} to {pid}");
}

/// Runs a line of the shell in a folder.
pub fn tool(folder: &Path, line: &str) {
    let mut command = Command::new("sh");
    command.args(["-ec", line]).current_dir(folder);
    let ran = finish(&mut command, Duration::from_secs(60));
    assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
}

/// Makes a CA `ca.pem`, and a certificate `NAME.pem` with its key `NAME.key`, by openssl.
pub const CERTIFICATES: &str = "
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
for ca in ca other; do openssl req -x509 $ec -days 30 -subj /CN=$ca -keyout $ca.key -out $ca.pem; done
issue() {
    openssl req $ec -subj /CN=$1 -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout $1.key -out $1.csr
    openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days $3 -copy_extensions copy -out $1.pem
}
issue server ca 30; issue expired ca -1; issue client ca 30; issue old_client ca -1; issue stranger other 30
";

/// Summary of `run` with these arguments, quiet and without Rerun.
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

/// Temporary folder with these files.
pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Engine of a scene from these files; the first is the scene.
pub fn engine(files: &[(&str, &str)]) -> CoherenceEngine {
    let folder = folder(files);
    CoherenceEngine::from_scene(folder.path().join(files[0].0)).unwrap_or_else(|e| panic!("{e}"))
}

/// Component of the entity with this name.
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

/// Prints a line past the test harness, which captures the output of passing tests.
pub fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{line}").unwrap();
}

/// Third-party robot file below the folder `BECOMINGONE_ROBOTS`; `None` with a notice if it is missing.
/// `cargo xtask test` downloads these files; they are not part of this repository.
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
