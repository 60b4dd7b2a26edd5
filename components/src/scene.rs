//! The scene file, as types: what a world holds, who acts in it, what they sense and want.
//!
//! Lengths are metres, angles radians, times seconds, axes x forward, y left, z up. Unknown keys are refused.
//! Meaning is checked where the file is read, with the place of each mistake.

use crate::body::{Mesh, RobotModel};
use crate::control::AnyController;
use crate::drive::Drive;
use crate::fault::FaultSpec;
use crate::fleet::FleetSpec;
use crate::governor::GovernorSpec;
use crate::joints::Servos;
use crate::kind::Named;
use crate::link::{Queue, Silence, Source};
use crate::localisation::FilterSpec;
use crate::sensor::AnySensor;
use crate::track::Track;
use crate::vehicle::VehicleModel;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use crate::world::{GroundSpec, MAGNETIC_FIELD_T, ObstacleSpec, WorldSpec};

/// The newest format that this engine reads.
pub const FORMAT_VERSION: u32 = 1;

/// A whole scene.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename = "Scene")]
pub struct SceneSpec {
    /// Format of the file: [`FORMAT_VERSION`].
    pub version: u32,
    /// Name of the scene; the file's name where it is missing.
    #[serde(default)]
    pub name: String,
    /// Length of a tick (ns).
    #[serde(default = "default_tick_ns")]
    pub tick_ns: u64,
    /// Simulated time after which the run ends (s); none: when all goals are reached, or given up by agents that
    /// their governor stopped for good.
    #[serde(default)]
    pub duration_s: Option<f64>,
    /// How many times as long all times of this scene are: ticks, windows, periods of signals, the run itself. 1 where
    /// it is not said. Only where nothing has a time of its own: for kernels that hear signals, without bodies and
    /// sensors.
    #[serde(default = "one")]
    pub time_scale: f64,
    /// Seed of every random number.
    #[serde(default)]
    pub seed: u64,
    /// What stands around.
    #[serde(default)]
    pub world: WorldSpec,
    /// Who acts.
    pub agents: Vec<AgentSpec>,
    /// How agents on an `Orbit` pull at each other.
    #[serde(default)]
    pub fleet: Option<FleetSpec>,
    /// What is made to be wrong, and when.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
}

fn default_tick_ns() -> u64 {
    1_000_000
}

fn one() -> f64 {
    1.0
}

/// An empty world with a ground, without agents, that runs until it is stopped.
impl Default for SceneSpec {
    fn default() -> Self {
        Self {
            version: FORMAT_VERSION,
            name: "scene".to_owned(),
            tick_ns: default_tick_ns(),
            duration_s: None,
            time_scale: 1.0,
            seed: 0,
            world: WorldSpec::default(),
            agents: Vec::new(),
            fleet: None,
            faults: Vec::new(),
        }
    }
}

/// Someone who acts: a robot, or a bare kernel where there is no model.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Unique among agents and obstacles.
    pub name: String,
    /// Robot description (URDF) or vehicle description (YAML, RON): a path from the scene's folder, or a
    /// built-in asset. None: no body.
    #[serde(default)]
    pub model: Option<String>,
    /// Where it starts (m): z is the height of its lowest point.
    #[serde(default)]
    pub position_m: [f64; 3],
    /// Where its forward direction points at the start (rad).
    #[serde(default)]
    pub yaw_rad: f64,
    /// Whether its root link stands still, as if bolted to the world.
    #[serde(default)]
    pub fixed: bool,
    /// What moves it.
    #[serde(default)]
    pub drive: DriveSpec,
    /// Who carries out what its drive is told: the simulation, or a driver, where it is real.
    #[serde(default)]
    pub drive_source: Source,
    /// What it senses.
    #[serde(default)]
    pub sensors: Vec<SensorSpec>,
    /// How it finds out where it is: a filter over its wheels, IMU and GNSS. None: by its wheels alone.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
    /// What it wants.
    #[serde(default, serialize_with = "plain")]
    pub controller: Option<Named<dyn AnyController>>,
    /// What its kernel hears.
    #[serde(default)]
    pub coherence: CoherenceSpec,
    /// How its coherence limits what it does. None: not at all.
    #[serde(default)]
    pub governor: Option<GovernorSpec>,
}

/// An optional kind as it is written by hand: ron would put `Some(..)` around text that stays as it is.
fn plain<S: Serializer>(kind: &Option<Named<dyn AnyController>>, to: S) -> Result<S::Ok, S::Error> {
    match kind {
        None => to.serialize_none(),
        Some(kind) => kind.serialize(to),
    }
}

/// An agent without a body, sensors and controller.
impl Default for AgentSpec {
    fn default() -> Self {
        Self {
            name: "agent".to_owned(),
            model: None,
            position_m: [0.0; 3],
            yaw_rad: 0.0,
            fixed: false,
            drive: DriveSpec::default(),
            drive_source: Source::default(),
            sensors: Vec::new(),
            filter: None,
            controller: None,
            coherence: CoherenceSpec::default(),
            governor: None,
        }
    }
}

/// What moves a robot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum DriveSpec {
    /// Nothing: it falls where it is put.
    #[default]
    Off,
    /// Wheels found in the model: continuous joints with a lateral axis, whose wheels touch the ground.
    Auto,
    /// The joints named here, left and right as seen in the direction of travel.
    Wheels {
        /// Joints on the left.
        left: Vec<String>,
        /// Joints on the right.
        right: Vec<String>,
    },
    /// A position servo on every joint, that holds where it starts.
    Joints {
        /// Of every servo (N m/rad or N/m); none: of each as much as what it carries asks for.
        #[serde(default)]
        stiffness: Option<f64>,
        /// Of every servo (N m s/rad or N s/m); none: critical.
        #[serde(default)]
        damping: Option<f64>,
    },
}

/// A sensor on a robot.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SensorSpec {
    /// Unique on its agent; `rover/imu` is its stable name on `rover`.
    pub name: String,
    /// What it measures.
    pub kind: Named<dyn AnySensor>,
    /// Readings a second; at most one a tick.
    pub rate_hz: f64,
    /// The link that carries it; the root where it is missing.
    #[serde(default)]
    pub link: Option<String>,
    /// Where it sits, in the link's frame (m).
    #[serde(default)]
    pub position_m: [f64; 3],
    /// How it is turned in the link's frame: quaternion x, y, z, w.
    #[serde(default = "no_rotation")]
    pub rotation: [f64; 4],
    /// Where its readings come from.
    #[serde(default)]
    pub source: Source,
    /// How many readings wait for a tick, where they come from outside.
    #[serde(default)]
    pub queue: Queue,
    /// When it counts as silent, where its readings come from outside.
    #[serde(default)]
    pub silence: Silence,
}

impl SensorSpec {
    /// A simulated sensor in the origin of the agent's root link.
    pub fn new(
        name: impl Into<String>,
        kind: impl Into<Named<dyn AnySensor>>,
        rate_hz: f64,
    ) -> Self {
        Self {
            name: name.into(),
            kind: kind.into(),
            rate_hz,
            link: None,
            position_m: [0.0; 3],
            rotation: no_rotation(),
            source: Source::default(),
            queue: Queue::default(),
            silence: Silence::default(),
        }
    }
}

fn no_rotation() -> [f64; 4] {
    [0.0, 0.0, 0.0, 1.0]
}

/// What a kernel hears. Its order is that of the agent's wheel angles and channels of its own; its self-model
/// foresees the readings of its sensors by the commands of its drive, as [`witness`](crate::witness) says.
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for each agent of a scene"
)]
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum CoherenceSpec {
    /// The agent's wheel angles, readings and commands, with the kernel's defaults; at the rate of the fastest
    /// sensor, where all are slower than these.
    #[default]
    #[serde(alias = "auto")]
    Auto,
    /// Nothing.
    #[serde(alias = "off")]
    Off,
    /// As said.
    Kernel {
        /// Kernel ticks a second.
        #[serde(default = "default_kernel_rate_hz")]
        rate_hz: f64,
        /// Memory of the Emissary (s).
        #[serde(default = "default_emissary_window_s")]
        emissary_window_s: f64,
        /// Memory of the Master (s).
        #[serde(default = "default_master_window_s")]
        master_window_s: f64,
        /// What the Master compares.
        #[serde(default, skip_serializing_if = "MasterSpec::is_window")]
        master: MasterSpec,
        /// Channels beside the agent's wheel angles.
        #[serde(default)]
        channels: Vec<ChannelSpec>,
        /// How it remembers.
        #[serde(default)]
        blend: BlendSpec,
        /// What its self-model foresees, and when it is surprised.
        #[serde(default)]
        witness: WitnessSpec,
    },
}

/// Which lags the Master compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum MasterSpec {
    /// Those of the Emissary, 1, 2 and 4 kernel ticks, over `master_window_s`: whether the rhythm of now is that of the
    /// last minutes.
    #[default]
    Window,
    /// Lags of minutes to hours, `from_s`, 2 `from_s`, 4 `from_s` up to `to_s`, by a pyramid of octaves (the kernel's
    /// [`Pyramid`](becomingone_kernel::Pyramid) and [`Band`](becomingone_kernel::Band)): whether what is slow recurs. The
    /// window of each lag is two to four lags long, `master_window_s` at least. Takes 26 products a channel and kernel
    /// tick instead of 3, and 0.2 MB.
    Pyramid {
        /// Shortest lag (s): a kernel tick or more.
        #[serde(default = "default_master_from_s")]
        from_s: f64,
        /// Longest lag (s): up to 2^27 kernel ticks.
        #[serde(default = "default_master_to_s")]
        to_s: f64,
    },
}

impl MasterSpec {
    /// Whether it is the default.
    pub fn is_window(&self) -> bool {
        *self == Self::Window
    }
}

fn default_master_from_s() -> f64 {
    becomingone_kernel::MASTER_BAND_S[0]
}

fn default_master_to_s() -> f64 {
    becomingone_kernel::MASTER_BAND_S[1]
}

/// What a self-model foresees, how it learns, and what it calls surprise.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessSpec {
    /// Sensors or parts of them, as `imu` or `imu/gyro_z`; an empty list for no self-model. None: what is taken of
    /// each kind of sensor, see [`witness`](crate::witness).
    pub senses: Option<Vec<String>>,
    /// Time that it learns from (s): all that the agent does as a rule should happen in it, and no fault. None: 400
    /// kernel ticks or 8 s, whichever is longer.
    pub warm_up_s: Option<f64>,
    /// What K1, K2 and K3 have to stand over. None: they are taken from the second half of what it learns from,
    /// which is a starting point.
    pub thresholds: Option<ThresholdSpec>,
    /// The same for the self-model of what lidars see, which comes at their own rate.
    pub surroundings: Option<ThresholdSpec>,
    /// The same for the self-model of the filter's innovations of wheels and IMU, where the agent has a filter.
    pub innovations: Option<ThresholdSpec>,
    /// The same for those of GNSS, which come at its own rate.
    pub places: Option<ThresholdSpec>,
    /// What the innovations' energy (NIS) has to stand over, in units of the chi² limit at p = 1e-5. None: from warm-up,
    /// at least 1.
    pub nis: Option<f64>,
}

/// Thresholds of surprise. Those of one plant are not those of another: they come from its own nominal runs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdSpec {
    /// Of the coherent part, 0 to 1.
    pub k1: f64,
    /// Of the shift, in units of its healthy mean.
    pub k2: f64,
    /// Of the energy, in units of its healthy mean.
    pub k3: f64,
}

/// How a kernel remembers what happened to its agent.
///
/// A memory's strength starts at 1 and falls by `ds/dt = -l0 (1 - beta c) s`, c being the coherence, 0 before it
/// has a value; the same happening again lifts it by `a_r (1 - s)`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlendSpec {
    /// ln 2/`l0`: time in which strength halves without coherence (s). None: ten of the Master's windows, an order
    /// of magnitude more than what the present is heard against, at any time scale.
    pub half_life_s: Option<f64>,
    /// beta, 0 to below 1: the share of fading that full coherence prevents. 0.9: what was coherent stays ten
    /// times as long.
    pub protection: f64,
    /// `a_r`, 0 to 1: the share of what is missing that a recall gives back.
    pub recall: f64,
    /// `s_min`, 0 to below 1: weaker memories are forgotten. 0.05: after 4.3 half-lives.
    pub forget_below: f64,
    /// What is as similar as this, 0 to 1, is named and recalled. 0.9: the distance of 0.1 that is left is the
    /// scatter of T in pure noise, 1/sqrt(100) with the Emissary's hundred effective samples, and the distance of
    /// two rhythms whose frequencies are 0.6 Hz apart at 50 Hz.
    pub similarity: f64,
}

impl Default for BlendSpec {
    fn default() -> Self {
        Self {
            half_life_s: None,
            protection: 0.9,
            recall: 0.5,
            forget_below: 0.05,
            similarity: 0.9,
        }
    }
}

/// Kernel ticks a second, where the scene does not say.
pub fn default_kernel_rate_hz() -> f64 {
    50.0
}
/// Memory of the Emissary (s), where the scene does not say.
pub fn default_emissary_window_s() -> f64 {
    1.0
}
/// Memory of the Master (s), where the scene does not say.
pub fn default_master_window_s() -> f64 {
    60.0
}

/// A channel with a signal of its own.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSpec {
    /// Unique on its agent.
    pub name: String,
    /// What it carries.
    pub signal: Signal,
}

/// Signals that need no sensor.
#[derive(Component, Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Signal {
    /// A pure rhythm.
    Tone {
        /// Turns a second.
        frequency_hz: f64,
    },
    /// A rhythm that quickens (or slows) steadily.
    Chirp {
        /// Turns a second at the run's start.
        start_hz: f64,
        /// By how many turns a second it quickens in a second.
        rate_hz_s: f64,
    },
    /// No rhythm at all: at each kernel tick a phase of its own, all as likely (complex white noise of unit
    /// modulus), from the channel's own seed.
    Noise {},
}

/// A scene with everything that its files hold: all that is needed to build the world, again and again.
#[derive(Resource, Clone, Debug)]
pub struct LoadedScene {
    /// What the file says.
    pub scene: SceneSpec,
    /// What was loaded for each agent, in the order of the scene.
    pub agents: Vec<LoadedAgent>,
    /// The mesh of each obstacle, none where it is no mesh.
    pub meshes: Vec<Option<Arc<Mesh>>>,
    /// The world's track.
    pub track: Option<Arc<Track>>,
    /// Where each source that is not simulated was written, by the stable name of its sensor or actuator.
    pub written: BTreeMap<String, SourceSpan>,
}

/// What was loaded for an agent: its body, and what moves it. An agent without a body has none of it.
#[derive(Clone, Debug, Default)]
pub struct LoadedAgent {
    /// Links and joints.
    pub model: Option<Arc<RobotModel>>,
    /// Driven wheels.
    pub drive: Option<Drive>,
    /// Position servos on joints.
    pub servos: Option<Servos>,
    /// The vehicle that it is; its body and wheels are in `model` too.
    pub vehicle: Option<Arc<VehicleModel>>,
}

impl LoadedAgent {
    /// How many wheels or joints its encoders count.
    pub fn encoded(&self) -> usize {
        match (&self.vehicle, &self.drive, &self.servos) {
            (Some(vehicle), ..) => vehicle.wheels.len(),
            (_, Some(drive), _) => drive.wheels.len(),
            (.., Some(Servos(servos))) => servos.len(),
            _ => 0,
        }
    }
}

/// Where a source was written. Overlays may have brought parts of its configuration from several files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSpan {
    /// File, line and column of the source.
    pub source: (String, [usize; 2]),
    /// Bytes of a driver's configuration; the file, line and column of what begins there.
    pub config: Vec<(usize, String, [usize; 2])>,
}

/// The scene that runs as one text: overlays laid, defaults filled in.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedScene {
    /// RON that can be saved and run.
    pub text: String,
    /// The same for equal scenes, wherever their files lie.
    pub hash: u64,
}

/// Marks what a scene brought into the world and a reset takes out again.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromScene;

/// Marks an agent: a robot, a vehicle, an instrument, or a kernel alone.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent;
