//! Joints: true states, servos, servo targets.

use bevy_ecs::prelude::*;

/// True positions and speeds of all joints of an agent, in the order of its model. Joints with more
/// than one axis stay at zero.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct JointStates {
    /// rad or m; turns are counted, not wrapped.
    pub positions: Vec<f64>,
    /// rad/s or m/s.
    pub velocities: Vec<f64>,
}

/// A position servo on one joint: `effort = stiffness (target - position) + damping (target speed - speed)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Servo {
    /// Index of its joint in the model.
    pub joint: usize,
    /// N m/rad or N/m.
    pub stiffness: f64,
    /// N m s/rad or N s/m.
    pub damping: f64,
    /// Largest torque or force (N m or N); infinity where there is no bound.
    pub max_effort: f64,
    /// Largest speed of the target (rad/s or m/s); infinity where there is no bound.
    pub max_velocity: f64,
    /// Smallest and largest target (rad or m).
    pub range: [f64; 2],
}

/// The servos of an agent, in the order of the model's joints: an actuator, one of its children.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Servos(pub Vec<Servo>);

/// Targets of servos: one entry per servo.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JointTargets {
    /// rad or m.
    pub positions: Vec<f64>,
    /// rad/s or m/s.
    pub velocities: Vec<f64>,
}

/// A motion of one servo: `position + amplitude sin(2π frequency t + phase)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointMotion {
    /// Index of the servo.
    pub servo: usize,
    /// Start position (rad or m).
    pub start: f64,
    /// Middle of the motion (rad or m).
    pub position: f64,
    /// rad or m.
    pub amplitude: f64,
    /// Turns a second.
    pub frequency_hz: f64,
    /// rad.
    pub phase_rad: f64,
}

/// Moves servos along motions, with an eased transition from their start.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct JointsController {
    /// In the order of the scene.
    pub motions: Vec<JointMotion>,
    /// Duration of the transition from the start to the motions (s).
    pub ease_s: f64,
}
