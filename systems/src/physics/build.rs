//! Descriptions become bodies, joints and colliders of rapier.

use super::Physics;
use super::touch::Owner;
use becomingone_components::body::{
    Geometry, Joint, JointKind, Link, Obstacle, Pose, RobotModel, Shape,
};
use becomingone_components::drive::Drive;
use bevy_ecs::prelude::*;
use glam::{Quat, Vec3};
use rapier3d::prelude::*;

/// Rapier's handles of an agent's links and joints, in the order of its model.
#[derive(Component, Clone, Debug)]
pub struct Bodies {
    /// One a link.
    pub links: Vec<RigidBodyHandle>,
    /// One a joint; none where the joint leaves everything free.
    pub joints: Vec<Option<ImpulseJointHandle>>,
    /// Index among the owners of colliders: the user data of every collider of this agent.
    pub owner: u128,
}

/// Friction of robots' surfaces: dry rubber on concrete is 0.6 to 0.85 (Wong, Theory of Ground
/// Vehicles, 3rd ed., table 1.4); contacts take the mean with the ground's.
const FRICTION: f32 = 0.8;

/// Speed error at which a wheel's servo gives its whole torque (rad/s).
const SERVO_SATURATION_RAD_S: f32 = 0.5;

/// Stiffness and damping of joints that a driven robot holds in place (1/s², 1/s): a servo of 3 Hz, critically damped.
const HOLD: (f32, f32) = (400.0, 40.0);

fn rapier_pose(pose: Pose) -> rapier3d::math::Pose {
    rapier3d::math::Pose::from_parts(pose.translation_m, pose.rotation)
}

impl Physics {
    /// Lays the ground: the plane z = 0.
    pub fn add_ground(&mut self, friction: f32) {
        // The first owner is the ground; its colliders keep user data 0.
        self.rapier.insert_collider(
            ColliderBuilder::new(SharedShape::halfspace(Vec3::Z))
                .friction(friction),
            None,
        );
    }

    /// Puts up a thing that does not move. `false` where its shape has no volume to touch.
    pub fn add_obstacle(&mut self, name: &str, obstacle: &Obstacle, drivable: bool) -> bool {
        let user_data = self.add_owner(name, None, drivable);
        let shape = match &obstacle.geometry.shape {
            // What does not move may be hollow.
            Shape::Mesh(mesh) if !drivable => {
                let vertices = mesh.vertices_m.iter().map(|&v| v.into()).collect();
                SharedShape::trimesh(vertices, mesh.triangles.clone()).ok()
            }
            shape => convex(shape),
        };
        let Some(shape) = shape else {
            return false;
        };
        self.rapier.insert_collider(
            ColliderBuilder::new(shape)
                .position(rapier_pose(upright(&obstacle.geometry)))
                .friction(obstacle.friction)
                .user_data(user_data),
            None,
        );
        true
    }

    /// Builds a robot with its root link at `root`, every joint at its start.
    pub fn add_robot(
        &mut self,
        name: &str,
        agent: Entity,
        model: &RobotModel,
        root: Pose,
        drive: Option<&Drive>,
    ) -> Bodies {
        let user_data = self.add_owner(name, Some(agent), false);
        let links = model
            .links
            .iter()
            .zip(model.start_poses())
            .map(|(link, pose)| self.add_link(link, root * pose, user_data))
            .collect::<Vec<_>>();
        let joints = model
            .joints
            .iter()
            .enumerate()
            .map(|(index, joint)| {
                let wheel = drive.and_then(|d| d.wheels.iter().find(|w| w.joint == index));
                let mut data = joint_data(joint)?;
                let axis = joint_axis(joint.kind);
                let effort = joint.limits.effort.min(f32::MAX);
                if let Some(wheel) = wheel {
                    let torque = wheel.max_torque_n_m as f32;
                    data.set_motor_model(axis, MotorModel::ForceBased);
                    data.set_motor_velocity(axis, 0.0, torque / SERVO_SATURATION_RAD_S);
                    data.set_motor_max_force(axis, torque);
                } else if drive.is_some() && has_servo(joint) {
                    data.set_motor_model(axis, MotorModel::AccelerationBased);
                    data.set_motor_position(axis, joint.start, HOLD.0, HOLD.1);
                    data.set_motor_max_force(axis, effort);
                } else if joint.friction > 0.0 {
                    // Coulomb friction: a brake that is stiff against any speed, up to its torque.
                    data.set_motor_model(axis, MotorModel::AccelerationBased);
                    data.set_motor_velocity(axis, 0.0, 1e3);
                    data.set_motor_max_force(axis, joint.friction);
                } else if joint.damping > 0.0 {
                    data.set_motor_model(axis, MotorModel::ForceBased);
                    data.set_motor_velocity(axis, 0.0, joint.damping);
                }
                Some(self.rapier.insert_impulse_joint(
                    links[joint.parent],
                    links[joint.child],
                    data,
                ))
            })
            .collect();
        Bodies {
            links,
            joints,
            owner: user_data,
        }
    }

    fn add_owner(&mut self, name: &str, agent: Option<Entity>, drivable: bool) -> u128 {
        self.owners.push(Owner {
            name: name.to_owned(),
            agent,
            drivable,
        });
        (self.owners.len() - 1) as u128
    }

    fn add_link(&mut self, link: &Link, pose: Pose, user_data: u128) -> RigidBodyHandle {
        let inertial = &link.inertial;
        let body = self.rapier.insert_body(
            RigidBodyBuilder::dynamic()
                .pose(rapier_pose(pose))
                .additional_mass_properties(MassProperties::with_inertia_matrix(
                    inertial.com_m,
                    inertial.mass_kg,
                    inertial.inertia_kg_m2,
                )),
        );
        for collider in &link.colliders {
            let Some(shape) = convex(&collider.shape) else {
                continue;
            };
            self.rapier.insert_collider(
                ColliderBuilder::new(shape)
                    .position(rapier_pose(upright(collider)))
                    // The description's own mass counts, not the shape's.
                    .density(0.0)
                    .friction(FRICTION)
                    .user_data(user_data)
                    .active_hooks(ActiveHooks::FILTER_CONTACT_PAIRS)
                    .active_events(ActiveEvents::COLLISION_EVENTS),
                Some(body),
            );
        }
        body
    }
}

/// Whether a driven robot holds this joint in place: casters and turrets, which turn without end, are left free.
fn has_servo(joint: &Joint) -> bool {
    matches!(joint.kind, JointKind::Revolute | JointKind::Prismatic) && joint.mimic.is_none()
}

/// The shape as rapier has it; meshes as their convex hull. None where a mesh has no volume.
fn convex(shape: &Shape) -> Option<SharedShape> {
    Some(match shape {
        Shape::Box { half_extents_m: h } => SharedShape::cuboid(h.x, h.y, h.z),
        Shape::Cylinder { radius_m, length_m } => SharedShape::cylinder(length_m / 2.0, *radius_m),
        Shape::Capsule { radius_m, length_m } => SharedShape::capsule_z(length_m / 2.0, *radius_m),
        Shape::Sphere { radius_m } => SharedShape::ball(*radius_m),
        Shape::Mesh(mesh) => {
            let points: Vec<Vec3> = mesh.vertices_m.iter().map(|&v| v.into()).collect();
            return SharedShape::convex_hull(&points);
        }
    })
}

/// The pose of a shape, turned where rapier's cylinder stands along y and ours along z.
fn upright(geometry: &Geometry) -> Pose {
    match geometry.shape {
        Shape::Cylinder { .. } => {
            geometry.pose * Pose::new(Vec3::ZERO, Quat::from_rotation_x(std::f32::consts::FRAC_PI_2))
        }
        _ => geometry.pose,
    }
}

/// The axis on which a joint moves, in rapier's joint frame.
pub(crate) fn joint_axis(kind: JointKind) -> JointAxis {
    match kind {
        JointKind::Prismatic => JointAxis::LinX,
        _ => JointAxis::AngX,
    }
}

/// The joint with its frames and position limits; none where everything is free.
fn joint_data(joint: &Joint) -> Option<GenericJoint> {
    let locked = match joint.kind {
        JointKind::Revolute | JointKind::Continuous => JointAxesMask::LOCKED_REVOLUTE_AXES,
        JointKind::Prismatic => JointAxesMask::LOCKED_PRISMATIC_AXES,
        // Free in the plane across the axis, and about the axis.
        JointKind::Planar => JointAxesMask::LIN_X | JointAxesMask::ANG_Y | JointAxesMask::ANG_Z,
        JointKind::Floating => return None,
    };
    // Rapier's joints move along or about x.
    let x_to_axis = Pose::new(Vec3::ZERO, Quat::from_rotation_arc(Vec3::X, joint.axis));
    let mut data = GenericJoint::new(locked);
    data.set_local_frame1(rapier_pose(joint.origin * x_to_axis));
    data.set_local_frame2(rapier_pose(x_to_axis));
    data.set_contacts_enabled(false);
    let limits = &joint.limits;
    if limits.lower.is_finite() && limits.upper.is_finite() && joint.kind != JointKind::Continuous {
        data.set_limits(joint_axis(joint.kind), [limits.lower, limits.upper]);
    }
    Some(data)
}
