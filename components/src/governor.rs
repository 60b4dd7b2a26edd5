//! The governor: how fast an agent may be, as far as its senses can be trusted.

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// How an agent's commands are limited by its coherence.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GovernorSpec {
    /// Surprise over which it slows down where that lasts three kernel ticks, from 0 on; 1 is where readings are
    /// dissipated. While a sensor is about to be left out, it does not: slowing down would be one more thing that the
    /// self-model does not know, and hide whose fault it is.
    pub slow_over: f64,
    /// Surprise at which it is slowest, above `slow_over`.
    pub slowest_at: f64,
    /// Share of the commanded speed that is left then, 0 to 1.
    pub slowest: f64,
    /// Share of the commanded speed that is taken in a second (1/s): a jerk would be one more thing that senses
    /// contradict.
    pub slowing_1_s: f64,
    /// Share that comes back in a second (1/s).
    pub recovery_1_s: f64,
    /// Time of dissipation by one sensor after which the filter no longer listens to it (s), if there is a filter that
    /// can do without: any but the wheels, and these with a GNSS. One sensor, and for the rest of the run. None: it always
    /// listens.
    pub fall_back_after_s: Option<f64>,
    /// Time of dissipation after which the agent stops for good (s), unless the filter does without the sensor to blame.
    /// None: it never does.
    pub stop_after_s: Option<f64>,
}

impl Default for GovernorSpec {
    fn default() -> Self {
        Self {
            slow_over: 1.0,
            slowest_at: 2.0,
            slowest: 0.3,
            slowing_1_s: 0.7,
            recovery_1_s: 0.2,
            fall_back_after_s: Some(1.0),
            stop_after_s: Some(3.0),
        }
    }
}

/// What an agent's governor does now.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Governor {
    /// How it is set up.
    pub spec: GovernorSpec,
    /// Names of the agent's sensors, in their order.
    pub sensors: Vec<String>,
    /// Whether each may be left out, if the filter listens to it.
    pub spare: Vec<bool>,
    /// Share of the commanded speed that is let through, 0 to 1.
    pub limit: f64,
    /// Surprise of the last three kernel ticks.
    pub last: [f64; 3],
    /// It stands, and only a reset lets it go on.
    pub stopped: bool,
    /// The sensor that is left out, by its index, as a bit; only a reset takes it in again.
    pub left_out: u32,
    /// Since when readings are dissipated with this sensor to blame (ns).
    pub since: Option<(u64, usize)>,
    /// Since when readings are dissipated by a sensor that is not left out (ns).
    pub dissipated_since_ns: Option<u64>,
}

impl Governor {
    /// One that limits nothing yet.
    pub fn new(spec: GovernorSpec, sensors: Vec<String>, spare: Vec<bool>) -> Self {
        Self {
            spec,
            sensors,
            spare,
            limit: 1.0,
            last: [0.0; 3],
            stopped: false,
            left_out: 0,
            since: None,
            dissipated_since_ns: None,
        }
    }

    /// Share of the commanded speed that a surprise leaves.
    pub fn allowed(&self, surprise: f64) -> f64 {
        let s = &self.spec;
        let over = ((surprise - s.slow_over) / (s.slowest_at - s.slow_over)).clamp(0.0, 1.0);
        1.0 - over * (1.0 - s.slowest)
    }
}

/// What was commanded, before the governor; on the actuator.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Governed<T: Send + Sync + 'static>(pub T);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_falls_with_surprise_and_no_farther_than_said() {
        let governor = Governor::new(GovernorSpec::default(), Vec::new(), Vec::new());
        let allowed = [0.0, 1.0, 1.5, 2.0, 40.0].map(|s| governor.allowed(s));
        for (found, expected) in allowed.into_iter().zip([1.0, 1.0, 0.65, 0.3, 0.3]) {
            assert!((found - expected).abs() < 1e-12, "{allowed:?}");
        }
    }
}
