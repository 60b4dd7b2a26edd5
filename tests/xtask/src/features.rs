//! The features check: what is built outside the workspace has dependencies with the workspace's features.
//!
//! One feature more or less of a crate far below, and that crate and all above it are compiled a second time: minutes of
//! a run, and gigabytes.

use crate::{cargo, root};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Features of each dependency, by its name and version.
type Features = BTreeMap<String, BTreeSet<String>>;

/// Checks a package with some features.
///
/// # Errors
/// A dependency has other features than in the workspace.
pub(crate) fn check(manifest: &Path, features: &[&str]) -> Result<(), String> {
    let shared = tree(&["--workspace", "--edges", "normal,build,dev"])?;
    let manifest = manifest.display().to_string();
    let own = ["--edges", "normal,build", "--manifest-path", &manifest];
    let own = tree(&[&own[..], features].concat())?;
    let mut wrong = Vec::new();
    for (package, features) in own {
        // Not in the workspace at all: nothing that could be shared.
        let Some(shared) = shared.get(&package) else {
            continue;
        };
        wrong.extend(features.difference(shared).map(|found| {
            let expected: Vec<_> = shared.iter().map(|set| format!("[{set}]")).collect();
            let expected = expected.join(" or ");
            format!(
                "{manifest}: {package}: found the features [{found}]; expected those of the workspace, {expected}"
            )
        }));
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{}\nit and all above it would be compiled again: give it the features of all its users in Cargo.toml",
            wrong.join("\n")
        ))
    }
}

/// Dependencies, by `cargo tree`: a crate that is built for this machine and for the target may have two sets.
fn tree(more: &[&str]) -> Result<Features, String> {
    let tree = ["tree", "--prefix", "none", "--format", "{p}|{f}"];
    let tree = cargo(&[&tree[..], more].concat())
        .current_dir(root())
        .output()
        .map_err(|e| format!("cannot run cargo tree: {e}"))?;
    if !tree.status.success() {
        return Err(String::from_utf8_lossy(&tree.stderr).into_owned());
    }
    let mut all = Features::new();
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        // `(*)` marks what was listed before.
        let line = line.trim_end_matches(" (*)");
        if let Some((package, features)) = line.split_once('|') {
            let sets = all.entry(package.to_owned()).or_default();
            sets.insert(features.to_owned());
        }
    }
    Ok(all)
}
