//! Several columns that make one stamp.

use super::texts::{Joined, Part, Texts};
use crate::classify::parts::{calendar, fraction};
use crate::head::Head;
use crate::time_format::{Clock, is_stamp};

/// Columns that make a stamp: a date and a time of day, or seconds and parts of them.
pub(super) fn several(head: &Head, is_free: &dyn Fn(usize) -> bool) -> Option<Joined> {
    let names = &head.names;
    let lower: Vec<String> = names.iter().map(|n| n.to_lowercase()).collect();
    let all = |index: usize, is: &dyn Fn(&str) -> bool| {
        let texts = Texts::of(head, index);
        let mut cells = texts
            .0
            .iter()
            .map(|(_, c)| c.trim())
            .filter(|c| !c.is_empty())
            .peekable();
        cells.peek().is_some() && cells.all(is)
    };
    // `header.stamp.sec` and `header.stamp.nanosec`
    for (first, name) in lower.iter().enumerate().filter(|(k, _)| is_free(*k)) {
        let Some(stem) = ["secs", "sec"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
        else {
            continue;
        };
        if stem.ends_with(|c: char| c.is_alphabetic()) {
            continue;
        }
        for (parts, digits) in [
            ("nanosec", 9),
            ("nsec", 9),
            ("nanosecs", 9),
            ("nsecs", 9),
            ("usec", 6),
            ("usecs", 6),
            ("msec", 3),
        ] {
            let second = lower
                .iter()
                .position(|n| n.strip_prefix(stem) == Some(parts));
            if let Some(second) = second.filter(|k| is_free(*k))
                && all(first, &|c| c.parse::<i64>().is_ok())
                && all(second, &|c| {
                    c.len() <= digits && c.bytes().all(|b| b.is_ascii_digit())
                })
            {
                return Some(joined([(first, "", 0), (second, ".", digits)]));
            }
        }
    }
    let dated = ["date", "datum", "day", "fecha", "data"];
    let timed = ["time", "zeit", "uhrzeit", "clock", "hora", "heure", "utc"];
    let is_named = |words: &[&str], name: &String| words.iter().any(|w| name.contains(w));
    let is_clock = |c: &str| !Clock::of(&[c]).is_empty();
    let is_date = |c: &str| is_stamp(c) && !c.contains(':');
    for (first, _) in lower
        .iter()
        .enumerate()
        .filter(|(k, n)| is_free(*k) && is_named(&dated, n))
    {
        // Beside each other, in either order.
        for second in [first + 1, first.wrapping_sub(1)] {
            if lower
                .get(second)
                .is_some_and(|n| is_free(second) && is_named(&timed, n))
                && all(first, &is_date)
                && all(second, &is_clock)
            {
                return Some(joined([(first, "", 0), (second, " ", 0)]));
            }
        }
    }
    None
}

fn joined<const N: usize>(parts: [(usize, &'static str, usize); N]) -> Joined {
    let part = |(column, before, digits)| Part {
        column,
        before,
        digits,
    };
    Joined {
        parts: parts.map(part).into(),
        after: "",
    }
}

/// Columns of year, month, day, hour and what is finer, all of numbers; the year has four digits.
pub(super) fn year_to_second(head: &Head, is_free: &dyn Fn(usize) -> bool) -> Option<Joined> {
    let columns = calendar(&head.names);
    let within = [
        1000.0..=9999.0,
        1.0..=12.0,
        1.0..=31.0,
        0.0..=24.0,
        0.0..=60.0,
        0.0..=61.0,
    ];
    let fits = columns.iter().zip(&within).all(|(column, within)| {
        let numbers = head.numbers(*column);
        is_free(*column) && !numbers.is_empty() && numbers.iter().all(|x| within.contains(x))
    });
    if columns.is_empty() || !fits {
        return None;
    }
    let before = ["", "-", "-", " ", ":", ":"];
    let digits = [4, 2, 2, 2, 2, 2];
    let parts = columns.iter().zip(before.iter().zip(digits));
    let parts: Vec<Part> = parts
        .map(|(&column, (before, digits))| Part {
            column,
            before,
            digits,
        })
        .collect();
    // Nothing finer than the hour.
    let after = if parts.len() == 4 { ":00" } else { "" };
    Some(Joined { parts, after })
}

/// Stamps in whole seconds with a column of parts of the second beside them.
pub(super) fn with_fraction(
    head: &Head,
    before: Option<&Joined>,
    index: usize,
    is_free: &dyn Fn(usize) -> bool,
) -> Option<Joined> {
    let mut joined = before.cloned().unwrap_or_else(|| joined([(index, "", 0)]));
    let texts = Texts::joined(head, &joined);
    let ends_with_seconds = |text: &&str| {
        text.trim()
            .rsplit(':')
            .next()
            .is_some_and(|s| s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit()))
    };
    let texts = texts.texts();
    let mut filled = texts.iter().filter(|t| !t.trim().is_empty());
    let columns: Vec<usize> = joined.parts.iter().map(|p| p.column).collect();
    let fraction = fraction(head, &columns).filter(|part| is_free(part.column))?;
    joined.parts.push(fraction);
    filled.all(ends_with_seconds).then_some(joined)
}
