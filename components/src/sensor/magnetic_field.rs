//! Magnetometer measurement.

use super::measurement::{Field, Measurement, Part, field, part, vec3};
use glam::Vec3;

/// Magnetic flux density, in the sensor's own axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MagneticField {
    /// Flux density (T): the Earth's is 25 to 65 µT, and points down in the north.
    pub field_t: Vec3,
}

impl Measurement for MagneticField {
    const KIND: &'static str = "magnetometer";
    const FIELDS: &'static [Field] = &[
        field("field_x", "T"),
        field("field_y", "T"),
        field("field_z", "T"),
    ];
    const PARTS: &'static [Part] = &[part("field", 0, 3)];
    const SURROUNDINGS: bool = true;

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.field_t
            .to_array()
            .map(f64::from)
            .into_iter()
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[x, y, z] = numbers else {
            return false;
        };
        self.field_t = vec3([x, y, z]);
        true
    }
}
