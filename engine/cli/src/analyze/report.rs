//! Messages of an analysis: training, intervals, counts, result.

use super::arguments::Analyze;
use super::channels::ChannelStates;
use super::duration::format_duration;
use super::healthy_file::HealthyFile;
use super::intervals::{Interval, Intervals};
use super::progress::Progress;
use super::rerun::RerunFile;
use crate::failure::Failure;
use becomingone_kernel::{Detector, FalseAlarms, MIN_WARM_UP, Outlier, Outside};
use becomingone_replay::Table;
use std::fmt;
use std::path::Path;

/// Maximum number of printed intervals; the scores hold all.
const MAX_PRINTED: u64 = 1000;

/// Highest bound of the rate of false alarms (1/h) that is printed.
const MAX_BOUND: f64 = 1000.0;

/// Most reasons of rows outside that are printed.
const MAX_REASONS: usize = 5;

/// Words for why a machine is outside what was learned.
fn reason(why: Outside, channels: &[String]) -> String {
    match why {
        Outside::Input(n) => format!("input `{}` beyond its values", channels[n]),
        Outside::NoInput(n) => format!("input `{}` missing", channels[n]),
        Outside::Settling => "after an input was unknown".to_owned(),
        Outside::Channel(n) => format!("`{}` beyond its values", channels[n]),
        Outside::Switch(n) => format!("switch `{}` at a new value", channels[n]),
        Outside::Rate => "another rate of rows".to_owned(),
        _ => "no channel to judge".to_owned(),
    }
}

/// What is wrong with the values of a channel that has outliers.
fn described(outlier: &Outlier, states: &ChannelStates) -> String {
    let (value, place) = (Short(outlier.value), states.place(outlier.row));
    let more = match outlier.count {
        1 => String::new(),
        count => format!(" (the first of {count} such values)"),
    };
    match outlier.factor {
        Some(factor) => format!(
            "is {value} in {place}{more}, far from its other values there: its deviation becomes {} times as large as theirs, and smaller changes are not detected",
            Times(factor)
        ),
        None => format!(
            "is {value} in {place}{more}, and {} in all others: changes smaller than that step are not detected",
            Short(outlier.others)
        ),
    }
}

/// A number in a readable length.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.abs() < 1e10 && (self.0 == 0.0 || self.0.abs() >= 1e-4) {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{:e}", self.0)
        }
    }
}

/// A factor in a readable length.
struct Times(f64);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1e10 {
            write!(f, "{:.0}", self.0)
        } else {
            write!(f, "{:.0e}", self.0)
        }
    }
}

impl Analyze {
    /// What is normal is learned from this.
    pub(super) fn learned_from(&self) -> String {
        if let Some(model) = &self.load {
            model.display().to_string()
        } else if self.healthy.is_empty() {
            format!("the first {} rows", self.baseline)
        } else {
            let names: Vec<String> = self.healthy.iter().map(HealthyFile::to_string).collect();
            format!("the rows of {}", names.join(", "))
        }
    }

    /// Reports the training: constant and absent channels, outliers, thresholds.
    pub(super) fn report_training<const N: usize>(
        &self,
        detector: &Detector<N>,
        table: &Table,
        states: &ChannelStates,
    ) {
        let named = |indices: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            indices
                .map(|n| format!("`{}`", table.channels()[n]))
                .collect()
        };
        let constant = named(&mut detector.constant_channels().into_iter());
        if !constant.is_empty() {
            self.warn(&format!(
                "constant in {}: {}; the first change of such a channel raises the surprise. If it is a label and no sensor, pass it to --ignore",
                self.learned_from(),
                constant.join(", ")
            ));
        }
        let absent = named(&mut detector.absent_channels().iter().copied());
        if !absent.is_empty() {
            self.warn(&format!(
                "fewer than two values in {}: {}; left out",
                self.learned_from(),
                absent.join(", ")
            ));
        }
        let switches = named(&mut detector.switches());
        if !switches.is_empty() {
            self.print(&format!(
                "switches (0 and 1 alone): {}; they are not judged, a value that they never had in {} is `outside`",
                switches.join(", "),
                self.learned_from()
            ));
        }
        let ticks = detector.warm_up().unwrap_or_default() as u32;
        for (channel, name) in states.channels.iter().zip(table.channels()) {
            let count = channel.learned;
            // Channels without any value are reported above; few ticks have few values.
            if count > 1 && count < MIN_WARM_UP && count < ticks / 2 {
                self.warn(&format!(
                    "`{name}` has {count} values in the {ticks} ticks of the baseline: too few to learn from, at least {MIN_WARM_UP} are needed"
                ));
            }
        }
        for outlier in detector.outliers() {
            let name = &table.channels()[outlier.channel];
            self.warn(&format!("`{name}` {}", described(outlier, states)));
        }
        let inputs = named(&mut detector.constant_inputs().into_iter());
        if !inputs.is_empty() {
            self.warn(&format!(
                "inputs that are constant in {}: {}; while one has another value, the state is `outside` and nothing is flagged",
                self.learned_from(),
                inputs.join(", ")
            ));
        }
        let bins = self.bin_ns(table).is_some();
        if let Some((rows, factor)) = detector.unlike() {
            let advice = if self.healthy.is_empty() {
                "expected a longer --baseline, one in which the machine does one thing, or several files for --healthy"
            } else {
                "expected files in which the machine does the same things"
            };
            self.warn(&format!(
                "{} to {} are unlike the others (by a factor of {factor:.0}): alarms cannot be trusted, and small faults are not found; {advice}",
                states.place(rows.start),
                states.place(rows.end - 1)
            ));
        }
        if let Some([level, activity, innovation, shift]) = detector.thresholds() {
            let from = self.learned_from();
            let from = from.strip_prefix("the first ").unwrap_or(&from);
            let of_bins = if bins {
                format!(" in {ticks} bins")
            } else {
                String::new()
            };
            self.print(&format!(
                "learned from {from}{of_bins}; thresholds: level {level:.2}, activity {activity:.2}, innovation {innovation:.2}, shift {shift:.2}"
            ));
        }
        if let Some(found) = detector.false_alarms() {
            self.report_false_alarms(found);
        }
    }

    /// States the rate of false alarms that the healthy rows support.
    fn report_false_alarms(&self, found: FalseAlarms) {
        let healthy = format_duration(found.hours * 3600.0);
        let most = found.per_hour_most();
        match self.false_alarms_per_hour {
            Some(rate) if !found.supports(rate) => self.warn(&format!(
                "--false-alarms-per-hour {rate}: {healthy} of healthy rows do not support it; alarms begin above all that these rows have, which bounds the rate by {most:.2} an hour (95 %); expected {} of healthy rows: more of them, or more files for --healthy",
                format_duration(3.0 / rate * 3600.0)
            )),
            // A few seconds bound nothing.
            _ if most > MAX_BOUND => {}
            wanted => {
                self.print(&format!(
                    "false alarms: {} in {healthy} of healthy rows ({:.2} an hour; with 95 % fewer than {most:.2}, of rows like these)",
                    found.alarms,
                    found.alarms as f64 / found.hours
                ));
                if let Some(rate) = wanted.filter(|rate| found.alarms as f64 + 1.0 < rate * found.hours) {
                    self.print(&format!(
                        "fewer than the wanted {rate} an hour: alarms begin at the least rise that there is; --sensitivity goes below it"
                    ));
                }
            }
        }
    }

    pub(super) fn report_interval<const N: usize>(
        &self,
        done: &Interval<N>,
        table: &Table,
        recorded: Option<&mut RerunFile>,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let channels = table.channels();
        let cause = done.cause().map_or("?", |n| channels[n].as_str());
        let rows = done.last.0 - done.first.0 + 1;
        let lasted = match done.lasted_s {
            Some(s) => format_duration(s),
            None => format!("{rows} rows"),
        };
        if done.count <= MAX_PRINTED {
            progress.end();
            if done.count == 1 {
                self.print("flagged:");
            }
            let from_to = if done.first.1.is_empty() {
                String::new()
            } else {
                format!("{} to {}, ", done.first.1, done.last.1)
            };
            self.print(&format!(
                "  {from_to}rows {} to {} ({lasted}): {cause}, peak surprise {:.2}, severity {:.1}",
                done.first.0, done.last.0, done.peak, done.severity
            ));
        } else if done.count == MAX_PRINTED + 1 {
            self.print("  and more, listed in the scores");
        }
        if let Some(recorded) = recorded {
            let text = format!("{cause}: {lasted}, peak surprise {:.2}", done.peak);
            recorded.log(done.first.0, done.first.2, &text)?;
        }
        Ok(())
    }

    /// Warns of irregular rows, stamps and values.
    pub(super) fn warn_counts(&self, place: &str, table: &Table, counts_seen: [u64; 6]) {
        let counts = table.counts();
        let firsts = table.firsts();
        let [back, late, set_back, beyond, broken, gaps] = counts_seen;
        for (count, what, first) in [
            (
                counts.short_rows,
                "rows with too few cells: the rest of them is missing",
                &firsts.short_row,
            ),
            (
                counts.long_rows,
                "rows with too many cells: the surplus is ignored",
                &firsts.long_row,
            ),
            (
                counts.repeated_headers,
                "rows that repeat the header: not counted",
                &firsts.repeated_header,
            ),
            (
                counts.comments,
                "comments between the rows: not counted",
                &None,
            ),
            (
                counts.bad_stamps,
                "stamps that cannot be read: these rows are assumed to follow at the usual time",
                &firsts.bad_stamp,
            ),
            (
                counts.text_cells,
                "cells of channels that contain text: missing",
                &firsts.text_cell,
            ),
            (
                counts.infinite_cells,
                "cells of channels that are infinite: missing",
                &firsts.infinite_cell,
            ),
            (
                back,
                "rows whose stamp is not after that of the row before: skipped, their scores are repeated",
                &None,
            ),
            (
                late,
                "rows whose stamp is before that of a row above: used in the order of the file",
                &None,
            ),
            (
                set_back,
                "times the clock was set back: time continues from there",
                &None,
            ),
            (
                beyond,
                "rows beyond the range of 64 bits of nanoseconds: not judged, their scores are repeated",
                &None,
            ),
            (
                broken,
                "values that are too large to be squared: treated as missing",
                &None,
            ),
            (
                gaps,
                "gaps of more than ten steps of the baseline: the machine is judged anew from there",
                &None,
            ),
        ] {
            if count > 0 {
                let first = first
                    .as_ref()
                    .map_or(String::new(), |f| format!(" (first in {f})"));
                self.warn(&format!("{place}{count} {what}{first}"));
            }
        }
    }

    /// Warns of irregular rows, and of channels that end, stop or are not judged.
    pub(super) fn report_counts<const N: usize>(
        &self,
        detector: &Detector<N>,
        table: &Table,
        states: &ChannelStates,
        counts_seen: [u64; 6],
    ) {
        self.warn_counts("", table, counts_seen);
        let last = table.counts().rows.saturating_sub(1);
        // A channel that does not change for the length of the baseline is stuck.
        let long = u64::from(self.baseline);
        for (n, (channel, name)) in states.channels.iter().zip(table.channels()).enumerate() {
            if channel.unjudged * 4 > channel.values {
                self.warn(&format!(
                    "`{name}` is missing for longer at a time than in the baseline: {} of its {} values are not judged",
                    channel.unjudged, channel.values
                ));
            }
            match (channel.last_value, channel.since) {
                (None, _) if detector.absent_channels().contains(&n) => {}
                (None, _) if states.trained && last > 0 => {
                    self.warn(&format!("`{name}` has no value: it is not judged"));
                }
                (Some((_, seen)), _) if last >= seen + long => {
                    self.warn(&format!("`{name}` has no value after row {seen}"));
                }
                (Some(_), since) if channel.moved && last >= since + long => {
                    self.warn(&format!("`{name}` does not change after row {since}"));
                }
                _ => {}
            }
        }
    }

    pub(super) fn untrained_message(&self, table: &Table, ticks: u64) -> String {
        let rows = table.counts().rows;
        let file = self.file.display();
        if ticks >= u64::from(self.baseline) {
            return format!(
                "{file}: found no channel with two values in {0} consecutive rows; expected channels that change in {0}",
                self.baseline
            );
        }
        let smaller = if rows > u64::from(MIN_WARM_UP) {
            format!(", or a smaller one (at least {MIN_WARM_UP})")
        } else {
            format!(
                ": a longer recording, as a CSV or in another format (at least {MIN_WARM_UP} rows are learned from)"
            )
        };
        format!(
            "{file}: found {rows} rows in {}; expected more than the {} training rows of --baseline{smaller}",
            table.format(),
            self.baseline
        )
    }

    pub(super) fn report_result<const N: usize>(
        &self,
        table: &Table,
        intervals: &Intervals<N>,
        recording: Option<&Path>,
    ) {
        let learned = if self.load.is_some() || !self.healthy.is_empty() {
            0
        } else {
            u64::from(self.baseline)
        };
        let judged = table.counts().rows.saturating_sub(learned);
        if intervals.count == 0 {
            self.print(&format!("nothing flagged in {judged} rows"));
        } else {
            self.print(&format!(
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
        if !intervals.outside.is_empty() {
            let rows: u64 = intervals.outside.iter().map(|(_, rows)| rows).sum();
            let mut reasons = intervals.outside.clone();
            reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
            let reasons: Vec<String> = reasons
                .iter()
                .take(MAX_REASONS)
                .map(|(why, rows)| format!("{} {rows}", reason(*why, table.channels())))
                .collect();
            self.print(&format!(
                "{rows} rows are `outside` what was learned: {}",
                reasons.join(", ")
            ));
        }
        if !self.to_stdout() {
            self.print(&format!("scores: {}", self.out.display()));
        }
        #[cfg(feature = "rerun")]
        if let Some(file) = recording {
            self.print(&format!(
                "recorded {}; to view it:\n    {}",
                file.display(),
                becomingone_rerun::viewer::open_command(file)
            ));
        }
        #[cfg(not(feature = "rerun"))]
        let _ = recording;
    }
}
