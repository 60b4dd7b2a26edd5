//! `run --serve`, as a user starts it, against clients that nobody here wrote: curl's place is taken by Python's `http`,
//! `websockets`, `schemathesis` and Prometheus' parser.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::served::{
    LIMIT, OPERATOR, OWNER, Served, VIEWER, python, scene, schemathesis,
};
use becomingone_tests::{Ran, binary, finish, folder, root, run, say, signal, tool, until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn nothing_moves_without_a_lease_and_a_stop_needs_none() {
    let run = Served::new(&[]);
    let drive = json!({"kind": "drive", "linear_m_s": 0.3, "for_s": 1.0});
    // No token, another one by one character, none of the file.
    let (status, _) = run.raw(
        format!(
            "GET /v1/agents HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            run.host
        )
        .as_bytes(),
    );
    assert_eq!(status, 401);
    assert_eq!(run.request("owner-0123456789abcdee", "", &drive).0, 401);
    // The owner, too, needs a lease; a viewer may have none.
    for token in [OWNER, OPERATOR] {
        let (status, problem) = run.request(token, "", &drive);
        assert_eq!(status, 403, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains("Lease"),
            "{problem}"
        );
        assert_eq!(run.request(token, "Lease: 0123\r\n", &drive).0, 403);
    }
    assert_eq!(
        run.ask(
            OPERATOR,
            "POST",
            "/v1/agents/rover/lease",
            "",
            "{\"for_s\": 10}"
        )
        .0,
        403
    );
    assert_eq!(run.rover()["request"], Value::Null);

    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 60, "max_linear_m_s": 0.5}));
    assert_eq!(run.request(VIEWER, &lease, &drive).0, 403);
    let (status, problem) = run.request(
        OPERATOR,
        &lease,
        &json!({"kind": "drive", "linear_m_s": 0.51}),
    );
    assert_eq!(status, 403, "{problem}");
    let (status, accepted) = run.request(OPERATOR, &lease, &drive);
    assert_eq!(status, 202, "{accepted}");
    run.until("the request", |rover| rover["request"] == "api");

    // Anybody who may look may stop; nobody but an owner clears it.
    assert_eq!(run.ask(VIEWER, "POST", "/v1/stop", "", "").0, 204);
    run.until("standstill", |rover| {
        rover["mode"] == "stopped" && rover["velocity"]["linear_m_s"].as_f64().unwrap().abs() < 0.01
    });
    let (status, problem) = run.request(OPERATOR, &lease, &drive);
    assert_eq!(status, 409, "{problem}");
    assert_eq!(
        run.ask(OPERATOR, "POST", "/v1/agents/rover/clear_stop", "", "")
            .0,
        403
    );
    // A reset keeps it.
    assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/reset", "", "").0, 204);
    run.until("the stop after a reset", |rover| {
        rover["mode"] == "stopped" && rover["time_s"].as_f64().unwrap() < 2.0
    });
    assert_eq!(
        run.ask(OWNER, "POST", "/v1/agents/rover/clear_stop", "", "")
            .0,
        202
    );
    run.until("its own controller", |rover| rover["mode"] == "controller");
    assert_eq!(
        run.ask(OWNER, "POST", "/v1/agents/rover/clear_stop", "", "")
            .0,
        409
    );
}

#[test]
fn a_lease_that_ends_ends_what_it_asked_for() {
    let run = Served::new(&[]);
    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 0.5}));
    let asked = json!({"kind": "drive", "linear_m_s": 0.2, "for_s": 60});
    assert_eq!(run.request(OPERATOR, &lease, &asked).0, 202);
    run.until("the request", |rover| rover["request"] == "api");
    let begun = Instant::now();
    run.until("its end by silence", |rover| {
        rover["request"] == Value::Null
    });
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(run.request(OPERATOR, &lease, &asked).0, 403);
    // One that is released.
    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 60}));
    assert_eq!(run.request(OPERATOR, &lease, &asked).0, 202);
    assert_eq!(
        run.ask(
            OWNER,
            "POST",
            "/v1/agents/rover/lease",
            "",
            "{\"for_s\": 1}"
        )
        .0,
        409
    );
    assert_eq!(
        run.ask(OPERATOR, "DELETE", "/v1/agents/rover/lease", &lease, "")
            .0,
        204
    );
    run.until("its end by release", |rover| {
        rover["request"] == Value::Null
    });
}

#[test]
fn goals_are_reached_and_an_answer_is_given_once() {
    let run = Served::new(&["--rate", "4"]);
    let lease = run.lease(&json!({"for_s": 600, "heartbeat_s": 600}));
    let (status, problem) = run.request(
        OPERATOR,
        &lease,
        &json!({"kind": "go_to", "place": "docks"}),
    );
    assert_eq!(status, 404, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("did you mean `dock`"),
        "{problem}"
    );
    let key = format!("{lease}Idempotency-Key: a1\r\n");
    let dock = json!({"kind": "go_to", "place": "dock"});
    let first = run.request(OPERATOR, &key, &dock);
    assert_eq!(first.0, 202, "{}", first.1);
    // Sent again: the same answer, and no second goal.
    assert_eq!(run.request(OPERATOR, &key, &dock), first);
    let other = run.request(
        OPERATOR,
        &key,
        &json!({"kind": "go_to", "x_m": 0, "y_m": 0}),
    );
    assert_eq!(other.0, 422, "{}", other.1);
    // Regression: answers were given before the token was looked at.
    assert_eq!(run.request("owner-0123456789abcdee", &key, &dock).0, 401);
    assert_eq!(run.request(OWNER, &key, &dock).0, 422);
    run.until("the dock", |rover| {
        let at = |axis: &str, m: f64| (rover["pose"][axis].as_f64().unwrap() - m).abs() < 0.3;
        at("x_m", 2.0) && at("y_m", 1.0)
    });
    // A stop is one however often its key was sent.
    let key = "Idempotency-Key: b2\r\n";
    for _ in 0..2 {
        assert_eq!(run.ask(VIEWER, "POST", "/v1/stop", key, "").0, 204);
        run.until("the stop", |rover| rover["mode"] == "stopped");
        let path = "/v1/agents/rover/clear_stop";
        assert_eq!(run.ask(OWNER, "POST", path, "", "").0, 202);
        run.until("its end", |rover| rover["mode"] != "stopped");
    }
    // Its event is of the tick after.
    until(LIMIT, "the event", || {
        let events = run.get("/v1/events?most=1000");
        let events = events["events"].as_array().unwrap().clone();
        events
            .iter()
            .any(|event| event["text"].as_str().unwrap().contains("api"))
    });
}

#[test]
fn numbers_and_faults_need_a_lease_without_limits() {
    let run = Served::new(&[]);
    let slow = json!({"kind": "set", "parameter": "controller.speed_m_s", "value": 0.2});
    let fault =
        json!({"kind": "fault", "target": "imu/gyro_z", "fault": "Bias(0.4)", "for_s": 600});
    let limited = run.lease(&json!({"for_s": 60, "heartbeat_s": 60, "max_linear_m_s": 0.5}));
    for what in [&slow, &fault] {
        assert_eq!(run.request(OPERATOR, "", what).0, 403);
        let (status, problem) = run.request(OPERATOR, &limited, what);
        assert_eq!(status, 403, "{problem}");
    }
    let path = "/v1/agents/rover/lease";
    assert_eq!(run.ask(OWNER, "DELETE", path, "", "").0, 204);
    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 60}));
    for what in [&slow, &fault] {
        let (status, accepted) = run.request(OPERATOR, &lease, what);
        assert_eq!(status, 202, "{accepted}");
    }
    run.until("its own controller, slower", |rover| {
        let speed = rover["velocity"]["linear_m_s"].as_f64().unwrap();
        rover["mode"] == "controller" && (0.1..0.25).contains(&speed)
    });
    let parameters = run.get("/v1/agents/rover/parameters");
    assert_eq!(
        parameters["parameters"][0],
        json!({"name": "controller.speed_m_s", "value": 0.2})
    );
    let faults = run.get("/v1/agents/rover/faults");
    assert_eq!(faults["faults"][0]["target"], "imu/gyro_z", "{faults}");
    assert_eq!(faults["faults"][0]["is_active"], true, "{faults}");
    let end = json!({"kind": "end_faults"});
    assert_eq!(run.request(OPERATOR, &lease, &end).0, 202);
    until(LIMIT, "the end of the fault", || {
        run.get("/v1/agents/rover/faults")["faults"][0]["is_active"] == false
    });
    for (wrong, expected) in [
        (
            json!({"kind": "set", "parameter": "controller.speed", "value": 1}),
            "did you mean `controller.speed_m_s`",
        ),
        (
            json!({"kind": "fault", "target": "imu", "fault": "Freezed"}),
            "did you mean `Freeze`",
        ),
    ] {
        let (status, problem) = run.request(OPERATOR, &lease, &wrong);
        assert_eq!(status, 400, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected), "{detail}");
    }
    for wrong in ["x".repeat(300), "imu\u{1b}[2J".to_owned()] {
        let wrong = json!({"kind": "fault", "target": wrong, "fault": "Freeze"});
        assert_eq!(run.request(OPERATOR, &lease, &wrong).0, 400);
    }
}

/// Sides of a PNG in bytes.
fn sides(png: &[u8]) -> [u32; 2] {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    [16, 20].map(|k| u32::from_be_bytes(png[k..k + 4].try_into().unwrap()))
}

#[test]
fn a_picture_shows_the_run_and_another_place_is_another_picture() {
    let run = Served::new(&[]);
    let picture = |query: &str| {
        let mut socket = TcpStream::connect(&run.host).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let text = format!(
            "GET /v1/picture{query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {VIEWER}\r\n\r\n",
            run.host
        );
        socket.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        (head, answer[end + 4..].to_vec())
    };
    assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/pause", "", "").0, 204);
    until(LIMIT, "the pause", || {
        run.get("/v1/run")["is_paused"] == true
    });
    let (head, first) = picture("");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("image/png"), "{head}");
    assert_eq!(sides(&first), [800, 600]);
    let (_, second) = picture("");
    assert!(first == second, "of one tick, it is one picture");
    let (_, map) = picture("?agent=rover&pitch_rad=1.57&distance_m=3&width=64&height=48");
    assert_eq!(sides(&map), [64, 48]);
    // The rover moves on.
    let step = "{\"ticks\": 2000}";
    assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/step", "", step).0, 204);
    until(LIMIT, "another picture", || picture("").1 != first);
    for (wrong, status) in [
        ("?agent=rovr", "404"),
        ("?width=0", "400"),
        ("?height=4096", "400"),
        ("?pitch_rad=NaN", "400"),
        ("?distance_m=-1", "400"),
        ("?zoom=2", "400"),
    ] {
        let (head, _) = picture(wrong);
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
}

#[test]
fn a_run_that_was_driven_from_outside_verifies() {
    let run = Served::new(&["--record", "run.mcap"]);
    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 60}));
    for what in [
        json!({"kind": "set", "parameter": "controller.speed_m_s", "value": 0.3}),
        json!({"kind": "fault", "target": "imu", "fault": "Freeze", "for_s": 0.2}),
        json!({"kind": "end_faults"}),
    ] {
        assert_eq!(run.request(OPERATOR, &lease, &what).0, 202);
    }
    for speed in [0.3, -0.2, 0.4] {
        let what =
            json!({"kind": "drive", "linear_m_s": speed, "angular_rad_s": 0.5, "for_s": 0.3});
        assert_eq!(run.request(OPERATOR, &lease, &what).0, 202);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(
        run.ask(VIEWER, "POST", "/v1/agents/rover/stop", "", "").0,
        204
    );
    run.until("the stop", |rover| rover["mode"] == "stopped");
    let (code, text, folder) = run.end();
    assert_eq!(code, Some(0), "{text}");
    let ran = becomingone_tests::run(folder.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn requests_of_two_clients_in_one_tick_have_an_order_that_is_kept() {
    let run = Served::new(&["--record", "run.mcap"]);
    let lease = run.lease(&json!({"for_s": 60, "heartbeat_s": 60}));
    assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/pause", "", "").0, 204);
    until(LIMIT, "the pause", || {
        run.get("/v1/run")["is_paused"] == true
    });
    let set =
        |value: f64| json!({"kind": "set", "parameter": "controller.speed_m_s", "value": value});
    // Two at once, ten times: each pair is of one tick.
    for k in 0..10 {
        let values = [0.2 + f64::from(k) * 0.01, 0.4 + f64::from(k) * 0.01];
        let answers: Vec<_> = std::thread::scope(|scope| {
            let (run, lease) = (&run, &lease);
            let asked = values.map(|value| {
                let what = set(value);
                scope.spawn(move || run.request(OPERATOR, lease, &what))
            });
            asked.map(|one| one.join().unwrap()).into()
        });
        assert!(
            answers.iter().all(|(status, _)| *status == 202),
            "{answers:?}"
        );
        assert_eq!(answers[0].1["tick"], answers[1].1["tick"]);
        let step = "{\"ticks\": 1}";
        assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/step", "", step).0, 204);
        let tick = answers[0].1["tick"].as_u64();
        until(LIMIT, "the tick", || {
            run.get("/v1/run")["tick"].as_u64() == tick
        });
        let now = run.get("/v1/agents/rover/parameters");
        let now = now["parameters"][0]["value"].as_f64().unwrap();
        // The last one holds, and events have their order.
        let events = run.get("/v1/events?most=1000");
        let done: Vec<_> = events["events"].as_array().unwrap().iter().collect();
        let texts = done.iter().filter_map(|event| event["text"].as_str());
        let texts: Vec<_> = texts.filter(|text| text.contains("speed_m_s")).collect();
        assert_eq!(texts.len(), 2 * (k as usize + 1));
        assert!(
            texts.last().unwrap().ends_with(&format!("to {now}")),
            "{texts:?} {now}"
        );
    }
    let (code, text, folder) = run.end();
    assert_eq!(code, Some(0), "{text}");
    let ran = becomingone_tests::run(folder.path(), &["replay", "run.mcap", "--verify"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    // The requests that were kept have the order of the recording.
    assert!(!ran.stdout.contains("differ"), "{}", ran.stdout);
}

#[test]
fn a_recording_is_played_to_any_time_of_its_runs_with_the_same_bits() {
    let run = Served::new(&["--record", "run.mcap", "--rate", "4"]);
    let at = |s: f64| move |rover: &Value| rover["time_s"].as_f64().unwrap() > s;
    run.until("2 s", at(2.0));
    assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/reset", "", "").0, 204);
    run.until("the reset", |rover| !at(1.9)(rover));
    run.until("3 s", at(3.0));
    let (code, text, folder) = run.end();
    assert_eq!(code, Some(0), "{text}");
    let recording = folder.path().join("run.mcap");
    let recording = recording.to_str().unwrap();
    let played = Served::start(&["replay", recording, "--serve=0"]);
    let tell = |what: &str, body: &str| {
        let path = format!("/v1/run/{what}");
        let (status, problem) = played.ask(OPERATOR, "POST", &path, "", body);
        assert_eq!(status, 204, "{what}: {problem}");
    };
    tell("pause", "");
    let place = |to_s: f64| {
        tell("seek", &json!({"to_s": to_s}).to_string());
        let mut now = Value::Null;
        until(LIMIT, "the place, at rest", || {
            let before = std::mem::replace(&mut now, played.get("/v1/run"));
            let at_s = now["playback"]["at_s"].as_f64();
            let is_there = (at_s.unwrap() - to_s).abs() < 0.0015;
            std::thread::sleep(Duration::from_millis(20));
            is_there && before["state_hash"] == now["state_hash"]
        });
        let hash = now["state_hash"].as_str().unwrap().to_owned();
        (hash, now["time_s"].as_f64().unwrap())
    };
    let length_s = played.get("/v1/run")["playback"]["length_s"].as_f64();
    let length_s = length_s.unwrap();
    assert!(length_s > 5.0, "{length_s}");
    let first = place(1.5);
    assert!((first.1 - 1.5).abs() < 0.002, "{first:?}");
    // In the second run, whose time has begun anew.
    let second = place(length_s - 0.5);
    assert!(second.1 < 4.0 && second.1 > 2.0, "{second:?}");
    assert_eq!(place(1.5), first);
    assert_eq!(place(length_s - 0.5), second);
    // Of several that wait, the last one wins, and nothing is played beyond it.
    for k in 0..20 {
        tell("seek", &json!({"to_s": f64::from(k) * 0.1}).to_string());
    }
    assert_eq!(place(1.5), first);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(place(1.5), first);
    // Beyond the end is the end.
    tell("seek", "{\"to_s\": 1e6}");
    tell("resume", "");
    until(LIMIT, "the end", || {
        played.get("/v1/run")["playback"]["is_over"] == true
    });
    assert_eq!(played.get("/v1/run")["is_paused"], true);
    for wrong in ["{\"to_s\": -1}", "{\"to_s\": 1e99}"] {
        let (status, _) = played.ask(OPERATOR, "POST", "/v1/run/seek", "", wrong);
        assert_eq!(status, 400);
    }
    let seek = "{\"to_s\": 1}";
    assert_eq!(played.ask(VIEWER, "POST", "/v1/run/seek", "", seek).0, 403);
    assert_eq!(
        played
            .ask(OWNER, "POST", "/v1/agents/rover/clear_stop", "", "")
            .0,
        409
    );
    let (code, text, _) = played.end();
    assert_eq!(code, Some(0), "{text}");
    let run = Served::new(&[]);
    assert_eq!(run.ask(OPERATOR, "POST", "/v1/run/seek", "", seek).0, 409);
    // One that was cut off before its first run has nothing to play.
    let cut = folder.path().join("cut.mcap");
    let bytes = std::fs::read(recording).unwrap();
    std::fs::write(&cut, &bytes[..20_000]).unwrap();
    let played = Served::start(&["replay", cut.to_str().unwrap(), "--serve=0"]);
    assert_eq!(
        played.ask(OPERATOR, "POST", "/v1/run/seek", "", seek).0,
        204
    );
    until(LIMIT, "the end", || {
        played.get("/v1/run")["playback"]["is_over"] == true
    });
    let (code, text, _) = played.end();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn pictures_whose_clients_are_gone_are_drawn_one_at_a_time() {
    let run = Served::new(&[]);
    let text = format!(
        "GET /v1/picture?width=2048&height=2048 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {VIEWER}\r\n\r\n",
        run.host
    );
    for _ in 0..24 {
        let mut socket = TcpStream::connect(&run.host).unwrap();
        socket.write_all(text.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(30));
    }
    // One takes 270 MB.
    let status = std::fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most: u64 = most
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(most < 700_000, "{most} kB");
    assert_eq!(run.ask(VIEWER, "POST", "/v1/stop", "", "").0, 204);
}

#[test]
fn readers_change_nothing_and_a_run_without_a_server_is_the_same() {
    let hash = |arguments: &[&str]| {
        let folder = folder(&[("s.ron", &scene())]);
        let common = [
            "run",
            "s.ron",
            "--duration",
            "3s",
            "--rerun",
            "off",
            "--summary",
            "s.json",
            "--quiet",
        ];
        let ran = run(folder.path(), &[&common[..], arguments].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let text = std::fs::read_to_string(folder.path().join("s.json")).unwrap();
        let summary: Value = serde_json::from_str(&text).unwrap();
        summary["state_hash"].as_str().unwrap().to_owned()
    };
    let expected = hash(&[]);
    assert_eq!(hash(&["--serve=0", "--fast"]), expected);
    // With readers that never pause.
    let run = Served::new(&["--duration", "3s", "--summary", "s.json"]);
    let mut asked = 0;
    while run.ask(VIEWER, "GET", "/v1/sensors/rover/lidar", "", "").0 == 200 {
        asked += 1;
        if asked > 100_000 {
            break;
        }
    }
    assert!(asked > 100, "{asked}");
    let mut run = run;
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
    let text = std::fs::read_to_string(run.folder.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["state_hash"], expected.as_str());
}

#[test]
fn requests_of_other_sites_and_bad_ones_are_refused() {
    let run = Served::new(&[]);
    let get = |headers: &str| {
        let text = format!(
            "GET /v1/agents HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer {VIEWER}\r\n{headers}\r\n"
        );
        run.raw(text.as_bytes()).0
    };
    let host = format!("Host: {}\r\n", run.host);
    assert_eq!(get(&host), 200);
    assert_eq!(get("Host: evil.example\r\n"), 421);
    assert_eq!(get(&format!("{host}Origin: http://evil.example\r\n")), 403);
    assert_eq!(get(&format!("{host}Origin: http://{}\r\n", run.host)), 200);
    // Bodies that are too large, no JSON, or not what is expected.
    let post = |path: &str, body: &str| run.ask(OWNER, "POST", path, "", body);
    assert_eq!(
        post(
            "/v1/run/step",
            &format!("{{\"ticks\": {}}}", "1".repeat(100_000))
        )
        .0,
        413
    );
    for (path, body, status) in [
        ("/v1/run/step", "{", 400),
        ("/v1/run/step", "{\"ticks\": -1}", 422),
        ("/v1/run/step", "{\"ticks\": 1}", 409),
        ("/v1/run/step", "{\"ticks\": 0}", 400),
        ("/v1/run/pace", "{}", 422),
        ("/v1/run/pace", "{\"factor\": 1e99}", 400),
        ("/v1/agents/rover/lease", "{\"for_s\": 1e99}", 400),
        ("/v1/agents/rovr/lease", "{\"for_s\": 1}", 404),
        ("/v1/nothing", "{}", 404),
        ("/v1/agents", "{}", 405),
    ] {
        let (found, problem) = post(path, body);
        assert_eq!(found, status, "{path} {body}: {problem}");
        assert_eq!(problem["status"], status, "{path} {body}: {problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    // A head that never ends, and many that say nothing: others are served meanwhile.
    let mut slow: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(&run.host).unwrap())
        .collect();
    for socket in &mut slow {
        socket.write_all(b"GET /v1/health HTTP/1.1\r\nX: ").unwrap();
    }
    let begun = Instant::now();
    assert_eq!(get(&host), 200);
    assert!(begun.elapsed() < Duration::from_secs(2));
    let mut one = slow.pop().unwrap();
    one.set_read_timeout(Some(LIMIT)).unwrap();
    let _ = one.read_to_end(&mut Vec::new());
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "closed after {:?}",
        begun.elapsed()
    );
    // Bytes of another protocol.
    let _ = run.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    assert_eq!(get(&host), 200);
}

#[test]
fn mistakes_at_the_start_are_said() {
    let folder = folder(&[("s.ron", &scene()), ("open", "0123456789abcdef")]);
    tool(folder.path(), "chmod 644 open");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let begin = |arguments: &[&str]| -> Ran {
        let mut command = Command::new(binary());
        command
            .args(["run", "s.ron", "--rerun", "off", "--duration", "0.1s"])
            .args(arguments)
            .current_dir(folder.path())
            .env("XDG_RUNTIME_DIR", folder.path());
        finish(&mut command, LIMIT)
    };
    let serve = format!("--serve={port}");
    for (arguments, words) in [
        (&[serve.as_str()][..], "is free"),
        (&["--serve=0", "--bind", "0.0.0.0"], "without TLS"),
        (&["--serve=0", "--token-file", "open"], "chmod 600"),
        (&["--serve=0", "--token-file", "none"], "none"),
        (&["--bind", "127.0.0.1"], "--serve"),
        (&["--serve=0", "--tls-cert", "a", "--tls-key", "b"], "a: "),
    ] {
        let ran = begin(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn other_machines_are_served_by_tls() {
    let folder = folder(&[("s.ron", &scene())]);
    tool(
        folder.path(),
        &format!("{}\nmkdir -m 700 runtime", becomingone_tests::CERTIFICATES),
    );
    let mut child = Command::new(binary())
        .args([
            "run",
            "s.ron",
            "--rerun",
            "off",
            "--serve=0",
            "--bind",
            "0.0.0.0",
            "--tls-cert",
            "server.pem",
            "--tls-key",
            "server.key",
        ])
        .current_dir(folder.path())
        .env("XDG_RUNTIME_DIR", folder.path().join("runtime"))
        .env("BECOMINGONE_TOKEN", OWNER)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let page = out
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.strip_prefix("page: ").map(str::to_owned))
        .unwrap();
    let url = page.split("/#").next().unwrap();
    assert!(url.starts_with("https://localhost:"), "{url}");
    if let Some(python) = python() {
        let code = "import sys, ssl, urllib.request as u
context = ssl.create_default_context(cafile='ca.pem')
print(u.urlopen(u.Request(sys.argv[1] + '/v1/version', headers={'Authorization': 'Bearer ' + sys.argv[2]}), context=context).read().decode())";
        let grpc = "import sys, grpc
root = grpc.ssl_channel_credentials(open('ca.pem', 'rb').read())
same = lambda content: content
channel = grpc.secure_channel(sys.argv[1].removeprefix('https://'), root)
ask = channel.unary_unary('/becomingone.v1.Engine/GetVersion', request_serializer=same, response_deserializer=same)
print(ask(b'', metadata=[('authorization', 'Bearer ' + sys.argv[2])], timeout=10))";
        let mcp = "import sys, ssl, json, urllib.request as u
context = ssl.create_default_context(cafile='ca.pem')
hello = {'protocolVersion': '2025-06-18', 'capabilities': {}, 'clientInfo': {'name': 'x', 'version': '1'}}
hello = {'jsonrpc': '2.0', 'id': 1, 'method': 'initialize', 'params': hello}
headers = {'Authorization': 'Bearer ' + sys.argv[2], 'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'}
print(u.urlopen(u.Request(sys.argv[1] + '/mcp', json.dumps(hello).encode(), headers), context=context).read().decode())";
        for code in [code, grpc, mcp] {
            let mut command = Command::new(&python);
            command
                .args(["-c", code, url, OWNER])
                .current_dir(folder.path());
            let ran = finish(&mut command, LIMIT);
            assert!(
                ran.stdout.contains("becomingone"),
                "{}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
    signal("INT", child.id());
    child.wait().unwrap();
}

#[test]
fn top_finds_a_run_and_forgets_one_that_was_killed() {
    let mut run = Served::new(&[]);
    let runtime = run.folder.path().join("runtime");
    let top = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command
            .arg("top")
            .args(arguments)
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("BECOMINGONE_TOKEN", VIEWER);
        finish(&mut command, LIMIT)
    };
    let ran = top(&["--once"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for words in ["rover/lidar", "controller", &run.host] {
        assert!(ran.stdout.contains(words), "{}", ran.stdout);
    }
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    let ran = top(&["--once"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("found no run that serves"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_stream_has_views_at_its_rate_and_a_slow_client_slows_nobody() {
    let Some(python) = python() else { return };
    let run = Served::new(&[]);
    let script = root().join("tests/peers/stream.py");
    let mut command = Command::new(python);
    command.arg(script).args([&run.host, VIEWER]);
    let ran = finish(&mut command, Duration::from_secs(60));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn the_description_is_what_schemathesis_finds() {
    let Some(python) = python() else { return };
    let run = Served::new(&[]);
    // The stream is no answer of HTTP, and the run is not to end.
    let without = ["/v1/stream", "/v1/run/end", "/v1/run/pace"];
    let without = without.iter().flat_map(|path| ["--exclude-path", path]);
    schemathesis(&run, &without.collect::<Vec<_>>());
    // Prometheus' own parser.
    let text = "import sys, urllib.request as u
from prometheus_client.parser import text_string_to_metric_families as parse
text = u.urlopen(u.Request(f'http://{sys.argv[1]}/v1/metrics', headers={'Authorization': 'Bearer ' + sys.argv[2]})).read().decode()
families = {family.name: family for family in parse(text)}
assert families['becomingone_ticks'].samples[0].value > 0
assert families['becomingone_sensor_readings'].samples[0].labels['sensor'] == 'rover/encoders', families";
    let mut command = Command::new(python);
    command.args(["-c", text, &run.host, VIEWER]);
    let ran = finish(&mut command, LIMIT);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn nothing_that_is_asked_in_ten_thousand_ways_moves_what_it_may_not() {
    let Some(python) = python() else { return };
    let run = Served::new(&["--record", "run.mcap"]);
    let memory = |field: &str| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", run.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    // CPU time of a tick of the run (us), while somebody asks `of`: the thread of the ticks is the first one.
    let flooded = |of: &Served| {
        let spent = || {
            let of = run.child.id();
            let text = std::fs::read_to_string(format!("/proc/{of}/task/{of}/schedstat")).unwrap();
            let ns: f64 = text.split(' ').next().unwrap().parse().unwrap();
            (ns, run.get("/v1/run")["tick"].as_f64().unwrap())
        };
        let (ns, tick) = spent();
        let mut command = Command::new(&python);
        command
            .arg(root().join("tests/peers/flood.py"))
            .args([&of.host, OWNER, OPERATOR, VIEWER, "10000"]);
        let ran = finish(&mut command, Duration::from_secs(120));
        assert!(ran.stdout.ends_with("ok\n"), "{}{}", ran.stdout, ran.stderr);
        let (ns_after, tick_after) = spent();
        (ns_after - ns) / (tick_after - tick) * 1e-3
    };
    let beside_us = flooded(&Served::new(&["--record", "run.mcap"]));
    let before = memory("VmRSS:");
    let own_us = flooded(&run);
    say(&format!(
        "a tick beside the same load on another server {beside_us:.0} us, under it {own_us:.0} us"
    ));
    assert!(own_us < 1.5 * beside_us, "{own_us} us after {beside_us} us");
    let most = memory("VmHWM:");
    assert!(most < before + 64_000, "{most} kB after {before} kB");
    // What was accepted is within the limits of the lease, and from nobody else than its holder.
    let text = std::fs::read_to_string(run.folder.path().join("run.mcap.requests")).unwrap();
    let mut accepted = 0;
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let Some(what) = entry.get("what") else {
            continue;
        };
        for part in ["linear_m_s", "angular_rad_s"] {
            let speed = what["Twist"][part].as_f64();
            assert!(speed.is_some_and(|speed| speed.abs() <= 0.3), "{line}");
        }
        assert_eq!(
            (&entry["agent"], &entry["role"]),
            (&json!("rover"), &json!("operator"))
        );
        accepted += 1;
    }
    assert!(accepted > 0);
    let (_, text, folder) = run.end();
    let verified = becomingone_tests::run(
        folder.path(),
        &["replay", "--verify", "--rerun=off", "run.mcap"],
    );
    assert!(
        verified.stdout.contains("all hashes equal"),
        "{text}{}{}",
        verified.stdout,
        verified.stderr
    );
}
