//! Converts a tree to a scene, and explains syntax errors.

use super::diagnostic::Diagnostics;
use super::diagnostic::SceneError;
use super::read::Reader;
use super::tree::{Node, Source};
use becomingone_components::scene::{FORMAT_VERSION, SceneSpec};
use becomingone_model::did_you_mean;
use serde::Deserialize;

/// The version alone: a newer format explains any error.
#[derive(Deserialize)]
struct Header {
    version: Option<u64>,
}

pub(super) fn read(root: &Node<'_>, sources: &[Source]) -> Result<SceneSpec, SceneError> {
    let wrong = match SceneSpec::deserialize(Reader(root)) {
        Ok(scene) if scene.version == FORMAT_VERSION => return Ok(scene),
        Ok(_) => None,
        Err(wrong) => Some(wrong),
    };
    let mut diagnostics = Diagnostics::of(sources, root);
    // Valid files are read once; for others, the version may explain the error.
    let header = Header::deserialize(Reader(root));
    match (header.ok().and_then(|h| h.version), wrong) {
        (None, Some(wrong)) => {
            diagnostics.add_at(wrong.span.unwrap_or_default(), explain(&wrong.code));
        }
        (Some(version), Some(wrong)) if version == u64::from(FORMAT_VERSION) => {
            diagnostics.add_at(wrong.span.unwrap_or_default(), explain(&wrong.code));
        }
        (version, _) => {
            let version = version.unwrap_or_default();
            let what = if version > u64::from(FORMAT_VERSION) {
                "a newer engine reads it"
            } else {
                "there is no such format"
            };
            let message =
                format!("found format version {version}; expected {FORMAT_VERSION}: {what}");
            diagnostics.add("version", message);
        }
    }
    Err(SceneError::Diagnostics(diagnostics.into_sorted()))
}

/// Explains a ron error: what was found, what was expected, the nearest name.
pub fn explain(error: &ron::Error) -> String {
    use ron::Error;
    match error {
        Error::NoSuchStructField {
            expected,
            found,
            outer,
        } => {
            format!(
                "found unknown key `{found}`{}; expected {}{}",
                within(outer.as_deref()),
                list(expected),
                did_you_mean(found, expected.iter().copied())
            )
        }
        Error::NoSuchEnumVariant {
            expected,
            found,
            outer,
        } => format!(
            "found unknown kind `{found}`{}; expected {}{}",
            within(outer.as_deref()),
            list(expected),
            did_you_mean(found, expected.iter().copied())
        ),
        Error::MissingStructField { field, outer } => {
            format!(
                "found no `{field}`{}; expected one",
                within(outer.as_deref())
            )
        }
        Error::DuplicateStructField { field, outer } => format!(
            "found `{field}` a second time{}; expected it once",
            within(outer.as_deref())
        ),
        Error::InvalidValueForType { expected, found } => {
            format!("found {found}; expected {expected}")
        }
        Error::Eof => {
            "found the end of the file; expected more: is a bracket not closed?".to_owned()
        }
        Error::ExceededRecursionLimit => {
            "found brackets nested more than 128 deep; expected a scene".to_owned()
        }
        other => {
            // Ron's text has the expectation, the place the position.
            let text = other.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_ascii_lowercase());
            let text: String = first.into_iter().chain(letters).collect();
            format!("found something else here or just after; {text}")
        }
    }
}

fn within(outer: Option<&str>) -> String {
    outer.map_or(String::new(), |o| format!(" in `{o}`"))
}

fn list(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [one] => format!("`{one}`"),
        _ => format!(
            "one of {}",
            names
                .iter()
                .map(|n| format!("`{n}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    }
}
