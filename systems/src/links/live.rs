//! Live links: tick side of a queue, and of a recording that is read as time passes.

use super::clock::ClockMap;
use super::input::{InputLink, InputSample};
use super::queue::{PortState, SensorEnd, Waiting};
use becomingone_components::link::{Clock, Counts, LinkState, Payload};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Tick side of a driver's link.
pub(super) struct QueueLink {
    end: SensorEnd,
    port: PortState,
    taken: VecDeque<Waiting>,
    map: ClockMap,
    /// Last reported state.
    state: LinkState,
    clock: Clock,
    counts: Counts,
    /// Whether a stamp was ignored, which is logged once.
    was_ignored: bool,
}

impl QueueLink {
    pub(super) fn new(end: SensorEnd, port: PortState) -> Self {
        Self {
            end,
            port,
            taken: VecDeque::new(),
            map: ClockMap::default(),
            state: LinkState::default(),
            clock: Clock::default(),
            counts: Counts::default(),
            was_ignored: false,
        }
    }

    /// Logs the first stamp that is ignored.
    fn report_ignored(&mut self) {
        if self.map.ignored() > 0 && !self.was_ignored {
            self.was_ignored = true;
            log::warn!(
                "{}: found a stamp more than 0.1 s ahead of the others; it is ignored, as are further ones unless four in a row agree",
                self.end.name()
            );
        }
    }
}

/// Logs how many were ignored.
impl Drop for QueueLink {
    fn drop(&mut self) {
        let count = self.map.ignored();
        if count > 1 {
            log::warn!("{}: {count} stamps in all were ignored", self.end.name());
        }
    }
}

fn now(now_ns: u64, payload: Payload) -> InputSample {
    InputSample {
        source_ns: now_ns,
        arrival_ns: now_ns,
        payload,
    }
}

impl InputLink for QueueLink {
    fn link(&self) -> &str {
        self.end.name()
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        let (counts, faulted) = self.end.take(&mut self.taken);
        self.map.wait(now_ns);
        for waiting in self.taken.drain(..) {
            if waiting.anew {
                self.map.anew();
            }
            // Captured since the last tick, however the threads were scheduled.
            let arrival_ns = waiting.arrival_ns.min(now_ns);
            let source_ns = self.map.map(waiting.sample.stamp_ns, arrival_ns);
            give(InputSample {
                source_ns,
                arrival_ns,
                payload: Payload::Reading {
                    numbers: waiting.sample.numbers,
                    bytes: waiting.sample.bytes,
                },
            });
        }
        self.report_ignored();
        let state = if faulted {
            LinkState::Faulted
        } else {
            self.port.get()
        };
        if self.state != state {
            self.state = state;
            give(now(now_ns, Payload::State(state)));
        }
        if self.clock != self.map.clock() {
            self.clock = self.map.clock();
            give(now(now_ns, Payload::Clock(self.clock)));
        }
        if self.counts != counts {
            self.counts = counts;
            give(now(now_ns, Payload::Counts(counts)));
        }
    }

    fn reset(&mut self) {
        self.end.clear();
        *self = Self::new(self.end.clone(), self.port.clone());
    }
}

/// One row of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedRow {
    /// Arrival (ns from the run's start): it enters in the first tick at or after that.
    pub at_ns: u64,
    /// Source time (ns from the run's start).
    pub source_ns: u64,
    /// Numbers, in the order of the measurement; `NaN` where there is no value.
    pub numbers: Vec<f64>,
}

/// A recording that is read row by row, in the order of time.
pub trait Recording: Send + 'static {
    /// The next row; none at the end, and where the rest cannot be read, which the recording logs.
    fn next(&mut self) -> Option<RecordedRow>;
    /// Returns to the first row.
    fn rewind(&mut self);
}

/// A recording as a live link, advanced by time.
pub(super) struct RecordedLink {
    name: String,
    // Only accessed through `&mut`: the lock is for files that are not `Sync`.
    recording: Mutex<Box<dyn Recording>>,
    next: Option<RecordedRow>,
    state: LinkState,
}

/// Maximum rows that enter in one tick; more wait for the next one.
const ROWS_A_TICK: usize = 4096;

impl RecordedLink {
    pub(super) fn new(name: String, recording: Box<dyn Recording>) -> Self {
        Self {
            name,
            recording: Mutex::new(recording),
            next: None,
            state: LinkState::Declared,
        }
    }

    fn open(&mut self) -> &mut dyn Recording {
        let recording = self.recording.get_mut();
        &mut **recording.unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&mut self) -> Option<RecordedRow> {
        self.open().next()
    }
}

impl InputLink for RecordedLink {
    fn link(&self) -> &str {
        &self.name
    }

    fn drain(&mut self, now_ns: u64, give: &mut dyn FnMut(InputSample)) {
        if self.state == LinkState::Ended {
            return;
        }
        if self.state == LinkState::Declared {
            self.next = self.read();
            self.state = LinkState::Up;
            give(now(now_ns, Payload::State(self.state)));
        }
        for _ in 0..ROWS_A_TICK {
            let Some(row) = self.next.take_if(|row| row.at_ns <= now_ns) else {
                break;
            };
            self.next = self.read();
            give(InputSample {
                source_ns: row.source_ns,
                arrival_ns: now_ns,
                payload: Payload::Reading {
                    numbers: row.numbers,
                    bytes: Vec::new(),
                },
            });
        }
        if self.next.is_none() {
            self.state = LinkState::Ended;
            give(now(now_ns, Payload::State(self.state)));
        }
    }

    fn reset(&mut self) {
        self.open().rewind();
        self.next = None;
        self.state = LinkState::Declared;
    }
}
