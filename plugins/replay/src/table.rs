//! [`Table`]: a recording as named columns of numbers, row by row.

use crate::csv_rows::CsvRows;
use crate::error::TableError;
use crate::mcap_rows::McapRows;
use crate::messages;
use crate::text::Lines;
use std::fs::File;
use std::io::{self, Read, Stdin};
use std::path::{Path, PathBuf};

/// What is looked at of a file before its rows are given, at most: the rest is streamed.
const HEAD_BYTES: usize = 4 << 20;

/// What of a recording is wanted, and what is known of it. The default finds everything by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the column of stamps.
    pub time: Option<String>,
    /// Names of the columns of numbers, in the order in which they are wanted; all that are numbers where it is empty.
    pub columns: Vec<String>,
    /// Names of columns that are left out.
    pub ignore: Vec<String>,
    /// What stands between cells; of spaces, any number.
    pub separator: Option<u8>,
    /// Time from row to row of an MCAP file (ns), whose messages come at times of their own.
    pub step_ns: Option<u64>,
    /// Rows by which columns are judged: time, numbers, text.
    pub look_rows: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            time: None,
            columns: Vec::new(),
            ignore: Vec::new(),
            separator: None,
            step_ns: None,
            look_rows: 400,
        }
    }
}

/// What a column is, judged by the first rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers: a channel.
    Numbers,
    /// The stamps.
    Time,
    /// Left out on request.
    Ignored,
    /// Text, in more than half of its cells.
    Text,
    /// No cell has anything in it.
    Empty,
    /// It counts rows: every step is the same.
    Counter,
    /// Numbers that were not asked for.
    Unwanted,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, unique in its table.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Of a column of text the first one, and its line.
    pub text: Option<String>,
}

/// The column of stamps.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeColumn {
    /// Its name.
    pub name: String,
    /// Whether nobody said that it is the time.
    pub guessed: bool,
    /// How it writes time.
    pub format: String,
    /// Whether it counts from 1970, or from anything.
    pub epoch: bool,
    /// The usual time between two rows (ns): the median of the first ones. None where no two differ.
    pub period_ns: Option<u64>,
    /// Share of the first rows whose stamp is that of the row before.
    pub repeated: f64,
    /// Share of the first rows whose stamp is before that of the row before.
    pub backward: f64,
    /// Share of the first rows that come neither one `period_ns` after the row before, nor whole ones (rows are lost),
    /// by more than a quarter of it.
    pub uneven: f64,
    /// Time between readings (ns), nine of ten of the first ones, of the slowest channel that comes at least a quarter as
    /// often as the fastest one.
    pub pace_ns: Option<u64>,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// From 0.
    pub number: u64,
    /// The stamp as it came.
    pub time: String,
    /// The same as a number (ns), since 1970 or since anything; none where there is no stamp, or none that can be read.
    pub stamp_ns: Option<i64>,
    /// Since the first stamp of the file (ns).
    pub t_ns: Option<i64>,
    /// One for each channel; none where there is no number. All are finite.
    pub values: Vec<Option<f64>>,
}

/// What was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that were given.
    pub rows: u64,
    /// Rows with fewer cells than there are columns: the rest is missing.
    pub short_rows: u64,
    /// Rows with more: the rest is left out.
    pub long_rows: u64,
    /// Stamps that cannot be read.
    pub bad_stamps: u64,
    /// Cells of channels that are text: missing.
    pub text_cells: u64,
    /// Cells of channels that are infinite: missing.
    pub infinite_cells: u64,
    /// Messages that are not what their encoding says: missing.
    pub broken_messages: u64,
}

/// Where each of these was found first: line, and what is there. None where it was not, and of an MCAP file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firsts {
    /// Of [`Counts::short_rows`].
    pub short_row: Option<String>,
    /// Of [`Counts::long_rows`].
    pub long_row: Option<String>,
    /// Of [`Counts::bad_stamps`].
    pub bad_stamp: Option<String>,
    /// Of [`Counts::text_cells`].
    pub text_cell: Option<String>,
    /// Of [`Counts::infinite_cells`].
    pub infinite_cell: Option<String>,
}

/// A recording as named columns of numbers. It is read as a stream: memory does not grow with the file.
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
    pub(crate) shape: Shape,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Csv(Box<CsvRows>),
    Mcap(Box<McapRows>),
}

/// What is known of a table before its first row.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) file: PathBuf,
    pub(crate) columns: Vec<Column>,
    /// Names of the channels, in the order of a row's values.
    pub(crate) channels: Vec<String>,
    pub(crate) time: Option<TimeColumn>,
    /// Whether some channel has no value in half of the first rows, or more.
    pub(crate) sparse: bool,
    /// Channels that come less than a quarter as often as the fastest, and how long they take (ns).
    pub(crate) slow: Vec<(String, u64)>,
    pub(crate) notes: Vec<String>,
    pub(crate) counts: Counts,
    pub(crate) firsts: Firsts,
}

/// What a table is read from.
#[derive(Debug)]
pub(crate) enum Source {
    File(File),
    Stdin(Stdin),
}

impl Read for Source {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(to),
            Self::Stdin(stdin) => stdin.read(to),
        }
    }
}

impl Table {
    /// Opens a CSV or an MCAP file, and looks at its first rows. The file `-` is standard input, a CSV.
    ///
    /// A row of an MCAP file is what its messages say in one step of time: the mean, where a topic is faster, nothing,
    /// where it is slower. Its columns are `topic/field` of what is JSON, or protobuf with its schema in the file.
    ///
    /// # Errors
    ///
    /// A [`TableError`] where there is no such file, no column of that name, or nothing that can be read.
    pub fn open(file: impl AsRef<Path>, wanted: &Wanted) -> Result<Self, TableError> {
        let file = file.as_ref();
        let failed = |cause| TableError::read(file, cause);
        let mut from = if file.as_os_str() == "-" {
            Source::Stdin(io::stdin())
        } else {
            let from = File::open(file).map_err(failed)?;
            if from.metadata().map_err(failed)?.is_dir() {
                return Err(TableError::wrong(
                    file,
                    "a folder",
                    "a recording: CSV or MCAP",
                ));
            }
            Source::File(from)
        };
        // As many lines as are looked at, and what may stand above them.
        let lines = wanted.look_rows.saturating_add(64);
        let mut head = Vec::new();
        let (mut seen, mut whole) = (0, false);
        while !whole && seen < lines && head.len() < HEAD_BYTES {
            let before = head.len();
            let piece = (&mut from).take(64 * 1024).read_to_end(&mut head);
            whole = piece.map_err(failed)? == 0;
            seen += head[before..].iter().filter(|b| **b == b'\n').count();
        }
        if head.starts_with(messages::MAGIC) {
            if matches!(from, Source::Stdin(_)) {
                return Err(TableError::wrong(
                    file,
                    "an MCAP on standard input",
                    "it as a file: it is read more than once",
                ));
            }
            let (shape, rows) = McapRows::open(file, wanted)?;
            let rows = Rows::Mcap(Box::new(rows));
            return Ok(Self { shape, rows });
        }
        if let Some((found, expected)) = known_otherwise(&head) {
            return Err(TableError::wrong(file, found, expected));
        }
        if let Some(zero) = head.iter().position(|b| *b == 0) {
            let mut lines = Lines::default();
            lines.pass(&head[..zero]);
            return Err(TableError::Wrong {
                file: file.to_owned(),
                line: Some(lines.line()),
                found: "a zero byte, as binary files have them".to_owned(),
                expected: "a CSV in UTF-8".to_owned(),
            });
        }
        let (shape, rows) = CsvRows::open(file, from, head, whole, wanted)?;
        Ok(Self {
            shape,
            rows: Rows::Csv(Box::new(rows)),
        })
    }

    /// Reads the next row; false behind the last one.
    ///
    /// # Errors
    ///
    /// A [`TableError`] where the file cannot be read on.
    pub fn read(&mut self, row: &mut Row) -> Result<bool, TableError> {
        let more = match &mut self.rows {
            Rows::Csv(rows) => rows.read(&mut self.shape, row)?,
            Rows::Mcap(rows) => rows.read(&mut self.shape, row)?,
        };
        if more {
            row.number = self.shape.counts.rows;
            self.shape.counts.rows += 1;
        }
        Ok(more)
    }

    /// Every column of the file.
    pub fn columns(&self) -> &[Column] {
        &self.shape.columns
    }

    /// Names of the columns of numbers, in the order of a row's values.
    pub fn channels(&self) -> &[String] {
        &self.shape.channels
    }

    /// The stamps; none where there are none.
    pub fn time(&self) -> Option<&TimeColumn> {
        self.shape.time.as_ref()
    }

    /// Whether some channel has no value in half of the first rows, or more: channels differ in pace.
    pub fn is_sparse(&self) -> bool {
        self.shape.sparse
    }

    /// Channels that come less than a quarter as often as the fastest one, and the time between their readings (ns), nine
    /// of ten of the first ones; of an MCAP file none.
    pub fn slow(&self) -> &[(String, u64)] {
        &self.shape.slow
    }

    /// Leaves out all channels behind the first `most`.
    pub fn keep_first(&mut self, most: usize) {
        for name in self
            .shape
            .channels
            .drain(most.min(self.shape.channels.len())..)
        {
            for column in self.shape.columns.iter_mut().filter(|c| c.name == name) {
                column.kind = Kind::Unwanted;
            }
        }
        match &mut self.rows {
            Rows::Csv(rows) => rows.keep_first(most),
            Rows::Mcap(rows) => rows.keep_first(most),
        }
    }

    /// Whether rows are steps of time, and not the file's own: an MCAP file has messages.
    pub fn is_stepped(&self) -> bool {
        matches!(self.rows, Rows::Mcap(_))
    }

    /// What was decided that a person may want to know.
    pub fn notes(&self) -> &[String] {
        &self.shape.notes
    }

    /// What was found up to now.
    pub fn counts(&self) -> &Counts {
        &self.shape.counts
    }

    /// Where that was found first.
    pub fn firsts(&self) -> &Firsts {
        &self.shape.firsts
    }
}

/// What a file is that is no text, and what to do.
fn known_otherwise(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let begins: [(&[u8], &str, &str); 9] = [
        (b"\x1f\x8b", "gzip", "it unpacked: gunzip it first"),
        (b"\x28\xb5\x2f\xfd", "zstd", "it unpacked: zstd -d it first"),
        (
            b"PK\x03\x04",
            "a ZIP or Excel file",
            "a CSV: save it as one",
        ),
        (b"PAR1", "Parquet", "a CSV: export it as one"),
        (b"\x89HDF", "HDF5", "a CSV: export it as one"),
        (
            b"#ROSBAG",
            "a ROS 1 bag",
            "an MCAP: `mcap convert` makes one",
        ),
        (
            b"SQLite format 3",
            "SQLite (a ROS 2 bag?)",
            "an MCAP: `mcap convert` makes one",
        ),
        (
            b"\xff\xfe",
            "UTF-16",
            "UTF-8: iconv -f UTF-16 -t UTF-8 makes it",
        ),
        (
            b"\xfe\xff",
            "UTF-16",
            "UTF-8: iconv -f UTF-16 -t UTF-8 makes it",
        ),
    ];
    for (begin, found, expected) in begins {
        if head.starts_with(begin) {
            return Some((found, expected));
        }
    }
    None
}
