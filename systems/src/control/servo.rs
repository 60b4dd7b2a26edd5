//! Servos: motions become targets of the joints' motors.

use crate::physics::build::{effort, joint_axis};
use crate::physics::joints::{HALF_TURN_RAD, motor_target};
use crate::physics::{Bodies, Physics};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::Model;
use becomingone_components::control::DrivenBy;
use becomingone_components::fault::Faults;
use becomingone_components::joints::{
    JointMotion, JointStates, JointTargets, JointsController, Servo, Servos,
};
use becomingone_components::link::ExternalActuator;
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;
use std::f64::consts::{PI, TAU};

/// Sets the targets of all motions.
pub fn move_joints(
    time: Res<SimTime>,
    agents: Query<(&JointsController, &DrivenBy)>,
    mut servos: Query<&mut ActuatorTarget<JointTargets>>,
) {
    for (controller, driven) in &agents {
        let Ok(mut command) = servos.get_mut(driven.0) else {
            continue;
        };
        for motion in &controller.motions {
            let (position, velocity) = at(motion, controller.ease_s, time.now_s());
            command.0.positions[motion.servo] = position;
            command.0.velocities[motion.servo] = velocity;
        }
    }
}

/// Position and speed of a motion (rad and rad/s, or m and m/s).
fn at(motion: &JointMotion, ease_s: f64, t_s: f64) -> (f64, f64) {
    let omega = TAU * motion.frequency_hz;
    let (sin, cos) = libm::sincos(omega * t_s + motion.phase_rad);
    let away = motion.position + motion.amplitude * sin - motion.start;
    let speed = motion.amplitude * omega * cos;
    if t_s >= ease_s {
        return (motion.start + away, speed);
    }
    // Half a cosine: it starts and ends at rest.
    let (s, c) = libm::sincos(PI * t_s / ease_s);
    let (ease, easing) = ((1.0 - c) / 2.0, PI * s / (2.0 * ease_s));
    (motion.start + ease * away, easing * away + ease * speed)
}

/// Sets the motors of servos with new targets, within the joint's limits of speed and position.
pub fn turn_joints(
    mut physics: ResMut<Physics>,
    time: Res<SimTime>,
    mut actuators: Query<
        (
            &ChildOf,
            &Servos,
            &mut Followed,
            Ref<ActuatorTarget<JointTargets>>,
            Option<Ref<Faults>>,
        ),
        Without<ExternalActuator>,
    >,
    robots: Query<(&Bodies, &Model, &JointStates)>,
) {
    for (of, servos, mut followed, command, faults) in &mut actuators {
        let Ok((bodies, model, states)) = robots.get(of.parent()) else {
            continue;
        };
        let mut pairs = servos.0.iter().zip(&followed.positions);
        let far = pairs.any(|(s, p)| (p - states.positions[s.joint]).abs() > HALF_TURN_RAD);
        let weakened = faults.as_ref().is_some_and(Ref::is_changed);
        if !(command.is_changed() || followed.behind || far || weakened) {
            continue;
        }
        let mut behind = false;
        let targets = command.0.positions.iter().zip(&command.0.velocities);
        let all = servos.0.iter().zip(targets).zip(&mut followed.positions);
        for (k, ((servo, (&position, &velocity)), last)) in all.enumerate() {
            if !(position.is_finite() && velocity.is_finite()) {
                continue;
            }
            let wanted = position.clamp(servo.range[0], servo.range[1]);
            let most = servo.max_velocity;
            let step = most * time.tick_s();
            let next = wanted.clamp(*last - step, *last + step);
            let velocity = if next == wanted {
                velocity.clamp(-most, most)
            } else {
                behind = true;
                most.copysign(wanted - next)
            };
            *last = next;
            let Some(joint) = bodies.joints[servo.joint]
                .and_then(|handle| physics.rapier.impulse_joints.get_mut(handle, true))
            else {
                continue;
            };
            let described = &model.0.joints[servo.joint];
            let axis = joint_axis(described.kind);
            let share = faults.as_ref().map_or(1.0, |f| f.torque(k));
            joint.data.set_motor(
                axis,
                motor_target(described, next, states.positions[servo.joint]) as f32,
                velocity as f32,
                (servo.stiffness * share) as f32,
                (servo.damping * share) as f32,
            );
            if weakened {
                let most = effort(described) * share as f32;
                joint.data.set_motor_max_force(axis, most);
            }
        }
        followed.behind = behind;
    }
}

/// Speed below which a joint rests (rad/s or m/s).
const AT_REST: f64 = 0.02;

/// Positions at which the joints of an actuator stop (rad or m): on the way to their targets, where a servo with a bounded
/// speed has set them, and where the others are now. A joint at rest keeps its target: its servo carries a load.
pub(super) fn rest_positions(world: &World, agent: Entity, actuator: Entity) -> Option<Vec<f64>> {
    let servos = world.get::<Servos>(actuator)?;
    let followed = world.get::<Followed>(actuator)?;
    let states = world.get::<JointStates>(agent)?;
    let position = |(servo, &target): (&Servo, &f64)| {
        let speed = states.velocities.get(servo.joint)?;
        match servo.max_velocity.is_finite() || speed.abs() < AT_REST {
            true => Some(target),
            false => states.positions.get(servo.joint).copied(),
        }
    };
    servos
        .0
        .iter()
        .zip(&followed.positions)
        .map(position)
        .collect()
}

/// State of an actuator's servos.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Followed {
    /// Positions (rad or m).
    pub positions: Vec<f64>,
    /// Whether a target is not reached yet.
    pub behind: bool,
}
