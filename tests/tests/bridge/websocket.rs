//! `Driver("websocket", ..)` against a server on the library `websockets`.

use super::{LIMIT, Peer, Run, free_port, listens, memory_kb, meter, rover};
use becomingone::components::link::LinkState;
use becomingone_tests::{folder, root, run, say, signal};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// The Python of the tests; none, with a notice, where it is not set.
pub(super) fn python() -> Option<String> {
    let found = std::env::var("BECOMINGONE_PYTHON").ok();
    if found.is_none() {
        say("skipped: the WebSocket server, as BECOMINGONE_PYTHON is not set");
    }
    found
}

pub(super) fn serve(folder: &Path, port: u16, more: &[&str]) -> Option<Peer> {
    let python = python()?;
    let script = root().join("tests/peers/websocket_server.py");
    let port_text = port.to_string();
    let mut argv = vec![python.as_str(), script.to_str().unwrap(), &port_text];
    argv.extend(more);
    let peer = Peer::start(folder, &argv);
    listens(port);
    Some(peer)
}

fn source(port: u16, path: &str, more: &str) -> String {
    format!(
        "Driver(\"websocket\", (url: \"ws://127.0.0.1:{port}/{path}\", timeout_s: 0.5, pick: {{\"x\": \"/tank/level\"}}{more}))"
    )
}

#[test]
fn messages_are_readings_and_a_server_that_was_away_is_found_again() {
    let (here, port) = (folder(&[]), free_port());
    let Some(peer) = serve(here.path(), port, &[]) else {
        return;
    };
    let mut run = Run::new(&meter(&source(port, "numbers", ", sequence: \"/n\"")), &[]);
    run.until("readings", |l| l.received > 50 && l.state == LinkState::Up);
    let link = run.link("box/meter");
    assert_eq!(
        (
            link.counts.gaps,
            link.counts.duplicates,
            link.counts.garbage
        ),
        (0, 0, 0)
    );
    let values = run.values();
    assert!(values.len() > 40);
    for (k, value) in values.iter().enumerate() {
        assert_eq!(*value, k as f64 / 4.0);
    }
    drop(peer);
    run.until("down", |l| l.state == LinkState::Down);
    let received = run.link("box/meter").received;
    let _peer = serve(here.path(), port, &[]);
    run.until("again", |l| {
        l.state == LinkState::Up && l.received > received + 20
    });
    let link = run.link("box/meter");
    assert_eq!((link.counts.restarts, link.counts.duplicates), (1, 0));
}

#[test]
fn a_server_that_stops_without_a_word_is_noticed_by_its_missing_pong() {
    let (here, port) = (folder(&[]), free_port());
    let Some(peer) = serve(here.path(), port, &[]) else {
        return;
    };
    let mut run = Run::new(&meter(&source(port, "numbers", "")), &[]);
    run.until("readings", |l| l.received > 5);
    signal("STOP", peer.0.id());
    let begun = Instant::now();
    run.until("down", |l| l.state == LinkState::Down);
    assert!((9.0..13.0).contains(&begun.elapsed().as_secs_f64()));
    signal("CONT", peer.0.id());
    run.until("up", |l| l.state == LinkState::Up);
    // A server that is silent and answers pings is no fault.
    let mut silent = Run::new(&meter(&source(port, "commands", "")), &[]);
    silent.until("up", |l| l.state == LinkState::Up);
    let begun = Instant::now();
    silent.until("12 s", |l| {
        assert_eq!(l.state, LinkState::Up);
        begun.elapsed() > Duration::from_secs(12)
    });
}

#[test]
fn mistakes_are_counted_and_floods_stalls_and_strangers_hold_nothing_up() {
    let (here, port) = (folder(&[]), free_port());
    let Some(_peer) = serve(here.path(), port, &[]) else {
        return;
    };
    let mut run_here = Run::new(&meter(&source(port, "mistakes", "")), &[]);
    run_here.until("the large message", |l| l.state == LinkState::Down);
    let link = run_here.link("box/meter");
    assert!(link.counts.garbage >= 3, "{link:?}");
    assert_eq!(run_here.values()[0], 5.0);
    drop(run_here);

    let mut flooded = Run::new(&meter(&source(port, "flood", "")), &[]);
    flooded.until("readings", |l| l.received > 100);
    let (before, begun) = (memory_kb(), Instant::now());
    flooded.until("2 s", |_| begun.elapsed() > Duration::from_secs(2));
    assert!(memory_kb() < before + 50_000, "{before}");
    let begun = Instant::now();
    drop(flooded);
    assert!(begun.elapsed() < Duration::from_secs(1));

    let servers = folder(&[]);
    let (_stalled, stalled) = Peer::socat(servers.path(), "sleep 20");
    let dripping = folder(&[]);
    let drip = "while sleep 0.1; do printf 'HTTP/1.1 101 x'; done";
    let (_dripping, dripping) = Peer::socat(dripping.path(), drip);
    for (port, path, reason) in [
        (stalled, "", "no answer within 0.5 s"),
        (dripping, "", "no answer within 0.5 s"),
        (port, "page", "found status 200 OK; expected 101"),
        (port, "mistakes", "more than 1048576 bytes"),
        (port, "token", "found status 401 Unauthorized"),
        (1, "", "no connection: Connection refused"),
    ] {
        let here = folder(&[("s.ron", &meter(&source(port, path, "")))]);
        let args = ["run", "s.ron", "--rerun", "off", "--quiet"];
        let ran = run(here.path(), &[&args[..], &["--duration", "2s"]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches(reason).count(), 1, "{}", ran.stderr);
    }
}

#[test]
fn a_server_is_asked_once_it_is_connected_and_says_why_it_closes() {
    let (here, port) = (folder(&[]), free_port());
    let Some(_peer) = serve(here.path(), port, &[]) else {
        return;
    };
    let asks = ", subscribe: [\"a\", \"b\"]";
    let mut run_here = Run::new(&meter(&source(port, "asked", asks)), &[]);
    run_here.until("the answer", |l| l.received > 0);
    assert_eq!(run_here.values()[0], 2.0);
    run_here.until("closed", |l| l.state == LinkState::Down);
    let here = folder(&[("s.ron", &meter(&source(port, "asked", asks)))]);
    let args = ["run", "s.ron", "--rerun", "off", "--quiet"];
    let ran = run(here.path(), &[&args[..], &["--duration", "1s"]].concat());
    assert!(
        ran.stderr
            .contains("the server closed the connection: 4000 all a b"),
        "{}",
        ran.stderr
    );
}

#[test]
fn commands_are_sent_only_with_arm_and_the_last_one_is_safe() {
    let (here, port) = (folder(&[]), free_port());
    let Some(_peer) = serve(here.path(), port, &[]) else {
        return;
    };
    let source = format!("Driver(\"websocket\", (url: \"ws://127.0.0.1:{port}/commands\"))");
    let file = here.path().join("commands");
    let mut disarmed = Run::new(&rover(&source), &[]);
    disarmed.until_link("rover/drive", "up", |l| l.state == LinkState::Up);
    (0..300).for_each(|_| disarmed.engine.step().unwrap());
    drop(disarmed);
    assert!(!file.exists());
    let mut run = Run::armed(&rover(&source), &[], true);
    let lines = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.filter_map(Result::ok).collect()
    };
    run.until_link("rover/drive", "commands", |_| {
        let moving = |c: &Value| c["values"][0].as_f64().is_some_and(|v| v > 0.4);
        lines().iter().any(moving)
    });
    drop(run);
    becomingone_tests::until(LIMIT, "the safe command", || {
        lines().last().unwrap()["safe"] == true
    });
    let sequences: Vec<_> = lines()
        .iter()
        .map(|c| c["sequence"].as_u64().unwrap())
        .collect();
    assert!(sequences.windows(2).all(|w| w[0] < w[1]), "{sequences:?}");
}
