//! Plausibility check of size, density and inertia: implausible values are mostly wrong units.

use crate::Place;
use crate::draft::Warnings;
use becomingone_components::body::{Geometry, Pose, RobotModel, Shape};
use glam::Vec3;

/// Largest and smallest plausible robot (m): an excavator, a jumping microrobot.
const MAX_SIZE_M: f32 = 30.0;
const MIN_SIZE_M: f32 = 0.01;
/// Least and largest plausible density (kg/m³), by the bounding boxes of the shapes: far below foam, and
/// above gold.
const MIN_DENSITY_KG_M3: f64 = 0.01;
const MAX_DENSITY_KG_M3: f64 = 1e5;
/// Largest plausible radius of gyration of a link, in units of the robot's size.
const MAX_GYRATION_RATIO: f32 = 5.0;
/// Least extent of a shape in a volume (m): a sheet has a volume too.
const MIN_THICKNESS_M: f32 = 1e-3;

/// Warns about an implausible size, mass or inertia, and suggests a scale.
///
/// The link fixed to the world is not checked.
pub(crate) fn check(model: &RobotModel, place: &Place, warnings: &mut Warnings) {
    let links = || model.links.iter();
    if links().any(|l| !l.visuals.is_empty()) && links().all(|l| l.colliders.is_empty()) {
        let text = "the robot has visuals, but no collision shapes: it has no contacts, not even with the ground";
        warnings.push(place, text);
    }
    let mut all = BoundingBox::NONE;
    let mut volume_m3 = 0.0;
    let mut mass_kg = 0.0;
    for (index, (link, pose)) in model.links.iter().zip(model.start_poses()).enumerate() {
        if model.fixed_base && index == 0 {
            continue;
        }
        mass_kg += f64::from(link.inertial.mass_kg);
        let shapes = if link.colliders.is_empty() {
            &link.visuals
        } else {
            &link.colliders
        };
        for geometry in shapes {
            let own = BoundingBox::of(geometry, Pose::IDENTITY);
            let size = own.size().max(Vec3::splat(MIN_THICKNESS_M)).as_dvec3();
            volume_m3 += size.x * size.y * size.z;
            all = all.union(BoundingBox::of(geometry, pose));
        }
    }
    let size_m = all.size().max_element();
    // No shapes, or not finite.
    if !(size_m > 0.0 && size_m.is_finite()) {
        return;
    }
    let scaled = |factor: f32| format!("{:.3} m", size_m * factor);
    if size_m > MAX_SIZE_M {
        let text = format!(
            "the size of the robot is {size_m:.1} m; if its lengths or meshes are in millimetres, scale them \
             by 0.001 (it would be {})",
            scaled(1e-3)
        );
        warnings.push(place, text);
    } else if size_m < MIN_SIZE_M {
        let text = format!(
            "the size of the robot is only {:.3} mm; if its lengths or meshes were scaled twice, scale them \
             by 1000 (it would be {})",
            size_m * 1e3,
            scaled(1e3)
        );
        warnings.push(place, text);
    } else if mass_kg / volume_m3 > MAX_DENSITY_KG_M3 {
        let text = format!(
            "the robot has a mass of {mass_kg:.3} kg, {:.0} times the density of water; if its \
             masses are in grams, scale them by 0.001",
            mass_kg / volume_m3 / 1e3
        );
        warnings.push(place, text);
    } else if mass_kg / volume_m3 < MIN_DENSITY_KG_M3 {
        let text = format!(
            "the robot has a mass of {mass_kg:.6} kg, less than 1e-5 times the density of water; if \
             its masses are in tonnes, scale them by 1000",
        );
        warnings.push(place, text);
    }
    for link in model.links.iter().skip(usize::from(model.fixed_base)) {
        let i = link.inertial;
        let trace = i.inertia_kg_m2.x_axis.x + i.inertia_kg_m2.y_axis.y + i.inertia_kg_m2.z_axis.z;
        // tr(I) / 2 = ∑ m r².
        let radius_m = libm::sqrtf(trace / 2.0 / i.mass_kg);
        if radius_m > MAX_GYRATION_RATIO * size_m {
            let text = format!(
                "link {:?} has a radius of gyration of {radius_m:.2} m in a robot of {size_m:.3} m; if its \
                 inertia is in kg mm², scale it by 1e-6",
                link.name
            );
            warnings.push(place, text);
        }
    }
}

/// Axis-aligned bounding box.
#[derive(Clone, Copy)]
struct BoundingBox {
    low: Vec3,
    high: Vec3,
}

impl BoundingBox {
    const NONE: Self = Self {
        low: Vec3::INFINITY,
        high: Vec3::NEG_INFINITY,
    };

    fn union(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    fn size(self) -> Vec3 {
        (self.high - self.low).max(Vec3::ZERO)
    }

    /// Bounding box of a shape on a link with this pose.
    fn of(geometry: &Geometry, link: Pose) -> Self {
        let pose = link * geometry.pose;
        let half = match &geometry.shape {
            Shape::Box { half_extents_m } => *half_extents_m,
            Shape::Sphere { radius_m } => Vec3::splat(*radius_m),
            Shape::Cylinder { radius_m, length_m } => {
                Vec3::new(*radius_m, *radius_m, length_m / 2.0)
            }
            Shape::Capsule { radius_m, length_m } => {
                Vec3::new(*radius_m, *radius_m, length_m / 2.0 + radius_m)
            }
            Shape::Mesh(mesh) => {
                return mesh.vertices_m.iter().fold(Self::NONE, |extent, &v| {
                    let p = pose.point(Vec3::from(v));
                    extent.union(Self { low: p, high: p })
                });
            }
            // Ground is no part of a robot.
            Shape::HeightField(_) => return Self::NONE,
        };
        (0..8).fold(Self::NONE, |extent, corner| {
            let sign = |bit: i32| if corner & bit == 0 { 1.0 } else { -1.0 };
            let p = pose.point(half * Vec3::new(sign(1), sign(2), sign(4)));
            extent.union(Self { low: p, high: p })
        })
    }
}
