//! Sequence numbers of a sender's readings: gaps, late and duplicate readings, restarts.

use becomingone_components::time::NS_PER_S;

/// Largest lateness of a number; one further back is a duplicate, or of a sender that restarted.
const WINDOW: u64 = 128;
/// Largest gap; a jump beyond it is of a sender that counts anew. At 10 kHz it is five days.
const MAX_GAP: u64 = 1 << 32;
/// Time of ascending numbers further back from which on they are those of a sender that restarted (ns): a queue that is
/// sent again is shorter.
const RESTARTED_NS: u64 = 2 * NS_PER_S;

/// Class of a received sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The newest; so many before it have not arrived (yet).
    Next {
        /// Numbers between it and the newest before.
        missing: u64,
    },
    /// The sender restarted, and its numbers too.
    Anew,
    /// Older than the newest, and not received before.
    Late,
    /// Received before.
    Again,
}

/// Recently received sequence numbers.
///
/// A restart is detected by a new session; by a jump ahead beyond any loss; by numbers that go back while stamps go on;
/// and, further back than the largest lateness, by a number of the first 128 where there are no stamps, or by numbers that
/// ascend for two seconds. Other numbers that far back are duplicates: messages that are sent again after a while.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracker {
    newest: Option<u64>,
    session: Option<u64>,
    newest_stamp_ns: Option<u64>,
    /// Bit k: whether `newest - k` was received.
    came: u128,
    /// Numbers far back, as they ascend: the last one, and the arrival of the first one (ns).
    back: Option<(u64, u64)>,
}

impl Tracker {
    /// Receives the number of a reading, its sender's session and its stamp on the sender's clock (ns), at this time of
    /// the run (ns).
    pub fn receive(
        &mut self,
        sequence: u64,
        session: Option<u64>,
        stamp_ns: Option<u64>,
        arrival_ns: u64,
    ) -> Arrival {
        let Some(newest) = self.newest else {
            self.begin(sequence, session, stamp_ns);
            return Arrival::Next { missing: 0 };
        };
        let stamps = stamp_ns.zip(self.newest_stamp_ns);
        let goes_on = stamps.is_some_and(|(stamp, newest)| stamp > newest);
        let back = newest.saturating_sub(sequence);
        let is_far_back = back >= WINDOW;
        let restarts = session != self.session
            || sequence.saturating_sub(newest) > MAX_GAP
            || (sequence <= newest && goes_on)
            || (is_far_back && stamps.is_none() && sequence < WINDOW)
            || (is_far_back && self.ascends(sequence, arrival_ns));
        if restarts {
            self.begin(sequence, session, stamp_ns);
            return Arrival::Anew;
        }
        if is_far_back {
            return Arrival::Again;
        }
        if sequence > newest {
            let ahead = sequence - newest;
            self.back = None;
            self.came = if ahead < WINDOW {
                self.came << ahead | 1
            } else {
                1
            };
            self.newest = Some(sequence);
            self.newest_stamp_ns = stamp_ns.or(self.newest_stamp_ns);
            return Arrival::Next { missing: ahead - 1 };
        }
        let bit = 1u128 << back;
        if self.came & bit != 0 {
            return Arrival::Again;
        }
        self.came |= bit;
        Arrival::Late
    }

    /// Whether this number is the next of the same sender.
    pub fn is_next(&self, sequence: u64, session: Option<u64>) -> bool {
        session == self.session && self.newest.and_then(|n| n.checked_add(1)) == Some(sequence)
    }

    /// Whether numbers far back have ascended for so long that their sender restarted.
    fn ascends(&mut self, sequence: u64, arrival_ns: u64) -> bool {
        let since_ns = match self.back {
            Some((last, since_ns)) if sequence > last => since_ns,
            _ => arrival_ns,
        };
        self.back = Some((sequence, since_ns));
        arrival_ns.saturating_sub(since_ns) >= RESTARTED_NS
    }

    fn begin(&mut self, sequence: u64, session: Option<u64>, stamp_ns: Option<u64>) {
        *self = Self {
            newest: Some(sequence),
            session,
            newest_stamp_ns: stamp_ns,
            // Numbers before the first one are not tracked, and count as received.
            came: u128::MAX,
            back: None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_late_ones_and_doubles_are_distinguished() {
        let mut tracker = Tracker::default();
        let mut receive = |sequence| tracker.receive(sequence, None, Some(sequence * 10), 0);
        assert_eq!(receive(7), Arrival::Next { missing: 0 });
        assert_eq!(receive(8), Arrival::Next { missing: 0 });
        assert_eq!(receive(12), Arrival::Next { missing: 3 });
        assert_eq!(receive(10), Arrival::Late);
        assert_eq!(receive(10), Arrival::Again);
        assert_eq!(receive(12), Arrival::Again);
        assert_eq!(receive(13), Arrival::Next { missing: 0 });
    }

    #[test]
    fn a_restart_of_the_sender_is_detected_by_any_of_three_signs() {
        let from = |newest, stamp| {
            let mut tracker = Tracker::default();
            tracker.receive(newest, Some(1), Some(stamp), 0);
            tracker
        };
        // Its numbers go back, its clock goes on.
        assert_eq!(from(9, 90).receive(0, Some(1), Some(91), 0), Arrival::Anew);
        // Both go back, with a new session.
        assert_eq!(from(9, 90).receive(0, Some(2), Some(0), 0), Arrival::Anew);
        // Or it is further back than the largest lateness.
        assert_eq!(from(1000, 90).receive(0, Some(1), None, 0), Arrival::Anew);
        let mut tracker = from(9, 90);
        tracker.receive(0, Some(2), Some(0), 0);
        assert_eq!(
            tracker.receive(1, Some(2), Some(1), 0),
            Arrival::Next { missing: 0 }
        );
    }

    #[test]
    fn wrong_numbers_of_any_size_are_restarts_and_no_gaps() {
        let mut tracker = Tracker::default();
        let mut receive = |sequence| tracker.receive(sequence, None, None, 0);
        assert_eq!(receive(0), Arrival::Next { missing: 0 });
        assert_eq!(receive(u64::MAX), Arrival::Anew);
        assert_eq!(receive(0), Arrival::Anew);
        assert_eq!(receive(u64::MAX), Arrival::Anew);
        assert_eq!(receive(1), Arrival::Anew);
        assert_eq!(receive(2), Arrival::Next { missing: 0 });
        let missing = MAX_GAP - 1;
        assert_eq!(receive(2 + MAX_GAP), Arrival::Next { missing });
    }

    #[test]
    fn messages_that_are_sent_again_after_a_while_are_duplicates() {
        let ms = 1_000_000;
        for is_stamped in [true, false] {
            let mut tracker = Tracker::default();
            let mut receive = |k: u64, sequence: u64| {
                let stamp_ns = is_stamped.then_some(sequence * ms);
                tracker.receive(sequence, None, stamp_ns, k * 3 * ms)
            };
            for k in 0..400 {
                assert_eq!(receive(k, k), Arrival::Next { missing: 0 });
            }
            // With stamps also the first ones.
            let first = if is_stamped { 0 } else { WINDOW };
            for k in first..400 {
                assert_eq!(receive(400 + k, k), Arrival::Again, "{k} {is_stamped}");
            }
            assert_eq!(receive(800, 400), Arrival::Next { missing: 0 });
        }
    }

    #[test]
    fn a_sender_whose_clock_restarts_with_it_is_followed_after_two_seconds() {
        let mut tracker = Tracker::default();
        let ms = 1_000_000;
        tracker.receive(9_000, None, Some(90_000 * ms), 0);
        let arrivals: Vec<Arrival> = (0..300)
            .map(|k| tracker.receive(k, None, Some(k * 10 * ms), (5_000 + k * 10) * ms))
            .collect();
        assert!(arrivals[..200].iter().all(|a| *a == Arrival::Again));
        assert_eq!(arrivals[200], Arrival::Anew);
        assert!(
            arrivals[201..]
                .iter()
                .all(|a| *a == Arrival::Next { missing: 0 })
        );
    }
}
