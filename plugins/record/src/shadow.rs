//! Messages that a recorder would write, to compare a replay with its recording.

use crate::batch::{Batch, Entry};
use crate::journal::Message;
use crate::queue::{Queue, Room};
use crate::stage::Stage;
use crate::{json, systems};
use bevy_app::{App, Plugin};
use std::sync::Arc;

/// Plugin that collects the messages of each tick without writing them.
#[derive(Clone)]
pub struct ShadowPlugin(Arc<Queue>);

impl Default for ShadowPlugin {
    fn default() -> Self {
        Self(Arc::new(Queue::new(Room::OF_A_FILE)))
    }
}

impl Plugin for ShadowPlugin {
    fn build(&self, app: &mut App) {
        systems::add(app, self.0.clone(), systems::Kind::Shadow);
    }
}

/// Receiver of the messages of a [`ShadowPlugin`].
pub struct Shadow {
    queue: Arc<Queue>,
    stage: Stage,
    tick: Vec<Batch>,
}

/// Message that differs between recording and replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Topic: `/rover/imu`.
    pub topic: String,
    /// Recorded message; `None` if there is none.
    pub recorded: Option<String>,
    /// Replayed message; `None` if there is none.
    pub replayed: Option<String>,
}

impl Shadow {
    /// Creates the receiver of this plugin.
    pub fn of(plugin: &ShadowPlugin) -> Self {
        Self {
            queue: plugin.0.clone(),
            stage: Stage::default(),
            tick: Vec::new(),
        }
    }

    /// Takes the messages of the last tick.
    pub fn take(&mut self) {
        for batch in self.tick.drain(..) {
            self.queue.give_back(batch);
        }
        self.tick = self.queue.take();
        for batch in &mut self.tick {
            for entry in &mut batch.entries {
                match entry {
                    Entry::Stage(stage) => self.stage = std::mem::take(stage),
                    Entry::Topics(added) => self.stage.topics.append(added),
                    _ => {}
                }
            }
        }
    }

    /// Messages of the tick taken last, as they would be written.
    fn messages(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for batch in &self.tick {
            let (mut number, mut byte, mut now) = (0, 0, 0);
            for entry in &batch.entries {
                match entry {
                    Entry::Tick { tick, .. } => now = *tick,
                    Entry::Row(row) => {
                        let to = number + row.len as usize;
                        let numbers = batch.numbers.get(number..to).unwrap_or_default();
                        number = to;
                        let to = byte + row.bytes as usize;
                        let bytes = batch.bytes.get(byte..to).unwrap_or_default();
                        byte = to;
                        if let Some(topic) = self.stage.topics.get(row.topic as usize) {
                            let mut text = Vec::new();
                            json::row(&mut text, &topic.form, now, row, numbers, bytes);
                            all.push((topic.name.clone(), text));
                        }
                    }
                    _ => {}
                }
            }
        }
        let text = |bytes| String::from_utf8(bytes).unwrap_or_default();
        all.into_iter()
            .map(|(topic, bytes)| (topic, text(bytes)))
            .collect()
    }

    /// First message of the tick that differs from its recording.
    pub fn difference(&self, recorded: &[Message]) -> Option<Difference> {
        let known: Vec<&str> = self.stage.topics.iter().map(|t| t.name.as_str()).collect();
        let recorded = recorded.iter().filter(|m| known.contains(&&*m.topic));
        let recorded = recorded.map(|m| {
            let text = String::from_utf8_lossy(&m.bytes).into_owned();
            (m.topic.to_string(), text)
        });
        let mut recorded = recorded.collect::<Vec<_>>().into_iter();
        let mut replayed = self.messages().into_iter();
        loop {
            match (recorded.next(), replayed.next()) {
                (None, None) => return None,
                (a, b) if a == b => {}
                (Some((topic, a)), Some((other, b))) if topic == other => {
                    return Some(Difference {
                        topic,
                        recorded: Some(a),
                        replayed: Some(b),
                    });
                }
                (Some((topic, a)), _) => {
                    return Some(Difference {
                        topic,
                        recorded: Some(a),
                        replayed: None,
                    });
                }
                (None, Some((topic, b))) => {
                    return Some(Difference {
                        topic,
                        recorded: None,
                        replayed: Some(b),
                    });
                }
            }
        }
    }
}
