//! Emissary, Master and Synchronization of an agent: the kernel's estimators, in the room that its channels need.

use becomingone_components::coherence::{
    DEFAULT_LAGS, LAGS, MAX_CHANNELS, PYRAMID_LEVELS, PYRAMID_M, RING, ResonanceConfig, Role,
};
use becomingone_components::scene::MasterSpec;
use becomingone_components::time::NS_PER_S;
use becomingone_kernel::{
    Band, Binned, Bins, Complex, ConfigError, Pair, PhaseVelocity, Pyramid, PyramidConfig, Reading,
    SynchronyConfig,
};
use bevy_ecs::prelude::*;

/// Emissary (short-window estimator) and Master (long-window estimator) of up to `N` channels, and their phase
/// velocities.
#[derive(Clone, Debug)]
pub struct Windows<const N: usize> {
    velocity: PhaseVelocity<f64, N>,
    pair: Pair<f64, N, LAGS, RING>,
}

impl<const N: usize> Windows<N> {
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
    windows: Windows<MAX_CHANNELS>,
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
            windows: Windows::new(channels, windows_s)?,
            bins: Bins::new(channels, bin_ns, bin_ns)?,
            pyramid: Pyramid::new(config)?,
            band: Band::new(Role::Master, band_s[0], band_s[1])?,
            now_ns: 0,
        })
    }

    fn push(&mut self, phi: &[Option<Complex<f64>>], dt_s: f64) {
        self.windows.push(phi, dt_s);
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
        let [emissary, _] = self.windows.pair.readings();
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
    Small(Windows<8>),
    /// Up to [`MAX_CHANNELS`].
    Large(Box<Windows<MAX_CHANNELS>>),
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
            Windows::new(channels, windows_s).map(Self::Small)
        } else {
            Windows::new(channels, windows_s).map(|h| Self::Large(Box::new(h)))
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
            Self::Small(windows) => windows.push(&phi[..8], dt_s),
            Self::Large(windows) => windows.push(phi, dt_s),
            Self::Slow(slow) => slow.push(phi, dt_s),
        }
    }

    /// Readings of Emissary and Master; none without a value at every lag.
    pub fn readings(&self) -> [Option<Reading<f64>>; 2] {
        match self {
            Self::Small(windows) => windows.pair.readings(),
            Self::Large(windows) => windows.pair.readings(),
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
            Self::Small(windows) => windows.pair.all_t(role),
            Self::Large(windows) => windows.pair.all_t(role),
            Self::Slow(slow) if role == Role::Master => slow.master_t(),
            Self::Slow(slow) => slow.windows.pair.all_t(role),
        }
    }

    /// The Emissary's window (s).
    pub fn emissary_window_s(&self) -> f64 {
        match self {
            Self::Small(windows) => windows.pair.window_s(Role::Emissary),
            Self::Large(windows) => windows.pair.window_s(Role::Emissary),
            Self::Slow(slow) => slow.windows.pair.window_s(Role::Emissary),
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

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::seed::{Rng, RunSeed};

    #[test]
    fn readings_do_not_depend_on_the_capacity() {
        let mut small = Windows::<8>::new(7, [1.0, 60.0]).unwrap();
        let mut large = Windows::<MAX_CHANNELS>::new(7, [1.0, 60.0]).unwrap();
        let mut rng = Rng::for_name(RunSeed(1), "rooms");
        for k in 0..500 {
            let mut phi = [None; MAX_CHANNELS];
            for phi in &mut phi[..7] {
                let is_present = rng.symmetric() < 0.8;
                *phi = is_present.then(|| becomingone_kernel::encode_angle(rng.symmetric()));
            }
            small.push(&phi[..8], 0.02);
            large.push(&phi, 0.02);
            assert_eq!(small.pair.readings(), large.pair.readings(), "{k}");
        }
        assert!(small.pair.readings().iter().all(Option::is_some));
    }
}
