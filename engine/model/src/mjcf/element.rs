//! Element tree of one or more files, with the place of each element, and typed attributes.

use crate::number::{numbers, parsed, quoted, shown};
use crate::{ModelError, Place};
use becomingone_components::body::Pose;
use glam::DVec3;
use roxmltree::Node;
use std::collections::HashMap;

/// Element with its children; places refer to the file that contains it.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) attributes: Attributes,
    pub(crate) children: Vec<Element>,
    /// Pose of a frame created by `<replicate>` or `<attach>`.
    pub(crate) pose: Option<Pose>,
    /// Index of the settings and classes that apply: 0, or those of an attached model.
    pub(crate) scope: usize,
}

/// Attributes by name.
pub(crate) type Attributes = HashMap<String, Attribute>;

/// Text of an attribute and its place.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Element {
    /// Converts one element, without its children.
    pub(crate) fn of(node: Node, source: &crate::xml::SourceText) -> Self {
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
            scope: 0,
        }
    }

    /// Children with this name.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// Visits this element and all its descendants in file order.
    pub(crate) fn each(&self, f: &mut impl FnMut(&Element)) {
        f(self);
        for child in &self.children {
            child.each(f);
        }
    }

    /// Visits and changes this element and all its descendants.
    pub(crate) fn each_mut(&mut self, f: &mut impl FnMut(&mut Element)) {
        f(self);
        for child in &mut self.children {
            child.each_mut(f);
        }
    }

    /// Its own attributes, without those of a default class.
    pub(crate) fn values(&self) -> Values<'_> {
        Values {
            element: self,
            defaults: None,
        }
    }
}

/// Notations of an orientation.
pub(crate) const ORIENTATIONS: [&str; 5] = ["quat", "axisangle", "xyaxes", "zaxis", "euler"];

/// Attributes of an element; missing ones are those of its default class.
#[derive(Clone, Copy)]
pub(crate) struct Values<'e> {
    pub(crate) element: &'e Element,
    pub(crate) defaults: Option<&'e Attributes>,
}

impl<'e> Values<'e> {
    /// Own attribute, or that of the default class.
    pub(crate) fn get(&self, name: &str) -> Option<&'e Attribute> {
        let own = self.element.attributes.get(name);
        own.or_else(|| self.defaults.and_then(|d| d.get(name)))
    }

    /// Notation of the orientation: the element's own, whatever its class has, else that of the class.
    ///
    /// # Errors
    /// An element or a class has two.
    pub(crate) fn orientation(&self) -> Result<Option<&'static str>, ModelError> {
        let sources = [Some(&self.element.attributes), self.defaults];
        for attributes in sources.into_iter().flatten() {
            let mut given = ORIENTATIONS
                .into_iter()
                .filter_map(|name| Some((name, attributes.get(name)?)));
            let Some((first, _)) = given.next() else {
                continue;
            };
            return match given.next() {
                None => Ok(Some(first)),
                Some((second, attribute)) => Err(ModelError::at(
                    &attribute.place,
                    format!("multiple orientation specifiers: {first} and {second}"),
                    "expected one of them",
                )),
            };
        }
        Ok(None)
    }

    /// Whether the attribute is present.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Trimmed text; an empty one counts as missing.
    pub(crate) fn text(&self, name: &str) -> Option<&'e str> {
        let text = self.get(name)?.text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Place of an attribute, or of the element if it is missing.
    pub(crate) fn place(&self, name: &str) -> Place {
        self.get(name)
            .map_or_else(|| self.element.place.clone(), |a| a.place.clone())
    }

    /// Error of an attribute.
    pub(crate) fn refuse(
        &self,
        name: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> ModelError {
        ModelError::at(&self.place(name), found, expected)
    }

    /// Text of a required attribute.
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

    /// Exactly `N` numbers.
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
                format!(
                    "expected {}",
                    if N == 1 {
                        "one number".to_owned()
                    } else {
                        format!("{N} numbers")
                    }
                ),
            )),
        }
    }

    /// The one number of an attribute.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        Ok(self.exactly::<1>(name)?.map(|[number]| number))
    }

    /// First of several numbers.
    pub(crate) fn first(&self, name: &str) -> Result<Option<f64>, ModelError> {
        let Some(found) = self.numbers(name)? else {
            return Ok(None);
        };
        found
            .first()
            .copied()
            .map(Some)
            .ok_or_else(|| self.refuse(name, format!("an empty {name}"), "expected a number"))
    }

    /// Two bounds, which may be infinite.
    pub(crate) fn bounds(&self, name: &str) -> Result<Option<[f64; 2]>, ModelError> {
        let Some(a) = self.get(name) else {
            return Ok(None);
        };
        let expected = "expected a number";
        let found = parsed(&a.text, &a.place, name, |x| !x.is_nan(), expected)?;
        match *found.as_slice() {
            [low, high] => Ok(Some([low, high])),
            _ => {
                let found = format!("{name} with {} numbers", found.len());
                Err(self.refuse(name, found, "expected 2 numbers"))
            }
        }
    }

    /// Number of zero or more; zero if missing.
    pub(crate) fn not_negative(&self, name: &str) -> Result<f64, ModelError> {
        self.require_not_negative(name, self.number(name)?)
    }

    /// As [`not_negative`](Self::not_negative), the first of several.
    pub(crate) fn first_not_negative(&self, name: &str) -> Result<f64, ModelError> {
        self.require_not_negative(name, self.first(name)?)
    }

    fn require_not_negative(&self, name: &str, number: Option<f64>) -> Result<f64, ModelError> {
        let number = number.unwrap_or_default();
        if number >= 0.0 {
            return Ok(number);
        }
        Err(self.refuse(
            name,
            format!("{name} = {}", shown(number)),
            "expected zero or more",
        ))
    }

    /// Three numbers.
    pub(crate) fn vector(&self, name: &str) -> Result<Option<DVec3>, ModelError> {
        Ok(self.exactly::<3>(name)?.map(DVec3::from_array))
    }

    /// `true` or `false`; `None` for `auto` or if missing.
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

    /// Red, green, blue, alpha, each clamped to 0..1.
    pub(crate) fn rgba(&self, name: &str) -> Result<Option<[f32; 4]>, ModelError> {
        let rgba = self.exactly::<4>(name)?;
        Ok(rgba.map(|rgba| rgba.map(|x| x.clamp(0.0, 1.0) as f32)))
    }
}
