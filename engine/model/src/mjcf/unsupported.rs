//! Warnings about sections and options that are not supported.

use super::element::Element;
use crate::ModelError;
use crate::draft::Warnings;

/// Parts of the simulation that a file may disable.
const FLAGS: [&str; 10] = [
    "gravity",
    "contact",
    "limit",
    "actuation",
    "spring",
    "damper",
    "frictionloss",
    "equality",
    "constraint",
    "passive",
];

/// `MuJoCo`'s default gravity (m/s²), and the tolerance of a file's gravity before a warning.
const GRAVITY_M_S2: f64 = -9.81;
const GRAVITY_TOLERANCE_M_S2: f64 = 0.02;

/// Warns about unsupported sections.
pub(crate) fn warn_unsupported(root: &Element, warnings: &mut Warnings) -> Result<(), ModelError> {
    for section in &root.children {
        let what = match &*section.name {
            "tendon" if !section.children.is_empty() => "tendons are",
            "deformable" => "deformable bodies are",
            "extension" => "plugins are",
            "contact" if section.all("pair").next().is_some() => "contact pairs are",
            _ => continue,
        };
        let text = format!("{what} not supported and are ignored");
        warnings.push(&section.place, text);
    }
    for option in root.all("option") {
        let v = option.values();
        for flag in option.all("flag") {
            let v = flag.values();
            for name in FLAGS.iter().filter(|name| v.text(name) == Some("disable")) {
                let text = match *name {
                    "contact" => {
                        "<flag contact=\"disable\">: nothing of this file touches anything"
                            .to_owned()
                    }
                    name => format!("<flag {name}=\"disable\"> is not supported and is ignored"),
                };
                warnings.push(&v.place(name), text);
            }
            if v.text("override") == Some("enable") {
                let text = "the contact parameters of <flag override=\"enable\"> are not supported and are ignored";
                warnings.push(&v.place("override"), text);
            }
        }
        if let Some(g) = v.vector("gravity")? {
            let usual =
                g.x == 0.0 && g.y == 0.0 && (g.z - GRAVITY_M_S2).abs() <= GRAVITY_TOLERANCE_M_S2;
            if !usual {
                let text = format!("the scene's gravity applies, not {} {} {}", g.x, g.y, g.z);
                warnings.push(&v.place("gravity"), text);
            }
        }
        for fluid in ["density", "viscosity"] {
            if v.number(fluid)?.unwrap_or_default() != 0.0 {
                let text = "fluid forces are not supported and are ignored";
                warnings.push(&v.place(fluid), text);
            }
        }
    }
    Ok(())
}
