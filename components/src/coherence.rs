//! Coherence kernel of an agent: its channels, its ticks, its result.

use becomingone_kernel::Complex;
use bevy_ecs::prelude::*;

pub use becomingone_kernel::{DEFAULT_LAGS, MAX_PHI, ResonanceConfig, Role};

/// Maximum channels of one agent's kernel.
pub const MAX_CHANNELS: usize = 16;
/// Lags of the order.
pub const LAGS: usize = DEFAULT_LAGS.len();
/// Samples for the largest lag.
pub const RING: usize = 5;
/// Lags of a level of a Master's pyramid are these to twice these, in blocks of the level.
pub const PYRAMID_M: usize = 8;
/// Levels of a Master's pyramid, each of twice the lags of the one below.
pub const PYRAMID_LEVELS: usize = 24;
/// Longest lag of a Master's pyramid, in kernel ticks.
pub const PYRAMID_LAGS: f64 = (2 * PYRAMID_M) as f64 * (1_u64 << (PYRAMID_LEVELS - 1)) as f64;

/// Mean of a real signal over a kernel tick.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Average {
    sum: f64,
    count: u32,
}

impl Average {
    /// Adds a value.
    #[inline]
    pub fn add(&mut self, x: f64) {
        self.sum += x;
        self.count += 1;
    }

    /// Whether no value was added since the last call of [`take`](Self::take).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of values since the last call of this or of [`take`](Self::take).
    #[inline]
    pub fn take_count(&mut self) -> u32 {
        std::mem::take(self).count
    }

    /// The mean since the last call; none without a value: a missing sample, never a held one.
    #[inline]
    pub fn take(&mut self) -> Option<f64> {
        let mean = (self.count > 0).then(|| self.sum / f64::from(self.count));
        *self = Self::default();
        mean
    }
}

/// Channels of an agent: an angle each, averaged between kernel ticks, then converted to a phase.
#[derive(Component, Clone, Debug)]
pub struct Channels {
    /// Names, in the order of the channels: `wheels/0`, `clock`.
    pub names: Vec<String>,
    /// Angles since the last kernel tick (rad), of the named channels.
    pub angles: [Average; MAX_CHANNELS],
    /// Current phases.
    pub phi: [Option<Complex<f64>>; MAX_CHANNELS],
}

/// Kernel ticks of an agent, beside its [`Rate`](crate::time::Rate).
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct KernelTick {
    /// Stamp of the last kernel tick (ns); none before the first.
    pub last_ns: Option<u64>,
    /// Time since the previous kernel tick (s); none unless this tick is a kernel tick.
    pub dt_s: Option<f64>,
    /// Kernel ticks so far, this one included.
    pub count: u64,
}

impl Channels {
    /// Channels of these names without samples; at most [`MAX_CHANNELS`] are used.
    pub fn new(names: Vec<String>) -> Self {
        Self {
            angles: [Average::default(); MAX_CHANNELS],
            phi: [None; MAX_CHANNELS],
            names,
        }
    }
}

/// Result of an agent's kernel, under the names of every summary, log and viewer.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Coherence {
    /// Mean of |T|² over the lags of the Emissary, 0 to 1; 0 before it has a value.
    pub order: f64,
    /// The same for the Master.
    pub order_master: f64,
    /// 1 while sensors, past and commands agree; none before a witness is trained.
    pub coherence: Option<f64>,
    /// Deviation of the readings from the self-model: the mean of K1, K2, K3, each over its threshold; above 1 the
    /// agent is dissipated. None before a witness is trained.
    pub surprise: Option<f64>,
    /// Residual autocorrelation, 0 to 1.
    pub k1: Option<f64>,
    /// Mean shift of the residual, about 1 while healthy.
    pub k2: Option<f64>,
    /// Energy of the residual, about 1 while healthy.
    pub k3: Option<f64>,
    /// Alarm; none before a witness is trained.
    pub dissipated: Option<bool>,
    /// Isolated output of the witness; none without an alarm.
    pub cause: Option<usize>,
    /// T at the first lag: real and imaginary part.
    pub t_emissary: [f64; 2],
    /// T at the first lag of the Master, its shortest for a pyramid: real and imaginary part.
    pub t_master: [f64; 2],
    /// Emissary and Master agree in magnitude.
    pub aligned: bool,
    /// Emissary and Master have diverged since they last agreed; in between, neither holds.
    pub parted: bool,
    /// The rhythm is phase-locked.
    pub collapsed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_without_values_is_missing() {
        let mut a = Average::default();
        assert_eq!(a.take(), None);
        a.add(1.0);
        a.add(2.0);
        assert_eq!(a.take(), Some(1.5));
        assert_eq!(a.take(), None);
    }
}
