//! Exceptions: those of `becomingone.errors`, which is written in Python.

use becomingone::scene::SceneError;
use becomingone::{EngineError, NameError, SimulationError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// An exception of the package, by its name, with the arguments of its constructor.
fn raise(py: Python<'_>, name: &str, text: &str, more: &[(&str, Py<PyAny>)]) -> PyErr {
    let made = || {
        let class = py.import("becomingone.errors")?.getattr(name)?;
        let fields = PyDict::new(py);
        for (field, value) in more {
            fields.set_item(field, value)?;
        }
        class.call((text,), Some(&fields))
    };
    match made() {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}

pub(crate) fn scene(py: Python<'_>, error: &SceneError) -> PyErr {
    let found: Vec<(Option<String>, usize, usize, String)> = match error {
        SceneError::Diagnostics(all) => {
            let each = all.iter().map(|diagnostic| match &diagnostic.place {
                Some(place) => {
                    let file = Some(place.file.clone());
                    (file, place.line, place.column, diagnostic.message.clone())
                }
                None => (None, 0, 0, diagnostic.message.clone()),
            });
            each.collect()
        }
        SceneError::Read { file, cause } => vec![(Some(file.clone()), 0, 0, cause.clone())],
        other => vec![(None, 0, 0, other.to_string())],
    };
    match found.into_pyobject(py) {
        Ok(found) => raise(
            py,
            "SceneError",
            &error.to_string(),
            &[("found", found.unbind())],
        ),
        Err(error) => error,
    }
}

pub(crate) fn engine(py: Python<'_>, error: &EngineError) -> PyErr {
    match error {
        EngineError::Scene(error) => scene(py, error),
        other => raise(py, "RunError", &other.to_string(), &[]),
    }
}

pub(crate) fn simulation(py: Python<'_>, error: &SimulationError) -> PyErr {
    match error {
        SimulationError::Engine {
            world: None,
            cause: error,
        } => engine(py, error),
        SimulationError::Engine {
            cause: EngineError::Scene(error),
            ..
        } => scene(py, error),
        SimulationError::Ended => ended(py),
        other => raise(py, "RunError", &other.to_string(), &[]),
    }
}

/// A failure of a run.
pub(crate) fn run(py: Python<'_>, text: &str) -> PyErr {
    raise(py, "RunError", text, &[])
}

pub(crate) fn ended(py: Python<'_>) -> PyErr {
    raise(py, "RunError", &SimulationError::Ended.to_string(), &[])
}

pub(crate) fn name(py: Python<'_>, error: &NameError) -> PyErr {
    let class = match error {
        NameError::Refused { .. } | NameError::Full { .. } => "Refused",
        _ => "UnknownName",
    };
    raise(py, class, &error.to_string(), &[])
}

pub(crate) fn unknown(py: Python<'_>, text: &str) -> PyErr {
    raise(py, "UnknownName", text, &[])
}

/// A wrong argument.
pub(crate) fn argument(text: impl Into<String>) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(text.into())
}

pub(crate) fn closed(py: Python<'_>) -> PyErr {
    let text = "found a simulation that is closed; expected one that is open: make a new one";
    raise(py, "Closed", text, &[])
}

pub(crate) fn forked() -> PyErr {
    pyo3::exceptions::PyRuntimeError::new_err(
        "found a simulation of the parent process, whose threads a fork does not copy; expected one that is made after the fork, or multiprocessing's start method `spawn`",
    )
}

pub(crate) fn busy() -> PyErr {
    pyo3::exceptions::PyRuntimeError::new_err(
        "found a call while another thread waits for this simulation; expected one call at a time: make a simulation for each thread",
    )
}

/// A recording or table.
pub(crate) fn recording(py: Python<'_>, text: &str) -> PyErr {
    raise(py, "RecordingError", text, &[])
}
