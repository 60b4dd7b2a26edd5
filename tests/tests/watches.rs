//! Watches of `run --serve`, as a client sets them: over REST and MCP, in real and in fast time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::served::{LIMIT, OPERATOR, OWNER, Served, VIEWER};
use becomingone_tests::until;
use serde_json::{Value, json};
use std::time::Duration;

fn watch(run: &Served, token: &str, body: &Value) -> (u16, Value) {
    run.ask(token, "POST", "/v1/watches", "", &body.to_string())
}

/// Firings of a run so far.
fn firings(run: &Served) -> Vec<Value> {
    let list = run.get("/v1/events?most=1000");
    let all = list["events"].as_array().unwrap().iter();
    all.filter(|event| !event["watch"].is_null())
        .cloned()
        .collect()
}

#[test]
fn a_fault_and_a_stop_fire_their_watches_and_the_recording_verifies() {
    let run = Served::new(&["--record", "run.mcap", "--fast"]);
    // A viewer may; the same key again is the same watch. It turns on the spot for less than five seconds.
    let body = json!({"key": "halt", "agent": "rover", "what": "speed", "how": "below", "value": 0.05, "dwell_s": 5});
    let (status, set) = watch(&run, VIEWER, &body);
    assert_eq!((status, &set["id"]), (201, &json!("w1")), "{set}");
    let (status, again) = watch(&run, VIEWER, &body);
    assert_eq!((status, &again["id"]), (200, &json!("w1")), "{again}");
    let event = json!({"agent": "rover", "what": "event", "event": "fault", "how": "event"});
    assert_eq!(watch(&run, OPERATOR, &event).0, 201);
    // By the name of the run, too.
    let listed = run.get("/v1/runs/s/watches");
    assert_eq!(listed["watches"].as_array().unwrap().len(), 2, "{listed}");
    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 60}));
    // At its start it is as slow as one that is stopped.
    run.until("it drives", |rover| {
        rover["velocity"]["linear_m_s"].as_f64() > Some(0.1)
    });
    let fault =
        json!({"kind": "fault", "target": "imu/gyro_z", "fault": "Bias(0.4)", "for_s": 600});
    let (status, accepted) = run.request(OPERATOR, &lease, &fault);
    assert_eq!(status, 202, "{accepted}");
    let tick = accepted["tick"].as_u64().unwrap();
    assert_eq!(run.ask(VIEWER, "POST", "/v1/stop", "", "").0, 204);
    until(LIMIT, "both firings", || firings(&run).len() == 2);
    let at = |event: &Value| (event["time_s"].as_f64().unwrap() * 1e3).round() as u64;
    let all = firings(&run);
    let own = |id: &str| all.iter().find(|event| event["watch"] == id).unwrap();
    // `tick` counts from 1, times of ticks from 0.
    assert_eq!(at(own("w2")), tick - 1, "{all:?}");
    let events = run.get("/v1/events?most=1000");
    let events = events["events"].as_array().unwrap();
    let is_stop = |event: &&Value| event["text"].as_str().unwrap().starts_with("stopped by");
    let stopped = at(events.iter().find(is_stop).unwrap());
    let halted = at(own("w1"));
    assert!(
        (stopped + 5000..stopped + 7000).contains(&halted),
        "{stopped} {halted}"
    );
    assert_eq!(own("w1")["key"], "halt");
    let text = own("w1")["text"].as_str().unwrap();
    let about = "watch w1: speed of rover is below 0.05 m/s for 5 s (";
    assert!(text.starts_with(about), "{text}");
    assert_eq!(run.ask(VIEWER, "DELETE", "/v1/watches/w2", "", "").0, 403);
    assert_eq!(run.ask(VIEWER, "DELETE", "/v1/watches/w1", "", "").0, 204);
    assert_eq!(run.ask(VIEWER, "DELETE", "/v1/watches/w1", "", "").0, 404);
    let (code, text, folder) = run.end();
    assert_eq!(code, Some(0), "{text}");
    let ran = becomingone_tests::run(folder.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("all hashes equal"), "{}", ran.stdout);
}

#[test]
fn bad_bodies_say_what_is_expected() {
    let run = Served::new(&[]);
    for (body, status, expected) in [
        ("{", 400, "EOF"),
        ("[]", 422, "expected"),
        (
            "{\"agent\": \"rover\", \"what\": \"speed\", \"how\": \"over\"}",
            422,
            "one of `above`",
        ),
        (
            "{\"agent\": \"rover\", \"what\": \"speed\", \"how\": \"above\"}",
            400,
            "expected `value`",
        ),
        (
            "{\"agent\": \"rover\", \"what\": \"speed\", \"how\": \"above\", \"value\": 1e999}",
            400,
            "number out of range",
        ),
        (
            "{\"agent\": \"rovr\", \"what\": \"speed\", \"how\": \"rises\"}",
            404,
            "did you mean `rover`",
        ),
        (
            "{\"agent\": \"rover\", \"what\": \"sensor\", \"sensor\": \"lidr\", \"how\": \"silent\"}",
            404,
            "did you mean `lidar`",
        ),
    ] {
        let (found, problem) = run.ask(VIEWER, "POST", "/v1/watches", "", body);
        assert_eq!(found, status, "{body}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    assert_eq!(run.get("/v1/watches")["watches"], json!([]));
}

/// The scene `robot`, which goes round and round: for `BECOMINGONE_WATCHED_S` simulated seconds. The dwell is longer than
/// its surprise is above 1.
#[test]
fn nothing_fires_while_a_robot_is_healthy() {
    let watched = std::env::var("BECOMINGONE_WATCHED_S").map_or(240.0, |s| s.parse().unwrap());
    let run = Served::start(&[
        "run",
        "robot",
        "--serve=0",
        "--rerun",
        "off",
        "--fast",
        "--duration",
        "100000s",
        "--set",
        "agents.rover.controller.laps=60",
    ]);
    for how in ["above", "rises"] {
        let body = json!({"agent": "rover", "what": "surprise", "how": how, "dwell_s": 0.5});
        assert_eq!(watch(&run, VIEWER, &body).0, 201);
    }
    until(Duration::from_secs(1200), "that time", || {
        std::thread::sleep(Duration::from_millis(500));
        run.rover()["time_s"].as_f64().unwrap() > watched
    });
    let listed = run.get("/v1/watches");
    for watch in listed["watches"].as_array().unwrap() {
        assert!(watch["now"].is_number(), "{watch}");
        assert_eq!(watch["firings"], 0, "{watch}");
    }
    assert!(firings(&run).is_empty());
    assert_eq!(run.ask(OWNER, "POST", "/v1/run/end", "", "").0, 204);
}
