//! Requests: external commands of an agent, with sender and expiry.
//!
//! Every external command of an agent is a [`Request`]: of a person at a stick, of a program that uses the library,
//! of an API. It enters with a tick's external input, is journaled, hashed and replayed, and takes precedence over
//! the agent's controller until it expires; then the controller resumes. The governor limits it as any other command.

use crate::drive::Twist2;
use crate::joints::JointTargets;
use crate::time::NS_PER_S;
use crate::vehicle::Ackermann;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Name of the link of requests.
pub const REQUESTS: &str = "requests";
/// Default lifetime of a request (ns).
pub const REQUEST_LIFETIME_NS: u64 = NS_PER_S / 2;

/// A request to an agent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Request {
    /// Sender: `stick`, `library`, the name of an API's client.
    pub sender: String,
    /// Name of the agent.
    pub agent: String,
    /// Requested command.
    pub what: RequestKind,
    /// Expiry (ns from the run's start).
    pub expires_ns: u64,
}

/// Kinds of requests.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum RequestKind {
    /// A twist, of an agent with driven wheels.
    Twist {
        /// Forward (m/s).
        linear_m_s: f64,
        /// To the left (rad/s).
        angular_rad_s: f64,
    },
    /// Speed and steering angle, of a vehicle.
    Ackermann {
        /// Forward (m/s).
        speed_m_s: f64,
        /// To the left (rad).
        steering_rad: f64,
    },
    /// Targets of all servos, in their order.
    Joints {
        /// rad or m.
        positions: Vec<f64>,
        /// rad/s or m/s.
        velocities: Vec<f64>,
    },
    /// Position of a stick: each kind of drive makes its own command of it, within its own limits.
    Stick {
        /// -1 to 1 of the drive's largest speed, forward positive.
        forward: f64,
        /// -1 to 1 of the drive's sharpest turn, left positive.
        left: f64,
    },
}

impl RequestKind {
    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Twist {
                linear_m_s: a,
                angular_rad_s: b,
            }
            | Self::Ackermann {
                speed_m_s: a,
                steering_rad: b,
            }
            | Self::Stick {
                forward: a,
                left: b,
            } => a.is_finite() && b.is_finite(),
            Self::Joints {
                positions,
                velocities,
            } => positions.iter().chain(velocities).all(|x| x.is_finite()),
        }
    }
}

impl From<Twist2> for RequestKind {
    fn from(twist: Twist2) -> Self {
        Self::Twist {
            linear_m_s: twist.linear_m_s,
            angular_rad_s: twist.angular_rad_s,
        }
    }
}

impl From<Ackermann> for RequestKind {
    fn from(command: Ackermann) -> Self {
        Self::Ackermann {
            speed_m_s: command.speed_m_s,
            steering_rad: command.steering_rad,
        }
    }
}

impl From<JointTargets> for RequestKind {
    fn from(targets: JointTargets) -> Self {
        Self::Joints {
            positions: targets.positions,
            velocities: targets.velocities,
        }
    }
}

/// The request in force on an agent.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct ActiveRequest {
    /// Sender.
    pub sender: String,
    /// Requested command.
    pub what: RequestKind,
    /// Expiry (ns).
    pub expires_ns: u64,
}
