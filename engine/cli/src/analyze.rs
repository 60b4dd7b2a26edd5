//! `becomingone analyze`: a recording through a self-model of its own.

mod baseline;
mod evenly;

use self::baseline::Learned;
use self::evenly::Evenly;
use super::show::Rerun;
use super::{Failure, is_same_file, terminal};
use becomingone_kernel::{MIN_WARM_UP, SelfModel, SelfModelConfig, Trainer, Verdict};
use becomingone_replay::{Kind, Row, Table, Wanted};
#[cfg(feature = "rerun")]
use becomingone_rerun::{Said, TableRecording};
use clap::Args;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Columns of the scores, in this order; more may follow.
const HEADER: &str = "row,time,t_emissary,t_master,coherence,delta,k1,k2,k3,flag,cause,surprise";
/// Channels that a self-model takes.
const MOST_CHANNELS: usize = 64;
/// Where more stamps than this share are those of the row before, they are too coarse to count by.
const COARSE: f64 = 0.2;
/// Where channels come in rows of their own, and more steps than this share are uneven, time is cut into bins.
const UNEVEN: f64 = 0.01;
/// Tables of more bytes are recorded on request only: a recording is six times as large.
const RECORDED_BYTES: u64 = 100_000_000;
/// Intervals that are printed; the scores hold all.
const PRINTED: u64 = 1000;

#[derive(Args)]
pub(super) struct Analyze {
    /// A recording: CSV, whatever its separator, or MCAP with topics in JSON or protobuf; - is a CSV on standard input.
    file: PathBuf,
    /// The column of stamps: ISO 8601, or seconds, ms, us or ns as numbers; else it is guessed.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Rows a second, for a table without stamps, or in place of them; of an MCAP file, how often its messages
    /// become a row (else 50, or as often as they come).
    #[arg(long, value_name = "HZ", conflicts_with = "time", value_parser = rate)]
    rate: Option<f64>,
    /// What becomes a tick of the self-model: off, each row; HZ, the means over bins of time, so many a second; else
    /// bins where channels come in rows of their own, as long as the slower ones of them need, and rows elsewhere.
    #[arg(long, value_name = "HOW", default_value = "auto", hide_default_value = true, value_parser = bins)]
    bins: InBins,
    /// Rows from the first one on in which all is well: the self-model learns from them.
    #[arg(long, value_name = "ROWS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(i64::from(MIN_WARM_UP)..))]
    baseline: u32,
    /// Where the scores go, a CSV with a line for each row; - is standard output.
    #[arg(long, value_name = "FILE", default_value = "scores.csv")]
    out: PathBuf,
    /// Columns that are no channels, as labels: names with commas between. May be repeated.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    ignore: Vec<String>,
    /// What stands between cells; else it is found: a comma, semicolon, tab, | or spaces. Of spaces, several are one.
    #[arg(long, value_name = "SIGN", value_parser = separator)]
    separator: Option<u8>,
    /// What Rerun gets: off, or save=FILE; else a file named as the table, unless that is larger than 100 MB.
    #[arg(long, value_parser = super::show::parse, value_name = "HOW", default_value = "auto", hide_default_value = true)]
    rerun: Rerun,
    /// Print warnings and errors only.
    #[arg(long)]
    quiet: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-9..=1e9).contains(&rate) => Ok(rate),
        _ => Err("expected rows a second, from 1e-9 to 1e9".to_owned()),
    }
}

/// Whether time is cut into bins.
#[derive(Clone, Copy, Debug)]
enum InBins {
    Auto,
    Off,
    Rate(f64),
}

fn bins(text: &str) -> Result<InBins, String> {
    match text {
        "auto" => Ok(InBins::Auto),
        "off" => Ok(InBins::Off),
        text => match rate(text) {
            Ok(rate) => Ok(InBins::Rate(rate)),
            Err(_) => Err("expected auto, off, or bins a second, from 1e-9 to 1e9".to_owned()),
        },
    }
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" | b"tab" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !byte.is_ascii_alphanumeric() && *byte != b'"' => Ok(*byte),
        _ => Err("expected one sign, as ; or tab".to_owned()),
    }
}

impl Analyze {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let recording = self.recording()?;
        self.keep_apart(recording.as_deref())?;
        let wanted = Wanted {
            time: self.time.clone(),
            ignore: self.ignore.clone(),
            separator: self.separator,
            step_ns: self.rate.map(|rate| (1e9 / rate) as u64),
            look_rows: self.baseline as usize,
            ..Wanted::default()
        };
        let mut table = Table::open(&self.file, &wanted).map_err(bad)?;
        if table.channels().len() > MOST_CHANNELS {
            // As few as the kernel holds: the first ones, as a person would take them.
            let channels = table.channels();
            self.warn(&format!(
                "{} columns of numbers are more than the {MOST_CHANNELS} that a self-model takes: the first {MOST_CHANNELS} are used, up to `{}`; --ignore leaves out others instead",
                channels.len(),
                channels[MOST_CHANNELS - 1]
            ));
            table.keep_first(MOST_CHANNELS);
        }
        self.introduce(&table)?;
        match table.channels().len() {
            0..=8 => self.score::<8>(table, recording.as_deref()),
            9..=16 => self.score::<16>(table, recording.as_deref()),
            _ => self.score::<MOST_CHANNELS>(table, recording.as_deref()),
        }
    }

    /// The file of the recording, none where there is none.
    fn recording(&self) -> Result<Option<PathBuf>, Failure> {
        let file = match &self.rerun {
            Rerun::Off => None,
            Rerun::Save(file) => Some(file.clone()),
            Rerun::Auto if cfg!(not(feature = "rerun")) || self.is_piped() => None,
            Rerun::Auto => {
                let bytes = std::fs::metadata(&self.file).map_or(0, |m| m.len());
                if bytes > RECORDED_BYTES {
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
                "this binary was built without Rerun, so that only --rerun off is there; build it with --features rerun".to_owned(),
            ));
        }
        Ok(file)
    }

    fn is_piped(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    fn to_stdout(&self) -> bool {
        self.out.as_os_str() == "-"
    }

    /// What is written must not take the place of what is read, nor of the other.
    fn keep_apart(&self, recording: Option<&Path>) -> Result<(), Failure> {
        let out = Some(self.out.as_path()).filter(|_| !self.to_stdout());
        let file = Some(self.file.as_path()).filter(|_| !self.is_piped());
        let is_table = |written: &&Path| file.is_some_and(|file| is_same_file(written, file));
        let clash = if let Some(out) = out.filter(is_table) {
            Some(("--out", out, "the table itself"))
        } else if let Some(rrd) = recording.filter(is_table) {
            Some(("--rerun", rrd, "the table itself"))
        } else if let (Some(out), Some(rrd)) = (out, recording)
            && is_same_file(out, rrd)
        {
            Some(("--out", out, "the file of --rerun"))
        } else {
            None
        };
        match clash {
            None => Ok(()),
            Some((option, file, what)) => Err(Failure::BadInput(format!(
                "{option} {}: found {what}; expected a file of its own",
                file.display()
            ))),
        }
    }

    /// A line for a person: where the scores go to stdout, on stderr.
    fn tell(&self, text: &str) {
        if self.quiet {
        } else if self.to_stdout() {
            complain!("{text}");
        } else {
            say!("{text}");
        }
    }

    fn warn(&self, text: &str) {
        complain!("warning: {text}");
    }

    /// Seconds from row to row where stamps do not say it, and whether stamps say it at all.
    fn step_s(&self, table: &Table) -> (f64, bool) {
        if let Some(rate) = self.rate.filter(|_| !table.is_stepped()) {
            return (1.0 / rate, false);
        }
        let Some(time) = table.time() else {
            return (1.0, false);
        };
        let period_s = time.period_ns.map_or(1.0, |ns| ns as f64 / 1e9);
        // Ten rows in a second with one stamp are a tenth apart; in bins, those of channels that take turns are not.
        let apart = (1.0 - time.repeated).max(1e-6);
        let turns = table.is_sparse() && self.bin_ns(table).is_some();
        if time.repeated > COARSE && !turns {
            (period_s * apart, false)
        } else {
            (period_s, true)
        }
    }

    /// How long bins of time are (ns); none where each row is a tick.
    fn bin_ns(&self, table: &Table) -> Option<u64> {
        match self.bins {
            InBins::Off => None,
            InBins::Rate(rate) => Some((1e9 / rate) as u64),
            InBins::Auto => {
                // What was read together belongs together: whole rows are heard best as they come, however uneven.
                let apart = table.is_sparse() && self.rate.is_none();
                let time = table.time().filter(|t| apart && t.uneven > UNEVEN)?;
                time.pace_ns
            }
        }
    }

    /// Says what is in the table and what is made of it.
    fn introduce(&self, table: &Table) -> Result<(), Failure> {
        let named = |kind: Kind| -> Vec<String> {
            let columns = table.columns().iter().filter(|c| c.kind == kind);
            columns.map(|c| format!("`{}`", c.name)).collect()
        };
        let file = self.file.display();
        if table.channels().is_empty() {
            let mut found = String::new();
            for column in table.columns() {
                let what = match column.kind {
                    Kind::Numbers | Kind::Unwanted => continue,
                    Kind::Time => "the time",
                    Kind::Ignored => "ignored",
                    Kind::Text => "text",
                    Kind::Empty => "empty",
                    Kind::Counter => "counts rows",
                };
                let comma = if found.is_empty() { "" } else { ", " };
                let text = column.text.as_ref();
                let text = text.map_or(String::new(), |text| format!(", {text}"));
                // Writing to a string cannot fail.
                let _ = write!(found, "{comma}`{}` ({what}{text})", column.name);
            }
            if table.columns().iter().all(|c| c.kind == Kind::Empty) {
                return Err(Failure::BadInput(format!(
                    "{file}: found no value below the header {}; expected rows of numbers",
                    named(Kind::Empty).join(", ")
                )));
            }
            return Err(Failure::BadInput(format!(
                "{file}: found no column of numbers in its first rows: {found}; expected at least one channel. If cells are told apart by another sign, --separator says which"
            )));
        }
        let channels = table.channels();
        self.tell(&format!(
            "{file}: {} {}: {}",
            channels.len(),
            if channels.len() == 1 {
                "channel"
            } else {
                "channels"
            },
            channels.join(", ")
        ));
        if let Some(time) = table.time().filter(|t| t.backward > 0.5)
            && self.rate.is_none()
        {
            return Err(Failure::BadInput(format!(
                "{file}: {:.0} % of the first stamps in `{}` are before that of the row above; expected the oldest row first: sort the rows, or name another column with --time",
                100.0 * time.backward,
                time.name
            )));
        }
        let (step_s, _) = self.step_s(table);
        match table.time() {
            Some(time) if self.rate.is_none() || table.is_stepped() => self.tell(&format!(
                "time: `{}` ({}{}), a row every {}",
                time.name,
                time.format,
                if time.guessed { ", guessed: --time says another" } else { "" },
                span(step_s)
            )),
            _ => self.tell(&format!(
                "time: {}, a row every {}",
                if self.rate.is_some() {
                    "--rate"
                } else {
                    "no column of stamps was found (--time names one, --rate tells the rows a second)"
                },
                span(step_s)
            )),
        }
        self.warn_notes(table, 0);
        let bin_ns = self.bin_ns(table);
        if let Some(bin_ns) = bin_ns {
            let why = match (self.bins, table.time()) {
                (InBins::Auto, Some(_)) => {
                    " (channels come in rows of their own; --bins says otherwise)"
                }
                _ => "",
            };
            self.tell(&format!(
                "ticks: means over bins of {}{why}",
                span(bin_ns as f64 / 1e9)
            ));
        }
        if let Some(time) = table.time().filter(|t| {
            t.repeated > COARSE && self.rate.is_none() && !(table.is_sparse() && bin_ns.is_some())
        }) {
            self.warn(&format!(
                "{:.0} % of the first stamps are those of the row before: rows are taken to be {} apart; --rate says better",
                100.0 * time.repeated,
                span(step_s)
            ));
        }
        let slow = table.slow().iter();
        let slow: Vec<&(String, u64)> = slow
            .filter(|(name, ns)| {
                table.channels().contains(name) && bin_ns.is_none_or(|bin_ns| *ns > 4 * bin_ns)
            })
            .collect();
        if let Some(slowest_ns) = slow.iter().map(|(_, ns)| *ns).max() {
            let names: Vec<String> = slow.iter().map(|(name, _)| format!("`{name}`")).collect();
            self.warn(&format!(
                "{}: much slower than others, and hardly judged beside them; --bins {:.3} hears them, with a --baseline that is long enough",
                names.join(", "),
                1e9 / slowest_ns as f64
            ));
        }
        for (kind, why) in [
            (Kind::Text, "text, no channel"),
            (Kind::Empty, "nothing in the first rows, no channel"),
            (Kind::Counter, "counts rows, no channel"),
        ] {
            let names = named(kind);
            if !names.is_empty() {
                self.warn(&format!("{}: {why}", names.join(", ")));
            }
        }
        Ok(())
    }

    /// What the table says of itself, from a note on.
    fn warn_notes(&self, table: &Table, from: usize) {
        for note in table.notes().iter().skip(from) {
            self.warn(&format!("{}: {note}", self.file.display()));
        }
    }

    fn score<const N: usize>(
        &self,
        mut table: Table,
        recording: Option<&Path>,
    ) -> Result<ExitCode, Failure> {
        let (step_s, stamped) = self.step_s(&table);
        let told = table.notes().len();
        let mut first = VecDeque::new();
        let mut broken = None;
        let (mut warm_up, mut ticks) = (self.baseline, Ticks::Rows(None));
        if let Some(bin_ns) = self.bin_ns(&table) {
            let channels = table.channels().len();
            let step_ns = (step_s * 1e9) as u64;
            let evenly = || Evenly::<N>::new(channels, bin_ns, step_ns).map_err(bad);
            // Learned from is what the first rows say, and no bin behind them.
            broken = self.read_first(&mut table, &mut first);
            let (mut before, mut count) = (evenly()?, 0_u32);
            for row in &first {
                before.push(row, stamped, |_, _| count = count.saturating_add(1));
            }
            if first.len() < self.baseline as usize {
                // There is nothing to judge.
                count = u32::MAX;
            } else if count < MIN_WARM_UP {
                return Err(Failure::BadInput(format!(
                    "{}: found {count} bins of {} in the first {} rows; expected at least {MIN_WARM_UP} to learn from: a larger --baseline (400 bins are about {} rows), or --bins off",
                    self.file.display(),
                    span(bin_ns as f64 / 1e9),
                    self.baseline,
                    400 * u64::from(self.baseline) / u64::from(count.max(1))
                )));
            }
            (warm_up, ticks) = (count, Ticks::Even(Box::new(evenly()?)));
        }
        let config = SelfModelConfig {
            outputs: table.channels().len(),
            warm_up_samples: warm_up,
            ..SelfModelConfig::default()
        };
        let mut trainer = Trainer::<f64, N, 0>::new(config)
            .map(Box::new)
            .map_err(bad)?;
        let mut scores = Scores::create(&self.out, self.to_stdout())?;
        let mut recorded = self.record(&table, recording, stamped)?;
        let mut intervals = Intervals::<N>::default();
        let mut watched = Watched::new(table.channels().len());
        let mut progress = Progress::new(self.quiet);
        let mut row = Row::default();
        let mut back = 0_u64;
        let broken = loop {
            if let Some(early) = first.pop_front() {
                row = early;
            } else if broken.is_some() {
                break broken;
            } else {
                match table.read(&mut row) {
                    Ok(true) => {}
                    Ok(false) => break None,
                    // What was scored up to here is kept.
                    Err(error) => break Some(bad(error)),
                }
            }
            let began = trainer.is_trained();
            let verdict = match &mut ticks {
                Ticks::Rows(last_ns) => {
                    let before = std::mem::replace(last_ns, row.t_ns);
                    let dt_s = match (row.t_ns, before) {
                        (Some(now), Some(before)) if stamped => {
                            now.saturating_sub(before) as f64 / 1e9
                        }
                        _ => step_s,
                    };
                    back += u64::from(dt_s <= 0.0);
                    let verdict = trainer.push(&row.values, &[], dt_s);
                    watched.judge(trainer.model(), &row.values, row.number);
                    verdict
                }
                Ticks::Even(evenly) => {
                    evenly.push(&row, stamped, |values, dt_s| {
                        trainer.push(values, &[], dt_s);
                        watched.judge(trainer.model(), values, row.number);
                    });
                    trainer.model().verdict().copied()
                }
            };
            if trainer.is_trained() && !began {
                self.say_learned(trainer.model(), &table, &watched);
            } else if !began
                && row.number + 1 == u64::from(self.baseline)
                && let Some(error) = trainer.warm_up_error()
            {
                self.warn(&format!(
                    "the first {} rows cannot be learned from ({error}); it is tried again with the next ones",
                    self.baseline
                ));
            }
            watched.look(&row, trainer.is_trained());
            scores.write(&row, verdict.as_ref(), table.channels())?;
            if let Some(recorded) = &mut recorded {
                recorded.push(&row, verdict.as_ref(), trainer.model())?;
            }
            if let Some(verdict) = &verdict
                && let Some(done) = intervals.look(&row, verdict, stamped)
            {
                self.tell_interval(&done, &table, recorded.as_mut(), &mut progress)?;
            }
            progress.look(row.number);
        };
        if let Some(done) = intervals.end() {
            self.tell_interval(&done, &table, recorded.as_mut(), &mut progress)?;
        }
        progress.end();
        scores.finish()?;
        if let Some(recorded) = recorded {
            recorded.finish()?;
        }
        self.warn_notes(&table, told);
        let [late, set_back, beyond, masked] = match &ticks {
            Ticks::Rows(_) => [0; 4],
            Ticks::Even(evenly) => [
                evenly.late,
                evenly.set_back,
                evenly.beyond,
                evenly.too_large(),
            ],
        };
        let counters = trainer.model().counters();
        let said = [
            back,
            late,
            set_back,
            beyond,
            counters.broken + masked,
            counters.gaps,
        ];
        self.say_oddities(&table, &watched, said);
        if let Some(broken) = broken {
            return Err(broken);
        }
        if !trainer.is_trained() {
            return Err(Failure::BadInput(self.untrained(&table, &trainer)));
        }
        self.conclude(&table, &intervals, recording);
        Ok(ExitCode::SUCCESS)
    }

    /// Reads the rows of the baseline; gives what went wrong on the way.
    fn read_first(&self, table: &mut Table, first: &mut VecDeque<Row>) -> Option<Failure> {
        while first.len() < self.baseline as usize {
            let mut row = Row::default();
            match table.read(&mut row) {
                Ok(true) => first.push_back(row),
                Ok(false) => break,
                Err(error) => return Some(bad(error)),
            }
        }
        None
    }

    #[cfg(feature = "rerun")]
    fn record(
        &self,
        table: &Table,
        file: Option<&Path>,
        stamped: bool,
    ) -> Result<Option<Recorded>, Failure> {
        let Some(file) = file else { return Ok(None) };
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let mut about = format!(
            "# {}\n\nThe first {} rows were learned from.\n\n| column | |\n|---|---|\n",
            self.file.display(),
            self.baseline
        );
        for column in table.columns() {
            let kind = format!("{:?}", column.kind).to_lowercase();
            let _ = writeln!(about, "| {} | {kind} |", column.name.replace('|', "\\|"));
        }
        let epoch = table.time().map(|t| t.epoch).filter(|_| stamped);
        let recording =
            TableRecording::create(file, &stem, &about, table.channels(), epoch).map_err(bad)?;
        Ok(Some(Recorded(recording, file.to_owned())))
    }

    #[cfg(not(feature = "rerun"))]
    fn record(&self, _: &Table, _: Option<&Path>, _: bool) -> Result<Option<Recorded>, Failure> {
        Ok(None)
    }

    /// Says what the baseline taught.
    fn say_learned<const N: usize>(
        &self,
        model: &SelfModel<f64, N, 0>,
        table: &Table,
        watched: &Watched,
    ) {
        let named = |indices: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            indices
                .map(|n| format!("`{}`", table.channels()[n]))
                .collect()
        };
        let constant = named(&mut model.constant_channels());
        if !constant.is_empty() {
            self.warn(&format!(
                "constant in the first {} rows: {}; the first move of such a channel is a surprise. If it is a label and no sensor, pass it to --ignore",
                self.baseline,
                constant.join(", ")
            ));
        }
        let absent = named(&mut model.absent_channels());
        if !absent.is_empty() {
            self.warn(&format!(
                "no value in the first {} rows: {}; left out",
                self.baseline,
                absent.join(", ")
            ));
        }
        let ticks = model.config().warm_up_samples;
        for (channel, name) in watched.channels.iter().zip(table.channels()) {
            let count = channel.learned.count();
            // None at all was said above; and where ticks are few, so are values.
            if count > 1 && count < MIN_WARM_UP && count < ticks / 2 {
                self.warn(&format!(
                    "`{name}` has {count} values in the {ticks} ticks of the baseline: too few to learn from, {MIN_WARM_UP} are the least"
                ));
            }
            if let Some(drowning) = channel.learned.drowning() {
                self.warn(&format!("`{name}` {drowning}"));
            }
        }
        if let Some(t) = model.thresholds() {
            let bins = if self.bin_ns(table).is_some() {
                format!(" in {} bins", model.config().warm_up_samples)
            } else {
                String::new()
            };
            self.tell(&format!(
                "learned from {} rows{bins}; thresholds K1 {:.3}, K2 {:.2}, K3 {:.2}",
                self.baseline, t.k1, t.k2, t.k3
            ));
        }
    }

    fn tell_interval<const N: usize>(
        &self,
        done: &Interval<N>,
        table: &Table,
        recorded: Option<&mut Recorded>,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let channels = table.channels();
        let cause = done.cause().map_or("?", |n| channels[n].as_str());
        let rows = done.last.0 - done.first.0 + 1;
        let lasted = match done.lasted_s {
            Some(s) => span(s),
            None => format!("{rows} rows"),
        };
        if done.count <= PRINTED {
            progress.end();
            if done.count == 1 {
                self.tell("flagged:");
            }
            let from_to = if done.first.1.is_empty() {
                String::new()
            } else {
                format!("{} to {}, ", done.first.1, done.last.1)
            };
            self.tell(&format!(
                "  {from_to}rows {} to {} ({lasted}): {cause}, peak surprise {:.2}",
                done.first.0, done.last.0, done.peak
            ));
        } else if done.count == PRINTED + 1 {
            self.tell("  and more, which the scores tell");
        }
        if let Some(recorded) = recorded {
            let text = format!("{cause}: {lasted}, peak surprise {:.2}", done.peak);
            recorded.tell(done.first.0, done.first.2, &text)?;
        }
        Ok(())
    }

    /// What was odd on the way.
    fn say_oddities(&self, table: &Table, watched: &Watched, said: [u64; 6]) {
        let counts = table.counts();
        let firsts = table.firsts();
        let [back, late, set_back, beyond, broken, gaps] = said;
        for (count, what, first) in [
            (
                counts.short_rows,
                "rows with too few cells: the rest of them is missing",
                &firsts.short_row,
            ),
            (
                counts.long_rows,
                "rows with too many cells: what is over was left out",
                &firsts.long_row,
            ),
            (
                counts.bad_stamps,
                "stamps that cannot be read: these rows are taken to follow at the usual time",
                &firsts.bad_stamp,
            ),
            (
                counts.text_cells,
                "cells of channels with text in them: missing",
                &firsts.text_cell,
            ),
            (
                counts.infinite_cells,
                "cells of channels that are infinite: missing",
                &firsts.infinite_cell,
            ),
            (
                back,
                "rows whose stamp is not after that of the row before: not taken, their scores are repeated",
                &None,
            ),
            (
                late,
                "rows whose stamp is before that of a row above: they count from where they stand",
                &None,
            ),
            (
                set_back,
                "times the clock was set back: time goes on from there",
                &None,
            ),
            (
                beyond,
                "rows after more time than 64 bits of nanoseconds count: not judged, their scores are repeated",
                &None,
            ),
            (
                broken,
                "values that are a million deviations off, or too large to be squared: missing",
                &None,
            ),
            (
                gaps,
                "steps of more than ten of the baseline's: nothing is judged until the next five have come",
                &None,
            ),
        ] {
            if count > 0 {
                let first = first
                    .as_ref()
                    .map_or(String::new(), |f| format!(" (first in {f})"));
                self.warn(&format!("{count} {what}{first}"));
            }
        }
        let last = counts.rows.saturating_sub(1);
        // A column that rests for as long as was learned from rests for good.
        let long = u64::from(self.baseline);
        for (channel, name) in watched.channels.iter().zip(table.channels()) {
            if channel.unjudged * 4 > channel.values {
                self.warn(&format!(
                    "`{name}` is missing for longer at a time than in the baseline: {} of its {} values are not judged",
                    channel.unjudged, channel.values
                ));
            }
            match (channel.last_value, channel.since) {
                (None, _) if watched.trained => {}
                (Some((_, seen)), _) if last >= seen + long => {
                    self.warn(&format!("`{name}` has no value after row {seen}"));
                }
                (Some(_), since) if channel.moved && last >= since + long => {
                    self.warn(&format!("`{name}` does not move after row {since}"));
                }
                _ => {}
            }
        }
    }

    fn untrained<const N: usize>(&self, table: &Table, trainer: &Trainer<f64, N, 0>) -> String {
        let rows = table.counts().rows;
        let file = self.file.display();
        if let Some(error) = trainer.warm_up_error() {
            return format!(
                "{file}: {error}; expected channels that move in {} rows one after another",
                self.baseline
            );
        }
        let smaller = if rows > u64::from(MIN_WARM_UP) {
            format!(", or a smaller one (at least {MIN_WARM_UP})")
        } else {
            String::new()
        };
        format!(
            "{file}: found {rows} rows; expected more than the {} of --baseline, which are learned from{smaller}",
            self.baseline
        )
    }

    fn conclude<const N: usize>(
        &self,
        table: &Table,
        intervals: &Intervals<N>,
        recording: Option<&Path>,
    ) {
        let judged = table.counts().rows - u64::from(self.baseline).min(table.counts().rows);
        if intervals.count == 0 {
            self.tell(&format!("nothing flagged in {judged} rows"));
        } else {
            self.tell(&format!(
                "{} of {judged} rows flagged, in {} {}",
                intervals.rows,
                intervals.count,
                if intervals.count == 1 {
                    "interval"
                } else {
                    "intervals"
                }
            ));
        }
        if !self.to_stdout() {
            self.tell(&format!("scores: {}", self.out.display()));
        }
        #[cfg(feature = "rerun")]
        if let Some(file) = recording {
            self.tell(&format!(
                "recorded {}; to look at it:\n    {}",
                file.display(),
                becomingone_rerun::viewer::open_command(file)
            ));
        }
        #[cfg(not(feature = "rerun"))]
        let _ = recording;
    }
}

fn bad(error: impl std::fmt::Display) -> Failure {
    Failure::BadInput(error.to_string())
}

/// A time as a person says it.
fn span(s: f64) -> String {
    match s {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.4} µs", s * 1e6),
        s if s < 1.0 => format!("{} ms", (s * 1e6).round() / 1e3),
        s if s < 120.0 => format!("{} s", (s * 1e3).round() / 1e3),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// What makes a tick of the self-model.
enum Ticks<const N: usize> {
    /// Each row, and the stamp of the one before.
    Rows(Option<i64>),
    Even(Box<Evenly<N>>),
}

/// The file of scores.
struct Scores {
    to: Box<dyn Write>,
    name: String,
    line: String,
}

impl Scores {
    fn create(file: &Path, to_stdout: bool) -> Result<Self, Failure> {
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
            .map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::Run(format!("{}: {error}", self.name))
    }

    fn write<const N: usize>(
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

    fn finish(mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|e| self.failed(&e))
    }
}

/// A number with as many digits as tell it from all others, as `{:?}` writes it.
fn put_number(line: &mut String, x: f64) {
    // Elsewhere the two write exponents for different numbers.
    if (1e-4..1e16).contains(&x.abs()) {
        line.push_str(zmij::Buffer::new().format_finite(x));
    } else {
        let _ = write!(line, "{x:?}");
    }
}

/// A cell of a CSV, in quotes where it must be.
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

/// A run of flagged rows.
struct Interval<const N: usize> {
    /// How many there were, with this one.
    count: u64,
    /// Row, its time as it came, and as a number.
    first: (u64, String, Option<i64>),
    last: (u64, String, Option<i64>),
    lasted_s: Option<f64>,
    peak: f64,
    /// Surprise by channel, summed up.
    blame: [f64; N],
}

impl<const N: usize> Interval<N> {
    /// The channel that is most to blame, over the whole of it.
    fn cause(&self) -> Option<usize> {
        let most = self
            .blame
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1));
        most.filter(|(_, share)| **share > 0.0).map(|(n, _)| n)
    }
}

#[derive(Default)]
struct Intervals<const N: usize> {
    open: Option<Interval<N>>,
    count: u64,
    rows: u64,
}

impl<const N: usize> Intervals<N> {
    /// Looks at a row; gives the interval that ended with the one before.
    fn look(&mut self, row: &Row, verdict: &Verdict<f64, N>, stamped: bool) -> Option<Interval<N>> {
        if !verdict.dissipated {
            return self.open.take();
        }
        self.rows += 1;
        let here = |of: Option<(u64, String, Option<i64>)>| {
            let (_, mut text, _) = of.unwrap_or_default();
            text.clear();
            text.push_str(row.time.trim());
            (row.number, text, row.stamp_ns)
        };
        if self.open.is_none() {
            self.count += 1;
        }
        let count = self.count;
        let open = self.open.get_or_insert_with(|| Interval {
            count,
            first: here(None),
            last: here(None),
            lasted_s: None,
            peak: 0.0,
            blame: [0.0; N],
        });
        open.last = here(Some(std::mem::take(&mut open.last)));
        open.peak = open.peak.max(verdict.surprise);
        for (sum, share) in open.blame.iter_mut().zip(verdict.blame) {
            *sum += share * verdict.surprise;
        }
        let ends = open.first.2.zip(open.last.2).filter(|_| stamped);
        open.lasted_s = ends.map(|(from, to)| to.saturating_sub(from) as f64 / 1e9);
        None
    }

    fn end(&mut self) -> Option<Interval<N>> {
        self.open.take()
    }
}

/// What became of the channels: which came no more, which rest.
struct Watched {
    channels: Vec<WatchedChannel>,
    trained: bool,
    /// Ticks that the self-model took, and those of them that it learns from.
    ticks: u64,
    learned: u32,
}

#[derive(Clone, Default)]
struct WatchedChannel {
    /// Its values in the baseline.
    learned: Learned,
    /// The last value, and its row.
    last_value: Option<(f64, u64)>,
    /// The row since which it is that.
    since: u64,
    /// Whether it ever was another.
    moved: bool,
    /// Values of ticks after the baseline, and how many of them are not judged.
    values: u64,
    unjudged: u64,
}

impl Watched {
    fn new(channels: usize) -> Self {
        Self {
            channels: vec![WatchedChannel::default(); channels],
            trained: false,
            ticks: 0,
            learned: 0,
        }
    }

    /// Takes a tick that the self-model was given, and that ended with this row.
    fn judge<const N: usize>(
        &mut self,
        model: &SelfModel<f64, N, 0>,
        values: &[Option<f64>],
        row: u64,
    ) {
        let ticks = std::mem::replace(&mut self.ticks, model.counters().ticks);
        if ticks == self.ticks {
            // It was not taken.
            return;
        }
        if model.verdict().is_none() {
            self.learned += 1;
            for (channel, value) in self.channels.iter_mut().zip(values) {
                if let Some(x) = value {
                    channel.learned.take(*x, row);
                }
            }
            if self.learned >= model.config().warm_up_samples && !model.is_trained() {
                // It could not be learned from: the next ticks are the baseline.
                self.learned = 0;
                for channel in &mut self.channels {
                    channel.learned = Learned::default();
                }
            }
            return;
        }
        for (n, channel) in self.channels.iter_mut().enumerate() {
            if values.get(n).is_some_and(Option::is_some) {
                channel.values += 1;
                channel.unjudged += u64::from(!model.judges(n));
            }
        }
    }

    fn look(&mut self, row: &Row, trained: bool) {
        self.trained = trained;
        for (channel, x) in self.channels.iter_mut().zip(&row.values) {
            let Some(x) = *x else { continue };
            match &mut channel.last_value {
                Some((last, seen)) if *last == x => *seen = row.number,
                last => {
                    channel.moved = last.is_some();
                    *last = Some((x, row.number));
                    channel.since = row.number;
                }
            }
        }
    }
}

/// A line over itself, where there is a terminal and something to wait for.
struct Progress {
    shown: bool,
    last: Instant,
}

impl Progress {
    fn new(quiet: bool) -> Self {
        Self {
            shown: !quiet && std::io::stderr().is_terminal(),
            last: Instant::now(),
        }
    }

    fn look(&mut self, row: u64) {
        if self.shown && row.is_multiple_of(4096) && self.last.elapsed() > Duration::from_secs(1) {
            self.last = Instant::now();
            terminal::show(&format!("{row} rows"));
        }
    }

    fn end(&self) {
        if self.shown {
            terminal::clear();
        }
    }
}

#[cfg(feature = "rerun")]
struct Recorded(TableRecording, PathBuf);

#[cfg(feature = "rerun")]
impl Recorded {
    fn failed(&self, why: String) -> Failure {
        Failure::Run(format!("the recording {}: {why}", self.1.display()))
    }

    fn push<const N: usize>(
        &mut self,
        row: &Row,
        verdict: Option<&Verdict<f64, N>>,
        model: &SelfModel<f64, N, 0>,
    ) -> Result<(), Failure> {
        let said = verdict.zip(model.thresholds()).map(|(v, t)| Said {
            t_emissary: v.t_emissary,
            t_master: v.t_master,
            delta: v.delta,
            coherence: v.coherence,
            k: [v.k1, Some(v.k2), Some(v.k3)],
            thresholds: [t.k1, t.k2, t.k3],
            surprise: v.surprise,
            flagged: v.cause.filter(|_| v.dissipated),
        });
        let pushed = self
            .0
            .push(row.number, row.stamp_ns, &row.values, said.as_ref());
        pushed.map_err(|why| self.failed(why))
    }

    fn tell(&mut self, row: u64, ns: Option<i64>, text: &str) -> Result<(), Failure> {
        self.0.tell(row, ns, text).map_err(|why| self.failed(why))
    }

    fn finish(self) -> Result<(), Failure> {
        let Self(recording, file) = self;
        let failed = |why| Failure::Run(format!("the recording {}: {why}", file.display()));
        recording.finish().map_err(failed)
    }
}

#[cfg(not(feature = "rerun"))]
enum Recorded {}

#[cfg(not(feature = "rerun"))]
impl Recorded {
    fn push<const N: usize>(
        &mut self,
        _: &Row,
        _: Option<&Verdict<f64, N>>,
        _: &SelfModel<f64, N, 0>,
    ) -> Result<(), Failure> {
        match *self {}
    }

    fn tell(&mut self, _: u64, _: Option<i64>, _: &str) -> Result<(), Failure> {
        match *self {}
    }

    fn finish(self) -> Result<(), Failure> {
        match self {}
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
                // As short as the standard library's. Of two that are as near, it may be the other one.
                proptest::prop_assert_eq!(line.len(), format!("{x:?}").len());
            }
        }
    }
}
