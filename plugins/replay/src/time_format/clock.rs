//! Times without a date: `22:13:20.5`, `10:13:20 pm`, `49:59:59` (elapsed), `13:20.5` (minutes), `1 day, 2:03:04`.

const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_DAY: i64 = 86_400 * NS_PER_S;

/// How a time without a date counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Hours, minutes and seconds of a day; may pass midnight.
    Day,
    /// Hours and minutes of a day.
    HourMinute,
    /// Minutes and seconds; may pass the full hour, as spreadsheets write it.
    MinuteSecond,
    /// Hours, minutes and seconds since some begin.
    Elapsed,
}

impl Clock {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Day => "time of day",
            Self::HourMinute => "hours:minutes",
            Self::MinuteSecond => "minutes:seconds",
            Self::Elapsed => "elapsed hours:minutes:seconds",
        }
    }

    /// Length after which the clock starts again (ns).
    pub(crate) fn wraps_ns(self) -> Option<i64> {
        match self {
            Self::Day | Self::HourMinute => Some(NS_PER_DAY),
            Self::MinuteSecond => Some(3_600 * NS_PER_S),
            Self::Elapsed => None,
        }
    }

    /// Parses a cell (ns).
    pub(crate) fn read(self, cell: &str) -> Option<i64> {
        let fields = Fields::of(cell)?;
        let (hours, minutes, seconds) = match (self, fields.numbers.as_slice()) {
            (Self::Day | Self::Elapsed, &[h, m, s]) => (h, m, s),
            (Self::HourMinute, &[h, m]) if fields.fraction_ns == 0 => (h, m, 0),
            (Self::MinuteSecond, &[m, s]) => (0, m, s),
            _ => return None,
        };
        let small = seconds < 61 && (minutes < 60 || self == Self::MinuteSecond);
        if !small {
            return None;
        }
        let seconds = (fields.days.checked_mul(24)?.checked_add(hours)?)
            .checked_mul(60)?
            .checked_add(minutes)?
            .checked_mul(60)?
            .checked_add(seconds)?;
        let ns = seconds
            .checked_mul(NS_PER_S)?
            .checked_add(fields.fraction_ns)?;
        Some(if fields.negative { -ns } else { ns })
    }

    /// Ways in which cells can be read, the most likely first.
    pub(crate) fn of(cells: &[&str]) -> Vec<Self> {
        let fields: Vec<Fields> = cells.iter().filter_map(|c| Fields::of(c)).collect();
        let Some(first) = fields.first() else {
            return Vec::new();
        };
        let most = fields.iter().filter_map(|f| f.numbers.first()).max();
        let most = most.copied().unwrap_or(0);
        if first.numbers.len() == 3 {
            let elapsed = most > 23 || fields.iter().any(|f| f.days > 0 || f.negative);
            return vec![if elapsed { Self::Elapsed } else { Self::Day }];
        }
        if first.half.is_some() {
            vec![Self::HourMinute]
        } else if most > 23 || fields.iter().any(|f| f.fraction) {
            vec![Self::MinuteSecond]
        } else {
            vec![Self::HourMinute, Self::MinuteSecond]
        }
    }
}

/// Parts of a cell.
struct Fields {
    negative: bool,
    days: i64,
    numbers: Vec<i64>,
    fraction: bool,
    fraction_ns: i64,
    /// Whether the second half of the day is meant (pm); `None` if not stated.
    half: Option<bool>,
}

impl Fields {
    fn of(cell: &str) -> Option<Self> {
        let mut rest = cell.trim();
        if !rest.as_bytes().contains(&b':') {
            return None;
        }
        let negative = rest.starts_with('-');
        rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let mut days = 0;
        if let Some((count, after)) = rest.split_once(" day") {
            days = count.trim().parse().ok()?;
            let after = after.strip_prefix('s').unwrap_or(after);
            rest = after.trim_start_matches([',', ' ']);
            // `-1 days +23:59:59` counts forward.
            if negative {
                return None;
            }
        }
        let mut half = None;
        for (suffix, second) in [("am", false), ("pm", true)] {
            let at = rest.len().checked_sub(2)?;
            if rest
                .get(at..)
                .is_some_and(|end| end.eq_ignore_ascii_case(suffix))
            {
                rest = rest[..at].trim_end();
                half = Some(second);
            }
        }
        let (whole, part) = match rest.split_once(['.', ',']) {
            Some((whole, part)) => (whole, Some(part)),
            None => (rest, None),
        };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let mut numbers = Vec::with_capacity(3);
        let mut fields = whole.split(':');
        // `22:13:20:000`: a colon before the parts of the second.
        let last = whole.rsplit(':').next().unwrap_or_default();
        let parted =
            part.is_none() && whole.matches(':').count() == 3 && matches!(last.len(), 3 | 6 | 9);
        let part = if parted { fields.next_back() } else { part };
        for (k, field) in fields.enumerate() {
            let wide = if k == 0 { 1..=9 } else { 2..=2 };
            if k > 2 || !digits(field) || !wide.contains(&field.len()) {
                return None;
            }
            numbers.push(field.parse().ok()?);
        }
        if numbers.len() < 2 || part.is_some_and(|part| !digits(part)) {
            return None;
        }
        let mut fraction_ns = 0;
        let mut place = NS_PER_S;
        for digit in part.unwrap_or_default().bytes().take(9) {
            place /= 10;
            fraction_ns += place * i64::from(digit - b'0');
        }
        if let Some(second) = half {
            if !(1..=12).contains(&numbers[0]) {
                return None;
            }
            numbers[0] = numbers[0] % 12 + if second { 12 } else { 0 };
        }
        Some(Self {
            negative,
            days,
            numbers,
            fraction: part.is_some(),
            fraction_ns,
            half,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_in_each_form() {
        let s = NS_PER_S;
        for (clock, cell, ns) in [
            (
                Clock::Day,
                "22:13:20.5",
                (22 * 3600 + 13 * 60 + 20) * s + s / 2,
            ),
            (
                Clock::Day,
                "2:13:20,250",
                (2 * 3600 + 13 * 60 + 20) * s + s / 4,
            ),
            (
                Clock::Day,
                "2:13:20:250",
                (2 * 3600 + 13 * 60 + 20) * s + s / 4,
            ),
            (Clock::Day, "10:13:20 PM", (22 * 3600 + 13 * 60 + 20) * s),
            (Clock::Day, "12:00:00 am", 0),
            (Clock::Elapsed, "123:00:01", (123 * 3600 + 1) * s),
            (
                Clock::Elapsed,
                "1 day, 2:03:04",
                (26 * 3600 + 3 * 60 + 4) * s,
            ),
            (Clock::Elapsed, "0 days 00:00:01.5", s * 3 / 2),
            (Clock::MinuteSecond, "13:20.5", (13 * 60 + 20) * s + s / 2),
            (Clock::HourMinute, "13:20", (13 * 3600 + 20 * 60) * s),
        ] {
            assert_eq!(clock.read(cell), Some(ns), "{cell}");
        }
        for cell in [
            "",
            "12",
            "1:2:3:4",
            "22:61:00",
            "2020-03-09 10:14:33",
            "a:b",
            "13:00:00 pm",
        ] {
            assert_eq!(Clock::Day.read(cell), None, "{cell}");
        }
    }
}
