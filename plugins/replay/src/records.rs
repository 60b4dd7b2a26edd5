//! [`Records`]: rows of a table from a stream of records ([`RecordSource`]), in whatever format.

use crate::cell::Cell;
use crate::classify::Classes;
use crate::error::TableError;
use crate::schema::{Row, Schema};
use crate::time_format::TimeFormat;
use std::borrow::Cow;
use std::fmt::Debug;
use std::path::Path;

/// Stream of records whose cells are in columns.
pub(crate) trait RecordSource: Debug {
    /// Reads the next record; false at the end.
    fn next(&mut self, file: &Path) -> Result<bool, TableError>;

    /// Number of cells of the record.
    fn len(&self) -> usize;

    /// Content of a cell; missing beyond the last one.
    fn cell(&self, index: usize) -> Cell;

    /// Text of a cell, for time stamps and messages; empty beyond the last one.
    fn text(&self, index: usize) -> Cow<'_, str>;

    /// Place of the record for messages, such as `line 7`.
    fn place(&self) -> String;

    /// Notes about the file as a whole, for the user; complete at the end.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Rows of a table.
#[derive(Debug)]
pub(crate) struct Records<S> {
    source: S,
    /// Number of cells of a row.
    width: usize,
    /// Column index of each channel.
    channels: Vec<usize>,
    /// Column index and format of the time column.
    time: Option<(usize, TimeFormat)>,
    /// First and last stamp (ns).
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl<S: RecordSource> Records<S> {
    pub(crate) fn new(source: S, classes: Classes) -> Self {
        Self {
            source,
            width: classes.width,
            channels: classes.channels,
            time: classes.time,
            first_ns: None,
            last_ns: None,
        }
    }

    pub(crate) fn keep_first(&mut self, most: usize) {
        self.channels.truncate(most);
    }

    pub(crate) fn read(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        if !self.source.next(&schema.file)? {
            let mut notes = self.source.notes();
            notes.retain(|note| !schema.notes.contains(note));
            schema.notes.append(&mut notes);
            return Ok(false);
        }
        let (counts, firsts) = (&mut schema.counts, &mut schema.firsts);
        let source = &self.source;
        let found = source.len();
        if found != self.width {
            let (count, first) = if found < self.width {
                (&mut counts.short_rows, &mut firsts.short_row)
            } else {
                (&mut counts.long_rows, &mut firsts.long_row)
            };
            *count += 1;
            first.get_or_insert_with(|| {
                let place = source.place();
                format!("{place}: {found} cells for {} columns", self.width)
            });
        }
        row.time.clear();
        (row.stamp_ns, row.t_ns) = (None, None);
        if let Some((index, format)) = &self.time {
            row.time.push_str(&source.text(*index));
            match format.read_after(&row.time, self.last_ns) {
                Some(ns) => {
                    let first_ns = *self.first_ns.get_or_insert(ns);
                    self.last_ns = Some(ns);
                    row.stamp_ns = Some(ns);
                    row.t_ns = ns.checked_sub(first_ns);
                }
                None => {
                    counts.bad_stamps += 1;
                    firsts.bad_stamp.get_or_insert_with(|| {
                        let name = schema.time.as_ref().map_or("", |t| t.name.as_str());
                        describe_cell(source, *index, name)
                    });
                }
            }
        }
        row.values.clear();
        for (&index, name) in self.channels.iter().zip(&schema.channels) {
            row.values.push(match source.cell(index) {
                Cell::Number(x) => Some(x),
                Cell::Missing => None,
                Cell::Infinite => {
                    counts.infinite_cells += 1;
                    let first = &mut firsts.infinite_cell;
                    first.get_or_insert_with(|| describe_cell(source, index, name));
                    None
                }
                Cell::Text => {
                    counts.text_cells += 1;
                    let first = &mut firsts.text_cell;
                    first.get_or_insert_with(|| describe_cell(source, index, name));
                    None
                }
            });
        }
        Ok(true)
    }
}

/// Excerpt of a cell for a message.
pub(crate) fn excerpt(cell: &str) -> String {
    const MOST: usize = 40;
    let text = cell.trim();
    let line = text.lines().next().unwrap_or_default();
    let mut found: String = line.chars().take(MOST).collect();
    if found.len() < text.len() {
        found.push('…');
    }
    found
}

/// Describes a cell: place, content, column.
fn describe_cell(source: &impl RecordSource, index: usize, column: &str) -> String {
    let (place, cell) = (source.place(), source.text(index));
    let quote = if cell.contains('\n') {
        ", and more lines: is a quote not closed?"
    } else {
        ""
    };
    format!(
        "{place}: `{}` in the column `{column}`{quote}",
        excerpt(&cell)
    )
}
