//! What a run came to: the same content as a table and as JSON.

use crate::engine::seconds;
use becomingone_components::body::{Pose, Travel, TruePose};
use becomingone_components::coherence::Coherence;
use becomingone_components::control::{DrivenBy, Goals};
use becomingone_components::drive::Drive;
use becomingone_components::fleet::{FLEET, Fleet, FleetOrder};
use becomingone_components::governor::Governor;
use becomingone_components::link::Link;
use becomingone_components::localisation::{Estimate, FaultIsolation};
use becomingone_components::memory::Blend;
use becomingone_components::scene::{Agent, LoadedScene, ResolvedScene};
use becomingone_components::seed::RunSeed;
use becomingone_components::sensor::{Sensor, SensorStats};
use becomingone_components::time::SimTime;
use becomingone_components::track::Laps;
use becomingone_components::vehicle::Vehicle;
use becomingone_components::witness::{Alarm, Witness};
use becomingone_systems::hash::StateHash;
use becomingone_systems::index::EntityIndex;
use bevy_ecs::prelude::*;
use comfy_table::{Cell, CellAlignment, Table, presets};
use glam::Vec3;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the scene.
    pub scene: String,
    /// Hash of the resolved scene, 16 hexadecimal digits: the same for equal scenes, wherever their files lie.
    pub scene_hash: String,
    /// Seed of the run.
    pub seed: u64,
    /// Ticks done.
    pub ticks: u64,
    /// Simulated time (s).
    pub sim_s: f64,
    /// Wall time (s).
    pub wall_s: f64,
    /// Simulated over wall time.
    pub rtf: f64,
    /// The chained state hash, 16 hexadecimal digits.
    pub state_hash: String,
    /// How far the robots of a scene's fleet are in one phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetSummary>,
    /// In the order of the scene.
    pub agents: Vec<AgentSummary>,
}

/// A fleet at the end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FleetSummary {
    /// How many are in it.
    pub robots: usize,
    /// The order parameter, 0 to 1: the length of the mean of all phases e^{i theta}.
    pub r: f64,
    /// What r is to be at this coupling in the limit of many robots, once it is settled: the closed form of the law of
    /// their frequencies, 0 where nothing locks.
    pub r_theory: f64,
    /// The coupling K (rad/s); 0 before it begins.
    pub coupling_rad_s: f64,
    /// The least K that locks (rad/s).
    pub critical_rad_s: f64,
}

/// One agent's part of a run.
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
    /// Waypoints reached.
    pub goals_reached: u64,
    /// Contacts begun, the ground excluded.
    pub collisions: u64,
    /// Of a vehicle on a track.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackSummary>,
    /// Where its filter takes it to be, and how far that is off; absent without a filter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterSummary>,
    /// What its kernel says at the end.
    pub kernel: KernelSummary,
    /// What its governor does at the end; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub governor: Option<GovernorSummary>,
    /// In the order of the scene.
    pub sensors: Vec<SensorSummary>,
}

/// A governor at the end of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GovernorSummary {
    /// Share of the commanded speed that is let through.
    pub limit: f64,
    /// Whether the agent stands for good.
    pub stopped: bool,
    /// Sensors that the filter does not listen to.
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
    /// Deviation of the position that the filter expects of itself (m).
    pub position_sd_m: f64,
    /// Distance from where it truly is (m).
    pub error_m: f64,
    /// What the gyroscope says at rest (rad/s).
    pub gyro_bias_rad_s: f64,
    /// By which share the wheels say more than is covered.
    pub wheel_scale: f64,
    /// Mean of NIS over its degrees of freedom: 1 while filter and robot agree.
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

/// A vehicle's part of a run on a track.
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
    /// 0 to 1: how far a rhythm holds.
    pub order: f64,
    /// 0 to 1; null before a witness is trained.
    pub coherence: Option<f64>,
    /// Real and imaginary part of the Emissary's T.
    pub t_emissary: [f64; 2],
    /// Real and imaginary part of the Master's T.
    pub t_master: [f64; 2],
    /// Emissary and Master agree.
    pub aligned: bool,
    /// The rhythm is locked.
    pub collapsed: bool,
    /// How far its readings contradict its self-model, above 1 they are dissipated; null before a witness is trained.
    pub surprise: Option<f64>,
    /// The coherent part of what was not foreseen, 0 to 1; null before it has a value.
    pub k1: Option<f64>,
    /// Its shift, about 1 while healthy.
    pub k2: Option<f64>,
    /// Its energy, about 1 while healthy.
    pub k3: Option<f64>,
    /// Its readings are not to be trusted; null before a witness is trained.
    pub dissipated: Option<bool>,
    /// The channel to blame, as `encoders/0`; null while nothing is dissipated.
    pub cause: Option<String>,
    /// What its self-model foresees, and by what.
    pub witness: Option<WitnessSummary>,
    /// What it remembers.
    pub blend: BlendSummary,
}

/// A self-model at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WitnessSummary {
    /// What it foresees, and may blame.
    pub outputs: Vec<String>,
    /// The commands that help to foresee.
    pub inputs: Vec<String>,
    /// Outputs that did not move while it learned.
    pub constant: Vec<String>,
    /// What K1, K2 and K3 have to stand over; null before it is trained.
    pub thresholds: Option<[f64; 3]>,
    /// The same of what lidars see; absent without one and before it is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surroundings_thresholds: Option<[f64; 3]>,
    /// The same of the filter's innovations of wheels and IMU; absent without a filter and before it is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub innovation_thresholds: Option<[f64; 3]>,
    /// The same of those of GNSS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place_thresholds: Option<[f64; 3]>,
    /// What the energy has to stand over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nis_threshold: Option<f64>,
    /// Times that it was dissipated.
    pub alarmed: u64,
    /// The first of them.
    pub alarms: Vec<AlarmSummary>,
}

/// A time in which an agent's readings were dissipated.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AlarmSummary {
    /// When it began (s).
    pub from_s: f64,
    /// When it ended (s); null where it did not.
    pub until_s: Option<f64>,
    /// The channel that was to blame most of the time.
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
                .insight
                .as_ref()
                .and_then(|i| i.motion.model.thresholds())
                .map(|t| [t.k1, t.k2, t.k3]),
            place_thresholds: witness
                .insight
                .as_ref()
                .and_then(|i| i.places.model.thresholds())
                .map(|t| [t.k1, t.k2, t.k3]),
            nis_threshold: witness.insight.as_ref().and_then(|i| i.nis.threshold),
            alarmed: witness.alarmed,
            alarms: witness.alarms.iter().map(alarm).collect(),
        }
    }
}

/// A kernel's memory at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BlendSummary {
    /// Events that are remembered.
    pub count: usize,
    /// The strongest of them: `00:12.3 touched crate_a`.
    pub strongest: Option<String>,
    /// Its strength, 0 to 1; 0 where there is none.
    pub strength: f64,
}

/// One sensor's counts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SensorSummary {
    /// Its name on the agent.
    pub name: String,
    /// Readings that entered.
    pub readings: u64,
    /// Readings lost on the way in.
    pub dropped: u64,
    /// Times that it fell silent.
    pub stale: u64,
    /// Readings that were not finite.
    pub non_finite: u64,
    /// Of a sensor whose readings come from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkSummary>,
}

/// What a sensor's link came to; see [`Counts`](becomingone_components::link::Counts).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkSummary {
    /// How it is at the end.
    pub state: String,
    /// Whether it has been silent for too long, at the end.
    pub stale: bool,
    /// Readings that never came.
    pub gaps: u64,
    /// Of the dropped ones, those that came after a later one.
    pub reordered: u64,
    /// Readings that came once more.
    pub duplicates: u64,
    /// What came and was no reading.
    pub garbage: u64,
    /// Times that the sender began anew.
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
    pub(crate) fn of(world: &World, wall: Duration) -> Self {
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
            state_hash: format!("{:016x}", world.resource::<StateHash>().0),
            fleet: FleetSummary::of(world),
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
    fn of(world: &World, name: &str) -> Option<Self> {
        let agent = named(world, name)?;
        world.get::<Agent>(agent)?;
        let pose = world.get::<TruePose>(agent).map_or(Pose::IDENTITY, |p| p.0);
        let travel = world.get::<Travel>(agent).copied().unwrap_or_default();
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
            goals_reached: world.get::<Goals>(agent).map_or(0, |g| g.reached),
            collisions: travel.collisions,
            track: world.get::<Laps>(agent).map(|laps| TrackSummary {
                laps: laps.done,
                off_track: laps.off_track,
                best_lap_s: laps.best_s,
                last_lap_s: laps.last_s,
                widest_m: laps.widest_m,
            }),
            filter: FilterSummary::of(world, agent),
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

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(head.iter().map(Cell::new));
    table
}

fn right(x: impl fmt::Display) -> Cell {
    Cell::new(x.to_string()).set_alignment(CellAlignment::Right)
}

fn complex([re, im]: [f64; 2]) -> String {
    format!("{re:.3}{im:+.3}i")
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}  scene {}  seed {}  {} ticks  {:.3} s simulated in {:.3} s ({:.1} x real time)  state {}",
            self.scene,
            self.scene_hash,
            self.seed,
            self.ticks,
            self.sim_s,
            self.wall_s,
            self.rtf,
            self.state_hash
        )?;
        if let Some(fleet) = self.fleet {
            writeln!(
                f,
                "fleet of {}: r {:.3}, {:.3} by theory; coupling {:.4} rad/s, critical {:.4} rad/s",
                fleet.robots, fleet.r, fleet.r_theory, fleet.coupling_rad_s, fleet.critical_rad_s
            )?;
        }
        let mut agents = table(&[
            "agent",
            "distance m",
            "max m/s",
            "x",
            "y",
            "z",
            "qx",
            "qy",
            "qz",
            "qw",
            "goals",
            "collisions",
        ]);
        for a in &self.agents {
            let mut row = vec![
                Cell::new(&a.name),
                right(format!("{:.2}", a.distance_m)),
                right(format!("{:.2}", a.max_speed_m_s)),
            ];
            row.extend(a.position.map(|x| right(format!("{x:.3}"))));
            row.extend(a.orientation.map(|x| right(format!("{x:.3}"))));
            row.extend([right(a.goals_reached), right(a.collisions)]);
            agents.add_row(row);
        }
        writeln!(f, "{agents}")?;
        let tracks = self.agents.iter().filter_map(|a| Some((a, a.track?)));
        let mut laps = table(&[
            "track",
            "laps",
            "off track",
            "best lap s",
            "last lap s",
            "widest m",
        ]);
        for (a, t) in tracks {
            let time = |s: Option<f64>| s.map_or("-".to_owned(), |s| format!("{s:.3}"));
            laps.add_row(vec![
                Cell::new(&a.name),
                right(t.laps),
                right(t.off_track),
                right(time(t.best_lap_s)),
                right(time(t.last_lap_s)),
                right(format!("{:.2}", t.widest_m)),
            ]);
        }
        if !laps.is_empty() {
            writeln!(f, "{laps}")?;
        }
        let mut kernels = table(&[
            "kernel",
            "order",
            "coherence",
            "surprise",
            "alarms",
            "cause",
            "T emissary",
            "T master",
            "aligned",
            "collapsed",
            "memories",
            "strongest",
        ]);
        for a in &self.agents {
            let k = &a.kernel;
            // Where nothing is wrong now: what was, last.
            let last = k.witness.as_ref().and_then(|w| w.alarms.last());
            let cause = k.cause.as_deref().or(last.map(|a| a.cause.as_str()));
            let coherence = k.coherence.map_or("-".to_owned(), |c| format!("{c:.3}"));
            kernels.add_row(vec![
                Cell::new(&a.name),
                right(format!("{:.3}", k.order)),
                right(coherence),
                right(k.surprise.map_or("-".to_owned(), |s| format!("{s:.3}"))),
                right(k.witness.as_ref().map_or(0, |w| w.alarmed)),
                Cell::new(cause.unwrap_or("-")),
                right(complex(k.t_emissary)),
                right(complex(k.t_master)),
                right(k.aligned),
                right(k.collapsed),
                right(k.blend.count),
                Cell::new(k.blend.strongest.as_deref().unwrap_or("-")),
            ]);
        }
        write!(f, "{kernels}")?;
        if self.agents.iter().all(|a| a.sensors.is_empty()) {
            return Ok(());
        }
        let mut sensors = table(&["sensor", "readings", "dropped", "stale", "non-finite"]);
        for a in &self.agents {
            for s in &a.sensors {
                sensors.add_row(vec![
                    Cell::new(format!("{}/{}", a.name, s.name)),
                    right(s.readings),
                    right(s.dropped),
                    right(s.stale),
                    right(s.non_finite),
                ]);
            }
        }
        write!(f, "\n{sensors}")?;
        let mut links = table(&[
            "link",
            "state",
            "gaps",
            "reordered",
            "duplicates",
            "garbage",
            "restarts",
        ]);
        for a in &self.agents {
            for s in &a.sensors {
                let Some(link) = &s.link else { continue };
                let silent = if link.stale { ", silent" } else { "" };
                links.add_row(vec![
                    Cell::new(format!("{}/{}", a.name, s.name)),
                    Cell::new(format!("{}{silent}", link.state)),
                    right(link.gaps),
                    right(link.reordered),
                    right(link.duplicates),
                    right(link.garbage),
                    right(link.restarts),
                ]);
            }
        }
        if links.is_empty() {
            return Ok(());
        }
        write!(f, "\n{links}")
    }
}
