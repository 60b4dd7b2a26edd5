//! Runs programs within a time limit.

#![allow(
    clippy::disallowed_methods,
    reason = "a run that takes too long is stopped by the wall clock"
)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a command to its end or a limit: exit code, stdout, stderr.
pub(super) fn finish(
    command: &mut Command,
    limit: Duration,
) -> Result<(Option<i32>, String, String), String> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let id = child.id();
    // Read while it runs: a full pipe would hold it for ever.
    let mut pipes = (child.stdout.take(), child.stderr.take());
    let read = |pipe: Option<&mut dyn std::io::Read>| {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            drop(pipe.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    };
    std::thread::scope(|scope| {
        let out = scope.spawn(|| read(pipes.0.as_mut().map(|p| p as _)));
        let err = scope.spawn(|| read(pipes.1.as_mut().map(|p| p as _)));
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if begun.elapsed() > limit => {
                    drop(child.kill());
                    drop(child.wait());
                    break Err(format!("process {id} took longer than {limit:?}"));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Err(e) => break Err(e.to_string()),
            }
        };
        let text = |t: std::thread::ScopedJoinHandle<String>| t.join().unwrap_or_default();
        let (out, err) = (text(out), text(err));
        status.map(|s| (s.code(), out, err))
    })
}
