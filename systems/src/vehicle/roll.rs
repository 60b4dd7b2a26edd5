//! Forces of springs and tyres on the body before each step, and poses of the wheels after it.

use super::drive::{air_n, rolling_n};
use super::ray_cast::RayCastVehicle;
use crate::physics::motion::WheelAngles;
use crate::physics::{Bodies, Physics};
use becomingone_components::body::{LinkPoses, Pose};
use becomingone_components::fault::Faults;
use becomingone_components::vehicle::Vehicle;
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};
use rapier3d::prelude::{CoefficientCombineRule, QueryFilter};

/// Casts the wheels' rays and applies the forces of springs, tyres, brakes, engine and air in this step.
pub fn push(
    mut physics: ResMut<Physics>,
    mut vehicles: Query<(
        &Vehicle,
        &mut RayCastVehicle,
        &mut WheelAngles,
        Option<&Faults>,
    )>,
) {
    for (vehicle, mut rays, mut angles, faults) in &mut vehicles {
        let rapier = &mut physics.rapier;
        let dt_s = rapier.integration_parameters.dt;
        for wheel in rays.0.wheels_mut() {
            // The mean of tyre and road or the smaller one, as for contacts.
            let road = wheel.raycast_info().ground_object;
            let road = road.and_then(|c| rapier.colliders.get(c));
            let tyre = vehicle.0.tyre_friction as f32;
            wheel.friction_slip = road.map_or(tyre, |r| match r.friction_combine_rule() {
                CoefficientCombineRule::Min => tyre.min(r.friction()),
                _ => (tyre + r.friction()) / 2.0,
            });
            // Rapier adds each step's turn to an `f32`; ours are summed in `f64`.
            wheel.rotation = 0.0;
        }
        let chassis = rays.0.chassis;
        let queries = rapier.broad_phase.as_query_pipeline_mut(
            rapier.narrow_phase.query_dispatcher(),
            &mut rapier.bodies,
            &mut rapier.colliders,
            QueryFilter::default().exclude_rigid_body(chassis),
        );
        rays.0.update_vehicle(dt_s, queries);
        let wheels = rays.0.wheels().iter().zip(&vehicle.0.wheels);
        for (k, ((ray, wheel), angle)) in wheels.zip(&mut angles.0).enumerate() {
            // Its rays roll as the body moves: a driven wheel that slips has turned more than that.
            let rolled = faults.filter(|_| wheel.driven).map_or(1.0, |f| f.rolled(k));
            *angle += f64::from(ray.rotation) / rolled;
        }
        let rolls = rays
            .0
            .wheels()
            .iter()
            .any(|w| w.raycast_info().is_in_contact);
        let Some(body) = rapier.bodies.get_mut(chassis) else {
            continue;
        };
        // Along the road: springs have just pushed it up, and gravity has yet to pull it down again.
        let up = body.position().rotation * Vec3::Z;
        let velocity = body.linvel() - up * up.dot(body.linvel());
        let speed = velocity.length();
        let mut resistance = air_n(&vehicle.0, f64::from(speed));
        if rolls {
            resistance += rolling_n(&vehicle.0);
        }
        // Against the motion, at most to standstill.
        let most = speed * body.mass();
        let impulse = (resistance as f32 * dt_s).min(most);
        if speed > 0.0 {
            body.apply_impulse(-velocity / speed * impulse, true);
        }
    }
}

/// Sets the poses of the wheels from springs, steering and rotation.
pub fn track(
    vehicles: Query<(&ChildOf, &RayCastVehicle, &WheelAngles)>,
    mut agents: Query<(&Bodies, &mut LinkPoses)>,
) {
    for (of, rays, angles) in &vehicles {
        let Ok((_, mut links)) = agents.get_mut(of.parent()) else {
            continue;
        };
        let Some((&mut root, wheels)) = links.0.split_first_mut() else {
            continue;
        };
        for ((link, wheel), &angle) in wheels.iter_mut().zip(rays.0.wheels()).zip(&angles.0) {
            let down = wheel.raycast_info().suspension_length;
            let at = wheel.chassis_connection_point_cs + wheel.direction_cs * down;
            // A wheel is the same after each turn, and `f32` has its finest steps near zero.
            let turned = angle % std::f64::consts::TAU;
            *link = root
                * Pose::new(
                    at,
                    turn(Vec3::Z, f64::from(wheel.steering)) * turn(Vec3::Y, turned),
                );
        }
    }
}

/// Rotation about an axis, bit-identical on every machine.
fn turn(axis: Vec3, angle_rad: f64) -> Quat {
    let (sin, cos) = libm::sincos(angle_rad / 2.0);
    let v = axis * sin as f32;
    Quat::from_xyzw(v.x, v.y, v.z, cos as f32)
}
