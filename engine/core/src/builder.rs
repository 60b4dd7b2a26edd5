//! Engines with plugins.

use crate::engine::{CoherenceEngine, EngineError};
use crate::pace::Pace;
use crate::plugins::Plugins;
use becomingone_components::scene::{LoadedScene, SceneSpec};
use becomingone_scene::SceneLoader;
use becomingone_systems::kinds::Kinds;
use bevy_app::Plugin;
use std::path::Path;

/// Makes engines whose scenes may name the kinds of plugins.
///
/// ```
/// use becomingone::prelude::*;
///
/// struct Nothing;
///
/// impl Plugin for Nothing {
///     fn build(&self, _: &mut App) {}
/// }
///
/// let mut engine = CoherenceEngine::builder()
///     .add_plugin(Nothing)
///     .scene("built-in/scenes/arm_wave.ron")?;
/// engine.step()?;
/// # Ok::<(), EngineError>(())
/// ```
#[derive(Clone, Default)]
pub struct EngineBuilder {
    plugins: Plugins,
}

impl EngineBuilder {
    /// With these plugins.
    pub fn with(plugins: Plugins) -> Self {
        Self { plugins }
    }

    /// Adds a plugin, which may register kinds.
    #[must_use]
    pub fn add_plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.add(plugin);
        self
    }

    /// The kinds that scenes may name.
    pub fn kinds(&self) -> Kinds {
        self.plugins.kinds()
    }

    /// Reads the scene of a file.
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] names file, line and column.
    pub fn scene(self, path: impl AsRef<Path>) -> Result<CoherenceEngine, EngineError> {
        let loaded = SceneLoader::new(&self.kinds()).load(path.as_ref())?;
        Ok(self.loaded(loaded))
    }

    /// Checks and loads a scene that was built in code.
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] names the path of each wrong value.
    pub fn spec(self, scene: SceneSpec) -> Result<CoherenceEngine, EngineError> {
        let loaded = SceneLoader::new(&self.kinds()).build(scene)?;
        Ok(self.loaded(loaded))
    }

    /// The bare kernel, see [`CoherenceEngine::new`].
    pub fn kernel(self) -> CoherenceEngine {
        let mut engine = self.loaded(CoherenceEngine::bare());
        engine.set_pace(Pace::RealTime);
        engine
    }

    /// A scene that was loaded before.
    pub fn loaded(self, loaded: LoadedScene) -> CoherenceEngine {
        CoherenceEngine::with(&self.plugins, loaded)
    }
}
