//! Numeric time: decimal numbers of units, and their origins.

use super::unit::{DAYS, SECONDS, Unit};

const NS_PER_DAY: i64 = 86_400_000_000_000;

/// Origin of a numeric time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Unknown,
    /// 1970.
    Epoch,
    /// Day 25569 of spreadsheets is 1970-01-01.
    Spreadsheet,
    /// Day 719529 of MATLAB is 1970-01-01.
    Matlab,
}

impl Origin {
    /// Origin of a number in a unit: 1970 if that makes a date after 1973.
    pub(super) fn of(x: f64, unit: Unit) -> Self {
        let since = x * unit.ns as f64 / SECONDS.ns as f64;
        match day_count(x) {
            Some(origin) if unit == DAYS => origin,
            _ if (1e8..4.1e9).contains(&since) => Self::Epoch,
            _ => Self::Unknown,
        }
    }

    /// 1970-01-01 in this count (ns).
    pub(super) fn ns(self) -> i64 {
        match self {
            Self::Unknown | Self::Epoch => 0,
            Self::Spreadsheet => 25_569 * NS_PER_DAY,
            // Larger than a count of nanoseconds can be: steps count only.
            Self::Matlab => 0,
        }
    }
}

/// Unit by the magnitude of a time since 1970, of the years 1990 to 2100.
pub(super) fn unit_of_magnitude(x: f64) -> Option<Unit> {
    const YEARS: std::ops::Range<f64> = 6.3e8..4.1e9;
    ["s", "ms", "us", "ns"]
        .iter()
        .filter_map(|word| Unit::of_word(word))
        .find(|unit| YEARS.contains(&(x * unit.ns as f64 / SECONDS.ns as f64)))
}

/// Whether days of a spreadsheet or of MATLAB may be meant, and since when, by the first number.
pub(super) fn day_count(x: f64) -> Option<Origin> {
    if (25_000.0..80_000.0).contains(&x) {
        Some(Origin::Spreadsheet)
    } else if (710_000.0..770_000.0).contains(&x) {
        Some(Origin::Matlab)
    } else {
        None
    }
}

/// Whether a period (s) is one that a person chooses: one or two digits, within half a percent.
pub(super) fn is_round(period_s: f64) -> bool {
    if !(period_s > 1e-12 && period_s.is_finite()) {
        return false;
    }
    let scaled = |by: f64| {
        let mut x = period_s * by;
        while x < 1.0 {
            x *= 10.0;
        }
        while x >= 10.0 {
            x /= 10.0;
        }
        x
    };
    // Also of minutes and hours.
    [1.0, 1.0 / 60.0, 1.0 / 3600.0].iter().any(|by| {
        let x = scaled(*by);
        [1.0, 2.0, 2.5, 4.0, 5.0, 10.0]
            .iter()
            .any(|round| (x / round - 1.0).abs() < 5e-3)
    })
}

/// Parses a decimal number of units, exact to the nanosecond: `f64` cannot represent 1583748873.123456789 s.
pub(super) fn count_ns(text: &str, unit_ns: i64) -> Option<i64> {
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
    let whole = match whole {
        "" => 0,
        whole => whole.parse::<i64>().ok()?,
    };
    // MATLAB's days would exceed 64 bits of nanoseconds.
    let whole = if unit_ns == DAYS.ns && whole > 106_000 {
        whole - 719_529
    } else {
        whole
    };
    let mut ns = whole.checked_mul(unit_ns)?;
    if unit_ns > SECONDS.ns {
        // Not a power of ten: digits one by one would be rounded each.
        let part = part.get(..18).unwrap_or(part);
        let digits: i128 = if part.is_empty() {
            0
        } else {
            part.parse().ok()?
        };
        let scale = 10_i128.pow(u32::try_from(part.len()).ok()?);
        let rest = (digits * i128::from(unit_ns) + scale / 2) / scale;
        ns = ns.checked_add(i64::try_from(rest).ok()?)?;
    } else {
        let mut place = unit_ns;
        for digit in part.bytes() {
            place /= 10;
            if place == 0 {
                break;
            }
            ns = ns.checked_add(place * i64::from(digit - b'0'))?;
        }
    }
    Some(if negative { -ns } else { ns })
}
