//! `<replicate>`: copies of elements.

use super::attach::Scope;
use super::element::Element;
use crate::ModelError;
use becomingone_components::body::Pose;

/// Most elements after expansion.
const MAX_ELEMENTS: usize = 500_000;

/// Expands every `<replicate>`, innermost first; each copy becomes a frame.
pub(crate) fn expand(root: &mut Element, scopes: &[Scope]) -> Result<(), ModelError> {
    let mut elements = 0;
    expand_children(root, scopes, &mut elements)
}

fn expand_children(
    element: &mut Element,
    scopes: &[Scope],
    elements: &mut usize,
) -> Result<(), ModelError> {
    let mut children = Vec::with_capacity(element.children.len());
    for mut child in std::mem::take(&mut element.children) {
        expand_children(&mut child, scopes, elements)?;
        if child.name == "replicate" {
            children.extend(copies(&child, scopes, elements)?);
        } else {
            children.push(child);
        }
    }
    element.children = children;
    Ok(())
}

fn copies(
    element: &Element,
    scopes: &[Scope],
    elements: &mut usize,
) -> Result<Vec<Element>, ModelError> {
    let v = element.values();
    v.required("count")?;
    let count = v.number("count")?.unwrap_or_default();
    let mut size = 0;
    element.each(&mut |_| size += 1);
    let all = count * size as f64 + *elements as f64;
    if !(count >= 1.0 && all <= MAX_ELEMENTS as f64) {
        let found = format!("{count} copies of {size} elements");
        let expected = format!("expected one or more, and at most {MAX_ELEMENTS} elements in all");
        return Err(v.refuse("count", found, expected));
    }
    let count = count as usize;
    *elements += count * size;
    let offset = v.vector("offset")?.unwrap_or_default().as_vec3();
    let turn = scopes[element.scope]
        .settings
        .euler(v.vector("euler")?.unwrap_or_default())
        .as_quat();
    let step = Pose::new(offset, turn.normalize());
    let sep = v.text("sep").unwrap_or_default();
    let digits = (count - 1).to_string().len();
    let mut at = Pose::IDENTITY;
    let mut copies = Vec::with_capacity(count);
    for k in 0..count {
        let mut copy = element.clone();
        copy.name = "frame".to_owned();
        copy.attributes.retain(|name, _| name == "childclass");
        copy.pose = Some(at);
        let suffix = format!("{sep}{k:0digits$}");
        for child in &mut copy.children {
            rename(child, &suffix);
        }
        copies.push(copy);
        at = at * step;
    }
    Ok(copies)
}

fn rename(element: &mut Element, suffix: &str) {
    if let Some(name) = element.attributes.get_mut("name") {
        name.text.push_str(suffix);
    }
    for child in &mut element.children {
        rename(child, suffix);
    }
}
