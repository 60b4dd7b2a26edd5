//! Waits for work of other threads, without the interpreter's lock, and until Ctrl-C.

use crate::errors;
use becomingone::{Pending, StopHandle};
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a signal waits to be seen.
const LOOK: Duration = Duration::from_millis(50);

/// Asks work to end early; its clone is with the work.
#[derive(Clone, Default)]
pub(crate) struct Cancel {
    asked: Arc<AtomicBool>,
    /// Of a run that paces itself.
    run: Option<StopHandle>,
}

impl Cancel {
    pub(crate) fn of(run: StopHandle) -> Self {
        let asked = Arc::default();
        Self {
            asked,
            run: Some(run),
        }
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        if let Some(run) = &self.run {
            run.stop();
        }
    }
}

/// The results of work, one of each thread. At a signal whose handler raises, the work is asked to end, and waited for:
/// what it works on is whole after it.
pub(crate) fn wait_all<R: Send>(
    py: Python<'_>,
    pending: Vec<Pending<R>>,
    cancel: &Cancel,
) -> PyResult<Vec<R>> {
    let mut raised = None;
    let mut all = Vec::with_capacity(pending.len());
    for mut pending in pending {
        loop {
            // It is not `Sync`: it goes there, and comes back.
            let (back, waited) = py.detach(move || {
                let waited = pending.wait(LOOK);
                (pending, waited)
            });
            pending = back;
            match waited {
                Err(ended) => return Err(errors::simulation(py, &ended)),
                Ok(Some(done)) => {
                    all.push(done);
                    break;
                }
                Ok(None) if raised.is_some() => {}
                Ok(None) => {
                    raised = py.check_signals().err();
                    if raised.is_some() {
                        cancel.ask();
                    }
                }
            }
        }
    }
    match raised {
        Some(raised) => Err(raised),
        None => Ok(all),
    }
}

/// The result of work of one thread, as [`wait_all`].
pub(crate) fn wait<R: Send>(py: Python<'_>, pending: Pending<R>, cancel: &Cancel) -> PyResult<R> {
    let mut all = wait_all(py, vec![pending], cancel)?;
    all.pop().ok_or_else(|| errors::ended(py))
}
