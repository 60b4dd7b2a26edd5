//! Memory kept across runs: restored after a scene is built, and collected for the next run at the end.

use crate::coherence::memory::Blend;
use crate::coherence::stored_memory::StoredMemory;
use crate::index::EntityIndex;
use bevy_ecs::prelude::*;

/// Restores the memories of earlier runs, if the run has any.
pub fn restore(
    memory: Option<Res<StoredMemory>>,
    mut agents: Query<(&Name, &mut Blend)>,
) -> Result {
    let Some(memory) = memory else {
        return Ok(());
    };
    for (name, mut blend) in &mut agents {
        match memory.agent(name) {
            Some(bytes) => blend.restore(memory.runs(), bytes)?,
            None => blend.begin_run(memory.runs()),
        }
    }
    Ok(())
}

/// Memories that a run restored, and those for the next one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunMemory {
    /// The memory for the next run.
    pub memory: StoredMemory,
    /// Memories of earlier runs at the start, of all agents of the scene.
    pub restored: usize,
    /// Memories kept for the next run, of the same agents.
    pub kept: usize,
}

/// Memory after the run; that after a first run where none was set.
pub fn memory(world: &World) -> RunMemory {
    let mut run = RunMemory::default();
    let mut agents = Vec::new();
    if let Some(index) = world.get_resource::<EntityIndex>() {
        for (name, entity) in &index.0 {
            let Some(blend) = world.get::<Blend>(*entity) else {
                continue;
            };
            run.restored += blend.restored();
            // Only a text beyond 4 GB cannot be stored: the agent then keeps its earlier memories.
            if let Ok((bytes, count)) = blend.stored() {
                run.kept += count;
                agents.push((name.clone(), bytes));
            }
        }
    }
    let before = world.get_resource::<StoredMemory>();
    run.memory = before.cloned().unwrap_or_default().after_run(agents);
    run
}
