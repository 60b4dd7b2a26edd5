//! A tick with 64 watches allocates nothing while none of them fires: counted by the allocator on the thread that runs the
//! tick, except during rapier's step.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "an allocator is unsafe to implement, and a test may stop"
)]

use becomingone::components::event::AgentEvent;
use becomingone::prelude::*;
use becomingone::systems::physics;
use becomingone_api::{Api, Tokens};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

struct Counting;

thread_local! {
    /// Whether allocations of this thread are counted.
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

/// Excludes rapier's step from the count, and counts ticks with events.
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

/// Runs ticks; returns how many of them were steady, and the time of a tick (us). A steady one allocates nothing.
fn ticks(engine: &mut CoherenceEngine, ticks: u32, is_steady: bool) -> (u32, f64) {
    let mut happened = engine.world().resource::<Happened>().0;
    let (mut quiet, mut steady) = (0, 0);
    let begun = Instant::now();
    for tick in 0..ticks {
        let before = CALLS.get();
        COUNTED.set(true);
        engine.step().unwrap();
        COUNTED.set(false);
        let calls = CALLS.get() - before;
        let now = engine.world().resource::<Happened>().0;
        quiet = if now > happened { 0 } else { quiet + 1 };
        happened = now;
        if is_steady && quiet > REMEMBERED {
            steady += 1;
            assert_eq!(calls, 0, "allocations in tick {tick}");
        }
    }
    (
        steady,
        begun.elapsed().as_secs_f64() * 1e6 / f64::from(ticks),
    )
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
    let scene = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../scenes/warehouse_robot.ron"
    );
    let folder = tempfile::tempdir().unwrap();
    let mut engine = CoherenceEngine::from_scene(scene).unwrap();
    engine.add_plugin(OwnSystems);
    let api = Api::new().port(0).folder(folder.path());
    let serving = api
        .tokens(Tokens::owner(TOKEN).unwrap())
        .start(&mut engine)
        .unwrap();
    // Past the warm-up, and the largest scan.
    engine.start().unwrap();
    ticks(&mut engine, 22_000, false);
    let (_, alone_us) = ticks(&mut engine, 10_000, true);
    for body in bodies() {
        let request = ureq::post(format!("{}/v1/watches", serving.url()));
        let request = request.header("Authorization", format!("Bearer {TOKEN}"));
        let answer = request.content_type("application/json").send(body);
        assert_eq!(answer.unwrap().status(), 201);
    }
    let (steady, watched_us) = ticks(&mut engine, 20_000, true);
    eprintln!("a tick: {alone_us:.1} us without watches, {watched_us:.1} us with 64");
    assert!(steady > 17_000, "{steady} of 20000 ticks were steady");
}
