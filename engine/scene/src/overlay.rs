//! Overlays of a scene: profiles, then configurations, then single values, each in the order given.

use super::diagnostic::SceneError;
use super::diagnostic::{self, Diagnostic, Diagnostics};
use super::merge::{self, MergeError};
use super::renamed;
use super::syntax::accept;
use super::text::explain;
use super::tree::{Node, Shape, Source, Span};
use super::yaml;
use becomingone_model::Files;
use std::path::{Path, PathBuf};

/// Largest scene file that is read (bytes).
pub const MAX_SCENE_BYTES: u64 = 32 << 20;

/// Overlays of a scene, in the order of application.
///
/// A file has the format of a scene, and every key is optional. Fields are merged one by one; agents, sensors,
/// obstacles and channels by their `name`, new ones are added; other lists are replaced; `None` (`null` in YAML) clears
/// an optional value. A kind over the same kind merges its fields, another kind replaces it; fields without a kind are
/// merged into the present kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlays {
    /// Files (RON or YAML) that define where the scene runs: applied first.
    pub profiles: Vec<PathBuf>,
    /// Files (RON or YAML) that define what runs: applied next.
    pub configs: Vec<PathBuf>,
    /// Single values, as `agents.rover.controller.speed_m_s=0.8`: applied last, they replace the present value.
    pub sets: Vec<String>,
}

impl Overlays {
    /// Whether there are no overlays.
    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty() && self.configs.is_empty() && self.sets.is_empty()
    }
}

/// Most characters of a `--set` argument in a message.
const REPEATED: usize = 120;

/// Reads the texts of a scene and its overlays.
pub(super) fn read(
    files: &dyn Files,
    scene: &Path,
    overlays: &Overlays,
) -> Result<Vec<Source>, SceneError> {
    let mut sources = vec![file(files, scene, MAX_SCENE_BYTES)?];
    for path in overlays.profiles.iter().chain(&overlays.configs) {
        let most = match ending(path) {
            Some(Ending::Ron) => MAX_SCENE_BYTES,
            Some(Ending::Yaml) => yaml::MAX_YAML_BYTES,
            None => {
                return Err(SceneError::Read {
                    file: path.display().to_string(),
                    cause: "found a name of another kind; expected one that ends in .ron, .yaml or .yml"
                        .to_owned(),
                });
            }
        };
        sources.push(file(files, path, most)?);
    }
    for (k, set) in overlays.sets.iter().enumerate() {
        sources.push(Source {
            name: name_of_set(k, set),
            text: set.clone(),
            folder: PathBuf::new(),
            is_file: false,
        });
    }
    Ok(sources)
}

/// Name of a `--set` argument in messages. One with an `@` is not repeated: it may have a password.
fn name_of_set(k: usize, set: &str) -> String {
    if set.contains('@') {
        return format!("--set {}", k + 1);
    }
    let mut excerpt: String = set.chars().take(REPEATED).collect();
    if excerpt.len() < set.len() {
        excerpt.push('…');
    }
    format!("--set {} `{excerpt}`", k + 1)
}

enum Ending {
    Ron,
    Yaml,
}

fn ending(path: &Path) -> Option<Ending> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "ron" => Some(Ending::Ron),
        "yaml" | "yml" => Some(Ending::Yaml),
        _ => None,
    }
}

fn file(files: &dyn Files, path: &Path, most: u64) -> Result<Source, SceneError> {
    let name = path.display().to_string();
    let read = if path.is_dir() {
        Err("found a folder; expected a file".to_owned())
    } else {
        files.read_at_most(path, most).map_err(|e| e.to_string())
    };
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(cause) => return Err(SceneError::Read { file: name, cause }),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = diagnostic::byte_place(error.as_bytes(), error.utf8_error().valid_up_to());
        let message = "found a byte that is not UTF-8 text; expected a scene in RON";
        Diagnostic::at(&name, at, message).alone()
    })?;
    // Byte order mark.
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    Ok(Source {
        name,
        text,
        folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
        is_file: true,
    })
}

/// Merges all texts into one tree; also returns the warnings, with their places. The first text is RON; without overlays
/// and old names of keys it is not opened.
pub(super) fn resolve(sources: &[Source]) -> Result<(Node<'_>, Vec<(Span, String)>), SceneError> {
    let (mut refused, mut warnings) = (Vec::new(), Vec::new());
    let mut root = Node::ron("", Span::default());
    for (k, source) in sources.iter().enumerate() {
        let has_old = renamed::may_be_in(&source.text);
        let alone = sources.len() == 1 && !has_old;
        let mut old_keys = Vec::new();
        let rename = |node: &mut Node<'_>| {
            if has_old {
                renamed::rename(node)
            } else {
                Vec::new()
            }
        };
        let merged = if k == 0 {
            ron(source, k, alone).map(|mut base| {
                old_keys = rename(&mut base);
                root = base;
            })
        } else if !source.is_file {
            let set = merge::set(&mut root, &source.text, k, &mut old_keys);
            set.map(|()| old_keys.extend(rename(&mut root)))
        } else {
            let over = match ending(Path::new(&source.name)) {
                Some(Ending::Yaml) => yaml::parse(&source.text, k)
                    .map_err(|(offset, message)| (Span { source: k, offset }, message)),
                _ => ron(source, k, alone),
            };
            over.and_then(|over| fields(over, "an overlay has fields"))
                .and_then(|mut over| {
                    old_keys = rename(&mut over);
                    merge::merge(&mut root, over)
                })
        };
        warnings.append(&mut old_keys);
        if let Err(wrong) = merged {
            refused.push(wrong);
            // Overlays on nothing would be errors.
            if k == 0 {
                break;
            }
        }
    }
    if refused.is_empty() {
        return Ok((root, warnings));
    }
    let mut diagnostics = Diagnostics::of(sources, &root);
    for (span, message) in refused {
        diagnostics.add_at(span, message);
    }
    Err(SceneError::Diagnostics(diagnostics.into_sorted()))
}

/// Checks RON with ron before it is opened.
fn ron(source: &Source, k: usize, alone: bool) -> Result<Node<'_>, MergeError> {
    let span = |offset| Span { source: k, offset };
    let text = source.text.as_str();
    if text.trim().is_empty() {
        let message = "found an empty file; expected a scene: (version: 1, agents: [..])";
        return Err((span(0), message.to_owned()));
    }
    if alone {
        return Ok(Node::ron(text, span(0)));
    }
    accept(text).map_err(|(at, code)| (span(at), explain(&code)))?;
    fields(Node::ron(text, span(0)), "a scene has fields")
}

fn fields<'a>(node: Node<'a>, why: &str) -> Result<Node<'a>, MergeError> {
    if node.fields().is_some() || matches!(node.shape(), Shape::Fields(_)) {
        return Ok(node);
    }
    Err((
        node.span,
        format!(
            "found something else; expected (version: 1, agents: [..]), or a part of it: {why}"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_may_have_a_password_is_not_repeated() {
        assert_eq!(name_of_set(0, "seed=x"), "--set 1 `seed=x`");
        let url = "agents.a.sensors.b.source.url=http://me:hunter2@c/";
        assert_eq!(name_of_set(1, url), "--set 2");
        assert!(name_of_set(2, &"x".repeat(500)).len() < 200);
    }
}
