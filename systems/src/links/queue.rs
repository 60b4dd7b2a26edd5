//! Bounded queue of a link between driver and tick, with counts of all losses.

use super::observe::{LinkObserver, Observed};
use super::run_clock::RunClock;
use super::sequence::{Arrival, Tracker};
use super::site::SourceSite;
use becomingone_components::geodesy::TangentPlane;
use becomingone_components::link::{Counts, LinkState, Queue};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One reading, as captured by a driver.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The sender's sequence number; none where it does not count.
    pub sequence: Option<u64>,
    /// The sender's session, which changes with a restart; none without sessions.
    pub session: Option<u64>,
    /// Source time, on the sender's clock (ns); none without a clock.
    pub stamp_ns: Option<u64>,
    /// In the order of the measurement; `NaN` where a column has no value.
    pub numbers: Vec<f64>,
    /// Bytes beside the numbers, in the measurement's encoding; empty for measurements without one.
    pub bytes: Vec<u8>,
}

/// A sample with its arrival, on the run's clock.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) arrival_ns: u64,
    pub(super) sample: Sample,
    /// The sender restarted: the map of its clock is void.
    pub(super) anew: bool,
}

#[derive(Debug)]
pub(super) struct Held {
    policy: Queue,
    waiting: VecDeque<Waiting>,
    tracker: Tracker,
    counts: Counts,
    /// Overflow of a lossless queue.
    faulted: bool,
}

/// State of a driver, shared by the links of its port.
#[derive(Clone, Default)]
pub(super) struct PortState(Arc<AtomicU8>);

impl PortState {
    pub(super) fn set(&self, state: LinkState) {
        let code = match state {
            LinkState::Connecting => 1,
            LinkState::Up => 2,
            LinkState::Down => 3,
            LinkState::Declared | LinkState::Faulted | LinkState::Ended => 0,
        };
        self.0.store(code, Ordering::Release);
    }

    pub(super) fn get(&self) -> LinkState {
        match self.0.load(Ordering::Acquire) {
            1 => LinkState::Connecting,
            2 => LinkState::Up,
            3 => LinkState::Down,
            _ => LinkState::Declared,
        }
    }
}

/// Driver side of a sensor's link.
#[derive(Clone)]
pub struct SensorEnd {
    name: Arc<str>,
    site: Arc<SourceSite>,
    fields: Arc<[String]>,
    gaps_in_rows: bool,
    with_bytes: bool,
    plane: Option<TangentPlane>,
    held: Arc<Mutex<Held>>,
    clock: RunClock,
    observer: Option<Arc<dyn LinkObserver>>,
}

impl SensorEnd {
    pub(super) fn new(
        name: &str,
        site: SourceSite,
        fields: Vec<String>,
        gaps_in_rows: bool,
        with_bytes: bool,
        plane: Option<TangentPlane>,
        policy: Queue,
        clock: RunClock,
    ) -> Self {
        Self {
            name: name.into(),
            site: Arc::new(site),
            fields: fields.into(),
            gaps_in_rows,
            with_bytes,
            plane,
            held: Arc::new(Mutex::new(Held {
                policy,
                waiting: VecDeque::with_capacity(policy.capacity()),
                tracker: Tracker::default(),
                counts: Counts::default(),
                faulted: false,
            })),
            clock,
            observer: None,
        }
    }

    pub(super) fn set_observer(&mut self, observer: Arc<dyn LinkObserver>) {
        self.observer = Some(observer);
    }

    /// Whether someone sees more than the readings: see [`observe`](Self::observe).
    pub fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// Shows bytes or a message that arrived at this time of the run's clock (ns), before a reading is taken from it. A
    /// driver that calls this is understood by `becomingone probe`, whatever the fields of a sensor are.
    pub fn observe(&self, arrival_ns: u64, seen: Observed<'_>) {
        if let Some(observer) = &self.observer {
            observer.see(arrival_ns, seen);
        }
    }

    /// Stable name of the sensor: `rover/imu`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its source, as the scene states it.
    pub fn site(&self) -> &SourceSite {
        &self.site
    }

    /// Length of a reading.
    pub fn numbers(&self) -> usize {
        self.fields.len()
    }

    /// Names of the numbers of a reading, in order.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Whether a number of a reading may be missing (`NaN`).
    pub fn has_gaps(&self) -> bool {
        self.gaps_in_rows
    }

    /// Whether a reading has bytes beside its numbers.
    pub fn has_bytes(&self) -> bool {
        self.with_bytes
    }

    /// Local plane of the scene, for places in WGS84; none in a scene without `origin`.
    pub fn plane(&self) -> Option<&TangentPlane> {
        self.plane.as_ref()
    }

    /// The run's clock now (ns): call it where a reading is captured, and not after it was decoded.
    pub fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    /// Why a reading does not fit this sensor, as found and expected; none where it fits. Such a reading is counted by
    /// [`push`](Self::push), and not used.
    pub fn misfit(&self, sample: &Sample) -> Option<String> {
        let (found, expected) = (sample.numbers.len(), self.fields.len());
        if found != expected {
            return Some(format!(
                "found {found} {}; expected {expected}",
                if found == 1 { "number" } else { "numbers" }
            ));
        }
        if self.with_bytes == sample.bytes.is_empty() {
            return Some(
                if self.with_bytes {
                    "found no bytes; expected some beside the numbers"
                } else {
                    "found bytes; expected numbers only"
                }
                .to_owned(),
            );
        }
        let fits = |x: &f64| x.is_finite() || (self.gaps_in_rows && x.is_nan());
        let wrong = sample.numbers.iter().position(|x| !fits(x))?;
        Some(format!(
            "found no value (null, NaN) or an infinite one as number {}; expected a finite number in all {expected} of such a reading",
            wrong + 1
        ))
    }

    /// Queues a reading that was captured at this time of the run's clock, or counts it as lost.
    pub fn push(&self, arrival_ns: u64, sample: Sample) {
        let mut held = self.lock();
        let held = &mut *held;
        let fits = self.misfit(&sample).is_none();
        let mut anew = false;
        if let Some(sequence) = sample.sequence {
            // The number of an invalid reading is used only where it is the next one.
            if !fits && !held.tracker.is_next(sequence, sample.session) {
                held.counts.garbage += 1;
                return;
            }
            match held
                .tracker
                .receive(sequence, sample.session, sample.stamp_ns, arrival_ns)
            {
                Arrival::Next { missing } => {
                    held.counts.gaps = held.counts.gaps.saturating_add(missing);
                }
                Arrival::Anew => {
                    held.counts.restarts += 1;
                    anew = true;
                }
                Arrival::Late => {
                    // It was counted as missing, and arrived after all: too late to be a reading.
                    held.counts.gaps = held.counts.gaps.saturating_sub(1);
                    held.counts.reordered += 1;
                    held.counts.dropped += 1;
                    return;
                }
                Arrival::Again => {
                    held.counts.duplicates += 1;
                    return;
                }
            }
        }
        if !fits || held.faulted {
            held.counts.dropped += 1;
            return;
        }
        // A probe of any numbers takes none.
        if self.is_observed() && self.fields.is_empty() {
            return;
        }
        if held.waiting.len() >= held.policy.capacity() {
            held.counts.dropped += 1;
            if let Queue::Lossless(_) = held.policy {
                held.faulted = true;
                return;
            }
            held.waiting.pop_front();
        }
        held.waiting.push_back(Waiting {
            arrival_ns,
            sample,
            anew,
        });
    }

    /// Counts an arrival that was no reading.
    pub fn garbage(&self) {
        self.lock().counts.garbage += 1;
    }

    /// Takes all queued readings; returns the counts, and whether a lossless queue overflowed.
    pub(super) fn take(&self, into: &mut VecDeque<Waiting>) -> (Counts, bool) {
        let mut held = self.lock();
        into.append(&mut held.waiting);
        (held.counts, held.faulted)
    }

    pub(super) fn clear(&self) {
        let mut held = self.lock();
        held.waiting.clear();
        held.tracker = Tracker::default();
        held.counts = Counts::default();
        held.faulted = false;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(sequence: u64) -> Sample {
        Sample {
            sequence: Some(sequence),
            stamp_ns: Some(sequence.saturating_add(1_000)),
            numbers: vec![sequence as f64],
            ..Sample::default()
        }
    }

    fn end(policy: Queue) -> SensorEnd {
        let fields = vec!["x".to_owned()];
        SensorEnd::new(
            "a/b",
            SourceSite::default(),
            fields,
            false,
            false,
            None,
            policy,
            RunClock::default(),
        )
    }

    fn taken(end: &SensorEnd) -> (Vec<u64>, Counts, bool) {
        let mut into = VecDeque::new();
        let (counts, faulted) = end.take(&mut into);
        let sequences = into.iter().filter_map(|w| w.sample.sequence);
        (sequences.collect(), counts, faulted)
    }

    #[test]
    fn the_newest_the_last_ones_or_a_fault() {
        for (policy, kept, dropped, fault) in [
            (Queue::Latest, vec![4], 4, false),
            (Queue::DropOldest(2), vec![3, 4], 3, false),
            (Queue::Lossless(2), vec![0, 1], 3, true),
        ] {
            let end = end(policy);
            (0..5).for_each(|k| end.push(0, sample(k)));
            let (waited, counts, faulted) = taken(&end);
            assert_eq!((waited, counts.dropped, faulted), (kept, dropped, fault));
            end.clear();
            end.push(0, sample(0));
            assert_eq!(taken(&end).0, [0]);
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let end = end(Queue::DropOldest(8));
        for numbers in [vec![], vec![1.0, 2.0], vec![f64::NAN], vec![f64::INFINITY]] {
            let sample = Sample {
                numbers,
                ..Sample::default()
            };
            end.push(0, sample);
        }
        let (waited, counts, _) = taken(&end);
        assert!(waited.is_empty());
        assert_eq!(counts.dropped, 4);
    }

    #[test]
    fn a_misshapen_reading_with_any_number_is_garbage_and_begins_nothing() {
        let end = end(Queue::DropOldest(2000));
        for k in 0..1000 {
            end.push(0, sample(k));
            if k % 100 == 50 {
                for sequence in [0, k - 3, k + 2, 1 << 60] {
                    let numbers = vec![];
                    end.push(
                        0,
                        Sample {
                            numbers,
                            ..sample(sequence)
                        },
                    );
                }
            }
        }
        let (waited, counts, _) = taken(&end);
        assert_eq!(waited.len(), 1000);
        assert_eq!((counts.gaps, counts.restarts, counts.garbage), (0, 0, 40));
    }

    #[test]
    fn numbers_that_jump_across_all_of_their_range_count_no_gap() {
        let end = end(Queue::DropOldest(8));
        let last = u64::MAX;
        for sequence in [0, last, 0, last, 1, 2, 3] {
            end.push(
                0,
                Sample {
                    stamp_ns: None,
                    ..sample(sequence)
                },
            );
        }
        let (waited, counts, _) = taken(&end);
        assert_eq!(waited, [0, last, 0, last, 1, 2, 3]);
        assert_eq!((counts.gaps, counts.restarts), (0, 4));
        // A gap as large as is possible, again and again.
        for k in 1..4 {
            end.push(
                0,
                Sample {
                    stamp_ns: None,
                    ..sample(3 + (k << 32))
                },
            );
        }
        assert_eq!(taken(&end).1.gaps, 3 * ((1 << 32) - 1));
    }

    proptest! {
        /// For any loss, duplication or swap on the way: sent = consumed + dropped + gaps.
        #[test]
        fn every_reading_is_accounted_for(
            fates in prop::collection::vec((0..10u8, 0..6usize), 1..400),
            capacity in 1..20u32,
            drained in 1..50usize,
        ) {
            let end = end(Queue::DropOldest(capacity));
            let sent = fates.len() as u64;
            let mut wire: Vec<(usize, u64)> = Vec::new();
            for (k, &(fate, later)) in fates.iter().enumerate() {
                match fate {
                    0 => {}
                    1 => wire.extend([(k, k as u64), (k + later, k as u64)]),
                    2 => wire.push((k + later, k as u64)),
                    _ => wire.push((k, k as u64)),
                }
            }
            wire.sort_by_key(|(at, _)| *at);
            // Losses before the first and after the last arrival are not detectable.
            wire.insert(0, (0, 0));
            wire.push((usize::MAX, sent - 1));
            let (mut consumed, mut counts) = (0, Counts::default());
            for part in wire.chunks(drained) {
                part.iter().for_each(|(_, k)| end.push(0, sample(*k)));
                let (waited, now, _) = taken(&end);
                consumed += waited.len() as u64;
                counts = now;
            }
            prop_assert_eq!(sent, consumed + counts.dropped + counts.gaps);
            prop_assert_eq!(counts.restarts, 0);
        }
    }
}
