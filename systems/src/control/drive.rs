//! Drive: converts a twist to wheel speeds and steering angles, ramped within limits that keep the robot on its
//! wheels, and sets the joints' motors.

use crate::physics::build::{drive_motor, joint_axis};
use crate::physics::contacts::SlippingWheel;
use crate::physics::{Bodies, Physics};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::Model;
use becomingone_components::drive::{Drive, DriveState, Twist2};
use becomingone_components::fault::Faults;
use becomingone_components::link::ExternalActuator;
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;

/// Time in which a car's steering goes from one end to the other (s).
const LOCK_TO_LOCK_S: f64 = 0.6;

/// Speed below which the arc of a twist is undefined (m/s): the steering angle stays.
const CRAWL_M_S: f64 = 1e-3;

/// Update rate of a drive.
#[derive(Component, Clone, Copy, Debug)]
pub struct DriveRate(pub Rate);

/// Ramps each drive's setpoint towards its command and sets the motors.
pub fn turn_wheels(
    mut physics: ResMut<Physics>,
    time: Res<SimTime>,
    mut drives: Query<
        (
            &ChildOf,
            &Drive,
            &ActuatorTarget<Twist2>,
            &mut DriveRate,
            &mut DriveState,
        ),
        Without<ExternalActuator>,
    >,
    robots: Query<(&Bodies, &Model)>,
) {
    for (of, drive, command, mut rate, mut state) in &mut drives {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        // A tick may be longer than the drive's own period.
        let period_s = rate.0.period_s().max(time.tick_s());
        let next = match &drive.steering {
            None => DriveState {
                setpoint: ramp(state.setpoint, command.0, drive, period_s),
                curvature_1_m: 0.0,
            },
            Some(_) => steer(&state, command.0, drive, period_s),
        };
        if next == *state {
            continue;
        }
        *state = next;
        let Ok((bodies, model)) = robots.get(of.parent()) else {
            continue;
        };
        for wheel in &drive.wheels {
            let speed = wheel_speed(next.setpoint, drive, wheel.left) / wheel.radius_m * wheel.sign;
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
        for wheel in drive.steering.iter().flat_map(|s| &s.wheels) {
            let Some(joint) = bodies.joints[wheel.joint]
                .and_then(|handle| physics.rapier.impulse_joints.get_mut(handle, true))
            else {
                continue;
            };
            let axis = joint_axis(model.0.joints[wheel.joint].kind);
            let angle = wheel.angle_rad(next.curvature_1_m) as f32;
            if let Some(motor) = joint.data.motor(axis).copied() {
                let (stiffness, damping) = (motor.stiffness, motor.damping);
                joint
                    .data
                    .set_motor_position(axis, angle, stiffness, damping);
            }
        }
    }
}

/// Applies faults to motors and wheels, when one has begun or ended.
pub fn weaken(
    mut physics: ResMut<Physics>,
    drives: Query<(&ChildOf, &Drive, Ref<Faults>)>,
    robots: Query<(&Bodies, &Model)>,
) {
    for (of, drive, faults) in &drives {
        let Ok((bodies, model)) = robots.get(of.parent()) else {
            continue;
        };
        if !faults.is_changed() {
            continue;
        }
        for (k, wheel) in drive.wheels.iter().enumerate() {
            let joint = &model.0.joints[wheel.joint];
            physics.slip(SlippingWheel {
                wheel: bodies.links[joint.child],
                carrier: bodies.links[joint.parent],
                axis: joint.axis,
                share: (1.0 - faults.rolled(k)) as f32,
            });
            if let Some(motor) = bodies.joints[wheel.joint]
                .and_then(|handle| physics.rapier.impulse_joints.get_mut(handle, true))
            {
                let axis = joint_axis(joint.kind);
                drive_motor(&mut motor.data, axis, wheel, faults.torque(k));
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

/// Computes the setpoint one period later: limited in speed, and in the acceleration of each wheel.
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

/// Computes a car's setpoint one period later: the wheels turn towards the arc of the command, and the car rolls
/// along the arc of their present angle.
fn steer(now: &DriveState, wanted: Twist2, drive: &Drive, period_s: f64) -> DriveState {
    let most = drive.max_curvature_1_m();
    let arc = if wanted.linear_m_s.abs() > CRAWL_M_S {
        wanted.angular_rad_s / wanted.linear_m_s
    } else {
        now.curvature_1_m
    };
    let step = 2.0 * most * period_s / LOCK_TO_LOCK_S;
    let turned = arc.clamp(-most, most) - now.curvature_1_m;
    let curvature_1_m = now.curvature_1_m + turned.clamp(-step, step);
    let straight = Twist2 {
        angular_rad_s: 0.0,
        ..wanted
    };
    let linear_m_s = ramp(now.setpoint, straight, drive, period_s).linear_m_s;
    DriveState {
        setpoint: Twist2 {
            linear_m_s,
            angular_rad_s: linear_m_s * curvature_1_m,
        },
        curvature_1_m,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::drive::{SteeredWheel, Steering};

    #[test]
    fn the_axes_of_steered_wheels_meet_in_the_centre_of_the_arc() {
        let wheel = |y| SteeredWheel {
            joint: 0,
            sign: 1.0,
            position_m: [0.3, y],
            range_rad: [-1.0, 1.0],
            max_torque_n_m: 1.0,
        };
        for curvature in [0.8, -1.3] {
            for y in [0.1, -0.1] {
                // The wheel points across the line from the arc's centre (0, 1/κ) to itself.
                let delta = wheel(y).angle_rad(curvature);
                let from_centre = [0.3, y - 1.0 / curvature];
                let along = libm::cos(delta) * from_centre[0] + libm::sin(delta) * from_centre[1];
                assert!(along.abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_car_does_not_turn_on_the_spot() {
        let drive = Drive {
            wheels: Vec::new(),
            track_width_m: 0.2,
            forward_yaw_rad: 0.0,
            centre_m: [0.0; 2],
            footprint_radius_m: 0.4,
            max_speed_m_s: 2.0,
            max_yaw_rate_rad_s: 1.2,
            max_acceleration_m_s2: 1.0,
            steering: Some(Steering {
                wheels: Vec::new(),
                max_curvature_1_m: 1.5,
            }),
        };
        let spin = Twist2 {
            linear_m_s: 0.0,
            angular_rad_s: 1.0,
        };
        let stays = steer(&DriveState::default(), spin, &drive, 0.01);
        assert_eq!(stays, DriveState::default());
        let sharp = Twist2 {
            linear_m_s: 0.1,
            angular_rad_s: -1.0,
        };
        let mut state = DriveState::default();
        for _ in 0..100 {
            state = steer(&state, sharp, &drive, 0.01);
        }
        assert!((state.curvature_1_m + 1.5).abs() < 1e-12);
        assert!((state.setpoint.angular_rad_s + 0.15).abs() < 1e-12);
    }
}
