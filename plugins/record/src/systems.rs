//! Systems that collect the static content of a run at a reset, and copy the data of each tick. They do no file I/O.

use crate::batch::{Batch, Entry};
use crate::queue::{Queue, WhenFull};
use crate::stage::{Column, Draw, Form, Mounted, Stage, StageAgent, Topic, column};
use crate::watch::{Watch, Watched, gather, plain};
use becomingone_components::body::{LinkPoses, Model, Obstacle, TruePose, TrueTwist};
use becomingone_components::event::AgentEvent;
use becomingone_components::link::{Entered, Links};
use becomingone_components::scene::{Agent, ResolvedScene};
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{Mount, Sensor};
use becomingone_components::time::{NS_PER_S, Paced, SimTime};
use becomingone_systems::hash::{self, StateHash, StateParts};
use becomingone_systems::index::EntityIndex;
use becomingone_systems::tick::{Last, Reset, ResetSystems, Tick, TickSystems};
use bevy_app::App;
use bevy_ecs::message::{MessageCursor, Messages};
use bevy_ecs::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;

/// Rate cap of true poses, in simulated time.
const POSES_HZ: u64 = 50;

/// Adds the systems, for a queue.
pub(crate) fn add(app: &mut App, queue: Arc<Queue>) {
    app.init_resource::<Watched>()
        .init_resource::<StateParts>()
        .insert_resource(Recorder::new(queue))
        .add_systems(Reset, begin.in_set(ResetSystems::Gather).after(hash::begin))
        // Runs last: other systems of this set change nothing that it reads.
        .add_systems(
            Tick,
            (watch_new.run_if(resource_changed::<EntityIndex>), copy)
                .chain()
                .in_set(Last(TickSystems::Publish)),
        );
}

/// World side of the recording.
#[derive(Resource)]
pub(crate) struct Recorder {
    pub(crate) queue: Arc<Queue>,
    watches: Vec<Watch>,
    /// Agents with a body, and the topics of their true motion.
    bodies: Vec<(Entity, u32)>,
    /// Static content, sent with the next tick.
    stage: Option<Box<Stage>>,
    /// All topics of the run.
    topics: Vec<Arc<Topic>>,
    /// Their names.
    taken: HashSet<String>,
    /// Topics of entities that were spawned during the run, sent with this tick.
    added: Vec<Arc<Topic>>,
    events: MessageCursor<AgentEvent>,
    next_pose_ns: u64,
    /// Whether each tick is a batch of its own, to be compared tick by tick.
    pub(crate) single: bool,
}

impl Recorder {
    fn new(queue: Arc<Queue>) -> Self {
        Self {
            queue,
            watches: Vec::new(),
            bodies: Vec::new(),
            stage: None,
            topics: Vec::new(),
            taken: HashSet::new(),
            added: Vec::new(),
            events: MessageCursor::default(),
            next_pose_ns: 0,
            single: false,
        }
    }
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
    world.resource_mut::<Watched>().clear();
    let watches = gather(world, &mut stage);
    let mut recorder = world.resource_mut::<Recorder>();
    recorder.watches = watches;
    recorder.bodies = bodies;
    recorder.next_pose_ns = 0;
    // Events of the previous run are already recorded.
    recorder.events = MessageCursor::default();
    recorder.topics.clone_from(&stage.topics);
    recorder.taken.clone_from(&stage.taken);
    recorder.added.clear();
    recorder.stage = Some(Box::new(stage));
}

/// Watches entities that were spawned during the run.
fn watch_new(world: &mut World) {
    world.resource_scope(|world, mut recorder: Mut<Recorder>| {
        let recorder = &mut *recorder;
        let mut stage = Stage {
            topics: std::mem::take(&mut recorder.topics),
            taken: std::mem::take(&mut recorder.taken),
            ..Stage::default()
        };
        let known = stage.topics.len();
        recorder
            .watches
            .retain(|w| world.get_entity(w.entity).is_ok());
        recorder.watches.extend(gather(world, &mut stage));
        let added = stage.topics.iter().skip(known).cloned();
        recorder.added.extend(added);
        recorder.topics = stage.topics;
        recorder.taken = stage.taken;
    });
}

/// Copies the data of a tick.
fn copy(world: &mut World) {
    world.resource_scope(|world, mut recorder: Mut<Recorder>| {
        let world = &*world;
        let Recorder {
            queue,
            watches,
            bodies,
            stage,
            events,
            next_pose_ns,
            single,
            added,
            ..
        } = &mut *recorder;
        let time = *world.resource::<SimTime>();
        let paced = world.get_resource::<Paced>().is_some_and(|p| p.0);
        let when_full = if paced && !*single {
            WhenFull::Drop
        } else {
            WhenFull::WaitForDisk
        };
        let fill = |batch: &mut Batch| {
            batch.ticks += 1;
            batch.entries.extend(stage.take().map(Entry::Stage));
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
            for watch in watches.iter_mut() {
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
            let parts = &world.resource::<StateParts>().0;
            batch.parts.extend_from_slice(parts);
            batch.entries.push(Entry::Hash {
                hash: world.resource::<StateHash>().0,
                parts: parts.len() as u32,
            });
        };
        queue.fill(fill, when_full);
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
