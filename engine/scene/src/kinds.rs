//! Kinds of sensors, controllers and faults: deserialises their texts to the registered types.

use crate::diagnostic::Diagnostics;
use crate::syntax::offset;
use crate::text::explain;
use crate::tree::{Node, Span};
use becomingone_components::kind::{AnyKind, Named};
use becomingone_components::nearest::did_you_mean;
use becomingone_components::scene::SceneSpec;
use becomingone_systems::kinds::{Entry, Kinds};
use ron::error::SpannedError;
use std::borrow::Cow;
use std::sync::Arc;

/// Reads every kind that a scene names, and reports unknown kinds and wrong fields.
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
    let randomised = scene.randomise.iter_mut().flat_map(|spec| &mut spec.faults);
    let randomised = randomised.enumerate();
    let randomised = randomised.map(|(k, fault)| (format!("randomise.faults[{k}].kind"), fault));
    let listed = scene.faults.iter_mut().enumerate();
    let listed = listed.map(|(k, fault)| (format!("faults[{k}].kind"), fault));
    for (at, fault) in listed.chain(randomised) {
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
    // Scenes built in code already hold values.
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
    // Overlays use square brackets for lists, pairs and vectors alike.
    let is_overlaid = root.at(at).is_some_and(|node| node.text().is_none());
    match read_fields(entry, named.fields(), is_overlaid) {
        Ok(value) => named.set(value),
        Err(error) => {
            let within = place(named.fields(), &error);
            let span = root
                .at(at)
                .and_then(|node| span(node, named.fields(), within));
            let span = span.unwrap_or_else(|| root.span_of(at));
            diagnostics.add_at(span, explain(&error.code));
        }
    }
}

/// Deserialises the fields; `is_overlaid`: whether a list in square brackets may be a tuple, which only the kind can
/// determine.
fn read_fields<D: ?Sized>(
    entry: &Entry<D>,
    fields: &str,
    is_overlaid: bool,
) -> Result<Arc<D>, SpannedError> {
    let mut text = Cow::Borrowed(fields);
    loop {
        let error = match (entry.read)(&text) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let at = place(&text, &error);
        if !is_overlaid || !text[at..].starts_with('[') {
            return Err(error);
        }
        text = Cow::Owned(rounded(&text, at));
    }
}

/// Offset of an error in a text: ron may report the blank before the unexpected value.
fn place(text: &str, error: &SpannedError) -> usize {
    let at = offset(text, error.span.start);
    let rest = &text[at..];
    at + (rest.len() - rest.trim_start().len())
}

/// Replaces the square brackets at `at`, and those of the lists that follow in the same list, with round ones.
fn rounded(text: &str, mut at: usize) -> String {
    let mut to = text.to_owned();
    loop {
        to.replace_range(at..=at, "(");
        let Some(end) = closing(text, at) else {
            return to;
        };
        to.replace_range(end..=end, ")");
        let rest = text[end + 1..].trim_start();
        let Some(next) = rest.strip_prefix(',').map(str::trim_start) else {
            return to;
        };
        if !next.starts_with('[') {
            return to;
        }
        at = text.len() - next.len();
    }
}

/// Offset of the bracket that closes the one at `at`.
fn closing(text: &str, at: usize) -> Option<usize> {
    let (mut depth, mut in_text, mut escaped) = (0u32, false, false);
    for (k, byte) in text.bytes().enumerate().skip(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(k);
                }
            }
            _ => {}
        }
    }
    None
}

/// Place in the source of a byte of a kind's fields.
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
