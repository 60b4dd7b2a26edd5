//! [`Readings`]: what a sensor said in one of our own recordings, bit for bit.

use crate::error::TableError;
use crate::messages::{Coding, Messages};
use serde_json::Value;
use std::path::Path;

/// A reading as it was recorded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedReading {
    /// When it entered that run (ns).
    pub arrival_ns: u64,
    /// When it was measured (ns).
    pub source_ns: u64,
    /// In the order of its measurement; `NaN` where there is no value.
    pub numbers: Vec<f64>,
}

/// What a sensor said in one of our own recordings, one reading after the other: of its first run, where it was reset.
#[derive(Debug)]
pub struct Readings {
    messages: Messages,
    topic: String,
    fields: Vec<String>,
    ended: bool,
}

impl Readings {
    /// Finds the topic of a sensor, as `/rover/imu`, whose numbers have these names.
    ///
    /// # Errors
    ///
    /// A [`TableError`] where there is no such file or topic, or it has no such numbers.
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
                .filter(|c| matches!(c.coding, Coding::Json) && c.metadata.contains_key("kind"))
                .map(|c| c.topic.clone())
                .collect();
            known.sort();
            known.dedup();
            return Err(TableError::wrong(
                file,
                format!("nothing of the topic `{topic}`"),
                if known.is_empty() {
                    "one of our own recordings: in any other one name `columns`".to_owned()
                } else {
                    format!("one of: {}", known.join(", "))
                },
            ));
        };
        let value = value.get("value").and_then(Value::as_object);
        let missing = |f: &&String| value.is_none_or(|v| !v.contains_key(*f));
        if let Some(field) = fields.iter().find(missing) {
            return Err(TableError::wrong(
                file,
                format!("no `{field}` in the readings of `{topic}`"),
                value.map_or("readings of one of our own recordings".to_owned(), |v| {
                    let names: Vec<&str> = v.keys().map(String::as_str).collect();
                    format!("a sensor of the same kind: it says {}", names.join(", "))
                }),
            ));
        }
        Ok(of(Messages::open(file)?))
    }

    /// The next reading; none at the end.
    ///
    /// # Errors
    ///
    /// A [`TableError`] where the file cannot be read on.
    pub fn read(&mut self) -> Result<Option<RecordedReading>, TableError> {
        while !self.ended {
            let Some((begins, value)) = self.messages.next_of(&self.topic)? else {
                self.ended = true;
                break;
            };
            if begins {
                // The first run begins too.
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
            // Fields take turns, as measurements of any length repeat them.
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

fn number(value: &Value) -> f64 {
    match value {
        Value::Bool(on) => f64::from(u8::from(*on)),
        other => other.as_f64().unwrap_or(f64::NAN),
    }
}

impl Messages {
    /// The next JSON message of a topic; or of the journal, where a run begins: then with true.
    fn next_of(&mut self, topic: &str) -> Result<Option<(bool, Value)>, TableError> {
        loop {
            let found = self.next(|_, channel, _, bytes| {
                let begins = channel.topic == "/journal/run";
                let ours = channel.topic == topic && matches!(channel.coding, Coding::Json);
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
