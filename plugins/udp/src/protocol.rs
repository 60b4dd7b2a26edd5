//! Wire format: decodes and encodes datagrams.
//!
//! Readings are decoded as leniently as is safe: what is unambiguous is kept, with a [`Note`] where it is not what the
//! format says; everything else is a [`Refusal`] with its reason.

mod encode;

pub use encode::encode_reading;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use becomingone_components::nearest::nearest;
use becomingone_systems::links::Sample;
use becomingone_systems::links::document::{
    describe, number, seconds_ns, whole, without_non_finite,
};
use serde_json::{Map, Value};
use std::fmt;

/// Largest datagram (bytes): 65 535 less the headers (RFC 768 over IPv4).
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Most characters of a datagram in a message.
const MAX_SHOWN: usize = 40;

/// Keys of a reading.
const KEYS: [&str; 7] = [
    "sensor", "sequence", "stamp_ns", "stamp_s", "session", "values", "bytes",
];

/// Reader of a number, and what it expects.
type Whole = (fn(&Value) -> Option<u64>, &'static str);
const WHOLE: Whole = (whole, "a whole number from 0");
const STAMP_NS: Whole = (
    nanoseconds,
    "whole nanoseconds, from 0; seconds are in `stamp_s`",
);
const STAMP_S: Whole = (seconds_ns, "seconds from 0");

/// A decoded reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Name of the sensor.
    pub sensor: String,
    /// The reading.
    pub sample: Sample,
    /// What in it is not as the format says.
    pub notes: Vec<Note>,
}

/// Part of a reading that is not as the format says, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// NaN or an infinity, which JSON lacks: counts as missing, as `null` does.
    NotFinite,
    /// A number as text: read as a number. The key.
    TextNumber(&'static str),
    /// A key whose value cannot be used, which is left out: the key, what was found, and what was expected.
    LeftOut(&'static str, String, &'static str),
    /// An unknown key that resembles a key that is absent: ignored. Both.
    LikeKey(String, &'static str),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str(
                "found NaN or Infinity, which JSON does not have; taken as null, a missing value",
            ),
            Self::TextNumber(key) => write!(
                f,
                "found a number as text in `{key}`; taken as a number, expected one without quotes"
            ),
            Self::LeftOut(key, found, expected) => {
                write!(f, "found {found} in `{key}`; left out, expected {expected}")
            }
            Self::LikeKey(found, key) => {
                write!(
                    f,
                    "found the key `{found}`, which is ignored; did you mean `{key}`?"
                )
            }
        }
    }
}

/// Reason why a datagram, or a line of it, is no reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kind of the reason, for counts.
    pub kind: &'static str,
    /// Found, and expected.
    pub reason: String,
}

/// Kinds of refusals.
const NOT_JSON: &str = "not JSON";
const INCOMPLETE: &str = "without `sensor` or `values`";
const WRONG_TYPE: &str = "with a value of another type";

fn refuse<T>(kind: &'static str, reason: impl Into<String>) -> Result<T, Refusal> {
    let reason = reason.into();
    Err(Refusal { kind, reason })
}

/// Decodes the readings of a datagram: one JSON object, or several, one after the other. A byte order mark, and zeros and
/// line ends behind them, are skipped. After an error, the rest of the datagram is not read.
pub fn decode(bytes: &[u8], mut each: impl FnMut(Result<Reading, Refusal>)) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return each(refuse(
                NOT_JSON,
                format!(
                    "found a byte that is not UTF-8 at offset {}; expected JSON",
                    error.valid_up_to()
                ),
            ));
        }
    };
    // Senders in C may send the zero at the end of a string, or a whole buffer.
    let text = text.trim_end_matches(['\0', ' ', '\t', '\r', '\n']);
    if text.trim_start().is_empty() {
        return each(refuse(NOT_JSON, "found no text; expected a JSON object"));
    }
    if let Err(error) = read_all(text, 0, &mut each) {
        // Only now: JSON of senders that keep to it is read once.
        let (clean, count) = without_non_finite(&text[error.at..]);
        let again = if count > 0 {
            read_all(&clean, count, &mut each)
        } else {
            Err(error)
        };
        if let Err(error) = again {
            each(refuse(NOT_JSON, error.reason));
        }
    }
}

struct JsonError {
    /// Offset of the object.
    at: usize,
    reason: String,
}

fn read_all(
    text: &str,
    not_finite: u64,
    each: &mut impl FnMut(Result<Reading, Refusal>),
) -> Result<(), JsonError> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    loop {
        let at = values.byte_offset();
        match values.next() {
            None => return Ok(()),
            Some(Ok(value)) => {
                let mut reading = reading(value);
                if let Ok(reading) = &mut reading
                    && not_finite > 0
                    && reading.sample.numbers.iter().any(|x| x.is_nan())
                {
                    reading.notes.push(Note::NotFinite);
                }
                each(reading);
            }
            Some(Err(error)) => {
                let rest = text[at..].trim_start();
                let hint = if rest.starts_with("{'") {
                    "; expected double quotes, as Python's json.dumps writes them"
                } else if error.is_eof() {
                    "; the datagram may be cut"
                } else {
                    "; expected a JSON object"
                };
                let shown: String = rest.chars().take(MAX_SHOWN).collect();
                let shown = shown.escape_debug();
                return Err(JsonError {
                    at,
                    reason: format!("found `{shown}`, which is not JSON: {error}{hint}"),
                });
            }
        }
    }
}

fn reading(value: Value) -> Result<Reading, Refusal> {
    let Value::Object(mut object) = value else {
        return refuse(
            WRONG_TYPE,
            format!(
                "found {}; expected an object with `sensor` and `values`",
                describe(&value)
            ),
        );
    };
    let mut notes = Vec::new();
    for key in object.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        let absent = KEYS.into_iter().filter(|key| !object.contains_key(*key));
        if let Some(near) = nearest(key, absent) {
            let shown = key.chars().take(MAX_SHOWN).collect();
            notes.push(Note::LikeKey(shown, near));
        }
    }
    let missing = |key: &str| {
        let like = notes.iter().find_map(|note| match note {
            Note::LikeKey(found, near) if *near == key => Some(format!(", but `{found}`")),
            _ => None,
        });
        format!(
            "found no `{key}`{}; expected it in each reading",
            like.unwrap_or_default()
        )
    };
    let sensor = match object.remove("sensor") {
        Some(Value::String(sensor)) => sensor,
        None => return refuse(INCOMPLETE, missing("sensor")),
        Some(other) => {
            return refuse(
                WRONG_TYPE,
                format!(
                    "found {} as `sensor`; expected a name in quotes",
                    describe(&other)
                ),
            );
        }
    };
    let numbers = match object.remove("values") {
        Some(Value::Array(values)) => numbers(&values, &mut notes)?,
        None => return refuse(INCOMPLETE, missing("values")),
        Some(other) => {
            return refuse(
                WRONG_TYPE,
                format!(
                    "found {} as `values`; expected a list of numbers",
                    describe(&other)
                ),
            );
        }
    };
    let bytes = match object.remove("bytes") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => match BASE64_STANDARD.decode(&text) {
            Ok(bytes) => bytes,
            Err(error) => {
                return refuse(
                    WRONG_TYPE,
                    format!("found `bytes` that are not Base64: {error}"),
                );
            }
        },
        Some(other) => {
            return refuse(
                WRONG_TYPE,
                format!(
                    "found {} as `bytes`; expected Base64 in quotes",
                    describe(&other)
                ),
            );
        }
    };
    let stamp_ns = whole_of("stamp_ns", &mut object, &mut notes, STAMP_NS);
    let stamp_s = whole_of("stamp_s", &mut object, &mut notes, STAMP_S);
    let sample = Sample {
        sequence: whole_of("sequence", &mut object, &mut notes, WHOLE),
        session: whole_of("session", &mut object, &mut notes, WHOLE),
        stamp_ns: stamp_ns.or(stamp_s),
        numbers,
        bytes,
    };
    Ok(Reading {
        sensor,
        sample,
        notes,
    })
}

fn numbers(values: &[Value], notes: &mut Vec<Note>) -> Result<Vec<f64>, Refusal> {
    let mut numbers = Vec::with_capacity(values.len());
    let (mut as_text, mut not_finite) = (false, false);
    for (k, value) in values.iter().enumerate() {
        let number = number(value);
        if let (Value::String(_), Some(x)) = (value, number) {
            as_text |= x.is_finite();
            not_finite |= x.is_nan();
        }
        match number {
            Some(x) => numbers.push(x),
            None => {
                return refuse(
                    WRONG_TYPE,
                    format!(
                        "found {} as number {} of `values`; expected a number or null",
                        describe(value),
                        k + 1
                    ),
                );
            }
        }
    }
    if as_text {
        notes.push(Note::TextNumber("values"));
    }
    if not_finite {
        notes.push(Note::NotFinite);
    }
    Ok(numbers)
}

/// A whole number from 0; none, with a note, for anything else.
fn whole_of(
    key: &'static str,
    object: &mut Map<String, Value>,
    notes: &mut Vec<Note>,
    (read, expected): Whole,
) -> Option<u64> {
    let value = object.remove(key).filter(|value| !value.is_null())?;
    let number = read(&value);
    match number {
        None => notes.push(Note::LeftOut(key, describe(&value), expected)),
        Some(_) if value.is_string() => notes.push(Note::TextNumber(key)),
        Some(_) => {}
    }
    number
}

/// Nanoseconds, also as doubles, whose products with 1e9 are whole but for rounding; a fraction of any other small number
/// means seconds.
fn nanoseconds(value: &Value) -> Option<u64> {
    /// Seconds since 1970 stay below it until the year 2286 (ns).
    const NO_SECONDS: f64 = 1e10;
    let is_whole = |x: f64| (x - x.round()).abs() < 1e-3;
    let of_double = |x: f64| {
        let fits = (0.0..1.8e19).contains(&x) && (is_whole(x) || x >= NO_SECONDS);
        fits.then_some(x.round() as u64)
    };
    whole(value).or_else(|| of_double(number(value)?))
}

#[cfg(test)]
mod tests;
