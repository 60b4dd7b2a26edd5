//! Recordings that go to a viewer, or to none.

#![allow(clippy::unwrap_used)]

mod common;

use becomingone_rerun::{QUEUE, RerunError, RerunPlugin, Sink, finish};
use common::{app, run};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

fn to_viewer(port: u16) -> RerunPlugin {
    let url = format!("rerun+http://127.0.0.1:{port}/proxy");
    RerunPlugin::new(Sink::Viewer { url }, "room").unwrap()
}

#[test]
fn no_address_is_an_early_error() {
    let url = "a viewer".to_owned();
    let error = RerunPlugin::new(Sink::Viewer { url }, "room")
        .err()
        .unwrap();
    assert!(matches!(error, RerunError::Url { .. }), "{error}");
}

#[test]
fn a_viewer_that_is_not_there_costs_only_the_limit() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut app = app(1, Some(to_viewer(port)));
    run(&mut app, 2000);
    let limit = Duration::from_millis(800);
    let start = Instant::now();
    let report = finish(app.world_mut(), limit).unwrap();
    assert!(
        start.elapsed() < limit + Duration::from_millis(300),
        "{:?}",
        start.elapsed()
    );
    let lost = report.lost.unwrap();
    assert!(lost.contains(&format!("127.0.0.1:{port}")), "{lost}");
}

/// A server that accepts and never reads: what a stopped viewer is like.
#[test]
fn a_viewer_that_does_not_read_makes_no_tick_wait() {
    let deaf = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = deaf.local_addr().unwrap().port();
    let mut app = app(4, Some(to_viewer(port)));
    let mut slowest = Duration::ZERO;
    let start = Instant::now();
    // Until well after the queue is full.
    let mut ticks = 0;
    while ticks < 60_000 {
        let tick = Instant::now();
        app.update();
        slowest = slowest.max(tick.elapsed());
        ticks += 1;
    }
    let elapsed = start.elapsed();
    let limit = Duration::from_millis(500);
    let report = finish(app.world_mut(), limit).unwrap();
    assert!(start.elapsed() < elapsed + limit + Duration::from_millis(300));
    assert!(report.lost.is_some());
    assert!(
        report.dropped > 0 && report.sent >= QUEUE as u64,
        "{report:?}"
    );
    assert!(
        slowest < Duration::from_millis(200),
        "a tick took {slowest:?}"
    );
}
