//! The viewer program: is there one that fits, and how to start it.

#![allow(
    clippy::disallowed_methods,
    reason = "other programs live by the wall clock"
)]

use std::ffi::OsStr;
use std::io::{IsTerminal, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest time that a program may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(2);
/// Longest time that a viewer may take until it listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);
/// Answers in a row that make a viewer.
const ANSWERS: u32 = 3;
/// Between two looks at whether something is done.
const LOOK: Duration = Duration::from_millis(10);

/// Why no viewer can be opened here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoViewer {
    /// Nobody sits there.
    #[error("standard error is no terminal")]
    NoTerminal,
    /// Windows cannot be shown.
    #[error("there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)")]
    NoDisplay,
    /// There is no program `rerun`.
    #[error("there is no `rerun` on the PATH; {} installs it", install_command())]
    NotInstalled,
    /// There is one, of another version: Rerun promises nothing between versions.
    #[error(
        "`{}` is version {found}, this needs {}; {} installs it",
        program.display(),
        minor_version(),
        install_command()
    )]
    WrongVersion {
        /// The program.
        program: PathBuf,
        /// What it says.
        found: String,
    },
    /// There is one that does not say its version.
    #[error("`{} --version` did not answer within 2 s: {cause}", program.display())]
    NoAnswer {
        /// The program.
        program: PathBuf,
        /// What happened instead.
        cause: String,
    },
}

/// A viewer that did not start.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program cannot be run.
    #[error("cannot start `{}`: {cause}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// No port on 127.0.0.1 is free.
    #[error("no free port for a viewer: {0}")]
    Port(std::io::Error),
    /// It ended at once.
    #[error("`{}` ended at once ({status}); start it by hand to see why", program.display())]
    Ended {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
    /// It runs and does not listen.
    #[error("`{}` did not listen on port {port} within 10 s", program.display())]
    Silent {
        /// The program.
        program: PathBuf,
        /// The port it was told.
        port: u16,
    },
}

/// A viewer that listens.
#[derive(Debug)]
pub struct Viewer {
    /// For [`crate::Sink::Viewer`].
    pub url: String,
    /// The program that was started. It goes on when this is dropped, and when this process ends.
    pub child: Child,
}

/// Looks for a viewer that can be opened for whoever sits there: a terminal, a display, and a `rerun` on
/// the PATH of the same minor version as ours. Takes at most 2 s.
///
/// # Errors
///
/// [`NoViewer`] says what is missing.
pub fn find() -> Result<PathBuf, NoViewer> {
    if !std::io::stderr().is_terminal() {
        return Err(NoViewer::NoTerminal);
    }
    showable()
}

/// Looks for a viewer that can show a window here: a display, and a `rerun` on the PATH of the same minor
/// version as ours. Takes at most 2 s.
///
/// # Errors
///
/// [`NoViewer`] says what is missing.
pub fn showable() -> Result<PathBuf, NoViewer> {
    if !has_display() {
        return Err(NoViewer::NoDisplay);
    }
    installed()
}

/// Looks for a `rerun` on the PATH of the same minor version as ours. Takes at most 2 s.
///
/// # Errors
///
/// [`NoViewer`] says what is wrong with the first one that was found.
pub fn installed() -> Result<PathBuf, NoViewer> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    installed_on(&path)
}

fn installed_on(path: &OsStr) -> Result<PathBuf, NoViewer> {
    let name = format!("rerun{}", std::env::consts::EXE_SUFFIX);
    let deadline = Instant::now() + VERSION_LIMIT;
    let mut wrong = None;
    for program in std::env::split_paths(path).map(|folder| folder.join(&name)) {
        if !program.is_file() {
            continue;
        }
        match version(&program, deadline) {
            Ok(found) if minor(&found) == Some(minor_version()) => return Ok(program),
            Ok(found) => {
                wrong.get_or_insert(NoViewer::WrongVersion { program, found });
            }
            Err(cause) => {
                wrong.get_or_insert(NoViewer::NoAnswer { program, cause });
            }
        }
    }
    Err(wrong.unwrap_or(NoViewer::NotInstalled))
}

/// Starts a viewer that listens on a free port of 127.0.0.1 only, and waits until it does (at most 10 s).
/// It outlives this process, and an interrupt typed at the terminal does not reach it.
///
/// # Errors
///
/// See [`SpawnError`].
pub fn spawn(program: &Path) -> Result<Viewer, SpawnError> {
    spawn_with(program, &[])
}

/// [`spawn`] with more arguments: `--headless`.
///
/// # Errors
///
/// See [`SpawnError`].
pub fn spawn_with(program: &Path, arguments: &[&str]) -> Result<Viewer, SpawnError> {
    let address = free_port().map_err(SpawnError::Port)?;
    let port = address.port();
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--hide-welcome-screen", "--expect-data-soon"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    detach(&mut command);
    let mut child = command.spawn().map_err(|cause| SpawnError::Start {
        program: program.to_owned(),
        cause,
    })?;
    let deadline = Instant::now() + LISTEN_LIMIT;
    let mut answers = 0;
    while Instant::now() < deadline {
        // A launcher may end well and leave the viewer behind.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            return Err(SpawnError::Ended {
                program: program.to_owned(),
                status,
            });
        }
        // One answer may come from our own search for a free port: whatever another thread started
        // in that instant holds a copy of its socket until it is a program of its own.
        answers = match TcpStream::connect_timeout(&address, LOOK) {
            Ok(_) => answers + 1,
            Err(_) => 0,
        };
        if answers == ANSWERS {
            let url = format!("rerun+http://127.0.0.1:{port}/proxy");
            return Ok(Viewer { url, child });
        }
        std::thread::sleep(LOOK);
    }
    // Nobody would ever use it; if it cannot be ended, it has ended.
    let _ = child.kill();
    let _ = child.wait();
    Err(SpawnError::Silent {
        program: program.to_owned(),
        port,
    })
}

/// The one command that opens a recording here, for a person to type.
pub fn open_command(file: &Path) -> String {
    typed(format!("rerun {}", quoted(&file.display().to_string())))
}

/// The one command that attaches a viewer to a server, for a person to type.
pub fn attach_command(url: &str) -> String {
    typed(format!("rerun {}", quoted(url)))
}

fn typed(open: String) -> String {
    match installed() {
        Ok(_) => open,
        Err(_) => format!("{} && {open}", install_command()),
    }
}

/// The version of viewer that this needs: `0.36`.
pub fn minor_version() -> String {
    let version = re_sdk::build_info().version;
    format!("{}.{}", version.major, version.minor)
}

/// The command that installs a viewer that fits.
pub fn install_command() -> String {
    format!("pip install \"rerun-sdk=={}.*\"", minor_version())
}

fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// `0.36.3`, as the program says it.
fn version(program: &Path, deadline: Instant) -> Result<String, String> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(LOOK),
            waited => {
                // If it cannot be ended, it has ended.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match waited {
                    Err(e) => e.to_string(),
                    Ok(_) => "it was stopped".to_owned(),
                });
            }
        }
    }
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut said).map_err(|e| e.to_string())?;
    }
    said.split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .ok_or_else(|| "it named no version".to_owned())
}

/// `0.36` of `0.36.3`.
fn minor(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(windows)]
fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

#[cfg(not(any(unix, windows)))]
fn detach(_command: &mut Command) {}

/// As a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:=@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_a_shell_needs() {
        assert_eq!(quoted("runs/a-1.rrd"), "runs/a-1.rrd");
        assert_eq!(quoted("my run.rrd"), "'my run.rrd'");
        assert_eq!(quoted("it's.rrd"), r"'it'\''s.rrd'");
    }

    /// Programs that are named `rerun` and do as they are told.
    #[cfg(unix)]
    #[allow(clippy::unwrap_used)]
    mod programs {
        use super::*;
        use std::os::unix::fs::PermissionsExt;

        fn folder(script: &str) -> tempfile::TempDir {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("rerun");
            std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            folder
        }

        fn on(folders: &[&tempfile::TempDir]) -> Result<PathBuf, NoViewer> {
            let path = std::env::join_paths(folders.iter().map(|f| f.path())).unwrap();
            installed_on(&path)
        }

        #[test]
        fn the_right_version_is_found_behind_a_wrong_one() {
            let old = folder("echo 'rerun-cli 0.30.1 [rustc 1.90.0]'");
            let right = folder(&format!(
                "echo 'rerun-cli {}.9 [rustc 1.95.0]'",
                minor_version()
            ));
            assert_eq!(on(&[&old, &right]).unwrap(), right.path().join("rerun"));
            let NoViewer::WrongVersion { found, .. } = on(&[&old]).unwrap_err() else {
                unreachable!()
            };
            assert_eq!(found, "0.30.1");
        }

        #[test]
        fn none_and_a_silent_one_are_told_apart() {
            let empty = tempfile::tempdir().unwrap();
            assert_eq!(on(&[&empty]), Err(NoViewer::NotInstalled));
            let dumb = folder("exit 0");
            assert!(matches!(on(&[&dumb]), Err(NoViewer::NoAnswer { .. })));
            let slow = folder("exec sleep 60");
            let start = Instant::now();
            assert!(matches!(on(&[&slow]), Err(NoViewer::NoAnswer { .. })));
            assert!(start.elapsed() < VERSION_LIMIT + Duration::from_secs(1));
        }

        #[test]
        fn a_viewer_that_ends_at_once_is_an_error() {
            let folder = folder("exit 3");
            let error = spawn(&folder.path().join("rerun")).unwrap_err();
            assert!(matches!(error, SpawnError::Ended { .. }), "{error}");
            let error = spawn(&folder.path().join("nothing")).unwrap_err();
            assert!(matches!(error, SpawnError::Start { .. }), "{error}");
        }
    }
}
