//! Sums of products over the first entries of arrays, four side by side.
//!
//! ```text
//! out_n += sum_i x_i m_{i,n}          a b = ((a_0 b_0 + a_4 b_4 + ..) + (a_1 b_1 + ..)) + (.. + ..)
//! ```
//!
//! ```text
//! entries   0 1 2 3 | 4 5 6 7 | 8 9         whole fours of the active entries, then the rest
//! lane      0 1 2 3   0 1 2 3   rest        four sums grow side by side, and are added in one order
//! ```
//!
//! The order of a sum is fixed by the code and the same on every machine, so four partial sums are as
//! deterministic as one, and a compiler may keep them in one register. Arrays are sized by capacity;
//! what is beyond the active entries is zero, so work is done on whole fours of the active ones.

use crate::Real;

const LANES: usize = 4;

/// `out_n += sum_i x_i m_{i,n}` over the rows that have an x, and the first `active` columns.
pub(crate) fn add_product<R: Real, const N: usize>(
    rows: &[[R; N]],
    x: &[R],
    active: usize,
    out: &mut [R; N],
) {
    let (fours, rest) = out.as_chunks_mut::<LANES>();
    for (c, out) in fours.iter_mut().take(active.div_ceil(LANES)).enumerate() {
        let mut sum = *out;
        for (row, &x) in rows.iter().zip(x) {
            if let Some(part) = row.as_chunks::<LANES>().0.get(c) {
                for (sum, &m) in sum.iter_mut().zip(part) {
                    *sum += x * m;
                }
            }
        }
        *out = sum;
    }
    for (c, out) in rest.iter_mut().enumerate() {
        for (row, &x) in rows.iter().zip(x) {
            if let Some(&m) = row.as_chunks::<LANES>().1.get(c) {
                *out += x * m;
            }
        }
    }
}

/// a b over the first `active` entries.
pub(crate) fn dot<R: Real, const N: usize>(a: &[R; N], b: &[R; N], active: usize) -> R {
    let (a_fours, a_rest) = a.as_chunks::<LANES>();
    let (b_fours, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [R::zero(); LANES];
    for (a, b) in a_fours.iter().zip(b_fours).take(active.div_ceil(LANES)) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest = a_rest
        .iter()
        .zip(b_rest)
        .fold(R::zero(), |sum, (&a, &b)| sum + a * b);
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small integers, whose sums and products are exact in any order.
    fn numbers<const N: usize>(active: usize, seed: usize) -> [f64; N] {
        let mut numbers = [0.0; N];
        for (n, x) in numbers.iter_mut().enumerate().take(active) {
            *x = ((n * 7 + seed * 5) % 11) as f64 - 5.0;
        }
        numbers
    }

    fn agrees<const N: usize>() {
        for active in 0..=N {
            let (a, b) = (numbers::<N>(active, 1), numbers::<N>(active, 2));
            let expected: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert_eq!(dot(&a, &b, active), expected, "{active} of {N}");
            let rows: [[f64; N]; N] = core::array::from_fn(|i| numbers(active, i));
            let mut out = a;
            add_product(&rows, &b[..active], active, &mut out);
            for n in 0..N {
                let sum: f64 = (0..active).map(|i| b[i] * rows[i][n]).sum();
                assert_eq!(out[n], a[n] + sum, "{n}, {active} of {N}");
            }
        }
    }

    #[test]
    fn fours_and_rests_are_plain_sums_of_products() {
        agrees::<1>();
        agrees::<3>();
        agrees::<4>();
        agrees::<7>();
        agrees::<8>();
        agrees::<13>();
    }
}
