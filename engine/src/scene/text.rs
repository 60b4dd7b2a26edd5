//! RON to a scene, and what is wrong with the text in words.

use super::{SceneError, byte_place};
use becomingone_components::scene::{FORMAT_VERSION, Scene};
use ron::extensions::Extensions;
use serde::Deserialize;

/// Only the version: a file of a newer format says so before anything else is judged.
#[derive(Deserialize)]
struct Header {
    version: Option<u32>,
}

pub(super) fn parse(text: &str, file: &str) -> Result<Scene, SceneError> {
    // A mark that some editors put before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let error = |line, column, message| SceneError::Text {
        file: file.to_owned(),
        line,
        column,
        message,
    };
    if text.trim().is_empty() {
        return Err(error(
            1,
            1,
            "found an empty file; expected a scene: (version: 1, agents: [..])".to_owned(),
        ));
    }
    // Optional values are written plainly: `duration_s: 60.0`.
    let ron = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
    if let Ok(Header {
        version: Some(version),
    }) = ron.from_str::<Header>(text)
        && version != FORMAT_VERSION
    {
        let at = text.find("version").unwrap_or(0);
        let (line, column) = byte_place(text.as_bytes(), at);
        let what = if version > FORMAT_VERSION {
            "a newer engine reads it"
        } else {
            "there is no such format"
        };
        return Err(error(
            line,
            column,
            format!("found format version {version}; expected {FORMAT_VERSION}: {what}"),
        ));
    }
    ron.from_str(text).map_err(|e| {
        let at = e.span.start;
        error(at.line, at.col, explain(&e.code))
    })
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
            nearest(found, expected.iter().copied())
        ),
        Error::NoSuchEnumVariant {
            expected,
            found,
            outer,
        } => format!(
            "found unknown kind `{found}`{}; expected {}{}",
            within(outer.as_deref()),
            list(expected),
            nearest(found, expected.iter().copied())
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
        other => format!("found no scene: {other}"),
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

/// A question that names the nearest of the names, where one is near.
pub(crate) fn nearest<'a>(found: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or(String::new(), |(_, name)| {
            format!("; did you mean `{name}`?")
        })
}
