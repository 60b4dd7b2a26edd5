//! `cargo xtask test`: everything that CI runs, and what it needs.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command prints"
)]

mod soak;
mod surprise;

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const HELP: &str = "\
cargo xtask test     what CI runs: format, lints, docs, build, all tests
cargo xtask peers    only fetch what the tests compare against, below target/peers
cargo xtask soak     every robot description of some wheels against MuJoCo, and 5 s of each; then surprise
cargo xtask surprise how often the witness is wrong, over thousands of simulated seconds";

fn main() -> ExitCode {
    let done = match env::args().nth(1).as_deref() {
        Some("test") => test(),
        Some("peers") => peers().map(drop),
        Some("soak") => soak::soak().and_then(|()| surprise::surprise()),
        Some("surprise") => surprise::surprise(),
        Some("help" | "--help" | "-h") => {
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

fn run(command: &mut Command) -> Result<(), String> {
    let text = format!("{command:?}").replace('"', "");
    println!("$ {text}");
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {text}")),
        Err(e) => Err(format!("cannot run {text}: {e}")),
    }
}

fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

fn test() -> Result<(), String> {
    let peers = peers()?;
    // One profile and one set of features throughout: dependencies are compiled once.
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&[
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    run(
        cargo(&["doc", "--release", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings")
    )?;
    run(&mut cargo(&[
        "build",
        "--release",
        "--workspace",
        "--all-targets",
    ]))?;
    // Rerun's figures of use are sent nowhere from here.
    run(Command::new(&peers.rerun).args(["analytics", "disable"]))?;
    // The viewer is looked for where a user has it: on the path.
    let beside = peers.rerun.parent().into_iter().map(Path::to_path_buf);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(beside.chain(env::split_paths(&path))).map_err(|e| e.to_string())?;
    let mut tests = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
    tests
        .env("BECOMINGONE_ROBOTS", &peers.robots)
        .env("BECOMINGONE_PYTHON", &peers.python)
        .env("PATH", path);
    if env::var_os("XDG_RUNTIME_DIR").is_none() {
        tests.env("XDG_RUNTIME_DIR", runtime_folder()?);
    }
    count(&mut tests)
}

/// Runs cargo's tests, repeats what they print, and closes with their sum: a workspace has many
/// runners, and the last of them may have nothing to run.
fn count(tests: &mut Command) -> Result<(), String> {
    let text = format!("{tests:?}").replace('"', "");
    println!("$ {text}");
    let failed = |e: std::io::Error| format!("cannot run {text}: {e}");
    let mut child = tests
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (mut passed, mut broken, mut ignored) = (0u64, 0u64, 0u64);
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).lines())
    {
        let line = line.map_err(failed)?;
        println!("{line}");
        let Some(result) = line.strip_prefix("test result: ") else {
            continue;
        };
        for part in result.split([';', '.']) {
            let mut words = part.split_whitespace();
            let number = words
                .next()
                .and_then(|n| n.parse::<u64>().ok())
                .unwrap_or(0);
            match words.next() {
                Some("passed") => passed += number,
                Some("failed") => broken += number,
                Some("ignored") => ignored += number,
                _ => {}
            }
        }
    }
    let status = child.wait().map_err(failed)?;
    println!("{passed} passed, {broken} failed, {ignored} skipped");
    if status.success() {
        Ok(())
    } else {
        Err(format!("failed ({status}): {text}"))
    }
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

/// What the tests compare against.
struct Peers {
    /// Folder that holds `pybullet_data/` and others: other people's robots.
    robots: PathBuf,
    /// A Python with `mujoco` and `mcap`.
    python: PathBuf,
    /// The Rerun viewer itself, not its launcher.
    rerun: PathBuf,
}

/// Fetches peers into `target/peers`, once.
fn peers() -> Result<Peers, String> {
    let home = root().join("target").join("peers");
    let python = home.join("venv").join("bin").join("python");
    if !python.is_file() {
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(home.join("venv")))
        .map_err(|e| {
            format!(
                "{e}\nThe tests need Python 3 with venv; on Debian: apt-get install python3-venv"
            )
        })?;
    }
    let pip = |args: &[&OsStr]| {
        let mut command = Command::new(&python);
        run(command
            .args(["-m", "pip", "--disable-pip-version-check", "--quiet"])
            .args(args))
    };
    let rerun = rerun_program(&home);
    if rerun.is_none() {
        pip(&["install".as_ref(), "rerun-sdk==0.36.*".as_ref()])?;
    }
    let rerun = rerun
        .or_else(|| rerun_program(&home))
        .ok_or("rerun-sdk was installed, but its viewer is not where it should be")?;
    let robots = home.join("robots");
    let held = WHEELS.iter().all(|(_, held)| robots.join(held).is_file());
    if !held {
        let wheels = home.join("wheels");
        let mut download: Vec<&OsStr> = ["download", "--no-deps", "--only-binary=:all:", "--dest"]
            .map(OsStr::new)
            .into();
        download.push(wheels.as_os_str());
        download.extend(WHEELS.iter().map(|(wheel, _)| OsStr::new(*wheel)));
        pip(&download)?;
        // Only the robots' own files: the physics engine beside them is not needed.
        run(Command::new(&python)
            .args(["-c", UNPACK])
            .arg(&wheels)
            .arg(&robots))?;
    }
    // MuJoCo's own models go to the others.
    if !robots.join("mujoco/testdata/model.xml").is_file() {
        pip(&["install".as_ref(), "mujoco==4.0.*".as_ref()])?;
        run(Command::new(&python).args(["-c", COPY]).arg(&robots))?;
    }
    // Another library that reads recordings.
    let imports = Command::new(&python)
        .args(["-c", "import mcap"])
        .stderr(Stdio::null())
        .status();
    if !imports.is_ok_and(|status| status.success()) {
        pip(&["install".as_ref(), "mcap==1.*".as_ref()])?;
    }
    vulkan();
    Ok(Peers {
        robots,
        python,
        rerun,
    })
}

/// Wheels with robots, and a file of each.
const WHEELS: [(&str, &str); 4] = [
    ("pybullet==3.2.7", "pybullet_data/r2d2.urdf"),
    (
        "example-robot-data==6.0.0",
        "cmeel.prefix/share/example-robot-data/robots/panda_description/urdf/panda.urdf",
    ),
    (
        "gymnasium==1.4.0",
        "gymnasium/envs/mujoco/assets/humanoid.xml",
    ),
    (
        "robosuite-models==1.0.0",
        "robosuite_models/assets/robots/h1/robot.xml",
    ),
];

const UNPACK: &str = "\
import glob, sys, zipfile
folders = ('pybullet_data/', 'cmeel.prefix/share/example-robot-data/robots/', 'gymnasium/envs/mujoco/assets/', 'robosuite_models/assets/')
for wheel in glob.glob(sys.argv[1] + '/*.whl'):
    z = zipfile.ZipFile(wheel)
    z.extractall(sys.argv[2], [n for n in z.namelist() if n.startswith(folders) and '..' not in n])
";

const COPY: &str = "\
import mujoco, os, shutil, sys
home = os.path.dirname(mujoco.__file__)
for folder in ('testdata', 'model'):
    if os.path.isdir(os.path.join(home, folder)):
        shutil.copytree(os.path.join(home, folder), os.path.join(sys.argv[1], 'mujoco', folder), dirs_exist_ok=True)
";

fn rerun_program(home: &Path) -> Option<PathBuf> {
    let lib = home.join("venv").join("lib");
    let mut versions = std::fs::read_dir(lib).ok()?.flatten();
    versions.find_map(|python| {
        let program = python
            .path()
            .join("site-packages/rerun_sdk/rerun_cli/rerun");
        program.is_file().then_some(program)
    })
}

/// A software Vulkan driver, for pictures without a screen: installed where that is allowed, else asked for.
fn vulkan() {
    let icd = Path::new("/usr/share/vulkan/icd.d");
    if !cfg!(target_os = "linux") || icd.read_dir().is_ok_and(|mut d| d.next().is_some()) {
        return;
    }
    let packages = ["mesa-vulkan-drivers", "libvulkan1", "fonts-dejavu-core"];
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        run(command.args(["-qq", "-y"]).args(args))
    };
    let installed = apt(&["update"])
        .and_then(|()| apt(&[&["install", "--no-install-recommends"], &packages[..]].concat()));
    if installed.is_err() {
        println!(
            "no Vulkan driver: the test that takes a picture is skipped; to run it: sudo apt-get install {}",
            packages.join(" ")
        );
    }
}
