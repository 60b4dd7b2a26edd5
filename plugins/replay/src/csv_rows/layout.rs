//! Layout of a CSV file: text above the table, header, rows of units, begin of the data.

use super::dialect::{builder, is_number_or_stamp, with_single_spaces};
use crate::cell::{Cell, read_any};
use crate::classify::has_time_name;
use crate::text::LineCounter;
use crate::time_format::{Unit, is_any_unit};
use csv::ByteRecord;

/// Rows after the first one of the data among which no header may be.
const SUSTAINED: usize = 4;
/// Line at the end of a header of `LabVIEW`.
const END_OF_HEADER: &[u8] = b"***End_of_Header***";
/// Types of columns, in rows of their own.
const TYPES: [&str; 20] = [
    "float", "float32", "float64", "double", "single", "real", "int", "int8", "int16", "int32",
    "int64", "integer", "uint8", "uint16", "uint32", "uint64", "number", "numeric", "string",
    "datetime",
];
/// Last rows by which the width and the columns of numbers are found.
const BODY_ROWS: usize = 50;

/// A line above the data.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its number.
    pub(super) at: u64,
    pub(super) cells: Vec<String>,
    comment: bool,
}

/// Layout of a file.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Number of records above the data.
    pub(super) skip: usize,
    pub(super) header: Option<Line>,
    /// Row of units.
    pub(super) units: Option<Line>,
    /// Lines above the header, and between it and the data, that are not read: their number, and the first of them.
    pub(super) ignored: Option<(usize, u64)>,
    /// Number of records up to the last one with data: a footer may follow.
    pub(super) end: usize,
    /// Line of the first row of data.
    pub(super) data_at: u64,
    /// Number of cells of most rows.
    pub(super) width: usize,
    /// Whether the rows have one cell more than the header.
    pub(super) surplus: bool,
}

/// Text of a cell; what is not UTF-8 is decoded as Latin-1.
pub(super) fn text_of(cell: &[u8]) -> String {
    match std::str::from_utf8(cell) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => {
            let text: String = cell.iter().map(|b| char::from(*b)).collect();
            text.trim().to_owned()
        }
    }
}

fn is_blank(cell: &[u8]) -> bool {
    matches!(read_any(cell), Cell::Missing)
}

fn is_text(cell: &[u8]) -> bool {
    !is_blank(cell) && !is_number_or_stamp(cell)
}

/// Body of a table: width of most rows, and columns of numbers or stamps.
struct Body {
    width: usize,
    numeric: Vec<bool>,
}

impl Body {
    fn of(records: &[ByteRecord]) -> Self {
        let from = (records.len() / 2).max(records.len().saturating_sub(BODY_ROWS));
        let body = &records[from..];
        let mut widths: Vec<usize> = body.iter().map(ByteRecord::len).collect();
        widths.sort_unstable();
        let runs = widths.chunk_by(|a, b| a == b);
        let width = runs.max_by_key(|run| run.len()).map_or(0, |run| run[0]);
        let numeric = (0..width)
            .map(|k| {
                let (mut numbers, mut texts) = (0_usize, 0_usize);
                for cell in body.iter().filter_map(|r| r.get(k)) {
                    if is_number_or_stamp(cell) {
                        numbers += 1;
                    } else if !is_blank(cell) {
                        texts += 1;
                    }
                }
                numbers > texts
            })
            .collect();
        Self { width, numeric }
    }

    /// Numbers and texts of a record in the columns of numbers.
    fn count(&self, record: &ByteRecord) -> (usize, usize) {
        let cells = record.iter().zip(&self.numeric).filter(|(_, n)| **n);
        let (mut numbers, mut texts) = (0, 0);
        for (cell, _) in cells {
            numbers += usize::from(is_number_or_stamp(cell));
            texts += usize::from(is_text(cell));
        }
        (numbers, texts)
    }

    /// Whether a record has data, rather than text about them.
    fn is_data(&self, record: &ByteRecord) -> bool {
        let (numbers, texts) = self.count(record);
        let first = self
            .numeric
            .iter()
            .position(|n| *n)
            .and_then(|k| record.get(k));
        let begins = first.is_none_or(|cell| !is_text(cell));
        numbers > 0 && record.len() * 2 >= self.width && begins && numbers >= texts
    }

    /// Whether a record looks like a header.
    fn is_header(&self, record: &ByteRecord) -> bool {
        let (numbers, texts) = self.count(record);
        record.len() > 1 && numbers == 0 && texts > 0 && record.len().abs_diff(self.width) <= 1
    }
}

impl Layout {
    /// Finds the layout of a text by its first records, whose comments `#` are skipped; `lines`: those above the text.
    pub(super) fn find(
        text: &[u8],
        records: &[ByteRecord],
        separator: u8,
        lines: LineCounter,
    ) -> Self {
        let body = Body::of(records);
        let is_start = |&at: &usize| {
            let after = records.iter().skip(at + 1).take(SUSTAINED);
            body.is_data(&records[at]) && !after.into_iter().any(|r| body.is_header(r))
        };
        // The header of LabVIEW's files ends with a line of its own; there may be two.
        let ends_header =
            |r: &ByteRecord| r.get(0).is_some_and(|c| c.trim_ascii() == END_OF_HEADER);
        let ended = records.iter().rposition(ends_header);
        let start = (ended.map_or(0, |at| at + 1)..records.len()).find(is_start);
        let mut above = lines_above(text, records, start, separator, lines);
        let data_at = match start {
            Some(_) => above.pop().map_or(0, |line| line.at),
            None => 0,
        };
        let mut layout = Self {
            skip: start.unwrap_or(records.len().min(1)),
            end: match start {
                Some(_) => records
                    .iter()
                    .rposition(|r| body.is_data(r))
                    .map_or(0, |last| last + 1),
                None => records.len(),
            },
            data_at,
            width: body.width,
            ..Self::default()
        };
        if start.is_none() {
            // No numbers: the first line is the header.
            layout.header = above.pop();
            layout.width = layout.header.as_ref().map_or(body.width, |h| h.cells.len());
            return layout;
        }
        let ends = |line: &Line| {
            line.cells
                .first()
                .is_some_and(|c| c.as_bytes() == END_OF_HEADER)
        };
        let ended = above.iter().rposition(ends);
        let ended_at = ended.and_then(|at| above.get(at)).map_or(0, |line| line.at);
        let plain = above.iter().filter(|line| !line.comment);
        let plain: Vec<u64> = plain.map(|line| line.at).collect();
        above.retain(|line| line.at > ended_at);
        layout.choose(above, &records[layout.skip..]);
        // Comments do not count.
        let used = [&layout.header, &layout.units].map(|line| line.as_ref().map(|l| l.at));
        let mut unused = plain.into_iter().filter(|at| !used.contains(&Some(*at)));
        if let Some(first) = unused.next() {
            layout.ignored = Some((unused.count() + 1, first));
        }
        layout
    }

    /// Chooses the header and the row of units among the lines above the data.
    fn choose(&mut self, mut above: Vec<Line>, data: &[ByteRecord]) {
        let width = self.width;
        let surplus_is_empty =
            |line: &Line, from: usize| line.cells.iter().skip(from).all(String::is_empty);
        // A header may have a separator more, or one cell less: row names have no name.
        let fits = |line: &Line| {
            let n = line.cells.len();
            n == width
                || (n > width && surplus_is_empty(line, width))
                || (n + 1 == width && n > 1)
                || (n < width && n > 1 && data.iter().all(|r| r.iter().skip(n).all(is_blank)))
        };
        let is_ruler = |line: &Line| {
            let signs = |cell: &String| cell.chars().all(|c| "-=+|:_*~ ".contains(c));
            line.cells.iter().all(signs)
        };
        // Annotations of InfluxDB, and rows of the types of the columns.
        let is_annotation = |line: &Line| {
            let first = line.cells.first().map_or("", String::as_str);
            let names = ["group", "datatype", "default"];
            line.comment && line.cells.len() > 1 && names.contains(&first)
        };
        let is_types = |line: &Line| {
            let is_type = |cell: &String| TYPES.contains(&cell.to_lowercase().as_str());
            line.cells.len() > 1 && line.cells.iter().all(is_type)
        };
        above.retain(|line| !is_ruler(line) && !is_annotation(line) && !is_types(line));
        let total = above.iter().filter(|line| !line.comment).count();
        let mut stack: Vec<Line> = Vec::new();
        for line in above.iter().rev() {
            if fits(line) && !line.cells.iter().all(String::is_empty) {
                stack.insert(0, line.clone());
            } else if !line.comment {
                break;
            }
        }
        let units_like = |line: &Line| {
            let mut cells = line.cells.iter().filter(|c| !c.is_empty());
            line.cells.iter().any(|c| !c.is_empty()) && cells.all(|cell| is_any_unit(cell))
        };
        let units = (1..stack.len()).find(|&k| units_like(&stack[k]));
        // Units may stand above the names.
        let units = units.or_else(|| {
            let first = stack.first().filter(|line| units_like(line))?;
            let timed = first
                .cells
                .first()
                .is_some_and(|c| Unit::of_cell(c).is_some());
            (timed && stack.len() > 1).then_some(0)
        });
        let range = match units {
            Some(0) => 1..stack.len(),
            Some(units) => 0..units,
            None => 0..stack.len(),
        };
        let header = match stack.len() {
            0 => {
                // Fewer or more names than cells: as it stands, if it is the only line.
                let line = above.iter().rfind(|line| !line.comment);
                self.header = line
                    .filter(|l| total == 1 && l.cells.len() > 1 && l.cells.len() * 2 >= width)
                    .cloned();
                return;
            }
            1 => 0,
            _ => {
                // The last of equals.
                range
                    .max_by_key(|&k| score(&stack[k], width, units.is_some()))
                    .unwrap_or(0)
            }
        };
        let line = stack.swap_remove(header);
        // `swap_remove` moved the last one into its place.
        self.units = units.and_then(|units| {
            let at = if units == stack.len() { header } else { units };
            stack.get(at).cloned()
        });
        if line.cells.len() + 1 == width {
            self.surplus = data
                .iter()
                .any(|r| r.get(width - 1).is_some_and(|c| !is_blank(c)));
        }
        self.header = Some(line);
    }
}

/// How much a line that fits a table looks like its header. With a row of units, descriptions may stand below the names.
fn score(line: &Line, width: usize, units: bool) -> [bool; 6] {
    let mut names: Vec<&String> = line.cells.iter().collect();
    names.sort_unstable();
    let distinct = names.windows(2).all(|w| w[0] != w[1]);
    let full = distinct && line.cells.iter().take(width).all(|c| !c.is_empty());
    let timed = line.cells.iter().any(|c| has_time_name(c));
    let numbers = line.cells.iter().any(|c| is_number_or_stamp(c.as_bytes()));
    let wide = line.cells.len() >= width;
    let terse = units && line.cells.iter().all(|c| !c.contains(' '));
    [!numbers, timed, wide, full, terse, !line.comment]
}

/// Lines above the data, comments included, and at the end the line of the first row of data.
fn lines_above(
    text: &[u8],
    records: &[ByteRecord],
    start: Option<usize>,
    separator: u8,
    mut lines: LineCounter,
) -> Vec<Line> {
    let mut found = Vec::new();
    let mut passed = 0;
    let end = start.map_or(records.len().min(1), |start| start + 1);
    for (k, record) in records.iter().take(end).enumerate() {
        let at = record.position().map_or(0, csv::Position::byte);
        let at = usize::try_from(at).map_or(text.len(), |at| at.min(text.len()));
        lines.pass(&text[passed..at]);
        passed = at;
        // Comments stand between the end of the record before and this one.
        while let Some(first) = text.get(passed) {
            let rest = &text[passed..];
            let end = match first {
                b'\n' | b'\r' => 1,
                b'#' => rest
                    .iter()
                    .position(|b| *b == b'\n')
                    .map_or(rest.len(), |end| end + 1),
                _ => break,
            };
            if *first == b'#' {
                let comment = comment_text(&rest[..end]);
                let comment = with_single_spaces(comment, separator);
                let mut reader = builder(separator)
                    .comment(None)
                    .from_reader(comment.as_ref());
                let mut cells = ByteRecord::new();
                if reader.read_byte_record(&mut cells).unwrap_or(false) {
                    found.push(Line {
                        at: lines.line(),
                        cells: cells.iter().map(text_of).collect(),
                        comment: true,
                    });
                }
            }
            lines.pass(&rest[..end]);
            passed += end;
        }
        let mut cells: Vec<String> = record.iter().map(text_of).collect();
        let mut comment = false;
        if start.is_none_or(|start| k < start)
            && let Some(cell) = cells.first_mut()
            && (cell.starts_with(['#', '%', ';', '!']) || cell.starts_with("//"))
        {
            *cell = String::from_utf8_lossy(comment_text(cell.as_bytes())).into_owned();
            comment = true;
            // The sign stood in a cell of its own.
            if cell.is_empty() && cells.len() > 1 {
                cells.remove(0);
            }
        }
        found.push(Line {
            at: lines.line(),
            cells,
            comment,
        });
    }
    found
}

/// Text of a comment line.
fn comment_text(line: &[u8]) -> &[u8] {
    let signs = line
        .iter()
        .take_while(|b| matches!(b, b'#' | b'%' | b'/' | b';' | b'!'));
    line[signs.count()..].trim_ascii()
}

/// Whether the first cells of rows are names or counts of rows, as R writes them without a name in the header.
pub(super) fn has_row_names(data: &[ByteRecord]) -> bool {
    let first = |r: &ByteRecord| r.get(0).map(text_of).unwrap_or_default();
    let counts: Vec<Option<u64>> = data.iter().map(|r| first(r).parse().ok()).collect();
    let counted = counts
        .windows(2)
        .all(|w| w[0].zip(w[1]).is_some_and(|(a, b)| a + 1 == b));
    (counts.len() > 1 && counted) || data.iter().all(|r| r.get(0).is_some_and(is_text))
}
