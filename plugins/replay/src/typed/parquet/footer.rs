//! Check of the description of a Parquet file before it is read: a list of a damaged one may claim more items than there is
//! memory for, and the reader allocates what it claims.
//!
//! Thrift's compact protocol: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Most levels of structs and lists.
const MAX_DEPTH: usize = 64;

/// Whether each list of a struct has room for its items in the bytes behind it.
pub(super) fn is_sound(bytes: &[u8]) -> bool {
    let mut walk = Walk(bytes);
    walk.skip(STRUCT, 0).is_some()
}

const STRUCT: u8 = 12;

/// Bytes that are still to be read.
struct Walk<'a>(&'a [u8]);

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// An unsigned number of seven bits a byte.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn pass(&mut self, n: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    /// Passes over a value of a type.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            // The value of a field of a boolean is its type.
            1 | 2 => Some(()),
            3 => self.pass(1),
            4..=6 => self.number().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.number()?;
                self.pass(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let items = match head >> 4 {
                    15 => self.number()?,
                    items => u64::from(items),
                };
                // An item has a byte at least.
                if items > self.0.len() as u64 {
                    return None;
                }
                for _ in 0..items {
                    match head & 15 {
                        1 | 2 => self.pass(1)?,
                        kind => self.skip(kind, depth + 1)?,
                    }
                }
                Some(())
            }
            STRUCT => loop {
                let head = self.byte()?;
                if head == 0 {
                    return Some(());
                }
                if head >> 4 == 0 {
                    self.number()?;
                }
                self.skip(head & 15, depth + 1)?;
            },
            // Maps are not part of the format.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_claim_more_items_than_bytes_are_unsound() {
        // Field 1, a list of three i32; field 3, a binary of two bytes; the end.
        let sound = [0x19, 0x35, 2, 4, 6, 0x28, 2, b'a', b'b', 0];
        assert!(is_sound(&sound));
        for cut in 0..sound.len() {
            assert!(!is_sound(&sound[..cut]), "{cut}");
        }
        let huge = [0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0];
        assert!(!is_sound(&huge));
        assert!(!is_sound(&[0x1c; 1000]));
    }
}
