//! Scores each row with a detector that has learned from the first ones.

use super::alarms::Alarms;
use super::arguments::Analyze;
use super::channels::ChannelStates;
use super::duration::format_duration;
use super::intervals::Intervals;
use super::progress::Progress;
use super::resample::Resampler;
use super::scores::Scores;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use becomingone_kernel::{Detector, MIN_WARM_UP};
use becomingone_replay::{Row, Table};
use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
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

/// Source of the detector's ticks.
enum Ticks<const N: usize> {
    /// Each row; the stamp of the row before.
    Rows(Option<i64>),
    Resampled(Box<Resampler<N>>),
}

impl Analyze {
    pub(super) fn score<const N: usize>(
        &self,
        mut table: Table,
        recording: Option<&Path>,
    ) -> Result<ExitCode, Failure> {
        let (step_s, stamped) = self.step_s(&table);
        let notes_printed = table.notes().len();
        let mut first = VecDeque::new();
        let mut broken = None;
        let (mut warm_up, mut ticks) = (self.baseline, Ticks::Rows(None));
        if let Some(bin_ns) = self.bin_ns(&table) {
            let channels = table.channels().len();
            let step_ns = (step_s * 1e9) as u64;
            let resampler =
                || Resampler::<N>::new(channels, bin_ns, step_ns).map_err(Failure::bad_input);
            // The training data are the bins of the first rows, and none after them.
            broken = self.read_first(&mut table, &mut first);
            let (mut before, mut count) = (resampler()?, 0_u32);
            for row in &first {
                before.push(row, stamped, |_, _| count = count.saturating_add(1));
            }
            if first.len() < self.baseline as usize {
                // Too few rows: reported at the end.
                count = u32::MAX;
            } else if count < MIN_WARM_UP {
                return Err(Failure::BadInput(format!(
                    "{}: found {count} bins of {} in the first {} rows; expected at least {MIN_WARM_UP} to learn from: a larger --baseline (400 bins are about {} rows), or --bins off",
                    self.file.display(),
                    format_duration(bin_ns as f64 / 1e9),
                    self.baseline,
                    400 * u64::from(self.baseline) / u64::from(count.max(1))
                )));
            }
            (warm_up, ticks) = (count, Ticks::Resampled(Box::new(resampler()?)));
        }
        let mut detector =
            Detector::<N>::new(table.channels().len(), warm_up).map_err(Failure::bad_input)?;
        let mut alarms = Alarms::begin(self)?;
        let mut scores = Scores::create(&self.out, self.to_stdout())?;
        let interrupt = stop_on_interrupt(scores.temporary())?;
        let mut recorded = self.record(&table, recording, stamped)?;
        let recording = recorded.as_ref().map(|r| r.path().to_owned());
        let mut intervals = Intervals::<N>::default();
        let mut states = ChannelStates::new(table.channels().len());
        let mut progress = Progress::new(self.quiet);
        let mut row = Row::default();
        let mut back = 0_u64;
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
            let finding = match &mut ticks {
                Ticks::Rows(last_ns) => {
                    let before = std::mem::replace(last_ns, row.t_ns);
                    let dt_s = match (row.t_ns, before) {
                        (Some(now), Some(before)) if stamped => {
                            now.saturating_sub(before) as f64 / 1e9
                        }
                        _ => step_s,
                    };
                    back += u64::from(dt_s <= 0.0);
                    let finding = detector.push(&row.values, dt_s);
                    states.record_tick(&detector, &row.values, row.number);
                    finding
                }
                Ticks::Resampled(resampler) => {
                    resampler.push(&row, stamped, |values, dt_s| {
                        detector.push(values, dt_s);
                        states.record_tick(&detector, values, row.number);
                    });
                    detector.finding().copied()
                }
            };
            if detector.is_trained() && !began {
                self.report_training(&detector, &table, &states);
            } else if !began && detector.counters().rows == u64::from(warm_up) {
                self.warn(&format!(
                    "the first {} rows cannot be learned from (no channel has two values); the next ones are tried",
                    self.baseline
                ));
            }
            states.record_row(&row, detector.is_trained());
            scores.write(&row, finding.as_ref(), table.channels())?;
            if self.is_piped() {
                // The next row may come much later.
                scores.flush()?;
            }
            if let Some(recorded) = &mut recorded {
                recorded.push(&row, finding.as_ref())?;
            }
            if let Some(finding) = &finding {
                if let Some(done) = intervals.push(&row, finding, stamped) {
                    self.report_interval(&done, &table, recorded.as_mut(), &mut progress)?;
                }
                if let Some(begun) = intervals.begun(row.number) {
                    alarms.push(self, begun, &row, table.channels());
                }
            }
            progress.update(row.number);
        };
        if let Some(done) = intervals.end() {
            self.report_interval(&done, &table, recorded.as_mut(), &mut progress)?;
        }
        progress.end();
        alarms.finish(self);
        scores.finish()?;
        if let Some(recorded) = recorded {
            recorded.finish()?;
        }
        self.warn_notes(&table, notes_printed);
        let [late, set_back, beyond, masked] = match &ticks {
            Ticks::Rows(_) => [0; 4],
            Ticks::Resampled(resampler) => [
                resampler.late,
                resampler.set_back,
                resampler.beyond,
                resampler.too_large(),
            ],
        };
        let counters = detector.counters();
        let counts_seen = [
            back,
            late,
            set_back,
            beyond,
            counters.broken + masked,
            counters.gaps,
        ];
        self.report_counts(&table, &states, counts_seen);
        if let Some(broken) = broken {
            return Err(broken);
        }
        if !detector.is_trained() || table.counts().rows <= u64::from(self.baseline) {
            return Err(Failure::BadInput(
                self.untrained_message(&table, detector.counters().rows),
            ));
        }
        self.report_result(&table, &intervals, recording.as_deref());
        Ok(ExitCode::SUCCESS)
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
