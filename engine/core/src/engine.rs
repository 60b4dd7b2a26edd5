//! Facade of the engine: runs a scene, returns a summary.

#![expect(
    clippy::disallowed_methods,
    reason = "the summary says how long a run took"
)]

use crate::pace::{Pace, Pacer};
use crate::plugins::Plugins;
use crate::sources::{self, Plan};
use crate::summary::Summary;
use crate::timing::Timing;
use becomingone_components::body::TrueTwist;
use becomingone_components::control::Goals;
use becomingone_components::governor::Governor;
use becomingone_components::request::{GoToProgress, MoveProgress};
use becomingone_components::scene::{LoadedScene, SceneSpec};
use becomingone_components::seed::RunSeed;
use becomingone_components::time::{NS_PER_S, Paced, SimTime};
use becomingone_scene::{self as scene, SceneError};
use becomingone_systems::coherence::restore;
use becomingone_systems::coherence::stored_memory::StoredMemory;
use becomingone_systems::control::stop::StopQueue;
use becomingone_systems::kinds::Kinds;
use becomingone_systems::links::{ExternalInput, OpenLinks};
use becomingone_systems::spawn::{SpawnError, build_scene};
use becomingone_systems::threads::Threads;
use becomingone_systems::tick::{self, Paused, ScheduleError};
use bevy_app::{App, Plugin};
use bevy_ecs::error::{BevyError, ErrorContext, FallbackErrorHandler};
use bevy_ecs::prelude::*;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Speed below which a stopped agent is at rest (m/s).
const STANDSTILL_M_S: f32 = 0.05;

/// Error of starting or running a scene.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Invalid scene, or invalid file that it names.
    #[error(transparent)]
    Scene(#[from] SceneError),
    /// The order of the tick's systems is ambiguous.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The scene's entities cannot be created.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// A system returned an error or panicked.
    #[error("tick {tick}: {cause}")]
    System {
        /// Tick of the error.
        tick: u64,
        /// The system and its error; for a panic, whose text is on stderr, only that it occurred.
        cause: String,
    },
}

impl EngineError {
    /// Whether the error is one of the input, not of the run.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let missing = CoherenceEngine::from_scene("missing.ron").err();
    /// assert!(missing.is_some_and(|error| error.is_bad_input()));
    /// ```
    pub fn is_bad_input(&self) -> bool {
        matches!(self, Self::Scene(_))
    }
}

thread_local! {
    /// First error of a system; bevy passes errors to a plain function.
    static FAILED: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn keep_first_error(error: BevyError, context: ErrorContext) {
    FAILED.with_borrow_mut(|failed| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let name = context.name().to_string();
        // An error of the engine's own systems names its sensor or agent; one of a plugin's, the system.
        failed.get_or_insert_with(|| match name.starts_with("becomingone_systems::") {
            true if !first.is_empty() => first.to_owned(),
            _ => format!("{} `{name}`: {first}", context.kind()),
        });
    });
}

/// A running scene: the coherence kernel, and the world that the scene defines.
///
/// It belongs to the thread that makes and starts it, and is not [`Send`]: its physics is pinned to that thread, and
/// would cost several times as much from another one. [`Simulation`](crate::Simulation) is an engine on a thread of its
/// own, for programs with several threads; [`BatchSimulation`](crate::BatchSimulation) is many on all processors.
///
/// ```compile_fail
/// fn is_send<T: Send>() {}
/// is_send::<becomingone::CoherenceEngine>();
/// ```
///
/// ```
/// use becomingone::CoherenceEngine;
/// use std::time::Duration;
///
/// let mut engine = CoherenceEngine::new();
/// engine.run_for(Duration::from_millis(500))?;
/// // The bare kernel locks to its own clock.
/// assert!(engine.summary().agents[0].kernel.order > 0.99);
/// # Ok::<(), becomingone::EngineError>(())
/// ```
pub struct CoherenceEngine {
    app: App,
    pacer: Pacer,
    duration: Option<Duration>,
    shared: Arc<Shared>,
    wall: Duration,
    goals: Option<
        QueryState<(
            &'static Goals,
            Option<&'static Governor>,
            &'static TrueTwist,
            Has<GoToProgress>,
            Has<MoveProgress>,
        )>,
    >,
    /// Running drivers; `None` before the start, and without external inputs.
    links: Option<OpenLinks>,
    armed: bool,
    ready: bool,
}

impl CoherenceEngine {
    /// Creates the engine of a loaded scene, with these plugins.
    pub(crate) fn with(plugins: &Plugins, loaded: LoadedScene) -> Self {
        let mut app = App::empty();
        app.add_plugins(becomingone_systems::EnginePlugin)
            .insert_resource(FallbackErrorHandler(keep_first_error))
            .insert_resource(Threads(1))
            .insert_resource(SimTime::new(loaded.scene.tick_ns))
            .insert_resource(RunSeed(loaded.scene.seed));
        plugins.build(&mut app);
        let duration = loaded.scene.duration_s.map(Duration::from_secs_f64);
        let pace = if sources::has_drivers(&loaded) {
            Pace::RealTime
        } else {
            Pace::Fast
        };
        // Agents can be stopped before the start.
        let names = loaded.scene.agents.iter().map(|agent| agent.name.clone());
        let stops = app.world().get_resource::<StopQueue>();
        stops.inspect(|stops| stops.set_agents(names));
        app.insert_resource(loaded)
            .insert_resource(Paced(pace != Pace::Fast));
        Self {
            app,
            pacer: Pacer::new(pace),
            duration,
            shared: Arc::new(Shared {
                pace: Mutex::new(pace),
                ..Shared::default()
            }),
            wall: Duration::ZERO,
            goals: None,
            links: None,
            armed: false,
            ready: false,
        }
    }

    /// Checks the sources of a scene: its drivers are registered and accept their configurations, and its recordings
    /// have the columns. No port is opened.
    ///
    /// ```
    /// use becomingone::prelude::*;
    /// use becomingone::components::link::{Config, Source};
    /// use becomingone::components::scene::SensorSpec;
    ///
    /// let source = Source::Driver("udq".to_owned(), Config("()".to_owned()));
    /// let imu = SensorSpec { source, ..SensorSpec::new("imu", Imu::default(), 100.0) };
    /// let scene = Scene::builder().agent(Agent::robot("rover.urdf").mounted(imu)).build()?;
    /// let kinds = Plugins::new().kinds();
    /// let checked = CoherenceEngine::check_sources(&kinds, &scene.into_loaded());
    /// assert!(checked.is_err_and(|error| error.to_string().contains("udq")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Scene`] names file, line and column.
    pub fn check_sources(kinds: &Kinds, loaded: &LoadedScene) -> Result<(), EngineError> {
        Plan::of(loaded, kinds)?;
        Ok(())
    }

    /// Adds a plugin with custom systems. Systems of the tick belong into a set of [`TickSystems`](tick::TickSystems).
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// #[derive(Resource, Default)]
    /// struct Ticks(u64);
    ///
    /// fn count(mut ticks: ResMut<Ticks>) {
    ///     ticks.0 += 1;
    /// }
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.add_plugin(|app: &mut App| {
    ///     app.init_resource::<Ticks>()
    ///         .add_systems(Tick, count.in_set(TickSystems::Publish));
    /// });
    /// engine.step()?;
    /// assert_eq!(engine.world().resource::<Ticks>().0, 1);
    /// # Ok::<(), EngineError>(())
    /// ```
    pub fn add_plugin(&mut self, plugin: impl Plugin) -> &mut Self {
        self.app.add_plugins(plugin);
        self
    }

    /// Overrides the scene's seed of all random numbers. Takes effect at the start or the next reset.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.set_seed(7).start()?;
    /// assert_eq!(engine.summary().seed, 7);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_seed(&mut self, seed: u64) -> &mut Self {
        self.scene_mut(|scene| scene.seed = seed)
    }

    /// Overrides the scene's duration: simulated time after which [`run`](Self::run) ends, at most 580 years, the range
    /// of 64 bits of nanoseconds.
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, Pace};
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.set_pace(Pace::Fast).set_duration(Duration::from_millis(20));
    /// assert_eq!(engine.run()?.sim_s, 0.02);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_duration(&mut self, duration: Duration) -> &mut Self {
        self.duration = Some(duration);
        self
    }

    /// Sets the threads for physics and for kernels of many agents; results do not depend on it. Takes effect at the
    /// start.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let hash = |threads| {
    ///     let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
    ///     engine.set_threads(threads).step()?;
    ///     Ok::<_, becomingone::EngineError>(engine.summary().state_hash)
    /// };
    /// assert_eq!(hash(1)?, hash(2)?);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_threads(&mut self, threads: usize) -> &mut Self {
        self.app.insert_resource(Threads(threads.max(1)));
        self
    }

    /// Arms hardware actuators: without this, commands are computed and not sent. Takes effect at the start.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.set_armed(true).start()?; // nothing to command here
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_armed(&mut self, armed: bool) -> &mut Self {
        self.armed = armed;
        self
    }

    /// Sets the pace of simulated time relative to wall time. Default: as fast as possible, or real time if the scene
    /// has drivers, which deliver their readings in real time.
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, Pace};
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// let summary = engine.set_pace(Pace::Rate(100.0)).run_for(Duration::from_secs(1))?;
    /// assert!(summary.wall_s > 0.009);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_pace(&mut self, pace: Pace) -> &mut Self {
        self.pacer = Pacer::new(pace);
        self.shared.keep(pace);
        self.app.insert_resource(Paced(pace != Pace::Fast));
        self
    }

    /// Restores memories of earlier runs, by the names of agents. Takes effect at the start or the next reset.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    /// use std::time::Duration;
    ///
    /// let scene = "built-in/scenes/bare_kernel.ron";
    /// let mut first = CoherenceEngine::from_scene(scene)?;
    /// first.run_for(Duration::from_secs(20))?;
    ///
    /// let mut second = CoherenceEngine::from_scene(scene)?;
    /// second.set_memory(first.memory());
    /// let summary = second.run_for(Duration::from_secs(20))?;
    /// let memory = summary.memory.unwrap_or_default();
    /// assert_eq!(memory.runs, 1);
    /// // The tone locked in both runs.
    /// assert!(memory.restored >= 1 && memory.kept > memory.restored);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_memory(&mut self, memory: StoredMemory) -> &mut Self {
        self.app.insert_resource(memory);
        self
    }

    /// Memories of all agents for [`set_memory`](Self::set_memory) of another run, including restored ones of agents
    /// that are not in this scene. They are merged by age, so that their number is bounded for any number of runs.
    pub fn memory(&self) -> StoredMemory {
        restore::memory(self.app.world()).memory
    }

    /// Whether it has started.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    fn scene_mut(&mut self, change: impl FnOnce(&mut SceneSpec)) -> &mut Self {
        change(&mut self.app.world_mut().resource_mut::<LoadedScene>().scene);
        self
    }

    /// The world: entities and resources. The scene's entities exist after [`start`](Self::start).
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.start()?;
    /// let named = engine.world().try_query::<&Name>();
    /// let mut named = named.expect("names exist once a scene is built");
    /// assert!(named.iter(engine.world()).any(|name| name.as_str() == "rover/imu"));
    /// # Ok::<(), EngineError>(())
    /// ```
    pub fn world(&self) -> &World {
        self.app.world()
    }

    /// The world, mutable.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// #[derive(Resource)]
    /// struct Operator(&'static str);
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.world_mut().insert_resource(Operator("Ada"));
    /// assert_eq!(engine.world().resource::<Operator>().0, "Ada");
    /// ```
    pub fn world_mut(&mut self) -> &mut World {
        self.app.world_mut()
    }

    /// The app, to add systems, resources and messages. Kinds that the scene names have to be registered earlier: see
    /// [`builder`](Self::builder).
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// fn watch(time: Res<SimTime>) -> Result {
    ///     (time.tick < 1000).then_some(()).ok_or("too long".into())
    /// }
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.app_mut().add_systems(Tick, watch.in_set(First(TickSystems::Begin)));
    /// engine.step()?;
    /// # Ok::<(), EngineError>(())
    /// ```
    pub fn app_mut(&mut self) -> &mut App {
        &mut self.app
    }

    /// Handle to stop, pause, step, pace and reset the run from another thread.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    /// use std::{thread, time::Duration};
    ///
    /// let mut engine = CoherenceEngine::new();
    /// let handle = engine.stop_handle();
    /// thread::spawn(move || {
    ///     thread::sleep(Duration::from_millis(20));
    ///     handle.stop();
    /// });
    /// engine.run()?; // in real time, until it is stopped
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.shared.clone())
    }

    /// Builds the schedule and the scene; [`run`](Self::run), [`run_for`](Self::run_for) and [`step`](Self::step) call
    /// it.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// assert!(engine.agent("rover").is_err());
    /// engine.start()?;
    /// assert!(engine.agent("rover").is_ok());
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Schedule`] if two systems access the same data without an order, [`EngineError::Spawn`] if the
    /// scene's entities cannot be created.
    pub fn start(&mut self) -> Result<(), EngineError> {
        if self.ready {
            return Ok(());
        }
        self.app.finish();
        self.app.cleanup();
        tick::build(self.app.world_mut())?;
        self.resolve();
        build_scene(self.app.world_mut())?;
        self.open_links()?;
        self.ready = true;
        Ok(())
    }

    /// Starts the drivers and recordings of the scene's sources; a run from a journal starts none.
    fn open_links(&mut self) -> Result<(), EngineError> {
        let world = self.app.world_mut();
        if matches!(world.resource::<ExternalInput>(), ExternalInput::Journal(_)) {
            return Ok(());
        }
        let loaded = world.resource::<LoadedScene>();
        let Plan { ports, recordings } = Plan::of(loaded, world.resource::<Kinds>())?;
        if ports.is_empty() && recordings.is_empty() {
            return Ok(());
        }
        let opened = OpenLinks::open(world, ports, recordings, self.armed);
        self.links = Some(opened.map_err(|error| {
            let written = &world.resource::<LoadedScene>().written;
            let diagnostic = sources::at_source(&error.name, written.get(&error.name), &error);
            SceneError::Diagnostics(vec![diagnostic])
        })?);
        Ok(())
    }

    /// Resets to the start of the scene: the run from here is bit-identical to a fresh run. Agents that are stopped stay
    /// so, by a stop in its first tick.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
    /// engine.step()?;
    /// let first = engine.summary().state_hash;
    /// engine.reset()?;
    /// engine.step()?;
    /// assert_eq!(engine.summary().state_hash, first);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn reset(&mut self) -> Result<(), EngineError> {
        if !self.ready {
            return self.start();
        }
        // The machine does not wait for the first command of the next run.
        becomingone_systems::links::rest(self.app.world_mut());
        self.resolve();
        build_scene(self.app.world_mut())?;
        self.pacer.reset();
        self.wall = Duration::ZERO;
        Ok(())
    }

    /// Renders the resolved scene, for its hash and its recording.
    fn resolve(&mut self) {
        let world = self.app.world_mut();
        let resolved = scene::resolved(&world.resource::<LoadedScene>().scene);
        world.insert_resource(resolved);
    }

    /// Runs exactly one tick, without pacing.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.step()?;
    /// assert_eq!(engine.time().now_ns, 1_000_000); // a tick is 1 ms by default
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and [`EngineError::System`] if a system failed.
    pub fn step(&mut self) -> Result<(), EngineError> {
        self.start()?;
        let begun = Instant::now();
        let done = self.tick();
        self.wall += begun.elapsed();
        done
    }

    fn tick(&mut self) -> Result<(), EngineError> {
        if let Some(links) = &self.links {
            let SimTime {
                now_ns, tick_ns, ..
            } = self.time();
            links.clock.tick(now_ns, tick_ns, Instant::now());
        }
        self.app.update();
        match FAILED.take() {
            None => Ok(()),
            Some(cause) => Err(EngineError::System {
                tick: self.time().tick,
                cause,
            }),
        }
    }

    /// Clock of the run.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// for _ in 0..10 {
    ///     engine.step()?;
    /// }
    /// assert_eq!((engine.time().tick, engine.time().now_s()), (10, 0.01));
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn time(&self) -> SimTime {
        *self.app.world().resource::<SimTime>()
    }

    /// Runs for this much simulated time, or until stopped, at the engine's pace.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// assert_eq!(engine.run_for(Duration::from_millis(100))?.ticks, 100);
    /// assert_eq!(engine.run_for(Duration::from_millis(50))?.ticks, 150); // it goes on
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn run_for(&mut self, duration: Duration) -> Result<Summary, EngineError> {
        self.start()?;
        let until_ns = self
            .time()
            .now_ns
            .saturating_add(as_ns(duration))
            .min(LAST_NS);
        self.run_until(|engine| engine.time().now_ns >= until_ns, |_| {})
    }

    /// Runs to the scene's end: its duration, else when all goals are reached or given up, else until stopped. An agent
    /// stopped by its governor has given up its goals as soon as it stands. Requested moves are waited for.
    ///
    /// ```
    /// use becomingone::prelude::*;
    ///
    /// let rover = Agent::robot("rover.urdf")
    ///     .name("rover")
    ///     .drive(Drive::Auto)
    ///     .sensor("encoders", Encoders::default(), 100.0) // odometry steers the patrol
    ///     .controller(Patrol::new([[1.0, 0.0]], 0.5));
    /// let summary = CoherenceEngine::from(Scene::builder().agent(rover).build()?).run()?;
    /// assert_eq!(summary.agents[0].goals_reached, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn run(&mut self) -> Result<Summary, EngineError> {
        self.run_watched(|_| {})
    }

    /// [`run`](Self::run), with a callback after each tick.
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, Pace};
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.set_pace(Pace::Fast).set_duration(Duration::from_millis(5));
    /// let mut ticks = Vec::new();
    /// engine.run_watched(|engine| ticks.push(engine.time().tick))?;
    /// assert_eq!(ticks, [1, 2, 3, 4, 5]);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step).
    pub fn run_watched(&mut self, watch: impl FnMut(&Self)) -> Result<Summary, EngineError> {
        self.start()?;
        self.run_until(Self::is_done, watch)
    }

    /// Whether the scene has ended: where [`run`](Self::run) would end.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/arm_wave.ron")?;
    /// let mut steps = 0;
    /// while !engine.is_done() && steps < 10 {
    ///     engine.step()?;
    ///     steps += 1;
    /// }
    /// assert_eq!(steps, 10); // it waves on
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn is_done(&mut self) -> bool {
        match self.duration {
            Some(duration) => self.time().now_ns >= as_ns(duration),
            None => self.goals_are_over() || self.time().now_ns >= LAST_NS,
        }
    }

    fn goals_are_over(&mut self) -> bool {
        let world = self.app.world_mut();
        let goals = self.goals.get_or_insert_with(|| world.query());
        let mut any = false;
        let all = goals
            .iter(world)
            .all(|(goals, governor, twist, goes, moves)| {
                any = true;
                if goes || moves {
                    return false;
                }
                let stopped = governor.is_some_and(|g| g.stopped);
                goals.done() || (stopped && twist.linear_m_s.length() < STANDSTILL_M_S)
            });
        any && all
    }

    /// Runs what `feed` prepares, until it says that the run has ended, or until stopped. Pause, steps, pace and reset
    /// act as in [`run`](Self::run).
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, EngineError, Feed, Pace};
    ///
    /// /// Three ticks, and again.
    /// struct Twice(u64);
    ///
    /// impl Feed for Twice {
    ///     fn is_done(&mut self, _: &mut CoherenceEngine) -> bool {
    ///         self.0 == 2
    ///     }
    ///
    ///     fn before(&mut self, engine: &mut CoherenceEngine) -> Result<bool, EngineError> {
    ///         if engine.time().tick == 3 {
    ///             self.0 += 1;
    ///             engine.reset()?;
    ///         }
    ///         Ok(self.0 < 2)
    ///     }
    /// }
    ///
    /// let mut engine = CoherenceEngine::new();
    /// engine.set_pace(Pace::Fast).run_fed(&mut Twice(0))?;
    /// assert_eq!(engine.time().tick, 0);
    /// # Ok::<(), EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`step`](Self::step), and those of `feed`.
    pub fn run_fed(&mut self, feed: &mut impl Feed) -> Result<Summary, EngineError> {
        self.start()?;
        self.run_ticks(feed)
    }

    fn run_until(
        &mut self,
        done: impl FnMut(&mut Self) -> bool,
        watch: impl FnMut(&Self),
    ) -> Result<Summary, EngineError> {
        self.run_ticks(&mut Until { done, watch })
    }

    fn run_ticks(&mut self, feed: &mut impl Feed) -> Result<Summary, EngineError> {
        let ran = self.run_and_wait(feed);
        // Hardware is stopped in any case.
        becomingone_systems::links::rest(self.app.world_mut());
        ran
    }

    fn run_and_wait(&mut self, feed: &mut impl Feed) -> Result<Summary, EngineError> {
        let shared = self.shared.clone();
        // Start of wall time, without pauses and time before a reset.
        let (mut begun, mut before) = (Instant::now(), self.wall);
        self.pacer.restart();
        let mut was_paused = false;
        while !feed.is_done(self) {
            match shared.next() {
                Next::Stop => {
                    // It stops this run, not later ones.
                    shared.stop.store(false, Ordering::Release);
                    break;
                }
                Next::Reset => {
                    feed.reset(self)?;
                    (begun, before) = (Instant::now(), self.wall);
                    continue;
                }
                Next::Wait => {
                    if !was_paused {
                        // No tick commands hardware until it goes on.
                        becomingone_systems::links::rest(self.app.world_mut());
                    }
                    self.app.world_mut().run_schedule(Paused);
                    shared.wait();
                    was_paused = true;
                    continue;
                }
                // At once: the time of a pause does not count.
                Next::Step => was_paused = true,
                Next::Tick => {}
            }
            if std::mem::take(&mut was_paused) {
                self.pacer.restart();
                (begun, before) = (Instant::now(), self.wall);
            }
            if shared.paced.load(Ordering::Acquire)
                && let Some(pace) = shared.take_pace()
            {
                self.set_pace(pace);
            }
            let SimTime {
                now_ns, tick_ns, ..
            } = self.time();
            if !self.pacer.wait(now_ns, tick_ns, |time| shared.sleep(time)) {
                continue;
            }
            let is_ready = feed.before(self)?;
            if self.time().now_ns != now_ns {
                // It went to another time.
                self.pacer.restart();
            }
            if !is_ready {
                continue;
            }
            let start = begun.elapsed();
            let ticked = self.tick();
            let end = begun.elapsed();
            self.pacer.took(end - start);
            self.wall = before + end;
            ticked?;
            feed.after(self);
        }
        Ok(self.summary())
    }

    /// Summary of the run so far.
    ///
    /// ```
    /// use becomingone::CoherenceEngine;
    ///
    /// let mut engine = CoherenceEngine::from_scene("built-in/scenes/warehouse_robot.ron")?;
    /// engine.step()?;
    /// println!("{}", engine.summary());
    /// assert_eq!(engine.summary().agents[0].name, "rover");
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn summary(&self) -> Summary {
        let timing = self.pacer.timing.as_ref().and_then(Timing::summary);
        Summary::of(self.app.world(), self.wall, timing)
    }
}

/// What prepares the ticks of a run: a recording that is played, for example. See [`CoherenceEngine::run_fed`].
pub trait Feed {
    /// Whether the run has ended; asked before each tick, and in a pause.
    fn is_done(&mut self, engine: &mut CoherenceEngine) -> bool {
        let _ = engine;
        false
    }

    /// Prepares the input of the next tick, at its time. `false`: there is none now, and it is asked again at once: pause
    /// the run by its [`StopHandle`] meanwhile, or end it by [`is_done`](Self::is_done).
    ///
    /// # Errors
    ///
    /// They end the run.
    fn before(&mut self, engine: &mut CoherenceEngine) -> Result<bool, EngineError> {
        let _ = engine;
        Ok(true)
    }

    /// Looks at the engine after a tick.
    fn after(&mut self, engine: &CoherenceEngine) {
        let _ = engine;
    }

    /// Resets, where somebody asked for it.
    ///
    /// # Errors
    ///
    /// They end the run.
    fn reset(&mut self, engine: &mut CoherenceEngine) -> Result<(), EngineError> {
        engine.reset()
    }
}

/// A run with an end and somebody who watches.
struct Until<D, W> {
    done: D,
    watch: W,
}

impl<D: FnMut(&mut CoherenceEngine) -> bool, W: FnMut(&CoherenceEngine)> Feed for Until<D, W> {
    fn is_done(&mut self, engine: &mut CoherenceEngine) -> bool {
        (self.done)(engine)
    }

    fn after(&mut self, engine: &CoherenceEngine) {
        (self.watch)(engine);
    }
}

impl Drop for CoherenceEngine {
    fn drop(&mut self) {
        if self.ready {
            becomingone_systems::links::rest(self.app.world_mut());
        }
    }
}

/// Latest time of a run: a tick of one day is still in range after it.
const LAST_NS: u64 = u64::MAX - 2 * 86_400 * NS_PER_S;

fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).map_or(LAST_NS, |ns| ns.min(LAST_NS))
}

struct Shared {
    /// Pace that was asked for last.
    pace: Mutex<Pace>,
    stop: AtomicBool,
    reset: AtomicBool,
    paused: AtomicBool,
    paced: AtomicBool,
    /// Ticks that a paused run still has to do.
    steps: AtomicU64,
    /// Requested pace; its lock also guards `changed`.
    pending: Mutex<Option<Pace>>,
    changed: Condvar,
}

enum Next {
    Tick,
    /// A tick of a paused run.
    Step,
    /// Nothing: it is paused.
    Wait,
    Reset,
    Stop,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            pace: Mutex::new(Pace::RealTime),
            stop: AtomicBool::default(),
            reset: AtomicBool::default(),
            paused: AtomicBool::default(),
            paced: AtomicBool::default(),
            steps: AtomicU64::default(),
            pending: Mutex::default(),
            changed: Condvar::default(),
        }
    }
}

impl Shared {
    fn keep(&self, pace: Pace) {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = pace;
    }

    fn take_pace(&self) -> Option<Pace> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        self.paced.store(false, Ordering::Release);
        pending.take()
    }

    fn change(&self, change: impl FnOnce(&Self)) {
        let _pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        change(self);
        self.changed.notify_all();
    }

    /// Next step of the run.
    fn next(&self) -> Next {
        if self.stop.load(Ordering::Acquire) {
            return Next::Stop;
        }
        if self.reset.load(Ordering::Acquire) {
            self.reset.store(false, Ordering::Release);
            return Next::Reset;
        }
        if !self.paused.load(Ordering::Acquire) {
            return Next::Tick;
        }
        if self.steps.load(Ordering::Acquire) > 0 {
            self.steps.fetch_sub(1, Ordering::AcqRel);
            return Next::Step;
        }
        Next::Wait
    }

    /// Waits until something changes, at most for 50 ms: the bound of the delay of a change before this wait.
    fn wait(&self) {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout(pending, Duration::from_millis(50));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Sleeps for this time, or until something changes.
    fn sleep(&self, time: Duration) {
        let pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stop.load(Ordering::Acquire) {
            return;
        }
        let waited = self.changed.wait_timeout(pending, time);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Stops, pauses, steps, paces and resets a run from any thread; each takes effect between two ticks.
#[derive(Clone)]
pub struct StopHandle(Arc<Shared>);

impl StopHandle {
    /// Ends the run, even if it is paused or has not started.
    ///
    /// ```
    /// let mut engine = becomingone::CoherenceEngine::new();
    /// engine.stop_handle().stop();
    /// assert_eq!(engine.run()?.ticks, 0);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn stop(&self) {
        self.0.change(|s| s.stop.store(true, Ordering::Release));
    }

    /// Whether a stop or a reset is asked for, and has not taken effect.
    ///
    /// ```
    /// let handle = becomingone::CoherenceEngine::new().stop_handle();
    /// assert!(!handle.is_asked());
    /// handle.reset();
    /// assert!(handle.is_asked());
    /// ```
    pub fn is_asked(&self) -> bool {
        self.0.stop.load(Ordering::Acquire) || self.0.reset.load(Ordering::Acquire)
    }

    /// Pauses simulated time.
    ///
    /// ```
    /// let mut engine = becomingone::CoherenceEngine::new();
    /// let handle = engine.stop_handle();
    /// handle.pause();
    /// handle.step(3);
    /// let mut seen = 0;
    /// engine.run_watched(|engine| {
    ///     seen = engine.time().tick;
    ///     if seen == 3 {
    ///         handle.stop();
    ///     }
    /// })?;
    /// assert_eq!(seen, 3);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn pause(&self) {
        self.0.change(|s| s.paused.store(true, Ordering::Release));
    }

    /// Whether simulated time is paused.
    ///
    /// ```
    /// let handle = becomingone::CoherenceEngine::new().stop_handle();
    /// assert!(!handle.is_paused());
    /// handle.pause();
    /// assert!(handle.is_paused());
    /// ```
    pub fn is_paused(&self) -> bool {
        self.0.paused.load(Ordering::Acquire)
    }

    /// Resumes simulated time.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut engine = becomingone::CoherenceEngine::new();
    /// let handle = engine.stop_handle();
    /// handle.pause();
    /// handle.resume();
    /// assert_eq!(engine.run_for(Duration::from_millis(2))?.ticks, 2);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn resume(&self) {
        self.0.change(|s| {
            s.steps.store(0, Ordering::Release);
            s.paused.store(false, Ordering::Release);
        });
    }

    /// Runs this many more ticks of a paused run.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut engine = becomingone::CoherenceEngine::new();
    /// let handle = engine.stop_handle();
    /// handle.pause();
    /// handle.step(2);
    /// assert_eq!(engine.run_for(Duration::from_millis(2))?.ticks, 2);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn step(&self, ticks: u64) {
        self.0.change(|s| {
            s.steps.fetch_add(ticks, Ordering::AcqRel);
        });
    }

    /// Sets the pace of simulated time relative to wall time.
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, Pace};
    /// use std::time::Duration;
    ///
    /// let mut engine = CoherenceEngine::new(); // in real time
    /// engine.stop_handle().set_pace(Pace::Fast);
    /// assert_eq!(engine.run_for(Duration::from_secs(60))?.ticks, 60_000);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn set_pace(&self, pace: Pace) {
        self.0.keep(pace);
        let mut pending = self
            .0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *pending = Some(pace);
        self.0.paced.store(true, Ordering::Release);
        self.0.changed.notify_all();
    }

    /// Pace that was set last.
    ///
    /// ```
    /// use becomingone::{CoherenceEngine, Pace};
    ///
    /// let handle = CoherenceEngine::new().stop_handle();
    /// assert_eq!(handle.pace(), Pace::RealTime);
    /// handle.set_pace(Pace::Rate(2.0));
    /// assert_eq!(handle.pace(), Pace::Rate(2.0));
    /// ```
    pub fn pace(&self) -> Pace {
        *self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resets the run to the start of its scene.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut engine = becomingone::CoherenceEngine::new();
    /// let handle = engine.stop_handle();
    /// let mut ticks = Vec::new();
    /// engine.set_duration(Duration::from_millis(3)).run_watched(|engine| {
    ///     ticks.push(engine.time().tick);
    ///     if ticks.len() == 2 {
    ///         handle.reset();
    ///     }
    /// })?;
    /// assert_eq!(ticks, [1, 2, 1, 2, 3]);
    /// # Ok::<(), becomingone::EngineError>(())
    /// ```
    pub fn reset(&self) {
        self.0.change(|s| s.reset.store(true, Ordering::Release));
    }
}
