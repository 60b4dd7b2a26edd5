//! The CSV file of scores.

use crate::failure::Failure;
use becomingone_kernel::{Detector, Health};
use becomingone_replay::Row;
use becomingone_systems::output_file::Replacement;
use std::fmt::Write as _;
use std::io::{BufWriter, Stdout, Write};
use std::path::Path;

/// Columns, in this order; each channel's share follows, as `share_CHANNEL`.
const HEADER: &str = "row,time,t_emissary,t_master,coherence,delta,k1,k2,k3,flag,cause,surprise,state,severity,level,activity,innovation,shift,level_threshold,activity_threshold,innovation_threshold,shift_threshold";

/// Where scores go.
enum Target {
    Stdout(Stdout),
    /// Until the end, earlier scores are unchanged: two analyses at once never mix.
    File(Replacement),
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Stdout(to) => to.write(bytes),
            Self::File(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Stdout(to) => to.flush(),
            Self::File(to) => to.flush(),
        }
    }
}

/// The file of scores.
pub(super) struct Scores {
    to: BufWriter<Target>,
    name: String,
    line: String,
    /// The thresholds as cells, once they are known.
    thresholds: String,
}

impl Scores {
    pub(super) fn create(
        file: &Path,
        to_stdout: bool,
        channels: &[String],
    ) -> Result<Self, Failure> {
        let to = if to_stdout {
            Target::Stdout(std::io::stdout())
        } else {
            let file = Replacement::begin(file)
                .map_err(|e| Failure::BadInput(format!("--out {}: {e}", file.display())))?;
            Target::File(file)
        };
        let mut scores = Self {
            to: BufWriter::with_capacity(128 * 1024, to),
            name: if to_stdout {
                "stdout".to_owned()
            } else {
                file.display().to_string()
            },
            line: HEADER.to_owned(),
            thresholds: String::new(),
        };
        for channel in channels {
            scores.line.push(',');
            put_cell(&mut scores.line, &format!("share_{channel}"));
        }
        scores.line.push('\n');
        scores.put()?;
        Ok(scores)
    }

    /// The file that holds the scores until the end.
    pub(super) fn temporary(&self) -> Option<&Path> {
        match self.to.get_ref() {
            Target::Stdout(_) => None,
            Target::File(file) => file.temporary(),
        }
    }

    fn put(&mut self) -> Result<(), Failure> {
        self.to
            .write_all(self.line.as_bytes())
            .map_err(|e| self.error(&e))
    }

    fn error(&self, error: &std::io::Error) -> Failure {
        Failure::Run(format!("{}: {error}", self.name))
    }

    /// Writes what the detector says of a row.
    pub(super) fn write<const N: usize>(
        &mut self,
        row: &Row,
        detector: &Detector<N>,
        channels: &[String],
    ) -> Result<(), Failure> {
        if let (true, Some(thresholds)) = (self.thresholds.is_empty(), detector.thresholds()) {
            for q in thresholds {
                self.thresholds.push(',');
                put_number(&mut self.thresholds, q);
            }
        }
        let line = &mut self.line;
        line.clear();
        // Writing to a string cannot fail.
        let _ = write!(line, "{},", row.number);
        put_cell(line, &row.time);
        match detector.finding() {
            None => {
                line.push_str(",,,,,,,,0,,,learning,,,,,,,,,");
                line.extend(channels.iter().map(|_| ','));
            }
            Some(f) => {
                let numbers = [
                    f.t_emissary,
                    f.t_master,
                    Some(f.coherence),
                    f.delta(),
                    f.k1(),
                    Some(f.shift),
                    Some(f.energy),
                ];
                for x in numbers {
                    line.push(',');
                    if let Some(x) = x {
                        put_number(line, x);
                    }
                }
                let _ = write!(line, ",{},", u8::from(f.is_fault()));
                if let Some(cause) = f.cause.filter(|_| f.is_fault()) {
                    put_cell(line, &channels[cause]);
                }
                line.push(',');
                put_number(line, f.surprise);
                line.push(',');
                line.push_str(state(f.health));
                for x in [f.severity].into_iter().chain(f.ratios) {
                    line.push(',');
                    put_number(line, x);
                }
                line.push_str(&self.thresholds);
                for share in &f.blame[..channels.len()] {
                    line.push(',');
                    put_share(line, *share);
                }
            }
        }
        line.push('\n');
        self.put()
    }

    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|e| self.error(&e))
    }

    /// Puts the scores in place of those of an earlier analysis.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|e| self.error(&e))?;
        let Self { to, name, .. } = self;
        match to.into_inner() {
            Ok(Target::File(file)) => file.finish(),
            Ok(Target::Stdout(_)) => Ok(()),
            Err(error) => Err(error.into_error()),
        }
        .map_err(|e| Failure::Run(format!("{name}: {e}")))
    }
}

/// Word for the state of a machine.
fn state(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Fault => "fault",
        Health::Changed => "changed",
        Health::Outside => "outside",
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

/// A number from 0 to 1 with four decimals.
fn put_share(line: &mut String, share: f64) {
    let parts = (share * 1e4).round() as u32;
    let digit = |of: u32| char::from(b'0' + (parts / of % 10) as u8);
    line.extend([
        digit(10_000),
        '.',
        digit(1000),
        digit(100),
        digit(10),
        digit(1),
    ]);
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
