//! A run in a process of its own.

use crate::token::{Role, Secret, write_private};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Most lines of output that are kept of a run, and longest of them (bytes).
const MAX_LINES: usize = 200;
const MAX_LINE: u64 = 2000;
/// What a run prints before the address of its page.
const PAGE: &str = "page: ";
const HERE: &str = "http://127.0.0.1:";

/// Where a process is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It reads its scene.
    Starting,
    /// It serves here: `127.0.0.1:40123`.
    Running(String),
    /// It ended with this status; none where a signal ended it.
    Ended(Option<i32>),
}

/// A run.
pub(super) struct Child {
    pub(super) run: String,
    pub(super) scene: String,
    /// Name of its recording, if it records.
    pub(super) recording: Option<String>,
    /// Tokens of its server by role, which this process alone knows.
    tokens: [Secret; 3],
    process: Mutex<Option<u32>>,
    state: watch::Sender<State>,
    lines: Mutex<VecDeque<String>>,
}

impl Child {
    /// Starts a process: the command without its tokens, and its last arguments. Its files are in this folder.
    pub(super) fn start(
        run: String,
        scene: String,
        recording: Option<String>,
        mut command: Command,
        last: &[String],
        folder: &Path,
    ) -> Result<Arc<Self>, String> {
        let tokens = [Secret::random()?, Secret::random()?, Secret::random()?];
        let roles = [Role::Viewer, Role::Operator, Role::Owner];
        let lines = roles.iter().zip(&tokens);
        let lines = lines.map(|(role, token)| format!("{role} {}\n", token.reveal()));
        // Arguments of a process are seen by everybody: no token is among them.
        let file = folder.join(format!("{}.tokens", Secret::random()?.reveal()));
        write_private(&file, &lines.collect::<String>())
            .map_err(|e| format!("{}: {e}", file.display()))?;
        command
            .env(crate::place::RUN_VARIABLE, &run)
            .arg("--token-file")
            .arg(&file)
            .args(last)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = Arc::new(Self {
            run,
            scene,
            recording,
            tokens,
            process: Mutex::default(),
            state: watch::Sender::new(State::Starting),
            lines: Mutex::default(),
        });
        let alive = child.clone();
        // The process is to end with the thread that started it: this one lives as long as it does.
        let thread = std::thread::Builder::new().name("run".to_owned());
        thread
            .spawn(move || alive.live(command, &file))
            .map_err(|e| format!("no thread: {e}"))?;
        Ok(child)
    }

    fn live(self: Arc<Self>, mut command: Command, tokens: &PathBuf) {
        let ended = match command.spawn() {
            Ok(mut process) => {
                *lock(&self.process) = Some(process.id());
                let errors = process.stderr.take().map(|errors| {
                    let child = self.clone();
                    std::thread::spawn(move || child.read(errors, |_| false))
                });
                if let Some(out) = process.stdout.take() {
                    self.read(out, |line| {
                        let page = line.strip_prefix(PAGE);
                        // Once: later lines are the run's own.
                        let is_first = self.state() == State::Starting;
                        let Some(page) = page.filter(|page| is_first && page.starts_with(HERE))
                        else {
                            return false;
                        };
                        let host = page.trim().split('/').nth(2).unwrap_or_default();
                        self.state.send_replace(State::Running(host.to_owned()));
                        let _ = std::fs::remove_file(tokens);
                        true
                    });
                }
                if let Some(errors) = errors {
                    let _ = errors.join();
                }
                self.wait(&mut process)
            }
            Err(error) => {
                self.keep(format!("cannot start the process: {error}"));
                None
            }
        };
        let _ = std::fs::remove_file(tokens);
        self.state.send_replace(State::Ended(ended));
    }

    /// Waits for a process that has closed its output.
    fn wait(&self, process: &mut std::process::Child) -> Option<i32> {
        loop {
            let mut id = lock(&self.process);
            match process.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    *id = None;
                    return status.code();
                }
                Err(_) => {
                    *id = None;
                    return None;
                }
            }
            drop(id);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Keeps lines that `take` does not want, until their end.
    fn read(&self, from: impl Read, take: impl Fn(&str) -> bool) {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = (&mut from).take(MAX_LINE).read_until(b'\n', &mut line);
            if !read.is_ok_and(|n| n > 0) {
                return;
            }
            let text = String::from_utf8_lossy(&line);
            // A status line is drawn over itself.
            let text = text.trim_end().rsplit('\r').next().unwrap_or_default();
            if !text.is_empty() && !take(text) {
                self.keep(text.to_owned());
            }
        }
    }

    fn keep(&self, line: String) {
        let mut lines = lock(&self.lines);
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Its last lines of output.
    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Its process, while it lives.
    pub(super) fn process(&self) -> Option<u32> {
        *lock(&self.process)
    }

    /// Token of its server for a role.
    pub(super) fn token(&self, role: Role) -> &str {
        self.tokens[role as usize].reveal()
    }

    /// Waits until it serves or has ended, at most for `within`.
    pub(super) async fn started(&self, within: Duration) -> State {
        let mut state = self.state.subscribe();
        let started = state.wait_for(|state| *state != State::Starting);
        let _ = tokio::time::timeout(within, started).await;
        self.state()
    }

    /// Waits until it has ended; whether it did within this time.
    pub(super) async fn ended(&self, within: Duration) -> bool {
        let mut state = self.state.subscribe();
        let ended = state.wait_for(|state| matches!(state, State::Ended(_)));
        tokio::time::timeout(within, ended).await.is_ok()
    }

    /// Asks it to end (SIGTERM): it closes its recording.
    pub(super) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Ends it at once (SIGKILL).
    pub(super) fn kill(&self) {
        self.signal(rustix::process::Signal::KILL);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        // The process is waited for under the same lock: until then its number is its own.
        let process = lock(&self.process);
        let id = process.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // It may have ended already.
            let _ = rustix::process::kill_process(id, signal);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
