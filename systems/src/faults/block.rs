//! `Block`: rays without a target.

use becomingone_components::check::Checks;
use becomingone_components::fault::{FaultKind, FaultNow, FaultTarget};
use becomingone_components::kind::Kind;
use serde::{Deserialize, Serialize};

/// A share of a lidar's rays, from the first one on, has no target.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Block(pub f64);

impl Kind for Block {
    const NAME: &'static str = "Block";
    const ABOUT: &'static str = "share of a lidar's rays without a target: Block(0.25)";
}

impl FaultKind for Block {
    type State = ();

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, 0.0, 1.0, "a share from 0 to 1");
    }

    fn refuse(&self, target: &FaultTarget<'_>) -> Option<(String, String)> {
        (!target.rays).then(|| {
            (
                "a blocked sensor without rays".to_owned(),
                "a lidar as its `sensor`".to_owned(),
            )
        })
    }

    fn describe(&self) -> String {
        format!("blocked by a share of {}", self.0)
    }

    fn inject(&self, (): &mut (), now: &FaultNow, numbers: &mut [f64]) {
        let Some([_, nothing]) = now.limits.filter(|_| now.active) else {
            return;
        };
        let blocked = (self.0 * numbers.len() as f64).round() as usize;
        numbers.iter_mut().take(blocked).for_each(|x| *x = nothing);
    }
}
