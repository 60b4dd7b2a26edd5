//! `cargo xtask test`: everything that CI runs, and the programs and models that it needs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command prints"
)]

mod detection;
mod features;
mod floors;
mod modules;
mod peers;
mod python;
mod soak;
mod source;
mod surprise;
mod words;

use peers::{Install, Peers, peers};
use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const HELP: &str = "\
cargo xtask test      what CI runs: words, floors, format, lints, docs, build, all tests
cargo xtask words     spelling, and words that this project does not use
cargo xtask floors    imports that go up, and all circles of imports
cargo xtask python    the wheel of the Python package and its tests alone
cargo xtask peers     install what the tests compare against, most of it in target/peers
cargo xtask soak      each feature alone, packages, random inputs, an hour of serial streams, a hundred kills,
                      patrols of robots of others, OpenClaw (650 MB) with our server, what takes long of the Python
                      package, every robot description of 16 wheels against MuJoCo and for 5 s; then surprise
cargo xtask sweep BINARY FOLDER..  the robot descriptions below some folders alone
cargo xtask surprise  false alarms and missed faults, over thousands of simulated seconds
cargo xtask detection  faults in the recordings of BECOMINGONE_TEST_DATA, by `analyze` and by classical methods;
                      --json FILE keeps the figures, --parts sets,blame,healthy,throughput, --sets alfa,tep fewer of them

--no-install          install nothing: name what is missing, and run what is possible without";

fn main() -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let all = args.len();
    args.retain(|a| a != "--no-install");
    let install = if args.len() < all {
        Install::No
    } else {
        Install::Yes
    };
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["test"] => test(install),
        ["words"] => peers::typos(install).and_then(|typos| words::check(typos.as_deref())),
        ["floors"] => floors::show(),
        ["peers"] => peers(install).map(drop),
        ["python"] => peers(install).and_then(|peers| {
            let mut counted = Counted::default();
            python::test(install, &peers, &mut counted)?;
            counted.end()
        }),
        ["soak"] => soak::soak(install).and_then(|()| surprise::surprise()),
        ["sweep", binary, ref folders @ ..] => peers(install).and_then(|peers| {
            let python = env::var_os("BECOMINGONE_PYTHON").map(PathBuf::from);
            let python = python.or(peers.python);
            let python = python.ok_or("the sweep needs a Python with mujoco")?;
            let folders: Vec<_> = folders.iter().map(PathBuf::from).collect();
            soak::sweep(Path::new(binary), &python, &folders)
        }),
        ["surprise"] => surprise::surprise(),
        ["detection", ref args @ ..] => detection::detection(install, args),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(HELP.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A command as it is typed, without the variables that it removes.
fn written(command: &Command) -> String {
    let set = command.get_envs();
    let set = set.filter_map(|(name, value)| Some((name, value?)));
    let set = set.map(|(name, value)| format!("{}={}", name.display(), value.display()));
    let arguments = command.get_args().map(|a| a.display().to_string());
    let program = command.get_program().display().to_string();
    let words: Vec<_> = set.chain([program]).chain(arguments).collect();
    words.join(" ")
}

fn run(command: &mut Command) -> Result<(), String> {
    let text = written(command);
    println!("$ {text}");
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {text}")),
        Err(e) => Err(format!("cannot run {text}: {e}")),
    }
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_package(&mut command);
    command.args(args);
    command
}

/// Takes the variables of this package, from the cargo that runs it, from a command that builds others: `ring` is built
/// again where they change, and all above it.
fn without_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

fn test(install: Install) -> Result<(), String> {
    let peers = peers(install)?;
    words::check(peers.typos.as_deref())?;
    floors::check()?;
    features::check(&own_kinds_manifest()?, &["--features", SHARED])?;
    features::check(&python::manifest(), &[])?;
    // One profile and one set of features throughout: dependencies are compiled once.
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        // Cameras of this machine: what can be built here, and not tried.
        "--features",
        "becomingone-camera/v4l2",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(
        cargo(&["doc", "--release", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings")
    )?;
    // All but benchmarks, which the lints have checked.
    run(&mut cargo(&[
        "build",
        "--release",
        "--workspace",
        "--lib",
        "--bins",
        "--examples",
        "--tests",
    ]))?;
    own_kinds()?;
    let mut tests = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    if let Some(rerun) = &peers.rerun {
        // Rerun's usage statistics are not sent from here.
        run(Command::new(rerun).args(["analytics", "disable"]))?;
        // The viewer is looked for where a user has it: on the path.
        let beside = rerun.parent().into_iter().map(Path::to_path_buf);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = beside.chain(env::split_paths(&path));
        tests.env("PATH", env::join_paths(path).map_err(|e| e.to_string())?);
    }
    if let Some(robots) = &peers.robots {
        tests.env("BECOMINGONE_ROBOTS", robots);
    }
    if let Some(python) = &peers.python {
        tests.env("BECOMINGONE_PYTHON", python);
    }
    if let Some(axe) = &peers.axe {
        tests.env("BECOMINGONE_AXE", axe);
    }
    if let Some(modules) = &peers.node_modules {
        tests.env("BECOMINGONE_NODE_MODULES", modules);
    }
    if let Some(nanobot) = &peers.nanobot {
        tests.env("BECOMINGONE_NANOBOT", nanobot);
    }
    if let Some(openclaw) = &peers.openclaw {
        tests.env("BECOMINGONE_OPENCLAW", openclaw);
    }
    if env::var_os("XDG_RUNTIME_DIR").is_none() {
        tests.env("XDG_RUNTIME_DIR", runtime_folder()?);
    }
    let mut counted = Counted::default();
    count(&mut checked(), &mut counted)?;
    count(&mut tests, &mut counted)?;
    optional(&peers, &mut counted)?;
    // The last: maturin compiles `pyo3` for its interpreter.
    python::test(install, &peers, &mut counted)?;
    counted.end()
}

/// A feature by which programs outside have crates of numbers with the features that they have in this workspace:
/// without it, Rerun would be compiled again.
const SHARED: &str = "becomingone/camera";

/// Settings of cargo for crates outside this workspace.
const OUTSIDE: &str = "tests/outside.toml";

/// Builds the example with kinds of its own: a workspace of its own, with the target folder, profile and lock of this one.
fn own_kinds() -> Result<(), String> {
    let manifest = own_kinds_manifest()?;
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| root().join("target").into());
    run(cargo(&[
        "build",
        "--release",
        "--features",
        SHARED,
        "--config",
        OUTSIDE,
        "--manifest-path",
    ])
    .arg(manifest)
    .arg("--target-dir")
    .arg(target))
}

/// The manifest of that example, with this workspace's lock beside it.
fn own_kinds_manifest() -> Result<PathBuf, String> {
    let folder = root().join("engine/core/examples/own_kinds");
    let lock = folder.join("Cargo.lock");
    std::fs::copy(root().join("Cargo.lock"), &lock)
        .map_err(|e| format!("{}: {e}", lock.display()))?;
    Ok(folder.join("Cargo.toml"))
}

/// Unit tests of the floors below the plugins, with debug assertions and overflow checks.
///
/// The settings are of these crates alone and of no profile: their dependencies are those of the other tests, and the
/// shipped program has none of it. This package has no library to test, it is there for the features of `whole`:
/// without them cargo would compile bevy and rapier again.
fn checked() -> Command {
    let mut tests = cargo(&["test", "--release", "--lib", "--no-fail-fast"]);
    for name in CHECKED {
        tests.args(["--package", name]);
        for check in ["debug-assertions", "overflow-checks"] {
            let setting = format!("profile.release.package.{name}.{check}=true");
            tests.args(["--config", &setting]);
        }
    }
    tests.args(["--package", "xtask", "--features", "xtask/whole"]);
    tests
}

/// Features that the program comes without: a system library that each needs, and its package; the feature, a test of it.
const OPTIONAL: [(&str, &str, &str, &str); 3] = [
    ("", "", "becomingone-assistant/telegram", "telegram"),
    (
        "alsa",
        "libasound2-dev",
        "becomingone-audio/device",
        "loopback",
    ),
    (
        "dbus-1",
        "libdbus-1-dev",
        "becomingone-bluetooth/device",
        "fake_bluez",
    ),
];

/// Tests and lints the crates with such features. Of the whole workspace, so that its dependencies are not compiled again.
fn optional(peers: &Peers, counted: &mut Counted) -> Result<(), String> {
    let (found, missing): (Vec<_>, Vec<_>) = OPTIONAL
        .iter()
        .partition(|(library, ..)| library.is_empty() || peers::has_library(library));
    for (_, package, feature, _) in missing {
        println!("skipped: {feature}, which needs {package} and pkg-config");
    }
    let features: Vec<_> = found.iter().map(|(.., feature, _)| *feature).collect();
    let common = [
        "--release",
        "--workspace",
        "--features",
        &features.join(","),
    ];
    let mut tests = cargo(&["test", "--no-fail-fast"]);
    tests.args(common);
    for (.., test) in found {
        tests.args(["--test", test]);
    }
    if let Some(python) = &peers.python {
        tests.env("BECOMINGONE_PYTHON", python);
    }
    count(&mut tests, counted)?;
    let clippy = ["clippy", "--all-targets", "--", "-D", "warnings"];
    let (before, after) = clippy.split_at(2);
    run(cargo(before).args(common).args(after))
}

const CHECKED: [&str; 3] = [
    "becomingone-kernel",
    "becomingone-components",
    "becomingone-systems",
];

/// Sum of what test runners report.
#[derive(Default)]
struct Counted {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// The commands that failed.
    broken: Vec<String>,
}

impl Counted {
    /// Runs tests, repeats what they print, and calls a function with each line.
    fn run(
        &mut self,
        tests: &mut Command,
        mut each: impl FnMut(&mut Self, &str),
    ) -> Result<(), String> {
        let text = written(tests);
        println!("$ {text}");
        let failed = |e: std::io::Error| format!("cannot run {text}: {e}");
        let mut child = tests
            .current_dir(root())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let out = child.stdout.take().into_iter();
        for line in out.flat_map(|out| BufReader::new(out).lines()) {
            let line = line.map_err(failed)?;
            println!("{line}");
            each(self, &line);
        }
        let status = child.wait().map_err(failed)?;
        if !status.success() {
            self.broken.push(format!("failed ({status}): {text}"));
        }
        Ok(())
    }

    /// Adds `12 passed`, by the runner's words for passed, failed and skipped.
    fn add(&mut self, part: &str, [passed, failed, skipped]: [&str; 3]) {
        let mut words = part.split_whitespace();
        let number = words
            .next()
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0);
        match words.next() {
            Some(word) if word == passed => self.passed += number,
            Some(word) if word == failed => self.failed += number,
            Some(word) if word == skipped => self.skipped += number,
            _ => {}
        }
    }

    /// Prints the sum, and returns what failed.
    fn end(self) -> Result<(), String> {
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
        if self.broken.is_empty() {
            Ok(())
        } else {
            Err(self.broken.join("\n"))
        }
    }
}

/// Runs tests and repeats what they print. A workspace has many runners, and the last of them may have nothing to
/// run: a reader of the last line alone needs a sum.
fn count(tests: &mut Command, counted: &mut Counted) -> Result<(), String> {
    counted.run(tests, |counted, line| {
        let Some(result) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in result.split([';', '.']) {
            counted.add(part, ["passed", "failed", "ignored"]);
        }
    })
}

/// A folder that only we can read, as the viewer wants one.
fn runtime_folder() -> Result<PathBuf, String> {
    let folder = root().join("target").join("peers").join("runtime");
    std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(&folder, private)
            .map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    Ok(folder)
}
