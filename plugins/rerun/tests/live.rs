//! What viewers may do to a run in mid-run: come late, leave, be killed, be stopped. Each tick is timed, and
//! beside it one of a run that nobody watches: viewers share the machine's cores with both.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod common;

use becomingone_rerun::{RerunPlugin, Sink, finish, viewer};
use bevy_app::App;
use common::app;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Ticks of a phase, one a millisecond.
const TICKS: usize = 2500;

fn program() -> Option<PathBuf> {
    viewer::installed()
        .inspect_err(|why| eprintln!("skipped, it needs a viewer: {why}"))
        .ok()
}

/// A process of Rerun's, of a group of its own: the launcher that pip installs starts the viewer proper.
struct Peer(Child);

impl Peer {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        use std::os::unix::process::CommandExt;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self(child.unwrap())
    }

    /// A viewer without a window that listens there.
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

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Quantiles of times of ticks in one phase (µs).
struct Times {
    median: f64,
    p99: f64,
    most: f64,
}

impl Times {
    fn of(mut us: Vec<f64>) -> Self {
        us.sort_by(f64::total_cmp);
        let quantile = |q: f64| us[((us.len() - 1) as f64 * q) as usize];
        Self {
            median: quantile(0.5),
            p99: quantile(0.99),
            most: quantile(1.0),
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, p99, most } = self;
        write!(
            f,
            "median {median:.1} µs, p99 {p99:.1} µs, longest {most:.1} µs"
        )
    }
}

/// Two runs of one scene, tick by tick in turns.
struct Pair {
    watched: App,
    alone: App,
}

impl Pair {
    /// Memory and caches are warm after this.
    fn warm(plugin: RerunPlugin) -> Self {
        let mut pair = Self {
            watched: app(4, Some(plugin)),
            alone: app(4, None),
        };
        pair.paced();
        pair
    }

    /// Runs in real time, a millisecond a tick, and times the ticks of both: watched, and alone.
    fn paced(&mut self) -> [Times; 2] {
        let begun = Instant::now();
        let mut us = [const { Vec::new() }; 2];
        for k in 0..TICKS {
            let due = begun + Duration::from_millis(k as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut both = [(0, &mut self.watched), (1, &mut self.alone)];
            // Who comes second finds warmer caches.
            both.rotate_left(k % 2);
            for (which, app) in both {
                let start = Instant::now();
                app.update();
                us[which].push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
        us.map(Times::of)
    }

    /// A watched tick takes as long as one that is not, give or take what publishing costs and the machine's
    /// noise. One that waited for a viewer would wait for milliseconds.
    fn assert_same(&mut self, phase: &str) {
        let [watched, alone] = self.paced();
        eprintln!("{phase}: {watched}; alone: {alone}");
        let (is, was) = (watched.median, alone.median);
        assert!(
            is < 1.5 * was + 20.0,
            "{phase}: median {was} µs alone, {is} µs watched"
        );
        let (is, was) = (watched.p99, alone.p99);
        assert!(
            is < 3.0 * was + 500.0,
            "{phase}: p99 {was} µs alone, {is} µs watched"
        );
    }
}

/// Each test times its ticks with the machine to itself.
static MACHINE: Mutex<()> = Mutex::new(());

fn end(mut app: App) -> becomingone_rerun::Report {
    let begun = Instant::now();
    let report = finish(app.world_mut(), Duration::from_secs(1)).unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    report
}

#[test]
fn ticks_take_as_long_whatever_becomes_of_a_viewer() {
    let Some(program) = program() else {
        return;
    };
    let port = free_port();
    let url = format!("rerun+http://127.0.0.1:{port}/proxy");
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut pair = Pair::warm(RerunPlugin::new(Sink::Viewer { url }, "room").unwrap());
    pair.assert_same("no viewer");
    let first = Peer::viewer(&program, port);
    pair.assert_same("a viewer comes");
    pair.assert_same("it is there");
    first.signal("-STOP");
    pair.assert_same("it is stopped");
    first.signal("-CONT");
    pair.assert_same("it goes on");
    drop(first);
    pair.assert_same("it is killed");
    let second = Peer::viewer(&program, port);
    pair.assert_same("another one comes");
    second.signal("-STOP");
    pair.assert_same("and is stopped");
    let report = end(pair.watched);
    assert!(report.lost.is_some(), "nobody heard the end: {report:?}");
    assert!(report.dropped > 0, "of the time without one: {report:?}");
}

#[test]
fn ticks_take_as_long_whatever_becomes_of_viewers_of_our_server() {
    let Some(program) = program() else {
        return;
    };
    let sink = Sink::Server {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        any_port: true,
    };
    let plugin = RerunPlugin::new(sink, "room").unwrap();
    let url = plugin.url().unwrap().to_owned();
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut pair = Pair::warm(plugin);
    pair.assert_same("no viewer");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let one = Peer::guest(&program, &url, &file("one.rrd"));
    pair.assert_same("a viewer comes");
    let two = Peer::guest(&program, &url, &file("two.rrd"));
    pair.assert_same("another one comes");
    drop(one);
    pair.assert_same("one is killed");
    two.signal("-STOP");
    pair.assert_same("the other is stopped");
    let begun = Instant::now();
    drop(end(pair.watched));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_port_that_is_taken_is_told_or_avoided() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let open = |any_port| RerunPlugin::new(Sink::Server { address, any_port }, "room");
    let error = open(false).err().unwrap().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
    let plugin = open(true).unwrap();
    let url = plugin.url().unwrap();
    assert!(url.starts_with("rerun+http://127.0.0.1:"), "{url}");
    assert!(!url.contains(&address.port().to_string()), "{url}");
}
