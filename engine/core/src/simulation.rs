//! Engines on threads of their own: one, or many worlds on all processors.

use crate::engine::{CoherenceEngine, EngineError};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Error of an engine on a thread of its own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The engine could not be made or started.
    #[error("{}{cause}", .world.map_or_else(String::new, |world| format!("world {world}: ")))]
    Engine {
        /// Index of its world in a batch.
        world: Option<usize>,
        /// The error.
        cause: EngineError,
    },
    /// The system refuses the thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    /// Work on the engine panicked, and ended its thread. The text of the panic is on stderr.
    #[error("the thread of the engine has ended by a panic: its text is on standard error")]
    Ended,
}

/// A world of a share of a thread: its index, and its engine.
pub struct BatchWorld {
    /// Index in the batch.
    pub index: usize,
    /// Its engine.
    pub engine: CoherenceEngine,
}

/// How often a channel is looked at before its thread sleeps, some 35 µs in all: a program that steps tick by tick comes
/// back within it. To wake a thread takes longer than a tick.
const LOOKS: u32 = 2000;

/// Looks for a message without sleeping.
fn soon<T>(channel: &Receiver<T>) -> Option<T> {
    (0..LOOKS).find_map(|_| {
        std::hint::spin_loop();
        channel.try_recv().ok()
    })
}

/// Work on the worlds of a thread.
type Work = Box<dyn FnOnce(&mut [BatchWorld]) + Send>;

/// What a thread does from its first world to its last, and a sender that it drops afterwards.
type Life = (Box<dyn FnOnce() + Send>, Sender<()>);

/// Most threads that wait without worlds; further ones end.
const MOST_IDLE: usize = 64;

/// Threads without worlds, which wait for the next ones: a thread that ends leaves some 8 kB of its physics pool behind,
/// which lives as long as the program. None in a forked process, which has no threads of its parent.
fn idle() -> Option<MutexGuard<'static, Vec<Sender<Life>>>> {
    static OWNER: OnceLock<u32> = OnceLock::new();
    static IDLE: Mutex<Vec<Sender<Life>>> = Mutex::new(Vec::new());
    let process = std::process::id();
    let is_owner = *OWNER.get_or_init(|| process) == process;
    is_owner.then(|| IDLE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Lets a thread that waits live this life, or a new one.
fn live(mut life: Life) -> Result<(), SimulationError> {
    loop {
        let waiting = idle().and_then(|mut idle| idle.pop());
        let Some(thread) = waiting else { break };
        match thread.send(life) {
            Ok(()) => return Ok(()),
            Err(SendError(unsent)) => life = unsent,
        }
    }
    let (lives, next) = channel();
    let run = move || {
        let mut life = Some(life);
        while let Some((work, ended)) = life.take().or_else(|| next.recv().ok()) {
            // After a panic, nothing is known of what the thread itself holds.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                return;
            }
            match idle() {
                Some(mut idle) if idle.len() < MOST_IDLE => idle.push(lives.clone()),
                _ => return,
            }
            // A caller that waits for this finds the thread among those that wait.
            drop(ended);
        }
    };
    let thread = std::thread::Builder::new().name("becomingone".to_owned());
    let started = thread.spawn(run);
    started.map(drop).map_err(SimulationError::Thread)
}

/// A thread with its worlds. They are made, stepped and dropped on it.
struct Worker {
    /// `None` while it is dropped.
    work: Option<Sender<Work>>,
    /// Disconnected once the worlds are dropped; a lock, as a receiver alone is of one thread.
    ended: Mutex<Receiver<()>>,
}

impl Worker {
    fn start(
        make: impl FnOnce() -> Result<Vec<BatchWorld>, SimulationError> + Send + 'static,
    ) -> Result<(Self, Pending<Result<(), SimulationError>>), SimulationError> {
        let (work, jobs) = channel::<Work>();
        let (made, pending) = channel();
        let run = move || {
            let mut worlds = match make() {
                Ok(worlds) => worlds,
                Err(error) => {
                    // Nobody waits any more: there is nobody to tell.
                    drop(made.send(Err(error)));
                    return;
                }
            };
            drop(made.send(Ok(())));
            drop(made);
            while let Some(job) = soon(&jobs).or_else(|| jobs.recv().ok()) {
                // A panic has left its worlds between two states.
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(&mut worlds))) {
                    drop(worlds);
                    resume_unwind(panic);
                }
            }
        };
        let (end, ended) = channel();
        live((Box::new(run), end))?;
        let worker = Self {
            work: Some(work),
            ended: Mutex::new(ended),
        };
        Ok((worker, Pending(pending)))
    }

    fn begin<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut [BatchWorld]) -> R + Send + 'static,
    ) -> Pending<R> {
        let (done, pending) = channel();
        if let Some(jobs) = &self.work {
            // A thread that has ended drops `done`: its receiver is an error.
            drop(jobs.send(Box::new(move |worlds| drop(done.send(work(worlds))))));
        }
        Pending(pending)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.work = None;
        let ended = self.ended.get_mut();
        // Nothing is sent: it is an error once the thread is done.
        let _ = ended.unwrap_or_else(PoisonError::into_inner).recv();
    }
}

/// Result of work that was begun.
///
/// ```
/// use becomingone::{CoherenceEngine, Simulation};
/// use std::time::Duration;
///
/// let simulation = Simulation::start(|| CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron"))?;
/// let pending = simulation.begin(|engine| engine.step().map(|()| engine.time().tick));
/// let ticked = loop {
///     if let Some(ticked) = pending.wait(Duration::from_millis(50))? {
///         break ticked; // meanwhile, this thread looks at something else
///     }
/// };
/// assert_eq!(ticked?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pending<R>(Receiver<R>);

impl<R> Pending<R> {
    /// Waits for at most this long; `None`: it is not done.
    ///
    /// # Errors
    ///
    /// [`SimulationError::Ended`] if the work has panicked, or its result was taken.
    pub fn wait(&self, at_most: Duration) -> Result<Option<R>, SimulationError> {
        if let Some(done) = soon(&self.0) {
            return Ok(Some(done));
        }
        match self.0.recv_timeout(at_most) {
            Ok(done) => Ok(Some(done)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(SimulationError::Ended),
        }
    }

    /// Waits until it is done.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn done(self) -> Result<R, SimulationError> {
        let done = soon(&self.0).map_or_else(|| self.0.recv(), Ok);
        done.map_err(|_| SimulationError::Ended)
    }
}

/// An engine on a thread of its own: any thread may hold it.
///
/// ```
/// use becomingone::{CoherenceEngine, Simulation};
///
/// let simulation = Simulation::start(|| CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron"))?;
/// let here = std::thread::spawn(move || {
///     simulation.with(|engine| {
///         for _ in 0..10 {
///             engine.step()?;
///         }
///         Ok::<_, becomingone::EngineError>(engine.summary().ticks)
///     })
/// });
/// assert_eq!(here.join().expect("no panic")??, 10);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Simulation(Worker);

impl Simulation {
    /// Makes and [starts](CoherenceEngine::start) the engine on a new thread.
    ///
    /// # Errors
    ///
    /// Those of `make` and of the start; [`SimulationError::Thread`].
    pub fn start(
        make: impl FnOnce() -> Result<CoherenceEngine, EngineError> + Send + 'static,
    ) -> Result<Self, SimulationError> {
        let started = move || {
            let engine = make().and_then(|mut engine| engine.start().map(|()| engine));
            let fail = |cause| SimulationError::Engine { world: None, cause };
            let engine = engine.map_err(fail)?;
            Ok(vec![BatchWorld { index: 0, engine }])
        };
        let (worker, made) = Worker::start(started)?;
        made.done()??;
        Ok(Self(worker))
    }

    /// Begins work on the engine, after all that was begun before.
    pub fn begin<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut CoherenceEngine) -> R + Send + 'static,
    ) -> Pending<R> {
        self.0.begin(|worlds| work(&mut worlds[0].engine))
    }

    /// Works on the engine, and waits for the result.
    ///
    /// # Errors
    ///
    /// [`SimulationError::Ended`] if this work, or earlier one, has panicked.
    pub fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut CoherenceEngine) -> R + Send + 'static,
    ) -> Result<R, SimulationError> {
        self.begin(work).done()
    }
}

/// Many worlds on all processors: each thread makes, steps and drops its share of the engines.
///
/// ```
/// use becomingone::{BatchSimulation, CoherenceEngine};
///
/// let batch = BatchSimulation::start(8, 2, |world| {
///     let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
///     engine.set_seed(world as u64);
///     Ok(engine)
/// })?;
/// let hashes = batch.each(|_, engine| {
///     engine.step()?;
///     Ok(engine.summary().state_hash)
/// })?;
/// // Each has the bits that it has alone.
/// let mut alone = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
/// alone.set_seed(5).step()?;
/// assert_eq!(hashes[5], alone.summary().state_hash);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BatchSimulation {
    workers: Vec<Worker>,
    worlds: usize,
}

impl BatchSimulation {
    /// Makes and [starts](CoherenceEngine::start) the engines of `worlds` worlds on this many threads. Neighbours are
    /// on the same thread.
    ///
    /// # Errors
    ///
    /// Those of `make` and of the start, with the first world that has one; [`SimulationError::Thread`].
    pub fn start(
        worlds: usize,
        threads: usize,
        make: impl Fn(usize) -> Result<CoherenceEngine, EngineError> + Send + Sync + 'static,
    ) -> Result<Self, SimulationError> {
        let make = Arc::new(make);
        let threads = threads.clamp(1, worlds.max(1));
        let started = (0..threads).map(|thread| {
            let (from, to) = (worlds * thread / threads, worlds * (thread + 1) / threads);
            let make = make.clone();
            Worker::start(move || {
                let started = |index| {
                    let engine = make(index).and_then(|mut engine| engine.start().map(|()| engine));
                    engine
                        .map(|engine| BatchWorld { index, engine })
                        .map_err(|cause| SimulationError::Engine {
                            world: Some(index),
                            cause,
                        })
                };
                (from..to).map(started).collect()
            })
        });
        let started: Vec<_> = started.collect::<Result<_, _>>()?;
        let workers = started.into_iter().map(|(worker, made)| {
            made.done()??;
            Ok(worker)
        });
        Ok(Self {
            workers: workers.collect::<Result<_, SimulationError>>()?,
            worlds,
        })
    }

    /// How many worlds.
    pub fn len(&self) -> usize {
        self.worlds
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.worlds == 0
    }

    /// Threads that share the worlds.
    pub fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Begins work on each thread's worlds: one result a thread, in the order of the worlds.
    pub fn begin<R: Send + 'static>(
        &self,
        work: impl Fn(&mut [BatchWorld]) -> R + Send + Sync + 'static,
    ) -> Vec<Pending<R>> {
        let work = Arc::new(work);
        let begin = |worker: &Worker| {
            let work = work.clone();
            worker.begin(move |worlds| work(worlds))
        };
        self.workers.iter().map(begin).collect()
    }

    /// Works on each world, and waits for the results, in the order of the worlds.
    ///
    /// # Errors
    ///
    /// The error of the first world that has one; [`SimulationError::Ended`] if work has panicked.
    pub fn each<R: Send + 'static>(
        &self,
        work: impl Fn(usize, &mut CoherenceEngine) -> Result<R, EngineError> + Send + Sync + 'static,
    ) -> Result<Vec<R>, SimulationError> {
        let begun = self.begin(move |worlds| {
            let each = worlds.iter_mut().map(|world| {
                work(world.index, &mut world.engine).map_err(|cause| SimulationError::Engine {
                    world: Some(world.index),
                    cause,
                })
            });
            each.collect::<Vec<_>>()
        });
        let mut all = Vec::with_capacity(self.worlds);
        for pending in begun {
            all.extend(pending.done()?);
        }
        all.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm() -> Result<CoherenceEngine, EngineError> {
        CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")
    }

    #[test]
    fn a_panic_ends_its_engine_and_no_other() {
        let simulation = Simulation::start(arm).unwrap();
        let panicked = simulation.with(|_| panic!("a panic of this test"));
        assert!(matches!(panicked, Err::<(), _>(SimulationError::Ended)));
        assert!(matches!(
            simulation.with(|engine| engine.time().tick),
            Err(SimulationError::Ended)
        ));
    }

    #[test]
    fn engines_one_after_the_other_are_on_one_thread_unless_it_panicked() {
        let thread = |panics: bool| {
            let simulation = Simulation::start(arm).unwrap();
            let on = simulation.with(|_| std::thread::current().id()).unwrap();
            if panics {
                let panicked = simulation.with(|_| panic!("a panic of this test"));
                assert!(matches!(panicked, Err::<(), _>(SimulationError::Ended)));
            }
            on
        };
        // Other tests take threads at the same time.
        let all: std::collections::HashSet<_> = (0..200).map(|_| thread(false)).collect();
        assert!(all.len() < 50, "{} threads", all.len());
        let panicked = thread(true);
        assert!((0..20).all(|_| thread(false) != panicked));
    }

    #[test]
    fn an_error_names_its_world() {
        let failed = BatchSimulation::start(5, 2, |world| match world {
            3 => CoherenceEngine::from_scene("missing.ron"),
            _ => arm(),
        });
        let text = failed.err().unwrap().to_string();
        assert!(text.starts_with("world 3: "), "{text}");
    }

    #[test]
    fn more_threads_than_worlds_and_no_worlds() {
        let one = BatchSimulation::start(1, 8, |_| arm()).unwrap();
        assert_eq!((one.len(), one.threads()), (1, 1));
        let none = BatchSimulation::start(0, 8, |_| arm()).unwrap();
        assert!(none.is_empty());
        let indices = none.each(|world, _| Ok(world)).unwrap();
        assert!(indices.is_empty());
    }
}
