//! Rapier's world as a resource, and the handles of an agent in it.

use super::contacts::{Owner, SlippingWheel, Touches};
use crate::bits::Bits;
use becomingone_components::sensor::SensorAt;
use bevy_ecs::prelude::*;
use glam::Vec3;
use rapier3d::prelude::{
    ActiveHooks, ImpulseJointHandle, PhysicsWorld, RigidBody, RigidBodyHandle,
};
use std::collections::HashSet;

/// Rapier's world and the owners of its colliders.
#[derive(Resource)]
pub struct Physics {
    /// Bodies, colliders, joints.
    pub rapier: PhysicsWorld,
    /// Owners of colliders; a collider's user data is an index in here. The first is the ground.
    pub(crate) owners: Vec<Owner>,
    /// Contacts that began in the last step.
    pub(super) touches: Touches,
    /// Slipping wheels; empty without a slip fault.
    pub(super) slipping: Vec<SlippingWheel>,
    /// Pairs of bodies that do not touch each other, in both orders.
    pub(super) excluded: HashSet<[RigidBodyHandle; 2]>,
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
            excluded: HashSet::new(),
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

/// Rapier's handles of an agent's links and joints, in the order of its model.
#[derive(Component, Clone, Debug)]
pub struct Bodies {
    /// One a link.
    pub links: Vec<RigidBodyHandle>,
    /// One a joint; none where the joint leaves everything free.
    pub joints: Vec<Option<ImpulseJointHandle>>,
    /// Motors that hold joints to their limits, switched on while these are exceeded.
    pub governors: Vec<Governor>,
    /// Index among the owners of colliders: the user data of every collider of this agent.
    pub owner: u128,
}

/// A motor for joint limits that rapier does not support: of speed, and of more than a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Governor {
    /// Index of the joint in the model.
    pub joint: usize,
    /// A motor without a joint, off until it is needed.
    pub motor: ImpulseJointHandle,
}

/// Speed of a body's centre of mass (m/s).
pub(crate) fn speed_m_s(rapier: &PhysicsWorld, handle: RigidBodyHandle) -> f32 {
    rapier
        .bodies
        .get(handle)
        .map_or(0.0, |body| body.linvel().length())
}
