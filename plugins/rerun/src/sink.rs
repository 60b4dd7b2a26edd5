//! The file or the connection, shared by the recordings of one run and its resets.

use crate::{RerunError, Sink};
use re_sdk::external::re_uri::ProxyUri;
use re_sdk::log::{ChunkBatcherConfig, LogMsg};
use re_sdk::sink::{
    FileSink, FileSinkError, GrpcSink, GrpcSinkConnectionState, LogSink, SinkFlushError,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long what was logged may wait for more, on its way to a viewer.
const VIEWER_FLUSH: Duration = Duration::from_millis(50);
/// The same for a file: larger pieces make smaller files. This much is lost to a SIGKILL.
const FILE_FLUSH: Duration = Duration::from_secs(1);
/// What Rerun may keep in memory while a viewer does not listen, before our own queue fills and drops.
const VIEWER_BYTES: u64 = 16 * 1024 * 1024;

/// An open sink. Rerun closes a sink with its recording; a clone of this outlives it.
#[derive(Clone)]
pub(crate) enum Output {
    File(Arc<FileSink>, PathBuf),
    Viewer(Arc<GrpcSink>, String),
}

impl Output {
    /// Creates the file, or starts to connect.
    pub(crate) fn open(sink: Sink) -> Result<Self, RerunError> {
        match sink {
            Sink::File(path) => match FileSink::new(&path) {
                Ok(file) => Ok(Self::File(Arc::new(file), path)),
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
                Ok(uri) => Ok(Self::Viewer(Arc::new(GrpcSink::new(uri)), url)),
                Err(cause) => Err(RerunError::Url {
                    url,
                    cause: cause.to_string(),
                }),
            },
        }
    }

    /// For messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(_, path) => format!("the file {}", path.display()),
            Self::Viewer(_, url) => format!("the viewer at {url}"),
        }
    }

    /// Whether a tick may wait for it.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File(..))
    }

    /// How long what was logged may wait for more.
    pub(crate) fn flush_period(&self) -> Duration {
        match self {
            Self::File(..) => FILE_FLUSH,
            Self::Viewer(..) => VIEWER_FLUSH,
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

    fn sink(&self) -> &dyn LogSink {
        match self {
            Self::File(file, _) => &**file,
            Self::Viewer(viewer, _) => &**viewer,
        }
    }
}

impl LogSink for Output {
    fn send(&self, msg: LogMsg) {
        self.sink().send(msg);
    }

    fn flush_blocking(&self, timeout: Duration) -> Result<(), SinkFlushError> {
        self.sink().flush_blocking(timeout)
    }

    fn default_batcher_config(&self) -> ChunkBatcherConfig {
        ChunkBatcherConfig {
            flush_tick: self.flush_period(),
            max_bytes_in_flight: match self {
                Self::File(..) => ChunkBatcherConfig::DEFAULT.max_bytes_in_flight,
                Self::Viewer(..) => VIEWER_BYTES,
            },
            ..ChunkBatcherConfig::DEFAULT
        }
    }

    fn defers_finalization_to_shutdown(&self) -> bool {
        self.sink().defers_finalization_to_shutdown()
    }
}
