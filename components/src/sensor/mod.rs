//! Sensors: kinds, measurements, readings, ground truth, noise.
//!
//! - `measurement`, `schema`: named numbers with units; the schema of a kind's numbers.
//! - `kind`: the trait of a kind of sensor.
//! - `reading`: measurements with stamps, and their sensors.
//! - `noise`: deviation of a reading from the truth.
//! - the measurements of the engine's own kinds, a file each.

mod air;
mod battery;
mod contact;
mod distance;
mod encoders;
mod gnss;
mod imu;
mod kind;
mod magnetic_field;
mod measurement;
mod noise;
mod picture;
mod reading;
mod scan;
mod schema;
mod sound;
mod values;
mod wrench;

pub use air::{AirTemperature, Pressure};
pub use battery::BatteryState;
pub use contact::ContactForce;
pub use distance::Distance;
pub use encoders::EncoderAngles;
pub use gnss::GnssFix;
pub use imu::ImuSample;
pub use kind::{AnySensor, SensorAt, SensorContext, SensorKind};
pub use magnetic_field::MagneticField;
pub use measurement::{Field, Measurement, Part, field, part};
pub use noise::{Bias, Noise};
pub use picture::Picture;
pub use reading::{Mount, Reading, Sensor, SensorStats, Stamped, Truth};
pub use scan::Scan;
pub use schema::{Schema, place};
pub use sound::{OCTAVES_HZ, Sound};
pub use values::{Column, Columns, ValueRow};
pub use wrench::Wrench;

use crate::time::NS_PER_S;

/// Time between two stamps (s).
pub fn elapsed_s(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / NS_PER_S as f64
}
