//! DataFlash as text, as Mission Planner and `mavlogdump.py` write it: `IMU, 20000, 0.1, 0.9`. Its numbers are scaled already.

use super::{Kind, Topics};
use crate::error::TableError;
use crate::source::{Each, Leaf, MessageSource, Report, Stamped};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest line: longer ones are no rows.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// A log of ArduPilot as text, as a source of messages.
pub(crate) struct TextSource<R> {
    file: PathBuf,
    from: R,
    line: Vec<u8>,
    /// Number of the line (from 1).
    number: u64,
    kinds: HashMap<String, Arc<Kind>>,
    /// Names of kinds by type.
    types: HashMap<String, String>,
    topics: Topics,
    /// Lines of no known kind, and the first of them.
    unknown: u64,
    first_unknown: u64,
    /// Whether the last line has no end.
    unended: bool,
}

impl<R> std::fmt::Debug for TextSource<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TextSource").field(&self.file).finish()
    }
}

impl TextSource<BufReader<File>> {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        let from = File::open(file).map_err(|e| TableError::read(file, e))?;
        Ok(Self::new(file, BufReader::with_capacity(128 * 1024, from)))
    }
}

/// Whether the text has a format of DataFlash at the start of one of its first lines.
pub(crate) fn is_log(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let is_format = |line: &[u8]| {
        line.starts_with(b"FMT,") && {
            let cells: Vec<&[u8]> = line.split(|b| *b == b',').map(<[u8]>::trim_ascii).collect();
            let is_number = |k: usize| {
                let cell = cells.get(k).copied().unwrap_or_default();
                !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)
            };
            cells.len() >= 5 && is_number(1) && is_number(2)
        }
    };
    head.split(|b| *b == b'\n').take(64).any(is_format)
}

impl<R: BufRead> TextSource<R> {
    pub(crate) fn new(file: &Path, from: R) -> Self {
        Self {
            file: file.to_owned(),
            from,
            line: Vec::new(),
            number: 0,
            kinds: HashMap::new(),
            types: HashMap::new(),
            topics: Topics::default(),
            unknown: 0,
            first_unknown: 0,
            unended: false,
        }
    }

    /// Reads a line; false at the end of the file.
    fn next_line(&mut self) -> Result<bool, TableError> {
        self.line.clear();
        let failed = |cause| TableError::read(&self.file, cause);
        let mut part = (&mut self.from).take(MAX_LINE_BYTES);
        part.read_until(b'\n', &mut self.line).map_err(failed)?;
        if self.line.is_empty() {
            return Ok(false);
        }
        self.number += 1;
        if self.line.last() != Some(&b'\n') {
            if (self.line.len() as u64) < MAX_LINE_BYTES {
                self.unended = true;
                return Ok(true);
            }
            // The rest of a line that is no row.
            loop {
                let rest = self.from.fill_buf().map_err(failed)?;
                let end = rest.iter().position(|b| *b == b'\n');
                let n = end.map_or(rest.len(), |end| end + 1);
                self.from.consume(n);
                if end.is_some() || n == 0 {
                    break;
                }
            }
        }
        Ok(true)
    }

    fn count_unknown(&mut self) {
        if self.unknown == 0 {
            self.first_unknown = self.number;
        }
        self.unknown += 1;
    }

    /// Takes a format: `FMT, 129, 19, IMU, Qff, TimeUS,GyrX,GyrY`.
    fn define(&mut self, line: &str) {
        let cells: Vec<&str> = line.splitn(6, ',').map(str::trim).collect();
        let [_, kind, _, name, format, labels @ ..] = cells.as_slice() else {
            return self.count_unknown();
        };
        let new = Kind::new(name, format, labels.first().unwrap_or(&""));
        self.types.insert((*kind).to_owned(), new.name.clone());
        self.kinds.insert(new.name.clone(), Arc::new(new));
    }

    /// Takes the units of a kind's fields: `FMTU, 0, 129, s#EE, F-00`.
    fn units(&mut self, cells: &[&str]) {
        if let [_, of, units, ..] = cells
            && let Some(kind) = self
                .types
                .get(*of)
                .and_then(|name| self.kinds.get_mut(name))
        {
            Arc::make_mut(kind).set_units(units);
        }
    }

    /// Visits the leaves of a row.
    fn read(&mut self, kind: &Kind, cells: &[&str], each: Each<'_>) -> Option<Stamped> {
        let Some((time, unit_ns)) = kind.time else {
            self.topics.no_time(kind);
            return None;
        };
        let instance = kind.instance.and_then(|k| cells.get(k)?.parse().ok());
        let topic = self.topics.of(kind, instance)?;
        let broken = |found: String| {
            Some(Stamped {
                topic,
                time_ns: 0,
                broken: Some(format!("line {}: {found}", self.number)),
            })
        };
        // A text may have commas.
        let has_text = kind.format.iter().any(|c| b"nNZ".contains(c));
        if cells.len() < kind.format.len() || cells.len() > kind.format.len() && !has_text {
            return broken(format!(
                "{} values for {} fields of {}",
                cells.len(),
                kind.format.len(),
                kind.name
            ));
        }
        let stamp = cells[time].parse::<u64>().ok();
        let Some(time_ns) = stamp.and_then(|count| count.checked_mul(unit_ns)) else {
            return broken(format!("the time `{}`", cells[time].escape_debug()));
        };
        if !self.topics.is_ignored(topic) {
            for (k, (c, cell)) in kind.format.iter().zip(cells).enumerate() {
                if k == time || Some(k) == kind.instance {
                    continue;
                }
                let leaf = match c {
                    b'n' | b'N' | b'Z' => Leaf::Text,
                    b'a' => Leaf::LongList,
                    _ => cell.parse().map_or(Leaf::Text, Leaf::number),
                };
                each(self.topics.path(topic, k), leaf);
            }
        }
        Some(Stamped {
            topic,
            time_ns,
            broken: None,
        })
    }
}

impl<R: BufRead + Send> MessageSource for TextSource<R> {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        while self.next_line()? {
            let line = std::mem::take(&mut self.line);
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_start_matches('\u{feff}').trim();
            let mut cells = text.split(',').map(str::trim);
            let name = cells.next().unwrap_or_default();
            let mut stamped = None;
            if name == "FMT" {
                self.define(text);
            } else if let Some(kind) = self.kinds.get(name).cloned() {
                let cells: Vec<&str> = cells.collect();
                if name == "FMTU" {
                    self.units(&cells);
                } else if kind.has_readings() {
                    stamped = self.read(&kind, &cells, each);
                }
            } else if !text.is_empty() && !self.kinds.is_empty() {
                self.count_unknown();
            }
            self.line = line;
            if stamped.is_some() {
                return Ok(stamped);
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
        if self.unknown > 0 {
            notes.push(format!(
                "{} lines are of no kind that a FMT describes, the first one is line {}: not read",
                self.unknown, self.first_unknown
            ));
        }
        if self.unended {
            notes.push(format!(
                "line {}, the last one, has no end: it may be cut off",
                self.number
            ));
        }
        Report {
            unread: self.topics.unread(),
            notes,
        }
    }
}
