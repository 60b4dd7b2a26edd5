//! The thread that talks to Rerun.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::batch::Batch;
use crate::outbox::{Ended, Entry, Mailbox, PATIENCE, QUEUE};
use crate::recording::Recording;
use crate::sink::Output;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::time::{Duration, Instant};

/// How often the sink is asked whether it still lives.
const CHECK: Duration = Duration::from_secs(1);

/// Starts the thread.
pub(crate) fn start(output: Output, scene_name: &str) -> std::io::Result<Mailbox> {
    let (entries_in, entries) = bounded(QUEUE);
    let (used, used_out) = bounded(QUEUE);
    let (ended, ended_out) = bounded(1);
    let mailbox = Mailbox {
        entries: entries_in,
        used: used_out,
        ended: ended_out,
        patience: if output.is_file() {
            PATIENCE
        } else {
            Duration::ZERO
        },
        sink_name: output.name(),
    };
    let writer = Writer {
        output,
        scene_name: scene_name.to_owned(),
        runs: 0,
        recording: None,
        said: Ended::default(),
    };
    std::thread::Builder::new()
        .name("rerun".to_owned())
        .spawn(move || writer.run(&entries, &used, &ended))?;
    Ok(mailbox)
}

struct Writer {
    output: Output,
    scene_name: String,
    /// Runs that were started: one, and one more a reset.
    runs: u32,
    recording: Option<Recording>,
    said: Ended,
}

impl Writer {
    fn run(mut self, entries: &Receiver<Entry>, used: &Sender<Box<Batch>>, ended: &Sender<Ended>) {
        let period = self.output.flush_period();
        let (mut flushed, mut checked) = (Instant::now(), Instant::now());
        loop {
            match entries.recv_timeout(period) {
                Ok(Entry::Stage(stage)) => {
                    self.runs += 1;
                    // The last run's recording is closed first.
                    self.recording = None;
                    if self.said.lost.is_none() {
                        let name = match self.runs {
                            1 => self.scene_name.clone(),
                            n => format!("{} (run {n})", self.scene_name),
                        };
                        match Recording::start(&self.output, &self.scene_name, &name, *stage) {
                            Ok(recording) => self.recording = Some(recording),
                            Err(error) => {
                                self.fail(format!("the recording did not start: {error}"));
                            }
                        }
                    }
                }
                Ok(Entry::Batch(mut batch)) => {
                    match self.recording.as_mut().map(|r| r.write(&batch)) {
                        Some(Ok(())) => {}
                        Some(Err(error)) => self.fail(format!("the recording broke off: {error}")),
                        None => self.said.discarded += 1,
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
            if checked.elapsed() >= CHECK {
                checked = Instant::now();
                if self.said.lost.is_none()
                    && let Some(failure) = self.output.failure()
                {
                    self.fail(failure);
                }
            }
        }
    }

    /// Nothing more is recorded.
    fn fail(&mut self, why: String) {
        log::error!("{why}");
        self.said.lost = Some(why);
        self.recording = None;
    }

    fn end(mut self, dropped: u64, deadline: Instant, ended: &Sender<Ended>) {
        if let Some(recording) = self.recording.as_mut() {
            let limit = deadline.saturating_duration_since(Instant::now());
            let finished = recording.finish(dropped, limit);
            // A viewer that is gone may have left buffers that took all.
            let why = self.output.failure();
            self.said.lost = match finished {
                Ok(()) => why,
                Err(error) => why
                    .or_else(|| self.output.unanswered())
                    .or_else(|| Some(error.to_string())),
            };
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
