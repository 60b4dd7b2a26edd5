//! A talk with one person of a channel: lines in order, one after the other; a stop before all of them.

use crate::alerts::Alerts;
use crate::grammar::{Grammar, is_no, is_yes};
use crate::kept::load;
use crate::link::{Current, Link, lock};
use crate::mail::{Incoming, Mail};
use crate::model::Model;
use crate::people::{People, Role};
use crate::receipt::Reply;
use crate::session::Session;
use crate::turn::{Ask, Shared, Turns, plans_file, stop};
use crate::watches::Watches;
use becomingone_api::Client;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a question waits for its person.
const ANSWERED_WITHIN: Duration = Duration::from_secs(120);
/// Most lines of a person that wait.
const MOST_WAITING: usize = 100;

/// What all talks have in common.
pub(crate) struct House {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) prompt: String,
    /// Each person has a folder below it.
    pub(crate) folder: PathBuf,
    pub(crate) model: Option<Arc<Model>>,
    pub(crate) people: Arc<People>,
}

/// Of the owner's talk: where else reports go.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) alerts: Arc<Alerts>,
}

/// What the thread of a talk is given.
enum Job {
    Say(Incoming),
    /// A stop that was followed already, to be kept.
    Keep(String, Reply),
    /// Give the reports that are due.
    Report,
}

/// A talk.
pub(crate) struct Chat {
    house: Arc<House>,
    owner: Option<Owner>,
    /// Channel and identity of its person.
    person: (String, String),
    mail: Arc<Mail>,
    /// Where questions and reports go; a reply goes to where its line came from.
    place: Arc<Mutex<String>>,
    folder: PathBuf,
    grammar: Arc<Mutex<Grammar>>,
    current: Current,
    pub(crate) shared: Arc<Shared>,
    /// Keys of the lines that wait, oldest first: a stop takes them away.
    waiting: Arc<Mutex<Vec<String>>>,
    open: Arc<Mutex<Option<Sender<bool>>>>,
    /// Whether it ends: nobody is asked any more.
    ends: Arc<AtomicBool>,
    /// Of the thread that follows lines: from the first one on.
    jobs: Mutex<Option<(Sender<Job>, JoinHandle<()>)>>,
}

/// A name of a folder, of any text.
pub(crate) fn file_name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.chars()
        .flat_map(|c| match plain(c) {
            true => vec![c],
            false => format!("%{:x}.", c as u32).chars().collect(),
        })
        .collect()
}

fn warn(done: Result<(), String>) {
    if let Err(error) = done {
        log::error!("assistant: {error}");
    }
}

impl Chat {
    /// Of a person of a channel, with replies to a chat.
    pub(crate) fn new(
        house: &Arc<House>,
        mail: &Arc<Mail>,
        channel: &str,
        person: &str,
        place: &str,
        grammar: &Grammar,
        current: &Current,
        owner: Option<Owner>,
    ) -> Self {
        let people = house.folder.join("people");
        let folder = people.join(file_name(channel)).join(file_name(person));
        let shared = Shared {
            watches: Mutex::new(Watches::open(&folder.join("watches.json"))),
            planned: Mutex::new(load(&plans_file(&folder))),
            is_due: AtomicBool::default(),
            about: Mutex::default(),
        };
        Self {
            house: house.clone(),
            owner,
            person: (channel.to_owned(), person.to_owned()),
            mail: mail.clone(),
            place: Arc::new(Mutex::new(place.to_owned())),
            folder,
            grammar: Arc::new(Mutex::new(grammar.clone())),
            current: current.apart(),
            shared: Arc::new(shared),
            waiting: Arc::default(),
            open: Arc::default(),
            ends: Arc::default(),
            jobs: Mutex::default(),
        }
    }

    /// Whether something of it is to be reported without a line of its person.
    pub(crate) fn has_reports(&self) -> bool {
        !lock(&self.shared.planned).is_empty() || !lock(&self.shared.watches).all().is_empty()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Channel and identity of its person; none where it is the owner.
    pub(crate) fn person(&self) -> Option<&(String, String)> {
        self.owner.is_none().then_some(&self.person)
    }

    /// The run that is spoken of.
    pub(crate) fn run(&self) -> Option<String> {
        self.current.run()
    }

    /// Sends a text that answers nothing.
    pub(crate) fn tell(&self, text: &str) {
        let place = lock(&self.place).clone();
        self.mail.report(&place, text);
        if let Some(owner) = &self.owner {
            owner.alerts.tell(text);
        }
    }

    fn reply(&self, message: &Incoming, text: &str) {
        let (chat, key) = (&message.chat, &message.key);
        self.mail.send_or_keep(chat, text, Some(key));
    }

    /// Whether a line is a stop, and of whom.
    pub(crate) fn stops(&self, text: &str) -> Option<Option<String>> {
        let grammar = lock(&self.grammar).clone();
        grammar.stops(text)
    }

    /// Stops, and drops all that waits: what was asked for before would undo it. `before` is how many of its lines came with
    /// it, before it.
    pub(crate) fn stop(&self, message: &Incoming, agent: Option<&str>, link: &Link, before: usize) {
        self.answer(false);
        let waited = std::mem::take(&mut *lock(&self.waiting));
        // The run that is spoken of here.
        link.speak_of(self.run());
        let mut reply = stop(link, agent).unwrap_or_else(|error| {
            Reply::new(format!("NOT CONFIRMED: use the hardware stop: {error}"))
        });
        for key in &waited {
            warn(self.mail.over(key));
        }
        let dropped = waited.len() + before;
        if dropped > 0 {
            reply.text += &format!("\n{dropped} lines that waited are dropped");
        }
        self.reply(message, &reply.text);
        self.give(Job::Keep(message.text.clone(), reply));
    }

    /// Takes a line that is no stop: an answer, where something is asked, else one more to be followed.
    pub(crate) fn take(&self, message: Incoming, role: Role) {
        {
            // Reports go to a talk with this person alone, if there is one: in a group, others would see them.
            let mut place = lock(&self.place);
            if message.chat == message.person || place.is_empty() {
                place.clone_from(&message.chat);
            }
        }
        if lock(&self.open).is_some() {
            let is_accepted = is_yes(&message.text) && role == Role::Operator;
            self.answer(is_accepted);
            if is_accepted || is_no(&message.text) {
                return warn(self.mail.over(&message.key));
            }
        }
        {
            let mut waiting = lock(&self.waiting);
            if waiting.len() < MOST_WAITING {
                waiting.push(message.key.clone());
                drop(waiting);
                return self.give(Job::Say(message));
            }
        }
        self.reply(
            &message,
            &format!("nothing was done: {MOST_WAITING} lines of yours wait already"),
        );
    }

    /// Has the reports given that are due.
    pub(crate) fn report(&self) {
        self.give(Job::Report);
    }

    fn answer(&self, decided: bool) {
        if let Some(open) = lock(&self.open).take() {
            let _ = open.send(decided);
        }
    }

    fn give(&self, job: Job) {
        let mut jobs = lock(&self.jobs);
        if jobs.is_none() {
            match self.start() {
                Ok(started) => *jobs = Some(started),
                Err(error) => {
                    log::error!("assistant: {error}");
                    if let Job::Say(message) = &job {
                        lock(&self.waiting).retain(|key| *key != message.key);
                        self.reply(message, &format!("nothing was done: {error}"));
                    }
                    return;
                }
            }
        }
        if let Some((jobs, _)) = &*jobs {
            let _ = jobs.send(job);
        }
    }

    fn start(&self) -> Result<(Sender<Job>, JoinHandle<()>), String> {
        std::fs::create_dir_all(&self.folder)
            .map_err(|e| format!("{}: {e}", self.folder.display()))?;
        let decide = {
            let (open, mail, place) = (self.open.clone(), self.mail.clone(), self.place.clone());
            let (shared, ends) = (self.shared.clone(), self.ends.clone());
            Arc::new(move |question: &str| {
                let (answer, answered) = channel();
                *lock(&open) = Some(answer);
                if ends.load(Ordering::Relaxed) {
                    return false;
                }
                let about = std::mem::take(&mut *lock(&shared.about));
                let about = match about.as_str() {
                    "" => String::new(),
                    about => format!("{about}. "),
                };
                let place = lock(&place).clone();
                let asked = mail.send(&place, &format!("{about}{question} [yes/no]"), None);
                let decided =
                    asked.is_ok() && answered.recv_timeout(ANSWERED_WITHIN).unwrap_or(false);
                *lock(&open) = None;
                decided
            })
        };
        let ask: Ask = decide.clone();
        let decide = move |question: &str| decide(question);
        let link = Link::new(&self.house.client, self.current.clone(), decide)?;
        let session = Session::open(&self.folder.join("sessions/main.jsonl"))?;
        let mut turns = Turns::new(
            link,
            self.grammar.clone(),
            session,
            &self.folder,
            &self.house.name,
            &self.house.prompt,
            self.shared.clone(),
        );
        turns.think_with(self.house.model.clone(), ask);
        if self.owner.is_some() {
            turns.of_people(self.house.people.clone());
        }
        let (sender, given) = channel();
        let follower = Follower {
            turns,
            mail: self.mail.clone(),
            waiting: self.waiting.clone(),
            place: self.place.clone(),
            alerts: self.owner.as_ref().map(|owner| owner.alerts.clone()),
            people: self.house.people.clone(),
            person: self.person().cloned(),
        };
        let thread = std::thread::Builder::new()
            .name("assistant-chat".to_owned())
            .spawn(move || follower.follow(&given));
        Ok((sender, thread.map_err(|e| e.to_string())?))
    }

    /// Ends the talk, after what it was given.
    pub(crate) fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
        self.answer(false);
        if let Some((jobs, thread)) = lock(&self.jobs).take() {
            drop(jobs);
            let _ = thread.join();
        }
    }
}

/// The thread of a talk.
struct Follower {
    turns: Turns,
    mail: Arc<Mail>,
    waiting: Arc<Mutex<Vec<String>>>,
    place: Arc<Mutex<String>>,
    alerts: Option<Arc<Alerts>>,
    people: Arc<People>,
    /// None where it is the owner.
    person: Option<(String, String)>,
}

impl Follower {
    fn follow(mut self, given: &Receiver<Job>) {
        while let Ok(job) = given.recv() {
            match job {
                Job::Say(message) => self.say(&message),
                Job::Keep(line, reply) => self.turns.keep(&line, &reply),
                Job::Report => {
                    let (mail, place, alerts) = (&self.mail, &self.place, &self.alerts);
                    self.turns.give_reports(|text| {
                        let place = lock(place).clone();
                        mail.report(&place, text);
                        if let Some(alerts) = alerts {
                            alerts.tell(text);
                        }
                    });
                }
            }
        }
    }

    fn say(&mut self, message: &Incoming) {
        {
            let mut waiting = lock(&self.waiting);
            let Some(index) = waiting.iter().position(|key| *key == message.key) else {
                // A stop took it away.
                return;
            };
            waiting.remove(index);
        }
        // What they may do now, not when they wrote it.
        if let Some((channel, id)) = &self.person {
            let Some(role) = self.people.is_in(channel, id) else {
                return warn(self.mail.over(&message.key));
            };
            self.turns.limit(role);
        }
        let reply = self.turns.turn(&message.text);
        let (chat, key) = (&message.chat, &message.key);
        self.mail.send_or_keep(chat, &reply.text, Some(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_two_people_are_two() {
        assert_eq!(file_name("ada_7"), "ada_7");
        assert_eq!(file_name("../a b"), "%2e.%2e.%2f.a%20.b");
        assert_ne!(file_name("a/b"), file_name("a-b"));
        assert_ne!(file_name("a%2f."), file_name("a/"));
    }
}
