//! Main job: `run robot` reaches all goals without a collision, also with third-party robots.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use becomingone_tests::{peer_robot, summary};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Runs the patrol with seeds 1 to 20, two at a time. The time limit of [`summary`] covers a stuck robot.
fn patrol(more: &[&str]) {
    let next = AtomicU64::new(1);
    let work = || {
        let mut failed = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > 20 {
                return failed;
            }
            let text = seed.to_string();
            let s = summary(&[&["robot", "--seed", &text], more].concat());
            let agent = &s["agents"][0];
            if agent["goals_reached"] != 9 || agent["collisions"] != 0 {
                failed.push(format!(
                    "seed {seed}: {} goals, {} collisions in {} s",
                    agent["goals_reached"], agent["collisions"], s["sim_s"]
                ));
            }
        }
    };
    let failed = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut failed = work();
        failed.extend(other.join().unwrap());
        failed
    });
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn the_rover_reaches_its_goals_without_a_collision() {
    patrol(&[]);
}

#[test]
fn husky_reaches_the_goals_without_a_collision() {
    if let Some(file) = peer_robot("pybullet_data/husky/husky.urdf") {
        patrol(&["--model", &file]);
    }
}

#[test]
fn r2d2_reaches_the_goals_without_a_collision() {
    if let Some(file) = peer_robot("pybullet_data/r2d2.urdf") {
        patrol(&["--model", &file]);
    }
}

#[test]
fn a_car_with_steered_wheels_reaches_the_goals_without_a_collision() {
    if let Some(file) = peer_robot("pybullet_data/racecar/racecar.urdf") {
        patrol(&["--model", &file]);
    }
}

#[test]
fn rover_climbs_the_ramp_by_odometry() {
    let s = summary(&["ramp_climb"]);
    let agent = &s["agents"][0];
    assert_eq!(
        (&agent["goals_reached"], &agent["collisions"]),
        (&1.into(), &0.into())
    );
}
