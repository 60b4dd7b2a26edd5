//! Pure pursuit along waypoints: the slow controller, the Master of the pair.
//!
//! It steers to a point on the path, a lookahead away: curvature `2 y / L²` for a point at lateral
//! offset y and distance L (Coulter, Implementation of the Pure Pursuit Path Tracking Algorithm,
//! CMU-RI-TR-92-01, 1992).

use super::accept::dropped;
use super::located::located;
use crate::angles::wrap;
use becomingone_components::body::TruePose;
use becomingone_components::control::{
    DrivenBy, GOAL_MARGIN_M, GoalProgress, Goals, Localisation, PatrolController, Plan,
};
use becomingone_components::drive::{Drive, Odometry, Twist2};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::governor::Governor;
use becomingone_components::link::ExternalActuator;
use becomingone_components::localisation::Estimate;
use becomingone_components::request::{ActiveRequest, GoToProgress, Stopped};
use becomingone_components::time::{Rate, SimTime};
use bevy_ecs::prelude::*;

/// Plans a second.
pub const PLAN_RATE_HZ: f64 = 20.0;

/// Heading error from which the agent turns on the spot first (rad).
const TURN_ON_THE_SPOT_RAD: f64 = 0.9;

/// Waypoints of one agent that are logged as given up, and as reached by an estimate only.
const MAX_LOGGED: u64 = 3;

/// Plans for the agents that are due. A waypoint counts as reached, and as given up, by the controller's pose source:
/// a robot has no other. Events state where ground truth differs.
pub fn plan(
    time: Res<SimTime>,
    mut agents: Query<(
        (Entity, &Name),
        &PatrolController,
        &TruePose,
        &Odometry,
        Option<&Estimate>,
        &DrivenBy,
        (
            Option<&ActiveRequest>,
            Option<&mut GoToProgress>,
            Has<Stopped>,
            Option<&Governor>,
        ),
        &mut PlanRate,
        (&mut Goals, &mut GoalProgress),
        &mut Plan,
    )>,
    drives: Query<(&Drive, Has<ExternalActuator>)>,
    mut events: MessageWriter<AgentEvent>,
    mut commands: Commands,
) {
    for (
        (agent, name),
        patrol,
        truth,
        odometry,
        estimate,
        driven,
        (request, go_to, stopped, governor),
        mut rate,
        (mut goals, mut progress),
        mut plan,
    ) in &mut agents
    {
        if !rate.0.due(time.now_ns) {
            continue;
        }
        let Ok((drive, is_external)) = drives.get(driven.0) else {
            continue;
        };
        let by = patrol.localisation;
        let (at, yaw) = located(by, truth, odometry, estimate, drive);
        let mut emit = |kind| {
            events.write(AgentEvent {
                now_ns: time.now_ns,
                agent: name.to_string(),
                kind,
            });
        };
        let safety_stop = governor.is_some_and(|g| g.stopped);
        if let (Some(request), Some(mut go_to)) = (request, go_to) {
            let goal = go_to.target_m;
            let from = Way {
                by,
                at,
                tolerance_m: goals.tolerance_m,
                now_ns: time.now_ns,
                safety_stop,
            };
            let there = || {
                let (there, _) = located(Localisation::Truth, truth, odometry, estimate, drive);
                // Hardware has no ground truth.
                Some(distance(goal, there)).filter(|_| !is_external)
            };
            progress.diverted = true;
            let Some(event) = from.go_on(name, request, &mut go_to, &progress, there) else {
                let start = go_to.progress.and_then(|p| p.left_m).unwrap_or(at);
                let target = pursued(at, start, goal, patrol.lookahead_m);
                *plan = toward(in_agent_axes(at, yaw, target), patrol, drive);
                continue;
            };
            emit(event);
            let mut agent = commands.entity(agent);
            agent.remove::<(ActiveRequest, GoToProgress)>();
        }
        if progress.diverted {
            // Back to the waypoints from here, and not along the path that was left.
            progress.restart(time.now_ns, Some(at));
            progress.diverted = false;
        }
        // At most one per plan: a lap of coincident waypoints is no endless loop.
        if let Some(goal) = goals.current() {
            let distance_m = distance(goal, at);
            let paused = request.is_some() || stopped || safety_stop;
            if distance_m <= goals.tolerance_m {
                progress.restart(time.now_ns, None);
                let (there, _) = located(Localisation::Truth, truth, odometry, estimate, drive);
                // Hardware has no ground truth.
                let true_distance_m = Some(distance(goal, there)).filter(|_| !is_external);
                let near = goals.tolerance_m + GOAL_MARGIN_M;
                let off_m = true_distance_m.filter(|m| *m > near);
                match off_m {
                    None => goals.reached += 1,
                    Some(_) => goals.off += 1,
                }
                if by == Localisation::Truth || true_distance_m.is_some() && off_m.is_none() {
                    emit(EventKind::GoalReached(goals.passed()));
                } else {
                    if let Some(off_m) = off_m.filter(|_| goals.off <= MAX_LOGGED) {
                        log::warn!(
                            "{name}: goal {} at ({}, {}) reached at {:.1} s by {by} only: the true position is {off_m:.2} m from it",
                            goals.passed(),
                            goal[0],
                            goal[1],
                            time.now_s()
                        );
                    }
                    emit(EventKind::GoalReachedByEstimate {
                        goal: goals.passed(),
                        by,
                        true_distance_m,
                    });
                }
                if goals.done() && goals.given_up == 0 && goals.off == 0 {
                    emit(EventKind::AllGoalsReached);
                }
            } else if progress.is_over(distance_m, time.now_ns, paused) {
                goals.given_up += 1;
                // More are counted in the summary.
                if goals.given_up <= MAX_LOGGED {
                    log::warn!(
                        "{name}: goal {} at ({}, {}) given up at {:.1} s: no progress for {} s, {distance_m:.2} m from it by {by}",
                        goals.passed(),
                        goal[0],
                        goal[1],
                        time.now_s(),
                        progress.give_up_ns as f64 / 1e9
                    );
                }
                progress.restart(time.now_ns, Some(at));
                emit(EventKind::GoalGivenUp {
                    goal: goals.passed(),
                    distance_m,
                });
            }
        }
        *plan = match goals.current() {
            None => Plan::default(),
            Some(goal) => {
                let from = progress.left_m.or_else(|| goals.previous()).unwrap_or(at);
                let target = pursued(at, from, goal, patrol.lookahead_m);
                toward(in_agent_axes(at, yaw, target), patrol, drive)
            }
        };
    }
}

/// Present state of a drive to a requested place.
struct Way {
    by: Localisation,
    at: [f64; 2],
    tolerance_m: f64,
    now_ns: u64,
    safety_stop: bool,
}

impl Way {
    /// Takes the distance from the place; returns an event at the end. `true_distance_m`: by ground truth, where there is
    /// one; `own`: the agent's waypoints, which are given up after the same time.
    fn go_on(
        &self,
        name: &str,
        request: &ActiveRequest,
        go_to: &mut GoToProgress,
        own: &GoalProgress,
        true_distance_m: impl FnOnce() -> Option<f64>,
    ) -> Option<EventKind> {
        let distance_m = distance(go_to.target_m, self.at);
        go_to.distance_m = Some(distance_m);
        let progress = go_to.progress.get_or_insert(GoalProgress {
            best_m: f64::INFINITY,
            since_ns: self.now_ns,
            left_m: Some(self.at),
            ..*own
        });
        if distance_m <= self.tolerance_m {
            let near_m = self.tolerance_m + GOAL_MARGIN_M;
            let what = match true_distance_m().filter(|m| *m > near_m) {
                None => request.what.to_string(),
                Some(off_m) => format!(
                    "{}, by {} only; the true position is {off_m:.2} m from it",
                    request.what, self.by
                ),
            };
            return Some(EventKind::RequestDone {
                sender: request.sender.clone(),
                what,
            });
        }
        if self.safety_stop {
            let why = "safety stop of its governor".to_owned();
            return Some(dropped(name, request, why));
        }
        progress.is_over(distance_m, self.now_ns, false).then(|| {
            let why = format!(
                "no progress for {} s, {distance_m:.2} m from it by {}",
                progress.give_up_ns as f64 / 1e9,
                self.by
            );
            dropped(name, request, why)
        })
    }
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    libm::hypot(a[0] - b[0], a[1] - b[1])
}

/// Planning rate of an agent.
#[derive(Component, Clone, Copy, Debug)]
pub struct PlanRate(pub Rate);

/// The point on the segment that is a lookahead beyond the agent's foot point.
fn pursued(at: [f64; 2], from: [f64; 2], to: [f64; 2], lookahead_m: f64) -> [f64; 2] {
    let along = [to[0] - from[0], to[1] - from[1]];
    let length = libm::hypot(along[0], along[1]);
    if length < 1e-9 {
        return to;
    }
    let unit = [along[0] / length, along[1] / length];
    let foot = (at[0] - from[0]) * unit[0] + (at[1] - from[1]) * unit[1];
    let s = (foot + lookahead_m).clamp(0.0, length);
    [from[0] + unit[0] * s, from[1] + unit[1] * s]
}

fn in_agent_axes(at: [f64; 2], yaw: f64, p: [f64; 2]) -> [f64; 2] {
    let (sin, cos) = libm::sincos(yaw);
    let (dx, dy) = (p[0] - at[0], p[1] - at[1]);
    [cos * dx + sin * dy, cos * dy - sin * dx]
}

fn toward(target: [f64; 2], patrol: &PatrolController, drive: &Drive) -> Plan {
    let [x, y] = target;
    let bearing = wrap(libm::atan2(y, x));
    let speed = patrol.speed_m_s.min(drive.max_speed_m_s);
    let most = drive.max_curvature_1_m();
    let twist = if bearing.abs() > TURN_ON_THE_SPOT_RAD && most.is_infinite() {
        Twist2 {
            linear_m_s: 0.0,
            angular_rad_s: drive.max_yaw_rate_rad_s.copysign(bearing),
        }
    } else {
        let curvature = if inside_turn([x, y], most) {
            // No arc leads there: first away from it, then around.
            0.0
        } else if x < 0.0 {
            most.copysign(y)
        } else {
            (2.0 * y / (x * x + y * y).max(1e-6)).clamp(-most, most)
        };
        let linear_m_s = speed.min(drive.max_yaw_rate_rad_s / curvature.abs().max(1e-9));
        Twist2 {
            linear_m_s,
            angular_rad_s: linear_m_s * curvature,
        }
    };
    Plan {
        twist,
        target_m: Some(target),
    }
}

/// Whether a point lies within the sharpest turn towards it, where no arc leads.
fn inside_turn([x, y]: [f64; 2], max_curvature_1_m: f64) -> bool {
    let r = 1.0 / max_curvature_1_m;
    r > 0.0 && libm::hypot(x, y.abs() - r) < 0.98 * r
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_car_has_no_arc_into_its_turning_circle() {
        assert!(inside_turn([0.1, 0.5], 1.0) && inside_turn([0.0, -1.5], 1.0));
        assert!(!inside_turn([1.0, 0.2], 1.0) && !inside_turn([0.0, 0.5], f64::INFINITY));
    }

    #[test]
    fn the_pursued_point_stays_on_the_segment() {
        assert_eq!(
            pursued([2.0, 1.0], [0.0, 0.0], [10.0, 0.0], 1.5),
            [3.5, 0.0]
        );
        assert_eq!(
            pursued([9.5, 1.0], [0.0, 0.0], [10.0, 0.0], 1.5),
            [10.0, 0.0]
        );
        assert_eq!(
            pursued([-5.0, 0.0], [0.0, 0.0], [10.0, 0.0], 1.5),
            [0.0, 0.0]
        );
    }

    #[test]
    fn axes_turn_with_the_agent() {
        let [x, y] = in_agent_axes([1.0, 1.0], std::f64::consts::FRAC_PI_2, [1.0, 3.0]);
        assert!((x - 2.0).abs() < 1e-12 && y.abs() < 1e-12);
    }
}
