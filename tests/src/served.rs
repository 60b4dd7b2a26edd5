//! A run that serves, as a user starts it, and requests to it.

use crate::{binary, finish, folder, root, say, tool, until};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Longest wait for an answer.
pub const LIMIT: Duration = Duration::from_secs(20);
/// Token of the owner.
pub const OWNER: &str = "owner-0123456789abcdef";
/// Token of an operator.
pub const OPERATOR: &str = "operator-0123456789abcdef";
/// Token of a viewer.
pub const VIEWER: &str = "viewer-0123456789abcdef";

/// A rover that patrols, and a dock.
pub fn scene() -> String {
    format!(
        "(version: 1, duration_s: 600.0,
          world: (places: [(name: \"dock\", position_m: (2.0, 1.0))]),
          agents: [(name: \"rover\", model: {:?}, drive: Auto,
            sensors: [
                (name: \"encoders\", kind: Encoders(), rate_hz: 100.0),
                (name: \"imu\", kind: Imu(), rate_hz: 100.0),
                (name: \"lidar\", kind: Lidar(rays: 36, range_max_m: 8.0), rate_hz: 10.0, position_m: (0, 0, 0.3)),
            ],
            controller: Patrol(waypoints_m: [(6, 0), (6, 6), (0, 6), (0, 0)], laps: 50, speed_m_s: 0.4))])",
        root().join("assets/rover.urdf")
    )
}

/// A run that serves.
pub struct Served {
    /// Its process.
    pub child: Child,
    /// What it prints after its address.
    pub out: BufReader<ChildStdout>,
    /// `127.0.0.1:8420`.
    pub host: String,
    /// Address of the page.
    pub page: String,
    /// Its scene, tokens, runtime folder.
    pub folder: TempDir,
}

impl Served {
    /// Starts a run with these arguments, and waits for its address.
    pub fn new(arguments: &[&str]) -> Self {
        let run = ["run", "s.ron", "--serve=0", "--rerun", "off"];
        Self::start(&[&run[..], arguments].concat())
    }

    /// Starts a command that serves, beside `s.ron`, `scenes/s.ron` and `tokens`, and waits for its address.
    pub fn start(arguments: &[&str]) -> Self {
        let tokens = format!("owner {OWNER}\noperator {OPERATOR}\nviewer {VIEWER}\n");
        let folder = folder(&[("s.ron", &scene()), ("tokens", &tokens)]);
        tool(
            folder.path(),
            "chmod 600 tokens && mkdir -m 700 runtime && mkdir scenes",
        );
        let rover = root().join("assets/rover.urdf");
        std::fs::copy(rover, folder.path().join("scenes/rover.urdf")).unwrap();
        let within = scene().replace(&root().join("assets/").display().to_string(), "");
        std::fs::write(folder.path().join("scenes/s.ron"), within).unwrap();
        let mut child = Command::new(binary())
            .args(arguments)
            .args(["--token-file", "tokens"])
            .current_dir(folder.path())
            .env("XDG_RUNTIME_DIR", folder.path().join("runtime"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut page = String::new();
        loop {
            let mut line = String::new();
            if out.read_line(&mut line).unwrap() == 0 {
                let mut text = String::new();
                let mut errors = child.stderr.take().unwrap();
                errors.read_to_string(&mut text).unwrap();
                panic!("{text}");
            }
            if let Some(found) = line.strip_prefix("page: ") {
                page.push_str(found.trim());
                break;
            }
        }
        let host = page.split('/').nth(2).unwrap().to_owned();
        Self {
            child,
            out,
            host,
            page,
            folder,
        }
    }

    /// Status and content of an answer to these bytes.
    pub fn raw(&self, bytes: &[u8]) -> (u16, String) {
        // The run may be over.
        let Ok(mut socket) = TcpStream::connect(&self.host) else {
            return (0, String::new());
        };
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let _ = socket.write_all(bytes);
        let mut text = Vec::new();
        let _ = socket.read_to_end(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.unwrap_or(0), body.to_owned())
    }

    /// Status and content of the answer to a request.
    pub fn ask(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> (u16, Value) {
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{kind}{headers}Content-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        let (status, body) = self.raw(text.as_bytes());
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// A resource.
    pub fn get(&self, path: &str) -> Value {
        let (status, content) = self.ask(VIEWER, "GET", path, "", "");
        assert_eq!(status, 200, "{path}: {content}");
        content
    }

    /// State of the rover.
    pub fn rover(&self) -> Value {
        self.get("/v1/agents/rover")
    }

    /// A lease of the rover, as a header.
    pub fn lease(&self, wanted: &Value) -> String {
        let body = wanted.to_string();
        let (status, granted) = self.ask(OWNER, "POST", "/v1/agents/rover/lease", "", &body);
        assert_eq!(status, 201, "{granted}");
        format!("Lease: {}\r\n", granted["id"].as_str().unwrap())
    }

    /// Status and content of the answer to a command of the rover.
    pub fn request(&self, token: &str, headers: &str, what: &Value) -> (u16, Value) {
        self.ask(
            token,
            "POST",
            "/v1/agents/rover/requests",
            headers,
            &what.to_string(),
        )
    }

    /// Waits until the rover is so.
    pub fn until(&self, what: &str, reached: impl Fn(&Value) -> bool) {
        until(LIMIT, what, || reached(&self.rover()));
    }

    /// Ends the run; returns what it printed.
    pub fn end(mut self) -> (Option<i32>, String, TempDir) {
        let (status, _) = self.ask(OWNER, "POST", "/v1/run/end", "", "");
        assert_eq!(status, 204);
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        let code = self.child.wait().unwrap().code();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (code, text, folder)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `schemathesis` finds in the description of a server and in its answers, with these further arguments: nothing.
pub fn schemathesis(served: &Served, arguments: &[&str]) {
    let Some(python) = python() else { return };
    let mut command = Command::new(python);
    command
        .args(["-m", "schemathesis.cli", "run"])
        .arg(format!("http://{}/v1/openapi.json", served.host))
        .args(["-H", &format!("Authorization: Bearer {OWNER}")])
        .args(["--max-examples", "20", "--seed", "1"])
        .args(["--suppress-health-check", "all"])
        .args(arguments)
        .current_dir(served.folder.path());
    let ran = finish(&mut command, Duration::from_secs(180));
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

/// Python with the peers; none where it is not set, which is said.
pub fn python() -> Option<std::ffi::OsString> {
    let python = std::env::var_os("BECOMINGONE_PYTHON");
    if python.is_none() {
        say("skipped: BECOMINGONE_PYTHON is not set");
    }
    python
}
