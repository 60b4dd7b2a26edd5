//! Dialect of a CSV file: preamble, separator, decimal comma, header.

use crate::cell::{self, Cell};
use crate::text::{LineCounter, merge_spaces};
use crate::time_format::TimeFormat;
use csv::ByteRecord;
use std::borrow::Cow;
use std::collections::HashSet;

/// Separators that are detected.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
/// Rows by which the separator is detected.
const SEPARATOR_ROWS: usize = 50;

/// Preamble of a table: byte order mark, Excel's `sep=;`, comments, empty lines.
pub(super) struct Preamble<'a> {
    pub(super) bytes: usize,
    pub(super) lines: LineCounter,
    pub(super) separator: Option<u8>,
    /// Last comment, which may be the header.
    pub(super) comment: Option<&'a [u8]>,
}

impl<'a> Preamble<'a> {
    pub(super) fn of(head: &'a [u8]) -> Self {
        let mut preamble = Self {
            bytes: if head.starts_with(b"\xef\xbb\xbf") {
                3
            } else {
                0
            },
            lines: LineCounter::default(),
            separator: None,
            comment: None,
        };
        let begin = preamble.bytes;
        let ends = |b: &u8| matches!(b, b'\n' | b'\r');
        while let Some(end) = head[preamble.bytes..].iter().position(ends) {
            let raw_line = &head[preamble.bytes..=preamble.bytes + end];
            let line = raw_line.trim_ascii();
            match line {
                [] => {}
                [b'#' | b'%', ..] | [b'/', b'/', ..] => {
                    preamble.comment = Some(comment_text(line));
                }
                [b's', b'e', b'p', b'=', separator] if preamble.bytes == begin => {
                    preamble.separator = Some(*separator);
                }
                _ => break,
            }
            preamble.bytes += raw_line.len();
            preamble.lines.pass(raw_line);
        }
        preamble
    }
}

/// Text of a comment line.
fn comment_text(line: &[u8]) -> &[u8] {
    let signs = line.iter().take_while(|b| matches!(b, b'#' | b'%' | b'/'));
    line[signs.count()..].trim_ascii()
}

pub(super) fn builder(separator: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .comment(Some(b'#'));
    builder
}

/// First rows; without the last one if the head may have truncated it.
pub(super) fn records(text: &[u8], separator: u8, complete: bool, most: usize) -> Vec<ByteRecord> {
    let rows = builder(separator).from_reader(text).into_byte_records();
    let mut rows: Vec<ByteRecord> = rows
        .map_while(Result::ok)
        .take(most.saturating_add(1))
        .collect();
    if rows.len() > most || (!complete && rows.len() > 1) {
        rows.pop();
    }
    rows
}

/// Detects the separator: most rows of equal length, and most cells with a number, time stamp or missing value.
pub(super) fn separator(text: &[u8], complete: bool) -> u8 {
    let worth = |separator: &u8| {
        let text = with_single_spaces(text, *separator);
        let rows = records(&text, *separator, complete, SEPARATOR_ROWS);
        let width = rows.first().map_or(0, ByteRecord::len);
        if width < 2 {
            return None;
        }
        let even = rows.iter().filter(|r| r.len() == width).count();
        let body = rows.iter().skip(1).flatten();
        let (mut cells, mut read) = (0, 0);
        for cell in body {
            cells += 1;
            let number = cell::read(cell, *separator != b',') != Cell::Text;
            let stamp =
                || std::str::from_utf8(cell).is_ok_and(|c| TimeFormat::of("", &[c]).is_some());
            read += usize::from(number || stamp());
        }
        let share = |part: usize, of: usize| part * 1000 / of.max(1);
        Some((share(even, rows.len()) + share(read, cells), width))
    };
    let best = SEPARATORS.iter().filter_map(|s| Some((worth(s)?, s)));
    // The first of equals.
    best.rev()
        .max_by_key(|(worth, _)| *worth)
        .map_or(b',', |(_, s)| *s)
}

/// Whether numbers have decimal commas: more of them than decimal points.
pub(super) fn has_decimal_commas(records: &[ByteRecord]) -> bool {
    let (mut commas, mut points) = (0, 0);
    for cell in records.iter().skip(1).flatten() {
        match cell::read(cell, true) {
            Cell::Number(_) if cell.contains(&b',') => commas += 1,
            Cell::Number(_) if cell.contains(&b'.') => points += 1,
            _ => {}
        }
    }
    commas > points
}

/// Whether the first row is data, not a header: numbers and time stamps only.
pub(super) fn is_row(record: &ByteRecord, decimal_comma: bool) -> bool {
    let mut numbers = 0;
    for cell in record {
        match cell::read(cell, decimal_comma) {
            Cell::Number(_) | Cell::Infinite => numbers += 1,
            Cell::Missing => {}
            Cell::Text => {
                let stamp =
                    std::str::from_utf8(cell).is_ok_and(|c| TimeFormat::of("", &[c]).is_some());
                if !stamp {
                    return false;
                }
            }
        }
    }
    numbers > 0
}

/// Column names of a header; text that is not UTF-8 is decoded as Latin-1.
pub(super) fn names<'a>(cells: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    cells
        .map(|cell| match std::str::from_utf8(cell) {
            Ok(text) => text.trim().to_owned(),
            Err(_) => {
                let text: String = cell.iter().map(|b| char::from(*b)).collect();
                text.trim().to_owned()
            }
        })
        .collect()
}

/// Makes column names unique.
pub(super) fn unique(names: Vec<String>, notes: &mut Vec<String>) -> Vec<String> {
    let given: HashSet<String> = names.iter().cloned().collect();
    let mut taken = HashSet::new();
    names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let mut own = if name.is_empty() {
                format!("column_{}", index + 1)
            } else {
                name.clone()
            };
            let mut count = 1;
            while taken.contains(&own) || (own != name && given.contains(&own)) {
                count += 1;
                own = format!("{name}_{count}");
            }
            if own != name && !name.is_empty() {
                notes.push(format!("a second column `{name}` is named `{own}`"));
            }
            taken.insert(own.clone());
            own
        })
        .collect()
}

/// Merges spaces if the separator is a space.
pub(super) fn with_single_spaces(text: &[u8], separator: u8) -> Cow<'_, [u8]> {
    if separator == b' ' {
        merge_spaces(text).into()
    } else {
        text.into()
    }
}
