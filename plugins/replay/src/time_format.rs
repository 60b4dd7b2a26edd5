//! Formats of time stamps in text.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, tz};

const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_DAY: i64 = 86_400 * NS_PER_S;

/// Units of numeric time: words in a column's name, nanoseconds, and name.
const UNITS: [(&[&str], i64, &str); 4] = [
    (&["ns", "nsec", "nanos", "nanoseconds"], 1, "nanoseconds"),
    (
        &["us", "µs", "usec", "micros", "microseconds"],
        1_000,
        "microseconds",
    ),
    (
        &["ms", "msec", "millis", "milliseconds"],
        1_000_000,
        "milliseconds",
    ),
    (&["s", "sec", "secs", "seconds"], NS_PER_S, "seconds"),
];

/// Date formats other than ISO 8601, and their names.
const DATE_FORMATS: [(&str, &str); 13] = [
    ("%Y/%m/%d %H:%M:%S%.f", "year/month/day"),
    ("%Y/%m/%d %H:%M", "year/month/day"),
    ("%d.%m.%Y %H:%M:%S%.f", "day.month.year"),
    ("%d.%m.%Y %H:%M", "day.month.year"),
    ("%m/%d/%Y %I:%M:%S %p", "month/day/year"),
    ("%m/%d/%Y %I:%M %p", "month/day/year"),
    ("%m/%d/%Y %H:%M:%S%.f", "month/day/year"),
    ("%m/%d/%Y %H:%M", "month/day/year"),
    ("%d/%m/%Y %H:%M:%S%.f", "day/month/year"),
    ("%d/%m/%Y %H:%M", "day/month/year"),
    ("%d-%b-%Y %H:%M:%S%.f", "day-month-year"),
    ("%d %b %Y %H:%M:%S%.f", "day month year"),
    ("%Y%m%d%H%M%S%.f", "yearmonthday"),
];

/// Time format of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// ISO 8601, with or without zone and fraction.
    Iso,
    /// One of [`DATE_FORMATS`].
    Date(&'static str, &'static str),
    /// Hours, minutes and seconds without a date.
    TimeOfDay,
    /// Number of units of `unit_ns`, since 1970 if `epoch`, else with an unknown origin.
    Count {
        unit_ns: i64,
        unit: &'static str,
        epoch: bool,
    },
}

impl TimeFormat {
    /// Detects the format of a column: it must fit nine of ten cells that are not empty.
    pub(crate) fn of(name: &str, cells: &[&str]) -> Option<Self> {
        let cells: Vec<&str> = cells
            .iter()
            .map(|c| c.trim())
            .filter(|c| !c.is_empty())
            .collect();
        if cells.is_empty() {
            return None;
        }
        let fits = |format: &Self| {
            let fit = cells.iter().filter(|c| format.read(c).is_some()).count();
            fit * 10 >= cells.len() * 9
        };
        let count = Self::count(name, &cells);
        let written = DATE_FORMATS
            .iter()
            .map(|(format, name)| Self::Date(format, name));
        let ways = count
            .into_iter()
            .chain([Self::Iso])
            .chain(written)
            .chain([Self::TimeOfDay]);
        let fitting: Vec<Self> = ways.filter(fits).collect();
        // Day or month first is ambiguous: prefer the format in which time increases.
        let increases = |format: &&Self| {
            let read: Vec<i64> = cells.iter().filter_map(|c| format.read(c)).collect();
            read.is_sorted()
        };
        fitting.iter().find(increases).or(fitting.first()).copied()
    }

    /// Format of numeric time: the unit follows from the magnitude of a time since 1970, else from the column's name.
    fn count(name: &str, cells: &[&str]) -> Option<Self> {
        let first = cells
            .iter()
            .find_map(|c| with_decimal_point(c).parse::<f64>().ok())?
            .abs();
        let magnitude = [1e17, 1e14, 1e11, 1e8]
            .iter()
            .position(|&least| first >= least);
        let lower = name.to_lowercase();
        let by_name = lower
            .split(|c: char| !c.is_alphabetic())
            .skip(usize::from(!lower.contains(|c: char| !c.is_alphabetic())))
            .find_map(|word| UNITS.iter().position(|(words, ..)| words.contains(&word)));
        let (_, unit_ns, unit) = UNITS[magnitude.or(by_name).unwrap_or(UNITS.len() - 1)];
        Some(Self::Count {
            unit_ns,
            unit,
            epoch: magnitude.is_some(),
        })
    }

    /// Parses a cell (ns): since 1970, since midnight, or with an unknown origin.
    pub(crate) fn read(&self, cell: &str) -> Option<i64> {
        let cell = cell.trim();
        match self {
            Self::Iso => iso(cell),
            Self::Date(format, _) => DateTime::strptime(format, cell).ok().and_then(utc),
            Self::TimeOfDay => {
                // `Time` would parse a date with time, and drop the date.
                let time: Time = (!cell.contains(['-', '/', ' '])).then(|| cell.parse().ok())??;
                utc(Date::constant(1970, 1, 1).to_datetime(time))
            }
            Self::Count { unit_ns, .. } => count_ns(&with_decimal_point(cell), *unit_ns),
        }
    }

    /// Parses the cell after one at `last_ns` (ns): a time of day may have passed midnight.
    pub(crate) fn read_after(&self, cell: &str, last_ns: Option<i64>) -> Option<i64> {
        let ns = self.read(cell)?;
        match (self, last_ns) {
            (Self::TimeOfDay, Some(last_ns)) => {
                let days = (last_ns - ns + NS_PER_DAY / 2).div_euclid(NS_PER_DAY);
                Some(ns + days.max(0) * NS_PER_DAY)
            }
            _ => Some(ns),
        }
    }

    /// Name for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Iso => "ISO 8601".to_owned(),
            Self::Date(_, name) => (*name).to_owned(),
            Self::TimeOfDay => "time of day".to_owned(),
            Self::Count {
                unit, epoch: true, ..
            } => format!("{unit} since 1970"),
            Self::Count { unit, .. } => (*unit).to_owned(),
        }
    }

    /// Whether time is relative to 1970.
    pub(crate) fn is_epoch(&self) -> bool {
        match self {
            Self::Iso | Self::Date(..) => true,
            Self::TimeOfDay => false,
            Self::Count { epoch, .. } => *epoch,
        }
    }

    /// Whether the format is a number without epoch, which may be no time.
    pub(crate) fn is_plain_number(&self) -> bool {
        matches!(self, Self::Count { epoch: false, .. })
    }
}

/// Replaces a decimal comma with a point.
fn with_decimal_point(cell: &str) -> std::borrow::Cow<'_, str> {
    if crate::cell::has_decimal_comma(cell.as_bytes()) {
        cell.replace(',', ".").into()
    } else {
        cell.into()
    }
}

/// Converts a civil time as UTC: only differences matter.
fn utc(time: DateTime) -> Option<i64> {
    let stamp = tz::Offset::UTC.to_timestamp(time).ok()?;
    i64::try_from(stamp.as_nanosecond()).ok()
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
    utc(cell.parse().ok()?)
}

/// Parses a decimal number of units, exact to the nanosecond: `f64` cannot represent 1583748873.123456789 s.
fn count_ns(text: &str, unit_ns: i64) -> Option<i64> {
    if text.contains(['e', 'E']) {
        let ns = text.parse::<f64>().ok()? * unit_ns as f64;
        return (ns.abs() < 9.2e18).then_some(ns as i64);
    }
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + part.len() == 0 || !all_digits(whole) || !all_digits(part) {
        return None;
    }
    let mut ns = match whole {
        "" => 0,
        whole => whole.parse::<i64>().ok()?.checked_mul(unit_ns)?,
    };
    let mut place = unit_ns;
    for digit in part.bytes() {
        place /= 10;
        if place == 0 {
            break;
        }
        ns = ns.checked_add(place * i64::from(digit - b'0'))?;
    }
    Some(if negative { -ns } else { ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `date -u -d "2020-03-09 10:14:33" +%s`
    const NINTH_OF_MARCH: i64 = 1_583_748_873;

    #[test]
    fn equal_times_in_all_formats() {
        for (name, text, expected) in [
            ("datetime", "2020-03-09 10:14:33", "ISO 8601"),
            ("datetime", "2020-03-09T10:14:33Z", "ISO 8601"),
            ("datetime", "2020-03-09T11:14:33.000+01:00", "ISO 8601"),
            ("datetime", "2020-03-09 11:14:33 +0100", "ISO 8601"),
            ("datetime", "2020-03-09 10:14:33 UTC", "ISO 8601"),
            ("datetime", "20200309T101433Z", "ISO 8601"),
            ("zeit", "09.03.2020 10:14:33", "day.month.year"),
            ("when", "2020/03/09 10:14:33.0", "year/month/day"),
            ("when", "3/9/2020 10:14:33 AM", "month/day/year"),
            ("when", "29/02/2020 10:14:33", "day/month/year"),
            ("when", "09-Mar-2020 10:14:33.000", "day-month-year"),
            ("when", "9 Mar 2020 10:14:33", "day month year"),
            ("when", "20200309101433", "yearmonthday"),
            ("t", "1583748873", "seconds since 1970"),
            ("t", "1583748873.0", "seconds since 1970"),
            ("t", "1583748873000", "milliseconds since 1970"),
            ("t", "1583748873000000", "microseconds since 1970"),
            ("t", "1583748873000000000", "nanoseconds since 1970"),
            ("t", "1583748873,0", "seconds since 1970"),
        ] {
            let format = TimeFormat::of(name, &[text]).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(format.name(), expected, "{text}");
            let s = if text.starts_with("29/02") {
                NINTH_OF_MARCH - 9 * 86_400
            } else {
                NINTH_OF_MARCH
            };
            assert_eq!(format.read(text), Some(s * NS_PER_S), "{text}");
        }
    }

    #[test]
    fn unit_follows_from_the_column_name() {
        for (name, text, ns) in [
            ("time", "1.5", 1_500_000_000),
            ("time_ms", "20", 20_000_000),
            ("t [us]", "-7", -7_000),
            ("Time (ns)", "12", 12),
            ("s", "1e-3", 1_000_000),
            ("elapsed_seconds", "0.000000001", 1),
        ] {
            let format = TimeFormat::of(name, &[text]).unwrap();
            assert_eq!(format.read(text), Some(ns), "{name}");
        }
    }

    #[test]
    fn decimal_seconds_are_exact_to_the_nanosecond() {
        let format = TimeFormat::of("t", &["1583748873.123456789"]).unwrap();
        assert_eq!(
            format.read("1583748873.123456789"),
            Some(1_583_748_873_123_456_789)
        );
        assert_eq!(format.read("99999999999999999999"), None);
        assert_eq!(format.read("."), None);
        assert_eq!(format.read("1.2.3"), None);
    }

    #[test]
    fn day_and_month_are_distinguished_by_order_in_time() {
        let cells = ["03/04/2020 23:59", "04/04/2020 00:01"];
        assert_eq!(
            TimeFormat::of("t", &cells).unwrap().name(),
            "month/day/year"
        );
        let cells = ["30/04/2020 23:59", "01/05/2020 00:01"];
        assert_eq!(
            TimeFormat::of("t", &cells).unwrap().name(),
            "day/month/year"
        );
        // With the month first, time would decrease.
        let cells = ["11/04/2020 23:59", "12/04/2020 23:59", "01/05/2020 00:01"];
        assert_eq!(
            TimeFormat::of("t", &cells).unwrap().name(),
            "day/month/year"
        );
    }

    #[test]
    fn time_of_day_may_pass_midnight() {
        let format = TimeFormat::of("time", &["23:59:58.5", "23:59:59"]).unwrap();
        assert_eq!(format.name(), "time of day");
        let last = format.read("23:59:59");
        let next = format.read_after("00:00:01", last);
        assert_eq!(next, last.map(|ns| ns + 2 * NS_PER_S));
        // A small step back is not a new day.
        assert_eq!(
            format.read_after("23:59:58", last),
            last.map(|ns| ns - NS_PER_S)
        );
    }

    #[test]
    fn text_is_not_time() {
        for cells in [&["pump on", "pump off"][..], &[""], &[], &["12 V"]] {
            assert_eq!(TimeFormat::of("time", cells), None, "{cells:?}");
        }
    }
}
