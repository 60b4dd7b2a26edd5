//! Many runs of one scene on all processors: detection statistics tick by tick, healthy or with faults.

use crate::engine::EngineError;
use crate::pace::seconds;
use crate::{EngineBuilder, Plugins};
use becomingone_components::coherence::{Coherence, KernelTick};
use becomingone_components::fault::FaultSpec;
use becomingone_components::localisation::SENSED_MOTION;
use becomingone_components::scene::{Agent, LoadedScene};
use becomingone_systems::diagnosis::isolation::FaultIsolation;
use becomingone_systems::diagnosis::statistics::Detection;
use becomingone_systems::diagnosis::witness::Witness;
use becomingone_systems::index::EntityIndex;
use bevy_ecs::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Cancels trials from any thread, and counts those that finished. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<(AtomicBool, AtomicUsize)>);

impl CancelToken {
    /// Starts no further run, and ends running ones before their next tick.
    pub fn stop(&self) {
        self.0.0.store(true, Ordering::Release);
    }

    /// Whether the trials are cancelled.
    pub fn is_stopped(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }

    /// Counts a run that was finished elsewhere.
    pub fn finish(&self) {
        self.0.1.fetch_add(1, Ordering::AcqRel);
    }

    /// Number of finished runs.
    pub fn finished(&self) -> usize {
        self.0.1.load(Ordering::Acquire)
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Seed of every random number.
    pub seed: u64,
    /// Faults in addition to those of the scene.
    pub faults: Vec<FaultSpec>,
    /// Simulated time; `None`: to the scene's end.
    pub duration: Option<Duration>,
}

/// Detection statistics of a trained self-model at one kernel tick.
#[derive(Clone, Copy, Debug)]
pub struct WitnessSample {
    /// Simulated time (ns).
    pub now_ns: u64,
    /// K1, K2 and K3 of the self-model of readings.
    pub readings: [f64; 3],
    /// Those of the lidars' self-model, at a tick with a scan.
    pub surroundings: Option<[f64; 3]>,
    /// Those of the filter's innovations of wheels and IMU; `None` without a filter.
    pub innovations: Option<[f64; 3]>,
    /// Those of its innovations of GNSS, at a tick with a fix.
    pub places: Option<[f64; 3]>,
    /// NIS of the innovations over its threshold.
    pub nis: Option<f64>,
    /// Level of stationary channels; `None` without such channels.
    pub level: Option<f64>,
    /// Detections: by readings, lidars, innovations of motion, innovations of GNSS, NIS, level, and all together.
    pub detections: [Option<Detection>; 7],
}

/// Runs one trial and passes every kernel tick of these agents' trained self-models to `observe`, with the agent's
/// index in the list. Engines are made with these plugins. Returns the observed time of each
/// agent (s); `None` where the trial was cancelled.
///
/// # Errors
///
/// As [`CoherenceEngine::run`](crate::CoherenceEngine::run).
pub fn run(
    loaded: &LoadedScene,
    plugins: &Plugins,
    agents: &[&str],
    trial: &Trial,
    cancel: &CancelToken,
    mut observe: impl FnMut(usize, &Witness, WitnessSample),
) -> Result<Option<Vec<f64>>, EngineError> {
    let mut loaded = loaded.clone();
    loaded.scene.seed = trial.seed;
    loaded.scene.faults.extend(trial.faults.iter().cloned());
    // The detectors are measured: a governor would react to them.
    for agent in &mut loaded.scene.agents {
        agent.governor = None;
    }
    let mut engine = EngineBuilder::with(plugins.clone()).loaded(loaded);
    if let Some(duration) = trial.duration {
        engine.set_duration(duration);
    }
    engine.start()?;
    let index = engine.world().resource::<EntityIndex>();
    let entity = |name: &&str| {
        let found = index.entity(name);
        found.filter(|&e| engine.world().get::<Agent>(e).is_some())
    };
    let entities: Vec<Option<Entity>> = agents.iter().map(entity).collect();
    let mut last_ns = vec![None; agents.len()];
    let mut observed_ns: Vec<Option<(u64, u64)>> = vec![None; agents.len()];
    let handle = engine.stop_handle();
    engine.run_watched(|engine| {
        if cancel.is_stopped() {
            handle.stop();
        }
        for (k, &entity) in entities.iter().enumerate() {
            let sampled = entity.and_then(|e| sample(engine.world(), e, &mut last_ns[k]));
            if let Some((witness, sample)) = sampled {
                observed_ns[k]
                    .get_or_insert((sample.now_ns, sample.now_ns))
                    .1 = sample.now_ns;
                observe(k, witness, sample);
            }
        }
    })?;
    let observed_s = |seen: Option<(u64, u64)>| seen.map_or(0.0, |(from, to)| seconds(to - from));
    if cancel.is_stopped() {
        return Ok(None);
    }
    cancel.finish();
    Ok(Some(observed_ns.into_iter().map(observed_s).collect()))
}

/// Statistics of an agent's self-model, if this was a kernel tick.
fn sample<'w>(
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
    let monitor = witness.innovations.as_ref();
    let [readings, surroundings, motion, places, nis, level] = witness.detections;
    let all = world.get::<Coherence>(agent)?;
    // The self-model of GNSS innovations ticks at fixes; its dwell counts these.
    let isolation = world.get::<FaultIsolation>(agent);
    let has_fix = isolation.is_some_and(|i| i.white[SENSED_MOTION..].iter().any(Option::is_some));
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
            innovations: monitor
                .and_then(|i| i.motion.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            places: monitor
                .filter(|_| has_fix)
                .and_then(|i| i.gnss.verdict.as_ref())
                .map(|v| k(v.k1, v.k2, v.k3)),
            nis: monitor.map(|i| i.nis.ratio),
            level: witness.level.as_ref().and_then(|l| l.level),
            detections: [
                readings,
                surroundings,
                motion,
                places,
                nis,
                level,
                Some(Detection {
                    surprise: all.surprise?,
                    dissipated: all.dissipated?,
                    cause: all.cause,
                }),
            ],
        },
    ))
}

/// Maps `each` over `work` on all processors, in any order; returns the results in the order of `work`. Where one
/// returns `None`, as it was cancelled, no further one is started, and the result is `None`.
///
/// # Errors
///
/// The first error in the order of `work`.
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
    fn results_keep_their_order_and_errors_are_returned() {
        let numbers: Vec<u32> = (0..50).collect();
        let squares = on_all_processors(&numbers, |n| Ok::<_, String>(Some(n * n)));
        assert_eq!(squares.unwrap().unwrap()[7], 49);
        let nine = |n: &u32| if *n == 9 { Err("nine") } else { Ok(Some(())) };
        assert_eq!(on_all_processors(&numbers, nine), Err("nine"));
    }

    #[test]
    fn a_cancelled_trial_returns_none_and_starts_no_more() {
        let begun = AtomicUsize::new(0);
        let numbers: Vec<u32> = (0..100_000).collect();
        let stopped = on_all_processors(&numbers, |n| {
            begun.fetch_add(1, Ordering::Relaxed);
            Ok::<_, String>((*n < 9).then_some(*n))
        });
        assert_eq!(stopped, Ok(None));
        // Those started meanwhile finish, too.
        assert!(begun.into_inner() < numbers.len());
    }
}
