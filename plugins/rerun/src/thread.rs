//! Recording thread: takes batches from the queue and sends them to Rerun.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::batch::Batch;
use crate::outbox::{Entry, FLUSH_TIMEOUT, Mailbox, Outcome, QUEUE};
use crate::recording::{Recording, Run};
use crate::sink::{Opened, Output, Reconnect, incomplete};
use crate::stage::Stage;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Interval between checks of the sink for failure.
const CHECK: Duration = Duration::from_secs(1);

/// Starts the recording thread.
pub(crate) fn start(opened: Opened, scene_name: &str) -> std::io::Result<Mailbox> {
    let (entries_in, entries) = bounded(QUEUE);
    let (used, used_out) = bounded(QUEUE);
    let (ended, ended_out) = bounded(1);
    let mailbox = Mailbox {
        entries: entries_in,
        used: used_out,
        ended: ended_out,
        discarded: Arc::default(),
        room_timeout: if opened.is_file() {
            FLUSH_TIMEOUT
        } else {
            Duration::ZERO
        },
        sink_name: opened.name(),
    };
    let period = opened.flush_period();
    let (output, reconnect) = match opened {
        Opened::Output(output) => (Some(output), None),
        Opened::Reconnect(reconnect) => (None, Some(reconnect)),
    };
    let writer = Writer {
        output,
        reconnect,
        scene_name: scene_name.to_owned(),
        runs: 0,
        run: None,
        recording: None,
        missed: 0,
        discarded: mailbox.discarded.clone(),
        outcome: Outcome::default(),
    };
    std::thread::Builder::new()
        .name("rerun".to_owned())
        .spawn(move || writer.run(period, &entries, &used, &ended))?;
    Ok(mailbox)
}

struct Writer {
    /// `None` while no viewer is connected, or after a failure.
    output: Option<Output>,
    /// Connection retries; `None` for files and servers.
    reconnect: Option<Reconnect>,
    scene_name: String,
    /// Runs started: 1, plus 1 for each reset.
    runs: u32,
    /// Present run, kept to start a recording for a viewer that connects late.
    run: Option<Run>,
    recording: Option<Recording>,
    /// Batches of this run that arrived while no recording was open.
    missed: u64,
    discarded: Arc<AtomicU64>,
    outcome: Outcome,
}

impl Writer {
    fn run(
        mut self,
        period: Duration,
        entries: &Receiver<Entry>,
        used: &Sender<Box<Batch>>,
        ended: &Sender<Outcome>,
    ) {
        let (mut flushed, mut checked) = (Instant::now(), Instant::now());
        loop {
            self.reconnect();
            match entries.recv_timeout(period) {
                Ok(Entry::Stage(stage)) => self.begin(*stage),
                Ok(Entry::Batch(mut batch)) => {
                    match self.recording.as_mut().map(|r| r.write(&batch)) {
                        Some(Ok(())) => {}
                        Some(Err(error)) => self.fail(format!("recording interrupted: {error}")),
                        None => {
                            self.missed += 1;
                            self.discarded.fetch_add(1, Ordering::Release);
                        }
                    }
                    batch.clear();
                    // A full return queue frees the batch.
                    let _ = used.try_send(batch);
                }
                Ok(Entry::End { dropped, deadline }) => {
                    self.end(dropped, deadline, ended);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // The world was dropped without `finish`: data taken so far is still written.
                    self.end(0, Instant::now() + CHECK, ended);
                    return;
                }
            }
            if flushed.elapsed() >= period {
                flushed = Instant::now();
                if let Some(Err(error)) = self.recording.as_mut().map(Recording::flush) {
                    self.fail(format!("recording interrupted: {error}"));
                }
            }
            // A viewer's state is free to read; that of a file waits for the disk.
            if self.reconnect.is_some() || checked.elapsed() >= CHECK {
                checked = Instant::now();
                if let Some(failure) = self.output.as_ref().and_then(Output::failure) {
                    self.fail(failure);
                }
            }
        }
    }

    /// Starts a run, in a new recording.
    fn begin(&mut self, stage: Stage) {
        self.runs += 1;
        self.missed = 0;
        // Close the previous recording before the next one opens.
        self.recording = None;
        let name = match self.runs {
            1 => self.scene_name.clone(),
            n => format!("{} (run {n})", self.scene_name),
        };
        self.run = Some(Run::new(&self.scene_name, name, stage));
        self.record();
    }

    /// Tries to connect if there is no viewer.
    fn reconnect(&mut self) {
        if self.output.is_none()
            && let Some(reconnect) = &mut self.reconnect
        {
            self.output = reconnect.try_now();
            self.record();
        }
    }

    /// Starts a recording of the present run, from now on.
    fn record(&mut self) {
        let (Some(output), Some(run)) = (&self.output, &self.run) else {
            return;
        };
        match Recording::start(output, run, std::mem::take(&mut self.missed)) {
            Ok(recording) => {
                self.outcome.lost = None;
                self.recording = Some(recording);
            }
            Err(error) => self.fail(format!("cannot start the recording: {error}")),
        }
    }

    /// Stops recording, until a viewer connects again.
    fn fail(&mut self, why: String) {
        self.recording = None;
        self.output = None;
        match &mut self.reconnect {
            Some(reconnect) => reconnect.lost(&why),
            None => log::error!("{why}"),
        }
        self.outcome.lost = Some(why);
    }

    fn end(mut self, dropped: u64, deadline: Instant, ended: &Sender<Outcome>) {
        if let (Some(recording), Some(output)) = (self.recording.as_mut(), &self.output) {
            let limit = deadline.saturating_duration_since(Instant::now());
            let finished = recording.finish(dropped, limit);
            // A flush into the buffers of a closed connection succeeds.
            let why = output.failure();
            self.outcome.lost = match finished {
                Ok(()) => why.or_else(|| output.drain(deadline)),
                Err(error) => why.or_else(|| output.unanswered()).or_else(|| {
                    Some(format!(
                        "{}: the end was not flushed: {error}",
                        output.name()
                    ))
                }),
            };
        } else if let (None, Some(reconnect)) = (&self.output, &self.reconnect) {
            let lost = &mut self.outcome.lost;
            lost.get_or_insert_with(|| reconnect.no_answer());
        }
        let Self {
            output,
            recording,
            outcome,
            ..
        } = self;
        if outcome.lost.is_some() {
            // Closing an unresponsive sink may block for ever: report first.
            let _ = ended.send(outcome);
            drop((recording, output));
        } else {
            // Closing writes the end of a file and waits until a viewer has received everything: report after it.
            let file = output.as_ref().and_then(Output::file);
            drop(recording);
            drop(output);
            let lost = file.as_deref().and_then(incomplete);
            let _ = ended.send(Outcome { lost });
        }
    }
}
