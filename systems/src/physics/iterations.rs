//! Solver iterations that servos need for their stated gains.
//!
//! In a substep, rapier solves a joint's motor first, and by itself: its row is not orthogonal to the rows that hold
//! the joint together (rapier 0.36, `JointConstraint::update`), and the impulses of both start from zero. The motor
//! accelerates a link about its own centre of mass; the joint's other rows then turn this into motion about the joint.
//! One iteration leaves the share `x / (1 + x)` of an effort undone, with `x = h (h k + d) w`: substep h (s), stiffness k,
//! damping d, and w the inverse inertia in the motor's row: `1 / I` of both links about the axis (I about their own
//! centres of mass), or `1 / m + r² / I` along it, r from a centre of mass to the axis. The servo is too soft by this
//! share, although its damping ratio stays near the stated one. More iterations multiply it by `x / (1 + x)` each.

use super::Physics;
use super::build::rotor;
use super::world::Bodies;
use becomingone_components::body::{Inertial, Joint, JointKind, RobotModel};
use becomingone_components::joints::Servos;
use becomingone_components::scene::DriveSpec;
use glam::Vec3;

/// Share of a servo's effort that the solver may leave undone. Less than the accuracy that is promised (5 %): the joints
/// of a chain disturb each other.
const UNDONE: f64 = 0.02;

/// Most iterations that are chosen: they take 0.06 ms of a tick for each joint.
const MOST: u32 = 128;

/// The servo that needs the most iterations of a robot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Index of its joint in the model.
    pub joint: usize,
    /// Effort that one iteration leaves undone, over the effort that it applies: `x` of the module's documentation.
    pub ratio: f64,
}

impl Demand {
    /// Iterations after which at most 2 % of an effort are left undone, at most 128.
    pub fn iterations(&self) -> u32 {
        // The substep's last iteration, without bias, counts as well.
        let all = libm::log(UNDONE) / libm::log(self.undone());
        (libm::ceil(all) as u32).saturating_sub(1).clamp(1, MOST)
    }

    /// Whether more iterations would be needed than are chosen.
    pub fn is_beyond(&self) -> bool {
        libm::pow(self.undone(), f64::from(MOST + 1)) > UNDONE
    }

    /// Share of an effort that one iteration leaves undone.
    fn undone(&self) -> f64 {
        if self.ratio.is_finite() {
            self.ratio / (1.0 + self.ratio)
        } else {
            1.0
        }
    }
}

/// Finds the servo that needs the most iterations; none without servos.
pub fn demand(model: &RobotModel, servos: &Servos, tick_s: f64) -> Option<Demand> {
    let substeps = rapier3d::prelude::IntegrationParameters::default().num_solver_iterations;
    let h = tick_s / substeps as f64;
    let each = servos.0.iter().map(|servo| Demand {
        joint: servo.joint,
        ratio: h * (h * servo.stiffness + servo.damping) * row_mobility(model, servo.joint),
    });
    each.max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

/// Iterations of the solver for a robot with servos: as the scene has it, else as its stated gains need. Gains that are
/// not stated are not held to a value: one iteration.
pub(crate) fn iterations(
    spec: &DriveSpec,
    model: &RobotModel,
    servos: Option<&Servos>,
    tick_s: f64,
) -> u32 {
    if let DriveSpec::Joints {
        solver_iterations: Some(iterations),
        ..
    } = spec
    {
        return *iterations;
    }
    let servos = servos.filter(|_| has_stated_gains(spec));
    let most = servos.and_then(|servos| demand(model, servos, tick_s));
    most.map_or(1, |demand| demand.iterations())
}

/// The servo that stays softer than its stated gains; none where the iterations suffice, or where the scene sets them.
pub fn too_stiff(
    spec: &DriveSpec,
    model: &RobotModel,
    servos: &Servos,
    tick_s: f64,
) -> Option<Demand> {
    let is_chosen = matches!(
        spec,
        DriveSpec::Joints {
            solver_iterations: None,
            ..
        }
    );
    let most = (is_chosen && has_stated_gains(spec)).then(|| demand(model, servos, tick_s));
    most.flatten().filter(Demand::is_beyond)
}

fn has_stated_gains(spec: &DriveSpec) -> bool {
    matches!(spec, DriveSpec::Joints { stiffness, damping, .. } if stiffness.is_some() || damping.is_some())
}

impl Physics {
    /// Sets the iterations per substep of the parts of the world that a robot is in.
    pub(crate) fn set_iterations(&mut self, bodies: &Bodies, iterations: u32) {
        for &link in &bodies.links {
            if let Some(body) = self.rapier.bodies.get_mut(link) {
                body.set_additional_pgs_iterations(iterations.saturating_sub(1) as usize);
            }
        }
    }
}

/// Inverse inertia in the row of a joint's motor (1/kg or 1/(kg m²)), in the start pose.
fn row_mobility(model: &RobotModel, index: usize) -> f64 {
    let joint = &model.joints[index];
    let poses = model.start_poses();
    let (parent, child) = (poses[joint.parent], poses[joint.child]);
    let axis = child.rotation * joint.axis;
    let at = child.translation_m;
    let mut sum = 0.0;
    for (link, pose) in [(joint.parent, parent), (joint.child, child)] {
        let is_fixed = (model.fixed_base && link == 0) || model.static_link == Some(link);
        if is_fixed {
            continue;
        }
        let rotor_of = link.checked_sub(1).map(|joint| &model.joints[joint]);
        let own = pose.rotation.inverse();
        let from_centre = own * at - (own * pose.translation_m + model.links[link].inertial.com_m);
        sum += mobility(
            &model.links[link].inertial,
            rotor_of,
            joint.kind,
            own * axis,
            from_centre,
        );
    }
    f64::from(sum)
}

/// Part of one link, all in its axes.
fn mobility(
    inertial: &Inertial,
    carried_by: Option<&Joint>,
    kind: JointKind,
    axis: Vec3,
    from_centre_m: Vec3,
) -> f32 {
    let slides = carried_by.is_some_and(|j| j.kind == JointKind::Prismatic);
    let mass_kg = inertial.mass_kg + carried_by.filter(|_| slides).map_or(0.0, |j| j.armature);
    let inertia = inertial.inertia_kg_m2 + carried_by.map_or(glam::Mat3::ZERO, rotor);
    let inverse = inertia.inverse();
    if kind == JointKind::Prismatic {
        let turned = from_centre_m.cross(axis);
        1.0 / mass_kg + turned.dot(inverse * turned)
    } else {
        axis.dot(inverse * axis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rapier3d::prelude::*;

    /// Sag of a plain rapier slide of 2 kg on a motor of 20 kN/m and 500 N s/m, over that of its stiffness.
    fn plain_sag(iterations: usize, offset_m: f32) -> f32 {
        let mut world = PhysicsWorld::new();
        world.gravity = Vec3::new(0.0, 0.0, -9.80665);
        world.integration_parameters.dt = 1e-3;
        world.integration_parameters.num_internal_pgs_iterations = iterations;
        let base = world.insert_body(RigidBodyBuilder::fixed());
        let centre = Vec3::X * offset_m;
        let mass = MassProperties::with_inertia_matrix(centre, 2.0, glam::Mat3::IDENTITY * 2e-3);
        let load = world.insert_body(RigidBodyBuilder::dynamic().additional_mass_properties(mass));
        let mut slide = GenericJoint::new(JointAxesMask::LOCKED_PRISMATIC_AXES);
        slide.set_local_axis1(Vec3::Z);
        slide.set_local_axis2(Vec3::Z);
        slide.set_motor_model(JointAxis::LinX, MotorModel::ForceBased);
        slide.set_motor_position(JointAxis::LinX, 0.0, 20e3, 500.0);
        world.insert_impulse_joint(base, load, slide);
        for _ in 0..2000 {
            world.step();
        }
        -world.bodies[load].translation().z * 20e3 / (2.0 * 9.80665)
    }

    /// If this fails at a new version of rapier, then its motors may hold their gains in one iteration: measure again.
    #[test]
    fn plain_rapier_yields_beside_the_centre_of_mass() {
        for (iterations, offset_m, sag) in [(1, 0.0, 1.0), (1, 0.3, 3.63), (23, 0.3, 1.02)] {
            let is = plain_sag(iterations, offset_m);
            assert!((is - sag).abs() < 0.01, "{iterations} {offset_m}: {is}");
        }
    }

    #[test]
    fn iterations_leave_two_percent_undone() {
        for (ratio, iterations) in [(0.0, 1), (0.1, 1), (0.66, 4), (3.16, 14), (6.3, 26)] {
            let demand = Demand { joint: 0, ratio };
            assert_eq!(demand.iterations(), iterations, "{ratio}");
            assert!(!demand.is_beyond());
        }
        let far = Demand {
            joint: 0,
            ratio: 50.0,
        };
        assert_eq!(far.iterations(), 128);
        assert!(far.is_beyond());
    }
}
