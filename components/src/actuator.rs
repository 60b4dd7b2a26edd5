//! What an actuator is told to do.

use bevy_ecs::prelude::*;

/// The latest command of an actuator. It does not know who wrote it or what carries it out.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub struct Command<T: Send + Sync + 'static>(pub T);

/// Marks an actuator; it is a child of the agent whose it is.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actuator;
