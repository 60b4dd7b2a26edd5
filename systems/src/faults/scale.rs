//! `Scale`: a scale-factor error.

use super::counter::CounterOffset;
use becomingone_components::check::Checks;
use becomingone_components::fault::{FaultKind, FaultNow, FaultTarget};
use becomingone_components::kind::Kind;
use becomingone_components::sensor::{GnssFix, Measurement as _};
use serde::{Deserialize, Serialize};

/// Multiplies the true value by this factor; of a counter, its increments.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Scale(pub f64);

impl Kind for Scale {
    const NAME: &'static str = "Scale";
    const ABOUT: &'static str = "scale-factor error: Scale(1.05)";
}

impl FaultKind for Scale {
    type State = CounterOffset;

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, -1e6, 1e6, "a factor within 1e6");
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        let position =
            target.measures == GnssFix::KIND && target.numbers.start < GnssFix::METRES.end;
        position.then(|| {
            let name = target.sensor.unwrap_or_default();
            (
                "a scaled position on the Earth, which has no zero".to_owned(),
                format!("`Freeze`, or the part `{name}/velocity`"),
            )
        })
    }

    fn describe(&self) -> String {
        format!("scaled by {}", self.0)
    }

    fn inject(&self, offset: &mut CounterOffset, now: &FaultNow, numbers: &mut [f64]) {
        if now.counts {
            offset.apply(numbers, if now.active { self.0 - 1.0 } else { 0.0 }, 0.0);
        } else if now.active {
            now.map(numbers, |x| x * self.0);
        }
    }
}
