//! Where an agent takes itself to be: a filter's estimate, and what the filter did not expect.

use crate::drive::Twist2;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Numbers that a filter is told, at most: see [`Sensed`].
pub const SENSED: usize = 9;

/// Of these, those of wheels and IMU, which come first; the others are of GNSS.
pub const SENSED_MOTION: usize = 5;

/// Numbers of a filter that come from one sensor: wheels, gyroscope, accelerometer, GNSS. First and last.
pub const GROUPS: [(usize, usize); 4] = [(0, 1), (2, 2), (3, 4), (5, 8)];

/// Window over which faults are told apart (kernel ticks).
pub const ISOLATION_TICKS: f64 = 25.0;

/// What a filter is told, in the order of [`Innovated::white`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensed {
    /// Speed of the left wheels along the ground (m/s).
    Left,
    /// Speed of the right wheels (m/s).
    Right,
    /// Yaw rate (rad/s).
    Gyro,
    /// Specific force forward (m/s²).
    Forward,
    /// Specific force to the left (m/s²).
    Sideways,
    /// Place of the antenna, east (m).
    East,
    /// North (m).
    North,
    /// Its velocity, east (m/s).
    VelocityEast,
    /// North (m/s).
    VelocityNorth,
}

/// How a filter is set up. Noises of sensors are those of the scene; what is said here is how far the robot may be off
/// its description.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSpec {
    /// Deviation of the wheels' true radius from the model's, as a share of it.
    pub wheel_scale_sd: f64,
    /// Deviation of the true track width from the model's, as a share of it: wheels that slip sideways in turns make
    /// it larger.
    pub track_scale_sd: f64,
}

impl Default for FilterSpec {
    fn default() -> Self {
        Self {
            wheel_scale_sd: 0.01,
            track_scale_sd: 0.02,
        }
    }
}

/// Where an agent is by its filter: the middle of its driven wheels, as [`Odometry`](crate::drive::Odometry) has it.
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
    /// Deviation of the position that the filter expects of itself: the larger half axis of its ellipse (m).
    pub position_sd_m: f64,
    /// Of the heading (rad).
    pub yaw_sd_rad: f64,
    /// What the gyroscope says at rest (rad/s).
    pub gyro_bias_rad_s: f64,
    /// By which share the wheels say more than is covered.
    pub wheel_scale: f64,
    /// When it was made (ns).
    pub stamp_ns: u64,
}

/// What the filter did not expect at this kernel tick.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Innovated {
    /// Whitened innovations, each given those before it: while filter and robot agree, independent numbers of
    /// deviation 1. None where nothing came.
    pub white: [Option<f64>; SENSED],
    /// The normalised innovation squared (NIS): the sum of their squares, chi² of as many degrees of freedom as there
    /// are numbers.
    pub nis: f64,
    /// How inconsistent the rest is without wheels, gyroscope, accelerometer, GNSS: NIS less its degrees of freedom of a
    /// filter that never heard that sensor, averaged over [`ISOLATION_TICKS`]. The least is that of the sensor whose
    /// fault explains all.
    pub left_without: [f64; GROUPS.len()],
    /// Sum of all ticks' NIS and of their degrees of freedom: while filter and robot agree, the same.
    pub so_far: [f64; 2],
    /// Sensors of this agent that the filter does not listen to now, by their index, as bits.
    pub excluded: u32,
}

impl Innovated {
    /// The number that is to blame if one sensor's fault explains all that the filter did not expect: of that sensor's
    /// numbers, the one farthest off. None where no sensor's does clearly better than the others'.
    pub fn isolated(&self) -> Option<usize> {
        let mut order: [usize; GROUPS.len()] = std::array::from_fn(|g| g);
        order.sort_by(|&a, &b| self.left_without[a].total_cmp(&self.left_without[b]));
        let (best, second) = (self.left_without[order[0]], self.left_without[order[1]]);
        if second < CLEAR || best.max(0.0) > second / 2.0 {
            return None;
        }
        let (first, last) = GROUPS[order[0]];
        let off = |k: &usize| self.white[*k].unwrap_or(0.0).abs();
        (first..=last).max_by(|a, b| off(a).total_cmp(&off(b)))
    }
}

/// Without the right sensor little is left; without any other, at least this much (units of NIS).
const CLEAR: f64 = 2.0;
