//! Torque and power of an agent's motors.

use crate::physics::build::joint_axis;
use crate::physics::{Bodies, Physics};
use becomingone_components::body::{JointKind, LinkPoses, Model};
use becomingone_components::control::DrivenBy;
use becomingone_components::vehicle::VehicleState;
use bevy_ecs::prelude::*;
use bevy_ecs::system::SystemParam;
use glam::Vec3;

/// What sensors read of the agents' motors.
#[derive(SystemParam)]
pub struct Motors<'w, 's> {
    physics: Res<'w, Physics>,
    robots: Query<'w, 's, (&'static Bodies, &'static Model, &'static LinkPoses)>,
    driven: Query<'w, 's, &'static DrivenBy>,
    vehicles: Query<'w, 's, &'static VehicleState>,
}

/// State of one joint.
pub(super) struct JointNow {
    /// Speed (rad/s or m/s).
    pub(super) velocity: f64,
    /// Torque or force of its motor (N m or N), positive where it accelerates the joint forwards.
    pub(super) effort: f64,
}

impl Motors<'_, '_> {
    /// Poses of an agent's links, and its model.
    pub(super) fn robot(&self, agent: Entity) -> Option<(&Model, &LinkPoses)> {
        let (_, model, links) = self.robots.get(agent).ok()?;
        Some((model, links))
    }

    /// Speed and effort of a joint with one axis.
    pub(super) fn joint(&self, agent: Entity, index: usize) -> Option<JointNow> {
        let (bodies, model, links) = self.robots.get(agent).ok()?;
        let joint = model.0.joints.get(index)?;
        let rapier = &self.physics.rapier;
        let body = |link: usize| rapier.bodies.get(*bodies.links.get(link)?);
        let (parent, child) = (body(joint.parent)?, body(joint.child)?);
        let axis = links.0[joint.parent].rotation * joint.origin.rotation * joint.axis;
        let relative: Vec3 = match joint.kind {
            JointKind::Prismatic => {
                let at = links.0[joint.child].translation_m;
                child.velocity_at_point(at) - parent.velocity_at_point(at)
            }
            JointKind::Revolute | JointKind::Continuous => child.angvel() - parent.angvel(),
            JointKind::Planar | JointKind::Floating | JointKind::Spherical => return None,
        };
        let motor = bodies.joints.get(index).copied().flatten();
        let motor = motor.and_then(|handle| rapier.impulse_joints.get(handle));
        let motor = motor.and_then(|joint_of| joint_of.data.motor(joint_axis(joint.kind)));
        // Rapier keeps the impulse of the last substep, and applies it to the child with the other sign.
        let parameters = &rapier.integration_parameters;
        let substep_s = f64::from(parameters.dt) / parameters.num_solver_iterations as f64;
        Some(JointNow {
            velocity: f64::from(relative.dot(axis)),
            effort: motor.map_or(0.0, |motor| -f64::from(motor.impulse) / substep_s),
        })
    }

    /// Mechanical power that an agent's motors or its engine give (W); motors that are driven count nothing.
    pub(super) fn power_w(&self, agent: Entity) -> f64 {
        let joints = self
            .robots
            .get(agent)
            .map_or(0, |(_, model, _)| model.0.joints.len());
        let motors: f64 = (0..joints)
            .filter_map(|index| self.joint(agent, index))
            .map(|now| (now.effort * now.velocity).max(0.0))
            .sum();
        motors + self.engine_w(agent).unwrap_or_default()
    }

    /// Power of a car's engine at the road.
    fn engine_w(&self, agent: Entity) -> Option<f64> {
        let state = self.vehicles.get(self.driven.get(agent).ok()?.0).ok()?;
        let (bodies, ..) = self.robots.get(agent).ok()?;
        let body = self.physics.rapier.bodies.get(*bodies.links.first()?)?;
        let pose = body.position();
        let speed = body
            .velocity_at_point(pose.translation)
            .dot(pose.rotation * Vec3::X);
        Some((state.drive_n * f64::from(speed)).max(0.0))
    }
}
