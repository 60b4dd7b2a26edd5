//! `Torque`: weak motors.

use becomingone_components::check::Checks;
use becomingone_components::fault::FaultKind;
use becomingone_components::kind::Kind;
use serde::{Deserialize, Serialize};

/// Of a drive: its motors have this share of their torque, and of their gain.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Torque(pub f64);

impl Kind for Torque {
    const NAME: &'static str = "Torque";
    const ABOUT: &'static str = "of a drive: share of its motors' torque: Torque(0.5)";
}

impl FaultKind for Torque {
    type State = ();

    const OF_DRIVE: bool = true;

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within("", self.0, 0.0, 1.0, "a share from 0 to 1");
    }

    fn describe(&self) -> String {
        format!("with a share of {} of its torque", self.0)
    }

    fn torque_share(&self) -> f64 {
        self.0
    }
}
