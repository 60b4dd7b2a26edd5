//! Run context of a driver: its state, and the end of the run.

use super::queue::PortState;
use becomingone_components::link::LinkState;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct End {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

/// Run context of a driver.
#[derive(Clone)]
pub struct Context {
    end: Arc<End>,
    pub(super) state: PortState,
}

impl Context {
    /// Whether the run is over: the driver returns.
    pub fn cancelled(&self) -> bool {
        *self
            .end
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports that the other side is connected.
    pub fn up(&self) {
        self.state.set(LinkState::Up);
    }

    /// Reports that the other side is absent, while the driver waits for it; it logs the reason itself.
    pub fn down(&self) {
        self.state.set(LinkState::Down);
    }

    /// Waits for this time, or until the run is over; returns whether it is.
    pub fn wait(&self, time: Duration) -> bool {
        let cancelled = self
            .end
            .cancelled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .end
            .changed
            .wait_timeout_while(cancelled, time, |cancelled| !*cancelled);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Context of a driver that reports its state here.
    pub(super) fn new(state: PortState) -> Self {
        Self {
            end: Arc::default(),
            state,
        }
    }

    /// Cancels the driver.
    pub(super) fn cancel(&self) {
        let End { cancelled, changed } = &*self.end;
        *cancelled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}
