//! What ticks say, as plain data, in the order in which it is written. Batches are used again, so that a steady
//! tick allocates nothing.

use crate::stage::Stage;
use becomingone_components::body::Pose;
use becomingone_components::event::AgentEvent;
use becomingone_components::link::Frame;

/// One message of numbers; they follow each other in [`Batch::numbers`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Index into the stage's topics.
    pub(crate) topic: u32,
    /// How many numbers.
    pub(crate) len: u32,
    /// When it was so (ns).
    pub(crate) source_ns: u64,
    /// When it entered the run (ns).
    pub(crate) arrival_ns: u64,
    /// Of a reading: which.
    pub(crate) sequence: u64,
}

/// What is written.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A run starts.
    Stage(Box<Stage>),
    /// What follows belongs to this tick, which ended at this time (ns).
    Tick { tick: u64, now_ns: u64 },
    /// What entered.
    Frame(Box<Frame>),
    /// Numbers.
    Row(Row),
    /// Where the links of an agent are; their poses follow each other in [`Batch::poses`].
    Body { agent: u32, links: u32 },
    /// What happened.
    AgentEvent(Box<AgentEvent>),
    /// The chained hash, and those of the parts, which follow each other in [`Batch::parts`].
    Hash { hash: u64, parts: u32 },
}

/// What some ticks say.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Ticks in it.
    pub(crate) ticks: u64,
    /// Ticks that were dropped just before it.
    pub(crate) dropped_before: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) numbers: Vec<f64>,
    pub(crate) poses: Vec<Pose>,
    pub(crate) parts: Vec<(&'static str, u64)>,
}

impl Batch {
    /// Forgets everything but the memory.
    pub(crate) fn clear(&mut self) {
        let Self {
            ticks,
            dropped_before,
            entries,
            numbers,
            poses,
            parts,
        } = self;
        (*ticks, *dropped_before) = (0, 0);
        entries.clear();
        numbers.clear();
        poses.clear();
        parts.clear();
    }

    /// Whether it is large enough to be written.
    pub(crate) fn is_full(&self) -> bool {
        /// 64 ticks or about 64 kB.
        const TICKS: u64 = 64;
        const WORDS: usize = 8192;
        self.ticks >= TICKS
            || self.numbers.len() + 8 * self.poses.len() + 6 * self.entries.len() >= WORDS
    }

    /// Adds a message of the numbers that `fill` gives.
    pub(crate) fn row(&mut self, row: Row, fill: impl FnOnce(&mut Vec<f64>)) {
        let before = self.numbers.len();
        fill(&mut self.numbers);
        let len = (self.numbers.len() - before) as u32;
        self.entries.push(Entry::Row(Row { len, ..row }));
    }
}

impl Batch {
    /// Whether a run starts in it: without its stage, what follows means nothing.
    pub(crate) fn starts_a_run(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, Entry::Stage(_)))
    }
}
