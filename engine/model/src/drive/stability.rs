//! Acceleration limit from longitudinal stability.

use super::wheels::{CONTACT_TOLERANCE_M, WheelCandidate};
use becomingone_components::body::RobotModel;
use becomingone_components::vehicle::STANDARD_GRAVITY_M_S2;
use glam::{Vec2, Vec3};

/// Longitudinal stability: the acceleration at which a wheel lifts.
pub(super) struct Stability {
    mass_kg: f64,
    /// Height of the centre of mass above the ground (m).
    height_m: f64,
    /// Distance of the centre of mass from the nearer end of the support base, along forward (m).
    base_m: f64,
    /// Sum of the wheels' inertia over their radius (kg m): reaction of their angular acceleration.
    spin_kg_m: f64,
}

impl Stability {
    pub(super) fn of(model: &RobotModel, wheels: &[WheelCandidate], forward: Vec2) -> Self {
        let poses = model.start_poses();
        let lowest = model.lowest_m();
        let mass_kg = model.mass_kg();
        let com = model
            .links
            .iter()
            .zip(&poses)
            .map(|(l, p)| p.point(l.inertial.com_m) * l.inertial.mass_kg)
            .sum::<Vec3>()
            / mass_kg;
        let along = |p: Vec3| p.truncate().dot(forward);
        let mut ends: Vec<f32> = wheels.iter().map(|w| along(w.centre)).collect();
        for (link, pose) in model.links.iter().zip(&poses) {
            for collider in &link.colliders {
                let place = *pose * collider.pose;
                if place.lowest_m(&collider.shape) - lowest < CONTACT_TOLERANCE_M {
                    ends.push(along(place.translation_m));
                }
            }
        }
        let front = ends.iter().copied().fold(f32::MIN, f32::max) - along(com);
        let back = along(com) - ends.iter().copied().fold(f32::MAX, f32::min);
        let spin = wheels.iter().map(|w| {
            let joint = &model.joints[w.joint];
            let inertia = model.links[joint.child].inertial.inertia_kg_m2;
            joint.axis.dot(inertia * joint.axis) / w.radius_m
        });
        Self {
            mass_kg: f64::from(mass_kg),
            height_m: f64::from(com.z - lowest),
            base_m: f64::from(front.min(back).max(0.0)),
            spin_kg_m: f64::from(spin.sum::<f32>()),
        }
    }

    /// Half of the acceleration at which a wheel lifts: `a (m h + Σ I/r) = m g b`.
    pub(super) fn acceleration_m_s2(&self) -> f64 {
        let lifts = self.mass_kg * STANDARD_GRAVITY_M_S2 * self.base_m
            / (self.mass_kg * self.height_m + self.spin_kg_m).max(1e-9);
        // A robot that balances on one axle would have zero.
        (lifts / 2.0).max(0.1)
    }
}
