//! The command line: `becomingone run | info | replay | check | inspect | analyze | calibrate | score | list`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line program prints, and its progress goes by the wall clock"
)]

use becomingone::inspect::Inspection;
use becomingone::scene::SceneLoader;
use becomingone::{CoherenceEngine, EngineError, Pace, Plugins, Summary, assets, scene};
use becomingone_components::body::Model;
use becomingone_components::control::Goals;
use becomingone_components::drive::Drive;
use becomingone_components::link::{Resolved, ResolvedSources, Source};
use becomingone_components::scene::LoadedScene;
use becomingone_components::vehicle::VehicleModel;
use becomingone_components::witness::Witness;
use becomingone_model::{Files, did_you_mean, load_robot};
use becomingone_systems::control::teleop::{StickInput, TeleopPlugin};
use becomingone_systems::index::EntityIndex;
use becomingone_systems::profile::Profiler;
use bevy_ecs::prelude::*;
use clap::{Args, Parser, Subcommand};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What stdout did not take, the first time.
static UNSAID: OnceLock<std::io::Error> = OnceLock::new();

/// A line on stdout. A reader that has left, or a full disk, is no reason to lose the run's files.
macro_rules! say {
    ($($text:tt)*) => {
        if let Err(error) = std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("{}\n", format_args!($($text)*)),
        ) {
            crate::UNSAID.get_or_init(|| error);
        }
    };
}

/// A line on stderr; where that is gone too, there is nobody to tell.
macro_rules! complain {
    ($($text:tt)*) => {
        drop(std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{}\n", format_args!($($text)*)),
        ))
    };
}

#[cfg(feature = "replay")]
mod analyze;
mod calibrate;
mod journal;
mod live;
mod overlays;
mod score;
mod show;
mod terminal;

use becomingone::scene::Overlays;
use becomingone::trials::CancelToken;
use overlays::OverlayArgs;
use show::{Rerun, Viewer};

/// Runs robots and vehicles from scene files.
#[derive(Parser)]
#[command(name = "becomingone", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a scene, a built-in one by its name, or drop a robot on a plane.
    #[command(after_help = EXAMPLES)]
    Run(Run),
    /// Say what is in a recording: scene, topics, length, how it ended.
    #[cfg(feature = "record")]
    Info {
        /// A recording that `run --record` made.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Simulate a recorded run again, from the file alone.
    #[cfg(feature = "record")]
    #[command(after_help = journal::EXAMPLES)]
    Replay(journal::Replay),
    /// Read scenes or robot descriptions and say what is wrong with them.
    Check {
        /// Print the resolved scene as RON: overlays laid, defaults filled in, files by paths that hold anywhere.
        #[arg(long)]
        resolved: bool,
        #[command(flatten)]
        overlays: OverlayArgs,
        /// Scene files (.ron), robot (URDF or MJCF) or vehicle (.yaml) descriptions, or names of built-in scenes.
        #[arg(required = true)]
        scenes: Vec<PathBuf>,
    },
    /// Say what is in a robot description: links, joints, masses, limits, what is missing.
    Inspect {
        /// A robot description (URDF or MJCF), or the name of a built-in model.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Learn what is healthy from the first rows of a recording, and say where and why the others are not.
    #[cfg(feature = "replay")]
    #[command(after_help = ANALYZE_EXAMPLES)]
    Analyze(analyze::Analyze),
    /// Find thresholds of surprise from healthy runs of a scene, and say what they are worth.
    #[command(after_help = calibrate::EXAMPLES)]
    Calibrate(calibrate::Calibrate),
    /// Inject faults into a scene's runs and say which are found, how soon, and who is blamed.
    #[command(after_help = score::EXAMPLES)]
    Score(score::Score),
    /// List what is built in.
    List {
        /// What to list.
        what: Listed,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Listed {
    /// Built-in scenes.
    Scenes,
    /// Built-in robot descriptions.
    Models,
    /// Kinds of driver that a source may name.
    Drivers,
}

const EXAMPLES: &str = "Examples:
  becomingone run robot
  becomingone run scenes/warehouse_robot.ron --seed 7 --rerun save=run.rrd
  becomingone run robot --model husky.urdf
  becomingone run robot --set agents.rover.controller.speed_m_s=0.8
  becomingone run vehicle --model my_car.yaml
  becomingone run path/to/robot.urdf --duration 10s --summary run.json
  becomingone run robot --teleop --rerun serve
  becomingone run robot --record run.mcap

Exit status: 0 done, 1 the run failed or a file was not written whole, 2 bad input, 130 Ctrl-C.";

#[cfg(feature = "replay")]
const ANALYZE_EXAMPLES: &str = "Examples:
  becomingone analyze log.csv
  becomingone analyze log.csv --time datetime --baseline 400 --out scores.csv
  becomingone analyze log.csv --ignore anomaly,changepoint --rerun save=log.rrd

Exit status: 0 done, 1 a file could not be written, 2 bad input.";

#[derive(Args)]
struct Run {
    /// A scene file (.ron), a robot (URDF or MJCF) or vehicle (.yaml) description, or the name of a built-in scene.
    what: PathBuf,
    /// Robot (.urdf) or vehicle (.yaml, .ron) description that stands in for every model of the scene.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Simulated time to run, as 30s or 2m; else the scene's, else until all goals are reached or given up.
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    overlays: OverlayArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Keys in the terminal: pause, step, speed, reset, quit; h lists them. In real time, if nothing else is said.
    #[arg(long)]
    interactive: bool,
    /// Drive an agent, the first one that is driven or the named one, by arrows or w a s d, in place of its
    /// controller. With the keys of --interactive; runs until q, Ctrl-C or --duration.
    #[arg(long, value_name = "AGENT", num_args = 0..=1, require_equals = true)]
    teleop: Option<Option<String>>,
    /// Seed of every random number; else the scene's.
    #[arg(long)]
    seed: Option<u64>,
    /// Let hardware move: without this, what it is told is computed and not sent.
    #[arg(long)]
    arm: bool,
    /// Threads of the physics and of many agents' kernels; the results are the same.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// What Rerun gets: auto (a viewer if there is one, else a file), spawn (a viewer now), serve or
    /// serve=PORT (viewers that come and go), connect=URL (a viewer that runs, or will), save=FILE, or off.
    #[arg(long, default_value = "auto", value_parser = show::parse, value_name = "HOW")]
    rerun: Rerun,
    /// Record the run (MCAP): what `replay` and `info` read, and viewers (Foxglove, Rerun) open.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write the summary as JSON.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Print neither progress nor summary.
    #[arg(long)]
    quiet: bool,
    /// Measure each system and print where the time of the ticks went.
    #[arg(long)]
    profile_ticks: bool,
}

#[derive(Args)]
#[group(multiple = false)]
struct PaceArgs {
    /// As fast as possible (the default, but for --interactive and --teleop).
    #[arg(long)]
    fast: bool,
    /// One simulated second a second.
    #[arg(long)]
    real_time: bool,
    /// This many simulated seconds a second.
    #[arg(long, value_name = "FACTOR", value_parser = rate)]
    rate: Option<f64>,
}

impl PaceArgs {
    fn pace(&self, or: Pace) -> Pace {
        match self.rate {
            Some(rate) => Pace::Rate(rate),
            None if self.real_time => Pace::RealTime,
            None if self.fast => Pace::Fast,
            None => or,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|e| format!("{e}; expected a time as 30s, 1500ms or 2m"))?;
    // Nanoseconds are counted in 64 bits.
    const YEARS: u64 = 580 * 365 * 86_400;
    if duration.is_zero() || duration.as_secs() > YEARS {
        return Err("expected more than no time, and at most 580 years".to_owned());
    }
    Ok(duration)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-3..=1e6).contains(&rate) => Ok(rate),
        _ => Err("expected a factor from 0.001 to 1000000".to_owned()),
    }
}

/// What ends the program early.
enum Failure {
    BadInput(String),
    Run(String),
    /// Ctrl-C, and what was done until then.
    Stopped(String),
}

impl Failure {
    /// Trials were stopped; ` of 20`, where it is known how many were to be.
    fn stopped(cancel: &CancelToken, of_all: &str) -> Self {
        let finished = cancel.finished();
        Self::Stopped(format!(
            "stopped: {finished}{of_all} runs finished, nothing written"
        ))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        if error.is_bad_input() {
            Self::BadInput(error.to_string())
        } else {
            Self::Run(error.to_string())
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    log_to_terminal();
    let done = match Cli::parse().command {
        Command::Run(run) => run.run(),
        #[cfg(feature = "replay")]
        Command::Analyze(analyze) => analyze.run(),
        #[cfg(feature = "record")]
        Command::Info { file, json } => journal::info(&file, json),
        #[cfg(feature = "record")]
        Command::Replay(replay) => replay.run(),
        Command::Check {
            resolved,
            overlays,
            scenes,
        } => check(&scenes, &Overlays::from(&overlays), resolved),
        Command::List {
            what: Listed::Scenes,
        } => {
            for (name, about) in assets::scenes() {
                say!("{name:24} {about}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::List {
            what: Listed::Models,
        } => {
            for (name, about) in assets::models() {
                say!("{name:24} {about}");
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::List {
            what: Listed::Drivers,
        } => {
            let kinds = Plugins::new().kinds();
            for (name, kind) in &kinds.drivers {
                say!("{name:24} {}", kind.about());
            }
            for (name, feature) in becomingone::sources::DRIVER_FEATURES {
                if !kinds.drivers.contains_key(name) {
                    say!("{name:24} needs the Cargo feature `{feature}`");
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Inspect { file, json } => inspect(&file, json),
        Command::Calibrate(calibrate) => calibrate.run(),
        Command::Score(score) => score.run(),
    };
    // Who stops reading, as `head` does, has seen enough; a full disk has not.
    let lost = UNSAID
        .get()
        .filter(|e| e.kind() != std::io::ErrorKind::BrokenPipe);
    match (done, lost) {
        (Ok(_), Some(error)) => fail(&format!("stdout: {error}"), 1),
        (done, _) => exit_code(done),
    }
}

/// Warnings, and what viewers do; who comes and goes is told by us, not by Rerun's client as well.
fn log_to_terminal() {
    const SAID: &str = "warn,becomingone_rerun=info,re_grpc_client=off";
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(SAID))
        .format_timestamp(None)
        .write_style(if coloured {
            env_logger::WriteStyle::Always
        } else {
            env_logger::WriteStyle::Never
        })
        .target(env_logger::Target::Pipe(Box::new(terminal::Lines)))
        .init();
}

fn exit_code(done: Result<ExitCode, Failure>) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(Failure::BadInput(text)) => fail(&text, 2),
        Err(Failure::Run(text)) => fail(&text, 1),
        Err(Failure::Stopped(text)) => {
            complain!("{text}");
            ExitCode::from(130)
        }
    }
}

fn fail(text: &str, code: u8) -> ExitCode {
    complain!("error: {text}");
    ExitCode::from(code)
}

fn check(files: &[PathBuf], overlays: &Overlays, resolved: bool) -> Result<ExitCode, Failure> {
    if resolved && files.len() > 1 {
        return Err(Failure::BadInput(format!(
            "found {} files with --resolved; expected one, as one scene is printed",
            files.len()
        )));
    }
    let mut wrong = 0;
    for file in files {
        let kinds = Plugins::new().kinds();
        let read = load(file, None, overlays, &assets::Assets).and_then(|loaded| {
            let checked = CoherenceEngine::check_sources(&kinds, &loaded);
            checked.map_err(|e| Failure::BadInput(e.to_string()))?;
            Ok(loaded)
        });
        match read {
            Ok(loaded) if resolved => {
                warn(&loaded);
                say!("{}", scene::to_ron(&loaded.scene).trim_end());
            }
            Ok(loaded) => {
                warn(&loaded);
                say!(
                    "{}: ok, {} agents",
                    file.display(),
                    loaded.scene.agents.len()
                );
            }
            Err(Failure::BadInput(text) | Failure::Run(text) | Failure::Stopped(text)) => {
                complain!("error: {text}");
                wrong += 1;
            }
        }
    }
    Ok(ExitCode::from(if wrong == 0 { 0 } else { 2 }))
}

fn inspect(file: &Path, json: bool) -> Result<ExitCode, Failure> {
    let built_in = file.to_str().and_then(assets::model_path);
    let path = built_in.filter(|_| !file.exists());
    let model = load_robot(path.as_deref().unwrap_or(file), &assets::Assets)
        .map_err(|e| Failure::BadInput(e.to_string()))?;
    let inspection = Inspection::of(&model);
    if json {
        let text = serde_json::to_string_pretty(&inspection);
        say!("{}", text.map_err(|e| Failure::Run(e.to_string()))?);
    } else {
        say!("{inspection}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A scene by path or name, or a robot on a plane.
fn load(
    what: &Path,
    model: Option<&Path>,
    overlays: &Overlays,
    files: &dyn Files,
) -> Result<LoadedScene, Failure> {
    let bad = |text: String| Failure::BadInput(text);
    let is = |ends: &[&str]| {
        what.extension()
            .and_then(|e| e.to_str())
            .is_some_and(|e| ends.contains(&e.to_ascii_lowercase().as_str()))
    };
    if what.is_dir() {
        return Err(bad(format!(
            "{}: found a folder; expected a scene (.ron) or a robot (URDF or MJCF) or vehicle (.yaml) description",
            what.display()
        )));
    }
    if is(&["urdf", "xml", "yaml", "yml"]) || begins_as_xml(what) {
        if let Some(model) = model {
            return Err(bad(format!(
                "found both {} and --model {}; expected a scene, for the model to stand in",
                what.display(),
                model.display()
            )));
        }
        if !overlays.is_empty() {
            return Err(bad(format!(
                "found overlays for {}; expected them for a scene: `becomingone check --resolved` prints one for this robot, to save and change",
                what.display()
            )));
        }
        let kinds = Plugins::new().kinds();
        let loader = SceneLoader::new(&kinds).files(files);
        return loader.dropped(what).map_err(|e| bad(e.to_string()));
    }
    let name = match what.to_str() {
        // The short names of the main jobs.
        Some("robot") => "warehouse_robot",
        Some("vehicle") => "vehicle_track",
        Some(name) => name,
        None => "",
    };
    let built_in = assets::scene_path(name);
    let path = if !what.exists() && assets::Assets.is_file(&built_in) {
        built_in.as_path()
    } else if what.exists() || is(&["ron"]) {
        what
    } else {
        let built_in = assets::scenes().into_iter().map(|(name, _)| name);
        let known: Vec<String> = ["robot", "vehicle"]
            .map(str::to_owned)
            .into_iter()
            .chain(built_in)
            .collect();
        return Err(bad(format!(
            "found `{name}`, which is neither a file nor a built-in scene; expected a path, or one of: {}{}",
            known.join(", "),
            did_you_mean(name, known.iter().map(String::as_str))
        )));
    };
    let kinds = Plugins::new().kinds();
    let loader = SceneLoader::new(&kinds).files(files);
    let loaded = loader.model(model).overlays(overlays).load(path);
    loaded.map_err(|e| bad(e.to_string()))
}

/// Whether a file's first sign is that of XML, whatever its name: scenes are no XML.
fn begins_as_xml(file: &Path) -> bool {
    let mut first = Vec::new();
    let opened = std::fs::metadata(file).is_ok_and(|m| m.is_file());
    let read = opened
        .then(|| std::fs::File::open(file).ok())
        .flatten()
        .and_then(|f| f.take(1024).read_to_end(&mut first).ok());
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&first);
    read.is_some() && text.trim_ascii_start().starts_with(b"<")
}

/// Whether two paths lead to one file, by whatever links. Neither is opened: of a pipe, that would be heard.
fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(a), Ok(b)) = (a.metadata(), b.metadata()) {
        use std::os::unix::fs::MetadataExt as _;
        return (a.dev(), a.ino()) == (b.dev(), b.ino());
    }
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

/// What is written must not take the place of what is used.
fn keep_apart<'a>(
    flag: &str,
    file: &Path,
    used: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    match used.into_iter().find(|other| is_same_file(file, other)) {
        None => Ok(()),
        Some(other) => Err(Failure::BadInput(format!(
            "{flag} {}: found {}, which the run uses itself; expected a file of its own",
            file.display(),
            other.display()
        ))),
    }
}

/// Says what the loader repaired or left out.
fn warn(loaded: &LoadedScene) {
    for model in loaded.agents.iter().filter_map(|a| a.model.as_ref()) {
        for warning in &model.warnings {
            complain!("warning: {warning}");
        }
    }
}

impl Run {
    /// What is written must not take the place of what the run reads, or of its other files. `read` are files that
    /// the scene names, by [`MemoryFiles::name`](assets::MemoryFiles::name).
    fn keep_from<'a>(
        &'a self,
        flag: &str,
        file: &'a Path,
        written: impl IntoIterator<Item = &'a PathBuf>,
        read: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), Failure> {
        let overlays = &self.overlays;
        let used = std::iter::once(&self.what)
            .chain(&self.model)
            .chain(&overlays.profile)
            .chain(&overlays.config)
            .chain(written);
        let real = file.canonicalize();
        let real = real.as_deref().unwrap_or(file);
        let named = read.contains_key(&assets::MemoryFiles::name(real));
        keep_apart(
            flag,
            file,
            used.map(PathBuf::as_path).chain(named.then_some(file)),
        )
    }

    fn run(self) -> Result<ExitCode, Failure> {
        let by_keys = self.interactive || self.teleop.is_some();
        if by_keys && !std::io::stdin().is_terminal() {
            return Err(Failure::BadInput(
                "--interactive and --teleop read keys, and standard input is no terminal; run without them, or in a terminal".to_owned(),
            ));
        }
        let interrupt = Interrupt::catch()?;
        let remembered = assets::CapturingFiles::new(&assets::Assets);
        let mut loaded = load(
            &self.what,
            self.model.as_deref(),
            &Overlays::from(&self.overlays),
            &remembered,
        )?;
        let read = remembered.take();
        let saved = match &self.rerun {
            Rerun::Save(file) => Some(file),
            _ => None,
        };
        if let Some(file) = &self.record {
            self.keep_from("--record", file, saved, &read)?;
        }
        if let Some(file) = &self.summary {
            self.keep_from(
                "--summary",
                file,
                saved.into_iter().chain(&self.record),
                &read,
            )?;
            writable(file)?;
        }
        if let Some(seed) = self.seed {
            loaded.scene.seed = seed;
        }
        // Before the engine: what is measured is what is added after.
        let profiler = self
            .profile_ticks
            .then(Profiler::install)
            .transpose()
            .map_err(|e| Failure::Run(e.to_string()))?;
        let name = loaded.scene.name.clone();
        let driven = self
            .teleop
            .as_ref()
            .map(|agent| driven(&loaded, agent.as_deref()))
            .transpose()?;
        let journal = self
            .record
            .as_deref()
            .map(|file| journal::Recording::open(file, &self, &loaded, read, driven.as_deref()))
            .transpose()?;
        let has_drivers = becomingone::sources::has_drivers(&loaded);
        let mut engine = CoherenceEngine::from_loaded(loaded);
        if let Some(duration) = self.duration {
            engine.set_duration(duration);
        } else if driven.is_some() {
            // Who drives decides when it is over: goals do not.
            engine.set_duration(Duration::MAX);
        }
        let paced = by_keys || has_drivers;
        let pace = self
            .pace
            .pace(if paced { Pace::RealTime } else { Pace::Fast });
        if has_drivers && pace == Pace::Fast {
            complain!(
                "warning: --fast: drivers bring readings in real time, which the run does not wait for; sensors will fall silent"
            );
        }
        engine.set_armed(self.arm);
        engine.set_threads(usize::from(self.threads)).set_pace(pace);
        let driven = driven.map(|agent| {
            let stick = StickInput::default();
            engine.add_plugin(TeleopPlugin {
                agent: agent.clone(),
                input: stick.clone(),
            });
            (agent, stick)
        });
        let clock = by_keys.then(|| live::ClockMirror::of(&mut engine));
        let shown = Viewer::begin(&self.rerun, &mut engine, &name)?;
        let journal = journal.map(|journal| journal.begin(&mut engine));
        let run = engine.stop_handle();
        interrupt.stops(move || run.stop());
        engine.start()?;
        if !self.quiet {
            introduce(engine.world());
        } else {
            warn(engine.world().resource::<LoadedScene>());
        }

        let keys = match clock {
            None => None,
            Some(clock) => {
                let wanted = live::Wanted {
                    run: engine.stop_handle(),
                    clock,
                    pace,
                    driven,
                    quiet: self.quiet,
                };
                let interrupt = interrupt.clone();
                let taken = live::Keys::take(wanted, move || interrupt.press());
                Some(taken.map_err(|e| Failure::Run(format!("the terminal: {e}")))?)
            }
        };
        // The status line of the keys says more.
        let mut progress = (!self.quiet && !by_keys).then(Progress::new);
        let ran = engine.run_watched(|engine| {
            if let Some(progress) = &mut progress {
                progress.look(engine);
            }
        });
        drop(keys);
        // Whatever happened, the recording is closed and the summary written.
        if let Some(progress) = progress {
            progress.end();
        }
        let summary = engine.summary();
        let written = self
            .summary
            .as_deref()
            .map(|file| write_summary(&summary, file));
        shown.end(&mut engine, self.quiet);
        let recorded = journal.is_none_or(|j| j.end(&mut engine, interrupt.came(), self.quiet));
        if !self.quiet {
            say!("{summary}");
        }
        if let Some(profiler) = profiler {
            print_profile(&profiler, summary.ticks);
        }
        ran?;
        written.transpose()?;
        Ok(if interrupt.came() {
            ExitCode::from(130)
        } else {
            ExitCode::from(u8::from(!recorded))
        })
    }
}

/// Fails before the run where its result could not be written after it.
fn writable(file: &Path) -> Result<(), Failure> {
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map(drop)
        .map_err(|e| Failure::BadInput(format!("--summary {}: {e}", file.display())))
}

fn write_summary(summary: &Summary, file: &Path) -> Result<(), Failure> {
    serde_json::to_string_pretty(summary)
        .map_err(std::io::Error::other)
        .and_then(|json| std::fs::write(file, json + "\n"))
        .map_err(|e| Failure::Run(format!("{}: {e}", file.display())))
}

/// Ctrl-C: the first one stops what runs, once something does; the second one ends the program.
#[derive(Clone)]
struct Interrupt(Arc<(AtomicBool, OnceLock<Stop>)>);

type Stop = Box<dyn Fn() + Send + Sync>;

impl Interrupt {
    fn catch() -> Result<Self, Failure> {
        let here = Self(Arc::default());
        let handler = here.clone();
        ctrlc::set_handler(move || handler.press())
            .map_err(|e| Failure::Run(format!("Ctrl-C cannot be caught: {e}")))?;
        Ok(here)
    }

    /// Ctrl-C, as a signal or as a key.
    fn press(&self) {
        let again = self.0.0.swap(true, Ordering::AcqRel);
        match self.0.1.get() {
            Some(stop) if !again => stop(),
            _ => {
                terminal::restore();
                std::process::exit(130)
            }
        }
    }

    fn stops(&self, stop: impl Fn() + Send + Sync + 'static) {
        // It is set once, here.
        let _ = self.0.1.set(Box::new(stop));
    }

    /// Trials end, and say how far they came.
    fn stops_all(&self, cancel: &CancelToken) {
        let cancel = cancel.clone();
        self.stops(move || cancel.stop());
    }

    fn came(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }
}

/// The agent that is driven by hand: the named one, or the first that has a drive.
fn driven(loaded: &LoadedScene, named: Option<&str>) -> Result<String, Failure> {
    let agents = loaded.scene.agents.iter().enumerate();
    let drivable: Vec<&str> = agents
        .filter(|(k, _)| loaded.agents[*k].drive.is_some() || loaded.agents[*k].vehicle.is_some())
        .map(|(_, agent)| agent.name.as_str())
        .collect();
    let found = match named {
        None => drivable.first(),
        Some(named) => drivable.iter().find(|name| **name == named),
    };
    match (found, named) {
        (Some(found), _) => Ok((*found).to_owned()),
        (None, Some(named)) if !drivable.is_empty() => Err(Failure::BadInput(format!(
            "--teleop: found `{named}`; expected an agent that is driven: {}{}",
            drivable.join(", "),
            did_you_mean(named, drivable.iter().copied())
        ))),
        (None, _) => Err(Failure::BadInput(
            "--teleop: this scene has no agent that is driven".to_owned(),
        )),
    }
}

/// Says what was loaded.
fn introduce(world: &World) {
    let loaded = world.resource::<LoadedScene>();
    warn(loaded);
    let agents = loaded.scene.agents.iter().zip(&loaded.agents);
    // A crowd is introduced by its first few.
    const FEW: usize = 5;
    for (agent, loaded) in agents.take(FEW) {
        match &loaded.model {
            None => say!("{}: a kernel without a body", agent.name),
            Some(model) => say!(
                "{}: {}",
                agent.name,
                describe(
                    &Model(model.clone()),
                    loaded.drive.as_ref(),
                    loaded.vehicle.as_deref()
                )
            ),
        }
        let found = world.resource::<EntityIndex>().entity(&agent.name);
        if let Some(witness) = found.and_then(|agent| world.get::<Witness>(agent)) {
            say!("{}: foresees {witness}", agent.name);
        }
    }
    if loaded.scene.agents.len() > FEW {
        say!("and {} more agents", loaded.scene.agents.len() - FEW);
    }
    tell_sources(&world.resource::<ResolvedSources>().0);
}

/// Says where readings come from and where commands go; what is simulated is only counted.
fn tell_sources(rows: &[Resolved]) {
    use comfy_table::{Table, presets};
    let sim = Source::Sim.to_string();
    let told: Vec<&Resolved> = rows.iter().filter(|r| r.source != sim).collect();
    let simulated = rows.len() - told.len();
    if !told.is_empty() {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(["source of", "what", "source", "values"]);
        for row in told {
            table.add_row([&row.entity, &row.kind, &row.source, &row.values]);
        }
        say!("{table}");
    }
    if simulated > 0 {
        say!("sources: {simulated} sensors and drives simulated");
    }
}

fn describe(model: &Model, drive: Option<&Drive>, vehicle: Option<&VehicleModel>) -> String {
    let m = &model.0;
    if let Some(v) = vehicle {
        return format!(
            "{} ({}, {:.0} kg, {} wheels, wheelbase {:.2} m, up to {:.1} kN, {:.0} kW and {:.2} rad of steering)",
            m.file,
            v.name,
            v.mass_kg,
            v.wheels.len(),
            v.wheelbase_m(),
            v.engine.max_force_n / 1e3,
            v.engine.max_power_w / 1e3,
            v.steering.max_angle_rad
        );
    }
    let colliders: usize = m.links.iter().map(|l| l.colliders.len()).sum();
    let body = format!(
        "{} ({} bodies, {} joints, {colliders} colliders, {:.2} kg)",
        m.file,
        m.links.len(),
        m.joints.len(),
        m.mass_kg()
    );
    match drive {
        None => body,
        Some(d) => format!(
            "{body}, {} driven wheels, track {:.3} m, up to {:.2} m/s and {:.2} m/s²",
            d.wheels.len(),
            d.track_width_m,
            d.max_speed_m_s,
            d.max_acceleration_m_s2
        ),
    }
}

/// A line a second, on a terminal over itself.
struct Progress {
    over_itself: bool,
    last: Instant,
    ticks: u64,
}

impl Progress {
    fn new() -> Self {
        Self {
            over_itself: std::io::stderr().is_terminal(),
            last: Instant::now(),
            ticks: 0,
        }
    }

    fn look(&mut self, engine: &CoherenceEngine) {
        // The clock is asked once in 256 ticks; a paced run has time for more.
        self.ticks += 1;
        if self.ticks % 256 != 1 {
            return;
        }
        let every = Duration::from_secs(if self.over_itself { 1 } else { 10 });
        if self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let world = engine.world();
        let reached: u64 = world
            .try_query::<&Goals>()
            .map_or(0, |mut goals| goals.iter(world).map(|g| g.reached).sum());
        let line = format!(
            "{:9.1} s simulated, {reached} goals reached",
            engine.time().now_s()
        );
        if self.over_itself {
            terminal::show(&line);
        } else {
            complain!("{line}");
        }
    }

    fn end(self) {
        terminal::clear();
    }
}

fn print_profile(profiler: &Profiler, ticks: u64) {
    use comfy_table::{Cell, CellAlignment, Table, presets};
    let systems = profiler.report();
    let total: Duration = systems.iter().map(|s| s.total).sum();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(vec![
        "system",
        "µs a tick",
        "share",
        "longest µs",
    ]);
    let us = |d: Duration| d.as_secs_f64() * 1e6;
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    for s in &systems {
        table.add_row(vec![
            Cell::new(&s.name),
            number(format!("{:.3}", us(s.total) / ticks.max(1) as f64)),
            number(format!(
                "{:.1} %",
                100.0 * s.total.as_secs_f64() / total.as_secs_f64().max(1e-12)
            )),
            number(format!("{:.1}", us(s.longest))),
        ]);
    }
    say!("\n{table}");
}
