//! The bounded queue's end in the world: what is due, what is dropped, and the end of it all.

use crate::batch::Batch;
use crate::stage::Stage;
use becomingone_components::time::NS_PER_S;
use bevy_ecs::prelude::*;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Batches that the queue holds: over ten simulated seconds of one agent.
pub const QUEUE: usize = 1024;
/// Longest time that a tick waits for room, where the sink is a file.
pub const FLUSH_TIMEOUT: Duration = Duration::from_millis(50);

/// Most often that poses and trajectories are shown, in simulated time.
const POSES_HZ: u64 = 30;
/// Most often that speeds, commands and plans are.
const SCALARS_HZ: u64 = 20;
/// Most often that readings and kernels are; a lidar's turns have a cap of their own.
const READINGS_HZ: u64 = 50;

/// What became of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches, one a tick that had something to show, that were handed on to Rerun.
    pub sent: u64,
    /// Batches that were dropped because the file or the viewer could not keep up, or was gone.
    pub dropped: u64,
    /// Why the recording is not whole beside that; none where all that was sent arrived. Rerun does not say
    /// whether a viewer that dies within the last instants still heard them.
    pub lost: Option<String>,
}

/// What goes through the queue.
pub(crate) enum Entry {
    /// A run starts.
    Stage(Box<Stage>),
    /// A tick.
    Batch(Box<Batch>),
    /// There is no more.
    End {
        /// Batches that were dropped last.
        dropped: u64,
        /// What is not written by then is lost.
        deadline: Instant,
    },
}

/// The thread's last word.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Why it is not whole.
    pub(crate) lost: Option<String>,
}

/// The ends of the queues between the world and the thread.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) entries: Sender<Entry>,
    /// Batches that were used.
    pub(crate) used: Receiver<Box<Batch>>,
    pub(crate) ended: Receiver<Ended>,
    /// Batches that entered the queue and were thrown away so far: known also where the last word comes too late.
    pub(crate) discarded: Arc<AtomicU64>,
    /// How long a tick waits for room.
    pub(crate) patience: Duration,
    /// Of the sink, for messages.
    pub(crate) sink_name: String,
}

/// At most so often, in simulated time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    period_ns: u64,
    next_ns: u64,
}

impl Cap {
    /// First due at once.
    pub(crate) const fn new(rate_hz: u64) -> Self {
        Self {
            period_ns: NS_PER_S / rate_hz,
            next_ns: 0,
        }
    }

    /// When it is due next (ns).
    pub(crate) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Whether it is due; if so, it is due next in the next period from the run's start.
    pub(crate) fn due(&mut self, now_ns: u64) -> bool {
        let due = now_ns >= self.next_ns;
        if due {
            self.next_ns = (now_ns / self.period_ns + 1) * self.period_ns;
        }
        due
    }
}

/// What the tick fills and sends.
#[derive(Resource)]
pub(crate) struct Outbox {
    mailbox: Mailbox,
    /// The present tick's.
    pub(crate) batch: Box<Batch>,
    /// Not yet told to the thread.
    pub(crate) stage: Option<Box<Stage>>,
    poses: Cap,
    scalars: Cap,
    readings: Cap,
    /// The next time at which something is due (ns).
    next_ns: u64,
    /// Whether this tick shows poses.
    pub(crate) poses_due: bool,
    /// Whether this tick shows speeds, commands and plans.
    pub(crate) scalars_due: bool,
    /// Whether this tick shows readings and kernels.
    pub(crate) readings_due: bool,
    /// Whether there is room, as far as is known.
    flows: bool,
    /// Dropped since the last that was sent.
    dropped: u64,
    report: Report,
    ended: bool,
}

impl Outbox {
    pub(crate) fn new(mailbox: Mailbox) -> Self {
        Self {
            mailbox,
            batch: Box::default(),
            stage: None,
            poses: Cap::new(POSES_HZ),
            scalars: Cap::new(SCALARS_HZ),
            readings: Cap::new(READINGS_HZ),
            next_ns: 0,
            poses_due: false,
            scalars_due: false,
            readings_due: false,
            flows: true,
            dropped: 0,
            report: Report::default(),
            ended: false,
        }
    }

    /// A run starts at time zero.
    pub(crate) fn start(&mut self, stage: Stage) {
        self.stage = Some(Box::new(stage));
        self.batch.clear();
        self.poses = Cap::new(POSES_HZ);
        self.scalars = Cap::new(SCALARS_HZ);
        self.readings = Cap::new(READINGS_HZ);
        self.next_ns = 0;
    }

    /// Whether anything is due now, or waits already.
    pub(crate) fn is_due(&self, now_ns: u64) -> bool {
        !self.ended
            && (now_ns >= self.next_ns
                || !self.batch.scan_frames.is_empty()
                || !self.batch.marks.is_empty())
    }

    /// Whether the recording has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.ended
    }

    /// Starts the batch of a tick.
    pub(crate) fn open(&mut self, now_ns: u64, tick: u64) {
        self.batch.now_ns = now_ns;
        self.batch.tick = tick;
        self.poses_due = self.poses.due(now_ns);
        self.scalars_due = self.scalars.due(now_ns);
        self.readings_due = self.readings.due(now_ns);
        self.next_ns = (self.poses.next_ns)
            .min(self.scalars.next_ns)
            .min(self.readings.next_ns);
    }

    /// Sends the batch, or drops it.
    pub(crate) fn send(&mut self) {
        if self.stage.is_some() && !self.send_stage() {
            self.batch.clear();
            self.count_dropped();
            return;
        }
        let fresh = self.mailbox.used.try_recv().unwrap_or_default();
        let mut batch = std::mem::replace(&mut self.batch, fresh);
        batch.dropped_before = self.dropped;
        match self.push(Entry::Batch(batch)) {
            Ok(()) => {
                self.report.sent += 1;
                self.dropped = 0;
            }
            Err(entry) => {
                if let Entry::Batch(mut batch) = entry {
                    batch.clear();
                    self.batch = batch;
                }
                self.count_dropped();
            }
        }
    }

    /// Whether the stage has gone.
    fn send_stage(&mut self) -> bool {
        let Some(stage) = self.stage.take() else {
            return true;
        };
        match self.push(Entry::Stage(stage)) {
            Ok(()) => true,
            Err(entry) => {
                if let Entry::Stage(stage) = entry {
                    self.stage = Some(stage);
                }
                false
            }
        }
    }

    fn push(&mut self, entry: Entry) -> Result<(), Entry> {
        // Who did not find room last time does not wait for it again.
        let patience = self.mailbox.patience;
        let pushed = if self.flows && !patience.is_zero() {
            let sent = self.mailbox.entries.send_timeout(entry, patience);
            sent.map_err(SendTimeoutError::into_inner)
        } else {
            let sent = self.mailbox.entries.try_send(entry);
            sent.map_err(TrySendError::into_inner)
        };
        self.flows = pushed.is_ok();
        pushed
    }

    fn count_dropped(&mut self) {
        if self.report.dropped == 0 {
            log::error!(
                "{} does not keep up: parts of the recording are dropped",
                self.mailbox.sink_name
            );
        }
        self.dropped += 1;
        self.report.dropped += 1;
    }

    /// See [`crate::finish`].
    #[allow(
        clippy::disallowed_methods,
        reason = "the run is over; an I/O thread is waited for"
    )]
    pub(crate) fn finish(&mut self, limit: Duration) -> Option<Report> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let now = Instant::now();
        let by = |limit: Duration| now.checked_add(limit).unwrap_or(now);
        // The thread gets a little less, so that its own word on what was lost still arrives.
        let (deadline, earlier) = (by(limit), by(limit.mul_f64(0.9)));
        let Mailbox {
            entries,
            ended,
            discarded,
            sink_name,
            ..
        } = &self.mailbox;
        let mut report = std::mem::take(&mut self.report);
        if let Some(stage) = self.stage.take() {
            // Not a tick was shown; the stage alone says little, so it may fail without a word.
            let _ = entries.send_deadline(Entry::Stage(stage), deadline);
        }
        let end = Entry::End {
            dropped: self.dropped,
            deadline: earlier,
        };
        // A thread that has gone left its last word.
        let _ = entries.send_deadline(end, deadline);
        match ended.recv_deadline(deadline) {
            Ok(ended) => report.lost = ended.lost,
            Err(_) => {
                let waiting = entries.len();
                report.lost = Some(format!(
                    "{sink_name} did not take the end of the recording within {limit:?} ({waiting} batches waited)"
                ));
            }
        }
        let discarded = discarded.load(Ordering::Acquire);
        report.sent = report.sent.saturating_sub(discarded);
        report.dropped += discarded;
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_holds_over_a_long_run() {
        for (rate_hz, tick_ns, most) in [
            (30, 1_000_000, 3000),
            (50, 1_000_000, 5000),
            (30, 50_000_000, 2000),
        ] {
            let mut cap = Cap::new(rate_hz);
            let ticks = 100 * NS_PER_S / tick_ns;
            let count = (0..ticks).filter(|k| cap.due(k * tick_ns)).count();
            assert!(
                (most - 1..=most + 1).contains(&count),
                "{rate_hz} Hz: {count}"
            );
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_when_there_is_room_again() {
        let (entries, thread) = crossbeam_channel::bounded(2);
        let (_used_in, used) = crossbeam_channel::bounded(1);
        let (_ended_in, ended) = crossbeam_channel::bounded(1);
        let mut outbox = Outbox::new(Mailbox {
            entries,
            used,
            ended,
            discarded: Arc::default(),
            patience: Duration::ZERO,
            sink_name: "a test".to_owned(),
        });
        outbox.start(Stage::default());
        let tick = |outbox: &mut Outbox, tick: u64| {
            outbox.open(tick, tick);
            outbox.send();
        };
        for k in 1..=4 {
            tick(&mut outbox, k);
        }
        let told: Vec<_> = thread.try_iter().collect();
        assert!(matches!(&told[0], Entry::Stage(_)));
        assert!(matches!(&told[1], Entry::Batch(b) if b.tick == 1));
        tick(&mut outbox, 5);
        tick(&mut outbox, 6);
        let told: Vec<_> = thread.try_iter().collect();
        assert!(matches!(&told[0], Entry::Batch(b) if b.tick == 5 && b.dropped_before == 3));
        assert!(matches!(&told[1], Entry::Batch(b) if b.tick == 6 && b.dropped_before == 0));
        assert_eq!((outbox.report.sent, outbox.report.dropped), (3, 3));
    }
}
