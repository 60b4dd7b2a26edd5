//! Sources of sensors and drives: resolved values, and executors of a drive's commands.

use super::act::CommandSender;
use super::document::without_query;
use super::names::silent_after_ns;
use crate::index::EntityIndex;
use becomingone_components::control::DrivenBy;
use becomingone_components::link::{ExternalActuator, Resolved, ResolvedSources, Source};
use becomingone_components::scene::{AgentSpec, SceneSpec};
use becomingone_components::time::{NS_PER_S, SimTime};
use bevy_ecs::prelude::*;

/// Sets the executor of the commands of an agent's drive.
pub(crate) fn spawn_drive_source(world: &mut World, agent: Entity, spec: &AgentSpec) {
    let tick_ns = world.resource::<SimTime>().tick_ns;
    let Some(&DrivenBy(actuator)) = world.get::<DrivenBy>(agent) else {
        return;
    };
    let mut actuator = world.entity_mut(actuator);
    actuator.insert(spec.drive_source.clone());
    if !spec.drive_source.is_sim() {
        actuator.insert(ExternalActuator);
    }
    if spec.drive_source.has_link() {
        actuator.insert(CommandSender::new(spec.drive_rate_hz, tick_ns));
    }
}

/// Lists the resolved source of every sensor and drive.
pub(crate) fn resolve(world: &mut World, scene: &SceneSpec) {
    let mut rows = Vec::new();
    for spec in &scene.agents {
        for sensor in &spec.sensors {
            let mut values = format!("{} Hz", sensor.rate_hz);
            if let Source::Driver(..) = sensor.source {
                values += &format!(", queue {:?}", sensor.queue);
            }
            if sensor.source.has_link() {
                values += &format!(
                    ", stale after {:.3} s: {:?}",
                    silent_after_ns(sensor) as f64 / NS_PER_S as f64,
                    sensor.silence.then
                );
            }
            rows.push(Resolved {
                entity: format!("{}/{}", spec.name, sensor.name),
                kind: sensor.kind.value().map_or("", |k| k.measures()).to_owned(),
                source: without_query(&sensor.source.to_string()),
                values,
            });
        }
        let name = format!("{}/drive", spec.name);
        if world.resource::<EntityIndex>().entity(&name).is_some() {
            let values = match spec.drive_source {
                Source::Driver(..) => format!("{} Hz at most", spec.drive_rate_hz),
                _ => String::new(),
            };
            rows.push(Resolved {
                entity: name,
                kind: "drive".to_owned(),
                source: without_query(&spec.drive_source.to_string()),
                values,
            });
        }
    }
    world.insert_resource(ResolvedSources(rows));
}
