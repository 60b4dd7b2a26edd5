//! Where the runs of `calibrate` and `score` are done: on threads, or as tasks of a cluster of Ray.
//!
//! A run is known by a stage and its number there. For Ray, `python -m becomingone.ray --trials` is given the scene, as the
//! plan of a sweep, and the arguments of this command; then a run a line. Each is done by this program with
//! `--trial STAGE:NUMBER` on a node, and its result comes back as text that has all digits.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::load::{ModelArgs, load, planned};
use crate::on_ray::{On, RayPython};
use crate::overlays::OverlayArgs;
use becomingone::scene::Overlays;
use becomingone::sweep::{Plan, Request};
use becomingone::trials::{CancelToken, on_all_processors};
use becomingone::{EngineError, Plugins, assets};
use becomingone_components::scene::LoadedScene;
use clap::Args;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How often Ctrl-C is looked for while runs are done elsewhere.
const POLL: Duration = Duration::from_millis(100);

/// Time in which Python ends by itself.
const KILL_AFTER: Duration = Duration::from_secs(5);

/// Where the runs are done.
#[derive(Args)]
pub(crate) struct TrialArgs {
    /// Where the runs are done: threads of this machine, or a cluster of Ray, by Python.
    #[arg(long, value_enum, default_value_t = On::Threads)]
    on: On,
    /// Address of the cluster [default: one on this machine].
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Do this run alone, of the scene of the plan on standard input, and print its result.
    #[arg(long, hide = true, value_name = "STAGE:NUMBER", value_parser = one, conflicts_with = "on")]
    trial: Option<(String, usize)>,
}

fn one(text: &str) -> Result<(String, usize), String> {
    let found = text.rsplit_once(':');
    let found = found.and_then(|(stage, number)| Some((stage.to_owned(), number.parse().ok()?)));
    found.ok_or_else(|| "expected STAGE:NUMBER".to_owned())
}

/// The scene of the runs, and where they are done.
pub(crate) struct Trials {
    pub(crate) loaded: LoadedScene,
    session: Option<RefCell<Session>>,
    one: Option<(String, usize)>,
}

/// What a run is, as text: its result, or its error.
type Done<R> = Result<R, String>;

impl TrialArgs {
    /// Loads the scene, and connects to the cluster. `arguments` are those of this command that decide about runs.
    pub(crate) fn begin(
        &self,
        scene: &Path,
        overlays: &OverlayArgs,
        model: &ModelArgs,
        arguments: Vec<String>,
        plugins: &Plugins,
    ) -> Result<Trials, Failure> {
        self.on.check(self.address.as_deref())?;
        if let Some(one) = &self.trial {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|e| Failure::Run(format!("--trial: the plan on standard input: {e}")))?;
            let plan = Plan::from_json(&text).map_err(Failure::bad_input)?;
            // The warnings of the scene were logged where the runs were asked for.
            log::set_max_level(log::LevelFilter::Error);
            return Ok(Trials {
                loaded: plan.scene(plugins).map_err(Failure::bad_input)?,
                session: None,
                one: Some(one.clone()),
            });
        }
        let python = match self.on {
            On::Ray => Some(RayPython::find()?),
            On::Threads => None,
        };
        let files = model.files(&assets::Assets);
        let loaded = load(scene, None, &Overlays::from(overlays), &files, plugins)?;
        let session = python.map(|python| {
            let request = Request {
                scenes: vec![planned(scene)?],
                profiles: overlays.profile.clone(),
                configs: overlays.config.clone(),
                sets: overlays.set.clone(),
                allow_missing: model.allow_missing(),
                ..Request::default()
            };
            let plan = Plan::new(request, plugins).map_err(Failure::bad_input)?;
            let plan = plan.to_json().map_err(Failure::bad_input)?;
            let session = Session::begin(&python, self.address.as_deref(), plan, arguments)?;
            Ok::<_, Failure>(RefCell::new(session))
        });
        Ok(Trials {
            loaded,
            session: session.transpose()?,
            one: None,
        })
    }
}

impl Trials {
    /// The run that is to be done alone, by its stage and number.
    pub(crate) fn one(&self) -> Option<(&str, usize)> {
        let one = self.one.as_ref()?;
        Some((&one.0, one.1))
    }

    /// Lets a cluster begin with runs that will probably be needed.
    pub(crate) fn ahead(&self, stage: &str, mut numbers: Range<usize>) -> Result<(), Failure> {
        let Some(session) = &self.session else {
            return Ok(());
        };
        let mut session = session.borrow_mut();
        numbers.try_for_each(|number| session.submit(format!("{stage}:{number}")))
    }

    /// Does the runs of these numbers, in any order; returns their results in order, and `None` where they were cancelled.
    pub(crate) fn each<R: Send + Serialize + DeserializeOwned>(
        &self,
        stage: &str,
        numbers: Range<usize>,
        cancel: &CancelToken,
        run: impl Fn(usize) -> Result<Option<R>, EngineError> + Sync,
    ) -> Result<Option<Vec<R>>, Failure> {
        let Some(session) = &self.session else {
            let numbers: Vec<usize> = numbers.collect();
            return Ok(on_all_processors(&numbers, |&number| run(number))?);
        };
        self.ahead(stage, numbers.clone())?;
        let mut session = session.borrow_mut();
        let mut all = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(text) = session.result(&format!("{stage}:{number}"), cancel)? else {
                return Ok(None);
            };
            let done: Done<R> = ron::from_str(&text)
                .map_err(|e| Failure::Run(format!("--on ray: {stage}:{number}: {e}")))?;
            all.push(done.map_err(Failure::Run)?);
            cancel.finish();
        }
        Ok(Some(all))
    }
}

/// Prints the result of a run that was to be done alone.
pub(crate) fn print<R: Serialize>(
    done: Result<Option<R>, EngineError>,
    cancel: &CancelToken,
) -> Result<Exit, Failure> {
    let done: Done<R> = match done {
        Ok(Some(done)) => Ok(done),
        Ok(None) => return Err(Failure::stopped(cancel, " of 1")),
        Err(error) => Err(error.to_string()),
    };
    let text = ron::to_string(&done).map_err(|e| Failure::Run(format!("--trial: {e}")))?;
    print_out!("{text}");
    Ok(Exit::SUCCESS)
}

/// The first line for Python.
#[derive(Serialize)]
struct Begin {
    plan: String,
    arguments: Vec<String>,
}

/// A line of Python: the run, and what its program printed, or why there is nothing.
#[derive(Deserialize)]
struct Answer {
    trial: String,
    result: Option<String>,
    error: Option<String>,
}

/// Python, which has the runs done.
struct Session {
    child: Child,
    /// `None` once it is to end.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    name: String,
    submitted: HashSet<String>,
    done: HashMap<String, String>,
}

impl Session {
    fn begin(
        python: &RayPython,
        address: Option<&str>,
        plan: String,
        arguments: Vec<String>,
    ) -> Result<Self, Failure> {
        let name = python.name();
        let wrong = |e: std::io::Error| Failure::Run(format!("--on ray: {name}: {e}"));
        let mut command = python.command(address, true);
        command
            .arg("--trials")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(wrong)?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let (line, lines) = channel();
        // It ends with the output, which ends with the child.
        let read = move || {
            let Some(output) = output else { return };
            for text in BufReader::new(output).lines().map_while(Result::ok) {
                if line.send(text).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("ray".to_owned());
        thread.spawn(read).map_err(wrong)?;
        let mut session = Self {
            child,
            input,
            lines,
            name: name.clone(),
            submitted: HashSet::new(),
            done: HashMap::new(),
        };
        session.send(&Begin { plan, arguments })?;
        Ok(session)
    }

    fn send(&mut self, line: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(line)
            .map_err(|e| Failure::Run(format!("--on ray: {}: {e}", self.name)))?;
        let written = self.input.as_mut().map(|input| {
            writeln!(input, "{text}")?;
            input.flush()
        });
        match written {
            Some(Ok(())) => Ok(()),
            _ => Err(self.ended()),
        }
    }

    fn submit(&mut self, trial: String) -> Result<(), Failure> {
        if self.submitted.contains(&trial) {
            return Ok(());
        }
        self.send(&serde_json::json!({"trial": &trial}))?;
        self.submitted.insert(trial);
        Ok(())
    }

    /// Waits for the text of a run that was submitted; `None` where it is cancelled.
    fn result(&mut self, trial: &str, cancel: &CancelToken) -> Result<Option<String>, Failure> {
        loop {
            if let Some(done) = self.done.remove(trial) {
                return Ok(Some(done));
            }
            if cancel.is_stopped() {
                return Ok(None);
            }
            let line = match self.lines.recv_timeout(POLL) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => continue,
                // Ctrl-C of a terminal reaches both.
                Err(RecvTimeoutError::Disconnected) if cancel.is_stopped() => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            };
            let answer: Answer = serde_json::from_str(&line)
                .map_err(|e| Failure::Run(format!("--on ray: {}: found {line}: {e}", self.name)))?;
            match (answer.result, answer.error) {
                (Some(text), _) => drop(self.done.insert(answer.trial, text)),
                (None, error) => {
                    let why = error.unwrap_or_default();
                    return Err(Failure::Run(format!("--on ray: {}: {why}", answer.trial)));
                }
            }
        }
    }

    /// Lets Python end; `None` where it does not in time.
    fn end(&mut self) -> Option<ExitStatus> {
        self.input = None;
        let begun = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if begun.elapsed() < KILL_AFTER => std::thread::sleep(POLL / 10),
                _ => return None,
            }
        }
    }

    /// Python has ended, or ends; why is on standard error.
    fn ended(&mut self) -> Failure {
        let ended = match self.end() {
            Some(status) => status.to_string(),
            None => "it does not read any more".to_owned(),
        };
        Failure::Run(format!(
            "--on ray: {} -m becomingone.ray: {ended}",
            self.name
        ))
    }
}

/// Ends Python, with what the cluster still does for it.
impl Drop for Session {
    fn drop(&mut self) {
        if self.end().is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
