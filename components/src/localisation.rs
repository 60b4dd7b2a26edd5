//! Localisation filter: measured numbers, setup, estimate.

use crate::drive::Twist2;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Maximum measured numbers of a filter: see [`Sensed`].
pub const SENSED: usize = 9;

/// Measured numbers of wheels and IMU, which precede those of GNSS.
pub const SENSED_MOTION: usize = 5;

/// Numbers of a filter that come from one sensor: wheels, gyroscope, accelerometer, GNSS. First and last.
pub const GROUPS: [(usize, usize); 4] = [(0, 1), (2, 2), (3, 4), (5, 8)];

/// Index of the wheels in [`GROUPS`].
pub const WHEELS: usize = 0;
/// Of the gyroscope.
pub const GYRO: usize = 1;
/// Of the accelerometer.
pub const ACCELEROMETER: usize = 2;
/// Of GNSS.
pub const GNSS: usize = 3;

/// A measured number of a filter, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensed {
    /// Speed of the left wheels along the ground (m/s); for a vehicle, with coarse encoders, their rolled distance
    /// (m).
    Left,
    /// The same of the right wheels.
    Right,
    /// Yaw rate (rad/s).
    Gyro,
    /// Specific force forward (m/s²).
    Forward,
    /// Specific force to the left (m/s²).
    Sideways,
    /// Position of the antenna, east (m).
    East,
    /// North (m).
    North,
    /// Its velocity, east (m/s).
    VelocityEast,
    /// North (m/s).
    VelocityNorth,
}

/// Setup of a filter. Sensor noise comes from the scene; these are the deviations of the robot from its description,
/// and disturbances without a data sheet: floors uneven by millimetres, compliant tyres, pitching bodies. The
/// summary's `filter.nis` is near 1 where they are right, and below where they are too large.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSpec {
    /// Deviation of the wheels' true radius from the model's, as a share of it.
    pub wheel_scale_sd: f64,
    /// Deviation of the true track width from the model's, as a share of it: wheels that slip sideways in turns make
    /// it larger.
    pub track_scale_sd: f64,
    /// Deviation of a wheel's speed beside its encoder's noise (m/s).
    pub wheel_sd_m_s: f64,
    /// Of the yaw rate beside the gyroscope's noise (rad/s).
    pub gyro_sd_rad_s: f64,
    /// Of the acceleration forward beside the accelerometer's noise (m/s²).
    pub forward_sd_m_s2: f64,
    /// Of that to the side (m/s²).
    pub sideways_sd_m_s2: f64,
}

impl Default for FilterSpec {
    fn default() -> Self {
        Self {
            wheel_scale_sd: 0.01,
            track_scale_sd: 0.02,
            wheel_sd_m_s: 0.004,
            gyro_sd_rad_s: 0.002,
            forward_sd_m_s2: 0.05,
            sideways_sd_m_s2: 0.05,
        }
    }
}

/// Pose estimate of an agent's filter: the middle of its driven wheels, as [`Odometry`](crate::drive::Odometry) has it.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// World position (m).
    pub x_m: f64,
    /// World position (m).
    pub y_m: f64,
    /// Heading of the forward direction in the world, not wrapped (rad).
    pub yaw_rad: f64,
    /// Forward speed and yaw rate.
    pub twist: Twist2,
    /// Standard deviation of the position by the filter's covariance: the larger half axis of its ellipse (m).
    pub position_sd_m: f64,
    /// Of the heading (rad).
    pub yaw_sd_rad: f64,
    /// Gyroscope bias (rad/s).
    pub gyro_bias_rad_s: f64,
    /// Wheel scale-factor error: encoder distance / true distance - 1.
    pub wheel_scale: f64,
    /// Time of the estimate (ns).
    pub stamp_ns: u64,
}
