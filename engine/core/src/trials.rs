//! Many runs of one scene, on all processors: what its witnesses say tick by tick, healthy or with a fault.

use crate::CoherenceEngine;
use crate::engine::{EngineError, seconds};
use becomingone_components::coherence::{Coherence, KernelTick};
use becomingone_components::fault::FaultSpec;
use becomingone_components::localisation::{FaultIsolation, SENSED_MOTION};
use becomingone_components::scene::{Agent, LoadedScene};
use becomingone_components::witness::{Detection, Witness};
use becomingone_systems::index::EntityIndex;
use bevy_ecs::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Trials that may be stopped from any thread, and how many of them were finished. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<(AtomicBool, AtomicUsize)>);

impl CancelToken {
    /// Lets no run begin any more, and ends those that go on before their next tick.
    pub fn stop(&self) {
        self.0.0.store(true, Ordering::Release);
    }

    /// Whether they are to stop.
    pub fn is_stopped(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    /// Runs that went to their end.
    pub fn finished(&self) -> usize {
        self.0.1.load(Ordering::Acquire)
    }
}

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
pub struct WitnessSample {
    /// When (ns).
    pub now_ns: u64,
    /// K1, K2 and K3 of the self-model of readings.
    pub readings: [f64; 3],
    /// The same of what lidars see, at a tick where a scan came.
    pub surroundings: Option<[f64; 3]>,
    /// The same of the filter's innovations of wheels and IMU; none without a filter.
    pub innovations: Option<[f64; 3]>,
    /// The same of those of GNSS, at a tick where one came.
    pub places: Option<[f64; 3]>,
    /// Energy of the innovations over its law's limit.
    pub nis: Option<f64>,
    /// What was found: by readings, by surroundings, by innovations of motion, of places, by energy, and by all together.
    pub detections: [Option<Detection>; 6],
}

/// Runs one trial and shows every kernel tick of these agents' trained witnesses, each with the agent's place in the
/// list. Gives the time that each was looked at (s); none where the run was stopped.
///
/// # Errors
///
/// As [`CoherenceEngine::run`].
pub fn run(
    loaded: &LoadedScene,
    agents: &[&str],
    trial: &Trial,
    cancel: &CancelToken,
    mut look: impl FnMut(usize, &Witness, WitnessSample),
) -> Result<Option<Vec<f64>>, EngineError> {
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
    let roster = engine.world().resource::<EntityIndex>();
    let entity = |name: &&str| {
        let found = roster.entity(name);
        found.filter(|&e| engine.world().get::<Agent>(e).is_some())
    };
    let entities: Vec<Option<Entity>> = agents.iter().map(entity).collect();
    let mut last_ns = vec![None; agents.len()];
    let mut seen_ns: Vec<Option<(u64, u64)>> = vec![None; agents.len()];
    let handle = engine.stop_handle();
    engine.run_watched(|engine| {
        if cancel.is_stopped() {
            handle.stop();
        }
        for (k, &entity) in entities.iter().enumerate() {
            let said = entity.and_then(|e| say(engine.world(), e, &mut last_ns[k]));
            if let Some((witness, said)) = said {
                seen_ns[k].get_or_insert((said.now_ns, said.now_ns)).1 = said.now_ns;
                look(k, witness, said);
            }
        }
    })?;
    let looked_s = |seen: Option<(u64, u64)>| seen.map_or(0.0, |(from, to)| seconds(to - from));
    if cancel.is_stopped() {
        return Ok(None);
    }
    cancel.0.1.fetch_add(1, Ordering::AcqRel);
    Ok(Some(seen_ns.into_iter().map(looked_s).collect()))
}

/// What an agent's witness said, if this was a kernel tick.
fn say<'w>(
    world: &'w World,
    agent: Entity,
    last_ns: &mut Option<u64>,
) -> Option<(&'w Witness, WitnessSample)> {
    let tick = world.get::<KernelTick>(agent)?;
    if tick.last_ns == *last_ns {
        return None;
    }
    *last_ns = tick.last_ns;
    let witness = world.get::<Witness>(agent)?;
    let verdict = witness.verdict.as_ref()?;
    let k = |k1: Option<f64>, k2, k3| [k1.unwrap_or(0.0), k2, k3];
    let insight = witness.insight.as_ref();
    let [readings, surroundings, motion, places, nis] = witness.detections;
    let all = world.get::<Coherence>(agent)?;
    // The self-model of places ticks when one comes; its dwell counts these.
    let innovated = world.get::<FaultIsolation>(agent);
    let fixed = innovated.is_some_and(|i| i.white[SENSED_MOTION..].iter().any(Option::is_some));
    Some((
        witness,
        WitnessSample {
            now_ns: tick.last_ns?,
            readings: k(verdict.k1, verdict.k2, verdict.k3),
            surroundings: witness
                .surroundings
                .as_ref()
                .filter(|s| s.has_sample(&witness.samples))
                .and_then(|s| s.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            innovations: insight
                .and_then(|i| i.motion.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            places: insight
                .filter(|_| fixed)
                .and_then(|i| i.places.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            nis: insight.map(|i| i.nis.ratio),
            detections: [
                readings,
                surroundings,
                motion,
                places,
                nis,
                Some(Detection {
                    surprise: all.surprise?,
                    dissipated: all.dissipated?,
                    cause: all.cause,
                }),
            ],
        },
    ))
}

/// Does all pieces of work on all processors, in any order; gives what came of them in their own order. Where one of
/// them gave none, as it was stopped, the next ones are not begun, and none is what comes of all.
///
/// # Errors
///
/// The first that failed.
pub fn on_all_processors<T: Sync, R: Send, E: Send>(
    work: &[T],
    each: impl Fn(&T) -> Result<Option<R>, E> + Sync,
) -> Result<Option<Vec<R>>, E> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            match work.get(k) {
                Some(piece) => done.push((k, each(piece))),
                None => return done,
            }
            if let Some((_, Ok(None))) = done.last() {
                next.store(work.len(), Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_back_in_its_order_and_errors_are_told() {
        let numbers: Vec<u32> = (0..50).collect();
        let squares = on_all_processors(&numbers, |n| Ok::<_, String>(Some(n * n)));
        assert_eq!(squares.unwrap().unwrap()[7], 49);
        let nine = |n: &u32| if *n == 9 { Err("nine") } else { Ok(Some(())) };
        assert_eq!(on_all_processors(&numbers, nine), Err("nine"));
    }

    #[test]
    fn what_is_stopped_gives_nothing_and_begins_no_more() {
        let begun = AtomicUsize::new(0);
        let numbers: Vec<u32> = (0..100_000).collect();
        let stopped = on_all_processors(&numbers, |n| {
            begun.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>((*n < 9).then_some(*n))
        });
        assert_eq!(stopped, Ok(None));
        // Whoever had begun meanwhile is done, too.
        assert!(begun.into_inner() < numbers.len());
    }
}
