//! The engine's command line with additional kinds: an altimeter, a camera, a wall follower, a hum fault, a line driver.
//!
//! ```text
//! cd engine/core/examples/own_kinds
//! cargo run --release -- run own_kinds.ron
//! cargo run --release -- list sensors
//! ```

mod altimeter;
mod hum;
mod line;
mod still_camera;
mod wall_follower;

use becomingone::prelude::*;
use becomingone_cli::Cli;
use std::process::ExitCode;

struct OwnKinds;

impl Plugin for OwnKinds {
    fn build(&self, app: &mut App) {
        app.register_sensor::<altimeter::Altimeter>()
            .register_sensor::<still_camera::StillCamera>()
            .register_controller::<wall_follower::WallFollower>()
            .register_fault::<hum::Hum>()
            .register_driver(line::Line);
    }
}

fn main() -> ExitCode {
    Cli::new().add_plugin(OwnKinds).main()
}
