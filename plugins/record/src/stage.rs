//! What stands there from the start of a run: gathered at each reset, told to the writer once.

use becomingone_components::body::{Geometry, Pose, RobotModel};
use becomingone_components::sensor::Schema;
use std::collections::HashSet;
use std::sync::Arc;

/// A number of a message that is no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// SI unit, `1` for none.
    pub(crate) unit: &'static str,
    /// Whether it is yes or no.
    pub(crate) flag: bool,
}

/// A number.
pub(crate) const fn column(name: &'static str, unit: &'static str) -> Column {
    Column {
        name,
        unit,
        flag: false,
    }
}

/// Yes or no.
pub(crate) const fn flag(name: &'static str) -> Column {
    Column {
        name,
        unit: "1",
        flag: true,
    }
}

/// Names and units of a measurement's numbers.
pub(crate) type Fields = Arc<[(String, String)]>;

/// Names and units of a schema.
pub(crate) fn fields_of(schema: &Schema) -> Fields {
    let fields = schema.fields.iter().cloned();
    fields.zip(schema.units.iter().cloned()).collect()
}

/// What messages of a topic look like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// Stamps, and a measurement.
    Reading {
        kind: &'static str,
        fields: Fields,
        draw: Draw,
    },
    /// A measurement without noise and fault.
    Truth { kind: &'static str, fields: Fields },
    /// Named numbers; those that are not finite have no value. Where there are more, the names repeat.
    Columns {
        columns: &'static [Column],
        draw: Draw,
    },
}

/// How numbers are drawn, beside themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Draw {
    /// Not at all.
    Nothing,
    /// The rays of a lidar.
    Rays {
        /// Of the sensor.
        frame: String,
        angle_min_rad: f32,
        angle_step_rad: f32,
        range_max_m: f32,
    },
    /// x, y and yaw in the world.
    Pose2,
    /// A place on the Earth.
    Fix {
        /// Of the sensor.
        frame: String,
    },
}

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Topic {
    /// `/rover/imu`.
    pub(crate) name: String,
    pub(crate) form: Form,
}

/// A sensor's place on its agent.
#[derive(Clone, Debug)]
pub(crate) struct Mounted {
    /// `rover/lidar`.
    pub(crate) frame: String,
    /// Index into the agents.
    pub(crate) agent: usize,
    /// Index of the link that carries it.
    pub(crate) link: usize,
    pub(crate) pose: Pose,
}

/// An agent with a body.
#[derive(Clone, Debug)]
pub(crate) struct StageAgent {
    pub(crate) name: String,
    pub(crate) model: Arc<RobotModel>,
}

/// What stands there from the start of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    pub(crate) tick_ns: u64,
    pub(crate) seed: u64,
    pub(crate) scene_hash: u64,
    /// The hash before the first tick.
    pub(crate) state_hash: u64,
    pub(crate) topics: Vec<Arc<Topic>>,
    pub(crate) taken: HashSet<String>,
    pub(crate) agents: Vec<StageAgent>,
    pub(crate) mounted: Vec<Mounted>,
    pub(crate) obstacles: Vec<(String, Geometry)>,
    /// Names of the links that frames come by, by their index.
    pub(crate) links: Vec<String>,
}

impl Stage {
    /// Adds a topic, and says its index. A name that is taken, as a sensor may be called `truth`, is marked.
    pub(crate) fn topic(&mut self, mut name: String, form: Form) -> u32 {
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        self.topics.push(Arc::new(Topic { name, form }));
        (self.topics.len() - 1) as u32
    }
}
