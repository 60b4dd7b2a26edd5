//! Serial driver: sensors and drives behind a serial port, or behind a TCP connection that carries one.
//!
//! # In a scene
//!
//! ```ron
//! sensors: [
//!     (name: "gnss", kind: Gnss(), rate_hz: 5.0,
//!      source: Driver("serial", (port: "/dev/ttyUSB0", baud: 9600, protocol: Nmea))),
//! ],
//! drive_source: Driver("serial", (port: "usb:2341:0043", baud: 115200, track_m: 0.3, protocol: Framed(
//!     frame: Cobs, check: "CRC-16/MODBUS",
//!     fields: [(value: 1, type: U8), (name: "left", type: I16, scale: 0.001), (name: "right", type: I16, scale: 0.001)],
//! ))),
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | `port` | a device, `/dev/ttyUSB0` or `COM3`; `usb:VID:PID` or `usb:VID:PID:SERIAL`, found again wherever it is plugged in; `tcp://host:port` |
//! | `baud` | of a serial port, required; `parity: Even`, `stop_bits: Two`, `flow: Hardware` where the device needs them |
//! | `protocol` | [`Nmea`](protocol::nmea), [`Ubx`](protocol::ubx), [`Mavlink`](protocol::mavlink), [`Csv(..)`, `JsonLines`, `KeyValue`](protocol::lines), [`Framed(..)`](protocol::framed) |
//! | `message` | of a sensor: the messages that it takes, `"GGA"`; by default all that have its numbers, of a kind whose numbers may not be missing the first such kind of message |
//! | `pick` | of a sensor: names of its numbers in the messages, `{"level": "/tank/level"}`; by default those of the sensor |
//! | `track_m` | of a drive: distance between the wheels, for `left` and `right` |
//!
//! Sources of the same port share it: they have the same settings and, of sensors, the same protocol; each may have its
//! own layout of binary frames. A drive and sensors may share a port, with different protocols.
//!
//! A `Gnss` has its position in the scene's metres from the scene's `origin`.
//!
//! # Losses
//!
//! The link's counts are exact: a reading is received, or dropped by the queue. `garbage` counts frames with a wrong
//! checksum or an invalid content, and each run of bytes that belong to no frame. Where the device numbers its readings
//! (`sequence` in lines and frames), gaps, restarts and duplicates are counted as of any link. All bytes are counted
//! too, see [`Counters`], and reported at the end of a run if any of them was not used.
//!
//! A port that fails, or is not there, is tried again, until it is there. So is a TCP connection whose other side vanishes
//! without closing it: the connection is given up 11 s after the last packet of the other side.
//!
//! # Commands
//!
//! Commands are sent at most a hundred times a second, and only if hardware is armed: in binary frames, as MAVLink's
//! `SET_POSITION_TARGET_LOCAL_NED`, or as lines of JSON. The safe command is sent at a time-out of the link or the
//! controller, at the end of a run, when the port is open again after it failed, and by the driver itself if the engine
//! gives no command for 0.5 s.

mod address;
mod command;
mod config;
mod deframer;
mod drive;
mod driver;
mod open_port;
pub mod protocol;
mod receiver;
mod report;
mod settings;
mod sink;
mod tcp;

pub use deframer::{Counters, Deframer};
pub use driver::SerialKind;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver kind `serial`.
pub struct SerialPlugin;

impl Plugin for SerialPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(SerialKind);
    }
}
