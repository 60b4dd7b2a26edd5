//! Mass of thin shells, as of `shellinertia="true"` in MJCF: the density is per area (kg/m²).

use crate::mass::{DENSITY, Mass, centred};
use glam::DVec3;
use std::f64::consts::PI;

/// Box of these half extents (m), at the density of water per area.
pub(crate) fn cuboid(half: DVec3) -> Mass {
    let s = half * half;
    // Mass of both faces across each axis.
    let faces = DVec3::new(half.y * half.z, half.z * half.x, half.x * half.y) * (8.0 * DENSITY);
    let moments = faces.x * DVec3::new((s.y + s.z) / 3.0, s.x + s.z / 3.0, s.x + s.y / 3.0)
        + faces.y * DVec3::new(s.y + s.z / 3.0, (s.x + s.z) / 3.0, s.y + s.x / 3.0)
        + faces.z * DVec3::new(s.z + s.y / 3.0, s.z + s.x / 3.0, (s.x + s.y) / 3.0);
    centred(faces.x + faces.y + faces.z, moments)
}

/// Tube along z.
fn tube(r: f64, length: f64) -> Mass {
    let kg = DENSITY * 2.0 * PI * r * length;
    let across = kg * (r * r / 2.0 + length * length / 12.0);
    centred(kg, DVec3::new(across, across, kg * r * r))
}

/// Cylinder along z with its two discs.
pub(crate) fn cylinder(r: f64, length: f64) -> Mass {
    let kg = DENSITY * 2.0 * PI * r * r;
    let across = kg * (r * r + length * length) / 4.0;
    tube(r, length).plus(centred(kg, DVec3::new(across, across, kg * r * r / 2.0)))
}

/// Sphere.
pub(crate) fn sphere(r: f64) -> Mass {
    let kg = DENSITY * 4.0 * PI * r * r;
    centred(kg, DVec3::splat(kg * r * r * 2.0 / 3.0))
}

/// Capsule along z, `length` between the centres of its ends. The centre of mass of half a spherical shell
/// lies r/2 beyond the tube's end; its inertia about that point, across the axis, is 5/12 m r².
pub(crate) fn capsule(r: f64, length: f64) -> Mass {
    let kg = sphere(r).kg;
    let offset = length / 2.0 + r / 2.0;
    let across = kg * (5.0 / 12.0 * r * r + offset * offset);
    let along = kg * r * r * 2.0 / 3.0;
    tube(r, length).plus(centred(kg, DVec3::new(across, across, along)))
}

/// Ellipsoid with these radii (m), as in `MuJoCo`: its area by Knud Thomsen's formula (at most 1.2 %
/// off), its inertia that of the space between it and an ellipsoid with slightly longer radii.
pub(crate) fn ellipsoid(radii: DVec3) -> Mass {
    const P: f64 = 1.6075;
    let p = radii.map(|r| libm::pow(r, P));
    let mean = (p.x * p.y + p.y * p.z + p.z * p.x) / 3.0;
    let kg = DENSITY * 4.0 * PI * libm::pow(mean, 1.0 / P);
    let s = radii * radii;
    let growth = 2.0 / (1.0 / radii.x + 1.0 / radii.y + 1.0 / radii.z);
    let moment = |a: usize, b: usize| kg / 5.0 * (s[a] + s[b] + growth * (radii[a] + radii[b]));
    centred(kg, DVec3::new(moment(1, 2), moment(0, 2), moment(0, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_weigh_and_turn_as_in_mujoco() {
        // MuJoCo 4.0.0, size ".1 .2 .3", density 1000.
        for (mass, kg, moments) in [
            (
                cuboid(DVec3::new(0.1, 0.2, 0.3)),
                880.0,
                [54.1333, 42.1333, 24.2667],
            ),
            (sphere(0.1), 125.663706, [0.837758; 3]),
            (capsule(0.1, 0.4), 376.991118, [12.9852, 12.9852, 3.35103]),
            (cylinder(0.1, 0.4), 314.159265, [7.27802, 7.27802, 2.82743]),
            (
                ellipsoid(DVec3::new(0.1, 0.2, 0.3)),
                489.719333,
                [18.0752, 14.0684, 8.10268],
            ),
        ] {
            assert!((mass.kg - kg).abs() < 1e-5 * kg, "{mass:?} {kg}");
            let found = [0, 1, 2].map(|k| mass.inertia.col(k)[k]);
            for (found, expected) in found.iter().zip(moments) {
                assert!(
                    (found - expected).abs() < 2e-5 * expected,
                    "{mass:?} {moments:?}"
                );
            }
        }
    }
}
