//! State of agents as others see it from outside.

use crate::control::refusal;
use becomingone_components::body::{TruePose, TrueTwist};
use becomingone_components::coherence::Coherence;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Odometry, Twist2};
use becomingone_components::governor::Governor;
use becomingone_components::localisation::Estimate;
use becomingone_components::request::{ActiveRequest, GoToProgress, RequestKind, Stopped};
use becomingone_components::time::SimTime;
use becomingone_components::view::{AgentState, GoalState, KernelState, Mode, Place, Velocity};
use bevy_ecs::prelude::*;

/// A goal that no agent with a planner refuses for its numbers.
const ANYWHERE: RequestKind = RequestKind::GoTo { x_m: 0.0, y_m: 0.0 };

/// State of an agent; `cause` is the isolated channel of its last alarm.
pub fn agent_state(world: &World, agent: Entity, cause: Option<&str>) -> AgentState {
    let coherence = world.get::<Coherence>(agent);
    let request = world.get::<ActiveRequest>(agent);
    let stopped = world.get::<Stopped>(agent);
    let alarm = coherence.is_some_and(|c| c.dissipated == Some(true));
    let (pose, velocity) = place(world, agent).unzip();
    AgentState {
        agent: world
            .get::<Name>(agent)
            .map_or_else(String::new, Name::to_string),
        time_s: world.resource::<SimTime>().now_s(),
        mode: match world.get::<Governor>(agent) {
            _ if stopped.is_some() => Mode::Stopped,
            Some(governor) if governor.stopped => Mode::SafetyStop,
            Some(governor) if governor.limit < 1.0 => Mode::Limited,
            _ if request.is_some() => Mode::Request,
            _ if world.get::<DrivenBy>(agent).is_some() => Mode::Controller,
            _ => Mode::NoDrive,
        },
        pose,
        velocity,
        kernel: coherence.map(kernel),
        alarm,
        cause: cause.filter(|_| alarm).map(str::to_owned),
        request: request.map(|request| request.sender.clone()),
        goal: world.get::<GoToProgress>(agent).map(|progress| GoalState {
            x_m: progress.target_m[0],
            y_m: progress.target_m[1],
            distance_m: progress.distance_m,
        }),
        goal_refusal: refusal::check(world, agent, &ANYWHERE)
            .err()
            .map(|reason| reason.to_string()),
        stopped_by: stopped.map(|stopped| stopped.sender.clone()),
    }
}

/// Where an agent is and how it moves: by its filter, else by its odometry, else by the simulation. None without a body.
pub fn place(world: &World, agent: Entity) -> Option<(Place, Velocity)> {
    let of = |[x_m, y_m, yaw_rad]: [f64; 3], twist: Twist2, from| {
        let velocity = Velocity {
            linear_m_s: twist.linear_m_s,
            angular_rad_s: twist.angular_rad_s,
        };
        let place = Place {
            x_m,
            y_m,
            yaw_rad,
            from,
        };
        (place, velocity)
    };
    if let Some(e) = world.get::<Estimate>(agent) {
        return Some(of([e.x_m, e.y_m, e.yaw_rad], e.twist, "filter"));
    }
    if let Some(o) = world.get::<Odometry>(agent) {
        return Some(of([o.x_m, o.y_m, o.yaw_rad], o.twist, "odometry"));
    }
    let pose = world.get::<TruePose>(agent)?.0;
    let twist = world.get::<TrueTwist>(agent)?;
    let forward = pose.rotation * glam::Vec3::X;
    let yaw_rad = libm::atan2(f64::from(forward.y), f64::from(forward.x));
    let along = Twist2 {
        linear_m_s: f64::from(forward.dot(twist.linear_m_s)),
        angular_rad_s: f64::from(twist.angular_rad_s.z),
    };
    let [x, y, _] = pose.translation_m.to_array().map(f64::from);
    Some(of([x, y, yaw_rad], along, "simulation"))
}

fn kernel(coherence: &Coherence) -> KernelState {
    KernelState {
        order: coherence.order,
        order_master: coherence.order_master,
        coherence: coherence.coherence,
        surprise: coherence.surprise,
        synchronization: match coherence {
            c if c.dissipated == Some(true) => "dissipated",
            c if c.collapsed => "collapsed",
            c if c.aligned => "aligned",
            c if c.parted => "apart",
            _ => "neither",
        },
    }
}
