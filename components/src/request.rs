//! Requests: external commands of an agent, with sender and expiry.
//!
//! Every external command of an agent is a [`Request`]: of a person at a stick, of a program that uses the library,
//! of an API. It enters with a tick's external input, is journaled, hashed and replayed, and takes precedence over
//! the agent's controller until it expires; then the controller resumes. The governor limits it as any other command.
//!
//! Order within a tick: stops first, then the others in the order of their arrival, then sticks. An agent has one request in
//! force: the last one that was accepted. A stop latches; while it does, every other request than
//! [`RequestKind::ClearStop`] is refused. A refusal is an event that states the reason.

use crate::drive::Twist2;
use crate::joints::JointTargets;
use crate::time::NS_PER_S;
use crate::vehicle::Ackermann;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Name of the link of requests.
pub const REQUESTS: &str = "requests";
/// Default lifetime of a request (ns).
pub const REQUEST_LIFETIME_NS: u64 = NS_PER_S / 2;
/// Most characters of a sender's name.
pub const MAX_SENDER_CHARS: usize = 64;

/// A name from outside as it is kept: at most [`MAX_SENDER_CHARS`] characters, none of which controls a terminal.
///
/// ```
/// # use becomingone_components::request::plain_sender;
/// assert_eq!(plain_sender("web"), "web");
/// assert_eq!(plain_sender("a\u{1b}[2J"), "a\u{fffd}[2J");
/// assert_eq!(plain_sender(&"x".repeat(1000)).len(), 64);
/// ```
pub fn plain_sender(name: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control();
    if name.len() <= MAX_SENDER_CHARS && name.chars().all(is_plain) {
        return Cow::Borrowed(name);
    }
    let plain = |c: char| if is_plain(c) { c } else { '\u{fffd}' };
    name.chars().take(MAX_SENDER_CHARS).map(plain).collect()
}

/// A request to an agent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Request {
    /// Sender: `stick`, `library`, the name of an API's client.
    pub sender: String,
    /// Name of the agent.
    pub agent: String,
    /// Requested command.
    pub what: RequestKind,
    /// Expiry (ns from the run's start). A stop has none: it is a stop however late it arrives.
    pub expires_ns: u64,
}

/// Kinds of requests.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum RequestKind {
    /// Latched stop: the agent's actuators get their safe commands until [`ClearStop`](Self::ClearStop).
    Stop,
    /// End of a latched stop; the controller resumes. A reset of the run clears none.
    ClearStop,
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
    /// Whether it is one of a stream, which the next one replaces: the twist of a stick, for example.
    pub fn is_streamed(&self) -> bool {
        match self {
            Self::Twist { .. }
            | Self::Ackermann { .. }
            | Self::Joints { .. }
            | Self::Stick { .. } => true,
            Self::Stop | Self::ClearStop => false,
        }
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Stop | Self::ClearStop => true,
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

/// The latched stop of an agent. Only [`RequestKind::ClearStop`] removes it.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Sender of the stop that latched.
    pub sender: String,
    /// Time of that stop (ns).
    pub since_ns: u64,
    /// Time of the last stop (ns).
    pub last_ns: u64,
}
