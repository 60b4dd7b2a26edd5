//! What enters and happens in a run, and the same run again from its input.

use becomingone::CoherenceEngine;
use becomingone::components::event::AgentEvent;
use becomingone::components::link::{Entered, Frame};
use becomingone::prelude::*;
use becomingone::systems::links::ExternalInput;

/// Events and external input of a run, with the ticks in which they occurred.
#[derive(Resource, Default)]
pub struct Seen {
    /// Events.
    pub events: Vec<AgentEvent>,
    /// External input.
    pub frames: Vec<(u64, Frame)>,
}

fn see(
    time: Res<SimTime>,
    entered: Res<Entered>,
    mut events: MessageReader<AgentEvent>,
    mut seen: ResMut<Seen>,
) {
    let tick = time.tick - 1;
    let frames = entered.0.iter().map(|frame| (tick, frame.clone()));
    seen.frames.extend(frames);
    seen.events.extend(events.read().cloned());
}

/// The engine, with what it has [`Seen`].
pub fn watched(mut engine: CoherenceEngine) -> CoherenceEngine {
    engine
        .app_mut()
        .init_resource::<Seen>()
        .add_systems(Tick, see.in_set(TickSystems::Publish));
    engine
}

/// State hash of `again`, a fresh engine of the same scene, after the ticks of `engine` with its external input.
pub fn replayed(mut again: CoherenceEngine, engine: &CoherenceEngine) -> String {
    let frames = engine.world().resource::<Seen>().frames.clone();
    again
        .world_mut()
        .insert_resource(ExternalInput::Journal(Box::new(frames)));
    for _ in 0..engine.time().tick {
        again.step().unwrap();
    }
    again.summary().state_hash
}
