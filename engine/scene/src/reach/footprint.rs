//! Extent of a robot: no place where this circle does not fit is one for the robot.

use becomingone_components::body::{Pose, Shape};
use becomingone_components::scene::LoadedAgent;
use glam::Vec3;
use std::f64::consts::TAU;

/// Directions in which the outline is measured.
const DIRECTIONS: u32 = 64;
/// Share of the measured radius that is used: outlines are measured in some directions only.
const SURE: f64 = 0.98;

/// Extent of a robot.
pub(super) struct Footprint {
    /// Radius of a circle about the middle of its wheels that its outline contains (m); 0 without wheels.
    pub(super) radius_m: f64,
    /// Height (m).
    pub(super) height_m: f64,
    /// Height of a step that its wheels may climb: their radius (m).
    pub(super) climb_m: f64,
}

impl Footprint {
    pub(super) fn of(body: &LoadedAgent) -> Self {
        let Some(model) = &body.model else {
            return Self {
                radius_m: 0.0,
                height_m: 0.0,
                climb_m: 0.0,
            };
        };
        let poses = model.start_poses();
        let colliders: Vec<(Pose, &Shape)> = model
            .links
            .iter()
            .zip(&poses)
            .flat_map(|(link, pose)| link.colliders.iter().map(|c| (*pose * c.pose, &c.shape)))
            .collect();
        let support = |from: Vec3, to: Vec3| {
            colliders
                .iter()
                .map(|(pose, shape)| support_m(*pose, shape, to) - from.dot(to))
                .fold(f32::MIN, f32::max)
        };
        let height_m = support(Vec3::ZERO, Vec3::Z) + support(Vec3::ZERO, Vec3::NEG_Z);
        let height_m = f64::from(height_m).max(0.0);
        let Some(drive) = &body.drive else {
            return Self {
                radius_m: 0.0,
                height_m,
                climb_m: 0.0,
            };
        };
        let inscribed_m = (0..DIRECTIONS)
            .map(|k| {
                let (sin, cos) = libm::sincos(TAU * f64::from(k) / f64::from(DIRECTIONS));
                let to = Vec3::new(cos as f32, sin as f32, 0.0);
                f64::from(support(drive.centre(), to))
            })
            .fold(drive.track_width_m / 2.0, f64::min);
        Self {
            radius_m: (SURE * inscribed_m).max(0.0),
            height_m,
            climb_m: drive.wheels.iter().map(|w| w.radius_m).fold(0.0, f64::max),
        }
    }
}

/// Largest extent of a shape in a direction of length 1 (m).
fn support_m(pose: Pose, shape: &Shape, to: Vec3) -> f32 {
    let local = pose.rotation.inverse() * to;
    let along = local.z.abs();
    let across = (1.0 - local.z * local.z).max(0.0).sqrt();
    let from_middle = match shape {
        Shape::Box { half_extents_m } => half_extents_m.dot(local.abs()),
        Shape::Cylinder { radius_m, length_m } => radius_m * across + length_m / 2.0 * along,
        Shape::Capsule { radius_m, length_m } => radius_m + length_m / 2.0 * along,
        Shape::Sphere { radius_m } => *radius_m,
        Shape::Mesh(mesh) => mesh
            .vertices_m
            .iter()
            .map(|&v| Vec3::from(v).dot(local))
            .fold(f32::MIN, f32::max),
        // Part of the world: no link that moves has one.
        Shape::HeightField(_) => return f32::MIN,
    };
    pose.translation_m.dot(to) + from_middle
}
