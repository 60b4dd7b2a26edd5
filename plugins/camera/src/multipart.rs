//! Parts of a `multipart/x-mixed-replace` stream (RFC 2046), as cameras send them.
//!
//! Cameras take liberties, all of which are read: the boundary in the header of the answer with or without quotes and
//! with the dashes that only the stream should have; delimiters with or without dashes; parts with and without
//! `Content-Length`; line ends with and without carriage return. Memory is bounded by [`MAX_PICTURE`].

use becomingone_systems::links::document::Refusal;
use memchr::memmem::Finder;

/// Largest picture (bytes).
pub const MAX_PICTURE: usize = 8 << 20;
/// Longest line of a header, and longest boundary with its dashes.
const MAX_LINE: usize = 1024;
/// Most lines of a header.
const MAX_LINES: usize = 64;
/// Most dashes before a boundary.
const MAX_DASHES: usize = 16;

/// What a piece of a stream completes.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The header of a part: its picture begins.
    Begin,
    /// A picture.
    Picture {
        /// The file.
        bytes: Vec<u8>,
        /// Time of the picture on the camera's clock (ns), of the header `X-Timestamp`.
        stamp_ns: Option<u64>,
    },
    /// A part that is no picture.
    Refused(Refusal),
    /// The last delimiter.
    End,
}

/// Boundary in a `Content-Type`.
///
/// # Errors
///
/// Found and expected.
pub fn boundary(content_type: &str) -> Result<String, String> {
    let (kind, options) = content_type.split_once(';').unwrap_or((content_type, ""));
    let refused = || {
        let found: String = content_type.chars().take(100).collect();
        format!(
            "found an answer of type `{found}`; expected `multipart/x-mixed-replace` with a boundary, the stream of a camera"
        )
    };
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return Err(refused());
    }
    let named = options.split(';').find_map(|option| {
        let (name, value) = option.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then(|| value.trim().trim_matches('"').trim_end())
    });
    match named {
        Some(name) if !name.is_empty() && name.len() <= MAX_LINE / 2 => Ok(name.to_owned()),
        _ => Err(refused()),
    }
}

/// Place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// After a delimiter, up to the end of its line.
    Delimiter,
    /// In the header of a part.
    Header,
    /// In a picture of this many bytes.
    Exact(usize),
    /// In a picture whose end is the next delimiter.
    Open,
    /// Before the next delimiter, in nothing that is wanted.
    Skip,
}

/// Parser of a stream.
///
/// ```
/// use becomingone_camera::multipart::{Event, Multipart, boundary};
///
/// let mut parser = Multipart::new(&boundary("multipart/x-mixed-replace; boundary=\"--cut\"")?);
/// let mut pictures = Vec::new();
/// for piece in [&b"--cut\r\nContent-Type: image/jpeg\r\n\r\n\xFF\xD8 one"[..], b" \xFF\xD9\r\n--c", b"ut\r\n"] {
///     parser.push(piece, |event| {
///         if let Event::Picture { bytes, .. } = event {
///             pictures.push(bytes);
///         }
///     });
/// }
/// assert_eq!(pictures, [b"\xFF\xD8 one \xFF\xD9"]);
/// # Ok::<(), String>(())
/// ```
pub struct Multipart {
    /// The boundary without dashes before it.
    finder: Finder<'static>,
    boundary: usize,
    state: State,
    buffer: Vec<u8>,
    /// Bytes of the buffer that no delimiter begins in.
    searched: usize,
    /// Whether the buffer begins a line.
    at_line: bool,
    lines: usize,
    length: Option<usize>,
    stamp_ns: Option<u64>,
    is_picture: bool,
}

impl Multipart {
    /// A parser of a stream with this boundary.
    pub fn new(boundary: &str) -> Self {
        let bare = boundary.trim_start_matches('-');
        // One of dashes only.
        let bare = if bare.is_empty() { boundary } else { bare };
        Self {
            finder: Finder::new(bare.as_bytes()).into_owned(),
            boundary: bare.len(),
            state: State::Skip,
            buffer: Vec::new(),
            searched: 0,
            at_line: true,
            lines: 0,
            length: None,
            stamp_ns: None,
            is_picture: true,
        }
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Event)) {
        self.buffer.extend_from_slice(bytes);
        while self.step(&mut each) {}
        // What a large picture left behind.
        if self.buffer.capacity() > 1 << 20 && self.buffer.len() < 1 << 16 {
            self.buffer.shrink_to(1 << 17);
        }
    }

    /// Goes on to another state; returns whether there may be more in the buffer.
    fn step(&mut self, each: &mut impl FnMut(Event)) -> bool {
        match self.state {
            State::Delimiter => self.delimiter(each),
            State::Header => self.header(each),
            State::Exact(length) => {
                if self.buffer.len() < length {
                    return false;
                }
                let rest = self.buffer.split_off(length);
                let bytes = std::mem::replace(&mut self.buffer, rest);
                self.give(bytes, each);
                // Delimiters of some servers follow at once.
                self.skip(true);
                true
            }
            State::Open | State::Skip => self.search(each),
        }
    }

    fn give(&mut self, bytes: Vec<u8>, each: &mut impl FnMut(Event)) {
        let stamp_ns = self.stamp_ns.take();
        each(Event::Picture { bytes, stamp_ns });
    }

    fn skip(&mut self, at_line: bool) {
        self.state = State::Skip;
        self.at_line = at_line;
        self.searched = 0;
    }

    fn refuse(
        &mut self,
        kind: &'static str,
        reason: String,
        at_line: bool,
        each: &mut impl FnMut(Event),
    ) {
        each(Event::Refused(Refusal { kind, reason }));
        self.skip(at_line);
    }

    /// Takes a line out of the buffer, without its end; none before it is complete. A line without an end is refused.
    fn line(&mut self, each: &mut impl FnMut(Event)) -> Option<Vec<u8>> {
        let end = memchr::memchr(b'\n', &self.buffer[..self.buffer.len().min(MAX_LINE)]);
        let Some(end) = end else {
            if self.buffer.len() >= MAX_LINE {
                let reason = format!(
                    "found a line of more than {MAX_LINE} bytes in the header of a part; expected `Content-Type: image/jpeg`"
                );
                self.refuse("with a header too long", reason, false, each);
            }
            return None;
        };
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(line)
    }

    fn delimiter(&mut self, each: &mut impl FnMut(Event)) -> bool {
        let Some(rest) = self.line(each) else {
            return self.state == State::Skip;
        };
        if rest.starts_with(b"--") {
            each(Event::End);
            self.skip(true);
        } else {
            self.state = State::Header;
            self.lines = 0;
            self.length = None;
            self.stamp_ns = None;
            self.is_picture = true;
        }
        true
    }

    fn header(&mut self, each: &mut impl FnMut(Event)) -> bool {
        let Some(line) = self.line(each) else {
            return self.state == State::Skip;
        };
        self.lines += 1;
        if self.lines > MAX_LINES {
            let reason = format!("found more than {MAX_LINES} lines in the header of a part");
            self.refuse("with a header too long", reason, true, each);
            return true;
        }
        if !line.is_empty() {
            self.field(&line);
            return true;
        }
        if !self.is_picture {
            let reason = "found a part that is no picture; expected `Content-Type: image/jpeg`";
            self.refuse("of another type", reason.to_owned(), true, each);
            return true;
        }
        match self.length {
            Some(length) if length > MAX_PICTURE => {
                self.refuse("too large", too_large(), true, each);
            }
            Some(length) => {
                each(Event::Begin);
                self.state = State::Exact(length);
            }
            None => {
                each(Event::Begin);
                self.state = State::Open;
                self.at_line = true;
                self.searched = 0;
            }
        }
        true
    }

    /// Reads a field of a header; one that is not understood is left out.
    fn field(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let Some((name, value)) = line.split_once(':') else {
            return;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => {
                let value = value.to_ascii_lowercase();
                self.is_picture = value.starts_with("image/") || value.starts_with("application/");
            }
            // A length beyond all numbers is too large.
            "content-length" if value.bytes().all(|c| c.is_ascii_digit()) && !value.is_empty() => {
                self.length = Some(value.parse().unwrap_or(usize::MAX));
            }
            "x-timestamp" => {
                let seconds = value.parse::<f64>().ok();
                // The year 2286: one beyond it has no clock behind it.
                let seconds = seconds.filter(|s| (0.0..1e10).contains(s));
                self.stamp_ns = seconds.map(|s| (s * 1e9) as u64);
            }
            _ => {}
        }
    }

    /// Searches the next delimiter.
    fn search(&mut self, each: &mut impl FnMut(Event)) -> bool {
        let mut from = self.searched;
        while let Some(at) = self.finder.find(&self.buffer[from..]) {
            let at = from + at;
            let after = at + self.boundary;
            let begin = self.line_of(at);
            match (begin, self.ends_name(after)) {
                (Some(_), None) => {
                    // It depends on the bytes that follow.
                    self.searched = at;
                    return self.bound(each);
                }
                (Some(begin), Some(true)) => {
                    let rest = self.buffer.split_off(after);
                    let mut bytes = std::mem::replace(&mut self.buffer, rest);
                    if self.state == State::Open {
                        bytes.truncate(begin);
                        without_line_end(&mut bytes);
                        if bytes.len() > MAX_PICTURE {
                            each(Event::Refused(Refusal {
                                kind: "too large",
                                reason: too_large(),
                            }));
                        } else {
                            self.give(bytes, each);
                        }
                    }
                    self.state = State::Delimiter;
                    return true;
                }
                _ => from = at + 1,
            }
        }
        // The boundary may have begun.
        let begun = (self.buffer.len() + 1).saturating_sub(self.boundary);
        self.searched = from.max(begun).min(self.buffer.len());
        self.bound(each)
    }

    /// Begin of the line that the boundary at this place begins, after dashes at most.
    fn line_of(&self, at: usize) -> Option<usize> {
        let before = &self.buffer[at.saturating_sub(MAX_DASHES)..at];
        let dashes = before.iter().rev().take_while(|b| **b == b'-').count();
        let begin = at - dashes;
        let is_line = match begin.checked_sub(1) {
            Some(before) => self.buffer[before] == b'\n',
            None => self.at_line,
        };
        is_line.then_some(begin)
    }

    /// Whether the boundary's name ends here; none before enough bytes are there.
    fn ends_name(&self, after: usize) -> Option<bool> {
        match self.buffer.get(after..) {
            Some([b'\r' | b'\n' | b' ' | b'\t', ..]) => Some(true),
            Some([b'-', b'-', ..]) => Some(true),
            Some([] | [b'-']) | None => None,
            _ => Some(false),
        }
    }

    /// Drops what is not wanted, and refuses a picture that grows too large.
    fn bound(&mut self, each: &mut impl FnMut(Event)) -> bool {
        if self.state == State::Open && self.buffer.len() > MAX_PICTURE + MAX_LINE {
            self.refuse("too large", too_large(), false, each);
            return true;
        }
        if self.state == State::Skip {
            // The line end and the dashes before a boundary stay.
            let keep = self.searched.saturating_sub(MAX_DASHES + 1);
            if keep > 0 {
                self.at_line = self.buffer[keep - 1] == b'\n';
                self.buffer.drain(..keep);
                self.searched -= keep;
            }
        }
        false
    }
}

fn too_large() -> String {
    format!("found a picture of more than {MAX_PICTURE} bytes; expected at most these")
}

/// The line end before a delimiter belongs to it (RFC 2046, 5.1.1).
fn without_line_end(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}
