//! Numbers of controllers that requests change in a run.

use becomingone_components::check::Checks;
use becomingone_components::control::{AnyController, ControlledBy, ControllerContext};
use becomingone_components::kind::Named;
use becomingone_components::nearest::did_you_mean;
use becomingone_components::scene::LoadedScene;
use bevy_ecs::prelude::*;
use std::sync::Arc;

/// Begin of their names.
const CONTROLLER: &str = "controller.";

/// Found and expected.
type Wrong = (String, String);

/// The parameters of an agent, by their names, and their values: `controller.speed_m_s`, in the unit of the scene's
/// field.
pub fn parameters(world: &World, agent: Entity) -> Vec<(String, f64)> {
    let controller = world.get::<ControlledBy>(agent);
    let numbers = controller.and_then(|c| c.0.value()).map(|c| c.numbers());
    let named = |(name, x)| (format!("{CONTROLLER}{name}"), x);
    numbers.into_iter().flatten().map(named).collect()
}

/// The controller of an agent with a number changed.
///
/// # Errors
///
/// What does not fit.
pub(super) fn changed(
    world: &World,
    agent: Entity,
    parameter: &str,
    value: f64,
) -> Result<Arc<dyn AnyController>, Wrong> {
    let now = world.get::<ControlledBy>(agent).and_then(|c| c.0.value());
    let number = parameter.strip_prefix(CONTROLLER);
    let new = now
        .zip(number)
        .and_then(|(now, name)| now.with_number(name, value));
    let (Some(new), Some(loaded)) = (new, world.get_resource::<LoadedScene>()) else {
        let known: Vec<String> = parameters(world, agent).into_iter().map(|p| p.0).collect();
        let found = format!("`{}`", parameter.escape_debug());
        let expected = match known.is_empty() {
            true => "an agent with parameters, which this one has not".to_owned(),
            false => {
                let hint = did_you_mean(parameter, known.iter().map(String::as_str));
                format!("one of {}{hint}", known.join(", "))
            }
        };
        return Err((found, expected));
    };
    let mut first = None;
    let report = &mut |path: &str, found: String, expected: &str| {
        first.get_or_insert_with(|| (format!("{path} {found}"), expected.to_owned()));
    };
    let context = ControllerContext {
        world: &loaded.scene.world,
        fleet: loaded.scene.fleet.is_some(),
    };
    new.check(&context, &mut Checks::new("controller", report));
    match first {
        Some(wrong) => Err(wrong),
        None => Ok(new),
    }
}

/// Changes a number of an agent's controller; nothing where it does not fit.
pub(super) fn set(world: &mut World, agent: Entity, name: &str, parameter: &str, value: f64) {
    let Ok(new) = changed(world, agent, parameter, value) else {
        return;
    };
    let Some(loaded) = world.get_resource::<LoadedScene>().cloned() else {
        return;
    };
    let index = loaded.scene.agents.iter().position(|a| a.name == name);
    let Some(body) = index.and_then(|k| loaded.agents.get(k)) else {
        return;
    };
    let mut agent = world.entity_mut(agent);
    new.tune(&mut agent, &body.body(loaded.track.as_deref()));
    agent.insert(ControlledBy(Named::of(new)));
}
