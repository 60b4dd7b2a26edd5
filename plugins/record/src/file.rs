//! Output file: readable up to the last flush, whatever happens later.

use becomingone_systems::output_file::{create_locked, still_there};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Size of the write buffer (bytes).
const BUFFER_BYTES: usize = 1 << 16;

/// Append-only file.
pub(crate) struct Out {
    to: BufWriter<File>,
    path: PathBuf,
    /// Bytes written, buffered ones included.
    written: u64,
    /// Bytes at the last flush: complete records.
    flushed: u64,
}

impl Out {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            to: BufWriter::with_capacity(BUFFER_BYTES, create_locked(path)?),
            path: path.to_owned(),
            written: 0,
            flushed: 0,
        })
    }

    /// Fails if the file was deleted or replaced meanwhile.
    pub(crate) fn still_there(&self) -> io::Result<()> {
        still_there(&self.path, self.to.get_ref())
    }

    /// Truncates the file to its last flush and closes it as a file without a summary. If even the freed space is too
    /// small for that, the file ends with its last complete record.
    pub(crate) fn salvage(self) -> io::Result<u64> {
        let flushed = self.flushed;
        // Discard the buffer: the disk has no room for it.
        let (mut file, _) = self.to.into_parts();
        file.set_len(flushed)?;
        file.seek(SeekFrom::Start(flushed))?;
        let mut end = Vec::with_capacity(64);
        // Data end: no CRC. Footer: no summary.
        end.extend_from_slice(&[
            mcap::records::op::DATA_END,
            4,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        end.extend_from_slice(&[mcap::records::op::FOOTER, 20, 0, 0, 0, 0, 0, 0, 0]);
        end.extend_from_slice(&[0; 20]);
        end.extend_from_slice(mcap::MAGIC);
        if flushed > 0 && file.write_all(&end).is_err() {
            file.set_len(flushed)?;
        }
        Ok(flushed)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.to.write(bytes)?;
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()?;
        self.flushed = self.written;
        Ok(())
    }
}

impl Seek for Out {
    /// Reports the position; any other seek is unsupported.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.written),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
