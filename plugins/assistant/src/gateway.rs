//! Channels, and the people who write by them. A message is on the disk before it is followed, and its reply before it is
//! sent; a stop is followed before all else; who is not let in never reaches the grammar.

use crate::channel::{Channel, Trouble};
use crate::channels::Page;
use crate::chat::{Chat, House, Owner, file_name};
use crate::grammar::Grammar;
use crate::link::{Current, Link, lock};
use crate::mail::{Fate, Incoming, Mail};
use crate::notes::Notes;
use crate::people::Role;
use becomingone_api::{Companion, Refused, Said};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The channel of the page.
pub(crate) const PAGE: &str = "page";
/// Longest wait between two attempts, and where the other side asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// How long the end waits for what is to be sent.
const SENT_WITHIN: Duration = Duration::from_secs(3);
/// How often watches and schedules are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(200);
/// How long the first route has for an alert.
const FIRST_ROUTE_WITHIN: Duration = Duration::from_secs(60);
/// Longest line, longest folder of a person (bytes).
const MAX_LINE: usize = 4096;
const MAX_FOLDER: usize = 200;

/// A channel with its people and its mail.
struct Desk {
    name: String,
    channel: Arc<dyn Channel>,
    mail: Arc<Mail>,
    house: Arc<House>,
    chats: Mutex<HashMap<String, Arc<Chat>>>,
    grammar: Grammar,
    current: Current,
    /// Of its own: a stop waits for nothing but stops.
    stops: Mutex<Link>,
    /// Of the page, on which nobody but the owner writes.
    owner: Option<Owner>,
}

/// Where an alert of the owner goes: a channel, and a chat of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) channel: String,
    pub(crate) chat: String,
}

/// An alert that the first route may not deliver.
struct Alert {
    text: String,
    /// Routes that are left.
    left: Vec<Route>,
    /// Where it waits, and its number there.
    at: (String, u64),
    until: Instant,
}

/// All channels.
pub(crate) struct Gateway {
    desks: BTreeMap<String, Arc<Desk>>,
    page: Option<Arc<Page>>,
    routes: Vec<Route>,
    alerts: Mutex<Vec<Alert>>,
    /// No more is received.
    ends: AtomicBool,
    /// No more is sent.
    over: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What a gateway begins with.
pub(crate) struct Beginning<'a> {
    pub(crate) house: Arc<House>,
    pub(crate) owner: Owner,
    pub(crate) channels: Vec<(String, Arc<dyn Channel>)>,
    pub(crate) page: Option<Arc<Page>>,
    pub(crate) routes: Vec<Route>,
    pub(crate) grammar: &'a Grammar,
    pub(crate) current: &'a Current,
}

fn warn(done: Result<(), String>) {
    if let Err(error) = done {
        log::error!("assistant: {error}");
    }
}

impl Desk {
    /// Takes messages, in order, stops first.
    fn take(&self, messages: Vec<Incoming>, cursor: Option<String>) -> Result<(), String> {
        let mut lines = Vec::new();
        let mut strangers = Vec::new();
        for message in messages {
            if !is_person(&message.person) || message.text.trim().is_empty() {
                continue;
            }
            let people = &self.house.people;
            let role = match self.owner {
                Some(_) => Some(Role::Operator),
                None => people.role(&self.name, &message.person, &message.chat),
            };
            match role {
                Some(role) => lines.push((message, role)),
                None => strangers.push(message),
            }
        }
        // Places of the last stop of each person: what came before it is dropped.
        let mut stopped: HashMap<String, usize> = HashMap::new();
        let mut stops = Vec::new();
        for (place, (message, _)) in lines.iter().enumerate() {
            let chat = self.chat(&message.person, &message.chat);
            if let Some(agent) = chat.stops(&message.text) {
                stopped.insert(message.person.clone(), place);
                stops.push((message.clone(), chat, agent));
            }
        }
        let is_dropped =
            |place: usize, person: &str| stopped.get(person).is_some_and(|stop| place < *stop);
        // On the disk before it is followed; where that is full, it is followed all the same.
        let known = |message: &Incoming| self.mail.is_known(&message.key);
        let new: Vec<_> = stops.iter().filter(|(stop, ..)| !known(stop)).collect();
        let kept = self
            .mail
            .receive(new.iter().map(|(stop, ..)| stop.clone()).collect(), None);
        for (stop, chat, agent) in new {
            let before = lines.iter().enumerate().filter(|(place, (line, _))| {
                line.person == stop.person
                    && is_dropped(*place, &line.person)
                    && chat.stops(&line.text).is_none()
            });
            let before = before.count();
            chat.stop(stop, agent.as_deref(), &lock(&self.stops), before);
        }
        kept?;
        let texts = lines.iter().map(|(message, _)| message.clone()).collect();
        let new = self.mail.receive(texts, cursor)?;
        for (place, (message, role)) in lines.into_iter().enumerate() {
            if !new.contains(&message) {
                continue;
            }
            if is_dropped(place, &message.person) {
                warn(self.mail.over(&message.key));
            } else if message.text.len() > MAX_LINE {
                let text = format!("nothing was done: found a line of more than {MAX_LINE} bytes");
                let (chat, key) = (&message.chat, &message.key);
                self.mail.send_or_keep(chat, &text, Some(key));
            } else {
                self.chat(&message.person, &message.chat)
                    .take(message, role);
            }
        }
        strangers.iter().for_each(|message| self.show_code(message));
        Ok(())
    }

    /// Of a stranger nothing is looked at and nothing kept but who it is.
    fn show_code(&self, message: &Incoming) {
        let (person, chat) = (&message.person, &message.chat);
        let code = self
            .house
            .people
            .code(&self.name, person, &message.name, chat);
        if let Some(code) = code {
            let text = format!(
                "{}: I do not know you, and read nothing of what you write. To be let in, give the owner of this machine your code: {code}",
                message.name.chars().take(64).collect::<String>()
            );
            self.mail.report(chat, &text);
        }
    }

    /// The talk with somebody.
    fn chat(&self, person: &str, place: &str) -> Arc<Chat> {
        let mut chats = lock(&self.chats);
        let chat = chats.entry(person.to_owned()).or_insert_with(|| {
            Arc::new(Chat::new(
                &self.house,
                &self.mail,
                &self.name,
                person,
                place,
                &self.grammar,
                &self.current,
                self.owner.clone(),
            ))
        });
        chat.clone()
    }

    /// What was received before this start and is not over: whether it was followed is not known, and it is not followed
    /// again.
    fn interrupted(&self, messages: &[Incoming]) {
        for message in messages {
            let text = format!(
                "I was ended while I had `{}` in hand. Whether it was done is not known, and it is not done again: look at `what happened`.",
                message.text
            );
            warn(
                self.mail
                    .send(&message.chat, &text, Some(&message.key))
                    .map(drop),
            );
        }
    }

    /// The thread that receives.
    fn receive(&self, over: &AtomicBool) {
        let mut failures = 0;
        while !over.load(Ordering::Relaxed) {
            let polled = match self.channel.poll(self.mail.cursor().as_deref()) {
                None => return,
                Some(polled) => polled,
            };
            let (wait, why) = match polled {
                Ok((messages, cursor)) => match self.take(messages, cursor) {
                    Ok(()) => {
                        failures = 0;
                        continue;
                    }
                    Err(error) => (None, error),
                },
                Err(Trouble::Later { after, why, .. }) => (after, why),
                Err(Trouble::Never(why)) => (Some(LONGEST_WAIT), why),
            };
            failures += 1;
            log::warn!("assistant: {}: {why}", self.name);
            let wait = wait.unwrap_or_else(|| backoff(failures));
            pause(wait.min(LONGEST_ASKED), over);
        }
    }

    /// The thread that sends.
    fn send(&self, over: &AtomicBool) {
        let mut held: HashMap<String, (Instant, u32)> = HashMap::new();
        while !over.load(Ordering::Relaxed) {
            self.mail.retry();
            let now = now();
            let is_held = |chat: &str| held.get(chat).is_some_and(|(until, _)| now < *until);
            let (out, may_be_sent) = match self.mail.next(is_held, Duration::from_millis(250)) {
                Ok(Some(next)) => next,
                Ok(None) => continue,
                Err(error) => {
                    log::error!("assistant: {}: {error}", self.name);
                    pause(Duration::from_secs(1), over);
                    continue;
                }
            };
            let text = match may_be_sent && !self.channel.has_keys() {
                true => format!("(perhaps a second time) {}", out.text),
                false => out.text,
            };
            match self.channel.send(&out.chat, &text, out.id) {
                Ok(receipt) => {
                    held.remove(&out.chat);
                    warn(self.mail.sent(out.id, receipt));
                }
                Err(Trouble::Never(why)) => {
                    log::error!("assistant: {}: a message is dropped: {why}", self.name);
                    warn(self.mail.drop_it(out.id, why));
                }
                Err(Trouble::Later {
                    after,
                    may_be_sent: is_sent,
                    why,
                }) => {
                    log::warn!("assistant: {}: {why}", self.name);
                    let failures = held.get(&out.chat).map_or(0, |(_, failures)| *failures) + 1;
                    let wait = after
                        .unwrap_or_else(|| backoff(failures))
                        .min(LONGEST_ASKED);
                    held.insert(out.chat, (self::now() + wait, failures));
                    if !is_sent && !may_be_sent {
                        warn(self.mail.unsent(out.id));
                    }
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "channels live by the wall clock")]
fn now() -> Instant {
    Instant::now()
}

/// 1, 2, 4 .. seconds.
fn backoff(failures: u32) -> Duration {
    let wait = Duration::from_secs(1 << failures.saturating_sub(1).min(6));
    wait.min(LONGEST_WAIT)
}

/// Waits, unless it is over.
fn pause(wait: Duration, over: &AtomicBool) {
    let until = now() + wait;
    while now() < until && !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50).min(wait));
    }
}

impl Gateway {
    /// Opens the mail of all channels, answers what an earlier process left, and begins.
    pub(crate) fn start(beginning: Beginning<'_>) -> Result<Arc<Self>, String> {
        let Beginning {
            house,
            owner,
            mut channels,
            page,
            routes,
            grammar,
            current,
        } = beginning;
        if let Some(page) = &page {
            channels.push((PAGE.to_owned(), page.clone()));
        }
        let people = house.people.clone();
        let mut desks = BTreeMap::new();
        for (name, channel) in channels {
            let path = house.folder.join("mail").join(format!("{name}.jsonl"));
            let (mail, open) = Mail::open(&path)?;
            let stops = Link::new(&house.client, current.apart(), |_: &str| false)?;
            let desk = Desk {
                owner: (name == PAGE).then(|| owner.clone()),
                channel,
                mail: Arc::new(mail),
                house: house.clone(),
                chats: Mutex::default(),
                grammar: grammar.clone(),
                current: current.clone(),
                stops: Mutex::new(stops),
                name: name.clone(),
            };
            desk.interrupted(&open);
            desks.insert(name, Arc::new(desk));
        }
        // Whose reports go on without a line of theirs.
        for person in people.all() {
            if let Some(desk) = desks.get(&person.channel) {
                desk.chat(&person.id, &person.chat);
            }
        }
        let gateway = Arc::new(Self {
            desks,
            page,
            routes,
            alerts: Mutex::default(),
            ends: AtomicBool::new(false),
            over: AtomicBool::new(false),
            threads: Mutex::default(),
        });
        let link = Link::new(&house.client, current.clone(), |_: &str| false)?;
        let mut threads = Vec::new();
        for desk in gateway.desks.values() {
            let (sending, of_sender) = (desk.clone(), gateway.clone());
            threads.push(thread(move || sending.send(&of_sender.over))?);
            // It may wait for its channel when all is over: nobody waits for it.
            let (receiving, of_receiver) = (desk.clone(), gateway.clone());
            drop(thread(move || receiving.receive(&of_receiver.ends))?);
        }
        let reporting = gateway.clone();
        threads.push(thread(move || reporting.report(&link))?);
        *lock(&gateway.threads) = threads;
        Ok(gateway)
    }

    /// Sends the owner an alert, by the first route that delivers it.
    pub(crate) fn alert(&self, text: &str) {
        self.alert_by(text, self.routes.clone());
    }

    fn alert_by(&self, text: &str, mut left: Vec<Route>) {
        if left.is_empty() {
            return;
        }
        let Route { channel, chat } = left.remove(0);
        let Some(desk) = self.desks.get(&channel) else {
            return self.alert_by(text, left);
        };
        match desk.mail.send(&chat, text, None) {
            Ok(id) => lock(&self.alerts).push(Alert {
                text: text.to_owned(),
                left,
                at: (channel, id),
                until: now() + FIRST_ROUTE_WITHIN,
            }),
            Err(error) => {
                log::error!("assistant: {channel}: {error}");
                self.alert_by(text, left);
            }
        }
    }

    /// Gives alerts that wait for too long, or are not sent at all, to their next routes.
    fn reroute(&self) {
        let mut late = Vec::new();
        lock(&self.alerts).retain_mut(|alert| {
            let (channel, id) = &alert.at;
            let fate = self.desks.get(channel).map(|desk| desk.mail.fate(*id));
            let is_late = match fate {
                Some(Fate::Waits) => now() >= alert.until,
                Some(Fate::Dropped) | None => true,
                Some(Fate::Sent) => return false,
            };
            if is_late {
                let left = std::mem::take(&mut alert.left);
                late.push((alert.text.clone(), left, channel.clone()));
            }
            !is_late
        });
        for (text, left, channel) in late {
            let text = match text.contains(" [not delivered by ") {
                true => text,
                false => format!("{text} [not delivered by {channel} so far]"),
            };
            self.alert_by(&text, left);
        }
    }

    /// The thread that tells people what fires, and has their reports given.
    fn report(&self, link: &Link) {
        let mut last = 0;
        let mut run = None;
        while !self.ends.load(Ordering::Relaxed) {
            self.reroute();
            let mut chats = Vec::new();
            for desk in self.desks.values() {
                let people = &desk.house.people;
                let mut all = lock(&desk.chats);
                all.retain(|_, chat| match chat.person() {
                    Some((channel, id)) if people.is_in(channel, id).is_none() => {
                        let chat = chat.clone();
                        // It may be waiting for an answer.
                        drop(thread(move || chat.end()));
                        false
                    }
                    _ => true,
                });
                chats.extend(all.values().filter(|chat| chat.has_reports()).cloned());
            }
            // One request for all of them, where nothing has happened.
            let is_anew = last > 0
                && link
                    .get(&format!("events?after={}&most=1", last - 1))
                    .is_ok_and(|page| page["events"].as_array().is_some_and(Vec::is_empty));
            if is_anew {
                last = 0;
            }
            let current = link.run();
            let latest = match chats.is_empty() {
                true => Ok(last),
                false => link.events(last).map(|(_, latest)| latest),
            };
            for chat in &chats {
                let is_here = chat.run() == current;
                let is_quiet = latest.as_ref().is_ok_and(|latest| *latest == last);
                if is_here && is_quiet && !is_anew && run == current {
                    continue;
                }
                link.speak_of(chat.run());
                fired(chat, link, is_anew);
                link.speak_of(current.clone());
            }
            last = latest.unwrap_or(last);
            run = current;
            let zoned = jiff::Zoned::now();
            for chat in chats {
                let is_due = lock(&chat.shared.planned)
                    .iter()
                    .any(|plan| plan.is_due(&zoned));
                if is_due && !chat.shared.is_due.swap(true, Ordering::AcqRel) {
                    chat.report();
                }
            }
            std::thread::sleep(LOOKED_AT_EVERY);
        }
    }

    /// Ends the talks, after what they were given, and the threads, after what can be sent at once.
    pub(crate) fn end(&self) {
        self.ends.store(true, Ordering::Relaxed);
        for desk in self.desks.values() {
            let chats: Vec<_> = lock(&desk.chats).drain().collect();
            chats.iter().for_each(|(_, chat)| chat.end());
        }
        let until = now() + SENT_WITHIN;
        let is_sent = || self.desks.values().all(|desk| desk.mail.is_empty());
        while now() < until && !is_sent() {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.over.store(true, Ordering::Relaxed);
        for desk in self.desks.values() {
            desk.mail.wake();
        }
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            let _ = thread.join();
        }
    }
}

/// Whether this is an identity of somebody: their folder has its name.
fn is_person(id: &str) -> bool {
    !id.is_empty() && file_name(id).len() <= MAX_FOLDER
}

fn thread(run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    std::thread::Builder::new()
        .name("assistant-mail".to_owned())
        .spawn(run)
        .map_err(|e| e.to_string())
}

/// Tells somebody what has fired of their watches, of the run that they speak of.
fn fired(chat: &Chat, link: &Link, is_anew: bool) {
    let mut watches = lock(&chat.shared.watches);
    if watches.all().is_empty() {
        return;
    }
    let run = link.run().unwrap_or_default();
    if is_anew || watches.run() != run || watches.is_of_another(link) {
        for refused in watches.restore(link, &run) {
            log::warn!("assistant: a watch is not taken: {refused}");
        }
    }
    let texts = watches.fired(link).unwrap_or_default();
    drop(watches);
    for text in texts {
        warn(Notes::new(chat.folder()).happened(&text));
        chat.tell(&text);
    }
}

impl Companion for Gateway {
    fn say(&self, text: &str) -> Result<(), String> {
        let (Some(page), Some(desk)) = (&self.page, self.desks.get(PAGE)) else {
            return Err("the page is not on".to_owned());
        };
        if self.ends.load(Ordering::Relaxed) {
            return Err("the assistant has ended".to_owned());
        }
        let message = page.own(text);
        desk.take(vec![message], None)
    }

    fn said(&self, after: u64) -> Vec<Said> {
        self.page
            .as_ref()
            .map_or_else(Vec::new, |page| page.said(after))
    }

    fn hook(
        &self,
        name: &str,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> Result<(), Refused> {
        let desk = self.desks.get(name).ok_or(Refused::NoSuchChannel)?;
        if self.ends.load(Ordering::Relaxed) {
            return Err(Refused::Later("the assistant has ended".to_owned()));
        }
        match desk.channel.posted(header, body)? {
            Some(message) if !is_person(&message.person) => Err(Refused::Form(
                "found no identity of the sender, or too long a one".to_owned(),
            )),
            Some(message) => desk.take(vec![message], None).map_err(Refused::Later),
            None => Ok(()),
        }
    }
}
