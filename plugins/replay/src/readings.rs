//! [`Readings`]: readings of a sensor in one of our own recordings, bit-identical.

use crate::encoding::Encoding;
use crate::error::TableError;
use crate::messages::Messages;
use serde_json::Value;
use std::path::Path;

/// Recorded reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedReading {
    /// Time of arrival in the recorded run (ns).
    pub arrival_ns: u64,
    /// Time of the measurement (ns).
    pub source_ns: u64,
    /// Numbers in the order of the measurement; `NaN` for a missing value.
    pub numbers: Vec<f64>,
}

/// Readings of a sensor in one of our own recordings, as a stream; only those before the first reset.
#[derive(Debug)]
pub struct Readings {
    messages: Messages,
    topic: String,
    fields: Vec<String>,
    ended: bool,
}

impl Readings {
    /// Opens the topic of a sensor, such as `/rover/imu`, whose numbers have these names.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if the file, the topic or one of the numbers does not exist.
    pub fn open(
        file: impl AsRef<Path>,
        topic: &str,
        fields: &[impl AsRef<str>],
    ) -> Result<Self, TableError> {
        let file = file.as_ref();
        let fields: Vec<String> = fields.iter().map(|f| f.as_ref().to_owned()).collect();
        let of = |messages| Self {
            messages,
            topic: topic.to_owned(),
            fields: fields.clone(),
            ended: false,
        };
        let mut search = of(Messages::open(file)?);
        let first = loop {
            match search.messages.next_of(topic)? {
                Some((true, _)) => {}
                Some((false, value)) => break Some(value),
                None => break None,
            }
        };
        let Some(value) = first else {
            let mut known: Vec<String> = search
                .messages
                .channels()
                .filter(|c| matches!(c.encoding, Encoding::Json) && c.metadata.contains_key("kind"))
                .map(|c| c.topic.clone())
                .collect();
            known.sort();
            known.dedup();
            return Err(TableError::invalid(
                file,
                format!("no readings of the topic `{topic}`"),
                if known.is_empty() {
                    "a recording of this program; for any other one, give `columns`".to_owned()
                } else {
                    format!("one of: {}", known.join(", "))
                },
            ));
        };
        let value = value.get("value").and_then(Value::as_object);
        let missing = |f: &&String| value.is_none_or(|v| !v.contains_key(*f));
        if let Some(field) = fields.iter().find(missing) {
            return Err(TableError::invalid(
                file,
                format!("no `{field}` in the readings of `{topic}`"),
                value.map_or("readings of a recording of this program".to_owned(), |v| {
                    let names: Vec<&str> = v.keys().map(String::as_str).collect();
                    format!(
                        "a sensor of the same kind; its fields are {}",
                        names.join(", ")
                    )
                }),
            ));
        }
        Ok(of(Messages::open(file)?))
    }

    /// Reads the next reading; `None` at the end.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if the file cannot be read.
    pub fn read(&mut self) -> Result<Option<RecordedReading>, TableError> {
        while !self.ended {
            let Some((begins, value)) = self.messages.next_of(&self.topic)? else {
                self.ended = true;
                break;
            };
            if begins {
                // The first run has a start message, too.
                self.ended = value
                    .get("run")
                    .and_then(Value::as_u64)
                    .is_some_and(|run| run > 1);
                continue;
            }
            let stamp = |name: &str| value.get(name).and_then(Value::as_u64);
            let (Some(source_ns), Some(arrival_ns)) = (stamp("source_ns"), stamp("arrival_ns"))
            else {
                continue;
            };
            let columns: Vec<&[Value]> = self
                .fields
                .iter()
                .map(
                    |field| match value.get("value").and_then(|v| v.get(field)) {
                        Some(Value::Array(items)) => items.as_slice(),
                        Some(one) => std::slice::from_ref(one),
                        None => &[],
                    },
                )
                .collect();
            let longest = columns.iter().map(|c| c.len()).max().unwrap_or(0);
            let mut numbers = Vec::with_capacity(longest * columns.len());
            // Fields alternate, as in measurements of variable length.
            for k in 0..longest {
                let values = columns.iter().filter_map(|c| c.get(k));
                numbers.extend(values.map(number));
            }
            return Ok(Some(RecordedReading {
                arrival_ns,
                source_ns,
                numbers,
            }));
        }
        Ok(None)
    }
}

pub(crate) fn number(value: &Value) -> f64 {
    match value {
        Value::Bool(on) => f64::from(u8::from(*on)),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

impl Messages {
    /// Reads the next JSON message of a topic, with false, or the next start of a run in the journal, with true.
    pub(crate) fn next_of(&mut self, topic: &str) -> Result<Option<(bool, Value)>, TableError> {
        loop {
            let found = self.next(|_, channel, _, bytes| {
                let begins = channel.topic == "/journal/run";
                let ours = channel.topic == topic && matches!(channel.encoding, Encoding::Json);
                if !begins && !ours {
                    return None;
                }
                serde_json::from_slice(bytes)
                    .ok()
                    .map(|value: Value| (begins, value))
            })?;
            match found {
                None => return Ok(None),
                Some(Some(found)) => return Ok(Some(found)),
                Some(None) => {}
            }
        }
    }
}
