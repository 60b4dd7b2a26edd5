//! Merges overlays: a tree over another, and single values by their path.

use super::renamed::{current, renamed_key};
use super::syntax::accept;
use super::tree::{Brackets, Entry, Node, Shape, Span};
use becomingone_model::did_you_mean;
use std::collections::{HashMap, HashSet};

/// Error of a merge, with its place.
pub(super) type MergeError = (Span, String);

/// Merges `over` into `base`: fields one by one, list entries by their `name`. A kind over the same kind, or fields
/// without a kind, merge fields; anything else replaces the value.
pub(super) fn merge<'a>(base: &mut Node<'a>, mut over: Node<'a>) -> Result<(), MergeError> {
    match over.shape() {
        Shape::Fields(_) => match base.shape() {
            Shape::Fields(_) => merge_fields(base, over),
            Shape::Variant { .. } => match base.shape_mut() {
                Shape::Variant {
                    inside: Some(inside),
                    ..
                } => merge(inside, over),
                Shape::Variant { inside, .. } => {
                    *inside = Some(Box::new(over));
                    Ok(())
                }
                _ => Ok(()),
            },
            _ => replace(base, over),
        },
        Shape::Variant { name, inside } => match base.shape() {
            Shape::Variant { name: below, .. } if below == name => {
                match (base.shape_mut(), over.shape_mut()) {
                    (
                        Shape::Variant { inside: below, .. },
                        Shape::Variant {
                            inside: Some(inside),
                            ..
                        },
                    ) => {
                        let inside = taken(inside);
                        match below {
                            Some(below) => merge(below, inside),
                            None => {
                                *below = Some(Box::new(inside));
                                Ok(())
                            }
                        }
                    }
                    _ => Ok(()),
                }
            }
            // A struct may be written with its name; the value below shows that it is not one of several kinds.
            Shape::Fields(_)
                if inside
                    .as_ref()
                    .is_some_and(|i| matches!(i.shape(), Shape::Fields(_))) =>
            {
                match over.shape_mut() {
                    Shape::Variant {
                        inside: Some(inside),
                        ..
                    } => merge(base, taken(inside)),
                    _ => Ok(()),
                }
            }
            _ => replace(base, over),
        },
        Shape::Word { literal, .. } | Shape::Quoted(literal) => match base.shape() {
            Shape::Variant { name, .. } if name == literal => Ok(()),
            _ => replace(base, over),
        },
        Shape::List { items, .. } => match base.shape() {
            Shape::List { .. } if !items.is_empty() && items.iter().all(|i| i.name().is_some()) => {
                merge_named(base, over)
            }
            _ => replace(base, over),
        },
        Shape::Null | Shape::Scalar => replace(base, over),
    }
}

/// Moves a value out.
fn taken<'a>(node: &mut Node<'a>) -> Node<'a> {
    let span = node.span;
    std::mem::replace(node, Node::of(Shape::Null, span))
}

fn replace<'a>(base: &mut Node<'a>, over: Node<'a>) -> Result<(), MergeError> {
    *base = over;
    Ok(())
}

fn twice(what: &str, span: Span) -> MergeError {
    (
        span,
        format!("found `{what}` a second time; expected it once"),
    )
}

fn merge_fields<'a>(base: &mut Node<'a>, mut over: Node<'a>) -> Result<(), MergeError> {
    let (Shape::Fields(below), Shape::Fields(above)) = (base.shape_mut(), over.shape_mut()) else {
        return Ok(());
    };
    let mut seen = HashSet::new();
    for entry in above.drain(..) {
        if !seen.insert(entry.key.clone()) {
            return Err(twice(&entry.key, entry.key_span));
        }
        match below.iter_mut().find(|e| e.key == entry.key) {
            Some(found) => merge(&mut found.value, entry.value)?,
            None => below.push(entry),
        }
    }
    Ok(())
}

fn merge_named<'a>(base: &mut Node<'a>, mut over: Node<'a>) -> Result<(), MergeError> {
    let (Shape::List { items: below, .. }, Shape::List { items: above, .. }) =
        (base.shape_mut(), over.shape_mut())
    else {
        return Ok(());
    };
    let mut known: HashMap<String, usize> = HashMap::new();
    for (k, item) in below.iter().enumerate() {
        if let Some(name) = item.name() {
            known.entry(name).or_insert(k);
        }
    }
    let mut seen = HashSet::new();
    for item in above.drain(..) {
        let name = item.name().unwrap_or_default();
        if !seen.insert(name.clone()) {
            let at = item.span_of("name");
            return Err(twice(&name, at));
        }
        match known.get(&name) {
            Some(&k) => merge(&mut below[k], item)?,
            None if is_slip(&item, below) => {
                let names: Vec<String> = below.iter().filter_map(Node::name).collect();
                let text = format!(
                    "found `{name}`, which does not exist and has too few fields to be added; expected {}{}",
                    listed(&names),
                    did_you_mean(&name, names.iter().map(String::as_str))
                );
                return Err((item.span_of("name"), text));
            }
            None => below.push(item),
        }
    }
    Ok(())
}

/// Whether an entry with a new name is more likely a misspelt existing one: a sensor without a kind, an agent with
/// neither a model nor a kernel.
fn is_slip(item: &Node<'_>, others: &[Node<'_>]) -> bool {
    let says = |node: &Node<'_>, key: &str| {
        let mut fields = node.fields().unwrap_or_default().iter();
        fields.any(|entry| entry.key == key)
    };
    ["kind", "model"].into_iter().any(|key| {
        others.iter().any(|other| says(other, key)) && !says(item, key) && !says(item, "coherence")
    })
}

/// Step of a path.
enum Part {
    Name(String),
    Index(usize),
}

/// Most names in a message.
const LISTED: usize = 12;

fn listed(names: &[String]) -> String {
    let mut all: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|n| format!("`{n}`"))
        .collect();
    if names.len() > LISTED {
        all.push(format!("and {} more", names.len() - LISTED));
    }
    all.join(", ")
}

/// Applies an argument such as `agents.rover.controller.speed_m_s=0.8`. Offsets count from the start of the argument.
pub(super) fn set<'a>(
    root: &mut Node<'a>,
    argument: &'a str,
    source: usize,
    warnings: &mut Vec<(Span, String)>,
) -> Result<(), MergeError> {
    let span = |offset| Span { source, offset };
    let refuse = |offset, message: &str| Err((span(offset), message.to_owned()));
    let mut quoted = false;
    let equals = argument.bytes().position(|b| {
        quoted ^= b == b'"';
        b == b'=' && !quoted
    });
    let Some(equals) = equals else {
        return refuse(
            0,
            "found no `=`; expected PATH=VALUE, as agents.rover.controller.speed_m_s=0.8",
        );
    };
    let parts = path(&argument[..equals]).map_err(|(at, message)| (span(at), message))?;
    let value = value(&argument[equals + 1..], span(equals + 1))?;
    let mut node = root;
    let mut so_far = String::new();
    let mut in_witness = false;
    for (part, at) in parts {
        let part = match part {
            Part::Name(old) if in_witness && current(&old) != old => {
                warnings.push((span(at), renamed_key(&old)));
                Part::Name(current(&old).to_owned())
            }
            part => part,
        };
        in_witness = matches!(&part, Part::Name(name) if name == "witness");
        node = step(node, &part, span(at), &so_far)?;
        match part {
            Part::Name(name) if so_far.is_empty() => so_far = name,
            Part::Name(name) => so_far = format!("{so_far}.{name}"),
            Part::Index(k) => so_far = format!("{so_far}[{k}]"),
        }
    }
    *node = value;
    Ok(())
}

/// Value one step further, created if it is missing and can be.
fn step<'n, 'a>(
    node: &'n mut Node<'a>,
    part: &Part,
    span: Span,
    so_far: &str,
) -> Result<&'n mut Node<'a>, MergeError> {
    let refuse = |message: String| Err((span, message));
    if matches!(node.shape(), Shape::Null) {
        *node = Node::of(Shape::Fields(Vec::new()), span);
    }
    match (node.shape_mut(), part) {
        (Shape::Fields(entries), Part::Name(name)) => {
            let k = entries.iter().position(|e| e.key == *name);
            let k = k.unwrap_or_else(|| {
                entries.push(Entry {
                    key: name.clone().into(),
                    key_span: span,
                    value: Node::of(Shape::Fields(Vec::new()), span),
                });
                entries.len() - 1
            });
            Ok(&mut entries[k].value)
        }
        (
            Shape::Variant {
                name,
                inside: Some(inside),
            },
            part,
        ) => match part {
            // The path may name the kind.
            Part::Name(literal) if literal == name => Ok(inside),
            _ => step(inside, part, span, so_far),
        },
        (Shape::Variant { name, .. }, Part::Name(field)) => refuse(format!(
            "found `{field}` in `{name}`, which has no fields here; expected {so_far}=KIND(..) with the fields of another kind"
        )),
        (Shape::List { items, .. }, Part::Index(k)) => {
            let count = items.len();
            match items.get_mut(*k) {
                Some(item) => Ok(item),
                None => refuse(format!(
                    "found [{k}] in `{so_far}`, which has {count} entries; expected an index below that"
                )),
            }
        }
        (Shape::List { items, .. }, Part::Name(name)) => {
            let names: Vec<String> = items.iter().filter_map(Node::name).collect();
            match items.iter().position(|i| i.name().as_ref() == Some(name)) {
                Some(k) => Ok(&mut items[k]),
                None if names.is_empty() => refuse(format!(
                    "found `{name}` in `{so_far}`, whose {} entries have no names; expected an index, as {so_far}[0]",
                    items.len()
                )),
                None => refuse(format!(
                    "found no `{name}` in `{so_far}`; expected {}{}",
                    listed(&names),
                    did_you_mean(name, names.iter().map(String::as_str))
                )),
            }
        }
        (_, Part::Name(name)) => refuse(format!(
            "found `{name}` below `{so_far}`, which is one value; expected {so_far}=VALUE"
        )),
        (_, Part::Index(k)) => refuse(format!(
            "found [{k}] on `{so_far}`, which is no list; expected names with dots between them"
        )),
    }
}

/// Steps with their offsets.
fn path(text: &str) -> Result<Vec<(Part, usize)>, (usize, String)> {
    let mut parts = Vec::new();
    let mut at = 0;
    let expected = "expected names with dots between them, as agents.rover.sensors.imu.rate_hz, or an index, as [0]";
    loop {
        let rest = &text[at..];
        let begin = at;
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some(end) = quoted.find('"') else {
                return Err((
                    at,
                    "found a quote that is not closed; expected another one".to_owned(),
                ));
            };
            parts.push((Part::Name(quoted[..end].to_owned()), begin));
            at += end + 2;
        } else {
            let end = rest.find(['.', '[', '"']).unwrap_or(rest.len());
            let name = rest[..end].trim();
            if name.is_empty() {
                return Err((at, format!("found no name here; {expected}")));
            }
            parts.push((Part::Name(name.to_owned()), begin));
            at += end;
        }
        while let Some(inside) = text[at..].strip_prefix('[') {
            let index = inside
                .split_once(']')
                .and_then(|(i, _)| Some((i.parse().ok()?, i.len())));
            let Some((index, len)) = index else {
                return Err((at, format!("found a bracket without an index; {expected}")));
            };
            parts.push((Part::Index(index), at));
            at += len + 2;
        }
        match text[at..].chars().next() {
            None => return Ok(parts),
            Some('.') => at += 1,
            Some(c) => return Err((at, format!("found `{c}`; {expected}"))),
        }
    }
}

/// Parses RON, or else text without quotes.
fn value(text: &str, span: Span) -> Result<Node<'_>, MergeError> {
    let blank = text.len() - text.trim_start().len();
    let (text, span) = (
        text.trim(),
        Span {
            offset: span.offset + blank,
            ..span
        },
    );
    match accept(text) {
        Ok(()) => Ok(loosened(Node::ron(text, span))),
        Err((at, code)) if text.starts_with(['(', '[', '{', '"']) => {
            let span = Span {
                offset: span.offset + at,
                ..span
            };
            Err((
                span,
                format!(
                    "{}: {}",
                    "the value is not RON",
                    super::text::explain(&code)
                ),
            ))
        }
        Err(_) => {
            let (literal, ron) = (text.into(), text.into());
            Ok(Node::of(Shape::Word { literal, ron }, span))
        }
    }
}

/// Relaxes the syntax for command lines: text without quotes, lists in either brackets.
fn loosened(mut node: Node<'_>) -> Node<'_> {
    let text = node.text();
    let span = node.span;
    match node.shape_mut() {
        Shape::Scalar => {
            // Quoted text is not changed.
            let word = text.filter(|t| !t.starts_with(['"', '\'', '{', 'r', 'b']));
            if let Some(word) = word {
                let (literal, ron) = (word.into(), word.into());
                return Node::of(Shape::Word { literal, ron }, span);
            }
        }
        Shape::Variant { name, inside: None } => {
            let (literal, ron) = (name.clone(), name.clone());
            return Node::of(Shape::Word { literal, ron }, span);
        }
        Shape::Variant {
            inside: Some(inside),
            ..
        } => {
            // The brackets of a kind decide between fields and values.
            **inside = loosened_inside(taken(inside));
        }
        Shape::List { brackets, items } => {
            *brackets = Brackets::Either;
            *items = std::mem::take(items).into_iter().map(loosened).collect();
        }
        Shape::Fields(entries) => loosen_fields(entries),
        Shape::Null | Shape::Word { .. } | Shape::Quoted(_) => {}
    }
    node
}

fn loosened_inside(mut node: Node<'_>) -> Node<'_> {
    match node.shape_mut() {
        Shape::List { items, .. } => {
            *items = std::mem::take(items).into_iter().map(loosened).collect();
        }
        Shape::Fields(entries) => loosen_fields(entries),
        _ => {}
    }
    node
}

fn loosen_fields(entries: &mut [Entry<'_>]) {
    for entry in entries {
        entry.value = loosened(taken(&mut entry.value));
    }
}
