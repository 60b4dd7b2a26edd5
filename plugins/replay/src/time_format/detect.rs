//! Detection of the time format of a column by its first cells.

use super::count::{Origin, day_count, is_round, unit_of_magnitude};
use super::date::{DateForm, forms};
use super::unit::{DAYS, SECONDS, Unit};
use super::{Clock, TimeFormat, iso, with_decimal_point};

/// Words of names whose numbers may be days of a spreadsheet.
const DATE_WORDS: [&str; 4] = ["date", "datum", "datenum", "serial"];

/// Detected format of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detected {
    pub(crate) format: TimeFormat,
    /// What the format was guessed from, for the user.
    pub(crate) why: Option<String>,
    /// Whether seconds are assumed for numbers without a unit.
    pub(crate) assumed: bool,
    /// Something that the user should check.
    pub(crate) note: Option<String>,
    /// Found and expected, if the format cannot be told.
    pub(crate) ask: Option<(String, String)>,
}

impl Detected {
    pub(crate) fn sure(format: TimeFormat) -> Self {
        Self {
            format,
            why: None,
            assumed: false,
            note: None,
            ask: None,
        }
    }
}

/// Whether a text that is no number is a time stamp.
pub(crate) fn is_stamp(cell: &str) -> bool {
    let cell = cell.trim();
    if !cell.bytes().any(|b| b.is_ascii_digit()) {
        return false;
    }
    iso(cell).is_some()
        || Clock::of(&[cell])
            .iter()
            .any(|clock| clock.read(cell).is_some())
        || forms(cell)
            .into_iter()
            .any(|form| TimeFormat::Date(form, None).read(cell).is_some())
}

/// Detects the format of a column: it must fit nine of ten cells that are not empty. `unit`: from a row of units, and how
/// it is named there; otherwise it follows from the column's name.
pub(crate) fn detect(name: &str, cells: &[&str], unit: Option<(Unit, &str)>) -> Option<Detected> {
    let cells: Vec<&str> = cells
        .iter()
        .map(|c| c.trim())
        .filter(|c| !c.is_empty())
        .collect();
    if cells.is_empty() {
        return None;
    }
    let fit = |format: &TimeFormat| cells.iter().filter(|c| format.read(c).is_some()).count();
    let fits = |format: &TimeFormat| fit(format) * 10 >= cells.len() * 9;
    let compact = DATE_WORDS
        .iter()
        .any(|word| name.to_lowercase().contains(word))
        && cells
            .iter()
            .all(|c| c.len() == 8 && (c.starts_with("19") || c.starts_with("20")));
    if !compact
        && let Some(count) = count(name, &cells, unit)
        && fits(&count.format)
    {
        return Some(count);
    }
    if fits(&TimeFormat::Iso) {
        return Some(Detected::sure(TimeFormat::Iso));
    }
    let clocks: Vec<TimeFormat> = Clock::of(&cells)
        .into_iter()
        .map(TimeFormat::Clock)
        .filter(fits)
        .collect();
    match clocks.as_slice() {
        [] => dates(&cells, &fits, &fit),
        [clock] => Some(Detected::sure(clock.clone())),
        [clock, ..] => Some(match unit_of_clock(name, unit) {
            Some(clock) => Detected::sure(TimeFormat::Clock(clock)),
            None => Detected {
                ask: Some((
                    format!(
                        "`{}`, which may be hours:minutes or minutes:seconds",
                        cells[0]
                    ),
                    "--time-format %H:%M or %M:%S".to_owned(),
                )),
                ..Detected::sure(clock.clone())
            },
        }),
    }
}

/// Reading of two numbers with a colon, by the name or the unit.
fn unit_of_clock(name: &str, unit: Option<(Unit, &str)>) -> Option<Clock> {
    let text = format!("{name} {}", unit.map_or("", |u| u.1)).to_lowercase();
    let has = |forms: &[&str]| forms.iter().any(|form| text.contains(form));
    if has(&["hh:mm", "h:mm", "h:m", "h:min"]) {
        Some(Clock::HourMinute)
    } else if has(&["mm:ss", "m:ss", "m:s", "min:s"]) {
        Some(Clock::MinuteSecond)
    } else {
        None
    }
}

/// Date format by all forms of the first and the last cell.
fn dates(
    cells: &[&str],
    fits: &dyn Fn(&TimeFormat) -> bool,
    fit: &dyn Fn(&TimeFormat) -> usize,
) -> Option<Detected> {
    let mut ways = forms(cells[0]);
    for form in forms(cells[cells.len() - 1]) {
        if !ways.contains(&form) {
            ways.push(form);
        }
    }
    let as_format = |form: &DateForm| TimeFormat::Date(form.clone(), None);
    ways.retain(|form| fits(&as_format(form)));
    let most = ways.iter().map(|form| fit(&as_format(form))).max()?;
    ways.retain(|form| fit(&as_format(form)) == most);
    let read = |form: &DateForm| -> Vec<i64> {
        let format = as_format(form);
        cells.iter().filter_map(|c| format.read(c)).collect()
    };
    let increases = |form: &&DateForm| read(form).is_sorted();
    let rising: Vec<&DateForm> = ways.iter().filter(increases).collect();
    let likely: Vec<&DateForm> = match rising.len() {
        0 => ways.iter().collect(),
        _ => rising,
    };
    let best = *likely.first()?;
    let steps = |form: &DateForm| -> Vec<i64> {
        let read = read(form);
        read.windows(2).map(|w| w[1].saturating_sub(w[0])).collect()
    };
    let zone = best.zone.as_ref().map(|zone| {
        format!("the time zone `{zone}` of its stamps is not applied: they count as UTC")
    });
    let Some(other) = likely.get(1) else {
        let why = (ways.len() > 1).then(|| "the order in which time increases".to_owned());
        return Some(Detected {
            why,
            note: zone,
            ..Detected::sure(as_format(best))
        });
    };
    let cell = cells[0];
    let ways = |join: &str| -> String {
        let ways: Vec<String> = likely
            .iter()
            .map(|form| format!("{} (--time-format '{}')", form.order, form.format))
            .collect();
        ways.join(join)
    };
    if likely.iter().any(|form| steps(form) != steps(best)) {
        return Some(Detected {
            ask: Some((
                format!(
                    "`{cell}`, whose order of day, month and year cannot be told, while the steps of time depend on it"
                ),
                format!("one of {}", ways(", ")),
            )),
            ..Detected::sure(as_format(best))
        });
    }
    // Steps are the same: the year, month and day of the first stamp are a guess only.
    Some(Detected {
        note: Some(zone.unwrap_or_else(|| {
            format!(
                "`{cell}` may be {}: taken for {}, with the same steps of time",
                ways(" or "),
                best.order
            )
        })),
        ..Detected::sure(TimeFormat::Date(best.clone(), Some((*other).clone())))
    })
}

/// Format of numeric time.
fn count(name: &str, cells: &[&str], stated: Option<(Unit, &str)>) -> Option<Detected> {
    let number = |c: &&str| {
        with_decimal_point(c)
            .parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
    };
    let first = cells.iter().find_map(number)?;
    let last = cells.iter().rev().find_map(number).unwrap_or(first);
    let size = first.abs();
    let sure = |unit: Unit, origin: Origin| Detected::sure(TimeFormat::Count { unit, origin });
    let by_size = unit_of_magnitude(size);
    let named = Unit::of_name(name);
    if let (Some((unit, cell)), Some((named, part))) = (stated, named)
        && unit != named
    {
        return Some(Detected {
            ask: Some((
                format!("the unit `{cell}` below a name with `{part}`"),
                "one unit, or --time-unit".to_owned(),
            )),
            ..sure(unit, Origin::Unknown)
        });
    }
    let given = stated
        .map(|(unit, cell)| (unit, format!("the unit `{cell}`")))
        .or_else(|| named.map(|(unit, part)| (unit, format!("`{part}` in its name"))));
    if let Some((unit, why)) = given {
        let since = size * unit.ns as f64 / SECONDS.ns as f64;
        if let Some(fitting) = by_size.filter(|fitting| *fitting != unit) {
            // Beyond the year 4000: the unit is wrong.
            if since > 6.4e10 {
                return Some(Detected {
                    note: Some(format!(
                        "{why} says {}, but `{}` is a date in {} since 1970: taken for that; --time-unit overrides it",
                        unit.name, cells[0], fitting.name
                    )),
                    ..sure(fitting, Origin::Epoch)
                });
            }
            return Some(Detected {
                note: Some(format!(
                    "`{}` would be a date in {} since 1970, but {why} says {}: taken for that; --time-unit overrides it",
                    cells[0], fitting.name, unit.name
                )),
                why: Some(why),
                ..sure(unit, Origin::Unknown)
            });
        }
        return Some(Detected {
            why: Some(why),
            ..sure(unit, Origin::of(size, unit))
        });
    }
    if let Some(unit) = by_size {
        let why = Some(format!("the magnitude of `{}`", cells[0]));
        return Some(Detected {
            why,
            ..sure(unit, Origin::Epoch)
        });
    }
    if let Some(origin) = day_count(size) {
        let count = cells.len().saturating_sub(1).max(1) as f64;
        let period = ((last - first) / count).abs();
        let dated = DATE_WORDS
            .iter()
            .any(|word| name.to_lowercase().contains(word));
        let parts = cells.iter().any(|c| c.contains(['.', ',']));
        let (as_days, as_seconds) = (is_round(period * 86_400.0), is_round(period));
        let days = Detected {
            note: Some(format!(
                "`{}` is taken for a date in {}; --time-unit s makes it seconds",
                cells[0],
                TimeFormat::Count { unit: DAYS, origin }.name()
            )),
            ..sure(DAYS, origin)
        };
        if dated || (parts && as_days && !as_seconds) {
            return Some(days);
        }
        if parts && period > 0.0 && period < 5e-4 {
            return Some(Detected {
                ask: Some((
                    format!("`{}`, which may be seconds or the days of a date", cells[0]),
                    "--time-unit s or --time-unit d".to_owned(),
                )),
                ..days
            });
        }
    }
    Some(Detected {
        assumed: true,
        ..sure(SECONDS, Origin::Unknown)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = SECONDS.ns;
    /// `date -u -d "2020-03-09 10:14:33" +%s`
    const NINTH_OF_MARCH: i64 = 1_583_748_873;

    fn of(name: &str, cells: &[&str]) -> TimeFormat {
        let found = detect(name, cells, None).unwrap_or_else(|| panic!("{cells:?}"));
        assert_eq!(found.ask, None, "{cells:?}");
        found.format
    }

    #[test]
    fn equal_times_in_all_formats() {
        for (name, text, expected) in [
            ("datetime", "2020-03-09 10:14:33", "ISO 8601"),
            ("datetime", "2020-03-09T10:14:33Z", "ISO 8601"),
            ("datetime", "2020-03-09T11:14:33.000+01:00", "ISO 8601"),
            ("datetime", "2020-03-09 11:14:33 +0100", "ISO 8601"),
            ("datetime", "2020-03-09 10:14:33 UTC", "ISO 8601"),
            ("datetime", "2020-03-09 10:14:33,000", "ISO 8601"),
            ("datetime", "20200309T101433Z", "ISO 8601"),
            ("zeit", "09.03.2020 10:14:33", "day.month.year"),
            ("zeit", "09.03.20 10:14:33", "day.month.two-digit year"),
            ("when", "2020/03/09 10:14:33.0", "year/month/day"),
            ("when", "3/9/2020 10:14:33 AM", "month/day/year"),
            ("when", "29/02/2020 10:14:33", "day/month/year"),
            ("when", "2/29/20 10:14:33", "month/day/two-digit year"),
            ("when", "29/02/2020 10:14:33 am", "day/month/year"),
            ("when", "09-Mar-2020 10:14:33.000", "day-month-year"),
            ("when", "9 Mar 2020 10:14:33", "day month year"),
            ("when", "9 March 2020 10:14:33", "day month year"),
            ("when", "March 9, 2020 10:14:33 AM", "month day year"),
            ("when", "Mon Mar  9 10:14:33 2020", "month day"),
            ("when", "Mon, 09 Mar 2020 11:14:33 +0100", "day month year"),
            ("when", "09/Mar/2020:10:14:33 +0000", "day/month/year"),
            ("when", "2020:03:09 10:14:33", "year:month:day"),
            ("when", "2020-069 10:14:33", "year-day of the year"),
            ("when", "20200309101433", "yearmonthday"),
            ("t", "1583748873", "seconds since 1970"),
            ("t", "1583748873.0", "seconds since 1970"),
            ("t", "1583748873000", "milliseconds since 1970"),
            ("t", "1583748873000000", "microseconds since 1970"),
            ("t", "1583748873000000000", "nanoseconds since 1970"),
            ("t", "1583748873,0", "seconds since 1970"),
        ] {
            let format = of(name, &[text]);
            assert_eq!(format.name(), expected, "{text}");
            let leap = text.starts_with("29/02") || text.starts_with("2/29");
            let s = NINTH_OF_MARCH - if leap { 9 * 86_400 } else { 0 };
            assert_eq!(format.read(text), Some(s * S), "{text}");
        }
    }

    #[test]
    fn two_digit_years_may_be_first() {
        let format = of("when", &["99/12/31 00:00:00"]);
        assert_eq!(format.name(), "two-digit year/month/day");
        // `date -u -d 1999-12-31 +%s`
        assert_eq!(format.read("99/12/31 00:00:00"), Some(946_598_400 * S));
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
            ("Elapsed Time (min)", "0.5", 30 * S),
            ("time [h]", "1.25", 4500 * S),
            // Microseconds since the start of a device are no date.
            ("timestamp_us", "1600000000", 1600 * S),
            ("time_us", "123456789", 123_456_789_000),
        ] {
            let format = of(name, &[text]);
            assert_eq!(format.read(text), Some(ns), "{name}");
        }
    }

    #[test]
    fn unit_that_contradicts_the_magnitude_is_reported() {
        let found = detect("time_s", &["1583748873000"], None).unwrap();
        assert_eq!(found.format.name(), "milliseconds since 1970");
        assert!(found.note.is_some_and(|n| n.contains("--time-unit")));
        let ms = Unit::of_cell("(ms)").map(|u| (u, "(ms)"));
        let found = detect("time", &["0", "20"], ms).unwrap();
        assert_eq!(found.format.read("20"), Some(20_000_000));
        assert!(found.why.is_some_and(|why| why.contains("`(ms)`")));
        assert!(detect("time_us", &["0", "20"], ms).unwrap().ask.is_some());
    }

    #[test]
    fn days_of_spreadsheets_are_told_from_seconds() {
        // 2023-11-14 22:13:20 is day 45244.925925926.
        let cells: Vec<String> = (0..50)
            .map(|k| format!("{:.9}", 45_244.925_925_926 + f64::from(k) / 86_400.0))
            .collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let found = detect("time", &cells, None).unwrap();
        assert!(found.note.is_some());
        let ns = found.format.read(cells[0]).unwrap();
        assert!((ns - 1_700_000_000 * S).abs() < S / 1000, "{ns}");
        let matlab: Vec<String> = (0..50)
            .map(|k| format!("{:.9}", 739_204.925_925_926 + f64::from(k) / 86_400.0))
            .collect();
        let matlab: Vec<&str> = matlab.iter().map(String::as_str).collect();
        let ns = of("time", &matlab).read(matlab[0]).unwrap();
        assert!((ns - 1_700_000_000 * S).abs() < S / 1000, "{ns}");
        // Half a day after start, at 50 Hz.
        let seconds: Vec<String> = (0..50)
            .map(|k| format!("{:.2}", 45_244.92 + 0.02 * f64::from(k)))
            .collect();
        let seconds: Vec<&str> = seconds.iter().map(String::as_str).collect();
        assert_eq!(of("time", &seconds).name(), "seconds");
        assert!(
            detect("time", &["45244.9259", "45244.9260"], None)
                .unwrap()
                .ask
                .is_some()
        );
    }

    #[test]
    fn decimal_seconds_are_exact_to_the_nanosecond() {
        let format = of("t", &["1583748873.123456789"]);
        assert_eq!(
            format.read("1583748873.123456789"),
            Some(1_583_748_873_123_456_789)
        );
        assert_eq!(format.read("99999999999999999999"), None);
        assert_eq!(format.read("."), None);
        assert_eq!(format.read("1.2.3"), None);
    }

    #[test]
    fn day_and_month_are_distinguished_by_order_in_time_or_asked_for() {
        let ask = detect("t", &["03/04/2020 23:59", "04/04/2020 00:01"], None)
            .unwrap()
            .ask;
        let (found, expected) = ask.unwrap();
        assert!(found.contains("`03/04/2020 23:59`"), "{found}");
        assert!(
            expected.contains("--time-format '%d/%m/%Y %H:%M'"),
            "{expected}"
        );
        assert_eq!(
            of("t", &["30/04/2020 23:59", "01/05/2020 00:01"]).name(),
            "day/month/year"
        );
        // With the month first, time would decrease.
        let cells = ["11/04/2020 23:59", "12/04/2020 23:59", "01/05/2020 00:01"];
        assert_eq!(of("t", &cells).name(), "day/month/year");
        // The steps are the same: reported only.
        let found = detect("t", &["03/04/2020 10:00", "03/04/2020 10:01"], None).unwrap();
        assert!(found.ask.is_none() && found.note.is_some_and(|n| n.contains("--time-format")));
        let found = detect("t", &["11.12.10 10:00:00", "11.12.10 10:00:01"], None).unwrap();
        assert!(found.ask.is_none() && found.note.is_some_and(|n| n.contains("two-digit year")));
    }

    #[test]
    fn time_of_day_may_pass_midnight() {
        let format = of("time", &["23:59:58.5", "23:59:59"]);
        assert_eq!(format.name(), "time of day");
        let last = format.read("23:59:59");
        let next = format.read_after("00:00:01", last);
        assert_eq!(next, last.map(|ns| ns + 2 * S));
        // A small step back is not a new day.
        assert_eq!(format.read_after("23:59:58", last), last.map(|ns| ns - S));
        // Beyond a day, and minutes beyond an hour.
        let format = of("time", &["49:59:59", "50:00:00"]);
        assert_eq!(
            format.read_after("0:00:01", format.read("50:00:00")),
            Some(S)
        );
        let format = of("time", &["59:59.5", "59:59.9"]);
        assert_eq!(
            format.read_after("00:00.4", format.read("59:59.9")),
            Some(3600 * S + S * 4 / 10)
        );
        assert!(
            detect("time", &["12:30", "12:31"], None)
                .unwrap()
                .ask
                .is_some()
        );
        assert_eq!(
            of("time (mm:ss)", &["12:30", "12:31"]).read("12:31"),
            Some(751 * S)
        );
    }

    #[test]
    fn text_is_not_time() {
        for cells in [
            &["pump on", "pump off"][..],
            &[""],
            &[],
            &["12 V"],
            &["14. M\u{e4}rz 2023"],
            &["14-d\u{e9}c-2023"],
        ] {
            assert_eq!(detect("time", cells, None), None, "{cells:?}");
        }
    }
}
