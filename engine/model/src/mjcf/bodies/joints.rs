//! `<joint>`: joints and their limits.

use crate::draft::{DraftJoint, NameRef, Warnings};
use crate::mjcf::element::Values;
use crate::mjcf::settings::Settings;
use crate::number::{quoted, shown};
use crate::{ModelError, Place};
use becomingone_components::body::{JointKind, JointLimits, Pose};
use glam::{DVec3, Quat, Vec3};

const KINDS: [&str; 4] = ["free", "ball", "slide", "hinge"];

/// A `<joint>` element.
pub(super) struct JointElement {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) kind: JointKind,
    /// Anchor and axis in the body's frame.
    pub(super) anchor: Vec3,
    pub(super) axis: Vec3,
    pub(super) limits: JointLimits,
    pub(super) reference: f64,
    pub(super) damping: f64,
    pub(super) friction: f64,
    pub(super) armature: f64,
    pub(super) stiffness: f64,
    pub(super) spring_rest: f64,
}

/// Reads a joint that is not free, with its name and place, and the frame of its anchor and axis in the
/// body's frame; `None` for a fixed one.
pub(super) fn read(
    v: &Values,
    (name, place): (String, Place),
    frame: Pose,
    settings: &Settings,
    warnings: &mut Warnings,
) -> Result<Option<JointElement>, ModelError> {
    let kind = match v.text("type") {
        Some("slide") => JointKind::Prismatic,
        Some("hinge") | None => JointKind::Revolute,
        Some("ball") => JointKind::Spherical,
        Some("fixed") => {
            let text = "the joint type \"fixed\" is Bullet's, not MuJoCo's; the body is fixed to its parent";
            warnings.push(&place, text);
            return Ok(None);
        }
        Some(other) => {
            let found = format!("the joint type {}", quoted(other));
            let expected = format!("expected one of {}", KINDS.join(", "));
            return Err(v.refuse("type", found, expected).nearest(other, KINDS));
        }
    };
    let turns = kind != JointKind::Prismatic;
    let unit = |x: f64| if turns { settings.angle(x) } else { x };
    let written = Pose::new(
        v.vector("pos")?.unwrap_or_default().as_vec3(),
        Quat::IDENTITY,
    );
    let here = frame * written;
    let axis = v.vector("axis")?.unwrap_or(DVec3::Z).try_normalize();
    let Some(axis) = axis else {
        let found = "an axis of length zero";
        return Err(v.refuse("axis", found, "expected a direction"));
    };
    let reference = unit(v.number("ref")?.unwrap_or_default());
    let mut limits = JointLimits::NONE;
    if let Some((lower, upper)) = range(v, kind, &name, settings, warnings)? {
        limits.lower = (unit(lower) - reference) as f32;
        limits.upper = (unit(upper) - reference) as f32;
    }
    let clamped = v.switch("actuatorfrclimited")?;
    if let Some([low, high]) = v.bounds("actuatorfrcrange")?
        && clamped.unwrap_or(settings.autolimits)
    {
        limits.effort = low.abs().max(high.abs()) as f32;
    }
    if v.has("springdamper") {
        let text = "springdamper is not supported; stiffness and damping are used";
        warnings.push(&v.place("springdamper"), text);
    }
    for name in ["stiffness", "damping"] {
        let terms = v.numbers(name)?.unwrap_or_default();
        if terms.iter().skip(1).any(|&t| t != 0.0) {
            let text = format!("only the first number of {name} is supported");
            warnings.push(&v.place(name), text);
        }
    }
    Ok(Some(JointElement {
        name,
        place,
        kind: match kind {
            JointKind::Revolute if limits.upper == f32::INFINITY => JointKind::Continuous,
            kind => kind,
        },
        anchor: here.translation_m,
        axis: (here.rotation * axis.as_vec3()).normalize(),
        limits,
        reference,
        damping: v.first_not_negative("damping")?,
        friction: v.not_negative("frictionloss")?,
        armature: v.not_negative("armature")?,
        stiffness: v.first_not_negative("stiffness")?,
        spring_rest: unit(v.number("springref")?.unwrap_or_default()) - reference,
    }))
}

/// Limits of a joint in the file's units, if any.
fn range(
    v: &Values,
    kind: JointKind,
    name: &str,
    settings: &Settings,
    warnings: &mut Warnings,
) -> Result<Option<(f64, f64)>, ModelError> {
    let range = v.bounds("range")?;
    let limited = match v.switch("limited")? {
        Some(limited) => limited,
        None => settings.autolimits && range.is_some(),
    };
    if !limited {
        return Ok(None);
    }
    match range {
        Some([lower, upper]) if kind == JointKind::Spherical => Ok(Some((lower.max(0.0), upper))),
        Some([lower, upper]) if lower > upper => Err(v.refuse(
            "range",
            format!(
                "joint {name:?} with the range {} to {}",
                shown(lower),
                shown(upper)
            ),
            "expected the smaller number first",
        )),
        Some([lower, upper]) if lower != 0.0 || upper != 0.0 => Ok(Some((lower, upper))),
        _ => {
            let text = format!("joint {name:?} is limited, but has no range; it is unlimited");
            warnings.push(&v.element.place, text);
            Ok(None)
        }
    }
}

/// Joint with default properties.
pub(crate) fn plain_joint(
    name: String,
    place: Place,
    kind: Option<JointKind>,
    parent: &str,
    child: &str,
    origin: Pose,
) -> DraftJoint {
    let named = |name: &str| NameRef {
        name: name.to_owned(),
        place: place.clone(),
    };
    DraftJoint {
        name,
        kind,
        parent: named(parent),
        child: named(child),
        place,
        origin,
        axis: Vec3::X,
        limits: JointLimits::NONE,
        damping: 0.0,
        friction: 0.0,
        armature: 0.0,
        stiffness: 0.0,
        spring_rest: 0.0,
        start: None,
        mimic: None,
    }
}
