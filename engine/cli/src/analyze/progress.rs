//! Progress of an analysis.

use crate::terminal;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// A progress line, on a terminal only.
pub(super) struct Progress {
    shown: bool,
    last: Instant,
}

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        Self {
            shown: !quiet && std::io::stderr().is_terminal(),
            last: Instant::now(),
        }
    }

    pub(super) fn update(&mut self, row: u64) {
        if self.shown && row.is_multiple_of(4096) && self.last.elapsed() > Duration::from_secs(1) {
            self.last = Instant::now();
            terminal::overwrite_line(&format!("{row} rows"));
        }
    }

    pub(super) fn end(&self) {
        if self.shown {
            terminal::clear();
        }
    }
}
