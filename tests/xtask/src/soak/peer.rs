//! `MuJoCo` in a Python beside each thread of the sweep.

use crate::root;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A Python that compares files one by one.
pub(super) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    pub(super) fn new(python: &Path) -> Result<Self, String> {
        let script = root().join("tests/peers/mujoco_models.py");
        let fail = |e: String| format!("{}: {e}", script.display());
        let mut child = Command::new(python)
            .arg(&script)
            // MuJoCo leaves its log where it runs.
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| fail(e.to_string()))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(fail("no pipes".to_owned()));
        };
        let from = BufReader::new(from);
        Ok(Self { child, to, from })
    }

    /// Compares a file with what `inspect` says of it, or asks whether the peer reads it.
    pub(super) fn ask(&mut self, file: &Path, ours: Option<&Value>) -> Result<Value, String> {
        let mut line = json!({ "file": file, "ours": ours }).to_string();
        line.push('\n');
        let fail = |e: std::io::Error| format!("peer: {e}");
        self.to.write_all(line.as_bytes()).map_err(fail)?;
        let mut answer = String::new();
        self.from.read_line(&mut answer).map_err(fail)?;
        serde_json::from_str(&answer).map_err(|e| format!("peer: {e}"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
