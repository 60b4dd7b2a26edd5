//! `becomingone analyze`: detects anomalies in a table by what its first rows or healthy files are like.

mod alarms;
mod arguments;
mod channels;
mod duration;
mod healthy_file;
mod intervals;
mod json;
mod learning;
mod model_file;
mod progress;
mod reading;
mod report;
mod rerun;
mod resample;
mod scores;
mod scoring;
mod ticks;

pub(crate) use self::arguments::{Analyze, EXAMPLES};
use self::learning::Learned;
use crate::exit::Exit;
use crate::failure::Failure;
use becomingone_replay::{Table, Wanted};

/// Maximum number of channels of a detector.
const MAX_CHANNELS: usize = 64;
/// Lines of a live stream of known channels by which its time is recognised.
const LIVE_ROWS: usize = 2;

impl Analyze {
    pub(crate) fn run(mut self) -> Result<Exit, Failure> {
        let recording = self.recording()?;
        self.keep_apart(recording.as_deref())?;
        let mut wanted = Wanted {
            time: self.time.clone(),
            time_unit: self.time_unit.clone(),
            time_format: self.time_format.clone(),
            decimal: self.decimal,
            ignore: self.ignore.clone(),
            separator: self.separator,
            step_ns: self.rate.map(|rate| (1e9 / rate) as u64),
            look_rows: self.baseline as usize,
            ..Wanted::default()
        };
        let learned = Learned::open(&self, &wanted)?;
        if let Some(channels) = learned.channels() {
            wanted.columns = channels.to_vec();
            wanted.ignore.clear();
            if self.is_piped() {
                // What the columns are is known: a live stream is judged from its first rows on.
                wanted.look_rows = LIVE_ROWS;
            }
        }
        if let Some(bins) = learned.bins(&self) {
            self.bins = bins;
        }
        let mut table = Table::open(&self.file, &wanted).map_err(Failure::bad_input)?;
        self.limit(&mut table);
        self.introduce(&table)?;
        match table.channels().len() {
            0..=8 => self.score::<8>(table, learned, recording.as_deref()),
            9..=16 => self.score::<16>(table, learned, recording.as_deref()),
            _ => self.score::<MAX_CHANNELS>(table, learned, recording.as_deref()),
        }
    }

    /// Leaves out channels that are too many.
    fn limit(&self, table: &mut Table) {
        if table.channels().len() > MAX_CHANNELS {
            // The kernel has a fixed maximum.
            let channels = table.channels();
            self.warn(&format!(
                "{} columns of numbers are more than the {MAX_CHANNELS} that are supported: the first {MAX_CHANNELS} are used, up to `{}`; --ignore leaves out others instead",
                channels.len(),
                channels[MAX_CHANNELS - 1]
            ));
            table.keep_first(MAX_CHANNELS);
        }
    }
}
