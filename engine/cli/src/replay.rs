//! `becomingone replay`.

mod mismatch;
mod player;
#[cfg(feature = "api")]
mod playing;

use self::player::{NextFrames, Player, Replayed};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{is_same_file, write_json};
use crate::interrupt::Interrupt;
use crate::recording::{attached_memory, attached_scene, metadata};
use crate::requests;
#[cfg(feature = "api")]
use crate::serve::{ServeArgs, print_address};
use crate::show::{Rerun, Viewer, parser};
use becomingone::EngineBuilder;
use becomingone::Plugins;
use becomingone::record::{Journal, Shadow, ShadowPlugin};
use becomingone::systems::links::ExternalInput;
use becomingone::{CoherenceEngine, Pace};
#[cfg(feature = "api")]
use becomingone_api::Playback;
use clap::Args;
#[cfg(feature = "api")]
use playing::Playing;
use std::path::PathBuf;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone replay run.mcap --verify
  becomingone replay run.mcap --rerun save=run.rrd
  becomingone replay run.mcap --serve

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
    /// Run at real time, instead of as fast as possible; the default with --serve.
    #[arg(long)]
    real_time: bool,
    #[cfg(feature = "api")]
    #[command(flatten)]
    serve: ServeArgs,
    /// Write the summary as JSON.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Print neither progress nor summary.
    #[arg(long)]
    quiet: bool,
}

impl Replay {
    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let interrupt = Interrupt::install()?;
        // Checked between two ticks.
        interrupt.on_first(|| {});
        let journal = Journal::open(&self.file)?;
        self.keep_apart()?;
        #[cfg(feature = "api")]
        if self.verify && self.serve.is_on() {
            return Err(Failure::BadInput(
                "found --verify with --serve, which plays parts of a recording; expected one of them"
                    .to_owned(),
            ));
        }
        #[cfg(feature = "api")]
        if self.serve.is_on() && matches!(self.rerun, Rerun::Save(_)) {
            return Err(Failure::BadInput(
                "found --rerun save with --serve, which plays parts of a recording in any order; expected one of them"
                    .to_owned(),
            ));
        }
        #[cfg(feature = "api")]
        let api = self.serve.listen(false)?;
        #[cfg(feature = "api")]
        let is_paced = self.real_time || self.serve.is_on();
        #[cfg(not(feature = "api"))]
        let is_paced = self.real_time;
        let loaded = attached_scene(&journal, &self.file, plugins)?;
        let name = loaded.scene.name.clone();
        let mut engine = EngineBuilder::with(plugins.clone()).loaded(loaded);
        let memory = attached_memory(&journal, &self.file)?;
        engine.set_threads(usize::from(self.threads));
        engine.set_pace(if is_paced { Pace::RealTime } else { Pace::Fast });
        // Inputs come from the recording: no driver starts, no key is read.
        let frames = NextFrames::default();
        let input = ExternalInput::Journal(Box::new(frames.clone()));
        engine.world_mut().insert_resource(input);
        let plugin = ShadowPlugin::default();
        let shadow = Shadow::of(&plugin);
        engine.add_plugin(plugin);
        #[cfg_attr(
            not(feature = "api"),
            expect(unused_mut, reason = "the API opens its page")
        )]
        let mut viewer = Viewer::begin(&self.rerun, &mut engine, &name)?;
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
        #[cfg(feature = "api")]
        let playback = match &api {
            Some(_) => Some(Playback::new(player::length_ns(&self.file)?)),
            None => None,
        };
        #[cfg(feature = "api")]
        let api = api
            .zip(playback.clone())
            .map(|(api, playback)| api.playback(playback));
        #[cfg(feature = "api")]
        let serving = ServeArgs::start(api, &mut engine, None, &mut viewer)?;
        let mut player = Player::new(&self.file, journal, frames, shadow, memory);
        player.remember(&mut engine);
        #[cfg(feature = "api")]
        let played = match (playback, serving) {
            (Some(playback), Some(serving)) => {
                print_address(&serving);
                let run = engine.stop_handle();
                Playing::new(&mut player, playback, &interrupt, run).run(&mut engine)
            }
            _ => self.simulate(&mut engine, &mut player, &interrupt),
        };
        #[cfg(not(feature = "api"))]
        let played = self.simulate(&mut engine, &mut player, &interrupt);
        let summary = engine.summary();
        let written = self
            .summary
            .as_deref()
            .map(|file| write_json(&summary, file));
        let shown = viewer.end(&mut engine, interrupt.is_set(), self.quiet);
        played?;
        if !self.quiet {
            print_out!("{summary}");
        }
        written.transpose()?;
        if interrupt.is_set() {
            return Ok(Exit::from(130));
        }
        let Player {
            journal, replayed, ..
        } = player;
        let done = self.report(&journal, replayed)?;
        Ok(if shown { done } else { Exit::FAILURE })
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

    /// Plays the recording to its end.
    fn simulate(
        &self,
        engine: &mut CoherenceEngine,
        player: &mut Player,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        while !interrupt.is_set() && player.prepare(engine)? {
            engine.step()?;
            player.compare(engine);
            if self.verify && player.replayed.mismatch.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn report(&self, journal: &Journal, replayed: Replayed) -> Result<Exit, Failure> {
        let file = self.file.display();
        let Replayed {
            ticks,
            hole,
            mismatch,
            requests,
            ..
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
                Ok(Exit::SUCCESS)
            }
            None => {
                if self.verify && !self.quiet {
                    print_out!("verified: {ticks} ticks, all hashes equal to the recording");
                }
                Ok(Exit::SUCCESS)
            }
        }
    }
}
