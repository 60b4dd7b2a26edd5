//! Records that are no rows of the table: footers, repeated headers, other tables, comments.

use crate::cell::{Cell, excerpt};
use crate::classify::has_time_name;
use crate::error::TableError;
use crate::head::{HeadCell, HeadRow};
use crate::record_source::RecordSource;
use crate::time_format::is_stamp;
use std::borrow::Cow;
use std::path::Path;

/// Most odd records in a row that may be a footer; more are rows.
pub(super) const MAX_PENDING: usize = 64;

/// What is odd about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    No,
    /// No row by itself: it may stand below the table.
    Yes,
    Comment,
    RepeatedHeader,
    /// Header of another table.
    OtherHeader,
}

/// Columns of the table.
pub(super) struct Columns<'a> {
    pub(super) names: &'a [String],
    pub(super) is_timed: bool,
    /// Index of the first channel.
    pub(super) first: Option<usize>,
}

/// Looks for what makes a record with this stamp odd.
pub(super) fn look(record: &impl RecordSource, ns: Option<i64>, columns: &Columns<'_>) -> Odd {
    let names = columns.names;
    if !record.is_text() {
        return Odd::No;
    }
    let short = record.len() < names.len();
    let missing = match (columns.is_timed, columns.first) {
        (true, _) => ns.is_none(),
        (false, Some(first)) => record.cell(first) == Cell::Text,
        (false, None) => false,
    };
    if !missing {
        return if short && record.is_after_gap() {
            Odd::Yes
        } else {
            Odd::No
        };
    }
    if record.is_comment() {
        return Odd::Comment;
    }
    let cells = (0..record.len()).map(|k| record.text(k));
    let cells: Vec<Cow<'_, str>> = cells.collect();
    let is_name = |(cell, name): (&Cow<'_, str>, &String)| cell.trim() == name;
    let same = cells
        .iter()
        .zip(names)
        .filter(|pair| is_name(*pair))
        .count();
    if same * 2 > names.len() && same * 2 > cells.len() {
        return Odd::RepeatedHeader;
    }
    let is_text = |k: usize| record.cell(k) == Cell::Text && !is_stamp(&record.text(k));
    let texts = cells.len() > 1 && (0..cells.len()).all(is_text);
    let timed = cells.first().is_some_and(|cell| {
        has_time_name(cell) && cell.len() < 30 && cell.split_whitespace().count() < 4
    });
    if texts && (same > 0 || timed || (record.is_after_gap() && cells.len() > 2)) {
        return Odd::OtherHeader;
    }
    Odd::Yes
}

/// Record that is kept.
#[derive(Debug)]
pub(super) struct OwnRecord {
    row: HeadRow,
    place: String,
    after_gap: bool,
    pub(super) is_odd: bool,
    width: usize,
}

impl OwnRecord {
    pub(super) fn of(record: &impl RecordSource, is_odd: bool) -> Self {
        let cells = (0..record.len()).map(|k| HeadCell {
            cell: record.cell(k),
            text: record.text(k).into_owned(),
        });
        Self {
            row: HeadRow {
                at: 0,
                cells: cells.collect(),
            },
            place: record.place(),
            after_gap: record.is_after_gap(),
            is_odd,
            width: record.len(),
        }
    }

    /// Whether the record may be a row without a stamp: numbers only, in a cell or more.
    pub(super) fn is_row(&self) -> bool {
        let cells = &self.row.cells;
        !self.after_gap
            && cells.iter().all(|c| c.cell != Cell::Text)
            && cells.iter().any(|c| c.cell != Cell::Missing)
    }
}

impl RecordSource for OwnRecord {
    /// A single record: none follows.
    fn next(&mut self, _: &Path) -> Result<bool, TableError> {
        Ok(false)
    }

    fn len(&self) -> usize {
        self.width
    }

    fn cell(&self, index: usize) -> Cell {
        self.row.cell(index)
    }

    fn text(&self, index: usize) -> Cow<'_, str> {
        self.row.text(index).unwrap_or_default().into()
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn is_after_gap(&self) -> bool {
        self.after_gap
    }
}

/// Start of a record, for messages.
pub(super) fn start(record: &impl RecordSource) -> String {
    let cells: Vec<String> = (0..record.len().min(4))
        .map(|k| excerpt(&record.text(k)))
        .collect();
    cells.join(", ")
}
