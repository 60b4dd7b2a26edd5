//! Errors of starting a recording.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Error while starting a recording.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// The file cannot be created.
    #[error("cannot write the recording {}: {cause}", path.display())]
    File {
        /// Path as given.
        path: PathBuf,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// The file was created, but its writer thread did not start.
    #[error("cannot write the recording {}: {cause}", path.display())]
    Writer {
        /// Path as given.
        path: PathBuf,
        /// Error of Rerun.
        cause: String,
    },
    /// Invalid viewer address.
    #[error(
        "invalid viewer address `{url}` ({cause}); expected the form rerun+http://127.0.0.1:9876/proxy"
    )]
    Url {
        /// Address as given.
        url: String,
        /// Parser error.
        cause: String,
    },
    /// The server cannot listen on its address.
    #[error("cannot serve viewers at {address}: {cause}")]
    Server {
        /// Address as given.
        address: SocketAddr,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// The recording thread cannot be started.
    #[error("cannot start the recording thread: {0}")]
    Thread(std::io::Error),
}
