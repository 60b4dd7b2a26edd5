//! [`Db3Source`]: messages of a ROS 2 bag in `SQLite`.

use crate::encoding::{Encoding, Schema};
use crate::error::TableError;
use crate::source::{Each, MessageSource, Report, Stamped, Topics};
use rusqlite::{Connection, OpenFlags};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most messages, and most bytes, that one query reads.
const MAX_ROWS: usize = 1024;
const MAX_BYTES: usize = 8 << 20;
/// First bytes of a frame of Zstandard; no header of CDR has them.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Most bytes of a message that was compressed.
const MAX_UNPACKED: u64 = 1 << 28;

#[derive(Debug)]
struct Topic {
    name: String,
    encoding: Encoding,
}

#[derive(Debug)]
struct Message {
    topic: i64,
    time_ns: i64,
    bytes: Vec<u8>,
}

/// Messages of a bag, in order of time by its index; in the order of writing if it has none.
pub(crate) struct Db3Source {
    path: PathBuf,
    database: Connection,
    topics_by_id: HashMap<i64, Topic>,
    topics: Topics,
    by_time: bool,
    /// Time and number of the last message that was read.
    last: Option<(i64, i64)>,
    page: VecDeque<Message>,
    floor_ns: u64,
    ended: bool,
    /// Messages before 1970, or without a topic.
    dropped: u64,
    note: Option<String>,
}

impl std::fmt::Debug for Db3Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Db3Source").field(&self.path).finish()
    }
}

impl Db3Source {
    pub(crate) fn open(file: &Path) -> Result<Self, TableError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let invalid = |cause: rusqlite::Error| {
            TableError::invalid(
                file,
                format!("SQLite that cannot be read as a ROS 2 bag ({cause})"),
                "a bag that is whole, with the tables `topics` and `messages`",
            )
        };
        // SQLite reads zeros beyond the end of a file: numbers of messages there would be wrong.
        let cut_off = cut_off(file).map_err(|cause| TableError::read(file, cause))?;
        if let Some((found, stated)) = cut_off {
            return Err(TableError::invalid(
                file,
                format!("{found} bytes of a ROS 2 bag in SQLite, whose header states {stated}"),
                "a bag that is whole: copy it again",
            ));
        }
        let database = Connection::open_with_flags(file, flags).map_err(invalid)?;
        let definitions = definitions(&database).unwrap_or_default();
        let topics_by_id = topics(&database, &definitions).map_err(invalid)?;
        let indexed = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'messages' AND sql LIKE '%(timestamp%'";
        let indexed = database.query_row(indexed, [], |row| row.get::<_, i64>(0));
        Ok(Self {
            path: file.to_owned(),
            topics_by_id,
            topics: Topics::default(),
            by_time: indexed.map_err(invalid)? > 0,
            database,
            last: None,
            page: VecDeque::new(),
            floor_ns: 0,
            ended: false,
            dropped: 0,
            note: None,
        })
    }

    /// Whether messages of a topic are read.
    fn is_read(topics: &Topics, topic: &Topic) -> bool {
        !matches!(topic.encoding, Encoding::Other(_)) && !topics.is_ignored(&topic.name)
    }

    /// Reads the next messages of the topics that are not ignored.
    fn next_page(&mut self) -> Result<(), rusqlite::Error> {
        let wanted = self.topics_by_id.iter();
        let wanted = wanted.filter(|(_, topic)| Self::is_read(&self.topics, topic));
        let mut wanted: Vec<String> = wanted.map(|(id, _)| id.to_string()).collect();
        wanted.sort();
        let after = match (self.last, self.by_time) {
            (None, _) => String::new(),
            (Some((ns, id)), true) => format!("AND (timestamp, id) > ({ns}, {id})"),
            (Some((_, id)), false) => format!("AND id > {id}"),
        };
        let order = if self.by_time { "timestamp, id" } else { "id" };
        // Bytes of other topics are not read; their rows are, so that each row of a damaged file is checked for progress.
        let text = format!(
            "SELECT id, topic_id, timestamp, CASE WHEN topic_id IN ({}) THEN data END FROM messages WHERE TRUE {after} ORDER BY {order} LIMIT {MAX_ROWS}",
            wanted.join(", ")
        );
        let mut query = self.database.prepare(&text)?;
        let mut rows = query.query([])?;
        let mut bytes_read = 0;
        self.ended = true;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let time_ns: i64 = row.get(2)?;
            let is_later = self.last.is_none_or(|(last_ns, last_id)| {
                if self.by_time {
                    (time_ns, id) > (last_ns, last_id)
                } else {
                    id > last_id
                }
            });
            if !is_later {
                return Err(rusqlite::Error::ToSqlConversionFailure(
                    "its rows are not in order".into(),
                ));
            }
            self.last = Some((time_ns, id));
            self.ended = false;
            let Some(bytes) = row.get::<_, Option<Vec<u8>>>(3)? else {
                continue;
            };
            bytes_read += bytes.len();
            self.page.push_back(Message {
                topic: row.get(1)?,
                time_ns,
                bytes,
            });
            if bytes_read > MAX_BYTES {
                break;
            }
        }
        Ok(())
    }
}

/// Bytes of a message, which the mode MESSAGE of `ros2 bag record` compresses.
fn unpacked(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    if !bytes.starts_with(&ZSTD_MAGIC) {
        return Ok(bytes.into());
    }
    let failed = |cause| format!("Zstandard: {cause}");
    let from = zstd::Decoder::with_buffer(bytes).map_err(failed)?;
    let mut unpacked = Vec::new();
    from.take(MAX_UNPACKED)
        .read_to_end(&mut unpacked)
        .map_err(failed)?;
    Ok(unpacked.into())
}

/// Definitions by type: notation and text. Bags of ROS 2 before Iron have none.
fn definitions(
    database: &Connection,
) -> Result<HashMap<String, (String, String)>, rusqlite::Error> {
    let text = "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions LIMIT 10000";
    let mut query = database.prepare(text)?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    rows.collect()
}

fn topics(
    database: &Connection,
    definitions: &HashMap<String, (String, String)>,
) -> Result<HashMap<i64, Topic>, rusqlite::Error> {
    let mut query =
        database.prepare("SELECT id, name, type, serialization_format FROM topics LIMIT 65536")?;
    let rows = query.query_map([], |row| {
        let (name, kind): (String, String) = (row.get(1)?, row.get(2)?);
        let format: String = row.get(3)?;
        Ok((row.get(0)?, name, kind, format))
    })?;
    rows.map(|row| {
        let (id, name, kind, format) = row?;
        let defined = definitions.get(&kind).filter(|(_, text)| !text.trim().is_empty());
        let schema = Schema {
            encoding: defined.map(|d| d.0.clone()).unwrap_or_default(),
            bytes: defined.map(|d| d.1.clone().into_bytes()).unwrap_or_default(),
            name: kind,
        };
        let mut encoding = Encoding::of(&format, Some(&schema));
        if defined.is_none() && matches!(encoding, Encoding::Other(_)) {
            encoding = Encoding::Other(format!(
                "{format}: `{}` is not defined in the bag, and not of a common package; `ros2 bag convert` to MCAP, where that package is installed, adds its definition",
                schema.name
            ));
        }
        Ok((id, Topic { name, encoding }))
    })
    .collect()
}

/// Length of a file, and that of the pages in its header, if that is more (`SQLite` file format, chapter 1.3).
fn cut_off(file: &Path) -> std::io::Result<Option<(u64, u64)>> {
    let mut from = File::open(file)?;
    let total = from.metadata()?.len();
    let mut head = [0; 32];
    if total < head.len() as u64 {
        return Ok(Some((total, 512)));
    }
    from.read_exact(&mut head)?;
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        bytes => u64::from(bytes),
    };
    let pages = u32::from_be_bytes([head[28], head[29], head[30], head[31]]);
    let stated = page * u64::from(pages);
    Ok((total < stated).then_some((total, stated)))
}

impl MessageSource for Db3Source {
    fn next(&mut self, each: Each<'_>) -> Result<Option<Stamped>, TableError> {
        loop {
            let Some(message) = self.page.pop_front() else {
                if self.ended {
                    return Ok(None);
                }
                if let Err(cause) = self.next_page() {
                    self.ended = true;
                    let cause = format!(
                        "SQLite stops at a damaged place ({cause}): messages that were read before it count, the rest is lost"
                    );
                    let note = self.note.get_or_insert_default();
                    if !note.is_empty() {
                        note.push_str("; ");
                    }
                    note.push_str(&cause);
                }
                continue;
            };
            let topic = self.topics_by_id.get(&message.topic);
            let (Some(topic), Ok(time_ns)) = (topic, u64::try_from(message.time_ns)) else {
                self.dropped += 1;
                continue;
            };
            if self.by_time {
                self.floor_ns = time_ns;
            }
            if !Self::is_read(&self.topics, topic) {
                continue;
            }
            let visited = unpacked(&message.bytes)
                .and_then(|bytes| topic.encoding.visit(&topic.name, &bytes, each));
            return Ok(Some(Stamped {
                topic: self.topics.index_of(&topic.name),
                time_ns,
                broken: visited.err(),
            }));
        }
    }

    fn topic(&self, index: usize) -> &str {
        self.topics.name(index)
    }

    fn ignore(&mut self, topic: &str) {
        self.topics.ignore(topic);
    }

    fn floor_ns(&self) -> u64 {
        self.floor_ns
    }

    fn report(&self) -> Report {
        let unread = self
            .topics_by_id
            .values()
            .filter_map(|t| match &t.encoding {
                Encoding::Other(encoding) => Some(format!("`{}` ({encoding})", t.name)),
                _ => None,
            });
        let mut notes: Vec<String> = self.note.iter().cloned().collect();
        if self.dropped > 0 {
            notes.push(format!(
                "{} messages have no topic, or a time before 1970, and were dropped",
                self.dropped
            ));
        }
        Report {
            unread: unread.collect(),
            notes,
        }
    }
}
