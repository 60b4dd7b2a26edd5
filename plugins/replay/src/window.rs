//! Window over the bytes of a binary log: look ahead without reading the file whole.

use std::io::{self, Read, Seek, SeekFrom};

const CHUNK_BYTES: usize = 256 * 1024;

/// Window over a file. It grows with what is looked at, not with what a length in the file says.
pub(crate) struct Window<R> {
    from: R,
    buffer: Vec<u8>,
    /// Start of the window in `buffer`.
    at: usize,
    /// The same place in the file.
    offset: u64,
    /// End of the part of the file that is read; `None`: the end of the file.
    end: Option<u64>,
    ended: bool,
}

impl<R: Read + Seek> Window<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            buffer: Vec::new(),
            at: 0,
            offset: 0,
            end: None,
            ended: false,
        }
    }

    /// Place of the window in the file (bytes).
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Ends the window at a place of the file.
    pub(crate) fn end_at(&mut self, end: Option<u64>) {
        self.end = end;
    }

    /// Bytes from here on: at least `n`, or all that the file has.
    pub(crate) fn ahead(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < n && !self.ended {
            self.buffer.drain(..self.at);
            self.at = 0;
            let have = self.buffer.len();
            self.buffer.resize(have + CHUNK_BYTES, 0);
            let read = self.from.read(&mut self.buffer[have..]);
            self.buffer.truncate(have + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let have = &self.buffer[self.at..];
        let most = self.end.map_or(have.len(), |end| {
            usize::try_from(end.saturating_sub(self.offset))
                .map_or(have.len(), |n| n.min(have.len()))
        });
        Ok(&have[..most])
    }

    /// Moves on by `n` bytes that were looked at.
    pub(crate) fn pass(&mut self, n: usize) {
        let n = n.min(self.buffer.len() - self.at);
        self.at += n;
        self.offset += n as u64;
    }

    /// Moves to a place of the file.
    pub(crate) fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.from.seek(SeekFrom::Start(offset))?;
        self.buffer.clear();
        (self.at, self.offset, self.ended) = (0, offset, false);
        Ok(())
    }
}

/// Bytes that were passed over because they are no message: number, places, and where they begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    pub(crate) bytes: u64,
    places: u64,
    first: u64,
}

impl Skipped {
    pub(crate) fn add(&mut self, offset: u64, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if self.places == 0 {
            self.first = offset;
        }
        self.places += 1;
        self.bytes += bytes as u64;
    }

    pub(crate) fn note(&self) -> Option<String> {
        let places = if self.places == 1 { "place" } else { "places" };
        (self.bytes > 0).then(|| {
            format!(
                "{} bytes that are no message were skipped, in {} {places}, the first one at byte {}: the file is damaged there",
                self.bytes, self.places, self.first
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_looks_ahead_across_reads_and_ends_where_it_should() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|k| (k % 251) as u8).collect();
        let mut window = Window::new(io::Cursor::new(&bytes));
        for at in [0, 3, 300_000, 900_000] {
            let passed = at - usize::try_from(window.offset()).unwrap();
            window.ahead(passed).unwrap();
            window.pass(passed);
            let ahead = window.ahead(70_000).unwrap();
            assert_eq!(ahead[..70_000], bytes[at..at + 70_000]);
        }
        window.seek(10).unwrap();
        window.end_at(Some(14));
        assert_eq!(window.ahead(100).unwrap(), &bytes[10..14]);
        window.end_at(None);
        window.seek(999_999).unwrap();
        assert_eq!(window.ahead(100).unwrap().len(), 1);
    }
}
