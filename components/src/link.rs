//! Links: external input, its sources, and the state of each link.
//!
//! All external input that changes state is a [`Frame`] of a link, and enters at `Ingest`. [`Entered`] holds the
//! frames of the current tick: applied again at the same ticks, they reproduce the run without any driver.

use crate::request::Request;
use bevy_ecs::prelude::*;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Source of a sensor's readings, or executor of an actuator's commands. Consumers of readings and writers of
/// commands do not depend on it.
#[derive(Component, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Source {
    /// The simulated world.
    #[default]
    Sim,
    /// None: the sensor has no readings, commands are discarded.
    Off,
    /// A recording, from its begin at the run's start, in run time.
    Replay {
        /// A table (CSV) or a log of messages (MCAP, ROS 1 or ROS 2 bag), recordings of this engine included.
        file: String,
        /// Topic of a log. None: that of the sensor, in recordings of this engine; of other logs, columns have the
        /// topic in their names.
        #[serde(default)]
        topic: Option<String>,
        /// Column of a measurement of one number, in place of `columns`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// Column of the stamps. None: found by its name and values.
        #[serde(default)]
        time: Option<String>,
        /// Unit of numeric stamps: `s`, `ms`, `us`, `ns`, `min`, `h` or `d`. None: found, or seconds.
        #[serde(default)]
        time_unit: Option<String>,
        /// Format of the stamps, as for `strptime`: `%d/%m/%Y %H:%M:%S`. None: found.
        #[serde(default)]
        time_format: Option<String>,
        /// Sign of decimal fractions: `point` or `comma`. None: found.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decimal: Option<String>,
        /// Columns of the measurement's numbers, in their order. None: those of the same names.
        #[serde(default)]
        columns: Vec<String>,
    },
    /// A driver by its kind, and its configuration.
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

/// One line: `sim`, `off`, `replay pump.csv`, `udp (listen: 5005)`.
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

/// Unparsed RON, as written, for the driver that reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(pub String);

/// Name by which ron marks a value that stays text (`ron::value::RawValue`).
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

/// Queue of a link between two ticks, and its overflow policy. Every loss is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Queue {
    /// Keeps only the newest: poses, commands.
    Latest,
    /// Keeps at most this many and drops the oldest: inertial units, sound.
    DropOldest(u32),
    /// Keeps at most this many; an overflow faults the link until the next reset: events.
    Lossless(u32),
}

impl Default for Queue {
    fn default() -> Self {
        Self::DropOldest(64)
    }
}

impl Queue {
    /// Capacity.
    pub fn capacity(self) -> usize {
        match self {
            Self::Latest => 1,
            Self::DropOldest(n) | Self::Lossless(n) => n as usize,
        }
    }
}

/// Time-out of a sensor, and the reaction to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Silence {
    /// Time without a reading (s); none: five of the sensor's periods, at least 0.1 s.
    pub after_s: Option<f64>,
    /// Reaction.
    pub then: WhenSilent,
}

/// Reaction to a stale sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum WhenSilent {
    /// Keeps the latest reading, marked as stale.
    #[default]
    Hold,
    /// Gives one reading of zeros.
    Zero,
    /// Ends the run with an error.
    Fail,
    /// Simulates the sensor until readings arrive again.
    FallBackToSim,
}

/// One external input, as it was applied.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Frame {
    /// Index into the run's [`Links`].
    pub link: u32,
    /// Index of the frame on its link, from 0 at the run's start.
    pub sequence: u64,
    /// Source time, on the run's clock (ns).
    pub source_ns: u64,
    /// Arrival at this machine, on the run's clock (ns).
    pub arrival_ns: u64,
    /// Content.
    pub payload: Payload,
}

/// Content of a frame.
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
    /// A request to an agent.
    Request(Request),
    /// The link's state changed.
    State(LinkState),
    /// The link's clock changed.
    Clock(Clock),
    /// The link's counts changed: all of them, since the run's start.
    Counts(Counts),
}

/// Numbers in JSON, which has no `NaN`.
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

/// Links of the run, in the order of their names: those of sensors and actuators with an external source, named as
/// they are (`rover/imu`), and that of [`REQUESTS`](crate::request::REQUESTS).
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(pub Vec<LinkName>);

/// A link and its entity.
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

/// State of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum LinkState {
    /// Named in the scene, not tried yet.
    #[default]
    Declared,
    /// Its driver is connecting.
    Connecting,
    /// Connected.
    Up,
    /// Not connected; the driver retries.
    Down,
    /// Overflow of a lossless queue, until the next reset.
    Faulted,
    /// End of the recording.
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

/// Map from a device's clock to the run's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Clock {
    /// Quality of the map.
    pub state: ClockState,
    /// Run's clock minus device's clock (ns), as estimated.
    pub offset_ns: i64,
}

/// Quality of the map of a device's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum ClockState {
    /// No stamps yet, or a device without stamps: readings are stamped on arrival.
    #[default]
    None,
    /// Too few stamps to estimate the minimum delay.
    Acquiring,
    /// The map tracks the device.
    Locked,
    /// Hold-over: no stamps for a while; the last map is used.
    Holdover,
    /// No stamps for too long; the map is invalid.
    Expired,
}

/// Counts of lost and invalid readings of a link, since the run's start.
///
/// For a sender that numbers its readings, `sent = received + dropped + gaps`, [`Link::received`] being those that
/// reached the tick; duplicates are not counted in `sent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counts {
    /// Readings that arrived and were not used: full queue, wrong order, or numbers that do not fit.
    pub dropped: u64,
    /// Readings that did not arrive.
    pub gaps: u64,
    /// Dropped readings that arrived after a later one.
    pub reordered: u64,
    /// Duplicate readings.
    pub duplicates: u64,
    /// Arrivals that were no reading.
    pub garbage: u64,
    /// Restarts of the sender.
    pub restarts: u64,
}

/// Link of a sensor or actuator, and its state.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// Index into [`Links`].
    pub index: u32,
    /// State.
    pub state: LinkState,
    /// Map of the device's clock.
    pub clock: Clock,
    /// Readings that reached the tick.
    pub received: u64,
    /// Counts of the others.
    pub counts: Counts,
    /// Arrival of its latest reading (ns); none before the first.
    pub last_ns: Option<u64>,
    /// Whether its time-out has passed.
    pub stale: bool,
}

/// Time-out of a sensor with a link.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// Time without a reading (ns).
    pub after_ns: u64,
    /// Reaction.
    pub then: WhenSilent,
}

/// Disables the simulation of a sensor while real readings arrive.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct SimulationDisabled;

/// Marks an actuator whose commands are executed outside of the simulation.
#[derive(Component, Clone, Copy, Debug, Default)]
pub struct ExternalActuator;

/// Resolved source of one sensor or actuator.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Resolved {
    /// Stable name: `rover/imu`.
    pub entity: String,
    /// Kind of measurement or actuator: `imu`, `drive`.
    pub kind: String,
    /// Source of its readings, or destination of its commands.
    pub source: String,
    /// Values in force: rate, queue, time-out.
    pub values: String,
}

/// Resolved sources of all sensors and actuators, in the order of the scene.
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
