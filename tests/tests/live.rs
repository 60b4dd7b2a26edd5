//! Viewers of a whole run: they come late, leave, are killed and stopped; the run goes on and ends in time.

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
        .inspect_err(|why| say(&format!("skipped, it needs a viewer: {why}")))
        .ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A process of a group of its own, which ends with this: the viewer's launcher starts the viewer proper.
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

    /// A viewer that comes to a server, and keeps what it hears.
    fn guest(program: &Path, url: &str, file: &str) -> Self {
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

/// A run in real time, and what it says.
struct Run {
    child: Child,
    said: Receiver<String>,
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
        let (tell, said) = mpsc::channel();
        let both: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for stream in both {
            let tell = tell.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = tell.send(line);
                }
            });
        }
        Self { child, said, here }
    }

    fn says(&self, text: &str) -> String {
        let deadline = Instant::now() + WAIT;
        let mut heard = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => heard.push(line),
                Err(_) => panic!("no `{text}` in {heard:#?}"),
            }
        }
    }

    /// Ctrl-C; how many simulated seconds a second there were.
    fn ends_in_time(mut self) -> f64 {
        let begun = Instant::now();
        signal("INT", self.child.id());
        until(Duration::from_secs(2), "the run's end", || {
            self.child.try_wait().unwrap().is_some()
        });
        say(&format!("gone after {:?}", begun.elapsed()));
        assert_eq!(self.child.wait().unwrap().code(), Some(130));
        let text = std::fs::read_to_string(self.here.path().join("s.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
        // The last tick is not waited for.
        let ticks = summary["ticks"].as_f64().unwrap();
        summary["rtf"].as_f64().unwrap() * (1.0 - 1.0 / ticks)
    }
}

/// Time that a run loses is not made up for: it would be far behind after ticks that waited. A machine
/// that is busy with other things loses some as well.
fn assert_real_time(rtf: f64) {
    assert!((0.9..1.01).contains(&rtf), "{rtf}");
}

#[test]
fn a_viewer_that_comes_goes_comes_again_and_is_stopped() {
    let Some(program) = program() else {
        return;
    };
    let port = free_port();
    let run = Run::start(
        &format!("connect=rerun+http://127.0.0.1:{port}/proxy"),
        |_| {},
    );
    run.says("nothing answers at");
    let first = Peer::viewer(&program, port);
    run.says("is there now");
    drop(first);
    run.says("the run goes on");
    let second = Peer::viewer(&program, port);
    run.says("is there now");
    second.signal("-STOP");
    assert_real_time(run.ends_in_time());
}

#[test]
fn viewers_of_a_served_run_see_what_stands_there_and_what_goes_on() {
    let Some(program) = program() else {
        return;
    };
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 9876));
    let run = Run::start("serve", |_| {});
    let line = run.says("rerun rerun+http://127.0.0.1:");
    let url = line.split_whitespace().last().unwrap().to_owned();
    let port: u16 = url
        .trim_end_matches("/proxy")
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(port, 9876, "{taken:?}");
    // Nobody but this machine: 127.0.0.1 as the kernel writes it.
    if let Ok(table) = std::fs::read_to_string("/proc/net/tcp") {
        let listens = |at: &str| table.contains(&format!(" {at}:{port:04X} 00000000:0000 0A"));
        assert!(listens("0100007F") && !listens("00000000"));
    }

    let file = |name: &str| run.here.path().join(name).to_str().unwrap().to_owned();
    let (early, late) = (file("early.rrd"), file("late.rrd"));
    let one = Peer::guest(&program, &url, &early);
    until(WAIT, "something of the run", || size(&early) > 100_000);
    // One is stopped, which holds up none but itself for as long as there is room.
    one.signal("-STOP");
    let two = Peer::guest(&program, &url, &late);
    until(WAIT, "something of the run", || size(&late) > 100_000);
    let begun = size(&late);
    until(WAIT, "more of the run", || size(&late) > begun + 20_000);
    one.signal("-KILL");
    // What a guest keeps is complete only so far: parts come in no order.
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

/// `rerun` on the path, as a script that does this.
fn rerun_that(script: &str) -> TempDir {
    let here = folder(&[("rerun", &format!("#!/bin/sh\n{script}\n"))]);
    let file = here.path().join("rerun");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    here
}

#[test]
fn a_viewer_is_spawned_and_outlives_the_run() {
    let Some(program) = program() else {
        return;
    };
    // A display would be another peer: the viewer is real, but for its window.
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
    run.says("rover:");
    let pid: u32 = std::fs::read_to_string(&pids)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    run.ends_in_time();
    let lives = Command::new("kill").args(["-0", &pid.to_string()]).status();
    assert!(lives.unwrap().success(), "the viewer stays, for a look");
    signal("KILL", pid);
}

#[test]
fn what_cannot_be_shown_is_told_before_the_run() {
    let here = folder(&[]);
    let told = |rerun: &str, text: &str| {
        let ran = run(here.path(), &["run", "robot", "--rerun", rerun]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
        assert!(!ran.stdout.contains("rover"), "{}", ran.stdout);
    };
    told("connect=127.0.0.1", "is no address of a viewer");
    told("connect=", "connect=URL");
    told("serve=70000", "expected serve=PORT");
    told("serving", "expected auto, spawn, serve");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = taken.local_addr().unwrap();
    told(
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
