//! `becomingone run`.

use crate::alarm_lines::AlarmLines;
#[cfg(feature = "assistant")]
use crate::assistant::AssistantArgs;
use crate::confine::ConfineArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{keep_apart, writable, write_json};
use crate::interrupt::Interrupt;
use crate::introduce::{introduce, print_warnings};
use crate::limits::LimitArgs;
use crate::live;
use crate::load::{ModelArgs, load};
use crate::memory::Memory;
use crate::overlays::OverlayArgs;
use crate::parse::duration;
use crate::profile::print_profile;
use crate::progress::Progress;
use crate::record::{Origin, Recording};
#[cfg(feature = "api")]
use crate::serve::{ServeArgs, print_address};
use crate::show::{self, Rerun, Viewer};
use crate::terminal;
use becomingone::Plugins;
use becomingone::scene::Overlays;
use becomingone::{EngineBuilder, Pace, assets, real_time};
use becomingone_components::scene::LoadedScene;
use becomingone_model::did_you_mean;
use becomingone_systems::control::teleop::{StickInput, TeleopPlugin};
use becomingone_systems::profile::Profiler;
use clap::Args;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone run robot
  becomingone run scenes/warehouse_robot.ron --seed 7 --rerun save=run.rrd
  becomingone run robot --model husky.urdf
  becomingone run robot --set agents.rover.controller.speed_m_s=0.8
  becomingone run vehicle --model my_car.yaml
  becomingone run path/to/robot.urdf --duration 10s --summary run.json
  becomingone run robot --teleop --rerun serve
  becomingone run robot --record run.mcap
  becomingone run robot --assistant
  becomingone run assistant --help

Exit status: 0 done, 1 the run failed, a goal was given up or a file is incomplete, 2 bad input, 130 Ctrl-C.";

#[derive(Args)]
pub(crate) struct Run {
    /// A scene file (.ron), a robot (URDF or MJCF) or vehicle (.yaml) description, or the name of a built-in scene.
    what: PathBuf,
    /// Robot (.urdf) or vehicle (.yaml, .ron) description that replaces every model of the scene.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Simulated time to run, as 30s or 2m [default: the scene's, else until all goals are reached or given up].
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    meshes: ModelArgs,
    #[command(flatten)]
    confine: ConfineArgs,
    #[command(flatten)]
    overlays: OverlayArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Ask the system to prefer the thread of the ticks: real-time priority, one CPU (the named one, else the last),
    /// locked memory. What it refuses is said. Runs in real time by default.
    #[arg(long, value_name = "CPU", num_args = 0..=1, require_equals = true, conflicts_with = "fast")]
    rt: Option<Option<usize>>,
    /// Control the run by keys: pause, step, speed, reset, quit; h lists them. Runs in real time by default.
    #[arg(long)]
    interactive: bool,
    /// Drive an agent (the named one, else the first with a drive) with the arrow keys or w a s d, in place of its
    /// controller. Includes the keys of --interactive; runs until q, Ctrl-C or --duration.
    #[arg(long, value_name = "AGENT", num_args = 0..=1, require_equals = true)]
    teleop: Option<Option<String>>,
    /// Seed of all random numbers [default: the scene's].
    #[arg(long)]
    seed: Option<u64>,
    /// Arm hardware actuators: without this, commands are computed and not sent.
    #[arg(long)]
    arm: bool,
    /// Threads for physics and for kernels of many agents; results do not depend on it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// Output to Rerun: auto (a viewer if one is installed, else a file), spawn (start a viewer), serve or
    /// serve=PORT (viewers connect and disconnect), connect=URL (a running or later viewer), save=FILE, or off.
    #[arg(long, default_value = "auto", value_parser = show::parser(), value_name = "HOW")]
    rerun: Rerun,
    /// Record the run (MCAP) for `replay`, `info` and viewers (Foxglove, Rerun).
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Publish the state of each agent to a broker of MQTT, with its description for Home Assistant, and take stops:
    /// mqtt://HOST:PORT, or a file of options (plugins/mqtt/README.md). Runs in real time by default.
    #[cfg(feature = "mqtt")]
    #[arg(long, value_name = "BROKER|FILE")]
    mqtt: Option<String>,
    /// Let clients of the broker move agents, for this run.
    #[cfg(feature = "mqtt")]
    #[arg(long, requires = "mqtt")]
    mqtt_commands: bool,
    #[cfg(feature = "api")]
    #[command(flatten)]
    serve: ServeArgs,
    #[cfg(feature = "assistant")]
    #[command(flatten)]
    assistant: AssistantArgs,
    /// Restore the event memories of earlier runs from this file, if it exists, and replace it at the end.
    #[arg(long, value_name = "FILE")]
    memory: Option<PathBuf>,
    /// Sound alarms, and coherence as a pitch between 220 Hz and 440 Hz, on this speaker [default: the system's].
    #[cfg(feature = "audio")]
    #[arg(long, value_name = "DEVICE", num_args = 0..=1, require_equals = true)]
    speaker: Option<Option<String>>,
    /// Write the summary as JSON.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Print neither progress nor alarms nor summary.
    #[arg(long)]
    quiet: bool,
    /// Measure and print the time that each system takes.
    #[arg(long)]
    profile_ticks: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Args)]
#[group(multiple = false)]
struct PaceArgs {
    /// Run as fast as possible (the default, except with --interactive, --teleop, --mqtt, --serve, --rt and drivers).
    #[arg(long)]
    fast: bool,
    /// Run at real time.
    #[arg(long)]
    real_time: bool,
    /// Run at this multiple of real time.
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

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-3..=1e6).contains(&rate) => Ok(rate),
        _ => Err("expected a factor from 0.001 to 1000000".to_owned()),
    }
}

impl Run {
    /// Refuses an output that would overwrite an input or another output. `read` are the files of the scene, by
    /// [`MemoryFiles::name`](assets::MemoryFiles::name).
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

    pub(crate) fn run(self, plugins: &Plugins) -> Result<Exit, Failure> {
        let by_keys = self.interactive || self.teleop.is_some();
        if by_keys && !std::io::stdin().is_terminal() {
            return Err(Failure::BadInput(
                "--interactive and --teleop need a terminal, and standard input is no terminal; run without them, or in a terminal".to_owned(),
            ));
        }
        self.limits.set()?;
        let interrupt = Interrupt::install()?;
        let confined = self.confine.files(&assets::Assets, &self.what)?;
        let files = assets::CapturingFiles::new(&confined);
        let mut loaded = load(
            &self.what,
            self.model.as_deref(),
            &Overlays::from(&self.overlays),
            &self.meshes.files(&files),
            plugins,
        )?;
        self.confine.check(&loaded)?;
        let mut read = files.take();
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
        }
        if let Some(file) = &self.memory {
            let written = saved.into_iter().chain(&self.record).chain(&self.summary);
            self.keep_from("--memory", file, written, &read)?;
        }
        let memory = Memory::open(self.memory.as_deref(), &mut read)?;
        if let Some(file) = &self.summary {
            writable(file)?;
        }
        if let Some(seed) = self.seed {
            loaded.scene.seed = seed;
        }
        // Before the engine: only systems added after this are measured.
        let profiler = self
            .profile_ticks
            .then(Profiler::install)
            .transpose()
            .map_err(|e| Failure::Run(e.to_string()))?;
        let name = loaded.scene.name.clone();
        // Before any file is replaced: the port may be taken.
        #[cfg(feature = "assistant")]
        let is_talk = self.assistant.is_on();
        #[cfg(feature = "assistant")]
        self.assistant.check()?;
        #[cfg(not(feature = "assistant"))]
        let is_talk = false;
        #[cfg(feature = "api")]
        let api = self.serve.listen(is_talk)?;
        let teleop_agent = self
            .teleop
            .as_ref()
            .map(|agent| teleop_agent(&loaded, agent.as_deref()))
            .transpose()?;
        // Before an older recording is emptied.
        becomingone::CoherenceEngine::check_sources(&plugins.kinds(), &loaded)?;
        let journal = self
            .record
            .as_deref()
            .map(|file| {
                let origin = Origin {
                    what: &self.what,
                    model: self.model.as_deref(),
                    overlays: &self.overlays,
                    threads: self.threads,
                    teleop_agent: teleop_agent.as_deref(),
                };
                Recording::open(file, &origin, &loaded, read)
            })
            .transpose()?;
        interrupt.set_recording(self.record.as_deref());
        let has_drivers = becomingone::sources::has_drivers(&loaded);
        let mut engine = EngineBuilder::with(plugins.clone()).loaded(loaded);
        if let Some(duration) = self.duration {
            engine.set_duration(duration);
        } else if teleop_agent.is_some() || is_talk {
            // The operator ends the run, goals do not.
            engine.set_duration(Duration::MAX);
        }
        #[cfg(feature = "mqtt")]
        let is_published = self.mqtt.is_some();
        #[cfg(not(feature = "mqtt"))]
        let is_published = false;
        #[cfg(feature = "api")]
        let is_served = self.serve.is_on();
        #[cfg(not(feature = "api"))]
        let is_served = false;
        let paced =
            by_keys || has_drivers || is_published || is_served || is_talk || self.rt.is_some();
        let pace = self
            .pace
            .pace(if paced { Pace::RealTime } else { Pace::Fast });
        if has_drivers && pace == Pace::Fast {
            print_err!(
                "warning: --fast: drivers deliver readings in real time and the run does not wait for them; their sensors become stale. Leave out --fast"
            );
        }
        memory.begin(&mut engine);
        engine.set_armed(self.arm);
        engine.set_threads(usize::from(self.threads)).set_pace(pace);
        let teleop_agent = teleop_agent.map(|agent| {
            let stick = StickInput::default();
            engine.add_plugin(TeleopPlugin {
                agent: agent.clone(),
                input: stick.clone(),
            });
            (agent, stick)
        });
        #[cfg(feature = "audio")]
        if let Some(device) = &self.speaker {
            use becomingone::audio::{Speaker, SpeakerPlugin};
            let speaker = device
                .as_deref()
                .map_or_else(Speaker::new, Speaker::named)?;
            engine.add_plugin(SpeakerPlugin(speaker));
        }
        let clock = by_keys.then(|| live::ClockMirror::of(&mut engine));
        #[cfg_attr(
            not(feature = "api"),
            expect(unused_mut, reason = "the API opens its page")
        )]
        let mut viewer = Viewer::begin(&self.rerun, &mut engine, &name)?;
        let journal = journal.map(|journal| journal.begin(&mut engine));
        #[cfg(feature = "mqtt")]
        if let Some(options) = &self.mqtt {
            let output = becomingone::mqtt::MqttOutput::new(options, &name, self.mqtt_commands);
            engine.add_plugin(output.map_err(|e| Failure::BadInput(format!("--mqtt: {e}")))?);
        }
        #[cfg(feature = "api")]
        let serving = ServeArgs::start(api, &mut engine, self.record.as_deref(), &mut viewer)?;
        let run = engine.stop_handle();
        interrupt.on_first(move || run.stop());
        engine.start()?;
        if !self.quiet {
            introduce(engine.world());
        } else {
            print_warnings(engine.world().resource::<LoadedScene>());
        }

        #[cfg(feature = "api")]
        if let Some(serving) = &serving {
            print_address(serving);
        }
        #[cfg(feature = "assistant")]
        let talk = match &serving {
            Some(serving) => self.assistant.start(serving, engine.stop_handle())?,
            None => crate::assistant::Beside::default(),
        };
        let keys = match clock {
            None => None,
            Some(clock) => {
                let options = live::Options {
                    run: engine.stop_handle(),
                    clock,
                    pace,
                    teleop_agent,
                    quiet: self.quiet,
                };
                let interrupt = interrupt.clone();
                let opened = live::Keys::open(options, move || interrupt.trigger());
                Some(opened.map_err(|e| Failure::Run(format!("the terminal: {e}")))?)
            }
        };
        // The status line of interactive runs replaces it.
        let mut progress = (!self.quiet && !by_keys && !is_talk).then(Progress::new);
        let mut alarms = (!self.quiet && !is_talk).then(AlarmLines::default);
        // After all threads that are not to have it.
        if let Some(cpu) = self.rt {
            let preferred = real_time::prefer_this_thread(cpu);
            match preferred.is_whole() {
                true if self.quiet => {}
                true => print_out!("real time: {preferred}"),
                false => print_err!("warning: real time: {preferred}"),
            }
        }
        let ran = engine.run_watched(|engine| {
            if let Some(alarms) = &mut alarms {
                alarms.update(engine);
            }
            if let Some(progress) = &mut progress {
                progress.update(engine);
            }
        });
        drop(keys);
        if is_talk {
            // The prompt may still be open.
            terminal::restore();
        }
        #[cfg(feature = "api")]
        drop(serving);
        // The recording is closed and the summary written also after an error.
        if let Some(progress) = progress {
            progress.end();
        }
        let summary = engine.summary();
        let written = self
            .summary
            .as_deref()
            .map(|file| write_json(&summary, file));
        let shown = viewer.end(&mut engine, interrupt.is_set(), self.quiet);
        let recorded = journal.is_none_or(|j| j.end(&mut engine, interrupt.is_set(), self.quiet));
        interrupt.set_recording(None);
        if !self.quiet {
            print_out!("{summary}");
        }
        if let Some(profiler) = profiler {
            print_profile(&profiler, summary.ticks);
        }
        ran?;
        #[cfg(feature = "assistant")]
        talk.end()?;
        let kept = memory.end(&engine);
        written.transpose()?;
        kept?;
        let given_up: u64 = summary.agents.iter().map(|a| a.goals_given_up).sum();
        if given_up > 0 {
            let reached: u64 = summary.agents.iter().map(|a| a.goals_reached).sum();
            print_err!("error: goals given up: {given_up}, reached: {reached}");
        }
        Ok(if interrupt.is_set() {
            Exit::from(130)
        } else {
            Exit::from(u8::from(!recorded || !shown || given_up > 0))
        })
    }
}

/// The agent to drive by hand: the named one, or the first with a drive.
fn teleop_agent(loaded: &LoadedScene, named: Option<&str>) -> Result<String, Failure> {
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
            "--teleop: found `{named}`; expected an agent with a drive: {}{}",
            drivable.join(", "),
            did_you_mean(named, drivable.iter().copied())
        ))),
        (None, _) => Err(Failure::BadInput(
            "--teleop: this scene has no agent with a drive".to_owned(),
        )),
    }
}
