//! Configuration of a port in a scene.

use crate::address::Address;
use crate::protocol::framed::{Check, Endian, FrameKind, Framed, Framing, Layout};
use crate::protocol::lines::{Format, Lines};
use crate::protocol::mavlink::Mavlink;
use crate::protocol::nmea::Nmea;
use crate::protocol::ubx::Ubx;
use crate::protocol::{Protocol, mavlink, nmea, ubx};
use crate::settings::{Flow, Parity, Settings, StopBits};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Options of one source.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) port: Address,
    #[serde(default)]
    pub(crate) baud: Option<u32>,
    #[serde(default)]
    pub(crate) parity: Parity,
    #[serde(default)]
    pub(crate) stop_bits: StopBits,
    #[serde(default)]
    pub(crate) flow: Flow,
    pub(crate) protocol: Spec,
    /// Name of the messages that a sensor takes.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Names of its numbers in the messages.
    #[serde(default)]
    pub(crate) pick: Option<Pick>,
    /// Distance between the wheels of a drive, for `left` and `right` (m).
    #[serde(default)]
    pub(crate) track_m: Option<f64>,
}

impl Config {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            // Checked: only addresses of a network have none.
            baud: self.baud.unwrap_or(0),
            parity: self.parity,
            stop_bits: self.stop_bits,
            flow: self.flow,
        }
    }
}

/// Wire format.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) enum Spec {
    Nmea,
    Ubx,
    Mavlink,
    Csv {
        #[serde(default)]
        columns: Vec<String>,
        #[serde(default = "comma")]
        separator: char,
    },
    JsonLines,
    KeyValue,
    Framed {
        frame: FrameKind,
        #[serde(default)]
        check: Option<Check>,
        #[serde(default)]
        endian: Endian,
        fields: Layout,
    },
}

fn comma() -> char {
    ','
}

impl Spec {
    /// Name in messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Nmea => "NMEA 0183",
            Self::Ubx => "UBX",
            Self::Mavlink => "MAVLink 2",
            Self::Csv { .. } => "CSV",
            Self::JsonLines => "JSON lines",
            Self::KeyValue => "key=value",
            Self::Framed { .. } => "binary frames",
        }
    }

    /// Names of all numbers that its messages may have; none where the device decides.
    pub(crate) fn names(&self) -> Option<Vec<&str>> {
        match self {
            Self::Nmea => Some(nmea::NAMES.to_vec()),
            Self::Ubx => Some(ubx::NAMES.to_vec()),
            Self::Mavlink => Some(mavlink::NAMES.to_vec()),
            Self::Csv { columns, .. } if !columns.is_empty() => {
                Some(columns.iter().map(String::as_str).collect())
            }
            Self::Csv { .. } | Self::JsonLines | Self::KeyValue => None,
            Self::Framed { fields, .. } => Some(fields.names().collect()),
        }
    }

    /// Begin, end and check of binary frames, and their layout.
    pub(crate) fn framed(&self) -> Option<(Framing, &Layout)> {
        let Self::Framed {
            frame,
            check,
            endian,
            fields,
        } = self
        else {
            return None;
        };
        let framing = Framing {
            frame: frame.clone(),
            check: *check,
            endian: *endian,
        };
        Some((framing, fields))
    }

    /// Found and expected, where it is not one.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Self::Csv { separator, .. } = self
            && !separator.is_ascii()
        {
            return Err(format!(
                "found the separator {separator:?}; expected one of ASCII, such as ',' or ';'"
            ));
        }
        match self.framed() {
            Some((framing, layout)) => framing.check().and_then(|()| layout.check()),
            None => Ok(()),
        }
    }

    /// Whether sources of both can share a port.
    pub(crate) fn shares_with(&self, other: &Self) -> bool {
        match (self.framed(), other.framed()) {
            (Some((a, _)), Some((b, _))) => a == b,
            _ => self == other,
        }
    }

    /// Reader of a port, of these layouts where it has binary frames.
    pub(crate) fn protocol(&self, layouts: Vec<Layout>) -> Result<Box<dyn Protocol>, String> {
        Ok(match self {
            Self::Nmea => Box::new(Nmea::default()),
            Self::Ubx => Box::new(Ubx::default()),
            Self::Mavlink => Box::new(Mavlink::default()),
            Self::Csv { columns, separator } => Box::new(Lines::new(Format::Csv {
                columns: columns.clone(),
                separator: *separator,
            })),
            Self::JsonLines => Box::new(Lines::new(Format::JsonLines)),
            Self::KeyValue => Box::new(Lines::new(Format::KeyValue)),
            Self::Framed {
                frame,
                check,
                endian,
                ..
            } => {
                let framing = Framing {
                    frame: frame.clone(),
                    check: *check,
                    endian: *endian,
                };
                Box::new(Framed::new(framing, layouts)?)
            }
        })
    }
}

/// Where a sensor's numbers are in the messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pick {
    /// Of a sensor of one number.
    One(String),
    /// By the names of the sensor's numbers.
    Each(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Pick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PickVisitor;
        impl<'de> Visitor<'de> for PickVisitor {
            type Value = Pick;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name such as \"level\", or names by field such as {\"x\": \"/g/x\"}")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pick, E> {
                Ok(Pick::One(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pick, A::Error> {
                let mut each = BTreeMap::new();
                while let Some((field, key)) = map.next_entry()? {
                    each.insert(field, key);
                }
                Ok(Pick::Each(each))
            }
        }
        deserializer.deserialize_any(PickVisitor)
    }
}
