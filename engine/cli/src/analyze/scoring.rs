//! Scores each row with a detector that has learned from the first ones.

use super::alarms::Alarms;
use super::arguments::Analyze;
use super::channels::ChannelStates;
use super::duration::format_duration;
use super::intervals::Intervals;
use super::learning::Learned;
use super::progress::Progress;
use super::scores::Scores;
use super::ticks::Ticks;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use becomingone_kernel::{Detector, MIN_WARM_UP};
use becomingone_replay::{Row, Table};
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// Ends the analysis at Ctrl-C after the row that is read, and without its scores where no row comes.
fn stop_on_interrupt(temporary: Option<&Path>) -> Result<Interrupt, Failure> {
    /// Time in which the next row has to come.
    const PATIENCE: Duration = Duration::from_secs(1);
    let interrupt = Interrupt::install()?;
    let temporary = temporary.map(Path::to_owned);
    interrupt.on_first(move || {
        std::thread::sleep(PATIENCE);
        if let Some(temporary) = &temporary {
            // Renamed already, if the analysis has ended meanwhile.
            drop(std::fs::remove_file(temporary));
        }
        std::process::exit(130)
    });
    Ok(interrupt)
}

impl Analyze {
    pub(super) fn score<const N: usize>(
        &self,
        mut table: Table,
        learned: Learned,
        recording: Option<&Path>,
    ) -> Result<Exit, Failure> {
        let steps = self.step_s(&table);
        let (_, stamped) = steps;
        let channels = table.channels().len();
        let bin_ns = self.bin_ns(&table);
        let notes_printed = table.notes().len();
        let mut first = VecDeque::new();
        let mut broken = None;
        let mut warm_up = self.baseline;
        let ticks = || Ticks::<N>::new(channels, bin_ns, steps).map_err(Failure::bad_input);
        if let (Some(bin_ns), Learned::No) = (bin_ns, &learned) {
            // The training data are the bins of the first rows, and none after them.
            broken = self.read_first(&mut table, &mut first);
            warm_up = self.count_bins(&first, &mut ticks()?, bin_ns)?;
        }
        let mut ticks = ticks()?;
        let mut states = ChannelStates::new(channels);
        let mut detector: Detector<N> = self.detector(&table, learned, warm_up, &mut states)?;
        let learned_before = detector.is_trained();
        if learned_before {
            self.report_training(&detector, &table, &states);
            self.save(&detector, &table)?;
        }
        let mut alarms = Alarms::begin(self)?;
        let mut scores = Scores::create(&self.out, self.to_stdout(), table.channels())?;
        let interrupt = stop_on_interrupt(scores.temporary())?;
        let mut recorded = self.record(&table, recording, stamped)?;
        let recording = recorded.as_ref().map(|r| r.path().to_owned());
        let mut intervals = Intervals::<N>::new(self.json.is_some());
        let mut progress = Progress::new(self.quiet);
        let mut row = Row::default();
        let broken = loop {
            if interrupt.is_set() {
                break Some(Failure::Stopped(format!(
                    "stopped: the scores end with row {}",
                    row.number
                )));
            }
            if let Some(early) = first.pop_front() {
                row = early;
            } else if broken.is_some() {
                break broken;
            } else {
                match table.read(&mut row) {
                    Ok(true) => {}
                    Ok(false) => break None,
                    // The scores up to here are kept.
                    Err(error) => break Some(Failure::bad_input(error)),
                }
            }
            let began = detector.is_trained();
            ticks.push(&row, |values, dt_s| {
                detector.push(values, dt_s);
                states.record_tick(&detector, values, row.number);
            });
            if detector.is_trained() && !began {
                self.report_training(&detector, &table, &states);
                self.save(&detector, &table)?;
            } else if !began && detector.counters().rows == u64::from(warm_up) {
                self.warn(&format!(
                    "the first {} rows cannot be learned from (no channel beside the inputs has two values); the next ones are tried",
                    self.baseline
                ));
            }
            states.record_row(&row, detector.is_trained());
            let finding = detector.finding();
            scores.write(&row, &detector, table.channels())?;
            if self.is_piped() {
                // The next row may come much later.
                scores.flush()?;
            }
            if let Some(recorded) = &mut recorded {
                recorded.push(&row, &detector)?;
            }
            if let Some(finding) = finding {
                let ended = intervals.push(&row, finding, stamped, |n| detector.expected(n));
                if let Some(done) = ended {
                    self.report_interval(&done, &table, recorded.as_mut(), &mut progress)?;
                    intervals.keep(done);
                }
                if let Some(begun) = intervals.begun(row.number) {
                    alarms.push(self, begun, &row, table.channels());
                }
            }
            progress.update(row.number);
        };
        if let Some(done) = intervals.end() {
            self.report_interval(&done, &table, recorded.as_mut(), &mut progress)?;
            intervals.keep(done);
        }
        progress.end();
        alarms.finish(self);
        scores.finish()?;
        if let Some(recorded) = recorded {
            recorded.finish()?;
        }
        self.warn_notes(&table, notes_printed);
        let [back, late, set_back, beyond, masked] = ticks.counts();
        let counters = detector.counters();
        let counts_seen = [
            back,
            late,
            set_back,
            beyond,
            counters.broken + masked,
            counters.gaps,
        ];
        self.report_counts(&detector, &table, &states, counts_seen);
        self.write_intervals(&detector, &table, &intervals)?;
        if let Some(broken) = broken {
            return Err(broken);
        }
        let rows = table.counts().rows;
        let is_learned = detector.is_trained() && rows > u64::from(self.baseline);
        if !(is_learned || learned_before) {
            return Err(Failure::BadInput(
                self.untrained_message(&table, detector.counters().rows),
            ));
        }
        if rows == 0 {
            return Err(Failure::BadInput(format!(
                "{}: found no row; expected rows to judge",
                self.file.display()
            )));
        }
        self.report_result(&table, &intervals, recording.as_deref());
        Ok(Exit::SUCCESS)
    }

    /// Number of bins in the first rows.
    fn count_bins<const N: usize>(
        &self,
        first: &VecDeque<Row>,
        ticks: &mut Ticks<N>,
        bin_ns: u64,
    ) -> Result<u32, Failure> {
        let mut count = 0_u32;
        for row in first {
            ticks.push(row, |_, _| count = count.saturating_add(1));
        }
        if first.len() < self.baseline as usize {
            // Too few rows: reported at the end.
            return Ok(u32::MAX);
        }
        if count < MIN_WARM_UP {
            return Err(Failure::BadInput(format!(
                "{}: found {count} bins of {} in the first {} rows; expected at least {MIN_WARM_UP} to learn from: a larger --baseline (400 bins are about {} rows), or --bins off",
                self.file.display(),
                format_duration(bin_ns as f64 / 1e9),
                self.baseline,
                400 * u64::from(self.baseline) / u64::from(count.max(1))
            )));
        }
        Ok(count)
    }

    /// Reads the rows of the baseline; returns the error that ended it, if any.
    fn read_first(&self, table: &mut Table, first: &mut VecDeque<Row>) -> Option<Failure> {
        while first.len() < self.baseline as usize {
            let mut row = Row::default();
            match table.read(&mut row) {
                Ok(true) => first.push_back(row),
                Ok(false) => break,
                Err(error) => return Some(Failure::bad_input(error)),
            }
        }
        None
    }
}
