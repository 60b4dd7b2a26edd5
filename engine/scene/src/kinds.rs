//! Kinds of sensors, controllers and faults: their texts become values of the registered types.

use crate::diagnostic::Diagnostics;
use crate::read::offset;
use crate::text::explain;
use crate::tree::{Node, Span};
use becomingone_components::kind::{AnyKind, Named};
use becomingone_components::nearest::did_you_mean;
use becomingone_components::scene::SceneSpec;
use becomingone_systems::kinds::{Entry, Kinds};

/// Reads every kind that a scene names, and reports those that are unknown or have wrong fields.
pub(super) fn read(
    scene: &mut SceneSpec,
    root: &Node<'_>,
    kinds: &Kinds,
    diagnostics: &mut Diagnostics<'_, '_>,
) {
    for (i, agent) in scene.agents.iter_mut().enumerate() {
        for (k, sensor) in agent.sensors.iter_mut().enumerate() {
            let at = format!("agents[{i}].sensors[{k}].kind");
            let entry = kinds.sensors.get(sensor.kind.name()).map(|e| &e.entry);
            let known = kinds.sensors.keys().copied();
            one(
                &mut sensor.kind,
                ("sensor", entry, known),
                root,
                &at,
                diagnostics,
            );
        }
        if let Some(controller) = &mut agent.controller {
            let at = format!("agents[{i}].controller");
            let entry = kinds.controllers.get(controller.name());
            let known = kinds.controllers.keys().copied();
            one(
                controller,
                ("controller", entry, known),
                root,
                &at,
                diagnostics,
            );
        }
    }
    for (k, fault) in scene.faults.iter_mut().enumerate() {
        let at = format!("faults[{k}].kind");
        let entry = kinds.faults.get(fault.kind.name());
        let known = kinds.faults.keys().copied();
        one(
            &mut fault.kind,
            ("fault", entry, known),
            root,
            &at,
            diagnostics,
        );
    }
}

fn one<D: ?Sized + AnyKind>(
    named: &mut Named<D>,
    (what, entry, known): (
        &str,
        Option<&Entry<D>>,
        impl Iterator<Item = &'static str> + Clone,
    ),
    root: &Node<'_>,
    at: &str,
    diagnostics: &mut Diagnostics<'_, '_>,
) {
    // Scenes that are built in code hold values already.
    if named.value().is_some() {
        return;
    }
    let Some(entry) = entry else {
        let listed: Vec<String> = known.clone().map(|k| format!("`{k}`")).collect();
        let message = format!(
            "found unknown {what} kind `{}`; expected one of {}{}",
            named.name(),
            listed.join(", "),
            did_you_mean(named.name(), known)
        );
        diagnostics.add(at, message);
        return;
    };
    match (entry.read)(named.fields()) {
        Ok(value) => named.set(value),
        Err(error) => {
            let within = offset(named.fields(), error.span.start);
            let span = root
                .at(at)
                .and_then(|node| span(node, named.fields(), within));
            let span = span.unwrap_or_else(|| root.span_of(at));
            diagnostics.add_at(span, explain(&error.code));
        }
    }
}

/// Where a byte of a kind's fields was written.
fn span(node: &Node<'_>, fields: &str, within: usize) -> Option<Span> {
    let rendered = node.render();
    let at = rendered.text.rfind(fields)? + within;
    let piece = rendered.from.iter().rev().find(|(from, _)| *from <= at);
    let (from, span) = piece?;
    Some(Span {
        source: span.source,
        offset: span.offset + (at - from),
    })
}
