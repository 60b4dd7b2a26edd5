//! Drive of a wheeled robot: driven wheels, steering, and limits of speed and acceleration.

mod stability;
mod steering;
mod wheels;

use becomingone_components::body::{RobotModel, Shape};
use becomingone_components::drive::{Drive, Wheel};
use becomingone_components::scene::DriveSpec;
use becomingone_components::vehicle::STANDARD_GRAVITY_M_S2;
use glam::{Vec2, Vec3};
use stability::Stability;
use steering::{infer_wheels, steered, steering};
use wheels::{WheelCandidate, ground_wheels, wheels_by_name};

/// Least cosine between the axes of driven wheels.
const MIN_AXIS_COSINE: f32 = 0.95;
/// Upper bounds on speed and yaw rate, independent of the motors (m/s, rad/s).
const MAX_SPEED_M_S: f64 = 2.0;
const MAX_YAW_RATE_RAD_S: f64 = 1.2;
/// Upper bound on acceleration, independent of the robot's stability (m/s²).
const MAX_ACCELERATION_M_S2: f64 = 1.5;

/// Error: the robot has no drive that can be controlled.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{robot}` cannot be driven: {reason}; {hint}")]
pub struct DriveError {
    /// Name of the robot.
    pub robot: String,
    /// Reason.
    pub reason: String,
    /// What to do.
    pub hint: &'static str,
}

/// Finds the drive of a robot, and replaces the colliders of its wheels by cylinders; `None` if the
/// scene asks for no wheel drive.
///
/// # Errors
///
/// [`DriveError`] if the robot cannot be driven.
pub fn find_drive(model: &mut RobotModel, spec: &DriveSpec) -> Result<Option<Drive>, DriveError> {
    let name = model.name.clone();
    let fail = |reason: String| DriveError {
        robot: name.clone(),
        reason,
        hint: match spec {
            DriveSpec::Wheels { .. } => {
                "use `drive: Auto` to find wheels automatically, or `drive: Off` for a robot without drive"
            }
            _ => {
                "name its wheels with `drive: Wheels(left: [..], right: [..])`, or use `drive: Off` for a robot without drive"
            }
        },
    };
    let ((mut wheels, steered), sides) = match spec {
        DriveSpec::Off | DriveSpec::Joints { .. } => return Ok(None),
        DriveSpec::Auto => (infer_wheels(model).map_err(&fail)?, None),
        DriveSpec::Wheels { left, right } => {
            let driven = wheels_by_name(model, left, right).map_err(&fail)?;
            let steered = ground_wheels(model).map(|t| steered(model, t, &driven));
            ((driven, steered.unwrap_or_default()), Some(left.as_slice()))
        }
    };
    let axle = wheels[0].axis.truncate().normalize_or_zero();
    for wheel in &mut wheels {
        if wheel.axis.truncate().dot(axle).abs() < MIN_AXIS_COSINE {
            let name = &model.joints[wheel.joint].name;
            return Err(fail(format!(
                "the axis of `{name}` is not parallel to that of `{}`",
                model.joints[wheels[0].joint].name
            )));
        }
    }
    let is_named_left = |joint: usize| match sides {
        Some(left) => Some(left.contains(&model.joints[joint].name)),
        None => side_of_name(&model.joints[joint].name),
    };
    let left = left_direction(&wheels, axle, is_named_left);
    let centre = wheels.iter().map(|w| w.centre.truncate()).sum::<Vec2>() / wheels.len() as f32;
    let offset = |w: &WheelCandidate| (w.centre.truncate() - centre).dot(left);
    let is_left = |w: &WheelCandidate| match sides {
        Some(_) => is_named_left(w.joint).unwrap_or_default(),
        None => offset(w) > 0.0,
    };
    let mean = |want: bool| {
        let side: Vec<f32> = wheels
            .iter()
            .filter(|w| is_left(w) == want)
            .map(offset)
            .collect();
        (!side.is_empty()).then(|| side.iter().sum::<f32>() / side.len() as f32)
    };
    let (Some(l), Some(r)) = (mean(true), mean(false)) else {
        return Err(fail("all of its wheels are on one side".to_owned()));
    };
    let track_width_m = f64::from(l - r);
    if track_width_m < 1e-3 {
        return Err(fail("its left and right wheels are in one line".to_owned()));
    }
    // x = y × z.
    let forward = Vec2::new(left.y, -left.x);
    let limits = Stability::of(model, &wheels, forward);

    let shared_effort =
        2.0 * f64::from(model.mass_kg()) * STANDARD_GRAVITY_M_S2 / wheels.len() as f64;
    // Default torque: twice the torque at which the wheels slip.
    let torque = |joint: usize, radius_m: f32| {
        let effort = f64::from(model.joints[joint].limits.effort);
        if effort.is_finite() && effort > 0.0 {
            effort
        } else {
            shared_effort * f64::from(radius_m)
        }
    };
    let steering = (!steered.is_empty())
        .then(|| steering(model, &steered, centre, [forward, left], torque).map_err(&fail))
        .transpose()?;
    let max_curvature = steering
        .as_ref()
        .map_or(2.0 / track_width_m, |s| s.max_curvature_1_m);
    let driven = wheels
        .iter()
        .map(|w| Wheel {
            joint: w.joint,
            sign: f64::from(w.axis.truncate().dot(left).signum()),
            radius_m: f64::from(w.radius_m),
            left: is_left(w),
            max_torque_n_m: torque(w.joint, w.radius_m),
        })
        .collect::<Vec<_>>();
    let max_speed_m_s = driven
        .iter()
        .map(|w| f64::from(model.joints[w.joint].limits.velocity) * w.radius_m)
        .filter(|v| *v > 0.0)
        .fold(MAX_SPEED_M_S, f64::min);
    let drive = Drive {
        track_width_m,
        forward_yaw_rad: f64::from(libm::atan2f(forward.y, forward.x)),
        centre_m: [f64::from(centre.x), f64::from(centre.y)],
        footprint_radius_m: f64::from(footprint_radius_m(model, centre)),
        max_speed_m_s,
        max_yaw_rate_rad_s: MAX_YAW_RATE_RAD_S.min(max_speed_m_s * max_curvature),
        max_acceleration_m_s2: limits.acceleration_m_s2().min(MAX_ACCELERATION_M_S2),
        wheels: driven,
        steering,
    };
    for wheel in wheels
        .into_iter()
        .chain(steered.into_iter().map(|(w, _)| w))
    {
        let child = model.joints[wheel.joint].child;
        model.links[child].colliders = vec![wheel.geometry];
    }
    Ok(Some(drive))
}

/// Side according to a joint's name: true for left.
fn side_of_name(name: &str) -> Option<bool> {
    let name = name.to_ascii_lowercase();
    match (name.contains("left"), name.contains("right")) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// Direction of the robot's left: by the names of its wheels, else so that x (or else y) is forward.
fn left_direction(
    wheels: &[WheelCandidate],
    axle: Vec2,
    is_left: impl Fn(usize) -> Option<bool>,
) -> Vec2 {
    let by_name: f32 = wheels
        .iter()
        .filter_map(|w| {
            let along = w.centre.truncate().dot(axle);
            is_left(w.joint).map(|left| if left { along } else { -along })
        })
        .sum();
    // REP 103: x forward, y left. An axle along x drives towards y, whose left is -x.
    let by_axes = if axle.y.abs() > 0.5 { axle.y } else { -axle.x };
    let sign = if by_name.abs() > 1e-6 {
        by_name
    } else {
        by_axes
    };
    axle * sign.signum()
}

/// Radius of the circle about a point that encloses every collider, seen from above (m).
fn footprint_radius_m(model: &RobotModel, centre: Vec2) -> f32 {
    let poses = model.start_poses();
    let mut radius = 0.0f32;
    for (index, (link, pose)) in model.links.iter().zip(&poses).enumerate() {
        if model.static_link == Some(index) {
            continue;
        }
        for collider in &link.colliders {
            for corner in corners(&collider.shape) {
                let p = (*pose * collider.pose).point(corner);
                radius = radius.max(p.truncate().distance(centre));
            }
        }
    }
    radius
}

/// Points whose convex hull encloses a shape.
fn corners(shape: &Shape) -> Vec<Vec3> {
    let half = match shape {
        Shape::Box { half_extents_m } => *half_extents_m,
        Shape::Cylinder { radius_m, length_m } => Vec3::new(*radius_m, *radius_m, length_m / 2.0),
        Shape::Capsule { radius_m, length_m } => {
            Vec3::new(*radius_m, *radius_m, length_m / 2.0 + radius_m)
        }
        Shape::Sphere { radius_m } => Vec3::splat(*radius_m),
        Shape::Mesh(mesh) => return mesh.vertices_m.iter().map(|&v| v.into()).collect(),
        // Ground.
        Shape::HeightField(_) => return Vec::new(),
    };
    (0..8)
        .map(|k| {
            let sign = |bit: u32| if k >> bit & 1 == 0 { 1.0 } else { -1.0 };
            half * Vec3::new(sign(0), sign(1), sign(2))
        })
        .collect()
}
