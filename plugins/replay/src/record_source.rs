//! [`RecordSource`]: stream of records that a format delivers.

use crate::cell::Cell;
use crate::error::TableError;
use std::borrow::Cow;
use std::fmt::Debug;
use std::path::Path;

/// Stream of records whose cells are in columns.
pub(crate) trait RecordSource: Debug {
    /// Reads the next record, whose cells are then given; false at the end.
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

    /// Whether records may be no rows: footers, repeated headers, other tables.
    fn is_text(&self) -> bool {
        false
    }

    /// Whether an empty line stands above the record.
    fn is_after_gap(&self) -> bool {
        false
    }

    /// Whether the record is a comment.
    fn is_comment(&self) -> bool {
        false
    }
}
