//! Event memory (BLEND) in whole runs: repeated collision, reset, summary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and compares with std"
)]

use becomingone::CoherenceEngine;
use becomingone::components::event::{AgentEvent, EventKind};
use becomingone::ecs as bevy_ecs; // the path that its derives write
use becomingone::prelude::*;
use becomingone::systems::coherence::memory::Blend;
use becomingone::systems::control::ControlSystems;
use becomingone_tests::{engine, get, summary};
use std::time::Duration;

const WALL: &str = "(version: 1,
world: (obstacles: [Box(name: \"wall\", position_m: (2, 0, 0), size_m: (0.2, 4, 1))]),
agents: [(
    name: \"rover\", model: \"rover.urdf\", drive: Auto,
    sensors: [(name: \"encoders\", kind: Encoders(), rate_hz: 100)],
    coherence: Kernel(master_window_s: 2, blend: (half_life_s: 20), witness: (channels: [])),
)])";

/// Drives into the wall, back, and into it again: 12 s each.
fn twice(time: Res<SimTime>, mut commands: Query<&mut ActuatorTarget<Twist2>>) {
    let within_s = time.now_s() % 12.0;
    for mut command in &mut commands {
        command.0.linear_m_s = if within_s < 6.0 { 0.4 } else { -0.4 };
    }
}

#[derive(Resource, Default)]
struct Log(Vec<AgentEvent>);

fn collect(mut log: ResMut<Log>, mut events: MessageReader<AgentEvent>) {
    log.0.extend(events.read().cloned());
}

fn against_the_wall() -> CoherenceEngine {
    let mut engine = engine(&[("wall.ron", WALL)]);
    engine.add_plugin(|app: &mut App| {
        app.init_resource::<Log>().add_systems(
            Tick,
            (
                twice.in_set(TickSystems::Decide).after(ControlSystems),
                collect.in_set(TickSystems::Publish),
            ),
        );
    });
    engine
}

#[test]
fn second_collision_recalls_the_first() {
    let mut engine = against_the_wall();
    let summary = engine.run_for(Duration::from_secs(24)).unwrap();
    let log = &engine.world().resource::<Log>().0;
    let touches: Vec<_> = log
        .iter()
        .filter(|h| h.kind == EventKind::Collision("wall".to_owned()))
        .collect();
    assert!(touches.len() >= 2, "{log:?}");
    // From the second approach, which touches the wall after 12 s.
    let recalled = log.iter().find_map(|h| match &h.kind {
        EventKind::EventRecalled { label, similarity } if h.now_ns > 12_000_000_000 => label
            .contains("touched wall")
            .then_some((h.now_ns, *similarity)),
        _ => None,
    });
    let (at_ns, similarity) = recalled.unwrap_or_else(|| panic!("no recall in {log:?}"));
    assert!((0.9..=1.0).contains(&similarity), "{similarity}");
    // Said at the kernel tick after the touch.
    let touched = touches.iter().rfind(|h| h.now_ns <= at_ns).unwrap();
    assert!(at_ns - touched.now_ns <= 21_000_000, "{touched:?} {at_ns}");

    // The strength of a memory without recall depends on its age only: half-life 20 s, as coherence has no value.
    let blend: Blend = get(&engine, "rover");
    let now_s = engine.time().now_s();
    let recalled_serial = blend.recalled.unwrap().0;
    for held in blend.memories() {
        let age_s = now_s - held.item.at_ns as f64 * 1e-9;
        let alone = 0.5_f64.powf(age_s / 20.0);
        // An event waits up to a kernel tick, and the last tick has not decayed yet.
        if held.strength < alone * 1.003 {
            assert!((held.strength / alone - 1.0).abs() < 0.003, "{held:?}");
        }
        if held.serial == recalled_serial {
            assert!(held.strength > alone * 1.01, "{held:?}");
        }
        let [x, ..] = held.item.position_m.unwrap();
        assert!((-0.5..2.0).contains(&x), "{x}");
    }
    let kernel = &summary.agents[0].kernel;
    assert_eq!(kernel.blend.count, blend.memories().count());
    assert!(kernel.blend.count >= 3);
}

#[test]
fn reset_clears_the_memory_and_repeats_it() {
    let mut engine = against_the_wall();
    let first = engine.run_for(Duration::from_secs(14)).unwrap();
    engine.reset().unwrap();
    let blend: Blend = get(&engine, "rover");
    assert_eq!((blend.taken_in(), blend.memories().count()), (0, 0));
    let again = engine.run_for(Duration::from_secs(14)).unwrap();
    assert_eq!(first.state_hash, again.state_hash);
    assert_eq!(first.agents[0].kernel, again.agents[0].kernel);
}

#[test]
fn summary_contains_the_strongest_memory() {
    let s = summary(&["bare_kernel"]);
    let blend = |agent: usize| &s["agents"][agent]["kernel"]["blend"];
    assert_eq!(blend(0)["count"], 1);
    assert!(
        blend(0)["strongest"]
            .as_str()
            .unwrap()
            .ends_with(" phase locked")
    );
    // Half-life of ten Master windows of 60 s: from the phase lock at 0.3 s to the end at 120 s.
    let law = 0.5_f64.powf((120.0 - 0.3) / 600.0);
    let strength = blend(0)["strength"].as_f64().unwrap();
    assert!((strength - law).abs() < 1e-3, "{strength} {law}");
    assert_eq!(blend(2)["count"], 0);
    assert!(blend(2)["strongest"].is_null());
}
