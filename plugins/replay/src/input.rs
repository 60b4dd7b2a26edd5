//! Byte stream of a table: file or standard input, decoded to UTF-8 if necessary.

use encoding_rs::{Decoder, Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::fs::File;
use std::io::{self, Cursor, Read, Stdin};

/// Bytes that are decoded at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Byte stream of a table.
#[derive(Debug)]
pub(crate) enum Input {
    File(File),
    Stdin(Stdin),
    Decoded(Box<Decoded>),
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(to),
            Self::Stdin(stdin) => stdin.read(to),
            Self::Decoded(decoded) => decoded.read(to),
        }
    }
}

/// Text that is decoded to UTF-8.
pub(crate) struct Decoded {
    from: io::Chain<Cursor<Vec<u8>>, Input>,
    decoder: Decoder,
    text: String,
    given: usize,
    ended: bool,
}

/// `encoding_rs` has no `Debug` for decoders.
impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoded").finish_non_exhaustive()
    }
}

impl Decoded {
    /// `head`: what has been read of the input.
    pub(crate) fn new(head: Vec<u8>, from: Input, encoding: &'static Encoding) -> Self {
        Self {
            from: Cursor::new(head).chain(from),
            decoder: encoding.new_decoder_with_bom_removal(),
            text: String::new(),
            given: 0,
            ended: false,
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            let mut raw = vec![0; CHUNK_BYTES];
            let read = self.from.read(&mut raw)?;
            self.ended = read == 0;
            self.text.clear();
            self.given = 0;
            let most = self.decoder.max_utf8_buffer_length(read);
            self.text.reserve(most.unwrap_or(3 * CHUNK_BYTES));
            // The text has room for all of it; invalid bytes become U+FFFD.
            let _ = self
                .decoder
                .decode_to_string(&raw[..read], &mut self.text, self.ended);
        }
        let rest = &self.text.as_bytes()[self.given..];
        let n = rest.len().min(to.len());
        to[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Ok(n)
    }
}

/// Encoding of a text other than UTF-8, by its first bytes: UTF-16 by its mark, or by the zero bytes of ASCII.
pub(crate) fn utf_16(head: &[u8]) -> Option<&'static Encoding> {
    const LOOKED_AT: usize = 1024;
    if head.starts_with(b"\xff\xfe") {
        return Some(UTF_16LE);
    }
    if head.starts_with(b"\xfe\xff") {
        return Some(UTF_16BE);
    }
    let pairs: Vec<[u8; 2]> = head
        .chunks_exact(2)
        .take(LOOKED_AT)
        .map(|pair| [pair[0], pair[1]])
        .collect();
    let printed = |byte: u8| (b' '..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\r' | b'\n');
    if pairs.len() < 4 {
        None
    } else if pairs.iter().all(|pair| pair[1] == 0 && printed(pair[0])) {
        Some(UTF_16LE)
    } else if pairs.iter().all(|pair| pair[0] == 0 && printed(pair[1])) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Encoding of a text whose first bytes are not UTF-8; the last of them may be cut.
pub(crate) fn single_byte(head: &[u8]) -> Option<&'static Encoding> {
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_some() => Some(WINDOWS_1252),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_across_chunks() {
        let text: String = (0..100_000)
            .map(|k| if k % 7 == 0 { 'µ' } else { '1' })
            .collect();
        let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let file = tempfile::tempfile().unwrap();
        let mut decoded = Decoded::new(utf_16, Input::File(file), UTF_16LE);
        let mut found = String::new();
        decoded.read_to_string(&mut found).unwrap();
        assert!(found == text);
    }

    #[test]
    fn encodings_are_found() {
        let le: Vec<u8> = "time,a\n1,2\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let be: Vec<u8> = "time,a\n1,2\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(utf_16(&le), Some(UTF_16LE));
        assert_eq!(utf_16(&be), Some(UTF_16BE));
        assert_eq!(utf_16(b"time,a\n1,2\n"), None);
        assert_eq!(single_byte(b"T [\xb0C]"), Some(WINDOWS_1252));
        assert_eq!(single_byte("T [°C]".as_bytes()), None);
        assert_eq!(single_byte(&"T [°C]".as_bytes()[..4]), None);
    }
}
