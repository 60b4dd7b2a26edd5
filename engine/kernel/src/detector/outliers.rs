//! [`Outlier`]: values of a baseline that hide all smaller changes.

use super::quantile::quantile;
use alloc::vec::Vec;

/// Distance from the median, in widths of the middle 90 %, from which on a value is far from the others.
const FAR: f64 = 20.0;
/// Share of far values from which on they are a state of the channel.
const MOST: f64 = 0.05;
/// Ratio of the deviations with and without them from which on a channel is blind: the statistics go by its square.
const BLIND: f64 = 10.0;

/// Values of a channel in a baseline that are far from its others, such as codes of errors: the channel is blind for smaller
/// changes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Outlier {
    /// The channel.
    pub channel: usize,
    /// Number of such values.
    pub count: usize,
    /// The first of them.
    pub value: f64,
    /// Its row in the baseline, from 0.
    pub row: usize,
    /// Mean of the others.
    pub others: f64,
    /// Factor by which the deviation grows with them; none where the others are constant.
    pub factor: Option<f64>,
}

/// The outliers of a channel, if it has some.
pub(super) fn outlier(
    channel: usize,
    values: impl Iterator<Item = Option<f64>> + Clone,
) -> Option<Outlier> {
    let there: Vec<f64> = values.clone().flatten().collect();
    let middle = quantile(there.clone(), 0.5);
    let width = quantile(there.clone(), 0.95) - quantile(there.clone(), 0.05);
    let is_far = |x: f64| (x - middle).abs() > FAR * width;
    let count = there.iter().filter(|x| is_far(**x)).count();
    // One value beside a constant may be an error code; several are normal for the channel.
    let most = if width > 0.0 {
        MOST * there.len() as f64
    } else {
        1.0
    };
    if count == 0 || count as f64 > most {
        return None;
    }
    let others: Vec<f64> = there.iter().copied().filter(|x| !is_far(*x)).collect();
    let (mean, sd) = moments(&others);
    let factor = moments(&there).1 / sd;
    let is_blind = !factor.is_finite() || factor >= BLIND;
    let mut rows = values.enumerate();
    let (row, value) = rows.find_map(|(k, x)| Some((k, x.filter(|x| is_far(*x))?)))?;
    is_blind.then_some(Outlier {
        channel,
        count,
        value,
        row,
        others: mean,
        factor: Some(factor).filter(|factor| factor.is_finite()),
    })
}

/// Mean and deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, libm::sqrt(square / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = f64> + Clone) -> Option<Outlier> {
        outlier(3, values.map(Some))
    }

    #[test]
    fn outliers_are_found_with_their_row_and_factor() {
        // A sawtooth of 0 to 9 has the deviation sqrt(8.25); one value A among n adds A/sqrt(n) to it, nearly.
        let saw = |k: u32| f64::from(k % 10);
        let sd = 8.25_f64.sqrt();
        let with = |x: f64| of((0..400).map(move |k| if k == 17 { x } else { saw(k) }));
        assert_eq!(with(7.0), None);
        // 50 deviations of one value in 400 are 2.5 of the whole.
        assert_eq!(with(50.0 * sd), None);
        for x in [3e6, -4e6, 1e140] {
            let found = with(x).unwrap();
            assert_eq!((found.channel, found.count), (3, 1));
            assert_eq!((found.value, found.row), (x, 17));
            let expected = x.abs() / 20.0 / sd;
            let factor = found.factor.unwrap();
            assert!(
                (factor / expected - 1.0).abs() < 0.03,
                "{factor} {expected}"
            );
        }
        // Codes that repeat.
        let codes = of((0..1000).map(|k| {
            if (300..312).contains(&k) {
                -9999.0
            } else {
                saw(k)
            }
        }));
        let codes = codes.unwrap();
        assert_eq!((codes.count, codes.row, codes.value), (12, 300, -9999.0));
    }

    #[test]
    fn states_and_switches_are_no_outliers() {
        let code = of((0..400).map(|k| if k == 9 { 65_535.0 } else { 2.0 })).unwrap();
        assert_eq!((code.factor, code.row, code.others), (None, 9, 2.0));
        assert_eq!(
            of((0..400).map(|k| f64::from(u8::from(k % 100 == 0)))),
            None
        );
        // A tenth of the time elsewhere.
        assert_eq!(
            of((0..400).map(|k| if k < 40 { 9e5 } else { f64::from(k % 7) })),
            None
        );
        assert_eq!(of((0..400).map(|_| 2.0)), None);
        assert_eq!(of((0..5).map(f64::from)), None);
    }
}
