//! Lines of a stream that arrives in pieces, in bounded memory.

/// Longest line (bytes); a longer one is thrown away as a whole.
pub const MAX_LINE: usize = 1 << 18;

/// Splits pieces of a stream into lines.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    /// Everything up to the next line end is thrown away.
    skips: bool,
}

/// One line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// More than [`MAX_LINE`] bytes, which are thrown away.
    TooLong,
}

impl Lines {
    /// Adds a piece, and passes the lines that it completes.
    pub fn add(&mut self, piece: &[u8], mut each: impl FnMut(Line<'_>)) {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let Some(text) = part.strip_suffix(b"\n") else {
                self.begin(part, &mut each);
                continue;
            };
            if self.skips {
                self.skips = false;
                continue;
            }
            if self.begun.is_empty() && text.len() <= MAX_LINE {
                each(Line::Text(trim(text)));
                continue;
            }
            self.begin(text, &mut each);
            if !std::mem::take(&mut self.skips) {
                each(Line::Text(trim(&self.begun)));
                self.begun.clear();
            }
        }
    }

    fn begin(&mut self, text: &[u8], each: &mut impl FnMut(Line<'_>)) {
        if self.skips {
            return;
        }
        if self.begun.len() + text.len() > MAX_LINE {
            self.begun = Vec::new();
            self.skips = true;
            each(Line::TooLong);
            return;
        }
        self.begun.extend_from_slice(text);
    }

    /// Bytes of a line whose end has not come yet.
    pub fn held(&self) -> usize {
        self.begun.len()
    }

    /// Throws away everything up to the next line end.
    pub fn skip(&mut self) {
        self.begun.clear();
        self.skips = true;
    }

    /// Ends the stream: what is left is its last line, if anything is.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        self.skips = false;
        let rest = std::mem::take(&mut self.begun);
        (!rest.is_empty()).then_some(rest)
    }
}

fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(lines: &mut Lines, pieces: &[&[u8]]) -> Vec<String> {
        let mut all = Vec::new();
        for piece in pieces {
            lines.add(piece, |line| {
                all.push(match line {
                    Line::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    Line::TooLong => "too long".to_owned(),
                });
            });
        }
        all
    }

    #[test]
    fn a_line_that_is_too_long_is_one_loss_and_the_next_is_read() {
        let mut lines = Lines::default();
        let long = vec![b'x'; MAX_LINE];
        assert_eq!(
            all(&mut lines, &[&long, &long, &long, b"\nnext\n"]),
            ["too long", "next"]
        );
        assert_eq!(lines.begun.capacity().min(MAX_LINE), lines.begun.capacity());
        let mut whole = [&long[..], b"y\nnext\n"].concat();
        assert_eq!(all(&mut lines, &[&whole]), ["too long", "next"]);
        whole.truncate(3);
        lines.skip();
        assert_eq!(all(&mut lines, &[&whole, b"rest\na\r\nb"]), ["a"]);
        assert_eq!(lines.finish(), Some(b"b".to_vec()));
        assert_eq!(lines.finish(), None);
    }

    proptest! {
        /// The standard library's lines of the whole text.
        #[test]
        fn lines_are_the_same_wherever_the_stream_is_cut(
            text in "[a-c\n]{0,60}",
            cuts in prop::collection::vec(0..60usize, 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            let mut lines = Lines::default();
            let mut found = all(&mut lines, &pieces);
            found.extend(lines.finish().map(|rest| String::from_utf8(rest).unwrap()));
            prop_assert_eq!(found, text.lines().collect::<Vec<_>>());
        }
    }
}
