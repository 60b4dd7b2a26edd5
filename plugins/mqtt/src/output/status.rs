//! State of an agent, as it is published.

use serde::Serialize;

/// State of an agent: the JSON of its `state` topic. What an agent does not have is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Status {
    /// Name of the agent.
    pub(super) agent: String,
    /// Time of the run (s).
    pub(super) time_s: f64,
    pub(super) mode: Mode,
    pub(super) pose: Option<Place>,
    pub(super) velocity: Option<Velocity>,
    pub(super) kernel: Option<Kernel>,
    /// Whether readings deviate from the prediction of the self-model.
    pub(super) alarm: bool,
    /// The isolated channel of the alarm: `imu/gyro_z`.
    pub(super) cause: Option<String>,
    /// Sender of the request in force.
    pub(super) request: Option<String>,
}

/// Who decides what the agent does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// It has no drive.
    #[default]
    NoDrive,
    /// Its controller.
    Controller,
    /// A request.
    Request,
    /// The same, at a speed that the safety supervisor limits.
    Limited,
    /// The latched safety stop.
    SafetyStop,
}

/// Position and heading in the scene.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Place {
    pub(super) x_m: f64,
    pub(super) y_m: f64,
    pub(super) yaw_rad: f64,
    /// `filter`, `odometry` or `simulation`.
    pub(super) from: &'static str,
}

/// Speed along its heading, and yaw rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Velocity {
    pub(super) linear_m_s: f64,
    pub(super) angular_rad_s: f64,
}

/// Result of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Kernel {
    pub(super) order: f64,
    pub(super) order_master: f64,
    pub(super) coherence: Option<f64>,
    pub(super) surprise: Option<f64>,
    /// Agreement of Emissary and Master: `aligned`, `apart` or `neither`; `collapsed` while phase-locked,
    /// `dissipated` in an alarm.
    pub(super) synchronization: &'static str,
}
