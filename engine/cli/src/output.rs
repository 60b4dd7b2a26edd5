//! Output: lines on stdout and stderr, the log.

use crate::terminal;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;

/// First write error of stdout.
pub(crate) static STDOUT_ERROR: OnceLock<std::io::Error> = OnceLock::new();

/// Prints a line on stdout. A closed pipe or a full disk must not end the run: its files would be lost.
macro_rules! print_out {
    ($($text:tt)*) => {
        if let Err(error) = std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("{}\n", format_args!($($text)*)),
        ) {
            crate::output::STDOUT_ERROR.get_or_init(|| error);
        }
    };
}

/// Prints a line on stderr; errors of stderr are ignored.
macro_rules! print_err {
    ($($text:tt)*) => {
        drop(std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{}\n", format_args!($($text)*)),
        ))
    };
}

/// Starts the log: warnings, and connections of viewers, which Rerun's own client would log a second time. With `RUST_LOG`,
/// lines name the module that they come from.
pub(crate) fn log_to_terminal() {
    const LOG_FILTER: &str = "warn,becomingone_rerun=info,re_grpc_client=off";
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let env = env_logger::Env::default();
    let mut builder = env_logger::Builder::from_env(env.default_filter_or(LOG_FILTER));
    if std::env::var_os(env_logger::DEFAULT_FILTER_ENV).is_none() {
        builder.format(|line, record| {
            let style = line.default_level_style(record.level());
            let level = match record.level() {
                log::Level::Error => "error",
                log::Level::Warn => "warning",
                log::Level::Info => "info",
                log::Level::Debug => "debug",
                log::Level::Trace => "trace",
            };
            writeln!(line, "{style}{level}{style:#}: {}", record.args())
        });
    }
    builder
        .format_timestamp(None)
        .write_style(if coloured {
            env_logger::WriteStyle::Always
        } else {
            env_logger::WriteStyle::Never
        })
        .target(env_logger::Target::Pipe(Box::new(terminal::LogWriter)))
        .init();
}

/// Error of stdout, except a closed pipe: a reader that stops, as `head` does, is no error.
pub(crate) fn stdout_error() -> Option<&'static std::io::Error> {
    STDOUT_ERROR
        .get()
        .filter(|e| e.kind() != std::io::ErrorKind::BrokenPipe)
}

/// How this program is started, where the present process is another one.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

pub(crate) fn set_program(program: Option<PathBuf>) {
    if let Some(program) = program {
        PROGRAM.get_or_init(|| program);
    }
}

/// File of this program.
pub(crate) fn program_path() -> std::io::Result<PathBuf> {
    match PROGRAM.get() {
        Some(program) => Ok(program.clone()),
        None => std::env::current_exe(),
    }
}

/// Name of this program, for commands that the reader can paste.
pub(crate) fn program() -> String {
    let path = match PROGRAM.get() {
        Some(program) => Some(program.clone()),
        None => std::env::args_os().next().map(PathBuf::from),
    };
    let name = path.as_deref().and_then(std::path::Path::file_stem);
    name.map_or_else(
        || "becomingone".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
