//! Rows of a CSV file; separator, header, decimal comma and time column are detected.

mod columns;
mod dialect;
mod time_column;

use crate::cell::{self, Cell};
use crate::error::TableError;
use crate::input::Input;
use crate::schema::{Column, Counts, Firsts, Kind, Row, Schema, Wanted};
use crate::text::{CsvText, LineCounter, MAX_ROW_BYTES};
use crate::time_format::TimeFormat;
use columns::column_kind;
use csv::ByteRecord;
use dialect::{
    Preamble, builder, has_decimal_commas, is_row, names, records, separator, unique,
    with_single_spaces,
};
use std::io::{self, Cursor, Read};
use std::path::Path;
use time_column::{find_time, has_time_name};

/// Channels whose periods differ by more than this factor do not share time steps.
const MAX_PERIOD_RATIO: u64 = 4;

#[derive(Debug)]
pub(crate) struct CsvRows {
    csv: csv::Reader<CsvText>,
    record: ByteRecord,
    /// Number of cells of a row.
    width: usize,
    decimal_comma: bool,
    /// Column index of each channel.
    channels: Vec<usize>,
    /// Column index and format of the time column.
    time: Option<(usize, TimeFormat)>,
    /// First and last stamp (ns).
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl CsvRows {
    /// Detects the schema by the head of the file; `complete`: the head is the whole file.
    pub(crate) fn open(
        file: &Path,
        from: Input,
        head: Vec<u8>,
        complete: bool,
        wanted: &Wanted,
    ) -> Result<(Schema, Self), TableError> {
        let preamble = Preamble::of(&head);
        let text = &head[preamble.bytes..];
        let separator = match wanted.separator.or(preamble.separator) {
            Some(separator) => separator,
            None => separator(text, complete),
        };
        let text = with_single_spaces(text, separator);
        let text = text.as_ref();
        let mut records = records(
            text,
            separator,
            complete,
            wanted.look_rows.saturating_add(1),
        );
        let Some(first) = records.first() else {
            return Err(TableError::invalid(
                file,
                if text.is_empty() {
                    "an empty file"
                } else {
                    "no row"
                },
                "a header and rows",
            ));
        };
        let decimal_comma = separator != b',' && has_decimal_commas(&records);
        let mut notes = Vec::new();
        let mut header = None;
        let mut skips = false;
        if !is_row(first, decimal_comma) {
            header = Some(names(first.iter()));
            records.remove(0);
            skips = true;
        } else if let Some(comment) = preamble.comment {
            // The header may be a comment.
            let comment = with_single_spaces(comment, separator);
            let cells: Vec<&[u8]> = comment.split(|b| *b == separator).collect();
            if cells.len() == first.len() {
                header = Some(names(cells.into_iter()));
            }
        }
        let width = match &header {
            Some(header) => header.len(),
            None => records.iter().map(ByteRecord::len).max().unwrap_or(0),
        };
        let names = header.unwrap_or_else(|| {
            notes.push(format!(
                "no header: the columns are named column_1 to column_{width}"
            ));
            (1..=width).map(|k| format!("column_{k}")).collect()
        });
        let names = unique(names, &mut notes);
        if separator == b',' && !records.is_empty() && records.iter().all(|r| r.len() == 2 * width)
        {
            return Err(TableError::Invalid {
                file: file.to_owned(),
                line: Some(line_of(&records[0], text, preamble.lines)),
                found: format!(
                    "{} cells under a header of {width}, in every row: commas as decimal points and as separators",
                    2 * width
                ),
                expected: "decimal points, or semicolons as separators".to_owned(),
            });
        }
        for name in wanted
            .time
            .iter()
            .chain(&wanted.columns)
            .chain(&wanted.ignore)
        {
            if !names.contains(name) {
                return Err(TableError::no_column(file, name, &names));
            }
        }
        if decimal_comma {
            notes.push("commas are decimal points".to_owned());
        }
        let time = find_time(file, &names, &records, wanted)?;
        let columns: Vec<Column> = names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let kind = if time.as_ref().is_some_and(|t| t.index == index) {
                    Kind::Time
                } else {
                    column_kind(index, name, &records, decimal_comma, wanted)
                };
                let found = |record: &ByteRecord| {
                    let cell = record.get(index).unwrap_or_default();
                    let is_text = cell::read(cell, decimal_comma) == Cell::Text;
                    let line = || line_of(record, text, preamble.lines);
                    is_text.then(|| format!("line {}: `{}`", line(), excerpt(cell)))
                };
                let text = match kind {
                    Kind::Text => records.iter().find_map(found),
                    _ => None,
                };
                let name = name.clone();
                Column { name, kind, text }
            })
            .collect();
        for column in columns.iter().filter(|c| has_time_name(&c.name)) {
            let name = &column.name;
            match (column.kind, &column.text) {
                (Kind::Text, Some(text)) => notes.push(format!(
                    "`{name}` has no known time format ({text}); expected ISO 8601, such as 2020-03-09 10:14:33, or seconds, ms, us or ns as numbers"
                )),
                (Kind::Numbers, _) if time.is_none() => notes.push(format!(
                    "`{name}` does not increase as time does, so it is a channel; use --time for a time column, --ignore to ignore it"
                )),
                _ => {}
            }
        }
        let channels: Vec<usize> = if wanted.columns.is_empty() {
            let numbers = columns.iter().enumerate();
            let numbers = numbers.filter(|(_, c)| c.kind == Kind::Numbers);
            numbers.map(|(index, _)| index).collect()
        } else {
            // Existence was checked.
            let index = |name| names.iter().position(|n| n == name);
            wanted.columns.iter().filter_map(index).collect()
        };
        let mut time = time;
        let (mut sparse, mut periods_ns) = (false, Vec::new());
        for &channel in &channels {
            let has = |r: &&ByteRecord| {
                let cell = r.get(channel).unwrap_or_default();
                matches!(cell::read(cell, decimal_comma), Cell::Number(_))
            };
            let with: Vec<&ByteRecord> = records.iter().filter(has).collect();
            sparse |= !with.is_empty() && with.len() * 2 <= records.len();
            let pace_ns = time.as_ref().and_then(|t| t.pace_ns(&with));
            periods_ns.extend(pace_ns.map(|ns| (ns, channel)));
        }
        let mut slow = Vec::new();
        if let (Some(time), Some(&(fastest_ns, _))) = (&mut time, periods_ns.iter().min()) {
            let (similar, slower): (Vec<_>, Vec<_>) = periods_ns
                .iter()
                .copied()
                .partition(|(ns, _)| ns / MAX_PERIOD_RATIO <= fastest_ns);
            time.found.pace_ns = similar.iter().map(|(ns, _)| *ns).max();
            slow = slower
                .iter()
                .map(|(ns, c)| (names[*c].clone(), *ns))
                .collect();
        }
        let schema = Schema {
            file: file.to_owned(),
            channels: channels.iter().map(|&c| names[c].clone()).collect(),
            columns,
            time: time.as_ref().map(|t| t.found.clone()),
            sparse,
            slow,
            notes,
            counts: Counts::default(),
            firsts: Firsts::default(),
        };
        let (bytes_above, lines_above) = (preamble.bytes as u64, preamble.lines);
        let mut begin = Cursor::new(head);
        begin.set_position(bytes_above);
        let text = CsvText::new(begin.chain(from), lines_above, separator == b' ');
        let mut rows = Self {
            csv: builder(separator)
                .buffer_capacity(128 * 1024)
                .from_reader(text),
            record: ByteRecord::new(),
            width,
            decimal_comma,
            channels,
            time: time.map(|t| (t.index, t.format)),
            first_ns: None,
            last_ns: None,
        };
        if skips {
            rows.next(file)?;
        }
        Ok((schema, rows))
    }

    fn next(&mut self, file: &Path) -> Result<bool, TableError> {
        let begins = self.csv.position().byte();
        self.csv.get_mut().begin_row(begins);
        match self.csv.read_byte_record(&mut self.record) {
            Ok(more) => Ok(more),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => {
                    Err(TableError::Invalid {
                        file: file.to_owned(),
                        line: Some(self.line()),
                        found: format!(
                            "a row of more than {} MB that begins here",
                            MAX_ROW_BYTES >> 20
                        ),
                        expected: "a closed quote".to_owned(),
                    })
                }
                csv::ErrorKind::Io(cause) => Err(TableError::read(file, cause)),
                other => Err(TableError::invalid(file, format!("{other:?}"), "a CSV")),
            },
        }
    }

    pub(crate) fn keep_first(&mut self, most: usize) {
        self.channels.truncate(most);
    }

    /// Line of the file on which the current row begins.
    fn line(&self) -> u64 {
        self.csv.get_ref().line()
    }

    pub(crate) fn read(&mut self, schema: &mut Schema, row: &mut Row) -> Result<bool, TableError> {
        if !self.next(&schema.file)? {
            return Ok(false);
        }
        let (counts, firsts) = (&mut schema.counts, &mut schema.firsts);
        let record = &self.record;
        if record.len() != self.width {
            let (count, first) = if record.len() < self.width {
                (&mut counts.short_rows, &mut firsts.short_row)
            } else {
                (&mut counts.long_rows, &mut firsts.long_row)
            };
            *count += 1;
            first.get_or_insert_with(|| {
                let (line, found) = (self.line(), record.len());
                format!("line {line}: {found} cells for {} columns", self.width)
            });
        }
        row.time.clear();
        (row.stamp_ns, row.t_ns) = (None, None);
        if let Some((index, format)) = &self.time {
            let cell = record.get(*index).unwrap_or_default();
            match std::str::from_utf8(cell) {
                Ok(text) => row.time.push_str(text),
                Err(_) => row.time.push_str(&String::from_utf8_lossy(cell)),
            }
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
                        describe_cell(self.line(), cell, name)
                    });
                }
            }
        }
        row.values.clear();
        for (&index, name) in self.channels.iter().zip(&schema.channels) {
            let cell = record.get(index).unwrap_or_default();
            row.values.push(match cell::read(cell, self.decimal_comma) {
                Cell::Number(x) => Some(x),
                Cell::Missing => None,
                Cell::Infinite => {
                    counts.infinite_cells += 1;
                    let first = &mut firsts.infinite_cell;
                    first.get_or_insert_with(|| describe_cell(self.line(), cell, name));
                    None
                }
                Cell::Text => {
                    counts.text_cells += 1;
                    let first = &mut firsts.text_cell;
                    first.get_or_insert_with(|| describe_cell(self.line(), cell, name));
                    None
                }
            });
        }
        Ok(true)
    }
}

/// Line of the file on which a record of `text` begins.
fn line_of(record: &ByteRecord, text: &[u8], mut lines: LineCounter) -> u64 {
    // `csv` counts `\n` only, and up to where it searched for the record.
    let at = record.position().map_or(0, csv::Position::byte);
    let (preamble, row) = text.split_at(usize::try_from(at).map_or(0, |at| at.min(text.len())));
    lines.pass(preamble);
    lines.line_of_row(row)
}

/// Excerpt of a cell for a message.
fn excerpt(cell: &[u8]) -> String {
    const MOST: usize = 40;
    let text = String::from_utf8_lossy(&cell[..cell.len().min(4 * MOST)]);
    let text = text.trim();
    let line = text.lines().next().unwrap_or_default();
    let mut found: String = line.chars().take(MOST).collect();
    if found.len() < text.len() {
        found.push('…');
    }
    found
}

/// Describes a cell: line, content, column.
fn describe_cell(line: u64, cell: &[u8], column: &str) -> String {
    let quote = if cell.contains(&b'\n') {
        ", and more lines: is a quote not closed?"
    } else {
        ""
    };
    let found = excerpt(cell);
    format!("line {line}: `{found}` in the column `{column}`{quote}")
}
