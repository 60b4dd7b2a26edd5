//! Twenty robots in one world: all reach their goals without a collision.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::summary;

#[test]
fn twenty_robots_reach_their_goals_without_a_collision() {
    let s = summary(&["warehouse_fleet"]);
    let agents = s["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 20);
    for agent in agents {
        assert_eq!(
            (&agent["goals_reached"], &agent["collisions"]),
            (&4.into(), &0.into()),
            "{}",
            agent["name"]
        );
    }
}
