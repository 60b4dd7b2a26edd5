//! RON to a scene, and what is wrong with the text in words.

use super::SceneError;
use super::locate::Places;
use super::mistake::{Mistake, byte_place};
use becomingone_components::scene::{FORMAT_VERSION, Scene};
use becomingone_model::did_you_mean;
use ron::extensions::Extensions;
use serde::Deserialize;

/// Only the version: what is wrong with a file of a newer format is that it is newer.
#[derive(Deserialize)]
struct Header {
    version: Option<u64>,
}

pub(super) fn parse(text: &str, file: &str) -> Result<Scene, SceneError> {
    // A mark that some editors put before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let error = |at, message: String| Mistake::at(file, at, message).alone();
    if text.trim().is_empty() {
        return Err(error(
            (1, 1),
            "found an empty file; expected a scene: (version: 1, agents: [..])".to_owned(),
        ));
    }
    // Optional values are written plainly: `duration_s: 60.0`.
    let ron = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
    let wrong = match ron.from_str::<Scene>(text) {
        Ok(scene) if scene.version == FORMAT_VERSION => return Ok(scene),
        Ok(_) => None,
        Err(wrong) => Some(wrong),
    };
    // Good files are read once; only for the others it is asked whether the version explains it.
    let version = ron.from_str::<Header>(text).ok().and_then(|h| h.version);
    let wrong = match (version, wrong) {
        (None, Some(wrong)) => wrong,
        (Some(version), Some(wrong)) if version == u64::from(FORMAT_VERSION) => wrong,
        (version, _) => {
            let version = version.unwrap_or_default();
            let at = byte_place(text.as_bytes(), Places::of(text).of_path("version"));
            let what = if version > u64::from(FORMAT_VERSION) {
                "a newer engine reads it"
            } else {
                "there is no such format"
            };
            return Err(error(
                at,
                format!("found format version {version}; expected {FORMAT_VERSION}: {what}"),
            ));
        }
    };
    let at = wrong.span.start;
    Err(error((at.line, at.col), explain(&wrong.code)))
}

/// What ron found, what it expected, and the nearest name.
fn explain(error: &ron::Error) -> String {
    use ron::Error;
    match error {
        Error::NoSuchStructField {
            expected,
            found,
            outer,
        } => format!(
            "found unknown key `{found}`{}; expected {}{}",
            within(outer.as_deref()),
            list(expected),
            did_you_mean(found, expected.iter().copied())
        ),
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
            "found brackets within brackets more than 128 deep; expected a scene".to_owned()
        }
        other => {
            // Ron says what it expected; the place says where.
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
