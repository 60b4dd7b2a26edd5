//! Numbers of a running engine by name, in one row: for learners, tables and plots.

use crate::by_name::NameError;
use crate::engine::CoherenceEngine;
use becomingone_components::body::{
    Joint, JointKind, LinkPoses, Model, Pose, Travel, TruePose, TrueTwist,
};
use becomingone_components::coherence::Coherence;
use becomingone_components::control::Goals;
use becomingone_components::drive::Odometry;
use becomingone_components::joints::JointStates;
use becomingone_components::localisation::Estimate;
use becomingone_components::scene::Agent;
use becomingone_components::sensor::{Columns, Schema, Sensor};
use becomingone_components::track::Laps;
use becomingone_systems::index::EntityIndex;
use becomingone_systems::sensing::measurements::{MeasurementEntry, Measurements};
use bevy_ecs::prelude::*;

/// Numbers of one name.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The name, as it was asked for.
    pub name: String,
    /// Names of the numbers.
    pub fields: Vec<String>,
    /// Their units.
    pub units: Vec<String>,
    /// Index of the first one in the row.
    pub first: usize,
}

/// Numbers of an engine by name, in one row. What has no value is `NaN`. Where a sensor has the name of a state, it is the
/// sensor.
///
/// | name | numbers |
/// |---|---|
/// | `rover/imu` | the latest reading of a sensor |
/// | `rover/imu/truth` | the same without noise and faults, of a simulated sensor |
/// | `rover/pose` | true position (m) and rotation (quaternion x, y, z, w) of the root link |
/// | `rover/velocity` | its true velocity (m/s) and angular velocity (rad/s), in the world |
/// | `rover/links/NAME` | true pose of a link |
/// | `rover/joints` | true positions, then velocities of all joints (rad, rad/s; m, m/s) |
/// | `rover/odometry` | x, y (m), yaw (rad), speed (m/s), yaw rate (rad/s) by the wheels |
/// | `rover/estimate` | the same by the localisation filter, and standard deviations of position and yaw |
/// | `rover/kernel` | order of Emissary and Master, coherence, surprise, K1, K2, K3, alarm (0 or 1), index of its cause |
/// | `rover/goals` | waypoints reached, off, given up |
/// | `rover/travel` | length of the path (m), largest speed (m/s), collisions |
/// | `rover/laps` | laps, progress along the track (m), times off it, off it now (0 or 1), largest distance (m) |
///
/// ```
/// use becomingone::{CoherenceEngine, Observer};
///
/// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
/// engine.start()?;
/// let observer = Observer::new(&engine, &["rover/pose", "rover/imu"])?;
/// let mut row = vec![0.0; observer.len()];
/// engine.step()?;
/// observer.write(&engine, &mut row);
/// assert_eq!(observer.observed()[1].fields[3], "specific_force_x");
/// assert!(row[2] > -0.1 && row[observer.observed()[1].first].is_finite());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Observer {
    observed: Vec<Observed>,
    sources: Vec<Source>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Source {
    /// Of the sensor or agent: a reset makes its entity anew.
    entity: String,
    what: What,
    numbers: usize,
}

#[derive(Clone)]
enum What {
    Reading(MeasurementEntry),
    Truth(MeasurementEntry),
    State(&'static State),
    Link(usize),
}

impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reading(of) => write!(f, "Reading({})", of.kind),
            Self::Truth(of) => write!(f, "Truth({})", of.kind),
            Self::State(of) => write!(f, "State({})", of.name),
            Self::Link(of) => write!(f, "Link({of})"),
        }
    }
}

/// Calls a function with each number in order.
type Each<'a> = &'a mut dyn FnMut(f64);

/// A state of agents.
struct State {
    name: &'static str,
    fields: &'static [(&'static str, &'static str)],
    /// Returns whether the agent has it.
    visit: fn(&World, Entity, Each<'_>) -> bool,
}

const POSE: [(&str, &str); 7] = [
    ("x", "m"),
    ("y", "m"),
    ("z", "m"),
    ("qx", "1"),
    ("qy", "1"),
    ("qz", "1"),
    ("qw", "1"),
];

static STATES: [State; 8] = [
    State {
        name: "pose",
        fields: &POSE,
        visit: |world, agent, each| {
            let pose = world.get::<TruePose>(agent);
            pose.inspect(|pose| visit_pose(&pose.0, each)).is_some()
        },
    },
    State {
        name: "velocity",
        fields: &[
            ("vx", "m/s"),
            ("vy", "m/s"),
            ("vz", "m/s"),
            ("wx", "rad/s"),
            ("wy", "rad/s"),
            ("wz", "rad/s"),
        ],
        visit: |world, agent, each| {
            let twist = world.get::<TrueTwist>(agent);
            let all = |twist: &TrueTwist| [twist.linear_m_s, twist.angular_rad_s];
            twist
                .map(all)
                .map(|vectors| {
                    let numbers = vectors.iter().flat_map(|v| v.to_array());
                    numbers.map(f64::from).for_each(each);
                })
                .is_some()
        },
    },
    State {
        name: "odometry",
        fields: &[
            ("x", "m"),
            ("y", "m"),
            ("yaw", "rad"),
            ("speed", "m/s"),
            ("yaw_rate", "rad/s"),
        ],
        visit: |world, agent, each| {
            let found = world.get::<Odometry>(agent).map(|o| {
                let Odometry { twist, .. } = o;
                [
                    o.x_m,
                    o.y_m,
                    o.yaw_rad,
                    twist.linear_m_s,
                    twist.angular_rad_s,
                ]
            });
            visit_all(found, each)
        },
    },
    State {
        name: "estimate",
        fields: &[
            ("x", "m"),
            ("y", "m"),
            ("yaw", "rad"),
            ("speed", "m/s"),
            ("yaw_rate", "rad/s"),
            ("position_sd", "m"),
            ("yaw_sd", "rad"),
        ],
        visit: |world, agent, each| {
            let found = world.get::<Estimate>(agent).map(|e| {
                let [v, w] = [e.twist.linear_m_s, e.twist.angular_rad_s];
                [e.x_m, e.y_m, e.yaw_rad, v, w, e.position_sd_m, e.yaw_sd_rad]
            });
            visit_all(found, each)
        },
    },
    State {
        name: "kernel",
        fields: &[
            ("order", "1"),
            ("order_master", "1"),
            ("coherence", "1"),
            ("surprise", "1"),
            ("k1", "1"),
            ("k2", "1"),
            ("k3", "1"),
            ("alarm", "1"),
            ("cause", "1"),
        ],
        visit: |world, agent, each| {
            let found = world.get::<Coherence>(agent).map(|c| {
                let or_nan = |x: Option<f64>| x.unwrap_or(f64::NAN);
                let [k1, k2, k3] = [c.k1, c.k2, c.k3].map(or_nan);
                [
                    c.order,
                    c.order_master,
                    or_nan(c.coherence),
                    or_nan(c.surprise),
                    k1,
                    k2,
                    k3,
                    or_nan(c.dissipated.map(f64::from)),
                    or_nan(c.cause.map(|cause| cause as f64)),
                ]
            });
            visit_all(found, each)
        },
    },
    State {
        name: "goals",
        fields: &[("reached", "1"), ("off", "1"), ("given_up", "1")],
        visit: |world, agent, each| {
            let found = world.get::<Goals>(agent);
            visit_all(
                found.map(|g| [g.reached, g.off, g.given_up].map(|n| n as f64)),
                each,
            )
        },
    },
    State {
        name: "travel",
        fields: &[("distance", "m"), ("max_speed", "m/s"), ("collisions", "1")],
        visit: |world, agent, each| {
            let found = world.get::<Travel>(agent);
            visit_all(
                found.map(|t| [t.distance_m, t.max_speed_m_s, t.collisions as f64]),
                each,
            )
        },
    },
    State {
        name: "laps",
        fields: &[
            ("done", "1"),
            ("progress", "m"),
            ("off_track", "1"),
            ("off", "1"),
            ("widest", "m"),
        ],
        visit: |world, agent, each| {
            let found = world.get::<Laps>(agent).map(|l| {
                let [done, off_track] = [l.done, l.off_track].map(|n| n as f64);
                [
                    done,
                    l.progress_m,
                    off_track,
                    f64::from(u8::from(l.off)),
                    l.widest_m,
                ]
            });
            visit_all(found, each)
        },
    },
];

fn visit_pose(pose: &Pose, each: Each<'_>) {
    let numbers = pose.translation_m.to_array().into_iter();
    let numbers = numbers.chain(pose.rotation.to_array());
    numbers.map(f64::from).for_each(each);
}

fn visit_all<const N: usize>(numbers: Option<[f64; N]>, each: Each<'_>) -> bool {
    numbers
        .map(|numbers| numbers.into_iter().for_each(each))
        .is_some()
}

impl Observer {
    /// Observes these names, in this order.
    ///
    /// # Errors
    ///
    /// [`NameError`] lists the valid names, or says that the engine has not started.
    pub fn new<S: AsRef<str>>(engine: &CoherenceEngine, names: &[S]) -> Result<Self, NameError> {
        let mut observer = Self::default();
        for name in names {
            observer.add(engine.world(), name.as_ref())?;
        }
        Ok(observer)
    }

    fn add(&mut self, world: &World, name: &str) -> Result<(), NameError> {
        let (source, fields) = find(world, name).ok_or_else(|| unknown(world, name))?;
        let (fields, units) = fields.into_iter().unzip();
        self.observed.push(Observed {
            name: name.to_owned(),
            fields,
            units,
            first: self.len,
        });
        self.len += source.numbers;
        self.sources.push(source);
        Ok(())
    }

    /// How many numbers a row has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it observes nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it observes, in the order of the row.
    pub fn observed(&self) -> &[Observed] {
        &self.observed
    }

    /// Writes the row of now. It allocates nothing.
    pub fn write(&self, engine: &CoherenceEngine, row: &mut [f64]) {
        let world = engine.world();
        let index = world.resource::<EntityIndex>();
        let mut row = row.iter_mut();
        for source in &self.sources {
            let mut slots = row.by_ref().take(source.numbers);
            let mut put = |x: f64| {
                if let Some(slot) = slots.next() {
                    *slot = x;
                }
            };
            if let Some(entity) = index.entity(&source.entity) {
                source.visit(world, entity, &mut put);
            }
            slots.for_each(|slot| *slot = f64::NAN);
        }
    }
}

impl Source {
    fn visit(&self, world: &World, entity: Entity, each: Each<'_>) {
        match &self.what {
            What::Reading(of) => (of.latest)(world, entity, &mut |reading| reading.visit(each)),
            What::Truth(of) => drop((of.truth)(world, entity, each)),
            What::State(of) => drop((of.visit)(world, entity, each)),
            What::Link(link) => {
                let poses = world.get::<LinkPoses>(entity);
                if let Some(pose) = poses.and_then(|poses| poses.0.get(*link)) {
                    visit_pose(pose, each);
                }
            }
        }
    }
}

/// Names and units of numbers.
type Fields = Vec<(String, String)>;

fn find(world: &World, name: &str) -> Option<(Source, Fields)> {
    let sensor = |name: &str| {
        let entity = world.resource::<EntityIndex>().entity(name)?;
        world.get::<Sensor>(entity)?;
        let kinds = world.resource::<Measurements>().0.values();
        let of = kinds.clone().find(|kind| (kind.is_on)(world, entity))?;
        Some((entity, of.clone(), sensor_fields(world, entity, of)))
    };
    let source = |entity: &str, what, fields: Fields| {
        let source = Source {
            entity: entity.to_owned(),
            what,
            numbers: fields.len(),
        };
        (source, fields)
    };
    if let Some((_, of, fields)) = sensor(name) {
        return Some(source(name, What::Reading(of), fields));
    }
    let (rest, last) = name.rsplit_once('/')?;
    if last == "truth"
        && let Some((entity, of, fields)) = sensor(rest)
        && (of.truth)(world, entity, &mut |_| {})
    {
        return Some(source(rest, What::Truth(of), fields));
    }
    let agent = |name: &str| {
        let entity = world.resource::<EntityIndex>().entity(name)?;
        world.get::<Agent>(entity).map(|_| entity)
    };
    if let Some((agent_name, link)) = name.split_once("/links/")
        && let Some(entity) = agent(agent_name)
    {
        let model = world.get::<Model>(entity)?;
        let link = model.0.links.iter().position(|l| l.name == link)?;
        let fields = owned(&POSE);
        return Some(source(agent_name, What::Link(link), fields));
    }
    let entity = agent(rest)?;
    if last == "joints" {
        return joints(world, entity).map(|fields| source(rest, What::State(&JOINTS), fields));
    }
    let state = STATES.iter().find(|state| state.name == last)?;
    if !(state.visit)(world, entity, &mut |_| {}) {
        return None;
    }
    Some(source(rest, What::State(state), owned(state.fields)))
}

fn owned(fields: &[(&str, &str)]) -> Fields {
    let fields = fields.iter();
    fields
        .map(|(name, unit)| ((*name).to_owned(), (*unit).to_owned()))
        .collect()
}

static JOINTS: State = State {
    name: "joints",
    fields: &[],
    visit: |world, agent, each| {
        let joints = world.get::<JointStates>(agent);
        let joints = joints.inspect(|joints| {
            let all = joints.positions.iter().chain(&joints.velocities);
            all.copied().for_each(each);
        });
        joints.is_some()
    },
};

/// Positions, then velocities.
fn joints(world: &World, agent: Entity) -> Option<Fields> {
    world.get::<JointStates>(agent)?;
    let joints = &world.get::<Model>(agent)?.0.joints;
    let of = |what: &str, straight: &str, turning: &str| -> Fields {
        let unit = |joint: &Joint| match joint.kind {
            JointKind::Prismatic => straight.to_owned(),
            _ => turning.to_owned(),
        };
        let each = joints.iter();
        each.map(|joint| (format!("{}/{what}", joint.name), unit(joint)))
            .collect()
    };
    let mut fields = of("position", "m", "rad");
    fields.extend(of("velocity", "m/s", "rad/s"));
    Some(fields)
}

fn sensor_fields(world: &World, sensor: Entity, of: &MeasurementEntry) -> Fields {
    let numbers = (of.numbers)(world, sensor);
    if let Some(columns) = world.get::<Columns>(sensor) {
        let columns = columns.0.iter();
        return columns.map(|c| (c.name.clone(), c.unit.clone())).collect();
    }
    let Schema {
        fields,
        units,
        is_row,
        ..
    } = &of.schema;
    let field = |k: usize| {
        let of_row = if *is_row { 0 } else { k };
        let unit = units.get(of_row).cloned().unwrap_or_default();
        match fields.get(k).filter(|_| !is_row) {
            Some(name) => (name.clone(), unit),
            None => (k.to_string(), unit),
        }
    };
    (0..numbers).map(field).collect()
}

fn unknown(world: &World, name: &str) -> NameError {
    let index = world.resource::<EntityIndex>();
    if index.0.is_empty() {
        return NameError::NotStarted {
            name: name.to_owned(),
        };
    }
    let known = |prefix: &str, entity: Entity| {
        let states = STATES.iter().chain([&JOINTS]);
        let states = states.filter(move |state| (state.visit)(world, entity, &mut |_| {}));
        states
            .map(|state| format!("{prefix}/{}", state.name))
            .collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for (entity_name, entity) in &index.0 {
        if world.get::<Sensor>(*entity).is_some() {
            all.push(entity_name.clone());
        } else if world.get::<Agent>(*entity).is_some() {
            all.extend(known(entity_name, *entity));
        }
    }
    // A sensor may have the name of a state.
    all.sort();
    all.dedup();
    NameError::Unknown {
        what: "sensor or state",
        name: name.to_owned(),
        known: all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_its_error_can_be_observed() {
        for scene in ["warehouse_robot", "vehicle_track", "arm_wave"] {
            let path = format!("built-in/scenes/{scene}.ron");
            let mut engine = CoherenceEngine::from_scene(&path).unwrap();
            assert!(matches!(
                Observer::new(&engine, &["nothing"]),
                Err(NameError::NotStarted { .. })
            ));
            engine.start().unwrap();
            let Err(NameError::Unknown { known, .. }) = Observer::new(&engine, &["nothing"]) else {
                panic!("`nothing` is something");
            };
            let observer = Observer::new(&engine, &known).unwrap();
            assert!(observer.len() > 20, "{known:?}");
            let mut row = vec![f64::INFINITY; observer.len()];
            for _ in 0..100 {
                engine.step().unwrap();
            }
            observer.write(&engine, &mut row);
            for observed in observer.observed() {
                let numbers = &row[observed.first..][..observed.fields.len()];
                assert!(!numbers.is_empty(), "{}", observed.name);
                assert!(
                    numbers.iter().all(|x| *x != f64::INFINITY),
                    "{}",
                    observed.name
                );
                assert_eq!(observed.fields.len(), observed.units.len());
            }
            let before = row.clone();
            engine.reset().unwrap();
            engine.step().unwrap();
            observer.write(&engine, &mut row);
            assert_ne!(row, before);
        }
    }
}
