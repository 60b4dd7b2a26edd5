//! What clients tell a run: checked at the end of a tick, and given to the next one as requests.

use becomingone::components::control::DrivenBy;
use becomingone::components::link::Source;
use becomingone::components::request::{ActiveRequest, Request, RequestKind};
use becomingone::components::time::SimTime;
use becomingone::systems::control::refusal;
use becomingone::systems::control::requests::RequestQueue;
use becomingone::systems::index::EntityIndex;
use becomingone::systems::links::OutputLinks;
use becomingone::systems::tick::{Paused, Reset, ResetSystems, Tick, TickSystems};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Sender of the requests.
pub(crate) const SENDER: &str = "api";
/// Sender of those that came by Foxglove's protocol.
pub(crate) const FOXGLOVE: &str = "foxglove";
/// Most commands that wait for a tick.
const MAX_WAITING: usize = 256;

/// A command that waits.
struct Command {
    sender: &'static str,
    agent: String,
    what: RequestKind,
    lasts: Duration,
    /// Number of the lease by which it is given; none of what needs none.
    lease: Option<u64>,
    reply: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// A command that was given to the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Accepted {
    /// It is applied with the tick of this number.
    pub(crate) tick: u64,
    /// It ends at this time of the run (s).
    pub(crate) expires_s: f64,
}

/// Why a command is not given to the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The agent cannot follow it.
    Run(refusal::Refusal),
    /// Hardware is not armed.
    NotArmed,
    /// Too many wait.
    Full,
    /// No tick takes it.
    NoTick,
    /// Its lease ended while it waited.
    LeaseOver,
}

/// Commands that wait for the tick; clones share them.
#[derive(Resource, Clone, Default)]
pub(crate) struct Commands(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    any: AtomicBool,
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    commands: VecDeque<Command>,
    /// Agents whose requests end now.
    released: BTreeSet<String>,
    /// The latest lease of each agent that ended: commands by it, or by earlier ones, are not taken any more.
    ended: BTreeMap<String, u64>,
}

impl Commands {
    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a command to the run; waits until a tick has checked it, at most for `within`.
    pub(crate) async fn give(
        &self,
        agent: &str,
        what: RequestKind,
        lasts: Duration,
        lease: Option<u64>,
        within: Duration,
    ) -> Result<Accepted, Refusal> {
        self.give_as(SENDER, agent, what, lasts, lease, within)
            .await
    }

    /// The same, of another sender.
    pub(crate) async fn give_as(
        &self,
        sender: &'static str,
        agent: &str,
        what: RequestKind,
        lasts: Duration,
        lease: Option<u64>,
        within: Duration,
    ) -> Result<Accepted, Refusal> {
        let (reply, replied) = oneshot::channel();
        {
            let mut queues = self.lock();
            if queues.commands.len() >= MAX_WAITING {
                return Err(Refusal::Full);
            }
            queues.commands.push_back(Command {
                sender,
                agent: agent.to_owned(),
                what,
                lasts,
                lease,
                reply,
            });
            self.0.any.store(true, Ordering::Release);
        }
        // Nobody waits any more then: the tick does not apply it.
        match tokio::time::timeout(within, replied).await {
            Ok(Ok(done)) => done,
            _ => Err(Refusal::NoTick),
        }
    }

    /// Ends the request of an agent.
    pub(crate) fn release(&self, agent: String) {
        self.lock().released.insert(agent);
        self.0.any.store(true, Ordering::Release);
    }

    /// Ends what was asked for by this lease of an agent, also what waits.
    pub(crate) fn end_lease(&self, agent: String, lease: u64) {
        let mut queues = self.lock();
        queues.ended.insert(agent.clone(), lease);
        queues.released.insert(agent);
        self.0.any.store(true, Ordering::Release);
    }
}

/// Takes commands at the end of each tick.
pub(crate) struct CommandPlugin(pub(crate) Commands);

impl Plugin for CommandPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .init_resource::<Given>()
            .add_systems(Reset, forget.in_set(ResetSystems::Gather))
            .add_systems(
                Tick,
                // It changes the queue of the next tick alone.
                take.in_set(TickSystems::Publish).ambiguous_with_all(),
            )
            .add_systems(Paused, take);
    }
}

fn take(world: &mut World) {
    let commands = world.resource::<Commands>();
    if !commands.0.any.load(Ordering::Acquire) {
        return;
    }
    let commands = commands.clone();
    let (waiting, released, ended) = {
        let mut queues = commands.lock();
        commands.0.any.store(false, Ordering::Release);
        let waiting = std::mem::take(&mut queues.commands);
        let released = std::mem::take(&mut queues.released);
        (waiting, released, queues.ended.clone())
    };
    let queue = world.resource::<RequestQueue>().clone();
    let &SimTime {
        now_ns,
        tick,
        tick_ns,
        ..
    } = world.resource::<SimTime>();
    // First: of a lease that replaces another one, commands are to hold.
    for agent in released {
        let Some((sender, what)) = standstill(world, &agent, tick) else {
            continue;
        };
        // It replaces the one in force, and expires with the tick after the next: the safe command is left.
        queue.push(Request {
            sender,
            agent,
            what,
            expires_ns: now_ns.saturating_add(tick_ns.saturating_mul(2)),
        });
    }
    for command in waiting {
        if command.reply.is_closed() {
            continue;
        }
        let ended = ended.get(&command.agent);
        if command
            .lease
            .is_some_and(|lease| ended.is_some_and(|ended| lease <= *ended))
        {
            let _ = command.reply.send(Err(Refusal::LeaseOver));
            continue;
        }
        let lasts_ns = u64::try_from(command.lasts.as_nanos()).unwrap_or(u64::MAX);
        let expires_ns = now_ns.saturating_add(lasts_ns);
        let moves = moves(&command.what);
        let given = (command.sender, command.agent.clone(), command.what.clone());
        let done = check(world, &command.agent, &command.what).and_then(|()| {
            let queued = queue.push(Request {
                sender: command.sender.to_owned(),
                agent: command.agent,
                what: command.what,
                expires_ns,
            });
            match queued {
                true => Ok(Accepted {
                    tick: tick + 1,
                    expires_s: expires_ns as f64 * 1e-9,
                }),
                false => Err(Refusal::Full),
            }
        });
        if moves && done.is_ok() {
            let (sender, agent, what) = given;
            let mut all = world.resource_mut::<Given>();
            all.0.insert(agent, (tick + 1, sender, what));
        }
        let _ = command.reply.send(done);
    }
}

/// The last command that was given to each agent, and the tick that applies it: in a pause it waits for that.
#[derive(Resource, Default)]
struct Given(BTreeMap<String, (u64, &'static str, RequestKind)>);

/// Forgets what was given before a reset, which drops requests that wait.
fn forget(mut given: ResMut<Given>) {
    given.0.clear();
}

fn drive(world: &World, agent: &str) -> Option<Entity> {
    let agent = world.resource::<EntityIndex>().entity(agent)?;
    world.get::<DrivenBy>(agent).map(|driven| driven.0)
}

/// Whether a request fits an agent's drive, and may move it.
fn check(world: &World, agent: &str, what: &RequestKind) -> Result<(), Refusal> {
    let Some(entity) = world.resource::<EntityIndex>().entity(agent) else {
        return Err(Refusal::Run(refusal::Refusal::UnknownAgent));
    };
    refusal::check(world, entity, what).map_err(Refusal::Run)?;
    let drive = drive(world, agent).and_then(|drive| world.get::<Source>(drive));
    let is_hardware = matches!(drive, Some(Source::Driver(..)));
    let armed = world
        .get_resource::<OutputLinks>()
        .is_some_and(|outputs| outputs.armed);
    if is_hardware && !armed && moves(what) {
        return Err(Refusal::NotArmed);
    }
    Ok(())
}

/// Whether a request is one that an actuator follows.
fn moves(what: &RequestKind) -> bool {
    *what != RequestKind::ClearStop && !what.is_immediate()
}

/// A command of standstill, of the kind of an agent's drive, and the sender of the request that it replaces; none where
/// no request of a client is in force.
fn standstill(world: &World, agent: &str, now: u64) -> Option<(String, RequestKind)> {
    let entity = world.resource::<EntityIndex>().entity(agent)?;
    // One that the next tick applies counts as well.
    let given = world.resource::<Given>().0.get(agent);
    let given = given.filter(|(tick, ..)| *tick > now);
    let active = world.get::<ActiveRequest>(entity);
    let active = active.filter(|active| [SENDER, FOXGLOVE].contains(&active.sender.as_str()));
    let (sender, request) = match (given, active) {
        (Some((_, sender, what)), _) => ((*sender).to_owned(), what),
        (None, Some(active)) => (active.sender.clone(), &active.what),
        (None, None) => return None,
    };
    let what = match request {
        // Where they are to be already.
        joints @ RequestKind::Joints { .. } => joints.clone(),
        _ => RequestKind::Stick {
            forward: 0.0,
            left: 0.0,
        },
    };
    Some((sender, what))
}
