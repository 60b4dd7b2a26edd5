//! Data of one tick, as plain values. Batches are reused, so that a steady-state tick allocates nothing.

use becomingone_components::body::Pose;
use becomingone_components::event::AgentEvent;
use becomingone_components::geodesy::Geodetic;
use becomingone_systems::coherence::memory::Likeness;
use glam::Vec3;
use std::sync::Arc;

/// Numbers of one series at one time; their values follow each other in [`Batch::numbers`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Index into the stage's series.
    pub(crate) series: u32,
    /// Stamp (ns).
    pub(crate) ns: u64,
    /// Count of numbers.
    pub(crate) len: u32,
}

/// Pose of an agent; the poses of its links follow each other in [`Batch::poses`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    /// Index into the stage's agents.
    pub(crate) agent: u32,
    /// Count of links.
    pub(crate) links: u32,
    /// World position by odometry (m).
    pub(crate) odometry_m: Option<[f64; 2]>,
    /// World position by the localisation filter (m).
    pub(crate) estimate_m: Option<[f64; 2]>,
}

/// Look-ahead point of the path follower (pure pursuit), in body axes (m).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pursued {
    /// Index into the stage's agents.
    pub(crate) agent: u32,
    /// Pose of the root link.
    pub(crate) root: Pose,
    /// `None` if no goal is left.
    pub(crate) target_m: Option<[f64; 2]>,
}

/// Event memory (BLEND) of an agent; its entries follow each other in [`Batch::memories`].
#[derive(Clone, Debug)]
pub(crate) struct MemoryFrame {
    /// Index into the stage's agents.
    pub(crate) agent: u32,
    /// Count of entries.
    pub(crate) len: u32,
    /// Stored event most similar to the present.
    pub(crate) likeness: Option<Likeness>,
}

/// An entry of the event memory, at its present strength.
#[derive(Clone, Debug)]
pub(crate) struct MemoryEntry {
    /// Time and description of the event.
    pub(crate) label: Arc<str>,
    /// Serial number, unique within the agent.
    pub(crate) serial: u64,
    /// Position of the agent's root link at the event (m).
    pub(crate) position_m: Option<[f32; 3]>,
    /// Strength after decay, 0 to 1.
    pub(crate) strength: f64,
}

/// One scan of a lidar; its ranges follow each other in [`Batch::ranges_m`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanFrame {
    /// Index into the stage's lidars.
    pub(crate) lidar: u32,
    /// Stamp (ns).
    pub(crate) ns: u64,
    /// World pose of the sensor at the time of measurement.
    pub(crate) pose: Pose,
    pub(crate) angle_min_rad: f32,
    pub(crate) angle_step_rad: f32,
    pub(crate) range_max_m: f32,
    /// Count of ranges.
    pub(crate) len: u32,
}

/// Image of a camera; its bytes follow each other in [`Batch::bytes`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageFrame {
    /// Index into the stage's images.
    pub(crate) image: u32,
    /// Stamp (ns).
    pub(crate) ns: u64,
    /// Count of bytes.
    pub(crate) len: u32,
}

/// Shape that a reading is drawn as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MarkShape {
    Fix {
        place: Geodetic,
        position_m: [f64; 3],
    },
    Echo {
        range_m: f32,
        fov_rad: f32,
    },
    Field {
        field_t: Vec3,
    },
}

/// Reading to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Index into the stage's marks.
    pub(crate) sensor: u32,
    /// Stamp (ns).
    pub(crate) ns: u64,
    /// World pose of the sensor at the time of measurement.
    pub(crate) pose: Pose,
    pub(crate) shape: MarkShape,
}

impl Mark {
    /// Index into the stage's marks, and stamp (ns).
    pub(crate) fn of(&self) -> (usize, u64) {
        (self.sensor as usize, self.ns)
    }
}

/// Data of one tick.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Simulated time (ns).
    pub(crate) now_ns: u64,
    /// Ticks completed.
    pub(crate) tick: u64,
    /// Batches dropped since the previous one that was sent.
    pub(crate) dropped_before: u64,
    pub(crate) bodies: Vec<Body>,
    pub(crate) poses: Vec<Pose>,
    pub(crate) pursued: Vec<Pursued>,
    pub(crate) rows: Vec<Row>,
    pub(crate) numbers: Vec<f64>,
    pub(crate) scan_frames: Vec<ScanFrame>,
    pub(crate) ranges_m: Vec<f32>,
    pub(crate) images: Vec<ImageFrame>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) memory_frames: Vec<MemoryFrame>,
    pub(crate) memories: Vec<MemoryEntry>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) events: Vec<AgentEvent>,
}

impl Batch {
    /// Empties the batch and keeps its allocations.
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
            images,
            bytes,
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
        images.clear();
        bytes.clear();
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
