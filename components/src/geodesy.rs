//! Geodesy: WGS84 positions, and the local tangent plane of a scene in metres east, north and up.
//!
//! Implemented on libm: the crates for this use std's sine and cosine, whose bits differ between machines.

use serde::{Deserialize, Serialize};

/// Equatorial radius of WGS84 (m). NGA.STND.0036, table 3.1.
const RADIUS_M: f64 = 6_378_137.0;
/// Flattening of WGS84, same table.
const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// Square of the first eccentricity.
const E2: f64 = FLATTENING * (2.0 - FLATTENING);

/// A position on or above the Earth, in WGS84.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Geodetic {
    /// North positive, -90 to 90.
    pub latitude_deg: f64,
    /// East positive, -180 to 180.
    pub longitude_deg: f64,
    /// Height above the ellipsoid, not above sea level: the geoid differs from it by up to 105 m.
    #[serde(default)]
    pub height_m: f64,
}

impl Geodetic {
    /// Earth-centred position (m): x to the prime meridian on the equator, z to the north pole.
    fn centred_m(self) -> [f64; 3] {
        let (sin, cos) = libm::sincos(self.latitude_deg.to_radians());
        let (sin_lon, cos_lon) = libm::sincos(self.longitude_deg.to_radians());
        let normal_m = RADIUS_M / (1.0 - E2 * sin * sin).sqrt();
        let across_m = (normal_m + self.height_m) * cos;
        [
            across_m * cos_lon,
            across_m * sin_lon,
            (normal_m * (1.0 - E2) + self.height_m) * sin,
        ]
    }

    /// The inverse, by Bowring's iteration on the reduced latitude (Survey Review 23(181), 1976). Three rounds
    /// leave less than a nanometre from the deepest sea to the highest orbit.
    fn of_centred_m([x, y, z]: [f64; 3]) -> Self {
        let across_m = (x * x + y * y).sqrt();
        let polar_m = RADIUS_M * (1.0 - FLATTENING);
        let second = E2 / (1.0 - E2);
        let mut reduced = libm::atan2(z, across_m * (1.0 - FLATTENING));
        let mut latitude = 0.0;
        for _ in 0..3 {
            let (sin, cos) = libm::sincos(reduced);
            latitude = libm::atan2(
                z + second * polar_m * sin * sin * sin,
                across_m - E2 * RADIUS_M * cos * cos * cos,
            );
            let (sin, cos) = libm::sincos(latitude);
            reduced = libm::atan2((1.0 - FLATTENING) * sin, cos);
        }
        let (sin, cos) = libm::sincos(latitude);
        Self {
            latitude_deg: latitude.to_degrees(),
            longitude_deg: libm::atan2(y, x).to_degrees(),
            // Holds at the poles too, where a division by the cosine would not.
            height_m: across_m * cos + z * sin - RADIUS_M * (1.0 - E2 * sin * sin).sqrt(),
        }
    }
}

/// The world of a scene: the tangent plane at an origin, x east, y north, z up (REP 103, REP 105). It is flat: 1 km
/// from the origin the Earth is 8 cm below it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TangentPlane {
    origin: Geodetic,
    origin_m: [f64; 3],
    /// East, north and up in the Earth's axes.
    axes: [[f64; 3]; 3],
}

impl TangentPlane {
    /// The tangent plane at this position.
    pub fn new(origin: Geodetic) -> Self {
        let (sin, cos) = libm::sincos(origin.latitude_deg.to_radians());
        let (sin_lon, cos_lon) = libm::sincos(origin.longitude_deg.to_radians());
        Self {
            origin,
            origin_m: origin.centred_m(),
            axes: [
                [-sin_lon, cos_lon, 0.0],
                [-sin * cos_lon, -sin * sin_lon, cos],
                [cos * cos_lon, cos * sin_lon, sin],
            ],
        }
    }

    /// Position of (0, 0, 0).
    pub fn origin(&self) -> Geodetic {
        self.origin
    }

    /// WGS84 position of a world position (m).
    pub fn geodetic(&self, position_m: [f64; 3]) -> Geodetic {
        let mut at_m = self.origin_m;
        for (axis, along_m) in self.axes.iter().zip(position_m) {
            for (sum, unit) in at_m.iter_mut().zip(axis) {
                *sum += unit * along_m;
            }
        }
        Geodetic::of_centred_m(at_m)
    }

    /// World position of a WGS84 position (m).
    pub fn position_m(&self, place: Geodetic) -> [f64; 3] {
        let at_m = place.centred_m();
        self.axes.map(|axis| {
            let away = at_m.iter().zip(&self.origin_m).zip(axis);
            away.map(|((at, origin), unit)| (at - origin) * unit).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Origin, world position, and the WGS84 position by PROJ 9 (pyproj 3.7.2: `+inv +proj=topocentric`,
    /// `+inv +proj=cart`).
    /// At 9 km it is 0.8 µm off pymap3d 3.2.0 (`enu2geodetic`); elsewhere they agree within some nanometres.
    const PROJ: [[[f64; 3]; 3]; 9] = [
        [
            [47.3769, 8.5417, 408.0],
            [1000.0, -1000.0, 3.0],
            [47.367905238953, 8.554938508903, 411.156733],
        ],
        [
            [47.3769, 8.5417, 408.0],
            [-250.0, 730.0, -12.5],
            [47.383465576756, 8.538389390947, 395.546716],
        ],
        [
            [47.3769, 8.5417, 408.0],
            [20000.0, 5000.0, 9000.0],
            [47.421500850913, 8.806365711496, 9441.213466],
        ],
        [
            [0.0, 0.0, 0.0],
            [1000.0, -1000.0, 3.0],
            [-0.009043690300, 0.008983148542, 3.157314],
        ],
        [
            [-33.8688, 151.2093, 58.0],
            [1000.0, -1000.0, 3.0],
            [-33.877814937943, 151.220108738363, 61.156985],
        ],
        [
            [89.9, -45.0, 0.0],
            [20000.0, 5000.0, 9000.0],
            [89.812836069899, 27.815494707789, 9033.158516],
        ],
        [
            [89.9, -45.0, 0.0],
            [-250.0, 730.0, -12.5],
            [89.906508930907, -46.371845768631, -12.453481],
        ],
        [
            [64.1466, -179.9999, 20.0],
            [1000.0, -1000.0, 3.0],
            [64.137628329784, -179.979362365162, 23.156460],
        ],
        [
            [64.1466, -179.9999, 20.0],
            [-250.0, 730.0, -12.5],
            [64.153148181599, 179.994962711766, 7.546602],
        ],
    ];

    fn place([latitude_deg, longitude_deg, height_m]: [f64; 3]) -> Geodetic {
        Geodetic {
            latitude_deg,
            longitude_deg,
            height_m,
        }
    }

    #[test]
    fn places_are_those_of_proj() {
        for [origin, position_m, expected] in PROJ {
            let plane = TangentPlane::new(place(origin));
            let found = plane.geodetic(position_m);
            // 1.1 µm of latitude, and the last digits of the heights.
            assert!(
                (found.latitude_deg - expected[0]).abs() < 1e-11
                    && (found.longitude_deg - expected[1]).abs() < 1e-11
                    && (found.height_m - expected[2]).abs() < 2e-6,
                "{found:?} {expected:?}"
            );
            let back = plane.position_m(place(expected));
            for (a, b) in back.iter().zip(position_m) {
                assert!((a - b).abs() < 2e-6, "{back:?} {position_m:?}");
            }
        }
    }

    #[test]
    fn there_and_back_is_the_same_place() {
        let mut widest_m: f64 = 0.0;
        for latitude in (-90..=90).step_by(5) {
            for height_m in [-11_000.0, 0.0, 8_849.0, 400_000.0, 36_000_000.0] {
                let origin = place([f64::from(latitude), -123.0, height_m]);
                let plane = TangentPlane::new(origin);
                for position_m in [[0.0; 3], [900.0, -700.0, 20.0], [-1e5, 1e5, -1e3]] {
                    let back = plane.position_m(plane.geodetic(position_m));
                    for (a, b) in back.iter().zip(position_m) {
                        widest_m = widest_m.max((a - b).abs());
                    }
                }
            }
        }
        // Some steps of an f64 at the distance of the Earth's centre, or of a satellite (7 nm).
        assert!(widest_m < 1e-7, "{widest_m} m");
    }

    #[test]
    fn a_pole_has_a_height() {
        // The polar radius of WGS84 is 6 356 752.314 245 m.
        let pole = Geodetic::of_centred_m([0.0, 0.0, -6_356_752.314_245 - 7.0]);
        assert!((pole.latitude_deg + 90.0).abs() < 1e-12, "{pole:?}");
        assert!((pole.height_m - 7.0).abs() < 1e-6, "{pole:?}");
    }
}
