//! The schedule of a tick, as built by the engine: every system in a named set, in a known order.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone::CoherenceEngine;
use becomingone::systems::tick::{ScheduledSystem, TickSystems, scheduled};
use becomingone_tests::root;
use std::env;
use std::fs;

fn systems() -> Vec<ScheduledSystem> {
    let mut engine = CoherenceEngine::new();
    engine.start().unwrap();
    let mut systems = scheduled(engine.world());
    // Bevy's command application belongs to no set.
    systems.retain(|s| s.name != "bevy_ecs::apply_deferred");
    systems
}

#[test]
fn the_schedule_equals_the_recorded_one() {
    let systems = systems();
    let lines: Vec<String> = systems
        .iter()
        .map(|s| {
            let set = s.set.as_deref();
            let set = set.unwrap_or_else(|| panic!("`{}` is in no set", s.name));
            format!("{set:14} {}\n", s.name)
        })
        .collect();
    let found = lines.concat();
    let path = root().join("tests/fixtures/schedule.txt");
    if env::var_os("BECOMINGONE_BLESS").is_some() {
        fs::write(&path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap();
    let differs = |s: &&str, other: &str| !other.lines().any(|o| o == *s);
    let gone: Vec<_> = expected.lines().filter(|s| differs(s, &found)).collect();
    let new: Vec<_> = found.lines().filter(|s| differs(s, &expected)).collect();
    assert!(
        found == expected,
        "the schedule has changed (BECOMINGONE_BLESS=1 accepts it); gone: {gone:#?}, new: {new:#?}, and the order:\n{found}"
    );
}

#[test]
fn sets_run_in_order_and_the_schedule_is_reproducible() {
    let systems = systems();
    let place = |s: &ScheduledSystem| {
        let set = s.set.as_deref().unwrap_or_default();
        let set = set.trim_start_matches("First(").trim_start_matches("Last(");
        let set = set.trim_end_matches(')');
        let all = TickSystems::ALL.iter();
        all.map(|s| format!("{s:?}")).position(|s| s == set)
    };
    let places: Vec<_> = systems.iter().map(place).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(places.iter().all(Option::is_some));
    assert_eq!(systems, self::systems());
}
