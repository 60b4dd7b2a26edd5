//! `Freeze`: a stuck-at fault.

use super::counter::CounterOffset;
use becomingone_components::fault::{FaultKind, FaultNow};
use becomingone_components::kind::Kind;
use serde::{Deserialize, Serialize};

/// Repeats the value of the fault's first reading. A counter (an encoder) continues from there when the fault ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Freeze;

impl Kind for Freeze {
    const NAME: &'static str = "Freeze";
    const ABOUT: &'static str = "stuck at the value of the fault's first reading";
}

impl FaultKind for Freeze {
    type State = (Vec<f64>, CounterOffset);

    fn describe(&self) -> String {
        "frozen".to_owned()
    }

    fn inject(&self, (held, offset): &mut Self::State, now: &FaultNow, numbers: &mut [f64]) {
        if now.counts {
            offset.apply(numbers, if now.active { -1.0 } else { 0.0 }, 0.0);
        } else if !now.active {
            held.clear();
        } else if held.len() == numbers.len() {
            numbers.copy_from_slice(held);
        } else {
            held.clear();
            held.extend_from_slice(numbers);
        }
    }
}
