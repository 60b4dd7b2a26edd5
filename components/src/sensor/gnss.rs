//! Satellite receiver measurement.

use super::measurement::{Field, Measurement, Part, field, part, vec3};
use crate::geodesy::Geodetic;
use glam::Vec3;

/// A GNSS fix: position of the antenna, in two frames, and its velocity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GnssFix {
    /// Position in WGS84, for recorders and maps.
    pub place: Geodetic,
    /// The same position in the world's axes, east, north, up of the scene's origin (m), for controllers.
    pub position_m: [f64; 3],
    /// Velocity of the antenna, east, north, up (m/s).
    pub velocity_m_s: Vec3,
}

impl GnssFix {
    /// Indices of the position in the world's axes.
    pub const METRES: std::ops::Range<usize> = 3..6;
    /// Index of the first of its velocities, east and north.
    pub const VELOCITY: usize = 6;
}

impl Measurement for GnssFix {
    const KIND: &'static str = "gnss";
    const FIELDS: &'static [Field] = &[
        field("latitude", "deg"),
        field("longitude", "deg"),
        field("height", "m"),
        field("east", "m"),
        field("north", "m"),
        field("up", "m"),
        field("velocity_east", "m/s"),
        field("velocity_north", "m/s"),
        field("velocity_up", "m/s"),
    ];
    const PARTS: &'static [Part] = &[part("position", 0, 6), part("velocity", 6, 3)];

    fn visit(&self, each: &mut dyn FnMut(f64)) {
        let Geodetic {
            latitude_deg,
            longitude_deg,
            height_m,
        } = self.place;
        [latitude_deg, longitude_deg, height_m]
            .into_iter()
            .chain(self.position_m)
            .chain(self.velocity_m_s.to_array().map(f64::from))
            .for_each(each);
    }

    fn fill(&mut self, numbers: &[f64]) -> bool {
        let &[
            latitude_deg,
            longitude_deg,
            height_m,
            east,
            north,
            up,
            ve,
            vn,
            vu,
        ] = numbers
        else {
            return false;
        };
        *self = Self {
            place: Geodetic {
                latitude_deg,
                longitude_deg,
                height_m,
            },
            position_m: [east, north, up],
            velocity_m_s: vec3([ve, vn, vu]),
        };
        true
    }
}
