//! Force-torque measurement.

use super::measurement::{Field, Measurement, Part, field, part, vec3};
use glam::Vec3;

/// Force and torque that hold the sensor's link, in the sensor's own axes; the torque is about its origin.
///
/// They act from the parent on the link: at rest, the force points up with the weight of all that the joint carries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Wrench {
    /// N.
    pub force_n: Vec3,
    /// N m.
    pub torque_n_m: Vec3,
}

impl Measurement for Wrench {
    const KIND: &'static str = "force_torque";
    const FIELDS: &'static [Field] = &[
        field("force_x", "N"),
        field("force_y", "N"),
        field("force_z", "N"),
        field("torque_x", "N m"),
        field("torque_y", "N m"),
        field("torque_z", "N m"),
    ];
    const PARTS: &'static [Part] = &[part("force", 0, 3), part("torque", 3, 3)];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        let [force, torque] = [self.force_n, self.torque_n_m].map(|v| v.to_array());
        force
            .into_iter()
            .chain(torque)
            .map(f64::from)
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[fx, fy, fz, tx, ty, tz] = numbers else {
            return false;
        };
        self.force_n = vec3([fx, fy, fz]);
        self.torque_n_m = vec3([tx, ty, tz]);
        true
    }
}
