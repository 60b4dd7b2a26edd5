//! Detection of the time format of a column by its first cells.

use super::count::{Origin, day_count, is_round, unit_of_magnitude};
use super::date::{DateForm, forms};
use super::unit::{DAYS, SECONDS, Unit};
use super::{Clock, TimeFormat, iso, with_decimal_point, with_unit};

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
    if let Some(compact) = compact_stamps(&cells) {
        return Some(Detected::sure(compact));
    }
    // `20 ms`: the unit is in the cells.
    let united = cells.iter().find_map(|c| with_unit(c));
    let united = united.filter(|_| unit.is_none());
    let in_cells = united.map(|(number, unit)| {
        let cell = cells.iter().find(|c| c.starts_with(number));
        (unit, cell.map_or("", |c| c[number.len()..].trim()))
    });
    let unit = unit.or(in_cells);
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

/// Format of stamps that are digits only, such as `20231114221320.020`.
fn compact_stamps(cells: &[&str]) -> Option<TimeFormat> {
    let format = "%Y%m%d%H%M%S%.f".to_owned();
    let form = DateForm {
        order: "yearmonthday".to_owned(),
        format,
        zone: None,
    };
    let format = TimeFormat::Date(form, None);
    let is_stamp = |c: &&str| {
        let whole = c.split('.').next().unwrap_or_default();
        whole.len() == 14
            && (c.starts_with("19") || c.starts_with("20"))
            && format.read(c).is_some()
    };
    cells.iter().all(is_stamp).then_some(format.clone())
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
    // With points or the name of a month, a two-digit year is the last, wherever it can be.
    if ways.first().is_some_and(|form| {
        form.format.starts_with("%d.%m.%y")
            || form.format.starts_with("%d-%b-%y")
            || form.format.starts_with("%d %b %y")
    }) {
        ways.retain(|form| !form.format.starts_with("%y"));
    }
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
        let even: Vec<&&DateForm> = likely.iter().filter(|form| is_even(&steps(form))).collect();
        if let [form] = even.as_slice()
            && likely
                .iter()
                .all(|other| other == *form || jumps(&steps(other)))
        {
            return Some(Detected {
                note: Some(format!(
                    "`{cell}` may be {}: taken for {}, with which time goes on evenly",
                    ways(" or "),
                    form.order
                )),
                ..Detected::sure(as_format(form))
            });
        }
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

/// Whether time goes on evenly.
fn is_even(steps: &[i64]) -> bool {
    let mut sorted = steps.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    sorted.len() > 8
        && median > 0
        && sorted
            .last()
            .is_some_and(|most| *most <= median.saturating_mul(20))
}

/// Whether time jumps by months, as it does where day and month are confused.
fn jumps(steps: &[i64]) -> bool {
    steps
        .iter()
        .any(|step| step.unsigned_abs() >= 27 * DAYS.ns.unsigned_abs())
}

/// Format of numeric time.
fn count(name: &str, cells: &[&str], stated: Option<(Unit, &str)>) -> Option<Detected> {
    let number = |c: &&str| {
        let number = with_unit(c).map_or(*c, |(number, _)| number);
        with_decimal_point(number)
            .parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
    };
    let first = cells.iter().find_map(number)?;
    let last = cells.iter().rev().find_map(number).unwrap_or(first);
    let size = first.abs();
    let sure = |unit: Unit, origin: Origin| Detected::sure(TimeFormat::Count { unit, origin });
    let by_size = unit_of_magnitude(size);
    if let Some(factor) = Unit::odd_factor(name) {
        return Some(Detected {
            ask: Some((
                format!("the unit `{factor}` in its name, whose factor cannot be applied"),
                "times in s, ms, us or ns, or --time-unit".to_owned(),
            )),
            ..sure(SECONDS, Origin::Unknown)
        });
    }
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
mod tests;
