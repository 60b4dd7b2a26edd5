//! What `--mqtt` publishes and takes: state, description for Home Assistant, commands. Against Eclipse Mosquitto.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::mosquitto::{Mosquitto, Subscriber};
use becomingone_tests::{binary, folder, root, run, signal, until};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(30);

/// A rover that stands still unless it is commanded; `drive` is the line of its drive's source.
fn scene(drive: &str) -> String {
    format!(
        "(version: 1, name: \"yard one\", agents: [(name: \"rover\", model: \"{}\", drive: Auto, {drive}
            sensors: [(name: \"encoders\", kind: Encoders(), rate_hz: 100.0)])])",
        root().join("assets/rover.urdf").display()
    )
}

/// A run with `--mqtt`, ended with the test.
struct Run {
    child: Child,
    folder: TempDir,
}

impl Run {
    fn start(broker: &Mosquitto, text: &str, more: &[&str]) -> Self {
        let folder = folder(&[("s.ron", text)]);
        let mut command = Command::new(binary());
        command
            .args([
                "run",
                "s.ron",
                "--rerun",
                "off",
                "--quiet",
                "--mqtt",
                &broker.url(),
            ])
            .args(more);
        command.stderr(std::fs::File::create(folder.path().join("stderr")).unwrap());
        let child = command
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn end(&mut self, name: &str) {
        signal(name, self.child.id());
        self.child.wait().unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(payload: &str) -> Value {
    serde_json::from_str(payload).unwrap_or_else(|e| panic!("{payload}: {e}"))
}

/// The topics' begin of the scene: its name has a space, and so a hash behind it.
fn base(heard: &Subscriber) -> String {
    let mut base = None;
    until(LIMIT, "the status", || {
        let all = heard.messages();
        let mut topics = all
            .iter()
            .filter_map(|(_, topic, _)| topic.strip_suffix("/status"));
        base = topics.next().map(str::to_owned);
        base.is_some()
    });
    base.unwrap()
}

/// The fields of the schema that Home Assistant publishes for a device: `DEVICE_DISCOVERY_SCHEMA` and what it is made of,
/// in <https://github.com/home-assistant/core/blob/0f5c1b5/homeassistant/components/mqtt/schemas.py>. Other keys than
/// these are refused by it; entities of these platforms have a `unique_id`
/// (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>).
fn check_discovery(topic: &str, payload: &Value) {
    let keys = |value: &Value| -> Vec<String> {
        let object = value.as_object().unwrap_or_else(|| panic!("{value}"));
        object.keys().cloned().collect()
    };
    let check = |value: &Value, required: &[&str], optional: &[&str]| {
        let keys = keys(value);
        for key in required {
            assert!(keys.iter().any(|k| k == key), "no {key} in {value}");
        }
        for key in &keys {
            let is_known = required.contains(&&**key) || optional.contains(&&**key);
            assert!(is_known, "unknown {key} in {value}");
        }
    };
    // TOPIC_MATCHER of discovery.py: component, object_id.
    let parts: Vec<&str> = topic.split('/').collect();
    assert_eq!(
        (parts[0], parts[1], parts[3], parts.len()),
        ("homeassistant", "device", "config", 4)
    );
    let is_id = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    };
    assert!(is_id(parts[2]), "{topic}");
    check(
        payload,
        &["device", "components", "origin"],
        &[
            "availability_topic",
            "availability_template",
            "payload_available",
            "payload_not_available",
            "availability_mode",
            "availability",
            "state_topic",
            "command_topic",
            "qos",
            "encoding",
        ],
    );
    check(
        &payload["device"],
        // Or `connections`.
        &["identifiers"],
        &[
            "connections",
            "manufacturer",
            "model",
            "model_id",
            "name",
            "hw_version",
            "serial_number",
            "sw_version",
            "via_device",
            "suggested_area",
            "configuration_url",
        ],
    );
    check(
        &payload["origin"],
        &["name"],
        &["sw_version", "support_url"],
    );
    assert!([0, 1, 2].map(Value::from).contains(&payload["qos"]));
    let mut ids = std::collections::BTreeSet::new();
    for (id, component) in payload["components"].as_object().unwrap() {
        assert!(
            ["sensor", "binary_sensor"]
                .map(Value::from)
                .contains(&component["platform"]),
            "{id}"
        );
        let unique = component["unique_id"].as_str().unwrap();
        assert!(ids.insert(unique.to_owned()), "{unique} twice");
        // PLATFORM_SCHEMA_MODERN of sensor.py and binary_sensor.py, without those of the whole device.
        check(
            component,
            &["platform", "unique_id", "value_template"],
            &[
                "name",
                "device_class",
                "state_class",
                "unit_of_measurement",
                "suggested_display_precision",
            ],
        );
        // A device class has its own units: SensorDeviceClass of components/sensor/const.py.
        match component["device_class"].as_str() {
            None => {}
            Some("problem") => assert_eq!(component["platform"], "binary_sensor"),
            Some("distance") => assert_eq!(component["unit_of_measurement"], "m"),
            Some("speed") => assert_eq!(component["unit_of_measurement"], "m/s"),
            Some(other) => panic!("{other}"),
        }
        // Templates read a value of the state.
        let template = component["value_template"].as_str().unwrap();
        assert!(
            template.starts_with("{{ ") && template.ends_with(" }}"),
            "{template}"
        );
    }
}

/// The value of the state that a template reads.
fn of_template<'s>(state: &'s Value, template: &str) -> &'s Value {
    let (_, path) = template.split_once("value_json.").unwrap();
    let path = path.split(' ').next().unwrap();
    let pointer = format!("/{}", path.replace('.', "/"));
    state
        .pointer(&pointer)
        .unwrap_or_else(|| panic!("no {path} in {state}"))
}

#[test]
fn a_robot_appears_in_home_assistant_with_its_state_and_is_offline_after_its_end() {
    let Some(mut broker) = Mosquitto::start("persistence true") else {
        return;
    };
    let heard = broker.subscribe("#");
    let mut run = Run::start(&broker, &scene(""), &[]);
    let base = base(&heard);
    assert!(
        base.starts_with("becomingone/yard_one_") && !base.contains(' '),
        "{base}"
    );
    let status = format!("{base}/status");
    let state = format!("{base}/rover/state");
    heard.wait_for(&status, |payload| payload == "online");
    let first = parse(&heard.wait_for(&state, |payload| payload.contains("odometry")));
    for (key, value) in [
        ("agent", json!("rover")),
        ("mode", json!("controller")),
        ("alarm", json!(false)),
        ("request", Value::Null),
    ] {
        assert_eq!(first[key], value, "{first}");
    }
    assert!(
        first["velocity"]["linear_m_s"].is_number() && first["kernel"]["order"].is_number(),
        "{first}"
    );
    let all = heard.messages();
    let (_, config_topic, config) = all
        .iter()
        .find(|(_, topic, _)| topic.starts_with("homeassistant/"))
        .unwrap();
    let config = parse(config);
    check_discovery(config_topic, &config);
    assert_eq!(
        (&config["state_topic"], &config["availability_topic"]),
        (&json!(state), &json!(status))
    );
    for component in config["components"].as_object().unwrap().values() {
        of_template(&first, component["value_template"].as_str().unwrap());
    }
    // A later client finds all of it.
    let late = broker.subscribe("#");
    for topic in [&status, &state, config_topic] {
        late.wait_for(topic, |_| true);
        let all = late.messages();
        assert!(
            all.iter()
                .any(|(is_retained, t, _)| *is_retained && t == topic),
            "{topic}"
        );
    }
    // About once a second.
    let states = || {
        heard
            .messages()
            .iter()
            .filter(|(_, topic, _)| *topic == state)
            .count()
    };
    let before = states();
    std::thread::sleep(Duration::from_secs(3));
    assert!(
        (2..=5).contains(&(states() - before)),
        "{}",
        states() - before
    );
    // The broker is away for a while.
    broker.end("TERM");
    broker.begin();
    let again = broker.subscribe("#");
    again.wait_for(&status, |payload| payload == "online");
    again.wait_for(&state, |payload| {
        parse(payload)["time_s"].as_f64() > first["time_s"].as_f64()
    });
    run.end("INT");
    again.wait_for(&status, |payload| payload == "offline");
    // By last will.
    let mut killed = Run::start(&broker, &scene(""), &[]);
    let last = broker.subscribe(&status);
    last.wait_for(&status, |payload| payload == "online");
    killed.end("KILL");
    until(LIMIT, "offline", || {
        last.messages()
            .last()
            .is_some_and(|(_, _, payload)| payload == "offline")
    });
}

#[test]
fn an_alarm_is_published_at_once_with_its_cause() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let heard = broker.subscribe("#");
    let folder = folder(&[(
        "o.ron",
        &format!(
            "(broker: \"{}\", prefix: \"lab/robots\", discovery: \"\", every_s: 600)",
            broker.url()
        ),
    )]);
    let mut command = Command::new(binary());
    command.args([
        "run",
        "robot",
        "--rerun",
        "off",
        "--quiet",
        "--mqtt",
        "o.ron",
        "--duration",
        "40s",
    ]);
    command.args([
        "--rate",
        "8",
        "--set",
        "faults=[(sensor: \"rover/gyro\", kind: Freeze, at_s: 20, for_s: 10)]",
    ]);
    let mut child = command
        .current_dir(&folder)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let state = "lab/robots/rover/state";
    let alarm = parse(&heard.wait_for(state, |payload| payload.contains("\"alarm\":true")));
    assert!(
        alarm["cause"].as_str().unwrap().starts_with("imu/gyro"),
        "{alarm}"
    );
    assert_eq!(alarm["kernel"]["synchronization"], "dissipated");
    assert!(alarm["time_s"].as_f64().unwrap() < 25.0, "{alarm}");
    assert!(
        heard
            .messages()
            .iter()
            .all(|(_, topic, _)| !topic.starts_with("homeassistant"))
    );
    let _ = child.kill();
    child.wait().unwrap();
}

#[test]
fn a_command_is_a_request_and_is_refused_with_its_reason() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let heard = broker.subscribe("#");
    let mut run = Run::start(
        &broker,
        &scene(""),
        &["--record", "r.mcap", "--mqtt-commands"],
    );
    let base = base(&heard);
    let (state, command, refused) = (
        format!("{base}/rover/state"),
        format!("{base}/rover/command"),
        format!("{base}/rover/refused"),
    );
    heard.wait_for(&state, |_| true);
    until(LIMIT, "the subscription", || {
        broker.logged("Sending SUBACK") >= 2
    });
    for (payload, reason) in [
        ("stop", "expected a command such as"),
        (
            "{\"kind\": \"ackermann\", \"values\": [1, 0]}",
            "found driven wheels",
        ),
        (
            "{\"kind\": \"twist\", \"values\": [1, 0], \"for_s\": 1e6}",
            "expected 0.001 to 60",
        ),
    ] {
        broker.publish(&["-t", &command, "-m", payload]);
        heard.wait_for(&refused, |payload| {
            parse(payload)["reason"].as_str().unwrap().contains(reason)
        });
    }
    broker.publish(&[
        "-t",
        &format!("{base}/nobody/command"),
        "-m",
        "{\"kind\": \"stick\", \"values\": [1, 0]}",
    ]);
    heard.wait_for(&format!("{base}/nobody/refused"), |payload| {
        payload.contains("found no agent `nobody`")
    });
    broker.publish(&[
        "-t",
        &command,
        "-m",
        "{\"kind\": \"twist\", \"values\": [0.5, 0], \"for_s\": 4}",
    ]);
    let moving = parse(&heard.wait_for(&state, |payload| payload.contains("\"request\":\"mqtt\"")));
    assert_eq!(moving["mode"], "request");
    let moved = |payload: &str| parse(payload)["pose"]["x_m"].as_f64().unwrap_or_default() > 0.8;
    heard.wait_for(&state, moved);
    // It expires.
    heard.wait_for(&state, |payload| {
        moved(payload) && parse(payload)["request"].is_null()
    });
    run.end("INT");
    // The recording has the command: the replay needs no broker.
    drop(broker);
    let replayed = becomingone_tests::run(run.folder.path(), &["replay", "r.mcap", "--verify"]);
    assert_eq!(
        replayed.code,
        Some(0),
        "{}{}",
        replayed.stdout,
        replayed.stderr
    );
}

#[test]
fn clients_of_a_broker_may_stop_and_move_nothing_unless_the_owner_says_so() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let heard = broker.subscribe("#");
    let mut run = Run::start(&broker, &scene(""), &["--record", "r.mcap"]);
    let base = base(&heard);
    let state = format!("{base}/rover/state");
    heard.wait_for(&state, |_| true);
    until(LIMIT, "the subscription", || {
        broker.logged("Sending SUBACK") >= 2
    });
    let command = |payload: &str| {
        broker.publish(&["-t", &format!("{base}/rover/command"), "-m", payload]);
    };
    command("{\"kind\": \"twist\", \"values\": [0.5, 0]}");
    heard.wait_for(&format!("{base}/rover/refused"), |payload| {
        payload.contains("takes no command but `stop`; expected --mqtt-commands")
    });
    command("{\"kind\": \"stop\"}");
    let stopped = heard.wait_for(&state, |payload| payload.contains("\"mode\":\"stopped\""));
    assert_eq!(parse(&stopped)["stopped_by"], "mqtt");
    run.end("INT");
    drop(broker);
    let replayed = becomingone_tests::run(run.folder.path(), &["replay", "r.mcap", "--verify"]);
    assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
}

#[test]
fn hardware_takes_a_command_only_if_armed() {
    let Some(broker) = Mosquitto::start("") else {
        return;
    };
    let heard = broker.subscribe("#");
    let drive = format!(
        "drive_source: Driver(\"mqtt\", (broker: \"{}\", topic: \"robot/drive\")),",
        broker.url()
    );
    let command = |base: &str, speed: &str| {
        let payload = format!("{{\"kind\": \"twist\", \"values\": [{speed}, 0], \"for_s\": 2}}");
        broker.publish(&["-t", &format!("{base}/rover/command"), "-m", &payload]);
    };
    let subscribed = |n: usize| {
        until(LIMIT, "the subscription", || {
            broker.logged("Sending SUBACK") >= n
        });
    };
    let mut disarmed = Run::start(&broker, &scene(&drive), &["--mqtt-commands"]);
    let base = base(&heard);
    heard.wait_for(&format!("{base}/rover/state"), |_| true);
    subscribed(2);
    command(&base, "0.25");
    let refused = format!("{base}/rover/refused");
    heard.wait_for(&refused, |payload| {
        payload.contains("hardware is not armed; expected a run with --arm")
    });
    disarmed.end("INT");
    assert!(
        heard
            .messages()
            .iter()
            .all(|(_, topic, _)| topic != "robot/drive")
    );
    let _armed = Run::start(&broker, &scene(&drive), &["--arm", "--mqtt-commands"]);
    subscribed(3);
    until(LIMIT, "the command", || {
        command(&base, "0.375");
        heard.messages().iter().any(|(_, topic, payload)| {
            topic == "robot/drive"
                && payload.contains("\"safe\":false")
                && payload.contains("0.375")
        })
    });
}

#[test]
fn options_are_refused_without_a_secret() {
    let folder = folder(&[
        (
            "a.ron",
            "(broker: \"mqtt://127.0.0.1:1\", password: \"hunter2\")",
        ),
        ("b.ron", "(broker: \"mqtt://127.0.0.1:1\", every_s: 0)"),
        ("c.ron", "(broker: \"mqtt://127.0.0.1:1\", prefix: \"a/#\")"),
        ("d.ron", "(broker: \"mqtt://127.0.0.1:1\", topic: \"t\")"),
    ]);
    for (options, words) in [
        ("mqtt://robot:hunter2@127.0.0.1", "login: Env("),
        ("http://127.0.0.1", "`mqtt://host:1883`"),
        ("a.ron", "a.ron: found `user` or `password`"),
        ("b.ron", "expected 0.01 to 3600"),
        ("c.ron", "a/#"),
        ("d.ron", "topic"),
        ("none.ron", "none.ron"),
    ] {
        let ran = run(
            folder.path(),
            &[
                "run",
                "robot",
                "--rerun",
                "off",
                "--quiet",
                "--duration",
                "1s",
                "--mqtt",
                options,
            ],
        );
        assert_eq!(ran.code, Some(2), "{options}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "no {words} in {}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
}
