//! Recordings: `--record`, `info`, `replay`.

use super::Failure;
use super::Run;
use becomingone::CoherenceEngine;
use becomingone::components::scene::LoadedScene;
use std::collections::BTreeMap;
use std::path::Path;

#[cfg(feature = "record")]
pub(super) use reading::{EXAMPLES, Replay, info};

/// A recording that was opened, and then one that goes on.
pub(super) struct Recording {
    #[cfg(feature = "record")]
    plugin: Option<becomingone::record::RecordPlugin>,
    #[cfg(feature = "record")]
    file: std::path::PathBuf,
}

#[cfg(not(feature = "record"))]
impl Recording {
    pub(super) fn open(
        _file: &Path,
        _run: &Run,
        _loaded: &LoadedScene,
        _read: BTreeMap<String, Vec<u8>>,
        _driven: Option<&str>,
    ) -> Result<Self, Failure> {
        Err(Failure::BadInput(
            "this binary was built without recordings; build it with --features record".to_owned(),
        ))
    }

    pub(super) fn begin(self, _engine: &mut CoherenceEngine) -> Self {
        self
    }

    pub(super) fn end(self, _engine: &mut CoherenceEngine, _stopped: bool, _quiet: bool) -> bool {
        true
    }
}

#[cfg(feature = "record")]
impl Recording {
    /// Creates the file. `read` is what the scene was made of.
    pub(super) fn open(
        file: &Path,
        run: &Run,
        loaded: &LoadedScene,
        read: BTreeMap<String, Vec<u8>>,
        driven: Option<&str>,
    ) -> Result<Self, Failure> {
        use becomingone::record::{Opening, RecordPlugin, SCENE_ATTACHMENT};
        let list = |items: Vec<String>| items.join("\n");
        let paths = |items: &[std::path::PathBuf]| {
            list(items.iter().map(|p| p.display().to_string()).collect())
        };
        let mut metadata = BTreeMap::from(
            [
                ("engine", env!("CARGO_PKG_VERSION").to_owned()),
                ("scene", loaded.scene.name.clone()),
                ("scene_version", loaded.scene.version.to_string()),
                ("threads", run.threads.to_string()),
                ("what", run.what.display().to_string()),
                ("profile", paths(&run.overlays.profile)),
                ("config", paths(&run.overlays.config)),
                ("set", list(run.overlays.set.clone())),
                (
                    "platform",
                    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
                ),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        if let Some(model) = &run.model {
            metadata.insert("model".to_owned(), model.display().to_string());
        }
        // For who reads: what the hand did is among the frames.
        if let Some(agent) = driven {
            metadata.insert("teleop".to_owned(), agent.to_owned());
        }
        metadata.retain(|_, value| !value.is_empty());
        let text = becomingone::scene::held(&loaded.scene).into_bytes();
        let mut attachments = vec![(SCENE_ATTACHMENT.to_owned(), text)];
        attachments.extend(read);
        let opening = Opening {
            name: file.display().to_string(),
            metadata,
            attachments,
        };
        let plugin =
            RecordPlugin::new(file, opening).map_err(|e| Failure::BadInput(e.to_string()))?;
        Ok(Self {
            plugin: Some(plugin),
            file: file.to_owned(),
        })
    }

    /// Adds it to an engine.
    pub(super) fn begin(mut self, engine: &mut CoherenceEngine) -> Self {
        if let Some(plugin) = self.plugin.take() {
            engine.add_plugin(plugin);
        }
        self
    }

    /// Closes it, and says where it is and what it lacks. Gives whether the disk took it to its end.
    pub(super) fn end(self, engine: &mut CoherenceEngine, stopped: bool, quiet: bool) -> bool {
        // Who stops a run does not wait for its disk: with what Rerun takes, two seconds. A run that is done has time.
        let limit = std::time::Duration::from_secs(if stopped { 1 } else { 60 });
        let Some(report) = becomingone::record::finish(engine.world_mut(), limit) else {
            return true;
        };
        let file = self.file.display();
        if report.dropped > 0 {
            complain!(
                "warning: {file} lacks {} of {} ticks: the disk did not keep up; it can be replayed up to the first of them",
                report.dropped,
                report.dropped + report.ticks
            );
        }
        if let Some(why) = &report.lost {
            let name = format!("{file}: ");
            let why = why.strip_prefix(&name).unwrap_or(why);
            complain!("error: the recording {file} is not whole: {why}");
        } else if !quiet {
            say!(
                "recorded {file}; to simulate it again and compare each tick:\n    becomingone replay {file} --verify\n"
            );
        }
        report.lost.is_none()
    }
}

#[cfg(feature = "record")]
mod reading {
    use super::super::show::{Rerun, Viewer, parse};
    use super::super::{Failure, Interrupt, is_same_file, write_summary};
    use becomingone::Plugins;
    use becomingone::assets::MemoryFiles;
    use becomingone::components::link::Frame;
    use becomingone::components::scene::LoadedScene;
    use becomingone::record::journal::{Item, JournalError, RecordedTick};
    use becomingone::record::{
        Difference, EVENTS, Journal, SCENE_ATTACHMENT, Shadow, ShadowPlugin,
    };
    use becomingone::scene::SceneLoader;
    use becomingone::systems::hash::{StateHash, StateParts};
    use becomingone::systems::links::{ExternalInput, Journal as Kept};
    use becomingone::{CoherenceEngine, Pace};
    use clap::Args;
    use serde::Serialize;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::process::ExitCode;
    use std::sync::{Arc, Mutex, PoisonError};

    pub(in super::super) const EXAMPLES: &str = "Examples:
  becomingone replay run.mcap --verify
  becomingone replay run.mcap --rerun save=run.rrd

Exit status: 0 done, 1 the run differs or failed, 2 bad input, 130 Ctrl-C.";

    impl From<JournalError> for Failure {
        fn from(error: JournalError) -> Self {
            Self::BadInput(error.to_string())
        }
    }

    /// What `info` says.
    #[derive(Debug, Serialize)]
    struct Info {
        file: String,
        scene: String,
        scene_hash: String,
        seed: u64,
        /// Of the engine that recorded.
        engine: String,
        journal: String,
        tick_ns: u64,
        threads: String,
        /// All that was said of how it was made.
        metadata: BTreeMap<String, String>,
        /// Runs, resets between them.
        runs: u64,
        ticks: u64,
        duration_s: f64,
        agents: Vec<String>,
        attachments: BTreeMap<String, usize>,
        links: Vec<String>,
        topics: Vec<Topic>,
        /// Ticks that the disk did not take.
        dropped: u64,
        faults: Vec<String>,
        /// Whether the recorder closed it.
        closed: bool,
        /// Simulated time at which the file ends (s).
        end_s: f64,
        /// The state hash at the end.
        state_hash: String,
    }

    #[derive(Debug, Serialize)]
    struct Topic {
        topic: String,
        encoding: String,
        schema: String,
        count: u64,
        /// Messages in a simulated second; null where there is no duration.
        rate_hz: Option<f64>,
    }

    /// `info`.
    pub(in super::super) fn info(file: &Path, json: bool) -> Result<ExitCode, Failure> {
        let mut journal = Journal::open(file)?;
        let mut info = Info {
            file: file.display().to_string(),
            scene: said(&journal, "scene"),
            scene_hash: said(&journal, "scene_hash"),
            seed: said(&journal, "seed").parse().unwrap_or_default(),
            engine: said(&journal, "engine"),
            journal: said(&journal, "journal"),
            tick_ns: said(&journal, "tick_ns").parse().unwrap_or_default(),
            threads: said(&journal, "threads"),
            metadata: journal.metadata().clone(),
            runs: 0,
            ticks: 0,
            duration_s: 0.0,
            agents: Vec::new(),
            attachments: BTreeMap::new(),
            links: Vec::new(),
            topics: Vec::new(),
            dropped: 0,
            faults: Vec::new(),
            closed: false,
            end_s: 0.0,
            state_hash: String::new(),
        };
        let sizes = journal.attachments().iter();
        info.attachments = sizes.map(|(name, b)| (name.clone(), b.len())).collect();
        if let Ok(loaded) = attached(&journal, file) {
            let agents = loaded.scene.agents.iter();
            info.agents = agents.map(|a| a.name.clone()).collect();
        }
        while let Some(item) = journal.read()? {
            match item {
                Item::Run(run) => {
                    info.runs = run.run;
                    info.links = run.links;
                    info.state_hash = run.state_hash;
                }
                Item::Dropped(ticks) => info.dropped += ticks,
                Item::Tick(tick) => {
                    info.ticks += 1;
                    let events = tick.messages.iter().filter(|m| *m.topic == *EVENTS);
                    info.faults.extend(events.filter_map(|m| fault(&m.bytes)));
                    info.end_s = tick.now_ns as f64 / 1e9;
                    info.state_hash = tick.hash;
                }
            }
        }
        info.closed = journal.ending().closed.is_some();
        info.duration_s = info.ticks as f64 * info.tick_ns as f64 / 1e9;
        let topics = journal.topics().into_iter().map(|t| Topic {
            rate_hz: (info.duration_s > 0.0).then(|| t.count as f64 / info.duration_s),
            topic: t.topic,
            encoding: t.encoding,
            schema: t.schema,
            count: t.count,
        });
        info.topics = topics.collect();
        if json {
            let text = serde_json::to_string_pretty(&info);
            say!("{}", text.map_err(|e| Failure::Run(e.to_string()))?);
        } else {
            say!("{info}");
        }
        Ok(ExitCode::SUCCESS)
    }

    impl std::fmt::Display for Info {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            use comfy_table::{Cell, CellAlignment, Table, presets};
            writeln!(
                f,
                "{}: {}  scene {}  seed {}  engine {}  journal {}",
                self.file, self.scene, self.scene_hash, self.seed, self.engine, self.journal
            )?;
            let end = if self.closed {
                "closed".to_owned()
            } else {
                format!("cut at {:.3} s", self.end_s)
            };
            write!(
                f,
                "{:.3} s  {} ticks of {} ms  {} run{}  {end}  state {}",
                self.duration_s,
                self.ticks,
                self.tick_ns as f64 / 1e6,
                self.runs,
                if self.runs == 1 { "" } else { "s" },
                self.state_hash
            )?;
            if self.dropped > 0 {
                write!(
                    f,
                    "\n{} ticks dropped: the disk did not keep up",
                    self.dropped
                )?;
            }
            let list = |f: &mut std::fmt::Formatter<'_>, name: &str, all: &[String]| {
                if all.is_empty() {
                    return Ok(());
                }
                write!(f, "\n{name}: {}", all.join(", "))
            };
            list(f, "agents", &self.agents)?;
            list(f, "links", &self.links)?;
            list(f, "faults", &self.faults)?;
            let files: Vec<String> = self
                .attachments
                .iter()
                .map(|(name, bytes)| format!("{name} ({bytes} bytes)"))
                .collect();
            list(f, "files", &files)?;
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_header(vec!["topic", "count", "a second", "schema"]);
            let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
            for t in &self.topics {
                table.add_row(vec![
                    Cell::new(&t.topic),
                    right(t.count.to_string()),
                    right(t.rate_hz.map_or("-".to_owned(), |r| format!("{r:.1}"))),
                    Cell::new(&t.schema),
                ]);
            }
            write!(f, "\n{table}")
        }
    }

    /// The line of an event that is a fault's begin or end.
    fn fault(bytes: &[u8]) -> Option<String> {
        let event: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        event["what"].as_str()?.starts_with("Fault").then(|| {
            let s = event["source_ns"].as_u64().unwrap_or_default() as f64 / 1e9;
            let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            format!("{s:.3} s {}: {}", word("agent"), word("text"))
        })
    }

    fn said(journal: &Journal, key: &str) -> String {
        journal.metadata().get(key).cloned().unwrap_or_default()
    }

    /// The scene, from the recording alone.
    fn attached(journal: &Journal, file: &Path) -> Result<LoadedScene, Failure> {
        let held = MemoryFiles::new(journal.attachments().clone());
        let path = Path::new(SCENE_ATTACHMENT);
        SceneLoader::new(&Plugins::new().kinds())
            .load_held(&held, path)
            .map_err(|e| Failure::BadInput(format!("{}: its attached scene: {e}", file.display())))
    }

    /// `replay`.
    #[derive(Args)]
    pub(in super::super) struct Replay {
        /// A recording that `run --record` made.
        file: PathBuf,
        /// Compare the state of every tick with the recording; say where it differs first, and fail.
        #[arg(long)]
        verify: bool,
        /// Threads of the physics and of many agents' kernels; the results are the same.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
        threads: u16,
        /// What Rerun gets: spawn (a viewer now), serve or serve=PORT (viewers that come and go), connect=URL,
        /// save=FILE, auto (a viewer if there is one, else a file), or off.
        #[arg(long, default_value = "off", value_parser = parse, value_name = "HOW")]
        rerun: Rerun,
        /// One simulated second a second, instead of as fast as possible.
        #[arg(long)]
        real_time: bool,
        /// Write the summary as JSON.
        #[arg(long, value_name = "FILE")]
        summary: Option<PathBuf>,
        /// Print neither progress nor summary.
        #[arg(long)]
        quiet: bool,
    }

    /// Where a run differs from its recording first.
    struct Mismatch {
        run: u64,
        tick: u64,
        begin_s: f64,
        end_s: f64,
        part: Option<String>,
        others: Vec<String>,
        difference: Option<Difference>,
    }

    impl Replay {
        pub(in super::super) fn run(self) -> Result<ExitCode, Failure> {
            let interrupt = Interrupt::catch()?;
            // It is looked for between two ticks.
            interrupt.stops(|| {});
            let mut journal = Journal::open(&self.file)?;
            self.keep_apart()?;
            let loaded = attached(&journal, &self.file)?;
            let name = loaded.scene.name.clone();
            let mut engine = CoherenceEngine::from_loaded(loaded);
            engine.set_threads(usize::from(self.threads));
            engine.set_pace(if self.real_time {
                Pace::RealTime
            } else {
                Pace::Fast
            });
            // No driver is started, and no hand is read.
            let frames = Fed::default();
            let door = ExternalInput::Journal(Box::new(frames.clone()));
            engine.world_mut().insert_resource(door);
            let plugin = ShadowPlugin::default();
            let mut shadow = Shadow::of(&plugin);
            engine.add_plugin(plugin);
            let shown = Viewer::begin(&self.rerun, &mut engine, &name)?;
            if !self.quiet {
                say!(
                    "replaying {}: {}  seed {}  recorded by engine {} ({} threads)",
                    self.file.display(),
                    name,
                    said(&journal, "seed"),
                    said(&journal, "engine"),
                    said(&journal, "threads"),
                );
            }
            let replayed =
                self.simulate(&mut engine, &mut journal, &frames, &mut shadow, &interrupt);
            let summary = engine.summary();
            let written = self
                .summary
                .as_deref()
                .map(|file| write_summary(&summary, file));
            shown.end(&mut engine, self.quiet);
            let replayed = replayed?;
            if !self.quiet {
                say!("{summary}");
            }
            written.transpose()?;
            if interrupt.came() {
                return Ok(ExitCode::from(130));
            }
            self.tell(&journal, replayed)
        }

        /// The recording, and what is written of its replay, are files of their own.
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
            frames: &Fed,
            shadow: &mut Shadow,
            interrupt: &Interrupt,
        ) -> Result<Replayed, Failure> {
            let mut replayed = Replayed::default();
            while let Some(item) = journal.read()? {
                if interrupt.came() {
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
                            replayed.mismatch = Some(Mismatch {
                                run: run.run,
                                tick: 0,
                                begin_s: 0.0,
                                end_s: 0.0,
                                part: Some("scene, seed or tick".to_owned()),
                                others: Vec::new(),
                                difference: None,
                            });
                        }
                    }
                    Item::Dropped(ticks) => {
                        replayed.hole = Some((engine.time().now_s(), ticks));
                        break;
                    }
                    Item::Tick(mut tick) => {
                        if tick.tick != engine.time().tick + 1 {
                            return Err(Failure::BadInput(format!(
                                "{}: found tick {} after tick {}; expected one after the other",
                                self.file.display(),
                                tick.tick,
                                engine.time().tick
                            )));
                        }
                        frames.give(std::mem::take(&mut tick.frames));
                        engine.step()?;
                        shadow.take();
                        replayed.ticks += 1;
                        if replayed.mismatch.is_none() && hash(engine) != tick.hash {
                            let wrong = compare(engine, shadow, &tick, replayed.runs);
                            replayed.mismatch = Some(wrong);
                            if self.verify {
                                break;
                            }
                        }
                    }
                }
            }
            Ok(replayed)
        }

        fn tell(&self, journal: &Journal, replayed: Replayed) -> Result<ExitCode, Failure> {
            let file = self.file.display();
            let Replayed {
                runs: _,
                ticks,
                hole,
                mismatch,
            } = replayed;
            if let Some((at_s, dropped)) = hole {
                complain!(
                    "warning: {file} lacks {dropped} ticks after {at_s:.3} s, which the disk did not take: replayed up to there"
                );
            } else if journal.ending().cut {
                complain!("warning: {file} was cut: replayed up to its end, {ticks} ticks");
            }
            if self.verify && ticks == 0 && mismatch.is_none() {
                return Err(Failure::BadInput(format!(
                    "{file}: found no tick; expected one at least, to compare the run with"
                )));
            }
            match mismatch {
                Some(wrong) if self.verify => Err(Failure::Run(wrong.to_string())),
                Some(wrong) => {
                    complain!("warning: {wrong}");
                    Ok(ExitCode::SUCCESS)
                }
                None => {
                    if self.verify && !self.quiet {
                        say!("verified: {ticks} ticks, every one with the hash that was recorded");
                    }
                    Ok(ExitCode::SUCCESS)
                }
            }
        }
    }

    /// The frames of the next tick: a journal of any length is read as it is needed.
    #[derive(Clone, Default)]
    struct Fed(Arc<Mutex<Vec<Frame>>>);

    impl Fed {
        fn give(&self, frames: Vec<Frame>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = frames;
        }
    }

    impl Kept for Fed {
        fn frames(&mut self, _tick: u64, into: &mut Vec<Frame>) {
            into.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// What a replay came to.
    #[derive(Default)]
    struct Replayed {
        runs: u64,
        ticks: u64,
        /// Where ticks are missing (s), and how many.
        hole: Option<(f64, u64)>,
        mismatch: Option<Mismatch>,
    }

    fn hash(engine: &CoherenceEngine) -> String {
        format!("{:016x}", engine.world().resource::<StateHash>().0)
    }

    /// The parts of the state in the order in which a tick makes one of the other; what is not named stands before
    /// physics.
    const CAUSES: [&str; 16] = [
        "link",
        "stick",
        "reading",
        "fault",
        "coherence",
        "witness",
        "blend",
        "odometry",
        "goals",
        "plan",
        "reaction",
        "command",
        "vehicle/command",
        "drive",
        "vehicle/state",
        "",
    ];
    const EFFECTS: [&str; 3] = ["physics", "travel", "vehicle/laps"];

    fn rank(part: &str) -> usize {
        if let Some(k) = EFFECTS.iter().position(|name| part == *name) {
            return CAUSES.len() + k;
        }
        CAUSES
            .iter()
            .position(|name| part == *name)
            .or_else(|| {
                CAUSES
                    .iter()
                    .position(|name| part.split('/').next() == Some(*name))
            })
            .unwrap_or(CAUSES.len() - 1)
    }

    fn compare(
        engine: &CoherenceEngine,
        shadow: &Shadow,
        tick: &RecordedTick,
        run: u64,
    ) -> Mismatch {
        let here = &engine.world().resource::<StateParts>().0;
        let mut wrong: Vec<&str> = here
            .iter()
            .filter(|(name, hash)| {
                let recorded = tick.parts.get(*name);
                recorded.is_none_or(|r| *r != becomingone::record::short(*hash))
            })
            .map(|(name, _)| *name)
            .collect();
        let gone = tick.parts.keys().map(String::as_str);
        wrong.extend(gone.filter(|name| !here.iter().any(|(n, _)| n == name)));
        wrong.sort_by_key(|part| rank(part));
        let mut wrong = wrong.into_iter().map(str::to_owned);
        let time = engine.time();
        Mismatch {
            run,
            tick: tick.tick,
            begin_s: time.now_ns.saturating_sub(time.tick_ns) as f64 / 1e9,
            end_s: time.now_s(),
            part: wrong.next(),
            others: wrong.collect(),
            difference: shadow.difference(&tick.messages),
        }
    }

    impl std::fmt::Display for Mismatch {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            if self.tick == 0 {
                return write!(
                    f,
                    "run {} differs from its recording before its first tick: the scene, the seed or the length of a tick is another",
                    self.run
                );
            }
            write!(f, "tick {}", self.tick)?;
            if self.run > 1 {
                write!(f, " of run {}", self.run)?;
            }
            write!(f, " ({:.6} s to {:.6} s)", self.begin_s, self.end_s)?;
            match &self.part {
                Some(part) => write!(f, " differs from the recording first, in `{part}`")?,
                // All parts of this tick are the same: the chain was broken before.
                None => write!(
                    f,
                    " has another hash than the recording, and the same parts"
                )?,
            }
            if !self.others.is_empty() {
                write!(f, "; also in {}", self.others.join(", "))?;
            }
            if let Some(d) = &self.difference {
                let none = "nothing";
                write!(
                    f,
                    "\n  {}\n    recorded {}\n    replayed {}",
                    d.topic,
                    d.recorded.as_deref().unwrap_or(none),
                    d.replayed.as_deref().unwrap_or(none)
                )?;
            }
            Ok(())
        }
    }
}
