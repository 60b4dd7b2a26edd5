//! `DropOut`: lost readings.

use becomingone_components::check::Checks;
use becomingone_components::fault::{FaultKind, FaultTarget};
use becomingone_components::kind::Kind;
use becomingone_components::seed::Rng;
use serde::{Deserialize, Serialize};

/// Loses each reading, as a whole, with this probability.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct DropOut(pub f64);

impl Kind for DropOut {
    const NAME: &'static str = "DropOut";
    const ABOUT: &'static str = "readings lost with this probability: DropOut(0.3)";
}

impl FaultKind for DropOut {
    type State = ();

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, 0.0, 1.0, "a share from 0 to 1");
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        (!target.is_whole()).then(|| {
            let (agent, name) = (target.agent, target.sensor.unwrap_or_default());
            (
                "a drop-out of a part: readings are lost as a whole".to_owned(),
                format!("the whole sensor, `{agent}/{name}`"),
            )
        })
    }

    fn describe(&self) -> String {
        format!("losing a share of {}", self.0)
    }

    fn loses(&self, rng: &mut Rng) -> bool {
        rng.share() < self.0
    }
}
