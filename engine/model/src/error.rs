//! Errors of robot descriptions and meshes, with their place in the file.

use becomingone_components::nearest::nearest;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Place in a text file; displayed as `file:line:column`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file, as the user gave it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Error of a robot description or a mesh.
///
/// Displayed as `file:line:column: found; expected; suggestion`; the suggestion is optional.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Invalid content at a place in a text file.
    #[error("{place}: {found}; {expected}{}", Suggestion(.suggestion))]
    Located {
        /// Place of the invalid content.
        place: Place,
        /// What was found there.
        found: String,
        /// What was expected instead.
        expected: String,
        /// Nearest valid name, or what to do.
        suggestion: Option<String>,
    },
    /// Unreadable file, or one that is invalid as a whole.
    #[error("{file}: {found}; {expected}")]
    File {
        /// The file, as the user gave it.
        file: String,
        /// What was found.
        found: String,
        /// What was expected instead.
        expected: String,
    },
}

/// Optional last part of a message.
struct Suggestion<'a>(&'a Option<String>);

impl fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |s| write!(f, "; {s}"))
    }
}

impl ModelError {
    /// Place of the error in a text file; `None` if it concerns the file as a whole.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Located { place, .. } => Some(place),
            Self::File { .. } => None,
        }
    }

    /// File that contains the error.
    pub fn file(&self) -> &str {
        match self {
            Self::Located { place, .. } => &place.file,
            Self::File { file, .. } => file,
        }
    }

    /// Error at a place.
    pub(crate) fn at(place: &Place, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Located {
            place: place.clone(),
            found: found.into(),
            expected: expected.into(),
            suggestion: None,
        }
    }

    /// Error of a file as a whole.
    pub(crate) fn of_file(
        file: &Path,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::File {
            file: file.display().to_string(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// Adds a suggestion.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Located { suggestion, .. } = &mut self {
            *suggestion = Some(text.into());
        }
        self
    }

    /// Suggests the nearest known name, if one is similar enough.
    pub(crate) fn nearest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(name, known) {
            Some(near) => self.hint(format!("did you mean {near:?}?")),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_place_found_expected_and_suggestion() {
        let place = Place {
            file: "a.urdf".into(),
            line: 3,
            column: 7,
        };
        let error = ModelError::at(&place, "found this", "that was expected")
            .nearest("bas_link", ["wheel", "base_link"]);
        assert_eq!(
            error.to_string(),
            "a.urdf:3:7: found this; that was expected; did you mean \"base_link\"?"
        );
        assert_eq!(error.place(), Some(&place));
        assert_eq!(error.file(), "a.urdf");
    }

    #[test]
    fn dissimilar_names_are_not_suggested() {
        assert_eq!(nearest("zzz", ["base_link", "wheel"]), None);
    }
}
