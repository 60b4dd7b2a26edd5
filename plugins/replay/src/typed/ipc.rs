//! Arrow's IPC: streams, and files (Feather), whose batches are the same stream. They are read message by message, so that a
//! file that was cut off gives what is whole, and no length in it is believed before the file has as many bytes.

use super::arrow::{LeafArray, Leaves};
use super::source::{Columns, TypedSource};
use super::value::Value;
use crate::error::TableError;
use crate::guard::guarded;
use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::{MessageHeader, root_as_message};
use arrow_schema::SchemaRef;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

const MAGIC: &[u8] = b"ARROW1";
/// Where the first message of a file begins at the latest.
const MAX_MARK_BYTES: u64 = 64;
const CONTINUES: [u8; 4] = [0xff; 4];
/// Most bytes of a batch's columns when they are unpacked.
const MAX_UNPACKED_BYTES: u64 = 2 << 30;
/// Largest description of a message (bytes).
const MAX_HEADER_BYTES: usize = 64 << 20;

/// Whether these are the first bytes of a stream: a length, and the description of a schema.
pub(super) fn is_stream(head: &[u8]) -> bool {
    let Some((&first, rest)) = head.split_first_chunk::<4>() else {
        return false;
    };
    let Some((&length, rest)) = rest.split_first_chunk::<4>() else {
        return false;
    };
    let (length, rest) = match first {
        CONTINUES => (u32::from_le_bytes(length), rest),
        length => (u32::from_le_bytes(length), &head[4..]),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    (8..=MAX_HEADER_BYTES).contains(&length)
        && rest.get(..length).is_some_and(|header| {
            root_as_message(header).is_ok_and(|m| m.header_type() == MessageHeader::Schema)
        })
}

/// Records of an Arrow file or stream.
pub(crate) struct IpcSource {
    messages: Messages,
    leaves: Leaves,
    arrays: Vec<LeafArray>,
    /// Rows of the batch, and the next one.
    rows: usize,
    next: usize,
    /// Row of the file (from 1).
    number: u64,
}

impl std::fmt::Debug for IpcSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcSource").finish_non_exhaustive()
    }
}

/// Messages of a file or stream.
struct Messages {
    from: BufReader<File>,
    decoder: StreamDecoder,
    /// Bytes that are left.
    left: u64,
    /// Batches that were decoded.
    ready: VecDeque<RecordBatch>,
    batches: u64,
    ended: bool,
    /// Why the rest is not read.
    rest: Option<String>,
}

impl Messages {
    fn open(file: &Path) -> Result<(SchemaRef, Self), TableError> {
        let failed = |cause| TableError::read(file, cause);
        let mut from = File::open(file).map_err(failed)?;
        let mut left = from.metadata().map_err(failed)?.len();
        let mut magic = [0; 6];
        let is_file = left >= 8 && from.read_exact(&mut magic).is_ok() && magic == MAGIC;
        let mut rest = None;
        if is_file {
            let mut end = [0; 6];
            let _ = from.seek(SeekFrom::End(-6)).map_err(failed)?;
            from.read_exact(&mut end).map_err(failed)?;
            if end != MAGIC {
                rest = Some("the file has no end mark: it was cut off".to_owned());
            }
            left -= 8;
        }
        let mut begin = 0;
        if is_file {
            // The mark is filled up with zeros: to 8 bytes, by some writers to 64.
            begin = 8;
            from.seek(SeekFrom::Start(begin)).map_err(failed)?;
            let mut word = [0; 8];
            while begin < MAX_MARK_BYTES && from.read_exact(&mut word).is_ok() && word == [0; 8] {
                begin += 8;
                left = left.saturating_sub(8);
            }
        }
        from.seek(SeekFrom::Start(begin)).map_err(failed)?;
        let mut messages = Self {
            from: BufReader::with_capacity(256 * 1024, from),
            decoder: StreamDecoder::new(),
            left,
            ready: VecDeque::new(),
            batches: 0,
            ended: false,
            rest,
        };
        while messages.decoder.schema().is_none() && !messages.ended {
            messages.read(file)?;
        }
        match messages.decoder.schema() {
            Some(schema) => Ok((schema, messages)),
            None => Err(TableError::invalid(
                file,
                match &messages.rest {
                    Some(rest) => format!("no schema: {rest}"),
                    None => "no schema".to_owned(),
                },
                "an Arrow file or stream that is whole: write it again",
            )),
        }
    }

    /// Reads exactly `to.len()` bytes; false if the file has fewer.
    fn fill(&mut self, file: &Path, to: &mut [u8]) -> Result<bool, TableError> {
        match self.from.read_exact(to) {
            Ok(()) => {
                self.left = self.left.saturating_sub(to.len() as u64);
                Ok(true)
            }
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => {
                self.left = 0;
                Ok(false)
            }
            Err(cause) => Err(TableError::read(file, cause)),
        }
    }

    fn stop(&mut self, why: &str) {
        let after = match self.batches {
            0 => "before the first batch".to_owned(),
            n => format!("after batch {n}"),
        };
        self.rest = Some(format!("{why} {after}: the rest is not read"));
        self.end();
    }

    /// Ends the stream: a message without a body is decoded with what follows it.
    fn end(&mut self) {
        self.ended = true;
        let mut end = [0; 8];
        end[..4].copy_from_slice(&CONTINUES);
        // What is left of a damaged message is no batch.
        let _ = self.decode(Buffer::from(&end[..]));
    }

    fn decode(&mut self, mut bytes: Buffer) -> Result<(), String> {
        while !bytes.is_empty() {
            let batch = guarded(|| self.decoder.decode(&mut bytes))?;
            self.batches += u64::from(batch.is_some());
            self.ready.extend(batch);
        }
        Ok(())
    }

    /// Next batch; `None` at the end.
    fn next(&mut self, file: &Path) -> Result<Option<RecordBatch>, TableError> {
        while self.ready.is_empty() && !self.ended {
            self.read(file)?;
        }
        Ok(self.ready.pop_front())
    }

    /// Reads a message.
    fn read(&mut self, file: &Path) -> Result<(), TableError> {
        let mut length = [0; 4];
        let at_end = self.left == 0;
        let whole = self.fill(file, &mut length)?
            && (length != CONTINUES || self.fill(file, &mut length)?);
        if !whole {
            self.stop(if at_end {
                "the file ends without an end mark"
            } else {
                "the file ends within a message"
            });
            return Ok(());
        }
        let header = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if header == 0 {
            self.end();
            return Ok(());
        }
        if header as u64 > self.left || header > MAX_HEADER_BYTES {
            self.stop("the file ends within a message");
            return Ok(());
        }
        let mut message = MutableBuffer::from_len_zeroed(8 + header);
        message[..4].copy_from_slice(&CONTINUES);
        message[4..8].copy_from_slice(&length);
        if !self.fill(file, &mut message[8..])? {
            self.stop("the file ends within a message");
            return Ok(());
        }
        let body = match root_as_message(&message[8..]) {
            Ok(described) => u64::try_from(described.bodyLength()).ok(),
            Err(_) => None,
        };
        let Some(body) = body else {
            self.stop("a message is damaged");
            return Ok(());
        };
        if body > self.left {
            self.stop("the file ends within a message");
            return Ok(());
        }
        let body = usize::try_from(body).unwrap_or(usize::MAX);
        message.resize(8 + header + body, 0);
        if !self.fill(file, &mut message[8 + header..])? {
            self.stop("the file ends within a message");
            return Ok(());
        }
        if !is_bounded(&message[8..8 + header], &message[8 + header..]) {
            self.stop("a message is damaged, or larger than 2 GB when unpacked,");
            return Ok(());
        }
        if let Err(error) = self.decode(Buffer::from(message)) {
            self.stop(&format!("a message is damaged ({error})"));
        }
        Ok(())
    }
}

/// Whether the lengths in a message are within bounds: of what is unpacked, and of the rows.
fn is_bounded(header: &[u8], body: &[u8]) -> bool {
    let Ok(message) = root_as_message(header) else {
        return false;
    };
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => {
            message.header_as_dictionary_batch().and_then(|d| d.data())
        }
        _ => return true,
    };
    let Some(batch) = batch else {
        return false;
    };
    let mut bytes = 0_u64;
    for buffer in batch.buffers().iter().flatten() {
        let (Ok(at), Ok(length)) = (
            usize::try_from(buffer.offset()),
            usize::try_from(buffer.length()),
        ) else {
            return false;
        };
        let Some(part) = at.checked_add(length).and_then(|end| body.get(at..end)) else {
            return false;
        };
        let unpacked = match part.first_chunk() {
            Some(length) if batch.compression().is_some() => i64::from_le_bytes(*length),
            _ => -1,
        };
        let unpacked = match unpacked {
            -1 => part.len() as u64,
            n => u64::try_from(n).unwrap_or(u64::MAX),
        };
        bytes = bytes.saturating_add(unpacked);
    }
    // A row has a bit at least, unless all columns are null.
    let rows = u64::try_from(batch.length()).unwrap_or(u64::MAX);
    bytes <= MAX_UNPACKED_BYTES && rows <= bytes.saturating_mul(8).max(1 << 20)
}

impl TypedSource for IpcSource {
    fn open(file: &Path) -> Result<(Columns, Self), TableError> {
        let (schema, messages) = Messages::open(file)?;
        let (columns, leaves) = Leaves::of(&schema);
        let source = Self {
            messages,
            leaves,
            arrays: Vec::new(),
            rows: 0,
            next: 0,
            number: 0,
        };
        Ok((columns, source))
    }

    fn advance(&mut self, file: &Path) -> Result<bool, TableError> {
        while self.next == self.rows {
            let Some(batch) = self.messages.next(file)? else {
                return Ok(false);
            };
            (self.rows, self.next) = (batch.num_rows(), 0);
            self.arrays = self.leaves.arrays(&batch);
        }
        self.next += 1;
        self.number += 1;
        Ok(true)
    }

    fn width(&self) -> usize {
        self.leaves.len()
    }

    fn value(&self, index: usize) -> Value<'_> {
        let array = self.arrays.get(index);
        array.map_or(Value::Missing, |a| a.value(self.next - 1))
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn at_end(&self) -> Vec<String> {
        self.messages.rest.iter().cloned().collect()
    }
}
