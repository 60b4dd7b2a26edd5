//! `Delay`: delayed readings.

use becomingone_components::check::Checks;
use becomingone_components::fault::{FaultKind, FaultNow, FaultTarget};
use becomingone_components::kind::Kind;
use becomingone_components::time::NS_PER_S;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Longest delay (s).
const MAX_DELAY_S: f64 = 60.0;
/// Maximum numbers that a delay keeps.
const MAX_KEPT: f64 = 1e7;

/// Gives the value of this time ago (s); the first value, where the readings do not reach back that far.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Delay(pub f64);

/// Recent readings, oldest first: as many as the delay needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    stamps_ns: VecDeque<u64>,
    /// Numbers of all readings, as many of each.
    numbers: VecDeque<f64>,
}

impl Past {
    /// Adds a reading; the oldest is then the latest one that is old enough, or the first of all.
    fn push(&mut self, now: &FaultNow, delay_s: f64, numbers: &[f64]) {
        // The delayed reading, those since, and one for a period rounded by ticks.
        let most = (delay_s * now.rate_hz).ceil() as usize + 2;
        let delay_ns = (delay_s * NS_PER_S as f64).round() as u64;
        if self.stamps_ns.is_empty() {
            self.stamps_ns.reserve_exact(most + 1);
            self.numbers.reserve_exact((most + 1) * numbers.len());
        }
        self.stamps_ns.push_back(now.now_ns);
        self.numbers.extend(numbers);
        while let Some(second_ns) = self.stamps_ns.get(1)
            && (second_ns.saturating_add(delay_ns) <= now.now_ns || self.stamps_ns.len() > most)
        {
            self.stamps_ns.pop_front();
            self.numbers.drain(..numbers.len().min(self.numbers.len()));
        }
    }
}

impl Kind for Delay {
    const NAME: &'static str = "Delay";
    const ABOUT: &'static str = "delay of readings (s): Delay(0.1)";
}

impl FaultKind for Delay {
    type State = Past;

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, 1e-9, MAX_DELAY_S, "seconds from 1e-9 to 60");
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        let numbers = target.row.unwrap_or(target.schema.fields.len());
        let kept = self.0 * target.rate_hz * numbers as f64;
        (kept > MAX_KEPT).then(|| {
            (
                format!("a delay of {kept} numbers"),
                "a shorter delay: at most 10 million numbers".to_owned(),
            )
        })
    }

    fn describe(&self) -> String {
        format!("delayed by {} s", self.0)
    }

    /// Readings are kept before the fault too, so that there are earlier ones when it begins.
    fn inject(&self, past: &mut Past, now: &FaultNow, numbers: &mut [f64]) {
        past.push(now, self.0, numbers);
        if now.active {
            for (x, &earlier) in numbers.iter_mut().zip(&past.numbers) {
                *x = earlier;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_reserves_its_memory_with_the_first_reading() {
        let mut past = Past::default();
        let now = |k: u64| FaultNow {
            now_ns: k * NS_PER_S / 10,
            active: false,
            from_ns: 0,
            until_ns: u64::MAX,
            rate_hz: 10.0,
            counts: false,
            limits: None,
        };
        past.push(&now(0), 0.3, &[0.0; 4]);
        let room = (past.stamps_ns.capacity(), past.numbers.capacity());
        for k in 1..1000 {
            past.push(&now(k), 0.3, &[0.0; 4]);
        }
        let later = (past.stamps_ns.capacity(), past.numbers.capacity());
        assert_eq!(later, room);
        assert!(past.stamps_ns.len() <= 5 && past.numbers.len() <= 20);
    }
}
