//! Names of URDF: misspelt elements and attributes are reported. Those of other programs are not.

use crate::ModelError;
use crate::draft::Warnings;
use crate::number::{comma, quoted};
use crate::unknown::Unknown;
use crate::xml::{SourceText, elements};
use roxmltree::Node;

/// Shapes.
pub(super) const SHAPES: [&str; 6] = [
    "box", "cylinder", "sphere", "capsule", "mesh", // PyBullet's extension.
    "plane",
];
/// Attributes and children of an element of URDF 1.2, with what `PyBullet` adds.
fn known(element: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match element {
        "robot" => (&["name", "version"], &["link", "joint", "material"]),
        "link" => (&["name", "type"], &["inertial", "visual", "collision"]),
        "inertial" => (&[], &["origin", "mass", "inertia"]),
        "visual" => (&["name"], &["origin", "geometry", "material"]),
        "collision" => (&["name"], &["origin", "geometry", "material"]),
        "geometry" => (&["name"], &SHAPES),
        "origin" => (&["xyz", "rpy", "quat_xyzw"], &[]),
        "mass" => (&["value"], &[]),
        // Exporters write the lower half too.
        "inertia" => (
            &[
                "ixx", "ixy", "ixz", "iyy", "iyz", "izz", "iyx", "izx", "izy",
            ],
            &[],
        ),
        "box" => (&["size"], &[]),
        "cylinder" | "capsule" => (&["radius", "length"], &[]),
        "sphere" => (&["radius"], &[]),
        "plane" => (&["normal"], &[]),
        "mesh" => (&["filename", "scale"], &[]),
        "material" => (&["name"], &["color", "texture"]),
        "color" => (&["rgba"], &[]),
        "texture" => (&["filename"], &[]),
        "joint" => (
            &["name", "type"],
            &[
                "origin",
                "parent",
                "child",
                "axis",
                "limit",
                "dynamics",
                "mimic",
                "calibration",
                "safety_controller",
                "joint_properties",
            ],
        ),
        "parent" | "child" => (&["link"], &[]),
        "axis" => (&["xyz"], &[]),
        "limit" => (
            &[
                "lower",
                "upper",
                "effort",
                "velocity",
                "acceleration",
                "deceleration",
                "jerk",
            ],
            &[],
        ),
        "dynamics" | "joint_properties" => (&["damping", "friction"], &[]),
        "mimic" => (&["joint", "multiplier", "offset"], &[]),
        "safety_controller" => (
            &[
                "soft_lower_limit",
                "soft_upper_limit",
                "k_position",
                "k_velocity",
            ],
            &[],
        ),
        "calibration" => (&["rising", "falling", "reference_position"], &[]),
        _ => return None,
    })
}

/// Elements whose attributes are single numbers, whether they are read or not, but for the name of a joint.
const NUMBERS: [&str; 6] = [
    "limit",
    "dynamics",
    "joint_properties",
    "mimic",
    "safety_controller",
    "calibration",
];

/// Elements and attributes of other programs, which do not change the robot's shape, mass and joints.
const EXTENSIONS: [&str; 22] = [
    "gazebo",
    "transmission",
    "ros2_control",
    "sensor",
    "mujoco",
    "isaac_sim",
    "plugin",
    "contact",
    "contact_coefficients",
    "verbose",
    "specular",
    "self_filter",
    "self_collision_checking",
    "collision_checking",
    "surface",
    "audio_source",
    "dont_collapse",
    "disable_collisions",
    "group",
    "group_state",
    "virtual_joint",
    "end_effector",
];

/// Reports what is unknown below an element. Names with a prefix are those of other programs.
///
/// # Errors
/// A number has a decimal comma, also where it has no effect.
pub(super) fn check(
    root: Node,
    source: &SourceText,
    warnings: &mut Warnings,
) -> Result<(), ModelError> {
    let mut unknown = Unknown::default();
    // The parser limits the depth.
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        let name = node.tag_name().name();
        let Some((attributes, children)) = known(name) else {
            continue;
        };
        let is_other = |name: &str| {
            EXTENSIONS.contains(&name) || name.starts_with("drake") || name.starts_with("xmlns")
        };
        for attribute in node.attributes().filter(|a| a.namespace().is_none()) {
            let found = attribute.name();
            let is_number = NUMBERS.contains(&name) && found != "joint";
            if let Some(hint) = comma(attribute.value()).filter(|_| is_number) {
                let place = source.place(attribute.range_value().start);
                let text = format!("{} in {found}", quoted(attribute.value()));
                return Err(ModelError::at(&place, text, "expected a number").hint(hint));
            }
            if !attributes.contains(&found) && !is_other(found) {
                let place = source.place(attribute.range().start);
                unknown.attribute(found, name, place, attributes);
            }
        }
        let inner: Vec<_> = elements(node).collect();
        for child in inner.iter().rev() {
            let found = child.tag_name().name();
            if children.contains(&found) {
                open.push(*child);
            // Shapes have errors of their own.
            } else if !is_other(found) && name != "geometry" {
                unknown.element(found, name, source.place(child.range().start), children);
            }
        }
    }
    unknown.warn(warnings);
    Ok(())
}
