//! Plugins that are registered before a scene is read: they add the kinds that it can name.

use crate::sources;
use becomingone_systems::kinds::Kinds;
use bevy_app::{App, Plugin};
use std::sync::Arc;

/// Plugins of every engine. `build` runs once for each `App`, so it must not do I/O.
#[derive(Clone, Default)]
pub struct Plugins(Vec<Arc<dyn Plugin>>);

impl Plugins {
    /// Creates an empty list.
    ///
    /// ```
    /// let kinds = becomingone::Plugins::new().kinds();
    /// assert!(kinds.controllers.contains_key("Patrol"));
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let mut plugins = Plugins::new();
    /// plugins.add(|app: &mut App| {
    ///     app.add_systems(Tick, (|| ()).in_set(TickSystems::Publish));
    /// });
    /// let mut engine = becomingone::EngineBuilder::with(plugins).scene("built-in/scenes/arm_wave.ron")?;
    /// engine.step()?;
    /// # Ok::<(), EngineError>(())
    /// ```
    pub fn add(&mut self, plugin: impl Plugin) -> &mut Self {
        self.0.push(Arc::new(plugin));
        self
    }

    /// Kinds of the engine, of the built-in drivers, and of these plugins.
    ///
    /// ```
    /// for (name, kind) in &becomingone::Plugins::new().kinds().sensors {
    ///     println!("{name}: {}", kind.entry.about);
    /// }
    /// ```
    pub fn kinds(&self) -> Kinds {
        Kinds::with(|app| self.build(app))
    }

    /// Adds the built-in drivers and these plugins to an app.
    pub(crate) fn build(&self, app: &mut App) {
        sources::register(app);
        for plugin in &self.0 {
            app.add_plugins(Shared(plugin.clone()));
        }
    }
}

/// Plugin that several apps share.
struct Shared(Arc<dyn Plugin>);

impl Plugin for Shared {
    fn build(&self, app: &mut App) {
        self.0.build(app);
    }

    fn ready(&self, app: &App) -> bool {
        self.0.ready(app)
    }

    fn finish(&self, app: &mut App) {
        self.0.finish(app);
    }

    fn cleanup(&self, app: &mut App) {
        self.0.cleanup(app);
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn is_unique(&self) -> bool {
        self.0.is_unique()
    }
}
