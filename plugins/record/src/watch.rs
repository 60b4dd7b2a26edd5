//! Entities whose data is recorded, and how that is copied: a function pair for each kind of data.

use crate::batch::{Batch, Row};
use crate::stage::{Column, Draw, Form, Stage, column, fields_of, flag};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::coherence::{Coherence, KernelTick};
use becomingone_components::drive::{Odometry, Twist2};
use becomingone_components::governor::Governor;
use becomingone_components::joints::JointTargets;
use becomingone_components::localisation::Estimate;
use becomingone_components::sensor::{Columns, GnssFix, Scan, Sensor, Truth};
use becomingone_components::time::SimTime;
use becomingone_components::vehicle::Ackermann;
use becomingone_systems::diagnosis::isolation::FaultIsolation;
use becomingone_systems::sensing::measurements::{MeasurementEntry, Measurements};
use bevy_ecs::prelude::*;
use std::any::TypeId;
use std::collections::HashSet;

type Gather = fn(&mut World, &mut Stage, &mut Found);

/// Functions that find the entities to record, one for each kind of data.
const GATHER: [Gather; 8] = [
    watch_readings,
    watch_commands::<Twist2>,
    watch_commands::<Ackermann>,
    watch_commands::<JointTargets>,
    watch_kernels,
    watch_odometry,
    watch_estimates,
    watch_governors,
];

/// Gathers the entities that are not watched yet.
pub(crate) fn gather(world: &mut World, stage: &mut Stage, found: &mut Found) {
    for gather in GATHER {
        gather(world, stage, found);
    }
}

/// Entities with recorded data.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) watches: Vec<Watch>,
    /// Their components.
    watched: HashSet<(TypeId, Entity)>,
}

/// Entity with recorded data.
pub(crate) struct Watch {
    pub(crate) entity: Entity,
    pub(crate) copy: fn(&World, &mut Watch, &mut Batch),
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

    /// Whether this stamp (ns) is another one than that of the last call.
    fn is_new(&mut self, stamp_ns: u64) -> bool {
        self.last_ns.replace(stamp_ns) != Some(stamp_ns)
    }

    /// Forgets what was recorded, so that it is recorded again.
    pub(crate) fn forget(&mut self) {
        self.last.clear();
        self.last_ns = None;
    }
}

/// Row of numbers that are not a reading.
pub(crate) fn plain(topic: u32, now_ns: u64) -> Row {
    Row {
        topic,
        len: 0,
        bytes: 0,
        source_ns: now_ns,
        arrival_ns: now_ns,
        sequence: 0,
    }
}

/// Entities with a component that are not watched yet, by their names.
fn named<T: Component>(world: &mut World, found: &mut Found) -> Vec<(String, Entity)> {
    let mut all: Vec<_> = world
        .query_filtered::<(&Name, Entity), With<T>>()
        .iter(world)
        .map(|(name, entity)| (name.to_string(), entity))
        .collect();
    all.retain(|(_, entity)| found.watched.insert((TypeId::of::<T>(), *entity)));
    all.sort();
    all
}

fn watch_readings(world: &mut World, stage: &mut Stage, found: &mut Found) {
    let kinds: Vec<MeasurementEntry> = world
        .get_resource::<Measurements>()
        .map_or_else(Vec::new, |all| all.0.values().cloned().collect());
    for (name, entity) in named::<Sensor>(world, found) {
        let Some(kind) = kinds.iter().find(|kind| (kind.is_on)(world, entity)) else {
            // Its reading may be added later.
            let key = (TypeId::of::<Sensor>(), entity);
            found.watched.remove(&key);
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
        found.watches.push(watch);
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

fn watch_commands<T: Commanded>(world: &mut World, stage: &mut Stage, found: &mut Found) {
    for (name, entity) in named::<ActuatorTarget<T>>(world, found) {
        let form = Form::Columns {
            columns: T::COLUMNS,
            draw: Draw::Nothing,
        };
        let topic = stage.topic(format!("/{name}/command"), form);
        found
            .watches
            .push(Watch::new(entity, topic, copy_command::<T>));
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
    (world, stage, found): (&mut World, &mut Stage, &mut Found),
    leaf: &str,
    columns: &'static [Column],
    draw: Draw,
    copy: fn(&World, &mut Watch, &mut Batch),
) {
    for (name, entity) in named::<T>(world, found) {
        let draw = draw.clone();
        let form = Form::Columns { columns, draw };
        let topic = stage.topic(format!("/{name}/{leaf}"), form);
        found.watches.push(Watch::new(entity, topic, copy));
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

fn watch_kernels(world: &mut World, stage: &mut Stage, found: &mut Found) {
    let to = (world, stage, found);
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

fn watch_odometry(world: &mut World, stage: &mut Stage, found: &mut Found) {
    let to = (world, stage, found);
    watch_columns::<Odometry>(to, "odometry", &ODOMETRY, Draw::Pose2, copy_odometry);
}

fn copy_odometry(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(sample) = world.get::<Odometry>(watch.entity) else {
        return;
    };
    if !watch.is_new(sample.stamp_ns) {
        return;
    }
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

fn watch_estimates(world: &mut World, stage: &mut Stage, found: &mut Found) {
    let to = (world, stage, found);
    watch_columns::<Estimate>(to, "estimate", &ESTIMATE, Draw::Pose2, copy_estimate);
}

fn copy_estimate(world: &World, watch: &mut Watch, batch: &mut Batch) {
    let Some(sample) = world.get::<Estimate>(watch.entity) else {
        return;
    };
    if !watch.is_new(sample.stamp_ns) {
        return;
    }
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

fn watch_governors(world: &mut World, stage: &mut Stage, found: &mut Found) {
    let to = (world, stage, found);
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
