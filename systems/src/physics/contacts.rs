//! Contacts in rapier: owners of colliders, allowed pairs, begun contacts, slipping wheels.

use bevy_ecs::prelude::*;
use glam::Vec3;
use rapier3d::prelude::*;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Owner of a collider.
#[derive(Clone, Debug)]
pub struct Owner {
    /// Stable name.
    pub name: String,
    /// The agent; none for static objects.
    pub agent: Option<Entity>,
    /// Whether contact is no collision: the ground, and drivable ramps.
    pub drivable: bool,
}

impl Owner {
    /// The plane z = 0.
    pub fn ground() -> Self {
        Self {
            name: "ground".to_owned(),
            agent: None,
            drivable: true,
        }
    }
}

/// A wheel that rolls over the ground by less than it turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlippingWheel {
    /// Body of the wheel.
    pub wheel: RigidBodyHandle,
    /// Body that carries it.
    pub carrier: RigidBodyHandle,
    /// Axis of its rotation, in its own axes, through its origin.
    pub axis: Vec3,
    /// Slip, as a share of its rotation.
    pub share: f32,
}

/// Hooks of rapier for pairs of colliders.
///
/// Parts of one agent that joints hold together pass through each other: descriptions overlap at their joints.
///
/// Under a slipping wheel, the ground is a conveyor: contacts hold the wheel to a surface that moves against its
/// rotation by a share of its rim's speed. The distance over the ground is smaller than the rolled distance by that
/// share, whatever the load, and the friction limit is unchanged.
pub struct Pairs<'a> {
    /// Every wheel that slips.
    pub slipping: &'a [SlippingWheel],
    /// Pairs of bodies that do not touch each other, in both orders.
    pub excluded: &'a HashSet<[RigidBodyHandle; 2]>,
}

impl PhysicsHooks for Pairs<'_> {
    fn filter_contact_pair(&self, context: &PairFilterContext) -> Option<SolverFlags> {
        let owner = |handle| {
            context
                .colliders
                .get(handle)
                .map(|c: &Collider| c.user_data)
        };
        let tree = |handle: Option<RigidBodyHandle>| {
            handle
                .and_then(|h| context.bodies.get(h))
                .map(|b| b.user_data)
        };
        let strangers = owner(context.collider1) != owner(context.collider2)
            || tree(context.rigid_body1) != tree(context.rigid_body2);
        let pair = context.rigid_body1.zip(context.rigid_body2);
        let is_excluded = pair.is_some_and(|(a, b)| self.excluded.contains(&[a, b]));
        (strangers && !is_excluded).then(SolverFlags::default)
    }

    fn modify_solver_contacts(&self, context: &mut ContactModificationContext) {
        let bodies = context.bodies;
        let pair = [context.rigid_body1, context.rigid_body2];
        let Some(contacts) = context.rigid_mut() else {
            return;
        };
        // Rapier takes the tangent velocity as one that the first body's surface has besides its own.
        for (handle, sign) in pair.into_iter().zip([1.0, -1.0]) {
            let slips = |w: &&SlippingWheel| Some(w.wheel) == handle;
            let Some(slip) = self.slipping.iter().find(slips) else {
                continue;
            };
            let (Some(wheel), Some(carrier)) = (bodies.get(slip.wheel), bodies.get(slip.carrier))
            else {
                continue;
            };
            let place = wheel.position();
            let axis = place.rotation * slip.axis;
            let turn = axis * axis.dot(wheel.angvel() - carrier.angvel());
            let normal = *contacts.normal;
            for contact in contacts.solver_contacts.iter_mut() {
                let from_axle = (contact.anchor1 + contact.anchor2) / 2.0 - place.translation;
                let rim = turn.cross(from_axle);
                let rim = rim - normal * normal.dot(rim);
                contact.tangent_velocity -= rim * (sign * slip.share);
            }
        }
    }
}

/// Collects the pairs of owners whose colliders began to touch.
#[derive(Default)]
pub struct Touches(Mutex<Vec<(usize, usize)>>);

impl Touches {
    /// Takes the collected pairs, in an order that does not depend on threads.
    pub(super) fn take(&mut self) -> Vec<(usize, usize)> {
        let pairs = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut pairs = std::mem::take(pairs);
        pairs.sort_unstable();
        pairs
    }
}

impl EventHandler for Touches {
    fn handle_collision_event(
        &self,
        _bodies: &RigidBodySet,
        colliders: &ColliderSet,
        event: CollisionEvent,
        _pair: Option<&ContactPair>,
    ) {
        if !event.started() {
            return;
        }
        let owner = |handle| {
            colliders
                .get(handle)
                .map(|c: &Collider| c.user_data as usize)
        };
        if let (Some(a), Some(b)) = (owner(event.collider1()), owner(event.collider2())) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push((a.min(b), a.max(b)));
        }
    }

    fn handle_contact_force_event(
        &self,
        _dt: f32,
        _bodies: &RigidBodySet,
        _colliders: &ColliderSet,
        _pair: &ContactPair,
        _force: f32,
    ) {
    }

    fn handle_soft_body_tear_event(&self, _soft: &SoftBodySet, _event: &SoftBodyTearEvent) {}
}
