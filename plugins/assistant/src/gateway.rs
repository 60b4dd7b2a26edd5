//! Channels, and the people who write by them. A message is on the disk before it is followed, and its reply before it is
//! sent; a stop is followed before all else; who is not let in never reaches the grammar.

use crate::channel::{Channel, Trouble};
use crate::channels::Page;
use crate::chat::{Chat, House, Owner};
use crate::grammar::Grammar;
use crate::link::{Current, Link, lock};
use crate::mail::{Incoming, Mail};
use crate::notes::Notes;
use crate::people::{People, Role};
use becomingone_api::{Companion, Refused, Said};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The channel of the page.
pub(crate) const PAGE: &str = "page";
/// Longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How often watches and schedules are looked at.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(200);
/// How long the first route has for an alert.
const FIRST_ROUTE_WITHIN: Duration = Duration::from_secs(60);
/// Longest line, longest identity of a person (bytes).
const MAX_LINE: usize = 4096;
const MAX_ID: usize = 100;

/// A channel with its people and its mail.
struct Desk {
    name: String,
    channel: Arc<dyn Channel>,
    mail: Arc<Mail>,
    house: Arc<House>,
    people: Arc<People>,
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
        let (known, strangers): (Vec<_>, Vec<_>) = messages
            .into_iter()
            .filter(|message| message.person.len() <= MAX_ID && !message.text.trim().is_empty())
            .map(|message| {
                let role = match self.owner {
                    Some(_) => Some(Role::Operator),
                    None => self.people.role(&self.name, &message.person, &message.chat),
                };
                (message, role)
            })
            .partition(|(_, role)| role.is_some());
        let roles: HashMap<_, _> = known
            .iter()
            .filter_map(|(message, role)| Some((message.person.clone(), (*role)?)))
            .collect();
        let (stops, lines): (Vec<_>, Vec<_>) = known
            .into_iter()
            .map(|(message, _)| {
                let chat = self.chat(&message.person, &message.chat);
                let stop = chat.stops(&message.text);
                (message, chat, stop)
            })
            .partition(|(.., stop)| stop.is_some());
        // Each is on the disk before it is followed; where the channel is read to, when all are.
        let texts = |all: &[(Incoming, Arc<Chat>, Option<Option<String>>)]| -> Vec<_> {
            all.iter().map(|(message, ..)| message.clone()).collect()
        };
        let new = self.mail.receive(texts(&stops), None)?;
        for (message, chat, agent) in stops {
            if new.contains(&message) {
                chat.stop(&message, agent.flatten().as_deref(), &lock(&self.stops));
            }
        }
        let new = self.mail.receive(texts(&lines), cursor)?;
        for (message, chat, _) in lines {
            if !new.contains(&message) {
                continue;
            }
            match roles.get(&message.person) {
                Some(_) if message.text.len() > MAX_LINE => {
                    let text =
                        format!("nothing was done: found a line of more than {MAX_LINE} bytes");
                    let sent = self.mail.send(&message.chat, &text, Some(&message.key));
                    warn(sent.map(drop));
                }
                Some(role) => chat.take(message, *role),
                None => {}
            }
        }
        for (message, _) in strangers {
            self.show_code(&message);
        }
        Ok(())
    }

    /// Of a stranger nothing is looked at and nothing kept but who it is.
    fn show_code(&self, message: &Incoming) {
        let (person, chat) = (&message.person, &message.chat);
        let code = self.people.code(&self.name, person, &message.name, chat);
        if let Some(code) = code {
            let text = format!(
                "I do not know you, and read nothing of what you write. To be let in, give the owner of this machine your code: {code}"
            );
            warn(self.mail.send(chat, &text, None).map(drop));
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
            pause(wait.unwrap_or_else(|| backoff(failures)), over);
        }
    }

    /// The thread that sends.
    fn send(&self, over: &AtomicBool) {
        let mut held: HashMap<String, (Instant, u32)> = HashMap::new();
        while !over.load(Ordering::Relaxed) {
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
                    let wait = after.unwrap_or_else(|| backoff(failures));
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
        let people = owner.people.clone();
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
                people: people.clone(),
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
            over: AtomicBool::new(false),
            threads: Mutex::default(),
        });
        let link = Link::new(&house.client, current.clone(), |_: &str| false)?;
        let mut threads = Vec::new();
        for desk in gateway.desks.values() {
            for is_sender in [false, true] {
                let (desk, gateway) = (desk.clone(), gateway.clone());
                threads.push(thread(move || match is_sender {
                    true => desk.send(&gateway.over),
                    false => desk.receive(&gateway.over),
                })?);
            }
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

    /// Gives alerts that wait for too long to their next routes.
    fn reroute(&self) {
        let mut late = Vec::new();
        lock(&self.alerts).retain_mut(|alert| {
            let (channel, id) = &alert.at;
            let waits = self
                .desks
                .get(channel)
                .is_some_and(|desk| desk.mail.waits(*id));
            let is_late = waits && now() >= alert.until;
            if is_late {
                late.push((
                    alert.text.clone(),
                    std::mem::take(&mut alert.left),
                    channel.clone(),
                ));
            }
            waits && !is_late
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
        let mut run = None;
        let mut last = 0;
        while !self.over.load(Ordering::Relaxed) {
            self.reroute();
            let chats = self.desks.values().flat_map(|desk| {
                let chats = lock(&desk.chats).values().cloned().collect::<Vec<_>>();
                chats.into_iter().filter(|chat| chat.has_reports())
            });
            let chats: Vec<_> = chats.collect();
            if !chats.is_empty() {
                let current = link.run().unwrap_or_default();
                let is_other = run.as_ref() != Some(&current);
                // One request for all of them, where nothing has happened.
                match link.events(last) {
                    Ok((_, latest)) if latest == last && !is_other => {}
                    Ok((_, latest)) => {
                        last = latest;
                        chats.iter().for_each(|chat| fired(chat, link, &current));
                        run = Some(current);
                    }
                    Err(_) => {}
                }
            }
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

    /// Ends the threads, after what they were given.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        for desk in self.desks.values() {
            desk.mail.wake();
        }
        for thread in std::mem::take(&mut *lock(&self.threads)) {
            let _ = thread.join();
        }
        for desk in self.desks.values() {
            let chats: Vec<_> = lock(&desk.chats).drain().collect();
            chats.iter().for_each(|(_, chat)| chat.end());
        }
    }
}

fn thread(run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    std::thread::Builder::new()
        .name("assistant-mail".to_owned())
        .spawn(run)
        .map_err(|e| e.to_string())
}

/// Tells somebody what has fired of their watches.
fn fired(chat: &Chat, link: &Link, run: &str) {
    let mut watches = lock(&chat.shared.watches);
    if watches.all().is_empty() {
        return;
    }
    if watches.run() != run || watches.is_of_another(link) {
        for refused in watches.restore(link, run) {
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
        if self.over.load(Ordering::Relaxed) {
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
        match desk.channel.posted(header, body)? {
            Some(message) => desk.take(vec![message], None).map_err(Refused::Later),
            None => Ok(()),
        }
    }
}
