//! BecomingONE: a simulation and robotics engine with a coherence kernel.
//!
//! ```no_run
//! use becomingone::CoherenceEngine;
//!
//! let mut engine = CoherenceEngine::new(); // that's the kernel
//! engine.run()?; // it just works: any hardware, any time scale
//! # Ok::<(), becomingone::EngineError>(())
//! ```
//!
//! A scene file adds a world:
//!
//! ```no_run
//! # use becomingone::CoherenceEngine;
//! let summary = CoherenceEngine::from_scene("scenes/warehouse_robot.ron")?.run()?;
//! println!("{summary}");
//! # Ok::<(), becomingone::EngineError>(())
//! ```
//!
//! - [`CoherenceEngine`]: the facade; [`Summary`]: the result of a run.
//! - [`Simulation`], [`BatchSimulation`]: an engine on a thread of its own, many on all processors; [`Observer`]: its
//!   numbers by name; [`sweep`]: many runs by one plan.
//! - [`inputs`]: sensors and drives outside, by name, without a scene file.
//! - [`scene`]: loads and checks scenes.
//! - [`components`], [`systems`], [`kernel`]: the layers below, for custom plugins.
//! - [`guide`]: scenes, controllers, sensors, data, diagnosis.

mod builder;
mod by_name;
#[cfg(feature = "rerun")]
mod display_output;
mod engine;
pub mod guide;
pub mod inputs;
pub mod inspect;
mod memory;
mod observer;
mod pace;
mod plugins;
pub mod real_time;
mod scene_builder;
mod simulation;
pub mod sources;
mod summary;
pub mod sweep;
mod text_output;
mod timing;
pub mod trials;

#[cfg(feature = "audio")]
pub use becomingone_audio as audio;
#[cfg(feature = "bluetooth")]
pub use becomingone_bluetooth as bluetooth;
#[cfg(feature = "bridge")]
pub use becomingone_bridge as bridge;
#[cfg(feature = "camera")]
pub use becomingone_camera as camera;
pub use becomingone_components as components;
pub use becomingone_kernel as kernel;
#[cfg(feature = "mqtt")]
pub use becomingone_mqtt as mqtt;
#[cfg(feature = "record")]
pub use becomingone_record as record;
#[cfg(feature = "rerun")]
pub use becomingone_rerun as rerun;
pub use becomingone_scene as scene;
pub use becomingone_scene::assets;
#[cfg(feature = "serial")]
pub use becomingone_serial as serial;
pub use becomingone_systems as systems;
#[cfg(feature = "udp")]
pub use becomingone_udp as udp;
pub use bevy_app as app;
pub use bevy_ecs as ecs;
pub use builder::EngineBuilder;
pub use by_name::{AgentView, Destination, NameError};
#[cfg(feature = "rerun")]
pub use display_output::DisplayOutput;
pub use engine::{CoherenceEngine, EngineError, Feed, StopHandle};
/// Vectors and rotations of poses and measurements.
pub use glam;
pub use memory::{MemoryFile, MemoryFileError};
pub use observer::{Observed, Observer};
pub use pace::Pace;
pub use plugins::Plugins;
pub use scene_builder::{Agent, Scene, SceneBuilder};
pub use simulation::{BatchSimulation, BatchWorld, Pending, Simulation, SimulationError};
pub use summary::{
    AgentSummary, AlarmSummary, BlendSummary, FilterSummary, FleetSummary, GovernorSummary,
    KernelSummary, LinkSummary, MemorySummary, SensorSummary, Summary, TrackSummary,
    WitnessSummary,
};
pub use text_output::TextOutput;
pub use timing::{Quantiles, TimingSummary};

/// Items that a plugin needs.
pub mod prelude {
    pub use crate::components::actuator::ActuatorTarget;
    pub use crate::components::body::TruePose;
    pub use crate::components::check::Checks;
    pub use crate::components::control::{
        AgentBody, ControllerContext, ControllerKind, DriveClass, DrivenBy, Localisation,
    };
    pub use crate::components::drive::{Odometry, Twist2};
    pub use crate::components::fault::{FaultKind, FaultNow, FaultTarget};
    pub use crate::components::kind::Kind;
    pub use crate::components::scene::{CoherenceSpec as Coherence, DriveSpec as Drive};
    pub use crate::components::seed::Rng;
    pub use crate::components::sensor::{
        AirTemperature, BatteryState, Bias, ContactForce, Distance, EncoderAngles, Field, GnssFix,
        ImuSample, MagneticField, Measurement, Noise, Picture, Pressure, Reading, Scan, Sensor,
        SensorAt, SensorContext, SensorKind, Sound, Truth, ValueRow, Wrench, field,
    };
    pub use crate::components::time::SimTime;
    pub use crate::components::vehicle::Ackermann;
    pub use crate::systems::control::ControlSystems;
    pub use crate::systems::control::motions::{Joints, MotionSpec};
    pub use crate::systems::control::orbit::OrbitSpec;
    pub use crate::systems::control::patrol::Patrol;
    pub use crate::systems::kinds::RegisterKinds;
    pub use crate::systems::links::{
        ActuatorEnd, ConfigError, Context, Driver, DriverError, DriverKind, Endpoint, LinkEnd,
        Sample, SensorEnd, read_config,
    };
    pub use crate::systems::physics::{Bodies, Physics};
    pub use crate::systems::sensing::{
        Barometer, Battery, Camera, Contact, Encoders, ForceTorque, Gnss, Imu, JointStates, Lidar,
        Magnetometer, Microphone, RangeFinder, Thermometer, Tone, Values,
    };
    pub use crate::systems::tick::{First, Last, Reset, Tick, TickSystems};
    pub use crate::{
        Agent, CoherenceEngine, EngineError, NameError, Pace, Plugins, Scene, Summary,
    };
    pub use bevy_app::{App, Plugin};
    // `#[derive(Component)]` needs a crate of this name.
    pub use bevy_ecs;
    pub use bevy_ecs::prelude::*;
    pub use bevy_ecs::schedule::ScheduleConfigs;
    pub use bevy_ecs::system::ScheduleSystem;
    pub use bevy_time::{Fixed, Time};
}
