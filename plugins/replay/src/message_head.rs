//! First messages of each topic of a log, by which its columns are classified.

use crate::error::TableError;
use crate::schema::{Kind, Wanted};
use crate::source::{Leaf, MessageSource};
use std::collections::{BTreeMap, BTreeSet};

/// Least default step of rows of several topics (ns): the kernel's rate of 50 Hz.
const MIN_STEP_NS: u64 = 20_000_000;
/// Most messages of a topic that are looked at.
const MAX_TOPIC_MESSAGES: usize = 50_000;
/// Messages of a slow topic that are enough, once it spans [`SLOW_SPANS`] times the time of the first rows.
const SLOW_MESSAGES: usize = 16;
const SLOW_SPANS: u64 = 10;
/// Most columns: more are names that messages make up.
const MAX_COLUMNS: usize = 65_536;
/// Least number of equal steps of a counter.
const MIN_COUNTER_STEPS: usize = 8;

/// Statistics of a leaf, to classify its column.
#[derive(Debug, Default)]
pub(crate) struct LeafStatistics {
    topic: usize,
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
            Leaf::Missing | Leaf::Infinite | Leaf::LongList => {}
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

    pub(crate) fn kind(&self) -> Kind {
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

/// Messages of a topic so far.
#[derive(Debug)]
struct TopicStatistics {
    name: String,
    messages: usize,
    /// Messages that are valid in their encoding.
    valid: usize,
    /// Why the first of the others is not.
    broken: String,
    first_ns: u64,
    last_ns: u64,
    /// Log times of the first messages (ns).
    stamps_ns: Vec<u64>,
    /// Whether the file has them in another order.
    is_unordered: bool,
    /// Whether its first rows were read.
    is_covered: bool,
}

impl Default for TopicStatistics {
    fn default() -> Self {
        Self {
            name: String::new(),
            messages: 0,
            valid: 0,
            broken: String::new(),
            first_ns: u64::MAX,
            last_ns: 0,
            stamps_ns: Vec::new(),
            is_unordered: false,
            is_covered: false,
        }
    }
}

impl TopicStatistics {
    /// Median period of the messages in their order of time (ns).
    fn period_ns(&self) -> Option<u64> {
        let mut stamps_ns = self.stamps_ns.clone();
        stamps_ns.sort_unstable();
        let steps = stamps_ns.windows(2).map(|pair| pair[1] - pair[0]);
        let mut steps: Vec<u64> = steps.filter(|step| *step > 0).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied()
    }
}

/// First messages of each topic.
#[derive(Debug)]
pub(crate) struct Head {
    /// Leaves by name.
    pub(crate) seen: BTreeMap<String, LeafStatistics>,
    topics: BTreeMap<usize, TopicStatistics>,
    /// Earliest log time (ns).
    pub(crate) first_ns: Option<u64>,
    /// Names of lists that are too long to be channels.
    long_lists: BTreeSet<String>,
    full: bool,
}

impl Head {
    /// Reads each topic until its first rows are covered. A topic may begin at the end of the file: an index leads
    /// there; without one, the file is read through.
    pub(crate) fn read(
        source: &mut dyn MessageSource,
        wanted: &Wanted,
    ) -> Result<Self, TableError> {
        let span_ns = wanted
            .step_ns
            .unwrap_or(MIN_STEP_NS)
            .saturating_mul(wanted.look_rows as u64);
        let mut head = Self {
            seen: BTreeMap::new(),
            topics: BTreeMap::new(),
            first_ns: None,
            long_lists: BTreeSet::new(),
            full: false,
        };
        let mut leaves: Vec<(String, Leaf)> = Vec::new();
        loop {
            leaves.clear();
            let message = source.next(&mut |path, leaf| leaves.push((path.to_owned(), leaf)))?;
            let Some(message) = message else {
                return Ok(head);
            };
            let ns = message.time_ns;
            head.first_ns = Some(head.first_ns.map_or(ns, |first| first.min(ns)));
            let topic = head.topics.entry(message.topic).or_default();
            if topic.messages == 0 {
                source.topic(message.topic).clone_into(&mut topic.name);
            }
            if topic.is_covered {
                // A source may still return its messages, without their leaves.
                continue;
            }
            topic.messages += 1;
            topic.is_unordered |= topic.stamps_ns.last().is_some_and(|last| ns < *last);
            topic.first_ns = topic.first_ns.min(ns);
            topic.last_ns = topic.last_ns.max(ns);
            if topic.stamps_ns.len() < MAX_TOPIC_MESSAGES {
                topic.stamps_ns.push(ns);
            }
            if let Some(cause) = message.broken {
                if topic.broken.is_empty() {
                    topic.broken = cause;
                }
            } else {
                topic.valid += 1;
                for (name, leaf) in leaves.drain(..) {
                    if leaf == Leaf::LongList {
                        if head.long_lists.len() < MAX_COLUMNS {
                            head.long_lists.insert(name);
                        }
                        continue;
                    }
                    if head.seen.len() >= MAX_COLUMNS && !head.seen.contains_key(&name) {
                        head.full = true;
                        continue;
                    }
                    let seen = head.seen.entry(name).or_default();
                    seen.topic = message.topic;
                    seen.look(leaf);
                }
            }
            let covered_ns = topic.last_ns - topic.first_ns;
            let slow =
                covered_ns >= span_ns.saturating_mul(SLOW_SPANS) && topic.messages >= SLOW_MESSAGES;
            if topic.messages >= MAX_TOPIC_MESSAGES
                || (slow || covered_ns >= span_ns && topic.messages >= wanted.look_rows)
                    && !topic.is_unordered
            {
                topic.is_covered = true;
                let name = topic.name.clone();
                source.ignore(&name);
            }
        }
    }

    /// Default step of rows, and period between them (ns). Messages of a single topic are rows as they are; those of
    /// several come together at the rate of the fastest, and at most at the kernel's.
    pub(crate) fn steps_ns(&self) -> [u64; 2] {
        let periods = self.topics.iter().filter(|(k, _)| self.has_numbers(**k));
        let periods: Vec<u64> = periods.filter_map(|(_, topic)| topic.period_ns()).collect();
        match periods[..] {
            [period_ns] => [1, period_ns],
            _ => [periods.into_iter().min().unwrap_or(0).max(MIN_STEP_NS); 2],
        }
    }

    fn has_numbers(&self, topic: usize) -> bool {
        let mut seen = self.seen.values();
        seen.any(|leaf| leaf.topic == topic && leaf.kind() == Kind::Numbers)
    }

    /// Topics without a message that is valid in its encoding, each with the cause.
    pub(crate) fn broken(&self) -> impl Iterator<Item = String> {
        let broken = self.topics.values().filter(|topic| topic.valid == 0);
        broken.map(|topic| format!("`{}` ({})", topic.name, topic.broken))
    }

    /// Names of the topics.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.values().map(|topic| topic.name.as_str())
    }

    /// Topics of which no leaf is a channel.
    pub(crate) fn topics_without(&self, channels: &[String]) -> impl Iterator<Item = &str> {
        let kept: BTreeSet<usize> = channels
            .iter()
            .filter_map(|name| Some(self.seen.get(name)?.topic))
            .collect();
        let others = self.topics.iter().filter(move |(k, _)| !kept.contains(k));
        others.map(|(_, topic)| topic.name.as_str())
    }

    /// Notes about what is not read, of names that begin so.
    pub(crate) fn notes(&self, begin: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let lists = self.long_lists.iter().filter(|n| n.starts_with(begin));
        let names: Vec<String> = lists.map(|n| format!("`{n}`")).collect();
        if !names.is_empty() {
            notes.push(format!(
                "lists of more than {} items, as in images and scans, are not read: {}",
                crate::source::MAX_LIST,
                names.join(", ")
            ));
        }
        if self.full {
            notes.push(format!(
                "more than {MAX_COLUMNS} names of numbers: the others are not read"
            ));
        }
        notes
    }
}
