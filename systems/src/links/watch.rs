//! Watchdog: marks sensors without readings as stale.
//!
//! It uses the run's clock and the received frames only: a run from a journal has the same time-outs.

use super::delivery::Delivery;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::link::{
    Frame, Link, Links, Payload, SimulationDisabled, Watchdog, WhenSilent,
};
use becomingone_components::sensor::{Sensor, SensorStats};
use becomingone_components::time::{NS_PER_S, Rate, SimTime};
use bevy_ecs::error::BevyError;
use bevy_ecs::message::Messages;
use bevy_ecs::prelude::*;

/// Time-out of a required sensor: the run ends.
#[derive(Debug, thiserror::Error)]
#[error("{name}: no reading for {silent_s:.3} s; `silence: (then: Fail)` ends the run")]
pub struct SilentError {
    /// The sensor.
    pub name: String,
    /// Time without a reading (s).
    pub silent_s: f64,
}

/// Updates which links are stale.
///
/// # Errors
///
/// [`SilentError`] at a time-out of a required sensor.
pub fn watch(world: &mut World) -> Result<(), BevyError> {
    let now_ns = world.resource::<SimTime>().now_ns;
    world.resource_scope(|world, links: Mut<Links>| {
        for link in &links.0 {
            if let Some(entity) = link.entity {
                look(world, entity, &link.name, now_ns)?;
            }
        }
        Ok(())
    })
}

fn look(world: &mut World, entity: Entity, name: &str, now_ns: u64) -> Result<(), SilentError> {
    let (Some(link), Some(&dog)) = (world.get::<Link>(entity), world.get::<Watchdog>(entity))
    else {
        return Ok(());
    };
    let silent_ns = now_ns.saturating_sub(link.last_ns.unwrap_or(0));
    let stale = silent_ns > dog.after_ns;
    if stale == link.stale {
        return Ok(());
    }
    let agent = world.get::<Sensor>(entity).map(|s| s.agent);
    let agent = agent.and_then(|a| world.get::<Name>(a));
    let agent = agent.map_or_else(String::new, |n| n.as_str().to_owned());
    let sensor = name.strip_prefix(&agent).unwrap_or(name);
    let sensor = sensor.trim_start_matches('/').to_owned();
    let kind = if stale {
        EventKind::SensorTimedOut(sensor)
    } else {
        EventKind::SensorResumed(sensor)
    };
    world
        .resource_mut::<Messages<AgentEvent>>()
        .write(AgentEvent {
            now_ns,
            agent,
            kind,
        });
    let mut sensor = world.entity_mut(entity);
    if let Some(mut link) = sensor.get_mut::<Link>() {
        link.stale = stale;
    }
    if stale && let Some(mut stats) = sensor.get_mut::<SensorStats>() {
        stats.stale += 1;
    }
    match (dog.then, stale) {
        (WhenSilent::Hold, _) | (WhenSilent::Zero | WhenSilent::Fail, false) => {}
        (WhenSilent::Zero, true) => deliver_zeros(&mut sensor, now_ns),
        (WhenSilent::Fail, true) => {
            return Err(SilentError {
                name: name.to_owned(),
                silent_s: silent_ns as f64 / NS_PER_S as f64,
            });
        }
        (WhenSilent::FallBackToSim, true) => {
            sensor.remove::<SimulationDisabled>();
            if let Some(mut rate) = sensor.get_mut::<Rate>() {
                rate.skip_to(now_ns);
            }
        }
        (WhenSilent::FallBackToSim, false) => {
            sensor.insert(SimulationDisabled);
        }
    }
    Ok(())
}

fn deliver_zeros(sensor: &mut EntityWorldMut<'_>, now_ns: u64) {
    let Some(&delivery) = sensor.get::<Delivery>() else {
        return;
    };
    // No bytes are a zero: an image without pixels is none.
    if delivery.with_bytes {
        return;
    }
    let zeros = vec![0.0; delivery.numbers];
    let frame = Frame {
        link: 0,
        sequence: 0,
        source_ns: now_ns,
        arrival_ns: now_ns,
        payload: Payload::Counts(Default::default()),
    };
    (delivery.deliver)(sensor, &frame, &zeros, &[]);
}
