//! Characteristics of a scene, and their ids.

use becomingone_systems::links::layout::{Endian, Layout};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use uuid::Uuid;

/// What is read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Characteristic {
    /// Heart Rate Measurement.
    HeartRate,
    /// Battery Level.
    Battery,
    /// Temperature, Humidity and Pressure, those that a sensor takes.
    EnvironmentalSensing,
    /// Cycling Speed and Cadence Measurement.
    CyclingSpeed,
    /// Running Speed and Cadence Measurement.
    RunningSpeed,
    /// Bytes with a layout of the scene.
    Raw {
        /// Service.
        service: Id,
        /// Characteristic of the service.
        characteristic: Id,
        /// Order of bytes.
        #[serde(default)]
        endian: Endian,
        /// Fields.
        fields: Layout,
    },
}

impl Characteristic {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::HeartRate => "heart rate",
            Self::Battery => "battery level",
            Self::EnvironmentalSensing => "environmental sensing",
            Self::CyclingSpeed => "cycling speed and cadence",
            Self::RunningSpeed => "running speed and cadence",
            Self::Raw { .. } => "`Raw`",
        }
    }
}

/// A UUID, written in full or as an assigned number of 4 or 8 digits: `"180d"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub Uuid);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let short = || match digits.len() {
            4 | 8 => u32::from_str_radix(digits, 16).ok().map(short_uuid),
            _ => None,
        };
        let long = || Uuid::try_parse(&text).ok();
        short().or_else(long).map(Self).ok_or_else(|| {
            D::Error::custom(format!(
                "found the id \"{text}\"; expected one such as \"180d\" or \"0000180d-0000-1000-8000-00805f9b34fb\""
            ))
        })
    }
}

/// UUID of an assigned number (Bluetooth Core Specification, Vol 3, Part B, 2.5.1).
pub(crate) fn short_uuid(number: u32) -> Uuid {
    Uuid::from_u128(u128::from(number) << 96 | 0x0000_0000_0000_1000_8000_0080_5F9B_34FB)
}
