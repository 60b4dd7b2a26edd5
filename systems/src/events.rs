//! Events of agents that are worked on in parallel.

use becomingone_components::event::AgentEvent;
use bevy_ecs::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Collects events from parallel work, and writes them in the order of the agents. Few ticks have any.
#[derive(Default)]
pub(crate) struct EventCollector(Mutex<Vec<(usize, AgentEvent)>>);

impl EventCollector {
    /// Adds an event of an agent, by its place.
    pub(crate) fn note(&self, agent: usize, event: AgentEvent) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push((agent, event));
    }

    /// Writes all.
    pub(crate) fn write(self, events: &mut MessageWriter<AgentEvent>) {
        let mut all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.sort_by_key(|(agent, _)| *agent);
        events.write_batch(all.into_iter().map(|(_, event)| event));
    }
}
