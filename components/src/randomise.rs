//! Domain randomisation: what each seed draws anew, so that a controller is not made for one machine only.

use crate::fault::FaultSpec;
use serde::{Deserialize, Serialize};

/// What the seed of a run draws: the same for the same seed, whatever else runs.
///
/// A range is `(smallest, largest)`; its numbers are uniform. In a scene: `randomise: (mass: (0.8, 1.2), noise: (0.5, 2))`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomiseSpec {
    /// Factor on the masses and inertias of an agent's links, one for each agent. What controllers know of it stays.
    pub mass: Option<[f64; 2]>,
    /// Factor on the friction of the ground, and of each obstacle that has its own.
    pub friction: Option<[f64; 2]>,
    /// Factor on the noise of each sensor: on all deviations of [`Noise`](crate::sensor::Noise), not on its resolution.
    pub noise: Option<[f64; 2]>,
    /// Largest shift of each agent's start along x, and along y (m).
    pub position_m: f64,
    /// Largest turn of each agent's start (rad).
    pub yaw_rad: f64,
    /// Faults of which a run has one, or none.
    pub faults: Vec<FaultSpec>,
    /// Share of the runs that have one, 0 to 1.
    pub fault_share: f64,
    /// Its begin is up to this much later than its `at_s` (s).
    pub fault_spread_s: f64,
}
