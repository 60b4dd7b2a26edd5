//! What acts on joints: efforts, equations between joints, and the pose of a keyframe.

use super::bodies::{Bodies, Slot};
use super::defaults::Classes;
use super::element::{Element, Values};
use super::settings::Settings;
use crate::ModelError;
use crate::draft::{DraftMimic, Named};
use becomingone_components::body::Pose;
use glam::{Quat, Vec3};
use std::collections::HashMap;

/// Reads `<actuator>`, `<equality>` and `<keyframe>`.
pub(crate) fn read(
    root: &Element,
    settings: &Settings,
    classes: &Classes,
    bodies: &mut Bodies,
) -> Result<(), ModelError> {
    efforts(root, settings, classes, bodies)?;
    equalities(root, classes, bodies)?;
    keyframe(root, bodies)
}

/// The largest force or torque of each joint: that of all its actuators together.
fn efforts(
    root: &Element,
    settings: &Settings,
    classes: &Classes,
    bodies: &mut Bodies,
) -> Result<(), ModelError> {
    let mut efforts = HashMap::<&str, f64>::new();
    for section in root.all("actuator") {
        for actuator in &section.children {
            let v = classes.values(actuator, Classes::MAIN)?;
            let Some(joint) = v.text("joint").or_else(|| v.text("jointinparent")) else {
                continue;
            };
            let gear = v.number("gear")?.unwrap_or(1.0).abs();
            let most = largest(&v, settings)?;
            *efforts.entry(joint).or_default() += gear * most;
        }
    }
    for joint in &mut bodies.joints {
        if let Some(&effort) = efforts.get(&*joint.name) {
            let effort = if effort > 0.0 {
                effort as f32
            } else {
                f32::INFINITY
            };
            joint.limits.effort = joint.limits.effort.min(effort);
        }
    }
    Ok(())
}

/// The largest force of an actuator, before its gear.
fn largest(v: &Values, settings: &Settings) -> Result<f64, ModelError> {
    let bound = |switch: &str, range: &str| -> Result<Option<f64>, ModelError> {
        let on = v.switch(switch)?.unwrap_or(settings.autolimits);
        let range = v.exactly::<2>(range)?.filter(|_| on);
        Ok(range.map(|[low, high]| low.abs().max(high.abs())))
    };
    let force = bound("forcelimited", "forcerange")?;
    let control = bound("ctrllimited", "ctrlrange")?;
    let plain = match &*v.element.name {
        "motor" => Some(1.0),
        "general" if v.text("biastype").is_none_or(|b| b == "none") => {
            Some(v.number("gainprm")?.unwrap_or(1.0).abs())
        }
        _ => None,
    };
    let by_control = control.zip(plain).map(|(control, gain)| control * gain);
    let none = f64::INFINITY;
    Ok(force.unwrap_or(none).min(by_control.unwrap_or(none)))
}

/// Joints that follow others; what else is tied together is said and left out.
fn equalities(root: &Element, classes: &Classes, bodies: &mut Bodies) -> Result<(), ModelError> {
    for section in root.all("equality") {
        for tie in &section.children {
            let v = classes.values(tie, Classes::MAIN)?;
            if v.text("active") == Some("false") {
                continue;
            }
            if tie.name != "joint" {
                let text = format!(
                    "<{}> between bodies is not supported and was left out",
                    tie.name
                );
                bodies.warnings.push(&tie.place, text);
                continue;
            }
            let named = |name: &str| {
                v.text(name).map(|text| Named {
                    name: text.to_owned(),
                    place: v.place(name),
                })
            };
            v.required("joint1")?;
            let (Some(follower), leader) = (named("joint1"), named("joint2")) else {
                continue;
            };
            let terms = v.numbers("polycoef")?.unwrap_or_else(|| vec![0.0, 1.0]);
            let term = |k: usize| terms.get(k).copied().unwrap_or_default();
            if terms.iter().skip(2).any(|&t| t != 0.0) {
                let text = "only the first two numbers of polycoef are used";
                bodies.warnings.push(&v.place("polycoef"), text);
            }
            let Some(leader) = leader else {
                let text = "a joint that is held at a number is not supported: it moves";
                bodies.warnings.push(&tie.place, text);
                continue;
            };
            let Some(joint) = bodies.joints.iter_mut().find(|j| j.name == follower.name) else {
                let found = format!("the joint {:?}, which is not in this file", follower.name);
                let known = bodies.joints.iter().map(|j| &*j.name);
                return Err(
                    ModelError::at(&follower.place, found, "expected the name of a joint")
                        .nearest(&follower.name, known),
                );
            };
            joint.mimic = Some(DraftMimic {
                joint: leader,
                multiplier: term(1) as f32,
                offset: term(0) as f32,
            });
        }
    }
    Ok(())
}

/// Joints start as the key named `home` has them, else as the first key.
fn keyframe(root: &Element, bodies: &mut Bodies) -> Result<(), ModelError> {
    let keys: Vec<_> = root.all("keyframe").flat_map(|k| k.all("key")).collect();
    let home = keys
        .iter()
        .find(|k| k.values().text("name") == Some("home"));
    let Some(key) = home.or(keys.first()) else {
        return Ok(());
    };
    let v = key.values();
    let Some(qpos) = v.numbers("qpos")? else {
        return Ok(());
    };
    let width = |slot: &Slot| match slot {
        Slot::Base | Slot::Floating(_) => 7,
        Slot::Ball => 4,
        Slot::Scalar(..) => 1,
    };
    let wanted: usize = bodies.slots.iter().map(width).sum();
    if qpos.len() != wanted {
        let text = format!(
            "a keyframe with {} numbers in qpos was left out: the joints have {wanted}",
            qpos.len()
        );
        bodies.warnings.push(&v.place("qpos"), text);
        return Ok(());
    }
    let mut rest = &*qpos;
    for slot in bodies.slots.clone() {
        let (own, after) = rest.split_at(width(&slot));
        rest = after;
        let turn = |w: &[f64]| {
            let q = Quat::from_xyzw(w[1] as f32, w[2] as f32, w[3] as f32, w[0] as f32);
            if q.length() > 1e-6 {
                q.normalize()
            } else {
                Quat::IDENTITY
            }
        };
        match slot {
            Slot::Base => bodies.upright = turn(&own[3..]),
            Slot::Floating(joint) => {
                let at = Vec3::new(own[0] as f32, own[1] as f32, own[2] as f32);
                bodies.joints[joint].origin = Pose::new(at, turn(&own[3..]));
            }
            Slot::Ball => {
                if turn(own).angle_between(Quat::IDENTITY) > 1e-3 {
                    let text = "ball joints start at rest, not as the keyframe has them";
                    bodies.warnings.push(&v.place("qpos"), text);
                }
            }
            Slot::Scalar(joint, reference) => {
                bodies.joints[joint].start = Some((own[0] - reference) as f32);
            }
        }
    }
    Ok(())
}
