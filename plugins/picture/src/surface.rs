//! Shapes as triangles.

use becomingone_components::body::{Geometry, Mesh, Pose, Shape};
use glam::Vec3;
use std::f32::consts::TAU;

/// Corners of a circle.
const CORNERS: u32 = 24;
/// Rings of a ball from pole to pole.
const RINGS: u32 = 12;

/// A triangle in the world (m).
pub(crate) type Triangle = [Vec3; 3];

/// Gives the triangles of a shape at this pose of its owner.
pub(crate) fn triangles(of: &Geometry, owner: Pose, give: &mut impl FnMut(Triangle)) {
    let at = owner * of.pose;
    let mut place = |corners: Triangle| give(corners.map(|p| at.point(p)));
    match &of.shape {
        Shape::Box { half_extents_m } => cuboid(*half_extents_m, &mut place),
        Shape::Cylinder { radius_m, length_m } => cylinder(*radius_m, *length_m, &mut place),
        Shape::Sphere { radius_m } => ball(*radius_m, Vec3::ZERO, &mut place),
        Shape::Capsule { radius_m, length_m } => {
            cylinder(*radius_m, *length_m, &mut place);
            for end in [-0.5, 0.5] {
                ball(*radius_m, Vec3::Z * (end * length_m), &mut place);
            }
        }
        Shape::Mesh(mesh) => mesh_of(mesh, &mut place),
        Shape::HeightField(field) => mesh_of(&Mesh::of(field), &mut place),
    }
}

fn mesh_of(mesh: &Mesh, give: &mut impl FnMut(Triangle)) {
    let corner = |k: u32| mesh.vertices_m.get(k as usize).copied().map(Vec3::from);
    for [a, b, c] in &mesh.triangles {
        if let (Some(a), Some(b), Some(c)) = (corner(*a), corner(*b), corner(*c)) {
            give([a, b, c]);
        }
    }
}

fn quad([a, b, c, d]: [Vec3; 4], give: &mut impl FnMut(Triangle)) {
    give([a, b, c]);
    give([a, c, d]);
}

fn cuboid(half_m: Vec3, give: &mut impl FnMut(Triangle)) {
    for axis in 0..3 {
        let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
        for side in [-1.0, 1.0] {
            let corner = |s: f32, t: f32| {
                let mut p = Vec3::ZERO;
                p[axis] = side * half_m[axis];
                p[u] = s * half_m[u];
                p[v] = t * half_m[v];
                p
            };
            let around = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
            quad(around.map(|(s, t)| corner(s, t)), give);
        }
    }
}

fn on_circle(radius_m: f32, corner: u32, z_m: f32) -> Vec3 {
    let (sin, cos) = libm::sincosf(TAU * corner as f32 / CORNERS as f32);
    Vec3::new(radius_m * cos, radius_m * sin, z_m)
}

pub(crate) fn cylinder(radius_m: f32, length_m: f32, give: &mut impl FnMut(Triangle)) {
    let half = length_m / 2.0;
    for k in 0..CORNERS {
        let [a, b] = [k, k + 1].map(|k| on_circle(radius_m, k, -half));
        let [c, d] = [k + 1, k].map(|k| on_circle(radius_m, k, half));
        quad([a, b, c, d], give);
        give([a, b, Vec3::Z * -half]);
        give([c, d, Vec3::Z * half]);
    }
}

pub(crate) fn ball(radius_m: f32, centre_m: Vec3, give: &mut impl FnMut(Triangle)) {
    let ring = |k: u32, corner: u32| {
        let (sin, cos) = libm::sincosf(TAU / 2.0 * k as f32 / RINGS as f32);
        centre_m + on_circle(radius_m * sin, corner, radius_m * cos)
    };
    for k in 0..RINGS {
        for corner in 0..CORNERS {
            let next = corner + 1;
            let corners = [(k, corner), (k + 1, corner), (k + 1, next), (k, next)];
            quad(corners.map(|(k, corner)| ring(k, corner)), give);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Volume by the divergence theorem, from triangles that all face outwards or not: here by their distance from the
    /// origin, which is inside.
    fn volume(give: impl Fn(&mut dyn FnMut(Triangle))) -> f32 {
        let mut sum = 0.0;
        give(&mut |[a, b, c]| sum += a.dot(b.cross(c)).abs() / 6.0);
        sum
    }

    #[test]
    fn shapes_have_their_volumes() {
        let cube = volume(|mut give| cuboid(Vec3::new(0.5, 1.0, 1.5), &mut give));
        assert!((cube - 6.0).abs() < 1e-5, "{cube}");
        let tin = volume(|mut give| cylinder(1.0, 2.0, &mut give));
        assert!((tin / TAU - 1.0).abs() < 0.02, "{tin}");
        let globe = volume(|mut give| ball(1.0, Vec3::ZERO, &mut give));
        assert!((globe / (TAU * 2.0 / 3.0) - 1.0).abs() < 0.04, "{globe}");
    }
}
