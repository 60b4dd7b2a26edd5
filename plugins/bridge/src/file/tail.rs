//! Follows a file that grows, and is truncated, renamed, deleted or created later.

use crate::lines::MAX_LINE;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// Most bytes that are read between two looks at the file's name.
const MAX_READ: u64 = 1 << 20;

/// Part of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// The first line of a file whose other lines were there before the run.
    Header(&'a [u8]),
    /// What follows is within a line whose begin is not read.
    Within,
    /// Bytes, in order.
    Bytes(&'a [u8]),
    /// The file is over: another one has its name.
    Ended,
    /// The file was truncated.
    Truncated,
}

/// State of the file after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Not there.
    Absent,
    /// Read to its end.
    Read,
    /// There is more.
    More,
}

pub(crate) struct Tail {
    path: PathBuf,
    open: Option<(File, u64)>,
    /// A file that is there at the start is read from its end.
    from_end: bool,
    buffer: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(path: PathBuf, from_end: bool) -> Self {
        Self {
            path,
            open: None,
            from_end,
            buffer: vec![0; 1 << 16],
        }
    }

    /// Reads what was written since the last call, at most 1 MB.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub(crate) fn poll(&mut self, each: &mut dyn FnMut(Piece<'_>)) -> io::Result<Presence> {
        if self.open.is_none() && !self.open(each)? {
            // One that is created later has no line from before the run.
            self.from_end = false;
            return Ok(Presence::Absent);
        }
        if self.read(each)? {
            return Ok(Presence::More);
        }
        let there = match fs::metadata(&self.path) {
            Ok(there) => there,
            // Its writer may still have it open.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Presence::Absent),
            Err(error) => return Err(error),
        };
        let Some((file, position)) = &mut self.open else {
            return Ok(Presence::Absent);
        };
        if !is_same(&file.metadata()?, &there) {
            // Lines that were written between the last read and the rename.
            if self.read(each)? {
                return Ok(Presence::More);
            }
            each(Piece::Ended);
            self.open = None;
            return Ok(Presence::More);
        }
        if there.len() < *position {
            each(Piece::Truncated);
            *position = file.seek(SeekFrom::Start(0))?;
            return Ok(Presence::More);
        }
        Ok(Presence::Read)
    }

    /// Opens the file; returns whether it is there.
    fn open(&mut self, each: &mut dyn FnMut(Piece<'_>)) -> io::Result<bool> {
        // A pipe without a writer would block.
        if !is_there(&self.path)? {
            return Ok(false);
        }
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut position = 0;
        if std::mem::take(&mut self.from_end) {
            let mut head = Vec::new();
            (&file).take(MAX_LINE as u64).read_to_end(&mut head)?;
            if let Some(end) = head.iter().position(|&byte| byte == b'\n') {
                each(Piece::Header(&head[..end]));
                // The last byte shows whether a line is being written.
                position = file.seek(SeekFrom::End(-1))?;
                let mut last = [0];
                position += file.read(&mut last)? as u64;
                if last != *b"\n" {
                    each(Piece::Within);
                }
            } else {
                file.seek(SeekFrom::Start(0))?;
            }
        }
        self.open = Some((file, position));
        Ok(true)
    }

    /// Reads to the end; returns whether there is more.
    fn read(&mut self, each: &mut dyn FnMut(Piece<'_>)) -> io::Result<bool> {
        let Some((file, position)) = &mut self.open else {
            return Ok(false);
        };
        let most = *position + MAX_READ;
        while *position < most {
            let count = match file.read(&mut self.buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if count == 0 {
                return Ok(false);
            }
            *position += count as u64;
            each(Piece::Bytes(&self.buffer[..count]));
        }
        Ok(true)
    }
}

/// Whether a file of this name is there.
///
/// # Errors
///
/// Something else is there: a folder, a pipe, a device.
pub(crate) fn is_there(path: &std::path::Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(_) => Err(io::Error::other("found no regular file; expected one")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Renamed files are not told apart: one that is shorter counts as truncated.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests;
