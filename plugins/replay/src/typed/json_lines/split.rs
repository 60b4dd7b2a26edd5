//! Takes a JSON text apart into records: by lines, or by the brackets where a record has several lines.

use crate::error::TableError;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// Largest record (bytes).
const MAX_RECORD_BYTES: usize = 16 << 20;

/// Form of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A record a line.
    Lines,
    /// Records one after the other, on several lines.
    Values,
    /// One array of records.
    Array,
}

impl Mode {
    /// Form by the first bytes; `None` if they are no JSON.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let head = head.trim_ascii_start();
        let inner = head.get(1..)?.trim_ascii_start().first()?;
        let line = head.split(|b| *b == b'\n').next()?;
        // The first line alone; a very long one may be cut off here.
        let whole = parse(line).ok();
        match head.first()? {
            b'{' if matches!(inner, b'"' | b'}') => Some(match whole {
                Some(_) => Self::Lines,
                None if line.len() == head.len() && !line.contains(&b'\n') => Self::Lines,
                None => Self::Values,
            }),
            b'[' => match whole.as_ref().and_then(|w| w.as_array()) {
                Some(items) if items.first().is_some_and(|i| i.is_object() || i.is_array()) => {
                    Some(Self::Array)
                }
                Some(items) if !items.is_empty() => Some(Self::Lines),
                _ => matches!(inner, b'{' | b'[').then_some(Self::Array),
            },
            _ => None,
        }
    }
}

/// Records of a text.
#[derive(Debug)]
pub(super) struct Splitter {
    from: BufReader<File>,
    mode: Mode,
    /// Line of the next byte (from 1).
    line: u64,
    /// Whether the bracket of the array was passed, and whether its end was.
    begun: bool,
    done: bool,
    /// Line of a record that the file ends in.
    cut: Option<u64>,
}

impl Splitter {
    pub(super) fn open(file: &Path) -> Result<Self, TableError> {
        let failed = |cause| TableError::read(file, cause);
        let mut head = Vec::new();
        let from = File::open(file).map_err(failed)?;
        from.take(1 << 20).read_to_end(&mut head).map_err(failed)?;
        let mode = Mode::of(&head).unwrap_or(Mode::Lines);
        let mut from = BufReader::with_capacity(128 * 1024, File::open(file).map_err(failed)?);
        if head.starts_with(b"\xef\xbb\xbf") {
            from.read_exact(&mut [0; 3]).map_err(failed)?;
        }
        Ok(Self {
            from,
            mode,
            line: 1,
            begun: false,
            done: false,
            cut: None,
        })
    }

    pub(super) fn mode(&self) -> Mode {
        self.mode
    }

    /// What is to be said at the end.
    pub(super) fn rest(&self) -> Option<String> {
        let cut = self.cut.map(|line| {
            format!("the file ends within the record that begins in line {line}: it was cut off")
        });
        let open = self.mode == Mode::Array && self.begun && !self.done;
        cut.or_else(|| open.then(|| "the array has no end: the file was cut off".to_owned()))
    }

    /// Next record: its line and text; `None` at the end.
    pub(super) fn next(&mut self, file: &Path) -> Result<Option<(u64, Vec<u8>)>, TableError> {
        match self.mode {
            Mode::Lines => self.next_line(file),
            Mode::Values | Mode::Array => self.next_value(file),
        }
    }

    fn too_large(&self, file: &Path, line: u64) -> TableError {
        TableError::Invalid {
            file: file.to_owned(),
            line: Some(line),
            found: format!(
                "a record of more than {} MB that begins here",
                MAX_RECORD_BYTES >> 20
            ),
            expected: "an object a line: `jq -c '.[]'` makes them of an array".to_owned(),
        }
    }

    fn next_line(&mut self, file: &Path) -> Result<Option<(u64, Vec<u8>)>, TableError> {
        loop {
            let mut text = Vec::new();
            let most = MAX_RECORD_BYTES as u64 + 1;
            let read = (&mut self.from).take(most).read_until(b'\n', &mut text);
            read.map_err(|e| TableError::read(file, e))?;
            if text.is_empty() {
                return Ok(None);
            }
            let line = self.line;
            if text.len() > MAX_RECORD_BYTES {
                return Err(self.too_large(file, line));
            }
            self.line += 1;
            if !text.trim_ascii().is_empty() {
                return Ok(Some((line, text)));
            }
        }
    }

    /// Next value at the top, or in the array at the top.
    fn next_value(&mut self, file: &Path) -> Result<Option<(u64, Vec<u8>)>, TableError> {
        let mut text: Vec<u8> = Vec::new();
        let mut line = self.line;
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        loop {
            let bytes = self
                .from
                .fill_buf()
                .map_err(|e| TableError::read(file, e))?;
            if bytes.is_empty() {
                if !text.trim_ascii().is_empty() {
                    self.cut.get_or_insert(line);
                }
                return Ok(None);
            }
            let mut used = 0;
            let mut whole = false;
            for &byte in bytes {
                used += 1;
                self.line += u64::from(byte == b'\n');
                if in_text {
                    text.push(byte);
                    match byte {
                        _ if escaped => escaped = false,
                        b'\\' => escaped = true,
                        b'"' => in_text = false,
                        _ => {}
                    }
                    continue;
                }
                if text.is_empty() && depth == 0 {
                    if byte.is_ascii_whitespace() || byte == b',' {
                        continue;
                    }
                    if self.mode == Mode::Array && !self.begun && byte == b'[' {
                        self.begun = true;
                        continue;
                    }
                    line = self.line;
                }
                match byte {
                    b'"' => in_text = true,
                    b'{' | b'[' => depth += 1,
                    b']' if depth == 0 && self.mode == Mode::Array => {
                        self.done = true;
                        whole = !text.is_empty();
                        break;
                    }
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    // The end of a number or a word.
                    b',' | b'\n' if depth == 0 => {
                        whole = true;
                        break;
                    }
                    _ => {}
                }
                text.push(byte);
                if matches!(byte, b'}' | b']') && depth == 0 || text.len() > MAX_RECORD_BYTES {
                    whole = true;
                    break;
                }
            }
            self.from.consume(used);
            if text.len() > MAX_RECORD_BYTES {
                return Err(self.too_large(file, line));
            }
            if whole {
                return Ok(Some((line, text)));
            }
        }
    }
}

/// Parses a record. Python writes `NaN` and `Infinity`, which JSON has not: they are missing values.
pub(super) fn parse(text: &[u8]) -> Result<serde_json::Value, serde_json::Error> {
    serde_json::from_slice(text).or_else(|error| {
        let mut mended = text.to_vec();
        let mut in_text = false;
        let mut k = 0;
        let mut found = false;
        while k < mended.len() {
            match mended[k] {
                b'\\' if in_text => k += 1,
                b'"' => in_text = !in_text,
                b'N' | b'I' | b'-' if !in_text => {
                    for word in [&b"-Infinity"[..], b"Infinity", b"NaN"] {
                        if mended[k..].starts_with(word) {
                            mended.splice(k..k + word.len(), *b"null");
                            found = true;
                            break;
                        }
                    }
                }
                _ => {}
            }
            k += 1;
        }
        if found {
            serde_json::from_slice(&mended)
        } else {
            Err(error)
        }
    })
}
