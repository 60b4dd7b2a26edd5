//! Datagrams of senders in Python that do not keep to the format: read as they are meant, or thrown away with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::{binary, folder, say};
use std::net::UdpSocket;
use std::process::{Command, Stdio};

/// A sender: `m` is the message, `n` its number; the value of the last line is what is sent, or a list of it.
const SENDER: &str = r#"
import json, socket, sys, time
ports, bodies = json.loads(sys.argv[1]), json.loads(sys.argv[2])
out = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
nan, inf = float("nan"), float("inf")
begin = time.monotonic()
for n in range(75):
    for i, (port, body) in enumerate(zip(ports, bodies)):
        m = {"sensor": f"a{i}/meter", "sequence": n, "stamp_ns": time.time_ns(), "values": [n * 0.5, 1.0]}
        sent = eval(body)
        for k, one in enumerate(sent if isinstance(sent, list) else [sent]):
            one = json.dumps(one) if isinstance(one, dict) else one
            out[k].sendto(one if isinstance(one, bytes) else one.encode(), ("127.0.0.1", port))
    time.sleep(max(0.0, begin + (n + 1) * 0.02 - time.monotonic()))
"#;

/// What is sent, the share of readings that arrive, whether any is garbage, and what is logged.
const KINDS: &[(&str, f64, bool, &[&str])] = &[
    ("m", 1.0, false, &[]),
    (
        "m | {'values': [nan, 1.0]}",
        1.0,
        false,
        &["NaN or Infinity", "taken as null"],
    ),
    (
        "m | {'values': [-inf, 1.0]}",
        1.0,
        false,
        &["NaN or Infinity"],
    ),
    (
        "m | {'sensor': 'meter'}",
        0.0,
        true,
        &["found the sensor name `meter`", "did you mean `a3/meter`?"],
    ),
    (
        "m | {'values': ['1.5', '2']}",
        1.0,
        false,
        &["number as text in `values`"],
    ),
    (
        "m | {'values': [1.0]}",
        0.0,
        true,
        &["found 1 number; expected 2"],
    ),
    (
        "m | {'values': [1.0, True]}",
        0.0,
        true,
        &["found true as number 2"],
    ),
    (
        "{k.replace('values', 'value'): v for k, v in m.items()}",
        0.0,
        true,
        &["found no `values`, but `value`"],
    ),
    (
        "{k.replace('sequence', 'seq'): v for k, v in m.items()}",
        1.0,
        false,
        &["found the key `seq`", "did you mean `sequence`?"],
    ),
    (
        "m | {'sequence': float(n), 'extra': {'a': 1}}",
        1.0,
        false,
        &[],
    ),
    (
        "m | {'sequence': str(n)}",
        1.0,
        false,
        &["number as text in `sequence`"],
    ),
    (
        "m | {'stamp_ns': time.time()}",
        1.0,
        false,
        &["in `stamp_ns`", "whole nanoseconds"],
    ),
    (
        "m | {'stamp_ns': int(time.time() * 1e3)}",
        1.0,
        false,
        &["counts milliseconds"],
    ),
    (
        "m | {'stamp_ns': -5}",
        1.0,
        false,
        &["found -5 in `stamp_ns`"],
    ),
    ("str(m)", 0.0, true, &["double quotes"]),
    ("json.dumps(m)[:40]", 0.0, true, &["may be cut"]),
    ("'\\ufeff' + json.dumps(m) + '\\n\\0'", 1.0, false, &[]),
    ("f'a16/meter,{n},1.0'", 0.0, true, &["not JSON"]),
    (
        "b'\\xff\\xfe' + json.dumps(m).encode('utf-16-le')",
        0.0,
        true,
        &["not UTF-8"],
    ),
    (
        "json.dumps(m | {'sequence': 2 * n}) + '\\n' + json.dumps(m | {'sequence': 2 * n + 1})",
        2.0,
        false,
        &[],
    ),
    (
        "[m | {'session': 1}, m | {'session': 2}]",
        2.0,
        false,
        &["two senders at once"],
    ),
    (
        "{'stamp_s' if k == 'stamp_ns' else k: v / 1e9 if k == 'stamp_ns' else v for k, v in m.items()}",
        1.0,
        false,
        &[],
    ),
    ("m | {'stamp_ns': time.monotonic() * 1e9}", 1.0, false, &[]),
    (
        "m | {'values': [1.0, 2.0, 3.0]}",
        0.0,
        true,
        &["found 3 numbers; expected 2", "3.0]}`"],
    ),
];

#[test]
fn mistakes_of_senders_are_read_as_meant_or_told_with_their_reason() {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        return say("skipped: senders in Python, as BECOMINGONE_PYTHON is not set");
    };
    let sockets: Vec<UdpSocket> = (0..KINDS.len())
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let ports: Vec<u16> = sockets
        .iter()
        .map(|s| s.local_addr().unwrap().port())
        .collect();
    drop(sockets);
    let agent = |(i, port): (usize, &u16)| {
        format!(
            "(name: \"a{i}\", coherence: off, sensors: [(name: \"meter\", rate_hz: 50,
            kind: Values(fields: [(name: \"x\", unit: \"1\"), (name: \"y\", unit: \"1\")]), source: Driver(\"udp\", (listen: {port})))]),"
        )
    };
    let agents: String = ports.iter().enumerate().map(agent).collect();
    let scene = format!("(version: 1, duration_s: 4, world: (ground: None), agents: [{agents}])");
    let here = folder(&[("s.ron", &scene), ("send.py", SENDER)]);
    let run = Command::new(binary())
        .current_dir(here.path())
        .args([
            "run",
            "s.ron",
            "--rerun",
            "off",
            "--real-time",
            "--quiet",
            "--summary",
            "s.json",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let is_bound = |port: &u16| {
        let table = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
        table.contains(&format!(":{port:04X} "))
    };
    becomingone_tests::until(becomingone_tests::LONG, "the sockets", || {
        ports.iter().all(is_bound)
    });
    let bodies: Vec<&str> = KINDS.iter().map(|kind| kind.0).collect();
    let sent = Command::new(python)
        .arg(here.path().join("send.py"))
        .args([
            serde_json::to_string(&ports).unwrap(),
            serde_json::to_string(&bodies).unwrap(),
        ])
        .output()
        .unwrap();
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    let done = run.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(0), "{log}");
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for (i, (body, share, is_garbage, reasons)) in KINDS.iter().enumerate() {
        let sensor = &summary["agents"][i]["sensors"][0];
        let readings = sensor["readings"].as_f64().unwrap() / 75.0;
        // The last one may come after the end.
        if (readings - share).abs() > 0.05 || (sensor["link"]["garbage"] != 0) != *is_garbage {
            wrong.push(format!("{body}: {sensor}"));
        }
        let (port, name) = (format!(":{}", ports[i]), format!("`a{i}/meter`: found"));
        let is_own = |line: &&str| {
            (line.contains(&port) || line.contains(&name)) && !line.contains("datagrams in all")
        };
        let own: Vec<&str> = log.lines().filter(is_own).collect();
        let told = |reason: &&str| own.iter().filter(|line| line.contains(reason)).count() == 1;
        if !reasons.iter().all(told) || own.is_empty() != reasons.is_empty() {
            wrong.push(format!("{body}: {own:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(log.contains("datagrams in all: 75 "), "{log}");
}
