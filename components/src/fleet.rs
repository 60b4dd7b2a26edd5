//! Fleet: robots on circles, coupled through the mean of their phases until they lock (Kuramoto).

use becomingone_kernel::{Kuramoto, uniform_critical, uniform_order, uniform_quantile};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

use crate::control::Localisation;

/// Name of the fleet's entity.
pub const FLEET: &str = "fleet";

/// A scene's fleet: all agents on an `Orbit` without a rate of their own.
///
/// Each has the natural frequency of its place in the distribution and is coupled to the mean field:
/// `theta_i' = omega_i + K r sin(psi - theta_i)`, theta being its angle on its circle.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSpec {
    /// Distribution of the frequencies: the i-th of n robots, in the order of the scene, has its quantile at (i +
    /// 1/2)/n.
    pub law: Law,
    /// K (rad/s).
    pub coupling_rad_s: f64,
    /// Start of the coupling (s).
    #[serde(default)]
    pub from_s: f64,
}

/// A distribution of frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Law {
    /// Uniform within a half width of the mean.
    Uniform {
        /// Mean (turns per second).
        mean_hz: f64,
        /// Half width (turns per second).
        half_width_hz: f64,
    },
}

impl Law {
    /// Frequency i of n (rad/s).
    pub fn omega_rad_s(&self, i: usize, n: usize) -> f64 {
        let Self::Uniform {
            mean_hz,
            half_width_hz,
        } = *self;
        TAU * mean_hz + uniform_quantile(i, n, TAU * half_width_hz)
    }

    /// Critical coupling K (rad/s).
    pub fn critical_rad_s(&self) -> f64 {
        let Self::Uniform { half_width_hz, .. } = *self;
        uniform_critical(TAU * half_width_hz)
    }

    /// Order parameter r at this K in the limit of many robots; 0 below the critical coupling.
    pub fn order(&self, coupling_rad_s: f64) -> f64 {
        let Self::Uniform { half_width_hz, .. } = *self;
        uniform_order(coupling_rad_s, TAU * half_width_hz)
    }
}

/// Motion of a robot on its own circle; its phase is its angle on it.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Orbit {
    /// Middle of the circle in the world (m).
    pub centre_m: [f64; 2],
    /// Radius (m).
    pub radius_m: f64,
    /// Pose source.
    pub localisation: Localisation,
    /// Natural frequency, to the left positive (rad/s).
    pub omega_rad_s: f64,
    /// Commanded rate now (rad/s): natural frequency and coupling.
    pub rate_rad_s: f64,
}

/// Robots of a fleet and their coupling: an entity of its own, named `fleet`.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Fleet {
    /// Robots, in the order of the scene.
    pub robots: Vec<Entity>,
    /// Setup.
    pub spec: FleetSpec,
    /// Start of the coupling (ns).
    pub from_ns: u64,
}

impl Fleet {
    /// The coupling at this time.
    pub fn coupling(&self, now_ns: u64) -> Kuramoto<f64> {
        Kuramoto {
            coupling_rad_s: if now_ns >= self.from_ns {
                self.spec.coupling_rad_s
            } else {
                0.0
            },
            frame_rad_s: 0.0,
        }
    }
}

/// State of a fleet.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct FleetOrder {
    /// Mean field r e^{i psi} of the robots' phases; 0 before the first value.
    pub field: [f64; 2],
    /// r, 0 to 1.
    pub r: f64,
    /// Settled r at this coupling: closed form of the distribution.
    pub r_theory: f64,
    /// K now (rad/s).
    pub coupling_rad_s: f64,
}
