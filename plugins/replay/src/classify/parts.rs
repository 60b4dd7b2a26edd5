//! Columns that are parts of one stamp, such as year, month and day.

use super::time_column::Part;
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
/// Names of parts of a second, and their digits.
const FRACTIONS: [(&str, usize); 11] = [
    ("ms", 3),
    ("msec", 3),
    ("millis", 3),
    ("millisec", 3),
    ("milliseconds", 3),
    ("millisecond", 3),
    ("micros", 6),
    ("microsec", 6),
    ("microseconds", 6),
    ("microsecond", 6),
    ("us", 6),
];

/// Columns of year, month, day, hour and what is finer; empty if there are none.
pub(super) fn calendar(names: &[String]) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for (k, words) in PARTS.iter().enumerate() {
        let is_part = |(index, name): &(usize, &String)| {
            // `MM` is month and minute: the second one of a name has a number.
            let name = name.trim().trim_end_matches("_2").to_lowercase();
            !found.contains(index) && words.contains(&name.as_str())
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

/// Column of whole milliseconds or microseconds within the second, which go back now and then, other than `taken`.
pub(super) fn fraction(head: &Head, taken: &[usize]) -> Option<Part> {
    let parts = |name: &str| FRACTIONS.iter().find(|f| f.0 == name.trim().to_lowercase());
    let mut named = head
        .names
        .iter()
        .enumerate()
        .filter(|(k, _)| !taken.contains(k));
    named.find_map(|(column, name)| {
        let digits = parts(name)?.1;
        let most = if digits == 3 { 1e3 } else { 1e6 };
        let numbers = head.numbers(column);
        let fits = numbers
            .iter()
            .all(|x| (0.0..most).contains(x) && x.fract() == 0.0)
            && numbers.windows(2).any(|w| w[1] < w[0]);
        fits.then_some(Part {
            column,
            before: ".",
            digits,
        })
    })
}

/// Note about a column of parts of the second beside stamps in whole seconds, which are not joined.
pub(super) fn fraction_note(head: &Head, time: &str) -> Option<String> {
    let part = fraction(head, &[])?;
    let name = &head.names[part.column];
    Some(format!(
        "`{name}` seems to be the parts of the seconds of `{time}`: they are not joined, and it is a channel; join them in one column, such as `10:14:33.020`, or state --rate and --ignore it"
    ))
}
