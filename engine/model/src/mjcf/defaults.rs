//! `<default>` classes: values of missing attributes.

use super::element::{Attributes, Element, ORIENTATIONS, Values};
use crate::ModelError;
use std::collections::HashMap;

/// Actuator shortcuts, which share the defaults of `general`.
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

/// Element name under which its defaults are stored.
pub(crate) fn kind(name: &str) -> &str {
    if ACTUATORS.contains(&name) {
        "general"
    } else {
        name
    }
}

/// Index of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClassId(usize);

/// All classes; the first applies to elements that name none.
#[derive(Debug)]
pub(crate) struct Classes {
    classes: Vec<HashMap<String, Attributes>>,
    names: HashMap<String, usize>,
}

impl Classes {
    /// Class of elements that name none.
    pub(crate) const MAIN: ClassId = ClassId(0);

    /// Reads the classes of the root element.
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

    /// Adds a section's values to a class, then its nested classes, which start as copies of it.
    fn fill(&mut self, section: &Element, class: usize) -> Result<(), ModelError> {
        for element in section.children.iter().filter(|e| e.name != "default") {
            let kind = kind(&element.name).to_owned();
            let values = self.classes[class].entry(kind).or_default();
            // An orientation replaces the inherited one, in whichever notation.
            if ORIENTATIONS
                .iter()
                .any(|&name| element.attributes.contains_key(name))
            {
                values.retain(|name, _| !ORIENTATIONS.contains(&name.as_str()));
            }
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
                    format!("a second default class named {name:?}"),
                    "expected unique names",
                ));
            }
            self.classes.push(copy);
            self.fill(nested, next)?;
        }
        Ok(())
    }

    /// Class that an attribute names.
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

    /// Attributes of an element, with the defaults of its class or of the enclosing one.
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
