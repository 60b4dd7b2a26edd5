//! Detection of the time column.

mod even;
mod several;
mod texts;

use super::parts::calendar;
use crate::digits::NumberStyle;
use crate::error::TableError;
use crate::head::{Head, HeadRow};
use crate::schema::{TimeColumn, Wanted};
use crate::time_format::{Detected, TimeFormat, Unit, detect, is_stamp};
pub(super) use even::MIN_STEPS;
use even::reason;
use several::{several, with_fraction, year_to_second};
use std::borrow::Cow;
use std::path::Path;
use texts::Texts;
pub(crate) use texts::{Joined, Part};

/// A step is uneven if it deviates from a whole number of periods by more than this share of one.
const UNEVEN_SHARE: f64 = 0.25;
/// Words in names of time columns.
const TIME_WORDS: [&str; 22] = [
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
    "millis",
    "micros",
    "uptime",
    "tow",
    "minutes",
    "hours",
    "secs",
];

/// Columns of the time stamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeCells {
    pub(crate) index: usize,
    /// All columns of a stamp in several.
    pub(crate) joined: Option<Joined>,
    pub(crate) format: TimeFormat,
    /// How numbers are written in the column.
    pub(crate) style: NumberStyle,
}

/// Time column, and other columns of time stamps.
pub(super) struct FoundTime {
    pub(super) cells: TimeCells,
    /// Columns of time stamps that are not used.
    pub(super) others: Vec<usize>,
    pub(super) found: TimeColumn,
    pub(super) note: Option<String>,
    /// Whether the numbers have no unit.
    pub(super) assumed: bool,
}

/// Finds the time column: the requested one, or the most likely one.
pub(super) fn find_time(
    file: &Path,
    head: &Head,
    wanted: &Wanted,
) -> Result<Option<FoundTime>, TableError> {
    let names = &head.names;
    let unit_below = |index: usize| {
        let (_, cells) = head.units.as_ref()?;
        let cell = cells.get(index)?.trim();
        Some((Unit::of_cell(cell)?, cell))
    };
    let detected = |index: usize| match (&head.time, &wanted.time_format, &wanted.time_unit) {
        (Some((known, format)), ..) if *known == index => Some(Detected::sure(format.clone())),
        (_, Some(format), _) => Some(Detected::sure(TimeFormat::requested(format))),
        (_, _, Some(word)) => Unit::of_word(word)
            .map(|unit| Detected::sure(TimeFormat::in_unit(unit, &Texts::of(head, index).texts()))),
        _ => detect(
            &names[index],
            &Texts::of(head, index).texts(),
            unit_below(index),
        ),
    };
    let found = |index: usize, guessed: bool| {
        let detected = detected(index)?;
        let texts = Texts::of(head, index);
        let filled = texts.0.iter().filter(|(_, c)| !c.trim().is_empty());
        let read = texts
            .0
            .iter()
            .filter(|(_, c)| detected.format.read(c).is_some());
        let reads = read.clone().count() > 0 && read.count() * 2 >= filled.count();
        let cells = TimeCells {
            index,
            joined: None,
            format: detected.format.clone(),
            style: head.style(index),
        };
        reads.then(|| {
            let time = FoundTime::new(cells, &names[index], guessed, &detected, &texts, head);
            (time, detected.ask)
        })
    };
    // Refuses what cannot be told.
    let told = |(time, ask): (FoundTime, Option<(String, String)>)| match ask {
        None => Ok(Some(time)),
        Some((found, expected)) => {
            let index = time.cells.index;
            let texts = Texts::of(head, index);
            let at = texts.0.iter().find(|(_, c)| !c.trim().is_empty());
            Err(TableError::Invalid {
                file: file.to_owned(),
                line: at.map(|(at, _)| *at).filter(|_| head.place == "line"),
                found: format!("{found}, in the column `{}`", names[index]),
                expected,
            })
        }
    };
    // Error of a column that is no time, or not the one that was requested.
    let misfit = |index: usize| {
        let format = detected(index).map(|d| d.format);
        let reads = |c: &str| format.as_ref().is_some_and(|f| f.read(c).is_some());
        let texts = Texts::of(head, index);
        let is_odd = |(_, c): &&(u64, Cow<'_, str>)| !c.trim().is_empty() && !reads(c);
        let (at, cell) = texts.0.iter().find(is_odd)?;
        let expected = match (&wanted.time_format, &wanted.time_unit) {
            (Some(format), _) => format!("time as `{format}`, the format of --time-format"),
            (None, Some(unit)) => format!("a number of {unit}, the unit of --time-unit"),
            _ => "time: ISO 8601, such as 2020-03-09 10:14:33, or seconds, ms, us or ns as numbers; --time-format states another format, such as %d/%m/%Y %H:%M:%S".to_owned(),
        };
        Some(TableError::Invalid {
            file: file.to_owned(),
            line: Some(*at).filter(|_| head.place == "line"),
            found: format!("`{}` in the column `{}`", cell.trim(), names[index]),
            expected,
        })
    };
    if let Some(name) = &wanted.time {
        let Some(index) = names.iter().position(|n| n == name) else {
            return Ok(None);
        };
        let Some(time) = found(index, false) else {
            // No rows, or all stamps are missing: not an error.
            return misfit(index).map_or(Ok(None), Err);
        };
        return told(time);
    }
    let is_free = |index: usize| {
        !wanted.ignore.contains(&names[index]) && !wanted.columns.contains(&names[index])
    };
    if let Some((index, _)) = head.time
        && is_free(index)
    {
        return Ok(found(index, false).map(|(time, _)| time));
    }
    let is_as_detected = wanted.time_format.is_none() && wanted.time_unit.is_none();
    let together = |joined: Joined| {
        let texts = Texts::joined(head, &joined);
        let is_count = |text: &str| text.parse::<f64>().is_ok();
        let mut detected = if texts.texts().iter().any(|text| is_count(text)) {
            detect("s", &texts.texts(), Unit::of_word("s").map(|s| (s, "s")))
        } else {
            detect("date", &texts.texts(), None)
        }
        .filter(|d| !matches!(d.format, TimeFormat::Clock(_)))?;
        let cells = TimeCells {
            index: joined.parts.first()?.column,
            joined: Some(joined.clone()),
            format: detected.format.clone(),
            style: NumberStyle::default(),
        };
        detected.why = Some(format!("the columns {}", joined.names(names, ", ", "`")));
        let name = joined.names(names, " + ", "");
        let time = FoundTime::new(cells, &name, true, &detected, &texts, head);
        Some((time, detected.ask))
    };
    let finer = |time: &FoundTime| {
        let cells = &time.cells;
        let joined = with_fraction(head, cells.joined.as_ref(), cells.index, &is_free);
        let (finer, ask) = together(joined.filter(|_| is_as_detected)?)?;
        let is_finer = finer.found.repeated < time.found.repeated
            && finer.found.backward <= time.found.backward;
        is_finer.then_some((finer, ask))
    };
    if is_as_detected
        && let Some(joined) = several(head, &is_free)
        && let Some((time, ask)) = together(joined)
    {
        return told(finer(&time).unwrap_or((time, ask)));
    }
    let parts = calendar(names);
    let candidates = (0..names.len()).filter(|k| is_free(*k) && !parts.contains(k));
    let mut stamps = Vec::new();
    let likely = candidates.filter_map(|index| {
        let (time, ask) = found(index, true)?;
        let united = index == 0 && unit_below(index).is_some();
        let named = has_time_name(&names[index]) || united;
        let moves = time.found.period_ns.is_some();
        // Numbers are time if the column's name is that of a time, or if they are relative to 1970 and increase.
        let counts = matches!(time.cells.format, TimeFormat::Count { .. });
        let read = Texts::of(head, index);
        let read: Vec<i64> = read
            .0
            .iter()
            .filter_map(|(_, c)| time.cells.format.read(c))
            .collect();
        // With a time name, some rows may be late, or the order descending.
        let increases = read.is_sorted() || (named && (has_trend(&read) || goes_forward(&read)));
        let is_time = if time.cells.format.is_plain_number() {
            named && increases
        } else {
            !counts || (increases && moves)
        };
        if is_time && !time.cells.format.is_plain_number() && (named || !counts) {
            stamps.push(index);
        }
        let moving = (1.0 - time.found.repeated) * f64::from(u8::from(moves));
        is_time.then_some(((moving * 1000.0) as u64, named, (time, ask)))
    });
    // The first of equals.
    let best = likely.reduce(|a, b| if (b.0, b.1) > (a.0, a.1) { b } else { a });
    let Some((_, _, (time, ask))) = best else {
        // Parts of dates beside a column of stamps are features of these.
        let joined = year_to_second(head, &is_free).filter(|_| is_as_detected);
        if let Some((time, ask)) = joined.and_then(together) {
            return told(finer(&time).unwrap_or((time, ask)));
        }
        let requested = wanted.time_format.is_some() || wanted.time_unit.is_some();
        let asked = wanted.time_unit.is_some();
        let mut free = (0..names.len()).filter(|k| is_free(*k) && !parts.contains(k));
        let even = free.clone().find_map(|index| {
            let why = reason(head, index, asked)?;
            Some((found(index, true)?, index, why))
        });
        if let Some(((mut time, ask), index, why)) = even {
            let note = format!(
                "`{}` is taken for the time by {why}; --time names another column, --ignore ignores it",
                names[index]
            );
            time.note = Some(
                time.note
                    .map_or(note.clone(), |more| format!("{more}; {note}")),
            );
            return told((time, ask));
        }
        // What was requested is not dropped.
        let stamps = |index: &usize| {
            let texts = Texts::of(head, *index);
            let mut cells = texts.0.iter().map(|(_, c)| c.trim());
            has_time_name(&names[*index]) || cells.find(|c| !c.is_empty()).is_some_and(is_stamp)
        };
        let index = free.clone().find(stamps).or_else(|| free.next());
        let misfit = index.filter(|_| requested).and_then(misfit);
        return misfit.map_or(Ok(None), Err);
    };
    stamps.retain(|k| *k != time.cells.index);
    let (mut time, ask) = finer(&time).unwrap_or((time, ask));
    time.others = stamps;
    told((time, ask))
}

impl FoundTime {
    fn new(
        cells: TimeCells,
        name: &str,
        guessed: bool,
        detected: &Detected,
        texts: &Texts<'_>,
        head: &Head,
    ) -> Self {
        let format = &cells.format;
        let steps = steps(format, texts.0.iter().map(|(_, text)| text.as_ref()));
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
        let first = texts.0.iter().find(|(_, c)| format.read(c).is_some());
        let place = first.map_or(String::new(), |(at, _)| format!(" ({} {at})", head.place));
        let why = detected.why.as_ref().map_or(String::new(), |why| {
            let below = head.units.as_ref().filter(|_| why.starts_with("the unit"));
            let line = below.map_or(String::new(), |(line, _)| format!(" in line {line}"));
            format!(", by {why}{line}")
        });
        let assumed = detected.assumed;
        let why = if assumed {
            " assumed: no unit is stated, --time-unit states it".to_owned()
        } else {
            why
        };
        let note = detected
            .note
            .as_ref()
            .map(|note| format!("`{name}`{place}: {note}"));
        Self {
            others: Vec::new(),
            note,
            assumed,
            found: TimeColumn {
                name: name.to_owned(),
                guessed,
                format: format!("{}{why}", format.name()),
                epoch: format.is_epoch(),
                period_ns,
                repeated: repeated(&steps),
                backward: share(&|step| step < 0),
                uneven: share(&uneven),
                pace_ns: None,
            },
            cells,
        }
    }

    /// 90th percentile of the period between these rows (ns); `None` if there are few.
    pub(super) fn pace_ns(&self, rows: &[&HeadRow]) -> Option<u64> {
        let cells = &self.cells;
        let mut texts: Vec<Cow<'_, str>> = Vec::new();
        for row in rows {
            match &cells.joined {
                None => texts.extend(row.text(cells.index).map(|text| cells.style.plain(text))),
                Some(joined) => {
                    let mut text = String::new();
                    joined.join(|k| row.text(k).unwrap_or_default().into(), &mut text);
                    texts.push(text.into());
                }
            }
        }
        let mut steps: Vec<u64> = steps(&cells.format, texts.iter().map(AsRef::as_ref))
            .into_iter()
            .filter_map(|step| u64::try_from(step).ok().filter(|step| *step > 0))
            .collect();
        steps.sort_unstable();
        let most = steps.get(steps.len() * 9 / 10).copied();
        most.filter(|_| steps.len() >= MIN_STEPS)
    }
}

/// Steps between valid stamps (ns).
fn steps<'a>(format: &TimeFormat, cells: impl Iterator<Item = &'a str>) -> Vec<i64> {
    let mut last = None;
    let steps = cells.filter_map(|cell| {
        let ns = format.read_after(cell, last)?;
        last.replace(ns).map(|last| ns.saturating_sub(last))
    });
    steps.collect()
}

/// Whether the name of a column is that of a time.
pub(crate) fn has_time_name(name: &str) -> bool {
    let lower = name.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphabetic());
    // A capital T is temperature.
    let heat = name.split(|c: char| !c.is_alphabetic()).next() == Some("T");
    (words.any(|w| TIME_WORDS.contains(&w)) && !heat) || lower.ends_with("time")
}

/// Whether a clock that was set back now and then could count so: nine of ten steps go forward, or stay.
fn goes_forward(numbers: &[i64]) -> bool {
    let back = numbers.windows(2).filter(|w| w[1] < w[0]).count();
    numbers.len() > MIN_STEPS && back * 10 <= numbers.len()
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

/// Share of repeated stamps among those that do not decrease. Rows before the first change of the stamp, and from the last
/// one on, do not count: the time they took is unknown.
fn repeated(steps: &[i64]) -> f64 {
    let changes = |step: &i64| *step > 0;
    let (from, to) = (
        steps.iter().position(changes),
        steps.iter().rposition(changes),
    );
    let between = from.zip(to).filter(|(from, to)| from < to);
    let steps = between.map_or(steps, |(from, to)| &steps[from + 1..=to]);
    let count = |of: fn(&&i64) -> bool| steps.iter().filter(of).count();
    count(|step| **step == 0) as f64 / count(|step| **step >= 0).max(1) as f64
}
