//! Takes a sensor's numbers from the messages of its port.

use crate::config::{Config, Pick};
use crate::protocol::{Body, FIX, Message, named};
use becomingone_components::geodesy::Geodetic;
use becomingone_components::nearest::did_you_mean;
use becomingone_systems::links::{Content, Observed, Sample, SensorEnd};

/// Place on the Earth, from which positions in the scene's metres follow.
const PLACE: [&str; 3] = ["latitude", "longitude", "height"];
/// These positions.
const METRES: [&str; 3] = ["east", "north", "up"];

/// Shows a message to the observer of a sensor; one with a place, with the positions that a scene's `origin` gives it.
pub(crate) fn show(message: &Message, to: &SensorEnd, arrival_ns: u64) {
    let with_metres;
    let content = match &message.body {
        Body::Json(value) => Content::Document(value),
        Body::Numbers(numbers) if PLACE.iter().all(|name| message.get(name).is_some()) => {
            let metres = METRES.iter().map(|name| named(name, f64::NAN));
            with_metres = numbers.iter().cloned().chain(metres).collect::<Vec<_>>();
            Content::Named(&with_metres)
        }
        Body::Numbers(numbers) => Content::Named(numbers),
    };
    let shown = Observed::Message {
        name: message.name,
        select: "message",
        content,
    };
    to.observe(arrival_ns, shown);
}

/// A sensor, and what it takes.
pub(crate) struct Sink {
    pub(crate) end: SensorEnd,
    /// Readings so far.
    pub(crate) taken: u64,
    layout: usize,
    /// Name of its messages, by the scene, or by the first that had all numbers.
    message: Option<String>,
    /// Whether the scene names it.
    is_named: bool,
    /// Names of its numbers in messages.
    keys: Vec<String>,
}

impl Sink {
    /// Sensor of a source.
    ///
    /// # Errors
    ///
    /// Found and expected, where messages cannot have its numbers.
    pub(crate) fn new(config: &Config, layout: usize, end: SensorEnd) -> Result<Self, String> {
        let fields = end.fields();
        let keys: Vec<String> = match &config.pick {
            None => fields.to_vec(),
            Some(Pick::One(key)) if fields.len() == 1 => vec![key.clone()],
            Some(Pick::One(key)) => {
                return Err(format!(
                    "found `pick: \"{key}\"` for {} numbers; expected a name for each, as in `pick: {{\"{}\": \"{key}\"}}`",
                    fields.len(),
                    fields.first().map_or("", String::as_str)
                ));
            }
            Some(Pick::Each(each)) => {
                if let Some(unknown) = each.keys().find(|key| !fields.contains(key)) {
                    return Err(format!(
                        "found `{unknown}` in `pick`; expected one of `{}`{}",
                        fields.join("`, `"),
                        did_you_mean(unknown, fields.iter().map(String::as_str))
                    ));
                }
                let key = |field: &String| each.get(field).unwrap_or(field).clone();
                fields.iter().map(key).collect()
            }
        };
        if let Some(names) = config.protocol.names() {
            let is_derived =
                |key: &str| METRES.contains(&key) && PLACE.iter().all(|name| names.contains(name));
            let unknown = |key: &&String| !names.contains(&key.as_str()) && !is_derived(key);
            if let Some(unknown) = keys.iter().find(unknown) {
                return Err(format!(
                    "found the number `{unknown}`, which {} does not have; expected one of `{}`, or `pick` with these{}",
                    config.protocol.name(),
                    names.join("`, `"),
                    did_you_mean(unknown, names.iter().copied())
                ));
            }
        }
        Ok(Self {
            layout,
            message: config.message.clone(),
            is_named: config.message.is_some(),
            keys,
            end,
            taken: 0,
        })
    }

    /// Takes a reading that arrived at this time of the run's clock (ns), if the message has one: all numbers, or some
    /// of those of an instrument, which may be missing.
    pub(crate) fn offer(&mut self, message: &Message, arrival_ns: u64) {
        if self.keys.is_empty() {
            // A probe has no numbers of its own: every message is one of its.
            self.taken += 1;
            return;
        }
        let is_other = self.message.as_ref().is_some_and(|m| m != message.name);
        let may_miss = self.end.has_gaps();
        // An instrument has the rows of the sentences that a fix is made of.
        if is_other
            || message.layout != self.layout
            || (message.name == FIX && may_miss && !self.is_named)
        {
            return;
        }
        let metres = self.metres(message);
        let number = |key: &String| {
            let derived = || METRES.iter().position(|m| m == key).zip(metres);
            let derived = || derived().map(|(axis, metres)| metres[axis]);
            message.get(key).or_else(derived).unwrap_or(f64::NAN)
        };
        let numbers: Vec<f64> = self.keys.iter().map(number).collect();
        let has = |x: &f64| x.is_finite();
        let is_reading = match may_miss {
            true => numbers.iter().any(has),
            false => numbers.iter().all(has),
        };
        if !is_reading {
            return;
        }
        if !may_miss && self.message.is_none() {
            self.message = Some(message.name.to_owned());
        }
        self.taken += 1;
        let sample = Sample {
            sequence: message.sequence,
            session: None,
            stamp_ns: message.stamp_ns,
            numbers,
            bytes: Vec::new(),
        };
        self.end.push(arrival_ns, sample);
    }

    /// Position in the scene's metres, of a message with a place and no such position.
    fn metres(&self, message: &Message) -> Option<[f64; 3]> {
        let plane = self.end.plane()?;
        self.keys
            .iter()
            .find(|key| METRES.contains(&key.as_str()))?;
        let mut place = [0.0; 3];
        for (to, name) in place.iter_mut().zip(PLACE) {
            *to = message.get(name).filter(|x| x.is_finite())?;
        }
        let [latitude_deg, longitude_deg, height_m] = place;
        Some(plane.position_m(Geodetic {
            latitude_deg,
            longitude_deg,
            height_m,
        }))
    }

    /// Its numbers in messages, for a message about them.
    pub(crate) fn keys(&self) -> String {
        self.keys.join("`, `")
    }
}
