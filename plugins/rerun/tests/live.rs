//! Tick times while viewers connect late, disconnect, are killed, or are stopped. Each tick is timed beside one of a run
//! without recording, because viewers share the machine's cores with both.

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

/// Ticks of a phase, one per millisecond.
const TICKS: usize = 2500;

fn program() -> Option<PathBuf> {
    viewer::installed()
        .inspect_err(|why| eprintln!("skipped: needs a viewer: {why}"))
        .ok()
}

/// Rerun process in its own process group: the launcher that pip installs starts the viewer as a child.
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

    /// Viewer without a window, listening on this port.
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

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Quantiles of the tick times of one phase (µs).
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

/// Two runs of one scene with alternating ticks: one recorded, one not.
struct Pair {
    recorded: App,
    reference: App,
}

impl Pair {
    /// Starts both runs and warms up memory and caches.
    fn warm(plugin: RerunPlugin) -> Self {
        let mut pair = Self {
            recorded: app(4, Some(plugin)),
            reference: app(4, None),
        };
        pair.paced();
        pair
    }

    /// Runs in real time, one tick per millisecond, and returns the tick times: recorded, reference.
    fn paced(&mut self) -> [Times; 2] {
        let begun = Instant::now();
        let mut us = [const { Vec::new() }; 2];
        for k in 0..TICKS {
            let due = begun + Duration::from_millis(k as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let mut both = [(0, &mut self.recorded), (1, &mut self.reference)];
            // The second of the two finds warmer caches: alternate.
            both.rotate_left(k % 2);
            for (which, app) in both {
                let start = Instant::now();
                app.update();
                us[which].push(start.elapsed().as_secs_f64() * 1e6);
            }
        }
        us.map(Times::of)
    }

    /// Checks that recorded ticks are as fast as the reference, except for the cost of publishing and timing noise. A
    /// tick that waited for a viewer would take milliseconds.
    fn assert_same(&mut self, phase: &str) {
        let [recorded, reference] = self.paced();
        eprintln!("{phase}: {recorded}; reference: {reference}");
        let (is, was) = (recorded.median, reference.median);
        assert!(
            is < 1.5 * was + 20.0,
            "{phase}: median {was} µs reference, {is} µs recorded"
        );
        let (is, was) = (recorded.p99, reference.p99);
        assert!(
            is < 3.0 * was + 500.0,
            "{phase}: p99 {was} µs reference, {is} µs recorded"
        );
    }
}

/// Serialises the tests: each times its ticks without the others.
static MACHINE: Mutex<()> = Mutex::new(());

fn end(mut app: App) -> becomingone_rerun::Report {
    let begun = Instant::now();
    let report = finish(app.world_mut(), Duration::from_secs(1)).unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
    report
}

#[test]
fn tick_times_do_not_depend_on_the_state_of_a_viewer() {
    let Some(program) = program() else {
        return;
    };
    let port = free_port();
    let url = format!("rerun+http://127.0.0.1:{port}/proxy");
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut pair = Pair::warm(RerunPlugin::new(Sink::Viewer { url }, "room").unwrap());
    pair.assert_same("no viewer");
    let first = Peer::viewer(&program, port);
    pair.assert_same("viewer connects");
    pair.assert_same("viewer connected");
    first.signal("-STOP");
    pair.assert_same("viewer stopped");
    first.signal("-CONT");
    pair.assert_same("viewer continued");
    drop(first);
    pair.assert_same("viewer killed");
    let second = Peer::viewer(&program, port);
    pair.assert_same("second viewer connects");
    second.signal("-STOP");
    pair.assert_same("second viewer stopped");
    let report = end(pair.recorded);
    assert!(
        report.lost.is_some(),
        "no viewer received the end: {report:?}"
    );
    assert!(report.dropped > 0, "ticks without a viewer: {report:?}");
}

#[test]
fn tick_times_do_not_depend_on_the_state_of_the_servers_viewers() {
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
    let one = Peer::client(&program, &url, &file("one.rrd"));
    pair.assert_same("viewer connects");
    let two = Peer::client(&program, &url, &file("two.rrd"));
    pair.assert_same("second viewer connects");
    drop(one);
    pair.assert_same("first viewer killed");
    two.signal("-STOP");
    pair.assert_same("second viewer stopped");
    let begun = Instant::now();
    drop(end(pair.recorded));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn taken_port_is_an_error_or_replaced_by_a_free_one() {
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
