//! [`Square`]: a square matrix, row by row.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Index, IndexMut};

/// A square matrix.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Square {
    n: usize,
    items: Vec<f64>,
}

impl Square {
    pub(super) fn zero(n: usize) -> Self {
        Self {
            n,
            items: vec![0.0; n * n],
        }
    }

    pub(super) fn size(&self) -> usize {
        self.n
    }

    /// Whether it has this size and is finite.
    #[cfg(feature = "serde")]
    pub(super) fn is_whole(&self, n: usize) -> bool {
        self.n == n && self.items.len() == n * n && self.items.iter().all(|x| x.is_finite())
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.items.chunks_exact(self.n.max(1))
    }

    /// The product with a vector.
    pub(super) fn apply(&self, x: &[f64], to: &mut [f64]) {
        for (row, y) in self.rows().zip(to) {
            *y = product(row, x);
        }
    }

    /// Covariance of rows, over their number less one.
    pub(super) fn covariance<'a>(n: usize, rows: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let mut count = 0.0_f64;
        let mut mean = vec![0.0; n];
        for row in rows.clone() {
            count += 1.0;
            for (m, x) in mean.iter_mut().zip(row) {
                *m += x;
            }
        }
        for m in &mut mean {
            *m /= count.max(1.0);
        }
        let mut c = Self::zero(n);
        let mut off = vec![0.0; n];
        for row in rows {
            for ((o, x), m) in off.iter_mut().zip(row).zip(&mean) {
                *o = x - m;
            }
            for i in 0..n {
                let x = off[i];
                for (to, y) in c[i].iter_mut().zip(&off).take(i + 1) {
                    *to += x * y;
                }
            }
        }
        for i in 0..n {
            for j in 0..=i {
                c[i][j] /= (count - 1.0).max(1.0);
                c[j][i] = c[i][j];
            }
        }
        c
    }
}

/// Scalar product, four sums side by side.
pub(super) fn product(a: &[f64], b: &[f64]) -> f64 {
    let (fours, others) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest = fours.remainder().iter().zip(others.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    let mut sums = [0.0; 4];
    for (a, b) in fours.zip(others) {
        for k in 0..4 {
            sums[k] += a[k] * b[k];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

impl Index<usize> for Square {
    type Output = [f64];

    fn index(&self, row: usize) -> &[f64] {
        &self.items[row * self.n..(row + 1) * self.n]
    }
}

impl IndexMut<usize> for Square {
    fn index_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.items[row * self.n..(row + 1) * self.n]
    }
}
