//! Commands to hardware: sent to a driver, if hardware is armed; the safe command after a time-out.

use super::site::SourceSite;
use becomingone_components::actuator::{ActuatorCommand, ActuatorTarget};
use becomingone_components::drive::Twist2;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::joints::JointTargets;
use becomingone_components::link::{Link, LinkState, Links, Source};
use becomingone_components::request::Stopped;
use becomingone_components::sensor::Sensor;
use becomingone_components::time::{NS_PER_S, Rate, SimTime};
use becomingone_components::vehicle::Ackermann;
use bevy_ecs::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time without a write after which a controller has timed out (ns).
pub const CONTROLLER_SILENT_NS: u64 = NS_PER_S / 2;

/// Driver sides of all actuators, and whether hardware is armed.
#[derive(Resource, Default)]
pub struct OutputLinks {
    /// Not armed: commands are computed and not sent.
    pub armed: bool,
    pub(super) ends: BTreeMap<String, ActuatorEnd>,
}

/// A command for a driver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outgoing {
    /// Counts the commands of this actuator from 1.
    pub sequence: u64,
    /// Time of the decision, on the run's clock (ns).
    pub now_ns: u64,
    /// Kind: `twist`, `ackermann`, `joints`.
    pub kind: &'static str,
    /// Whether it is the safe command, in place of the controller's.
    pub safe: bool,
    /// Numbers, in the order of the kind.
    pub numbers: Vec<f64>,
}

impl Outgoing {
    /// The command of an actuator as one line of JSON: `{"actuator": "rover/drive", "sequence": 1, "now_ns": 20000000,
    /// "kind": "twist", "safe": false, "values": [0.5, 0.1]}`.
    pub fn to_json(&self, actuator: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Command<'a> {
            actuator: &'a str,
            sequence: u64,
            now_ns: u64,
            kind: &'a str,
            safe: bool,
            values: &'a [f64],
        }
        // Serialising plain data cannot fail.
        serde_json::to_vec(&Command {
            actuator,
            sequence: self.sequence,
            now_ns: self.now_ns,
            kind: self.kind,
            safe: self.safe,
            values: &self.numbers,
        })
        .unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Commands {
    next: Option<Outgoing>,
    /// The latest command that was queued, and whether it is a safe one.
    put: (u64, bool),
    /// The latest command that the driver has sent.
    sent: u64,
    /// What a safe command after another one wakes.
    wakes: Option<Arc<dyn Wake>>,
}

/// The driver of an actuator, which may wait in a back-off.
pub(super) trait Wake: std::fmt::Debug + Send + Sync {
    /// Ends a back-off: a command waits that is not delayed.
    fn wake(&self);
    /// The command was taken: a later back-off is not ended by it.
    fn taken(&self);
    /// A command was sent: the last attempt is over.
    fn sent(&self);
}

/// The newest command of an actuator, between tick and driver.
#[derive(Debug, Default)]
pub(super) struct Slot {
    commands: Mutex<Commands>,
    changed: Condvar,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Commands> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a command waits for the driver.
    pub(super) fn is_waiting(&self) -> bool {
        self.lock().next.is_some()
    }

    /// Whether the newest command is not sent yet.
    pub(super) fn is_unsent(&self) -> bool {
        let commands = self.lock();
        // After a reset, numbers begin anew.
        commands.sent != commands.put.0
    }

    fn put(&self, command: Outgoing, is_last: bool) {
        let mut commands = self.lock();
        let is_urgent = is_last || (command.safe && !commands.put.1);
        // After a reset, they count from 1 again.
        commands.sent = commands.sent.min(command.sequence.saturating_sub(1));
        commands.put = (command.sequence, command.safe);
        commands.next = Some(command);
        let wakes = commands.wakes.clone().filter(|_| is_urgent);
        // What is woken looks at the commands.
        drop(commands);
        self.changed.notify_all();
        if let Some(end) = wakes {
            end.wake();
        }
    }
}

/// Driver side of an actuator's link: only the newest command waits.
#[derive(Clone)]
pub struct ActuatorEnd {
    name: Arc<str>,
    site: Arc<SourceSite>,
    will: Option<Arc<Outgoing>>,
    slot: Arc<Slot>,
}

impl ActuatorEnd {
    pub(super) fn new(name: &str, site: SourceSite, will: Option<Outgoing>) -> Self {
        Self {
            name: name.into(),
            site: Arc::new(site),
            will: will.map(Arc::new),
            slot: Arc::default(),
        }
    }

    /// Stable name of the actuator: `rover/drive`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its source, as the scene states it.
    pub fn site(&self) -> &SourceSite {
        &self.site
    }

    /// Safe command that is left with the other side, for a connection that breaks: number 0, standstill, without
    /// positions of joints. None unless hardware is armed.
    pub fn will(&self) -> Option<&Outgoing> {
        self.will.as_deref()
    }

    /// Waits for the next command, at most so long.
    pub fn next(&self, within: Duration) -> Option<Outgoing> {
        let changed = &self.slot.changed;
        let waited =
            changed.wait_timeout_while(self.slot.lock(), within, |slot| slot.next.is_none());
        let (mut slot, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let taken = slot.next.take();
        let wakes = slot.wakes.clone().filter(|_| taken.is_some());
        drop(slot);
        if let Some(end) = wakes {
            end.taken();
        }
        taken
    }

    /// Whether a safe command waits: a driver that waits for the answer to another command does not let it wait.
    pub fn has_safe(&self) -> bool {
        self.slot.lock().next.as_ref().is_some_and(|c| c.safe)
    }

    /// Marks the command of this number as sent.
    pub fn sent(&self, sequence: u64) {
        let mut slot = self.slot.lock();
        slot.sent = sequence;
        let wakes = slot.wakes.clone();
        drop(slot);
        self.slot.changed.notify_all();
        if let Some(end) = wakes {
            end.sent();
        }
    }

    /// Returns a command that could not be sent: a safe one waits again, where no newer one does.
    pub fn give_back(&self, command: Outgoing) {
        let mut slot = self.slot.lock();
        if command.safe && slot.next.is_none() && slot.put.0 == command.sequence {
            slot.next = Some(command);
        }
    }

    /// Lets a safe command end the back-off of a driver; returns what it may wait for.
    pub(super) fn wakes(&self, driver: Arc<dyn Wake>) -> &Arc<Slot> {
        self.slot.lock().wakes = Some(driver);
        &self.slot
    }

    pub(super) fn put(&self, command: Outgoing) {
        self.slot.put(command, false);
    }

    /// Queues the last command of the run, which waits for no back-off.
    pub(super) fn put_last(&self, command: Outgoing) {
        self.slot.put(command, true);
    }

    /// Waits until the command of this number is sent; returns whether it is.
    pub(super) fn flush(&self, sequence: u64, within: Duration) -> bool {
        let changed = &self.slot.changed;
        let waited =
            changed.wait_timeout_while(self.slot.lock(), within, |slot| slot.sent < sequence);
        let (slot, _) = waited.unwrap_or_else(PoisonError::into_inner);
        slot.sent >= sequence
    }
}

/// Commands of a hardware actuator, and the reason of a safe one.
#[derive(Component, Clone, Debug)]
pub struct CommandSender {
    rate: Rate,
    /// Last write of its controller (ns).
    written_ns: u64,
    /// Commands so far.
    pub sequence: u64,
    /// Reason of the safe command; none while the controller's is active.
    pub safe: Option<SafeReason>,
    /// The safe command, as numbers.
    rest: (&'static str, Vec<f64>),
}

/// Time-out or stop that activates the safe command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafeReason {
    /// No controller wrote a command.
    Controller,
    /// The actuator's own link is not up.
    Link,
    /// A sensor of the same agent is stale.
    Sensor,
    /// A latched stop of its agent.
    Stop,
}

impl std::fmt::Display for SafeReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Controller => "its controller timed out",
            Self::Link => "its link is down",
            Self::Sensor => "a sensor is stale",
            Self::Stop => "its agent is stopped",
        })
    }
}

impl CommandSender {
    /// State before the first command: at most so many a second (Hz), and one a tick.
    pub fn new(rate_hz: f64, tick_ns: u64) -> Self {
        let most = NS_PER_S as f64 / tick_ns.max(1) as f64;
        Self {
            rate: Rate::new(rate_hz.min(most)),
            written_ns: 0,
            sequence: 0,
            safe: None,
            rest: ("", Vec::new()),
        }
    }

    /// The safe command, for the end of a run; none before the first command.
    pub(super) fn at_rest(&mut self, now_ns: u64) -> Option<Outgoing> {
        if self.sequence == 0 {
            return None;
        }
        self.sequence += 1;
        Some(Outgoing {
            sequence: self.sequence,
            now_ns,
            kind: self.rest.0,
            safe: true,
            numbers: self.rest.1.clone(),
        })
    }
}

/// Safe command of an actuator that has had no command.
pub(super) fn will(actuator: EntityRef<'_>) -> Option<Outgoing> {
    fn of<T: ActuatorCommand>(actuator: EntityRef<'_>) -> Option<Outgoing> {
        let target = actuator.get::<ActuatorTarget<T>>()?;
        let mut numbers = Vec::new();
        target.0.safe().visit(&mut |x| numbers.push(x));
        Some(Outgoing {
            kind: T::KIND,
            safe: true,
            numbers,
            ..Outgoing::default()
        })
    }
    // Joints are to stay where they are then, which is not where they are now.
    let joints = || {
        of::<JointTargets>(actuator).map(|safe| Outgoing {
            numbers: Vec::new(),
            ..safe
        })
    };
    of::<Twist2>(actuator)
        .or_else(|| of::<Ackermann>(actuator))
        .or_else(joints)
}

/// Sends the commands of one kind that are due.
pub fn send<T: ActuatorCommand>(
    time: Res<SimTime>,
    links: Res<Links>,
    outlets: Option<Res<OutputLinks>>,
    sensors: Query<(&Sensor, &Link, &Source)>,
    mut actuators: Query<(&ChildOf, &Link, &mut CommandSender, Ref<ActuatorTarget<T>>)>,
    names: Query<&Name>,
    stopped: Query<(), With<Stopped>>,
    mut events: MessageWriter<AgentEvent>,
) {
    for (of, link, mut outward, command) in &mut actuators {
        if command.is_changed() && !command.is_added() {
            outward.written_ns = time.now_ns;
        }
        let agent = of.parent();
        let is_stopped = stopped.contains(agent);
        // The first command of a stop waits for no period.
        let is_urgent = is_stopped && outward.safe != Some(SafeReason::Stop);
        if !outward.rate.due(time.now_ns) && !is_urgent {
            continue;
        }
        let mut its = sensors
            .iter()
            .filter(|(s, _, source)| s.agent == agent && matches!(source, Source::Driver(..)));
        let safe = if is_stopped {
            Some(SafeReason::Stop)
        } else if time.now_ns - outward.written_ns > CONTROLLER_SILENT_NS {
            Some(SafeReason::Controller)
        } else if matches!(link.state, LinkState::Down | LinkState::Faulted) {
            Some(SafeReason::Link)
        } else if its.any(|(_, link, _)| link.stale) {
            Some(SafeReason::Sensor)
        } else {
            None
        };
        if safe != outward.safe {
            outward.safe = safe;
            events.write(AgentEvent {
                now_ns: time.now_ns,
                agent: names
                    .get(agent)
                    .map_or_else(|_| String::new(), Name::to_string),
                kind: match safe {
                    Some(who) => EventKind::SafeCommandActive(who.to_string()),
                    None => EventKind::ControllerCommandActive,
                },
            });
        }
        let mut numbers = Vec::new();
        command.0.safe().visit(&mut |x| numbers.push(x));
        outward.rest = (T::KIND, numbers.clone());
        if safe.is_none() {
            numbers.clear();
            command.0.visit(&mut |x| numbers.push(x));
        }
        outward.sequence += 1;
        let Some(outlets) = outlets.as_ref().filter(|o| o.armed) else {
            continue;
        };
        let name = links.0.get(link.index as usize).map(|l| l.name.as_str());
        if let Some(end) = name.and_then(|name| outlets.ends.get(name)) {
            end.put(Outgoing {
                sequence: outward.sequence,
                now_ns: time.now_ns,
                kind: T::KIND,
                safe: safe.is_some(),
                numbers,
            });
        }
    }
}
