//! Plays a recording: prepares the input of each tick, and compares its result.

use super::mismatch::{Mismatch, compare, hash};
use crate::failure::Failure;
use crate::requests;
use becomingone::CoherenceEngine;
use becomingone::components::link::Frame;
use becomingone::components::request::Request;
use becomingone::record::journal::{Item, RecordedTick, RunBegin};
use becomingone::record::{Journal, Played, Shadow};
use becomingone::systems::coherence::stored_memory::StoredMemory;
use becomingone::systems::links::Journal as JournalSource;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Frames of the next tick: the recording is read as a stream.
#[derive(Clone, Default)]
pub(super) struct NextFrames(Arc<Mutex<Vec<Frame>>>);

impl NextFrames {
    fn set(&self, frames: Vec<Frame>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = frames;
    }
}

impl JournalSource for NextFrames {
    fn frames(&mut self, _tick: u64, into: &mut Vec<Frame>) {
        into.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Result of a replay.
#[derive(Default)]
pub(super) struct Replayed {
    runs: u64,
    pub(super) ticks: u64,
    /// Time (s) and number of missing ticks.
    pub(super) hole: Option<(f64, u64)>,
    pub(super) mismatch: Option<Mismatch>,
    /// Requests, each with the tick that applied it.
    pub(super) requests: Vec<(u64, Request)>,
}

/// A recording that is played by an engine.
pub(super) struct Player {
    file: PathBuf,
    pub(super) journal: Journal,
    frames: NextFrames,
    shadow: Shadow,
    /// Of runs before the recording.
    memory: Option<StoredMemory>,
    is_started: bool,
    /// The tick whose result is awaited.
    awaited: Option<RecordedTick>,
    /// Begin of the present run in the time of all runs (ns).
    begin_ns: u64,
    pub(super) replayed: Replayed,
}

impl Player {
    pub(super) fn new(
        file: &Path,
        journal: Journal,
        frames: NextFrames,
        shadow: Shadow,
        memory: Option<StoredMemory>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            journal,
            frames,
            shadow,
            memory,
            is_started: false,
            awaited: None,
            begin_ns: 0,
            replayed: Replayed::default(),
        }
    }

    /// Where it is, in the time of all runs (ns).
    pub(super) fn at_ns(&self, engine: &CoherenceEngine) -> u64 {
        self.begin_ns.saturating_add(engine.time().now_ns)
    }

    /// Prepares the next tick; `false` at the end of what can be played.
    pub(super) fn prepare(&mut self, engine: &mut CoherenceEngine) -> Result<bool, Failure> {
        if self.replayed.hole.is_some() {
            return Ok(false);
        }
        while let Some(item) = self.journal.read()? {
            match item {
                Item::Run(run) => self.begin(&run, engine)?,
                Item::Dropped(ticks) => {
                    self.replayed.hole = Some((engine.time().now_s(), ticks));
                    return Ok(false);
                }
                Item::Tick(mut tick) => {
                    if tick.tick != engine.time().tick + 1 {
                        return Err(Failure::BadInput(format!(
                            "{}: found tick {} after tick {}; expected consecutive ticks",
                            self.file.display(),
                            tick.tick,
                            engine.time().tick
                        )));
                    }
                    self.replayed.requests.extend(requests::of(&tick));
                    self.frames.set(std::mem::take(&mut tick.frames));
                    self.awaited = Some(tick);
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn begin(&mut self, run: &RunBegin, engine: &mut CoherenceEngine) -> Result<(), Failure> {
        self.replayed.runs = run.run;
        if run.run > 1 {
            // They follow each other, a tick apart.
            let end_ns = self.at_ns(engine);
            self.begin_ns = end_ns.saturating_add(run.tick_ns);
        }
        let mut played = engine.world_mut().get_resource_or_init::<Played>();
        played.begin_ns = self.begin_ns;
        engine.set_seed(run.seed);
        match std::mem::replace(&mut self.is_started, true) {
            false => engine.start()?,
            true => engine.reset()?,
        }
        if hash(engine) != run.state_hash && self.replayed.mismatch.is_none() {
            self.replayed.mismatch = Some(Mismatch::at_start(run.run));
        }
        Ok(())
    }

    /// Compares the result of the tick that was prepared.
    pub(super) fn compare(&mut self, engine: &CoherenceEngine) {
        self.shadow.take();
        self.replayed.ticks += 1;
        let Some(tick) = self.awaited.take() else {
            return;
        };
        if self.replayed.mismatch.is_none() && hash(engine) != tick.hash {
            let mismatch = compare(engine, &self.shadow, &tick, self.replayed.runs);
            self.replayed.mismatch = Some(mismatch);
        }
    }

    /// Begins the recording anew; what was found so far stays.
    #[cfg(feature = "api")]
    pub(super) fn rewind(&mut self, engine: &mut CoherenceEngine) -> Result<(), Failure> {
        self.journal = Journal::open(&self.file)?;
        (self.begin_ns, self.awaited) = (0, None);
        (self.replayed.ticks, self.replayed.hole) = (0, None);
        self.replayed.requests.clear();
        self.shadow.take();
        self.remember(engine);
        match self.journal.read()? {
            Some(Item::Run(run)) => self.begin(&run, engine),
            _ => Ok(()),
        }
    }

    /// Gives the engine the memory of runs before the recording.
    pub(super) fn remember(&self, engine: &mut CoherenceEngine) {
        if let Some(memory) = &self.memory {
            engine.set_memory(memory.clone());
        }
    }
}

/// Length of a recording (ns): of all its runs, one after the other.
#[cfg(feature = "api")]
pub(super) fn length_ns(file: &Path) -> Result<u64, Failure> {
    let mut journal = Journal::open(file)?;
    let (mut begin_ns, mut end_ns) = (0_u64, 0);
    while let Some(item) = journal.read()? {
        match item {
            Item::Run(run) if run.run > 1 => begin_ns = run.tick_ns.saturating_add(end_ns),
            Item::Run(_) => {}
            Item::Tick(tick) => end_ns = begin_ns.saturating_add(tick.now_ns),
            Item::Dropped(_) => break,
        }
    }
    Ok(end_ns)
}
