//! `<include>`: several files become one tree, within bounds.

use super::element::Element;
use crate::xml::{Source, declared_first, decode, parse};
use crate::{Files, ModelError};
use roxmltree::Node;
use std::path::{Path, PathBuf};

/// Most elements of a model with all that it includes: a bound on memory. Known ones have some thousands.
const ELEMENTS: usize = 500_000;
/// Most files that a model includes.
const FILES: usize = 1000;
/// Deepest nesting of includes.
const INCLUDES: usize = 32;
/// Deepest nesting of elements, through includes too.
const DEPTH: usize = 256;

/// What is counted while files are read.
pub(crate) struct Reading<'a> {
    /// The folder of the main file: includes are named from there.
    folder: &'a Path,
    files: &'a dyn Files,
    /// Files that are open, the main one first.
    open: Vec<PathBuf>,
    elements: usize,
    included: usize,
}

/// The tree of a file's root element, with all that it includes.
pub(crate) fn read(
    root: Node,
    source: &Source,
    file: &Path,
    files: &dyn Files,
) -> Result<Element, ModelError> {
    let mut reading = Reading {
        folder: file.parent().unwrap_or(Path::new("")),
        files,
        open: vec![plain(file)],
        elements: 0,
        included: 0,
    };
    reading.element(root, source, 0)
}

/// A path without `.` and, where that is sure, `..`: two names of one file are then equal.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

impl Reading<'_> {
    fn element(
        &mut self,
        node: Node,
        source: &Source,
        depth: usize,
    ) -> Result<Element, ModelError> {
        let mut element = Element::of(node, source);
        self.elements += 1;
        if self.elements > ELEMENTS {
            let found = format!("more than {ELEMENTS} elements");
            return Err(ModelError::at(&element.place, found, "expected fewer"));
        }
        if depth > DEPTH {
            let found = format!("elements nested deeper than {DEPTH} levels");
            return Err(ModelError::at(
                &element.place,
                found,
                "expected fewer levels",
            ));
        }
        for child in node.children().filter(Node::is_element) {
            if child.tag_name().name() == "include" {
                element.children.extend(self.include(child, source, depth)?);
            } else {
                element
                    .children
                    .push(self.element(child, source, depth + 1)?);
            }
        }
        Ok(element)
    }

    /// What stands in the root element of another file.
    fn include(
        &mut self,
        node: Node,
        source: &Source,
        depth: usize,
    ) -> Result<Vec<Element>, ModelError> {
        let element = Element::of(node, source);
        let values = element.values();
        let named = values.required("file")?.replace('\\', "/");
        let beside = Path::new(&*element.place.file)
            .parent()
            .unwrap_or(Path::new(""));
        let candidates = [self.folder.join(&named), beside.join(&named)];
        let Some(path) = candidates.iter().find(|p| self.files.is_file(p)) else {
            return Err(values.refuse(
                "file",
                format!("an include of {named:?}, which was not found"),
                format!("looked for it at {}", candidates[0].display()),
            ));
        };
        let path = plain(path);
        if self.open.contains(&path) {
            let chain = self.open.iter().map(|p| p.display().to_string());
            let chain = chain.chain([path.display().to_string()]);
            return Err(values.refuse(
                "file",
                format!(
                    "an include that leads back to itself: {}",
                    chain.collect::<Vec<_>>().join(" -> ")
                ),
                "expected files that do not include each other",
            ));
        }
        if self.open.len() > INCLUDES {
            let found = format!("includes nested deeper than {INCLUDES} files");
            return Err(values.refuse("file", found, "expected fewer"));
        }
        self.included += 1;
        if self.included > FILES {
            let found = format!("more than {FILES} included files");
            return Err(values.refuse("file", found, "expected fewer"));
        }
        let bytes = self.files.read(&path).map_err(|e| {
            values.refuse(
                "file",
                format!("{}: {e}", path.display()),
                "expected an MJCF file",
            )
        })?;
        let text = decode(&bytes, &path)?;
        let text = declared_first(text.strip_prefix('\u{feff}').unwrap_or(text));
        let inner = Source::new(&text, &path);
        let document = parse(&text, &inner)?;
        self.open.push(path);
        let root = self.element(document.root_element(), &inner, depth)?;
        self.open.pop();
        Ok(root.children)
    }
}
