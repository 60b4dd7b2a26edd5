//! Recording: messages as records of an MCAP file.

use crate::batch::Batch;
use crate::convert::Converter;
use crate::file::Out;
use crate::opening::Opening;
use crate::output::{Channel, Output, RunStart, Stamp};
use mcap::records::{MessageHeader, Metadata};
use mcap::{Attachment, McapError, McapResult, WriteOptions};
use std::borrow::Cow;

/// MCAP profile in the header of a recording.
pub const PROFILE: &str = "becomingone";
/// Metadata record of the run: program, scene, seed.
pub const RUN_METADATA: &str = "becomingone.run";
/// Metadata record at the end of a closed recording.
pub const END_METADATA: &str = "becomingone.end";
/// Version of the journal format; others are refused.
pub const JOURNAL_VERSION: u32 = 2;
/// Attachment with the resolved scene.
pub const SCENE_ATTACHMENT: &str = "scene.ron";

/// Chunk size before compression (bytes).
const CHUNK: u64 = 1 << 20;

/// File with what it begins with.
struct McapFile {
    to: mcap::Writer<Out>,
    /// Until the first run.
    opening: Option<Opening>,
}

impl Output for McapFile {
    type Error = McapError;
    const KEEPS_CHANNELS: bool = true;

    /// Writes the metadata and attachments at the start of the file.
    fn begin(&mut self, start: &RunStart) -> McapResult<()> {
        let Some(opening) = self.opening.take() else {
            return Ok(());
        };
        let mut metadata = opening.metadata;
        metadata.extend([
            ("journal".to_owned(), JOURNAL_VERSION.to_string()),
            ("seed".to_owned(), start.seed.to_string()),
            ("tick_ns".to_owned(), start.tick_ns.to_string()),
            (
                "scene_hash".to_owned(),
                format!("{:016x}", start.scene_hash),
            ),
        ]);
        self.to.write_metadata(&Metadata {
            name: RUN_METADATA.to_owned(),
            metadata,
        })?;
        for (name, bytes) in opening.attachments {
            let media_type = if name == SCENE_ATTACHMENT {
                "text/plain"
            } else {
                "application/octet-stream"
            };
            self.to.attach(&Attachment {
                log_time: 0,
                create_time: 0,
                name,
                media_type: media_type.to_owned(),
                data: Cow::Owned(bytes),
            })?;
        }
        self.to.flush()
    }

    fn channel(&mut self, channel: &Channel<'_>) -> McapResult<u16> {
        let schema = match channel.schema {
            Some(schema) => self
                .to
                .add_schema(schema.name, schema.encoding, schema.data)?,
            None => 0,
        };
        self.to
            .add_channel(schema, channel.topic, channel.encoding, channel.metadata)
    }

    fn message(&mut self, channel: u16, stamp: Stamp, bytes: &[u8]) -> McapResult<()> {
        let header = MessageHeader {
            channel_id: channel,
            // Truncated: informative only, ticks are 64 bits wide.
            sequence: stamp.tick as u32,
            log_time: stamp.log_ns,
            publish_time: stamp.publish_ns,
        };
        self.to.write_to_known_channel(&header, bytes)
    }
}

/// Writer of a recording.
pub(crate) struct Writer(Converter<McapFile>);

impl Writer {
    /// Starts a file.
    pub(crate) fn new(out: Out, opening: Opening) -> McapResult<Self> {
        let to = WriteOptions::new()
            .profile(PROFILE)
            .library(concat!("becomingone ", env!("CARGO_PKG_VERSION")))
            // Without seeking, chunks are complete or absent: a truncated file is readable up to its last chunk.
            .disable_seeking(true)
            .chunk_size(Some(CHUNK))
            .compression(Some(mcap::Compression::Zstd))
            .compression_level(1)
            // Compress in this thread only.
            .compression_threads(0)
            .create(out)?;
        Ok(Self(Converter::new(McapFile {
            to,
            opening: Some(opening),
        })))
    }

    /// Writes a batch.
    pub(crate) fn write(&mut self, batch: &mut Batch) -> McapResult<()> {
        self.0.convert(batch)
    }

    /// Simulated time of the last tick written (ns).
    pub(crate) fn now_ns(&self) -> u64 {
        self.0.now_ns()
    }

    /// Flushes to the operating system: all data written so far becomes readable.
    pub(crate) fn flush(&mut self) -> McapResult<()> {
        self.0.to().to.flush()
    }

    /// Closes the file.
    pub(crate) fn finish(&mut self) -> McapResult<()> {
        let totals = self.0.totals();
        let file = self.0.to();
        if let Some(totals) = totals {
            file.to.write_metadata(&Metadata {
                name: END_METADATA.to_owned(),
                metadata: totals.map(|(key, value)| (key.to_owned(), value)).into(),
            })?;
        }
        file.to.finish()?;
        Ok(())
    }

    /// Returns the file without closing it.
    pub(crate) fn into_file(self) -> Out {
        self.0.into_output().to.into_inner()
    }
}
