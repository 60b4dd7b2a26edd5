//! Recordings to a viewer: present, missing, unresponsive, killed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stderr)]

mod common;

use becomingone_rerun::{
    FLUSH_TIMEOUT, QUEUE, Report, RerunError, RerunPlugin, Sink, finish, viewer,
};
use bevy_app::App;
use common::{app, run};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

fn to_viewer(port: u16) -> RerunPlugin {
    let url = format!("rerun+http://127.0.0.1:{port}/proxy");
    RerunPlugin::new(Sink::Viewer { url }, "room").unwrap()
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Finishes the recording and checks its time limit, with a margin for a busy machine.
fn finish_in_time(app: &mut App) -> Report {
    let limit = Duration::from_millis(500);
    let start = Instant::now();
    let report = finish(app.world_mut(), limit).unwrap();
    let elapsed = start.elapsed();
    assert!(elapsed < limit + Duration::from_secs(2), "{elapsed:?}");
    report
}

/// Checks that no tick waited: a blocked tick takes `FLUSH_TIMEOUT` for each batch; all ticks together must take less
/// than a tenth of that.
fn assert_no_wait(elapsed: Duration, report: &Report) {
    assert!(
        elapsed < FLUSH_TIMEOUT / 10 * report.dropped as u32,
        "{elapsed:?}: {report:?}"
    );
}

#[test]
fn invalid_address_is_an_error_before_the_run() {
    let url = "a viewer".to_owned();
    let error = RerunPlugin::new(Sink::Viewer { url }, "room")
        .err()
        .unwrap();
    assert!(matches!(error, RerunError::Url { .. }), "{error}");
}

#[test]
fn missing_viewer_delays_the_end_by_the_limit_at_most() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut app = app(1, Some(to_viewer(port)));
    run(&mut app, 2000);
    let report = finish_in_time(&mut app);
    let lost = report.lost.unwrap();
    assert!(lost.contains(&format!("127.0.0.1:{port}")), "{lost}");
}

/// A listener that never reads behaves like a stopped viewer.
#[test]
fn unresponsive_viewer_blocks_no_tick() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut app = app(4, Some(to_viewer(port)));
    // Long enough to fill the queue several times.
    let elapsed = timed(|| run(&mut app, 60_000));
    let report = finish_in_time(&mut app);
    assert!(report.lost.is_some());
    assert!(
        report.dropped > 0 && report.sent >= QUEUE as u64,
        "{report:?}"
    );
    assert_no_wait(elapsed, &report);
}

/// Viewer without a window; killed on drop.
struct Headless {
    viewer: viewer::Viewer,
}

impl Headless {
    fn start() -> Option<Self> {
        Self::start_with(&["--headless"])
    }

    fn start_with(arguments: &[&str]) -> Option<Self> {
        let program = viewer::installed()
            .inspect_err(|why| eprintln!("skipped: needs a viewer: {why}"))
            .ok()?;
        let viewer = viewer::spawn_with(&program, arguments).unwrap();
        Some(Self { viewer })
    }

    /// Signals the process group: the launcher that pip installs starts the viewer as a child.
    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.viewer.child.id());
        let kill = std::process::Command::new("kill")
            .args([signal, "--", &group])
            .status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Headless {
    fn drop(&mut self) {
        self.signal("-KILL");
        self.viewer.child.wait().unwrap();
    }
}

#[test]
fn viewer_receives_all_batches() {
    let Some(headless) = Headless::start() else {
        return;
    };
    let sink = Sink::Viewer {
        url: headless.viewer.url.clone(),
    };
    let mut app = app(1, Some(RerunPlugin::new(sink, "room").unwrap()));
    run(&mut app, 5000);
    let report = finish(app.world_mut(), Duration::from_secs(10)).unwrap();
    assert_eq!((report.dropped, report.lost), (0, None));
    assert!(report.sent > 300);
}

#[test]
fn stopped_or_killed_viewer_blocks_no_tick() {
    let Some(headless) = Headless::start() else {
        return;
    };
    let sink = Sink::Viewer {
        url: headless.viewer.url.clone(),
    };
    let mut stopped = app(4, Some(RerunPlugin::new(sink.clone(), "room").unwrap()));
    let mut killed = app(1, Some(RerunPlugin::new(sink, "room").unwrap()));
    run(&mut stopped, 100);
    run(&mut killed, 100);
    headless.signal("-STOP");
    let elapsed = timed(|| run(&mut stopped, 60_000));
    let report = finish_in_time(&mut stopped);
    assert!(report.lost.is_some() && report.dropped > 0, "{report:?}");
    assert_no_wait(elapsed, &report);

    let url = headless.viewer.url.clone();
    drop(headless);
    // The kernel closes its sockets some time after the kill.
    let address = url
        .trim_start_matches("rerun+http://")
        .trim_end_matches("/proxy");
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline);
    }
    run(&mut killed, 2000);
    let report = finish_in_time(&mut killed);
    assert!(report.lost.is_some(), "{report:?}");
}

#[test]
fn viewer_that_was_stopped_receives_the_count_of_dropped_ticks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missed.rrd");
    let Some(headless) = Headless::start_with(&["--save", file.to_str().unwrap()]) else {
        return;
    };
    let sink = Sink::Viewer {
        url: headless.viewer.url.clone(),
    };
    let mut app = app(4, Some(RerunPlugin::new(sink, "room").unwrap()));
    run(&mut app, 1000);
    headless.signal("-STOP");
    run(&mut app, 60_000);
    headless.signal("-CONT");
    // Run until the queue has room again.
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        run(&mut app, 100);
    }
    let report = finish(app.world_mut(), Duration::from_secs(10)).unwrap();
    assert_eq!(report.lost, None);
    assert!(report.dropped > 0, "{report:?}");
}
