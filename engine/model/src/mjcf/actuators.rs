//! `<actuator>`: effort limits of joints.

use super::attach::Scope;
use super::bodies::Bodies;
use super::defaults::Classes;
use super::element::{Element, Values};
use super::settings::Settings;
use crate::ModelError;
use std::collections::HashMap;

/// Sets the effort limit of each joint: the sum over its actuators.
pub(super) fn read(
    root: &Element,
    scopes: &[Scope],
    bodies: &mut Bodies,
) -> Result<(), ModelError> {
    let mut efforts = HashMap::<&str, f64>::new();
    let mut servos = 0;
    let mut first_servo = None;
    for section in root.all("actuator") {
        for actuator in &section.children {
            let Scope {
                settings, classes, ..
            } = &scopes[actuator.scope];
            let v = classes.values(actuator, Classes::MAIN)?;
            let biased = v.text("biastype").is_some_and(|bias| bias != "none");
            if !matches!(&*actuator.name, "motor" | "general") || biased {
                servos += 1;
                first_servo.get_or_insert(actuator);
            }
            let Some(joint) = v.text("joint").or_else(|| v.text("jointinparent")) else {
                continue;
            };
            if !bodies.joints.iter().any(|j| j.name == joint) && !bodies.is_replicated(joint) {
                let found = format!(
                    "an actuator of the joint {joint:?}, which is not in this file, is ignored"
                );
                bodies.warnings.push(&v.place("joint"), found);
                continue;
            }
            let gear = v.first("gear")?.unwrap_or(1.0).abs();
            let most = max_force(&v, settings)?;
            *efforts.entry(joint).or_default() += gear * most;
        }
    }
    if let Some(first) = first_servo {
        let text = format!(
            "{servos} actuators, as <{}>, do not act by themselves: they limit the efforts of their joints, which the scene's drive moves",
            first.name
        );
        bodies.warnings.push(&first.place, text);
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

/// Largest force or torque of an actuator, before its gear.
fn max_force(v: &Values, settings: &Settings) -> Result<f64, ModelError> {
    let bound = |switch: &str, range: &str| -> Result<Option<f64>, ModelError> {
        let on = v.switch(switch)?.unwrap_or(settings.autolimits);
        let range = v.bounds(range)?.filter(|_| on);
        Ok(range.map(|[low, high]| low.abs().max(high.abs())))
    };
    let force = bound("forcelimited", "forcerange")?;
    let control = bound("ctrllimited", "ctrlrange")?;
    let plain = match &*v.element.name {
        "motor" => Some(1.0),
        "general" if v.text("biastype").is_none_or(|b| b == "none") => {
            Some(v.first("gainprm")?.unwrap_or(1.0).abs())
        }
        _ => None,
    };
    let by_control = control.zip(plain).map(|(control, gain)| control * gain);
    let none = f64::INFINITY;
    Ok(force.unwrap_or(none).min(by_control.unwrap_or(none)))
}
