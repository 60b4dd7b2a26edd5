//! Numbers, and numbers with units, as they are said: `two and a half metres`, `90 degrees`, `1 min 30 s`, `8:15 pm`.

use super::words::Word;

/// What can be understood from a place on: where it ends, and its value in SI units.
pub(crate) type Found = Vec<(usize, f64)>;

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];

fn text(words: &[Word], at: usize) -> &str {
    words.get(at).map_or("", |word| word.text.as_str())
}

/// `2`, `0.5`, `.5`, `0,5`, `1,000`.
fn digits(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches('-');
    if unsigned.is_empty() || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if !unsigned
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
    {
        return None;
    }
    let plain = match unsigned.split_once(',') {
        None => text.to_owned(),
        // A comma of thousands, or of decimals: which one is not known.
        Some((_, rest)) if rest.len() == 3 => return None,
        Some((_, rest)) if rest.contains([',', '.']) => return None,
        Some(_) => text.replace(',', "."),
    };
    plain.parse::<f64>().ok().filter(|x| x.is_finite())
}

/// A whole number in words.
fn spelled(words: &[Word], at: usize) -> Option<(usize, f64)> {
    let word = text(words, at);
    let small = |word: &str| SMALL.iter().position(|w| *w == word).map(|n| n as f64);
    let (mut end, mut value) = if let Some(n) = small(word) {
        (at + 1, n)
    } else {
        let tens = TENS.iter().position(|w| *w == word)?;
        let tens = (tens + 2) as f64 * 10.0;
        match small(text(words, at + 1)).filter(|n| (1.0..10.0).contains(n)) {
            Some(n) => (at + 2, tens + n),
            None => (at + 1, tens),
        }
    };
    if text(words, end) == "hundred" {
        value *= 100.0;
        end += 1;
        let rest = if text(words, end) == "and" {
            end + 1
        } else {
            end
        };
        if let Some((to, n)) = spelled(words, rest).filter(|(_, n)| *n < 100.0) {
            (end, value) = (to, value + n);
        }
    }
    if text(words, end) == "thousand" {
        (end, value) = (end + 1, value * 1000.0);
    }
    if text(words, end) == "point" {
        let (mut tenth, mut to) = (0.1, end + 1);
        while let Some(n) = small(text(words, to)).filter(|n| *n < 10.0) {
            (value, tenth, to) = (value + n * tenth, tenth * 0.1, to + 1);
        }
        if to > end + 1 {
            // As the digits are written.
            value = (value * 1e6).round() / 1e6;
            end = to;
        }
    }
    Some((end, value))
}

/// A number; `a` and `half a` are numbers where a unit follows.
fn number_at(words: &[Word], at: usize, before_unit: bool) -> Found {
    let mut found = Vec::new();
    let word = text(words, at);
    if matches!(word, "minus" | "negative") {
        return number_at(words, at + 1, before_unit)
            .into_iter()
            .map(|(end, x)| (end, -x))
            .collect();
    }
    if before_unit {
        match (word, text(words, at + 1)) {
            ("half", "a" | "an") => found.push((at + 2, 0.5)),
            ("half", _) => found.push((at + 1, 0.5)),
            ("quarter", "of") if matches!(text(words, at + 2), "a" | "an") => {
                found.push((at + 3, 0.25));
            }
            ("quarter", _) => found.push((at + 1, 0.25)),
            ("a" | "an", "half") => found.push((at + 2, 0.5)),
            ("a", "quarter")
                if text(words, at + 2) == "of" && matches!(text(words, at + 3), "a" | "an") =>
            {
                found.push((at + 4, 0.25));
            }
            ("a", "quarter") => found.push((at + 2, 0.25)),
            ("a", "couple") => found.push((at + 2 + usize::from(text(words, at + 2) == "of"), 2.0)),
            ("a" | "an", _) => found.push((at + 1, 1.0)),
            _ => {}
        }
    }
    let whole = digits(word)
        .map(|x| (at + 1, x))
        .or_else(|| spelled(words, at));
    if let Some((end, x)) = whole {
        if text(words, end) == "and" && text(words, end + 1) == "a" {
            match text(words, end + 2) {
                "half" => found.push((end + 3, x + 0.5)),
                "quarter" => found.push((end + 3, x + 0.25)),
                _ => {}
            }
        }
        found.push((end, x));
    }
    found
}

/// A plain number.
pub(crate) fn number(words: &[Word], at: usize) -> Found {
    number_at(words, at, false)
}

/// Units of one word or two, in the SI unit.
type Units = &'static [(&'static str, f64)];

const DISTANCE: Units = &[
    ("m", 1.0),
    ("meter", 1.0),
    ("meters", 1.0),
    ("metre", 1.0),
    ("metres", 1.0),
    ("cm", 0.01),
    ("centimeter", 0.01),
    ("centimeters", 0.01),
    ("centimetre", 0.01),
    ("centimetres", 0.01),
    ("mm", 0.001),
    ("millimeter", 0.001),
    ("millimeters", 0.001),
    ("millimetre", 0.001),
    ("millimetres", 0.001),
    ("km", 1000.0),
    ("kilometer", 1000.0),
    ("kilometers", 1000.0),
    ("kilometre", 1000.0),
    ("kilometres", 1000.0),
    ("ft", 0.3048),
    ("foot", 0.3048),
    ("feet", 0.3048),
    ("inch", 0.0254),
    ("inches", 0.0254),
    ("yard", 0.9144),
    ("yards", 0.9144),
];

const ANGLE: Units = &[
    ("\u{b0}", std::f64::consts::PI / 180.0),
    ("deg", std::f64::consts::PI / 180.0),
    ("degs", std::f64::consts::PI / 180.0),
    ("degree", std::f64::consts::PI / 180.0),
    ("degrees", std::f64::consts::PI / 180.0),
    ("rad", 1.0),
    ("rads", 1.0),
    ("radian", 1.0),
    ("radians", 1.0),
    ("turn", std::f64::consts::TAU),
    ("turns", std::f64::consts::TAU),
    ("revolution", std::f64::consts::TAU),
    ("revolutions", std::f64::consts::TAU),
    ("full turn", std::f64::consts::TAU),
    ("full circle", std::f64::consts::TAU),
    ("circle", std::f64::consts::TAU),
];

const SPEED: Units = &[
    ("m s", 1.0),
    ("mps", 1.0),
    ("meters per second", 1.0),
    ("metres per second", 1.0),
    ("meter per second", 1.0),
    ("metre per second", 1.0),
    ("m per second", 1.0),
    ("m per s", 1.0),
    ("meters a second", 1.0),
    ("metres a second", 1.0),
    ("meter a second", 1.0),
    ("metre a second", 1.0),
    ("m a second", 1.0),
    ("cm s", 0.01),
    ("centimeters per second", 0.01),
    ("centimetres per second", 0.01),
    ("cm per second", 0.01),
    ("mm s", 0.001),
    ("km h", 1.0 / 3.6),
    ("kmh", 1.0 / 3.6),
    ("kph", 1.0 / 3.6),
    ("kilometers per hour", 1.0 / 3.6),
    ("kilometres per hour", 1.0 / 3.6),
    ("km per hour", 1.0 / 3.6),
    ("kilometers an hour", 1.0 / 3.6),
    ("kilometres an hour", 1.0 / 3.6),
    ("km an hour", 1.0 / 3.6),
    ("mph", 0.44704),
    ("miles per hour", 0.44704),
    ("miles an hour", 0.44704),
];

const DURATION: Units = &[
    ("s", 1.0),
    ("sec", 1.0),
    ("secs", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("ms", 0.001),
    ("millisecond", 0.001),
    ("milliseconds", 0.001),
    ("min", 60.0),
    ("mins", 60.0),
    ("minute", 60.0),
    ("minutes", 60.0),
    ("h", 3600.0),
    ("hr", 3600.0),
    ("hrs", 3600.0),
    ("hour", 3600.0),
    ("hours", 3600.0),
    ("day", 86400.0),
    ("days", 86400.0),
];

fn unit(words: &[Word], at: usize, units: Units) -> Option<(usize, f64)> {
    let fits = |name: &str| {
        name.split(' ')
            .enumerate()
            .all(|(i, part)| text(words, at + i) == part)
    };
    let mut best: Option<(usize, f64)> = None;
    for (name, factor) in units.iter().filter(|(name, _)| fits(name)) {
        let end = at + name.split(' ').count();
        if best.is_none_or(|(to, _)| to < end) {
            best = Some((end, *factor));
        }
    }
    best
}

fn with_unit(words: &[Word], at: usize, units: Units) -> Found {
    let mut found = Vec::new();
    for (end, x) in number_at(words, at, true) {
        if let Some((end, factor)) = unit(words, end, units) {
            // `a minute and a half`
            if text(words, end) == "and"
                && text(words, end + 1) == "a"
                && text(words, end + 2) == "half"
            {
                found.push((end + 3, tidy((x + 0.5) * factor)));
            }
            found.push((end, tidy(x * factor)));
        }
    }
    found
}

/// Without the last bits of a conversion: `50 cm` is 0.5 m.
fn tidy(x: f64) -> f64 {
    let rounded = (x * 1e9).round() / 1e9;
    if (rounded - x).abs() < 1e-12 * x.abs().max(1.0) {
        rounded
    } else {
        x
    }
}

/// A distance (m).
pub(crate) fn distance(words: &[Word], at: usize) -> Found {
    with_unit(words, at, DISTANCE)
}

/// An angle (rad). Without a unit, a whole number from 10 on is one of degrees.
pub(crate) fn angle(words: &[Word], at: usize) -> Found {
    let mut found = with_unit(words, at, ANGLE);
    let plain = number(words, at).into_iter();
    found.extend(
        plain
            .filter(|(_, x)| x.abs() >= 10.0 && x.fract() == 0.0)
            .map(|(end, x)| (end, x.to_radians())),
    );
    found
}

/// A speed (m/s).
pub(crate) fn speed(words: &[Word], at: usize) -> Found {
    with_unit(words, at, SPEED)
}

/// A duration (s), of one unit or several.
pub(crate) fn duration(words: &[Word], at: usize) -> Found {
    let mut found = with_unit(words, at, DURATION);
    for (end, x) in found.clone() {
        let rest = if text(words, end) == "and" {
            end + 1
        } else {
            end
        };
        let more = with_unit(words, rest, DURATION);
        found.extend(more.into_iter().map(|(end, y)| (end, x + y)));
    }
    found
}

/// A factor: `2`, `2x`, `2 times`, `twice`, `half`, `double`, `50 %`.
pub(crate) fn factor(words: &[Word], at: usize) -> Found {
    let mut found = Vec::new();
    match text(words, at) {
        "twice" | "double" => found.push((at + 1, 2.0)),
        "triple" => found.push((at + 1, 3.0)),
        "half" => found.push((at + 1, 0.5)),
        "quarter" => found.push((at + 1, 0.25)),
        _ => {}
    }
    for (end, x) in number(words, at) {
        match text(words, end) {
            "%" | "percent" => found.push((end + 1, tidy(x / 100.0))),
            "x" | "times" | "fold" => found.push((end + 1, x)),
            _ => found.push((end, x)),
        }
    }
    found.retain(|(_, x)| *x > 0.0);
    found
}

/// A time of day (minutes after midnight): `8`, `8 am`, `17:30`, `noon`, `half past seven`.
pub(crate) fn time_of_day(words: &[Word], at: usize) -> Found {
    let mut found = Vec::new();
    match text(words, at) {
        "noon" | "midday" => return vec![(at + 1, 720.0)],
        "midnight" => return vec![(at + 1, 0.0)],
        "half" if text(words, at + 1) == "past" => {
            let hours = time_of_day(words, at + 2).into_iter();
            return hours
                .filter(|(_, m)| m % 60.0 == 0.0)
                .map(|(end, m)| (end, m + 30.0))
                .collect();
        }
        "quarter" if text(words, at + 1) == "past" => {
            let hours = time_of_day(words, at + 2).into_iter();
            return hours
                .filter(|(_, m)| m % 60.0 == 0.0)
                .map(|(end, m)| (end, m + 15.0))
                .collect();
        }
        _ => {}
    }
    let clock = |text: &str| -> Option<f64> {
        let (h, m) = text.split_once([':', '.'])?;
        let (h, m): (u32, u32) = (h.parse().ok()?, (m.len() == 2).then(|| m.parse().ok())??);
        (h < 24 && m < 60).then(|| f64::from(h * 60 + m))
    };
    let mut read = Vec::new();
    if let Some(minutes) = clock(text(words, at)) {
        read.push((at + 1, minutes));
    } else {
        let whole = number(words, at)
            .into_iter()
            .filter(|(_, h)| h.fract() == 0.0 && (0.0..=24.0).contains(h));
        read.extend(whole.map(|(end, h)| (end, (h % 24.0) * 60.0)));
    }
    for (end, minutes) in read {
        let (suffix, after) = match (text(words, end), text(words, end + 1)) {
            ("am" | "pm", _) => (text(words, end), end + 1),
            ("a", "m") => ("am", end + 2),
            ("p", "m") => ("pm", end + 2),
            ("in", "the") if text(words, end + 2) == "morning" => ("am", end + 3),
            ("in", "the") if matches!(text(words, end + 2), "evening" | "afternoon") => {
                ("pm", end + 3)
            }
            ("in", "morning") => ("am", end + 2),
            ("o'clock" | "oclock" | "hours" | "h", _) => ("", end + 1),
            _ => ("", end),
        };
        let hour = minutes / 60.0;
        match suffix {
            "am" if (1.0..13.0).contains(&hour) => found.push((after, minutes % 720.0)),
            "pm" if (1.0..13.0).contains(&hour) => found.push((after, minutes % 720.0 + 720.0)),
            "pm" if hour >= 13.0 => found.push((after, minutes)),
            "am" if hour < 1.0 => found.push((after, minutes)),
            "" => found.push((after, minutes)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn longest(found: Found, count: usize) -> Option<f64> {
        found
            .into_iter()
            .find(|(end, _)| *end == count)
            .map(|(_, x)| x)
    }

    #[test]
    fn quantities_are_read() {
        type Read = fn(&[Word], usize) -> Found;
        let cases: &[(Read, &str, f64)] = &[
            (distance, "2 m", 2.0),
            (distance, "50cm", 0.5),
            (distance, "half a metre", 0.5),
            (distance, "a metre", 1.0),
            (distance, "one and a half meters", 1.5),
            (distance, "a metre and a half", 1.5),
            (distance, "zero point three metres", 0.3),
            (distance, "minus 0,5 m", -0.5),
            (distance, "twenty five centimetres", 0.25),
            (angle, "90 degrees", std::f64::consts::FRAC_PI_2),
            (angle, "a quarter turn", std::f64::consts::FRAC_PI_2),
            (angle, "half a turn", std::f64::consts::PI),
            (angle, "90", std::f64::consts::FRAC_PI_2),
            (angle, "0.5 rad", 0.5),
            (speed, "0.3 m/s", 0.3),
            (speed, "36 km/h", 10.0),
            (speed, "half a metre per second", 0.5),
            (duration, "1 min 30 s", 90.0),
            (duration, "an hour and 10 minutes", 4200.0),
            (duration, "half a minute", 30.0),
            (duration, "a couple of minutes", 120.0),
            (factor, "twice", 2.0),
            (factor, "5x", 5.0),
            (time_of_day, "8", 480.0),
            (time_of_day, "17:30", 1050.0),
            (time_of_day, "8 am", 480.0),
            (time_of_day, "half past seven in the evening", 1170.0),
            (time_of_day, "12 am", 0.0),
            (time_of_day, "noon", 720.0),
        ];
        for (read, said, expected) in cases {
            let words = words(said);
            let value = longest(read(&words, 0), words.len());
            assert!(
                value.is_some_and(|x| (x - expected).abs() < 1e-12),
                "{said}: {value:?}"
            );
        }
        let none: &[(Read, &str)] = &[
            (distance, "2"),
            (distance, "2 s"),
            (distance, "1,000 m"),
            (angle, "3"),
            (speed, "2 m"),
            (time_of_day, "25"),
            (time_of_day, "17:75"),
        ];
        for (read, said) in none {
            let words = words(said);
            assert_eq!(longest(read(&words, 0), words.len()), None, "{said}");
        }
    }
}
