//! The command line of `becomingone`, with this plugin: `cargo run --release -- run scene.ron`.

use becomingone_cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::new().add_plugin(my_plugin::MyPlugin).main()
}
