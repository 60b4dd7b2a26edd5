//! Many worlds of one robot on all processors: environment steps a second, and the bits of a single world.
//!
//! `cargo run --release -p becomingone --example batch -- WORLDS STEPS`

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and its rates use the wall clock"
)]

use becomingone::BatchSimulation;
use becomingone::prelude::*;
use std::time::Instant;

/// Ticks of one step: 0.1 s.
const TICKS: usize = 10;

/// A rover on a plane, in ticks of 10 ms.
fn rover(world: usize) -> Result<CoherenceEngine, EngineError> {
    let agent = Agent::robot("rover.urdf")
        .name("rover")
        .drive(Drive::Auto)
        .coherence(Coherence::Off);
    let mut spec = Scene::builder().agent(agent).spec();
    spec.tick_ns = 10_000_000;
    let mut engine = CoherenceEngine::builder().spec(spec)?;
    engine.set_seed(world as u64);
    Ok(engine)
}

/// Drives a curve of its own for one step.
fn step(world: usize, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
    let curve = Twist2 {
        linear_m_s: 0.5,
        angular_rad_s: (world % 5) as f64 * 0.1,
    };
    let driven = engine.command("rover", curve);
    debug_assert!(driven.is_ok(), "{driven:?}");
    for _ in 0..TICKS {
        engine.step()?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>());
    let mut number = |or| numbers.next().unwrap_or(Ok(or));
    let (worlds, steps) = (number(64)?, number(50)?);
    let mut hashes = Vec::new();
    for threads in [1, 2] {
        let batch = BatchSimulation::start(worlds, threads, rover)?;
        let begun = Instant::now();
        for _ in 0..steps {
            batch.each(step)?;
        }
        let rate = (worlds * steps) as f64 / begun.elapsed().as_secs_f64();
        println!("{worlds} worlds, {threads} threads: {rate:.0} environment steps a second");
        hashes.push(batch.each(|_, engine| Ok(engine.summary().state_hash))?);
    }
    let mut alone = rover(worlds - 1)?;
    alone.start()?;
    for _ in 0..steps {
        step(worlds - 1, &mut alone)?;
    }
    let last = alone.summary().state_hash;
    let same = hashes.iter().all(|all| all.last() == Some(&last));
    println!("the last world has the bits that it has alone: {same}");
    Ok(())
}
