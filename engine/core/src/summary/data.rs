//! Summary as data: field names are the keys of the JSON.

use crate::pace::seconds;
use crate::timing::TimingSummary;
use becomingone_components::body::{Pose, Travel, TruePose};
use becomingone_components::coherence::Coherence;
use becomingone_components::control::{DrivenBy, Goals};
use becomingone_components::drive::Drive;
use becomingone_components::fleet::{FLEET, Fleet, FleetOrder};
use becomingone_components::governor::Governor;
use becomingone_components::link::Link;
use becomingone_components::localisation::Estimate;
use becomingone_components::request::Stopped;
use becomingone_components::scene::{Agent, LoadedScene, ResolvedScene};
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{Sensor, SensorStats};
use becomingone_components::time::SimTime;
use becomingone_components::track::Laps;
use becomingone_components::vehicle::Vehicle;
use becomingone_systems::coherence::memory::Blend;
use becomingone_systems::coherence::restore;
use becomingone_systems::coherence::stored_memory::StoredMemory;
use becomingone_systems::diagnosis::alarm::Alarm;
use becomingone_systems::diagnosis::isolation::FaultIsolation;
use becomingone_systems::diagnosis::witness::Witness;
use becomingone_systems::hash::StateHash;
use becomingone_systems::index::EntityIndex;
use bevy_ecs::prelude::*;
use glam::Vec3;
use serde::Serialize;
use std::time::Duration;

/// Summary of a run.
///
/// ```
/// use becomingone::CoherenceEngine;
/// use std::time::Duration;
///
/// let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
/// let summary = engine.run_for(Duration::from_millis(10))?;
/// println!("{summary}"); // as a table; serde writes the same as JSON
/// assert_eq!((summary.ticks, summary.sim_s), (10, 0.01));
/// # Ok::<(), becomingone::EngineError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the scene.
    pub scene: String,
    /// Hash of the resolved scene, 16 hexadecimal digits: equal for equal scenes in any folder.
    pub scene_hash: String,
    /// Seed of the run.
    pub seed: u64,
    /// Number of ticks.
    pub ticks: u64,
    /// Simulated time (s).
    pub sim_s: f64,
    /// Wall time (s).
    pub wall_s: f64,
    /// Simulated time over wall time.
    pub rtf: f64,
    /// How its ticks kept their time; absent where the run is as fast as possible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<TimingSummary>,
    /// The chained state hash, 16 hexadecimal digits.
    pub state_hash: String,
    /// Synchronisation of the scene's fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetSummary>,
    /// Event memories across runs; `None` without a memory file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemorySummary>,
    /// In the order of the scene.
    pub agents: Vec<AgentSummary>,
}

/// Event memories across runs, at the end of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MemorySummary {
    /// Number of earlier runs.
    pub runs: u64,
    /// Memories restored at the start, of all agents.
    pub restored: usize,
    /// Memories kept for the next run, of all agents.
    pub kept: usize,
}

impl MemorySummary {
    fn of(world: &World) -> Option<Self> {
        let before = world.get_resource::<StoredMemory>()?;
        let run = restore::memory(world);
        Some(Self {
            runs: before.runs(),
            restored: run.restored,
            kept: run.kept,
        })
    }
}

/// A fleet at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FleetSummary {
    /// Number of robots.
    pub robots: usize,
    /// The order parameter, 0 to 1: the length of the mean of all phases e^{i theta}.
    pub r: f64,
    /// Stationary r at this coupling in the limit of many robots: the closed form for their frequency distribution, 0
    /// below the critical coupling.
    pub r_theory: f64,
    /// The coupling K (rad/s); 0 before it begins.
    pub coupling_rad_s: f64,
    /// Critical coupling: the smallest K that synchronises (rad/s).
    pub critical_rad_s: f64,
}

/// Summary of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AgentSummary {
    /// Its name.
    pub name: String,
    /// Length of its path (m).
    pub distance_m: f64,
    /// Largest speed of any of its bodies (m/s).
    pub max_speed_m_s: f64,
    /// True position of its root link (m).
    pub position: [f64; 3],
    /// True orientation of its root link: x, y, z, w.
    pub orientation: [f64; 4],
    /// Waypoints reached, also by ground truth where there is one.
    pub goals_reached: u64,
    /// Further waypoints that were reached by the controller's pose source only: the true position was farther from them
    /// than the tolerance and 5 cm.
    pub goals_off: u64,
    /// Waypoints given up, as there was no progress towards them.
    pub goals_given_up: u64,
    /// Contacts begun, the ground excluded.
    pub collisions: u64,
    /// Of a vehicle on a track.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackSummary>,
    /// Estimate of its filter, and the error; absent without a filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSummary>,
    /// Sender of the stop that is latched at the end; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
    /// State of its kernel at the end.
    pub kernel: KernelSummary,
    /// State of its governor at the end; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub governor: Option<GovernorSummary>,
    /// In the order of the scene.
    pub sensors: Vec<SensorSummary>,
}

/// A governor at the end of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GovernorSummary {
    /// Speed limit as a share of the commanded speed.
    pub limit: f64,
    /// Whether the stop is latched.
    pub stopped: bool,
    /// Sensors excluded from the filter.
    pub left_out: Vec<String>,
}

impl GovernorSummary {
    fn of(governor: &Governor) -> Self {
        let sensors = governor.sensors.iter().enumerate();
        Self {
            limit: governor.limit,
            stopped: governor.stopped,
            left_out: sensors
                .filter(|(k, _)| governor.left_out >> k & 1 == 1)
                .map(|(_, name)| name.clone())
                .collect(),
        }
    }
}

/// A filter at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FilterSummary {
    /// World position of the middle of the driven wheels (m).
    pub x_m: f64,
    /// World position (m).
    pub y_m: f64,
    /// Heading (rad).
    pub yaw_rad: f64,
    /// Standard deviation of the position by the filter's covariance (m).
    pub position_sd_m: f64,
    /// Distance from the true position (m).
    pub error_m: f64,
    /// Estimated gyroscope bias (rad/s).
    pub gyro_bias_rad_s: f64,
    /// Wheel scale-factor error: encoder distance / true distance - 1.
    pub wheel_scale: f64,
    /// Mean NIS per degree of freedom: near 1 for a consistent filter.
    pub mean_nis: f64,
}

impl FilterSummary {
    fn of(world: &World, agent: Entity) -> Option<Self> {
        let estimate = world.get::<Estimate>(agent)?;
        let [nis, degrees] = world.get::<FaultIsolation>(agent)?.totals;
        let root = world.get::<TruePose>(agent)?.0;
        let actuator = world.get::<DrivenBy>(agent)?.0;
        let centre = match (world.get::<Drive>(actuator), world.get::<Vehicle>(actuator)) {
            (Some(drive), _) => drive.centre(),
            (None, Some(vehicle)) => Vec3::X * vehicle.0.fixed_axle_x_m() as f32,
            (None, None) => Vec3::ZERO,
        };
        let at = root.point(centre);
        let (dx, dy) = (
            estimate.x_m - f64::from(at.x),
            estimate.y_m - f64::from(at.y),
        );
        Some(Self {
            x_m: estimate.x_m,
            y_m: estimate.y_m,
            yaw_rad: estimate.yaw_rad,
            position_sd_m: estimate.position_sd_m,
            error_m: (dx * dx + dy * dy).sqrt(),
            gyro_bias_rad_s: estimate.gyro_bias_rad_s,
            wheel_scale: estimate.wheel_scale,
            mean_nis: nis / degrees.max(1.0),
        })
    }
}

/// Summary of a vehicle on a track.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrackSummary {
    /// Laps done.
    pub laps: u64,
    /// Times that a wheel left the track.
    pub off_track: u64,
    /// The fastest lap (s); null before the first is done.
    pub best_lap_s: Option<f64>,
    /// The latest lap (s).
    pub last_lap_s: Option<f64>,
    /// Largest distance of a wheel from the centre line (m).
    pub widest_m: f64,
}

/// A kernel at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct KernelSummary {
    /// Order, 0 to 1: |T|² of the channels, high while a periodic motion persists.
    pub order: f64,
    /// 1/(1 + surprise), 0 to 1; null before the self-model is trained.
    pub coherence: Option<f64>,
    /// T of the Emissary (short window): real and imaginary part.
    pub t_emissary: [f64; 2],
    /// T of the Master (long window): real and imaginary part.
    pub t_master: [f64; 2],
    /// Whether Emissary and Master agree.
    pub aligned: bool,
    /// Whether the channels are phase-locked.
    pub collapsed: bool,
    /// Normalised detection statistic: the mean of K1, K2 and K3 by their thresholds, above 1 in an alarm; null before
    /// the self-model is trained.
    pub surprise: Option<f64>,
    /// Residual autocorrelation, 0 to 1; null before it has a value.
    pub k1: Option<f64>,
    /// Mean shift of the residual (MEWMA), about 1 while healthy.
    pub k2: Option<f64>,
    /// Energy of the residual (windowed NIS), about 1 while healthy.
    pub k3: Option<f64>,
    /// Whether the alarm is raised; null before the self-model is trained.
    pub dissipated: Option<bool>,
    /// The isolated channel, as `encoders/0`; null without an alarm.
    pub cause: Option<String>,
    /// Its self-model: channels, thresholds, alarms.
    pub witness: Option<WitnessSummary>,
    /// Its event memory.
    pub blend: BlendSummary,
}

/// A self-model at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WitnessSummary {
    /// Predicted channels, those that can be isolated.
    pub outputs: Vec<String>,
    /// Commands that enter the prediction.
    pub inputs: Vec<String>,
    /// Outputs that were constant during warm-up.
    pub constant: Vec<String>,
    /// Thresholds of K1, K2 and K3; null before it is trained.
    pub thresholds: Option<[f64; 3]>,
    /// Those of the lidars' self-model; absent without one and before it is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surroundings_thresholds: Option<[f64; 3]>,
    /// Those of the filter's innovations of wheels and IMU; absent without a filter and before it is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub innovation_thresholds: Option<[f64; 3]>,
    /// Those of its innovations of GNSS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_thresholds: Option<[f64; 3]>,
    /// Threshold of NIS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nis_threshold: Option<f64>,
    /// Number of alarms.
    pub alarmed: u64,
    /// The first alarms.
    pub alarms: Vec<AlarmSummary>,
}

/// An alarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AlarmSummary {
    /// When it began (s).
    pub from_s: f64,
    /// When it ended (s); null where it did not.
    pub until_s: Option<f64>,
    /// The channel that was isolated most of the time.
    pub cause: String,
}

impl WitnessSummary {
    fn of(witness: &Witness) -> Self {
        let name = |k: usize| witness.name(k).unwrap_or_default().to_owned();
        let alarm = |a: &Alarm| AlarmSummary {
            from_s: seconds(a.from_ns),
            until_s: a.until_ns.map(seconds),
            cause: name(a.cause()),
        };
        Self {
            outputs: witness.outputs.clone(),
            inputs: witness.inputs.clone(),
            constant: (0..witness.outputs.len())
                .filter(|&k| witness.model.is_constant(k))
                .map(name)
                .collect(),
            thresholds: witness.model.thresholds().map(|t| [t.k1, t.k2, t.k3]),
            surroundings_thresholds: witness
                .surroundings
                .as_ref()
                .and_then(|s| s.model.thresholds())
                .map(|t| [t.k1, t.k2, t.k3]),
            innovation_thresholds: witness
                .innovations
                .as_ref()
                .and_then(|i| i.motion.model.thresholds())
                .map(|t| [t.k1, t.k2, t.k3]),
            place_thresholds: witness
                .innovations
                .as_ref()
                .and_then(|i| i.gnss.model.thresholds())
                .map(|t| [t.k1, t.k2, t.k3]),
            nis_threshold: witness.innovations.as_ref().and_then(|i| i.nis.threshold),
            alarmed: witness.alarms.count,
            alarms: witness.alarms.first.iter().map(alarm).collect(),
        }
    }
}

/// An event memory at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BlendSummary {
    /// Number of stored events.
    pub count: usize,
    /// The strongest of them: `00:12.3 touched crate_a`.
    pub strongest: Option<String>,
    /// Its strength, 0 to 1; 0 where there is none.
    pub strength: f64,
}

/// Counts of a sensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensorSummary {
    /// Its name on the agent.
    pub name: String,
    /// Number of readings.
    pub readings: u64,
    /// Readings lost before they were used.
    pub dropped: u64,
    /// Number of times that it became stale.
    pub stale: u64,
    /// Readings that were not finite.
    pub non_finite: u64,
    /// Its link; absent for a simulated sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkSummary>,
}

/// Summary of a sensor's link; see [`Counts`](becomingone_components::link::Counts).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkSummary {
    /// State at the end.
    pub state: String,
    /// Whether it is stale at the end.
    pub stale: bool,
    /// Readings that never arrived.
    pub gaps: u64,
    /// Dropped readings that arrived after a later one.
    pub reordered: u64,
    /// Readings that arrived again.
    pub duplicates: u64,
    /// Messages that were no readings.
    pub garbage: u64,
    /// Restarts of the sender.
    pub restarts: u64,
}

impl LinkSummary {
    fn of(link: &Link) -> Self {
        let counts = link.counts;
        Self {
            state: link.state.to_string(),
            stale: link.stale,
            gaps: counts.gaps,
            reordered: counts.reordered,
            duplicates: counts.duplicates,
            garbage: counts.garbage,
            restarts: counts.restarts,
        }
    }
}

impl Summary {
    pub(crate) fn of(world: &World, wall: Duration, timing: Option<TimingSummary>) -> Self {
        let time = world.resource::<SimTime>();
        let scene = &world.resource::<LoadedScene>().scene;
        let wall_s = wall.as_secs_f64();
        Self {
            scene: scene.name.clone(),
            scene_hash: world
                .get_resource::<ResolvedScene>()
                .map_or_else(String::new, |s| format!("{:016x}", s.hash)),
            seed: world.resource::<RunSeed>().0,
            ticks: time.tick,
            sim_s: time.now_s(),
            wall_s,
            rtf: if wall_s > 0.0 {
                time.now_s() / wall_s
            } else {
                0.0
            },
            timing,
            state_hash: format!("{:016x}", world.resource::<StateHash>().0),
            fleet: FleetSummary::of(world),
            memory: MemorySummary::of(world),
            agents: scene
                .agents
                .iter()
                .filter_map(|spec| AgentSummary::of(world, &spec.name))
                .collect(),
        }
    }
}

impl FleetSummary {
    fn of(world: &World) -> Option<Self> {
        let entity = named(world, FLEET)?;
        let fleet = world.get::<Fleet>(entity)?;
        let order = world.get::<FleetOrder>(entity)?;
        Some(Self {
            robots: fleet.robots.len(),
            r: order.r,
            r_theory: order.r_theory,
            coupling_rad_s: order.coupling_rad_s,
            critical_rad_s: fleet.spec.law.critical_rad_s(),
        })
    }
}

/// The entity of this name.
fn named(world: &World, name: &str) -> Option<Entity> {
    world.resource::<EntityIndex>().entity(name)
}

impl AgentSummary {
    /// Summary of the agent of this name, so far; none where there is none.
    pub fn of(world: &World, name: &str) -> Option<Self> {
        let agent = named(world, name)?;
        world.get::<Agent>(agent)?;
        let pose = world.get::<TruePose>(agent).map_or(Pose::IDENTITY, |p| p.0);
        let travel = world.get::<Travel>(agent).copied().unwrap_or_default();
        let goals = world.get::<Goals>(agent);
        let kernel = world.get::<Coherence>(agent).copied().unwrap_or_default();
        let children = world.get::<Children>(agent);
        let sensors = children
            .into_iter()
            .flatten()
            .filter(|&&child| world.get::<Sensor>(child).is_some())
            .filter_map(|&child| {
                let stats = world.get::<SensorStats>(child)?;
                let full = world.get::<Name>(child)?.as_str();
                Some(SensorSummary {
                    name: full.strip_prefix(name)?.trim_start_matches('/').to_owned(),
                    readings: stats.readings,
                    dropped: stats.dropped,
                    stale: stats.stale,
                    non_finite: stats.non_finite,
                    link: world.get::<Link>(child).map(LinkSummary::of),
                })
            })
            .collect();
        Some(Self {
            name: name.to_owned(),
            distance_m: travel.distance_m,
            max_speed_m_s: travel.max_speed_m_s,
            position: pose.translation_m.to_array().map(f64::from),
            orientation: pose.rotation.to_array().map(f64::from),
            goals_reached: goals.map_or(0, |g| g.reached),
            goals_off: goals.map_or(0, |g| g.off),
            goals_given_up: goals.map_or(0, |g| g.given_up),
            collisions: travel.collisions,
            track: world.get::<Laps>(agent).map(|laps| TrackSummary {
                laps: laps.done,
                off_track: laps.off_track,
                best_lap_s: laps.best_s,
                last_lap_s: laps.last_s,
                widest_m: laps.widest_m,
            }),
            filter: FilterSummary::of(world, agent),
            stopped_by: world.get::<Stopped>(agent).map(|s| s.sender.clone()),
            kernel: KernelSummary {
                order: kernel.order,
                coherence: kernel.coherence,
                t_emissary: kernel.t_emissary,
                t_master: kernel.t_master,
                aligned: kernel.aligned,
                collapsed: kernel.collapsed,
                surprise: kernel.surprise,
                k1: kernel.k1,
                k2: kernel.k2,
                k3: kernel.k3,
                dissipated: kernel.dissipated,
                cause: world
                    .get::<Witness>(agent)
                    .and_then(Witness::cause)
                    .map(str::to_owned),
                witness: world.get::<Witness>(agent).map(WitnessSummary::of),
                blend: world
                    .get::<Blend>(agent)
                    .map_or_else(BlendSummary::default, BlendSummary::of),
            },
            governor: world.get::<Governor>(agent).map(GovernorSummary::of),
            sensors,
        })
    }
}

impl BlendSummary {
    fn of(blend: &Blend) -> Self {
        let strongest = blend.strongest();
        Self {
            count: blend.memories().count(),
            strongest: strongest.as_ref().map(|held| held.item.label.to_string()),
            strength: strongest.map_or(0.0, |held| held.strength),
        }
    }
}
