//! The numbers that a sender gives its readings: which came, which did not, which came late or twice.

/// How far back a number can be late; one that is further back is of a sender that began anew.
const WINDOW: u64 = 128;

/// What a number says about its reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is the newest; so many before it have not come (yet).
    Next {
        /// Numbers between it and the newest before.
        missing: u64,
    },
    /// The sender began anew: its numbers too.
    Anew,
    /// It is older than the newest, and did not come before.
    Late,
    /// It came before.
    Again,
}

/// Which of the last numbers came.
///
/// A sender that begins anew says so by its session; or its numbers go back while its stamps go on; or they go back
/// further than anything can be late on the way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracker {
    newest: Option<u64>,
    session: Option<u64>,
    newest_stamp_ns: Option<u64>,
    /// Bit k: whether `newest - k` came.
    came: u128,
}

impl Tracker {
    /// Hears the number of a reading, its sender's session and its stamp on the sender's clock (ns).
    pub fn hear(&mut self, sequence: u64, session: Option<u64>, stamp_ns: Option<u64>) -> Heard {
        let Some(newest) = self.newest else {
            self.begin(sequence, session, stamp_ns);
            return Heard::Next { missing: 0 };
        };
        let goes_on = match (stamp_ns, self.newest_stamp_ns) {
            (Some(stamp), Some(newest)) => stamp > newest,
            _ => false,
        };
        let back = newest.saturating_sub(sequence);
        let other_session = session != self.session;
        if other_session || (sequence <= newest && (goes_on || back >= WINDOW)) {
            self.begin(sequence, session, stamp_ns);
            return Heard::Anew;
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
            return Heard::Next { missing: ahead - 1 };
        }
        let bit = 1u128 << back;
        if self.came & bit != 0 {
            return Heard::Again;
        }
        self.came |= bit;
        Heard::Late
    }

    /// Whether this number would be the next of the same sender.
    pub fn is_next(&self, sequence: u64, session: Option<u64>) -> bool {
        session == self.session && self.newest.and_then(|n| n.checked_add(1)) == Some(sequence)
    }

    fn begin(&mut self, sequence: u64, session: Option<u64>, stamp_ns: Option<u64>) {
        *self = Self {
            newest: Some(sequence),
            session,
            newest_stamp_ns: stamp_ns,
            // What came before the first is none of ours: late or not, it is not told apart.
            came: u128::MAX,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_late_ones_and_doubles_are_told_apart() {
        let mut tracker = Tracker::default();
        let mut hear = |sequence| tracker.hear(sequence, None, Some(sequence * 10));
        assert_eq!(hear(7), Heard::Next { missing: 0 });
        assert_eq!(hear(8), Heard::Next { missing: 0 });
        assert_eq!(hear(12), Heard::Next { missing: 3 });
        assert_eq!(hear(10), Heard::Late);
        assert_eq!(hear(10), Heard::Again);
        assert_eq!(hear(12), Heard::Again);
        assert_eq!(hear(13), Heard::Next { missing: 0 });
    }

    #[test]
    fn a_sender_that_begins_anew_is_known_by_any_of_three_signs() {
        let from = |newest, stamp| {
            let mut tracker = Tracker::default();
            tracker.hear(newest, Some(1), Some(stamp));
            tracker
        };
        // Its numbers go back, its clock goes on.
        assert_eq!(from(9, 90).hear(0, Some(1), Some(91)), Heard::Anew);
        // Both go back: it says so itself.
        assert_eq!(from(9, 90).hear(0, Some(2), Some(0)), Heard::Anew);
        // Or it is further back than anything is late.
        assert_eq!(from(1000, 90).hear(0, Some(1), None), Heard::Anew);
        let mut tracker = from(9, 90);
        tracker.hear(0, Some(2), Some(0));
        assert_eq!(
            tracker.hear(1, Some(2), Some(1)),
            Heard::Next { missing: 0 }
        );
    }
}
