//! DataFlash in its binary form.

use super::{Kind, Topics};
use crate::error::TableError;
use crate::source::{Each, Leaf, MessageSource, Report, Stamped};
use crate::window::{Skipped, Window};
use half::f16;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// First bytes of each message; its type follows.
const HEAD: [u8; 2] = [0xa3, 0x95];
const FMT: u8 = 0x80;
/// First bytes of a log, which begins with formats; of a later part of one, another type follows.
pub(crate) const MAGIC: &[u8] = &HEAD;
const FMT_BYTES: usize = 89;
/// Least number of equal bytes at the end that are no message (longer than any).
const MIN_FILL: u64 = 256;

/// Kind of message by its type.
#[derive(Clone, Debug)]
struct Type {
    kind: Kind,
    /// Bytes of a message with its head.
    bytes: usize,
    /// Place of each field behind the head; `None` if the format is not known.
    places: Option<Vec<usize>>,
}

/// A log of ArduPilot as a source of messages.
pub(crate) struct BinarySource<R> {
    file: PathBuf,
    window: Window<R>,
    types: Vec<Option<Type>>,
    topics: Topics,
    /// Time of the last message `TIME` (ns), which older PX4 logs have.
    time_ns: Option<u64>,
    skipped: Skipped,
    bad_formats: u64,
    truncated: Option<u64>,
    /// Where equal bytes begin that fill the end, as of flash memory that was not written.
    fill: Option<u64>,
}

impl<R> std::fmt::Debug for BinarySource<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BinarySource").field(&self.file).finish()
    }
}

impl BinarySource<File> {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        let failed = |cause| TableError::read(file, cause);
        let mut from = File::open(file).map_err(failed)?;
        let fill = fill(&mut from).map_err(failed)?;
        let mut source = Self::new(file, from);
        source.fill = fill;
        source.window.end_at(fill);
        Ok(source)
    }
}

impl<R: Read + Seek> BinarySource<R> {
    pub(crate) fn new(file: &Path, from: R) -> Self {
        let mut types = vec![None; 256];
        types[usize::from(FMT)] = Some(Type::new(
            Kind::new("FMT", "BBnNZ", "Type,Length,Name,Format,Columns"),
            FMT_BYTES,
        ));
        Self {
            file: file.to_owned(),
            window: Window::new(from),
            types,
            topics: Topics::default(),
            time_ns: None,
            skipped: Skipped::default(),
            bad_formats: 0,
            truncated: None,
            fill: None,
        }
    }

    /// Bytes from `at` on, at least `n` of them if the file has them.
    fn ahead(&mut self, at: usize, n: usize) -> Result<&[u8], TableError> {
        let ahead = self.window.ahead(at + n);
        let ahead = ahead.map_err(|e| TableError::read(&self.file, e))?;
        Ok(ahead.get(at..).unwrap_or_default())
    }

    /// Bytes of the message that begins at `at`, if one does.
    fn bytes_at(&mut self, at: usize) -> Result<Option<usize>, TableError> {
        let kind = match *self.ahead(at, 3)? {
            [a, b, kind, ..] if [a, b] == HEAD => usize::from(kind),
            _ => return Ok(None),
        };
        Ok(self.types[kind].as_ref().map(|t| t.bytes))
    }

    /// Whether a message may begin at `at`, or the file ends there.
    fn may_begin(&mut self, at: usize) -> Result<bool, TableError> {
        let ahead = self.ahead(at, 3)?;
        if ahead.len() < 3 {
            return Ok(HEAD.starts_with(&ahead[..ahead.len().min(2)]));
        }
        Ok(self.bytes_at(at)?.is_some())
    }

    /// Whether a message, or the end of the file, follows the one at `at`: the first of a type may follow its format at
    /// once.
    fn is_followed(&mut self, at: usize, bytes: usize) -> Result<bool, TableError> {
        if self.may_begin(at + bytes)? {
            return Ok(true);
        }
        let ahead = self.ahead(at, bytes + 3)?;
        let (own, next) = ahead.split_at_checked(bytes).unwrap_or((ahead, &[]));
        Ok(own.get(2) == Some(&FMT) && next.starts_with(&HEAD) && next.get(2) == own.get(3))
    }

    /// Place from `from` to below `to` at which a message begins that another one, or the end of the file, follows.
    fn find(&mut self, from: usize, to: usize) -> Result<Option<usize>, TableError> {
        for at in from..to {
            if let Some(bytes) = self.bytes_at(at)?
                && self.ahead(at, bytes)?.len() >= bytes
                && self.is_followed(at, bytes)?
            {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Passes bytes until a message begins; false at the end of the file.
    fn resynchronise(&mut self) -> Result<bool, TableError> {
        const STEP: usize = 4096;
        let from = self.window.offset();
        let mut passed = 0;
        let mut begin = 1;
        let found = loop {
            let left = self.ahead(0, begin + STEP)?.len();
            match self.find(begin, left.min(begin + STEP))? {
                Some(at) => {
                    self.window.pass(at);
                    passed += at;
                    break true;
                }
                None if left <= begin + STEP => {
                    let left = self.ahead(0, begin + STEP)?.len();
                    self.window.pass(left);
                    passed += left;
                    break false;
                }
                None => {
                    self.window.pass(begin + STEP);
                    passed += begin + STEP;
                    begin = 0;
                }
            }
        };
        self.skipped.add(from, passed);
        Ok(found)
    }

    /// Bytes of the message at the window's start; `None` at the end.
    fn message(&mut self) -> Result<Option<usize>, TableError> {
        loop {
            let left = self.ahead(0, 3)?.len();
            if left == 0 {
                return Ok(None);
            }
            let Some(bytes) = self.bytes_at(0)? else {
                if left < 3 && self.may_begin(0)? {
                    self.truncated = Some(self.window.offset());
                    return Ok(None);
                }
                if !self.resynchronise()? {
                    return Ok(None);
                }
                continue;
            };
            let left = self.ahead(0, bytes)?.len();
            if left < bytes {
                // Its type may be damaged.
                if let Some(at) = self.find(1, left)? {
                    let from = self.window.offset();
                    self.window.pass(at);
                    self.skipped.add(from, at);
                    continue;
                }
                self.truncated = Some(self.window.offset());
                return Ok(None);
            }
            // Where no message follows, bytes of this one may be lost or overwritten.
            if !self.is_followed(0, bytes)? {
                if !self.resynchronise()? {
                    return Ok(None);
                }
                continue;
            }
            return Ok(Some(bytes));
        }
    }

    /// Takes a format.
    fn define(&mut self, body: &[u8]) {
        let (Some(&[kind, bytes]), Some(name), Some(format), Some(labels)) = (
            body.first_chunk(),
            body.get(2..6),
            body.get(6..22),
            body.get(22..86),
        ) else {
            return;
        };
        let (name, format, labels) = (text(name), text(format), text(labels));
        if usize::from(bytes) < 3 || name.is_empty() {
            self.bad_formats += 1;
            return;
        }
        if kind == FMT {
            return;
        }
        let new = Type::new(Kind::new(&name, &format, &labels), usize::from(bytes));
        if new.places.is_none() && new.kind.has_readings() {
            let why = format!("its format `{format}` does not make {bytes} bytes");
            self.topics.unread.insert(name, why);
        }
        let known = &mut self.types[usize::from(kind)];
        let instance = known.as_ref().and_then(|t| t.kind.instance);
        *known = Some(new);
        if let Some(known) = known {
            known.kind.instance = instance.filter(|k| *k < known.kind.format.len());
        }
    }

    /// Takes the units of a kind's fields from a message `FMTU`.
    fn units(&mut self, kind: u8, body: &[u8]) {
        let Some(own) = &self.types[usize::from(kind)] else {
            return;
        };
        let field = |label| own.field(label, body);
        let (Some((_, of)), Some((_, units))) = (field("FmtType"), field("UnitIds")) else {
            return;
        };
        let (Some(&of), units) = (of.first(), text(units)) else {
            return;
        };
        if let Some(known) = &mut self.types[usize::from(of)] {
            known.kind.set_units(&units);
        }
    }

    /// Visits the leaves of a message.
    fn read(&mut self, kind: u8, body: &[u8], each: Each<'_>) -> Option<Stamped> {
        let own = self.types[usize::from(kind)].as_ref()?;
        let places = own.places.as_ref()?;
        let number = |k: usize| own.number(k, body);
        if own.kind.name == "TIME" && own.kind.labels.first().is_some_and(|l| l == "StartTime") {
            self.time_ns = Some((number(0)? as u64).saturating_mul(1_000));
            return None;
        }
        if !own.kind.has_readings() {
            return None;
        }
        let time_ns = match own.kind.time {
            Some((k, unit_ns)) => {
                let at = body.get(*places.get(k)?..)?;
                let count = match own.kind.format[k] {
                    b'Q' | b'q' => u64::from_le_bytes(*at.first_chunk()?),
                    b'I' | b'i' => u64::from(u32::from_le_bytes(*at.first_chunk()?)),
                    _ => number(k)? as u64,
                };
                count.checked_mul(unit_ns)
            }
            None => {
                if self.time_ns.is_none() {
                    self.topics.no_time(&own.kind);
                }
                Some(self.time_ns?)
            }
        };
        let instance = own.kind.instance;
        let number_of = instance.and_then(number).map(|x| x as i64);
        let topic = self.topics.of(&own.kind, number_of)?;
        if time_ns.is_some() && !self.topics.is_ignored(topic) {
            let time = own.kind.time.map(|(k, _)| k);
            for k in (0..places.len()).filter(|k| Some(*k) != time && Some(*k) != instance) {
                let leaf = match own.kind.format[k] {
                    b'a' => Leaf::LongList,
                    _ => own.number(k, body).map_or(Leaf::Text, Leaf::number),
                };
                each(self.topics.path(topic, k), leaf);
            }
        }
        Some(Stamped {
            topic,
            time_ns: time_ns.unwrap_or(0),
            broken: time_ns
                .is_none()
                .then(|| "a stamp of more than 500 years".to_owned()),
        })
    }
}

impl Type {
    fn new(kind: Kind, bytes: usize) -> Self {
        let mut at = 0;
        let places = kind.format.iter().map(|c| {
            let place = at;
            at += size(*c)?;
            Some(place)
        });
        let places: Option<Vec<usize>> = places.collect();
        Self {
            places: places.filter(|_| at + 3 == bytes),
            kind,
            bytes,
        }
    }

    /// Type and bytes of a field by its name.
    fn field<'a>(&self, label: &str, body: &'a [u8]) -> Option<(u8, &'a [u8])> {
        let k = self.kind.labels.iter().position(|l| l == label)?;
        let (c, at) = (self.kind.format[k], self.places.as_ref()?[k]);
        Some((c, body.get(at..at + size(c)?)?))
    }

    /// Number in a field; `None` for a text.
    fn number(&self, k: usize, body: &[u8]) -> Option<f64> {
        let at = body.get(*self.places.as_ref()?.get(k)?..)?;
        let c = *self.kind.format.get(k)?;
        let x = match c {
            b'b' | b'M' => f64::from(i8::from_le_bytes(*at.first_chunk()?)),
            b'B' => f64::from(u8::from_le_bytes(*at.first_chunk()?)),
            b'h' | b'c' => f64::from(i16::from_le_bytes(*at.first_chunk()?)),
            b'H' | b'C' => f64::from(u16::from_le_bytes(*at.first_chunk()?)),
            b'i' | b'e' | b'L' => f64::from(i32::from_le_bytes(*at.first_chunk()?)),
            b'I' | b'E' => f64::from(u32::from_le_bytes(*at.first_chunk()?)),
            b'q' => i64::from_le_bytes(*at.first_chunk()?) as f64,
            b'Q' => u64::from_le_bytes(*at.first_chunk()?) as f64,
            b'f' => f64::from(f32::from_le_bytes(*at.first_chunk()?)),
            b'd' => f64::from_le_bytes(*at.first_chunk()?),
            b'g' => f64::from(f16::from_le_bytes(*at.first_chunk()?)),
            _ => return None,
        };
        Some(match c {
            b'c' | b'C' | b'e' | b'E' => x / 100.0,
            b'L' => x / 1e7,
            _ => x,
        })
    }
}

/// Place from which on at least [`MIN_FILL`] bytes, up to the end, are all 0 or all 0xff. A message may end with such
/// bytes: its own last ones are taken for the fill, and it for one that was cut off.
fn fill(from: &mut (impl Read + Seek)) -> std::io::Result<Option<u64>> {
    let total = from.seek(SeekFrom::End(0))?;
    let mut buffer = [0; 64 * 1024];
    let (mut begin, mut byte) = (total, None);
    while begin > 0 {
        let n = begin.min(buffer.len() as u64);
        from.seek(SeekFrom::Start(begin - n))?;
        let block = &mut buffer[..usize::try_from(n).unwrap_or_default()];
        from.read_exact(block)?;
        let byte = *byte.get_or_insert(block.last().copied().unwrap_or(1));
        if !matches!(byte, 0 | 0xff) {
            break;
        }
        match block.iter().rposition(|b| *b != byte) {
            Some(last) => {
                begin = begin - n + last as u64 + 1;
                break;
            }
            None => begin -= n,
        }
    }
    from.seek(SeekFrom::Start(0))?;
    Ok(Some(begin).filter(|begin| total - begin >= MIN_FILL))
}

/// Bytes of a field; `None` for an unknown type.
fn size(c: u8) -> Option<usize> {
    Some(match c {
        b'b' | b'B' | b'M' => 1,
        b'h' | b'H' | b'c' | b'C' | b'g' => 2,
        b'i' | b'I' | b'e' | b'E' | b'f' | b'L' | b'n' => 4,
        b'q' | b'Q' | b'd' => 8,
        b'N' => 16,
        b'a' | b'Z' => 64,
        _ => return None,
    })
}

/// Text up to the first zero.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim().to_owned()
}

impl<R: Read + Seek + Send> MessageSource for BinarySource<R> {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        while let Some(bytes) = self.message()? {
            let mut message = [0; 256];
            let ahead = self.ahead(0, bytes)?;
            message[..bytes].copy_from_slice(&ahead[..bytes]);
            self.window.pass(bytes);
            let (kind, body) = (message[2], &message[3..bytes]);
            if kind == FMT {
                self.define(body);
                continue;
            }
            let name = self.types[usize::from(kind)].as_ref();
            if name.is_some_and(|t| t.kind.name == "FMTU") {
                self.units(kind, body);
            } else if let Some(stamped) = self.read(kind, body, each) {
                return Ok(Some(stamped));
            }
        }
        Ok(None)
    }

    fn topic(&self, index: usize) -> &str {
        self.topics.name(index)
    }

    fn ignore(&mut self, topic: &str) {
        self.topics.ignore(topic);
    }

    fn report(&self) -> Report {
        let mut notes = Vec::new();
        notes.extend(self.skipped.note());
        if self.bad_formats > 0 {
            notes.push(format!(
                "{} formats (FMT) are not valid: messages of these kinds are skipped",
                self.bad_formats
            ));
        }
        if let Some(at) = self.fill {
            notes.push(format!(
                "the bytes from {at} to the end of the file are all 0 or all 0xff: taken for memory that was not written"
            ));
        }
        if let Some(at) = self.truncated {
            notes.push(format!(
                "the {} within a message, at byte {at}: it was cut off",
                if self.fill.is_some() {
                    "log ends"
                } else {
                    "file ends"
                }
            ));
        }
        Report {
            unread: self.topics.unread(),
            notes,
        }
    }
}
