//! A filter of topics, and the sensors that read its messages.

use crate::config::Config;
use crate::connection::Qos;
use crate::protocol::Decode;
use crate::topics::overlap;
use becomingone_systems::links::{Readers, SensorEnd};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Topics of a filter whose last message is remembered.
const MAX_TOPICS: usize = 1024;

/// Sensors with the same filter and layout.
pub(crate) struct Subscription {
    pub(crate) filter: String,
    pub(crate) qos: Qos,
    decode: Decode,
    /// Whether retained messages are readings.
    retained: bool,
    pub(crate) readers: Readers,
    /// Hash of the last message of each topic.
    last: BTreeMap<String, u64>,
}

impl Subscription {
    pub(crate) fn new(config: &Config, port: &str) -> Self {
        Self {
            filter: config.topic.clone(),
            qos: Qos(config.qos),
            decode: config.decode.unwrap_or_default(),
            retained: config.retained.unwrap_or(true),
            readers: Readers::new(&format!("{port}, {}", config.topic), "messages"),
            last: BTreeMap::new(),
        }
    }

    /// Whether a sensor of these options is one of it.
    pub(crate) fn has(&self, config: &Config) -> bool {
        (&self.filter, self.decode, self.retained)
            == (
                &config.topic,
                config.decode.unwrap_or_default(),
                config.retained.unwrap_or(true),
            )
    }

    pub(crate) fn add(&mut self, config: &Config, end: SensorEnd) -> Result<(), String> {
        self.qos = self.qos.max(Qos(config.qos));
        let places = config.places(end.site());
        self.readers.add(end, places)
    }

    /// Takes the readings of a message, if it is one of its topics, that arrived at this time (ns).
    pub(crate) fn take(&mut self, topic: &str, payload: &[u8], is_retained: bool, arrival_ns: u64) {
        if !overlap(&self.filter, topic) {
            return;
        }
        // After each subscription, and each connection has one, the broker sends retained messages again.
        let mut hasher = DefaultHasher::new();
        payload.hash(&mut hasher);
        let hash = hasher.finish();
        let is_same = self.last.get(topic) == Some(&hash);
        if !is_same && (self.last.len() < MAX_TOPICS || self.last.contains_key(topic)) {
            self.last.insert(topic.to_owned(), hash);
        }
        if is_retained && (is_same || !self.retained) {
            return;
        }
        let decoded = self.decode.document(payload);
        self.readers.take(decoded, payload, arrival_ns);
    }
}
