//! `cargo xtask detection`: faults in public recordings, found by `analyze` and by classical methods.
//!
//! Figures, peers and tables are those of `tests/peers/detection.py`; `--parts`, `--sets`, `--seeds`, `--rows` and
//! `--json` are passed on to it.

use crate::peers::{Install, peers};
use crate::{cargo, root, run};
use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Builds the program and judges it beside its peers.
pub(crate) fn detection(install: Install, args: &[&str]) -> Result<(), String> {
    let data = env::var_os("BECOMINGONE_TEST_DATA").ok_or(
        "BECOMINGONE_TEST_DATA is not set; expected the folder that holds detection/index.json and skab/valve1",
    )?;
    let peers = peers(install)?;
    let python = env::var_os("BECOMINGONE_PYTHON").map(PathBuf::from);
    let python = python
        .or(peers.python)
        .ok_or("the peers need a Python with scikit-learn: cargo xtask peers")?;
    run(&mut cargo(&[
        "build",
        "--release",
        "--package",
        "becomingone-cli",
    ]))?;
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| root().join("target").into());
    let binary = PathBuf::from(target)
        .join("release")
        .join(format!("becomingone{}", env::consts::EXE_SUFFIX));
    // Relative files are those of the caller, and the script runs in the root.
    let here = env::current_dir().map_err(|e| e.to_string())?;
    let mut command = Command::new(python);
    command
        .arg(root().join("tests/peers/detection.py"))
        .args([here.join(binary), here.join(data)]);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        command.arg(arg);
        if *arg == "--json"
            && let Some(file) = args.next()
        {
            command.arg(here.join(file));
        }
    }
    run(&mut command)
}
