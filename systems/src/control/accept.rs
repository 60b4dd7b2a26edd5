//! Requests enter the tick: each is accepted, or refused with an event.

use super::parameters;
use super::refusal::{Refusal, check};
use super::stop::{self, StopQueue};
use crate::faults;
use crate::index::EntityIndex;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::request::{
    ActiveRequest, GoToProgress, MoveProgress, Request, RequestKind, Stopped, plain_sender,
};
use becomingone_components::scene::Agent;
use becomingone_components::time::{NS_PER_S, SimTime};
use bevy_ecs::prelude::*;
use std::collections::VecDeque;

/// Time within which an equal refusal of a streamed command is no event of its own (ns).
const REPEAT_NS: u64 = NS_PER_S;
/// Refusals that are compared.
const MAX_RECENT: usize = 16;

/// The last refusals of streamed commands: a stick sends several a second.
#[derive(Resource, Default)]
pub(super) struct RecentRefusals(VecDeque<Refused>);

struct Refused {
    sender: String,
    agent: String,
    why: Refusal,
    at_ns: u64,
}

impl RecentRefusals {
    /// Takes a refusal; returns whether it is a new one.
    fn is_new(&mut self, request: &Request, why: &Refusal, now_ns: u64) -> bool {
        self.0
            .retain(|old| now_ns.saturating_sub(old.at_ns) < REPEAT_NS);
        let mut recent = self.0.iter();
        if recent.any(|old| {
            old.sender == request.sender && old.agent == request.agent && old.why == *why
        }) {
            return false;
        }
        if self.0.len() >= MAX_RECENT {
            self.0.pop_front();
        }
        self.0.push_back(Refused {
            sender: request.sender.clone(),
            agent: request.agent.clone(),
            why: why.clone(),
            at_ns: now_ns,
        });
        true
    }
}

/// Forgets the refusals of the run before a reset.
pub(super) fn begin(mut recent: ResMut<RecentRefusals>) {
    recent.0.clear();
}

/// Applies a request, in the order in which the frames of a tick enter.
pub(super) fn accept(world: &mut World, request: &Request) {
    let now_ns = world.resource::<SimTime>().now_ns;
    let agent = world.resource::<EntityIndex>().entity(&request.agent);
    let agent = agent.filter(|agent| world.get::<Agent>(*agent).is_some());
    let Some(agent) = agent else {
        refuse(world, request, Refusal::UnknownAgent);
        return;
    };
    let is_expired = request.what != RequestKind::Stop && request.expires_ns <= now_ns;
    let checked = match is_expired {
        true => Err(Refusal::Expired),
        false => check(world, agent, &request.what),
    };
    if let Err(why) = checked {
        refuse(world, request, why);
        return;
    }
    let sender = plain_sender(&request.sender).into_owned();
    match &request.what {
        RequestKind::Stop => latch(world, agent, &request.agent, sender, now_ns),
        RequestKind::ClearStop => clear(world, agent, &request.agent, sender, now_ns),
        RequestKind::Set { parameter, value } => {
            parameters::set(world, agent, &request.agent, parameter, *value);
            done(world, request, sender, now_ns);
        }
        RequestKind::Fault {
            target,
            kind,
            for_s,
        } => {
            faults::request::begin(world, &request.agent, target, kind, *for_s);
            done(world, request, sender, now_ns);
        }
        RequestKind::EndFaults => {
            faults::request::end(world, agent);
            done(world, request, sender, now_ns);
        }
        _ => {
            let why = format!("replaced by a request of {sender}");
            drop_active(world, agent, &request.agent, why, now_ns);
            begin_request(world, agent, request, sender, now_ns);
        }
    }
}

/// Event of a request that is done at once.
fn done(world: &mut World, request: &Request, sender: String, now_ns: u64) {
    let what = request.what.to_string();
    log::info!("{}: request of {sender}: {what}", request.agent);
    let done = EventKind::RequestDone { sender, what };
    emit(world, &request.agent, done, now_ns);
}

fn begin_request(world: &mut World, agent: Entity, request: &Request, sender: String, now_ns: u64) {
    let mut agent = world.entity_mut(agent);
    agent.insert(ActiveRequest {
        sender,
        what: request.what.clone(),
        expires_ns: request.expires_ns,
    });
    match request.what {
        RequestKind::GoTo { x_m, y_m } => {
            agent.insert(GoToProgress {
                target_m: [x_m, y_m],
                distance_m: None,
                progress: None,
            });
        }
        RequestKind::Move { distance_m: left } | RequestKind::Turn { angle_rad: left } => {
            agent.insert(MoveProgress {
                left,
                start: None,
                least: left.abs(),
                since_ns: now_ns,
                still: (left, now_ns),
                near_since_ns: None,
            });
        }
        _ => {}
    }
}

/// Ends the request in force; one that is not done yet has an event.
fn drop_active(world: &mut World, agent: Entity, name: &str, why: String, now_ns: u64) {
    let mut entity = world.entity_mut(agent);
    let Some(active) = entity.take::<ActiveRequest>() else {
        return;
    };
    entity.remove::<(GoToProgress, MoveProgress)>();
    if !active.what.is_streamed() {
        emit(world, name, dropped(name, &active, why), now_ns);
    }
}

/// Event of a request that ends before it is done.
pub(super) fn dropped(name: &str, active: &ActiveRequest, why: String) -> EventKind {
    let ActiveRequest { sender, what, .. } = active;
    log::warn!("{name}: request of {sender} dropped: {what}: {why}");
    EventKind::RequestDropped {
        sender: sender.clone(),
        what: what.to_string(),
        why,
    }
}

fn latch(world: &mut World, agent: Entity, name: &str, sender: String, now_ns: u64) {
    if let Some(mut stopped) = world.get_mut::<Stopped>(agent) {
        stopped.last_ns = now_ns;
        return;
    }
    log::warn!("{name}: stopped by {sender}; only a request to clear the stop ends it");
    world
        .resource::<StopQueue>()
        .set_latched(name, Some(&sender));
    stop::hold_last(world, agent);
    world.entity_mut(agent).insert(Stopped {
        sender: sender.clone(),
        since_ns: now_ns,
        last_ns: now_ns,
    });
    emit(world, name, EventKind::Stopped(sender.clone()), now_ns);
    drop_active(world, agent, name, format!("stopped by {sender}"), now_ns);
}

fn clear(world: &mut World, agent: Entity, name: &str, sender: String, now_ns: u64) {
    log::warn!("{name}: stop cleared by {sender}");
    world.resource::<StopQueue>().set_latched(name, None);
    world.entity_mut(agent).remove::<Stopped>();
    emit(world, name, EventKind::StopCleared(sender), now_ns);
}

fn refuse(world: &mut World, request: &Request, why: Refusal) {
    let now_ns = world.resource::<SimTime>().now_ns;
    if request.what.is_streamed() {
        let mut recent = world.get_resource_or_init::<RecentRefusals>();
        if !recent.is_new(request, &why, now_ns) {
            return;
        }
    }
    let [agent, sender] = [&request.agent, &request.sender].map(|name| plain_sender(name));
    log::warn!("{agent}: request of {sender} refused: {why}");
    let refused = EventKind::RequestRefused {
        sender: sender.into_owned(),
        why: why.to_string(),
    };
    emit(world, &agent, refused, now_ns);
}

fn emit(world: &mut World, agent: &str, kind: EventKind, now_ns: u64) {
    world.write_message(AgentEvent {
        now_ns,
        agent: agent.to_owned(),
        kind,
    });
}
