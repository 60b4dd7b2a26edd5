//! What is learned before the first row is judged: from healthy files, or read from a model.

use super::arguments::{Analyze, BinMode};
use super::channels::ChannelStates;
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
        let mut tables = Vec::new();
        for healthy in &analyze.healthy {
            let mut table = Table::open(&healthy.file, &wanted).map_err(Failure::bad_input)?;
            analyze.limit(&mut table);
            if tables.is_empty() {
                wanted.columns = table.channels().to_vec();
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
        let file = healthy.file.display();
        let steps = self.step_s(table);
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
                    "--healthy {file}: learned from its rows before row {} alone: more would need too much memory",
                    row.number
                ));
                break;
            }
            ticks.push(&row, |values, dt_s| {
                detector.push(values, dt_s);
                states.record_tick(detector, values, row.number);
            });
        }
        let found = learned(detector);
        if found < u64::from(MIN_WARM_UP) {
            return Err(Failure::BadInput(format!(
                "--healthy {file}: found {found} {} in its {} rows{}; expected at least {MIN_WARM_UP} to learn from",
                if self.bin_ns(table).is_some() {
                    "bins"
                } else {
                    "rows"
                },
                table.counts().rows,
                healthy.rows.as_ref().map_or(String::new(), |rows| format!(
                    " from {} to {}",
                    rows.start(),
                    rows.end()
                )),
            )));
        }
        for note in table.notes() {
            self.warn(&format!("{file}: {note}"));
        }
        let [back, late, set_back, ..] = ticks.counts();
        if back + late + set_back > 0 {
            self.warn(&format!(
                "--healthy {file}: {} rows whose stamp is not after that of a row above",
                back + late + set_back
            ));
        }
        Ok(())
    }

    /// Indices of the channels of `--inputs`.
    fn input_channels(&self, channels: &[String]) -> Result<Vec<usize>, Failure> {
        let index = |name: &String| {
            channels.iter().position(|c| c == name).ok_or_else(|| {
                let names = channels.iter().map(String::as_str);
                Failure::BadInput(format!(
                    "--inputs: found `{name}`; expected channels of {}: {}{}",
                    self.file.display(),
                    channels.join(", "),
                    did_you_mean(name, names)
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
