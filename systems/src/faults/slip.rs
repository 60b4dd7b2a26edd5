//! `Slip`: wheels that lose grip.

use becomingone_components::check::Checks;
use becomingone_components::fault::FaultKind;
use becomingone_components::kind::Kind;
use serde::{Deserialize, Serialize};

/// Of a drive: its wheels roll over the ground by less than they turn, by this share of their turn.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Slip(pub f64);

impl Kind for Slip {
    const NAME: &'static str = "Slip";
    const ABOUT: &'static str = "of a drive: wheel slip, as a share of the turn: Slip(0.1)";
}

impl FaultKind for Slip {
    type State = ();

    const OF_DRIVE: bool = true;

    fn check(&self, checks: &mut Checks<'_>) {
        // A share of 1 would be a wheel that turns for ever on the spot.
        checks.within("", self.0, 0.0, 0.99, "a share from 0 to 0.99");
    }

    fn describe(&self) -> String {
        format!("slipping by a share of {}", self.0)
    }

    fn rolled_share(&self) -> f64 {
        1.0 - self.0
    }
}
