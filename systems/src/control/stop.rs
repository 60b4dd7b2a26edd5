//! Latched stops: a queue of their own, which is never full, and the safe command while a stop is latched.

use super::servo::rest_positions;
use crate::hash::{Bits, HashState};
use crate::links::{InputLink, InputSample};
use becomingone_components::actuator::{ActuatorCommand, ActuatorTarget};
use becomingone_components::drive::Twist2;
use becomingone_components::governor::Governed;
use becomingone_components::joints::JointTargets;
use becomingone_components::link::{ExternalActuator, Payload};
use becomingone_components::nearest::did_you_mean;
use becomingone_components::request::{
    REQUEST_LIFETIME_NS, REQUESTS, Request, RequestKind, Stopped, plain_sender,
};
use becomingone_components::scene::Agent;
use becomingone_components::vehicle::Ackermann;
use bevy_ecs::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A stop for a name that no agent has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found no agent `{name}` to stop; expected one of {}{}", .known.join(", "), did_you_mean(.name, .known.iter().map(String::as_str)))]
pub struct UnknownAgent {
    /// The name.
    pub name: String,
    /// Names of all agents.
    pub known: Vec<String>,
}

/// Stops that wait for the next tick, at most one an agent. Clones share the queue, so that any thread may stop an
/// agent.
///
/// It is no part of [`RequestQueue`](super::requests::RequestQueue), which may be full: a stop for an agent of the run is
/// never refused. Waiting stops enter before all other requests of their tick. A reset of the run keeps them, and
/// repeats those that have latched.
///
/// ```
/// use becomingone_systems::control::stop::StopQueue;
///
/// let queue = StopQueue::default();
/// queue.set_agents(["rover".to_owned()]);
/// queue.push("rover", "web page")?;
/// queue.push("rover", "console")?; // one is waiting already
/// assert_eq!(queue.stopped_by("rover").as_deref(), Some("web page"));
/// assert!(queue.push("rovr", "console").is_err());
/// # Ok::<(), becomingone_systems::control::stop::UnknownAgent>(())
/// ```
#[derive(Resource, Clone, Default)]
pub struct StopQueue(Arc<Stops>);

#[derive(Default)]
struct Stops {
    agents: Mutex<BTreeMap<String, Stop>>,
    any: AtomicBool,
}

/// Senders of an agent's stops.
#[derive(Default)]
struct Stop {
    waiting: Option<String>,
    latched: Option<String>,
}

impl StopQueue {
    /// Stops an agent from the next tick on. While a stop is waiting, another one adds nothing.
    ///
    /// # Errors
    ///
    /// [`UnknownAgent`].
    pub fn push(&self, agent: &str, sender: &str) -> Result<(), UnknownAgent> {
        let mut agents = self.agents();
        let Some(stop) = agents.get_mut(agent) else {
            return Err(UnknownAgent {
                name: agent.to_owned(),
                known: agents.keys().cloned().collect(),
            });
        };
        stop.waiting
            .get_or_insert_with(|| plain_sender(sender).into_owned());
        self.0.any.store(true, Ordering::Release);
        Ok(())
    }

    /// Sender of the agent's stop, latched or waiting; none for an agent that is not stopped.
    pub fn stopped_by(&self, agent: &str) -> Option<String> {
        let agents = self.agents();
        let stop = agents.get(agent)?;
        stop.latched.clone().or_else(|| stop.waiting.clone())
    }

    /// Sets the names that can be stopped; stops of these agents are kept.
    pub fn set_agents(&self, names: impl IntoIterator<Item = String>) {
        let mut agents = self.agents();
        let mut before = std::mem::take(&mut *agents);
        agents.extend(names.into_iter().map(|name| {
            let stop = before.remove(&name).unwrap_or_default();
            (name, stop)
        }));
    }

    /// Marks the stop of an agent as latched by this sender, or as cleared.
    pub(super) fn set_latched(&self, agent: &str, sender: Option<&str>) {
        if let Some(stop) = self.agents().get_mut(agent) {
            stop.latched = sender.map(str::to_owned);
        }
    }

    /// Repeats the latched stops: the run restarts.
    fn repeat(&self) {
        let mut agents = self.agents();
        for stop in agents.values_mut() {
            let latched = stop.latched.take();
            stop.waiting = stop.waiting.take().or(latched);
        }
        let any = agents.values().any(|stop| stop.waiting.is_some());
        self.0.any.store(any, Ordering::Release);
    }

    fn agents(&self) -> MutexGuard<'_, BTreeMap<String, Stop>> {
        self.0.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tick side of a [`StopQueue`].
pub(super) struct StopLink(pub(super) StopQueue);

impl InputLink for StopLink {
    fn link(&self) -> &str {
        REQUESTS
    }

    fn rank(&self) -> u8 {
        0
    }

    fn is_waiting(&self, _: u64) -> bool {
        self.0.0.any.load(Ordering::Acquire)
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        let mut agents = self.0.agents();
        self.0.0.any.store(false, Ordering::Release);
        for (agent, stop) in &mut *agents {
            let Some(sender) = stop.waiting.take() else {
                continue;
            };
            give(InputSample {
                source_ns: now_ns,
                arrival_ns: now_ns,
                payload: Payload::Request(Request {
                    sender,
                    agent: agent.clone(),
                    what: RequestKind::Stop,
                    expires_ns: now_ns.saturating_add(REQUEST_LIFETIME_NS),
                }),
            });
        }
    }

    /// Keeps what is waiting: a stop may arrive just before a reset.
    fn reset(&mut self) {}
}

/// Reads the names of all agents.
pub(super) fn list_agents(agents: Query<&Name, With<Agent>>, queue: Res<StopQueue>) {
    queue.set_agents(agents.iter().map(Name::to_string));
}

/// Latched stops outlast a reset: they enter with its first tick.
pub(super) fn repeat_latched(queue: Res<StopQueue>) {
    queue.repeat();
}

/// Safe command of an actuator, from the stop of its agent on.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Held<T: Send + Sync + 'static>(pub T);

/// Gives every actuator of an agent its safe command: that of its last command before the stop. Joints of the
/// simulation stop where they are, not at their targets.
pub(super) fn hold_last(world: &mut World, agent: Entity) {
    let children = world.get::<Children>(agent);
    let actuators: Vec<Entity> = children.into_iter().flatten().copied().collect();
    for actuator in actuators {
        hold_one::<Twist2>(world, actuator, |_, _| ());
        hold_one::<Ackermann>(world, actuator, |_, _| ());
        hold_one::<JointTargets>(world, actuator, |world, safe| {
            if world.get::<ExternalActuator>(actuator).is_none()
                && let Some(positions) = rest_positions(world, agent, actuator)
            {
                safe.positions = positions;
            }
        });
    }
}

fn hold_one<T: ActuatorCommand>(
    world: &mut World,
    actuator: Entity,
    correct: impl FnOnce(&World, &mut T),
) {
    let Some(target) = world.get::<ActuatorTarget<T>>(actuator) else {
        return;
    };
    let mut safe = target.0.safe();
    correct(world, &mut safe);
    world.entity_mut(actuator).insert(Held(safe));
}

/// While a stop is latched, the command of each actuator is the safe one, whatever controllers and requests write.
/// Actuators of a plugin's own kind are stopped where the plugin adds this system for it, in
/// [`Last(TickSystems::Govern)`](crate::tick::Last).
pub fn hold<T: ActuatorCommand + Clone + PartialEq>(
    stopped: Query<(), With<Stopped>>,
    mut actuators: Query<(
        Entity,
        &ChildOf,
        &mut ActuatorTarget<T>,
        Option<&mut Governed<T>>,
        Option<&Held<T>>,
    )>,
    mut commands: Commands,
) {
    for (actuator, of, mut target, governed, held) in &mut actuators {
        if !stopped.contains(of.parent()) {
            if held.is_some() {
                commands.entity(actuator).remove::<Held<T>>();
            }
            continue;
        }
        let safe = held.map_or_else(|| target.0.safe(), |held| held.0.clone());
        if held.is_none() {
            commands.entity(actuator).insert(Held(safe.clone()));
        }
        // The governor must not restore the command before the stop.
        if let Some(mut governed) = governed {
            governed.0 = safe.clone();
        }
        // A write counts as one of the controller, which has a time-out: only where it is needed.
        if target.0 != safe {
            target.0 = safe;
        }
    }
}

impl HashState for Stopped {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.since_ns);
        bits.u64(self.last_ns);
        bits.bytes(self.sender.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(queue: &StopQueue) -> Vec<(String, String)> {
        let mut all = Vec::new();
        StopLink(queue.clone()).drain(0, &mut |sample| {
            if let Payload::Request(request) = sample.payload {
                assert_eq!(request.what, RequestKind::Stop);
                all.push((request.agent, request.sender));
            }
        });
        all
    }

    #[test]
    fn one_stop_an_agent_waits_and_none_is_refused() {
        let queue = StopQueue::default();
        queue.set_agents(["b".to_owned(), "a".to_owned()]);
        for k in 0..100_000 {
            queue.push("b", &format!("client {k}")).unwrap();
        }
        queue.push("a", "person").unwrap();
        let stop = |agent: &str, sender: &str| (agent.to_owned(), sender.to_owned());
        assert_eq!(
            drained(&queue),
            [stop("a", "person"), stop("b", "client 0")]
        );
        assert!(drained(&queue).is_empty());
        let error = queue.push("bb", "person").unwrap_err().to_string();
        assert_eq!(
            error,
            "found no agent `bb` to stop; expected one of a, b; did you mean `b`?"
        );
    }

    #[test]
    fn a_latched_stop_is_repeated_at_a_reset_and_a_cleared_one_is_not() {
        let queue = StopQueue::default();
        queue.set_agents(["a".to_owned(), "b".to_owned()]);
        queue.set_latched("a", Some("person"));
        queue.set_latched("b", Some("person"));
        queue.set_latched("b", None);
        queue.set_agents(["a".to_owned(), "b".to_owned()]);
        queue.repeat();
        assert_eq!(queue.stopped_by("a").as_deref(), Some("person"));
        assert_eq!(queue.stopped_by("b"), None);
        assert_eq!(drained(&queue), [("a".to_owned(), "person".to_owned())]);
    }

    #[test]
    fn a_stop_before_a_reset_is_not_lost() {
        let queue = StopQueue::default();
        queue.set_agents(["a".to_owned()]);
        queue.push("a", "person").unwrap();
        StopLink(queue.clone()).reset();
        queue.repeat();
        assert_eq!(drained(&queue).len(), 1);
    }
}
