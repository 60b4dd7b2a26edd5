//! System libraries of optional features.

use super::finding::Finding;
use becomingone::systems::kinds::Kinds;
use std::path::{Path, PathBuf};

/// A feature, which is the name of its driver too, with its library.
struct Feature {
    name: &'static str,
    library: &'static str,
    /// Package of the library, and the one that a build needs.
    packages: [&'static str; 2],
    why: &'static str,
}

const FEATURES: [Feature; 2] = [
    Feature {
        name: "audio",
        library: "libasound.so.2",
        packages: ["libasound2", "libasound2-dev"],
        why: "microphones and speakers",
    },
    Feature {
        name: "bluetooth",
        library: "libdbus-1.so.3",
        packages: ["libdbus-1-3 bluez", "libdbus-1-dev bluez"],
        why: "sensors of Bluetooth Low Energy",
    },
];

/// Whether a driver's feature needs a system library.
pub(super) fn has(driver: &str) -> bool {
    FEATURES.iter().any(|feature| feature.name == driver)
}

/// Command that builds the program with a feature.
pub(super) fn install(feature: &str) -> String {
    format!("cargo install --path engine/cli --features {feature}")
}

/// Optional features, and their libraries.
pub(super) fn features(kinds: &Kinds) -> Vec<Finding> {
    let finding = |feature: &Feature| {
        let is_built = kinds.drivers.contains_key(feature.name);
        // Other systems have no such libraries, and need none.
        let path = match cfg!(target_os = "linux") {
            true => find(feature.library),
            false => Some(PathBuf::from("nothing")),
        };
        let [run, build] = feature.packages;
        let name = format!("feature {}", feature.name);
        let has = match &path {
            Some(path) => format!("{} is there", path.display()),
            None => format!("no {}", feature.library),
        };
        match (is_built, path.is_some()) {
            (true, true) => Finding::ok(&name, format!("in this program; {has}")),
            (true, false) => Finding::needed(
                &name,
                format!("in this program; {has}"),
                feature.why,
                format!("sudo apt-get install {run}"),
            ),
            (false, _) => Finding::optional(
                &name,
                format!("not in this program; {has}"),
                feature.why,
                format!("sudo apt-get install {build} && {}", install(feature.name)),
            ),
        }
    };
    FEATURES.iter().map(finding).collect()
}

/// A library in the folders in which Linux's loader looks.
fn find(library: &str) -> Option<PathBuf> {
    let own = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&own).collect();
    for root in ["/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64"] {
        folders.push(root.into());
        // Those of one architecture: `/usr/lib/x86_64-linux-gnu`.
        let inside = Path::new(root).read_dir().into_iter().flatten().flatten();
        let name = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(std::env::consts::ARCH) && name.contains("-linux-")
        };
        folders.extend(inside.map(|entry| entry.path()).filter(name));
    }
    let mut paths = folders.iter().map(|folder| folder.join(library));
    paths.find(|path| path.is_file())
}
