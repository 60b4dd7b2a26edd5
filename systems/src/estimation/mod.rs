//! State estimation: dead reckoning by wheels, and a localisation filter.
//!
//! - [`odometry`]: dead reckoning of differential drives.
//! - [`reckoning`]: dead reckoning of vehicles.
//! - [`localiser`]: the localisation filter of an agent and its bank of filters without one sensor each, at each kernel
//!   tick.
//! - [`filter`]: the equations of the filter.
//! - [`geometry`]: rolling geometry of a machine.
//! - [`spawn`]: adds the filter of an agent.

pub mod filter;
pub mod geometry;
pub mod localiser;
pub mod odometry;
pub mod reckoning;
pub mod spawn;

use crate::hash::{Bits, HashState, RegisterState};
use crate::tick::{Tick, TickSystems};
use becomingone_components::localisation::Estimate;
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;

/// Runs odometry and localisation filters.
pub struct EstimationPlugin;

impl Plugin for EstimationPlugin {
    fn build(&self, app: &mut App) {
        app.register_state::<Estimate>("estimate").add_systems(
            Tick,
            (
                (odometry::integrate, reckoning::integrate).chain(),
                localiser::update_filters,
            )
                .in_set(TickSystems::Estimate),
        );
    }
}

impl HashState for Estimate {
    fn bits(&self, bits: &mut Bits) {
        for x in [
            self.x_m,
            self.y_m,
            self.yaw_rad,
            self.twist.linear_m_s,
            self.twist.angular_rad_s,
            self.position_sd_m,
            self.gyro_bias_rad_s,
            self.wheel_scale,
        ] {
            bits.f64(x);
        }
    }
}
