//! Bounded sort of messages by their log time, for files without an index.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Most memory of the buffer (bytes).
const MAX_BYTES: usize = 128 << 20;

/// Values of the channels in a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) time_ns: u64,
    pub(crate) values: Vec<(usize, f64)>,
}

impl Sample {
    fn bytes(&self) -> usize {
        size_of::<Held>() + self.values.capacity() * size_of::<(usize, f64)>()
    }
}

/// Sample with its number: samples of the same time stay in the order of the file.
#[derive(Debug)]
struct Held {
    number: u64,
    sample: Sample,
}

impl Held {
    fn key(&self) -> (u64, u64) {
        (self.sample.time_ns, self.number)
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Samples that wait for earlier ones.
#[derive(Debug, Default)]
pub(crate) struct SortBuffer {
    held: BinaryHeap<Reverse<Held>>,
    bytes: usize,
    pushed: u64,
    latest_ns: u64,
    /// Samples that were before an earlier one of the file.
    unordered: u64,
}

impl SortBuffer {
    pub(crate) fn push(&mut self, sample: Sample) {
        self.unordered += u64::from(sample.time_ns < self.latest_ns);
        self.latest_ns = self.latest_ns.max(sample.time_ns);
        self.bytes += sample.bytes();
        self.held.push(Reverse(Held {
            number: self.pushed,
            sample,
        }));
        self.pushed += 1;
    }

    /// Removes the earliest sample if none can come before it, at this least time of all that follow, or if the buffer
    /// is full.
    pub(crate) fn pop_ready(&mut self, floor_ns: u64) -> Option<Sample> {
        let Reverse(first) = self.held.peek()?;
        if first.sample.time_ns <= floor_ns || self.bytes > MAX_BYTES {
            self.pop()
        } else {
            None
        }
    }

    /// Removes the earliest sample.
    pub(crate) fn pop(&mut self) -> Option<Sample> {
        let Reverse(Held { sample, .. }) = self.held.pop()?;
        self.bytes -= sample.bytes();
        Some(sample)
    }

    /// Notes at the end of a file of which `late` samples came too late to be sorted.
    pub(crate) fn notes(&self, late: u64) -> Vec<String> {
        let mut notes = Vec::new();
        if self.unordered > 0 {
            notes.push(format!(
                "{} messages are not in order of log time in the file: they were sorted",
                self.unordered
            ));
        }
        if late > 0 {
            notes.push(format!(
                "{late} messages came too late to be sorted (more than {} MiB after later ones) and were dropped; `mcap sort` sorts an MCAP file",
                MAX_BYTES >> 20
            ));
        }
        notes
    }
}
