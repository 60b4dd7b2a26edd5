//! Static content of a run: collected at each reset, sent to the writer once.

use becomingone_components::body::{Geometry, Pose, RobotModel};
use becomingone_components::sensor::Schema;
use std::collections::HashSet;
use std::sync::Arc;

/// Column of a numeric message that is not a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// SI unit; `1` if dimensionless.
    pub(crate) unit: &'static str,
    /// Whether it is boolean.
    pub(crate) flag: bool,
}

/// Numeric column.
pub(crate) const fn column(name: &'static str, unit: &'static str) -> Column {
    Column {
        name,
        unit,
        flag: false,
    }
}

/// Boolean column.
pub(crate) const fn flag(name: &'static str) -> Column {
    Column {
        name,
        unit: "1",
        flag: true,
    }
}

/// Names and units of the numbers of a measurement.
pub(crate) type Fields = Arc<[(String, String)]>;

/// Names and units of a schema.
pub(crate) fn fields_of(schema: &Schema) -> Fields {
    let fields = schema.fields.iter().cloned();
    fields.zip(schema.units.iter().cloned()).collect()
}

/// Format of the messages of a topic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// Time stamps and a measurement.
    Reading {
        kind: &'static str,
        fields: Fields,
        /// Media type of the bytes beside the numbers.
        encoding: Option<&'static str>,
        draw: Draw,
    },
    /// Measurement without noise and faults.
    Truth { kind: &'static str, fields: Fields },
    /// Named numbers; non-finite ones are null. Further numbers repeat the names.
    Columns {
        columns: &'static [Column],
        draw: Draw,
    },
}

/// Additional message that shows the numbers in viewers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Draw {
    /// None.
    Nothing,
    /// Scan of a lidar.
    Rays {
        /// Frame of the sensor.
        frame: String,
        angle_min_rad: f32,
        angle_step_rad: f32,
        range_max_m: f32,
    },
    /// Pose from x, y and yaw in the world.
    Pose2,
    /// Geographic position.
    Fix {
        /// Frame of the sensor.
        frame: String,
    },
    /// Image in the bytes of the reading, which has them in this message only.
    Image {
        /// Frame of the sensor.
        frame: String,
        /// Format: `jpeg`, `png`, ..
        format: &'static str,
    },
}

/// Topic of a recording.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Topic {
    /// `/rover/imu`.
    pub(crate) name: String,
    pub(crate) form: Form,
}

/// Mounting pose of a sensor.
#[derive(Clone, Debug)]
pub(crate) struct Mounted {
    /// `rover/lidar`.
    pub(crate) frame: String,
    /// Index into the agents.
    pub(crate) agent: usize,
    /// Index of the link that it is mounted on.
    pub(crate) link: usize,
    pub(crate) pose: Pose,
}

/// Agent with a body.
#[derive(Clone, Debug)]
pub(crate) struct StageAgent {
    pub(crate) name: String,
    pub(crate) model: Arc<RobotModel>,
}

/// Static content of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    /// Counts the runs from 1.
    pub(crate) run: u64,
    /// Start of the run in the time of all runs (ns).
    pub(crate) begin_ns: u64,
    /// Whether it is one of a recording that is played: it may begin before the one before has ended.
    pub(crate) is_played: bool,
    pub(crate) tick_ns: u64,
    pub(crate) seed: u64,
    pub(crate) scene_hash: u64,
    /// State hash before the first tick.
    pub(crate) state_hash: u64,
    pub(crate) topics: Vec<Arc<Topic>>,
    pub(crate) taken: HashSet<String>,
    pub(crate) agents: Vec<StageAgent>,
    pub(crate) mounted: Vec<Mounted>,
    pub(crate) obstacles: Vec<(String, Geometry)>,
    /// Names of the input links, by index.
    pub(crate) links: Vec<String>,
}

impl Stage {
    /// Adds a topic and returns its index. A taken name (a sensor may be called `truth`) gets a `_` appended.
    pub(crate) fn topic(&mut self, mut name: String, form: Form) -> u32 {
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        self.topics.push(Arc::new(Topic { name, form }));
        (self.topics.len() - 1) as u32
    }
}
