//! What viewers may do to a run in mid-run: come late, leave, be killed, be stopped. Each tick is timed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod common;

use becomingone_rerun::{RerunPlugin, Sink, finish, viewer};
use bevy_app::App;
use common::app;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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

/// Times of ticks in one phase, sorted (µs).
struct Times(Vec<f64>);

impl Times {
    fn quantile(&self, q: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * q) as usize]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, p99, most] = [0.5, 0.99, 1.0].map(|q| self.quantile(q));
        write!(
            f,
            "median {median:.1} µs, p99 {p99:.1} µs, longest {most:.1} µs"
        )
    }
}

/// Runs in real time, a millisecond a tick, and times the ticks alone.
fn paced(app: &mut App) -> Times {
    let begun = Instant::now();
    let mut us: Vec<f64> = (0..TICKS)
        .map(|k| {
            let due = begun + Duration::from_millis(k as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let start = Instant::now();
            app.update();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    us.sort_by(f64::total_cmp);
    Times(us)
}

/// The same within noise: viewers share the machine's cores with the ticks, so that some are slower. A
/// tick that waited for a viewer would wait for milliseconds.
fn assert_same(quiet: &Times, phase: &str, times: &Times) {
    eprintln!("{phase}: {times}");
    let (was, is) = (quiet.quantile(0.5), times.quantile(0.5));
    assert!(is < 1.5 * was + 10.0, "{phase}: median {was} to {is} µs");
    let (was, is) = (quiet.quantile(0.99), times.quantile(0.99));
    assert!(is < 3.0 * was + 500.0, "{phase}: p99 {was} to {is} µs");
}

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
    let mut app = app(
        4,
        Some(RerunPlugin::new(Sink::Viewer { url }, "room").unwrap()),
    );
    // Memory and caches are warm after this.
    paced(&mut app);
    let quiet = paced(&mut app);
    eprintln!("no viewer: {quiet}");
    let first = Peer::viewer(&program, port);
    assert_same(&quiet, "a viewer comes", &paced(&mut app));
    assert_same(&quiet, "it is there", &paced(&mut app));
    first.signal("-STOP");
    assert_same(&quiet, "it is stopped", &paced(&mut app));
    first.signal("-CONT");
    assert_same(&quiet, "it goes on", &paced(&mut app));
    drop(first);
    assert_same(&quiet, "it is killed", &paced(&mut app));
    let second = Peer::viewer(&program, port);
    assert_same(&quiet, "another one comes", &paced(&mut app));
    second.signal("-STOP");
    assert_same(&quiet, "and is stopped", &paced(&mut app));
    let report = end(app);
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
    let mut app = app(4, Some(plugin));
    paced(&mut app);
    let quiet = paced(&mut app);
    eprintln!("no viewer: {quiet}");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let one = Peer::guest(&program, &url, &file("one.rrd"));
    assert_same(&quiet, "a viewer comes", &paced(&mut app));
    let two = Peer::guest(&program, &url, &file("two.rrd"));
    assert_same(&quiet, "another one comes", &paced(&mut app));
    drop(one);
    assert_same(&quiet, "one is killed", &paced(&mut app));
    two.signal("-STOP");
    assert_same(&quiet, "the other is stopped", &paced(&mut app));
    let begun = Instant::now();
    drop(end(app));
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
