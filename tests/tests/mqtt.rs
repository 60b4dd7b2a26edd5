//! The driver of MQTT against Eclipse Mosquitto: messages, broken connections, commands. `mqtt_refusals` has what a broker
//! refuses, `mqtt_state` what a run publishes.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone::CoherenceEngine;
use becomingone::components::link::{Link, LinkState};
use becomingone::components::sensor::ValueRow;
use becomingone::prelude::*;
use becomingone_tests::mosquitto::Mosquitto;
use becomingone_tests::{binary, folder, get, root, run, say, signal, until};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);
/// Of messages in the tests of broken connections.
const LOAD: usize = 1500;

/// Instrument `box/meter` with one number.
fn meter(broker: &Mosquitto, options: &str) -> String {
    format!(
        "(version: 1, duration_s: 1000.0, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
            name: \"meter\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 100.0, queue: DropOldest(4096),
            source: Driver(\"mqtt\", (broker: \"{}\", {options})), silence: (after_s: 1000.0))])])",
        broker.url()
    )
}

/// A rover whose drive and gauge are behind the same broker.
fn rover(broker: &Mosquitto) -> String {
    let url = broker.url();
    format!(
        "(version: 1, agents: [(name: \"rover\", model: \"{}\", drive: Auto, coherence: off,
            drive_source: Driver(\"mqtt\", (broker: \"{url}\", topic: \"robot/drive\", qos: 1)),
            sensors: [
                (name: \"lidar\", kind: Lidar(rays: 8, range_max_m: 5.0), rate_hz: 10.0, position_m: (0, 0, 0.3)),
                (name: \"gauge\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 10.0,
                 source: Driver(\"mqtt\", (broker: \"{url}\", topic: \"robot/gauge\")), silence: (after_s: 1000.0))],
            controller: Patrol(waypoints_m: [(5.0, 0.0)], speed_m_s: 0.5))])",
        root().join("assets/rover.urdf").display()
    )
}

#[derive(Resource, Default)]
struct Values(Vec<f64>);

fn collect(mut values: ResMut<Values>, sensors: Query<&Reading<ValueRow>>) {
    for reading in &sensors {
        values.0.extend(reading.batch().map(|s| s.value.numbers[0]));
    }
}

fn start(text: &str) -> CoherenceEngine {
    let folder = folder(&[("s.ron", text)]);
    let scene = folder.path().join("s.ron");
    let mut engine = CoherenceEngine::from_scene(scene).unwrap_or_else(|e| panic!("{e}"));
    engine.world_mut().init_resource::<Values>();
    engine.add_plugin(|app: &mut App| {
        app.add_systems(Tick, collect.in_set(TickSystems::Publish));
    });
    engine.start().unwrap_or_else(|e| panic!("{e}"));
    engine
}

fn link(engine: &CoherenceEngine) -> Link {
    get::<Link>(engine, "box/meter")
}

fn steps_until(engine: &mut CoherenceEngine, what: &str, reached: impl Fn(&Link) -> bool) {
    until(LIMIT, what, || {
        engine.step().unwrap();
        std::thread::sleep(Duration::from_micros(200));
        reached(&link(engine))
    });
}

fn values(engine: &CoherenceEngine) -> Vec<f64> {
    engine.world().resource::<Values>().0.clone()
}

/// A Python that has these modules; none with a notice.
fn python(modules: &str) -> Option<String> {
    let python = std::env::var("BECOMINGONE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut import = Command::new(&python);
    import
        .args(["-c", &format!("import {modules}")])
        .stderr(Stdio::null());
    if import.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    say(&format!("skipped: BECOMINGONE_PYTHON has no {modules}"));
    None
}

#[test]
fn messages_are_readings_and_their_losses_and_duplicates_are_counted() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    for version in [3, 5] {
        let mut engine = start(&meter(
            &broker,
            &format!(
                "topic: \"robot/+/imu/#\", version: {version}, qos: 1, pick: {{\"x\": \"/g/x\"}}, sequence: \"/n\""
            ),
        ));
        steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
        broker.publish(&[
            "-t",
            "robot/a/other",
            "-m",
            "{\"n\": 100, \"g\": {\"x\": 100}}",
        ]);
        let line = |n: u32, x: &str| format!("{{\"n\": {n}, \"g\": {{\"x\": {x}}}}}\n");
        let lines = [
            line(0, "0.5"),
            line(1, "NaN"),
            line(1, "1"),
            line(4, "\"4\""),
            "what\n".to_owned(),
            "{\"n\": 5, \"h\": 1}\n".to_owned(),
            line(5, "-5"),
        ];
        broker.publish_lines(&["-t", "robot/a/imu", "-q", "1"], &lines.concat());
        broker.publish(&["-t", "robot/b/imu/left/raw", "-q", "2", "-m", &line(6, "6")]);
        steps_until(&mut engine, "all", |l| l.received == 5);
        let counts = link(&engine).counts;
        assert_eq!(
            (
                counts.gaps,
                counts.duplicates,
                counts.garbage,
                counts.dropped
            ),
            (2, 1, 2, 0),
            "{counts:?}"
        );
        assert_eq!(values(&engine), [0.5, 4.0, -5.0, 6.0]);
    }
}

#[test]
fn payloads_of_other_encoders_are_read() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    for (module, decode) in [("msgpack", "MessagePack"), ("cbor2", "Cbor")] {
        let Some(python) = python(module) else {
            continue;
        };
        let script = root().join("tests/peers/payloads.py");
        let mut encode = Command::new(python);
        encode
            .arg(script)
            .args([module, "payload"])
            .current_dir(&broker.folder);
        assert!(encode.status().unwrap().success());
        let mut engine = start(&meter(
            &broker,
            &format!("topic: \"t\", decode: {decode}, pick: \"/imu/x\", sequence: \"/n\""),
        ));
        steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
        broker.publish(&["-t", "t", "-f", "payload"]);
        broker.publish(&["-t", "t", "-m", "{}"]);
        steps_until(&mut engine, "both", |l| {
            l.received == 1 && l.counts.garbage == 1
        });
        assert_eq!(values(&engine), [-1.25]);
    }
    let mut engine = start(&meter(&broker, "topic: \"t\", decode: Raw"));
    steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
    broker.publish(&["-t", "t", "-m", " +021.50"]);
    broker.publish(&["-t", "t", "-m", "warm"]);
    steps_until(&mut engine, "both", |l| {
        l.received == 1 && l.counts.garbage == 1
    });
    assert_eq!(values(&engine), [21.5]);
}

#[test]
fn a_retained_message_is_one_reading_also_after_the_broker_was_away() {
    let Some(mut broker) = Mosquitto::start("persistence true") else {
        return;
    };
    broker.publish(&["-t", "tank/a", "-r", "-m", "{\"x\": 1}"]);
    broker.publish(&["-t", "tank/b", "-r", "-m", "{\"x\": 2}"]);
    let mut engine = start(&meter(&broker, "topic: \"tank/+\""));
    steps_until(&mut engine, "both", |l| l.received == 2);
    broker.end("TERM");
    steps_until(&mut engine, "down", |l| l.state == LinkState::Down);
    broker.begin();
    broker.publish(&["-t", "tank/b", "-r", "-m", "{\"x\": 3}"]);
    steps_until(&mut engine, "up and the new one", |l| {
        l.state == LinkState::Up && l.received == 3
    });
    broker.publish(&["-t", "tank/a", "-m", "{\"x\": 4}"]);
    steps_until(&mut engine, "a live one", |l| l.received == 4);
    let mut found = values(&engine);
    found.sort_by(f64::total_cmp);
    assert_eq!(found, [1.0, 2.0, 3.0, 4.0]);
    // Where they are not wanted.
    let mut engine = start(&meter(&broker, "topic: \"tank/+\", retained: false"));
    steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
    broker.publish(&["-t", "tank/a", "-m", "{\"x\": 5}"]);
    steps_until(&mut engine, "a live one", |l| l.received == 1);
    assert_eq!(values(&engine), [5.0]);
}

/// The broker is ended and started again while a peer publishes.
fn restarted_under_load(options: &str, qos: &str) {
    let Some(mut broker) = Mosquitto::start("persistence true") else {
        return;
    };
    let Some(python) = python("paho.mqtt.client") else {
        return;
    };
    let mut engine = start(&meter(
        &broker,
        &format!("topic: \"load\", qos: {qos}, client: \"consumer\", {options}"),
    ));
    steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
    let script = root().join("tests/peers/mqtt_load.py");
    let mut load = Command::new(python)
        .arg(script)
        .args([&broker.port.to_string(), qos, &LOAD.to_string(), "load"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    for part in [1, 2] {
        steps_until(&mut engine, "a third", |l| {
            l.received as usize >= LOAD * part / 3
        });
        broker.end("TERM");
        steps_until(&mut engine, "down", |l| l.state == LinkState::Down);
        broker.begin();
    }
    until(LIMIT, "all acknowledged", || {
        engine.step().unwrap();
        load.try_wait()
            .unwrap()
            .is_some_and(|status| status.success())
    });
    let last = (LOAD - 1) as f64;
    until(LIMIT, "the last", || {
        engine.step().unwrap();
        values(&engine).contains(&last)
    });
    let numbers: Vec<f64> = (0..LOAD).map(|n| n as f64).collect();
    let mut found = values(&engine);
    found.sort_by(f64::total_cmp);
    assert_eq!(found.len(), LOAD, "{:?}", link(&engine));
    assert_eq!(found, numbers);
    let counts = link(&engine).counts;
    assert_eq!((counts.gaps, counts.dropped), (0, 0), "{counts:?}");
}

#[test]
fn nothing_is_lost_or_twice_when_the_broker_is_ended_and_started_under_load() {
    restarted_under_load("sequence: \"/n\"", "1");
}

#[test]
fn nothing_is_lost_or_twice_in_mqtt_5_when_the_broker_is_ended_and_started_under_load() {
    restarted_under_load("version: 5, sequence: \"/n\"", "1");
}

/// Without numbers: the protocol alone.
#[test]
fn qos_2_is_exactly_once_without_a_sequence_over_a_broken_connection() {
    restarted_under_load("", "2");
}

#[test]
fn qos_2_is_exactly_once_in_mqtt_5_without_a_sequence_over_a_broken_connection() {
    restarted_under_load("version: 5", "2");
}

#[test]
fn what_is_lost_with_a_killed_broker_is_counted() {
    let Some(mut broker) = Mosquitto::start("persistence true\nautosave_interval 0") else {
        return;
    };
    let options = "topic: \"load\", qos: 1, client: \"consumer\", sequence: \"/n\"";
    let mut engine = start(&meter(&broker, options));
    steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
    let numbers = |range: std::ops::Range<u32>| {
        range
            .map(|n| format!("{{\"n\": {n}, \"x\": {n}}}\n"))
            .collect::<String>()
    };
    broker.publish_lines(&["-t", "load", "-q", "1"], &numbers(0..10));
    steps_until(&mut engine, "ten", |l| l.received == 10);
    let mut next = 10;
    // The new broker does not know the session: what it takes before the driver is back is lost. The driver may be faster.
    until(LIMIT, "a gap", || {
        broker.end("KILL");
        steps_until(&mut engine, "down", |l| l.state == LinkState::Down);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(500) {
            engine.step().unwrap();
        }
        broker.begin();
        broker.publish_lines(&["-t", "load", "-q", "1"], &numbers(next..next + 5));
        next += 5;
        steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
        broker.publish_lines(&["-t", "load", "-q", "1"], &numbers(next..next + 1));
        next += 1;
        let last = f64::from(next - 1);
        until(LIMIT, "the last", || {
            engine.step().unwrap();
            values(&engine).contains(&last)
        });
        link(&engine).counts.gaps > 0
    });
    let Link {
        received, counts, ..
    } = link(&engine);
    assert_eq!(received + counts.gaps, u64::from(next), "{counts:?}");
    let summary = serde_json::to_value(engine.summary()).unwrap();
    let shown = summary["agents"][0]["sensors"][0].to_string();
    assert!(
        shown.contains(&format!("\"gaps\":{}", counts.gaps)),
        "{shown}"
    );
}

#[test]
fn a_broker_that_stalls_is_down_and_one_that_goes_on_is_up() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    for version in [3, 5] {
        let mut engine = start(&meter(
            &broker,
            &format!("topic: \"t\", version: {version}"),
        ));
        steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
        broker.signal("STOP");
        let begun = Instant::now();
        steps_until(&mut engine, "down", |l| l.state == LinkState::Down);
        assert!(begun.elapsed() < Duration::from_secs(15));
        broker.signal("CONT");
        steps_until(&mut engine, "up again", |l| l.state == LinkState::Up);
    }
}

#[test]
fn a_message_that_is_too_long_is_none_and_the_next_is_read() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    std::fs::write(broker.folder.path().join("long"), vec![b' '; 2 << 20]).unwrap();
    for version in [3, 5] {
        let mut engine = start(&meter(
            &broker,
            &format!("topic: \"t\", version: {version}"),
        ));
        steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
        broker.publish(&["-t", "t", "-f", "long"]);
        if version == 3 {
            steps_until(&mut engine, "down", |l| l.state == LinkState::Down);
        }
        steps_until(&mut engine, "up again", |l| l.state == LinkState::Up);
        broker.publish(&["-t", "t", "-m", "{\"x\": 7}"]);
        steps_until(&mut engine, "the next", |l| l.received == 1);
        assert_eq!(values(&engine), [7.0]);
    }
}

#[test]
fn a_flood_is_dropped_by_the_queue_and_counted() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let mut engine = start(&meter(&broker, "topic: \"t\", sequence: \"/n\""));
    steps_until(&mut engine, "up", |l| l.state == LinkState::Up);
    let lines: String = (0..50_000)
        .map(|n| format!("{{\"n\": {n}, \"x\": {n}}}\n"))
        .collect();
    broker.publish_lines(&["-t", "t"], &lines);
    let mut last = (0, Instant::now());
    until(LIMIT, "the end of the flood", || {
        engine.step().unwrap();
        let Link {
            received, counts, ..
        } = link(&engine);
        let arrived = received + counts.dropped + counts.gaps;
        if arrived != last.0 {
            last = (arrived, Instant::now());
        }
        arrived > 0 && last.1.elapsed() > Duration::from_secs(1)
    });
    let Link {
        received, counts, ..
    } = link(&engine);
    // What the queue, and with QoS 0 the broker, drops; the last one may be among these.
    assert!(counts.dropped > 0, "{counts:?}");
    assert!(
        received + counts.dropped + counts.gaps <= 50_000,
        "{counts:?}"
    );
    assert_eq!((counts.garbage, counts.duplicates), (0, 0), "{counts:?}");
}

#[test]
fn commands_are_published_only_if_armed_and_the_last_one_is_safe() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let heard = broker.subscribe("robot/#");
    let folder = folder(&[("s.ron", &rover(&broker))]);
    let arguments = [
        "run",
        "s.ron",
        "--rerun",
        "off",
        "--quiet",
        "--duration",
        "1.5s",
    ];
    let ran = run(folder.path(), &arguments);
    assert!(
        ran.stderr.contains("hardware is not armed"),
        "{}",
        ran.stderr
    );
    broker.publish(&["-t", "robot/end", "-m", "1"]);
    heard.wait_for("robot/end", |_| true);
    assert_eq!(heard.messages().len(), 1, "{:?}", heard.messages());
    let connections = broker.logged("New client connected");
    let ran = run(folder.path(), &[&arguments[..], &["--arm"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // The gauge and the drive share a connection.
    assert_eq!(broker.logged("New client connected"), connections + 1);
    broker.publish(&["-t", "robot/end", "-m", "2"]);
    heard.wait_for("robot/end", |payload| payload == "2");
    let commands: Vec<Value> = heard
        .messages()
        .iter()
        .filter(|(_, topic, _)| topic == "robot/drive")
        .map(|(_, _, payload)| serde_json::from_str(payload).unwrap())
        .collect();
    assert!(commands.len() > 50, "{}", commands.len());
    assert!(
        commands
            .iter()
            .any(|c| c["safe"] == false && c["values"][0].as_f64() > Some(0.1)),
        "{commands:?}"
    );
    let last = commands.last().unwrap();
    assert_eq!(
        (&last["safe"], &last["values"]),
        (&Value::from(true), &serde_json::json!([0.0, 0.0]))
    );
    assert_eq!(
        (&last["actuator"], &last["kind"]),
        (&"rover/drive".into(), &"twist".into())
    );
    // No last will after an orderly end.
    assert!(commands.iter().all(|c| c["sequence"] != 0), "{commands:?}");
}

#[test]
fn the_broker_publishes_the_safe_command_of_a_run_that_is_killed() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let heard = broker.subscribe("robot/#");
    let folder = folder(&[("s.ron", &rover(&broker))]);
    let killed = |more: &[&str], wait: &dyn Fn()| {
        let ends = || broker.logged("closed its connection") + broker.logged("disconnect");
        let (accepted, ended) = (broker.logged("Sending SUBACK"), ends());
        let mut command = Command::new(binary());
        command
            .args(["run", "s.ron", "--rerun", "off", "--quiet"])
            .args(more);
        let mut child = command
            .current_dir(&folder)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until(LIMIT, "the driver", || {
            broker.logged("Sending SUBACK") > accepted
        });
        wait();
        signal("KILL", child.id());
        child.wait().unwrap();
        until(LIMIT, "its end", || ends() > ended);
    };
    killed(&[], &|| {});
    broker.publish(&["-t", "robot/end", "-m", "1"]);
    heard.wait_for("robot/end", |_| true);
    assert_eq!(heard.messages().len(), 1, "{:?}", heard.messages());
    killed(&["--arm"], &|| {
        heard.wait_for("robot/drive", |payload| payload.contains("\"safe\":false"));
    });
    let will = heard.wait_for("robot/drive", |payload| payload.contains("\"sequence\":0,"));
    let will: Value = serde_json::from_str(&will).unwrap();
    assert_eq!(
        will,
        serde_json::json!({"actuator": "rover/drive", "sequence": 0, "now_ns": 0, "kind": "twist", "safe": true, "values": [0.0, 0.0]})
    );
}

#[test]
fn mistakes_in_a_scene_are_refused_with_their_place_and_print_no_secret() {
    let scene = |options: &str| {
        format!(
            "(version: 1, duration_s: 0.1, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
                name: \"meter\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 100.0,
                source: Driver(\"mqtt\", ({options})))])])"
        )
    };
    let here = "broker: \"mqtt://127.0.0.1:1\"";
    for (options, words) in [
        (
            "broker: \"mqtt://robot:hunter2@broker\", topic: \"t\"".to_owned(),
            "login: Env(",
        ),
        (
            format!("{here}, topic: \"t\", password: \"hunter2\""),
            "login: Env(",
        ),
        (
            format!("{here}, topic: \"t\", user: \"robot\", password: Some(\"hunter2\")"),
            "login: Env(",
        ),
        (
            format!("{here}, topic: \"t\", login: Env(user: \"ROBOT\", password: \"hunter2\")"),
            "no name of an environment variable",
        ),
        (
            format!(
                "{here}, topic: \"t\", login: Env(user: \"NO_SUCH_USER\", password: \"NO_SUCH_PASSWORD\")"
            ),
            "found no environment variable `NO_SUCH_USER`",
        ),
        (
            format!("{here}, topic: \"t\", login: File(\"none.login\")"),
            "none.login",
        ),
        (
            "broker: \"mqtt://10.0.0.7\", topic: \"t\", login: File(\"none.login\")".to_owned(),
            "found `login` with mqtt:// to another machine; expected mqtts://",
        ),
        (
            "broker: \"mqtt://10.0.0.7\", topic: \"t\", login: File(\"none.login\"), in_clear: true".to_owned(),
            "none.login",
        ),
        (
            "broker: \"localhost\", topic: \"t\"".to_owned(),
            "`mqtt://host:1883`",
        ),
        (format!("{here}, topic: \"a#\""), "robot/#"),
        (format!("{here}, topic: \"t\", qos: 3"), "expected 0 to 2"),
        (
            format!("{here}, topic: \"t\", version: 4"),
            "3 (MQTT 3.1.1) or 5",
        ),
        (
            format!("{here}, topic: \"t\", pick: {{\"y\": \"/y\"}}"),
            "found the field `y` in `pick`",
        ),
        (format!("{here}, topic: \"t\", decode: Jason"), "Jason"),
        (
            format!("{here}, topic: \"t\", ca: \"ca.pem\""),
            "expected `mqtts://`",
        ),
        (
            "broker: \"mqtts://127.0.0.1\", topic: \"t\", ca: \"none.pem\"".to_owned(),
            "none.pem",
        ),
        (
            "broker: \"mqtts://127.0.0.1\", topic: \"t\", key: \"k.pem\"".to_owned(),
            "one of `certificate` and `key`",
        ),
    ] {
        let folder = folder(&[("s.ron", &scene(&options))]);
        for verb in [
            &["run", "s.ron", "--rerun", "off", "--quiet"][..],
            &["check", "s.ron"],
            &["check", "s.ron", "--resolved"],
        ] {
            let ran = run(folder.path(), verb);
            let printed = ran.stdout + &ran.stderr;
            assert!(!printed.contains("hunter2"), "{printed}");
            if verb[0] == "run" {
                assert_eq!(ran.code, Some(2), "{options}\n{printed}");
                assert!(printed.contains(words), "no {words} in {printed}");
                assert!(printed.contains("s.ron:"), "{printed}");
            }
        }
    }
    let text = scene(&format!("{here}, topic: \"a/#\""));
    let sensors = "sensors: [(";
    let second = "sensors: [(name: \"other\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 1.0,
        source: Driver(\"mqtt\", (broker: \"mqtt://127.0.0.1:1\", topic: \"a/+\"))), (";
    let folder = folder(&[("s.ron", &text.replacen(sensors, second, 1))]);
    let ran = run(
        folder.path(),
        &["run", "s.ron", "--rerun", "off", "--quiet"],
    );
    assert!(ran.stderr.contains("`a/+` and `a/#`"), "{}", ran.stderr);
}

#[test]
fn the_sources_of_the_readme_are_a_scene_and_the_sample_runs_without_a_broker() {
    let readme = std::fs::read_to_string(root().join("plugins/mqtt/README.md")).unwrap();
    let (_, rest) = readme.split_once("```ron\n").unwrap();
    let (sources, _) = rest.split_once("```").unwrap();
    let rover = root().join("assets/rover.urdf");
    let text = format!(
        "(version: 1, duration_s: 1.0, agents: [(name: \"rover\", model: {rover:?}, drive: Auto, coherence: off, {sources})])"
    );
    let folder = folder(&[("s.ron", &text)]);
    let ran = run(folder.path(), &["check", "s.ron"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let sample = root().join("plugins/mqtt/scenes/mqtt_rover.ron");
    let sample = sample.to_str().unwrap();
    let arguments = [
        "run",
        sample,
        "--rerun",
        "off",
        "--duration",
        "3s",
        "--summary",
        "s.json",
    ];
    let ran = run(folder.path(), &arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary = std::fs::read(folder.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let sensor = &summary["agents"][0]["sensors"][0];
    assert!(sensor["readings"].as_u64().unwrap() >= 5, "{sensor}");
}
