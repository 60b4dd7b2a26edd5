//! Simulated sensors: each samples the world at its own rate and adds its own noise.
//!
//! - [`measurements`]: readings of all kinds, for recorders, viewers and APIs.
//! - a file each for the engine's own kinds: scene fields, model, sampling.

mod air;
mod battery;
mod camera;
mod contact;
mod encoders;
mod force_torque;
mod gnss;
mod imu;
mod joint_states;
mod lidar;
mod magnetometer;
pub mod measurements;
mod microphone;
mod power;
mod range;
mod rays;
mod values;

pub use air::{Barometer, Thermometer};
pub use battery::Battery;
pub use camera::Camera;
pub use contact::Contact;
pub use encoders::Encoders;
pub use force_torque::ForceTorque;
pub use gnss::Gnss;
pub use imu::Imu;
pub use joint_states::JointStates;
pub use lidar::Lidar;
pub use magnetometer::Magnetometer;
pub use microphone::{Microphone, Tone};
pub use range::RangeFinder;
pub use values::Values;

use crate::hash::{RegisterState as _, intern};
use crate::links::{Delivery, silent_after_ns};
use crate::physics::build::vec3;
use crate::registry::Kinds;
use crate::tick::{MeasurementSystems, Tick, TickSystems};
use becomingone_components::body::Pose;
use becomingone_components::control::AgentBody;
use becomingone_components::joints::Servos;
use becomingone_components::link::{SimulationDisabled, Watchdog, WhenSilent};
use becomingone_components::scene::{AgentSpec, FromScene, SceneSpec, SensorSpec};
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::sensor::{
    Measurement, Mount, Reading, Sensor, SensorAt, SensorContext, SensorKind, SensorStats, Truth,
};
use becomingone_components::time::{Rate, SimTime};
use bevy_app::App;
use bevy_ecs::message::message_update_system;
use bevy_ecs::prelude::*;
use bevy_ecs::system::StaticSystemParam;
use glam::Quat;
use measurements::Measurements;

/// Simulated sensors, in [`TickSystems::Sample`]. A sensor has one kind, so that kinds have no order.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SensorSystems;

/// The simulated sensor of a kind.
#[derive(Component, Clone, Debug)]
pub struct Simulated<K: SensorKind>(pub K::Model);

/// Registers the systems of a kind of sensor, and those of its measurement if no other kind did: returns whether so.
pub(crate) fn register<K: SensorKind>(app: &mut App) -> bool {
    app.init_resource::<Measurements>();
    let mut measurements = app.world_mut().resource_mut::<Measurements>();
    let entry = measurements::entry::<K::Measurement>();
    let is_new = measurements.0.insert(K::Measurement::KIND, entry).is_none();
    if is_new {
        let state = intern(&format!("reading/{}", K::Measurement::KIND));
        app.register_state::<Reading<K::Measurement>>(state);
        // One condition for all systems of the kind.
        let of_kind = MeasurementSystems(K::Measurement::KIND);
        app.configure_sets(
            Tick,
            of_kind.run_if(any_with_component::<Reading<K::Measurement>>),
        )
        .add_systems(
            Tick,
            begin_tick::<K::Measurement>
                .in_set(TickSystems::Begin)
                .in_set(of_kind)
                .after(message_update_system)
                .ambiguous_with(TickSystems::Begin),
        );
    }
    if K::SIMULATED {
        app.configure_sets(Tick, SensorSystems.in_set(TickSystems::Sample))
            .add_systems(
                Tick,
                sample::<K>
                    .in_set(SensorSystems)
                    .in_set(MeasurementSystems(K::Measurement::KIND))
                    .ambiguous_with(SensorSystems),
            );
    }
    is_new
}

/// Begins a tick: readings of earlier ticks are no longer fresh.
fn begin_tick<T: Measurement>(mut readings: Query<&mut Reading<T>>) {
    for mut reading in &mut readings {
        if reading.is_fresh() {
            reading.begin_tick();
        }
    }
}

/// Samples the sensors of a kind that are due. A reading that is not finite is counted and discarded.
fn sample<K: SensorKind>(
    time: Res<SimTime>,
    param: StaticSystemParam<K::Param>,
    mut sensors: Query<
        (
            &Sensor,
            &Mount,
            &mut Rate,
            &mut Simulated<K>,
            &mut Rng,
            &mut Reading<K::Measurement>,
            &mut Truth<K::Measurement>,
            &mut SensorStats,
        ),
        Without<SimulationDisabled>,
    >,
) {
    if time.tick < K::FIRST_TICK {
        return;
    }
    let param = param.into_inner();
    for (sensor, mount, mut rate, mut model, mut rng, mut reading, mut truth, mut stats) in
        &mut sensors
    {
        if !rate.due(time.now_ns) {
            continue;
        }
        let at = SensorAt {
            agent: sensor.agent,
            link: sensor.link,
            mount: mount.0,
            now_ns: time.now_ns,
            period_s: rate.period_s(),
        };
        let model = &mut model.0;
        if !K::truth(model, &at, &param, &mut truth.0) {
            continue;
        }
        let kept = reading.write(time.now_ns, |value| {
            K::measure(model, &at, &truth.0, &mut rng, value);
            value.is_finite()
        });
        if kept {
            stats.readings += 1;
        } else {
            stats.non_finite += 1;
        }
    }
}

/// Adds a sensor's reading, and its source: its model where it is simulated, a link otherwise.
pub(crate) fn spawn<K: SensorKind>(
    world: &mut World,
    entity: Entity,
    spec: &SensorSpec,
    context: &SensorContext<'_>,
    rng: &mut Rng,
) {
    let Some(kind) = spec.kind.get::<K>() else {
        return;
    };
    let blank = kind.blank(context);
    let model = K::SIMULATED.then(|| Simulated::<K>(kind.model(context, rng)));
    let mut sensor = world.entity_mut(entity);
    kind.insert(&mut sensor);
    if !spec.source.has_link() {
        sensor.insert(Reading::with_capacity(1, blank.clone()));
        if let Some(model) = model.filter(|_| spec.source.is_sim()) {
            sensor.insert((Truth(blank), model));
        }
        return;
    }
    sensor.insert((
        Reading::with_capacity(spec.queue.capacity(), blank.clone()),
        Delivery::like(&blank),
        Watchdog {
            after_ns: silent_after_ns(spec),
            then: spec.silence.then,
        },
    ));
    if let Some(model) = model.filter(|_| spec.silence.then == WhenSilent::FallBackToSim) {
        sensor.insert((Truth(blank), model, SimulationDisabled));
    }
}

/// Adds a sensor to an agent, as a child entity.
pub(crate) fn spawn_sensor(
    world: &mut World,
    agent: Entity,
    scene: &SceneSpec,
    spec: &AgentSpec,
    sensor: &SensorSpec,
    body: AgentBody<'_>,
) -> Entity {
    let name = format!("{}/{}", spec.name, sensor.name);
    let mut rng = Rng::for_name(*world.resource::<RunSeed>(), &name);
    let [x, y, z, w] = sensor.rotation.map(|c| c as f32);
    let on_frame = Pose::new(
        vec3(sensor.position_m),
        Quat::from_xyzw(x, y, z, w).normalize(),
    );
    let link = sensor.link.as_deref();
    let frame = link.and_then(|link| body.model?.frame(link));
    let (link, mount) = frame.map_or((0, on_frame), |f| (f.link, f.pose * on_frame));
    let entity = world
        .spawn((
            Name::new(name),
            FromScene,
            ChildOf(agent),
            Sensor { agent, link },
            sensor.source.clone(),
            Mount(mount),
            Rate::new(sensor.rate_hz),
            SensorStats::default(),
        ))
        .id();
    let spawn = world
        .get_resource::<Kinds>()
        .and_then(|kinds| kinds.sensors.get(sensor.kind.name()))
        .map(|entry| entry.spawn);
    if let Some(spawn) = spawn {
        let context = SensorContext {
            world: &scene.world,
            rate_hz: sensor.rate_hz,
            driven: body.model.is_some(),
            encoded: Some(encoded(&body).len()),
        };
        spawn(world, entity, sensor, &context, &mut rng);
    }
    world.entity_mut(entity).insert(rng);
    entity
}

/// Wheels or joints with encoders, as channels of the agent's kernel.
pub(crate) fn encoded(body: &AgentBody<'_>) -> Vec<String> {
    let wheels = |n: usize| (0..n).map(|k| format!("wheels/{k}")).collect();
    match (body.vehicle, body.drive, body.servos, body.model) {
        (Some(vehicle), ..) => wheels(vehicle.wheels.len()),
        (_, Some(drive), ..) => wheels(drive.wheels.len()),
        (_, _, Some(Servos(servos)), Some(model)) => servos
            .iter()
            .map(|s| format!("joints/{}", model.joints[s.joint].name))
            .collect(),
        _ => Vec::new(),
    }
}
