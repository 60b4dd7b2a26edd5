//! Reader of recordings: header, then tick by tick.
//!
//! The file is read sequentially and needs no index: a truncated file is read up to its last complete chunk.

use crate::convert::{DROPPED, ENTERED, HASH, RUN};
use crate::writer::{END_METADATA, JOURNAL_VERSION, PROFILE, RUN_METADATA};
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

/// Largest accepted chunk (bytes): 256 times the size of those written. Limits the memory that a corrupt length can
/// request.
const CHUNK_BYTES: usize = 256 << 20;

/// Records of a chunk, after a check of its checksum.
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

/// Error while reading a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file cannot be opened or read.
    #[error("{file}: {cause}")]
    Read {
        /// Path as given.
        file: String,
        /// Error of the operating system.
        cause: std::io::Error,
    },
    /// Not a recording of BecomingONE, or of an unsupported version.
    #[error("{file}: found {found}; expected {expected}")]
    Foreign {
        /// Path as given.
        file: String,
        /// Content found.
        found: String,
        /// Content expected.
        expected: String,
    },
    /// The file is corrupt.
    #[error("{file}: found damage {} ({cause}); expected the bytes that were recorded", range(.from_ns, .to_ns))]
    Damaged {
        /// Path as given.
        file: String,
        /// Start of the chunk, or end of the valid data before it (ns of the file's time).
        from_ns: u64,
        /// End of the chunk (ns); `None` if unknown.
        to_ns: Option<u64>,
        /// Decoder error.
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

/// Message of a recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Topic: `/rover/imu`.
    pub topic: Arc<str>,
    /// Whether it is JSON.
    pub is_json: bool,
    /// Time of arrival, in the file's time (ns).
    pub log_ns: u64,
    /// Payload.
    pub bytes: Vec<u8>,
}

/// Start of a run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RunBegin {
    /// Number of the run: 1, plus 1 for each reset.
    pub run: u64,
    /// Length of a tick (ns).
    pub tick_ns: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Hash of the resolved scene, 16 hexadecimal digits.
    pub scene_hash: String,
    /// State hash before the first tick, 16 hexadecimal digits.
    pub state_hash: String,
    /// Names of the links that frames come by, by their index.
    pub links: Vec<String>,
}

/// Recorded data of a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedTick {
    /// Ticks completed at its end.
    pub tick: u64,
    /// Simulated time at its end (ns).
    pub now_ns: u64,
    /// Chained state hash, 16 hexadecimal digits.
    pub hash: String,
    /// Hash of each part of the state, 8 hexadecimal digits.
    pub parts: Arc<BTreeMap<String, String>>,
    /// External input frames, in the order of application.
    pub frames: Vec<Frame>,
    /// All other messages, except the hash.
    pub messages: Vec<Message>,
}

/// Item of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Start of a run.
    Run(RunBegin),
    /// Gap of this many ticks.
    Dropped(u64),
    /// Data of a tick.
    Tick(RecordedTick),
}

/// End of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Metadata written on closing; `None` if the recording was truncated.
    pub closed: Option<BTreeMap<String, String>>,
    /// Whether data after the last complete tick is lost or unknown.
    pub cut: bool,
}

/// Topic with its message count so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCount {
    /// Topic: `/rover/imu`.
    pub topic: String,
    /// Encoding: `json` or `protobuf`.
    pub encoding: String,
    /// Schema name.
    pub schema: String,
    /// Messages read so far.
    pub count: u64,
}

#[derive(Deserialize)]
struct HashMessage {
    tick: u64,
    now_ns: u64,
    hash: String,
    parts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct EnteredMessage {
    frame: Frame,
}

#[derive(Deserialize)]
struct DroppedMessage {
    ticks: u64,
}

struct Channel {
    topic: Arc<str>,
    is_json: bool,
    count: TopicCount,
}

/// Open recording.
pub struct Journal {
    name: String,
    from: File,
    reader: LinearReader,
    /// Whether the file has the closing magic bytes.
    is_closed: bool,
    metadata: BTreeMap<String, String>,
    attachments: BTreeMap<String, Vec<u8>>,
    schemas: HashMap<u16, String>,
    channels: HashMap<u16, Channel>,
    messages: VecDeque<Message>,
    /// Messages of the tick being read.
    tick: Vec<Message>,
    frames: Vec<Frame>,
    parts: Arc<BTreeMap<String, String>>,
    /// Time up to which all chunks were valid (ns).
    read_ns: u64,
    ending: Ending,
    done: bool,
}

impl Journal {
    /// Opens a recording and reads its header.
    ///
    /// # Errors
    ///
    /// [`JournalError`]: no such file, not a recording of BecomingONE, corrupt data.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let name = path.display().to_string();
        let read = |cause| JournalError::Read {
            file: name.clone(),
            cause,
        };
        let foreign = |found: &str| JournalError::Foreign {
            file: name.clone(),
            found: found.to_owned(),
            expected: "a recording (MCAP) from `becomingone run --record`".to_owned(),
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
            return Err(foreign("a file that is not MCAP"));
        }
        from.seek(SeekFrom::End(-8)).map_err(read)?;
        from.read_exact(&mut magic).map_err(read)?;
        let is_closed = length > 16 && magic == mcap::MAGIC;
        from.seek(SeekFrom::Start(0)).map_err(read)?;
        let options = LinearReaderOptions::default()
            .with_emit_chunks(true)
            .with_validate_data_section_crc(true)
            .with_record_length_limit(usize::try_from(length).unwrap_or(usize::MAX));
        let mut journal = Self {
            name,
            from,
            reader: LinearReader::new_with_options(options),
            is_closed,
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

    /// Metadata of the run: program, scene, seed.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Resolved scene, and the files that it references.
    pub fn attachments(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.attachments
    }

    /// Topics with their message counts so far, sorted by name.
    pub fn topics(&self) -> Vec<TopicCount> {
        let mut topics: Vec<_> = self.channels.values().map(|c| c.count.clone()).collect();
        topics.sort_by(|a, b| a.topic.cmp(&b.topic));
        topics
    }

    /// End of the recording; valid after the last item was read.
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
                "a recording from `becomingone run --record`: metadata `{RUN_METADATA}`, a resolved scene, and a state hash for each tick"
            );
            let found = if self.ending.cut && self.channels.is_empty() {
                "a recording that was truncated before its header was written".to_owned()
            } else {
                "another program's MCAP file".to_owned()
            };
            return Err(self.foreign(found, &expected));
        }
        let version = self.metadata.get("journal").cloned().unwrap_or_default();
        if version != JOURNAL_VERSION.to_string() {
            return Err(self.foreign(
                format!("a journal of version {version}, from another version of the engine"),
                &format!(
                    "version {JOURNAL_VERSION}: record the run again, or replay it with its engine"
                ),
            ));
        }
        Ok(())
    }

    /// Reads the next item; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] with the time range; items returned before are valid.
    pub fn read(&mut self) -> Result<Option<Item>, JournalError> {
        loop {
            let Some(message) = self.messages.pop_front() else {
                if self.done {
                    // A tick without its hash is incomplete.
                    self.ending.cut |= !std::mem::take(&mut self.tick).is_empty();
                    return Ok(None);
                }
                self.read_record()?;
                continue;
            };
            match &*message.topic {
                RUN => {
                    self.parts = Arc::default();
                    return self.parse(&message).map(|run| Some(Item::Run(run)));
                }
                DROPPED => {
                    self.parts = Arc::default();
                    let dropped: DroppedMessage = self.parse(&message)?;
                    return Ok(Some(Item::Dropped(dropped.ticks)));
                }
                ENTERED => {
                    let entered: EnteredMessage = self.parse(&message)?;
                    self.frames.push(entered.frame);
                }
                HASH => {
                    let end: HashMessage = self.parse(&message)?;
                    if !end.parts.is_empty() {
                        Arc::make_mut(&mut self.parts).extend(end.parts);
                    }
                    return Ok(Some(Item::Tick(RecordedTick {
                        tick: end.tick,
                        now_ns: end.now_ns,
                        hash: end.hash,
                        parts: self.parts.clone(),
                        frames: std::mem::take(&mut self.frames),
                        messages: std::mem::take(&mut self.tick),
                    })));
                }
                _ => self.tick.push(message),
            }
        }
    }

    fn parse<T: for<'de> Deserialize<'de>>(&self, message: &Message) -> Result<T, JournalError> {
        serde_json::from_slice(&message.bytes).map_err(|error| {
            let found = format!("an invalid message on {} ({error})", message.topic);
            self.foreign(found, "the format of this engine version")
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
                Err(cause) if self.is_closed => return Err(self.damaged(&cause)),
                // Truncated within the last record.
                Err(_) => {
                    (self.done, self.ending.cut) = (true, true);
                    return Ok(());
                }
            };
            // Only the summary (indexes) follows.
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

    /// Takes the records of a chunk if all of them are valid; otherwise none.
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
                    "a recording from `becomingone run --record`: metadata `{RUN_METADATA}`, a resolved scene, and a state hash for each tick"
                );
                Err(self.foreign(found, &expected))
            }
            Record::Metadata(record) => {
                match record.name.as_str() {
                    RUN_METADATA => self.metadata = record.metadata,
                    END_METADATA => self.ending.closed = Some(record.metadata),
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
