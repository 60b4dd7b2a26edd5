//! Elements and attributes that a format does not have: reported once each.

use crate::draft::Warnings;
use crate::number::quoted;
use crate::{Place, did_you_mean};
use std::collections::BTreeMap;

/// Unknown names, each with its element, first place and count.
#[derive(Default)]
pub(crate) struct Unknown(BTreeMap<(String, String), (usize, Place, String)>);

impl Unknown {
    /// Notes an attribute of an element, and which are known there.
    pub(crate) fn attribute(&mut self, name: &str, element: &str, place: Place, known: &[&str]) {
        let near = nearest(name, known);
        let text = format!(
            "the unknown attribute {} of <{element}> is ignored{near}",
            quoted(name)
        );
        self.note(element, name.to_owned(), place, text);
    }

    /// Notes an element in another, and which are known there.
    pub(crate) fn element(&mut self, name: &str, element: &str, place: Place, known: &[&str]) {
        let near = nearest(name, known);
        let shown = shortened(name);
        let text = format!("the unknown element <{shown}> in <{element}> is ignored{near}");
        self.note(element, format!("<{name}>"), place, text);
    }

    fn note(&mut self, element: &str, name: String, place: Place, text: String) {
        let key = (element.to_owned(), shortened(&name).to_owned());
        self.0.entry(key).or_insert((0, place, text)).0 += 1;
    }

    /// Warns of all, in the order of their places.
    pub(crate) fn warn(self, warnings: &mut Warnings) {
        let mut found: Vec<_> = self.0.into_values().collect();
        let order = |place: &Place| (place.file.clone(), place.line, place.column);
        found.sort_by_cached_key(|(_, place, _)| order(place));
        for (count, place, text) in found {
            let times = match count {
                1 => String::new(),
                count => format!(" ({count} times)"),
            };
            warnings.push(&place, text + &times);
        }
    }
}

/// Most names that are listed where none is near.
const LISTED: usize = 6;

/// The nearest known name, or all of a few.
fn nearest(name: &str, known: &[&str]) -> String {
    let near = did_you_mean(shortened(name), known.iter().copied());
    match known.len() {
        1..=LISTED if near.is_empty() => format!("; known are {}", known.join(", ")),
        _ => near,
    }
}

/// The first part of a name of any length.
fn shortened(name: &str) -> &str {
    const MOST: usize = 80;
    let end = name.char_indices().nth(MOST);
    end.map_or(name, |(end, _)| &name[..end])
}
