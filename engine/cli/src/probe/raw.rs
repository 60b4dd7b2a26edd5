//! Raw bytes as lines: text as it is, anything else in hexadecimal digits.

use std::fmt::Write as _;

/// Longest line of text (bytes).
const MAX_LINE: usize = 512;
/// Bytes of a line of digits.
const HEX: usize = 16;

/// Lines of a stream that arrives in pieces.
#[derive(Default)]
pub(super) struct RawLines {
    begun: Vec<u8>,
}

impl RawLines {
    /// The lines that a piece completes.
    pub(super) fn add(&mut self, piece: &[u8], is_stream: bool) -> Vec<String> {
        self.begun.extend_from_slice(piece);
        let Some(text) = text(&self.begun).filter(|_| is_stream) else {
            return self.finish();
        };
        let end = match text.rfind('\n') {
            Some(end) => end + 1,
            None if text.len() > MAX_LINE => text.len(),
            None => return Vec::new(),
        };
        let lines = split(&text[..end]);
        self.begun.drain(..end);
        lines
    }

    /// What is left.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let rest = std::mem::take(&mut self.begun);
        match text(&rest) {
            Some(text) => split(text),
            None => rest.chunks(HEX).map(hex).collect(),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        // Within a line it would set a terminal's cursor back.
        .map(|line| line.replace('\r', " "))
        .collect()
}

/// Text without control characters, which a terminal would obey.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_shown = |c: char| !c.is_control() || matches!(c, '\r' | '\n' | '\t');
    text.chars().all(is_shown).then_some(text)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(3 * bytes.len());
    for (k, byte) in bytes.iter().enumerate() {
        let space = if k == 0 { "" } else { " " };
        // Writing to a text does not fail.
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_shown_as_lines_and_anything_else_as_digits() {
        let mut lines = RawLines::default();
        assert!(lines.add(b"$GPGGA,1", true).is_empty());
        assert_eq!(lines.add(b"2*00\r\n$GP", true), ["$GPGGA,12*00"]);
        assert_eq!(lines.add(b"\xb5\x62", true), ["24 47 50 b5 62"]);
        assert_eq!(lines.add(b"{\"x\": 1}", false), ["{\"x\": 1}"]);
        assert_eq!(lines.add(b"\x1b[2J", true), ["1b 5b 32 4a"]);
    }

    proptest! {
        #[test]
        fn no_control_character_is_shown(pieces: Vec<(Vec<u8>, bool)>) {
            let mut lines = RawLines::default();
            let mut shown = Vec::new();
            for (piece, is_stream) in &pieces {
                shown.extend(lines.add(piece, *is_stream));
            }
            shown.extend(lines.finish());
            let is_safe = |c: char| !c.is_control() || c == '\t';
            prop_assert!(shown.iter().all(|line| line.chars().all(is_safe)));
        }
    }
}
