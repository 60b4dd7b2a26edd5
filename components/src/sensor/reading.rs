//! Readings: measurements with stamps, and their sensors.

use super::measurement::Measurement;
use crate::body::Pose;
use bevy_ecs::prelude::*;

/// A measurement with its stamps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stamped<T> {
    /// Time of the measurement (ns from the run's start).
    pub source_ns: u64,
    /// Entry into the run (ns).
    pub arrival_ns: u64,
    /// Index of the reading on its sensor, from 0.
    pub sequence: u64,
    /// Measurement.
    pub value: T,
}

/// Readings of a sensor: the latest, and all since the last tick, whatever their source. The values are reused, so
/// that a steady tick allocates nothing.
#[derive(Component, Clone, Debug)]
pub struct Reading<T: Measurement> {
    ring: Vec<Stamped<T>>,
    /// Readings of this tick; they end at `last`.
    fresh: usize,
    last: usize,
    sequence: u64,
}

impl<T: Measurement> Reading<T> {
    /// Holds at most this many readings per tick; more push out the oldest. `blank` is a measurement of the right
    /// shape: it sets the number of values.
    pub fn with_capacity(batch: usize, blank: T) -> Self {
        let blank = Stamped {
            value: blank,
            ..Stamped::default()
        };
        Self {
            ring: vec![blank; batch.max(1) + 1],
            fresh: 0,
            last: 0,
            sequence: 0,
        }
    }

    /// The latest reading, none before the first.
    pub fn latest(&self) -> Option<&Stamped<T>> {
        (self.sequence > 0).then(|| &self.ring[self.last])
    }

    /// A measurement of its shape, also before the first reading.
    pub fn shape(&self) -> &T {
        &self.ring[self.last].value
    }

    /// The readings since the last tick, oldest first.
    pub fn batch(&self) -> impl ExactSizeIterator<Item = &Stamped<T>> {
        let len = self.ring.len();
        (0..self.fresh).map(move |k| &self.ring[(self.last + len + 1 + k - self.fresh) % len])
    }

    /// Modifies the readings since the last tick, and removes those for which `keep` is false; without any left, the
    /// latest is the previous one. Used to inject faults.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut Stamped<T>) -> bool) {
        let len = self.ring.len();
        let at = |k: usize, fresh: usize| (self.last + len + 1 + k - fresh) % len;
        let mut kept = 0;
        for k in 0..self.fresh {
            let slot = at(k, self.fresh);
            if keep(&mut self.ring[slot]) {
                let to = at(kept, self.fresh);
                self.ring.swap(slot, to);
                kept += 1;
            }
        }
        let lost = self.fresh - kept;
        self.last = (self.last + len - lost) % len;
        self.sequence -= lost as u64;
        self.fresh = kept;
        // Their sequence numbers have no gaps.
        for k in 0..kept {
            let slot = (self.last + len + 1 + k - kept) % len;
            self.ring[slot].sequence = self.sequence - (kept - k) as u64;
        }
    }

    /// Whether there is a reading since the last tick.
    pub fn is_fresh(&self) -> bool {
        self.fresh > 0
    }

    /// Starts a tick: nothing is fresh, the latest stays.
    pub fn begin_tick(&mut self) {
        self.fresh = 0;
    }

    /// Adds a reading of now. `fill` overwrites a used value and returns whether to keep it.
    pub fn write(&mut self, now_ns: u64, fill: impl FnOnce(&mut T) -> bool) -> bool {
        self.enter(now_ns, now_ns, fill)
    }

    /// Adds a reading with its measurement time (ns) and arrival time (ns).
    pub fn enter(
        &mut self,
        source_ns: u64,
        arrival_ns: u64,
        fill: impl FnOnce(&mut T) -> bool,
    ) -> bool {
        let slot = (self.last + 1) % self.ring.len();
        let entry = &mut self.ring[slot];
        if !fill(&mut entry.value) {
            return false;
        }
        entry.source_ns = source_ns;
        entry.arrival_ns = arrival_ns;
        entry.sequence = self.sequence;
        self.sequence += 1;
        self.last = slot;
        self.fresh = (self.fresh + 1).min(self.ring.len() - 1);
        true
    }
}

/// The measurement without noise or fault, beside the reading of the same tick.
#[derive(Component, Clone, Debug, Default, PartialEq)]
pub struct Truth<T: Measurement>(pub T);

/// Marks a sensor, which is a child entity of its agent.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor {
    /// The agent.
    pub agent: Entity,
    /// Index of the link that carries it.
    pub link: usize,
}

/// Mount pose of a sensor on its link.
#[derive(Component, Clone, Copy, Debug, PartialEq)]
pub struct Mount(pub Pose);

/// Counts of a sensor since the run's start.
#[derive(Component, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SensorStats {
    /// Readings that entered.
    pub readings: u64,
    /// Readings lost on the way in.
    pub dropped: u64,
    /// Times that it became stale.
    pub stale: u64,
    /// Readings refused because a number was not finite.
    pub non_finite: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::ContactForce;

    #[test]
    fn a_batch_is_oldest_first_and_bounded() {
        let mut r = Reading::with_capacity(3, ContactForce::default());
        assert!(r.latest().is_none());
        for k in 0..5u64 {
            assert!(r.write(k, |c| {
                c.force_n = k as f32;
                true
            }));
        }
        let forces: Vec<f32> = r.batch().map(|s| s.value.force_n).collect();
        assert_eq!(forces, [2.0, 3.0, 4.0]);
        let mut forces = Vec::new();
        r.retain(|s| {
            forces.push(s.value.force_n);
            true
        });
        assert_eq!(forces, [2.0, 3.0, 4.0]);
        r.begin_tick();
        assert_eq!(r.batch().len(), 0);
        assert_eq!(r.latest().map(|s| s.sequence), Some(4));
        assert!(!r.write(5, |_| false));
        assert_eq!(r.latest().map(|s| s.value.force_n), Some(4.0));
    }

    #[test]
    fn a_reading_that_is_taken_out_has_never_been() {
        // Every choice of three readings, at every place of the ring.
        for lost in 0..8u32 {
            for before in 0..5u64 {
                let mut r = Reading::with_capacity(3, ContactForce::default());
                let write = |r: &mut Reading<ContactForce>, k: u64| {
                    r.write(k, |c| {
                        c.force_n = k as f32;
                        true
                    })
                };
                for k in 0..before {
                    write(&mut r, k);
                    r.begin_tick();
                }
                for k in before..before + 3 {
                    write(&mut r, k);
                }
                let kept: Vec<u64> = (0..3).filter(|k| lost >> k & 1 == 0).collect();
                let stays = |s: &mut Stamped<ContactForce>| lost >> (s.source_ns - before) & 1 == 0;
                r.retain(stays);
                let said: Vec<_> = r.batch().map(|s| (s.source_ns, s.sequence)).collect();
                let expected = kept.iter().enumerate();
                let expected: Vec<_> = expected
                    .map(|(n, k)| (before + k, before + n as u64))
                    .collect();
                assert_eq!(said, expected);
                let latest = kept.last().map(|k| before + k).or(before.checked_sub(1));
                assert_eq!(r.latest().map(|s| s.source_ns), latest);
                r.begin_tick();
                write(&mut r, 99);
                let said: Vec<_> = r.batch().map(|s| (s.source_ns, s.sequence)).collect();
                assert_eq!(said, [(99, before + kept.len() as u64)]);
            }
        }
    }
}
