//! `Hum`: mains hum on a sensor.

use becomingone::prelude::*;
use serde::{Deserialize, Serialize};

/// Scene: `faults: [(sensor: "rover/altimeter", kind: Hum(amplitude: 0.4), at_s: 10)]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hum {
    /// Amplitude in the unit of the value.
    pub amplitude: f64,
    /// Frequency (Hz).
    #[serde(default = "mains")]
    pub frequency_hz: f64,
}

fn mains() -> f64 {
    50.0
}

impl Kind for Hum {
    const NAME: &'static str = "Hum";
    const ABOUT: &'static str = "a sine on top of the true value";
}

impl FaultKind for Hum {
    type State = ();

    fn check(&self, checks: &mut Checks<'_>) {
        checks.within(
            "amplitude",
            self.amplitude,
            0.0,
            1e6,
            "a number from 0 to 1e6",
        );
        checks.positive("frequency_hz", self.frequency_hz);
    }

    fn describe(&self) -> String {
        format!(
            "humming with {} at {} Hz",
            self.amplitude, self.frequency_hz
        )
    }

    fn inject(&self, (): &mut (), now: &FaultNow, numbers: &mut [f64]) {
        if now.active {
            let t_s = now.now_ns as f64 * 1e-9;
            let turns = self.frequency_hz * t_s;
            let hum = self.amplitude * libm::sin(std::f64::consts::TAU * turns);
            now.map(numbers, |x| x + hum);
        }
    }
}
