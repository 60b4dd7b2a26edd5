//! What is learned before the first row is judged: from healthy files, or read from a model.

use super::arguments::{Analyze, BinMode};
use super::channels::ChannelStates;
use super::duration::format_duration;
use super::healthy_file::HealthyFile;
use super::model_file::ModelFile;
use super::ticks::Ticks;
use crate::failure::Failure;
use becomingone_kernel::{Detector, Learning, MIN_WARM_UP};
use becomingone_model::did_you_mean;
use becomingone_replay::{Row, Table, Wanted};
use std::path::Path;

/// Most values that are learned from: a fit keeps them four times.
const MAX_LEARNED: usize = 8_000_000;
/// Steps of two files are the same within this ratio.
const SAME_RATE: std::ops::Range<f64> = 0.7..1.4;

/// What a detector has when the first row is judged.
pub(super) enum Learned {
    /// Nothing: it learns from the first rows.
    No,
    From(Vec<(HealthyFile, Table)>),
    Loaded(Box<ModelFile>),
}

impl Learned {
    /// Opens healthy files or the model, by the channels of the first one.
    pub(super) fn open(analyze: &Analyze, wanted: &Wanted) -> Result<Self, Failure> {
        if let Some(file) = &analyze.load {
            return Ok(Self::Loaded(Box::new(ModelFile::read(file)?)));
        }
        let mut wanted = wanted.clone();
        let mut tables: Vec<(HealthyFile, Table)> = Vec::new();
        for healthy in &analyze.healthy {
            if let Some((other, _)) = tables.iter().find(|(other, _)| healthy.overlaps(other)) {
                return Err(Failure::BadInput(format!(
                    "--healthy {healthy}: found rows of {other} again; expected other ones: what is learned is judged by rows that did not form it"
                )));
            }
            let mut table = Table::open(&healthy.file, &wanted).map_err(Failure::bad_input)?;
            analyze.limit(&mut table);
            match tables.first() {
                None => {
                    wanted.columns = table.channels().to_vec();
                    wanted.ignore.clear();
                }
                Some((first, of_first)) => {
                    let (here, there) = (analyze.step_s(&table).0, analyze.step_s(of_first).0);
                    if matches!(analyze.bins, BinMode::Auto | BinMode::Off)
                        && !SAME_RATE.contains(&(here / there))
                    {
                        return Err(Failure::BadInput(format!(
                            "--healthy {healthy}: found a row every {}; expected one every {}, as in {first}: --bins makes rows of equal length",
                            format_duration(here),
                            format_duration(there)
                        )));
                    }
                }
            }
            tables.push((healthy.clone(), table));
        }
        Ok(if tables.is_empty() {
            Self::No
        } else {
            Self::From(tables)
        })
    }

    /// Names of the channels that it is about.
    pub(super) fn channels(&self) -> Option<&[String]> {
        match self {
            Self::No => None,
            Self::From(tables) => tables.first().map(|(_, table)| table.channels()),
            Self::Loaded(model) => Some(&model.channels),
        }
    }

    /// Rows or bins, as those that were learned from.
    pub(super) fn bins(&self, analyze: &Analyze) -> Option<BinMode> {
        let bin_ns = match self {
            Self::No => return None,
            Self::From(tables) => tables.first().and_then(|(_, table)| analyze.bin_ns(table)),
            Self::Loaded(model) => model.bin_ns,
        };
        Some(bin_ns.map_or(BinMode::Off, BinMode::Length))
    }
}

impl Analyze {
    /// The detector, which has learned already where there is something to learn from.
    pub(super) fn detector<const N: usize>(
        &self,
        table: &Table,
        learned: Learned,
        warm_up: u32,
        states: &mut ChannelStates,
    ) -> Result<Detector<N>, Failure> {
        let channels = table.channels();
        let learning = Learning {
            inputs: self.input_channels(channels)?,
            sensitivity: self.sensitivity,
            false_alarms_per_hour: self.false_alarms_per_hour,
        };
        let tables = match learned {
            Learned::No => {
                let detector =
                    Detector::new(channels.len(), warm_up).map_err(Failure::bad_input)?;
                return Ok(detector.with(learning));
            }
            Learned::Loaded(model) => {
                let file = self.load.as_deref().unwrap_or(Path::new(""));
                return model.detector(file);
            }
            Learned::From(tables) => tables,
        };
        let detector = Detector::learning(channels.len()).map_err(Failure::bad_input)?;
        let mut detector = detector.with(learning);
        let most = (MAX_LEARNED / channels.len().max(1) / tables.len()) as u64;
        for (healthy, mut table) in tables {
            self.learn_file(&healthy, &mut table, most, &mut detector, states)?;
        }
        if !detector.learn() {
            return Err(Failure::BadInput(format!(
                "--healthy {}: found no channel with two values; expected channels that change",
                self.healthy[0].file.display()
            )));
        }
        Ok(detector)
    }

    fn learn_file<const N: usize>(
        &self,
        healthy: &HealthyFile,
        table: &mut Table,
        most: u64,
        detector: &mut Detector<N>,
        states: &mut ChannelStates,
    ) -> Result<(), Failure> {
        let steps = self.step_s(table);
        states.begin_file(healthy.file.display().to_string());
        let mut values = vec![0_u64; table.channels().len()];
        let mut ticks = Ticks::<N>::new(table.channels().len(), self.bin_ns(table), steps)
            .map_err(Failure::bad_input)?;
        detector.begin_stretch();
        let before = detector.counters().rows;
        let learned = |detector: &Detector<N>| detector.counters().rows - before;
        let mut row = Row::default();
        while table.read(&mut row).map_err(Failure::bad_input)? {
            if healthy
                .rows
                .as_ref()
                .is_some_and(|rows| row.number > *rows.end())
            {
                break;
            }
            if healthy
                .rows
                .as_ref()
                .is_some_and(|rows| row.number < *rows.start())
            {
                continue;
            }
            if learned(detector) >= most {
                self.warn(&format!(
                    "--healthy {healthy}: learned from its rows before row {} alone: more would need too much memory",
                    row.number
                ));
                break;
            }
            for (count, x) in values.iter_mut().zip(&row.values) {
                *count += u64::from(x.is_some());
            }
            ticks.push(&row, |values, dt_s| {
                detector.push(values, dt_s);
                states.record_tick(detector, values, row.number);
            });
        }
        let found = learned(detector);
        if found < u64::from(MIN_WARM_UP) {
            return Err(Failure::BadInput(format!(
                "--healthy {healthy}: found {found} {}; expected at least {MIN_WARM_UP} to learn from",
                if self.bin_ns(table).is_some() {
                    "bins"
                } else {
                    "rows"
                },
            )));
        }
        let empty = table
            .channels()
            .iter()
            .zip(&values)
            .find(|(_, count)| **count == 0);
        if let Some((name, _)) = empty {
            return Err(Failure::BadInput(format!(
                "--healthy {healthy}: found no value of `{name}`; expected values of each channel, or --ignore {name}"
            )));
        }
        for note in table.notes() {
            self.warn(&format!("{healthy}: {note}"));
        }
        let [back, late, set_back, beyond, _] = ticks.counts();
        self.warn_counts(
            &format!("{healthy}: "),
            table,
            [back, late, set_back, beyond, 0, 0],
        );
        Ok(())
    }

    /// Indices of the channels of `--inputs`.
    fn input_channels(&self, channels: &[String]) -> Result<Vec<usize>, Failure> {
        let index = |name: &String| {
            let is = |c: &String| c == name || c == name.trim();
            channels.iter().position(is).ok_or_else(|| {
                let names = channels.iter().map(String::as_str);
                Failure::BadInput(format!(
                    "--inputs: found `{name}`; expected channels of {}: {}{}",
                    self.file.display(),
                    channels.join(", "),
                    did_you_mean(name.trim(), names)
                ))
            })
        };
        let inputs: Vec<usize> = self.inputs.iter().map(index).collect::<Result<_, _>>()?;
        if channels
            .iter()
            .enumerate()
            .all(|(n, _)| inputs.contains(&n))
        {
            return Err(Failure::BadInput(
                "--inputs: found all channels; expected one at least that is judged".to_owned(),
            ));
        }
        Ok(inputs)
    }
}
