//! A fleet: robots on circles of their own, which pull at each other's phases until they lock (Kuramoto).

use becomingone_kernel::{Kuramoto, uniform_critical, uniform_order, uniform_quantile};
use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

use crate::control::Localisation;

/// Name of the fleet's entity.
pub const FLEET: &str = "fleet";

/// A scene's fleet: all agents on an `Orbit` that has no rate of its own.
///
/// Each has the frequency of its place in the law, and hears the others by their mean field:
/// `theta_i' = omega_i + K r sin(psi - theta_i)`, theta being where it is on its circle.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FleetSpec {
    /// Whose quantiles the frequencies are: the i-th of n robots, in the order of the scene, has that at (i + 1/2)/n.
    pub law: Law,
    /// K (rad/s).
    pub coupling_rad_s: f64,
    /// Before this time nobody hears anybody (s).
    #[serde(default)]
    pub from_s: f64,
}

/// A law of frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub enum Law {
    /// All within a half width of the mean are as likely.
    Uniform {
        /// Turns a second.
        mean_hz: f64,
        /// To each side (turns a second).
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

    /// The least K that locks (rad/s).
    pub fn critical_rad_s(&self) -> f64 {
        let Self::Uniform { half_width_hz, .. } = *self;
        uniform_critical(TAU * half_width_hz)
    }

    /// What r is to be at this K in the limit of many: 0 below the critical one.
    pub fn order(&self, coupling_rad_s: f64) -> f64 {
        let Self::Uniform { half_width_hz, .. } = *self;
        uniform_order(coupling_rad_s, TAU * half_width_hz)
    }
}

/// A robot that drives round a circle of its own, its phase being its angle on it.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Orbit {
    /// Middle of the circle in the world (m).
    pub centre_m: [f64; 2],
    /// m.
    pub radius_m: f64,
    /// Whose word is taken for where the robot is.
    pub localisation: Localisation,
    /// Its own frequency, to the left positive (rad/s).
    pub omega_rad_s: f64,
    /// How fast it is to go round now (rad/s): its own frequency, and what the fleet pulls.
    pub rate_rad_s: f64,
}

/// Who is in a fleet, and how they are coupled: an entity of its own, named `fleet`.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Fleet {
    /// In the order of the scene.
    pub robots: Vec<Entity>,
    /// As the scene has it.
    pub spec: FleetSpec,
    /// Before this time nobody hears anybody (ns).
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

/// What a fleet is like now.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct FleetOrder {
    /// r e^{i psi}: the mean of the robots' phases; 0 before it was taken.
    pub field: [f64; 2],
    /// r, 0 to 1.
    pub r: f64,
    /// What r is to be at this coupling, once it is settled: the law's closed form.
    pub r_theory: f64,
    /// K now (rad/s).
    pub coupling_rad_s: f64,
}
