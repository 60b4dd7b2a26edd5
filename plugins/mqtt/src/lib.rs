//! MQTT: readings and commands by way of a broker.

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
