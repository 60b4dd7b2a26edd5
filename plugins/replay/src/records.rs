//! [`Records`]: rows of a table from a stream of records ([`RecordSource`]), in whatever format.

mod odd;

use crate::cell::{Cell, excerpt};
use crate::classify::{Classes, TimeCells};
use crate::error::TableError;
use crate::record_source::RecordSource;
use crate::schema::{Row, Schema};
use odd::{Columns, MAX_PENDING, Odd, OwnRecord};
use std::collections::VecDeque;
use std::fmt::Debug;

/// Rows of a table.
#[derive(Debug)]
pub(crate) struct Records<S> {
    source: S,
    reader: RowReader,
    /// Records that may stand below the table, with the record that shows that they do not.
    pending: VecDeque<OwnRecord>,
    /// Whether more records than a footer has were pending: they are rows.
    overflowed: bool,
    ended: bool,
}

/// Makes rows of records.
#[derive(Debug)]
struct RowReader {
    /// Names of all columns.
    names: Vec<String>,
    /// Column index of each channel.
    channels: Vec<usize>,
    time: Option<TimeCells>,
    /// First and last stamp (ns).
    first_ns: Option<i64>,
    last_ns: Option<i64>,
    /// Last stamp as text, where there are two ways to read it.
    last_text: String,
}

impl<S: RecordSource> Records<S> {
    pub(crate) fn new(source: S, classes: Classes) -> Self {
        Self {
            source,
            reader: RowReader {
                names: classes.names,
                channels: classes.channels,
                time: classes.time,
                first_ns: None,
                last_ns: None,
                last_text: String::new(),
            },
            pending: VecDeque::new(),
            overflowed: false,
            ended: false,
        }
    }

    pub(crate) fn keep_first(&mut self, most: usize) {
        self.reader.channels.truncate(most);
    }

    pub(crate) fn read(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        // Records that are still to be given are followed by one that is not odd.
        if self.pending.len() > MAX_PENDING || self.pending.back().is_some_and(|r| !r.is_odd) {
            return self.give_pending(schema, row);
        }
        while !self.ended {
            if !self.source.next(&schema.file)? {
                self.ended = true;
                let mut notes = self.source.notes();
                notes.retain(|note| !schema.notes.contains(note));
                schema.notes.append(&mut notes);
                break;
            }
            let ns = self.reader.stamp(&self.source, row);
            match odd::look(&self.source, ns, &self.reader.columns()) {
                Odd::No if self.pending.is_empty() => {
                    self.reader.fill(&self.source, ns, schema, row)?;
                    return Ok(true);
                }
                Odd::No => {
                    self.overflowed = false;
                    self.pending.push_back(OwnRecord::of(&self.source, false));
                    return self.give_pending(schema, row);
                }
                Odd::Comment => schema.counts.comments += 1,
                Odd::RepeatedHeader => {
                    schema.counts.repeated_headers += 1;
                    let first = &mut schema.firsts.repeated_header;
                    first.get_or_insert_with(|| self.source.place());
                }
                Odd::OtherHeader => {
                    schema.notes.push(format!(
                        "{}: another table begins with `{}`: it is not read; a file of its own is",
                        self.source.place(),
                        odd::start(&self.source)
                    ));
                    self.ended = true;
                }
                Odd::Yes => {
                    self.pending.push_back(OwnRecord::of(&self.source, true));
                    if self.pending.len() > MAX_PENDING {
                        self.overflowed = true;
                        return self.give_pending(schema, row);
                    }
                }
            }
        }
        // Rows without a stamp may be the last ones; text below the table is none of it.
        if self.overflowed || self.pending.iter().all(OwnRecord::is_row) {
            return self.give_pending(schema, row);
        }
        if let Some(first) = self.pending.front() {
            let count = self.pending.len();
            schema.notes.push(format!(
                "{}: below the data, {} of the table and ignored, from `{}` on",
                first.place(),
                if count == 1 {
                    "1 line is not part".to_owned()
                } else {
                    format!("{count} lines are not part")
                },
                odd::start(first)
            ));
            self.pending.clear();
        }
        Ok(false)
    }

    fn give_pending(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        let Some(record) = self.pending.pop_front() else {
            return Ok(false);
        };
        let ns = self.reader.stamp(&record, row);
        self.reader.fill(&record, ns, schema, row)?;
        Ok(true)
    }
}

impl RowReader {
    fn columns(&self) -> Columns<'_> {
        Columns {
            names: &self.names,
            is_timed: self.time.is_some(),
            first: self.channels.first().copied(),
        }
    }

    /// Reads the stamp of a record (ns), and its text.
    fn stamp(&self, record: &impl RecordSource, row: &mut Row) -> Option<i64> {
        row.time.clear();
        let time = self.time.as_ref()?;
        match &time.joined {
            None => row.time.push_str(&record.text(time.index)),
            Some(joined) => joined.join(|k| record.text(k), &mut row.time),
        }
        time.format
            .read_after(&time.style.plain(&row.time), self.last_ns)
    }

    fn fill(
        &mut self,
        record: &impl RecordSource,
        ns: Option<i64>,
        schema: &mut Schema,
        row: &mut Row,
    ) -> Result<(), TableError> {
        let (counts, firsts) = (&mut schema.counts, &mut schema.firsts);
        let (found, width) = (record.len(), self.names.len());
        let is_odd = found != width
            && (found < width || (width..found).any(|k| record.cell(k) != Cell::Missing));
        if is_odd {
            let (count, first) = if found < width {
                (&mut counts.short_rows, &mut firsts.short_row)
            } else {
                (&mut counts.long_rows, &mut firsts.long_row)
            };
            *count += 1;
            first.get_or_insert_with(|| {
                let place = record.place();
                format!("{place}: {found} cells for {width} columns")
            });
        }
        (row.stamp_ns, row.t_ns) = (None, None);
        if let Some(time) = &self.time {
            if let Some((first, second, formats)) = time.format.differs(&row.time, &self.last_text)
                && !self.last_text.is_empty()
            {
                return Err(two_readings(
                    record,
                    schema,
                    &row.time,
                    [first, second],
                    formats,
                ));
            }
            match ns {
                Some(ns) => {
                    let first_ns = *self.first_ns.get_or_insert(ns);
                    self.last_ns = Some(ns);
                    row.stamp_ns = Some(ns);
                    row.t_ns = ns.checked_sub(first_ns);
                    if time.format.is_ambiguous() {
                        self.last_text.clone_from(&row.time);
                    }
                }
                None => {
                    counts.bad_stamps += 1;
                    firsts.bad_stamp.get_or_insert_with(|| {
                        let name = schema.time.as_ref().map_or("", |t| t.name.as_str());
                        describe_cell(record, &row.time, name)
                    });
                }
            }
        }
        row.values.clear();
        for (&index, name) in self.channels.iter().zip(&schema.channels) {
            row.values.push(match record.cell(index) {
                Cell::Number(x) => Some(x),
                Cell::Missing => None,
                Cell::Infinite => {
                    counts.infinite_cells += 1;
                    let first = &mut firsts.infinite_cell;
                    first.get_or_insert_with(|| describe_cell(record, &record.text(index), name));
                    None
                }
                Cell::Text => {
                    counts.text_cells += 1;
                    let first = &mut firsts.text_cell;
                    first.get_or_insert_with(|| describe_cell(record, &record.text(index), name));
                    None
                }
            });
        }
        Ok(())
    }
}

/// Error of a stamp whose order of day and month decides how long after the last one it is.
fn two_readings(
    record: &impl RecordSource,
    schema: &Schema,
    text: &str,
    steps_ns: [i64; 2],
    formats: [&str; 2],
) -> TableError {
    let [first, second] = steps_ns.map(|ns| {
        if ns == i64::MAX {
            "no date".to_owned()
        } else {
            format!("{} s after the one before", ns as f64 / 1e9)
        }
    });
    let name = schema.time.as_ref().map_or("", |t| t.name.as_str());
    TableError::invalid(
        &schema.file,
        format!(
            "{}: `{}` in the column `{name}`, which is {first} by {}, and {second} by {}",
            record.place(),
            text.trim(),
            formats[0],
            formats[1]
        ),
        format!("--time-format '{}' or '{}'", formats[0], formats[1]),
    )
}

/// Describes a cell: place, content, column.
fn describe_cell(record: &impl RecordSource, cell: &str, column: &str) -> String {
    let place = record.place();
    let quote = if cell.contains('\n') {
        ", and more lines: is a quote not closed?"
    } else {
        ""
    };
    format!(
        "{place}: `{}` in the column `{column}`{quote}",
        excerpt(cell)
    )
}
