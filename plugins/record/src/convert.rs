//! Conversion of batches to messages on channels, wherever these go.

use crate::batch::{Batch, Entry, Row};
use crate::output::{Channel, Output, RunStart, Schema, Stamp};
use crate::stage::{Draw, Form, Stage};
use crate::{draw, json};
use becomingone_components::event::AgentEvent;
use foxglove::Encode;
use foxglove::messages::FrameTransforms;
use std::collections::BTreeMap;

/// Topics of the journal format.
pub(crate) const RUN: &str = "/journal/run";
pub(crate) const HASH: &str = "/journal/hash";
pub(crate) const ENTERED: &str = "/journal/entered";
/// Topic of events.
pub const EVENTS: &str = "/journal/events";
pub(crate) const DROPPED: &str = "/journal/dropped";

/// Channels of a topic, created with its first message.
#[derive(Clone, Copy, Default)]
struct Channels {
    numbers: Option<u16>,
    drawn: Option<u16>,
    drawn_points: Option<u16>,
}

/// State of a conversion.
pub(crate) struct Converter<O> {
    to: O,
    stage: Stage,
    channels: Vec<Channels>,
    /// Channels by topic.
    others: BTreeMap<&'static str, u16>,
    /// Channels of true poses, by agent.
    poses: Vec<Option<u16>>,
    /// Number of the present run.
    run: u64,
    /// Start of the present run in the time of the messages (ns): each run continues where the last one ended.
    begin_ns: u64,
    /// Latest time of a message (ns).
    end_ns: u64,
    tick: u64,
    now_ns: u64,
    hash: u64,
    parts: Vec<(&'static str, u64)>,
    transforms: FrameTransforms,
    dropped: u64,
    text: Vec<u8>,
}

impl<O: Output> Converter<O> {
    /// Starts with nothing known.
    pub(crate) fn new(to: O) -> Self {
        Self {
            to,
            stage: Stage::default(),
            channels: Vec::new(),
            others: BTreeMap::new(),
            poses: Vec::new(),
            run: 0,
            begin_ns: 0,
            end_ns: 0,
            tick: 0,
            now_ns: 0,
            hash: 0,
            parts: Vec::new(),
            transforms: FrameTransforms::default(),
            dropped: 0,
            text: Vec::new(),
        }
    }

    /// Where messages go.
    pub(crate) fn to(&mut self) -> &mut O {
        &mut self.to
    }

    /// Gives back where messages went.
    pub(crate) fn into_output(self) -> O {
        self.to
    }

    /// Simulated time of the last tick converted (ns).
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Latest time of a message (ns).
    pub(crate) fn end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Runs, ticks, time (ns), hash and dropped ticks so far; none before the first run.
    pub(crate) fn totals(&self) -> Option<[(&'static str, String); 5]> {
        (self.run > 0).then(|| {
            [
                ("runs", self.run.to_string()),
                ("ticks", self.tick.to_string()),
                ("now_ns", self.now_ns.to_string()),
                ("hash", format!("{:016x}", self.hash)),
                ("dropped", self.dropped.to_string()),
            ]
        })
    }

    /// Converts a batch.
    pub(crate) fn convert(&mut self, batch: &mut Batch) -> Result<(), O::Error> {
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
    fn begin(&mut self, stage: Stage) -> Result<(), O::Error> {
        if self.run > 0 && stage.run != self.run && !stage.is_played {
            // One tick apart, so that the runs follow each other.
            self.begin_ns = stage
                .begin_ns
                .max(self.end_ns.saturating_add(stage.tick_ns));
        } else {
            self.begin_ns = stage.begin_ns;
        }
        self.run = stage.run;
        self.to.begin(&RunStart {
            run: stage.run,
            tick_ns: stage.tick_ns,
            seed: stage.seed,
            scene_hash: stage.scene_hash,
        })?;
        (self.tick, self.now_ns) = (0, 0);
        self.parts.clear();
        if !O::KEEPS_CHANNELS {
            self.others.clear();
        }
        if !O::KEEPS_CHANNELS || self.stage.topics != stage.topics {
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
            self.run,
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
        self.to.begun();
        Ok(())
    }

    /// Sends the message in `text`.
    fn message(&mut self, channel: u16, log_ns: u64, publish_ns: u64) -> Result<(), O::Error> {
        let log_ns = self.begin_ns.saturating_add(log_ns);
        self.end_ns = self.end_ns.max(log_ns);
        let stamp = Stamp {
            tick: self.tick,
            log_ns,
            publish_ns: self.begin_ns.saturating_add(publish_ns),
        };
        self.to.message(channel, stamp, &self.text)
    }

    /// Channel of a `/journal` topic.
    fn own(&mut self, topic: &'static str, schema: &'static str) -> Result<u16, O::Error> {
        if let Some(&channel) = self.others.get(topic) {
            return Ok(channel);
        }
        let text = json::own_schema(schema);
        let channel = self.to.channel(&Channel {
            topic,
            encoding: "json",
            schema: Some(Schema {
                name: &format!("becomingone.{schema}"),
                encoding: "jsonschema",
                data: text.as_bytes(),
            }),
            metadata: &BTreeMap::new(),
        })?;
        self.others.insert(topic, channel);
        Ok(channel)
    }

    /// New channel of messages for viewers.
    fn drawn<T: Encode>(&mut self, topic: &str) -> Result<u16, O::Error> {
        let schema = T::get_schema();
        self.to.channel(&Channel {
            topic,
            encoding: &T::get_message_encoding(),
            schema: schema.as_ref().map(|schema| Schema {
                name: &schema.name,
                encoding: &schema.encoding,
                data: &schema.data,
            }),
            metadata: &BTreeMap::new(),
        })
    }

    fn encode<T: Encode>(&mut self, message: &T) -> Result<(), O::Error> {
        self.text.clear();
        message
            .encode(&mut self.text)
            .map_err(|e| std::io::Error::other(e.to_string()).into())
    }

    fn drawn_alone<T: Encode>(&mut self, topic: &'static str, message: &T) -> Result<(), O::Error> {
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
    fn row(&mut self, row: &Row, numbers: &[f64], bytes: &[u8]) -> Result<(), O::Error> {
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

    fn numbers_channel(&mut self, name: &str, form: &Form, count: usize) -> Result<u16, O::Error> {
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
        let mut metadata = BTreeMap::from([("units".to_owned(), units.join(","))]);
        if let Some(kind) = kind {
            metadata.insert("kind".to_owned(), kind.to_owned());
        }
        self.to.channel(&Channel {
            topic: name,
            encoding: "json",
            schema: Some(Schema {
                name: &schema,
                encoding: "jsonschema",
                data: text.as_bytes(),
            }),
            metadata: &metadata,
        })
    }

    /// Collects the frames of an agent's links until the end of the tick, and writes the pose of its root.
    fn body(
        &mut self,
        agent: usize,
        poses: &[becomingone_components::body::Pose],
    ) -> Result<(), O::Error> {
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

    fn send_frames(&mut self) -> Result<(), O::Error> {
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

    fn write_event(&mut self, event: &AgentEvent) -> Result<(), O::Error> {
        self.text.clear();
        json::event(&mut self.text, self.tick, event);
        let channel = self.own(EVENTS, "events")?;
        self.message(channel, self.now_ns, event.now_ns)?;
        let ns = self.begin_ns.saturating_add(event.now_ns);
        self.drawn_alone("/log", &draw::line(event, ns))
    }
}
