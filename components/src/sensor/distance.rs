//! Range finder measurement.

use super::measurement::{Field, Measurement, field};

/// Distance to the nearest object in a cone about the sensor's x.
///
/// Readings are finite, where REP 117 has infinities: `range_max_m` stands for no target in range, and `range_min_m` for a
/// target at that distance or nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distance {
    /// Distance (m).
    pub range_m: f32,
    /// Nearest that is measured (m).
    pub range_min_m: f32,
    /// Farthest (m).
    pub range_max_m: f32,
    /// Angle of the cone, from edge to edge (rad).
    pub fov_rad: f32,
}

impl Measurement for Distance {
    const KIND: &'static str = "range";
    const FIELDS: &'static [Field] = &[field("range", "m")];
    const SURROUNDINGS: bool = true;

    fn limits(&self) -> Option<[f64; 2]> {
        Some([self.range_min_m, self.range_max_m].map(f64::from))
    }

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        each(f64::from(self.range_m));
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[range_m] = numbers else {
            return false;
        };
        self.range_m = range_m as f32;
        true
    }
}
