//! Sending end of the bounded queue, in the world: rate caps, drop count, end of the recording.

use crate::batch::Batch;
use crate::stage::Stage;
use becomingone_components::time::NS_PER_S;
use bevy_ecs::prelude::*;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Capacity of the queue (batches): over ten simulated seconds of one agent.
pub const QUEUE: usize = 1024;
/// Longest time that a tick waits for room in the queue if the sink is a file.
pub const FLUSH_TIMEOUT: Duration = Duration::from_millis(50);

/// Rate cap of poses and trajectories, in simulated time.
const POSES_HZ: u64 = 30;
/// Rate cap of speeds, commands and plans.
const SCALARS_HZ: u64 = 20;
/// Rate cap of readings and kernel output; lidar scans have their own.
const READINGS_HZ: u64 = 50;

/// Result of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Batches sent to Rerun: one for each tick with data.
    pub sent: u64,
    /// Batches dropped because the file or the viewer was too slow or disconnected.
    pub dropped: u64,
    /// Any other reason for an incomplete recording; `None` if all sent batches arrived. Rerun does not report
    /// whether a viewer that dies at the very end received the last batches.
    pub lost: Option<String>,
}

/// Item of the queue.
pub(crate) enum Entry {
    /// Start of a run.
    Stage(Box<Stage>),
    /// Data of a tick.
    Batch(Box<Batch>),
    /// End of the recording.
    End {
        /// Batches dropped since the last one that was sent.
        dropped: u64,
        /// Data not written by then is lost.
        deadline: Instant,
    },
}

/// Final report of the recording thread.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Reason for an incomplete recording.
    pub(crate) lost: Option<String>,
}

/// Queue ends of the world, towards the recording thread.
#[derive(Clone)]
pub(crate) struct Mailbox {
    pub(crate) entries: Sender<Entry>,
    /// Used batches, for reuse.
    pub(crate) used: Receiver<Box<Batch>>,
    pub(crate) ended: Receiver<Outcome>,
    /// Batches that the thread discarded so far; readable even if its final report comes too late.
    pub(crate) discarded: Arc<AtomicU64>,
    /// Longest time that a tick waits for room in the queue.
    pub(crate) room_timeout: Duration,
    /// Name of the sink, for messages.
    pub(crate) sink_name: String,
}

/// Rate limiter in simulated time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    period_ns: u64,
    next_ns: u64,
}

impl Cap {
    /// Creates a limiter that is due at once.
    pub(crate) const fn new(rate_hz: u64) -> Self {
        Self {
            period_ns: NS_PER_S / rate_hz,
            next_ns: 0,
        }
    }

    /// Time at which it is due next (ns).
    pub(crate) fn next_ns(&self) -> u64 {
        self.next_ns
    }

    /// Whether it is due; if so, the next due time is the next multiple of the period since the start of the run.
    pub(crate) fn due(&mut self, now_ns: u64) -> bool {
        let due = now_ns >= self.next_ns;
        if due {
            self.next_ns = (now_ns / self.period_ns + 1) * self.period_ns;
        }
        due
    }
}

/// Batch under construction, its rate caps, and the queue that it is sent to.
#[derive(Resource)]
pub(crate) struct Outbox {
    mailbox: Mailbox,
    /// Batch of the present tick.
    pub(crate) batch: Box<Batch>,
    /// Static content not yet sent to the thread.
    pub(crate) stage: Option<Box<Stage>>,
    poses: Cap,
    scalars: Cap,
    readings: Cap,
    /// Earliest time at which a cap is due (ns).
    next_ns: u64,
    /// Whether poses are due in this tick.
    pub(crate) poses_due: bool,
    /// Whether speeds, commands and plans are due in this tick.
    pub(crate) scalars_due: bool,
    /// Whether readings and kernel output are due in this tick.
    pub(crate) readings_due: bool,
    /// Whether the last push found room.
    has_room: bool,
    /// Batches dropped since the last one that was sent.
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
            has_room: true,
            dropped: 0,
            report: Report::default(),
            ended: false,
        }
    }

    /// Starts a run at time zero.
    pub(crate) fn start(&mut self, stage: Stage) {
        self.stage = Some(Box::new(stage));
        self.batch.clear();
        self.poses = Cap::new(POSES_HZ);
        self.scalars = Cap::new(SCALARS_HZ);
        self.readings = Cap::new(READINGS_HZ);
        self.next_ns = 0;
    }

    /// Whether a cap is due now or the batch holds data already.
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

    /// Opens the batch of a tick.
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

    /// Sends the batch; drops it if the queue is full.
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

    /// Sends the static content if it is pending; returns whether it was sent.
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
        // After a time-out, do not wait again until a push has found room.
        let timeout = self.mailbox.room_timeout;
        let pushed = if self.has_room && !timeout.is_zero() {
            let sent = self.mailbox.entries.send_timeout(entry, timeout);
            sent.map_err(SendTimeoutError::into_inner)
        } else {
            let sent = self.mailbox.entries.try_send(entry);
            sent.map_err(TrySendError::into_inner)
        };
        self.has_room = pushed.is_ok();
        pushed
    }

    fn count_dropped(&mut self) {
        if self.report.dropped == 0 {
            log::error!(
                "{} is too slow: dropping parts of the recording",
                self.mailbox.sink_name
            );
        }
        self.dropped += 1;
        self.report.dropped += 1;
    }

    /// See [`crate::finish`].
    #[allow(
        clippy::disallowed_methods,
        reason = "after the run: waits for an I/O thread"
    )]
    pub(crate) fn finish(&mut self, limit: Duration) -> Option<Report> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let now = Instant::now();
        let by = |limit: Duration| now.checked_add(limit).unwrap_or(now);
        // The thread gets a shorter limit, so that its report of lost data still arrives in time.
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
            // No tick was recorded: a failure to send the static content alone needs no report.
            let _ = entries.send_deadline(Entry::Stage(stage), deadline);
        }
        let end = Entry::End {
            dropped: self.dropped,
            deadline: earlier,
        };
        // If the thread has ended, its report is in the channel already.
        let _ = entries.send_deadline(end, deadline);
        match ended.recv_deadline(deadline) {
            Ok(outcome) => report.lost = outcome.lost,
            Err(_) => {
                let waiting = entries.len();
                report.lost = Some(format!(
                    "{sink_name} did not flush the end of the recording within {limit:?} ({waiting} batches pending)"
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
    fn rate_cap_holds_over_a_long_run() {
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
    fn dropped_batches_are_counted_and_reported_with_the_next_sent_batch() {
        let (entries, thread) = crossbeam_channel::bounded(2);
        let (_used_in, used) = crossbeam_channel::bounded(1);
        let (_ended_in, ended) = crossbeam_channel::bounded(1);
        let mut outbox = Outbox::new(Mailbox {
            entries,
            used,
            ended,
            discarded: Arc::default(),
            room_timeout: Duration::ZERO,
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
        let sent: Vec<_> = thread.try_iter().collect();
        assert!(matches!(&sent[0], Entry::Stage(_)));
        assert!(matches!(&sent[1], Entry::Batch(b) if b.tick == 1));
        tick(&mut outbox, 5);
        tick(&mut outbox, 6);
        let sent: Vec<_> = thread.try_iter().collect();
        assert!(matches!(&sent[0], Entry::Batch(b) if b.tick == 5 && b.dropped_before == 3));
        assert!(matches!(&sent[1], Entry::Batch(b) if b.tick == 6 && b.dropped_before == 0));
        assert_eq!((outbox.report.sent, outbox.report.dropped), (3, 3));
    }
}
