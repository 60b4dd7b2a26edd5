//! Contact measurement.

use super::measurement::{Field, Measurement, field};

/// Contact with anything but the ground.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContactForce {
    /// Touched now.
    pub touching: bool,
    /// Sum of the magnitudes of all contact forces (N).
    pub force_n: f32,
}

impl Measurement for ContactForce {
    const KIND: &'static str = "contact";
    const FIELDS: &'static [Field] = &[field("touching", "1"), field("force", "N")];
    const SURROUNDINGS: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(f64::from(u8::from(self.touching)));
        each(f64::from(self.force_n));
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[touching, force_n] = numbers else {
            return false;
        };
        *self = Self {
            touching: touching != 0.0,
            force_n: force_n as f32,
        };
        true
    }
}
