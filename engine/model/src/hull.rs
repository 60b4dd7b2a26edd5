//! Convex hull of points, for meshes without faces.

use glam::{DVec3, Vec3};

/// Most points: the algorithm is quadratic.
const MAX_POINTS: usize = 2000;

/// Triangles of the convex hull, facing outwards, by incremental insertion (Preparata and Hong 1977);
/// empty if there are more than [`MAX_POINTS`] points, or all lie in a plane.
pub(crate) fn hull(vertices: &[[f32; 3]]) -> Vec<[u32; 3]> {
    let points: Vec<_> = vertices.iter().map(|&v| Vec3::from(v).as_dvec3()).collect();
    let Some(first) = corners(&points).filter(|_| points.len() <= MAX_POINTS) else {
        return Vec::new();
    };
    let middle = first.iter().map(|&k| points[k]).sum::<DVec3>() / 4.0;
    let size = points
        .iter()
        .map(|p| p.distance(middle))
        .fold(0.0, f64::max);
    let above = |t: [usize; 3], p: DVec3| {
        let [a, b, c] = t.map(|k| points[k]);
        let normal = (b - a).cross(c - a);
        normal.dot(p - a) > 1e-9 * size * normal.length()
    };
    let outward = |t: [usize; 3]| {
        if above(t, middle) {
            [t[0], t[2], t[1]]
        } else {
            t
        }
    };
    let [a, b, c, d] = first;
    let mut faces: Vec<_> = [[a, b, c], [a, b, d], [a, c, d], [b, c, d]]
        .map(outward)
        .into();
    for (k, &p) in points.iter().enumerate() {
        let (seen, kept): (Vec<_>, Vec<_>) = faces.iter().copied().partition(|&t| above(t, p));
        if seen.is_empty() {
            continue;
        }
        faces = kept;
        let edges: Vec<_> = seen
            .iter()
            .flat_map(|t| [(t[0], t[1]), (t[1], t[2]), (t[2], t[0])])
            .collect();
        for &(from, to) in &edges {
            // Horizon edge: only one of its two faces is visible from the point.
            if !edges.contains(&(to, from)) {
                faces.push([from, to, k]);
            }
        }
    }
    faces.into_iter().map(|t| t.map(|k| k as u32)).collect()
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
    use crate::mass::solid_mesh;

    #[test]
    fn a_cube_with_points_inside_has_twelve_triangles_and_its_volume() {
        let mut points = vec![[0.5, 0.5, 0.5], [0.2, 0.7, 0.4]];
        for k in 0..8_u8 {
            points.push([k & 1, (k >> 1) & 1, (k >> 2) & 1].map(f32::from));
        }
        let triangles = hull(&points);
        assert_eq!(triangles.len(), 12);
        let mass = solid_mesh(&points, &triangles).unwrap();
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
