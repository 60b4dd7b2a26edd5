//! Rows of an MCAP file: the values of its messages in one time step.

use crate::error::TableError;
use crate::messages::{Channel, Encoding, Leaf, Messages};
use crate::schema::{Column, Counts, Firsts, Kind, Row, Schema, TimeColumn, Wanted};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Most messages that are read to find the columns.
const MAX_HEAD_MESSAGES: usize = 200_000;
/// Least default step of rows (ns): the kernel's rate of 50 Hz.
const MIN_STEP_NS: u64 = 20_000_000;
/// Times from this on are relative to 1970 (ns).
const EPOCH_NS: u64 = 100_000_000_000_000_000;
/// Least number of equal steps of a counter.
const MIN_COUNTER_STEPS: usize = 8;

#[derive(Debug)]
pub(crate) struct McapRows {
    messages: Messages,
    step_ns: u64,
    /// Channel of the table by the name of the leaf.
    index: HashMap<String, usize>,
    /// Sum and count of each channel in the current step.
    sums: Vec<(f64, u32)>,
    /// Current step, and the time of its first message (ns); `None` before the first.
    step: Option<(u64, u64)>,
    first_ns: Option<u64>,
    ended: bool,
}

/// Statistics of a leaf, to classify its column.
#[derive(Default)]
struct LeafStatistics {
    numbers: usize,
    texts: usize,
    first: Option<f64>,
    last: f64,
    steps: usize,
    even: bool,
}

impl LeafStatistics {
    fn look(&mut self, leaf: Leaf) {
        match leaf {
            Leaf::Missing => {}
            Leaf::Text => self.texts += 1,
            Leaf::Number(x) => {
                self.numbers += 1;
                match self.first {
                    None => self.first = Some(x),
                    Some(first) => {
                        let step = x - self.last;
                        self.steps += 1;
                        // Equal steps, within rounding.
                        let mean = (x - first) / self.steps as f64;
                        let same = step != 0.0 && (step - mean).abs() <= 1e-6 * step.abs();
                        self.even = same && (self.even || self.steps == 1);
                    }
                }
                self.last = x;
            }
        }
    }

    fn kind(&self) -> Kind {
        if self.numbers + self.texts == 0 {
            Kind::Empty
        } else if self.texts > self.numbers {
            Kind::Text
        } else if self.even && self.steps >= MIN_COUNTER_STEPS {
            Kind::Counter
        } else {
            Kind::Numbers
        }
    }
}

/// Periods between messages of a channel.
#[derive(Default)]
struct MessagePeriod {
    last_ns: Option<u64>,
    steps_ns: Vec<u64>,
}

impl McapRows {
    pub(crate) fn open(file: &Path, wanted: &Wanted) -> Result<(Schema, Self), TableError> {
        let mut messages = Messages::open(file)?;
        let mut seen: BTreeMap<String, LeafStatistics> = BTreeMap::new();
        let mut paces: HashMap<u16, MessagePeriod> = HashMap::new();
        let mut first_ns = None;
        let mut read = 0;
        let span_ns = wanted
            .step_ns
            .unwrap_or(MIN_STEP_NS)
            .saturating_mul(wanted.look_rows as u64);
        let mut seen_ns = 0;
        // Until the first rows are covered, and one topic has that many messages.
        while read < MAX_HEAD_MESSAGES
            && (seen_ns < span_ns || paces.values().all(|p| p.steps_ns.len() < wanted.look_rows))
        {
            let more = messages.next(|id, channel, header, bytes| {
                if !is_wanted(channel) {
                    return;
                }
                let first_ns = *first_ns.get_or_insert(header.log_time);
                seen_ns = header.log_time.saturating_sub(first_ns);
                let pace = paces.entry(id).or_default();
                if let Some(last_ns) = pace.last_ns.replace(header.log_time)
                    && header.log_time > last_ns
                {
                    pace.steps_ns.push(header.log_time - last_ns);
                }
                channel.leaves(bytes, &mut |path, leaf| {
                    if let Some(name) = name(path, channel.ours) {
                        seen.entry(name.into_owned()).or_default().look(leaf);
                    }
                });
            })?;
            if more.is_none() {
                break;
            }
            read += 1;
        }
        let mut unread: Vec<String> = messages
            .channels()
            .filter(|c| is_topic(c))
            .filter_map(|c| match &c.encoding {
                Encoding::Other(encoding) => Some(format!("`{}` ({encoding})", c.topic)),
                _ => None,
            })
            .collect();
        unread.sort();
        if seen.is_empty() {
            return Err(TableError::invalid(
                file,
                if unread.is_empty() {
                    "no message".to_owned()
                } else {
                    format!("no topic that can be read: {}", unread.join(", "))
                },
                "topics in JSON, or in protobuf with its schema in the file",
            ));
        }
        let names: Vec<String> = seen.keys().cloned().collect();
        if let Some(time) = &wanted.time {
            return Err(TableError::invalid(
                file,
                format!("the column `{time}` for the time"),
                "none: an MCAP file has the time of each message",
            ));
        }
        for name in wanted.columns.iter().chain(&wanted.ignore) {
            if !names.contains(name) {
                return Err(TableError::no_column(file, name, &names));
            }
        }
        let mut notes = Vec::new();
        if !unread.is_empty() {
            notes.push(format!("topics that cannot be read: {}", unread.join(", ")));
        }
        let period_ns = paces.values_mut().filter_map(|p| {
            p.steps_ns.sort_unstable();
            p.steps_ns.get(p.steps_ns.len() / 2).copied()
        });
        let fastest_ns = period_ns.min();
        let step_ns = wanted
            .step_ns
            .unwrap_or(fastest_ns.unwrap_or(0).max(MIN_STEP_NS))
            .max(1);
        let columns: Vec<Column> = seen
            .iter()
            .map(|(name, seen)| Column {
                name: name.clone(),
                text: None,
                kind: if wanted.ignore.contains(name) {
                    Kind::Ignored
                } else if wanted.columns.contains(name) {
                    Kind::Numbers
                } else {
                    match seen.kind() {
                        Kind::Numbers if !wanted.columns.is_empty() => Kind::Unwanted,
                        kind => kind,
                    }
                },
            })
            .collect();
        let channels: Vec<String> = if wanted.columns.is_empty() {
            let numbers = columns.iter().filter(|c| c.kind == Kind::Numbers);
            numbers.map(|c| c.name.clone()).collect()
        } else {
            wanted.columns.clone()
        };
        let rows = Self {
            messages: Messages::open(file)?,
            step_ns,
            index: channels.iter().cloned().zip(0..).collect(),
            sums: vec![(0.0, 0); channels.len()],
            step: None,
            first_ns: None,
            ended: false,
        };
        let schema = Schema {
            file: file.to_owned(),
            channels,
            columns,
            time: Some(TimeColumn {
                name: "log time".to_owned(),
                guessed: false,
                format: "nanoseconds".to_owned(),
                epoch: first_ns.is_some_and(|ns| ns >= EPOCH_NS),
                period_ns: Some(step_ns),
                repeated: 0.0,
                backward: 0.0,
                uneven: 0.0,
                pace_ns: Some(step_ns),
            }),
            sparse: false,
            slow: Vec::new(),
            notes,
            counts: Counts::default(),
            firsts: Firsts::default(),
        };
        Ok((schema, rows))
    }

    pub(crate) fn keep_first(&mut self, most: usize) {
        self.index.retain(|_, channel| *channel < most);
        self.sums.truncate(most);
    }

    pub(crate) fn read(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        let Self {
            messages,
            step_ns,
            index,
            sums,
            step,
            first_ns,
            ended,
        } = self;
        if *ended {
            return Ok(false);
        }
        let counts = &mut schema.counts;
        loop {
            let mut done = None;
            let more = messages.next(|_, channel, header, bytes| {
                if !is_wanted(channel) {
                    return;
                }
                let mut found: Vec<(usize, f64)> = Vec::new();
                let whole = channel.leaves(bytes, &mut |path, leaf| {
                    let name = name(path, channel.ours);
                    let Some(&at) = name.and_then(|name| index.get(name.as_ref())) else {
                        return;
                    };
                    match leaf {
                        Leaf::Number(x) => found.push((at, x)),
                        Leaf::Text => counts.text_cells += 1,
                        Leaf::Missing => {}
                    }
                });
                counts.broken_messages += u64::from(!whole);
                if found.is_empty() {
                    return;
                }
                let ns = header.log_time;
                let at = (ns - (*first_ns.get_or_insert(ns)).min(ns)) / *step_ns;
                match *step {
                    // A late message counts in the current step.
                    Some((present, _)) if at <= present => {}
                    Some((_, since_ns)) => {
                        done = Some(since_ns);
                        fill(row, sums);
                        *step = Some((at, ns));
                    }
                    None => *step = Some((at, ns)),
                }
                for (channel, x) in found {
                    sums[channel].0 += x;
                    sums[channel].1 += 1;
                }
            })?;
            if more.is_none() {
                *ended = true;
                if messages.truncated {
                    schema
                        .notes
                        .push("the file ends within a record: the writer was killed".to_owned());
                }
                done = step.take().map(|(_, since_ns)| {
                    fill(row, sums);
                    since_ns
                });
                if done.is_none() {
                    return Ok(false);
                }
            }
            if let Some(since_ns) = done {
                row.time.clear();
                row.time.push_str(&since_ns.to_string());
                row.stamp_ns = i64::try_from(since_ns).ok();
                let first_ns = first_ns.unwrap_or(since_ns);
                row.t_ns = i64::try_from(since_ns.saturating_sub(first_ns)).ok();
                return Ok(true);
            }
        }
    }
}

/// Fills a row with the means of a step, and resets the sums.
fn fill(row: &mut Row, sums: &mut [(f64, u32)]) {
    row.values.clear();
    for (sum, count) in sums {
        row.values
            .push((*count > 0).then(|| *sum / f64::from(*count)));
        (*sum, *count) = (0.0, 0);
    }
}

/// Whether a topic has readings. Our own recordings have others, too: journal, ground truth, and kernel outputs.
fn is_topic(channel: &Channel) -> bool {
    !channel.ours || channel.metadata.contains_key("kind") && !channel.topic.ends_with("/truth")
}

fn is_wanted(channel: &Channel) -> bool {
    is_topic(channel) && !matches!(channel.encoding, Encoding::Other(_))
}

/// Name of a channel. In our own recordings, readings are below `value`, beside counts and stamps.
fn name(path: &str, ours: bool) -> Option<std::borrow::Cow<'_, str>> {
    if !ours {
        return Some(path.into());
    }
    let (topic, field) = path.split_once("/value/")?;
    Some(format!("{topic}/{field}").into())
}
