//! Static shapes of a robot's file: obstacles that stand about its start.

use super::Physics;
use super::build::{convex, rapier_pose, upright};
use becomingone_components::body::{Geometry, Obstacle, Pose, RobotModel, Shape};
use becomingone_components::height_field::HeightField;
use becomingone_components::scene::FromScene;
use bevy_ecs::prelude::*;
use rapier3d::parry::utils::Array2;
use rapier3d::prelude::{ColliderBuilder, SharedShape};

/// Height field as rapier has it: its heights along y, its rows along z. Both split a cell along the same
/// diagonal.
pub(super) fn height_field(field: &HeightField) -> SharedShape {
    let (rows, columns) = (field.rows, field.columns);
    // After the turn of `upright`, rapier's z is our -y: its first row is our last one.
    let mut heights = Array2::zeros(rows, columns);
    for row in 0..rows {
        for column in 0..columns {
            heights[(rows - 1 - row, column)] = field.point(row, column).z;
        }
    }
    let [x, y] = field.half_size_m;
    SharedShape::heightfield(heights, glam::Vec3::new(2.0 * x, 1.0, 2.0 * y))
}

/// Adds the surroundings of a robot whose root link starts at `root`.
pub(crate) fn spawn(world: &mut World, agent: &str, model: &RobotModel, root: Pose, friction: f32) {
    for (index, shape) in model.surroundings.colliders.iter().enumerate() {
        let geometry = Geometry {
            pose: root * shape.pose,
            ..shape.clone()
        };
        let name = format!("{agent}/world {}", index + 1);
        // Ground that is rolled on, or an object that is run into.
        let drivable = matches!(geometry.shape, Shape::HeightField(_));
        let mut physics = world.resource_mut::<Physics>();
        let user_data = physics.add_owner(&name, None, drivable);
        physics.rapier.insert_collider(
            ColliderBuilder::new(convex(&geometry.shape))
                .position(rapier_pose(upright(&geometry)))
                .friction(friction)
                .user_data(user_data),
            None,
        );
        let obstacle = Obstacle {
            geometry,
            friction,
            slippery: false,
        };
        world.spawn((Name::new(name), FromScene, obstacle));
    }
}
