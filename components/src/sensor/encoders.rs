//! Wheel encoder measurement.

use super::measurement::{Field, Measurement, field};

/// Angles of the driven wheels, in the order of the drive's wheels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncoderAngles {
    /// Turned since the start, forward positive, not wrapped (rad).
    pub angles_rad: Vec<f64>,
}

impl Measurement for EncoderAngles {
    const KIND: &'static str = "encoders";
    const FIELDS: &'static [Field] = &[field("angle", "rad")];
    const IS_ROW: bool = true;
    const COUNTS: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.angles_rad.iter().copied().for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let fits = numbers.len() == self.angles_rad.len();
        if fits {
            self.angles_rad.copy_from_slice(numbers);
        }
        fits
    }
}
