//! Measurements of the air: pressure, temperature.

use super::measurement::{Field, Measurement, field};

/// Static pressure of the air.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Pressure (Pa).
    pub pressure_pa: f64,
}

impl Measurement for Pressure {
    const KIND: &'static str = "barometer";
    const FIELDS: &'static [Field] = &[field("pressure", "Pa")];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.pressure_pa);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[pressure_pa] = numbers else {
            return false;
        };
        self.pressure_pa = pressure_pa;
        true
    }
}

/// Temperature of the air.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AirTemperature {
    /// Temperature (°C), as thermometers and ROS give it.
    pub temperature_deg_c: f64,
}

impl Measurement for AirTemperature {
    const KIND: &'static str = "temperature";
    const FIELDS: &'static [Field] = &[field("temperature", "degC")];
    const STATIONARY: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(self.temperature_deg_c);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[temperature_deg_c] = numbers else {
            return false;
        };
        self.temperature_deg_c = temperature_deg_c;
        true
    }
}
