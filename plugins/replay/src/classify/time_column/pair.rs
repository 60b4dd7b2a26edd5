//! Two columns that make one stamp.

use super::texts::{Joined, Texts};
use crate::head::Head;
use crate::time_format::{Clock, is_stamp};

/// Two columns that make a stamp: a date and a time of day, or seconds and parts of them.
pub(super) fn pair(head: &Head, is_free: &dyn Fn(usize) -> bool) -> Option<(usize, usize, Joined)> {
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
                return Some((first, second, Joined::Seconds(digits)));
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
                return Some((first, second, Joined::DateAndTime));
            }
        }
    }
    None
}
