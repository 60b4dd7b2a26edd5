//! [`Text`]: a table on its way to who reads its rows. Lines are counted, and spaces that separate are joined.

use crate::table::Source;
use std::io::{self, Chain, Cursor, Read};

/// Most bytes of one row: a quote that is never closed would take the rest of the file in.
pub(crate) const ROW_BYTES: usize = 16 << 20;
/// Bytes that are asked for at once.
const PIECE: usize = 128 * 1024;

/// Ends of lines: `\n`, `\r`, or both together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lines {
    ended: u64,
    /// Whether the last one ended with `\r`, to which a `\n` may belong.
    returned: bool,
}

impl Lines {
    pub(crate) fn pass(&mut self, text: &[u8]) {
        if !self.returned && !text.contains(&b'\r') {
            // Most texts have none: several bytes are looked at in one step.
            self.ended += text.iter().filter(|byte| **byte == b'\n').count() as u64;
            return;
        }
        for &byte in text {
            self.ended += u64::from(byte == b'\r' || (byte == b'\n' && !self.returned));
            self.returned = byte == b'\r';
        }
    }

    /// The line, from 1.
    pub(crate) fn line(self) -> u64 {
        self.ended + 1
    }

    /// The line on which the first row of what follows begins: a reader passes empty lines and comments first.
    pub(crate) fn line_of_row(mut self, text: &[u8]) -> u64 {
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            at += match byte {
                b'\n' | b'\r' => 1,
                // A comment ends with `\n` only.
                b'#' => {
                    let rest = &text[at..];
                    rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len())
                }
                _ => break,
            };
        }
        self.pass(&text[..at]);
        self.line()
    }
}

/// Where in a line a byte is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Begin,
    Comment,
    Cell,
    Spaces,
    Quoted,
    /// Behind a quote that may be the first of two, which are one within the cell.
    Unquoted,
}

/// Makes one space of those between two cells, and none of those at the ends of a line: so are tables aligned.
#[derive(Debug, Default)]
struct Joined(Place);

impl Joined {
    fn push(&mut self, text: &[u8], to: &mut Vec<u8>) {
        for &byte in text {
            self.0 = match (self.0, byte) {
                (Place::Comment, b'\n') => Place::Begin,
                (Place::Comment, _) | (Place::Begin, b'#') => Place::Comment,
                (Place::Quoted, b'"') => Place::Unquoted,
                (Place::Quoted, _) => Place::Quoted,
                (Place::Begin, b' ') => continue,
                (_, b' ') => {
                    self.0 = Place::Spaces;
                    continue;
                }
                (_, b'\n' | b'\r') => Place::Begin,
                (from, byte) => {
                    if from == Place::Spaces {
                        to.push(b' ');
                    }
                    match (from, byte) {
                        (Place::Begin | Place::Spaces | Place::Unquoted, b'"') => Place::Quoted,
                        _ => Place::Cell,
                    }
                }
            };
            to.push(byte);
        }
    }
}

/// A text whose separator is a space, with one between two cells.
pub(crate) fn joined(text: &[u8]) -> Vec<u8> {
    let mut to = Vec::with_capacity(text.len());
    Joined::default().push(text, &mut to);
    to
}

/// What rows are read from.
#[derive(Debug)]
pub(crate) struct Text {
    from: Chain<Cursor<Vec<u8>>, Source>,
    joined: Option<(Joined, Vec<u8>)>,
    /// The text from the present row on, or from before it; up to `given` the reader has it.
    kept: Vec<u8>,
    given: usize,
    /// Bytes and lines above `kept`.
    at: u64,
    lines: Lines,
    /// Bytes above the present row.
    row: u64,
}

impl Text {
    /// `lines` are those above; with `joins`, spaces are.
    pub(crate) fn new(from: Chain<Cursor<Vec<u8>>, Source>, lines: Lines, joins: bool) -> Self {
        Self {
            from,
            joined: joins.then(|| (Joined::default(), vec![0; PIECE])),
            kept: Vec::new(),
            given: 0,
            at: 0,
            lines,
            row: 0,
        }
    }

    /// The next row begins behind so many bytes, or behind what is no row there.
    pub(crate) fn begin_row(&mut self, bytes: u64) {
        self.row = bytes;
    }

    /// The line of the file on which the present row begins.
    pub(crate) fn line(&self) -> u64 {
        let (above, row) = self.kept.split_at(self.passed());
        let mut lines = self.lines;
        lines.pass(above);
        lines.line_of_row(row)
    }

    /// Bytes of `kept` above the present row.
    fn passed(&self) -> usize {
        usize::try_from(self.row - self.at).map_or(self.given, |passed| passed.min(self.given))
    }

    /// Reads on; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let passed = self.passed();
        self.lines.pass(&self.kept[..passed]);
        self.kept.drain(..passed);
        self.at += passed as u64;
        self.given -= passed;
        if self.kept.len() > ROW_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        while self.given == self.kept.len() {
            let end = self.kept.len();
            let read = match &mut self.joined {
                None => {
                    self.kept.resize(end + PIECE, 0);
                    let read = self.from.read(&mut self.kept[end..]);
                    self.kept.truncate(end + *read.as_ref().unwrap_or(&0));
                    read?
                }
                Some((joined, piece)) => {
                    let read = self.from.read(piece)?;
                    joined.push(&piece[..read], &mut self.kept);
                    read
                }
            };
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Read for Text {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.kept.len() && !self.fill()? {
            return Ok(0);
        }
        let rest = &self.kept[self.given..];
        let n = rest.len().min(to.len());
        to[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Ok(n)
    }
}
