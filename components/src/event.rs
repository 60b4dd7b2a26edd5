//! What happened: messages of one tick, read by recorders and viewers.

use bevy_ecs::prelude::*;
use std::sync::Arc;

/// Something worth a line in a log.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct AgentEvent {
    /// When (ns from the run's start).
    pub now_ns: u64,
    /// Stable name of the agent that it concerns.
    pub agent: String,
    /// What.
    pub kind: EventKind,
}

/// Kinds of happening.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A contact with anything but the ground and itself began; the other thing's name.
    Collision(String),
    /// A waypoint was reached; how many by now.
    GoalReached(u64),
    /// Every goal was reached.
    AllGoalsReached,
    /// A lap was done: which, and its time (s).
    LapDone(u64, f64),
    /// A wheel left the track; how far from the centre line (m).
    OffTrack(f64),
    /// All wheels are on the track again.
    BackOnTrack,
    /// Order locked.
    PhaseLocked,
    /// The lock was lost.
    PhaseLockLost,
    /// Emissary and Master no longer agree: the rhythm is not what it was.
    CoherenceDiverged,
    /// They agree again.
    CoherenceAgrees,
    /// A sensor of this name has brought nothing for too long.
    SensorTimedOut(String),
    /// It brings readings again.
    SensorResumed(String),
    /// The safe command is in force, and why.
    SafeCommandActive(String),
    /// The controller's command is in force again.
    ControllerCommandActive,
    /// An alarm is raised: readings deviate from the prediction of the self-model.
    AlarmRaised {
        /// The isolated channel: `encoders/0`.
        cause: String,
    },
    /// The alarm is cleared.
    AlarmCleared,
    /// The governor slows the agent down, as its senses contradict each other.
    SpeedLimited,
    /// It may be as fast as it is told again.
    SpeedLimitLifted,
    /// The filter no longer listens to a sensor of this name.
    SensorExcluded(String),
    /// The agent stands for good; the channel to blame.
    SafetyStop(String),
    /// A fault of a sensor or a drive began: what is wrong with which.
    FaultBegan(String),
    /// It is over.
    FaultEnded(String),
    /// An event is like one that is remembered, which is recalled by it.
    EventRecalled {
        /// When that was, and what: `00:12.3 touched crate_a`.
        label: Arc<str>,
        /// How alike, 0 to 1.
        similarity: f64,
    },
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Collision(other) => write!(f, "touched {other}"),
            Self::GoalReached(count) => write!(f, "goal {count} reached"),
            Self::AllGoalsReached => f.write_str("all goals reached"),
            Self::LapDone(lap, time_s) => write!(f, "lap {lap} done in {time_s:.3} s"),
            Self::OffTrack(offset_m) => {
                write!(
                    f,
                    "off the track: a wheel is {offset_m:.2} m from the centre line"
                )
            }
            Self::BackOnTrack => f.write_str("back on the track"),
            Self::PhaseLocked => f.write_str("order locked"),
            Self::PhaseLockLost => f.write_str("order released"),
            Self::CoherenceDiverged => f.write_str("order is not what it was"),
            Self::CoherenceAgrees => f.write_str("order is as before"),
            Self::SensorTimedOut(sensor) => write!(f, "{sensor} fell silent"),
            Self::SensorResumed(sensor) => write!(f, "{sensor} speaks again"),
            Self::SafeCommandActive(why) => write!(f, "made safe: {why}"),
            Self::ControllerCommandActive => f.write_str("commanded again"),
            Self::AlarmRaised { cause } => write!(f, "alarm: {cause} deviates from its prediction"),
            Self::AlarmCleared => f.write_str("alarm cleared"),
            Self::SpeedLimited => f.write_str("slowed down"),
            Self::SpeedLimitLifted => f.write_str("as fast as told again"),
            Self::SensorExcluded(sensor) => write!(f, "{sensor} is left out"),
            Self::SafetyStop(cause) => write!(
                f,
                "stopped for good: {cause} deviated from its prediction for too long"
            ),
            Self::FaultBegan(fault) => write!(f, "fault begins: {fault}"),
            Self::FaultEnded(fault) => write!(f, "fault ends: {fault}"),
            Self::EventRecalled { label, similarity } => {
                write!(f, "this looks like {label} ({:.0} %)", similarity * 100.0)
            }
        }
    }
}
