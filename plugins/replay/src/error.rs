//! [`TableError`]: errors of recordings, with their place.

use std::path::{Path, PathBuf};

/// Error of a recording.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{}: {cause}", file.display())]
    Read {
        /// Path as the user gave it.
        file: PathBuf,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// Invalid content, or a request that does not fit it.
    #[error("{}{}: found {}; expected {}", file.display(), place(*line), printable(found), printable(expected))]
    Invalid {
        /// Path as the user gave it.
        file: PathBuf,
        /// Line, from 1; `None` if the error concerns the file as a whole.
        line: Option<u64>,
        /// What was found.
        found: String,
        /// What was expected, and what to do.
        expected: String,
    },
}

fn place(line: Option<u64>) -> String {
    line.map_or(String::new(), |line| format!(":{line}"))
}

/// A text without control characters: those of a damaged file would reach the terminal.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

impl TableError {
    pub(crate) fn read(file: &Path, cause: std::io::Error) -> Self {
        Self::Read {
            file: file.to_owned(),
            cause,
        }
    }

    pub(crate) fn invalid(
        file: &Path,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            file: file.to_owned(),
            line: None,
            found: found.into(),
            expected: expected.into(),
        }
    }

    pub(crate) fn no_column(file: &Path, wanted: &str, known: &[String]) -> Self {
        Self::none_of(file, "column", wanted, known)
    }

    pub(crate) fn no_topic(file: &Path, wanted: &str, known: &[String]) -> Self {
        Self::none_of(file, "topic", wanted, known)
    }

    fn none_of(file: &Path, what: &str, wanted: &str, known: &[String]) -> Self {
        let near = known
            .iter()
            .map(|name| {
                (
                    strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase()),
                    name,
                )
            })
            .filter(|(similarity, _)| *similarity >= 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map_or(String::new(), |(_, name)| {
                format!("; did you mean `{name}`?")
            });
        Self::invalid(
            file,
            format!("no {what} `{wanted}`"),
            format!("one of: {}{near}", known.join(", ")),
        )
    }
}
