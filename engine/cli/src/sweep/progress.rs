//! Progress of a sweep.

use crate::terminal;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// A progress line: overwritten every second on a terminal, else printed every ten seconds.
pub(super) struct Progress {
    is_shown: bool,
    overwrites: bool,
    begun: Instant,
    last: Instant,
    /// Runs that were done before.
    before: u64,
    done: u64,
    all: u64,
}

impl Progress {
    pub(super) fn new(is_shown: bool, before: u64, all: u64) -> Self {
        Self {
            is_shown,
            overwrites: std::io::stderr().is_terminal(),
            begun: Instant::now(),
            last: Instant::now(),
            before,
            done: before,
            all,
        }
    }

    /// So many further runs are done.
    pub(super) fn add(&mut self, runs: u64) {
        self.done += runs;
        let every = Duration::from_secs(if self.overwrites { 1 } else { 10 });
        if !self.is_shown || self.last.elapsed() < every {
            return;
        }
        self.last = Instant::now();
        let per_s = (self.done - self.before) as f64 / self.begun.elapsed().as_secs_f64();
        let left_s = ((self.all - self.done) as f64 / per_s).ceil() as u64;
        let left = humantime::format_duration(Duration::from_secs(left_s));
        let line = format!(
            "{} of {} runs, {per_s:.1} runs/s, {left} left",
            self.done, self.all
        );
        if self.overwrites {
            terminal::overwrite_line(&line);
        } else {
            print_err!("{line}");
        }
    }

    pub(super) fn end(self) {
        if self.is_shown {
            terminal::clear();
        }
    }
}
