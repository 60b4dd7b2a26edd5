//! Upper bound of the number of false alarms of thresholds that were set on the same healthy runs.

/// Upper 95 % bound of the runs with an alarm among N further ones, where the thresholds of `detectors` detectors were set
/// above all of N runs but `alarms`. It is the m at which
///
/// ```text
/// C(k + d - 1, k) P(X <= k + d - 1) = 0.05,    X of a Poisson law with mean m, d detectors, k alarms
/// ```
///
/// (Campi, Garatti: A Sampling-and-Discarding Approach to Chance-Constrained Optimization, J. Optim. Theory Appl. 148, 2011,
/// theorem 2.1, for small probabilities.) It holds for any rule that chooses the k runs, if these exceed the thresholds. One
/// detector: Garwood's bound of a count, 3.00 and 4.74. No alarm: chi²(0.95; 2 d)/2, which is exact (SIAM J. Optim. 19(3),
/// 2008).
pub(super) fn most_alarms(detectors: usize, alarms: usize) -> f64 {
    let count = alarms + detectors.max(1) - 1;
    let choices: f64 = (1..=alarms)
        .map(|k| (count + 1 - k) as f64 / k as f64)
        .product();
    let probability = |mean: f64| {
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..=count {
            term *= mean / k as f64;
            sum += term;
        }
        choices * sum * (-mean).exp()
    };
    // The probability falls with the mean; beyond twice the count and 20 it is far below 0.05.
    let (mut least, mut most) = (0.0, 4.0 * count as f64 + 20.0);
    for _ in 0..60 {
        let middle = 0.5 * (least + most);
        match probability(middle) > 0.05 {
            true => least = middle,
            false => most = middle,
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_tables() {
        // Of one detector Garwood's, without alarms chi²(0.95; 2 d)/2; the last by chi²(0.9875; 10)/2.
        for (detectors, alarms, expected) in [
            (1, 0, 2.996),
            (1, 1, 4.744),
            (1, 5, 10.513),
            (2, 0, 4.744),
            (4, 0, 7.754),
            (6, 0, 10.513),
            (4, 1, 11.28),
        ] {
            let found = most_alarms(detectors, alarms);
            assert!(
                (found / expected - 1.0).abs() < 2e-3,
                "{detectors}, {alarms}: {found}"
            );
        }
        assert!(most_alarms(6, 100).is_finite());
    }
}
