//! Many worlds of one scene, on all processors.

use crate::buffer::Buffer;
use crate::errors;
use crate::picture::{self, View};
use crate::request::Action;
use crate::scene::Scene;
use crate::waiting::{Cancel, wait_all};
use becomingone::{
    BatchSimulation, BatchWorld, CoherenceEngine, EngineBuilder, EngineError, NameError, Observer,
    Plugins,
};
use numpy::{PyArray2, PyArray3, PyReadonlyArray2, PyUntypedArrayMethods as _};
use pyo3::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// A world that failed: its index, why.
type Failed = (usize, Failure);

/// Why a world failed.
enum Failure {
    Engine(EngineError),
    Name(NameError),
}

struct Open {
    batch: BatchSimulation,
    observer: Arc<Observer>,
    /// Numbers of all worlds, one row each: written by each step.
    rows: Py<Buffer>,
}

/// Many worlds of one scene.
#[pyclass(frozen, module = "becomingone._native")]
pub(crate) struct Batch {
    open: Mutex<Option<Open>>,
    process: u32,
}

/// Rows of a thread's worlds, one after the other, and whether each has ended.
struct Rows {
    numbers: Vec<f64>,
    done: Vec<bool>,
    failed: Option<Failed>,
}

/// Works on each world of a thread, then looks at it.
fn each(
    worlds: &mut [BatchWorld],
    observer: &Observer,
    mut work: impl FnMut(usize, &mut CoherenceEngine) -> Result<(), Failure>,
) -> Rows {
    let width = observer.len();
    let mut rows = Rows {
        numbers: vec![f64::NAN; width * worlds.len()],
        done: Vec::with_capacity(worlds.len()),
        failed: None,
    };
    for (k, BatchWorld { index, engine }) in worlds.iter_mut().enumerate() {
        if let Err(failure) = work(*index, engine) {
            rows.failed.get_or_insert((*index, failure));
        }
        observer.write(engine, &mut rows.numbers[k * width..][..width]);
        rows.done.push(engine.is_done());
    }
    rows
}

impl Batch {
    fn open(&self, py: Python<'_>) -> PyResult<MutexGuard<'_, Option<Open>>> {
        if std::process::id() != self.process {
            return Err(errors::forked());
        }
        match self.open.try_lock() {
            Ok(open) if open.is_some() => Ok(open),
            Err(TryLockError::WouldBlock) => Err(errors::busy()),
            Ok(_) | Err(TryLockError::Poisoned(_)) => Err(errors::closed(py)),
        }
    }
}

impl Open {
    /// Works on each world, and keeps what is seen.
    fn work(
        &self,
        py: Python<'_>,
        work: impl Fn(usize, &mut CoherenceEngine, &Cancel) -> Result<(), Failure>
        + Send
        + Sync
        + 'static,
    ) -> PyResult<Vec<bool>> {
        let cancel = Cancel::default();
        let (observer, asked) = (self.observer.clone(), cancel.clone());
        let pending = self.batch.begin(move |worlds| {
            each(worlds, &observer, |index, engine| {
                work(index, engine, &asked)
            })
        });
        let all = wait_all(py, pending, &cancel)?;
        let mut done = Vec::with_capacity(self.batch.len());
        let mut failed = None;
        let mut at = 0;
        for share in all {
            self.rows.get().write(at, &share.numbers);
            at += share.numbers.len();
            done.extend(share.done);
            failed = failed.or(share.failed);
        }
        match failed {
            None => Ok(done),
            Some((_, Failure::Name(error))) => Err(errors::name(py, &error)),
            Some((_, Failure::Engine(EngineError::Scene(error)))) => Err(errors::scene(py, &error)),
            Some((world, Failure::Engine(error))) => {
                Err(errors::run(py, &format!("world {world}: {error}")))
            }
        }
    }
}

#[pymethods]
impl Batch {
    #[new]
    fn new(
        py: Python<'_>,
        scene: Scene,
        seeds: Vec<u64>,
        threads: usize,
        duration_s: Option<f64>,
        observe: Vec<String>,
    ) -> PyResult<Self> {
        let worlds = seeds.len();
        let made = py.detach(move || {
            let loaded = scene.load_alone();
            let loaded = loaded
                .map_err(|cause| becomingone::SimulationError::Engine { world: None, cause })?;
            BatchSimulation::start(seeds.len(), threads, move |world| {
                let mut loaded = loaded.clone();
                loaded.scene.seed = seeds.get(world).copied().unwrap_or_default();
                let mut engine = EngineBuilder::with(Plugins::new()).loaded(loaded);
                if let Some(duration_s) = duration_s {
                    let duration = Duration::try_from_secs_f64(duration_s);
                    engine.set_duration(duration.unwrap_or(Duration::MAX));
                }
                Ok(engine)
            })
        });
        let batch = made.map_err(|error| errors::simulation(py, &error))?;
        // All worlds have the entities of one scene.
        let observers = batch.begin(move |worlds| {
            let first = worlds.first();
            first.map(|world| Observer::new(&world.engine, &observe))
        });
        let found = wait_all(py, observers, &Cancel::default())?;
        let observer = found.into_iter().flatten().next().transpose();
        let observer = observer.map_err(|error| errors::name(py, &error))?;
        let observer = Arc::new(observer.unwrap_or_default());
        let rows = Bound::new(py, Buffer::new(&vec![0.0; worlds * observer.len()]))?;
        let open = Open {
            batch,
            observer,
            rows: rows.unbind(),
        };
        open.work(py, |_, _, _| Ok(()))?;
        Ok(Self {
            open: Mutex::new(Some(open)),
            process: std::process::id(),
        })
    }

    /// Does this many ticks in each world; returns which have ended. `actions` has a row a world.
    #[pyo3(signature = (ticks, agent=None, kind=None, actions=None, mask=None))]
    fn step(
        &self,
        py: Python<'_>,
        ticks: u64,
        agent: Option<String>,
        kind: Option<&str>,
        actions: Option<PyReadonlyArray2<'_, f64>>,
        mask: Option<Vec<bool>>,
    ) -> PyResult<Vec<bool>> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        let worlds = open.batch.len();
        let mask = counted(mask, worlds, "mask")?;
        let acted = agent.zip(kind).zip(actions.as_ref());
        let acted = acted.map(|((agent, kind), actions)| {
            let action = Action::read(kind).map_err(errors::argument)?;
            let [rows, width] = [0, 1].map(|k| actions.shape()[k]);
            if rows != worlds || action.width().is_some_and(|of_kind| of_kind != width) {
                let expected = action.width().map_or("n".to_owned(), |n| n.to_string());
                return Err(errors::argument(format!(
                    "found actions of shape ({rows}, {width}); expected ({worlds}, {expected})"
                )));
            }
            let numbers = actions.as_array().iter().copied().collect::<Vec<f64>>();
            if numbers.iter().any(|x| !x.is_finite()) {
                return Err(errors::argument("found actions that are not finite"));
            }
            Ok((agent, action, numbers, width))
        });
        let acted = acted.transpose()?;
        open.work(py, move |world, engine, cancel| {
            if mask.as_ref().is_some_and(|mask| !mask[world]) {
                return Ok(());
            }
            if let Some((agent, action, numbers, width)) = &acted {
                let row = &numbers[world * width..][..*width];
                let given = engine.command(agent, action.request(row));
                given.map_err(Failure::Name)?;
            }
            for _ in 0..ticks {
                if cancel.is_asked() {
                    break;
                }
                engine.step().map_err(Failure::Engine)?;
            }
            Ok(())
        })
    }

    /// Gives the agent of each world a request, as JSON; an empty text is none.
    fn command(&self, py: Python<'_>, agent: String, requests: Vec<String>) -> PyResult<()> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        if requests.len() != open.batch.len() {
            let text = format!("found {} requests; expected one a world", requests.len());
            return Err(errors::argument(text));
        }
        let read = requests.iter().map(|text| match text.as_str() {
            "" => Ok(None),
            text => serde_json::from_str(text).map(Some),
        });
        let read: Vec<Option<becomingone::components::request::RequestKind>> = read
            .collect::<Result<_, _>>()
            .map_err(|error| errors::argument(format!("found a wrong request: {error}")))?;
        let done = open.work(py, move |world, engine, _| match read[world].clone() {
            None => Ok(()),
            Some(what) => engine.command(&agent, what).map_err(Failure::Name),
        });
        done.map(drop)
    }

    /// Resets those worlds that have a seed, to the start of their scene.
    fn reset(&self, py: Python<'_>, seeds: Vec<Option<u64>>) -> PyResult<()> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        let worlds = open.batch.len();
        if seeds.len() != worlds {
            let text = format!("found {} seeds; expected {worlds}", seeds.len());
            return Err(errors::argument(text));
        }
        let done = open.work(py, move |world, engine, _| match seeds[world] {
            None => Ok(()),
            Some(seed) => engine.set_seed(seed).reset().map_err(Failure::Engine),
        });
        done.map(drop)
    }

    /// The numbers of all worlds: one array, which each step overwrites.
    fn rows(&self, py: Python<'_>) -> PyResult<Py<PyArray2<f64>>> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        let shape = [open.batch.len(), open.observer.len()];
        Ok(Buffer::array(open.rows.bind(py), shape)?.unbind())
    }

    /// Names, fields, units and places in a row of what is observed.
    fn observed(&self, py: Python<'_>) -> PyResult<Vec<(String, Vec<String>, Vec<String>, usize)>> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        let each = open.observer.observed().iter();
        Ok(each
            .map(|o| (o.name.clone(), o.fields.clone(), o.units.clone(), o.first))
            .collect())
    }

    /// A picture of a world: red, green, blue of each pixel.
    fn picture<'py>(
        &self,
        py: Python<'py>,
        world: usize,
        view: View,
    ) -> PyResult<Bound<'py, PyArray3<u8>>> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        let worlds = open.batch.len();
        if world >= worlds {
            let text = format!("found world {world}; expected one below {worlds}");
            return Err(errors::argument(text));
        }
        let pending = open.batch.begin(move |worlds| {
            let mut worlds = worlds.iter();
            let seen = worlds.find(|seen| seen.index == world);
            seen.map(|seen| view.draw(&seen.engine))
        });
        let drawn = wait_all(py, pending, &Cancel::default())?;
        let drawn = drawn.into_iter().flatten().next();
        picture::array(py, drawn.ok_or_else(|| errors::closed(py))?)
    }

    /// Summaries of all worlds, as JSON.
    fn summaries(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let guard = self.open(py)?;
        let open = guard.as_ref().ok_or_else(|| errors::closed(py))?;
        let pending = open.batch.begin(|worlds| {
            let each = worlds.iter().map(|world| world.engine.summary());
            each.collect::<Vec<_>>()
        });
        let all = wait_all(py, pending, &Cancel::default())?;
        let text = |summary| {
            serde_json::to_string(&summary).map_err(|error| errors::argument(error.to_string()))
        };
        all.into_iter().flatten().map(text).collect()
    }

    /// Threads that share the worlds.
    fn threads(&self, py: Python<'_>) -> PyResult<usize> {
        let guard = self.open(py)?;
        Ok(guard.as_ref().map_or(0, |open| open.batch.threads()))
    }

    /// Ends all worlds.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if std::process::id() != self.process {
            return Err(errors::forked());
        }
        match self.open.try_lock() {
            Ok(mut open) => {
                let batch = open.take().map(|open| open.batch);
                py.detach(move || drop(batch));
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(errors::busy()),
            Err(TryLockError::Poisoned(_)) => Ok(()),
        }
    }
}

/// One value a world.
fn counted<T>(values: Option<Vec<T>>, worlds: usize, what: &str) -> PyResult<Option<Vec<T>>> {
    match values {
        Some(values) if values.len() != worlds => Err(errors::argument(format!(
            "found a {what} of {} values; expected {worlds}, one a world",
            values.len()
        ))),
        values => Ok(values),
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            let open = self.open.get_mut();
            let open = open.unwrap_or_else(std::sync::PoisonError::into_inner);
            std::mem::forget(open.take());
        }
    }
}
