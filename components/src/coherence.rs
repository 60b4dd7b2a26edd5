//! The kernel on an agent: its channels, Emissary, Master, and how far the two agree.

use crate::scene::MasterSpec;
use crate::time::NS_PER_S;
use becomingone_kernel::{
    Band, Binned, Bins, Complex, ConfigError, Pair, PhaseVelocity, Pyramid, PyramidConfig, Reading,
    SynchronyConfig,
};
use bevy_ecs::prelude::*;

pub use becomingone_kernel::{DEFAULT_LAGS, MAX_PHI, ResonanceConfig, Role};

/// Most channels that one agent's kernel hears.
pub const MAX_CHANNELS: usize = 16;
/// Lags of order.
pub const LAGS: usize = DEFAULT_LAGS.len();
/// Samples that the largest lag needs.
pub const RING: usize = 5;
/// Lags of a level of a Master's pyramid are these to twice these, in blocks of the level.
const PYRAMID_M: usize = 8;
/// Levels of a Master's pyramid, each of twice the lags of the one below.
const PYRAMID_LEVELS: usize = 24;
/// Longest lag of a Master's pyramid, in kernel ticks.
pub const PYRAMID_LAGS: f64 = (2 * PYRAMID_M) as f64 * (1_u64 << (PYRAMID_LEVELS - 1)) as f64;

/// Emissary, the fast, shallow transducer, and Master, the slow, deep one, of up to `N` channels; and what both hear.
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

/// An Emissary of a few kernel ticks, and a Master whose lags are minutes to hours.
#[derive(Clone, Debug)]
pub struct Slow {
    heard: Heard<MAX_CHANNELS>,
    /// Kernel ticks need not be equally long; blocks of the pyramid are.
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

    /// T at the shortest, the middle and the longest lag of the band: the background that memories are compared by.
    fn master_t(&self) -> Option<[Complex<f64>; LAGS]> {
        let last = self.band.taus_s().count().saturating_sub(1);
        let mut all = [Complex::default(); LAGS];
        for (k, t) in all.iter_mut().enumerate() {
            let at = last * k / (LAGS - 1);
            let found = self.pyramid.t(self.band.taus_s().nth(at)?)?;
            // Between two lags, rounding may put it above 1, which no stored signature is.
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

/// Emissary and Master of an agent, in the room that its channels need: of ten thousand agents, memory that is touched
/// is most of the cost. In either room they say the same, to the last bit.
#[derive(Component, Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the one that many agents have"
)]
pub enum Transducers {
    /// Of up to 8 channels.
    Small(Heard<8>),
    /// Of up to [`MAX_CHANNELS`].
    Large(Box<Heard<MAX_CHANNELS>>),
    /// Of up to [`MAX_CHANNELS`], the Master a pyramid.
    Slow(Box<Slow>),
}

impl Transducers {
    /// Both, with the windows of Emissary and Master (s).
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

    /// The same with the Master that a scene asks for, at `rate_hz` kernel ticks a second.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and for lags that no pyramid has; scenes are checked for these.
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

    /// Both hear the phase velocities of these phases, after a step of `dt_s` (s).
    pub fn push(&mut self, phi: &[Option<Complex<f64>>; MAX_CHANNELS], dt_s: f64) {
        match self {
            Self::Small(heard) => heard.push(&phi[..8], dt_s),
            Self::Large(heard) => heard.push(phi, dt_s),
            Self::Slow(slow) => slow.push(phi, dt_s),
        }
    }

    /// What the Emissary says, and the Master; none for one without a value at every lag.
    pub fn readings(&self) -> [Option<Reading<f64>>; 2] {
        match self {
            Self::Small(heard) => heard.pair.readings(),
            Self::Large(heard) => heard.pair.readings(),
            Self::Slow(slow) => slow.readings(),
        }
    }

    /// The readings as Synchronization compares them. At different lags even a perfect tone stands at different phases:
    /// beside a Master of minutes to hours, only the orders are compared, in phase 0.
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

    /// T of one at every lag; none unless all have a value.
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

/// How far Emissary and Master agree, with its memory.
#[derive(Component, Clone, Debug)]
pub struct Synchrony(pub becomingone_kernel::Synchrony<f64>);

impl Synchrony {
    /// With the default thresholds, before the first comparison.
    ///
    /// # Errors
    ///
    /// As the kernel's; the defaults are in their ranges.
    pub fn new() -> Result<Self, ConfigError> {
        becomingone_kernel::Synchrony::new(SynchronyConfig::default()).map(Self)
    }
}

/// A real signal that is averaged over a kernel tick.
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

    /// Whether nothing came since the last call of [`take`](Self::take).
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many came since the last call of this or of [`take`](Self::take).
    #[inline]
    pub fn take_count(&mut self) -> u32 {
        std::mem::take(self).count
    }

    /// The mean since the last call, none where nothing came: a missing sample, never a held one.
    #[inline]
    pub fn take(&mut self) -> Option<f64> {
        let mean = (self.count > 0).then(|| self.sum / f64::from(self.count));
        *self = Self::default();
        mean
    }
}

/// The channels of an agent: an angle each, averaged between kernel ticks, then a phase.
#[derive(Component, Clone, Debug)]
pub struct Channels {
    /// Names, in the order of the channels: `wheels/0`, `clock`.
    pub names: Vec<String>,
    /// Angles heard since the last kernel tick (rad), of the named channels.
    pub angles: [Average; MAX_CHANNELS],
    /// The present phases.
    pub phi: [Option<Complex<f64>>; MAX_CHANNELS],
}

/// When an agent's kernel ticks: beside its [`Rate`](crate::time::Rate).
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct KernelTick {
    /// Stamp of the last kernel tick (ns); none before the first.
    pub last_ns: Option<u64>,
    /// Time since the one before (s); none where this tick is no kernel tick.
    pub dt_s: Option<f64>,
    /// Kernel ticks so far, this one among them.
    pub count: u64,
}

impl Channels {
    /// Channels of these names that have heard nothing; at most [`MAX_CHANNELS`] are.
    pub fn new(names: Vec<String>) -> Self {
        Self {
            angles: [Average::default(); MAX_CHANNELS],
            phi: [None; MAX_CHANNELS],
            names,
        }
    }
}

/// What the kernel says of an agent now; the words are those of every summary, log and viewer.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Coherence {
    /// Mean over the lags of |T|², as the Emissary hears it, 0 to 1; 0 before it has a value.
    pub order: f64,
    /// The same, as the Master hears it.
    pub order_master: f64,
    /// 1 where senses, past and intent agree; no value before a witness is trained.
    pub coherence: Option<f64>,
    /// How far the readings contradict the self-model: the second largest of K1, K2, K3, each over its threshold. Above
    /// 1 they are dissipated. No value before a witness is trained.
    pub surprise: Option<f64>,
    /// The coherent part of what was not foreseen, 0 to 1.
    pub k1: Option<f64>,
    /// Its shift, about 1 while healthy.
    pub k2: Option<f64>,
    /// Its energy, about 1 while healthy.
    pub k3: Option<f64>,
    /// The readings are not to be trusted; no value before a witness is trained.
    pub dissipated: Option<bool>,
    /// Which of the witness' outputs is to blame; none while nothing is dissipated.
    pub cause: Option<usize>,
    /// T at the first lag: real and imaginary part.
    pub t_emissary: [f64; 2],
    /// T at the first lag, of a Master of minutes to hours at its shortest: real and imaginary part.
    pub t_master: [f64; 2],
    /// Emissary and Master agree in magnitude.
    pub aligned: bool,
    /// They are apart since they last agreed: between the two they are neither.
    pub parted: bool,
    /// The rhythm is locked.
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
