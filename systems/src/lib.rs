//! Systems of a tick of BecomingONE, in order.
//!
//! - [`tick`]: the schedule and its sets.
//! - [`spawn`]: spawns the entities of a loaded scene, at each reset.
//! - [`index`]: entities by their names.
//! - [`links`]: external input, and commands to hardware.
//! - [`kinds`]: registries of the kinds that scenes can name.
//! - [`sensing`]: simulated sensors sample the world.
//! - [`faults`]: fault injection.
//! - [`estimation`]: odometry and localisation filters.
//! - [`coherence`]: readings become phases; Emissary, Master, synchrony; event memory.
//! - [`diagnosis`]: fault detection and isolation.
//! - [`control`]: the slow plan, the fast reaction, the drive, servos, teleoperation, the safety supervisor.
//! - [`vehicle`]: cars on springs, and the tracks that they lap.
//! - [`physics`]: rapier's world and its step.
//! - [`hash`]: state hash, to compare runs.
//! - [`profile`]: time per system.

mod angles;
pub mod coherence;
pub mod control;
pub mod diagnosis;
pub mod estimation;
mod events;
pub mod faults;
pub mod hash;
pub mod index;
pub mod kinds;
pub mod links;
pub mod physics;
pub mod profile;
pub mod sensing;
pub mod spawn;
pub mod threads;
pub mod tick;
pub mod vehicle;

use bevy_app::{App, Plugin};

/// All of the above.
pub struct EnginePlugin;

impl Plugin for EnginePlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins((
            tick::TickPlugin,
            index::IndexPlugin,
            links::LinksPlugin,
            physics::PhysicsPlugin,
            faults::FaultsPlugin,
            sensing::SensingPlugin,
            estimation::EstimationPlugin,
            coherence::CoherencePlugin,
            diagnosis::DiagnosisPlugin,
            control::governor::GovernorPlugin,
            control::ControlPlugin,
            vehicle::VehiclePlugin,
            hash::HashPlugin,
        ));
    }
}
