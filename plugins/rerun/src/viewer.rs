//! Viewer program: detection of a compatible version, and start.

#![allow(clippy::disallowed_methods, reason = "time-outs of another program")]

use std::ffi::OsStr;
use std::io::{IsTerminal, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Time-out of `rerun --version`.
const VERSION_LIMIT: Duration = Duration::from_secs(2);
/// Time-out until a started viewer listens.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);
/// Consecutive successful connections after which a viewer counts as listening.
const CONNECTIONS: u32 = 3;
/// Polling interval.
const POLL: Duration = Duration::from_millis(10);

/// Reason why no viewer can be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoViewer {
    /// Not an interactive session.
    #[error("standard error is not a terminal")]
    NoTerminal,
    /// No display for windows.
    #[error("there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)")]
    NoDisplay,
    /// No program `rerun` on the PATH.
    #[error("no `rerun` on the PATH; {} installs it", install_command())]
    NotInstalled,
    /// A `rerun` of another minor version: Rerun guarantees no compatibility between them.
    #[error(
        "`{}` is version {found}; expected {}; {} installs it",
        program.display(),
        minor_version(),
        install_command()
    )]
    WrongVersion {
        /// Path of the program.
        program: PathBuf,
        /// Version that it reports.
        found: String,
    },
    /// A `rerun` that does not report its version.
    #[error("`{} --version` did not report a version within 2 s: {cause}", program.display())]
    NoAnswer {
        /// Path of the program.
        program: PathBuf,
        /// Cause.
        cause: String,
    },
}

/// Error while starting a viewer.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program cannot be executed.
    #[error("cannot start `{}`: {cause}", program.display())]
    Start {
        /// Path of the program.
        program: PathBuf,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// No port on 127.0.0.1 is free.
    #[error("no free port for a viewer: {0}")]
    Port(std::io::Error),
    /// The program ended at once.
    #[error("`{}` ended at once ({status}); run it by hand to see its error", program.display())]
    Ended {
        /// Path of the program.
        program: PathBuf,
        /// Exit status.
        status: ExitStatus,
    },
    /// The program runs but does not listen.
    #[error("`{}` did not listen on port {port} within 10 s", program.display())]
    Silent {
        /// Path of the program.
        program: PathBuf,
        /// Port that it was given.
        port: u16,
    },
}

/// Running viewer.
#[derive(Debug)]
pub struct Viewer {
    /// Address for [`crate::Sink::Viewer`].
    pub url: String,
    /// Started program. It keeps running after this is dropped and after this process ends.
    pub child: Child,
}

/// Finds a viewer for an interactive session: checks for a terminal, a display, and a `rerun` on the PATH with the
/// minor version of our SDK. Takes at most 2 s.
///
/// # Errors
///
/// [`NoViewer`]: the first condition that is not met.
pub fn find() -> Result<PathBuf, NoViewer> {
    if !std::io::stderr().is_terminal() {
        return Err(NoViewer::NoTerminal);
    }
    showable()
}

/// Finds a viewer that can open a window: checks for a display, and a `rerun` on the PATH with the minor version of our
/// SDK. Takes at most 2 s.
///
/// # Errors
///
/// [`NoViewer`]: the first condition that is not met.
pub fn showable() -> Result<PathBuf, NoViewer> {
    if !has_display() {
        return Err(NoViewer::NoDisplay);
    }
    installed()
}

/// Finds a `rerun` on the PATH with the minor version of our SDK. Takes at most 2 s.
///
/// # Errors
///
/// [`NoViewer`]: what is wrong with the first `rerun` found.
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

/// Starts a viewer on a free port of 127.0.0.1 and waits until it listens (at most 10 s). The viewer outlives this
/// process and does not receive Ctrl-C from its terminal.
///
/// # Errors
///
/// See [`SpawnError`].
pub fn spawn(program: &Path) -> Result<Viewer, SpawnError> {
    spawn_with(program, &[])
}

/// [`spawn`] with further arguments, such as `--headless`.
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
    listening(&mut child, program, address)?;
    let url = format!("rerun+http://127.0.0.1:{port}/proxy");
    Ok(Viewer { url, child })
}

/// Waits until a started program listens; one that does not is ended.
fn listening(child: &mut Child, program: &Path, address: SocketAddr) -> Result<(), SpawnError> {
    let deadline = Instant::now() + LISTEN_LIMIT;
    let mut connections = 0;
    while Instant::now() < deadline {
        // A launcher may end with success and leave the viewer running.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            return Err(SpawnError::Ended {
                program: program.to_owned(),
                status,
            });
        }
        // A single connection may reach our own search for a free port: a process forked by another thread at that
        // instant holds a copy of the listening socket until its exec.
        connections = match TcpStream::connect_timeout(&address, POLL) {
            Ok(_) => connections + 1,
            Err(_) => 0,
        };
        if connections == CONNECTIONS {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    // The viewer is of no use.
    end(child);
    Err(SpawnError::Silent {
        program: program.to_owned(),
        port: address.port(),
    })
}

/// Web page of a viewer, served by `rerun` on this machine alone. It ends when this is dropped; on Unix also with this
/// process, however that ends.
#[derive(Debug)]
pub struct WebViewer {
    page: String,
    child: Child,
}

impl WebViewer {
    /// Starts the page of a viewer of a server's address (`rerun+http://127.0.0.1:9876/proxy`), on a free port, and waits
    /// until it listens (at most 10 s).
    ///
    /// # Errors
    ///
    /// See [`SpawnError`].
    pub fn spawn(program: &Path, url: &str) -> Result<Self, SpawnError> {
        let address = free_port().map_err(SpawnError::Port)?;
        let port = address.port();
        let mut command = until_closed(program);
        command
            .args(["--serve-web", "--bind", "127.0.0.1"])
            .args(["--web-viewer-port", &port.to_string(), url])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        detach(&mut command);
        let mut child = command.spawn().map_err(|cause| SpawnError::Start {
            program: program.to_owned(),
            cause,
        })?;
        listening(&mut child, program, address)?;
        let page = format!("http://127.0.0.1:{port}/?url={}", escaped(url));
        Ok(Self { page, child })
    }

    /// Its address.
    pub fn page(&self) -> &str {
        &self.page
    }
}

impl Drop for WebViewer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Ends a program: by its input, if that is ours, so that its shell ends it.
fn end(child: &mut Child) {
    match child.stdin.take() {
        Some(input) => drop(input),
        // An error means that it has ended.
        None => drop(child.kill()),
    }
    let _ = child.wait();
}

/// A program that a shell ends when its own input is closed, which the system does when this process ends.
#[cfg(unix)]
fn until_closed(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", r#""$0" "$@" & read -r _; kill "$!""#])
        .arg(program)
        .stdin(Stdio::piped());
    command
}

#[cfg(not(unix))]
fn until_closed(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// A value of a query: every byte but letters, digits and `-_.~` by its number (RFC 3986).
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// Shell command that opens a recording, preceded by the installation of the viewer if it is missing.
pub fn open_command(file: &Path) -> String {
    with_install(format!("rerun {}", quoted(&file.display().to_string())))
}

/// Shell command that attaches a viewer to a server, preceded by the installation of the viewer if it is missing.
pub fn attach_command(url: &str) -> String {
    with_install(format!("rerun {}", quoted(url)))
}

fn with_install(open: String) -> String {
    match installed() {
        Ok(_) => open,
        Err(_) => format!("{} && {open}", install_command()),
    }
}

/// Required version of the viewer: `0.36`.
pub fn minor_version() -> String {
    let version = re_sdk::build_info().version;
    format!("{}.{}", version.major, version.minor)
}

/// Shell command that installs a compatible viewer.
pub fn install_command() -> String {
    format!("pip install \"rerun-sdk=={}.*\"", minor_version())
}

fn has_display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Version that the program reports: `0.36.3`.
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
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            waited => {
                // An error means that it has ended.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match waited {
                    Err(e) => e.to_string(),
                    Ok(_) => "time-out".to_owned(),
                });
            }
        }
    }
    let mut output = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut output).map_err(|e| e.to_string())?;
    }
    output
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .ok_or_else(|| "no version in its output".to_owned())
}

/// Minor version: `0.36` of `0.36.3`.
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

/// Quotes a word for a shell.
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
    fn addresses_in_a_query_are_escaped() {
        assert_eq!(
            escaped("rerun+http://127.0.0.1:9876/proxy"),
            "rerun%2Bhttp%3A%2F%2F127.0.0.1%3A9876%2Fproxy"
        );
    }

    #[test]
    fn file_names_are_quoted_for_a_shell() {
        assert_eq!(quoted("runs/a-1.rrd"), "runs/a-1.rrd");
        assert_eq!(quoted("my run.rrd"), "'my run.rrd'");
        assert_eq!(quoted("it's.rrd"), r"'it'\''s.rrd'");
    }

    /// Scripts named `rerun` in place of the viewer.
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
        fn compatible_version_is_found_behind_an_incompatible_one() {
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
        fn missing_program_and_unresponsive_program_are_different_errors() {
            let empty = tempfile::tempdir().unwrap();
            assert_eq!(on(&[&empty]), Err(NoViewer::NotInstalled));
            let silent = folder("exit 0");
            assert!(matches!(on(&[&silent]), Err(NoViewer::NoAnswer { .. })));
            let slow = folder("exec sleep 60");
            let start = Instant::now();
            assert!(matches!(on(&[&slow]), Err(NoViewer::NoAnswer { .. })));
            assert!(start.elapsed() < VERSION_LIMIT + Duration::from_secs(1));
        }

        #[test]
        fn viewer_that_ends_at_once_is_an_error() {
            let folder = folder("exit 3");
            let error = spawn(&folder.path().join("rerun")).unwrap_err();
            assert!(matches!(error, SpawnError::Ended { .. }), "{error}");
            let error = spawn(&folder.path().join("nothing")).unwrap_err();
            assert!(matches!(error, SpawnError::Start { .. }), "{error}");
        }
    }
}
