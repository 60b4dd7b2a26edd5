//! [`Rows`]: the rows of a baseline.

use alloc::vec::Vec;
use core::ops::Range;

/// Healthy rows without missing values, in stretches that do not follow each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Numbers of channels and of inputs.
    pub(super) n: usize,
    pub(super) m: usize,
    /// Channels and inputs, row by row.
    pub(super) x: Vec<f64>,
    /// First row of each stretch.
    pub(super) starts: Vec<usize>,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.x.len() / (self.n + self.m).max(1)
    }

    /// Channels, then inputs.
    pub(super) fn row(&self, k: usize) -> &[f64] {
        let width = self.n + self.m;
        &self.x[k * width..(k + 1) * width]
    }

    pub(super) fn stretches(&self) -> Vec<Range<usize>> {
        stretches_of(&self.starts, self.len())
    }

    /// First row of the stretch of a row.
    pub(super) fn start(&self, k: usize) -> usize {
        let after = self.starts.partition_point(|start| *start <= k);
        after.checked_sub(1).map_or(0, |last| self.starts[last])
    }
}

/// Stretches with these first rows, up to the last row.
pub(super) fn stretches_of(starts: &[usize], len: usize) -> Vec<Range<usize>> {
    let ends = starts.iter().skip(1).copied().chain([len]);
    starts.iter().zip(ends).map(|(a, b)| *a..b).collect()
}
