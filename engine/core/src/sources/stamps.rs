//! Stamps of a recorded table: what is odd about them, and their times since the run's start.

use becomingone_replay::Table;

/// Factor between the period of the rows and that of the sensor from which on they are reported.
const MAX_PERIOD_RATIO: f64 = 5.0;
/// Share of repeated stamps above which stamps are too coarse to use, as in `analyze`.
const MAX_REPEATED: f64 = 0.2;

/// Refuses a table whose newest row is first, as `analyze` does; otherwise what the user should know about it.
pub(super) fn check(table: &Table, rate_hz: f64) -> Result<Vec<String>, String> {
    let mut notes = table.notes().to_vec();
    let Some(time) = table.time() else {
        notes.push(format!(
            "no column of stamps was found: rows are {} s apart, by `rate_hz`; `time` names a column",
            1.0 / rate_hz
        ));
        return Ok(notes);
    };
    if time.backward > 0.5 {
        return Err(format!(
            "found {:.0} % of the first stamps in `{}` before that of the row above; expected the oldest row first: sort the rows, or name another column with `time`",
            100.0 * time.backward,
            time.name
        ));
    }
    if let Some(period_s) = time.period_ns.map(|ns| ns as f64 / 1e9)
        && !table.is_stepped()
    {
        let ratio = period_s * rate_hz;
        if !(1.0 / MAX_PERIOD_RATIO..MAX_PERIOD_RATIO).contains(&ratio) {
            notes.push(format!(
                "found a row every {period_s} s by `{}` ({}), but `rate_hz` is {rate_hz}; expected a rate near {:.3}, or the unit of the stamps in `time_unit`, such as \"ms\"",
                time.name,
                time.format,
                1.0 / period_s
            ));
        }
    }
    if time.repeated > MAX_REPEATED && !table.is_sparse() {
        notes.push(format!(
            "{:.0} % of the first stamps in `{}` are those of the row before: these rows enter at once",
            100.0 * time.repeated,
            time.name
        ));
    }
    Ok(notes)
}

/// Time of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowTime {
    /// Since the run's start (ns).
    At(u64),
    /// As the row before.
    Repeated(u64),
    /// Before the row above: skipped.
    Late,
    /// The clock was set back above this row: time continues.
    SetBack(u64),
}

/// Times of rows whose stamps may go back.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    /// Last stamp, the latest one since the clock was set back, and its time since the start (ns).
    stamps: Option<(i64, i64, u64)>,
}

impl Timeline {
    /// Places the row of a stamp (ns).
    pub(super) fn place(&mut self, t_ns: i64) -> RowTime {
        let Some((last, latest, at_ns)) = self.stamps else {
            self.stamps = Some((t_ns, t_ns, 0));
            return RowTime::At(0);
        };
        let after = |from: i64| at_ns.saturating_add(t_ns.abs_diff(from));
        if t_ns > latest {
            self.stamps = Some((t_ns, t_ns, after(latest)));
            RowTime::At(after(latest))
        } else if t_ns == latest && last == latest {
            RowTime::Repeated(at_ns)
        } else if t_ns > last {
            self.stamps = Some((t_ns, t_ns, after(last)));
            RowTime::SetBack(after(last))
        } else {
            self.stamps = Some((t_ns, latest, at_ns));
            RowTime::Late
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(stamps: &[i64]) -> Vec<RowTime> {
        let mut timeline = Timeline::default();
        stamps.iter().map(|t| timeline.place(*t)).collect()
    }

    #[test]
    fn times_never_decrease() {
        use RowTime::{At, Late, Repeated, SetBack};
        assert_eq!(places(&[5, 7, 8]), [At(0), At(2), At(3)]);
        // One late row: time goes on as before.
        assert_eq!(places(&[5, 7, 6, 9]), [At(0), At(2), Late, At(4)]);
        assert_eq!(places(&[5, 7, 7, 9]), [At(0), At(2), Repeated(2), At(4)]);
        // A clock that was set back.
        assert_eq!(
            places(&[50, 60, 10, 20, 30, 40, 70]),
            [At(0), At(10), Late, SetBack(20), At(30), At(40), At(70)]
        );
        // Newest first: nothing but the first row.
        assert_eq!(places(&[3, 2, 1]), [At(0), Late, Late]);
        assert_eq!(places(&[i64::MIN, i64::MAX, i64::MIN]).len(), 3);
    }
}
