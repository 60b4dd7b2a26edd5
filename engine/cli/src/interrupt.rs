//! Handling of Ctrl-C.

use crate::failure::Failure;
use crate::terminal;
use becomingone::trials::CancelToken;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

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
pub(crate) struct Interrupt(Arc<(AtomicBool, OnceLock<Stop>)>);

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
        let again = self.0.0.swap(true, Ordering::AcqRel);
        match self.0.1.get() {
            Some(stop) if !again => stop(),
            _ => {
                terminal::restore();
                std::process::exit(130)
            }
        }
    }

    pub(crate) fn on_first(&self, stop: impl Fn() + Send + Sync + 'static) {
        // Set once, here.
        let _ = self.0.1.set(Box::new(stop));
    }

    /// Cancels trials.
    pub(crate) fn cancels(&self, cancel: &CancelToken) {
        let cancel = cancel.clone();
        self.on_first(move || cancel.stop());
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }
}
