//! Places of the chunks in an MCAP file, found from record to record: with or without a summary, whole or cut off.

use mcap::records::{Record, op};
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};

/// Largest schema or channel that is read here (bytes).
const MAX_NAMES: u64 = 64 << 20;

/// Chunk, and the messages in it.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) offset: u64,
    /// Length of the record (bytes); less in a file that is cut off.
    pub(crate) length: u64,
    /// Earliest log time (ns).
    pub(crate) start_ns: u64,
    /// Channels with messages; empty if not known.
    pub(crate) channels: Vec<u16>,
}

/// Chunks of a file, and the records outside of them.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    pub(crate) chunks: Vec<Chunk>,
    /// Header, schemas and channels outside of chunks: at the end of a whole file.
    pub(crate) names: Vec<Record<'static>>,
    /// Whether some message is outside of chunks.
    pub(crate) loose: bool,
    /// Whether the file ends within a record, or before its footer.
    pub(crate) truncated: bool,
}

impl Chunks {
    /// Finds the chunks of a file.
    pub(crate) fn find(file: &File) -> io::Result<Self> {
        let total = file.metadata()?.len();
        let mut from = BufReader::with_capacity(4096, file);
        let mut at = from.seek(SeekFrom::Start(mcap::MAGIC.len() as u64))?;
        let mut found = Self::default();
        loop {
            let mut head = [0; 9];
            if total.saturating_sub(at) < head.len() as u64 {
                found.truncated = true;
                return Ok(found);
            }
            from.read_exact(&mut head)?;
            let [opcode, length @ ..] = head;
            let length = u64::from_le_bytes(length);
            let begin = at + head.len() as u64;
            let left = total - begin;
            let body = length.min(left);
            match opcode {
                op::MESSAGE => {
                    found.loose = true;
                    return Ok(found);
                }
                op::FOOTER => {
                    found.truncated = left < length.saturating_add(mcap::MAGIC.len() as u64);
                    return Ok(found);
                }
                op::CHUNK if body >= 8 => {
                    let mut start = [0; 8];
                    from.read_exact(&mut start)?;
                    found.chunks.push(Chunk {
                        offset: at,
                        length: head.len() as u64 + body,
                        start_ns: u64::from_le_bytes(start),
                        channels: Vec::new(),
                    });
                }
                op::MESSAGE_INDEX if body >= 2 => {
                    let mut id = [0; 2];
                    from.read_exact(&mut id)?;
                    if let Some(chunk) = found.chunks.last_mut() {
                        chunk.channels.push(u16::from_le_bytes(id));
                    }
                }
                op::HEADER | op::SCHEMA | op::CHANNEL if length <= left.min(MAX_NAMES) => {
                    let mut bytes = Vec::new();
                    (&mut from).take(length).read_to_end(&mut bytes)?;
                    if let Ok(record) = mcap::parse_record(opcode, &bytes) {
                        found.names.push(record.into_owned());
                    }
                }
                _ => {}
            }
            if length > left {
                found.truncated = true;
                return Ok(found);
            }
            let now = from.stream_position()?;
            from.seek_relative((begin + length).cast_signed() - now.cast_signed())?;
            at = begin + length;
        }
    }
}
