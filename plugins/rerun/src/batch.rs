//! What one tick says, as plain data. Batches are reused, so that a steady tick allocates nothing.

use crate::marks::Mark;
use becomingone_components::body::Pose;
use becomingone_components::event::AgentEvent;
use becomingone_components::memory::Likeness;
use std::sync::Arc;

/// Numbers of one series at one time; their values follow each other in [`Batch::numbers`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Index into the stage's series.
    pub(crate) series: u32,
    /// Stamp (ns).
    pub(crate) ns: u64,
    /// How many numbers.
    pub(crate) len: u32,
}

/// Where an agent is; the poses of its links follow each other in [`Batch::poses`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// Index into the stage's agents.
    pub(crate) agent: u32,
    /// How many links.
    pub(crate) links: u32,
    /// World position by its own odometry (m).
    pub(crate) odometry_m: Option<[f64; 2]>,
    /// By its filter (m).
    pub(crate) estimate_m: Option<[f64; 2]>,
}

/// The point that an agent pursues, in its own axes (m).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pursued {
    /// Index into the stage's agents.
    pub(crate) agent: u32,
    /// Pose of the root link.
    pub(crate) root: Pose,
    /// None when there is no goal left.
    pub(crate) target_m: Option<[f64; 2]>,
}

/// What an agent remembers; its memories follow each other in [`Batch::memories`].
#[derive(Clone, Debug)]
pub(crate) struct MemoryFrame {
    /// Index into the stage's agents.
    pub(crate) agent: u32,
    /// How many memories.
    pub(crate) len: u32,
    /// What the present is like.
    pub(crate) likeness: Option<Likeness>,
}

/// A memory as it is now.
#[derive(Clone, Debug)]
pub(crate) struct MemoryEntry {
    /// When and what.
    pub(crate) label: Arc<str>,
    /// Which one: of an agent's memories, each has a number of its own.
    pub(crate) serial: u64,
    /// Where the agent's root link was (m).
    pub(crate) position_m: Option<[f32; 3]>,
    /// 0 to 1.
    pub(crate) strength: f64,
}

/// One turn of a lidar; its distances follow each other in [`Batch::ranges_m`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanFrame {
    /// Index into the stage's lidars.
    pub(crate) lidar: u32,
    /// Stamp (ns).
    pub(crate) ns: u64,
    /// The sensor in the world, when it measured.
    pub(crate) pose: Pose,
    pub(crate) angle_min_rad: f32,
    pub(crate) angle_step_rad: f32,
    pub(crate) range_max_m: f32,
    /// How many distances.
    pub(crate) len: u32,
}

/// What one tick says.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The time that physics has reached (ns).
    pub(crate) now_ns: u64,
    /// Ticks done.
    pub(crate) tick: u64,
    /// Batches that were dropped just before this one.
    pub(crate) dropped_before: u64,
    pub(crate) bodies: Vec<Body>,
    pub(crate) poses: Vec<Pose>,
    pub(crate) pursued: Vec<Pursued>,
    pub(crate) rows: Vec<Row>,
    pub(crate) numbers: Vec<f64>,
    pub(crate) scan_frames: Vec<ScanFrame>,
    pub(crate) ranges_m: Vec<f32>,
    pub(crate) memory_frames: Vec<MemoryFrame>,
    pub(crate) memories: Vec<MemoryEntry>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) events: Vec<AgentEvent>,
}

impl Batch {
    /// Forgets everything but the memory.
    pub(crate) fn clear(&mut self) {
        let Self {
            now_ns,
            tick,
            dropped_before,
            bodies,
            poses,
            pursued,
            rows,
            numbers,
            scan_frames,
            ranges_m,
            memory_frames,
            memories,
            marks,
            events,
        } = self;
        (*now_ns, *tick, *dropped_before) = (0, 0, 0);
        bodies.clear();
        poses.clear();
        pursued.clear();
        rows.clear();
        numbers.clear();
        scan_frames.clear();
        ranges_m.clear();
        memory_frames.clear();
        memories.clear();
        marks.clear();
        events.clear();
    }

    /// Adds one number.
    pub(crate) fn scalar(&mut self, series: u32, ns: u64, x: f64) {
        self.numbers.push(x);
        self.rows.push(Row { series, ns, len: 1 });
    }
}
