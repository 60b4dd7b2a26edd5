//! Reports at times: `every day at 08:00`, `every monday at 17:30`, `every 10 min`, `in 30 min`, `at 17:30`.

use jiff::civil::{Time, Weekday};
use jiff::{SignedDuration, ToSpan as _, Zoned};
use serde::{Deserialize, Serialize};

/// When a report is due.
enum When {
    /// At a time of day, on some days.
    Days,
    /// Again and again.
    Every(SignedDuration),
    /// Once.
    Once,
}

/// A report that is to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Planned {
    /// `every day at 08:00`.
    pub(crate) when: String,
    /// `summary`, `status` or `diagnose`.
    pub(crate) say: String,
    /// When it is due next.
    #[serde(with = "as_text")]
    pub(crate) next: Zoned,
}

/// Times as `2026-11-30T08:00:00+01:00[Europe/Berlin]`.
mod as_text {
    use jiff::Zoned;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(time: &Zoned, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zoned, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

const ALL_DAYS: [Weekday; 7] = [
    Weekday::Monday,
    Weekday::Tuesday,
    Weekday::Wednesday,
    Weekday::Thursday,
    Weekday::Friday,
    Weekday::Saturday,
    Weekday::Sunday,
];

fn days(on: &str) -> Option<Vec<Weekday>> {
    Some(match on {
        "day" => ALL_DAYS.to_vec(),
        "weekday" => ALL_DAYS.get(..5)?.to_vec(),
        name => {
            let index = [
                "monday",
                "tuesday",
                "wednesday",
                "thursday",
                "friday",
                "saturday",
                "sunday",
            ]
            .iter()
            .position(|day| *day == name)?;
            vec![*ALL_DAYS.get(index)?]
        }
    })
}

fn length(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_once(' ')?;
    let s = number.parse::<f64>().ok()?
        * match unit {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
    // More than a few years is a slip of the tongue.
    (1.0..1e8)
        .contains(&s)
        .then(|| SignedDuration::from_secs_f64(s))
}

fn clock(text: &str) -> Option<Time> {
    let (h, m) = text.split_once(':')?;
    Time::new(h.parse().ok()?, m.parse().ok()?, 0, 0).ok()
}

/// The first of these days' times after a moment.
fn next_of(days: &[Weekday], time: Time, now: &Zoned) -> Option<Zoned> {
    (0..9).find_map(|ahead| {
        let day = now.date().checked_add((ahead as i64).days()).ok()?;
        // Where clocks are set forward over it, the time after the gap.
        let at = day
            .to_datetime(time)
            .to_zoned(now.time_zone().clone())
            .ok()?;
        (days.contains(&at.weekday()) && at > *now).then_some(at)
    })
}

fn read(when: &str, now: &Zoned) -> Option<(When, Zoned)> {
    if let Some(rest) = when.strip_prefix("in ") {
        return Some((When::Once, now.checked_add(length(rest)?).ok()?));
    }
    if let Some(rest) = when.strip_prefix("at ") {
        return Some((When::Once, next_of(&ALL_DAYS, clock(rest)?, now)?));
    }
    let rest = when.strip_prefix("every ")?;
    match rest.split_once(" at ") {
        Some((on, at)) => {
            let (days, at) = (days(on)?, clock(at)?);
            let next = next_of(&days, at, now)?;
            Some((When::Days, next))
        }
        None => {
            let every = length(rest)?;
            Some((When::Every(every), now.checked_add(every).ok()?))
        }
    }
}

impl Planned {
    /// A report, from this moment on.
    pub(crate) fn new(when: &str, say: &str, now: &Zoned) -> Result<Self, String> {
        let (_, next) = read(when, now).ok_or_else(|| {
            format!("found `{when}`; expected `every day at 08:00`, `every monday at 17:30`, `every 10 min`, `in 30 min` or `at 17:30`")
        })?;
        Ok(Self {
            when: when.to_owned(),
            say: say.to_owned(),
            next,
        })
    }

    /// Whether it is due. What was missed while nobody ran is due once.
    pub(crate) fn is_due(&self, now: &Zoned) -> bool {
        self.next <= *now
    }

    /// The same after it was given: when it is due next, if ever.
    pub(crate) fn given(&self, now: &Zoned) -> Option<Self> {
        let next = match read(&self.when, now) {
            Some((When::Days, next)) => Some(next),
            Some((When::Every(every), _)) => {
                // In step with the first time.
                let late = now.duration_since(&self.next).as_secs_f64();
                let steps = (late / every.as_secs_f64()).floor() + 1.0;
                self.next
                    .checked_add(SignedDuration::from_secs_f64(every.as_secs_f64() * steps))
                    .ok()
            }
            _ => None,
        };
        Some(Self {
            next: next?,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn reports_are_due_when_they_are() {
        let now = at("2026-11-30T09:15:00+01:00[Europe/Berlin]");
        for (when, next) in [
            (
                "every day at 08:00",
                "2026-12-01T08:00:00+01:00[Europe/Berlin]",
            ),
            (
                "every day at 17:30",
                "2026-11-30T17:30:00+01:00[Europe/Berlin]",
            ),
            (
                "every weekday at 09:15",
                "2026-12-01T09:15:00+01:00[Europe/Berlin]",
            ),
            (
                "every sunday at 00:00",
                "2026-12-06T00:00:00+01:00[Europe/Berlin]",
            ),
            ("every 10 min", "2026-11-30T09:25:00+01:00[Europe/Berlin]"),
            ("in 30 min", "2026-11-30T09:45:00+01:00[Europe/Berlin]"),
            ("at 09:00", "2026-12-01T09:00:00+01:00[Europe/Berlin]"),
        ] {
            assert_eq!(
                Planned::new(when, "summary", &now).unwrap().next,
                at(next),
                "{when}"
            );
        }
        for wrong in [
            "",
            "at 25:00",
            "every blue moon",
            "in 0 s",
            "every 1e30 h",
            "every day at noon",
        ] {
            assert!(Planned::new(wrong, "summary", &now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_was_missed_is_due_once_and_in_step() {
        let now = at("2026-11-30T09:15:00+01:00[Europe/Berlin]");
        let every = Planned::new("every 10 min", "status", &now).unwrap();
        assert!(!every.is_due(&at("2026-11-30T09:24:59+01:00[Europe/Berlin]")));
        let late = at("2026-11-30T11:00:03+01:00[Europe/Berlin]");
        assert!(every.is_due(&late));
        let next = every.given(&late).unwrap();
        assert_eq!(next.next, at("2026-11-30T11:05:00+01:00[Europe/Berlin]"));
        let once = Planned::new("in 1 h", "status", &now).unwrap();
        let late = at("2026-12-01T00:00:00+01:00[Europe/Berlin]");
        assert!(once.is_due(&late) && once.given(&late).is_none());
    }

    #[test]
    fn days_on_which_clocks_are_set_have_their_reports() {
        // 02:30 is not on that day: the report comes after the gap, once.
        let now = at("2026-03-28T12:00:00+01:00[Europe/Berlin]");
        let plan = Planned::new("every day at 02:30", "summary", &now).unwrap();
        assert_eq!(plan.next, at("2026-03-29T03:30:00+02:00[Europe/Berlin]"));
        let next = plan.given(&plan.next).unwrap();
        assert_eq!(next.next, at("2026-03-30T02:30:00+02:00[Europe/Berlin]"));
    }
}
