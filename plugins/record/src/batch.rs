//! Data of ticks, as plain values in writing order. Batches are reused, so that a steady-state tick allocates nothing.

use crate::stage::{Stage, Topic};
use becomingone_components::body::Pose;
use becomingone_components::event::AgentEvent;
use becomingone_components::link::Frame;
use std::sync::Arc;

/// Numeric message; the numbers of messages follow each other in [`Batch::numbers`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Index into the stage's topics.
    pub(crate) topic: u32,
    /// Count of numbers.
    pub(crate) len: u32,
    /// Count of bytes beside the numbers; the bytes of messages follow each other in [`Batch::bytes`].
    pub(crate) bytes: u32,
    /// Time of measurement (ns).
    pub(crate) source_ns: u64,
    /// Time of arrival in the run (ns).
    pub(crate) arrival_ns: u64,
    /// Sequence number of a reading.
    pub(crate) sequence: u64,
}

/// Item to write.
#[derive(Debug)]
pub(crate) enum Entry {
    /// Start of a run.
    Stage(Box<Stage>),
    /// Topics of entities that were spawned during the run.
    Topics(Vec<Arc<Topic>>),
    /// Start of the items of this tick, which ended at this time (ns).
    Tick { tick: u64, now_ns: u64 },
    /// External input frame.
    Frame(Box<Frame>),
    /// Numeric message.
    Row(Row),
    /// Link poses of an agent; they follow each other in [`Batch::poses`].
    Body { agent: u32, links: u32 },
    /// Event.
    AgentEvent(Box<AgentEvent>),
    /// End of a tick: the chained hash, and those of the parts, which follow each other in [`Batch::parts`].
    Hash { hash: u64, parts: u32 },
}

/// Data of some ticks.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Count of ticks.
    pub(crate) ticks: u64,
    /// Ticks dropped since the previous batch.
    pub(crate) dropped_before: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) numbers: Vec<f64>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) poses: Vec<Pose>,
    pub(crate) parts: Vec<(&'static str, u64)>,
}

impl Batch {
    /// Empties the batch and keeps its allocations.
    pub(crate) fn clear(&mut self) {
        let Self {
            ticks,
            dropped_before,
            entries,
            numbers,
            bytes,
            poses,
            parts,
        } = self;
        (*ticks, *dropped_before) = (0, 0);
        entries.clear();
        numbers.clear();
        bytes.clear();
        poses.clear();
        parts.clear();
    }

    /// Whether it is large enough to write.
    pub(crate) fn is_full(&self) -> bool {
        /// 64 ticks or about 64 kB.
        const TICKS: u64 = 64;
        const WORDS: usize = 8192;
        self.ticks >= TICKS
            || self.bytes.len() / 8
                + self.numbers.len()
                + 8 * self.poses.len()
                + 6 * self.entries.len()
                >= WORDS
    }

    /// Adds a message with the numbers that `fill` pushes.
    pub(crate) fn row(&mut self, row: Row, fill: impl FnOnce(&mut Vec<f64>)) {
        let before = self.numbers.len();
        fill(&mut self.numbers);
        let len = (self.numbers.len() - before) as u32;
        self.entries.push(Entry::Row(Row { len, ..row }));
    }
}

impl Batch {
    /// Whether it holds topics, without which later batches cannot be read.
    pub(crate) fn has_topics(&self) -> bool {
        let has = |e: &Entry| matches!(e, Entry::Stage(_) | Entry::Topics(_));
        self.entries.iter().any(has)
    }
}
