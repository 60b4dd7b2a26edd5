//! Reads a recording: what it begins with, and one tick after the other, as far as it goes.
//!
//! The file is read from its begin to its end and needs no index: one that was cut is read up to its last whole chunk.

use crate::writer::{
    DROPPED, END_METADATA, ENTERED, HASH, JOURNAL_VERSION, PROFILE, RUN, RUN_METADATA,
};
use becomingone_components::link::Frame;
use mcap::McapError;
use mcap::records::{ChunkHeader, Record, op};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// Most bytes that a chunk may hold: 256 times what is written into one. A length that is wrong asks for no
/// more memory than this.
const CHUNK_BYTES: usize = 256 << 20;

/// The records of a chunk, after its checksum was found right.
fn unpack(chunk: &[u8]) -> Result<Vec<Record<'static>>, McapError> {
    let options = LinearReaderOptions::default()
        .with_skip_start_magic(true)
        .with_skip_end_magic(true)
        .with_prevalidate_chunk_crcs(true)
        .with_record_length_limit(CHUNK_BYTES);
    let mut reader = LinearReader::new_with_options(options);
    let length = (chunk.len() as u64).to_le_bytes();
    let mut bytes = [&[op::CHUNK], &length[..]].concat();
    bytes.extend_from_slice(chunk);
    let mut rest = bytes.as_slice();
    let mut records = Vec::new();
    while let Some(event) = reader.next_event() {
        match event? {
            LinearReadEvent::ReadRequest(_) if rest.is_empty() => break,
            LinearReadEvent::ReadRequest(need) => {
                let (now, later) = rest.split_at(need.min(rest.len()));
                reader.insert(now.len()).copy_from_slice(now);
                reader.notify_read(now.len());
                rest = later;
            }
            LinearReadEvent::Record { opcode, data } => {
                records.push(mcap::parse_record(opcode, data)?.into_owned());
            }
        }
    }
    Ok(records)
}

/// A recording that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file cannot be opened or read.
    #[error("{file}: {cause}")]
    Read {
        /// As given.
        file: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// Not a recording of ours, or not of a version that this engine knows.
    #[error("{file}: found {found}; expected {expected}")]
    Foreign {
        /// As given.
        file: String,
        /// What it is.
        found: String,
        /// What it should be.
        expected: String,
    },
    /// Bytes are not what was written.
    #[error("{file}: found damage {} ({cause}); expected the bytes that were recorded", range(.from_ns, .to_ns))]
    Damaged {
        /// As given.
        file: String,
        /// Begin of the chunk, or what was read whole before it (ns of the file's time).
        from_ns: u64,
        /// End of the chunk (ns); none where it is not known.
        to_ns: Option<u64>,
        /// What does not fit.
        cause: String,
    },
}

fn range(from_ns: &u64, to_ns: &Option<u64>) -> String {
    let s = |ns: u64| ns as f64 / 1e9;
    match to_ns {
        Some(to_ns) => format!(
            "in the chunk from {:.3} s to {:.3} s",
            s(*from_ns),
            s(*to_ns)
        ),
        None => format!("after {:.3} s", s(*from_ns)),
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `/rover/imu`.
    pub topic: Arc<str>,
    /// Whether it is JSON.
    pub is_json: bool,
    /// When it entered, in the file's time (ns).
    pub log_ns: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A run that begins.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunBegin {
    /// 1, and one more at each reset.
    pub run: u64,
    /// Length of a tick (ns).
    pub tick_ns: u64,
    /// Seed of every random number.
    pub seed: u64,
    /// Of the resolved scene, 16 hexadecimal digits.
    pub scene_hash: String,
    /// The state hash before the first tick, 16 hexadecimal digits.
    pub state_hash: String,
    /// Names of the links that frames come by, by their index.
    pub links: Vec<String>,
}

/// A tick, with all that was recorded of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedTick {
    /// Ticks done by its end.
    pub tick: u64,
    /// Simulated time at its end (ns).
    pub now_ns: u64,
    /// The chained state hash, 16 hexadecimal digits.
    pub hash: String,
    /// Of each part of the state, 8 hexadecimal digits.
    pub parts: Arc<BTreeMap<String, String>>,
    /// What entered, in the order in which it was applied.
    pub frames: Vec<Frame>,
    /// What it said, its hash and what entered left out.
    pub messages: Vec<Message>,
}

/// What is read next.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A run begins.
    Run(RunBegin),
    /// Ticks are missing here: so many.
    Dropped(u64),
    /// A tick.
    Tick(RecordedTick),
}

/// How a recording ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// What the recorder said when it closed it; none where it was cut.
    pub closed: Option<BTreeMap<String, String>>,
    /// Whether anything after the last whole tick is lost or unknown.
    pub cut: bool,
}

/// A topic, counted as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCount {
    /// `/rover/imu`.
    pub topic: String,
    /// `json` or `protobuf`.
    pub encoding: String,
    /// Name of its schema.
    pub schema: String,
    /// Messages so far.
    pub count: u64,
}

#[derive(Deserialize)]
struct HashSaid {
    tick: u64,
    now_ns: u64,
    hash: String,
    parts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct EnteredSaid {
    frame: Frame,
}

#[derive(Deserialize)]
struct DroppedSaid {
    ticks: u64,
}

struct Channel {
    topic: Arc<str>,
    is_json: bool,
    count: TopicCount,
}

/// A recording that is read.
pub struct Journal {
    name: String,
    from: File,
    reader: LinearReader,
    /// Whether the file ends as a whole one does.
    is_whole: bool,
    metadata: BTreeMap<String, String>,
    attachments: BTreeMap<String, Vec<u8>>,
    schemas: HashMap<u16, String>,
    channels: HashMap<u16, Channel>,
    messages: VecDeque<Message>,
    /// Of the tick that is being read.
    tick: Vec<Message>,
    frames: Vec<Frame>,
    parts: Arc<BTreeMap<String, String>>,
    /// Time up to which all was read whole (ns).
    read_ns: u64,
    ending: Ending,
    done: bool,
}

impl Journal {
    /// Opens a recording, and reads what it begins with.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: no such file, no recording of ours, damage.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let read = |cause| JournalError::Read {
            file: name.clone(),
            cause,
        };
        let foreign = |found: &str| JournalError::Foreign {
            file: name.clone(),
            found: found.to_owned(),
            expected: "a recording (MCAP) that `becomingone run --record` made".to_owned(),
        };
        if path.is_dir() {
            return Err(foreign("a folder"));
        }
        let mut from = File::open(path).map_err(read)?;
        let length = from.metadata().map_err(read)?.len();
        let mut magic = [0; 8];
        if length < 8 {
            return Err(foreign(if length == 0 {
                "an empty file"
            } else {
                "a file of less than 8 bytes"
            }));
        }
        from.read_exact(&mut magic).map_err(read)?;
        if magic != mcap::MAGIC {
            return Err(foreign("something that is no MCAP file"));
        }
        from.seek(SeekFrom::End(-8)).map_err(read)?;
        from.read_exact(&mut magic).map_err(read)?;
        let is_whole = length > 16 && magic == mcap::MAGIC;
        from.seek(SeekFrom::Start(0)).map_err(read)?;
        let options = LinearReaderOptions::default()
            .with_emit_chunks(true)
            .with_validate_data_section_crc(true)
            .with_record_length_limit(usize::try_from(length).unwrap_or(usize::MAX));
        let mut journal = Self {
            name,
            from,
            reader: LinearReader::new_with_options(options),
            is_whole,
            metadata: BTreeMap::new(),
            attachments: BTreeMap::new(),
            schemas: HashMap::new(),
            channels: HashMap::new(),
            messages: VecDeque::new(),
            tick: Vec::new(),
            frames: Vec::new(),
            parts: Arc::default(),
            read_ns: 0,
            ending: Ending::default(),
            done: false,
        };
        journal.read_opening()?;
        Ok(journal)
    }

    /// What was run, and by what.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The resolved scene, and the files that it names.
    pub fn attachments(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.attachments
    }

    /// Topics with what was read of them, by name.
    pub fn topics(&self) -> Vec<TopicCount> {
        let mut topics: Vec<_> = self.channels.values().map(|c| c.count.clone()).collect();
        topics.sort_by(|a, b| a.topic.cmp(&b.topic));
        topics
    }

    /// How it ends, once it was read.
    pub fn ending(&self) -> &Ending {
        &self.ending
    }

    fn foreign(&self, found: String, expected: &str) -> JournalError {
        JournalError::Foreign {
            file: self.name.clone(),
            found,
            expected: expected.to_owned(),
        }
    }

    fn damaged(&self, cause: &McapError) -> JournalError {
        JournalError::Damaged {
            file: self.name.clone(),
            from_ns: self.read_ns,
            to_ns: None,
            cause: cause.to_string(),
        }
    }

    /// Reads up to the first chunk.
    fn read_opening(&mut self) -> Result<(), JournalError> {
        while !self.done && self.messages.is_empty() {
            self.read_record()?;
        }
        if self.metadata.is_empty() {
            let expected = format!(
                "one with the metadata `{RUN_METADATA}`, a resolved scene and a state hash each tick, as `becomingone run --record` makes it"
            );
            let found = if self.ending.cut && self.channels.is_empty() {
                "a recording that was cut before its begin was written".to_owned()
            } else {
                "another program's MCAP file".to_owned()
            };
            return Err(self.foreign(found, &expected));
        }
        let version = self.metadata.get("journal").cloned().unwrap_or_default();
        if version != JOURNAL_VERSION.to_string() {
            return Err(self.foreign(
                format!("a journal of version {version}"),
                &format!(
                    "version {JOURNAL_VERSION}; this is engine {}",
                    env!("CARGO_PKG_VERSION")
                ),
            ));
        }
        Ok(())
    }

    /// The next tick, or what stands between two.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] names the time range; what was given before is good.
    pub fn read(&mut self) -> Result<Option<Item>, JournalError> {
        loop {
            let Some(message) = self.messages.pop_front() else {
                if self.done {
                    // A tick without its hash was cut.
                    self.ending.cut |= !std::mem::take(&mut self.tick).is_empty();
                    return Ok(None);
                }
                self.read_record()?;
                continue;
            };
            match &*message.topic {
                RUN => {
                    self.parts = Arc::default();
                    return self.said(&message).map(|run| Some(Item::Run(run)));
                }
                DROPPED => {
                    self.parts = Arc::default();
                    let said: DroppedSaid = self.said(&message)?;
                    return Ok(Some(Item::Dropped(said.ticks)));
                }
                ENTERED => {
                    let said: EnteredSaid = self.said(&message)?;
                    self.frames.push(said.frame);
                }
                HASH => {
                    let said: HashSaid = self.said(&message)?;
                    if !said.parts.is_empty() {
                        Arc::make_mut(&mut self.parts).extend(said.parts);
                    }
                    return Ok(Some(Item::Tick(RecordedTick {
                        tick: said.tick,
                        now_ns: said.now_ns,
                        hash: said.hash,
                        parts: self.parts.clone(),
                        frames: std::mem::take(&mut self.frames),
                        messages: std::mem::take(&mut self.tick),
                    })));
                }
                _ => self.tick.push(message),
            }
        }
    }

    fn said<T: for<'de> Deserialize<'de>>(&self, message: &Message) -> Result<T, JournalError> {
        serde_json::from_slice(&message.bytes).map_err(|error| {
            let found = format!(
                "a message of {} that says otherwise ({error})",
                message.topic
            );
            self.foreign(found, "what this version of the engine writes")
        })
    }

    /// Reads one record of the file.
    fn read_record(&mut self) -> Result<(), JournalError> {
        loop {
            let Some(event) = self.reader.next_event() else {
                self.done = true;
                return Ok(());
            };
            let (opcode, data) = match event {
                Ok(LinearReadEvent::ReadRequest(need)) => {
                    let read = self.from.read(self.reader.insert(need));
                    let read = read.map_err(|cause| JournalError::Read {
                        file: self.name.clone(),
                        cause,
                    })?;
                    self.reader.notify_read(read);
                    continue;
                }
                Ok(LinearReadEvent::Record { opcode, data }) => (opcode, data),
                Err(cause) if self.is_whole => return Err(self.damaged(&cause)),
                // The rest of the last record was never written.
                Err(_) => {
                    (self.done, self.ending.cut) = (true, true);
                    return Ok(());
                }
            };
            // What stands behind is there to find what was read already.
            if opcode == op::DATA_END {
                self.done = true;
                self.ending.cut |= self.ending.closed.is_none();
                return Ok(());
            }
            let within = (opcode == op::CHUNK).then(|| unpack(data));
            let record = match mcap::parse_record(opcode, data) {
                Ok(record) => record.into_owned(),
                Err(cause) => return Err(self.damaged(&cause)),
            };
            return match (record, within) {
                (Record::Chunk { header, .. }, Some(records)) => self.keep_chunk(&header, records),
                (record, _) => self.keep(record),
            };
        }
    }

    /// All of a chunk is good, or nothing of it is taken.
    fn keep_chunk(
        &mut self,
        header: &ChunkHeader,
        records: Result<Vec<Record<'static>>, McapError>,
    ) -> Result<(), JournalError> {
        let (from_ns, to_ns) = (header.message_start_time, header.message_end_time);
        match records {
            Ok(records) => {
                self.read_ns = self.read_ns.max(to_ns);
                records.into_iter().try_for_each(|r| self.keep(r))
            }
            Err(cause) => Err(JournalError::Damaged {
                file: self.name.clone(),
                from_ns,
                to_ns: Some(to_ns),
                cause: cause.to_string(),
            }),
        }
    }

    fn keep(&mut self, record: Record<'static>) -> Result<(), JournalError> {
        match record {
            Record::Header(header) if header.profile != PROFILE => {
                let found = "another program's MCAP file".to_owned();
                let expected = format!(
                    "one with the metadata `{RUN_METADATA}`, a resolved scene and a state hash each tick, as `becomingone run --record` makes it"
                );
                Err(self.foreign(found, &expected))
            }
            Record::Metadata(said) => {
                match said.name.as_str() {
                    RUN_METADATA => self.metadata = said.metadata,
                    END_METADATA => self.ending.closed = Some(said.metadata),
                    _ => {}
                }
                Ok(())
            }
            Record::Attachment { header, data, .. } => {
                self.attachments.insert(header.name, data.into_owned());
                Ok(())
            }
            Record::Schema { header, .. } => {
                self.schemas.insert(header.id, header.name);
                Ok(())
            }
            Record::Channel(channel) => {
                let schema = self.schemas.get(&channel.schema_id);
                self.channels.entry(channel.id).or_insert_with(|| Channel {
                    topic: channel.topic.as_str().into(),
                    is_json: channel.message_encoding == "json",
                    count: TopicCount {
                        topic: channel.topic,
                        encoding: channel.message_encoding,
                        schema: schema.cloned().unwrap_or_default(),
                        count: 0,
                    },
                });
                Ok(())
            }
            Record::Message { header, data } => {
                if let Some(channel) = self.channels.get_mut(&header.channel_id) {
                    channel.count.count += 1;
                    self.messages.push_back(Message {
                        topic: channel.topic.clone(),
                        is_json: channel.is_json,
                        log_ns: header.log_time,
                        bytes: data.into_owned(),
                    });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
