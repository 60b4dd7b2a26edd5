//! Names of the links of a scene, and time-outs of its sensors.

use becomingone_components::link::{Link, LinkName, Links};
use becomingone_components::request::REQUESTS;
use becomingone_components::scene::{SceneSpec, SensorSpec};
use becomingone_components::time::NS_PER_S;
use bevy_ecs::prelude::*;

/// Time-out of a sensor (ns): that of the scene, else five periods, and at least 0.1 s.
pub fn silent_after_ns(spec: &SensorSpec) -> u64 {
    let after_s = spec.silence.after_s;
    let after_s = after_s.unwrap_or_else(|| (5.0 / spec.rate_hz).max(0.1));
    (after_s * NS_PER_S as f64) as u64
}

/// Names the links of a scene, and adds each to its entity.
pub(crate) fn name_links(world: &mut World, scene: &SceneSpec, roster: &[(String, Entity)]) {
    let sensors = scene.agents.iter().flat_map(|agent| {
        let name = |sensor: &str| format!("{}/{sensor}", agent.name);
        let drive = (name("drive"), &agent.drive_source);
        let sensors = agent.sensors.iter();
        sensors
            .map(move |s| (name(&s.name), &s.source))
            .chain([drive])
    });
    let mut names: Vec<String> = sensors
        .filter(|(_, source)| source.has_link())
        .map(|(name, _)| name)
        .collect();
    names.push(REQUESTS.to_owned());
    names.sort();
    let links: Vec<LinkName> = names
        .into_iter()
        .map(|name| {
            let found = roster.binary_search_by(|(known, _)| known.cmp(&name));
            let entity = found.ok().map(|k| roster[k].1).filter(|_| name != REQUESTS);
            LinkName { name, entity }
        })
        .collect();
    for (index, link) in (0..).zip(&links) {
        if let Some(entity) = link.entity {
            world.entity_mut(entity).insert(Link {
                index,
                ..Link::default()
            });
        }
    }
    world.insert_resource(Links(links));
}
