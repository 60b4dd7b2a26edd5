//! Finds the frames of a protocol in a stream of bytes, and counts every byte of it.

use crate::protocol::{Message, Protocol, Scan, Verdict};

/// Counts of a port since the run's start.
///
/// `bytes = frame_bytes + garbage_bytes +` those that wait for the rest of their frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes that arrived.
    pub bytes: u64,
    /// Valid frames, used or not.
    pub frames: u64,
    /// Bytes of valid frames, and line ends between them.
    pub frame_bytes: u64,
    /// Frames with a wrong checksum.
    pub bad_checksums: u64,
    /// Frames with a right checksum, or a whole line, whose content is invalid.
    pub unreadable: u64,
    /// Bytes that belong to no valid frame.
    pub garbage_bytes: u64,
    /// Runs of such bytes, each ended by a valid frame.
    pub resynchronisations: u64,
    /// Frames that the sender's numbering shows to be missing.
    pub missing: u64,
}

impl std::fmt::Display for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} bytes, {} frames, {} wrong checksums, {} unreadable, {} missing, {} bytes skipped, {} resynchronisations",
            self.bytes,
            self.frames,
            self.bad_checksums,
            self.unreadable,
            self.missing,
            self.garbage_bytes,
            self.resynchronisations
        )
    }
}

/// Stream of bytes of one port.
pub struct Deframer<P> {
    protocol: P,
    /// Bytes from the first that is not counted yet.
    waiting: Vec<u8>,
    in_garbage: bool,
    counters: Counters,
    /// Reused from frame to frame.
    messages: Vec<Message>,
}

impl<P: Protocol> Deframer<P> {
    /// Stream before its first byte.
    pub fn new(protocol: P) -> Self {
        Self {
            protocol,
            waiting: Vec::new(),
            in_garbage: false,
            counters: Counters::default(),
            messages: Vec::new(),
        }
    }

    /// Counts so far.
    pub fn counters(&self) -> Counters {
        Counters {
            missing: self.protocol.missing(),
            ..self.counters
        }
    }

    /// Bytes that wait for the rest of their frame.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes bytes, in pieces of any length, and calls `each` with the result of each frame: its messages, or none and
    /// the reason.
    pub fn feed(&mut self, bytes: &[u8], each: &mut impl FnMut(&mut Vec<Message>, &Verdict)) {
        self.counters.bytes += bytes.len() as u64;
        self.waiting.extend_from_slice(bytes);
        let used = self.scan(0, each);
        self.waiting.drain(..used);
    }

    /// No byte arrived for a while: a frame of which a part is missing is given up, if the protocol has lengths, and the
    /// bytes behind its begin are searched.
    pub fn idle(&mut self, each: &mut impl FnMut(&mut Vec<Message>, &Verdict)) {
        if !self.protocol.gives_up_when_idle() {
            return;
        }
        let mut at = 0;
        while at < self.waiting.len() {
            self.skip(1, each);
            at = self.scan(at + 1, each);
        }
        self.waiting.clear();
    }

    /// The stream was interrupted: a part of a frame is garbage.
    pub fn interrupted(&mut self, each: &mut impl FnMut(&mut Vec<Message>, &Verdict)) {
        self.skip(self.waiting.len(), each);
        self.waiting.clear();
        self.protocol.interrupted();
    }

    fn skip(&mut self, bytes: usize, each: &mut impl FnMut(&mut Vec<Message>, &Verdict)) {
        if bytes > 0 && !self.in_garbage {
            self.messages.clear();
            each(&mut self.messages, &Verdict::Noise);
        }
        self.garbage(bytes);
    }

    fn garbage(&mut self, bytes: usize) {
        self.counters.garbage_bytes += bytes as u64;
        self.in_garbage |= bytes > 0;
    }

    /// Uses the waiting bytes from here; returns the index of the first that is not used.
    fn scan(&mut self, mut at: usize, each: &mut impl FnMut(&mut Vec<Message>, &Verdict)) -> usize {
        loop {
            let rest = self.waiting.get(at..).unwrap_or_default();
            if rest.is_empty() {
                return at;
            }
            let left = rest.len();
            match self.protocol.scan(rest) {
                Scan::More => return at,
                Scan::Skip(n) => {
                    let n = n.clamp(1, left);
                    self.skip(n, each);
                    at += n;
                }
                Scan::Between(n) => {
                    let n = n.clamp(1, left);
                    self.counters.frame_bytes += n as u64;
                    at += n;
                }
                Scan::Frame(n) => {
                    let n = n.clamp(1, left);
                    self.messages.clear();
                    let verdict = self.protocol.take(&rest[..n], &mut self.messages);
                    match &verdict {
                        Verdict::BadChecksum { skip } => {
                            let skip = (*skip).clamp(1, n);
                            self.counters.bad_checksums += 1;
                            self.garbage(skip);
                            at += skip;
                        }
                        Verdict::Unreadable(_) | Verdict::Noise => {
                            self.counters.unreadable += 1;
                            self.garbage(n);
                            at += n;
                        }
                        Verdict::Valid => {
                            self.counters.frames += 1;
                            self.counters.frame_bytes += n as u64;
                            self.counters.resynchronisations += u64::from(self.in_garbage);
                            self.in_garbage = false;
                            at += n;
                        }
                    }
                    each(&mut self.messages, &verdict);
                }
            }
        }
    }
}
