//! Adds obstacles of a scene as colliders and entities.

use super::build::vec3;
use super::world::Physics;
use becomingone_components::body::{Geometry, Mesh, Obstacle, Pose, Shape};
use becomingone_components::contact_mask::ContactMask;
use becomingone_components::scene::{FromScene, ObstacleSpec, WorldSpec};
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};
use std::sync::Arc;

/// The shape of an obstacle in the world.
fn obstacle_geometry(spec: &ObstacleSpec, mesh: Option<&Arc<Mesh>>) -> Geometry {
    let place = |position_m: [f64; 3], yaw_rad: f64, up_m: f64| {
        Pose::new(
            vec3(position_m) + Vec3::Z * up_m as f32,
            Quat::from_rotation_z(yaw_rad as f32),
        )
    };
    let rgba = |rgb: [f32; 3]| [rgb[0], rgb[1], rgb[2], 1.0];
    match spec {
        ObstacleSpec::Box {
            position_m,
            size_m,
            yaw_rad,
            rgb,
            ..
        } => Geometry {
            pose: place(*position_m, *yaw_rad, size_m[2] / 2.0),
            shape: Shape::Box {
                half_extents_m: vec3(*size_m) / 2.0,
            },
            rgba: rgba(*rgb),
            contacts: ContactMask::SCENE,
        },
        ObstacleSpec::Ramp {
            name,
            position_m,
            size_m,
            yaw_rad,
            rgb,
            ..
        } => Geometry {
            pose: place(*position_m, *yaw_rad, 0.0),
            shape: Shape::Mesh(Arc::new(wedge(name, vec3(*size_m)))),
            rgba: rgba(*rgb),
            contacts: ContactMask::SCENE,
        },
        ObstacleSpec::Mesh {
            name,
            position_m,
            yaw_rad,
            rgb,
            ..
        } => Geometry {
            pose: place(*position_m, *yaw_rad, 0.0),
            shape: Shape::Mesh(mesh.cloned().unwrap_or_else(|| {
                Arc::new(Mesh {
                    name: name.clone(),
                    vertices_m: Vec::new(),
                    triangles: Vec::new(),
                })
            })),
            rgba: rgba(*rgb),
            contacts: ContactMask::SCENE,
        },
    }
}

/// A wedge that rises along x, about the middle of its base.
fn wedge(name: &str, size_m: Vec3) -> Mesh {
    let (x, y, z) = (size_m.x / 2.0, size_m.y / 2.0, size_m.z);
    Mesh {
        name: name.to_owned(),
        vertices_m: vec![
            [-x, -y, 0.0],
            [-x, y, 0.0],
            [x, -y, 0.0],
            [x, y, 0.0],
            [x, -y, z],
            [x, y, z],
        ],
        triangles: vec![
            [0, 1, 3],
            [0, 3, 2],
            [0, 4, 5],
            [0, 5, 1],
            [2, 3, 5],
            [2, 5, 4],
            [0, 2, 4],
            [1, 5, 3],
        ],
    }
}

/// Adds an obstacle to the world.
pub(crate) fn spawn(
    world: &mut World,
    of: &WorldSpec,
    spec: &ObstacleSpec,
    mesh: Option<&Arc<Mesh>>,
) {
    let obstacle = Obstacle {
        geometry: obstacle_geometry(spec, mesh),
        friction: spec
            .friction()
            .unwrap_or(of.ground.unwrap_or_default().friction) as f32,
        slippery: spec.friction().is_some(),
    };
    let drivable = match spec {
        ObstacleSpec::Box { drivable, .. } => *drivable,
        ObstacleSpec::Ramp { .. } => true,
        ObstacleSpec::Mesh { .. } => false,
    };
    world
        .resource_mut::<Physics>()
        .add_obstacle(spec.name(), &obstacle, drivable);
    world.spawn((Name::new(spec.name().to_owned()), FromScene, obstacle));
}
