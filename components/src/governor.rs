//! Governor (safety supervisor): its setup and state.

use bevy_ecs::prelude::*;
use serde::{Deserialize, Serialize};

/// Setup of a governor: how the commands of an agent are limited by its coherence.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct GovernorSpec {
    /// Surprise from which the speed is limited where that lasts 0.06 s and three kernel ticks, from 0 on; 1 is the
    /// threshold of the alarm. While a sensor is about to be excluded, the speed is not limited: an untrained speed
    /// would mask the faulty sensor.
    pub slow_over: f64,
    /// Surprise at which the limit is lowest, above `slow_over`.
    pub slowest_at: f64,
    /// Lowest limit, as a share of the commanded speed, 0 to 1.
    pub slowest: f64,
    /// Rate at which the limit falls (1/s): a jerk would raise the surprise further.
    pub slowing_1_s: f64,
    /// Rate at which the limit recovers (1/s).
    pub recovery_1_s: f64,
    /// Time for which an alarm names one sensor, after which the filter excludes it for the rest of the run (s), if
    /// the filter works without it: any but the wheels, and these with a GNSS. At most one sensor. None: never.
    pub fall_back_after_s: Option<f64>,
    /// Time of an alarm after which the agent stops for good (s), unless the filter excludes the sensor that it names.
    /// None: never.
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

/// State of an agent's governor.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Governor {
    /// Setup.
    pub spec: GovernorSpec,
    /// Names of the agent's sensors, in their order.
    pub sensors: Vec<String>,
    /// Whether the filter works without each.
    pub spare: Vec<bool>,
    /// Present limit, as a share of the commanded speed, 0 to 1.
    pub limit: f64,
    /// Surprise of the last kernel ticks, the newest last.
    pub last: Vec<f64>,
    /// The safety stop, which only a reset clears.
    pub stopped: bool,
    /// The excluded sensor, by its index, as a bit; only a reset clears it.
    pub left_out: u32,
    /// Time from which an alarm names this sensor (ns), and the sensor.
    pub since: Option<(u64, usize)>,
    /// Time from which there is an alarm that names no excluded sensor (ns).
    pub dissipated_since_ns: Option<u64>,
}

impl Governor {
    /// A governor without a limit yet. A surprise limits the speed if it lasts for `lasting` kernel ticks.
    pub fn new(spec: GovernorSpec, sensors: Vec<String>, spare: Vec<bool>, lasting: usize) -> Self {
        Self {
            spec,
            sensors,
            spare,
            limit: 1.0,
            last: vec![0.0; lasting],
            stopped: false,
            left_out: 0,
            since: None,
            dissipated_since_ns: None,
        }
    }
}

/// The command before the governor; on the actuator.
#[derive(Component, Clone, Debug, PartialEq)]
pub struct Governed<T: Send + Sync + 'static>(pub T);
