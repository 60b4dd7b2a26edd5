//! Messages of an MCAP file, one after the other, and the numbers in them.

use crate::error::TableError;
use mcap::McapError;
use mcap::records::{MessageHeader, Record};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage as _, Value as Field,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What an MCAP file begins with.
pub(crate) const MAGIC: &[u8] = mcap::MAGIC;
/// The profile of our own recordings.
const OURS: &str = "becomingone";
/// Longest record that is taken: more is no reading, or a broken length.
const RECORD_BYTES: usize = 1 << 30;
/// Longest list whose items are channels: more are pictures and scans.
const LIST: usize = 32;

/// How messages of a channel are read.
#[derive(Clone, Debug)]
pub(crate) enum Coding {
    Json,
    Protobuf(MessageDescriptor),
    /// Not read: what it is.
    Other(String),
}

/// A channel of the file.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) topic: String,
    pub(crate) coding: Coding,
    /// Whether this is one of our own recordings.
    pub(crate) ours: bool,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A number of a message, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Leaf {
    Number(f64),
    Missing,
    Text,
}

struct Schema {
    name: String,
    bytes: Vec<u8>,
}

/// The messages of a file, as a stream.
pub(crate) struct Messages {
    path: PathBuf,
    from: File,
    reader: LinearReader,
    schemas: HashMap<u16, Schema>,
    channels: HashMap<u16, Channel>,
    /// What kind of recording it is.
    profile: String,
    /// The latest time (ns).
    last_ns: u64,
    /// Whether the file ends in mid-record, as one of a process that was killed does.
    pub(crate) cut: bool,
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Messages").field(&self.path).finish()
    }
}

impl Messages {
    pub(crate) fn open(path: &Path) -> Result<Self, TableError> {
        let options = LinearReaderOptions::default()
            .with_validate_chunk_crcs(true)
            .with_record_length_limit(RECORD_BYTES);
        Ok(Self {
            path: path.to_owned(),
            from: File::open(path).map_err(|e| TableError::read(path, e))?,
            reader: LinearReader::new_with_options(options),
            schemas: HashMap::new(),
            channels: HashMap::new(),
            profile: String::new(),
            last_ns: 0,
            cut: false,
        })
    }

    /// Channels up to now.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// Reads on to the next message; none at the end.
    pub(crate) fn next<T>(
        &mut self,
        look: impl FnOnce(u16, &Channel, &MessageHeader, &[u8]) -> T,
    ) -> Result<Option<T>, TableError> {
        loop {
            let wrong = |cause: McapError, last_ns: u64, path: &Path| {
                TableError::wrong(
                    path,
                    format!("a broken record after the time {last_ns} ns ({cause})"),
                    "an MCAP file as it was written",
                )
            };
            let record = match self.reader.next_event() {
                None => return Ok(None),
                Some(Ok(LinearReadEvent::ReadRequest(need))) => {
                    let to = self.reader.insert(need);
                    let n = self
                        .from
                        .read(to)
                        .map_err(|e| TableError::read(&self.path, e))?;
                    self.reader.notify_read(n);
                    continue;
                }
                Some(Ok(LinearReadEvent::Record { opcode, data })) => {
                    mcap::parse_record(opcode, data)
                }
                Some(Err(McapError::UnexpectedEof | McapError::UnexpectedEoc)) => {
                    self.cut = true;
                    return Ok(None);
                }
                Some(Err(error)) => return Err(wrong(error, self.last_ns, &self.path)),
            };
            match record.map_err(|e| wrong(e, self.last_ns, &self.path))? {
                Record::Header(header) => self.profile = header.profile,
                Record::Schema { header, data } => {
                    let schema = Schema {
                        name: header.name,
                        bytes: data.into_owned(),
                    };
                    self.schemas.insert(header.id, schema);
                }
                Record::Channel(channel) if !self.channels.contains_key(&channel.id) => {
                    let coding = self.coding(&channel.message_encoding, channel.schema_id);
                    let known = Channel {
                        topic: channel.topic,
                        coding,
                        ours: self.profile == OURS,
                        metadata: channel.metadata,
                    };
                    self.channels.insert(channel.id, known);
                }
                Record::Message { header, data } => {
                    self.last_ns = header.log_time;
                    if let Some(channel) = self.channels.get(&header.channel_id) {
                        return Ok(Some(look(header.channel_id, channel, &header, &data)));
                    }
                }
                _ => {}
            }
        }
    }

    fn coding(&self, encoding: &str, schema: u16) -> Coding {
        match encoding {
            "json" => Coding::Json,
            "protobuf" => {
                let schema = self.schemas.get(&schema);
                let message = schema.and_then(|schema| {
                    let pool = DescriptorPool::decode(schema.bytes.as_slice()).ok()?;
                    pool.get_message_by_name(&schema.name)
                });
                message.map_or(
                    Coding::Other("protobuf without a schema".to_owned()),
                    Coding::Protobuf,
                )
            }
            "" => Coding::Other("no encoding".to_owned()),
            other => Coding::Other(other.to_owned()),
        }
    }
}

impl Channel {
    /// Gives every leaf of a message with its path below the topic; false where it is not one of its encoding.
    pub(crate) fn leaves(&self, bytes: &[u8], each: &mut dyn FnMut(&str, Leaf)) -> bool {
        let mut path = self.topic.trim_start_matches('/').to_owned();
        match &self.coding {
            Coding::Json => match serde_json::from_slice(bytes) {
                Ok(value) => json(&value, &mut path, each),
                Err(_) => return false,
            },
            Coding::Protobuf(descriptor) => match DynamicMessage::decode(descriptor.clone(), bytes)
            {
                Ok(message) => protobuf(&message, &mut path, each),
                Err(_) => return false,
            },
            Coding::Other(_) => {}
        }
        true
    }
}

/// Adds a part to a path, and takes it away again.
fn below(path: &mut String, part: &dyn std::fmt::Display, then: impl FnOnce(&mut String)) {
    let length = path.len();
    // Writing to a string cannot fail.
    let _ = write!(path, "/{part}");
    then(path);
    path.truncate(length);
}

fn json(value: &Value, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    match value {
        Value::Null => each(path, Leaf::Missing),
        Value::Bool(on) => each(path, Leaf::Number(f64::from(u8::from(*on)))),
        Value::Number(x) => each(path, number(x.as_f64().unwrap_or(f64::NAN))),
        Value::String(_) => each(path, Leaf::Text),
        Value::Array(items) if items.len() <= LIST => {
            for (k, item) in items.iter().enumerate() {
                below(path, &k, |path| json(item, path, each));
            }
        }
        Value::Array(_) => {}
        Value::Object(fields) => {
            for (name, field) in fields {
                below(path, name, |path| json(field, path, each));
            }
        }
    }
}

fn protobuf(message: &DynamicMessage, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    for field in message.descriptor().fields() {
        let message_type = field.kind().as_message().map(|m| m.full_name().to_owned());
        let is_time = matches!(
            message_type.as_deref(),
            Some("google.protobuf.Timestamp" | "google.protobuf.Duration")
        );
        // Stamps are no readings; what was not set and has no default says nothing.
        if is_time || (field.supports_presence() && !message.has_field(&field)) {
            continue;
        }
        let value = message.get_field(&field);
        below(path, &field.name(), |path| {
            protobuf_field(&value, path, each);
        });
    }
}

fn protobuf_field(value: &Field, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    let x = match value {
        Field::Bool(on) => f64::from(u8::from(*on)),
        Field::I32(x) => f64::from(*x),
        Field::I64(x) => *x as f64,
        Field::U32(x) => f64::from(*x),
        Field::U64(x) => *x as f64,
        Field::F32(x) => f64::from(*x),
        Field::F64(x) => *x,
        Field::EnumNumber(_) | Field::String(_) => return each(path, Leaf::Text),
        Field::Message(message) => return protobuf(message, path, each),
        Field::List(items) if items.len() <= LIST => {
            for (k, item) in items.iter().enumerate() {
                below(path, &k, |path| protobuf_field(item, path, each));
            }
            return;
        }
        Field::List(_) | Field::Map(_) | Field::Bytes(_) => return,
    };
    each(path, number(x));
}

fn number(x: f64) -> Leaf {
    if x.is_finite() {
        Leaf::Number(x)
    } else {
        Leaf::Missing
    }
}
