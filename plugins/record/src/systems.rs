//! Systems that collect the static content of a run at a reset, and copy the data of each tick. They do no file I/O.

use crate::batch::{Batch, Entry, Row};
use crate::queue::{Patience, Queue};
use crate::stage::{
    Column, Draw, Form, Mounted, Stage, StageAgent, Topic, column, fields_of, flag,
};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::{LinkPoses, Model, Obstacle, TruePose, TrueTwist};
use becomingone_components::coherence::{Coherence, KernelTick};
use becomingone_components::drive::{Odometry, Twist2};
use becomingone_components::event::AgentEvent;
use becomingone_components::governor::Governor;
use becomingone_components::joints::JointTargets;
use becomingone_components::link::{Entered, Links};
use becomingone_components::localisation::Estimate;
use becomingone_components::scene::{Agent, ResolvedScene};
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{Columns, GnssFix, Mount, Scan, Sensor, Truth};
use becomingone_components::time::{NS_PER_S, Paced, SimTime};
use becomingone_components::vehicle::Ackermann;
use becomingone_systems::diagnosis::isolation::FaultIsolation;
use becomingone_systems::hash::{self, StateHash, StateParts};
use becomingone_systems::index::EntityIndex;
use becomingone_systems::sensing::measurements::{MeasurementEntry, Measurements};
use becomingone_systems::tick::{Last, Reset, ResetSystems, Tick, TickSystems};
use bevy_app::App;
use bevy_ecs::message::{MessageCursor, Messages};
use bevy_ecs::prelude::*;
use std::any::TypeId;
use std::collections::HashSet;
use std::sync::Arc;

/// Rate cap of true poses, in simulated time.
const POSES_HZ: u64 = 50;

/// Adds the systems, for a queue.
pub(crate) fn add(app: &mut App, queue: Arc<Queue>) {
    app.init_resource::<Kinds>()
        .init_resource::<Watched>()
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
    for kind in [
        watch_readings,
        watch_commands::<Twist2>,
        watch_commands::<Ackermann>,
        watch_commands::<JointTargets>,
        watch_kernels,
        watch_odometry,
        watch_estimates,
        watch_governors,
    ] {
        app.world_mut().resource_mut::<Kinds>().0.push(kind);
    }
}

type Gather = fn(&mut World, &mut Stage, &mut Vec<Watch>);

/// Functions that find the entities to record, one for each kind of data.
#[derive(Resource, Default)]
struct Kinds(Vec<Gather>);

/// Entity with recorded data.
struct Watch {
    entity: Entity,
    copy: fn(&World, &mut Watch, &mut Batch),
    topic: u32,
    /// Kind of measurement, for a sensor.
    measurement: Option<MeasurementEntry>,
    /// Topic of the ground truth, if there is one.
    truth: Option<u32>,
    /// Numbers recorded last.
    last: Vec<f64>,
    /// Stamp of these numbers (ns).
    last_ns: Option<u64>,
}

impl Watch {
    fn new(entity: Entity, topic: u32, copy: fn(&World, &mut Watch, &mut Batch)) -> Self {
        Self {
            entity,
            copy,
            topic,
            measurement: None,
            truth: None,
            last: Vec::new(),
            last_ns: None,
        }
    }
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
    world.resource_mut::<Watched>().0.clear();
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

/// Gathers the entities that are not watched yet.
fn gather(world: &mut World, stage: &mut Stage) -> Vec<Watch> {
    let mut watches = Vec::new();
    let kinds = std::mem::take(&mut world.resource_mut::<Kinds>().0);
    for gather in &kinds {
        gather(world, stage, &mut watches);
    }
    world.resource_mut::<Kinds>().0 = kinds;
    watches
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
        let patience = if paced && !*single {
            Patience::None
        } else {
            Patience::Disk
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
        queue.fill(fill, patience);
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

/// Row of numbers that are not a reading.
fn plain(topic: u32, now_ns: u64) -> Row {
    Row {
        topic,
        len: 0,
        bytes: 0,
        source_ns: now_ns,
        arrival_ns: now_ns,
        sequence: 0,
    }
}

/// Components of entities that are watched.
#[derive(Resource, Default)]
struct Watched(HashSet<(TypeId, Entity)>);

/// Entities with a component that are not watched yet, by their names.
fn named<T: Component>(world: &mut World) -> Vec<(String, Entity)> {
    let mut all: Vec<_> = world
        .query_filtered::<(&Name, Entity), With<T>>()
        .iter(world)
        .map(|(name, entity)| (name.to_string(), entity))
        .collect();
    let mut watched = world.resource_mut::<Watched>();
    all.retain(|(_, entity)| watched.0.insert((TypeId::of::<T>(), *entity)));
    all.sort();
    all
}

fn watch_readings(world: &mut World, stage: &mut Stage, watches: &mut Vec<Watch>) {
    let kinds: Vec<MeasurementEntry> = world
        .get_resource::<Measurements>()
        .map_or_else(Vec::new, |all| all.0.values().cloned().collect());
    for (name, entity) in named::<Sensor>(world) {
        let Some(kind) = kinds.iter().find(|kind| (kind.is_on)(world, entity)) else {
            continue;
        };
        // The columns of an instrument are defined by the scene.
        let fields = match world.get::<Columns>(entity) {
            None => fields_of(&kind.schema),
            Some(Columns(own)) => {
                let own = own.iter();
                own.map(|c| (c.name.clone(), c.unit.clone())).collect()
            }
        };
        let frame = name.clone();
        let draw = if let Some(Truth(scan)) = world.get::<Truth<Scan>>(entity) {
            Draw::Rays {
                frame,
                angle_min_rad: scan.angle_min_rad,
                angle_step_rad: scan.angle_step_rad,
                range_max_m: scan.range_max_m,
            }
        } else if world.get::<Truth<GnssFix>>(entity).is_some() {
            Draw::Fix { frame }
        } else if let Some(format) = kind.schema.encoding.and_then(|e| e.strip_prefix("image/")) {
            Draw::Image { frame, format }
        } else {
            Draw::Nothing
        };
        let topic = stage.topic(
            format!("/{name}"),
            Form::Reading {
                kind: kind.kind,
                fields: fields.clone(),
                encoding: kind.schema.encoding,
                draw,
            },
        );
        let mut watch = Watch::new(entity, topic, copy_reading);
        watch.measurement = Some(kind.clone());
        if (kind.truth)(world, entity, &mut |_| ()) {
            let form = Form::Truth {
                kind: kind.kind,
                fields,
            };
            watch.truth = Some(stage.topic(format!("/{name}/truth"), form));
        }
        watches.push(watch);
    }
}

fn copy_reading(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(kind) = &watch.measurement else {
        return;
    };
    let mut last_ns = None;
    (kind.fresh)(world, watch.entity, &mut |reading| {
        last_ns = Some(reading.source_ns);
        let row = Row {
            topic: watch.topic,
            len: 0,
            bytes: reading.bytes.len() as u32,
            source_ns: reading.source_ns,
            arrival_ns: reading.arrival_ns,
            sequence: reading.sequence,
        };
        batch.bytes.extend_from_slice(reading.bytes);
        batch.row(row, |to| reading.visit(&mut |x| to.push(x)));
    });
    if let (Some(topic), Some(source_ns)) = (watch.truth, last_ns) {
        batch.row(plain(topic, source_ns), |to| {
            (kind.truth)(world, watch.entity, &mut |x| to.push(x));
        });
    }
}

/// Command with the columns that are recorded.
trait Commanded: Send + Sync + 'static {
    const COLUMNS: &'static [Column];
    fn numbers(&self, each: &mut dyn FnMut(f64));
}

impl Commanded for Twist2 {
    const COLUMNS: &'static [Column] = &[
        column("linear_m_s", "m/s"),
        column("angular_rad_s", "rad/s"),
    ];
    fn numbers(&self, each: &mut dyn FnMut(f64)) {
        each(self.linear_m_s);
        each(self.angular_rad_s);
    }
}

impl Commanded for Ackermann {
    const COLUMNS: &'static [Column] = &[column("speed_m_s", "m/s"), column("steering_rad", "rad")];
    fn numbers(&self, each: &mut dyn FnMut(f64)) {
        each(self.speed_m_s);
        each(self.steering_rad);
    }
}

impl Commanded for JointTargets {
    const COLUMNS: &'static [Column] = &[column("position", "1"), column("velocity", "1")];
    fn numbers(&self, each: &mut dyn FnMut(f64)) {
        for (&position, &velocity) in self.positions.iter().zip(&self.velocities) {
            each(position);
            each(velocity);
        }
    }
}

fn watch_commands<T: Commanded>(world: &mut World, stage: &mut Stage, watches: &mut Vec<Watch>) {
    for (name, entity) in named::<ActuatorTarget<T>>(world) {
        let form = Form::Columns {
            columns: T::COLUMNS,
            draw: Draw::Nothing,
        };
        let topic = stage.topic(format!("/{name}/command"), form);
        watches.push(Watch::new(entity, topic, copy_command::<T>));
    }
}

/// Copies a command if it changed.
fn copy_command<T: Commanded>(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(command) = world.get::<ActuatorTarget<T>>(watch.entity) else {
        return;
    };
    let (mut same, mut count) = (true, 0);
    command.0.numbers(&mut |x| {
        same &= watch
            .last
            .get(count)
            .is_some_and(|y| y.to_bits() == x.to_bits());
        count += 1;
    });
    if same && count == watch.last.len() {
        return;
    }
    watch.last.clear();
    command.0.numbers(&mut |x| watch.last.push(x));
    let now_ns = world.resource::<SimTime>().now_ns;
    batch.row(plain(watch.topic, now_ns), |to| {
        to.extend_from_slice(&watch.last);
    });
}

/// Adds a topic for each entity with a `T`, named by the entity and `leaf`, with these columns.
fn watch_columns<T: Component>(
    (world, stage, watches): (&mut World, &mut Stage, &mut Vec<Watch>),
    leaf: &str,
    columns: &'static [Column],
    draw: Draw,
    copy: fn(&World, &mut Watch, &mut Batch),
) {
    for (name, entity) in named::<T>(world) {
        let draw = draw.clone();
        let form = Form::Columns { columns, draw };
        let topic = stage.topic(format!("/{name}/{leaf}"), form);
        watches.push(Watch::new(entity, topic, copy));
    }
}

const KERNEL: [Column; 15] = [
    column("order", "1"),
    column("order_master", "1"),
    column("coherence", "1"),
    column("t_emissary_re", "1"),
    column("t_emissary_im", "1"),
    column("t_master_re", "1"),
    column("t_master_im", "1"),
    flag("aligned"),
    flag("collapsed"),
    column("surprise", "1"),
    column("k1", "1"),
    column("k2", "1"),
    column("k3", "1"),
    flag("dissipated"),
    // Index of the channel in the self-model; events have its name.
    column("cause", "1"),
];

fn watch_kernels(world: &mut World, stage: &mut Stage, watches: &mut Vec<Watch>) {
    let to = (world, stage, watches);
    watch_columns::<Coherence>(to, "kernel", &KERNEL, Draw::Nothing, copy_kernel);
}

fn copy_kernel(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(last_ns) = world
        .get::<KernelTick>(watch.entity)
        .and_then(|t| t.last_ns)
    else {
        return;
    };
    if watch.last_ns == Some(last_ns) {
        return;
    }
    let Some(sample) = world.get::<Coherence>(watch.entity) else {
        return;
    };
    watch.last_ns = Some(last_ns);
    let truth = |x: bool| f64::from(u8::from(x));
    batch.row(plain(watch.topic, last_ns), |to| {
        to.extend([
            sample.order,
            sample.order_master,
            sample.coherence.unwrap_or(f64::NAN),
            sample.t_emissary[0],
            sample.t_emissary[1],
            sample.t_master[0],
            sample.t_master[1],
            truth(sample.aligned),
            truth(sample.collapsed),
            sample.surprise.unwrap_or(f64::NAN),
            sample.k1.unwrap_or(f64::NAN),
            sample.k2.unwrap_or(f64::NAN),
            sample.k3.unwrap_or(f64::NAN),
            truth(sample.dissipated == Some(true)),
            sample.cause.map_or(f64::NAN, |c| c as f64),
        ]);
    });
}

const ODOMETRY: [Column; 5] = [
    column("x_m", "m"),
    column("y_m", "m"),
    column("yaw_rad", "rad"),
    column("linear_m_s", "m/s"),
    column("angular_rad_s", "rad/s"),
];

fn watch_odometry(world: &mut World, stage: &mut Stage, watches: &mut Vec<Watch>) {
    let to = (world, stage, watches);
    watch_columns::<Odometry>(to, "odometry", &ODOMETRY, Draw::Pose2, copy_odometry);
}

fn copy_odometry(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(sample) = world.get::<Odometry>(watch.entity) else {
        return;
    };
    if watch.last_ns == Some(sample.stamp_ns) {
        return;
    }
    watch.last_ns = Some(sample.stamp_ns);
    batch.row(plain(watch.topic, sample.stamp_ns), |to| {
        to.extend([
            sample.x_m,
            sample.y_m,
            sample.yaw_rad,
            sample.twist.linear_m_s,
            sample.twist.angular_rad_s,
        ]);
    });
}

const ESTIMATE: [Column; 10] = [
    column("x_m", "m"),
    column("y_m", "m"),
    column("yaw_rad", "rad"),
    column("linear_m_s", "m/s"),
    column("angular_rad_s", "rad/s"),
    column("position_sd_m", "m"),
    column("yaw_sd_rad", "rad"),
    column("gyro_bias_rad_s", "rad/s"),
    column("wheel_scale", "1"),
    column("nis", "1"),
];

fn watch_estimates(world: &mut World, stage: &mut Stage, watches: &mut Vec<Watch>) {
    let to = (world, stage, watches);
    watch_columns::<Estimate>(to, "estimate", &ESTIMATE, Draw::Pose2, copy_estimate);
}

fn copy_estimate(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(sample) = world.get::<Estimate>(watch.entity) else {
        return;
    };
    if watch.last_ns == Some(sample.stamp_ns) {
        return;
    }
    watch.last_ns = Some(sample.stamp_ns);
    let nis = world
        .get::<FaultIsolation>(watch.entity)
        .map_or(f64::NAN, |i| i.nis);
    batch.row(plain(watch.topic, sample.stamp_ns), |to| {
        to.extend([
            sample.x_m,
            sample.y_m,
            sample.yaw_rad,
            sample.twist.linear_m_s,
            sample.twist.angular_rad_s,
            sample.position_sd_m,
            sample.yaw_sd_rad,
            sample.gyro_bias_rad_s,
            sample.wheel_scale,
            nis,
        ]);
    });
}

const GOVERNOR: [Column; 2] = [column("limit", "1"), flag("stopped")];

fn watch_governors(world: &mut World, stage: &mut Stage, watches: &mut Vec<Watch>) {
    let to = (world, stage, watches);
    watch_columns::<Governor>(to, "governor", &GOVERNOR, Draw::Nothing, copy_governor);
}

/// Copies the governor's state if it changed.
fn copy_governor(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(governor) = world.get::<Governor>(watch.entity) else {
        return;
    };
    let now = [governor.limit, f64::from(u8::from(governor.stopped))];
    if watch.last == now {
        return;
    }
    watch.last.clear();
    watch.last.extend(now);
    let now_ns = world.resource::<SimTime>().now_ns;
    batch.row(plain(watch.topic, now_ns), |to| to.extend(now));
}
