//! Elements of one or more files as one tree, with the place of each, and their attributes as values.

use crate::draft::Warnings;
use crate::value::{numbers, quoted};
use crate::{ModelError, Place};
use becomingone_components::body::Pose;
use glam::DVec3;
use roxmltree::Node;
use std::collections::HashMap;

/// An element and what is in it. Of an included file it keeps that file's places.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) attributes: Attributes,
    pub(crate) children: Vec<Element>,
    /// Of a frame that was made here and is not in the file.
    pub(crate) pose: Option<Pose>,
}

/// Attributes by name.
pub(crate) type Attributes = HashMap<String, Attribute>;

/// What an attribute says, and where.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Element {
    /// One element of a document, without what is in it.
    pub(crate) fn of(node: Node, source: &crate::xml::Source) -> Self {
        let attributes = node.attributes().map(|a| {
            let attribute = Attribute {
                text: a.value().to_owned(),
                place: source.place(a.range_value().start),
            };
            (a.name().to_owned(), attribute)
        });
        Self {
            name: node.tag_name().name().to_owned(),
            place: source.place(node.range().start),
            attributes: attributes.collect(),
            children: Vec::new(),
            pose: None,
        }
    }

    /// The children with this name.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// This and all elements in it, in the order of the file.
    pub(crate) fn each(&self, f: &mut impl FnMut(&Element)) {
        f(self);
        for child in &self.children {
            child.each(f);
        }
    }

    /// Its attributes, and no others.
    pub(crate) fn values(&self) -> Values<'_> {
        Values {
            element: self,
            defaults: None,
        }
    }
}

/// An element's attributes, and behind them those of its default class.
#[derive(Clone, Copy)]
pub(crate) struct Values<'e> {
    pub(crate) element: &'e Element,
    pub(crate) defaults: Option<&'e Attributes>,
}

impl<'e> Values<'e> {
    /// As written, or as the class has it.
    pub(crate) fn get(&self, name: &str) -> Option<&'e Attribute> {
        let own = self.element.attributes.get(name);
        own.or_else(|| self.defaults.and_then(|d| d.get(name)))
    }

    /// Whether the attribute is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Its text, trimmed; an empty one counts as not there.
    pub(crate) fn text(&self, name: &str) -> Option<&'e str> {
        let text = self.get(name)?.text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Where an attribute stands, else its element.
    pub(crate) fn place(&self, name: &str) -> Place {
        self.get(name)
            .map_or_else(|| self.element.place.clone(), |a| a.place.clone())
    }

    /// What to say about an attribute.
    pub(crate) fn refuse(
        &self,
        name: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> ModelError {
        ModelError::at(&self.place(name), found, expected)
    }

    /// The text of an attribute that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&'e str, ModelError> {
        self.text(name).ok_or_else(|| {
            let known = self.element.attributes.keys();
            let mut known: Vec<_> = known.map(String::as_str).collect();
            known.sort_unstable();
            self.refuse(
                name,
                format!("<{}> without {name}", self.element.name),
                format!("expected the attribute {name}=\"...\""),
            )
            .nearest(name, known)
        })
    }

    /// All numbers of an attribute.
    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, ModelError> {
        match self.get(name) {
            Some(a) => numbers(&a.text, &a.place, name).map(Some),
            None => Ok(None),
        }
    }

    /// Exactly this many numbers.
    pub(crate) fn exactly<const N: usize>(
        &self,
        name: &str,
    ) -> Result<Option<[f64; N]>, ModelError> {
        let Some(found) = self.numbers(name)? else {
            return Ok(None);
        };
        match <[f64; N]>::try_from(found.as_slice()) {
            Ok(numbers) => Ok(Some(numbers)),
            Err(_) => Err(self.refuse(
                name,
                format!("{name} with {} numbers", found.len()),
                format!("expected {N}"),
            )),
        }
    }

    /// A number; the first of several.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        let Some(found) = self.numbers(name)? else {
            return Ok(None);
        };
        found
            .first()
            .copied()
            .map(Some)
            .ok_or_else(|| self.refuse(name, format!("an empty {name}"), "expected a number"))
    }

    /// A number that is zero or more; zero where nothing is written.
    pub(crate) fn not_negative(&self, name: &str) -> Result<f64, ModelError> {
        let number = self.number(name)?.unwrap_or_default();
        if number >= 0.0 {
            return Ok(number);
        }
        Err(self.refuse(name, format!("{name} = {number}"), "expected zero or more"))
    }

    /// Three numbers.
    pub(crate) fn vector(&self, name: &str) -> Result<Option<DVec3>, ModelError> {
        Ok(self.exactly::<3>(name)?.map(DVec3::from_array))
    }

    /// `true` or `false`; none for `auto` and for nothing.
    pub(crate) fn switch(&self, name: &str) -> Result<Option<bool>, ModelError> {
        match self.text(name) {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some("auto") | None => Ok(None),
            Some(other) => Err(self.refuse(
                name,
                format!("{name} = {}", quoted(other)),
                "expected true, false or auto",
            )),
        }
    }

    /// Red, green, blue, alpha, each brought into 0 to 1.
    pub(crate) fn rgba(&self, name: &str) -> Result<Option<[f32; 4]>, ModelError> {
        let rgba = self.exactly::<4>(name)?;
        Ok(rgba.map(|rgba| rgba.map(|x| x.clamp(0.0, 1.0) as f32)))
    }

    /// Warns of attributes that nobody knows: a slip of the pen would change the robot without a word.
    pub(crate) fn warn_unknown(&self, known: &[&str], warnings: &mut Warnings) {
        let mut names: Vec<_> = self.element.attributes.iter().collect();
        names.sort_by_key(|(_, a)| (a.place.line, a.place.column));
        for (name, attribute) in names {
            if !known.contains(&name.as_str()) {
                let near = crate::did_you_mean(name, known.iter().copied());
                let element = &self.element.name;
                let text =
                    format!("the unknown attribute {name:?} of <{element}> was left out{near}");
                warnings.push(&attribute.place, text);
            }
        }
    }
}
