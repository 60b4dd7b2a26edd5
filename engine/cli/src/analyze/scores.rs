//! The CSV file of scores.

use crate::failure::Failure;
use becomingone_kernel::Verdict;
use becomingone_replay::Row;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Columns, in this order; more may follow.
const HEADER: &str = "row,time,t_emissary,t_master,coherence,delta,k1,k2,k3,flag,cause,surprise";

/// The file of scores.
pub(super) struct Scores {
    to: Box<dyn Write>,
    name: String,
    line: String,
}

impl Scores {
    pub(super) fn create(file: &Path, to_stdout: bool) -> Result<Self, Failure> {
        let to: Box<dyn Write> = if to_stdout {
            Box::new(std::io::stdout())
        } else {
            let file = File::create(file)
                .map_err(|e| Failure::BadInput(format!("--out {}: {e}", file.display())))?;
            Box::new(file)
        };
        let mut scores = Self {
            to: Box::new(BufWriter::with_capacity(128 * 1024, to)),
            name: if to_stdout {
                "stdout".to_owned()
            } else {
                file.display().to_string()
            },
            line: format!("{HEADER}\n"),
        };
        scores.put()?;
        Ok(scores)
    }

    fn put(&mut self) -> Result<(), Failure> {
        self.to
            .write_all(self.line.as_bytes())
            .map_err(|e| self.error(&e))
    }

    fn error(&self, error: &std::io::Error) -> Failure {
        Failure::Run(format!("{}: {error}", self.name))
    }

    pub(super) fn write<const N: usize>(
        &mut self,
        row: &Row,
        verdict: Option<&Verdict<f64, N>>,
        channels: &[String],
    ) -> Result<(), Failure> {
        let line = &mut self.line;
        line.clear();
        // Writing to a string cannot fail.
        let _ = write!(line, "{},", row.number);
        put_cell(line, &row.time);
        match verdict {
            None => line.push_str(",,,,,,,,0,,"),
            Some(v) => {
                let numbers = [
                    v.t_emissary,
                    v.t_master,
                    Some(v.coherence),
                    v.delta,
                    v.k1,
                    Some(v.k2),
                    Some(v.k3),
                ];
                for x in numbers {
                    line.push(',');
                    if let Some(x) = x {
                        put_number(line, x);
                    }
                }
                let _ = write!(line, ",{},", u8::from(v.dissipated));
                if let Some(cause) = v.cause.filter(|_| v.dissipated) {
                    put_cell(line, &channels[cause]);
                }
                line.push(',');
                put_number(line, v.surprise);
            }
        }
        line.push('\n');
        self.put()
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|e| self.error(&e))
    }
}

/// Shortest digits that are read back exactly, as `{:?}` writes them.
fn put_number(line: &mut String, x: f64) {
    // Outside, the two differ in when they write exponents.
    if (1e-4..1e16).contains(&x.abs()) {
        line.push_str(zmij::Buffer::new().format_finite(x));
    } else {
        let _ = write!(line, "{x:?}");
    }
}

/// A cell, quoted where necessary.
fn put_cell(line: &mut String, text: &str) {
    if text.contains([',', '"', '\n', '\r']) {
        line.push('"');
        for sign in text.chars() {
            if sign == '"' {
                line.push('"');
            }
            line.push(sign);
        }
        line.push('"');
    } else {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_are_read_back_to_the_last_bit(bits: u64, part in -20.0..20.0, whole: i32) {
            for x in [f64::from_bits(bits), part, f64::from(whole), part * 1e15, part * 1e-5] {
                let mut line = String::new();
                put_number(&mut line, x);
                let read = line.parse::<f64>().map(f64::to_bits);
                proptest::prop_assert!(x.is_nan() || read == Ok(x.to_bits()), "{:?}: {}", x, line);
                // As short as the standard library's. Of two equally near ones, it may be the other.
                proptest::prop_assert_eq!(line.len(), format!("{x:?}").len());
            }
        }
    }
}
