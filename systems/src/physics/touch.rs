//! Collisions of agents, from the contacts that began.

use super::world::Physics;
use becomingone_components::body::Travel;
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;

/// Counts collisions on the agents that had them.
pub fn report(
    mut physics: ResMut<Physics>,
    time: Res<SimTime>,
    mut agents: Query<(&Name, &mut Travel)>,
    mut events: MessageWriter<AgentEvent>,
) {
    let pairs = physics.touches.take();
    for (a, b) in pairs {
        let (Some(a), Some(b)) = (physics.owners.get(a), physics.owners.get(b)) else {
            continue;
        };
        // Independently moving parts of one agent may touch each other.
        if a.drivable || b.drivable || a.agent == b.agent {
            continue;
        }
        for (own, other) in [(a, b), (b, a)] {
            let Some(Ok((name, mut travel))) = own.agent.map(|e| agents.get_mut(e)) else {
                continue;
            };
            travel.collisions += 1;
            events.write(AgentEvent {
                now_ns: time.now_ns,
                agent: name.to_string(),
                kind: EventKind::Collision(other.name.clone()),
            });
        }
    }
}
