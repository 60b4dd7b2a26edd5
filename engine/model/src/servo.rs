//! Joint servos and their gains.

use crate::drive::DriveError;
use becomingone_components::body::{JointKind, RobotModel};
use becomingone_components::joints::{Servo, Servos};
use becomingone_components::scene::DriveSpec;
use std::f64::consts::TAU;

/// Default bandwidth of a servo (Hz), if the scene gives no gains: in the range of industrial arms.
const BANDWIDTH_HZ: f64 = 5.0;

/// Finds the servos of `drive: Joints(..)`: one on each revolute, continuous or prismatic joint that is
/// not a mimic. `None` for other drives.
///
/// Default gains depend on the inertia I that the joint carries with the arm stretched away from its
/// axis (on the mass, for a prismatic joint): `k = I ω²` and `d = 2 √(k I)`, critically damped.
///
/// # Errors
///
/// [`DriveError`] if no joint can have a servo.
pub fn find_servos(model: &RobotModel, spec: &DriveSpec) -> Result<Option<Servos>, DriveError> {
    let DriveSpec::Joints { stiffness, damping } = spec else {
        return Ok(None);
    };
    let mut servos = Vec::new();
    for (index, joint) in model.joints.iter().enumerate() {
        let one_axis = matches!(
            joint.kind,
            JointKind::Revolute | JointKind::Continuous | JointKind::Prismatic
        );
        if !one_axis || joint.mimic.is_some() {
            continue;
        }
        let inertia = carried_inertia(model, index);
        let omega = TAU * BANDWIDTH_HZ;
        let stiffness = stiffness.unwrap_or(inertia * omega * omega);
        servos.push(Servo {
            joint: index,
            stiffness,
            damping: damping.unwrap_or(2.0 * (stiffness * inertia).sqrt()),
            max_effort: f64::from(joint.limits.effort),
            max_velocity: f64::from(joint.limits.velocity),
            range: [joint.limits.lower, joint.limits.upper].map(f64::from),
        });
    }
    if servos.is_empty() {
        return Err(DriveError {
            robot: model.name.clone(),
            reason: "it has no revolute, continuous or prismatic joint".to_owned(),
            hint: "use `drive: Off` for a robot without drive",
        });
    }
    Ok(Some(Servos(servos)))
}

/// Inertia carried by a joint (kg m²), each mass as far from the axis as from the joint in the start
/// pose; the mass (kg) for a prismatic joint.
fn carried_inertia(model: &RobotModel, index: usize) -> f64 {
    let poses = model.start_poses();
    let joint = &model.joints[index];
    let axis = poses[joint.child].rotation * joint.axis;
    let at = poses[joint.child].translation_m;
    let mut carried = vec![false; model.links.len()];
    carried[joint.child] = true;
    let mut sum = joint.armature;
    // Parents precede their children.
    for below in &model.joints[index + 1..] {
        carried[below.child] |= carried[below.parent];
    }
    for (link, pose) in model
        .links
        .iter()
        .zip(&poses)
        .zip(carried)
        .filter_map(|(l, c)| c.then_some(l))
    {
        let inertial = &link.inertial;
        if joint.kind == JointKind::Prismatic {
            sum += inertial.mass_kg;
            continue;
        }
        let own = pose.rotation.inverse() * axis;
        // The distance to the axis would be near zero for a roll joint of a straight arm.
        let arm = (pose.point(inertial.com_m) - at).length_squared();
        sum += own.dot(inertial.inertia_kg_m2 * own) + inertial.mass_kg * arm;
    }
    f64::from(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Disk, parse_robot};
    use std::path::Path;

    #[test]
    fn default_gains_follow_from_the_carried_inertia() {
        // Two point masses of 2 kg, 0.5 m and 1 m from the shoulder; the elbow carries the outer one.
        let link = |name: &str, kg: f64| {
            format!(
                r#"<link name="{name}"><inertial><origin xyz="0.5 0 0"/><mass value="{kg}"/>
                   <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>"#
            )
        };
        let joint = |name: &str, parent: &str, child: &str, x: f64| {
            format!(
                r#"<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/>
                   <origin xyz="{x} 0 0"/><axis xyz="0 1 0"/>
                   <limit lower="-1" upper="1" effort="50" velocity="2"/></joint>"#
            )
        };
        let text = [
            r#"<robot name="arm">"#.to_owned(),
            link("base", 5.0),
            link("upper", 2.0),
            link("lower", 2.0),
            joint("shoulder", "base", "upper", 0.0),
            joint("elbow", "upper", "lower", 0.5),
            "</robot>".to_owned(),
        ];
        let model = parse_robot(&text.concat(), Path::new("arm.urdf"), &Disk).unwrap();
        let spec = DriveSpec::Joints {
            stiffness: None,
            damping: None,
        };
        let servos = find_servos(&model, &spec).unwrap().unwrap().0;
        let omega = TAU * 5.0;
        for (servo, inertia) in servos
            .iter()
            .zip([0.02 + 2.0 * 0.25 + 2.0 * 1.0, 0.01 + 2.0 * 0.25])
        {
            assert!((servo.stiffness / (inertia * omega * omega) - 1.0).abs() < 1e-6);
            assert!((servo.damping / (2.0 * inertia * omega) - 1.0).abs() < 1e-6);
            assert_eq!((servo.max_effort, servo.range), (50.0, [-1.0, 1.0]));
        }
    }
}
