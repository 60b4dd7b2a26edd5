//! Run journal: an MCAP file for replay and for viewers.
//!
//! In the order in which data passes:
//!
//! - `opening`: what the file begins with, by the caller.
//! - `stage`: static content of a run (topics, agents, obstacles), collected at each reset.
//! - `batch`: data of ticks, as plain values.
//! - `systems`: copy that data; `watch`: of which entities, and how.
//! - `queue`: bounded queue between the tick and the writer thread.
//! - `thread`: takes batches, flushes more than once a second, and handles a full disk.
//! - `convert`: converts batches to messages; `json` for the journal, `draw` for viewers. `output`: where they go.
//! - `writer`: messages as MCAP records; `file`: the file on the disk.
//! - `live`: the same messages for clients, while there are any.
//! - [`journal`]: reads a recording, tick by tick.
//! - `shadow`: computes the messages of a run without writing them, for `replay --verify`.
//!
//! # Content of the file
//!
//! | record | content |
//! |---|---|
//! | metadata `becomingone.run` | engine, journal and scene versions, scene, its hash, seed, `tick_ns`, threads, overlays |
//! | attachment `scene.ron` | the resolved scene; the files that it references are further attachments |
//! | metadata `becomingone.end` | only if the recording was closed: ticks, final hash, dropped ticks |
//!
//! | topic | encoding | content |
//! |---|---|---|
//! | `/journal/run` | JSON | start of a run: the first, and one at each reset |
//! | `/journal/entered` | JSON | every external input frame, with the tick in which it was applied |
//! | `/journal/hash` | JSON | the chained state hash of every tick, and the hash of each part of the state that changed |
//! | `/journal/events`, `/log` | JSON, `foxglove.Log` | events |
//! | `/journal/dropped` | JSON | count of ticks missing at this place |
//! | `/rover/imu` (each sensor) | JSON | `tick`, `source_ns`, `arrival_ns`, `sequence`, and the numbers by name in `value`; bytes beside them in Base64 as `bytes`, with their `encoding` (not of images, see below) |
//! | `/rover/imu/truth` | JSON | the same measurement without noise and faults |
//! | `/rover/drive/command` (each actuator) | JSON | the command, on change |
//! | `/rover/kernel`, `/rover/odometry`, `/rover/truth` | JSON | kernel output, odometry pose, true pose and twist |
//! | `/rover/estimate`, `/rover/governor` | JSON | filter estimate with standard deviations and NIS; speed limit of the governor as a share of the commanded speed, on change |
//! | `/tf`, `/scene`, `/rover/pose`, `/rover/lidar/scan` ... | protobuf | Foxglove's `FrameTransforms`, `SceneUpdate`, `PoseInFrame`, `LaserScan`, `PointCloud`, `LocationFix` |
//! | `/rover/camera/image` | protobuf | `foxglove.CompressedImage`: the bytes of a sensor whose encoding is `image/..` |
//!
//! For measurements of variable length, such as wheel encoders, each name has a list; the numbers of an instrument have
//! the names of its columns. The messages of a tick are contiguous and end with its hash. Times are nanoseconds of
//! simulated time since the start of the run; after a reset the file's time continues, and `source_ns` restarts at zero.
//!
//! # Back-pressure
//!
//! A tick copies numbers into a batch; formatting, compression and disk access are done by the writer thread. In a run
//! paced to wall time no tick ever waits: if the queue of [`QUEUE`] batches is full, the batch is dropped, its ticks are
//! counted, and the recording marks the gap; replay ends there. A run that is not paced waits for room as long as the
//! disk makes progress within ten seconds, because a journal with a gap cannot be replayed. The simulation result
//! depends on neither.
//!
//! Clients ([`Live`]) have a queue of their own, of the last moments: no tick waits for it, paced or not. Nothing is
//! copied while there are none. Who comes is sent what the run began with, and from then on every message.
//!
//! # Loss on SIGKILL
//!
//! Chunks are written completely, at most 0.4 s after their data. A sequential reader reads a truncated file up to its
//! last complete record.

mod batch;
mod convert;
mod draw;
mod file;
pub mod journal;
mod json;
mod live;
mod opening;
mod output;
mod queue;
mod shadow;
mod stage;
mod systems;
mod thread;
mod watch;
mod writer;

use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use file::Out;
use queue::{Queue, Room};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use convert::EVENTS;
pub use journal::Journal;
pub use live::{Live, LiveOutput, LivePlugin};
pub use opening::Opening;
pub use output::{Channel, Output, RunStart, Schema, Stamp};
pub use queue::{QUEUE, Report};
pub use shadow::{Difference, Shadow, ShadowPlugin};
pub use systems::Played;
pub use writer::{END_METADATA, JOURNAL_VERSION, PROFILE, RUN_METADATA, SCENE_ATTACHMENT};

/// Error while starting a recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be created.
    #[error("cannot write the recording {}: {cause}", path.display())]
    File {
        /// Path as given.
        path: PathBuf,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// The writer thread cannot be started.
    #[error("cannot start the recording thread: {0}")]
    Thread(std::io::Error),
}

/// Plugin that records the run. Add it after the engine's plugins and before the scene is built.
pub struct RecordPlugin {
    queue: Arc<Queue>,
}

impl RecordPlugin {
    /// Creates the file and starts the writer thread.
    ///
    /// # Errors
    ///
    /// See [`RecordError`].
    pub fn new(path: &Path, mut opening: Opening) -> Result<Self, RecordError> {
        let out = Out::create(path).map_err(|cause| RecordError::File {
            path: path.to_owned(),
            cause,
        })?;
        if opening.name.is_empty() {
            opening.name = path.display().to_string();
        }
        let queue = Arc::new(Queue::new(Room::OF_A_FILE));
        thread::start(out, opening, queue.clone()).map_err(RecordError::Thread)?;
        Ok(Self { queue })
    }
}

impl Plugin for RecordPlugin {
    fn build(&self, app: &mut App) {
        systems::add(app, self.queue.clone(), systems::Kind::File);
    }
}

/// Hash of a part of the state, in the format of [`journal::RecordedTick::parts`].
pub fn short(hash: u64) -> String {
    format!("{:08x}", json::short(hash))
}

/// Ends the recording: waits at most `limit` until all data is on the disk. `None` if nothing is recorded, or if the
/// recording has ended already.
#[allow(
    clippy::disallowed_methods,
    reason = "after the run: waits for an I/O thread"
)]
pub fn finish(world: &mut World, limit: Duration) -> Option<Report> {
    let recorders = world.get_resource::<systems::Recorders>()?;
    recorders.file()?.finish(Instant::now(), limit)
}
