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
use becomingone_api::{Api, Tokens};
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

/// Runs ticks; a steady one allocates nothing. Returns how many of them were steady.
fn steady_ticks(engine: &mut CoherenceEngine, ticks: u32) -> u32 {
    let mut happened = engine.world().resource::<Happened>().0;
    let (mut quiet, mut steady) = (0, 0);
    for tick in 0..ticks {
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
    steady
}

/// The scene `robot`.
fn engine() -> CoherenceEngine {
    let scene = root().join("scenes/warehouse_robot.ron");
    let mut engine = CoherenceEngine::from_scene(scene).unwrap();
    engine.add_plugin(OwnSystems);
    engine
}

#[test]
fn steady_state_tick_allocates_nothing() {
    let mut engine = engine();
    // Skip the first readings of all sensors, the warm-up of the self-model, and the largest scan.
    for _ in 0..20_000 {
        engine.step().unwrap();
    }
    let steady = steady_ticks(&mut engine, 20_000);
    assert!(steady > 18_000, "{steady} of 20000 ticks were steady");
}

const TOKEN: &str = "owner-0123456789abcdef";

/// Bodies of watches of every kind, none of which fires.
fn bodies() -> Vec<String> {
    let of = |rest: &str| format!("{{\"agent\": \"rover\", {rest}}}");
    let kinds = [
        "\"what\": \"surprise\", \"how\": \"above\", \"value\": 1e9",
        "\"what\": \"coherence\", \"how\": \"below\", \"value\": -1, \"dwell_s\": 1",
        "\"what\": \"speed\", \"how\": \"rises\", \"value\": 100",
        "\"what\": \"speed\", \"how\": \"falls\", \"hysteresis\": 100",
        "\"what\": \"channel\", \"channel\": \"imu/gyro_z\", \"how\": \"crosses\", \"value\": 1e9",
        "\"what\": \"channel\", \"channel\": \"lidar/hits_0\", \"how\": \"rises\", \"hysteresis\": 1e9",
        "\"what\": \"sensor\", \"sensor\": \"imu\", \"how\": \"silent\"",
        "\"what\": \"event\", \"event\": \"stale\", \"how\": \"event\"",
    ];
    (0..64).map(|k| of(kinds[k % kinds.len()])).collect()
}

#[test]
fn a_steady_tick_with_sixty_four_watches_allocates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = engine();
    let api = Api::new().port(0).folder(folder.path());
    let serving = api
        .tokens(Tokens::owner(TOKEN).unwrap())
        .start(&mut engine)
        .unwrap();
    // Past the warm-up, and the largest scan.
    for _ in 0..22_000 {
        engine.step().unwrap();
    }
    steady_ticks(&mut engine, 10_000);
    for body in bodies() {
        let request = ureq::post(format!("{}/v1/watches", serving.url()));
        let request = request.header("Authorization", format!("Bearer {TOKEN}"));
        let answer = request.content_type("application/json").send(body);
        assert_eq!(answer.unwrap().status(), 201);
    }
    let steady = steady_ticks(&mut engine, 20_000);
    assert!(steady > 17_000, "{steady} of 20000 ticks were steady");
}
