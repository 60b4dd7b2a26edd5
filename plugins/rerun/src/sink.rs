//! The file, the connection or the server, shared by the recordings of one run and its resets.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::server::Server;
use crate::{RerunError, Sink};
use re_sdk::external::re_uri::ProxyUri;
use re_sdk::log::{ChunkBatcherConfig, LogMsg};
use re_sdk::sink::{
    FileSink, FileSinkError, GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError,
};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long what was logged may wait for more, on its way to a viewer.
const VIEWER_FLUSH: Duration = Duration::from_millis(50);
/// The same for a file: larger pieces make smaller files. This much is lost to a SIGKILL.
const FILE_FLUSH: Duration = Duration::from_secs(1);
/// What Rerun may keep in memory while a viewer does not listen, before our own queue fills and drops.
const VIEWER_BYTES: u64 = 16 * 1024 * 1024;

/// Longest time that a viewer's machine may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_millis(250);
/// Shortest and longest pause before a viewer is looked for again.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// A connection that lasted this long was one.
const LASTED: Duration = Duration::from_secs(5);

/// An open sink. Rerun closes a sink with its recording; a clone of this outlives it.
#[derive(Clone)]
pub(crate) enum Output {
    File(Arc<FileSink>, PathBuf),
    Viewer(Arc<GrpcSink>, String),
    Server(Arc<Server>),
}

/// A sink, or the way to one.
pub(crate) enum Opened {
    Output(Output),
    Dial(Dial),
}

impl Opened {
    /// Creates the file, starts the server, or reads the viewer's address.
    pub(crate) fn open(sink: Sink) -> Result<Self, RerunError> {
        match sink {
            Sink::File(path) => match FileSink::new(&path) {
                Ok(file) => Ok(Self::Output(Output::File(Arc::new(file), path))),
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
                Ok(uri) => Ok(Self::Dial(Dial::new(uri, url))),
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

    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Output(output) => output.name(),
            Self::Dial(dial) => format!("the viewer at {}", dial.url),
        }
    }

    /// Where viewers find it; none of a file.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Output(Output::File(..)) => None,
            Self::Output(Output::Viewer(_, url)) => Some(url),
            Self::Output(Output::Server(server)) => Some(server.url()),
            Self::Dial(dial) => Some(&dial.url),
        }
    }

    /// Whether a tick may wait for it.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::Output(Output::File(..)))
    }

    /// How long what was logged may wait for more.
    pub(crate) fn flush_period(&self) -> Duration {
        match self {
            Self::Output(output) => output.flush_period(),
            Self::Dial(_) => VIEWER_FLUSH,
        }
    }
}

/// The way to a viewer that may not be there yet, or no more.
pub(crate) struct Dial {
    uri: ProxyUri,
    url: String,
    pause: Duration,
    /// When it is looked for next.
    next: Instant,
    /// When it was found.
    since: Option<Instant>,
    /// Whether its absence was told.
    told: bool,
}

impl Dial {
    fn new(uri: ProxyUri, url: String) -> Self {
        Self {
            uri,
            url,
            pause: PAUSES[0],
            next: Instant::now(),
            since: None,
            told: false,
        }
    }

    /// Looks for the viewer, if it is time to. What its absence means is said once.
    pub(crate) fn try_now(&mut self) -> Option<Output> {
        if Instant::now() < self.next {
            return None;
        }
        match self.knock() {
            Ok(()) => {
                if std::mem::take(&mut self.told) {
                    log::info!("the viewer at {} is there now", self.url);
                }
                self.since = Some(Instant::now());
                let sink = GrpcSink::new(self.uri.clone());
                Some(Output::Viewer(Arc::new(sink), self.url.clone()))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    log::warn!(
                        "nothing answers at {} yet ({error}); it is looked for until the run ends",
                        self.url
                    );
                }
                self.wait();
                None
            }
        }
    }

    /// Why nothing has arrived, where the viewer never was there.
    pub(crate) fn never(&self) -> String {
        format!("the viewer at {} did not answer", self.url)
    }

    /// The viewer is gone.
    pub(crate) fn lost(&mut self, why: &str) {
        if self.since.take().is_some_and(|at| at.elapsed() > LASTED) {
            self.pause = PAUSES[0];
        }
        if !std::mem::replace(&mut self.told, true) {
            log::warn!("{why}; the run goes on, and it is looked for until the run ends");
        }
        self.wait();
    }

    fn wait(&mut self) {
        self.next = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(PAUSES[1]);
    }

    /// Rerun's own client goes on for ever and keeps what it is sent: better none than an old one.
    fn knock(&self) -> std::io::Result<()> {
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
    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(_, path) => format!("the file {}", path.display()),
            Self::Viewer(_, url) => format!("the viewer at {url}"),
            Self::Server(server) => format!("a viewer of the server at {}", server.url()),
        }
    }

    fn flush_period(&self) -> Duration {
        match self {
            Self::File(..) => FILE_FLUSH,
            Self::Viewer(..) | Self::Server(_) => VIEWER_FLUSH,
        }
    }

    /// Why nothing more arrives there; none while something may.
    pub(crate) fn failure(&self) -> Option<String> {
        match self {
            Self::File(file, path) => match LogSink::flush_blocking(&**file, FILE_FLUSH) {
                // A slow disk is no dead disk.
                Ok(()) | Err(SinkFlushError::Timeout) => None,
                Err(SinkFlushError::Failed { message }) => Some(format!(
                    "writing the file {} failed, the disk may be full ({message})",
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
                GrpcSinkConnectionState::Disconnected(Err(cause)) => {
                    Some(format!("the viewer at {url} is gone ({cause})"))
                }
            },
            Self::Server(_) => None,
        }
    }

    /// Why nothing has arrived so far, where a viewer never answered.
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

    /// Waits until what was flushed is where it shall go; why it is not.
    pub(crate) fn drain(&self, deadline: Instant) -> Option<String> {
        match self {
            Self::Server(server) if !server.drain(deadline) => {
                Some(format!("{} did not take the end of the run", self.name()))
            }
            _ => None,
        }
    }
}

impl LogSink for Output {
    fn send(&self, msg: LogMsg) {
        match self {
            Self::File(file, _) => LogSink::send(&**file, msg),
            Self::Viewer(viewer, _) => viewer.send(msg),
            Self::Server(server) => server.send(msg),
        }
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        match self {
            Self::File(file, _) => LogSink::flush_blocking(&**file, timeout),
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
            Self::File(file, _) => file.defers_finalization_to_shutdown(),
            Self::Viewer(..) | Self::Server(_) => false,
        }
    }
}
