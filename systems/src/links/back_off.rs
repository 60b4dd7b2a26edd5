//! Back-off between attempts: it doubles, with jitter, so that many links do not retry at once.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

/// Growing pauses between attempts.
///
/// ```
/// use becomingone_systems::links::back_off::BackOff;
/// use std::time::Duration;
///
/// let mut back_off = BackOff::new(Duration::from_millis(100), Duration::from_secs(5));
/// let first = back_off.next();
/// assert!((50..=100).contains(&first.as_millis()));
/// (0..9).for_each(|_| _ = back_off.next());
/// assert!((2500..=5000).contains(&back_off.next().as_millis()));
/// back_off.reset();
/// assert!(back_off.next() <= Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct BackOff {
    first: Duration,
    last: Duration,
    now: Duration,
}

impl BackOff {
    /// Pauses from `first` to `last`, each twice the one before, of which up to a half is left out at random.
    pub fn new(first: Duration, last: Duration) -> Self {
        Self {
            first,
            last,
            now: first,
        }
    }

    /// The next pause.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> Duration {
        let pause = self.now;
        self.now = (pause * 2).min(self.last);
        // A hasher's random keys; pauses are no part of a run that is repeated.
        let random = RandomState::new().hash_one(0u8) >> 40;
        pause.mul_f64(1.0 - 0.5 * random as f64 / (1u64 << 24) as f64)
    }

    /// Returns to the first pause: an attempt succeeded.
    pub fn reset(&mut self) {
        self.now = self.first;
    }
}
