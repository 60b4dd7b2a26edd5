//! Confidence bound of the rate of rare events from their count.
//!
//! ```text
//! n events counted, mean of their Poisson law:  with 95 % below  chi^2(0.95; 2n + 2)/2
//!
//! n      0     1     2     3     5     20
//! mean   3.0   4.7   6.3   7.8   10.5  29.1
//! ```
//!
//! No false alarm in 3 hours is fewer than 1 an hour, and no less (Garwood, Fiducial Limits for the Poisson Distribution,
//! Biometrika 28, 1936).

/// The upper 95 % bound of the mean of a Poisson law of which `count` events were counted: `chi²(0.95; 2n + 2)/2`, within
/// 1 %, by Wilson and Hilferty, 1931.
///
/// ```
/// use becomingone_kernel::most_expected;
///
/// // The rule of three.
/// assert!((most_expected(0) - 3.0).abs() < 0.05);
/// ```
pub fn most_expected(count: usize) -> f64 {
    let nu = 2.0 * count as f64 + 2.0;
    let s = 2.0 / (9.0 * nu);
    let root = 1.0 - s + 1.644_853_626_951_472_2 * libm::sqrt(s);
    nu * (root * root * root) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_a_count_is_that_of_tables() {
        // Garwood, 1936: 95 %, one side.
        for (count, bound) in [(0, 2.996), (1, 4.744), (5, 10.513), (20, 29.062)] {
            let found = most_expected(count);
            assert!((found / bound - 1.0).abs() < 0.01, "{count}: {found}");
        }
    }
}
