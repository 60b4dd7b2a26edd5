//! [`Learned`]: what a channel had to be learned from: how many values, and whether one of them drowns the others.

use becomingone_kernel::Real;
use std::fmt;

/// Values at either end that are no part of what the others say.
const ENDS: usize = 4;
/// Deviation with the ends, over that without them, from which on a channel is blind for what its values did before:
/// of what is noticed the square counts. The ends of 64 values of a Gaussian make 1.3.
const DROWNED: f64 = 10.0;

/// Values of a channel in the ticks of the baseline.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// The lowest and the highest, in their order, with their rows.
    ends: Vec<(f64, u64)>,
    others: Spread,
}

/// Mean and squared deviations in one pass (Welford, Technometrics 4(3), 1962).
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    count: u32,
    mean: f64,
    squares: f64,
}

impl Spread {
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
pub(super) struct Drowning {
    value: f64,
    row: u64,
    /// The mean of the others.
    others: f64,
    /// By which factor it makes the deviation larger; none where the others have none.
    factor: Option<f64>,
}

impl Learned {
    /// Takes the value of a tick that ended with this row.
    pub(super) fn take(&mut self, x: f64, row: u64) {
        // A self-model takes it as missing, and counts it.
        if x.abs() > f64::MAX_POWER.sqrt() * 1e-3 {
            return;
        }
        let at = self.ends.partition_point(|(end, _)| *end <= x);
        self.ends.insert(at, (x, row));
        if self.ends.len() > 2 * ENDS {
            self.others.take(self.ends.remove(ENDS).0);
        }
    }

    /// How many there were.
    pub(super) fn count(&self) -> u32 {
        self.others.count + self.ends.len() as u32
    }

    /// The value that drowns the others, if one does.
    pub(super) fn drowning(&self) -> Option<Drowning> {
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
        let drowned = |factor: Option<f64>| Drowning {
            value,
            row,
            others,
            factor,
        };
        if of_others > 0.0 {
            let factor = of_all / of_others;
            return (factor >= DROWNED).then(|| drowned(Some(factor)));
        }
        // One value beside a constant may be a code for an error; several are what the channel does.
        let differ = self.ends.iter().filter(|(x, _)| *x != others).count();
        (differ == 1).then(|| drowned(None))
    }
}

impl fmt::Display for Drowning {
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
                "far from its other values there: that makes its deviation {} times as large as theirs, and what is small beside it is not noticed",
                Times(*factor)
            ),
            None => write!(
                f,
                "and {} in all others: what is small beside that step is not noticed",
                Short(*others)
            ),
        }
    }
}

/// A number that is not longer than a person wants to read.
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

/// How many times; nobody reads a hundred digits.
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

    fn learned(values: impl Iterator<Item = f64>) -> Learned {
        let mut learned = Learned::default();
        for (row, x) in values.enumerate() {
            learned.take(x, row as u64);
        }
        learned
    }

    #[test]
    fn one_far_value_is_found_with_its_row_and_what_it_does() {
        // A sawtooth of 0 to 9 has the deviation sqrt(8.25); one value A among n adds A/sqrt(n) to it, nearly.
        let saw = |k: u64| (k % 10) as f64;
        let with = |x: f64| learned((0..400).map(move |k| if k == 17 { x } else { saw(k) }));
        assert_eq!(with(7.0).drowning(), None);
        // 50 deviations of one value in 400 are 2.5 of the whole.
        assert_eq!(with(50.0 * 8.25f64.sqrt()).drowning(), None);
        for x in [3e6, -4e6, 1e140] {
            let found = with(x).drowning().unwrap();
            assert_eq!((found.value, found.row), (x, 17));
            let expected = x.abs() / 20.0 / 8.25f64.sqrt();
            let factor = found.factor.unwrap();
            assert!(
                (factor / expected - 1.0).abs() < 0.03,
                "{factor} {expected}"
            );
        }
        // What a self-model takes as missing is none.
        assert_eq!(with(1e300).drowning(), None);
        assert_eq!(with(1e300).count(), 399);
    }

    #[test]
    fn several_values_hide_none_and_switches_are_none() {
        let values = |k: u64| {
            if k % 133 == 5 {
                65_535.0
            } else {
                (k % 3) as f64
            }
        };
        assert_eq!(
            learned((0..400).map(values)).drowning().unwrap().row,
            404 - 133
        );
        let code = learned((0..400).map(|k| if k == 9 { 65_535.0 } else { 2.0 }));
        let said = code.drowning().unwrap().to_string();
        assert!(said.starts_with("is 65535 in row 9 of the baseline, and 2 in all others"));
        let switch = learned((0..400).map(|k| f64::from(u8::from(k % 100 == 0))));
        assert_eq!(switch.drowning(), None);
        assert_eq!(learned((0..400).map(|_| 2.0)).drowning(), None);
        assert_eq!(learned((0..5).map(f64::from)).drowning(), None);
    }
}
