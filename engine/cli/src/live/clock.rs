//! Copy of simulated time for other threads.

use becomingone::components::time::SimTime;
use becomingone::systems::tick::{Reset, Tick, TickSystems};
use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Simulated time, readable from other threads.
#[derive(Resource, Clone, Default)]
pub(crate) struct ClockMirror(Arc<AtomicU64>);

impl ClockMirror {
    /// Adds the copy to an engine that has not started.
    pub(crate) fn of(engine: &mut becomingone::CoherenceEngine) -> Self {
        let clock = Self::default();
        engine.add_plugin(ClockPlugin(clock.clone()));
        clock
    }

    /// Simulated time (ns).
    pub(super) fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Copies simulated time at the end of each tick.
struct ClockPlugin(ClockMirror);

impl Plugin for ClockPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.0.clone())
            .add_systems(Reset, copy_time.ambiguous_with_all())
            .add_systems(
                Tick,
                // It only reads what others have.
                copy_time.in_set(TickSystems::Publish).ambiguous_with_all(),
            );
    }
}

fn copy_time(time: Res<SimTime>, clock: Res<ClockMirror>) {
    clock.0.store(time.now_ns, Ordering::Relaxed);
}
