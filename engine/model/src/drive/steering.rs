//! Steered wheels and their geometry.

use super::wheels::{WheelCandidate, carrier_joint, ground_wheels};
use becomingone_components::body::{JointKind, RobotModel};
use becomingone_components::drive::{SteeredWheel, Steering};
use glam::Vec2;

/// Least vertical component of a steering axis: kingpins are inclined by up to 15 degrees.
const MIN_STEERING_AXIS_Z: f32 = 0.96;
/// Trail of a caster, as a share of the wheel's radius: a wheel with a smaller trail may be steered.
const CASTER_TRAIL_RATIO: f32 = 0.1;
/// Steering limit if the file gives none (rad): cars reach 30 to 40 degrees at the wheel
/// (Reimpell, Stoll, Betzler: The Automotive Chassis, 2nd ed., 3.7.2).
const DEFAULT_STEERING_RAD: f64 = 0.6;
/// Upper bound on the steering angle (rad).
const MAX_STEERING_RAD: f64 = 1.2;

/// Steered wheel and its steering joint.
pub(super) type Steered = (WheelCandidate, usize);

/// Infers the driven wheels, whose joints are on the root link, and the steered ones.
pub(super) fn infer_wheels(
    model: &RobotModel,
) -> Result<(Vec<WheelCandidate>, Vec<Steered>), String> {
    let (driven, carried): (Vec<_>, Vec<_>) = ground_wheels(model)?
        .into_iter()
        .partition(|w| carrier_joint(model, w).is_none());
    let steered = steered(model, carried, &[]);
    match (driven.is_empty(), steered.is_empty()) {
        (false, _) => Ok((driven, steered)),
        (true, true) => Err("all of its wheels are on moving links".to_owned()),
        (true, false) => Err("all of its wheels are steered".to_owned()),
    }
}

/// Steered wheels among those on the ground that are not driven: their link turns about a vertical axis
/// on the root link within limits. If there is one, also those without limits and without trail. Other
/// wheels on continuous joints are casters.
pub(super) fn steered(
    model: &RobotModel,
    on_ground: Vec<WheelCandidate>,
    driven: &[WheelCandidate],
) -> Vec<Steered> {
    let poses = model.start_poses();
    let mut steered = Vec::new();
    let mut unlimited = Vec::new();
    for wheel in on_ground {
        let Some(carrier) = carrier_joint(model, &wheel) else {
            continue;
        };
        let joint = &model.joints[carrier];
        let axis = poses[joint.child].rotation * joint.axis;
        let off = (wheel.centre - poses[joint.child].translation_m).truncate();
        let trail = off
            .dot(wheel.axis.truncate().perp().normalize_or_zero())
            .abs();
        let free = !driven.iter().any(|d| d.joint == wheel.joint);
        if !free || joint.parent != 0 || axis.z.abs() < MIN_STEERING_AXIS_Z {
            continue;
        }
        match joint.kind {
            JointKind::Revolute => steered.push((wheel, carrier)),
            JointKind::Continuous if trail < CASTER_TRAIL_RATIO * wheel.radius_m => {
                unlimited.push((wheel, carrier));
            }
            _ => {}
        }
    }
    if !steered.is_empty() {
        steered.append(&mut unlimited);
    }
    steered
}

/// Steering geometry, relative to the centre of the driven wheels.
pub(super) fn steering(
    model: &RobotModel,
    steered: &[Steered],
    middle: Vec2,
    [forward, left]: [Vec2; 2],
    torque: impl Fn(usize, f32) -> f64,
) -> Result<Steering, String> {
    let poses = model.start_poses();
    // A wheel without limits has those of the others.
    let limits = steered.iter().map(|(_, j)| model.joints[*j].limits);
    let [mut lower, mut upper] = [-MAX_STEERING_RAD, MAX_STEERING_RAD];
    let mut limited = false;
    for limits in limits.filter(|l| l.lower.is_finite() && l.upper.is_finite()) {
        lower = lower.max(f64::from(limits.lower));
        upper = upper.min(f64::from(limits.upper));
        limited = true;
    }
    if !limited {
        [lower, upper] = [-DEFAULT_STEERING_RAD, DEFAULT_STEERING_RAD];
    }
    let mut max_curvature_1_m = f64::INFINITY;
    let mut wheels = Vec::new();
    for (wheel, index) in steered {
        let joint = &model.joints[*index];
        let pose = poses[joint.child];
        let at = pose.translation_m.truncate() - middle;
        let [x, y] = [at.dot(forward), at.dot(left)].map(f64::from);
        let sign = f64::from((pose.rotation * joint.axis).z.signum());
        let ranges = [lower, upper].map(|r| r * sign);
        for (side, y) in [(1.0, y), (-1.0, -y)] {
            // tan δ = κ x / (1 - κ y), solved for κ at the steering limit of that side.
            let most = ranges.iter().map(|r| r * side * x.signum());
            let tan = libm::tan(most.fold(0.0, f64::max)) * x.signum();
            let curvature = tan / (x + y * tan);
            if !(curvature > 1e-3 && x.abs() > 1e-3) {
                return Err(format!(
                    "its steering joint `{}` allows no turn",
                    joint.name
                ));
            }
            max_curvature_1_m = max_curvature_1_m.min(curvature);
        }
        wheels.push(SteeredWheel {
            joint: *index,
            sign,
            position_m: [x, y],
            range_rad: [lower, upper],
            max_torque_n_m: torque(*index, wheel.radius_m),
        });
    }
    Ok(Steering {
        wheels,
        max_curvature_1_m,
    })
}
