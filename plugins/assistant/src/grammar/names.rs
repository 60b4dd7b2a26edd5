//! Names that a run has: agents, sensors, channels, places, scenes, parameters, recordings, and how they are said.

use super::words::{Word, words};
use serde::{Deserialize, Serialize};

/// What there is to speak of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Names {
    /// Name of the assistant.
    pub assistant: String,
    /// Names of agents.
    pub agents: Vec<String>,
    /// Stable names of sensors: `rover/imu`.
    pub sensors: Vec<String>,
    /// Channels of the kernels: `encoders/0`.
    pub channels: Vec<String>,
    /// Places of the scene.
    pub places: Vec<String>,
    /// Scenes that can be run.
    pub scenes: Vec<String>,
    /// Numbers of controllers that can be set: `controller.speed_m_s`.
    pub parameters: Vec<String>,
    /// Recordings.
    pub recordings: Vec<String>,
}

/// A name, and the words for it.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    /// As the run has it.
    pub(crate) value: String,
    forms: Vec<Vec<String>>,
}

impl Name {
    fn new(value: &str, others: impl IntoIterator<Item = String>) -> Self {
        let said = std::iter::once(value.to_owned()).chain(others);
        let mut forms: Vec<Vec<String>> = said
            .map(|form| split(&form))
            .filter(|form| !form.is_empty())
            .collect();
        forms.sort();
        forms.dedup();
        Self {
            value: value.to_owned(),
            forms,
        }
    }

    /// Where this name ends, if it is said from here on.
    pub(crate) fn ends(&self, words: &[Word], at: usize) -> impl Iterator<Item = usize> {
        let fits = move |form: &&Vec<String>| {
            words
                .get(at..at + form.len())
                .is_some_and(|said| said.iter().zip(form.iter()).all(|(w, f)| w.text == *f))
        };
        self.forms
            .iter()
            .filter(fits)
            .map(move |form| at + form.len())
    }
}

fn split(name: &str) -> Vec<String> {
    words(name).into_iter().map(|word| word.text).collect()
}

/// The names of a run, as they are looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lists {
    /// The assistant's own.
    pub(crate) assistant: Vec<Name>,
    pub(crate) agents: Vec<Name>,
    pub(crate) sensors: Vec<Name>,
    pub(crate) channels: Vec<Name>,
    pub(crate) places: Vec<Name>,
    pub(crate) scenes: Vec<Name>,
    pub(crate) parameters: Vec<Name>,
    pub(crate) recordings: Vec<Name>,
}

/// Other words for sensors.
const SENSORS: &[(&str, &[&str])] = &[
    ("imu", &["inertial unit", "inertial measurement unit"]),
    ("gnss", &["gps"]),
    (
        "lidar",
        &["laser", "laser scanner", "scanner", "range finder"],
    ),
    (
        "encoders",
        &["encoder", "wheel encoders", "wheel encoder", "odometer"],
    ),
    (
        "joints",
        &["joint angles", "joint sensors", "joint encoders"],
    ),
    ("camera", &["cam"]),
    ("odometry", &["odom"]),
];

/// Other words for channels. Wheels count from the left one, in front.
const CHANNELS: &[(&str, &[&str])] = &[
    (
        "encoders/0",
        &[
            "left wheel",
            "left encoder",
            "left wheel encoder",
            "encoder 0",
            "first encoder",
            "left motor",
        ],
    ),
    (
        "encoders/1",
        &[
            "right wheel",
            "right encoder",
            "right wheel encoder",
            "encoder 1",
            "second encoder",
            "right motor",
        ],
    ),
    (
        "imu/gyro_z",
        &[
            "gyro",
            "gyroscope",
            "yaw rate",
            "yaw gyro",
            "gyro z",
            "z gyro",
        ],
    ),
    (
        "imu/accelerometer_x",
        &[
            "accelerometer",
            "acceleration",
            "accel x",
            "imu accel x",
            "x accelerometer",
        ],
    ),
    (
        "imu/accelerometer_y",
        &["accel y", "imu accel y", "sideways acceleration"],
    ),
];

fn others<'a>(table: &[(&str, &'a [&'a str])], value: &str) -> Vec<String> {
    let found = table.iter().find(|(name, _)| *name == value);
    found.map_or_else(Vec::new, |(_, all)| {
        all.iter().map(|&form| form.to_owned()).collect()
    })
}

/// `controller.speed_m_s` without its unit: `controller.speed`.
pub(crate) fn without_unit(parameter: &str) -> &str {
    const UNITS: [&str; 12] = [
        "_m_s2", "_rad_s2", "_m_s", "_rad_s", "_rad", "_m", "_s", "_hz", "_kg", "_n", "_nm", "_deg",
    ];
    let stripped = UNITS.iter().find_map(|unit| parameter.strip_suffix(unit));
    stripped.unwrap_or(parameter)
}

impl Lists {
    pub(crate) fn new(names: &Names) -> Self {
        let plain = |all: &[String]| all.iter().map(|name| Name::new(name, [])).collect();
        let sensors = names.sensors.iter().map(|name| {
            name.split_once('/')
                .map_or(name.as_str(), |(_, sensor)| sensor)
        });
        let mut sensors: Vec<_> = sensors
            .map(|name| Name::new(name, others(SENSORS, name)))
            .collect();
        sensors.sort_by(|a, b| a.value.cmp(&b.value));
        sensors.dedup_by(|a, b| a.value == b.value);
        let mut channels: Vec<_> = names.channels.clone();
        channels.sort();
        channels.dedup();
        let channels = channels.iter().map(|name| {
            let joint = name.strip_prefix("joints/").into_iter();
            let joint = joint.map(|joint| format!("joint {joint}"));
            Name::new(name, others(CHANNELS, name).into_iter().chain(joint))
        });
        let mut parameters = names.parameters.clone();
        parameters.sort();
        parameters.dedup();
        let parameters = parameters.iter().map(|name| {
            let short = without_unit(name);
            let last = short.rsplit('.').next().unwrap_or(short).to_owned();
            let more = (last == "speed").then_some([
                "cruising speed",
                "top speed",
                "driving speed",
                "target speed",
                "speed limit",
                "maximum speed",
                "max speed",
            ]);
            let look = (last == "lookahead").then_some([
                "look ahead",
                "look ahead distance",
                "lookahead distance",
            ]);
            let more = more
                .into_iter()
                .flatten()
                .chain(look.into_iter().flatten())
                .map(str::to_owned);
            let of_controller = format!("{last} of controller");
            Name::new(
                name,
                [short.to_owned(), last, of_controller]
                    .into_iter()
                    .chain(more),
            )
        });
        let recordings = names.recordings.iter().map(|name| {
            let stem = name.strip_suffix(".mcap").unwrap_or(name);
            let last = stem.rsplit('/').next().unwrap_or(stem).to_owned();
            Name::new(name, [stem.to_owned(), last])
        });
        Self {
            assistant: vec![Name::new(&names.assistant, [])],
            agents: plain(&names.agents),
            sensors,
            channels: channels.collect(),
            places: plain(&names.places),
            scenes: plain(&names.scenes),
            parameters: parameters.collect(),
            recordings: recordings.collect(),
        }
    }
}
