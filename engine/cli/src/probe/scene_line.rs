//! The line of a scene that takes what a probe saw.

use super::watch::{Kind, Rhythm, Totals};
use becomingone::components::sensor::Schema;
use becomingone::sources::SourceAddress;
use becomingone::systems::kinds::Kinds;
use std::collections::BTreeMap;

/// Most lines that are proposed.
const MAX_LINES: usize = 4;
/// Rates that a scene accepts with its default tick (Hz).
const RATES_HZ: std::ops::RangeInclusive<f64> = 0.001..=1000.0;
/// Unit of a number whose unit is unknown.
const NO_UNIT: &str = "1";
/// Positions of a scene, in place of a place on the Earth.
const ORIGIN: &str = "east";

/// Lines to paste into `sensors: [..]`.
pub(super) struct SceneLines {
    pub(super) lines: Vec<String>,
    /// What else the scene needs, or what to look at in them.
    pub(super) notes: Vec<&'static str>,
}

/// Proposes lines: of the sensor's kind, if it is given; else of each kind whose numbers a message has; else of any
/// numbers.
pub(super) fn lines(
    source: &SourceAddress,
    totals: &Totals,
    kind: Option<(&str, &Schema)>,
    readings: &Rhythm,
    kinds: &Kinds,
) -> SceneLines {
    let mut found = SceneLines {
        lines: Vec::new(),
        notes: Vec::new(),
    };
    if let Some((kind, schema)) = kind {
        let rhythm = match readings.count {
            0 => totals.rhythm(),
            _ => readings,
        };
        let name = lower(kind.split('(').next().unwrap_or(kind));
        let kind = match kind.contains('(') {
            true => kind.to_owned(),
            false => format!("{kind}()"),
        };
        found.add(&name, rhythm, &kind, source);
        found.note_origin(&schema.fields);
        return found;
    }
    let schemas = schemas(kinds);
    for (name, message) in &totals.kinds {
        for (kind, schema) in &schemas {
            if found.lines.len() < MAX_LINES && fits(name, message, kind, schema) {
                let source = selected(source, message, name);
                found.add(&lower(kind), &message.rhythm, &format!("{kind}()"), &source);
                found.note_origin(&schema.fields);
            }
        }
    }
    let most = totals.kinds.iter().filter(|(_, kind)| has_values(kind));
    let most = most.max_by_key(|(_, kind)| kind.rhythm.count);
    if let (true, Some((name, message))) = (found.lines.is_empty(), most) {
        found.values(name, message, source, totals.kinds.len() > 1);
    }
    found
}

impl SceneLines {
    fn add(&mut self, name: &str, rhythm: &Rhythm, kind: &str, source: &SourceAddress) {
        let same = |line: &&String| line.starts_with(&format!("(name: {name:?}"));
        let name = match self.lines.iter().filter(same).count() {
            0 => name.to_owned(),
            _ => format!("{name}_{}", self.lines.len() + 1),
        };
        self.lines.push(format!(
            "(name: {name:?}, rate_hz: {}, kind: {kind}, source: {source}),",
            rate_hz(rhythm)
        ));
    }

    fn note_origin(&mut self, fields: &[String]) {
        let note = "the world of the scene needs the place of its zero: origin: (latitude_deg: .., longitude_deg: ..)";
        if fields.iter().any(|field| field == ORIGIN) && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The line of any numbers.
    fn values(
        &mut self,
        name: &str,
        message: &Kind,
        source: &SourceAddress,
        is_one_of_several: bool,
    ) {
        let numbers: Vec<_> = message.numbers.iter().filter(|n| n.had_value).collect();
        let mut places = Vec::new();
        let mut fields = Vec::new();
        for number in &numbers {
            fields.push(format!("(name: {:?}, unit: {NO_UNIT:?})", number.name));
            let key = number.key.as_deref().unwrap_or(&number.name);
            places.push((number.name.as_str(), key));
        }
        let mut source = match is_one_of_several || message.numbers.iter().any(|n| n.key.is_none())
        {
            true => selected(source, message, name),
            false => source.clone(),
        };
        if places.iter().any(|(name, key)| name != key) {
            let key = |(name, key): &(&str, &str)| {
                let pointer = match key.starts_with('/') {
                    true => (*key).to_owned(),
                    false => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                };
                format!("{name:?}: {pointer:?}")
            };
            let places: Vec<String> = places.iter().map(key).collect();
            source = source.with("pick", &format!("{{{}}}", places.join(", ")));
        }
        let kind = format!("Values(fields: [{}])", fields.join(", "));
        let last = name.rsplit('/').next().unwrap_or(name);
        self.add(&lower(last), &message.rhythm, &kind, &source);
        self.notes
            .push("names and units of the fields are yours to set: unit \"1\" is a number without");
    }
}

/// The source with the option that selects these messages.
fn selected(source: &SourceAddress, message: &Kind, name: &str) -> SourceAddress {
    match message.select {
        "" => source.clone(),
        key => source.with(key, &format!("{name:?}")),
    }
}

fn has_values(message: &Kind) -> bool {
    message.numbers.iter().any(|number| number.had_value)
}

/// Schemas of the kinds of sensor that have names of their own and need no options.
fn schemas(kinds: &Kinds) -> BTreeMap<&'static str, Schema> {
    let schema = |(name, entry): (&&'static str, &becomingone::systems::kinds::SensorEntry)| {
        let schema = (entry.entry.read)("").ok()?.schema();
        let has_names = !schema.is_row && !schema.fields.is_empty() && schema.encoding.is_none();
        has_names.then_some((*name, schema))
    };
    kinds.sensors.iter().filter_map(schema).collect()
}

/// Whether a message is one of this kind: by the names of its numbers, or without them by its own name and their number.
fn fits(name: &str, message: &Kind, kind: &str, schema: &Schema) -> bool {
    if !has_values(message) {
        return false;
    }
    if message.numbers.iter().all(|number| number.key.is_none()) {
        let last = name.rsplit('/').next().unwrap_or(name);
        return message.numbers.len() == schema.fields.len() && lower(last).contains(&lower(kind));
    }
    let has = |field: &String| {
        let mut numbers = message.numbers.iter();
        numbers.any(|n| n.name == *field && n.key.as_ref() == Some(field))
    };
    schema.fields.iter().all(has)
}

/// A name of a sensor.
fn lower(text: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '_',
    };
    let name: String = text.chars().take(40).map(plain).collect();
    match name.trim_matches('_') {
        "" => "sensor".to_owned(),
        name => name.to_owned(),
    }
}

/// A measured rate with three digits, as a scene accepts it.
fn rate_hz(rhythm: &Rhythm) -> f64 {
    let rate = rhythm.rate_hz().unwrap_or(1.0);
    let rounded = format!("{rate:.2e}").parse().unwrap_or(1.0);
    f64::clamp(rounded, *RATES_HZ.start(), *RATES_HZ.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::watch::Watch;
    use becomingone::systems::links::{Content, LinkObserver as _, Observed};

    /// The lines for one document, which arrived ten times a second.
    fn of(address: &str, content: Content<'_>, name: &str, select: &'static str) -> Vec<String> {
        let kinds = becomingone::Plugins::new().kinds();
        let source = SourceAddress::read(address, &kinds).unwrap();
        let watch = Watch::default();
        for k in 1..=5 {
            let seen = Observed::Message {
                name,
                select,
                content,
            };
            watch.see(k * 100_000_000, seen);
        }
        lines(&source, &watch.totals(), None, &Rhythm::default(), &kinds).lines
    }

    #[test]
    fn a_document_becomes_values_with_their_places() {
        let document = serde_json::json!({"tank": {"level": 2}, "t": "7.5", "name": "a"});
        let content = Content::Document(&document);
        assert_eq!(
            of("file:tank.jsonl", content, "document", ""),
            [
                r#"(name: "document", rate_hz: 10, kind: Values(fields: [(name: "t", unit: "1"), (name: "tank_level", unit: "1")]), source: Driver("file", (path: "tank.jsonl", pick: {"t": "/t", "tank_level": "/tank/level"}))),"#
            ]
        );
    }

    #[test]
    fn a_row_becomes_the_kind_of_its_name_and_length() {
        assert_eq!(
            of("udp:5005", Content::Row(&[0.0; 6]), "rover/imu", "sensor"),
            [
                r#"(name: "imu", rate_hz: 10, kind: Imu(), source: Driver("udp", (listen: 5005, sensor: "rover/imu"))),"#
            ]
        );
    }
}
