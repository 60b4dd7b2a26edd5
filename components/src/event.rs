//! What happened: messages of one tick, read by recorders and viewers.

use bevy_ecs::prelude::*;

/// Something worth a line in a log.
#[derive(Message, Clone, Debug, PartialEq)]
pub struct Happening {
    /// When (ns from the run's start).
    pub now_ns: u64,
    /// Stable name of the agent that it concerns.
    pub agent: String,
    /// What.
    pub what: What,
}

/// Kinds of happening.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A contact with anything but the ground and itself began; the other thing's name.
    Collision(String),
    /// A waypoint was reached; how many by now.
    GoalReached(u64),
    /// Every goal was reached.
    AllGoalsReached,
    /// Order locked.
    Collapsed,
    /// The lock was lost.
    Released,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Collision(other) => write!(f, "touched {other}"),
            Self::GoalReached(count) => write!(f, "goal {count} reached"),
            Self::AllGoalsReached => f.write_str("all goals reached"),
            Self::Collapsed => f.write_str("order locked"),
            Self::Released => f.write_str("order released"),
        }
    }
}
