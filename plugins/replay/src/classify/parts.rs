//! Columns that are parts of one stamp, such as year, month and day.

use crate::cell::Cell;
use crate::head::Head;

/// Names of the parts, in order.
const PARTS: [&[&str]; 6] = [
    &["year", "yyyy", "yy", "jahr", "yr"],
    &["month", "mon", "mo", "mm", "monat"],
    &["day", "dd", "dy", "tag"],
    &["hour", "hours", "hh", "hr", "stunde"],
    &["minute", "minutes", "min", "mm", "mn"],
    &["second", "seconds", "sec", "secs", "ss", "sekunde"],
];
/// Parts without which columns are no stamp: year, month, day and hour.
const NEEDED: usize = 4;
/// Names of parts of a second.
const FRACTIONS: [&str; 9] = [
    "ms",
    "msec",
    "millis",
    "millisec",
    "milliseconds",
    "millisecond",
    "micros",
    "microseconds",
    "us",
];

/// Columns of year, month, day, hour and what is finer; empty if there are none.
pub(super) fn calendar(names: &[String]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for (k, words) in PARTS.iter().enumerate() {
        let is_part = |(index, name): &(usize, &String)| {
            !found.contains(index) && words.contains(&name.trim().to_lowercase().as_str())
        };
        match names.iter().enumerate().find(is_part) {
            Some((index, _)) => found.push(index),
            None if k < NEEDED => return Vec::new(),
            None => break,
        }
    }
    found
}

/// Note about columns of parts of a stamp, which are not joined.
pub(super) fn calendar_note(names: &[String]) -> Option<String> {
    let parts = calendar(names);
    let named: Vec<String> = parts.iter().map(|k| format!("`{}`", names[*k])).collect();
    (!parts.is_empty()).then(|| {
        format!(
            "{}: parts of a stamp in columns of their own are not joined: join them in one column, such as `2020-03-09 10:14:33`, or state --rate and --ignore them",
            named.join(", ")
        )
    })
}

/// Note about a column of parts of the second beside stamps in whole seconds.
pub(super) fn fraction_note(head: &Head, time: &str) -> Option<String> {
    let name = head.names.iter().enumerate().find(|(index, name)| {
        let numbers = head.rows.iter().filter_map(|r| match r.cell(*index) {
            Cell::Number(x) => Some(x),
            _ => None,
        });
        let numbers: Vec<f64> = numbers.collect();
        let small = |x: &f64| (0.0..1e6).contains(x) && x.fract() == 0.0;
        FRACTIONS.contains(&name.trim().to_lowercase().as_str())
            && numbers.iter().all(small)
            && numbers.windows(2).any(|w| w[1] < w[0])
    });
    name.map(|(_, name)| {
        format!(
            "`{name}` seems to be the parts of the seconds of `{time}`: they are not joined, and it is a channel; join them in one column, such as `10:14:33.020`, or state --rate and --ignore it"
        )
    })
}
