//! Coherence kernel of an agent: channels, Emissary, Master, and their agreement.

use crate::scene::MasterSpec;
use crate::time::NS_PER_S;
use becomingone_kernel::{
    Band, Binned, Bins, Complex, ConfigError, Pair, PhaseVelocity, Pyramid, PyramidConfig, Reading,
    SynchronyConfig,
};
use bevy_ecs::prelude::*;

pub use becomingone_kernel::{DEFAULT_LAGS, MAX_PHI, ResonanceConfig, Role};

/// Maximum channels of one agent's kernel.
pub const MAX_CHANNELS: usize = 16;
/// Lags of the order.
pub const LAGS: usize = DEFAULT_LAGS.len();
/// Samples for the largest lag.
pub const RING: usize = 5;
/// Lags of a level of a Master's pyramid are these to twice these, in blocks of the level.
const PYRAMID_M: usize = 8;
/// Levels of a Master's pyramid, each of twice the lags of the one below.
const PYRAMID_LEVELS: usize = 24;
/// Longest lag of a Master's pyramid, in kernel ticks.
pub const PYRAMID_LAGS: f64 = (2 * PYRAMID_M) as f64 * (1_u64 << (PYRAMID_LEVELS - 1)) as f64;

/// Emissary (short-window estimator) and Master (long-window estimator) of up to `N` channels, and their phase
/// velocities.
#[derive(Clone, Debug)]
pub struct Heard<const N: usize> {
    velocity: PhaseVelocity<f64, N>,
    pair: Pair<f64, N, LAGS, RING>,
}

impl<const N: usize> Heard<N> {
    fn new(channels: usize, windows_s: [f64; 2]) -> Result<Self, ConfigError> {
        let [emissary_s, master_s] = windows_s;
        let config = ResonanceConfig::new(channels, emissary_s, DEFAULT_LAGS);
        Ok(Self {
            velocity: PhaseVelocity::new(channels)?,
            pair: Pair::with_config(config, master_s)?,
        })
    }

    fn push(&mut self, phi: &[Option<Complex<f64>>], dt_s: f64) {
        let d = self.velocity.push(phi, dt_s);
        self.pair.push(d, dt_s);
    }
}

/// Emissary of a few kernel ticks, and Master with lags of minutes to hours.
#[derive(Clone, Debug)]
pub struct Slow {
    heard: Heard<MAX_CHANNELS>,
    /// Kernel ticks may vary in length; blocks of the pyramid are equally long.
    bins: Bins<f64, MAX_CHANNELS>,
    pyramid: Pyramid<f64, MAX_CHANNELS, PYRAMID_M, PYRAMID_LEVELS>,
    band: Band<f64>,
    now_ns: u64,
}

impl Slow {
    fn new(
        channels: usize,
        windows_s: [f64; 2],
        band_s: [f64; 2],
        rate_hz: f64,
    ) -> Result<Self, ConfigError> {
        let bin_ns = (NS_PER_S as f64 / rate_hz).round() as u64;
        let config = PyramidConfig {
            window_s: windows_s[1],
            ..PyramidConfig::new(channels, bin_ns as f64 / NS_PER_S as f64)
        };
        Ok(Self {
            heard: Heard::new(channels, windows_s)?,
            bins: Bins::new(channels, bin_ns, bin_ns)?,
            pyramid: Pyramid::new(config)?,
            band: Band::new(Role::Master, band_s[0], band_s[1])?,
            now_ns: 0,
        })
    }

    fn push(&mut self, phi: &[Option<Complex<f64>>], dt_s: f64) {
        self.heard.push(phi, dt_s);
        let dt_ns = (dt_s * NS_PER_S as f64).round() as u64;
        self.now_ns = self.now_ns.saturating_add(dt_ns);
        let pyramid = &mut self.pyramid;
        self.bins.push(self.now_ns, phi, |bin| match bin {
            Binned::Bin(cells) => {
                pyramid.push_covered(cells);
            }
            Binned::Gap { bins } => pyramid.pass(bins),
        });
    }

    fn readings(&self) -> [Option<Reading<f64>>; 2] {
        let [emissary, _] = self.heard.pair.readings();
        let master = self.band.reading(&self.pyramid).and_then(|reading| {
            let t = self.pyramid.t(self.band.tau_base_s())?;
            Some(Reading { t, ..reading })
        });
        [emissary, master]
    }

    /// T at the shortest, the middle and the longest lag of the band: the background of stored signatures.
    fn master_t(&self) -> Option<[Complex<f64>; LAGS]> {
        let last = self.band.taus_s().count().saturating_sub(1);
        let mut all = [Complex::default(); LAGS];
        for (k, t) in all.iter_mut().enumerate() {
            let at = last * k / (LAGS - 1);
            let found = self.pyramid.t(self.band.taus_s().nth(at)?)?;
            // Between two lags, rounding may exceed 1, which stored signatures do not allow.
            let power = found.norm_sqr();
            *t = if power > 1.0 {
                found.scale((1.0 - 4.0 * f64::EPSILON) / power.sqrt())
            } else {
                found
            };
        }
        Some(all)
    }
}

/// Emissary and Master of an agent, sized by its channels, as memory traffic dominates the cost of ten thousand
/// agents. Results are bit-identical in either size.
#[derive(Component, Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the one that many agents have"
)]
pub enum Transducers {
    /// Up to 8 channels.
    Small(Heard<8>),
    /// Up to [`MAX_CHANNELS`].
    Large(Box<Heard<MAX_CHANNELS>>),
    /// Up to [`MAX_CHANNELS`], with a pyramid as Master.
    Slow(Box<Slow>),
}

impl Transducers {
    /// Emissary and Master with these windows (s).
    ///
    /// # Errors
    ///
    /// Windows must be positive and finite, channels 1 to [`MAX_CHANNELS`].
    pub fn new(channels: usize, windows_s: [f64; 2]) -> Result<Self, ConfigError> {
        if channels <= 8 {
            Heard::new(channels, windows_s).map(Self::Small)
        } else {
            Heard::new(channels, windows_s).map(|h| Self::Large(Box::new(h)))
        }
    }

    /// The same with the scene's Master, at `rate_hz` kernel ticks per second.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and lags outside of the pyramid; scenes are checked for these.
    pub fn with_master(
        channels: usize,
        windows_s: [f64; 2],
        master: MasterSpec,
        rate_hz: f64,
    ) -> Result<Self, ConfigError> {
        match master {
            MasterSpec::Window => Self::new(channels, windows_s),
            MasterSpec::Pyramid { from_s, to_s } => {
                let slow = Slow::new(channels, windows_s, [from_s, to_s], rate_hz)?;
                Ok(Self::Slow(Box::new(slow)))
            }
        }
    }

    /// Processes the phase velocities of these phases, after a step of `dt_s` (s).
    pub fn push(&mut self, phi: &[Option<Complex<f64>>; MAX_CHANNELS], dt_s: f64) {
        match self {
            Self::Small(heard) => heard.push(&phi[..8], dt_s),
            Self::Large(heard) => heard.push(phi, dt_s),
            Self::Slow(slow) => slow.push(phi, dt_s),
        }
    }

    /// Readings of Emissary and Master; none without a value at every lag.
    pub fn readings(&self) -> [Option<Reading<f64>>; 2] {
        match self {
            Self::Small(heard) => heard.pair.readings(),
            Self::Large(heard) => heard.pair.readings(),
            Self::Slow(slow) => slow.readings(),
        }
    }

    /// The readings as Synchronization compares them. At different lags even a pure tone has different phases: beside
    /// a Master of minutes to hours, only the orders are compared, in phase 0.
    pub fn compared(&self, readings: [Option<Reading<f64>>; 2]) -> [Option<Reading<f64>>; 2] {
        if !matches!(self, Self::Slow(_)) {
            return readings;
        }
        readings.map(|reading| {
            let order = reading?.order;
            let t = Complex::new(order.sqrt(), 0.0);
            Some(Reading { order, t })
        })
    }

    /// T at every lag of one of the two; none unless all have a value.
    pub fn all_t(&self, role: Role) -> Option<[Complex<f64>; LAGS]> {
        match self {
            Self::Small(heard) => heard.pair.all_t(role),
            Self::Large(heard) => heard.pair.all_t(role),
            Self::Slow(slow) if role == Role::Master => slow.master_t(),
            Self::Slow(slow) => slow.heard.pair.all_t(role),
        }
    }

    /// The Emissary's window (s).
    pub fn emissary_window_s(&self) -> f64 {
        match self {
            Self::Small(heard) => heard.pair.window_s(Role::Emissary),
            Self::Large(heard) => heard.pair.window_s(Role::Emissary),
            Self::Slow(slow) => slow.heard.pair.window_s(Role::Emissary),
        }
    }
}

/// Synchronization: agreement of Emissary and Master, with hysteresis.
#[derive(Component, Clone, Debug)]
pub struct Synchrony(pub becomingone_kernel::Synchrony<f64>);

impl Synchrony {
    /// With the default thresholds, before the first comparison.
    ///
    /// # Errors
    ///
    /// As the kernel's; the defaults are in range.
    pub fn new() -> Result<Self, ConfigError> {
        becomingone_kernel::Synchrony::new(SynchronyConfig::default()).map(Self)
    }
}

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
    /// Deviation of the readings from the self-model: the second largest of K1, K2, K3, each over its threshold;
    /// above 1 the agent is dissipated. None before a witness is trained.
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

    #[test]
    fn transducers_say_the_same_in_either_room() {
        let mut small = Heard::<8>::new(7, [1.0, 60.0]).unwrap();
        let mut large = Heard::<MAX_CHANNELS>::new(7, [1.0, 60.0]).unwrap();
        let mut rng = crate::seed::Rng::for_name(crate::seed::RunSeed(1), "rooms");
        for k in 0..500 {
            let mut phi = [None; MAX_CHANNELS];
            for phi in &mut phi[..7] {
                let said = rng.symmetric() < 0.8;
                *phi = said.then(|| becomingone_kernel::encode_angle(rng.symmetric()));
            }
            small.push(&phi[..8], 0.02);
            large.push(&phi, 0.02);
            assert_eq!(small.pair.readings(), large.pair.readings(), "{k}");
        }
        assert!(small.pair.readings().iter().all(Option::is_some));
    }
}
