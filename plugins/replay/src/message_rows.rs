//! Rows of a log of messages: the values of its messages in one time step.

use crate::error::TableError;
use crate::formats::Format;
use crate::message_head::Head;
use crate::schema::{Column, Counts, Firsts, Kind, Row, Schema, TimeColumn, Wanted};
use crate::sorting::{Sample, SortBuffer};
use crate::source::{Leaf, MessageSource, Stamped};
use std::collections::HashMap;
use std::path::Path;

/// Times from this on are relative to 1970 (ns).
const EPOCH_NS: u64 = 100_000_000_000_000_000;

#[derive(Debug)]
pub(crate) struct MessageRows {
    source: Box<dyn MessageSource>,
    step_ns: u64,
    /// Channel of the table by the name of the leaf.
    index: HashMap<String, usize>,
    /// Sum and count of each channel in the current step.
    sums: Vec<(f64, u32)>,
    /// Current step, and the time of its first message (ns); `None` before the first.
    step: Option<(u64, u64)>,
    first_ns: Option<u64>,
    sorting: SortBuffer,
    /// Messages before the current step, which are lost.
    late: u64,
    /// Whether all messages were read; some may be in the buffer.
    ended: bool,
}

impl MessageRows {
    pub(crate) fn open(
        file: &Path,
        wanted: &Wanted,
        format: &Format,
    ) -> Result<(Schema, Self), TableError> {
        let mut looked = (format.open)(file)?;
        let head = Head::read(looked.as_mut(), wanted)?;
        let mut unread = looked.report().unread;
        unread.extend(head.broken());
        unread.sort();
        if head.seen.is_empty() {
            return Err(TableError::invalid(
                file,
                match (unread.as_slice(), looked.report().notes.as_slice()) {
                    ([], []) => format!("{} without messages", format.name),
                    ([], notes) => {
                        format!("{} without messages: {}", format.name, notes.join("; "))
                    }
                    (unread, _) => format!(
                        "{} without a topic that can be read: {}",
                        format.name,
                        unread.join(", ")
                    ),
                },
                format.instead,
            ));
        }
        let below = wanted
            .topic
            .as_deref()
            .map(|topic| topic.trim_matches('/').to_owned() + "/");
        let names: Vec<String> = head.seen.keys().cloned().collect();
        let names: Vec<String> = match &below {
            Some(below) => names.into_iter().filter(|n| n.starts_with(below)).collect(),
            None => names,
        };
        if let Some(topic) = &wanted.topic
            && names.is_empty()
        {
            let topics = head.topics().chain(unread.iter().map(String::as_str));
            let topics: Vec<String> = topics.map(str::to_owned).collect();
            return Err(TableError::no_topic(file, topic, &topics));
        }
        // Names with the topic before them, or without.
        let full = |name: &String| {
            let name = name.trim_start_matches('/');
            match &below {
                Some(below) if !name.starts_with(below) => format!("{below}{name}"),
                _ => name.to_owned(),
            }
        };
        let wanted = &Wanted {
            columns: wanted.columns.iter().map(full).collect(),
            ignore: wanted.ignore.iter().map(full).collect(),
            ..wanted.clone()
        };
        if let Some(time) = &wanted.time {
            return Err(TableError::invalid(
                file,
                format!("the column `{time}` for the time"),
                "none: each message of this file has its time",
            ));
        }
        for name in wanted.columns.iter().chain(&wanted.ignore) {
            if !names.contains(name) {
                return Err(TableError::no_column(file, name, &names));
            }
        }
        let mut notes = looked.report().notes;
        if !unread.is_empty() {
            notes.push(format!("topics that cannot be read: {}", unread.join(", ")));
        }
        notes.extend(head.notes(below.as_deref().unwrap_or_default()));
        let [step_ns, period_ns] = match wanted.step_ns {
            Some(step_ns) => [step_ns.max(1); 2],
            None => head.steps_ns(),
        };
        let columns: Vec<Column> = head
            .seen
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
                        Kind::Numbers if !wanted.columns.is_empty() || !names.contains(name) => {
                            Kind::Unwanted
                        }
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
        let mut source = (format.open)(file)?;
        for topic in head.topics_without(&channels) {
            source.ignore(topic);
        }
        let rows = Self {
            sorting: SortBuffer::default(),
            source,
            step_ns,
            index: channels.iter().cloned().zip(0..).collect(),
            sums: vec![(0.0, 0); channels.len()],
            step: None,
            first_ns: None,
            late: 0,
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
                epoch: head.first_ns.is_some_and(|ns| ns >= EPOCH_NS),
                period_ns: Some(period_ns),
                repeated: 0.0,
                backward: 0.0,
                uneven: 0.0,
                pace_ns: Some(period_ns),
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

    /// Reads the next message with values of channels, in order of log time; `None` at the end.
    fn next_sample(&mut self, schema: &mut Schema) -> Result<Option<Sample>, TableError> {
        let Schema { counts, firsts, .. } = schema;
        while !self.ended {
            if let Some(sample) = self.sorting.pop_ready(self.source.floor_ns()) {
                return Ok(Some(sample));
            }
            let mut values: Vec<(usize, f64)> = Vec::new();
            let index = &self.index;
            let message = self.source.next(&mut |path, leaf| {
                let Some(&at) = index.get(path) else {
                    return;
                };
                match leaf {
                    Leaf::Number(x) => values.push((at, x)),
                    Leaf::Text => counts.text_cells += 1,
                    Leaf::Infinite => counts.infinite_cells += 1,
                    Leaf::Missing | Leaf::LongList => {}
                }
            })?;
            let Some(message) = message else {
                self.ended = true;
                break;
            };
            let Stamped {
                topic,
                time_ns,
                broken,
            } = message;
            if let Some(cause) = broken {
                counts.broken_messages += 1;
                let topic = self.source.topic(topic);
                firsts
                    .broken_message
                    .get_or_insert_with(|| format!("`{topic}` at {time_ns} ns: {cause}"));
                // Its length or types were wrong: none of its numbers can be trusted.
                continue;
            }
            if !values.is_empty() {
                self.sorting.push(Sample { time_ns, values });
            }
        }
        Ok(self.sorting.pop())
    }

    pub(crate) fn read(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        loop {
            let mut done = None;
            if let Some(Sample { time_ns, values }) = self.next_sample(schema)? {
                let first_ns = *self.first_ns.get_or_insert(time_ns);
                let at = time_ns.saturating_sub(first_ns) / self.step_ns;
                match self.step {
                    Some((present, _)) if at < present => {
                        self.late += 1;
                        continue;
                    }
                    Some((present, _)) if at == present => {}
                    Some((_, since_ns)) => {
                        done = Some(since_ns);
                        fill(row, &mut self.sums);
                        self.step = Some((at, time_ns));
                    }
                    None => self.step = Some((at, time_ns)),
                }
                for (channel, x) in values {
                    self.sums[channel].0 += x;
                    self.sums[channel].1 += 1;
                }
            } else {
                let Some((_, since_ns)) = self.step.take() else {
                    return Ok(false);
                };
                fill(row, &mut self.sums);
                done = Some(since_ns);
                let mut notes = self.source.report().notes;
                notes.extend(self.sorting.notes(self.late));
                if let Some(first) = &schema.firsts.broken_message {
                    notes.push(format!(
                        "{} messages are not valid in their encoding, and were dropped (first: {first})",
                        schema.counts.broken_messages
                    ));
                }
                notes.retain(|note| !schema.notes.contains(note));
                schema.notes.append(&mut notes);
            }
            if let Some(since_ns) = done {
                row.time.clear();
                row.time.push_str(&since_ns.to_string());
                row.stamp_ns = i64::try_from(since_ns).ok();
                let first_ns = self.first_ns.unwrap_or(since_ns);
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
