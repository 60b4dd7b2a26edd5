//! `becomingone run assistant`, and `run SCENE --assistant`.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::found::choose;
use crate::interrupt::Interrupt;
use crate::output::program_path;
use crate::parse::duration;
use crate::serve::host;
use becomingone::StopHandle;
use becomingone_api::{
    Client, PARENT_VARIABLE, Serving, TOKEN_VARIABLE, Tokens, ToolAnswer, Tools, folder, found,
};
use becomingone_assistant::{AssistantApp, AssistantError};
use clap::{Args, Parser};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const EXAMPLES: &str = "Examples:
  becomingone run assistant
  becomingone run assistant --name Solaria --scene slip_on_ice
  becomingone run assistant --at http://127.0.0.1:8420
  becomingone run assistant --recording run.mcap
  echo 'what is wrong' | becomingone run assistant
  becomingone run assistant --llm http://127.0.0.1:11434/v1#qwen3:8b
  becomingone run robot --assistant

Speaks with the run of this user that serves, if there is one and no scene is named; else with a
run that it starts. `help` lists what it understands. What moves a machine asks for leave first;
`stop` overtakes everything and needs none.

Exit status: 0 the talk ended, 1 it failed, 2 bad input.";

/// Talk with a run in the terminal: ask, drive, watch. Needs no model and no network.
#[derive(Parser)]
#[command(name = "becomingone run assistant", max_term_width = 100, after_help = EXAMPLES)]
struct Talk {
    /// Its name [default: that of IDENTITY.md in its folder, else `assistant`].
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// What it says of itself when it is asked who it is.
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    prompt: String,
    /// Address of the server that is asked [default: the only run of this user, else one that is started here].
    #[arg(long, value_name = "URL", conflicts_with_all = ["recording", "scene"])]
    at: Option<String>,
    /// Speak with a recording (`run --record`), at its end.
    #[arg(long, value_name = "FILE", conflicts_with = "scene")]
    recording: Option<PathBuf>,
    /// Start this scene, though there may be a run already [default: robot, where there is none].
    #[arg(long)]
    scene: Option<String>,
    /// Folder with scenes (.ron) that may be run, beside the built-in ones.
    #[arg(long, value_name = "FOLDER")]
    scenes: Option<PathBuf>,
    /// Folder of its sessions, notes, schedules, and files of identity; one of `openclaw` or `nanobot` will do
    /// [default: becomingone/assistant in the data folder of this user].
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Its configuration: channels by which people write, where alerts go (the crate's README).
    #[arg(long, value_name = "FILE")]
    assistant_config: Option<PathBuf>,
    /// A model that proposes sentences for what it does not understand: address and name, as in the examples. Acts are asked
    /// for first. A key is read from the environment (`OPENAI_API_KEY`) [default: that of the configuration, else none].
    #[arg(long, value_name = "URL#MODEL")]
    llm: Option<String>,
    /// Go on after the end of the input, for channels and the page, until Ctrl-C.
    #[arg(long)]
    stay: bool,
    /// Longest wait until the recording is played to its end, as 30s or 2m.
    #[arg(long, value_parser = duration, default_value = "10m")]
    within: Duration,
}

/// `run assistant`, where that is what is asked for: no file and no folder has this name.
pub(crate) fn of(arguments: &[OsString]) -> Option<Result<Exit, Failure>> {
    let is_talk = arguments.get(1).is_some_and(|verb| verb == "run")
        && arguments.get(2).is_some_and(|what| what == "assistant")
        && !Path::new("assistant").exists();
    is_talk.then(|| {
        let name = OsString::from("becomingone run assistant");
        let rest = arguments.iter().skip(3).cloned();
        Talk::parse_from(std::iter::once(name).chain(rest)).run()
    })
}

fn failure(error: AssistantError) -> Failure {
    match error {
        AssistantError::NotFound(error) | AssistantError::Config(error) => Failure::BadInput(error),
        other => Failure::Run(other.to_string()),
    }
}

impl Talk {
    fn app(&self) -> AssistantApp {
        let mut app = AssistantApp::new(&self.name).system_prompt(&self.prompt);
        if let Some(folder) = &self.folder {
            app = app.folder(folder);
        }
        if let Some(file) = &self.assistant_config {
            app = app.config(file);
        }
        if let Some(model) = &self.llm {
            app = app.model(model);
        }
        match self.stay {
            true => app.stay(),
            false => app,
        }
    }

    fn run(self) -> Result<Exit, Failure> {
        // A signal ends it; the terminal is as it was.
        Interrupt::install()?;
        if let Some(file) = &self.recording {
            let played = Played::start(file, self.within)?;
            self.app()
                .client(played.client.clone())
                .start()
                .map_err(failure)?;
            return Ok(Exit::SUCCESS);
        }
        let found = match (&self.at, &self.scene) {
            (None, Some(_)) => None,
            (at, _) => choose(at.as_deref())?,
        };
        if let Some(run) = found {
            let client = Client::of(&run).map_err(Failure::BadInput)?;
            self.app().client(client).start().map_err(failure)?;
            return Ok(Exit::SUCCESS);
        }
        let recordings = self.recordings()?;
        let (client, hub) = self.host(recordings.clone())?;
        if self.stay || std::io::stdout().is_terminal() {
            print_out!("page: {}", hub.page());
        }
        let app = self.app().client(client).companions(hub.companions());
        let talked = app.start().map_err(failure);
        // Its runs close their recordings.
        drop(hub);
        if self.folder.is_none() {
            // What nobody has named is not kept.
            drop(std::fs::remove_dir_all(recordings));
        }
        talked.map(|()| Exit::SUCCESS)
    }

    /// A folder for the recordings of its runs: in its own, where that is named, else one that ends with the talk.
    fn recordings(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = &self.folder {
            return Ok(folder.join("recordings"));
        }
        let folder = folder().map_err(Failure::Run)?;
        Ok(folder.join(format!("talk-{}", std::process::id())))
    }

    /// A server of runs, for this talk alone, with one that has begun.
    fn host(&self, recordings: PathBuf) -> Result<(Client, Serving), Failure> {
        let (client, hub) = host("run assistant", self.scenes.clone(), recordings)?;
        let scene = self.scene.as_deref().unwrap_or("robot");
        let started = told(&client, "run_scene", "scene", json!(scene))?;
        match started.is_refused {
            true => Err(Failure::BadInput(format!(
                "--scene {scene}: {}",
                started.text
            ))),
            false => Ok((client, hub)),
        }
    }
}

/// Calls a tool with one argument. There is nobody yet who could be asked.
fn told(client: &Client, tool: &str, name: &str, value: Value) -> Result<ToolAnswer, Failure> {
    let tools = Tools::new(client.clone(), |_| false).map_err(Failure::Run)?;
    let called = tools.call(tool, Map::from_iter([(name.to_owned(), value)]));
    called.map_err(Failure::Run)
}

/// A recording that another process plays.
struct Played {
    client: Client,
    child: Child,
}

impl Drop for Played {
    fn drop(&mut self) {
        // Nothing of it is to be kept.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Played {
    /// Plays a recording to its end, as fast as possible.
    fn start(file: &Path, within: Duration) -> Result<Self, Failure> {
        let failed = |error: String| Failure::Run(format!("{}: {error}", file.display()));
        let program = program_path().map_err(|e| failed(e.to_string()))?;
        let (token, _) = Tokens::random().map_err(Failure::Run)?;
        let child = Command::new(program)
            .arg("replay")
            .arg(file)
            .args(["--serve=0", "--quiet"])
            .env(TOKEN_VARIABLE, &token)
            .env(PARENT_VARIABLE, std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        // Where it is, is known in a moment.
        let client = Client::new("", &token);
        let mut played = Self { client, child };
        let until = Instant::now() + within;
        let url = played.wait(file, until, |played| {
            let runs = folder()
                .and_then(|folder| found(&folder))
                .map_err(Failure::Run)?;
            let run = runs
                .into_iter()
                .find(|run| run.process == played.child.id());
            Ok(run.map(|run| run.url))
        })?;
        played.client = Client::new(&url, &token);
        told(&played.client, "set", "rate", json!(0))?;
        played.wait(file, until, |played| {
            let state = played.client.get("/v1/run").map_err(failed)?;
            Ok((state["playback"]["is_over"] == true).then_some(()))
        })?;
        Ok(played)
    }

    /// Waits until there is something, or the process ends.
    fn wait<T>(
        &mut self,
        file: &Path,
        until: Instant,
        mut ready: impl FnMut(&Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        loop {
            if let Some(status) = self
                .child
                .try_wait()
                .map_err(|e| Failure::Run(e.to_string()))?
            {
                // It has said why.
                return Err(Failure::BadInput(format!(
                    "{}: its replay ended ({status})",
                    file.display()
                )));
            }
            if let Some(there) = ready(self)? {
                return Ok(there);
            }
            if Instant::now() > until {
                return Err(Failure::Run(format!(
                    "{}: not at its end in time; expected a longer --within",
                    file.display()
                )));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A talk beside a run: why it ended before its input, if it did.
#[derive(Default)]
pub(crate) struct Beside(Arc<OnceLock<String>>);

impl Beside {
    /// Fails where the talk has failed.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        match self.0.get() {
            None => Ok(()),
            Some(error) => Err(Failure::Run(format!("assistant: {error}"))),
        }
    }
}

#[derive(Args)]
#[command(next_help_heading = "Assistant")]
pub(crate) struct AssistantArgs {
    /// Talk with the run in this terminal; see `becomingone run assistant --help`. Runs in real time by default, until the
    /// talk, --duration or Ctrl-C ends it.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, conflicts_with_all = ["interactive", "teleop"])]
    assistant: Option<Option<String>>,
    /// Folder of its sessions, notes, schedules, and files of identity [default: that of this user].
    #[arg(long, value_name = "FOLDER", requires = "assistant")]
    assistant_folder: Option<PathBuf>,
    /// Its configuration: channels by which people write, where alerts go.
    #[arg(long, value_name = "FILE", requires = "assistant")]
    assistant_config: Option<PathBuf>,
    /// The run does not end with its input, but with --duration or Ctrl-C.
    #[arg(long, requires = "assistant")]
    assistant_stay: bool,
}

impl AssistantArgs {
    pub(crate) fn is_on(&self) -> bool {
        self.assistant.is_some()
    }

    fn app(&self) -> AssistantApp {
        let name = self.assistant.clone().flatten();
        let mut app = AssistantApp::new(name.unwrap_or_default());
        if let Some(file) = &self.assistant_config {
            app = app.config(file);
        }
        if self.assistant_stay {
            app = app.stay();
        }
        if let Some(folder) = &self.assistant_folder {
            app = app.folder(folder);
        }
        app
    }

    /// Reads its configuration: what is wrong with it is said before anything runs.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.app().check().map_err(failure)
    }

    /// Begins the talk beside a run that is served; the run ends with it.
    pub(crate) fn start(&self, serving: &Serving, run: StopHandle) -> Result<Beside, Failure> {
        let beside = Beside::default();
        if !self.is_on() {
            return Ok(beside);
        }
        let app = self.app().client(serving.client().clone());
        let app = app.companions(serving.companions());
        let failed = beside.0.clone();
        let talk = move || {
            if let Err(error) = app.start() {
                let _ = failed.set(error.to_string());
            }
            run.stop();
        };
        let thread = std::thread::Builder::new()
            .name("assistant".to_owned())
            .spawn(talk);
        thread.map_err(|e| Failure::Run(e.to_string()))?;
        Ok(beside)
    }
}
