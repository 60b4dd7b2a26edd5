//! Dialect of a CSV file: separator, records, names of columns.

use crate::cell::{self, Cell};
use crate::text::merge_spaces;
use crate::time_format::is_stamp;
use csv::ByteRecord;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Separators that are detected.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
/// Rows by which the separator is detected.
const SEPARATOR_ROWS: usize = 50;

/// Separator that Excel states in the first line (`sep=;`).
pub(super) fn stated_separator(text: &[u8]) -> Option<u8> {
    let end = text.iter().position(|b| matches!(b, b'\n' | b'\r'))?;
    match text[..end].trim_ascii().trim_ascii_start() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator] => Some(*separator),
        [
            b'"',
            b's' | b'S',
            b'e' | b'E',
            b'p' | b'P',
            b'=',
            separator,
            b'"',
        ] => Some(*separator),
        // `sep=` and a tab, which is trimmed.
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'='] => Some(b'\t'),
        _ => None,
    }
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

/// Detects the separator: most of the last rows of equal length, and most cells with a number, time stamp or missing
/// value.
pub(super) fn separator(text: &[u8], complete: bool, most: usize) -> u8 {
    let worth = |separator: &u8| {
        let text = with_single_spaces(text, *separator);
        let rows = records(&text, *separator, complete, most);
        // Text may stand above the table.
        let from = (rows.len() / 2).max(rows.len().saturating_sub(SEPARATOR_ROWS));
        let rows = &rows[from..];
        let mut widths: Vec<usize> = rows.iter().map(ByteRecord::len).collect();
        widths.sort_unstable();
        let runs = widths.chunk_by(|a, b| a == b);
        let (even, width) = runs.map(|run| (run.len(), run[0])).max()?;
        if width < 2 {
            return None;
        }
        let cells = rows.iter().flatten();
        let read = cells.clone().filter(|cell| {
            matches!(cell::read_any(cell), Cell::Missing) || is_number_or_stamp(cell)
        });
        let share = |part: usize, of: usize| part * 1000 / of.max(1);
        Some((
            share(even, rows.len()) + share(read.count(), cells.count()),
            width,
        ))
    };
    let best = SEPARATORS.iter().filter_map(|s| Some((worth(s)?, s)));
    // The first of equals.
    best.rev()
        .max_by_key(|(worth, _)| *worth)
        .map_or(b',', |(_, s)| *s)
}

/// Whether a cell is a number in any style, or a time stamp.
pub(super) fn is_number_or_stamp(cell: &[u8]) -> bool {
    match cell::read_any(cell) {
        Cell::Number(_) | Cell::Infinite => true,
        Cell::Missing => false,
        Cell::Text => std::str::from_utf8(cell).is_ok_and(is_stamp),
    }
}

/// Makes column names unique.
pub(super) fn unique(names: Vec<String>, notes: &mut Vec<String>) -> Vec<String> {
    let given: HashSet<String> = names.iter().cloned().collect();
    let mut taken = HashSet::new();
    // Last count that was given to each name.
    let mut counts: HashMap<String, usize> = HashMap::new();
    names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let mut own = if name.is_empty() {
                format!("column_{}", index + 1)
            } else {
                name.clone()
            };
            let count = counts.entry(name.clone()).or_insert(1);
            while taken.contains(&own) || (own != name && given.contains(&own)) {
                *count += 1;
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
