//! Map of a device's clock to the run's, by the minimum delay of recent stamps.
//!
//! Delays are never negative, so the run's time of an arrival minus the device's stamp is the offset of the clocks
//! plus a delay; its minimum over a window is the offset plus the minimum delay. Two alternating windows let it
//! follow a clock that drifts.

use becomingone_components::link::{Clock, ClockState};
use becomingone_components::time::NS_PER_S;

/// Stamps before the map is locked.
const ACQUIRED: u32 = 8;
/// Length of a window (ns). Two crystals that differ by 100 ppm diverge by half a millisecond in it.
const WINDOW_NS: u64 = 5 * NS_PER_S;
/// Silence after which the map is in hold-over (ns).
const HOLD_NS: u64 = NS_PER_S;
/// Silence after which it expires (ns): crystals may have diverged by more than a tick.
const EXPIRE_NS: u64 = 60 * NS_PER_S;

/// Difference of an offset to the map's from which on it is checked against the next ones (ns): one wrong stamp ahead would
/// hold all others back. Delays change by less.
const FAR_NS: i64 = 100_000_000;
/// Stamps in a row that are as far ahead, from which on they are right and the map is not: the sender's clock was set.
const AGREEING: u32 = 4;

/// Map of one link.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockMap {
    current: Clock,
    stamps: u32,
    /// Least offsets (ns) of the last window and of this one.
    least: [Option<i64>; 2],
    window_end_ns: u64,
    last_arrival_ns: u64,
    last_source_ns: u64,
    /// Stamps ahead in a row, and the offset of the first of them (ns).
    ahead: Option<(u32, i64)>,
    /// Stamps ahead that were not used.
    ignored: u64,
}

impl ClockMap {
    /// Stamps so far that were ignored, being far ahead of the others; their readings have their arrival as source time.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The state and offset now.
    pub fn clock(&self) -> Clock {
        self.current
    }

    /// Source time of a reading on the run's clock (ns): its stamp, mapped; never after its arrival, never before the
    /// previous reading. Its arrival, without a stamp.
    pub fn map(&mut self, stamp_ns: Option<u64>, arrival_ns: u64) -> u64 {
        let mapped = match stamp_ns {
            None => arrival_ns,
            Some(stamp_ns) => self.moved(stamp_ns, arrival_ns),
        };
        self.last_arrival_ns = arrival_ns;
        self.last_source_ns = mapped.min(arrival_ns).max(self.last_source_ns);
        self.last_source_ns
    }

    fn moved(&mut self, stamp_ns: u64, arrival_ns: u64) -> u64 {
        if self.current.state == ClockState::Expired {
            self.anew();
        }
        let offset = arrival_ns.wrapping_sub(stamp_ns) as i64;
        if self.is_ahead(offset) {
            self.ignored += 1;
            return arrival_ns;
        }
        if self.stamps == 0 || arrival_ns >= self.window_end_ns {
            self.least = [self.least[1], None];
            self.window_end_ns = arrival_ns + WINDOW_NS;
        }
        let least = self.least[1].map_or(offset, |least| least.min(offset));
        self.least[1] = Some(least);
        self.stamps = self.stamps.saturating_add(1);
        self.current = Clock {
            state: if self.stamps < ACQUIRED {
                ClockState::Acquiring
            } else {
                ClockState::Locked
            },
            offset_ns: self.least[0].map_or(least, |before| before.min(least)),
        };
        stamp_ns.wrapping_add(self.current.offset_ns as u64)
    }

    /// Whether a stamp is too far ahead of the others to be used. Some in a row that agree begin the map anew.
    fn is_ahead(&mut self, offset: i64) -> bool {
        let is_far = |from: i64| offset.checked_sub(from).is_none_or(|by| by < -FAR_NS);
        if self.stamps < ACQUIRED || !is_far(self.current.offset_ns) {
            self.ahead = None;
            return false;
        }
        let (count, first) = match self.ahead {
            Some((count, first)) if offset.abs_diff(first) <= FAR_NS.unsigned_abs() => {
                (count, first)
            }
            _ => (0, offset),
        };
        self.ahead = Some((count + 1, first));
        if count + 1 < AGREEING {
            return true;
        }
        self.anew();
        false
    }

    /// Lets time pass without a reading (ns of the run).
    pub fn wait(&mut self, now_ns: u64) {
        let silent_ns = now_ns.saturating_sub(self.last_arrival_ns);
        self.current.state = match self.current.state {
            ClockState::Locked | ClockState::Acquiring if silent_ns > HOLD_NS => {
                ClockState::Holdover
            }
            ClockState::Holdover if silent_ns > EXPIRE_NS => ClockState::Expired,
            state => state,
        };
    }

    /// Resets the map of a device's clock, and not the passed time: its sender restarted.
    pub fn anew(&mut self) {
        *self = Self {
            last_arrival_ns: self.last_arrival_ns,
            last_source_ns: self.last_source_ns,
            ignored: self.ignored,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_acquires_locks_holds_and_expires() {
        let mut map = ClockMap::default();
        assert_eq!(map.clock().state, ClockState::None);
        assert_eq!(map.map(None, 5), 5);
        assert_eq!(map.clock().state, ClockState::None);
        let ms = 1_000_000;
        for k in 0..20 {
            map.map(Some(7_000 * ms + k * ms), 100 * ms + k * ms);
            let state = if k < 7 {
                ClockState::Acquiring
            } else {
                ClockState::Locked
            };
            assert_eq!(map.clock().state, state, "{k}");
        }
        assert_eq!(map.clock().offset_ns, -6_900 * ms as i64);
        map.wait(500 * ms);
        assert_eq!(map.clock().state, ClockState::Locked);
        map.wait(2_000 * ms);
        assert_eq!(map.clock().state, ClockState::Holdover);
        map.wait(70_000 * ms);
        assert_eq!(map.clock().state, ClockState::Expired);
        map.map(Some(1), 80_000 * ms);
        assert_eq!(map.clock().state, ClockState::Acquiring);
    }

    #[test]
    fn it_follows_a_clock_that_drifts_and_waits_for_the_shortest_way() {
        // 80 ppm fast, a delay of 2 ms and up to 10 ms more.
        let mut map = ClockMap::default();
        let mut worst = 0i64;
        for k in 0..60_000u64 {
            let true_ns = k * 1_000_000;
            let stamp = (true_ns as f64 * 1.000_08) as u64 + 123_456_789;
            let way_ns = 2_000_000 + (k * 7919 % 1000) * 10_000;
            let source = map.map(Some(stamp), true_ns + way_ns);
            if k > 2_000 {
                worst = worst.max((source as i64 - true_ns as i64 - 2_000_000).abs());
            }
        }
        // A drift of 80 ppm over two windows of 5 s is 0.8 ms.
        assert!(worst < 1_000_000, "{worst} ns");
    }

    /// Ticks of 20 Hz with a delay of 1 ms, whose stamps are ahead by so much (ns) from one tick to another.
    fn with_stamps_ahead(by_ns: u64, from: u64, to: u64) -> (ClockMap, Vec<i64>) {
        let ms = 1_000_000;
        let mut map = ClockMap::default();
        let lag = |k: u64| {
            let sent_ns = (100_000 + 50 * k) * ms;
            let ahead_ns = if (from..to).contains(&k) { by_ns } else { 0 };
            let source = map.map(Some(sent_ns + ahead_ns), sent_ns - 90_000 * ms);
            (sent_ns - 90_000 * ms) as i64 - source as i64
        };
        let lags = (0..400).map(lag).collect();
        (map, lags)
    }

    #[test]
    fn one_stamp_far_ahead_is_ignored_and_counted() {
        let (map, lags) = with_stamps_ahead(4_000_000_000, 100, 101);
        assert_eq!(lags.iter().max(), Some(&0), "source time follows");
        assert_eq!(map.ignored(), 1);
        assert_eq!(map.clock().state, ClockState::Locked);
    }

    #[test]
    fn a_clock_that_is_set_ahead_is_followed_once_some_stamps_agree() {
        let (map, lags) = with_stamps_ahead(4_000_000_000, 100, 400);
        assert_eq!(lags.iter().max(), Some(&0));
        assert_eq!(map.ignored(), 3);
        assert_eq!(map.clock().offset_ns, -94_000_000_000);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_nor_ahead_of_the_arrival(
            steps in prop::collection::vec((any::<u64>(), 0..2_000_000_000u64, any::<bool>()), 1..200)
        ) {
            let mut map = ClockMap::default();
            let (mut arrival, mut last) = (0, 0);
            for (stamp, wait, stamped) in steps {
                arrival += wait;
                map.wait(arrival);
                let source = map.map(stamped.then_some(stamp), arrival);
                prop_assert!(source <= arrival && source >= last);
                last = source;
            }
        }
    }
}
