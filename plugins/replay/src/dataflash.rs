//! ArduPilot's logs: DataFlash as `.BIN` ([`binary`]), and its text form `.log` ([`text`]).
//!
//! A kind of message is a topic: `IMU/GyrX`, and `IMU[1]/GyrX` where a field is marked as the instance's number. Values are
//! scaled by their format as in pymavlink: `c`, `C`, `e`, `E` are hundredths, `L` is 1e-7 degrees; the multipliers of `FMTU`
//! belong to the units, not to the values. Parameters, formats and files within the log are no readings.

pub(crate) mod binary;
pub(crate) mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Kinds that describe the log, or hold parameters and files.
const NO_READINGS: [&str; 6] = ["FMT", "FMTU", "UNIT", "MULT", "PARM", "FILE"];
/// Most topics: more instances than this are damage.
const MAX_TOPICS: usize = 4096;

/// Kind of message.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) name: String,
    /// Characters of the fields' types, and the fields' names: as many of each.
    pub(crate) format: Vec<u8>,
    pub(crate) labels: Vec<String>,
    /// Index and unit (ns) of the time.
    pub(crate) time: Option<(usize, u64)>,
    /// Index of the number of the instance.
    pub(crate) instance: Option<usize>,
}

impl Kind {
    pub(crate) fn new(name: &str, format: &str, labels: &str) -> Self {
        let format = format.trim().as_bytes().to_vec();
        let mut labels: Vec<String> = match labels.trim() {
            "" => Vec::new(),
            labels => labels.split(',').map(|l| l.trim().to_owned()).collect(),
        };
        labels.truncate(format.len());
        for k in labels.len()..format.len() {
            labels.push(format!("field_{k}"));
        }
        let time = labels.iter().position(|l| l == "TimeUS" || l == "TimeMS");
        let time = time.map(|k| {
            (
                k,
                if labels[k] == "TimeUS" {
                    1_000
                } else {
                    1_000_000
                },
            )
        });
        Self {
            name: name.trim().to_owned(),
            format,
            labels,
            time,
            instance: None,
        }
    }

    pub(crate) fn has_readings(&self) -> bool {
        !NO_READINGS.contains(&self.name.as_str())
    }

    /// Takes the field of the instance from the units of the fields, in which it is `#`.
    pub(crate) fn set_units(&mut self, units: &str) {
        let marked = units.bytes().position(|u| u == b'#');
        self.instance = marked.filter(|k| *k < self.format.len());
    }
}

/// Topics of a log: kinds and their instances.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    names: Vec<String>,
    /// Paths of the leaves of each topic, in the order of the fields.
    paths: Vec<Vec<String>>,
    index: HashMap<(String, Option<i64>), usize>,
    ignored: BTreeSet<usize>,
    /// Kinds that cannot be read, with the reason.
    pub(crate) unread: BTreeMap<String, String>,
}

impl Topics {
    /// Index of a topic; `None` if there are too many.
    pub(crate) fn of(&mut self, kind: &Kind, instance: Option<i64>) -> Option<usize> {
        let key = (kind.name.clone(), instance);
        if let Some(&known) = self.index.get(&key) {
            // A kind may be defined again.
            if self.paths[known].len() != kind.labels.len() {
                self.paths[known] = paths(&self.names[known], kind);
            }
            return Some(known);
        }
        if self.names.len() >= MAX_TOPICS {
            return None;
        }
        let name = match instance {
            Some(n) => format!("{}[{n}]", kind.name),
            None => kind.name.clone(),
        };
        self.paths.push(paths(&name, kind));
        self.names.push(name);
        self.index.insert(key, self.names.len() - 1);
        Some(self.names.len() - 1)
    }

    /// Notes a kind of messages that have no time.
    pub(crate) fn no_time(&mut self, kind: &Kind) {
        if !self.unread.contains_key(&kind.name) {
            let why = "no TimeUS or TimeMS".to_owned();
            self.unread.insert(kind.name.clone(), why);
        }
    }

    /// Path of a field.
    pub(crate) fn path(&self, topic: usize, field: usize) -> &str {
        let paths = self.paths.get(topic).and_then(|p| p.get(field));
        paths.map_or("", String::as_str)
    }

    pub(crate) fn name(&self, topic: usize) -> &str {
        self.names.get(topic).map_or("", String::as_str)
    }

    pub(crate) fn ignore(&mut self, name: &str) {
        let found = self.names.iter().position(|n| n == name);
        self.ignored.extend(found);
    }

    pub(crate) fn is_ignored(&self, topic: usize) -> bool {
        self.ignored.contains(&topic)
    }

    pub(crate) fn unread(&self) -> Vec<String> {
        let unread = self.unread.iter();
        unread
            .map(|(name, why)| format!("`{name}` ({why})"))
            .collect()
    }
}

fn paths(topic: &str, kind: &Kind) -> Vec<String> {
    let labels = kind.labels.iter();
    labels.map(|label| format!("{topic}/{label}")).collect()
}
