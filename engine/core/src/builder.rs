//! Engines, from a scene or bare, with and without plugins.

use crate::engine::{CoherenceEngine, EngineError};
use crate::pace::Pace;
use crate::plugins::Plugins;
use becomingone_components::scene::{
    AgentSpec, BlendSpec, ChannelSpec, CoherenceSpec, LoadedAgent, LoadedScene, MasterSpec,
    SceneSpec, Signal, WitnessSpec, WorldSpec, default_emissary_window_s, default_kernel_rate_hz,
    default_master_window_s,
};
use becomingone_scene::SceneLoader;
use becomingone_systems::kinds::Kinds;
use bevy_app::Plugin;
use std::collections::BTreeMap;
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
        let mut engine = self.loaded(bare_kernel());
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

impl Default for CoherenceEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl CoherenceEngine {
    /// Creates the bare kernel: one agent without a body, with its own clock of 1 Hz as the only channel.
    /// [`run`](Self::run) paces it in real time until it is stopped.
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, Pace};
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.set_pace(Pace::Fast);
    /// let summary = engine.run_for(Duration::from_secs(5))?;
    /// assert!(summary.agents[0].kernel.collapsed); // phase-locked to its clock
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn new() -> Self {
        Self::builder().kernel()
    }

    /// Builder of an engine with plugins, which add kinds that the scene can name: see [`EngineBuilder`].
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let engine = CoherenceEngine::builder().scene("built-in/scenes/arm_wave.ron")?;
    /// assert_eq!(engine.time().tick, 0);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Loads a scene file, and the models and meshes that it names. The engine runs as fast as possible.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.step()?;
    /// assert_eq!(engine.summary().scene, "warehouse_robot");
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] names file, line and column.
    pub fn from_scene(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        Self::builder().scene(path)
    }

    /// Creates the engine of a loaded scene, see [`SceneLoader`](crate::scene::SceneLoader).
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    /// use becomingone::scene::SceneLoader;
    /// use becomingone::systems::kinds::Kinds;
    /// use std::path::Path;
    ///
    /// let kinds = Kinds::built_in();
    /// let loaded = SceneLoader::new(&kinds).load(Path::new("built-in/scenes/arm_wave.ron"))?;
    /// let mut engine = CoherenceEngine::from_loaded(loaded);
    /// engine.step()?;
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn from_loaded(loaded: LoadedScene) -> Self {
        Self::builder().loaded(loaded)
    }
}

/// Scene of the bare kernel.
fn bare_kernel() -> LoadedScene {
    let kernel = AgentSpec {
        name: "kernel".to_owned(),
        coherence: CoherenceSpec::Kernel {
            rate_hz: default_kernel_rate_hz(),
            emissary_window_s: default_emissary_window_s(),
            master_window_s: default_master_window_s(),
            master: MasterSpec::Window,
            channels: vec![ChannelSpec {
                name: "clock".to_owned(),
                signal: Signal::Tone { frequency_hz: 1.0 },
            }],
            blend: BlendSpec::default(),
            witness: WitnessSpec::default(),
        },
        ..AgentSpec::default()
    };
    let scene = SceneSpec {
        name: "kernel".to_owned(),
        world: WorldSpec {
            ground: None,
            ..WorldSpec::default()
        },
        agents: vec![kernel],
        ..SceneSpec::default()
    };
    LoadedScene {
        scene,
        agents: vec![LoadedAgent::default()],
        meshes: Vec::new(),
        track: None,
        written: BTreeMap::new(),
    }
}
