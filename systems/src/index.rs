//! Index of the entities that have names: those of the scene, and those that plugins spawn.

use crate::tick::{Reset, ResetSystems, Tick, TickSystems};
use bevy_app::{App, Plugin};
use bevy_ecs::message::message_update_system;
use bevy_ecs::prelude::*;

/// Entities that have names, in the order of these names.
///
/// The scene's entities are in it from the start of a run. An entity that a plugin spawns with a [`Name`] is in it from
/// the next tick on: it is hashed, and found by its name.
#[derive(Resource, Clone, Debug, Default)]
pub struct EntityIndex(pub Vec<(String, Entity)>);

impl EntityIndex {
    /// The entity of this name.
    pub fn entity(&self, name: &str) -> Option<Entity> {
        let place = self.0.binary_search_by(|(n, _)| n.as_str().cmp(name));
        place.ok().map(|k| self.0[k].1)
    }
}

/// Keeps the index.
pub struct IndexPlugin;

impl Plugin for IndexPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<EntityIndex>()
            .init_resource::<IsStale>()
            .add_observer(|_: On<Add<Name>>, mut stale: ResMut<IsStale>| stale.0 = true)
            .add_observer(|_: On<Remove<Name>>, mut stale: ResMut<IsStale>| stale.0 = true)
            .add_systems(Reset, rebuild.in_set(ResetSystems::Index))
            .add_systems(
                Tick,
                rebuild
                    .in_set(TickSystems::Begin)
                    .before(message_update_system)
                    .run_if(|stale: Res<IsStale>| stale.0),
            );
    }
}

/// Whether a name was added or removed since the index was built.
#[derive(Resource, Default)]
struct IsStale(bool);

fn rebuild(
    mut index: ResMut<EntityIndex>,
    mut stale: ResMut<IsStale>,
    named: Query<(&Name, Entity)>,
) {
    if std::mem::take(&mut stale.0) {
        index.0.clear();
        index.0.extend(
            named
                .iter()
                .map(|(name, entity)| (name.to_string(), entity)),
        );
        index.0.sort();
    }
}
