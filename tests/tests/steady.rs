//! A steady-state tick of `warehouse_robot` allocates nothing in systems of this workspace: counted by the allocator on
//! the thread that runs the tick, except during rapier's step. Events (a reached goal) allocate their text: ticks until
//! an event is stored in memory are excluded.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "an allocator is unsafe to implement, and a test may stop"
)]

use becomingone::components::event::AgentEvent;
use becomingone::prelude::*;
use becomingone::systems::physics;
use becomingone_tests::root;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    /// Whether allocations of this thread are counted: not during rapier's step, nor on I/O threads.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count_allocation() {
    // Fails on a thread that is ending.
    let _ = COUNTED.try_with(|counted| {
        if counted.get() {
            let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        }
    });
}

// SAFETY: all calls are forwarded unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_allocation();
        // SAFETY: guaranteed by the caller; `alloc` used the same allocator.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: guaranteed by the caller; `alloc` used the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Ticks with events.
#[derive(Resource, Default)]
struct Happened(u64);

/// Excludes rapier's step from the count and records ticks with events.
struct OwnSystems;

impl Plugin for OwnSystems {
    fn build(&self, app: &mut App) {
        let off = || COUNTED.set(false);
        let on = || COUNTED.set(true);
        app.init_resource::<Happened>().add_systems(
            Tick,
            (
                (
                    off.after(physics::joints::govern).before(physics::step),
                    on.after(physics::step).before(physics::motion::track),
                )
                    .in_set(TickSystems::Step),
                note_events.in_set(TickSystems::Publish),
            ),
        );
    }
}

fn note_events(mut events: MessageReader<AgentEvent>, mut happened: ResMut<Happened>) {
    happened.0 += u64::from(events.read().count() > 0);
}

/// Ticks from an event until it is stored in memory: a kernel tick plus one.
const REMEMBERED: u64 = 40;

#[test]
fn steady_state_tick_allocates_nothing() {
    let scene = root().join("scenes/warehouse_robot.ron");
    let mut engine = CoherenceEngine::from_scene(scene).unwrap();
    engine.add_plugin(OwnSystems);
    // Skip the first readings of all sensors, the warm-up of the self-model, and the largest scan.
    for _ in 0..20_000 {
        engine.step().unwrap();
    }
    let mut happened = engine.world().resource::<Happened>().0;
    let (mut quiet, mut steady) = (0, 0);
    for tick in 0..20_000_u32 {
        let before = CALLS.get();
        COUNTED.set(true);
        engine.step().unwrap();
        COUNTED.set(false);
        let calls = CALLS.get() - before;
        let totals = engine.world().resource::<Happened>().0;
        quiet = if totals > happened { 0 } else { quiet + 1 };
        happened = totals;
        if quiet > REMEMBERED {
            steady += 1;
            assert_eq!(calls, 0, "allocations in tick {tick}");
        }
    }
    assert!(steady > 18_000, "{steady} of 20000 ticks were steady");
}
