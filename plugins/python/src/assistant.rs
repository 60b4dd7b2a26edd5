//! The assistant: a talk from Python, and one in the terminal.

use crate::errors;
use becomingone_assistant::{AssistantApp, Conversation};
use pyo3::prelude::*;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A talk with a run; it ends with this.
#[pyclass]
pub(crate) struct Talk(Mutex<Option<Conversation>>);

fn app(
    name: &str,
    prompt: &str,
    scene: Option<String>,
    at: Option<String>,
    folder: Option<PathBuf>,
) -> AssistantApp {
    let mut app = AssistantApp::new(name).system_prompt(prompt);
    if let Some(scene) = scene {
        app = app.scene(scene);
    }
    if let Some(at) = at {
        app = app.at(at);
    }
    if let Some(folder) = folder {
        app = app.folder(folder);
    }
    app
}

#[pymethods]
impl Talk {
    #[new]
    fn new(
        py: Python<'_>,
        name: &str,
        prompt: &str,
        scene: Option<String>,
        at: Option<String>,
        folder: Option<PathBuf>,
    ) -> PyResult<Self> {
        let app = app(name, prompt, scene, at, folder);
        let opened = py.detach(|| app.open());
        let conversation = opened.map_err(|error| errors::run(py, &error.to_string()))?;
        Ok(Self(Mutex::new(Some(conversation))))
    }

    /// The reply to a sentence.
    fn say(&self, py: Python<'_>, sentence: &str) -> PyResult<String> {
        let said = py.detach(|| {
            let talk = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            talk.as_ref().map(|talk| talk.say(sentence))
        });
        said.ok_or_else(|| errors::run(py, "found a talk that is closed"))
    }

    /// Ends the talk, and the run that was started for it.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take()));
    }
}

/// Talks with who is at standard input, until it ends.
#[pyfunction]
pub(crate) fn talk(
    py: Python<'_>,
    name: &str,
    prompt: &str,
    scene: Option<String>,
    at: Option<String>,
    folder: Option<PathBuf>,
) -> PyResult<()> {
    let app = app(name, prompt, scene, at, folder);
    let talked = py.detach(|| app.start());
    talked.map_err(|error| errors::run(py, &error.to_string()))
}
