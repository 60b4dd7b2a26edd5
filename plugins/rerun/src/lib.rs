//! [Rerun](https://rerun.io) output of a run: to a live viewer, to a server for viewers, or to a file.
//!
//! In the order in which data passes:
//!
//! - [`viewer`]: finds and starts the viewer program.
//! - `stage`: static content of a run (ground, obstacles, agents, sensors), collected at each reset.
//! - `batch`: data of one tick, as plain values.
//! - `systems`: copy that data, at capped rates of simulated time; `visualised_agents`: what they show of each agent.
//! - `marks`: drawing of single readings (GNSS fix, range echo, magnetic field) in the world.
//! - `outbox`: sending end of the bounded queue, in the world.
//! - `thread`: receiving end of the queue; the only module that calls Rerun.
//! - `recording`, `shapes`, `page`, `blueprint`: batches, geometry, event memory and view layout as Rerun data;
//!   `entity`, `timelines`: their paths and times.
//! - `table`: a recorded table and its scores, as a file.
//! - `sink`, `server`: the file, the connection to a viewer, or the server that viewers connect to.
//!
//! # Back-pressure
//!
//! A tick copies numbers into a batch and pushes it to a queue of [`QUEUE`] batches; it makes no call to Rerun.
//! If the queue is full, a [`Sink::Viewer`] or [`Sink::Server`] never blocks the tick: the batch is dropped and
//! counted, and the recording logs the number of dropped ticks. A [`Sink::File`] blocks the tick for at most
//! [`FLUSH_TIMEOUT`] (a fast run outpaces any disk, and a saved file should be complete); after a time-out, no tick
//! blocks again until the queue has room. The simulation result depends on neither.
//!
//! # Late and lost viewers
//!
//! The connection to a [`Sink::Viewer`] is retried until the run ends, also after a connection was lost. A viewer
//! that connects late gets the static content, and the run from then on. A [`Sink::Server`] keeps up to 256 MB of
//! history for any number of viewers; it ends with the run.
//!
//! # Time
//!
//! Two timelines: `sim_time` (duration since the start of the run) and `tick`. A reset starts a new
//! recording in the same file or viewer, because simulated time starts at zero again.

mod batch;
mod blueprint;
mod entity;
mod error;
mod marks;
mod outbox;
mod page;
mod recording;
mod server;
mod shapes;
mod sink;
mod stage;
mod systems;
mod table;
mod thread;
mod timelines;
pub mod viewer;
mod visualised_agents;

use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use outbox::{Mailbox, Outbox};
use sink::Opened;
use std::time::Duration;

pub use error::RerunError;
pub use outbox::{FLUSH_TIMEOUT, QUEUE, Report};
pub use sink::Sink;
pub use table::{ExpectedValue, RowScores, RowState, TableRecording};

/// Plugin that records the run. Add it after the engine's plugins and before the scene is built.
pub struct RerunPlugin {
    mailbox: Mailbox,
    url: Option<String>,
}

impl RerunPlugin {
    /// Opens the sink and starts the recording thread. An unreachable viewer is no error: the connection is retried.
    ///
    /// # Errors
    ///
    /// See [`RerunError`].
    pub fn new(sink: Sink, scene_name: &str) -> Result<Self, RerunError> {
        let opened = Opened::open(sink)?;
        let url = opened.url().map(str::to_owned);
        let mailbox = thread::start(opened, scene_name).map_err(RerunError::Thread)?;
        Ok(Self { mailbox, url })
    }

    /// Address of the viewer or of the server; `None` for a file.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}

impl Plugin for RerunPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Outbox::new(self.mailbox.clone()));
        systems::add(app);
    }
}

/// Ends the recording: waits at most `limit` for the queue to drain and for the sink to flush.
/// `None` if nothing is recorded, or if the recording has ended already.
///
/// Data that is not flushed in time is lost and reported in [`Report::lost`]; the recording thread is then abandoned.
pub fn finish(world: &mut World, limit: Duration) -> Option<Report> {
    world.get_resource_mut::<Outbox>()?.finish(limit)
}
