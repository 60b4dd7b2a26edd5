//! Ray casts of lidars and range finders.

use crate::physics::{Bodies, Physics};
use becomingone_components::body::Pose;
use becomingone_components::sensor::SensorAt;
use bevy_ecs::prelude::*;
use glam::Vec3;
use rapier3d::prelude::{Collider, ColliderHandle, QueryFilter, Ray};

/// The world that rays are cast in.
pub(super) type World = (
    Res<'static, Physics>,
    Query<'static, 'static, &'static Bodies>,
);

/// Casts rays in these directions of the sensor's frame, and gives each distance in order; the largest range
/// where nothing was hit. Rays pass through the sensor's own robot.
/// Returns whether there is a body that carries the sensor; without one nothing is cast.
pub(super) fn cast(
    physics: &Physics,
    bodies: &Query<'_, '_, &Bodies>,
    at: &SensorAt,
    directions: &[Vec3],
    range_max_m: f32,
    mut each: impl FnMut(f32),
) -> bool {
    let (Some(body), Ok(agent)) = (physics.body(bodies, at), bodies.get(at.agent)) else {
        return false;
    };
    let not_own = |_: ColliderHandle, c: &Collider| c.user_data != agent.owner;
    let rays = physics
        .rapier
        .query_pipeline_with_filter(QueryFilter::default().predicate(&not_own));
    let link = body.position();
    let from = Pose::new(link.translation, link.rotation) * at.mount;
    for &direction in directions {
        let ray = Ray::new(from.translation_m, from.rotation * direction);
        let hit = rays.cast_ray(&ray, range_max_m, true);
        each(hit.map_or(range_max_m, |(_, distance)| distance));
    }
    true
}
