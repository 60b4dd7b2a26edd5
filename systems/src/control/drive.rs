//! The drive: a twist becomes wheel speeds, ramped within what keeps the robot on its wheels, and
//! the joints' motors make torques of them.

use crate::physics::build::joint_axis;
use crate::physics::{Bodies, Physics};
use becomingone_components::actuator::Command;
use becomingone_components::body::Model;
use becomingone_components::drive::{Drive, DriveState, Twist2};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;

/// Updates of the wheels' setpoints a second.
pub const DRIVE_RATE_HZ: f64 = 100.0;

/// How often a drive listens to its command.
#[derive(Component, Clone, Copy, Debug)]
pub struct DriveRate(pub Rate);

/// Ramps each drive's setpoint towards its command and tells the motors.
pub fn turn_wheels(
    mut physics: ResMut<Physics>,
    time: Res<SimTime>,
    mut drives: Query<(
        &ChildOf,
        &Drive,
        &Command<Twist2>,
        &mut DriveRate,
        &mut DriveState,
    )>,
    robots: Query<(&Bodies, &Model)>,
) {
    for (of, drive, command, mut rate, mut state) in &mut drives {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        // A tick may be longer than the drive's own period.
        let period_s = rate.0.period_s().max(time.tick_s());
        let next = ramp(state.setpoint, command.0, drive, period_s);
        if next == state.setpoint {
            continue;
        }
        state.setpoint = next;
        let Ok((bodies, model)) = robots.get(of.parent()) else {
            continue;
        };
        for wheel in &drive.wheels {
            let speed = wheel_speed(next, drive, wheel.left) / wheel.radius_m * wheel.sign;
            let Some(joint) = bodies.joints[wheel.joint]
                .and_then(|handle| physics.rapier.impulse_joints.get_mut(handle, true))
            else {
                continue;
            };
            let axis = joint_axis(model.0.joints[wheel.joint].kind);
            if let Some(motor) = joint.data.motor(axis).copied() {
                joint
                    .data
                    .set_motor_velocity(axis, speed as f32, motor.damping);
            }
        }
    }
}

/// Speed of a side's wheels along the ground (m/s).
fn wheel_speed(twist: Twist2, drive: &Drive, left: bool) -> f64 {
    let half = drive.track_width_m / 2.0;
    let side = if left { -half } else { half };
    twist.linear_m_s + twist.angular_rad_s * side
}

/// The setpoint one period later: limited in speed, and in how fast any wheel changes speed.
fn ramp(now: Twist2, wanted: Twist2, drive: &Drive, period_s: f64) -> Twist2 {
    if !(wanted.linear_m_s.is_finite() && wanted.angular_rad_s.is_finite()) {
        return now;
    }
    let step = drive.max_acceleration_m_s2 * period_s;
    let turn_step = step / (drive.track_width_m / 2.0);
    let linear = wanted
        .linear_m_s
        .clamp(-drive.max_speed_m_s, drive.max_speed_m_s);
    let angular = wanted
        .angular_rad_s
        .clamp(-drive.max_yaw_rate_rad_s, drive.max_yaw_rate_rad_s);
    Twist2 {
        linear_m_s: now.linear_m_s + (linear - now.linear_m_s).clamp(-step, step),
        angular_rad_s: now.angular_rad_s
            + (angular - now.angular_rad_s).clamp(-turn_step, turn_step),
    }
}
