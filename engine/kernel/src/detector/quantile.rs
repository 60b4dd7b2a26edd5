//! Quantiles.

use alloc::vec::Vec;

/// Quantile with linear interpolation between neighbours; 0 without values.
pub(super) fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let at = share * last as f64;
    let below = at as usize;
    let (low, high) = (values[below], values[(below + 1).min(last)]);
    low + (at - below as f64) * (high - low)
}
