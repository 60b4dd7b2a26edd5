//! Values of characteristics as documents, out of which sensors take their numbers.

use crate::characteristic::{Characteristic, short_uuid};
use crate::gatt::{self, Cycling, HeartRate, Revolutions, Running};
use crate::rate::Rate;
use becomingone_systems::links::Places;
use becomingone_systems::links::document::{Document, Refusal};
use becomingone_systems::links::layout::{Endian, Layout};
use becomingone_systems::links::pick::Pointer;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Stamps that a layout may have, and their parts of a second.
const STAMPS: [(&str, f64); 4] = [
    ("stamp_s", 1.0),
    ("stamp_ms", 1e3),
    ("stamp_us", 1e6),
    ("stamp_ns", 1e9),
];

/// Numbers of the environment, with their characteristics and decoders.
type Decode = fn(&[u8]) -> Result<f64, Refusal>;
const ENVIRONMENT: [(&str, u16, Decode); 3] = [
    ("temperature", 0x2A6E, gatt::temperature),
    ("humidity", 0x2A6F, gatt::humidity),
    ("pressure", 0x2A6D, gatt::pressure),
];

/// A characteristic of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its service.
    pub service: Uuid,
    /// Its own id.
    pub characteristic: Uuid,
}

impl Part {
    fn short(service: u16, characteristic: u16) -> Self {
        Self {
            service: short_uuid(service.into()),
            characteristic: short_uuid(characteristic.into()),
        }
    }
}

/// Decodes the values of a characteristic, or of those of a group.
#[derive(Clone, Debug)]
pub struct Decoder {
    parts: Vec<Part>,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    HeartRate,
    Battery,
    /// Number and decoder of each part.
    Environment(Vec<(&'static str, Decode)>),
    Cycling {
        wheel_m: f64,
        wheel: Rate,
        crank: Rate,
    },
    Running,
    Raw(Endian, Layout),
}

impl Decoder {
    /// Decoder of a characteristic; of the environment, of the numbers with these names, or of all if there are none.
    /// `wheel_m` is the circumference of a wheel (m).
    pub fn new(characteristic: &Characteristic, wheel_m: f64, wanted: &[String]) -> Self {
        let (parts, form) = match characteristic {
            Characteristic::HeartRate => (vec![Part::short(0x180D, 0x2A37)], Form::HeartRate),
            Characteristic::Battery => (vec![Part::short(0x180F, 0x2A19)], Form::Battery),
            Characteristic::EnvironmentalSensing => {
                let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
                let each = ENVIRONMENT.iter().filter(|(name, ..)| is_wanted(name));
                let (parts, form) = each
                    .map(|&(name, id, decode)| (Part::short(0x181A, id), (name, decode)))
                    .unzip();
                (parts, Form::Environment(form))
            }
            Characteristic::CyclingSpeed => {
                let form = Form::Cycling {
                    wheel_m,
                    wheel: Rate::of_bits(32),
                    crank: Rate::of_bits(16),
                };
                (vec![Part::short(0x1816, 0x2A5B)], form)
            }
            Characteristic::RunningSpeed => (vec![Part::short(0x1814, 0x2A53)], Form::Running),
            Characteristic::Raw {
                service,
                characteristic,
                endian,
                fields,
            } => {
                let part = Part {
                    service: service.0,
                    characteristic: characteristic.0,
                };
                (vec![part], Form::Raw(*endian, fields.clone()))
            }
        };
        Self { parts, form }
    }

    /// Its characteristics.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Leaves out a characteristic that the device does not have.
    pub fn without(&mut self, part: Part) {
        let Some(index) = self.parts.iter().position(|p| *p == part) else {
            return;
        };
        self.parts.remove(index);
        if let Form::Environment(each) = &mut self.form {
            each.remove(index);
        }
    }

    /// Whether its value is a state, which may be read at any time, and not an event.
    pub fn is_state(&self) -> bool {
        matches!(self.form, Form::Battery | Form::Environment(_))
    }

    /// Keys of its documents.
    pub fn names(&self) -> Vec<&str> {
        match &self.form {
            Form::HeartRate => vec!["bpm", "contact", "energy", "rr", "rr_intervals"],
            Form::Battery => vec!["level"],
            Form::Environment(each) => each.iter().map(|(name, _)| *name).collect(),
            Form::Cycling { .. } => {
                vec!["speed", "cadence", "wheel_revolutions", "crank_revolutions"]
            }
            Form::Running => vec!["speed", "cadence", "stride", "distance", "running"],
            Form::Raw(_, layout) => layout.names().collect(),
        }
    }

    /// Places of the sender's number and stamp, in documents of a layout that has them.
    pub fn order(&self) -> Places {
        let Form::Raw(_, layout) = &self.form else {
            return Places::default();
        };
        let has = |key: &str| layout.names().any(|name| name == key);
        Places {
            sequence: has("sequence").then(|| Pointer::key("sequence")),
            stamp_s: STAMPS
                .iter()
                .any(|(key, _)| has(key))
                .then(|| Pointer::key("stamp_s")),
            ..Places::default()
        }
    }

    /// Decodes the value of one of its characteristics that arrived at this time (ns); none of a value that has another
    /// layout.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn decode(
        &mut self,
        part: usize,
        bytes: &[u8],
        arrival_ns: u64,
    ) -> Result<Option<Map<String, Value>>, Refusal> {
        let numbers: Vec<(&str, Value)> = match &mut self.form {
            Form::HeartRate => {
                let heart = HeartRate::decode(bytes)?;
                vec![
                    ("bpm", json!(heart.beats_per_min)),
                    ("contact", json!(heart.contact.map(u8::from))),
                    ("energy", json!(heart.energy_kj)),
                    ("rr", json!(heart.rr_s.last())),
                    ("rr_intervals", json!(heart.rr_s)),
                ]
            }
            Form::Battery => vec![("level", json!(gatt::battery_level(bytes)?))],
            Form::Environment(each) => {
                let Some((name, decode)) = each.get(part) else {
                    return Ok(None);
                };
                vec![(name, json!(decode(bytes)?))]
            }
            Form::Cycling {
                wheel_m,
                wheel,
                crank,
            } => {
                let cycling = Cycling::decode(bytes)?;
                let update = |rate: &mut Rate, now: Option<Revolutions>| {
                    now.map_or((f64::NAN, f64::NAN), |now| rate.update(now, arrival_ns))
                };
                let (wheel, wheel_hz) = update(wheel, cycling.wheel);
                let (crank, crank_hz) = update(crank, cycling.crank);
                vec![
                    ("speed", json!(wheel_hz * *wheel_m)),
                    ("cadence", json!(crank_hz * 60.0)),
                    ("wheel_revolutions", json!(wheel)),
                    ("crank_revolutions", json!(crank)),
                ]
            }
            Form::Running => {
                let running = Running::decode(bytes)?;
                vec![
                    ("speed", json!(running.speed_m_s)),
                    ("cadence", json!(running.cadence_per_min)),
                    ("stride", json!(running.stride_m)),
                    ("distance", json!(running.distance_m)),
                    ("running", json!(u8::from(running.is_running))),
                ]
            }
            Form::Raw(endian, layout) => {
                if bytes.len() != layout.bytes() {
                    return Err(Refusal {
                        kind: "of another length than the layout",
                        reason: format!(
                            "found {} bytes; expected {}, those of `fields`",
                            bytes.len(),
                            layout.bytes()
                        ),
                    });
                }
                let Some(numbers) = layout.decode(bytes, *endian) else {
                    return Ok(None);
                };
                let stamp = STAMPS.iter().find_map(|(key, parts)| {
                    let (_, x) = numbers.iter().find(|(name, _)| name == key)?;
                    Some(json!(x / parts))
                });
                let named = numbers
                    .into_iter()
                    .map(|(name, x)| (name.into_owned(), json!(x)));
                let stamp = stamp.map(|stamp| ("stamp_s".to_owned(), stamp));
                return Ok(Some(named.chain(stamp).collect()));
            }
        };
        let owned = numbers.into_iter().map(|(name, x)| (name.to_owned(), x));
        Ok(Some(owned.collect()))
    }

    /// A document of these values; numbers that they do not have are missing.
    pub fn document(&self, values: Map<String, Value>) -> Document {
        let mut all: Map<String, Value> = values;
        for name in self.names() {
            all.entry(name).or_insert(Value::Null);
        }
        (Value::Object(all), 0)
    }

    /// The connection was lost: counters of a layout may begin anew.
    pub fn restart(&mut self) {
        if let Form::Raw(_, layout) = &mut self.form {
            layout.restart();
        }
    }
}
