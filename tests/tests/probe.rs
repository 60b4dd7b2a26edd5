//! `becomingone probe`: sources of every driver, against programs and devices of the tests; the printed line in a scene.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::{Ran, binary, folder, root, run, say, signal, until};
use serde_json::Value;
use serialport::{SerialPort as _, TTYPort};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// A probe that prints JSON, until it is interrupted.
struct Probe {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Probe {
    fn start(source: &str, more: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["probe", source, "--json"]).args(more);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    /// All objects up to the one for which this is true.
    fn until(&mut self, mut reached: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        let mut all = Vec::new();
        loop {
            assert!(begun.elapsed() < LIMIT, "not within {LIMIT:?}");
            let object = self.next();
            let is_last = reached(&object);
            all.push(object);
            if is_last {
                return all;
            }
        }
    }

    fn until_up(&mut self) {
        self.until(|o| o["type"] == "state" && o["state"] == "up");
    }

    /// Ctrl-C: the objects since then, the last of which is the summary; and the exit code.
    fn end(mut self) -> (Vec<Value>, Option<i32>) {
        signal("INT", self.child.id());
        let all = self.until(|o| o["type"] == "summary");
        (all, self.child.wait().unwrap().code())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It has ended, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn messages<'a>(objects: &'a [Value], name: &str) -> Vec<&'a Value> {
    let of = |o: &&Value| o["type"] == "message" && o["name"] == name;
    objects.iter().filter(of).map(|o| &o["numbers"]).collect()
}

fn lines(summary: &Value) -> Vec<String> {
    let lines = summary["scene"].as_array().unwrap();
    let line = |line: &Value| line.as_str().unwrap().to_owned();
    lines.iter().map(line).collect()
}

/// Whether `check` accepts a rover with these sensors.
fn check(lines: &[String]) {
    assert!(!lines.is_empty());
    let scene = format!(
        "(version: 1, world: (origin: (latitude_deg: 47.0, longitude_deg: 8.0)),
          agents: [(name: \"rover\", model: \"rover.urdf\", drive: Auto, coherence: off, sensors: [
            {}
          ])])",
        lines.join("\n")
    );
    let folder = folder(&[("s.ron", &scene)]);
    let ran = run(folder.path(), &["check", "s.ron"]);
    assert_eq!(ran.code, Some(0), "{scene}\n{}", ran.stderr);
}

/// A pseudo-terminal: the device, and the path of its other side, which stays open.
fn device() -> (TTYPort, TTYPort, String) {
    let (mut wire, other) = TTYPort::pair().unwrap();
    wire.set_timeout(LIMIT).unwrap();
    let path = other.name().unwrap();
    (wire, other, path)
}

/// A receiver's stream with damage between its sentences, by pynmeagps, and what was put into it.
fn nmea_stream(epochs: usize) -> Option<(Vec<u8>, Value)> {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        say("skipped: NMEA of pynmeagps, as BECOMINGONE_PYTHON is not set");
        return None;
    };
    let folder = folder(&[]);
    let script = root().join("plugins/serial/tests/peers/streams.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script);
    command.args(["nmea", &epochs.to_string(), "7"]);
    assert!(command.arg(folder.path()).status().unwrap().success());
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let truth = serde_json::from_slice(&read("truth.json")).unwrap();
    Some((read("stream.bin"), truth))
}

#[test]
fn a_receiver_is_decoded_counted_and_becomes_a_line_that_check_accepts() {
    let Some((stream, truth)) = nmea_stream(200) else {
        return;
    };
    let (mut wire, _other, path) = device();
    let source = format!("serial:{path}?baud=9600&protocol=nmea");
    let mut probe = Probe::start(&source, &[]);
    probe.until_up();
    let writer = std::thread::spawn({
        let stream = stream.clone();
        move || {
            // Pieces end anywhere in a sentence.
            stream.chunks(97).for_each(|p| wire.write_all(p).unwrap());
            wire
        }
    });
    // The last sentence of an epoch.
    let mut headings = 0;
    let mut all = probe.until(|o| {
        headings += usize::from(o["type"] == "message" && o["name"] == "HDT");
        headings == 200
    });
    drop(writer.join().unwrap());
    let (rest, code) = probe.end();
    all.extend(rest);
    assert_eq!(code, Some(0));
    let readings = truth["readings"].as_array().unwrap();
    for name in ["GGA", "fix"] {
        let found = messages(&all, name);
        assert_eq!(found.len(), readings.len(), "{name}");
        for (message, reading) in found.iter().zip(readings) {
            for (key, tolerance) in [("latitude", 1e-7), ("longitude", 1e-7), ("height", 1e-4)] {
                let off = message[key].as_f64().unwrap() - reading[key].as_f64().unwrap();
                assert!(off.abs() <= tolerance, "{key}: {message} {reading}");
            }
        }
    }
    let raw = all.iter().filter(|o| o["type"] == "raw");
    let raw: u64 = raw.map(|o| o["bytes"].as_u64().unwrap()).sum();
    assert_eq!(raw, stream.len() as u64);
    let summary = all.last().unwrap();
    assert_eq!(summary["bytes"], stream.len());
    for name in ["GGA", "RMC", "VTG", "GSA", "ZDA", "HDT", "fix"] {
        assert_eq!(summary["kinds"][name]["count"], 200, "{name}: {summary}");
    }
    assert!(summary["counts"]["garbage"].as_u64() >= truth["wrong"].as_u64());
    let lines = lines(summary);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let source = format!("Driver(\"serial\", (port: \"{path}\", baud: 9600, protocol: Nmea");
    assert!(lines[0].contains("kind: Gnss()"), "{lines:?}");
    assert!(lines[0].contains(&source), "{lines:?}");
    check(&lines);
}

#[test]
fn rate_and_jitter_are_those_of_the_sender() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let source = format!("serial:tcp://{address}?protocol=json_lines");
    let probe = Probe::start(&source, &[]);
    let (mut wire, _) = listener.accept().unwrap();
    wire.set_nodelay(true).unwrap();
    let begun = Instant::now();
    for k in 0..40u32 {
        let due = begun + Duration::from_millis(50) * k;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // What was begun before is no reading of a line protocol: the first line is one.
        wire.write_all(format!("\n{{\"level\": {k}, \"main\": {{\"t\": 2}}}}\n").as_bytes())
            .unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    let (all, code) = probe.end();
    assert_eq!(code, Some(0));
    let summary = all.last().unwrap();
    let rate = summary["kinds"]["line"]["rate_hz"].as_f64().unwrap();
    // 20 Hz; a machine under load delays single lines, and not their number.
    assert!((19.0..21.0).contains(&rate), "{summary}");
    let jitter_s = summary["kinds"]["line"]["jitter_s"].as_f64().unwrap();
    assert!(jitter_s < 0.05, "{summary}");
    let lines = lines(summary);
    assert!(
        lines[0].contains("pick: {\"level\": \"/level\", \"main_t\": \"/main/t\"}"),
        "{lines:?}"
    );
    check(&lines);
}

#[test]
fn a_file_is_followed_and_its_columns_become_fields() {
    let folder = folder(&[("tank.csv", "t,level\n0,1.5\n")]);
    let path = folder.path().join("tank.csv");
    let mut probe = Probe::start(&format!("file:{}", path.display()), &[]);
    probe.until_up();
    let mut file = std::fs::File::options().append(true).open(&path).unwrap();
    file.write_all(b"1,2.5\n2,oops\n3,3.5\n").unwrap();
    let all = probe.until(|o| o["type"] == "message" && o["numbers"]["t"] == 3.0);
    let found: Vec<&Value> = messages(&all, "document");
    assert_eq!(found.len(), 3, "{all:?}");
    assert_eq!(found[0]["level"], 2.5);
    assert!(found[1].get("level").is_none(), "{all:?}");
    let (all, code) = probe.end();
    assert_eq!(code, Some(0));
    let lines = lines(all.last().unwrap());
    assert!(
        lines[0].contains("(name: \"level\", unit: \"1\")"),
        "{lines:?}"
    );
    check(&lines);
}

/// A free port, for a moment.
fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

#[test]
fn datagrams_of_all_senders_are_seen_and_the_kind_is_known_by_the_name() {
    let port = free_port();
    let mut probe = Probe::start(&format!("udp:{port}"), &[]);
    probe.until_up();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |text: &str| {
        socket
            .send_to(text.as_bytes(), ("127.0.0.1", port))
            .unwrap()
    };
    for k in 0..5 {
        send(&format!(
            "{{\"sensor\": \"rover/imu\", \"sequence\": {k}, \"values\": [0, 0, 0.1, 0, 0, 9.81]}}"
        ));
        send(&format!("{{\"sensor\": \"tank\", \"values\": [{k}, 7]}}"));
    }
    send("noise");
    let all = probe.until(|o| o["type"] == "message" && o["numbers"]["x0"] == 4.0);
    assert_eq!(messages(&all, "rover/imu").len(), 5);
    assert_eq!(messages(&all, "rover/imu")[0]["x5"], 9.81);
    let (all, code) = probe.end();
    assert_eq!(code, Some(0));
    let summary = all.last().unwrap();
    assert_eq!(summary["counts"]["garbage"], 1, "{summary}");
    let lines = lines(summary);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("(name: \"imu\""), "{lines:?}");
    assert!(lines[0].contains("kind: Imu()"), "{lines:?}");
    assert!(lines[0].contains("sensor: \"rover/imu\""), "{lines:?}");
    check(&lines);
}

#[test]
fn readings_of_a_kind_have_the_counts_of_a_run() {
    let port = free_port();
    let source = format!("udp:{port}?sensor=tank");
    let kind = "Values(fields: [(name: \"level\", unit: \"m\"), (name: \"t\", unit: \"degC\")])";
    let mut probe = Probe::start(&source, &["--kind", kind]);
    probe.until_up();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Two are missing, one is there twice, one has a number too many.
    for (sequence, values) in [
        (0, "1, 20"),
        (3, "2, 20"),
        (3, "2, 20"),
        (4, "1, 2, 3"),
        (5, "3, 21"),
    ] {
        let text =
            format!("{{\"sensor\": \"tank\", \"sequence\": {sequence}, \"values\": [{values}]}}");
        socket
            .send_to(text.as_bytes(), ("127.0.0.1", port))
            .unwrap();
    }
    let all = probe.until(|o| o["type"] == "reading" && o["numbers"][0] == 3.0);
    assert_eq!(all.iter().filter(|o| o["type"] == "reading").count(), 3);
    let (all, _) = probe.end();
    let summary = all.last().unwrap();
    assert_eq!(summary["readings"]["count"], 3, "{summary}");
    let counts = &summary["counts"];
    assert_eq!(
        [&counts["gaps"], &counts["duplicates"], &counts["dropped"]],
        [2, 1, 1],
        "{summary}"
    );
    let lines = lines(summary);
    assert!(lines[0].contains(kind), "{lines:?}");
    check(&lines);
}

fn probe(folder: &Path, arguments: &[&str]) -> Ran {
    run(folder, &[&["probe"], arguments].concat())
}

#[test]
fn a_program_ends_with_the_probe_and_its_lines_are_plain_in_a_pipe() {
    let here = folder(&[]);
    std::fs::write(
        here.path().join("count.sh"),
        "#!/bin/sh\necho $$ > pid\nk=0\nwhile :; do k=$((k+1)); echo \"{\\\"x\\\": $k}\"; sleep 0.05; done\n",
    )
    .unwrap();
    let ran = probe(here.path(), &["process:sh count.sh", "--duration", "1s"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.wall < Duration::from_secs(5), "{:?}", ran.wall);
    assert!(
        ran.stdout.contains("s  raw  {\"x\": 1}\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("s  document  x 1\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains(['\r', '\x1b']), "{}", ran.stdout);
    let line = ran
        .stdout
        .lines()
        .find(|l| l.starts_with("(name:"))
        .unwrap();
    assert!(line.contains("(argv: [\"sh\", \"count.sh\"])"), "{line}");
    check(&[line.to_owned()]);
    let pid = std::fs::read_to_string(here.path().join("pid")).unwrap();
    let gone = || !Path::new("/proc").join(pid.trim()).exists();
    until(LIMIT, "the program's end", gone);
}

#[test]
fn a_device_that_is_absent_is_named_and_waited_for() {
    let here = folder(&[]);
    let source = "serial:/dev/ttyUSB99?baud=9600&protocol=nmea";
    let ran = probe(here.path(), &[source, "--duration", "1s"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("found no device /dev/ttyUSB99"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("found no data in 1.0 s"),
        "{}",
        ran.stderr
    );
    assert!(ran.stdout.contains("link down"), "{}", ran.stdout);
    // It is plugged in later.
    let (mut wire, _other, path) = device();
    let port = here.path().join("port");
    let mut waiting = Probe::start(
        &format!("serial:{}?baud=9600&protocol=key_value", port.display()),
        &[],
    );
    waiting.until(|o| o["state"] == "down");
    std::os::unix::fs::symlink(path, &port).unwrap();
    waiting.until_up();
    wire.write_all(b"\nx=1\nx=2\n").unwrap();
    waiting.until(|o| o["type"] == "message" && o["numbers"]["x"] == 2.0);
    assert_eq!(waiting.end().1, Some(0));
}

#[test]
fn garbage_is_shown_counted_and_is_no_data() {
    let (mut wire, _other, path) = device();
    let mut probe = Probe::start(&format!("serial:{path}?baud=9600&protocol=nmea"), &[]);
    probe.until_up();
    let noise: Vec<u8> = (0..20_000u32).map(|k| (k * k % 251) as u8).collect();
    noise
        .chunks(500)
        .for_each(|piece| wire.write_all(piece).unwrap());
    let mut bytes = 0;
    probe.until(|o| {
        bytes += o["bytes"].as_u64().unwrap_or(0);
        bytes == 20_000
    });
    // They are shown before they are judged.
    std::thread::sleep(Duration::from_millis(300));
    let (all, code) = probe.end();
    assert_eq!(code, Some(1));
    let summary = all.last().unwrap();
    assert!(summary["counts"]["garbage"].as_u64() > Some(0), "{summary}");
    assert_eq!(
        (&summary["messages"], &summary["scene"]),
        (&0.into(), &Value::Array(vec![]))
    );
}

#[test]
fn mistakes_are_refused_with_what_was_expected() {
    let here = folder(&[]);
    for (arguments, words) in [
        (vec!["seral:/dev/ttyUSB0"], "did you mean `serial`?"),
        (vec!["/dev/ttyUSB0"], "expected one before the address"),
        (
            vec!["serial:/dev/ttyUSB0?baud=9600&protocol=nmae"],
            "did you mean `Nmea`?",
        ),
        (
            vec!["serial:/dev/ttyUSB0?bauds=9600"],
            "did you mean `baud`?",
        ),
        (vec!["udp:5005", "--kind", "Imo()"], "did you mean `Imu`?"),
        (vec!["udp:5005", "--kind", "Lidar()"], "--kind: found"),
        (
            vec!["udp:5005", "--duration", "0s"],
            "expected a positive time",
        ),
        (
            vec!["process:no-such-program"],
            "found no program `no-such-program`",
        ),
    ] {
        let ran = probe(here.path(), &arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "no {words} in {}", ran.stderr);
    }
}

#[test]
fn a_closed_pipe_ends_a_probe_that_has_no_end() {
    let line = format!(
        "{} probe 'process:yes {{}}' | head -n 3",
        binary().display()
    );
    let begun = Instant::now();
    let status = Command::new("sh")
        .args(["-c", &line])
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    assert!(begun.elapsed() < LIMIT);
}
