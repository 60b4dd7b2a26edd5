//! Rays from a sensor: what a lidar and a range sensor see of the world.

use crate::physics::{Bodies, Physics};
use becomingone_components::body::Pose;
use becomingone_components::sensor::{Mount, Sensor};
use glam::Vec3;
use rapier3d::prelude::{Collider, ColliderHandle, QueryFilter, Ray};

/// Casts rays in these directions of the sensor's frame, and gives each distance in order; the largest range
/// where nothing was hit. Rays pass through the sensor's own robot.
/// Says whether there is a body that carries the sensor; without one nothing is cast.
pub(super) fn cast(
    physics: &Physics,
    agent: &Bodies,
    sensor: &Sensor,
    mount: &Mount,
    directions: &[Vec3],
    range_max_m: f32,
    mut each: impl FnMut(f32),
) -> bool {
    let body = agent
        .links
        .get(sensor.link)
        .and_then(|&h| physics.rapier.bodies.get(h));
    let Some(body) = body else {
        return false;
    };
    let not_own = |_: ColliderHandle, c: &Collider| c.user_data != agent.owner;
    let rays = physics
        .rapier
        .query_pipeline_with_filter(QueryFilter::default().predicate(&not_own));
    let link = body.position();
    let from = Pose::new(link.translation, link.rotation) * mount.0;
    for &direction in directions {
        let ray = Ray::new(from.translation_m, from.rotation * direction);
        let hit = rays.cast_ray(&ray, range_max_m, true);
        each(hit.map_or(range_max_m, |(_, distance)| distance));
    }
    true
}
