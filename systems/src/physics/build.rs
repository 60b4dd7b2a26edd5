//! Builds rapier's bodies, joints and colliders from descriptions.

use super::contacts::Owner;
use super::height_field::height_field;
use super::world::{Bodies, Governor, Physics};
use becomingone_components::body::{
    Geometry, Joint, JointKind, Link, LinkPoses, Mesh, Model, Obstacle, Pose, RobotModel, Shape,
    Travel, TruePose, TrueTwist,
};
use becomingone_components::contact_mask::ContactMask;
use becomingone_components::drive::{Drive, SteeredWheel, Wheel};
use becomingone_components::joints::Servos;
use bevy_ecs::prelude::*;
use glam::{Mat3, Quat, Vec3};
use rapier3d::prelude::*;
use std::sync::Arc;

/// Friction of robots' surfaces: dry rubber on concrete is 0.6 to 0.85 (Wong, Theory of Ground
/// Vehicles, 3rd ed., table 1.4); contacts take the mean with the ground's.
const FRICTION: f32 = 0.8;

/// Speed error at which a wheel's servo gives its whole torque (rad/s).
const SERVO_SATURATION_RAD_S: f32 = 0.5;

/// Stiffness and damping of joints that a driven robot holds in place (1/s², 1/s): a servo of 3 Hz, critically damped.
const HOLD: (f32, f32) = (400.0, 40.0);

/// Stiffness and damping of a mimic joint (1/s², 1/s): 160 Hz, critically damped. Rapier refers them to the link's
/// own inertia, of which a long link has much less than about its joint.
const FOLLOW: (f32, f32) = (1e6, 2e3);

/// Speed below which a body comes to rest after two seconds (m/s, rad/s).
const REST: f32 = 1e-3;

/// Deceleration rate of a brake (1/s): as high as the solver allows, since the remainder is creep.
const BRAKE: f32 = 1e5;

/// Error at which a steering servo gives its whole torque (rad), and the time in which it corrects an error (s).
const STEER_SATURATION_RAD: f32 = 0.1;
const STEER_SETTLING_S: f32 = 0.03;

/// Components of a body at its start, with its root link at `root`.
pub(crate) fn body(model: &Arc<RobotModel>, bodies: Bodies, root: Pose) -> impl Bundle {
    let links = model.start_poses().into_iter().map(|p| root * p).collect();
    (
        Model(model.clone()),
        bodies,
        TruePose(root),
        TrueTwist::default(),
        LinkPoses(links),
        Travel::default(),
    )
}

pub(super) fn rapier_pose(pose: Pose) -> rapier3d::math::Pose {
    rapier3d::math::Pose::from_parts(pose.translation_m, pose.rotation)
}

/// Rapier's form of a mask.
pub(super) fn groups(mask: ContactMask) -> InteractionGroups {
    let [groups, filter] = [mask.groups, mask.filter].map(Group::from_bits_retain);
    InteractionGroups::new(groups, filter, InteractionTestMode::Or)
}

impl Physics {
    /// Adds the ground: the plane z = 0.
    pub fn add_ground(&mut self, friction: f32) {
        // The first owner is the ground; its colliders keep user data 0.
        self.rapier.insert_collider(
            ColliderBuilder::new(SharedShape::halfspace(Vec3::Z))
                .collision_groups(groups(ContactMask::SCENE))
                .friction(friction),
            None,
        );
    }

    /// Adds a static object.
    pub fn add_obstacle(&mut self, name: &str, obstacle: &Obstacle, drivable: bool) {
        let user_data = self.add_owner(name, None, drivable);
        let shape = match &obstacle.geometry.shape {
            // Static objects may be hollow.
            Shape::Mesh(mesh) if !drivable => hollow(mesh),
            shape => convex(shape),
        };
        self.rapier.insert_collider(
            ColliderBuilder::new(shape)
                .position(rapier_pose(upright(&obstacle.geometry)))
                .collision_groups(groups(obstacle.geometry.contacts))
                .friction(obstacle.friction)
                .friction_combine_rule(if obstacle.slippery {
                    CoefficientCombineRule::Min
                } else {
                    CoefficientCombineRule::Average
                })
                .user_data(user_data),
            None,
        );
    }

    /// Builds a robot with its root link at `root`, every joint at its start.
    pub fn add_robot(
        &mut self,
        name: &str,
        agent: Entity,
        model: &RobotModel,
        root: Pose,
        drive: Option<&Drive>,
        servos: Option<&Servos>,
    ) -> Bodies {
        let user_data = self.add_owner(name, Some(agent), false);
        let trees = trees(model);
        let links = model
            .links
            .iter()
            .zip(model.start_poses())
            .enumerate()
            .map(|(index, (link, pose))| {
                let is_fixed = model.fixed_base && index == 0;
                let body = if is_fixed || model.static_link == Some(index) {
                    RigidBodyBuilder::fixed()
                } else {
                    RigidBodyBuilder::dynamic()
                };
                let body = body.pose(rapier_pose(root * pose)).user_data(trees[index]);
                let rotor = index.checked_sub(1).map(|joint| &model.joints[joint]);
                self.add_link(link, rotor, body, user_data)
            })
            .collect::<Vec<_>>();
        for pair in &model.excluded {
            let [a, b] = pair.map(|link| links[link]);
            self.excluded.extend([[a, b], [b, a]]);
        }
        let mut governors = Vec::new();
        let mut joints = Vec::new();
        for (index, joint) in model.joints.iter().enumerate() {
            let Some(mut data) = joint_data(joint) else {
                joints.push(None);
                continue;
            };
            let between = [links[joint.parent], links[joint.child]];
            let wheel = drive.and_then(|d| d.wheels.iter().find(|w| w.joint == index));
            let servo = servos.and_then(|s| s.0.iter().find(|s| s.joint == index));
            let axis = joint_axis(joint.kind);
            let effort = effort(joint);
            let mut powered = true;
            if let Some(wheel) = wheel {
                data.set_motor_model(axis, MotorModel::ForceBased);
                drive_motor(&mut data, axis, wheel, 1.0);
            } else if let Some(steered) = steered(drive, index) {
                let torque = steered.max_torque_n_m as f32;
                let stiffness = torque / STEER_SATURATION_RAD;
                let damping = stiffness * STEER_SETTLING_S;
                data.set_motor_model(axis, MotorModel::ForceBased);
                data.set_motor_position(axis, joint.start, stiffness, damping);
                data.set_motor_max_force(axis, torque);
            } else if let Some(servo) = servo {
                let (stiffness, damping) = (servo.stiffness as f32, servo.damping as f32);
                data.set_motor_model(axis, MotorModel::ForceBased);
                data.set_motor_position(axis, joint.start, stiffness, damping);
                data.set_motor_max_force(axis, effort);
            } else if joint.mimic.is_some() {
                data.set_motor_model(axis, MotorModel::AccelerationBased);
                data.set_motor_position(axis, joint.start, FOLLOW.0, FOLLOW.1);
                data.set_motor_max_force(axis, effort);
            } else if drive.is_some() && has_servo(joint) {
                data.set_motor_model(axis, MotorModel::AccelerationBased);
                data.set_motor_position(axis, joint.start, HOLD.0, HOLD.1);
                data.set_motor_max_force(axis, effort);
            } else {
                powered = false;
            }
            // The joint's own properties in the file act beside its motor: rapier's joints have one each.
            let mut own = (!powered).then_some(&mut data);
            let mut beside = Vec::new();
            for (acts, set) in [
                (
                    joint.damping > 0.0 || joint.stiffness > 0.0,
                    yields as fn(&mut _, &_),
                ),
                (joint.friction > 0.0, rubs),
            ] {
                if !acts {
                    continue;
                }
                match own.take() {
                    Some(data) => set(data, joint),
                    None => {
                        let mut free = motor_only(joint);
                        set(&mut free, joint);
                        beside.push(free);
                    }
                }
            }
            let [parent, child] = between;
            joints.push(Some(self.rapier.insert_impulse_joint(parent, child, data)));
            for data in beside {
                self.rapier.insert_impulse_joint(parent, child, data);
            }
            if wheel.is_none() && is_governed(joint) {
                let mut data = motor_only(joint);
                data.set_motor_model(axis, MotorModel::AccelerationBased);
                data.set_motor_velocity(axis, 0.0, BRAKE);
                data.set_enabled(false);
                let motor = self.rapier.insert_impulse_joint(parent, child, data);
                governors.push(Governor {
                    joint: index,
                    motor,
                });
            }
        }
        if drive.is_none() {
            // Rapier's own bounds, half a radian a second, would stop slow swings. They suit robots that stand on
            // braked wheels, which would otherwise creep by the solver's remainder.
            for &link in &links {
                if let Some(body) = self.rapier.bodies.get_mut(link) {
                    let activation = body.activation_mut();
                    activation.normalized_linear_threshold = REST;
                    activation.angular_threshold = REST;
                }
            }
        }
        Bodies {
            links,
            joints,
            governors,
            owner: user_data,
        }
    }

    pub(super) fn add_owner(&mut self, name: &str, agent: Option<Entity>, drivable: bool) -> u128 {
        self.owners.push(Owner {
            name: name.to_owned(),
            agent,
            drivable,
        });
        (self.owners.len() - 1) as u128
    }

    fn add_link(
        &mut self,
        link: &Link,
        carried_by: Option<&Joint>,
        body: RigidBodyBuilder,
        user_data: u128,
    ) -> RigidBodyHandle {
        let inertial = &link.inertial;
        let (mut mass_kg, mut inertia_kg_m2) = (inertial.mass_kg, inertial.inertia_kg_m2);
        match carried_by {
            Some(joint) if joint.kind == JointKind::Prismatic => mass_kg += joint.armature,
            Some(joint) => inertia_kg_m2 += rotor(joint),
            None => {}
        }
        let body = self.rapier.insert_body(
            body.additional_mass_properties(MassProperties::with_inertia_matrix(
                inertial.com_m,
                mass_kg,
                inertia_kg_m2,
            ))
            // A rotor has inertia about its joint, and no weight.
            .gravity_scale(inertial.mass_kg / mass_kg),
        );
        for collider in &link.colliders {
            self.rapier.insert_collider(
                ColliderBuilder::new(convex(&collider.shape))
                    .position(rapier_pose(upright(collider)))
                    .collision_groups(groups(collider.contacts))
                    // The description's own mass is used, not the shape's.
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

/// The independently moving part of the model for each link: 0 is the root and its tree, and each floating joint
/// begins another. These parts collide with each other.
fn trees(model: &RobotModel) -> Vec<u128> {
    let mut trees = vec![0; model.links.len()];
    let mut last = 0;
    for joint in &model.joints {
        trees[joint.child] = if joint.kind == JointKind::Floating {
            last += 1;
            last
        } else {
            trees[joint.parent]
        };
    }
    trees
}

/// Largest torque or force of a joint's motor (N m or N).
pub(crate) fn effort(joint: &Joint) -> f32 {
    joint.limits.effort.min(f32::MAX)
}

/// Sets the share of torque and gain of a wheel's motor; its target stays.
pub(crate) fn drive_motor(data: &mut GenericJoint, axis: JointAxis, wheel: &Wheel, share: f64) {
    let torque = (wheel.max_torque_n_m * share) as f32;
    let speed = data.motor(axis).map_or(0.0, |motor| motor.target_vel);
    data.set_motor_velocity(axis, speed, torque / SERVO_SATURATION_RAD_S);
    data.set_motor_max_force(axis, torque);
}

/// The wheel that a joint steers.
fn steered(drive: Option<&Drive>, joint: usize) -> Option<&SteeredWheel> {
    let steering = drive?.steering.as_ref()?;
    steering.wheels.iter().find(|w| w.joint == joint)
}

/// Whether a driven robot holds this joint in place: casters and turrets, which turn without end, are left free.
fn has_servo(joint: &Joint) -> bool {
    matches!(joint.kind, JointKind::Revolute | JointKind::Prismatic) && joint.mimic.is_none()
}

/// Least thickness of the substitute of a flat mesh (m).
const THIN_M: f32 = 1e-3;

/// The shape as rapier has it; meshes as their convex hull.
pub(super) fn convex(shape: &Shape) -> SharedShape {
    match shape {
        Shape::Box { half_extents_m: h } => SharedShape::cuboid(h.x, h.y, h.z),
        Shape::Cylinder { radius_m, length_m } => SharedShape::cylinder(length_m / 2.0, *radius_m),
        Shape::Capsule { radius_m, length_m } => SharedShape::capsule_z(length_m / 2.0, *radius_m),
        Shape::Sphere { radius_m } => SharedShape::ball(*radius_m),
        Shape::HeightField(field) => height_field(field),
        Shape::Mesh(mesh) => {
            let points = points(mesh);
            // A flat mesh has no hull, and the hull of points in a plane may panic.
            if thickness(&points) < THIN_M {
                return bounding_box(&points);
            }
            SharedShape::convex_hull(&points).unwrap_or_else(|| bounding_box(&points))
        }
    }
}

/// Keeps every triangle; the bounding box where there is none that rapier takes.
fn hollow(mesh: &Mesh) -> SharedShape {
    let points = points(mesh);
    SharedShape::trimesh(points.clone(), mesh.triangles.clone())
        .unwrap_or_else(|_| bounding_box(&points))
}

fn points(mesh: &Mesh) -> Vec<Vec3> {
    mesh.vertices_m.iter().map(|&v| v.into()).collect()
}

fn bounds(points: &[Vec3]) -> (Vec3, Vec3) {
    let first = points.first().copied().unwrap_or_default();
    let both = points
        .iter()
        .fold((first, first), |(l, h), &p| (l.min(p), h.max(p)));
    ((both.0 + both.1) / 2.0, (both.1 - both.0) / 2.0)
}

/// Extent of points across the plane that holds most of them: zero for a flat or straight mesh.
fn thickness(points: &[Vec3]) -> f32 {
    let far_from = |p: Vec3| {
        let far = points.iter().copied();
        far.max_by(|a, b| a.distance_squared(p).total_cmp(&b.distance_squared(p)))
    };
    let Some(a) = points.first().and_then(|&p| far_from(p)) else {
        return 0.0;
    };
    let b = far_from(a).unwrap_or(a);
    let along = (b - a).normalize_or_zero();
    let off_line = |p: Vec3| (p - a) - along * along.dot(p - a);
    let lengths = points.iter().map(|&p| off_line(p));
    let widest = lengths.max_by(|x, y| x.length_squared().total_cmp(&y.length_squared()));
    let across = along.cross(widest.unwrap_or_default()).normalize_or_zero();
    let heights = points.iter().map(|&p| across.dot(p - a));
    let (low, high) = heights.fold((0.0f32, 0.0f32), |(l, h), x| (l.min(x), h.max(x)));
    high - low
}

fn bounding_box(points: &[Vec3]) -> SharedShape {
    let (middle, half) = bounds(points);
    let half = half.max(Vec3::splat(THIN_M / 2.0));
    let place = rapier_pose(Pose::new(middle, Quat::IDENTITY));
    SharedShape::compound(vec![(place, SharedShape::cuboid(half.x, half.y, half.z))])
}

/// Pose of a shape, rotated for rapier's cylinder and height field, which are along y and ours along z.
pub(super) fn upright(geometry: &Geometry) -> Pose {
    match geometry.shape {
        Shape::Cylinder { .. } | Shape::HeightField(_) => {
            geometry.pose
                * Pose::new(
                    Vec3::ZERO,
                    Quat::from_rotation_x(std::f32::consts::FRAC_PI_2),
                )
        }
        _ => geometry.pose,
    }
}

/// Part of a joint's armature that counts about the other axes too. Light links between heavy ones
/// did not stay finite with none of it, nor a light trunk between heavy rotors with a half, which is
/// that of a disc; the robots of `MuJoCo` were steady from a hundredth to a twentieth.
const ROTOR_ACROSS: f32 = 0.05;

/// Inertia of a joint's armature, in the child's axes.
fn rotor(joint: &Joint) -> Mat3 {
    match joint.kind {
        JointKind::Revolute | JointKind::Continuous => {
            let [x, y, z] = joint.axis.to_array().map(|k| joint.axis * k);
            let about = Mat3::from_cols(x, y, z) * (1.0 - ROTOR_ACROSS);
            (about + Mat3::IDENTITY * ROTOR_ACROSS) * joint.armature
        }
        JointKind::Spherical => Mat3::IDENTITY * joint.armature,
        // Of a slider, it counts as mass.
        JointKind::Prismatic | JointKind::Planar | JointKind::Floating => Mat3::ZERO,
    }
}

/// A motor on a joint's own axes, without the joint.
fn motor_only(joint: &Joint) -> GenericJoint {
    let mut data = GenericJoint::new(JointAxesMask::empty());
    let x_to_axis = axis_frame(joint);
    data.set_local_frame1(rapier_pose(joint.origin * x_to_axis));
    data.set_local_frame2(rapier_pose(x_to_axis));
    data.set_contacts_enabled(false);
    data
}

/// Sets a joint's spring and viscous damping.
fn yields(data: &mut GenericJoint, joint: &Joint) {
    for &axis in motor_axes(joint.kind) {
        data.set_motor_model(axis, MotorModel::ForceBased);
        data.set_motor_position(axis, joint.spring_rest, joint.stiffness, joint.damping);
    }
}

/// Sets a joint's Coulomb friction: a brake that is stiff against any speed, up to its torque.
fn rubs(data: &mut GenericJoint, joint: &Joint) {
    for &axis in motor_axes(joint.kind) {
        data.set_motor_model(axis, MotorModel::AccelerationBased);
        data.set_motor_velocity(axis, 0.0, BRAKE);
        data.set_motor_max_force(axis, joint.friction);
    }
}

/// Whether a joint has limits that rapier does not support.
fn is_governed(joint: &Joint) -> bool {
    let one_axis = matches!(
        joint.kind,
        JointKind::Revolute | JointKind::Continuous | JointKind::Prismatic
    );
    one_axis && (joint.limits.velocity.is_finite() || turns_more_than_once(joint))
}

/// Whether a joint's range is a turn or more: rapier represents angles only within one.
pub(crate) fn turns_more_than_once(joint: &Joint) -> bool {
    let range = joint.limits.upper - joint.limits.lower;
    joint.kind == JointKind::Revolute && (std::f32::consts::TAU..f32::INFINITY).contains(&range)
}

/// Turns rapier's x, along or about which its joints move, to the joint's axis.
fn axis_frame(joint: &Joint) -> Pose {
    Pose::new(Vec3::ZERO, Quat::from_rotation_arc(Vec3::X, joint.axis))
}

/// The axis on which a joint moves, in rapier's joint frame.
pub(crate) fn joint_axis(kind: JointKind) -> JointAxis {
    match kind {
        JointKind::Prismatic => JointAxis::LinX,
        _ => JointAxis::AngX,
    }
}

/// All axes on which a joint moves, in rapier's joint frame.
fn motor_axes(kind: JointKind) -> &'static [JointAxis] {
    match kind {
        JointKind::Spherical => &[JointAxis::AngX, JointAxis::AngY, JointAxis::AngZ],
        JointKind::Prismatic => &[JointAxis::LinX],
        _ => &[JointAxis::AngX],
    }
}

/// The joint with its frames and position limits; none where everything is free.
fn joint_data(joint: &Joint) -> Option<GenericJoint> {
    let locked = match joint.kind {
        JointKind::Revolute | JointKind::Continuous => JointAxesMask::LOCKED_REVOLUTE_AXES,
        JointKind::Prismatic => JointAxesMask::LOCKED_PRISMATIC_AXES,
        JointKind::Spherical => JointAxesMask::LOCKED_SPHERICAL_AXES,
        // Free in the plane across the axis, and about the axis.
        JointKind::Planar => JointAxesMask::LIN_X | JointAxesMask::ANG_Y | JointAxesMask::ANG_Z,
        JointKind::Floating => return None,
    };
    let x_to_axis = axis_frame(joint);
    let mut data = GenericJoint::new(locked);
    data.set_local_frame1(rapier_pose(joint.origin * x_to_axis));
    data.set_local_frame2(rapier_pose(x_to_axis));
    data.set_contacts_enabled(false);
    let limits = &joint.limits;
    let has_range = matches!(joint.kind, JointKind::Revolute | JointKind::Prismatic);
    if limits.lower.is_finite() && limits.upper.is_finite() && has_range {
        data.set_limits(joint_axis(joint.kind), [limits.lower, limits.upper]);
    }
    Some(data)
}

/// A vector in physics' precision.
pub(crate) fn vec3(v: [f64; 3]) -> Vec3 {
    Vec3::new(v[0] as f32, v[1] as f32, v[2] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh(vertices_m: &[[f32; 3]]) -> Shape {
        let n = vertices_m.len() as u32;
        Shape::Mesh(std::sync::Arc::new(Mesh {
            name: "test".to_owned(),
            vertices_m: vertices_m.to_vec(),
            triangles: (2..n).map(|k| [0, k - 1, k]).collect(),
        }))
    }

    #[test]
    fn a_mesh_without_volume_is_touched_by_its_box() {
        let square = [
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [1.0, 2.0, 0.0],
            [0.0, 2.0, 0.0],
        ];
        let tilted = square.map(|[x, y, _]| [x, y, x + y]);
        let line = [[0.0; 3], [1.0, 1.0, 0.0], [2.0, 2.0, 0.0]];
        for flat in [&square[..], &tilted, &line, &[[1.0; 3]; 3]] {
            assert!(convex(&mesh(flat)).as_compound().is_some());
        }
        let solid = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert!(convex(&mesh(&solid)).as_convex_polyhedron().is_some());
    }
}
