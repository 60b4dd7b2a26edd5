//! Keys of scenes that were renamed: the old ones are read, with a warning.

use super::diagnostic::Diagnostics;
use super::tree::{Node, current_key};
use becomingone_components::scene::SceneSpec;

/// Warns of old keys.
pub(super) fn warn(scene: &SceneSpec, root: &Node<'_>, diagnostics: &Diagnostics<'_, '_>) {
    for k in 0..scene.agents.len() {
        let witness = root.at(&format!("agents[{k}].coherence.witness"));
        let fields = witness.and_then(Node::fields).unwrap_or_default();
        for field in fields.iter().filter(|f| current_key(&f.key) != f.key) {
            let (file, [line, column]) = diagnostics.place(field.key_span);
            let place = match line {
                0 => file,
                _ => format!("{file}:{line}:{column}"),
            };
            log::warn!(
                "{place}: found `{}`; expected `{}`, its present name",
                field.key,
                current_key(&field.key)
            );
        }
    }
}
