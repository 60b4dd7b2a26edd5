//! Diagnostics of a scene with their places: collected first, then reported together in the order of the text.

use super::tree::{Node, Source, Span};
use becomingone_model::ModelError;
use std::fmt;
use std::path::Path;

/// Most diagnostics in a message: more of them usually have one cause.
const MAX_LISTED: usize = 20;

/// Place in a file or argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path as the user gave it.
    pub file: String,
    /// Line, from 1; 0 for an argument, which `file` contains.
    pub line: usize,
    /// Column, from 1, in characters; 0 for an argument.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// Error of a scene. Its text names file, line and column, what was found and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SceneError {
    /// The file cannot be read.
    #[error("{file}: {cause}")]
    Read {
        /// Path as the user gave it.
        file: String,
        /// Cause.
        cause: String,
    },
    /// Errors in the text or its meaning, or in a file, link or joint that it names: all that were found, in the order
    /// of the text.
    #[error("{}", listed(.0))]
    Diagnostics(Vec<Diagnostic>),
    /// Error of a robot description that was loaded without a scene.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Error in a scene, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// `None` if the message contains the place.
    pub place: Option<Place>,
    /// What was found, what was expected, the nearest name.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Diagnostic {
    pub(super) fn at(
        file: &str,
        (line, column): (usize, usize),
        message: impl Into<String>,
    ) -> Self {
        Self {
            place: Some(Place {
                file: file.to_owned(),
                line,
                column,
            }),
            message: message.into(),
        }
    }

    /// Error with this diagnostic only.
    pub(super) fn alone(self) -> SceneError {
        SceneError::Diagnostics(vec![self])
    }
}

/// The first diagnostics, one per line.
pub(super) fn listed(diagnostics: &[Diagnostic]) -> String {
    let mut lines: Vec<String> = diagnostics
        .iter()
        .take(MAX_LISTED)
        .map(ToString::to_string)
        .collect();
    if diagnostics.len() > MAX_LISTED {
        lines.push(format!("and {} more", diagnostics.len() - MAX_LISTED));
    }
    lines.join("\n")
}

/// Collected diagnostics of a scene, in any order.
pub(super) struct Diagnostics<'n, 's> {
    sources: &'n [Source],
    root: &'n Node<'s>,
    /// Place and message; those without a place come first.
    found: Vec<(Option<Span>, String)>,
}

impl<'n, 's> Diagnostics<'n, 's> {
    pub(super) fn of(sources: &'n [Source], root: &'n Node<'s>) -> Self {
        Self {
            sources,
            root,
            found: Vec::new(),
        }
    }

    /// Reports a wrong value at a path.
    pub(super) fn wrong(&mut self, path: &str, found: impl fmt::Display, expected: &str) {
        self.add(path, format!("{path}: found {found}; expected {expected}"));
    }

    /// Reports a message about the value at a path.
    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        self.add_at(self.root.span_of(path), message);
    }

    /// Reports a message at a place.
    pub(super) fn add_at(&mut self, span: Span, message: impl Into<String>) {
        self.found.push((Some(span), message.into()));
    }

    /// Reports a message that contains its place.
    pub(super) fn add_elsewhere(&mut self, message: String) {
        self.found.push((None, message));
    }

    /// Folder of the source that defines the value at a path.
    pub(super) fn folder(&self, path: &str) -> &'n Path {
        let source = self.sources.get(self.root.span_of(path).source);
        source.map_or(Path::new(""), |s| &s.folder)
    }

    /// File, line and column of a place; zeros for an argument.
    pub(super) fn place(&self, span: Span) -> (String, [usize; 2]) {
        let Some(of) = self.sources.get(span.source) else {
            return (String::new(), [0, 0]);
        };
        if !of.is_file {
            return (of.name.clone(), [0, 0]);
        }
        let at = of.text.floor_char_boundary(span.offset);
        let (line, column) = byte_place(of.text.as_bytes(), at);
        (of.name.clone(), [line, column])
    }

    /// Logs a warning about the value at a path.
    pub(super) fn warn(&self, path: &str, message: impl fmt::Display) {
        self.warn_at(self.root.span_of(path), message);
    }

    /// Logs a warning with its place; without one for a scene built in code.
    pub(super) fn warn_at(&self, span: Span, message: impl fmt::Display) {
        match self.place(span) {
            (file, _) if file.is_empty() => log::warn!("{message}"),
            (argument, [0, _]) => log::warn!("{argument}: {message}"),
            (file, [line, column]) => log::warn!("{file}:{line}:{column}: {message}"),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns all diagnostics in the order of the sources.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(span, _)| *span);
        // One pass over each text resolves all places.
        let (mut source, mut line, mut column, mut seen) = (0, 1, 1, 0);
        let mut sorted = Vec::with_capacity(self.found.len());
        for (span, message) in self.found {
            let known = span.and_then(|span| Some((span, self.sources.get(span.source)?)));
            let Some((span, of)) = known else {
                let place = None;
                sorted.push(Diagnostic { place, message });
                continue;
            };
            if !of.is_file {
                sorted.push(Diagnostic::at(&of.name, (0, 0), message));
                continue;
            }
            if span.source != source {
                (source, line, column, seen) = (span.source, 1, 1, 0);
            }
            let at = of.text.floor_char_boundary(span.offset);
            for c in of.text[seen..at].chars() {
                column += 1;
                if c == '\n' {
                    (line, column) = (line + 1, 1);
                }
            }
            seen = at;
            sorted.push(Diagnostic::at(&of.name, (line, column), message));
        }
        sorted
    }
}

/// Line and column of a byte, both from 1, the column in characters as far as the text is UTF-8.
pub(super) fn byte_place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}
