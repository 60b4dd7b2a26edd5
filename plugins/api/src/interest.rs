//! What readers want to see: the tick copies no more than that, and only when somebody asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Names with `*` for any part of them: `rover/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Every name.
    pub(crate) fn all() -> Self {
        Self::new("*")
    }

    /// Whether a name fits; in time of the product of both lengths at most.
    pub(crate) fn fits(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // After the last `*`, and the place in the name that it is tried for.
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    star = Some((p, n));
                }
                Some(&byte) if byte == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => match star {
                    Some((after, from)) => {
                        p = after;
                        n = from + 1;
                        star = Some((after, n));
                    }
                    None => return false,
                },
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

/// The sensors that somebody wants to see, and whether anybody waits for a view.
#[derive(Clone, Default)]
pub(crate) struct Interests(Arc<Inner>);

#[derive(Default)]
struct Inner {
    is_wanted: AtomicBool,
    next: AtomicU64,
    all: Mutex<BTreeMap<u64, Asked>>,
    /// Changes with `all`.
    version: AtomicU64,
    /// Highest rate of all (Hz); 0 where nobody asks for one.
    fastest: watch::Sender<f64>,
}

/// What one reader asks for.
struct Asked {
    sensors: Vec<Pattern>,
    /// Views a second; 0 for a single one.
    rate_hz: f64,
}

/// An interest in sensors; it ends when it is dropped.
pub(crate) struct Interest {
    id: u64,
    of: Interests,
}

impl Interests {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Asked>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u64, Asked>)) {
        let mut all = self.lock();
        change(&mut all);
        let fastest = all.values().map(|asked| asked.rate_hz).fold(0.0, f64::max);
        self.0.version.fetch_add(1, Ordering::AcqRel);
        self.0.fastest.send_if_modified(|known| {
            let is_new = *known != fastest;
            *known = fastest;
            is_new
        });
    }

    /// Asks for sensors in all views from here on.
    pub(crate) fn in_sensors(&self, sensors: Vec<Pattern>) -> Interest {
        self.at_rate(sensors, 0.0)
    }

    /// Asks for views at a rate (Hz), with these sensors.
    pub(crate) fn at_rate(&self, sensors: Vec<Pattern>, rate_hz: f64) -> Interest {
        let id = self.0.next.fetch_add(1, Ordering::AcqRel);
        self.change(|all| {
            all.insert(id, Asked { sensors, rate_hz });
        });
        Interest {
            id,
            of: self.clone(),
        }
    }

    /// Asks for a view at the end of this tick.
    pub(crate) fn want(&self) {
        self.0.is_wanted.store(true, Ordering::Release);
    }

    /// Whether anybody asked since the last call.
    pub(crate) fn take_wanted(&self) -> bool {
        self.0.is_wanted.load(Ordering::Relaxed) && self.0.is_wanted.swap(false, Ordering::AcqRel)
    }

    /// Changes whenever the sensors change that somebody wants.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Whether somebody wants this sensor.
    pub(crate) fn includes(&self, sensor: &str) -> bool {
        let all = self.lock();
        let mut patterns = all.values().flat_map(|asked| &asked.sensors);
        patterns.any(|pattern| pattern.fits(sensor))
    }

    /// Asks for views at the highest rate that anybody wants: all readers share them.
    pub(crate) async fn pace(&self) {
        let mut fastest = self.0.fastest.subscribe();
        loop {
            let rate_hz = *fastest.borrow_and_update();
            if rate_hz <= 0.0 {
                if fastest.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let mut due = tokio::time::interval(Duration::from_secs_f64(1.0 / rate_hz));
            due.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = due.tick() => self.want(),
                    changed = fastest.changed() => {
                        if changed.is_err() { return }
                        break;
                    }
                }
            }
        }
    }
}

impl Drop for Interest {
    fn drop(&mut self) {
        self.of.change(|all| {
            all.remove(&self.id);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit_parts_of_names() {
        for (pattern, name, fits) in [
            ("*", "rover/imu", true),
            ("rover/*", "rover/imu", true),
            ("rover/*", "crane/imu", false),
            ("*/imu", "rover/imu", true),
            ("*/imu", "rover/imu2", false),
            ("rover/imu", "rover/imu", true),
            ("rover/imu", "rover/im", false),
            ("r*r/*u", "rover/imu", true),
            ("", "rover", false),
            ("", "", true),
            ("**a*b**", "xaxb", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn interests_end_with_their_readers() {
        let interests = Interests::default();
        assert!(!interests.take_wanted() && !interests.includes("rover/imu"));
        let imu = interests.in_sensors(vec![Pattern::new("rover/imu")]);
        let version = interests.version();
        assert!(interests.includes("rover/imu") && !interests.includes("rover/lidar"));
        drop(imu);
        assert!(!interests.includes("rover/imu") && interests.version() != version);
        interests.want();
        interests.want();
        assert!(interests.take_wanted() && !interests.take_wanted());
        let slow = interests.at_rate(Vec::new(), 10.0);
        let fast = interests.at_rate(Vec::new(), 50.0);
        let fastest = || *interests.0.fastest.borrow();
        assert_eq!(fastest(), 50.0);
        drop(fast);
        assert_eq!(fastest(), 10.0);
        drop(slow);
        assert_eq!(fastest(), 0.0);
    }

    proptest! {
        #[test]
        fn a_long_pattern_takes_no_exponential_time(pattern in "[*a]{0,200}", name in "a{0,200}") {
            Pattern::new(pattern).fits(&name);
        }
    }
}
