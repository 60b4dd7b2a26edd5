//! Requests: external commands of an agent, with sender and expiry.
//!
//! Every external command of an agent is a [`Request`]: of a person at a stick, of a program that uses the library,
//! of an API. It enters with a tick's external input, is journaled, hashed and replayed, and takes precedence over
//! the agent's controller until it expires; then the controller resumes. The governor limits it as any other command.
//! Numbers of the controller, and faults of simulated sensors and drives, are requests that are done at once.
//!
//! Order within a tick: stops first, then the others in the order of their arrival, then sticks. An agent has one request in
//! force: the last one that was accepted. A stop latches; while it does, every request that would move the agent is
//! refused, until a [`RequestKind::ClearStop`]. A refusal is an event that states the reason.

use crate::control::GoalProgress;
use crate::drive::Twist2;
use crate::joints::JointTargets;
use crate::time::NS_PER_S;
use crate::vehicle::Ackermann;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Name of the link of requests.
pub const REQUESTS: &str = "requests";
/// Default lifetime of a request (ns).
pub const REQUEST_LIFETIME_NS: u64 = NS_PER_S / 2;
/// Default lifetime of a request that ends by itself (ns).
pub const GOAL_LIFETIME_NS: u64 = 3600 * NS_PER_S;
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
    /// A drive to a place, for an agent with a [`GoToPlanner`](crate::control::GoToPlanner). It takes precedence over the
    /// controller's own goals until the place is reached or given up; its progress is a [`GoToProgress`].
    GoTo {
        /// World position (m).
        x_m: f64,
        /// World position (m).
        y_m: f64,
    },
    /// A distance straight ahead, for driven wheels with odometry; its progress is a [`MoveProgress`].
    Move {
        /// Forward positive (m).
        distance_m: f64,
    },
    /// An angle on the spot, for driven wheels with odometry; its progress is a [`MoveProgress`].
    Turn {
        /// To the left positive (rad).
        angle_rad: f64,
    },
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
    /// A [number](crate::control::ControllerKind::numbers) of the agent's controller, until the next one or a reset. It
    /// replaces no request in force, and is taken while a stop is latched.
    Set {
        /// Path in the agent's description: `controller.speed_m_s`.
        parameter: String,
        /// In the unit of the scene's field.
        value: f64,
    },
    /// A fault of a simulated sensor, or of a simulated drive, from this tick on; as [`Set`](Self::Set) otherwise.
    Fault {
        /// As in a scene, without the agent: `imu/gyro_z`.
        target: String,
        /// As in a scene: `Bias(0.1)`.
        kind: String,
        /// Duration (s); none: until [`EndFaults`](Self::EndFaults), or a reset.
        for_s: Option<f64>,
    },
    /// End of the faults that were requested of the agent; those of the scene go on.
    EndFaults,
}

impl RequestKind {
    /// Whether it is done in the tick that it enters, and moves nothing by itself.
    pub fn is_immediate(&self) -> bool {
        matches!(
            self,
            Self::Set { .. } | Self::Fault { .. } | Self::EndFaults
        )
    }

    /// Whether it is one of a stream, which the next one replaces: the twist of a stick, for example.
    pub fn is_streamed(&self) -> bool {
        match self {
            Self::Twist { .. }
            | Self::Ackermann { .. }
            | Self::Joints { .. }
            | Self::Stick { .. } => true,
            Self::Stop
            | Self::ClearStop
            | Self::GoTo { .. }
            | Self::Move { .. }
            | Self::Turn { .. }
            | Self::Set { .. }
            | Self::Fault { .. }
            | Self::EndFaults => false,
        }
    }

    /// Default lifetime (ns).
    pub fn lifetime_ns(&self) -> u64 {
        match self {
            Self::GoTo { .. } | Self::Move { .. } | Self::Turn { .. } => GOAL_LIFETIME_NS,
            _ => REQUEST_LIFETIME_NS,
        }
    }

    /// Whether every number is finite.
    pub fn is_finite(&self) -> bool {
        match self {
            Self::Stop | Self::ClearStop | Self::EndFaults => true,
            Self::Set { value: x, .. } => x.is_finite(),
            Self::Fault { for_s, .. } => for_s.is_none_or(f64::is_finite),
            Self::Move { distance_m: x } | Self::Turn { angle_rad: x } => x.is_finite(),
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
            }
            | Self::GoTo { x_m: a, y_m: b } => a.is_finite() && b.is_finite(),
            Self::Joints {
                positions,
                velocities,
            } => positions.iter().chain(velocities).all(|x| x.is_finite()),
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stop => f.write_str("stop"),
            Self::ClearStop => f.write_str("clear the stop"),
            Self::GoTo { x_m, y_m } => write!(f, "go to ({x_m}, {y_m})"),
            Self::Move { distance_m } => write!(f, "move by {distance_m} m"),
            Self::Turn { angle_rad } => write!(f, "turn by {angle_rad} rad"),
            Self::Twist {
                linear_m_s,
                angular_rad_s,
            } => write!(f, "twist of {linear_m_s} m/s, {angular_rad_s} rad/s"),
            Self::Ackermann {
                speed_m_s,
                steering_rad,
            } => write!(f, "{speed_m_s} m/s, wheels at {steering_rad} rad"),
            Self::Joints { positions, .. } => write!(f, "targets of {} joints", positions.len()),
            Self::Stick { forward, left } => write!(f, "stick at {forward}, {left}"),
            Self::Set { parameter, value } => {
                write!(f, "set {} to {value:?}", parameter.escape_debug())
            }
            Self::Fault {
                target,
                kind,
                for_s,
            } => {
                let (kind, target) = (kind.escape_debug(), target.escape_debug());
                match for_s {
                    Some(for_s) => write!(f, "fault {kind} of {target} for {for_s:?} s"),
                    None => write!(f, "fault {kind} of {target}"),
                }
            }
            Self::EndFaults => f.write_str("end the requested faults"),
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

/// Progress of a [`RequestKind::GoTo`]. The agent's planner drives to the target, and keeps the rest up to date.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct GoToProgress {
    /// World position (m).
    pub target_m: [f64; 2],
    /// Distance left, by the controller's pose source (m); none before the first plan.
    pub distance_m: Option<f64>,
    /// Of the planner: start of the way, and since when the distance has not decreased.
    pub progress: Option<GoalProgress>,
}

/// Progress of a [`RequestKind::Move`] or [`RequestKind::Turn`].
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct MoveProgress {
    /// What is left, by odometry (m or rad, as the request).
    pub left: f64,
    /// Pose by odometry at the start: x, y (m) and heading (rad); none before the first tick.
    pub start: Option<[f64; 3]>,
    /// Least rest so far (m or rad), as long as it decreases.
    pub least: f64,
    /// Time at which the rest has decreased (ns).
    pub since_ns: u64,
    /// A rest (m or rad), and the time since when it has hardly changed (ns): friction holds the wheels.
    pub still: (f64, u64),
    /// Time since when the rest is within the tolerance (ns).
    pub near_since_ns: Option<u64>,
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
