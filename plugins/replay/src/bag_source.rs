//! [`BagSource`]: messages of a ROS 1 bag, by the definitions in it.

use crate::bag_chunks::{Compression, Part, Parts};
use crate::bag_records::{self as records, CONNECTION, MESSAGE};
use crate::encoding::{Encoding, Schema};
use crate::error::TableError;
use crate::source::{Each, MessageSource, Report, Stamped, Topics};
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Largest chunk (bytes).
const MAX_CHUNK: u64 = 1 << 30;

#[derive(Debug)]
struct Connection {
    topic: String,
    encoding: Encoding,
}

/// Messages of a bag: its chunks in order of their first message.
#[derive(Debug)]
pub(crate) struct BagSource {
    path: PathBuf,
    from: File,
    parts: VecDeque<Part>,
    connections: HashMap<u32, Connection>,
    topics: Topics,
    /// Records of the present part, and the place in it.
    present: Vec<u8>,
    at: usize,
    floor_ns: u64,
    truncated: bool,
    invalid_at: Option<u64>,
    without_connection: u64,
    /// Chunks that cannot be unpacked, and the cause of the first.
    damaged: u64,
    first_damaged: String,
}

impl BagSource {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        let failed = |cause| TableError::read(file, cause);
        let from = File::open(file).map_err(failed)?;
        let mut found = Parts::find(&from).map_err(failed)?;
        found.parts.sort_by_key(|part| (part.start_ns, part.offset));
        let mut source = Self {
            path: file.to_owned(),
            from,
            parts: found.parts.into(),
            connections: HashMap::new(),
            topics: Topics::default(),
            present: Vec::new(),
            at: 0,
            floor_ns: 0,
            truncated: found.truncated,
            invalid_at: found.invalid_at,
            without_connection: 0,
            damaged: 0,
            first_damaged: String::new(),
        };
        for record in &found.connections {
            if let Some((fields, body, _)) = records::record(record) {
                connect(&mut source.connections, fields, body);
            }
        }
        Ok(source)
    }

    /// Reads the next part; false at the end.
    fn next_part(&mut self) -> Result<bool, TableError> {
        let Some(part) = self.parts.pop_front() else {
            return Ok(false);
        };
        self.at = 0;
        self.floor_ns = part.start_ns;
        self.present.clear();
        let start = self.from.seek(SeekFrom::Start(part.offset));
        start.map_err(|cause| TableError::read(&self.path, cause))?;
        let bytes = (&mut self.from).take(part.length);
        let unpacked = unpack(&part.compression, bytes, &mut self.present);
        if let Err(cause) = unpacked {
            self.damaged += 1;
            if self.first_damaged.is_empty() {
                self.first_damaged = format!("that at byte {}: {cause}", part.offset);
            }
        }
        Ok(true)
    }
}

/// Unpacks a chunk; what came before an error is kept.
fn unpack(compression: &Compression, bytes: impl Read, to: &mut Vec<u8>) -> io::Result<()> {
    match compression {
        Compression::None => bytes.take(MAX_CHUNK).read_to_end(to),
        Compression::Lz4 => lz4::Decoder::new(bytes)?.take(MAX_CHUNK).read_to_end(to),
        Compression::Bz2 => {
            let unpacked = bzip2::read::BzDecoder::new(bytes);
            unpacked.take(MAX_CHUNK).read_to_end(to)
        }
        Compression::Other(name) => {
            let cause = format!("the compression `{name}` is not known");
            return Err(io::Error::other(cause));
        }
    }
    .map(|_| ())
}

/// Adds a connection by its record.
fn connect(
    connections: &mut HashMap<u32, Connection>,
    fields: records::Fields<'_>,
    body: &[u8],
) -> Option<()> {
    let id = fields.number("conn")?;
    if connections.contains_key(&id) {
        return None;
    }
    let header = records::fields(body);
    let schema = Schema {
        name: header.text("type").unwrap_or_default(),
        encoding: "ros1msg".to_owned(),
        bytes: header
            .get("message_definition")
            .unwrap_or_default()
            .to_vec(),
    };
    // Topics that the publisher knew by another name are recorded under that of the record.
    let topic = fields.text("topic").or_else(|| header.text("topic"))?;
    let encoding = Encoding::of("ros1", Some(&schema));
    connections.insert(id, Connection { topic, encoding });
    Some(())
}

impl MessageSource for BagSource {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        loop {
            if self.at >= self.present.len() {
                if self.next_part()? {
                    continue;
                }
                return Ok(None);
            }
            let rest = &self.present[self.at..];
            let Some((fields, body, after)) = records::record(rest) else {
                // Cut off, or what could be unpacked of a chunk.
                self.truncated |= self.damaged == 0;
                self.at = self.present.len();
                continue;
            };
            self.at = self.present.len() - after.len();
            match fields.op() {
                Some(CONNECTION) => {
                    connect(&mut self.connections, fields, body);
                }
                Some(MESSAGE) => {
                    let connection = fields.number("conn");
                    let connection = connection.and_then(|id| self.connections.get(&id));
                    let (Some(connection), Some(time_ns)) = (connection, fields.time_ns()) else {
                        self.without_connection += 1;
                        continue;
                    };
                    if matches!(connection.encoding, Encoding::Other(_)) {
                        continue;
                    }
                    let topic = &connection.topic;
                    let visited = if self.topics.is_ignored(topic) {
                        Ok(())
                    } else {
                        connection.encoding.visit(topic, body, each)
                    };
                    return Ok(Some(Stamped {
                        topic: self.topics.index_of(topic),
                        time_ns,
                        broken: visited.err(),
                    }));
                }
                _ => {}
            }
        }
    }

    fn topic(&self, index: usize) -> &str {
        self.topics.name(index)
    }

    fn ignore(&mut self, topic: &str) {
        self.topics.ignore(topic);
        let Self {
            parts,
            connections,
            topics,
            ..
        } = self;
        let skipped = |id: &u32| {
            connections.get(id).is_some_and(|c| {
                topics.is_ignored(&c.topic) || matches!(c.encoding, Encoding::Other(_))
            })
        };
        parts.retain(|part| part.connections.is_empty() || !part.connections.iter().all(skipped));
    }

    fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    fn report(&self) -> Report {
        let unread = self.connections.values().filter_map(|c| match &c.encoding {
            Encoding::Other(encoding) => Some(format!("`{}` ({encoding})", c.topic)),
            _ => None,
        });
        let mut notes = Vec::new();
        if self.truncated {
            notes.push(
                "the bag ends within a record, as after its writer was killed or a copy that is not complete: what is before is read"
                    .to_owned(),
            );
        }
        if let Some(at) = self.invalid_at {
            notes.push(format!(
                "an invalid record at byte {at}: what is before is read, the rest is lost"
            ));
        }
        if self.damaged > 0 {
            notes.push(format!(
                "{} chunks cannot be unpacked whole, and messages in them are lost ({})",
                self.damaged, self.first_damaged
            ));
        }
        if self.without_connection > 0 {
            notes.push(format!(
                "{} messages have a connection that is not in the bag, and were dropped",
                self.without_connection
            ));
        }
        Report {
            unread: unread.collect(),
            notes,
        }
    }
}
