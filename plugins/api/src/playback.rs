//! A recording that is played: where it is, and where clients send it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Place in a recording that is played; clones share it. Times are those of all runs of the recording (ns), one after the
/// other.
#[derive(Clone, Debug, Default)]
pub struct Playback(Arc<Played>);

#[derive(Debug, Default)]
struct Played {
    length_ns: u64,
    at_ns: AtomicU64,
    is_over: AtomicBool,
    /// Where somebody sends it.
    wanted_ns: Mutex<Option<u64>>,
    /// Counts those who did.
    seeks: AtomicU64,
}

impl Playback {
    /// The begin of a recording of this length (ns).
    pub fn new(length_ns: u64) -> Self {
        Self(Arc::new(Played {
            length_ns,
            ..Played::default()
        }))
    }

    /// Its length (ns).
    pub fn length_ns(&self) -> u64 {
        self.0.length_ns
    }

    /// Where it is (ns).
    pub fn at_ns(&self) -> u64 {
        self.0.at_ns.load(Ordering::Acquire)
    }

    /// Whether it is at its end.
    pub fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    /// Says where it is (ns), and whether that is its end.
    pub fn set(&self, at_ns: u64, is_over: bool) {
        self.0.at_ns.store(at_ns, Ordering::Release);
        self.0.is_over.store(is_over, Ordering::Release);
    }

    /// Sends it to this time (ns), at most to its end; the last one who does wins. Returns whether nobody else had sent it
    /// and was waiting.
    pub fn seek(&self, to_ns: u64) -> bool {
        let before = self.wanted().replace(to_ns.min(self.0.length_ns));
        self.0.seeks.fetch_add(1, Ordering::AcqRel);
        before.is_none()
    }

    fn wanted(&self) -> MutexGuard<'_, Option<u64>> {
        let wanted = self.0.wanted_ns.lock();
        wanted.unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the time (ns) to which it was sent since the last call.
    pub fn take_seek(&self) -> Option<u64> {
        self.wanted().take()
    }

    /// Whether it is sent to a time now.
    pub fn is_sought(&self) -> bool {
        self.wanted().is_some()
    }

    /// How often it was sent.
    pub(crate) fn seeks(&self) -> u64 {
        self.0.seeks.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_wins_and_nobody_goes_beyond_the_end() {
        let playback = Playback::new(100);
        let other = playback.clone();
        assert!(other.seek(7));
        assert!(!other.seek(1000));
        assert!(playback.is_sought());
        assert_eq!(playback.take_seek(), Some(100));
        assert_eq!((playback.take_seek(), playback.seeks()), (None, 2));
        playback.set(50, false);
        assert_eq!((other.at_ns(), other.is_over()), (50, false));
    }
}
