//! Typed value of a cell, as number and as text.

use crate::cell::{self, Cell};
use crate::digits::NumberStyle;
use crate::time_format::{Origin, TimeFormat, Unit};
use std::borrow::Cow;

pub(super) const NS_PER_S: i64 = 1_000_000_000;
pub(super) const NS_PER_DAY: i64 = 86_400 * NS_PER_S;

/// Seconds as numbers, with an unknown origin.
pub(super) const SECONDS: TimeFormat = TimeFormat::Count {
    unit: Unit {
        ns: NS_PER_S,
        name: "seconds",
    },
    origin: Origin::Unknown,
};

/// Value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    Int(i128),
    Double(f64),
    Single(f32),
    /// A number as its decimal digits.
    Decimal(Cow<'a, str>),
    /// Time since 1970 (ns), and whether the zone is known.
    Stamp(i64, bool),
    /// Time of the day (ns).
    TimeOfDay(i64),
    /// Duration (ns).
    Duration(i64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    pub(super) fn cell(&self) -> Cell {
        match self {
            Self::Missing => Cell::Missing,
            Self::Int(n) => Cell::Number(*n as f64),
            Self::Double(x) => number(*x),
            Self::Single(x) => number(f64::from(*x)),
            Self::Duration(ns) => Cell::Number(*ns as f64 / NS_PER_S as f64),
            Self::Stamp(..) | Self::TimeOfDay(_) => Cell::Text,
            Self::Decimal(text) | Self::Text(text) => {
                cell::read(text.as_bytes(), NumberStyle::POINT)
            }
        }
    }
}

impl<'a> Value<'a> {
    /// Text that is read back as the same number or time; empty for a missing value.
    pub(super) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Missing => "".into(),
            Self::Int(n) => n.to_string().into(),
            Self::Double(x) => x.to_string().into(),
            Self::Single(x) => x.to_string().into(),
            Self::Duration(ns) => decimal_seconds(ns).into(),
            Self::Stamp(ns, zoned) => iso(ns, zoned).into(),
            Self::TimeOfDay(ns) => time_of_day(ns).into(),
            Self::Decimal(text) | Self::Text(text) => text,
        }
    }
}

fn number(x: f64) -> Cell {
    if x.is_finite() {
        Cell::Number(x)
    } else if x.is_nan() {
        Cell::Missing
    } else {
        Cell::Infinite
    }
}

/// ISO 8601 of a time since 1970.
fn iso(ns: i64, zoned: bool) -> String {
    let Ok(stamp) = jiff::Timestamp::from_nanosecond(i128::from(ns)) else {
        return String::new();
    };
    let mut text = stamp.to_string();
    if !zoned {
        text.truncate(text.len() - 1);
    }
    text
}

/// Seconds, exact to the nanosecond.
fn decimal_seconds(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    let (whole, part) = (ns / NS_PER_S as u64, ns % NS_PER_S as u64);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let text = format!("{sign}{whole}.{part:09}");
    text.trim_end_matches('0').to_owned()
}

fn time_of_day(ns: i64) -> String {
    let s = ns.div_euclid(NS_PER_S);
    let (h, m, s, part) = (s / 3600, s / 60 % 60, s % 60, ns.rem_euclid(NS_PER_S));
    format!("{h:02}:{m:02}:{s:02}.{part:09}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time_format::Clock;

    #[test]
    fn texts_of_values_are_read_back_exactly() {
        for ns in [0, 1, -1, 1_500_000_000, -1_500_000_001, i64::MAX / 2] {
            let text = Value::Duration(ns).text();
            assert_eq!(SECONDS.read(&text), Some(ns), "{text}");
            let text = Value::Stamp(ns, true).text();
            assert_eq!(TimeFormat::Iso.read(&text), Some(ns), "{text}");
            let text = Value::Stamp(ns, false).text();
            assert_eq!(TimeFormat::Iso.read(&text), Some(ns), "{text}");
        }
        let ns = 86_399_999_999_999;
        let text = Value::TimeOfDay(ns).text();
        assert_eq!(
            TimeFormat::Clock(Clock::Day).read(&text),
            Some(ns),
            "{text}"
        );
    }
}
