//! Which joints of a robot are its driven wheels, and what they can do.

use crate::did_you_mean;
use crate::wheel_cylinder;
use becomingone_components::body::{Geometry, JointKind, Pose, RobotModel, Shape};
use becomingone_components::drive::{Drive, SteeredWheel, Steering, Wheel};
use becomingone_components::scene::DriveSpec;
use glam::{Vec2, Vec3};

/// A wheel touches the ground if it ends this near to the robot's lowest point (m).
const TOUCHING_M: f32 = 0.02;
/// A wheel's axis is level if its vertical part is below this; axes are parallel above the other.
const LEVEL: f32 = 0.2;
const PARALLEL: f32 = 0.95;
/// Speed and yaw rate that are not exceeded, whatever the motors could do (m/s, rad/s).
const SPEED_M_S: f64 = 2.0;
const YAW_RATE_RAD_S: f64 = 1.2;
/// Acceleration that is not exceeded, whatever the robot could stand (m/s²).
const ACCELERATION_M_S2: f64 = 1.5;
/// A standing axis has at least this vertical part: kingpins lean by up to 15 degrees.
const STANDING: f32 = 0.96;
/// A wheel that trails its standing axis by more of its radius than this is a caster's.
const TRAIL: f32 = 0.1;
/// Steering angle where the file gives no limits (rad): cars reach 30 to 40 degrees at the wheel
/// (Reimpell, Stoll, Betzler: The Automotive Chassis, 2nd ed., 3.7.2).
const STEERING_RAD: f64 = 0.6;
/// Largest steering angle that is used (rad).
const STEERING_MAX_RAD: f64 = 1.2;
/// Standard gravity (ISO 80000-3), for what tips a robot over (m/s²).
const G_M_S2: f64 = 9.80665;

/// Why a robot cannot be driven.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{robot}` cannot be driven: {reason}; {hint}")]
pub struct DriveError {
    /// Name of the robot.
    pub robot: String,
    /// What is missing.
    pub reason: String,
    /// What to do.
    pub hint: &'static str,
}

struct Candidate {
    joint: usize,
    centre: Vec3,
    axis: Vec3,
    radius_m: f32,
    geometry: Geometry,
}

/// Finds the drive of a robot, and stands a cylinder in for each of its wheels' colliders.
/// None where the scene wants none.
///
/// # Errors
///
/// [`DriveError`] says what keeps the robot from being driven.
pub fn find_drive(model: &mut RobotModel, spec: &DriveSpec) -> Result<Option<Drive>, DriveError> {
    let name = model.name.clone();
    let fail = |reason: String| DriveError {
        robot: name.clone(),
        reason,
        hint: match spec {
            DriveSpec::Wheels { .. } => {
                "`drive: Auto` finds wheels by itself, `drive: Off` leaves it undriven"
            }
            _ => {
                "name its wheels with `drive: Wheels(left: [..], right: [..])`, or leave it undriven with `drive: Off`"
            }
        },
    };
    let ((mut wheels, steered), sides) = match spec {
        DriveSpec::Off | DriveSpec::Joints { .. } => return Ok(None),
        DriveSpec::Auto => (inferred(model).map_err(&fail)?, None),
        DriveSpec::Wheels { left, right } => {
            let named = named(model, left, right).map_err(&fail)?;
            let steered = touching(model).map(|t| steered(model, t, &named));
            ((named, steered.unwrap_or_default()), Some(left.as_slice()))
        }
    };
    let axle = wheels[0].axis.truncate().normalize_or_zero();
    for wheel in &mut wheels {
        if wheel.axis.truncate().dot(axle).abs() < PARALLEL {
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
    let middle = wheels.iter().map(|w| w.centre.truncate()).sum::<Vec2>() / wheels.len() as f32;
    let offset = |w: &Candidate| (w.centre.truncate() - middle).dot(left);
    let is_left = |w: &Candidate| match sides {
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
        return Err(fail("all of its wheels stand on one side".to_owned()));
    };
    let track_width_m = f64::from(l - r);
    if track_width_m < 1e-3 {
        return Err(fail(
            "its left and right wheels stand in one line".to_owned(),
        ));
    }
    // Forward is to the right of left: x = y × z.
    let forward = Vec2::new(left.y, -left.x);
    let limits = Stance::of(model, &wheels, forward);

    let shared_effort = 2.0 * f64::from(model.mass_kg()) * G_M_S2 / wheels.len() as f64;
    // Where the file gives none: twice what makes the wheels slip.
    let torque = |joint: usize, radius_m: f32| {
        let effort = f64::from(model.joints[joint].limits.effort);
        if effort.is_finite() && effort > 0.0 {
            effort
        } else {
            shared_effort * f64::from(radius_m)
        }
    };
    let steering = (!steered.is_empty())
        .then(|| steering(model, &steered, middle, [forward, left], torque).map_err(&fail))
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
        .fold(SPEED_M_S, f64::min);
    let drive = Drive {
        track_width_m,
        forward_yaw_rad: f64::from(libm::atan2f(forward.y, forward.x)),
        centre_m: [f64::from(middle.x), f64::from(middle.y)],
        footprint_radius_m: f64::from(footprint_radius_m(model, middle)),
        max_speed_m_s,
        max_yaw_rate_rad_s: YAW_RATE_RAD_S.min(max_speed_m_s * max_curvature),
        max_acceleration_m_s2: limits.acceleration_m_s2().min(ACCELERATION_M_S2),
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

fn candidate(model: &RobotModel, poses: &[Pose], index: usize) -> Option<Candidate> {
    let joint = &model.joints[index];
    let pose = poses[joint.child];
    let link = &model.links[joint.child];
    let (radius_m, width_m, cylinder) = wheel_cylinder(link, joint.axis)?;
    let rgba = link
        .visuals
        .first()
        .map_or([0.2, 0.2, 0.2, 1.0], |v| v.rgba);
    Some(Candidate {
        joint: index,
        centre: pose.point(cylinder.translation_m),
        axis: pose.rotation * joint.axis,
        radius_m,
        geometry: Geometry {
            pose: cylinder,
            shape: Shape::Cylinder {
                radius_m,
                length_m: width_m,
            },
            rgba,
        },
    })
}

/// The joint that moves what carries a wheel; none where that is the root.
fn carrier(model: &RobotModel, wheel: &Candidate) -> Option<usize> {
    let parent = model.joints[wheel.joint].parent;
    model.joints.iter().position(|j| j.child == parent)
}

/// Continuous joints with level axes, whose wheels touch the ground.
fn touching(model: &RobotModel) -> Result<Vec<Candidate>, String> {
    let poses = model.start_poses();
    let lowest = model.lowest_m();
    let continuous: Vec<usize> = (0..model.joints.len())
        .filter(|&j| model.joints[j].kind == JointKind::Continuous)
        .collect();
    if continuous.is_empty() {
        return Err("it has no continuous joint, so no wheels".to_owned());
    }
    let level: Vec<Candidate> = continuous
        .iter()
        .filter_map(|&j| candidate(model, &poses, j))
        .filter(|w| w.axis.z.abs() < LEVEL)
        .collect();
    if level.is_empty() {
        return Err("none of its continuous joints has a level axis and a shape".to_owned());
    }
    let touching: Vec<Candidate> = level
        .into_iter()
        .filter(|w| (w.centre.z - w.radius_m - lowest).abs() < TOUCHING_M)
        .collect();
    if touching.is_empty() {
        return Err(
            "none of its wheels reaches the ground that its lowest part stands on".to_owned(),
        );
    }
    Ok(touching)
}

/// A wheel that is steered, and the joint that steers it.
type Steered = (Candidate, usize);

/// Driven wheels, which turn on the root, and those that are steered.
fn inferred(model: &RobotModel) -> Result<(Vec<Candidate>, Vec<Steered>), String> {
    let (driven, carried): (Vec<_>, Vec<_>) = touching(model)?
        .into_iter()
        .partition(|w| carrier(model, w).is_none());
    let steered = steered(model, carried, &[]);
    match (driven.is_empty(), steered.is_empty()) {
        (false, _) => Ok((driven, steered)),
        (true, true) => Err("all of its wheels hang on moving links".to_owned()),
        (true, false) => Err("all of its wheels are steered".to_owned()),
    }
}

/// Of the wheels that touch the ground and are not driven, those that are steered: they turn about
/// a standing axis on the root, within limits; beside such a wheel also one whose axis stands right
/// above it and has no limits in the file. What else turns without end is a caster.
fn steered(model: &RobotModel, touching: Vec<Candidate>, driven: &[Candidate]) -> Vec<Steered> {
    let poses = model.start_poses();
    let mut steered = Vec::new();
    let mut unlimited = Vec::new();
    for wheel in touching {
        let Some(carrier) = carrier(model, &wheel) else {
            continue;
        };
        let joint = &model.joints[carrier];
        let axis = poses[joint.child].rotation * joint.axis;
        let off = (wheel.centre - poses[joint.child].translation_m).truncate();
        let trail = off
            .dot(wheel.axis.truncate().perp().normalize_or_zero())
            .abs();
        let free = !driven.iter().any(|d| d.joint == wheel.joint);
        if !free || joint.parent != 0 || axis.z.abs() < STANDING {
            continue;
        }
        match joint.kind {
            JointKind::Revolute => steered.push((wheel, carrier)),
            JointKind::Continuous if trail < TRAIL * wheel.radius_m => {
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

/// The geometry of steered wheels about the middle of the driven ones.
fn steering(
    model: &RobotModel,
    steered: &[Steered],
    middle: Vec2,
    [forward, left]: [Vec2; 2],
    torque: impl Fn(usize, f32) -> f64,
) -> Result<Steering, String> {
    let poses = model.start_poses();
    // Where one wheel has no limits of its own, those of the others hold for it too.
    let limits = steered.iter().map(|(_, j)| model.joints[*j].limits);
    let [mut lower, mut upper] = [-STEERING_MAX_RAD, STEERING_MAX_RAD];
    let mut limited = false;
    for limits in limits.filter(|l| l.lower.is_finite() && l.upper.is_finite()) {
        lower = lower.max(f64::from(limits.lower));
        upper = upper.min(f64::from(limits.upper));
        limited = true;
    }
    if !limited {
        [lower, upper] = [-STEERING_RAD, STEERING_RAD];
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
            // tan δ = κ x / (1 - κ y), solved for κ at the limit of that side.
            let most = ranges.iter().map(|r| r * side * x.signum());
            let tan = libm::tan(most.fold(0.0, f64::max)) * x.signum();
            let curvature = tan / (x + y * tan);
            if !(curvature > 1e-3 && x.abs() > 1e-3) {
                return Err(format!("its joint `{}` cannot steer it", joint.name));
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

fn named(model: &RobotModel, left: &[String], right: &[String]) -> Result<Vec<Candidate>, String> {
    if left.is_empty() || right.is_empty() {
        return Err("`Wheels` names no joint on one of its sides".to_owned());
    }
    let poses = model.start_poses();
    let mut wheels: Vec<Candidate> = Vec::new();
    for name in left.iter().chain(right) {
        let Some(index) = model.joints.iter().position(|j| j.name == *name) else {
            let names = model.joints.iter().map(|j| j.name.as_str());
            return Err(format!(
                "it has no moving joint `{name}`{}",
                did_you_mean(name, names)
            ));
        };
        if wheels.iter().any(|w| w.joint == index) {
            return Err(format!("`Wheels` names `{name}` twice"));
        }
        if model.joints[index].kind != JointKind::Continuous {
            return Err(format!("its joint `{name}` does not turn without end"));
        }
        let wheel = candidate(model, &poses, index)
            .ok_or_else(|| format!("the link that `{name}` turns has no shape"))?;
        if wheel.axis.z.abs() >= LEVEL {
            return Err(format!("the axis of `{name}` is not level"));
        }
        wheels.push(wheel);
    }
    Ok(wheels)
}

/// What a joint's name says of its side.
fn side_of_name(name: &str) -> Option<bool> {
    let name = name.to_ascii_lowercase();
    match (name.contains("left"), name.contains("right")) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// The robot's left: by the names of its wheels, else so that x (or else y) is forward.
fn left_direction(
    wheels: &[Candidate],
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

/// Radius about a point that holds every collider, seen from above (m).
fn footprint_radius_m(model: &RobotModel, centre: Vec2) -> f32 {
    let poses = model.start_poses();
    let mut radius = 0.0f32;
    for (link, pose) in model.links.iter().zip(&poses) {
        for collider in &link.colliders {
            for corner in corners(&collider.shape) {
                let p = (*pose * collider.pose).point(corner);
                radius = radius.max(p.truncate().distance(centre));
            }
        }
    }
    radius
}

/// Points that hold the shape between them.
fn corners(shape: &Shape) -> Vec<Vec3> {
    let half = match shape {
        Shape::Box { half_extents_m } => *half_extents_m,
        Shape::Cylinder { radius_m, length_m } => Vec3::new(*radius_m, *radius_m, length_m / 2.0),
        Shape::Capsule { radius_m, length_m } => {
            Vec3::new(*radius_m, *radius_m, length_m / 2.0 + radius_m)
        }
        Shape::Sphere { radius_m } => Vec3::splat(*radius_m),
        Shape::Mesh(mesh) => return mesh.vertices_m.iter().map(|&v| v.into()).collect(),
    };
    (0..8)
        .map(|k| {
            let sign = |bit: u32| if k >> bit & 1 == 0 { 1.0 } else { -1.0 };
            half * Vec3::new(sign(0), sign(1), sign(2))
        })
        .collect()
}

/// What keeps a robot on its wheels.
struct Stance {
    mass_kg: f64,
    /// Height of the centre of mass over the ground (m).
    height_m: f64,
    /// From the centre of mass to the nearer end of what it stands on, along forward (m).
    base_m: f64,
    /// Sum of the wheels' inertia over their radius (kg m): what spinning them up does to the body.
    spin_kg_m: f64,
}

impl Stance {
    fn of(model: &RobotModel, wheels: &[Candidate], forward: Vec2) -> Self {
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
                if place.lowest_m(&collider.shape) - lowest < TOUCHING_M {
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

    /// Half of the acceleration at which a wheel would lift: `a (m h + Σ I/r) = m g b`.
    fn acceleration_m_s2(&self) -> f64 {
        let lifts = self.mass_kg * G_M_S2 * self.base_m
            / (self.mass_kg * self.height_m + self.spin_kg_m).max(1e-9);
        // A robot that balances on its wheels alone would not move at all.
        (lifts / 2.0).max(0.1)
    }
}
