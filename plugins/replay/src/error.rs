//! [`TableError`]: what is wrong with a recording, where, and what to do.

use std::path::{Path, PathBuf};

/// A recording that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{}: {cause}", file.display())]
    Read {
        /// As given.
        file: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// Not what was expected.
    #[error("{}{}: found {found}; expected {expected}", file.display(), place(*line))]
    Wrong {
        /// As given.
        file: PathBuf,
        /// Line of the file, from 1; none where it is the whole.
        line: Option<u64>,
        /// What is there.
        found: String,
        /// What should be, and what to do.
        expected: String,
    },
}

fn place(line: Option<u64>) -> String {
    line.map_or(String::new(), |line| format!(":{line}"))
}

impl TableError {
    pub(crate) fn read(file: &Path, cause: std::io::Error) -> Self {
        Self::Read {
            file: file.to_owned(),
            cause,
        }
    }

    pub(crate) fn wrong(
        file: &Path,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Wrong {
            file: file.to_owned(),
            line: None,
            found: found.into(),
            expected: expected.into(),
        }
    }

    pub(crate) fn no_column(file: &Path, wanted: &str, known: &[String]) -> Self {
        let near = known
            .iter()
            .map(|name| {
                (
                    strsim::jaro_winkler(&name.to_lowercase(), &wanted.to_lowercase()),
                    name,
                )
            })
            .filter(|(likeness, _)| *likeness >= 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map_or(String::new(), |(_, name)| {
                format!("; did you mean `{name}`?")
            });
        Self::wrong(
            file,
            format!("no column `{wanted}`"),
            format!("one of: {}{near}", known.join(", ")),
        )
    }
}
