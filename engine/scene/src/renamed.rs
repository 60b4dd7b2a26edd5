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
            let present = current_key(&field.key);
            diagnostics.warn_at(
                field.key_span,
                format!(
                    "found `{}`; expected `{present}`, its present name",
                    field.key
                ),
            );
        }
    }
}
