//! Goals and what is made of them: the slow plan (Master) and the fast reaction (Emissary).

use crate::drive::Twist2;
use bevy_ecs::prelude::*;

/// Places to visit, in order.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Goals {
    /// World positions (m).
    pub waypoints_m: Vec<[f64; 2]>,
    /// How often the list is gone through; none is without end.
    pub laps: Option<u32>,
    /// A waypoint counts as reached within this distance (m).
    pub tolerance_m: f64,
    /// Waypoints reached so far.
    pub reached: u64,
}

impl Goals {
    /// The waypoint to go to now, none when all are reached.
    pub fn current(&self) -> Option<[f64; 2]> {
        if self.done() {
            return None;
        }
        let index = self.reached as usize % self.waypoints_m.len();
        Some(self.waypoints_m[index])
    }

    /// The waypoint that was reached last, none before the first.
    pub fn previous(&self) -> Option<[f64; 2]> {
        let last = self.reached.checked_sub(1)? as usize;
        Some(self.waypoints_m[last % self.waypoints_m.len()])
    }

    /// Whether all are reached.
    pub fn done(&self) -> bool {
        self.waypoints_m.is_empty()
            || self
                .laps
                .is_some_and(|laps| self.reached >= u64::from(laps) * self.waypoints_m.len() as u64)
    }
}

/// The drive that moves an agent: an actuator entity, one of its children.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrivenBy(pub Entity);

/// Sensors that controllers listen to, none where the agent lacks them.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControllerInputs {
    /// The first lidar.
    pub lidar: Option<Entity>,
    /// The first wheel encoders.
    pub encoders: Option<Entity>,
}

/// How far a person holds the stick that drives an agent, in place of its controller. Not a command: each
/// kind of drive makes its own of it, within its own limits.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Stick {
    /// -1 to 1 of the drive's largest speed, forward positive.
    pub forward: f64,
    /// -1 to 1 of the drive's sharpest turn, left positive.
    pub left: f64,
}

/// Which pose a controller goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Localisation {
    /// The agent's own odometry.
    #[default]
    Odometry,
    /// The agent's filter, which the scene gives it: `filter: ()`.
    Filter,
    /// The true pose, which no robot has.
    Truth,
}

/// How a patrol is driven.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct PatrolController {
    /// Cruising speed (m/s).
    pub speed_m_s: f64,
    /// Distance of the point that is steered to (m).
    pub lookahead_m: f64,
    /// Free space that is kept around the footprint (m).
    pub clearance_m: f64,
    /// Whose word is taken for where the agent is.
    pub localisation: Localisation,
}

/// What the slow controller wants (Master): the twist of pure pursuit, and the point that it pursues.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// Wanted twist.
    pub twist: Twist2,
    /// The pursued point in the agent's own axes, x forward (m); none when there is no goal left.
    pub target_m: Option<[f64; 2]>,
}

/// What the fast controller makes of the plan (Emissary): a twist that the last scan leaves free.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Reaction {
    /// Allowed twist.
    pub twist: Twist2,
    /// Free length of the arc that was taken (m).
    pub free_m: f64,
    /// Whether it differs from the plan.
    pub avoiding: bool,
}
