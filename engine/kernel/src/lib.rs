//! The coherence kernel: how well a rhythm holds, as one bounded number.
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
//! the normalised cyclic autocorrelation (Gardner). |T|^2 near 1 means that the channels turn as
//! they turned tau ago: a gait, a rotor, a lock. Of white noise, `|T|^2` has mean
//! `1/(N_eff N)`.
//!
//! No std, no allocation, no clock: the caller brings samples and the time between them. The same
//! input gives the same output.
//!
//! # What is here, in the order in which data passes
//!
//! | file | what |
//! |---|---|
//! | `real` | [`Real`]: `f32` or `f64` |
//! | `error` | [`ConfigError`]: what a constructor refuses |
//! | `phase` | [`encode_angle`], [`Standard`]: readings to phi; [`PhaseVelocity`]: phi to phi' |
//! | `resonance` | [`Resonance`]: `T_tau` at several lags |
//! | `transducer` | [`Transducer`]: a resonance as Emissary or Master; [`Reading`] |
//! | `synchrony` | [`Synchrony`]: agreement of the two, and lock |
//!
//! # Example
//!
//! A complex tone of 5 Hz, sampled at 50 Hz, has order 1 at lags 1, 2 and 4:
//!
//! ```
//! use becomingone_kernel::{
//!     DEFAULT_LAGS, PhaseVelocity, Role, Synchrony, SynchronyConfig, Transducer, encode_angle,
//! };
//!
//! let mut velocity = PhaseVelocity::<f64, 1>::new(1)?;
//! let mut emissary = Transducer::<f64, 1, 3, 5>::new(Role::Emissary, 1, DEFAULT_LAGS)?;
//! let mut master = Transducer::<f64, 1, 3, 5>::new(Role::Master, 1, DEFAULT_LAGS)?;
//! let mut synchrony = Synchrony::new(SynchronyConfig::default())?;
//!
//! let (dt_s, hz) = (0.02, 5.0);
//! for k in 0..50 {
//!     let theta = core::f64::consts::TAU * hz * dt_s * f64::from(k);
//!     let d = velocity.push(&[Some(encode_angle(theta))], dt_s);
//!     emissary.push(d, dt_s);
//!     master.push(d, dt_s);
//!     synchrony.update(emissary.reading(), master.reading());
//! }
//! let order = emissary.resonance().order().unwrap_or_default();
//! assert!((order - 1.0).abs() < 1e-12);
//! assert!(synchrony.collapsed());
//! # Ok::<(), becomingone_kernel::ConfigError>(())
//! ```

#![no_std]

mod error;
mod phase;
mod real;
mod resonance;
mod synchrony;
mod transducer;

pub use num_complex::Complex;

pub use error::ConfigError;
pub use phase::{MAX_PHI, PhaseVelocity, Standard, encode_angle};
pub use real::Real;
pub use resonance::{MIN_N_EFF, PushOutcome, Resonance, ResonanceConfig};
pub use synchrony::{Synchrony, SynchronyConfig, SynchronyReport};
pub use transducer::{DEFAULT_LAGS, EMISSARY_WINDOW_S, MASTER_WINDOW_S, Reading, Role, Transducer};
