//! [`Ticks`]: what a detector takes in: each row, or time bins.

use super::resample::Resampler;
use becomingone_kernel::ConfigError;
use becomingone_replay::Row;

/// Source of the detector's ticks.
pub(super) enum Ticks<const N: usize> {
    Rows {
        /// Stamp of the row before.
        last_ns: Option<i64>,
        /// From row to row, where stamps are not used.
        step_s: f64,
        stamped: bool,
        /// Rows whose stamp is not after that of the row before.
        back: u64,
    },
    Bins {
        resampler: Box<Resampler<N>>,
        stamped: bool,
    },
}

impl<const N: usize> Ticks<N> {
    /// Ticks of a table with these steps; each row, or bins of this length.
    pub(super) fn new(
        channels: usize,
        bin_ns: Option<u64>,
        (step_s, stamped): (f64, bool),
    ) -> Result<Self, ConfigError> {
        Ok(match bin_ns {
            None => Self::Rows {
                last_ns: None,
                step_s,
                stamped,
                back: 0,
            },
            Some(bin_ns) => {
                let step_ns = (step_s * 1e9) as u64;
                let resampler = Box::new(Resampler::new(channels, bin_ns, step_ns)?);
                Self::Bins { resampler, stamped }
            }
        })
    }

    /// Takes a row, and passes on every tick that ends with it: values, and the time since the last one (s).
    pub(super) fn push(&mut self, row: &Row, mut each: impl FnMut(&[Option<f64>], f64)) {
        match self {
            Self::Rows {
                last_ns,
                step_s,
                stamped,
                back,
            } => {
                let before = std::mem::replace(last_ns, row.t_ns);
                let dt_s = match (row.t_ns, before) {
                    (Some(now), Some(before)) if *stamped => {
                        now.saturating_sub(before) as f64 / 1e9
                    }
                    _ => *step_s,
                };
                *back += u64::from(dt_s <= 0.0);
                each(&row.values, dt_s);
            }
            Self::Bins { resampler, stamped } => resampler.push(row, *stamped, each),
        }
    }

    /// Rows whose stamp is not after that of the row before, late rows, times the clock was set back, rows beyond the range
    /// of the clock, values too large for a mean.
    pub(super) fn counts(&self) -> [u64; 5] {
        match self {
            Self::Rows { back, .. } => [*back, 0, 0, 0, 0],
            Self::Bins { resampler: r, .. } => [0, r.late, r.set_back, r.beyond, r.too_large()],
        }
    }
}
