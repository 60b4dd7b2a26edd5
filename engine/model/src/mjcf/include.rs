//! `<include>`: merges included files into one tree, and reads attached models, within limits.

use super::element::{Element, Values};
use crate::draft::Warnings;
use crate::stand_in::stand_in;
use crate::text::decode;
use crate::tolerant::tolerant;
use crate::xml::{SourceText, parse};
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
    files: &'a dyn Files,
    /// Chain of attached models and includes, the main file first.
    open: Vec<PathBuf>,
    /// Folders of the main file and of the models that are being attached: files are relative to the last.
    folders: Vec<PathBuf>,
    pub(crate) warnings: Warnings,
    elements: usize,
    included: usize,
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).to_path_buf()
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

impl<'a> Includer<'a> {
    /// Reader of a file and what it includes.
    pub(crate) fn new(file: &Path, files: &'a dyn Files) -> Self {
        Self {
            files,
            open: vec![normalised(file)],
            folders: vec![folder_of(file)],
            warnings: Warnings::default(),
            elements: 0,
            included: 0,
        }
    }

    /// Reads the tree of a file's root element with its includes.
    pub(crate) fn tree(&mut self, root: Node, source: &SourceText) -> Result<Element, ModelError> {
        self.element(root, source, 0)
    }

    /// Reads the model that a `<model>` names, with its includes, and its path; until
    /// [`close`](Self::close), files are relative to it.
    pub(crate) fn open_model(&mut self, v: &Values) -> Result<(PathBuf, Element), ModelError> {
        let path = self.find(v)?;
        self.folders.push(folder_of(&path));
        let root = self.file(&path, v, 0)?;
        Ok((path, root))
    }

    /// Ends reading the model that was opened last.
    pub(crate) fn close(&mut self) {
        self.open.pop();
        self.folders.pop();
    }

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
        let path = self.find(&values)?;
        let root = self.file(&path, &values, depth)?;
        self.open.pop();
        Ok(root.children)
    }

    /// Path of the file that an element names.
    fn find(&self, values: &Values) -> Result<PathBuf, ModelError> {
        let named = values.required("file")?.replace('\\', "/");
        let beside = folder_of(Path::new(&*values.element.place.file));
        let main = self.folders.last().map_or(Path::new(""), PathBuf::as_path);
        let candidates = [main.join(&named), beside.join(&named)];
        let Some(path) = candidates.iter().find(|p| self.files.is_file(p)) else {
            let what = &values.element.name;
            return Err(values.refuse(
                "file",
                format!("an {what} of {named:?}, which was not found")
                    .replace("an model", "a model"),
                format!("expected the file {}", candidates[0].display()),
            ));
        };
        Ok(normalised(path))
    }

    /// Root element of a file, which stays in the chain of open files.
    fn file(&mut self, path: &Path, values: &Values, depth: usize) -> Result<Element, ModelError> {
        if self.open.iter().any(|open| open == path) {
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
        let bytes = self.files.read(path).map_err(|e| {
            values.refuse(
                "file",
                format!("{}: {e}", path.display()),
                "expected an MJCF file",
            )
        })?;
        if let Some((found, expected)) = stand_in(&bytes).filter(|_| !bytes.trim_ascii().is_empty())
        {
            let found = format!("{}: {found}", path.display());
            return Err(values.refuse("file", found, expected));
        }
        let decoded = decode(&bytes, path)?;
        if let Some((place, text)) = decoded.warning {
            self.warnings.push(&place, text);
        }
        let text = tolerant(&decoded.text);
        let inner = SourceText::new(&text, path);
        let document = parse(&text, &inner)?;
        self.open.push(path.to_path_buf());
        self.element(document.root_element(), &inner, depth)
    }
}
