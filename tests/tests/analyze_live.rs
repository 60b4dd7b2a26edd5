//! `becomingone analyze -`: each row of a stream is scored when it comes, and an alarm is reported when it begins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a score has to be out within a time"
)]

use becomingone_tests::{CERTIFICATES, binary, folder, run, say, tool};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for a line that must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time in which the score of a row must be out; a busy machine is given more, and what it took is printed.
const SOON: Duration = Duration::from_millis(200);

/// A server that ends with its test, also one that fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Row `k` of a table `t,flow,power`; from row `broken` on, `flow` jumps.
fn row(k: u64, broken: u64) -> String {
    let saw = |n: u64| (k * n % 17) as f64 / 17.0 - 0.5;
    let flow = saw(7) + if k < broken { 0.0 } else { 40.0 * saw(5) };
    format!("{:.2},{flow:.6},{:.6}\n", k as f64 * 0.1, saw(11))
}

fn start(folder: &std::path::Path, more: &[&str]) -> (Child, ChildStdin) {
    let mut child = Command::new(binary())
        .current_dir(folder)
        .args(["analyze", "-", "--out", "-", "--baseline", "100"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let to = child.stdin.take().unwrap();
    (child, to)
}

/// Lines of a stream, each with the time at which it came.
fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<(String, Instant)> {
    let (to, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send((line, Instant::now())).is_err() {
                return;
            }
        }
    });
    lines
}

#[test]
fn score_of_a_row_is_out_before_the_next_one_comes() {
    let folder = folder(&[]);
    let (mut child, mut to) = start(folder.path(), &[]);
    let scores = lines(child.stdout.take().unwrap());
    let messages = lines(child.stderr.take().unwrap());
    to.write_all(b"t,flow,power\n").unwrap();
    // The baseline, but for its last row.
    for k in 0..99 {
        to.write_all(row(k, 300).as_bytes()).unwrap();
    }
    let (header, _) = scores.recv_timeout(PATIENCE).unwrap();
    assert!(header.starts_with("row,time,"), "{header}");
    for k in 0..99 {
        let (line, _) = scores.recv_timeout(PATIENCE).unwrap();
        assert!(line.starts_with(&format!("{k},")), "{line}");
    }
    let mut slowest = Duration::ZERO;
    let mut alarm = None;
    for k in 99..320 {
        let sent = Instant::now();
        to.write_all(row(k, 300).as_bytes()).unwrap();
        let (line, came) = scores.recv_timeout(PATIENCE).unwrap();
        assert!(line.starts_with(&format!("{k},")), "{line}");
        slowest = slowest.max(came - sent);
        let flag = line.split(',').nth(9).unwrap() == "1";
        if flag && alarm.is_none() {
            alarm = Some(k);
        }
    }
    let alarm = alarm.expect("the fault is found while the stream goes on");
    // The line is there while the stream is open.
    let told = loop {
        let (line, _) = messages.recv_timeout(PATIENCE).unwrap();
        if line.starts_with("alarm: ") {
            break line;
        }
    };
    assert!(
        told.contains(&format!("row {alarm}: flow, surprise")),
        "{told}"
    );
    say(&format!(
        "analyze -: a score was out after {slowest:?} at most"
    ));
    assert!(slowest < SOON, "{slowest:?}");
    drop(to);
    assert!(child.wait().unwrap().success());
}

/// A web server of the standard library, which prints what is posted to it; by TLS where it is given a certificate.
const SERVER: &str = "
import http.server, ssl, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        print(self.headers['content-type'], body.decode(), flush=True)
        self.send_response(204)
        self.end_headers()
    def log_message(self, *a):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Hook)
if sys.argv[1:]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1] + '.pem', sys.argv[1] + '.key')
    server.socket = tls.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";

/// Starts it; its port, and what is posted to it. None without a Python, with a notice.
fn server(
    folder: &Path,
    certificate: &[&str],
) -> Option<(Ended, String, Receiver<(String, Instant)>)> {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        say("skipped: a web server for alarms, as BECOMINGONE_PYTHON is not set");
        return None;
    };
    let server = Command::new(python)
        .args(["-c", SERVER])
        .args(certificate)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Ended(server);
    let requests = lines(server.0.stdout.take().unwrap());
    let (port, _) = requests.recv_timeout(PATIENCE).unwrap();
    Some((server, port, requests))
}

#[test]
fn alarm_is_posted_by_tls_to_a_server_of_a_known_issuer_alone() {
    let rows: String = (0..320).map(|k| row(k, 300)).collect();
    let folder = folder(&[("log.csv", &format!("t,flow,power\n{rows}"))]);
    tool(folder.path(), CERTIFICATES);
    let Some((_server, port, requests)) = server(folder.path(), &["server"]) else {
        return;
    };
    let Some((_old, expired, refused)) = server(folder.path(), &["expired"]) else {
        return;
    };
    let analyze = |port: &str, ca: &[&str]| {
        let hook = format!("https://127.0.0.1:{port}/hook");
        let with = [
            "analyze",
            "log.csv",
            "--baseline",
            "100",
            "--rerun",
            "off",
            "--webhook",
            &hook,
        ];
        run(folder.path(), &[&with[..], ca].concat())
    };
    let ran = analyze(&port, &["--webhook-ca", "ca.pem"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains("--webhook"), "{}", ran.stderr);
    let (request, _) = requests.recv_timeout(PATIENCE).unwrap();
    let alarm = request.strip_prefix("application/json ").unwrap();
    let alarm: serde_json::Value = serde_json::from_str(alarm).unwrap();
    assert_eq!(alarm["channel"], "flow");
    while requests.try_recv().is_ok() {}
    let unknown = "found a certificate of the server of an issuer that is not known";
    for (port, ca, reason) in [
        (&port, &["--webhook-ca", "other.pem"][..], unknown),
        (&port, &[], unknown),
        (
            &expired,
            &["--webhook-ca", "ca.pem"],
            "found a certificate of the server that has expired",
        ),
    ] {
        let ran = analyze(port, ca);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches(reason).count(), 1, "{}", ran.stderr);
    }
    let ran = analyze(&port, &["--webhook-ca", "none.pem"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("none.pem: "), "{}", ran.stderr);
    assert!(requests.try_recv().is_err() && refused.try_recv().is_err());
}

#[test]
fn alarm_runs_a_program_without_a_shell_and_calls_a_web_address() {
    let folder = folder(&[]);
    let Some((server, port, requests)) = server(folder.path(), &[]) else {
        return;
    };
    let hook = format!("http://127.0.0.1:{port}/hook");
    let (mut child, mut to) = start(
        folder.path(),
        &[
            "--webhook",
            &hook,
            "--on-alarm",
            "touch",
            "{channel} $(id) {row}",
            ";",
            "--quiet",
        ],
    );
    // A pipe that nobody reads would stop it.
    let _scores = lines(child.stdout.take().unwrap());
    to.write_all(b"t,flow,power\n").unwrap();
    for k in 0..320 {
        to.write_all(row(k, 300).as_bytes()).unwrap();
    }
    let (request, _) = requests.recv_timeout(PATIENCE).unwrap();
    let alarm = request.strip_prefix("application/json ").unwrap();
    let alarm: serde_json::Value = serde_json::from_str(alarm).unwrap();
    assert_eq!(alarm["channel"], "flow");
    let row = alarm["row"].as_u64().unwrap();
    assert!((300..310).contains(&row), "{alarm}");
    assert!(alarm["surprise"].as_f64().unwrap() > 1.0, "{alarm}");
    let number = |key: &str| alarm[key].as_f64().unwrap();
    let off = (number("measured") - number("expected")).abs();
    assert!(off > number("band") && number("severity") > 0.0, "{alarm}");
    drop(to);
    assert!(child.wait().unwrap().success());
    drop(server);
    // One argument, as it is.
    assert!(folder.path().join(format!("flow $(id) {row}")).is_file());
}

#[test]
fn what_an_alarm_cannot_do_is_said() {
    let rows: String = (0..320).map(|k| row(k, 300)).collect();
    let folder = folder(&[("log.csv", &format!("t,flow,power\n{rows}"))]);
    let analyze = |more: &[&str]| {
        let with = ["analyze", "log.csv", "--baseline", "100", "--rerun", "off"];
        run(folder.path(), &[&with[..], more].concat())
    };
    for (option, value, found) in [
        (
            "--on-alarm",
            "no-such-program",
            "found no program `no-such-program`",
        ),
        (
            "--webhook",
            "ftp://127.0.0.1/x",
            "expected an address as http://",
        ),
    ] {
        let ran = analyze(&[option, value]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(found), "{}", ran.stderr);
    }
    let ran = analyze(&["--on-alarm", "touch", "x", "--out", "y"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("found `--out` among the arguments of `touch`"),
        "{}",
        ran.stderr
    );
    let ran = analyze(&[
        "--on-alarm",
        "touch",
        "x",
        ";",
        "--on-alarm",
        "touch",
        "y",
        ";",
    ]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    // Nobody listens, and a program that fails: warnings, and the scores are whole.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hook = format!("http://{}/hook", free.local_addr().unwrap());
    drop(free);
    let ran = analyze(&["--webhook", &hook, "--on-alarm", "false", ";"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in [
        "--on-alarm: false: exit status: 1",
        "2 commands or requests of alarms failed",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let mut scores = String::new();
    let mut file = std::fs::File::open(folder.path().join("scores.csv")).unwrap();
    file.read_to_string(&mut scores).unwrap();
    assert_eq!(scores.lines().count(), 321);
}
