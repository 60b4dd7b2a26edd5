//! Connections that are open: where there are too many, the one that has been of no use for the longest time makes room.

use crate::problem::Problem;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Most connections at once.
const MAX: usize = 1024;
/// Most of them that are streams.
const MAX_STREAMS: usize = 256;

/// All connections.
#[derive(Clone, Default)]
pub(crate) struct Connections(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// In the order of their begin.
    all: Mutex<BTreeMap<u64, Arc<Connection>>>,
    next: AtomicU64,
    /// Counts uses.
    uses: AtomicU64,
    streams: AtomicUsize,
}

/// A connection.
#[derive(Default)]
pub(crate) struct Connection {
    task: Mutex<Option<AbortHandle>>,
    /// Requests that are being answered.
    busy: AtomicUsize,
    /// Whether somebody asked by it whom the gate knows.
    is_known: AtomicBool,
    /// Of all uses, the number of its last one.
    used: AtomicU64,
}

/// A connection that is open; it is closed when this is dropped.
pub(crate) struct Open {
    number: u64,
    of: Connections,
    connection: Arc<Connection>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    /// Waits until no stream is left, at most for so long: each says to its client that it ends.
    pub(crate) async fn streams_end(&self, within: Duration) {
        let none = async {
            while self.0.streams.load(Ordering::Acquire) > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        // One whose client does not take it is cut.
        let _ = tokio::time::timeout(within, none).await;
    }

    /// Adds a connection. Where there are too many, another one is closed: of those that nobody known has asked by, also
    /// while they are answered, else of all that are not answered just now, the one whose last use is the longest ago. None
    /// where all others are.
    pub(crate) fn open(&self) -> Option<Open> {
        let mut all = lock(&self.0.all);
        if all.len() >= MAX {
            let idle = all.iter().filter(|(_, c)| {
                c.busy.load(Ordering::Acquire) == 0 || !c.is_known.load(Ordering::Acquire)
            });
            let oldest = idle.min_by_key(|(_, c)| {
                (
                    c.is_known.load(Ordering::Acquire),
                    c.used.load(Ordering::Acquire),
                )
            });
            let number = *oldest?.0;
            if let Some(task) = all.remove(&number).and_then(|c| lock(&c.task).take()) {
                task.abort();
            }
        }
        let number = self.0.next.fetch_add(1, Ordering::AcqRel);
        let connection = Arc::new(Connection::default());
        connection.used.store(self.use_number(), Ordering::Release);
        all.insert(number, connection.clone());
        Some(Open {
            number,
            of: self.clone(),
            connection,
        })
    }

    fn use_number(&self) -> u64 {
        self.0.uses.fetch_add(1, Ordering::AcqRel)
    }
}

impl Connection {
    /// By this task it is served.
    pub(crate) fn served_by(&self, task: AbortHandle) {
        *lock(&self.task) = Some(task);
    }
}

impl Open {
    pub(crate) fn connection(&self) -> Arc<Connection> {
        self.connection.clone()
    }

    /// A request begins.
    pub(crate) fn begin(&self) {
        self.connection.busy.fetch_add(1, Ordering::AcqRel);
        self.connection
            .used
            .store(self.of.use_number(), Ordering::Release);
    }

    /// The gate knows who asks.
    pub(crate) fn know(&self) {
        self.connection.is_known.store(true, Ordering::Release);
    }

    /// A request is answered.
    pub(crate) fn end(&self) {
        self.connection.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A connection that became a stream; it counts as long as this is there.
pub(crate) struct Streaming(Arc<Open>);

impl Streaming {
    /// None where there are too many.
    pub(crate) fn begin(open: Arc<Open>) -> Option<Self> {
        let streams = &open.of.0.streams;
        if streams.fetch_add(1, Ordering::AcqRel) >= MAX_STREAMS {
            streams.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        open.begin();
        Some(Self(open))
    }

    /// What is answered then.
    pub(crate) fn too_many() -> Problem {
        Problem::unavailable(format!(
            "found {MAX_STREAMS} streams; expected one of them to be closed first"
        ))
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.end();
        self.0.of.0.streams.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.of.0.all).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_useful_one_makes_room() {
        let connections = Connections::default();
        let mut open: Vec<_> = (0..MAX).map(|_| connections.open().unwrap()).collect();
        let numbers = |connections: &Connections| {
            let all = lock(&connections.0.all);
            all.keys().copied().collect::<Vec<_>>()
        };
        // The first two are known, the third is being answered, the fourth asked in vain.
        for k in [0, 1] {
            open[k].begin();
            open[k].know();
            open[k].end();
        }
        open[2].begin();
        open[2].know();
        open[3].begin();
        open[3].end();
        open.push(connections.open().unwrap());
        assert!(!numbers(&connections).contains(&4));
        for _ in 5..MAX {
            open.push(connections.open().unwrap());
        }
        let left = numbers(&connections);
        assert_eq!((&left[..4], left.len()), (&[0, 1, 2, 3][..], MAX));
        // Then the one that asked in vain.
        open.push(connections.open().unwrap());
        assert_eq!(numbers(&connections)[..3], [0, 1, 2]);
        // A connection that was closed to make room closes nothing else.
        let count = open.len();
        open.drain(4..MAX).for_each(drop);
        assert_eq!(numbers(&connections).len(), MAX);
        assert!(count > MAX);
    }

    #[test]
    fn where_all_are_answered_none_makes_room() {
        let connections = Connections::default();
        let open: Vec<_> = (0..MAX).map(|_| connections.open().unwrap()).collect();
        for open in &open {
            open.begin();
            open.know();
        }
        assert!(connections.open().is_none());
        open[7].end();
        // Of somebody unknown, also while it is answered.
        let last = connections.open().unwrap();
        last.begin();
        assert!(connections.open().is_some());
    }
}
