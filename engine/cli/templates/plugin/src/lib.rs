//! Driver `my_plugin`: sensors and a drive behind a TCP connection, as lines of numbers.
//!
//! ```ron
//! source: Driver("my_plugin", (connect: "127.0.0.1:7000"))
//! drive_source: Driver("my_plugin", (connect: "127.0.0.1:7000"))
//! ```
//!
//! `protocol` reads and writes bytes, and nothing else; `driver` waits for them on a thread of its own.

mod driver;
mod protocol;

use becomingone::prelude::*;

/// Registers the driver kind `my_plugin`.
pub struct MyPlugin;

impl Plugin for MyPlugin {
    fn build(&self, app: &mut App) {
        app.register_driver(driver::MyPluginKind);
    }
}
