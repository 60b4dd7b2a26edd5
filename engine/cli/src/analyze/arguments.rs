//! Arguments of `analyze`, and the files that they name.

use super::healthy_file::{HealthyFile, healthy_file};
use crate::failure::Failure;
use crate::files::is_same_file;
use crate::show::{self, Rerun};
use becomingone_kernel::MIN_WARM_UP;
use becomingone_systems::output_file::Replacement;
use clap::{ArgAction, Args};
use std::path::{Path, PathBuf};

pub(crate) const EXAMPLES: &str = "Examples:
  becomingone analyze log.csv
  becomingone analyze log.csv --time datetime --baseline 400 --out scores.csv
  becomingone analyze log.csv --time stamp --time-format '%d/%m/%Y %H:%M:%S'
  becomingone analyze log.csv --ignore anomaly,changepoint --rerun save=log.rrd
  becomingone analyze flight.csv --healthy good1.csv good2.csv --inputs cmd_roll,cmd_pitch --false-alarms-per-hour 0.1
  becomingone analyze log.csv --healthy log.csv:0-4000 log.csv:9000-12000 --json intervals.json
  becomingone analyze log.csv --baseline 400 --save pump.model
  mosquitto_sub -t pump | becomingone analyze - --load pump.model --out - --on-alarm notify-send {channel} {text} \\;

Exit status: 0 done, 1 a file could not be written, 2 bad input.";

/// Larger tables are recorded on request only: a recording is six times as large (bytes).
const MAX_RECORDED_BYTES: u64 = 100_000_000;

#[derive(Args)]
pub(crate) struct Analyze {
    /// A table: CSV with any separator, Parquet, Arrow, NumPy, JSON lines; or a log of messages: MCAP, ROS 1 or
    /// ROS 2 bag, PX4 .ulg, ArduPilot .BIN; - reads CSV from standard input.
    pub(super) file: PathBuf,
    /// Column of time stamps: dates, times, or numbers [default: guessed; what is guessed is printed].
    #[arg(long, value_name = "COLUMN")]
    pub(super) time: Option<String>,
    /// Unit of a numeric time: s, ms, us, ns, min, h, or d (days, also those of spreadsheets) [default: by the name of the
    /// column, a row of units, or the magnitude; else seconds].
    #[arg(long, value_name = "UNIT", conflicts_with_all = ["rate", "time_format"], value_parser = ["s", "ms", "us", "ns", "min", "h", "d"])]
    pub(super) time_unit: Option<String>,
    /// Format of the time, as for strptime: %Y %y %m %d %b %B %j %H %I %p %M %S %.f %z %s and others, as in
    /// '%d/%m/%Y %H:%M:%S%.f' [default: guessed].
    #[arg(long, value_name = "FORMAT", conflicts_with = "rate")]
    pub(super) time_format: Option<String>,
    /// Decimal sign of a CSV: point or comma; the other one separates thousands [default: detected].
    #[arg(long, value_name = "SIGN", value_parser = decimal)]
    pub(super) decimal: Option<u8>,
    /// Rows per second, for a table without stamps, or in place of them; for a log of messages, the rate at which messages
    /// become rows (else that of the messages, and at most 50 for several topics).
    #[arg(long, value_name = "HZ", conflicts_with = "time", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Ticks: off, each row; HZ, means over time bins at this rate; by default bins where channels
    /// come in rows of their own, as long as their slower ones need, and each row elsewhere.
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true, value_parser = bins)]
    pub(super) bins: BinMode,
    /// Number of first rows that are assumed healthy: what is normal is learned from them.
    #[arg(long, value_name = "ROWS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(i64::from(MIN_WARM_UP)..))]
    pub(super) baseline: u32,
    /// Healthy files of the same channels to learn from, in place of the first rows: all rows, or those from FROM to TO (numbers
    /// as in the scores). Three and more of similar length are judged each by what was learned from the others.
    #[arg(long, value_name = "FILE[:FROM-TO]", num_args = 1.., value_parser = healthy_file, conflicts_with_all = ["baseline", "load"])]
    pub(super) healthy: Vec<HealthyFile>,
    /// Channels that are inputs, such as commands or the weather: names separated by commas. They help to predict the others and
    /// are never isolated. May be repeated.
    #[arg(
        long,
        value_name = "COLUMNS",
        value_delimiter = ',',
        conflicts_with = "load"
    )]
    pub(super) inputs: Vec<String>,
    /// Wanted rate of false alarms, in place of none in the healthy rows; what they support is printed.
    #[arg(long, value_name = "RATE", value_parser = positive, conflicts_with_all = ["sensitivity", "load"])]
    pub(super) false_alarms_per_hour: Option<f64>,
    /// Alarms begin at a smaller rise (2: at half of it) or a larger one (0.5: at twice).
    #[arg(long, value_name = "FACTOR", value_parser = factor, default_value_t = 1.0, hide_default_value = true, conflicts_with = "load")]
    pub(super) sensitivity: f64,
    /// Write what was learned, for --load.
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    pub(super) save: Option<PathBuf>,
    /// Judge all rows by what --save has written.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "bins"])]
    pub(super) load: Option<PathBuf>,
    /// Write the flagged intervals as JSON: channel, severity, what was measured and what was expected.
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// File for the scores, a CSV with a line for each row; - is standard output.
    #[arg(long, value_name = "FILE", default_value = "scores.csv")]
    pub(super) out: PathBuf,
    /// Columns to leave out, such as labels: names separated by commas. May be repeated.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(super) ignore: Vec<String>,
    /// Separator of cells [default: detected: comma, semicolon, tab, | or spaces]. Several spaces count as one.
    #[arg(long, value_name = "SIGN", value_parser = separator)]
    pub(super) separator: Option<u8>,
    /// Output to Rerun: off, or save=FILE [default: a file named after the table, unless the table exceeds 100 MB].
    #[arg(long, value_parser = show::parser(), value_name = "HOW", default_value = "auto", hide_default_value = true)]
    pub(super) rerun: Rerun,
    /// Program to run when an alarm begins, with its arguments, up to a `;`: {channel}, {text}, {row}, {time},
    /// {surprise}, {severity}, {measured} and {expected} are filled in after the arguments were told apart. There is no shell; it is ended after 20 s.
    #[arg(long, value_name = "PROGRAM", num_args = 1.., action = ArgAction::Set, value_terminator = ";", allow_hyphen_values = true)]
    pub(super) on_alarm: Vec<String>,
    /// Address that a JSON object with channel, text, row, time, surprise, severity, measured, expected and band is sent to (POST) when an alarm begins, by http:// or https://.
    #[arg(long, value_name = "URL")]
    pub(super) webhook: Option<String>,
    /// PEM file with the issuer of the certificate of an https:// address [default: those of this machine].
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub(super) webhook_ca: Option<String>,
    /// Print warnings and errors only.
    #[arg(long)]
    pub(super) quiet: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-9..=1e9).contains(&rate) => Ok(rate),
        _ => Err("expected rows a second, from 1e-9 to 1e9".to_owned()),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (0.01..=100.0).contains(&x) => Ok(x),
        _ => Err("expected a number from 0.01 to 100".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if (1e-6..=1e6).contains(&x) => Ok(x),
        _ => Err("expected a number from 0.000001 to 1000000".to_owned()),
    }
}

/// Ticks from rows or from time bins.
#[derive(Clone, Copy, Debug)]
pub(super) enum BinMode {
    Auto,
    Off,
    /// Bins of this length (ns).
    Length(u64),
}

fn bins(text: &str) -> Result<BinMode, String> {
    match text {
        "auto" => Ok(BinMode::Auto),
        "off" => Ok(BinMode::Off),
        text => match rate(text) {
            Ok(rate) => Ok(BinMode::Length((1e9 / rate) as u64)),
            Err(_) => Err("expected auto, off, or bins a second, from 1e-9 to 1e9".to_owned()),
        },
    }
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" | b"tab" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
        _ => Err("expected one character, as ; or tab".to_owned()),
    }
}

fn decimal(text: &str) -> Result<u8, String> {
    match text {
        "point" | "." => Ok(b'.'),
        "comma" | "," => Ok(b','),
        _ => Err("expected point or comma".to_owned()),
    }
}

impl Analyze {
    /// Path of the recording for Rerun, if there is one.
    pub(super) fn recording(&self) -> Result<Option<PathBuf>, Failure> {
        let file = match &self.rerun {
            Rerun::Off => None,
            Rerun::Save(file) => Some(file.clone()),
            Rerun::Auto if cfg!(not(feature = "rerun")) || self.is_piped() => None,
            Rerun::Auto => {
                let bytes = std::fs::metadata(&self.file).map_or(0, |m| m.len());
                if bytes > MAX_RECORDED_BYTES {
                    self.warn(&format!(
                        "{}: {} MB are not recorded unless --rerun save=FILE asks for it; it takes about six times as much",
                        self.file.display(),
                        bytes / 1_000_000
                    ));
                    return Ok(None);
                }
                let stem = self.file.file_stem().unwrap_or("analyze".as_ref());
                let mut name = stem.to_owned();
                name.push(".rrd");
                Some(PathBuf::from(name))
            }
            _ => {
                return Err(Failure::BadInput(
                    "--rerun: a table is recorded into a file; expected off or save=FILE"
                        .to_owned(),
                ));
            }
        };
        if file.is_some() && cfg!(not(feature = "rerun")) {
            return Err(Failure::BadInput(
                "this binary was built without Rerun; expected --rerun off, or a build with --features rerun".to_owned(),
            ));
        }
        Ok(file)
    }

    pub(super) fn is_piped(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    pub(super) fn to_stdout(&self) -> bool {
        self.out.as_os_str() == "-"
    }

    /// Refuses outputs that would overwrite what is read, or each other.
    pub(super) fn keep_apart(&self, recording: Option<&Path>) -> Result<(), Failure> {
        let table = Some(self.file.as_path()).filter(|_| !self.is_piped());
        let mut used: Vec<(&Path, &str)> = Vec::new();
        used.extend(table.map(|file| (file, "the table itself")));
        used.extend(
            self.load
                .as_deref()
                .map(|file| (file, "the file of --load")),
        );
        let healthy = self.healthy.iter().map(|healthy| healthy.file.as_path());
        used.extend(healthy.map(|file| (file, "a file of --healthy")));
        let out = Some(self.out.as_path()).filter(|_| !self.to_stdout());
        for (option, file, name) in [
            ("--rerun", recording, "the file of --rerun"),
            ("--out", out, "the file of --out"),
            ("--save", self.save.as_deref(), "the file of --save"),
            ("--json", self.json.as_deref(), "the file of --json"),
        ] {
            let Some(file) = file else { continue };
            if option == "--save" || option == "--json" {
                if file.as_os_str() == "-" {
                    return Err(Failure::BadInput(format!("{option} -: expected a file")));
                }
                // Before the analysis, not after it.
                Replacement::check(file)
                    .map_err(|e| Failure::BadInput(format!("{option} {}: {e}", file.display())))?;
            }
            if let Some((_, what)) = used.iter().find(|(other, _)| is_same_file(file, other)) {
                return Err(Failure::BadInput(format!(
                    "{option} {}: found {what}; expected a file of its own",
                    file.display()
                )));
            }
            used.push((file, name));
        }
        Ok(())
    }

    /// Prints a line: on stderr where the scores go to stdout.
    pub(super) fn print(&self, text: &str) {
        if self.quiet {
        } else if self.to_stdout() {
            print_err!("{text}");
        } else {
            print_out!("{text}");
        }
    }

    pub(super) fn warn(&self, text: &str) {
        print_err!("warning: {text}");
    }
}
