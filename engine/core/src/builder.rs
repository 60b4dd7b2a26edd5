//! Engines with plugins.

use crate::engine::{CoherenceEngine, EngineError};
use crate::pace::Pace;
use crate::plugins::Plugins;
use becomingone_components::scene::{LoadedScene, SceneSpec};
use becomingone_scene::SceneLoader;
use becomingone_systems::kinds::Kinds;
use bevy_app::Plugin;
use std::path::Path;

/// Builder of engines; plugins add kinds that scenes can name.
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
    /// Creates a builder with these plugins.
    ///
    /// ```
    /// use becomingone::{EngineBuilder, Plugins};
    ///
    /// let plugins = Plugins::new(); // what several engines share
    /// let first = EngineBuilder::with(plugins.clone()).scene("built-in/scenes/arm_wave.ron")?;
    /// let second = EngineBuilder::with(plugins).scene("built-in/scenes/ramp_climb.ron")?;
    /// assert_eq!((first.time().tick, second.time().tick), (0, 0));
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn with(plugins: Plugins) -> Self {
        Self { plugins }
    }

    /// Adds a plugin, which may register kinds.
    ///
    /// ```
    /// use becomingone::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// A custom fault: every other reading is too large.
    /// #[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
    /// struct Jitter(f64);
    ///
    /// impl Kind for Jitter {
    ///     const NAME: &'static str = "Jitter";
    ///     const ABOUT: &'static str = "every other reading is this much too large";
    /// }
    ///
    /// impl FaultKind for Jitter {
    ///     type State = bool;
    ///
    ///     fn describe(&self) -> String {
    ///         format!("jumping by {}", self.0)
    ///     }
    ///
    ///     fn inject(&self, up: &mut bool, now: &FaultNow, numbers: &mut [f64]) {
    ///         *up = now.active && !*up;
    ///         if *up {
    ///             now.map(numbers, |x| x + self.0);
    ///         }
    ///     }
    /// }
    ///
    /// let builder = CoherenceEngine::builder().add_plugin(|app: &mut App| {
    ///     app.register_fault::<Jitter>();
    /// });
    /// assert!(builder.kinds().faults.contains_key("Jitter"));
    /// ```
    #[must_use]
    pub fn add_plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.add(plugin);
        self
    }

    /// Kinds that scenes can name.
    ///
    /// ```
    /// let kinds = becomingone::CoherenceEngine::builder().kinds();
    /// assert!(kinds.sensors.contains_key("Imu"));
    /// ```
    pub fn kinds(&self) -> Kinds {
        self.plugins.kinds()
    }

    /// Loads a scene file, and creates its engine.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::builder().scene("built-in/scenes/vehicle_track.ron")?;
    /// engine.step()?;
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] names file, line and column.
    pub fn scene(self, path: impl AsRef<Path>) -> Result<CoherenceEngine, EngineError> {
        let loaded = SceneLoader::new(&self.kinds()).load(path.as_ref())?;
        Ok(self.loaded(loaded))
    }

    /// Checks and loads a scene built in code, and creates its engine.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let spec = Scene::builder().agent(Agent::bare("kernel")).spec();
    /// let mut engine = CoherenceEngine::builder().spec(spec)?;
    /// engine.step()?;
    /// # Ok::<(), EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] names the path of each wrong value.
    pub fn spec(self, scene: SceneSpec) -> Result<CoherenceEngine, EngineError> {
        let loaded = SceneLoader::new(&self.kinds()).build(scene)?;
        Ok(self.loaded(loaded))
    }

    /// Creates the bare kernel, see [`CoherenceEngine::new`].
    ///
    /// ```
    /// let mut engine = becomingone::CoherenceEngine::builder().kernel();
    /// engine.step()?;
    /// assert_eq!(engine.summary().agents[0].name, "kernel");
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn kernel(self) -> CoherenceEngine {
        let mut engine = self.loaded(CoherenceEngine::bare());
        engine.set_pace(Pace::RealTime);
        engine
    }

    /// Creates the engine of a loaded scene.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let scene = Scene::builder().agent(Agent::robot("rover.urdf")).build()?;
    /// let mut engine = CoherenceEngine::builder().loaded(scene.into_loaded());
    /// engine.step()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn loaded(self, loaded: LoadedScene) -> CoherenceEngine {
        CoherenceEngine::with(&self.plugins, loaded)
    }
}
