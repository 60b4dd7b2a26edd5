//! Keys of self-models that were renamed: old names are read as the present ones, with a warning.

use super::tree::{Node, Shape, Span};

/// Old and present names.
const RENAMED: [(&str, &str); 4] = [
    ("senses", "channels"),
    ("surroundings", "lidar"),
    ("innovations", "innovations_motion"),
    ("places", "innovations_gnss"),
];

/// Present name of a key.
pub(super) fn current(key: &str) -> &str {
    let renamed = RENAMED.iter().find(|(old, _)| *old == key);
    renamed.map_or(key, |(_, new)| new)
}

/// Message about an old name.
pub(super) fn renamed_key(old: &str) -> String {
    format!(
        "found `{old}`; expected `{}`, its present name",
        current(old)
    )
}

/// Whether a text may have an old name; most have none, and are not opened.
pub(super) fn may_be_in(text: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    RENAMED.iter().any(|(old, _)| {
        text.match_indices(old).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + old.len()..].chars().next();
            !is_part(before) && !is_part(after)
        })
    })
}

/// Renames the keys of every self-model. Returns the places of old ones, with a message.
pub(super) fn rename(root: &mut Node<'_>) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    let Some(agents) = field(root, "agents") else {
        return found;
    };
    let Shape::List { items, .. } = agents.shape_mut() else {
        return found;
    };
    for agent in items {
        let Some(witness) = field(agent, "coherence").and_then(|c| field(c, "witness")) else {
            continue;
        };
        let Some(Shape::Fields(entries)) = inside(witness) else {
            continue;
        };
        for entry in entries {
            let present = current(&entry.key);
            if present != entry.key {
                found.push((entry.key_span, renamed_key(&entry.key)));
                entry.key = present.to_owned().into();
            }
        }
    }
    found
}

/// The content of a value, within the brackets of its kind.
fn inside<'n, 'a>(node: &'n mut Node<'a>) -> Option<&'n mut Shape<'a>> {
    match node.shape_mut() {
        Shape::Variant { inside, .. } => inside.as_mut().map(|inside| inside.shape_mut()),
        shape => Some(shape),
    }
}

fn field<'n, 'a>(node: &'n mut Node<'a>, key: &str) -> Option<&'n mut Node<'a>> {
    match inside(node)? {
        Shape::Fields(entries) => {
            let entry = entries.iter_mut().find(|e| e.key == key)?;
            Some(&mut entry.value)
        }
        _ => None,
    }
}
