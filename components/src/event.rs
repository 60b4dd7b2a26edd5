//! Events of one tick, read by recorders and viewers.

use crate::control::Localisation;
use bevy_ecs::prelude::*;
use std::sync::Arc;

/// An event of an agent: one line in a log.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct AgentEvent {
    /// Time (ns from the run's start).
    pub now_ns: u64,
    /// Stable name of the agent.
    pub agent: String,
    /// Kind.
    pub kind: EventKind,
}

/// Kinds of events.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A contact with anything but the ground and itself began; name of the other object.
    Collision(String),
    /// A waypoint was reached; its number in the order of the goals, from 1.
    GoalReached(u64),
    /// A waypoint counts as reached by an estimate of the pose, and ground truth is elsewhere or not known.
    GoalReachedByEstimate {
        /// Its number in the order of the goals, from 1.
        goal: u64,
        /// The pose source that decided.
        by: Localisation,
        /// Distance of the true position from the waypoint (m); none on hardware.
        true_distance_m: Option<f64>,
    },
    /// A waypoint was given up, as there was no progress towards it.
    GoalGivenUp {
        /// Its number in the order of the goals, from 1.
        goal: u64,
        /// Distance from it by the controller's pose source (m).
        distance_m: f64,
    },
    /// Every goal was reached, and none given up.
    AllGoalsReached,
    /// A lap was done; its number and time (s).
    LapDone(u64, f64),
    /// A wheel left the track; distance from the centre line (m).
    OffTrack(f64),
    /// All wheels are on the track again.
    BackOnTrack,
    /// The rhythm is phase-locked.
    PhaseLocked,
    /// The lock was lost.
    PhaseLockLost,
    /// Emissary and Master have diverged.
    CoherenceDiverged,
    /// They agree again.
    CoherenceAgrees,
    /// A sensor of this name had no reading within its time-out.
    SensorTimedOut(String),
    /// A sensor of this name delivers readings again.
    SensorResumed(String),
    /// The safe command is active; reason.
    SafeCommandActive(String),
    /// The controller's command is active again.
    ControllerCommandActive,
    /// An alarm is raised: readings deviate from the prediction of the self-model.
    AlarmRaised {
        /// The isolated channel: `encoders/0`.
        cause: String,
    },
    /// The alarm is cleared.
    AlarmCleared,
    /// The governor limits the speed, as readings deviate from the prediction.
    SpeedLimited,
    /// The speed limit ended.
    SpeedLimitLifted,
    /// The filter excludes a sensor of this name.
    SensorExcluded(String),
    /// Latched safety stop; the isolated channel.
    SafetyStop(String),
    /// A requested stop has latched; its sender.
    Stopped(String),
    /// A requested stop was cleared; the sender of that request.
    StopCleared(String),
    /// A request that ends by itself is done.
    RequestDone {
        /// Its sender.
        sender: String,
        /// The request, and how it ended: `go to (2, 1)`.
        what: String,
    },
    /// A request ended before it was done.
    RequestDropped {
        /// Its sender.
        sender: String,
        /// The request.
        what: String,
        /// Why.
        why: String,
    },
    /// A request was refused.
    RequestRefused {
        /// Its sender.
        sender: String,
        /// Why.
        why: String,
    },
    /// A fault of a sensor or a drive began; its target and description.
    FaultBegan(String),
    /// A fault ended.
    FaultEnded(String),
    /// A similar event was recalled from memory.
    EventRecalled {
        /// Time and event of the memory: `00:12.3 touched crate_a`.
        label: Arc<str>,
        /// Similarity, 0 to 1.
        similarity: f64,
    },
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Collision(other) => write!(f, "touched {other}"),
            Self::GoalReached(goal) => write!(f, "goal {goal} reached"),
            Self::GoalReachedByEstimate {
                goal,
                by,
                true_distance_m,
            } => {
                write!(f, "goal {goal} reached by {by}")?;
                match true_distance_m {
                    Some(m) => write!(f, "; the true position is {m:.2} m from it"),
                    None => Ok(()),
                }
            }
            Self::GoalGivenUp { goal, distance_m } => {
                write!(
                    f,
                    "goal {goal} given up: no progress, {distance_m:.2} m from it"
                )
            }
            Self::AllGoalsReached => f.write_str("all goals reached"),
            Self::LapDone(lap, time_s) => write!(f, "lap {lap} done in {time_s:.3} s"),
            Self::OffTrack(offset_m) => {
                write!(
                    f,
                    "off the track: a wheel is {offset_m:.2} m from the centre line"
                )
            }
            Self::BackOnTrack => f.write_str("back on the track"),
            Self::PhaseLocked => f.write_str("phase locked"),
            Self::PhaseLockLost => f.write_str("phase lock lost"),
            Self::CoherenceDiverged => f.write_str("coherence diverged"),
            Self::CoherenceAgrees => f.write_str("coherence agrees again"),
            Self::SensorTimedOut(sensor) => write!(f, "{sensor} became stale"),
            Self::SensorResumed(sensor) => write!(f, "{sensor} delivers readings again"),
            Self::SafeCommandActive(why) => write!(f, "safe command active: {why}"),
            Self::ControllerCommandActive => f.write_str("controller command active"),
            Self::AlarmRaised { cause } => write!(f, "alarm: {cause} deviates from its prediction"),
            Self::AlarmCleared => f.write_str("alarm cleared"),
            Self::SpeedLimited => f.write_str("speed limited"),
            Self::SpeedLimitLifted => f.write_str("speed limit lifted"),
            Self::SensorExcluded(sensor) => write!(f, "{sensor} is excluded"),
            Self::SafetyStop(cause) => write!(
                f,
                "safety stop: {cause} deviated from its prediction for too long"
            ),
            Self::Stopped(sender) => write!(f, "stopped by {sender}"),
            Self::StopCleared(sender) => write!(f, "stop cleared by {sender}"),
            Self::RequestDone { sender, what } => write!(f, "request of {sender} done: {what}"),
            Self::RequestDropped { sender, what, why } => {
                write!(f, "request of {sender} dropped: {what}: {why}")
            }
            Self::RequestRefused { sender, why } => write!(f, "request of {sender} refused: {why}"),
            Self::FaultBegan(fault) => write!(f, "fault begins: {fault}"),
            Self::FaultEnded(fault) => write!(f, "fault ends: {fault}"),
            Self::EventRecalled { label, similarity } => {
                write!(f, "similar to {label} ({:.0} %)", similarity * 100.0)
            }
        }
    }
}
