//! Run context of a driver: its state, and the end of the run.

#![expect(
    clippy::disallowed_methods,
    reason = "I/O threads bound their waits by the wall clock"
)]

use super::act::{ActuatorEnd, Slot, Wake};
use super::queue::PortState;
use becomingone_components::link::LinkState;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Progress of the end of a run, and requests to end a back-off.
#[derive(Debug, Default)]
struct Phase {
    cancelled: bool,
    /// A command that waits for no back-off was queued.
    woken: bool,
    /// The last attempt to send commands may take until then.
    last_until: Option<Instant>,
    /// Commands of the port's actuators.
    slots: Vec<Weak<Slot>>,
}

impl Phase {
    fn is_over(&self) -> bool {
        self.cancelled
            && !self.last_until.is_some_and(|until| {
                Instant::now() < until && self.slots().any(|slot| slot.is_unsent())
            })
    }

    fn slots(&self) -> impl Iterator<Item = Arc<Slot>> {
        self.slots.iter().filter_map(Weak::upgrade)
    }
}

#[derive(Debug, Default)]
pub(super) struct End {
    phase: Mutex<Phase>,
    changed: Condvar,
}

impl End {
    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for End {
    fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_all();
    }

    fn taken(&self) {
        self.lock().woken = false;
    }

    fn sent(&self) {
        self.changed.notify_all();
    }
}

/// Run context of a driver.
#[derive(Clone)]
pub struct Context {
    end: Arc<End>,
    pub(super) state: PortState,
}

impl Context {
    /// Whether the run is over: the driver returns. In the last attempt to send a command that waited at the end of the
    /// run, it is over once that is sent, or after a second.
    pub fn cancelled(&self) -> bool {
        self.end.lock().is_over()
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
        self.wait_unless(time, |_| false)
    }

    /// Waits before another attempt, at most this long and until a command waits that is not delayed; returns whether the
    /// run is over.
    pub(super) fn back_off(&self, time: Duration) -> bool {
        let over = self.wait_unless(time, |phase| phase.woken);
        self.end.lock().woken = false;
        over
    }

    fn wait_unless(&self, time: Duration, ends: impl Fn(&Phase) -> bool) -> bool {
        let until = Instant::now().checked_add(time);
        let mut phase = self.end.lock();
        loop {
            let now = Instant::now();
            // An instant that cannot be represented is never reached.
            let left = until.map_or(time, |until| until.saturating_duration_since(now));
            if phase.is_over() || ends(&phase) || left.is_zero() {
                return phase.is_over();
            }
            let left = match phase.last_until.filter(|_| phase.cancelled) {
                Some(last) => left.min(last.saturating_duration_since(now)),
                None => left,
            };
            let waited = self.end.changed.wait_timeout(phase, left);
            phase = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Context of a driver that reports its state here.
    pub(super) fn new(state: PortState) -> Self {
        Self {
            end: Arc::default(),
            state,
        }
    }

    /// Adds the commands of an actuator, which end a back-off.
    pub(super) fn attach(&self, end: &ActuatorEnd) {
        let slot = Arc::downgrade(end.wakes(self.end.clone()));
        self.end.lock().slots.push(slot);
    }

    /// Cancels the driver.
    pub(super) fn cancel(&self) {
        self.end.lock().cancelled = true;
        self.end.changed.notify_all();
    }

    /// Begins the last attempt to send commands, which takes at most this long; returns whether one waits.
    pub(super) fn begin_last(&self, within: Duration) -> bool {
        let mut phase = self.end.lock();
        if !phase.slots().any(|slot| slot.is_waiting()) {
            return false;
        }
        phase.last_until = Some(Instant::now() + within);
        true
    }

    /// Whether the last attempt has begun.
    pub(super) fn has_begun_last(&self) -> bool {
        self.end.lock().last_until.is_some()
    }
}
