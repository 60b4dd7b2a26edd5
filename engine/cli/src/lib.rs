//! The program `becomingone`, one file per verb: `run`, `info`, `replay`, `check`, `inspect`, `analyze`, `calibrate`,
//! `score`, `list`, `probe`, `doctor`, `new`, `serve`, `mcp`, `top`, `sweep`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line program prints, and its progress uses the wall clock"
)]

#[macro_use]
mod output;

mod alarm_lines;
#[cfg(feature = "replay")]
mod analyze;
mod arguments;
#[cfg(feature = "assistant")]
mod assistant;
mod calibrate;
mod check;
mod confine;
mod doctor;
mod exit;
mod failure;
mod files;
#[cfg(feature = "api")]
mod found;
mod healthy;
#[cfg(feature = "record")]
mod info;
mod inspect;
mod interrupt;
mod introduce;
mod limits;
mod list;
mod live;
mod load;
#[cfg(feature = "api")]
mod mcp;
mod memory;
mod new;
mod on_ray;
mod overlays;
mod parse;
mod probe;
mod profile;
mod progress;
mod record;
#[cfg(feature = "record")]
mod recording;
#[cfg(feature = "record")]
mod replay;
#[cfg(feature = "record")]
mod requests;
mod run;
mod score;
#[cfg(feature = "api")]
mod serve;
mod show;
#[cfg(feature = "parquet")]
mod sweep;
mod terminal;
#[cfg(feature = "api")]
mod top;
mod trials_at;

use arguments::{Arguments, Verb};
use becomingone::Plugins;
use bevy_app::Plugin;
use clap::Parser as _;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// The program, with custom plugins.
///
/// ```no_run
/// use becomingone::prelude::*;
/// use std::process::ExitCode;
///
/// struct MyPlugin;
///
/// impl Plugin for MyPlugin {
///     fn build(&self, app: &mut App) {
///         app.add_systems(Tick, my_system.in_set(TickSystems::Decide));
///     }
/// }
/// # fn my_system() {}
///
/// fn main() -> ExitCode {
///     becomingone_cli::Cli::new().add_plugin(MyPlugin).main()
/// }
/// ```
#[derive(Clone, Default)]
pub struct Cli {
    plugins: Plugins,
}

impl Cli {
    /// The program without custom plugins.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a plugin to every engine that the program makes. Its `build` is called once for each of them, possibly on
    /// several threads at once: no I/O belongs in it.
    #[must_use]
    pub fn add_plugin(mut self, plugin: impl Plugin) -> Self {
        self.plugins.add(plugin);
        self
    }

    /// Runs the program on the arguments of the process.
    pub fn main(self) -> ExitCode {
        ExitCode::from(self.main_of(std::env::args_os(), None))
    }

    /// Runs the program on these arguments, the first of which is its name, and returns its exit status. `program` is
    /// how the program itself is started, where the present process is another one: an interpreter that has it as a
    /// library.
    ///
    /// Wrong arguments, `--help` and `--version` end the process.
    pub fn main_of(
        self,
        arguments: impl IntoIterator<Item = OsString>,
        program: Option<PathBuf>,
    ) -> u8 {
        output::set_program(program);
        let exit = self.verb(arguments);
        // An interpreter does not do it at its end.
        drop(std::io::stdout().flush());
        exit.0
    }

    fn verb(self, arguments: impl IntoIterator<Item = OsString>) -> exit::Exit {
        output::log_to_terminal();
        interrupt::ignore_file_limit();
        if let Err(failure) = limits::end_with_parent() {
            return failure::exit_code(Err(failure));
        }
        let plugins = &self.plugins;
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        #[cfg(feature = "assistant")]
        if let Some(talked) = assistant::of(&arguments) {
            return failure::exit_code(talked);
        }
        let done = match Arguments::parse_from(arguments).verb {
            Verb::Run(run) => run.run(plugins),
            #[cfg(feature = "record")]
            Verb::Info(info) => info.run(plugins),
            #[cfg(feature = "record")]
            Verb::Replay(replay) => replay.run(plugins),
            Verb::Check(check) => check.run(plugins),
            Verb::Inspect(inspect) => inspect.run(),
            #[cfg(feature = "replay")]
            Verb::Analyze(analyze) => analyze.run(),
            Verb::Calibrate(calibrate) => calibrate.run(plugins),
            Verb::Score(score) => score.run(plugins),
            #[cfg(feature = "parquet")]
            Verb::Sweep(sweep) => sweep.run(plugins),
            Verb::List(list) => list.run(plugins),
            Verb::Probe(probe) => probe.run(plugins),
            Verb::Doctor(doctor) => doctor.run(plugins),
            Verb::New(new) => new.run(plugins),
            #[cfg(feature = "api")]
            Verb::Serve(serve) => serve.run(),
            #[cfg(feature = "api")]
            Verb::Mcp(mcp) => mcp.run(),
            #[cfg(feature = "api")]
            Verb::Top(top) => top.run(),
        };
        failure::exit_code(done)
    }
}
