//! A port that is open, a device's or a connection's.

use std::io::{Read, Write};
use std::time::Duration;

/// Longest wait for bytes before a driver checks whether it is cancelled.
pub(crate) const POLL_PERIOD: Duration = Duration::from_millis(50);
/// Longest wait for a device that takes no bytes.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_millis(500);

/// Both directions of an open port.
pub(crate) struct OpenPort {
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) writer: Box<dyn Write + Send>,
}
