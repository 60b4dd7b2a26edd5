//! Scene file, as types: world, agents, sensors, goals.
//!
//! Lengths are metres, angles radians, times seconds, axes x forward, y left, z up. Unknown keys are errors. Values
//! are checked where the file is read, with the place of each error.

use crate::body::{Mesh, RobotModel};
use crate::control::{AgentBody, AnyController};
use crate::drive::Drive;
use crate::fault::FaultSpec;
use crate::fleet::FleetSpec;
use crate::governor::GovernorSpec;
use crate::joints::Servos;
use crate::kind::Named;
use crate::link::{Queue, Silence, Source};
use crate::localisation::FilterSpec;
use crate::randomise::RandomiseSpec;
use crate::sensor::AnySensor;
use crate::track::Track;
use crate::vehicle::VehicleModel;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use crate::world::{GroundSpec, MAGNETIC_FIELD_T, ObstacleSpec, PlaceSpec, WorldSpec};

/// Newest format that this engine reads.
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
    /// Simulated time after which the run ends (s); none: when all goals are reached, or given up after a safety
    /// stop.
    #[serde(default)]
    pub duration_s: Option<f64>,
    /// Factor on all times of this scene: ticks, windows, periods of signals, the run itself; 1 by default. Only
    /// where nothing has a time of its own: for kernels of signals, without bodies and sensors.
    #[serde(default = "one")]
    pub time_scale: f64,
    /// Seed of every random number.
    #[serde(default)]
    pub seed: u64,
    /// World.
    #[serde(default)]
    pub world: WorldSpec,
    /// Agents.
    pub agents: Vec<AgentSpec>,
    /// Coupling of the agents on an `Orbit`.
    #[serde(default)]
    pub fleet: Option<FleetSpec>,
    /// Faults.
    #[serde(default)]
    pub faults: Vec<FaultSpec>,
    /// What each seed draws anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub randomise: Option<RandomiseSpec>,
}

fn default_tick_ns() -> u64 {
    1_000_000
}

fn one() -> f64 {
    1.0
}

fn hundred() -> f64 {
    100.0
}

/// Resolved scenes of earlier versions keep their hash.
fn is_hundred(rate_hz: &f64) -> bool {
    *rate_hz == hundred()
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
            randomise: None,
        }
    }
}

/// An agent: a robot, or a kernel alone where there is no model.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Unique among agents and obstacles.
    pub name: String,
    /// Robot description (URDF) or vehicle description (YAML, RON): a path from the scene's folder, or a
    /// built-in asset. None: no body.
    #[serde(default)]
    pub model: Option<String>,
    /// Start position (m): z is the height of its lowest point.
    #[serde(default)]
    pub position_m: [f64; 3],
    /// Start heading of its forward direction (rad).
    #[serde(default)]
    pub yaw_rad: f64,
    /// Whether its root link is fixed to the world.
    #[serde(default)]
    pub fixed: bool,
    /// Whether a link of the robot may lose all colliders because their meshes are not found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_missing: bool,
    /// Drive.
    #[serde(default)]
    pub drive: DriveSpec,
    /// Executor of the drive's commands: the simulation, or a driver of hardware.
    #[serde(default)]
    pub drive_source: Source,
    /// Most commands a second that are sent to hardware (Hz), at most one a tick.
    #[serde(default = "hundred", skip_serializing_if = "is_hundred")]
    pub drive_rate_hz: f64,
    /// Sensors.
    #[serde(default)]
    pub sensors: Vec<SensorSpec>,
    /// Localisation filter over wheels, IMU and GNSS. None: wheel odometry alone.
    #[serde(default)]
    pub filter: Option<FilterSpec>,
    /// Controller.
    #[serde(default, serialize_with = "plain")]
    pub controller: Option<Named<dyn AnyController>>,
    /// Kernel.
    #[serde(default)]
    pub coherence: CoherenceSpec,
    /// Governor, which limits commands by coherence. None: no limit.
    #[serde(default)]
    pub governor: Option<GovernorSpec>,
}

/// Writes an optional kind as by hand: ron would put `Some(..)` around raw text.
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
            allow_missing: false,
            drive: DriveSpec::default(),
            drive_source: Source::default(),
            drive_rate_hz: hundred(),
            sensors: Vec::new(),
            filter: None,
            controller: None,
            coherence: CoherenceSpec::default(),
            governor: None,
        }
    }
}

/// Drive of a robot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum DriveSpec {
    /// None: the robot is passive.
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
    /// A position servo on every joint, which holds its start position.
    Joints {
        /// Stiffness of every servo (N m/rad or N/m); none: scaled to the load of each joint.
        #[serde(default)]
        stiffness: Option<f64>,
        /// Damping of every servo (N m s/rad or N s/m); none: critical.
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
    /// Kind.
    pub kind: Named<dyn AnySensor>,
    /// Readings a second; at most one a tick.
    pub rate_hz: f64,
    /// The link that carries it. None: the root.
    #[serde(default)]
    pub link: Option<String>,
    /// Position in the link's frame (m).
    #[serde(default)]
    pub position_m: [f64; 3],
    /// Orientation in the link's frame: quaternion x, y, z, w.
    #[serde(default = "no_rotation")]
    pub rotation: [f64; 4],
    /// Source of its readings.
    #[serde(default)]
    pub source: Source,
    /// Queue of external readings between two ticks.
    #[serde(default)]
    pub queue: Queue,
    /// Time-out of external readings.
    #[serde(default)]
    pub silence: Silence,
}

impl SensorSpec {
    /// A simulated sensor at the origin of the agent's root link.
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

/// Setup of a kernel. Its order is that of the agent's wheel angles and additional channels; its self-model predicts
/// the readings of its sensors from the commands of its drive, see [`witness`](crate::witness).
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
    /// No kernel.
    #[serde(alias = "off")]
    Off,
    /// Explicit setup.
    Kernel {
        /// Kernel ticks a second.
        #[serde(default = "default_kernel_rate_hz")]
        rate_hz: f64,
        /// Window of the Emissary (s).
        #[serde(default = "default_emissary_window_s")]
        emissary_window_s: f64,
        /// Window of the Master (s).
        #[serde(default = "default_master_window_s")]
        master_window_s: f64,
        /// Lags of the Master.
        #[serde(default, skip_serializing_if = "MasterSpec::is_window")]
        master: MasterSpec,
        /// Channels beside the agent's wheel angles.
        #[serde(default)]
        channels: Vec<ChannelSpec>,
        /// Event memory.
        #[serde(default)]
        blend: BlendSpec,
        /// Self-model and its thresholds.
        #[serde(default)]
        witness: WitnessSpec,
    },
}

/// Lags of the Master.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum MasterSpec {
    /// Those of the Emissary, 1, 2 and 4 kernel ticks, over `master_window_s`: compares the present rhythm with the
    /// last minutes.
    #[default]
    Window,
    /// Lags of minutes to hours, `from_s`, 2 `from_s`, 4 `from_s` up to `to_s`, by a pyramid of octaves (the kernel's
    /// [`Pyramid`](becomingone_kernel::Pyramid) and [`Band`](becomingone_kernel::Band)): detects slow recurrence. The
    /// window of each lag is two to four lags long, `master_window_s` at least. Takes 26 products a channel and
    /// kernel tick instead of 3, and 0.2 MB.
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

/// Outputs, warm-up and thresholds of a self-model.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessSpec {
    /// Predicted sensors or parts of them, as `imu` or `imu/gyro_z`; an empty list for no self-model. None: the
    /// default channels of each kind of sensor, see [`witness`](crate::witness).
    pub channels: Option<Vec<String>>,
    /// Warm-up (s): it should cover all normal behaviour of the agent, and no fault. None: 400 kernel ticks or 8 s,
    /// whichever is longer.
    pub warm_up_s: Option<f64>,
    /// Thresholds of K1, K2 and K3. None: estimated from the second half of the warm-up, as a starting point.
    pub thresholds: Option<ThresholdSpec>,
    /// Thresholds of the self-model of lidar visibility, at the rate of the lidars.
    pub lidar: Option<ThresholdSpec>,
    /// Thresholds of the self-model of the filter's innovations of wheels and IMU, where the agent has a filter.
    pub innovations_motion: Option<ThresholdSpec>,
    /// Thresholds of the self-model of the innovations of GNSS, at the rate of GNSS.
    pub innovations_gnss: Option<ThresholdSpec>,
    /// Threshold of the innovations' energy (NIS), in units of the chi² limit at p = 1e-5. None: from warm-up, at
    /// least 1.
    pub nis: Option<f64>,
    /// Threshold of the level of [stationary](crate::sensor::Measurement::STATIONARY) channels, in units of its healthy
    /// mean. None: their level raises no alarm, as a warm-up does not show how far a temperature wanders in an hour.
    pub level: Option<f64>,
}

/// Thresholds of surprise. They depend on the plant and come from its nominal runs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdSpec {
    /// Residual autocorrelation.
    pub k1: f64,
    /// Mean shift, in units of its healthy mean.
    pub k2: f64,
    /// Energy, in units of its healthy mean.
    pub k3: f64,
}

/// Event memory of a kernel.
///
/// The strength of a memory starts at 1 and decays by `ds/dt = -l0 (1 - beta c) s`, c being the coherence, 0 before
/// it has a value; a recall raises it by `a_r (1 - s)`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlendSpec {
    /// ln 2/`l0`: time in which strength halves without coherence (s). None: ten of the Master's windows, an order of
    /// magnitude more than the background, at any time scale.
    pub half_life_s: Option<f64>,
    /// beta, 0 to below 1: the share of the decay that full coherence prevents. 0.9: coherent memories last ten times
    /// as long.
    pub protection: f64,
    /// `a_r`, 0 to 1: the share of the missing strength that a recall restores.
    pub recall: f64,
    /// `s_min`, 0 to below 1: weaker memories are forgotten. 0.05: after 4.3 half-lives.
    pub forget_below: f64,
    /// Least similarity of a recall, 0 to 1. 0.9: the distance of 0.1 that is left is the scatter of T in pure noise,
    /// 1/sqrt(100) with the Emissary's hundred effective samples, and the distance of two rhythms whose frequencies
    /// are 0.6 Hz apart at 50 Hz.
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

/// Default kernel ticks a second.
pub fn default_kernel_rate_hz() -> f64 {
    50.0
}
/// Default window of the Emissary (s).
pub fn default_emissary_window_s() -> f64 {
    1.0
}
/// Default window of the Master (s).
pub fn default_master_window_s() -> f64 {
    60.0
}

/// A channel with a generated signal.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSpec {
    /// Unique on its agent.
    pub name: String,
    /// Signal.
    pub signal: Signal,
}

/// Generated signals.
#[derive(Component, Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Signal {
    /// A constant frequency.
    Tone {
        /// Turns a second.
        frequency_hz: f64,
    },
    /// A linear frequency sweep.
    Chirp {
        /// Turns a second at the run's start.
        start_hz: f64,
        /// Change of the frequency per second (turns/s²).
        rate_hz_s: f64,
    },
    /// Complex white noise of unit modulus: at each kernel tick a uniformly distributed phase, from the channel's own
    /// seed.
    Noise {},
}

/// A scene with the contents of its files: all data to build the world repeatedly.
#[derive(Resource, Clone, Debug)]
pub struct LoadedScene {
    /// The scene file.
    pub scene: SceneSpec,
    /// Loaded data of each agent, in the order of the scene.
    pub agents: Vec<LoadedAgent>,
    /// Mesh of each obstacle; none for other shapes.
    pub meshes: Vec<Option<Arc<Mesh>>>,
    /// The world's track.
    pub track: Option<Arc<Track>>,
    /// Place in the file of each source that is not simulated, by the stable name of its sensor or actuator.
    pub written: BTreeMap<String, SourceSpan>,
}

/// Loaded data of an agent: its body and drive; empty for an agent without a body.
#[derive(Clone, Debug, Default)]
pub struct LoadedAgent {
    /// Links and joints.
    pub model: Option<Arc<RobotModel>>,
    /// Driven wheels.
    pub drive: Option<Drive>,
    /// Position servos on joints.
    pub servos: Option<Servos>,
    /// Vehicle description; its body and wheels are in `model` too.
    pub vehicle: Option<Arc<VehicleModel>>,
}

impl LoadedAgent {
    /// The body, as controllers find it; `track` is the world's.
    pub fn body<'a>(&'a self, track: Option<&'a Track>) -> AgentBody<'a> {
        AgentBody {
            model: self.model.as_ref(),
            drive: self.drive.as_ref(),
            servos: self.servos.as_ref(),
            vehicle: self.vehicle.as_ref(),
            track,
        }
    }

    /// Number of wheels or joints with encoders.
    pub fn encoded(&self) -> usize {
        match (&self.vehicle, &self.drive, &self.servos) {
            (Some(vehicle), ..) => vehicle.wheels.len(),
            (_, Some(drive), _) => drive.wheels.len(),
            (.., Some(Servos(servos))) => servos.len(),
            _ => 0,
        }
    }
}

/// Place of a source in its files. Overlays may have brought parts of its configuration from several files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSpan {
    /// File, line and column of the source.
    pub source: (String, [usize; 2]),
    /// Byte offsets in a driver's configuration, each with the file, line and column of the text from there on.
    pub config: Vec<(usize, String, [usize; 2])>,
}

/// The resolved scene as one text: overlays merged, defaults filled in.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedScene {
    /// RON that can be saved and run.
    pub text: String,
    /// Hash: the same for equal scenes, in any folder.
    pub hash: u64,
}

/// Marks an entity of the scene, which a reset despawns.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromScene;

/// Marks an agent: a robot, a vehicle, an instrument, or a kernel alone.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent;
