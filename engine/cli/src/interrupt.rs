//! Handling of Ctrl-C.

use crate::failure::Failure;
use crate::limits::has_parent;
use crate::output::program;
use crate::terminal;
use becomingone::trials::CancelToken;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Lets a write beyond the size limit of files (`ulimit -f`) fail as on a full disk, instead of ending the program.
pub(crate) fn ignore_file_limit() {
    #[cfg(unix)]
    {
        let noticed = Arc::new(AtomicBool::new(false));
        // Without it, the signal ends the program.
        drop(signal_hook::flag::register(
            signal_hook::consts::SIGXFSZ,
            noticed,
        ));
    }
}

/// Ctrl-C: the first stops the run, if one is under way; the second ends the program.
#[derive(Clone)]
pub(crate) struct Interrupt(Arc<State>);

#[derive(Default)]
struct State {
    is_set: AtomicBool,
    stop: OnceLock<Stop>,
    /// The recording that is open.
    recording: Mutex<Option<PathBuf>>,
}

type Stop = Box<dyn Fn() + Send + Sync>;

impl Interrupt {
    pub(crate) fn install() -> Result<Self, Failure> {
        let here = Self(Arc::default());
        let handler = here.clone();
        ctrlc::set_handler(move || handler.trigger())
            .map_err(|e| Failure::Run(format!("cannot install the handler of Ctrl-C: {e}")))?;
        Ok(here)
    }

    /// Handles Ctrl-C, as a signal or as a key.
    pub(crate) fn trigger(&self) {
        let again = self.0.is_set.swap(true, Ordering::AcqRel);
        match self.0.stop.get() {
            Some(stop) if !again => stop(),
            // The server that started this run asks it to end, and once more by its own end; Ctrl-C of a terminal reaches
            // both. It kills a run that hangs.
            Some(_) if has_parent() => {}
            _ => {
                terminal::restore();
                if let Some(file) = &*self.recording() {
                    let file = file.display();
                    print_err!(
                        "warning: the recording {file} is not closed: it may lack its last 0.4 s; `{} info {file}` shows what it has",
                        program()
                    );
                }
                std::process::exit(130)
            }
        }
    }

    fn recording(&self) -> MutexGuard<'_, Option<PathBuf>> {
        let recording = self.0.recording.lock();
        recording.unwrap_or_else(PoisonError::into_inner)
    }

    /// The recording that the end of the program would leave open.
    pub(crate) fn set_recording(&self, file: Option<&Path>) {
        *self.recording() = file.map(Path::to_owned);
    }

    pub(crate) fn on_first(&self, stop: impl Fn() + Send + Sync + 'static) {
        // Set once, here.
        let _ = self.0.stop.set(Box::new(stop));
    }

    /// Cancels trials.
    pub(crate) fn cancels(&self, cancel: &CancelToken) {
        let cancel = cancel.clone();
        self.on_first(move || cancel.stop());
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.is_set.load(Ordering::Acquire)
    }
}
