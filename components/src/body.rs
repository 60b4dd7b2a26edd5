//! Robot descriptions as loaded, poses, and the true motion of an agent.

use crate::contact_mask::ContactMask;
use crate::height_field::HeightField;
use bevy_ecs::prelude::*;
use glam::{Mat3, Quat, Vec3};
use std::sync::Arc;

/// A rigid transform: `x_parent = rotation * x_child + translation_m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Metres.
    pub translation_m: Vec3,
    /// Unit quaternion.
    pub rotation: Quat,
}

impl Pose {
    /// No motion.
    pub const IDENTITY: Self = Self {
        translation_m: Vec3::ZERO,
        rotation: Quat::IDENTITY,
    };

    /// Creates a transform from metres and a unit quaternion.
    pub const fn new(translation_m: Vec3, rotation: Quat) -> Self {
        Self {
            translation_m,
            rotation,
        }
    }

    /// Creates a transform from metres and roll, pitch, yaw (rad) in URDF's convention: rotations about the fixed
    /// axes x, then y, then z.
    pub fn from_xyz_rpy(xyz_m: Vec3, rpy_rad: Vec3) -> Self {
        let rotation = Quat::from_rotation_z(rpy_rad.z)
            * Quat::from_rotation_y(rpy_rad.y)
            * Quat::from_rotation_x(rpy_rad.x);
        Self::new(xyz_m, rotation)
    }

    /// Inverse transform.
    pub fn inverse(self) -> Self {
        let rotation = self.rotation.inverse();
        Self::new(rotation * -self.translation_m, rotation)
    }

    /// Height of the lowest point of a shape at this pose (m).
    pub fn lowest_m(self, shape: &Shape) -> f32 {
        // Support in the direction of -z, in the shape's own axes.
        let down = self.rotation.inverse() * Vec3::NEG_Z;
        let radial = (down.x * down.x + down.y * down.y).sqrt();
        let reach = match shape {
            Shape::Box { half_extents_m } => half_extents_m.dot(down.abs()),
            Shape::Cylinder { radius_m, length_m } => {
                radius_m * radial + length_m / 2.0 * down.z.abs()
            }
            Shape::Capsule { radius_m, length_m } => radius_m + length_m / 2.0 * down.z.abs(),
            Shape::Sphere { radius_m } => *radius_m,
            Shape::Mesh(mesh) => mesh
                .vertices_m
                .iter()
                .map(|&v| Vec3::from(v).dot(down))
                .fold(f32::NEG_INFINITY, f32::max),
            Shape::HeightField(field) => field
                .points()
                .map(|p| p.dot(down))
                .fold(f32::NEG_INFINITY, f32::max),
        };
        self.translation_m.z - reach
    }

    /// Transforms a point of the child frame to the parent frame (metres).
    pub fn point(self, p_m: Vec3) -> Vec3 {
        self.rotation * p_m + self.translation_m
    }
}

impl std::ops::Mul for Pose {
    type Output = Self;

    fn mul(self, child: Self) -> Self {
        Self::new(
            self.point(child.translation_m),
            (self.rotation * child.rotation).normalize(),
        )
    }
}

/// A triangle mesh in metres, in the frame of its owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// Source file, as the description names it.
    pub name: String,
    /// Metres.
    pub vertices_m: Vec<[f32; 3]>,
    /// Indices into the vertices, three per triangle.
    pub triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// The surface of a height field.
    pub fn of(field: &HeightField) -> Self {
        Self {
            name: field.name.clone(),
            vertices_m: field.points().map(|p| p.to_array()).collect(),
            triangles: field.triangles(),
        }
    }
}

/// A shape about its own origin.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A cuboid with these half lengths (metres).
    Box {
        /// Half of each edge (metres).
        half_extents_m: Vec3,
    },
    /// A cylinder along z.
    Cylinder {
        /// Metres.
        radius_m: f32,
        /// Whole length along z (metres).
        length_m: f32,
    },
    /// A capsule along z.
    Capsule {
        /// Metres.
        radius_m: f32,
        /// Length between the centres of its two spheres (metres).
        length_m: f32,
    },
    /// A ball.
    Sphere {
        /// Metres.
        radius_m: f32,
    },
    /// A triangle mesh, already scaled.
    Mesh(Arc<Mesh>),
    /// Ground on a grid; only where nothing moves it.
    HeightField(Arc<HeightField>),
}

/// A shape at a pose on a link, and its display colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Pose in the link's frame.
    pub pose: Pose,
    /// Shape.
    pub shape: Shape,
    /// Red, green, blue, alpha, each 0 to 1.
    pub rgba: [f32; 4],
    /// What it touches, as a collision shape.
    pub contacts: ContactMask,
}

/// Mass and its distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inertial {
    /// Kilograms, positive.
    pub mass_kg: f32,
    /// Centre of mass in the link's frame (metres).
    pub com_m: Vec3,
    /// Inertia about the centre of mass, in the link's axes (kg m²).
    pub inertia_kg_m2: Mat3,
}

/// A rigid body of a robot: one or more links of its file, fused where fixed joints connect them.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Name of the topmost fused link.
    pub name: String,
    /// Mass properties.
    pub inertial: Inertial,
    /// Collision shapes.
    pub colliders: Vec<Geometry>,
    /// Display shapes.
    pub visuals: Vec<Geometry>,
}

/// Joint type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// Rotation about its axis within limits.
    Revolute,
    /// Rotation about its axis without limits.
    Continuous,
    /// Translation along its axis within limits.
    Prismatic,
    /// Rotation about any axis through its origin.
    Spherical,
    /// Motion in the plane across its axis.
    Planar,
    /// Free motion.
    Floating,
}

/// Limits of a joint, in radians or metres by its type. The position of a spherical joint is its angle from rest
/// about any axis; its `lower` is zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimits {
    /// Smallest position (rad or m); minus infinity where there is none.
    pub lower: f32,
    /// Largest position (rad or m); infinity where there is none.
    pub upper: f32,
    /// Largest torque or force (N m or N); infinity where there is none.
    pub effort: f32,
    /// Largest speed (rad/s or m/s); infinity where there is none.
    pub velocity: f32,
}

impl JointLimits {
    /// No limits.
    pub const NONE: Self = Self {
        lower: f32::NEG_INFINITY,
        upper: f32::INFINITY,
        effort: f32::INFINITY,
        velocity: f32::INFINITY,
    };
}

/// A mimic joint, at position `multiplier * other + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mimic {
    /// Index of the followed joint.
    pub joint: usize,
    /// Factor on the position of that joint.
    pub multiplier: f32,
    /// Offset (rad or m).
    pub offset: f32,
}

/// A moving connection between two links.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// Name in the file.
    pub name: String,
    /// Type.
    pub kind: JointKind,
    /// Index of the parent link.
    pub parent: usize,
    /// Index of the child link.
    pub child: usize,
    /// The joint's frame in the parent link's frame, at position zero. The child link's frame is this frame moved by the joint.
    pub origin: Pose,
    /// Unit axis in the joint's frame.
    pub axis: Vec3,
    /// Bounds on position, effort and speed.
    pub limits: JointLimits,
    /// Viscous damping (N m s/rad or N s/m).
    pub damping: f32,
    /// Coulomb friction (N m or N).
    pub friction: f32,
    /// Rotor inertia, reflected through the gears and not part of a link (kg m² or kg).
    pub armature: f32,
    /// Stiffness of a spring towards `spring_rest` (N m/rad or N/m); zero without a spring.
    pub stiffness: f32,
    /// Rest position of the spring (rad or m).
    pub spring_rest: f32,
    /// Followed joint, if it is a mimic joint.
    pub mimic: Option<Mimic>,
    /// Start position: zero or that of the file, clamped to the limits (rad or m). A spherical joint starts at rest.
    pub start: f32,
}

/// A named frame on a robot: every link of its file, fused ones included.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The link's name in the file.
    pub name: String,
    /// Index of the link that carries it.
    pub link: usize,
    /// The frame in that link's frame.
    pub pose: Pose,
}

/// Counts in the file, before links are fused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Links (URDF) or bodies (MJCF, without its world).
    pub links: usize,
    /// Joints that are not fixed, mimic and free joints included.
    pub moving_joints: usize,
}

/// Static shapes of a file's world, as they stand about a free robot at its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Surroundings {
    /// Collision shapes, in the frame of the root link at its start.
    pub colliders: Vec<Geometry>,
    /// Mass of the bodies that they belong to (kg): of no effect, as nothing moves them.
    pub mass_kg: f32,
    /// Whether the file has a level floor at z = 0, which the scene's ground replaces.
    pub has_floor: bool,
    /// Height of the root link's origin over the world's z = 0 at the start (m).
    pub root_height_m: f32,
}

impl Surroundings {
    /// Height of the root link's origin over the scene's ground at which no surface is below that ground (m).
    pub fn start_height_m(&self) -> f32 {
        let lowest = self.colliders.iter().map(|g| match &g.shape {
            Shape::HeightField(_) => g.pose.lowest_m(&g.shape),
            // The top of a box, whose bottom may be in the ground.
            shape => -Pose::new(-g.pose.translation_m, HALF_TURN * g.pose.rotation).lowest_m(shape),
        });
        lowest.fold(self.root_height_m, |height, low| height.max(-low))
    }
}

/// Half a turn about x.
const HALF_TURN: Quat = Quat::from_xyzw(1.0, 0.0, 0.0, 0.0);

/// Robot description, repaired and checked: a tree with the root as its first link. Parents precede children.
#[derive(Clone, Debug, PartialEq)]
pub struct RobotModel {
    /// The robot's own name.
    pub name: String,
    /// The file, as the user gave it.
    pub file: String,
    /// Rigid parts, the root first.
    pub links: Vec<Link>,
    /// Moving connections; one for each link but the root, parents first.
    pub joints: Vec<Joint>,
    /// All named frames.
    pub frames: Vec<Frame>,
    /// Whether the root link is fixed to the world.
    pub fixed_base: bool,
    /// Link that is fixed to the world while the root is not: the world, if more than shapes is beside a free robot.
    pub static_link: Option<usize>,
    /// Static shapes of the file beside a robot that is free.
    pub surroundings: Surroundings,
    /// Pairs of links that do not touch each other.
    pub excluded: Vec<[usize; 2]>,
    /// Counts in the file.
    pub written: Written,
    /// Mesh files that the description names and that were not found; each once.
    pub missing_meshes: Vec<String>,
    /// Repairs, ignored elements and missing files: one sentence each.
    pub warnings: Vec<String>,
}

impl RobotModel {
    /// Sum over all links (kg).
    pub fn mass_kg(&self) -> f32 {
        self.links.iter().map(|l| l.inertial.mass_kg).sum()
    }

    /// The frame with this name.
    pub fn frame(&self, name: &str) -> Option<&Frame> {
        self.frames.iter().find(|f| f.name == name)
    }

    /// Index of the joint with this name.
    pub fn joint(&self, name: &str) -> Option<usize> {
        self.joints.iter().position(|j| j.name == name)
    }

    /// Height of the lowest point of any collider over the root's origin, every joint at its start (m); 0 without colliders.
    /// Those of the world do not count, nor those that do not touch the scene if others do.
    pub fn lowest_m(&self) -> f32 {
        let poses = self.start_poses();
        let lowest = |touching: bool| {
            let links = self.links.iter().zip(&poses).enumerate();
            links
                .filter(|(index, _)| Some(*index) != self.static_link)
                .flat_map(|(_, (link, &pose))| {
                    let shapes = link.colliders.iter();
                    let shapes =
                        shapes.filter(|c| !touching || c.contacts.touches(ContactMask::SCENE));
                    shapes.map(move |c| (pose * c.pose).lowest_m(&c.shape))
                })
                .fold(f32::INFINITY, f32::min)
        };
        [lowest(true), lowest(false)]
            .into_iter()
            .find(|height| height.is_finite())
            .unwrap_or_default()
    }

    /// Poses of all links in the root link's frame, with every joint at its start.
    pub fn start_poses(&self) -> Vec<Pose> {
        let mut poses = vec![Pose::IDENTITY; self.links.len()];
        for joint in &self.joints {
            poses[joint.child] = poses[joint.parent] * joint.origin * joint.motion(joint.start);
        }
        poses
    }
}

impl Joint {
    /// Transform of the joint at a position (rad or m).
    pub fn motion(&self, position: f32) -> Pose {
        match self.kind {
            JointKind::Revolute | JointKind::Continuous => {
                Pose::new(Vec3::ZERO, Quat::from_axis_angle(self.axis, position))
            }
            JointKind::Prismatic => Pose::new(self.axis * position, Quat::IDENTITY),
            JointKind::Spherical | JointKind::Planar | JointKind::Floating => Pose::IDENTITY,
        }
    }
}

/// The description that an agent was built from.
#[derive(Component, Clone, Debug)]
pub struct Model(pub Arc<RobotModel>);

/// The true pose of an agent's root link in the world.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct TruePose(pub Pose);

/// The true motion of an agent's root link, in world axes.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct TrueTwist {
    /// Velocity of the root link's origin (m/s).
    pub linear_m_s: Vec3,
    /// Angular velocity (rad/s).
    pub angular_rad_s: Vec3,
}

/// The true poses of all links of an agent in the world, in the order of [`RobotModel::links`].
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct LinkPoses(pub Vec<Pose>);

/// Travel, speed and collisions of an agent, from ground truth.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Travel {
    /// Length of the root link's path (m).
    pub distance_m: f64,
    /// Largest speed of any of its bodies' centres of mass (m/s).
    pub max_speed_m_s: f64,
    /// Contacts begun with anything but the ground and itself.
    pub collisions: u64,
}

/// A static object of the world, displayed and with collision.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Obstacle {
    /// Its shape.
    pub geometry: Geometry,
    /// Coulomb friction coefficient of its surface.
    pub friction: f32,
    /// Whether contacts use the smaller coefficient of the two surfaces instead of the mean.
    pub slippery: bool,
}
