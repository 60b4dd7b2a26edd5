//! `cargo xtask soak`: each feature alone, packages, a million inputs for each reader of logs, and every robot description of some wheels against its peers.
//!
//! A file is a model when its root element is `<robot>` and holds a `<link>`, or when it is `<mujoco>`,
//! holds a `<worldbody>` or includes other files, and no other file includes it. Of numbered sets with
//! hundreds of alike models (`random_urdfs`) every tenth is taken.
//!
//! A model is right when `inspect` has the moving joints of its peer and its mass within 2 %, every
//! collider of the file is there or reported as left out, and 5 s at 1 kHz end with all speeds finite and
//! below 50 m/s. The peer of MJCF is `MuJoCo`; that of URDF is the file's own sum, as `MuJoCo` drops the
//! mass of a fixed base. A model that its peer refuses is judged by its run alone.

#![allow(
    clippy::disallowed_methods,
    reason = "a run that takes too long is stopped by the wall clock"
)]

use crate::peers::{Install, Peers, peers};
use crate::{cargo, floors, root, run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest that reading a model, and running it for 5 s, may take.
const READ: Duration = Duration::from_secs(60);
const RUN: Duration = Duration::from_secs(120);
/// Speed above which a dropped robot has come apart (m/s).
const FAST_M_S: f64 = 50.0;
/// Largest relative error of a mass.
const MASS: f64 = 0.02;

/// Runs everything and prints a table of the models that are wrong.
pub(crate) fn soak(install: Install) -> Result<(), String> {
    let Peers {
        robots: Some(robots),
        python: Some(python),
        ..
    } = peers(install)?
    else {
        return Err("the sweep needs robot descriptions and a Python with mujoco".to_owned());
    };
    builds()?;
    fuzz()?;
    run(&mut cargo(&["build", "--release", "--workspace"]))?;
    let binary = root().join("target/release/becomingone");
    let files = models(&robots);
    let counts = ask(&python, &files)?;
    let next = Mutex::new(files.iter());
    let wrong = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let file = next.lock().ok().and_then(|mut files| files.next());
                    let Some(file) = file else { return };
                    let peer = counts.get(file).cloned().unwrap_or_default();
                    if let Err(reason) = judge(&binary, file, &peer)
                        && let Ok(mut wrong) = wrong.lock()
                    {
                        wrong.push((file.clone(), reason));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap_or_default();
    wrong.sort();
    for (file, reason) in &wrong {
        let name = file.strip_prefix(&robots).unwrap_or(file);
        println!("{:60} {reason}", name.display());
    }
    println!("{} of {} right", files.len() - wrong.len(), files.len());
    Ok(())
}

/// A million inputs for each reader of logs, in place of the 20 000 of the tests.
fn fuzz() -> Result<(), String> {
    let package = ["--package", "becomingone-replay", "--all-features"];
    let mut tests = cargo(&[&["test", "--release"][..], &package, &["--", "fuzz"]].concat());
    run(tests.env("BECOMINGONE_FUZZ_CASES", "1000000"))
}

/// Each feature alone, the kernel's tests with all features, and packages as they would be published.
fn builds() -> Result<(), String> {
    let members = floors::members()?;
    for member in members.iter().filter(|m| m.has_default_features) {
        for feature in &member.features {
            let check = ["check", "--release", "--no-default-features"];
            let only = ["--package", &member.name, "--features", feature];
            run(&mut cargo(&[&check[..], &only].concat()))?;
        }
    }
    let kernel = [
        "test",
        "--release",
        "--package",
        "becomingone-kernel",
        "--all-features",
    ];
    run(&mut cargo(&kernel))?;
    // Each is built again from its package. Uncommitted changes are packed too.
    let mut package = cargo(&["package", "--workspace", "--allow-dirty"]);
    for member in members.iter().filter(|m| !m.is_published) {
        package.args(["--exclude", &member.name]);
    }
    // No debug information: half the time and a third of the disk.
    run(package.env("CARGO_PROFILE_DEV_DEBUG", "0"))
}

/// All models below a folder, sorted.
fn models(folder: &Path) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut fragments = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = folder.read_dir() else {
            continue;
        };
        for path in entries.flatten().map(|e| e.path()) {
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let end = path.extension().and_then(|e| e.to_str());
            if !matches!(end, Some("urdf" | "xml" | "mjcf")) || is_skipped(&path) {
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let text = String::from_utf8_lossy(&bytes);
            let includes = included(&text);
            let is = |tag: &str| text.contains(tag);
            if is("<robot") && is("<link") && !is("xacro:") {
                found.insert(path);
            } else if is("<mujoco")
                && !is("<mujocoinclude")
                && (is("<worldbody") || !includes.is_empty())
            {
                let beside = includes.iter().map(|f| folder.join(f));
                fragments.extend(beside);
                found.insert(path);
            }
        }
    }
    found
        .into_iter()
        .filter(|f| !fragments.contains(f))
        .collect()
}

/// Whether this is one of hundreds of alike models, and not the tenth.
fn is_skipped(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let Some((_, rest)) = text.split_once("random_urdfs/") else {
        return false;
    };
    !rest
        .split('/')
        .next()
        .is_some_and(|number| number.ends_with('0'))
}

/// Files that a text includes.
fn included(text: &str) -> Vec<String> {
    let after = text.split("<include").skip(1);
    let file = |rest: &str| {
        let (_, value) = rest.split_once("file=")?;
        let quote = value.chars().next()?;
        Some(value[1..].split(quote).next()?.to_owned())
    };
    after.filter_map(file).collect()
}

/// Joints, masses and colliders of each file, by its peer.
fn ask(python: &Path, files: &[PathBuf]) -> Result<BTreeMap<PathBuf, Value>, String> {
    let script = root().join("tests/peers/mujoco_counts.py");
    let fail = |e: std::io::Error| format!("{}: {e}", script.display());
    let mut child = Command::new(python)
        .arg(&script)
        // MuJoCo leaves its log where it runs.
        .current_dir(root().join("target"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(fail)?;
    let list: String = files.iter().map(|f| format!("{}\n", f.display())).collect();
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(list.as_bytes()).map_err(fail)?;
    }
    let output = child.wait_with_output().map_err(fail)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let counts = text.lines().filter_map(|line| {
        let counts: Value = serde_json::from_str(line).ok()?;
        Some((PathBuf::from(counts["file"].as_str()?), counts))
    });
    Ok(counts.collect())
}

/// Checks one model; the error is the reason.
fn judge(binary: &Path, file: &Path, peer: &Value) -> Result<(), String> {
    let (code, stdout, stderr) = finish(
        Command::new(binary).arg("inspect").arg(file).arg("--json"),
        READ,
    )?;
    if code != Some(0) {
        let reason = stderr.lines().next().unwrap_or_default();
        return Err(format!("refused: {}", reason.trim_start_matches("error: ")));
    }
    let ours: Value = serde_json::from_str(&stdout).map_err(|e| format!("no JSON: {e}"))?;
    let (joints, mass) = (
        &ours["moving_joints"],
        ours["mass_kg"].as_f64().unwrap_or(f64::NAN),
    );
    if !peer["joints"].is_null() && *joints != peer["joints"] {
        return Err(format!("{joints} joints, its peer has {}", peer["joints"]));
    }
    let warnings = ours["warnings"].as_array().map_or(&[][..], Vec::as_slice);
    let warns = |words: &str| {
        warnings
            .iter()
            .any(|w| w.as_str().is_some_and(|w| w.contains(words)))
    };
    if let Some(kg) = peer["mass_kg"].as_f64()
        && (mass.is_nan() || (mass - kg).abs() > MASS * kg)
        // A mass that had to be assumed is a warning.
        && !(mass > kg && warns("has no mass"))
    {
        return Err(format!("{mass:.4} kg, its peer has {kg:.4}"));
    }
    if let Some(colliders) = peer["colliders"].as_u64()
        && ours["colliders"].as_u64() != Some(colliders)
        && !warns("ignored")
    {
        return Err(format!(
            "{} colliders of {colliders}, without a warning",
            ours["colliders"]
        ));
    }
    fall(binary, file)
}

/// Drops a model for 5 s.
fn fall(binary: &Path, file: &Path) -> Result<(), String> {
    let mut name = file.to_string_lossy().replace(['/', '\\'], "_");
    name.push_str(".json");
    let folder = std::env::temp_dir().join("becomingone-soak");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let summary = folder.join(name);
    let mut command = Command::new(binary);
    command.arg("run").arg(file);
    command.args([
        "--duration",
        "5s",
        "--fast",
        "--rerun",
        "off",
        "--quiet",
        "--summary",
    ]);
    let (code, _, stderr) = finish(command.arg(&summary), RUN)?;
    if code != Some(0) {
        let reason = stderr
            .lines()
            .find(|l| l.starts_with("error"))
            .unwrap_or(&stderr);
        return Err(format!("run: {reason}"));
    }
    let text = std::fs::read_to_string(&summary).map_err(|e| e.to_string())?;
    drop(std::fs::remove_file(&summary));
    let summary: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    match summary["agents"][0]["max_speed_m_s"].as_f64() {
        Some(speed) if speed < FAST_M_S => Ok(()),
        Some(speed) => Err(format!("{speed:.0} m/s")),
        None => Err("a speed that is not finite".to_owned()),
    }
}

/// Runs a command to its end or a limit: exit code, stdout, stderr.
fn finish(command: &mut Command, limit: Duration) -> Result<(Option<i32>, String, String), String> {
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
