//! `Bias`: a constant offset.

use becomingone_components::check::Checks;
use becomingone_components::fault::{FaultKind, FaultNow, FaultTarget};
use becomingone_components::kind::Kind;
use becomingone_components::sensor::{ContactForce, Measurement as _};
use serde::{Deserialize, Serialize};

/// Adds a constant to the true value, in the number's own unit. Not for counters.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Bias(pub f64);

impl Kind for Bias {
    const NAME: &'static str = "Bias";
    const ABOUT: &'static str = "constant offset, in the number's unit: Bias(0.1)";
}

impl FaultKind for Bias {
    type State = ();

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, -1e6, 1e6, "a number within 1e6");
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        if target.schema.counts {
            return Some((
                "`Bias` of an incremental counter: only its increments are measured".to_owned(),
                "`Scale`, `Drift` or `Freeze`".to_owned(),
            ));
        }
        refuse_offset(target)
    }

    fn describe(&self) -> String {
        format!("off by {}", self.0)
    }

    fn inject(&self, (): &mut (), now: &FaultNow, numbers: &mut [f64]) {
        if now.active && !now.counts {
            now.map(numbers, |x| x + self.0);
        }
    }
}

/// Reason why an offset does not apply to its target.
pub(super) fn refuse_offset(target: &FaultTarget<'_>) -> Option<(String, String)> {
    let name = target.sensor.unwrap_or_default();
    if target.measures == ContactForce::KIND && target.numbers.start == 0 {
        return Some((
            "an offset of a flag".to_owned(),
            format!("`Freeze`, or the part `{name}/force`"),
        ));
    }
    if target.schema.unit(&target.numbers).is_some() {
        return None;
    }
    let one_unit = |name: &&str| {
        let numbers = target.schema.numbers(name);
        numbers.is_some_and(|n| target.schema.unit(&n).is_some())
    };
    let parts: Vec<&str> = target.schema.names().filter(one_unit).collect();
    Some((
        "one offset for several units".to_owned(),
        format!(
            "a part of `{}/{name}` with one unit: {}",
            target.agent,
            parts.join(", ")
        ),
    ))
}
