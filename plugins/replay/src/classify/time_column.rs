//! Detection of the time column.

use crate::error::TableError;
use crate::head::{Head, HeadRow};
use crate::schema::{TimeColumn, Wanted};
use crate::time_format::TimeFormat;
use std::path::Path;

/// Least number of steps for statistics, and of equal steps of a counter.
pub(super) const MIN_STEPS: usize = 8;
/// A step is uneven if it deviates from a whole number of periods by more than this share of one.
const UNEVEN_SHARE: f64 = 0.25;
/// Words in names of time columns.
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

/// Time column, its index and format.
pub(super) struct FoundTime {
    pub(super) index: usize,
    pub(super) format: TimeFormat,
    pub(super) found: TimeColumn,
}

/// Finds the time column: the requested one, or the most likely one.
pub(super) fn find_time(
    file: &Path,
    head: &Head,
    wanted: &Wanted,
) -> Result<Option<FoundTime>, TableError> {
    let names = &head.names;
    let cells = |index: usize| -> Vec<&str> {
        let cells = head.rows.iter().filter_map(|r| r.text(index));
        cells.collect()
    };
    let found = |index: usize, guessed: bool| {
        let format = match head.time {
            Some((known, format)) if known == index => format,
            _ => TimeFormat::of(&names[index], &cells(index))?,
        };
        Some(FoundTime::new(
            index,
            &names[index],
            guessed,
            format,
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
                // No rows, or all stamps are missing: not an error.
                return Ok(None);
            };
            return Err(TableError::invalid(
                file,
                format!("`{}` in the column `{name}`", cell.trim()),
                "time: ISO 8601, such as 2020-03-09 10:14:33, or seconds, ms, us or ns as numbers",
            ));
        };
        return Ok(Some(time));
    }
    if let Some((index, _)) = head.time
        && !wanted.ignore.contains(&names[index])
        && !wanted.columns.contains(&names[index])
    {
        return Ok(found(index, false));
    }
    let candidates = (0..names.len())
        .filter(|&k| !wanted.ignore.contains(&names[k]) && !wanted.columns.contains(&names[k]));
    let likely = candidates.filter_map(|index| {
        let time = found(index, true)?;
        let named = has_time_name(&names[index]);
        let moves = time.found.period_ns.is_some();
        // Numbers are time if the column's name is that of a time, or if they are relative to 1970 and increase.
        let counts = matches!(time.format, TimeFormat::Count { .. });
        let read = cells(index);
        let read: Vec<i64> = read.iter().filter_map(|c| time.format.read(c)).collect();
        // With a time name, some rows may be late, or the order descending.
        let increases = read.is_sorted() || (named && has_trend(&read));
        let is_time = if time.format.is_plain_number() {
            named && increases
        } else {
            !counts || (increases && moves)
        };
        let moving = (1.0 - time.found.repeated) * f64::from(u8::from(moves));
        is_time.then_some(((moving * 1000.0) as u64, named, time))
    });
    // The first of equals.
    let best = likely.reduce(|a, b| if (b.0, b.1) > (a.0, a.1) { b } else { a });
    Ok(best.map(|(_, _, time)| time))
}

impl FoundTime {
    fn new(index: usize, name: &str, guessed: bool, format: TimeFormat, cells: &[&str]) -> Self {
        let steps = steps(format, cells.iter().copied());
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
            periods < 0.5 || (periods - periods.round()).abs() > UNEVEN_SHARE
        };
        Self {
            index,
            format,
            found: TimeColumn {
                name: name.to_owned(),
                guessed,
                format: format.name(),
                epoch: format.is_epoch(),
                period_ns,
                repeated: repeated(&steps),
                backward: share(&|step| step < 0),
                uneven: share(&uneven),
                pace_ns: None,
            },
        }
    }

    /// 90th percentile of the period between these rows (ns); `None` if there are few.
    pub(super) fn pace_ns(&self, rows: &[&HeadRow]) -> Option<u64> {
        let cells = rows.iter().filter_map(|r| r.text(self.index));
        let mut steps: Vec<u64> = steps(self.format, cells)
            .into_iter()
            .filter_map(|step| u64::try_from(step).ok().filter(|step| *step > 0))
            .collect();
        steps.sort_unstable();
        let most = steps.get(steps.len() * 9 / 10).copied();
        most.filter(|_| steps.len() >= MIN_STEPS)
    }
}

/// Steps between valid stamps (ns).
fn steps<'a>(format: TimeFormat, cells: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut last = None;
    let steps = cells.filter_map(|cell| {
        let ns = format.read_after(cell, last)?;
        last.replace(ns).map(|last| ns.saturating_sub(last))
    });
    steps.collect()
}

/// Whether the name of a column is that of a time.
pub(super) fn has_time_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphabetic());
    // A capital T is temperature.
    let heat = name.split(|c: char| !c.is_alphabetic()).next() == Some("T");
    (words.any(|w| TIME_WORDS.contains(&w)) && !heat) || lower.ends_with("time")
}

/// Whether numbers have a trend: nine of ten in the first third are below, or above, nine of ten in the last third.
fn has_trend(numbers: &[i64]) -> bool {
    let third = numbers.len() / 3;
    if third < MIN_STEPS {
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

/// Share of repeated stamps among those that do not decrease.
fn repeated(steps: &[i64]) -> f64 {
    let count = |of: fn(&&i64) -> bool| steps.iter().filter(of).count();
    count(|step| **step == 0) as f64 / count(|step| **step >= 0).max(1) as f64
}
