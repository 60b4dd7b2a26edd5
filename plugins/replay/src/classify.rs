//! Classification of a table's columns by its [`Head`], whatever the format of the file.

mod columns;
mod parts;
mod time_column;

use crate::cell::{Cell, excerpt};
use crate::error::TableError;
use crate::head::{Head, HeadRow};
use crate::schema::{Column, Counts, Firsts, Kind, Schema, Wanted};
use columns::column_kind;
use parts::{calendar_note, fraction_note};
use std::path::Path;
use time_column::{FoundTime, find_time};
pub(crate) use time_column::{TimeCells, has_time_name};

/// Channels whose periods differ by more than this factor do not share time steps.
const MAX_PERIOD_RATIO: u64 = 4;

/// Columns that rows are read from.
#[derive(Debug)]
pub(crate) struct Classes {
    /// Names of all columns.
    pub(crate) names: Vec<String>,
    /// Column index of each channel.
    pub(crate) channels: Vec<usize>,
    /// Columns and format of the time.
    pub(crate) time: Option<TimeCells>,
}

/// Refuses requested columns that a table does not have.
pub(crate) fn check_wanted(
    file: &Path,
    names: &[String],
    wanted: &Wanted,
) -> Result<(), TableError> {
    let asked = wanted.time.iter().chain(&wanted.columns);
    match asked.chain(&wanted.ignore).find(|n| !names.contains(n)) {
        Some(name) => Err(TableError::no_column(file, name, names)),
        None => Ok(()),
    }
}

/// Classifies the columns of a table.
///
/// # Errors
///
/// A [`TableError`] if a requested column does not exist or does not fit.
pub(crate) fn classify(
    file: &Path,
    head: Head,
    wanted: &Wanted,
) -> Result<(Schema, Classes), TableError> {
    check_wanted(file, &head.names, wanted)?;
    let mut time = find_time(file, &head, wanted)?;
    let has_parts = |t: &&FoundTime| {
        let joined = t.cells.joined.as_ref();
        let finest = joined.and_then(|j| j.parts.last());
        t.found.repeated > 0.0 && wanted.time.is_none() && finest.is_none_or(|p| p.before != ".")
    };
    let coarse = time.as_ref().filter(has_parts);
    let parts_note = match &time {
        None => calendar_note(&head.names),
        Some(_) => coarse.and_then(|time| fraction_note(&head, &time.found.name)),
    };
    let Head {
        names,
        rows,
        place,
        mut notes,
        ..
    } = head;
    notes.extend(parts_note);
    if let Some(time) = &time {
        notes.extend(time.note.clone());
        notes.extend(doubtful_unit(time, &rows));
        let others: Vec<String> = time
            .others
            .iter()
            .map(|k| format!("`{}`", names[*k]))
            .collect();
        if !others.is_empty() {
            notes.push(format!(
                "{}: time stamps beside `{}`, not channels",
                others.join(", "),
                time.found.name
            ));
        }
    }
    let is_time = |index: usize| {
        time.as_ref().is_some_and(|t| {
            let joined = t.cells.joined.as_ref().is_some_and(|j| j.has(index));
            t.cells.index == index || joined || t.others.contains(&index)
        })
    };
    let columns: Vec<Column> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let kind = if is_time(index) {
                Kind::Time
            } else {
                column_kind(index, name, &rows, wanted)
            };
            let found = |row: &HeadRow| {
                let text = (row.cell(index) == Cell::Text).then(|| row.text(index))??;
                Some(format!("{place} {}: `{}`", row.at, excerpt(text)))
            };
            let text = match kind {
                Kind::Text => rows.iter().find_map(found),
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
                "`{name}` has no known time format ({text}); expected ISO 8601, such as 2020-03-09 10:14:33, or seconds, ms, us or ns as numbers, or --time and --time-format, such as %d.%m.%Y %H:%M:%S"
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
    let (mut sparse, mut periods_ns) = (false, Vec::new());
    for &channel in &channels {
        let has = |r: &&HeadRow| matches!(r.cell(channel), Cell::Number(_));
        let with: Vec<&HeadRow> = rows.iter().filter(has).collect();
        sparse |= !with.is_empty() && with.len() * 2 <= rows.len();
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
    notes.extend(long_table(&columns, &channels, &rows));
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
    let classes = Classes {
        names,
        channels,
        time: time.map(|t| t.cells),
    };
    Ok((schema, classes))
}

/// Names of columns that name what is measured in each row of a long table.
const SERIES: [&str; 20] = [
    "sensor",
    "channel",
    "variable",
    "metric",
    "tag",
    "signal",
    "parameter",
    "param",
    "field",
    "quantity",
    "measurement",
    "series",
    "point",
    "topic",
    "item",
    "attribute",
    "property",
    "entity",
    "register",
    "kanal",
];

/// Note about rows of several quantities in one column, as databases of time series give them.
fn long_table(columns: &[Column], channels: &[usize], rows: &[HeadRow]) -> Option<String> {
    let &[channel] = channels else {
        return None;
    };
    let is_series = |name: &str| {
        let lower = name.to_lowercase();
        let mut words = lower.split(|c: char| !c.is_alphanumeric());
        words.any(|word| SERIES.contains(&word))
    };
    let mut series = columns.iter().enumerate();
    let (index, column) = series.find(|(_, c)| c.kind == Kind::Text && is_series(&c.name))?;
    let mut values: Vec<&str> = rows
        .iter()
        .filter_map(|r| Some(r.text(index)?.trim()))
        .collect();
    values.sort_unstable();
    values.dedup();
    if values.len() < 2 || values.len() * 2 > rows.len() {
        return None;
    }
    let named: Vec<String> = values
        .iter()
        .take(4)
        .map(|v| format!("`{}`", excerpt(v)))
        .collect();
    let (series, value) = (&column.name, &columns[channel].name);
    Some(format!(
        "`{value}` has the rows of all that `{series}` names ({}{}), as if they were one channel; one column for each: pandas.read_csv(..).pivot_table(index=<time>, columns='{series}', values='{value}').to_csv(..)",
        named.join(", "),
        if values.len() > named.len() {
            ", .."
        } else {
            ""
        }
    ))
}

/// Whole numbers without a unit that are far apart are rarely seconds.
fn doubtful_unit(time: &FoundTime, rows: &[HeadRow]) -> Option<String> {
    const DOUBTFUL_NS: u64 = 5_000_000_000;
    /// Usual periods of rows (ns).
    const USUAL_NS: std::ops::RangeInclusive<f64> = 1e5..=6e10;
    let period_ns = time
        .found
        .period_ns
        .filter(|ns| time.assumed && *ns >= DOUBTFUL_NS)?;
    let text = |row: &HeadRow| {
        let text = row.text(time.cells.index).unwrap_or_default();
        time.cells.style.plain(text).trim().to_owned()
    };
    let first = rows.iter().map(text).find(|text| !text.is_empty())?;
    let period = period_ns as f64 / 1e9;
    let units = [
        ("milliseconds", "ms", 1e6),
        ("microseconds", "us", 1e3),
        ("nanoseconds", "ns", 1.0),
    ];
    let usual: Vec<_> = units
        .iter()
        .filter(|(.., ns)| USUAL_NS.contains(&(period * ns)))
        .collect();
    let names: Vec<&str> = usual.iter().map(|unit| unit.0).collect();
    let options: Vec<String> = usual
        .iter()
        .map(|unit| format!("--time-unit {}", unit.1))
        .collect();
    let whole = |row: &HeadRow| !text(row).contains(['.', ',']);
    (!usual.is_empty() && rows.iter().all(whole)).then(|| {
        format!(
            "`{}` has no unit: its numbers (`{first}` in the first row) are taken for seconds, a row every {period} s; if they are {}, say {}",
            time.found.name,
            names.join(" or "),
            options.join(" or ")
        )
    })
}
