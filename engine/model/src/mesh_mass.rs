//! Mass of a triangle mesh, by the rules of `MuJoCo` (`mesh/inertia` of its XML reference).

use crate::hull::hull;
use crate::mass::{DENSITY, Mass, outer_product};
use glam::{DMat3, DVec3, Vec3};
use std::collections::HashSet;

/// Least volume of a solid mesh (m³): a cube of 10 µm.
const MIN_VOLUME_M3: f64 = 1e-15;

/// Rule for the mass of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MeshInertia {
    /// Sum of the pyramids from the surface centroid to each triangle, all counted as positive. Exact
    /// for convex meshes, an overestimate for others, and independent of the orientation of the triangles.
    Legacy,
    /// As `Legacy`, with the sign of each pyramid: exact for closed meshes.
    Exact,
    /// Of the convex hull.
    Convex,
    /// Of the surface: the density is per area.
    Shell,
}

impl MeshInertia {
    /// Names in MJCF.
    pub(crate) const NAMES: [&str; 4] = ["legacy", "exact", "convex", "shell"];

    /// Rule by its name in MJCF.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let all = [Self::Legacy, Self::Exact, Self::Convex, Self::Shell];
        let known = Self::NAMES.iter().zip(all);
        known.into_iter().find(|(n, _)| **n == name).map(|(_, m)| m)
    }

    /// Mass at the density of water, per volume (kg/m³) or area (kg/m²); `None` for a mesh without
    /// volume or area.
    ///
    /// # Errors
    /// Triangles of unequal orientation, or that face inwards, where the rule depends on it.
    pub(crate) fn mass(
        self,
        vertices: &[[f32; 3]],
        triangles: &[[u32; 3]],
    ) -> Result<Option<Mass>, String> {
        match self {
            Self::Legacy => Ok(solid(vertices, triangles, f64::abs)),
            Self::Shell => Ok(shell(vertices, triangles)),
            Self::Convex => Ok(solid(vertices, &hull(vertices), f64::abs)),
            Self::Exact => {
                if let Some([a, b]) = turned(triangles) {
                    return Err(format!(
                        "triangles of different orientation at the edge of vertices {a} and {b}"
                    ));
                }
                match solid(vertices, triangles, |volume| volume) {
                    Some(mass) if mass.kg < 0.0 => Err("triangles that face inwards".to_owned()),
                    mass => Ok(mass),
                }
            }
        }
    }
}

/// Edge that two triangles pass in the same direction: one of them is turned.
fn turned(triangles: &[[u32; 3]]) -> Option<[u32; 2]> {
    let mut passed = HashSet::with_capacity(3 * triangles.len());
    // A triangle that merging vertices made a line has no orientation.
    let real = triangles
        .iter()
        .filter(|[a, b, c]| a != b && b != c && c != a);
    let edges = real.flat_map(|&[a, b, c]| [[a, b], [b, c], [c, a]]);
    edges.into_iter().find(|&edge| !passed.insert(edge))
}

fn corners<'m>(
    vertices: &'m [[f32; 3]],
    triangles: &'m [[u32; 3]],
) -> impl Iterator<Item = [DVec3; 3]> + Clone + 'm {
    triangles.iter().filter_map(|t| {
        let [a, b, c] = t.map(|i| vertices.get(i as usize));
        let point = |v: &[f32; 3]| Vec3::from(*v).as_dvec3();
        Some([point(a?), point(b?), point(c?)])
    })
}

fn area([a, b, c]: [DVec3; 3]) -> f64 {
    (b - a).cross(c - a).length() / 2.0
}

/// Area and centroid of the surface; `None` without area.
fn surface(triangles: impl Iterator<Item = [DVec3; 3]>) -> Option<(f64, DVec3)> {
    let (mut total, mut middle) = (0.0, DVec3::ZERO);
    for t in triangles {
        total += area(t);
        middle += (t[0] + t[1] + t[2]) / 3.0 * area(t);
    }
    (total > 0.0).then(|| (total, middle / total))
}

/// Inertia from the second moments of the distribution.
fn from_moments(kg: f64, com: DVec3, moments: DMat3) -> Mass {
    let trace = moments.x_axis.x + moments.y_axis.y + moments.z_axis.z;
    Mass {
        kg,
        com,
        inertia: (DMat3::from_diagonal(DVec3::splat(trace)) - moments) * DENSITY,
    }
}

/// Sum of the pyramids over each triangle, whose volume `signed` may change.
fn solid(vertices: &[[f32; 3]], triangles: &[[u32; 3]], signed: fn(f64) -> f64) -> Option<Mass> {
    let triangles = corners(vertices, triangles);
    let (_, middle) = surface(triangles.clone())?;
    let volume_of =
        |[a, b, c]: [DVec3; 3], top: DVec3| signed((a - top).dot((b - top).cross(c - top)) / 6.0);
    let (mut volume, mut com) = (0.0, DVec3::ZERO);
    for t in triangles.clone() {
        let v = volume_of(t, middle);
        volume += v;
        com += (t[0] + t[1] + t[2] + middle) / 4.0 * v;
    }
    if volume.abs() < MIN_VOLUME_M3 {
        return None;
    }
    com /= volume;
    // Second moments of each pyramid about the centre of mass, its apex: the integral of x xᵀ over
    // a tetrahedron with one corner in the origin and the others a, b, c is V/20 (s sᵀ + a aᵀ + b bᵀ +
    // c cᵀ), s = a + b + c.
    let (mut moments, mut volume) = (DMat3::ZERO, 0.0);
    for t in triangles {
        let v = volume_of(t, com);
        volume += v;
        let [a, b, c] = t.map(|p| p - com);
        let all = outer_product(a + b + c) + outer_product(a) + outer_product(b) + outer_product(c);
        moments += all * (v / 20.0);
    }
    Some(from_moments(DENSITY * volume, com, moments))
}

/// Surface of even thickness. The integral of x xᵀ over a triangle is A/12 (s sᵀ + a aᵀ + b bᵀ + c cᵀ).
fn shell(vertices: &[[f32; 3]], triangles: &[[u32; 3]]) -> Option<Mass> {
    let triangles = corners(vertices, triangles);
    let (total, com) = surface(triangles.clone())?;
    let mut moments = DMat3::ZERO;
    for t in triangles {
        let [a, b, c] = t.map(|p| p - com);
        let all = outer_product(a + b + c) + outer_product(a) + outer_product(b) + outer_product(c);
        moments += all * (area(t) / 12.0);
    }
    Some(from_moments(DENSITY * total, com, moments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mass::cuboid;
    use crate::shell;

    const HALF: DVec3 = DVec3::new(0.1, 0.15, 0.2);

    /// Box of half extents [`HALF`], triangles facing outwards.
    fn block() -> (Vec<[f32; 3]>, Vec<[u32; 3]>) {
        let signs = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
        let corner = |z: f32| signs.map(|[x, y]| [0.1 * x as f32, 0.15 * y as f32, z]);
        let vertices = [corner(-0.2), corner(0.2)].concat();
        let quads = [
            [0, 3, 2, 1],
            [4, 5, 6, 7],
            [0, 1, 5, 4],
            [1, 2, 6, 5],
            [2, 3, 7, 6],
            [3, 0, 4, 7],
        ];
        let halves = quads
            .iter()
            .flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]);
        (vertices, halves.collect())
    }

    fn close(a: &Mass, b: &Mass) {
        assert!((a.kg - b.kg).abs() < 1e-5 * b.kg, "{a:?} {b:?}");
        assert!((a.com - b.com).length() < 1e-6, "{a:?} {b:?}");
        let error = (a.inertia - b.inertia).to_cols_array();
        assert!(
            error.iter().all(|e| e.abs() < 1e-5 * b.inertia.x_axis.x),
            "{a:?} {b:?}"
        );
    }

    #[test]
    fn every_rule_has_the_closed_form_of_a_box() {
        let (vertices, triangles) = block();
        for rule in [MeshInertia::Legacy, MeshInertia::Exact, MeshInertia::Convex] {
            close(
                &rule.mass(&vertices, &triangles).unwrap().unwrap(),
                &cuboid(HALF),
            );
        }
        let surface = MeshInertia::Shell.mass(&vertices, &triangles);
        close(&surface.unwrap().unwrap(), &shell::cuboid(HALF));
    }

    #[test]
    fn exact_rejects_turned_triangles_as_mujoco_does() {
        let (vertices, triangles) = block();
        let inwards: Vec<_> = triangles.iter().map(|&[a, b, c]| [a, c, b]).collect();
        let error = MeshInertia::Exact.mass(&vertices, &inwards).unwrap_err();
        assert!(error.contains("inwards"), "{error}");
        let mut one = triangles;
        one[11].swap(1, 2);
        let error = MeshInertia::Exact.mass(&vertices, &one).unwrap_err();
        assert!(error.contains("different orientation"), "{error}");
        // The other rules do not depend on it.
        close(
            &MeshInertia::Legacy.mass(&vertices, &one).unwrap().unwrap(),
            &cuboid(HALF),
        );
    }

    #[test]
    fn flat_meshes_have_no_volume_but_a_surface() {
        let vertices = [[0.0; 3], [0.2, 0.0, 0.0], [0.2, 0.3, 0.0], [0.0, 0.3, 0.0]];
        let triangles = [[0, 1, 2], [0, 2, 3]];
        for rule in [MeshInertia::Legacy, MeshInertia::Exact, MeshInertia::Convex] {
            assert_eq!(rule.mass(&vertices, &triangles), Ok(None), "{rule:?}");
        }
        let mass = MeshInertia::Shell
            .mass(&vertices, &triangles)
            .unwrap()
            .unwrap();
        // A plate: m/12 (a² + b²) about its normal.
        assert!((mass.kg - 60.0).abs() < 1e-5);
        assert!((mass.inertia.z_axis.z - 60.0 / 12.0 * 0.13).abs() < 1e-5);
    }
}
