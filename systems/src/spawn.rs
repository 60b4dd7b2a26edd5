//! A loaded scene becomes entities, at the start and at every reset.

use crate::coherence::{OwnSignal, Signals};
use crate::control::avoidance::NearPoints;
use crate::control::drive::{DRIVE_RATE_HZ, DriveRate};
use crate::control::heading;
use crate::control::orbit::Phases;
use crate::control::pursuit::{PLAN_RATE_HZ, PlanRate};
use crate::control::servo::Followed;
use crate::hash::EntityIndex;
use crate::links::act::{CommandSender, SEND_RATE_HZ};
use crate::links::{Delivery, name_links};
use crate::localisation::{self, EkfLocaliser};
use crate::physics::Physics;
use crate::physics::joints::wants_states;
use crate::physics::motion::WheelAngles;
use crate::sensing::contact::ContactModel;
use crate::sensing::encoders::EncodersModel;
use crate::sensing::gnss::GnssModel;
use crate::sensing::imu::ImuModel;
use crate::sensing::lidar::LidarModel;
use crate::sensing::magnetometer::MagnetometerModel;
use crate::sensing::range::RangeModel;
use crate::threads::{Threads, ThreadsError, use_threads};
use crate::tick::Reset;
use crate::vehicle::build::spawn_vehicle;
use crate::vehicle::profile::SpeedLimits;
use crate::vehicle::stanley;
use becomingone_components::actuator::{Actuator, ActuatorTarget};
use becomingone_components::body::{
    Geometry, LinkPoses, Mesh, Model, Obstacle, Pose, RobotModel, Shape, Travel, TruePose,
    TrueTwist,
};
use becomingone_components::coherence::{
    Channels, Coherence, KernelTick, MAX_CHANNELS, Synchrony, Transducers,
};
use becomingone_components::control::{
    ControllerInputs, DrivenBy, Goals, PatrolController, Plan, Reaction,
};
use becomingone_components::drive::{Drive, DriveState, Odometry, Twist2};
use becomingone_components::fault::{DRIVE, Fault, Faults, target};
use becomingone_components::fleet::{FLEET, Fleet, FleetOrder, Orbit};
use becomingone_components::geodesy::TangentPlane;
use becomingone_components::governor::{Governed, Governor, GovernorSpec};
use becomingone_components::joints::{
    JointMotion, JointStates, JointTargets, JointsController, Servos,
};
use becomingone_components::link::{
    ExternalActuator, Resolved, ResolvedSources, SimulationDisabled, Source, Watchdog, WhenSilent,
};
use becomingone_components::memory::Blend;
use becomingone_components::scene::{
    Agent, AgentSpec, BlendSpec, CoherenceSpec, ControllerSpec, FromScene, LoadedScene,
    MAGNETIC_FIELD_T, MotionSpec, ObstacleSpec, Scene, SensorKind, SensorSpec, WitnessSpec,
    default_emissary_window_s, default_kernel_rate_hz, default_master_window_s,
};
use becomingone_components::seed::{Rng, RunSeed};
use becomingone_components::sensor::{
    Columns, Contact, Encoders, Gnss, Imu, MagneticField, Measurement, Mount, Range, Reading,
    Sensor, SensorStats, Truth, Values,
};
use becomingone_components::time::{NS_PER_S, Rate, SimTime};
use becomingone_components::track::Track;
use becomingone_components::vehicle::{Ackermann, VehicleModel, VehicleState};
use becomingone_components::witness::{
    Consumer, Feature, FeatureExtractor, InnovationMonitor, MAX_INPUTS, Output, Witness, outputs,
};
use becomingone_kernel::{Complex, ConfigError};
use bevy_ecs::prelude::*;
use glam::{Mat3, Quat, Vec3};
use std::f64::consts::TAU;
use std::sync::Arc;

/// Height at which a robot is put down over the ground, so that it does not start inside of it (m).
const DROP_M: f32 = 0.002;

/// A scene whose entities cannot be made; the loader checks for all but the threads.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// No threads for physics.
    #[error(transparent)]
    Threads(#[from] ThreadsError),
    /// A kernel of no or too many channels, or a window that is no time.
    #[error("agent `{agent}`: {cause}")]
    Kernel {
        /// The agent.
        agent: String,
        /// What the kernel said.
        cause: becomingone_kernel::ConfigError,
    },
}

/// Takes out what the last scene brought in, builds the present one, and runs [`Reset`].
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
    let Some(loaded) = world.get_resource::<LoadedScene>().cloned() else {
        return Ok(());
    };
    let scene = &loaded.scene;
    world.insert_resource(SimTime::new(scene.tick_ns));
    world.insert_resource(RunSeed(scene.seed));
    build_physics(world, scene)?;
    for (spec, mesh) in scene.world.obstacles.iter().zip(&loaded.meshes) {
        spawn_obstacle(world, scene, spec, mesh.as_ref());
    }
    let mut agents = Vec::new();
    for (index, spec) in scene.agents.iter().enumerate() {
        let robot = loaded.models[index].as_ref().map(|model| Robot {
            model,
            drive: loaded.drives[index].as_ref(),
            servos: loaded.servos[index].as_ref(),
            vehicle: loaded.vehicles[index].as_ref(),
        });
        agents.push(spawn_agent(world, spec, robot, loaded.track.as_deref())?);
    }
    spawn_fleet(world, scene, &agents);
    let mut named: Vec<(String, Entity)> = world
        .query_filtered::<(&Name, Entity), With<FromScene>>()
        .iter(world)
        .map(|(name, entity)| (name.to_string(), entity))
        .collect();
    named.sort();
    name_links(world, scene, &named);
    spawn_faults(world, scene, &named);
    world.insert_resource(EntityIndex(named));
    resolve_sources(world, scene);
    world.run_schedule(Reset);
    Ok(())
}

/// Gives sensors and drives their faults; the loader has checked that they are there.
fn spawn_faults(world: &mut World, scene: &Scene, named: &[(String, Entity)]) {
    let seed = RunSeed(scene.seed);
    for spec in &scene.faults {
        let Ok(target) = target(&scene.agents, &spec.sensor) else {
            continue;
        };
        let agent = &scene.agents[target.agent];
        let sensor = target.sensor.map(|k| &agent.sensors[k]);
        let (of, rate_hz) = sensor.map_or((DRIVE, DRIVE_RATE_HZ), |s| (&s.name, s.rate_hz));
        let name = format!("{}/{of}", agent.name);
        let Ok(index) = named.binary_search_by(|(n, _)| n.as_str().cmp(&name)) else {
            continue;
        };
        let mut faulty = world.entity_mut(named[index].1);
        let mut faults = faulty.entry::<Faults>().or_default();
        let all = &mut faults.get_mut().all;
        let rng = Rng::for_name(seed, &format!("{name}/faults/{}", all.len()));
        all.push(Fault::new(spec, target.name, target.numbers, rate_hz, rng));
    }
}

fn build_physics(world: &mut World, scene: &Scene) -> Result<(), SpawnError> {
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

pub(crate) fn vec3(v: [f64; 3]) -> Vec3 {
    Vec3::new(v[0] as f32, v[1] as f32, v[2] as f32)
}

/// The shape of an obstacle in the world.
fn obstacle_geometry(spec: &ObstacleSpec, mesh: Option<&Arc<Mesh>>) -> Geometry {
    let place = |position_m: [f64; 3], yaw_rad: f64, up_m: f64| {
        Pose::new(
            vec3(position_m) + Vec3::Z * up_m as f32,
            Quat::from_rotation_z(yaw_rad as f32),
        )
    };
    let rgba = |rgb: [f32; 3]| [rgb[0], rgb[1], rgb[2], 1.0];
    match spec {
        ObstacleSpec::Box {
            position_m,
            size_m,
            yaw_rad,
            rgb,
            ..
        } => Geometry {
            pose: place(*position_m, *yaw_rad, size_m[2] / 2.0),
            shape: Shape::Box {
                half_extents_m: vec3(*size_m) / 2.0,
            },
            rgba: rgba(*rgb),
        },
        ObstacleSpec::Ramp {
            name,
            position_m,
            size_m,
            yaw_rad,
            rgb,
            ..
        } => Geometry {
            pose: place(*position_m, *yaw_rad, 0.0),
            shape: Shape::Mesh(Arc::new(wedge(name, vec3(*size_m)))),
            rgba: rgba(*rgb),
        },
        ObstacleSpec::Mesh {
            name,
            position_m,
            yaw_rad,
            rgb,
            ..
        } => Geometry {
            pose: place(*position_m, *yaw_rad, 0.0),
            shape: Shape::Mesh(mesh.cloned().unwrap_or_else(|| {
                Arc::new(Mesh {
                    name: name.clone(),
                    vertices_m: Vec::new(),
                    triangles: Vec::new(),
                })
            })),
            rgba: rgba(*rgb),
        },
    }
}

/// A wedge that rises along x, about the middle of its base.
fn wedge(name: &str, size_m: Vec3) -> Mesh {
    let (x, y, z) = (size_m.x / 2.0, size_m.y / 2.0, size_m.z);
    Mesh {
        name: name.to_owned(),
        vertices_m: vec![
            [-x, -y, 0.0],
            [-x, y, 0.0],
            [x, -y, 0.0],
            [x, y, 0.0],
            [x, -y, z],
            [x, y, z],
        ],
        triangles: vec![
            [0, 1, 3],
            [0, 3, 2],
            [0, 4, 5],
            [0, 5, 1],
            [2, 3, 5],
            [2, 5, 4],
            [0, 2, 4],
            [1, 5, 3],
        ],
    }
}

fn spawn_obstacle(world: &mut World, scene: &Scene, spec: &ObstacleSpec, mesh: Option<&Arc<Mesh>>) {
    let obstacle = Obstacle {
        geometry: obstacle_geometry(spec, mesh),
        friction: spec
            .friction()
            .unwrap_or(scene.world.ground.unwrap_or_default().friction) as f32,
        slippery: spec.friction().is_some(),
    };
    let drivable = match spec {
        ObstacleSpec::Box { drivable, .. } => *drivable,
        ObstacleSpec::Ramp { .. } => true,
        ObstacleSpec::Mesh { .. } => false,
    };
    world
        .resource_mut::<Physics>()
        .add_obstacle(spec.name(), &obstacle, drivable);
    world.spawn((Name::new(spec.name().to_owned()), FromScene, obstacle));
}

/// A body, and what moves it.
#[derive(Clone, Copy)]
struct Robot<'a> {
    model: &'a Arc<RobotModel>,
    drive: Option<&'a Drive>,
    servos: Option<&'a Servos>,
    vehicle: Option<&'a Arc<VehicleModel>>,
}

impl Robot<'_> {
    /// What its encoders count, as channels of its kernel.
    fn encoded(&self) -> Vec<String> {
        let joints = &self.model.joints;
        if let Some(vehicle) = self.vehicle {
            return (0..vehicle.wheels.len())
                .map(|k| format!("wheels/{k}"))
                .collect();
        }
        match (self.drive, self.servos) {
            (Some(drive), _) => (0..drive.wheels.len())
                .map(|k| format!("wheels/{k}"))
                .collect(),
            (None, Some(Servos(servos))) => servos
                .iter()
                .map(|s| format!("joints/{}", joints[s.joint].name))
                .collect(),
            (None, None) => Vec::new(),
        }
    }
}

fn spawn_agent(
    world: &mut World,
    spec: &AgentSpec,
    robot: Option<Robot<'_>>,
    track: Option<&Track>,
) -> Result<Entity, SpawnError> {
    let agent = world
        .spawn((Name::new(spec.name.clone()), Agent, FromScene))
        .id();
    let mut ears = ControllerInputs::default();
    let mut sensors = Vec::new();
    if let Some(robot) = robot {
        match robot.vehicle {
            None => spawn_body(world, agent, spec, robot),
            Some(vehicle) => spawn_vehicle(world, agent, spec, robot.model, vehicle, track),
        }
    }
    for sensor in &spec.sensors {
        let entity = spawn_sensor(world, agent, spec, sensor, robot);
        sensors.push(entity);
        let ear = match sensor.kind {
            SensorKind::Lidar { .. } => &mut ears.lidar,
            SensorKind::Encoders { .. } => &mut ears.encoders,
            SensorKind::Imu { .. }
            | SensorKind::Contact {}
            | SensorKind::Gnss { .. }
            | SensorKind::Range { .. }
            | SensorKind::Magnetometer { .. }
            | SensorKind::Values { .. } => continue,
        };
        ear.get_or_insert(entity);
    }
    world.entity_mut(agent).insert(ears);
    spawn_drive_source(world, agent, spec);
    if let Some(controller) = &spec.controller {
        spawn_controller(world, agent, controller, robot, track);
    }
    spawn_kernel(world, agent, spec, robot, &sensors)?;
    if let Some(governor) = spec.governor {
        spawn_governor(world, agent, spec, governor);
    }
    Ok(agent)
}

/// What limits an agent's commands, and what it needs to leave a sensor out.
fn spawn_governor(world: &mut World, agent: Entity, spec: &AgentSpec, governor: GovernorSpec) {
    let placed = |s: &SensorSpec| matches!(s.kind, SensorKind::Gnss { .. });
    let has_gnss = spec.sensors.iter().any(placed);
    let spare = spec.sensors.iter().map(|s| match s.kind {
        SensorKind::Encoders { .. } => has_gnss,
        _ => true,
    });
    let names = spec.sensors.iter().map(|s| s.name.clone());
    let governor = Governor::new(governor, names.collect(), spare.collect());
    world.entity_mut(agent).insert(governor);
    let Some(&DrivenBy(actuator)) = world.get::<DrivenBy>(agent) else {
        return;
    };
    let mut actuator = world.entity_mut(actuator);
    if let Some(&ActuatorTarget::<Twist2>(rest)) = actuator.get() {
        actuator.insert(Governed(rest));
    }
    if let Some(&ActuatorTarget::<Ackermann>(rest)) = actuator.get() {
        actuator.insert(Governed(rest));
    }
}

/// Who carries out what an agent's drive is told.
fn spawn_drive_source(world: &mut World, agent: Entity, spec: &AgentSpec) {
    let tick_ns = world.resource::<SimTime>().tick_ns;
    let Some(&DrivenBy(actuator)) = world.get::<DrivenBy>(agent) else {
        return;
    };
    let mut actuator = world.entity_mut(actuator);
    actuator.insert(spec.drive_source.clone());
    if !spec.drive_source.is_sim() {
        actuator.insert(ExternalActuator);
    }
    if spec.drive_source.has_link() {
        actuator.insert(CommandSender::new(tick_ns));
    }
}

/// What was decided for every sensor and drive.
fn resolve_sources(world: &mut World, scene: &Scene) {
    let mut rows = Vec::new();
    for spec in &scene.agents {
        for sensor in &spec.sensors {
            let mut values = format!("{} Hz", sensor.rate_hz);
            if let Source::Driver(..) = sensor.source {
                values += &format!(", queue {:?}", sensor.queue);
            }
            if sensor.source.has_link() {
                values += &format!(
                    ", silent after {:.3} s: {:?}",
                    silent_after_ns(sensor) as f64 / NS_PER_S as f64,
                    sensor.silence.then
                );
            }
            rows.push(Resolved {
                entity: format!("{}/{}", spec.name, sensor.name),
                kind: sensor.kind.name().to_owned(),
                source: sensor.source.to_string(),
                values,
            });
        }
        let name = format!("{}/drive", spec.name);
        if world.resource::<EntityIndex>().entity(&name).is_some() {
            let values = match spec.drive_source {
                Source::Driver(..) => format!("{SEND_RATE_HZ} Hz at most"),
                _ => String::new(),
            };
            rows.push(Resolved {
                entity: name,
                kind: "drive".to_owned(),
                source: spec.drive_source.to_string(),
                values,
            });
        }
    }
    world.insert_resource(ResolvedSources(rows));
}

/// Where the root link starts: the scene places the robot's lowest point and its forward direction.
/// A root that is part of the world is not let down, only raised out of the ground.
fn start_pose(spec: &AgentSpec, model: &RobotModel, drive: Option<&Drive>) -> Pose {
    let forward = drive.map_or(0.0, |d| d.forward_yaw_rad);
    let rotation = Quat::from_rotation_z((spec.yaw_rad - forward) as f32);
    let lowest_m = model.lowest_m();
    let up = Vec3::Z
        * if model.fixed_base {
            (-lowest_m).max(0.0)
        } else {
            DROP_M - lowest_m
        };
    Pose::new(vec3(spec.position_m) + up, rotation)
}

fn spawn_body(
    world: &mut World,
    agent: Entity,
    spec: &AgentSpec,
    Robot {
        model,
        drive,
        servos,
        vehicle: _,
    }: Robot<'_>,
) {
    let root = start_pose(spec, model, drive);
    let bodies = world
        .resource_mut::<Physics>()
        .add_robot(&spec.name, agent, model, root, drive, servos);
    let moves = wants_states(model, &bodies) || servos.is_some();
    let links = model.start_poses().into_iter().map(|p| root * p).collect();
    world.entity_mut(agent).insert((
        Model(model.clone()),
        bodies,
        TruePose(root),
        TrueTwist::default(),
        LinkPoses(links),
        Travel::default(),
    ));
    if moves {
        world.entity_mut(agent).insert(JointStates {
            positions: model.joints.iter().map(|j| f64::from(j.start)).collect(),
            velocities: vec![0.0; model.joints.len()],
        });
    }
    if let Some(servos) = servos {
        let joints = servos.0.iter().map(|s| &model.joints[s.joint]);
        let start: Vec<f64> = joints.map(|j| f64::from(j.start)).collect();
        let actuator = world
            .spawn((
                Name::new(format!("{}/drive", spec.name)),
                FromScene,
                Actuator,
                ChildOf(agent),
                servos.clone(),
                ActuatorTarget(JointTargets {
                    velocities: vec![0.0; start.len()],
                    positions: start.clone(),
                }),
                Followed {
                    positions: start.clone(),
                    behind: false,
                },
                WheelAngles(start),
            ))
            .id();
        world.entity_mut(agent).insert(DrivenBy(actuator));
    }
    let Some(drive) = drive else {
        return;
    };
    let wheels = drive.wheels.len();
    let actuator = world
        .spawn((
            Name::new(format!("{}/drive", spec.name)),
            FromScene,
            Actuator,
            ChildOf(agent),
            drive.clone(),
            DriveState::default(),
            DriveRate(Rate::new(DRIVE_RATE_HZ)),
            ActuatorTarget(Twist2::default()),
            WheelAngles(vec![0.0; wheels]),
        ))
        .id();
    let centre = root.point(drive.centre());
    world.entity_mut(agent).insert((
        DrivenBy(actuator),
        Odometry {
            x_m: f64::from(centre.x),
            y_m: f64::from(centre.y),
            yaw_rad: heading(root.rotation, drive.forward_yaw_rad),
            ..Odometry::default()
        },
    ));
}

fn spawn_sensor(
    world: &mut World,
    agent: Entity,
    spec: &AgentSpec,
    sensor: &SensorSpec,
    robot: Option<Robot<'_>>,
) -> Entity {
    let name = format!("{}/{}", spec.name, sensor.name);
    let mut rng = Rng::for_name(*world.resource::<RunSeed>(), &name);
    let [x, y, z, w] = sensor.rotation.map(|c| c as f32);
    let on_frame = Pose::new(
        vec3(sensor.position_m),
        Quat::from_xyzw(x, y, z, w).normalize(),
    );
    let link = sensor.link.as_deref();
    let frame = link.and_then(|link| robot?.model.frame(link));
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
    match &sensor.kind {
        SensorKind::Imu {
            gyro,
            accelerometer,
        } => {
            let imu = ImuModel::new(*gyro, *accelerometer, &mut rng);
            add_reading(sensor, world, entity, Imu::default(), imu);
        }
        SensorKind::Encoders { noise } => {
            let wheels = robot.map_or(0, |r| r.encoded().len());
            let encoders = EncodersModel::new(*noise, wheels, &mut rng);
            let angles_rad = vec![0.0; wheels];
            add_reading(sensor, world, entity, Encoders { angles_rad }, encoders);
        }
        SensorKind::Lidar {
            rays,
            fov_rad,
            range_min_m,
            range_max_m,
            noise,
        } => {
            let range_m = [*range_min_m, *range_max_m];
            let (lidar, scan) = LidarModel::new(*rays, *fov_rad, range_m, *noise, &mut rng);
            add_reading(sensor, world, entity, scan, lidar);
        }
        SensorKind::Contact {} => {
            add_reading(sensor, world, entity, Contact::default(), ContactModel);
        }
        SensorKind::Gnss {
            horizontal,
            vertical,
            velocity,
        } => {
            let loaded = world.get_resource::<LoadedScene>();
            let origin = loaded.and_then(|l| l.scene.world.origin);
            // Scenes are checked for one.
            let plane = TangentPlane::new(origin.unwrap_or_default());
            let gnss = GnssModel::new(plane, *horizontal, *vertical, *velocity, &mut rng);
            add_reading(sensor, world, entity, Gnss::default(), gnss);
        }
        SensorKind::Range {
            fov_rad,
            range_min_m,
            range_max_m,
            noise,
        } => {
            let none = Range {
                range_m: *range_max_m as f32,
                range_min_m: *range_min_m as f32,
                range_max_m: *range_max_m as f32,
                fov_rad: *fov_rad as f32,
            };
            let range = RangeModel::new(*fov_rad, *noise, &mut rng);
            add_reading(sensor, world, entity, none, range);
        }
        SensorKind::Magnetometer {
            noise,
            hard_iron_t,
            soft_iron,
        } => {
            let loaded = world.get_resource::<LoadedScene>();
            let field_t = loaded.and_then(|l| l.scene.world.magnetic_field_t);
            let magnetometer = MagnetometerModel::new(
                vec3(field_t.unwrap_or(MAGNETIC_FIELD_T)),
                vec3(*hard_iron_t),
                Mat3::from_cols_array_2d(&soft_iron.map(|row| row.map(|x| x as f32))).transpose(),
                *noise,
                &mut rng,
            );
            add_reading(
                sensor,
                world,
                entity,
                MagneticField::default(),
                magnetometer,
            );
        }
        SensorKind::Values { fields } => {
            let numbers = vec![f64::NAN; fields.len()];
            add_reading(
                sensor,
                world,
                entity,
                Values { numbers },
                Columns(fields.as_slice().into()),
            );
        }
    }
    world.entity_mut(entity).insert(rng);
    entity
}

/// Gives a sensor its reading, and what fills it: its model where it is simulated, the door where it is not.
fn add_reading<T: Measurement>(
    spec: &SensorSpec,
    world: &mut World,
    entity: Entity,
    blank: T,
    model: impl Bundle,
) {
    let mut sensor = world.entity_mut(entity);
    if !spec.source.has_link() {
        sensor.insert(Reading::with_capacity(1, blank.clone()));
        if spec.source.is_sim() {
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
    if spec.silence.then == WhenSilent::FallBackToSim {
        sensor.insert((Truth(blank), model, SimulationDisabled));
    }
}

/// Without a reading for so long, a sensor is silent (ns).
fn silent_after_ns(spec: &SensorSpec) -> u64 {
    let after_s = spec.silence.after_s;
    let after_s = after_s.unwrap_or_else(|| (5.0 / spec.rate_hz).max(0.1));
    (after_s * NS_PER_S as f64) as u64
}

fn spawn_controller(
    world: &mut World,
    agent: Entity,
    controller: &ControllerSpec,
    robot: Option<Robot<'_>>,
    track: Option<&Track>,
) {
    let (waypoints_m, laps, tolerance_m, speed_m_s, lookahead_m, clearance_m, localisation) =
        match controller {
            ControllerSpec::Patrol {
                waypoints_m,
                laps,
                tolerance_m,
                speed_m_s,
                lookahead_m,
                clearance_m,
                localisation,
            } => (
                waypoints_m,
                laps,
                tolerance_m,
                speed_m_s,
                lookahead_m,
                clearance_m,
                localisation,
            ),
            ControllerSpec::Track {
                laps,
                speed_m_s,
                lateral_acceleration_m_s2,
                acceleration_m_s2,
                deceleration_m_s2,
                localisation,
            } => {
                let limits = SpeedLimits {
                    speed_m_s: *speed_m_s,
                    lateral_m_s2: *lateral_acceleration_m_s2,
                    acceleration_m_s2: *acceleration_m_s2,
                    deceleration_m_s2: *deceleration_m_s2,
                };
                // The loader gives both wherever a track is to be driven.
                if let (Some(track), Some(vehicle)) = (track, robot.and_then(|r| r.vehicle)) {
                    let driver = stanley::driver(track, vehicle, limits, *laps, *localisation);
                    world.entity_mut(agent).insert(driver);
                }
                return;
            }
            ControllerSpec::Orbit {
                centre_m,
                radius_m,
                rate_hz,
                localisation,
            } => {
                // Without a rate of its own, the fleet gives it one.
                let omega_rad_s = TAU * rate_hz.unwrap_or_default();
                world.entity_mut(agent).insert((
                    Orbit {
                        centre_m: *centre_m,
                        radius_m: *radius_m,
                        localisation: *localisation,
                        omega_rad_s,
                        rate_rad_s: omega_rad_s,
                    },
                    PlanRate(Rate::new(PLAN_RATE_HZ)),
                ));
                return;
            }
            ControllerSpec::Joints { motions, ease_s } => {
                let motions = motions
                    .iter()
                    .filter_map(|m| joint_motion(m, robot?))
                    .collect();
                world.entity_mut(agent).insert(JointsController {
                    motions,
                    ease_s: *ease_s,
                });
                return;
            }
        };
    world.entity_mut(agent).insert((
        Goals {
            waypoints_m: waypoints_m.clone(),
            laps: *laps,
            tolerance_m: *tolerance_m,
            reached: 0,
        },
        PatrolController {
            speed_m_s: *speed_m_s,
            lookahead_m: *lookahead_m,
            clearance_m: *clearance_m,
            localisation: *localisation,
        },
        PlanRate(Rate::new(PLAN_RATE_HZ)),
        Plan::default(),
        Reaction::default(),
        NearPoints::default(),
    ));
}

/// Couples the agents on an orbit that have no rate of their own.
fn spawn_fleet(world: &mut World, scene: &Scene, agents: &[Entity]) {
    let Some(spec) = scene.fleet else {
        return;
    };
    let orbits = scene.agents.iter().zip(agents);
    let robots: Vec<Entity> = orbits
        .filter(|(agent, _)| agent.in_fleet())
        .map(|(_, &entity)| entity)
        .collect();
    let n = robots.len();
    for (i, &robot) in robots.iter().enumerate() {
        if let Some(mut orbit) = world.get_mut::<Orbit>(robot) {
            orbit.omega_rad_s = spec.law.omega_rad_s(i, n);
            orbit.rate_rad_s = orbit.omega_rad_s;
        }
    }
    world.spawn((
        Name::new(FLEET),
        FromScene,
        Fleet {
            robots,
            spec,
            from_ns: (spec.from_s * NS_PER_S as f64).round() as u64,
        },
        FleetOrder::default(),
        Phases(vec![Complex::default(); n]),
        PlanRate(Rate::new(PLAN_RATE_HZ)),
    ));
}

/// A scene's motion, with the servo that makes it; the loader has checked that there is one.
fn joint_motion(spec: &MotionSpec, robot: Robot<'_>) -> Option<JointMotion> {
    let joint = robot.model.joint(&spec.joint)?;
    let start = f64::from(robot.model.joints[joint].start);
    Some(JointMotion {
        servo: robot.servos?.0.iter().position(|s| s.joint == joint)?,
        start,
        position: spec.position.unwrap_or(start),
        amplitude: spec.amplitude,
        frequency_hz: spec.frequency_hz,
        phase_rad: spec.phase_rad,
    })
}

/// The kernel's own rate, or that of the fastest sensor where all are slower: at ticks in between, there would be
/// nothing to hear.
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
    robot: Option<Robot<'_>>,
    sensors: &[Entity],
) -> Result<(), SpawnError> {
    let heard = spec
        .sensors
        .iter()
        .any(|s| matches!(s.kind, SensorKind::Encoders { .. }));
    let mut encoded = robot
        .filter(|_| heard)
        .map_or_else(Vec::new, |r| r.encoded());
    let many = encoded.len();
    let (rate_hz, emissary_s, master_s, own, blend, witness) = match &spec.coherence {
        CoherenceSpec::Off => {
            if let Some(filter) = &spec.filter {
                let rate_hz = default_kernel_rate_hz();
                localisation::spawn(world, agent, filter, &spec.sensors, sensors, rate_hz);
                let tick = (Rate::new(rate_hz), KernelTick::default());
                world.entity_mut(agent).insert(tick);
            }
            return Ok(());
        }
        CoherenceSpec::Auto => (
            auto_rate_hz(&spec.sensors),
            default_emissary_window_s(),
            default_master_window_s(),
            [].as_slice(),
            BlendSpec::default(),
            &WitnessSpec::default(),
        ),
        CoherenceSpec::Kernel {
            rate_hz,
            emissary_window_s,
            master_window_s,
            channels,
            blend,
            witness,
        } => (
            *rate_hz,
            *emissary_window_s,
            *master_window_s,
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
        localisation::spawn(world, agent, filter, &spec.sensors, sensors, rate_hz);
    }
    // Scenes are checked for what they choose.
    let chosen = witness.senses.as_deref();
    let outputs = outputs(&spec.sensors, many, chosen).unwrap_or_default();
    let witnesses = !outputs.is_empty();
    if witnesses {
        let sensors = (spec.sensors.as_slice(), sensors);
        spawn_witness(world, agent, &outputs, witness, rate_hz, sensors).map_err(wrong)?;
        let names = world
            .get::<EkfLocaliser>(agent)
            .map(|l| l.names(&spec.sensors));
        let gnss = |s: &&SensorSpec| matches!(s.kind, SensorKind::Gnss { .. });
        let places_hz = spec
            .sensors
            .iter()
            .find(gnss)
            .map_or(rate_hz, |s| s.rate_hz);
        let insight = names.map(|n| InnovationMonitor::new(n, witness, rate_hz, places_hz));
        if let (Some(insight), Some(mut of)) = (insight, world.get_mut::<Witness>(agent)) {
            of.insight = Some(Box::new(insight.map_err(wrong)?));
        }
    }
    // Scenes are checked for their own channels; of a robot with many encoders the first are heard.
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
    let transducers = Transducers::new(names.len(), [emissary_s, master_s]).map_err(wrong)?;
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

/// Whether a gyroscope's axis lies rather across the vertical of a body that stands than along it.
fn measures_pitch(spec: &SensorSpec, axis: usize) -> bool {
    let rotation = Quat::from_array(spec.rotation.map(|x| x as f32)).normalize();
    (rotation * Vec3::AXES[axis]).z.abs() < std::f32::consts::FRAC_1_SQRT_2
}

/// The self-model of an agent: what it foresees, and by what.
fn spawn_witness(
    world: &mut World,
    agent: Entity,
    outputs: &[Output],
    spec: &WitnessSpec,
    rate_hz: f64,
    (specs, sensors): (&[SensorSpec], &[Entity]),
) -> Result<(), ConfigError> {
    let driven_by = world.get::<DrivenBy>(agent).map(|d| d.0);
    let has = |which: fn(&World, Entity) -> bool| driven_by.is_some_and(|d| which(world, d));
    let mut inputs: Vec<String> = Vec::new();
    let mut commands = 0;
    let vehicle = has(|w, d| w.get::<VehicleState>(d).is_some());
    let turn = if has(|w, d| w.get::<DriveState>(d).is_some()) {
        Some("angular")
    } else if vehicle {
        Some("steering")
    } else {
        None
    };
    if let Some(turn) = turn {
        inputs = vec!["drive/linear".to_owned(), format!("drive/{turn}")];
        if vehicle {
            inputs.push("drive/force".to_owned());
        }
        commands = inputs.len();
        // What pulls to the side in a curve, and for a car how fast it turns, is a product; the self-model is linear.
        inputs.push(format!("drive/linear * drive/{turn}"));
    } else if let Some(targets) =
        driven_by.and_then(|d| world.get::<ActuatorTarget<JointTargets>>(d))
    {
        commands = targets.0.positions.len().min(MAX_INPUTS);
        inputs.extend((0..commands).map(|k| format!("drive/{k}")));
    }
    let names = outputs.iter().map(|o| o.name.clone()).collect();
    let seen: Vec<&Output> = outputs
        .iter()
        .filter(|o| matches!(o.tap, Feature::Seen(..)))
        .collect();
    // Of several lidars, the fastest: the self-model ticks when one of them comes.
    let seen_hz = seen
        .iter()
        .filter_map(|o| specs.get(o.sensor))
        .fold(0.0, |most: f64, s| most.max(s.rate_hz));
    let seen = (seen.len(), seen_hz);
    let mut witness = Witness::new(names, inputs, commands, seen, spec, rate_hz)?;
    for (channel, output) in outputs.iter().enumerate() {
        let Some(&sensor) = sensors.get(output.sensor) else {
            continue;
        };
        // What sensors of wheels and body say of a slip: see `transient`.
        if let Some(spec) = specs.get(output.sensor) {
            match (&spec.kind, output.tap) {
                (SensorKind::Imu { .. }, Feature::Value(axis @ 0..3))
                    if measures_pitch(spec, axis) =>
                {
                    witness.transient_channels |= 1 << channel;
                }
                (SensorKind::Imu { .. }, Feature::Value(3..6)) => {
                    witness.transient_channels |= 1 << channel;
                    witness.accelerations |= 1 << channel;
                }
                (SensorKind::Encoders { .. }, Feature::Rate(_)) if turn.is_some() => {
                    witness.wheels |= 1 << channel;
                }
                _ => {}
            }
        }
        if !witness.sensors.contains(&sensor) {
            witness.sensors.push(sensor);
        }
        let mut sensor = world.entity_mut(sensor);
        sensor
            .entry::<FeatureExtractor>()
            .or_insert_with(|| FeatureExtractor::new(agent))
            .get_mut()
            .push(Consumer::Witness, channel, output.tap);
    }
    world.entity_mut(agent).insert(witness);
    Ok(())
}
