//! Names of MJCF: elements and attributes that `MuJoCo` does not have, and decimal commas anywhere.

use super::element::{Attribute, Element};
use crate::ModelError;
use crate::draft::Warnings;
use crate::number::{comma, quoted};
use crate::unknown::Unknown;
use std::collections::HashMap;
use std::sync::LazyLock;

/// `MuJoCo` 4.0's own schema, as `mj_printSchema` gives it: an element a line, with its attributes, indented below the
/// element that holds it.
const SCHEMA: &str = include_str!("schema.txt");
/// Elements that `MuJoCo` replaces before it checks names, and those of older versions.
const REPLACED: &str = "frame name class childclass pos quat axisangle xyaxes zaxis euler\n\
                        replicate count offset euler sep name class childclass pos quat";
const UNCHECKED: [&str; 2] = ["include", "composite"];
/// Attributes that hold names or text, which may have commas.
const TEXT: [&str; 20] = [
    "actuator",
    "camera",
    "class",
    "childclass",
    "file",
    "hfield",
    "instance",
    "key",
    "material",
    "mesh",
    "model",
    "name",
    "objname",
    "plugin",
    "prefix",
    "refname",
    "sep",
    "target",
    "texture",
    "value",
];
const NAMED: [&str; 8] = [
    "body", "geom", "joint", "site", "tendon", "file", "subtree", "flex",
];

/// An element of the schema.
#[derive(Default)]
struct Entry {
    attributes: Vec<&'static str>,
    children: HashMap<&'static str, usize>,
}

/// All elements, the root first.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries = vec![Entry::default()];
    // The entries around the current one.
    let mut path = vec![0];
    for line in SCHEMA.lines() {
        let depth = line.len() - line.trim_start().len();
        path.truncate(depth + 1);
        let mut words = line.split_whitespace();
        let (Some(name), Some(&around)) = (words.next(), path.last()) else {
            continue;
        };
        let index = entries.len();
        entries[around].children.insert(name, index);
        let mut entry = Entry {
            attributes: words.collect(),
            children: HashMap::new(),
        };
        match name {
            // Classes and bodies nest.
            "default" | "body" => {
                entry.children.insert(name, index);
            }
            _ => {}
        }
        entries.push(entry);
        path.push(index);
        if name == "body" {
            entries[around].children.insert("worldbody", index);
            for line in REPLACED.lines() {
                let mut words = line.split_whitespace();
                let (at, name) = (entries.len(), words.next().unwrap_or_default());
                entries.push(Entry {
                    attributes: words.collect(),
                    children: HashMap::new(),
                });
                entries[index].children.insert(name, at);
            }
        }
    }
    // What a frame holds is as in the body around it.
    let body = entries
        .iter()
        .position(|e| e.children.contains_key("freejoint"));
    if let Some(children) = body.map(|body| entries[body].children.clone()) {
        for name in ["frame", "replicate"] {
            if let Some(&at) = children.get(name) {
                entries[at].children.clone_from(&children);
            }
        }
    }
    entries
});

/// Checks the elements of a file below its root. Names that are unknown are warnings, decimal commas errors.
pub(crate) fn check(root: &Element, warnings: &mut Warnings) -> Result<(), ModelError> {
    let mut unknown = Unknown::default();
    let start = ENTRIES[0].children.get("mujoco").copied();
    element(root, &ENTRIES[start.unwrap_or_default()], &mut unknown)?;
    unknown.warn(warnings);
    Ok(())
}

/// Checks an element and what is in it.
fn element(element: &Element, entry: &Entry, unknown: &mut Unknown) -> Result<(), ModelError> {
    let mut attributes: Vec<_> = element.attributes.iter().collect();
    attributes.sort_by_key(|(_, a)| (a.place.line, a.place.column));
    for (name, attribute) in attributes {
        check_commas(&element.name, name, attribute)?;
        if !entry.attributes.contains(&name.as_str()) {
            let place = attribute.place.clone();
            unknown.attribute(name, &element.name, place, &entry.attributes);
        }
    }
    for child in &element.children {
        if let Some(&inner) = entry.children.get(child.name.as_str()) {
            self::element(child, &ENTRIES[inner], unknown)?;
        } else if !UNCHECKED.contains(&&*child.name) {
            let mut names: Vec<_> = entry.children.keys().copied().collect();
            names.sort_unstable();
            unknown.element(&child.name, &element.name, child.place.clone(), &names);
        }
    }
    Ok(())
}

/// Refuses numbers with decimal commas, also where they have no effect here.
fn check_commas(element: &str, name: &str, attribute: &Attribute) -> Result<(), ModelError> {
    let is_text = TEXT.contains(&name)
        || NAMED.iter().any(|named| name.starts_with(named))
        || (element == "text" && name == "data");
    if is_text || !attribute.text.contains(',') {
        return Ok(());
    }
    let is_number = |word: &str| word.replace(',', ".").parse::<f64>().is_ok();
    let mut words = attribute.text.split_whitespace();
    if !words.clone().all(is_number) {
        return Ok(());
    }
    let Some((word, hint)) = words.find_map(|word| Some((word, comma(word)?))) else {
        return Ok(());
    };
    let found = format!("{} in {name}", quoted(word));
    Err(ModelError::at(&attribute.place, found, "expected a number").hint(hint))
}
