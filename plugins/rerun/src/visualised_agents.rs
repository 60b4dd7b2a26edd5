//! Visualised agents: their series, and what was shown of them last.

use crate::outbox::Cap;
use bevy_ecs::prelude::*;

/// Visualised agent.
pub(crate) struct VisualisedAgent {
    pub(crate) entity: Entity,
    /// Index into the stage's agents.
    pub(crate) index: u32,
    /// First series of its kernel, in the order of `systems::KERNEL`.
    pub(crate) kernel: Option<u32>,
    /// First series of its witness, in the order of `systems::WITNESS`.
    pub(crate) witness: Option<u32>,
    /// Sensors with faults, and the drive if it has faults.
    pub(crate) faulty: Vec<Entity>,
    /// Stamp of the kernel tick that was shown last (ns).
    pub(crate) kernel_ns: Option<u64>,
    /// Series of the governor's speed limit.
    pub(crate) governor: Option<u32>,
    /// Series of the strengths of its memories.
    pub(crate) memory: Option<u32>,
    pub(crate) memory_cap: Cap,
    /// Number of stored events when its memories were shown last.
    pub(crate) taken_in: u64,
    pub(crate) speed: Option<u32>,
    /// Its drive, and the first of its two series.
    pub(crate) command: Option<(Entity, u32)>,
}

/// Visualised agents, and the first of the two series of their fleet.
#[derive(Resource, Default)]
pub(crate) struct VisualisedAgents {
    pub(crate) agents: Vec<VisualisedAgent>,
    pub(crate) fleet: Option<u32>,
}

impl VisualisedAgents {
    /// Index into the stage's agents.
    pub(crate) fn index_of(&self, agent: Entity) -> Option<usize> {
        let shown = self.agents.iter().find(|a| a.entity == agent)?;
        Some(shown.index as usize)
    }
}
