//! Spawns a robot's body, its drive and its servos.

use super::drive::DriveRate;
use super::servo::Followed;
use crate::angles::heading;
use crate::physics::Physics;
use crate::physics::build::{self, vec3};
use crate::physics::joints::wants_states;
use crate::physics::motion::WheelAngles;
use becomingone_components::actuator::{Actuator, ActuatorTarget};
use becomingone_components::body::{Pose, RobotModel};
use becomingone_components::control::{AgentBody, DrivenBy};
use becomingone_components::drive::{DRIVE_RATE_HZ, Drive, DriveState, Odometry, Twist2};
use becomingone_components::joints::{JointStates, JointTargets};
use becomingone_components::scene::{AgentSpec, FromScene};
use becomingone_components::time::Rate;
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};
use std::sync::Arc;

/// Height above the ground at which a robot starts, so that it does not penetrate it (m).
const DROP_M: f32 = 0.002;

/// Start pose of the root link: the scene places the robot's lowest point and its forward direction. A root that is
/// fixed to the world is not lowered, only raised out of the ground. One with surroundings starts at its height in the file.
fn start_pose(
    spec: &AgentSpec,
    model: &RobotModel,
    drive: Option<&Drive>,
    has_ground: bool,
) -> Pose {
    let forward = drive.map_or(0.0, |d| d.forward_yaw_rad);
    let rotation = Quat::from_rotation_z((spec.yaw_rad - forward) as f32);
    let lowest_m = model.lowest_m();
    if let Some(world) = model.static_link {
        // The file's world stands at the agent's place, and the robot in it where the file has it.
        let in_world = model.start_poses()[world].inverse();
        let up = Vec3::Z * (-lowest_m - in_world.translation_m.z).max(0.0);
        return Pose::new(vec3(spec.position_m) + up, rotation) * in_world;
    }
    let up = Vec3::Z
        * if model.fixed_base {
            (-lowest_m).max(0.0)
        } else if model.static_link.is_some() || !model.surroundings.colliders.is_empty() {
            // Where the file has it: its surroundings are about it.
            let surroundings = &model.surroundings;
            match has_ground {
                true => surroundings.start_height_m(),
                false => surroundings.root_height_m,
            }
        } else {
            DROP_M - lowest_m
        };
    Pose::new(vec3(spec.position_m) + up, rotation)
}

/// Adds a body to an agent, and its drive as an actuator of its own; returns the start pose of the root link.
pub(crate) fn spawn_robot(
    world: &mut World,
    agent: Entity,
    spec: &AgentSpec,
    model: &Arc<RobotModel>,
    AgentBody { drive, servos, .. }: AgentBody<'_>,
    has_ground: bool,
) -> Pose {
    let root = start_pose(spec, model, drive, has_ground);
    let bodies = world
        .resource_mut::<Physics>()
        .add_robot(&spec.name, agent, model, root, drive, servos);
    let moves = wants_states(model, &bodies) || servos.is_some();
    world
        .entity_mut(agent)
        .insert(build::body(model, bodies, root));
    if moves {
        world.entity_mut(agent).insert(JointStates {
            positions: model.joints.iter().map(|j| f64::from(j.start)).collect(),
            velocities: vec![0.0; model.joints.len()],
        });
    }
    if let Some(servos) = servos {
        let joints = servos.0.iter().map(|s| &model.joints[s.joint]);
        let start: Vec<f64> = joints.map(|j| f64::from(j.start)).collect();
        let actuator = world
            .spawn((
                Name::new(format!("{}/drive", spec.name)),
                FromScene,
                Actuator,
                ChildOf(agent),
                servos.clone(),
                ActuatorTarget(JointTargets {
                    velocities: vec![0.0; start.len()],
                    positions: start.clone(),
                }),
                Followed {
                    positions: start.clone(),
                    behind: false,
                },
                WheelAngles(start),
            ))
            .id();
        world.entity_mut(agent).insert(DrivenBy(actuator));
    }
    let Some(drive) = drive else {
        return root;
    };
    let wheels = drive.wheels.len();
    let actuator = world
        .spawn((
            Name::new(format!("{}/drive", spec.name)),
            FromScene,
            Actuator,
            ChildOf(agent),
            drive.clone(),
            DriveState::default(),
            DriveRate(Rate::new(DRIVE_RATE_HZ)),
            ActuatorTarget(Twist2::default()),
            WheelAngles(vec![0.0; wheels]),
        ))
        .id();
    let centre = root.point(drive.centre());
    world.entity_mut(agent).insert((
        DrivenBy(actuator),
        Odometry {
            x_m: f64::from(centre.x),
            y_m: f64::from(centre.y),
            yaw_rad: heading(root.rotation, drive.forward_yaw_rad),
            ..Odometry::default()
        },
    ));
    root
}
