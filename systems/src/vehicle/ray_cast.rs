//! Rapier's vehicle, as a component.

use bevy_ecs::prelude::*;
use rapier3d::control::DynamicRayCastVehicleController;

/// Rapier's vehicle: springs, tyres and drive. On the actuator.
#[derive(Component, Clone, Debug)]
pub struct RayCastVehicle(pub DynamicRayCastVehicleController);
