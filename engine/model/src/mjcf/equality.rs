//! `<equality>`: joint equalities as mimics.

use super::attach::Scope;
use super::bodies::Bodies;
use super::defaults::Classes;
use super::element::Element;
use crate::ModelError;
use crate::draft::{DraftMimic, NameRef};

/// Reads joint equalities as mimics; warns about other equalities.
pub(super) fn read(
    root: &Element,
    scopes: &[Scope],
    bodies: &mut Bodies,
) -> Result<(), ModelError> {
    for section in root.all("equality") {
        for equality in &section.children {
            let v = scopes[equality.scope]
                .classes
                .values(equality, Classes::MAIN)?;
            if v.text("active") == Some("false") {
                continue;
            }
            if equality.name != "joint" {
                let text = format!(
                    "<{}> between bodies is not supported and is ignored",
                    equality.name
                );
                bodies.warnings.push(&equality.place, text);
                continue;
            }
            let named = |name: &str| {
                v.text(name).map(|text| NameRef {
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
                let text = "only the first two numbers of polycoef are supported";
                bodies.warnings.push(&v.place("polycoef"), text);
            }
            let Some(leader) = leader else {
                let text =
                    "a joint held at a constant is not supported and is ignored: the joint moves";
                bodies.warnings.push(&equality.place, text);
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
