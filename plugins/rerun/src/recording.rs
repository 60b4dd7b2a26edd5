//! One run as one recording: static content once, then batches.
//!
//! Scalars and poses are collected into columns, one for each series, and sent in larger chunks: an order of magnitude
//! cheaper than single rows, for this program, for the file and for the viewer.

use crate::batch::{Batch, MemoryEntry, MemoryFrame, ScanFrame};
use crate::blueprint;
use crate::entity::entity;
use crate::marks;
use crate::page::MemoryPage;
use crate::shapes::{self, colour, quaternion, translation};
use crate::sink::Output;
use crate::stage::{Path, Stage, StageAgent, StageTrack};
use crate::timelines::{SIM_TIME, Stamps, TICK};
use becomingone_components::body::{Geometry, Pose, Shape};
use becomingone_components::event::{AgentEvent, EventKind};
use becomingone_components::fleet::FLEET;
use glam::{Vec2, Vec3};
use re_sdk::external::re_log_types::{ApplicationId, EntityPath};
use re_sdk::sink::SinkFlushError;
use re_sdk::{
    RecordingInfo, RecordingStream, RecordingStreamBuilder, RecordingStreamError,
    RecordingStreamResult, StoreId, TimeCell,
};
use re_sdk_types::archetypes::{
    EncodedImage, LineStrips3D, Mesh3D, Points3D, Scalars, SeriesLines, TextDocument, TextLog,
    Transform3D, ViewCoordinates,
};
use re_sdk_types::components::{Color, Radius, RotationQuat, TextLogLevel, Translation3D};
use std::time::Duration;

/// Rows of a column that are sent at once.
const ROWS: usize = 1024;
/// Simulated time after which the pose of a resting link is sent again: a server drops its oldest data.
const REFRESH_NS: u64 = 10_000_000_000;
/// Simulated duration of a piece of a trail.
const PIECE_NS: u64 = 200_000_000;
/// Shortest step of a trail (m).
const STEP_M: f32 = 0.01;
/// Heights of trails above the ground: true, odometry, estimate (m). The true one is on top.
const TRAILS_M: [f32; 3] = [0.012, 0.008, 0.010];
/// Smallest side of the floor (m).
const FLOOR_M: f32 = 20.0;
/// Margin of the floor around all content (m).
const MARGIN_M: f32 = 2.0;

/// Heights of a track's surface and of its edge lines above the ground (m).
const ROAD_M: f32 = 0.005;
const LINES_M: f32 = 0.02;

const ROAD: [f32; 4] = [0.27, 0.28, 0.30, 1.0];
const FLOOR: [f32; 4] = [0.80, 0.81, 0.83, 1.0];

/// Colours of agents, in turn: colour-blind safe palette (Wong, Nature Methods 8, 441, 2011).
const AGENTS: [[f32; 3]; 6] = [
    [0.0, 0.45, 0.70],
    [0.84, 0.37, 0.0],
    [0.0, 0.62, 0.45],
    [0.80, 0.47, 0.65],
    [0.34, 0.71, 0.91],
    [0.90, 0.62, 0.0],
];
/// Colour of measured values beside the truth.
const MEASURED: [f32; 4] = [0.90, 0.62, 0.0, 1.0];
/// Colour of filter estimates.
const ESTIMATED: [f32; 4] = [0.80, 0.47, 0.65, 1.0];

/// Colour of remembered events.
const MEMORY: [f32; 3] = [0.94, 0.89, 0.26];
/// Height of remembered events above the ground (m), and their radius at full strength (m).
const MEMORY_M: f32 = 0.02;
const MEMORY_RADIUS_M: f32 = 0.18;

/// Colour of lidar points if there is only one agent.
const LIDAR_POINTS: [f32; 4] = [0.84, 0.12, 0.12, 1.0];

/// Colour of the agent with this index.
pub(crate) fn agent_colour(index: usize) -> [f32; 4] {
    let [r, g, b] = AGENTS[index % AGENTS.len()];
    [r, g, b, 1.0]
}

/// Error that ends a recording.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    #[error(transparent)]
    Stream(#[from] RecordingStreamError),
    #[error(transparent)]
    Flush(#[from] SinkFlushError),
}

/// Scalar time series.
struct Series {
    path: EntityPath,
    stamps: Stamps,
    numbers: Vec<f64>,
    lengths: Vec<usize>,
}

impl Series {
    fn send(&mut self, to: &RecordingStream) -> RecordingStreamResult<()> {
        if self.lengths.is_empty() {
            return Ok(());
        }
        let lengths = std::mem::take(&mut self.lengths);
        let columns = Scalars::new(self.numbers.drain(..)).columns(lengths)?;
        to.send_columns(self.path.clone(), self.stamps.take(), columns)
    }
}

/// Pose of a link over time.
struct Track {
    path: EntityPath,
    stamps: Stamps,
    translations: Vec<Translation3D>,
    rotations: Vec<RotationQuat>,
    /// Last pose sent, and its time (ns).
    last: Option<(Pose, u64)>,
}

impl Track {
    fn send(&mut self, to: &RecordingStream) -> RecordingStreamResult<()> {
        if self.translations.is_empty() {
            return Ok(());
        }
        let columns = Transform3D::new()
            .with_many_translation(self.translations.drain(..))
            .with_many_quaternion(self.rotations.drain(..))
            .columns_of_unit_batches()?;
        to.send_columns(self.path.clone(), self.stamps.take(), columns)
    }
}

/// Trajectory of an agent. Each piece is a row of its own, and the view shows all rows up to its cursor: so the data
/// grows linearly with the length of the run, not with its square.
struct Trail {
    path: EntityPath,
    points_m: Vec<[f32; 3]>,
    /// Start of the present piece (ns).
    since_ns: u64,
}

impl Trail {
    fn push(&mut self, to: &RecordingStream, at_m: Vec3, now_ns: u64) -> RecordingStreamResult<()> {
        let step = self
            .points_m
            .last()
            .map(|&last| Vec3::from(last).distance(at_m));
        if step.is_none_or(|step| step >= STEP_M) {
            self.points_m.push(at_m.to_array());
        }
        let complete = self.points_m.len() >= 2 && now_ns >= self.since_ns + PIECE_NS;
        if !complete {
            return Ok(());
        }
        self.since_ns = now_ns;
        let end = self.points_m.last().copied();
        let piece = std::mem::take(&mut self.points_m);
        self.points_m.extend(end);
        to.log(self.path.clone(), &LineStrips3D::new([piece]))
    }
}

/// Temporal entities of an agent.
struct DrawnAgent {
    tracks: Vec<Track>,
    /// Trails: true, odometry, filter estimate.
    trails: [Trail; 3],
    plan: EntityPath,
    forward_yaw_rad: f64,
    /// Reference point of odometry and path following, in the root frame (m).
    centre_m: Vec3,
    /// Height of the root's origin above the lowest point (m).
    clearance_m: f32,
    /// Height of the ground at the start (m).
    ground_m: f32,
    /// Look-ahead point drawn last (m).
    pursued_m: Option<[f32; 3]>,
    /// Remembered events, and the one most similar to the present.
    memories: [EntityPath; 2],
}

/// Recording of one run.
pub(crate) struct Recording {
    to: RecordingStream,
    tick_ns: u64,
    series: Vec<Series>,
    agents: Vec<DrawnAgent>,
    lidars: Vec<EntityPath>,
    /// Of each image, its path and media type.
    images: Vec<(EntityPath, &'static str)>,
    marks: Vec<marks::Drawn>,
    events: EntityPath,
    memory: MemoryPage,
    /// Batches of this run before this recording started, not logged yet.
    missed: u64,
}

/// Data that a recording of a run starts with; kept for viewers that connect late.
pub(crate) struct Run {
    store: StoreId,
    about: RecordingInfo,
    scene_name: String,
    stage: Stage,
}

impl Run {
    pub(crate) fn new(scene_name: &str, name: String, stage: Stage) -> Self {
        // Blueprints belong to an application id: one for each scene.
        let application = ApplicationId::new_or_unknown(format!("becomingone_{scene_name}"));
        let (_, store, ..) = RecordingStreamBuilder::new(application).into_args();
        Self {
            store: store.store_id,
            about: RecordingInfo::new()
                .with_name(name)
                .with_start_time(re_sdk_types::components::Timestamp::now()),
            scene_name: scene_name.to_owned(),
            stage,
        }
    }
}

impl Recording {
    /// Logs the static content. `missed` is the count of batches of this run before the recording started.
    pub(crate) fn start(output: &Output, run: &Run, missed: u64) -> Result<Self, RecordingError> {
        let Run {
            store,
            about,
            scene_name,
            stage,
        } = run;
        let builder = RecordingStreamBuilder::from_store_id(store);
        let (_, store, _, batcher, hooks, _) = builder.into_args();
        let sink = Box::new(output.clone());
        let to = RecordingStream::new(store, Some(about.clone()), batcher, hooks, sink)?;
        to.set_log_time_enabled(false);
        to.set_log_tick_enabled(false);
        blueprint::send(&to, stage)?;
        to.log_static("world", &ViewCoordinates::RIGHT_HAND_Z_UP())?;
        to.log_static(
            "about",
            &TextDocument::from_markdown(stage.about(scene_name)),
        )?;
        if !stage.scene.is_empty() {
            to.log_static("scene", &TextDocument::new(stage.scene.as_str()))?;
        }
        if stage.ground {
            shapes::show(&to, entity(["world", "ground"]), &floor(stage))?;
        }
        for (name, geometry) in &stage.obstacles {
            shapes::show(&to, entity(["world", "obstacles", name]), geometry)?;
        }
        if let Some(track) = &stage.track {
            draw_track(&to, track)?;
        }
        let alone = stage.agents.len() == 1;
        let mut agents = Vec::new();
        for (index, agent) in stage.agents.iter().enumerate() {
            agents.push(draw_agent(&to, index, agent)?);
        }
        for lidar in &stage.lidars {
            let rgba = if alone {
                LIDAR_POINTS
            } else {
                agent_colour(lidar.agent)
            };
            let style = Points3D::update_fields()
                .with_colors([colour(rgba)])
                .with_radii([Radius::new_ui_points(2.0)]);
            to.log_static(entity(&lidar.path), &style)?;
        }
        let mut marks = Vec::new();
        for mark in &stage.marks {
            let rgba = if alone {
                MEASURED
            } else {
                agent_colour(mark.agent)
            };
            marks.push(marks::Drawn::new(&to, mark, rgba)?);
        }
        for path in &stage.series {
            if let Some(style) = series_style(path, stage, alone) {
                to.log_static(entity(path), &style)?;
            }
        }
        let mut recording = Self {
            tick_ns: stage.tick_ns,
            series: stage
                .series
                .iter()
                .map(|path| Series {
                    path: entity(path),
                    stamps: Stamps::default(),
                    numbers: Vec::new(),
                    lengths: Vec::new(),
                })
                .collect(),
            agents,
            lidars: stage.lidars.iter().map(|l| entity(&l.path)).collect(),
            images: (stage.images.iter())
                .map(|i| (entity(&i.path), i.encoding))
                .collect(),
            marks,
            events: entity(["events"]),
            memory: MemoryPage::new(stage.agents.iter().map(|a| a.name.clone())),
            missed: 0,
            to,
        };
        recording.set_time(0);
        for (drawn, agent) in recording.agents.iter_mut().zip(&stage.agents) {
            drawn.place(&recording.to, &agent.poses, 0, stage.tick_ns)?;
        }
        recording.missed = missed;
        Ok(recording)
    }

    /// Sets the time of the following log calls (ns).
    fn set_time(&self, ns: u64) {
        self.to
            .set_time(SIM_TIME, TimeCell::from_duration_nanos(ns as i64));
        let tick = ns / self.tick_ns.max(1);
        self.to.set_time(TICK, TimeCell::from_sequence(tick as i64));
    }

    /// Records the data of one tick.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), RecordingError> {
        self.set_time(batch.now_ns);
        let dropped = batch.dropped_before + std::mem::take(&mut self.missed);
        if dropped > 0 {
            self.log_dropped(dropped)?;
        }
        self.write_rows(batch)?;
        self.write_bodies(batch)?;
        for pursued in &batch.pursued {
            if let Some(drawn) = self.agents.get_mut(pursued.agent as usize) {
                drawn.draw_look_ahead(&self.to, pursued.root, pursued.target_m)?;
            }
        }
        let mut from = 0;
        for scan in &batch.scan_frames {
            let to = from + scan.len as usize;
            if let (Some(path), Some(ranges_m)) = (
                self.lidars.get(scan.lidar as usize),
                batch.ranges_m.get(from..to),
            ) {
                self.set_time(scan.ns);
                let points = Points3D::new(points(scan, ranges_m));
                self.to.log(path.clone(), &points)?;
            }
            from = to;
        }
        let mut from = 0;
        for image in &batch.images {
            let to = from + image.len as usize;
            if let (Some((path, encoding)), Some(bytes)) = (
                self.images.get(image.image as usize),
                batch.bytes.get(from..to),
            ) {
                self.set_time(image.ns);
                let picture = EncodedImage::from_file_contents(bytes.to_vec());
                self.to
                    .log(path.clone(), &picture.with_media_type(*encoding))?;
            }
            from = to;
        }
        self.set_time(batch.now_ns);
        self.write_memories(batch)?;
        for mark in &batch.marks {
            let (sensor, ns) = mark.of();
            if let Some(drawn) = self.marks.get(sensor) {
                self.set_time(ns);
                drawn.draw(&self.to, mark)?;
            }
        }
        for event in &batch.events {
            self.set_time(event.now_ns);
            self.log_event(event)?;
        }
        Ok(())
    }

    fn write_memories(&mut self, batch: &Batch) -> RecordingStreamResult<()> {
        let mut from = 0;
        for frame in &batch.memory_frames {
            let to = from + frame.len as usize;
            if let (Some(drawn), Some(memories)) = (
                self.agents.get(frame.agent as usize),
                batch.memories.get(from..to),
            ) {
                drawn.draw_memories(&self.to, frame, memories)?;
                self.memory.update(frame, memories);
            }
            from = to;
        }
        if !batch.memory_frames.is_empty() {
            let page = TextDocument::from_markdown(self.memory.text());
            self.to.log(entity(["memory"]), &page)?;
        }
        Ok(())
    }

    fn write_rows(&mut self, batch: &Batch) -> RecordingStreamResult<()> {
        let mut from = 0;
        for row in &batch.rows {
            let to = from + row.len as usize;
            if let (Some(series), Some(numbers)) = (
                self.series.get_mut(row.series as usize),
                batch.numbers.get(from..to),
            ) {
                series.stamps.push(row.ns, self.tick_ns);
                series.numbers.extend_from_slice(numbers);
                series.lengths.push(numbers.len());
                if series.lengths.len() >= ROWS {
                    series.send(&self.to)?;
                }
            }
            from = to;
        }
        Ok(())
    }

    fn write_bodies(&mut self, batch: &Batch) -> RecordingStreamResult<()> {
        let mut from = 0;
        for body in &batch.bodies {
            let to = from + body.links as usize;
            if let (Some(drawn), Some(poses)) = (
                self.agents.get_mut(body.agent as usize),
                batch.poses.get(from..to),
            ) {
                drawn.place(&self.to, poses, batch.now_ns, self.tick_ns)?;
                drawn.extend_trails(
                    &self.to,
                    poses,
                    [body.odometry_m, body.estimate_m],
                    batch.now_ns,
                )?;
            }
            from = to;
        }
        Ok(())
    }

    fn log_event(&self, event: &AgentEvent) -> RecordingStreamResult<()> {
        let level = match event.kind {
            EventKind::Collision(_)
            | EventKind::OffTrack(_)
            | EventKind::Stopped(_)
            | EventKind::RequestDropped { .. }
            | EventKind::RequestRefused { .. } => TextLogLevel::WARN,
            _ => TextLogLevel::INFO,
        };
        let text = format!("{}: {}", event.agent, event.kind);
        self.to
            .log(self.events.clone(), &TextLog::new(text).with_level(level))
    }

    fn log_dropped(&self, count: u64) -> RecordingStreamResult<()> {
        let text = format!("recording: {count} ticks before this one were dropped");
        let line = TextLog::new(text).with_level(TextLogLevel::ERROR);
        self.to.log(self.events.clone(), &line)
    }

    /// Sends all collected rows.
    pub(crate) fn flush(&mut self) -> Result<(), RecordingError> {
        for series in &mut self.series {
            series.send(&self.to)?;
        }
        for agent in &mut self.agents {
            for track in &mut agent.tracks {
                track.send(&self.to)?;
            }
        }
        Ok(())
    }

    /// Sends all rows and waits at most `limit` for the sink to flush.
    pub(crate) fn finish(&mut self, dropped: u64, limit: Duration) -> Result<(), RecordingError> {
        if dropped > 0 {
            self.log_dropped(dropped)?;
        }
        self.flush()?;
        Ok(self.to.flush_with_timeout(limit)?)
    }
}

/// Draws the surface of a track, and its edges as lines.
fn draw_track(to: &RecordingStream, track: &StageTrack) -> RecordingStreamResult<()> {
    let raised = |z: f32| move |&[x, y, _]: &[f32; 3]| [x, y, z];
    let [left, right] = &track.edges_m;
    let n = left.len() as u32;
    let both = left.iter().zip(right).flat_map(|(l, r)| [l, r]);
    let pieces = if track.closed { n } else { n - 1 };
    let triangles = (0..pieces).flat_map(|k| {
        let (a, b) = (2 * k, 2 * ((k + 1) % n));
        [[a, a + 1, b], [b, a + 1, b + 1]]
    });
    let road = Mesh3D::new(both.map(raised(ROAD_M)))
        .with_vertex_normals((0..2 * n).map(|_| [0.0, 0.0, 1.0]))
        .with_triangle_indices(triangles)
        .with_albedo_factor(colour(ROAD).0);
    to.log_static(entity(["world", "track", "road"]), &road)?;
    let lines = track.edges_m.iter().map(|edge| {
        let first = edge.first().filter(|_| track.closed);
        edge.iter()
            .chain(first)
            .map(raised(LINES_M))
            .collect::<Vec<_>>()
    });
    let lines = LineStrips3D::new(lines)
        .with_colors([Color::from_rgb(245, 245, 245)])
        .with_radii([Radius::new_ui_points(1.2)]);
    to.log_static(entity(["world", "track", "edges"]), &lines)
}

/// Draws the planned speed profile as points, from slow (dark) to fast (bright).
fn draw_speed_profile(to: &RecordingStream, agent: &StageAgent) -> RecordingStreamResult<()> {
    if agent.planned.is_empty() {
        return Ok(());
    }
    let speeds = agent.planned.iter().map(|p| p.1);
    let (slow, fast) = speeds.fold((f32::INFINITY, 0.0f32), |(l, h), v| (l.min(v), h.max(v)));
    let share = |v: f32| (v - slow) / (fast - slow).max(1e-6);
    let places = agent.planned.iter().map(|([x, y, _], _)| [*x, *y, LINES_M]);
    let points = Points3D::new(places)
        .with_colors(agent.planned.iter().map(|p| colour(viridis(share(p.1)))))
        .with_labels(
            agent
                .planned
                .iter()
                .map(|p| format!("{:.1} m/s planned", p.1)),
        )
        .with_show_labels(false)
        .with_radii([Radius::new_scene_units(0.22)]);
    to.log_static(entity(["world", &agent.name, "planned"]), &points)
}

/// Colour map viridis (van der Walt and Smith, 2015), interpolated between five of its colours.
fn viridis(share: f32) -> [f32; 4] {
    const COLOURS: [[f32; 3]; 5] = [
        [0.267, 0.005, 0.329],
        [0.229, 0.322, 0.546],
        [0.128, 0.567, 0.551],
        [0.369, 0.789, 0.383],
        [0.993, 0.906, 0.144],
    ];
    let x = share.clamp(0.0, 1.0) * 4.0;
    let k = (x as usize).min(3);
    let t = x - k as f32;
    let [r, g, b] = std::array::from_fn(|c| COLOURS[k][c] * (1.0 - t) + COLOURS[k + 1][c] * t);
    [r, g, b, 1.0]
}

/// Logs the static content of an agent.
fn draw_agent(
    to: &RecordingStream,
    index: usize,
    agent: &StageAgent,
) -> RecordingStreamResult<DrawnAgent> {
    let own = |leaf: &[&str]| entity(["world", &agent.name].iter().chain(leaf));
    let links = agent.model.iter().flat_map(|m| &m.links);
    let mut tracks = Vec::new();
    for link in links {
        let geometries = if link.visuals.is_empty() {
            &link.colliders
        } else {
            &link.visuals
        };
        let path = own(&["links", &link.name]);
        for (k, geometry) in geometries.iter().enumerate() {
            let shape = path.join(&entity([format!("shape {k}")]));
            shapes::show(to, shape, geometry)?;
        }
        tracks.push(Track {
            path,
            stamps: Stamps::default(),
            translations: Vec::new(),
            rotations: Vec::new(),
            last: None,
        });
    }
    let trail = |leaf: &str, rgba: [f32; 4]| {
        let path = own(&["trajectory", leaf]);
        let style = LineStrips3D::update_fields()
            .with_colors([colour(rgba)])
            .with_radii([Radius::new_ui_points(1.5)]);
        to.log_static(path.clone(), &style)?;
        Ok::<_, RecordingStreamError>(Trail {
            path,
            points_m: Vec::new(),
            since_ns: 0,
        })
    };
    let trails = [
        trail("true", agent_colour(index))?,
        trail("odometry", MEASURED)?,
        trail("estimate", ESTIMATED)?,
    ];
    let clearance_m = agent.model.as_ref().map_or(0.0, |m| -m.lowest_m());
    let ground_m = agent
        .poses
        .first()
        .map_or(0.0, |root| root.translation_m.z - clearance_m);
    let plan = own(&["plan"]);
    let style = Points3D::update_fields()
        .with_colors([colour(agent_colour(index))])
        .with_radii([Radius::new_ui_points(4.0)]);
    to.log_static(plan.clone(), &style)?;
    let memories = [own(&["memories"]), own(&["memories", "like now"])];
    draw_speed_profile(to, agent)?;
    if !agent.goals_m.is_empty() {
        let goals = agent.goals_m.iter();
        let at = goals.map(|[x, y]| [*x as f32, *y as f32, ground_m + 0.02]);
        let goals = Points3D::new(at)
            .with_labels((1..=agent.goals_m.len()).map(|k| format!("goal {k}")))
            .with_show_labels(false)
            .with_colors([Color::from_rgb(40, 160, 70)])
            .with_radii([Radius::new_scene_units(0.08)]);
        to.log_static(own(&["goals"]), &goals)?;
    }
    Ok(DrawnAgent {
        tracks,
        trails,
        plan,
        forward_yaw_rad: agent.forward_yaw_rad,
        centre_m: agent.centre_m,
        clearance_m,
        ground_m,
        pursued_m: None,
        memories,
    })
}

impl DrawnAgent {
    /// Adds the poses of the links that moved.
    fn place(
        &mut self,
        to: &RecordingStream,
        poses: &[Pose],
        now_ns: u64,
        tick_ns: u64,
    ) -> RecordingStreamResult<()> {
        for (track, &pose) in self.tracks.iter_mut().zip(poses) {
            if let Some((last, at_ns)) = track.last
                && last == pose
                && now_ns < at_ns + REFRESH_NS
            {
                continue;
            }
            track.last = Some((pose, now_ns));
            track.stamps.push(now_ns, tick_ns);
            track.translations.push(translation(pose.translation_m));
            track.rotations.push(quaternion(pose));
            if track.translations.len() >= ROWS {
                track.send(to)?;
            }
        }
        Ok(())
    }

    /// Extends the trails.
    fn extend_trails(
        &mut self,
        to: &RecordingStream,
        poses: &[Pose],
        estimated_m: [Option<[f64; 2]>; 2],
        now_ns: u64,
    ) -> RecordingStreamResult<()> {
        let [truth, estimates @ ..] = &mut self.trails;
        if let Some(root) = poses.first() {
            let down = Vec3::Z * (TRAILS_M[0] - self.clearance_m);
            truth.push(to, root.point(self.centre_m) + down, now_ns)?;
        }
        for ((trail, at_m), up_m) in estimates.iter_mut().zip(estimated_m).zip(&TRAILS_M[1..]) {
            if let Some([x, y]) = at_m {
                let at = Vec3::new(x as f32, y as f32, self.ground_m + up_m);
                trail.push(to, at, now_ns)?;
            }
        }
        Ok(())
    }

    /// Draws the remembered events; weaker ones are fainter and smaller.
    fn draw_memories(
        &self,
        to: &RecordingStream,
        frame: &MemoryFrame,
        memories: &[MemoryEntry],
    ) -> RecordingStreamResult<()> {
        let down = Vec3::Z * (MEMORY_M - self.clearance_m);
        let place = |m: &MemoryEntry| m.position_m.map(|p| (Vec3::from(p) + down).to_array());
        let placed = || memories.iter().filter(|m| m.position_m.is_some());
        if placed().next().is_none() {
            return Ok(());
        }
        let [r, g, b] = MEMORY;
        let points = Points3D::new(placed().filter_map(place))
            .with_colors(placed().map(|m| colour([r, g, b, m.strength as f32])))
            .with_radii(placed().map(|m| {
                let radius_m = MEMORY_RADIUS_M * m.strength.sqrt() as f32;
                Radius::new_scene_units(radius_m)
            }))
            .with_labels(placed().map(|m| m.label.to_string()))
            .with_show_labels(false);
        let [all, like] = &self.memories;
        to.log(all.clone(), &points)?;
        let likeness = frame.likeness.as_ref().and_then(|like| {
            let memory = memories.iter().find(|m| m.serial == like.serial)?;
            Some((place(memory)?, format!("similar to {}", like.label)))
        });
        let (at, label) = likeness.map_or((None, None), |(at, l)| (Some(at), Some(l)));
        let ring = Points3D::new(at)
            .with_colors([colour([r, g, b, 0.5])])
            .with_radii([Radius::new_scene_units(MEMORY_RADIUS_M * 1.5)])
            .with_labels(label)
            .with_show_labels(true);
        to.log(like.clone(), &ring)
    }

    /// Draws the look-ahead point.
    fn draw_look_ahead(
        &mut self,
        to: &RecordingStream,
        root: Pose,
        target_m: Option<[f64; 2]>,
    ) -> RecordingStreamResult<()> {
        let at = target_m.map(|[ahead, left]| {
            let forward = (root.rotation
                * Vec2::from_angle(self.forward_yaw_rad as f32).extend(0.0))
            .with_z(0.0)
            .normalize_or(Vec3::X);
            let side = Vec3::Z.cross(forward);
            let at = root.point(self.centre_m) + forward * ahead as f32 + side * left as f32;
            at.with_z(at.z - self.clearance_m + 0.02).to_array()
        });
        if at == self.pursued_m {
            return Ok(());
        }
        self.pursued_m = at;
        to.log(self.plan.clone(), &Points3D::new(at))
    }
}

/// End points of lidar rays; a ray without a hit has none.
fn points(scan: &ScanFrame, ranges_m: &[f32]) -> Vec<[f32; 3]> {
    let hits = ranges_m.iter().enumerate();
    hits.filter(|(_, range_m)| **range_m < scan.range_max_m)
        .map(|(k, range_m)| {
            let angle = scan.angle_min_rad + k as f32 * scan.angle_step_rad;
            let at = Vec2::from_angle(angle).extend(0.0) * *range_m;
            scan.pose.point(at).to_array()
        })
        .collect()
}

/// Floor plate under all content; its top is the ground plane.
fn floor(stage: &Stage) -> Geometry {
    let [low, high] = stage.bounds_m().unwrap_or_default();
    let half = ((high - low) / 2.0 + MARGIN_M).max(Vec3::splat(FLOOR_M / 2.0));
    let thickness_m = 0.02;
    Geometry {
        pose: Pose::new(
            ((low + high) / 2.0).with_z(-thickness_m / 2.0),
            glam::Quat::IDENTITY,
        ),
        shape: Shape::Box {
            half_extents_m: half.with_z(thickness_m / 2.0),
        },
        rgba: FLOOR,
        contacts: becomingone_components::contact_mask::ContactMask::default(),
    }
}

/// Name and colour of a series in plots.
fn series_style(path: &Path, stage: &Stage, alone: bool) -> Option<SeriesLines> {
    let [root, agent, leaf @ ..] = path.as_slice() else {
        return None;
    };
    if root != "plots" {
        return None;
    }
    if agent == FLEET {
        let (name, rgba, width) = match leaf {
            [leaf] if leaf == "r" => ("r", agent_colour(0), 2.0),
            [leaf] if leaf == "r_theory" => ("r (theory)", MEASURED, 1.0),
            _ => return None,
        };
        return Some(
            SeriesLines::new()
                .with_names([name])
                .with_colors([colour(rgba)])
                .with_widths([width]),
        );
    }
    let index = stage.agents.iter().position(|a| a.name == *agent)?;
    let own = agent_colour(index);
    let pale = [
        (own[0] + 1.0) / 2.0,
        (own[1] + 1.0) / 2.0,
        (own[2] + 1.0) / 2.0,
        1.0,
    ];
    let leaf: Vec<&str> = leaf.iter().map(String::as_str).collect();
    let (name, rgba) = match leaf.as_slice() {
        ["kernel", "order"] => ("Emissary", own),
        ["kernel", "order_master"] => ("Master", if alone { MEASURED } else { pale }),
        ["kernel", "memory"] => ("event memory", own),
        ["kernel", "surprise"] => ("surprise", own),
        ["kernel", "limit"] => ("limit", [0.75, 0.75, 0.75, 1.0]),
        ["kernel", "k1"] => ("K1 autocorrelation", [0.34, 0.71, 0.91, 1.0]),
        ["kernel", "k2"] => ("K2 mean shift", [0.80, 0.47, 0.65, 1.0]),
        ["kernel", "k3"] => ("K3 energy", [0.0, 0.62, 0.45, 1.0]),
        ["kernel", "innovations_motion"] => ("motion innovations", [0.94, 0.89, 0.26, 1.0]),
        ["kernel", "lidar"] => ("lidar", [0.60, 0.60, 0.90, 1.0]),
        ["kernel", "innovations_gnss"] => ("GNSS innovations", [0.0, 0.45, 0.70, 1.0]),
        ["kernel", "nis"] => ("NIS", [0.58, 0.44, 0.35, 1.0]),
        ["governor", "limit"] => ("speed limit", [0.80, 0.36, 0.36, 1.0]),
        ["kernel", "coherence"] => ("coherence", if alone { MEASURED } else { pale }),
        ["kernel", "faults"] => ("active faults (truth)", [0.84, 0.37, 0.0, 1.0]),
        ["speed"] => ("speed m/s", own),
        ["command", "linear"] => ("command m/s", if alone { MEASURED } else { pale }),
        ["command", "angular"] => ("yaw rate rad/s", [0.80, 0.47, 0.65, 1.0]),
        ["command", "steering"] => ("steering rad", [0.80, 0.47, 0.65, 1.0]),
        _ => return None,
    };
    let name = if alone {
        name.to_owned()
    } else {
        format!("{agent}: {name}")
    };
    Some(
        SeriesLines::new()
            .with_names([name])
            .with_colors([colour(rgba)])
            .with_widths([1.5]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::Quat;

    #[test]
    fn ray_without_a_hit_has_no_point() {
        let scan = ScanFrame {
            lidar: 0,
            ns: 0,
            pose: Pose::new(
                Vec3::new(1.0, 0.0, 0.5),
                Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
            ),
            angle_min_rad: 0.0,
            angle_step_rad: std::f32::consts::FRAC_PI_2,
            range_max_m: 10.0,
            len: 3,
        };
        let found = points(&scan, &[2.0, 10.0, 3.0]);
        // Yaw of 90 degrees: the first ray points along y, the third along -y.
        let expected = [Vec3::new(1.0, 2.0, 0.5), Vec3::new(1.0, -3.0, 0.5)];
        assert_eq!(found.len(), 2);
        for (p, e) in found.iter().zip(expected) {
            assert!((Vec3::from(*p) - e).length() < 1e-5, "{p:?}");
        }
    }
}
