//! Mass, centre of mass and inertia, in `f64` for sums and transforms.

use becomingone_components::body::{Geometry, Inertial, Pose, Shape};
use glam::{DMat3, DQuat, DVec3, Mat3};
use std::f64::consts::PI;

/// Density of a shape whose mass is not given (kg/m³): that of water, as in `MuJoCo`
/// (`geom/density` of its XML reference).
pub(crate) const DENSITY: f64 = 1000.0;
/// Half of the least extent assumed for a mesh (m): a flat mesh has no volume.
const HALF_THICKNESS: f64 = 5e-4;

/// Mass and its distribution in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Mass {
    pub(crate) kg: f64,
    /// Centre of mass (metres).
    pub(crate) com: DVec3,
    /// About the centre of mass (kg m²).
    pub(crate) inertia: DMat3,
}

impl Mass {
    /// No mass.
    pub(crate) const ZERO: Self = Self {
        kg: 0.0,
        com: DVec3::ZERO,
        inertia: DMat3::ZERO,
    };

    /// Transforms to the frame in which the body's frame has this pose.
    pub(crate) fn moved(self, pose: Pose) -> Self {
        // Normalised again: a unit quaternion in `f32` is not one in `f64`.
        let rotation = DMat3::from_quat(pose.rotation.as_dquat().normalize());
        Self {
            kg: self.kg,
            com: rotation * self.com + pose.translation_m.as_dvec3(),
            inertia: rotation * self.inertia * rotation.transpose(),
        }
    }

    /// Sum of two bodies, by the parallel axis theorem.
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
        self.inertia + self.kg * (DMat3::from_diagonal(DVec3::splat(d.dot(d))) - outer_product(d))
    }

    /// Same distribution, other mass.
    pub(crate) fn scaled_to(self, kg: f64) -> Self {
        Self {
            kg,
            com: self.com,
            inertia: self.inertia * (kg / self.kg),
        }
    }

    /// Sum of shapes at the density of water; overlaps count twice. `None` without volume.
    pub(crate) fn of_shapes(shapes: &[Geometry]) -> Option<Self> {
        shapes
            .iter()
            .filter_map(|g| Some(Self::of_shape(&g.shape)?.moved(g.pose)))
            .reduce(Self::plus)
            .filter(|mass| mass.kg > 0.0)
    }

    /// Shape at the density of water, in its own frame; a mesh counts as its bounding box.
    fn of_shape(shape: &Shape) -> Option<Self> {
        match shape {
            Shape::Box { half_extents_m } => Some(cuboid(half_extents_m.as_dvec3())),
            Shape::Cylinder { radius_m, length_m } => {
                Some(cylinder(f64::from(*radius_m), f64::from(*length_m)))
            }
            Shape::Capsule { radius_m, length_m } => {
                Some(capsule(f64::from(*radius_m), f64::from(*length_m)))
            }
            Shape::Sphere { radius_m } => Some(sphere(f64::from(*radius_m))),
            Shape::Mesh(mesh) => bounding_box(&mesh.vertices_m),
            // Ground.
            Shape::HeightField(_) => None,
        }
    }

    /// Principal moments in descending order, and the frame of their axes, by Jacobi rotations
    /// (Golub and Van Loan, Matrix Computations, 4th ed., 8.5).
    pub(crate) fn principal(self) -> (DVec3, DQuat) {
        let mut m = self.inertia;
        let mut axes = DMat3::IDENTITY;
        for _ in 0..30 {
            for (p, q) in [(0, 1), (0, 2), (1, 2)] {
                let off = m.col(q)[p];
                if off.abs() <= f64::EPSILON * 1e-3 {
                    continue;
                }
                let angle = 0.5 * libm::atan2(2.0 * off, m.col(p)[p] - m.col(q)[q]);
                let (s, c) = (libm::sin(angle), libm::cos(angle));
                let mut turn = DMat3::IDENTITY;
                turn.col_mut(p)[p] = c;
                turn.col_mut(q)[q] = c;
                turn.col_mut(p)[q] = s;
                turn.col_mut(q)[p] = -s;
                m = turn.transpose() * m * turn;
                axes *= turn;
            }
        }
        let moments = [m.x_axis.x, m.y_axis.y, m.z_axis.z];
        let mut order = [0, 1, 2];
        order.sort_by(|&a, &b| moments[b].total_cmp(&moments[a]));
        let [a, b, c] = order;
        let (x, y) = (axes.col(a), axes.col(b));
        let frame = DMat3::from_cols(x, y, x.cross(y));
        let sorted = DVec3::new(moments[a], moments[b], moments[c]);
        (sorted, DQuat::from_mat3(&frame))
    }

    /// Converts to `f32`, the physics' precision.
    pub(crate) fn to_inertial(self) -> Inertial {
        let m = self.inertia.as_mat3();
        Inertial {
            mass_kg: self.kg as f32,
            com_m: self.com.as_vec3(),
            // Exactly symmetric, independent of rounding.
            inertia_kg_m2: Mat3::from_cols(m.x_axis, m.y_axis, m.z_axis) * 0.5
                + m.transpose() * 0.5,
        }
    }
}

/// `v vᵀ`.
pub(crate) fn outer_product(v: DVec3) -> DMat3 {
    DMat3::from_cols(v * v.x, v * v.y, v * v.z)
}

/// Body with its centre of mass at the origin and principal axes along the frame.
pub(crate) fn centred(kg: f64, moments: DVec3) -> Mass {
    Mass {
        kg,
        com: DVec3::ZERO,
        inertia: DMat3::from_diagonal(moments),
    }
}

/// Box of these half extents (m), at the density of water.
pub(crate) fn cuboid(half: DVec3) -> Mass {
    let kg = DENSITY * 8.0 * half.x * half.y * half.z;
    let s = half * half;
    centred(kg, DVec3::new(s.y + s.z, s.x + s.z, s.x + s.y) * (kg / 3.0))
}

/// Cylinder along z, at the density of water.
pub(crate) fn cylinder(r: f64, length: f64) -> Mass {
    let kg = DENSITY * PI * r * r * length;
    let across = kg * (3.0 * r * r + length * length) / 12.0;
    centred(kg, DVec3::new(across, across, kg * r * r / 2.0))
}

/// Sphere at the density of water.
pub(crate) fn sphere(r: f64) -> Mass {
    let kg = DENSITY * 4.0 / 3.0 * PI * r * r * r;
    centred(kg, DVec3::splat(0.4 * kg * r * r))
}

/// Radius of a sphere of this mass at the density of water (m).
pub(crate) fn sphere_radius(kg: f64) -> f64 {
    libm::cbrt(kg / (DENSITY * 4.0 / 3.0 * PI))
}

/// Capsule at the density of water: a cylinder between two half spheres. The centre of mass of a
/// half sphere lies 3/8 r beyond the cylinder's end; its inertia about that point, across the axis, is
/// 83/320 m r².
pub(crate) fn capsule(r: f64, length: f64) -> Mass {
    let middle = cylinder(r, length);
    let half_sphere_kg = sphere(r).kg / 2.0;
    let offset = length / 2.0 + 0.375 * r;
    let across = half_sphere_kg * (83.0 / 320.0 * r * r + offset * offset);
    let along = half_sphere_kg * 0.4 * r * r;
    let ends = centred(
        2.0 * half_sphere_kg,
        DVec3::new(across, across, along) * 2.0,
    );
    middle.plus(ends)
}

/// Ellipsoid with these radii (m), at the density of water.
pub(crate) fn ellipsoid(radii: DVec3) -> Mass {
    let kg = DENSITY * 4.0 / 3.0 * PI * radii.x * radii.y * radii.z;
    let s = radii * radii;
    centred(kg, DVec3::new(s.y + s.z, s.x + s.z, s.x + s.y) * (kg / 5.0))
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
    fn sum_of_two_boxes_is_the_larger_box() {
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
    fn quarter_turn_swaps_moments() {
        let turned = cuboid(DVec3::new(1.0, 0.2, 0.1)).moved(Pose::new(
            Vec3::ZERO,
            Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
        ));
        close(&turned, &cuboid(DVec3::new(0.2, 1.0, 0.1)));
    }

    #[test]
    fn capsule_without_length_is_a_sphere() {
        close(&capsule(0.3, 0.0), &sphere(0.3));
    }

    #[test]
    fn capsule_equals_the_sum_of_its_slices() {
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
    fn mesh_counts_as_its_bounding_box() {
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
    fn sphere_radius_inverts_sphere() {
        assert!((sphere_radius(sphere(0.25).kg) - 0.25).abs() < 1e-12);
    }
}
