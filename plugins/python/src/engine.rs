//! One engine, on a thread of its own.

use crate::buffer::Buffer;
use crate::errors;
use crate::parameters::What;
use crate::picture::{self, View};
use crate::scene::{self, Scene, wrong};
use crate::users::{User, Users};
use crate::waiting::{Cancel, wait};
use becomingone::bridge::TextWriter;
use becomingone::components::request::RequestKind;
use becomingone::components::scene::LoadedScene;
use becomingone::components::time::SimTime;
use becomingone::inputs::TextInput;
use becomingone::record::{self, Opening, RecordPlugin, SCENE_ATTACHMENT};
use becomingone::systems::control::stop::StopQueue;
use becomingone::systems::diagnosis::witness::Witness;
use becomingone::systems::view::agent_state;
use becomingone::{
    CoherenceEngine, DisplayOutput, EngineBuilder, EngineError, NameError, Observer, Pace,
    Simulation, SimulationError, StopHandle, TextOutput,
};
use becomingone_api::{Api, Serving};
use becomingone_picture::{Picture, PictureError};
use numpy::{PyArray1, PyArray3};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// What an engine starts with.
#[derive(Clone, Default, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    seed: Option<u64>,
    duration_s: Option<f64>,
    threads: usize,
    armed: bool,
    /// Multiple of real time; 0: as fast as possible; none: as the scene wants it.
    rate: Option<f64>,
    record: Option<PathBuf>,
    /// A port of this machine; 0: one that is free.
    serve: Option<u16>,
    /// `window`, a file (`save=FILE`), or a viewer (`connect=URL`).
    display: Option<String>,
    /// File for lines of JSON with the states of agents, and their rate (Hz); `-` is standard output.
    lines: Option<(PathBuf, f64)>,
    /// The speaker: its name, or nothing for the system's.
    #[cfg_attr(
        not(feature = "audio"),
        expect(dead_code, reason = "this build has no sound")
    )]
    speaker: Option<String>,
    /// Sensors that this program writes: their names, and names and units of their numbers.
    written: Vec<(String, Vec<(String, String)>)>,
    /// Sensors in Python that are added to the scene: their names, kinds and rates (Hz).
    sensors: Vec<(String, String, f64)>,
    /// Sensors whose source is in Python, and its driver.
    sources: Vec<(String, String)>,
}

/// What holds the engine.
struct Open {
    simulation: Simulation,
    serving: Option<Serving>,
    recording: Option<PathBuf>,
    displayed: bool,
    observer: Arc<Observer>,
    /// Index into the observer's list.
    observed: HashMap<String, usize>,
    /// Numbers of now.
    row: Vec<f64>,
    /// Numbers that are overwritten by each step, by the names of what is in them, and the arrays that show them.
    views: HashMap<String, (Py<Buffer>, Py<PyArray1<f64>>)>,
    time: SimTime,
    done: bool,
    users: Arc<Functions>,
    /// Numbers of functions in Python, for the next tick: of which one, and none where there is no reading.
    filled: Vec<(usize, Option<Vec<f64>>)>,
}

/// What of the scene has functions in Python.
#[derive(Default)]
struct Functions {
    kinds: Users,
    each: Mutex<Vec<User>>,
}

impl Functions {
    fn each(&self) -> MutexGuard<'_, Vec<User>> {
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds its entities.
    fn locate(&self, engine: &CoherenceEngine) {
        self.each().iter_mut().for_each(|user| user.locate(engine));
    }

    fn fill(
        &self,
        engine: &mut CoherenceEngine,
        filled: Vec<(usize, Option<Vec<f64>>)>,
    ) -> Result<(), EngineError> {
        let each = self.each();
        for (k, numbers) in filled {
            if let Some(user) = each.get(k) {
                let done = self.kinds.fill(engine, user, numbers);
                done.map_err(|why| wrong(format!("{}: {why}", user.name)))?;
            }
        }
        Ok(())
    }
}

/// An engine.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct Engine {
    open: Mutex<Option<Open>>,
    /// What other threads may use while one waits for the engine.
    stop: StopHandle,
    stops: StopQueue,
    writers: Mutex<HashMap<String, TextWriter>>,
    /// The process that made it.
    process: u32,
}

/// Numbers, time, and whether the scene has ended, after some work.
struct After {
    row: Vec<f64>,
    time: SimTime,
    done: bool,
    failed: Option<EngineError>,
}

fn look(engine: &mut CoherenceEngine, observer: &Observer, mut row: Vec<f64>) -> After {
    row.resize(observer.len(), f64::NAN);
    observer.write(engine, &mut row);
    After {
        row,
        time: engine.time(),
        done: engine.is_done(),
        failed: None,
    }
}

/// What is beside an engine.
#[derive(Default)]
struct Beside {
    serving: Option<Serving>,
    /// Of sensors that this program writes.
    writers: HashMap<String, TextWriter>,
    users: Arc<Functions>,
}

/// Makes an engine with its outputs.
fn make(scene: &Scene, options: &Options) -> Result<(CoherenceEngine, Beside), EngineError> {
    let users = scene.users()?;
    let plugins = scene::with(&users);
    let (mut loaded, read) = scene.load_and_read(&plugins)?;
    for (sensor, kind, rate_hz) in &options.sensors {
        let added = users.add_sensor(&mut loaded.scene, sensor, kind, *rate_hz);
        added.map_err(wrong)?;
    }
    for (sensor, driver) in &options.sources {
        Users::set_source(&mut loaded.scene, sensor, driver).map_err(wrong)?;
    }
    if !options.sensors.is_empty() || !options.sources.is_empty() {
        becomingone::scene::check(&loaded.scene)?;
    }
    let each = users.of(&loaded);
    let is_fast = !each.is_empty() && users.are_the_only_drivers(&loaded);
    if let Some(seed) = options.seed {
        loaded.scene.seed = seed;
    }
    let recorder = options.record.as_deref();
    let recorder = recorder.map(|file| {
        let metadata = [
            ("engine", env!("CARGO_PKG_VERSION").to_owned()),
            ("scene", loaded.scene.name.clone()),
            ("scene_version", loaded.scene.version.to_string()),
            ("threads", options.threads.to_string()),
        ];
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
        let held = becomingone::scene::held(&loaded.scene).into_bytes();
        let mut attachments = vec![(SCENE_ATTACHMENT.to_owned(), held)];
        attachments.extend(read);
        let opening = Opening {
            name: file.display().to_string(),
            metadata: BTreeMap::from(metadata),
            attachments,
        };
        RecordPlugin::new(file, opening).map_err(|error| wrong(format!("record: {error}")))
    });
    let recorder = recorder.transpose()?;
    let mut engine = EngineBuilder::with(plugins).loaded(loaded);
    if let Some(duration_s) = options.duration_s {
        engine.set_duration(Duration::try_from_secs_f64(duration_s).unwrap_or(Duration::MAX));
    }
    match options.rate {
        None if is_fast => drop(engine.set_pace(Pace::Fast)),
        None => {}
        Some(0.0) => drop(engine.set_pace(Pace::Fast)),
        Some(1.0) => drop(engine.set_pace(Pace::RealTime)),
        Some(rate) => drop(engine.set_pace(Pace::Rate(rate))),
    }
    engine.set_threads(options.threads).set_armed(options.armed);
    if let Some(recorder) = recorder {
        engine.add_plugin(recorder);
    }
    if let Some(display) = &options.display {
        engine.add_output(match display.split_once('=') {
            None => DisplayOutput::new(),
            Some(("connect", url)) => DisplayOutput::viewer(url),
            Some((_, file)) => DisplayOutput::file(file),
        })?;
    }
    if let Some((file, rate_hz)) = &options.lines {
        let output = if file.as_os_str() == "-" {
            TextOutput::new(std::io::stdout())
        } else {
            let made = std::fs::File::create(file);
            TextOutput::new(made.map_err(|e| wrong(format!("{}: {e}", file.display())))?)
        };
        engine.add_output(output.rate_hz(*rate_hz))?;
    }
    #[cfg(feature = "audio")]
    if let Some(name) = &options.speaker {
        use becomingone::inputs::SpeakerOutput;
        engine.add_output(match name.as_str() {
            "" => SpeakerOutput::new(),
            name => SpeakerOutput::named(name),
        })?;
    }
    let mut writers = HashMap::new();
    for (name, fields) in &options.written {
        let fields: Vec<_> = fields
            .iter()
            .map(|(n, u)| (n.as_str(), u.as_str()))
            .collect();
        let input = TextInput::new(name, &fields);
        writers.insert(name.clone(), input.writer());
        engine.add_input(input)?;
    }
    let serving = options.serve.map(|port| {
        let mut api = Api::new().port(port);
        if let Some(file) = &options.record {
            api = api.recording(file);
        }
        api.start(&mut engine)
            .map_err(|error| wrong(format!("serve: {error}")))
    });
    let serving = serving.transpose()?;
    engine.start()?;
    let users = Arc::new(Functions {
        kinds: users,
        each: Mutex::new(each),
    });
    users.kinds.wait().map_err(wrong)?;
    users.locate(&engine);
    let beside = Beside {
        serving,
        writers,
        users,
    };
    Ok((engine, beside))
}

impl Engine {
    /// The engine, for one call at a time.
    fn open(&self, py: Python<'_>) -> PyResult<Guard<'_>> {
        if std::process::id() != self.process {
            return Err(errors::forked());
        }
        match self.open.try_lock() {
            Ok(open) if open.is_some() => Ok(Guard(open)),
            Err(TryLockError::WouldBlock) => Err(errors::busy()),
            // A call that panicked has ended the simulation.
            Ok(_) | Err(TryLockError::Poisoned(_)) => Err(errors::closed(py)),
        }
    }
}

impl Engine {
    fn drawn(&self, py: Python<'_>, view: View) -> PyResult<Result<Picture, PictureError>> {
        let mut guard = self.open(py)?;
        let simulation = &guard.get(py)?.simulation;
        let pending = simulation.begin(move |engine| view.draw(engine));
        wait(py, pending, &Cancel::default())
    }
}

/// An open engine.
struct Guard<'a>(MutexGuard<'a, Option<Open>>);

impl Guard<'_> {
    fn get(&mut self, py: Python<'_>) -> PyResult<&mut Open> {
        self.0.as_mut().ok_or_else(|| errors::closed(py))
    }
}

impl Open {
    /// Works on the engine, then looks at what is observed.
    fn work(
        &mut self,
        py: Python<'_>,
        cancel: Cancel,
        work: impl FnOnce(&mut CoherenceEngine, &Cancel) -> Result<(), EngineError> + Send + 'static,
    ) -> PyResult<()> {
        let (observer, row) = (self.observer.clone(), std::mem::take(&mut self.row));
        let asked = cancel.clone();
        let pending = self.simulation.begin(move |engine| {
            let failed = work(engine, &asked).err();
            let after = look(engine, &observer, row);
            After { failed, ..after }
        });
        let waited = wait(py, pending, &cancel);
        let after = match waited {
            Ok(after) => after,
            Err(raised) => {
                // What it did is seen even so: the next call starts from there.
                let observer = self.observer.clone();
                let seen = self
                    .simulation
                    .with(move |engine| look(engine, &observer, Vec::new()));
                if let Ok(seen) = seen {
                    self.keep(seen);
                }
                return Err(raised);
            }
        };
        let failed = self.keep(after);
        failed.map_or(Ok(()), |error| Err(errors::engine(py, &error)))
    }

    fn keep(&mut self, after: After) -> Option<EngineError> {
        self.row = after.row;
        self.time = after.time;
        self.done = after.done;
        for (name, (buffer, _)) in &self.views {
            if let Some(&index) = self.observed.get(name) {
                buffer
                    .get()
                    .write(0, numbers(&self.row, &self.observer, index));
            }
        }
        after.failed
    }

    /// Index of a name among the observed ones; from now on, each step brings its numbers.
    fn observe(&mut self, py: Python<'_>, name: &str) -> PyResult<usize> {
        if let Some(&index) = self.observed.get(name) {
            return Ok(index);
        }
        let known = self.observer.observed().iter();
        let mut names: Vec<String> = known.map(|observed| observed.name.clone()).collect();
        names.push(name.to_owned());
        let looked = self.simulation.with(move |engine| {
            let observer = Observer::new(engine, &names)?;
            let after = look(engine, &observer, Vec::new());
            Ok::<_, NameError>((observer, after.row))
        });
        let looked = looked.map_err(|error| errors::simulation(py, &error))?;
        let (observer, row) = looked.map_err(|error| errors::name(py, &error))?;
        let index = observer.observed().len() - 1;
        self.observer = Arc::new(observer);
        self.row = row;
        self.observed.insert(name.to_owned(), index);
        Ok(index)
    }
}

fn numbers<'a>(row: &'a [f64], observer: &Observer, index: usize) -> &'a [f64] {
    let observed = &observer.observed()[index];
    &row[observed.first..][..observed.fields.len()]
}

/// An array that its user cannot write to.
fn read_only<'py>(array: &Bound<'py, PyArray1<f64>>) -> PyResult<()> {
    array.call_method1("setflags", (false,)).map(drop)
}

#[pymethods]
impl Engine {
    #[new]
    fn new(py: Python<'_>, scene: Scene, options: Options) -> PyResult<Self> {
        let (recording, displayed) = (options.record.clone(), options.display.is_some());
        let beside = Arc::new(Mutex::new(Beside::default()));
        let made = beside.clone();
        let started = py.detach(move || {
            let simulation = Simulation::start(move || {
                let (engine, beside) = make(&scene, &options)?;
                *made.lock().unwrap_or_else(PoisonError::into_inner) = beside;
                Ok(engine)
            })?;
            let seen = simulation.with(|engine| {
                let after = look(engine, &Observer::default(), Vec::new());
                (engine.stop_handle(), engine.stop_queue(), after)
            })?;
            Ok::<_, SimulationError>((simulation, seen))
        });
        let started = started.map_err(|error| errors::simulation(py, &error))?;
        let (simulation, (stop, stops, After { time, done, .. })) = started;
        let mut beside = beside.lock().unwrap_or_else(PoisonError::into_inner);
        let Beside {
            serving,
            writers,
            users,
        } = std::mem::take(&mut *beside);
        let open = Open {
            simulation,
            serving,
            recording,
            displayed,
            observer: Arc::default(),
            observed: HashMap::new(),
            row: Vec::new(),
            views: HashMap::new(),
            time,
            done,
            users,
            filled: Vec::new(),
        };
        Ok(Self {
            open: Mutex::new(Some(open)),
            stop,
            stops,
            writers: Mutex::new(writers),
            process: std::process::id(),
        })
    }

    /// Does this many ticks.
    fn step(&self, py: Python<'_>, ticks: u64) -> PyResult<()> {
        let mut guard = self.open(py)?;
        let open = guard.get(py)?;
        if ticks == 0 {
            return Ok(());
        }
        let (users, filled) = (open.users.clone(), std::mem::take(&mut open.filled));
        open.work(py, Cancel::default(), move |engine, cancel| {
            users.fill(engine, filled)?;
            for _ in 0..ticks {
                if cancel.is_asked() {
                    break;
                }
                engine.step()?;
            }
            Ok(())
        })
    }

    /// Runs to the scene's end, or for a time, at its pace.
    fn run(&self, py: Python<'_>, duration_s: Option<f64>) -> PyResult<()> {
        let mut guard = self.open(py)?;
        let open = guard.get(py)?;
        open.work(py, Cancel::of(self.stop.clone()), move |engine, _| {
            let ran = match duration_s.map(Duration::try_from_secs_f64) {
                None => engine.run(),
                Some(duration) => engine.run_for(duration.unwrap_or(Duration::MAX)),
            };
            ran.map(drop)
        })
    }

    /// Ends a run, from any thread.
    fn stop_run(&self) {
        self.stop.stop();
    }

    /// Resets to the start, with this seed or the present one.
    fn reset(&self, py: Python<'_>, seed: Option<u64>) -> PyResult<()> {
        let mut guard = self.open(py)?;
        let open = guard.get(py)?;
        open.filled.clear();
        let users = open.users.clone();
        open.work(py, Cancel::default(), move |engine, _| {
            if let Some(seed) = seed {
                engine.set_seed(seed);
            }
            engine.reset()?;
            users.locate(engine);
            Ok(())
        })
    }

    /// What of the scene has functions in Python: `controller`, `sensor` or `driver`; its name, its kind, its parameters as
    /// JSON, and its rate (Hz).
    fn users(&self, py: Python<'_>) -> PyResult<Vec<(&'static str, String, String, String, f64)>> {
        let mut guard = self.open(py)?;
        let users = guard.get(py)?.users.clone();
        let each = users.each();
        each.iter()
            .map(|user| {
                let what = match user.what {
                    What::Controller => "controller",
                    What::Sensor => "sensor",
                    What::Driver => "driver",
                };
                let parameters = user.parameters.to_json();
                let parameters = parameters.map_err(|e| errors::argument(e.to_string()))?;
                let kind = user.parameters.of.name.to_owned();
                Ok((what, user.name.clone(), kind, parameters, user.rate_hz))
            })
            .collect()
    }

    /// Numbers that a function in Python has returned, for the next tick: its place among the users.
    fn fill(&self, py: Python<'_>, user: usize, numbers: Option<Vec<f64>>) -> PyResult<()> {
        let mut guard = self.open(py)?;
        guard.get(py)?.filled.push((user, numbers));
        Ok(())
    }

    /// Numbers of a name: a copy, or one array that each step overwrites.
    #[pyo3(signature = (name, copy))]
    fn numbers<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        copy: bool,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let mut guard = self.open(py)?;
        let open = guard.get(py)?;
        if let Some((_, view)) = open.views.get(name).filter(|_| !copy) {
            return Ok(view.bind(py).clone());
        }
        let index = open.observe(py, name)?;
        let numbers = numbers(&open.row, &open.observer, index);
        if copy {
            let array = PyArray1::from_slice(py, numbers);
            read_only(&array)?;
            return Ok(array);
        }
        let buffer = Bound::new(py, Buffer::new(numbers))?;
        let view = Buffer::array(&buffer, [numbers.len()])?;
        let both = (buffer.unbind(), view.clone().unbind());
        open.views.insert(name.to_owned(), both);
        Ok(view)
    }

    /// Names and units of the numbers of a name.
    fn fields(&self, py: Python<'_>, name: &str) -> PyResult<(Vec<String>, Vec<String>)> {
        let mut guard = self.open(py)?;
        let open = guard.get(py)?;
        let index = open.observe(py, name)?;
        let observed = &open.observer.observed()[index];
        Ok((observed.fields.clone(), observed.units.clone()))
    }

    /// Tick, time (ns), length of a tick (ns).
    fn time(&self, py: Python<'_>) -> PyResult<(u64, u64, u64)> {
        let mut guard = self.open(py)?;
        let SimTime {
            tick,
            now_ns,
            tick_ns,
            ..
        } = guard.get(py)?.time;
        Ok((tick, now_ns, tick_ns))
    }

    /// Multiple of real time at which it runs; 0: as fast as possible.
    fn rate(&self) -> f64 {
        match self.stop.pace() {
            Pace::Fast => 0.0,
            Pace::RealTime => 1.0,
            Pace::Rate(rate) => rate,
        }
    }

    /// Whether the scene has ended.
    fn done(&self, py: Python<'_>) -> PyResult<bool> {
        let mut guard = self.open(py)?;
        Ok(guard.get(py)?.done)
    }

    /// Gives an agent a request, as JSON: `{"Twist": {"linear_m_s": 0.5, "angular_rad_s": 0.0}}`.
    fn command(&self, py: Python<'_>, agent: String, request: &str) -> PyResult<()> {
        let what: RequestKind = serde_json::from_str(request)
            .map_err(|error| errors::argument(format!("found the request {request}: {error}")))?;
        if what == RequestKind::Stop {
            if std::process::id() != self.process {
                return Err(errors::forked());
            }
            if self.open.try_lock().is_ok_and(|open| open.is_none()) {
                return Err(errors::closed(py));
            }
            // Whatever the engine does now.
            let stopped = self.stops.push(&agent, "python");
            return stopped.map_err(|error| errors::unknown(py, &error.to_string()));
        }
        let mut guard = self.open(py)?;
        let given = guard
            .get(py)?
            .simulation
            .with(move |engine| engine.command(&agent, what));
        let given = given.map_err(|error| errors::simulation(py, &error))?;
        given.map_err(|error| errors::name(py, &error))
    }

    /// Position of a place of the scene (m).
    fn place(&self, py: Python<'_>, name: String) -> PyResult<[f64; 2]> {
        let mut guard = self.open(py)?;
        let found = guard.get(py)?.simulation.with(move |engine| {
            let place = engine.place(&name);
            place.map(|place| place.position_m)
        });
        let found = found.map_err(|error| errors::simulation(py, &error))?;
        found.map_err(|error| errors::name(py, &error))
    }

    /// Writes a line of JSON, a reading of a sensor that this program feeds.
    fn write(&self, name: &str, line: &str) -> PyResult<()> {
        if std::process::id() != self.process {
            return Err(errors::forked());
        }
        let writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = writers.get(name) else {
            let text = format!("found {name:?}, which is no sensor that this program writes");
            return Err(errors::argument(text));
        };
        let written = writer.write(line);
        written.map_err(|error| errors::argument(error.to_string()))
    }

    /// State of an agent, as JSON.
    fn agent(&self, py: Python<'_>, name: String) -> PyResult<String> {
        let mut guard = self.open(py)?;
        let found = guard.get(py)?.simulation.with(move |engine| {
            let agent = engine.agent(&name)?.entity;
            let witness = engine.world().get::<Witness>(agent);
            let cause = witness.and_then(Witness::cause);
            Ok(agent_state(engine.world(), agent, cause))
        });
        let found = found.map_err(|error| errors::simulation(py, &error))?;
        let state = found.map_err(|error: NameError| errors::name(py, &error))?;
        serde_json::to_string(&state).map_err(|error| errors::argument(error.to_string()))
    }

    /// A picture of now: red, green, blue of each pixel.
    fn picture<'py>(&self, py: Python<'py>, view: View) -> PyResult<Bound<'py, PyArray3<u8>>> {
        picture::array(py, self.drawn(py, view)?)
    }

    /// The same as a PNG file.
    fn png<'py>(&self, py: Python<'py>, view: View) -> PyResult<Bound<'py, PyBytes>> {
        picture::png(py, self.drawn(py, view)?)
    }

    /// Summary of the run so far, as JSON.
    fn summary(&self, py: Python<'_>) -> PyResult<String> {
        let mut guard = self.open(py)?;
        let summary = guard.get(py)?.simulation.with(|engine| engine.summary());
        let summary = summary.map_err(|error| errors::simulation(py, &error))?;
        serde_json::to_string(&summary).map_err(|error| errors::argument(error.to_string()))
    }

    /// The resolved scene.
    fn scene(&self, py: Python<'_>) -> PyResult<String> {
        let mut guard = self.open(py)?;
        let text = guard.get(py)?.simulation.with(|engine| {
            let loaded = engine.world().resource::<LoadedScene>();
            becomingone::scene::to_ron(&loaded.scene)
        });
        text.map_err(|error| errors::simulation(py, &error))
    }

    /// Address of its server, the page that signs in once, and the file of its token.
    fn served(&self, py: Python<'_>) -> PyResult<Option<(String, String, Option<PathBuf>)>> {
        let mut guard = self.open(py)?;
        let serving = guard.get(py)?.serving.as_ref();
        Ok(serving.map(|serving| {
            let token = serving.token_file().map(Path::to_owned);
            (serving.url().to_owned(), serving.page(), token)
        }))
    }

    /// Ends it, and completes its recordings.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if std::process::id() != self.process {
            return Err(errors::forked());
        }
        let mut guard = match self.open.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::WouldBlock) => return Err(errors::busy()),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let Some(open) = guard.take() else {
            return Ok(());
        };
        let Open {
            simulation,
            serving,
            recording,
            displayed,
            ..
        } = open;
        let lost = py.detach(move || {
            drop(serving);
            simulation.with(move |engine| {
                const LIMIT: Duration = Duration::from_secs(60);
                let recorded = record::finish(engine.world_mut(), LIMIT);
                if displayed {
                    drop(becomingone::rerun::finish(engine.world_mut(), LIMIT));
                }
                recorded.and_then(|report| match report.dropped {
                    0 => report.lost,
                    n => Some(format!("{n} ticks are missing: the disk was too slow")),
                })
            })
        });
        match (lost, recording) {
            (Ok(Some(why)), Some(file)) => {
                let text = format!("the recording {} is incomplete: {why}", file.display());
                Err(errors::run(py, &text))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            // Its threads are those of the parent: nobody would join.
            let open = self.open.get_mut();
            let open = open.unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(open.take());
        }
    }
}
