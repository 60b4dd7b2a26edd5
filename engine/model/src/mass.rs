//! Mass, its centre and its inertia, in `f64` while they are added and moved.

use becomingone_components::body::{Geometry, Inertial, Pose, Shape};
use glam::{DMat3, DVec3, Mat3};
use std::f64::consts::PI;

/// Density of a shape whose mass is not given (kg/m³): that of water, as `MuJoCo` takes it
/// (`geom/density` of its XML reference).
const DENSITY: f64 = 1000.0;
/// Half of the least extent that a mesh is given (metres): a flat mesh has no volume.
const HALF_THICKNESS: f64 = 5e-4;

/// Mass and its distribution in some frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mass {
    pub(crate) kg: f64,
    /// Centre of mass (metres).
    pub(crate) com: DVec3,
    /// About the centre of mass (kg m²).
    pub(crate) inertia: DMat3,
}

impl Mass {
    /// Nothing.
    pub(crate) const ZERO: Self = Self {
        kg: 0.0,
        com: DVec3::ZERO,
        inertia: DMat3::ZERO,
    };

    /// The same body in the frame in which its own frame has this pose.
    pub(crate) fn moved(self, pose: Pose) -> Self {
        // Normalised again, as a unit quaternion in `f32` is not one in `f64`.
        let rotation = DMat3::from_quat(pose.rotation.as_dquat().normalize());
        Self {
            kg: self.kg,
            com: rotation * self.com + pose.translation_m.as_dvec3(),
            inertia: rotation * self.inertia * rotation.transpose(),
        }
    }

    /// Two bodies as one, by the parallel axis theorem.
    pub(crate) fn plus(self, other: Self) -> Self {
        let kg = self.kg + other.kg;
        if kg <= 0.0 {
            return Self::ZERO;
        }
        let com = (self.com * self.kg + other.com * other.kg) / kg;
        Self {
            kg,
            com,
            inertia: self.inertia_about(com) + other.inertia_about(com),
        }
    }

    /// Inertia about another point, in the same axes.
    fn inertia_about(&self, point: DVec3) -> DMat3 {
        let d = self.com - point;
        self.inertia + self.kg * (DMat3::from_diagonal(DVec3::splat(d.dot(d))) - outer(d))
    }

    /// The same distribution with another mass.
    pub(crate) fn scaled_to(self, kg: f64) -> Self {
        Self {
            kg,
            com: self.com,
            inertia: self.inertia * (kg / self.kg),
        }
    }

    /// Of shapes filled with water, overlaps counted twice; `None` where there is none.
    pub(crate) fn of_shapes(shapes: &[Geometry]) -> Option<Self> {
        shapes
            .iter()
            .filter_map(|g| Some(Self::of_shape(&g.shape)?.moved(g.pose)))
            .reduce(Self::plus)
            .filter(|mass| mass.kg > 0.0)
    }

    /// Of a shape filled with water, about the shape's own origin; a mesh counts as its
    /// bounding box.
    fn of_shape(shape: &Shape) -> Option<Self> {
        match shape {
            Shape::Box { half_extents_m } => Some(cuboid(half_extents_m.as_dvec3())),
            Shape::Cylinder { radius_m, length_m } => {
                Some(cylinder(f64::from(*radius_m), f64::from(*length_m)))
            }
            Shape::Capsule { radius_m, length_m } => {
                Some(capsule(f64::from(*radius_m), f64::from(*length_m)))
            }
            Shape::Sphere { radius_m } => Some(ball(f64::from(*radius_m))),
            Shape::Mesh(mesh) => bounding_box(&mesh.vertices_m),
        }
    }

    /// For the physics, which computes with `f32`.
    pub(crate) fn to_inertial(self) -> Inertial {
        let m = self.inertia.as_mat3();
        Inertial {
            mass_kg: self.kg as f32,
            com_m: self.com.as_vec3(),
            // Exactly symmetric, whatever the rounding of rotations.
            inertia_kg_m2: Mat3::from_cols(m.x_axis, m.y_axis, m.z_axis) * 0.5
                + m.transpose() * 0.5,
        }
    }
}

/// `v vᵀ`.
fn outer(v: DVec3) -> DMat3 {
    DMat3::from_cols(v * v.x, v * v.y, v * v.z)
}

/// A body whose centre of mass is its origin and whose axes are principal.
fn centred(kg: f64, moments: DVec3) -> Mass {
    Mass {
        kg,
        com: DVec3::ZERO,
        inertia: DMat3::from_diagonal(moments),
    }
}

fn cuboid(half: DVec3) -> Mass {
    let kg = DENSITY * 8.0 * half.x * half.y * half.z;
    let s = half * half;
    centred(kg, DVec3::new(s.y + s.z, s.x + s.z, s.x + s.y) * (kg / 3.0))
}

fn cylinder(r: f64, length: f64) -> Mass {
    let kg = DENSITY * PI * r * r * length;
    let across = kg * (3.0 * r * r + length * length) / 12.0;
    centred(kg, DVec3::new(across, across, kg * r * r / 2.0))
}

/// A ball filled with water.
pub(crate) fn ball(r: f64) -> Mass {
    let kg = DENSITY * 4.0 / 3.0 * PI * r * r * r;
    centred(kg, DVec3::splat(0.4 * kg * r * r))
}

/// The radius of a ball of water with this mass (metres).
pub(crate) fn ball_radius(kg: f64) -> f64 {
    libm::cbrt(kg / (DENSITY * 4.0 / 3.0 * PI))
}

/// A cylinder between two half balls: each half ball's centre of mass lies 3/8 r beyond the
/// cylinder's end, and its inertia about that point, across the axis, is 83/320 m r².
fn capsule(r: f64, length: f64) -> Mass {
    let middle = cylinder(r, length);
    let half_ball_kg = ball(r).kg / 2.0;
    let offset = length / 2.0 + 0.375 * r;
    let across = half_ball_kg * (83.0 / 320.0 * r * r + offset * offset);
    let along = half_ball_kg * 0.4 * r * r;
    let ends = centred(2.0 * half_ball_kg, DVec3::new(across, across, along) * 2.0);
    middle.plus(ends)
}

fn bounding_box(vertices: &[[f32; 3]]) -> Option<Mass> {
    let mut points = vertices
        .iter()
        .map(|&[x, y, z]| glam::Vec3::new(x, y, z).as_dvec3());
    let first = points.next()?;
    let (low, high) = points.fold((first, first), |(low, high), p| (low.min(p), high.max(p)));
    let half = ((high - low) / 2.0).max(DVec3::splat(HALF_THICKNESS));
    Some(Mass {
        com: (low + high) / 2.0,
        ..cuboid(half)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::body::Mesh;
    use glam::{Quat, Vec3};
    use std::sync::Arc;

    fn close(a: &Mass, b: &Mass) {
        assert!((a.kg - b.kg).abs() < 1e-6 * b.kg, "{a:?} {b:?}");
        assert!((a.com - b.com).length() < 1e-6, "{a:?} {b:?}");
        let (a, b) = (a.inertia.to_cols_array(), b.inertia.to_cols_array());
        let scale = b[0].abs().max(b[4].abs()).max(b[8].abs());
        for (x, y) in a.iter().zip(b) {
            assert!((x - y).abs() < 1e-6 * scale, "{a:?} {b:?}");
        }
    }

    #[test]
    fn two_boxes_are_one_bigger_box() {
        let half = cuboid(DVec3::new(0.5, 0.2, 0.1));
        let left = half.moved(Pose::new(Vec3::new(-0.5, 0.0, 0.0), Quat::IDENTITY));
        // Half a turn about x leaves a box the same box.
        let right = half.moved(Pose::new(
            Vec3::new(0.5, 0.0, 0.0),
            Quat::from_rotation_x(std::f32::consts::PI),
        ));
        close(&left.plus(right), &cuboid(DVec3::new(1.0, 0.2, 0.1)));
    }

    #[test]
    fn a_quarter_turn_swaps_moments() {
        let turned = cuboid(DVec3::new(1.0, 0.2, 0.1)).moved(Pose::new(
            Vec3::ZERO,
            Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
        ));
        close(&turned, &cuboid(DVec3::new(0.2, 1.0, 0.1)));
    }

    #[test]
    fn a_capsule_without_length_is_a_ball() {
        close(&capsule(0.3, 0.0), &ball(0.3));
    }

    #[test]
    fn a_capsule_equals_its_slices() {
        let (r, length) = (0.2_f64, 0.6_f64);
        let n = 4000;
        let step = (length + 2.0 * r) / f64::from(n);
        let mut sum = Mass::ZERO;
        for i in 0..n {
            let z = (f64::from(i) + 0.5) * step - (length / 2.0 + r);
            let beyond = (z.abs() - length / 2.0).max(0.0);
            let slice = cylinder((r * r - beyond * beyond).sqrt(), step);
            sum = sum.plus(Mass {
                com: DVec3::new(0.0, 0.0, z),
                ..slice
            });
        }
        let whole = capsule(r, length);
        assert!((sum.kg - whole.kg).abs() < 1e-5 * whole.kg);
        let error = (sum.inertia - whole.inertia).x_axis.x;
        assert!(error.abs() < 1e-5 * whole.inertia.x_axis.x);
    }

    #[test]
    fn a_mesh_counts_as_its_bounding_box() {
        let mesh = Mesh {
            name: String::new(),
            vertices_m: vec![[0.0, 0.0, 0.0], [2.0, 0.4, 0.2], [1.0, 0.1, 0.1]],
            triangles: vec![[0, 1, 2]],
        };
        let mass = Mass::of_shape(&Shape::Mesh(Arc::new(mesh))).unwrap();
        let expected = cuboid(DVec3::new(1.0, 0.2, 0.1));
        assert!((mass.com - DVec3::new(1.0, 0.2, 0.1)).length() < 1e-6);
        assert!((mass.kg - expected.kg).abs() < 1e-4 * expected.kg);
    }

    #[test]
    fn ball_radius_undoes_ball() {
        assert!((ball_radius(ball(0.25).kg) - 0.25).abs() < 1e-12);
    }
}
