//! Rows of a CSV: any separator, header or none, whatever programs write.

use crate::cell::{self, Cell};
use crate::error::TableError;
use crate::stamp::Stamps;
use crate::table::{Column, Counts, Firsts, Kind, Row, Shape, Source, TimeColumn, Wanted};
use crate::text::{Lines, ROW_BYTES, Text, joined};
use csv::ByteRecord;
use std::borrow::Cow;
use std::collections::HashSet;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// What may stand between cells, where nothing was said.
const SEPARATORS: [u8; 5] = [b',', b';', b'\t', b'|', b' '];
/// Rows by which separators are told apart.
const TRIED_ROWS: usize = 50;
/// Rows from which on equal steps are no accident.
const COUNTED: usize = 8;
/// Steps that differ by less than this share are equal: decimal fractions are rounded.
const SAME_STEP: f64 = 1e-6;

/// A step is uneven that is off whole periods by more than this part of one.
const UNEVEN: f64 = 0.25;

/// Channels of this many times the pace of another one are too fast to share its ticks.
const ALIKE: u64 = 4;

/// Words by which columns of time are known.
const TIME_WORDS: [&str; 15] = [
    "time",
    "timestamp",
    "datetime",
    "date",
    "t",
    "ts",
    "stamp",
    "clock",
    "elapsed",
    "epoch",
    "seconds",
    "sec",
    "zeit",
    "datum",
    "when",
];

#[derive(Debug)]
pub(crate) struct CsvRows {
    csv: csv::Reader<Text>,
    record: ByteRecord,
    /// Cells of a row.
    width: usize,
    decimal_comma: bool,
    /// Index of the column of each channel.
    channels: Vec<usize>,
    /// Index of the column of stamps, and how it writes time.
    time: Option<(usize, Stamps)>,
    /// The first stamp (ns).
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

impl CsvRows {
    /// Finds out what is in the file by its head; `whole` says that the head is all.
    pub(crate) fn open(
        file: &Path,
        from: Source,
        head: Vec<u8>,
        whole: bool,
        wanted: &Wanted,
    ) -> Result<(Shape, Self), TableError> {
        let above = Above::of(&head);
        let text = &head[above.bytes..];
        let separator = match wanted.separator.or(above.separator) {
            Some(separator) => separator,
            None => separator(text, whole),
        };
        let text = one_by_one(text, separator);
        let text = text.as_ref();
        let mut records = records(text, separator, whole, wanted.look_rows.saturating_add(1));
        let Some(first) = records.first() else {
            return Err(TableError::wrong(
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
        } else if let Some(comment) = above.comment {
            // Some programs write the header as a comment.
            let comment = one_by_one(comment, separator);
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
                "no header: the columns are called column_1 to column_{width}"
            ));
            (1..=width).map(|k| format!("column_{k}")).collect()
        });
        let names = unique(names, &mut notes);
        if separator == b',' && !records.is_empty() && records.iter().all(|r| r.len() == 2 * width)
        {
            return Err(TableError::Wrong {
                file: file.to_owned(),
                line: Some(line_of(&records[0], text, above.lines)),
                found: format!(
                    "{} cells under a header of {width}, in every row: commas as decimal points, and between cells too",
                    2 * width
                ),
                expected: "decimal points, or a semicolon between cells".to_owned(),
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
                    kind(index, name, &records, decimal_comma, wanted)
                };
                let found = |record: &ByteRecord| {
                    let cell = record.get(index).unwrap_or_default();
                    let is_text = cell::read(cell, decimal_comma) == Cell::Text;
                    let line = || line_of(record, text, above.lines);
                    is_text.then(|| format!("line {}: `{}`", line(), shown(cell)))
                };
                let text = match kind {
                    Kind::Text => records.iter().find_map(found),
                    _ => None,
                };
                let name = name.clone();
                Column { name, kind, text }
            })
            .collect();
        for column in columns.iter().filter(|c| is_called_time(&c.name)) {
            let name = &column.name;
            match (column.kind, &column.text) {
                (Kind::Text, Some(text)) => notes.push(format!(
                    "`{name}` is no time that can be read ({text}); expected ISO 8601, as 2020-03-09 10:14:33, or seconds, ms, us or ns as numbers"
                )),
                (Kind::Numbers, _) if time.is_none() => notes.push(format!(
                    "`{name}` does not go on as time does: it is a channel; --time takes it for the time, --ignore leaves it out"
                )),
                _ => {}
            }
        }
        let channels: Vec<usize> = if wanted.columns.is_empty() {
            let numbers = columns.iter().enumerate();
            let numbers = numbers.filter(|(_, c)| c.kind == Kind::Numbers);
            numbers.map(|(index, _)| index).collect()
        } else {
            // They are there: that was checked.
            let index = |name| names.iter().position(|n| n == name);
            wanted.columns.iter().filter_map(index).collect()
        };
        let mut time = time;
        let (mut sparse, mut paces_ns) = (false, Vec::new());
        for &channel in &channels {
            let has = |r: &&ByteRecord| {
                let cell = r.get(channel).unwrap_or_default();
                matches!(cell::read(cell, decimal_comma), Cell::Number(_))
            };
            let with: Vec<&ByteRecord> = records.iter().filter(has).collect();
            sparse |= !with.is_empty() && with.len() * 2 <= records.len();
            let pace_ns = time.as_ref().and_then(|t| t.pace_ns(&with));
            paces_ns.extend(pace_ns.map(|ns| (ns, channel)));
        }
        let mut slow = Vec::new();
        if let (Some(time), Some(&(fastest_ns, _))) = (&mut time, paces_ns.iter().min()) {
            let (alike, slower): (Vec<_>, Vec<_>) = paces_ns
                .iter()
                .copied()
                .partition(|(ns, _)| ns / ALIKE <= fastest_ns);
            time.found.pace_ns = alike.iter().map(|(ns, _)| *ns).max();
            slow = slower
                .iter()
                .map(|(ns, c)| (names[*c].clone(), *ns))
                .collect();
        }
        let shape = Shape {
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
        let (bytes_above, lines_above) = (above.bytes as u64, above.lines);
        let mut begin = Cursor::new(head);
        begin.set_position(bytes_above);
        let text = Text::new(begin.chain(from), lines_above, separator == b' ');
        let mut rows = Self {
            csv: builder(separator)
                .buffer_capacity(128 * 1024)
                .from_reader(text),
            record: ByteRecord::new(),
            width,
            decimal_comma,
            channels,
            time: time.map(|t| (t.index, t.stamps)),
            first_ns: None,
            last_ns: None,
        };
        if skips {
            rows.next(file)?;
        }
        Ok((shape, rows))
    }

    fn next(&mut self, file: &Path) -> Result<bool, TableError> {
        let begins = self.csv.position().byte();
        self.csv.get_mut().begin_row(begins);
        match self.csv.read_byte_record(&mut self.record) {
            Ok(more) => Ok(more),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => {
                    Err(TableError::Wrong {
                        file: file.to_owned(),
                        line: Some(self.line()),
                        found: format!(
                            "a row of more than {} MB that begins here",
                            ROW_BYTES >> 20
                        ),
                        expected: "a quote that is closed".to_owned(),
                    })
                }
                csv::ErrorKind::Io(cause) => Err(TableError::read(file, cause)),
                other => Err(TableError::wrong(file, format!("{other:?}"), "a CSV")),
            },
        }
    }

    pub(crate) fn keep_first(&mut self, most: usize) {
        self.channels.truncate(most);
    }

    /// The line of the file on which the present row begins.
    fn line(&self) -> u64 {
        self.csv.get_ref().line()
    }

    pub(crate) fn read(&mut self, shape: &mut Shape, row: &mut Row) -> Result<bool, TableError> {
        if !self.next(&shape.file)? {
            return Ok(false);
        }
        let (counts, firsts) = (&mut shape.counts, &mut shape.firsts);
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
                format!(
                    "line {line}: {found} cells, where there are {} columns",
                    self.width
                )
            });
        }
        row.time.clear();
        (row.stamp_ns, row.t_ns) = (None, None);
        if let Some((index, stamps)) = &self.time {
            let cell = record.get(*index).unwrap_or_default();
            match std::str::from_utf8(cell) {
                Ok(text) => row.time.push_str(text),
                Err(_) => row.time.push_str(&String::from_utf8_lossy(cell)),
            }
            match stamps.read_after(&row.time, self.last_ns) {
                Some(ns) => {
                    let first_ns = *self.first_ns.get_or_insert(ns);
                    self.last_ns = Some(ns);
                    row.stamp_ns = Some(ns);
                    row.t_ns = ns.checked_sub(first_ns);
                }
                None => {
                    counts.bad_stamps += 1;
                    firsts.bad_stamp.get_or_insert_with(|| {
                        let name = shape.time.as_ref().map_or("", |t| t.name.as_str());
                        odd_cell(self.line(), cell, name)
                    });
                }
            }
        }
        row.values.clear();
        for (&index, name) in self.channels.iter().zip(&shape.channels) {
            let cell = record.get(index).unwrap_or_default();
            row.values.push(match cell::read(cell, self.decimal_comma) {
                Cell::Number(x) => Some(x),
                Cell::Missing => None,
                Cell::Infinite => {
                    counts.infinite_cells += 1;
                    let first = &mut firsts.infinite_cell;
                    first.get_or_insert_with(|| odd_cell(self.line(), cell, name));
                    None
                }
                Cell::Text => {
                    counts.text_cells += 1;
                    let first = &mut firsts.text_cell;
                    first.get_or_insert_with(|| odd_cell(self.line(), cell, name));
                    None
                }
            });
        }
        Ok(true)
    }
}

/// The line of the file on which a record of this text begins.
fn line_of(record: &ByteRecord, text: &[u8], mut lines: Lines) -> u64 {
    // The reader's own count is that of `\n`, up to where it looked for the record.
    let at = record.position().map_or(0, csv::Position::byte);
    let (above, row) = text.split_at(usize::try_from(at).map_or(0, |at| at.min(text.len())));
    lines.pass(above);
    lines.line_of_row(row)
}

/// Cells have one sign between them; where that is a space, tables have as many as align them.
fn one_by_one(text: &[u8], separator: u8) -> Cow<'_, [u8]> {
    if separator == b' ' {
        joined(text).into()
    } else {
        text.into()
    }
}

/// As much of a cell as a person wants to read.
fn shown(cell: &[u8]) -> String {
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

/// Says where a cell is and what is in it.
fn odd_cell(line: u64, cell: &[u8], column: &str) -> String {
    let quote = if cell.contains(&b'\n') {
        ", and more lines: a quote that is not closed?"
    } else {
        ""
    };
    let found = shown(cell);
    format!("line {line}: `{found}` in the column `{column}`{quote}")
}

/// What stands above the table: a mark of the encoding, Excel's `sep=;`, comments, empty lines.
struct Above<'a> {
    bytes: usize,
    lines: Lines,
    separator: Option<u8>,
    /// The last comment, which may be the header.
    comment: Option<&'a [u8]>,
}

impl<'a> Above<'a> {
    fn of(head: &'a [u8]) -> Self {
        let mut above = Self {
            bytes: if head.starts_with(b"\xef\xbb\xbf") {
                3
            } else {
                0
            },
            lines: Lines::default(),
            separator: None,
            comment: None,
        };
        let begin = above.bytes;
        let ends = |b: &u8| matches!(b, b'\n' | b'\r');
        while let Some(end) = head[above.bytes..].iter().position(ends) {
            let whole = &head[above.bytes..=above.bytes + end];
            let line = whole.trim_ascii();
            match line {
                [] => {}
                [b'#' | b'%', ..] | [b'/', b'/', ..] => {
                    above.comment = Some(uncommented(line));
                }
                [b's', b'e', b'p', b'=', separator] if above.bytes == begin => {
                    above.separator = Some(*separator);
                }
                _ => break,
            }
            above.bytes += whole.len();
            above.lines.pass(whole);
        }
        above
    }
}

/// A line without the signs of a comment.
fn uncommented(line: &[u8]) -> &[u8] {
    let signs = line.iter().take_while(|b| matches!(b, b'#' | b'%' | b'/'));
    line[signs.count()..].trim_ascii()
}

fn builder(separator: u8) -> csv::ReaderBuilder {
    let mut builder = csv::ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .comment(Some(b'#'));
    builder
}

/// The first rows; the last one is left out where the head may have cut it.
fn records(text: &[u8], separator: u8, whole: bool, most: usize) -> Vec<ByteRecord> {
    let rows = builder(separator).from_reader(text).into_byte_records();
    let mut rows: Vec<ByteRecord> = rows
        .map_while(Result::ok)
        .take(most.saturating_add(1))
        .collect();
    if rows.len() > most || (!whole && rows.len() > 1) {
        rows.pop();
    }
    rows
}

/// What makes rows of equal length, with the most cells in which there is a number, nothing, or time.
fn separator(text: &[u8], whole: bool) -> u8 {
    let worth = |separator: &u8| {
        let text = one_by_one(text, *separator);
        let rows = records(&text, *separator, whole, TRIED_ROWS);
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
            let stamp = || std::str::from_utf8(cell).is_ok_and(|c| Stamps::of("", &[c]).is_some());
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

/// Whether numbers are written with commas: more of them than with points.
fn has_decimal_commas(records: &[ByteRecord]) -> bool {
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

/// Whether a first row is one already, and no header: numbers and stamps only.
fn is_row(record: &ByteRecord, decimal_comma: bool) -> bool {
    let mut numbers = 0;
    for cell in record {
        match cell::read(cell, decimal_comma) {
            Cell::Number(_) | Cell::Infinite => numbers += 1,
            Cell::Missing => {}
            Cell::Text => {
                let stamp = std::str::from_utf8(cell).is_ok_and(|c| Stamps::of("", &[c]).is_some());
                if !stamp {
                    return false;
                }
            }
        }
    }
    numbers > 0
}

/// Names of a header. What is no UTF-8 is taken for Latin-1, as old programs write their degrees.
fn names<'a>(cells: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
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

/// Gives every column a name of its own.
fn unique(names: Vec<String>, notes: &mut Vec<String>) -> Vec<String> {
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
                notes.push(format!("another column `{name}` is called `{own}`"));
            }
            taken.insert(own.clone());
            own
        })
        .collect()
}

struct FoundTime {
    index: usize,
    stamps: Stamps,
    found: TimeColumn,
}

/// The named column of stamps, or the one that looks most like it.
fn find_time(
    file: &Path,
    names: &[String],
    records: &[ByteRecord],
    wanted: &Wanted,
) -> Result<Option<FoundTime>, TableError> {
    let cells = |index: usize| -> Vec<&str> {
        let cells = records.iter().filter_map(|r| r.get(index));
        cells.filter_map(|c| std::str::from_utf8(c).ok()).collect()
    };
    let found = |index: usize, guessed: bool| {
        let stamps = Stamps::of(&names[index], &cells(index))?;
        Some(FoundTime::new(
            index,
            &names[index],
            guessed,
            stamps,
            &cells(index),
        ))
    };
    if let Some(name) = &wanted.time {
        let Some(index) = names.iter().position(|n| n == name) else {
            return Ok(None);
        };
        let Some(time) = found(index, false) else {
            let cells = cells(index);
            let Some(cell) = cells.iter().find(|c| !c.trim().is_empty()) else {
                // A header without rows, or stamps that are all missing: there is nothing to be wrong.
                return Ok(None);
            };
            return Err(TableError::wrong(
                file,
                format!("`{}` in the column `{name}`", cell.trim()),
                "time: ISO 8601, as 2020-03-09 10:14:33, or seconds, ms, us or ns as numbers",
            ));
        };
        return Ok(Some(time));
    }
    let candidates = (0..names.len())
        .filter(|&k| !wanted.ignore.contains(&names[k]) && !wanted.columns.contains(&names[k]));
    let likely = candidates.filter_map(|index| {
        let time = found(index, true)?;
        let named = is_called_time(&names[index]);
        let moves = time.found.period_ns.is_some();
        // Numbers are time where they are called so, or count from 1970 and go on.
        let counts = matches!(time.stamps, Stamps::Count { .. });
        let read = cells(index);
        let read: Vec<i64> = read.iter().filter_map(|c| time.stamps.read(c)).collect();
        // Where it is called time, some rows may be late, or the last one may stand first.
        let goes_on = read.is_sorted() || (named && passes(&read));
        let is_time = if time.stamps.is_plain_number() {
            named && goes_on
        } else {
            !counts || (goes_on && moves)
        };
        let moving = (1.0 - time.found.repeated) * f64::from(u8::from(moves));
        is_time.then_some(((moving * 1000.0) as u64, named, time))
    });
    // The first of equals.
    let best = likely.reduce(|a, b| if (b.0, b.1) > (a.0, a.1) { b } else { a });
    Ok(best.map(|(_, _, time)| time))
}

impl FoundTime {
    fn new(index: usize, name: &str, guessed: bool, stamps: Stamps, cells: &[&str]) -> Self {
        let steps = steps(stamps, cells.iter().copied());
        let mut forward: Vec<u64> = steps
            .iter()
            .filter_map(|&s| u64::try_from(s).ok())
            .collect();
        forward.retain(|&step| step > 0);
        forward.sort_unstable();
        let period_ns = forward.get(forward.len() / 2).copied();
        let share = |of: &dyn Fn(i64) -> bool| {
            steps.iter().filter(|step| of(**step)).count() as f64 / steps.len().max(1) as f64
        };
        let uneven = |step: i64| {
            let periods = step as f64 / period_ns.unwrap_or(1) as f64;
            periods < 0.5 || (periods - periods.round()).abs() > UNEVEN
        };
        Self {
            index,
            stamps,
            found: TimeColumn {
                name: name.to_owned(),
                guessed,
                format: stamps.name(),
                epoch: stamps.is_epoch(),
                period_ns,
                repeated: repeated(&steps),
                backward: share(&|step| step < 0),
                uneven: share(&uneven),
                pace_ns: None,
            },
        }
    }

    /// Time between these rows (ns): nine of ten come no later than this after the one before. None where they are few.
    fn pace_ns(&self, rows: &[&ByteRecord]) -> Option<u64> {
        let cells = rows.iter().filter_map(|r| r.get(self.index));
        let cells = cells.filter_map(|c| std::str::from_utf8(c).ok());
        let mut steps: Vec<u64> = steps(self.stamps, cells)
            .into_iter()
            .filter_map(|step| u64::try_from(step).ok().filter(|step| *step > 0))
            .collect();
        steps.sort_unstable();
        let most = steps.get(steps.len() * 9 / 10).copied();
        most.filter(|_| steps.len() >= COUNTED)
    }
}

/// Time from stamp to stamp (ns), of those that can be read.
fn steps<'a>(stamps: Stamps, cells: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut last = None;
    let steps = cells.filter_map(|cell| {
        let ns = stamps.read_after(cell, last)?;
        last.replace(ns).map(|last| ns.saturating_sub(last))
    });
    steps.collect()
}

/// Whether a column is called as columns of time are.
fn is_called_time(name: &str) -> bool {
    let lower = name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphabetic());
    // A capital T is a temperature.
    let heat = name.split(|c: char| !c.is_alphabetic()).next() == Some("T");
    (words.any(|w| TIME_WORDS.contains(&w)) && !heat) || lower.ends_with("time")
}

/// Whether numbers go one way on the whole: nine of ten in the first third lie on one side of nine of ten in the last.
fn passes(numbers: &[i64]) -> bool {
    let third = numbers.len() / 3;
    if third < COUNTED {
        return false;
    }
    let sorted = |part: &[i64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        let at = |tenth: usize| part[(part.len() - 1) * tenth / 10];
        (at(1), at(9))
    };
    let (first_low, first_high) = sorted(&numbers[..third]);
    let (last_low, last_high) = sorted(&numbers[numbers.len() - third..]);
    first_high < last_low || last_high < first_low
}

/// Share of the stamps that are that of the row before, of those that do not go back.
fn repeated(steps: &[i64]) -> f64 {
    let count = |of: fn(&&i64) -> bool| steps.iter().filter(of).count();
    count(|step| **step == 0) as f64 / count(|step| **step >= 0).max(1) as f64
}

/// What a column is that is not the time.
fn kind(
    index: usize,
    name: &String,
    records: &[ByteRecord],
    decimal_comma: bool,
    wanted: &Wanted,
) -> Kind {
    if wanted.ignore.contains(name) {
        return Kind::Ignored;
    }
    let (mut numbers, mut texts) = (0usize, 0usize);
    let mut column = Vec::with_capacity(records.len());
    for record in records {
        match cell::read(record.get(index).unwrap_or_default(), decimal_comma) {
            Cell::Number(x) => {
                numbers += 1;
                column.push(x);
            }
            Cell::Infinite => numbers += 1,
            Cell::Text => texts += 1,
            Cell::Missing => {}
        }
    }
    if wanted.columns.contains(name) {
        Kind::Numbers
    } else if numbers + texts == 0 {
        Kind::Empty
    } else if texts > numbers {
        Kind::Text
    } else if !wanted.columns.is_empty() {
        Kind::Unwanted
    } else if column.len() == records.len() && counts(&column) {
        Kind::Counter
    } else {
        Kind::Numbers
    }
}

/// Whether numbers count: every step is the same, and not none.
fn counts(column: &[f64]) -> bool {
    let [first, second, ..] = column else {
        return false;
    };
    let step = second - first;
    let same = |pair: &[f64]| (pair[1] - pair[0] - step).abs() <= SAME_STEP * step.abs();
    column.len() >= COUNTED && step != 0.0 && column.windows(2).all(same)
}
