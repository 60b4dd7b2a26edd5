//! Systems that copy the state of the agents, and pass commands on as requests.

use super::board::Board;
use super::command::Command;
use super::topics::id as id_of;
use becomingone_components::control::DrivenBy;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::link::Source;
use becomingone_components::request::{Request, RequestKind};
use becomingone_components::scene::Agent;
use becomingone_components::time::{NS_PER_S, SimTime};
use becomingone_components::view::AgentState;
use becomingone_systems::control::refusal::check;
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
pub(super) fn take_commands(world: &mut World) {
    let board = world.resource::<Board>().clone();
    let commands = board.lock().take_commands();
    if commands.is_empty() {
        return;
    }
    let mut agents = world.query_filtered::<(Entity, &Name), With<Agent>>();
    let agents: Vec<_> = agents
        .iter(world)
        .map(|(entity, name)| (id_of(name), entity, name.to_string()))
        .collect();
    for (id, command) in commands {
        let named = agents.iter().find(|(known, ..)| *known == id);
        let done = match named {
            Some((_, entity, name)) => pass_on(world, *entity, name, command),
            None => Err(format!("found no agent `{id}`")),
        };
        if let Err(reason) = done {
            board.lock().refuse(id, reason);
        }
    }
}

fn pass_on(world: &World, agent: Entity, name: &str, command: Command) -> Result<(), String> {
    let Command { what, for_ns } = command;
    if what != RequestKind::Stop {
        let fits = check(world, agent, &what);
        fits.map_err(|refusal| format!("{name}: {refusal}"))?;
        let drive = world.get::<DrivenBy>(agent);
        let drive = drive.and_then(|driven| world.get::<Source>(driven.0));
        let outputs = world.get_resource::<OutputLinks>();
        if matches!(drive, Some(Source::Driver(..))) && !outputs.is_some_and(|o| o.armed) {
            return Err(format!(
                "{name}: hardware is not armed; expected a run with --arm"
            ));
        }
    }
    let now_ns = world.resource::<SimTime>().now_ns;
    let queued = world.resource::<RequestQueue>().push(Request {
        sender: SENDER.to_owned(),
        agent: name.to_owned(),
        what,
        expires_ns: now_ns.saturating_add(for_ns),
    });
    match queued {
        true => Ok(()),
        false => Err(format!("{name}: found a full queue of requests")),
    }
}
