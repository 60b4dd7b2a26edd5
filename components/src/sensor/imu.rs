//! IMU measurement.

use super::measurement::{Field, Measurement, Part, field, part, vec3};
use glam::Vec3;

/// Angular velocity and specific force, in the sensor's own axes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImuSample {
    /// rad/s.
    pub angular_velocity_rad_s: Vec3,
    /// Specific force (acceleration less gravity): at rest it points up with 9.81 m/s².
    pub specific_force_m_s2: Vec3,
}

impl Measurement for ImuSample {
    const KIND: &'static str = "imu";
    const FIELDS: &'static [Field] = &[
        field("angular_velocity_x", "rad/s"),
        field("angular_velocity_y", "rad/s"),
        field("angular_velocity_z", "rad/s"),
        field("specific_force_x", "m/s2"),
        field("specific_force_y", "m/s2"),
        field("specific_force_z", "m/s2"),
    ];
    const PARTS: &'static [Part] = &[
        part("gyro", 0, 3),
        part("gyro_x", 0, 1),
        part("gyro_y", 1, 1),
        part("gyro_z", 2, 1),
        part("accelerometer", 3, 3),
        part("accelerometer_x", 3, 1),
        part("accelerometer_y", 4, 1),
        part("accelerometer_z", 5, 1),
    ];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        for v in [self.angular_velocity_rad_s, self.specific_force_m_s2] {
            each(f64::from(v.x));
            each(f64::from(v.y));
            each(f64::from(v.z));
        }
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[wx, wy, wz, fx, fy, fz] = numbers else {
            return false;
        };
        self.angular_velocity_rad_s = vec3([wx, wy, wz]);
        self.specific_force_m_s2 = vec3([fx, fy, fz]);
        true
    }
}
