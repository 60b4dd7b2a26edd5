//! Scenes as Python gives them: by name, by file, or as text made in code.

use crate::errors;
use crate::parameters::Declared;
use crate::users::Users;
use becomingone::scene::assets::{Assets, CapturingFiles};
use becomingone::scene::{Diagnostic, Overlays, SceneError, SceneLoader};
use becomingone::{CoherenceEngine, EngineError, Plugins, assets};
use becomingone_components::scene::LoadedScene;
use becomingone_model::Files;
use pyo3::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A scene, and what is merged into it.
#[derive(Clone, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Scene {
    what: PathBuf,
    profiles: Vec<PathBuf>,
    configs: Vec<PathBuf>,
    sets: Vec<String>,
    model: Option<PathBuf>,
    /// Files that were made in code, by their paths.
    texts: BTreeMap<PathBuf, String>,
    /// Kinds that are written in Python.
    kinds: Vec<Declared>,
}

/// Files that were made in code, those of the disk, and built-in ones.
struct Texts<'a>(&'a BTreeMap<PathBuf, String>);

impl Files for Texts<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.0.get(path) {
            Some(text) => Ok(text.clone().into_bytes()),
            None => Assets.read(path),
        }
    }

    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        match self.0.get(path) {
            Some(_) => self.read(path),
            None => Assets.read_at_most(path, most),
        }
    }

    fn is_file(&self, path: &Path) -> bool {
        self.0.contains_key(path) || Assets.is_file(path)
    }

    fn search_path(&self, variable: &str) -> Vec<PathBuf> {
        Assets.search_path(variable)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        Assets.absolute(path)
    }
}

impl Scene {
    /// Its kinds in Python.
    pub(crate) fn users(&self) -> Result<Users, EngineError> {
        Users::new(&self.kinds).map_err(wrong)
    }

    /// Loads it, and checks the sources of its sensors.
    pub(crate) fn load(&self) -> Result<LoadedScene, EngineError> {
        let plugins = with(&self.users()?);
        self.load_and_read(&plugins).map(|(loaded, _)| loaded)
    }

    /// Loads it for engines without Python.
    pub(crate) fn load_alone(&self) -> Result<LoadedScene, EngineError> {
        let users = self.users()?;
        let (loaded, _) = self.load_and_read(&with(&users))?;
        match users.of(&loaded).first() {
            None => Ok(loaded),
            Some(user) => Err(wrong(format!(
                "{}: found the kind `{}`, which is written in Python; expected a kind of the engine: a batch steps without the interpreter, and Simulation calls such kinds",
                user.name, user.parameters.of.name
            ))),
        }
    }

    /// The same with these plugins, and the files that it was loaded from, for a recording.
    pub(crate) fn load_and_read(
        &self,
        plugins: &Plugins,
    ) -> Result<(LoadedScene, BTreeMap<String, Vec<u8>>), EngineError> {
        let kinds = plugins.kinds();
        let overlays = Overlays {
            profiles: self.profiles.clone(),
            configs: self.configs.clone(),
            sets: self.sets.clone(),
        };
        let texts = Texts(&self.texts);
        let files = CapturingFiles::new(&texts);
        let loader = SceneLoader::new(&kinds).files(&files).overlays(&overlays);
        let loader = loader.model(self.model.as_deref());
        let loaded = match self.texts.contains_key(&self.what) {
            true => loader.load(&self.what),
            false => loader.named(&self.what),
        };
        let loaded = loaded.map_err(EngineError::Scene)?;
        CoherenceEngine::check_sources(&kinds, &loaded)?;
        Ok((loaded, files.take()))
    }
}

/// An error of something beside the scene's text.
pub(crate) fn wrong(message: String) -> EngineError {
    let place = None;
    EngineError::Scene(SceneError::Diagnostics(vec![Diagnostic { place, message }]))
}

/// The engine's plugins, with kinds in Python.
pub(crate) fn with(users: &Users) -> Plugins {
    let mut plugins = Plugins::new();
    plugins.add(users.clone());
    plugins
}

/// Names of the engine's own kinds: of sensors, controllers, drivers.
#[pyfunction]
pub(crate) fn kinds() -> [Vec<&'static str>; 3] {
    let kinds = Plugins::new().kinds();
    [
        kinds.sensors.keys().copied().collect(),
        kinds.controllers.keys().copied().collect(),
        kinds.drivers.keys().copied().collect(),
    ]
}

/// Checks a scene, and returns it with all defaults as RON.
#[pyfunction]
pub(crate) fn check(py: Python<'_>, scene: Scene) -> PyResult<String> {
    let loaded = py.detach(|| scene.load());
    let loaded = loaded.map_err(|error| errors::engine(py, &error))?;
    Ok(becomingone::scene::to_ron(&loaded.scene))
}

/// Names of a scene's agents.
#[pyfunction]
pub(crate) fn agents(py: Python<'_>, scene: Scene) -> PyResult<Vec<String>> {
    let loaded = py.detach(|| scene.load());
    let loaded = loaded.map_err(|error| errors::engine(py, &error))?;
    let agents = loaded.scene.agents.into_iter();
    Ok(agents.map(|agent| agent.name).collect())
}

/// Names of the built-in scenes, and what each is.
#[pyfunction]
pub(crate) fn scenes() -> Vec<(String, String)> {
    assets::scenes()
}
