//! Static shapes of a robot's file: obstacles that stand about its start.

use super::Physics;
use super::build::{convex, groups, rapier_pose, upright};
use becomingone_components::body::{Geometry, Obstacle, Pose, RobotModel, Shape};
use becomingone_components::scene::FromScene;
use bevy_ecs::prelude::*;
use rapier3d::prelude::ColliderBuilder;

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
                .collision_groups(groups(geometry.contacts))
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
