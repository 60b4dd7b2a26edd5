//! Systems that copy the state of the agents, and pass commands on as requests.

use super::board::Board;
use super::status::{Kernel, Mode, Place, Status, Velocity};
use super::topics::id as id_of;
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::{TruePose, TrueTwist};
use becomingone_components::coherence::Coherence;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::{Odometry, Twist2};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::governor::Governor;
use becomingone_components::joints::JointTargets;
use becomingone_components::link::Source;
use becomingone_components::localisation::Estimate;
use becomingone_components::request::{ActiveRequest, Request, RequestKind};
use becomingone_components::scene::Agent;
use becomingone_components::time::{NS_PER_S, SimTime};
use becomingone_components::vehicle::Ackermann;
use becomingone_systems::control::requests::RequestQueue;
use becomingone_systems::links::OutputLinks;
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;

/// Time of the run between two copies (ns).
const EVERY_NS: u64 = NS_PER_S / 20;
/// Sender of the requests.
const SENDER: &str = "mqtt";

/// Isolated channels of the alarms, by agent, and the time of the next copy (ns).
#[derive(Resource, Default)]
pub(super) struct Causes {
    of: BTreeMap<String, String>,
    next_ns: u64,
}

/// Copies the state of each agent, at a rate of the run's time and where an alarm changes.
pub(super) fn copy(
    time: Res<SimTime>,
    board: Res<Board>,
    mut causes: ResMut<Causes>,
    mut events: MessageReader<AgentEvent>,
    agents: Query<
        (
            &Name,
            Option<&Coherence>,
            Option<&Estimate>,
            Option<&Odometry>,
            Option<(&TruePose, &TrueTwist)>,
            Option<&Governor>,
            Option<&ActiveRequest>,
            Has<DrivenBy>,
        ),
        With<Agent>,
    >,
) {
    let mut is_urgent = false;
    for event in events.read() {
        match &event.kind {
            EventKind::AlarmRaised { cause } => {
                causes.of.insert(event.agent.clone(), cause.clone());
            }
            EventKind::AlarmCleared => {
                causes.of.remove(&event.agent);
            }
            EventKind::SafetyStop(_) => {}
            _ => continue,
        }
        is_urgent = true;
    }
    // Time goes back at a reset.
    let is_due = time.now_ns >= causes.next_ns || causes.next_ns > time.now_ns + EVERY_NS;
    if !is_due && !is_urgent {
        return;
    }
    causes.next_ns = time.now_ns + EVERY_NS;
    let mut all: Vec<Status> = agents
        .iter()
        .map(
            |(name, coherence, estimate, odometry, truth, governor, request, is_driven)| {
                let alarm = coherence.is_some_and(|c| c.dissipated == Some(true));
                let (pose, velocity) = place(estimate, odometry, truth);
                Status {
                    agent: name.to_string(),
                    time_s: time.now_ns as f64 / NS_PER_S as f64,
                    mode: match governor {
                        Some(governor) if governor.stopped => Mode::SafetyStop,
                        Some(governor) if governor.limit < 1.0 => Mode::Limited,
                        _ if request.is_some() => Mode::Request,
                        _ if is_driven => Mode::Controller,
                        _ => Mode::NoDrive,
                    },
                    pose,
                    velocity,
                    kernel: coherence.map(kernel),
                    alarm,
                    cause: causes.of.get(name.as_str()).filter(|_| alarm).cloned(),
                    request: request.map(|request| request.sender.clone()),
                }
            },
        )
        .collect();
    all.sort_by(|a, b| a.agent.cmp(&b.agent));
    let mut content = board.lock();
    content.agents = all;
    content.is_urgent |= is_urgent;
}

fn place(
    estimate: Option<&Estimate>,
    odometry: Option<&Odometry>,
    truth: Option<(&TruePose, &TrueTwist)>,
) -> (Option<Place>, Option<Velocity>) {
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
        (Some(place), Some(velocity))
    };
    match (estimate, odometry, truth) {
        (Some(e), _, _) => of([e.x_m, e.y_m, e.yaw_rad], e.twist, "filter"),
        (_, Some(o), _) => of([o.x_m, o.y_m, o.yaw_rad], o.twist, "odometry"),
        (_, _, Some((TruePose(pose), twist))) => {
            let forward = pose.rotation * glam::Vec3::X;
            let yaw_rad = libm::atan2(f64::from(forward.y), f64::from(forward.x));
            let along = Twist2 {
                linear_m_s: f64::from(forward.dot(twist.linear_m_s)),
                angular_rad_s: f64::from(twist.angular_rad_s.z),
            };
            let [x, y, _] = pose.translation_m.to_array().map(f64::from);
            of([x, y, yaw_rad], along, "simulation")
        }
        _ => (None, None),
    }
}

fn kernel(coherence: &Coherence) -> Kernel {
    Kernel {
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

/// Passes commands on as requests, which enter with the next tick, or refuses them.
pub(super) fn take_commands(
    time: Res<SimTime>,
    board: Res<Board>,
    queue: Res<RequestQueue>,
    outputs: Option<Res<OutputLinks>>,
    agents: Query<(&Name, Option<&DrivenBy>), With<Agent>>,
    drives: Query<(
        Has<ActuatorTarget<Twist2>>,
        Has<ActuatorTarget<Ackermann>>,
        Has<ActuatorTarget<JointTargets>>,
        Option<&Source>,
    )>,
) {
    let mut content = board.lock();
    while let Some((id, command)) = content.next_command() {
        let refusal = 'refused: {
            let mut agents = agents.iter();
            let Some((agent, driven)) = agents.find(|(name, _)| id_of(name) == id) else {
                break 'refused Some(format!("found no agent `{id}`"));
            };
            let Some(drive) = driven.and_then(|driven| drives.get(driven.0).ok()) else {
                break 'refused Some(format!("{agent} has no drive"));
            };
            let (expected, fits) = match (&command.what, drive) {
                (RequestKind::Stick { .. }, _) => ("stick", true),
                (what, (true, ..)) => ("twist", matches!(what, RequestKind::Twist { .. })),
                (what, (_, true, ..)) => {
                    ("ackermann", matches!(what, RequestKind::Ackermann { .. }))
                }
                (what, _) => ("joints", matches!(what, RequestKind::Joints { .. })),
            };
            if !fits {
                break 'refused Some(format!(
                    "{agent}: found another kind; expected `{expected}`"
                ));
            }
            let is_hardware = matches!(drive.3, Some(Source::Driver(..)));
            if is_hardware && !outputs.as_ref().is_some_and(|outputs| outputs.armed) {
                break 'refused Some(format!(
                    "{agent}: hardware is not armed; expected a run with --arm"
                ));
            }
            let queued = queue.push(Request {
                sender: SENDER.to_owned(),
                agent: agent.to_string(),
                what: command.what,
                expires_ns: time.now_ns.saturating_add(command.for_ns),
            });
            (!queued).then(|| format!("{agent}: found a full queue of requests"))
        };
        if let Some(reason) = refusal {
            content.refuse(id, reason);
        }
    }
}
