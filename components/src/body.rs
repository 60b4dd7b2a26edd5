//! Robot descriptions as loaded, poses, and the true motion of an agent.

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

    /// From metres and a unit quaternion.
    pub const fn new(translation_m: Vec3, rotation: Quat) -> Self {
        Self {
            translation_m,
            rotation,
        }
    }

    /// From metres and roll, pitch, yaw in radians, as URDF means them:
    /// turns about the fixed axes x, then y, then z.
    pub fn from_xyz_rpy(xyz_m: Vec3, rpy_rad: Vec3) -> Self {
        let rotation = Quat::from_rotation_z(rpy_rad.z)
            * Quat::from_rotation_y(rpy_rad.y)
            * Quat::from_rotation_x(rpy_rad.x);
        Self::new(xyz_m, rotation)
    }

    /// The transform that undoes this one.
    pub fn inverse(self) -> Self {
        let rotation = self.rotation.inverse();
        Self::new(rotation * -self.translation_m, rotation)
    }

    /// Height of the lowest point of a shape that stands here (m).
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
        };
        self.translation_m.z - reach
    }

    /// A point of the child frame, in the parent frame (metres).
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

/// A triangle mesh in metres, in the frame of the thing it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Mesh {
    /// The file it came from, as the description names it.
    pub name: String,
    /// Metres.
    pub vertices_m: Vec<[f32; 3]>,
    /// Indices into the vertices, three a triangle.
    pub triangles: Vec<[u32; 3]>,
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
}

/// A shape at a place on a link, and its colour where it is seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Geometry {
    /// Of the shape in the link's frame.
    pub pose: Pose,
    /// What it looks like.
    pub shape: Shape,
    /// Red, green, blue, alpha, each 0 to 1.
    pub rgba: [f32; 4],
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

/// A rigid part of a robot: one or more links of its file, fused where fixed joints hold them together.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// The name of the topmost link that was fused into this one.
    pub name: String,
    /// Mass properties.
    pub inertial: Inertial,
    /// Shapes that touch.
    pub colliders: Vec<Geometry>,
    /// Shapes that are seen.
    pub visuals: Vec<Geometry>,
}

/// How one link moves against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JointKind {
    /// Turns about its axis within limits.
    Revolute,
    /// Turns about its axis without end.
    Continuous,
    /// Slides along its axis within limits.
    Prismatic,
    /// Turns about any axis through its origin.
    Spherical,
    /// Slides in the plane across its axis.
    Planar,
    /// Moves freely.
    Floating,
}

/// What a joint may not exceed. Radians or metres, by its kind. A spherical joint's position is its
/// angle away from rest, whatever the axis: `lower` is then zero.
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
    /// Nothing is limited.
    pub const NONE: Self = Self {
        lower: f32::NEG_INFINITY,
        upper: f32::INFINITY,
        effort: f32::INFINITY,
        velocity: f32::INFINITY,
    };
}

/// A joint that moves another way than by its own position: `multiplier * other + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mimic {
    /// Index of the joint that it follows.
    pub joint: usize,
    /// Factor on the other's position.
    pub multiplier: f32,
    /// Added (rad or m).
    pub offset: f32,
}

/// A moving connection between two links.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// Its name in the file.
    pub name: String,
    /// What it allows.
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
    /// Inertia of what turns or slides with the joint and is no part of a link, as a motor's rotor
    /// seen through its gears (kg m² or kg).
    pub armature: f32,
    /// Of a spring that pulls towards `spring_rest` (N m/rad or N/m); zero where there is none.
    pub stiffness: f32,
    /// Where the spring is at rest (rad or m).
    pub spring_rest: f32,
    /// The joint that it follows, if any.
    pub mimic: Option<Mimic>,
    /// Where it starts: zero or what the file says, moved into the limits (rad or m). A spherical joint starts at rest.
    pub start: f32,
}

/// A named place on a robot: each link of its file, also those that were fused away.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The link's name in the file.
    pub name: String,
    /// Index of the link that carries it.
    pub link: usize,
    /// The frame in that link's frame.
    pub pose: Pose,
}

/// What a file itself counts, before links that fixed joints hold together became one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Links (URDF) or bodies (MJCF, without its world).
    pub links: usize,
    /// Joints that are not fixed: also those that follow others, and free joints.
    pub moving_joints: usize,
}

/// A robot as its file describes it, repaired and checked: a tree whose first link is the root,
/// and in which each parent stands before its children.
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
    /// Every named place.
    pub frames: Vec<Frame>,
    /// Whether the root link is part of the world and does not move.
    pub fixed_base: bool,
    /// What the file itself counts.
    pub written: Written,
    /// Meshes that the file names and that were not found, as it names them; each once.
    pub missing_meshes: Vec<String>,
    /// What was repaired, ignored or not found: one sentence each.
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
    pub fn lowest_m(&self) -> f32 {
        let poses = self.start_poses();
        let lowest = self
            .links
            .iter()
            .zip(poses)
            .flat_map(|(link, pose)| {
                let heights = link.colliders.iter();
                heights.map(move |c| (pose * c.pose).lowest_m(&c.shape))
            })
            .fold(f32::INFINITY, f32::min);
        if lowest.is_finite() { lowest } else { 0.0 }
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
    /// The transform that the joint makes at a position (rad or m).
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

/// What an agent has done so far, by the truth of the simulation.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Travel {
    /// Length of the root link's path (m).
    pub distance_m: f64,
    /// Largest speed of any of its bodies' centres of mass (m/s).
    pub max_speed_m_s: f64,
    /// Contacts begun with anything but the ground and itself.
    pub collisions: u64,
}

/// A fixed thing in the world that is seen and touched.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Obstacle {
    /// Its shape.
    pub geometry: Geometry,
    /// Coulomb friction coefficient of its surface.
    pub friction: f32,
    /// Whether contacts take the smaller coefficient of the two surfaces, in place of the mean.
    pub slippery: bool,
}
