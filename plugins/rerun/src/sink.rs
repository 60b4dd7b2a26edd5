//! Destination of a recording, and its output: file, viewer connection or server; shared by the recordings of one run
//! and its resets.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::error::RerunError;
use crate::server::Server;
use becomingone_systems::output_file::{create_locked, still_there};
use re_sdk::external::re_uri::ProxyUri;
use re_sdk::log::{ChunkBatcherConfig, LogMsg};
use re_sdk::sink::{
    FileSink, FileSinkError, GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError,
};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batching delay on the way to a viewer.
const VIEWER_FLUSH: Duration = Duration::from_millis(50);
/// Batching delay on the way to a file: larger chunks make smaller files. A SIGKILL loses this much.
const FILE_FLUSH: Duration = Duration::from_secs(1);
/// Data that Rerun may buffer for an unresponsive viewer before our queue fills and drops.
const VIEWER_BYTES: u64 = 16 * 1024 * 1024;

/// Time-out of a TCP connection attempt.
const ANSWER_LIMIT: Duration = Duration::from_millis(250);
/// Shortest and longest back-off between connection attempts.
const BACK_OFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// Lifetime of a connection after which the back-off starts over.
const STABLE_CONNECTION: Duration = Duration::from_secs(5);

/// Destination of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A new file; Rerun's extension is `.rrd`.
    File(PathBuf),
    /// A viewer at a known address, which may start later than the run.
    Viewer {
        /// Address: `rerun+http://127.0.0.1:PORT/proxy`.
        url: String,
    },
    /// A server in this process, for any number of viewers.
    Server {
        /// Listening address. There is no authentication: use a loopback address unless the network is trusted.
        address: SocketAddr,
        /// Whether to use any free port if this one is taken.
        any_port: bool,
    },
}

/// Open sink. Rerun closes a sink with its recording; a clone of this stays open.
#[derive(Clone)]
pub(crate) enum Output {
    /// The last is locked, and closed after the sink; none for pipes and devices.
    File(Arc<FileSink>, PathBuf, Option<Arc<File>>),
    Viewer(Arc<GrpcSink>, String),
    Server(Arc<Server>),
}

/// Open sink, or a viewer that is not connected yet.
pub(crate) enum Opened {
    Output(Output),
    Reconnect(Reconnect),
}

impl Opened {
    /// Creates the file, starts the server, or parses the viewer's address.
    pub(crate) fn open(sink: Sink) -> Result<Self, RerunError> {
        match sink {
            Sink::File(path) => match lock(&path).and_then(|locked| {
                let sink = FileSink::new(&path)?;
                Ok((sink, locked))
            }) {
                Ok((file, locked)) => {
                    let locked = locked.map(Arc::new);
                    Ok(Self::Output(Output::File(Arc::new(file), path, locked)))
                }
                Err(FileSinkError::CreateFile { source, .. }) => Err(RerunError::File {
                    path,
                    cause: source,
                }),
                Err(other) => Err(RerunError::Writer {
                    path,
                    cause: other.to_string(),
                }),
            },
            Sink::Viewer { url } => match url.parse::<ProxyUri>() {
                Ok(uri) => Ok(Self::Reconnect(Reconnect::new(uri, url))),
                Err(cause) => Err(RerunError::Url {
                    url,
                    cause: cause.to_string(),
                }),
            },
            Sink::Server { address, any_port } => match Server::open(address, any_port) {
                Ok(server) => Ok(Self::Output(Output::Server(Arc::new(server)))),
                Err(cause) => Err(RerunError::Server { address, cause }),
            },
        }
    }

    /// Name for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Output(output) => output.name(),
            Self::Reconnect(viewer) => format!("the viewer at {}", viewer.url),
        }
    }

    /// Address of the viewer or of the server; `None` for a file.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Output(Output::File(..)) => None,
            Self::Output(Output::Viewer(_, url)) => Some(url),
            Self::Output(Output::Server(server)) => Some(server.url()),
            Self::Reconnect(viewer) => Some(&viewer.url),
        }
    }

    /// Whether a full queue may block the tick.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::Output(Output::File(..)))
    }

    /// Batching delay.
    pub(crate) fn flush_period(&self) -> Duration {
        match self {
            Self::Output(output) => output.flush_period(),
            Self::Reconnect(_) => VIEWER_FLUSH,
        }
    }
}

/// Locks a file that is about to be written. Pipes and devices have no lock.
fn lock(path: &Path) -> Result<Option<File>, FileSinkError> {
    let failed = |source| FileSinkError::CreateFile {
        source,
        path: path.to_owned(),
    };
    // Where locks are mandatory, they would keep out the sink itself, which has a handle of its own.
    if cfg!(windows) || std::fs::metadata(path).is_ok_and(|m| !m.is_file()) {
        return Ok(None);
    }
    create_locked(path).map(Some).map_err(failed)
}

/// Why a closed file is incomplete; none for a complete one. Rerun ends each file with a footer, and only logs where it
/// cannot.
pub(crate) fn incomplete(path: &Path) -> Option<String> {
    /// Length of the end of a file that holds the footer's mark, and the mark.
    const END: u64 = 64;
    const MARK: &[u8] = b"FOOT";
    let read_end = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        Ok(end)
    };
    match read_end() {
        Ok(end) if end.windows(MARK.len()).any(|part| part == MARK) => None,
        Ok(_) => Some(format!(
            "the end of the file {} was not written; the disk may be full",
            path.display()
        )),
        Err(error) => Some(format!("the file {}: {error}", path.display())),
    }
}

/// Connection attempts to a viewer, with back-off.
pub(crate) struct Reconnect {
    uri: ProxyUri,
    url: String,
    back_off: Duration,
    /// Time of the next attempt.
    next: Instant,
    /// Start of the present connection.
    since: Option<Instant>,
    /// Whether the missing viewer was logged.
    logged: bool,
}

impl Reconnect {
    fn new(uri: ProxyUri, url: String) -> Self {
        Self {
            uri,
            url,
            back_off: BACK_OFF[0],
            next: Instant::now(),
            since: None,
            logged: false,
        }
    }

    /// Tries to connect if the back-off has elapsed. A missing viewer is logged once.
    pub(crate) fn try_now(&mut self) -> Option<Output> {
        if Instant::now() < self.next {
            return None;
        }
        match self.probe() {
            Ok(()) => {
                if std::mem::take(&mut self.logged) {
                    log::info!("connected to the viewer at {}", self.url);
                }
                self.since = Some(Instant::now());
                let sink = GrpcSink::new(self.uri.clone());
                Some(Output::Viewer(Arc::new(sink), self.url.clone()))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.logged, true) {
                    log::warn!(
                        "no viewer at {} yet ({error}); retrying until the run ends",
                        self.url
                    );
                }
                self.postpone();
                None
            }
        }
    }

    /// Reason for a missing recording if the viewer never answered.
    pub(crate) fn no_answer(&self) -> String {
        format!("the viewer at {} did not answer", self.url)
    }

    /// Notes that the connection was lost.
    pub(crate) fn lost(&mut self, why: &str) {
        if self
            .since
            .take()
            .is_some_and(|at| at.elapsed() > STABLE_CONNECTION)
        {
            self.back_off = BACK_OFF[0];
        }
        if !std::mem::replace(&mut self.logged, true) {
            log::warn!("{why}; the run continues, reconnecting until it ends");
        }
        self.postpone();
    }

    fn postpone(&mut self) {
        self.next = Instant::now() + self.back_off;
        self.back_off = (self.back_off * 2).min(BACK_OFF[1]);
    }

    /// Checks that the viewer accepts TCP connections. Rerun's client would retry for ever and buffer old data
    /// meanwhile, so it is created only when this succeeds.
    fn probe(&self) -> std::io::Result<()> {
        let origin = &self.uri.origin;
        let mut last = None;
        for address in (origin.format_host(), origin.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, ANSWER_LIMIT) {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into()))
    }
}

impl Output {
    /// Name for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(_, path, _) => format!("the file {}", path.display()),
            Self::Viewer(_, url) => format!("the viewer at {url}"),
            Self::Server(server) => format!("a viewer of the server at {}", server.url()),
        }
    }

    /// The file, if it is one on a disk.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(_, path, Some(_)) => Some(path.clone()),
            _ => None,
        }
    }

    fn flush_period(&self) -> Duration {
        match self {
            Self::File(..) => FILE_FLUSH,
            Self::Viewer(..) | Self::Server(_) => VIEWER_FLUSH,
        }
    }

    /// Reason why the sink takes no more data; `None` while it works.
    pub(crate) fn failure(&self) -> Option<String> {
        match self {
            Self::File(_, path, Some(locked)) if still_there(path, locked).is_err() => {
                Some(format!(
                    "the file {} was deleted or replaced while it was written",
                    path.display()
                ))
            }
            Self::File(file, path, _) => match LogSink::flush_blocking(&**file, FILE_FLUSH) {
                // A slow disk is no failure.
                Ok(()) | Err(SinkFlushError::Timeout) => None,
                Err(SinkFlushError::Failed { message }) => Some(format!(
                    "writing the file {} failed; the disk may be full ({message})",
                    path.display()
                )),
            },
            Self::Viewer(viewer, url) => match viewer.status() {
                GrpcSinkConnectionState::Connecting { .. } | GrpcSinkConnectionState::Connected => {
                    None
                }
                GrpcSinkConnectionState::Disconnected(Ok(())) => {
                    Some(format!("the viewer at {url} closed the connection"))
                }
                GrpcSinkConnectionState::Disconnected(Err(cause)) => Some(format!(
                    "lost the connection to the viewer at {url} ({cause})"
                )),
            },
            Self::Server(_) => None,
        }
    }

    /// Reason for a missing recording if the viewer never answered.
    pub(crate) fn unanswered(&self) -> Option<String> {
        match self {
            Self::Viewer(viewer, url)
                if matches!(viewer.status(), GrpcSinkConnectionState::Connecting { .. }) =>
            {
                Some(format!("the viewer at {url} did not answer"))
            }
            _ => None,
        }
    }

    /// Waits until flushed data has reached the viewers; otherwise returns the reason.
    pub(crate) fn drain(&self, deadline: Instant) -> Option<String> {
        match self {
            Self::Server(server) if !server.drain(deadline) => Some(format!(
                "{} did not receive the end of the run",
                self.name()
            )),
            _ => None,
        }
    }
}

impl LogSink for Output {
    fn send(&self, msg: LogMsg) {
        match self {
            Self::File(file, ..) => LogSink::send(&**file, msg),
            Self::Viewer(viewer, _) => viewer.send(msg),
            Self::Server(server) => server.send(msg),
        }
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        match self {
            Self::File(file, ..) => LogSink::flush_blocking(&**file, timeout),
            Self::Viewer(viewer, _) => viewer.flush_blocking(timeout),
            Self::Server(server) => server.flush(timeout),
        }
    }

    fn default_batcher_config(&self) -> ChunkBatcherConfig {
        ChunkBatcherConfig {
            flush_tick: self.flush_period(),
            max_bytes_in_flight: match self {
                Self::File(..) => ChunkBatcherConfig::DEFAULT.max_bytes_in_flight,
                Self::Viewer(..) | Self::Server(_) => VIEWER_BYTES,
            },
            ..ChunkBatcherConfig::DEFAULT
        }
    }

    fn defers_finalization_to_shutdown(&self) -> bool {
        match self {
            Self::File(file, ..) => file.defers_finalization_to_shutdown(),
            Self::Viewer(..) | Self::Server(_) => false,
        }
    }
}
