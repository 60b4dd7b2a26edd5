//! [`CsvText`]: text stream of a CSV file. It counts lines, and merges spaces that separate cells.

use crate::input::Input;
use std::io::{self, Chain, Cursor, Read};

/// Largest row (bytes): a quote that is not closed would read the rest of the file into memory.
pub(crate) const MAX_ROW_BYTES: usize = 16 << 20;
/// Most lines of a quoted cell: a quote that is not closed would swallow the rows of a live stream.
pub(crate) const MAX_QUOTED_LINES: u64 = 100;
/// Bytes per read.
const CHUNK_BYTES: usize = 128 * 1024;

/// Counter of line ends: `\n`, `\r` or `\r\n`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineCounter {
    ended: u64,
    /// Whether the last byte was `\r`, to which a `\n` may belong.
    returned: bool,
}

impl LineCounter {
    pub(crate) fn pass(&mut self, text: &[u8]) {
        if !self.returned && !text.contains(&b'\r') {
            // Without `\r`, the count is vectorised.
            self.ended += text.iter().filter(|byte| **byte == b'\n').count() as u64;
            return;
        }
        for &byte in text {
            self.ended += u64::from(byte == b'\r' || (byte == b'\n' && !self.returned));
            self.returned = byte == b'\r';
        }
    }

    /// Current line, from 1.
    pub(crate) fn line(self) -> u64 {
        self.ended + 1
    }

    /// Line on which the next row in `text` begins, after empty lines and comments.
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

/// State of the scan within a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ScanState {
    #[default]
    Begin,
    Comment,
    Cell,
    Spaces,
    Quoted,
    /// After a quote, which may be the first of an escaped pair.
    Unquoted,
}

/// Merges the spaces between two cells into one, and removes those at the ends of a line, for tables aligned by
/// spaces.
#[derive(Debug, Default)]
struct SpaceMerger(ScanState);

impl SpaceMerger {
    fn push(&mut self, text: &[u8], to: &mut Vec<u8>) {
        for &byte in text {
            self.0 = match (self.0, byte) {
                (ScanState::Comment, b'\n') => ScanState::Begin,
                (ScanState::Comment, _) | (ScanState::Begin, b'#') => ScanState::Comment,
                (ScanState::Quoted, b'"') => ScanState::Unquoted,
                (ScanState::Quoted, _) => ScanState::Quoted,
                (ScanState::Begin, b' ') => continue,
                (_, b' ') => {
                    self.0 = ScanState::Spaces;
                    continue;
                }
                (_, b'\n' | b'\r') => ScanState::Begin,
                (from, byte) => {
                    if from == ScanState::Spaces {
                        to.push(b' ');
                    }
                    match (from, byte) {
                        (ScanState::Begin | ScanState::Spaces | ScanState::Unquoted, b'"') => {
                            ScanState::Quoted
                        }
                        _ => ScanState::Cell,
                    }
                }
            };
            to.push(byte);
        }
    }
}

/// Merges the spaces of a text whose separator is a space.
pub(crate) fn merge_spaces(text: &[u8]) -> Vec<u8> {
    let mut to = Vec::with_capacity(text.len());
    SpaceMerger::default().push(text, &mut to);
    to
}

/// Text stream that rows are read from.
#[derive(Debug)]
pub(crate) struct CsvText {
    from: Chain<Cursor<Vec<u8>>, Input>,
    merge_spaces: Option<(SpaceMerger, Vec<u8>)>,
    /// Text from the current row, or an earlier one, on; the reader has received the first `given` bytes.
    buffer: Vec<u8>,
    given: usize,
    /// Bytes and lines before `buffer`.
    at: u64,
    lines: LineCounter,
    /// Bytes before the current row.
    row: u64,
    /// Last byte that was given.
    last: Option<u8>,
}

impl CsvText {
    /// `lines` counts the lines before `from`; `merge` merges spaces.
    pub(crate) fn new(
        from: Chain<Cursor<Vec<u8>>, Input>,
        lines: LineCounter,
        merge: bool,
    ) -> Self {
        Self {
            from,
            merge_spaces: merge.then(|| (SpaceMerger::default(), vec![0; CHUNK_BYTES])),
            buffer: Vec::new(),
            given: 0,
            at: 0,
            lines,
            row: 0,
            last: None,
        }
    }

    /// Sets the start of the next row; comments and empty lines may follow there.
    pub(crate) fn begin_row(&mut self, bytes: u64) {
        self.row = bytes;
    }

    /// Line of the file on which the current row begins.
    pub(crate) fn line(&self) -> u64 {
        let (above, row) = self.buffer.split_at(self.passed());
        let mut lines = self.lines;
        lines.pass(above);
        lines.line_of_row(row)
    }

    /// Whether the text that was given so far ends with a line end.
    pub(crate) fn ends_line(&self) -> bool {
        self.last.is_none_or(|last| matches!(last, b'\n' | b'\r'))
    }

    /// Whether an empty line stands above the current row.
    pub(crate) fn is_after_gap(&self) -> bool {
        let (above, row) = self.buffer.split_at(self.passed());
        let ends = row.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
        let mut lines = LineCounter {
            ended: 0,
            // `csv` ends a row at the `\r` of `\r\n`.
            returned: above.last().map_or(self.lines.returned, |b| *b == b'\r'),
        };
        lines.pass(&row[..ends.count()]);
        lines.ended > 0
    }

    /// Bytes of `buffer` before the current row.
    fn passed(&self) -> usize {
        usize::try_from(self.row - self.at).map_or(self.given, |passed| passed.min(self.given))
    }

    /// Reads more; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let passed = self.passed();
        self.lines.pass(&self.buffer[..passed]);
        self.buffer.drain(..passed);
        self.at += passed as u64;
        self.given -= passed;
        if self.buffer.len() > MAX_ROW_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if quoted_lines(&self.buffer[..self.given]) > MAX_QUOTED_LINES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        while self.given == self.buffer.len() {
            let end = self.buffer.len();
            let read = match &mut self.merge_spaces {
                None => {
                    self.buffer.resize(end + CHUNK_BYTES, 0);
                    let read = self.from.read(&mut self.buffer[end..]);
                    self.buffer.truncate(end + *read.as_ref().unwrap_or(&0));
                    read?
                }
                Some((merge_spaces, piece)) => {
                    let read = self.from.read(piece)?;
                    merge_spaces.push(&piece[..read], &mut self.buffer);
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

/// Line ends behind a quote that is open at the end of a row so far; comments may stand above the row.
fn quoted_lines(row: &[u8]) -> u64 {
    let (mut is_open, mut is_comment, mut begins, mut lines) = (false, false, true, 0);
    for byte in row {
        match byte {
            b'"' if !is_comment => (is_open, lines) = (!is_open, 0),
            b'#' if begins && !is_open => is_comment = true,
            b'\n' => {
                lines += 1;
                is_comment = false;
            }
            _ => {}
        }
        begins = *byte == b'\n';
    }
    if is_open { lines } else { 0 }
}

impl Read for CsvText {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.given == self.buffer.len() && !self.fill()? {
            return Ok(0);
        }
        let rest = &self.buffer[self.given..];
        let n = rest.len().min(to.len());
        to[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        self.last = to[..n].last().copied().or(self.last);
        Ok(n)
    }
}
