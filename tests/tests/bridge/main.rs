//! Drivers of files, programs, web and WebSocket servers, against programs that nobody here wrote, with their failures.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

mod secure;
mod websocket;

use becomingone::CoherenceEngine;
use becomingone::components::link::{Link, LinkState};
use becomingone::components::sensor::ValueRow;
use becomingone::prelude::*;
use becomingone_tests::{folder, get, root, run, until};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(20);

/// Instrument `box/meter` with one number.
fn meter(source: &str) -> String {
    format!(
        "(version: 1, duration_s: 100.0, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [(
            name: \"meter\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 100.0,
            source: {source}, silence: (after_s: 1000.0))])])"
    )
}

/// Rover whose drive is outside.
fn rover(source: &str) -> String {
    format!(
        "(version: 1, agents: [(name: \"rover\", model: \"{}\", drive: Auto, coherence: off, drive_source: {source},
            sensors: [(name: \"lidar\", kind: Lidar(rays: 8, range_max_m: 5.0), rate_hz: 10.0, position_m: (0, 0, 0.3))],
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

/// A run and its folder.
struct Run {
    engine: CoherenceEngine,
    folder: TempDir,
}

impl Run {
    fn new(text: &str, files: &[(&str, &str)]) -> Self {
        Self::armed(text, files, false)
    }

    fn armed(text: &str, files: &[(&str, &str)], is_armed: bool) -> Self {
        let files: Vec<_> = [("s.ron", text)].iter().chain(files).copied().collect();
        let folder = folder(&files);
        let mut engine = CoherenceEngine::from_scene(folder.path().join("s.ron"))
            .unwrap_or_else(|e| panic!("{e}"));
        engine.set_armed(is_armed);
        engine.world_mut().init_resource::<Values>();
        engine.add_plugin(|app: &mut App| {
            app.add_systems(Tick, collect.in_set(TickSystems::Publish));
        });
        engine.start().unwrap_or_else(|e| panic!("{e}"));
        Self { engine, folder }
    }

    fn shell(&self, line: &str) {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(&self.folder);
        assert!(shell.status().unwrap().success(), "{line}");
    }

    fn link(&self, name: &str) -> Link {
        get::<Link>(&self.engine, name)
    }

    fn until(&mut self, what: &str, reached: impl Fn(&Link) -> bool) {
        self.until_link("box/meter", what, reached);
    }

    /// Steps until the link reaches a state; no tick waits for the other side.
    fn until_link(&mut self, name: &str, what: &str, reached: impl Fn(&Link) -> bool) {
        until(LIMIT, what, || {
            let begun = Instant::now();
            self.engine.step().unwrap();
            assert!(begun.elapsed() < Duration::from_secs(2), "{what}");
            std::thread::sleep(Duration::from_micros(200));
            reached(&get::<Link>(&self.engine, name))
        });
    }

    fn values(&self) -> Vec<f64> {
        self.engine.world().resource::<Values>().0.clone()
    }
}

/// A peer, which is ended with the test.
struct Peer(Child);

impl Peer {
    fn start(folder: &Path, argv: &[&str]) -> Self {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).current_dir(folder);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("{}: {e}", argv[0])),
        )
    }

    /// A server of the standard library of Python, or of this script, and its port.
    fn python(folder: &Path, more: &[&str]) -> (Self, u16) {
        let port = free_port();
        let text = port.to_string();
        let mut argv = vec!["python3"];
        argv.extend(if more.is_empty() {
            &["-m", "http.server", "--bind", "127.0.0.1"]
        } else {
            more
        });
        argv.push(&text);
        let peer = Self::start(folder, &argv);
        listens(port);
        (peer, port)
    }

    /// A server that runs a line of the shell for each connection, and its port.
    fn socat(folder: &Path, line: &str) -> (Self, u16) {
        let port = free_port();
        let listen = format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork");
        std::fs::write(folder.join("answer.sh"), line).unwrap();
        let peer = Self::start(folder, &["socat", &listen, "EXEC:sh answer.sh"]);
        listens(port);
        (peer, port)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn listens(port: u16) {
    until(LIMIT, "a server", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
}

/// Memory of this process (kB).
fn memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let number = line.and_then(|l| l.trim().split(' ').next());
    number.map_or(0, |n| n.parse().unwrap())
}

/// Whether a process of a number that is in this file lives.
fn lives(file: &Path) -> bool {
    let pid = std::fs::read_to_string(file).unwrap_or_default();
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

#[test]
fn a_file_is_followed_while_it_is_created_renamed_truncated_and_deleted() {
    let mut run = Run::new(
        &meter(
            "Driver(\"file\", (path: \"tank.jsonl\", follow: true, pick: {\"x\": \"/tank/level\"}, sequence: \"/n\"))",
        ),
        &[],
    );
    run.until("absent", |l| l.state == LinkState::Down);
    run.shell(r#"echo '{"n": 0, "tank": {"level": 0}}' >> tank.jsonl"#);
    run.until("created", |l| l.received == 1 && l.state == LinkState::Up);
    run.shell(
        r#"for n in 1 2; do echo "{\"n\": $n, \"tank\": {\"level\": $n}}" >> tank.jsonl; done
        mv tank.jsonl tank.jsonl.1; echo '{"n": 3, "tank": {"level": 3}}' > tank.jsonl"#,
    );
    run.until("renamed", |l| l.received == 4);
    run.shell(r"rm tank.jsonl");
    run.until("deleted", |l| l.state == LinkState::Down);
    run.shell(r#"echo '{"n": 4, "tank": {"level": 4.0}}' > tank.jsonl"#);
    run.until("created again", |l| {
        l.received == 5 && l.state == LinkState::Up
    });
    run.shell("truncate -s 0 tank.jsonl; sleep 0.2");
    run.shell(
        r#"echo '{"n": 5, "tank": {"level": NaN}}
        {"n": 8, "tank": {"level": "8"}}
        {"n": 9, "tank": {"filling": 9}}
        what' >> tank.jsonl"#,
    );
    run.until("mistakes", |l| l.counts.garbage == 2);
    let link = run.link("box/meter");
    assert_eq!(
        (link.received, link.counts.gaps, link.counts.duplicates),
        (7, 2, 0)
    );
    // A row of missing values alone reaches the tick, and is no reading.
    assert_eq!(run.values(), [0.0, 1.0, 2.0, 3.0, 4.0, 8.0]);
}

#[test]
fn a_table_is_read_by_its_columns_and_a_state_after_each_change() {
    let mut table = Run::new(
        &meter(
            "Driver(\"file\", (path: \"t.csv\", pick: {\"x\": \"/level (m)\"}, stamp_s: \"/t\"))",
        ),
        &[("t.csv", "t,level (m)\n0.5,1\n")],
    );
    table.until("up", |l| l.state == LinkState::Up);
    table.shell("printf '1.0,2\\n1.5,\\n2.0,3' >> t.csv");
    table.until("two rows", |l| l.received == 2);
    table.shell("echo .5 >> t.csv");
    table.until("the third", |l| l.received == 3);
    // The empty cell is a missing value.
    assert_eq!(table.values(), [2.0, 3.5]);

    let mut state = Run::new(
        &meter("Driver(\"file\", (path: \"now.json\", follow: false, pick: \"/x\"))"),
        &[("now.json", "{\"x\": 1}")],
    );
    state.until("the first", |l| l.received == 1);
    state.shell("echo '{\"x\": 2}' > new; mv new now.json");
    state.until("replaced", |l| l.received == 2);
    assert_eq!(state.values(), [1.0, 2.0]);
}

#[test]
fn a_program_that_dies_or_prints_garbage_is_read_again_and_its_losses_are_counted() {
    let program = "echo garbage\necho '{\"n\": 1, \"x\": 1}'\necho '{\"n\": 2, \"x\": 2}'\necho trouble >&2\nexit 3\n";
    let source =
        "Driver(\"process\", (argv: [\"sh\", \"probe.sh\", \"$(touch shell)\"], sequence: \"/n\"))";
    let mut run = Run::new(&meter(source), &[("probe.sh", program)]);
    run.until("three starts", |l| l.received >= 6);
    run.until("down between", |l| l.state == LinkState::Down);
    let link = run.link("box/meter");
    assert!(link.counts.garbage >= 3, "{link:?}");
    // Each start is a restart of the sender, whose numbers begin anew.
    assert!(
        link.counts.restarts >= 2 && link.counts.duplicates == 0,
        "{link:?}"
    );
    assert_eq!(run.values()[..4], [1.0, 2.0, 1.0, 2.0]);
    assert!(!run.folder.path().join("shell").exists());
}

#[test]
fn a_program_that_ignores_sigterm_and_what_it_started_end_with_the_run() {
    // A program of its own in its group, and one that holds the output open.
    let program = "trap '' TERM\nsleep 600 & echo $! > child\necho $$ > self\necho '{\"x\": 1}'\nwhile :; do sleep 1; done\n";
    let mut run = Run::new(
        &meter("Driver(\"process\", (argv: [\"sh\", \"stays.sh\"]))"),
        &[("stays.sh", program)],
    );
    run.until("a reading", |l| l.received == 1);
    let (own, child) = (
        run.folder.path().join("self"),
        run.folder.path().join("child"),
    );
    assert!(lives(&own) && lives(&child));
    let Run {
        engine,
        folder: _here,
    } = run;
    let begun = Instant::now();
    drop(engine);
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert!(!lives(&own));
    until(LIMIT, "the child's end", || !lives(&child));
}

#[test]
fn a_program_that_floods_or_hangs_costs_no_memory_and_no_tick() {
    let mut run = Run::new(
        &meter("Driver(\"process\", (argv: [\"yes\", \"{\\\"x\\\": 7}\"]))"),
        &[],
    );
    run.until("readings", |l| l.received > 100);
    let before = memory_kb();
    let begun = Instant::now();
    run.until("more", |l| {
        l.counts.dropped > 300_000 && begun.elapsed().as_secs() >= 2
    });
    assert!(
        memory_kb() < before + 50_000,
        "{} kB after {before}",
        memory_kb()
    );
    drop(run);
    // Without a line end.
    let mut run = Run::new(
        &meter("Driver(\"process\", (argv: [\"cat\", \"/dev/zero\"]))"),
        &[],
    );
    let before = memory_kb();
    run.until("garbage", |l| l.counts.garbage == 1);
    let begun = Instant::now();
    run.until("more", |_| begun.elapsed().as_secs() >= 1);
    assert!(
        memory_kb() < before + 50_000,
        "{} kB after {before}",
        memory_kb()
    );
    drop(run);
    let mut run = Run::new(
        &meter("Driver(\"process\", (argv: [\"sleep\", \"600\"]))"),
        &[],
    );
    run.until("up", |l| l.state == LinkState::Up);
    let begun = Instant::now();
    drop(run);
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn commands_reach_a_program_a_file_and_a_server_only_with_arm_and_the_last_one_is_safe() {
    let post = "
import http.server, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        open('out', 'ab').write(body + b'\\n')
        self.send_response(204); self.end_headers()
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), H).serve_forever()";
    let here = folder(&[("post.py", post)]);
    let (_peer, port) = Peer::python(here.path(), &["post.py"]);
    let posted = format!("Driver(\"http\", (url: \"http://127.0.0.1:{port}/drive\"))");
    for (source, is_there) in [
        ("Driver(\"process\", (argv: [\"tee\", \"out\"]))", None),
        ("Driver(\"file\", (path: \"out\"))", None),
        (posted.as_str(), Some(here.path())),
    ] {
        let out = |run: &Run| is_there.unwrap_or(run.folder.path()).join("out");
        let mut disarmed = Run::new(&rover(source), &[]);
        (0..300).for_each(|_| disarmed.engine.step().unwrap());
        let file = out(&disarmed);
        let Run {
            engine,
            folder: kept,
        } = disarmed;
        drop(engine);
        assert!(!file.exists(), "{source}");
        drop(kept);

        let mut run = Run::armed(&rover(source), &[], true);
        let file = out(&run);
        let lines = || -> Vec<Value> {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let whole = text
                .lines()
                .map(serde_json::from_str)
                .filter_map(Result::ok);
            whole.collect()
        };
        run.until_link("rover/drive", "commands", |_| {
            let moving = |c: &Value| c["values"][0].as_f64().is_some_and(|v| v > 0.4);
            lines().iter().any(moving)
        });
        let Run {
            engine,
            folder: kept,
        } = run;
        drop(engine);
        let all = lines();
        let last = all.last().unwrap();
        assert_eq!(
            (&last["actuator"], &last["safe"]),
            (&"rover/drive".into(), &true.into()),
            "{source}: {last}"
        );
        assert_eq!(last["values"], serde_json::json!([0.0, 0.0]));
        let sequences: Vec<u64> = all
            .iter()
            .map(|c| c["sequence"].as_u64().unwrap())
            .collect();
        assert!(
            sequences.windows(2).all(|w| w[0] < w[1]),
            "{source}: {sequences:?}"
        );
        drop(kept);
    }
}

#[test]
fn a_program_that_reads_no_commands_is_ended_and_started_again() {
    let source = "Driver(\"process\", (argv: [\"sleep\", \"600\"]))";
    let mut run = Run::armed(&rover(source), &[], true);
    run.until_link("rover/drive", "up", |l| l.state == LinkState::Up);
    run.until_link("rover/drive", "down", |l| l.state == LinkState::Down);
    run.until_link("rover/drive", "up again", |l| l.state == LinkState::Up);
}

#[test]
fn a_server_is_polled_at_its_rate_and_found_again_after_it_was_away() {
    let here = folder(&[("state", "{\"main\": {\"temp\": 20.5, \"at\": 3}}")]);
    let (peer, port) = Peer::python(here.path(), &[]);
    let source = format!(
        "Driver(\"http\", (url: \"http://127.0.0.1:{port}/state\", every_s: 0.1, pick: {{\"x\": \"/main/temp\"}}))"
    );
    let mut run = Run::new(&meter(&source), &[]);
    run.until("readings", |l| l.received == 1);
    let begun = Instant::now();
    run.until("ten more", |l| l.received == 11);
    let spent = begun.elapsed();
    assert!(spent > Duration::from_millis(900), "{spent:?}");
    assert_eq!(run.values()[..2], [20.5, 20.5]);
    // A page that is not JSON, and none.
    std::fs::write(here.path().join("state"), "<html>").unwrap();
    run.until("garbage", |l| {
        l.counts.garbage > 0 && l.state == LinkState::Up
    });
    std::fs::remove_file(here.path().join("state")).unwrap();
    run.until("404", |l| l.state == LinkState::Down);
    drop(peer);
    std::fs::write(here.path().join("state"), "{\"main\": {\"temp\": 21}}").unwrap();
    let text = port.to_string();
    let argv = ["python3", "-m", "http.server", "--bind", "127.0.0.1", &text];
    let _peer = Peer::start(here.path(), &argv);
    let before = run.link("box/meter").received;
    // The link may be up a tick before its reading is there.
    run.until("again", |l| l.state == LinkState::Up && l.received > before);
    assert_eq!(*run.values().last().unwrap(), 21.0);
}

#[test]
fn servers_that_stall_redirect_or_send_a_gigabyte_hold_nothing_up() {
    let here = folder(&[]);
    let (_secret, inner) = Peer::python(here.path(), &[]);
    std::fs::write(here.path().join("secret"), "{\"x\": 666}").unwrap();
    // The request to its empty line.
    let reads = "while read -r line; do [ ${#line} -le 1 ] && break; done; ";
    let head = |text: &str| format!("{reads} printf 'HTTP/1.1 {text}\\r\\n\\r\\n'; ");
    let redirect = head(&format!(
        "302 Found\\r\\nLocation: http://127.0.0.1:{inner}/secret\\r\\nContent-Length: 0"
    ));
    let huge = head("200 OK\\r\\nContent-Length: 1073741824") + "head -c 1073741824 /dev/zero";
    let drip = head("200 OK\\r\\nContent-Length: 100") + "while sleep 0.1; do printf ' '; done";
    let other = format!("found a redirect to 127.0.0.1:{inner}");
    for (line, reason) in [
        ("sleep 20", "no answer within 0.5 s"),
        (&redirect, &other),
        (&huge, "more than 1048576 bytes"),
        (&drip, "no answer within 0.5 s"),
    ] {
        let servers = folder(&[]);
        let (_peer, port) = Peer::socat(servers.path(), line);
        let source = format!(
            "Driver(\"http\", (url: \"http://127.0.0.1:{port}/\", every_s: 0.05, timeout_s: 0.5))"
        );
        let before = memory_kb();
        let mut run_here = Run::new(&meter(&source), &[]);
        run_here.until(line, |l| l.state == LinkState::Down);
        assert_eq!(run_here.link("box/meter").received, 0, "{line}");
        assert!(memory_kb() < before + 50_000, "{line}: {} kB", memory_kb());
        let begun = Instant::now();
        drop(run_here);
        assert!(begun.elapsed() < Duration::from_secs(1), "{line}");
        // The reason is logged once.
        let args = [
            "run",
            "s.ron",
            "--rerun",
            "off",
            "--quiet",
            "--duration",
            "2s",
        ];
        let here = folder(&[("s.ron", &meter(&source))]);
        let ran = run(here.path(), &args);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(
            ran.stderr.matches(reason).count(),
            1,
            "{line}: {}",
            ran.stderr
        );
    }
    // With an entry, the redirect is followed.
    let servers = folder(&[]);
    let (_peer, port) = Peer::socat(servers.path(), &redirect);
    let source = format!(
        "Driver(\"http\", (url: \"http://127.0.0.1:{port}/\", every_s: 0.05, allow: [\"127.0.0.1:{inner}\"]))"
    );
    let mut run = Run::new(&meter(&source), &[]);
    run.until("the redirect", |l| l.received > 0);
    assert_eq!(run.values()[0], 666.0);
}

#[test]
fn a_run_is_replayed_bit_by_bit_without_its_programs_and_check_starts_none() {
    let here = folder(&[("state", "{\"x\": 3}"), ("log", "")]);
    let (peer, port) = Peer::python(here.path(), &[]);
    let sensor = |name: &str, source: &str| {
        format!(
            "(name: \"{name}\", kind: Values(fields: [(name: \"x\", unit: \"1\")]), rate_hz: 50, source: {source}),"
        )
    };
    let sensors = [
        sensor("a", "Driver(\"file\", (path: \"log\"))"),
        sensor(
            "b",
            "Driver(\"process\", (argv: [\"sh\", \"probe.sh\", \"--fast\"]))",
        ),
        sensor(
            "c",
            &format!("Driver(\"http\", (url: \"http://127.0.0.1:{port}/state\", every_s: 0.1))"),
        ),
    ];
    let scene = format!(
        "(version: 1, duration_s: 2, world: (ground: None), agents: [(name: \"box\", coherence: off, sensors: [{}])])",
        sensors.concat()
    );
    std::fs::write(here.path().join("s.ron"), scene).unwrap();
    let probe = "touch started\nfor k in 1 2 3 4 5 6 7 8 9; do echo \"{\\\"x\\\": $k}\"; echo \"{\\\"x\\\": $k}\" >> log; sleep 0.1; done\n";
    std::fs::write(here.path().join("probe.sh"), probe).unwrap();
    let started = here.path().join("started");
    let checked = run(here.path(), &["check", "s.ron"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(!started.exists());
    let recorded = run(
        here.path(),
        &[
            "run",
            "s.ron",
            "--rerun",
            "off",
            "--record",
            "r.mcap",
            "--summary",
            "s.json",
        ],
    );
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    assert!(started.exists());
    let shown = &recorded.stdout;
    assert!(
        shown.contains("probe.sh") && shown.contains("--fast"),
        "{shown}"
    );
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    for k in 0..3 {
        let sensor = &summary["agents"][0]["sensors"][k];
        assert!(sensor["readings"].as_u64().unwrap() > 5, "{sensor}");
    }
    drop(peer);
    std::fs::remove_file(&started).unwrap();
    let replayed = run(here.path(), &["replay", "r.mcap", "--verify"]);
    assert_eq!(
        replayed.code,
        Some(0),
        "{}{}",
        replayed.stdout,
        replayed.stderr
    );
    assert!(!started.exists());
}

#[test]
fn mistakes_of_a_scene_are_errors_of_check_with_their_places() {
    for (source, words) in [
        (
            "Driver(\"file\", (path: \"\"))",
            &["s.ron:3", "empty `path`"][..],
        ),
        (
            "Driver(\"file\", (path: \"a\", pick: {\"y\": \"/y\"}))",
            &["found the field `y`", "`x`"],
        ),
        (
            "Driver(\"file\", (path: \"a\", pick: \"x.y\"))",
            &["begins with `/`", "/x/y"],
        ),
        (
            "Driver(\"file\", (path: \"a\", replace: true))",
            &["`replace` in a sensor"],
        ),
        ("Driver(\"process\", (argv: []))", &["no program in `argv`"]),
        ("Driver(\"process\", (argv: \"ls -l\"))", &["s.ron:3"]),
        (
            "Driver(\"http\", (url: \"ws://a.example/\"))",
            &["expected an address as http://127.0.0.1:8080/state or https://.."],
        ),
        (
            "Driver(\"websocket\", (url: \"http://a.example/\"))",
            &["expected an address as ws://127.0.0.1:8080/state or wss://.."],
        ),
        (
            "Driver(\"websocket\", (url: \"ws://a.example/\", token: File(\"t\")))",
            &["found `token` with ws:// to another machine"],
        ),
        (
            "Driver(\"http\", (url: \"http://me:pw@a.example/\"))",
            &["user or password"],
        ),
        (
            "Driver(\"http\", (url: \"http://a.example/\", every_s: 0))",
            &["`every_s: 0`"],
        ),
        (
            "Driver(\"process_\", (argv: [\"a\"]))",
            &["did you mean `process`?"],
        ),
    ] {
        let here = folder(&[("s.ron", &meter(source))]);
        let ran = run(here.path(), &["check", "s.ron"]);
        assert_eq!(ran.code, Some(2), "{source}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "no {word} in {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("me:pw@"), "{}", ran.stderr);
    }
    // A program that is not there ends the run at its start, with its place.
    let here = folder(&[(
        "s.ron",
        &meter("Driver(\"process\", (argv: [\"./no-such\"]))"),
    )]);
    let ran = run(here.path(), &["run", "s.ron", "--rerun", "off", "--quiet"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("no program `./no-such`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_examples_of_the_readme_are_valid_and_the_sample_scene_runs_without_hardware() {
    let plugin = root().join("plugins/bridge");
    let text = std::fs::read_to_string(plugin.join("README.md")).unwrap();
    let blocks: Vec<&str> = text.split("```ron\n").skip(1).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let block = block.split("```").next().unwrap();
        let scene = format!(
            "(version: 1, agents: [(name: \"rover\", model: \"{}\", drive: Auto, coherence: off, {block})])",
            root().join("assets/rover.urdf").display()
        );
        let here = folder(&[("s.ron", &scene)]);
        let ran = run(here.path(), &["check", "s.ron"]);
        assert_eq!(ran.code, Some(0), "{block}: {}", ran.stderr);
    }
    let here = folder(&[]);
    let scene = plugin.join("scenes/tank.ron");
    let args = [
        "run",
        scene.to_str().unwrap(),
        "--rerun",
        "off",
        "--duration",
        "2s",
        "--summary",
        "s.json",
    ];
    let ran = run(here.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = std::fs::read_to_string(here.path().join("s.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let readings = summary["agents"][0]["sensors"][0]["readings"]
        .as_u64()
        .unwrap();
    assert!(readings > 10, "{summary}");
}

/// The `safe` of all commands so far.
fn safes(file: &std::path::Path) -> Vec<bool> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|line| line["safe"] == true).collect()
}

#[test]
fn a_pause_and_a_reset_leave_the_safe_command() {
    // Regression: the drive went on with the last command for as long as the pause lasted, and for good after a reset.
    let source = "Driver(\"file\", (path: \"commands.jsonl\"))";
    let mut run = Run::armed(&rover(source), &[], true);
    run.engine.set_pace(becomingone::Pace::RealTime);
    let file = run.folder.path().join("commands.jsonl");
    let handle = run.engine.stop_handle();
    let other = std::thread::spawn(move || {
        let ends_safely = |what: &str| {
            until(LIMIT, what, || safes(&file).last() == Some(&true));
            safes(&file).len()
        };
        until(LIMIT, "a command", || safes(&file).last() == Some(&false));
        handle.pause();
        let paused = ends_safely("the safe command of a pause");
        handle.resume();
        until(LIMIT, "a command after it", || {
            safes(&file).len() > paused && safes(&file).last() == Some(&false)
        });
        handle.pause();
        ends_safely("the safe command of the second pause");
        handle.reset();
        handle.stop();
        ends_safely("the safe command of the end");
    });
    run.engine.set_duration(Duration::from_secs(60));
    run.engine.run().unwrap();
    other.join().unwrap();
}
