//! All systems of the engine, as one plugin.

use crate::registry::Kinds;
use crate::{
    coherence, control, diagnosis, estimation, faults, hash, index, kinds, links, physics, tick,
    vehicle,
};
use bevy_app::{App, Plugin};

/// All systems of the engine, and its own kinds.
pub struct EnginePlugin;

impl Plugin for EnginePlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins((
            tick::TickPlugin,
            index::IndexPlugin,
            links::LinksPlugin,
            physics::PhysicsPlugin,
            faults::FaultsPlugin,
            estimation::EstimationPlugin,
            coherence::CoherencePlugin,
            diagnosis::DiagnosisPlugin,
            control::governor::GovernorPlugin,
            control::ControlPlugin,
            vehicle::VehiclePlugin,
            kinds::KindsPlugin,
            hash::HashPlugin,
        ));
    }
}

impl Kinds {
    /// The engine's own kinds.
    pub fn built_in() -> Self {
        Self::with(|_| ())
    }

    /// The engine's own kinds, and those that plugins register.
    pub fn with(plugins: impl FnOnce(&mut App)) -> Self {
        let mut app = App::empty();
        app.add_plugins(crate::EnginePlugin);
        plugins(&mut app);
        app.world().get_resource().cloned().unwrap_or_default()
    }
}
