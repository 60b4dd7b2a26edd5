//! Bluetooth Low Energy: a driver of sensors that notify, or can be read, through GATT.
//!
//! # In a scene
//!
//! ```ron
//! (name: "pulse", rate_hz: 1, kind: Values(fields: [(name: "bpm", unit: "1/min"), (name: "rr", unit: "s")]),
//!  source: Driver("bluetooth", (device: "AA:BB:CC:DD:EE:FF", characteristic: HeartRate))),
//! ```
//!
//! | field | meaning | default |
//! |---|---|---|
//! | `device` | its address, or `Name("..")`: the begin of its name, as `becomingone list bluetooth` prints both | required |
//! | `adapter` | name of the adapter, `hci0`, or its address | the first |
//! | `characteristic` | `HeartRate`, `Battery`, `EnvironmentalSensing`, `CyclingSpeed`, `RunningSpeed`, `Raw(..)` | required |
//! | `pick` | place of each number in the values, as a JSON pointer (RFC 6901), or one for a kind of one field or a row | keys are the names of the fields |
//! | `every_s` | read the value so often, and do not wait for notifications (s) | 1, where it does not notify |
//! | `wheel_m` | circumference of the wheel, for `CyclingSpeed` (m) | 2.105 |
//!
//! | characteristic | numbers |
//! |---|---|
//! | `HeartRate` | `bpm` (1/min), `rr` (the last time between beats, s), `rr_intervals` (a row of all since the last value, s), `energy` (kJ), `contact` (1 or 0) |
//! | `Battery` | `level` (%) |
//! | `EnvironmentalSensing` | `temperature` (degC), `humidity` (%), `pressure` (Pa) |
//! | `CyclingSpeed` | `speed` (m/s), `cadence` (1/min), `wheel_revolutions`, `crank_revolutions` |
//! | `RunningSpeed` | `speed` (m/s), `cadence` (1/min), `stride` (m), `distance` (m), `running` (1 or 0) |
//! | `Raw(service: "180a", characteristic: "2a00", endian: Little, fields: [(name: "x", type: I16, scale: 0.01), ..])` | those of its fields, as in binary frames of the serial driver; `sequence`, and `stamp_s`, `_ms`, `_us` or `_ns`, number and stamp a reading |
//!
//! Numbers that a value does not have are missing. Sources of the same device and adapter share its connection.
//!
//! Devices need the feature `device`; without it, scenes are checked, and a run reports that devices are not built in.

mod characteristic;
mod config;
#[cfg(feature = "device")]
mod device;
mod driver;
pub mod gatt;
pub mod protocol;
pub mod rate;
#[cfg(feature = "device")]
mod session;

pub use characteristic::{Characteristic, Id};
#[cfg(feature = "device")]
pub use device::devices;
pub use driver::BluetoothKind;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver kind `bluetooth`.
pub struct BluetoothPlugin;

impl Plugin for BluetoothPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(BluetoothKind);
    }
}
