//! The thread that talks to Rerun.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::batch::Batch;
use crate::outbox::{Ended, Entry, FLUSH_TIMEOUT, Mailbox, QUEUE};
use crate::recording::{Recording, Run};
use crate::sink::{Dial, Opened, Output};
use crate::stage::Stage;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the sink is asked whether it still lives.
const CHECK: Duration = Duration::from_secs(1);

/// Starts the thread.
pub(crate) fn start(opened: Opened, scene_name: &str) -> std::io::Result<Mailbox> {
    let (entries_in, entries) = bounded(QUEUE);
    let (used, used_out) = bounded(QUEUE);
    let (ended, ended_out) = bounded(1);
    let mailbox = Mailbox {
        entries: entries_in,
        used: used_out,
        ended: ended_out,
        discarded: Arc::default(),
        patience: if opened.is_file() {
            FLUSH_TIMEOUT
        } else {
            Duration::ZERO
        },
        sink_name: opened.name(),
    };
    let period = opened.flush_period();
    let (output, dial) = match opened {
        Opened::Output(output) => (Some(output), None),
        Opened::Dial(dial) => (None, Some(dial)),
    };
    let writer = Writer {
        output,
        dial,
        scene_name: scene_name.to_owned(),
        runs: 0,
        run: None,
        recording: None,
        missed: 0,
        discarded: mailbox.discarded.clone(),
        said: Ended::default(),
    };
    std::thread::Builder::new()
        .name("rerun".to_owned())
        .spawn(move || writer.run(period, &entries, &used, &ended))?;
    Ok(mailbox)
}

struct Writer {
    /// None while there is no viewer, or no more.
    output: Option<Output>,
    /// The way back to a viewer; none where the sink is no viewer of another program's.
    dial: Option<Dial>,
    scene_name: String,
    /// Runs that were started: one, and one more a reset.
    runs: u32,
    /// The present run, for whoever comes late.
    run: Option<Run>,
    recording: Option<Recording>,
    /// Batches of this run that came while there was no recording.
    missed: u64,
    discarded: Arc<AtomicU64>,
    said: Ended,
}

impl Writer {
    fn run(
        mut self,
        period: Duration,
        entries: &Receiver<Entry>,
        used: &Sender<Box<Batch>>,
        ended: &Sender<Ended>,
    ) {
        let (mut flushed, mut checked) = (Instant::now(), Instant::now());
        loop {
            self.dial();
            match entries.recv_timeout(period) {
                Ok(Entry::Stage(stage)) => self.begin(*stage),
                Ok(Entry::Batch(mut batch)) => {
                    match self.recording.as_mut().map(|r| r.write(&batch)) {
                        Some(Ok(())) => {}
                        Some(Err(error)) => self.fail(format!("the recording broke off: {error}")),
                        None => {
                            self.missed += 1;
                            self.discarded.fetch_add(1, Ordering::Release);
                        }
                    }
                    batch.clear();
                    // Where nobody wants it back, it goes.
                    let _ = used.try_send(batch);
                }
                Ok(Entry::End { dropped, deadline }) => {
                    self.end(dropped, deadline, ended);
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    // The world went without a word: what is here is still written.
                    self.end(0, Instant::now() + CHECK, ended);
                    return;
                }
            }
            if flushed.elapsed() >= period {
                flushed = Instant::now();
                if let Some(Err(error)) = self.recording.as_mut().map(Recording::flush) {
                    self.fail(format!("the recording broke off: {error}"));
                }
            }
            // A viewer is asked often: to ask costs nothing there, and an end of a file waits for its disk.
            if self.dial.is_some() || checked.elapsed() >= CHECK {
                checked = Instant::now();
                if let Some(failure) = self.output.as_ref().and_then(Output::failure) {
                    self.fail(failure);
                }
            }
        }
    }

    /// A run starts, in a recording of its own.
    fn begin(&mut self, stage: Stage) {
        self.runs += 1;
        self.missed = 0;
        // The last run's recording is closed first.
        self.recording = None;
        let name = match self.runs {
            1 => self.scene_name.clone(),
            n => format!("{} (run {n})", self.scene_name),
        };
        self.run = Some(Run::new(&self.scene_name, name, stage));
        self.record();
    }

    /// Looks for the viewer, where there is none.
    fn dial(&mut self) {
        if self.output.is_none()
            && let Some(dial) = &mut self.dial
        {
            self.output = dial.try_now();
            self.record();
        }
    }

    /// Starts to record the present run, from here on.
    fn record(&mut self) {
        let (Some(output), Some(run)) = (&self.output, &self.run) else {
            return;
        };
        match Recording::start(output, run, std::mem::take(&mut self.missed)) {
            Ok(recording) => {
                self.said.lost = None;
                self.recording = Some(recording);
            }
            Err(error) => self.fail(format!("the recording did not start: {error}")),
        }
    }

    /// Nothing more is recorded, until there is a viewer again.
    fn fail(&mut self, why: String) {
        self.recording = None;
        self.output = None;
        match &mut self.dial {
            Some(dial) => dial.lost(&why),
            None => log::error!("{why}"),
        }
        self.said.lost = Some(why);
    }

    fn end(mut self, dropped: u64, deadline: Instant, ended: &Sender<Ended>) {
        if let (Some(recording), Some(output)) = (self.recording.as_mut(), &self.output) {
            let limit = deadline.saturating_duration_since(Instant::now());
            let finished = recording.finish(dropped, limit);
            // A viewer that is gone may have left buffers that took all.
            let why = output.failure();
            self.said.lost = match finished {
                Ok(()) => why.or_else(|| output.drain(deadline)),
                Err(error) => why
                    .or_else(|| output.unanswered())
                    .or_else(|| Some(format!("{} did not take the end: {error}", output.name()))),
            };
        } else if let (None, Some(dial)) = (&self.output, &self.dial) {
            self.said.lost.get_or_insert_with(|| dial.never());
        }
        let Self {
            output,
            recording,
            said,
            ..
        } = self;
        if said.lost.is_some() {
            // Closing may wait for ever for a sink that does not listen: the last word comes first.
            let _ = ended.send(said);
            drop((recording, output));
        } else {
            // Closing is what writes the end of a file, and waits for a viewer to have heard all.
            drop(recording);
            drop(output);
            let _ = ended.send(said);
        }
    }
}
