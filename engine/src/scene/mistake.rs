//! Mistakes of a scene, with their places: gathered first, so that all are told at once and in order.

use super::SceneError;
use super::locate::Places;
use std::fmt;

/// Mistakes that are told; a file with more has one cause.
const TOLD: usize = 20;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As the user gave it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something that a scene says and that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// None where the message itself says where.
    pub place: Option<Place>,
    /// What was found, what was expected, the nearest name.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl Mistake {
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

    /// The only one.
    pub(super) fn alone(self) -> SceneError {
        SceneError::Mistakes(vec![self])
    }
}

/// Mistakes a line each, the first ones.
pub(super) fn listed(mistakes: &[Mistake]) -> String {
    let mut lines: Vec<String> = mistakes
        .iter()
        .take(TOLD)
        .map(ToString::to_string)
        .collect();
    if mistakes.len() > TOLD {
        lines.push(format!("and {} more", mistakes.len() - TOLD));
    }
    lines.join("\n")
}

/// Mistakes of a text, found in any order.
pub(super) struct Mistakes<'a> {
    file: &'a str,
    text: &'a str,
    places: Places<'a>,
    /// Byte offset and message; those without a place come first.
    found: Vec<(Option<usize>, String)>,
}

impl<'a> Mistakes<'a> {
    pub(super) fn of(file: &'a str, text: &'a str) -> Self {
        Self {
            file,
            text,
            places: Places::of(text),
            found: Vec::new(),
        }
    }

    /// What is wrong with the value at a path.
    pub(super) fn wrong(&mut self, path: &str, found: impl fmt::Display, expected: &str) {
        self.add(path, format!("{path}: found {found}; expected {expected}"));
    }

    /// A message about the value at a path.
    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        let at = self.places.of_path(path);
        self.found.push((Some(at), message.into()));
    }

    /// A message that says itself where.
    pub(super) fn add_elsewhere(&mut self, message: String) {
        self.found.push((None, message));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them, in the order of the text.
    pub(super) fn told(mut self) -> Vec<Mistake> {
        self.found.sort_by_key(|(at, _)| *at);
        // One way through the text gives all places.
        let (mut line, mut column, mut seen) = (1, 1, 0);
        let mut told = Vec::with_capacity(self.found.len());
        for (at, message) in self.found {
            let Some(at) = at else {
                let place = None;
                told.push(Mistake { place, message });
                continue;
            };
            for c in self.text[seen..at].chars() {
                column += 1;
                if c == '\n' {
                    (line, column) = (line + 1, 1);
                }
            }
            seen = at;
            told.push(Mistake::at(self.file, (line, column), message));
        }
        told
    }
}

/// Line and column of a byte, both from 1, the column in characters as far as it is text.
pub(super) fn byte_place(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}
