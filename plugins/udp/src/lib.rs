//! JSON datagrams in both directions: a driver that needs no hardware.
//!
//! # In a scene
//!
//! ```ron
//! sensors: [
//!     (name: "imu", kind: Imu(), rate_hz: 100.0, source: Driver("udp", (listen: "127.0.0.1:5005"))),
//! ],
//! drive_source: Driver("udp", (to: "127.0.0.1:5006")),
//! ```
//!
//! | field | of | meaning |
//! |---|---|---|
//! | `listen` | a sensor | address and port that datagrams come to. Sensors of the same address share the port. |
//! | `sensor` | a sensor | name that its datagrams bear; its stable name, `rover/imu`, where it is missing |
//! | `to` | a drive | address and port that commands go to |
//!
//! A port alone, `5005`, is one of this machine, and nobody else's datagrams come there. Whoever says
//! `"0.0.0.0:5005"` hears the whole network, and believes it: datagrams are neither signed nor encrypted.
//!
//! # On the wire
//!
//! A datagram is one JSON object, of at most 65 507 bytes. Readings come as
//!
//! ```json
//! {"sensor": "rover/imu", "sequence": 17, "stamp_ns": 1700000000123456789, "values": [0, 0, 0.1, 0, 0, 9.81]}
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `sensor` | whose reading it is |
//! | `sequence` | counts the readings of this sensor, from 0; by it, losses, doubles and late ones are told |
//! | `stamp_ns` | when it was so, on the sender's clock, whatever its zero (ns); may be missing |
//! | `session` | a number that differs from run to run of the sender; may be missing |
//! | `values` | the numbers, in the order of the measurement; `null` in a column of `Values` that has no value |
//!
//! Other keys are ignored. What is no such object, and what bears a name that no sensor has, is counted as garbage.
//! A sender that begins anew is known by its `session`, by numbers that go back while stamps go on, or by numbers
//! that go back by more than 128.
//!
//! Commands go as
//!
//! ```json
//! {"actuator": "rover/drive", "sequence": 1, "now_ns": 20000000, "kind": "twist", "safe": false, "values": [0.5, 0.1]}
//! ```
//!
//! at most a hundred times a second and only where hardware is armed. `safe` says that somebody fell silent, or that
//! the run is over, and that `values` are those that stand still. A receiver that hears nothing for a while should
//! stop by itself.

mod driver;
pub mod protocol;

pub use driver::UdpKind;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver `udp`.
pub struct UdpPlugin;

impl Plugin for UdpPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(UdpKind);
    }
}
