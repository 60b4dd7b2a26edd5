//! Battery measurement.

use super::measurement::{Field, Measurement, field};

/// State of a battery.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatteryState {
    /// Voltage at its terminals (V).
    pub voltage_v: f64,
    /// Current, positive while it is discharged (A).
    pub current_a: f64,
    /// Charge that is left, from 0 to 1.
    pub charge: f64,
}

impl Measurement for BatteryState {
    const KIND: &'static str = "battery";
    const FIELDS: &'static [Field] = &[
        field("voltage", "V"),
        field("current", "A"),
        field("charge", "1"),
    ];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        [self.voltage_v, self.current_a, self.charge]
            .into_iter()
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[voltage_v, current_a, charge] = numbers else {
            return false;
        };
        *self = Self {
            voltage_v,
            current_a,
            charge,
        };
        true
    }
}
