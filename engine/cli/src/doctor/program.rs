//! What this program was built with, and other programs.

use super::finding::Finding;
use super::library;
use becomingone::sources::DRIVER_FEATURES;
use becomingone::systems::kinds::Kinds;
use std::path::PathBuf;

/// Drivers of this program.
pub(super) fn drivers(kinds: &Kinds) -> Vec<Finding> {
    let names: Vec<&str> = kinds.drivers.keys().copied().collect();
    let version = env!("CARGO_PKG_VERSION");
    let found = format!("{version}, with the drivers {}", names.join(", "));
    let mut all = vec![Finding::ok("becomingone", found)];
    for (name, feature) in DRIVER_FEATURES {
        // Those with a library have a line of their own.
        if !kinds.drivers.contains_key(name) && !library::has(name) {
            all.push(Finding::optional(
                &format!("driver {name}"),
                "not in this program",
                &format!("`source: Driver(\"{name}\", ..)`"),
                library::install(feature),
            ));
        }
    }
    all
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
