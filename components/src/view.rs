//! State of an agent and of its sensors, as others see it from outside: JSON of a broker's topics and of the API.

use serde::Serialize;

/// State of an agent. What it does not have is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AgentState {
    /// Name of the agent.
    pub agent: String,
    /// Time of the run (s).
    pub time_s: f64,
    /// Who decides what it does.
    pub mode: Mode,
    /// Where it is.
    pub pose: Option<Place>,
    /// How it moves.
    pub velocity: Option<Velocity>,
    /// Result of its kernel.
    pub kernel: Option<KernelState>,
    /// Whether readings deviate from the prediction of the self-model.
    pub alarm: bool,
    /// The isolated channel of the alarm: `imu/gyro_z`.
    pub cause: Option<String>,
    /// Sender of the request in force.
    pub request: Option<String>,
    /// The position that a request in force sends it to.
    pub goal: Option<GoalState>,
    /// Why it takes no request to go to a position now; none where it takes one.
    pub goal_refusal: Option<String>,
    /// Sender of the latched stop; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<String>,
}

/// Who decides what the agent does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
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
    /// A latched stop on request.
    Stopped,
}

/// A position that an agent is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GoalState {
    /// World position (m).
    pub x_m: f64,
    /// World position (m).
    pub y_m: f64,
    /// Straight distance left, by the controller's pose source (m); none before the first plan.
    pub distance_m: Option<f64>,
}

/// Position and heading in the scene.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Place {
    /// East, or along the scene's x (m).
    pub x_m: f64,
    /// North, or along the scene's y (m).
    pub y_m: f64,
    /// Counter-clockwise from x (rad).
    pub yaw_rad: f64,
    /// `filter`, `odometry` or `simulation`.
    pub from: &'static str,
}

/// Speed along its heading, and yaw rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Velocity {
    /// Forward (m/s).
    pub linear_m_s: f64,
    /// To the left (rad/s).
    pub angular_rad_s: f64,
}

/// Result of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KernelState {
    /// Order of the Emissary, 0 to 1.
    pub order: f64,
    /// Order of the Master, 0 to 1.
    pub order_master: f64,
    /// 1/(1 + surprise), 0 to 1; none before the self-model is trained.
    pub coherence: Option<f64>,
    /// Above 1 in an alarm; none before the self-model is trained.
    pub surprise: Option<f64>,
    /// Agreement of Emissary and Master: `aligned`, `apart` or `neither`; `collapsed` while phase-locked,
    /// `dissipated` in an alarm.
    pub synchronization: &'static str,
}
