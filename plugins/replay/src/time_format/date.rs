//! Dates with or without a time of day, in the orders and with the signs that programs write.

use super::clock::Clock;
use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz;
use std::borrow::Cow;

/// Most bytes of a stamp.
const MAX_BYTES: usize = 64;

/// A way to read a stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DateForm {
    /// Format of `strptime`.
    pub(crate) format: String,
    /// Order of day, month and year, for messages.
    pub(crate) order: String,
    /// Time zone by its abbreviation, which is not applied.
    pub(crate) zone: Option<String>,
}

/// Converts a civil time as UTC: only differences matter.
pub(super) fn utc(time: DateTime) -> Option<i64> {
    let stamp = tz::Offset::UTC.to_timestamp(time).ok()?;
    i64::try_from(stamp.as_nanosecond()).ok()
}

/// Parses a stamp by a format (ns): since 1970 as UTC if it states no offset, or since midnight if it states no date.
pub(super) fn read(format: &str, cell: &str) -> Option<i64> {
    let as_written = cell.trim();
    let cell = with_point(as_written);
    let cell = cell.as_ref();
    if cell.len() > MAX_BYTES {
        return None;
    }
    let parsed =
        BrokenDownTime::parse(format, cell).or_else(|_| BrokenDownTime::parse(format, as_written));
    let Ok(tm) = parsed else {
        // Minutes and seconds alone are no time of day.
        let minutes = format.contains("%M") && !format.contains(['H', 'I', 'k', 'l', 'T', 'R']);
        return minutes.then(|| Clock::MinuteSecond.read(cell))?;
    };
    if tm.offset().is_some() || tm.timestamp().is_some() {
        return i64::try_from(tm.to_timestamp().ok()?.as_nanosecond()).ok();
    }
    if tm.year().is_none() && tm.iso_week_year().is_none() {
        let time = match tm.to_time() {
            Ok(time) => time,
            Err(_) => return Clock::MinuteSecond.read(cell),
        };
        return utc(Date::constant(1970, 1, 1).to_datetime(time));
    }
    utc(tm.to_datetime().ok()?)
}

/// Replaces the comma or colon of a fraction of a second with a point: `22:13:20,123`, `22:13:20:123`.
fn with_point(cell: &str) -> Cow<'_, str> {
    let bytes = cell.as_bytes();
    let sign = bytes.iter().rposition(|b| matches!(b, b',' | b':'));
    let is_fraction = |at: usize| {
        let digits = bytes[at + 1..].iter().take_while(|b| b.is_ascii_digit());
        match digits.count() {
            0 => false,
            // Not the minutes of a time zone, or a second.
            3 | 6 | 9 => bytes[at] == b',' || at > 5 && bytes[at - 6] == b':',
            _ => bytes[at] == b',',
        }
    };
    match sign {
        Some(at) if at > 2 && bytes[at - 3] == b':' && is_fraction(at) => {
            format!("{}.{}", &cell[..at], &cell[at + 1..]).into()
        }
        _ => cell.into(),
    }
}

/// Ways in which a stamp may be read, the most usual first. Empty if it is no date.
pub(crate) fn forms(cell: &str) -> Vec<DateForm> {
    let cell = with_point(cell.trim());
    let cell = cell.as_ref();
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    if digits < 3 || cell.len() > MAX_BYTES || !cell.is_ascii() {
        return Vec::new();
    }
    let Some(clock) = Time::find(cell) else {
        return dates(cell, false)
            .into_iter()
            .map(|(format, order)| DateForm {
                format,
                order,
                zone: None,
            })
            .collect();
    };
    let before = &cell[..clock.from];
    let has_date = !before.trim().is_empty();
    let mut rest = &cell[clock.to..];
    let mut after = String::new();
    let mut hours = "%H";
    let trimmed = rest.trim_start();
    if trimmed
        .get(..2)
        .is_some_and(|m| m.eq_ignore_ascii_case("am") || m.eq_ignore_ascii_case("pm"))
        && !trimmed
            .as_bytes()
            .get(2)
            .is_some_and(u8::is_ascii_alphanumeric)
    {
        after.push_str(if trimmed.len() < rest.len() {
            " %p"
        } else {
            "%p"
        });
        hours = "%I";
        rest = &trimmed[2..];
    }
    let mut zone = None;
    let trimmed = rest.trim_start();
    let letters = trimmed.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters > 0 {
        let (name, remaining) = trimmed.split_at(letters);
        let known = matches!(name, "UTC" | "GMT" | "Z");
        if letters > 5 || !name.bytes().all(|b| b.is_ascii_uppercase()) {
            return Vec::new();
        }
        after.push_str(if trimmed.len() < rest.len() { " " } else { "" });
        after.push_str(name);
        if !known {
            zone = Some(name.to_owned());
        }
        rest = remaining;
    }
    let trimmed = rest.trim_start();
    if trimmed.starts_with(['+', '-']) {
        let offset = trimmed
            .bytes()
            .skip(1)
            .take_while(|b| b.is_ascii_digit() || *b == b':')
            .count();
        after.push_str(if trimmed.len() < rest.len() { " " } else { "" });
        after.push_str(if trimmed[..=offset].contains(':') {
            "%:z"
        } else {
            "%z"
        });
        rest = &trimmed[offset + 1..];
        zone = None;
    }
    let mut year_after = false;
    let mut later = Vec::new();
    let trimmed = rest.trim_start_matches([' ', ',']);
    if has_date && trimmed.len() == 4 && trimmed.bytes().all(|b| b.is_ascii_digit()) {
        // `Tue Nov 14 22:13:20 2023`
        after.push_str(" %Y");
        year_after = true;
    } else if !has_date && !trimmed.is_empty() {
        later = dates(trimmed, false);
        after.push_str(&rest[..rest.len() - trimmed.len()]);
    } else if !trimmed.is_empty() {
        return Vec::new();
    }
    let time = format!("{hours}{}{after}", clock.format);
    let form = |format: String, order: String| DateForm {
        format,
        order,
        zone: zone.clone(),
    };
    if has_date {
        dates(before, year_after)
            .into_iter()
            .map(|(date, order)| form(format!("{date}{time}"), order))
            .collect()
    } else {
        later
            .into_iter()
            .map(|(date, order)| form(format!("{time}{date}"), order))
            .collect()
    }
}

/// Place of a time of day in a stamp.
struct Time {
    from: usize,
    to: usize,
    /// Format after the hours.
    format: &'static str,
}

impl Time {
    fn find(cell: &str) -> Option<Self> {
        let bytes = cell.as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let pair = |at: usize| digit(at) && digit(at + 1) && !digit(at + 2);
        // `2023:11:14 22:13:20`, as cameras write it.
        let exif = bytes.len() > 10 && bytes[4] == b':' && bytes[7] == b':' && bytes[10] == b' ';
        let begin = if exif { 10 } else { 0 };
        let colon = (begin..bytes.len()).find(|&at| {
            let run = bytes[..at]
                .iter()
                .rev()
                .take_while(|b| b.is_ascii_digit())
                .count();
            bytes[at] == b':' && (1..=2).contains(&run) && pair(at + 1)
        })?;
        let run = bytes[..colon]
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let from = colon - run;
        if bytes.get(colon + 3) != Some(&b':') || !pair(colon + 4) {
            return Some(Self {
                from,
                to: colon + 3,
                format: ":%M",
            });
        }
        let mut to = colon + 6;
        if bytes.get(to) == Some(&b'.') && digit(to + 1) {
            to += 1;
            while digit(to) {
                to += 1;
            }
        }
        Some(Self {
            from,
            to,
            format: ":%M:%S%.f",
        })
    }
}

/// Part of a date.
enum Piece<'a> {
    Number(&'a str),
    Month(&'static str),
    Sign(&'a str),
    Weekday(&'static str),
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

fn piece(word: &str) -> Option<Piece<'_>> {
    let lower = word.to_ascii_lowercase();
    let is = |names: &[&str], whole: bool| {
        names.iter().any(|name| {
            if whole {
                *name == lower
            } else {
                name.get(..3) == Some(&lower)
            }
        })
    };
    if is(&MONTHS, false) {
        Some(Piece::Month("%b"))
    } else if is(&MONTHS, true) {
        Some(Piece::Month("%B"))
    } else if is(&WEEKDAYS, false) {
        Some(Piece::Weekday("%a"))
    } else if is(&WEEKDAYS, true) {
        Some(Piece::Weekday("%A"))
    } else {
        (word == "T").then_some(Piece::Sign("T"))
    }
}

fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let class = |b: &u8| (b.is_ascii_digit(), b.is_ascii_alphabetic());
        let run = rest
            .bytes()
            .take_while(|b| class(b) == class(&first))
            .count();
        let (word, after) = rest.split_at(run);
        pieces.push(if first.is_ascii_digit() {
            Piece::Number(word)
        } else if first.is_ascii_alphabetic() {
            piece(word)?
        } else if word.bytes().all(|b| {
            matches!(
                b,
                b' ' | b'/' | b'-' | b'.' | b',' | b':' | b'_' | b'[' | b'@'
            )
        }) {
            Piece::Sign(word)
        } else {
            return None;
        });
        rest = after;
        if pieces.len() > 10 {
            return None;
        }
    }
    Some(pieces)
}

/// Formats of a date, with the names of their orders. `year_after`: the year is elsewhere.
fn dates(text: &str, year_after: bool) -> Vec<(String, String)> {
    let Some(pieces) = pieces(text) else {
        return Vec::new();
    };
    let numbers: Vec<&str> = pieces
        .iter()
        .filter_map(|p| match p {
            Piece::Number(digits) => Some(*digits),
            _ => None,
        })
        .collect();
    let lengths: Vec<usize> = numbers.iter().map(|n| n.len()).collect();
    let month = pieces.iter().any(|p| matches!(p, Piece::Month(_)));
    let separator = pieces
        .iter()
        .skip_while(|p| !matches!(p, Piece::Number(_) | Piece::Month(_)))
        .find_map(|p| match p {
            Piece::Sign(sign) => Some(sign.trim().to_owned()),
            _ => None,
        })
        .map_or(String::new(), |sign| {
            if sign.is_empty() {
                " ".to_owned()
            } else {
                sign
            }
        });
    let orders: Vec<&[&str]> = match (lengths.as_slice(), month, year_after) {
        // Compact.
        ([8], false, false) => vec![&["%Y%m%d"]],
        ([8, 6], false, false) => vec![&["%Y%m%d", "%H%M%S"]],
        ([14], false, false) => vec![&["%Y%m%d%H%M%S"]],
        // Day of the year.
        ([4, 3], false, false) => vec![&["%Y", "%j"]],
        ([1 | 2], true, true) => vec![&["%d"]],
        ([4, 1 | 2], true, false) => vec![&["%Y", "%d"]],
        ([1 | 2, 4], true, false) => vec![&["%d", "%Y"]],
        ([1 | 2, 2], true, false) => vec![&["%d", "%y"], &["%y", "%d"]],
        ([4, 1 | 2, 1 | 2], false, false) => vec![&["%Y", "%m", "%d"]],
        ([1 | 2, 1 | 2, 4], false, false) if separator == "/" => {
            vec![&["%m", "%d", "%Y"], &["%d", "%m", "%Y"]]
        }
        ([1 | 2, 1 | 2, 4], false, false) => vec![&["%d", "%m", "%Y"], &["%m", "%d", "%Y"]],
        ([1 | 2, 1 | 2, 2], false, false) if separator == "/" => {
            vec![
                &["%m", "%d", "%y"],
                &["%d", "%m", "%y"],
                &["%y", "%m", "%d"],
            ]
        }
        ([1 | 2, 1 | 2, 2], false, false) if separator == "-" => {
            vec![
                &["%d", "%m", "%y"],
                &["%y", "%m", "%d"],
                &["%m", "%d", "%y"],
            ]
        }
        ([1 | 2, 1 | 2, 2], false, false) if separator == "." => {
            vec![&["%d", "%m", "%y"], &["%y", "%m", "%d"]]
        }
        _ => Vec::new(),
    };
    orders
        .into_iter()
        .map(|order| {
            let mut roles = order.iter();
            let (mut format, mut names) = (String::new(), Vec::new());
            for piece in &pieces {
                let written = match piece {
                    Piece::Sign(sign) => *sign,
                    Piece::Month(format) | Piece::Weekday(format) => format,
                    Piece::Number(_) => roles.next().copied().unwrap_or_default(),
                };
                format.push_str(written);
                names.extend(match written {
                    "%d" => Some("day"),
                    "%m" | "%b" | "%B" => Some("month"),
                    "%Y" => Some("year"),
                    "%y" => Some("two-digit year"),
                    "%j" => Some("day of the year"),
                    "%Y%m%d" | "%Y%m%d%H%M%S" => Some("yearmonthday"),
                    _ => None,
                });
            }
            (format, names.join(&separator))
        })
        .collect()
}

#[cfg(test)]
mod tests;
