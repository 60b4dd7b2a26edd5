//! Whole tick without a viewer, compared with a bare rapier step with the same robots and the same rays.
//!
//! Run it: `cargo bench -p becomingone --bench tick`. Both are measured in turns in one process, so that the ratio is
//! valid on a noisy machine; the result is the median of the rounds' ratios.
//!
//! Then the memory per robot, and the same robots on two threads of physics against one.
//!
//! Robots patrol squares of their own, with an IMU at 1 kHz, a lidar of 360 rays at 10 Hz, encoders at 100 Hz.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark prints, times, and may stop at the first surprise"
)]

use becomingone::CoherenceEngine;
use becomingone::scene::load;
use becomingone_components::body::{Model, TruePose};
use becomingone_components::drive::Drive;
use becomingone_components::scene::LoadedScene;
use becomingone_systems::hash::StateHash;
use becomingone_systems::physics::{Bodies, Physics};
use bevy_ecs::prelude::*;
use glam::Vec3;
use rapier3d::prelude::*;
use std::fmt::Write;
use std::time::{Duration, Instant};

const RAYS: u32 = 360;
const RANGE_M: f32 = 12.0;
const LIDAR_EVERY: u64 = 100;
/// Ticks of one round of one contender: five scans of each lidar.
const ROUND: u64 = 500;

fn scene(robots: usize) -> LoadedScene {
    let side = (robots as f64).sqrt().ceil() as usize;
    let mut text = String::from("(version: 1, agents: [");
    for k in 0..robots {
        let (x, y) = ((k % side) as f64 * 6.0, (k / side) as f64 * 6.0);
        write!(
            text,
            "(name: \"r{k:04}\", model: \"rover.urdf\", position_m: ({x}, {y}, 0), drive: Auto,
              sensors: [
                (name: \"imu\", kind: Imu(gyro: (white_sd: 0.01), accelerometer: (white_sd: 0.05)), rate_hz: 1000),
                (name: \"encoders\", kind: Encoders(noise: (resolution: 8.2e-5)), rate_hz: 100),
                (name: \"lidar\", kind: Lidar(rays: {RAYS}, range_max_m: {RANGE_M}, noise: (white_sd: 0.015)), rate_hz: 10, position_m: (0.06, 0, 0.26)),
              ],
              controller: Patrol(waypoints_m: [({}, {y}), ({}, {}), ({x}, {}), ({x}, {y})], laps: None, speed_m_s: 0.8, localisation: Truth)),",
            x + 2.0,
            x + 2.0,
            y + 2.0,
            y + 2.0
        )
        .unwrap();
    }
    text.push_str("])");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.ron");
    std::fs::write(&path, text).unwrap();
    load(&path, None).unwrap()
}

/// The same bodies, joints, contacts and rays, without the engine.
struct Bare {
    rapier: PhysicsWorld,
    roots: Vec<(RigidBodyHandle, u128)>,
    directions: Vec<Vec3>,
    hits: f32,
}

impl Bare {
    /// Bodies from the engine's builder in a world of their own, with wheels driven at the speed of the patrol.
    fn new(loaded: &LoadedScene) -> Self {
        let mut physics = Physics::new(1e-3, Vec3::Z * -9.80665);
        physics.add_ground(0.9);
        let mut engine = CoherenceEngine::from_loaded(loaded.clone());
        engine.start().unwrap();
        let mut agents = engine
            .world_mut()
            .query::<(Entity, &Name, &Model, &TruePose)>();
        let mut roots = Vec::new();
        let mut at: Vec<_> = agents.iter(engine.world()).collect();
        at.sort_by_key(|(_, name, ..)| name.to_string());
        for ((entity, name, model, pose), drive) in at.into_iter().zip(&loaded.agents) {
            let drive: &Drive = drive.drive.as_ref().unwrap();
            let bodies: Bodies =
                physics.add_robot(name, entity, &model.0, pose.0, Some(drive), None);
            for wheel in &drive.wheels {
                let joint = bodies.joints[wheel.joint].unwrap();
                let joint = physics.rapier.impulse_joints.get_mut(joint, true).unwrap();
                let motor = *joint.data.motor(JointAxis::AngX).unwrap();
                let speed = (wheel.sign * 0.5 / wheel.radius_m) as f32;
                // A gentle turn, so that they stay near the engine's robots.
                let speed = if wheel.left { speed * 0.8 } else { speed };
                joint
                    .data
                    .set_motor_velocity(JointAxis::AngX, speed, motor.damping);
            }
            roots.push((bodies.links[0], bodies.owner));
        }
        becomingone_systems::threads::use_threads(&mut physics.rapier, 1).unwrap();
        let directions = (0..RAYS)
            .map(|k| {
                let (sin, cos) = (std::f32::consts::TAU * k as f32 / RAYS as f32).sin_cos();
                Vec3::new(cos, sin, 0.0)
            })
            .collect();
        Self {
            rapier: physics.rapier,
            roots,
            directions,
            hits: 0.0,
        }
    }

    fn tick(&mut self, tick: u64) {
        if tick.is_multiple_of(LIDAR_EVERY) {
            for &(root, owner) in &self.roots {
                let pose = *self.rapier.bodies[root].position();
                let origin = pose.rotation * Vec3::new(0.06, 0.0, 0.26) + pose.translation;
                let not_own = |_: ColliderHandle, c: &Collider| c.user_data != owner;
                let rays = self
                    .rapier
                    .query_pipeline_with_filter(QueryFilter::default().predicate(&not_own));
                for &direction in &self.directions {
                    let ray = Ray::new(origin, pose.rotation * direction);
                    self.hits += rays.cast_ray(&ray, RANGE_M, true).map_or(0.0, |(_, d)| d);
                }
            }
        }
        self.rapier.step();
    }
}

fn median(mut xs: Vec<f64>) -> f64 {
    xs.sort_by(f64::total_cmp);
    xs[xs.len() / 2]
}

fn main() {
    // First, before other measurements free memory that it would reuse.
    memory();
    versus_bare();
    threads();
}

/// Memory per robot, with its sensors, controller, kernel and memories.
fn memory() {
    println!("robots | resident, kB more for each");
    let mut kept = Vec::new();
    for robots in [64usize, 512] {
        let before = resident_kb();
        let mut engine = CoherenceEngine::from_loaded(scene(robots));
        for _ in 0..ROUND {
            engine.step().unwrap();
        }
        kept.push(engine);
        let more = before.zip(resident_kb());
        let each = more.map(|(before, after)| (after - before) / robots as f64);
        println!(
            "{robots} | {}",
            each.map_or("unknown".to_owned(), |kb| format!("{kb:.0}"))
        );
    }
}

/// Resident memory of this process (kB), if the system reports it.
fn resident_kb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Two threads against one, in turns.
fn threads() {
    println!("robots | tick on 2 threads / on 1 (median of rounds) | same state");
    for robots in [1usize, 64, 512] {
        let loaded = scene(robots);
        let mut engines = [1, 2].map(|threads| {
            let mut engine = CoherenceEngine::from_loaded(loaded.clone());
            engine.set_threads(threads).start().unwrap();
            engine
        });
        let round = if robots == 512 { ROUND / 5 } else { ROUND };
        let mut ratios = Vec::new();
        for _ in 0..6 {
            let [one, two] = engines.each_mut().map(|engine| {
                let start = Instant::now();
                for _ in 0..round {
                    engine.step().unwrap();
                }
                start.elapsed().as_secs_f64()
            });
            ratios.push(two / one);
        }
        let [one, two] = engines
            .each_ref()
            .map(|e| *e.world().resource::<StateHash>());
        // The first round is the start at rest.
        println!(
            "{robots} | {:.2} | {}",
            median(ratios.split_off(1)),
            one == two
        );
    }
}

fn versus_bare() {
    println!(
        "robots | bare rapier + rays µs | whole tick µs | ratio (median of rounds) | min..max"
    );
    for robots in [1usize, 64, 512] {
        let loaded = scene(robots);
        let mut bare = Bare::new(&loaded);
        let mut engine = CoherenceEngine::from_loaded(loaded);
        engine.start().unwrap();
        let round = if robots == 512 { ROUND / 5 } else { ROUND };
        let rounds = if robots == 1 { 21 } else { 9 };
        // Drive both for a while first: at rest they would cost nothing.
        for tick in 0..round {
            bare.tick(tick);
            engine.step().unwrap();
        }
        let (mut b, mut e, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let per_tick = |d: Duration| d.as_secs_f64() * 1e6 / round as f64;
            let start = Instant::now();
            for tick in 0..round {
                bare.tick(tick);
            }
            let bare_us = per_tick(start.elapsed());
            let start = Instant::now();
            for _ in 0..round {
                engine.step().unwrap();
            }
            let engine_us = per_tick(start.elapsed());
            b.push(bare_us);
            e.push(engine_us);
            ratios.push(engine_us / bare_us);
        }
        let (low, high) = ratios
            .iter()
            .fold((f64::MAX, f64::MIN), |(l, h), &r| (l.min(r), h.max(r)));
        println!(
            "{robots} | {:.1} | {:.1} | {:.3} | {low:.3}..{high:.3}",
            median(b),
            median(e),
            median(ratios)
        );
        assert!(bare.hits.is_finite());
    }
}
