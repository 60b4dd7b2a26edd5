//! Links: the only entry of external input.
//!
//! - [`driver`]: drivers and their kinds; `thread`: their threads.
//! - [`queue`]: readings that wait for the tick, with [`sequence`]: missing, late and duplicate ones.
//! - [`clock`]: map of a device's clock to the run's.
//! - [`live`]: tick side of a queue, and of a recording that is read as time passes.
//! - [`ExternalInput`]: source of frames: live [`InputLink`]s, or a [`Journal`] of them.
//! - [`ingest`]: collects them in the order (link, sequence), keeps them in [`Entered`], and applies them.
//! - [`watch`]: time-outs of sensors.
//! - [`act`]: commands to hardware.
//! - `sources`: resolved sources of every sensor and drive.
//! - [`open`]: opens the links of a scene.

pub mod act;
pub mod clock;
pub mod driver;
pub mod live;
pub mod open;
pub mod queue;
pub mod sequence;
pub(crate) mod sources;
mod thread;
pub mod watch;

pub use act::{ActuatorEnd, Outgoing};
pub use driver::{ConfigError, Driver, DriverError, DriverKind, Endpoint, LinkEnd, read_config};
pub use live::{RecordedRow, Recording};
pub use open::{OpenError, OpenLinks, OutputLinks, Port, rest};
pub use queue::{Sample, SensorEnd};
pub use thread::{Context, RunClock};

use crate::hash::{Bits, HashState, RegisterState};
use crate::index::EntityIndex;
use crate::tick::{Reset, Tick, TickSystems};
use becomingone_components::drive::Twist2;
use becomingone_components::joints::JointTargets;
use becomingone_components::link::{
    Entered, Frame, Link, LinkName, Links, Payload, ResolvedSources, Watchdog,
};
use becomingone_components::request::{ActiveRequest, REQUESTS};
use becomingone_components::scene::{SceneSpec, SensorSpec};
use becomingone_components::sensor::{Measurement, Reading, SensorStats};
use becomingone_components::time::{NS_PER_S, SimTime};
use becomingone_components::vehicle::Ackermann;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Ingestion, at the head of [`TickSystems::Ingest`]: systems of that set find the frames of the tick.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExternalInputSystems;

/// Runs links.
pub struct LinksPlugin;

impl Plugin for LinksPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Entered>()
            .init_resource::<Links>()
            .init_resource::<ExternalInput>()
            .init_resource::<ResolvedSources>()
            .register_state::<Link>("link")
            .configure_sets(Tick, ExternalInputSystems.in_set(TickSystems::Ingest))
            .add_systems(Reset, begin)
            .add_systems(
                Tick,
                (
                    ingest.run_if(something_may_enter),
                    watch::watch.run_if(any_with_component::<Watchdog>),
                )
                    .chain()
                    .in_set(ExternalInputSystems),
            )
            .add_systems(
                Tick,
                (
                    act::send::<Twist2>,
                    act::send::<Ackermann>,
                    act::send::<JointTargets>,
                )
                    .chain()
                    .in_set(TickSystems::Act)
                    .run_if(any_with_component::<act::CommandSender>),
            );
    }
}

/// Source of frames. A run that is repeated from its journal starts no driver and reads no stick.
#[derive(Resource)]
pub enum ExternalInput {
    /// Live links.
    Live(Vec<Box<dyn InputLink>>),
    /// Recorded frames of [`Entered`].
    Journal(Box<dyn Journal>),
}

impl Default for ExternalInput {
    fn default() -> Self {
        Self::Live(Vec::new())
    }
}

impl ExternalInput {
    /// Adds a link; no effect in a run from a journal.
    pub fn add(&mut self, inlet: impl InputLink) {
        if let Self::Live(inlets) = self {
            inlets.push(Box::new(inlet));
        }
    }
}

/// A live link. It never blocks: its frames have arrived already.
pub trait InputLink: Send + Sync + 'static {
    /// Name of the link.
    fn link(&self) -> &str;
    /// Whether it may have frames at this time; queried each tick.
    fn is_waiting(&self, now_ns: u64) -> bool {
        let _ = now_ns;
        true
    }
    /// Passes all samples since the last tick to `give`, oldest first.
    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample));
    /// Clears the link: the run restarts.
    fn reset(&mut self);
}

/// A frame of a live link, without link and number.
#[derive(Clone, Debug, PartialEq)]
pub struct InputSample {
    /// Source time, on the run's clock (ns).
    pub source_ns: u64,
    /// Arrival at this machine, on the run's clock (ns).
    pub arrival_ns: u64,
    /// Content.
    pub payload: Payload,
}

/// Frames of a recorded run.
pub trait Journal: Send + Sync + 'static {
    /// Adds the frames of this tick, in the order in which they were applied. Ticks are requested in order, from 0;
    /// after a reset from 0 again.
    fn frames(&mut self, tick: u64, into: &mut Vec<Frame>);
}

/// Frames with their ticks, in order.
impl Journal for Vec<(u64, Frame)> {
    fn frames(&mut self, tick: u64, into: &mut Vec<Frame>) {
        let first = self.partition_point(|(t, _)| *t < tick);
        let these = self[first..].iter().take_while(|(t, _)| *t == tick);
        into.extend(these.map(|(_, frame)| frame.clone()));
    }
}

/// Time-out of a sensor (ns).
pub(crate) fn silent_after_ns(spec: &SensorSpec) -> u64 {
    let after_s = spec.silence.after_s;
    let after_s = after_s.unwrap_or_else(|| (5.0 / spec.rate_hz).max(0.1));
    (after_s * NS_PER_S as f64) as u64
}

/// Names the links of a scene, and adds each to its entity.
pub(crate) fn name_links(world: &mut World, scene: &SceneSpec, roster: &[(String, Entity)]) {
    let sensors = scene.agents.iter().flat_map(|agent| {
        let name = |sensor: &str| format!("{}/{sensor}", agent.name);
        let drive = (name("drive"), &agent.drive_source);
        let sensors = agent.sensors.iter();
        sensors
            .map(move |s| (name(&s.name), &s.source))
            .chain([drive])
    });
    let mut names: Vec<String> = sensors
        .filter(|(_, source)| source.has_link())
        .map(|(name, _)| name)
        .collect();
    names.push(REQUESTS.to_owned());
    names.sort();
    let links: Vec<LinkName> = names
        .into_iter()
        .map(|name| {
            let found = roster.binary_search_by(|(known, _)| known.cmp(&name));
            let entity = found.ok().map(|k| roster[k].1).filter(|_| name != REQUESTS);
            LinkName { name, entity }
        })
        .collect();
    for (index, link) in (0..).zip(&links) {
        if let Some(entity) = link.entity {
            world.entity_mut(entity).insert(Link {
                index,
                ..Link::default()
            });
        }
    }
    world.insert_resource(Links(links));
}

/// Number of frames of each link.
#[derive(Resource, Default)]
struct Numbers(Vec<u64>);

/// Restarts every link.
fn begin(
    links: Res<Links>,
    mut door: ResMut<ExternalInput>,
    mut entered: ResMut<Entered>,
    mut commands: Commands,
) {
    entered.0.clear();
    if let ExternalInput::Live(inlets) = &mut *door {
        inlets.sort_by(|a, b| a.link().cmp(b.link()));
        inlets.iter_mut().for_each(|inlet| inlet.reset());
    }
    commands.insert_resource(Numbers(vec![0; links.0.len()]));
}

fn something_may_enter(
    time: Res<SimTime>,
    input: Res<ExternalInput>,
    entered: Res<Entered>,
) -> bool {
    // Frames of the last tick must be cleared.
    if !entered.0.is_empty() {
        return true;
    }
    match &*input {
        ExternalInput::Live(links) => links.iter().any(|link| link.is_waiting(time.now_ns)),
        ExternalInput::Journal(_) => true,
    }
}

/// Ingests external input.
pub fn ingest(world: &mut World) {
    let time = *world.resource::<SimTime>();
    world.resource_scope(|world, mut entered: Mut<Entered>| {
        let frames = &mut entered.0;
        frames.clear();
        world.resource_scope(|world, mut door: Mut<ExternalInput>| match &mut *door {
            ExternalInput::Live(inlets) => {
                world.resource_scope(|world, mut numbers: Mut<Numbers>| {
                    let links = world.resource::<Links>();
                    for inlet in inlets {
                        let Some(link) = links.index(inlet.link()) else {
                            continue;
                        };
                        let number = &mut numbers.0[link as usize];
                        inlet.drain(time.now_ns, &mut |came| {
                            frames.push(Frame {
                                link,
                                sequence: *number,
                                source_ns: came.source_ns,
                                arrival_ns: came.arrival_ns,
                                payload: came.payload,
                            });
                            *number += 1;
                        });
                    }
                });
            }
            ExternalInput::Journal(journal) => journal.frames(time.tick, frames),
        });
        for frame in frames.iter() {
            apply(world, frame);
        }
    });
}

/// Applies a frame.
fn apply(world: &mut World, frame: &Frame) {
    match &frame.payload {
        Payload::Request(request) => {
            let agent = world.resource::<EntityIndex>().entity(&request.agent);
            let Some(agent) = agent.filter(|_| request.what.is_finite()) else {
                log::warn!(
                    "{}: request for `{}` refused: no such agent, or a number that is not finite",
                    request.sender,
                    request.agent
                );
                return;
            };
            world.entity_mut(agent).insert(ActiveRequest {
                sender: request.sender.clone(),
                what: request.what.clone(),
                expires_ns: request.expires_ns,
            });
        }
        Payload::Reading { numbers, bytes } => {
            let Some(sensor) = entity(world, frame.link) else {
                return;
            };
            let Some(&delivery) = world.get::<Delivery>(sensor) else {
                return;
            };
            let mut sensor = world.entity_mut(sensor);
            (delivery.deliver)(&mut sensor, frame, numbers, bytes);
            if let Some(mut link) = sensor.get_mut::<Link>() {
                link.last_ns = Some(frame.arrival_ns);
                link.received += 1;
            }
        }
        Payload::State(state) => change(world, frame.link, |link| link.state = *state),
        Payload::Clock(clock) => change(world, frame.link, |link| link.clock = *clock),
        Payload::Counts(counts) => {
            change(world, frame.link, |link| link.counts = *counts);
            let sensor = entity(world, frame.link);
            if let Some(mut stats) = sensor.and_then(|e| world.get_mut::<SensorStats>(e)) {
                stats.dropped = counts.dropped;
            }
        }
    }
}

fn entity(world: &World, link: u32) -> Option<Entity> {
    world.resource::<Links>().0.get(link as usize)?.entity
}

fn change(world: &mut World, link: u32, change: impl FnOnce(&mut Link)) {
    let entity = entity(world, link);
    if let Some(mut link) = entity.and_then(|e| world.get_mut::<Link>(e)) {
        change(&mut link);
    }
}

/// Conversion of a frame's numbers to a reading of a sensor's kind.
#[derive(Component, Clone, Copy)]
pub(crate) struct Delivery {
    deliver: fn(&mut EntityWorldMut<'_>, &Frame, &[f64], &[u8]),
    /// Length of a reading.
    numbers: usize,
    /// Whether numbers may be missing.
    with_gaps: bool,
    /// Whether a reading has bytes beside its numbers.
    with_bytes: bool,
}

impl Delivery {
    /// Conversion to readings like this one.
    pub(crate) fn like<T: Measurement>(blank: &T) -> Self {
        let mut numbers = 0;
        blank.visit(&mut |_| numbers += 1);
        Self {
            deliver: deliver::<T>,
            numbers,
            with_gaps: T::GAPS,
            with_bytes: T::ENCODING.is_some(),
        }
    }
}

impl HashState for Link {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.state as u64);
        bits.u64(u64::from(self.stale));
    }
}

fn deliver<T: Measurement>(
    sensor: &mut EntityWorldMut<'_>,
    frame: &Frame,
    numbers: &[f64],
    bytes: &[u8],
) {
    let Some(mut reading) = sensor.get_mut::<Reading<T>>() else {
        return;
    };
    let mut fits = true;
    let kept = reading.enter(frame.source_ns, frame.arrival_ns, |value| {
        fits = value.fill(numbers) && value.set_bytes(bytes);
        fits && value.is_finite()
    });
    let Some(mut stats) = sensor.get_mut::<SensorStats>() else {
        return;
    };
    match (kept, fits) {
        (true, _) => stats.readings += 1,
        (false, true) => stats.non_finite += 1,
        (false, false) => stats.dropped += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_gives_each_tick_its_frames_also_after_a_reset() {
        let frame = |sequence| Frame {
            link: 0,
            sequence,
            source_ns: 0,
            arrival_ns: 0,
            payload: Payload::Reading {
                numbers: vec![1.0],
                bytes: Vec::new(),
            },
        };
        let mut journal = vec![(0, frame(0)), (2, frame(1)), (2, frame(2)), (5, frame(3))];
        let mut of = |tick| {
            let mut frames = Vec::new();
            Journal::frames(&mut journal, tick, &mut frames);
            frames.iter().map(|f| f.sequence).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            assert_eq!([of(0), of(1), of(2)], [vec![0], vec![], vec![1, 2]]);
            assert_eq!([of(5), of(6)], [vec![3], vec![]]);
        }
    }
}
