//! Planar lidar measurement.

use super::measurement::{Field, Measurement, field};

/// One turn of a planar lidar. Ray k points at `angle_min_rad + k * angle_step_rad` about the sensor's z, 0 along its
/// x.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scan {
    /// Direction of the first ray (rad).
    pub angle_min_rad: f32,
    /// Angle from a ray to the next (rad).
    pub angle_step_rad: f32,
    /// Distances (m); the largest range where nothing was hit.
    pub ranges_m: Vec<f32>,
    /// Largest range (m).
    pub range_max_m: f32,
}

impl Measurement for Scan {
    const KIND: &'static str = "lidar";
    const FIELDS: &'static [Field] = &[field("range", "m")];
    const IS_ROW: bool = true;
    const SURROUNDINGS: bool = true;

    fn limits(&self) -> Option<[f64; 2]> {
        Some([0.0, f64::from(self.range_max_m)])
    }

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        self.ranges_m.iter().map(|&r| f64::from(r)).for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let fits = numbers.len() == self.ranges_m.len();
        if fits {
            for (range, &x) in self.ranges_m.iter_mut().zip(numbers) {
                *range = x as f32;
            }
        }
        fits
    }
}
