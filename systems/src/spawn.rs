//! Spawns the entities of a loaded scene, at the start and at every reset.

use crate::coherence::memory::Blend;
use crate::coherence::transducers::{Synchrony, Transducers};
use crate::coherence::{OwnSignal, Signals};
use crate::control::governor;
use crate::control::orbit::spawn_fleet;
use crate::control::robot::spawn_robot;
use crate::diagnosis;
use crate::estimation::{self, localiser::EkfLocaliser};
use crate::faults;
use crate::index::EntityIndex;
use crate::kinds::Kinds;
use crate::links::{name_links, sources};
use crate::physics::build::vec3;
use crate::physics::{Physics, obstacles, surroundings};
use crate::randomise;
use crate::sensing::{Encoders, encoded, spawn_sensor};
use crate::threads::{Threads, ThreadsError, use_threads};
use crate::tick::Reset;
use crate::vehicle::build::spawn_vehicle;
use becomingone_components::coherence::{Channels, Coherence, KernelTick, MAX_CHANNELS};
use becomingone_components::control::{AgentBody, ControlledBy, ControllerInputs};
use becomingone_components::scene::{
    Agent, AgentSpec, BlendSpec, CoherenceSpec, FromScene, LoadedScene, MasterSpec, SceneSpec,
    SensorSpec, WitnessSpec, default_emissary_window_s, default_kernel_rate_hz,
    default_master_window_s,
};
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::sensor::{EncoderAngles, Measurement, Reading, Scan};
use becomingone_components::time::{Rate, SimTime};
use becomingone_components::witness::outputs;
use bevy_ecs::prelude::*;

/// A scene that cannot be spawned; the loader checks for all causes but the threads.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No threads for physics.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// Two types were registered under one name.
    #[error("found two types registered as {}; expected one type for each name", .0.join(", "))]
    Conflict(Vec<String>),
    /// A sensor of a kind that no plugin of this engine registers.
    #[error(
        "`{sensor}`: found the sensor kind `{kind}`, which is not registered with this engine; expected \
         its plugin to be added: CoherenceEngine::builder().add_plugin(..)"
    )]
    Kind {
        /// The sensor.
        sensor: String,
        /// Its kind.
        kind: String,
    },
    /// A kernel without channels or with too many, or an invalid window.
    #[error("agent `{agent}`: {cause}")]
    Kernel {
        /// The agent.
        agent: String,
        /// Error of the kernel.
        cause: becomingone_kernel::ConfigError,
    },
}

/// Despawns the last scene, spawns the present one, and runs [`Reset`].
///
/// # Errors
///
/// See [`SpawnError`].
pub fn build_scene(world: &mut World) -> Result<(), SpawnError> {
    let old: Vec<Entity> = world
        .query_filtered::<Entity, (With<FromScene>, Without<ChildOf>)>()
        .iter(world)
        .collect();
    for entity in old {
        // Children go with their parents.
        world.despawn(entity);
    }
    let Some(mut loaded) = world.get_resource::<LoadedScene>().cloned() else {
        return Ok(());
    };
    randomise::draw(&mut loaded);
    let scene = &loaded.scene;
    let kinds = world.resource::<Kinds>();
    if !kinds.conflicts.is_empty() {
        return Err(SpawnError::Conflict(kinds.conflicts.clone()));
    }
    for agent in &scene.agents {
        let unknown = |s: &&SensorSpec| !kinds.sensors.contains_key(s.kind.name());
        if let Some(sensor) = agent.sensors.iter().find(unknown) {
            return Err(SpawnError::Kind {
                sensor: format!("{}/{}", agent.name, sensor.name),
                kind: sensor.kind.name().to_owned(),
            });
        }
    }
    world.insert_resource(SimTime::new(scene.tick_ns));
    world.insert_resource(RunSeed(scene.seed));
    build_physics(world, scene)?;
    for (spec, mesh) in scene.world.obstacles.iter().zip(&loaded.meshes) {
        obstacles::spawn(world, &scene.world, spec, mesh.as_ref());
    }
    let mut agents = Vec::new();
    for (index, spec) in scene.agents.iter().enumerate() {
        let body = loaded.agents[index].body(loaded.track.as_deref());
        agents.push(spawn_agent(world, scene, spec, body)?);
    }
    spawn_fleet(world, scene, &agents);
    let mut named: Vec<(String, Entity)> = world
        .query_filtered::<(&Name, Entity), With<FromScene>>()
        .iter(world)
        .map(|(name, entity)| (name.to_string(), entity))
        .collect();
    named.sort();
    name_links(world, scene, &named);
    faults::spawn(world, scene, &named);
    world.insert_resource(EntityIndex(named));
    sources::resolve(world, scene);
    world.run_schedule(Reset);
    Ok(())
}

fn build_physics(world: &mut World, scene: &SceneSpec) -> Result<(), SpawnError> {
    let tick_s = world.resource::<SimTime>().tick_s();
    let mut physics = Physics::new(tick_s, vec3(scene.world.gravity_m_s2));
    let threads = world.get_resource::<Threads>().map_or(1, |t| t.0);
    let workers = use_threads(&mut physics.rapier, threads)?;
    world.insert_resource(workers);
    if let Some(ground) = scene.world.ground {
        physics.add_ground(ground.friction as f32);
    }
    world.insert_resource(physics);
    Ok(())
}

fn spawn_agent(
    world: &mut World,
    scene: &SceneSpec,
    spec: &AgentSpec,
    body: AgentBody<'_>,
) -> Result<Entity, SpawnError> {
    let agent = world
        .spawn((Name::new(spec.name.clone()), Agent, FromScene))
        .id();
    match (body.model, body.vehicle) {
        (Some(model), None) => {
            let root = spawn_robot(
                world,
                agent,
                spec,
                model,
                body,
                scene.world.ground.is_some(),
            );
            let friction = scene.world.ground.unwrap_or_default().friction as f32;
            surroundings::spawn(world, &spec.name, model, root, friction);
        }
        (Some(model), Some(vehicle)) => {
            spawn_vehicle(world, agent, spec, model, vehicle, body.track);
        }
        (None, _) => {}
    }
    let sensors: Vec<Entity> = spec
        .sensors
        .iter()
        .map(|sensor| spawn_sensor(world, agent, scene, spec, sensor, body))
        .collect();
    let inputs = ControllerInputs {
        lidar: first::<Scan>(world, &sensors),
        encoders: first::<EncoderAngles>(world, &sensors),
    };
    world.entity_mut(agent).insert(inputs);
    sources::spawn_drive_source(world, agent, spec);
    if let Some(named) = &spec.controller
        && let Some(controller) = named.value()
    {
        let mut agent = world.entity_mut(agent);
        controller.spawn(&mut agent, &body);
        agent.insert(ControlledBy(named.clone()));
    }
    spawn_kernel(world, agent, spec, body, &sensors)?;
    if let Some(limits) = spec.governor {
        governor::spawn(world, agent, &spec.sensors, limits);
    }
    Ok(agent)
}

/// The first of an agent's sensors with this measurement.
fn first<T: Measurement>(world: &World, sensors: &[Entity]) -> Option<Entity> {
    let mut measuring = sensors.iter().copied();
    measuring.find(|&sensor| world.get::<Reading<T>>(sensor).is_some())
}

/// The kernel's own rate, or that of the fastest sensor where all are slower: ticks in between would have no samples.
fn auto_rate_hz(sensors: &[SensorSpec]) -> f64 {
    let rates = sensors.iter().map(|sensor| sensor.rate_hz);
    match rates.fold(0.0, f64::max) {
        fastest if fastest > 0.0 => fastest.min(default_kernel_rate_hz()),
        _ => default_kernel_rate_hz(),
    }
}

fn spawn_kernel(
    world: &mut World,
    agent: Entity,
    spec: &AgentSpec,
    body: AgentBody<'_>,
    sensors: &[Entity],
) -> Result<(), SpawnError> {
    let has_encoders = spec.sensors.iter().any(|s| s.kind.is::<Encoders>());
    let mut encoded = if has_encoders {
        encoded(&body)
    } else {
        Vec::new()
    };
    let many = encoded.len();
    let (rate_hz, emissary_s, master_s, master, own, blend, witness) = match &spec.coherence {
        CoherenceSpec::Off => {
            if let Some(filter) = &spec.filter {
                let rate_hz = default_kernel_rate_hz();
                estimation::spawn::spawn(world, agent, filter, &spec.sensors, sensors, rate_hz);
                let tick = (Rate::new(rate_hz), KernelTick::default());
                world.entity_mut(agent).insert(tick);
            }
            return Ok(());
        }
        CoherenceSpec::Auto => (
            auto_rate_hz(&spec.sensors),
            default_emissary_window_s(),
            default_master_window_s(),
            MasterSpec::Window,
            [].as_slice(),
            BlendSpec::default(),
            &WitnessSpec::default(),
        ),
        CoherenceSpec::Kernel {
            rate_hz,
            emissary_window_s,
            master_window_s,
            master,
            channels,
            blend,
            witness,
        } => (
            *rate_hz,
            *emissary_window_s,
            *master_window_s,
            *master,
            channels.as_slice(),
            *blend,
            witness,
        ),
    };
    let wrong = |cause| SpawnError::Kernel {
        agent: spec.name.clone(),
        cause,
    };
    if let Some(filter) = &spec.filter {
        estimation::spawn::spawn(world, agent, filter, &spec.sensors, sensors, rate_hz);
    }
    // Scenes are checked for their choice.
    let chosen = witness.channels.as_deref();
    let outputs = outputs(&spec.sensors, many, chosen).unwrap_or_default();
    let witnesses = !outputs.is_empty();
    if witnesses {
        let names = world
            .get::<EkfLocaliser>(agent)
            .map(|l| l.names(&spec.sensors));
        let sensors = (spec.sensors.as_slice(), sensors);
        diagnosis::spawn::spawn(world, agent, &outputs, witness, rate_hz, sensors, names)
            .map_err(wrong)?;
    }
    // Scenes are checked for their own channels; of a robot with many encoders the first are used.
    encoded.truncate(MAX_CHANNELS.saturating_sub(own.len()));
    let wheels = encoded.len();
    let mut names = encoded;
    names.extend(own.iter().map(|c| c.name.clone()));
    if witnesses || spec.filter.is_some() || !names.is_empty() {
        world.entity_mut(agent).insert((
            Rate::new(rate_hz),
            KernelTick::default(),
            Coherence::default(),
        ));
    }
    if names.is_empty() {
        return Ok(());
    }
    let transducers =
        Transducers::with_master(names.len(), [emissary_s, master_s], master, rate_hz);
    let transducers = transducers.map_err(wrong)?;
    let seed = *world.resource::<RunSeed>();
    let signals = own.iter().enumerate().map(|(k, c)| OwnSignal {
        channel: wheels + k,
        signal: c.signal,
        rng: Rng::for_name(seed, &format!("{}/{}", spec.name, c.name)),
    });
    world.entity_mut(agent).insert((
        Channels::new(names),
        Signals(signals.collect()),
        transducers,
        Synchrony::new().map_err(wrong)?,
        Blend::new(&blend, master_s).map_err(wrong)?,
    ));
    Ok(())
}
