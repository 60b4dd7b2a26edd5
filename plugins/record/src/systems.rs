//! Systems that collect the static content of a run at a reset, and copy the data of each tick. They do no file I/O.

use crate::batch::{Batch, Entry};
use crate::queue::{Queue, WhenFull};
use crate::stage::{Column, Draw, Form, Mounted, Stage, StageAgent, Topic, column};
use crate::watch::{Found, Watch, gather, plain};
use becomingone_components::body::{LinkPoses, Model, Obstacle, TruePose, TrueTwist};
use becomingone_components::event::AgentEvent;
use becomingone_components::link::{Entered, Links};
use becomingone_components::scene::{Agent, ResolvedScene};
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{Mount, Sensor};
use becomingone_components::time::{NS_PER_S, Paced, SimTime};
use becomingone_systems::hash::{self, StateHash, StateParts};
use becomingone_systems::index::EntityIndex;
use becomingone_systems::tick::{Last, Paused, Reset, ResetSystems, Tick, TickSystems};
use bevy_app::App;
use bevy_ecs::message::{MessageCursor, Messages};
use bevy_ecs::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rate cap of true poses, in simulated time.
const POSES_HZ: u64 = 50;

/// Where the run of a recording that is played begins, in the time of all runs of the recording (ns). Where there is this
/// resource, runs do not follow each other: one that is played again has its times again.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// That time (ns).
    pub begin_ns: u64,
    /// Whether it is on its way to another time: what is between is not shown live.
    pub is_sought: bool,
}

/// Adds a recorder, and the systems of all of them.
pub(crate) fn add(app: &mut App, queue: Arc<Queue>, kind: Kind) {
    if !matches!(kind, Kind::Live(_)) {
        app.init_resource::<StateParts>();
    }
    let recorder = Recorder::new(queue, kind);
    if let Some(mut recorders) = app.world_mut().get_resource_mut::<Recorders>() {
        recorders.0.push(recorder);
        return;
    }
    app.insert_resource(Recorders(vec![recorder]))
        .add_systems(Reset, begin.in_set(ResetSystems::Gather).after(hash::begin))
        // Runs last: other systems of this set change nothing that it reads.
        .add_systems(
            Tick,
            (watch_new.run_if(resource_changed::<EntityIndex>), copy)
                .chain()
                .in_set(Last(TickSystems::Publish)),
        )
        .add_systems(Paused, show);
}

/// What a recorder is for.
pub(crate) enum Kind {
    /// A recording.
    File,
    /// Comparison with a recording: each tick is a batch of its own.
    Shadow,
    /// Clients, while there are any.
    Live(Arc<Switch>),
}

/// Whether clients are there.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    /// Counts how often the first of them came; 0 while there is none.
    turn: AtomicU64,
}

impl Switch {
    /// Sets the turn; 0 for off.
    pub(crate) fn set(&self, turn: u64) {
        self.turn.store(turn, Ordering::Release);
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn.load(Ordering::Acquire)
    }
}

/// All that is recorded of this world.
#[derive(Resource)]
pub(crate) struct Recorders(Vec<Recorder>);

impl Recorders {
    /// Queue of the recording.
    pub(crate) fn file(&self) -> Option<&Arc<Queue>> {
        let mut all = self.0.iter();
        let file = all.find(|recorder| matches!(recorder.kind, Kind::File));
        file.map(|recorder| &recorder.queue)
    }
}

/// World side of a recording.
struct Recorder {
    queue: Arc<Queue>,
    kind: Kind,
    found: Found,
    /// Agents with a body, and the topics of their true motion.
    bodies: Vec<(Entity, u32)>,
    /// Static content of the run, with the topics of all entities so far.
    stage: Stage,
    /// Whether a run started that had no tick yet.
    is_begun: bool,
    /// Whether the static content is to be sent.
    is_due: bool,
    /// Topics of entities that were spawned during the run, sent with this tick.
    added: Vec<Arc<Topic>>,
    events: MessageCursor<AgentEvent>,
    next_pose_ns: u64,
    /// Time of all runs at the end of the last tick (ns).
    end_ns: u64,
    /// Turn of the clients that the static content was sent to.
    turn: u64,
    /// Whether the hashes of the parts are computed for this alone.
    has_parts: bool,
}

impl Recorder {
    fn new(queue: Arc<Queue>, kind: Kind) -> Self {
        Self {
            queue,
            kind,
            found: Found::default(),
            bodies: Vec::new(),
            stage: Stage::default(),
            is_begun: false,
            is_due: false,
            added: Vec::new(),
            events: MessageCursor::default(),
            next_pose_ns: 0,
            end_ns: 0,
            turn: 0,
            has_parts: false,
        }
    }

    /// Starts a run with this static content.
    fn begin(&mut self, world: &mut World, stage: &Stage, bodies: &[(Entity, u32)]) {
        let (run, begin_ns) = (self.stage.run, self.stage.begin_ns);
        self.stage = Stage {
            run,
            begin_ns,
            ..stage.clone()
        };
        self.found = Found::default();
        gather(world, &mut self.stage, &mut self.found);
        self.bodies = bodies.to_vec();
        self.next_pose_ns = 0;
        // Events of the previous run are already recorded.
        self.events = MessageCursor::default();
        self.added.clear();
        (self.is_begun, self.is_due) = (true, true);
    }

    /// Watches entities that were spawned during the run.
    fn watch_new(&mut self, world: &mut World) {
        let known = self.stage.topics.len();
        self.found
            .watches
            .retain(|w| world.get_entity(w.entity).is_ok());
        gather(world, &mut self.stage, &mut self.found);
        let added = self.stage.topics.iter().skip(known).cloned();
        self.added.extend(added);
    }

    /// Counts the runs, and the time of all of them.
    fn count(&mut self, world: &World) {
        let time = world.resource::<SimTime>();
        let played = world.get_resource::<Played>();
        if std::mem::take(&mut self.is_begun) {
            self.stage.run += 1;
            self.stage.is_played = played.is_some();
            if let Some(played) = played {
                self.stage.begin_ns = played.begin_ns;
            } else if self.stage.run > 1 {
                self.stage.begin_ns = self.end_ns.saturating_add(time.tick_ns);
            }
        }
        self.end_ns = self.stage.begin_ns.saturating_add(time.now_ns);
    }

    /// Whether there is somebody to copy for. Who comes is sent the static content, and all that is sent on change.
    fn is_wanted(&mut self, world: &mut World) -> bool {
        let Kind::Live(switch) = &self.kind else {
            return true;
        };
        if world.get_resource::<Played>().is_some_and(|p| p.is_sought) {
            return false;
        }
        let turn = switch.turn();
        if turn != 0 && turn != self.turn {
            self.is_due = true;
            self.next_pose_ns = 0;
            self.found.watches.iter_mut().for_each(Watch::forget);
            if let Some(messages) = world.get_resource::<Messages<AgentEvent>>() {
                self.events = messages.get_cursor_current();
            }
            if !world.contains_resource::<StateParts>() {
                world.init_resource::<StateParts>();
                self.has_parts = true;
            }
        }
        if turn == 0 && std::mem::take(&mut self.has_parts) {
            world.remove_resource::<StateParts>();
        }
        self.turn = turn;
        turn != 0
    }

    /// Copies the data of a tick.
    fn copy(&mut self, world: &World) {
        let time = *world.resource::<SimTime>();
        let paced = world.get_resource::<Paced>().is_some_and(|p| p.0);
        let when_full = match self.kind {
            Kind::File if paced => WhenFull::Drop,
            Kind::File | Kind::Shadow => WhenFull::WaitForDisk,
            Kind::Live(_) => WhenFull::Drop,
        };
        let Self {
            found,
            bodies,
            stage,
            is_due,
            events,
            next_pose_ns,
            added,
            ..
        } = self;
        let fill = |batch: &mut Batch| {
            batch.ticks += 1;
            if std::mem::take(is_due) {
                // It has the topics that were added.
                added.clear();
                batch.entries.push(Entry::Stage(Box::new(stage.clone())));
            }
            if !added.is_empty() {
                batch.entries.push(Entry::Topics(std::mem::take(added)));
            }
            batch.entries.push(Entry::Tick {
                tick: time.tick,
                now_ns: time.now_ns,
            });
            if let Some(Entered(frames)) = world.get_resource() {
                let frames = frames.iter().map(|f| Entry::Frame(Box::new(f.clone())));
                batch.entries.extend(frames);
            }
            for watch in &mut found.watches {
                (watch.copy)(world, watch, batch);
            }
            if time.now_ns >= *next_pose_ns {
                const PERIOD_NS: u64 = NS_PER_S / POSES_HZ;
                *next_pose_ns = (time.now_ns / PERIOD_NS + 1) * PERIOD_NS;
                copy_bodies(world, bodies, time.now_ns, batch);
            }
            if let Some(messages) = world.get_resource::<Messages<AgentEvent>>() {
                for event in events.read(messages) {
                    let event = Box::new(event.clone());
                    batch.entries.push(Entry::AgentEvent(event));
                }
            }
            let parts = world.get_resource::<StateParts>();
            let parts = parts.map_or(&[][..], |parts| &parts.0);
            batch.parts.extend_from_slice(parts);
            batch.entries.push(Entry::Hash {
                hash: world.resource::<StateHash>().0,
                parts: parts.len() as u32,
            });
        };
        self.queue.fill(fill, when_full);
    }
}

/// Does something for each recorder.
fn each(world: &mut World, mut run: impl FnMut(&mut World, &mut Recorder)) {
    world.resource_scope(|world, mut recorders: Mut<Recorders>| {
        for recorder in &mut recorders.0 {
            run(world, recorder);
        }
    });
}

/// Starts a run.
fn begin(world: &mut World) {
    let mut stage = Stage {
        tick_ns: world.resource::<SimTime>().tick_ns,
        seed: world.resource::<RunSeed>().0,
        scene_hash: world.get_resource::<ResolvedScene>().map_or(0, |s| s.hash),
        state_hash: world.resource::<StateHash>().0,
        links: world
            .get_resource::<Links>()
            .map_or_else(Vec::new, |links| {
                links.0.iter().map(|link| link.name.clone()).collect()
            }),
        ..Stage::default()
    };
    let mut agents: Vec<_> = world
        .query_filtered::<(Entity, &Name, &Model), With<Agent>>()
        .iter(world)
        .map(|(entity, name, model)| (name.to_string(), entity, model.0.clone()))
        .collect();
    agents.sort_by(|a, b| a.0.cmp(&b.0));
    let mut bodies = Vec::new();
    for (name, entity, model) in agents {
        let topic = stage.topic(
            format!("/{name}/truth"),
            Form::Columns {
                columns: &TRUE_MOTION,
                draw: Draw::Nothing,
            },
        );
        bodies.push((entity, topic));
        stage.agents.push(StageAgent { name, model });
    }
    let mut obstacles: Vec<_> = world
        .query::<(&Name, &Obstacle)>()
        .iter(world)
        .map(|(name, o)| (name.to_string(), o.geometry.clone()))
        .collect();
    obstacles.sort_by(|a, b| a.0.cmp(&b.0));
    stage.obstacles = obstacles;
    let mut sensors: Vec<_> = world
        .query::<(&Name, &Sensor, &Mount)>()
        .iter(world)
        .map(|(name, sensor, mount)| (name.to_string(), *sensor, mount.0))
        .collect();
    sensors.sort_by(|a, b| a.0.cmp(&b.0));
    for (frame, sensor, pose) in sensors {
        if let Some(agent) = bodies.iter().position(|(e, _)| *e == sensor.agent) {
            stage.mounted.push(Mounted {
                frame,
                agent,
                link: sensor.link,
                pose,
            });
        }
    }
    each(world, |world, recorder| {
        recorder.begin(world, &stage, &bodies);
    });
}

fn watch_new(world: &mut World) {
    each(world, |world, recorder| recorder.watch_new(world));
}

fn copy(world: &mut World) {
    each(world, |world, recorder| {
        recorder.count(world);
        if recorder.is_wanted(world) {
            recorder.copy(world);
        }
    });
}

/// Copies the last tick of a paused run for clients that came since, and a run that was reset.
fn show(world: &mut World) {
    each(world, |world, recorder| {
        let is_live = matches!(recorder.kind, Kind::Live(_));
        if is_live && recorder.is_wanted(world) && recorder.is_due {
            recorder.count(world);
            recorder.copy(world);
        }
    });
}

const TRUE_MOTION: [Column; 13] = [
    column("x_m", "m"),
    column("y_m", "m"),
    column("z_m", "m"),
    column("qx", "1"),
    column("qy", "1"),
    column("qz", "1"),
    column("qw", "1"),
    column("velocity_x_m_s", "m/s"),
    column("velocity_y_m_s", "m/s"),
    column("velocity_z_m_s", "m/s"),
    column("angular_x_rad_s", "rad/s"),
    column("angular_y_rad_s", "rad/s"),
    column("angular_z_rad_s", "rad/s"),
];

/// Copies poses and twists of all bodies.
fn copy_bodies(world: &World, bodies: &[(Entity, u32)], now_ns: u64, batch: &mut Batch) {
    for (index, &(entity, topic)) in bodies.iter().enumerate() {
        if let (Some(pose), Some(twist)) = (
            world.get::<TruePose>(entity),
            world.get::<TrueTwist>(entity),
        ) {
            let numbers = pose.0.translation_m.to_array().into_iter();
            let numbers = numbers
                .chain(pose.0.rotation.to_array())
                .chain(twist.linear_m_s.to_array())
                .chain(twist.angular_rad_s.to_array());
            batch.row(plain(topic, now_ns), |to| to.extend(numbers.map(f64::from)));
        }
        if let Some(links) = world.get::<LinkPoses>(entity) {
            batch.entries.push(Entry::Body {
                agent: index as u32,
                links: links.0.len() as u32,
            });
            batch.poses.extend_from_slice(&links.0);
        }
    }
}
