//! Sums of products over the first entries of arrays, in four parallel lanes.
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
//! deterministic as one, and a compiler may keep them in one register. Arrays are sized by capacity; entries
//! beyond the active ones are zero, so work is done on whole fours of the active ones. Where all entries are
//! active, the length of every loop is known at compile time and the loops are unrolled.

use crate::Real;
use crate::real::to;

const LANES: usize = 4;

/// `out_n += sum_i x_i m_{i,n}` over the first `used` rows and the first `active` columns.
#[inline]
pub(crate) fn add_product<R: Real, const N: usize, const K: usize>(
    rows: &[[R; N]; K],
    x: &[R; K],
    used: usize,
    active: usize,
    out: &mut [R; N],
) {
    if used >= K && active.div_ceil(LANES) >= N / LANES {
        add(rows, x, N / LANES, |_| K, out);
    } else {
        let used = used.min(K);
        add(rows, x, active.div_ceil(LANES), |_| used, out);
    }
}

/// The same for a lower triangular matrix, without the entries above the diagonal.
#[inline]
pub(crate) fn add_lower_product<R: Real, const N: usize>(
    columns: &[[R; N]; N],
    x: &[R; N],
    active: usize,
    out: &mut [R; N],
) {
    let below = |four: usize| (four + 1) * LANES;
    if active.div_ceil(LANES) >= N / LANES {
        add(columns, x, N / LANES, below, out);
    } else {
        add(columns, x, active.div_ceil(LANES), below, out);
    }
}

/// The product over the first fours of columns, each over `rows_of` rows.
#[inline(always)]
fn add<R: Real, const N: usize, const K: usize>(
    rows: &[[R; N]; K],
    x: &[R; K],
    fours: usize,
    rows_of: impl Fn(usize) -> usize,
    out: &mut [R; N],
) {
    let (out_fours, out_rest) = out.as_chunks_mut::<LANES>();
    for (c, out) in out_fours.iter_mut().take(fours).enumerate() {
        let mut sum = *out;
        for (row, &x) in rows.iter().zip(x).take(rows_of(c)) {
            if let Some(part) = row.as_chunks::<LANES>().0.get(c) {
                for (sum, &m) in sum.iter_mut().zip(part) {
                    *sum += x * m;
                }
            }
        }
        *out = sum;
    }
    let used = rows_of(N / LANES);
    for (c, out) in out_rest.iter_mut().enumerate() {
        for (row, &x) in rows.iter().zip(x).take(used) {
            if let Some(&m) = row.as_chunks::<LANES>().1.get(c) {
                *out += x * m;
            }
        }
    }
}

/// `out_n += by x_n` over the first `active` entries.
#[inline(always)]
pub(crate) fn add_scaled<R: Real, const N: usize>(
    out: &mut [R; N],
    x: &[R; N],
    by: R,
    active: usize,
) {
    let fours = active.div_ceil(LANES);
    let (out_fours, out_rest) = out.as_chunks_mut::<LANES>();
    let (x_fours, x_rest) = x.as_chunks::<LANES>();
    let add = |(out, x): (&mut [R; LANES], &[R; LANES])| {
        for (out, &x) in out.iter_mut().zip(x) {
            *out += by * x;
        }
    };
    if fours >= N / LANES {
        out_fours.iter_mut().zip(x_fours).for_each(add);
    } else {
        out_fours.iter_mut().zip(x_fours).take(fours).for_each(add);
    }
    for (out, &x) in out_rest.iter_mut().zip(x_rest) {
        *out += by * x;
    }
}

/// a b over the first `active` entries.
#[inline]
pub(crate) fn dot<R: Real, const N: usize>(a: &[R; N], b: &[R; N], active: usize) -> R {
    if active.div_ceil(LANES) >= N / LANES {
        sum_of(N / LANES, a, b)
    } else {
        sum_of(active.div_ceil(LANES), a, b)
    }
}

#[inline(always)]
fn sum_of<R: Real, const N: usize>(fours: usize, a: &[R; N], b: &[R; N]) -> R {
    let (a_fours, a_rest) = a.as_chunks::<LANES>();
    let (b_fours, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [R::zero(); LANES];
    for (a, b) in a_fours.iter().zip(b_fours).take(fours) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest = a_rest
        .iter()
        .zip(b_rest)
        .fold(R::zero(), |sum, (&a, &b)| sum + a * b);
    total(sums) + rest
}

/// The sum of all entries.
#[inline]
pub(crate) fn sum<R: Real, const N: usize>(a: &[R; N]) -> R {
    let (fours, rest) = a.as_chunks::<LANES>();
    let mut sums = [R::zero(); LANES];
    for a in fours {
        for (sum, &a) in sums.iter_mut().zip(a) {
            *sum += a;
        }
    }
    rest.iter().fold(total(sums), |sum, &a| sum + a)
}

/// The largest entry, at least 0.
#[inline]
pub(crate) fn largest<R: Real, const N: usize>(a: &[R; N]) -> R {
    let (fours, rest) = a.as_chunks::<LANES>();
    let mut most = [R::zero(); LANES];
    for a in fours {
        for (most, &a) in most.iter_mut().zip(a) {
            *most = larger(a, *most);
        }
    }
    let most = larger(larger(most[0], most[1]), larger(most[2], most[3]));
    rest.iter().fold(most, |most, &a| larger(a, most))
}

/// The larger of two numbers; `b` where `a` is NaN. One instruction, where
/// [`Float::max`](num_traits::Float::max) checks both sides for NaN.
#[inline]
pub(crate) fn larger<R: Real>(a: R, b: R) -> R {
    if a > b { a } else { b }
}

/// The smaller of two numbers; `b` where `a` is NaN.
#[inline]
pub(crate) fn smaller<R: Real>(a: R, b: R) -> R {
    if a < b { a } else { b }
}

/// Numbers of which some are missing: 0 with `present` 0, where the others have `present` 1. Selecting and
/// counting need no branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sparse<R, const N: usize> {
    pub(crate) value: [R; N],
    pub(crate) present: [R; N],
}

impl<R: Real, const N: usize> Sparse<R, N> {
    pub(crate) fn none() -> Self {
        Self {
            value: [R::zero(); N],
            present: [R::zero(); N],
        }
    }

    #[inline]
    pub(crate) fn has(&self, n: usize) -> bool {
        self.present[n] > R::zero()
    }

    #[inline]
    pub(crate) fn set(&mut self, n: usize, value: R) {
        (self.value[n], self.present[n]) = (value, R::one());
    }

    pub(crate) fn get(&self, n: usize) -> Option<R> {
        self.has(n).then(|| self.value[n])
    }

    /// Number of present entries.
    #[inline]
    pub(crate) fn count(&self) -> R {
        sum(&self.present)
    }

    /// In another float.
    pub(crate) fn cast<S: Real>(&self) -> Sparse<S, N> {
        Sparse {
            value: self.value.map(to),
            present: self.present.map(to),
        }
    }

    /// As the options that they came from.
    pub(crate) fn options(&self) -> [Option<R>; N] {
        core::array::from_fn(|n| self.get(n))
    }
}

/// Numbers of two parts, each part by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Parts<R, const N: usize> {
    pub(crate) re: [R; N],
    pub(crate) im: [R; N],
}

/// Real and imaginary part of `sum_n a_n conj(b_n)` over the first `active` entries.
#[inline]
pub(crate) fn dot_conj<R: Real, const N: usize>(
    a: &Parts<R, N>,
    b: &Parts<R, N>,
    active: usize,
) -> [R; 2] {
    if active.div_ceil(LANES) >= N / LANES {
        sum_of_conj(N / LANES, a, b)
    } else {
        sum_of_conj(active.div_ceil(LANES), a, b)
    }
}

#[inline(always)]
fn sum_of_conj<R: Real, const N: usize>(fours: usize, a: &Parts<R, N>, b: &Parts<R, N>) -> [R; 2] {
    let (a_re, a_re_rest) = a.re.as_chunks::<LANES>();
    let (a_im, a_im_rest) = a.im.as_chunks::<LANES>();
    let (b_re, b_re_rest) = b.re.as_chunks::<LANES>();
    let (b_im, b_im_rest) = b.im.as_chunks::<LANES>();
    let (mut re, mut im) = ([R::zero(); LANES], [R::zero(); LANES]);
    let all = a_re.iter().zip(a_im).zip(b_re.iter().zip(b_im));
    for ((a_re, a_im), (b_re, b_im)) in all.take(fours) {
        for l in 0..LANES {
            re[l] += a_re[l] * b_re[l] + a_im[l] * b_im[l];
            im[l] += a_im[l] * b_re[l] - a_re[l] * b_im[l];
        }
    }
    let (mut re, mut im) = (total(re), total(im));
    let rest = a_re_rest.iter().zip(a_im_rest);
    for ((&a_re, &a_im), (&b_re, &b_im)) in rest.zip(b_re_rest.iter().zip(b_im_rest)) {
        re += a_re * b_re + a_im * b_im;
        im += a_im * b_re - a_re * b_im;
    }
    [re, im]
}

#[inline(always)]
fn total<R: Real>(sums: [R; LANES]) -> R {
    (sums[0] + sums[1]) + (sums[2] + sums[3])
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
            let mut scaled = a;
            add_scaled(&mut scaled, &b, 3.0, active);
            for n in 0..N {
                assert_eq!(scaled[n], a[n] + 3.0 * b[n], "{n}, {active} of {N}");
            }
            let rows: [[f64; N]; N] = core::array::from_fn(|i| numbers(active, i));
            let mut out = a;
            add_product(&rows, &b, active, active, &mut out);
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
