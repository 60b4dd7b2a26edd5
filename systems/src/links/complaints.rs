//! Messages about unusable arrivals of a port: the first of each kind at once, and their numbers at the end.

use super::document::{printable, without_query};
use std::collections::BTreeMap;

/// Kinds with a count of their own; further ones are counted together.
const MAX_KINDS: usize = 64;
/// Longest message.
const MAX_TEXT: usize = 400;

/// Kinds of messages of one port, and their numbers; at most 64 kinds are distinguished.
pub struct Complaints {
    port: String,
    noun: &'static str,
    counts: BTreeMap<String, u64>,
}

impl Complaints {
    /// None yet, of a port and with the plural of what arrives there: `datagrams`.
    pub fn new(port: &str, noun: &'static str) -> Self {
        Self {
            port: without_query(port),
            noun,
            counts: BTreeMap::new(),
        }
    }

    /// Counts a message of a kind, and logs the first of them.
    pub fn add(&mut self, kind: String, text: impl FnOnce() -> String) {
        if let Some(count) = self.counts.get_mut(&kind) {
            *count += 1;
            return;
        }
        let kind = if self.counts.len() < MAX_KINDS {
            kind
        } else {
            "of further kinds".to_owned()
        };
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count == 1 {
            let text: String = text().chars().take(MAX_TEXT).collect();
            log::warn!("{}: {}", self.port, printable(&text));
        }
    }

    /// Logs the numbers of the kinds that came more than once, and forgets them.
    pub fn report(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(_, count)| *count > 1)
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        if !counts.is_empty() {
            log::warn!("{}: {} in all: {}", self.port, self.noun, counts.join(", "));
        }
    }
}
