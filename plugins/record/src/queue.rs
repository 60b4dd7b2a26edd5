//! The bounded queue between the tick and the thread that writes.
//!
//! The tick fills an open batch under a lock that it shares with nobody but the writer, which takes what is open
//! only when it is time to flush: so the last second of a run that is paused, or slow, is on the disk as well.

use crate::batch::Batch;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Full batches that may wait: sixteen seconds of a run with ticks of a millisecond.
pub const QUEUE: usize = 256;

/// What became of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Ticks that were handed to the writer.
    pub ticks: u64,
    /// Ticks that were dropped, because the disk could not keep up.
    pub dropped: u64,
    /// Why the recording is not whole beside that.
    pub lost: Option<String>,
}

#[derive(Default)]
struct Inner {
    full: VecDeque<Batch>,
    /// What the tick fills; none while the writer has it.
    open: Option<Batch>,
    /// Batches that were written.
    spare: Vec<Batch>,
    /// The run is over: what is not written by then is lost.
    end: Option<Instant>,
    /// Nothing more is written.
    dead: bool,
    /// The writer's last word.
    ended: bool,
    report: Report,
    /// Ticks dropped since the last that was sent.
    dropped: u64,
    /// Whether there was room the last time that it was waited for.
    flows: bool,
}

/// The queue.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// Something is there to write.
    work: Condvar,
    /// There is room again, or the end.
    room: Condvar,
}

/// What a tick may do where the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Simulated time follows wall time: nothing waits.
    None,
    /// Wait for the disk as long as it moves at all.
    Disk,
}

/// Longest that a fast run waits for a disk that takes nothing.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// What there is to write.
pub(crate) struct Work {
    pub(crate) batches: Vec<Batch>,
    /// Set where the run is over and there is no more.
    pub(crate) end: Option<Instant>,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                flows: true,
                ..Inner::default()
            }),
            work: Condvar::new(),
            room: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `fill` add to the open batch.
    pub(crate) fn fill(&self, fill: impl FnOnce(&mut Batch), patience: Patience) {
        let mut inner = self.lock();
        if inner.dead || inner.end.is_some() {
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
        if inner.full.len() >= QUEUE && patience == Patience::Disk && inner.flows {
            let deadline = self.room.wait_timeout_while(inner, FLUSH_TIMEOUT, |inner| {
                inner.full.len() >= QUEUE && !inner.dead
            });
            inner = deadline.unwrap_or_else(PoisonError::into_inner).0;
            // Who did not find room in all that time does not wait for it again.
            inner.flows = inner.full.len() < QUEUE;
        }
        let starts = batch.starts_a_run();
        if inner.full.len() >= QUEUE && !starts {
            if inner.report.dropped == 0 {
                log::error!("the disk does not keep up: parts of the recording are dropped");
            }
            inner.dropped += batch.ticks;
            inner.report.dropped += batch.ticks;
            batch.clear();
            inner.open = Some(batch);
            return;
        }
        if inner.full.len() < QUEUE {
            inner.flows = true;
        }
        inner.report.ticks += batch.ticks;
        batch.dropped_before = std::mem::take(&mut inner.dropped);
        inner.full.push_back(batch);
        drop(inner);
        self.work.notify_one();
    }

    /// Waits for work until `by`; at `by`, also for what is open.
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

    /// Gives a batch back that was written.
    pub(crate) fn give_back(&self, mut batch: Batch) {
        batch.clear();
        let mut inner = self.lock();
        if inner.spare.len() < QUEUE {
            inner.spare.push(batch);
        }
    }

    /// Takes all that there is now, where nobody writes.
    pub(crate) fn take(&self) -> Vec<Batch> {
        let mut inner = self.lock();
        let open = inner.open.take();
        inner.full.drain(..).chain(open).collect()
    }

    /// Nothing more is written, and why.
    pub(crate) fn die(&self, why: String) {
        let mut inner = self.lock();
        inner.dead = true;
        inner.report.lost.get_or_insert(why);
        inner.full.clear();
        inner.open = None;
        drop(inner);
        self.room.notify_all();
    }

    /// The writer's last word: whether all was written.
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
            let why = format!("the disk did not take the end of the recording within {limit:?}");
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

    fn tick(queue: &Queue, tick: u64, patience: Patience) {
        let fill = |batch: &mut Batch| {
            batch.ticks += 1;
            batch.entries.push(Entry::Tick { tick, now_ns: tick });
        };
        queue.fill(fill, patience);
    }

    #[test]
    fn a_paced_run_drops_what_finds_no_room_and_says_so_later() {
        let queue = Queue::new();
        let most = (QUEUE as u64 + 2) * 64;
        for k in 0..most {
            tick(&queue, k, Patience::None);
        }
        assert_eq!(queue.lock().report.dropped, 128);
        let work = queue.wait(Instant::now() + Duration::from_secs(60), Instant::now);
        assert_eq!(work.batches.len(), QUEUE);
        for k in 0..64 {
            tick(&queue, most + k, Patience::None);
        }
        let work = queue.wait(Instant::now() + Duration::from_secs(60), Instant::now);
        assert_eq!(work.batches[0].dropped_before, 128);
        assert!(matches!(work.batches[0].entries[0], Entry::Tick { tick, .. } if tick == most));
    }

    #[test]
    fn a_fast_run_waits_for_the_writer_and_loses_nothing() {
        let queue = std::sync::Arc::new(Queue::new());
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
            tick(&queue, k, Patience::Disk);
        }
        thread.join().unwrap();
        assert_eq!(queue.lock().report.dropped, 0);
    }

    #[test]
    fn what_is_open_is_taken_when_it_is_time() {
        let queue = Queue::new();
        tick(&queue, 1, Patience::None);
        let now = Instant::now();
        let work = queue.wait(now, Instant::now);
        assert_eq!(work.batches.len(), 1);
        assert!(queue.wait(now, Instant::now).batches.is_empty());
    }
}
