//! `cargo xtask soak`: each feature alone, packages, a million inputs for each reader of logs, an hour of streams over
//! pseudo-terminals, a hundred kills around a request, patrols of robots of others, and every robot description of
//! some wheels beside `MuJoCo`.
//!
//! A model is right when all that `inspect` reads is as in its peer: joints and their names, masses and
//! inertias of all bodies (1 %), places and axes of all joints (1e-4), accelerations from rest under gravity (1 %, of
//! the model's own equations), when 5 s at 1 kHz end with all speeds below 50 m/s, and when a free robot rests at
//! the peer's height (1 cm) where the peer has one rest pose. `MuJoCo` reads URDF without its meshes.
//!
//! - `robots`: the files.
//! - `process` and `peer`: programs that run beside.
//! - `judge`: one model.

mod judge;
mod peer;
mod process;
mod robots;

use crate::peers::{Install, Peers, openclaw, peers, sweep_robots};
use crate::{cargo, floors, root, run};
use judge::{Verdict, judge};
use peer::Peer;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Runs everything.
pub(crate) fn soak(install: Install) -> Result<(), String> {
    let found = peers(install)?;
    crate::python::soak(install, &found)?;
    let Peers {
        robots: Some(robots),
        python: Some(python),
        node_modules,
        ..
    } = found
    else {
        return Err("the sweep needs robot descriptions and a Python with mujoco".to_owned());
    };
    let more = sweep_robots(install)?;
    builds()?;
    fuzz()?;
    ptys(&python)?;
    run(&mut cargo(&["build", "--release", "--workspace"]))?;
    long("requests_kept", &[("BECOMINGONE_KILLS", "100".as_ref())])?;
    let seeds = ("BECOMINGONE_PATROL_SEEDS", "20".as_ref());
    long(
        "patrol",
        &[seeds, ("BECOMINGONE_ROBOTS", robots.as_os_str())],
    )?;
    if let Some(modules) = node_modules {
        agents(&python, &modules, install)?;
    }
    let binary = root().join("target/release/becomingone");
    let folders: Vec<_> = [Some(robots), more].into_iter().flatten().collect();
    sweep(&binary, &python, &folders)
}

/// Judges all models below some folders, and prints those that are not right and a table.
///
/// # Errors
/// Too few are right, or one is wrong in silence.
pub(crate) fn sweep(binary: &Path, python: &Path, folders: &[PathBuf]) -> Result<(), String> {
    let files = folders.iter().flat_map(|folder| {
        let models = robots::models(folder);
        models.into_iter().map(move |file| (folder.clone(), file))
    });
    let files: Vec<_> = files.collect();
    let next = Mutex::new(files.iter());
    let verdicts = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut peer = Peer::new(python)?;
        loop {
            let file = next.lock().ok().and_then(|mut files| files.next());
            let Some((folder, file)) = file else {
                return Ok(());
            };
            let verdict = judge(binary, file, &mut peer);
            if verdict
                .wrong
                .iter()
                .any(|(quantity, ..)| quantity == "peer")
            {
                // It may have died with the file.
                peer = Peer::new(python)?;
            }
            let name = file.strip_prefix(folder).unwrap_or(file).to_owned();
            if let Ok(mut verdicts) = verdicts.lock() {
                verdicts.insert(name, verdict);
            }
        }
    };
    let done: Result<(), String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ends = threads.into_iter().map(|t| {
            t.join()
                .unwrap_or_else(|_| Err("a thread ended".to_owned()))
        });
        ends.collect()
    });
    done?;
    report(&verdicts.into_inner().unwrap_or_default())
}

/// Least share of models that are right.
const RIGHT: f64 = 0.97;

/// Counts of a wheel.
#[derive(Default)]
struct Row {
    files: usize,
    right: usize,
    said: usize,
    silent: usize,
    refused: usize,
    refused_by_both: usize,
    without_meshes: usize,
    no_peer: usize,
}

impl Row {
    fn add(&mut self, verdict: &Verdict) {
        self.files += 1;
        self.right += usize::from(verdict.is_right());
        self.silent += usize::from(verdict.is_silent());
        self.said += usize::from(!verdict.wrong.is_empty() && !verdict.is_silent());
        self.without_meshes += usize::from(verdict.without_meshes);
        match (&verdict.refused, &verdict.no_peer) {
            (Some(_), Some(_)) => self.refused_by_both += 1,
            (Some(_), None) => self.refused += 1,
            (None, Some(_)) => self.no_peer += 1,
            (None, None) => {}
        }
    }
}

fn report(verdicts: &BTreeMap<PathBuf, Verdict>) -> Result<(), String> {
    let mut rows = BTreeMap::<String, Row>::new();
    let mut all = Row::default();
    let mut quantities = BTreeMap::<&str, [usize; 3]>::new();
    for (file, verdict) in verdicts {
        let wheel = file.iter().next().unwrap_or_default().to_string_lossy();
        rows.entry(wheel.into_owned()).or_default().add(verdict);
        all.add(verdict);
        if let Some(reason) = &verdict.refused {
            let also = verdict
                .no_peer
                .as_ref()
                .map(|p| format!(" (MuJoCo too: {p})"));
            println!(
                "{}: refused: {reason}{}",
                file.display(),
                also.unwrap_or_default()
            );
        }
        for (quantity, text, said) in &verdict.wrong {
            let how = if *said { "said" } else { "SILENT" };
            println!("{}: {how}: {quantity}: {text}", file.display());
        }
        for quantity in &verdict.compared {
            quantities.entry(quantity).or_default()[0] += 1;
        }
        for (quantity, _, said) in &verdict.wrong {
            quantities.entry(quantity).or_default()[if *said { 1 } else { 2 }] += 1;
        }
    }
    println!(
        "\n{:28}{:>6} {:>6} {:>5} {:>7} {:>8} {:>8} {:>9} {:>8}",
        "wheel", "files", "right", "said", "silent", "refused", "by both", "no meshes", "no peer"
    );
    for (wheel, row) in rows
        .iter()
        .map(|(k, v)| (k.as_str(), v))
        .chain([("all", &all)])
    {
        println!(
            "{wheel:28}{:>6} {:>6} {:>5} {:>7} {:>8} {:>8} {:>9} {:>8}",
            row.files,
            row.right,
            row.said,
            row.silent,
            row.refused,
            row.refused_by_both,
            row.without_meshes,
            row.no_peer
        );
    }
    println!(
        "\n{:28}{:>8} {:>6} {:>7}",
        "quantity", "compared", "said", "silent"
    );
    for (quantity, [compared, said, silent]) in quantities {
        println!("{quantity:28}{compared:>8} {said:>6} {silent:>7}");
    }
    let share = all.right as f64 / all.files.max(1) as f64;
    println!(
        "\n{} of {} right ({:.1} %)",
        all.right,
        all.files,
        100.0 * share
    );
    if all.silent > 0 || share < RIGHT {
        return Err(format!(
            "found {:.1} % right, {} wrong in silence; expected {:.0} %, and none in silence",
            100.0 * share,
            all.silent,
            100.0 * RIGHT
        ));
    }
    Ok(())
}

/// A million inputs for each reader of logs, in place of the 20 000 of the tests, and ten million for each parser of
/// serial ports, of lines and states, of cameras' streams, of messages and commands, of datagrams and of Bluetooth's values,
/// in place of 100 000.
fn fuzz() -> Result<(), String> {
    for (package, tests, cases) in [
        ("becomingone-replay", "fuzz", "1000000"),
        ("becomingone-serial", "random_bytes", "10000000"),
        ("becomingone-bridge", "random_bytes", "10000000"),
        ("becomingone-camera", "any_bytes", "10000000"),
        ("becomingone-mqtt", "any_payload", "10000000"),
        ("becomingone-udp", "random_bytes", "10000000"),
        ("becomingone-bluetooth", "any_bytes", "10000000"),
    ] {
        let arguments = ["test", "--release", "--package", package, "--all-features"];
        let mut tests = cargo(&[&arguments[..], &["--", tests]].concat());
        run(tests.env("BECOMINGONE_FUZZ_CASES", cases))?;
    }
    Ok(())
}

/// An hour of streams over pseudo-terminals, in place of the second of the tests.
fn ptys(python: &Path) -> Result<(), String> {
    let arguments = ["test", "--release", "--package", "becomingone-serial"];
    let mut tests = cargo(&[&arguments[..], &["--test", "pty_streams"]].concat());
    tests.env("BECOMINGONE_PYTHON", python);
    run(tests.env("BECOMINGONE_PTY_S", "3600"))
}

/// Tests of every day with more: a hundred kills around a request in place of twelve, twenty patrols of each robot of
/// others in place of four.
fn long(test: &str, settings: &[(&str, &OsStr)]) -> Result<(), String> {
    let arguments = ["test", "--release", "--workspace", "--test", test];
    run(cargo(&arguments).envs(settings.iter().copied()))
}

/// The agent `openclaw`, which the tests of every day do without.
fn agents(python: &Path, modules: &Path, install: Install) -> Result<(), String> {
    let Some(openclaw) = openclaw(modules, install)? else {
        return Ok(());
    };
    let arguments = ["test", "--release", "--workspace", "--test", "agents"];
    let mut tests = cargo(&[&arguments[..], &["--", "openclaw"]].concat());
    tests
        .env("BECOMINGONE_PYTHON", python)
        .env("BECOMINGONE_NODE_MODULES", modules)
        .env("BECOMINGONE_OPENCLAW", openclaw);
    run(&mut tests)
}

/// No feature, each feature alone, the kernel's tests with all features, and packages as they would be published.
fn builds() -> Result<(), String> {
    let members = floors::members()?;
    for member in members.iter().filter(|m| m.has_default_features) {
        let check = ["check", "--release", "--no-default-features", "--package"];
        let check = [&check[..], &[&member.name]].concat();
        run(&mut cargo(&check))?;
        for feature in &member.features {
            run(&mut cargo(&[&check[..], &["--features", feature]].concat()))?;
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
