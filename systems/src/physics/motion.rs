//! Motion of each agent after a step, as ground truth.

use super::world::{Bodies, Physics, speed_m_s};
use becomingone_components::body::{LinkPoses, Model, Pose, Travel, TruePose, TrueTwist};
use becomingone_components::drive::Drive;
use bevy_ecs::prelude::*;
use std::f64::consts::PI;

/// True angles of the driven wheels since the start, forward positive, not wrapped (rad).
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct WheelAngles(pub Vec<f64>);

/// Speed beyond which no robot is meant to move (m/s).
const PLAUSIBLE_M_S: f64 = 100.0;

/// Reads poses, velocities, wheel angles and travel from rapier.
pub fn track(
    physics: Res<Physics>,
    mut agents: Query<(
        &Name,
        &Bodies,
        &mut TruePose,
        &mut TrueTwist,
        &mut LinkPoses,
        &mut Travel,
    )>,
    mut wheels: Query<(&ChildOf, &Drive, &mut WheelAngles)>,
    models: Query<&Model>,
) {
    let rapier = &physics.rapier;
    for (name, bodies, mut pose, mut twist, mut links, mut travel) in &mut agents {
        let mut fastest = 0.0f32;
        for (&handle, link) in bodies.links.iter().zip(&mut links.0) {
            let Some(body) = rapier.bodies.get(handle) else {
                continue;
            };
            let p = body.position();
            *link = Pose::new(p.translation, p.rotation);
            fastest = fastest.max(speed_m_s(rapier, handle));
        }
        let Some(&root) = links.0.first() else {
            continue;
        };
        if let Some(body) = bodies.links.first().and_then(|&h| rapier.bodies.get(h)) {
            twist.linear_m_s = body.velocity_at_point(root.translation_m);
            twist.angular_rad_s = body.angvel();
        }
        travel.distance_m += f64::from(root.translation_m.distance(pose.0.translation_m));
        let fastest = f64::from(fastest);
        if fastest > PLAUSIBLE_M_S && travel.max_speed_m_s <= PLAUSIBLE_M_S {
            log::warn!(
                "{name}: a part moves at {fastest:.0} m/s: either it falls, or the simulation has become unstable, by \
                 light parts between heavy ones or shapes within each other; a shorter tick may help"
            );
        }
        travel.max_speed_m_s = travel.max_speed_m_s.max(fastest);
        pose.0 = root;
    }
    for (of, drive, mut angles) in &mut wheels {
        let (Ok((.., links, _)), Ok(model)) = (agents.get(of.parent()), models.get(of.parent()))
        else {
            continue;
        };
        for (wheel, angle) in drive.wheels.iter().zip(&mut angles.0) {
            let joint = &model.0.joints[wheel.joint];
            let frame = links.0[joint.parent].rotation * joint.origin.rotation;
            let turn = frame.inverse() * links.0[joint.child].rotation;
            let half = libm::atan2(f64::from(turn.xyz().dot(joint.axis)), f64::from(turn.w));
            let wrapped = wheel.sign * 2.0 * half;
            // The nearest angle of the same direction: a wheel turns less than half a turn a tick.
            let turns = ((*angle - wrapped) / (2.0 * PI)).round();
            *angle = wrapped + 2.0 * PI * turns;
        }
    }
}
