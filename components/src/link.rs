//! The door: what comes from outside, where it comes from, and the state of what it comes by.
//!
//! Everything from outside that changes state is a [`Frame`] of a link, and enters at `Ingest`. [`Entered`] holds the
//! frames of the present tick: given back at the same ticks, they make the same run, with no driver started.

use crate::request::Request;
use bevy_ecs::prelude::*;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Where a sensor's readings come from, or who carries out an actuator's commands. No consumer of a reading and no
/// writer of a command looks at it.
#[derive(Component, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Source {
    /// The simulated world.
    #[default]
    Sim,
    /// Nothing: the sensor is silent, commands go nowhere.
    Off,
    /// A recording, from its begin at the run's start, in run time.
    Replay {
        /// A table (CSV) or an MCAP file, one of our own recordings among them.
        file: String,
        /// The topic of an MCAP file; of our own recordings the sensor's own, where it is missing.
        #[serde(default)]
        topic: Option<String>,
        /// The column of the stamps; the one that looks like it, where it is missing.
        #[serde(default)]
        time: Option<String>,
        /// The columns of the measurement's numbers, in their order; those of the same names, where it is missing.
        #[serde(default)]
        columns: Vec<String>,
    },
    /// A driver by its kind, and its configuration, which only that kind can read.
    Driver(String, Config),
}

impl Source {
    /// Whether it is the simulated world.
    pub fn is_sim(&self) -> bool {
        *self == Self::Sim
    }

    /// Whether readings or commands pass a link.
    pub fn has_link(&self) -> bool {
        matches!(self, Self::Replay { .. } | Self::Driver(..))
    }
}

/// Named in one piece: `sim`, `off`, `replay pump.csv`, `udp (listen: 5005)`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sim => f.write_str("sim"),
            Self::Off => f.write_str("off"),
            Self::Replay { file, topic, .. } => match topic {
                None => write!(f, "replay {file}"),
                Some(topic) => write!(f, "replay {file} {topic}"),
            },
            Self::Driver(kind, Config(config)) => {
                let words: Vec<&str> = config.split_whitespace().collect();
                write!(f, "{kind} {}", words.join(" "))
            }
        }
    }
}

/// RON that is read by whom it concerns, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(pub String);

/// What ron calls a value that stays text (`ron::value::RawValue`).
const RAW: &str = "$ron::private::RawValue";

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Config;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a configuration")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Config, E> {
                if text.len() > Config::LONGEST {
                    return Err(E::custom("a configuration of more than 64 kB"));
                }
                Ok(Config(text.trim().to_owned()))
            }
        }
        deserializer
            .deserialize_newtype_struct(RAW, Text)
            .map_err(D::Error::custom)
    }
}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(RAW, &self.0)
    }
}

impl Config {
    /// Longest text that is kept (bytes).
    const LONGEST: usize = 1 << 16;
}

/// How much a link holds between two ticks, and what gives way where more comes. Every loss is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Queue {
    /// Only the newest: poses, commands.
    Latest,
    /// At most so many, the oldest go: inertial units, sound.
    DropOldest(u32),
    /// At most so many; one more is a fault, and the link is down until the next reset: events.
    Lossless(u32),
}

impl Default for Queue {
    fn default() -> Self {
        Self::DropOldest(64)
    }
}

impl Queue {
    /// How many it holds.
    pub fn capacity(self) -> usize {
        match self {
            Self::Latest => 1,
            Self::DropOldest(n) | Self::Lossless(n) => n as usize,
        }
    }
}

/// When a sensor counts as silent, and what then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// Without a reading for so long (s); none: five of the sensor's periods, at least 0.1 s.
    pub after_s: Option<f64>,
    /// What its reading is then.
    pub then: WhenSilent,
}

/// What becomes of a sensor that fell silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum WhenSilent {
    /// Its latest reading stays; it is seen to be stale.
    #[default]
    Hold,
    /// It says zero, once.
    Zero,
    /// The run ends with an error.
    Fail,
    /// The simulated sensor speaks until the real one does again.
    FallBackToSim,
}

/// One thing that came from outside, as it was applied.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Frame {
    /// Index into the run's [`Links`].
    pub link: u32,
    /// Counts the link's frames from 0, since the run's start.
    pub sequence: u64,
    /// When it was so, on the run's clock (ns).
    pub source_ns: u64,
    /// When it reached this machine, on the run's clock (ns).
    pub arrival_ns: u64,
    /// What it says.
    pub payload: Payload,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub enum Payload {
    /// The numbers of one reading, in the order of its measurement; those without a value are `NaN` (`null` in JSON).
    Reading {
        /// The numbers.
        #[serde(with = "numbers")]
        numbers: Vec<f64>,
        /// Bytes beside the numbers, in the measurement's encoding; Base64 in JSON.
        #[serde(default, with = "base64_bytes", skip_serializing_if = "Vec::is_empty")]
        bytes: Vec<u8>,
    },
    /// What is asked of an agent.
    Request(Request),
    /// The link's state changed.
    State(LinkState),
    /// The link's clock changed.
    Clock(Clock),
    /// The link's counts changed: all of them, since the run's start.
    Counts(Counts),
}

/// Numbers in JSON, which knows no `NaN`.
mod numbers {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(numbers: &[f64], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(numbers.iter().map(|x| x.is_finite().then_some(*x)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let numbers = Vec::<Option<f64>>::deserialize(from)?;
        Ok(numbers.iter().map(|x| x.unwrap_or(f64::NAN)).collect())
    }
}

/// Bytes in JSON: standard Base64.
mod base64_bytes {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64_STANDARD.decode(text).map_err(D::Error::custom)
    }
}

/// The frames of this tick, in the order in which they were applied; kept until the next tick.
#[derive(Resource, Clone, Debug, Default)]
pub struct Entered(pub Vec<Frame>);

/// Every link of the run, in the order of their names: those of sensors and actuators whose source has one, named as
/// they are (`rover/imu`), and that of [`REQUESTS`](crate::request::REQUESTS).
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(pub Vec<LinkName>);

/// A link, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkName {
    /// Unique.
    pub name: String,
    /// The sensor or actuator; none for requests.
    pub entity: Option<Entity>,
}

impl Links {
    /// Index of a link.
    pub fn index(&self, name: &str) -> Option<u32> {
        let found = self.0.binary_search_by(|link| link.name.as_str().cmp(name));
        found.ok().map(|k| k as u32)
    }
}

/// How a link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum LinkState {
    /// The scene names it; nothing was tried yet.
    #[default]
    Declared,
    /// Its driver tries to reach the other side.
    Connecting,
    /// The other side is reached.
    Up,
    /// It is not; the driver tries again by itself.
    Down,
    /// More came than a lossless queue holds: it stays so until the next reset.
    Faulted,
    /// The recording is at its end.
    Ended,
}

impl fmt::Display for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declared => "declared",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Down => "down",
            Self::Faulted => "faulted",
            Self::Ended => "ended",
        })
    }
}

/// How a device's clock is mapped to the run's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Clock {
    /// How far it can be trusted.
    pub state: ClockState,
    /// The run's clock less the device's (ns), as far as it is known.
    pub offset_ns: i64,
}

/// How far the map of a device's clock can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum ClockState {
    /// The device stamps nothing, or nothing came yet: readings are stamped where they arrive.
    #[default]
    None,
    /// Too few stamps came to know the shortest way.
    Acquiring,
    /// The map follows the device.
    Locked,
    /// Nothing came for a while; the map is that of before.
    Holdover,
    /// Nothing came for so long that the map means nothing any more.
    Expired,
}

/// What became of readings that a link did not bring, since the run's start.
///
/// Of a sender that counts its readings, `sent = received + dropped + gaps`, where [`Link::received`] reached the
/// tick; what it sent twice counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counts {
    /// Readings that came and did not: the queue was full, they came out of order, or their numbers did not fit.
    pub dropped: u64,
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

/// The link of a sensor or actuator, as it is now.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// Index into [`Links`].
    pub index: u32,
    /// How it is.
    pub state: LinkState,
    /// How the device's clock is mapped.
    pub clock: Clock,
    /// Readings that reached the tick.
    pub received: u64,
    /// What became of the others.
    pub counts: Counts,
    /// When its latest reading arrived (ns); none before the first.
    pub last_ns: Option<u64>,
    /// Whether it has been silent for too long.
    pub stale: bool,
}

/// When a sensor with a link is stale.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// Without a reading for so long (ns).
    pub after_ns: u64,
    /// What its reading is then.
    pub then: WhenSilent,
}

/// On a sensor that could be simulated and is not, because the real one speaks.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct SimulationDisabled;

/// On an actuator whose commands the simulation does not carry out.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct ExternalActuator;

/// What was decided for one sensor or actuator.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Resolved {
    /// Its stable name: `rover/imu`.
    pub entity: String,
    /// What it measures or does: `imu`, `drive`.
    pub kind: String,
    /// Where its readings come from, or where its commands go.
    pub source: String,
    /// Values that apply: rate, queue, silence.
    pub values: String,
}

/// What was decided for every sensor and actuator, in the order of the scene.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct ResolvedSources(pub Vec<Resolved>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_by_name() {
        let link = |name: &str| LinkName {
            name: name.to_owned(),
            entity: None,
        };
        let links = Links(vec![link("a/x"), link("requests"), link("rover/imu")]);
        assert_eq!(links.index("requests"), Some(1));
        assert_eq!(links.index("b"), None);
    }
}
