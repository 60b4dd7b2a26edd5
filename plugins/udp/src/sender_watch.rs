//! Notices what the senders of a sensor's readings do wrong over several datagrams: stamps in another unit, and two senders
//! at once.

use std::net::SocketAddr;

/// Time over which the pace of stamps is measured (ns).
const PACE_NS: u64 = 1_000_000_000;
/// Share by which that pace may differ from a unit's.
const PACE_SHARE: f64 = 0.25;
/// Changes from one sender to another and back, within a second each, that mean two senders at once.
const CHANGES: u32 = 4;

/// State of the senders of one sensor.
#[derive(Default)]
pub(crate) struct SenderWatch {
    sender: Option<SocketAddr>,
    /// The sender before, and when the present one followed it (ns).
    before: Option<(SocketAddr, u64)>,
    changes: u32,
    /// First stamp of this sender, and its arrival (ns).
    first: Option<(u64, u64)>,
    told_two: bool,
    told_unit: bool,
}

impl SenderWatch {
    /// Takes a datagram with this stamp (ns); returns a message, once for each cause.
    pub(crate) fn receive(
        &mut self,
        from: SocketAddr,
        stamp_ns: Option<u64>,
        now_ns: u64,
    ) -> Option<String> {
        if self.sender != Some(from) {
            self.first = None;
            let back = self.before.is_some_and(|(before, at_ns)| {
                before == from && now_ns - at_ns.min(now_ns) < PACE_NS
            });
            self.changes = if back { self.changes + 1 } else { 0 };
            let other = self.sender.replace(from);
            self.before = other.map(|other| (other, now_ns));
            if let Some(other) = other.filter(|_| self.changes >= CHANGES && !self.told_two) {
                self.told_two = true;
                return Some(format!(
                    "found two senders at once, {other} and {from}; expected one, or a name of its own for each: their readings are mixed, and each change counts as a restart"
                ));
            }
            return None;
        }
        self.pace(stamp_ns?, now_ns)
    }

    /// A message if stamps do not count nanoseconds.
    fn pace(&mut self, stamp_ns: u64, now_ns: u64) -> Option<String> {
        let (first_ns, since_ns) = *self.first.get_or_insert((stamp_ns, now_ns));
        let passed_ns = now_ns.saturating_sub(since_ns);
        if self.told_unit || passed_ns < PACE_NS {
            return None;
        }
        self.first = Some((stamp_ns, now_ns));
        let pace = stamp_ns.checked_sub(first_ns)? as f64 / passed_ns as f64;
        // Seconds are too few to be measured in this time.
        let (factor, unit) = [
            (1e-9, "seconds"),
            (1e-6, "milliseconds"),
            (1e-3, "microseconds"),
        ]
        .into_iter()
        .find(|(factor, _)| {
            let steps = factor * passed_ns as f64;
            (pace / factor - 1.0).abs() < PACE_SHARE + 1.0 / steps
        })?;
        // A clock that stands is no unit.
        if stamp_ns == first_ns {
            return None;
        }
        self.told_unit = true;
        Some(format!(
            "found `stamp_ns` that counts {unit}: it grew by {} in {:.1} s; expected nanoseconds, {:e} times as many",
            stamp_ns - first_ns,
            passed_ns as f64 / 1e9,
            1.0 / factor
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Messages of 5 s of readings at 50 Hz, with stamps by this function of the time (ns).
    fn told(stamp: impl Fn(u64) -> u64) -> Vec<String> {
        let mut watch = SenderWatch::default();
        (0..250)
            .filter_map(|k| watch.receive(at(1), Some(stamp(k * 20 * MS)), k * 20 * MS))
            .collect()
    }

    #[test]
    fn stamps_in_another_unit_are_told_once() {
        for (unit_ns, name) in [
            (1_000, "microseconds"),
            (MS, "milliseconds"),
            (1000 * MS, " seconds"),
        ] {
            let told = told(|now_ns| (1_700_000_000_000_000_000 + now_ns) / unit_ns);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(name), "{told:?}");
        }
    }

    #[test]
    fn nanoseconds_clocks_that_stand_and_clocks_that_jump_are_no_other_unit() {
        assert!(told(|now_ns| now_ns).is_empty());
        assert!(told(|_| 1_000_000_000).is_empty());
        let hour_ns = 3600 * 1000 * MS;
        assert!(
            told(|now_ns| hour_ns + now_ns - if now_ns > 2000 * MS { hour_ns } else { 0 })
                .is_empty()
        );
    }

    #[test]
    fn two_senders_at_once_are_told_and_one_that_restarts_is_not() {
        let run = |port: &dyn Fn(u64) -> u16| -> usize {
            let mut watch = SenderWatch::default();
            (0..250)
                .filter_map(|k| watch.receive(at(port(k)), None, k * 20 * MS))
                .count()
        };
        assert_eq!(run(&|k| (k % 2) as u16 + 1), 1);
        assert_eq!(run(&|k| (k % 3 / 2) as u16 + 1), 1);
        assert_eq!(run(&|k| (k / 60) as u16 + 1), 0);
        assert_eq!(run(&|_| 1), 0);
    }
}
