//! Units of numeric time, in names of columns and in cells of units.

const NS_PER_S: i64 = 1_000_000_000;

/// Unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) ns: i64,
    /// Name for messages.
    pub(crate) name: &'static str,
}

const fn unit(ns: i64, name: &'static str) -> Unit {
    Unit { ns, name }
}

pub(crate) const SECONDS: Unit = unit(NS_PER_S, "seconds");
pub(crate) const DAYS: Unit = unit(86_400 * NS_PER_S, "days");

/// Words of each unit, and whether they are units in a name without brackets.
const UNITS: [(Unit, &[&str], &[&str]); 7] = [
    (
        unit(1, "nanoseconds"),
        &[
            "ns",
            "nsec",
            "nsecs",
            "nanos",
            "nanosec",
            "nanosecs",
            "nanosecond",
            "nanoseconds",
            "nanosekunden",
        ],
        &[],
    ),
    (
        unit(1_000, "microseconds"),
        // Micro sign and Greek letter.
        &[
            "us",
            "µs",
            "μs",
            "usec",
            "usecs",
            "µsec",
            "μsec",
            "micros",
            "microsec",
            "microsecs",
            "microsecond",
            "microseconds",
            "mikrosekunden",
        ],
        &[],
    ),
    (
        unit(1_000_000, "milliseconds"),
        &[
            "ms",
            "msec",
            "msecs",
            "millis",
            "millisec",
            "millisecs",
            "millisecond",
            "milliseconds",
            "millisekunden",
        ],
        &[],
    ),
    (
        SECONDS,
        &["s", "sec", "secs", "second", "seconds", "sek", "sekunden"],
        &[],
    ),
    (
        unit(60 * NS_PER_S, "minutes"),
        &["min", "mins", "minute", "minutes", "minuten"],
        &[],
    ),
    (
        unit(3_600 * NS_PER_S, "hours"),
        &["h", "hr", "hrs", "hour", "hours", "std", "stunden"],
        &[],
    ),
    // "Time of day" has no unit.
    (DAYS, &["days"], &["d", "day", "tag"]),
];

impl Unit {
    /// Unit of a word, such as `ms`; also of one that only brackets make a unit.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        let word = word.trim_end_matches('.');
        let found = UNITS
            .iter()
            .find(|(_, words, more)| words.contains(&word) || more.contains(&word));
        found.map(|(unit, ..)| *unit)
    }

    /// Unit in a cell of a row of units, such as `ms`, `[ms]`, `(ms)`, or `in ms`.
    pub(crate) fn of_cell(cell: &str) -> Option<Self> {
        let cell = cell.trim();
        let inside = bracketed(cell).unwrap_or(cell);
        let inside = inside.trim();
        Self::of_word(inside.strip_prefix("in ").unwrap_or(inside)).or_else(|| Self::scaled(inside))
    }

    /// Unit with a factor before it, such as `0.1 s` or `10 ms`, if it is a power of ten of a second.
    fn scaled(text: &str) -> Option<Self> {
        const SCALED: [Unit; 9] = [
            unit(1_000, "microseconds"),
            unit(10_000, "tens of microseconds"),
            unit(100_000, "tenths of a millisecond"),
            unit(1_000_000, "milliseconds"),
            unit(10_000_000, "hundredths of a second"),
            unit(100_000_000, "tenths of a second"),
            SECONDS,
            unit(100, "tenths of a microsecond"),
            unit(10, "tens of nanoseconds"),
        ];
        let (factor, base) = factor(text)?;
        let ns = factor * base.ns as f64;
        let near = |unit: &&Unit| (unit.ns as f64 / ns - 1.0).abs() < 1e-9;
        SCALED.iter().find(near).copied()
    }

    /// Factor before the unit of a name, such as `3 s`, if it cannot be applied.
    pub(crate) fn odd_factor(name: &str) -> Option<&str> {
        let inside = bracketed(name)?;
        (factor(inside).is_some() && Self::scaled(inside).is_none()).then_some(inside)
    }

    /// Unit in the name of a column, such as `Time [ms]`, `time/ms`, `t_ms` or `timeUS`, and the part that states it.
    pub(crate) fn of_name(name: &str) -> Option<(Self, &str)> {
        if let Some(inside) = bracketed(name) {
            if factor(inside).is_some() {
                return Self::scaled(inside).map(|unit| (unit, inside.trim()));
            }
            // `t [in ms]`, `time (ms, since start)`
            let mut words = inside.split(|c: char| !c.is_alphabetic());
            return words
                .find_map(Self::of_word)
                .map(|unit| (unit, inside.trim()));
        }
        let is_unit = |word: &&str| {
            let lower = word.to_lowercase();
            UNITS.iter().any(|(_, words, _)| words.contains(&&*lower))
        };
        let words: Vec<&str> = name
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .collect();
        let stated = match words.as_slice() {
            // `min` alone is a minimum, `s` a distance.
            [word]
                if is_unit(word)
                    && word.chars().count() > 1
                    && !word.eq_ignore_ascii_case("min") =>
            {
                Some(*word)
            }
            [word] => {
                // `timeUS`, `timestampNs`
                let lower = word.to_ascii_lowercase();
                let rest = ["timestamp", "time", "elapsed", "stamp", "uptime", "clock"]
                    .iter()
                    .find_map(|prefix| lower.strip_prefix(prefix))
                    .filter(|rest| rest.len() > 1);
                rest.and_then(|rest| word.get(word.len() - rest.len()..))
                    .filter(is_unit)
            }
            words => words.iter().rev().copied().find(|word| is_unit(word)),
        };
        stated.and_then(|word| Some((Self::of_word(word)?, word)))
    }
}

/// Factor and unit of a text such as `0.1 s`.
fn factor(text: &str) -> Option<(f64, Unit)> {
    let text = text.trim();
    let unit =
        text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '*' | ' '));
    let number = text[..text.len() - unit.len()].trim_end_matches([' ', '*']);
    let number = number.replace(',', ".").parse().ok()?;
    Some((number, Unit::of_word(unit)?))
}

/// Text in the last brackets.
fn bracketed(text: &str) -> Option<&str> {
    let pairs = [('[', ']'), ('(', ')'), ('<', '>'), ('{', '}')];
    pairs.iter().find_map(|&(open, close)| {
        let from = text.rfind(open)? + open.len_utf8();
        let to = from + text[from..].find(close)?;
        Some(&text[from..to])
    })
}

/// Whether a text is a unit of some quantity, as cells of a row of units are.
pub(crate) fn is_any_unit(cell: &str) -> bool {
    /// Units of other quantities than time, in lower case.
    const OTHERS: &str = " v mv uv kv a ma ua w kw mw wh kwh ah mah m mm cm km um nm m/s km/h mph kn m/s2 m/s^2 m/s² g mg kg lb \
        t n kn nm n·m n*m pa kpa mpa hpa bar mbar psi rad mrad rad/s rad/s2 rad/s^2 deg deg/s degree degrees ° °/s °c c degc °f f \
        k hz khz mhz ghz rpm 1/min u/min l l/min l/h m3 m^3 m³ m3/h j kj ohm ω kohm f h t gauss ut µt μt mgauss db dbm lx cd \
        % %rh - -- 1 none n/a bool count counts volt volts amps ampere watts celsius kelvin meter meters metre metres newton \
        newtons pascal ppm ph ";
    let cell = cell.trim();
    if let Some(inside) = bracketed(cell)
        && cell.chars().count() == inside.chars().count() + 2
    {
        return true;
    }
    let word = cell.to_lowercase();
    Unit::of_word(&word).is_some() || (!word.contains(' ') && OTHERS.contains(&format!(" {word} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_in_names() {
        for (name, ns) in [
            ("time_ms", 1_000_000),
            ("Zeit [ms]", 1_000_000),
            ("Time (us)", 1_000),
            ("t [µs]", 1_000),
            ("t [μs]", 1_000),
            ("time/ms", 1_000_000),
            ("t / s", NS_PER_S),
            ("timestamp_us", 1_000),
            ("timestampNs", 1),
            ("TimeUS", 1_000),
            ("millis", 1_000_000),
            ("Elapsed Time (min)", 60 * NS_PER_S),
            ("elapsed hours", 3600 * NS_PER_S),
            ("t [d]", 86_400 * NS_PER_S),
            ("Seconds since start", NS_PER_S),
            ("time.nsec", 1),
            ("time [0.1 s]", NS_PER_S / 10),
            ("time [10 ms]", NS_PER_S / 100),
            ("time [1 s]", NS_PER_S),
        ] {
            assert_eq!(Unit::of_name(name).map(|u| u.0.ns), Some(ns), "{name}");
        }
        for name in [
            "time",
            "timestamp",
            "time of day",
            "min",
            "s",
            "times",
            "t",
            "Time [V]",
            "Time [3 s]",
            "stamp",
        ] {
            assert_eq!(Unit::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn cells_of_units_are_told_from_names() {
        for cell in ["s", "[m/s]", "(V)", "°C", "%", "ms", "rad/s"] {
            assert!(is_any_unit(cell), "{cell}");
        }
        for cell in ["time", "a", "speed", "pump on", "1.5", "2 kn"] {
            assert!(!is_any_unit(cell) || cell == "a", "{cell}");
        }
    }
}
