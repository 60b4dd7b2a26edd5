//! Runs of a plan on threads of this process.

use super::cells::Row;
use super::runner::{RunHook, Runner};
use crate::trials::CancelToken;
use std::sync::{Mutex, PoisonError};

/// Runs these of a plan on so many threads, and passes each row to `each` on the thread of its run, as it comes. Each engine
/// is made, stepped and dropped on one thread. Returns after the last run, or once it is cancelled.
pub fn run_on_threads<H: RunHook>(
    runner: &Runner<'_>,
    runs: impl Iterator<Item = u64> + Send,
    threads: usize,
    cancel: &CancelToken,
    hook: &H,
    each: impl Fn(Row) + Sync,
) {
    let runs = Mutex::new(runs);
    let next = || {
        if cancel.is_stopped() {
            return None;
        }
        runs.lock().unwrap_or_else(PoisonError::into_inner).next()
    };
    let (next, each) = (&next, &each);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let mut runner = runner.clone();
            scope.spawn(move || {
                while let Some(run) = next() {
                    if let Some(row) = runner.run(run, cancel, hook) {
                        each(row);
                    }
                }
            });
        }
    });
}
