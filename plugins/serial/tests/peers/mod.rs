//! Streams of programs that nobody here wrote.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Stream of one protocol and its truth; none with a notice where there is no Python with the peers.
pub(crate) fn stream(kind: &str, count: usize, seed: u64) -> Option<(Vec<u8>, Value)> {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        eprintln!("skipped: streams of {kind}, as BECOMINGONE_PYTHON is not set");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/streams.py");
    let ran = Command::new(python)
        .arg("-B")
        .arg(script)
        .args([kind, &count.to_string(), &seed.to_string()])
        .arg(folder.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{errors}");
    let truth = std::fs::read(folder.path().join("truth.json")).unwrap();
    let stream = std::fs::read(folder.path().join("stream.bin")).unwrap();
    Some((stream, serde_json::from_slice(&truth).unwrap()))
}
