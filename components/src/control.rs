//! Goals, the slow plan (Master) and the fast reaction (Emissary).

use crate::body::RobotModel;
use crate::check::Checks;
use crate::drive::{Drive, Twist2};
use crate::joints::Servos;
use crate::kind::{AnyKind, Indent, Kind, Named};
use crate::track::Track;
use crate::vehicle::VehicleModel;
use crate::world::WorldSpec;
use bevy_ecs::prelude::*;
use bevy_ecs::schedule::ScheduleConfigs;
use bevy_ecs::system::ScheduleSystem;
use std::sync::Arc;

/// A kind of controller: its scene fields, the drives that it commands, and its systems.
///
/// `app.register_controller::<WallFollower>()` registers it. Its systems run in `ControlSystems` of the set `Decide`;
/// they find their agents by the components from [`spawn`](Self::spawn), read [`Reading`](crate::sensor::Reading)s
/// and write the [`ActuatorTarget`](crate::actuator::ActuatorTarget) of the entity in [`DrivenBy`].
pub trait ControllerKind: Kind {
    /// Drives that it can command.
    const DRIVES: &'static [DriveClass];

    /// Reports values that are out of range, and what the scene lacks for such a controller.
    fn check(&self, context: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        let _ = (context, checks);
    }

    /// Pose source, if it uses a pose.
    fn localisation(&self) -> Option<Localisation> {
        None
    }

    /// Adapts its names to the loaded body, and reports those that do not fit. `substituted`: the body is not the
    /// scene's; names of its own links and joints are then skipped with a warning.
    fn fit(&mut self, body: &AgentBody<'_>, substituted: bool, checks: &mut Checks<'_>) {
        let _ = (body, substituted, checks);
    }

    /// Repeats its goals without end, for calibrations over hours.
    fn repeat_without_end(&mut self) {}

    /// Removes its goals: agents that are equal without them are the same machine.
    fn forget_goals(&mut self) {}

    /// The numbers that may be changed in a run, by the names of their scene fields: a request of the kind
    /// [`Set`](crate::request::RequestKind::Set) names one as `controller.speed_m_s`. They are checked by
    /// [`check`](Self::check), as those of a scene, and taken by [`tune`](Self::tune).
    fn numbers(&mut self) -> Vec<(&'static str, &mut f64)> {
        Vec::new()
    }

    /// Takes changed [`numbers`](Self::numbers) into the components of [`spawn`](Self::spawn); what the agent has done so
    /// far stays.
    fn tune(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        let _ = (agent, body);
    }

    /// Adds components to its agent at the start of a run. The components of an earlier run are gone.
    fn spawn(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>);

    /// The systems that run all controllers of this kind.
    fn systems() -> ScheduleConfigs<ScheduleSystem>;
}

/// Kinds of drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveClass {
    /// Driven wheels on joints, which follow a [`Twist2`].
    Wheels,
    /// A vehicle on springs, which follows an [`Ackermann`](crate::vehicle::Ackermann).
    Vehicle,
    /// Position servos on joints.
    Joints,
}

/// Scene context of a controller.
#[derive(Clone, Copy, Debug)]
pub struct ControllerContext<'a> {
    /// The world.
    pub world: &'a WorldSpec,
    /// Whether the scene has a fleet.
    pub fleet: bool,
}

/// The loaded body of an agent.
#[derive(Clone, Copy, Debug, Default)]
pub struct AgentBody<'a> {
    /// Links and joints.
    pub model: Option<&'a Arc<RobotModel>>,
    /// Driven wheels.
    pub drive: Option<&'a Drive>,
    /// Position servos.
    pub servos: Option<&'a Servos>,
    /// Vehicle description.
    pub vehicle: Option<&'a Arc<VehicleModel>>,
    /// The world's track.
    pub track: Option<&'a Track>,
}

/// A kind of controller with its type erased, as scenes hold it.
pub trait AnyController: AnyKind {
    /// [`ControllerKind::DRIVES`].
    fn drives(&self) -> &'static [DriveClass];
    /// [`ControllerKind::check`].
    fn check(&self, context: &ControllerContext<'_>, checks: &mut Checks<'_>);
    /// [`ControllerKind::localisation`].
    fn localisation(&self) -> Option<Localisation>;
    /// [`ControllerKind::fit`]; returns the fitted controller.
    fn fitted(
        &self,
        body: &AgentBody<'_>,
        substituted: bool,
        checks: &mut Checks<'_>,
    ) -> Arc<dyn AnyController>;
    /// [`ControllerKind::repeat_without_end`], of a copy.
    fn without_end(&self) -> Arc<dyn AnyController>;
    /// [`ControllerKind::forget_goals`], of a copy.
    fn without_goals(&self) -> Arc<dyn AnyController>;
    /// [`ControllerKind::numbers`], and their values.
    fn numbers(&self) -> Vec<(&'static str, f64)>;
    /// A copy with this number changed; none where the kind has no number of this name.
    fn with_number(&self, name: &str, value: f64) -> Option<Arc<dyn AnyController>>;
    /// [`ControllerKind::tune`].
    fn tune(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>);
    /// [`ControllerKind::spawn`].
    fn spawn(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>);
}

impl<K: ControllerKind> AnyController for K {
    fn drives(&self) -> &'static [DriveClass] {
        K::DRIVES
    }

    fn check(&self, context: &ControllerContext<'_>, checks: &mut Checks<'_>) {
        ControllerKind::check(self, context, checks);
    }

    fn localisation(&self) -> Option<Localisation> {
        ControllerKind::localisation(self)
    }

    fn fitted(
        &self,
        body: &AgentBody<'_>,
        substituted: bool,
        checks: &mut Checks<'_>,
    ) -> Arc<dyn AnyController> {
        let mut own = self.clone();
        own.fit(body, substituted, checks);
        Arc::new(own)
    }

    fn without_end(&self) -> Arc<dyn AnyController> {
        let mut own = self.clone();
        own.repeat_without_end();
        Arc::new(own)
    }

    fn without_goals(&self) -> Arc<dyn AnyController> {
        let mut own = self.clone();
        own.forget_goals();
        Arc::new(own)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let mut own = self.clone();
        let numbers = ControllerKind::numbers(&mut own);
        numbers.into_iter().map(|(name, x)| (name, *x)).collect()
    }

    fn with_number(&self, name: &str, value: f64) -> Option<Arc<dyn AnyController>> {
        let mut own = self.clone();
        let mut numbers = ControllerKind::numbers(&mut own).into_iter();
        let (_, number) = numbers.find(|(known, _)| *known == name)?;
        *number = value;
        Some(Arc::new(own))
    }

    fn tune(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        ControllerKind::tune(self, agent, body);
    }

    fn spawn(&self, agent: &mut EntityWorldMut<'_>, body: &AgentBody<'_>) {
        ControllerKind::spawn(self, agent, body);
    }
}

impl Indent for dyn AnyController {
    const LEVELS: usize = 3;
}

impl<K: ControllerKind> From<K> for Named<dyn AnyController> {
    fn from(kind: K) -> Self {
        Self::of(Arc::new(kind))
    }
}

/// The controller of an agent, as it is now: that of the scene, with the numbers that requests have changed.
#[derive(Component, Clone, Debug)]
pub struct ControlledBy(pub Named<dyn AnyController>);

/// Waypoints, in order.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Goals {
    /// World positions (m).
    pub waypoints_m: Vec<[f64; 2]>,
    /// Laps of the list; none: without end.
    pub laps: Option<u32>,
    /// A waypoint counts as reached within this distance (m).
    pub tolerance_m: f64,
    /// Waypoints reached so far: by the controller's pose source, and by ground truth where there is one.
    pub reached: u64,
    /// Further waypoints that are reached by the controller's pose source only: the true position was farther from them
    /// than the tolerance and [`GOAL_MARGIN_M`].
    pub off: u64,
    /// Waypoints given up so far.
    pub given_up: u64,
}

/// Distance beyond the tolerance up to which a waypoint is not off (m).
pub const GOAL_MARGIN_M: f64 = 0.05;

impl Goals {
    /// Waypoints, none of which is reached or given up yet.
    pub fn new(waypoints_m: Vec<[f64; 2]>, laps: Option<u32>, tolerance_m: f64) -> Self {
        Self {
            waypoints_m,
            laps,
            tolerance_m,
            reached: 0,
            off: 0,
            given_up: 0,
        }
    }

    /// Number of waypoints that are reached, by any pose, or given up.
    pub fn passed(&self) -> u64 {
        self.reached + self.off + self.given_up
    }

    /// The current waypoint; none when all are reached or given up.
    pub fn current(&self) -> Option<[f64; 2]> {
        if self.done() {
            return None;
        }
        let index = self.passed() as usize % self.waypoints_m.len();
        Some(self.waypoints_m[index])
    }

    /// The waypoint before the current one; none before the first is reached or given up.
    pub fn previous(&self) -> Option<[f64; 2]> {
        let last = self.passed().checked_sub(1)? as usize;
        Some(self.waypoints_m[last % self.waypoints_m.len()])
    }

    /// Whether all are reached or given up.
    pub fn done(&self) -> bool {
        self.waypoints_m.is_empty()
            || self.laps.is_some_and(|laps| {
                self.passed() >= u64::from(laps) * self.waypoints_m.len() as u64
            })
    }
}

/// Progress towards the current waypoint: a waypoint without any is given up.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct GoalProgress {
    /// Time without progress after which the waypoint is given up (ns).
    pub give_up_ns: u64,
    /// Decrease of the distance that counts as progress (m).
    pub least_m: f64,
    /// Smallest distance to the waypoint at the last progress (m); infinite before the first plan.
    pub best_m: f64,
    /// Time of the last progress (ns).
    pub since_ns: u64,
    /// Position at which the waypoint before was given up (m); none where it was reached.
    pub left_m: Option<[f64; 2]>,
    /// Whether the agent drives to a requested place instead.
    pub diverted: bool,
}

impl GoalProgress {
    /// Largest value of [`least_m`](Self::least_m) (m).
    const LEAST_M: f64 = 0.05;

    /// Gives up after this time (s) without progress. An agent with this cruising speed (m/s) that drives
    /// at a quarter of it makes progress.
    pub fn new(give_up_s: f64, speed_m_s: f64) -> Self {
        Self {
            give_up_ns: (give_up_s * 1e9) as u64,
            least_m: (0.25 * speed_m_s * give_up_s).min(Self::LEAST_M),
            best_m: f64::INFINITY,
            since_ns: 0,
            left_m: None,
            diverted: false,
        }
    }

    /// Takes the distance to the waypoint (m) at this time (ns); returns whether the waypoint is to be given up.
    /// `paused`: another command than the controller's is in force, and the time does not count.
    pub fn is_over(&mut self, distance_m: f64, now_ns: u64, paused: bool) -> bool {
        if paused || distance_m <= self.best_m - self.least_m || self.best_m.is_infinite() {
            self.best_m = distance_m.min(self.best_m);
            self.since_ns = now_ns;
        }
        now_ns.saturating_sub(self.since_ns) >= self.give_up_ns
    }

    /// Starts over with the next waypoint; `left_m` is the position where the waypoint before was given up (m).
    pub fn restart(&mut self, now_ns: u64, left_m: Option<[f64; 2]>) {
        self.best_m = f64::INFINITY;
        self.since_ns = now_ns;
        self.left_m = left_m;
    }
}

/// Marks an agent whose controller drives to the places of [`RequestKind::GoTo`](crate::request::RequestKind::GoTo): to the
/// target of a [`GoToProgress`](crate::request::GoToProgress), until it is reached or given up. The controller then
/// removes that component and the [`ActiveRequest`](crate::request::ActiveRequest), with an event.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GoToPlanner;

/// The drive that moves an agent: an actuator entity, one of its children.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrivenBy(pub Entity);

/// Sensors used by controllers; none where the agent lacks them.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControllerInputs {
    /// The first lidar.
    pub lidar: Option<Entity>,
    /// The first wheel encoders.
    pub encoders: Option<Entity>,
}

/// Pose source of a controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Localisation {
    /// The agent's wheel odometry.
    #[default]
    Odometry,
    /// The agent's localisation filter, which the scene sets up: `filter: ()`.
    Filter,
    /// Ground truth, which no robot has.
    Truth,
}

impl std::fmt::Display for Localisation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Odometry => "odometry",
            Self::Filter => "the filter",
            Self::Truth => "the true pose",
        })
    }
}

/// Setup of a patrol.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct PatrolController {
    /// Cruising speed (m/s).
    pub speed_m_s: f64,
    /// Look-ahead distance (m).
    pub lookahead_m: f64,
    /// Free space kept around the footprint (m).
    pub clearance_m: f64,
    /// Pose source.
    pub localisation: Localisation,
}

/// Plan of the slow controller (Master): the twist of pure pursuit, and its target point.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// Planned twist.
    pub twist: Twist2,
    /// Target point in the agent's own axes, x forward (m); none without a goal left.
    pub target_m: Option<[f64; 2]>,
}

/// Reaction of the fast controller (Emissary): a twist within the free space of the last scan.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Reaction {
    /// Allowed twist.
    pub twist: Twist2,
    /// Free length of the chosen arc (m).
    pub free_m: f64,
    /// Whether it differs from the plan.
    pub avoiding: bool,
}
