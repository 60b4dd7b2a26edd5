//! Rapier's world as a resource, and the step that advances it by exactly one tick.
//!
//! - [`build`]: builds bodies, joints and colliders from descriptions.
//! - [`joints`]: joint functions that rapier lacks: mimics, speed limits, more than a turn.
//! - [`motion`]: motion of each agent after the step, as ground truth.
//! - `height_field`: ground on a grid.
//! - `obstacles`: static objects; `surroundings`: those of a robot's file.
//! - [`contacts`]: owners of colliders, allowed pairs, slipping wheels.
//! - [`touch`]: collisions of agents.
//! - [`world`]: the resource, and the handles of agents in it.

pub mod build;
pub mod contacts;
mod height_field;
pub mod joints;
pub mod motion;
pub(crate) mod obstacles;
pub(crate) mod surroundings;
pub mod touch;
pub mod world;

use crate::tick::{Tick, TickSystems, advance_clock};
use becomingone_components::body::Model;
use bevy_app::{App, Plugin};
use bevy_ecs::error::BevyError;
use bevy_ecs::prelude::*;
use contacts::Pairs;
use glam::Vec3;

pub use world::{Bodies, Physics};

/// Steps physics and reports what moved.
pub struct PhysicsPlugin;

impl Plugin for PhysicsPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Physics::new(1e-3, Vec3::ZERO))
            .add_systems(
                Tick,
                (
                    (joints::govern, step).chain().before(advance_clock),
                    (motion::track, joints::track, touch::report)
                        .chain()
                        .after(advance_clock),
                )
                    .in_set(TickSystems::Step),
            );
    }
}

/// Advances rapier by one tick.
///
/// # Errors
///
/// [`NotFinite`] ends the run.
pub fn step(
    mut physics: ResMut<Physics>,
    agents: Query<(&Name, &Bodies, &Model)>,
) -> Result<(), BevyError> {
    if physics.rapier.bodies.is_empty() {
        return Ok(());
    }
    let Physics {
        rapier,
        touches,
        slipping,
        excluded,
        ..
    } = &mut *physics;
    rapier.step_with_events(&Pairs { slipping, excluded }, touches);
    // Rapier disables such bodies silently.
    let Some(&lost) = rapier.quarantine().bodies().first() else {
        return Ok(());
    };
    let owner = agents.iter().find_map(|(name, bodies, model)| {
        let link = bodies.links.iter().position(|&b| b == lost)?;
        Some(NotFinite {
            agent: name.to_string(),
            link: model.0.links[link].name.clone(),
        })
    });
    owner.map_or(Ok(()), |lost| Err(lost.into()))
}

/// The state of a body stopped being finite; nothing after it can be trusted.
#[derive(Debug, thiserror::Error)]
#[error("`{agent}`: the link `{link}` left the simulation: its position or speed was not finite")]
pub struct NotFinite {
    /// Agent of the link.
    pub agent: String,
    /// Link.
    pub link: String,
}
