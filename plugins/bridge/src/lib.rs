//! Drivers without a protocol of their own: files, programs, web and WebSocket servers, whose text is JSON or CSV.
//!
//! # In a scene
//!
//! ```ron
//! (name: "tank",  rate_hz: 10, kind: Values(fields: [(name: "level", unit: "m")]),
//!  source: Driver("file", (path: "tank.jsonl", follow: true, pick: {"level": "/level"}))),
//! (name: "probe", rate_hz: 20, kind: Values(fields: [(name: "t", unit: "degC")]),
//!  source: Driver("process", (argv: ["./probe", "--fast"], decode: JsonLines))),
//! (name: "lab",   rate_hz: 1,  kind: Values(fields: [(name: "t", unit: "degC")]),
//!  source: Driver("http", (url: "http://127.0.0.1:8080/state", every_s: 1, pick: {"t": "/main/temp"}))),
//! (name: "odom",  rate_hz: 20, kind: Values(fields: [(name: "x", unit: "m")]),
//!  source: Driver("websocket", (url: "ws://127.0.0.1:9090/", pick: {"x": "/msg/pose/x"}))),
//! drive_source: Driver("process", (argv: ["./motors"])),
//! ```
//!
//! # Readings
//!
//! | field | meaning |
//! |---|---|
//! | `pick` | place of each number, as a JSON pointer (RFC 6901): `{"level": "/tank/level"}`; `pick: "/level"` for a kind of one field or a row; without it, keys are the names of the fields |
//! | `sequence` | pointer to the sender's number of the reading, from 0; detects lost, duplicate and late readings |
//! | `stamp_s` | pointer to the time of the measurement on the sender's clock (s) |
//! | `decode` | `JsonLines`, or `Csv(columns: ["t", "level"], separator: ';')`; without `columns`, the first line has them |
//!
//! `null`, NaN, infinities and empty cells are missing values. Numbers in quotes are numbers. A line, answer or message without a
//! value of the sensor is counted as garbage; the first of each kind of mistake is logged with its text, and their numbers
//! at the end of the run. A line has at most 256 kB; a state, answer or message 1 MB.
//!
//! # Commands
//!
//! A line of JSON for each command, and only with `--arm`:
//!
//! ```json
//! {"actuator": "rover/drive", "sequence": 1, "now_ns": 20000000, "kind": "twist", "safe": false, "values": [0.5, 0.1]}
//! ```

mod file;
mod http;
pub mod lines;
mod process;
pub mod protocol;
mod sensors;
mod text;
mod websocket;

pub use file::FileKind;
pub use http::HttpKind;
pub use process::ProcessKind;
pub use text::{NotWritten, TextChannels, TextKind, TextWriter};
pub use websocket::WebSocketKind;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver kinds `file`, `http`, `process` and `websocket`.
pub struct BridgePlugin;

impl Plugin for BridgePlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(FileKind)
            .register_driver(HttpKind)
            .register_driver(ProcessKind)
            .register_driver(WebSocketKind);
    }
}
