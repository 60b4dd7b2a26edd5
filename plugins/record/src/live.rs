//! Shows a run to clients: the messages that a recording of it has, as they come.

#![allow(clippy::disallowed_methods, reason = "an I/O thread has a wall clock")]

use crate::convert::Converter;
use crate::output::Output;
use crate::queue::{Queue, Room};
use crate::systems::{self, Kind, Switch};
use bevy_app::{App, Plugin};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest time between a tick and its messages, while there are clients.
const EVERY: Duration = Duration::from_millis(50);

/// Takes the messages of a run while there are clients.
pub trait LiveOutput: Output<Error = io::Error> + Send + 'static {
    /// Called after each part of the run; `now_ns` is the time of all runs (ns), as in a [`Stamp`](crate::Stamp).
    fn flush(&mut self, now_ns: u64);
}

/// Plugin that shows the run. While there are no clients, a tick copies nothing for it; it never waits for one.
pub struct LivePlugin {
    queue: Arc<Queue>,
    switch: Arc<Switch>,
}

impl Plugin for LivePlugin {
    fn build(&self, app: &mut App) {
        let kind = Kind::Live(self.switch.clone());
        systems::add(app, self.queue.clone(), kind);
    }
}

/// Tells whether there are clients; where it is dropped, nothing more is shown.
pub struct Live {
    queue: Arc<Queue>,
    switch: Arc<Switch>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Told {
    /// Counts how often the first client came.
    turns: u64,
    is_on: bool,
    is_over: bool,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// Starts the thread that converts, and the plugin of a run.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start(output: impl LiveOutput) -> io::Result<(Self, LivePlugin)> {
        let live = Self {
            queue: Arc::new(Queue::new(Room::OF_CLIENTS)),
            switch: Arc::default(),
            state: Arc::default(),
        };
        let (queue, state) = (live.queue.clone(), live.state.clone());
        std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || run(output, &queue, &state))?;
        let plugin = LivePlugin {
            queue: live.queue.clone(),
            switch: live.switch.clone(),
        };
        Ok((live, plugin))
    }

    /// Shows the run from the next tick on, from its static content on; where it is shown already, again so.
    pub fn begin(&self) {
        let mut told = self.state.lock();
        told.turns += 1;
        told.is_on = true;
        self.switch.set(told.turns);
        self.state.changed.notify_all();
    }

    /// Shows the run no longer.
    pub fn end(&self) {
        let mut told = self.state.lock();
        told.is_on = false;
        self.switch.set(0);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
        self.state.lock().is_over = true;
        self.state.changed.notify_all();
    }
}

fn run(output: impl LiveOutput, queue: &Queue, state: &State) {
    let mut converter = Converter::new(output);
    loop {
        let told = state.lock();
        let waited = state.changed.wait_while(told, |t| !t.is_on && !t.is_over);
        let told = *waited.unwrap_or_else(PoisonError::into_inner);
        if told.is_over {
            return;
        }
        let due = Instant::now() + EVERY;
        while Instant::now() < due {
            let batches = queue.wait(due, Instant::now).batches;
            let is_new = !batches.is_empty();
            for mut batch in batches {
                // Clients take every message; one that cannot be encoded is left out.
                if let Err(error) = converter.convert(&mut batch) {
                    log::debug!("live: {error}");
                }
                queue.give_back(batch);
            }
            if is_new {
                let now_ns = converter.end_ns();
                converter.to().flush(now_ns);
            }
        }
        if !state.lock().is_on {
            for batch in queue.take() {
                queue.give_back(batch);
            }
        }
    }
}
