//! `<default>` classes: what attributes are where an element does not say.

use super::element::{Attributes, Element, Values};
use crate::ModelError;
use std::collections::HashMap;

/// Elements that are one kind to defaults: all shortcuts of an actuator.
const ACTUATORS: [&str; 12] = [
    "general",
    "motor",
    "position",
    "velocity",
    "intvelocity",
    "damper",
    "cylinder",
    "muscle",
    "adhesion",
    "dcmotor",
    "pid",
    "plugin",
];

/// The kind of an element, as defaults count them.
pub(crate) fn kind(name: &str) -> &str {
    if ACTUATORS.contains(&name) {
        "general"
    } else {
        name
    }
}

/// A class, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassId(usize);

/// All classes; the first is the one that counts where none is named.
#[derive(Debug)]
pub(crate) struct Classes {
    classes: Vec<HashMap<String, Attributes>>,
    names: HashMap<String, usize>,
}

impl Classes {
    /// The class of what names none.
    pub(crate) const MAIN: ClassId = ClassId(0);

    /// Those of a model's root element.
    pub(crate) fn of(root: &Element) -> Result<Self, ModelError> {
        let mut classes = Self {
            classes: vec![HashMap::new()],
            names: HashMap::from([("main".to_owned(), 0)]),
        };
        for section in root.all("default") {
            if let Some(name) = section.values().text("class") {
                classes.names.insert(name.to_owned(), 0);
            }
            classes.fill(section, 0)?;
        }
        Ok(classes)
    }

    /// Adds a section's values to a class, then its nested classes, which begin as copies of it.
    fn fill(&mut self, section: &Element, class: usize) -> Result<(), ModelError> {
        for element in section.children.iter().filter(|e| e.name != "default") {
            let kind = kind(&element.name).to_owned();
            let values = self.classes[class].entry(kind).or_default();
            let own = element.attributes.iter();
            values.extend(own.map(|(name, a)| (name.clone(), a.clone())));
        }
        for nested in section.all("default") {
            let name = nested.values().required("class")?.to_owned();
            let copy = self.classes[class].clone();
            let next = self.classes.len();
            if self.names.insert(name.clone(), next).is_some() {
                return Err(nested.values().refuse(
                    "class",
                    format!("a second default class with the name {name:?}"),
                    "expected different names",
                ));
            }
            self.classes.push(copy);
            self.fill(nested, next)?;
        }
        Ok(())
    }

    /// The class that an attribute names.
    pub(crate) fn named(
        &self,
        values: &Values,
        attribute: &str,
    ) -> Result<Option<ClassId>, ModelError> {
        let Some(name) = values.text(attribute) else {
            return Ok(None);
        };
        match self.names.get(name) {
            Some(&class) => Ok(Some(ClassId(class))),
            None => {
                let mut known: Vec<_> = self.names.keys().map(String::as_str).collect();
                known.sort_unstable();
                let found = format!("the default class {name:?}, which is not in this file");
                Err(values
                    .refuse(attribute, found, "expected the name of a class")
                    .nearest(name, known))
            }
        }
    }

    /// An element's values: its own, then those of its class, or of the class around it.
    pub(crate) fn values<'e>(
        &'e self,
        element: &'e Element,
        around: ClassId,
    ) -> Result<Values<'e>, ModelError> {
        let class = self.named(&element.values(), "class")?.unwrap_or(around);
        Ok(Values {
            element,
            defaults: self.classes[class.0].get(kind(&element.name)),
        })
    }
}
