//! Wheel candidates: joints of a robot that are wheels on the ground.

use crate::{did_you_mean, wheel_cylinder};
use becomingone_components::body::{Geometry, JointKind, Pose, RobotModel, Shape};
use becomingone_components::contact_mask::ContactMask;
use glam::Vec3;

/// Largest height of a wheel that touches the ground above the robot's lowest point (m).
pub(super) const CONTACT_TOLERANCE_M: f32 = 0.02;
/// Largest vertical component of a wheel's unit axis.
const MAX_AXIS_Z: f32 = 0.2;

/// Joint that may be a wheel, in the robot's start pose.
pub(super) struct WheelCandidate {
    pub(super) joint: usize,
    pub(super) centre: Vec3,
    pub(super) axis: Vec3,
    pub(super) radius_m: f32,
    pub(super) geometry: Geometry,
}

fn candidate(model: &RobotModel, poses: &[Pose], index: usize) -> Option<WheelCandidate> {
    let joint = &model.joints[index];
    let pose = poses[joint.child];
    let link = &model.links[joint.child];
    let (radius_m, width_m, cylinder) = wheel_cylinder(link, joint.axis)?;
    let rgba = link
        .visuals
        .first()
        .map_or([0.2, 0.2, 0.2, 1.0], |v| v.rgba);
    // A wheel rolls on the ground, whatever its shapes are.
    let contacts = link
        .colliders
        .iter()
        .map(|c| c.contacts)
        .reduce(|a, b| ContactMask {
            groups: a.groups | b.groups,
            filter: a.filter | b.filter,
        });
    let contacts = contacts.unwrap_or_default().with_scene();
    Some(WheelCandidate {
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
            contacts,
        },
    })
}

/// Joint of the link that carries a wheel; `None` if that is the root link.
pub(super) fn carrier_joint(model: &RobotModel, wheel: &WheelCandidate) -> Option<usize> {
    let parent = model.joints[wheel.joint].parent;
    model.joints.iter().position(|j| j.child == parent)
}

/// Wheels on the ground: continuous joints with a horizontal axis, whose link touches the ground.
pub(super) fn ground_wheels(model: &RobotModel) -> Result<Vec<WheelCandidate>, String> {
    let poses = model.start_poses();
    let lowest = model.lowest_m();
    let continuous: Vec<usize> = (0..model.joints.len())
        .filter(|&j| model.joints[j].kind == JointKind::Continuous)
        .collect();
    if continuous.is_empty() {
        return Err("it has no continuous joint, so no wheels".to_owned());
    }
    let level: Vec<WheelCandidate> = continuous
        .iter()
        .filter_map(|&j| candidate(model, &poses, j))
        .filter(|w| w.axis.z.abs() < MAX_AXIS_Z)
        .collect();
    if level.is_empty() {
        return Err(
            "none of its continuous joints has a horizontal axis and a link with a shape"
                .to_owned(),
        );
    }
    let grounded: Vec<WheelCandidate> = level
        .into_iter()
        .filter(|w| (w.centre.z - w.radius_m - lowest).abs() < CONTACT_TOLERANCE_M)
        .collect();
    if grounded.is_empty() {
        return Err(
            "none of its wheels reaches the ground, the height of its lowest point".to_owned(),
        );
    }
    Ok(grounded)
}

pub(super) fn wheels_by_name(
    model: &RobotModel,
    left: &[String],
    right: &[String],
) -> Result<Vec<WheelCandidate>, String> {
    if left.is_empty() || right.is_empty() {
        return Err("`Wheels` has no joint on one side".to_owned());
    }
    let poses = model.start_poses();
    let mut wheels: Vec<WheelCandidate> = Vec::new();
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
            return Err(format!("its joint `{name}` is not continuous"));
        }
        let wheel = candidate(model, &poses, index)
            .ok_or_else(|| format!("the link of joint `{name}` has no shape"))?;
        if wheel.axis.z.abs() >= MAX_AXIS_Z {
            return Err(format!("the axis of `{name}` is not horizontal"));
        }
        wheels.push(wheel);
    }
    Ok(wheels)
}
