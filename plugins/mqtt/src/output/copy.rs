//! Systems that copy the state of the agents, and pass commands on as requests.

use super::board::Board;
use super::topics::id as id_of;
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::control::DrivenBy;
use becomingone_components::drive::Twist2;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::joints::JointTargets;
use becomingone_components::link::Source;
use becomingone_components::request::{Request, RequestKind};
use becomingone_components::scene::Agent;
use becomingone_components::time::{NS_PER_S, SimTime};
use becomingone_components::vehicle::Ackermann;
use becomingone_components::view::AgentState;
use becomingone_systems::control::requests::RequestQueue;
use becomingone_systems::links::OutputLinks;
use becomingone_systems::view::agent_state;
use bevy_ecs::message::MessageCursor;
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
    world: &mut World,
    mut cursor: Local<MessageCursor<AgentEvent>>,
    agents: &mut QueryState<(Entity, &Name), With<Agent>>,
) {
    let now_ns = world.resource::<SimTime>().now_ns;
    world.resource_scope(|world, mut causes: Mut<Causes>| {
        let mut is_urgent = false;
        for event in cursor.read(world.resource::<Messages<AgentEvent>>()) {
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
        let is_due = now_ns >= causes.next_ns || causes.next_ns > now_ns + EVERY_NS;
        if !is_due && !is_urgent {
            return;
        }
        causes.next_ns = now_ns + EVERY_NS;
        let state = |(agent, name): (Entity, &Name)| {
            let cause = causes.of.get(name.as_str()).map(String::as_str);
            agent_state(world, agent, cause)
        };
        let mut all: Vec<AgentState> = agents.iter(world).map(state).collect();
        all.sort_by(|a, b| a.agent.cmp(&b.agent));
        let mut content = world.resource::<Board>().lock();
        content.agents = all;
        content.is_urgent |= is_urgent;
    });
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
