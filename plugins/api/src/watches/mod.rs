//! Watches: conditions of an agent's state that are looked at in each tick, also while no client is connected. A watch reads,
//! and changes nothing of the run: recording and state hash are those of a run without it.
//!
//! - `asked`: a watch as a client asks for it. `predicate`: when it fires. `window`: the last 10 s of its value.

mod asked;
mod predicate;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use asked::{WatchAsked, schema};

use crate::problem::Problem;
use crate::token::Role;
use asked::{Checked, Events, How, What};
use becomingone::components::coherence::Coherence;
use becomingone::components::event::AgentEvent;
use becomingone::components::link::Link;
use becomingone::components::nearest::did_you_mean;
use becomingone::components::scene::LoadedScene;
use becomingone::components::time::SimTime;
use becomingone::systems::diagnosis::witness::Witness;
use becomingone::systems::links::silent_after_ns;
use becomingone::systems::sensing::measurements::MeasurementEntry;
use becomingone::systems::view::place;
use bevy_ecs::prelude::*;
use predicate::{Fired, Predicate, Side};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use utoipa::ToSchema;

/// Most watches of a run.
pub(crate) const MAX_WATCHES: usize = 64;
/// Most names that a refusal lists.
const MAX_NAMES: usize = 16;

/// Watches of a run; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Watches(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether there is any: without one, a tick does no more than to look at this.
    any: AtomicBool,
    kept: Mutex<Kept>,
}

/// All watches, and what may be watched.
#[derive(Default)]
pub(crate) struct Kept {
    /// Of the scene that was built; empty before the start of the run.
    agents: Vec<Watched>,
    all: Vec<Watch>,
    /// Watches so far.
    count: u64,
}

/// What may be watched of an agent.
struct Watched {
    name: String,
    entity: Entity,
    /// Whether it has a position.
    moves: bool,
    /// Whether it has a self-model, which surprise and coherence are of.
    predicts: bool,
    channels: Vec<String>,
    sensors: Vec<Silence>,
}

/// How the silence of a sensor is known.
#[derive(Clone)]
struct Silence {
    /// Its name on the agent.
    name: String,
    entity: Entity,
    kind: MeasurementEntry,
    /// Time without a reading after which a sensor without a link is stale (ns).
    after_ns: u64,
}

/// Where the value of a watch is.
enum Bound {
    Surprise(Entity),
    Coherence(Entity),
    Speed(Entity),
    Channel(Entity, usize),
    Sensor(Silence),
    Event,
}

struct Watch {
    number: u64,
    /// Role of its client.
    role: Role,
    asked: Checked,
    /// None where the scene has it no more.
    bound: Option<Bound>,
    /// None of events.
    predicate: Option<Predicate>,
    /// The value of the last tick.
    value: Option<f64>,
    firings: u64,
    last_ns: Option<u64>,
}

/// A watch, as it was asked for, and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct WatchView {
    /// `w1`; also in the events of its firings.
    pub(crate) id: String,
    /// The client's name of it.
    pub(crate) key: Option<String>,
    /// The agent.
    agent: String,
    /// What is watched.
    what: What,
    /// The predicted channel, of the kind `channel`.
    channel: Option<String>,
    /// The sensor, of the kind `sensor`.
    sensor: Option<String>,
    /// The events, of the kind `event`.
    event: Option<Events>,
    /// When it fires.
    how: How,
    /// The threshold; null of a change from the mean of the last 10 s, of silence and of events.
    value: Option<f64>,
    /// As it is used; null where it is four standard deviations of the last 10 s, of silence and of events.
    hysteresis: Option<f64>,
    /// How long the condition has to hold without a break (s).
    dwell_s: f64,
    /// The value at the end of the last tick, of a sensor 1 while it is stale; null before the first tick, where there
    /// is none, and of events.
    now: Option<f64>,
    /// Whether it may fire: not within an episode that it has reported.
    is_armed: bool,
    /// How often it has fired since the start of the run, or the last reset.
    firings: u64,
    /// When it last fired (s of the run).
    last_s: Option<f64>,
}

/// A firing, as an event of the run.
pub(crate) struct Firing {
    /// `w1`.
    pub(crate) watch: String,
    pub(crate) key: Option<String>,
    pub(crate) agent: String,
    pub(crate) text: String,
}

impl Watches {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watches, if there are any.
    pub(crate) fn any(&self) -> Option<MutexGuard<'_, Kept>> {
        self.0.any.load(Ordering::Acquire).then(|| self.lock())
    }

    /// Whether the run has begun: before that, nothing is known that could be watched.
    pub(crate) fn may_be_set(&self) -> bool {
        !self.lock().agents.is_empty()
    }

    /// All watches, in the order in which they were made.
    pub(crate) fn list(&self) -> Vec<WatchView> {
        self.lock().all.iter().map(Watch::view).collect()
    }

    /// Sets a watch. One of the same key is left as it is where it is the same, and replaced else. Returns whether it is
    /// a new one.
    pub(crate) fn set(&self, asked: WatchAsked, role: Role) -> Result<(WatchView, bool), Problem> {
        let asked = asked.check().map_err(Problem::bad)?;
        let mut kept = self.lock();
        let bound = bind(&kept.agents, &asked).map_err(Problem::not_found)?;
        let known = kept
            .all
            .iter()
            .position(|watch| watch.asked.key.is_some() && watch.asked.key == asked.key);
        if let Some(known) = known {
            let watch = &mut kept.all[known];
            may_change(watch, role)?;
            if watch.asked != asked {
                *watch = Watch::new(watch.number, role, asked, bound);
            }
            return Ok((watch.view(), false));
        }
        if kept.all.len() >= MAX_WATCHES {
            return Err(Problem::conflict(format!(
                "found {MAX_WATCHES} watches, which is the most; expected one to be ended first"
            )));
        }
        kept.count += 1;
        let watch = Watch::new(kept.count, role, asked, bound);
        let view = watch.view();
        kept.all.push(watch);
        self.0.any.store(true, Ordering::Release);
        Ok((view, true))
    }

    /// Ends a watch.
    pub(crate) fn end(&self, id: &str, role: Role) -> Result<(), Problem> {
        let mut kept = self.lock();
        let place = kept.all.iter().position(|watch| watch.id() == id);
        let place = place.ok_or_else(|| {
            let ids: Vec<_> = kept.all.iter().map(Watch::id).collect();
            Problem::not_found(format!(
                "found no watch of this id; expected {}",
                one_of(id, ids.iter().map(String::as_str))
            ))
        })?;
        may_change(&kept.all[place], role)?;
        kept.all.remove(place);
        self.0.any.store(!kept.all.is_empty(), Ordering::Release);
        Ok(())
    }

    /// Begins a scene that was built: all watches are as they were made.
    pub(crate) fn begin(
        &self,
        world: &World,
        agents: &[(String, Entity)],
        sensors: &[(String, Entity, MeasurementEntry)],
    ) {
        let watched = agents
            .iter()
            .map(|(name, entity)| Watched::new(world, name, *entity, sensors));
        let mut kept = self.lock();
        kept.agents = watched.collect();
        let Kept { agents, all, .. } = &mut *kept;
        for watch in all {
            watch.bound = bind(agents, &watch.asked).ok();
            watch.begin();
        }
    }
}

/// Who has less rights than the client of a watch leaves it as it is.
fn may_change(watch: &Watch, role: Role) -> Result<(), Problem> {
    match role >= watch.role {
        true => Ok(()),
        false => Err(Problem::forbidden(format!(
            "found a watch that was set with a token of the role {}; expected that role",
            watch.role
        ))),
    }
}

impl Watched {
    fn new(
        world: &World,
        name: &str,
        entity: Entity,
        sensors: &[(String, Entity, MeasurementEntry)],
    ) -> Self {
        let scene = world.get_resource::<LoadedScene>();
        let agents = scene.map_or(&[][..], |loaded| &loaded.scene.agents);
        let specs = agents.iter().find(|spec| spec.name == name);
        let specs = specs.map_or(&[][..], |spec| &spec.sensors);
        let own = sensors.iter().filter_map(|(full, entity, kind)| {
            let name = full.strip_prefix(name)?.strip_prefix('/')?;
            let spec = specs.iter().find(|spec| spec.name == name)?;
            Some(Silence {
                name: name.to_owned(),
                entity: *entity,
                kind: kind.clone(),
                after_ns: silent_after_ns(spec),
            })
        });
        let witness = world.get::<Witness>(entity);
        Self {
            name: name.to_owned(),
            entity,
            moves: place(world, entity).is_some(),
            predicts: witness.is_some(),
            channels: witness.map_or_else(Vec::new, |witness| witness.outputs.clone()),
            sensors: own.collect(),
        }
    }
}

/// Where the value of a watch is, or what is expected in place of what is not there.
fn bind(agents: &[Watched], asked: &Checked) -> Result<Bound, String> {
    let agent = agents.iter().find(|agent| agent.name == asked.agent);
    let Some(agent) = agent else {
        return Err(format!(
            "found no agent of this name; expected {}",
            one_of(&asked.agent, agents.iter().map(|agent| agent.name.as_str()))
        ));
    };
    let part = asked.part.as_deref().unwrap_or_default();
    match asked.what {
        What::Surprise | What::Coherence | What::Channel if !agent.predicts => Err(format!(
            "found `{}`, which has no self-model; expected an agent with `coherence: Kernel(witness: ())` in the scene",
            agent.name
        )),
        What::Surprise => Ok(Bound::Surprise(agent.entity)),
        What::Coherence => Ok(Bound::Coherence(agent.entity)),
        What::Speed => match agent.moves {
            true => Ok(Bound::Speed(agent.entity)),
            false => Err(format!(
                "found `{}`, which has no body; expected an agent with a speed",
                agent.name
            )),
        },
        What::Channel => {
            let place = agent.channels.iter().position(|channel| channel == part);
            place
                .map(|place| Bound::Channel(agent.entity, place))
                .ok_or_else(|| {
                    format!(
                        "found no channel of this name; expected {}",
                        one_of(part, agent.channels.iter().map(String::as_str))
                    )
                })
        }
        What::Sensor => {
            let sensor = agent.sensors.iter().find(|sensor| sensor.name == part);
            sensor
                .map(|sensor| Bound::Sensor(sensor.clone()))
                .ok_or_else(|| {
                    let names = agent.sensors.iter().map(|sensor| sensor.name.as_str());
                    format!(
                        "found no sensor of this name; expected {}",
                        one_of(part, names)
                    )
                })
        }
        What::Event => Ok(Bound::Event),
    }
}

/// The names that there are, and the nearest one.
fn one_of<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let names: Vec<_> = known.clone().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => "none: there is none".to_owned(),
        few if few.len() <= MAX_NAMES => {
            format!("one of {}{}", few.join(", "), did_you_mean(name, known))
        }
        many => format!(
            "one of {}, and {} more{}",
            many[..MAX_NAMES].join(", "),
            many.len() - MAX_NAMES,
            did_you_mean(name, known)
        ),
    }
}

impl Kept {
    /// Fires the watches of an event.
    pub(crate) fn event(&mut self, event: &AgentEvent, mut each: impl FnMut(Firing)) {
        for watch in &mut self.all {
            let is_of = watch
                .asked
                .event
                .is_some_and(|events| events.includes(&event.kind));
            if is_of && watch.asked.agent == event.agent {
                let what = format!("{}: {}", event.agent, event.kind);
                each(watch.fire(event.now_ns, &what));
            }
        }
    }

    /// Looks at all values at the end of a tick, and fires the watches whose condition is met. `each` gets the time of
    /// the tick (ns), as its events have it, and the firing.
    pub(crate) fn look(&mut self, world: &World, mut each: impl FnMut(u64, Firing)) {
        let &SimTime {
            now_ns, tick_ns, ..
        } = world.resource::<SimTime>();
        // The clock is at the end of the tick already.
        let now_ns = now_ns.saturating_sub(tick_ns);
        for watch in &mut self.all {
            let (Some(bound), Some(predicate)) = (&watch.bound, &mut watch.predicate) else {
                continue;
            };
            watch.value = bound.value(world, now_ns);
            if let Some(fired) = predicate.step(now_ns, tick_ns, watch.value) {
                let text = text(&watch.asked, &fired, bound, world, now_ns);
                each(now_ns, watch.fire(now_ns, &text));
            }
        }
    }
}

impl Bound {
    /// The value now; none where there is none.
    fn value(&self, world: &World, now_ns: u64) -> Option<f64> {
        match *self {
            Self::Surprise(agent) => world.get::<Coherence>(agent)?.surprise,
            Self::Coherence(agent) => world.get::<Coherence>(agent)?.coherence,
            Self::Speed(agent) => Some(place(world, agent)?.1.linear_m_s.abs()),
            Self::Channel(agent, channel) => world.get::<Witness>(agent)?.energy(channel),
            Self::Sensor(ref sensor) => Some(f64::from(u8::from(sensor.is_stale(world, now_ns)))),
            Self::Event => None,
        }
    }
}

impl Silence {
    /// Whether it is stale: as its link is; without a link, where its time-out has passed since the last reading.
    fn is_stale(&self, world: &World, now_ns: u64) -> bool {
        match world.get::<Link>(self.entity) {
            Some(link) => link.stale,
            None => now_ns.saturating_sub(self.last_ns(world)) > self.after_ns,
        }
    }

    /// When its last reading arrived (ns); 0 before the first.
    fn last_ns(&self, world: &World) -> u64 {
        let mut last_ns = 0;
        (self.kind.latest)(world, self.entity, &mut |reading| {
            last_ns = reading.arrival_ns;
        });
        last_ns
    }
}

impl Watch {
    fn new(number: u64, role: Role, asked: Checked, bound: Bound) -> Self {
        let dwell_ns = asked.dwell_ns();
        Self {
            number,
            role,
            predicate: asked.rule.map(|rule| Predicate::new(rule, dwell_ns)),
            asked,
            bound: Some(bound),
            value: None,
            firings: 0,
            last_ns: None,
        }
    }

    fn begin(&mut self) {
        if let Some(predicate) = &mut self.predicate {
            predicate.reset();
        }
        (self.value, self.firings, self.last_ns) = (None, 0, None);
    }

    fn id(&self) -> String {
        format!("w{}", self.number)
    }

    /// A firing now, with what happened.
    fn fire(&mut self, now_ns: u64, what: &str) -> Firing {
        self.firings += 1;
        self.last_ns = Some(now_ns);
        Firing {
            watch: self.id(),
            key: self.asked.key.clone(),
            agent: self.asked.agent.clone(),
            text: format!("watch {}: {what}", self.id()),
        }
    }

    fn view(&self) -> WatchView {
        let Checked {
            key,
            agent,
            what,
            part,
            event,
            how,
            value,
            hysteresis,
            dwell_s,
            ..
        } = self.asked.clone();
        let part_of = |of: What| part.clone().filter(|_| what == of);
        WatchView {
            id: self.id(),
            key,
            agent,
            channel: part_of(What::Channel),
            sensor: part_of(What::Sensor),
            what,
            event,
            how,
            value,
            hysteresis,
            dwell_s,
            now: self.value.filter(|x| x.is_finite()),
            is_armed: self.predicate.as_ref().is_none_or(Predicate::is_armed),
            firings: self.firings,
            last_s: self.last_ns.map(|ns| ns as f64 * 1e-9),
        }
    }
}

/// What fired: `surprise of rover rose above 1 (1.84)`.
fn text(asked: &Checked, fired: &Fired, bound: &Bound, world: &World, now_ns: u64) -> String {
    let unit = match asked.what {
        What::Speed => " m/s",
        _ => "",
    };
    let held = match asked.dwell_s {
        0.0 => String::new(),
        s => format!(" for {s} s"),
    };
    if let Bound::Sensor(sensor) = bound {
        let since_s = now_ns.saturating_sub(sensor.last_ns(world)) as f64 * 1e-9;
        return format!("{asked} is silent{held} (no reading for {since_s:.3} s)");
    }
    let x = shown(fired.x);
    let over = match fired.side {
        Side::Up => "above",
        Side::Down => "below",
    };
    let moved = match fired.side {
        Side::Up => "rose",
        Side::Down => "fell",
    };
    let threshold = fired.threshold;
    match (asked.how, fired.mean) {
        (_, Some(mean)) => format!(
            "{asked} {moved} {over} its mean of 10 s, {}{unit}, by more than {}{unit}{held} ({x}{unit})",
            shown(mean),
            shown((threshold - mean).abs())
        ),
        (How::Above | How::Below, None) => {
            format!("{asked} is {over} {threshold}{unit}{held} ({x}{unit})")
        }
        (_, None) => format!("{asked} {moved} {over} {threshold}{unit}{held} ({x}{unit})"),
    }
}

/// A value to about three digits.
fn shown(x: f64) -> String {
    match x.abs() {
        size if size >= 1e6 => format!("{x:.2e}"),
        size if size >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}
