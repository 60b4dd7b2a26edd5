//! Wire format: lines of decimal numbers, separated by blanks. No I/O and no clock, so that any bytes can be tried on it.

/// Longest line (bytes); a longer one is thrown away, so that no sender can fill the memory.
const MAX_LINE: usize = 1024;

/// Splits bytes, which arrive in pieces of any length, into readings.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    begun: Vec<u8>,
    skips: bool,
}

/// A line that is no reading.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Garbage;

impl Decoder {
    /// Takes a piece, and passes the lines that it completes.
    pub(crate) fn feed(&mut self, piece: &[u8], mut each: impl FnMut(Result<Vec<f64>, Garbage>)) {
        for &byte in piece {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.begun);
                each(match std::mem::take(&mut self.skips) {
                    true => Err(Garbage),
                    false => numbers(&line),
                });
            } else if self.begun.len() < MAX_LINE {
                self.begun.push(byte);
            } else {
                self.skips = true;
            }
        }
    }
}

fn numbers(line: &[u8]) -> Result<Vec<f64>, Garbage> {
    let text = std::str::from_utf8(line).map_err(|_| Garbage)?;
    let numbers = text.split_whitespace().map(str::parse);
    let numbers: Vec<f64> = numbers.collect::<Result<_, _>>().map_err(|_| Garbage)?;
    match numbers.is_empty() {
        true => Err(Garbage),
        false => Ok(numbers),
    }
}

/// The line of a command.
pub(crate) fn encode(numbers: &[f64]) -> String {
    let words: Vec<String> = numbers.iter().map(f64::to_string).collect();
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_wherever_the_stream_is_cut() {
        let text = b"1 2.5\r\n-3e2 4\nnoise\n\n5 nan\n";
        for cut in 0..text.len() {
            let (mut decoder, mut lines) = (Decoder::default(), Vec::new());
            for piece in [&text[..cut], &text[cut..]] {
                decoder.feed(piece, |line| lines.push(line));
            }
            assert_eq!(lines.len(), 5, "cut at {cut}");
            assert_eq!(lines[0], Ok(vec![1.0, 2.5]));
            assert_eq!(lines[1], Ok(vec![-300.0, 4.0]));
            assert_eq!(lines[2..4], [Err(Garbage), Err(Garbage)]);
        }
    }

    #[test]
    fn a_line_that_does_not_end_takes_no_memory() {
        let (mut decoder, mut lines) = (Decoder::default(), Vec::new());
        for _ in 0..10_000 {
            decoder.feed(b"1234567890", |line| lines.push(line));
        }
        assert!(decoder.begun.len() <= MAX_LINE);
        decoder.feed(b"\n7\n", |line| lines.push(line));
        assert_eq!(lines, [Err(Garbage), Ok(vec![7.0])]);
    }
}
