//! Lines in, replies out: a terminal, or a pipe. A stop overtakes all that waits; what a person is asked, the next line
//! answers.

use crate::alerts::Alerts;
use crate::grammar::{Grammar, is_no, is_yes};
use crate::kept::load;
use crate::link::{Current, Link, lock};
use crate::model::Model;
use crate::notes::Notes;
use crate::people::People;
use crate::receipt::Reply;
use crate::session::Session;
use crate::turn::{Ask, Shared, Turns, plans_file, stop};
use crate::watches::Watches;
use becomingone_api::Client;
use reedline::{DefaultPrompt, DefaultPromptSegment, ExternalPrinter, Reedline, Signal};
use std::collections::VecDeque;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a question waits for its person.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);
/// How often watches and schedules are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(100);
/// How long a terminal waits for a reply before it shows its prompt again.
const PROMPT_AFTER: Duration = Duration::from_millis(300);
/// Longest line (bytes).
const MAX_LINE: usize = 4096;

/// What the talk's loop is woken by.
enum Event {
    Line(String),
    /// No line comes any more.
    End,
    /// A sentence was followed; the reply that ends the talk.
    Idle {
        last: Option<String>,
    },
    /// A person is asked something.
    Asked,
}

/// What the thread of the turns is given.
enum Job {
    Say(String),
    /// A stop that was followed already, to be kept.
    Keep(String, Reply),
    /// Give the reports that are due.
    Report,
}

/// Where replies go.
type Show = Arc<dyn Fn(&str) + Send + Sync>;
/// The question that is open, and the sender of its answer.
type Open = Arc<Mutex<Option<Sender<bool>>>>;

/// A talk with a run.
pub(crate) struct Talk {
    name: String,
    current: Current,
    grammar: Arc<Mutex<Grammar>>,
    /// Of its own: a stop waits for nothing.
    stop_link: Link,
    open: Open,
    jobs: Sender<Job>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    show: Arc<Mutex<Show>>,
    over: Arc<AtomicBool>,
    /// Of a terminal: lets it show its prompt again.
    again: Mutex<Option<Sender<()>>>,
    threads: Vec<JoinHandle<()>>,
}

/// How a talk is set up.
pub(crate) struct Setup<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
    pub(crate) prompt: &'a str,
    pub(crate) folder: &'a Path,
    /// Who may speak by channels, which the owner says; none without channels.
    pub(crate) people: Option<Arc<People>>,
    /// Reports go there, too, once there are channels.
    pub(crate) alerts: Arc<Alerts>,
    pub(crate) model: Option<Arc<Model>>,
}

fn to_stdout() -> Show {
    Arc::new(|text| {
        let mut out = std::io::stdout().lock();
        // A reader that is gone ends the program by its signal, or reads nothing.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    })
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|e| e.to_string())
}

impl Talk {
    pub(crate) fn new(setup: &Setup<'_>) -> Result<Self, String> {
        let (sender, events) = channel();
        let open: Open = Arc::default();
        let show = Arc::new(Mutex::new(to_stdout()));
        let shared = Arc::new(Shared {
            watches: Mutex::new(Watches::open(&setup.folder.join("watches.json"))),
            planned: Mutex::new(load(&plans_file(setup.folder))),
            is_due: AtomicBool::default(),
            about: Mutex::default(),
        });
        let decide = {
            let (open, show, sender) = (open.clone(), show.clone(), sender.clone());
            let shared = shared.clone();
            Arc::new(move |question: &str| {
                let (answer, answered) = channel();
                *lock(&open) = Some(answer);
                let about = std::mem::take(&mut *lock(&shared.about));
                let about = if about.is_empty() {
                    about
                } else {
                    format!("{about}. ")
                };
                lock(&show).clone()(&format!("{about}{question} [yes/no]"));
                let _ = sender.send(Event::Asked);
                let decided = answered.recv_timeout(ANSWERED_WITHIN).unwrap_or(false);
                *lock(&open) = None;
                decided
            })
        };
        let current = Current::default();
        let ask: Ask = decide.clone();
        let link = Link::new(setup.client, current.clone(), move |q: &str| decide(q))?;
        link.find_run()?;
        let nobody = |_: &str| false;
        let stop_link = Link::new(setup.client, current.clone(), nobody)?;
        let watch_link = Link::new(setup.client, current.clone(), nobody)?;
        let notes = Notes::new(setup.folder);
        let name = notes.identity("Name").filter(|_| setup.name.is_empty());
        let name = name.unwrap_or_else(|| match setup.name {
            "" => "assistant".to_owned(),
            name => name.to_owned(),
        });
        let names = link.names(&name);
        let grammar = Arc::new(Mutex::new(Grammar::new()?.of(&names)));
        std::fs::create_dir_all(setup.folder)
            .map_err(|e| format!("{}: {e}", setup.folder.display()))?;
        let run = link.run().unwrap_or_default();
        for refused in lock(&shared.watches).restore(&watch_link, &run) {
            log::warn!("assistant: a watch of before is not taken: {refused}");
        }
        let session = Session::open(&setup.folder.join("sessions/main.jsonl"))?;
        let mut turns = Turns::new(
            link,
            grammar.clone(),
            session,
            setup.folder,
            &name,
            setup.prompt,
            shared.clone(),
        );
        turns.think_with(setup.model.clone(), ask);
        if let Some(people) = &setup.people {
            turns.of_people(people.clone());
        }
        let (jobs, given) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        threads.push({
            let (show, sender) = (show.clone(), sender.clone());
            let alerts = setup.alerts.clone();
            thread("assistant", move || {
                follow(turns, &given, &show, &sender, &alerts);
            })?
        });
        threads.push({
            let (show, over, jobs) = (show.clone(), over.clone(), jobs.clone());
            let folder = setup.folder.to_owned();
            let alerts = setup.alerts.clone();
            thread("assistant-watch", move || {
                tell(&watch_link, &shared, &folder, &show, &jobs, &over, &alerts);
            })?
        });
        Ok(Self {
            name,
            current,
            grammar,
            stop_link,
            open,
            jobs,
            events,
            sender,
            show,
            over,
            again: Mutex::default(),
            threads,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the run has, and which one it is.
    pub(crate) fn about(&self) -> (Grammar, &Current) {
        (lock(&self.grammar).clone(), &self.current)
    }

    /// Talks with who is at standard input, until it ends.
    pub(crate) fn with_standard_input(self, history: &Path, stays: bool) -> Result<(), String> {
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            self.terminal(history)?;
        } else {
            self.pipe()?;
        }
        self.run(stays);
        Ok(())
    }

    fn pipe(&self) -> Result<(), String> {
        let sender = self.sender.clone();
        // It ends with its input, or with the program.
        thread("assistant-lines", move || read_lines(&sender)).map(drop)
    }

    fn terminal(&self, history: &Path) -> Result<(), String> {
        let printer = ExternalPrinter::<String>::default();
        let above = printer.sender();
        *lock(&self.show) = Arc::new(move |text| {
            // Nobody reads it once the terminal is closed.
            let _ = above.send(text.to_owned());
        });
        let (sender, show) = (self.sender.clone(), self.show.clone());
        let (again, is_again) = channel();
        *lock(&self.again) = Some(again);
        let kept = reedline::FileBackedHistory::with_file(1000, history.to_owned());
        let kept = kept.map_err(|e| format!("{}: {e}", history.display()))?;
        thread("assistant-lines", move || {
            let mut line = Reedline::create()
                .with_history(Box::new(kept))
                .with_external_printer(printer);
            let prompt = DefaultPrompt::new(
                DefaultPromptSegment::Basic("you".to_owned()),
                DefaultPromptSegment::Empty,
            );
            loop {
                match line.read_line(&prompt) {
                    Ok(Signal::Success(line)) => {
                        while is_again.try_recv().is_ok() {}
                        if sender.send(Event::Line(line.trim().to_owned())).is_err() {
                            return;
                        }
                        // Its reply comes above the next prompt.
                        if is_again.recv_timeout(PROMPT_AFTER)
                            == Err(RecvTimeoutError::Disconnected)
                        {
                            return;
                        }
                    }
                    Ok(_) => {
                        let _ = sender.send(Event::End);
                        return;
                    }
                    // A terminal that does not answer: plain lines.
                    Err(error) => {
                        log::info!("assistant: {error}: plain lines");
                        *lock(&show) = to_stdout();
                        return read_lines(&sender);
                    }
                }
            }
        })
        .map(drop)
    }

    /// A sentence from a program, and the reply to it.
    pub(crate) fn say(&self, sentence: &str) -> String {
        let text: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = text.clone();
        *lock(&self.show) = Arc::new(move |said| lock(&kept).push(said.to_owned()));
        if !self.is_stop(sentence) && self.jobs.send(Job::Say(sentence.to_owned())).is_ok() {
            while let Ok(event) = self.events.recv() {
                match event {
                    Event::Idle { last } => {
                        lock(&text).extend(last);
                        break;
                    }
                    // There is nobody who could be asked.
                    Event::Asked => self.answer(false),
                    Event::Line(_) | Event::End => {}
                }
            }
        }
        lock(&text).join("\n")
    }

    fn answer(&self, decided: bool) {
        if let Some(open) = lock(&self.open).take() {
            let _ = open.send(decided);
        }
    }

    /// Follows a stop at once, whatever else is going on.
    fn is_stop(&self, line: &str) -> bool {
        let grammar = lock(&self.grammar).clone();
        let Some(agent) = grammar.stops(line) else {
            return false;
        };
        // A question whether something may move is answered by it, too.
        self.answer(false);
        let reply = stop(&self.stop_link, agent.as_deref());
        let reply = reply.unwrap_or_else(|error| {
            Reply::new(format!("NOT CONFIRMED: use the hardware stop: {error}"))
        });
        self.tell(&reply.text);
        let _ = self.jobs.send(Job::Keep(line.to_owned(), reply));
        true
    }

    fn tell(&self, text: &str) {
        let show = lock(&self.show).clone();
        show(text);
    }

    fn prompt_again(&self) {
        if let Some(again) = lock(&self.again).as_ref() {
            let _ = again.send(());
        }
    }

    /// Takes lines until the talk is over; with `stays`, until somebody says `quit`.
    fn run(self, stays: bool) {
        let mut waiting: VecDeque<String> = VecDeque::new();
        let (mut is_busy, mut has_ended, mut is_asked) = (false, false, false);
        while let Ok(event) = self.events.recv() {
            match event {
                Event::Line(line) if line.is_empty() => {}
                Event::Line(line) if line.len() > MAX_LINE => {
                    self.tell(&format!(
                        "nothing was done: found a line of more than {MAX_LINE} bytes"
                    ));
                }
                Event::Line(line) => {
                    match self.is_stop(&line) {
                        false => waiting.push_back(line),
                        // What was asked for before it would undo it.
                        true if !waiting.is_empty() => {
                            self.tell(&format!("{} lines that waited are dropped", waiting.len()));
                            waiting.clear();
                        }
                        true => {}
                    }
                }
                Event::End => has_ended = true,
                Event::Asked => {
                    is_asked = true;
                    self.prompt_again();
                }
                Event::Idle { last: Some(text) } => {
                    // No prompt is shown any more.
                    if lock(&self.again).take().is_some() {
                        *lock(&self.show) = to_stdout();
                    }
                    self.tell(&text);
                    break;
                }
                Event::Idle { last: None } => {
                    (is_busy, is_asked) = (false, false);
                    self.prompt_again();
                }
            }
            if is_asked {
                is_asked = lock(&self.open).is_some();
            }
            if is_asked {
                match waiting.pop_front() {
                    Some(line) => {
                        let is_accepted = is_yes(&line);
                        self.answer(is_accepted);
                        if !is_accepted && !is_no(&line) {
                            waiting.push_front(line);
                        }
                        is_asked = false;
                    }
                    // Nobody is there to answer.
                    None if has_ended => self.answer(false),
                    None => {}
                }
            } else if !is_busy {
                match waiting.pop_front() {
                    Some(line) => is_busy = self.jobs.send(Job::Say(line)).is_ok(),
                    None if has_ended && !stays => break,
                    None => {}
                }
            }
        }
        self.end();
    }

    /// Ends the threads, after what they were given.
    pub(crate) fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        if std::io::stdin().is_terminal() {
            // Where the prompt is still open.
            let _ = crossterm::terminal::disable_raw_mode();
        }
        self.answer(false);
        let Self { jobs, threads, .. } = self;
        drop(jobs);
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// Lines of standard input, until it ends.
fn read_lines(sender: &Sender<Event>) {
    let mut input = std::io::stdin().lock();
    loop {
        let mut line = Vec::new();
        match (&mut input)
            .take(MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if line.len() > MAX_LINE && input.skip_until(b'\n').is_err() {
            break;
        }
        let line = String::from_utf8_lossy(&line).trim().to_owned();
        if sender.send(Event::Line(line)).is_err() {
            return;
        }
    }
    let _ = sender.send(Event::End);
}

/// The thread of the turns.
fn follow(
    mut turns: Turns,
    given: &Receiver<Job>,
    show: &Mutex<Show>,
    sender: &Sender<Event>,
    alerts: &Alerts,
) {
    while let Ok(job) = given.recv() {
        match job {
            Job::Say(line) => {
                let reply = turns.turn(&line);
                let last = reply.is_last.then(|| reply.text.clone());
                if last.is_none() {
                    lock(show).clone()(&reply.text);
                }
                let _ = sender.send(Event::Idle { last });
            }
            Job::Keep(line, reply) => turns.keep(&line, &reply),
            Job::Report => turns.give_reports(|text| {
                lock(show).clone()(text);
                alerts.tell(text);
            }),
        }
    }
}

/// The thread that tells what fires, and when reports are due.
fn tell(
    link: &Link,
    shared: &Shared,
    folder: &Path,
    show: &Mutex<Show>,
    jobs: &Sender<Job>,
    over: &AtomicBool,
    alerts: &Alerts,
) {
    let notes = Notes::new(folder);
    let mut answers = true;
    while !over.load(Ordering::Relaxed) {
        let run = link.run().unwrap_or_default();
        {
            let mut watches = lock(&shared.watches);
            if watches.run() != run || watches.is_of_another(link) {
                for refused in watches.restore(link, &run) {
                    log::warn!("assistant: a watch is not taken: {refused}");
                }
            }
        }
        match lock(&shared.watches).fired(link) {
            Ok(fired) => {
                answers = true;
                for text in fired {
                    if let Err(error) = notes.happened(&text) {
                        log::warn!("assistant: {error}");
                    }
                    lock(show).clone()(&text);
                    alerts.tell(&text);
                }
            }
            Err(error) if answers => {
                answers = false;
                let text = format!("the run does not answer: {error}");
                lock(show).clone()(&text);
                alerts.tell(&text);
            }
            Err(_) => {}
        }
        let now = jiff::Zoned::now();
        let is_due = lock(&shared.planned).iter().any(|plan| plan.is_due(&now));
        if is_due && !shared.is_due.swap(true, Ordering::AcqRel) {
            let _ = jobs.send(Job::Report);
        }
        std::thread::sleep(LOOKED_AT_EVERY);
    }
}

/// Where the assistant of this user keeps its files.
pub(crate) fn default_folder() -> PathBuf {
    let of_user = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    let of_user = of_user.or_else(|| Some(PathBuf::from(home?).join(".local/share")));
    of_user.unwrap_or_default().join("becomingone/assistant")
}
