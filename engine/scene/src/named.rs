//! Scenes by name: built-in ones, files, and robot descriptions without a scene.

use super::SceneLoader;
use super::assets::{self, Assets};
use super::diagnostic::{Diagnostic, SceneError};
use becomingone_components::scene::LoadedScene;
use becomingone_model::{Files as _, did_you_mean};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Short names of the main scenes.
const SHORT: [(&str, &str); 2] = [("robot", "warehouse_robot"), ("vehicle", "vehicle_track")];

/// What a path or name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A scene file, or a built-in one.
    Scene(PathBuf),
    /// A robot or vehicle description.
    Description,
}

fn bad(message: String) -> SceneError {
    let place = None;
    Diagnostic { place, message }.alone()
}

/// Finds what somebody names: a scene file, a built-in scene (`robot`, `vehicle`, `arm_wave`, ..), or a description.
///
/// # Errors
///
/// A folder, or an unknown name; its text lists the built-in scenes.
pub fn find(what: &Path) -> Result<Found, SceneError> {
    let is = |ends: &[&str]| {
        what.extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| ends.contains(&e.to_ascii_lowercase().as_str()))
    };
    let shown = what.display();
    if what.is_dir() {
        return Err(bad(format!(
            "{shown}: found a folder; expected a scene (.ron) or a robot (URDF or MJCF) or vehicle (.yaml) description"
        )));
    }
    if is(&["urdf", "xml", "yaml", "yml"]) || begins_as_xml(what) {
        return Ok(Found::Description);
    }
    let name = what.to_str().unwrap_or_default();
    let short = SHORT.iter().find(|(short, _)| *short == name);
    let built_in = assets::scene_path(short.map_or(name, |(_, scene)| scene));
    if !what.exists() && Assets.is_file(&built_in) {
        return Ok(Found::Scene(built_in));
    }
    if what.exists() || is(&["ron"]) {
        return Ok(Found::Scene(what.to_owned()));
    }
    let built_in = assets::scenes().into_iter().map(|(name, _)| name);
    let short = SHORT.iter().map(|(short, _)| (*short).to_owned());
    let known: Vec<String> = short.chain(built_in).collect();
    Err(bad(format!(
        "found `{shown}`, which is neither a file nor a built-in scene; expected a path, or one of: {}{}",
        known.join(", "),
        did_you_mean(name, known.iter().map(String::as_str))
    )))
}

impl SceneLoader<'_> {
    /// Loads what somebody names, as [`find`] finds it; a description is [dropped](Self::dropped) on a plane.
    ///
    /// ```
    /// use becomingone_scene::SceneLoader;
    /// use becomingone_systems::kinds::Kinds;
    /// use std::path::{Path, PathBuf};
    ///
    /// let kinds = Kinds::built_in();
    /// let loaded = SceneLoader::new(&kinds).named(Path::new("robot"))?;
    /// assert_eq!(loaded.scene.name, "warehouse_robot");
    /// # Ok::<(), becomingone_scene::SceneError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// See [`SceneError`], and those of [`find`].
    pub fn named(self, what: &Path) -> Result<LoadedScene, SceneError> {
        let shown = what.display();
        match find(what)? {
            Found::Scene(path) => return self.load(&path),
            Found::Description => {}
        }
        if let Some(model) = self.model {
            return Err(bad(format!(
                "found both {shown} and --model {}; expected a scene whose models --model replaces",
                model.display()
            )));
        }
        if self.overlays.is_some_and(|overlays| !overlays.is_empty()) {
            return Err(bad(format!(
                "found overlays for {shown}; expected a scene: `becomingone check --resolved` prints one for this robot, to save and change"
            )));
        }
        self.dropped(what)
    }
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
