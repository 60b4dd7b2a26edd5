//! A run's journal: an MCAP file that replay reads and that viewers open.
//!
//! In the order in which data passes:
//!
//! - `stage`: what stands there from the start, gathered at each reset.
//! - `batch`: what ticks say, as plain data.
//! - `systems`: copy it.
//! - `queue`: between the tick and the thread that writes.
//! - `thread`: takes batches, flushes more than once a second, and survives a full disk.
//! - `writer`: batches become records; `json` is what the journal reads, `draw` what viewers draw.
//! - `file`: the file on the disk.
//! - [`journal`]: reads it again, one tick after the other.
//! - `shadow`: what would be recorded, for who compares.
//!
//! # What is in the file
//!
//! | record | content |
//! |---|---|
//! | metadata `becomingone.run` | engine, journal and scene versions, scene, its hash, seed, `tick_ns`, threads, overlays |
//! | attachment `scene.ron` | the resolved scene; files that it names are the other attachments |
//! | metadata `becomingone.end` | of a recording that was closed: ticks, hash at the end, ticks dropped |
//!
//! | topic | encoding | content |
//! |---|---|---|
//! | `/journal/run` | JSON | a run begins: the first, and one more at each reset |
//! | `/journal/entered` | JSON | every frame that came from outside, with the tick in which it was applied |
//! | `/journal/hash` | JSON | the chained state hash of every tick; of each part of the state that changed, its own |
//! | `/journal/events`, `/log` | JSON, `foxglove.Log` | what happened |
//! | `/journal/dropped` | JSON | how many ticks are missing here |
//! | `/rover/imu` (each sensor) | JSON | `tick`, `source_ns`, `arrival_ns`, `sequence`, and in `value` the numbers by name |
//! | `/rover/imu/truth` | JSON | the same measurement without noise and fault |
//! | `/rover/drive/command` (each actuator) | JSON | the command, when it changes |
//! | `/rover/kernel`, `/rover/odometry`, `/rover/truth` | JSON | what the kernel says, where it believes to be, where it is |
//! | `/rover/estimate`, `/rover/governor` | JSON | where its filter takes it to be, with its deviations and NIS; the share of the commanded speed that is let through, when it changes |
//! | `/tf`, `/scene`, `/rover/pose`, `/rover/lidar/scan` ... | protobuf | Foxglove's `FrameTransforms`, `SceneUpdate`, `PoseInFrame`, `LaserScan`, `PointCloud`, `LocationFix` |
//!
//! Where a measurement has any length, as wheel encoders have, each name has a list; an instrument's numbers have the
//! names of its columns. A tick's messages stand together
//! and end with its hash. Times are nanoseconds of simulated time from the run's start; after a reset the file's time
//! goes on, and `source_ns` starts at zero again.
//!
//! # Who waits for whom
//!
//! A tick copies numbers into a batch; text, compression and the disk are the thread's. In a run that follows wall
//! time no tick ever waits: where the queue of [`QUEUE`] batches is full, its oldest ticks go unrecorded, are counted,
//! and the recording says where; replay ends there. A fast run waits for room, as long as the disk moves within ten
//! seconds: it has time, and a journal with a hole cannot be replayed. What is simulated never depends on either.
//!
//! # What a SIGKILL costs
//!
//! Chunks are written whole, at the latest 0.4 s after what they hold. A reader that goes from record to
//! record opens what is there, and stops at a record that is not whole.

mod batch;
mod draw;
mod file;
pub mod journal;
mod json;
mod queue;
mod shadow;
mod stage;
mod systems;
mod thread;
mod writer;

use bevy_app::{App, Plugin};
use bevy_ecs::prelude::*;
use file::Out;
use queue::Queue;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use journal::Journal;
pub use queue::{QUEUE, Report};
pub use shadow::{Difference, Shadow, ShadowPlugin};
pub use writer::{END_METADATA, EVENTS, JOURNAL_VERSION, PROFILE, RUN_METADATA, SCENE_ATTACHMENT};

/// What a recording begins with.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// Of the file, for messages.
    pub name: String,
    /// What was run, and by what: beside what the world knows (seed, `tick_ns`, hash of the scene).
    pub metadata: BTreeMap<String, String>,
    /// [`SCENE_ATTACHMENT`] and the files that it names.
    pub attachments: Vec<(String, Vec<u8>)>,
}

/// A recording that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be created.
    #[error("cannot write the recording {}: {cause}", path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// No thread for the recording.
    #[error("cannot start the thread that records: {0}")]
    Thread(std::io::Error),
}

/// Records the run. Add it after the engine's own plugins and before the scene is built.
pub struct RecordPlugin {
    queue: Arc<Queue>,
}

impl RecordPlugin {
    /// Creates the file and starts the thread that fills it.
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
        let queue = Arc::new(Queue::new());
        thread::start(out, opening, queue.clone()).map_err(RecordError::Thread)?;
        Ok(Self { queue })
    }
}

impl Plugin for RecordPlugin {
    fn build(&self, app: &mut App) {
        add(app, self.queue.clone());
    }
}

/// The hash of a part of the state as [`journal::RecordedTick::parts`] has it.
pub fn short(hash: u64) -> String {
    format!("{:08x}", json::short(hash))
}

fn add(app: &mut App, queue: Arc<Queue>) {
    systems::add(app, queue);
}

/// Ends the recording: waits at most `limit` for the disk to take all. None where nothing is recorded, or no more.
#[allow(
    clippy::disallowed_methods,
    reason = "the run is over; an I/O thread is waited for"
)]
pub fn finish(world: &mut World, limit: Duration) -> Option<Report> {
    let recorder = world.get_resource::<systems::Recorder>()?;
    recorder.queue.finish(Instant::now(), limit)
}
