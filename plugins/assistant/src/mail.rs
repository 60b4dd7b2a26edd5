//! What a channel has received and is to send: lines of a file that are on the disk before anything is done, so that nothing
//! is followed twice and no reply is lost, wherever the process is killed.

use crate::link::lock;
use crate::session::private;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Messages whose keys are remembered: one that comes again is known.
const KEYS: usize = 20_000;
/// A file of more bytes, and of twice what it had then, is written anew, without what is over.
const MAX_BYTES: u64 = 8 << 20;
/// Texts that are remembered as not sent.
const DROPPED: usize = 1000;
/// Most texts that wait for a chat, beside replies.
const MOST_WAITING: usize = 200;
/// Most texts that wait for a disk.
const MOST_LATE: usize = 1000;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incoming {
    /// Tells it from all others of its channel.
    pub(crate) key: String,
    /// Where a reply goes.
    pub(crate) chat: String,
    /// Whom it is from, as the channel has it.
    pub(crate) person: String,
    /// How they call themselves.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    /// Counts from 1: the channel's key for it, where it has such.
    pub(crate) id: u64,
    pub(crate) chat: String,
    pub(crate) text: String,
}

/// What became of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits to be sent.
    Waits,
    /// There is a receipt.
    Sent,
    /// It is not sent at all.
    Dropped,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum Line {
    /// Received.
    In(Incoming),
    /// To be sent.
    Out {
        #[serde(flatten)]
        out: Outgoing,
        /// The message that is over with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<String>,
    },
    /// A message that is over without a reply of its own: an answer to a question.
    Over { key: String },
    /// Handed to the channel: it may have been sent.
    Sending { id: u64 },
    /// It was not sent after all.
    Unsent { id: u64 },
    /// The channel's receipt.
    Sent { id: u64, receipt: String },
    /// It is not sent at all.
    Dropped { id: u64, why: String },
    /// Up to where the channel was read.
    Cursor { value: String },
    /// Keys of messages that are over.
    Known { keys: Vec<String> },
}

#[derive(Debug)]
struct State {
    file: File,
    /// Bytes that are written whole.
    length: u64,
    keys: HashSet<String>,
    /// The same, oldest first.
    order: VecDeque<String>,
    /// Received, and not over.
    open: Vec<Incoming>,
    /// To be sent, in order.
    out: BTreeMap<u64, Outgoing>,
    /// Those of them that may have been sent.
    begun: HashSet<u64>,
    /// Those that are not sent at all, latest last.
    dropped: VecDeque<u64>,
    last: u64,
    cursor: Option<String>,
    /// Bytes at which the file is written anew.
    most: u64,
    /// What could not be kept: chat, text, the message that is over by it.
    late: VecDeque<(String, String, Option<String>)>,
}

/// The mail of a channel.
#[derive(Debug)]
pub(crate) struct Mail {
    path: PathBuf,
    state: Mutex<State>,
    /// Something is to be sent.
    woken: Condvar,
}

impl State {
    fn know(&mut self, key: String) {
        if self.keys.insert(key.clone()) {
            self.order.push_back(key);
        }
        if self.order.len() > KEYS
            && let Some(old) = self.order.pop_front()
        {
            self.keys.remove(&old);
        }
    }

    /// Follows a line that is on the disk.
    fn apply(&mut self, line: Line) {
        match line {
            Line::In(message) => {
                self.know(message.key.clone());
                self.open.push(message);
            }
            Line::Out { out, answers } => {
                self.last = self.last.max(out.id);
                self.out.insert(out.id, out);
                if let Some(key) = answers {
                    self.open.retain(|message| message.key != key);
                }
            }
            Line::Over { key } => self.open.retain(|message| message.key != key),
            Line::Sending { id } => drop(self.begun.insert(id)),
            Line::Unsent { id } => drop(self.begun.remove(&id)),
            Line::Sent { id, .. } | Line::Dropped { id, .. } => {
                if let Line::Dropped { .. } = line {
                    self.dropped.push_back(id);
                    if self.dropped.len() > DROPPED {
                        self.dropped.pop_front();
                    }
                }
                self.last = self.last.max(id);
                self.begun.remove(&id);
                self.out.remove(&id);
            }
            Line::Cursor { value } => self.cursor = Some(value),
            Line::Known { keys } => keys.into_iter().for_each(|key| self.know(key)),
        }
    }

    /// What there is, as few lines.
    fn lines(&self) -> Vec<Line> {
        let is_open: HashSet<_> = self.open.iter().map(|message| &message.key).collect();
        let over = self.order.iter().filter(|key| !is_open.contains(key));
        let known = Line::Known {
            keys: over.cloned().collect(),
        };
        let cursor = self.cursor.clone().map(|value| Line::Cursor { value });
        let open = self.open.iter().cloned().map(Line::In);
        let out = self.out.values().cloned();
        let out = out.map(|out| Line::Out { out, answers: None });
        let begun = self.begun.iter().map(|id| Line::Sending { id: *id });
        // The highest number is used up, though it was sent.
        let last = Line::Dropped {
            id: self.last,
            why: String::new(),
        };
        let last = (!self.out.contains_key(&self.last)).then_some(last);
        [known]
            .into_iter()
            .chain(cursor)
            .chain(open)
            .chain(out)
            .chain(begun)
            .chain(last)
            .collect()
    }
}

fn text(lines: &[Line]) -> Result<String, String> {
    let mut text = String::new();
    for line in lines {
        text += &serde_json::to_string(line).map_err(|e| e.to_string())?;
        text.push('\n');
    }
    Ok(text)
}

impl Mail {
    /// Opens the mail of a channel, or begins it: nobody else writes it until it is dropped. Returns the messages that were
    /// received and are not over: whether they were followed is not known.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Incoming>), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = private(OpenOptions::new().read(true).append(true).create(true))
            .open(path)
            .map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => format!(
                "{}: found another assistant that writes it; expected a folder of its own",
                path.display()
            ),
            TryLockError::Error(error) => failed(error),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let length = whole.map_or(0, |at| at + 1);
        file.set_len(length as u64).map_err(failed)?;
        let mut state = State {
            file,
            length: length as u64,
            keys: HashSet::new(),
            order: VecDeque::new(),
            open: Vec::new(),
            out: BTreeMap::new(),
            begun: HashSet::new(),
            dropped: VecDeque::new(),
            last: 0,
            cursor: None,
            most: MAX_BYTES,
            late: VecDeque::new(),
        };
        let lines = bytes.get(..length).unwrap_or_default();
        let lines = lines.split(|byte| *byte == b'\n').zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(line) => state.apply(line),
                Err(error) => log::warn!("{}:{number}: {error}", path.display()),
            }
        }
        let open = state.open.clone();
        let mail = Self {
            path: path.to_owned(),
            state: Mutex::new(state),
            woken: Condvar::new(),
        };
        Ok((mail, open))
    }

    /// Writes lines, has them on the disk, and follows them.
    fn write(&self, state: &mut State, lines: Vec<Line>) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let text = text(&lines)?;
        let written = state.file.write_all(text.as_bytes());
        if let Err(error) = written.and_then(|()| state.file.sync_data()) {
            // What is there of it would be the beginning of the next line.
            let _ = state.file.set_len(state.length);
            return Err(failed(error));
        }
        state.length += text.len() as u64;
        for line in lines {
            state.apply(line);
        }
        if state.length > state.most
            && let Err(error) = self.shorten(state)
        {
            log::warn!("assistant: {error}");
        }
        self.woken.notify_all();
        Ok(())
    }

    /// Writes the file anew, without what is over; the lock goes over to the new one.
    fn shorten(&self, state: &mut State) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let new = self.path.with_extension("new");
        let text = text(&state.lines())?;
        let mut file = private(OpenOptions::new().append(true).create(true))
            .open(&new)
            .map_err(failed)?;
        file.set_len(0)
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_data())
            .and_then(|()| file.lock())
            .and_then(|()| std::fs::rename(&new, &self.path))
            .map_err(failed)?;
        state.file = file;
        state.length = text.len() as u64;
        state.most = MAX_BYTES.max(2 * state.length);
        Ok(())
    }

    /// Keeps messages, and up to where the channel is read now; returns those that are new.
    pub(crate) fn receive(
        &self,
        messages: Vec<Incoming>,
        cursor: Option<String>,
    ) -> Result<Vec<Incoming>, String> {
        let mut state = lock(&self.state);
        let mut seen = HashSet::new();
        let is_new = |message: &Incoming| {
            !state.keys.contains(&message.key) && seen.insert(message.key.clone())
        };
        let new: Vec<_> = messages.into_iter().filter(is_new).collect();
        let cursor = cursor.filter(|cursor| state.cursor.as_ref() != Some(cursor));
        let mut lines: Vec<_> = new.iter().cloned().map(Line::In).collect();
        lines.extend(cursor.map(|value| Line::Cursor { value }));
        if !lines.is_empty() {
            self.write(&mut state, lines)?;
        }
        Ok(new)
    }

    /// Whether a message was received before.
    pub(crate) fn is_known(&self, key: &str) -> bool {
        lock(&self.state).keys.contains(key)
    }

    /// Up to where the channel was read.
    pub(crate) fn cursor(&self) -> Option<String> {
        lock(&self.state).cursor.clone()
    }

    /// Has a text sent; with the message that is over by it. Returns its number.
    pub(crate) fn send(
        &self,
        chat: &str,
        text: &str,
        answers: Option<&str>,
    ) -> Result<u64, String> {
        let mut state = lock(&self.state);
        let out = Outgoing {
            id: state.last + 1,
            chat: chat.to_owned(),
            text: text.to_owned(),
        };
        let id = out.id;
        let answers = answers.map(str::to_owned);
        self.write(&mut state, vec![Line::Out { out, answers }])?;
        Ok(id)
    }

    /// The same, and where it cannot be kept now, later: `retry` keeps it once there is space.
    pub(crate) fn send_or_keep(&self, chat: &str, text: &str, answers: Option<&str>) {
        if let Err(error) = self.send(chat, text, answers) {
            log::error!("assistant: {error}");
            let mut state = lock(&self.state);
            if state.late.len() < MOST_LATE {
                let answers = answers.map(str::to_owned);
                state
                    .late
                    .push_back((chat.to_owned(), text.to_owned(), answers));
            }
        }
    }

    /// Has a text sent that answers nothing, unless too many wait for its chat.
    pub(crate) fn report(&self, chat: &str, text: &str) {
        let waiting = {
            let state = lock(&self.state);
            state.out.values().filter(|out| out.chat == chat).count()
        };
        match waiting < MOST_WAITING {
            true => self.send_or_keep(chat, text, None),
            false => {
                log::warn!("assistant: a report is dropped: {waiting} texts wait for its chat");
            }
        }
    }

    /// Keeps what could not be kept before.
    pub(crate) fn retry(&self) {
        let late = lock(&self.state).late.front().cloned();
        if let Some((chat, text, answers)) = late
            && self.send(&chat, &text, answers.as_deref()).is_ok()
        {
            lock(&self.state).late.pop_front();
        }
    }

    /// A message is over without a reply of its own.
    pub(crate) fn over(&self, key: &str) -> Result<(), String> {
        let key = key.to_owned();
        self.write(&mut lock(&self.state), vec![Line::Over { key }])
    }

    /// What became of a text.
    pub(crate) fn fate(&self, id: u64) -> Fate {
        let state = lock(&self.state);
        match (state.out.contains_key(&id), state.dropped.contains(&id)) {
            (true, _) => Fate::Waits,
            (false, true) => Fate::Dropped,
            (false, false) => Fate::Sent,
        }
    }

    /// Whether nothing waits to be sent.
    pub(crate) fn is_empty(&self) -> bool {
        let state = lock(&self.state);
        state.out.is_empty() && state.late.is_empty()
    }

    /// The first message to be sent to a chat that is not held back, and whether it may have been sent before; waits for one.
    /// It counts as handed to the channel now.
    pub(crate) fn next(
        &self,
        held_back: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<Option<(Outgoing, bool)>, String> {
        let state = lock(&self.state);
        let find = |state: &State| {
            let mut all = state.out.values();
            all.find(|out| !held_back(&out.chat)).cloned()
        };
        let waited = self
            .woken
            .wait_timeout_while(state, within, |state| find(state).is_none());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let Some(out) = find(&state) else {
            return Ok(None);
        };
        let may_be_sent = state.begun.contains(&out.id);
        if !may_be_sent {
            self.write(&mut state, vec![Line::Sending { id: out.id }])?;
        }
        Ok(Some((out, may_be_sent)))
    }

    /// It was sent, with this receipt.
    pub(crate) fn sent(&self, id: u64, receipt: String) -> Result<(), String> {
        self.write(&mut lock(&self.state), vec![Line::Sent { id, receipt }])
    }

    /// It was not sent after all; it waits.
    pub(crate) fn unsent(&self, id: u64) -> Result<(), String> {
        self.write(&mut lock(&self.state), vec![Line::Unsent { id }])
    }

    /// It is not sent at all.
    pub(crate) fn drop_it(&self, id: u64, why: String) -> Result<(), String> {
        self.write(&mut lock(&self.state), vec![Line::Dropped { id, why }])
    }

    /// Wakes who waits for a message to be sent.
    pub(crate) fn wake(&self) {
        self.woken.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: &str) -> Incoming {
        Incoming {
            key: key.to_owned(),
            chat: "c".to_owned(),
            person: "p".to_owned(),
            name: "Ada".to_owned(),
            text: format!("status {key}"),
        }
    }

    fn next(mail: &Mail) -> Option<(u64, bool)> {
        let next = mail.next(|_| false, Duration::ZERO).unwrap();
        next.map(|(out, may_be_sent)| (out.id, may_be_sent))
    }

    #[test]
    fn what_is_not_over_is_known_after_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail/t.jsonl");
        let (mail, open) = Mail::open(&path).unwrap();
        assert!(open.is_empty());
        let all = vec![message("1"), message("2"), message("1"), message("3")];
        assert_eq!(mail.receive(all, Some("9".to_owned())).unwrap().len(), 3);
        assert!(mail.receive(vec![message("2")], None).unwrap().is_empty());
        assert_eq!(mail.send("c", "well", Some("1")).unwrap(), 1);
        mail.over("2").unwrap();
        assert_eq!(mail.send("c", "by the way", None).unwrap(), 2);
        assert_eq!(next(&mail), Some((1, false)));
        assert!(Mail::open(&path).unwrap_err().contains("another assistant"));
        drop(mail);
        let (mail, open) = Mail::open(&path).unwrap();
        assert_eq!(open, [message("3")]);
        assert_eq!(mail.cursor().as_deref(), Some("9"));
        // It was handed to the channel, and what became of it is not known.
        assert_eq!(next(&mail), Some((1, true)));
        mail.sent(1, "m1".to_owned()).unwrap();
        assert_eq!(next(&mail), Some((2, false)));
        mail.unsent(2).unwrap();
        assert_eq!(next(&mail), Some((2, false)));
        let all = mail.next(|chat| chat == "c", Duration::ZERO).unwrap();
        assert_eq!(all, None);
    }

    #[test]
    fn a_file_written_anew_has_what_is_not_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        let (mail, _) = Mail::open(&path).unwrap();
        mail.receive(vec![message("1"), message("2")], Some("7".to_owned()))
            .unwrap();
        for id in 1..=3 {
            assert_eq!(mail.send("c", "x", (id == 1).then_some("1")).unwrap(), id);
        }
        assert_eq!(next(&mail), Some((1, false)));
        mail.sent(3, "r".to_owned()).unwrap();
        mail.shorten(&mut lock(&mail.state)).unwrap();
        // Still ours, and still written.
        assert!(Mail::open(&path).is_err());
        mail.receive(vec![message("4")], None).unwrap();
        drop(mail);
        let (mail, open) = Mail::open(&path).unwrap();
        assert_eq!(open, [message("2"), message("4")]);
        assert!(mail.receive(vec![message("1")], None).unwrap().is_empty());
        assert_eq!(mail.cursor().as_deref(), Some("7"));
        assert_eq!(next(&mail), Some((1, true)));
        assert_eq!(mail.send("c", "y", None).unwrap(), 4);
    }

    #[test]
    fn mail_torn_at_every_byte_of_its_last_line_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        let (mail, _) = Mail::open(&path).unwrap();
        mail.receive(vec![message("1")], None).unwrap();
        let whole = lock(&mail.state).length as usize;
        mail.send("c", "an \u{fc}", Some("1")).unwrap();
        drop(mail);
        let bytes = std::fs::read(&path).unwrap();
        for end in whole..bytes.len() {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let (mail, open) = Mail::open(&path).unwrap();
            assert_eq!(open.len(), 1, "{end}");
            assert_eq!(mail.send("c", "again", Some("1")).unwrap(), 1);
        }
    }
}
