//! The assistant as an application.

use crate::alerts::Alerts;
use crate::channels::Page;
use crate::chat::{House, Owner};
use crate::config::{Config, model_at};
use crate::gateway::{Beginning, Gateway};
use crate::model::Model;
use crate::people::People;
use crate::talk::{Setup, Talk, default_folder};
use becomingone::scene::SceneLoader;
use becomingone::{CoherenceEngine, Pace, StopHandle};
use becomingone_api::{Api, Client, Companions, Serving, Tokens, folder, found};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

/// Why an assistant does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssistantError {
    /// No server was found where it was looked for.
    #[error("{0}")]
    NotFound(String),
    /// The scene of its own does not run.
    #[error("the scene `{scene}`: {error}")]
    Scene {
        /// The scene.
        scene: String,
        /// Why.
        error: String,
    },
    /// Its configuration: file, line and column, found and expected.
    #[error("{0}")]
    Config(String),
    /// A file, a thread, or a server that does not answer.
    #[error("{0}")]
    Start(String),
}

/// An assistant: a talk with a run, in a terminal, through a pipe, or from a program.
///
/// Without a server ([`at`](Self::at), [`client`](Self::client)) it speaks with the run of this user that serves, if there
/// is one, else with a run of its own, of the scene `robot`.
#[derive(Clone, Debug, Default)]
pub struct AssistantApp {
    name: String,
    prompt: String,
    client: Option<Client>,
    url: Option<String>,
    folder: Option<PathBuf>,
    scene: Option<String>,
    config: Option<PathBuf>,
    companions: Option<Companions>,
    model: Option<String>,
    stays: bool,
}

/// A run of this process, for the assistant alone.
struct Own {
    client: Client,
    run: StopHandle,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Own {
    fn drop(&mut self) {
        self.run.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Begins a scene in real time, behind a server; it goes on when all goals are reached.
fn begin(scene: &str, tokens: Tokens) -> Result<(CoherenceEngine, Serving), String> {
    let builder = CoherenceEngine::builder();
    let loaded = SceneLoader::new(&builder.kinds()).named(Path::new(scene));
    let mut engine = builder.loaded(loaded.map_err(|e| e.to_string())?);
    engine.set_pace(Pace::RealTime);
    engine.set_duration(Duration::MAX);
    let serving = Api::new().port(0).tokens(tokens).start(&mut engine);
    Ok((engine, serving.map_err(|e| e.to_string())?))
}

impl Own {
    /// Runs a scene on a thread of its own, in real time, behind a server that has a token of this process.
    fn start(scene: &str) -> Result<Self, AssistantError> {
        let failed = |error: String| AssistantError::Scene {
            scene: scene.to_owned(),
            error,
        };
        let (token, tokens) = Tokens::random().map_err(failed)?;
        let (ready, is_ready) = channel();
        let name = scene.to_owned();
        let thread = std::thread::Builder::new()
            .name("assistant-run".to_owned())
            .spawn(move || {
                // An engine belongs to the thread that starts it.
                let started = begin(&name, tokens);
                match started {
                    Ok((mut engine, serving)) => {
                        let _ = ready.send(Ok((serving.url().to_owned(), engine.stop_handle())));
                        if let Err(error) = engine.run() {
                            log::error!("assistant: the run failed: {error}");
                        }
                        drop(serving);
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
        let thread = thread.map_err(|e| failed(e.to_string()))?;
        let started = is_ready.recv().map_err(|e| failed(e.to_string()))?;
        let (url, run) = started.map_err(failed)?;
        Ok(Self {
            client: Client::new(&url, &token),
            run,
            thread: Some(thread),
        })
    }
}

impl AssistantApp {
    /// An assistant of this name. Without one, it is that of its `IDENTITY.md`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// What it says of itself when it is asked who it is.
    #[must_use]
    pub fn system_prompt(mut self, text: impl Into<String>) -> Self {
        self.prompt = text.into();
        self
    }

    /// The run that is spoken with, by its address: `http://127.0.0.1:8420`. The token is that of the environment
    /// (`BECOMINGONE_TOKEN`), or of the file of this user.
    #[must_use]
    pub fn at(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// A client of the server that is asked.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// The scene of a run of its own: a file, or the name of a built-in one.
    #[must_use]
    pub fn scene(mut self, scene: impl Into<String>) -> Self {
        self.scene = Some(scene.into());
        self
    }

    /// The folder with its sessions, notes and files of identity; one of `OpenClaw` or nanobot will do.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Its configuration (`assistant.ron`): channels by which people write, and where alerts go. A name that is given to
    /// [`new`](Self::new) goes before the one in it.
    #[must_use]
    pub fn config(mut self, file: impl Into<PathBuf>) -> Self {
        self.config = Some(file.into());
        self
    }

    /// A model that proposes sentences where the table has none, by its address and name:
    /// `http://127.0.0.1:11434/v1#qwen3:8b`. Its key is in `OPENAI_API_KEY`, where it wants one.
    #[must_use]
    pub fn model(mut self, address: impl Into<String>) -> Self {
        self.model = Some(address.into());
        self
    }

    /// The server on whose page it is talked with, too, and to which other servers of messages post.
    #[must_use]
    pub fn companions(mut self, companions: &Companions) -> Self {
        self.companions = Some(companions.clone());
        self
    }

    /// Goes on after the end of the input, for channels, schedules and the page, until the process ends.
    #[must_use]
    pub fn stay(mut self) -> Self {
        self.stays = true;
        self
    }

    fn find(&self) -> Result<(Client, Option<Own>), AssistantError> {
        if let Some(client) = &self.client {
            return Ok((client.clone(), None));
        }
        let not_found = AssistantError::NotFound;
        let runs = folder()
            .and_then(|folder| found(&folder))
            .map_err(not_found)?;
        let client = match (&self.url, &self.scene, runs.as_slice()) {
            (Some(url), ..) => {
                let url = url.trim_end_matches('/');
                let known = runs.iter().find(|run| run.url == url);
                Client::at(url, known.and_then(|run| run.token_file.as_deref()))
            }
            (None, None, [run]) => Client::of(run),
            (None, None, [_, ..]) => {
                let urls: Vec<_> = runs.iter().map(|run| run.url.as_str()).collect();
                Err(format!(
                    "found more than one run; expected the address of one of {}",
                    urls.join(", ")
                ))
            }
            (None, scene, _) => {
                let own = Own::start(scene.as_deref().unwrap_or("robot"))?;
                return Ok((own.client.clone(), Some(own)));
            }
        };
        Ok((client.map_err(not_found)?, None))
    }

    /// Reads its configuration and looks at the address of its model, and does nothing else.
    ///
    /// # Errors
    ///
    /// [`AssistantError::Config`].
    pub fn check(&self) -> Result<(), AssistantError> {
        self.read().map(drop)
    }

    fn read(&self) -> Result<(Option<Config>, Option<Arc<Model>>), AssistantError> {
        let config = self.config.as_deref().map(Config::read).transpose();
        let config = config.map_err(AssistantError::Config)?;
        let model = match &self.model {
            Some(address) => {
                let wrong = |what| AssistantError::Config(format!("the model: {what}"));
                Some(model_at(address).map_err(wrong)?)
            }
            None => config.as_ref().and_then(|config| config.model.clone()),
        };
        Ok((config, model))
    }

    /// Opens a talk from a program. Nobody is asked: what needs a person's leave is refused.
    ///
    /// # Errors
    ///
    /// [`AssistantError`].
    pub fn open(self) -> Result<Conversation, AssistantError> {
        let (config, model) = self.read()?;
        let (client, own) = self.find()?;
        let folder = self.folder.unwrap_or_else(default_folder);
        let of_config = |own: String, other: fn(&Config) -> &String| match own.as_str() {
            "" => config.as_ref().map(other).cloned().unwrap_or_default(),
            _ => own,
        };
        let name = of_config(self.name, |config| &config.name);
        let prompt = of_config(self.prompt, |config| &config.prompt);
        let has_channels = config
            .as_ref()
            .is_some_and(|config| !config.channels.is_empty());
        let people = Arc::new(People::open(&folder));
        if let Some(config) = &config
            && self.companions.is_none()
            && let Some(name) = config.posted()
        {
            return Err(AssistantError::Config(format!(
                "found the channel `{name}` with a secret, whose messages come by the server of the run; expected the run in this process: run SCENE --assistant --assistant-config FILE"
            )));
        }
        let alerts = Arc::new(Alerts::default());
        let mut gateway = None;
        let setup = Setup {
            client: &client,
            name: &name,
            prompt: &prompt,
            folder: &folder,
            people: has_channels.then(|| people.clone()),
            alerts: alerts.clone(),
            model: model.clone(),
        };
        let talk = Talk::new(&setup).map_err(AssistantError::Start)?;
        if has_channels || self.companions.is_some() {
            let (grammar, current) = talk.about();
            let (channels, routes) =
                config.map_or_else(Default::default, |config| (config.channels, config.routes));
            let house = House {
                client,
                name: talk.name().to_owned(),
                prompt,
                folder: folder.clone(),
                model,
                people,
            };
            let started = Gateway::start(Beginning {
                house: Arc::new(house),
                owner: Owner {
                    alerts: alerts.clone(),
                },
                channels,
                page: self.companions.is_some().then(|| Arc::new(Page::new())),
                routes,
                grammar: &grammar,
                current,
            });
            let started = started.map_err(AssistantError::Start)?;
            if let Some(companions) = &self.companions {
                companions.set(started.clone());
            }
            let told = Arc::downgrade(&started);
            alerts.set(move |text| {
                if let Some(gateway) = told.upgrade() {
                    gateway.alert(text);
                }
            });
            gateway = Some(started);
        }
        Ok(Conversation {
            talk: Some(talk),
            gateway,
            folder,
            _own: own,
        })
    }

    /// Talks with who is at standard input: line by line in a terminal, and through a pipe, until it ends or somebody says
    /// `quit`.
    ///
    /// # Errors
    ///
    /// [`AssistantError`].
    pub fn start(self) -> Result<(), AssistantError> {
        let stays = self.stays;
        let mut conversation = self.open()?;
        let history = conversation.folder.join("history.txt");
        match conversation.talk.take() {
            Some(talk) => talk
                .with_standard_input(&history, stays)
                .map_err(AssistantError::Start),
            None => Ok(()),
        }
    }
}

/// A talk from a program.
///
/// ```no_run
/// use becomingone_assistant::AssistantApp;
///
/// let talk = AssistantApp::new("Solaria").open()?;
/// println!("{}", talk.say("what is wrong"));
/// # Ok::<(), becomingone_assistant::AssistantError>(())
/// ```
pub struct Conversation {
    talk: Option<Talk>,
    gateway: Option<Arc<Gateway>>,
    folder: PathBuf,
    _own: Option<Own>,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Conversation {
    /// The reply to a sentence.
    pub fn say(&self, sentence: &str) -> String {
        self.talk
            .as_ref()
            .map_or_else(String::new, |talk| talk.say(sentence))
    }

    /// The assistant's name.
    pub fn name(&self) -> &str {
        self.talk.as_ref().map_or("", Talk::name)
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        if let Some(gateway) = &self.gateway {
            gateway.end();
        }
        if let Some(talk) = self.talk.take() {
            talk.end();
        }
    }
}
