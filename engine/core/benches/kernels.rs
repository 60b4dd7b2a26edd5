//! Many kernels of eight channels each, with whole engine ticks, compared with real time.
//!
//! Run it: `cargo bench -p becomingone --bench kernels`. Every agent is a kernel without a body: eight tones (order),
//! and a self-model of the eight numbers of an instrument (surprise and isolation); each tick is a kernel tick. A
//! system of this program writes the readings of the instruments, as a driver would, on the run's threads: its time is
//! included. One thread, two threads, and agents without kernels are measured in turns.
//!
//! A few agents fit in the cache, ten thousand do not: the difference in time per agent is memory access.
//!
//! With `-- --systems`: time of each system in a tick of ten thousand agents.

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
use becomingone::components::sensor::{Reading, ValueRow};
use becomingone::components::time::SimTime;
use becomingone::prelude::*;
use becomingone::scene::load;
use becomingone::systems::hash::StateHash;
use becomingone::systems::profile::Profiler;
use becomingone::systems::threads::Workers;
use std::time::{Duration, Instant};

/// Numbers of agents: some that fit in the cache, and many.
const FEW: usize = 64;
const MANY: usize = 10_000;
/// Length of a tick; any other one causes the same work.
const TICK_NS: u64 = 10_000_000;
/// Kernel ticks of warm-up.
const LEARNED: u64 = 200;
/// Agents times ticks of a round.
const ROUND: usize = 500_000;
const ROUNDS: usize = 9;

/// The instruments: each number is a share of its previous value, and noise.
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

fn say(
    time: Res<SimTime>,
    workers: Res<Workers>,
    mut instruments: Query<(&mut Reading<ValueRow>, &mut Source)>,
) {
    workers.each(instruments.iter_mut(), |(mut reading, mut source)| {
        let Source { rng, now } = &mut *source;
        for x in now.iter_mut() {
            *x = 0.9 * *x + rng.symmetric();
        }
        reading.write(time.now_ns, |value| {
            value.numbers.copy_from_slice(now);
            true
        });
    });
}

/// Engine with this number of agents; with kernels, their self-models are trained.
fn engine(agents: usize, kernels: bool, threads: usize) -> CoherenceEngine {
    let tones: String = (0..8)
        .map(|k| format!("(name: \"c{k}\", signal: Tone(frequency_hz: {k}.5)),"))
        .collect();
    let fields: String = (0..8)
        .map(|k| format!("(name: \"x{k}\", unit: \"V\"),"))
        .collect();
    let rate_hz = 1e9 / TICK_NS as f64;
    let text = format!(
        "(version: 1, tick_ns: {TICK_NS}, world: (ground: None), agents: [(name: \"a\",
          sensors: [(name: \"v\", kind: Values(fields: [{fields}]), rate_hz: {rate_hz:?}, source: Off)],
          coherence: Kernel(rate_hz: {rate_hz:?}, channels: [{tones}], witness: (warm_up_s: {:?})))])",
        LEARNED as f64 / rate_hz
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
    loaded.agents = vec![Default::default(); agents];
    let mut engine = CoherenceEngine::from_loaded(loaded);
    engine.add_plugin(Instruments).set_threads(threads);
    engine.start().unwrap();
    let world = engine.world_mut();
    let mut sensors = world.query_filtered::<(Entity, &Name), With<Reading<ValueRow>>>();
    let named: Vec<_> = sensors
        .iter(world)
        .map(|(entity, name)| (entity, Rng::for_name(RunSeed(1), name)))
        .collect();
    for (entity, rng) in named {
        let now = [0.0; 8];
        world.entity_mut(entity).insert(Source { rng, now });
    }
    for _ in 0..LEARNED + 10 {
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
        return systems();
    }
    println!(
        "agents x N = 8 | µs an agent | on 2 threads | without kernels | tick ms on 2 threads | of real time at 100 Hz, 1 kHz | same state"
    );
    for agents in [FEW, MANY] {
        let mut engines = [
            engine(agents, true, 1),
            engine(agents, true, 2),
            engine(agents, false, 1),
        ];
        let ticks = ROUND / agents;
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..ROUNDS {
            for (engine, times) in engines.iter_mut().zip(&mut times) {
                let start = Instant::now();
                for _ in 0..ticks {
                    engine.step().unwrap();
                }
                times.push(start.elapsed().as_secs_f64() / ticks as f64);
            }
        }
        let [one, two, none] = times.map(median);
        let world = engines[0].world_mut();
        let mut kernels = world.query::<&Coherence>();
        let judged = kernels.iter(world).filter(|c| c.surprise.is_some()).count();
        assert_eq!(judged, agents, "every agent has a verdict");
        let [first, second] = [0, 1].map(|k| *engines[k].world().resource::<StateHash>());
        let each = |tick_s: f64| tick_s * 1e6 / agents as f64;
        println!(
            "{agents} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2}, {:.1} | {}",
            each(one),
            each(two),
            each(none),
            two * 1e3,
            two * 100.0,
            two * 1000.0,
            first == second,
        );
    }
}

/// Time of each system in a tick, from a thousandth of a µs per agent on.
fn systems() {
    let profiler = Profiler::install().unwrap();
    let mut engine = engine(
        MANY,
        true,
        std::env::var("T").map_or(1, |t| t.parse().unwrap()),
    );
    let before = profiler.report();
    let ticks = ROUND / MANY;
    for _ in 0..ticks {
        engine.step().unwrap();
    }
    println!("µs an agent | system");
    for system in profiler.report() {
        let totals = before.iter().find(|b| b.name == system.name);
        let total = system.total - totals.map_or(Duration::ZERO, |b| b.total);
        let us = total.as_secs_f64() * 1e6 / (ticks * MANY) as f64;
        if us > 1e-3 {
            println!("{us:.3} | {}", system.name);
        }
    }
}
