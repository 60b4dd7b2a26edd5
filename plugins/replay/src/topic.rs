//! All messages of a topic in one of our own recordings, a row each.

use crate::error::TableError;
use crate::messages::Messages;
use crate::readings::number;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

/// Messages of a topic, column by column; `NaN` is a missing number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicRows {
    /// Time of each message (ns from the run's start): of the measurement, for readings.
    pub stamps_ns: Vec<i64>,
    /// Names of the columns.
    pub names: Vec<String>,
    /// Numbers of each column.
    pub columns: Vec<Vec<f64>>,
}

impl TopicRows {
    /// Reads a topic, such as `/rover/imu`, as it was recorded: every message, without bins. The first column is the run,
    /// which a reset increments. `None`: the file has no such topic of ours, as one of other programs.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if the file cannot be read.
    pub fn read(file: impl AsRef<Path>, topic: &str) -> Result<Option<Self>, TableError> {
        let mut messages = Messages::open(file.as_ref())?;
        let mut rows = Self::default();
        let mut places = HashMap::new();
        let mut run = 0.0;
        while let Some((begins, value)) = messages.next_of(topic)? {
            if begins {
                run += 1.0;
            } else if let Value::Object(message) = value {
                rows.push(&mut places, run, &message);
            }
        }
        // Each of our runs has a begin.
        Ok((run > 0.0 && !rows.stamps_ns.is_empty()).then_some(rows))
    }

    fn push(
        &mut self,
        places: &mut HashMap<String, usize>,
        run: f64,
        message: &Map<String, Value>,
    ) {
        // Those that are of no measurement have the time of their tick.
        let stamp = ["source_ns", "now_ns"]
            .into_iter()
            .find_map(|name| message.get(name)?.as_i64());
        let before = self.stamps_ns.len();
        self.stamps_ns.push(stamp.unwrap_or_default());
        let mut put = |name: String, x: f64| {
            let place = *places.entry(name).or_insert_with_key(|name| {
                self.names.push(name.clone());
                self.columns.push(vec![f64::NAN; before]);
                self.names.len() - 1
            });
            if self.columns[place].len() == before {
                self.columns[place].push(x);
            }
        };
        put("run".to_owned(), run);
        for (name, value) in message {
            match value {
                _ if name == "source_ns" => {}
                Value::Object(numbers) => {
                    for (name, value) in numbers {
                        flatten(name, value, &mut put);
                    }
                }
                value => flatten(name, value, &mut put),
            }
        }
        for column in &mut self.columns {
            column.resize(before + 1, f64::NAN);
        }
    }
}

/// Numbers of a value; texts have none.
fn flatten(name: &str, value: &Value, put: &mut impl FnMut(String, f64)) {
    match value {
        Value::Array(items) => {
            for (k, item) in items.iter().enumerate() {
                put(format!("{name}/{k}"), number(item));
            }
        }
        Value::String(_) | Value::Object(_) => {}
        value => put(name.to_owned(), number(value)),
    }
}
