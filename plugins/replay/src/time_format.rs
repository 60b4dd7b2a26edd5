//! Formats of time stamps in text.

mod clock;
mod count;
mod date;
mod detect;
mod unit;

pub(crate) use clock::Clock;
pub(crate) use count::Origin;
pub(crate) use date::DateForm;
pub(crate) use detect::{Detected, detect, is_stamp};
pub(crate) use unit::{Unit, is_any_unit};

use crate::digits::without_groups;
use count::count_ns;
use jiff::Timestamp;

const DAY_NS: u64 = 86_400_000_000_000;

/// Time format of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// ISO 8601, with or without zone and fraction.
    Iso,
    /// A date by a format of `strptime`; beside it, a second form that reads the first stamps with equal steps.
    Date(DateForm, Option<DateForm>),
    /// A time without a date.
    Clock(Clock),
    /// Number of units since some origin.
    Count { unit: Unit, origin: Origin },
}

impl TimeFormat {
    /// A format of `strptime` that was requested.
    pub(crate) fn requested(format: &str) -> Self {
        let form = DateForm {
            format: format.to_owned(),
            order: format.to_owned(),
            zone: None,
        };
        Self::Date(form, None)
    }

    /// Numbers in a unit that was requested; whether they are relative to 1970 follows from their magnitude.
    pub(crate) fn in_unit(unit: Unit, cells: &[&str]) -> Self {
        let first = cells
            .iter()
            .find_map(|c| with_decimal_point(c.trim()).parse::<f64>().ok());
        let origin = first.map_or(Origin::Unknown, |first| Origin::of(first.abs(), unit));
        Self::Count { unit, origin }
    }

    /// Parses a cell (ns): since 1970, since midnight, or with an unknown origin.
    pub(crate) fn read(&self, cell: &str) -> Option<i64> {
        let cell = cell.trim();
        match self {
            Self::Iso => iso(cell),
            Self::Date(form, _) => date::read(&form.format, cell),
            Self::Clock(clock) => clock.read(cell),
            Self::Count { unit, origin } => {
                let (cell, unit) = with_unit(cell).unwrap_or((cell, *unit));
                let grouped = || {
                    let number =
                        without_groups(cell, false).or_else(|| without_groups(cell, true))?;
                    count_ns(&number, unit.ns)
                };
                let ns = count_ns(&with_decimal_point(cell), unit.ns).or_else(grouped)?;
                ns.checked_sub(origin.ns())
            }
        }
    }

    /// Parses the cell after one at `last_ns` (ns): a clock may have started again.
    pub(crate) fn read_after(&self, cell: &str, last_ns: Option<i64>) -> Option<i64> {
        let ns = self.read(cell)?;
        let wraps_ns = match self {
            Self::Clock(clock) => clock.wraps_ns(),
            _ => None,
        };
        match (wraps_ns, last_ns) {
            (Some(wraps_ns), Some(last_ns)) => {
                let times = (last_ns - ns + wraps_ns / 2).div_euclid(wraps_ns);
                Some(ns + times.max(0) * wraps_ns)
            }
            _ => Some(ns),
        }
    }

    /// Another way to read the column, if what it reads in `cell` cannot follow from how the first one reads it.
    pub(crate) fn differs(&self, cell: &str, last: &str) -> Option<(i64, i64, [&str; 2])> {
        let Self::Date(form, Some(other)) = self else {
            return None;
        };
        let step = |format: &str| {
            let [now, before] = [cell, last].map(|c| date::read(format, c.trim()));
            now?.checked_sub(before?)
        };
        let (first, second) = (step(&form.format)?, step(&other.format).unwrap_or(i64::MAX));
        // With day and month confused, time jumps by months.
        let goes_on = first.unsigned_abs() < DAY_NS && second.unsigned_abs() > 26 * DAY_NS;
        (first != second && !goes_on).then_some((first, second, [&form.format, &other.format]))
    }

    /// Whether there is another way to read the column.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Date(_, Some(_)))
    }

    /// Name for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Iso => "ISO 8601".to_owned(),
            Self::Date(form, _) => form.order.clone(),
            Self::Clock(clock) => clock.name().to_owned(),
            Self::Count { unit, origin } => match origin {
                Origin::Unknown => unit.name.to_owned(),
                Origin::Epoch => format!("{} since 1970", unit.name),
                Origin::Spreadsheet => "days since 1900, as spreadsheets count".to_owned(),
                Origin::Matlab => "days since the year 0, as MATLAB counts".to_owned(),
            },
        }
    }

    /// Whether time is relative to 1970.
    pub(crate) fn is_epoch(&self) -> bool {
        match self {
            Self::Iso => true,
            Self::Date(form, _) => {
                let format = form.format.as_str();
                ["%Y", "%y", "%s", "%F", "%D", "%G"]
                    .iter()
                    .any(|year| format.contains(year))
            }
            Self::Clock(_) => false,
            Self::Count { origin, .. } => *origin != Origin::Unknown,
        }
    }

    /// Whether the format is a number without epoch, which may be no time.
    pub(crate) fn is_plain_number(&self) -> bool {
        matches!(
            self,
            Self::Count {
                origin: Origin::Unknown,
                ..
            }
        )
    }
}

/// Number and unit of a cell such as `20 ms`.
fn with_unit(cell: &str) -> Option<(&str, Unit)> {
    // Most cells end with a digit.
    if cell.ends_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let number = cell.trim_end_matches(|c: char| c.is_alphabetic() || c == '.');
    let word = &cell[number.len()..];
    let number = number.trim_end();
    let unit = Unit::of_word(word)?;
    number
        .ends_with(|c: char| c.is_ascii_digit())
        .then_some((number, unit))
}

/// Replaces a decimal comma with a point.
fn with_decimal_point(cell: &str) -> std::borrow::Cow<'_, str> {
    if crate::digits::has_decimal_comma(cell.as_bytes()) {
        cell.replace(',', ".").into()
    } else {
        cell.into()
    }
}

fn iso(cell: &str) -> Option<i64> {
    let bytes = cell.as_bytes();
    // A number of eight digits is not a date.
    if bytes.len() < 10 || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let cell = cell
        .strip_suffix(" UTC")
        .or_else(|| cell.strip_suffix(" GMT"))
        .unwrap_or(cell);
    // A zone is a sign or a letter after the time of day.
    let zoned = bytes.len() > 11
        && bytes[11..]
            .iter()
            .any(|b| matches!(b, b'+' | b'-' | b'Z' | b'z'));
    if zoned {
        let stamp: Timestamp = match cell.parse() {
            Ok(stamp) => stamp,
            // `2020-03-09 10:14:33 +01:00`
            Err(_) => cell
                .replacen(" +", "+", 1)
                .replacen(" -", "-", 1)
                .parse()
                .ok()?,
        };
        return i64::try_from(stamp.as_nanosecond()).ok();
    }
    date::utc(cell.parse().ok()?)
}
