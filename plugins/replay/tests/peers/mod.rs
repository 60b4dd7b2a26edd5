//! Files that other programs write, and the numbers that they read in them.

#![allow(clippy::print_stderr, reason = "a skipped test is reported")]

use becomingone_replay::{Row, Table, Wanted};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Runs a script of `tests/peers` that writes files and `expected.json` into a folder; `None` without a Python.
pub(crate) fn files(script: &str) -> Option<(TempDir, Value)> {
    files_of(script, 1000)
}

/// The same, where the script takes the number of rows.
pub(crate) fn files_of(script: &str, rows: usize) -> Option<(TempDir, Value)> {
    let Some(python) = std::env::var_os("BECOMINGONE_PYTHON") else {
        eprintln!("skipped: {script}, as BECOMINGONE_PYTHON is not set");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(script);
    let ran = Command::new(python)
        .arg("-B")
        .arg(&script)
        .arg(folder.path())
        .arg(rows.to_string())
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}: {}",
        script.display(),
        String::from_utf8_lossy(&ran.stderr)
    );
    let expected = std::fs::read(folder.path().join("expected.json")).unwrap();
    Some((folder, serde_json::from_slice(&expected).unwrap()))
}

/// All of a table: stamps, columns by name, and notes.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) table: Table,
    pub(crate) t_ns: Vec<Option<i64>>,
    pub(crate) columns: BTreeMap<String, Vec<Option<f64>>>,
}

/// Reads a file whole.
pub(crate) fn read(file: &Path, wanted: &Wanted) -> Result<Whole, String> {
    let mut table = Table::open(file, wanted).map_err(|e| e.to_string())?;
    let names = table.channels().to_vec();
    let mut columns: BTreeMap<String, Vec<Option<f64>>> =
        names.iter().map(|n| (n.clone(), Vec::new())).collect();
    let mut t_ns = Vec::new();
    let mut row = Row::default();
    while table.read(&mut row).map_err(|e| e.to_string())? {
        t_ns.push(row.t_ns);
        for (name, value) in names.iter().zip(&row.values) {
            columns.get_mut(name).unwrap().push(*value);
        }
    }
    Ok(Whole {
        table,
        t_ns,
        columns,
    })
}
