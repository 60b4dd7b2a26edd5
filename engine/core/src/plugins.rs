//! Plugins that are known before a scene is read: they bring the kinds that it may name.

use crate::sources;
use becomingone_systems::kinds::Kinds;
use bevy_app::{App, Plugin};
use std::sync::Arc;

/// Plugins that are added to every engine. `build` runs once for each `App` that is made, so it does no I/O.
#[derive(Clone, Default)]
pub struct Plugins(Vec<Arc<dyn Plugin>>);

impl Plugins {
    /// No plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn add(&mut self, plugin: impl Plugin) -> &mut Self {
        self.0.push(Arc::new(plugin));
        self
    }

    /// The engine's own kinds, those of the drivers that were built in, and those of these plugins.
    pub fn kinds(&self) -> Kinds {
        Kinds::with(|app| self.build(app))
    }

    /// Adds the drivers that were built in, and these plugins, to an app.
    pub(crate) fn build(&self, app: &mut App) {
        sources::register(app);
        for plugin in &self.0 {
            app.add_plugins(Shared(plugin.clone()));
        }
    }
}

/// A plugin that several apps share.
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
