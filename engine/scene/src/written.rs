//! Places of the sources of sensors and drives, for errors of their drivers.

use super::diagnostic::Diagnostics;
use super::tree::{Node, Shape};
use becomingone_components::link::Source;
use becomingone_components::scene::{SceneSpec, SourceSpan};
use std::collections::BTreeMap;

/// Place of every source with a link, by the stable name of its sensor or drive.
pub(super) fn written(
    scene: &SceneSpec,
    root: &Node<'_>,
    diagnostics: &Diagnostics<'_, '_>,
) -> BTreeMap<String, SourceSpan> {
    let mut all = BTreeMap::new();
    let mut keep = |name: String, source: &Source, path: String| {
        if !source.has_link() {
            return;
        }
        let span = root.span_of(&path);
        let config = match (source, root.at(&path).map(Node::shape)) {
            (
                Source::Driver(..),
                Some(Shape::Variant {
                    inside: Some(inside),
                    ..
                }),
            ) => match inside.shape() {
                Shape::List { items, .. } => items.get(1).map(|c| c.render().from),
                _ => None,
            },
            _ => None,
        };
        let pieces = config.into_iter().flatten();
        let placed = |span| diagnostics.place(span);
        all.insert(
            name,
            SourceSpan {
                source: placed(span),
                config: pieces
                    .map(|(at, span)| {
                        let (file, place) = placed(span);
                        (at, file, place)
                    })
                    .collect(),
            },
        );
    };
    for (i, agent) in scene.agents.iter().enumerate() {
        for (k, sensor) in agent.sensors.iter().enumerate() {
            keep(
                format!("{}/{}", agent.name, sensor.name),
                &sensor.source,
                format!("agents[{i}].sensors[{k}].source"),
            );
        }
        keep(
            format!("{}/drive", agent.name),
            &agent.drive_source,
            format!("agents[{i}].drive_source"),
        );
    }
    all
}
