//! Resampling: unevenly spaced rows become equally long ticks.
//!
//! A tick is a bin of the kernel's [`Bins`]. A sample is held for one bin, and a bin has a value where samples cover half
//! of it or more: so every sample of a slow channel is in exactly one bin. The result at a row is that of the last
//! bin that had ended by then: resampling is causal.

use becomingone_kernel::{Binned, Bins, Complex, ConfigError};
use becomingone_replay::Row;

/// Fewer consecutive empty bins are ticks without values; more are one long step. Self-models treat steps from ten
/// on as a gap.
const MAX_EMPTY_TICKS: u64 = 10;
/// Steps are limited to a month (ns) or this many bins, whichever is longer: a longer gap has the same effect,
/// and a wrong stamp must not use up the range of 64 bits.
const MONTH_NS: u64 = 30 * 86_400 * 1_000_000_000;
const MAX_BINS: u64 = 1000;
/// Bins by which a stamp may be late, as where two loggers write into one file. Later ones mean that the clock was set back.
const MAX_LATE_BINS: u64 = 10;
/// Share of a bin that samples have to cover.
const MIN_COVERED: f64 = 0.5;

pub(super) struct Resampler<const N: usize> {
    bins: Bins<f64, N>,
    bin_ns: u64,
    /// From row to row, where stamps are not used.
    step_ns: u64,
    /// The latest stamp, and its time on the clock of the bins.
    last: Option<(i64, u64)>,
    /// The last stamp that was far before it.
    far_back_ns: Option<i64>,
    now_ns: u64,
    /// Bins without a value since the last one that had one.
    empty: u64,
    /// Rows whose stamp is before that of a row above.
    pub(super) late: u64,
    /// Number of times the clock was set back.
    pub(super) set_back: u64,
    /// Rows beyond the range of the clock of the bins.
    pub(super) beyond: u64,
}

impl<const N: usize> Resampler<N> {
    pub(super) fn new(channels: usize, bin_ns: u64, step_ns: u64) -> Result<Self, ConfigError> {
        // An odd hold time is never split into equal halves over two bins: for an even bin length it is one less.
        let hold_ns = bin_ns.saturating_sub(1) | 1;
        Ok(Self {
            bins: Bins::new(channels, bin_ns, hold_ns)?,
            bin_ns,
            step_ns,
            last: None,
            far_back_ns: None,
            now_ns: 0,
            empty: 0,
            late: 0,
            set_back: 0,
            beyond: 0,
        })
    }

    /// Takes a row, and passes on every tick that ended by then: values, and the time since the last tick (s).
    pub(super) fn push(
        &mut self,
        row: &Row,
        stamped: bool,
        mut each: impl FnMut(&[Option<f64>], f64),
    ) {
        let Some(now_ns) = self.time(row.t_ns.filter(|_| stamped)) else {
            self.beyond += 1;
            return;
        };
        self.now_ns = now_ns;
        let mut phi = [None; N];
        for (phi, x) in phi.iter_mut().zip(&row.values) {
            *phi = x.map(|x| Complex::new(x, 0.0));
        }
        let bin_s = self.bin_ns as f64 / 1e9;
        let empty = &mut self.empty;
        let channels = self.bins.channels();
        self.bins
            .push(self.now_ns, &phi[..channels], |bin| match bin {
                Binned::Gap { bins } => *empty += bins,
                Binned::Bin(cells) => {
                    let mut values = [None; N];
                    for (value, cell) in values.iter_mut().zip(cells) {
                        *value = (cell.weight >= MIN_COVERED).then_some(cell.value.re);
                    }
                    if values.iter().all(Option::is_none) {
                        *empty += 1;
                        return;
                    }
                    let mut steps = 1.0;
                    if *empty < MAX_EMPTY_TICKS {
                        for _ in 0..*empty {
                            each(&[None; N][..channels], bin_s);
                        }
                    } else {
                        steps += *empty as f64;
                    }
                    *empty = 0;
                    each(&values[..channels], steps * bin_s);
                }
            });
    }

    /// Number of values that were too large for a mean.
    pub(super) fn too_large(&self) -> u64 {
        self.bins.non_finite()
    }

    /// Time of a row on the clock of the bins; `None` beyond its range.
    fn time(&mut self, stamp_ns: Option<i64>) -> Option<u64> {
        let Some(ns) = stamp_ns else {
            return self.now_ns.checked_add(self.step_ns);
        };
        let (mut last_ns, mut last_now_ns) = *self.last.get_or_insert((ns, self.now_ns));
        let late_ns = last_ns.saturating_sub(ns);
        let far = late_ns > 0 && late_ns.unsigned_abs() / self.bin_ns > MAX_LATE_BINS;
        self.late += u64::from(late_ns > 0);
        match self.far_back_ns {
            // One early stamp may be wrong; two consecutive ones mean that the clock was set back.
            Some(back_ns) if far && ns >= back_ns => {
                (last_ns, self.far_back_ns) = (back_ns, None);
                self.set_back += 1;
            }
            _ => self.far_back_ns = Some(ns).filter(|_| far),
        }
        if ns >= last_ns {
            let most_ns = self.bin_ns.saturating_mul(MAX_BINS).max(MONTH_NS);
            let step_ns = ns.abs_diff(last_ns).min(most_ns);
            last_now_ns = last_now_ns.checked_add(step_ns)?;
            last_ns = ns;
        }
        self.last = Some((last_ns, last_now_ns));
        Some(last_now_ns.max(self.now_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    type Tick = (Vec<Option<f64>>, f64);

    /// Ticks of rows at these times (s), of bins of one second.
    fn ticks(rows: &[(f64, &[Option<f64>])]) -> (Vec<Tick>, Option<Resampler<2>>) {
        let Ok(mut resampler) = Resampler::<2>::new(2, 1_000_000_000, 1_000_000_000) else {
            return (Vec::new(), None);
        };
        let mut found = Vec::new();
        for (s, values) in rows {
            let row = Row {
                t_ns: (!s.is_nan()).then_some((s * 1e9) as i64),
                values: values.to_vec(),
                ..Row::default()
            };
            resampler.push(&row, true, |values, dt| found.push((values.to_vec(), dt)));
        }
        (found, Some(resampler))
    }

    #[test]
    fn a_reading_is_in_one_bin_wherever_it_falls() {
        for tenth in 0..10 {
            let at = 3.0 + 0.1 * f64::from(tenth);
            let mut rows: Vec<(f64, &[Option<f64>])> = Vec::new();
            for k in 0..8_u8 {
                let t = f64::from(k);
                rows.push((t, &[Some(1.0), None]));
                if at >= t && at < t + 1.0 {
                    rows.push((at, &[None, Some(7.0)]));
                }
            }
            let (found, _) = ticks(&rows);
            assert_eq!(found.len(), 7);
            let with: Vec<_> = found.iter().filter_map(|(v, _)| v[1]).collect();
            assert_eq!(with.len(), 1, "{at}");
            assert!((with[0] - 7.0).abs() < 1e-12);
            let one = |x: f64| (x - 1.0).abs() < 1e-12;
            assert!(
                found
                    .iter()
                    .all(|(v, dt)| v[0].is_some_and(one) && *dt == 1.0)
            );
        }
    }

    #[test]
    fn few_empty_bins_are_ticks_and_many_are_one_step() {
        let one: &[Option<f64>] = &[Some(1.0), Some(2.0)];
        let (found, _) = ticks(&[(0.0, one), (1.0, one), (5.0, one), (6.0, one)]);
        let none = found.iter().filter(|(v, _)| v[0].is_none()).count();
        assert_eq!((found.len(), none), (6, 3));
        let (found, _) = ticks(&[(0.0, one), (1.0, one), (100.0, one), (101.0, one)]);
        let steps: Vec<f64> = found.iter().map(|(_, dt)| *dt).collect();
        assert_eq!(steps, [1.0, 1.0, 99.0]);
    }

    #[test]
    fn late_rows_count_and_a_clock_that_was_set_goes_on() {
        let one: &[Option<f64>] = &[Some(1.0), None];
        let other: &[Option<f64>] = &[None, Some(2.0)];
        // Two loggers, one of them 2 s late.
        let rows: Vec<_> = (0..20_u8)
            .flat_map(|k| {
                let t = f64::from(k);
                [(t, one), (t - 2.0, other)]
            })
            .collect();
        let (found, resampler) = ticks(&rows);
        let near = |x: Option<f64>, y: f64| x.is_some_and(|x| (x - y).abs() < 1e-12);
        assert!(
            found
                .iter()
                .all(|(v, _)| near(v[0], 1.0) && near(v[1], 2.0))
        );
        assert!(resampler.is_some_and(|e| e.late == 20 && e.set_back == 0));
        // An hour back, for good; and one stamp that is mistaken.
        let rows: Vec<_> = (0..40_u16)
            .map(|k| {
                let t = 4000.0 + f64::from(k);
                (
                    if k == 10 {
                        7.0
                    } else if k < 20 {
                        t
                    } else {
                        t - 3600.0
                    },
                    one,
                )
            })
            .collect();
        let (found, resampler) = ticks(&rows);
        assert!(resampler.is_some_and(|e| e.late == 3 && e.set_back == 1));
        assert!(found.len() >= 36, "{}", found.len());
        assert!(found.iter().all(|(_, dt)| *dt == 1.0));
    }

    #[test]
    fn no_stamp_stops_the_clock() {
        // One row in three has the last stamp that can be, as an unset clock sends it; the other two continue.
        let mut resampler = Resampler::<2>::new(1, S, S).unwrap();
        let mut steps = Vec::new();
        for k in 0..300_i64 {
            let row = Row {
                t_ns: Some(if k % 3 == 0 {
                    i64::MAX - k
                } else {
                    k * S as i64
                }),
                values: vec![Some(1.0)],
                ..Row::default()
            };
            resampler.push(&row, true, |_, dt| steps.push(dt));
        }
        assert_eq!((resampler.beyond, resampler.set_back), (0, 100));
        let gaps = steps.iter().filter(|dt| **dt > 100.0).count();
        assert!(gaps >= 99, "{gaps}");
        assert!(steps.len() >= 199, "{}", steps.len());
        // Bins of a lifetime use up what 64 bits count: 18 446 744 073 s are 18 of these.
        let mut resampler = Resampler::<2>::new(1, 1_000_000_000 * S, 1_000_000_000 * S).unwrap();
        let row = Row {
            values: vec![Some(1.0)],
            ..Row::default()
        };
        let mut ticks = 0;
        for _ in 0..30 {
            resampler.push(&row, false, |_, _| ticks += 1);
        }
        assert_eq!((resampler.beyond, ticks), (12, 17));
    }

    #[test]
    fn a_bin_has_the_requested_length() {
        for bin_ns in [1, 2, 3, 7, 10] {
            // A reading a bin, and one of a slower channel that falls anywhere.
            for at in 0..10 * bin_ns {
                let mut resampler = Resampler::<2>::new(2, bin_ns, 1).unwrap();
                let (mut ticks, mut slow) = (0, 0);
                for ns in 0..=20 * bin_ns {
                    let row = Row {
                        t_ns: i64::try_from(ns).ok(),
                        values: vec![
                            ns.is_multiple_of(bin_ns).then_some(1.0),
                            (ns == at).then_some(2.0),
                        ],
                        ..Row::default()
                    };
                    resampler.push(&row, true, |values, dt| {
                        assert_eq!(dt, bin_ns as f64 / 1e9);
                        ticks += 1;
                        slow += u32::from(values[1].is_some());
                    });
                }
                assert_eq!((ticks, slow), (20, 1), "{bin_ns} {at}");
            }
        }
    }

    #[test]
    fn a_row_without_a_stamp_follows() {
        let rows: Vec<(f64, &[Option<f64>])> = (0..10_u8)
            .map(|k| {
                let t = if k == 4 { f64::NAN } else { f64::from(k) };
                (t, &[Some(1.0), Some(1.0)][..])
            })
            .collect();
        let (found, _) = ticks(&rows);
        assert_eq!(found.len(), 9);
        assert!(found.iter().all(|(v, _)| v[0].is_some()));
    }
}
