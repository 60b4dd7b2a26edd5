//! Messages of an MCAP file as a stream, and the numbers in them.

use crate::error::TableError;
use crate::source::{Leaf, MAX_LIST, below};
use mcap::McapError;
use mcap::records::{MessageHeader, Record};
use mcap::sans_io::linear_reader::{LinearReadEvent, LinearReader, LinearReaderOptions};
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage as _, Value as Field,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// MCAP profile of our own recordings.
const OWN_PROFILE: &str = "becomingone";
/// Largest record (bytes): a larger one is not a reading, or has an invalid length.
const MAX_RECORD_BYTES: usize = 1 << 30;
/// Message encoding of a channel.
#[derive(Clone, Debug)]
pub(crate) enum Encoding {
    Json,
    Protobuf(MessageDescriptor),
    /// Unsupported, with its name.
    Other(String),
}

/// Channel of the file.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) topic: String,
    pub(crate) encoding: Encoding,
    /// Whether the file is one of our own recordings.
    pub(crate) ours: bool,
    pub(crate) metadata: BTreeMap<String, String>,
}

struct Schema {
    name: String,
    bytes: Vec<u8>,
}

/// Message stream of a file.
pub(crate) struct Messages {
    path: PathBuf,
    from: File,
    reader: LinearReader,
    schemas: HashMap<u16, Schema>,
    channels: HashMap<u16, Channel>,
    /// MCAP profile of the file.
    profile: String,
    /// Log time of the last message (ns).
    last_ns: u64,
    /// Whether the file ends within a record, as after the writer was killed.
    pub(crate) truncated: bool,
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
            .with_record_length_limit(MAX_RECORD_BYTES);
        Ok(Self {
            path: path.to_owned(),
            from: File::open(path).map_err(|e| TableError::read(path, e))?,
            reader: LinearReader::new_with_options(options),
            schemas: HashMap::new(),
            channels: HashMap::new(),
            profile: String::new(),
            last_ns: 0,
            truncated: false,
        })
    }

    /// Channels read so far.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
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
                    "an MCAP file that was not changed",
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
                    self.truncated = true;
                    return Ok(None);
                }
                Some(Err(error)) => return Err(invalid(error, self.last_ns, &self.path)),
            };
            match record.map_err(|e| invalid(e, self.last_ns, &self.path))? {
                Record::Header(header) => self.profile = header.profile,
                Record::Schema { header, data } => {
                    let schema = Schema {
                        name: header.name,
                        bytes: data.into_owned(),
                    };
                    self.schemas.insert(header.id, schema);
                }
                Record::Channel(channel) if !self.channels.contains_key(&channel.id) => {
                    let encoding = self.encoding(&channel.message_encoding, channel.schema_id);
                    let known = Channel {
                        topic: channel.topic,
                        encoding,
                        ours: self.profile == OWN_PROFILE,
                        metadata: channel.metadata,
                    };
                    self.channels.insert(channel.id, known);
                }
                Record::Message { header, data } => {
                    self.last_ns = header.log_time;
                    if let Some(channel) = self.channels.get(&header.channel_id) {
                        return Ok(Some(visit(header.channel_id, channel, &header, &data)));
                    }
                }
                _ => {}
            }
        }
    }

    fn encoding(&self, encoding: &str, schema: u16) -> Encoding {
        match encoding {
            "json" => Encoding::Json,
            "protobuf" => {
                let schema = self.schemas.get(&schema);
                let message = schema.and_then(|schema| {
                    let pool = DescriptorPool::decode(schema.bytes.as_slice()).ok()?;
                    pool.get_message_by_name(&schema.name)
                });
                message.map_or(
                    Encoding::Other("protobuf without a schema".to_owned()),
                    Encoding::Protobuf,
                )
            }
            "" => Encoding::Other("no encoding".to_owned()),
            other => Encoding::Other(other.to_owned()),
        }
    }
}

impl Channel {
    /// Visits every leaf of a message with its path below the topic; false if the message is not valid in its encoding.
    pub(crate) fn leaves(&self, bytes: &[u8], each: &mut dyn FnMut(&str, Leaf)) -> bool {
        let mut path = self.topic.trim_start_matches('/').to_owned();
        match &self.encoding {
            Encoding::Json => match serde_json::from_slice(bytes) {
                Ok(value) => json(&value, &mut path, each),
                Err(_) => return false,
            },
            Encoding::Protobuf(descriptor) => {
                match DynamicMessage::decode(descriptor.clone(), bytes) {
                    Ok(message) => protobuf(&message, &mut path, each),
                    Err(_) => return false,
                }
            }
            Encoding::Other(_) => {}
        }
        true
    }
}

fn json(value: &Value, path: &mut String, each: &mut dyn FnMut(&str, Leaf)) {
    match value {
        Value::Null => each(path, Leaf::Missing),
        Value::Bool(on) => each(path, Leaf::Number(f64::from(u8::from(*on)))),
        Value::Number(x) => each(path, Leaf::number(x.as_f64().unwrap_or(f64::NAN))),
        Value::String(_) => each(path, Leaf::Text),
        Value::Array(items) if items.len() <= MAX_LIST => {
            for (k, item) in items.iter().enumerate() {
                below(path, &k, |path| json(item, path, each));
            }
        }
        Value::Array(_) => each(path, Leaf::LongList),
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
        // Stamps are not readings; fields that are not set and have no default have no value.
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
        Field::List(items) if items.len() <= MAX_LIST => {
            for (k, item) in items.iter().enumerate() {
                below(path, &k, |path| protobuf_field(item, path, each));
            }
            return;
        }
        Field::List(_) => return each(path, Leaf::LongList),
        Field::Map(_) | Field::Bytes(_) => return,
    };
    each(path, Leaf::number(x));
}
