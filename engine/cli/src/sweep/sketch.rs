//! Mean and quantiles of a stream of numbers in constant memory.

use std::collections::BTreeMap;

/// Relative error of a quantile: buckets grow by the ratio (1 + a)/(1 - a), as in `DDSketch` (Masson, Rim, Lee, Proc.
/// VLDB 12(12), 2019).
const ACCURACY: f64 = 0.005;

/// Numbers below this count as 0.
const SMALLEST: f64 = 1e-9;

/// A stream of numbers that are not negative.
#[derive(Clone, Debug, Default)]
pub(super) struct Sketch {
    pub(super) count: u64,
    sum: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// Count and sum of the numbers in each bucket of their logarithm; `i32::MIN` is that of 0.
    buckets: BTreeMap<i32, (u64, f64)>,
}

impl Sketch {
    pub(super) fn add(&mut self, number: f64) {
        if !number.is_finite() {
            return;
        }
        (self.least, self.most) = match self.count {
            0 => (number, number),
            _ => (self.least.min(number), self.most.max(number)),
        };
        self.count += 1;
        self.sum += number;
        let bucket = match number < SMALLEST {
            true => i32::MIN,
            false => (number.ln() / ratio().ln()).ceil() as i32,
        };
        let (count, sum) = self.buckets.entry(bucket).or_default();
        *count += 1;
        *sum += number;
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    /// The number below which this share of all is.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.count.saturating_sub(1) as f64).round() as u64;
        if rank + 1 >= self.count {
            return self.most;
        }
        let mut below = 0;
        for (count, sum) in self.buckets.values() {
            below += count;
            if below > rank {
                // Numbers of a bucket are nearly the same: their mean is exact where they are.
                return (sum / *count as f64).clamp(self.least, self.most);
            }
        }
        self.most
    }
}

fn ratio() -> f64 {
    (1.0 + ACCURACY) / (1.0 - ACCURACY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near_those_of_all_numbers() {
        let mut sketch = Sketch::default();
        for k in 0..=1000 {
            sketch.add(f64::from(k) * 0.01);
        }
        assert!((sketch.mean() - 5.0).abs() < 1e-9);
        for (share, expected) in [(0.05, 0.5), (0.5, 5.0), (0.95, 9.5)] {
            let found = sketch.quantile(share);
            assert!(
                (found / expected - 1.0).abs() <= ACCURACY + 1e-9,
                "{share}: {found}"
            );
        }
        assert_eq!((sketch.quantile(0.0), sketch.quantile(1.0)), (0.0, 10.0));
        let mut zeros = Sketch::default();
        zeros.add(0.0);
        zeros.add(f64::NAN);
        assert_eq!((zeros.count, zeros.quantile(0.5)), (1, 0.0));
    }
}
