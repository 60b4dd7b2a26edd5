//! Actuator commands.

use crate::drive::Twist2;
use crate::joints::JointTargets;
use crate::vehicle::Ackermann;
use bevy_ecs::prelude::*;

/// Latest command of an actuator, independent of its writer and of the executor.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct ActuatorTarget<T: Send + Sync + 'static>(pub T);

/// Marks an actuator, which is a child entity of its agent.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actuator;

/// A command as numbers, for drivers of hardware.
pub trait ActuatorCommand: Send + Sync + 'static {
    /// Name of the kind.
    const KIND: &'static str;

    /// Calls `each` with every number in order.
    fn visit(&self, each: &mut dyn FnMut(f64));

    /// Safe command, at a time-out and at the end of a run: standstill.
    #[must_use]
    fn safe(&self) -> Self;
}

/// Forward (m/s), yaw rate (rad/s).
impl ActuatorCommand for Twist2 {
    const KIND: &'static str = "twist";

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.linear_m_s);
        each(self.angular_rad_s);
    }

    fn safe(&self) -> Self {
        Self::default()
    }
}

/// Speed (m/s), steering angle (rad). The safe command keeps the steering angle.
impl ActuatorCommand for Ackermann {
    const KIND: &'static str = "ackermann";

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.speed_m_s);
        each(self.steering_rad);
    }

    fn safe(&self) -> Self {
        Self {
            speed_m_s: 0.0,
            ..*self
        }
    }
}

/// Every position (rad or m), then every speed (rad/s or m/s). The safe command holds the last positions.
impl ActuatorCommand for JointTargets {
    const KIND: &'static str = "joints";

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.positions
            .iter()
            .chain(&self.velocities)
            .copied()
            .for_each(each);
    }

    fn safe(&self) -> Self {
        Self {
            positions: self.positions.clone(),
            velocities: vec![0.0; self.velocities.len()],
        }
    }
}
