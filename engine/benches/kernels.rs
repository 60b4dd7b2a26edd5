//! Ten thousand kernels, each of eight channels, with the engine's whole tick around them, against real time.
//!
//! Run it: `cargo bench -p becomingone --bench kernels`. Every agent has no body, hears eight rhythms (order) and foresees
//! the eight numbers of an instrument (surprise and blame); a kernel tick at each tick. What they say is written by a
//! system of this program's, as a driver would: its time is in the figures. The same tick with agents that have no
//! kernel is measured in turns, for what a tick costs besides.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark prints, times, and may stop at the first surprise"
)]

use becomingone::CoherenceEngine;
use becomingone::components::coherence::Coherence;
use becomingone::components::scene::{CoherenceSpec, LoadedScene};
use becomingone::components::seed::{Rng, RunSeed};
use becomingone::components::sensor::{Reading, Values};
use becomingone::components::time::SimTime;
use becomingone::prelude::*;
use becomingone::scene::load;
use becomingone::systems::hash::StateHash;
use std::time::Instant;

const AGENTS: usize = 10_000;
/// Ticks until every self-model is trained.
const WARM_UP: u64 = 210;
/// Ticks of a round.
const ROUND: u64 = 50;
const ROUNDS: usize = 9;

/// The instruments: each number a share of what it was, and noise.
#[derive(Component)]
struct Source {
    rng: Rng,
    now: [f64; 8],
}

struct Instruments;

impl Plugin for Instruments {
    fn build(&self, app: &mut App) {
        app.add_systems(Tick, say.in_set(TickSystems::Ingest));
    }
}

fn say(time: Res<SimTime>, mut instruments: Query<(&mut Reading<Values>, &mut Source)>) {
    for (mut reading, mut source) in &mut instruments {
        let Source { rng, now } = &mut *source;
        for x in now.iter_mut() {
            *x = 0.9 * *x + rng.symmetric();
        }
        reading.write(time.now_ns, |value| {
            value.numbers.copy_from_slice(now);
            true
        });
    }
}

/// So many agents, that tick every so many ns.
fn engine(agents: usize, tick_ns: u64, kernels: bool, threads: usize) -> CoherenceEngine {
    let tones: String = (0..8)
        .map(|k| format!("(name: \"c{k}\", signal: Tone(frequency_hz: {k}.5)),"))
        .collect();
    let fields: String = (0..8)
        .map(|k| format!("(name: \"x{k}\", unit: \"V\"),"))
        .collect();
    let rate_hz = 1e9 / tick_ns as f64;
    let text = format!(
        "(version: 1, tick_ns: {tick_ns}, world: (ground: None), agents: [(name: \"a\",
          sensors: [(name: \"v\", kind: Values(fields: [{fields}]), rate_hz: {rate_hz:?}, source: Off)],
          coherence: Kernel(rate_hz: {rate_hz:?}, channels: [{tones}], witness: (warm_up_s: {:?})))])",
        200.0 / rate_hz
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bench.ron");
    std::fs::write(&path, text).unwrap();
    let mut loaded: LoadedScene = load(&path, None).unwrap();
    let one = loaded.scene.agents.remove(0);
    for k in 0..agents {
        let mut agent = one.clone();
        agent.name = format!("a{k:05}");
        if !kernels {
            agent.coherence = CoherenceSpec::Off;
        }
        loaded.scene.agents.push(agent);
    }
    loaded.models = vec![None; agents];
    loaded.drives = vec![None; agents];
    loaded.servos = vec![None; agents];
    loaded.vehicles = vec![None; agents];
    let mut engine = CoherenceEngine::from_loaded(loaded);
    engine.add_plugin(Instruments).set_threads(threads);
    engine.start().unwrap();
    let world = engine.world_mut();
    let mut sensors = world.query_filtered::<(Entity, &Name), With<Reading<Values>>>();
    let named: Vec<_> = sensors
        .iter(world)
        .map(|(entity, name)| (entity, Rng::for_name(RunSeed(1), name)))
        .collect();
    for (entity, rng) in named {
        let now = [0.0; 8];
        world.entity_mut(entity).insert(Source { rng, now });
    }
    for _ in 0..WARM_UP {
        engine.step().unwrap();
    }
    engine
}

fn median(mut xs: Vec<f64>) -> f64 {
    xs.sort_by(f64::total_cmp);
    xs[xs.len() / 2]
}

fn main() {
    if std::env::args().any(|a| a == "--systems") {
        let p = becomingone::systems::profile::Profiler::install().unwrap();
        let mut e = engine(AGENTS, 10_000_000, true, 1);
        let before = p.report();
        for _ in 0..100 {
            e.step().unwrap();
        }
        for s in p.report() {
            let b = before
                .iter()
                .find(|b| b.name == s.name)
                .map_or(std::time::Duration::ZERO, |b| b.total);
            let us = (s.total - b).as_secs_f64() * 1e6 / 100.0 / AGENTS as f64;
            if us > 0.005 {
                println!("{:.3} us/agent {}", us, s.name);
            }
        }
        return;
    }
    println!(
        "agents x N = 8 | tick ms | tick without kernels | 2 threads | of real time, 1 and 2 threads | same state"
    );
    for rate_hz in [100.0, 1000.0] {
        let tick_ns = (1e9 / rate_hz) as u64;
        let mut engines = [
            engine(AGENTS, tick_ns, true, 1),
            engine(AGENTS, tick_ns, true, 2),
            engine(AGENTS, tick_ns, false, 1),
        ];
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (engine, times) in engines.iter_mut().zip(&mut times) {
                let start = Instant::now();
                for _ in 0..ROUND {
                    engine.step().unwrap();
                }
                times.push(start.elapsed().as_secs_f64() / ROUND as f64);
            }
        }
        let [one, two, none] = times.map(median);
        let world = engines[0].world_mut();
        let mut said = world.query::<&Coherence>();
        let (judged, alarmed) = said.iter(world).fold((0, 0), |(judged, alarmed), c| {
            (
                judged + usize::from(c.surprise.is_some()),
                alarmed + usize::from(c.dissipated == Some(true)),
            )
        });
        assert_eq!(judged, AGENTS, "every agent has a verdict");
        let [first, second] = [0, 1].map(|k| *engines[k].world().resource::<StateHash>());
        println!(
            "{AGENTS} at {rate_hz} Hz | {:.2} | {:.2} | {:.2} | {:.2} {:.2} | {} ({alarmed} in alarm)",
            one * 1e3,
            none * 1e3,
            two * 1e3,
            one * rate_hz,
            two * rate_hz,
            first == second,
        );
    }
}
