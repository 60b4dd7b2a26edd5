//! Rows of a CSV file; separator, header, decimal comma and time column are detected.

mod dialect;

use crate::cell::{self, Cell};
use crate::classify::classify;
use crate::error::TableError;
use crate::head::{Head, HeadCell, HeadRow};
use crate::input::Input;
use crate::records::{RecordSource, Records};
use crate::schema::{Schema, Wanted};
use crate::text::{CsvText, LineCounter, MAX_ROW_BYTES};
use csv::ByteRecord;
use dialect::{
    Preamble, builder, has_decimal_commas, is_row, names, records, separator, unique,
    with_single_spaces,
};
use std::borrow::Cow;
use std::io::{self, Cursor, Read};
use std::path::Path;

#[derive(Debug)]
pub(crate) struct CsvRows {
    csv: csv::Reader<CsvText>,
    record: ByteRecord,
    decimal_comma: bool,
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
        if decimal_comma {
            notes.push("commas are decimal points".to_owned());
        }
        let rows = records
            .iter()
            .map(|record| HeadRow {
                at: line_of(record, text, preamble.lines),
                cells: record
                    .iter()
                    .map(|cell| HeadCell {
                        cell: cell::read(cell, decimal_comma),
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
            notes,
        };
        let (schema, classes) = classify(file, head_rows, wanted)?;
        let (bytes_above, lines_above) = (preamble.bytes as u64, preamble.lines);
        let mut begin = Cursor::new(head);
        begin.set_position(bytes_above);
        let text = CsvText::new(begin.chain(from), lines_above, separator == b' ');
        let mut rows = Self {
            csv: builder(separator)
                .buffer_capacity(128 * 1024)
                .from_reader(text),
            record: ByteRecord::new(),
            decimal_comma,
        };
        if skips {
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

    fn len(&self) -> usize {
        self.record.len()
    }

    fn cell(&self, index: usize) -> Cell {
        cell::read(
            self.record.get(index).unwrap_or_default(),
            self.decimal_comma,
        )
    }

    fn text(&self, index: usize) -> Cow<'_, str> {
        String::from_utf8_lossy(self.record.get(index).unwrap_or_default())
    }

    fn place(&self) -> String {
        format!("line {}", self.line())
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
