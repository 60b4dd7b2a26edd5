//! Rapier's world as a resource, and the step that advances it by exactly one tick.
//!
//! - [`build`]: builds bodies, joints and colliders from descriptions.
//! - [`joints`]: joint functions that rapier lacks: mimics, speed limits, more than a turn.
//! - [`motion`]: motion of each agent after the step, as ground truth.
//! - `obstacles`: static objects.
//! - [`touch`]: begun contacts, allowed pairs, slipping wheels.

pub mod build;
pub mod joints;
pub mod motion;
pub(crate) mod obstacles;
pub mod touch;

use crate::hash::Bits;
use crate::tick::{Tick, TickSystems};
use becomingone_components::body::Model;
use becomingone_components::sensor::SensorAt;
use bevy_app::{App, Plugin};
use bevy_ecs::error::BevyError;
use bevy_ecs::prelude::*;
use glam::Vec3;
use rapier3d::prelude::{ActiveHooks, PhysicsWorld, RigidBody, RigidBodyHandle};
use touch::{Owner, Pairs, SlippingWheel, Touches};

pub use build::Bodies;

/// Rapier's world and the owners of its colliders.
#[derive(Resource)]
pub struct Physics {
    /// Bodies, colliders, joints.
    pub rapier: PhysicsWorld,
    /// Owners of colliders; a collider's user data is an index in here. The first is the ground.
    pub(crate) owners: Vec<Owner>,
    /// Contacts that began in the last step.
    touches: Touches,
    /// Slipping wheels; empty without a slip fault.
    slipping: Vec<SlippingWheel>,
}

impl Physics {
    /// An empty world.
    pub fn new(tick_s: f64, gravity_m_s2: Vec3) -> Self {
        let mut rapier = PhysicsWorld::new();
        rapier.gravity = gravity_m_s2;
        rapier.integration_parameters.dt = tick_s as f32;
        // Rapier would silently cap speeds at 400 m/s.
        rapier.integration_parameters.normalized_max_linear_velocity = f32::MAX;
        Self {
            rapier,
            owners: vec![Owner::ground()],
            touches: Touches::default(),
            slipping: Vec::new(),
        }
    }

    /// Makes a wheel slip by its share, or grip again where that is 0.
    pub(crate) fn slip(&mut self, slip: SlippingWheel) {
        self.slipping.retain(|s| s.wheel != slip.wheel);
        let slips = slip.share != 0.0;
        if slips {
            self.slipping.push(slip);
        }
        let Some(wheel) = self.rapier.bodies.get(slip.wheel) else {
            return;
        };
        for &handle in wheel.colliders() {
            if let Some(collider) = self.rapier.colliders.get_mut(handle) {
                let mut hooks = collider.active_hooks();
                hooks.set(ActiveHooks::MODIFY_SOLVER_CONTACTS, slips);
                if hooks != collider.active_hooks() {
                    collider.set_active_hooks(hooks);
                }
            }
        }
    }

    /// The body that carries a sensor.
    pub fn body(&self, bodies: &Query<'_, '_, &Bodies>, at: &SensorAt) -> Option<&RigidBody> {
        let link = bodies.get(at.agent).ok()?.links.get(at.link)?;
        self.rapier.bodies.get(*link)
    }

    /// Pose and velocity of every moving body, in the order in which they were made.
    pub(crate) fn bits(&self, bits: &mut Bits) {
        for (_, body) in self.rapier.bodies.iter() {
            let pose = body.position();
            bits.f32s(pose.translation.to_array());
            bits.f32s(pose.rotation.to_array());
            bits.f32s(body.linvel().to_array());
            bits.f32s(body.angvel().to_array());
        }
    }
}

/// Steps physics and reports what moved.
pub struct PhysicsPlugin;

impl Plugin for PhysicsPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Physics::new(1e-3, Vec3::ZERO))
            .add_systems(
                Tick,
                (
                    joints::govern,
                    step,
                    motion::track,
                    joints::track,
                    touch::report,
                )
                    .chain()
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
        ..
    } = &mut *physics;
    rapier.step_with_events(&Pairs { slipping }, touches);
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

/// Speed of a body's centre of mass (m/s).
pub(crate) fn speed_m_s(rapier: &PhysicsWorld, handle: RigidBodyHandle) -> f32 {
    rapier
        .bodies
        .get(handle)
        .map_or(0.0, |body| body.linvel().length())
}
