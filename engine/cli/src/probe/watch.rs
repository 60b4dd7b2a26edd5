//! Observer of a probe: statistics of all that arrives, and the latest of it to show, in bounded memory.

use becomingone::systems::links::document::number;
use becomingone::systems::links::pick::Pointer;
use becomingone::systems::links::{Content, LinkObserver, Observed};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most things that wait to be shown; older ones are left out.
const MAX_WAITING: usize = 4096;
/// Most bytes of a piece that are shown.
const MAX_PIECE: usize = 4096;
/// Most kinds of messages that are distinguished.
const MAX_NAMES: usize = 64;
/// Longest name (bytes).
const MAX_NAME: usize = 128;
/// Most numbers of a message.
const MAX_NUMBERS: usize = 256;
/// Deepest nesting of a document whose numbers are found.
const MAX_DEPTH: usize = 8;

/// Something to show.
pub(super) struct Item {
    pub(super) at_ns: u64,
    pub(super) what: What,
}

pub(super) enum What {
    Bytes {
        /// Begin of the piece.
        bytes: Vec<u8>,
        length: usize,
        is_stream: bool,
    },
    Message {
        name: String,
        numbers: Vec<(String, f64)>,
    },
}

/// Arrivals of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Rhythm {
    pub(super) count: u64,
    last_ns: u64,
    /// Mean and sum of squared deviations of the intervals (s), by Welford's method.
    mean_s: f64,
    squares: f64,
}

impl Rhythm {
    pub(super) fn beat(&mut self, at_ns: u64) {
        self.count += 1;
        let interval_s = at_ns.saturating_sub(self.last_ns) as f64 / 1e9;
        self.last_ns = at_ns;
        let Some(intervals) = self.count.checked_sub(1).filter(|n| *n > 0) else {
            return;
        };
        let off = interval_s - self.mean_s;
        self.mean_s += off / intervals as f64;
        self.squares += off * (interval_s - self.mean_s);
    }

    /// Arrivals a second; none before the second one, or if all came at once.
    pub(super) fn rate_hz(&self) -> Option<f64> {
        (self.count > 1 && self.mean_s > 0.0).then(|| 1.0 / self.mean_s)
    }

    /// Standard deviation of the intervals (s).
    pub(super) fn jitter_s(&self) -> Option<f64> {
        let intervals = self.count.checked_sub(1).filter(|n| *n > 1)?;
        Some((self.squares / (intervals - 1) as f64).sqrt())
    }
}

/// A number of a kind of message.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub(super) name: String,
    /// Key or pointer in the message; none where numbers have no names.
    pub(super) key: Option<String>,
    /// Whether it ever had a value.
    pub(super) had_value: bool,
}

/// A kind of message.
#[derive(Clone, Debug, Default)]
pub(super) struct Kind {
    pub(super) rhythm: Rhythm,
    /// Option that selects it; empty without one.
    pub(super) select: &'static str,
    pub(super) numbers: Vec<Number>,
}

/// Statistics.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) bytes: u64,
    pub(super) messages: u64,
    pub(super) kinds: BTreeMap<String, Kind>,
    /// Things that were not shown, as too many came at once.
    pub(super) hidden: u64,
    all: Rhythm,
}

impl Totals {
    /// Of all messages.
    pub(super) fn rhythm(&self) -> &Rhythm {
        match self.kinds.len() {
            1 => self.kinds.values().next().map_or(&self.all, |k| &k.rhythm),
            _ => &self.all,
        }
    }
}

#[derive(Default)]
struct State {
    totals: Totals,
    waiting: VecDeque<Item>,
}

#[derive(Default)]
pub(super) struct Watch(Mutex<State>);

impl Watch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be shown, oldest first.
    pub(super) fn take(&self) -> VecDeque<Item> {
        std::mem::take(&mut self.lock().waiting)
    }

    pub(super) fn totals(&self) -> Totals {
        self.lock().totals.clone()
    }
}

impl LinkObserver for Watch {
    fn see(&self, at_ns: u64, seen: Observed<'_>) {
        let mut state = self.lock();
        let State { totals, waiting } = &mut *state;
        let what = match seen {
            Observed::Stream(bytes) | Observed::Packet(bytes) => {
                totals.bytes += bytes.len() as u64;
                What::Bytes {
                    bytes: bytes[..bytes.len().min(MAX_PIECE)].to_vec(),
                    length: bytes.len(),
                    is_stream: matches!(seen, Observed::Stream(_)),
                }
            }
            Observed::Message {
                name,
                select,
                content,
            } => {
                totals.messages += 1;
                totals.all.beat(at_ns);
                let is_known = totals.kinds.contains_key(name);
                let is_one = is_known || (totals.kinds.len() < MAX_NAMES && name.len() <= MAX_NAME);
                let name = if is_one { name } else { "others" };
                let kind = totals.kinds.entry(name.to_owned()).or_default();
                kind.rhythm.beat(at_ns);
                kind.select = if is_one { select } else { "" };
                let numbers = numbers(content);
                kind.see(&numbers);
                What::Message {
                    name: name.to_owned(),
                    numbers: numbers.into_iter().map(|n| (n.name, n.value)).collect(),
                }
            }
        };
        if waiting.len() >= MAX_WAITING {
            waiting.pop_front();
            totals.hidden += 1;
        }
        waiting.push_back(Item { at_ns, what });
    }
}

impl Kind {
    fn see(&mut self, numbers: &[Found]) {
        for (at, found) in numbers.iter().enumerate() {
            // Most messages of a kind have the same numbers in the same order.
            let known = match self.numbers.get(at) {
                Some(number) if number.name == found.name => Some(at),
                _ => self.numbers.iter().position(|n| n.name == found.name),
            };
            let had_value = !found.value.is_nan();
            if let Some(number) = known.and_then(|k| self.numbers.get_mut(k)) {
                number.had_value |= had_value;
            } else if self.numbers.len() < MAX_NUMBERS {
                self.numbers.push(Number {
                    name: found.name.clone(),
                    key: found.key.clone(),
                    had_value,
                });
            }
        }
    }
}

struct Found {
    name: String,
    key: Option<String>,
    value: f64,
}

fn numbers(content: Content<'_>) -> Vec<Found> {
    let found = |name: &str, key: Option<String>, value| Found {
        name: name.to_owned(),
        key,
        value,
    };
    match content {
        Content::Named(numbers) => numbers
            .iter()
            .take(MAX_NUMBERS)
            .map(|(name, value)| found(name, Some(name.to_string()), *value))
            .collect(),
        Content::Row(numbers) => numbers
            .iter()
            .take(MAX_NUMBERS)
            .enumerate()
            .map(|(k, value)| found(&format!("x{k}"), None, *value))
            .collect(),
        Content::Document(document) => {
            let mut all = Vec::new();
            gather(document, "", "", 0, &mut all);
            all
        }
    }
}

/// Numbers of a document, with their pointers (RFC 6901), and names made of their keys.
fn gather(value: &Value, pointer: &str, name: &str, depth: usize, into: &mut Vec<Found>) {
    if into.len() >= MAX_NUMBERS || depth > MAX_DEPTH || pointer.len() > MAX_NAME {
        return;
    }
    let joined = |key: &str| match name {
        "" => key.to_owned(),
        name => format!("{name}_{key}"),
    };
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let pointer = format!("{pointer}{}", Pointer::key(key));
                gather(value, &pointer, &joined(key), depth + 1, into);
            }
        }
        Value::Array(list) => {
            for (key, value) in list.iter().enumerate() {
                let pointer = format!("{pointer}/{key}");
                gather(value, &pointer, &joined(&key.to_string()), depth + 1, into);
            }
        }
        value => {
            if let Some(number) = number(value) {
                let name = if name.is_empty() { "value" } else { name };
                into.push(Found {
                    name: name.to_owned(),
                    // A key of the document itself needs no pointer where it is the name of the field.
                    key: Some(match depth {
                        1 => name.to_owned(),
                        _ => pointer.to_owned(),
                    }),
                    value: number,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rate_and_jitter_are_those_of_the_intervals() {
        let mut rhythm = Rhythm::default();
        assert_eq!(rhythm.rate_hz(), None);
        // Intervals of 90, 110, 90, 110 ms: mean 100 ms, sample standard deviation sqrt(4 * 10^2 / 3) ms.
        for ms in [50, 140, 250, 340, 450] {
            rhythm.beat(ms * 1_000_000);
        }
        assert!((rhythm.rate_hz().unwrap() - 10.0).abs() < 1e-9);
        let jitter_ms = rhythm.jitter_s().unwrap() * 1e3;
        assert!((jitter_ms - (400.0f64 / 3.0).sqrt()).abs() < 1e-6);
    }

    #[test]
    fn numbers_of_a_document_have_their_pointers() {
        let document =
            serde_json::json!({"level": 1.5, "main": {"t/1": "7", "on": true, "xs": [1, null]}});
        let found = numbers(Content::Document(&document));
        let found: Vec<_> = found
            .iter()
            .map(|f| (f.name.as_str(), f.key.as_deref().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                ("level", "level"),
                ("main_t/1", "/main/t~11"),
                ("main_xs_0", "/main/xs/0"),
                ("main_xs_1", "/main/xs/1")
            ]
        );
    }

    proptest! {
        #[test]
        fn memory_is_bounded_for_any_flood(names in prop::collection::vec(".{0,200}", 1..300)) {
            let watch = Watch::default();
            for k in 0..6000 {
                let name = &names[k % names.len()];
                let content = Content::Row(&[1.0]);
                watch.see(0, Observed::Message { name, select: "sensor", content });
            }
            let totals = watch.totals();
            prop_assert_eq!(totals.messages, 6000);
            prop_assert!(totals.kinds.len() <= MAX_NAMES + 1);
            prop_assert_eq!(totals.hidden as usize + watch.take().len(), 6000);
        }
    }
}
