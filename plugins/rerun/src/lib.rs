//! Shows a run of BecomingONE in the [Rerun](https://rerun.io) viewer, live or from a file.
//!
//! In the order in which data passes:
//!
//! - [`viewer`]: finds and starts the viewer program.
//! - `stage`: what stands there from the start, gathered at each reset.
//! - `batch`: what one tick says, as plain data.
//! - `systems`: copy it, at capped rates of simulated time.
//! - `marks`: what single readings of sensors look like in the world.
//! - `outbox`: the bounded queue's end in the world.
//! - `thread`: the queue's other end; the only place that talks to Rerun.
//! - `recording`, `shapes`, `page`, `blueprint`: batches, geometry, what is remembered and the layout in Rerun's
//!   words.
//! - `table`: a recorded table and its scores, as a file.
//! - `sink`, `server`: the file, the connection to a viewer, or the server that viewers connect to.
//!
//! # Who waits for whom
//!
//! A tick copies numbers into a batch and hands it to a queue of [`QUEUE`] batches; it makes no
//! call to Rerun. Where the queue is full, a [`Sink::Viewer`] or [`Sink::Server`] never makes the tick wait: the
//! batch is dropped, counted, and the recording says so. A [`Sink::File`] makes it wait for at most
//! [`FLUSH_TIMEOUT`] (a fast run outpaces any disk, and who saves a file wants all of it), and only for
//! as long as the disk keeps up at all. What is simulated never depends on either.
//!
//! # Viewers come and go
//!
//! A [`Sink::Viewer`] is looked for until the run ends, also after it was there and went: whoever comes
//! late sees what stands there, and the run from then on. A [`Sink::Server`] keeps what was said, up to
//! 256 MB, for as many viewers as come; it ends with the run.
//!
//! # Time
//!
//! Two timelines: `sim_time` (a duration from the run's start) and `tick`. A reset starts a new
//! recording in the same file or viewer, because its time starts at zero again.

mod batch;
mod blueprint;
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
pub mod viewer;

use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use outbox::{Mailbox, Outbox};
use sink::Opened;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use outbox::{FLUSH_TIMEOUT, QUEUE, Report};
pub use table::{Said, TableRecording};

/// Where a recording goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A new file; Rerun's own ending is `.rrd`.
    File(PathBuf),
    /// A viewer that listens already, or will some time.
    Viewer {
        /// `rerun+http://127.0.0.1:PORT/proxy`.
        url: String,
    },
    /// A server of our own, for any number of viewers.
    Server {
        /// Where it listens. Who reaches it sees all, so that it should be an address of this machine only.
        address: SocketAddr,
        /// Whether another port will do where this one is taken.
        any_port: bool,
    },
}

/// A recording that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    /// The file cannot be created.
    #[error("cannot write the recording {}: {cause}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The file was created, but its writer did not start.
    #[error("cannot write the recording {}: {cause}", path.display())]
    Writer {
        /// As given.
        path: PathBuf,
        /// What Rerun said.
        cause: String,
    },
    /// Not a viewer's address.
    #[error(
        "`{url}` is no address of a viewer ({cause}); one looks like rerun+http://127.0.0.1:9876/proxy"
    )]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The server cannot listen.
    #[error("cannot serve viewers at {address}: {cause}")]
    Server {
        /// As given.
        address: SocketAddr,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// No thread for the recording.
    #[error("cannot start the thread that records: {0}")]
    Thread(std::io::Error),
}

/// Records the run. Add it after the engine's own plugins and before the scene is built.
pub struct RerunPlugin {
    mailbox: Mailbox,
    url: Option<String>,
}

impl RerunPlugin {
    /// Opens the sink and starts the thread that feeds it. A viewer that does not answer yet is no error.
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

    /// Where the viewer is, or where viewers find the server; none of a file.
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

/// Ends the recording: waits at most `limit` for the queue to drain and the sink to take all.
/// None where nothing is recorded, or no more.
///
/// What did not arrive by then is lost, and the report says so; what it takes to write it is left behind.
pub fn finish(world: &mut World, limit: Duration) -> Option<Report> {
    world.get_resource_mut::<Outbox>()?.finish(limit)
}
