//! Places of the chunks in a ROS 1 bag, found from record to record: with or without an index, whole or cut off.

use crate::bag_records::{self as records, CHUNK, CONNECTION, INDEX, MAGIC, MESSAGE};
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

/// Largest header of a record, connection or index that is read (bytes).
const MAX_HEADER: u64 = 64 << 20;
/// Length from which messages outside of chunks begin a new part (bytes).
const LOOSE_BYTES: u64 = 1 << 20;

/// Compression of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Lz4,
    Bz2,
    Other(String),
}

/// Part of a bag with messages: a chunk, or messages outside of chunks.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) offset: u64,
    /// Length (bytes); less in a bag that is cut off.
    pub(crate) length: u64,
    pub(crate) compression: Compression,
    /// Earliest time (ns).
    pub(crate) start_ns: u64,
    /// Connections with messages; empty if not known.
    pub(crate) connections: Vec<u32>,
    is_chunk: bool,
    indexed: bool,
}

/// Parts of a bag, and its connections outside of chunks.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<Part>,
    /// Connection records.
    pub(crate) connections: Vec<Vec<u8>>,
    /// Whether the bag ends within a record.
    pub(crate) truncated: bool,
    /// Offset of the first invalid record.
    pub(crate) invalid_at: Option<u64>,
}

impl Parts {
    /// Finds the parts of a bag.
    pub(crate) fn find(file: &File) -> io::Result<Self> {
        let total = file.metadata()?.len();
        let mut from = BufReader::with_capacity(4096, file);
        let mut at = from.seek(SeekFrom::Start(MAGIC.len() as u64))?;
        let mut found = Self::default();
        while at < total {
            let Some(length) = length(&mut from, total - at)? else {
                found.truncated = true;
                return Ok(found);
            };
            let left = total - at - 4;
            if length > left.min(MAX_HEADER) {
                found.ends_at(at, length <= left);
                return Ok(found);
            }
            let mut header = Vec::new();
            (&mut from).take(length).read_to_end(&mut header)?;
            let fields = records::fields(&header);
            let left = left - length;
            let Some(size) = self::length(&mut from, left)? else {
                found.truncated = true;
                return Ok(found);
            };
            let left = left - 4;
            let begin = at + 8 + length;
            let is_whole = size <= left;
            let size = size.min(left);
            let op = fields.op();
            match op {
                None => {
                    found.ends_at(at, true);
                    return Ok(found);
                }
                Some(CHUNK) => found.chunk(begin, size, fields),
                Some(MESSAGE) => found.loose(at, begin + size - at, fields),
                Some(CONNECTION | INDEX) if is_whole && size <= MAX_HEADER => {
                    let mut body = Vec::new();
                    (&mut from).take(size).read_to_end(&mut body)?;
                    if op == Some(INDEX) {
                        found.index(fields, &body);
                    } else {
                        let mut record = (header.len() as u32).to_le_bytes().to_vec();
                        record.extend_from_slice(&header);
                        record.extend_from_slice(&(body.len() as u32).to_le_bytes());
                        record.append(&mut body);
                        found.connections.push(record);
                    }
                }
                Some(_) => {}
            }
            if !is_whole {
                found.truncated = true;
                return Ok(found);
            }
            let now = from.stream_position()?;
            from.seek_relative((begin + size).cast_signed() - now.cast_signed())?;
            at = begin + size;
        }
        Ok(found)
    }

    fn ends_at(&mut self, at: u64, is_invalid: bool) {
        self.truncated = !is_invalid;
        self.invalid_at = is_invalid.then_some(at);
    }

    fn chunk(&mut self, offset: u64, length: u64, fields: records::Fields<'_>) {
        let compression = fields.get("compression").unwrap_or_default();
        self.parts.push(Part {
            offset,
            length,
            compression: match compression {
                b"none" => Compression::None,
                b"lz4" => Compression::Lz4,
                b"bz2" => Compression::Bz2,
                other => Compression::Other(String::from_utf8_lossy(other).into_owned()),
            },
            // Until its index: not before the chunk before it.
            start_ns: self.parts.last().map_or(0, |part| part.start_ns),
            connections: Vec::new(),
            is_chunk: true,
            indexed: false,
        });
    }

    fn loose(&mut self, offset: u64, length: u64, fields: records::Fields<'_>) {
        let ns = fields.time_ns().unwrap_or(0);
        if let Some(part) = self.parts.last_mut()
            && !part.is_chunk
            && part.length < LOOSE_BYTES
            && part.offset + part.length == offset
        {
            part.length += length;
            part.start_ns = part.start_ns.min(ns);
            return;
        }
        self.parts.push(Part {
            offset,
            length,
            compression: Compression::None,
            start_ns: ns,
            connections: Vec::new(),
            is_chunk: false,
            indexed: false,
        });
    }

    /// Times of the messages of a connection in the last chunk.
    fn index(&mut self, fields: records::Fields<'_>, body: &[u8]) {
        let (Some(part), Some(connection)) = (self.parts.last_mut(), fields.number("conn")) else {
            return;
        };
        let times = body.chunks_exact(12).filter_map(records::time_ns);
        let Some(first_ns) = times.min() else {
            return;
        };
        part.start_ns = if part.indexed {
            part.start_ns.min(first_ns)
        } else {
            first_ns
        };
        part.indexed = true;
        part.connections.push(connection);
    }
}

/// Length before a header or body; `None` if it is cut off.
fn length(from: &mut impl io::Read, left: u64) -> io::Result<Option<u64>> {
    if left < 4 {
        return Ok(None);
    }
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(Some(u64::from(u32::from_le_bytes(bytes))))
}
