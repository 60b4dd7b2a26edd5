//! `<include>`: merges included files into one tree, within limits.

use super::element::Element;
use crate::xml::{SourceText, declared_first, decode, parse};
use crate::{Files, ModelError};
use roxmltree::Node;
use std::path::{Path, PathBuf};

/// Most elements of a model with its includes: a limit on memory. Known models have some thousands.
const MAX_ELEMENTS: usize = 500_000;
/// Most included files of a model.
const MAX_FILES: usize = 1000;
/// Deepest nesting of includes.
const MAX_INCLUDE_DEPTH: usize = 32;
/// Deepest nesting of elements, across includes.
const MAX_DEPTH: usize = 256;

/// Reads files and counts what is limited.
pub(crate) struct Includer<'a> {
    /// Folder of the main file: includes are relative to it.
    folder: &'a Path,
    files: &'a dyn Files,
    /// Chain of includes, the main file first.
    open: Vec<PathBuf>,
    elements: usize,
    included: usize,
}

/// Reads the tree of a file's root element with its includes.
pub(crate) fn read(
    root: Node,
    source: &SourceText,
    file: &Path,
    files: &dyn Files,
) -> Result<Element, ModelError> {
    let mut includer = Includer {
        folder: file.parent().unwrap_or(Path::new("")),
        files,
        open: vec![normalised(file)],
        elements: 0,
        included: 0,
    };
    includer.element(root, source, 0)
}

/// Path without `.` and, where possible, `..`, so that two names of one file compare equal.
fn normalised(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut normalised = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(
                    normalised.components().next_back(),
                    Some(Component::Normal(_))
                ) =>
            {
                normalised.pop();
            }
            other => normalised.push(other),
        }
    }
    normalised
}

impl Includer<'_> {
    fn element(
        &mut self,
        node: Node,
        source: &SourceText,
        depth: usize,
    ) -> Result<Element, ModelError> {
        let mut element = Element::of(node, source);
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let found = format!("more than {MAX_ELEMENTS} elements");
            return Err(ModelError::at(&element.place, found, "expected fewer"));
        }
        if depth > MAX_DEPTH {
            let found = format!("elements nested deeper than {MAX_DEPTH} levels");
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

    /// Children of the root element of an included file.
    fn include(
        &mut self,
        node: Node,
        source: &SourceText,
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
                format!("expected the file {}", candidates[0].display()),
            ));
        };
        let path = normalised(path);
        if self.open.contains(&path) {
            let chain = self.open.iter().map(|p| p.display().to_string());
            let chain = chain.chain([path.display().to_string()]);
            return Err(values.refuse(
                "file",
                format!(
                    "a recursive include: {}",
                    chain.collect::<Vec<_>>().join(" -> ")
                ),
                "expected files that do not include each other",
            ));
        }
        if self.open.len() > MAX_INCLUDE_DEPTH {
            let found = format!("includes nested deeper than {MAX_INCLUDE_DEPTH} files");
            return Err(values.refuse("file", found, "expected fewer"));
        }
        self.included += 1;
        if self.included > MAX_FILES {
            let found = format!("more than {MAX_FILES} included files");
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
        let inner = SourceText::new(&text, &path);
        let document = parse(&text, &inner)?;
        self.open.push(path);
        let root = self.element(document.root_element(), &inner, depth)?;
        self.open.pop();
        Ok(root.children)
    }
}
