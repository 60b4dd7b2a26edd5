//! Systems that collect the content of a run at a reset, and copy the data of each tick. They make no call to Rerun.

use crate::batch::{Body, ImageFrame, MemoryEntry, MemoryFrame, Pursued, Row, ScanFrame};
use crate::marks::{self, Marks};
use crate::outbox::{Cap, Outbox};
use crate::stage::{Stage, StageAgent, StageImage, StageLidar, StageSensor, StageTrack, path};
use crate::visualised_agents::{VisualisedAgent, VisualisedAgents};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::body::{LinkPoses, Model, Obstacle, TrueTwist};
use becomingone_components::coherence::{Coherence, KernelTick};
use becomingone_components::control::{DrivenBy, Goals, Plan};
use becomingone_components::drive::{Drive, Odometry, Twist2};
use becomingone_components::event::AgentEvent;
use becomingone_components::fault::Faults;
use becomingone_components::fleet::{FLEET, FleetOrder};
use becomingone_components::governor::Governor;
use becomingone_components::localisation::Estimate;
use becomingone_components::scene::{Agent, LoadedScene, ResolvedScene};
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{
    Columns, Distance, GnssFix, MagneticField, Measurement as _, Mount, Reading, Scan, Sensor,
};
use becomingone_components::time::{Rate, SimTime};
use becomingone_components::vehicle::{Ackermann, Vehicle};
use becomingone_systems::coherence::memory::{Blend, MEMORIES};
use becomingone_systems::coherence::transducers::Transducers;
use becomingone_systems::diagnosis::witness::Witness;
use becomingone_systems::sensing::measurements::{MeasurementEntry, Measurements};
use becomingone_systems::tick::{Last, Reset, ResetSystems, Tick, TickSystems};
use becomingone_systems::vehicle::profile::SpeedProfile;
use bevy_app::App;
use bevy_ecs::message::Messages;
use bevy_ecs::prelude::*;
use glam::Vec3;

/// Rate cap of lidar scans, in simulated time.
const TURNS_HZ: u64 = 10;

/// Rate cap of event memories, in simulated time: they fade over minutes. New ones are shown at once.
const MEMORIES_HZ: u64 = 1;

/// Series of a kernel, in the order of [`kernels`].
const KERNEL: [&str; 8] = [
    "order",
    "order_master",
    "t_emissary_re",
    "t_emissary_im",
    "t_master_re",
    "t_master_im",
    "aligned",
    "collapsed",
];

/// Series of a self-model, in the order of [`kernels`]: K1, K2 and K3 are divided by their thresholds, so that the
/// limit of all is 1.
const WITNESS: [&str; 12] = [
    "surprise",
    "limit",
    "k1",
    "k2",
    "k3",
    "coherence",
    "dissipated",
    "faults",
    "lidar",
    "innovations_motion",
    "innovations_gnss",
    "nis",
];

/// Systems that run only in ticks with data to show, in [`TickSystems::Publish`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ShowSystems;

/// Systems that fill the batch, in [`ShowSystems`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FillSystems;

/// Systems that collect the static content, in [`Reset`].
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StageSystems;

/// Adds all systems.
pub(crate) fn add(app: &mut App) {
    app.init_resource::<VisualisedAgents>()
        .init_resource::<Lidars>()
        .init_resource::<Marks<GnssFix>>()
        .init_resource::<Marks<Distance>>()
        .init_resource::<Marks<MagneticField>>()
        .add_systems(
            Reset,
            (
                gather.in_set(ResetSystems::Gather),
                // Of that set, too.
                gather_lidars.in_set(StageSystems),
                (
                    marks::gather::<GnssFix>,
                    marks::gather::<Distance>,
                    marks::gather::<MagneticField>,
                )
                    .chain()
                    .in_set(ResetSystems::Gather),
            )
                .chain(),
        )
        .init_resource::<Watched>()
        .add_systems(Reset, watch.in_set(StageSystems).after(gather_lidars))
        .configure_sets(
            Reset,
            StageSystems.in_set(ResetSystems::Gather).after(gather),
        )
        // A reading is drawn at the poses of its measurement, which `Step` overwrites.
        .add_systems(
            Tick,
            (
                scan_frames,
                marks::copy::<GnssFix>,
                marks::copy::<Distance>,
                marks::copy::<MagneticField>,
            )
                .chain()
                .in_set(Last(TickSystems::Inject)),
        )
        .configure_sets(
            Tick,
            (
                // Evaluated once per tick, before the first of these systems.
                ShowSystems.in_set(TickSystems::Publish).run_if(is_due),
                // The order of the systems that fill a batch does not matter.
                FillSystems
                    .in_set(ShowSystems)
                    .after(open)
                    .ambiguous_with(FillSystems),
            ),
        )
        .add_systems(
            Tick,
            (open, send.after(FillSystems).after(open)).in_set(ShowSystems),
        )
        .add_systems(
            Tick,
            (poses, drives, fleet, kernels, memories, events, readings)
                .chain()
                .in_set(FillSystems),
        );
}

/// Visualised lidar.
struct VisualisedLidar {
    entity: Entity,
    cap: Cap,
}

/// Visualised lidars.
#[derive(Resource, Default)]
pub(crate) struct Lidars {
    shown: Vec<VisualisedLidar>,
    /// Time before which no scan is due (ns).
    next_ns: u64,
}

/// Sensor with plotted readings.
struct Watch {
    entity: Entity,
    kind: MeasurementEntry,
    /// First series of its fields.
    series: u32,
    /// Its index in the stage's images, for encoded images.
    image: Option<u32>,
    /// Sequence number of the next reading.
    next: u64,
}

/// Sensors with plotted readings.
#[derive(Resource, Default)]
struct Watched {
    sensors: Vec<Watch>,
    /// Numbers of one reading.
    scratch: Vec<f64>,
}

type AgentParts<'a> = (
    Entity,
    &'a Name,
    Option<&'a Model>,
    Option<&'a LinkPoses>,
    Option<&'a Goals>,
    Option<&'a DrivenBy>,
    (Has<Transducers>, Has<Witness>, Has<Governor>),
    Has<TrueTwist>,
    Option<&'a SpeedProfile>,
);

/// Starts the static content: ground, obstacles, agents.
fn gather(
    mut outbox: ResMut<Outbox>,
    mut agents_shown: ResMut<VisualisedAgents>,
    (time, seed, loaded, resolved): (
        Res<SimTime>,
        Res<RunSeed>,
        Option<Res<LoadedScene>>,
        Option<Res<ResolvedScene>>,
    ),
    obstacles: Query<(&Name, &Obstacle)>,
    agents: Query<AgentParts, With<Agent>>,
    (drives, vehicles, faults, fleets): (
        Query<&Drive>,
        Query<&Vehicle>,
        Query<(Entity, &ChildOf), With<Faults>>,
        Query<(), With<FleetOrder>>,
    ),
) {
    *agents_shown = VisualisedAgents::default();
    if outbox.is_over() {
        return;
    }
    let track = loaded.as_ref().and_then(|l| l.track.clone());
    let mut stage = Stage {
        track: track.as_deref().map(|track| StageTrack {
            edges_m: track.edges_m().map(|edge| {
                let points = edge.into_iter();
                points.map(|[x, y]| [x as f32, y as f32, 0.0]).collect()
            }),
            closed: track.closed,
        }),
        tick_ns: time.tick_ns,
        seed: seed.0,
        latitude_deg: (loaded.as_ref())
            .and_then(|l| l.scene.world.origin)
            .map_or(0.0, |o| o.latitude_deg),
        scene: resolved.map_or_else(String::new, |r| r.text.clone()),
        ground: loaded.is_some_and(|l| l.scene.world.ground.is_some()),
        obstacles: obstacles
            .iter()
            .map(|(name, o)| (name.to_string(), o.geometry.clone()))
            .collect(),
        ..Stage::default()
    };
    let mut agents: Vec<_> = agents.iter().collect();
    // Colours follow the order of names, independent of the order of entities.
    agents.sort_by(|a, b| a.1.as_str().cmp(b.1.as_str()));
    for (
        entity,
        name,
        model,
        poses,
        goals,
        driven_by,
        (kernel, witness, governed),
        moves,
        profile,
    ) in agents
    {
        let index = stage.agents.len() as u32;
        let actuator = driven_by.map(|d| d.0);
        let drive = actuator.and_then(|a| drives.get(a).ok());
        let vehicle = actuator.and_then(|a| vehicles.get(a).ok());
        stage.agents.push(StageAgent {
            name: name.to_string(),
            model: model.map(|m| m.0.clone()),
            poses: poses.map_or_else(Vec::new, |p| p.0.clone()),
            goals_m: goals.map_or_else(Vec::new, |g| g.waypoints_m.clone()),
            forward_yaw_rad: drive.map_or(0.0, |d| d.forward_yaw_rad),
            centre_m: match (drive, vehicle) {
                (Some(drive), _) => drive.centre(),
                (None, Some(v)) => Vec3::X * v.0.fixed_axle_x_m() as f32,
                (None, None) => Vec3::ZERO,
            },
            planned: profile
                .zip(track.as_deref())
                .map_or_else(Vec::new, |(profile, track)| {
                    let speeds = profile.0.iter();
                    let stations = track.stations.iter().zip(speeds);
                    stations
                        .map(|(s, &v)| ([s.at_m[0] as f32, s.at_m[1] as f32, 0.0], v as f32))
                        .collect()
                }),
            kernel,
            witness,
            driven: drive.is_some() || vehicle.is_some(),
        });
        let mut all = |leaves: &[&[&str]]| {
            let mut first = None;
            for leaf in leaves {
                let series = stage.series(path("plots", name, leaf));
                first.get_or_insert(series);
            }
            first
        };
        let kernel = kernel.then(|| KERNEL.map(|k| ["kernel", k]));
        let kernel = kernel.and_then(|k| all(&k.each_ref().map(|k| k.as_slice())));
        let witness = witness.then(|| WITNESS.map(|k| ["kernel", k]));
        let witness = witness.and_then(|k| all(&k.each_ref().map(|k| k.as_slice())));
        let memory = kernel
            .is_some()
            .then(|| all(&[&["kernel", "memory"]]))
            .flatten();
        let speed = moves.then(|| all(&[&["speed"]])).flatten();
        let governor = governed.then(|| all(&[&["governor", "limit"]])).flatten();
        let turn = if vehicle.is_some() {
            "steering"
        } else {
            "angular"
        };
        let driven = drive.is_some() || vehicle.is_some();
        let command = driven
            .then(|| all(&[&["command", "linear"], &["command", turn]]))
            .flatten();
        let command = actuator.zip(command);
        agents_shown.agents.push(VisualisedAgent {
            entity,
            index,
            kernel,
            witness,
            faulty: faults
                .iter()
                .filter(|(_, of)| of.parent() == entity)
                .map(|(faulty, _)| faulty)
                .collect(),
            kernel_ns: None,
            governor,
            memory,
            memory_cap: Cap::new(MEMORIES_HZ),
            taken_in: 0,
            speed,
            command,
        });
    }
    if !fleets.is_empty() {
        stage.fleet = true;
        let [r, _] = ["r", "r_theory"].map(|leaf| stage.series(path("plots", FLEET, &[leaf])));
        agents_shown.fleet = Some(r);
    }
    outbox.start(stage);
}

/// Adds the lidars to the static content.
fn gather_lidars(
    mut outbox: ResMut<Outbox>,
    mut all: ResMut<Lidars>,
    agents_shown: Res<VisualisedAgents>,
    lidars: Query<(Entity, &Name, &Sensor, Option<&Rate>), With<Reading<Scan>>>,
) {
    *all = Lidars::default();
    let Some(stage) = outbox.stage.as_mut() else {
        return;
    };
    for (entity, name, sensor, rate) in &lidars {
        let Some(agent) = agents_shown.index_of(sensor.agent) else {
            continue;
        };
        all.shown.push(VisualisedLidar {
            entity,
            cap: Cap::new(TURNS_HZ),
        });
        stage.lidars.push(StageLidar {
            path: path("world", name, &[]),
            agent,
        });
        stage.sensors.push(StageSensor {
            name: name.to_string(),
            kind: Scan::KIND,
            rate_hz: rate.map(Rate::rate_hz),
        });
    }
}

/// Adds the sensors whose readings are time series. Scans are drawn instead, and the columns of instruments are only in
/// the journal.
fn watch(world: &mut World) {
    let kinds: Vec<MeasurementEntry> = world
        .get_resource::<Measurements>()
        .map_or_else(Vec::new, |all| all.0.values().cloned().collect());
    let sensors: Vec<(Entity, String, Option<f64>)> = world
        .query_filtered::<(Entity, &Name, Option<&Rate>), (With<Sensor>, Without<Columns>)>()
        .iter(world)
        .map(|(entity, name, rate)| (entity, name.to_string(), rate.map(Rate::rate_hz)))
        .collect();
    let mut watches = Vec::new();
    world.resource_scope(|world, mut outbox: Mut<Outbox>| {
        let Some(stage) = outbox.stage.as_mut() else {
            return;
        };
        for (entity, name, rate_hz) in sensors {
            let kind = kinds.iter().find(|kind| (kind.is_on)(world, entity));
            let Some(kind) = kind.filter(|k| !(k.schema.is_row && k.schema.surroundings)) else {
                continue;
            };
            let series = stage.series.len() as u32;
            for field in &kind.schema.fields {
                stage.series(path("readings", &name, &[field]));
            }
            let is_image = |e: &&str| e.starts_with("image/");
            let image = kind.schema.encoding.filter(is_image).map(|encoding| {
                let path = path("images", &name, &[]);
                stage.images.push(StageImage { path, encoding });
                (stage.images.len() - 1) as u32
            });
            stage.sensors.push(StageSensor {
                name,
                kind: kind.kind,
                rate_hz,
            });
            watches.push(Watch {
                entity,
                kind: kind.clone(),
                series,
                image,
                next: 0,
            });
        }
    });
    world.resource_mut::<Watched>().sensors = watches;
}

/// Whether this tick has data to show.
fn is_due(time: Res<SimTime>, outbox: Res<Outbox>, events: Res<Messages<AgentEvent>>) -> bool {
    outbox.is_due(time.now_ns) || !(events.is_empty() || outbox.is_over())
}

/// Opens the batch of this tick.
fn open(time: Res<SimTime>, mut outbox: ResMut<Outbox>) {
    outbox.open(time.now_ns, time.tick);
}

/// Sends the batch of this tick.
fn send(mut outbox: ResMut<Outbox>) {
    outbox.send();
}

/// Copies the poses of all agents.
fn poses(
    mut outbox: ResMut<Outbox>,
    agents_shown: Res<VisualisedAgents>,
    agents: Query<(&LinkPoses, Option<&Odometry>, Option<&Estimate>)>,
) {
    if !outbox.poses_due {
        return;
    }
    let batch = &mut *outbox.batch;
    for shown in &agents_shown.agents {
        let Ok((links, odometry, estimate)) = agents.get(shown.entity) else {
            continue;
        };
        batch.bodies.push(Body {
            agent: shown.index,
            links: links.0.len() as u32,
            odometry_m: odometry.map(|o| [o.x_m, o.y_m]),
            estimate_m: estimate.map(|e| [e.x_m, e.y_m]),
        });
        batch.poses.extend_from_slice(&links.0);
    }
}

/// Copies the order parameter of the fleet, and its theoretical value.
fn fleet(
    mut outbox: ResMut<Outbox>,
    agents_shown: Res<VisualisedAgents>,
    fleets: Query<&FleetOrder>,
) {
    let Some(series) = agents_shown.fleet.filter(|_| outbox.scalars_due) else {
        return;
    };
    let batch = &mut *outbox.batch;
    let now_ns = batch.now_ns;
    for order in &fleets {
        batch.scalar(series, now_ns, order.r);
        batch.scalar(series + 1, now_ns, order.r_theory);
    }
}

/// Copies speeds, commands and plans.
fn drives(
    mut outbox: ResMut<Outbox>,
    agents_shown: Res<VisualisedAgents>,
    agents: Query<(&TrueTwist, &LinkPoses, Option<&Plan>)>,
    (twists, vehicles): (
        Query<&ActuatorTarget<Twist2>>,
        Query<&ActuatorTarget<Ackermann>>,
    ),
    governors: Query<&Governor>,
) {
    if !outbox.scalars_due {
        return;
    }
    let batch = &mut *outbox.batch;
    let now_ns = batch.now_ns;
    for shown in &agents_shown.agents {
        let Ok((twist, links, plan)) = agents.get(shown.entity) else {
            continue;
        };
        if let Some(series) = shown.speed {
            batch.scalar(series, now_ns, f64::from(twist.linear_m_s.length()));
        }
        if let (Some(series), Ok(governor)) = (shown.governor, governors.get(shown.entity)) {
            batch.scalar(series, now_ns, governor.limit);
        }
        if let Some((actuator, series)) = shown.command {
            let twist = twists.get(actuator).ok();
            let twist = twist.map(|c| [c.0.linear_m_s, c.0.angular_rad_s]);
            let vehicle = vehicles.get(actuator).ok();
            let vehicle = vehicle.map(|c| [c.0.speed_m_s, c.0.steering_rad]);
            for (series, number) in (series..).zip(twist.or(vehicle).into_iter().flatten()) {
                batch.scalar(series, now_ns, number);
            }
        }
        if let Some(plan) = plan
            && let Some(&root) = links.0.first()
        {
            batch.pursued.push(Pursued {
                agent: shown.index,
                root,
                target_m: plan.target_m,
            });
        }
    }
}

/// Copies the kernel output of a new kernel tick.
fn kernels(
    mut outbox: ResMut<Outbox>,
    mut agents_shown: ResMut<VisualisedAgents>,
    agents: Query<(&KernelTick, &Coherence, Option<&Witness>)>,
    faults: Query<&Faults>,
) {
    if !outbox.readings_due {
        return;
    }
    let batch = &mut *outbox.batch;
    for shown in &mut agents_shown.agents {
        if shown.kernel.is_none() && shown.witness.is_none() {
            continue;
        }
        let Ok((tick, coherence, witness)) = agents.get(shown.entity) else {
            continue;
        };
        let Some(ns) = tick.last_ns.filter(|&ns| shown.kernel_ns != Some(ns)) else {
            continue;
        };
        shown.kernel_ns = Some(ns);
        let flag = |x: bool| f64::from(u8::from(x));
        if let Some(series) = shown.kernel {
            let numbers = [
                coherence.order,
                coherence.order_master,
                coherence.t_emissary[0],
                coherence.t_emissary[1],
                coherence.t_master[0],
                coherence.t_master[1],
                flag(coherence.aligned),
                flag(coherence.collapsed),
            ];
            for (series, number) in (series..).zip(numbers) {
                batch.scalar(series, ns, number);
            }
        }
        // No values before training.
        let trained = witness.and_then(|w| w.model.thresholds());
        if let (Some(series), Some(over), Some(surprise)) =
            (shown.witness, trained, coherence.surprise)
        {
            let faulty = faults.iter_many(&shown.faulty).flatten();
            let found = |way: usize| witness.and_then(|w| w.detections[way]).map(|f| f.surprise);
            let active = faulty.flat_map(|f| &f.all).filter(|f| f.active).count();
            let numbers = [
                Some(surprise),
                Some(1.0),
                coherence.k1.map(|k| k / over.k1),
                coherence.k2.map(|k| k / over.k2),
                coherence.k3.map(|k| k / over.k3),
                coherence.coherence,
                coherence.dissipated.map(flag),
                (!shown.faulty.is_empty()).then_some(active as f64),
                found(1),
                found(2),
                found(3),
                found(4),
            ];
            for (series, number) in (series..).zip(numbers) {
                if let Some(x) = number {
                    batch.scalar(series, ns, x);
                }
            }
        }
    }
}

/// Copies the event memories, and the event most similar to the present.
fn memories(
    mut outbox: ResMut<Outbox>,
    mut agents_shown: ResMut<VisualisedAgents>,
    agents: Query<&Blend>,
) {
    let batch = &mut *outbox.batch;
    let now_ns = batch.now_ns;
    for shown in &mut agents_shown.agents {
        let Some(series) = shown.memory else {
            continue;
        };
        let Ok(blend) = agents.get(shown.entity) else {
            continue;
        };
        let news = shown.taken_in != blend.taken_in();
        if !(shown.memory_cap.due(now_ns) || news) || blend.taken_in() == 0 {
            continue;
        }
        shown.taken_in = blend.taken_in();
        let first = batch.numbers.len();
        // One number per slot; NaN for a free one.
        batch.numbers.resize(first + MEMORIES, f64::NAN);
        let before = batch.memories.len();
        for held in blend.memories() {
            if let Some(number) = batch.numbers.get_mut(first + held.slot) {
                *number = held.strength;
            }
            batch.memories.push(MemoryEntry {
                label: held.item.label.clone(),
                serial: held.serial,
                position_m: held.item.position_m,
                strength: held.strength,
            });
        }
        batch.rows.push(Row {
            series,
            ns: now_ns,
            len: MEMORIES as u32,
        });
        batch.memory_frames.push(MemoryFrame {
            agent: shown.index,
            len: (batch.memories.len() - before) as u32,
            likeness: blend.likeness.clone(),
        });
    }
}

/// Copies the events of this tick.
fn events(mut outbox: ResMut<Outbox>, mut events: MessageReader<AgentEvent>) {
    let new = events.read().cloned();
    outbox.batch.events.extend(new);
}

/// Copies the latest readings, at their stamps.
fn readings(world: &mut World) {
    if !world.resource::<Outbox>().readings_due {
        return;
    }
    world.resource_scope(|world, mut watched: Mut<Watched>| {
        world.resource_scope(|world, mut outbox: Mut<Outbox>| {
            let batch = &mut *outbox.batch;
            let Watched { sensors, scratch } = &mut *watched;
            for watch in sensors {
                let fields = watch.kind.schema.fields.len();
                (watch.kind.latest)(world, watch.entity, &mut |reading| {
                    if reading.sequence < watch.next {
                        return;
                    }
                    watch.next = reading.sequence + 1;
                    if let Some(image) = watch.image {
                        batch.bytes.extend_from_slice(reading.bytes);
                        batch.images.push(ImageFrame {
                            image,
                            ns: reading.source_ns,
                            len: reading.bytes.len() as u32,
                        });
                    }
                    scratch.clear();
                    reading.visit(&mut |x| scratch.push(x));
                    // Numbers of a row alternate between its fields.
                    for field in 0..fields {
                        let before = batch.numbers.len();
                        let numbers = scratch.iter().skip(field).step_by(fields);
                        batch.numbers.extend(numbers);
                        batch.rows.push(Row {
                            series: watch.series + field as u32,
                            ns: reading.source_ns,
                            len: (batch.numbers.len() - before) as u32,
                        });
                    }
                });
            }
        });
    });
}

/// Copies the lidar scans that ended in this tick, with the poses of their measurement.
fn scan_frames(
    time: Res<SimTime>,
    mut outbox: ResMut<Outbox>,
    mut all: ResMut<Lidars>,
    lidars: Query<(&Reading<Scan>, &Sensor, &Mount)>,
    agents: Query<&LinkPoses>,
) {
    if time.now_ns < all.next_ns || outbox.is_over() {
        return;
    }
    let mut next_ns = u64::MAX;
    for (index, lidar) in all.shown.iter_mut().enumerate() {
        if let Ok((reading, sensor, mount)) = lidars.get(lidar.entity)
            && reading.is_fresh()
            && let Some(latest) = reading.latest()
            && let Ok(poses) = agents.get(sensor.agent)
            && let Some(&link) = poses.0.get(sensor.link)
            && lidar.cap.due(latest.source_ns)
        {
            let batch = &mut *outbox.batch;
            batch.scan_frames.push(ScanFrame {
                lidar: index as u32,
                ns: latest.source_ns,
                pose: link * mount.0,
                angle_min_rad: latest.value.angle_min_rad,
                angle_step_rad: latest.value.angle_step_rad,
                range_max_m: latest.value.range_max_m,
                len: latest.value.ranges_m.len() as u32,
            });
            batch.ranges_m.extend_from_slice(&latest.value.ranges_m);
        }
        next_ns = next_ns.min(lidar.cap.next_ns());
    }
    all.next_ns = next_ns;
}
