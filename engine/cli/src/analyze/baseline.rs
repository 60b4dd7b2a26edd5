//! Training data of a channel: number of values, and outliers that mask all others.

use becomingone_kernel::Real;
use std::fmt;

/// Extreme values at either end that are kept apart from the others.
const EXTREMES: usize = 4;
/// Ratio of the standard deviations with and without the extremes from which on a channel is blind: the detection
/// statistics go by its square. The extremes of 64 Gaussian values make 1.3.
const BLIND_FACTOR: f64 = 10.0;

/// Values of a channel in the baseline.
#[derive(Clone, Debug, Default)]
pub(super) struct TrainingValues {
    /// The lowest and the highest, sorted, with their rows.
    ends: Vec<(f64, u64)>,
    others: RunningStats,
}

/// Mean and squared deviations in one pass (Welford, Technometrics 4(3), 1962).
#[derive(Clone, Copy, Debug, Default)]
struct RunningStats {
    count: u32,
    mean: f64,
    squares: f64,
}

impl RunningStats {
    fn take(&mut self, x: f64) {
        self.count += 1;
        let off = x - self.mean;
        self.mean += off / f64::from(self.count);
        self.squares += off * (x - self.mean);
    }

    fn deviation(&self) -> f64 {
        (self.squares / f64::from(self.count.max(1))).sqrt()
    }
}

/// A value of the baseline far from all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outlier {
    value: f64,
    row: u64,
    /// The mean of the others.
    others: f64,
    /// Factor by which it increases the standard deviation; `None` where the others are constant.
    factor: Option<f64>,
}

impl TrainingValues {
    /// Adds the value of a tick that ended with this row.
    pub(super) fn take(&mut self, x: f64, row: u64) {
        // The detector counts it as missing.
        if x.abs() > f64::MAX_POWER.sqrt() * 1e-3 {
            return;
        }
        let at = self.ends.partition_point(|(end, _)| *end <= x);
        self.ends.insert(at, (x, row));
        if self.ends.len() > 2 * EXTREMES {
            self.others.take(self.ends.remove(EXTREMES).0);
        }
    }

    /// Number of values.
    pub(super) fn count(&self) -> u32 {
        self.others.count + self.ends.len() as u32
    }

    /// The outlier, if there is one.
    pub(super) fn outlier(&self) -> Option<Outlier> {
        let others = self.others.mean;
        let off = |end: &&(f64, u64)| (end.0 - others).abs();
        let far = |a: &&(f64, u64), b: &&(f64, u64)| off(a).total_cmp(&off(b));
        let &(value, row) = self.ends.iter().max_by(far)?;
        if self.others.count == 0 {
            return None;
        }
        let mut all = self.others;
        for (x, _) in &self.ends {
            all.take(*x);
        }
        let (of_all, of_others) = (all.deviation(), self.others.deviation());
        let outlier = |factor: Option<f64>| Outlier {
            value,
            row,
            others,
            factor,
        };
        if of_others > 0.0 {
            let factor = of_all / of_others;
            return (factor >= BLIND_FACTOR).then(|| outlier(Some(factor)));
        }
        // One value beside a constant may be an error code; several are normal for the channel.
        let differ = self.ends.iter().filter(|(x, _)| *x != others).count();
        (differ == 1).then(|| outlier(None))
    }
}

impl fmt::Display for Outlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            value,
            row,
            others,
            factor,
        } = self;
        write!(f, "is {} in row {row} of the baseline, ", Short(*value))?;
        match factor {
            Some(factor) => write!(
                f,
                "far from its other values there: its deviation becomes {} times as large as theirs, and smaller changes are not detected",
                Times(*factor)
            ),
            None => write!(
                f,
                "and {} in all others: changes smaller than that step are not detected",
                Short(*others)
            ),
        }
    }
}

/// A number in a readable length.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() < 1e10 && (self.0 == 0.0 || self.0.abs() >= 1e-4) {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}

/// A factor in a readable length.
struct Times(f64);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1e10 {
            write!(f, "{:.0}", self.0)
        } else {
            write!(f, "{:.0e}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(values: impl Iterator<Item = f64>) -> TrainingValues {
        let mut learned = TrainingValues::default();
        for (row, x) in values.enumerate() {
            learned.take(x, row as u64);
        }
        learned
    }

    #[test]
    fn one_outlier_is_found_with_its_row_and_factor() {
        // A sawtooth of 0 to 9 has the deviation sqrt(8.25); one value A among n adds A/sqrt(n) to it, nearly.
        let saw = |k: u64| (k % 10) as f64;
        let with = |x: f64| learned((0..400).map(move |k| if k == 17 { x } else { saw(k) }));
        assert_eq!(with(7.0).outlier(), None);
        // 50 deviations of one value in 400 are 2.5 of the whole.
        assert_eq!(with(50.0 * 8.25f64.sqrt()).outlier(), None);
        for x in [3e6, -4e6, 1e140] {
            let found = with(x).outlier().unwrap();
            assert_eq!((found.value, found.row), (x, 17));
            let expected = x.abs() / 20.0 / 8.25f64.sqrt();
            let factor = found.factor.unwrap();
            assert!(
                (factor / expected - 1.0).abs() < 0.03,
                "{factor} {expected}"
            );
        }
        // Values that the detector counts as missing are no outliers.
        assert_eq!(with(1e300).outlier(), None);
        assert_eq!(with(1e300).count(), 399);
    }

    #[test]
    fn several_outliers_are_found_and_switches_are_none() {
        let values = |k: u64| {
            if k % 133 == 5 {
                65_535.0
            } else {
                (k % 3) as f64
            }
        };
        assert_eq!(
            learned((0..400).map(values)).outlier().unwrap().row,
            404 - 133
        );
        let code = learned((0..400).map(|k| if k == 9 { 65_535.0 } else { 2.0 }));
        let text = code.outlier().unwrap().to_string();
        assert!(text.starts_with("is 65535 in row 9 of the baseline, and 2 in all others"));
        let switch = learned((0..400).map(|k| f64::from(u8::from(k % 100 == 0))));
        assert_eq!(switch.outlier(), None);
        assert_eq!(learned((0..400).map(|_| 2.0)).outlier(), None);
        assert_eq!(learned((0..5).map(f64::from)).outlier(), None);
    }
}
