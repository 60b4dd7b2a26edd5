//! Messages of an MCAP file as a stream: in the order of the file, or its chunks in the order of log time.

use crate::encoding::{Encoding, Schema};
use crate::error::TableError;
use crate::mcap_chunks::{Chunk, Chunks};
use mcap::McapError;
use mcap::records::{MessageHeader, Record};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// MCAP profile of our own recordings.
const OWN_PROFILE: &str = "becomingone";
/// Largest record (bytes): a larger one is not a reading, or has an invalid length.
const MAX_RECORD_BYTES: u64 = 1 << 30;
/// Largest record of any file, however short (bytes): chunks are compressed.
const MIN_RECORD_LIMIT: u64 = 64 << 20;

/// Channel of the file.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) topic: String,
    pub(crate) encoding: Encoding,
    /// Whether the file is one of our own recordings.
    pub(crate) ours: bool,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Message stream of a file.
pub(crate) struct Messages {
    path: PathBuf,
    from: File,
    reader: LinearReader,
    /// Bytes of the present part of the file that were not read.
    left: u64,
    /// Largest record (bytes).
    limit: u64,
    /// Chunks that follow, in order of log time.
    chunks: VecDeque<Chunk>,
    /// No later message is before this log time (ns).
    floor_ns: u64,
    schemas: HashMap<u16, Schema>,
    channels: HashMap<u16, Channel>,
    /// MCAP profile of the file.
    profile: String,
    /// Log time of the last message (ns).
    last_ns: u64,
    /// Whether the file ends within a record, as after the writer was killed.
    pub(crate) truncated: bool,
    /// Messages whose channel is not in the file.
    pub(crate) without_channel: u64,
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Messages").field(&self.path).finish()
    }
}

impl Messages {
    /// Opens a file in its own order.
    pub(crate) fn open(path: &Path) -> Result<Self, TableError> {
        let failed = |cause| TableError::read(path, cause);
        let from = File::open(path).map_err(failed)?;
        let total = from.metadata().map_err(failed)?.len();
        let limit = total.clamp(MIN_RECORD_LIMIT, MAX_RECORD_BYTES);
        Ok(Self {
            path: path.to_owned(),
            from,
            reader: reader(limit, false),
            left: total,
            limit,
            chunks: VecDeque::new(),
            floor_ns: 0,
            schemas: HashMap::new(),
            channels: HashMap::new(),
            profile: String::new(),
            last_ns: 0,
            truncated: false,
            without_channel: 0,
        })
    }

    /// Opens a file with its chunks in order of their first log time. A file with messages outside of chunks stays in
    /// its own order.
    pub(crate) fn open_by_time(path: &Path) -> Result<Self, TableError> {
        let mut messages = Self::open(path)?;
        let found = Chunks::find(&messages.from).map_err(|cause| TableError::read(path, cause))?;
        if found.loose {
            let start = messages.from.seek(SeekFrom::Start(0));
            start.map_err(|cause| TableError::read(path, cause))?;
            return Ok(messages);
        }
        let mut chunks = found.chunks;
        for record in found.names {
            messages.learn(record);
        }
        if !chunks.is_sorted_by_key(|c| c.start_ns) {
            if found.truncated || messages.channels.is_empty() {
                // Its channels are in the chunks alone: read them first.
                let mut search = Self::open(path)?;
                while search.next(|_, _, _, _| ())?.is_some() {}
                messages.schemas = search.schemas;
                messages.channels = search.channels;
            }
            chunks.sort_by_key(|c| (c.start_ns, c.offset));
        }
        messages.chunks = chunks.into();
        messages.truncated = found.truncated;
        messages.left = 0;
        messages.reader = reader(messages.limit, true);
        Ok(messages)
    }

    /// Passes over chunks that have messages of these topics alone.
    pub(crate) fn skip_topics(&mut self, ignored: &HashSet<String>) {
        let Self {
            chunks, channels, ..
        } = self;
        let skipped = |id: &u16| {
            channels
                .get(id)
                .is_some_and(|c| ignored.contains(&c.topic) || !c.is_readable())
        };
        chunks.retain(|chunk| chunk.channels.is_empty() || !chunk.channels.iter().all(skipped));
    }

    /// Channels read so far.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// No later message is before this log time (ns); 0 if not known.
    pub(crate) fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    /// Begins the next chunk; false at the end.
    fn next_chunk(&mut self) -> Result<bool, TableError> {
        let Some(chunk) = self.chunks.pop_front() else {
            return Ok(false);
        };
        let start = self.from.seek(SeekFrom::Start(chunk.offset));
        start.map_err(|cause| TableError::read(&self.path, cause))?;
        self.left = chunk.length;
        self.floor_ns = chunk.start_ns;
        self.reader = reader(self.limit, true);
        Ok(true)
    }

    /// Reads the next message; `None` at the end.
    pub(crate) fn next<T>(
        &mut self,
        visit: impl FnOnce(u16, &Channel, &MessageHeader, &[u8]) -> T,
    ) -> Result<Option<T>, TableError> {
        loop {
            let invalid = |cause: McapError, last_ns: u64, path: &Path| {
                TableError::invalid(
                    path,
                    format!("an invalid record after the time {last_ns} ns ({cause})"),
                    "an MCAP file that was not changed; `mcap recover` keeps its valid part",
                )
            };
            let Some(event) = self.reader.next_event() else {
                if self.next_chunk()? {
                    continue;
                }
                return Ok(None);
            };
            let record = match event {
                Ok(LinearReadEvent::ReadRequest(need)) => {
                    let to = self.reader.insert(need);
                    let most = usize::try_from(self.left).unwrap_or(usize::MAX);
                    let most = to.len().min(most);
                    let n = self
                        .from
                        .read(&mut to[..most])
                        .map_err(|e| TableError::read(&self.path, e))?;
                    self.left -= n as u64;
                    self.reader.notify_read(n);
                    continue;
                }
                Ok(LinearReadEvent::Record { opcode, data }) => mcap::parse_record(opcode, data),
                Err(McapError::UnexpectedEof | McapError::UnexpectedEoc) => {
                    self.truncated = true;
                    if self.next_chunk()? {
                        continue;
                    }
                    self.reader = reader(self.limit, true);
                    self.left = 0;
                    return Ok(None);
                }
                Err(error) => return Err(invalid(error, self.last_ns, &self.path)),
            };
            match record.map_err(|e| invalid(e, self.last_ns, &self.path))? {
                Record::Message { header, data } => {
                    self.last_ns = header.log_time;
                    if let Some(channel) = self.channels.get(&header.channel_id) {
                        return Ok(Some(visit(header.channel_id, channel, &header, &data)));
                    }
                    self.without_channel += 1;
                }
                other => {
                    let other = other.into_owned();
                    self.learn(other);
                }
            }
        }
    }

    /// Keeps the profile, a schema, or a channel.
    fn learn(&mut self, record: Record<'_>) {
        match record {
            Record::Header(header) => self.profile = header.profile,
            Record::Schema { header, data } => {
                let schema = Schema {
                    name: header.name,
                    encoding: header.encoding,
                    bytes: data.into_owned(),
                };
                self.schemas.insert(header.id, schema);
            }
            Record::Channel(channel) if !self.channels.contains_key(&channel.id) => {
                let schema = self.schemas.get(&channel.schema_id);
                let known = Channel {
                    encoding: Encoding::of(&channel.message_encoding, schema),
                    topic: channel.topic,
                    ours: self.profile == OWN_PROFILE,
                    metadata: channel.metadata,
                };
                self.channels.insert(channel.id, known);
            }
            _ => {}
        }
    }
}

/// Reader of a file, or of a part of it.
fn reader(limit: u64, part: bool) -> LinearReader {
    let options = LinearReaderOptions::default()
        .with_validate_chunk_crcs(true)
        .with_skip_start_magic(part)
        .with_skip_end_magic(part)
        .with_record_length_limit(usize::try_from(limit).unwrap_or(usize::MAX));
    LinearReader::new_with_options(options)
}

impl Channel {
    /// Whether its messages are readings that can be read.
    pub(crate) fn is_readable(&self) -> bool {
        self.is_topic() && !matches!(self.encoding, Encoding::Other(_))
    }

    /// Whether it has readings. Our own recordings have others, too: journal, ground truth, and kernel outputs.
    pub(crate) fn is_topic(&self) -> bool {
        !self.ours || self.metadata.contains_key("kind") && !self.topic.ends_with("/truth")
    }
}
