//! Bounded queue between the tick and the writer thread.
//!
//! The tick fills an open batch under a lock that only the writer shares. The writer takes the open batch when a flush is
//! due, so that the last second of a paused or slow run reaches the disk, too.

use crate::batch::Batch;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Capacity of the queue (full batches): 16 s of a run with ticks of 1 ms.
pub const QUEUE: usize = 256;

/// Most that waits in a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Full batches.
    batches: usize,
    /// Bytes beside numbers, such as images.
    bytes: usize,
    /// What is too slow where the queue is full.
    slow: &'static str,
}

impl Room {
    /// A recording.
    pub(crate) const OF_A_FILE: Self = Self {
        batches: QUEUE,
        bytes: 64 << 20,
        slow: "the disk is too slow: dropping parts of the recording",
    };
    /// Clients: what is older than the last moments is of no use to them.
    pub(crate) const OF_CLIENTS: Self = Self {
        batches: 32,
        bytes: 32 << 20,
        slow: "the run is faster than it can be shown: clients lose ticks",
    };
}

/// Written batches with more room for bytes are not reused.
const MAX_SPARE_BYTES: usize = 1 << 20;

/// Result of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Ticks passed to the writer.
    pub ticks: u64,
    /// Ticks dropped because the disk was too slow.
    pub dropped: u64,
    /// Any other reason for an incomplete recording.
    pub lost: Option<String>,
}

#[derive(Default)]
struct Inner {
    full: VecDeque<Batch>,
    /// Batch that the tick fills; `None` after the writer took it.
    open: Option<Batch>,
    /// Written batches, for reuse.
    spare: Vec<Batch>,
    /// Deadline after the end of the run: data not written by then is lost.
    end: Option<Instant>,
    /// Whether writing has stopped after an error.
    stopped: bool,
    /// Whether the writer thread has finished.
    ended: bool,
    report: Report,
    /// Ticks dropped since the last batch that was queued.
    dropped: u64,
    /// Whether the last wait for room succeeded.
    has_room: bool,
}

impl Inner {
    fn is_full(&self, room: Room) -> bool {
        let bytes = || self.full.iter().map(|b| b.bytes.len()).sum::<usize>();
        self.full.len() >= room.batches || bytes() >= room.bytes
    }
}

/// Bounded queue of batches.
pub(crate) struct Queue {
    size: Room,
    inner: Mutex<Inner>,
    /// Signals new batches, or the end.
    work: Condvar,
    /// Signals room in the queue, or the end of writing.
    room: Condvar,
}

/// Behaviour of a tick if the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// Paced run, or one that is shown: drops the batch.
    Drop,
    /// Run that is not paced: waits as long as the disk makes progress.
    WaitForDisk,
}

/// Longest wait of a run that is not paced for a disk without progress.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// Batches to write.
pub(crate) struct Work {
    pub(crate) batches: Vec<Batch>,
    /// Deadline, if the run is over and these are the last batches.
    pub(crate) end: Option<Instant>,
}

impl Queue {
    pub(crate) fn new(size: Room) -> Self {
        Self {
            size,
            inner: Mutex::new(Inner {
                has_room: true,
                ..Inner::default()
            }),
            work: Condvar::new(),
            room: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `fill` with the open batch, and queues the batch when it is full.
    pub(crate) fn fill(&self, fill: impl FnOnce(&mut Batch), when_full: WhenFull) {
        let mut inner = self.lock();
        if inner.stopped || inner.end.is_some() {
            return;
        }
        let mut batch = match inner.open.take() {
            Some(batch) => batch,
            None => inner.spare.pop().unwrap_or_default(),
        };
        fill(&mut batch);
        if !batch.is_full() {
            inner.open = Some(batch);
            return;
        }
        if inner.is_full(self.size) && when_full == WhenFull::WaitForDisk && inner.has_room {
            let deadline = self.room.wait_timeout_while(inner, FLUSH_TIMEOUT, |inner| {
                inner.is_full(self.size) && !inner.stopped
            });
            inner = deadline.unwrap_or_else(PoisonError::into_inner).0;
            // After a time-out, do not wait again until there is room.
            inner.has_room = !inner.is_full(self.size);
        }
        let needed = batch.has_topics();
        if inner.is_full(self.size) && !needed {
            if inner.report.dropped == 0 {
                log::error!("{}", self.size.slow);
            }
            inner.dropped += batch.ticks;
            inner.report.dropped += batch.ticks;
            batch.clear();
            inner.open = Some(batch);
            return;
        }
        if !inner.is_full(self.size) {
            inner.has_room = true;
        }
        inner.report.ticks += batch.ticks;
        batch.dropped_before = std::mem::take(&mut inner.dropped);
        inner.full.push_back(batch);
        drop(inner);
        self.work.notify_one();
    }

    /// Waits for full batches until `by`; from then on also takes the open batch.
    pub(crate) fn wait(&self, by: Instant, now: impl Fn() -> Instant) -> Work {
        let mut inner = self.lock();
        while inner.full.is_empty() && inner.end.is_none() && now() < by {
            let left = by.saturating_duration_since(now());
            inner = self
                .work
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let mut batches: Vec<_> = inner.full.drain(..).collect();
        if (inner.end.is_some() || now() >= by)
            && let Some(mut open) = inner.open.take()
        {
            inner.report.ticks += open.ticks;
            open.dropped_before = std::mem::take(&mut inner.dropped);
            batches.push(open);
        }
        let end = inner.end;
        drop(inner);
        self.room.notify_all();
        Work { batches, end }
    }

    /// Returns a written batch for reuse.
    pub(crate) fn give_back(&self, mut batch: Batch) {
        batch.clear();
        let mut inner = self.lock();
        if batch.bytes.capacity() <= MAX_SPARE_BYTES && inner.spare.len() < self.size.batches {
            inner.spare.push(batch);
        }
    }

    /// Takes all batches; for use without a writer thread.
    pub(crate) fn take(&self) -> Vec<Batch> {
        let mut inner = self.lock();
        let open = inner.open.take();
        inner.full.drain(..).chain(open).collect()
    }

    /// Stops writing, with the reason.
    pub(crate) fn stop(&self, why: String) {
        let mut inner = self.lock();
        inner.stopped = true;
        inner.report.lost.get_or_insert(why);
        inner.full.clear();
        inner.open = None;
        drop(inner);
        self.room.notify_all();
    }

    /// Marks the writer thread as finished; `lost` is the reason for an incomplete recording.
    pub(crate) fn end(&self, lost: Option<String>) {
        let mut inner = self.lock();
        inner.ended = true;
        if let Some(why) = lost {
            inner.report.lost.get_or_insert(why);
        }
        drop(inner);
        self.room.notify_all();
    }

    /// See [`crate::finish`].
    pub(crate) fn finish(&self, now: Instant, limit: Duration) -> Option<Report> {
        let mut inner = self.lock();
        if inner.end.is_some() {
            return None;
        }
        inner.end = Some(now.checked_add(limit).unwrap_or(now));
        self.work.notify_one();
        let waited = self
            .room
            .wait_timeout_while(inner, limit, |inner| !inner.ended);
        inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        let mut report = inner.report.clone();
        if !inner.ended {
            let why = format!("the end of the recording was not on the disk within {limit:?}");
            report.lost.get_or_insert(why);
        }
        Some(report)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;
    use crate::batch::Entry;

    fn tick(queue: &Queue, tick: u64, when_full: WhenFull) {
        let fill = |batch: &mut Batch| {
            batch.ticks += 1;
            batch.entries.push(Entry::Tick { tick, now_ns: tick });
        };
        queue.fill(fill, when_full);
    }

    #[test]
    fn paced_run_drops_batches_on_a_full_queue_and_counts_them() {
        let queue = Queue::new(Room::OF_A_FILE);
        let most = (QUEUE as u64 + 2) * 64;
        for k in 0..most {
            tick(&queue, k, WhenFull::Drop);
        }
        assert_eq!(queue.lock().report.dropped, 128);
        let work = queue.wait(Instant::now() + Duration::from_secs(60), Instant::now);
        assert_eq!(work.batches.len(), QUEUE);
        for k in 0..64 {
            tick(&queue, most + k, WhenFull::Drop);
        }
        let work = queue.wait(Instant::now() + Duration::from_secs(60), Instant::now);
        assert_eq!(work.batches[0].dropped_before, 128);
        assert!(matches!(work.batches[0].entries[0], Entry::Tick { tick, .. } if tick == most));
    }

    #[test]
    fn unpaced_run_waits_for_the_writer_and_loses_nothing() {
        let queue = std::sync::Arc::new(Queue::new(Room::OF_A_FILE));
        let writer = queue.clone();
        let most = (QUEUE as u64 * 4) * 64;
        let thread = std::thread::spawn(move || {
            let mut next = 0;
            while next < most {
                let by = Instant::now() + Duration::from_millis(50);
                for batch in writer.wait(by, Instant::now).batches {
                    for entry in &batch.entries {
                        assert!(matches!(entry, Entry::Tick { tick, .. } if *tick == next));
                        next += 1;
                    }
                    writer.give_back(batch);
                }
            }
        });
        for k in 0..most {
            tick(&queue, k, WhenFull::WaitForDisk);
        }
        thread.join().unwrap();
        assert_eq!(queue.lock().report.dropped, 0);
    }

    #[test]
    fn open_batch_is_taken_when_a_flush_is_due() {
        let queue = Queue::new(Room::OF_A_FILE);
        tick(&queue, 1, WhenFull::Drop);
        let now = Instant::now();
        let work = queue.wait(now, Instant::now);
        assert_eq!(work.batches.len(), 1);
        assert!(queue.wait(now, Instant::now).batches.is_empty());
    }
}
