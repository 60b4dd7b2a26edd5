//! Schema of a table: options, columns, rows, and counts of irregularities.

use crate::error::printable;
use std::path::PathBuf;

/// Options of a table; the default detects everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the time column.
    pub time: Option<String>,
    /// Unit of a numeric time, such as `ms`, in place of the detected one.
    pub time_unit: Option<String>,
    /// Format of the time by `strptime`, such as `%d/%m/%Y %H:%M:%S`, in place of the detected one.
    pub time_format: Option<String>,
    /// Decimal sign, a point or a comma; the other one separates thousands. `None`: detected.
    pub decimal: Option<u8>,
    /// Names of the channels, in this order; empty: all columns of numbers.
    pub columns: Vec<String>,
    /// Topic of a log of messages: `columns` are named within it. `None`: all topics.
    pub topic: Option<String>,
    /// Names of ignored columns.
    pub ignore: Vec<String>,
    /// Separator of cells; adjacent spaces count as one.
    pub separator: Option<u8>,
    /// Time step of rows of a log of messages (ns), whose messages are not in rows.
    pub step_ns: Option<u64>,
    /// Number of first rows by which columns are classified.
    pub look_rows: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            time: None,
            time_unit: None,
            time_format: None,
            decimal: None,
            columns: Vec::new(),
            topic: None,
            ignore: Vec::new(),
            separator: None,
            step_ns: None,
            look_rows: 400,
        }
    }
}

/// Kind of a column, by its first rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers; the column is a channel.
    Numbers,
    /// Time stamps.
    Time,
    /// Ignored on request.
    Ignored,
    /// Text in more than half of the cells.
    Text,
    /// All cells are empty.
    Empty,
    /// Row counter: all steps are equal.
    Counter,
    /// Numbers that were not requested.
    Unwanted,
}

/// Column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name, unique in the table.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// First text of a text column, and its line.
    pub text: Option<String>,
}

/// Time column.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeColumn {
    /// Name.
    pub name: String,
    /// Whether it was detected, not requested.
    pub guessed: bool,
    /// Time format, and what it was guessed from.
    pub format: String,
    /// Whether time is relative to 1970; otherwise the origin is unknown.
    pub epoch: bool,
    /// Median period of the first rows (ns); `None` if all stamps are equal.
    pub period_ns: Option<u64>,
    /// Share of the first rows whose stamp equals that of the previous row.
    pub repeated: f64,
    /// Share of the first rows whose stamp is earlier than that of the previous row.
    pub backward: f64,
    /// Share of the first rows whose step deviates from a whole number of `period_ns` (rows may be lost) by more than a
    /// quarter of it.
    pub uneven: f64,
    /// Period between readings (ns; 90th percentile of the first ones) of the slowest channel whose rate is at least a
    /// quarter of the fastest one's.
    pub pace_ns: Option<u64>,
}

/// Row of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Index, from 0.
    pub number: u64,
    /// Time stamp as text.
    pub time: String,
    /// Time stamp (ns), since 1970 or with an unknown origin; `None` if missing or invalid.
    pub stamp_ns: Option<i64>,
    /// Time since the first stamp of the file (ns).
    pub t_ns: Option<i64>,
    /// Value of each channel; `None` if missing. All are finite.
    pub values: Vec<Option<f64>>,
}

/// Numbers of rows, and of irregularities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub rows: u64,
    /// Rows with fewer cells than columns: the other values are missing.
    pub short_rows: u64,
    /// Rows with more cells than columns: the other cells, unless they are empty, are ignored.
    pub long_rows: u64,
    /// Comments between the rows, other than those with `#`, which do not count.
    pub comments: u64,
    /// Rows that repeat the header: no rows of the table.
    pub repeated_headers: u64,
    /// Invalid time stamps.
    pub bad_stamps: u64,
    /// Text in cells of channels: missing values.
    pub text_cells: u64,
    /// Infinite numbers in cells of channels: missing values.
    pub infinite_cells: u64,
    /// Messages that are not valid in their encoding: missing values.
    pub broken_messages: u64,
}

/// First occurrence of each irregularity: line and content. `None` if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firsts {
    /// First of [`Counts::short_rows`].
    pub short_row: Option<String>,
    /// First of [`Counts::long_rows`].
    pub long_row: Option<String>,
    /// First of [`Counts::repeated_headers`].
    pub repeated_header: Option<String>,
    /// First of [`Counts::bad_stamps`].
    pub bad_stamp: Option<String>,
    /// First of [`Counts::text_cells`].
    pub text_cell: Option<String>,
    /// First of [`Counts::infinite_cells`].
    pub infinite_cell: Option<String>,
    /// First of [`Counts::broken_messages`]: its topic, time, and the cause.
    pub broken_message: Option<String>,
}

/// Schema of a table, and its counts so far.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) file: PathBuf,
    pub(crate) columns: Vec<Column>,
    /// Names of the channels, in the order of the row's values.
    pub(crate) channels: Vec<String>,
    pub(crate) time: Option<TimeColumn>,
    /// Whether some channel has no value in at least half of the first rows.
    pub(crate) sparse: bool,
    /// Channels with less than a quarter of the fastest channel's rate, and their period (ns).
    pub(crate) slow: Vec<(String, u64)>,
    pub(crate) notes: Vec<String>,
    pub(crate) counts: Counts,
    pub(crate) firsts: Firsts,
}

impl Schema {
    /// Replaces control characters in all texts: those of a damaged file would reach the terminal.
    pub(crate) fn make_printable(&mut self) {
        let firsts = &mut self.firsts;
        let firsts = [
            &mut firsts.short_row,
            &mut firsts.long_row,
            &mut firsts.repeated_header,
            &mut firsts.bad_stamp,
            &mut firsts.text_cell,
            &mut firsts.infinite_cell,
            &mut firsts.broken_message,
        ];
        let columns = self
            .columns
            .iter_mut()
            .flat_map(|c| [Some(&mut c.name), c.text.as_mut()]);
        let texts = columns
            .flatten()
            .chain(&mut self.channels)
            .chain(&mut self.notes);
        for text in texts.chain(firsts.into_iter().flatten()) {
            if text.contains(char::is_control) {
                *text = printable(text);
            }
        }
    }
}
