//! Contacts: which shapes touch the scene, and pairs of bodies that do not touch.

use super::bodies::Bodies;
use super::element::Element;
use crate::draft::NameRef;
use crate::{ModelError, Place};
use becomingone_components::contact_mask::ContactMask;

/// Reads `<exclude>`: pairs of links.
pub(super) fn excluded(
    root: &Element,
    bodies: &mut Bodies,
) -> Result<Vec<[NameRef; 2]>, ModelError> {
    let mut names = vec!["world".to_owned()];
    root.each(&mut |e| {
        if e.name == "body" {
            names.extend(e.values().text("name").map(str::to_owned));
        }
    });
    let mut pairs = Vec::new();
    let sections = root.all("contact");
    for exclude in sections.flat_map(|section| section.all("exclude")) {
        let v = exclude.values();
        let end = |attribute: &str| {
            let name = v.required(attribute)?;
            if names.iter().any(|n| n == name) {
                let place = v.place(attribute);
                return Ok(NameRef {
                    name: name.to_owned(),
                    place,
                });
            }
            let found = format!("the body {name:?}, which is not in this file");
            Err(v
                .refuse(attribute, found, "expected the name of a body")
                .nearest(name, names.iter().map(String::as_str)))
        };
        let pair = [end("body1")?, end("body2")?];
        // The world, and bodies without joints beside a free robot, are part of the scene.
        let is_link = |end: &NameRef| {
            bodies
                .links
                .iter()
                .any(|l| l.name == end.name && l.name != "world")
        };
        if pair.iter().all(is_link) {
            pairs.push(pair);
        } else if pair[0].name != pair[1].name {
            let text = format!(
                "<exclude> of {:?} and {:?} is not supported and is ignored: what stands in the world touches all bodies",
                pair[0].name, pair[1].name
            );
            bodies.warnings.push(&exclude.place, text);
        }
    }
    Ok(pairs)
}

/// Lets those shapes touch the scene that touch the file's own floor: the scene's ground replaces it. Without a
/// floor, the scene has the masks of a geom that has none.
pub(super) fn touch_scene(bodies: &mut Bodies, place: &Place) {
    let mut floors = std::mem::take(&mut bodies.floors);
    if floors.is_empty() {
        floors.push(ContactMask::of_file(1, 1));
    }
    let (mut shapes, mut touching) = (0, 0);
    for shape in bodies.links.iter_mut().flat_map(|l| &mut l.colliders) {
        shapes += 1;
        if floors.iter().any(|&floor| floor.touches(shape.contacts)) {
            touching += 1;
            shape.contacts = shape.contacts.with_scene();
        }
    }
    if shapes > 0 && touching == 0 {
        let text = "no shape touches the scene's ground or obstacles: contype and conaffinity have no bit in common \
                    with those of the ground (1, or the file's own floor's)";
        bodies.warnings.push(place, text);
    }
}
