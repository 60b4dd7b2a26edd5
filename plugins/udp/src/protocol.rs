//! Wire format: decodes and encodes datagrams.
//!
//! Readings are decoded as leniently as is safe: what is unambiguous is kept, with a [`Note`] where it is not what the
//! format says; everything else is a [`Refusal`] with its reason.

mod encode;

pub use encode::{encode_command, encode_reading};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use becomingone_components::nearest::nearest;
use becomingone_systems::links::Sample;
use serde_json::{Map, Value};
use std::fmt;

/// Largest datagram (bytes): 65 535 less the headers (RFC 768 over IPv4).
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// Most characters of a datagram in a message.
const MAX_SHOWN: usize = 40;

/// Keys of a reading.
const KEYS: [&str; 6] = [
    "sensor", "sequence", "stamp_ns", "session", "values", "bytes",
];

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

/// JSON with `null` in place of NaN and infinities in all usual spellings, and their number.
fn without_non_finite(text: &str) -> (String, u64) {
    let (mut clean, mut count) = (String::with_capacity(text.len()), 0);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if in_string {
            (in_string, escaped) = (escaped || c != '"', c == '\\' && !escaped);
        } else if c == '"' {
            in_string = true;
        } else if c.is_ascii_alphabetic() || matches!(c, '+' | '-') {
            let end = rest[1..].find(|c: char| !c.is_ascii_alphabetic());
            let (word, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            let name = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
            if matches!(name.as_str(), "nan" | "inf" | "infinity") {
                clean.push_str("null");
                count += 1;
            } else {
                clean.push_str(word);
            }
            rest = after;
            continue;
        }
        clean.push(c);
        rest = &rest[c.len_utf8()..];
    }
    (clean, count)
}

/// Kind of a value, for messages.
fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => {
            let shown: String = text.chars().take(MAX_SHOWN).collect();
            format!("the text `{}`", shown.escape_debug())
        }
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn reading(value: Value) -> Result<Reading, Refusal> {
    let Value::Object(mut object) = value else {
        return refuse(
            WRONG_TYPE,
            format!(
                "found {}; expected an object with `sensor` and `values`",
                kind(&value)
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
                    kind(&other)
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
                    kind(&other)
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
                    kind(&other)
                ),
            );
        }
    };
    let sample = Sample {
        sequence: whole("sequence", &mut object, &mut notes),
        session: whole("session", &mut object, &mut notes),
        stamp_ns: whole("stamp_ns", &mut object, &mut notes),
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
        let number = match value {
            Value::Null => Some(f64::NAN),
            Value::Number(number) => number.as_f64(),
            Value::String(text) => match text.trim().parse::<f64>() {
                Ok(x) if x.is_finite() => {
                    as_text = true;
                    Some(x)
                }
                Ok(_) => {
                    not_finite = true;
                    Some(f64::NAN)
                }
                Err(_) => None,
            },
            _ => None,
        };
        match number {
            Some(x) => numbers.push(x),
            None => {
                return refuse(
                    WRONG_TYPE,
                    format!(
                        "found {} as number {} of `values`; expected a number or null",
                        kind(value),
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

/// A whole number that is not negative, also as 17.0 or "17"; none, with a note, for anything else.
fn whole(key: &'static str, object: &mut Map<String, Value>, notes: &mut Vec<Note>) -> Option<u64> {
    /// Largest number up to which all whole ones are doubles, of those that are no stamps.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value = object.remove(key).filter(|value| !value.is_null())?;
    let of_double = |x: f64| {
        let most = if key == "stamp_ns" { 1.8e19 } else { EXACT };
        (x.fract() == 0.0 && (0.0..most).contains(&x)).then_some(x as u64)
    };
    let number = match &value {
        Value::Number(n) => n.as_u64().or_else(|| of_double(n.as_f64()?)),
        Value::String(text) => {
            let text = text.trim();
            let number = text.parse().ok();
            let number = number.or_else(|| of_double(text.parse().ok()?));
            if number.is_some() {
                notes.push(Note::TextNumber(key));
            }
            number
        }
        _ => None,
    };
    if number.is_none() {
        let expected = match key {
            "stamp_ns" => "whole nanoseconds, from 0",
            _ => "a whole number from 0",
        };
        notes.push(Note::LeftOut(key, kind(&value), expected));
    }
    number
}

#[cfg(test)]
mod tests;
