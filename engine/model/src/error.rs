//! What can be wrong with a file, and where.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a text file.
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

/// Why a description or a mesh was refused.
///
/// Its text is one message: where, what was found; what was expected, and a suggestion
/// where there is one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Something that a person wrote, at a place in a text file.
    #[error("{place}: {found}; {expected}{}", Tail(.suggestion))]
    Written {
        /// Where it stands.
        place: Place,
        /// What was found there.
        found: String,
        /// What was expected instead.
        expected: String,
        /// What to do, or what was probably meant.
        suggestion: Option<String>,
    },
    /// A file that could not be read, or is not what it should be as a whole.
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

/// The optional end of a message.
struct Tail<'a>(&'a Option<String>);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |s| write!(f, "; {s}"))
    }
}

impl ModelError {
    /// Where in a text file the mistake stands; `None` when it concerns a file as a whole.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Written { place, .. } => Some(place),
            Self::File { .. } => None,
        }
    }

    /// The file that is at fault.
    pub fn file(&self) -> &str {
        match self {
            Self::Written { place, .. } => &place.file,
            Self::File { file, .. } => file,
        }
    }

    /// A mistake at a place.
    pub(crate) fn at(place: &Place, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Written {
            place: place.clone(),
            found: found.into(),
            expected: expected.into(),
            suggestion: None,
        }
    }

    /// A file that is wrong as a whole.
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

    /// The same mistake with what to do about it.
    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Written { suggestion, .. } = &mut self {
            *suggestion = Some(text.into());
        }
        self
    }

    /// The same mistake with the name that was probably meant, if one is near.
    pub(crate) fn nearest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match nearest(name, known) {
            Some(near) => self.hint(format!("did you mean {near:?}?")),
            None => self,
        }
    }
}

/// Names that differ more than this are not taken for a slip of the pen
/// (Jaro-Winkler similarity; 1 is equal).
const ALIKE: f64 = 0.75;

/// A question after a `;` that asks for the known name most like this one; empty where none is like it.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

/// The known name that is most like a name; the first of equals.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(&str, f64)> = None;
    for candidate in known {
        let likeness = strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
        if likeness >= ALIKE && best.is_none_or(|(_, most)| likeness > most) {
            best = Some((candidate, likeness));
        }
    }
    best.map(|(candidate, _)| candidate)
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
    fn unlike_names_are_not_suggested() {
        assert_eq!(nearest("zzz", ["base_link", "wheel"]), None);
    }
}
