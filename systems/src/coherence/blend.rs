//! Event memory (BLEND): storage, decay, recall.

use crate::coherence::memory::{AgentSignature, Blend, Memory, clock};
use crate::coherence::transducers::Transducers;
use crate::events::EventCollector;
use crate::index::EntityIndex;
use crate::threads::Workers;
use becomingone_components::body::TruePose;
use becomingone_components::coherence::{Channels, Coherence, KernelTick, Role};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::time::SimTime;
use bevy_ecs::prelude::*;

/// Kernel ticks between comparisons of the present with the memories: a comparison visits all memories, and no
/// signature changes much within a few ticks of the Emissary.
const LOOK_TICKS: u32 = 10;

/// Notes events of agents with a memory.
pub fn note(
    mut events: MessageReader<AgentEvent>,
    roster: Res<EntityIndex>,
    mut agents: Query<&mut Blend>,
) {
    for event in events.read() {
        let agent = roster.entity(&event.agent);
        if let Some(mut blend) = agent.and_then(|agent| agents.get_mut(agent).ok()) {
            blend.note(event.now_ns, &event.kind);
        }
    }
}

/// At each kernel tick, memories decay and an event is stored; every few of them, the present is compared.
pub fn blend(
    time: Res<SimTime>,
    workers: Res<Workers>,
    mut agents: Query<(
        &Name,
        &KernelTick,
        &Channels,
        &Coherence,
        &Transducers,
        &mut Blend,
        Option<&TruePose>,
    )>,
    mut events: MessageWriter<AgentEvent>,
) {
    let collected = EventCollector::default();
    let agents = agents.iter_mut().enumerate();
    workers.each(
        agents,
        |(agent, (name, tick, channels, coherence, transducers, mut blend, pose))| {
            let Some(dt_s) = tick.dt_s else {
                return;
            };
            blend.advance(dt_s, coherence.coherence);
            blend.unlooked += 1;
            let event = blend.pending.take();
            let looks = blend.unlooked >= LOOK_TICKS;
            if event.is_none() && !looks {
                return;
            }
            let [emissary, master] = [Role::Emissary, Role::Master].map(|r| transducers.all_t(r));
            let signature = AgentSignature::of_t(&channels.phi, emissary, master);
            if let Some((at_ns, what)) = event {
                let run = blend.run();
                let again = blend.take_in(Memory {
                    run,
                    events: 1,
                    at_ns,
                    label: format!("{} {what}", clock(at_ns)).into(),
                    what,
                    signature,
                    position_m: pose.map(|p| p.0.translation_m.to_array()),
                });
                if let Some(like) = again {
                    collected.note(
                        agent,
                        AgentEvent {
                            now_ns: time.now_ns,
                            agent: name.to_string(),
                            kind: EventKind::EventRecalled {
                                label: like.label,
                                similarity: like.similarity,
                            },
                        },
                    );
                }
            }
            if looks {
                blend.look(time.now_ns, &signature, transducers.emissary_window_s());
            }
        },
    );
    collected.write(&mut events);
}
