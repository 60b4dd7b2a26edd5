//! Simulated sensors: each samples the truth at its own rate and bends it by its own noise.

pub mod contact;
pub mod encoders;
pub mod gnss;
pub mod imu;
pub mod lidar;
pub mod magnetometer;
pub mod range;
mod rays;

use crate::coherence::witness;
use crate::faults::{self, SensorSystems};
use crate::hash::RegisterState;
use crate::tick::{Tick, TickSystems};
use becomingone_components::sensor::{
    Contact, Encoders, Gnss, Imu, MagneticField, Measurement, Measurements, Range, Reading, Scan,
    SensorStats, Values,
};
use bevy_app::{App, Plugin};
use bevy_ecs::message::message_update_system;
use bevy_ecs::prelude::*;

/// Samples every simulated sensor.
pub struct SensingPlugin;

impl Plugin for SensingPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Measurements>();
        register::<Imu>(app, "reading/imu");
        register::<Encoders>(app, "reading/encoders");
        register::<Scan>(app, "reading/lidar");
        register::<Contact>(app, "reading/contact");
        register::<Gnss>(app, "reading/gnss");
        register::<Range>(app, "reading/range");
        register::<MagneticField>(app, "reading/magnetometer");
        register::<Values>(app, "reading/values");
        app.add_systems(
            Tick,
            (
                imu::sample,
                encoders::sample,
                lidar::sample,
                contact::sample,
                gnss::sample,
                range::sample,
                magnetometer::sample,
            )
                .chain()
                .in_set(SensorSystems),
        );
    }
}

/// Makes a kind of measurement known: to lists of kinds, to the state hash, to faults, to self-models, and to the start of each tick.
pub fn register<T: Measurement>(app: &mut App, state: &'static str) {
    app.init_resource::<Measurements>();
    app.world_mut()
        .resource_mut::<Measurements>()
        .0
        .insert(T::KIND, T::FIELDS);
    app.register_state::<Reading<T>>(state);
    faults::register::<T>(app);
    witness::register::<T>(app);
    app.add_systems(
        Tick,
        begin_tick::<T>
            .in_set(TickSystems::Begin)
            .after(message_update_system)
            .ambiguous_with(TickSystems::Begin),
    );
}

/// What came before this tick is no longer fresh.
fn begin_tick<T: Measurement>(mut readings: Query<&mut Reading<T>>) {
    for mut reading in &mut readings {
        if reading.is_fresh() {
            reading.begin_tick();
        }
    }
}

/// Writes a reading and counts it; one that is not finite is counted and goes no further.
fn write<T: Measurement>(
    reading: &mut Reading<T>,
    stats: &mut SensorStats,
    now_ns: u64,
    fill: impl FnOnce(&mut T),
) {
    let kept = reading.write(now_ns, |value| {
        fill(value);
        value.is_finite()
    });
    if kept {
        stats.readings += 1;
    } else {
        stats.non_finite += 1;
    }
}
