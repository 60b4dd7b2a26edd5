//! Conversion of batches to records of an MCAP file.

use crate::batch::{Batch, Entry, Row};
use crate::file::Out;
use crate::opening::Opening;
use crate::stage::{Draw, Form, Stage};
use crate::{draw, json};
use becomingone_components::event::AgentEvent;
use foxglove::Encode;
use foxglove::messages::FrameTransforms;
use mcap::records::{MessageHeader, Metadata};
use mcap::{Attachment, McapError, McapResult, WriteOptions};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// MCAP profile in the header of a recording.
pub const PROFILE: &str = "becomingone";
/// Metadata record of the run: program, scene, seed.
pub const RUN_METADATA: &str = "becomingone.run";
/// Metadata record at the end of a closed recording.
pub const END_METADATA: &str = "becomingone.end";
/// Version of the journal format; others are refused.
pub const JOURNAL_VERSION: u32 = 2;
/// Attachment with the resolved scene.
pub const SCENE_ATTACHMENT: &str = "scene.ron";

/// Topics of the journal format.
pub(crate) const RUN: &str = "/journal/run";
pub(crate) const HASH: &str = "/journal/hash";
pub(crate) const ENTERED: &str = "/journal/entered";
/// Topic of events.
pub const EVENTS: &str = "/journal/events";
pub(crate) const DROPPED: &str = "/journal/dropped";

/// Chunk size before compression (bytes).
const CHUNK: u64 = 1 << 20;

/// MCAP channels of a topic, created with its first message.
#[derive(Clone, Copy, Default)]
struct Channels {
    numbers: Option<u16>,
    drawn: Option<u16>,
    drawn_points: Option<u16>,
}

/// Writer of a recording.
pub(crate) struct Writer {
    to: mcap::Writer<Out>,
    opening: Opening,
    stage: Stage,
    channels: Vec<Channels>,
    /// Channels by topic.
    others: BTreeMap<&'static str, u16>,
    /// Channels of true poses, by agent.
    poses: Vec<Option<u16>>,
    /// Runs started.
    runs: u64,
    /// Start of the present run in the file's time (ns): each run continues where the last one ended.
    begin_ns: u64,
    /// Latest time in the file (ns).
    end_ns: u64,
    tick: u64,
    now_ns: u64,
    hash: u64,
    parts: Vec<(&'static str, u64)>,
    transforms: FrameTransforms,
    dropped: u64,
    text: Vec<u8>,
}

impl Writer {
    /// Starts a file.
    pub(crate) fn new(out: Out, opening: Opening) -> McapResult<Self> {
        let to = WriteOptions::new()
            .profile(PROFILE)
            .library(concat!("becomingone ", env!("CARGO_PKG_VERSION")))
            // Without seeking, chunks are complete or absent: a truncated file is readable up to its last chunk.
            .disable_seeking(true)
            .chunk_size(Some(CHUNK))
            .compression(Some(mcap::Compression::Zstd))
            .compression_level(1)
            // Compress in this thread only.
            .compression_threads(0)
            .create(out)?;
        Ok(Self {
            to,
            opening,
            stage: Stage::default(),
            channels: Vec::new(),
            others: BTreeMap::new(),
            poses: Vec::new(),
            runs: 0,
            begin_ns: 0,
            end_ns: 0,
            tick: 0,
            now_ns: 0,
            hash: 0,
            parts: Vec::new(),
            transforms: FrameTransforms::default(),
            dropped: 0,
            text: Vec::new(),
        })
    }

    /// Simulated time of the last tick written (ns).
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Flushes to the operating system: all data written so far becomes readable.
    pub(crate) fn flush(&mut self) -> McapResult<()> {
        self.to.flush()
    }

    /// Closes the file.
    pub(crate) fn finish(&mut self) -> McapResult<()> {
        if self.runs > 0 {
            let metadata = [
                ("runs", self.runs.to_string()),
                ("ticks", self.tick.to_string()),
                ("now_ns", self.now_ns.to_string()),
                ("hash", format!("{:016x}", self.hash)),
                ("dropped", self.dropped.to_string()),
            ];
            let metadata = metadata.map(|(key, value)| (key.to_owned(), value)).into();
            self.to.write_metadata(&Metadata {
                name: END_METADATA.to_owned(),
                metadata,
            })?;
        }
        self.to.finish()?;
        Ok(())
    }

    /// Returns the file without closing it.
    pub(crate) fn into_file(self) -> Out {
        self.to.into_inner()
    }

    /// Writes a batch.
    pub(crate) fn write(&mut self, batch: &mut Batch) -> McapResult<()> {
        if batch.dropped_before > 0 {
            self.dropped += batch.dropped_before;
            self.text.clear();
            let text = format!("{{\"ticks\":{}}}", batch.dropped_before);
            self.text.extend_from_slice(text.as_bytes());
            let channel = self.own(DROPPED, "dropped")?;
            self.message(channel, self.now_ns, self.now_ns)?;
            // Changes of parts in between are unknown: write all parts again.
            self.parts.clear();
        }
        let (mut number, mut byte, mut pose, mut part) = (0, 0, 0, 0);
        let mut entries = std::mem::take(&mut batch.entries);
        for entry in entries.drain(..) {
            match entry {
                Entry::Stage(stage) => self.begin(*stage)?,
                Entry::Topics(added) => {
                    self.stage.topics.extend(added);
                    let topics = self.stage.topics.len();
                    self.channels.resize(topics, Channels::default());
                }
                Entry::Tick { tick, now_ns } => (self.tick, self.now_ns) = (tick, now_ns),
                Entry::Frame(frame) => {
                    self.text.clear();
                    json::frame(&mut self.text, self.tick, &frame);
                    let channel = self.own(ENTERED, "entered")?;
                    self.message(channel, frame.arrival_ns, frame.source_ns)?;
                }
                Entry::Row(row) => {
                    let to = number + row.len as usize;
                    let numbers = batch.numbers.get(number..to).unwrap_or_default();
                    number = to;
                    let to = byte + row.bytes as usize;
                    let bytes = batch.bytes.get(byte..to).unwrap_or_default();
                    byte = to;
                    self.row(&row, numbers, bytes)?;
                }
                Entry::Body { agent, links } => {
                    let to = pose + links as usize;
                    let poses = batch.poses.get(pose..to).unwrap_or_default();
                    self.body(agent as usize, poses)?;
                    pose = to;
                }
                Entry::AgentEvent(event) => self.write_event(&event)?,
                Entry::Hash { hash, parts } => {
                    let to = part + parts as usize;
                    self.hash = hash;
                    self.text.clear();
                    json::hash(
                        &mut self.text,
                        self.tick,
                        self.now_ns,
                        hash,
                        batch.parts.get(part..to).unwrap_or_default(),
                        &mut self.parts,
                    );
                    part = to;
                    self.send_frames()?;
                    let channel = self.own(HASH, "hash")?;
                    self.message(channel, self.now_ns, self.now_ns)?;
                }
            }
        }
        batch.entries = entries;
        Ok(())
    }

    /// Starts a run.
    fn begin(&mut self, stage: Stage) -> McapResult<()> {
        self.runs += 1;
        if self.runs == 1 {
            self.open(&stage)?;
        } else {
            // One tick apart, so that the runs follow each other.
            self.begin_ns = self.end_ns.saturating_add(stage.tick_ns);
        }
        (self.tick, self.now_ns) = (0, 0);
        self.parts.clear();
        if self.stage.topics != stage.topics {
            self.channels.clear();
        }
        self.channels
            .resize(stage.topics.len(), Channels::default());
        self.poses.clear();
        self.poses.resize(stage.agents.len(), None);
        self.stage = stage;
        self.text.clear();
        let text = format!(
            "{{\"run\":{},\"tick_ns\":{},\"seed\":{},\"scene_hash\":\"{:016x}\",\"state_hash\":\"{:016x}\",\"links\":{}}}",
            self.runs,
            self.stage.tick_ns,
            self.stage.seed,
            self.stage.scene_hash,
            self.stage.state_hash,
            serde_json::to_string(&self.stage.links).unwrap_or_default()
        );
        self.text.extend_from_slice(text.as_bytes());
        let channel = self.own(RUN, "run")?;
        self.message(channel, 0, 0)?;
        let at_ns = self.begin_ns;
        let scene = draw::scene(&self.stage, at_ns);
        self.drawn_alone("/scene", &scene)?;
        let mounts = draw::mounts(&self.stage, at_ns);
        if !mounts.transforms.is_empty() {
            self.drawn_alone("/tf", &mounts)?;
        }
        Ok(())
    }

    /// Writes the metadata and attachments at the start of the file.
    fn open(&mut self, stage: &Stage) -> McapResult<()> {
        let mut metadata = std::mem::take(&mut self.opening.metadata);
        metadata.extend([
            ("journal".to_owned(), JOURNAL_VERSION.to_string()),
            ("seed".to_owned(), stage.seed.to_string()),
            ("tick_ns".to_owned(), stage.tick_ns.to_string()),
            (
                "scene_hash".to_owned(),
                format!("{:016x}", stage.scene_hash),
            ),
        ]);
        self.to.write_metadata(&Metadata {
            name: RUN_METADATA.to_owned(),
            metadata,
        })?;
        for (name, bytes) in std::mem::take(&mut self.opening.attachments) {
            let media_type = if name == SCENE_ATTACHMENT {
                "text/plain"
            } else {
                "application/octet-stream"
            };
            self.to.attach(&Attachment {
                log_time: 0,
                create_time: 0,
                name,
                media_type: media_type.to_owned(),
                data: Cow::Owned(bytes),
            })?;
        }
        self.flush()
    }

    /// Writes the message in `text`.
    fn message(&mut self, channel: u16, log_ns: u64, publish_ns: u64) -> McapResult<()> {
        let log_time = self.begin_ns.saturating_add(log_ns);
        self.end_ns = self.end_ns.max(log_time);
        let header = MessageHeader {
            channel_id: channel,
            // Truncated: informative only, ticks are 64 bits wide.
            sequence: self.tick as u32,
            log_time,
            publish_time: self.begin_ns.saturating_add(publish_ns),
        };
        self.to.write_to_known_channel(&header, &self.text)
    }

    /// Channel of a `/journal` topic.
    fn own(&mut self, topic: &'static str, schema: &'static str) -> McapResult<u16> {
        if let Some(&channel) = self.others.get(topic) {
            return Ok(channel);
        }
        let text = json::own_schema(schema);
        let name = format!("becomingone.{schema}");
        let schema = self.to.add_schema(&name, "jsonschema", text.as_bytes())?;
        let channel = self
            .to
            .add_channel(schema, topic, "json", &BTreeMap::new())?;
        self.others.insert(topic, channel);
        Ok(channel)
    }

    /// New channel of messages for viewers.
    fn drawn<T: Encode>(&mut self, topic: &str) -> McapResult<u16> {
        let schema = match T::get_schema() {
            Some(schema) => self
                .to
                .add_schema(&schema.name, &schema.encoding, &schema.data)?,
            None => 0,
        };
        let encoding = T::get_message_encoding();
        self.to
            .add_channel(schema, topic, &encoding, &BTreeMap::new())
    }

    fn encode<T: Encode>(&mut self, message: &T) -> McapResult<()> {
        self.text.clear();
        message
            .encode(&mut self.text)
            .map_err(|e| McapError::Io(std::io::Error::other(e.to_string())))
    }

    fn drawn_alone<T: Encode>(&mut self, topic: &'static str, message: &T) -> McapResult<()> {
        let channel = match self.others.get(topic) {
            Some(&channel) => channel,
            None => {
                let channel = self.drawn::<T>(topic)?;
                self.others.insert(topic, channel);
                channel
            }
        };
        self.encode(message)?;
        self.message(channel, self.now_ns, self.now_ns)
    }

    /// Writes a numeric message, and its message for viewers.
    fn row(&mut self, row: &Row, numbers: &[f64], bytes: &[u8]) -> McapResult<()> {
        let index = row.topic as usize;
        let (Some(topic), Some(&known)) = (self.stage.topics.get(index), self.channels.get(index))
        else {
            return Ok(());
        };
        let topic = topic.clone();
        let (name, form) = (&topic.name, &topic.form);
        let channel = match known.numbers {
            Some(channel) => channel,
            None => {
                let channel = self.numbers_channel(name, form, numbers.len())?;
                self.channels[index].numbers = Some(channel);
                channel
            }
        };
        self.text.clear();
        json::row(&mut self.text, form, self.tick, row, numbers, bytes);
        self.message(channel, row.arrival_ns, row.source_ns)?;
        let draw = match form {
            Form::Reading { draw, .. } | Form::Columns { draw, .. } => draw,
            Form::Truth { .. } => return Ok(()),
        };
        let ns = self.begin_ns.saturating_add(row.source_ns);
        match draw {
            Draw::Nothing => Ok(()),
            Draw::Rays {
                frame,
                angle_min_rad,
                angle_step_rad,
                range_max_m,
            } => {
                let angles = [*angle_min_rad, *angle_step_rad];
                let scan = draw::scan(frame, numbers, angles, ns);
                let channel = match known.drawn {
                    Some(channel) => channel,
                    None => self.drawn::<foxglove::messages::LaserScan>(&format!("{name}/scan"))?,
                };
                self.channels[index].drawn = Some(channel);
                self.encode(&scan)?;
                self.message(channel, row.arrival_ns, row.source_ns)?;
                let points = draw::points(frame, numbers, angles, *range_max_m, ns);
                let channel = match known.drawn_points {
                    Some(channel) => channel,
                    None => {
                        self.drawn::<foxglove::messages::PointCloud>(&format!("{name}/points"))?
                    }
                };
                self.channels[index].drawn_points = Some(channel);
                self.encode(&points)?;
                self.message(channel, row.arrival_ns, row.source_ns)
            }
            Draw::Pose2 => {
                let &[x_m, y_m, yaw_rad, ..] = numbers else {
                    return Ok(());
                };
                let channel = match known.drawn {
                    Some(channel) => channel,
                    None => {
                        self.drawn::<foxglove::messages::PoseInFrame>(&format!("{name}/pose"))?
                    }
                };
                self.channels[index].drawn = Some(channel);
                self.encode(&draw::planar(x_m, y_m, yaw_rad, ns))?;
                self.message(channel, row.arrival_ns, row.source_ns)
            }
            Draw::Image { frame, format } => {
                let channel = match known.drawn {
                    Some(channel) => channel,
                    None => {
                        self.drawn::<foxglove::messages::CompressedImage>(&format!("{name}/image"))?
                    }
                };
                self.channels[index].drawn = Some(channel);
                self.encode(&draw::image(frame, format, bytes, ns))?;
                self.message(channel, row.arrival_ns, row.source_ns)
            }
            Draw::Fix { frame } => {
                let Some(fix) = draw::fix(frame, numbers, ns) else {
                    return Ok(());
                };
                let channel = match known.drawn {
                    Some(channel) => channel,
                    None => {
                        self.drawn::<foxglove::messages::LocationFix>(&format!("{name}/fix"))?
                    }
                };
                self.channels[index].drawn = Some(channel);
                self.encode(&fix)?;
                self.message(channel, row.arrival_ns, row.source_ns)
            }
        }
    }

    fn numbers_channel(&mut self, name: &str, form: &Form, count: usize) -> McapResult<u16> {
        let (kind, units, lists) = match form {
            Form::Reading { kind, fields, .. } | Form::Truth { kind, fields } => {
                let units: Vec<&str> = fields.iter().map(|f| f.1.as_str()).collect();
                (Some(*kind), units, count != fields.len())
            }
            Form::Columns { columns, .. } => {
                let units = columns.iter().map(|c| c.unit).collect();
                (None, units, count != columns.len())
            }
        };
        let (schema, text) = json::schema(form, lists);
        let schema = self.to.add_schema(&schema, "jsonschema", text.as_bytes())?;
        let mut metadata = BTreeMap::from([("units".to_owned(), units.join(","))]);
        if let Some(kind) = kind {
            metadata.insert("kind".to_owned(), kind.to_owned());
        }
        self.to.add_channel(schema, name, "json", &metadata)
    }

    /// Collects the frames of an agent's links until the end of the tick, and writes the pose of its root.
    fn body(
        &mut self,
        agent: usize,
        poses: &[becomingone_components::body::Pose],
    ) -> McapResult<()> {
        let Some(body) = self.stage.agents.get(agent) else {
            return Ok(());
        };
        let ns = self.begin_ns.saturating_add(self.now_ns);
        for (link, &pose) in body.model.links.iter().zip(poses) {
            let child = draw::frame(&body.name, &link.name);
            let transform = draw::transform(draw::WORLD, child, pose, ns);
            self.transforms.transforms.push(transform);
        }
        let Some(&root) = poses.first() else {
            return Ok(());
        };
        let channel = match self.poses.get(agent).copied().flatten() {
            Some(channel) => channel,
            None => {
                let topic = format!("/{}/pose", body.name);
                let channel = self.drawn::<foxglove::messages::PoseInFrame>(&topic)?;
                self.poses[agent] = Some(channel);
                channel
            }
        };
        self.encode(&draw::placed(root, ns))?;
        self.message(channel, self.now_ns, self.now_ns)
    }

    fn send_frames(&mut self) -> McapResult<()> {
        if self.transforms.transforms.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        let transforms = std::mem::take(&mut self.transforms);
        self.drawn_alone("/tf", &transforms)?;
        self.transforms = transforms;
        self.transforms.transforms.clear();
        self.text = text;
        Ok(())
    }

    fn write_event(&mut self, event: &AgentEvent) -> McapResult<()> {
        self.text.clear();
        json::event(&mut self.text, self.tick, event);
        let channel = self.own(EVENTS, "events")?;
        self.message(channel, self.now_ns, event.now_ns)?;
        let ns = self.begin_ns.saturating_add(event.now_ns);
        self.drawn_alone("/log", &draw::line(event, ns))
    }
}
