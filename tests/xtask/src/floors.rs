//! The floors check: imports go down only.
//!
//! No crate depends on one of its own floor or above, and within a crate no two folders import each other, directly
//! or by way of others. Files may be held to the same. Test modules are left out: they import what they test.

use crate::modules::{Circle, Modules};
use crate::{cargo, root};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Crates by floors, from the ground up; those in `plugins/` stand on the floor of `PLUGINS`.
const FLOORS: &[&[&str]] = &[
    // Scenes and assets are data: files inside a crate.
    &[
        "becomingone-kernel",
        "becomingone-scenes",
        "becomingone-assets",
    ],
    &["becomingone-components"],
    &["becomingone-systems"],
    // What the tests of plugins share.
    &["becomingone-rig"],
    &[PLUGINS],
    &["becomingone-model"],
    &["becomingone-scene"],
    &["becomingone"],
    &["becomingone-api"],
    &["becomingone-assistant"],
    &["becomingone-cli"],
    // The program comes with it.
    &["becomingone-python"],
    &["becomingone-tests", "xtask"],
];
const PLUGINS: &str = "plugins/*";

/// Crates that the library does without: those of the program, and those behind features.
const NOT_IN_LIBRARY: &[&str] = &[
    "clap",
    "crossterm",
    "env_logger",
    "mcap",
    "re_sdk",
    "rustix",
];

/// A crate of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Folder of its `Cargo.toml`.
    folder: PathBuf,
    /// Root file of its library.
    library: Option<PathBuf>,
    /// Crates of the workspace that it depends on.
    needs: Vec<String>,
    /// Its features, but for `default`.
    pub(crate) features: Vec<String>,
    pub(crate) has_default_features: bool,
    pub(crate) is_published: bool,
}

impl Member {
    /// The modules of its library, where it is one.
    fn modules(&self) -> Result<Option<Modules>, String> {
        self.library.as_deref().map(Modules::read).transpose()
    }
}

/// Crates of the workspace, from `cargo metadata`.
pub(crate) fn members() -> Result<Vec<Member>, String> {
    let listed = cargo(&["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .map_err(|e| format!("cannot run cargo metadata: {e}"))?;
    if !listed.status.success() {
        return Err(String::from_utf8_lossy(&listed.stderr).into_owned());
    }
    let listed: Value = serde_json::from_slice(&listed.stdout).map_err(|e| e.to_string())?;
    let packages = listed["packages"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(packages.iter().map(member).collect())
}

fn member(package: &Value) -> Member {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let manifest = PathBuf::from(text(&package["manifest_path"]));
    let is_library = |t: &&Value| all(&t["kind"]).iter().any(|k| k == "lib");
    let features = package["features"].as_object();
    let features: Vec<String> = features
        .into_iter()
        .flat_map(|f| f.keys().cloned())
        .collect();
    Member {
        name: text(&package["name"]),
        folder: manifest.parent().map(Path::to_path_buf).unwrap_or_default(),
        library: (all(&package["targets"]).iter().find(is_library))
            .map(|t| PathBuf::from(text(&t["src_path"]))),
        needs: all(&package["dependencies"])
            .iter()
            .filter(|d| d["path"].is_string())
            .map(|d| text(&d["name"]))
            .collect(),
        has_default_features: features.iter().any(|f| f == "default"),
        features: features.into_iter().filter(|f| f != "default").collect(),
        is_published: package["publish"].as_array().is_none_or(|p| !p.is_empty()),
    }
}

/// Checks crates, folders and files.
pub(crate) fn check() -> Result<(), String> {
    let members = members()?;
    let mut wrong = between_crates(&members);
    for member in &members {
        let Some(modules) = member.modules()? else {
            continue;
        };
        for circle in modules.circles_of_folders() {
            wrong.push(describe(&circle, "folders", member));
        }
        let circles = modules.circles_of_files();
        wrong.extend(circles.iter().map(|c| describe(c, "files", member)));
    }
    if members.iter().any(|m| m.name == "becomingone-cli") {
        wrong.extend(in_library()?);
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{}\nimports go down only", wrong.join("\n")))
    }
}

/// Lists all circles of files, then checks: `cargo xtask floors`.
pub(crate) fn show() -> Result<(), String> {
    for member in members()? {
        let Some(modules) = member.modules()? else {
            continue;
        };
        let circles = modules.circles_of_files();
        for circle in &circles {
            println!("{}\n", describe(circle, "files", &member));
        }
        if circles.is_empty() {
            println!("{}: no circle of files\n", member.name);
        }
    }
    check()
}

fn describe(circle: &Circle, what: &str, member: &Member) -> String {
    let imports: Vec<String> = circle.imports.iter().map(|i| format!("    {i}")).collect();
    format!(
        "{}: found {what} that import each other: {}\n{}",
        member.name,
        circle.nodes.join(", "),
        imports.join("\n")
    )
}

fn between_crates(members: &[Member]) -> Vec<String> {
    let floor = |name: &str| {
        let member = members.iter().find(|m| m.name == name)?;
        let is_plugin = member.folder.parent() == Some(&root().join("plugins"));
        let at = |name| FLOORS.iter().position(|floor| floor.contains(&name));
        at(name).or_else(|| is_plugin.then(|| at(PLUGINS)).flatten())
    };
    let mut wrong = Vec::new();
    for member in members {
        let Some(own) = floor(&member.name) else {
            wrong.push(format!(
                "{}: found no floor for it; expected one in FLOORS of tests/xtask/src/floors.rs",
                member.name
            ));
            continue;
        };
        let below = |name: &String| floor(name).is_none_or(|floor| floor < own);
        wrong.extend(member.needs.iter().filter(|n| !below(n)).map(|need| {
            format!(
                "{}: found a dependency on {need}; expected crates of lower floors",
                member.name
            )
        }));
    }
    wrong
}

/// Dependencies that the library should not have without features.
fn in_library() -> Result<Vec<String>, String> {
    let tree = ["tree", "--package", "becomingone", "--no-default-features"];
    let tree = [&tree[..], &["--edges", "normal", "--prefix", "none"]].concat();
    let tree = cargo(&tree)
        .current_dir(root())
        .output()
        .map_err(|e| e.to_string())?;
    if !tree.status.success() {
        return Err(String::from_utf8_lossy(&tree.stderr).into_owned());
    }
    let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
    let needs = |name: &&&str| tree.lines().any(|l| l.split(' ').next() == Some(name));
    let found = NOT_IN_LIBRARY.iter().filter(needs);
    Ok(found
        .map(|name| {
            format!("becomingone without features: found a dependency on {name}; expected none")
        })
        .collect())
}
