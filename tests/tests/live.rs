//! Viewers of a whole run: connected late, disconnected, killed, stopped; the run continues and ends in time.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::rerun::viewer;
use becomingone_tests::{binary, folder, run, say, signal, until};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(20);

fn program() -> Option<PathBuf> {
    viewer::installed()
        .inspect_err(|why| say(&format!("skipped: needs a viewer: {why}")))
        .ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Process in its own group, killed on drop: the launcher starts the viewer as a child.
struct Peer(Child);

impl Peer {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self(child.unwrap())
    }

    fn viewer(program: &Path, port: u16) -> Self {
        let port = port.to_string();
        let fixed = ["--headless", "--bind", "127.0.0.1", "--hide-welcome-screen"];
        Self::start(program, &[&fixed[..], &["--port", &port]].concat())
    }

    /// Viewer that connects to a server and saves what it receives.
    fn client(program: &Path, url: &str, file: &str) -> Self {
        let port = free_port().to_string();
        let fixed = [url, "--bind", "127.0.0.1", "--port", &port];
        Self::start(program, &[&fixed[..], &["--save", file]].concat())
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.id());
        let kill = Command::new("kill").args([signal, "--", &group]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.signal("-KILL");
        self.0.wait().unwrap();
    }
}

/// Run in real time, with its output lines.
struct Run {
    child: Child,
    lines: Receiver<String>,
    here: TempDir,
}

impl Run {
    fn start(rerun: &str, set: impl FnOnce(&mut Command)) -> Self {
        let here = folder(&[]);
        let mut command = Command::new(binary());
        command
            .args([
                "run",
                "robot",
                "--real-time",
                "--summary",
                "s.json",
                "--rerun",
            ])
            .arg(rerun)
            .current_dir(here.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        set(&mut command);
        let mut child = command.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let both: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for stream in both {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, here }
    }

    fn wait_for(&self, text: &str) -> String {
        let deadline = Instant::now() + WAIT;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no `{text}` in {seen:#?}"),
            }
        }
    }

    /// Sends Ctrl-C; returns the real-time factor.
    fn ends_in_time(mut self) -> f64 {
        let begun = Instant::now();
        signal("INT", self.child.id());
        until(Duration::from_secs(2), "the run's end", || {
            self.child.try_wait().unwrap().is_some()
        });
        say(&format!("ended after {:?}", begun.elapsed()));
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        let text = std::fs::read_to_string(self.here.path().join("s.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        // The last tick may be missing.
        let ticks = summary["ticks"].as_f64().unwrap();
        summary["rtf"].as_f64().unwrap() * (1.0 - 1.0 / ticks)
    }
}

/// Checks that no tick waited: a run does not catch up on lost time. The margin is for a busy machine.
fn assert_real_time(rtf: f64) {
    assert!((0.9..1.01).contains(&rtf), "{rtf}");
}

#[test]
fn viewer_may_connect_disconnect_reconnect_and_stop() {
    let Some(program) = program() else {
        return;
    };
    let port = free_port();
    let run = Run::start(
        &format!("connect=rerun+http://127.0.0.1:{port}/proxy"),
        |_| {},
    );
    run.wait_for("no viewer at");
    let first = Peer::viewer(&program, port);
    run.wait_for("connected to the viewer");
    drop(first);
    run.wait_for("the run continues");
    let second = Peer::viewer(&program, port);
    run.wait_for("connected to the viewer");
    second.signal("-STOP");
    assert_real_time(run.ends_in_time());
}

#[test]
fn viewers_of_a_server_get_static_content_and_live_data() {
    let Some(program) = program() else {
        return;
    };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 9876));
    let run = Run::start("serve", |_| {});
    let line = run.wait_for("rerun rerun+http://127.0.0.1:");
    let url = line.split_whitespace().last().unwrap().to_owned();
    let port: u16 = url
        .trim_end_matches("/proxy")
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(port, 9876, "{taken:?}");
    // Loopback only: 127.0.0.1 in the format of the kernel.
    if let Ok(table) = std::fs::read_to_string("/proc/net/tcp") {
        let listens = |at: &str| table.contains(&format!(" {at}:{port:04X} 00000000:0000 0A"));
        assert!(listens("0100007F") && !listens("00000000"));
    }

    let file = |name: &str| run.here.path().join(name).to_str().unwrap().to_owned();
    let (early, late) = (file("early.rrd"), file("late.rrd"));
    let one = Peer::client(&program, &url, &early);
    until(WAIT, "data of the run", || size(&early) > 100_000);
    // A stopped viewer delays only itself as long as there is buffer space.
    one.signal("-STOP");
    let two = Peer::client(&program, &url, &late);
    until(WAIT, "data of the run", || size(&late) > 100_000);
    let begun = size(&late);
    until(WAIT, "more data of the run", || {
        size(&late) > begun + 20_000
    });
    one.signal("-KILL");
    // A saved file is complete up to a point only: chunks arrive out of order.
    until(WAIT, "all parts of the stage", || {
        let print = ["rrd", "print", &late];
        let printed = Command::new(&program).args(print).output().unwrap();
        let text = String::from_utf8_lossy(&printed.stdout).into_owned();
        [
            "/world/obstacles/rack_middle_west",
            "/world/rover/links",
            "/about",
            "/viewport",
        ]
        .iter()
        .all(|part| text.contains(part))
    });
    two.signal("-INT");
    assert_real_time(run.ends_in_time());
}

fn size(file: &str) -> u64 {
    std::fs::metadata(file).map_or(0, |m| m.len())
}

/// Folder with a script named `rerun`.
fn rerun_that(script: &str) -> TempDir {
    let here = folder(&[("rerun", &format!("#!/bin/sh\n{script}\n"))]);
    let file = here.path().join("rerun");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    here
}

#[test]
fn spawned_viewer_outlives_the_run() {
    let Some(program) = program() else {
        return;
    };
    // Real viewer without a window: a display is not needed.
    let script = format!(
        "case $1 in --version) exec {0} --version;; esac\necho $$ > \"$PIDS\"; exec {0} \"$@\" --headless",
        program.display()
    );
    let path = rerun_that(&script);
    let pids = path.path().join("pid");
    let run = Run::start("spawn", |command| {
        command
            .env("PATH", path.path())
            .env("DISPLAY", ":0")
            .env("PIDS", &pids);
    });
    run.wait_for("rover:");
    let pid: u32 = std::fs::read_to_string(&pids)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    run.ends_in_time();
    let lives = Command::new("kill").args(["-0", &pid.to_string()]).status();
    assert!(lives.unwrap().success(), "the viewer stays open");
    signal("KILL", pid);
}

#[test]
fn invalid_viewer_options_are_errors_before_the_run() {
    let here = folder(&[]);
    let refused = |rerun: &str, text: &str| {
        let ran = run(here.path(), &["run", "robot", "--rerun", rerun]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
        assert!(!ran.stdout.contains("rover"), "{}", ran.stdout);
    };
    refused("connect=127.0.0.1", "invalid viewer address");
    refused("connect=", "connect=URL");
    refused("serve=70000", "expected serve=PORT");
    refused("serving", "expected auto, spawn, serve");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = taken.local_addr().unwrap();
    refused(
        &format!("serve={}", at.port()),
        &format!("cannot serve viewers at {at}"),
    );
    assert!(TcpStream::connect(at).is_ok());

    let spawn = |display: &str| {
        let mut command = Command::new(binary());
        command
            .args(["run", "robot", "--rerun", "spawn"])
            .current_dir(here.path())
            .env("PATH", here.path())
            .env("DISPLAY", display)
            .env_remove("WAYLAND_DISPLAY");
        becomingone_tests::finish(&mut command, WAIT)
    };
    let ran = spawn(":0");
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("pip install \"rerun-sdk=="),
        "{}",
        ran.stderr
    );
    let ran = spawn("");
    assert!(ran.stderr.contains("there is no display"), "{}", ran.stderr);
}
