//! JSON messages of the journal: one object for each message, and a JSON schema for each format.
//!
//! Numbers are written with the fewest digits that parse to the same bits.

use crate::batch::Row;
use crate::stage::{Column, Draw, Fields, Form};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::link::Frame;
use std::io::Write as _;

/// Appends formatted text; writing to memory cannot fail.
fn put(to: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = to.write_fmt(text);
}

fn number(to: &mut Vec<u8>, x: f64) {
    if x.is_finite() {
        let _ = serde_json::to_writer(to, &x);
    } else {
        to.extend_from_slice(b"null");
    }
}

fn text(to: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(to, text);
}

/// Writes named numbers: one for each name or, if the counts differ, interleaved lists.
fn named<'a>(
    to: &mut Vec<u8>,
    names: impl ExactSizeIterator<Item = (&'a str, bool)>,
    numbers: &[f64],
) {
    let step = names.len();
    for (k, (name, flag)) in names.enumerate() {
        if k > 0 {
            to.push(b',');
        }
        text(to, name);
        to.push(b':');
        if numbers.len() == step {
            match numbers.get(k) {
                Some(&x) if flag => put(to, format_args!("{}", x != 0.0)),
                Some(&x) => number(to, x),
                None => to.extend_from_slice(b"null"),
            }
            continue;
        }
        to.push(b'[');
        for (n, &x) in numbers.iter().skip(k).step_by(step.max(1)).enumerate() {
            if n > 0 {
                to.push(b',');
            }
            number(to, x);
        }
        to.push(b']');
    }
}

fn fields(fields: &Fields) -> impl ExactSizeIterator<Item = (&str, bool)> {
    fields.iter().map(|f| (f.0.as_str(), false))
}

/// Writes a numeric message.
pub(crate) fn row(
    to: &mut Vec<u8>,
    form: &Form,
    tick: u64,
    row: &Row,
    numbers: &[f64],
    bytes: &[u8],
) {
    match form {
        Form::Reading {
            fields: all,
            encoding,
            draw,
            ..
        } => {
            put(
                to,
                format_args!(
                    "{{\"tick\":{tick},\"source_ns\":{},\"arrival_ns\":{},\"sequence\":{},\"value\":{{",
                    row.source_ns, row.arrival_ns, row.sequence
                ),
            );
            named(to, fields(all), numbers);
            to.push(b'}');
            if let (Some(encoding), false) = (encoding, matches!(draw, Draw::Image { .. })) {
                let bytes = BASE64_STANDARD.encode(bytes);
                put(
                    to,
                    format_args!(",\"encoding\":\"{encoding}\",\"bytes\":\"{bytes}\""),
                );
            }
            to.push(b'}');
        }
        Form::Truth { fields: all, .. } => {
            put(
                to,
                format_args!(
                    "{{\"tick\":{tick},\"source_ns\":{},\"value\":{{",
                    row.source_ns
                ),
            );
            named(to, fields(all), numbers);
            to.extend_from_slice(b"}}");
        }
        Form::Columns { columns, .. } => {
            put(
                to,
                format_args!("{{\"tick\":{tick},\"source_ns\":{},", row.source_ns),
            );
            named(to, columns.iter().map(|c| (c.name, c.flag)), numbers);
            to.push(b'}');
        }
    }
}

/// Writes an external input frame.
pub(crate) fn frame(to: &mut Vec<u8>, tick: u64, frame: &Frame) {
    put(to, format_args!("{{\"tick\":{tick},\"frame\":"));
    // Plain data: serialisation cannot fail.
    let _ = serde_json::to_writer(&mut *to, frame);
    to.push(b'}');
}

/// Writes an event.
pub(crate) fn event(to: &mut Vec<u8>, tick: u64, event: &AgentEvent) {
    put(
        to,
        format_args!(
            "{{\"tick\":{tick},\"source_ns\":{},\"agent\":",
            event.now_ns
        ),
    );
    text(to, &event.agent);
    to.extend_from_slice(b",\"what\":");
    text(to, kind(&event.kind));
    to.extend_from_slice(b",\"text\":");
    text(to, &event.kind.to_string());
    to.push(b'}');
}

/// Name of an event in recordings; part of the file format.
fn kind(event: &EventKind) -> &'static str {
    match event {
        EventKind::Collision(_) => "Collision",
        EventKind::GoalReached(_) | EventKind::GoalReachedByEstimate { .. } => "GoalReached",
        EventKind::GoalGivenUp { .. } => "GoalGivenUp",
        EventKind::AllGoalsReached => "AllGoalsReached",
        EventKind::LapDone(..) => "LapDone",
        EventKind::OffTrack(_) => "OffTrack",
        EventKind::BackOnTrack => "BackOnTrack",
        EventKind::PhaseLocked => "Collapsed",
        EventKind::PhaseLockLost => "Released",
        EventKind::CoherenceDiverged => "Parted",
        EventKind::CoherenceAgrees => "Agreed",
        EventKind::SensorTimedOut(_) => "FellSilent",
        EventKind::SensorResumed(_) => "SpeaksAgain",
        EventKind::SafeCommandActive(_) => "MadeSafe",
        EventKind::ControllerCommandActive => "CommandedAgain",
        EventKind::AlarmRaised { .. } => "Dissipated",
        EventKind::AlarmCleared => "Recovered",
        EventKind::SpeedLimited => "Slowed",
        EventKind::SpeedLimitLifted => "FreeAgain",
        EventKind::SensorExcluded(_) => "LeftOut",
        EventKind::SafetyStop(_) => "Stopped",
        EventKind::Stopped(_) => "RequestedStop",
        EventKind::StopCleared(_) => "StopCleared",
        EventKind::RequestDone { .. } => "RequestDone",
        EventKind::RequestDropped { .. } => "RequestDropped",
        EventKind::RequestRefused { .. } => "RequestRefused",
        EventKind::FaultBegan(_) => "FaultBegan",
        EventKind::FaultEnded(_) => "FaultEnded",
        EventKind::EventRecalled { .. } => "Recalled",
    }
}

/// Writes the hash of a tick, and those of the parts that changed since the previous tick.
pub(crate) fn hash(
    to: &mut Vec<u8>,
    tick: u64,
    now_ns: u64,
    hash: u64,
    parts: &[(&'static str, u64)],
    before: &mut Vec<(&'static str, u64)>,
) {
    put(
        to,
        format_args!("{{\"tick\":{tick},\"now_ns\":{now_ns},\"hash\":\"{hash:016x}\",\"parts\":{{"),
    );
    let mut first = true;
    let known = before.len() == parts.len();
    for (k, part) in parts.iter().enumerate() {
        if known && before.get(k) == Some(part) {
            continue;
        }
        if !first {
            to.push(b',');
        }
        first = false;
        text(to, part.0);
        // Enough to find the part that differs; the chained hash decides.
        put(to, format_args!(":\"{:08x}\"", short(part.1)));
    }
    to.extend_from_slice(b"}}");
    before.clear();
    before.extend_from_slice(parts);
}

/// Shortened hash of a part, as written.
pub(crate) fn short(hash: u64) -> u32 {
    (hash >> 32) as u32
}

const INTEGER: &str = r#"{"type":"integer","minimum":0}"#;

/// Schema name and text of a form with single numbers or with lists.
pub(crate) fn schema(form: &Form, lists: bool) -> (String, String) {
    let kind = |unit: &str, flag: bool| {
        let one = if flag {
            r#""type":"boolean""#.to_owned()
        } else if lists {
            r#""type":"array","items":{"type":["number","null"]}"#.to_owned()
        } else {
            r#""type":["number","null"]"#.to_owned()
        };
        format!(r#"{{{one},"description":{}}}"#, quoted(unit))
    };
    let measured = |fields: &Fields| {
        let each: Vec<String> = fields
            .iter()
            .map(|(name, unit)| format!("{}:{}", quoted(name), kind(unit, false)))
            .collect();
        object(&each.join(","))
    };
    match form {
        Form::Reading {
            kind: name,
            fields,
            encoding,
            draw,
        } => {
            let bytes = match (encoding, draw) {
                (None, _) | (_, Draw::Image { .. }) => String::new(),
                (Some(encoding), _) => format!(
                    r#","encoding":{{"type":"string"}},"bytes":{{"type":"string","contentEncoding":"base64","contentMediaType":{}}}"#,
                    quoted(encoding)
                ),
            };
            (
                format!("becomingone.reading.{name}"),
                object(&format!(
                    r#""tick":{INTEGER},"source_ns":{INTEGER},"arrival_ns":{INTEGER},"sequence":{INTEGER},"value":{}{bytes}"#,
                    measured(fields)
                )),
            )
        }
        Form::Truth { kind: name, fields } => (
            format!("becomingone.truth.{name}"),
            object(&format!(
                r#""tick":{INTEGER},"source_ns":{INTEGER},"value":{}"#,
                measured(fields)
            )),
        ),
        Form::Columns { columns, .. } => (
            "becomingone.numbers".to_owned(),
            object(&format!(
                r#""tick":{INTEGER},"source_ns":{INTEGER},{}"#,
                columns
                    .iter()
                    .map(|c: &Column| format!(r#""{}":{}"#, c.name, kind(c.unit, c.flag)))
                    .collect::<Vec<_>>()
                    .join(",")
            )),
        ),
    }
}

fn quoted(words: &str) -> String {
    let mut to = Vec::new();
    text(&mut to, words);
    String::from_utf8(to).unwrap_or_default()
}

fn object(properties: &str) -> String {
    format!(r#"{{"type":"object","properties":{{{properties}}}}}"#)
}

/// Schemas of the `/journal` topics.
pub(crate) fn own_schema(name: &str) -> String {
    let hex = r#"{"type":"string","description":"hexadecimal digits"}"#;
    let text = r#"{"type":"string"}"#;
    object(&match name {
        "run" => format!(
            r#""run":{INTEGER},"tick_ns":{INTEGER},"seed":{INTEGER},"scene_hash":{hex},"state_hash":{hex},"links":{{"type":"array","items":{text}}}"#
        ),
        "hash" => format!(
            r#""tick":{INTEGER},"now_ns":{INTEGER},"hash":{hex},"parts":{{"type":"object","additionalProperties":{hex}}}"#
        ),
        "events" => format!(
            r#""tick":{INTEGER},"source_ns":{INTEGER},"agent":{text},"what":{text},"text":{text}"#
        ),
        "entered" => format!(
            r#""tick":{INTEGER},"frame":{{"type":"object","properties":{{"link":{INTEGER},"sequence":{INTEGER},"source_ns":{INTEGER},"arrival_ns":{INTEGER},"payload":{{"type":"object"}}}}}}"#
        ),
        "dropped" => format!(r#""ticks":{INTEGER}"#),
        _ => format!(r#""tick":{INTEGER}"#),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{column, fields_of, flag};
    use becomingone_components::sensor::{EncoderAngles, ImuSample, Measurement, Schema};
    use proptest::prelude::*;

    fn written(form: &Form, numbers: &[f64]) -> serde_json::Value {
        let stamps = Row {
            topic: 0,
            len: numbers.len() as u32,
            bytes: 0,
            source_ns: 1,
            arrival_ns: 2,
            sequence: 3,
        };
        let mut to = Vec::new();
        row(&mut to, form, 4, &stamps, numbers, &[]);
        serde_json::from_slice(&to).unwrap()
    }

    fn reading<T: Measurement>() -> Form {
        Form::Reading {
            kind: T::KIND,
            fields: fields_of(&Schema::of::<T>()),
            encoding: None,
            draw: Draw::Nothing,
        }
    }

    proptest! {
        #[test]
        fn numbers_parse_to_the_same_bits(bits in proptest::collection::vec(any::<u64>(), 6)) {
            let numbers: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
            let message = written(&reading::<ImuSample>(), &numbers);
            for (field, x) in ImuSample::FIELDS.iter().zip(&numbers) {
                let read = message["value"][field.name].as_f64();
                prop_assert_eq!(read.map(f64::to_bits), x.is_finite().then(|| x.to_bits()));
            }
        }
    }

    #[test]
    fn measurements_of_variable_length_become_lists() {
        let message = written(&reading::<EncoderAngles>(), &[0.5, -1.0]);
        assert_eq!(message["value"]["angle"], serde_json::json!([0.5, -1.0]));
        assert_eq!(
            (message["tick"].as_u64(), message["sequence"].as_u64()),
            (Some(4), Some(3))
        );
        static COLUMNS: [Column; 2] = [column("a", "m"), flag("b")];
        let form = Form::Columns {
            columns: &COLUMNS,
            draw: Draw::Nothing,
        };
        let message = written(&form, &[f64::NAN, 1.0]);
        assert_eq!(
            (&message["a"], &message["b"]),
            (&serde_json::Value::Null, &true.into())
        );
        let message = written(&form, &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(message["a"], serde_json::json!([1.0, 3.0]));
    }

    #[test]
    fn part_hashes_are_written_on_change() {
        let mut before = Vec::new();
        let mut count = |parts: &[(&'static str, u64)]| {
            let mut to = Vec::new();
            hash(&mut to, 1, 2, 3, parts, &mut before);
            let message: serde_json::Value = serde_json::from_slice(&to).unwrap();
            message["parts"].as_object().unwrap().len()
        };
        assert_eq!(count(&[("a", 1 << 40), ("b", 2 << 40)]), 2);
        assert_eq!(count(&[("a", 1 << 40), ("b", 3 << 40)]), 1);
        assert_eq!(count(&[("a", 1 << 40), ("b", 3 << 40)]), 0);
    }

    #[test]
    fn schemas_are_valid_json() {
        for lists in [false, true] {
            let (name, text) = schema(&reading::<ImuSample>(), lists);
            assert_eq!(name, "becomingone.reading.imu");
            let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
            let value = &schema["properties"]["value"]["properties"];
            assert_eq!(value["specific_force_x"]["description"], "m/s2");
        }
        for name in ["run", "hash", "events", "dropped", "entered"] {
            serde_json::from_str::<serde_json::Value>(&own_schema(name)).unwrap();
        }
    }
}
