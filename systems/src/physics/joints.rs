//! Joint functions that rapier lacks: mimic joints, speed limits, counted turns.

use super::build::{joint_axis, turns_more_than_once};
use super::motion::WheelAngles;
use super::world::{Bodies, Physics};
use becomingone_components::body::{Joint, JointKind, LinkPoses, Model, Pose, RobotModel};
use becomingone_components::control::DrivenBy;
use becomingone_components::joints::{JointStates, Servos};
use bevy_ecs::prelude::*;
use std::f64::consts::{PI, TAU};

/// Return speed of a joint that passed the end of its range, per radian (1/s).
const RETURN_1_S: f64 = 20.0;

/// Least distance of a motor's target from half a turn away from the joint (rad): beyond it, rapier would take the
/// other way round.
pub(crate) const HALF_TURN_RAD: f64 = PI - 0.2;

/// Whether the physics of a robot needs its joint states.
pub fn wants_states(model: &RobotModel, bodies: &Bodies) -> bool {
    !bodies.governors.is_empty() || model.joints.iter().any(|j| j.mimic.is_some())
}

/// Sets the targets of mimic joints, and holds joints to limits that rapier does not support.
pub fn govern(mut physics: ResMut<Physics>, robots: Query<(&Bodies, &Model, &JointStates)>) {
    for (bodies, model, states) in &robots {
        for (index, joint) in model.0.joints.iter().enumerate() {
            let (Some(mimic), Some(handle)) = (joint.mimic, bodies.joints[index]) else {
                continue;
            };
            let factor = f64::from(mimic.multiplier);
            let wanted = factor * states.positions[mimic.joint] + f64::from(mimic.offset);
            let inside = wanted.clamp(f64::from(joint.limits.lower), f64::from(joint.limits.upper));
            let position = motor_target(joint, inside, states.positions[index]);
            let velocity = if inside == wanted {
                factor * states.velocities[mimic.joint]
            } else {
                0.0
            };
            let axis = joint_axis(joint.kind);
            if let Some(follower) = physics.rapier.impulse_joints.get_mut(handle, true)
                && let Some(motor) = follower.data.motor(axis).copied()
            {
                let (stiffness, damping) = (motor.stiffness, motor.damping);
                let (position, velocity) = (position as f32, velocity as f32);
                follower
                    .data
                    .set_motor(axis, position, velocity, stiffness, damping);
            }
        }
        for governor in &bodies.governors {
            let joint = &model.0.joints[governor.joint];
            let position = states.positions[governor.joint];
            let velocity = states.velocities[governor.joint];
            let allowed = allowed_speed(joint, position, velocity);
            let joints = &mut physics.rapier.impulse_joints;
            let is_on = joints
                .get(governor.motor)
                .is_some_and(|m| m.data.is_enabled());
            if allowed.is_none() && !is_on {
                continue;
            }
            let Some(motor) = joints.get_mut(governor.motor, true) else {
                continue;
            };
            motor.data.set_enabled(allowed.is_some());
            let axis = joint_axis(joint.kind);
            if let (Some(speed), Some(now)) = (allowed, motor.data.motor(axis).copied()) {
                motor
                    .data
                    .set_motor_velocity(axis, speed as f32, now.damping);
            }
        }
    }
}

/// Target of a motor that moves its joint from the present to another position: rapier represents angles only within
/// half a turn, and would take the shorter way round.
pub(crate) fn motor_target(joint: &Joint, position: f64, now: f64) -> f64 {
    if joint.kind == JointKind::Prismatic {
        return position;
    }
    position.clamp(now - HALF_TURN_RAD, now + HALF_TURN_RAD) - TAU * (now / TAU).round()
}

/// Speed to which a joint is held; none while it keeps its limits.
fn allowed_speed(joint: &Joint, position: f64, velocity: f64) -> Option<f64> {
    let limits = &joint.limits;
    if turns_more_than_once(joint) {
        let (lower, upper) = (f64::from(limits.lower), f64::from(limits.upper));
        let inside = position.clamp(lower, upper);
        let outward = velocity * (position - inside) > 0.0;
        let back = (inside - position) * RETURN_1_S;
        if inside != position && (outward || velocity.abs() < back.abs()) {
            return Some(back);
        }
    }
    let most = f64::from(limits.velocity);
    (velocity.abs() > most).then(|| most.copysign(velocity))
}

/// Reads positions and speeds of all joints from rapier.
pub fn track(
    physics: Res<Physics>,
    mut agents: Query<(
        &Bodies,
        &Model,
        &LinkPoses,
        &mut JointStates,
        Option<&DrivenBy>,
    )>,
    mut servos: Query<(&Servos, &mut WheelAngles)>,
) {
    let bodies_of = &physics.rapier.bodies;
    for (bodies, model, links, mut states, driven) in &mut agents {
        let states = &mut *states;
        for (index, joint) in model.0.joints.iter().enumerate() {
            let (parent, child) = (links.0[joint.parent], links.0[joint.child]);
            let before = states.positions[index];
            let Some(position) = position(joint, parent, child, before) else {
                continue;
            };
            let axis = parent.rotation * joint.origin.rotation * joint.axis;
            let handles = [bodies.links[joint.parent], bodies.links[joint.child]];
            let [Some(a), Some(b)] = handles.map(|h| bodies_of.get(h)) else {
                continue;
            };
            let at = child.translation_m;
            let velocity = if joint.kind == JointKind::Prismatic {
                // Relative to the velocity of the parent at this place.
                b.velocity_at_point(at) - a.velocity_at_point(at)
            } else {
                b.angvel() - a.angvel()
            };
            states.positions[index] = position;
            states.velocities[index] = f64::from(velocity.dot(axis));
        }
        if let Some(Ok((servos, mut angles))) = driven.map(|d| servos.get_mut(d.0)) {
            for (servo, angle) in servos.0.iter().zip(&mut angles.0) {
                *angle = states.positions[servo.joint];
            }
        }
    }
}

/// Position of a joint with one axis: of the equivalent turns, the nearest to the previous position.
pub(crate) fn position(joint: &Joint, parent: Pose, child: Pose, before: f64) -> Option<f64> {
    let frame = parent * joint.origin;
    match joint.kind {
        JointKind::Revolute | JointKind::Continuous => {
            let turn = frame.rotation.inverse() * child.rotation;
            let sin = f64::from(turn.xyz().dot(joint.axis));
            let wrapped = 2.0 * libm::atan2(sin, f64::from(turn.w));
            Some(wrapped + TAU * ((before - wrapped) / TAU).round())
        }
        JointKind::Prismatic => {
            let moved = child.translation_m - frame.translation_m;
            let along = (frame.rotation.inverse() * moved).dot(joint.axis);
            Some(f64::from(along))
        }
        JointKind::Planar | JointKind::Floating | JointKind::Spherical => None,
    }
}
