//! The scene file, as types: what a world holds, who acts in it, what they sense and want.
//!
//! Lengths are metres, angles radians, times seconds, axes x forward, y left, z up. Unknown keys are refused.
//! Meaning is checked where the file is read, with the place of each mistake.

use crate::body::{Mesh, RobotModel};
use crate::control::Localisation;
use crate::drive::Drive;
use crate::fault::FaultSpec;
use crate::fleet::FleetSpec;
use crate::geodesy::Geodetic;
use crate::governor::GovernorSpec;
use crate::joints::Servos;
use crate::link::{Queue, Silence, Source};
use crate::localisation::FilterSpec;
use crate::sensor::{Column, Noise};
use crate::track::{Track, TrackSpec};
use crate::vehicle::VehicleModel;
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The newest format that this engine reads.
pub const FORMAT_VERSION: u32 = 1;

/// A whole scene.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
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

/// The fixed part of the world.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldSpec {
    /// Acceleration of free fall (m/s²).
    pub gravity_m_s2: [f64; 3],
    /// Where on the Earth (0, 0, 0) is; x points east, y north. A scene with a GNSS needs one: there is no
    /// place that would be right by itself.
    pub origin: Option<Geodetic>,
    /// Magnetic flux density, east, north and up (T), the same everywhere; [`MAGNETIC_FIELD_T`] where neither this
    /// nor an origin is said. A scene with an origin and a magnetometer says the field of its place.
    pub magnetic_field_t: Option<[f64; 3]>,
    /// The plane z = 0; none for no ground.
    pub ground: Option<GroundSpec>,
    /// Things that do not move.
    pub obstacles: Vec<ObstacleSpec>,
    /// Where vehicles are to stay.
    pub track: Option<TrackSpec>,
}

impl Default for WorldSpec {
    fn default() -> Self {
        Self {
            // Standard gravity (ISO 80000-3).
            gravity_m_s2: [0.0, 0.0, -9.80665],
            origin: None,
            magnetic_field_t: None,
            ground: Some(GroundSpec::default()),
            obstacles: Vec::new(),
            track: None,
        }
    }
}

/// The field at Greenwich (51.4779° N, 0° E, 0 m) at the start of 2025, of the World Magnetic Model 2025
/// (NOAA's wmm-calculator 1.4.4: north 19551.3 nT, east 324.3 nT, down 44998.2 nT).
pub const MAGNETIC_FIELD_T: [f64; 3] = [3.243e-7, 1.95513e-5, -4.49982e-5];

/// The plane z = 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroundSpec {
    /// Coulomb friction coefficient.
    pub friction: f64,
}

impl Default for GroundSpec {
    fn default() -> Self {
        Self { friction: 0.9 }
    }
}

/// A thing that does not move. Its position is the middle of its base.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum ObstacleSpec {
    /// A cuboid.
    Box {
        /// Unique among obstacles and agents.
        name: String,
        /// Middle of the base (m).
        position_m: [f64; 3],
        /// Along its own x, y, z (m).
        size_m: [f64; 3],
        /// About z (rad).
        #[serde(default)]
        yaw_rad: f64,
        /// Whether it is driven on, so that touching it is no collision.
        #[serde(default)]
        drivable: bool,
        /// Coulomb friction coefficient; none: the ground's. One that is said is the bound of every contact with it, as
        /// of ice: contacts take the smaller one of the two surfaces', where else they take the mean.
        #[serde(default)]
        friction: Option<f64>,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
    /// A wedge that rises along its own x from zero to its height. It is driven on: touching it is no collision.
    Ramp {
        /// Unique among obstacles and agents.
        name: String,
        /// Middle of the base (m).
        position_m: [f64; 3],
        /// Length, width and height (m).
        size_m: [f64; 3],
        /// About z (rad).
        #[serde(default)]
        yaw_rad: f64,
        /// Coulomb friction coefficient; none: the ground's. One that is said is the bound of every contact with it, as
        /// of ice: contacts take the smaller one of the two surfaces', where else they take the mean.
        #[serde(default)]
        friction: Option<f64>,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
    /// A triangle mesh: STL, COLLADA or OBJ, z up.
    Mesh {
        /// Unique among obstacles and agents.
        name: String,
        /// Path, from the scene's folder or among the built-in assets.
        file: String,
        /// Where the mesh's origin goes (m).
        position_m: [f64; 3],
        /// Metres for one unit of the file.
        #[serde(default = "one")]
        scale: f64,
        /// About z (rad).
        #[serde(default)]
        yaw_rad: f64,
        /// Red, green, blue, 0 to 1.
        #[serde(default = "default_rgb")]
        rgb: [f32; 3],
    },
}

fn default_rgb() -> [f32; 3] {
    [0.55, 0.55, 0.58]
}

fn one() -> f64 {
    1.0
}

impl ObstacleSpec {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Box { name, .. } | Self::Ramp { name, .. } | Self::Mesh { name, .. } => name,
        }
    }

    /// The friction coefficient that is said of it.
    pub fn friction(&self) -> Option<f64> {
        match self {
            Self::Box { friction, .. } | Self::Ramp { friction, .. } => *friction,
            Self::Mesh { .. } => None,
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
    #[serde(default)]
    pub controller: Option<ControllerSpec>,
    /// What its kernel hears.
    #[serde(default)]
    pub coherence: CoherenceSpec,
    /// How its coherence limits what it does. None: not at all.
    #[serde(default)]
    pub governor: Option<GovernorSpec>,
}

impl AgentSpec {
    /// Whether the scene's fleet says how fast it goes round.
    pub fn in_fleet(&self) -> bool {
        matches!(
            self.controller,
            Some(ControllerSpec::Orbit { rate_hz: None, .. })
        )
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
    pub kind: SensorKind,
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

fn no_rotation() -> [f64; 4] {
    [0.0, 0.0, 0.0, 1.0]
}

/// Kinds of sensor.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum SensorKind {
    /// Three gyroscopes (rad/s) and three accelerometers (m/s²).
    Imu {
        /// Of each gyroscope (rad/s).
        #[serde(default)]
        gyro: Noise,
        /// Of each accelerometer (m/s²).
        #[serde(default)]
        accelerometer: Noise,
    },
    /// Angles of the driven wheels (rad).
    Encoders {
        /// Of each angle (rad).
        #[serde(default)]
        noise: Noise,
    },
    /// Distances in a plane (m).
    Lidar {
        /// Rays a turn.
        rays: u32,
        /// Angle that the rays cover, centred on the sensor's x (rad).
        #[serde(default = "full_turn")]
        fov_rad: f64,
        /// Nearest distance that is measured (m).
        #[serde(default)]
        range_min_m: f64,
        /// Farthest (m).
        range_max_m: f64,
        /// Of each distance (m).
        #[serde(default)]
        noise: Noise,
    },
    /// Touch of anything but the ground.
    Contact {},
    /// Place and velocity of an antenna, by satellites. `world: (origin: ..)` says where the scene is.
    Gnss {
        /// Of east and north, each (m). Half of all fixes are within 1.18 deviations (the CEP of data sheets).
        #[serde(default)]
        horizontal: Noise,
        /// Of up (m).
        #[serde(default)]
        vertical: Noise,
        /// Of each velocity (m/s).
        #[serde(default)]
        velocity: Noise,
    },
    /// Distance to the nearest thing in a cone (m), as sonars, infrared and time-of-flight sensors measure it.
    /// The cone is 49 rays: what fits between them is not seen.
    Range {
        /// Angle of the cone about the sensor's x, from edge to edge (rad); 0 for one ray.
        #[serde(default)]
        fov_rad: f64,
        /// Nearest distance that is measured (m).
        #[serde(default)]
        range_min_m: f64,
        /// Farthest (m).
        range_max_m: f64,
        /// Of the distance (m).
        #[serde(default)]
        noise: Noise,
    },
    /// Magnetic field in the sensor's axes (T); `world: (magnetic_field_t: ..)` says which.
    Magnetometer {
        /// Of each axis (T).
        #[serde(default)]
        noise: Noise,
        /// Field of magnets that turn with the sensor, in its axes (T).
        #[serde(default)]
        hard_iron_t: [f64; 3],
        /// What iron that turns with the sensor makes of the field: rows of a matrix on the sensor's axes.
        #[serde(default = "no_iron")]
        soft_iron: [[f64; 3]; 3],
    },
    /// Any numbers, of an instrument: nothing simulates them. It needs no body.
    Values {
        /// What they are, in their order.
        fields: Vec<Column>,
    },
}

impl SensorKind {
    /// Name of what it measures, as [`Measurement`](crate::sensor::Measurement) has it.
    pub fn name(&self) -> &'static str {
        use crate::sensor::{
            Contact, Encoders, Gnss, Imu, MagneticField, Measurement, Range, Scan, Values,
        };
        match self {
            Self::Imu { .. } => Imu::KIND,
            Self::Encoders { .. } => Encoders::KIND,
            Self::Lidar { .. } => Scan::KIND,
            Self::Contact {} => Contact::KIND,
            Self::Gnss { .. } => Gnss::KIND,
            Self::Range { .. } => Range::KIND,
            Self::Magnetometer { .. } => MagneticField::KIND,
            Self::Values { .. } => Values::KIND,
        }
    }
}

fn no_iron() -> [[f64; 3]; 3] {
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
}

fn full_turn() -> f64 {
    std::f64::consts::TAU
}

/// Who decides.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum ControllerSpec {
    /// Drives from waypoint to waypoint: pure pursuit plans, the lidar's last scan is given way to.
    Patrol {
        /// World positions (m), in order.
        waypoints_m: Vec<[f64; 2]>,
        /// How often the list is gone through; none: without end.
        #[serde(default = "one_lap")]
        laps: Option<u32>,
        /// A waypoint counts as reached within this distance (m).
        #[serde(default = "default_tolerance_m")]
        tolerance_m: f64,
        /// Cruising speed (m/s).
        speed_m_s: f64,
        /// Distance of the point that is steered to (m).
        #[serde(default = "default_lookahead_m")]
        lookahead_m: f64,
        /// Free space kept around the footprint (m).
        #[serde(default = "default_clearance_m")]
        clearance_m: f64,
        /// Whose word is taken for where it is.
        #[serde(default)]
        localisation: Localisation,
    },
    /// Drives a vehicle round the world's track, as fast as its limits allow.
    Track {
        /// Laps of the track from where it starts; none: without end.
        #[serde(default = "one_lap")]
        laps: Option<u32>,
        /// Largest speed (m/s).
        speed_m_s: f64,
        /// Largest acceleration to the side in curves (m/s²).
        #[serde(default = "default_lateral_m_s2")]
        lateral_acceleration_m_s2: f64,
        /// Largest acceleration forward (m/s²).
        #[serde(default = "default_acceleration_m_s2")]
        acceleration_m_s2: f64,
        /// Largest deceleration (m/s²).
        #[serde(default = "default_deceleration_m_s2")]
        deceleration_m_s2: f64,
        /// Whose word is taken for where it is.
        #[serde(default)]
        localisation: Localisation,
    },
    /// Drives round a circle of its own, to the left: it gives way to nobody.
    Orbit {
        /// Middle of the circle in the world (m).
        centre_m: [f64; 2],
        /// m.
        radius_m: f64,
        /// Rounds a second; none: as the scene's `fleet` has it.
        #[serde(default)]
        rate_hz: Option<f64>,
        /// Whose word is taken for where it is.
        #[serde(default)]
        localisation: Localisation,
    },
    /// Moves joints to positions, or to and fro.
    Joints {
        /// Joints that are not named hold where they start.
        motions: Vec<MotionSpec>,
        /// Time of the way from the start into the motions (s).
        #[serde(default = "default_ease_s")]
        ease_s: f64,
    },
}

/// The motion of one joint: `position + amplitude sin(2π frequency t + phase)`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MotionSpec {
    /// Name of the joint.
    pub joint: String,
    /// Middle of the motion (rad or m); where the joint starts, if it is missing.
    #[serde(default)]
    pub position: Option<f64>,
    /// To each side (rad or m).
    #[serde(default)]
    pub amplitude: f64,
    /// Times a second.
    #[serde(default)]
    pub frequency_hz: f64,
    /// At the run's start (rad).
    #[serde(default)]
    pub phase_rad: f64,
}

fn default_ease_s() -> f64 {
    1.0
}
fn default_lateral_m_s2() -> f64 {
    4.0
}
fn default_acceleration_m_s2() -> f64 {
    2.0
}
fn default_deceleration_m_s2() -> f64 {
    3.0
}
fn one_lap() -> Option<u32> {
    Some(1)
}
fn default_tolerance_m() -> f64 {
    0.4
}
fn default_lookahead_m() -> f64 {
    1.0
}
fn default_clearance_m() -> f64 {
    0.2
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
    pub scene: Scene,
    /// The model of each agent, none where it has no body.
    pub models: Vec<Option<Arc<RobotModel>>>,
    /// The drive of each agent, none where nothing drives it.
    pub drives: Vec<Option<Drive>>,
    /// The servos of each agent, none where its joints have none.
    pub servos: Vec<Option<Servos>>,
    /// The vehicle of each agent, none where it is none; its body and wheels are in `models` too.
    pub vehicles: Vec<Option<Arc<VehicleModel>>>,
    /// The mesh of each obstacle, none where it is no mesh.
    pub meshes: Vec<Option<Arc<Mesh>>>,
    /// The world's track.
    pub track: Option<Arc<Track>>,
    /// Where each source that is not simulated was written, by the stable name of its sensor or actuator.
    pub written: BTreeMap<String, SourceSpan>,
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
