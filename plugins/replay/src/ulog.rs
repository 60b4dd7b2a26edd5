//! PX4's logs (`.ulg`), after the specification of the ULog file format.
//!
//! Topics have the names of PX4's own tools: `sensor_accel` and, for a second instance, `sensor_accel_1`; their fields too:
//! `q[0]`, `esc[2].rpm`. Stamps (`timestamp`, `timestamp_sample`) are no channels.

mod format;

use crate::error::TableError;
use crate::source::{Each, MessageSource, Report, Stamped};
use crate::window::{Skipped, Window};
use format::{Formats, Layout};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// First bytes of a log; the version follows.
pub(crate) const MAGIC: &[u8] = b"ULog\x01\x12\x35";
const HEADER_BYTES: usize = 16;
/// Content of a message `S`.
const SYNC: [u8; 8] = [0x2f, 0x73, 0x13, 0x20, 0x25, 0x0c, 0xbb, 0x12];
/// Types of messages of the specification.
const TYPES: &[u8] = b"BFIMPQARDLCSO";
/// Larger messages of an unknown type are taken for damage, as pyulog does.
const MAX_UNKNOWN_BYTES: usize = 10_000;

/// Logged topic, by the id in its messages.
#[derive(Debug)]
struct Subscription {
    topic: usize,
    /// `None` if it cannot be read.
    layout: Option<Layout>,
}

/// A log of PX4 as a source of messages.
pub(crate) struct UlogSource<R> {
    file: PathBuf,
    window: Window<R>,
    formats: Formats,
    subscriptions: HashMap<u16, Subscription>,
    topics: Vec<String>,
    by_name: HashMap<String, usize>,
    ignored: BTreeSet<usize>,
    /// Places of appended data that were not read yet, in descending order.
    appended: Vec<u64>,
    unread: BTreeMap<String, &'static str>,
    dropouts: u64,
    dropouts_ms: u64,
    unknown: u64,
    skipped: Skipped,
    truncated: Option<u64>,
}

impl<R> std::fmt::Debug for UlogSource<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UlogSource").field(&self.file).finish()
    }
}

impl UlogSource<File> {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        let from = File::open(file).map_err(|e| TableError::read(file, e))?;
        Self::new(file, from)
    }
}

/// What the next bytes are.
enum Next {
    Message { kind: u8, size: usize },
    Damage,
    Truncated,
    End,
}

/// Whether a message may begin with these bytes; fewer than a header are one that was cut.
fn may_begin(bytes: &[u8], subscriptions: &HashMap<u16, Subscription>) -> bool {
    let &[low, high, kind, ref body @ ..] = bytes else {
        return true;
    };
    let size = usize::from(u16::from_le_bytes([low, high]));
    match kind {
        b'D' => match *body {
            [low, high, ..] => subscriptions
                .get(&u16::from_le_bytes([low, high]))
                .is_some_and(|s| s.layout.as_ref().is_none_or(|l| l.fits(size))),
            _ => size > 2,
        },
        b'S' => size == SYNC.len() && SYNC.starts_with(&body[..body.len().min(SYNC.len())]),
        b'O' => size == 2,
        b'R' => size >= 2,
        b'B' => size >= 40,
        _ => TYPES.contains(&kind) && size > 0,
    }
}

impl<R: Read + Seek> UlogSource<R> {
    /// Reads the header of a log; `file` is its name for messages.
    pub(crate) fn new(file: &Path, from: R) -> Result<Self, TableError> {
        let mut window = Window::new(from);
        let head = window
            .ahead(HEADER_BYTES)
            .map_err(|e| TableError::read(file, e))?;
        if !head.starts_with(MAGIC) || head.len() < HEADER_BYTES {
            return Err(TableError::invalid(
                file,
                "no header of a ULog",
                "the 16 bytes with which PX4 begins a log: copy it again",
            ));
        }
        window.pass(HEADER_BYTES);
        Ok(Self {
            file: file.to_owned(),
            window,
            formats: Formats::default(),
            subscriptions: HashMap::new(),
            topics: Vec::new(),
            by_name: HashMap::new(),
            ignored: BTreeSet::new(),
            appended: Vec::new(),
            unread: BTreeMap::new(),
            dropouts: 0,
            dropouts_ms: 0,
            unknown: 0,
            skipped: Skipped::default(),
            truncated: None,
        })
    }

    /// Looks at the bytes from `at` on.
    fn look(&mut self, at: usize) -> Result<Next, TableError> {
        let failed = |cause| TableError::read(&self.file, cause);
        let bytes = self.window.ahead(at + 3).map_err(failed)?;
        let size = match bytes.get(at..).unwrap_or_default() {
            [] => return Ok(Next::End),
            [low, high, _, ..] => usize::from(u16::from_le_bytes([*low, *high])),
            _ => return Ok(Next::Truncated),
        };
        // The message, and as much of the next one as tells whether it is one.
        let bytes = self.window.ahead(at + 3 + size + 11).map_err(failed)?;
        let bytes = bytes.get(at..).unwrap_or_default();
        let kind = bytes.get(2).copied().unwrap_or(0);
        let known = may_begin(bytes, &self.subscriptions);
        // A type of a later specification.
        let new = kind.is_ascii_alphabetic()
            && !TYPES.contains(&kind)
            && (1..=MAX_UNKNOWN_BYTES).contains(&size);
        // The first data of a subscription may follow it at once.
        let follows = |next: &[u8]| {
            let is_first = kind == b'A' && next.get(2) == Some(&b'D');
            may_begin(next, &self.subscriptions) || is_first && next.get(3..5) == bytes.get(4..6)
        };
        Ok(match bytes.get(3 + size..) {
            None if known => Next::Truncated,
            Some(next) if (known || new && next.len() > 2) && follows(next) => {
                Next::Message { kind, size }
            }
            _ => Next::Damage,
        })
    }

    /// Whether a message begins within one that seems to be cut off: then its length is damaged.
    fn goes_on(&mut self) -> Result<bool, TableError> {
        let rest = self
            .window
            .ahead(3 + usize::from(u16::MAX))
            .map_err(|e| TableError::read(&self.file, e))?
            .len();
        for at in 1..rest.saturating_sub(3) {
            if self.may_begin_at(at)? && matches!(self.look(at)?, Next::Message { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a message of a known type may begin at `at`.
    fn may_begin_at(&mut self, at: usize) -> Result<bool, TableError> {
        let bytes = self
            .window
            .ahead(at + 11)
            .map_err(|e| TableError::read(&self.file, e))?;
        let bytes = bytes.get(at..).unwrap_or_default();
        Ok(bytes.len() >= 3 && may_begin(bytes, &self.subscriptions))
    }

    /// Passes bytes until a message begins which another one follows.
    fn resynchronise(&mut self) -> Result<(), TableError> {
        let from = self.window.offset();
        let mut passed = 0;
        loop {
            self.window.pass(1);
            passed += 1;
            let left = self
                .window
                .ahead(3)
                .map_err(|e| TableError::read(&self.file, e))?
                .len();
            if left < 3 {
                passed += left;
                self.window.pass(left);
                break;
            }
            if self.may_begin_at(0)? && matches!(self.look(0)?, Next::Message { .. }) {
                break;
            }
        }
        self.skipped.add(from, passed);
        Ok(())
    }

    fn subscribe(&mut self, body: &[u8]) {
        let [instance, low, high, name @ ..] = body else {
            return;
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let topic = match instance {
            0 => name.clone(),
            n => format!("{name}_{n}"),
        };
        let layout = match self.formats.layout(&name, &topic) {
            Ok(layout) => Some(layout),
            Err(reason) => {
                self.unread.insert(topic.clone(), reason);
                None
            }
        };
        let next = self.topics.len();
        let index = *self.by_name.entry(topic.clone()).or_insert(next);
        if index == next {
            self.topics.push(topic);
        }
        let id = u16::from_le_bytes([*low, *high]);
        let subscription = Subscription {
            topic: index,
            layout,
        };
        self.subscriptions.insert(id, subscription);
    }

    /// Flags of the log: whether it can be read at all, and where data was appended.
    fn flags(&mut self, body: &[u8]) -> Result<(), TableError> {
        let Some(flags) = body.get(8..16) else {
            return Ok(());
        };
        if flags[0] & !1 != 0 || flags[1..].iter().any(|f| *f != 0) {
            return Err(TableError::invalid(
                &self.file,
                format!("a ULog with flags of a later specification ({flags:?})"),
                "flags that are known: `ulog2csv` of the latest PyPI package pyulog may make CSV files of it",
            ));
        }
        if flags[0] & 1 != 0 && self.appended.is_empty() {
            let places = body[16..].chunks_exact(8).take(3);
            let places = places.filter_map(|b| b.try_into().ok().map(u64::from_le_bytes));
            let here = self.window.offset();
            self.appended = places.filter(|at| *at > here).collect();
            self.appended.sort_unstable_by(|a, b| b.cmp(a));
            self.window.end_at(self.appended.last().copied());
        }
        Ok(())
    }

    /// Goes on to data that was appended to the file; false if there is none.
    fn next_part(&mut self) -> Result<bool, TableError> {
        let Some(at) = self.appended.pop() else {
            return Ok(false);
        };
        self.window.end_at(self.appended.last().copied());
        self.window
            .seek(at)
            .map_err(|e| TableError::read(&self.file, e))?;
        Ok(true)
    }
}

impl<R: Read + Seek + Send> MessageSource for UlogSource<R> {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        loop {
            let (kind, size) = match self.look(0)? {
                Next::Message { kind, size } => (kind, size),
                Next::Damage => {
                    self.resynchronise()?;
                    continue;
                }
                Next::Truncated | Next::End if !self.appended.is_empty() => {
                    // What straddles the place is no message: the logger was stopped there.
                    self.next_part()?;
                    continue;
                }
                Next::Truncated if self.goes_on()? => {
                    self.resynchronise()?;
                    continue;
                }
                Next::Truncated => {
                    self.truncated.get_or_insert(self.window.offset());
                    return Ok(None);
                }
                Next::End => return Ok(None),
            };
            let bytes = self
                .window
                .ahead(3 + size)
                .map_err(|e| TableError::read(&self.file, e))?;
            let body = bytes.get(3..3 + size).unwrap_or_default();
            if kind == b'D'
                && let [low, high, data @ ..] = body
                && let Some(subscription) =
                    self.subscriptions.get(&u16::from_le_bytes([*low, *high]))
                && let Some(layout) = &subscription.layout
            {
                let topic = subscription.topic;
                let time_ns = layout.time_us(data).checked_mul(1000);
                if time_ns.is_some() && !self.ignored.contains(&topic) {
                    layout.leaves(data, each);
                }
                self.window.pass(3 + size);
                return Ok(Some(Stamped {
                    topic,
                    time_ns: time_ns.unwrap_or(0),
                    broken: time_ns
                        .is_none()
                        .then(|| "a stamp of more than 500 years".to_owned()),
                }));
            }
            let body = if matches!(kind, b'F' | b'A' | b'B' | b'R' | b'O') {
                body.to_owned()
            } else {
                Vec::new()
            };
            self.window.pass(3 + size);
            match kind {
                b'F' => self.formats.add(&body),
                b'A' => self.subscribe(&body),
                b'B' => self.flags(&body)?,
                b'R' => {
                    if let [low, high, ..] = body[..] {
                        self.subscriptions.remove(&u16::from_le_bytes([low, high]));
                    }
                }
                b'O' => {
                    if let [low, high] = body[..] {
                        self.dropouts += 1;
                        self.dropouts_ms += u64::from(u16::from_le_bytes([low, high]));
                    }
                }
                kind => self.unknown += u64::from(!TYPES.contains(&kind)),
            }
        }
    }

    fn topic(&self, index: usize) -> &str {
        self.topics.get(index).map_or("", String::as_str)
    }

    fn ignore(&mut self, topic: &str) {
        self.ignored.extend(self.by_name.get(topic));
    }

    fn report(&self) -> Report {
        let mut notes = Vec::new();
        if self.dropouts > 0 {
            notes.push(format!(
                "the logger dropped messages {} times, for {} ms in all: there are none of these times",
                self.dropouts, self.dropouts_ms
            ));
        }
        notes.extend(self.skipped.note());
        if self.unknown > 0 {
            notes.push(format!(
                "{} messages are of a type of a later specification: not read",
                self.unknown
            ));
        }
        if let Some(at) = self.truncated {
            notes.push(format!(
                "the file ends within a message, at byte {at}: it was cut off"
            ));
        }
        let unread = self.unread.iter();
        Report {
            unread: unread
                .map(|(topic, why)| format!("`{topic}` ({why})"))
                .collect(),
            notes,
        }
    }
}
