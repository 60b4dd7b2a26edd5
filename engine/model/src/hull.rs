//! Convex hull of points, for meshes without faces and for masses.

use glam::{DVec3, Vec3};
use std::collections::HashSet;

/// Most points of a hull: beyond it the remaining ones, which lie closest to it, are left inside.
const MAX_HULL_POINTS: usize = 3000;

/// Face of the hull, with the points above it.
struct Face {
    corners: [usize; 3],
    normal: DVec3,
    offset: f64,
    above: Vec<usize>,
}

/// Triangles of the convex hull, facing outwards, by Quickhull (Barber, Dobkin and Huhdanpaa 1996);
/// empty if all points lie in a plane.
pub(crate) fn hull(vertices: &[[f32; 3]]) -> Vec<[u32; 3]> {
    let points: Vec<_> = vertices.iter().map(|&v| Vec3::from(v).as_dvec3()).collect();
    let Some(first) = corners(&points) else {
        return Vec::new();
    };
    let middle = first.iter().map(|&k| points[k]).sum::<DVec3>() / 4.0;
    let size = points
        .iter()
        .map(|p| p.distance(middle))
        .fold(0.0, f64::max);
    let tolerance = 1e-9 * size;
    let face = |[a, b, c]: [usize; 3]| {
        let normal = (points[b] - points[a]).cross(points[c] - points[a]);
        let normal = normal.normalize_or_zero();
        let offset = normal.dot(points[a]);
        let turned = normal.dot(middle) > offset;
        Face {
            corners: if turned { [a, c, b] } else { [a, b, c] },
            normal: if turned { -normal } else { normal },
            offset: if turned { -offset } else { offset },
            above: Vec::new(),
        }
    };
    let height = |face: &Face, k: usize| face.normal.dot(points[k]) - face.offset;
    // Each point belongs to the first face that it is above; a point below all of them is inside.
    let share = |open: &[usize], faces: &mut [Face]| {
        for &k in open {
            if let Some(f) = faces.iter_mut().find(|f| height(f, k) > tolerance) {
                f.above.push(k);
            }
        }
    };
    let [a, b, c, d] = first;
    let mut faces: Vec<_> = [[a, b, c], [a, b, d], [a, c, d], [b, c, d]]
        .map(face)
        .into();
    share(&(0..points.len()).collect::<Vec<_>>(), &mut faces);
    for _ in 0..MAX_HULL_POINTS {
        let heights = faces
            .iter()
            .flat_map(|f| f.above.iter().map(|&k| (height(f, k), k)));
        let Some((_, top)) = heights.max_by(|a, b| a.0.total_cmp(&b.0)) else {
            break;
        };
        let (seen, kept): (Vec<_>, Vec<_>) =
            faces.into_iter().partition(|f| height(f, top) > tolerance);
        let edges: HashSet<_> = seen
            .iter()
            .flat_map(|f| {
                let [a, b, c] = f.corners;
                [(a, b), (b, c), (c, a)]
            })
            .collect();
        faces = kept;
        // Horizon edge: only one of its two faces is visible from the point.
        let mut horizon: Vec<_> = edges
            .iter()
            .filter(|&&(a, b)| !edges.contains(&(b, a)))
            .collect();
        horizon.sort_unstable();
        let mut new: Vec<_> = horizon
            .into_iter()
            .map(|&(a, b)| face([a, b, top]))
            .collect();
        let open: Vec<_> = seen.into_iter().flat_map(|f| f.above).collect();
        share(&open, &mut new);
        faces.append(&mut new);
    }
    faces
        .into_iter()
        .map(|f| f.corners.map(|k| k as u32))
        .collect()
}

/// Four points that do not lie in a plane.
fn corners(points: &[DVec3]) -> Option<[usize; 4]> {
    let farthest = |from: &dyn Fn(DVec3) -> f64| {
        let all = points.iter().enumerate();
        all.max_by(|a, b| from(*a.1).total_cmp(&from(*b.1)))
            .map(|(k, _)| k)
    };
    let a = 0;
    let pa = *points.first()?;
    let b = farthest(&|p| p.distance(pa))?;
    let along = (points[b] - pa).try_normalize()?;
    let c = farthest(&|p| (p - pa).cross(along).length())?;
    let normal = along.cross(points[c] - pa).try_normalize()?;
    let d = farthest(&|p| (p - pa).dot(normal).abs())?;
    let size = points[b].distance(pa);
    ((points[d] - pa).dot(normal).abs() > 1e-9 * size).then_some([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh_mass::MeshInertia;

    #[test]
    fn a_cube_with_points_inside_has_twelve_triangles_and_its_volume() {
        let mut points = vec![[0.5, 0.5, 0.5], [0.2, 0.7, 0.4]];
        for k in 0..8_u8 {
            points.push([k & 1, (k >> 1) & 1, (k >> 2) & 1].map(f32::from));
        }
        let triangles = hull(&points);
        assert_eq!(triangles.len(), 12);
        let mass = MeshInertia::Exact
            .mass(&points, &triangles)
            .unwrap()
            .unwrap();
        assert!((mass.kg - 1000.0).abs() < 1e-6, "{}", mass.kg);
        // m/6 of a cube of edge 1.
        assert!((mass.inertia.x_axis.x - 1000.0 / 6.0).abs() < 1e-6);
    }

    #[test]
    fn flat_points_have_no_hull() {
        assert!(hull(&[[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]).is_empty());
        assert!(hull(&[]).is_empty());
        assert!(hull(&[[1.0; 3]; 5]).is_empty());
    }
}
