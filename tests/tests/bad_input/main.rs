//! Bad input is refused with a message that names the place, in bounded time and memory, never by a
//! panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

// The expected messages contain those of Unix for missing files.
#[cfg(unix)]
mod fixtures;
mod generated;

use becomingone_tests::{Ran, binary, finish};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Time limit of a refusal.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the binary with at most this much address space (KiB): beyond it, allocations fail, and the
/// process aborts.
fn bounded(folder: &Path, args: &[&str], kib: u32) -> Ran {
    let mut command = if cfg!(unix) {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "ulimit -v \"$0\"; exec \"$@\"", &kib.to_string()])
            .arg(binary());
        shell
    } else {
        Command::new(binary())
    };
    command
        .current_dir(folder)
        .args(args)
        .env_remove("RUST_LOG");
    finish(&mut command, LIMIT)
}

/// Misbehaviour of any run: ended by a signal, a panic, too long a message.
fn misbehaviour(ran: &Ran) -> Option<String> {
    if ran.code.is_none() {
        return Some(format!("ended by a signal: {}", ran.stderr));
    }
    if ran.stderr.contains("panicked") {
        return Some(format!("a panic: {}", ran.stderr));
    }
    let bytes = ran.stderr.len();
    (bytes > 10_000).then(|| format!("{bytes} bytes of message"))
}
