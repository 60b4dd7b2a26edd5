//! MQTT 3.1.1 and 5: readings and commands by way of a broker, and the state of a run's agents for its clients.
//!
//! # In a scene
//!
//! ```ron
//! (name: "tank", rate_hz: 1, kind: Values(fields: [(name: "level", unit: "m")]),
//!  source: Driver("mqtt", (broker: "mqtt://localhost:1883", topic: "plant/+/tank", pick: "/level"))),
//! drive_source: Driver("mqtt", (broker: "mqtts://broker.lan", ca: "ca.pem", topic: "robot/drive", qos: 1,
//!     login: Env(user: "MQTT_USER", password: "MQTT_PASSWORD"))),
//! ```
//!
//! The crate's README has all options, the topics of [`MqttOutput`], which `becomingone run --mqtt` starts, and what
//! happens when a broker goes and comes.

mod address;
mod config;
mod connection;
mod drive;
mod driver;
mod output;
pub mod protocol;
mod reason;
mod runtime;
mod secrets;
mod subscription;
mod topics;

pub use driver::MqttKind;
pub use output::MqttOutput;

use becomingone_systems::kinds::RegisterKinds as _;
use bevy_app::{App, Plugin};

/// Registers the driver kind `mqtt`.
pub struct MqttPlugin;

impl Plugin for MqttPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(MqttKind);
    }
}
