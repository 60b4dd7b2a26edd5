//! Text of files, programs and web servers as documents: lines of JSON, or CSV with named columns.

pub use becomingone_systems::links::document::{Document, Refusal};
use becomingone_systems::links::document::{excerpt, parse};
use csv_core::ReadRecordResult;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Layout of text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Decode {
    /// A JSON document a line.
    #[default]
    JsonLines,
    /// A row of cells a line, as an object of its columns.
    Csv {
        /// Names of the columns; none: the first line has them.
        #[serde(default)]
        columns: Vec<String>,
        /// Sign between cells, of ASCII.
        #[serde(default = "comma")]
        separator: char,
    },
}

fn comma() -> char {
    ','
}

impl Decode {
    /// Checks the options.
    ///
    /// # Errors
    ///
    /// Found and expected.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Csv { separator, .. } if !separator.is_ascii() || *separator == '"' => Err(
                format!("found `separator: {separator:?}`; expected one such as ',', ';' or '\\t'"),
            ),
            _ => Ok(()),
        }
    }
}

/// Decodes lines.
#[derive(Clone, Debug)]
pub struct Decoder {
    decode: Decode,
    /// Columns of the first line.
    columns: Option<Vec<String>>,
    /// The same in a message.
    shown: String,
    cells: Cells,
}

impl Decoder {
    /// Before the first line.
    pub fn new(decode: Decode) -> Self {
        let separator = match &decode {
            Decode::Csv { separator, .. } => *separator as u8,
            Decode::JsonLines => b',',
        };
        let mut decoder = Self {
            decode,
            columns: None,
            shown: String::new(),
            cells: Cells::new(separator),
        };
        decoder.restart();
        decoder
    }

    /// Whether the next line has the names of the columns.
    pub fn wants_header(&self) -> bool {
        matches!(self.decode, Decode::Csv { .. }) && self.columns.is_none()
    }

    /// Begins anew: another file.
    pub fn restart(&mut self) {
        let columns = match &self.decode {
            Decode::Csv { columns, .. } if !columns.is_empty() => Some(columns.clone()),
            _ => None,
        };
        self.set_columns(columns);
    }

    fn set_columns(&mut self, columns: Option<Vec<String>>) {
        let shown = columns.as_ref().map(|c| excerpt(c.join(", ").as_bytes()));
        self.shown = shown.unwrap_or_default();
        self.columns = columns;
    }

    /// Decodes a line; none of an empty line and of names of columns.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Document>, Refusal> {
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        if self.decode == Decode::JsonLines {
            return document(line).map(Some);
        }
        self.cells
            .read(line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line));
        let Some(columns) = &self.columns else {
            let columns = self.cells.all().map(Cow::into_owned).collect();
            self.set_columns(Some(columns));
            return Ok(None);
        };
        let (found, expected) = (self.cells.len(), columns.len());
        if found != expected {
            let shown = &self.shown;
            return Err(Refusal {
                kind: "with another number of cells",
                reason: format!(
                    "found {found} cells; expected {expected}, those of the columns `{shown}`"
                ),
            });
        }
        if columns.iter().zip(self.cells.all()).all(|(a, b)| *a == b) {
            return Ok(None);
        }
        let mut row = Map::new();
        for (column, cell) in columns.iter().zip(self.cells.all()) {
            let value = match &*cell {
                "" => Value::Null,
                _ => Value::String(cell.into_owned()),
            };
            row.entry(column.as_str()).or_insert(value);
        }
        Ok(Some((Value::Object(row), 0)))
    }

    /// Decodes a whole text as the state that it holds: its JSON document, or its last row.
    ///
    /// # Errors
    ///
    /// See [`Refusal`].
    pub fn state(&mut self, text: &[u8]) -> Result<Option<Document>, Refusal> {
        if self.decode == Decode::JsonLines {
            return match text.trim_ascii().is_empty() {
                true => Ok(None),
                false => document(text).map(Some),
            };
        }
        self.restart();
        let is_end = |byte: &u8| *byte == b'\n';
        let trim = |line: &mut &[u8]| *line = line.strip_suffix(b"\r").unwrap_or(line);
        // The names, then the last line that is a row: those between are not decoded.
        let mut lines = text.split(is_end);
        while self.wants_header()
            && let Some(mut line) = lines.next()
        {
            trim(&mut line);
            self.line(line)?;
        }
        while let Some(mut line) = lines.next_back() {
            trim(&mut line);
            let row = self.line(line);
            if row != Ok(None) {
                return row;
            }
        }
        Ok(None)
    }
}

fn document(text: &[u8]) -> Result<Document, Refusal> {
    let kind = "not JSON";
    parse(text).map_err(|reason| Refusal { kind, reason })
}

/// Cells of a line (RFC 4180), with the reader and its memory kept from one line to the next.
#[derive(Clone, Debug)]
struct Cells {
    reader: csv_core::Reader,
    text: Vec<u8>,
    /// End of each cell in the text.
    ends: Vec<usize>,
    count: usize,
}

impl Cells {
    fn new(separator: u8) -> Self {
        let mut builder = csv_core::ReaderBuilder::new();
        Self {
            reader: builder.delimiter(separator).build(),
            text: Vec::new(),
            ends: Vec::new(),
            count: 0,
        }
    }

    fn read(&mut self, line: &[u8]) {
        // Cells are no longer than the line, and one more than its bytes at most.
        self.text.resize(self.text.len().max(line.len() + 1), 0);
        self.reader.reset();
        self.count = 0;
        let (mut from, mut to) = (0, 0);
        loop {
            if self.count == self.ends.len() {
                self.ends.resize(2 * self.count + 16, 0);
            }
            let (result, taken, given, cells) = self.reader.read_record(
                &line[from..],
                &mut self.text[to..],
                &mut self.ends[self.count..],
            );
            (from, to) = (from + taken, to + given);
            self.count += cells;
            match result {
                // No further input is its end.
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputEndsFull => {}
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::Record | ReadRecordResult::End => return,
            }
        }
    }

    fn len(&self) -> usize {
        self.count
    }

    fn all(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let ends = &self.ends[..self.count];
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let cells = begins.zip(ends).map(|(begin, end)| &self.text[begin..*end]);
        cells.map(|cell| match String::from_utf8_lossy(cell) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn csv(columns: &[&str], separator: char) -> Decoder {
        let columns = columns.iter().map(|&c| c.to_owned()).collect();
        Decoder::new(Decode::Csv { columns, separator })
    }

    /// Quotes as in RFC 4180, section 2.
    #[test]
    fn rows_are_objects_of_their_columns() {
        let mut decoder = csv(&[], ',');
        assert!(decoder.wants_header());
        assert_eq!(decoder.line(b"\xEF\xBB\xBFt, level,\"a,b\""), Ok(None));
        let row = decoder.line(b"1,2.5,\"x \"\"y\"\"\"").unwrap().unwrap().0;
        assert_eq!(row, json!({"t": "1", "level": "2.5", "a,b": "x \"y\""}));
        assert_eq!(decoder.line(b"t,level,\"a,b\""), Ok(None));
        assert_eq!(decoder.line(b""), Ok(None));
        assert_eq!(
            decoder.line(b"1,,3").unwrap().unwrap().0["level"],
            Value::Null
        );
        let refusal = decoder.line(b"1,2").unwrap_err();
        assert!(
            refusal.reason.contains("found 2 cells; expected 3"),
            "{refusal:?}"
        );
        decoder.restart();
        assert!(decoder.wants_header());
        let mut named = csv(&["a", "b"], ';');
        assert_eq!(
            named.line(b"1;2").unwrap().unwrap().0,
            json!({"a": "1", "b": "2"})
        );
    }

    #[test]
    fn a_state_is_the_whole_document_or_the_last_row() {
        let mut decoder = Decoder::new(Decode::JsonLines);
        let state = decoder.state(b"{\n \"a\": NaN\n}\n").unwrap().unwrap();
        assert_eq!(state, (json!({"a": null}), 1));
        assert_eq!(decoder.state(b"42000\n").unwrap().unwrap().0, json!(42000));
        assert_eq!(decoder.state(b" \n"), Ok(None));
        let state = csv(&[], ',')
            .state(b"a,b\r\n1,2\r\n3,4\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(state.0, json!({"a": "3", "b": "4"}));
    }

    /// Each line decoded, and the last row or refusal of them.
    fn last_of_all(decoder: &mut Decoder, text: &[u8]) -> Result<Option<Document>, Refusal> {
        decoder.restart();
        let mut last = Ok(None);
        for line in text.split(|&byte| byte == b'\n') {
            let row = decoder.line(line.strip_suffix(b"\r").unwrap_or(line));
            if row != Ok(None) {
                last = row;
            }
        }
        last
    }

    proptest! {
        #[test]
        fn a_state_is_that_of_all_lines_though_only_its_row_is_decoded(text in "[ab1,\"\n\r ]{0,60}") {
            for columns in [&[][..], &["a"], &["a", "b"]] {
                let (mut one, mut all) = (csv(columns, ','), csv(columns, ','));
                let expected = last_of_all(&mut all, text.as_bytes());
                prop_assert_eq!(one.state(text.as_bytes()), expected);
            }
        }

        /// The peer is the reader of the csv crate, which reads the same text as one table.
        #[test]
        fn cells_are_those_of_a_csv_reader(lines in prop::collection::vec("[a\u{fc}1;,\" ]{1,20}", 1..10)) {
            let mut cells = Cells::new(b';');
            for line in &lines {
                let mut reader = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .flexible(true)
                    .delimiter(b';')
                    .from_reader(line.as_bytes());
                let expected = reader.byte_records().next();
                let expected: Vec<String> = expected.into_iter().flat_map(|record| {
                    let record = record.unwrap();
                    let cells: Vec<String> = record
                        .iter()
                        .map(|cell| String::from_utf8_lossy(cell).trim().to_owned())
                        .collect();
                    cells
                }).collect();
                cells.read(line.as_bytes());
                let found: Vec<String> = cells.all().map(Cow::into_owned).collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn any_line_is_a_document_or_a_refusal(lines: Vec<Vec<u8>>) {
            for mut decoder in [Decoder::new(Decode::JsonLines), csv(&[], ',')] {
                for line in &lines {
                    let _ = decoder.line(line);
                    let _ = decoder.clone().state(line);
                }
            }
        }
    }
}
