//! Records of a CSV file; separator, header and styles of numbers are detected.

mod dialect;
mod layout;
mod numbers;

use crate::cell::{self, Cell};
use crate::classify::classify;
use crate::digits::NumberStyle;
use crate::error::TableError;
use crate::head::{Head, HeadCell, HeadRow};
use crate::input::Input;
use crate::record_source::RecordSource;
use crate::records::Records;
use crate::schema::{Schema, Wanted};
use crate::text::{CsvText, LineCounter, MAX_QUOTED_LINES, MAX_ROW_BYTES};
use csv::ByteRecord;
use dialect::{builder, records, separator, stated_separator, unique, with_single_spaces};
use layout::{Layout, has_row_names};
use numbers::styles;
use std::borrow::Cow;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// Most lines above the table.
pub(crate) const MOST_ABOVE: usize = 2000;

#[derive(Debug)]
pub(crate) struct CsvRows {
    csv: csv::Reader<CsvText>,
    record: ByteRecord,
    /// How the numbers of each column are written.
    styles: Vec<NumberStyle>,
    /// Number of cells of the last record, if it has too few of them.
    short: Option<usize>,
    /// Whether the file ended within a row.
    cut: bool,
}

impl CsvRows {
    /// Detects the schema by the head of the file; `complete`: the head is the whole file.
    pub(crate) fn open(
        file: &Path,
        from: Input,
        head: Vec<u8>,
        complete: bool,
        wanted: &Wanted,
    ) -> Result<(Schema, Records<Self>), TableError> {
        let (mut skipped, mut lines) = (0, LineCounter::default());
        if head.starts_with(b"\xef\xbb\xbf") {
            skipped = 3;
        }
        let stated = stated_separator(&head[skipped..]);
        if stated.is_some() {
            let ends = |b: &u8| matches!(b, b'\n' | b'\r');
            let end = head[skipped..].iter().position(ends).unwrap_or(0) + skipped + 1;
            lines.pass(&head[skipped..end]);
            skipped = end;
        }
        let text = &head[skipped..];
        let most = wanted.look_rows.saturating_add(MOST_ABOVE);
        let separator = match wanted.separator.or(stated) {
            Some(separator) => separator,
            None => separator(text, complete, most),
        };
        let text = with_single_spaces(text, separator);
        let text = text.as_ref();
        let mut records = records(text, separator, complete, most);
        if records.is_empty() {
            return Err(TableError::invalid(
                file,
                if text.is_empty() {
                    "an empty file"
                } else {
                    "no row"
                },
                "a header and rows",
            ));
        }
        let mut layout = Layout::find(text, &records, separator, lines);
        let mut notes = layout_notes(&layout);
        let data_lines = lines_of(&records, layout.skip, text, lines);
        records.truncate(layout.end.max(layout.skip));
        records.drain(..layout.skip);
        records.truncate(wanted.look_rows);
        let names = names(file, &mut layout, &records, separator, &mut notes)?;
        let names = unique(names, &mut notes);
        let invalid = |at: Option<u64>, found: String, expected: &str| TableError::Invalid {
            file: file.to_owned(),
            line: at,
            found,
            expected: expected.to_owned(),
        };
        let styles = styles(&names, &records, separator, wanted.decimal);
        if let Some((index, cell, sign)) = styles.ambiguous {
            let has = |r: &ByteRecord| {
                r.get(index)
                    .is_some_and(|c| c.trim_ascii() == cell.as_bytes())
            };
            let at = records
                .iter()
                .position(has)
                .and_then(|k| data_lines.get(k).copied());
            return Err(invalid(
                at,
                format!(
                    "`{cell}` in the column `{}`, whose {sign} may be a decimal point or separate thousands",
                    names[index]
                ),
                "--decimal point or --decimal comma",
            ));
        }
        notes.extend(styles.notes);
        let rows = records
            .iter()
            .zip(data_lines)
            .map(|(record, at)| HeadRow {
                at,
                cells: record
                    .iter()
                    .enumerate()
                    .map(|(index, cell)| HeadCell {
                        cell: cell::read(
                            cell,
                            styles.columns.get(index).copied().unwrap_or_default(),
                        ),
                        text: String::from_utf8_lossy(cell).into_owned(),
                    })
                    .collect(),
            })
            .collect();
        let head_rows = Head {
            names,
            rows,
            place: "line",
            time: None,
            units: layout.units.map(|units| (units.at, units.cells)),
            styles: styles.columns.clone(),
            notes,
        };
        let (schema, classes) = classify(file, head_rows, wanted)?;
        let mut begin = Cursor::new(head);
        begin.set_position(skipped as u64);
        let text = CsvText::new(begin.chain(from), lines, separator == b' ');
        let mut rows = Self {
            csv: builder(separator)
                .buffer_capacity(128 * 1024)
                .from_reader(text),
            record: ByteRecord::new(),
            styles: styles.columns,
            short: None,
            cut: false,
        };
        for _ in 0..layout.skip {
            rows.next(file)?;
        }
        Ok((schema, Records::new(rows, classes)))
    }

    /// Line of the file on which the current row begins.
    fn line(&self) -> u64 {
        self.csv.get_ref().line()
    }
}

impl RecordSource for CsvRows {
    fn next(&mut self, file: &Path) -> Result<bool, TableError> {
        let begins = self.csv.position().byte();
        self.csv.get_mut().begin_row(begins);
        match self.csv.read_byte_record(&mut self.record) {
            Ok(true) => {
                let found = self.record.len();
                let begins = |cell: &[u8]| {
                    let first = cell.trim_ascii().first();
                    first.is_some_and(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.'))
                };
                let is_short = found < self.styles.len() && self.record.get(0).is_some_and(begins);
                self.short = is_short.then_some(found);
                Ok(true)
            }
            Ok(false) => {
                self.cut = !self.csv.get_ref().ends_line();
                Ok(false)
            }
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
                csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
                    Err(TableError::Invalid {
                        file: file.to_owned(),
                        line: Some(self.line()),
                        found: format!(
                            "a quote that is open for more than {MAX_QUOTED_LINES} lines, in the row that begins here"
                        ),
                        expected: "a closed quote".to_owned(),
                    })
                }
                csv::ErrorKind::Io(cause) => Err(TableError::read(file, cause)),
                other => Err(TableError::invalid(file, format!("{other:?}"), "a CSV")),
            },
        }
    }

    fn len(&self) -> usize {
        self.record.len()
    }

    fn cell(&self, index: usize) -> Cell {
        cell::read(
            self.record.get(index).unwrap_or_default(),
            self.styles.get(index).copied().unwrap_or_default(),
        )
    }

    fn text(&self, index: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.record.get(index).unwrap_or_default())
    }

    fn place(&self) -> String {
        format!("line {}", self.line())
    }

    fn notes(&self) -> Vec<String> {
        let width = self.styles.len();
        let note = match self.short {
            _ if !self.cut => return Vec::new(),
            Some(found) => format!(
                "the last line has {found} of {width} cells and no line end: the file may be cut off"
            ),
            None => {
                "the last line has no line end: if the file was cut off, its last cell is not whole"
                    .to_owned()
            }
        };
        vec![note]
    }

    fn is_text(&self) -> bool {
        true
    }

    fn is_after_gap(&self) -> bool {
        self.csv.get_ref().is_after_gap()
    }

    fn is_comment(&self) -> bool {
        let first = self.record.get(0).unwrap_or_default().trim_ascii_start();
        first.starts_with(b"%") || first.starts_with(b"//")
    }
}

/// Lines of the file on which the records from `from` on begin.
fn lines_of(records: &[ByteRecord], from: usize, text: &[u8], mut lines: LineCounter) -> Vec<u64> {
    let mut passed = 0;
    let begins = records.iter().skip(from).map(|record| {
        // `csv` counts `\n` only, and up to where it searched for the record.
        let at = record.position().map_or(0, csv::Position::byte);
        let at = usize::try_from(at).map_or(text.len(), |at| at.min(text.len()));
        lines.pass(&text[passed..at]);
        passed = at;
        lines.line_of_row(&text[at..])
    });
    begins.collect()
}

/// Notes about the lines above the data.
fn layout_notes(layout: &Layout) -> Vec<String> {
    let Some((count, first)) = layout.ignored else {
        return Vec::new();
    };
    let lines = if count == 1 {
        format!("line {first} is")
    } else {
        format!("{count} lines from line {first} on are")
    };
    let place = match &layout.header {
        Some(header) => format!("the header is in line {}", header.at),
        None => format!("no header above the first row in line {}", layout.data_at),
    };
    vec![format!(
        "{place}: {lines} not part of the table, and ignored"
    )]
}

/// Names of the columns.
fn names(
    file: &Path,
    layout: &mut Layout,
    data: &[ByteRecord],
    separator: u8,
    notes: &mut Vec<String>,
) -> Result<Vec<String>, TableError> {
    let width = layout.width;
    let Some(header) = &mut layout.header else {
        notes.push(format!(
            "no header: the columns are named column_1 to column_{width}"
        ));
        return Ok((1..=width).map(|k| format!("column_{k}")).collect());
    };
    let count = header.cells.len();
    let invalid = |found: String, expected: &str| TableError::Invalid {
        file: file.to_owned(),
        line: Some(layout.data_at),
        found,
        expected: expected.to_owned(),
    };
    if separator == b',' && !data.is_empty() && data.iter().all(|r| r.len() == 2 * count) {
        return Err(invalid(
            format!(
                "{} cells under a header of {count}, in every row: commas as decimal points and as separators",
                2 * count
            ),
            "decimal points, or semicolons as separators",
        ));
    }
    if layout.surplus {
        if !has_row_names(data) {
            return Err(invalid(
                format!("{width} cells under a header of {count}"),
                "a name for each cell, and quotes around a cell that contains the separator",
            ));
        }
        notes.push("the first cells of the rows have no name in the header: they are names of rows, named `row`".to_owned());
        header.cells.insert(0, "row".to_owned());
        if let Some(units) = layout.units.as_mut().filter(|u| u.cells.len() == count) {
            units.cells.insert(0, String::new());
        }
    }
    if count > width && width > 0 && header.cells.iter().skip(width).all(String::is_empty) {
        header.cells.truncate(width);
    }
    Ok(header.cells.clone())
}
