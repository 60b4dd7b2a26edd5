//! Lines of text: CSV, JSON, and `key=value`.
//!
//! Lines have no checksum. After the port is opened, CSV and `key=value` skip everything up to the first line end: it may
//! be a part of a line, whose numbers are then wrong. A half line of JSON is found by its braces.

use super::{Body, Message, Protocol, Scan, Verdict, decimal};
use serde_json::Value;
use std::borrow::Cow;

/// Longest line (bytes).
pub const MAX_LINE: usize = 1 << 16;
/// Most columns of a line, and keys.
const MAX_NUMBERS: usize = 4096;

/// Text of the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns with these names; none: those of a header line.
    Csv {
        /// Names, in order.
        columns: Vec<String>,
        /// Between columns.
        separator: char,
    },
    /// One JSON object a line.
    JsonLines,
    /// `a=1 b=2`, also with `:`, and separated by commas, semicolons or tabs.
    KeyValue,
}

/// Lines of text.
pub struct Lines {
    format: Format,
    /// Names of the columns so far.
    columns: Vec<String>,
    /// Whether a row had these columns.
    in_use: bool,
    /// Whether a line end came since the port was opened.
    began: bool,
}

impl Lines {
    /// Lines of this format.
    pub fn new(format: Format) -> Self {
        let columns = match &format {
            Format::Csv { columns, .. } => columns.clone(),
            Format::JsonLines | Format::KeyValue => Vec::new(),
        };
        Self {
            began: format == Format::JsonLines,
            format,
            columns,
            in_use: false,
        }
    }

    fn csv(&mut self, line: &[u8], separator: char) -> Result<Option<Message>, String> {
        let separator = u8::try_from(separator).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(separator)
            .buffer_capacity(line.len().max(1))
            .from_reader(line);
        let mut row = csv::StringRecord::new();
        reader.read_record(&mut row).map_err(|e| e.to_string())?;
        let cells = row.iter().take(MAX_NUMBERS);
        let numbers: Vec<Option<f64>> = cells.clone().map(decimal).collect();
        // No number, and no empty cell: names.
        if numbers.iter().all(Option::is_none) {
            let is_named =
                matches!(&self.format, Format::Csv { columns, .. } if !columns.is_empty());
            // Text of another length between rows is no line of names.
            if !is_named && (!self.in_use || row.len() == self.columns.len()) {
                self.columns = cells.map(|name| name.trim().to_owned()).collect();
            }
            return Ok(None);
        }
        if self.columns.is_empty() {
            return Err(
                "found numbers before a line of names; expected such a line, or `columns: [..]` in `Csv(..)`"
                    .to_owned(),
            );
        }
        if numbers.len() != self.columns.len() {
            return Err(format!(
                "found {} columns; expected {}: {}",
                numbers.len(),
                self.columns.len(),
                self.columns.join(", ")
            ));
        }
        self.in_use = true;
        let named = self.columns.iter().zip(numbers);
        // A cell of text has no number.
        let named = named.filter_map(|(name, x)| Some((Cow::Owned(name.clone()), x?)));
        Ok(Some(Message::new("line", named.collect())))
    }
}

impl Protocol for Lines {
    fn scan(&mut self, bytes: &[u8]) -> Scan {
        let end = bytes.iter().take(MAX_LINE).position(|b| *b == b'\n');
        match end {
            Some(end) if self.began => Scan::Frame(end + 1),
            Some(end) => {
                self.began = true;
                Scan::Skip(end + 1)
            }
            None if self.began && bytes.len() < MAX_LINE => Scan::More,
            None => {
                self.began = false;
                Scan::Skip(bytes.len())
            }
        }
    }

    fn take(&mut self, frame: &[u8], messages: &mut Vec<Message>) -> Verdict {
        let line = frame.trim_ascii();
        if line.is_empty() {
            return Verdict::Valid;
        }
        let read = match &self.format {
            Format::Csv { separator, .. } => {
                let separator = *separator;
                self.csv(line, separator)
            }
            Format::JsonLines => json(line).map(Some),
            Format::KeyValue => key_value(line).map(Some),
        };
        match read {
            Ok(message) => {
                messages.extend(message.map(stamped));
                Verdict::Valid
            }
            Err(reason) => Verdict::Unreadable(reason),
        }
    }

    fn gives_up_when_idle(&self) -> bool {
        false
    }

    fn interrupted(&mut self) {
        self.began = self.format == Format::JsonLines;
    }
}

fn json(line: &[u8]) -> Result<Message, String> {
    let value: Value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    if !value.is_object() {
        return Err("found no JSON object; expected {\"name\": number, ..}".to_owned());
    }
    Ok(Message {
        body: Body::Json(value),
        ..Message::new("line", Vec::new())
    })
}

fn key_value(line: &[u8]) -> Result<Message, String> {
    let text = std::str::from_utf8(line).map_err(|e| e.to_string())?;
    let parts = text
        .split([',', ';', ' ', '\t'])
        .filter(|part| !part.is_empty());
    let mut numbers = Vec::new();
    for part in parts.take(MAX_NUMBERS) {
        let Some((key, value)) = part.split_once(['=', ':']) else {
            continue;
        };
        if let Some(x) = decimal(value) {
            numbers.push((Cow::Owned(key.trim().to_owned()), x));
        }
    }
    if numbers.is_empty() {
        return Err("found no `name=number`; expected some, as in `a=1 b=2.5`".to_owned());
    }
    Ok(Message::new("line", numbers))
}

/// Takes `stamp_ns`, `stamp_us`, `stamp_ms` or `stamp_s`, and `sequence`, from the numbers.
pub(super) fn stamped(mut message: Message) -> Message {
    let exact = |key: &str| match &message.body {
        Body::Json(value) => value.get(key)?.as_u64(),
        Body::Numbers(_) => None,
    };
    let whole = |x: f64| (0.0..1.8e19).contains(&x).then_some(x as u64);
    let units = [
        ("stamp_ns", 1.0),
        ("stamp_us", 1e3),
        ("stamp_ms", 1e6),
        ("stamp_s", 1e9),
    ];
    let inexact = units
        .iter()
        .find_map(|(key, ns)| message.get(key).map(|x| x * ns));
    let stamp_ns = exact("stamp_ns").or(inexact.and_then(whole));
    let sequence = exact("sequence").or(message.get("sequence").and_then(whole));
    (message.stamp_ns, message.sequence) = (stamp_ns, sequence);
    message
}
