//! `Patrol`: waypoints by pure pursuit (Master), with avoidance on the last scan (Emissary).

use super::avoidance::{self, NearPoints};
use super::pursuit::{self, PLAN_RATE_HZ, PlanRate};
use becomingone_components::check::{Checks, MAX_ENTRIES};
use becomingone_components::control::{
    AgentBody, ControllerContext, ControllerKind, DriveClass, GoToPlanner, GoalProgress, Goals,
    Localisation, PatrolController, Plan, Reaction,
};
use becomingone_components::kind::Kind;
use becomingone_components::time::Rate;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;
use serde::{Deserialize, Serialize};

/// Drives from waypoint to waypoint: pure pursuit plans, avoidance reacts to the lidar's last scan. A requested place takes
/// precedence over the waypoints until it is reached or given up.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Patrol {
    /// World positions (m), in order.
    pub waypoints_m: Vec<[f64; 2]>,
    /// Laps of the list; none: without end.
    #[serde(default = "one_lap")]
    pub laps: Option<u32>,
    /// A waypoint counts as reached within this distance (m).
    #[serde(default = "default_tolerance_m")]
    pub tolerance_m: f64,
    /// Cruising speed (m/s).
    pub speed_m_s: f64,
    /// Look-ahead distance (m).
    #[serde(default = "default_lookahead_m")]
    pub lookahead_m: f64,
    /// Free space kept around the footprint (m).
    #[serde(default = "default_clearance_m")]
    pub clearance_m: f64,
    /// Time without progress after which a waypoint is given up and the next one is tried (s). Progress is a new
    /// smallest distance to the waypoint, 5 cm smaller than the last one, by the pose source in `localisation`. The
    /// time does not count while a request, or a safety stop, is in force.
    #[serde(default = "default_give_up_s")]
    pub give_up_s: f64,
    /// Pose source.
    #[serde(default)]
    pub localisation: Localisation,
}

pub(crate) fn one_lap() -> Option<u32> {
    Some(1)
}
fn default_tolerance_m() -> f64 {
    0.4
}
fn default_lookahead_m() -> f64 {
    1.0
}
fn default_clearance_m() -> f64 {
    0.2
}
fn default_give_up_s() -> f64 {
    60.0
}

impl Patrol {
    /// One lap of these waypoints (m) at this speed (m/s).
    pub fn new(waypoints_m: impl Into<Vec<[f64; 2]>>, speed_m_s: f64) -> Self {
        Self {
            waypoints_m: waypoints_m.into(),
            laps: one_lap(),
            tolerance_m: default_tolerance_m(),
            speed_m_s,
            lookahead_m: default_lookahead_m(),
            clearance_m: default_clearance_m(),
            give_up_s: default_give_up_s(),
            localisation: Localisation::default(),
        }
    }

    fn controller(&self) -> PatrolController {
        PatrolController {
            speed_m_s: self.speed_m_s,
            lookahead_m: self.lookahead_m,
            clearance_m: self.clearance_m,
            localisation: self.localisation,
        }
    }
}

impl Kind for Patrol {
    const NAME: &'static str = "Patrol";
    const ABOUT: &'static str = "waypoints by pure pursuit, with avoidance on the last scan";
}

impl ControllerKind for Patrol {
    const DRIVES: &'static [DriveClass] = &[DriveClass::Wheels];

    fn check(&self, _: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        if self.waypoints_m.is_empty() {
            checks.wrong("waypoints_m", "none", "at least one waypoint");
        }
        checks.count("waypoints_m", self.waypoints_m.len());
        for (k, p) in self.waypoints_m.iter().enumerate().take(MAX_ENTRIES) {
            checks.position(&format!("waypoints_m[{k}]"), p);
        }
        if self.laps == Some(0) {
            checks.wrong("laps", 0, "at least 1, or None");
        }
        checks.positive("tolerance_m", self.tolerance_m);
        let speed = "m/s from 0.001 to 100";
        checks.within("speed_m_s", self.speed_m_s, 1e-3, 100.0, speed);
        checks.positive("lookahead_m", self.lookahead_m);
        checks.not_negative("clearance_m", self.clearance_m);
        let give_up = "seconds from 0.1 to 1e9";
        checks.within("give_up_s", self.give_up_s, 0.1, 1e9, give_up);
    }

    fn localisation(&self) -> Option<Localisation> {
        Some(self.localisation)
    }

    fn repeat_without_end(&mut self) {
        self.laps = None;
    }

    fn forget_goals(&mut self) {
        self.waypoints_m.clear();
    }

    fn numbers(&mut self) -> Vec<(&'static str, &mut f64)> {
        vec![
            ("speed_m_s", &mut self.speed_m_s),
            ("lookahead_m", &mut self.lookahead_m),
            ("clearance_m", &mut self.clearance_m),
        ]
        // Not those by which a goal is over: with the last one, the run ends.
    }

    fn tune(&self, agent: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {
        agent.insert(self.controller());
        if let Some(mut progress) = agent.get_mut::<GoalProgress>() {
            // By the speed.
            progress.least_m = GoalProgress::new(self.give_up_s, self.speed_m_s).least_m;
        }
    }

    fn spawn(&self, agent: &mut EntityWorldMut<'_>, _: &AgentBody<'_>) {
        agent.insert((
            Goals::new(self.waypoints_m.clone(), self.laps, self.tolerance_m),
            GoalProgress::new(self.give_up_s, self.speed_m_s),
            self.controller(),
            GoToPlanner,
            PlanRate(Rate::new(PLAN_RATE_HZ)),
            Plan::default(),
            Reaction::default(),
            NearPoints::default(),
        ));
    }

    fn systems() -> ScheduleConfigs<ScheduleSystem> {
        (pursuit::plan, avoidance::react)
            .chain()
            .run_if(any_with_component::<PatrolController>)
    }
}
