//! Scene loader: parses and checks a scene, and reads the models and meshes that it names.
//!
//! - [`SceneLoader`]: all steps.
//! - [`assets`]: built-in scenes and assets; files in memory.
//! - `overlay`, `yaml`, `merge`: reads the texts and merges overlays.
//! - `tree`, `read`, `kinds`: values with their places, and their conversion to a [`SceneSpec`].
//! - `syntax`: what ron accepts, and where it does not.
//! - `text`, `check`: syntax errors, semantic checks.
//! - `time_scale`: scales all times of a scene.
//! - `renamed`: old names of keys; `warnings`: odometry without encoders.
//! - `references`, `vehicle`, `track`: files that a scene names.
//! - `reach`: warnings of starts and waypoints that cannot be reached.
//! - `channels`: checks that the sensors of self-models exist.
//! - `dropped`: default scene of a robot description; `named`: scenes by name.
//! - `resolved`: the resolved scene as text.
//! - `diagnostic`: errors with their places.

pub mod assets;
mod channels;
mod check;
mod diagnostic;
mod dropped;
mod kinds;
mod merge;
mod named;
mod overlay;
mod reach;
mod read;
mod references;
mod renamed;
mod resolved;
mod syntax;
mod text;
mod time_scale;
mod track;
mod tree;
mod vehicle;
mod warnings;
mod written;
mod yaml;

use assets::{Assets, MemoryFiles};
use becomingone_components::scene::{LoadedScene, SceneSpec};
use becomingone_model::Files;
use becomingone_systems::kinds::Kinds;
use diagnostic::Diagnostics;
use references::References;
use std::path::Path;
use tree::{Node, Span};

pub use diagnostic::{Diagnostic, Place, SceneError};
pub use named::{Found, find};
pub use overlay::{MAX_SCENE_BYTES, Overlays};
pub use resolved::{held, resolved, to_ron};
pub use text::explain;
pub use vehicle::MAX_VEHICLE_BYTES;

/// Checks a scene that was changed after it was loaded: its values, not the files that it names.
///
/// # Errors
///
/// See [`SceneError`]; places are paths within the scene, `agents[0].sensors[1].rate_hz`.
pub fn check(scene: &SceneSpec) -> Result<(), SceneError> {
    let root = Node::ron("()", Span::default());
    let mut diagnostics = Diagnostics::of(&[], &root);
    check::check(scene, &mut diagnostics);
    match diagnostics.is_empty() {
        true => Ok(()),
        false => Err(SceneError::Diagnostics(diagnostics.into_sorted())),
    }
}

/// Loads a scene of the engine's own kinds, and all files that it names. `model` replaces the model of every agent that
/// has one.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load(path: &Path, model: Option<&Path>) -> Result<LoadedScene, SceneError> {
    SceneLoader::new(&Kinds::built_in()).model(model).load(path)
}

/// Loads a scene with overlays, as [`load`] does.
///
/// # Errors
///
/// See [`SceneError`].
pub fn load_with(
    path: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
) -> Result<LoadedScene, SceneError> {
    let kinds = Kinds::built_in();
    let loader = SceneLoader::new(&kinds).model(model).overlays(overlays);
    loader.load(path)
}

/// Loads a robot description without a scene: dropped on a plane, without a drive.
///
/// # Errors
///
/// Error of the description, with its place.
pub fn dropped(path: &Path) -> Result<LoadedScene, SceneError> {
    SceneLoader::new(&Kinds::built_in()).dropped(path)
}

/// Loads scenes with a given set of kinds.
///
/// ```
/// use becomingone_scene::SceneLoader;
/// use becomingone_systems::kinds::Kinds;
/// use std::path::Path;
///
/// let kinds = Kinds::built_in();
/// let loaded = SceneLoader::new(&kinds).load(Path::new("built-in/scenes/arm_wave.ron"))?;
/// assert_eq!(loaded.scene.agents[0].name, "arm");
/// # Ok::<(), becomingone_scene::SceneError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SceneLoader<'a> {
    kinds: &'a Kinds,
    files: &'a dyn Files,
    model: Option<&'a Path>,
    overlays: Option<&'a Overlays>,
}

impl<'a> SceneLoader<'a> {
    /// Reads from the disk and the built-in assets.
    pub fn new(kinds: &'a Kinds) -> Self {
        Self {
            kinds,
            files: &Assets,
            model: None,
            overlays: None,
        }
    }

    /// Reads all files from this source instead of the disk.
    #[must_use]
    pub fn files(self, files: &'a dyn Files) -> Self {
        Self { files, ..self }
    }

    /// Replaces the model of every agent that has one.
    #[must_use]
    pub fn model(self, model: Option<&'a Path>) -> Self {
        Self { model, ..self }
    }

    /// Merges overlays into the scene. A file that one of them names is searched beside it (for a single value, in the
    /// working folder), then beside the scene, then among the built-in assets.
    #[must_use]
    pub fn overlays(self, overlays: &'a Overlays) -> Self {
        Self {
            overlays: Some(overlays),
            ..self
        }
    }

    /// Loads a scene file and all files that it names.
    ///
    /// # Errors
    ///
    /// See [`SceneError`].
    pub fn load(self, path: &Path) -> Result<LoadedScene, SceneError> {
        self.read(path, true)
    }

    /// Loads a scene from a journal, which holds all files of the scene except those of its sensors' sources: their
    /// readings are in the journal itself.
    ///
    /// # Errors
    ///
    /// See [`SceneError`].
    pub fn load_held(self, held: &'a MemoryFiles, path: &Path) -> Result<LoadedScene, SceneError> {
        self.files(held).read(path, false)
    }

    /// Checks a scene built in code, and reads the files that it names, from the working folder or the built-in assets.
    ///
    /// # Errors
    ///
    /// See [`SceneError`]; places are paths within the scene, `agents[0].sensors[1].rate_hz`.
    pub fn build(self, scene: SceneSpec) -> Result<LoadedScene, SceneError> {
        let root = Node::ron("()", Span::default());
        let mut diagnostics = Diagnostics::of(&[], &root);
        self.finish(scene, Path::new(""), true, &root, &mut diagnostics)
            .ok_or_else(|| SceneError::Diagnostics(diagnostics.into_sorted()))
    }

    /// Loads a robot description without a scene: dropped on a plane, without a drive.
    ///
    /// # Errors
    ///
    /// Error of the description, with its place.
    pub fn dropped(self, path: &Path) -> Result<LoadedScene, SceneError> {
        dropped::dropped(self.files, path)
    }

    fn read(self, path: &Path, recordings: bool) -> Result<LoadedScene, SceneError> {
        let none = Overlays::default();
        let sources = overlay::read(self.files, path, self.overlays.unwrap_or(&none))?;
        let (root, old_keys) = overlay::resolve(&sources)?;
        let mut scene = text::read(&root, &sources)?;
        if scene.name.is_empty() {
            // The name of a file may be any; that of a scene is also part of other files' names.
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            scene.name = check::plain_name(&stem, "scene");
        }
        let mut diagnostics = Diagnostics::of(&sources, &root);
        for (span, message) in old_keys {
            diagnostics.warn_at(span, message);
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        self.finish(scene, folder, recordings, &root, &mut diagnostics)
            .ok_or_else(|| SceneError::Diagnostics(diagnostics.into_sorted()))
    }

    /// Reads kinds, checks, and reads files; `None` if anything was reported.
    fn finish(
        self,
        mut scene: SceneSpec,
        folder: &Path,
        recordings: bool,
        root: &Node<'_>,
        diagnostics: &mut Diagnostics<'_, '_>,
    ) -> Option<LoadedScene> {
        kinds::read(&mut scene, root, self.kinds, diagnostics);
        time_scale::apply(&mut scene, diagnostics);
        let bounded = check::check(&scene, diagnostics);
        if self.model.is_some() && scene.agents.iter().all(|a| a.model.is_none()) {
            let message =
                "found no agent with a model; expected at least one, whose model is replaced";
            diagnostics.add("", message);
        }
        let written = written::written(&scene, root, diagnostics);
        if !bounded {
            return None;
        }
        if diagnostics.is_empty() {
            warnings::warn(&scene, diagnostics);
        }
        let loaded = References {
            files: self.files,
            recordings,
            folder,
            model: self.model,
            diagnostics,
        }
        .read(scene);
        if !diagnostics.is_empty() {
            return None;
        }
        // Of a journal, the recorded run has warned.
        if recordings {
            reach::warn(&loaded, diagnostics);
        }
        Some(LoadedScene { written, ..loaded })
    }
}
