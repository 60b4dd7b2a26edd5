//! Road vehicles, in the order of a tick.
//!
//! - [`build`]: builds a body with wheels on rays from a description.
//! - [`ray_cast`]: rapier's vehicle.
//! - [`profile`]: planned speed along the track.
//! - [`lap`]: laps of the track, as a kind of controller.
//! - [`stanley`]: the controller that follows the track.
//! - [`drive`]: a command becomes steering angles and forces.
//! - [`roll`]: forces of springs and tyres on the body.
//! - [`laps`]: laps and excursions, from ground truth.

pub mod build;
pub mod drive;
pub mod lap;
pub mod laps;
pub mod profile;
pub mod ray_cast;
pub mod roll;
pub mod stanley;

use crate::control;
use crate::hash::{Bits, HashState, RegisterState};
use crate::physics;
use crate::tick::{Tick, TickSystems};
use becomingone_components::actuator::ActuatorTarget;
use becomingone_components::track::Laps;
use becomingone_components::vehicle::{Ackermann, Vehicle, VehicleState};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Systems of vehicles, which run if there is any.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VehicleSystems;

/// Runs vehicles.
pub struct VehiclePlugin;

impl Plugin for VehiclePlugin {
    fn build(&self, app: &mut App) {
        app.register_state::<ActuatorTarget<Ackermann>>("vehicle/command")
            .register_state::<VehicleState>("vehicle/state")
            .register_state::<Laps>("vehicle/laps")
            .configure_sets(Tick, VehicleSystems.run_if(any_with_component::<Vehicle>))
            .add_systems(
                Tick,
                (
                    drive::actuate
                        .in_set(TickSystems::Act)
                        .after(control::servo::turn_joints),
                    roll::push
                        .in_set(TickSystems::Step)
                        .before(physics::joints::govern),
                    (roll::track, laps::count)
                        .chain()
                        .in_set(TickSystems::Step)
                        .after(physics::touch::report),
                )
                    .in_set(VehicleSystems),
            );
    }
}

impl HashState for ActuatorTarget<Ackermann> {
    fn bits(&self, bits: &mut Bits) {
        bits.f64(self.0.speed_m_s);
        bits.f64(self.0.steering_rad);
    }
}

impl HashState for VehicleState {
    fn bits(&self, bits: &mut Bits) {
        bits.f64(self.steering_rad);
        bits.f64(self.drive_n);
        bits.f64(self.brake_n);
        bits.f64(self.integral_m_s2);
    }
}

impl HashState for Laps {
    fn bits(&self, bits: &mut Bits) {
        bits.u64(self.done);
        bits.u64(self.off_track);
        bits.f64(self.progress_m);
        bits.f64(self.widest_m);
    }
}
