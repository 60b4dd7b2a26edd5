//! Loads scenes by path or name.

use crate::failure::Failure;
use becomingone::Plugins;
use becomingone::assets;
use becomingone::scene::{Overlays, SceneLoader};
use becomingone_components::scene::LoadedScene;
use becomingone_model::{Files, MissingAllowed, did_you_mean};
use clap::Args;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// How robot descriptions are loaded.
#[derive(Args, Debug)]
pub(crate) struct ModelArgs {
    /// Load robots without the colliders whose meshes are not found, even if a link loses all of them.
    #[arg(long)]
    allow_missing: bool,
}

impl ModelArgs {
    #[cfg(feature = "parquet")]
    pub(crate) fn allow_missing(&self) -> bool {
        self.allow_missing
    }

    pub(crate) fn files<'a>(&self, from: &'a dyn Files) -> MissingAllowed<'a> {
        MissingAllowed(from, self.allow_missing)
    }
}

/// What a path or name stands for.
pub(crate) enum Found {
    /// A scene file, or a built-in one.
    Scene(PathBuf),
    /// A robot or vehicle description, which is put on a plane.
    Description,
}

/// Finds a scene or description by path or name.
pub(crate) fn find(what: &Path) -> Result<Found, Failure> {
    let bad = |text: String| Failure::BadInput(text);
    let is = |ends: &[&str]| {
        what.extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| ends.contains(&e.to_ascii_lowercase().as_str()))
    };
    if what.is_dir() {
        return Err(bad(format!(
            "{}: found a folder; expected a scene (.ron) or a robot (URDF or MJCF) or vehicle (.yaml) description",
            what.display()
        )));
    }
    if is(&["urdf", "xml", "yaml", "yml"]) || begins_as_xml(what) {
        return Ok(Found::Description);
    }
    let name = match what.to_str() {
        // Short names of the main scenes.
        Some("robot") => "warehouse_robot",
        Some("vehicle") => "vehicle_track",
        Some(name) => name,
        None => "",
    };
    let built_in = assets::scene_path(name);
    if !what.exists() && assets::Assets.is_file(&built_in) {
        return Ok(Found::Scene(built_in));
    }
    if what.exists() || is(&["ron"]) {
        return Ok(Found::Scene(what.to_owned()));
    }
    let built_in = assets::scenes().into_iter().map(|(name, _)| name);
    let known: Vec<String> = ["robot", "vehicle"]
        .map(str::to_owned)
        .into_iter()
        .chain(built_in)
        .collect();
    Err(bad(format!(
        "found `{}`, which is neither a file nor a built-in scene; expected a path, or one of: {}{}",
        what.display(),
        known.join(", "),
        did_you_mean(name, known.iter().map(String::as_str))
    )))
}

/// Loads a scene by path or name, or puts a robot on a plane.
pub(crate) fn load(
    what: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
    files: &dyn Files,
    plugins: &Plugins,
) -> Result<LoadedScene, Failure> {
    let kinds = plugins.kinds();
    let bad = |text: String| Failure::BadInput(text);
    let loader = SceneLoader::new(&kinds).files(files);
    let loaded = match find(what)? {
        Found::Scene(path) => loader.model(model).overlays(overlays).load(&path),
        Found::Description => {
            if let Some(model) = model {
                return Err(bad(format!(
                    "found both {} and --model {}; expected a scene whose models --model replaces",
                    what.display(),
                    model.display()
                )));
            }
            if !overlays.is_empty() {
                return Err(bad(format!(
                    "found overlays for {}; expected a scene: `becomingone check --resolved` prints one for this robot, to save and change",
                    what.display()
                )));
            }
            loader.dropped(what)
        }
    };
    loaded.map_err(|e| bad(e.to_string()))
}

/// Whether a file starts as XML: robot descriptions are recognised by content, scenes are never XML.
fn begins_as_xml(file: &Path) -> bool {
    let mut first = Vec::new();
    let opened = std::fs::metadata(file).is_ok_and(|m| m.is_file());
    let read = opened
        .then(|| std::fs::File::open(file).ok())
        .flatten()
        .and_then(|f| f.take(1024).read_to_end(&mut first).ok());
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&first);
    read.is_some() && text.trim_ascii_start().starts_with(b"<")
}
