//! What this program was built with, and other programs.

use super::finding::Finding;
use becomingone::sources::DRIVER_FEATURES;
use becomingone::systems::kinds::Kinds;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for another program.
const LIMIT: Duration = Duration::from_secs(5);

/// Drivers of this program.
pub(super) fn drivers(kinds: &Kinds) -> Vec<Finding> {
    let names: Vec<&str> = kinds.drivers.keys().copied().collect();
    let version = env!("CARGO_PKG_VERSION");
    let found = format!("{version}, with the drivers {}", names.join(", "));
    let mut all = vec![Finding::ok("becomingone", found)];
    for (name, feature) in DRIVER_FEATURES {
        if !kinds.drivers.contains_key(name) {
            all.push(Finding::optional(
                &format!("driver {name}"),
                "not in this program",
                &format!("`source: Driver(\"{name}\", ..)`"),
                install(feature),
            ));
        }
    }
    all
}

/// Command that builds the program with a feature.
pub(super) fn install(feature: &str) -> String {
    format!("cargo install --path engine/cli --features {feature}")
}

/// The viewer of `--rerun`.
pub(super) fn viewer() -> Option<Finding> {
    #[cfg(feature = "rerun")]
    {
        use becomingone::rerun::viewer;
        const NAME: &str = "Rerun viewer";
        const WHY: &str = "live pictures of a run; without it, `run` writes a file for a viewer";
        Some(match viewer::installed() {
            Ok(path) => Finding::ok(
                NAME,
                format!("{}, version {}", path.display(), viewer::minor_version()),
            ),
            Err(error) => {
                Finding::optional(NAME, error.to_string(), WHY, viewer::install_command())
            }
        })
    }
    #[cfg(not(feature = "rerun"))]
    None
}

/// The package of this project for Python.
pub(super) fn python() -> Finding {
    const NAME: &str = "Python package";
    const WHY: &str = "scenes from Python; the program itself needs no Python";
    const FIX: &str = "pip install ./plugins/python, in the source tree of a version that has it";
    let programs = ["python3", "python"];
    let Some(python) = programs.iter().find_map(|name| on_path(name)) else {
        return Finding::optional(NAME, "no Python on the PATH", WHY, FIX);
    };
    let ask = "import becomingone; print(getattr(becomingone, '__version__', 'of no version'))";
    // From a folder in which nothing is taken for the package.
    let folder = std::env::temp_dir();
    let mut command = Command::new(&python);
    match answer(command.args(["-I", "-c", ask]).current_dir(folder)) {
        Some(version) => Finding::ok(NAME, format!("{} of {}", version.trim(), python.display())),
        None => Finding::optional(
            NAME,
            format!("not installed for {}", python.display()),
            WHY,
            FIX,
        ),
    }
}

/// A broker of MQTT.
pub(super) fn broker() -> Finding {
    const NAME: &str = "mosquitto";
    let beside = ["/usr/sbin", "/usr/local/sbin"].map(|folder| PathBuf::from(folder).join(NAME));
    let found = on_path(NAME).or_else(|| beside.into_iter().find(|path| path.is_file()));
    match found {
        Some(path) => Finding::ok(NAME, path.display().to_string()),
        None => Finding::optional(
            NAME,
            "not on this machine",
            "trying MQTT here; any broker in the network will do",
            "sudo apt-get install mosquitto",
        ),
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let mut all = std::env::split_paths(&path).map(|folder| folder.join(&name));
    all.find(|path| path.is_file())
}

/// Standard output of a program that ends well and in time.
fn answer(command: &mut Command) -> Option<String> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().ok()?;
    let begun = Instant::now();
    let ended = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if begun.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(10)),
            _ => break None,
        }
    };
    if ended.is_none() {
        // It may have ended meanwhile.
        let _ = child.kill();
        let _ = child.wait();
    }
    ended.filter(std::process::ExitStatus::success)?;
    let mut text = String::new();
    child.stdout?.take(1000).read_to_string(&mut text).ok()?;
    Some(text)
}
