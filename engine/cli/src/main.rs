//! The command `becomingone`.

use std::process::ExitCode;

fn main() -> ExitCode {
    becomingone_cli::Cli::new().main()
}
