//! Enclosing cylinder of a wheel.

use becomingone_components::body::{Geometry, Link, Pose, Shape};
use glam::{Quat, Vec3};
use std::f32::consts::TAU;

/// Points on the rim of a cylinder oblique to the axis: the radius is at most 0.03 % too small.
const RIM_POINTS: usize = 128;
/// Cosine above which a cylinder is parallel to the axis (0.08 degrees).
const PARALLEL: f32 = 1.0 - 1e-6;

/// Enclosing cylinder of a wheel about an axis through the link's origin: radius (m), width (m), and
/// pose in the link's frame with z along the axis.
///
/// It encloses the link's colliders, or its visuals where it has none: the radius is the
/// largest distance of any of their points from the axis, the width their extent along it.
/// A sphere on the axis gives its own radius. `None` if the link has no shape, or the axis is zero.
pub fn wheel_cylinder(link: &Link, axis_in_link: Vec3) -> Option<(f32, f32, Pose)> {
    let axis = axis_in_link.try_normalize()?;
    let shapes = if link.colliders.is_empty() {
        &link.visuals
    } else {
        &link.colliders
    };
    let mut hull = Envelope::new(axis);
    for geometry in shapes {
        hull.geometry(geometry);
    }
    let width = hull.high - hull.low;
    if !(hull.radius > 0.0 && width.is_finite()) {
        return None;
    }
    let middle = axis * ((hull.high + hull.low) / 2.0);
    let rotation = Quat::from_rotation_arc(Vec3::Z, axis);
    Some((hull.radius, width, Pose::new(middle, rotation)))
}

/// Extent of shapes about an axis through the origin.
struct Envelope {
    axis: Vec3,
    radius: f32,
    low: f32,
    high: f32,
}

impl Envelope {
    fn new(axis: Vec3) -> Self {
        Self {
            axis,
            radius: 0.0,
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
        }
    }

    /// Includes a sphere; a point is one of radius zero.
    fn sphere(&mut self, centre: Vec3, radius: f32) {
        let along = centre.dot(self.axis);
        let across = (centre - self.axis * along).length();
        self.radius = self.radius.max(across + radius);
        self.low = self.low.min(along - radius);
        self.high = self.high.max(along + radius);
    }

    /// Includes a disc perpendicular to the axis.
    fn disc(&mut self, centre: Vec3, radius: f32) {
        let along = centre.dot(self.axis);
        let across = (centre - self.axis * along).length();
        self.radius = self.radius.max(across + radius);
        self.low = self.low.min(along);
        self.high = self.high.max(along);
    }

    fn geometry(&mut self, geometry: &Geometry) {
        let pose = geometry.pose;
        match &geometry.shape {
            Shape::Box { half_extents_m } => {
                for corner in 0..8 {
                    let sign = |bit: i32| if corner & bit == 0 { 1.0 } else { -1.0 };
                    let signs = Vec3::new(sign(1), sign(2), sign(4));
                    self.sphere(pose.point(*half_extents_m * signs), 0.0);
                }
            }
            Shape::Sphere { radius_m } => self.sphere(pose.translation_m, *radius_m),
            Shape::Capsule { radius_m, length_m } => {
                for end in [-0.5, 0.5] {
                    self.sphere(pose.point(Vec3::Z * (end * length_m)), *radius_m);
                }
            }
            Shape::Cylinder { radius_m, length_m } => {
                for end in [-0.5, 0.5] {
                    self.rim(pose, end * length_m, *radius_m);
                }
            }
            // Ground is no wheel.
            Shape::HeightField(_) => {}
            Shape::Mesh(mesh) => {
                for &vertex in &mesh.vertices_m {
                    self.sphere(pose.point(Vec3::from_array(vertex)), 0.0);
                }
            }
        }
    }

    /// Includes one end of a cylinder.
    fn rim(&mut self, pose: Pose, height: f32, radius: f32) {
        if (pose.rotation * Vec3::Z).dot(self.axis).abs() > PARALLEL {
            self.disc(pose.point(Vec3::Z * height), radius);
            return;
        }
        for i in 0..RIM_POINTS {
            let turn = Quat::from_rotation_z(TAU * i as f32 / RIM_POINTS as f32);
            let point = turn * (Vec3::X * radius) + Vec3::Z * height;
            self.sphere(pose.point(point), 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use becomingone_components::body::{Inertial, Mesh};
    use glam::Mat3;
    use std::f32::consts::FRAC_PI_2;
    use std::sync::Arc;

    fn link(shapes: Vec<(Shape, Pose)>) -> Link {
        let colliders = shapes
            .into_iter()
            .map(|(shape, pose)| Geometry {
                pose,
                shape,
                rgba: [1.0; 4],
                contacts: becomingone_components::contact_mask::ContactMask::default(),
            })
            .collect();
        Link {
            name: "wheel".into(),
            inertial: Inertial {
                mass_kg: 1.0,
                com_m: Vec3::ZERO,
                inertia_kg_m2: Mat3::IDENTITY,
            },
            colliders,
            visuals: vec![],
        }
    }

    fn check(shape: Shape, pose: Pose, axis: Vec3, radius: f32, width: f32, middle: Vec3) {
        let (r, w, p) = wheel_cylinder(&link(vec![(shape, pose)]), axis).unwrap();
        assert!((r - radius).abs() < 1e-3 * radius, "{r} {radius}");
        assert!((w - width).abs() < 1e-3 * width, "{w} {width}");
        assert!((p.translation_m - middle).length() < 1e-5, "{p:?}");
        assert!((p.rotation * Vec3::Z - axis.normalize()).length() < 1e-5);
    }

    #[test]
    fn cylinder_on_the_axis_does_not_change() {
        let shape = Shape::Cylinder {
            radius_m: 0.1651,
            length_m: 0.1143,
        };
        let pose = Pose::from_xyz_rpy(Vec3::new(0.0, 0.02, 0.0), Vec3::new(FRAC_PI_2, 0.0, 0.0));
        let middle = Vec3::new(0.0, 0.02, 0.0);
        check(shape, pose, Vec3::Y * 3.0, 0.1651, 0.1143, middle);
    }

    #[test]
    fn cylinder_across_the_axis_is_enclosed() {
        let shape = Shape::Cylinder {
            radius_m: 0.3,
            length_m: 0.8,
        };
        check(shape, Pose::IDENTITY, Vec3::X, 0.5, 0.6, Vec3::ZERO);
    }

    #[test]
    fn sphere_keeps_its_radius() {
        let shape = Shape::Sphere { radius_m: 0.2 };
        check(
            shape.clone(),
            Pose::IDENTITY,
            Vec3::NEG_Z,
            0.2,
            0.4,
            Vec3::ZERO,
        );
        // Off the axis it sweeps a larger circle.
        let pose = Pose::new(Vec3::new(0.1, 0.0, 0.5), Quat::IDENTITY);
        check(shape, pose, Vec3::Z, 0.3, 0.4, Vec3::Z * 0.5);
    }

    #[test]
    fn boxes_capsules_and_meshes_are_enclosed() {
        let shape = Shape::Box {
            half_extents_m: Vec3::new(0.3, 0.05, 0.4),
        };
        check(shape, Pose::IDENTITY, Vec3::Y, 0.5, 0.1, Vec3::ZERO);
        let shape = Shape::Capsule {
            radius_m: 0.1,
            length_m: 0.6,
        };
        check(shape.clone(), Pose::IDENTITY, Vec3::Z, 0.1, 0.8, Vec3::ZERO);
        check(shape, Pose::IDENTITY, Vec3::X, 0.4, 0.2, Vec3::ZERO);
        let mesh = Mesh {
            name: String::new(),
            vertices_m: vec![[0.3, 0.1, 0.4], [0.0, -0.1, 0.2], [0.1, 0.3, 0.0]],
            triangles: vec![[0, 1, 2]],
        };
        let shape = Shape::Mesh(Arc::new(mesh));
        check(shape, Pose::IDENTITY, Vec3::Y, 0.5, 0.4, Vec3::Y * 0.1);
    }

    #[test]
    fn no_shape_or_no_axis_gives_none() {
        assert!(wheel_cylinder(&link(vec![]), Vec3::Y).is_none());
        let sphere = link(vec![(Shape::Sphere { radius_m: 0.2 }, Pose::IDENTITY)]);
        assert!(wheel_cylinder(&sphere, Vec3::ZERO).is_none());
    }

    #[test]
    fn visuals_replace_missing_colliders() {
        let mut link = link(vec![(Shape::Sphere { radius_m: 0.2 }, Pose::IDENTITY)]);
        std::mem::swap(&mut link.colliders, &mut link.visuals);
        assert!(wheel_cylinder(&link, Vec3::Y).is_some());
    }
}
