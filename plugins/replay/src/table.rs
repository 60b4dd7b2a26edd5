//! [`Table`]: recording as named columns of numbers, row by row.

use crate::csv_rows::{CsvRows, MOST_ABOVE};
use crate::error::TableError;
use crate::formats;
use crate::input::{self, Decoded, Input};
use crate::message_rows::MessageRows;
use crate::not_read;
use crate::records::Records;
use crate::schema::{Column, Counts, Firsts, Kind, Row, Schema, TimeColumn, Wanted};
use crate::text::LineCounter;
use crate::typed::{self, TypedRows};
use encoding_rs::Encoding;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Most bytes that are read to find the columns (head); the rest is streamed.
const HEAD_BYTES: usize = 4 << 20;

/// Recording as named columns of numbers. It is streamed: memory use does not depend on the file's length.
///
/// ```no_run
/// use becomingone_replay::{Row, Table, Wanted};
///
/// let mut table = Table::open("log.csv", &Wanted::default())?;
/// let mut row = Row::default();
/// while table.read(&mut row)? {
///     println!("{} {:?} {:?}", row.number, row.t_ns, row.values);
/// }
/// # Ok::<(), becomingone_replay::TableError>(())
/// ```
#[derive(Debug)]
pub struct Table {
    pub(crate) schema: Schema,
    rows: Rows,
    format: &'static str,
}

#[derive(Debug)]
enum Rows {
    Csv(Box<Records<CsvRows>>),
    Messages(Box<MessageRows>),
    Typed(Box<TypedRows>),
}

impl Table {
    /// Opens a CSV file or a log of messages (MCAP, ROS 1 bag, ROS 2 bag), and finds its columns by the first rows. The
    /// file `-` is a CSV on standard input.
    ///
    /// A row of a log has the values of one time step: the mean if a topic is faster, a missing value if it is slower.
    /// Its columns are `topic/field` of topics in ROS 1, ROS 2 (CDR), JSON or protobuf with the schema in the file; its
    /// time is the log time, not a stamp in the messages.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if the file or a requested column does not exist, or the format is not supported.
    pub fn open(file: impl AsRef<Path>, wanted: &Wanted) -> Result<Self, TableError> {
        let mut table = Self::open_as_it_is(file.as_ref(), wanted)?;
        table.schema.make_printable();
        Ok(table)
    }

    fn open_as_it_is(file: &Path, wanted: &Wanted) -> Result<Self, TableError> {
        let failed = |cause| TableError::read(file, cause);
        let mut from = if file.as_os_str() == "-" {
            Input::Stdin(io::stdin())
        } else {
            let from = File::open(file).map_err(failed)?;
            if from.metadata().map_err(failed)?.is_dir() {
                let (schema, rows) = MessageRows::open(file, wanted, &formats::FOLDER)?;
                let rows = Rows::Messages(Box::new(rows));
                return Ok(Self {
                    schema,
                    rows,
                    format: formats::FOLDER.name,
                });
            }
            Input::File(from)
        };
        let is_file = matches!(from, Input::File(_));
        let (mut head, mut at_end) = read_head(&mut from, wanted, is_file).map_err(failed)?;
        let mut encoding = input::utf_16(&head);
        if encoding.is_some() {
            (head, at_end) = decode(&mut from, head, encoding, wanted).map_err(failed)?;
        }
        let in_utf_16 = |name: &str| {
            TableError::invalid(
                file,
                format!("{name} in UTF-16"),
                "UTF-8: `iconv -f UTF-16 -t UTF-8` makes it",
            )
        };
        if let Some(format) = formats::of_messages(&head, file) {
            if encoding.is_some() {
                return Err(in_utf_16(format.name));
            }
            if matches!(from, Input::Stdin(_)) {
                return Err(TableError::invalid(
                    file,
                    format!("{} on standard input", format.name),
                    "a file: logs of messages are read twice",
                ));
            }
            let (schema, rows) = MessageRows::open(file, wanted, format)?;
            let rows = Rows::Messages(Box::new(rows));
            return Ok(Self {
                schema,
                rows,
                format: format.name,
            });
        }
        if let Some(topic) = &wanted.topic {
            return Err(TableError::invalid(
                file,
                format!("the topic `{topic}` for a file without topics"),
                "a log of messages (MCAP, ROS 1 or ROS 2 bag), or no `topic`",
            ));
        }
        if let Some(format) = typed::Format::of(&head, file) {
            if encoding.is_some() {
                return Err(in_utf_16(format.name()));
            }
            if matches!(from, Input::Stdin(_)) {
                return Err(TableError::invalid(
                    file,
                    format!("{} on standard input", format.name()),
                    "a file: its first records are read twice",
                ));
            }
            let (schema, rows) = format.open(file, wanted)?;
            let rows = Rows::Typed(Box::new(rows));
            return Ok(Self {
                schema,
                rows,
                format: format.name(),
            });
        }
        if let Some((found, expected)) = not_read::find(&head, file) {
            return Err(TableError::invalid(file, found, expected));
        }
        if let Some(zero) = head.iter().position(|b| *b == 0) {
            let mut lines = LineCounter::default();
            lines.pass(&head[..zero]);
            return Err(TableError::Invalid {
                file: file.to_owned(),
                line: Some(lines.line()),
                found: "a zero byte, as in binary files".to_owned(),
                expected: "a CSV in UTF-8".to_owned(),
            });
        }
        if encoding.is_none() {
            encoding = input::single_byte(&head);
            if encoding.is_some() {
                (head, at_end) = decode(&mut from, head, encoding, wanted).map_err(failed)?;
            }
        }
        let (mut schema, rows) = CsvRows::open(file, from, head, at_end, wanted)?;
        if let Some(encoding) = encoding {
            let name = encoding.name();
            schema.notes.push(format!("not in UTF-8: read as {name}"));
        }
        Ok(Self {
            schema,
            rows: Rows::Csv(Box::new(rows)),
            format: "a CSV",
        })
    }

    /// Name of the file's format, with an article.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Reads the next row; false at the end.
    ///
    /// # Errors
    ///
    /// A [`TableError`] if the file cannot be read.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, TableError> {
        let more = match &mut self.rows {
            Rows::Csv(rows) => rows.read(&mut self.schema, row)?,
            Rows::Messages(rows) => rows.read(&mut self.schema, row)?,
            Rows::Typed(rows) => rows.read(&mut self.schema, row)?,
        };
        if more {
            row.number = self.schema.counts.rows;
            self.schema.counts.rows += 1;
        } else {
            self.schema.make_printable();
        }
        Ok(more)
    }

    /// All columns of the file.
    pub fn columns(&self) -> &[Column] {
        &self.schema.columns
    }

    /// Names of the channels, in the order of a row's values.
    pub fn channels(&self) -> &[String] {
        &self.schema.channels
    }

    /// Time column, if any.
    pub fn time(&self) -> Option<&TimeColumn> {
        self.schema.time.as_ref()
    }

    /// Whether some channel has no value in at least half of the first rows, as channels of different rates do.
    pub fn is_sparse(&self) -> bool {
        self.schema.sparse
    }

    /// Channels with less than a quarter of the fastest channel's rate, and the period between their readings (ns; 90th
    /// percentile of the first ones); empty for an MCAP file.
    pub fn slow(&self) -> &[(String, u64)] {
        &self.schema.slow
    }

    /// Removes all channels but the first `most`.
    pub fn keep_first(&mut self, most: usize) {
        let most_of = most.min(self.schema.channels.len());
        let removed: HashSet<String> = self.schema.channels.drain(most_of..).collect();
        for column in &mut self.schema.columns {
            if removed.contains(&column.name) {
                column.kind = Kind::Unwanted;
            }
        }
        match &mut self.rows {
            Rows::Csv(rows) => rows.keep_first(most),
            Rows::Messages(rows) => rows.keep_first(most),
            Rows::Typed(rows) => rows.keep_first(most),
        }
    }

    /// Whether rows are time steps of a log of messages, not rows of the file.
    pub fn is_stepped(&self) -> bool {
        matches!(self.rows, Rows::Messages(_))
    }

    /// Notes about what was detected, for the user.
    pub fn notes(&self) -> &[String] {
        &self.schema.notes
    }

    /// Counts so far.
    pub fn counts(&self) -> &Counts {
        &self.schema.counts
    }

    /// First occurrences so far.
    pub fn firsts(&self) -> &Firsts {
        &self.schema.firsts
    }
}

/// Reads the first rows, and whether they are all.
fn read_head(from: &mut Input, wanted: &Wanted, is_file: bool) -> io::Result<(Vec<u8>, bool)> {
    // Text may stand above the rows; standard input may come slowly, and then each line counts.
    let above = if is_file { MOST_ABOVE } else { 0 };
    let lines = wanted.look_rows.saturating_add(above);
    let mut head = Vec::new();
    let (mut lines_read, mut at_end) = (0, false);
    while !at_end && lines_read < lines && head.len() < HEAD_BYTES {
        let before = head.len();
        head.resize(before + 64 * 1024, 0);
        let read = from.read(&mut head[before..]);
        head.truncate(before + *read.as_ref().unwrap_or(&0));
        at_end = match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read? == 0,
        };
        lines_read += head[before..].iter().filter(|b| **b == b'\n').count();
    }
    Ok((head, at_end))
}

/// Decodes a text from its begin on, of which `head` has been read.
fn decode(
    from: &mut Input,
    head: Vec<u8>,
    encoding: Option<&'static Encoding>,
    wanted: &Wanted,
) -> io::Result<(Vec<u8>, bool)> {
    let is_file = matches!(from, Input::File(_));
    let Some(encoding) = encoding else {
        return Ok((head, false));
    };
    let raw = std::mem::replace(from, Input::Stdin(io::stdin()));
    *from = Input::Decoded(Box::new(Decoded::new(head, raw, encoding)));
    read_head(from, wanted, is_file)
}
