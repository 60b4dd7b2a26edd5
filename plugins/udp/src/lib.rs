//! UDP driver: readings and commands as JSON datagrams, without hardware.
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
//! | `listen` | a sensor | address and port of the receiver; sensors with equal addresses share it |
//! | `sensor` | a sensor | sensor name in the datagrams; default: its stable name, such as `rover/imu` |
//! | `to` | a drive | address and port that commands are sent to |
//!
//! A port without address, such as `5005`, is on the loopback interface, which other machines cannot reach.
//! `"0.0.0.0:5005"` accepts datagrams from the whole network, `"[::]:5005"` those of IPv6 and of IPv4; they are neither signed nor encrypted.
//!
//! # Wire format
//!
//! A datagram is one JSON object of at most 65 507 bytes. A reading is
//!
//! ```json
//! {"sensor": "rover/imu", "sequence": 17, "stamp_ns": 1700000000123456789, "values": [0, 0, 0.1, 0, 0, 9.81]}
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `sensor` | name of the sensor |
//! | `sequence` | number of the reading of this sensor, from 0; detects lost, duplicate and late readings |
//! | `stamp_ns` | time of the measurement on the sender's clock, with any epoch (ns); optional |
//! | `stamp_s` | the same in seconds, as Python's `time.time()`; used where there is no `stamp_ns` |
//! | `session` | number that differs between runs of the sender; optional |
//! | `values` | numbers in the order of the measurement; `null` for a missing value in a column of `Values` |
//! | `bytes` | bytes beside the numbers, in Base64: for measurements that have an encoding, and only for these; at most 48 kB fit |
//!
//! Several objects in a datagram, one after the other or one a line, are several readings. NaN and infinities, which JSON
//! does not have, are taken as `null`. Numbers in quotes are taken as numbers. Numbers may have a fraction of 0 (`3.0`). A
//! `sequence`, `session` or `stamp_ns` that is no whole number from 0 is left out; the product of seconds with 1e9, as a
//! double, counts as whole. Other keys are ignored; one that resembles an absent key is reported.
//!
//! Any other datagram, and one with an unknown sensor name, is counted as garbage. The first datagram of each kind of
//! mistake is logged with its reason, and their numbers at the end of the run. So are sensors without a datagram in the first 3 s, stamps that are not in nanoseconds,
//! and readings of one sensor from two senders at once. A
//! restart of the sender is detected by a new `session`, by a `sequence` that decreases while `stamp_ns`
//! increases, or by a `sequence` that decreases by more than 128.
//!
//! A command is
//!
//! ```json
//! {"actuator": "rover/drive", "sequence": 1, "now_ns": 20000000, "kind": "twist", "safe": false, "values": [0.5, 0.1]}
//! ```
//!
//! sent at most a hundred times a second, and only if hardware is armed. `safe` is true after a link timeout and
//! at the end of the run; `values` are then those of standstill. A receiver should stop the machine by itself if
//! commands cease.

mod driver;
pub mod protocol;
mod receiver;
mod sender_watch;

pub use driver::UdpKind;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver kind `udp`.
pub struct UdpPlugin;

impl Plugin for UdpPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(UdpKind);
    }
}
