//! The file on the disk: what is in it up to the last flush can be read, whatever comes after.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes that are gathered before the disk is asked.
const GATHERED: usize = 1 << 16;

/// A file that is only added to.
pub(crate) struct Out {
    to: BufWriter<File>,
    /// Bytes that were given to it.
    written: u64,
    /// Bytes at the last flush: whole records.
    whole: u64,
}

impl Out {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            to: BufWriter::with_capacity(GATHERED, File::create(path)?),
            written: 0,
            whole: 0,
        })
    }

    /// Cuts off what was not written whole, and closes what there is as a file without a summary. The room that the
    /// cut part had is enough for that, or the file ends with its last whole record.
    pub(crate) fn salvage(self) -> io::Result<u64> {
        let whole = self.whole;
        // What waits in memory did not find room.
        let (mut file, _) = self.to.into_parts();
        file.set_len(whole)?;
        file.seek(SeekFrom::Start(whole))?;
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
        if whole > 0 && file.write_all(&end).is_err() {
            file.set_len(whole)?;
        }
        Ok(whole)
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
        self.whole = self.written;
        Ok(())
    }
}

impl Seek for Out {
    /// Says where it is; it goes nowhere else.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.written),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
