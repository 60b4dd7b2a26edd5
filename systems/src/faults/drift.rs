//! `Drift`: an offset that grows.

use super::bias::refuse_offset;
use super::counter::CounterOffset;
use becomingone_components::check::Checks;
use becomingone_components::fault::{FaultKind, FaultNow, FaultTarget};
use becomingone_components::kind::Kind;
use becomingone_components::sensor::elapsed_s;
use serde::{Deserialize, Serialize};

/// Adds an offset that grows at this rate per second since the fault began, in the number's own unit. A counter keeps
/// the offset.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Drift(pub f64);

impl Kind for Drift {
    const NAME: &'static str = "Drift";
    const ABOUT: &'static str = "offset with this growth per second: Drift(0.01)";
}

impl FaultKind for Drift {
    /// Stamp of the last reading of a counter (ns), and its offset.
    type State = (u64, CounterOffset);

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, -1e6, 1e6, "a number within 1e6");
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        refuse_offset(target)
    }

    fn describe(&self) -> String {
        format!("drifting by {} per second", self.0)
    }

    fn inject(&self, (last_ns, offset): &mut Self::State, now: &FaultNow, numbers: &mut [f64]) {
        if now.counts {
            let from_ns = (*last_ns).max(now.from_ns);
            let until_ns = now.now_ns.min(now.until_ns);
            offset.apply(numbers, 0.0, self.0 * elapsed_s(from_ns, until_ns));
            *last_ns = now.now_ns;
        } else if now.active {
            let off = self.0 * elapsed_s(now.from_ns, now.now_ns);
            now.map(numbers, |x| x + off);
        }
    }
}
