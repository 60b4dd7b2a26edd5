//! `becomingone replay`.

mod mismatch;

use self::mismatch::{Mismatch, compare, hash};
use crate::failure::Failure;
use crate::files::{is_same_file, write_json};
use crate::interrupt::Interrupt;
use crate::recording::{attached_memory, attached_scene, metadata};
use crate::requests;
use crate::show::{Rerun, Viewer, parser};
use becomingone::EngineBuilder;
use becomingone::Plugins;
use becomingone::components::link::Frame;
use becomingone::components::request::Request;
use becomingone::record::journal::Item;
use becomingone::record::{Journal, Shadow, ShadowPlugin};
use becomingone::systems::links::{ExternalInput, Journal as JournalSource};
use becomingone::{CoherenceEngine, Pace};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone replay run.mcap --verify
  becomingone replay run.mcap --rerun save=run.rrd

Exit status: 0 done, 1 the run differs or failed, 2 bad input, 130 Ctrl-C.";

/// Arguments of `replay`.
#[derive(Args)]
pub(crate) struct Replay {
    /// A recording made by `run --record`.
    file: PathBuf,
    /// Compare the state hash of every tick with the recording; at the first difference, name it and fail.
    #[arg(long)]
    verify: bool,
    /// Threads for physics and for kernels of many agents; results do not depend on it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Output to Rerun: spawn (start a viewer), serve or serve=PORT (viewers connect and disconnect), connect=URL,
    /// save=FILE, auto (a viewer if one is installed, else a file), or off.
    #[arg(long, default_value = "off", value_parser = parser(), value_name = "HOW")]
    rerun: Rerun,
    /// Run at real time, instead of as fast as possible.
    #[arg(long)]
    real_time: bool,
    /// Write the summary as JSON.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Print neither progress nor summary.
    #[arg(long)]
    quiet: bool,
}

impl Replay {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<ExitCode, Failure> {
        let interrupt = Interrupt::install()?;
        // Checked between two ticks.
        interrupt.on_first(|| {});
        let mut journal = Journal::open(&self.file)?;
        self.keep_apart()?;
        let loaded = attached_scene(&journal, &self.file, plugins)?;
        let name = loaded.scene.name.clone();
        let mut engine = EngineBuilder::with(plugins.clone()).loaded(loaded);
        if let Some(memory) = attached_memory(&journal, &self.file)? {
            engine.set_memory(memory);
        }
        engine.set_threads(usize::from(self.threads));
        engine.set_pace(if self.real_time {
            Pace::RealTime
        } else {
            Pace::Fast
        });
        // Inputs come from the recording: no driver starts, no key is read.
        let frames = NextFrames::default();
        let input = ExternalInput::Journal(Box::new(frames.clone()));
        engine.world_mut().insert_resource(input);
        let plugin = ShadowPlugin::default();
        let mut shadow = Shadow::of(&plugin);
        engine.add_plugin(plugin);
        let viewer = Viewer::begin(&self.rerun, &mut engine, &name)?;
        if !self.quiet {
            print_out!(
                "replaying {}: {}  seed {}  recorded by engine {} ({} threads)",
                self.file.display(),
                name,
                metadata(&journal, "seed"),
                metadata(&journal, "engine"),
                metadata(&journal, "threads"),
            );
        }
        let replayed = self.simulate(&mut engine, &mut journal, &frames, &mut shadow, &interrupt);
        let summary = engine.summary();
        let written = self
            .summary
            .as_deref()
            .map(|file| write_json(&summary, file));
        let shown = viewer.end(&mut engine, interrupt.is_set(), self.quiet);
        let replayed = replayed?;
        if !self.quiet {
            print_out!("{summary}");
        }
        written.transpose()?;
        if interrupt.is_set() {
            return Ok(ExitCode::from(130));
        }
        let done = self.report(&journal, replayed)?;
        Ok(if shown { done } else { ExitCode::FAILURE })
    }

    /// Refuses outputs that would overwrite the recording.
    fn keep_apart(&self) -> Result<(), Failure> {
        let saved = match &self.rerun {
            Rerun::Save(file) => Some(("--rerun save", file)),
            _ => None,
        };
        let summary = self.summary.iter().map(|file| ("--summary", file));
        for (flag, file) in saved.into_iter().chain(summary) {
            if is_same_file(file, &self.file) {
                return Err(Failure::BadInput(format!(
                    "{flag} {}: found the recording itself; expected a file of its own",
                    file.display()
                )));
            }
        }
        Ok(())
    }

    fn simulate(
        &self,
        engine: &mut CoherenceEngine,
        journal: &mut Journal,
        frames: &NextFrames,
        shadow: &mut Shadow,
        interrupt: &Interrupt,
    ) -> Result<Replayed, Failure> {
        let mut replayed = Replayed::default();
        while let Some(item) = journal.read()? {
            if interrupt.is_set() {
                break;
            }
            match item {
                Item::Run(run) => {
                    replayed.runs = run.run;
                    engine.set_seed(run.seed);
                    if run.run == 1 {
                        engine.start()?;
                    } else {
                        engine.reset()?;
                    }
                    let here = hash(engine);
                    if here != run.state_hash && replayed.mismatch.is_none() {
                        replayed.mismatch = Some(Mismatch::at_start(run.run));
                    }
                }
                Item::Dropped(ticks) => {
                    replayed.hole = Some((engine.time().now_s(), ticks));
                    break;
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
                    replayed.requests.extend(requests::of(&tick));
                    frames.set(std::mem::take(&mut tick.frames));
                    engine.step()?;
                    shadow.take();
                    replayed.ticks += 1;
                    if replayed.mismatch.is_none() && hash(engine) != tick.hash {
                        let mismatch = compare(engine, shadow, &tick, replayed.runs);
                        replayed.mismatch = Some(mismatch);
                        if self.verify {
                            break;
                        }
                    }
                }
            }
        }
        Ok(replayed)
    }

    fn report(&self, journal: &Journal, replayed: Replayed) -> Result<ExitCode, Failure> {
        let file = self.file.display();
        let Replayed {
            runs: _,
            ticks,
            hole,
            mismatch,
            requests,
        } = replayed;
        if let Some((at_s, dropped)) = hole {
            print_err!(
                "warning: {file} lacks {dropped} ticks after {at_s:.3} s, lost to a slow disk: replayed up to there"
            );
        } else if journal.ending().cut {
            print_err!("warning: {file} is truncated: replayed up to its end, {ticks} ticks");
        }
        // Of a replay that ended early, nothing is known of the rest.
        if mismatch.is_none()
            && !self.quiet
            && let Some(requests) = requests::compare(&self.file, requests)?
        {
            print_out!("{requests}");
        }
        if self.verify && ticks == 0 && mismatch.is_none() {
            return Err(Failure::BadInput(format!(
                "{file}: found no tick; expected at least one to compare"
            )));
        }
        match mismatch {
            Some(mismatch) if self.verify => Err(Failure::Run(mismatch.to_string())),
            Some(mismatch) => {
                print_err!("warning: {mismatch}");
                Ok(ExitCode::SUCCESS)
            }
            None => {
                if self.verify && !self.quiet {
                    print_out!("verified: {ticks} ticks, all hashes equal to the recording");
                }
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Frames of the next tick: the recording is read as a stream.
#[derive(Clone, Default)]
struct NextFrames(Arc<Mutex<Vec<Frame>>>);

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
struct Replayed {
    runs: u64,
    ticks: u64,
    /// Time (s) and number of missing ticks.
    hole: Option<(f64, u64)>,
    mismatch: Option<Mismatch>,
    /// Requests, each with the tick that applied it.
    requests: Vec<(u64, Request)>,
}
