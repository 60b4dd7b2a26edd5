//! Many runs of one scene, on all processors: what its witnesses say tick by tick, healthy or with a fault.

use crate::CoherenceEngine;
use crate::engine::EngineError;
use becomingone_components::coherence::{Coherence, KernelTick};
use becomingone_components::fault::FaultSpec;
use becomingone_components::scene::{Agent, LoadedScene};
use becomingone_components::witness::{Finding, Witness};
use becomingone_systems::hash::Roster;
use bevy_ecs::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One run.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Seed of every random number.
    pub seed: u64,
    /// Faults beside those of the scene.
    pub faults: Vec<FaultSpec>,
    /// Simulated time; none: to the scene's end.
    pub duration: Option<Duration>,
}

/// What a trained witness said at one kernel tick.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// When (ns).
    pub now_ns: u64,
    /// K1, K2 and K3 of the self-model of readings.
    pub readings: [f64; 3],
    /// The same of the filter's innovations of wheels and IMU; none without a filter.
    pub innovations: Option<[f64; 3]>,
    /// The same of those of GNSS, where one came.
    pub places: Option<[f64; 3]>,
    /// Energy of the innovations over its law's limit.
    pub nis: Option<f64>,
    /// What was found: by readings, by innovations of motion, of places, by energy, and by all together.
    pub findings: [Option<Finding>; 5],
}

/// Runs one trial and shows every kernel tick of an agent's trained witness. Gives the time that was looked at (s).
///
/// # Errors
///
/// As [`CoherenceEngine::run`].
pub fn run(
    loaded: &LoadedScene,
    agent: &str,
    trial: &Trial,
    mut look: impl FnMut(&Witness, Look),
) -> Result<f64, EngineError> {
    let mut loaded = loaded.clone();
    loaded.scene.seed = trial.seed;
    loaded.scene.faults.extend(trial.faults.iter().cloned());
    // What a witness says is to be known, and not what a governor would have made of it.
    for agent in &mut loaded.scene.agents {
        agent.governor = None;
    }
    let mut engine = CoherenceEngine::from_loaded(loaded);
    if let Some(duration) = trial.duration {
        engine.set_duration(duration);
    }
    engine.start()?;
    let roster = &engine.world().resource::<Roster>().0;
    let found = roster.iter().find(|(name, _)| name == agent).map(|r| r.1);
    let Some(entity) = found.filter(|&e| engine.world().get::<Agent>(e).is_some()) else {
        return Ok(0.0);
    };
    let (mut from_ns, mut last_ns, mut until_ns) = (None, None, 0);
    engine.run_watched(|engine| {
        let world = engine.world();
        let Some(said) = say(world, entity, &mut last_ns) else {
            return;
        };
        from_ns.get_or_insert(said.1.now_ns);
        until_ns = said.1.now_ns;
        look(said.0, said.1);
    })?;
    Ok(crate::engine::seconds(
        until_ns - from_ns.unwrap_or(until_ns),
    ))
}

/// What an agent's witness said, if this was a kernel tick.
fn say<'w>(
    world: &'w World,
    agent: Entity,
    last_ns: &mut Option<u64>,
) -> Option<(&'w Witness, Look)> {
    let tick = world.get::<KernelTick>(agent)?;
    if tick.last_ns == *last_ns {
        return None;
    }
    *last_ns = tick.last_ns;
    let witness = world.get::<Witness>(agent)?;
    let verdict = witness.verdict.as_ref()?;
    let k = |k1: Option<f64>, k2, k3| [k1.unwrap_or(0.0), k2, k3];
    let insight = witness.insight.as_ref();
    let [readings, motion, places, nis] = witness.findings;
    let all = world.get::<Coherence>(agent)?;
    Some((
        witness,
        Look {
            now_ns: tick.last_ns?,
            readings: k(verdict.k1, verdict.k2, verdict.k3),
            innovations: insight
                .and_then(|i| i.motion.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            places: insight
                .and_then(|i| i.places.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            nis: insight.map(|i| i.nis.ratio),
            findings: [
                readings,
                motion,
                places,
                nis,
                Some(Finding {
                    surprise: all.surprise?,
                    dissipated: all.dissipated?,
                    cause: all.cause,
                }),
            ],
        },
    ))
}

/// Does all pieces of work on all processors, in any order; gives what came of them in their own order.
///
/// # Errors
///
/// The first that failed.
pub fn on_all_processors<T: Sync, R: Send, E: Send>(
    work: &[T],
    each: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            match work.get(k) {
                Some(piece) => done.push((k, each(piece))),
                None => return done,
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        let mut all = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_by_key(|(k, _)| *k);
    all.into_iter().map(|(_, done)| done).collect()
}

/// The upper 95 % bound of the mean of a Poisson count: `chi²(0.95; 2n + 2)/2`, within 1 %, by Wilson and Hilferty, 1931.
pub fn most_expected(count: usize) -> f64 {
    let nu = 2.0 * count as f64 + 2.0;
    let s = 2.0 / (9.0 * nu);
    let root = 1.0 - s + 1.644_853_626_951_472_2 * s.sqrt();
    nu * (root * root * root) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_a_count_is_that_of_tables() {
        // Garwood, Fiducial Limits for the Poisson Distribution, Biometrika 28, 1936: 95 %, one side.
        for (count, bound) in [(0, 2.996), (1, 4.744), (5, 10.513), (20, 29.062)] {
            let found = most_expected(count);
            assert!((found / bound - 1.0).abs() < 0.01, "{count}: {found}");
        }
    }

    #[test]
    fn work_comes_back_in_its_order_and_errors_are_told() {
        let numbers: Vec<u32> = (0..50).collect();
        let squares = on_all_processors(&numbers, |n| Ok::<_, String>(n * n));
        assert_eq!(squares.unwrap()[7], 49);
        let failed = on_all_processors(&numbers, |n| if *n == 9 { Err("nine") } else { Ok(()) });
        assert_eq!(failed, Err("nine"));
    }
}
