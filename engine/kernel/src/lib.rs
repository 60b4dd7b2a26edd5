//! The coherence kernel: temporal coherence as one bounded number, and detection and isolation of faulty channels.
//!
//! [`Monitor`] is the place to start: stamped sensor values in, alarm and faulty channel out.
//! The measure of coherence (KAIROS) is a normalised lagged autocorrelation:
//!
//! ```text
//!                 int e^{-(t-s)/T_w} <d(s), d(s-tau)> e^{i nu s} ds
//!   T_tau(t) = ---------------------------------------------------------,   |T_tau| <= 1
//!                      sqrt(P0) sqrt(P1)     (the powers of both factors)
//!
//!   angle, complex, real                                     T_tau
//!        |                                           +--> Emissary (1 s) --+
//!        v            phi                   d = phi' |                     v
//!     encoder ------------->  PhaseVelocity ---------+                 Synchrony --> delta, aligned,
//!                                                    |                     ^         apart, collapsed
//!                                                    +--> Master (60 s) ---+
//! ```
//!
//! `T_tau` is the degree of temporal coherence g1(tau) of optics; with a cycle frequency nu it is
//! the normalised cyclic autocorrelation (Gardner). |T|^2 near 1 means that the phases advance as
//! they did tau ago: a gait, a rotor, a phase lock. For white noise, `|T|^2` has mean
//! `1/(N_eff N)`.
//!
//! Emissary and Master are its short-window and long-window estimators; Synchronization is their agreement.
//!
//! No std, no allocation, no clock: the caller passes samples and the time between them. The same
//! input gives the same output.
//!
//! On a micro-controller, order and lock of 4 channels in `f32` ([`PhaseVelocity`], [`Pair`] and
//! [`Synchrony`], no pyramid) are under 2 kB of state: 816 bytes, as `tests/sizes.rs` holds them.
//!
//! # Modules, in the order in which data passes
//!
//! | file | contents |
//! |---|---|
//! | `monitor` | [`Monitor`]: fault detection and isolation with default settings |
//! | `real` | [`Real`]: `f32` or `f64` |
//! | `error` | [`ConfigError`]: why a configuration is refused |
//! | `phase` | [`encode_angle`], [`Standard`]: readings to phi; [`PhaseVelocity`]: phi to phi' |
//! | `resonance` | [`Resonance`]: `T_tau` at several lags |
//! | `bins` | [`Bins`]: irregular readings to equal bins of time |
//! | `pyramid` | [`Pyramid`]: `T_tau` at any lag from microseconds to hours |
//! | `octave` | one level of a pyramid |
//! | `transducer` | [`Transducer`]: a resonance as Emissary or Master; [`Reading`] |
//! | `pair` | [`Pair`]: Emissary and Master over one ring |
//! | `band` | [`Band`]: a pyramid's lags from `tau_base` to `tau_max` as Emissary or Master |
//! | `synchrony` | [`Synchrony`]: agreement of the two, and lock |
//! | `kuramoto` | [`Kuramoto`]: coupled oscillators and their order parameter |
//! | `lanes` | sums of products, four side by side |
//! | `linear` | Cholesky factors and solves |
//! | `witness` | the self-model's W = G\[W\]: one-step linear predictor (VARX), fitted by ridge regression in one pass |
//! | `surprise` | K1, K2, K3 of the innovations; [`Thresholds`] |
//! | `count` | [`most_expected`]: upper confidence bound of a rate from a count of alarms |
//! | `self_model` | [`Trainer`]: warm-up; [`SelfModel`]: predictor and statistics, from raw samples to a [`Verdict`] |
//! | `signature` | [`Signature`]: features of an event, and their distance |
//! | `blend` | [`Blend`]: event memory with decay and recall |
//! | `consolidation` | [`AgeOctaves`]: an unbounded history in bounded memory |
//! | `stored` | [`Stored`]: serialises a memory to bytes, and back |
//!
//! # Feature `alloc`
//!
//! Off by default:
//!
//! | file | contents |
//! |---|---|
//! | `detector` | `Detector`: anomalies of a machine whose healthy rows are stored, with thresholds out of sample |
//!
//! With the feature `serde` what it has learned, a `Model`, can be stored and read back.
//!
//! # Feature `extras`
//!
//! Off by default, because no agent of the engine uses it:
//!
//! | file | contents |
//! |---|---|
//! | `fixed_point` | W = G\[W\] as an iteration: `StateWitness`, `ParameterWitness` |
//! | `modes` | self-models of a self-model's statistics, and of another agent: `Reflection`, `Mutual` |
//!
//! # Example
//!
//! A complex tone of 5 Hz, sampled at 50 Hz, has order 1 at lags 1, 2 and 4:
//!
//! ```
//! use becomingone_kernel::{
//!     DEFAULT_LAGS, Pair, PhaseVelocity, Role, Synchrony, SynchronyConfig, encode_angle,
//! };
//!
//! let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
//! let mut pair = Pair::<f64, 1, 3, 5>::new(1, DEFAULT_LAGS)?;
//! let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
//!
//! let (dt_s, hz) = (0.02, 5.0);
//! for k in 0..50 {
//!     let theta = core::f64::consts::TAU * hz * dt_s * f64::from(k);
//!     let d = velocity.push(&[Some(encode_angle(theta))], dt_s);
//!     pair.push(d, dt_s);
//!     let [emissary, master] = pair.readings();
//!     synchrony.update(emissary, master);
//! }
//! let order = pair.reading(Role::Emissary).map_or(0.0, |reading| reading.order);
//! assert!((order - 1.0).abs() < 1e-12);
//! assert!(synchrony.collapsed());
//! # Ok::<(), becomingone_kernel::ConfigError>(())
//! ```

#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

mod band;
mod bins;
mod blend;
mod consolidation;
mod count;
#[cfg(feature = "alloc")]
mod detector;
mod error;
#[cfg(feature = "extras")]
mod fixed_point;
mod kuramoto;
mod lanes;
mod linear;
#[cfg(feature = "extras")]
mod modes;
mod monitor;
mod octave;
mod pair;
mod phase;
mod pyramid;
mod real;
mod resonance;
mod self_model;
mod signature;
mod stored;
mod surprise;
mod synchrony;
mod transducer;
mod witness;

pub use num_complex::Complex;

pub use band::{Band, EMISSARY_BAND_S, MASTER_BAND_S};
pub use bins::{Binned, Bins};
pub use blend::{Blend, BlendConfig, Held, Near};
pub use consolidation::AgeOctaves;
pub use count::most_expected;
#[cfg(feature = "alloc")]
pub use detector::{
    Detector, DetectorCounters, Expected, FalseAlarms, Finding, Health, Learning, Model, Outlier,
    Outside,
};
pub use error::ConfigError;
#[cfg(feature = "extras")]
pub use fixed_point::{ParameterWitness, StateWitness};
pub use kuramoto::{
    Kuramoto, lorentzian_quantile, mean_field, turned, uniform_critical, uniform_order,
    uniform_quantile,
};
#[cfg(feature = "extras")]
pub use modes::{Mutual, MutualVerdict, Reflection};
pub use monitor::Monitor;
pub use pair::Pair;
pub use phase::{MAX_PHI, PhaseVelocity, Standard, encode_angle};
pub use pyramid::{Covered, Feeder, MAX_LEVELS, Pyramid, PyramidConfig};
pub use real::Real;
pub use resonance::{MIN_N_EFF, PushOutcome, Resonance, ResonanceConfig};
pub use self_model::{
    Counters, MIN_WARM_UP, SelfModel, SelfModelConfig, Trainer, Verdict, WarmUpError,
};
pub use signature::Signature;
pub use stored::{StoreError, Stored};
pub use surprise::{Alarm, Thresholds};
pub use synchrony::{Synchrony, SynchronyConfig, SynchronyReport};
pub use transducer::{DEFAULT_LAGS, EMISSARY_WINDOW_S, MASTER_WINDOW_S, Reading, Role, Transducer};
