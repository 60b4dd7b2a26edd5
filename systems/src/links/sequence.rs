//! Sequence numbers of a sender's readings: gaps, late and duplicate readings, restarts.

/// Largest lateness of a number; one further back is of a sender that restarted.
const WINDOW: u64 = 128;

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
/// A restart is detected by a new session; by numbers that go back while stamps go on; or by numbers that go back
/// further than the largest lateness.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracker {
    newest: Option<u64>,
    session: Option<u64>,
    newest_stamp_ns: Option<u64>,
    /// Bit k: whether `newest - k` was received.
    came: u128,
}

impl Tracker {
    /// Receives the number of a reading, its sender's session and its stamp on the sender's clock (ns).
    pub fn receive(
        &mut self,
        sequence: u64,
        session: Option<u64>,
        stamp_ns: Option<u64>,
    ) -> Arrival {
        let Some(newest) = self.newest else {
            self.begin(sequence, session, stamp_ns);
            return Arrival::Next { missing: 0 };
        };
        let goes_on = match (stamp_ns, self.newest_stamp_ns) {
            (Some(stamp), Some(newest)) => stamp > newest,
            _ => false,
        };
        let back = newest.saturating_sub(sequence);
        let other_session = session != self.session;
        if other_session || (sequence <= newest && (goes_on || back >= WINDOW)) {
            self.begin(sequence, session, stamp_ns);
            return Arrival::Anew;
        }
        if sequence > newest {
            let ahead = sequence - newest;
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

    fn begin(&mut self, sequence: u64, session: Option<u64>, stamp_ns: Option<u64>) {
        *self = Self {
            newest: Some(sequence),
            session,
            newest_stamp_ns: stamp_ns,
            // Numbers before the first one are not tracked, and count as received.
            came: u128::MAX,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_late_ones_and_doubles_are_distinguished() {
        let mut tracker = Tracker::default();
        let mut receive = |sequence| tracker.receive(sequence, None, Some(sequence * 10));
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
            tracker.receive(newest, Some(1), Some(stamp));
            tracker
        };
        // Its numbers go back, its clock goes on.
        assert_eq!(from(9, 90).receive(0, Some(1), Some(91)), Arrival::Anew);
        // Both go back, with a new session.
        assert_eq!(from(9, 90).receive(0, Some(2), Some(0)), Arrival::Anew);
        // Or it is further back than the largest lateness.
        assert_eq!(from(1000, 90).receive(0, Some(1), None), Arrival::Anew);
        let mut tracker = from(9, 90);
        tracker.receive(0, Some(2), Some(0));
        assert_eq!(
            tracker.receive(1, Some(2), Some(1)),
            Arrival::Next { missing: 0 }
        );
    }
}
