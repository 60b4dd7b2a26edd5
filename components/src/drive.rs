//! Wheeled drives: joints, commanded twist, odometry.

use bevy_ecs::prelude::*;
use glam::Vec3;

/// Updates of the wheels' setpoints a second.
pub const DRIVE_RATE_HZ: f64 = 100.0;

/// A planar twist in the agent's own axes: forward speed and yaw rate.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Twist2 {
    /// Forward (m/s).
    pub linear_m_s: f64,
    /// Yaw rate, left positive (rad/s).
    pub angular_rad_s: f64,
}

/// A driven wheel.
#[derive(Clone, Debug, PartialEq)]
pub struct Wheel {
    /// Index of its joint in the model.
    pub joint: usize,
    /// +1 where a positive joint speed rolls the robot forward, else -1.
    pub sign: f64,
    /// Rolling radius (m).
    pub radius_m: f64,
    /// Whether it is on the left side.
    pub left: bool,
    /// Largest torque of its motor (N m).
    pub max_torque_n_m: f64,
}

/// A wheel with a steering axis.
#[derive(Clone, Debug, PartialEq)]
pub struct SteeredWheel {
    /// Index of the joint that turns it.
    pub joint: usize,
    /// +1 where a positive joint position steers to the left, else -1.
    pub sign: f64,
    /// Position of the steering axis from the drive's centre, in the agent's axes: forward, left (m).
    pub position_m: [f64; 2],
    /// Smallest and largest joint position (rad).
    pub range_rad: [f64; 2],
    /// Largest torque of its servo (N m).
    pub max_torque_n_m: f64,
}

/// Ackermann steering: the axes of all wheels intersect in one point, on the line of the driven axle.
#[derive(Clone, Debug, PartialEq)]
pub struct Steering {
    /// Steered wheels, in the order of the model's joints.
    pub wheels: Vec<SteeredWheel>,
    /// Sharpest arc that every steered wheel can follow (1/m).
    pub max_curvature_1_m: f64,
}

/// A differential drive (two wheels), a skid-steered one (more), or a car with steered wheels.
///
/// Wheel commands and odometry use the kinematics of a differential drive. Skid-steered robots turn less than that,
/// as their wheels slip sideways: plans that use the robot's pose correct this, odometry does not. The driven wheels
/// of a car roll as those of a differential drive, along arcs within the steering range.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Drive {
    /// Driven wheels, in the order of the model's joints.
    pub wheels: Vec<Wheel>,
    /// Distance between the left and the right wheels' centres (m).
    pub track_width_m: f64,
    /// Yaw of the robot's forward direction in its root frame (rad): 0 is +x.
    pub forward_yaw_rad: f64,
    /// Middle of the driven wheels in the root frame (m): the fixed point of turns on the spot, and the reference
    /// point of a car's arcs. Odometry, goals and avoidance refer to it.
    pub centre_m: [f64; 2],
    /// Radius about that middle that encloses the robot, seen from above (m).
    pub footprint_radius_m: f64,
    /// Largest forward speed that the wheels allow (m/s).
    pub max_speed_m_s: f64,
    /// Largest yaw rate (rad/s).
    pub max_yaw_rate_rad_s: f64,
    /// Largest forward acceleration before a wheel lifts, with half in reserve (m/s²).
    pub max_acceleration_m_s2: f64,
    /// Steering; none where the drive turns by its driven wheels alone, also on the spot.
    pub steering: Option<Steering>,
}

impl Drive {
    /// Middle of the wheels in the root frame (m), at the height of the root's origin.
    pub fn centre(&self) -> Vec3 {
        Vec3::new(self.centre_m[0] as f32, self.centre_m[1] as f32, 0.0)
    }

    /// Largest curvature (1/m); infinity where it turns on the spot.
    pub fn max_curvature_1_m(&self) -> f64 {
        self.steering
            .as_ref()
            .map_or(f64::INFINITY, |s| s.max_curvature_1_m)
    }
}

impl SteeredWheel {
    /// Position of the joint on an arc of this curvature about the drive's centre (rad).
    ///
    /// The wheel's axis points to the arc's centre at (0, 1/κ): `tan δ = κ x / (1 - κ y)`.
    pub fn angle_rad(&self, curvature_1_m: f64) -> f64 {
        let [x, y] = self.position_m;
        let angle = libm::atan2(curvature_1_m * x, 1.0 - curvature_1_m * y);
        (self.sign * angle).clamp(self.range_rad[0], self.range_rad[1])
    }
}

/// State of a drive: the command after the drive's own limits.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct DriveState {
    /// Setpoint of the wheels.
    pub setpoint: Twist2,
    /// Curvature that the steered wheels are set to (1/m); 0 without steering.
    pub curvature_1_m: f64,
}

/// Wheel odometry of an agent: it starts at the true start pose and drifts.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Odometry {
    /// World position (m).
    pub x_m: f64,
    /// World position (m).
    pub y_m: f64,
    /// Heading of the forward direction in the world, not wrapped (rad).
    pub yaw_rad: f64,
    /// Forward speed and yaw rate.
    pub twist: Twist2,
    /// Rolled distances of the left and right wheels at the last reading (m); none before the first.
    pub last_m: Option<[f64; 2]>,
    /// Stamp of the last reading (ns).
    pub stamp_ns: u64,
}
