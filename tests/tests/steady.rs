//! A steady tick of `warehouse_robot` allocates nothing in systems of ours: counted by the allocator, on the thread that
//! runs the tick, but for the time in which rapier steps. What happens (a goal that is reached) is told and remembered in
//! words: the ticks until that is done are not steady ones.

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
    /// Whether this thread's allocations are counted: never those of rapier or of threads for input and output.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    // A thread that ends has none of them any more.
    let _ = COUNTED.try_with(|counted| {
        if counted.get() {
            let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        }
    });
}

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as the caller promised; `alloc` took it from there.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised; `alloc` took it from there.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Ticks in which something happened.
#[derive(Resource, Default)]
struct Happened(u64);

/// Rapier's step is not counted, and what happens is noted.
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
                note_what_happens.in_set(TickSystems::Publish),
            ),
        );
    }
}

fn note_what_happens(mut events: MessageReader<AgentEvent>, mut happened: ResMut<Happened>) {
    happened.0 += u64::from(events.read().count() > 0);
}

/// Ticks after something happened until it is remembered: a kernel tick, and one more.
const REMEMBERED: u64 = 40;

#[test]
fn a_steady_tick_allocates_nothing() {
    let scene = root().join("scenes/warehouse_robot.ron");
    let mut engine = CoherenceEngine::from_scene(scene).unwrap();
    engine.add_plugin(OwnSystems);
    // The first readings of every sensor, the warm-up of the self-model, the largest scan.
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
