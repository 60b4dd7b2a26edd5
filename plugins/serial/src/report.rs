//! Messages about a port, each once.

use crate::deframer::Counters;
use crate::protocol::{Message, Verdict};
use crate::sink::Sink;
use std::collections::BTreeMap;

/// Kinds of messages that a report names.
const MAX_SEEN: usize = 16;

/// State of the messages about a port: each is logged once.
pub(crate) struct Report {
    port: String,
    protocol: &'static str,
    baud: Option<u32>,
    logged_unused: bool,
    logged_checksum: bool,
    logged_unreadable: bool,
    /// Kinds of messages, and the names of their numbers.
    seen: BTreeMap<&'static str, Vec<String>>,
}

impl Report {
    pub(crate) fn new(port: &str, protocol: &'static str, baud: Option<u32>) -> Self {
        Self {
            port: port.to_owned(),
            protocol,
            baud,
            logged_unused: false,
            logged_checksum: false,
            logged_unreadable: false,
            seen: BTreeMap::new(),
        }
    }

    pub(crate) fn see(&mut self, message: &Message) {
        if !self.seen.contains_key(message.name) && self.seen.len() < MAX_SEEN {
            self.seen.insert(message.name, message.names());
        }
    }

    pub(crate) fn refused(&mut self, verdict: &Verdict) {
        let port = &self.port;
        match verdict {
            Verdict::BadChecksum { .. } if !self.logged_checksum => {
                self.logged_checksum = true;
                log::warn!(
                    "{port}: found a frame with a wrong checksum; it is skipped, further ones are counted"
                );
            }
            Verdict::Unreadable(reason) if !self.logged_unreadable => {
                self.logged_unreadable = true;
                let reason: String = reason.chars().take(300).collect();
                log::warn!("{port}: {reason}; it is skipped, further ones are counted");
            }
            _ => {}
        }
    }

    /// Reports a port of which nothing is used.
    pub(crate) fn unused(&mut self, counters: Counters, sinks: &[Sink]) {
        if std::mem::replace(&mut self.logged_unused, true) {
            return;
        }
        let (port, protocol) = (&self.port, self.protocol);
        let baud = self
            .baud
            .map_or_else(String::new, |baud| format!(" at {baud} baud"));
        let idle: Vec<&Sink> = sinks.iter().filter(|sink| sink.taken == 0).collect();
        let Some(sink) = idle.first() else {
            return;
        };
        if counters.bytes == 0 {
            log::warn!(
                "{port}: no byte arrived in 3 s{baud}; expected {protocol}: is the device switched on, and its TX connected to our RX?"
            );
        } else if counters.frames == 0 {
            log::warn!(
                "{port}: found {} bytes{baud} and no {protocol}; expected another baud rate or protocol",
                counters.bytes
            );
        } else {
            let seen = self.seen.iter();
            let seen: Vec<String> = seen
                .map(|(name, numbers)| format!("{name} ({})", numbers.join(", ")))
                .collect();
            log::warn!(
                "{}: found no message with `{}`; expected one of {port}, which has {}",
                sink.end.name(),
                sink.keys(),
                match seen.is_empty() {
                    true => "none that is known".to_owned(),
                    false => seen.join("; "),
                }
            );
        }
    }

    pub(crate) fn at_end(&self, counters: Counters) {
        let port = &self.port;
        let is_clean = Counters {
            bytes: counters.bytes,
            frames: counters.frames,
            frame_bytes: counters.frame_bytes,
            ..Counters::default()
        } == counters;
        match is_clean {
            true => log::debug!("{port}: {counters}"),
            false => log::warn!("{port}: {counters}"),
        }
    }
}
